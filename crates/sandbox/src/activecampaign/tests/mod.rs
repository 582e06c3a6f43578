//! The account answers as ActiveCampaign documents it.

mod bulk;
mod contacts;
mod hooks;
mod recorded;
mod surroundings;

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::Request;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use syncline_core::Clock;

use super::{ActiveCampaignAccount, ActiveCampaignConfig};
use crate::{Reply, Site};

pub(super) struct Hands(Mutex<Timestamp>);

impl Hands {
    pub(super) fn pass(&self, seconds: i64) {
        *self.0.lock().unwrap() += SignedDuration::from_secs(seconds);
    }
}

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

/// An account, its clock, and a client that has its token.
pub(super) struct Kit {
    pub(super) account: Arc<ActiveCampaignAccount>,
    pub(super) hands: Arc<Hands>,
}

/// What came back.
pub(super) struct Got {
    pub(super) status: u16,
    pub(super) body: Value,
    pub(super) headers: http::HeaderMap,
}

impl Kit {
    pub(super) fn with(config: ActiveCampaignConfig) -> Self {
        let hands = Arc::new(Hands(Mutex::new("2026-05-28T10:07:18.250Z".parse().unwrap())));
        Self { account: ActiveCampaignAccount::new(config, hands.clone()), hands }
    }

    /// Without limits: most tests are about something else.
    pub(super) fn new() -> Self {
        Self::with(ActiveCampaignConfig { calls_per_second: u32::MAX, ..ActiveCampaignConfig::default() })
    }

    pub(super) fn reply(&self, method: &str, path: &str, body: &Value) -> Reply {
        let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
        let request = Request::builder().method(method).uri(format!("/api/3{path}"));
        let request = request.header("api-token", "ac-sandbox-token-0123456789").body(body).unwrap();
        self.account.handle("http://here", request)
    }

    pub(super) fn ask(&self, method: &str, path: &str, body: Value) -> Got {
        let response = self.reply(method, path, &body).response;
        let body = serde_json::from_slice(response.body()).unwrap_or_default();
        Got { status: response.status().as_u16(), body, headers: response.headers().clone() }
    }

    pub(super) fn get(&self, path: &str) -> Got {
        self.ask("GET", path, Value::Null)
    }

    /// Makes a contact and answers its number.
    pub(super) fn create(&self, contact: Value) -> u64 {
        let got = self.ask("POST", "/contacts", json!({"contact": contact}));
        assert_eq!(got.status, 201, "{}", got.body);
        got.body["contact"]["id"].as_str().unwrap().parse().unwrap()
    }

    pub(super) fn contact(&self, id: u64) -> Value {
        self.account.contact(id).unwrap()
    }
}

pub(super) fn map(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap()
}
