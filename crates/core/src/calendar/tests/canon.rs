//! What counts as a change.

use jiff::{SignedDuration, civil::date};
use proptest::prelude::*;

use super::{
    cases,
    world::{HOME, contents, event, instant, meeting},
};
use crate::calendar::{
    canon::{CanonFields, canonical},
    event::{Body, Content, Etag, Event, Moment, Status},
};

fn form(content: Content) -> CanonFields {
    canonical(&event(content), &HOME)
}

/// proves: C9
#[test]
fn what_only_servers_see_is_no_change() {
    let mut one = meeting(&["ada@client.example", "bob@client.example"]);
    let plain = form(one.clone());
    one.attendees.reverse();
    one.summary = "  Plan ".into();
    one.description = "\r\n \r\n".into();
    one.start = Moment::At { at: instant("2026-03-16T08:00:00.25Z"), zone: "Asia/Tokyo".into() };
    assert_eq!(form(one.clone()), plain);
    let same = Event {
        etag: Some(Etag("9".into())),
        sequence: 7,
        modified: Some(instant("2026-03-01T00:00:00Z")),
        ..event(one.clone())
    };
    assert_eq!(canonical(&same, &HOME), plain);
    let cancelled = Event { status: Status::Cancelled, ..same };
    assert_ne!(canonical(&cancelled, &HOME), plain);
}

/// proves: C9
#[test]
fn a_recurrence_that_means_the_same_is_no_change() {
    let series = |lines: &[&str]| {
        let start = Moment::local(date(2026, 3, 16).at(9, 0, 0, 0), "Europe/Berlin").unwrap();
        let mut content = Content::new(start.clone(), start);
        content.recurrence = lines.iter().map(|line| (*line).to_owned()).collect();
        form(content)
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
        prop_assert_eq!(canonical(&one, &HOME), canonical(&other, &HOME));
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
