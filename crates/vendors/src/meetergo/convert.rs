//! From meetergo's webhook to a booking message. Pure: the same bytes always give the same reading.

use jiff::Timestamp;
use serde_json::{Map, Value};
use syncline_connect::{Reading, bookings::Malformed};
use syncline_core::{
    booking::message::{Answer, Attendee, Booking, BookingMessage, Host, MessageKind},
    ids::BookingKey,
    person::normal_email,
};

use super::wire::{Appointment, Form, MeetingInfo, Person};
use crate::intake::{self, MAX_ANSWERS, delivery, ignored, malformed, text, value::spelled, wire};

/// Reads a webhook's body.
pub fn read(body: &[u8], received: Timestamp) -> Result<Reading, Malformed> {
    let mut root = intake::object(body)?;
    let event = ["webhookType", "event"]
        .iter()
        .find_map(|name| root.get(*name)?.as_str())
        .unwrap_or_default()
        .trim()
        .to_owned();
    // The older form puts the appointment into `data`, the current one beside the event's name.
    let fields = match root.remove("data") {
        Some(Value::Object(fields)) => fields,
        _ => root,
    };
    let key = |name: &str, at: Option<Timestamp>| {
        delivery(&[&event, name, &at.map_or_else(String::new, |at| at.to_string())], body)
    };
    match event.as_str() {
        "booking_created" | "booking_rescheduled" | "booking_cancelled" => booking(&event, fields, received, &key),
        "form_submission" => form(fields, received, body, &key),
        "new_employee" => Ok(ignored(key("", None), "a new employee is no booking")),
        "" => Err(malformed("there is neither webhookType nor event, so this is no webhook of meetergo")),
        _ => Ok(ignored(key("", None), "this event says nothing about a booking")),
    }
}

type Key<'a> = &'a dyn Fn(&str, Option<Timestamp>) -> String;

fn booking(event: &str, fields: Map<String, Value>, received: Timestamp, key: Key<'_>) -> Result<Reading, Malformed> {
    let appointment: Appointment = wire(fields)?;
    let booking = intake::booking_key(appointment.id.raw()).ok_or_else(|| malformed("the appointment has no id"))?;
    intake::limit_people(appointment.attendees.0.len(), appointment.hosts.0.len())?;
    let kind = kind(event, &appointment);
    let content = content(&appointment);
    if content.is_none() && matches!(kind, MessageKind::Booked | MessageKind::Updated) {
        return Err(malformed("a booking needs start, end and the e-mail address of an attendee"));
    }
    let at = when(event, &appointment);
    let message = BookingMessage {
        kind,
        at: at.unwrap_or(received),
        group: None,
        replaces: None,
        replaced_by: None,
        booked: content.map(Box::new),
        booking,
    };
    Ok(Reading { delivery: key(message.booking.as_str(), at), messages: vec![message], ignored: None })
}

/// "Cancelled" is also said when one attendee leaves a group. The meeting is off only when the appointment says so, or
/// says nothing, or nobody is left; else it stands with those who remain.
fn kind(event: &str, appointment: &Appointment) -> MessageKind {
    let cancelled = MessageKind::Cancelled {
        reason: appointment.cancel.0.as_ref().and_then(|cancel| cancel.reason.block()),
        by: appointment
            .cancel
            .0
            .as_ref()
            .and_then(|cancel| cancel.action_by.line().or_else(|| cancel.action_source.line())),
        rescheduled: false,
    };
    let nobody_left = appointment.attendees.0.iter().all(|person| person.email.email().is_empty());
    match (event, appointment.is_cancelled.0) {
        (_, Some(true)) => cancelled,
        ("booking_cancelled", Some(false)) if !nobody_left => MessageKind::Updated,
        ("booking_cancelled", _) => cancelled,
        _ => MessageKind::Booked,
    }
}

/// The appointment's last change. Where it is missing, a time that stays the same through later changes (the creation)
/// may stand in only for the creation itself.
fn when(event: &str, appointment: &Appointment) -> Option<Timestamp> {
    let own = match event {
        "booking_created" => appointment.created_at.0,
        "booking_rescheduled" => appointment.rescheduled_at.0,
        _ => appointment.cancel.0.as_ref().and_then(|cancel| cancel.action_at.0),
    };
    appointment.updated_at.0.or(own)
}

fn content(appointment: &Appointment) -> Option<Booking> {
    let (start, end) = (appointment.start.0?, appointment.end.0?);
    let hosts = intake::only_hosts(appointment.hosts.0.iter().map(host).collect());
    let mut people = appointment.attendees.0.iter().map(attendee).filter(|person| !person.email.is_empty());
    let invitee = people.next()?;
    let guests = intake::only_guests(people.collect(), &invitee, &hosts);
    let (info, hosting) = (appointment.meeting_info.0.as_ref(), appointment.hosting_info.0.as_ref());
    let kind = appointment.meeting_type.0.as_ref();
    let name_in = |info: Option<&MeetingInfo>| info.and_then(|info| info.name.line());
    let type_name = name_in(kind.and_then(|kind| kind.meeting_info.0.as_ref()));
    let title = name_in(info).or_else(|| type_name.clone()).unwrap_or_default();
    let link = info.and_then(|info| info.meeting_link.web_url());
    let events =
        hosting.iter().flat_map(|hosting| hosting.calendar_sync_providers.0.iter().map(|event| &event.event_id));
    let mut calendar_ids: Vec<String> = hosting
        .iter()
        .map(|hosting| &hosting.google_event_id)
        .chain(events)
        .filter_map(|id| id.line())
        .take(intake::MAX_PEOPLE)
        .collect();
    calendar_ids.dedup();
    Some(Booking {
        meeting_type: kind
            .and_then(|kind| kind.slug.line())
            .or_else(|| appointment.meeting_type_id.line())
            .or_else(|| kind.and_then(|kind| kind.id.line()))
            .unwrap_or_default(),
        meeting_type_name: type_name.unwrap_or_else(|| title.clone()),
        title,
        start: Some(start),
        end: Some(end),
        invitee,
        guests,
        hosts,
        location: link
            .or_else(|| hosting.and_then(|hosting| hosting.meeting_link.web_url()))
            .or_else(|| appointment.location.line()),
        calendar_ids,
        ..Booking::default()
    })
}

fn attendee(person: &Person) -> Attendee {
    Attendee {
        email: person.email.email(),
        first_name: person.firstname.line(),
        last_name: person.lastname.line(),
        full_name: person.fullname.line(),
        phone: person.phone.line(),
        time_zone: person.timezone.time_zone(),
        language: person.language.language(),
    }
}

fn host(person: &Person) -> Host {
    let parts: Vec<String> = [person.firstname.line(), person.lastname.line()].into_iter().flatten().collect();
    let name = person.fullname.line().or_else(|| text::line(&parts.join(" ")));
    Host { email: person.email.email(), name, time_zone: person.timezone.time_zone() }
}

/// A form. Where it has no id of its own, its bytes name it.
fn form(fields: Map<String, Value>, received: Timestamp, body: &[u8], key: Key<'_>) -> Result<Reading, Malformed> {
    let form: Form = wire(fields)?;
    let mut answers = Vec::new();
    match &form.answers {
        Value::Object(fields) => answers.extend(fields.iter().filter_map(|(name, value)| answer(name, name, value))),
        Value::Array(fields) => answers.extend(fields.iter().filter_map(listed_answer)),
        _ => {}
    }
    answers.truncate(MAX_ANSWERS);
    let typed = || answers.iter().map(|answer| answer.value.as_str()).find(|value| normal_email(value).is_some());
    let email = Some(form.email.raw()).filter(|email| normal_email(email).is_some()).or_else(typed).map(text::email);
    let at = form.updated_at.0.or(form.created_at.0);
    let Some(email) = email else {
        return Ok(ignored(key("", at), "the form holds no e-mail address, so nobody can be found by it"));
    };
    let own = intake::booking_key(form.id.raw()).map(|id| format!("form/{id}"));
    let booking = BookingKey::new(own.unwrap_or_else(|| format!("form/{}", delivery(&[], body))));
    let name = form.form_name.line().unwrap_or_default();
    let content = Booking {
        meeting_type: form.form_id.line().unwrap_or_default(),
        meeting_type_name: name.clone(),
        title: name,
        invitee: Attendee { email, ..Attendee::default() },
        answers,
        ..Booking::default()
    };
    let delivery = key(booking.as_str(), at);
    let kind = MessageKind::FormSubmitted;
    let at = at.unwrap_or(received);
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

fn listed_answer(field: &Value) -> Option<Answer> {
    let named = |names: &[&str]| names.iter().find_map(|name| field.get(*name)?.as_str());
    let label = named(&["label", "question", "name", "key", "id"])?;
    let value = ["value", "answer"].iter().find_map(|name| field.get(*name))?;
    answer(named(&["key", "id", "name"]).unwrap_or(label), label, value)
}

fn answer(key: &str, label: &str, value: &Value) -> Option<Answer> {
    Some(Answer { key: text::line(key)?, label: text::line(label)?, value: spelled(value)? })
}
