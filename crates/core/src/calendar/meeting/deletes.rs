//! What happens to the one when the other is deleted.

use serde::{Deserialize, Serialize};

use super::several::Standing;
use crate::calendar::privacy::Privacy;

/// What an admin chose about deletions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "snake_case")]
pub struct DeleteSettings {
    /// Whether the record of a cancelled meeting is deleted and not marked.
    pub delete_record: bool,
    pub on_record_deleted: OnRecordDeleted,
}

/// What becomes of the event when the CRM's record is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnRecordDeleted {
    /// It stays: a timeline is tidied up, the meeting takes place.
    #[default]
    Nothing,
    DeleteQuietly,
    DeleteAndTell,
}

/// What becomes of the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CalendarDelete {
    Nothing,
    /// The calendar is to be asked for the event itself first.
    Confirm,
    /// One rep's copy is gone; the meeting stands.
    DropRep,
    MarkCancelled,
    DeleteRecord,
}

/// An event that is not there any more. `confirmed`: the calendar was asked for it by its name and said that it is gone;
/// `standing`: the meeting by all its copies.
pub fn on_calendar_delete(
    confirmed: bool,
    standing: Standing,
    privacy: Privacy,
    settings: DeleteSettings,
) -> CalendarDelete {
    match (privacy, standing) {
        // Of what is private the table of privacy decides, and what was never logged has no record.
        (Privacy::Unknown | Privacy::Ignored | Privacy::Eligible | Privacy::Frozen, _) => CalendarDelete::Nothing,
        (Privacy::Synced, _) if !confirmed => CalendarDelete::Confirm,
        (Privacy::Synced, Standing::On) => CalendarDelete::DropRep,
        (Privacy::Synced, Standing::Cancelled) if settings.delete_record => CalendarDelete::DeleteRecord,
        (Privacy::Synced, Standing::Cancelled) => CalendarDelete::MarkCancelled,
        // All guests threw their copies away, which the organiser's meeting survives.
        (Privacy::Synced, Standing::Unseen) => CalendarDelete::Nothing,
    }
}

/// What becomes of the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrmDelete {
    Nothing,
    /// For all, with or without a mail to them.
    DeleteForAll {
        tell: bool,
    },
    /// The rep is a guest: for this rep only.
    Decline,
}

/// The CRM's record was deleted. `organizes`: this is the organiser's copy.
pub fn on_crm_delete(organizes: bool, is_over: bool, settings: DeleteSettings) -> CrmDelete {
    match settings.on_record_deleted {
        OnRecordDeleted::Nothing => CrmDelete::Nothing,
        // What took place cannot be called off.
        OnRecordDeleted::DeleteQuietly | OnRecordDeleted::DeleteAndTell if is_over => CrmDelete::Nothing,
        OnRecordDeleted::DeleteQuietly | OnRecordDeleted::DeleteAndTell if !organizes => CrmDelete::Decline,
        OnRecordDeleted::DeleteQuietly => CrmDelete::DeleteForAll { tell: false },
        OnRecordDeleted::DeleteAndTell => CrmDelete::DeleteForAll { tell: true },
    }
}
