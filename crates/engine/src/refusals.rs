//! What the CRM would not take of a booking: remembered for a while, so that the rest of it is written.

use std::{collections::HashMap, sync::Mutex};

use jiff::{SignedDuration, Timestamp};
use syncline_core::{
    booking::project::Refused,
    ids::{ChainId, WorkspaceId},
};

/// How long a refusal is believed: after that the CRM is asked again, at the booking's next news or replay.
const BELIEVED: SignedDuration = SignedDuration::from_mins(1);

/// How many bookings are remembered; at the limit all are forgotten, which costs a refusal each.
const MAX_BOOKINGS: usize = 10_000;

/// Remembered refusals of all bookings.
#[derive(Default)]
pub(crate) struct Refusals(Mutex<HashMap<(WorkspaceId, ChainId), (Refused, Timestamp)>>);

impl Refusals {
    /// What was refused of a booking.
    pub(crate) fn of(&self, workspace: &WorkspaceId, chain: &ChainId, now: Timestamp) -> Refused {
        let bookings = self.0.lock().expect("no code panics while it holds this lock");
        if bookings.is_empty() {
            return Refused::default();
        }
        let known = bookings.get(&(workspace.clone(), chain.clone()));
        let known = known.filter(|(_, learned)| now.duration_since(*learned).abs() < BELIEVED);
        known.map(|(refused, _)| refused.clone()).unwrap_or_default()
    }

    /// Remembers what was refused besides.
    pub(crate) fn learn(&self, workspace: &WorkspaceId, chain: &ChainId, refused: Refused, now: Timestamp) {
        let mut bookings = self.0.lock().expect("no code panics while it holds this lock");
        if bookings.len() >= MAX_BOOKINGS {
            bookings.clear();
        }
        let (known, learned) = bookings.entry((workspace.clone(), chain.clone())).or_default();
        known.extend(refused);
        *learned = now;
    }
}
