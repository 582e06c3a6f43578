//! What meetergo's webhooks come to: a snapshot per fixture, the rules that snapshots do not show, and a chain.

use syncline_core::booking::{chain::Standing, message::MessageKind};

use super::*;
use crate::testing::{self, fixtures, messages, reading, received, request, robust, same_in_every_order, snapshots};

fixtures! {
    booking_created booking_created_framed booking_rescheduled booking_rescheduled_again booking_cancelled
    attendee_left_group form_submission new_employee
}
snapshots!(&Meetergo);
robust!(&Meetergo, FIXTURES);

/// The secret path is the only check, so the source says that it is unsigned and lets the server insist on the path.
#[test]
fn meetergo_is_unsigned() {
    let source = Meetergo.bookings().expect("a booking source");
    assert!(!source.signed());
    assert_eq!(source.verify(&request(b"{}"), &[], received()), Ok(()));
}

/// proves: B4
#[test]
fn a_chain_ends_the_same_in_every_order() {
    let story = [
        fixtures::booking_created,
        fixtures::booking_rescheduled,
        fixtures::booking_rescheduled_again,
        fixtures::booking_cancelled,
    ];
    let state = same_in_every_order(&messages(&Meetergo, &story));
    let view = state.view().expect("content");
    assert_eq!(
        view.standing,
        Standing::Cancelled { reason: Some("No longer needed".into()), by: Some("ada@example.org".into()) }
    );
    assert_eq!(view.moves.len(), 2);
    let rescheduled = same_in_every_order(&messages(&Meetergo, &story[..3]));
    let view = rescheduled.view().expect("content");
    assert_eq!(
        (view.standing, view.content.start),
        (Standing::Active, Some("2026-05-13T07:00:00Z".parse().expect("time")))
    );
}

/// Both documented forms carry the same booking.
/// proves: B1
#[test]
fn the_older_framed_form_is_read_too() {
    let (flat, framed) =
        (messages(&Meetergo, &[fixtures::booking_created]), messages(&Meetergo, &[fixtures::booking_created_framed]));
    assert_eq!((&flat[0].booking, &flat[0].kind, flat[0].at), (&framed[0].booking, &framed[0].kind, framed[0].at));
    let (flat, framed) = (flat[0].booked.as_ref().expect("content"), framed[0].booked.as_ref().expect("content"));
    assert_eq!((&flat.invitee, &flat.guests, flat.start), (&framed.invitee, &framed.guests, framed.start));
}

/// One attendee leaves a group: the meeting stands with those who remain, and is off when nobody does.
/// proves: B3
#[test]
fn a_leaving_attendee_is_not_a_cancelled_meeting() {
    let kind = |change: fn(&mut serde_json::Value)| {
        let mut body: serde_json::Value = serde_json::from_str(fixtures::attendee_left_group).expect("JSON");
        change(&mut body);
        messages(&Meetergo, &[&body.to_string()])[0].kind.clone()
    };
    let cancelled = MessageKind::Cancelled { reason: None, by: None, rescheduled: false };
    assert_eq!(kind(|_| ()), MessageKind::Updated);
    assert_eq!(kind(|body| body["isCancelled"] = true.into()), cancelled);
    assert_eq!(kind(|body| body["isCancelled"] = serde_json::Value::Null), cancelled);
    assert_eq!(kind(|body| body["attendees"] = serde_json::json!([])), cancelled);
}

/// Whoever holds the appointment's secret can cancel the meeting.
#[test]
fn the_secret_of_an_appointment_is_never_taken_in() {
    for body in FIXTURES {
        let said = format!("{:?}", testing::read(&Meetergo, body));
        assert!(!said.contains("cancel-credential"), "{said}");
    }
}

#[test]
fn what_is_no_booking_is_refused_or_left_alone_with_a_reason() {
    let check = |body: &str, part: &str| {
        let refused = testing::read(&Meetergo, body).expect_err("refused");
        assert!(refused.reason.contains(part), "{refused}");
    };
    check("{}", "neither webhookType nor event");
    check(r#"{"webhookType":"booking_created"}"#, "no id");
    check(r#"{"event":"booking_created","data":{"id":"a"}}"#, "start, end");
    assert!(reading(&Meetergo, r#"{"webhookType":"something_new"}"#).ignored.is_some());
    assert!(reading(&Meetergo, r#"{"webhookType":"form_submission","answers":{"name":"Dora"}}"#).ignored.is_some());
}
