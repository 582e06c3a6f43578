//! Series in zones, with exceptions and overrides.

use std::collections::BTreeMap;

use jiff::{
    SignedDuration, Timestamp,
    civil::{DateTime, date},
    tz::TimeZone,
};
use proptest::prelude::*;

use super::cases;
use crate::calendar::{
    event::{Content, Moment},
    identity::Rid,
    recur::{Cap, Expansion, Fault, Override, Prepared, Recurrence, Source, Window, expand},
    zone::zone,
};

const BERLIN: &str = "Europe/Berlin";

fn at(local: DateTime, zone: &str) -> Moment {
    Moment::local(local, zone).unwrap()
}

fn hourlong(start: DateTime, zone: &str, lines: &[&str]) -> Content {
    let end = start + SignedDuration::from_hours(1);
    let mut content = Content::new(at(start, zone), at(end, zone));
    content.recurrence = lines.iter().map(|line| (*line).to_owned()).collect();
    content
}

fn days(first: i8, lines: &[&str]) -> Content {
    let mut content = Content::new(Moment::Day(date(2026, 3, first)), Moment::Day(date(2026, 3, first + 1)));
    content.recurrence = lines.iter().map(|line| (*line).to_owned()).collect();
    content
}

fn all(content: &Content) -> Expansion {
    with(content, &BTreeMap::new())
}

fn with(content: &Content, overrides: &BTreeMap<Rid, Override>) -> Expansion {
    expand(content, overrides, Window::ALL, &zone(BERLIN).unwrap()).unwrap()
}

fn starts(expansion: &Expansion) -> Vec<String> {
    let text = |moment: &Moment| match moment {
        Moment::At { at, zone: name } => at.to_zoned(zone(name).unwrap()).strftime("%m-%d %H:%M%z").to_string(),
        Moment::Floating(local) => local.strftime("%m-%d %H:%M").to_string(),
        Moment::Day(day) => day.strftime("%m-%d").to_string(),
    };
    expansion.occurrences.iter().map(|one| text(&one.start)).collect()
}

fn rid(text: &str) -> Rid {
    text.parse().unwrap()
}

fn moved(start: DateTime, zone: &str) -> Override {
    let end = start + SignedDuration::from_hours(2);
    Override { and_following: false, cancelled: false, times: Some((at(start, zone), at(end, zone))) }
}

const CANCELLED: Override = Override { and_following: false, cancelled: true, times: None };

/// proves: C9
#[test]
fn a_meeting_at_nine_stays_at_nine() {
    let weekly = hourlong(date(2026, 3, 16).at(9, 0, 0, 0), BERLIN, &["RRULE:FREQ=WEEKLY;COUNT=4"]);
    assert_eq!(starts(&all(&weekly)), ["03-16 09:00+0100", "03-23 09:00+0100", "03-30 09:00+0200", "04-06 09:00+0200"]);
}

/// proves: C9
#[test]
fn a_time_that_is_left_out_moves_forward_and_a_doubled_one_is_the_first() {
    let gap = hourlong(date(2026, 3, 27).at(2, 30, 0, 0), BERLIN, &["RRULE:FREQ=DAILY;COUNT=4"]);
    assert_eq!(starts(&all(&gap))[1..3], ["03-28 02:30+0100", "03-29 03:30+0200"]);
    let fold = hourlong(date(2026, 10, 24).at(2, 30, 0, 0), BERLIN, &["RRULE:FREQ=DAILY;COUNT=3"]);
    assert_eq!(starts(&all(&fold)), ["10-24 02:30+0200", "10-25 02:30+0200", "10-26 02:30+0100"]);
}

/// A series that begins in the hour which the clock shows twice begins in the one that was meant.
///
/// proves: C9
#[test]
fn the_start_knows_which_of_two_hours_it_is() {
    let second = "2026-10-25T01:30:00Z".parse().unwrap();
    let start = Moment::At { at: second, zone: BERLIN.to_owned() };
    let mut content = Content::new(start.clone(), start);
    content.recurrence = vec!["RRULE:FREQ=DAILY;COUNT=2".to_owned()];
    assert_eq!(starts(&all(&content)), ["10-25 02:30+0100", "10-26 02:30+0100"]);
    assert_eq!(all(&content).occurrences[0].rid, Rid::At(second));
}

/// The last occurrence of a series with an end belongs to it, in whatever form the end is written.
///
/// proves: C9
#[test]
fn the_end_of_a_series_counts_as_it_was_meant() {
    let first = date(2026, 1, 5).at(9, 0, 0, 0);
    for until in ["20260119T080000Z", "20260119T090000", "20260119"] {
        let weekly = hourlong(first, BERLIN, &[&format!("RRULE:FREQ=WEEKLY;UNTIL={until}")]);
        assert_eq!(all(&weekly).occurrences.len(), 3, "{until}");
    }
    for until in ["20260119T075959Z", "20260119T085959", "20260118"] {
        let weekly = hourlong(first, BERLIN, &[&format!("RRULE:FREQ=WEEKLY;UNTIL={until}")]);
        assert_eq!(all(&weekly).occurrences.len(), 2, "{until}");
    }
    // A day as midnight in the calendar's own zone, as midnight in UTC, and as itself.
    for until in ["20260317T230000Z", "20260318T000000Z", "20260318", "20260318T000000"] {
        let daily = days(16, &[&format!("RRULE:FREQ=DAILY;UNTIL={until}")]);
        assert_eq!(starts(&all(&daily)), ["03-16", "03-17", "03-18"], "{until}");
    }
}

/// proves: C9
#[test]
fn an_exception_in_any_form_takes_the_same_occurrence_away() {
    let first = date(2026, 3, 23).at(9, 0, 0, 0);
    for exception in [
        "EXDATE:20260330T070000Z",
        "EXDATE;TZID=Europe/Berlin:20260330T090000",
        "EXDATE;TZID=\"W. Europe Standard Time\":20260330T090000",
        "exdate;TZID=America/New_York:20260330T030000",
        "EXDATE;VALUE=DATE:20260330",
        "EXDATE:20260330T090000",
        "EXDATE:20250101T000000Z,20260330T070000Z",
        "EXRULE:FREQ=WEEKLY;INTERVAL=3;BYDAY=MO;UNTIL=20260330T235959Z;BYMONTHDAY=30",
    ] {
        let weekly = hourlong(first, BERLIN, &["RRULE:FREQ=WEEKLY;COUNT=3", exception]);
        let found = starts(&all(&weekly));
        if exception.starts_with("EXRULE") {
            assert_eq!(found.len(), 3, "a rule that begins with the series and means nothing in it");
        } else {
            assert_eq!(found, ["03-23 09:00+0100", "04-06 09:00+0200"], "{exception}");
        }
    }
    for exception in ["EXDATE;VALUE=DATE:20260317", "EXDATE:20260317T000000Z", "EXDATE:20260317T000000"] {
        let daily = days(16, &["RRULE:FREQ=DAILY;COUNT=3", exception]);
        assert_eq!(starts(&all(&daily)), ["03-16", "03-18"], "{exception}");
    }
}

/// proves: C7, C9
#[test]
fn added_dates_are_occurrences() {
    let first = date(2026, 3, 16).at(9, 0, 0, 0);
    let lines =
        ["RDATE;TZID=Europe/Berlin:20260320T090000,20260316T090000", "RDATE;VALUE=PERIOD:20260401T070000Z/PT3H"];
    let added = all(&hourlong(first, BERLIN, &lines));
    assert_eq!(starts(&added), ["03-16 09:00+0100", "03-20 09:00+0100", "04-01 09:00+0200"]);
    let last = added.occurrences.last().unwrap();
    let home = zone(BERLIN).unwrap();
    assert_eq!(last.end.instant(&home).duration_since(last.start.instant(&home)), SignedDuration::from_hours(3));
    assert!(!added.out_of_step);
}

/// proves: C7, C9
#[test]
fn an_override_replaces_one_occurrence_and_no_other() {
    let weekly = hourlong(date(2026, 3, 16).at(9, 0, 0, 0), BERLIN, &["RRULE:FREQ=WEEKLY;COUNT=4"]);
    let second = rid("20260323T080000Z");
    let overrides = BTreeMap::from([
        (second, moved(date(2026, 3, 24).at(15, 0, 0, 0), BERLIN)),
        (rid("20260330T070000Z"), CANCELLED),
        // Replaces nothing that the rule means, and stands for itself.
        (rid("20260501T070000Z"), moved(date(2026, 5, 2).at(9, 0, 0, 0), BERLIN)),
    ]);
    let found = with(&weekly, &overrides);
    assert_eq!(starts(&found), ["03-16 09:00+0100", "03-24 15:00+0100", "04-06 09:00+0200", "05-02 09:00+0200"]);
    assert_eq!(found.occurrences[1].rid, second);
    assert_eq!(found.occurrences[1].source, Source::Override(second));
    assert_eq!(found.occurrences[0].source, Source::Series);
}

/// An override of which only is known that it is there happens when the rule says.
///
/// proves: C8, C9
#[test]
fn an_override_without_times_stays_where_the_rule_has_it() {
    let weekly = hourlong(date(2026, 3, 16).at(9, 0, 0, 0), BERLIN, &["RRULE:FREQ=WEEKLY;COUNT=2"]);
    let second = rid("20260323T080000Z");
    let hidden = Override { and_following: false, cancelled: false, times: None };
    let found = with(&weekly, &BTreeMap::from([(second, hidden)]));
    assert_eq!(starts(&found), starts(&all(&weekly)));
    assert_eq!(found.occurrences[1].source, Source::Override(second));
}

/// proves: C7, C9
#[test]
fn this_and_following_moves_the_rest_of_the_series() {
    let weekly = hourlong(date(2026, 3, 16).at(9, 0, 0, 0), BERLIN, &["RRULE:FREQ=WEEKLY;COUNT=5"]);
    let from = rid("20260323T080000Z");
    let following = Override { and_following: true, ..moved(date(2026, 3, 24).at(10, 30, 0, 0), BERLIN) };
    let mut overrides = BTreeMap::from([(from, following), (rid("20260406T070000Z"), CANCELLED)]);
    let found = with(&weekly, &overrides);
    assert_eq!(starts(&found), ["03-16 09:00+0100", "03-24 10:30+0100", "03-31 10:30+0200", "04-14 10:30+0200"]);
    let home = zone(BERLIN).unwrap();
    let last = found.occurrences.last().unwrap();
    assert_eq!(last.end.instant(&home).duration_since(last.start.instant(&home)), SignedDuration::from_hours(2));
    assert_eq!((last.rid, last.source), (rid("20260413T070000Z"), Source::Override(from)));
    // A window sees what was moved into it.
    let window = Window { from: "2026-04-14T00:00:00Z".parse().unwrap(), to: "2026-04-15T00:00:00Z".parse().unwrap() };
    assert_eq!(starts(&expand(&weekly, &overrides, window, &home).unwrap()), ["04-14 10:30+0200"]);
    // Called off from there on.
    overrides.insert(from, Override { and_following: true, ..CANCELLED });
    assert_eq!(starts(&with(&weekly, &overrides)), ["03-16 09:00+0100"]);
}

/// proves: C9
#[test]
fn a_series_out_of_step_keeps_its_start_and_says_so() {
    let weekly = hourlong(date(2026, 3, 17).at(9, 0, 0, 0), BERLIN, &["RRULE:FREQ=WEEKLY;BYDAY=MO;COUNT=2"]);
    let found = all(&weekly);
    assert_eq!(starts(&found), ["03-17 09:00+0100", "03-23 09:00+0100", "03-30 09:00+0200"]);
    assert!(found.out_of_step);
}

/// proves: C9
#[test]
fn more_than_can_be_shown_is_told() {
    let daily = hourlong(date(2026, 3, 16).at(9, 0, 0, 0), BERLIN, &["RRULE:FREQ=DAILY"]);
    let found = all(&daily);
    assert_eq!((found.occurrences.len(), found.capped), (720, Some(Cap::Occurrences)));
    // Exceptions do not count.
    let exceptions = "EXRULE:FREQ=WEEKLY;BYDAY=MO";
    let less = hourlong(date(2026, 3, 16).at(9, 0, 0, 0), BERLIN, &["RRULE:FREQ=DAILY", exceptions]);
    let home = zone(BERLIN).unwrap();
    let is_monday = |at: &Moment| at.instant(&home).to_zoned(home.clone()).weekday() == jiff::civil::Weekday::Monday;
    assert_eq!(all(&less).occurrences.len(), 720);
    assert!(!all(&less).occurrences.iter().any(|one| is_monday(&one.start)));
}

/// proves: C9
#[test]
fn what_is_not_understood_is_a_fault_with_its_reason() {
    let read = |line: &str| Recurrence::read(&[line.to_owned()]).map(drop).unwrap_err().to_string();
    insta::assert_snapshot!(
        [
            read("RRULE:FREQ=FORTNIGHTLY"),
            read("RRULE:INTERVAL=2"),
            read("RRULE:FREQ=DAILY;INTERVAL=0"),
            read("RRULE:FREQ=DAILY;BYDAY=XX"),
            read("RRULE:RSCALE=CHINESE;FREQ=YEARLY"),
            read("EXDATE;TZID=Nowhere:20260330T090000"),
            read("EXDATE:tomorrow"),
            read("RDATE:20260230T090000Z"),
            read("RRULE"),
            Recurrence::read(&vec!["EXDATE:20260330".to_owned(); 1_001]).unwrap_err().to_string(),
            Recurrence::read(&vec!["RRULE:FREQ=DAILY".to_owned(); 9]).unwrap_err().to_string(),
        ]
        .join("\n"),
        @"
    its recurrence rule cannot be read at `FREQ`
    its recurrence rule cannot be read at `no FREQ`
    its recurrence rule cannot be read at `INTERVAL or COUNT of nothing`
    its recurrence rule cannot be read at `BYDAY=XX`
    its recurrence rule cannot be read at `RSCALE=CHINESE`
    no time zone is known as `Nowhere`
    a date of its recurrence cannot be read: `tomorrow`
    a date of its recurrence cannot be read: `20260230T090000Z`
    its recurrence rule cannot be read at `RRULE`
    its recurrence is longer than any calendar needs
    its recurrence is longer than any calendar needs
    "
    );
    // Blanks, small letters, a semicolon too many, another's additions and lines that are neither rule nor date.
    let put_up_with = ["rrule:freq=daily; COUNT=2;BYMONTH=1,,2,;X-OWN=1;", "X-NOTE:FREQ=NEVER", ""];
    assert!(Recurrence::read(&put_up_with.map(str::to_owned)).is_ok());
    assert_eq!(Recurrence::read(&["RRULE:".to_owned()]), Err(Fault::Rule("no FREQ".into())));
}

fn world() -> impl Strategy<Value = (Content, BTreeMap<Rid, Override>)> {
    let rule = (0..4usize, 1..4u32, prop::option::of(1..60u32)).prop_map(|(frequency, interval, count)| {
        let name = ["DAILY", "WEEKLY", "MONTHLY", "HOURLY;BYHOUR=2,3,9"][frequency];
        let count = count.map(|count| format!(";COUNT={count}")).unwrap_or_default();
        format!("RRULE:FREQ={name};INTERVAL={interval}{count}")
    });
    let zones = prop::sample::select(vec![BERLIN, "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "UTC"]);
    let exceptions = prop::collection::vec(0..90i64, 0..4);
    let overrides = prop::collection::vec((0..90i64, -40..40i64, 0..4u8), 0..4);
    (rule, zones, (1..28i8, 0..24i8), exceptions, overrides).prop_map(
        |(rule, name, (day, hour), exceptions, overrides)| {
            let start = date(2026, 3, day).at(hour, 30, 0, 0);
            let mut content = hourlong(start, name, &[&rule]);
            let whole =
                expand(&content, &BTreeMap::new(), window(content.start.instant(&TimeZone::UTC), 120), &TimeZone::UTC);
            let whole = whole.unwrap();
            let pick = |n: i64| whole.occurrences.get(n as usize % whole.occurrences.len()).unwrap();
            for n in exceptions {
                content.recurrence.push(format!("EXDATE:{}", pick(n).rid));
            }
            let overrides = overrides.into_iter().map(|(n, hours, kind)| {
                let start = pick(n).start.instant(&TimeZone::UTC) + SignedDuration::from_hours(hours);
                let at = |at| Moment::At { at, zone: name.to_owned() };
                let times = Some((at(start), at(start + SignedDuration::from_mins(20))));
                let own = Override { and_following: kind == 3, cancelled: kind == 2, times };
                (pick(n).rid, own)
            });
            let overrides = overrides.collect();
            (content, overrides)
        },
    )
}

fn window(from: Timestamp, days: i64) -> Window {
    Window { from, to: from + SignedDuration::from_hours(24 * days) }
}

proptest! {
    #![proptest_config(cases(60))]

    /// proves: C7, C9
    #[test]
    fn two_windows_side_by_side_show_what_one_window_shows((content, overrides) in world(), first in 0..200i64, second in 0..200i64) {
        let home = zone(BERLIN).unwrap();
        let look = |window| expand(&content, &overrides, window, &home).unwrap();
        let begin = content.start.instant(&home) - SignedDuration::from_hours(100);
        let one = window(begin, first);
        let (one, two, both) = (look(one), look(window(one.to, second)), look(window(begin, first + second)));
        if both.capped.is_none() {
            let together: Vec<_> = one.occurrences.into_iter().chain(two.occurrences).collect();
            prop_assert_eq!(together, both.occurrences);
        }
    }

    /// What a window shows is found by its name, and what it does not show is not, however much else there is.
    ///
    /// proves: C7, C9
    #[test]
    fn an_occurrence_is_found_by_its_name((content, overrides) in world(), skipped in 0..40usize) {
        let home = zone(BERLIN).unwrap();
        let series = Prepared::new(&content, &overrides, &home).unwrap();
        let begin = content.start.instant(&home) - SignedDuration::from_hours(100);
        let shown = series.expand(window(begin, 100));
        prop_assume!(shown.capped.is_none());
        for one in shown.occurrences.iter().skip(skipped % 7).step_by(7) {
            prop_assert_eq!(series.find(one.rid).unwrap(), Some(one.clone()));
        }
        let rids: Vec<Rid> = shown.occurrences.iter().map(|one| one.rid).collect();
        for hour in (0..1_000).step_by(13) {
            let rid = Rid::At(content.start.instant(&home) + SignedDuration::from_hours(hour));
            let found = series.find(rid).unwrap();
            let is_shown = found.as_ref().is_some_and(|one| one.start.instant(&home) < begin + SignedDuration::from_hours(2_400));
            prop_assert_eq!(is_shown && found.is_some(), rids.contains(&rid), "{}", rid);
        }
    }

    /// Each occurrence is there once, none that was called off is, and all that no override touches are as if there were
    /// no overrides.
    ///
    /// proves: C7, C9
    #[test]
    fn overrides_touch_what_they_name((content, overrides) in world()) {
        let home = zone(BERLIN).unwrap();
        let look = |overrides| expand(&content, overrides, window(content.start.instant(&home), 90), &home).unwrap();
        let (plain, found) = (look(&BTreeMap::new()), look(&overrides));
        let mut rids: Vec<Rid> = found.occurrences.iter().map(|one| one.rid).collect();
        rids.sort();
        rids.dedup();
        prop_assert_eq!(rids.len(), found.occurrences.len());
        let following = overrides.iter().filter(|(_, own)| own.and_following).map(|(rid, _)| *rid).min();
        for one in &found.occurrences {
            prop_assert!(!overrides.get(&one.rid).is_some_and(|own| own.cancelled));
        }
        for one in plain.occurrences.iter().filter(|one| following.is_none_or(|from| one.rid < from)) {
            let is_there = found.occurrences.contains(one);
            prop_assert_eq!(is_there, !overrides.contains_key(&one.rid));
        }
    }

    /// The clock on the wall shows the same time at every occurrence, unless that time was left out on that day.
    ///
    /// proves: C9
    #[test]
    fn the_time_on_the_wall_stays((content, _) in world()) {
        let home = zone(BERLIN).unwrap();
        let zone = content.start.zone(&home).unwrap();
        let wall = |moment: &Moment| moment.instant(&home).to_zoned(zone.clone()).datetime();
        prop_assume!(!content.recurrence[0].contains("HOURLY"));
        let wanted = wall(&content.start).time();
        let found = expand(&content, &BTreeMap::new(), window(content.start.instant(&home), 400), &home).unwrap();
        for one in &found.occurrences {
            let here = wall(&one.start);
            let meant = here.date().to_datetime(wanted);
            let is_left_out = zone.to_ambiguous_timestamp(meant).is_ambiguous();
            prop_assert!(here.time() == wanted || is_left_out, "{here}");
        }
    }

    /// proves: C9
    #[test]
    fn any_lines_are_read_or_refused(lines in prop::collection::vec("(RRULE|RDATE|EXDATE|EXRULE)(;TZID=[A-Za-z/]{0,9})?(;VALUE=PERIOD)?:?.{0,40}", 0..4), start in 0..3usize) {
        let starts = [Moment::Day(date(2026, 3, 16)), Moment::Floating(date(2026, 3, 16).at(9, 0, 0, 0)), at(date(2026, 3, 16).at(9, 0, 0, 0), BERLIN)];
        let mut content = Content::new(starts[start].clone(), starts[start].clone());
        content.recurrence = lines;
        let home = zone(BERLIN).unwrap();
        if let Ok(found) = expand(&content, &BTreeMap::new(), Window::ALL, &home) {
            prop_assert!(found.occurrences.len() <= 720);
        }
    }
}
