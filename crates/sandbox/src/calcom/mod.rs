//! An imitation Cal.com account: event types, bookings and webhooks of API v2, answered by a function call, and signed
//! webhooks that the caller may deliver, lose or repeat. Built from the published description of API v2 and the webhook
//! guide (read 2026-11); see README.md for what is assumed where they are silent.
//!
//! Bookers act through [`CalcomAccount`]'s own functions; clients through HTTP.

mod answers;
mod bookings;
mod hooks;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::{HeaderName, Request};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use syncline_core::Clock;

pub use self::bookings::{NewBooking, Status};
use self::{bookings::Booking, hooks::Hook};
use crate::{
    Reply,
    web::{Minute, Site, Webhook, set},
};

/// What the account is like.
#[derive(Debug, Clone)]
pub struct CalcomConfig {
    pub api_key: String,
    pub host_name: String,
    pub host_email: String,
    /// Where people book; part of every webhook.
    pub booker_url: String,
    pub event_types: Vec<CalcomEventType>,
    /// Calls a minute: an API key may make 120.
    pub calls_per_minute: u32,
}

/// What can be booked.
#[derive(Debug, Clone)]
pub struct CalcomEventType {
    pub id: u32,
    pub slug: String,
    pub title: String,
    pub minutes: i64,
    /// Hosts confirm its bookings.
    pub confirms: bool,
    /// Places of one slot, where several people share it.
    pub seats: Option<u32>,
    /// The questions beside name and address: slug and label.
    pub questions: Vec<(String, String)>,
}

impl Default for CalcomConfig {
    fn default() -> Self {
        let event_type = |id, slug: &str, title: &str, confirms, seats| CalcomEventType {
            id,
            slug: slug.into(),
            title: title.into(),
            minutes: 30,
            confirms,
            seats,
            questions: vec![("team_size".into(), "How large is your team?".into())],
        };
        Self {
            api_key: "cal_sandbox_0123456789abcdef".into(),
            host_name: "Rosa Rep".into(),
            host_email: "rosa@host.example".into(),
            booker_url: "https://cal.example.com".into(),
            event_types: vec![
                event_type(1, "intro", "Introduction", false, None),
                event_type(2, "audit", "Audit", true, None),
                event_type(3, "webinar", "Webinar", false, Some(20)),
            ],
            calls_per_minute: 120,
        }
    }
}

/// The account.
pub struct CalcomAccount {
    config: CalcomConfig,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    bookings: Vec<Booking>,
    hooks: Vec<Hook>,
    /// Webhooks that were sent off and nobody has taken yet.
    sent: Vec<Webhook>,
    numbers: u32,
    minute: Minute,
    calls: u64,
}

impl State {
    fn number(&mut self) -> u32 {
        self.numbers += 1;
        self.numbers
    }
}

impl CalcomAccount {
    /// An account without bookings.
    pub fn new(config: CalcomConfig, clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self { config, clock, state: Mutex::default() })
    }

    /// What a client needs to call the account.
    pub fn credentials(&self, base_url: &str) -> Value {
        json!({"url": base_url, "api_key": self.config.api_key})
    }

    /// The webhooks that were sent since this was last asked, in their order.
    pub fn take_webhooks(&self) -> Vec<Webhook> {
        std::mem::take(&mut self.state().sent)
    }

    /// How many calls the API has answered.
    pub fn calls(&self) -> u64 {
        self.state().calls
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The present moment as the database keeps it: in milliseconds.
    fn now(&self) -> Timestamp {
        let now = self.clock.now();
        Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
    }

    fn event_type(&self, id: u32) -> Option<&CalcomEventType> {
        self.config.event_types.iter().find(|kind| kind.id == id)
    }
}

impl Site for CalcomAccount {
    fn handle(&self, _base_url: &str, request: Request<Bytes>) -> Reply {
        let (allowance, mut response) = {
            let mut state = self.state();
            state.calls += 1;
            let allowance = state.minute.count(self.clock.now(), self.config.calls_per_minute);
            drop(state);
            let response = if allowance.refused {
                answers::error(429, "TOO_MANY_REQUESTS", "ThrottlerException: Too Many Requests", request.uri().path())
            } else {
                self.answer(&request)
            };
            (allowance, response)
        };
        for (name, value) in [
            ("x-ratelimit-limit-default", i64::from(allowance.limit)),
            ("x-ratelimit-remaining-default", i64::from(allowance.remaining)),
            ("x-ratelimit-reset-default", allowance.reset),
        ] {
            set(&mut response, HeaderName::from_static(name), &value.to_string());
        }
        Reply::now(response)
    }
}

/// Answers of a booking form, by slug.
type Responses = Map<String, Value>;
