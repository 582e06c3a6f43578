//! Which meeting is it? The name that all copies of one meeting share, whoever keeps the copy and in whatever form.
//!
//! A meeting is told by its series (`uid`) **and** by which occurrence of it is meant (`rid`). One without the other
//! is no identity: some vendors give one name to all occurrences of a series, others another to each.

use std::fmt;

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::ids::{ConnectionId, ExternalKey, RecordId, SharedKey, WorkspaceId};

use super::event::{Event, Moment};

/// Which occurrence of a series: by the start that the rule gave it, which no move changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rid {
    /// A meeting that happens once, or a series as a whole.
    Single,
    At(Timestamp),
    /// Of a series of whole days.
    On(Date),
}

impl Rid {
    /// The occurrence that starts then by its rule. A start without a zone is read in the calendar's own.
    pub fn of(start: &Moment, home: &TimeZone) -> Self {
        match start {
            Moment::Day(day) => Rid::On(*day),
            Moment::At { .. } | Moment::Floating(_) => Rid::At(whole_second(start.instant(home))),
        }
    }

    /// The occurrence of this original start, where there is one.
    pub fn of_original(original: Option<&Moment>, home: &TimeZone) -> Self {
        original.map_or(Rid::Single, |start| Rid::of(start, home))
    }
}

impl fmt::Display for Rid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rid::Single => f.write_str("single"),
            Rid::At(at) => write!(f, "{}", at.strftime("%Y%m%dT%H%M%SZ")),
            Rid::On(day) => write!(f, "{}", day.strftime("%Y%m%d")),
        }
    }
}

impl std::str::FromStr for Rid {
    type Err = UnknownRid;

    fn from_str(text: &str) -> Result<Self, UnknownRid> {
        let at = |text: &str| Timestamp::strptime("%Y%m%dT%H%M%S%z", text.replace('Z', "+0000")).ok();
        match text {
            "single" => Ok(Rid::Single),
            _ if text.ends_with('Z') => at(text).map(Rid::At).ok_or(UnknownRid),
            _ => Date::strptime("%Y%m%d", text).map(Rid::On).map_err(|_| UnknownRid),
        }
    }
}

/// The text names no occurrence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no occurrence of a meeting is called so")]
pub struct UnknownRid;

/// The instant without its fraction: vendors keep different numbers of digits, and no meeting starts within a second.
pub(super) fn whole_second(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).expect("a part of a timestamp is one")
}

/// The name of a meeting or series, the same in every copy of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Uid(String);

/// Longest name that is kept as it is; a longer one is kept by its digest. A key of a database has an end.
pub const UID_CHARS_MAX: usize = 255;

/// What begins the keys under which bookings tell of their meetings.
const TOLD_AS: &str = "event:";

/// Bytes of a global object id before the date of its occurrence, and of that date (MS-OXOCAL, 2.2.1.27).
const GLOBAL_HEAD: &str = "040000008200E00074C5B7101A82E008";
const GLOBAL_DATE: std::ops::Range<usize> = 32..40;

/// What stands before a name that another program gave and a global object id carries, and where it stands.
const CARRIED_MARK: &[u8] = b"vCal-Uid";
const CARRIED_AT: usize = 40;

impl Uid {
    /// The name as every copy of the meeting has it, whatever form this copy gave it. `None`: the copy has no name.
    pub fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.is_empty() {
            return None;
        }
        let name = global_object(text).unwrap_or_else(|| text.to_owned());
        if name.chars().count() <= UID_CHARS_MAX {
            return Some(Self(name));
        }
        Some(Self(ExternalKey::derive(&["uid", &name]).as_str().to_owned()))
    }

    /// The text inside.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key under which bookings tell that a meeting of this name has a record.
    pub fn shared(&self) -> SharedKey {
        SharedKey::new(format!("{TOLD_AS}{self}"))
    }

    /// The keys under which bookings may have told of the meeting of this event: by the name that all its copies share, or
    /// by the calendar's own, which is all that some scheduling tools know.
    pub fn told_as(&self, event: &Event) -> impl Iterator<Item = SharedKey> {
        let own = event.series.as_ref().unwrap_or(&event.id);
        [Some(self.shared()), Uid::read(&own.0).map(|own| own.shared())].into_iter().flatten()
    }

    /// The name that a booking told, where the key is one of [`Uid::shared`].
    pub fn told_in(key: &SharedKey) -> Option<&str> {
        key.as_str().strip_prefix(TOLD_AS)
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A global object id as the whole series has it: without the date of the one occurrence; or the name that it carries,
/// which is that of an invitation from elsewhere.
fn global_object(text: &str) -> Option<String> {
    let is_hex = text.len() >= CARRIED_AT * 2 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_hex || !text.len().is_multiple_of(2) || !text[..GLOBAL_HEAD.len()].eq_ignore_ascii_case(GLOBAL_HEAD) {
        return None;
    }
    let bytes = hex::decode(text).ok()?;
    if let Some(rest) = bytes[CARRIED_AT..].strip_prefix(CARRIED_MARK) {
        // A number of four bytes, the name, and a zero.
        let name = rest.get(4..)?;
        let name = &name[..name.iter().position(|byte| *byte == 0).unwrap_or(name.len())];
        let name = std::str::from_utf8(name).ok()?.trim();
        if !name.is_empty() {
            return Some(name.to_owned());
        }
    }
    let mut whole = text.to_ascii_uppercase();
    whole.replace_range(GLOBAL_DATE, "00000000");
    Some(whole)
}

/// What one meeting is called in a workspace.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct MeetingKey {
    pub uid: Uid,
    pub rid: Rid,
}

impl MeetingKey {
    /// The meeting that an event of a calendar is a copy of. One whose calendar gives it no name is known by the
    /// calendar's own, and has no other copies.
    pub fn of(event: &Event, calendar: &str) -> Self {
        let own = event.series.as_ref().unwrap_or(&event.id);
        let derived = || Uid(ExternalKey::derive(&["uid_of", calendar, &own.0]).as_str().to_owned());
        Self { uid: event.uid.clone().unwrap_or_else(derived), rid: event.rid }
    }

    /// The key under which the CRM keeps the meeting's record: derived, so that making it twice makes one.
    pub fn external(&self, workspace: &WorkspaceId) -> ExternalKey {
        ExternalKey::derive(&["calendar", workspace.as_str(), self.uid.as_str(), &self.rid.to_string()])
    }
}

impl fmt::Display for MeetingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.rid {
            Rid::Single => write!(f, "{}", self.uid),
            rid => write!(f, "{} at {rid}", self.uid),
        }
    }
}

/// What an event is named after that is made for a CRM's record: the same however often it is tried, so that a calendar which
/// lets its callers choose a name has one event of it. Each vendor spells it in its own alphabet.
pub fn event_seed(workspace: &WorkspaceId, crm: &ConnectionId, record: &RecordId) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in ["event", workspace.as_str(), crm.as_str(), record.as_str()] {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.finalize().into()
}
