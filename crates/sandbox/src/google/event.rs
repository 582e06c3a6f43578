//! One event as the workspace keeps it, what its occurrences are, and how it is shown.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::{Timestamp, civil::DateTime};
use serde_json::{Map, Value, json};

use super::when::{When, stamp, zone};
use crate::recur::Lines;

/// How far series without an end are looked into; the documents name no bound.
pub(super) const HORIZON_DAYS: i64 = 2 * 366;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Person {
    pub(super) email: String,
    pub(super) name: Option<String>,
}

/// An occurrence's place in its series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) series: String,
    pub(super) original: When,
}

#[derive(Debug, Clone)]
pub(super) struct Event {
    pub(super) id: String,
    pub(super) uid: String,
    /// `confirmed`, `tentative` or `cancelled`.
    pub(super) status: String,
    pub(super) start: When,
    pub(super) end: When,
    pub(super) recurrence: Vec<String>,
    pub(super) part: Option<Part>,
    pub(super) organizer: Person,
    pub(super) creator: Person,
    pub(super) sequence: u64,
    /// Everything else that can be written: texts, attendees, visibility, properties of one's own.
    pub(super) fields: Map<String, Value>,
    pub(super) created: Timestamp,
    pub(super) updated: Timestamp,
    pub(super) etag: i64,
    /// The account's count of changes when it was changed last.
    pub(super) changed: u64,
}

/// How an event is looked at.
pub(super) struct View<'a> {
    /// The calendar it is on.
    pub(super) calendar: &'a str,
    /// The zone in which times are told.
    pub(super) zone: &'a str,
    pub(super) max_attendees: Option<usize>,
    /// Whether a deleted event is told by its id alone.
    pub(super) bare: bool,
    /// Whether the looker sees no more of private events than that they are there.
    pub(super) outsider: bool,
}

impl Event {
    pub(super) fn is_cancelled(&self) -> bool {
        self.status == "cancelled"
    }

    pub(super) fn is_series(&self) -> bool {
        !self.recurrence.is_empty()
    }

    /// Whether everything is alike that an entity tag is of.
    pub(super) fn same_as(&self, other: &Self) -> bool {
        self.same_but_reminders(other) && self.fields.get("reminders") == other.fields.get("reminders")
    }

    pub(super) fn same_but_reminders(&self, other: &Self) -> bool {
        let apart = |event: &Self| {
            let mut fields = event.fields.clone();
            fields.remove("reminders");
            fields
        };
        (&self.uid, &self.status, &self.start, &self.end, &self.recurrence, &self.part)
            == (&other.uid, &other.status, &other.start, &other.end, &other.recurrence, &other.part)
            && (&self.organizer, self.sequence) == (&other.organizer, other.sequence)
            && apart(self) == apart(other)
    }

    pub(super) fn etag_text(&self) -> String {
        format!("\"{}\"", self.etag)
    }

    /// Addresses of the attendees.
    pub(super) fn guests(&self) -> Vec<String> {
        self.attendees().iter().filter_map(|row| Some(row.get("email")?.as_str()?.to_owned())).collect()
    }

    pub(super) fn attendees(&self) -> &[Value] {
        self.fields.get("attendees").and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    pub(super) fn attendee_mut(&mut self, email: &str) -> Option<&mut Map<String, Value>> {
        let rows = self.fields.get_mut("attendees")?.as_array_mut()?;
        rows.iter_mut().filter_map(Value::as_object_mut).find(|row| is_of(row, email))
    }

    pub(super) fn flag(&self, name: &str, otherwise: bool) -> bool {
        self.fields.get(name).and_then(Value::as_bool).unwrap_or(otherwise)
    }

    /// The local starts of the series up to then.
    fn starts(&self, until: Timestamp) -> Vec<DateTime> {
        let own = self.start.zone_of();
        let lines = Lines::parse(self.recurrence.iter().map(String::as_str), &own).unwrap_or_default();
        lines.starts(self.start.local(), &own, until)
    }

    /// The original starts of all occurrences up to then.
    pub(super) fn originals(&self, until: Timestamp) -> Vec<When> {
        self.starts(until).into_iter().map(|local| self.start.moved_to(local)).collect()
    }

    /// The occurrence at this original start, as the series has it.
    pub(super) fn occurrence(&self, original: When) -> Self {
        Self {
            id: format!("{}_{}", self.id, original.suffix()),
            start: original.clone(),
            end: original.ended_like(&self.start, &self.end),
            recurrence: Vec::new(),
            part: Some(Part { series: self.id.clone(), original }),
            ..self.clone()
        }
    }

    /// As it is told.
    pub(super) fn shown(&self, view: &View<'_>) -> Value {
        let shown_in = zone(view.zone);
        let mut out = Map::new();
        out.insert("kind".into(), "calendar#event".into());
        out.insert("etag".into(), self.etag_text().into());
        out.insert("id".into(), self.id.as_str().into());
        out.insert("status".into(), self.status.as_str().into());
        let place = |out: &mut Map<String, Value>| {
            if let Some(part) = &self.part {
                out.insert("recurringEventId".into(), part.series.as_str().into());
                out.insert("originalStartTime".into(), part.original.shown(&shown_in));
            }
        };
        if self.is_cancelled() && (self.part.is_some() || view.bare) {
            place(&mut out);
            return out.into();
        }
        let link = URL_SAFE_NO_PAD.encode(format!("{} {}", self.id, view.calendar));
        out.insert("htmlLink".into(), format!("https://www.google.com/calendar/event?eid={link}").into());
        out.insert("created".into(), format!("{:.0}", self.created).replace('Z', ".000Z").into());
        out.insert("updated".into(), stamp(self.updated).into());
        let hidden = view.outsider && matches!(self.visibility(), "private" | "confidential");
        let texts = ["summary", "description", "location", "colorId"];
        for name in texts.into_iter().filter(|_| !hidden) {
            self.fields.get(name).map(|value| out.insert(name.into(), value.clone()));
        }
        out.insert("creator".into(), person(&self.creator, view.calendar));
        out.insert("organizer".into(), person(&self.organizer, view.calendar));
        out.insert("start".into(), self.start.shown(&shown_in));
        out.insert("end".into(), self.end.shown(&shown_in));
        if self.is_series() {
            out.insert("recurrence".into(), json!(self.recurrence));
        }
        place(&mut out);
        out.insert("iCalUID".into(), self.uid.as_str().into());
        out.insert("sequence".into(), self.sequence.into());
        if hidden {
            out.insert("visibility".into(), self.visibility().into());
            return out.into();
        }
        for (name, value) in self.fields.iter().filter(|(name, _)| !texts.contains(&name.as_str())) {
            match name.as_str() {
                "attendees" => self.show_attendees(&mut out, view),
                _ => drop(out.insert(name.clone(), value.clone())),
            }
        }
        out.entry("reminders").or_insert_with(|| json!({"useDefault": true}));
        out.entry("eventType").or_insert_with(|| "default".into());
        out.into()
    }

    pub(super) fn visibility(&self) -> &str {
        self.fields.get("visibility").and_then(Value::as_str).unwrap_or("default")
    }

    fn show_attendees(&self, out: &mut Map<String, Value>, view: &View<'_>) {
        let mut rows: Vec<Value> = Vec::new();
        for row in self.attendees().iter().filter_map(Value::as_object) {
            let mut row = row.clone();
            if is_of(&row, &self.organizer.email) {
                row.insert("organizer".into(), true.into());
            }
            if is_of(&row, view.calendar) {
                row.insert("self".into(), true.into());
            }
            rows.push(row.into());
        }
        if view.max_attendees.is_some_and(|most| rows.len() > most) {
            rows.retain(|row| row.get("self").is_some());
            out.insert("attendeesOmitted".into(), true.into());
        }
        out.insert("attendees".into(), rows.into());
    }
}

/// Whether a row of attendees is of this address.
pub(super) fn is_of(row: &Map<String, Value>, email: &str) -> bool {
    row.get("email").and_then(Value::as_str).is_some_and(|known| known.eq_ignore_ascii_case(email))
}

fn person(person: &Person, calendar: &str) -> Value {
    let mut out = json!({"email": person.email});
    if let Some(name) = &person.name {
        out["displayName"] = name.as_str().into();
    }
    if person.email == calendar {
        out["self"] = true.into();
    }
    out
}
