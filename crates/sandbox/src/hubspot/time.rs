//! HubSpot's ways of writing and reading times: ISO without needless fractions, or milliseconds as text.

use jiff::{Timestamp, civil::Date, tz::TimeZone};

const SECOND: i64 = 1000;
const DAY: i64 = 24 * 60 * 60 * SECOND;

/// `2026-03-12T07:32:42.188Z`, or `2026-12-31T00:00:00Z` on the whole second.
pub(super) fn stamp(ms: i64) -> String {
    let at = Timestamp::from_millisecond(ms).unwrap_or(if ms < 0 { Timestamp::MIN } else { Timestamp::MAX });
    if ms.rem_euclid(SECOND) == 0 { format!("{at:.0}") } else { format!("{at:.3}") }
}

/// `2026-12-31`
pub(super) fn day(ms: i64) -> String {
    stamp(ms).chars().take(10).collect()
}

/// Milliseconds as digits, an ISO time with any offset, or a bare day.
pub(super) fn parse(text: &str) -> Option<i64> {
    if let Ok(ms) = text.parse::<i64>() {
        return Some(ms);
    }
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(at.as_millisecond());
    }
    let day: Date = text.parse().ok()?;
    TimeZone::UTC.to_timestamp(day.at(0, 0, 0, 0)).ok().map(|at| at.as_millisecond())
}

pub(super) fn is_midnight(ms: i64) -> bool {
    ms.rem_euclid(DAY) == 0
}

/// The first moment after `ms` at which a day begins in this zone.
pub(super) fn next_midnight(ms: i64, zone: &TimeZone) -> i64 {
    let fallback = ms - ms.rem_euclid(DAY) + DAY;
    let Ok(at) = Timestamp::from_millisecond(ms) else { return fallback };
    let tomorrow = zone.to_datetime(at).date().tomorrow().ok();
    tomorrow.and_then(|day| zone.to_timestamp(day.at(0, 0, 0, 0)).ok()).map_or(fallback, |at| at.as_millisecond())
}
