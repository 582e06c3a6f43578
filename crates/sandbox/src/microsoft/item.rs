//! One event as a mailbox keeps it, its occurrences and its names, and how it is told.

use std::collections::{BTreeMap, BTreeSet};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use jiff::{Timestamp, civil::Date};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::{
    pattern::{filled, rule},
    when::{When, stamp},
};

/// Letters of a body's preview.
const PREVIEW_MAX: usize = 255;
/// What ids begin with: those that change when an event is moved, and those that never do.
const REGULAR: &str = "AAMkADhmOGM2";
const IMMUTABLE: &str = "AAkALgAAAAAAHYQDEapmEc2byACqAC";
/// What every GlobalObjectId begins with, and what stands before a name of elsewhere in one.
const GLOBAL_CLASS: &str = "040000008200E00074C5B7101A82E008";
const FOREIGN: &[u8] = b"vCal-Uid\x01\0\0\0";
/// The time of what has not happened.
pub(super) const NEVER: &str = "0001-01-01T00:00:00Z";

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Person {
    pub(super) name: String,
    pub(super) address: String,
}

/// Names an event of a mailbox, or one occurrence of it by the day on which the series has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) number: u64,
    pub(super) day: Option<Date>,
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

/// How events are to be told.
#[derive(Debug, Clone)]
pub(super) struct Manner {
    pub(super) immutable: bool,
    pub(super) zone: String,
    pub(super) text: bool,
    pub(super) page: Option<usize>,
    /// The mailbox's place among all.
    pub(super) mailbox: usize,
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
        if let (Some(original), Some(_)) = (self.original, day) {
            tell("originalStart", format!("{original:.0}").into());
        }
        out
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

pub(super) fn id(manner: &Manner, key: Key, moves: u32) -> String {
    let day = key.day.map_or_else(|| "-".to_owned(), |day| day.to_string());
    let (prefix, moves) = if manner.immutable { (IMMUTABLE, "i".to_owned()) } else { (REGULAR, moves.to_string()) };
    format!("{prefix}{}=", URL_SAFE_NO_PAD.encode(format!("{:03}.{:06}.{day}.{moves}", manner.mailbox, key.number)))
}

/// What an id names: in which mailbox, what, and after how many moves if it is one that changes with them.
pub(super) fn parse_id(text: &str) -> Option<(usize, Key, Option<u32>)> {
    let coded = text.strip_prefix(IMMUTABLE).or_else(|| text.strip_prefix(REGULAR))?.trim_end_matches('=');
    let plain = String::from_utf8(URL_SAFE_NO_PAD.decode(coded).ok()?).ok()?;
    let mut parts = plain.split('.');
    let (mailbox, number) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let day = match parts.next()? {
        "-" => None,
        day => Some(day.parse().ok()?),
    };
    let moves = match parts.next()? {
        "i" => None,
        moves => Some(moves.parse().ok()?),
    };
    Some((mailbox, Key { number, day }, moves))
}

/// A GlobalObjectId in hexadecimal digits ("MS-OXOCAL" 2.2.1.27, read 2026-11): class, day of the occurrence, time of
/// creation, and something of its own.
pub(super) fn global_id(seed: &str, now: Timestamp) -> String {
    /// From 1601 to 1970, in hundreds of nanoseconds.
    const EPOCH: i64 = 116_444_736_000_000_000;
    let made = (now.as_microsecond() * 10 + EPOCH).to_le_bytes();
    let own = Sha256::digest(seed.as_bytes());
    format!("040000008200E00074C5B7101A82E00800000000{}000000000000000010000000{}", hex(&made), hex(&own[..16]))
}

/// What a name of elsewhere is called here: itself if it is a GlobalObjectId, or one with the name within.
pub(super) fn native_uid(uid: &str) -> String {
    if uid.len() > 80 && uid.starts_with(GLOBAL_CLASS) {
        return uid.to_owned();
    }
    let within = [FOREIGN, uid.as_bytes(), &[0]].concat();
    let size = u32::try_from(within.len()).unwrap_or(u32::MAX).to_le_bytes();
    format!("{GLOBAL_CLASS}{}{}{}", "0".repeat(40), hex(&size), hex(&within))
}

/// The name of elsewhere within a GlobalObjectId.
pub(super) fn foreign_uid(uid: &str) -> Option<String> {
    let inner = uid.get(80..)?.strip_prefix(hex(FOREIGN).as_str())?;
    let bytes: Option<Vec<u8>> =
        (0..inner.len() / 2).map(|at| u8::from_str_radix(inner.get(2 * at..2 * at + 2)?, 16).ok()).collect();
    String::from_utf8(bytes?).ok().map(|text| text.trim_end_matches('\0').to_owned())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

/// Wraps a text as it is kept.
pub(super) fn as_html(text: &str) -> String {
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    format!("<div>{}</div>", escaped.replace('\n', "<br>\r\n"))
}

/// A whole page, as bodies are always told.
fn html(inner: &str) -> String {
    if inner.trim_start().starts_with("<html") {
        return inner.to_owned();
    }
    let head = "<head>\r\n<meta http-equiv=\"Content-Type\" content=\"text/html; charset=utf-8\">\r\n</head>";
    format!("<html>\r\n{head}\r\n<body>\r\n{inner}\r\n</body>\r\n</html>\r\n")
}

pub(super) fn plain(inner: &str) -> String {
    let mut out = String::new();
    let mut in_tag = false;
    for letter in inner.replace("<br>", "").chars() {
        match letter {
            '<' => in_tag = true,
            '>' => in_tag = false,
            letter if !in_tag => out.push(letter),
            _ => {}
        }
    }
    out.replace("&lt;", "<").replace("&gt;", ">").replace("&nbsp;", " ").replace("&amp;", "&").trim().to_owned()
}

fn preview(inner: &str) -> String {
    plain(inner).chars().take(PREVIEW_MAX).collect()
}
