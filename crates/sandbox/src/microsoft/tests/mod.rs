//! The tenant answers as Microsoft documents it.

mod batches;
mod deltas;
mod events;
mod guests;
mod hooks;
mod oauth;
mod series;
mod shapes;

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::Request;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use syncline_core::Clock;

use super::{MicrosoftConfig, MicrosoftTenant};
use crate::{Reply, Site};

pub(super) const MIA: &str = "mia@firm.example";
pub(super) const NOAH: &str = "noah@firm.example";
pub(super) const EVENTS: &str = "/v1.0/me/events";
pub(super) const IMMUTABLE: (&str, &str) = ("prefer", "IdType=\"ImmutableId\", outlook.timezone=\"UTC\"");

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
    pub(super) site: Arc<MicrosoftTenant>,
    pub(super) hands: Arc<Hands>,
}

pub(super) fn kit() -> Kit {
    kit_with(MicrosoftConfig::default())
}

pub(super) fn kit_with(config: MicrosoftConfig) -> Kit {
    let hands = Arc::new(Hands(Mutex::new("2026-03-12T07:32:42.188Z".parse().unwrap())));
    Kit { site: MicrosoftTenant::new(config, hands.clone()), hands }
}

impl Kit {
    pub(super) fn send(&self, user: &str, method: &str, path: &str, headers: &[(&str, &str)], body: &Value) -> Reply {
        let token = self.site.install(user).unwrap()["access_token"].as_str().unwrap().to_owned();
        let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
        let mut request =
            Request::builder().method(method).uri(path).header("authorization", format!("Bearer {token}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.site.handle("http://here", request.body(body).unwrap())
    }

    /// A call by this person's app, with ids that stay; the clock moves a little.
    pub(super) fn by(&self, user: &str, method: &str, path: &str, body: Value) -> (u16, Value) {
        self.hands.pass(SignedDuration::from_millis(260));
        let response = self.send(user, method, path, &[IMMUTABLE], &body).response;
        (response.status().as_u16(), serde_json::from_slice(response.body()).unwrap_or_default())
    }

    pub(super) fn good(&self, method: &str, path: &str, body: Value) -> Value {
        let (status, answer) = self.by(MIA, method, path, body);
        assert!((200..300).contains(&status), "{method} {path}: {status} {answer}");
        answer
    }

    /// A call that must be refused; answers its status and code.
    pub(super) fn refused(&self, method: &str, path: &str, body: Value) -> (u16, String) {
        let (status, answer) = self.by(MIA, method, path, body);
        assert!(status >= 400, "{method} {path}: {status} {answer}");
        (status, answer["error"]["code"].as_str().unwrap_or_default().to_owned())
    }

    /// Makes an event of Mia's and answers its id.
    pub(super) fn make(&self, body: Value) -> String {
        self.good("POST", EVENTS, body)["id"].as_str().unwrap().to_owned()
    }

    /// The only event in somebody's mailbox.
    pub(super) fn only(&self, user: &str) -> Value {
        let all = self.site.snapshot()[user].clone();
        assert_eq!(all.len(), 1, "{all:?}");
        all[0].clone()
    }
}

/// An hour of that day, from ten in Berlin.
pub(super) fn meeting(subject: &str, day: &str) -> Value {
    let zone = "W. Europe Standard Time";
    json!({"subject": subject, "start": {"dateTime": format!("{day}T10:00:00"), "timeZone": zone},
           "end": {"dateTime": format!("{day}T11:00:00"), "timeZone": zone}})
}

/// The same with these members too.
pub(super) fn with(mut event: Value, more: Value) -> Value {
    event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    event
}

pub(super) fn guests(addresses: &[&str]) -> Value {
    let rows: Vec<Value> =
        addresses.iter().map(|mail| json!({"type": "required", "emailAddress": {"address": mail}})).collect();
    json!({"attendees": rows})
}

pub(super) fn weekly(occurrences: u32) -> Value {
    json!({"recurrence": {
        "pattern": {"type": "weekly", "interval": 1, "daysOfWeek": ["monday"]},
        "range": {"type": "numbered", "startDate": "2026-03-16", "numberOfOccurrences": occurrences},
    }})
}

pub(super) fn words(answer: &Value, name: &str) -> Vec<String> {
    answer["value"].as_array().unwrap().iter().map(|row| row[name].as_str().unwrap_or("-").to_owned()).collect()
}
