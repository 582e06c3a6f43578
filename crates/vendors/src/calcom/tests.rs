//! What Cal.com's webhooks come to: a snapshot per fixture, the rules that snapshots do not show, and chains.

mod polled;

use syncline_connect::{Connector, Refusal, Secret};
use syncline_core::booking::{chain::Standing, message::MessageKind};

use super::*;
use crate::testing::{self, fixtures, messages, reading, received, request, robust, same_in_every_order, snapshots};

fixtures! {
    booking_created booking_created_flat booking_rescheduled booking_rescheduled_again booking_cancelled
    reschedule_requested_by_host booking_requested_reschedule booking_rejected booking_paid booking_payment_initiated
    collective_created seat_created seat_moved seat_cancelled_by_attendee seats_cancelled_by_host no_show_updated
    meeting_ended_flat form_submitted form_submitted_no_event
}
snapshots!(&Calcom);
robust!(&Calcom, FIXTURES);

fn changed(body: &str, from: &str, to: &str) -> String {
    assert!(body.contains(from), "the fixture holds {from}");
    body.replace(from, to)
}

#[track_caller]
fn check_refused(body: &str, part: &str) {
    let refused = testing::read(&Calcom, body).expect_err("refused");
    assert!(refused.reason.contains(part), "{refused}");
}

/// proves: B1, sec:S20, sec:S25
#[test]
fn a_webhook_is_verified_with_any_active_secret() {
    let body = fixtures::booking_created.as_bytes();
    let mut raw = request(body);
    let mut mac = <hmac::Hmac<sha2::Sha256> as hmac::KeyInit>::new_from_slice(b"new").expect("any length");
    hmac::Mac::update(&mut mac, body);
    let digest = hex::encode(hmac::Mac::finalize(mac).into_bytes());
    raw.headers.insert("x-cal-signature-256", digest.parse().expect("header"));
    let (old, new) = (Secret::new("old"), Secret::new("new"));
    let source = Calcom.bookings().expect("a booking source");
    assert!(source.signed());
    assert_eq!(source.verify(&raw, &[old.clone(), new], received()), Ok(()));
    assert_eq!(source.verify(&raw, &[old], received()), Err(Refusal::Mismatch));
    assert_eq!(source.verify(&raw, &[], received()), Err(Refusal::NoSecret));
    assert_eq!(source.verify(&request(body), &[Secret::new("new")], received()), Err(Refusal::Missing));
}

/// Hosted builds were documented with the payload's fields beside the trigger.
#[test]
fn both_forms_say_the_same() {
    assert_eq!(messages(&Calcom, &[fixtures::booking_created]), messages(&Calcom, &[fixtures::booking_created_flat]));
}

/// proves: B4
#[test]
fn a_chain_ends_the_same_in_every_order() {
    let story = [
        fixtures::booking_created,
        fixtures::booking_rescheduled,
        fixtures::booking_rescheduled_again,
        fixtures::booking_cancelled,
        fixtures::no_show_updated,
    ];
    let state = same_in_every_order(&messages(&Calcom, &story));
    let view = state.view().expect("content");
    assert_eq!(
        view.standing,
        Standing::Cancelled { reason: Some("No longer needed".into()), by: Some("ada@example.org".into()) }
    );
    assert_eq!(view.moves.len(), 2);
    assert_eq!(view.moves[0].reason.as_deref(), Some("Train strike"));
    assert_eq!(view.no_shows.into_iter().collect::<Vec<_>>(), ["ada@example.org"]);
}

/// A reschedule that waits for confirmation leaves the old time standing, and so does its rejection.
/// proves: B3, B4
#[test]
fn a_requested_reschedule_leaves_the_old_time_until_it_is_confirmed() {
    let mut story = messages(&Calcom, &[fixtures::booking_created, fixtures::booking_requested_reschedule]);
    let state = same_in_every_order(&story);
    let view = state.view().expect("content");
    assert_eq!(
        (view.standing, view.content.start),
        (Standing::Active, Some("2026-05-11T09:00:00Z".parse().expect("time")))
    );
    story.extend(messages(&Calcom, &[fixtures::booking_rejected]));
    let state = same_in_every_order(&story);
    assert_eq!(state.view().expect("content").standing, Standing::Active);
}

/// proves: B3
#[test]
fn a_host_who_asks_for_another_time_has_not_cancelled() {
    let story = messages(&Calcom, &[fixtures::booking_created, fixtures::reschedule_requested_by_host]);
    let state = same_in_every_order(&story);
    let reason = Some("I am travelling".to_owned());
    let by = Some("grace@sales.example.com".to_owned());
    assert_eq!(state.view().expect("content").standing, Standing::RescheduleRequested { reason, by });
}

/// Two bookers share a slot; one moves away, the other cancels: the slot is then empty, and the moved seat stands in
/// its new slot.
/// proves: B3, B4
#[test]
fn seats_come_and_go_one_by_one() {
    let first = changed(fixtures::seat_created, "\"attendeeSeatId\": \"seat-c\"", "\"attendeeSeatId\": \"seat-a\"");
    let all = messages(
        &Calcom,
        &[&first, fixtures::seat_created, fixtures::seat_moved, fixtures::seat_cancelled_by_attendee],
    );
    let (old, new): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|message| message.root().as_str() == "bkgUidSeats00000000005");
    assert_eq!((old.len(), new.len()), (4, 1));
    let before = testing::fold(&old[..2]);
    assert_eq!(before.view().expect("content").other_seats.len(), 1);
    let state = same_in_every_order(&old);
    assert!(matches!(state.view().expect("content").standing, Standing::Cancelled { .. }));
    let state = same_in_every_order(&new);
    let view = state.view().expect("content");
    assert_eq!((view.standing, view.content.invitee.email.as_str()), (Standing::Active, "cleo@example.net"));
}

/// Only a cancellation by somebody who has no seat, a host that is, ends every seat.
/// proves: B3
#[test]
fn a_cancelled_slot_cancels_every_seat() {
    let seat = |email: &str| format!("bkgUidSeats00000000005/seat-{}", crate::intake::fingerprint(&[email]));
    let cancelled = |body: &str| -> Vec<String> {
        let all = messages(&Calcom, &[body]);
        assert!(all.iter().all(|message| matches!(message.kind, MessageKind::Cancelled { .. })));
        all.iter().map(|message| message.booking.as_str().to_owned()).collect()
    };
    assert_eq!(cancelled(fixtures::seats_cancelled_by_host), [seat("ada@example.org"), seat("cleo@example.net")]);
    assert_eq!(cancelled(fixtures::seat_cancelled_by_attendee), [seat("ada@example.org")]);
    let named = changed(
        fixtures::seats_cancelled_by_host,
        "\"seatsPerTimeSlot\": 10",
        "\"seatsPerTimeSlot\": 10, \"attendeeSeatId\": \"seat-c\"",
    );
    assert_eq!(cancelled(&named), [seat("cleo@example.net")]);
    let unnumbered = changed(&named, "\"seatsPerTimeSlot\": 10, ", "");
    assert_eq!(cancelled(&unnumbered), [seat("cleo@example.net")]);
}

/// The two triggers of one submission are one form.
/// proves: B3
#[test]
fn a_form_is_one_submission_in_both_triggers() {
    let all = messages(&Calcom, &[fixtures::form_submitted, fixtures::form_submitted_no_event]);
    assert_eq!(all[0].booking, all[1].booking);
    assert_eq!(same_in_every_order(&all).view().expect("content").standing, Standing::FormOnly);
}

#[test]
fn an_unconfirmed_booking_of_an_old_build_is_requested() {
    let body = changed(fixtures::booking_created, "\"status\": \"ACCEPTED\"", "\"status\": \"PENDING\"");
    assert_eq!(messages(&Calcom, &[&body])[0].kind, MessageKind::Requested);
}

#[test]
fn the_place_is_a_link_or_a_place_and_never_the_name_of_a_service() {
    let place = |body: &str| messages(&Calcom, &[body])[0].booked.as_ref().expect("content").location.clone();
    let without_call = changed(fixtures::booking_created, "https://video.example.com/room", "");
    assert_eq!(place(fixtures::booking_created).as_deref(), Some("https://video.example.com/room"));
    assert_eq!(place(&without_call), None);
    let phone = changed(&without_call, "\"optionValue\": \"\"", "\"optionValue\": \"+49 30 1\"");
    assert_eq!(place(&phone).as_deref(), Some("+49 30 1"));
    assert_eq!(place(fixtures::collective_created).as_deref(), Some("Market Square 1, Example Town"));
}

#[test]
fn other_triggers_are_left_alone_with_a_reason() {
    let ignored = |trigger: &str| {
        let body =
            format!("{{\"triggerEvent\":\"{trigger}\",\"createdAt\":\"2026-05-04T09:24:01.123Z\",\"payload\":{{}}}}");
        reading(&Calcom, &body).ignored.expect("a reason")
    };
    for trigger in [
        "PING",
        "MEETING_STARTED",
        "MEETING_ENDED",
        "RECORDING_READY",
        "RECORDING_TRANSCRIPTION_GENERATED",
        "INSTANT_MEETING",
        "OOO_CREATED",
        "AFTER_HOSTS_CAL_VIDEO_NO_SHOW",
        "AFTER_GUESTS_CAL_VIDEO_NO_SHOW",
        "ROUTING_FORM_FALLBACK_HIT",
        "WRONG_ASSIGNMENT_REPORT",
        "DELEGATION_CREDENTIAL_ERROR",
        "CALENDAR_ENTRY_REJECTED",
        "SOMETHING_NEW",
    ] {
        assert!(!ignored(trigger).is_empty(), "{trigger}");
    }
}

/// The reason tells an admin what to change, and repeats no value.
#[test]
fn what_is_no_booking_is_refused_with_advice() {
    check_refused(r#"{"content":"A new event","name":"Ada"}"#, "custom payload template");
    check_refused(r#"{"triggerEvent":"BOOKING_CREATED","payload":{"title":"x"}}"#, "uid");
    check_refused(r#"{"triggerEvent":"BOOKING_CREATED","payload":{"uid":"u","title":"x"}}"#, "startTime");
    check_refused("[]", "not an object");
    check_refused("triggerEvent=BOOKING_CREATED", "not JSON");
    let mut form = request(b"triggerEvent=BOOKING_CREATED");
    form.headers.insert("content-type", "application/x-www-form-urlencoded; charset=utf-8".parse().expect("header"));
    let refused = Calcom.read(&form, received()).expect_err("refused");
    assert!(refused.reason.contains("form-encoded"), "{refused}");
}

/// Cutting a list would silently drop somebody, so a message beyond the limit is laid aside whole.
#[test]
fn more_people_than_the_limit_are_refused() {
    let crowd = |count: usize| {
        let mut body: serde_json::Value = serde_json::from_str(fixtures::booking_created).expect("JSON");
        body["payload"]["attendees"] =
            (0..count).map(|n| serde_json::json!({"name": "A", "email": format!("a{n}@example.org")})).collect();
        body.to_string()
    };
    // The booker of the form is not among them, so the first stands in, and the form's one guest is added.
    assert_eq!(messages(&Calcom, &[&crowd(999)])[0].booked.as_ref().expect("content").guests.len(), 999);
    check_refused(&crowd(1_000), "more than 1000 attendees");
}

#[test]
fn a_payload_without_a_time_is_dated_by_its_arrival() {
    let body = changed(fixtures::booking_created, "\"createdAt\": \"2026-05-04T09:24:01.123Z\"", "\"createdAt\": null");
    assert_eq!(messages(&Calcom, &[&body])[0].at, received());
}

/// Fields whose type changes between builds do not lose the booking.
#[test]
fn changing_types_are_tolerated() {
    for (from, to) in [
        ("\"requiresConfirmation\": null", "\"requiresConfirmation\": {\"a\":1}"),
        ("\"length\": 30", "\"length\": \"30\""),
        ("\"metadata\": {", "\"metadata2\": {"),
        ("\"eventTypeId\": 7", "\"eventTypeId\": \"7\""),
    ] {
        let body = changed(fixtures::booking_created, from, to);
        assert_eq!(messages(&Calcom, &[&body]), messages(&Calcom, &[fixtures::booking_created]), "{to}");
    }
}
