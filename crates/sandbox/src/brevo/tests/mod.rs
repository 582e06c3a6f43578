//! The account answers as Brevo documents it.

mod contacts;
mod documented;
mod hooks;
mod imports;
mod surroundings;

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::Request;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};
use syncline_core::Clock;

use super::{BrevoAccount, BrevoConfig, BrevoRates};
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

/// An account, its clock, and a client that has its key.
pub(super) struct Kit {
    pub(super) account: Arc<BrevoAccount>,
    pub(super) hands: Arc<Hands>,
}

/// What came back.
pub(super) struct Got {
    pub(super) status: u16,
    pub(super) body: Value,
    pub(super) headers: http::HeaderMap,
}

impl Kit {
    pub(super) fn with(config: BrevoConfig) -> Self {
        let hands = Arc::new(Hands(Mutex::new("2026-05-04T09:00:00Z".parse().unwrap())));
        Self { account: BrevoAccount::new(config, hands.clone()), hands }
    }

    /// Without limits: most tests are about something else.
    pub(super) fn new() -> Self {
        Self::with(BrevoConfig { rates: BrevoRates::NONE, ..BrevoConfig::default() })
    }

    pub(super) fn reply(&self, method: &str, path: &str, body: &Value) -> Reply {
        let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
        let request = Request::builder().method(method).uri(format!("/v3{path}"));
        let request = request.header("api-key", "xkeysib-sandbox-0123456789").body(body).unwrap();
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
    pub(super) fn create(&self, body: Value) -> u64 {
        let got = self.ask("POST", "/contacts", body);
        assert_eq!(got.status, 201, "{}", got.body);
        got.body["id"].as_u64().unwrap()
    }

    pub(super) fn contact(&self, id: u64) -> Value {
        self.account.contact(id).unwrap()
    }
}

pub(super) fn map(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap()
}
