//! What is only our own write coming back.

use jiff::{Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};

use crate::calendar::{
    canon::{CanonHash, canon_hash},
    event::{Etag, Event},
};

/// What we last wrote to an event, as the calendar gave it back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// `None`: the calendar told none, so only the form counts.
    pub etag: Option<Etag>,
    pub hash: CanonHash,
}

impl Written {
    /// What is to be remembered of a write: the event as the calendar shows it afterwards, not as we sent it.
    pub fn of(echoed: &Event, home: &TimeZone) -> Self {
        Self { etag: echoed.etag.clone(), hash: canon_hash(echoed, home) }
    }
}

/// Whether the event is as we wrote it. A version of ours is enough, and so is a form of ours under another version; an
/// event that was changed and changed back says nothing new, either.
pub fn is_echo(event: &Event, written: &Written, home: &TimeZone) -> bool {
    let is_our_version = event.etag.is_some() && event.etag == written.etag;
    is_our_version || canon_hash(event, home) == written.hash
}

/// A change of a CRM's record, and our last write to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CrmChange<'a> {
    /// Whether the CRM says that our own user made the change.
    pub by_us: bool,
    /// When the record changed, and when it last did by us.
    pub at: Timestamp,
    pub ours_at: Timestamp,
    /// What the record says, and what we wrote.
    pub hash: &'a str,
    pub ours_hash: &'a str,
}

/// Whether a change in the CRM is our own write. All three have to speak for it: people work with our user's name, and
/// may write in the same second.
pub fn is_crm_echo(change: &CrmChange<'_>) -> bool {
    change.by_us && change.at <= change.ours_at && change.hash == change.ours_hash
}
