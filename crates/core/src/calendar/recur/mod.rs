//! Series: which occurrences a recurrence means, with daylight saving, exceptions and overrides.
//!
//! Rules are worked out on plain times of day and put into the zone afterwards, so that a meeting at nine stays at nine.
//! [`dates`] does the former and [`expand`] the latter. The work is bounded, whatever a stranger's invitation says.

mod dates;
mod expand;
mod lines;
mod rule;

pub use self::{
    dates::{Times, WORK_MAX},
    expand::{
        Cap, Expansion, OCCURRENCES_MAX, Occurrence, Override, Prepared, Source, Window, expand, named_by_series,
    },
    lines::{Added, DATES_MAX, LINE_BYTES_MAX, LINES_MAX, RULES_MAX, Recurrence},
    rule::{DayOf, Frequency, Rule, Until},
};

use serde::{Deserialize, Serialize};

use super::zone::UnknownZone;

/// How much of what could not be read is shown.
const SHOWN_CHARS_MAX: usize = 64;

/// Why a recurrence cannot be worked out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    #[error("its recurrence rule cannot be read at `{0}`")]
    Rule(String),
    #[error("a date of its recurrence cannot be read: `{0}`")]
    Date(String),
    #[error(transparent)]
    Zone(#[from] UnknownZone),
    #[error("its recurrence is longer than any calendar needs")]
    TooLong,
    #[error("it recurs many times a day, which is no series of meetings")]
    TooOften,
}

impl Fault {
    fn rule(part: &str) -> Self {
        Fault::Rule(shown(part))
    }

    fn date(text: &str) -> Self {
        Fault::Date(shown(text))
    }
}

fn shown(text: &str) -> String {
    crate::person::squeeze(text).chars().take(SHOWN_CHARS_MAX).collect()
}
