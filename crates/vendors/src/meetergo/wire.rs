//! meetergo's webhook bodies as they are spoken, lenient in every field. The appointment's `secret` is left out on
//! purpose: it lets anybody cancel the meeting, and what is not read cannot leak.

use serde::Deserialize;
use serde_json::Value;

use crate::intake::value::{Flag, Many, Maybe, Text, Time};

/// An appointment, as every booking event carries it.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Appointment {
    pub id: Text,
    pub start: Time,
    pub end: Time,
    pub location: Text,
    pub is_cancelled: Flag,
    pub meeting_info: Maybe<MeetingInfo>,
    pub hosting_info: Maybe<HostingInfo>,
    pub attendees: Many<Person>,
    pub hosts: Many<Person>,
    pub meeting_type: Maybe<MeetingType>,
    pub meeting_type_id: Text,
    pub cancel: Maybe<Cancel>,
    pub rescheduled_at: Time,
    pub created_at: Time,
    pub updated_at: Time,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MeetingInfo {
    pub name: Text,
    pub meeting_link: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HostingInfo {
    pub meeting_link: Text,
    pub google_event_id: Text,
    pub calendar_sync_providers: Many<CalendarEvent>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CalendarEvent {
    pub event_id: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct MeetingType {
    pub id: Text,
    pub slug: Text,
    #[serde(rename = "meetingInfo")]
    pub meeting_info: Maybe<MeetingInfo>,
}

/// Who called off, as the API's appointments have it; whether webhooks carry it is not documented.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Cancel {
    pub action_source: Text,
    pub action_at: Time,
    pub action_by: Text,
    pub reason: Text,
}

/// An attendee or a host; the two spell names differently.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Person {
    pub email: Text,
    #[serde(alias = "firstName", alias = "givenName")]
    pub firstname: Text,
    #[serde(alias = "lastName", alias = "familyName")]
    pub lastname: Text,
    #[serde(alias = "fullName")]
    pub fullname: Text,
    pub phone: Text,
    #[serde(alias = "timeZone")]
    pub timezone: Text,
    pub language: Text,
}

/// A submitted form. Its keys are not documented: whatever names a form and an answer is tried.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Form {
    pub id: Text,
    pub form_id: Text,
    #[serde(alias = "name")]
    pub form_name: Text,
    pub email: Text,
    #[serde(alias = "fields", alias = "responses")]
    pub answers: Value,
    pub created_at: Time,
    pub updated_at: Time,
}
