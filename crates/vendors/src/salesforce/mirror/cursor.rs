//! Where a round of reading stopped, as a text to be kept. Pure.

use std::fmt::{self, Display, Formatter};

use jiff::Timestamp;
use syncline_core::ids::RecordId;

use crate::salesforce::id;

/// How far a reading of one kind has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cursor {
    /// Every record there is, in the order of ids: how far, and when that began. What changes meanwhile is read after.
    /// `read` counts the rows so far; nothing, where a job is out of the question.
    All { began: Timestamp, after: RecordId, read: Option<u64> },
    /// The rest of every record there is, behind `after`, by a job; `locator` is where its results go on.
    Job { began: Timestamp, after: RecordId, id: String, locator: Option<String> },
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
            "all" => Self::All {
                began: word()?.parse().ok()?,
                after: id::canonical(word()?)?,
                read: word().map(str::parse).transpose().ok()?,
            },
            "job" => Self::Job {
                began: word()?.parse().ok()?,
                after: id::canonical(word()?)?,
                id: id::canonical(word()?)?.as_str().to_owned(),
                locator: word().map(str::to_owned),
            },
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
            Self::All { began, after, read: None } => write!(f, "all {began} {after}"),
            Self::All { began, after, read: Some(read) } => write!(f, "all {began} {after} {read}"),
            Self::Job { began, after, id, locator: None } => write!(f, "job {began} {after} {id}"),
            Self::Job { began, after, id, locator: Some(locator) } => write!(f, "job {began} {after} {id} {locator}"),
            Self::Round { until, stamp, after } => write!(f, "round {until} {stamp} {after}"),
            Self::Since(since) => write!(f, "since {since}"),
        }
    }
}
