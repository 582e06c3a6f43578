//! Dates, times and durations as iCalendar writes them, before anybody knows a zone.

use jiff::{
    Span, Timestamp, ToSpan,
    civil::{Date, DateTime},
    tz::{Offset, TimeZone},
};
use syncline_core::calendar::event::Moment;

/// A point of time in the form in which it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    Day(Date),
    Local(DateTime),
    Utc(Timestamp),
}

/// Reads a date, or a date with a time. `is_day`: the property says that it is a date, and a time behind it is none.
pub fn told(text: &str, is_day: bool) -> Option<Told> {
    let text = text.trim();
    match text.split_once(['T', 't']) {
        None => day(text).map(Told::Day),
        Some((date, _)) if is_day => day(date).map(Told::Day),
        Some((date, time)) => match time.strip_suffix(['Z', 'z']) {
            Some(time) => TimeZone::UTC.to_timestamp(local(date, time)?).ok().map(Told::Utc),
            None => local(date, time).map(Told::Local),
        },
    }
}

/// An instant in UTC: what `CREATED` and its like are.
pub fn instant(text: &str) -> Option<Timestamp> {
    match told(text, false)? {
        Told::Utc(at) => Some(at),
        // Some forget to say that it is UTC; nothing else is permitted there.
        Told::Local(local) => TimeZone::UTC.to_timestamp(local).ok(),
        Told::Day(_) => None,
    }
}

/// A local time without a zone, as the rules of a zone have it.
pub fn plain(text: &str) -> Option<DateTime> {
    match told(text, false)? {
        Told::Local(local) => Some(local),
        Told::Day(day) => Some(day.at(0, 0, 0, 0)),
        Told::Utc(_) => None,
    }
}

/// A distance from UTC: `+0100`, `-033000`.
pub fn offset(text: &str) -> Option<Offset> {
    let (sign, digits) = match text.trim().split_at_checked(1)? {
        ("-", digits) => (-1, digits),
        ("+", digits) => (1, digits),
        _ => (1, text.trim()),
    };
    let [hours, minutes, seconds] = match digits.len() {
        4 => [number(&digits[..2])?, number(&digits[2..])?, 0],
        6 => [number(&digits[..2])?, number(&digits[2..4])?, number(&digits[4..])?],
        _ => return None,
    };
    Offset::from_seconds(sign * (hours * 3_600 + minutes * 60 + seconds)).ok()
}

/// Where something ends that begins then and lasts so long. Days are days of the calendar, hours those of the clock
/// (RFC 5545, section 3.3.6). `None`: the text is no duration, or leads out of all time.
pub fn end(start: &Moment, lasts: &str) -> Option<Moment> {
    // Some write the T of the hours where there are none.
    let span: Span = lasts.trim().trim_start_matches('+').trim_end_matches(['T', 't']).parse().ok()?;
    if span.is_negative() {
        return Some(start.clone());
    }
    Some(match start {
        Moment::At { at, zone } => {
            let zoned = at.to_zoned(syncline_core::calendar::zone::zone(zone).ok()?).checked_add(span).ok()?;
            Moment::At { at: zoned.timestamp(), zone: zone.clone() }
        }
        Moment::Floating(local) => Moment::Floating(local.checked_add(span).ok()?),
        Moment::Day(day) => {
            let end = day.at(0, 0, 0, 0).checked_add(span).ok()?;
            let is_part = end.time() != jiff::civil::Time::midnight();
            Moment::Day(end.date().checked_add(i32::from(is_part).days()).ok()?)
        }
    })
}

fn number(digits: &str) -> Option<i32> {
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

fn day(text: &str) -> Option<Date> {
    let is_digits = text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits {
        return None;
    }
    Date::new(text[..4].parse().ok()?, text[4..6].parse().ok()?, text[6..].parse().ok()?).ok()
}

/// The second that is put in now and then is the one before it.
fn local(date: &str, time: &str) -> Option<DateTime> {
    let is_digits = time.len() == 6 && time.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits {
        return None;
    }
    let (hour, minute, second) = (time[..2].parse().ok()?, time[2..4].parse().ok()?, time[4..].parse::<i8>().ok()?);
    day(date)?
        .at(0, 0, 0, 0)
        .with()
        .hour(hour)
        .minute(minute)
        .second(second.min(if second == 60 { 59 } else { 60 }))
        .build()
        .ok()
}
