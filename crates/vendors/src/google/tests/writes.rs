//! Writes against the imitation Google Calendar: one event whatever happens on the way, nothing of others overwritten, and
//! what comes back is what was written.

use futures::FutureExt;
use jiff::tz::TimeZone;
use proptest::prelude::*;
use serde_json::{Value, json};
use syncline_connect::{
    CalendarWrites, Calendars, Error, ErrorKind, Retry,
    calendar::{EventWrite, WriteOutcome},
};
use syncline_core::calendar::{
    canon::canonical,
    event::{Content, Etag, Event, EventId, Moment, Part, Reply},
    identity::Rid,
};
use syncline_sandbox::{FaultKind, FaultRule};

use super::{
    super::{Google, draft},
    site::{Desk, ROSA, meeting, primary},
};
use crate::testing::{
    contents::{any_content, at, guest},
    site::Portal,
};

const SAM: &str = "sam@host.example";
const SEED: &[u8; 32] = &[7; 32];

pub(super) fn content(summary: &str) -> Content {
    Content {
        summary: summary.to_owned(),
        location: "Room 7".to_owned(),
        attendees: vec![guest("ada@acme.example"), guest("bo@acme.example")],
        ..Content::new(at("2026-03-20T13:00:00Z", "Europe/Berlin"), at("2026-03-20T14:00:00Z", "Europe/Berlin"))
    }
}

impl Desk {
    fn try_write(&self, write: &EventWrite<'_>) -> Result<(WriteOutcome, u32), Error> {
        self.asker.hands.pass(1);
        let (cx, calendar) = (self.asker.cx(), primary());
        let answered = Google.write(&cx, &calendar, write).now_or_never().expect("a sandbox answers at once")?;
        assert!(answered.calls <= Google.calls_per_write(), "{} calls", answered.calls);
        Ok((answered.value, answered.calls))
    }

    fn write(&self, write: EventWrite<'_>) -> WriteOutcome {
        self.try_write(&write).expect("the sandbox answers").0
    }

    /// A write that must be carried out: the event as it came back, which is as it is read.
    fn written(&self, write: EventWrite<'_>) -> Event {
        let WriteOutcome::Written(event) = self.write(write) else { panic!("it is not written") };
        assert_eq!(self.one(&event.id), *event, "what came back is what is read");
        *event
    }

    fn make(&self, content: &Content) -> Event {
        self.written(EventWrite::Create { seed: SEED, content, tell: true })
    }

    fn one(&self, id: &EventId) -> Event {
        let (cx, calendar) = (self.asker.cx(), primary());
        let found = Google.fetch(&cx, &calendar, std::slice::from_ref(id)).now_or_never().expect("at once");
        found.expect("an answer").value.remove(0).expect("it is there")
    }

    fn occurrence(&self, series: &EventId, rid: Rid) -> Option<Event> {
        let (cx, calendar) = (self.asker.cx(), primary());
        let found = Google.occurrence(&cx, &calendar, series, rid).now_or_never().expect("at once");
        found.expect("an answer").value
    }

    fn mails(&self) -> usize {
        self.site.mails_since(0).len()
    }

    fn events(&self) -> usize {
        self.site.snapshot()[ROSA].len()
    }
}

fn changed(from: &Event, change: impl FnOnce(&mut Content)) -> Content {
    let mut content = from.content().expect("it is open").clone();
    change(&mut content);
    content
}

/// proves: C9, fault:N3: however often an event is made and whatever is lost on the way, there is one, and each guest is
/// told once.
#[test]
fn one_seed_makes_one_event() {
    for kind in [FaultKind::LostRequest, FaultKind::LostAnswer, FaultKind::Truncated, FaultKind::StatusAfter] {
        let desk = Desk::new();
        let content = content("Demo");
        let make = EventWrite::Create { seed: SEED, content: &content, tell: true };
        desk.site.faults().add(FaultRule::next(kind).on("POST", "/calendar/v3/calendars/"));
        let error = desk.try_write(&make).expect_err("nobody knows");
        assert_eq!((error.kind, error.retry), (ErrorKind::UnknownOutcome, Retry::Backoff), "{kind:?}");
        let first = desk.written(make);
        assert_eq!(desk.written(make), first);
        assert_eq!((desk.events(), desk.mails()), (1, 2), "{kind:?}");
        assert_eq!(first.id.0, draft::id(SEED));
        assert_eq!(desk.write(EventWrite::Create { seed: &[8; 32], content: &content, tell: false }), {
            WriteOutcome::Written(Box::new(desk.one(&EventId(draft::id(&[8; 32])))))
        });
        assert_eq!((desk.events(), desk.mails()), (2, 2), "who is not to be told is not");
    }
}

#[test]
fn what_somebody_deleted_is_not_made_again() {
    let desk = Desk::new();
    let event = desk.make(&content("Demo"));
    desk.site.delete(ROSA, &event.id.0).expect("a deletion");
    let mails = desk.mails();
    assert_eq!(
        desk.write(EventWrite::Create { seed: SEED, content: &content("Demo"), tell: true }),
        WriteOutcome::Gone
    );
    let update = changed(&event, |content| content.summary = "Other".into());
    assert_eq!(desk.write(EventWrite::Update { event: &event, content: &update, tell: true }), WriteOutcome::Changed);
    assert_eq!(desk.mails(), mails);
}

/// Of an event that we change, everything stays that we do not know or do not want to change.
#[test]
fn what_we_do_not_know_stays() {
    let desk = Desk::new();
    let mut row = meeting("Demo");
    let more = json!({
        "colorId": "5", "guestsCanModify": true, "visibility": "public", "reminders": {"useDefault": false},
        "extendedProperties": {"private": {"a": "1"}, "shared": {"b": "2"}},
        "conferenceData": {"conferenceId": "abc", "entryPoints": [{"entryPointType": "video", "uri": "https://meet.example/abc"}]},
        "attachments": [{"fileUrl": "https://files.example/1"}],
        "attendees": [
            {"email": "ada@acme.example", "responseStatus": "accepted", "comment": "Yes", "additionalGuests": 2},
            {"email": "bo@acme.example", "responseStatus": "tentative"},
        ],
    });
    row.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    let id = EventId(desk.site.create(ROSA, &row).expect("a meeting"));
    let shown = || desk.site.event(ROSA, &id.0).expect("it is there");
    let before = shown();

    let event = desk.one(&id);
    let wanted = changed(&event, |content| {
        content.summary = "Other".into();
        content.start = at("2026-03-20T13:30:00Z", "Europe/Berlin");
        content.attendees.push(guest("cy@acme.example"));
        content.attendees.retain(|one| one.who.email != "bo@acme.example");
    });
    let (outcome, calls) =
        desk.try_write(&EventWrite::Update { event: &event, content: &wanted, tell: false }).expect("an answer");
    assert!(matches!(outcome, WriteOutcome::Written(_)));
    assert_eq!(calls, 2, "one read for the guests, one write");
    let mut after = shown();
    let mut expected = before;
    for name in ["summary", "etag", "updated", "sequence", "start"] {
        expected[name] = after[name].take();
    }
    let cy = json!({"email": "cy@acme.example", "responseStatus": "needsAction"});
    expected["attendees"][1] = cy;
    for name in ["summary", "etag", "updated", "sequence", "start"] {
        after[name] = expected[name].clone();
    }
    assert_eq!(after, expected);

    // Nothing but the guests costs the reading.
    let event = desk.one(&id);
    let wanted = changed(&event, |content| content.location = "Room 8".into());
    let (_, calls) =
        desk.try_write(&EventWrite::Update { event: &event, content: &wanted, tell: false }).expect("an answer");
    assert_eq!(calls, 1);
    let event = desk.one(&id);
    let same = event.content().expect("open").clone();
    let before = desk.site.call_count();
    assert_eq!(desk.written(EventWrite::Update { event: &event, content: &same, tell: true }), event);
    assert_eq!(desk.site.call_count() - before, 1, "only the test itself reads");
}

/// A version that is not the last one is never written over.
#[test]
fn what_was_changed_since_is_not_overwritten() {
    let desk = Desk::new();
    let event = desk.make(&content("Demo"));
    let guests = changed(&event, |content| content.attendees.push(guest("cy@acme.example")));
    let summary = changed(&event, |content| content.summary = "Ours".into());
    desk.asker.hands.pass(1);
    desk.site.edit(ROSA, &event.id.0, &json!({"summary": "Theirs"})).expect("an edit");
    let before = desk.site.event(ROSA, &event.id.0);
    for content in [&guests, &summary] {
        assert_eq!(desk.write(EventWrite::Update { event: &event, content, tell: true }), WriteOutcome::Changed);
    }
    let etag = event.etag.as_ref();
    assert_eq!(desk.write(EventWrite::Delete { id: &event.id, etag, tell: true }), WriteOutcome::Changed);
    assert_eq!(desk.write(EventWrite::Decline { id: &event.id, etag, rep: ROSA, tell: true }), WriteOutcome::Changed);
    let without = Event { etag: None, ..event };
    assert_eq!(
        desk.write(EventWrite::Update { event: &without, content: &summary, tell: true }),
        WriteOutcome::Changed
    );
    assert_eq!(desk.site.event(ROSA, &without.id.0), before);
}

/// proves: C9, fault:N3: a change whose answer was lost is not made twice: the version that it was made of is gone.
#[test]
fn a_change_whose_answer_is_lost_mails_once() {
    let desk = Desk::new();
    let event = desk.make(&content("Demo"));
    let wanted = changed(&event, |content| content.start = at("2026-03-20T12:00:00Z", "Europe/Berlin"));
    let mails = desk.mails();
    desk.site.faults().add(FaultRule::next(FaultKind::LostAnswer).on("PATCH", "/calendar/v3/calendars/"));
    let update = EventWrite::Update { event: &event, content: &wanted, tell: true };
    assert_eq!(desk.try_write(&update).expect_err("nobody knows").kind, ErrorKind::UnknownOutcome);
    assert_eq!(desk.write(update), WriteOutcome::Changed);
    let again = desk.one(&event.id);
    assert_eq!(again.content().expect("open").start, wanted.start);
    assert_eq!(desk.written(EventWrite::Update { event: &again, content: &wanted, tell: true }), again);
    assert_eq!(desk.mails() - mails, 2);
}

#[test]
fn what_is_deleted_is_gone() {
    let desk = Desk::new();
    let event = desk.make(&content("Demo"));
    let etag = event.etag.as_ref();
    let delete = EventWrite::Delete { id: &event.id, etag, tell: true };
    assert_eq!(desk.write(delete), WriteOutcome::Deleted);
    assert_eq!(desk.mails(), 4);
    for again in [delete, EventWrite::Delete { id: &event.id, etag: None, tell: true }] {
        assert_eq!(desk.write(again), WriteOutcome::Gone);
    }
    let never = EventId("never12345".into());
    assert_eq!(desk.write(EventWrite::Delete { id: &never, etag, tell: true }), WriteOutcome::Gone);
    assert_eq!(desk.write(EventWrite::Decline { id: &event.id, etag, rep: ROSA, tell: true }), WriteOutcome::Gone);
    let unseen = Event { id: never, ..event.clone() };
    let wanted = changed(&event, |content| content.summary = "Other".into());
    assert_eq!(desk.write(EventWrite::Update { event: &unseen, content: &wanted, tell: true }), WriteOutcome::Gone);
    assert_eq!(desk.mails(), 4);
}

/// proves: C7: one occurrence is taken out of its series, and the others stay.
#[test]
fn one_occurrence_is_deleted_or_changed_alone() {
    let desk = Desk::new();
    let mut series = content("Weekly");
    series.recurrence = vec!["RRULE:FREQ=WEEKLY;COUNT=4".into()];
    let series = desk.make(&series);
    let occurrence = EventId(format!("{}_20260327T130000Z", series.id.0));
    let one = desk.one(&occurrence);
    let moved = changed(&one, |content| content.summary = "Only this time".into());
    let one = desk.written(EventWrite::Update { event: &one, content: &moved, tell: false });
    assert_eq!(one.series.as_ref(), Some(&series.id));
    assert_eq!(
        desk.write(EventWrite::Delete { id: &occurrence, etag: one.etag.as_ref(), tell: false }),
        WriteOutcome::Deleted
    );
    assert_eq!(desk.one(&series.id), series);
}

/// proves: C7: an occurrence that does not differ is found by its time and changed, declined or deleted alone; one that is not
/// there is not found.
#[test]
fn an_occurrence_that_does_not_differ_yet_is_written_alone() {
    let desk = Desk::new();
    let mut weekly = content("Weekly");
    weekly.recurrence = vec!["RRULE:FREQ=WEEKLY;COUNT=4".into()];
    let series = desk.make(&weekly);
    let at_that = |time: &str| Rid::At(time.parse().expect("a time"));
    // At two by its own clock, which changes in between.
    let (second, third) = (at_that("2026-03-27T13:00:00Z"), at_that("2026-04-03T12:00:00Z"));
    let one = desk.occurrence(&series.id, second).expect("it is there");
    assert_eq!((one.rid, one.series.as_ref()), (second, Some(&series.id)));
    let moved = changed(&one, |content| content.start = at("2026-03-27T13:30:00Z", "Europe/Berlin"));
    let mails = desk.mails();
    let update = EventWrite::Update { event: &one, content: &moved, tell: true };
    let now = desk.written(update);
    assert_eq!((now.content(), now.rid, desk.mails() - mails), (Some(&moved), second, 2));
    assert_eq!(desk.write(update), WriteOutcome::Changed, "what is sent again tells nobody twice");
    assert_eq!(desk.occurrence(&series.id, second), Some(now));
    let other = desk.occurrence(&series.id, third).expect("it is there");
    let delete = EventWrite::Delete { id: &other.id, etag: other.etag.as_ref(), tell: true };
    assert_eq!(desk.write(delete), WriteOutcome::Deleted);
    assert_eq!((desk.occurrence(&series.id, third), desk.one(&series.id)), (None, series.clone()));
    let nothing = ["2026-03-28T13:00:00Z", "2026-04-17T12:00:00Z"].map(at_that);
    for nothing in nothing.into_iter().chain([Rid::On("2026-03-27".parse().expect("a day"))]) {
        assert_eq!(desk.occurrence(&series.id, nothing), None);
    }
    assert_eq!(desk.occurrence(&EventId("nothing".into()), second), None);
    let days = Content {
        start: Moment::Day("2026-03-20".parse().expect("a day")),
        end: Moment::Day("2026-03-21".parse().expect("a day")),
        ..weekly
    };
    let days = desk.written(EventWrite::Create { seed: &[9; 32], content: &days, tell: false });
    let day = Rid::On("2026-03-27".parse().expect("a day"));
    assert_eq!(desk.occurrence(&days.id, day).map(|one| one.rid), Some(day));
    // Where the calendar's owner is a guest only the one is declined.
    let mut row = meeting("Sam's");
    row["attendees"] = json!([{"email": ROSA}]);
    row["recurrence"] = json!(["RRULE:FREQ=DAILY;COUNT=3"]);
    let sams = EventId(desk.site.create(SAM, &row).expect("a series"));
    let start = desk.one(&sams).content().expect("open").start.instant(&TimeZone::UTC);
    let second = Rid::At(start + jiff::SignedDuration::from_hours(24));
    let one = desk.occurrence(&sams, second).expect("it is there");
    desk.written(EventWrite::Decline { id: &one.id, etag: one.etag.as_ref(), rep: ROSA, tell: true });
    let reply = |event: Option<Event>| event.expect("it is there").content().expect("open").attendees[0].reply;
    assert_eq!(reply(desk.occurrence(&sams, second)), Reply::Declined);
    assert_eq!(reply(desk.occurrence(&sams, Rid::At(start))), Reply::Awaited);
}

/// proves: C9: on the copy of a guest only his own answer is written.
#[test]
fn a_guest_answers_and_changes_nothing_else() {
    let desk = Desk::new();
    let mut row = meeting("Sam's");
    row["attendees"] = json!([
        {"email": ROSA}, {"email": "ada@acme.example", "responseStatus": "accepted", "comment": "Yes"},
    ]);
    let id = EventId(desk.site.create(SAM, &row).expect("a meeting"));
    let event = desk.one(&id);
    let wanted = changed(&event, |content| content.summary = "Mine".into());
    assert_eq!(
        desk.write(EventWrite::Update { event: &event, content: &wanted, tell: true }),
        WriteOutcome::NotOrganizer
    );
    let decline = EventWrite::Decline { id: &id, etag: event.etag.as_ref(), rep: ROSA, tell: false };
    let mails = desk.mails();
    let declined = desk.written(decline);
    assert_eq!(desk.mails(), mails);
    let replies = |event: &Event| -> Vec<(String, Reply)> {
        event.content().expect("open").attendees.iter().map(|one| (one.who.email.clone(), one.reply)).collect()
    };
    assert_eq!(replies(&declined), [(ROSA.into(), Reply::Declined), ("ada@acme.example".into(), Reply::Accepted)]);
    let organizers = desk.site.event(SAM, &id.0).expect("it is there");
    assert_eq!(
        (&organizers["attendees"][0]["responseStatus"], &organizers["attendees"][1]["comment"]),
        (&json!("declined"), &json!("Yes"))
    );
    // Once more says nothing more.
    let again = EventWrite::Decline { id: &id, etag: None, rep: ROSA, tell: true };
    assert_eq!(desk.written(again), declined);
    assert_eq!(desk.mails(), mails);
    // Nobody is brought along by declining.
    let own = EventId(desk.site.create(ROSA, &meeting("Own")).expect("a meeting"));
    let error = desk.try_write(&EventWrite::Decline { id: &own, etag: None, rep: ROSA, tell: true });
    assert_eq!(error.expect_err("she is no guest").kind, ErrorKind::Invalid);
}

#[test]
fn refusals_are_told_apart() {
    let desk = Desk::new();
    let event = desk.make(&content("Demo"));
    let wanted = changed(&event, |content| content.summary = "Other".into());
    let update = EventWrite::Update { event: &event, content: &wanted, tell: true };
    let refused = |kind: FaultKind, status: u16| {
        desk.site.faults().add(FaultRule::next(kind).status(status).on("PATCH", "/calendar/v3/calendars/"));
        let error = desk.try_write(&update).expect_err("it is refused");
        (error.kind, error.retry != Retry::Never)
    };
    assert_eq!(refused(FaultKind::Limited, 0), (ErrorKind::RateLimited, true));
    assert_eq!(refused(FaultKind::Status, 503), (ErrorKind::Unavailable, true));
    assert_eq!(refused(FaultKind::Status, 500), (ErrorKind::UnknownOutcome, true));
    assert_eq!(refused(FaultKind::Status, 403), (ErrorKind::DailyLimit, true));
    assert_eq!(refused(FaultKind::Unauthorized, 0), (ErrorKind::Unauthorised, true));
    // What cannot be in a calendar is nobody's to try again.
    let backwards = changed(&event, |content| content.end = at("2026-03-19T12:00:00Z", "UTC"));
    let error = desk.try_write(&EventWrite::Update { event: &event, content: &backwards, tell: true });
    let error = error.expect_err("it is refused");
    assert_eq!((error.kind, error.retry), (ErrorKind::Invalid, Retry::Never));
    let hidden = event.clone().hidden();
    let error = desk.try_write(&EventWrite::Update { event: &hidden, content: &wanted, tell: true });
    assert_eq!(error.expect_err("it is private").kind, ErrorKind::Invalid);
    assert_eq!(desk.one(&event.id), event);
}

/// A page of somebody on the way is not taken for an answer of Google's.
#[test]
fn a_page_sent_as_a_success_tells_nothing() {
    let mut desk = Desk::new();
    let event = desk.make(&content("Demo"));
    desk.asker.http = Box::new(Portal(desk.site.clone()));
    let wanted = content("Other");
    let writes = [
        EventWrite::Create { seed: &[8; 32], content: &wanted, tell: true },
        EventWrite::Update { event: &event, content: &wanted, tell: true },
        EventWrite::Delete { id: &event.id, etag: None, tell: true },
    ];
    for write in writes {
        assert_eq!(desk.try_write(&write).expect_err("nobody knows").kind, ErrorKind::UnknownOutcome);
    }
}

#[test]
fn a_list_that_google_does_not_show_is_not_replaced() {
    let mut desk = Desk::new();
    let event = desk.make(&content("Demo"));
    let etag = event.etag.clone().expect("a version");
    let mut row = desk.site.event(ROSA, &event.id.0).expect("it is there");
    row["attendeesOmitted"] = true.into();
    desk.asker.http = Box::new(Fixed(row));
    let more = changed(&event, |content| content.attendees.push(guest("cy@acme.example")));
    let same = Event { etag: Some(Etag(etag.0)), ..event };
    let error = desk.try_write(&EventWrite::Update { event: &same, content: &more, tell: true });
    assert_eq!(error.expect_err("it cannot be done").kind, ErrorKind::Invalid);
}

/// Answers every question with this, and takes no writes.
struct Fixed(Value);

impl syncline_connect::Http for Fixed {
    fn send(
        &self,
        request: http::Request<bytes::Bytes>,
    ) -> syncline_connect::BoxFuture<'_, Result<http::Response<bytes::Bytes>, syncline_connect::HttpError>> {
        assert_eq!(request.method(), http::Method::GET);
        let body = bytes::Bytes::from(self.0.to_string());
        Box::pin(std::future::ready(Ok(http::Response::new(body))))
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// What is written is what is read, made at once or changed from anything else; and a property of somebody
    /// else's survives.
    #[test]
    fn what_is_written_is_read(first in any_content(), then in any_content()) {
        let desk = Desk::new();
        let differs = |event: &Event, wanted: &Content| {
            let sent = Event { body: syncline_core::calendar::event::Body::Open(Box::new(wanted.clone())), ..event.clone() };
            let (sent, read) = (canonical(&sent, &TimeZone::UTC), canonical(event, &TimeZone::UTC));
            let names = sent.keys().chain(read.keys()).filter(|name| sent.get(*name) != read.get(*name)).copied();
            names.filter(|name| *name != "organizer").collect::<Vec<_>>()
        };
        let event = desk.make(&first);
        prop_assert_eq!(differs(&event, &first), Vec::<&str>::new());
        desk.site.edit(ROSA, &event.id.0, &json!({"extendedProperties": {"private": {"a": "1"}}})).expect("an edit");
        let event = desk.one(&event.id);
        let mut wanted = then;
        wanted.organizer = event.content().expect("open").organizer.clone();
        // A thing that was invited stays a thing, and a person a person: that is said when they come.
        wanted.attendees.retain(|one| {
            let before = first.attendees.iter().find(|before| before.who.email == one.who.email);
            before.is_none_or(|before| (before.part == Part::Resource) == (one.part == Part::Resource))
        });
        let event = desk.written(EventWrite::Update { event: &event, content: &wanted, tell: false });
        prop_assert_eq!(differs(&event, &wanted), Vec::<&str>::new());
        let shown = desk.site.event(ROSA, &event.id.0).expect("it is there");
        prop_assert_eq!(&shown["extendedProperties"]["private"]["a"], "1");
        let same = event.content().expect("open").clone();
        let before = desk.site.call_count();
        prop_assert_eq!(desk.written(EventWrite::Update { event: &event, content: &same, tell: true }), event);
        prop_assert_eq!(desk.site.call_count() - before, 1);
    }
}
