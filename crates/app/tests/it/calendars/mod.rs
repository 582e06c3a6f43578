//! Meetings of two reps' calendars on the timelines of a CRM: the engine as a whole, over the imitation accounts.

mod admin;
mod back;
mod dav;
mod desk;
mod going_wrong;
mod guests;
mod house;
mod kill;
mod letters;
mod loops;
mod occurrences;
pub mod office;
mod removed;
mod strange;
mod suite;
mod timeline;
mod told;
mod untold;
mod whole;

use std::collections::BTreeSet;

use serde_json::json;
use syncline_core::calendar::meeting::DeleteSettings;
use syncline_store::MeetingView;

use self::desk::{ADA, Desk, ROSA, SAM};
use crate::crms::value;

/// A meeting with a contact lands on the contact's timeline; what has no business there is left out with its reason; an
/// idle round asks each calendar once and writes nothing.
///
/// proves: C4, C5, C6, C8
#[tokio::test]
async fn meetings_with_contacts_land_on_their_timelines() {
    let desk = Desk::new().await;
    desk.meet(ROSA, "Before", 24, &[ADA]);
    let desk = desk.active().await;
    assert_eq!(desk.titles(), Vec::<String>::new(), "what was there before is left out");
    desk.meet(ROSA, "Demo", 24, &[ADA]);
    desk.meet(ROSA, "Team", 25, &[SAM]);
    desk.meet(ROSA, "Stranger", 26, &["nobody@client.example"]);
    desk.calm().await;
    assert_eq!(desk.meetings(), [("Demo".to_owned(), "SCHEDULED".to_owned())]);
    let meeting = desk.records().remove(0);
    assert_eq!(desk.people(&meeting), BTreeSet::from([ADA.to_owned()]));
    let verdicts = desk.verdicts().await;
    let of = |title: &str| verdicts.get(title).map(String::as_str).unwrap_or_default();
    assert_eq!(
        (of("Before"), of("Demo"), of("Team"), of("Stranger")),
        ("before_connection", "log", "internal_only", "no_contact")
    );
    let events = desk.events().await;
    let on_timelines: Vec<&[String]> = events.iter().map(MeetingView::people).filter(|all| !all.is_empty()).collect();
    assert_eq!(on_timelines, [[ADA.to_owned()]]);
    let (google, hub) = (desk.google.call_count(), desk.hub.call_count());
    desk.calm().await;
    assert_eq!((desk.google.call_count() - google, desk.hub.call_count() - hub), (2, 0), "one call a calendar");
}

/// Moves, new guests, replies and cancellations follow; a meeting of two reps is one record.
///
/// proves: C4, C9
#[tokio::test]
async fn what_changes_in_the_calendar_follows() {
    let desk = Desk::new().await.active().await;
    let id = desk.meet(ROSA, "Demo", 24, &[ADA, SAM]);
    desk.calm().await;
    let meeting = desk.records().remove(0);
    let later = desk.event("Demo, moved", 48, &[ADA, SAM]);
    desk.google
        .edit(ROSA, &id, &json!({ "summary": later["summary"], "start": later["start"], "end": later["end"] }))
        .expect("she may");
    desk.calm().await;
    let moved = desk.records();
    assert_eq!(moved.len(), 1, "both reps' copies are one meeting: {moved:?}");
    assert_eq!((value(&moved[0], "hs_meeting_title"), &moved[0].id), ("Demo, moved", &meeting.id));
    assert_ne!(value(&moved[0], "hs_meeting_start_time"), value(&meeting, "hs_meeting_start_time"));
    desk.google.delete(SAM, &id).expect("he may");
    desk.calm().await;
    assert_eq!(desk.meetings().len(), 1);
    assert!(!desk.titles()[0].starts_with("[CANCELLED]"), "a guest who leaves calls nothing off");
    desk.google.delete(ROSA, &id).expect("she may");
    desk.calm().await;
    assert!(desk.titles()[0].starts_with("[CANCELLED] "), "{:?} {:?}", desk.meetings(), desk.told().await);
}

/// What is private never leaves the calendar; a record whose meeting becomes private stays as it was, and goes on once the
/// meeting is open again.
///
/// proves: C8
#[tokio::test]
async fn private_meetings_stay_in_the_calendar() {
    let desk = Desk::new().await.active().await;
    let mut secret = desk.event("Secret", 24, &[ADA]);
    secret["visibility"] = json!("private");
    desk.google.create(ROSA, &secret).expect("a meeting");
    let id = desk.meet(ROSA, "Demo", 25, &[ADA]);
    desk.calm().await;
    assert_eq!(desk.titles(), ["Demo"]);
    assert!(desk.events().await.iter().all(|view| view.state.title.as_deref() != Some("Secret")));
    desk.google.edit(ROSA, &id, &json!({ "visibility": "private", "summary": "Not for you" })).expect("she may");
    desk.calm().await;
    assert_eq!(desk.titles(), ["Demo"], "the record is frozen");
    assert!(!desk.told().await.iter().any(|text| text.contains("Not for you") || text.contains("Secret")));
    desk.google.edit(ROSA, &id, &json!({ "visibility": "default", "summary": "Open again" })).expect("she may");
    desk.calm().await;
    assert_eq!(desk.titles(), ["Open again"]);
}

/// Of a series the first occurrence is logged, and then whichever changes; one that is called off is called off alone.
///
/// proves: C7
#[tokio::test]
async fn of_a_series_the_first_and_whichever_changes() {
    let desk = Desk::new().await.active().await;
    let mut weekly = desk.event("Weekly", 24, &[ADA]);
    weekly["recurrence"] = json!(["RRULE:FREQ=WEEKLY;COUNT=6"]);
    let id = desk.google.create(ROSA, &weekly).expect("a series");
    desk.calm().await;
    assert_eq!(desk.titles(), ["Weekly"]);
    let start = weekly["start"]["dateTime"].as_str().expect("a time").parse::<jiff::Timestamp>().expect("a time");
    let occurrence = |weeks: i64| {
        let at = start + jiff::SignedDuration::from_hours(24 * 7 * weeks);
        format!("{id}_{}", at.strftime("%Y%m%dT%H%M%SZ"))
    };
    desk.google.edit(ROSA, &occurrence(2), &json!({ "summary": "Weekly, with the boss" })).expect("she may");
    desk.calm().await;
    assert_eq!(desk.titles(), ["Weekly", "Weekly, with the boss"]);
    desk.google.delete(ROSA, &occurrence(2)).expect("she may");
    desk.calm().await;
    assert_eq!(desk.titles().iter().filter(|title| title.starts_with("[CANCELLED]")).count(), 1, "{:?}", desk.titles());
    desk.google.delete(ROSA, &id).expect("she may");
    desk.calm().await;
    assert!(desk.titles().iter().all(|title| title.starts_with("[CANCELLED]")), "{:?}", desk.titles());
}

/// Where the record goes that stood for its series, the next occurrence is logged without any news of it.
///
/// proves: C7
#[tokio::test]
async fn the_next_occurrence_stands_in_for_a_first_one_whose_record_went() {
    let deletes = DeleteSettings { delete_record: true, ..DeleteSettings::default() };
    let desk = Desk::with(|flow| flow.rules.deletes = deletes).await.active().await;
    let mut weekly = desk.event("Weekly", 24, &[ADA]);
    weekly["recurrence"] = json!(["RRULE:FREQ=WEEKLY;COUNT=6"]);
    let id = desk.google.create(ROSA, &weekly).expect("a series");
    desk.calm().await;
    let start = weekly["start"]["dateTime"].as_str().expect("a time").parse::<jiff::Timestamp>().expect("a time");
    desk.google.delete(ROSA, &format!("{id}_{}", start.strftime("%Y%m%dT%H%M%SZ"))).expect("she may");
    desk.calm().await;
    let starts: Vec<String> = desk.records().iter().map(|one| value(one, "hs_meeting_start_time").to_owned()).collect();
    assert_eq!(starts, [(start + jiff::SignedDuration::from_hours(24 * 7)).to_string()], "{:?}", desk.told().await);
}

/// An account whose approval was withdrawn and is given again is read at once, and not when it was time for it without.
///
/// proves: C10
#[tokio::test]
async fn a_calendar_that_is_connected_again_is_read_at_once() {
    let desk = Desk::new().await.active().await;
    desk.google.revoke(ROSA);
    desk.hands.pass(jiff::SignedDuration::from_mins(3));
    assert_eq!(desk.round().await.failed.len(), 1, "it is withdrawn");
    desk.meet(ROSA, "Demo", 24, &[ADA]);
    let tokens = desk.google.install(ROSA).expect("a grant");
    let text = |name: &str| tokens[name].as_str().expect("a token").to_owned();
    let stored = syncline_store::StoredTokens {
        access: text("access_token"),
        refresh: Some(text("refresh_token")),
        base_url: "https://rosa.sandbox/".to_owned(),
        expires_at: None,
        account: None,
    };
    let setup = desk.engine.setup().connections.iter().find(|one| one.id.as_str() == "rosa").expect("a connection");
    desk.store.store_tokens(&setup.workspace, &setup.id, &stored, None).await.expect("they are kept");
    desk.engine.forget_token(setup).await;
    desk.hands.pass(jiff::SignedDuration::from_secs(5));
    desk.round().await;
    assert_eq!(desk.titles(), Vec::<String>::new(), "nobody said that it is connected");
    desk.engine.read_connected(setup).await.expect("the database answers");
    desk.round().await;
    assert_eq!(desk.titles(), ["Demo"], "{:?}", desk.told().await);
}

/// A calendar that forgets where the reading stopped is read anew, and nothing is doubled or called off by it; what vanished
/// meanwhile is asked for by its name.
///
/// proves: C10
#[tokio::test]
async fn a_forgotten_place_heals_itself() {
    let desk = Desk::new().await.active().await;
    let (kept, gone) = (desk.meet(ROSA, "Stays", 24, &[ADA]), desk.meet(ROSA, "Goes", 25, &[ADA]));
    desk.calm().await;
    let before = desk.records();
    desk.google.expire_sync_tokens();
    desk.google.edit(ROSA, &kept, &json!({ "summary": "Stays, changed" })).expect("she may");
    desk.google.delete(ROSA, &gone).expect("she may");
    desk.calm().await;
    assert_eq!(desk.records().len(), before.len());
    assert_eq!(desk.titles(), ["Stays, changed", "[CANCELLED] Goes"]);
}

/// A deleted record stays deleted, whatever the calendar says later.
///
/// proves: C3
#[tokio::test]
async fn a_record_that_a_person_deleted_stays_deleted() {
    let desk = Desk::new().await.active().await;
    let id = desk.meet(ROSA, "Demo", 24, &[ADA]);
    desk.calm().await;
    desk.hub.archive("meetings", &desk.records()[0].id).expect("a person may");
    desk.calm().await;
    assert_eq!(desk.google.snapshot()[ROSA].len(), 1, "the event stays");
    desk.google.edit(ROSA, &id, &json!({ "summary": "Demo, moved" })).expect("she may");
    desk.calm().await;
    assert_eq!(desk.titles(), Vec::<String>::new());
    assert_eq!(desk.verdicts().await.values().collect::<Vec<_>>(), ["removed_in_crm"]);
}

/// An edit that somebody makes in the CRM is kept for as long as the calendar says nothing new about that field.
///
/// proves: C4
#[tokio::test]
async fn an_edit_in_the_crm_is_kept() {
    let desk = Desk::new().await.active().await;
    let id = desk.meet(ROSA, "Demo", 24, &[ADA]);
    desk.calm().await;
    let record = desk.records().remove(0).id;
    desk.hub.edit("meetings", &record, &[("hs_meeting_title", "Demo (big account)")]).expect("a person may");
    desk.google.edit(ROSA, &id, &json!({ "location": "Room 7" })).expect("she may");
    desk.calm().await;
    let now = desk.records().remove(0);
    assert_eq!((value(&now, "hs_meeting_title"), value(&now, "hs_meeting_location")), ("Demo (big account)", "Room 7"));
    desk.google.edit(ROSA, &id, &json!({ "summary": "Demo, renamed" })).expect("she may");
    desk.calm().await;
    assert_eq!(desk.titles(), ["Demo, renamed"]);
}

/// Somebody who is added to the CRM before the meeting has it on the timeline.
///
/// proves: C4
#[tokio::test]
async fn a_guest_who_is_added_to_the_crm_later_is_found() {
    let desk = Desk::new().await.active().await;
    desk.meet(ROSA, "Intro", 48, &["new@client.example"]);
    desk.calm().await;
    assert_eq!(desk.verdicts().await["Intro"], "no_contact");
    desk.contact("new@client.example");
    desk.hands.pass(jiff::SignedDuration::from_hours(4));
    desk.calm().await;
    assert_eq!(desk.titles(), ["Intro"]);
}
