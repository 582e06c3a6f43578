//! What other programs find under `/_sandbox` when the account is served on a socket: looking, and acting by hand. It
//! has no password.

use bytes::Bytes;
use http::{Method, Request, Response};
use serde_json::{Value, json};

use super::{HubSpotAccount, HubSpotEffect, HubSpotRecord, HubSpotWho};
use crate::web::{empty, json as answer, query};

const DOOR: &str = "/_sandbox/";

impl HubSpotAccount {
    pub(super) fn door(&self, base_url: &str, request: &Request<Bytes>) -> Option<Response<Bytes>> {
        let what = request.uri().path().strip_prefix(DOOR)?;
        let refused = |message: &str| answer(400, &json!({"error": message}));
        Some(match (request.method(), what) {
            (&Method::GET, "credentials.json") => answer(200, &self.credentials(base_url)),
            (&Method::GET, "calls.json") => answer(200, &json!({"total": self.call_count(), "kinds": self.calls()})),
            (&Method::GET, "state.json") => {
                let all = self.snapshot().into_iter();
                let shown = all.map(|(object, rows)| (object, rows.iter().map(record).collect::<Value>()));
                answer(200, &Value::Object(shown.collect()))
            }
            (&Method::GET, "effects.json") => {
                let since = query(request).get("since").and_then(|text| text.parse().ok()).unwrap_or(0);
                answer(200, &json!({"effects": self.effects_since(since).iter().map(effect).collect::<Vec<_>>()}))
            }
            (&Method::POST, what) => match serde_json::from_slice::<Value>(request.body()) {
                Err(error) => refused(&error.to_string()),
                Ok(asked) => match self.act(what, &asked) {
                    None => empty(404),
                    Some(Ok(done)) => answer(200, &done),
                    Some(Err(message)) => refused(&message),
                },
            },
            _ => empty(404),
        })
    }

    /// `None`: nothing of that name can be done.
    fn act(&self, what: &str, asked: &Value) -> Option<Result<Value, String>> {
        let text = |name: &str| asked[name].as_str().unwrap_or_default();
        let (object, id) = (text("object"), text("id"));
        let properties: Vec<(&str, &str)> = asked["properties"]
            .as_object()
            .into_iter()
            .flatten()
            .filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)))
            .collect();
        let nothing = |()| json!({});
        Some(match what {
            "create" => self.create(object, &properties).map(|id| json!({"id": id})),
            "edit" => self.edit(object, id, &properties).map(nothing),
            "archive" => self.archive(object, id).map(nothing),
            "restore" => self.restore(object, id).map(nothing),
            "erase" => self.erase(object, id).map(nothing),
            "merge" => self.merge(object, id, text("other")).map(|id| json!({"id": id})),
            "install" => Ok(self.install()),
            "tokens/expire" => {
                self.expire_tokens();
                Ok(json!({}))
            }
            _ => return None,
        })
    }
}

fn record(record: &HubSpotRecord) -> Value {
    let links: Vec<Value> = record
        .links
        .iter()
        .map(|link| json!({"object": link.object, "id": link.id, "type_ids": link.type_ids}))
        .collect();
    json!({"id": record.id, "properties": record.properties, "links": links})
}

fn effect(effect: &HubSpotEffect) -> Value {
    let who = match effect.who {
        HubSpotWho::App(app) => json!({"app": app}),
        HubSpotWho::Person(user) => json!({"person": user}),
        HubSpotWho::Vendor => json!("vendor"),
    };
    json!({"number": effect.number, "request": effect.request, "at": effect.at,
           "kind": format!("{:?}", effect.kind).to_lowercase(), "object": effect.object, "id": effect.id,
           "properties": effect.properties, "other": effect.other, "who": who})
}
