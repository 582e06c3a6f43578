//! A recurrence rule as its text says it: read, checked, and put into words again. Which days it means is
//! [`super::dates`]' matter.

use std::fmt::{self, Write as _};

use jiff::civil::{Date, DateTime, Weekday};

use super::Fault;

/// How often a rule's period comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Frequency {
    Yearly,
    Monthly,
    Weekly,
    Daily,
    Hourly,
    Minutely,
    Secondly,
}

const FREQUENCIES: [(&str, Frequency); 7] = [
    ("YEARLY", Frequency::Yearly),
    ("MONTHLY", Frequency::Monthly),
    ("WEEKLY", Frequency::Weekly),
    ("DAILY", Frequency::Daily),
    ("HOURLY", Frequency::Hourly),
    ("MINUTELY", Frequency::Minutely),
    ("SECONDLY", Frequency::Secondly),
];

const WEEKDAYS: [(&str, Weekday); 7] = [
    ("MO", Weekday::Monday),
    ("TU", Weekday::Tuesday),
    ("WE", Weekday::Wednesday),
    ("TH", Weekday::Thursday),
    ("FR", Weekday::Friday),
    ("SA", Weekday::Saturday),
    ("SU", Weekday::Sunday),
];

/// The last moment of a rule, in the form in which it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    Utc(DateTime),
    Local(DateTime),
    Day(Date),
}

/// A day of the week; with a number the first, second, last … of the month or year.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DayOf {
    pub nth: i16,
    /// Counted from Monday, because days of the week have no order of their own.
    weekday: i8,
}

impl DayOf {
    pub fn weekday(self) -> Weekday {
        Weekday::from_monday_zero_offset(self.weekday).expect("made from a day of the week")
    }
}

/// A rule. All lists are sorted and without repetition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    pub frequency: Frequency,
    pub interval: u32,
    pub count: Option<u32>,
    pub until: Option<Until>,
    pub seconds: Vec<i16>,
    pub minutes: Vec<i16>,
    pub hours: Vec<i16>,
    pub days: Vec<DayOf>,
    pub month_days: Vec<i16>,
    pub year_days: Vec<i16>,
    pub weeks: Vec<i16>,
    pub months: Vec<i16>,
    pub positions: Vec<i16>,
    pub week_start: Weekday,
}

impl Rule {
    fn new(frequency: Frequency) -> Self {
        Self {
            frequency,
            interval: 1,
            count: None,
            until: None,
            seconds: Vec::new(),
            minutes: Vec::new(),
            hours: Vec::new(),
            days: Vec::new(),
            month_days: Vec::new(),
            year_days: Vec::new(),
            weeks: Vec::new(),
            months: Vec::new(),
            positions: Vec::new(),
            week_start: Weekday::Monday,
        }
    }

    /// Reads the value of an `RRULE`. Letters of any case, blanks and empty parts are put up with, and so is what a
    /// vendor added under a name of its own.
    ///
    /// # Errors
    /// The text is no rule, or one whose meaning we do not know.
    pub fn read(text: &str) -> Result<Self, Fault> {
        let upper = text.to_ascii_uppercase();
        let mut parts = Vec::new();
        for part in upper.split(';').map(str::trim).filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').ok_or_else(|| Fault::rule(part))?;
            parts.push((name.trim(), value.trim()));
        }
        let frequency = parts.iter().find(|(name, _)| *name == "FREQ").ok_or_else(|| Fault::rule("no FREQ"))?.1;
        let frequency = FREQUENCIES.iter().find(|(known, _)| *known == frequency);
        let mut rule = Rule::new(frequency.ok_or_else(|| Fault::rule("FREQ"))?.1);
        for (name, value) in parts {
            rule.take(name, value).ok_or_else(|| Fault::rule(&format!("{name}={value}")))?;
        }
        if rule.interval == 0 || rule.count == Some(0) {
            return Err(Fault::rule("INTERVAL or COUNT of nothing"));
        }
        Ok(rule)
    }

    fn take(&mut self, name: &str, value: &str) -> Option<()> {
        match name {
            "FREQ" => {}
            "INTERVAL" => self.interval = value.parse().ok()?,
            "COUNT" => self.count = Some(value.parse().ok()?),
            "UNTIL" => self.until = Some(until(value)?),
            "BYSECOND" => self.seconds = numbers(value, 0, 60)?,
            "BYMINUTE" => self.minutes = numbers(value, 0, 59)?,
            "BYHOUR" => self.hours = numbers(value, 0, 23)?,
            "BYDAY" => self.days = days(value)?,
            "BYMONTHDAY" => self.month_days = both_ways(value, 31)?,
            "BYYEARDAY" => self.year_days = both_ways(value, 366)?,
            "BYWEEKNO" => self.weeks = both_ways(value, 53)?,
            "BYMONTH" => self.months = numbers(value, 1, 12)?,
            "BYSETPOS" => self.positions = both_ways(value, 366)?,
            "WKST" => self.week_start = weekday(value)?,
            // Other calendars' months, and other ways with days that are not there, are not known here.
            "RSCALE" if value == "GREGORIAN" => {}
            "SKIP" if value == "OMIT" => {}
            _ if name.starts_with("X-") => {}
            _ => return None,
        }
        Some(())
    }
}

/// Sorted numbers within a range.
fn numbers(value: &str, least: i16, most: i16) -> Option<Vec<i16>> {
    let read = |text: &str| text.trim_start_matches('+').parse().ok();
    let all: Option<Vec<i16>> = entries(value).map(|text| read(text).filter(|n| (least..=most).contains(n))).collect();
    Some(sorted(all?)).filter(|all| !all.is_empty())
}

/// What a list names. A comma too many is put up with: such lists are met with.
fn entries(value: &str) -> impl Iterator<Item = &str> {
    value.split(',').map(str::trim).filter(|text| !text.is_empty())
}

/// Sorted numbers that count from the beginning or, below zero, from the end.
fn both_ways(value: &str, most: i16) -> Option<Vec<i16>> {
    numbers(value, -most, most).filter(|all| !all.contains(&0))
}

fn sorted<T: Ord>(mut all: Vec<T>) -> Vec<T> {
    all.sort_unstable();
    all.dedup();
    all
}

fn weekday(text: &str) -> Option<Weekday> {
    WEEKDAYS.iter().find(|(known, _)| *known == text).map(|(_, day)| *day)
}

fn days(value: &str) -> Option<Vec<DayOf>> {
    let day = |text: &str| {
        let (number, name) = text.split_at_checked(text.len().checked_sub(2)?)?;
        let nth = if number.is_empty() { 0 } else { both_ways(number, 53)?[0] };
        Some(DayOf { nth, weekday: weekday(name)?.to_monday_zero_offset() })
    };
    entries(value).map(day).collect::<Option<Vec<_>>>().map(sorted).filter(|all| !all.is_empty())
}

fn until(value: &str) -> Option<Until> {
    match value.strip_suffix('Z') {
        Some(utc) => local_time(utc).map(Until::Utc),
        None => local_time(value).map(Until::Local).or_else(|| day(value).map(Until::Day)),
    }
}

/// A day as iCalendar writes it.
pub(super) fn day(text: &str) -> Option<Date> {
    let is_digits = text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits {
        return None;
    }
    Date::new(text[..4].parse().ok()?, text[4..6].parse().ok()?, text[6..].parse().ok()?).ok()
}

/// A time of day as iCalendar writes it. The second that is put in now and then is the one before it.
pub(super) fn local_time(text: &str) -> Option<DateTime> {
    let (date, time) = text.split_once('T')?;
    let is_digits = time.len() == 6 && time.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits {
        return None;
    }
    let (hour, minute, second) = (time[..2].parse().ok()?, time[2..4].parse().ok()?, time[4..].parse::<i8>().ok()?);
    let second = if second == 60 { 59 } else { second };
    let midnight = day(date)?.at(0, 0, 0, 0);
    midnight.with().hour(hour).minute(minute).second(second).build().ok()
}

impl fmt::Display for Rule {
    /// The rule with its parts in one order and nothing said that goes without saying: two rules of the same text mean
    /// the same.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |wanted: Frequency| FREQUENCIES.iter().find(|(_, known)| *known == wanted).expect("all are there").0;
        write!(f, "FREQ={}", name(self.frequency))?;
        if self.interval > 1 {
            write!(f, ";INTERVAL={}", self.interval)?;
        }
        if let Some(count) = self.count {
            write!(f, ";COUNT={count}")?;
        }
        if let Some(until) = self.until {
            let (at, form) = match until {
                Until::Utc(at) => (at, "%Y%m%dT%H%M%SZ"),
                Until::Local(at) => (at, "%Y%m%dT%H%M%S"),
                Until::Day(day) => (day.at(0, 0, 0, 0), "%Y%m%d"),
            };
            write!(f, ";UNTIL={}", at.strftime(form))?;
        }
        let lists = [
            ("BYMONTH", &self.months),
            ("BYWEEKNO", &self.weeks),
            ("BYYEARDAY", &self.year_days),
            ("BYMONTHDAY", &self.month_days),
            ("BYHOUR", &self.hours),
            ("BYMINUTE", &self.minutes),
            ("BYSECOND", &self.seconds),
            ("BYSETPOS", &self.positions),
        ];
        for (name, list) in lists.into_iter().filter(|(_, list)| !list.is_empty()) {
            let list: Vec<String> = list.iter().map(i16::to_string).collect();
            write!(f, ";{name}={}", list.join(","))?;
        }
        if !self.days.is_empty() {
            let mut list = String::new();
            for day in &self.days {
                let number = if day.nth == 0 { String::new() } else { day.nth.to_string() };
                let name = WEEKDAYS[usize::from(day.weekday.unsigned_abs())].0;
                write!(list, "{}{number}{name}", if list.is_empty() { "" } else { "," })?;
            }
            write!(f, ";BYDAY={list}")?;
        }
        if self.week_start != Weekday::Monday {
            let name = WEEKDAYS[usize::from(self.week_start.to_monday_zero_offset().unsigned_abs())].0;
            write!(f, ";WKST={name}")?;
        }
        Ok(())
    }
}
