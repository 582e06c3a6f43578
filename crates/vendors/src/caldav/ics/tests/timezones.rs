//! Zones described, and read again by what was written.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;

use super::super::{
    lines,
    timezone::described,
    zones::{shape, shape_of},
};

/// The years of an event that are tried: before rules changed, shortly before it, and now.
const YEARS: [i16; 3] = [1987, 2006, 2026];

/// For how many years an event must be told right where a clock follows no rule, and where it does.
const TOLD: i16 = 6;
const RULED: i16 = 30;

fn text(tzid: &str, zone: &TimeZone, year: i16) -> String {
    format!("BEGIN:VCALENDAR\r\n{}END:VCALENDAR\r\n", described(tzid, zone, year).text())
}

#[test]
fn rules_are_told_as_rules() {
    let berlin = text("Europe/Berlin", &TimeZone::get("Europe/Berlin").expect("a zone"), 2026);
    insta::assert_snapshot!(berlin.replace("\r\n", "\n"), @r"
    BEGIN:VCALENDAR
    BEGIN:VTIMEZONE
    TZID:Europe/Berlin
    BEGIN:STANDARD
    DTSTART:20241027T030000
    TZOFFSETFROM:+0200
    TZOFFSETTO:+0100
    TZNAME:CET
    END:STANDARD
    BEGIN:DAYLIGHT
    DTSTART:20250330T020000
    TZOFFSETFROM:+0100
    TZOFFSETTO:+0200
    TZNAME:CEST
    RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU
    END:DAYLIGHT
    BEGIN:STANDARD
    DTSTART:20251026T030000
    TZOFFSETFROM:+0200
    TZOFFSETTO:+0100
    TZNAME:CET
    RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU
    END:STANDARD
    END:VTIMEZONE
    END:VCALENDAR
    ");
    let days = |name: &str| -> Vec<String> {
        let text = text(name, &TimeZone::get(name).expect("a zone"), 2026);
        text.lines().filter_map(|line| Some(line.strip_prefix("RRULE:FREQ=YEARLY;")?.to_owned())).collect()
    };
    assert_eq!(days("America/New_York"), ["BYMONTH=3;BYDAY=2SU", "BYMONTH=11;BYDAY=1SU"]);
    assert_eq!(days("Asia/Kolkata"), Vec::<String>::new());
    // The Friday before the last Sunday.
    assert_eq!(days("Asia/Jerusalem"), ["BYMONTH=3;BYDAY=FR;BYMONTHDAY=23,24,25,26,27,28,29", "BYMONTH=10;BYDAY=-1SU"]);
}

/// proves: C9: who knows a zone only by what we write of it shows the same hours as we do.
#[test]
fn every_zone_is_told_as_it_goes() {
    let mut seen = BTreeSet::new();
    for name in jiff::tz::db().available() {
        let zone = TimeZone::get(name.as_str()).expect("it is there");
        for year in YEARS {
            // Many zones have several names.
            if !seen.insert(text("", &zone, year)) {
                continue;
            }
            let text = text(name.as_str(), &zone, year);
            let calendar = lines::read(&text).expect("a calendar");
            let read = calendar.parts("VTIMEZONE").next().expect("a zone");
            let far = if text.contains("RRULE") { RULED } else { TOLD };
            // Each shape is that of three years.
            for year in (year..=year + far).step_by(3) {
                assert_eq!(shape(read, year), shape_of(&zone, year), "{name} in {year}\n{text}");
            }
        }
    }
    assert!(seen.len() > 300, "{}", seen.len());
}
