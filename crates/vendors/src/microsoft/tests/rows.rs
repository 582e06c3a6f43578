//! What rows mean: times, people, rules, and what is left of what is private or cannot be read.

use jiff::tz::TimeZone;
use proptest::prelude::*;
use serde_json::{Value, json};
use syncline_core::calendar::{
    event::{Availability, Body, Event, Moment, Part, Reply, Status, Unreadable},
    identity::Rid,
    recur::Recurrence,
};

use super::super::{
    convert, pattern,
    wire::{self, Item},
};

pub(super) fn item(row: Value) -> Item {
    serde_json::from_value(row).expect("a row")
}

fn read(row: Value) -> Event {
    convert::single(&item(row), None)
}

fn row() -> Value {
    let person = |address: &str, name: &str| json!({"name": name, "address": address});
    json!({
        "@odata.etag": "W/\"1\"", "id": "AAkA=", "type": "singleInstance", "isCancelled": false, "isAllDay": false,
        "createdDateTime": "2026-03-01T10:00:00.1263863Z", "lastModifiedDateTime": "2026-03-02T10:00:00.126Z",
        "iCalUId": "0400", "uid": "own", "subject": " Demo ", "sensitivity": "normal", "showAs": "tentative",
        "body": {"contentType": "html", "content": "<html>\r\n<head><style>p {color: red}</style></head>\r\n<body>\r\n\
            <p>One</p>\r\n<!-- <b>hidden</b> --><p>Two &amp; three</p></body></html>"},
        "originalStartTimeZone": "Pacific Standard Time", "hideAttendees": false, "isOrganizer": false,
        "start": {"dateTime": "2026-03-15T10:00:00.0000000", "timeZone": "UTC"},
        "end": {"dateTime": "2026-03-15T11:00:00.0000000", "timeZone": "UTC"},
        "location": {"displayName": "Room 7"}, "recurrence": null, "seriesMasterId": null,
        "organizer": {"emailAddress": person("Mia@firm.example", "Mia")},
        "attendees": [
            {"type": "required", "status": {"response": "accepted"}, "emailAddress": person("ada@acme.example", "Ada")},
            {"type": "resource", "status": {"response": "declined"}, "emailAddress": person("room@firm.example", "Room")},
            {"type": "optional", "status": {"response": "none"}, "emailAddress": person("bo@acme.example", "Bo")},
        ],
    })
}

/// proves: C9: the instant is that of UTC, and the clock that of the event.
#[test]
fn a_row_says_when_and_who() {
    let event = read(row());
    assert_eq!((event.rid, event.status), (Rid::Single, Status::Confirmed));
    assert_eq!(event.uid.as_ref().map(|uid| uid.as_str()), Some("own"));
    let content = event.content().expect("it is open");
    let at = "2026-03-15T10:00:00Z".parse().expect("a time");
    assert_eq!(content.start, Moment::At { at, zone: "America/Los_Angeles".into() });
    assert_eq!((content.summary.as_str(), content.description.as_str()), ("Demo", "One\nTwo & three"));
    let people: Vec<_> = content.attendees.iter().map(|one| (one.who.email.as_str(), one.part, one.reply)).collect();
    assert_eq!(
        people,
        [
            ("ada@acme.example", Part::Required, Reply::Accepted),
            ("room@firm.example", Part::Resource, Reply::Declined),
            ("bo@acme.example", Part::Optional, Reply::Awaited),
        ]
    );
    assert_eq!(content.organizer.as_ref().map(|who| who.email.as_str()), Some("mia@firm.example"));
    assert_eq!((content.availability, content.attendees_whole), (Availability::Busy, true));
    let mut hiding = row();
    (hiding["hideAttendees"], hiding["showAs"]) = (json!(true), json!("free"));
    let event = read(hiding);
    let content = event.content().expect("it is open");
    assert_eq!((content.availability, content.attendees_whole), (Availability::Free, false));
}

/// proves: C8: a word that is not known, too.
#[test]
fn nothing_of_a_private_event_is_kept() {
    for word in ["private", "personal", "confidential", "somethingNew"] {
        let mut secret = row();
        secret["sensitivity"] = json!(word);
        let event = read(secret);
        assert_eq!(event.body, Body::Private);
        let kept = serde_json::to_string(&event).expect("it can be kept");
        for text in ["Demo", "ada", "Room", "2026-03", "mia"] {
            assert!(!kept.contains(text), "{text} in {kept}");
        }
    }
}

fn rule(pattern: Value, range: Value, is_day: bool) -> Result<String, Unreadable> {
    let all: wire::Recurrence = serde_json::from_value(json!({"pattern": pattern, "range": range})).expect("a pattern");
    pattern::line(&all, &TimeZone::get("America/New_York").expect("a zone"), is_day)
}

/// proves: C7: every pattern and every end that Graph has.
#[test]
fn patterns_become_rules() {
    let (never, two) = (json!({"type": "noEnd"}), ["monday", "tuesday"]);
    let numbered = json!({"type": "numbered", "numberOfOccurrences": 5, "endDate": "0001-01-01"});
    let until = json!({"type": "endDate", "endDate": "2026-04-30"});
    for (pattern, range, expected) in [
        (json!({"type": "daily", "interval": 2}), &until, "FREQ=DAILY;INTERVAL=2;UNTIL=20260501T035959Z"),
        (json!({"type": "weekly", "daysOfWeek": two}), &numbered, "FREQ=WEEKLY;BYDAY=MO,TU;WKST=SU;COUNT=5"),
        (
            json!({"type": "weekly", "interval": 2, "daysOfWeek": ["friday"], "firstDayOfWeek": "monday"}),
            &never,
            "FREQ=WEEKLY;BYDAY=FR;WKST=MO;INTERVAL=2",
        ),
        (json!({"type": "absoluteMonthly", "dayOfMonth": 15}), &never, "FREQ=MONTHLY;BYMONTHDAY=15"),
        (json!({"type": "absoluteMonthly", "dayOfMonth": 31}), &never, "FREQ=MONTHLY;BYMONTHDAY=-1"),
        (json!({"type": "absoluteMonthly", "dayOfMonth": 30}), &never, "FREQ=MONTHLY;BYMONTHDAY=28,29,30;BYSETPOS=-1"),
        (
            json!({"type": "relativeMonthly", "daysOfWeek": two, "index": "last"}),
            &never,
            "FREQ=MONTHLY;BYDAY=MO,TU;BYSETPOS=-1",
        ),
        (
            json!({"type": "absoluteYearly", "month": 2, "dayOfMonth": 29}),
            &never,
            "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=28,29;BYSETPOS=-1",
        ),
        (
            json!({"type": "relativeYearly", "month": 11, "daysOfWeek": ["thursday"], "index": "fourth"}),
            &never,
            "FREQ=YEARLY;BYMONTH=11;BYDAY=TH;BYSETPOS=4",
        ),
    ] {
        let line = rule(pattern, range.clone(), false).expect("a rule");
        assert_eq!(line, format!("RRULE:{expected}"));
        Recurrence::read(&[line]).expect("it is one that is understood");
    }
    assert_eq!(rule(json!({"type": "daily"}), until, true).expect("a rule"), "RRULE:FREQ=DAILY;UNTIL=20260430");
    for wrong in [
        json!({"type": "hourly"}),
        json!({"type": "daily", "interval": 0}),
        json!({"type": "weekly", "daysOfWeek": []}),
        json!({"type": "absoluteMonthly", "dayOfMonth": 32}),
        json!({"type": "relativeMonthly", "daysOfWeek": ["someday"]}),
        json!({"type": "absoluteYearly", "dayOfMonth": 1, "month": 13}),
    ] {
        assert!(matches!(rule(wrong, never.clone(), false), Err(Unreadable::Rule(_))));
    }
}

/// A zone that is not known makes a series unreadable, for its days depend on it, and a single event not.
#[test]
fn an_unknown_zone_matters_to_series() {
    let mut custom = row();
    custom["originalStartTimeZone"] = json!("tzone://Microsoft/Custom");
    assert!(read(custom.clone()).content().is_some());
    custom["recurrence"] = json!({"pattern": {"type": "daily"}, "range": {"type": "noEnd"}});
    custom["exceptionOccurrences"] = json!([row()]);
    let events = convert::series(&item(custom), &["OID.x.2026-03-16".to_owned()], None);
    assert_eq!(events.len(), 2, "nobody knows which occurrence was called off");
    assert!(events.iter().all(|event| matches!(event.body, Body::Unreadable(_))), "{events:?}");
    let mut told = row();
    told["start"]["timeZone"] = json!("Nowhere");
    assert!(matches!(read(told).body, Body::Unreadable(Unreadable::Zone(_))));
}

/// proves: C7: occurrences of a series of whole days are told by day.
#[test]
fn whole_days_are_told_by_day() {
    let mut days = row();
    days["isAllDay"] = json!(true);
    days["start"]["dateTime"] = json!("2026-03-16T00:00:00.0000000");
    days["end"]["dateTime"] = json!("2026-03-17T00:00:00.0000000");
    let mut one = days.clone();
    days["recurrence"] = json!({"pattern": {"type": "daily"}, "range": {"type": "noEnd"}});
    one["originalStart"] = json!("2026-03-18T00:00:00Z");
    days["exceptionOccurrences"] = json!([one]);
    let events = convert::series(&item(days), &["OID.other.2026-03-20".to_owned()], None);
    let on = |day: &str| Rid::On(day.parse().expect("a day"));
    assert_eq!(
        events.iter().map(|event| event.rid).collect::<Vec<_>>(),
        [Rid::Single, on("2026-03-18"), on("2026-03-20")]
    );
    assert_eq!(events[2].id.0, "OID.AAkA=.2026-03-20");
}

#[test]
fn what_cannot_be_read_says_so() {
    let with = |field: &str, value: Value| {
        let mut row = row();
        row[field] = value;
        read(row).body
    };
    assert!(matches!(with("start", json!({"dateTime": "soon"})), Body::Unreadable(Unreadable::Broken(_))));
    assert!(matches!(with("start", json!(null)), Body::Unreadable(Unreadable::NoStart)));
    assert!(matches!(with("start", json!({})), Body::Unreadable(Unreadable::NoStart)));
    let Body::Open(content) = with("subject", json!("x".repeat(5_000))) else { panic!("it can be read") };
    assert_eq!(content.summary.chars().count(), 1_000);
}

proptest! {
    /// Whatever a row holds, reading it ends, and private rows keep no text.
    #[test]
    fn any_row_is_read(
        text in ".{0,40}", time in "[0-9TZ:+.-]{0,25}", zone in "[A-Za-z/_]{0,20}", number in any::<i64>(),
        kind in "daily|weekly|(absolute|relative)(Monthly|Yearly)|x", hidden in any::<bool>()
    ) {
        let when = json!({"dateTime": time, "timeZone": zone});
        let row = json!({
            "id": "e", "subject": format!("s{text}"), "body": {"content": format!("<{text}<style>{text}")}, "uid": text,
            "start": when, "end": {"dateTime": time}, "originalStartTimeZone": zone, "originalStart": time,
            "occurrenceId": text, "isAllDay": number % 2 == 0,
            "recurrence": {
                "pattern": {"type": kind, "interval": number, "dayOfMonth": number % 40, "month": number % 14, "index": text},
                "range": {"type": if hidden { "endDate" } else { "noEnd" }, "endDate": time},
            },
            "attendees": [{"type": text, "emailAddress": {"address": text, "name": text}}, {}],
            "sensitivity": if hidden { "private" } else { "normal" },
        });
        let event = read(row.clone());
        prop_assert_eq!(hidden, event.body == Body::Private);
        let mut whole = row.clone();
        whole["exceptionOccurrences"] = json!([row]);
        for event in convert::series(&item(whole), &[text, format!("OID.e.{time}")], Some("e")) {
            prop_assert!(!hidden || matches!(event.body, Body::Private | Body::Bare));
        }
    }
}
