//! The REST resources: which path and method leads where, and how an answer is put together.

mod batch;
mod bulk;
mod changes;
mod collections;
mod composite;
mod layouts;
mod limits;
mod metadata;
mod query;
#[cfg(test)]
mod recorded;
mod references;
mod rows;
mod search;
#[cfg(test)]
mod tests;
mod tree;
mod upsert;

use std::{borrow::Cow, sync::Arc};

use bytes::Bytes;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

pub use bulk::Jobs;
pub use limits::Usage;
pub use query::Cursors;
use query::Reach;

use super::{
    SalesforceOrg, State,
    error::{ApiError, Outcome},
    id::Id,
    rules::{Assign, DuplicateHeader, Writer},
    time,
};

/// One REST request, alone or within a composite.
pub struct Call<'a> {
    pub method: &'a str,
    pub version: u32,
    /// The path after `/services/data/vNN.0/`, decoded.
    pub path: Vec<Cow<'a, str>>,
    pub params: Vec<(String, String)>,
    pub headers: Headers,
    pub body: Payload,
    pub asker: Asker,
}

/// A body as it came.
pub enum Payload {
    None,
    Json(Value),
    Broken(String),
    /// An upload of `text/csv`.
    Text(Bytes),
}

/// Who calls, and when.
#[derive(Debug, Clone, Copy)]
pub struct Asker {
    pub user: Id,
    pub now: i64,
}

/// The request headers that resources look at.
#[derive(Debug, Default, Clone)]
pub struct Headers {
    pub if_modified_since: Option<i64>,
    pub if_unmodified_since: Option<i64>,
    pub if_match: Option<String>,
    pub if_none_match: Option<String>,
    /// `Sforce-Auto-Assign`; absent means true.
    pub auto_assign: Option<String>,
    pub batch_size: Option<usize>,
    /// `Sforce-Duplicate-Rule-Header`
    pub duplicates: DuplicateHeader,
}

impl Headers {
    /// Takes up one header by its name.
    pub fn note(&mut self, name: &str, value: &str) {
        match name.to_ascii_lowercase().as_str() {
            "if-modified-since" => self.if_modified_since = time::parse_http_date(value),
            "if-unmodified-since" => self.if_unmodified_since = time::parse_http_date(value),
            "if-match" => self.if_match = Some(value.to_owned()),
            "if-none-match" => self.if_none_match = Some(value.to_owned()),
            "sforce-auto-assign" => self.auto_assign = Some(value.to_owned()),
            "sforce-duplicate-rule-header" => self.duplicates = duplicate_header(value),
            "sforce-query-options" => {
                self.batch_size = value.trim().strip_prefix("batchSize=").and_then(|size| size.parse().ok());
            }
            _ => {}
        }
    }
}

/// Reads `allowSave=true; includeRecordDetails=true`; what is not named is false.
fn duplicate_header(value: &str) -> DuplicateHeader {
    let says = |name: &str| {
        let parts = value.split([';', ',']).filter_map(|part| part.split_once('='));
        let mut named = parts.filter(|(key, _)| key.trim().eq_ignore_ascii_case(name));
        named.any(|(_, value)| value.trim().eq_ignore_ascii_case("true"))
    };
    DuplicateHeader {
        allow_save: says("allowSave"),
        include_record_details: says("includeRecordDetails"),
        run_as_current_user: says("runAsCurrentUser"),
    }
}

/// A resource's answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: Content,
    pub headers: Vec<(&'static str, String)>,
}

#[derive(Debug)]
pub enum Content {
    Empty,
    Json(Value),
    /// A describe, shared rather than copied.
    Shared(Arc<Value>),
    /// Something that is not JSON, with its type.
    Text(&'static str, String),
}

impl Answer {
    pub fn ok(body: Value) -> Self {
        Self::status(200, body)
    }

    pub fn status(status: u16, body: Value) -> Self {
        Self { status, body: Content::Json(body), headers: Vec::new() }
    }

    pub fn empty(status: u16) -> Self {
        Self { status, body: Content::Empty, headers: Vec::new() }
    }

    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub fn error(error: &ApiError) -> Self {
        Self::status(error.http_status(), json!([error.rest()]))
    }

    /// The body as a value of its own, null when there is none.
    pub fn into_value(self) -> Value {
        match self.body {
            Content::Empty => Value::Null,
            Content::Json(value) => value,
            Content::Shared(value) => Value::clone(&value),
            Content::Text(_, text) => Value::String(text),
        }
    }
}

impl Call<'_> {
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub fn flag(&self, name: &str) -> bool {
        self.param(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// The body, which must be a JSON object.
    pub fn object(&mut self) -> Outcome<serde_json::Map<String, Value>> {
        match std::mem::replace(&mut self.body, Payload::None) {
            Payload::Json(Value::Object(map)) => Ok(map),
            Payload::Json(_) | Payload::Text(_) => {
                Err(ApiError::request("JSON_PARSER_ERROR", "Can not deserialize the body as an object"))
            }
            Payload::Broken(message) => Err(ApiError::request("JSON_PARSER_ERROR", message)),
            Payload::None => {
                Err(ApiError::request("JSON_PARSER_ERROR", "No content to map to Object due to end of input"))
            }
        }
    }

    fn only(&self, allowed: &[&str]) -> Outcome<()> {
        if allowed.contains(&self.method) || (self.method == "HEAD" && allowed.contains(&"GET")) {
            return Ok(());
        }
        Err(ApiError::method_not_allowed(self.method, &allowed.join(",")))
    }
}

/// Splits `path?query` after the version, decoding each segment.
pub fn segments(path: &str) -> Vec<Cow<'_, str>> {
    path.split('/').filter(|part| !part.is_empty()).map(|part| percent_decode_str(part).decode_utf8_lossy()).collect()
}

pub fn params(query: &str) -> Vec<(String, String)> {
    url::form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

impl SalesforceOrg {
    /// Answers a REST request; errors become answers of their own.
    pub(super) fn rest(&self, state: &mut State, call: &mut Call<'_>) -> Answer {
        match self.route(state, call) {
            Ok(answer) => answer,
            Err(error) => Answer::error(&error),
        }
    }

    fn route(&self, state: &mut State, call: &mut Call<'_>) -> Outcome<Answer> {
        let path = std::mem::take(&mut call.path);
        let parts: Vec<&str> = path.iter().map(AsRef::as_ref).collect();
        match parts.as_slice() {
            [] => call
                .only(&["GET"])
                .map(|()| metadata::resources(call.version, self.identity_of(&self.base(), call.asker.user))),
            ["sobjects"] => call.only(&["GET"]).and_then(|()| self.describe_global(call)),
            ["sobjects", object, rest @ ..] => self.sobject(state, call, object, rest),
            ["query", rest @ ..] | ["queryAll", rest @ ..] => {
                call.only(&["GET"])?;
                self.query(state, call, rest, Reach { deleted: parts[0] == "queryAll", tooling: false })
            }
            ["tooling", "query", rest @ ..] => {
                call.only(&["GET"])?;
                self.query(state, call, rest, Reach { deleted: false, tooling: true })
            }
            ["composite", rest @ ..] => self.composites(state, call, rest),
            ["limits"] => call.only(&["GET"]).map(|()| self.limits(state)),
            ["limits", "recordCount"] => call.only(&["GET"]).map(|()| self.record_count(state, call)),
            ["jobs", rest @ ..] => self.jobs(state, call, rest),
            ["ui-api", "object-info", object] => {
                call.only(&["GET"])?;
                let object = self.schema().find(object).ok_or_else(ApiError::not_found)?;
                Ok(self.object_info(object))
            }
            ["recent"] => call.only(&["GET"]).map(|()| self.recent(state, call)),
            ["search"] => call.only(&["GET"]).and_then(|()| self.search(state, call)),
            ["parameterizedSearch"] => {
                call.only(&["GET", "POST"]).and_then(|()| self.parameterized_search(state, call))
            }
            _ => Err(ApiError::not_found()),
        }
    }

    fn sobject(&self, state: &mut State, call: &mut Call<'_>, name: &str, rest: &[&str]) -> Outcome<Answer> {
        let object = self.schema().find(name).ok_or_else(ApiError::not_found)?;
        match rest {
            [] => {
                call.only(&["GET", "POST"])?;
                if call.method == "POST" { self.create(state, call, object) } else { self.basic(state, call, object) }
            }
            ["describe", "layouts", rest @ ..] => call.only(&["GET"]).and_then(|()| self.layouts(object, rest)),
            ["describe"] => call.only(&["GET"]).map(|()| self.describe(call, object)),
            ["updated"] => call.only(&["GET"]).and_then(|()| self.updated(state, call, object)),
            ["deleted"] => call.only(&["GET"]).and_then(|()| self.deleted(state, call, object)),
            [id] => {
                call.only(&["GET", "PATCH", "DELETE"])?;
                self.row(state, call, object, id)
            }
            [field, value] => {
                call.only(&["GET", "PATCH", "POST", "DELETE"])?;
                self.by_key(state, call, object, field, value)
            }
            _ => Err(ApiError::not_found()),
        }
    }

    fn composites(&self, state: &mut State, call: &mut Call<'_>, rest: &[&str]) -> Outcome<Answer> {
        match rest {
            [] if call.method == "GET" => Ok(metadata::composite_resources(call.version)),
            [] => call.only(&["POST", "GET"]).and_then(|()| self.composite(state, call)),
            ["graph"] => call.only(&["POST"]).and_then(|()| self.graphs(state, call)),
            ["batch"] => call.only(&["POST"]).and_then(|()| self.batch(state, call)),
            ["tree", object] => call.only(&["POST"]).and_then(|()| self.tree(state, call, object)),
            ["sobjects", rest @ ..] => self.collections(state, call, rest),
            _ => Err(ApiError::not_found()),
        }
    }

    /// The habits with which this request writes.
    pub(super) fn writer(&self, state: &State, call: &Call<'_>) -> Writer {
        let otherwise = state.default_owner;
        let assign = match call.headers.auto_assign.as_deref() {
            Some(value) if value.eq_ignore_ascii_case("false") => Assign::Never,
            Some(value) if !value.eq_ignore_ascii_case("true") => match Id::parse(value) {
                Some(rule) => Assign::Rule { rule, otherwise },
                None => Assign::Usual { otherwise },
            },
            _ => Assign::Usual { otherwise },
        };
        Writer { user: call.asker.user, now: call.asker.now, assign, duplicates: call.headers.duplicates }
    }
}
