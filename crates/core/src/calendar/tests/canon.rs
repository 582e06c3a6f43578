//! What counts as a change.

use jiff::{SignedDuration, civil::date};
use proptest::prelude::*;

use super::{
    cases,
    world::{HOME, contents, event, instant, meeting},
};
use crate::calendar::{
    canon::{canon_hash, canonical, diverging},
    event::{Body, Content, Etag, Event, Moment, Status},
};

fn hash(content: Content) -> String {
    canon_hash(&event(content), &HOME).as_str().to_owned()
}

/// The form is a promise to what was stored: whoever changes it counts its version up.
///
/// proves: C9
#[test]
fn the_hash_of_an_event_never_changes() {
    insta::assert_snapshot!(hash(meeting(&["ada@client.example"])), @"c1_c8ed31698d00c29e2b81fb1fac705605");
    insta::assert_snapshot!(canon_hash(&event(meeting(&[])).hidden(), &HOME).as_str(), @"c1_4cd4c581f4cad976764fd995a2bdc8ec");
}

/// proves: C9
#[test]
fn what_only_servers_see_is_no_change() {
    let mut one = meeting(&["ada@client.example", "bob@client.example"]);
    let plain = hash(one.clone());
    one.attendees.reverse();
    one.summary = "  Plan ".into();
    one.description = "\r\n \r\n".into();
    one.start = Moment::At { at: instant("2026-03-16T08:00:00.25Z"), zone: "Asia/Tokyo".into() };
    assert_eq!(hash(one.clone()), plain);
    let same = Event {
        etag: Some(Etag("9".into())),
        sequence: 7,
        modified: Some(instant("2026-03-01T00:00:00Z")),
        ..event(one.clone())
    };
    assert_eq!(canon_hash(&same, &HOME).as_str(), plain);
    let cancelled = Event { status: Status::Cancelled, ..same };
    assert_ne!(canon_hash(&cancelled, &HOME).as_str(), plain);
}

/// proves: C9
#[test]
fn a_recurrence_that_means_the_same_is_no_change() {
    let series = |lines: &[&str]| {
        let start = Moment::local(date(2026, 3, 16).at(9, 0, 0, 0), "Europe/Berlin").unwrap();
        let mut content = Content::new(start.clone(), start);
        content.recurrence = lines.iter().map(|line| (*line).to_owned()).collect();
        hash(content)
    };
    let one = series(&["RRULE:FREQ=WEEKLY;BYDAY=MO;INTERVAL=1", "EXDATE:20260330T070000Z"]);
    let other = series(&["EXDATE;TZID=W. Europe Standard Time:20260330T090000", "RRULE:byday=MO;freq=WEEKLY;WKST=MO;"]);
    assert_eq!(one, other);
    assert_ne!(one, series(&["RRULE:FREQ=WEEKLY;BYDAY=MO"]));
}

proptest! {
    #![proptest_config(cases(150))]

    /// Of two private events nothing tells which is which but their identity.
    ///
    /// proves: C8
    #[test]
    fn private_events_are_all_alike(one in contents(), other in contents()) {
        let (one, other) = (event(one).hidden(), event(other).hidden());
        prop_assert_eq!(&one, &other);
        prop_assert_eq!(serde_json::to_string(&one).unwrap(), serde_json::to_string(&other).unwrap());
        prop_assert_eq!(canon_hash(&one, &HOME), canon_hash(&other, &HOME));
    }

    /// proves: C9
    #[test]
    fn the_hash_tells_just_what_the_fields_tell(one in contents(), other in contents()) {
        let (one, other) = (event(one), event(other));
        let fields = diverging(&canonical(&one, &HOME), &canonical(&other, &HOME));
        prop_assert_eq!(fields.is_empty(), canon_hash(&one, &HOME) == canon_hash(&other, &HOME));
    }

    /// proves: C9
    #[test]
    fn a_stored_event_is_read_as_it_was(content in contents(), shift in 0..100i64) {
        let mut one = event(content);
        one.modified = Some(instant("2026-03-01T00:00:00Z") + SignedDuration::from_secs(shift));
        for event in [one.clone(), one.clone().hidden(), Event { body: Body::Bare, ..one }] {
            let text = serde_json::to_string(&event).unwrap();
            prop_assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), event);
        }
    }
}
