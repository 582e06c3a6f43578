//! Salesforce's ways of writing times, and reading what clients send. Whole seconds, UTC.

use jiff::{Timestamp, civil::Date, tz::TimeZone};

/// Years that a date field can hold ("Date Formats and Date Literals", read 2026-11-21).
const FIRST_YEAR: i16 = 1700;
const LAST_YEAR: i16 = 4000;

/// `2026-05-06T11:56:44.000+0000`
pub fn stamp(seconds: i64) -> String {
    civil(seconds).strftime("%Y-%m-%dT%H:%M:%S.000+0000").to_string()
}

/// `Wed, 06 May 2026 11:56:44 GMT`
pub fn http_date(seconds: i64) -> String {
    civil(seconds).strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// The UTC day and time of a second; out-of-range seconds are held at the ends of the calendar.
pub fn civil(seconds: i64) -> jiff::civil::DateTime {
    let at = Timestamp::from_second(seconds).unwrap_or(if seconds < 0 { Timestamp::MIN } else { Timestamp::MAX });
    TimeZone::UTC.to_datetime(at)
}

pub fn day_start(day: Date) -> i64 {
    let beyond = if day.year() < FIRST_YEAR { i64::MIN } else { i64::MAX };
    TimeZone::UTC.to_timestamp(day.at(0, 0, 0, 0)).map_or(beyond, |at| at.as_second())
}

pub fn day_of(seconds: i64) -> Date {
    civil(seconds).date()
}

/// Reads `2026-05-06T11:56:44Z`, with any fraction and any offset (`+0000`, `+00:00`, `Z`, none means UTC).
pub fn parse_stamp(text: &str) -> Option<i64> {
    let (day, clock) = text.split_once(['T', ' '])?;
    let day: Date = parse_day(day)?;
    let split = clock.find(['Z', 'z', '+', '-']).unwrap_or(clock.len());
    let (clock, zone) = clock.split_at(split);
    let clock = clock.split_once('.').map_or(clock, |(whole, _)| whole);
    let mut parts = clock.split(':').map(|part| part.parse::<i64>().ok().filter(|_| part.len() == 2));
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next().unwrap_or(Some(0))?);
    if parts.next().is_some() || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    Some(day_start(day) + hour * 3600 + minute * 60 + second - offset(zone)?)
}

fn offset(zone: &str) -> Option<i64> {
    if zone.is_empty() || zone.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let sign = if zone.starts_with('-') { -1 } else { 1 };
    let digits: String = zone[1..].chars().filter(|c| *c != ':').collect();
    if digits.len() != 4 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let (hours, minutes): (i64, i64) = (digits[..2].parse().ok()?, digits[2..].parse().ok()?);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

/// Reads `2026-05-06`.
pub fn parse_day(text: &str) -> Option<Date> {
    let mut parts = text.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || year.len() != 4 || month.len() != 2 || day.len() != 2 {
        return None;
    }
    let year: i16 = year.parse().ok()?;
    let day = Date::new(year, month.parse().ok()?, day.parse().ok()?).ok()?;
    (FIRST_YEAR..=LAST_YEAR).contains(&year).then_some(day)
}

/// Reads an HTTP date such as `Tue, 05 May 2026 10:00:00 GMT`.
pub fn parse_http_date(text: &str) -> Option<i64> {
    let rest = text.split_once(", ").map_or(text, |(_, rest)| rest).trim_end_matches("GMT").trim();
    let mut words = rest.split(' ').filter(|word| !word.is_empty());
    let day: i8 = words.next()?.parse().ok()?;
    let name = words.next()?;
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = MONTHS.iter().position(|m| m.eq_ignore_ascii_case(name))? + 1;
    let year: i16 = words.next()?.parse().ok()?;
    let date = Date::new(year, i8::try_from(month).ok()?, day).ok()?;
    parse_stamp(&format!("{date}T{}Z", words.next()?))
}
