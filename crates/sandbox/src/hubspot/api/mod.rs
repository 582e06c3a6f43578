//! The CRM API: which call is which, and who may make it. What the calls do is in the files beside this one.

mod account;
mod associations;
mod batch;
mod filter;
mod lists;
mod objects;
mod properties;
mod search;
mod shape;

use bytes::Bytes;
use http::{Method, Request};
use serde_json::{Map, Value, json};

use super::{State, config::HubSpotConfig, error::Failure, world::Writer};

/// What was asked, taken apart.
pub(super) struct Ask<'a> {
    pub(super) method: &'a Method,
    /// Without `/crm` and the version: all versions are answered alike.
    pub(super) path: Vec<&'a str>,
    query: Vec<(String, String)>,
    body: Result<Value, String>,
    pub(super) by: Writer,
    pub(super) config: &'a HubSpotConfig,
}

/// What is answered.
pub(super) enum Done {
    Json(u16, Value),
    Empty(u16),
    /// A path or method that is not there is answered by a server that does not speak JSON.
    Nowhere(u16),
}

pub(super) type Outcome = Result<Done, Failure>;

/// The path without `/crm` and the version. Dated paths (`/crm/objects/2026-03/…`) are the same resources.
pub(super) fn canonical(path: &str) -> Vec<&str> {
    let mut parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let is_version = |part: &&str| {
        part.strip_prefix('v').is_some_and(|rest| !rest.is_empty() && rest.chars().all(|one| one.is_ascii_digit()))
            || (part.len() == 7 && part.starts_with("20") && part.as_bytes()[4] == b'-')
    };
    if parts.first() == Some(&"crm") {
        parts.remove(0);
    }
    // The version stands before or behind the name of the area.
    if let Some(place) = parts.iter().take(2).position(is_version) {
        parts.remove(place);
    }
    parts
}

impl<'a> Ask<'a> {
    pub(super) fn new(request: &'a Request<Bytes>, config: &'a HubSpotConfig, by: Writer) -> Self {
        let query = request.uri().query().unwrap_or_default().as_bytes();
        let body = if request.body().is_empty() {
            Ok(Value::Null)
        } else {
            serde_json::from_slice(request.body()).map_err(|error| error.to_string())
        };
        Self {
            method: request.method(),
            path: canonical(request.uri().path()),
            query: url::form_urlencoded::parse(query)
                .map(|(name, value)| (name.into_owned(), value.into_owned()))
                .collect(),
            body,
            by,
            config,
        }
    }

    pub(super) fn one(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .rev()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    /// A list, whether the name is repeated or the values are joined by commas.
    fn many(&self, name: &str) -> Vec<&str> {
        let values = self.query.iter().filter(|(key, _)| key == name).flat_map(|(_, value)| value.split(','));
        values.map(str::trim).filter(|value| !value.is_empty()).collect()
    }

    fn flag(&self, name: &str) -> bool {
        self.one(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    fn limit(&self, default: usize, max: usize) -> Result<usize, Failure> {
        let Some(text) = self.one("limit") else { return Ok(default) };
        let limit = text.parse::<usize>().ok().filter(|limit| (1..=max).contains(limit));
        limit.ok_or_else(|| Failure::invalid(format!("limit must be between 1 and {max}")))
    }

    pub(super) fn body(&self) -> Result<&Map<String, Value>, Failure> {
        let wrong = |what: &str| Failure::invalid(format!("Invalid input JSON: {what}"));
        match &self.body {
            Ok(Value::Object(body)) => Ok(body),
            Ok(_) => Err(wrong("an object was expected")),
            Err(error) => Err(wrong(error)),
        }
    }

    fn body_list(&self) -> Result<&[Value], Failure> {
        match &self.body {
            Ok(Value::Array(list)) => Ok(list),
            _ => Err(Failure::invalid("Invalid input JSON: a list was expected")),
        }
    }

    fn text(&self, name: &str) -> Result<&str, Failure> {
        let text = self.body()?.get(name).and_then(Value::as_str);
        text.ok_or_else(|| Failure::invalid(format!("Invalid input JSON: {name} is missing")))
    }
}

/// An id in a body, as text or as a number.
fn id_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// `paging` of an answer after which there is more.
fn paging(after: impl ToString) -> Value {
    let after = after.to_string();
    json!({"next": {"after": after, "link": format!("?after={after}")}})
}

/// The scopes of which one is enough for this call; none: every token will do.
pub(super) fn scopes(ask: &Ask<'_>, state: &State) -> Vec<String> {
    let last = ask.path.last().copied().unwrap_or_default();
    let reads = ask.method == Method::GET || last == "search" || last == "read";
    let mode = if reads { "read" } else { "write" };
    let object = |name: &str| -> String {
        let Some(no) = state.world.schema.find(name) else { return "contacts".into() };
        let kind = &state.world.schema.types[no];
        match kind.plural.as_str() {
            _ if kind.is_custom() => "custom".into(),
            "meetings" | "notes" | "tasks" => "contacts".into(),
            plural => plural.into(),
        }
    };
    let of = |area: &str, name: &str| {
        let name = object(name);
        if name == "tickets" { vec![name] } else { vec![format!("crm.{area}.{name}.{mode}")] }
    };
    match ask.path.as_slice() {
        ["objects" | "associations", name, ..] => of("objects", name),
        ["properties", name, ..] => of("schemas", name),
        ["pipelines", name, ..] => [of("objects", name), of("schemas", name)].concat(),
        ["owners", ..] => vec!["crm.objects.owners.read".into()],
        ["lists", ..] => vec![format!("crm.lists.{mode}")],
        ["schemas", ..] => vec!["crm.schemas.custom.read".into()],
        _ => Vec::new(),
    }
}

/// Answers a call of somebody who may make it.
pub(super) fn answer(state: &mut State, ask: &Ask<'_>) -> Outcome {
    let area = ask.path.first().copied().unwrap_or_default();
    match area {
        "objects" => objects::answer(state, ask),
        "associations" => associations::answer(state, ask),
        "properties" => properties::answer(state, ask),
        "lists" => lists::answer(state, ask),
        "owners" | "pipelines" | "schemas" | "account-info" => account::answer(state, ask),
        _ => Ok(Done::Nowhere(404)),
    }
}
