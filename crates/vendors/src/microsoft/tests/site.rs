//! A first reading, what changed, links that end, pages that break.

use serde_json::json;
use syncline_connect::{
    Calendars, ErrorKind, Retry,
    calendar::{Changes, From, Reading},
};
use syncline_core::calendar::event::{Body, EventId, Moment, Reply, Status};
use syncline_sandbox::{FaultKind, FaultRule, MicrosoftConfig};

use super::{
    super::Microsoft,
    Desk, MIA, NOAH, meeting, primary,
    watch::{Watched, run},
};

const DELTA: &str = "/v1.0/me/calendarView/delta";
const BATCH: &str = "/v1.0/$batch";

/// proves: C4, C10, P2: all once, and of which time that is told; then what changed; a look without news is one call
/// that brings nothing.
#[test]
fn a_calendar_is_read_once_and_then_what_changes() {
    let mut desk = Desk::new();
    let first = desk.create(&meeting("First"));
    desk.create(&meeting("Second"));
    let (events, reading) = desk.read();
    assert_eq!(events.len(), 2);
    let bound = |time: &str| Some(time.parse().expect("a time"));
    assert_eq!(reading, Reading::Whole { from: bound("2025-12-12T08:00:01Z"), to: bound("2027-04-16T08:00:01Z") });
    assert_eq!(desk.read(), (vec![], Reading::Changes));
    desk.site.edit(MIA, &first, &json!({"subject": "Moved"})).expect("an edit");
    assert_eq!(desk.subjects(), ["Moved"]);
    desk.site.delete(MIA, &first).expect("a deletion");
    let (events, _) = desk.read();
    let gone: Vec<_> = events.iter().map(|event| (event.id.0.as_str(), event.status, &event.body)).collect();
    assert_eq!(gone, [(first.as_str(), Status::Cancelled, &Body::Bare)]);
    let before = desk.site.call_count();
    desk.read();
    assert_eq!(desk.site.call_count() - before, 1);
}

/// proves: C9: the instant is exact, the clock that of the event, a body its text, and a day the same day everywhere.
#[test]
fn an_event_is_read_as_it_was_written() {
    let mut desk = Desk::new();
    desk.create(&meeting("Demo"));
    let events = desk.read().0;
    let content = events[0].content().expect("it is open");
    let at = "2026-03-20T13:00:00Z".parse().expect("a time");
    assert_eq!(content.start, Moment::At { at, zone: "Europe/Berlin".into() });
    assert_eq!(content.description, "One\nTwo & three");
    assert_eq!(content.organizer.as_ref().map(|who| who.email.as_str()), Some(MIA));
    let mut day = meeting("Fair");
    day["isAllDay"] = json!(true);
    for (side, date) in [("start", "2026-03-20T00:00:00"), ("end", "2026-03-22T00:00:00")] {
        day[side] = json!({"dateTime": date, "timeZone": "W. Europe Standard Time"});
    }
    desk.create(&day);
    let events = desk.read().0;
    let content = events[0].content().expect("it is open");
    let day = |text: &str| Moment::Day(text.parse().expect("a day"));
    assert_eq!((&content.start, &content.end), (&day("2026-03-20"), &day("2026-03-22")));
}

/// Two hours later, with a token of that time: the events were there long before somebody reads them.
fn later(desk: &Desk, who: &str) -> Desk {
    desk.asker.hands.pass(2 * 3_600);
    desk.beside(who)
}

/// proves: C9, C10, P2: what a first reading tells whole is not read again, and is the same as if it were: of one's own and of
/// others, open and private, whole days too.
#[test]
fn a_first_reading_believes_what_was_not_changed_since() {
    let desk = Desk::new();
    let guest = |address: &str| json!({"type": "required", "emailAddress": {"address": address, "name": "Guest"}});
    for (number, more) in [
        json!({}),
        json!({"sensitivity": "private"}),
        json!({"isAllDay": true, "start": {"dateTime": "2026-03-20T00:00:00", "timeZone": "UTC"},
               "end": {"dateTime": "2026-03-21T00:00:00", "timeZone": "UTC"}}),
        json!({"attendees": [guest(NOAH), guest("ada@acme.example")]}),
        json!({"originalStartTimeZone": "Nowhere", "showAs": "free", "location": {"displayName": "Room 7"}}),
    ]
    .into_iter()
    .enumerate()
    {
        let mut event = meeting(&format!("Meeting {number}"));
        event.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        desk.create(&event);
    }
    let his = desk.site.snapshot()[NOAH][0]["id"].as_str().expect("an id").to_owned();
    desk.site.respond_to(NOAH, &his, "accept").expect("an answer");
    for (who, events, calls) in [(MIA, 5, 1), (NOAH, 1, 2)] {
        let mut desk = later(&desk, who);
        let before = desk.site.call_count();
        let told = desk.read().0;
        assert_eq!((told.len(), desk.site.call_count() - before), (events, calls), "{who}");
        let ids: Vec<EventId> = told.iter().map(|event| event.id.clone()).collect();
        let (cx, calendar) = (desk.asker.cx(), primary());
        let found = run(Microsoft.fetch(&cx, &calendar, &ids)).expect("an answer").value;
        assert_eq!(found.into_iter().flatten().collect::<Vec<_>>(), told);
    }
}

/// What changed a moment ago may come in an older form, and what a row lacks is elsewhere: both are read.
#[test]
fn a_first_reading_looks_again_at_the_rest() {
    let desk = Desk::new();
    let id = desk.create(&meeting("First"));
    desk.create(&meeting("Second"));
    let mut desk = later(&desk, MIA);
    desk.site.edit(MIA, &id, &json!({"subject": "Changed"})).expect("an edit");
    let requests = |desk: &mut Desk| {
        desk.cursor = None;
        run(Microsoft.changes(&desk.asker.cx(), &primary(), From::Beginning)).expect("an answer").calls
    };
    assert_eq!(requests(&mut desk), 3, "the page, whose calendar it is, and what changed");
    let mut desk = later(&desk, MIA);
    assert_eq!(requests(&mut desk), 1);
    for member in ["uid", "body", "lastModifiedDateTime"] {
        let alter = move |path: &str, (_, answer): &mut (u16, serde_json::Value)| {
            if let Some(row) = answer["value"].get_mut(0).filter(|_| path == DELTA) {
                row.as_object_mut().expect("a row").remove(member);
            }
        };
        desk.asker.http = Box::new(Watched::altered(desk.site.clone(), Box::new(alter)));
        assert_eq!(requests(&mut desk), 3, "{member}");
        desk.cursor = None;
        assert_eq!(desk.subjects(), ["Changed", "Second"]);
    }
    // What changed since is read, however long ago.
    desk.read();
    desk.site.edit(MIA, &id, &json!({"subject": "Once more"})).expect("an edit");
    let mut desk = Desk { cursor: desk.cursor.clone(), ..later(&desk, MIA) };
    let before = desk.site.call_count();
    assert_eq!(desk.subjects(), ["Once more"]);
    assert_eq!(desk.site.call_count() - before, 2);
}

/// A removal is a hint: what only left the window is still there.
#[test]
fn what_left_the_window_is_not_gone() {
    let mut desk = Desk::new();
    let id = desk.create(&meeting("Far"));
    desk.read();
    let when = |day: &str| json!({"dateTime": format!("{day}T14:00:00"), "timeZone": "UTC"});
    desk.site.edit(MIA, &id, &json!({"start": when("2029-01-10"), "end": when("2029-01-11")})).expect("an edit");
    assert_eq!(desk.subjects(), ["Far"]);
}

/// proves: C10: a link that ended is told, between two pages too, and reading anew brings what is there. Its name is
/// written in any way.
#[test]
fn an_ended_delta_is_told() {
    for refusal in ["SyncStateNotFound", "resyncRequired", "syncstateinvalid"] {
        let mut desk = Desk::with(MicrosoftConfig { delta_refusal: refusal, ..MicrosoftConfig::default() }, MIA);
        for number in 0..60 {
            desk.create(&meeting(&format!("Meeting {number}")));
        }
        assert_eq!(desk.page().reading, Reading::More);
        desk.site.expire_delta_tokens();
        assert_eq!(desk.try_page().expect("an answer").value, Changes::Expired);
        desk.cursor = None;
        assert_eq!(desk.read().0.len(), 60);
    }
}

/// The window stands still while time goes on: before its end comes near it is begun anew.
#[test]
fn a_window_that_runs_out_is_begun_anew() {
    let mut desk = Desk::new();
    desk.create(&meeting("First"));
    desk.read();
    desk.asker.hands.pass(339 * 24 * 3_600);
    let before = desk.site.call_count();
    assert!(desk.try_page().is_err(), "the token of the login ended, and so it was asked");
    desk.asker.hands.pass(2 * 24 * 3_600);
    assert_eq!(desk.try_page().expect("an answer").value, Changes::Expired);
    assert_eq!(desk.site.call_count() - before, 1);
}

/// proves: C10: pages that break, repeat rows or are throttled anywhere are read again from the same place.
#[test]
fn a_broken_page_is_read_again() {
    let mut desk = Desk::with(MicrosoftConfig { repeats_rows: true, ..MicrosoftConfig::default() }, MIA);
    for number in 0..120 {
        desk.create(&meeting(&format!("Meeting {number}")));
    }
    let first = desk.page();
    assert_eq!(first.reading, Reading::More);
    for (method, path) in [("GET", DELTA), ("POST", BATCH)] {
        for (kind, retry) in [
            (FaultKind::LostAnswer, Retry::Backoff),
            (FaultKind::Truncated, Retry::Backoff),
            (FaultKind::Limited, Retry::After(std::time::Duration::from_secs(10))),
        ] {
            desk.site.faults().add(FaultRule::next(kind).on(method, path));
            let error = desk.try_page().expect_err("it broke");
            assert_eq!(error.retry, retry, "{error}");
        }
    }
    let mut subjects = desk.subjects();
    subjects.extend(first.events.iter().map(super::subject));
    subjects.sort_unstable();
    subjects.dedup();
    assert_eq!(subjects.len(), 120);
}

/// proves: C8: before, and after it was open.
#[test]
fn a_private_event_comes_without_content() {
    for word in ["private", "personal", "confidential"] {
        let mut desk = Desk::new();
        let mut secret = meeting("Doctor");
        secret["sensitivity"] = json!(word);
        desk.create(&secret);
        let open = desk.create(&meeting("Open"));
        desk.read();
        desk.site.edit(MIA, &open, &json!({"sensitivity": word, "subject": "Doctor"})).expect("an edit");
        let page = desk.page();
        assert!(page.events.iter().all(|event| event.body == Body::Private));
        desk.cursor = None;
        let all = desk.page();
        assert_eq!(all.events.len(), 2);
        assert!(!format!("{page:?}{all:?}").contains("Doctor"));
    }
}

/// A guest's own answer is read off the guest's copy, and only the organiser's word cancels.
#[test]
fn a_guests_copy_says_what_the_guest_answered() {
    let desk = Desk::new();
    let mut event = meeting("Demo");
    let guest = |address: &str| json!({"type": "required", "emailAddress": {"address": address, "name": "Guest"}});
    event["attendees"] = json!([guest(NOAH), guest("ada@acme.example")]);
    let id = desk.create(&event);
    let mut his = desk.beside(NOAH);
    let copy = his.read().0.remove(0);
    his.site.respond_to(NOAH, &copy.id.0, "tentativelyAccept").expect("an answer");
    let copy = his.read().0.remove(0);
    let replies: Vec<_> = copy.content().expect("open").attendees.iter().map(|one| one.reply).collect();
    assert_eq!(replies, [Reply::Tentative, Reply::Awaited]);
    desk.site.delete(MIA, &id).expect("a cancellation");
    let copy = his.read().0.remove(0);
    assert_eq!(copy.status, Status::Cancelled);
    assert!(copy.content().is_some());
}

/// A failed look at a single event is never "gone".
#[test]
fn single_events_are_read_or_gone_or_nobody_knows() {
    let desk = Desk::new();
    let (here, gone) = (desk.create(&meeting("First")), desk.create(&meeting("Second")));
    desk.site.delete(MIA, &gone).expect("a deletion");
    let ids = [EventId(here), EventId(gone)];
    let (cx, calendar) = (desk.asker.cx(), primary());
    let fetch = || run(Microsoft.fetch(&cx, &calendar, &ids));
    let found = fetch().expect("an answer");
    assert_eq!(found.value.iter().map(Option::is_some).collect::<Vec<_>>(), [true, false]);
    desk.site.faults().add(FaultRule::next(FaultKind::Status).status(500).on("POST", BATCH));
    assert_eq!(fetch().expect_err("it failed").kind, ErrorKind::Unavailable);
}

/// proves: C1
#[test]
fn calendars_are_listed_with_the_one_to_begin_with() {
    let desk = Desk::new();
    desk.site.add_calendar(MIA, "Side projects").expect("a calendar");
    let cx = desk.asker.cx();
    let listed = run(Microsoft.list(&cx)).expect("an answer").value;
    let shown: Vec<_> = listed.iter().map(|entry| (entry.name.as_str(), entry.primary, entry.writable)).collect();
    assert_eq!(shown, [("Calendar", true, true), ("Side projects", false, true)]);
    let side = &listed[1].id;
    let page = Microsoft.changes(&cx, side, From::Beginning);
    assert!(matches!(run(page).expect("an answer").value, Changes::Page(_)));
}

/// The access token goes to the account's own host, whatever an answer or a kept place says.
#[test]
fn a_link_to_elsewhere_is_not_followed() {
    let mut desk = Desk::new();
    desk.read();
    let cursor = desk.cursor.take().expect("a place");
    desk.cursor = Some(cursor.replace("http://sandbox/", "http://elsewhere.example/"));
    let before = desk.site.call_count();
    assert_eq!(desk.try_page().expect_err("it is elsewhere").kind, ErrorKind::Protocol);
    assert_eq!(desk.site.call_count(), before);
}
