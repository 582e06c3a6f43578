//! Cal.com's webhook bodies as they are spoken, lenient in every field. No meaning is given to anything here.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::intake::value::{Flag, Many, Maybe, Text, Time, Whole};

/// The frame around a payload; some deliveries put the payload's fields beside `triggerEvent` instead.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Envelope {
    pub trigger_event: Text,
    pub created_at: Time,
    pub payload: Maybe<Map<String, Value>>,
}

/// A booking, as most triggers carry it.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Payload {
    pub uid: Text,
    pub booking_uid: Text,
    #[serde(rename = "iCalUID")]
    pub ical_uid: Text,
    #[serde(rename = "type")]
    pub slug: Text,
    pub event_type_id: Text,
    pub event_title: Text,
    pub title: Text,
    pub additional_notes: Text,
    pub custom_inputs: Maybe<Map<String, Value>>,
    pub responses: Maybe<Map<String, Value>>,
    pub user_fields_responses: Maybe<Map<String, Value>>,
    pub start_time: Time,
    pub end_time: Time,
    pub length: Whole,
    pub organizer: Maybe<Person>,
    pub attendees: Many<Person>,
    pub team: Maybe<Team>,
    pub location: Text,
    pub video_call_data: Maybe<Call>,
    pub additional_information: Maybe<Call>,
    pub metadata: Maybe<Call>,
    pub seats_per_time_slot: Whole,
    pub attendee_seat_id: Text,
    pub status: Text,
    pub cancellation_reason: Text,
    pub cancelled_by: Text,
    pub rejection_reason: Text,
    pub request_reschedule: Flag,
    pub reschedule_uid: Text,
    pub reschedule_start_time: Time,
    pub rescheduled_by: Text,
    pub sms_reminder_number: Text,
    pub booker_url: Text,
    pub platform_cancel_url: Text,
    pub platform_reschedule_url: Text,
}

/// An organiser, attendee or team member.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Person {
    pub name: Text,
    pub first_name: Text,
    pub last_name: Text,
    pub email: Text,
    pub time_zone: Text,
    pub language: Maybe<Language>,
    pub phone_number: Text,
    pub booking_seat: Maybe<Seat>,
    /// Only in messages about who did not come.
    pub no_show: Flag,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Language {
    pub locale: Text,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Seat {
    pub reference_uid: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Team {
    pub name: Text,
    pub members: Many<Person>,
}

/// Where a video call's address may stand.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Call {
    pub url: Text,
    pub video_call_url: Text,
    pub hangout_link: Text,
}

/// One answered field of a booking or routing form.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Response {
    pub label: Text,
    pub value: Value,
    /// Routing forms spell options out here.
    pub response: Value,
}

/// A submitted routing form.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Form {
    pub form_id: Text,
    pub form_name: Text,
    pub responses: Maybe<BTreeMap<String, Value>>,
}
