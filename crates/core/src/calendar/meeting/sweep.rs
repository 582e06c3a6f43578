//! What a complete reading of a calendar did not show, and the brakes that hold what follows from it.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::calendar::{event::EventId, recur::Window};

/// Whether a calendar that had events has none at all: nothing is done then before a person was asked.
pub fn is_emptied(known: usize, seen: usize) -> bool {
    known > 0 && seen == 0
}

/// So many may vanish at once without a question.
const VANISHING_MAX: usize = 10;

/// Or one in so many.
const VANISHING_SHARE: usize = 5;

/// Whether so many at once are more than people delete one by one: a person is asked first.
pub fn is_many(gone: usize, known: usize) -> bool {
    gone > VANISHING_MAX.max(known / VANISHING_SHARE)
}

/// What a complete reading says of what it did not show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sweep {
    /// Nothing is missing, or nothing can be said.
    Nothing,
    /// Each of these is to be asked for by its name; only "gone" is gone.
    Confirm(Vec<EventId>),
    /// Too many are missing: a person is to look at the list.
    Ask(Vec<EventId>),
}

/// Looks for what a reading did not show. `read` is the window that was read completely and with authority, and `None`
/// where it was not; `known` are the events that were there before, with their starts.
pub fn sweep(known: &[(EventId, Timestamp)], seen: &BTreeSet<EventId>, read: Option<Window>) -> Sweep {
    let Some(window) = read else { return Sweep::Nothing };
    let within: Vec<&(EventId, Timestamp)> = known.iter().filter(|(_, start)| window.has(*start)).collect();
    let mut missing: Vec<EventId> =
        within.iter().filter(|(id, _)| !seen.contains(id)).map(|(id, _)| id.clone()).collect();
    missing.sort();
    match missing.len() {
        0 => Sweep::Nothing,
        count if is_many(count, within.len()) || is_emptied(within.len(), seen.len()) => Sweep::Ask(missing),
        _ => Sweep::Confirm(missing),
    }
}
