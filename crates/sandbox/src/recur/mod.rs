//! When a repeated event happens: rules by day, week, month and year, expanded in the local time of the event. What a
//! vendor calls a rule and how it is written stays with the vendor, but for the lines of iCalendar, which several speak.
//!
//! Built from RFC 5545 (3.3.10) alone and sharing nothing with any program under test, so that both can be wrong only
//! apart from each other.

mod line;
mod rule;
#[cfg(test)]
mod tests;

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};

pub(crate) use self::{
    line::Lines,
    rule::{End, Frequency, Rule},
};

/// Occurrences of one series that are ever looked at.
pub(crate) const MAX_OCCURRENCES: usize = 5_000;

/// The instant of a local time. One that a clock change skips is moved on by what was skipped; of two alike the first
/// is meant (RFC 5545, 3.3.5).
pub(crate) fn instant(local: DateTime, zone: &TimeZone) -> Timestamp {
    zone.to_ambiguous_timestamp(local).compatible().unwrap_or(Timestamp::MAX)
}
