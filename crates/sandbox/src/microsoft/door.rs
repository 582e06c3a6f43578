//! Looking and steering by HTTP, under `/_sandbox`. It has no password: serve it on a loopback address only.

use bytes::Bytes;
use http::{Method, Request, Response};
use serde_json::{Value, json};

use super::{Lifecycle, MicrosoftTenant};
use crate::web::{empty, json as answer, query};

impl MicrosoftTenant {
    pub(super) fn console(&self, base: &str, request: &Request<Bytes>) -> Response<Bytes> {
        if let Some(response) = self.faults.door(request) {
            return response;
        }
        let since = || query(request).get("since").and_then(|since| since.parse().ok()).unwrap_or(0);
        match (request.method(), request.uri().path()) {
            (&Method::GET, "/_sandbox/credentials.json") => answer(200, &self.credentials(base)),
            (&Method::GET, "/_sandbox/calls.json") => answer(200, &json!(self.call_counts())),
            (&Method::GET, "/_sandbox/state.json") => answer(200, &json!(self.snapshot())),
            (&Method::GET, "/_sandbox/mails.json") => answer(200, &json!(self.mails_since(since()))),
            (&Method::POST, path) => {
                let said: Value = serde_json::from_slice(request.body()).unwrap_or_default();
                match self.steered(path, &said) {
                    Some(Ok(done)) => answer(200, &done),
                    Some(Err(error)) => answer(400, &json!({"error": error})),
                    None => empty(404),
                }
            }
            _ => empty(404),
        }
    }

    /// What a person or the sandbox's owner does; `None` for an unknown path.
    fn steered(&self, path: &str, said: &Value) -> Option<Result<Value, String>> {
        let text = |name: &str| said[name].as_str().unwrap_or_default();
        let done = |result: Result<(), String>| result.map(|()| json!({}));
        Some(match path {
            "/_sandbox/create" => self.create(text("user"), &said["event"]).map(|id| json!({"id": id})),
            "/_sandbox/edit" => done(self.edit(text("user"), text("id"), &said["event"])),
            "/_sandbox/respond" => done(self.respond_to(text("user"), text("id"), text("answer"))),
            "/_sandbox/delete" => done(self.delete(text("user"), text("id"))),
            "/_sandbox/install" => self.install(text("user")),
            "/_sandbox/lifecycle" => {
                let event = match text("event") {
                    "reauthorizationRequired" => Lifecycle::ReauthorizationRequired,
                    "subscriptionRemoved" => Lifecycle::SubscriptionRemoved,
                    "missed" => Lifecycle::Missed,
                    _ => return Some(Err("no such event".into())),
                };
                self.tell_lifecycle(text("user"), event);
                Ok(json!({}))
            }
            "/_sandbox/revoke" => {
                self.revoke(text("user"));
                Ok(json!({}))
            }
            "/_sandbox/tokens/expire" => {
                self.expire_tokens();
                Ok(json!({}))
            }
            "/_sandbox/delta-tokens/expire" => {
                self.expire_delta_tokens();
                Ok(json!({}))
            }
            _ => return None,
        })
    }
}
