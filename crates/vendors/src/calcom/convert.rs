//! From Cal.com's webhook to booking messages. Pure: the same bytes always give the same reading.

use jiff::Timestamp;
use serde_json::{Map, Value};
use syncline_connect::{Reading, bookings::Malformed};
use syncline_core::{
    booking::message::{Attendee, Booking, BookingMessage, MessageKind},
    ids::BookingKey,
};
use url::Url;

use super::{
    people, seats,
    wire::{Envelope, Form, Payload, Person},
};
use crate::intake::{self, delivery, ignored, malformed, text, value::spelled, wire};

/// What Cal.com calls places without saying where they are.
const KINDS_OF_PLACE: &[&str] = &[
    "inPerson",
    "attendeeInPerson",
    "link",
    "phone",
    "userPhone",
    "somewhereElse",
    "conferencing",
    "organizer_default_conferencing_app",
];

/// How the name of a video service starts where an address should stand.
const SERVICE_PREFIX: &str = "integrations:";

/// Reads a webhook's body.
pub fn read(body: &[u8], received: Timestamp) -> Result<Reading, Malformed> {
    let mut root = intake::object(body)?;
    let payload = match root.remove("payload") {
        Some(Value::Object(payload)) => Some(payload),
        _ => None,
    };
    let envelope: Envelope = wire(root.clone())?;
    let trigger = envelope.trigger_event.raw().trim().to_owned();
    if trigger.is_empty() {
        return Err(malformed(
            "there is no triggerEvent: this webhook has a custom payload template; remove the template so that Cal.com \
             sends its standard body",
        ));
    }
    // Some deliveries put the payload's fields beside the trigger.
    let fields = payload.unwrap_or(root);
    let at = envelope.created_at.0.unwrap_or(received);
    let key = |name: &str| {
        delivery(&[&trigger, name, &envelope.created_at.0.map_or_else(String::new, |at| at.to_string())], body)
    };
    match trigger.as_str() {
        "FORM_SUBMITTED" | "FORM_SUBMITTED_NO_EVENT" => form(fields, at, &key),
        "BOOKING_NO_SHOW_UPDATED" => Ok(no_show(&wire(fields)?, at, &key)),
        "BOOKING_CREATED"
        | "BOOKING_RESCHEDULED"
        | "BOOKING_REQUESTED"
        | "BOOKING_REJECTED"
        | "BOOKING_CANCELLED"
        | "BOOKING_PAID"
        | "BOOKING_PAYMENT_INITIATED" => booking(&trigger, &wire(fields)?, at, &key),
        other => Ok(ignored(key(""), why_ignored(other))),
    }
}

/// Why a trigger is none of ours, for the person who wonders.
fn why_ignored(trigger: &str) -> &'static str {
    match trigger {
        "PING" => "a test of the webhook",
        "MEETING_STARTED" | "MEETING_ENDED" => {
            "that a meeting took place changes no record, and the message names no booking uid"
        }
        "AFTER_HOSTS_CAL_VIDEO_NO_SHOW" | "AFTER_GUESTS_CAL_VIDEO_NO_SHOW" => {
            "an automatic guess about who did not come; the host's own mark counts"
        }
        "RECORDING_READY" | "RECORDING_TRANSCRIPTION_GENERATED" => "recordings are not taken into the CRM",
        "INSTANT_MEETING" | "INSTANT_MEETING_ACCEPTED" => "an instant meeting is a call, not a booking",
        "OOO_CREATED" => "an absence of a host is no booking",
        _ => "this trigger says nothing about a booking",
    }
}

fn booking(
    trigger: &str,
    payload: &Payload,
    at: Timestamp,
    key: &dyn Fn(&str) -> String,
) -> Result<Reading, Malformed> {
    let uid = intake::booking_key(payload.uid.raw()).ok_or_else(|| {
        malformed("there is no usable uid: either this is not a booking, or a custom payload template left it out")
    })?;
    let hosts = payload.team.0.as_ref().map_or(0, |team| team.members.0.len());
    intake::limit_people(payload.attendees.0.len() + people::named_guests(payload).len(), hosts)?;
    let kind = kind(trigger, payload);
    let needs_content = matches!(kind, MessageKind::Booked | MessageKind::Requested | MessageKind::Updated);
    let old = intake::booking_key(payload.reschedule_uid.raw()).filter(|old| *old != uid);
    let messages = if seats::shared(payload) {
        seat_messages(payload, &uid, old.as_ref(), &kind, at)
    } else {
        let invitee = people::invitee(payload, people::booker(payload), true);
        let content = invitee.and_then(|invitee| content(payload, &uid, invitee, Seat::Whole));
        vec![BookingMessage {
            booking: uid.clone(),
            kind,
            at,
            group: None,
            replaces: old,
            replaced_by: None,
            booked: content.map(Box::new),
        }]
    };
    if needs_content && messages.iter().any(|message| message.booked.is_none() && message.replaced_by.is_none()) {
        return Err(malformed("a booking needs startTime, endTime and the e-mail address of an attendee"));
    }
    Ok(Reading { delivery: key(uid.as_str()), messages, ignored: None })
}

fn kind(trigger: &str, payload: &Payload) -> MessageKind {
    let pending = payload.status.raw().eq_ignore_ascii_case("PENDING");
    let by = payload.cancelled_by.line();
    let reason = payload.cancellation_reason.block();
    match trigger {
        "BOOKING_REQUESTED" => MessageKind::Requested,
        // Old builds announce an unconfirmed booking as created. An unpaid one is pending until it is paid.
        "BOOKING_CREATED" | "BOOKING_RESCHEDULED" | "BOOKING_PAYMENT_INITIATED" if pending => MessageKind::Requested,
        "BOOKING_REJECTED" => MessageKind::Rejected { reason: payload.rejection_reason.block().or(reason) },
        // The host asked for another time; it only looks like a cancellation (cal.com issue 28543).
        "BOOKING_CANCELLED" if payload.request_reschedule.0 == Some(true) => {
            MessageKind::RescheduleRequested { reason, by }
        }
        "BOOKING_CANCELLED" => MessageKind::Cancelled { reason, by, rescheduled: false },
        "BOOKING_CREATED" | "BOOKING_RESCHEDULED" => MessageKind::Booked,
        _ => MessageKind::Updated,
    }
}

/// One message per seat that the webhook speaks of; for a seat that moved here from another slot, also its leaving
/// there, because nothing else tells that slot.
fn seat_messages(
    payload: &Payload,
    uid: &BookingKey,
    old: Option<&BookingKey>,
    kind: &MessageKind,
    at: Timestamp,
) -> Vec<BookingMessage> {
    let actor = match kind {
        MessageKind::Cancelled { .. } | MessageKind::RescheduleRequested { .. } | MessageKind::Rejected { .. } => {
            Some(payload.cancelled_by.raw())
        }
        _ => payload.rescheduled_by.0.as_deref(),
    };
    let mut messages = Vec::new();
    for person in seats::spoken_of(payload, actor) {
        let Some(seat) = seats::key(uid, person) else { continue };
        let before = old.and_then(|old| Some((old, seats::key(old, person)?)));
        let typed = people::response_line(payload, "email").unwrap_or_default();
        let is_booker = people::is(person, &typed);
        // The end of somebody else's seat is told without content, so that the seat keeps its own answers.
        let tells = is_booker || matches!(kind, MessageKind::Booked | MessageKind::Requested | MessageKind::Updated);
        let content = people::invitee(payload, Some(person), is_booker)
            .filter(|_| tells)
            .and_then(|invitee| content(payload, uid, invitee, Seat::One { person, is_booker }));
        if let Some((old, left)) = &before {
            let rescheduled = MessageKind::Cancelled {
                reason: reschedule_reason(payload),
                by: payload.rescheduled_by.line(),
                rescheduled: true,
            };
            messages.push(BookingMessage {
                booking: left.clone(),
                kind: rescheduled,
                at,
                group: Some((*old).clone()),
                replaces: None,
                replaced_by: Some(seat.clone()),
                booked: None,
            });
        }
        messages.push(BookingMessage {
            booking: seat,
            kind: kind.clone(),
            at,
            group: Some(uid.clone()),
            replaces: before.map(|(_, left)| left),
            replaced_by: None,
            booked: content.map(Box::new),
        });
    }
    if messages.is_empty() {
        // Nobody is named: the message still says something about the slot itself.
        let (group, kind) = (Some(uid.clone()), kind.clone());
        messages.push(BookingMessage {
            booking: uid.clone(),
            kind,
            at,
            group,
            replaces: None,
            replaced_by: None,
            booked: None,
        });
    }
    messages
}

/// Which part of a booking the content is for.
#[derive(Clone, Copy)]
pub enum Seat<'a> {
    Whole,
    One { person: &'a Person, is_booker: bool },
}

/// The booking's content; `None` where its time is missing.
pub fn content(payload: &Payload, uid: &BookingKey, invitee: Attendee, seat: Seat<'_>) -> Option<Booking> {
    let start = payload.start_time.0?;
    let end = payload.end_time.0.or_else(|| {
        let minutes = payload.length.0.filter(|minutes| (1..=MAX_LENGTH_MINUTES).contains(minutes))?;
        start.checked_add(jiff::SignedDuration::from_mins(minutes)).ok()
    })?;
    let hosts = people::hosts(payload);
    // The form is the booker's; another seat's own answers came with that seat's own message.
    let answered = !matches!(seat, Seat::One { is_booker: false, .. });
    let (answers, tracking) = if answered { people::answers(payload) } else { Default::default() };
    let notes =
        payload.additional_notes.block().or_else(|| people::response(payload, "notes").as_ref().and_then(spelled));
    let guests = match seat {
        Seat::Whole => people::guests(payload, &invitee, &hosts),
        Seat::One { .. } => Vec::new(),
    };
    let seat_id = match seat {
        Seat::Whole => None,
        Seat::One { person, .. } => seats::seat_id(person),
    };
    let name = payload.event_title.line().or_else(|| payload.slug.line()).unwrap_or_default();
    Some(Booking {
        meeting_type: payload.slug.line().or_else(|| payload.event_type_id.line()).unwrap_or_default(),
        title: payload.title.line().unwrap_or_else(|| name.clone()),
        meeting_type_name: name,
        start: Some(start),
        end: Some(end),
        previous_start: payload.reschedule_start_time.0,
        reschedule_reason: payload.reschedule_uid.line().and_then(|_| reschedule_reason(payload)),
        rescheduled_by: payload.rescheduled_by.line(),
        invitee,
        guests,
        hosts,
        team: payload.team.0.as_ref().and_then(|team| team.name.line()),
        location: location(payload),
        notes: if answered { notes } else { None },
        answers,
        tracking,
        record_hint: None,
        cancel_url: payload.platform_cancel_url.web_url().or_else(|| cancel_url(payload, uid, seat_id)),
        reschedule_url: payload.platform_reschedule_url.web_url().or_else(|| reschedule_url(payload, uid, seat_id)),
        calendar_ids: payload.ical_uid.line().into_iter().collect(),
    })
}

/// Longest meeting length that stands in for a missing end: a fortnight, the longest event a CRM calendar takes.
const MAX_LENGTH_MINUTES: i64 = 14 * 24 * 60;

fn reschedule_reason(payload: &Payload) -> Option<String> {
    let typed = people::response(payload, "rescheduleReason").as_ref().and_then(spelled);
    typed.or_else(|| payload.cancellation_reason.block())
}

/// A join link, else a place; the name of a service or of a kind of place is neither.
fn location(payload: &Payload) -> Option<String> {
    let video = payload.video_call_data.0.as_ref().and_then(|call| call.url.web_url());
    let meeting = || payload.metadata.0.as_ref().and_then(|call| call.video_call_url.web_url());
    let hangout = || payload.additional_information.0.as_ref().and_then(|call| call.hangout_link.web_url());
    let place = || payload.location.line().filter(|place| is_place(place));
    let typed = || match people::response(payload, "location")? {
        Value::Object(fields) => fields.get("optionValue").and_then(spelled).and_then(|value| text::line(&value)),
        _ => None,
    };
    video.or_else(meeting).or_else(hangout).or_else(place).or_else(typed)
}

fn is_place(text: &str) -> bool {
    !text.starts_with(SERVICE_PREFIX) && !KINDS_OF_PLACE.contains(&text)
}

fn cancel_url(payload: &Payload, uid: &BookingKey, seat_id: Option<&str>) -> Option<String> {
    let mut url = page(payload, "booking", uid.as_str())?;
    url.query_pairs_mut().append_pair("cancel", "true");
    if let Some(seat) = seat_id {
        url.query_pairs_mut().append_pair("seatReferenceUid", seat);
    }
    text::web_url(url.as_str())
}

fn reschedule_url(payload: &Payload, uid: &BookingKey, seat_id: Option<&str>) -> Option<String> {
    text::web_url(page(payload, "reschedule", seat_id.unwrap_or(uid.as_str()))?.as_str())
}

fn page(payload: &Payload, name: &str, uid: &str) -> Option<Url> {
    let mut url = Url::parse(&payload.booker_url.web_url()?).ok()?;
    url.path_segments_mut().ok()?.pop_if_empty().extend([name, uid]);
    Some(url)
}

fn no_show(payload: &Payload, at: Timestamp, key: &dyn Fn(&str) -> String) -> Reading {
    let uid = [&payload.booking_uid, &payload.uid].into_iter().find_map(|uid| intake::booking_key(uid.raw()));
    let Some(uid) = uid else {
        return ignored(key(""), "the message names no booking uid, so it cannot be tied to a booking");
    };
    let marks: Vec<(String, bool)> = payload
        .attendees
        .0
        .iter()
        .filter_map(|person| Some((person.email.email(), person.no_show.0?)))
        .filter(|(email, _)| !email.is_empty())
        .take(intake::MAX_PEOPLE)
        .collect();
    let delivery = key(uid.as_str());
    if marks.is_empty() {
        return ignored(delivery, "the message marks no attendee");
    }
    let kind = MessageKind::NoShow { attendees: marks };
    let message =
        BookingMessage { booking: uid, kind, at, group: None, replaces: None, replaced_by: None, booked: None };
    Reading { delivery, messages: vec![message], ignored: None }
}

/// A routing form. Its two triggers, at once and after a while without a booking, must be one submission, so its name
/// is made of the form and what was answered.
fn form(fields: Map<String, Value>, at: Timestamp, key: &dyn Fn(&str) -> String) -> Result<Reading, Malformed> {
    let form: Form = wire(fields)?;
    let responses = form.responses.0.unwrap_or_default();
    let answers = people::form_answers(&responses);
    let Some(email) = people::form_email(&answers) else {
        return Ok(ignored(key(""), "the form holds no e-mail address, so nobody can be found by it"));
    };
    let mut parts = vec![form.form_id.raw()];
    parts.extend(answers.iter().flat_map(|answer| [answer.key.as_str(), answer.value.as_str()]));
    let booking = BookingKey::new(format!("form/{}", intake::fingerprint(&parts)));
    let named = |wanted: &str| {
        answers
            .iter()
            .find(|answer| answer.key.eq_ignore_ascii_case(wanted))
            .and_then(|answer| text::line(&answer.value))
    };
    let name = form.form_name.line().unwrap_or_default();
    let content = Booking {
        meeting_type: form.form_id.line().unwrap_or_default(),
        meeting_type_name: name.clone(),
        title: name,
        invitee: Attendee { full_name: named("name"), phone: named("phone"), email, ..Attendee::default() },
        answers,
        ..Booking::default()
    };
    let delivery = key(booking.as_str());
    let kind = MessageKind::FormSubmitted;
    let message = BookingMessage {
        booking,
        kind,
        at,
        group: None,
        replaces: None,
        replaced_by: None,
        booked: Some(Box::new(content)),
    };
    Ok(Reading { delivery, messages: vec![message], ignored: None })
}
