//! From Calendly's webhook, or from an invitee that its API lists, to booking messages. Pure: the same bytes always give
//! the same reading.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value};
use syncline_connect::{Reading, bookings::Malformed};
use syncline_core::{
    booking::message::{Answer, Attendee, Booking, BookingMessage, Host, MessageKind},
    ids::BookingKey,
    person::normal_email,
};
use url::Url;

use super::wire::{Envelope, Invitee, Location, Question, ScheduledEvent, Submission};
use crate::intake::{
    self, MAX_ANSWERS, delivery, ignored, malformed, text,
    value::{Text, spelled},
    wire,
};

/// The tracking field in which a booking link carries a Salesforce record id.
const RECORD_FIELD: &str = "salesforce_uuid";

/// Reads a webhook's body.
pub fn read(body: &[u8], received: Timestamp) -> Result<Reading, Malformed> {
    let envelope: Envelope = wire(intake::object(body)?)?;
    let event = envelope.event.raw().trim().to_owned();
    let Some(payload) = envelope.payload.0 else { return Err(malformed("there is no payload object")) };
    let happened = envelope.created_at.0;
    let key = |name: &str| delivery(&[&event, name, &happened.map_or_else(String::new, |at| at.to_string())], body);
    match event.as_str() {
        "invitee.created" | "invitee.canceled" | "invitee_no_show.created" | "invitee_no_show.deleted" => {
            invitee(&event, payload, happened, received, &key)
        }
        "routing_form_submission.created" => submission(payload, happened.unwrap_or(received), &key),
        "" => Err(malformed("there is no event name")),
        _ => Ok(ignored(key(""), "this event says nothing about a booking")),
    }
}

fn invitee(
    event: &str,
    payload: Map<String, Value>,
    happened: Option<Timestamp>,
    received: Timestamp,
    key: &dyn Fn(&str) -> String,
) -> Result<Reading, Malformed> {
    let invitee: Invitee = wire(payload)?;
    let kind = match event {
        "invitee.created" => MessageKind::Booked,
        "invitee.canceled" => cancelled(&invitee),
        _ => MessageKind::NoShow { attendees: vec![(invitee.email.email(), event == "invitee_no_show.created")] },
    };
    let at = when(&kind, &invitee, happened).unwrap_or(received);
    let message = message(&invitee, kind, at)?;
    Ok(Reading { delivery: key(message.booking.as_str()), messages: vec![message], ignored: None })
}

fn message(invitee: &Invitee, kind: MessageKind, at: Timestamp) -> Result<BookingMessage, Malformed> {
    let booking = name_of(&invitee.uri).ok_or_else(|| malformed("payload.uri does not name an invitee"))?;
    let meeting = invitee.scheduled_event.0.as_ref();
    if let Some(meeting) = meeting {
        intake::limit_people(meeting.event_guests.0.len(), meeting.event_memberships.0.len())?;
    }
    let content = meeting.and_then(|meeting| content(invitee, meeting));
    if content.is_none() && kind == MessageKind::Booked {
        return Err(malformed(
            "a booking needs payload.email, scheduled_event.start_time and scheduled_event.end_time",
        ));
    }
    Ok(BookingMessage {
        at,
        group: meeting.filter(|meeting| shared(meeting)).and_then(|meeting| group(invitee, meeting)),
        replaces: name_of(&invitee.old_invitee),
        replaced_by: name_of(&invitee.new_invitee),
        booked: content.map(Box::new),
        booking,
        kind,
    })
}

/// An invitee as the API lists it, with its event: the messages that webhooks would have brought. The resource is the
/// webhook's payload, so both say the same at the same times; what changed later without a webhook (a join link, a
/// guest) comes on top.
pub fn row(invitee: Map<String, Value>, changed: Timestamp) -> Result<Vec<BookingMessage>, Malformed> {
    let invitee: Invitee = wire(invitee)?;
    let booked = when(&MessageKind::Booked, &invitee, None).unwrap_or(changed);
    let mut messages = vec![message(&invitee, MessageKind::Booked, booked)?];
    if invitee.status.raw() == "canceled" {
        let kind = cancelled(&invitee);
        let at = when(&kind, &invitee, None).unwrap_or(changed);
        messages.push(message(&invitee, kind, at)?);
    } else if changed > booked {
        messages.push(message(&invitee, MessageKind::Updated, changed)?);
    }
    if let Some(mark) = &invitee.no_show.0 {
        let kind = MessageKind::NoShow { attendees: vec![(invitee.email.email(), true)] };
        messages.push(message(&invitee, kind, mark.created_at.0.unwrap_or(changed))?);
    }
    Ok(messages)
}

/// The messages of a submission that the API lists; none where a booking came of it, or nobody can be found by it.
pub fn submitted(payload: Map<String, Value>, read: Timestamp) -> Result<Vec<BookingMessage>, Malformed> {
    Ok(submission(payload, read, &|name| name.to_owned())?.messages)
}

/// The time of what happened. A booking is made once, so its creation counts; a cancellation changes the invitee, so
/// its last change does. A no-show mark may leave the invitee's own times alone, so there the event's time counts.
fn when(kind: &MessageKind, invitee: &Invitee, happened: Option<Timestamp>) -> Option<Timestamp> {
    match kind {
        MessageKind::Booked => invitee.created_at.0.or(invitee.updated_at.0).or(happened),
        MessageKind::Cancelled { .. } => {
            let cancelled = invitee.cancellation.0.as_ref().and_then(|cancellation| cancellation.created_at.0);
            invitee.updated_at.0.or(cancelled).or(happened)
        }
        _ => {
            let marked = invitee.no_show.0.as_ref().and_then(|mark| mark.created_at.0);
            happened.or(marked).or(invitee.updated_at.0)
        }
    }
}

fn cancelled(invitee: &Invitee) -> MessageKind {
    let cancellation = invitee.cancellation.0.as_ref();
    MessageKind::Cancelled {
        reason: cancellation.and_then(|cancellation| cancellation.reason.block()),
        by: cancellation
            .and_then(|cancellation| cancellation.canceled_by.line().or_else(|| cancellation.canceler_type.line())),
        rescheduled: invitee.rescheduled.0 == Some(true),
    }
}

/// The path of a URI: what names the thing, whatever host speaks of it.
fn name_of(uri: &Text) -> Option<BookingKey> {
    let uri = uri.raw().trim();
    match Url::parse(uri) {
        Ok(url) => intake::booking_key(url.path().trim_matches('/')),
        Err(_) => intake::booking_key(uri.trim_matches('/')),
    }
}

/// Whether several invitees may share the meeting.
fn shared(meeting: &ScheduledEvent) -> bool {
    meeting.invitees_counter.0.as_ref().and_then(|counter| counter.limit.0).is_some_and(|limit| limit > 1)
}

fn group(invitee: &Invitee, meeting: &ScheduledEvent) -> Option<BookingKey> {
    name_of(&invitee.event).or_else(|| name_of(&meeting.uri))
}

fn content(invitee: &Invitee, meeting: &ScheduledEvent) -> Option<Booking> {
    let (start, end) = (meeting.start_time.0?, meeting.end_time.0?);
    let email = invitee.email.email();
    if email.is_empty() {
        return None;
    }
    let place = meeting.location.0.as_ref();
    let person = Attendee {
        email,
        first_name: invitee.first_name.line(),
        last_name: invitee.last_name.line(),
        full_name: invitee.name.line(),
        phone: invitee.text_reminder_number.line().or_else(|| place.and_then(called_number)),
        time_zone: invitee.timezone.time_zone(),
        language: None,
    };
    let memberships = meeting.event_memberships.0.iter();
    let hosts = intake::only_hosts(
        memberships
            .map(|host| Host { email: host.user_email.email(), name: host.user_name.line(), time_zone: None })
            .collect(),
    );
    let guests = meeting.event_guests.0.iter();
    let guests = guests.map(|guest| Attendee { email: guest.email.email(), ..Attendee::default() }).collect();
    let name = meeting.name.line().unwrap_or_default();
    let calendar_event = meeting.calendar_event.0.as_ref();
    Some(Booking {
        meeting_type: meeting.event_type.line().unwrap_or_default(),
        meeting_type_name: name.clone(),
        title: name,
        start: Some(start),
        end: Some(end),
        previous_start: None,
        reschedule_reason: None,
        rescheduled_by: None,
        guests: intake::only_guests(guests, &person, &hosts),
        invitee: person,
        hosts,
        team: None,
        location: place.and_then(location),
        notes: None,
        answers: answers(&invitee.questions_and_answers.0),
        tracking: tracking(invitee.tracking.0.as_ref()),
        record_hint: record_hint(invitee.tracking.0.as_ref()),
        cancel_url: invitee.cancel_url.web_url(),
        reschedule_url: invitee.reschedule_url.web_url(),
        calendar_ids: calendar_event.and_then(|event| event.external_id.line()).into_iter().collect(),
    })
}

/// The number that the host will call is the invitee's own.
fn called_number(place: &Location) -> Option<String> {
    if place.kind.raw() == "outbound_call" { place.location.line() } else { None }
}

/// The join link of a conference, else the place or number; a conference that is still being set up has none.
fn location(place: &Location) -> Option<String> {
    let written = || {
        let (main, more) = (place.location.line()?, place.additional_info.line());
        Some(more.map_or_else(|| main.clone(), |more| format!("{main} ({more})")))
    };
    place.join_url.web_url().or_else(written)
}

/// Calendly's questions have no stable name in bookings; the question itself stands for it.
fn answers(questions: &[Question]) -> Vec<Answer> {
    let answer = |question: &Question| {
        let label = question.question.line()?;
        let key = question.question_uuid.line().unwrap_or_else(|| label.clone());
        Some(Answer { key, label, value: spelled(&question.answer)? })
    };
    questions.iter().filter_map(answer).take(MAX_ANSWERS).collect()
}

fn tracking(fields: Option<&BTreeMap<String, Value>>) -> BTreeMap<String, String> {
    let fields = fields.into_iter().flatten().filter(|(name, _)| name.starts_with("utm_"));
    fields.filter_map(|(name, value)| Some((text::line(name)?, text::line(&spelled(value)?)?))).collect()
}

fn record_hint(fields: Option<&BTreeMap<String, Value>>) -> Option<String> {
    text::line(fields?.get(RECORD_FIELD)?.as_str()?)
}

fn submission(
    payload: Map<String, Value>,
    happened: Timestamp,
    key: &dyn Fn(&str) -> String,
) -> Result<Reading, Malformed> {
    let form: Submission = wire(payload)?;
    let booking = name_of(&form.uri).ok_or_else(|| malformed("payload.uri does not name a submission"))?;
    let delivery = key(booking.as_str());
    if !form.submitter.raw().trim().is_empty() {
        return Ok(ignored(delivery, "a booking came of this form, and the booking's own message tells of it"));
    }
    let answers = answers(&form.questions_and_answers.0);
    let Some(email) = answers.iter().find(|answer| normal_email(&answer.value).is_some()) else {
        return Ok(ignored(delivery, "the form holds no e-mail address, so nobody can be found by it"));
    };
    let named = |wanted: &[&str]| {
        let wanted = |answer: &&Answer| wanted.iter().any(|name| answer.label.eq_ignore_ascii_case(name));
        answers.iter().find(wanted).and_then(|answer| text::line(&answer.value))
    };
    let invitee = Attendee {
        email: text::email(&email.value),
        first_name: named(&["first name"]),
        last_name: named(&["last name"]),
        full_name: named(&["name", "full name", "your name"]),
        phone: named(&["phone", "phone number"]),
        ..Attendee::default()
    };
    let content = Booking {
        meeting_type: form.routing_form.line().unwrap_or_default(),
        invitee,
        tracking: tracking(form.tracking.0.as_ref()),
        record_hint: record_hint(form.tracking.0.as_ref()),
        answers,
        ..Booking::default()
    };
    let message = BookingMessage {
        booking,
        kind: MessageKind::FormSubmitted,
        at: form.created_at.0.unwrap_or(happened),
        group: None,
        replaces: None,
        replaced_by: None,
        booked: Some(Box::new(content)),
    };
    Ok(Reading { delivery, messages: vec![message], ignored: None })
}
