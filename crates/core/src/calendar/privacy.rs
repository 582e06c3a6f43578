//! What becomes of a meeting whose owner makes it private, or no longer does. A table: every state with every sight of
//! the event, without a hole.
//!
//! It holds of each occurrence as of a series as a whole.

use serde::{Deserialize, Serialize};

/// How far the CRM may know of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Privacy {
    /// Never seen before.
    Unknown,
    /// Private, and never logged: nothing is kept of it but its identity.
    Ignored,
    /// Open, and not logged yet.
    Eligible,
    /// Logged, and kept in step.
    Synced,
    /// Logged, and made private since: the record stays as it was.
    Frozen,
}

impl Privacy {
    /// Every state.
    pub const ALL: [Privacy; 5] =
        [Privacy::Unknown, Privacy::Ignored, Privacy::Eligible, Privacy::Synced, Privacy::Frozen];

    /// Whether texts of the event may be kept by us.
    pub fn may_keep_text(self) -> bool {
        matches!(self, Privacy::Eligible | Privacy::Synced)
    }

    /// Whether the CRM's record may be written.
    pub fn may_write(self) -> bool {
        matches!(self, Privacy::Eligible | Privacy::Synced)
    }
}

/// How the event was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sight {
    Private,
    /// Open. `since_connection`: it was made after the calendar was connected, or a back-fill covers it.
    Open {
        since_connection: bool,
    },
    /// It was written to the CRM.
    Logged,
    Deleted,
}

/// What an admin chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "snake_case")]
pub struct PrivacyOptions {
    /// What becomes of the record of a meeting that is made private.
    pub on_private: OnPrivate,
    /// Whether a record is brought up to date when its meeting is open again.
    pub thaw: bool,
    /// Whether the record of a private meeting says that the meeting was called off, without a word more.
    pub tell_cancelled: bool,
}

impl Default for PrivacyOptions {
    fn default() -> Self {
        Self { on_private: OnPrivate::Keep, thaw: true, tell_cancelled: false }
    }
}

/// What becomes of the record of a meeting that is made private.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnPrivate {
    Keep,
    /// Subject, description and place are emptied.
    Redact,
    Delete,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    Nothing,
    /// What is kept of its texts is to be forgotten.
    Forget,
    /// The gate decides whether it is logged.
    Judge,
    /// It is left out because it was there before the connection.
    LeaveOut,
    /// The record is written as the meeting is now.
    Write,
    /// The record is emptied of texts, once.
    Redact,
    /// The record is deleted.
    Delete,
    /// The record says that the meeting was called off, and nothing else.
    TellCancelled,
    /// The deletion is told by the table of deletions.
    Remove,
}

/// The next state, and what is to be done.
pub fn step(state: Privacy, sight: Sight, options: PrivacyOptions) -> (Privacy, Effect) {
    use Privacy::{Eligible, Frozen, Ignored, Synced, Unknown};
    let on_private = match options.on_private {
        OnPrivate::Keep => Effect::Forget,
        OnPrivate::Redact => Effect::Redact,
        OnPrivate::Delete => Effect::Delete,
    };
    match (state, sight) {
        (Unknown | Ignored | Eligible, Sight::Private) => (Ignored, Effect::Forget),
        (Synced, Sight::Private) => (Frozen, on_private),
        (Frozen, Sight::Private) => (Frozen, Effect::Nothing),
        (Unknown | Eligible, Sight::Open { .. }) => (Eligible, Effect::Judge),
        (Ignored, Sight::Open { since_connection: true }) => (Eligible, Effect::Judge),
        (Ignored, Sight::Open { since_connection: false }) => (Ignored, Effect::LeaveOut),
        (Synced, Sight::Open { .. }) => (Synced, Effect::Write),
        (Frozen, Sight::Open { .. }) if options.thaw => (Synced, Effect::Write),
        (Frozen, Sight::Open { .. }) => (Frozen, Effect::Nothing),
        (Unknown | Eligible | Synced, Sight::Logged) => (Synced, Effect::Nothing),
        // It became private while the write was on its way.
        (Ignored, Sight::Logged) => (Frozen, on_private),
        (Frozen, Sight::Logged) => (Frozen, Effect::Nothing),
        (Unknown | Ignored | Eligible, Sight::Deleted) => (Ignored, Effect::Forget),
        (Synced, Sight::Deleted) => (Synced, Effect::Remove),
        (Frozen, Sight::Deleted) if options.tell_cancelled => (Frozen, Effect::TellCancelled),
        (Frozen, Sight::Deleted) => (Frozen, Effect::Nothing),
    }
}
