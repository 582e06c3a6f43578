//! Where a round of reading stopped, as a text to be kept. Pure.

use std::fmt::{self, Display, Formatter};

use jiff::Timestamp;
use syncline_core::ids::RecordId;

use crate::salesforce::id;

/// How far a reading of one kind has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cursor {
    /// Every record there is, in the order of ids: how far, and when that began. What changes meanwhile is read after.
    All { began: Timestamp, after: RecordId },
    /// What changed before a moment, in the order of change: how far.
    Round { until: Timestamp, stamp: Timestamp, after: RecordId },
    /// All that changed before a moment was read.
    Since(Timestamp),
}

impl Cursor {
    /// Reads what [`Display`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let mut word = || words.next();
        let cursor = match word()? {
            "all" => Self::All { began: word()?.parse().ok()?, after: id::canonical(word()?)? },
            "round" => Self::Round {
                until: word()?.parse().ok()?,
                stamp: word()?.parse().ok()?,
                after: id::canonical(word()?)?,
            },
            "since" => Self::Since(word()?.parse().ok()?),
            _ => return None,
        };
        word().is_none().then_some(cursor)
    }
}

impl Display for Cursor {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::All { began, after } => write!(f, "all {began} {after}"),
            Self::Round { until, stamp, after } => write!(f, "round {until} {stamp} {after}"),
            Self::Since(since) => write!(f, "since {since}"),
        }
    }
}
