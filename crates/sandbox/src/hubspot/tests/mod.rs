//! The account answers as HubSpot documents it, and as it was recorded.

mod associations;
mod batches;
mod hooks;
mod limits;
mod merging;
mod oauth;
mod objects;
mod recorded;
mod searching;

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::Request;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use syncline_core::Clock;

use super::{HubSpotAccount, HubSpotConfig};
use crate::{Reply, Site};

pub(super) const PRIVATE: &str = "pat-eu1-00000000-1111-2222-3333-444444444444";

/// A clock that stands still until it is moved.
pub(super) struct Hands(Mutex<Timestamp>);

impl Hands {
    pub(super) fn pass(&self, time: SignedDuration) {
        *self.0.lock().unwrap() += time;
    }
}

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

pub(super) struct Kit {
    pub(super) account: Arc<HubSpotAccount>,
    pub(super) hands: Arc<Hands>,
}

pub(super) fn kit() -> Kit {
    kit_with(HubSpotConfig::default())
}

pub(super) fn kit_with(config: HubSpotConfig) -> Kit {
    let hands = Arc::new(Hands(Mutex::new("2026-03-12T07:32:42.188Z".parse().unwrap())));
    Kit { account: HubSpotAccount::new(config, hands.clone()).unwrap(), hands }
}

impl Kit {
    pub(super) fn send(&self, token: &str, method: &str, path: &str, body: &Value) -> Reply {
        let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", format!("Bearer {token}"))
            .body(body)
            .unwrap();
        self.account.handle("http://here", request)
    }

    /// A call of the private app; the clock moves a little, so that no limit is met by chance.
    pub(super) fn call(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        self.hands.pass(SignedDuration::from_millis(260));
        let response = self.send(PRIVATE, method, path, &body).response;
        (response.status().as_u16(), serde_json::from_slice(response.body()).unwrap_or_default())
    }

    /// A call that must succeed.
    pub(super) fn good(&self, method: &str, path: &str, body: Value) -> Value {
        let (status, answer) = self.call(method, path, body);
        assert!((200..300).contains(&status), "{method} {path}: {status} {answer}");
        answer
    }

    /// Creates a record through the API and answers its id.
    pub(super) fn make(&self, object: &str, properties: Value) -> String {
        let made =
            self.good("POST", &format!("/crm/v3/objects/{object}"), serde_json::json!({"properties": properties}));
        made["id"].as_str().unwrap().to_owned()
    }
}

/// The ids of a list of records.
pub(super) fn ids(body: &Value) -> Vec<String> {
    body["results"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
}
