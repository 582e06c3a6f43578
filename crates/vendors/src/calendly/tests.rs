//! What Calendly's webhooks come to: a snapshot per fixture, the rules that snapshots do not show, and chains.

mod polled;

use syncline_connect::{Refusal, Secret};
use syncline_core::booking::{chain::Standing, message::MessageKind};

use super::*;
use crate::testing::{self, fixtures, messages, reading, received, request, robust, same_in_every_order, snapshots};

fixtures! {
    invitee_created invitee_canceled_rescheduled invitee_created_rescheduled invitee_canceled_rescheduled_again
    invitee_created_rescheduled_again invitee_canceled group_invitee_created group_invitee_canceled no_show_created
    no_show_deleted outbound_call_created routing_form_submission
}
snapshots!(&Calendly);
robust!(&Calendly, FIXTURES);

fn changed(body: &str, from: &str, to: &str) -> String {
    assert!(body.contains(from), "the fixture holds {from}");
    body.replace(from, to)
}

fn signed(body: &[u8], key: &[u8], time: i64) -> RawRequest {
    let mut raw = request(body);
    let mut mac = <hmac::Hmac<sha2::Sha256> as hmac::KeyInit>::new_from_slice(key).expect("any length");
    hmac::Mac::update(&mut mac, format!("{time}.").as_bytes());
    hmac::Mac::update(&mut mac, body);
    let digest = hex::encode(hmac::Mac::finalize(mac).into_bytes());
    raw.headers.insert("calendly-webhook-signature", format!("t={time},v1={digest}").parse().expect("header"));
    raw
}

/// proves: B1, sec:S20, sec:S23, sec:S25
#[test]
fn a_webhook_is_verified_with_any_active_secret_within_three_minutes() {
    let source = Calendly.bookings().expect("a booking source");
    let now = received();
    let raw = signed(fixtures::invitee_created.as_bytes(), b"new", now.as_second() - 180);
    let (old, new) = (Secret::new("old"), Secret::new("new"));
    assert!(source.signed());
    assert_eq!(source.verify(&raw, &[old.clone(), new.clone()], now), Ok(()));
    assert_eq!(source.verify(&raw, &[old], now), Err(Refusal::Mismatch));
    assert_eq!(source.verify(&raw, &[], now), Err(Refusal::NoSecret));
    let early = signed(fixtures::invitee_created.as_bytes(), b"new", now.as_second() + 181);
    assert_eq!(source.verify(&early, &[new], now), Err(Refusal::Stale));
}

/// Created, rescheduled twice (each a pair of messages), cancelled: 720 orders, one state.
/// proves: B4
#[test]
fn a_chain_ends_the_same_in_every_order() {
    let story = [
        fixtures::invitee_created,
        fixtures::invitee_canceled_rescheduled,
        fixtures::invitee_created_rescheduled,
        fixtures::invitee_canceled_rescheduled_again,
        fixtures::invitee_created_rescheduled_again,
        fixtures::invitee_canceled,
    ];
    let state = same_in_every_order(&messages(&Calendly, &story));
    let view = state.view().expect("content");
    assert_eq!(
        view.standing,
        Standing::Cancelled { reason: Some("No longer needed".into()), by: Some("Ada Lovelace".into()) }
    );
    assert_eq!(view.moves.len(), 2);
}

/// Half a reschedule is not a cancellation.
/// proves: B3, B4
#[test]
fn the_first_half_of_a_reschedule_waits_for_the_other() {
    let half = messages(&Calendly, &[fixtures::invitee_created, fixtures::invitee_canceled_rescheduled]);
    let state = same_in_every_order(&half);
    assert!(matches!(state.view().expect("content").standing, Standing::ReschedulePending { .. }));
    let whole =
        [fixtures::invitee_created, fixtures::invitee_canceled_rescheduled, fixtures::invitee_created_rescheduled];
    let state = same_in_every_order(&messages(&Calendly, &whole));
    let view = state.view().expect("content");
    assert_eq!(
        (view.standing, view.content.start),
        (Standing::Active, Some("2026-05-12T09:00:00Z".parse().expect("time")))
    );
}

/// proves: B3, B4
#[test]
fn a_no_show_mark_can_be_taken_back_in_any_order() {
    let mut all = messages(&Calendly, &[fixtures::invitee_created_rescheduled_again, fixtures::no_show_created]);
    let state = same_in_every_order(&all);
    assert_eq!(state.view().expect("content").no_shows.into_iter().collect::<Vec<_>>(), ["ada@example.org"]);
    all.extend(messages(&Calendly, &[fixtures::no_show_deleted]));
    let state = same_in_every_order(&all);
    assert!(state.view().expect("content").no_shows.is_empty());
}

/// One invitee's cancellation leaves the others' meeting standing.
/// proves: B3, B4
#[test]
fn one_of_a_group_leaves_and_the_meeting_stands() {
    let cleo = changed(fixtures::group_invitee_canceled, "\"invitee.canceled\"", "\"invitee.created\"");
    let all = messages(&Calendly, &[fixtures::group_invitee_created, &cleo, fixtures::group_invitee_canceled]);
    assert!(all.iter().all(|message| message.root().as_str() == "scheduled_events/EVENT4"));
    let state = same_in_every_order(&all);
    let view = state.view().expect("content");
    assert_eq!(view.standing, Standing::Active);
    assert_eq!((view.content.invitee.email.as_str(), view.other_seats.len()), ("Ada@example.org", 0));
}

/// proves: B3
#[test]
fn the_chain_is_named_by_the_path_whatever_the_host() {
    let body =
        changed(fixtures::invitee_created_rescheduled, "https://api.calendly.com/", "https://calendly.example.com/");
    let (here, there) = (messages(&Calendly, &[fixtures::invitee_created_rescheduled]), messages(&Calendly, &[&body]));
    assert_eq!((&here[0].booking, &here[0].replaces), (&there[0].booking, &there[0].replaces));
    assert_eq!(here[0].booking.as_str(), "scheduled_events/EVENT2/invitees/INVITEE21");
}

/// Notes that the hosts keep for themselves never leave Calendly through us.
#[test]
fn internal_meeting_notes_are_not_taken_in() {
    for body in FIXTURES {
        let picture = testing::picture(&reading(&Calendly, body)).to_string();
        assert!(!picture.contains("internal remark") && !picture.contains("not-kept"), "{picture}");
    }
}

#[test]
fn the_place_depends_on_its_kind() {
    let place = |location: &str| {
        let mut body: serde_json::Value = serde_json::from_str(fixtures::invitee_created).expect("JSON");
        body["payload"]["scheduled_event"]["location"] = serde_json::from_str(location).expect("JSON");
        messages(&Calendly, &[&body.to_string()])[0].booked.as_ref().expect("content").location.clone()
    };
    let check = |location: &str, expected: Option<&str>| assert_eq!(place(location).as_deref(), expected, "{location}");
    check("null", None);
    check(r#"{"type":"google_conference","status":"processing"}"#, None);
    check(
        r#"{"type":"google_conference","status":"pushed","join_url":"https://video.example.com/g"}"#,
        Some("https://video.example.com/g"),
    );
    check(r#"{"type":"physical","location":"Market Square 1"}"#, Some("Market Square 1"));
    check(
        r#"{"type":"physical","location":"Market Square 1","additional_info":"second floor"}"#,
        Some("Market Square 1 (second floor)"),
    );
    check(r#"{"type":"inbound_call","location":"+49 30 1"}"#, Some("+49 30 1"));
    check(r#"{"type":"ask_invitee","location":"my office"}"#, Some("my office"));
    check(r#"{"type":"custom","location":"https://rooms.example.com/1"}"#, Some("https://rooms.example.com/1"));
    check(r#"["surprise"]"#, None);
}

/// proves: B3
#[test]
fn a_form_that_led_to_a_booking_is_left_to_the_booking() {
    let booked = changed(
        fixtures::routing_form_submission,
        "\"submitter\": null",
        "\"submitter\": \"https://api.calendly.com/scheduled_events/E/invitees/I\"",
    );
    let reading = reading(&Calendly, &booked);
    assert!(reading.messages.is_empty() && reading.ignored.is_some());
    let form = messages(&Calendly, &[fixtures::routing_form_submission]);
    assert_eq!(form[0].kind, MessageKind::FormSubmitted);
}

#[test]
fn other_events_are_left_alone_with_a_reason() {
    for event in ["event_type.created", "meeting_recap.created", "contact.created", "something.new"] {
        let body = format!("{{\"event\":\"{event}\",\"created_at\":\"2026-05-04T09:24:01Z\",\"payload\":{{}}}}");
        assert!(reading(&Calendly, &body).ignored.is_some(), "{event}");
    }
}

#[test]
fn what_is_no_booking_is_refused_with_a_reason() {
    let check = |body: &str, part: &str| {
        let refused = testing::read(&Calendly, body).expect_err("refused");
        assert!(refused.reason.contains(part), "{refused}");
    };
    check("{}", "payload");
    check(r#"{"payload":{}}"#, "event name");
    check(r#"{"event":"invitee.created","payload":{}}"#, "payload.uri");
    check(&changed(fixtures::invitee_created, "\"scheduled_event\"", "\"other\""), "scheduled_event.start_time");
}
