//! Writes against the imitation Microsoft 365 tenant: one event whatever happens on the way, nothing of others overwritten,
//! nobody told twice, and what comes back is what was written. One long file, for every kind of write is looked at under the
//! same troubles, with the same few words for them.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use proptest::prelude::*;
use serde_json::{Value, json};
use syncline_connect::{
    CalendarWrites, Calendars, Error, ErrorKind, Retry,
    calendar::{EventWrite, WriteOutcome},
};
use syncline_core::calendar::{
    canon::canonical,
    event::{Body, Content, Event, EventId, Moment, Part, Reply},
    identity::Rid,
    recur::{Window, expand},
};
use syncline_sandbox::{FaultKind, FaultRule, MicrosoftConfig};

use super::{
    super::{Microsoft, convert::occurrence_id, draft},
    Desk, MIA, NOAH, meeting, primary,
    watch::{Watched, run},
};
use crate::testing::{
    contents::{any_content, at, guest},
    site::Portal,
};

const EVENTS: &str = "/v1.0/me/events";
const SEED: &[u8; 32] = &[7; 32];

pub(super) fn content(summary: &str) -> Content {
    Content {
        summary: summary.to_owned(),
        location: "Room 7".to_owned(),
        attendees: vec![guest("ada@acme.example"), guest("bo@acme.example")],
        ..Content::new(at("2026-03-20T13:00:00Z", "Europe/Berlin"), at("2026-03-20T14:00:00Z", "Europe/Berlin"))
    }
}

fn desk() -> Desk {
    desk_with(MicrosoftConfig::default())
}

fn desk_with(config: MicrosoftConfig) -> Desk {
    Desk::with(config, MIA).writing()
}

impl Desk {
    fn writing(mut self) -> Self {
        self.asker.http = Box::new(Watched::writing(self.site.clone()));
        self
    }

    fn try_write(&self, write: &EventWrite<'_>) -> Result<(WriteOutcome, u32), Error> {
        self.asker.hands.pass(1);
        let (cx, calendar) = (self.asker.cx(), primary());
        let answered = run(Microsoft.write(&cx, &calendar, write))?;
        assert!(answered.calls <= Microsoft.calls_per_write(), "{} calls", answered.calls);
        Ok((answered.value, answered.calls))
    }

    fn write(&self, write: EventWrite<'_>) -> WriteOutcome {
        self.try_write(&write).expect("the sandbox answers").0
    }

    fn refused(&self, write: EventWrite<'_>) -> (ErrorKind, Retry) {
        let error = self.try_write(&write).expect_err("it is refused");
        (error.kind, error.retry)
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

    fn find(&self, id: &EventId) -> Option<Event> {
        let (cx, calendar) = (self.asker.cx(), primary());
        run(Microsoft.fetch(&cx, &calendar, std::slice::from_ref(id))).expect("an answer").value.remove(0)
    }

    fn one(&self, id: &EventId) -> Event {
        self.find(id).expect("it is there")
    }

    fn occurrence(&self, series: &EventId, rid: Rid) -> Option<Event> {
        let (cx, calendar) = (self.asker.cx(), primary());
        let answered = run(Microsoft.occurrence(&cx, &calendar, series, rid)).expect("an answer");
        assert!(answered.calls <= Microsoft.calls_per_write(), "{} calls", answered.calls);
        answered.value
    }

    fn mails(&self) -> usize {
        self.site.mails_since(0).len()
    }

    fn all(&self, who: &str) -> Vec<Value> {
        self.site.snapshot()[who].clone()
    }

    /// The event of that name with all that is in it.
    fn shown(&self, id: &EventId) -> Value {
        self.all(MIA).into_iter().find(|event| event["id"] == id.0.as_str()).expect("it is there")
    }
}

fn changed(from: &Event, change: impl FnOnce(&mut Content)) -> Content {
    let mut content = from.content().expect("it is open").clone();
    change(&mut content);
    content
}

fn replies(event: &Event) -> Vec<(&str, Reply)> {
    let all = &event.content().expect("open").attendees;
    all.iter().map(|one| (one.who.email.as_str(), one.reply)).collect()
}

/// proves: C9, fault:N3: however often an event is made and whatever is lost on the way, there is one, and each guest is
/// told once; also where the calendar refuses to hear of it twice.
#[test]
fn one_seed_makes_one_event() {
    for refusal in [None, Some(400), Some(409)] {
        for kind in [FaultKind::LostRequest, FaultKind::LostAnswer, FaultKind::Truncated, FaultKind::StatusAfter] {
            let desk = desk_with(MicrosoftConfig { transaction_refusal: refusal, ..MicrosoftConfig::default() });
            let content = content("Demo");
            let make = EventWrite::Create { seed: SEED, content: &content, tell: true };
            desk.site.faults().add(FaultRule::next(kind).on("POST", EVENTS));
            assert_eq!(desk.refused(make), (ErrorKind::UnknownOutcome, Retry::Backoff), "{kind:?}");
            let first = desk.written(make);
            let (again, calls) = desk.try_write(&make).expect("an answer");
            assert_eq!((again, calls), (WriteOutcome::Written(Box::new(first)), 1));
            assert_eq!((desk.all(MIA).len(), desk.mails()), (1, 2), "{kind:?}");
            desk.written(EventWrite::Create { seed: &[8; 32], content: &content, tell: true });
            assert_eq!((desk.all(MIA).len(), desk.mails()), (2, 4));
        }
    }
}

/// proves: C9: where the mark is not found the call's own name tells, however that is answered.
#[test]
fn a_name_that_was_used_is_the_event_of_then() {
    for refusal in [None, Some(400), Some(409)] {
        let mut desk = desk_with(MicrosoftConfig { transaction_refusal: refusal, ..MicrosoftConfig::default() });
        let first = desk.make(&content("Demo"));
        desk.asker.http = Box::new(Watched::altered(
            desk.site.clone(),
            Box::new(|path, (status, answer)| {
                if path == EVENTS && *status == 200 {
                    answer["value"] = json!([]);
                }
            }),
        ));
        assert_eq!(desk.make(&content("Demo")), first, "{refusal:?}");
        assert_eq!((desk.all(MIA).len(), desk.mails()), (1, 2));
    }
}

/// What somebody deleted is not made again where the calendar remembers its name, whether or not it says whose it was.
#[test]
fn what_somebody_deleted_is_not_made_again() {
    for tells in [true, false] {
        let mut desk = desk_with(MicrosoftConfig { transaction_refusal: Some(409), ..MicrosoftConfig::default() });
        let event = desk.make(&content("Demo"));
        desk.site.delete(MIA, &event.id.0).expect("a deletion");
        let mails = desk.mails();
        desk.asker.http = Box::new(Watched::altered(
            desk.site.clone(),
            Box::new(move |_, (status, answer)| {
                if *status == 409 && !tells {
                    answer["error"].as_object_mut().expect("an error").remove("@event.existingEventId");
                }
            }),
        ));
        let content = content("Demo");
        assert_eq!(desk.write(EventWrite::Create { seed: SEED, content: &content, tell: true }), WriteOutcome::Gone);
        let update = changed(&event, |content| content.summary = "Other".into());
        assert_eq!(desk.write(EventWrite::Update { event: &event, content: &update, tell: true }), WriteOutcome::Gone);
        assert_eq!((desk.all(MIA).len(), desk.mails()), (0, mails));
    }
}

/// Of an event that we change, everything stays that we do not know or do not want to change.
#[test]
fn what_we_do_not_know_stays() {
    let desk = desk();
    let mut row = meeting("Demo");
    let more = json!({
        "categories": ["Blue"], "importance": "high", "reminderMinutesBeforeStart": 5, "responseRequested": false,
        "showAs": "oof", "hideAttendees": true, "allowNewTimeProposals": false,
        "singleValueExtendedProperties": [{"id": "String {00000000-0000-0000-0000-000000000001} Name Theirs", "value": "1"}],
        "attendees": [
            {"type": "required", "emailAddress": {"address": NOAH, "name": "Noah North"}},
            {"type": "optional", "emailAddress": {"address": "bo@acme.example", "name": "Bo"}},
            {"type": "resource", "emailAddress": {"address": "room@firm.example", "name": "Room"}},
        ],
    });
    row.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    let id = EventId(desk.create(&row));
    let his = desk.all(NOAH)[0]["id"].as_str().expect("an id").to_owned();
    desk.site.edit(MIA, &id.0, &json!({"responseRequested": true})).expect("an edit");
    desk.site.respond_to(NOAH, &his, "accept").expect("an answer");
    let before = desk.shown(&id);

    let event = desk.one(&id);
    let wanted = changed(&event, |content| {
        content.summary = "Other".into();
        content.attendees.push(guest("cy@acme.example"));
        content.attendees.retain(|one| one.who.email != "bo@acme.example");
    });
    let (outcome, calls) =
        desk.try_write(&EventWrite::Update { event: &event, content: &wanted, tell: true }).expect("an answer");
    assert!(matches!(outcome, WriteOutcome::Written(_)));
    assert_eq!(calls, 2, "one read, one write");
    let (mut after, mut expected) = (desk.shown(&id), before);
    let cy = json!({"address": "cy@acme.example", "name": "cy@acme.example"});
    let mut rows = expected["attendees"].as_array().expect("rows").clone();
    assert_eq!(rows[0]["status"]["response"], "accepted");
    let mut added = rows.remove(1);
    (added["type"], added["emailAddress"]) = ("required".into(), cy);
    rows.push(added);
    expected["attendees"] = rows.into();
    for name in ["subject", "@odata.etag", "changeKey", "lastModifiedDateTime"] {
        assert_ne!(after[name], expected[name]);
        expected[name] = after[name].take();
        after[name] = expected[name].clone();
    }
    assert_eq!(after, expected);

    let event = desk.one(&id);
    let same = event.content().expect("open").clone();
    let again = desk.try_write(&EventWrite::Update { event: &event, content: &same, tell: true });
    assert_eq!(again, Ok((WriteOutcome::Written(Box::new(event)), 0)));
}

/// A version that is not the last one is never written over, also where somebody is quicker between our read and our write.
#[test]
fn what_was_changed_since_is_not_overwritten() {
    let mut desk = desk();
    let event = desk.make(&content("Demo"));
    let guests = changed(&event, |content| content.attendees.push(guest("cy@acme.example")));
    let summary = changed(&event, |content| content.summary = "Ours".into());
    desk.asker.hands.pass(1);
    desk.site.edit(MIA, &event.id.0, &json!({"subject": "Theirs"})).expect("an edit");
    let before = desk.shown(&event.id);
    for content in [&guests, &summary] {
        assert_eq!(desk.write(EventWrite::Update { event: &event, content, tell: true }), WriteOutcome::Changed);
    }
    let etag = event.etag.as_ref();
    assert_eq!(desk.write(EventWrite::Delete { id: &event.id, etag, tell: true }), WriteOutcome::Changed);
    assert_eq!(desk.write(EventWrite::Decline { id: &event.id, etag, rep: MIA, tell: true }), WriteOutcome::Changed);
    let without = Event { etag: None, ..event.clone() };
    assert_eq!(
        desk.write(EventWrite::Update { event: &without, content: &summary, tell: true }),
        WriteOutcome::Changed
    );
    assert_eq!(desk.shown(&event.id), before);

    let event = desk.one(&event.id);
    let (etag, site, id) = (event.etag.clone(), desk.site.clone(), event.id.0.clone());
    desk.asker.http = Box::new(Watched::altered(
        desk.site.clone(),
        Box::new(move |path, _| {
            if path.starts_with(EVENTS) {
                let subject = format!("Theirs {}", site.call_count());
                site.edit(MIA, &id, &json!({ "subject": subject })).expect("an edit");
            }
        }),
    ));
    assert_eq!(desk.write(EventWrite::Update { event: &event, content: &summary, tell: true }), WriteOutcome::Changed);
    let event = desk.writing().one(&event.id);
    assert!(event.etag != etag && event.content().expect("open").summary.starts_with("Theirs "));
}

/// proves: C9, fault:N3: a change whose answer was lost is not made twice: the version that it was made of is gone.
#[test]
fn a_change_whose_answer_is_lost_mails_once() {
    for kind in [FaultKind::LostRequest, FaultKind::LostAnswer, FaultKind::Truncated, FaultKind::StatusAfter] {
        let desk = desk();
        let event = desk.make(&content("Demo"));
        let wanted = changed(&event, |content| content.start = at("2026-03-20T12:00:00Z", "Europe/Berlin"));
        let mails = desk.mails();
        desk.site.faults().add(FaultRule::next(kind).on("PATCH", EVENTS));
        let update = EventWrite::Update { event: &event, content: &wanted, tell: true };
        assert_eq!(desk.refused(update).0, ErrorKind::UnknownOutcome);
        let again = match desk.write(update) {
            WriteOutcome::Changed => desk.one(&event.id),
            WriteOutcome::Written(event) => *event,
            other => panic!("{other:?}"),
        };
        assert_eq!(again.content().expect("open").start, wanted.start);
        assert_eq!(desk.written(EventWrite::Update { event: &again, content: &wanted, tell: true }), again);
        assert_eq!(desk.mails() - mails, 2, "{kind:?}");
    }
}

/// proves: fault:N3
#[test]
fn what_is_deleted_is_gone() {
    for kind in [None, Some(FaultKind::LostRequest), Some(FaultKind::LostAnswer), Some(FaultKind::StatusAfter)] {
        let desk = desk();
        let event = desk.make(&content("Demo"));
        let etag = event.etag.as_ref();
        let delete = EventWrite::Delete { id: &event.id, etag, tell: true };
        if let Some(kind) = kind {
            desk.site.faults().add(FaultRule::next(kind).on("DELETE", EVENTS));
            assert_eq!(desk.refused(delete).0, ErrorKind::UnknownOutcome);
        }
        let is_new = desk.find(&event.id).is_some();
        assert_eq!(desk.write(delete), if is_new { WriteOutcome::Deleted } else { WriteOutcome::Gone });
        assert_eq!(desk.mails(), 4, "two invitations, two cancellations");
        for again in [delete, EventWrite::Delete { id: &event.id, etag: None, tell: true }] {
            assert_eq!(desk.write(again), WriteOutcome::Gone);
        }
        let decline = EventWrite::Decline { id: &event.id, etag, rep: MIA, tell: true };
        assert_eq!(desk.write(decline), WriteOutcome::Gone);
        let wanted = changed(&event, |content| content.summary = "Other".into());
        assert_eq!(desk.write(EventWrite::Update { event: &event, content: &wanted, tell: true }), WriteOutcome::Gone);
        assert_eq!((desk.all(MIA).len(), desk.mails()), (0, 4));
    }
}

/// proves: C7: one occurrence is changed and taken out of its series, wherever it was moved, and the others stay.
#[test]
fn one_occurrence_is_deleted_or_changed_alone() {
    let desk = desk();
    let mut weekly = content("Weekly");
    weekly.recurrence = vec!["RRULE:FREQ=WEEKLY;COUNT=4".into()];
    let series = desk.make(&weekly);
    let named = |day: &str| occurrence_id(&series.id.0, day.parse().expect("a day"));
    let id = named("2026-03-27");
    // What does not differ is no event of its own, and is known by what it would be.
    let plain = changed(&series, |content| {
        content.recurrence.clear();
        content.start = at("2026-03-27T13:00:00Z", "Europe/Berlin");
        content.end = at("2026-03-27T14:00:00Z", "Europe/Berlin");
    });
    let moved = Content {
        summary: "Only this time".into(),
        start: at("2026-03-30T13:00:00Z", "Europe/Berlin"),
        end: at("2026-03-30T14:00:00Z", "Europe/Berlin"),
        ..plain.clone()
    };
    let plain = Event { id: id.clone(), body: Body::Open(Box::new(plain)), ..series.clone() };
    let one = desk.written(EventWrite::Update { event: &plain, content: &moved, tell: true });
    assert_eq!((one.series.as_ref(), &one.id), (Some(&series.id), &id));
    let later = changed(&one, |content| content.location = "Room 8".into());
    let one = desk.written(EventWrite::Update { event: &one, content: &later, tell: true });
    assert_eq!(one.content().expect("open").location, "Room 8");
    for (id, etag) in [(&id, one.etag.as_ref()), (&named("2026-04-03"), None)] {
        assert_eq!(desk.write(EventWrite::Delete { id, etag, tell: true }), WriteOutcome::Deleted);
        assert_eq!(desk.write(EventWrite::Delete { id, etag, tell: true }), WriteOutcome::Gone);
    }
    for nothing in ["2026-03-28", "2026-05-01"] {
        let delete = EventWrite::Delete { id: &named(nothing), etag: None, tell: true };
        assert_eq!(desk.write(delete), WriteOutcome::Gone);
    }
    assert_eq!(desk.one(&series.id).content(), series.content());
    let other =
        occurrence_id("AAkALgAAAAAAHYQDEapmEc2byACqACMDAwLjAwMDAwOS4tLmk=", "2026-03-27".parse().expect("a day"));
    assert_eq!(desk.write(EventWrite::Delete { id: &other, etag: None, tell: true }), WriteOutcome::Gone);
}

/// proves: C7: an occurrence that does not differ is found by its time and changed or deleted alone; one that is not there is
/// not found.
#[test]
fn an_occurrence_that_does_not_differ_yet_is_written_alone() {
    let desk = desk();
    let mut weekly = content("Weekly");
    weekly.recurrence = vec!["RRULE:FREQ=WEEKLY;COUNT=4".into()];
    let series = desk.make(&weekly);
    let at_that = |time: &str| Rid::At(time.parse().expect("a time"));
    // At two by its own clock, which changes in between.
    let (second, third) = (at_that("2026-03-27T13:00:00Z"), at_that("2026-04-03T12:00:00Z"));
    let one = desk.occurrence(&series.id, second).expect("it is there");
    assert_eq!((one.rid, one.series.as_ref()), (second, Some(&series.id)));
    let moved = changed(&one, |content| content.location = "Room 8".into());
    let mails = desk.mails();
    let update = EventWrite::Update { event: &one, content: &moved, tell: true };
    let now = desk.written(update);
    assert_eq!((now.content(), now.rid, desk.mails() - mails), (Some(&moved), second, 2));
    assert_eq!(desk.write(update), WriteOutcome::Changed, "what is sent again tells nobody twice");
    assert_eq!(desk.occurrence(&series.id, second), Some(now));
    let other = desk.occurrence(&series.id, third).expect("it is there");
    let delete = EventWrite::Delete { id: &other.id, etag: other.etag.as_ref(), tell: true };
    assert_eq!(desk.write(delete), WriteOutcome::Deleted);
    assert_eq!(desk.occurrence(&series.id, third), None);
    assert_eq!(desk.one(&series.id).content(), series.content());
    let nothing = [at_that("2026-03-28T13:00:00Z"), at_that("2026-05-01T12:00:00Z"), Rid::Single];
    for nothing in nothing {
        assert_eq!(desk.occurrence(&series.id, nothing), None);
    }
    let single = desk.written(EventWrite::Create { seed: &[9; 32], content: &content("Once"), tell: true });
    assert_eq!(desk.occurrence(&single.id, second), None);
    let days = Content {
        start: Moment::Day("2026-03-20".parse().expect("a day")),
        end: Moment::Day("2026-03-21".parse().expect("a day")),
        ..weekly
    };
    let days = desk.written(EventWrite::Create { seed: &[8; 32], content: &days, tell: true });
    let day = Rid::On("2026-03-27".parse().expect("a day"));
    assert_eq!(desk.occurrence(&days.id, day).map(|one| one.rid), Some(day));
}

fn noahs_copy(desk: &Desk, more: &Value) -> (Desk, Event) {
    let mut row = meeting("Mia's");
    row["attendees"] = json!([
        {"type": "required", "emailAddress": {"address": NOAH}}, {"type": "required", "emailAddress": {"address": "ada@acme.example"}},
    ]);
    row.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    desk.create(&row);
    let his = desk.beside(NOAH).writing();
    let id = EventId(his.all(NOAH)[0]["id"].as_str().expect("an id").to_owned());
    let event = his.one(&id);
    (his, event)
}

/// proves: C9: on the copy of a guest only his own answer is written, and its organiser hears of it if he is to, once.
#[test]
fn a_guest_answers_and_changes_nothing_else() {
    for (asked, tell) in [(true, true), (true, false), (false, true)] {
        for kind in [None, Some(FaultKind::LostRequest), Some(FaultKind::LostAnswer), Some(FaultKind::StatusAfter)] {
            let desk = desk();
            let (his, event) = noahs_copy(&desk, &json!({ "responseRequested": asked }));
            let wanted = changed(&event, |content| content.summary = "Mine".into());
            let update = EventWrite::Update { event: &event, content: &wanted, tell: true };
            assert_eq!(his.write(update), WriteOutcome::NotOrganizer);
            let decline = EventWrite::Decline { id: &event.id, etag: event.etag.as_ref(), rep: NOAH, tell };
            let mails = desk.mails();
            if let Some(kind) = kind {
                his.site.faults().add(FaultRule::next(kind).on("POST", EVENTS));
                assert_eq!(his.refused(decline).0, ErrorKind::UnknownOutcome);
            }
            let is_new = his.find(&event.id).is_some();
            assert_eq!(his.write(decline), if is_new { WriteOutcome::Deleted } else { WriteOutcome::Gone });
            assert_eq!(his.write(decline), WriteOutcome::Gone);
            assert_eq!(desk.mails() - mails, usize::from(asked && tell));
            let hers = desk.one(&EventId(desk.all(MIA)[0]["id"].as_str().expect("an id").to_owned()));
            let answer = if asked && tell { Reply::Declined } else { Reply::Awaited };
            assert_eq!(replies(&hers), [(NOAH, answer), ("ada@acme.example", Reply::Awaited)]);
            assert_eq!(hers.content().expect("open").summary, "Mia's");
        }
    }
    // Nobody is brought along by declining, and an organiser has nothing to decline.
    let desk = desk();
    let own = EventId(desk.create(&meeting("Own")));
    let decline = EventWrite::Decline { id: &own, etag: None, rep: MIA, tell: true };
    assert_eq!(desk.refused(decline), (ErrorKind::Invalid, Retry::Never));
}

/// A mailbox can be set to show what was declined: then it is told as that, and nothing is said again.
#[test]
fn what_was_declined_and_stays_is_told() {
    let desk = desk();
    let (mut his, event) = noahs_copy(&desk, &json!({}));
    his.asker.http = Box::new(Watched::altered(
        his.site.clone(),
        Box::new(|_, (_, answer)| {
            if answer["id"].is_string() {
                answer["responseStatus"]["response"] = "declined".into();
            }
        }),
    ));
    let mails = desk.mails();
    let decline = EventWrite::Decline { id: &event.id, etag: event.etag.as_ref(), rep: NOAH, tell: true };
    let WriteOutcome::Written(told) = his.write(decline) else { panic!("it is there") };
    assert_eq!(replies(&told), [(NOAH, Reply::Declined), ("ada@acme.example", Reply::Awaited)]);
    assert_eq!(desk.mails(), mails);
}

/// proves: C9: taking a guest's copy away never calls the meeting off; its organiser is answered if he is to be.
#[test]
fn a_guest_who_deletes_declines() {
    for tell in [true, false] {
        let desk = desk();
        let (his, event) = noahs_copy(&desk, &json!({}));
        let mails = desk.mails();
        let delete = EventWrite::Delete { id: &event.id, etag: event.etag.as_ref(), tell };
        assert_eq!(his.write(delete), WriteOutcome::Deleted);
        assert_eq!((his.all(NOAH).len(), desk.all(MIA).len()), (0, 1));
        assert_eq!(desk.mails() - mails, usize::from(tell));
        assert_eq!(desk.all(MIA)[0]["isCancelled"], false);
    }
    // What was called off is taken away without a word.
    let desk = desk();
    let (his, event) = noahs_copy(&desk, &json!({}));
    desk.site.delete(MIA, desk.all(MIA)[0]["id"].as_str().expect("an id")).expect("a cancellation");
    let mails = desk.mails();
    assert_eq!(his.write(EventWrite::Delete { id: &event.id, etag: None, tell: true }), WriteOutcome::Deleted);
    assert_eq!((his.all(NOAH).len(), desk.mails()), (0, mails));
}

/// This calendar cannot keep silent: what guests would hear of and are not to is refused, and nothing is done.
#[test]
fn what_cannot_be_done_in_silence_is_not_done() {
    let desk = desk();
    let invalid = (ErrorKind::Invalid, Retry::Never);
    let full = content("Demo");
    assert_eq!(desk.refused(EventWrite::Create { seed: SEED, content: &full, tell: false }), invalid);
    let event = desk.make(&full);
    let (mails, before) = (desk.mails(), desk.shown(&event.id));
    let other = changed(&event, |content| content.summary = "Other".into());
    assert_eq!(desk.refused(EventWrite::Update { event: &event, content: &other, tell: false }), invalid);
    assert_eq!(desk.refused(EventWrite::Delete { id: &event.id, etag: None, tell: false }), invalid);
    assert_eq!((desk.mails(), desk.shown(&event.id)), (mails, before));
    // Of what is made already nobody hears again.
    assert_eq!(desk.written(EventWrite::Create { seed: SEED, content: &full, tell: false }), event);
    assert_eq!(desk.mails(), mails);

    let alone = Content { attendees: Vec::new(), ..full };
    let alone = desk.written(EventWrite::Create { seed: &[8; 32], content: &alone, tell: false });
    let guests = changed(&alone, |content| content.attendees.push(guest("ada@acme.example")));
    assert_eq!(desk.refused(EventWrite::Update { event: &alone, content: &guests, tell: false }), invalid);
    let other = changed(&alone, |content| content.summary = "Other".into());
    let alone = desk.written(EventWrite::Update { event: &alone, content: &other, tell: false });
    let delete = EventWrite::Delete { id: &alone.id, etag: alone.etag.as_ref(), tell: false };
    assert_eq!((desk.write(delete), desk.mails()), (WriteOutcome::Deleted, mails));
}

/// The text of an online meeting changes, and its link stays.
#[test]
fn an_online_meeting_stays_one() {
    let desk = desk();
    let link = format!(
        "<div><span>{}</span></div><div><a href=\"https://meet.example/1\">Join the meeting</a></div>",
        "_".repeat(80)
    );
    let mut row = meeting("Demo");
    row["isOnlineMeeting"] = true.into();
    row["body"] =
        json!({"contentType": "html", "content": format!("<html><body><div>Old</div><br>{link}</body></html>")});
    let event = desk.one(&EventId(desk.create(&row)));
    let text = event.content().expect("open").description.replace("Old", "New & <better>");
    let wanted = changed(&event, |content| content.description = text.clone());
    let event = desk.written(EventWrite::Update { event: &event, content: &wanted, tell: true });
    let page = desk.shown(&event.id)["body"]["content"].as_str().expect("a page").to_owned();
    assert!(page.contains(&link) && !page.contains("Old"), "{page}");
    let said = &event.content().expect("open").description;
    assert!(said.starts_with("New & <better>\n") && said.ends_with("Join the meeting"), "{said}");
}

#[test]
fn refusals_are_told_apart() {
    let desk = desk();
    let event = desk.make(&content("Demo"));
    let wanted = changed(&event, |content| content.summary = "Other".into());
    let update = EventWrite::Update { event: &event, content: &wanted, tell: true };
    let refused = |kind: FaultKind, status: u16| {
        desk.site.faults().add(FaultRule::next(kind).status(status).on("PATCH", EVENTS));
        let (kind, retry) = desk.refused(update);
        (kind, retry != Retry::Never)
    };
    assert_eq!(refused(FaultKind::Limited, 0), (ErrorKind::RateLimited, true));
    assert_eq!(refused(FaultKind::Status, 503), (ErrorKind::Unavailable, true));
    assert_eq!(refused(FaultKind::Status, 500), (ErrorKind::UnknownOutcome, true));
    assert_eq!(refused(FaultKind::Status, 504), (ErrorKind::UnknownOutcome, true));
    assert_eq!(refused(FaultKind::Status, 403), (ErrorKind::Forbidden, false));
    assert_eq!(refused(FaultKind::Unauthorized, 0), (ErrorKind::Unauthorised, true));
    // A look that failed is never "gone".
    for status in [500, 503, 429] {
        desk.site.faults().add(FaultRule::next(FaultKind::Status).status(status).on("GET", EVENTS));
        assert_ne!(desk.refused(update).1, Retry::Never, "{status}");
    }
    // What cannot be in a calendar is nobody's to try again.
    let backwards = changed(&event, |content| content.end = at("2026-03-19T12:00:00Z", "UTC"));
    let invalid = (ErrorKind::Invalid, Retry::Never);
    assert_eq!(desk.refused(EventWrite::Update { event: &event, content: &backwards, tell: true }), invalid);
    let hourly = Content { recurrence: vec!["RRULE:FREQ=HOURLY".into()], ..content("Hourly") };
    assert_eq!(desk.refused(EventWrite::Create { seed: &[8; 32], content: &hourly, tell: true }), invalid);
    let hidden = event.clone().hidden();
    assert_eq!(desk.refused(EventWrite::Update { event: &hidden, content: &wanted, tell: true }), invalid);
    assert_eq!(desk.one(&event.id), event);
    assert!(
        !format!("{:?}", desk.try_write(&EventWrite::Update { event: &hidden, content: &wanted, tell: true }))
            .contains("ada")
    );
}

/// A page of somebody on the way is not taken for an answer of Microsoft's.
#[test]
fn a_page_sent_as_a_success_tells_nothing() {
    let mut desk = desk();
    let event = desk.make(&content("Demo"));
    let (mut his, copy) = noahs_copy(&desk, &json!({}));
    desk.asker.http = Box::new(Portal(desk.site.clone()));
    his.asker.http = Box::new(Portal(desk.site.clone()));
    let wanted = content("Other");
    let writes = [
        EventWrite::Create { seed: &[8; 32], content: &wanted, tell: true },
        EventWrite::Update { event: &event, content: &wanted, tell: true },
        EventWrite::Delete { id: &event.id, etag: None, tell: true },
    ];
    for write in writes {
        assert_eq!(desk.refused(write).0, ErrorKind::UnknownOutcome);
    }
    let decline = EventWrite::Decline { id: &copy.id, etag: None, rep: NOAH, tell: true };
    assert_eq!(his.refused(decline).0, ErrorKind::UnknownOutcome);
}

/// A calendar beside the first is written to by its own paths.
#[test]
fn another_calendar_is_written_to() {
    let desk = desk();
    desk.site.add_calendar(MIA, "Side projects").expect("a calendar");
    let cx = desk.asker.cx();
    let side = run(Microsoft.list(&cx)).expect("an answer").value.remove(1).id;
    let content = content("Demo");
    let make = EventWrite::Create { seed: SEED, content: &content, tell: true };
    let write = |write: &EventWrite<'_>| run(Microsoft.write(&cx, &side, write)).expect("an answer").value;
    let WriteOutcome::Written(event) = write(&make) else { panic!("it is made") };
    assert_eq!(write(&make), WriteOutcome::Written(event.clone()));
    let wanted = changed(&event, |content| content.summary = "Other".into());
    assert!(matches!(
        write(&EventWrite::Update { event: &event, content: &wanted, tell: true }),
        WriteOutcome::Written(_)
    ));
    assert_eq!(write(&EventWrite::Delete { id: &event.id, etag: None, tell: true }), WriteOutcome::Deleted);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// What is written is what is read, made at once or changed from anything else; a property of somebody else's survives,
    /// and what cannot be said changes nothing.
    #[test]
    fn what_is_written_is_read(first in any_content(), then in any_content()) {
        let desk = desk();
        let utc = TimeZone::UTC;
        let differs = |event: &Event, wanted: &Content| {
            let mut wanted = wanted.clone();
            // Blanks at the beginning of a line are those of the markup.
            wanted.description = wanted.description.lines().map(str::trim).collect::<Vec<_>>().join("\n");
            let sent = Event { body: Body::Open(Box::new(wanted.clone())), ..event.clone() };
            let (sent, read) = (canonical(&sent, &utc), canonical(event, &utc));
            let days = |content: &Content| {
                let all = expand(content, &BTreeMap::new(), Window::ALL, &utc).expect("a rule").occurrences;
                all.into_iter().map(|one| one.rid).collect::<Vec<_>>()
            };
            assert_eq!(days(event.content().expect("open")), days(&wanted));
            let names = sent.keys().chain(read.keys()).filter(|name| sent.get(*name) != read.get(*name)).copied();
            names.filter(|name| !["organizer", "recurrence"].contains(name)).collect::<Vec<_>>()
        };
        let make = EventWrite::Create { seed: SEED, content: &first, tell: true };
        if draft::made(SEED, &first).is_err() {
            prop_assert_eq!(desk.refused(make), (ErrorKind::Invalid, Retry::Never));
            prop_assert_eq!(desk.all(MIA), Vec::<Value>::new());
            return Ok(());
        }
        let event = desk.written(make);
        prop_assert_eq!(differs(&event, &first), Vec::<&str>::new());
        desk.site.edit(MIA, &event.id.0, &json!({"categories": ["Blue"]})).expect("an edit");
        let event = desk.one(&event.id);
        let mut wanted = then;
        wanted.organizer = event.content().expect("open").organizer.clone();
        // A thing that was invited stays a thing, and a person a person: that is said when they come.
        wanted.attendees.retain(|one| {
            let before = first.attendees.iter().find(|before| before.who.email == one.who.email);
            before.is_none_or(|before| (before.part == Part::Resource) == (one.part == Part::Resource))
        });
        let update = EventWrite::Update { event: &event, content: &wanted, tell: true };
        if draft::changed(event.content().expect("open"), &wanted, None).is_err() {
            prop_assert_eq!(desk.refused(update), (ErrorKind::Invalid, Retry::Never));
            prop_assert_eq!(desk.one(&event.id), event);
            return Ok(());
        }
        let event = desk.written(update);
        prop_assert_eq!(differs(&event, &wanted), Vec::<&str>::new());
        prop_assert_eq!(&desk.shown(&event.id)["categories"], &json!(["Blue"]));
        let same = event.content().expect("open").clone();
        let again = desk.try_write(&EventWrite::Update { event: &event, content: &same, tell: true });
        prop_assert_eq!(again, Ok((WriteOutcome::Written(Box::new(event)), 0)));
    }
}
