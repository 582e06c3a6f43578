//! Two stores of the same things, and what was the same in both the last time: the table by which one follows the other,
//! and the brakes that hold it.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::calendar::{event::EventId, recur::Window};

/// One of the two stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    A,
    B,
}

/// How a thing is found in a store, against the last time. What is new is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    Unchanged,
    Changed,
    Absent,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Nothing,
    /// Both are the same: that is to be remembered.
    Agree,
    /// Both changed: they are to be merged.
    Resolve,
    WriteTo(Side),
    DeleteFrom(Side),
    /// Neither has it any more.
    Forget,
}

/// What is to be done about one thing. `same`: what both have now is the same. An edit beats a deletion.
pub fn compare(a: Seen, b: Seen, same: bool) -> Action {
    use Seen::{Absent, Changed, Unchanged};
    match (a, b) {
        (Unchanged, Unchanged) => Action::Nothing,
        (Changed, Changed) if same => Action::Agree,
        (Changed, Changed) => Action::Resolve,
        (Changed, Unchanged | Absent) => Action::WriteTo(Side::B),
        (Unchanged | Absent, Changed) => Action::WriteTo(Side::A),
        (Unchanged, Absent) => Action::DeleteFrom(Side::A),
        (Absent, Unchanged) => Action::DeleteFrom(Side::B),
        (Absent, Absent) => Action::Forget,
    }
}

/// What is done where a store that may only be read would have to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standoff {
    Error,
    Ignore,
    /// The other store is brought back to it.
    Revert,
}

impl Standoff {
    /// The action in the place of one that is not possible; `None`: it is an error.
    pub fn instead(self, action: Action, read_only: Side) -> Option<Action> {
        let other = if read_only == Side::A { Side::B } else { Side::A };
        match action {
            Action::WriteTo(side) | Action::DeleteFrom(side) if side == read_only => match self {
                Standoff::Error => None,
                Standoff::Ignore => Some(Action::Nothing),
                // What the store lacks goes from the other, too; what it has is written there again.
                Standoff::Revert => Some(match action {
                    Action::DeleteFrom(_) => Action::WriteTo(other),
                    _ => Action::DeleteFrom(other),
                }),
            },
            Action::Resolve => match self {
                Standoff::Error => None,
                Standoff::Ignore => Some(Action::Nothing),
                Standoff::Revert => Some(Action::WriteTo(other)),
            },
            possible => Some(possible),
        }
    }
}

/// Whether a store that had things has none at all: nothing is done then before a person was asked.
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
