//! A text that is changed: what is wanted, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{Timestamp, tz::TimeZone};
use proptest::prelude::*;
use syncline_core::calendar::{
    assemble::assemble,
    canon::canonical,
    event::{Availability, Body, Content, Event, EventId, Moment, Part, Reply, Status},
    identity::{Rid, Uid},
    recur::{Occurrence, Window, expand},
};

use super::{
    super::{Compared, Declined, Resource, differs, lines::unfolded, made, occurrence, read},
    calendar,
};
use crate::testing::contents::{any_content, at, guest};

const HERE: &str = "/cal/one.ics";

static UTC: TimeZone = TimeZone::UTC;

fn origin(home: &TimeZone) -> super::super::Origin<'_> {
    super::super::Origin { resource: HERE, etag: Some("\"1\""), home }
}

fn resource(text: &str) -> Resource<'static> {
    Resource::read(text, origin(&UTC)).expect("a text that can be changed")
}

fn now() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().expect("a time")
}

fn id(part: &str) -> EventId {
    EventId(format!("{HERE}{part}"))
}

fn content(text: &str, id: &EventId) -> Content {
    resource(text).event(id).and_then(Event::content).unwrap_or_else(|| panic!("{text}")).clone()
}

/// A text after a change.
fn changed(text: &str, part: &str, change: impl FnOnce(&mut Content)) -> String {
    let id = id(part);
    let from = content(text, &id);
    let mut to = from.clone();
    change(&mut to);
    let mut resource = resource(text);
    assert!(resource.update(&id, &from, &to, false, now()));
    let after = resource.text();
    assert!(after.split("\r\n").all(|line| line.len() <= 75), "{after}");
    assert_eq!(content(&after, &id), to, "{after}");
    after
}

/// The meetings of a series, each as it is to be.
fn meetings(text: &str) -> BTreeMap<Rid, Content> {
    let events = read(text, origin(&UTC), &mut Compared::default());
    let whole = assemble(&events, &UTC);
    let overrides = whole.overrides();
    let series = whole.master.and_then(Event::content).expect("a series");
    let all = expand(series, &overrides, Window::ALL, &UTC).expect("it is read").occurrences;
    let content = |one: &Occurrence| whole.event(one).as_ref().and_then(Event::content).cloned().expect("it is known");
    all.iter().map(|one| (one.rid, content(one))).collect()
}

fn emails(content: &Content) -> BTreeSet<&str> {
    content.attendees.iter().map(|one| one.who.email.as_str()).collect()
}

/// The lines of one that are not in the other, and the other way round.
fn difference(before: &str, after: &str) -> String {
    let (before, after) = (unfolded(before), unfolded(after));
    let gone = before.iter().filter(|line| !after.contains(line)).map(|line| format!("- {line}\n"));
    let new = after.iter().filter(|line| !before.contains(line)).map(|line| format!("+ {line}\n"));
    gone.chain(new).collect()
}

const MEETING: &str = "SEQUENCE:3\nDTSTAMP:20260101T000000Z\nDTSTART;TZID=Europe/Berlin:20260320T140000\nDURATION:PT1H\n\
    SUMMARY;LANGUAGE=de:Alt\nDESCRIPTION;ALTREP=\"cid:1\":Long\nX-ALT-DESC;FMTTYPE=text/html:<p>Long\n\
    ORGANIZER;CN=\"Rita, R\":mailto:rita@host.example\n\
    ATTENDEE;PARTSTAT=ACCEPTED;X-NUM-GUESTS=2;CN=Ada:mailto:Ada@acme.example\nATTENDEE;role=OPT-PARTICIPANT:mailto:bo@acme.example\n\
    X-SOMEBODYS;X-P=\"a;b\":1\\,2\nBEGIN:VALARM\nACTION:DISPLAY\nDESCRIPTION:Ring\nTRIGGER:-PT10M\nEND:VALARM";

#[test]
fn a_text_is_changed_and_the_rest_stays() {
    let before = calendar(MEETING);
    let after = changed(&before, "", |content| {
        content.summary = "Neu; und, so".into();
        content.description = "One\nTwo".into();
        content.location = "Room".into();
        content.availability = Availability::Free;
    });
    insta::assert_snapshot!(difference(&before, &after), @r#"
    - DTSTAMP:20260101T000000Z
    - SUMMARY;LANGUAGE=de:Alt
    - DESCRIPTION;ALTREP="cid:1":Long
    - X-ALT-DESC;FMTTYPE=text/html:<p>Long
    + DTSTAMP:20261122T120000Z
    + SUMMARY;LANGUAGE=de:Neu\; und\, so
    + DESCRIPTION:One\nTwo
    + LOCATION:Room
    + TRANSP:TRANSPARENT
    + LAST-MODIFIED:20261122T120000Z
    "#);
}

/// A move counts the invitation up; the zone is described, and what lasts an hour ends when it is told to.
#[test]
fn a_time_is_changed() {
    let before = calendar(MEETING);
    let after = changed(&before, "", |content| {
        content.start = at("2026-03-20T12:30:00Z", "Europe/Berlin");
    });
    insta::assert_snapshot!(difference(&before, &after), @r#"
    - SEQUENCE:3
    - DTSTAMP:20260101T000000Z
    - DTSTART;TZID=Europe/Berlin:20260320T140000
    - DURATION:PT1H
    + BEGIN:VTIMEZONE
    + TZID:Europe/Berlin
    + BEGIN:STANDARD
    + DTSTART:20241027T030000
    + TZOFFSETFROM:+0200
    + TZOFFSETTO:+0100
    + TZNAME:CET
    + END:STANDARD
    + BEGIN:DAYLIGHT
    + DTSTART:20250330T020000
    + TZOFFSETFROM:+0100
    + TZOFFSETTO:+0200
    + TZNAME:CEST
    + RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU
    + END:DAYLIGHT
    + BEGIN:STANDARD
    + DTSTART:20251026T030000
    + TZOFFSETFROM:+0200
    + TZOFFSETTO:+0100
    + TZNAME:CET
    + RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU
    + END:STANDARD
    + END:VTIMEZONE
    + SEQUENCE:4
    + DTSTAMP:20261122T120000Z
    + DTSTART;TZID=Europe/Berlin:20260320T133000
    + DTEND;TZID=Europe/Berlin:20260320T150000
    + LAST-MODIFIED:20261122T120000Z
    "#);
    let days = changed(&before, "", |content| {
        content.start = Moment::Day("2026-03-21".parse().expect("a day"));
        content.end = Moment::Day("2026-03-23".parse().expect("a day"));
    });
    assert!(days.contains("DTSTART;VALUE=DATE:20260321") && days.contains("DTEND;VALUE=DATE:20260323"), "{days}");
    // A zone that the text describes under another name goes by that.
    let named = "BEGIN:VCALENDAR\nBEGIN:VTIMEZONE\nTZID:W. Europe Standard Time\nBEGIN:STANDARD\nDTSTART:16010101T030000\n\
        TZOFFSETFROM:+0200\nTZOFFSETTO:+0100\nRRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10\nEND:STANDARD\nEND:VTIMEZONE\n\
        BEGIN:VEVENT\nUID:1\nDTSTART;TZID=W. Europe Standard Time:20260320T140000\nEND:VEVENT\nEND:VCALENDAR";
    let after = changed(named, "", |content| {
        content.start = at("2026-03-20T14:00:00Z", "Europe/Berlin");
        content.end = at("2026-03-20T15:00:00Z", "Asia/Tokyo");
    });
    assert!(after.contains("DTSTART;TZID=W. Europe Standard Time:20260320T150000"), "{after}");
    assert_eq!(after.matches("BEGIN:VTIMEZONE").count(), 2, "{after}");
    assert!(after.contains("TZID:Asia/Tokyo"), "{after}");
}

/// What others answered stays as they wrote it.
#[test]
fn guests_come_and_go() {
    let before = calendar(MEETING);
    let after = changed(&before, "", |content| {
        content.attendees.retain(|one| one.who.email != "bo@acme.example");
        content.attendees.push(guest("cy@acme.example"));
        content.attendees[0].part = Part::Optional;
    });
    insta::assert_snapshot!(difference(&before, &after), @r#"
    - DTSTAMP:20260101T000000Z
    - ATTENDEE;PARTSTAT=ACCEPTED;X-NUM-GUESTS=2;CN=Ada:mailto:Ada@acme.example
    - ATTENDEE;role=OPT-PARTICIPANT:mailto:bo@acme.example
    + DTSTAMP:20261122T120000Z
    + ATTENDEE;PARTSTAT=ACCEPTED;X-NUM-GUESTS=2;CN=Ada;ROLE=OPT-PARTICIPANT:mailto:Ada@acme.example
    + ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:cy@acme.example
    + LAST-MODIFIED:20261122T120000Z
    "#);
    let from = content(&before, &id(""));
    let mut to = from.clone();
    to.attendees.push(guest("cy@acme.example"));
    let mut quiet = resource(&before);
    quiet.update(&id(""), &from, &to, true, now());
    assert!(quiet.text().replace("\r\n ", "").contains("RSVP=TRUE;SCHEDULE-AGENT=CLIENT:mailto:cy@acme.example"));
    // Answers are not ours to write.
    to.attendees.pop();
    to.attendees[0].reply = Reply::Declined;
    assert!(!differs(&from, &to));
}

const SERIES: &str = "BEGIN:VCALENDAR\nVERSION:2.0\nBEGIN:VTODO\nUID:2\nSUMMARY:Task\nEND:VTODO\n\
    BEGIN:VEVENT\nUID:1\nSEQUENCE:1\nDTSTART;TZID=Europe/Berlin:20260320T140000\nDTEND;TZID=Europe/Berlin:20260320T150000\n\
    RRULE:FREQ=WEEKLY;COUNT=5\nEXDATE;TZID=Europe/Berlin:20260403T140000\nATTENDEE:mailto:rep@host.example\nEND:VEVENT\n\
    BEGIN:VEVENT\nUID:1\nRECURRENCE-ID;TZID=Europe/Berlin;RANGE=THISANDFUTURE:20260327T140000\n\
    DTSTART;TZID=Europe/Berlin:20260327T160000\nSUMMARY:Later\nATTENDEE;PARTSTAT=ACCEPTED:mailto:rep@host.example\n\
    ATTENDEE;PARTSTAT=ACCEPTED:mailto:ada@acme.example\nEND:VEVENT\nEND:VCALENDAR\n";
const OVERRIDE: &str = "#20260327T130000Z";

/// proves: C7: one occurrence is changed or left out alone.
#[test]
fn one_occurrence_is_changed_alone() {
    let after = changed(SERIES, OVERRIDE, |content| content.summary = "Much later".into());
    insta::assert_snapshot!(difference(SERIES, &after), @r#"
    - SUMMARY:Later
    + SUMMARY:Much later
    + DTSTAMP:20261122T120000Z
    + LAST-MODIFIED:20261122T120000Z
    "#);
    let after = changed(SERIES, "", |content| {
        content.recurrence = vec!["EXDATE:20260410".into(), "RRULE:FREQ=WEEKLY;COUNT=6".into()];
    });
    insta::assert_snapshot!(difference(SERIES, &after), @r#"
    - SEQUENCE:1
    - RRULE:FREQ=WEEKLY;COUNT=5
    - EXDATE;TZID=Europe/Berlin:20260403T140000
    + SEQUENCE:2
    + EXDATE;VALUE=DATE:20260410
    + RRULE:FREQ=WEEKLY;COUNT=6
    + DTSTAMP:20261122T120000Z
    + LAST-MODIFIED:20261122T120000Z
    "#);
    let mut resource = resource(SERIES);
    assert!(resource.remove(&id(OVERRIDE), now()));
    insta::assert_snapshot!(difference(SERIES, &resource.text()), @r#"
    - SEQUENCE:1
    - RECURRENCE-ID;TZID=Europe/Berlin;RANGE=THISANDFUTURE:20260327T140000
    - DTSTART;TZID=Europe/Berlin:20260327T160000
    - SUMMARY:Later
    - ATTENDEE;PARTSTAT=ACCEPTED:mailto:rep@host.example
    - ATTENDEE;PARTSTAT=ACCEPTED:mailto:ada@acme.example
    + SEQUENCE:2
    + EXDATE;TZID=Europe/Berlin:20260327T140000
    + DTSTAMP:20261122T120000Z
    + LAST-MODIFIED:20261122T120000Z
    "#);
    assert!(!resource.remove(&id(""), now()));
    assert!(resource.text().contains("SUMMARY:Task"));
}

/// proves: C9: only the answer of the one who declines is written, in a series everywhere.
#[test]
fn only_ones_own_answer_is_written() {
    let mut all = resource(SERIES);
    assert_eq!(all.decline(&id(""), "rep@host.example", now()), Declined::Done);
    insta::assert_snapshot!(difference(SERIES, &all.text()), @r#"
    - ATTENDEE:mailto:rep@host.example
    - ATTENDEE;PARTSTAT=ACCEPTED:mailto:rep@host.example
    + ATTENDEE;PARTSTAT=DECLINED:mailto:rep@host.example
    + DTSTAMP:20261122T120000Z
    + LAST-MODIFIED:20261122T120000Z
    + ATTENDEE;PARTSTAT=DECLINED:mailto:rep@host.example
    + DTSTAMP:20261122T120000Z
    + LAST-MODIFIED:20261122T120000Z
    "#);
    let mut again = resource(&all.text());
    assert_eq!(again.decline(&id(""), "rep@host.example", now()), Declined::Already);
    assert_eq!(again.text(), all.text());
    let mut one = resource(SERIES);
    assert_eq!(one.decline(&id(OVERRIDE), "ada@acme.example", now()), Declined::Done);
    assert_eq!(one.text().matches("DECLINED").count(), 1);
    assert_eq!(one.decline(&id(""), "nobody@acme.example", now()), Declined::NotInvited);
}

#[test]
fn what_cannot_be_changed_safely_is_not_changed() {
    let broken = [
        "",
        "BEGIN:VEVENT\nUID:1\nEND:VEVENT",
        "BEGIN:VCALENDAR\nBEGIN:VEVENT\nEND:VCALENDAR",
        "BEGIN:VCALENDAR\nEND:VCALENDAR\nBEGIN:VCALENDAR\nEND:VCALENDAR",
        "BEGIN:VCALENDAR\nEND:VCALENDAR\nX:1",
        "BEGIN:VCALENDAR\nBEGIN:VEVENT\nEND:VTODO\nEND:VCALENDAR",
    ];
    for text in broken {
        assert!(Resource::read(text, origin(&UTC)).is_none(), "{text}");
    }
    assert!(!resource(SERIES).update(&id("#x"), &content(SERIES, &id("")), &content(SERIES, &id("")), false, now()));
}

fn event(content: Content) -> Event {
    Event {
        id: id(""),
        etag: None,
        uid: Uid::read("one@example.org"),
        series: None,
        rid: Rid::Single,
        and_following: false,
        status: Status::Confirmed,
        created: Some(now()),
        modified: Some(now()),
        sequence: 0,
        body: Body::Open(Box::new(content)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is changed into whatever, it is read as it was wanted, and lines that nobody knows are all there.
    #[test]
    fn what_is_written_is_read_and_what_is_not_known_stays(
        from in any_content(), to in any_content(),
        lines in prop::collection::vec("X-[A-Z]{1,9}(;X-P=[a-z]{0,5}|;X-Q=\"[a-z;:,]{0,9}\"){0,2}:[ -~äß😀]{0,120}", 0..6),
        is_quiet in any::<bool>(),
    ) {
        let text = made(&event(from), is_quiet, now()).expect("it is open");
        let alarm = "BEGIN:VALARM\r\nACTION:AUDIO\r\nTRIGGER:-PT5M\r\nX-MINE:1\r\nEND:VALARM\r\n";
        let own: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
        let text = text.replace("END:VEVENT", &format!("{own}{alarm}END:VEVENT"));
        let from = content(&text, &id(""));
        prop_assert!(!differs(&from, &from));
        let mut to = to;
        // A thing that was invited stays a thing, and a person a person.
        to.attendees.retain(|one| {
            let before = from.attendees.iter().find(|before| before.who.email == one.who.email);
            before.is_none_or(|before| (before.part == Part::Resource) == (one.part == Part::Resource))
        });
        let mut resource = resource(&text);
        prop_assert!(resource.update(&id(""), &from, &to, is_quiet, now()));
        let after = resource.text();
        let fields = |content: &Content| canonical(&event(content.clone()), &TimeZone::UTC);
        prop_assert_eq!(fields(&to), fields(&content(&after, &id(""))));
        let after_lines = unfolded(&after);
        for line in &lines {
            prop_assert!(after_lines.contains(line), "{} in {}", line, after);
        }
        prop_assert!(after.contains(alarm));
        prop_assert!(after.split("\r\n").all(|line| line.len() <= 75));
    }

    /// Whatever is done to one meeting of a series is done to no other, and what is written of it is read.
    #[test]
    fn a_meeting_of_a_series_is_written_alone(
        series in any_content().prop_filter("a series", |content| !content.recurrence.is_empty()),
        wanted in any_content(),
        which in prop::sample::select(vec![0_usize, 1, 2, 3]),
        more in prop::bool::ANY,
    ) {
        let mut series = series;
        series.organizer = Some(syncline_core::calendar::event::Party { email: "rita@host.example".into(), name: None });
        series.attendees.push(guest("rep@host.example"));
        let text = made(&event(series), false, now()).expect("it is known").replace("BEGIN:VEVENT\r\n", "BEGIN:VEVENT\r\nX-THEIRS:1\r\n");
        // One of them may differ already.
        let before = meetings(&text);
        let rids: Vec<Rid> = before.keys().copied().collect();
        prop_assume!(which < rids.len());
        let text = if more {
            let (id, from) = (occurrence(&id(""), rids[0]), before[&rids[0]].clone());
            let mut resource = resource(&text);
            prop_assert!(resource.meant(&id).is_some());
            let to = Content { summary: "Differs".into(), ..from.clone() };
            prop_assert!(resource.update(&id, &from, &to, false, now()));
            resource.text()
        } else {
            text
        };
        let (before, rid) = (meetings(&text), rids[which]);
        let id = occurrence(&id(""), rid);
        let from = before[&rid].clone();
        let others = |text: &str| {
            let mut all = meetings(text);
            (all.remove(&rid), all)
        };
        let rest = others(&text).1;

        let to = Content { recurrence: Vec::new(), organizer: from.organizer.clone(), ..wanted };
        let mut updated = resource(&text);
        prop_assert_eq!(updated.meant(&id).and_then(Event::content), Some(&from));
        prop_assert!(updated.update(&id, &from, &to, false, now()));
        let updated = updated.text();
        let (own, after) = others(&updated);
        let own = own.expect("it takes place");
        prop_assert_eq!(emails(&own), emails(&to));
        prop_assert_eq!((&own.summary, &own.description, &own.location), (&to.summary, &to.description, &to.location));
        prop_assert_eq!((&own.start, &own.end, own.availability), (&to.start, &to.end, to.availability), "{}", updated);
        prop_assert_eq!(&after, &rest);
        prop_assert_eq!(updated.matches("X-THEIRS:1").count(), 1 + usize::from(more) + usize::from(!more || which > 0));

        let mut declined = resource(&text);
        prop_assert!(declined.meant(&id).is_some());
        prop_assert_eq!(declined.decline(&id, "rep@host.example", now()), Declined::Done);
        let (own, after) = others(&declined.text());
        let reply = |one: &syncline_core::calendar::event::Attendee| one.who.email == "rep@host.example" && one.reply == Reply::Declined;
        prop_assert!(own.expect("it takes place").attendees.iter().any(reply));
        prop_assert_eq!(&after, &rest);

        let mut removed = resource(&text);
        prop_assert!(removed.meant(&id).is_some());
        prop_assert!(removed.remove(&id, now()));
        let removed = removed.text();
        prop_assert_eq!(others(&removed), (None, rest));
        prop_assert!(resource(&removed).meant(&id).is_none());
    }

    /// Whatever a text holds, working on it ends, and what of it is not meant stays.
    #[test]
    fn no_text_makes_a_panic(words in prop::collection::vec(prop::sample::select(WORDS.to_vec()), 0..24)) {
        let text = format!("BEGIN:VCALENDAR\n{}\nEND:VCALENDAR\n", words.join("\n"));
        let events = |text: &str| read(text, origin(&UTC), &mut Compared::default());
        if let Some(mut resource) = Resource::read(&text, origin(&UTC)) {
            prop_assert_eq!(events(&resource.text()), events(&text));
            let all = events(&text);
            for event in &all {
                prop_assert_eq!(resource.event(&event.id).map(|found| &found.id), Some(&event.id));
                let Some(from) = event.content() else { continue };
                let mut to = from.clone();
                to.summary = "Other".into();
                to.attendees.push(guest("new@acme.example"));
                prop_assert!(resource.update(&event.id, from, &to, false, now()));
            }
            let after = events(&resource.text());
            prop_assert_eq!(after.len(), all.len());
            for (before, after) in all.iter().zip(&after) {
                prop_assert_eq!(&before.id, &after.id);
                prop_assert_eq!(after.content().is_some_and(|content| content.summary == "Other"), before.content().is_some());
            }
            if let Some(event) = after.first() {
                resource.decline(&event.id, "new@acme.example", now());
                resource.remove(&event.id, now());
                // Of several meetings at one address another one may be called by it now.
                let is_it = |left: &Event| (&left.uid, left.rid) == (&event.uid, event.rid);
                prop_assert!(!events(&resource.text()).iter().any(is_it));
            }
        }
    }
}

/// What the property above puts together.
const WORDS: [&str; 16] = [
    "BEGIN:VEVENT",
    "END:VEVENT",
    "END:VEVENT\nBEGIN:VEVENT",
    "BEGIN:VALARM\nTRIGGER:-PT5M\nEND:VALARM",
    "BEGIN:VTODO\nUID:2\nEND:VTODO",
    "UID:1",
    "UID:2",
    "DTSTART:20260320T140000Z",
    "DTSTART;VALUE=DATE:20260320",
    "RRULE:FREQ=DAILY;COUNT=3",
    "RECURRENCE-ID:20260321T140000Z",
    "RECURRENCE-ID;VALUE=DATE:20260321",
    "SEQUENCE:2",
    "ATTENDEE;X=\"a;b:c\":mailto:new@acme.example",
    "SUMMARY:One\n  more",
    "no line at all",
];
