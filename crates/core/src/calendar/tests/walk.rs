//! A second reading of rules (RFC 5545, section 3.3.10): slow, on plain times, and written from the standard's own table of
//! what each part does to each frequency. Every time is asked whether it fits, and nothing is worked out ahead.

use std::ops::RangeInclusive;

use jiff::{
    ToSpan,
    civil::{Date, DateTime, Weekday, date},
};
use proptest::prelude::*;

use super::cases;
use crate::calendar::{
    event::{Content, Moment},
    recur::{Frequency, OCCURRENCES_MAX, Rule, Times, WORK_MAX, Window, expand},
};

/// The walk ends after so many days, or periods of days that fit, or after so many times that it asked from the start on;
/// rules that mean so little are not compared further. The times are more than a year can hold with two hours of three
/// minutes and three seconds a day, so that the start's own period is always walked to its end, and the periods are well
/// below [`WORK_MAX`].
const WALK_DAYS: i64 = 2_500;
const WALK_PERIODS: i64 = 250_000;
const WALK_TIMES: usize = 8_000;

/// What a walk found: all times from the start of a rule to `to`.
struct Walked {
    times: Vec<DateTime>,
    to: DateTime,
}

/// The times of one period of a rule.
#[derive(Default)]
struct Group {
    number: i64,
    times: Vec<DateTime>,
}

impl Group {
    /// Those that the rule's positions choose.
    fn chosen(&self, rule: &Rule) -> Vec<DateTime> {
        let is_chosen = |index: usize| {
            let (up, down) = (index as i16 + 1, (self.times.len() - index) as i16);
            rule.positions.is_empty() || rule.positions.iter().any(|wanted| *wanted == up || *wanted == -down)
        };
        self.times.iter().enumerate().filter(|(index, _)| is_chosen(*index)).map(|(_, at)| *at).collect()
    }
}

fn walk(rule: &Rule, start: DateTime) -> Walked {
    let first = day_period(rule, start.date()) + time_number(rule, start);
    let mut times = Vec::new();
    let mut group = Group::default();
    let (mut asked, mut passed) = (0, 0);
    // A period may begin before the start does, one of a part of a day on the same day.
    let begin = start.date() - if rule.frequency > Frequency::Daily { 0.days() } else { 400.days() };
    let mut end = (begin + (WALK_DAYS - 1).days()).at(23, 59, 59, 0);
    let days = (0..WALK_DAYS).map(|n| begin + n.days());
    'walk: for day in days.filter(|day| day_fits(rule, start.date(), *day)) {
        let of_day = day_period(rule, day);
        if passed > WALK_PERIODS {
            end = day.at(0, 0, 0, 0) - 1.second();
            break;
        }
        passed += 1 + time_number(rule, day.at(23, 59, 59, 0));
        for hour in (0..24).filter(|n| time_fits(rule, Frequency::Hourly, &rule.hours, *n, start.hour())) {
            for minute in (0..60).filter(|n| time_fits(rule, Frequency::Minutely, &rule.minutes, *n, start.minute())) {
                for second in
                    (0..60).filter(|n| time_fits(rule, Frequency::Secondly, &rule.seconds, *n, start.second()))
                {
                    let at = day.at(hour, minute, second, 0);
                    let number = of_day + time_number(rule, at);
                    if asked == WALK_TIMES {
                        end = at - 1.second();
                        break 'walk;
                    }
                    asked += usize::from(at >= start);
                    if number != group.number {
                        times.extend(group.chosen(rule));
                        group = Group { number, times: Vec::new() };
                    }
                    if number >= first && (number - first) % i64::from(rule.interval) == 0 {
                        group.times.push(at);
                    }
                }
            }
        }
    }
    // The last period may have been cut, unless the walk went on behind it.
    if day_period(rule, end.date()) + time_number(rule, end) != group.number {
        times.extend(group.chosen(rule));
        group = Group::default();
    }
    let to = group.times.first().map_or(end, |cut| *cut - 1.second());
    assert!(to >= start, "the walk from {start} went only to {to}");
    let limit = rule.count.unwrap_or(u32::MAX) as usize;
    Walked { times: times.into_iter().filter(|at| *at >= start).take(limit).collect(), to }
}

fn day_number(day: Date) -> i64 {
    day.duration_since(date(1900, 1, 1)).as_hours() / 24
}

/// The first day of the week in which a day lies.
fn week(day: Date, start: Weekday) -> Date {
    (0..7).map(|n: i64| day - n.days()).find(|day| day.weekday() == start).unwrap()
}

/// The period in which a day lies, or that begins with it, as a number. A week belongs to the year in which most of its
/// days lie, and so its fourth.
fn day_period(rule: &Rule, day: Date) -> i64 {
    match rule.frequency {
        Frequency::Yearly if rule.weeks.is_empty() => i64::from(day.year()),
        Frequency::Yearly => i64::from((week(day, rule.week_start) + 3.days()).year()),
        Frequency::Monthly => i64::from(day.year()) * 12 + i64::from(day.month()),
        Frequency::Weekly => day_number(week(day, rule.week_start)).div_euclid(7),
        Frequency::Daily => day_number(day),
        Frequency::Hourly => day_number(day) * 24,
        Frequency::Minutely => day_number(day) * 24 * 60,
        Frequency::Secondly => day_number(day) * 24 * 60 * 60,
    }
}

/// How many periods of its day are before a time.
fn time_number(rule: &Rule, at: DateTime) -> i64 {
    let [hour, minute, second] = [at.hour(), at.minute(), at.second()].map(i64::from);
    match rule.frequency {
        Frequency::Hourly => hour,
        Frequency::Minutely => hour * 60 + minute,
        Frequency::Secondly => (hour * 60 + minute) * 60 + second,
        _ => 0,
    }
}

/// Whether an hour, minute or second fits. Where the rule says nothing of it, it is as at the start, and any in a rule that
/// repeats as often or more often.
fn time_fits(rule: &Rule, unit: Frequency, list: &[i16], number: i8, at_start: i8) -> bool {
    match list {
        [] => rule.frequency >= unit || number == at_start,
        list => list.contains(&i16::from(number)),
    }
}

/// Whether a number is in a list by where it stands from the beginning, or from the end.
fn either(list: &[i16], up: i16, down: i16) -> bool {
    list.contains(&up) || list.contains(&-down)
}

fn day_fits(rule: &Rule, start: Date, day: Date) -> bool {
    let fits = |list: &[i16], up: i16, down: i16| list.is_empty() || either(list, up, down);
    let is_yearly = rule.frequency == Frequency::Yearly;
    let (left_of_month, left_of_year) = (day.days_in_month() - day.day(), day.days_in_year() - day.day_of_year());
    let week_fits = || {
        let fourth = week(day, rule.week_start) + 3.days();
        let weeks_left = (fourth.days_in_year() - fourth.day_of_year()) / 7;
        either(&rule.weeks, (fourth.day_of_year() - 1) / 7 + 1, weeks_left + 1)
    };
    let weekday = rule.days.iter().any(|wanted| {
        let (up, down) = match is_yearly && rule.months.is_empty() {
            true => ((day.day_of_year() - 1) / 7 + 1, left_of_year / 7 + 1),
            false => (i16::from(day.day() - 1) / 7 + 1, i16::from(left_of_month) / 7 + 1),
        };
        wanted.weekday() == day.weekday() && (wanted.nth == 0 || wanted.nth == up || wanted.nth == -down)
    });
    // Days of a month of which no month is said are those of the start's, as libical has it.
    let is_of_no_month = is_yearly && !rule.month_days.is_empty() && rule.year_days.is_empty() && rule.weeks.is_empty();
    let months = if is_of_no_month && rule.months.is_empty() { &vec![i16::from(start.month())] } else { &rule.months };
    let said = fits(months, i16::from(day.month()), 99)
        && fits(&rule.month_days, i16::from(day.day()), i16::from(left_of_month) + 1)
        && fits(&rule.year_days, day.day_of_year(), left_of_year + 1)
        && (rule.weeks.is_empty() || week_fits())
        && (rule.days.is_empty() || weekday);
    let is_open = rule.days.is_empty() && rule.month_days.is_empty() && rule.year_days.is_empty();
    said && match rule.frequency {
        _ if !is_open => true,
        Frequency::Yearly if !rule.weeks.is_empty() => day.weekday() == start.weekday(),
        Frequency::Yearly => day.day() == start.day() && (!rule.months.is_empty() || day.month() == start.month()),
        Frequency::Monthly => day.day() == start.day(),
        Frequency::Weekly => day.weekday() == start.weekday(),
        _ => true,
    }
}

const FREQUENCIES: [&str; 7] = ["YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY", "SECONDLY"];
const WEEKDAYS: [&str; 7] = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];

/// One part of a rule, or nothing.
fn part(name: &'static str, range: RangeInclusive<i16>, most: usize) -> impl Strategy<Value = String> {
    let is_signed = *range.start() < 0;
    let number = range.prop_filter("zero counts nothing", move |n| !is_signed || *n != 0);
    prop_oneof![
        3 => Just(String::new()),
        2 => prop::collection::vec(number, 1..=most).prop_map(move |numbers| {
            let list: Vec<String> = numbers.iter().map(i16::to_string).collect();
            format!(";{name}={}", list.join(","))
        }),
    ]
}

/// The parts of a rule that may or may not stand in it.
fn parts() -> impl Strategy<Value = [String; 8]> {
    [
        part("BYMONTH", 1..=12, 4).boxed(),
        part("BYWEEKNO", -53..=53, 4).boxed(),
        part("BYYEARDAY", -366..=366, 5).boxed(),
        part("BYMONTHDAY", -31..=31, 4).boxed(),
        part("BYHOUR", 0..=23, 2).boxed(),
        part("BYMINUTE", 0..=59, 3).boxed(),
        part("BYSECOND", 0..=60, 3).boxed(),
        part("BYSETPOS", -5..=5, 3).boxed(),
    ]
}

/// Rules of every shape that the standard defines, and their starts.
fn rules() -> impl Strategy<Value = (String, DateTime)> {
    let days = prop::collection::vec((0..7usize, -5..=5i16), 0..4);
    let interval = prop_oneof![
        3 => 1..5u32,
        1 => prop::sample::select(vec![7u32, 24, 25, 36, 60, 90, 1_440, 3_600, 5_000])
    ];
    let start = (1990..2035i16, 1..=366i16, 0..24i8, 0..60i8, 0..60i8).prop_map(|(year, day, hour, minute, second)| {
        date(year, 1, 1).checked_add(i64::from(day - 1).days()).unwrap().at(hour, minute, second, 0)
    });
    let count = prop::option::of(1..40u32);
    ((0..7usize, interval, count, 0..7usize), parts(), days, start).prop_map(
        |((frequency, interval, count, week), parts, days, start)| {
            let of_year = |part: &str| frequency == 0 || !part.starts_with(";BYWEEKNO");
            let of_days = |part: &str| frequency == 0 || frequency > 3 || !part.starts_with(";BYYEARDAY");
            let of_months = |part: &str| frequency != 2 || !part.starts_with(";BYMONTHDAY");
            let parts: Vec<&String> =
                parts.iter().filter(|part| of_year(part) && of_days(part) && of_months(part)).collect();
            let is_numbered = frequency < 2 && !parts.iter().any(|part| part.starts_with(";BYWEEKNO"));
            let mut rule = format!("FREQ={};INTERVAL={interval};WKST={}", FREQUENCIES[frequency], WEEKDAYS[week]);
            if let Some(count) = count {
                rule.push_str(&format!(";COUNT={count}"));
            }
            if !days.is_empty() {
                let day = |(day, nth): &(usize, i16)| match nth {
                    0 => WEEKDAYS[*day].to_owned(),
                    _ if !is_numbered => WEEKDAYS[*day].to_owned(),
                    nth => format!("{nth}{}", WEEKDAYS[*day]),
                };
                rule.push_str(&format!(";BYDAY={}", days.iter().map(day).collect::<Vec<_>>().join(",")));
            }
            for part in parts.iter().filter(|part| !part.starts_with(";BYSETPOS")) {
                rule.push_str(part);
            }
            // Positions choose among what another part means.
            if rule.contains(";BY") {
                rule.push_str(parts.last().unwrap());
            }
            (rule, start)
        },
    )
}

fn without(text: &str, name: &str) -> String {
    text.split(';').filter(|part| !part.starts_with(name)).collect::<Vec<_>>().join(";")
}

proptest! {
    #![proptest_config(cases(100))]

    /// Rules of every frequency, with weeks of a year, times of day, positions and weeks that begin on any day, to wherever
    /// one looks.
    ///
    /// proves: C7, C9
    #[test]
    fn rules_mean_what_a_walk_over_all_times_finds((text, start) in rules(), part in 0..=1_000i64) {
        let rule = Rule::read(&text).unwrap();
        let walked = walk(&rule, start);
        // What is wanted to a time includes that time.
        let one = walked.times.get(usize::try_from(part).unwrap() % walked.times.len().max(1)).copied();
        for to in [walked.to, one.unwrap_or(start)] {
            let wanted: Vec<DateTime> = walked.times.iter().copied().filter(|at| *at <= to).collect();
            let found: Vec<DateTime> = Times::new(&rule, start, start, to).collect();
            prop_assert_eq!(found, wanted, "{} from {} to {}", text, start, to);
        }
    }

    /// Without a count, whoever looks from later on finds what the walk does.
    ///
    /// proves: C7
    #[test]
    fn looking_from_later_on_finds_what_the_walk_does((text, start) in rules(), part in 0..=1_000i64) {
        let text = without(&text, "COUNT");
        let rule = Rule::read(&text).unwrap();
        let walked = walk(&rule, start);
        let from = start + (start.duration_until(walked.to) * i32::try_from(part).unwrap() / 1_000);
        let wanted: Vec<DateTime> = walked.times.into_iter().filter(|at| *at >= from).collect();
        let found: Vec<DateTime> = Times::new(&rule, start, from, walked.to).filter(|at| *at >= from).collect();
        prop_assert_eq!(found, wanted, "{} from {}, later {}", text, start, from);
    }

    /// Whatever a rule names, and however much of it: a time that is made counts as work as a time that is given does, and so
    /// does a position that is looked for. What is chosen by its position says how many periods were worked through.
    ///
    /// proves: C9
    #[test]
    fn no_rule_takes_more_work_than_it_may(
        frequency in 3..7usize, minutes in 0..=60i16, seconds in 0..=60i16, positions in 1..=366i16, counted: bool,
    ) {
        let list = |name: &str, to: i16, from: i16| match to > from {
            true => format!(";{name}={}", (from..to).map(|n| n.to_string()).collect::<Vec<_>>().join(",")),
            false => String::new(),
        };
        let count = if counted { ";COUNT=4000000000" } else { "" };
        let lists = [list("BYMINUTE", minutes, 0), list("BYSECOND", seconds, 0), list("BYSETPOS", positions + 1, 1)].concat();
        let text = format!("FREQ={}{count}{lists}", FREQUENCIES[frequency]);
        let rule = Rule::read(&text).unwrap();
        let start = date(1926, 1, 1).at(0, 0, 0, 0);
        let mut times = Times::new(&rule, start, start, DateTime::MAX);
        let (mut given, mut periods, mut last) = (0u32, 0u32, None);
        for at in times.by_ref() {
            let period = day_period(&rule, at.date()) + time_number(&rule, at);
            (given, periods) = (given + 1, periods + u32::from(last.replace(period) != Some(period)));
        }
        let made = |unit: Frequency, list: i16| if rule.frequency < unit { u32::from(list.unsigned_abs().max(1)) } else { 1 };
        let fresh = if rule.frequency > Frequency::Daily { made(Frequency::Minutely, minutes) * made(Frequency::Secondly, seconds) } else { 0 };
        let looked_for = u32::from(positions.unsigned_abs());
        prop_assert!(times.exhausted(), "{}", text);
        prop_assert!(given + (periods.saturating_sub(1)) * (fresh + looked_for) <= WORK_MAX, "{} of {}: {}", given, periods, text);
    }

    /// The end of a rule is the last time that it means, to the second.
    ///
    /// proves: C7, C9
    #[test]
    fn a_rule_ends_when_it_says((text, start) in rules(), nth in 0..60usize, seconds in -1..=1i64) {
        let text = without(&text, "COUNT");
        let rule = Rule::read(&text).unwrap();
        let walked = walk(&rule, start);
        let meant = walked.times.iter().filter(|at| **at + 4.days() < walked.to).nth(nth).copied();
        let until = meant.unwrap_or(start) + seconds.seconds();
        let mut content = Content::new(Moment::Floating(start), Moment::Floating(start));
        content.recurrence = vec![format!("RRULE:{text};UNTIL={}", until.strftime("%Y%m%dT%H%M%S"))];
        let found = expand(&content, &Default::default(), Window::ALL, &jiff::tz::TimeZone::UTC).unwrap();
        let mut wanted: Vec<DateTime> = walked.times.into_iter().filter(|at| *at <= until).collect();
        let is_out_of_step = wanted.first() != Some(&start);
        if is_out_of_step {
            wanted.insert(0, start);
        }
        let plain = |moment: &Moment| if let Moment::Floating(at) = moment { *at } else { unreachable!() };
        let found: Vec<DateTime> = found.occurrences.iter().map(|one| plain(&one.start)).collect();
        prop_assert!(wanted.len() < OCCURRENCES_MAX);
        prop_assert_eq!(found, wanted, "{}", content.recurrence[0]);
    }
}
