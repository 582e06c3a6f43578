//! Calendly's webhook bodies as they are spoken, lenient in every field. Internal meeting notes are left out on
//! purpose: what is not read cannot leak.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::intake::value::{Flag, Many, Maybe, Text, Time, Whole};

/// The frame around every event.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Envelope {
    pub event: Text,
    pub created_at: Time,
    pub payload: Maybe<Map<String, Value>>,
}

/// One invitee of one scheduled event.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Invitee {
    pub uri: Text,
    pub event: Text,
    pub status: Text,
    pub created_at: Time,
    pub updated_at: Time,
    pub email: Text,
    pub name: Text,
    pub first_name: Text,
    pub last_name: Text,
    pub timezone: Text,
    pub text_reminder_number: Text,
    pub rescheduled: Flag,
    pub old_invitee: Text,
    pub new_invitee: Text,
    pub cancel_url: Text,
    pub reschedule_url: Text,
    pub cancellation: Maybe<Cancellation>,
    pub questions_and_answers: Many<Question>,
    pub tracking: Maybe<BTreeMap<String, Value>>,
    pub no_show: Maybe<NoShow>,
    pub scheduled_event: Maybe<ScheduledEvent>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Cancellation {
    pub canceled_by: Text,
    pub canceler_type: Text,
    pub reason: Text,
    pub created_at: Time,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct NoShow {
    pub created_at: Time,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Question {
    pub question: Text,
    pub question_uuid: Text,
    pub answer: Value,
}

/// The meeting, which the invitees of a group share.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ScheduledEvent {
    pub uri: Text,
    pub name: Text,
    pub start_time: Time,
    pub end_time: Time,
    pub event_type: Text,
    pub location: Maybe<Location>,
    pub invitees_counter: Maybe<Counter>,
    pub event_memberships: Many<Membership>,
    pub event_guests: Many<Guest>,
    pub calendar_event: Maybe<CalendarEvent>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Location {
    #[serde(rename = "type")]
    pub kind: Text,
    pub location: Text,
    pub additional_info: Text,
    pub join_url: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Counter {
    pub limit: Whole,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Membership {
    pub user_email: Text,
    pub user_name: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Guest {
    pub email: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct CalendarEvent {
    pub external_id: Text,
}

/// A submitted routing form.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Submission {
    pub uri: Text,
    pub routing_form: Text,
    pub questions_and_answers: Many<Question>,
    pub tracking: Maybe<BTreeMap<String, Value>>,
    pub submitter: Text,
    pub created_at: Time,
}
