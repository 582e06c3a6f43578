//! What people delete and take off in the CRM, where that is to reach calendars.

use jiff::SignedDuration;
use serde_json::json;
use syncline_core::calendar::meeting::{BackRules, DeleteSettings, OnRecordDeleted};
use syncline_engine::calendars::CalendarRoundEnd;
use syncline_sandbox::{FaultKind, FaultRule};
use syncline_store::WorkerId;

use super::{
    back::BACK,
    desk::{ADA, Desk, ROSA, SAM},
};

const BOB: &str = "bob@client.example";

fn deletes(on_record_deleted: OnRecordDeleted) -> DeleteSettings {
    DeleteSettings { on_record_deleted, ..DeleteSettings::default() }
}

async fn desk(on_record_deleted: OnRecordDeleted) -> Desk {
    let desk = Desk::with(|flow| (flow.rules.back, flow.rules.deletes) = (BACK, deletes(on_record_deleted)));
    desk.await.active().await
}

impl Desk {
    /// Everything comes to rest, with time for the look at records.
    async fn calm_down(&self) {
        for _ in 0..2 {
            self.hands.pass(SignedDuration::from_mins(16));
            self.through().await;
        }
    }
}

/// A deleted record leaves the event where nobody chose otherwise; else the event goes, with or without a word to its guests.
///
/// proves: C3
#[tokio::test]
async fn a_deleted_record_takes_its_event_along_where_that_is_chosen() {
    for (chosen, events, mails) in [
        (OnRecordDeleted::Nothing, 2, 0),
        (OnRecordDeleted::DeleteAndTell, 0, 2),
        (OnRecordDeleted::DeleteQuietly, 0, 0),
    ] {
        let desk = desk(chosen).await;
        let logged = desk.log("Kick-off", 24, ROSA, &[ADA]);
        desk.meet(ROSA, "Demo", 26, &[ADA]);
        desk.calm().await;
        let (told, calls) = (desk.google.mails_since(0).len(), desk.google.call_counts());
        desk.hub.archive("meetings", &logged).expect("a person may");
        let demo = desk.records().into_iter().find(|one| one.id != logged).expect("a record").id;
        desk.hub.archive("meetings", &demo).expect("a person may");
        desk.calm_down().await;
        let log = desk.told().await;
        assert_eq!(desk.in_calendar(ROSA).len(), events, "{chosen:?}: {log:?}");
        assert_eq!(desk.google.mails_since(0).len() - told, mails, "{chosen:?}: {log:?}");
        let deleted = desk
            .google
            .call_counts()
            .iter()
            .filter(|(call, _)| call.starts_with("DELETE"))
            .map(|(_, n)| n)
            .sum::<u64>();
        assert_eq!(deleted == 0, chosen == OnRecordDeleted::Nothing, "{:?} {calls:?}", desk.google.call_counts());
        assert_eq!(desk.titles(), Vec::<String>::new(), "no record comes back");
        if chosen != OnRecordDeleted::Nothing {
            assert!(desk.verdicts().await.values().all(|verdict| verdict == "removed_in_crm"));
            assert!(log.iter().any(|text| text.contains("its record was deleted in the CRM")), "{log:?}");
        }
    }
}

/// A record that is deleted before the calendar has shown the event that was made of it takes that event along, too.
///
/// proves: C3
#[tokio::test]
async fn a_deleted_record_takes_along_an_event_that_is_not_read_yet() {
    let desk = desk(OnRecordDeleted::DeleteAndTell).await;
    let logged = desk.log("Kick-off", 24, ROSA, &[ADA]);
    desk.hands.pass(SignedDuration::from_mins(3));
    desk.round().await;
    assert_eq!(desk.in_calendar(ROSA).len(), 1, "{:?}", desk.told().await);
    desk.hub.archive("meetings", &logged).expect("a person may");
    desk.trouble_reading(FaultKind::Status);
    desk.hands.pass(SignedDuration::from_mins(16));
    desk.round().await;
    assert_eq!(desk.in_calendar(ROSA), vec![], "{:?}", desk.told().await);
    desk.calm_down().await;
    assert_eq!((desk.in_calendar(ROSA), desk.titles()), (vec![], Vec::<String>::new()), "{:?}", desk.told().await);
}

/// Where a rep is only a guest the rep declines; the organiser's event stays, and so do others.
///
/// proves: C3
#[tokio::test]
async fn a_guest_declines_and_deletes_nothing() {
    let desk = Desk::with(|flow| {
        flow.calendars.truncate(1);
        flow.rules.deletes = deletes(OnRecordDeleted::DeleteAndTell);
    });
    let desk = desk.await.active().await;
    desk.meet(SAM, "Offer", 24, &[ROSA, ADA]);
    desk.calm().await;
    desk.hub.archive("meetings", &desk.records()[0].id).expect("a person may");
    desk.calm_down().await;
    let sams = desk.shown(SAM).remove(0);
    let answer = |email: &str| {
        let all = sams["attendees"].as_array().expect("guests");
        all.iter().find(|one| one["email"] == email).expect("a guest")["responseStatus"].clone()
    };
    assert_eq!((answer(ROSA), answer(ADA)), (json!("declined"), json!("needsAction")), "{:?}", desk.told().await);
}

/// A look-up that fails is no deletion; one that the calendar's owner edits meanwhile goes all the same.
///
/// proves: C3, V1
#[tokio::test]
async fn only_what_the_crm_calls_deleted_is() {
    use FaultKind::{Limited, LostAnswer, LostRequest, Status, Truncated};
    for kind in [Status, Limited, LostRequest, LostAnswer, Truncated] {
        let desk = desk(OnRecordDeleted::DeleteAndTell).await;
        let logged = desk.log("Kick-off", 24, ROSA, &[ADA]);
        desk.calm().await;
        desk.hub.faults().add(FaultRule::always(kind).times(3).on("POST", "/crm/v3/objects/meetings"));
        desk.hands.pass(SignedDuration::from_mins(16));
        desk.through().await;
        assert_eq!(desk.in_calendar(ROSA).len(), 1, "{kind:?}: {:?}", desk.told().await);
        let id = desk.in_calendar(ROSA).remove(0).id;
        desk.hub.archive("meetings", &logged).expect("a person may");
        desk.google.edit(ROSA, &id, &json!({ "location": "Room 7" })).expect("she may");
        desk.calm_down().await;
        assert_eq!(desk.in_calendar(ROSA).len(), 0, "{kind:?}: {:?}", desk.told().await);
    }
}

/// A record that the CRM shows nowhere, not even among the deleted ones, is not known to be deleted: its event stays.
///
/// proves: C3
#[tokio::test]
async fn what_is_shown_nowhere_is_not_known_to_be_deleted() {
    let desk = desk(OnRecordDeleted::DeleteAndTell).await;
    let logged = desk.log("Kick-off", 24, ROSA, &[ADA]);
    desk.calm().await;
    desk.hub.erase("meetings", &logged).expect("a person may");
    desk.calm_down().await;
    let id = desk.in_calendar(ROSA).remove(0).id;
    desk.google.edit(ROSA, &id, &json!({ "location": "Room 7" })).expect("she may");
    desk.calm_down().await;
    assert_eq!(desk.in_calendar(ROSA).len(), 1, "{:?}", desk.told().await);
    assert_eq!((desk.titles(), desk.verdicts().await["Kick-off"].as_str()), (vec![], "removed_in_crm"));
}

/// Where many records are deleted at once a person is asked before any event goes.
///
/// proves: C3
#[tokio::test]
async fn many_deleted_records_are_asked_about_first() {
    let desk = desk(OnRecordDeleted::DeleteAndTell).await;
    for n in 0..14 {
        desk.log(&format!("Demo {n:02}"), 24 + n, ROSA, &[ADA]);
    }
    desk.calm().await;
    assert_eq!(desk.in_calendar(ROSA).len(), 14, "{:?}", desk.told().await);
    for record in &desk.records()[..12] {
        desk.hub.archive("meetings", &record.id).expect("a person may");
    }
    desk.calm_down().await;
    assert_eq!(desk.in_calendar(ROSA).len(), 14);
    let asks =
        |log: &[String]| log.iter().filter(|text| text.contains("12 of 14 meetings to come were deleted")).count();
    assert_eq!(asks(&desk.told().await), 1, "{:?}", desk.told().await);
    let alerts = desk.store.due_alerts(&desk.flow().workspace, desk.hands_now(), 10).await.expect("they are kept");
    assert_eq!(alerts.len(), 1, "a person is told");
    drop(desk.engine.run_calendars_now(desk.flow(), true).await.expect("the database answers"));
    desk.calm_down().await;
    assert_eq!(desk.in_calendar(ROSA).len(), 2, "{:?}", desk.told().await);
}

/// What a person says of many deleted records is not lost where another process has the integration just then, or where the CRM
/// cannot be asked; it is said of these and of no others, and not for longer than a day.
///
/// proves: C3
#[tokio::test]
async fn what_a_person_confirms_of_the_crm_holds_until_it_is_done() {
    let delete = |desk: &Desk| {
        for record in &desk.records()[..12] {
            desk.hub.archive("meetings", &record.id).expect("a person may");
        }
    };
    let desk = desk(OnRecordDeleted::DeleteAndTell).await;
    for n in 0..40 {
        desk.log(&format!("Demo {n:02}"), 24 * 7 + n, ROSA, &[ADA]);
    }
    desk.calm().await;
    let confirm = async || desk.engine.run_calendars_now(desk.flow(), true).await.expect("the database answers");
    let left = || desk.in_calendar(ROSA).len();
    // Nobody can be asked for longer than the word counts.
    delete(&desk);
    desk.calm_down().await;
    desk.hub.faults().add(FaultRule::always(FaultKind::Status).on("POST", "/crm/v3/objects/meetings"));
    confirm().await;
    desk.hands.pass(SignedDuration::from_hours(25));
    desk.hub.faults().clear();
    desk.calm_down().await;
    assert_eq!(left(), 40, "{:?}", desk.told().await);
    // Another has the integration, and then the CRM does not answer.
    let (world, flow, other) = (desk.engine.world(), desk.flow(), WorkerId("other".to_owned()));
    let (now, minute) = (world.clock.now(), SignedDuration::from_mins(1));
    let name = format!("calendars:{}", flow.id);
    let held = world.store.acquire_lease(&flow.workspace, &name, &other, now, now + minute).await;
    assert!(held.expect("the database answers").is_some());
    assert_eq!(confirm().await, CalendarRoundEnd::Held);
    desk.hands.pass(minute);
    desk.hub.faults().add(FaultRule::always(FaultKind::Status).times(3).on("POST", "/crm/v3/objects/meetings"));
    for _ in 0..6 {
        desk.hands.pass(SignedDuration::from_mins(3));
        desk.round().await;
    }
    desk.calm_down().await;
    assert_eq!(left(), 28, "{:?}", desk.told().await);
    delete(&desk);
    desk.calm_down().await;
    assert_eq!(left(), 28, "nobody said so of these: {:?}", desk.told().await);
}

/// Whom the CRM invited and takes off is taken off the event where that is chosen; whom the calendar's owner invited stays, and
/// so does somebody who is no longer in the CRM, and what others replied.
///
/// proves: C2, C9
#[tokio::test]
async fn guests_whom_the_crm_takes_off_leave_the_event() {
    for uninvite in [false, true] {
        let desk = Desk::with(|flow| flow.rules.back = BackRules { uninvite, ..BACK }).await.active().await;
        let [carl, dora] = ["carl@client.example", "dora@client.example"];
        for email in [BOB, carl, dora] {
            desk.contact(email);
        }
        let logged = desk.log("Kick-off", 24, ROSA, &[ADA, BOB, dora]);
        desk.calm().await;
        let event = desk.shown(ROSA).remove(0);
        let id = event["id"].as_str().expect("an id").to_owned();
        let mut all = event["attendees"].as_array().expect("guests").clone();
        all.iter_mut().filter(|one| one["email"] == ADA).for_each(|one| one["responseStatus"] = json!("accepted"));
        all.push(json!({ "email": carl }));
        desk.google.edit(ROSA, &id, &json!({ "attendees": all })).expect("she may");
        desk.calm().await;
        for email in [BOB, carl] {
            let contact = desk.contact_of(email);
            desk.hub.disassociate(("meetings", &logged), ("contacts", &contact)).expect("a person may");
        }
        desk.hub.archive("contacts", &desk.contact_of(dora)).expect("a person may");
        // Some CRMs need not tell at once that only a guest went.
        desk.hub.edit("meetings", &logged, &[("hs_meeting_title", "Kick-off, smaller")]).expect("a person may");
        desk.calm_down().await;
        let event = desk.shown(ROSA).remove(0);
        assert_eq!(event["summary"], "Kick-off, smaller", "{:?}", desk.told().await);
        let expected = if uninvite { vec![ADA, carl, dora] } else { vec![ADA, BOB, carl, dora] };
        assert_eq!(desk.in_calendar(ROSA)[0].guests, expected, "{:?}", desk.told().await);
        let reply = event["attendees"].as_array().expect("guests").iter().find(|one| one["email"] == ADA).expect("Ada")
            ["responseStatus"]
            .clone();
        assert_eq!(reply, "accepted");
    }
}
