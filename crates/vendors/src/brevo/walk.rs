//! The way through a list that is read by offset while others change it. Pure.
//!
//! Contacts come in the order of their making. Where one before the offset is deleted, all behind it move forward, and
//! the next page would begin behind some that nobody has read. So every page begins with the last contact of the page
//! before: where it begins with a later one, some were passed over, and the walk steps back. Contacts that come in
//! before the offset, because they change now, only show some a second time; they themselves belong to the next run.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Where a contact stands: contacts made at the same moment stand by their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place(pub Option<Timestamp>, pub u64);

/// How far the walk has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Walk {
    pub offset: u64,
    /// The last contact that was read.
    last: Option<Place>,
}

/// What a page means for the walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The rows from this one on are new, and there are more.
    On { fresh: usize },
    /// The rows from this one on are new, and the last ones.
    End { fresh: usize },
    /// Some were passed over: nothing of this page counts.
    Back,
}

impl Walk {
    /// Takes a page of at most `size` contacts, read at [`Walk::offset`], of a list that holds `count`.
    pub fn take(&mut self, rows: &[Place], count: u64, size: u64) -> Step {
        let is_joined = match (self.last, rows.first()) {
            (None, _) => true,
            _ if self.offset == 0 => true,
            (Some(last), Some(first)) => *first <= last,
            (Some(_), None) => false,
        };
        if !is_joined {
            self.offset = self.offset.saturating_sub(size.saturating_sub(1).max(1));
            return Step::Back;
        }
        let fresh = self.last.map_or(0, |last| rows.iter().take_while(|row| **row <= last).count());
        let read = u64::try_from(rows.len()).unwrap_or(u64::MAX);
        let is_end = read < size || self.offset.saturating_add(read) >= count;
        self.last = rows.last().copied().max(self.last);
        self.offset = self.offset.saturating_add(read.saturating_sub(1).max(1));
        if is_end { Step::End { fresh } } else { Step::On { fresh } }
    }
}
