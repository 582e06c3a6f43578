//! One rule, and the local times that it names.

use jiff::{
    Timestamp, ToSpan,
    civil::{Date, DateTime, Weekday},
    tz::TimeZone,
};

use super::{MAX_OCCURRENCES, instant};

/// Periods in which nothing may be found before a rule is held to be empty: no weekday of a month and no 29th of
/// February stays away for longer.
const EMPTY_PERIODS_MAX: u32 = 500;
/// Periods that are looked at in all.
const PERIODS_MAX: u32 = 20_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Frequency {
    Daily,
    Weekly,
    Monthly,
    Yearly,
}

/// Where a series ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Never,
    /// After so many occurrences.
    Count(u32),
    /// With the last that begins no later than this.
    Moment(Timestamp),
    /// With the last that begins no later than this local time.
    Local(DateTime),
}

/// How an event repeats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) frequency: Frequency,
    pub(crate) interval: u32,
    pub(crate) end: End,
    /// Days of the week, each with which of them in the month or year: 0 all, 2 the second, -1 the last.
    pub(crate) days: Vec<(i8, Weekday)>,
    /// Days of the month, negative from its end.
    pub(crate) month_days: Vec<i8>,
    pub(crate) months: Vec<i8>,
    /// Which of a period's occurrences, negative from its end; empty: all.
    pub(crate) positions: Vec<i32>,
    pub(crate) week_start: Weekday,
}

impl Rule {
    pub(crate) fn every(frequency: Frequency) -> Self {
        Self {
            frequency,
            interval: 1,
            end: End::Never,
            days: Vec::new(),
            month_days: Vec::new(),
            months: Vec::new(),
            positions: Vec::new(),
            week_start: Weekday::Monday,
        }
    }

    /// The local starts of the series, until one begins after `until`.
    pub(crate) fn starts(&self, first: DateTime, zone: &TimeZone, until: Timestamp) -> Vec<DateTime> {
        let mut out = Vec::new();
        let mut empty = 0;
        for number in 0..PERIODS_MAX {
            let Some(begin) = self.period(first.date(), number) else { break };
            let days = self.days_of(begin, first.date());
            empty = if days.is_empty() { empty + 1 } else { 0 };
            if empty > EMPTY_PERIODS_MAX {
                break;
            }
            for start in days.into_iter().map(|day| day.to_datetime(first.time())).filter(|start| *start >= first) {
                let at = instant(start, zone);
                let over = match self.end {
                    End::Never => false,
                    End::Count(count) => out.len() >= count as usize,
                    End::Moment(last) => at > last,
                    End::Local(last) => start > last,
                };
                if over || at > until || out.len() >= MAX_OCCURRENCES {
                    return out;
                }
                out.push(start);
            }
        }
        out
    }

    /// The first day of a period.
    fn period(&self, first: Date, number: u32) -> Option<Date> {
        let ahead = i32::try_from(u64::from(number) * u64::from(self.interval.max(1))).ok()?;
        let (begin, span) = match self.frequency {
            Frequency::Daily => (first, ahead.days()),
            Frequency::Weekly => (week_begin(first, self.week_start)?, ahead.weeks()),
            Frequency::Monthly => (first.first_of_month(), ahead.months()),
            Frequency::Yearly => (first.first_of_year(), ahead.years()),
        };
        begin.checked_add(span).ok()
    }

    /// The days that the rule names in the period that begins here, in order.
    fn days_of(&self, begin: Date, first: Date) -> Vec<Date> {
        let mut days = match self.frequency {
            Frequency::Daily => vec![begin],
            Frequency::Weekly => self.days_of_week(begin, first),
            Frequency::Monthly => self.days_of_month(begin, first),
            Frequency::Yearly => self.days_of_year(begin, first),
        };
        if !self.months.is_empty() {
            days.retain(|day| self.months.contains(&day.month()));
        }
        if self.frequency == Frequency::Daily {
            days.retain(|day| {
                (self.days.is_empty() || self.days.iter().any(|(_, weekday)| *weekday == day.weekday()))
                    && (self.month_days.is_empty() || self.names_month_day(*day))
            });
        }
        days.sort_unstable();
        days.dedup();
        if self.positions.is_empty() { days } else { chosen(&days, &self.positions) }
    }

    fn days_of_week(&self, begin: Date, first: Date) -> Vec<Date> {
        let wanted = |day: &Date| {
            if self.days.is_empty() {
                day.weekday() == first.weekday()
            } else {
                self.days.iter().any(|(_, weekday)| *weekday == day.weekday())
            }
        };
        (0..7).filter_map(|ahead: i32| begin.checked_add(ahead.days()).ok()).filter(wanted).collect()
    }

    fn days_of_month(&self, begin: Date, first: Date) -> Vec<Date> {
        if self.days.is_empty() {
            let single = [first.day()];
            let wanted = if self.month_days.is_empty() { &single[..] } else { &self.month_days };
            return wanted.iter().filter_map(|number| month_day(begin, *number)).collect();
        }
        let last = begin.last_of_month();
        let mut days = weekdays(begin, last, &self.days);
        days.retain(|day| self.month_days.is_empty() || self.names_month_day(*day));
        days
    }

    fn days_of_year(&self, begin: Date, first: Date) -> Vec<Date> {
        // Weekdays are counted in the year, unless months are named: then in each of those.
        if self.months.is_empty() && self.month_days.is_empty() && !self.days.is_empty() {
            return weekdays(begin, begin.last_of_year(), &self.days);
        }
        let own = [first.month()];
        let all: Vec<i8> = (1..=12).collect();
        let months = match (self.months.is_empty(), self.month_days.is_empty()) {
            (false, _) => &self.months[..],
            (true, true) => &own[..],
            (true, false) => &all[..],
        };
        let begins = months.iter().filter_map(|month| Date::new(begin.year(), *month, 1).ok());
        begins.flat_map(|begin| self.days_of_month(begin, first)).collect()
    }

    fn names_month_day(&self, day: Date) -> bool {
        self.month_days.iter().any(|number| month_day(day.first_of_month(), *number) == Some(day))
    }
}

fn week_begin(day: Date, week_start: Weekday) -> Option<Date> {
    let back = i32::from(day.weekday().since(week_start));
    day.checked_sub(back.days()).ok()
}

fn month_day(begin: Date, number: i8) -> Option<Date> {
    let day = if number < 0 { begin.days_in_month() + 1 + number } else { number };
    Date::new(begin.year(), begin.month(), day).ok()
}

/// The weekdays that are asked for between two days.
fn weekdays(begin: Date, last: Date, wanted: &[(i8, Weekday)]) -> Vec<Date> {
    let mut out = Vec::new();
    for (which, weekday) in wanted {
        let ahead = i32::from(weekday.since(begin.weekday()));
        let Ok(first) = begin.checked_add(ahead.days()) else { continue };
        let all: Vec<Date> = first.series(1.week()).take_while(|day| *day <= last).collect();
        if *which == 0 {
            out.extend(all);
        } else {
            out.extend(chosen(&all, &[i32::from(*which)]));
        }
    }
    out
}

/// Those at these places, counted from 1 or from the end by -1.
fn chosen(days: &[Date], places: &[i32]) -> Vec<Date> {
    let count = i32::try_from(days.len()).unwrap_or(i32::MAX);
    let index = |place: i32| usize::try_from(if place < 0 { count + place } else { place - 1 }).ok();
    let mut out: Vec<Date> = places.iter().filter_map(|place| days.get(index(*place)?).copied()).collect();
    out.sort_unstable();
    out.dedup();
    out
}
