//! Many calls in one: in the order in which they depend on each other, answered in another.

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::{Map, Value, json};

use super::{
    Act, MicrosoftConfig, State,
    answers::{Answer, Refused},
    api::{Call, manner},
};
use crate::web::json as answer;

/// Calls of one batch ("Combine multiple HTTP requests", read 2026-11).
const CALLS_MAX: usize = 20;

impl State {
    pub(super) fn batch(&mut self, call: &Call, config: &MicrosoftConfig) -> Answer {
        let invalid = |message: &str| Refused::new(400, "BadRequest", message);
        let requests =
            call.body.get("requests").and_then(Value::as_array).ok_or_else(|| invalid("Invalid batch payload."))?;
        if requests.is_empty() || requests.len() > CALLS_MAX {
            return Err(invalid("A batch has one to twenty requests."));
        }
        let mut done: BTreeMap<String, (u16, Value)> = BTreeMap::new();
        let mut order = Vec::new();
        for request in requests {
            let id =
                request["id"].as_str().filter(|id| !id.is_empty()).ok_or_else(|| invalid("A request has no id."))?;
            if done.contains_key(id) {
                return Err(invalid("Request ids must be unique."));
            }
            let before: Vec<&str> =
                request["dependsOn"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            if before.iter().any(|before| !done.contains_key(*before)) {
                return Err(invalid("A request depends on one that does not come before it."));
            }
            let failed = before.iter().any(|before| done[*before].0 >= 400);
            let (status, shown) = if failed {
                let refused = Refused::new(424, "FailedDependency", "A request that this one depends on has failed.");
                (424, json!({"id": id, "status": 424, "body": refused.body(call.act.now, id, id)}))
            } else {
                self.one(call, config, id, request)
            };
            order.push(id.to_owned());
            done.insert(id.to_owned(), (status, shown));
        }
        // They may come back in any order.
        let rows: Vec<Value> = order.iter().rev().filter_map(|id| Some(done.get(id)?.1.clone())).collect();
        Ok(answer(200, &json!({"responses": rows})))
    }

    fn one(&mut self, batch: &Call, config: &MicrosoftConfig, id: &str, request: &Value) -> (u16, Value) {
        let mut headers = HeaderMap::new();
        for (name, value) in request["headers"].as_object().into_iter().flatten() {
            let name = HeaderName::try_from(name.as_str());
            if let (Ok(name), Ok(value)) = (name, HeaderValue::try_from(value.as_str().unwrap_or_default())) {
                headers.append(name, value);
            }
        }
        let url = request["url"].as_str().unwrap_or_default().trim_start_matches('/');
        let (path, query) = url.split_once('?').unwrap_or((url, ""));
        let named = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let call = Call {
            act: Act { now: batch.act.now, actor: batch.act.actor.clone(), user: batch.act.user.clone() },
            scopes: batch.scopes.clone(),
            method: request["method"].as_str().and_then(|method| Method::try_from(method).ok()).unwrap_or(Method::GET),
            base: batch.base.clone(),
            path: format!("/v1.0/{path}"),
            query: url::form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
            manner: manner(&headers, batch.manner.mailbox),
            if_match: named("if-match"),
            body: request["body"].as_object().cloned().unwrap_or_default(),
        };
        let response = match self.answer(&call, config) {
            Ok(response) => response,
            Err(refused) => refused.response(call.act.now, id, id),
        };
        let status = response.status().as_u16();
        let told: Map<String, Value> = response
            .headers()
            .iter()
            .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.into())))
            .collect();
        let mut shown = json!({"id": id, "status": status, "headers": told});
        if !response.body().is_empty() {
            shown["body"] = serde_json::from_slice(response.body()).unwrap_or_default();
        }
        (status, shown)
    }
}
