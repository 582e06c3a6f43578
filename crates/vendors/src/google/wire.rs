//! Bodies exactly as Google Calendar speaks them. Nothing here decides anything, and nothing outside this folder sees it.
//! Every part may be missing: of what is gone only the id comes.

use serde::Deserialize;

/// A page of a calendar's events.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Events {
    #[serde(default)]
    pub items: Vec<Item>,
    pub next_page_token: Option<String>,
    pub next_sync_token: Option<String>,
    pub time_zone: Option<String>,
}

/// An event, an occurrence that differs from its series, or what is left of one.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Item {
    pub id: String,
    pub etag: Option<String>,
    pub status: Option<String>,
    pub created: Option<String>,
    pub updated: Option<String>,
    pub summary: Option<String>,
    pub description: Option<String>,
    pub location: Option<String>,
    pub organizer: Option<Person>,
    pub start: Option<When>,
    pub end: Option<When>,
    pub recurrence: Vec<String>,
    pub recurring_event_id: Option<String>,
    pub original_start_time: Option<When>,
    pub transparency: Option<String>,
    pub visibility: Option<String>,
    #[serde(rename = "iCalUID")]
    pub ical_uid: Option<String>,
    pub sequence: Option<i64>,
    pub attendees: Vec<Person>,
    pub attendees_omitted: bool,
    pub event_type: Option<String>,
}

impl Item {
    pub fn is_cancelled(&self) -> bool {
        self.status.as_deref() == Some("cancelled")
    }
}

/// A time with its offset and the zone that it is meant in, or a whole day.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct When {
    pub date: Option<String>,
    pub date_time: Option<String>,
    pub time_zone: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Person {
    pub email: Option<String>,
    pub display_name: Option<String>,
    pub resource: bool,
    pub optional: bool,
    pub response_status: Option<String>,
}

/// A page of the account's calendars.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CalendarList {
    #[serde(default)]
    pub items: Vec<Calendar>,
    pub next_page_token: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Calendar {
    pub id: String,
    pub summary: Option<String>,
    pub summary_override: Option<String>,
    pub primary: bool,
    pub deleted: bool,
    pub access_role: Option<String>,
    pub time_zone: Option<String>,
}

/// A channel that was made.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Channel {
    pub id: String,
    pub resource_id: Option<String>,
    /// Milliseconds since 1970, as text.
    pub expiration: Option<String>,
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
    pub errors: Vec<Detail>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Detail {
    pub reason: Option<String>,
}
