//! Names of time zones, and the clocks of two thousand clock changes.

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use proptest::prelude::*;

use super::cases;
use crate::calendar::{
    event::Moment,
    zone::{UnknownZone, canonical, windows, zone},
};

fn name(text: &str) -> String {
    match canonical(text) {
        Ok((_, name)) => name,
        Err(UnknownZone(shown)) => format!("? {shown}"),
    }
}

/// proves: C9
#[test]
fn every_way_to_name_a_zone_is_read() {
    for (text, wanted) in [
        ("Europe/Berlin", "Europe/Berlin"),
        ("europe/berlin", "Europe/Berlin"),
        ("\"Europe/Berlin\"", "Europe/Berlin"),
        ("W. Europe Standard Time", "Europe/Berlin"),
        ("w. europe standard time", "Europe/Berlin"),
        ("Pacific Standard Time", "America/Los_Angeles"),
        ("Kamchatka Standard Time", "Asia/Kamchatka"),
        ("(UTC+01:00) Amsterdam, Berlin, Bern, Rome, Stockholm, Vienna", "Europe/Berlin"),
        ("(GMT-05:00) Eastern Time (US & Canada)", "America/New_York"),
        ("/mozilla.org/20050126_1/Europe/Berlin", "Europe/Berlin"),
        ("/freeassociation.sourceforge.net/America/Argentina/Buenos_Aires", "America/Argentina/Buenos_Aires"),
        ("tzone://Microsoft/Utc", "UTC"),
        ("UTC", "UTC"),
        ("Z", "UTC"),
        ("GMT+1", "UTC+01"),
        ("UTC+05:30", "UTC+05:30"),
        ("-0800", "UTC-08"),
        ("tzone://Microsoft/Custom", "? tzone://Microsoft/Custom"),
        ("Customized Time Zone", "? Customized Time Zone"),
        ("", "? "),
        ("Europe", "? Europe"),
        ("work/London", "? work/London"),
        ("UTC+99", "? UTC+99"),
        ("../../etc/passwd", "? ../../etc/passwd"),
        ("Etc/Unknown", "? Etc/Unknown"),
        ("localtime", "? localtime"),
    ] {
        assert_eq!(name(text), wanted, "{text}");
    }
}

/// What Windows calls a zone is read as that zone; a name that it does not have is none of another zone.
///
/// proves: C9
#[test]
fn what_windows_calls_a_zone_means_it() {
    let name_of = |zone: &str| windows(zone).map(|windows| (windows, name(windows)));
    let is = |windows: &'static str, zone: &str| Some((windows, zone.to_owned()));
    assert_eq!(name_of("Europe/Berlin"), is("W. Europe Standard Time", "Europe/Berlin"));
    assert_eq!(name_of("America/Los_Angeles"), is("Pacific Standard Time", "America/Los_Angeles"));
    assert_eq!(name_of("Australia/Lord_Howe"), is("Lord Howe Standard Time", "Australia/Lord_Howe"));
    assert_eq!((name_of("Europe/Vienna"), name_of("nonsense")), (None, None));
}

/// What a zone is kept under is read as that zone again, whatever it was called before.
///
/// proves: C9
#[test]
fn the_kept_name_means_the_same_zone() {
    let at: Timestamp = "2026-07-01T12:00:00Z".parse().unwrap();
    for text in
        ["W. Europe Standard Time", "GMT+1", "UTC+05:30", "-0330", "Nepal Standard Time", "Asia/Kolkata", "UTC-11"]
    {
        let (read, kept) = canonical(text).unwrap();
        assert_eq!(zone(&kept).unwrap().to_offset(at), read.to_offset(at), "{text} as {kept}");
    }
}

proptest! {
    #![proptest_config(cases(300))]

    /// proves: C9
    #[test]
    fn any_name_is_a_zone_or_an_error_that_can_be_shown(text in ".{0,400}") {
        if let Err(UnknownZone(shown)) = zone(&text) {
            prop_assert!(shown.chars().count() <= 64);
            prop_assert!(!shown.chars().any(char::is_control));
        }
    }
}

/// Zones with odd rules, by the tz database: zone, the instant of a clock change, offsets before and after in seconds.
const TRANSITIONS: &str = include_str!("../../../testdata/tz/transitions.csv");

/// A time that a clock change left out is read with the offset before the gap; one that it doubled is the first.
///
/// proves: C9
#[test]
fn gaps_and_folds_of_all_zones_are_read_by_the_standard() {
    let mut seen = 0;
    for line in TRANSITIONS.lines() {
        let [zone_name, at, before, after] = line.split(',').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let at: Timestamp = at.parse().unwrap();
        let (before, after): (i64, i64) = (before.parse().unwrap(), after.parse().unwrap());
        let clock = |offset: i64| (at + SignedDuration::from_secs(offset)).to_zoned(TimeZone::UTC).datetime();
        let within = (clock(before).min(clock(after))) + SignedDuration::from_secs((after - before).abs() / 2);
        let Moment::At { at: read, .. } = Moment::local(within, zone_name).unwrap() else { panic!("it has a zone") };
        // Both in a gap and in a fold the offset before the change counts.
        let wanted = TimeZone::UTC.to_timestamp(within).unwrap() - SignedDuration::from_secs(before);
        assert_eq!(read, wanted, "{line}: {within}");
        seen += 1;
    }
    assert!(seen > 200, "only {seen} clock changes are there");
}
