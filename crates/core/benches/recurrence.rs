//! What series cost: `cargo bench -p syncline-core --bench recurrence`.
//!
//! Occurrences that one core works out in a second: a meeting of ten years in a zone with daylight saving, the same with
//! overrides and exceptions, a look at one month of it, and the rules that the tests have from libical. Under `cargo test`
//! a few are worked out, so that it cannot rot.

use std::{collections::BTreeMap, hint::black_box, time::Instant};

use jiff::{
    SignedDuration, Timestamp, ToSpan,
    civil::{Date, DateTime, date},
    tz::TimeZone,
};
use syncline_core::calendar::{
    event::{Content, Moment},
    identity::Rid,
    recur::{Override, Prepared, Window, expand},
};

const INSTANCES: &str = include_str!("../testdata/libical/instances.tsv");

const BERLIN: &str = "Europe/Berlin";

/// Weeks of the ten years: `2026-01-05` and the 521 Mondays until the end of 2035.
const WEEKS: usize = 522;

/// Seconds on the processor where the system tells them, for a machine that does other things too; else on the wall.
fn spent(began: Instant) -> f64 {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanos = told.and_then(|text| text.split(' ').next()?.parse::<f64>().ok());
    nanos.map_or_else(|| began.elapsed().as_secs_f64(), |nanos| nanos / 1e9)
}

fn at(local: DateTime) -> Moment {
    Moment::local(local, BERLIN).expect("the zone is known")
}

fn weekly(lines: &[&str]) -> Content {
    let start = date(2026, 1, 5).at(9, 0, 0, 0);
    let mut content = Content::new(at(start), at(start + SignedDuration::from_hours(1)));
    content.recurrence = lines.iter().map(|line| (*line).to_owned()).collect();
    content
}

/// Every twentieth was moved by a day.
fn moved() -> BTreeMap<Rid, Override> {
    let zone = TimeZone::get(BERLIN).expect("the zone is known");
    let start = date(2026, 1, 5).at(9, 0, 0, 0);
    let week = |number: usize| start + i64::try_from(number).expect("few").weeks();
    (0..WEEKS)
        .step_by(20)
        .skip(1)
        .map(|number| {
            let times = (at(week(number) + 1.day()), at(week(number) + 1.day() + 1.hour()));
            let own = Override { and_following: false, cancelled: false, times: Some(times) };
            (Rid::of(&at(week(number)), &zone), own)
        })
        .collect()
}

/// The rules of the tests that mean anything, with their starts.
fn rules() -> Vec<Content> {
    let content = |line: &str| {
        let [rule, start, _, wanted] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let plain = start.trim_end_matches('Z');
        let start = match (plain.contains('T'), plain == start) {
            (false, _) => Moment::Day(Date::strptime("%Y%m%d", plain).expect("a day")),
            (true, floating) => {
                let local = DateTime::strptime("%Y%m%dT%H%M%S", plain).expect("a time");
                let in_utc = || Moment::utc(TimeZone::UTC.to_timestamp(local).expect("an instant"));
                if floating { Moment::Floating(local) } else { in_utc() }
            }
        };
        let mut content = Content::new(start.clone(), start);
        content.recurrence = vec![format!("RRULE:{rule}")];
        (wanted != "!").then_some(content)
    };
    INSTANCES.lines().filter_map(content).collect()
}

/// Looks again and again at what `look` finds, and says how many that are in a second.
fn measured(name: &str, rounds: usize, look: impl Fn() -> usize) {
    let began = Instant::now();
    let start = spent(began);
    let found: usize = (0..rounds).map(|_| look()).sum();
    let seconds = (spent(began) - start).max(f64::EPSILON);
    let rate = |count: usize| f64::from(u32::try_from(count).expect("few enough")) / seconds;
    println!("{name:<52} {:>12.0}/s {:>12.0}/s", rate(found), rate(rounds));
}

fn main() {
    let full = std::env::args().any(|arg| arg == "--bench");
    let rounds = if full { 2_000 } else { 1 };
    if !full {
        println!("A few occurrences, to see that the benchmark works; these are no figures.");
    }
    let home = TimeZone::get(BERLIN).expect("the zone is known");
    let none = BTreeMap::new();
    let counted = |content: &Content, overrides: &BTreeMap<Rid, Override>, wanted: usize| {
        let found = expand(black_box(content), overrides, Window::ALL, &home).expect("the rule can be read");
        assert_eq!((found.occurrences.len(), found.capped), (wanted, None));
        black_box(found).occurrences.len()
    };
    println!("{:<52} {:>14} {:>14}", "figure", "occurrences", "looks");
    let plain = weekly(&[&format!("RRULE:FREQ=WEEKLY;COUNT={WEEKS}")]);
    measured("weekly over ten years, daylight saving", rounds, || counted(&plain, &none, WEEKS));
    let (overrides, left_out) = (moved(), 2);
    let lines =
        [format!("RRULE:FREQ=WEEKLY;COUNT={WEEKS}"), format!("EXDATE;TZID={BERLIN}:20260112T090000,20260119T090000")];
    let special = weekly(&[&lines[0], &lines[1]]);
    let name = format!("… with {} moved and {left_out} left out", overrides.len());
    measured(&name, rounds, || counted(&special, &overrides, WEEKS - left_out));
    let day = |text: &str| text.parse::<Timestamp>().expect("an instant");
    let month = Window { from: day("2035-06-01T00:00:00Z"), to: day("2035-07-01T00:00:00Z") };
    let endless = weekly(&["RRULE:FREQ=WEEKLY"]);
    measured("one month of it, nine years after its start", 10 * rounds, || {
        let found = expand(black_box(&endless), &none, month, &home).expect("the rule can be read");
        assert_eq!(found.occurrences.len(), 4);
        black_box(found).occurrences.len()
    });
    let read = Prepared::new(&endless, &none, &home).expect("the rule can be read");
    measured("… of a series that is read already", 10 * rounds, || black_box(read.expand(month)).occurrences.len());
    let rules = rules();
    let name = format!("{} rules of libical's tests, a look at each", rules.len());
    measured(&name, rounds.div_ceil(20), || {
        let found = |content: &Content| expand(black_box(content), &none, Window::ALL, &TimeZone::UTC);
        rules.iter().map(|rule| found(rule).expect("the rule can be read").occurrences.len()).sum()
    });
}
