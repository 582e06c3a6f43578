//! Date literals: which there are, and the span of time that each means on a given day.
//!
//! The org's time zone is UTC, its fiscal year the calendar year, its week starts on Sunday (en_US).

use jiff::civil::Date;
use jiff::{Span, ToSpan};

use crate::salesforce::time;

const PLAIN: [&str; 26] = [
    "YESTERDAY",
    "TODAY",
    "TOMORROW",
    "LAST_WEEK",
    "THIS_WEEK",
    "NEXT_WEEK",
    "LAST_MONTH",
    "THIS_MONTH",
    "NEXT_MONTH",
    "LAST_90_DAYS",
    "NEXT_90_DAYS",
    "THIS_QUARTER",
    "LAST_QUARTER",
    "NEXT_QUARTER",
    "THIS_YEAR",
    "LAST_YEAR",
    "NEXT_YEAR",
    "THIS_FISCAL_QUARTER",
    "LAST_FISCAL_QUARTER",
    "NEXT_FISCAL_QUARTER",
    "THIS_FISCAL_YEAR",
    "LAST_FISCAL_YEAR",
    "NEXT_FISCAL_YEAR",
    "LAST_N_DAYS",
    "NEXT_N_DAYS",
    "N_DAYS_AGO",
];
const COUNTED: [&str; 18] = [
    "NEXT_N_WEEKS",
    "LAST_N_WEEKS",
    "N_WEEKS_AGO",
    "NEXT_N_MONTHS",
    "LAST_N_MONTHS",
    "N_MONTHS_AGO",
    "NEXT_N_QUARTERS",
    "LAST_N_QUARTERS",
    "N_QUARTERS_AGO",
    "NEXT_N_YEARS",
    "LAST_N_YEARS",
    "N_YEARS_AGO",
    "NEXT_N_FISCAL_QUARTERS",
    "LAST_N_FISCAL_QUARTERS",
    "N_FISCAL_QUARTERS_AGO",
    "NEXT_N_FISCAL_YEARS",
    "LAST_N_FISCAL_YEARS",
    "N_FISCAL_YEARS_AGO",
];

/// The calendar has fewer months than this; a literal beyond it means its end.
const MAX_MONTHS: i64 = 200_000;

/// The literal of this name, however it is written.
pub fn known(word: &str) -> Option<&'static str> {
    PLAIN.iter().chain(&COUNTED).find(|name| name.eq_ignore_ascii_case(word)).copied()
}

/// Whether the literal carries a number, as in `LAST_N_DAYS:30`.
pub fn counted(name: &str) -> bool {
    COUNTED.contains(&name) || matches!(name, "LAST_N_DAYS" | "NEXT_N_DAYS" | "N_DAYS_AGO")
}

/// The days from the first to the one after the last.
pub fn range(name: &str, count: i64, now: i64) -> (Date, Date) {
    let today = time::day_of(now);
    let days = |from: i64, until: i64| (plus(today, from.days()), plus(today, until.days()));
    match name {
        "YESTERDAY" => days(-1, 0),
        "TODAY" => days(0, 1),
        "TOMORROW" => days(1, 2),
        // The last 90 days end today; the next 90 start tomorrow.
        "LAST_90_DAYS" => days(-89, 1),
        "NEXT_90_DAYS" => days(1, 91),
        "LAST_N_DAYS" => days(-count, 1),
        "NEXT_N_DAYS" => days(1, count + 1),
        "N_DAYS_AGO" => days(-count, -count + 1),
        _ => periods(name, count, today),
    }
}

/// Weeks, months, quarters and years: so many whole periods before or after the present one.
fn periods(name: &str, count: i64, today: Date) -> (Date, Date) {
    let unit = if name.contains("WEEK") {
        Unit::Week
    } else if name.contains("MONTH") {
        Unit::Months(1)
    } else if name.contains("QUARTER") {
        Unit::Months(3)
    } else {
        Unit::Months(12)
    };
    let start = unit.start(today);
    let shift = |n: i64| unit.shift(start, n);
    if name.ends_with("_AGO") {
        return (shift(-count), shift(1 - count));
    }
    match (name.split('_').next(), counted(name)) {
        (Some("THIS"), _) => (start, shift(1)),
        (Some("LAST"), false) => (shift(-1), start),
        (Some("NEXT"), false) => (shift(1), shift(2)),
        (Some("LAST"), true) => (shift(-count), start),
        _ => (shift(1), shift(count + 1)),
    }
}

#[derive(Clone, Copy)]
enum Unit {
    Week,
    Months(i64),
}

impl Unit {
    fn start(self, day: Date) -> Date {
        match self {
            Self::Week => plus(day, -i64::from(day.weekday().to_sunday_zero_offset()).days()),
            Self::Months(size) => {
                let month = i64::from(day.month() - 1) / size * size + 1;
                Date::new(day.year(), month as i8, 1).unwrap_or(day)
            }
        }
    }

    fn shift(self, start: Date, n: i64) -> Date {
        match self {
            Self::Week => plus(start, (n * 7).days()),
            Self::Months(size) => plus(start, (n * size).clamp(-MAX_MONTHS, MAX_MONTHS).months()),
        }
    }
}

fn plus(day: Date, span: Span) -> Date {
    day.checked_add(span).unwrap_or(if span.is_negative() { Date::MIN } else { Date::MAX })
}
