//! API v3 from the outside: keys, paths, bodies, and refusals in Brevo's shape. What is not imitated is refused, never
//! ignored.

use bytes::Bytes;
use http::{Method, Request, Response};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

use super::{Act, BrevoAccount, State};
use crate::{
    faults::Refusal,
    journal::{Actor, CallCounts},
    web::{empty, json as answer},
};

/// Where the API begins.
const ROOT: &str = "/v3";

/// A refusal, until it is written.
#[derive(Debug)]
pub(super) struct Refused {
    status: u16,
    code: &'static str,
    message: String,
    metadata: Option<Value>,
}

impl Refused {
    pub(super) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), metadata: None }
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "invalid_parameter", message)
    }

    pub(super) fn missing(message: impl Into<String>) -> Self {
        Self::new(400, "missing_parameter", message)
    }

    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self::new(404, "document_not_found", message)
    }

    pub(super) fn with_metadata(self, metadata: Value) -> Self {
        Self { metadata: Some(metadata), ..self }
    }

    fn response(&self) -> Response<Bytes> {
        let mut body = json!({"code": self.code, "message": self.message});
        if let Some(metadata) = &self.metadata {
            body["metadata"] = metadata.clone();
        }
        answer(self.status, &body)
    }
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

pub(super) type Answer = Result<Response<Bytes>, Refused>;

pub(super) fn created(body: &Value) -> Response<Bytes> {
    answer(201, body)
}

pub(super) fn no_content() -> Response<Bytes> {
    empty(204)
}

pub(super) fn too_many() -> Response<Bytes> {
    Refused::new(429, "too_many_requests", "Too many requests").response()
}

/// What a fault's answer looks like here.
pub(super) fn refuse(refusal: Refusal) -> Response<Bytes> {
    match refusal {
        Refusal::Unauthorized => unauthorized().response(),
        Refusal::Limited => too_many(),
        Refusal::FailedInBody => refuse(Refusal::Status(500)),
        Refusal::Status(status) => {
            let (code, message) = match status {
                403 => ("permission_denied", "Permission denied"),
                404 => ("document_not_found", "Contact does not exist"),
                425 => ("too_early", "The contact is still being written, try again later"),
                429 => return too_many(),
                400..500 => ("invalid_parameter", "The request was refused"),
                // What stands before the service answers for it.
                _ => return html(status),
            };
            Refused::new(status, code, message).response()
        }
    }
}

fn html(status: u16) -> Response<Bytes> {
    let mut response = empty(status);
    crate::web::set(&mut response, http::header::CONTENT_TYPE, "text/html");
    *response.body_mut() = Bytes::from(format!("<html><body><h1>{status}</h1></body></html>"));
    response
}

fn unauthorized() -> Refused {
    Refused::new(401, "unauthorized", "Key not found")
}

/// Whether the allowance for contacts applies.
pub(super) fn is_contacts(path: &str) -> bool {
    path.trim_start_matches(ROOT).starts_with("/contacts")
}

pub(super) fn count(calls: &mut CallCounts, request: &Request<Bytes>) {
    let path = request.uri().path();
    let path = path.strip_prefix(ROOT).unwrap_or(path);
    // What differs from record to record has a digit, an @ or a % in it; names of resources have none.
    let is_name = |part: &str| part.bytes().all(|b| b.is_ascii_alphabetic() || matches!(b, b'-' | b'_'));
    calls.count(request.method().as_str(), path, is_name);
}

/// A request as the resources take it.
pub(super) struct Asked {
    pub(super) params: Vec<(String, String)>,
    pub(super) body: Map<String, Value>,
    pub(super) size: usize,
}

impl Asked {
    /// The last value of this name.
    pub(super) fn param(&self, name: &str) -> Option<&str> {
        self.params.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// All numbers of this name, repeated or divided by commas.
    pub(super) fn numbers(&self, name: &str) -> Vec<u64> {
        let same = |known: &str| known.trim_end_matches("[]") == name;
        let values = self.params.iter().filter(|(known, _)| same(known));
        values.flat_map(|(_, value)| value.split(',')).filter_map(|value| value.trim().parse().ok()).collect()
    }

    /// `limit` and `offset`; more than `max` is refused.
    pub(super) fn window(&self, default: usize, max: usize) -> Result<(usize, usize), Refused> {
        let number = |name: &str, default: usize| match self.param(name) {
            None => Ok(default),
            Some(text) => text.parse().map_err(|_| Refused::invalid(format!("{name} is invalid"))),
        };
        let (limit, offset) = (number("limit", default)?, number("offset", 0)?);
        if limit > max {
            return Err(Refused::new(400, "out_of_range", "Limit exceeds max value"));
        }
        Ok((limit, offset))
    }

    /// Whether the newest come first, which they do unless asked otherwise.
    pub(super) fn newest_first(&self) -> Result<bool, Refused> {
        match self.param("sort") {
            None | Some("desc") => Ok(true),
            Some("asc") => Ok(false),
            Some(_) => Err(Refused::invalid("sort is invalid")),
        }
    }
}

fn asked(request: &Request<Bytes>) -> Result<Asked, Refused> {
    let query = request.uri().query().unwrap_or_default();
    let params = url::form_urlencoded::parse(query.as_bytes());
    let params = params.map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
    let bytes = request.body();
    let body = match bytes.is_empty() {
        true => Map::new(),
        false => {
            let refused = |_| Refused::invalid("Input must be a valid JSON object");
            serde_json::from_slice(bytes).map_err(refused)?
        }
    };
    Ok(Asked { params, body, size: bytes.len() })
}

impl BrevoAccount {
    pub(super) fn answer(&self, request: &Request<Bytes>) -> Response<Bytes> {
        self.try_answer(request).unwrap_or_else(|refused| refused.response())
    }

    fn try_answer(&self, request: &Request<Bytes>) -> Answer {
        let mut state = self.state();
        let state = &mut *state;
        let given = request.headers().get("api-key").and_then(|key| key.to_str().ok());
        let known = state.keys.iter().find(|(key, _)| Some(key.as_str()) == given);
        let (_, name) = known.ok_or_else(unauthorized)?;
        let act = Act { now: self.now(), actor: Actor::Key(name.clone()) };
        let asked = asked(request)?;
        let path = request.uri().path().strip_prefix(ROOT).unwrap_or_default();
        let parts: Option<Vec<String>> = path
            .split('/')
            .filter(|part| !part.is_empty())
            .map(|part| percent_decode_str(part).decode_utf8().ok().map(|part| part.into_owned()))
            .collect();
        let parts = parts.ok_or_else(unknown_path)?;
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let method = request.method();
        match parts.as_slice() {
            ["account"] if method == Method::GET => Ok(self.shown_account()),
            ["contacts", "attributes", rest @ ..] => attributes(state, method, rest, &asked),
            ["contacts", "lists" | "folders" | "segments", ..] => self.lists(state, &act, method, &parts[1..], &asked),
            ["contacts", rest @ ..] => self.contacts(state, &act, method, rest, &asked),
            ["processes", rest @ ..] => state.processes.answer(act.now, method, rest, &asked),
            ["webhooks", rest @ ..] => self.webhooks(state, &act, method, rest, &asked),
            ["companies" | "crm", ..] => super::crm::answer(state, &act, method, &parts, &asked),
            _ => Err(unknown_path()),
        }
    }

    fn shown_account(&self) -> Response<Bytes> {
        answer(
            200,
            &json!({
                "organization_id": "sandbox",
                "user_id": 1,
                "enterprise": false,
                "email": self.config.email,
                "firstName": "Olive",
                "lastName": "Owner",
                "companyName": self.config.company,
                "address": {"street": "Main Street 1", "city": "Berlin", "zipCode": "10115", "country": "Germany"},
                "dateTimePreferences": {"timezone": "UTC", "timeFormat": "24h", "dateFormat": "yyyy-mm-dd"},
                "plan": [{"type": "free", "credits": 300, "creditsType": "sendLimit"}],
                "relay": {"enabled": false, "data": {"userName": self.config.email, "relay": "smtp.example", "port": 587}},
            }),
        )
    }
}

pub(super) fn unknown_path() -> Refused {
    Refused::new(404, "not_found", "This path is not imitated")
}

pub(super) fn wrong_method(method: &Method) -> Refused {
    Refused::new(405, "method_not_allowed", format!("{method} Method is not allowed on this path"))
}

fn attributes(state: &mut State, method: &Method, rest: &[&str], asked: &Asked) -> Answer {
    match (method, rest) {
        (&Method::GET, []) => Ok(state.schema.list()),
        (&Method::POST, [category, name]) => state.schema.create(category, name, &asked.body),
        (&Method::PUT, [category, name]) => state.schema.change(category, name, &asked.body),
        (&Method::DELETE, [category, name]) => {
            let gone = state.schema.drop_named(category, name)?;
            state.book.forget_attribute(name);
            Ok(gone)
        }
        _ => Err(wrong_method(method)),
    }
}
