//! Whether a guest's copy is to be believed that says "called off" where the organiser's own calendar has not been heard
//! yet. Some calendars say the same of a meeting that only the guest took off.
//!
//! What says so is not decided here ([`crate::calendar::meeting::United::hearsay`]), nor is any calendar read.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::Calendar;

/// For how long the organiser's calendar is waited for. Whose approval ended on a Friday has time to give it again on a
/// Monday; after that the guest's copy is all that there is, as where the organiser's calendar is not connected.
pub const DOUBT_MAX: SignedDuration = SignedDuration::from_hours(72);

/// So many readings of the organiser's calendar have to end: the first may have begun before the doubt did.
const READINGS: i64 = 2;

/// It is looked at again after as long as it has been doubted, but not sooner and not later than that.
const PAUSE_MIN: SignedDuration = SignedDuration::from_mins(1);
const PAUSE_MAX: SignedDuration = SignedDuration::from_hours(1);

/// A cancellation that only a guest's copy tells of, while the organiser's calendar is one that is read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doubt {
    pub since: Timestamp,
    /// How often each calendar of the organiser had been read to its end by then. Readings are counted because clocks of
    /// several processes differ.
    pub readings: BTreeMap<String, i64>,
}

impl Doubt {
    /// The doubt, which begins now unless it is known. `None`: the organiser's calendar is none of ours.
    pub(super) fn of(organizer: &str, calendars: &[Calendar], known: Option<&Self>, now: Timestamp) -> Option<Self> {
        let count = |calendar: &Calendar| {
            let before = known.and_then(|known| known.readings.get(&calendar.name).copied());
            (calendar.name.clone(), before.unwrap_or(calendar.readings))
        };
        let readings: BTreeMap<String, i64> =
            calendars.iter().filter(|calendar| calendar.owner == organizer).map(count).collect();
        let since = known.map_or(now, |known| known.since);
        (!readings.is_empty()).then_some(Self { since, readings })
    }

    /// Whether nothing may be decided yet.
    pub(super) fn holds(&self, calendars: &[Calendar], now: Timestamp) -> bool {
        let is_unheard = |calendar: &Calendar| {
            self.readings.get(&calendar.name).is_some_and(|then| calendar.readings < then.saturating_add(READINGS))
        };
        now.duration_since(self.since) < DOUBT_MAX && calendars.iter().any(is_unheard)
    }

    /// When to look again, where nothing tells of news before.
    pub(super) fn look_again(&self, now: Timestamp) -> Timestamp {
        let pause = now.duration_since(self.since).clamp(PAUSE_MIN, PAUSE_MAX);
        now.saturating_add(pause).unwrap_or(Timestamp::MAX)
    }
}
