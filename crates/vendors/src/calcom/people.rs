//! Who takes part in a Cal.com booking: booker, guests, hosts, and what they answered. Pure.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use syncline_core::{
    booking::message::{Answer, Attendee, Host},
    person::normal_email,
};

use super::wire::{Payload, Person, Response};
use crate::intake::{self, MAX_ANSWERS, text, value::spelled};

/// Fields of the booking form that have a place of their own in a booking and are no answers.
const OWN_FIELDS: &[&str] = &[
    "name",
    "email",
    "location",
    "title",
    "notes",
    "guests",
    "rescheduleReason",
    "attendeePhoneNumber",
    "smsReminderNumber",
];

/// How hidden form fields that carry campaign tracking are named; Cal.com's webhooks have no other place for it.
const TRACKING_PREFIX: &str = "utm_";

/// The value of a booking form's field.
pub fn response(payload: &Payload, id: &str) -> Option<Value> {
    let field = payload.responses.0.as_ref()?.get(id)?;
    // Older builds give the bare value instead of `{label, value}`.
    let value = match field {
        Value::Object(fields) if fields.contains_key("label") || fields.contains_key("value") => fields.get("value")?,
        bare => bare,
    };
    Some(value.clone())
}

/// The value of a booking form's field as one line.
pub fn response_line(payload: &Payload, id: &str) -> Option<String> {
    spelled(&response(payload, id)?).and_then(|value| text::line(&value))
}

/// Whether the person is the one with this address.
pub fn is(person: &Person, email: &str) -> bool {
    intake::same_email(person.email.raw(), email)
}

/// The booker: the attendee with the address of the booking form; without one the first, which is Cal.com's habit.
pub fn booker(payload: &Payload) -> Option<&Person> {
    let typed = response_line(payload, "email").unwrap_or_default();
    let attendees = &payload.attendees.0;
    attendees.iter().find(|person| is(person, &typed)).or_else(|| attendees.first())
}

/// The booker with everything the form knows; `None` where nobody has an address.
pub fn invitee(payload: &Payload, person: Option<&Person>, is_booker: bool) -> Option<Attendee> {
    let mut invitee = person.map(attendee).unwrap_or_default();
    if is_booker {
        if invitee.email.is_empty() {
            invitee.email = response_line(payload, "email").map(|email| text::email(&email)).unwrap_or_default();
        }
        fill_name(payload, &mut invitee);
        invitee.phone = invitee
            .phone
            .or_else(|| response_line(payload, "attendeePhoneNumber"))
            .or_else(|| payload.sms_reminder_number.line())
            .or_else(|| response_line(payload, "smsReminderNumber"));
    }
    (!invitee.email.is_empty()).then_some(invitee)
}

fn fill_name(payload: &Payload, invitee: &mut Attendee) {
    let Some(name) = response(payload, "name") else { return };
    if let Value::Object(parts) = &name {
        let part = |id: &str| parts.get(id).and_then(spelled).and_then(|value| text::line(&value));
        invitee.first_name = invitee.first_name.take().or_else(|| part("firstName"));
        invitee.last_name = invitee.last_name.take().or_else(|| part("lastName"));
    }
    invitee.full_name = invitee.full_name.take().or_else(|| spelled(&name).and_then(|value| text::line(&value)));
}

/// An attendee as the payload describes it.
pub fn attendee(person: &Person) -> Attendee {
    Attendee {
        email: person.email.email(),
        first_name: person.first_name.line(),
        last_name: person.last_name.line(),
        full_name: person.name.line(),
        phone: person.phone_number.line(),
        time_zone: person.time_zone.time_zone(),
        language: person.language.0.as_ref().and_then(|language| language.locale.language()),
    }
}

/// The organiser first, then the team's other members.
pub fn hosts(payload: &Payload) -> Vec<Host> {
    let team = payload.team.0.iter().flat_map(|team| &team.members.0);
    intake::only_hosts(payload.organizer.0.iter().chain(team).map(host).collect())
}

fn host(person: &Person) -> Host {
    Host { email: person.email.email(), name: person.name.line(), time_zone: person.time_zone.time_zone() }
}

/// Those whom the booker only named by address.
pub fn named_guests(payload: &Payload) -> Vec<Value> {
    match response(payload, "guests") {
        Some(Value::Array(values)) => values,
        Some(Value::String(list)) => list.split([',', ';']).map(Value::from).collect(),
        _ => Vec::new(),
    }
}

/// The other attendees, and those whom the booker only named by address.
pub fn guests(payload: &Payload, invitee: &Attendee, hosts: &[Host]) -> Vec<Attendee> {
    let mut candidates: Vec<Attendee> = payload.attendees.0.iter().map(attendee).collect();
    for value in &named_guests(payload) {
        let email = match value {
            Value::Object(fields) => fields.get("email").and_then(Value::as_str),
            other => other.as_str(),
        };
        candidates.extend(email.map(|email| Attendee { email: text::email(email), ..Attendee::default() }));
    }
    intake::only_guests(candidates, invitee, hosts)
}

/// What the booker answered beyond the fields that every booking has, and the tracking among it.
pub fn answers(payload: &Payload) -> (Vec<Answer>, BTreeMap<String, String>) {
    let mut answers: Vec<Answer> = Vec::new();
    let fields = payload.responses.0.iter().chain(&payload.user_fields_responses.0).flatten();
    for (key, field) in fields.filter(|(key, _)| !OWN_FIELDS.contains(&key.as_str())) {
        add_answer(&mut answers, key, field);
    }
    for (label, value) in payload.custom_inputs.0.iter().flatten() {
        add_answer(&mut answers, label, value);
    }
    let tracking = answers
        .iter()
        .filter(|answer| answer.key.starts_with(TRACKING_PREFIX))
        .filter_map(|answer| Some((answer.key.clone(), text::line(&answer.value)?)))
        .collect();
    (answers, tracking)
}

/// The answers of a routing form.
pub fn form_answers(fields: &BTreeMap<String, Value>) -> Vec<Answer> {
    let mut answers = Vec::new();
    for (key, field) in fields {
        add_answer(&mut answers, key, field);
    }
    answers
}

fn add_answer(answers: &mut Vec<Answer>, key: &str, field: &Value) {
    let Some(key) = text::line(key) else { return };
    if answers.len() >= MAX_ANSWERS || answers.iter().any(|known| known.key == key) {
        return;
    }
    let (label, value) = match field {
        Value::Object(fields) if is_response(fields) => {
            let response: Response = serde_json::from_value(field.clone()).unwrap_or_default();
            (response.label.line(), spelled(&response.response).or_else(|| spelled(&response.value)))
        }
        bare => (None, spelled(bare)),
    };
    if let Some(value) = value {
        answers.push(Answer { label: label.unwrap_or_else(|| key.clone()), key, value });
    }
}

fn is_response(fields: &Map<String, Value>) -> bool {
    fields.contains_key("label") || fields.contains_key("value") || fields.contains_key("response")
}

/// The first answer that is an e-mail address: fields named so come first.
pub fn form_email(answers: &[Answer]) -> Option<String> {
    let named =
        |answer: &&Answer| answer.key.to_lowercase().contains("email") || answer.key.to_lowercase().contains("e-mail");
    let address = |answer: &Answer| normal_email(&answer.value).map(|_| text::email(&answer.value));
    answers.iter().filter(named).find_map(address).or_else(|| answers.iter().find_map(address))
}
