//! Where a round of reading stopped, as a text to be kept. Pure.

use std::fmt::{self, Display, Formatter};

use jiff::Timestamp;

use crate::hubspot::convert::is_id;

/// How far a reading of one kind has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cursor {
    /// Every record there is, page by page: HubSpot's own word for the next one, and when the first was read.
    All { began: Timestamp, after: String },
    /// What changed until a moment, in the order of change: from this moment on, itself included.
    Round { until: Timestamp, from: Timestamp },
    /// More records changed at one moment than a page holds: those by id, from behind this one on.
    Tie { until: Timestamp, at: Timestamp, after: String },
    /// All that changed before a moment was read.
    Since(Timestamp),
}

/// Longest word for a next page that is kept.
const AFTER_CHARS_MAX: usize = 200;

impl Cursor {
    /// Reads what [`Display`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let mut word = || words.next();
        let cursor = match word()? {
            "all" => Self::All { began: word()?.parse().ok()?, after: after(word()?)? },
            "round" => Self::Round { until: word()?.parse().ok()?, from: word()?.parse().ok()? },
            "tie" => Self::Tie {
                until: word()?.parse().ok()?,
                at: word()?.parse().ok()?,
                after: word().filter(|id| is_id(id))?.to_owned(),
            },
            "since" => Self::Since(word()?.parse().ok()?),
            _ => return None,
        };
        word().is_none().then_some(cursor)
    }
}

/// HubSpot's word for a next page, where it can be kept: without blanks, and not too long.
pub fn after(word: &str) -> Option<String> {
    let sound = (1..=AFTER_CHARS_MAX).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_graphic());
    sound.then(|| word.to_owned())
}

impl Display for Cursor {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::All { began, after } => write!(f, "all {began} {after}"),
            Self::Round { until, from } => write!(f, "round {until} {from}"),
            Self::Tie { until, at, after } => write!(f, "tie {until} {at} {after}"),
            Self::Since(since) => write!(f, "since {since}"),
        }
    }
}
