//! Rules name the days that RFC 5545's own examples name (3.8.5.3), and local times stay where clocks change.

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use proptest::prelude::*;

use super::{End, Frequency, Lines, Rule, instant};

fn starts(lines: &[&str], first: &str, zone: &str) -> Vec<String> {
    let zone = TimeZone::get(zone).unwrap();
    let lines = Lines::parse(lines.iter().copied(), &zone).unwrap();
    let until: Timestamp = "2099-01-01T00:00:00Z".parse().unwrap();
    let starts = lines.starts(first.parse().unwrap(), &zone, until);
    starts.iter().map(|start| start.strftime("%m-%dT%H").to_string()).collect()
}

#[test]
fn examples_of_the_standard_come_out() {
    let check = |lines: &[&str], first: &str, expected: &[&str]| {
        let mut got = starts(lines, first, "America/New_York");
        got.truncate(expected.len());
        let days: Vec<&str> = got.iter().map(|start| &start[..5]).collect();
        assert_eq!(days, expected, "{lines:?}");
    };
    check(&["RRULE:FREQ=DAILY;COUNT=3"], "1997-09-02T09:00:00", &["09-02", "09-03", "09-04"]);
    check(&["RRULE:FREQ=DAILY;INTERVAL=10;COUNT=3"], "1997-09-02T09:00:00", &["09-02", "09-12", "09-22"]);
    check(
        &["RRULE:FREQ=WEEKLY;INTERVAL=2;UNTIL=19971224T000000Z;WKST=SU;BYDAY=MO,WE,FR"],
        "1997-09-01T09:00:00",
        &["09-01", "09-03", "09-05", "09-15", "09-17", "09-19", "09-29"],
    );
    check(&["RRULE:FREQ=MONTHLY;COUNT=3;BYDAY=1FR"], "1997-09-05T09:00:00", &["09-05", "10-03", "11-07"]);
    check(&["RRULE:FREQ=MONTHLY;COUNT=3;BYMONTHDAY=-3"], "1997-09-28T09:00:00", &["09-28", "10-29", "11-28"]);
    check(
        &["RRULE:FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2"],
        "1997-09-29T09:00:00",
        &["09-29", "10-30", "11-27"],
    );
    check(&["RRULE:FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13"], "1997-09-02T09:00:00", &["02-13", "03-13", "11-13"]);
    check(&["RRULE:FREQ=YEARLY;COUNT=4;BYMONTH=6,7"], "1997-06-10T09:00:00", &["06-10", "07-10", "06-10", "07-10"]);
    check(&["RRULE:FREQ=YEARLY;BYDAY=20MO"], "1997-05-19T09:00:00", &["05-19", "05-18", "05-17"]);
    check(&["RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=TH"], "1997-03-13T09:00:00", &["03-13", "03-20", "03-27", "03-05"]);
    check(
        &["RRULE:FREQ=DAILY;COUNT=4", "EXDATE;TZID=America/New_York:19970903T090000", "RDATE:19971001T130000Z"],
        "1997-09-02T09:00:00",
        &["09-02", "09-04", "09-05", "10-01"],
    );
    check(&["RRULE:FREQ=MONTHLY;COUNT=3"], "2026-01-31T09:00:00", &["01-31", "03-31", "05-31"]);
    check(&["RRULE:FREQ=YEARLY;COUNT=2"], "2024-02-29T09:00:00", &["02-29", "02-29"]);
}

#[test]
fn local_times_stay_where_clocks_change() {
    let got = starts(&["RRULE:FREQ=DAILY;COUNT=4"], "2026-03-28T02:00:00", "Europe/Berlin");
    assert_eq!(got, ["03-28T02", "03-29T02", "03-30T02", "03-31T02"]);
    let berlin = TimeZone::get("Europe/Berlin").unwrap();
    let at = |local: &str| instant(local.parse().unwrap(), &berlin).to_string();
    assert_eq!(at("2026-03-29T02:30:00"), "2026-03-29T01:30:00Z", "what is skipped is moved on");
    assert_eq!(at("2026-10-25T02:30:00"), "2026-10-25T00:30:00Z", "of two alike the first");
    // The end of a series in UTC is an instant, not a local time.
    let lines = ["RRULE:FREQ=WEEKLY;UNTIL=20260119T080000Z"];
    assert_eq!(starts(&lines, "2026-01-05T09:00:00", "Europe/Berlin"), ["01-05T09", "01-12T09", "01-19T09"]);
}

#[test]
fn what_cannot_be_read_is_refused() {
    for line in
        ["RRULE:FREQ=HOURLY", "RRULE:COUNT=2", "RRULE:FREQ=DAILY;COUNT=0", "EXDATE:tomorrow", "DTSTART:20260101", "x"]
    {
        assert!(Lines::parse([line].into_iter(), &TimeZone::UTC).is_err(), "{line}");
    }
    // A day that never comes ends the search.
    let empty = starts(&["RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"], "2026-01-01T09:00:00", "UTC");
    assert!(empty.is_empty());
}

proptest! {
    /// Whatever is asked for: in order, never twice, not before the first, and as many as counted.
    #[test]
    fn starts_are_in_order_and_counted(
        frequency in prop::sample::select(vec![Frequency::Daily, Frequency::Weekly, Frequency::Monthly, Frequency::Yearly]),
        interval in 1u32..5,
        count in 1u32..40,
        day in 1i8..28,
    ) {
        let first: DateTime = jiff::civil::date(2026, 3, day).at(9, 0, 0, 0);
        let rule = Rule { interval, end: End::Count(count), ..Rule::every(frequency) };
        let got = rule.starts(first, &TimeZone::UTC, Timestamp::MAX);
        prop_assert_eq!(got.len(), count as usize);
        prop_assert_eq!(got[0], first);
        prop_assert!(got.windows(2).all(|pair| pair[0] < pair[1]));
    }

    /// A rule that is written and read again is the same.
    #[test]
    fn rules_survive_their_lines(
        frequency in prop::sample::select(vec![Frequency::Daily, Frequency::Weekly, Frequency::Monthly, Frequency::Yearly]),
        interval in 1u32..9,
        end in prop::sample::select(vec![
            End::Never,
            End::Count(7),
            End::Moment("2026-05-04T09:24:01Z".parse().unwrap()),
            End::Local(jiff::civil::date(2026, 5, 4).at(23, 59, 59, 0)),
        ]),
        days in prop::collection::vec((-2i8..3, 0i8..7), 0..4),
        month_days in prop::collection::vec(1i8..32, 0..3),
        week_start in 0i8..7,
    ) {
        let weekday = |offset| jiff::civil::Weekday::from_monday_zero_offset(offset).unwrap();
        let days = days.into_iter().map(|(which, day)| (which, weekday(day))).collect();
        let rule = Rule { interval, end, days, month_days, week_start: weekday(week_start), ..Rule::every(frequency) };
        let line = rule.line();
        let read = Lines::parse([line.as_str()].into_iter(), &TimeZone::UTC).unwrap();
        prop_assert_eq!(read.rule(), Some(&rule));
    }
}
