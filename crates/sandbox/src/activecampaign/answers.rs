//! API v3 from the outside: tokens, paths, bodies, pages, and refusals in ActiveCampaign's several shapes. What is not
//! imitated is refused, never ignored.

use bytes::Bytes;
use http::{Method, Request, Response, header};
use serde_json::{Map, Value, json};

use super::{Act, ActiveCampaignAccount, Source, State, bulk, contacts, crm, fields, hooks, marks, shapes::Shapes};
use crate::{
    faults::Refusal,
    journal::{Actor, CallCounts},
    web::{empty, json as answer, set},
};

/// Where the API begins.
const ROOT: &str = "/api/3";
/// Rows a page, unless asked otherwise; and at the most, whatever is asked.
const PAGE_DEFAULT: usize = 20;
const PAGE_MAX: usize = 100;
const TOO_MANY: u16 = 429;
/// What `Retry-After` says; the count starts afresh with every second.
const RETRY_AFTER: &str = "1";

/// A refusal: a status and a body, which have no one shape here.
#[derive(Debug)]
pub(super) struct Refused(u16, Value);

pub(super) type Answer = Result<Response<Bytes>, Refused>;

impl Refused {
    pub(super) fn new(status: u16, body: Value) -> Self {
        Self(status, body)
    }

    /// `{"errors": […]}` about one attribute.
    pub(super) fn attribute(title: &str, code: &str, attribute: &str) -> Self {
        let source = json!({"pointer": format!("/data/attributes/{attribute}")});
        Self(422, json!({"errors": [{"title": title, "detail": "", "code": code, "source": source}]}))
    }

    /// The record is called by the name that its table has, not by that of its path.
    pub(super) fn no_result(what: &str, id: impl std::fmt::Display) -> Self {
        Self(404, json!({"message": format!("No Result found for {what} with id {id}")}))
    }

    pub(super) fn duplicate_email() -> Self {
        Self::attribute("Email address already exists in the system", "duplicate", "email")
    }

    fn response(&self) -> Response<Bytes> {
        answer(self.0, &self.1)
    }
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.0, self.1)
    }
}

pub(super) fn too_many(status: u16) -> Response<Bytes> {
    let mut response = answer(status, &json!({"message": "You have exceeded the rate limit."}));
    set(&mut response, header::RETRY_AFTER, RETRY_AFTER);
    response
}

/// What a fault's answer looks like here.
pub(super) fn refuse(refusal: Refusal) -> Response<Bytes> {
    match refusal {
        Refusal::Unauthorized => forbidden().response(),
        Refusal::Limited => too_many(TOO_MANY),
        Refusal::FailedInBody => answer(200, &json!({"succeeded": 0, "message": "Something went wrong"})),
        Refusal::Status(status @ (402 | 403)) => answer(status, &json!({"message": ""})),
        Refusal::Status(422) => Refused::attribute("The value is not valid", "invalid", "contact").response(),
        Refusal::Status(TOO_MANY) => too_many(TOO_MANY),
        Refusal::Status(status) if status < 500 => answer(status, &json!({"message": "The request was refused"})),
        // What stands before the service answers for it.
        Refusal::Status(status) => {
            let mut response = empty(status);
            set(&mut response, header::CONTENT_TYPE, "text/html");
            *response.body_mut() = Bytes::from(format!("<html><body><h1>{status}</h1></body></html>"));
            response
        }
    }
}

fn forbidden() -> Refused {
    Refused(403, json!({"message": ""}))
}

pub(super) fn count(calls: &mut CallCounts, request: &Request<Bytes>) {
    let path = request.uri().path();
    let is_name = |part: &str| !part.bytes().any(|b| b.is_ascii_digit() || matches!(b, b'%' | b'@'));
    calls.count(request.method().as_str(), path.strip_prefix(ROOT).unwrap_or(path), is_name);
}

/// A request as the resources take it.
pub(super) struct Asked {
    params: Vec<(String, String)>,
    pub(super) body: Map<String, Value>,
}

impl Asked {
    /// The last value of this name that is not empty.
    pub(super) fn param(&self, name: &str) -> Option<&str> {
        let found = self.params.iter().rev().find(|(known, value)| known == name && !value.is_empty());
        found.map(|(_, value)| value.as_str())
    }

    pub(super) fn number(&self, name: &str) -> Option<u64> {
        self.param(name)?.parse().ok()
    }

    /// All numbers of this name, repeated or divided by commas.
    pub(super) fn numbers(&self, name: &str) -> Vec<u64> {
        let same = |known: &str| known.trim_end_matches("[]") == name;
        let values = self.params.iter().filter(|(known, _)| same(known));
        values.flat_map(|(_, value)| value.split(',')).filter_map(|value| value.trim().parse().ok()).collect()
    }

    /// The object that a body carries under its one name.
    pub(super) fn object(&self, name: &str) -> Result<&Map<String, Value>, Refused> {
        let missing = || Refused(400, json!({"message": format!("The {name} was not provided")}));
        self.body.get(name).and_then(Value::as_object).ok_or_else(missing)
    }

    /// `limit` and `offset`; a greater limit than a page can have is taken for that.
    pub(super) fn window(&self) -> (usize, usize) {
        let number =
            |name: &str, default: usize| self.param(name).and_then(|text| text.parse().ok()).unwrap_or(default);
        (number("limit", PAGE_DEFAULT).min(PAGE_MAX), number("offset", 0))
    }

    /// A page of rows under their name, with the sum of all; only what is on the page is written.
    pub(super) fn page<T>(
        &self,
        name: &str,
        rows: impl Iterator<Item = T>,
        shown: impl Fn(T) -> Value,
    ) -> Response<Bytes> {
        let (limit, offset) = self.window();
        let (mut page, mut total) = (Vec::new(), 0_usize);
        for row in rows {
            if total >= offset && page.len() < limit {
                page.push(shown(row));
            }
            total += 1;
        }
        let total = total.to_string();
        let mut body = Map::new();
        body.insert(name.to_owned(), page.into());
        body.insert("meta".to_owned(), json!({"total": total}));
        answer(200, &Value::Object(body))
    }
}

/// A number that may come as text, as it does in most bodies.
pub(super) fn id_of(value: Option<&Value>) -> Option<u64> {
    let value = value?;
    value.as_u64().or_else(|| value.as_str()?.trim().parse().ok())
}

/// Text, whatever it came as; `None` for lists and objects, and for what is missing.
pub(super) fn text_of(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(if *flag { "1" } else { "0" }.to_owned()),
        Value::Null => Some(String::new()),
        Value::Array(_) | Value::Object(_) => None,
    }
}

impl ActiveCampaignAccount {
    pub(super) fn answer(&self, request: &Request<Bytes>) -> Response<Bytes> {
        self.try_answer(request).unwrap_or_else(|refused| refused.response())
    }

    fn try_answer(&self, request: &Request<Bytes>) -> Answer {
        let mut state = self.state();
        let state = &mut *state;
        let given = request.headers().get("api-token").and_then(|token| token.to_str().ok());
        let known = state.tokens.iter().find(|(token, _)| Some(token.as_str()) == given);
        let (_, name) = known.ok_or_else(forbidden)?;
        let actor = Actor::Key(name.clone());
        let act = Act { now: self.now(), actor, source: Source::Api, quiet: false };
        let query = request.uri().query().unwrap_or_default();
        let params = url::form_urlencoded::parse(query.as_bytes());
        let params = params.map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
        let body = if request.body().is_empty() { Ok(Map::new()) } else { serde_json::from_slice(request.body()) };
        let body = body.map_err(|_| Refused(400, json!({"message": "The body is not valid JSON"})))?;
        let asked = Asked { params, body };
        let path = request.uri().path().strip_prefix(ROOT).unwrap_or("/unknown");
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        self.route(state, &act, request.method(), &parts, &asked)
    }

    fn route(&self, state: &mut State, act: &Act, method: &Method, parts: &[&str], asked: &Asked) -> Answer {
        let shapes = self.shapes();
        match parts {
            ["users", "me"] if method == Method::GET => Ok(answer(200, &json!({"user": shapes.user()}))),
            ["contact", "sync"] if method == Method::POST => contacts::upsert(state, act, &shapes, asked),
            ["contacts", rest @ ..] => contacts::answer(state, act, &shapes, method, rest, asked),
            ["fields" | "fieldValues" | "fieldOption" | "fieldRels", ..] => {
                fields::answer_to(state, act, &shapes, method, parts, asked)
            }
            ["tags" | "contactTags" | "lists" | "contactLists", ..] => {
                marks::answer_to(state, act, &shapes, method, parts, asked)
            }
            ["import", rest @ ..] => bulk::answer_to(self, state, act, method, rest, asked),
            ["webhooks" | "webhook", ..] => hooks::answer_to(self, state, act, method, parts, asked),
            [
                "accounts"
                | "accountContacts"
                | "accountCustomFieldMeta"
                | "accountCustomFieldData"
                | "deals"
                | "dealGroups"
                | "dealStages"
                | "dealCustomFieldMeta",
                ..,
            ] => crm::answer_to(state, act, &shapes, method, parts, asked),
            _ => Err(unknown()),
        }
    }

    pub(super) fn shapes(&self) -> Shapes {
        Shapes::new(&self.config.account, self.config.utc_offset_hours)
    }
}

pub(super) fn unknown() -> Refused {
    Refused(404, json!({"message": "No route matches: this is not imitated"}))
}
