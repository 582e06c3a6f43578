//! The workspace answers as Google documents it, and as it was recorded.

mod channels;
mod events;
mod guests;
mod lists;
mod oauth;
mod recorded;
mod series;

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::Request;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use syncline_core::Clock;

use super::{GoogleConfig, GoogleWorkspace};
use crate::{Reply, Site};

pub(super) const ROSA: &str = "rosa@host.example";
pub(super) const SAM: &str = "sam@host.example";
pub(super) const EVENTS: &str = "/calendar/v3/calendars/primary/events";

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
    pub(super) site: Arc<GoogleWorkspace>,
    pub(super) hands: Arc<Hands>,
}

pub(super) fn kit() -> Kit {
    kit_with(GoogleConfig::default())
}

pub(super) fn kit_with(config: GoogleConfig) -> Kit {
    let hands = Arc::new(Hands(Mutex::new("2026-03-12T07:32:42.188Z".parse().unwrap())));
    Kit { site: GoogleWorkspace::new(config, hands.clone()), hands }
}

impl Kit {
    pub(super) fn token(&self, user: &str) -> String {
        self.site.install(user).unwrap()["access_token"].as_str().unwrap().to_owned()
    }

    pub(super) fn send(&self, user: &str, method: &str, path: &str, headers: &[(&str, &str)], body: &Value) -> Reply {
        let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
        let mut request = Request::builder().method(method).uri(path);
        request = request.header("authorization", format!("Bearer {}", self.token(user)));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.site.handle("http://here", request.body(body).unwrap())
    }

    /// A call by Rosa's app; the clock moves a little.
    pub(super) fn call(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        self.hands.pass(SignedDuration::from_millis(260));
        let response = self.send(ROSA, method, path, &[], &body).response;
        (response.status().as_u16(), serde_json::from_slice(response.body()).unwrap_or_default())
    }

    pub(super) fn good(&self, method: &str, path: &str, body: Value) -> Value {
        let (status, answer) = self.call(method, path, body);
        assert!((200..300).contains(&status), "{method} {path}: {status} {answer}");
        answer
    }

    /// A call that must be refused; answers its status and reason.
    pub(super) fn refused(&self, method: &str, path: &str, body: Value) -> (u16, String) {
        let (status, answer) = self.call(method, path, body);
        assert!(status >= 400, "{method} {path}: {status} {answer}");
        (status, answer["error"]["errors"][0]["reason"].as_str().unwrap_or_default().to_owned())
    }

    /// Makes an event of Rosa's and answers its id.
    pub(super) fn make(&self, body: Value) -> String {
        self.good("POST", EVENTS, body)["id"].as_str().unwrap().to_owned()
    }
}

/// An hour of that day.
pub(super) fn meeting(summary: &str, day: &str) -> Value {
    json!({"summary": summary, "start": {"dateTime": format!("{day}T10:00:00+01:00"), "timeZone": "Europe/Berlin"},
           "end": {"dateTime": format!("{day}T11:00:00+01:00"), "timeZone": "Europe/Berlin"}})
}

/// The same with these members too.
pub(super) fn with(mut event: Value, more: Value) -> Value {
    event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    event
}

pub(super) fn items(answer: &Value) -> &Vec<Value> {
    answer["items"].as_array().unwrap()
}

/// One word of each row.
pub(super) fn words(answer: &Value, name: &str) -> Vec<String> {
    items(answer).iter().map(|row| row[name].as_str().unwrap_or("-").to_owned()).collect()
}
