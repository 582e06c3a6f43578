//! An imitation Calendly organization: event types, scheduled events, invitees and webhook subscriptions of API v2,
//! answered by a function call, and signed webhooks that the caller may deliver, lose or repeat. A subscription whose
//! deliveries fail for 24 hours is disabled. Built from the published API description and public example bodies (read
//! 2026-11); see README.md for what is assumed where they are silent.
//!
//! Invitees act through [`CalendlyOrg`]'s own functions; clients through HTTP.

mod answers;
mod events;
mod hooks;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::{HeaderName, Request};
use jiff::Timestamp;
use serde_json::{Value, json};
use syncline_core::Clock;

pub use self::{events::NewInvitee, hooks::Sent};
use self::{
    events::{Event, Invitee},
    hooks::Subscription,
};
use crate::{
    Reply,
    web::{Minute, Site, set},
};

/// Where everything has its name, wherever it is served from.
const HOME: &str = "https://api.calendly.com";

/// What the organization is like.
#[derive(Debug, Clone)]
pub struct CalendlyConfig {
    pub token: String,
    pub host_name: String,
    pub host_email: String,
    pub event_types: Vec<CalendlyEventType>,
    /// Calls a minute: 500 on a paid plan, 50 on the free one.
    pub calls_per_minute: u32,
    /// Whether the token's owner may see and subscribe to the whole organization.
    pub is_admin: bool,
}

/// What can be booked.
#[derive(Debug, Clone)]
pub struct CalendlyEventType {
    pub uuid: String,
    pub name: String,
    pub minutes: i64,
    /// Places of one event; one where nobody shares it.
    pub limit: u32,
}

impl Default for CalendlyConfig {
    fn default() -> Self {
        Self {
            token: "sandbox-personal-token-0123456789".into(),
            host_name: "Rosa Rep".into(),
            host_email: "rosa@host.example".into(),
            event_types: vec![
                CalendlyEventType { uuid: "TYPE1".into(), name: "Introduction".into(), minutes: 30, limit: 1 },
                CalendlyEventType { uuid: "TYPE2".into(), name: "Webinar".into(), minutes: 60, limit: 20 },
            ],
            calls_per_minute: 500,
            is_admin: true,
        }
    }
}

/// The organization.
pub struct CalendlyOrg {
    config: CalendlyConfig,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    events: Vec<Event>,
    invitees: Vec<Invitee>,
    subscriptions: Vec<Subscription>,
    /// Submissions of the routing form, the oldest first.
    submissions: Vec<serde_json::Value>,
    /// Webhooks under way: which subscription, and the body.
    pending: Vec<(String, String)>,
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

impl CalendlyOrg {
    /// An organization without events.
    pub fn new(config: CalendlyConfig, clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self { config, clock, state: Mutex::default() })
    }

    /// What a client needs to call it.
    pub fn credentials(&self, base_url: &str) -> Value {
        json!({"url": base_url, "token": self.config.token})
    }

    /// How many calls the API has answered.
    pub fn calls(&self) -> u64 {
        self.state().calls
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn organization(&self) -> String {
        format!("{HOME}/organizations/ORG1")
    }

    fn user(&self) -> String {
        format!("{HOME}/users/USER1")
    }
}

/// A time as Calendly writes it.
fn stamp(at: Timestamp) -> String {
    format!("{at:.6}")
}

impl Site for CalendlyOrg {
    fn handle(&self, base_url: &str, request: Request<Bytes>) -> Reply {
        let allowance = {
            let mut state = self.state();
            state.calls += 1;
            state.minute.count(self.clock.now(), self.config.calls_per_minute)
        };
        let mut response = if allowance.refused {
            answers::error(429, "Too Many Requests", "You have exceeded the rate limit")
        } else {
            self.answer(base_url, &request)
        };
        for (name, value) in [
            ("x-ratelimit-limit", i64::from(allowance.limit)),
            ("x-ratelimit-remaining", i64::from(allowance.remaining)),
            ("x-ratelimit-reset", allowance.reset),
        ] {
            set(&mut response, HeaderName::from_static(name), &value.to_string());
        }
        Reply::now(response)
    }
}
