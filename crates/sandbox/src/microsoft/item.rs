//! One event as a mailbox keeps it, its occurrences and its names, and how it is told.

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::{Timestamp, civil::Date};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::{
    body::{html, plain, preview},
    ids::{Key, Manner, id},
    pattern::{filled, rule},
    when::{When, stamp},
};

/// The time of what has not happened.
pub(super) const NEVER: &str = "0001-01-01T00:00:00Z";

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Person {
    pub(super) name: String,
    pub(super) address: String,
}

#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) number: u64,
    pub(super) calendar: u64,
    /// How often it has been moved: its regular id tells.
    pub(super) moves: u32,
    /// The same in every mailbox.
    pub(super) uid: String,
    pub(super) start: When,
    pub(super) end: When,
    pub(super) all_day: bool,
    pub(super) recurrence: Option<Value>,
    pub(super) cancelled: bool,
    pub(super) organizer: Person,
    pub(super) mine: bool,
    /// The mailbox owner's answer, and when.
    pub(super) response: (String, String),
    pub(super) fields: Map<String, Value>,
    /// When an occurrence would begin.
    pub(super) original: Option<Timestamp>,
    /// Changed occurrences by their days.
    pub(super) exceptions: BTreeMap<Date, Item>,
    pub(super) gone: BTreeSet<Date>,
    pub(super) created: Timestamp,
    pub(super) modified: Timestamp,
    /// The count of changes when it was changed last.
    pub(super) changed: u64,
}

impl Item {
    pub(super) fn same_as(&self, other: &Self) -> bool {
        let alike = |one: &Self, two: &Self| {
            (&one.uid, one.calendar, one.moves, &one.start, &one.end, one.all_day, &one.recurrence)
                == (&two.uid, two.calendar, two.moves, &two.start, &two.end, two.all_day, &two.recurrence)
                && (one.cancelled, &one.organizer, &one.response, &one.gone)
                    == (two.cancelled, &two.organizer, &two.response, &two.gone)
                && one.fields == two.fields
        };
        alike(self, other)
            && self.exceptions.len() == other.exceptions.len()
            && self.exceptions.iter().zip(&other.exceptions).all(|((one, a), (two, b))| one == two && alike(a, b))
    }

    pub(super) fn is_series(&self) -> bool {
        self.recurrence.is_some()
    }

    pub(super) fn etag(&self) -> String {
        format!("W/\"{}\"", self.change_key())
    }

    pub(super) fn change_key(&self) -> String {
        let digest = Sha256::digest(format!("{}:{}", self.number, self.changed));
        STANDARD.encode(&digest[..19])
    }

    pub(super) fn text(&self, name: &str) -> &str {
        self.fields.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    pub(super) fn attendees(&self) -> &[Value] {
        self.fields.get("attendees").and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    pub(super) fn guests(&self) -> Vec<String> {
        self.attendees().iter().map(|row| address(row).to_owned()).collect()
    }

    pub(super) fn attendee_mut(&mut self, wanted: &str) -> Option<&mut Value> {
        let rows = self.fields.get_mut("attendees")?.as_array_mut()?;
        rows.iter_mut().find(|row| address(row).eq_ignore_ascii_case(wanted))
    }

    /// The days of the series' occurrences that begin before `until`, cancelled ones left out.
    pub(super) fn days(&self, until: Timestamp) -> Vec<Date> {
        let Some(rule) = self.recurrence.as_ref().and_then(|recurrence| rule(recurrence).ok()) else {
            return Vec::new();
        };
        let starts = rule.starts(self.start.local(), &self.start.tz(), until);
        starts.into_iter().map(|start| start.date()).filter(|day| !self.gone.contains(day)).collect()
    }

    /// The occurrence of that day, changed or not.
    pub(super) fn occurrence(&self, day: Date) -> Self {
        if let Some(exception) = self.exceptions.get(&day) {
            return exception.clone();
        }
        let start = self.start.moved_to(day.to_datetime(self.start.local().time()));
        let lasts = self.end.at.duration_since(self.start.at);
        let end = When { at: start.at.checked_add(lasts).unwrap_or(start.at), zone: self.end.zone.clone() };
        Self {
            original: Some(start.at),
            start,
            end,
            recurrence: None,
            exceptions: BTreeMap::new(),
            gone: BTreeSet::new(),
            ..self.clone()
        }
    }

    /// The occurrences that lie in a window, with their days.
    pub(super) fn occurrences(&self, from: Timestamp, to: Timestamp) -> Vec<(Date, Self)> {
        // A changed occurrence can lie far from its day.
        let days = self.days(to).into_iter().chain(self.exceptions.keys().copied());
        let days: BTreeSet<Date> = days.filter(|day| !self.gone.contains(day)).collect();
        days.into_iter().map(|day| (day, self.occurrence(day))).filter(|(_, one)| one.touches(from, to)).collect()
    }

    pub(super) fn touches(&self, from: Timestamp, to: Timestamp) -> bool {
        self.start.at < to && (self.end.at > from || self.start.at >= from)
    }

    pub(super) fn id(&self, manner: &Manner, day: Option<Date>) -> String {
        id(manner, Key { number: self.number, day }, self.moves)
    }

    /// The iCalendar id of this occurrence: the series' with its day in it.
    pub(super) fn ical_uid(&self, day: Option<Date>) -> String {
        let Some(day) = day.filter(|_| self.uid.len() > 40) else { return self.uid.clone() };
        let part = format!("{:04X}{:02X}{:02X}", day.year(), day.month(), day.day());
        format!("{}{part}{}", &self.uid[..32], &self.uid[40..])
    }

    /// As it is told; `day` says which occurrence of its series this is.
    pub(super) fn shown(&self, manner: &Manner, day: Option<Date>) -> Map<String, Value> {
        let id = self.id(manner, day);
        let series = day.map(|_| self.id(manner, None));
        let kind = match (day, self.is_series()) {
            (None, true) => "seriesMaster",
            (None, false) => "singleInstance",
            (Some(day), _) if self.is_exception_of(day) => "exception",
            (Some(_), _) => "occurrence",
        };
        let mut out = Map::new();
        let mut tell = |name: &str, value: Value| drop(out.insert(name.to_owned(), value));
        tell("@odata.etag", self.etag().into());
        tell("id", id.as_str().into());
        tell("createdDateTime", stamp(self.created).into());
        tell("lastModifiedDateTime", stamp(self.modified).into());
        tell("changeKey", self.change_key().into());
        let or = |name: &str, otherwise: Value| self.fields.get(name).cloned().unwrap_or(otherwise);
        tell("categories", or("categories", json!([])));
        tell("transactionId", or("transactionId", Value::Null));
        tell("originalStartTimeZone", self.start.zone.as_str().into());
        tell("originalEndTimeZone", self.end.zone.as_str().into());
        tell("iCalUId", self.ical_uid(day).into());
        tell("uid", self.uid.as_str().into());
        tell("reminderMinutesBeforeStart", or("reminderMinutesBeforeStart", json!(15)));
        tell("isReminderOn", or("isReminderOn", json!(true)));
        tell("hasAttachments", json!(false));
        tell("subject", or("subject", json!("")));
        tell("bodyPreview", preview(self.text("body")).into());
        tell("importance", or("importance", json!("normal")));
        tell("sensitivity", or("sensitivity", json!("normal")));
        tell("isAllDay", self.all_day.into());
        tell("isCancelled", self.cancelled.into());
        tell("isOrganizer", self.mine.into());
        tell("responseRequested", or("responseRequested", json!(true)));
        tell("seriesMasterId", series.clone().into());
        tell("showAs", or("showAs", json!("busy")));
        tell("type", kind.into());
        tell("webLink", format!("https://outlook.office365.com/owa/?itemid={id}&exvsurl=1&path=/calendar/item").into());
        tell("onlineMeetingUrl", Value::Null);
        tell("isOnlineMeeting", or("isOnlineMeeting", json!(false)));
        tell("onlineMeetingProvider", or("onlineMeetingProvider", json!("unknown")));
        tell("allowNewTimeProposals", or("allowNewTimeProposals", json!(true)));
        tell("occurrenceId", series.zip(day).map(|(series, day)| format!("OID.{series}.{day}")).into());
        tell("isDraft", json!(false));
        tell("hideAttendees", or("hideAttendees", json!(false)));
        tell("responseStatus", json!({"response": self.response.0, "time": self.response.1}));
        self.tell_particulars(manner, &mut out);
        if let (Some(original), Some(_)) = (self.original, day) {
            out.insert("originalStart".into(), format!("{original:.0}").into());
        }
        out
    }

    /// Text, times, places and people.
    fn tell_particulars(&self, manner: &Manner, out: &mut Map<String, Value>) {
        let mut tell = |name: &str, value: Value| drop(out.insert(name.to_owned(), value));
        let or = |name: &str, otherwise: Value| self.fields.get(name).cloned().unwrap_or(otherwise);
        let body = self.text("body");
        let body = if manner.text {
            json!({"contentType": "text", "content": plain(body)})
        } else {
            json!({"contentType": "html", "content": html(body)})
        };
        tell("body", body);
        tell("start", self.start.shown(&manner.zone));
        tell("end", self.end.shown(&manner.zone));
        tell(
            "location",
            or(
                "location",
                json!({"displayName": "", "locationType": "default", "uniqueIdType": "unknown", "address": {}, "coordinates": {}}),
            ),
        );
        tell("locations", or("locations", json!([])));
        let recurrence = self.recurrence.as_ref();
        tell("recurrence", recurrence.map(|all| filled(all, self.start.local().date(), &self.start.zone)).into());
        tell("attendees", self.attendees().into());
        tell("organizer", json!({"emailAddress": {"name": self.organizer.name, "address": self.organizer.address}}));
        tell("onlineMeeting", Value::Null);
    }

    /// An occurrence that is told as part of its series knows whether it was changed by its own.
    fn is_exception_of(&self, day: Date) -> bool {
        self.exceptions.contains_key(&day)
    }

    /// An occurrence as a delta tells it: its series has the rest.
    pub(super) fn stub(&self, manner: &Manner, day: Date) -> Value {
        json!({
            "@odata.etag": self.etag(), "id": self.id(manner, Some(day)), "type": "occurrence",
            "seriesMasterId": self.id(manner, None), "start": self.start.shown(&manner.zone), "end": self.end.shown(&manner.zone),
        })
    }
}

/// The address in a row of attendees.
pub(super) fn address(row: &Value) -> &str {
    row["emailAddress"]["address"].as_str().unwrap_or_default()
}
