//! Answers that the imitation tenant does not give: single parts of a batch that fail, pages that are cut, rows without form.

use std::time::Duration;

use serde_json::{Value, json};
use syncline_connect::{
    Calendars, ErrorKind, Retry,
    calendar::{CalendarId, From},
};
use syncline_core::calendar::event::{Body, EventId, Unreadable};

use super::{
    super::Microsoft,
    Desk, fridays, meeting, primary, subject,
    watch::{Watched, run},
};

const BATCH: &str = "/v1.0/$batch";
const DELTA: &str = "/v1.0/me/calendarView/delta";

/// A desk to which answers come changed.
fn altered(alter: impl Fn(&str, &mut (u16, Value)) + Send + Sync + 'static) -> Desk {
    let mut desk = Desk::new();
    desk.asker.http = Box::new(Watched::altered(desk.site.clone(), Box::new(alter)));
    desk
}

/// A desk whose batches come with a change to the part that tells of this subject.
fn altered_part(about: &'static str, alter: impl Fn(&mut Value) + Send + Sync + 'static) -> Desk {
    altered(move |path, (_, answer)| {
        if path == BATCH {
            let parts = answer["responses"].as_array_mut().expect("parts").iter_mut();
            parts.filter(|part| part["body"]["subject"] == about).for_each(&alter);
        }
    })
}

fn refused(part: &mut Value, status: u16, code: &str) {
    part["status"] = json!(status);
    part["body"] = json!({"error": {"code": code, "message": "ada@acme.example"}});
}

/// The only event, which cannot be read, and why.
fn fault(desk: &mut Desk) -> String {
    let (events, _) = desk.read();
    let [event] = events.as_slice() else { panic!("{events:?}") };
    let Body::Unreadable(fault) = &event.body else { panic!("{event:?}") };
    fault.to_string()
}

/// proves: C10: one part of a batch that has to wait makes all wait, as long as it was told to; nothing is taken for gone.
#[test]
fn a_part_that_has_to_wait_makes_all_wait() {
    for (status, code, kind) in [
        (429, "TooManyRequests", ErrorKind::RateLimited),
        (400, "MailboxConcurrency", ErrorKind::RateLimited),
        (503, "ErrorServerBusy", ErrorKind::Unavailable),
    ] {
        let desk = altered_part("Second", move |part| {
            refused(part, status, code);
            part["headers"]["Retry-After"] = json!("17");
        });
        desk.create(&meeting("First"));
        desk.create(&meeting("Second"));
        let error = desk.try_page().expect_err("one has to wait");
        assert_eq!((error.kind, error.retry), (kind, Retry::After(Duration::from_secs(17))));
    }
    let desk = altered_part("First", |part| refused(part, 401, "InvalidAuthenticationToken"));
    desk.create(&meeting("First"));
    assert_eq!(desk.try_page().expect_err("the token ended").retry, Retry::Reauthorise);
}

/// One event that the service does not tell keeps nobody from reading the others, and is shown with its code.
#[test]
fn what_is_never_told_is_shown_as_that() {
    let mut desk = altered_part("First", |part| refused(part, 400, "ErrorCorruptData"));
    let id = desk.create(&meeting("First"));
    desk.create(&meeting("Second"));
    let mut events = desk.read().0;
    events.sort_by_key(|event| event.content().is_some());
    assert_eq!(subject(&events[1]), "Second");
    assert_eq!(events[0].id, EventId(id));
    let broken = |text: &str| Body::Unreadable(Unreadable::Broken(text.to_owned()));
    assert_eq!(events[0].body, broken("Microsoft 365 does not show it (ErrorCorruptData)"));
    let mut desk = altered_part("Weekly", |part| refused(part, 400, "ErrorInvalidRequest"));
    desk.create(&fridays());
    assert!(fault(&mut desk).contains("ErrorInvalidRequest"));
}

/// proves: sec:S30: the others are read all the same.
#[test]
fn a_row_without_form_says_so() {
    for (name, wrong) in [("id", json!(7)), ("start", json!("soon")), ("attendees", json!({"x": 1}))] {
        let mut desk = altered_part("First", move |part| part["body"][name] = wrong.clone());
        desk.create(&meeting("First"));
        assert!(fault(&mut desk).contains("form"), "{name}");
        desk.create(&meeting("Second"));
        assert_eq!(desk.subjects(), ["Second"]);
    }
}

/// A batch that answers less than was asked, or something else, is no answer.
#[test]
fn a_batch_that_does_not_fit_is_no_answer() {
    let changes: [fn(&mut Value); 4] = [
        |answer| drop(answer["responses"].as_array_mut().expect("parts").pop()),
        |answer| answer["responses"][0]["id"] = json!("99"),
        |answer| answer["responses"][0]["body"] = Value::Null,
        |answer| answer["responses"] = Value::Null,
    ];
    for change in changes {
        let desk = altered(move |path, (_, answer)| {
            if path == BATCH {
                change(answer);
            }
        });
        desk.create(&meeting("First"));
        let error = desk.try_page().expect_err("it does not fit");
        assert_eq!((error.kind, error.retry), (ErrorKind::Protocol, Retry::Backoff));
    }
}

/// A page that does not say where to go on, or of what it tells, is no page; a first page is never an old one.
#[test]
fn a_page_that_does_not_fit_is_no_page() {
    type Change = fn(&mut (u16, Value));
    let changes: [(Change, ErrorKind); 3] = [
        (|(_, page)| page["@odata.deltaLink"] = Value::Null, ErrorKind::Protocol),
        (|(_, page)| page["value"] = json!([{"@removed": {"reason": "deleted"}}]), ErrorKind::Protocol),
        (|answer| answer.0 = 410, ErrorKind::Unavailable),
    ];
    for (change, kind) in changes {
        let desk = altered(move |path, answer| {
            if path == DELTA {
                change(answer);
            }
        });
        assert_eq!(desk.try_page().expect_err("it does not fit").kind, kind);
    }
}

/// Changed occurrences that do not come along with their series are read where it says that they are; if there is no end of
/// them nothing of the series is believed.
#[test]
fn more_changed_occurrences_than_come_along_are_read() {
    for endless in [false, true] {
        let mut desk = altered(move |path, (status, answer)| {
            const MORE: &str = "http://sandbox/v1.0/more";
            if path == BATCH {
                let parts = answer["responses"].as_array_mut().expect("parts").iter_mut();
                for part in parts.filter(|part| part["body"]["exceptionOccurrences"].is_array()) {
                    part["body"]["exceptionOccurrences"] = json!([]);
                    part["body"]["exceptionOccurrences@odata.nextLink"] = json!(MORE);
                }
            }
            if path == "/v1.0/more" {
                *status = 200;
                let when = json!({"dateTime": "2026-03-28T10:00:00", "timeZone": "UTC"});
                *answer = json!({"value": [{
                    "id": "x", "type": "exception", "subject": "Third place", "start": when, "end": when,
                    "originalStart": "2026-03-27T13:00:00Z",
                }]});
                if endless {
                    answer["@odata.nextLink"] = json!(MORE);
                }
            }
        });
        desk.create(&fridays());
        if endless {
            assert!(fault(&mut desk).contains("more changed occurrences"));
        } else {
            assert_eq!(desk.read().0.iter().map(subject).collect::<Vec<_>>(), ["Weekly", "Third place"]);
        }
    }
}

/// Of a calendar that is not there nothing is said to be gone: that it is not there is.
#[test]
fn a_calendar_that_is_not_there_is_told() {
    let desk = Desk::new();
    let id = desk.create(&meeting("First"));
    let cx = desk.asker.cx();
    let nowhere = CalendarId("AAMkCAL0x77=".into());
    let found = run(Microsoft.fetch(&cx, &nowhere, &[EventId(id.clone())]));
    assert_eq!(found.expect_err("there is none").kind, ErrorKind::Gone);
    let page = run(Microsoft.changes(&cx, &nowhere, From::Beginning));
    assert_eq!(page.expect_err("there is none").kind, ErrorKind::Gone);
    let found = run(Microsoft.fetch(&cx, &primary(), &[EventId(id)])).expect("an answer");
    assert!(found.value[0].is_some());
}
