//! Rules against what others found out about them: the cases of libical, another implementation, and a walk over every
//! single day.

use std::collections::BTreeMap;

use jiff::{
    ToSpan,
    civil::{Date, DateTime, date},
    tz::TimeZone,
};
use proptest::prelude::*;

use super::cases;
use crate::calendar::{
    event::{Content, Moment},
    recur::{Cap, Expansion, Frequency, Rule, Times, Window, expand},
};

const INSTANCES: &str = include_str!("../../../testdata/libical/instances.tsv");
const COUNTS: &str = include_str!("../../../testdata/libical/counts.tsv");

/// Where we differ from libical, by rule and start, and why. One that no longer differs has to be taken off the list.
const DIFFERENCES: &[(&str, &str, &str)] = &[(
    "FREQ=YEARLY;BYWEEKNO=53;INTERVAL=5;BYDAY=TH;COUNT=1",
    "20270103T000000Z",
    "the start lies in the last week of 2026 and is not meant by the rule; here libical counts the interval from the year \
     of its date, and in its other cases from the year of its week, as we always do",
)];

fn moment(text: &str) -> Moment {
    match text.split_once('T') {
        Some(_) if text.ends_with('Z') => {
            Moment::utc(TimeZone::UTC.to_timestamp(local(text.trim_end_matches('Z'))).unwrap())
        }
        Some(_) => Moment::Floating(local(text)),
        None => Moment::Day(local(text).date()),
    }
}

fn local(text: &str) -> DateTime {
    match text.contains('T') {
        true => DateTime::strptime("%Y%m%dT%H%M%S", text.trim_end_matches('Z')).unwrap(),
        false => Date::strptime("%Y%m%d", text).unwrap().at(0, 0, 0, 0),
    }
}

fn series(start: Moment, lines: &[&str]) -> Content {
    let mut content = Content::new(start.clone(), start);
    content.recurrence = lines.iter().map(|line| (*line).to_owned()).collect();
    content
}

fn whole(content: &Content) -> Expansion {
    expand(content, &BTreeMap::new(), Window::ALL, &TimeZone::UTC).unwrap()
}

/// The occurrences of a rule alone: without a start that the rule does not mean.
fn starts(start: &str, rule: &str) -> Vec<DateTime> {
    let found = whole(&series(moment(start), &[&format!("RRULE:{rule}")]));
    assert_eq!(found.capped, None, "{rule}");
    let skipped = usize::from(found.out_of_step);
    let local = |at: &Moment| match at {
        Moment::Day(day) => day.at(0, 0, 0, 0),
        Moment::Floating(local) => *local,
        Moment::At { at, .. } => at.to_zoned(TimeZone::UTC).datetime(),
    };
    found.occurrences.iter().skip(skipped).map(|one| local(&one.start)).collect()
}

/// proves: C7, C9
#[test]
fn rules_mean_what_libical_says() {
    let mut different = Vec::new();
    let mut compared = 0;
    for line in INSTANCES.lines() {
        let [rule, start, seek, wanted] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
        if wanted == "!" {
            continue;
        }
        compared += 1;
        let from = if seek == "-" { DateTime::MIN } else { local(seek) };
        let time = start.get(8..).unwrap_or_default();
        let wanted: Vec<DateTime> = wanted
            .split(' ')
            .map(|one| local(&if one.contains('T') { one.to_owned() } else { format!("{one}{time}") }))
            .filter(|at| *at >= from)
            .collect();
        let found: Vec<DateTime> = starts(start, rule).into_iter().filter(|at| *at >= from).collect();
        let is_known = DIFFERENCES.iter().any(|(known, at, _)| *known == rule && *at == start);
        if (found == wanted) == is_known {
            different.push(format!("{rule} from {start}\n  found  {found:?}\n  wanted {wanted:?}"));
        }
    }
    assert!(compared > 100, "only {compared} cases are there");
    assert!(different.is_empty(), "{}", different.join("\n"));
}

/// proves: C7
#[test]
fn series_have_as_many_occurrences_as_libical_counts() {
    for line in COUNTS.lines() {
        let [start, count, lines] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let (parameters, at) = start.split_once(':').unwrap();
        let start = match parameters.strip_prefix(";TZID=") {
            Some(zone) => Moment::local(local(at), zone).unwrap(),
            None => moment(at),
        };
        let lines: Vec<&str> = lines.split(' ').collect();
        let found = whole(&series(start, &lines));
        let outside = usize::from(found.out_of_step);
        assert_eq!(found.occurrences.len() - outside, count.parse::<usize>().unwrap(), "{line}");
    }
}

fn list(numbers: Vec<i16>) -> String {
    numbers.iter().map(i16::to_string).collect::<Vec<_>>().join(",")
}

fn part(name: &'static str, range: std::ops::RangeInclusive<i16>, most: usize) -> impl Strategy<Value = String> {
    let numbers = prop::collection::vec(range.prop_filter("zero counts nothing", |n| *n != 0), 1..=most);
    prop_oneof![
        2 => Just(String::new()),
        1 => numbers.prop_map(move |numbers| format!(";{name}={}", list(numbers))),
    ]
}

/// Rules as calendars have them: everything but weeks of a year.
fn rules() -> impl Strategy<Value = (String, DateTime)> {
    let days = prop::collection::vec((0..7usize, -2..=4i16), 1..4);
    let days = prop_oneof![1 => Just(Vec::new()), 1 => days];
    let numbered = part("BYMONTHDAY", -31..=31, 3);
    let start = (1990i16..2035, 1..=366i16, 0..24i8, 0..60i8).prop_map(|(year, day, hour, minute)| {
        date(year, 1, 1).checked_add(i64::from(day - 1).days()).unwrap().at(hour, minute, 0, 0)
    });
    let positions = part("BYSETPOS", -3..=3, 2);
    let of_year = part("BYYEARDAY", -366..=366, 3);
    (
        (0..4usize, 1..5u32, 1..40u32),
        (part("BYMONTH", 1..=12, 3), numbered, of_year, positions),
        days,
        (0..7usize, start),
    )
        .prop_map(
            |((frequency, interval, count), (months, month_days, year_days, positions), days, (week, start))| {
                const NAMES: [&str; 7] = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];
                let mut rule = format!("FREQ={}", ["YEARLY", "MONTHLY", "WEEKLY", "DAILY"][frequency]);
                rule.push_str(&format!(";INTERVAL={interval};COUNT={count};WKST={}", NAMES[week]));
                rule.push_str(&months);
                if frequency != 2 {
                    rule.push_str(&month_days);
                }
                if frequency == 0 {
                    rule.push_str(&year_days);
                }
                let is_numbered = frequency < 2;
                let day = |(day, nth): &(usize, i16)| match nth {
                    0 => NAMES[*day].to_owned(),
                    _ if !is_numbered => NAMES[*day].to_owned(),
                    nth => format!("{nth}{}", NAMES[*day]),
                };
                if !days.is_empty() {
                    rule.push_str(&format!(";BYDAY={}", days.iter().map(day).collect::<Vec<_>>().join(",")));
                }
                if rule.contains(";BY") {
                    rule.push_str(&positions);
                }
                (rule, start)
            },
        )
}

/// The walk ends here; rules that mean so little are not compared further.
const WALK_DAYS: i64 = 3_000;

/// The first times of a rule, found by asking of each day whether it fits. Slow, and written from the standard's own table
/// of what each part does to each frequency.
fn walk(rule: &Rule, start: DateTime) -> Vec<DateTime> {
    let period = |day: Date| -> i64 {
        let week = |day: Date| {
            let since = i64::from(rule.week_start.until(day.weekday()));
            (day - since.days()).duration_since(date(1900, 1, 1)).as_hours() / 24 / 7
        };
        match rule.frequency {
            Frequency::Yearly => i64::from(day.year()),
            Frequency::Monthly => i64::from(day.year()) * 12 + i64::from(day.month()),
            Frequency::Weekly => week(day),
            _ => day.duration_since(date(1900, 1, 1)).as_hours() / 24,
        }
    };
    let first = period(start.date());
    let mut periods: BTreeMap<i64, Vec<Date>> = BTreeMap::new();
    let begin = start.date() - 400.days();
    for n in 0..WALK_DAYS {
        let day = begin + n.days();
        let number = period(day);
        let is_on = number >= first && (number - first) % i64::from(rule.interval) == 0;
        if is_on && means(rule, start.date(), day) {
            periods.entry(number).or_default().push(day);
        }
    }
    let chosen = periods.into_values().flat_map(|days| {
        if rule.positions.is_empty() {
            return days;
        }
        let at = |position: i16| {
            let index = if position > 0 { position - 1 } else { days.len() as i16 + position };
            usize::try_from(index).ok().and_then(|index| days.get(index)).copied()
        };
        let mut some: Vec<Date> = rule.positions.iter().filter_map(|position| at(*position)).collect();
        some.sort();
        some.dedup();
        some
    });
    let limit = rule.count.unwrap_or(u32::MAX) as usize;
    chosen.filter(|day| *day >= start.date()).map(|day| day.to_datetime(start.time())).take(limit).collect()
}

fn means(rule: &Rule, start: Date, day: Date) -> bool {
    let counts = |all: &[i16], up: i16, down: i16| all.is_empty() || all.contains(&up) || all.contains(&-down);
    let of_month = |day: Date| {
        let (mut up, mut down) = (1, 1);
        let mut other = day;
        while other.month() == (other - 1.week()).month() {
            other -= 1.week();
            up += 1;
        }
        other = day;
        while other.month() == (other + 1.week()).month() {
            other += 1.week();
            down += 1;
        }
        (up, down)
    };
    let of_year = |day: Date| ((day.day_of_year() - 1) / 7 + 1, (day.days_in_year() - day.day_of_year()) / 7 + 1);
    let weekday = rule.days.iter().any(|wanted| {
        let (up, down) = match rule.frequency {
            Frequency::Yearly if rule.months.is_empty() => of_year(day),
            _ => of_month(day),
        };
        wanted.weekday() == day.weekday() && (wanted.nth == 0 || wanted.nth == up || wanted.nth == -down)
    });
    let month_end = i16::from(day.days_in_month() - day.day() + 1);
    let is_of_no_month =
        rule.frequency == Frequency::Yearly && !rule.month_days.is_empty() && rule.year_days.is_empty();
    let months = if is_of_no_month && rule.months.is_empty() { &vec![i16::from(start.month())] } else { &rule.months };
    let fits = counts(months, i16::from(day.month()), 99)
        && counts(&rule.month_days, i16::from(day.day()), month_end)
        && counts(&rule.year_days, day.day_of_year(), day.days_in_year() - day.day_of_year() + 1)
        && (rule.days.is_empty() || weekday);
    let is_open = rule.days.is_empty() && rule.month_days.is_empty() && rule.year_days.is_empty();
    fits && match rule.frequency {
        _ if !is_open => true,
        Frequency::Yearly => day.day() == start.day() && (!rule.months.is_empty() || day.month() == start.month()),
        Frequency::Monthly => day.day() == start.day(),
        Frequency::Weekly => day.weekday() == start.weekday(),
        _ => true,
    }
}

/// Why the other implementation is not asked about a rule.
fn is_known_to_differ(rule: &Rule) -> bool {
    // It takes positions from what is left of the first week, and not from the whole of it.
    let is_partial = rule.frequency == Frequency::Weekly && !rule.positions.is_empty();
    // It takes days of the month from every month of the year, and not from that of the start.
    let is_of_no_month = rule.frequency == Frequency::Yearly && rule.months.is_empty() && !rule.month_days.is_empty();
    // It forgets the plain days of the week beside numbered ones.
    let is_mixed = rule.days.iter().any(|day| day.nth == 0) && rule.days.iter().any(|day| day.nth != 0);
    is_partial || is_of_no_month || is_mixed
}

/// The first times of a rule as the other implementation has them.
fn others(text: &str, start: DateTime, most: usize) -> Option<Vec<DateTime>> {
    let text = format!("DTSTART:{}Z\nRRULE:{text}", start.strftime("%Y%m%dT%H%M%S"));
    let set: rrule::RRuleSet = text.parse().ok()?;
    let times = set.limit().into_iter().take(most);
    Some(times.map(|at| local(&at.naive_utc().format("%Y%m%dT%H%M%S").to_string())).collect())
}

proptest! {
    #![proptest_config(cases(60))]

    /// proves: C7, C9
    #[test]
    fn rules_mean_what_a_walk_over_all_days_finds((text, start) in rules()) {
        let rule = Rule::read(&text).unwrap();
        let wanted = walk(&rule, start);
        // Periods that begin later may have been cut.
        let to = start + (WALK_DAYS - 800).days();
        let wanted: Vec<DateTime> = wanted.into_iter().filter(|at| *at <= to).collect();
        let found: Vec<DateTime> = Times::new(&rule, start, start, to).collect();
        prop_assert_eq!(found, wanted, "{}", text);
    }

    /// proves: C7, C9
    #[test]
    fn rules_mean_what_another_implementation_finds((text, start) in rules()) {
        let rule = Rule::read(&text).unwrap();
        if !is_known_to_differ(&rule) && let Some(wanted) = others(&text, start, 20) {
            let to = wanted.last().copied().filter(|_| wanted.len() == 20).unwrap_or(start + 30.years());
            let wanted: Vec<DateTime> = wanted.into_iter().filter(|at| *at <= to).collect();
            let found: Vec<DateTime> = Times::new(&rule, start, start, to).take(20).collect();
            prop_assert_eq!(found, wanted, "{}", text);
        }
    }

    /// A rule that need not be counted gives the same times whether one looks from its beginning or from later on.
    ///
    /// proves: C7
    #[test]
    fn looking_from_later_on_finds_the_same((text, start) in rules(), days in 0..9_000i64) {
        let text: String = text.split(';').filter(|part| !part.starts_with("COUNT")).collect::<Vec<_>>().join(";");
        let rule = Rule::read(&text).unwrap();
        let (from, to) = (start + days.days(), start + (days + 800).days());
        let all: Vec<DateTime> = Times::new(&rule, start, start, to).filter(|at| *at >= from).collect();
        let later: Vec<DateTime> = Times::new(&rule, start, from, to).filter(|at| *at >= from).collect();
        prop_assert_eq!(all, later, "{}", text);
    }

    /// Words about a rule, put together in any way, are a rule or a fault, and a rule says the same again.
    ///
    /// proves: C9
    #[test]
    fn any_text_is_a_rule_or_a_fault(
        parts in prop::collection::vec("(FREQ|INTERVAL|COUNT|UNTIL|BYDAY|BYSETPOS|BYWEEKNO|BYHOUR|X-A|SKIP)=[A-Z0-9,+-]{0,6}", 0..5),
        noise in ".{0,12}",
    ) {
        let text = format!("FREQ=DAILY;{};{noise}", parts.join(";"));
        if let Ok(rule) = Rule::read(&text) {
            prop_assert_eq!(Rule::read(&rule.to_string()).unwrap(), rule);
        }
    }
}

/// The rules of libical that the other implementation reads otherwise than we and libical do, and why. One that no longer
/// differs has to be taken off the list.
#[test]
fn the_other_implementation_differs_where_it_is_known_to() {
    let mut differing: BTreeMap<&str, usize> = BTreeMap::new();
    for line in INSTANCES.lines() {
        let [rule, start, ..] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
        if rule.contains("UNTIL") || !start.contains('T') {
            continue;
        }
        let ours = starts(start, rule);
        let theirs = others(rule, local(start), 100);
        if theirs.as_ref() != Some(&ours) {
            let why = match () {
                () if theirs.is_none() => "refused",
                () if rule.contains("BYWEEKNO") => "weeks of a year",
                () if rule.contains("WEEKLY") && rule.contains("BYSETPOS") => "positions in a partial first week",
                () if rule.contains("YEARLY") && rule.contains("BYMONTHDAY") => "days of no month",
                () => panic!("{rule} from {start}\n  ours   {ours:?}\n  theirs {theirs:?}"),
            };
            *differing.entry(why).or_default() += 1;
        }
    }
    insta::assert_debug_snapshot!(differing, @r#"
    {
        "positions in a partial first week": 1,
        "weeks of a year": 3,
    }
    "#);
}

/// proves: C9
#[test]
fn absurd_rules_end_soon_and_say_so() {
    let start = Moment::utc("1926-01-01T00:00:00Z".parse().unwrap());
    let window = Window { from: "2026-01-01T00:00:00Z".parse().unwrap(), to: "2026-02-01T00:00:00Z".parse().unwrap() };
    let times = (0..60).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
    let hours = (0..24).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
    let every = format!("FREQ=YEARLY;BYHOUR={hours};BYMINUTE={times};BYSECOND={times};BYDAY=MO,TU,WE,TH,FR,SA,SU");
    for (rule, capped) in [
        ("FREQ=SECONDLY", Some(Cap::Occurrences)),
        ("FREQ=SECONDLY;COUNT=4000000000", Some(Cap::Work)),
        ("FREQ=SECONDLY;BYHOUR=9;BYMINUTE=0;BYSECOND=0", None),
        ("FREQ=MINUTELY;BYMONTH=2;BYMONTHDAY=30", None),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", None),
        ("FREQ=HOURLY;INTERVAL=4294967295", None),
        ("FREQ=WEEKLY;INTERVAL=4294967295;BYDAY=MO", None),
        ("FREQ=DAILY;BYSETPOS=366;BYHOUR=1", None),
        ("FREQ=YEARLY;BYWEEKNO=53;BYSETPOS=-366", None),
        (every.as_str(), Some(Cap::Occurrences)),
    ] {
        let content = series(start.clone(), &[&format!("RRULE:{rule}")]);
        let found = expand(&content, &BTreeMap::new(), window, &TimeZone::UTC).unwrap();
        assert_eq!(found.capped, capped, "{rule}");
        let everything = expand(&content, &BTreeMap::new(), Window::ALL, &TimeZone::UTC).unwrap();
        assert!(everything.occurrences.len() <= crate::calendar::recur::OCCURRENCES_MAX, "{rule}");
    }
}
