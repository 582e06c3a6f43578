//! Looking at the org and steering it: pages for people, JSON for programs, all under `/_sandbox`.

mod actions;
mod page;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use http::{Method, Request, Response};
use serde_json::{Map, Value, json};

pub use page::escape;

use super::{FaultRule, SalesforceOrg, reply, rest};

/// Records on one page.
const PAGE: usize = 100;

impl SalesforceOrg {
    pub(super) fn console(&self, base: &str, request: &Request<Bytes>) -> Response<Bytes> {
        let path = request.uri().path().trim_start_matches("/_sandbox").trim_matches('/');
        let query = rest::params(request.uri().query().unwrap_or_default());
        let method = request.method();
        match (path, method) {
            ("", &Method::GET) => reply::html(200, self.home(base)),
            ("state.json", &Method::GET) => reply::json(200, &self.whole_state()),
            ("calls.json", &Method::GET) => reply::json(200, &json!(self.calls())),
            ("credentials.json", &Method::GET) => reply::json(200, &self.credentials(base)),
            ("faults", &Method::GET) => reply::json(200, &self.faults().to_json()),
            ("faults", &Method::POST) => self.add_fault(request),
            ("faults", &Method::DELETE) => {
                self.faults().clear();
                reply::empty(204)
            }
            ("faults/clear", &Method::POST) => {
                self.faults().clear();
                reply::redirect("/_sandbox/")
            }
            ("reset", &Method::POST) => {
                self.reset();
                reply::empty(204)
            }
            ("sessions/expire", &Method::POST) => {
                self.expire_sessions();
                reply::empty(204)
            }
            ("records", &Method::POST) => self.add_records(request),
            ("rules", &Method::GET) => reply::json(200, &json!(self.rules())),
            ("effects.json", &Method::GET) => {
                let since = query.iter().find(|(key, _)| key == "since").and_then(|(_, since)| since.parse().ok());
                reply::json(200, &json!(self.effects_since(since.unwrap_or(0))))
            }
            (action, &Method::POST | &Method::PUT) if actions::is_one(action) => self.act(action, request.body()),
            (path, &Method::GET) if path.starts_with("objects/") => {
                let from = query.iter().find(|(key, _)| key == "from").and_then(|(_, from)| from.parse().ok());
                match self.object_page(path.trim_start_matches("objects/"), from.unwrap_or(0), PAGE) {
                    Some(page) => reply::html(200, page),
                    None => reply::text(404, "no such object"),
                }
            }
            (path, &Method::GET) if path.starts_with("records/") => {
                match self.record_page(path.trim_start_matches("records/")) {
                    Some(page) => reply::html(200, page),
                    None => reply::text(404, "no such record"),
                }
            }
            _ => reply::text(404, "not found"),
        }
    }

    fn whole_state(&self) -> Value {
        let state = self.state();
        let mut out = Map::new();
        for (no, def) in state.world.schema.objects.iter().enumerate() {
            let table = state.world.table(no);
            let records: Vec<Value> = table.rows().map(|(_, row)| Value::Object(state.world.dump(no, row))).collect();
            if !records.is_empty() {
                out.insert(def.name.clone(), Value::Array(records));
            }
        }
        Value::Object(out)
    }

    /// One rule, or `{"rules": […]}`, as JSON or from the page's form.
    fn add_fault(&self, request: &Request<Bytes>) -> Response<Bytes> {
        let kind = request.headers().get(http::header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let from_form = kind.is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
        let given = if from_form { Ok(form_rule(request.body())) } else { serde_json::from_slice(request.body()) };
        let given: Value = match given {
            Ok(value) => value,
            Err(error) => return reply::json(400, &json!({"error": error.to_string()})),
        };
        let list = match given {
            Value::Array(list) => list,
            Value::Object(mut map) if map.contains_key("rules") => match map.remove("rules") {
                Some(Value::Array(list)) => list,
                _ => Vec::new(),
            },
            one => vec![one],
        };
        let rules: Result<Vec<FaultRule>, _> = list.into_iter().map(serde_json::from_value).collect();
        let rules = match rules {
            Ok(rules) => rules,
            Err(error) => return reply::json(400, &json!({"error": error.to_string()})),
        };
        let ids: Option<Vec<u64>> = rules.into_iter().map(|rule| self.faults().add(rule)).collect();
        match ids {
            None => reply::json(400, &json!({"error": "too many fault rules"})),
            Some(_) if from_form => reply::redirect("/_sandbox/"),
            Some(ids) => reply::json(201, &json!({"ids": ids})),
        }
    }

    /// `{"Contact": [{…}]}`, in the order given.
    fn add_records(&self, request: &Request<Bytes>) -> Response<Bytes> {
        let Ok(Value::Object(objects)) = serde_json::from_slice(request.body()) else {
            return reply::json(400, &json!({"error": "expected an object of lists of records by object name"}));
        };
        let mut out = Map::new();
        for (object, records) in objects {
            let mut ids = Vec::new();
            for record in records.as_array().into_iter().flatten() {
                let record = record.as_object().cloned().unwrap_or_default();
                match self.seed(&object, &record) {
                    Ok(id) => ids.push(id),
                    Err(error) => return reply::json(400, &json!({"error": error, "object": object, "made": out})),
                }
            }
            out.insert(object, json!(ids));
        }
        reply::json(201, &Value::Object(out))
    }
}

/// A rule from form fields; empty ones are left out, numbers are read as such.
fn form_rule(body: &[u8]) -> Value {
    let mut out = Map::new();
    for (key, value) in url::form_urlencoded::parse(body) {
        let value = value.trim();
        if value.is_empty() {
            continue;
        }
        let numeric = matches!(&*key, "probability" | "seed" | "every" | "next" | "status" | "delay_ms");
        let value = if numeric { serde_json::from_str(value).unwrap_or_else(|_| value.into()) } else { value.into() };
        out.insert(key.into_owned(), value);
    }
    Value::Object(out)
}
