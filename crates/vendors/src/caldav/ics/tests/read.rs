//! What single texts mean.

use jiff::tz::TimeZone;
use proptest::prelude::*;
use syncline_core::calendar::{
    event::{Availability, Body, Moment, Part, Reply, Status, Unreadable},
    identity::Rid,
};

use super::{super::lines, calendar, content, event, events, events_in};

const START: &str = "DTSTART;TZID=Europe/Berlin:20260105T090000";

fn shown(moment: &Moment) -> String {
    match moment {
        Moment::At { at, zone } => format!("{at} {zone}"),
        Moment::Floating(at) => at.to_string(),
        Moment::Day(day) => day.to_string(),
    }
}

fn times(lines: &str) -> String {
    let content = content(lines);
    format!("{} – {}", shown(&content.start), shown(&content.end))
}

fn why(lines: &str) -> String {
    match event(lines).body {
        Body::Unreadable(why) => why.to_string(),
        other => panic!("{other:?}"),
    }
}

/// proves: C9
#[test]
fn times_are_read_in_every_form() {
    let check = |lines: &str, expected: &str| assert_eq!(times(lines), expected, "{lines}");
    let berlin = "2026-01-05T08:00:00Z Europe/Berlin";
    check(START, &format!("{berlin} – {berlin}"));
    check(&format!("{START}\nDURATION:PT45M"), &format!("{berlin} – 2026-01-05T08:45:00Z Europe/Berlin"));
    check(&format!("{START}\nDURATION:-PT45M"), &format!("{berlin} – {berlin}"));
    check("DTSTART:20260105T080000Z\nDTEND:20260105T090000Z", "2026-01-05T08:00:00Z UTC – 2026-01-05T09:00:00Z UTC");
    check("DTSTART:20260105T080000\nDURATION:PT1H", "2026-01-05T08:00:00 – 2026-01-05T09:00:00");
    check("DTSTART;VALUE=DATE:20260105", "2026-01-05 – 2026-01-06");
    check("DTSTART;VALUE=DATE:20260105\nDTEND;VALUE=DATE:20260105", "2026-01-05 – 2026-01-06");
    check("DTSTART;VALUE=DATE:20260105\nDURATION:P1W", "2026-01-05 – 2026-01-12");
    check("DTSTART;VALUE=DATE:20260105\nDTEND:20260107T000000", "2026-01-05 – 2026-01-07");
    // A day that lasts 23 hours is a day; 24 hours are 24 hours.
    let night = "DTSTART;TZID=Europe/Berlin:20260328T120000";
    check(&format!("{night}\nDURATION:P1D"), "2026-03-28T11:00:00Z Europe/Berlin – 2026-03-29T10:00:00Z Europe/Berlin");
    check(
        &format!("{night}\nDURATION:PT24H"),
        "2026-03-28T11:00:00Z Europe/Berlin – 2026-03-29T11:00:00Z Europe/Berlin",
    );
    // A time that a clock change left out.
    check(
        "DTSTART;TZID=Europe/Berlin:20260329T023000",
        "2026-03-29T01:30:00Z Europe/Berlin – 2026-03-29T01:30:00Z Europe/Berlin",
    );
    check("DTSTART;TZID=\"W. Europe Standard Time\":20260105T090000", &format!("{berlin} – {berlin}"));
}

/// proves: C9
#[test]
fn a_zone_that_a_program_made_up_is_known_by_its_rules() {
    let berlin = "BEGIN:STANDARD\nDTSTART:16010101T030000\nTZOFFSETFROM:+0200\nTZOFFSETTO:+0100\n\
                  RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10\nEND:STANDARD\n\
                  BEGIN:DAYLIGHT\nDTSTART:16010101T020000\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0200\n\
                  RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3\nEND:DAYLIGHT";
    let eastern = "BEGIN:STANDARD\nDTSTART:20071104T020000\nTZOFFSETFROM:-0400\nTZOFFSETTO:-0500\n\
                   RRULE:FREQ=YEARLY;BYDAY=1SU;BYMONTH=11\nEND:STANDARD\n\
                   BEGIN:DAYLIGHT\nDTSTART:20070311T020000\nTZOFFSETFROM:-0500\nTZOFFSETTO:-0400\n\
                   RRULE:FREQ=YEARLY;BYDAY=2SU;BYMONTH=3\nEND:DAYLIGHT";
    let india = "BEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETFROM:+0530\nTZOFFSETTO:+0530\nEND:STANDARD";
    let strange = "BEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0217\n\
                   RRULE:FREQ=YEARLY;BYDAY=1MO;BYMONTH=6\nEND:STANDARD\n\
                   BEGIN:DAYLIGHT\nDTSTART:19700101T000000\nTZOFFSETFROM:+0217\nTZOFFSETTO:+0100\n\
                   RRULE:FREQ=YEARLY;BYDAY=1MO;BYMONTH=1\nEND:DAYLIGHT";
    let read = |rules: &str| {
        let text = format!(
            "BEGIN:VCALENDAR\nBEGIN:VTIMEZONE\nTZID:Customized Time Zone\n{rules}\nEND:VTIMEZONE\nBEGIN:VEVENT\nUID:1\n\
             DTSTART;TZID=Customized Time Zone:20260705T090000\nEND:VEVENT\nEND:VCALENDAR"
        );
        match events(&text).remove(0).body {
            Body::Open(content) => shown(&content.start),
            Body::Unreadable(why) => why.to_string(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(read(berlin), "2026-07-05T07:00:00Z Europe/Amsterdam");
    assert_eq!(read(eastern), "2026-07-05T13:00:00Z America/Detroit");
    assert_eq!(read(india), "2026-07-05T03:30:00Z UTC+05:30");
    assert_eq!(read("X-LIC-LOCATION:Asia/Tokyo"), "2026-07-05T00:00:00Z Asia/Tokyo");
    assert_eq!(read(strange), "no time zone is known as `Customized Time Zone`");
    assert_eq!(read(""), "no time zone is known as `Customized Time Zone`");
}

#[test]
fn a_calendar_may_say_which_zone_it_means() {
    let text = calendar("DTSTART:20260705T090000").replace("VERSION:2.0", "X-WR-TIMEZONE:America/New_York");
    assert_eq!(shown(&events(&text)[0].content().expect("content").start), "2026-07-05T13:00:00Z America/New_York");
}

const SERIES: &str = "BEGIN:VCALENDAR
BEGIN:VEVENT
UID:series@example.org
RECURRENCE-ID;TZID=Europe/Berlin:20260112T090000
DTSTART;TZID=Europe/Berlin:20260113T110000
DTEND;TZID=Europe/Berlin:20260113T120000
SUMMARY:Moved
END:VEVENT
BEGIN:VEVENT
UID:series@example.org
DTSTART;TZID=Europe/Berlin:20260105T090000
DTEND;TZID=Europe/Berlin:20260105T100000
RRULE:FREQ=WEEKLY;UNTIL=20260330T070000Z
EXDATE;TZID=W. Europe Standard Time:20260119T090000
SUMMARY:Weekly
END:VEVENT
BEGIN:VEVENT
UID:series@example.org
RECURRENCE-ID;RANGE=THISANDFUTURE:20260202T080000Z
DTSTART;TZID=Europe/Berlin:20260202T100000
DTEND;TZID=Europe/Berlin:20260202T110000
SUMMARY:Later from here on
END:VEVENT
BEGIN:VEVENT
UID:series@example.org
RECURRENCE-ID;VALUE=DATE:20260209
DTSTART;TZID=Europe/Berlin:20260209T090000
STATUS:CANCELLED
END:VEVENT
END:VCALENDAR
";

/// proves: C7
#[test]
fn a_series_comes_with_its_overrides() {
    let all = events(SERIES);
    let told: Vec<String> = all
        .iter()
        .map(|event| {
            let summary = event.content().map_or("–", |content| &content.summary);
            format!("{} {} {:?} {} {}", event.id.0, event.rid, event.status, event.and_following, summary)
        })
        .collect();
    insta::assert_debug_snapshot!(told, @r#"
    [
        "/cal/one.ics single Confirmed false Weekly",
        "/cal/one.ics#20260112T080000Z 20260112T080000Z Confirmed false Moved",
        "/cal/one.ics#20260202T080000Z 20260202T080000Z Confirmed true Later from here on",
        "/cal/one.ics#20260209T080000Z 20260209T080000Z Cancelled false ",
    ]
    "#);
    assert_eq!(
        all[0].content().expect("content").recurrence,
        ["EXDATE;TZID=Europe/Berlin:20260119T090000", "RRULE:FREQ=WEEKLY;UNTIL=20260330T070000Z"]
    );
    for event in &all[1..] {
        assert_eq!(event.series, Some(all[0].id.clone()));
        assert_eq!(event.uid, all[0].uid);
    }
}

/// proves: C7
#[test]
fn of_whole_days_a_time_names_the_day() {
    let text = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nDTSTART;VALUE=DATE:20260105\nRRULE:FREQ=DAILY\nEND:VEVENT\n\
                BEGIN:VEVENT\nUID:1\nRECURRENCE-ID:20260107T000000Z\nDTSTART;VALUE=DATE:20260108\nEND:VEVENT\n\
                BEGIN:VEVENT\nUID:1\nRECURRENCE-ID:20260108T230000Z\nDTSTART;VALUE=DATE:20260108\nEND:VEVENT\nEND:VCALENDAR";
    let rids: Vec<Rid> = events(text).into_iter().map(|event| event.rid).collect();
    let on = |text: &str| Rid::On(text.parse().expect("a date"));
    assert_eq!(rids, [Rid::Single, on("2026-01-07"), on("2026-01-09")]);
}

/// proves: C8
#[test]
fn of_a_private_event_no_text_is_kept() {
    for class in ["PRIVATE", "CONFIDENTIAL", "private", "X-SECRET", "", "public-ish"] {
        let event = event(&format!("{START}\nSUMMARY:Surgery\nCREATED:20260101T000000Z\nSEQUENCE:4\nCLASS:{class}"));
        assert_eq!(event.body, Body::Private, "{class}");
        assert!(!format!("{event:?}").contains("Surgery"));
        assert_eq!((event.created, event.sequence), (None, 0));
    }
    assert!(event(&format!("{START}\nCLASS:Public")).content().is_some());
    let hidden = event(&format!("{START}\nCLASS:PUBLIC\nX-CALENDARSERVER-ACCESS:RESTRICTED"));
    assert_eq!(hidden.body, Body::Private);
    // An override says for itself whether it is open; where it says nothing, the series does.
    let private = SERIES.replace("RRULE", "CLASS:PRIVATE\nRRULE");
    assert!(events(&private).iter().all(|event| event.body == Body::Private));
    let opened = private.replace("SUMMARY:Moved", "CLASS:PUBLIC\nSUMMARY:Moved");
    assert_eq!(events(&opened).iter().filter(|event| event.body != Body::Private).count(), 1);
    // What cannot be read and is private is private.
    assert_eq!(super::event("DTSTART:never\nCLASS:PRIVATE").body, Body::Private);
}

/// proves: C4
#[test]
fn people_are_read_with_what_they_answered() {
    let content = content(&format!(
        "{START}\nORGANIZER;CN=\"Rep, Rita\":MAILTO:Rita@Example.org\n\
         ATTENDEE;PARTSTAT=ACCEPTED;CN=rita@example.org:mailto:rita@example.org\n\
         ATTENDEE;ROLE=OPT-PARTICIPANT;PARTSTAT=tentative;CN=Ola ^'O^':mailto:ola@example.com\n\
         ATTENDEE;CUTYPE=ROOM;PARTSTAT=ACCEPTED:mailto:room@example.org\n\
         ATTENDEE;PARTSTAT=DELEGATED:mailto:deputy@example.com\n\
         ATTENDEE;EMAIL=apple@example.com:urn:uuid:1234\n\
         ATTENDEE:mailto:ola@example.com\nATTENDEE:tel:+4912345"
    ));
    let told: Vec<(&str, Option<&str>, Part, Reply)> = content
        .attendees
        .iter()
        .map(|one| (one.who.email.as_str(), one.who.name.as_deref(), one.part, one.reply))
        .collect();
    assert_eq!(
        told,
        [
            ("apple@example.com", None, Part::Required, Reply::Awaited),
            ("deputy@example.com", None, Part::Required, Reply::Declined),
            ("ola@example.com", None, Part::Required, Reply::Awaited),
            ("rita@example.org", None, Part::Required, Reply::Accepted),
            ("room@example.org", None, Part::Resource, Reply::Accepted),
        ]
    );
    assert_eq!(content.organizer.expect("an organiser").name.as_deref(), Some("Rep, Rita"));
}

#[test]
fn texts_and_states_are_read() {
    let event = event(&format!(
        "{START}\nSUMMARY:Lunch\\, late\\; or \\\\not\\nat\n  all\nTRANSP:TRANSPARENT\nSTATUS:tentative\nSEQUENCE: 7\n\
         CREATED:20260101T000000Z\nLAST-MODIFIED:20260102T000000Z\nDTSTAMP:20260103T000000Z"
    ));
    let content = event.content().expect("content");
    assert_eq!(content.summary, "Lunch, late; or \\not\nat all");
    assert_eq!((content.availability, event.status, event.sequence), (Availability::Free, Status::Tentative, 7));
    assert_eq!(event.modified, Some("2026-01-02T00:00:00Z".parse().expect("a time")));
    assert_eq!(event.etag.expect("a version").0, "\"1\"");
}

/// proves: C8
#[test]
fn what_cannot_be_read_says_why() {
    assert_eq!(why("SUMMARY:nothing else"), "it has no start");
    assert_eq!(why("DTSTART:20261305T090000"), "it cannot be read: one of its times cannot be read");
    assert_eq!(why("DTSTART;TZID=Mars/Olympus:20260105T090000"), "no time zone is known as `Mars/Olympus`");
    assert_eq!(why(&format!("{START}\nDURATION:soon")), "it cannot be read: it cannot be read how long it lasts");
    assert_eq!(
        why(&format!("{START}\nRRULE:FREQ=WEEKLY;INTERVAL=0")),
        "its recurrence rule cannot be read at `INTERVAL or COUNT of nothing`"
    );
    assert_eq!(
        why(&format!("{START}\nRRULE:FREQ=DAILY;BYHOUR=256")),
        "its recurrence rule cannot be read at `BYHOUR=256`"
    );
    assert_eq!(
        why(&format!("{START}\nRRULE:FREQ=YEARLY;BYEASTER=0")),
        "its recurrence rule cannot be read at `BYEASTER=0`"
    );
    assert_eq!(
        why(&format!("{START}\nEXDATE;TZID=Mars/Olympus:20260105T090000")),
        "no time zone is known as `Mars/Olympus`"
    );
    assert_eq!(
        why(&format!("{START}\nRECURRENCE-ID:sometime")),
        "it cannot be read: it cannot be read which occurrence it is"
    );
    let broken = |text: &str| match events(text).remove(0).body {
        Body::Unreadable(Unreadable::Broken(why)) => why,
        other => panic!("{other:?}"),
    };
    assert_eq!(broken(""), "it is no iCalendar");
    assert_eq!(broken("<html>"), "it is no iCalendar");
    assert_eq!(broken("BEGIN:VCALENDAR\nVERSION:2.0"), "it is cut off");
    assert_eq!(broken(&format!("BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\n{START}\nSUMMARY:Cut o")), "it is cut off");
    assert_eq!(broken(&"BEGIN:VCALENDAR\n".repeat(50)), "its parts lie too deep within one another");
    assert!(events("BEGIN:VCALENDAR\nBEGIN:VTODO\nUID:1\nEND:VTODO\nEND:VCALENDAR").is_empty());
}

#[test]
fn a_cancelled_text_cancels_what_it_holds() {
    let text = calendar(START).replace("VERSION:2.0", "METHOD:CANCEL");
    assert_eq!(events(&text)[0].status, Status::Cancelled);
}

#[test]
fn several_meetings_at_one_address_keep_apart() {
    let text = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:b\nDTSTART:20260105T090000Z\nEND:VEVENT\n\
                BEGIN:VEVENT\nUID:a\nDTSTART:20260105T090000Z\nEND:VEVENT\n\
                BEGIN:VEVENT\nUID:b\nSEQUENCE:1\nDTSTART:20260106T090000Z\nEND:VEVENT\nEND:VCALENDAR";
    let told: Vec<(String, u32)> = events(text).into_iter().map(|event| (event.id.0, event.sequence)).collect();
    assert_eq!(told, [("/cal/one.ics#a".to_owned(), 0), ("/cal/one.ics".to_owned(), 1)]);
}

/// A floating time is read in the calendar's own zone.
#[test]
fn an_occurrence_of_a_floating_series_is_told_in_the_calendars_zone() {
    let text = SERIES.replace(";TZID=Europe/Berlin", "");
    let rids: Vec<Rid> = events_in(&text, "America/New_York").into_iter().map(|event| event.rid).collect();
    let first = "2026-01-12T14:00:00Z".parse().expect("a time");
    assert_eq!(rids[1], Rid::At(first));
    assert_eq!(
        super::super::zone_of("BEGIN:VCALENDAR\nBEGIN:VTIMEZONE\nTZID:Asia/Tokyo\nEND:VTIMEZONE\nEND:VCALENDAR")
            .as_deref(),
        Some("Asia/Tokyo")
    );
    assert!(TimeZone::get("Asia/Tokyo").is_ok());
}

proptest! {
    #[test]
    fn a_text_that_is_written_is_read_again(text in "\\PC{0,200}|[a-z\\\\;,:\n\t\"^ ü€𝄞]{0,200}") {
        let mut out = String::from("BEGIN:VCALENDAR\r\n");
        lines::write(&mut out, &format!("X-TEXT;P={}:{}", lines::quoted("a\"^;:,"), lines::escaped(&text)));
        lines::write(&mut out, "END:VCALENDAR");
        prop_assert!(out.split("\r\n").all(|line| line.len() <= 75));
        let calendar = lines::read(&out).expect("a calendar");
        let line = calendar.line("X-TEXT").expect("the line");
        prop_assert_eq!(line.text(), text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect::<String>());
        prop_assert_eq!(line.param("P"), Some("a\"^;:,"));
    }

    #[test]
    fn no_text_makes_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400), cut in 0usize..1_500, at in 0usize..1_500) {
        events(&String::from_utf8_lossy(&bytes));
        let mut spoilt = SERIES.as_bytes().to_vec();
        spoilt.truncate(cut);
        if let Some(byte) = spoilt.get_mut(at) {
            *byte = bytes.first().copied().unwrap_or_default();
        }
        events(&String::from_utf8_lossy(&spoilt));
    }
}
