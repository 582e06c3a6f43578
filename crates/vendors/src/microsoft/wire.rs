//! Bodies exactly as Microsoft Graph speaks them. Nothing here decides anything, and nothing outside this folder sees it.
//! Every part may be missing or `null`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A page of a delta, and where it goes on.
#[derive(Debug, Deserialize)]
pub struct Delta {
    #[serde(default)]
    pub value: Vec<Value>,
    #[serde(rename = "@odata.nextLink")]
    pub next: Option<String>,
    #[serde(rename = "@odata.deltaLink")]
    pub done: Option<String>,
}

/// What of a row of a delta is always believed. One that is said to be removed has no type.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hint {
    /// Never missing: a row that names nothing could not be looked at.
    pub id: String,
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub series_master_id: Option<String>,
}

/// A single event, a series, or an occurrence that differs from its series.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Item {
    pub id: String,
    #[serde(rename = "@odata.etag")]
    pub etag: Option<String>,
    pub created_date_time: Option<String>,
    pub last_modified_date_time: Option<String>,
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub series_master_id: Option<String>,
    /// The same for all occurrences of a series; no metadata lists it.
    pub uid: Option<String>,
    /// Another for each occurrence of a series.
    #[serde(rename = "iCalUId")]
    pub ical_uid: Option<String>,
    pub occurrence_id: Option<String>,
    pub original_start: Option<String>,
    pub original_start_time_zone: Option<String>,
    pub start: Option<When>,
    pub end: Option<When>,
    pub is_all_day: Option<bool>,
    pub is_cancelled: Option<bool>,
    pub is_organizer: Option<bool>,
    pub hide_attendees: Option<bool>,
    pub subject: Option<String>,
    pub body: Option<Text>,
    pub location: Option<Place>,
    pub sensitivity: Option<String>,
    pub show_as: Option<String>,
    pub response_status: Option<Reply>,
    pub organizer: Option<Recipient>,
    pub attendees: Option<Vec<Attendee>>,
    pub recurrence: Option<Recurrence>,
    pub exception_occurrences: Option<Vec<Item>>,
    #[serde(rename = "exceptionOccurrences@odata.nextLink")]
    pub more_exceptions: Option<String>,
}

/// What of a series only comes where it is asked for by name.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CalledOff {
    pub cancelled_occurrences: Option<Vec<String>>,
}

/// A list of events, read or with everything that is in them.
#[derive(Debug, Deserialize)]
pub struct Items<T = Item> {
    #[serde(default = "Vec::new")]
    pub value: Vec<T>,
    #[serde(rename = "@odata.nextLink")]
    pub next: Option<String>,
}

/// A time of day without an offset, and its zone by a name of Windows or of the tz database.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct When {
    pub date_time: Option<String>,
    pub time_zone: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Text {
    pub content_type: Option<String>,
    pub content: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Place {
    pub display_name: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Reply {
    pub response: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Recipient {
    pub email_address: Option<Address>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Address {
    pub name: Option<String>,
    pub address: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Attendee {
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub status: Option<Reply>,
    pub email_address: Option<Address>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Recurrence {
    pub pattern: Option<Pattern>,
    pub range: Option<Range>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Pattern {
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub interval: Option<i64>,
    pub month: Option<i64>,
    pub day_of_month: Option<i64>,
    pub days_of_week: Option<Vec<String>>,
    pub first_day_of_week: Option<String>,
    pub index: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Range {
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub end_date: Option<String>,
    pub recurrence_time_zone: Option<String>,
    pub number_of_occurrences: Option<i64>,
}

/// A page of the account's calendars.
#[derive(Debug, Deserialize)]
pub struct CalendarList {
    #[serde(default)]
    pub value: Vec<Calendar>,
    #[serde(rename = "@odata.nextLink")]
    pub next: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Calendar {
    pub id: String,
    pub name: Option<String>,
    pub is_default_calendar: Option<bool>,
    pub can_edit: Option<bool>,
    pub owner: Option<Address>,
}

/// Many requests in one.
#[derive(Debug, Serialize)]
pub struct Batch<'a> {
    pub requests: Vec<Request<'a>>,
}

#[derive(Debug, Serialize)]
pub struct Request<'a> {
    pub id: String,
    pub method: &'static str,
    pub url: &'a str,
    pub headers: RequestHeaders,
}

#[derive(Debug, Serialize)]
pub struct RequestHeaders {
    #[serde(rename = "Prefer")]
    pub prefer: &'static str,
}

/// What became of them, in any order.
#[derive(Debug, Deserialize)]
pub struct Batched {
    pub responses: Vec<Part>,
}

#[derive(Debug, Deserialize)]
pub struct Part {
    pub id: String,
    pub status: u16,
    #[serde(default)]
    pub headers: Option<Map<String, Value>>,
    #[serde(default)]
    pub body: Option<Value>,
}

/// A subscription that was made or renewed.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Subscription {
    pub id: String,
    pub expiration_date_time: Option<String>,
}

/// What is told at once, each to be read by itself.
#[derive(Debug, Deserialize)]
pub struct Told {
    #[serde(default)]
    pub value: Vec<Value>,
}

/// One of it. What comes of the event that changed is not looked at.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    pub subscription_id: String,
    pub client_state: String,
    #[serde(default)]
    pub lifecycle_event: Option<String>,
}

/// A refusal.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Refusal {
    pub error: Refused,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Refused {
    pub code: Option<String>,
    /// The event that was made under a name before.
    #[serde(rename = "@event.existingEventId")]
    pub existing: Option<String>,
}

/// What the token endpoint says where it gives none.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct TokenRefusal {
    pub error: String,
    pub error_codes: Vec<u64>,
}
