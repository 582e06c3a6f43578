//! Cal.com's API v2, one function per endpoint: bookings by their last change, one booking, one event type, webhooks.
//! The only place in this folder that calls anything. What rows mean stands in `rows`.

use http::Method;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use syncline_connect::{Cx, Error, Hook};

use crate::intake::{
    ask::{Asking, Question},
    value::{Flag, Many, Maybe, Text, Whole},
};

/// Without it, an older shape comes back.
const BOOKINGS_VERSION: &[(&str, &str)] = &[("cal-api-version", "2024-08-13")];
const EVENT_TYPES_VERSION: &[(&str, &str)] = &[("cal-api-version", "2024-06-14")];

/// The version of webhook bodies that this folder reads.
const WEBHOOK_VERSION: &str = "2021-10-20";

/// Bookings a page (the documented default, which every build takes).
pub const PAGE: usize = 100;

/// Webhooks a page, the documented maximum.
const HOOKS_PAGE: usize = 250;

/// Pages of webhooks that are looked through: far more than anybody has.
const HOOKS_PAGES_MAX: usize = 4;

/// What is subscribed to: every trigger that says something about a booking, and forms without one.
pub const TRIGGERS: &[&str] = &[
    "BOOKING_CREATED",
    "BOOKING_RESCHEDULED",
    "BOOKING_CANCELLED",
    "BOOKING_REQUESTED",
    "BOOKING_REJECTED",
    "BOOKING_PAID",
    "BOOKING_PAYMENT_INITIATED",
    "BOOKING_NO_SHOW_UPDATED",
    "FORM_SUBMITTED_NO_EVENT",
];

/// The calls of one question.
pub struct Api<'a>(Asking<'a>);

/// What of an event type completes its bookings: they carry only its slug, and answers without their questions.
#[derive(Debug, Default, Clone)]
pub struct EventType {
    pub title: Option<String>,
    /// The questions in their order: slug, and what people read.
    pub labels: Vec<(String, String)>,
    /// The team that it belongs to.
    pub team: Option<String>,
    /// Whether hosts confirm its bookings; unknown where the type cannot be read.
    pub confirms: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct WireEventType {
    title: Text,
    booking_fields: Many<WireField>,
    confirmation_policy: Value,
    team: Maybe<WireTeam>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WireTeam {
    name: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WireField {
    slug: Text,
    label: Text,
}

/// A webhook as the list shows it.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Webhook {
    pub id: Text,
    pub subscriber_url: Text,
    pub active: Flag,
    pub triggers: Many<Text>,
    pub secret: Text,
    #[serde(rename = "eventTypeId")]
    pub event_type: Whole,
}

impl<'a> Api<'a> {
    pub fn new(cx: &'a Cx<'a>, op: &'static str) -> Self {
        Self(Asking::new(cx, op, "Cal.com", "x-ratelimit-reset-default"))
    }

    pub fn calls(&self) -> u32 {
        self.0.calls()
    }

    /// An answer that is not what the vendor documents.
    pub fn strange(&self, what: &str) -> Error {
        self.0.strange(what)
    }

    /// `GET /v2/bookings`, those changed after a moment, the longest unchanged first.
    pub async fn bookings(&mut self, after: Timestamp, skip: usize) -> Result<Vec<Map<String, Value>>, Error> {
        let query = [
            ("afterUpdatedAt", format!("{after:.3}")),
            ("sortUpdatedAt", "asc".to_owned()),
            ("take", PAGE.to_string()),
            ("skip", skip.to_string()),
        ];
        let question = Question { headers: BOOKINGS_VERSION, ..Question::get(&["v2", "bookings"], &query) };
        let mut answer = self.0.ask(&question).await?;
        match answer.remove("data") {
            Some(Value::Array(rows)) => Ok(rows
                .into_iter()
                .map(|row| match row {
                    Value::Object(row) => row,
                    // What is no object is kept for a person, like everything that cannot be read.
                    other => Map::from_iter([("row".to_owned(), other)]),
                })
                .collect()),
            _ => Err(self.0.strange("no list of bookings")),
        }
    }

    /// `GET /v2/bookings/{uid}`; `None` where it is gone.
    pub async fn booking(&mut self, uid: &str) -> Result<Option<Map<String, Value>>, Error> {
        let path = ["v2", "bookings", uid];
        let question = Question { headers: BOOKINGS_VERSION, ..Question::get(&path, &[]) };
        let found = self.0.ask_for(&question).await?.and_then(|mut answer| answer.remove("data"));
        // The uid of a recurring set answers a list.
        Ok(match found {
            Some(Value::Object(row)) => Some(row),
            Some(Value::Array(rows)) => rows.into_iter().find_map(|row| match row {
                Value::Object(row) => Some(row),
                _ => None,
            }),
            _ => None,
        })
    }

    /// `GET /v2/event-types/{id}`; of a type that cannot be seen nothing is known.
    pub async fn event_type(&mut self, id: &str) -> Result<EventType, Error> {
        let path = ["v2", "event-types", id];
        let question = Question { headers: EVENT_TYPES_VERSION, ..Question::get(&path, &[]) };
        let data = self.0.ask_if_allowed(&question).await?.and_then(|mut answer| answer.remove("data"));
        let Some(data) = data else { return Ok(EventType::default()) };
        let wire: WireEventType = serde_json::from_value(data).unwrap_or_default();
        let named = |field: WireField| Some((field.slug.line()?, field.label.line()?));
        Ok(EventType {
            title: wire.title.line(),
            labels: wire.booking_fields.0.into_iter().filter_map(named).collect(),
            team: wire.team.0.and_then(|team| team.name.line()),
            confirms: Some(confirms(&wire.confirmation_policy)),
        })
    }

    /// `GET /v2/webhooks`: those that deliver to the address.
    pub async fn webhooks_to(&mut self, url: &str) -> Result<Vec<Webhook>, Error> {
        let mut found = Vec::new();
        for page in 0..HOOKS_PAGES_MAX {
            let query = [("take", HOOKS_PAGE.to_string()), ("skip", (page * HOOKS_PAGE).to_string())];
            let mut answer = self.0.ask(&Question::get(&["v2", "webhooks"], &query)).await?;
            let rows: Many<Webhook> = answer
                .remove("data")
                .and_then(|data| serde_json::from_value(data).ok())
                .ok_or_else(|| self.0.strange("no list of webhooks"))?;
            let last = rows.0.len() < HOOKS_PAGE;
            found.extend(rows.0.into_iter().filter(|hook| hook.subscriber_url.raw() == url));
            if last {
                break;
            }
        }
        Ok(found)
    }

    /// `POST /v2/webhooks`.
    pub async fn make_webhook(&mut self, hook: &Hook) -> Result<(), Error> {
        let body = json!({
            "subscriberUrl": hook.url.as_str(), "triggers": TRIGGERS, "active": true,
            "secret": hook.secret.expose(), "version": WEBHOOK_VERSION,
        });
        let question = Question { method: Method::POST, body: Some(body), ..Question::get(&["v2", "webhooks"], &[]) };
        self.0.ask(&question).await.map(drop)
    }

    /// `PATCH /v2/webhooks/{id}`: makes it what it should be.
    pub async fn mend_webhook(&mut self, id: &str, hook: &Hook) -> Result<(), Error> {
        let body = json!({"active": true, "triggers": TRIGGERS, "secret": hook.secret.expose()});
        let path = ["v2", "webhooks", id];
        let question = Question { method: Method::PATCH, body: Some(body), ..Question::get(&path, &[]) };
        self.0.ask(&question).await.map(drop)
    }
}

/// A policy that is absent or says `disabled` asks nobody.
fn confirms(policy: &Value) -> bool {
    policy.as_object().is_some_and(|policy| policy.contains_key("type") && policy.get("disabled") != Some(&json!(true)))
}
