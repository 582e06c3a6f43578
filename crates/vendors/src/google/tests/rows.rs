//! What rows mean: times, people, kinds, and what is left of what is gone or private.

use jiff::tz::TimeZone;
use proptest::prelude::*;
use serde_json::{Value, json};
use syncline_core::calendar::{
    event::{Availability, Body, Event, EventType, Moment, Part, Reply, Status, Unreadable},
    identity::Rid,
};

use super::super::{convert, wire::Item};

fn read(row: Value) -> Event {
    let item: Item = serde_json::from_value(row).expect("a row");
    convert::event(item, &TimeZone::get("America/Sao_Paulo").expect("a zone"))
}

fn row() -> Value {
    json!({
        "kind": "calendar#event", "etag": "\"1\"", "id": "e1", "status": "confirmed",
        "created": "2026-03-01T10:00:00.000Z", "updated": "2026-03-02T10:00:00.123Z",
        "summary": " Demo ", "description": "<p>One</p><p>Two &amp; three</p>", "location": "Room 7",
        "organizer": {"email": "Rosa@host.example", "self": true},
        "start": {"dateTime": "2026-03-15T07:00:00-03:00", "timeZone": "UTC"},
        "end": {"dateTime": "2026-03-15T08:00:00-03:00", "timeZone": "UTC"},
        "iCalUID": "e1@google.com", "sequence": 2,
        "attendees": [
            {"email": "ada@acme.example", "displayName": "Ada", "responseStatus": "accepted"},
            {"email": "room@resource.example", "resource": true, "responseStatus": "declined"},
            {"email": "bo@acme.example", "optional": true},
        ],
    })
}

/// proves: C9: the instant is that of the offset, and the zone that of the event.
#[test]
fn a_row_says_when_and_who() {
    let event = read(row());
    assert_eq!((event.rid, event.status, event.sequence), (Rid::Single, Status::Confirmed, 2));
    let content = event.content().expect("it is open");
    assert_eq!(content.start, Moment::At { at: "2026-03-15T10:00:00Z".parse().unwrap(), zone: "UTC".into() });
    assert_eq!((content.summary.as_str(), content.description.as_str()), ("Demo", "One\nTwo & three"));
    let people: Vec<_> = content.attendees.iter().map(|one| (one.who.email.as_str(), one.part, one.reply)).collect();
    assert_eq!(
        people,
        [
            ("ada@acme.example", Part::Required, Reply::Accepted),
            ("room@resource.example", Part::Resource, Reply::Declined),
            ("bo@acme.example", Part::Optional, Reply::Awaited),
        ]
    );
    assert_eq!(content.organizer.as_ref().map(|who| who.email.as_str()), Some("rosa@host.example"));
    assert_eq!((content.kind, content.availability), (EventType::Meeting, Availability::Busy));
}

/// proves: C9: without a zone of its own an event counts by the calendar's clock; a whole day by none.
#[test]
fn times_without_a_zone_are_the_calendars() {
    let mut timed = row();
    timed["start"] = json!({"dateTime": "2026-03-15T07:00:00-03:00"});
    let Moment::At { zone, .. } = &read(timed).content().expect("open").start.clone() else { panic!("a time") };
    assert_eq!(zone, "America/Sao_Paulo");
    let mut day = row();
    (day["start"], day["end"]) = (json!({"date": "2026-03-15"}), json!({"date": "2026-03-16"}));
    assert!(read(day).content().expect("open").start.is_day());
}

/// proves: C7: which occurrence it is stays what the series' rule said, wherever it was moved.
#[test]
fn an_occurrence_knows_its_original_start() {
    let mut moved = row();
    moved["recurringEventId"] = json!("series");
    moved["originalStartTime"] = json!({"dateTime": "2026-03-12T14:00:00-03:00", "timeZone": "America/Sao_Paulo"});
    let event = read(moved);
    assert_eq!(event.rid, Rid::At("2026-03-12T17:00:00Z".parse().unwrap()));
    assert_eq!(event.series.as_ref().map(|id| id.0.as_str()), Some("series"));
    let gone = read(json!({
        "id": "series_20260312T170000Z", "status": "cancelled", "recurringEventId": "series",
        "originalStartTime": {"date": "2026-03-12"},
    }));
    assert_eq!((gone.body, gone.status), (Body::Bare, Status::Cancelled));
    assert_eq!(gone.rid, Rid::On("2026-03-12".parse().unwrap()));
}

/// proves: C8
#[test]
fn nothing_of_a_private_event_is_kept() {
    for word in ["private", "confidential"] {
        let mut secret = row();
        secret["visibility"] = json!(word);
        secret["recurrence"] = json!(["RRULE:FREQ=DAILY"]);
        let event = read(secret);
        assert_eq!(event.body, Body::Private);
        let kept = serde_json::to_string(&event).expect("it can be kept");
        for text in ["Demo", "ada", "Room", "2026-03", "RRULE", "rosa"] {
            assert!(!kept.contains(text), "{text} in {kept}");
        }
    }
}

#[test]
fn what_cannot_be_read_says_so() {
    let with = |field: &str, value: Value| {
        let mut row = row();
        row[field] = value;
        read(row).body
    };
    let zone = with("start", json!({"dateTime": "2026-03-15T07:00:00Z", "timeZone": "Nowhere/Atall"}));
    assert!(matches!(zone, Body::Unreadable(Unreadable::Zone(_))), "{zone:?}");
    assert!(matches!(with("start", json!({"dateTime": "soon"})), Body::Unreadable(Unreadable::Broken(_))));
    assert!(matches!(with("start", json!({})), Body::Unreadable(Unreadable::NoStart)));
    assert!(matches!(with("eventType", json!("somethingNew")), Body::Unreadable(Unreadable::Broken(_))));
    assert!(matches!(with("originalStartTime", json!({"date": "soon"})), Body::Unreadable(_)));
    let longest = with("summary", json!("x".repeat(5_000)));
    let Body::Open(content) = longest else { panic!("it can be read") };
    assert_eq!(content.summary.chars().count(), 1_000);
}

proptest! {
    /// Whatever a row holds, reading it ends, and private rows keep no text.
    #[test]
    fn any_row_is_read(
        text in ".{0,40}", time in "[0-9TZ:+-]{0,25}", zone in "[A-Za-z/_]{0,20}", hidden in any::<bool>()
    ) {
        let event = read(json!({
            "id": "e", "summary": format!("s{text}"), "description": text, "iCalUID": text,
            "start": {"dateTime": time, "timeZone": zone}, "end": {"date": time},
            "recurrence": [text], "attendees": [{"email": text, "displayName": text}],
            "visibility": if hidden { "private" } else { "default" },
        }));
        prop_assert_eq!(hidden, event.body == Body::Private);
    }
}
