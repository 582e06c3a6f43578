//! From the CRM to the calendar: which meetings become events, and which changes make a meeting another one.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::calendar::canon::CanonFields;

/// What is known of a meeting that is in the CRM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CrmMeeting {
    pub created: Option<Timestamp>,
    pub start: Option<Timestamp>,
    /// Somebody asked for the invitation.
    pub invite: bool,
    /// It came from a calendar, ours or the CRM's own, or has an event already.
    pub has_event: bool,
}

/// Why a meeting of the CRM becomes no event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotInvited {
    HasEvent,
    NotAsked,
    BeforeConnection,
    NoStart,
    Over,
}

impl NotInvited {
    /// The reason as a sentence.
    pub fn sentence(self) -> &'static str {
        match self {
            NotInvited::HasEvent => "The meeting is in the calendar already.",
            NotInvited::NotAsked => "Nobody asked for an invitation.",
            NotInvited::BeforeConnection => "The meeting was there before the calendar was connected.",
            NotInvited::NoStart => "The meeting has no start.",
            NotInvited::Over => "The meeting has begun.",
        }
    }
}

/// Whether a meeting of the CRM becomes an event.
///
/// # Errors
/// Why it does not.
pub fn may_create(meeting: CrmMeeting, connected: Timestamp, now: Timestamp) -> Result<(), NotInvited> {
    match meeting {
        CrmMeeting { has_event: true, .. } => Err(NotInvited::HasEvent),
        CrmMeeting { invite: false, .. } => Err(NotInvited::NotAsked),
        // Of unknown age, it may be one of thousands that were there: nobody is invited by mistake.
        CrmMeeting { created: None, .. } => Err(NotInvited::BeforeConnection),
        // CRMs tell whole seconds.
        CrmMeeting { created: Some(created), .. } if created.as_second() < connected.as_second() => {
            Err(NotInvited::BeforeConnection)
        }
        CrmMeeting { start: None, .. } => Err(NotInvited::NoStart),
        CrmMeeting { start: Some(start), .. } if start <= now => Err(NotInvited::Over),
        CrmMeeting { .. } => Ok(()),
    }
}

/// The fields whose change makes a meeting another one for those who are invited: they answer anew (RFC 5546, 2.1.4).
const SIGNIFICANT: [&str; 5] = ["start", "end", "recurrence", "zone", "cancelled"];

/// Whether a change counts the invitation's sequence up.
pub fn is_significant(before: &CanonFields, after: &CanonFields) -> bool {
    SIGNIFICANT.iter().any(|field| before.get(field) != after.get(field))
}
