//! The times of day that a rule means, one after the other, without any zone. Period by period, and in each the days and
//! then the times that fit; no list is ever longer than the days of a year or the times of a day.
//!
//! Every step costs one of a budget, so that a rule which means nothing for eight thousand years ends soon.

use jiff::{
    Span, ToSpan,
    civil::{Date, DateTime, Time, Weekday},
};

use super::rule::{Frequency, Rule};

/// The steps that one look at a rule may take: looking at a day, making or giving a time, or looking for a position. Some ten milliseconds. A rule with a
/// count has to be counted from its beginning, which for one of every day is enough for more than two thousand years.
pub const WORK_MAX: u32 = 1_000_000;

const DAYS_A_WEEK: i64 = 7;
const HOURS_A_DAY: i64 = 24;
const SECONDS_A_MINUTE: i64 = 60;
const SECONDS_AN_HOUR: i64 = 3_600;
const SECONDS_A_DAY: i64 = 86_400;

/// The times of a rule.
pub struct Times<'a> {
    rule: &'a Rule,
    start: DateTime,
    /// What is left of the budget.
    work: u32,
    /// The period that comes next; `None` behind the last.
    next: Option<Period>,
    days: Vec<Date>,
    times: Vec<Time>,
    /// Of the combinations of `days` and `times`: those chosen by position, where the rule has positions.
    chosen: Option<Vec<usize>>,
    at: usize,
    left: Option<u32>,
    /// Nothing after this is wanted.
    to: DateTime,
    /// Days before this need not be looked at.
    skip_to: Option<Date>,
}

/// One period of a rule, by its first day; below a day also by the time in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Period {
    first: DateTime,
}

impl<'a> Times<'a> {
    /// The times from the rule's start to `to`. Where the rule need not be counted, periods that end before `from` are
    /// passed over; some times before it may come all the same.
    pub fn new(rule: &'a Rule, start: DateTime, from: DateTime, to: DateTime) -> Self {
        let first = first_period(rule, start);
        let mut times = Self {
            rule,
            start,
            work: WORK_MAX,
            next: Some(first),
            days: Vec::new(),
            times: times_of(rule, start.time(), start.time()),
            chosen: None,
            at: 0,
            left: rule.count,
            to,
            skip_to: None,
        };
        if rule.count.is_none() {
            times.skip_to = Some(from.date()).filter(|_| rule.positions.is_empty());
            let skipped = periods_before(rule.frequency, first.first, from) / i64::from(rule.interval);
            // One more is looked at: weeks and years of weeks begin before their number does.
            times.next = first.after(rule, (skipped - 1).max(0));
        }
        times
    }

    /// Whether the budget was used up before the end was reached.
    pub fn exhausted(&self) -> bool {
        self.work == 0
    }

    fn spend(&mut self, steps: u32) -> Option<()> {
        self.work = self.work.saturating_sub(steps);
        (self.work > 0).then_some(())
    }

    /// Fills in the next period that has any days; `None` where there is none.
    fn turn(&mut self) -> Option<()> {
        loop {
            let period = self.next?;
            if period.begins(self.rule.frequency) > self.to {
                return None;
            }
            self.spend(1)?;
            self.next = period.after(self.rule, 1);
            self.at = 0;
            let examined = self.fill(period);
            self.spend(examined)?;
            if let Some(first) = self.skip_to {
                self.days.retain(|day| *day >= first);
            }
            if self.days.is_empty() || self.times.is_empty() {
                self.pass_over(period);
                continue;
            }
            self.spend(count(self.rule.positions.len()))?;
            self.chosen = self.choose();
            return Some(());
        }
    }

    /// Where a whole day, hour or minute is ruled out, none of the periods in it is looked at.
    fn pass_over(&mut self, period: Period) {
        let rule = self.rule;
        if rule.frequency <= Frequency::Daily {
            return;
        }
        let at = period.first;
        let is_out = |list: &[i16], own: i8| !list.is_empty() && !list.contains(&i16::from(own));
        let of_day = seconds_between(at.date().at(0, 0, 0, 0), at);
        let length = match () {
            () if self.days.is_empty() => SECONDS_A_DAY,
            () if is_out(&rule.hours, at.hour()) => SECONDS_AN_HOUR,
            () if is_out(&rule.minutes, at.minute()) => SECONDS_A_MINUTE,
            () => return,
        };
        let missing = length - of_day % length;
        let step = unit_seconds(rule.frequency).saturating_mul(i64::from(rule.interval));
        self.next = period.after(rule, (missing.saturating_add(step - 1) / step).max(1));
    }

    /// The days and times of a period; gives back how many days were looked at, and times made.
    fn fill(&mut self, period: Period) -> u32 {
        let (rule, start) = (self.rule, self.start);
        self.days.clear();
        let day = period.first.date();
        let examined = match rule.frequency {
            Frequency::Yearly if !rule.weeks.is_empty() => self.fill_weeks(day.year()),
            Frequency::Yearly => self.fill_days(day, i64::from(day.days_in_year())),
            Frequency::Monthly => self.fill_days(day, i64::from(day.days_in_month())),
            Frequency::Weekly => self.fill_days(day, DAYS_A_WEEK),
            Frequency::Daily | Frequency::Hourly | Frequency::Minutely | Frequency::Secondly => self.fill_days(day, 1),
        };
        if rule.frequency > Frequency::Daily {
            self.times = times_of(rule, start.time(), period.first.time());
            return examined.saturating_add(count(self.times.len()));
        }
        examined
    }

    fn fill_days(&mut self, first: Date, count: i64) -> u32 {
        let mut day = first;
        for _ in 0..count {
            if self.fits(day) {
                self.days.push(day);
            }
            let Ok(next) = day.tomorrow() else { break };
            day = next;
        }
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// The days of the numbered weeks of a year, which may begin before it and end behind it.
    fn fill_weeks(&mut self, year: i16) -> u32 {
        let start = self.rule.week_start;
        let (Some(first), Some(end)) = (first_week(year, start), first_week(year.saturating_add(1), start)) else {
            return 1;
        };
        let weeks = (days_between(first, end) / DAYS_A_WEEK).max(1);
        let mut numbers: Vec<i64> = self.rule.weeks.iter().map(|week| i64::from(*week)).collect();
        numbers.iter_mut().filter(|week| **week < 0).for_each(|week| *week += weeks + 1);
        numbers.retain(|week| (1..=weeks).contains(week));
        numbers.sort_unstable();
        numbers.dedup();
        let examined = numbers.len() as u32 * DAYS_A_WEEK as u32;
        for week in numbers {
            if let Ok(monday) = first.checked_add(((week - 1) * DAYS_A_WEEK).days()) {
                self.fill_days(monday, DAYS_A_WEEK);
            }
        }
        examined.max(1)
    }

    /// Whether a day fits all that the rule says of days. What a rule leaves open, its start says.
    fn fits(&self, day: Date) -> bool {
        let rule = self.rule;
        let day_of_year = || either_way(&rule.year_days, day.day_of_year(), day.days_in_year());
        self.month_fits(day)
            && self.month_day_fits(day)
            && (rule.year_days.is_empty() || day_of_year())
            && self.weekday_fits(day)
            && (rule.weeks.is_empty() || rule.frequency == Frequency::Yearly)
    }

    /// Whether the rule says nothing at all about which day it is.
    fn leaves_day_open(&self) -> bool {
        let rule = self.rule;
        rule.days.is_empty() && rule.month_days.is_empty() && rule.year_days.is_empty() && rule.weeks.is_empty()
    }

    fn month_fits(&self, day: Date) -> bool {
        let rule = self.rule;
        if !rule.months.is_empty() {
            return rule.months.contains(&i16::from(day.month()));
        }
        let is_open = rule.frequency == Frequency::Yearly
            && rule.year_days.is_empty()
            && rule.weeks.is_empty()
            && (rule.days.is_empty() || !rule.month_days.is_empty());
        !is_open || day.month() == self.start.month()
    }

    fn month_day_fits(&self, day: Date) -> bool {
        let rule = self.rule;
        match rule.frequency {
            Frequency::Yearly | Frequency::Monthly if self.leaves_day_open() => day.day() == self.start.day(),
            _ if rule.month_days.is_empty() => true,
            _ => either_way(&rule.month_days, i16::from(day.day()), i16::from(day.days_in_month())),
        }
    }

    fn weekday_fits(&self, day: Date) -> bool {
        let rule = self.rule;
        let weekday = day.weekday();
        if rule.days.is_empty() {
            let is_open = match rule.frequency {
                Frequency::Weekly => self.leaves_day_open(),
                Frequency::Yearly => !rule.weeks.is_empty() && rule.month_days.is_empty() && rule.year_days.is_empty(),
                _ => false,
            };
            return !is_open || weekday == self.start.weekday();
        }
        rule.days.iter().filter(|of| of.weekday() == weekday).any(|of| match (of.nth, rule.frequency) {
            (0, _) => true,
            (nth, Frequency::Yearly) if rule.months.is_empty() && rule.weeks.is_empty() => {
                is_nth(nth, day.day_of_year(), day.days_in_year())
            }
            (nth, Frequency::Yearly | Frequency::Monthly) if rule.weeks.is_empty() => {
                is_nth(nth, i16::from(day.day()), i16::from(day.days_in_month()))
            }
            // A number makes no sense here and is passed over.
            _ => true,
        })
    }

    /// The combinations that the rule's positions choose, in their order.
    fn choose(&self) -> Option<Vec<usize>> {
        if self.rule.positions.is_empty() {
            return None;
        }
        let all = self.days.len() * self.times.len();
        let index = |position: i16| {
            let distance = usize::from(position.unsigned_abs());
            if position > 0 { distance.checked_sub(1) } else { all.checked_sub(distance) }
        };
        let mut chosen: Vec<usize> =
            self.rule.positions.iter().filter_map(|position| index(*position)).filter(|at| *at < all).collect();
        chosen.sort_unstable();
        chosen.dedup();
        Some(chosen)
    }

    /// The next combination of the period.
    fn combination(&mut self) -> Option<DateTime> {
        let index = match &self.chosen {
            Some(chosen) => *chosen.get(self.at)?,
            None => self.at,
        };
        let day = *self.days.get(index.checked_div(self.times.len())?)?;
        self.at += 1;
        Some(day.to_datetime(self.times[index % self.times.len()]))
    }
}

impl Iterator for Times<'_> {
    type Item = DateTime;

    fn next(&mut self) -> Option<DateTime> {
        loop {
            if self.left == Some(0) {
                return None;
            }
            let Some(at) = self.combination() else {
                self.turn()?;
                continue;
            };
            self.spend(1)?;
            if at < self.start {
                continue;
            }
            if at > self.to {
                self.next = None;
                self.left = Some(0);
                return None;
            }
            self.left = self.left.map(|left| left - 1);
            return Some(at);
        }
    }
}

impl Period {
    /// The earliest time that may belong to the period. Weeks of a year may begin before it.
    fn begins(self, frequency: Frequency) -> DateTime {
        match frequency {
            Frequency::Yearly => self.first.checked_sub(DAYS_A_WEEK.days()).unwrap_or(DateTime::MIN),
            // The first of them bears the start's minutes and seconds, others of the same hour or minute may come before it.
            Frequency::Hourly => self.first.date().at(self.first.hour(), 0, 0, 0),
            Frequency::Minutely => self.first.date().at(self.first.hour(), self.first.minute(), 0, 0),
            _ => self.first,
        }
    }

    /// The period so many intervals later; `None` behind the end of the calendar.
    fn after(self, rule: &Rule, intervals: i64) -> Option<Self> {
        let count = intervals.checked_mul(i64::from(rule.interval))?;
        let first = match rule.frequency {
            Frequency::Yearly => {
                let year = i16::try_from(i64::from(self.first.year()) + count).ok()?;
                Date::new(year, 1, 1).ok()?.at(0, 0, 0, 0)
            }
            Frequency::Monthly => self.first.checked_add(Span::new().try_months(count).ok()?).ok()?,
            Frequency::Weekly => self.first.checked_add(Span::new().try_weeks(count).ok()?).ok()?,
            Frequency::Daily => self.first.checked_add(Span::new().try_days(count).ok()?).ok()?,
            Frequency::Hourly | Frequency::Minutely | Frequency::Secondly => {
                let seconds = count.checked_mul(unit_seconds(rule.frequency))?;
                self.first.checked_add(jiff::SignedDuration::from_secs(seconds)).ok()?
            }
        };
        Some(Self { first })
    }
}

/// The period in which a rule begins.
fn first_period(rule: &Rule, start: DateTime) -> Period {
    let day = start.date();
    let midnight = |day: Date| day.at(0, 0, 0, 0);
    let first = match rule.frequency {
        Frequency::Yearly if !rule.weeks.is_empty() => midnight(year_of_weeks(day, rule.week_start)),
        Frequency::Yearly => midnight(day.first_of_year()),
        Frequency::Monthly => midnight(day.first_of_month()),
        Frequency::Weekly => midnight(week_of(day, rule.week_start)),
        Frequency::Daily => midnight(day),
        Frequency::Hourly | Frequency::Minutely | Frequency::Secondly => start,
    };
    Period { first }
}

/// The first day of the week that a day lies in.
fn week_of(day: Date, start: Weekday) -> Date {
    let since = i64::from(start.until(day.weekday()));
    day.checked_sub(since.days()).unwrap_or(day)
}

/// The first day of a year's first week, which is the first with at least four days in the year.
fn first_week(year: i16, start: Weekday) -> Option<Date> {
    Date::new(year, 1, 4).ok().map(|fourth| week_of(fourth, start))
}

/// The first of January of the year to whose weeks a day belongs.
fn year_of_weeks(day: Date, start: Weekday) -> Date {
    let year = day.year();
    let begins = |year: i16| first_week(year, start).is_some_and(|first| first <= day);
    let year = match () {
        () if begins(year.saturating_add(1)) => year.saturating_add(1),
        () if begins(year) => year,
        () => year.saturating_sub(1),
    };
    Date::new(year, 1, 1).unwrap_or(day.first_of_year())
}

/// How many periods lie between two times, rounded down; none where the second is not later.
fn periods_before(frequency: Frequency, first: DateTime, from: DateTime) -> i64 {
    if from <= first {
        return 0;
    }
    let months = |at: DateTime| i64::from(at.year()) * 12 + i64::from(at.month());
    match frequency {
        Frequency::Yearly => i64::from(from.year()) - i64::from(first.year()),
        Frequency::Monthly => months(from) - months(first),
        Frequency::Weekly => days_between(first.date(), from.date()) / DAYS_A_WEEK,
        Frequency::Daily => days_between(first.date(), from.date()),
        Frequency::Hourly | Frequency::Minutely | Frequency::Secondly => {
            seconds_between(first, from) / unit_seconds(frequency)
        }
    }
}

fn count(steps: usize) -> u32 {
    u32::try_from(steps).unwrap_or(u32::MAX)
}

fn unit_seconds(frequency: Frequency) -> i64 {
    match frequency {
        Frequency::Hourly => SECONDS_AN_HOUR,
        Frequency::Minutely => SECONDS_A_MINUTE,
        Frequency::Secondly => 1,
        Frequency::Daily | Frequency::Weekly | Frequency::Monthly | Frequency::Yearly => SECONDS_A_DAY,
    }
}

fn days_between(from: Date, to: Date) -> i64 {
    from.duration_until(to).as_hours() / HOURS_A_DAY
}

fn seconds_between(from: DateTime, to: DateTime) -> i64 {
    from.duration_until(to).as_secs()
}

/// The times of a day of a period that begins at `at`. What is above the frequency's own unit limits, what is below it
/// is filled in, and what neither says is as at the start.
fn times_of(rule: &Rule, start: Time, at: Time) -> Vec<Time> {
    let part = |list: &[i16], unit: Frequency, now: i8, at_start: i8| match list {
        _ if rule.frequency < unit && list.is_empty() => vec![i16::from(at_start)],
        _ if rule.frequency < unit => list.to_vec(),
        _ if list.is_empty() || list.contains(&i16::from(now)) => vec![i16::from(now)],
        _ => Vec::new(),
    };
    let hours = part(&rule.hours, Frequency::Hourly, at.hour(), start.hour());
    let minutes = part(&rule.minutes, Frequency::Minutely, at.minute(), start.minute());
    let seconds = part(&rule.seconds, Frequency::Secondly, at.second(), start.second());
    let mut times = Vec::with_capacity(hours.len() * minutes.len() * seconds.len());
    for hour in &hours {
        for minute in &minutes {
            times.extend(seconds.iter().filter_map(|second| time(*hour, *minute, *second)));
        }
    }
    times
}

fn time(hour: i16, minute: i16, second: i16) -> Option<Time> {
    let part = |number: i16| i8::try_from(number).ok();
    // The sixtieth second is on no clock of ours.
    Time::new(part(hour)?, part(minute)?, part(second)?, 0).ok()
}

/// Whether a list names a number counted from the beginning, or from the end.
fn either_way(list: &[i16], number: i16, count: i16) -> bool {
    list.contains(&number) || list.contains(&(number - count - 1))
}

/// Whether a day is the nth of its weekday among so many days.
fn is_nth(nth: i16, number: i16, count: i16) -> bool {
    let week = DAYS_A_WEEK as i16;
    if nth > 0 { (number - 1) / week + 1 == nth } else { (count - number) / week + 1 == -nth }
}
