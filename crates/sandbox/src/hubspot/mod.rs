//! An imitation HubSpot account: records with their properties and associations, answered by a function call, and signed
//! webhooks that the caller may deliver, lose or repeat. Built from HubSpot's published models, its documents and
//! recorded traffic (see README.md and `testdata/README.md`); what these leave open is assumed, and said there.
//!
//! Persons act through [`HubSpotAccount`]'s own functions; apps through HTTP. No connector's code is here.

mod api;
mod config;
mod door;
mod error;
mod hooks;
mod limits;
mod oauth;
mod schema;
mod steer;
#[cfg(test)]
mod tests;
mod time;
mod world;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use http::{HeaderName, Request, Response, header};
use serde_json::{Map, Value, json};
use syncline_core::Clock;

use self::{
    api::{Ask, Done, Outcome},
    error::Failure,
    hooks::Hooks,
    limits::{Limits, Policy},
    oauth::Tokens,
    world::{World, Writer},
};
pub use self::{
    config::{
        HubSpotApp, HubSpotConfig, HubSpotList, HubSpotObject, HubSpotPrivateApp, HubSpotProperty, HubSpotRates,
        HubSpotUser,
    },
    hooks::HubSpotDelivery,
    steer::{HubSpotLink, HubSpotRecord},
    world::{HubSpotEffect, HubSpotEffectKind, HubSpotWho},
};
use crate::{
    Reply,
    faults::{Faults, Refusal},
    web::{Site, bearer, empty, json as answer, set},
};

/// Seconds after which to come again while the account is moved to another place; the documents say up to a day.
const MOVING_SECONDS: &str = "120";

/// The account: a world behind a lock.
pub struct HubSpotAccount {
    config: HubSpotConfig,
    clock: Arc<dyn Clock>,
    faults: Faults,
    state: Mutex<State>,
}

/// Everything that changes.
struct State {
    world: World,
    tokens: Tokens,
    limits: Limits,
    hooks: Hooks,
    /// Calls by what they ask for.
    calls: BTreeMap<String, u64>,
    requests: u64,
}

impl HubSpotAccount {
    /// An account without records. Fails when the configuration contradicts itself: an unknown object, a property twice.
    pub fn new(config: HubSpotConfig, clock: Arc<dyn Clock>) -> Result<Arc<Self>, String> {
        let now = clock.now().as_millisecond();
        let world = World::new(&config, now).map_err(|failure| failure.message)?;
        let state = State {
            world,
            tokens: Tokens::default(),
            limits: Limits::new(config.rates),
            hooks: Hooks::default(),
            calls: BTreeMap::new(),
            requests: 0,
        };
        Ok(Arc::new(Self { config, clock, faults: Faults::default(), state: Mutex::new(state) }))
    }

    /// What a client needs to call it.
    pub fn credentials(&self, base_url: &str) -> Value {
        let app = &self.config.app;
        let private = self.config.private_apps.iter().map(|app| json!({"name": app.name, "token": app.token}));
        json!({
            "url": base_url, "portal_id": self.config.portal_id,
            "client_id": app.client_id, "client_secret": app.client_secret, "app_id": app.app_id,
            "developer_key": app.developer_key,
            "authorize_url": format!("{base_url}/oauth/authorize"), "token_url": format!("{base_url}/oauth/v3/token"),
            "private_apps": private.collect::<Vec<_>>(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> i64 {
        self.clock.now().as_millisecond()
    }

    fn respond(&self, request: &Request<Bytes>) -> Response<Bytes> {
        let now = self.now();
        let mut state = self.state();
        state.requests += 1;
        let number = state.requests;
        let correlation = correlation(number);
        state.world.settle(now);
        let path = request.uri().path();
        let kind = call_kind(&state.world, request.method().as_str(), path);
        *state.calls.entry(kind).or_default() += 1;
        let mut response = if path.starts_with("/oauth/") {
            state.tokens.answer(request, &self.config, now, &correlation)
        } else {
            self.respond_to_app(&mut state, request, number, now, &correlation)
        };
        self.tell(&mut state);
        set(&mut response, HeaderName::from_static("x-hubspot-correlation-id"), &correlation);
        response
    }

    /// Makes webhooks of what happened.
    fn tell(&self, state: &mut State) {
        let happened = std::mem::take(&mut state.world.happened);
        state.hooks.note(happened, &state.world, &self.config);
        state.world.watched = state.hooks.watched();
    }

    fn respond_to_app(
        &self,
        state: &mut State,
        request: &Request<Bytes>,
        number: u64,
        now: i64,
        correlation: &str,
    ) -> Response<Bytes> {
        let caller = match state.tokens.caller(bearer(request), now, &self.config) {
            Ok(caller) => caller,
            // Webhooks of a public app are set with the developer's key.
            Err(_) if request.uri().query().is_some_and(|query| self.is_developer(query)) => {
                let by = Writer { who: HubSpotWho::App(self.config.app.app_id), at: now, request: number };
                let ask = Ask::new(request, &self.config, by);
                if ask.path.first() != Some(&"webhooks") {
                    return Failure::new(401, "INVALID_AUTHENTICATION", "The key is not valid for this API")
                        .response(correlation);
                }
                return render(state.hooks.answer(&state.world, &ask), correlation);
            }
            Err(failure) => return failure.response(correlation),
        };
        let is_search = path_is_search(request.uri().path());
        let allowance = state.limits.count(&caller, is_search, now, &self.config);
        let by = Writer { who: HubSpotWho::App(caller.app_id), at: now, request: number };
        let ask = Ask::new(request, &self.config, by);
        let outcome = match allowance.refused {
            Some(policy) => Err(policy.failure()),
            None => allowed(&ask, state, &caller.scopes).and_then(|()| match ask.path.first() {
                Some(&"webhooks") => state.hooks.answer(&state.world, &ask),
                _ => api::answer(state, &ask),
            }),
        };
        let mut response = render(outcome, correlation);
        allowance.tell(&mut response);
        response
    }

    fn is_developer(&self, query: &str) -> bool {
        url::form_urlencoded::parse(query.as_bytes())
            .any(|(name, value)| name == "hapikey" && *value == *self.config.app.developer_key)
    }

    /// What is answered because of a fault.
    fn refuse(&self, refusal: Refusal) -> Response<Bytes> {
        let correlation = correlation(self.state().requests);
        match refusal {
            Refusal::Unauthorized => {
                let message = "The OAuth token used to make this call expired 1 second(s) ago.";
                Failure::new(401, "EXPIRED_AUTHENTICATION", message).response(&correlation)
            }
            Refusal::Limited => Policy::TenSeconds.failure().response(&correlation),
            // A batch can end without having been done.
            Refusal::FailedInBody => {
                let at = time::stamp(self.now());
                answer(200, &json!({"status": "CANCELED", "results": [], "startedAt": at, "completedAt": at}))
            }
            Refusal::Status(429) => Policy::Search.failure().response(&correlation),
            Refusal::Status(status @ (502..=504 | 520..=527)) => page(status),
            Refusal::Status(status) => {
                let (category, message) = match status {
                    423 => ("LOCKED", "The resource is locked by another call; come again in a moment"),
                    477 => ("MIGRATION_IN_PROGRESS", "The account is being moved to another data centre"),
                    _ => ("INTERNAL_ERROR", "internal error"),
                };
                let mut response = Failure::new(status, category, message).response(&correlation);
                if status == 477 {
                    set(&mut response, header::RETRY_AFTER, MOVING_SECONDS);
                }
                response
            }
        }
    }
}

/// Whether the caller has one of the scopes that this call needs.
fn allowed(ask: &Ask<'_>, state: &State, have: &[String]) -> Result<(), Failure> {
    let need = api::scopes(ask, state);
    if need.is_empty() || need.iter().any(|scope| have.contains(scope)) {
        return Ok(());
    }
    let mut extra = Map::new();
    extra.insert(
        "errors".into(),
        json!([{"message": "One or more of the following scopes are required.", "context": {"requiredGranularScopes": need}}]),
    );
    extra.insert("links".into(), json!({"scopes": "https://developers.hubspot.com/scopes"}));
    let message = "This app hasn't been granted all required scopes to make this call.";
    Err(Failure { extra: Some(Box::new(extra)), ..Failure::new(403, "MISSING_SCOPES", message) })
}

fn render(outcome: Outcome, correlation: &str) -> Response<Bytes> {
    match outcome {
        Ok(Done::Json(status, body)) => answer(status, &body),
        Ok(Done::Empty(status)) => empty(status),
        Ok(Done::Nowhere(status)) => page(status),
        Err(failure) => failure.response(correlation),
    }
}

/// What stands before the API answers in HTML (recorded 2022 for 404 and 405).
fn page(status: u16) -> Response<Bytes> {
    let mut response = empty(status);
    *response.body_mut() = Bytes::from(format!("<html>\n<body>\n<h1>Error {status}</h1>\n</body>\n</html>\n"));
    set(&mut response, header::CONTENT_TYPE, "text/html; charset=utf-8");
    response
}

fn path_is_search(path: &str) -> bool {
    let parts = api::canonical(path);
    parts.first() == Some(&"objects") && parts.last() == Some(&"search")
}

/// The number of a request, dressed as HubSpot's.
fn correlation(number: u64) -> String {
    format!("5a4db0c5-0000-4000-8000-{number:012x}")
}

/// What a call asks for, without ids: `POST contacts/batch/upsert`, `GET owners`.
fn call_kind(world: &World, method: &str, path: &str) -> String {
    const WORDS: [&str; 5] = ["batch", "search", "merge", "gdpr-delete", "associations"];
    let parts = api::canonical(path);
    let named = |part: &str| world.schema.find(part).map(|no| world.schema.types[no].plural.clone());
    let mut words: Vec<String> = Vec::new();
    let mut rest = parts.iter();
    if parts.first() == Some(&"objects") {
        rest.next();
    }
    for (place, part) in rest.enumerate() {
        let word = named(part).filter(|_| place < 4);
        let is_id = part.chars().any(|one| one.is_ascii_digit()) || part.contains(['@', '%']);
        words.push(match word {
            Some(word) => word,
            None if is_id && !WORDS.contains(part) => "{id}".to_owned(),
            None => (*part).to_owned(),
        });
    }
    format!("{method} {}", words.join("/"))
}

impl Site for HubSpotAccount {
    fn handle(&self, base_url: &str, request: Request<Bytes>) -> Reply {
        if let Some(response) = self.faults.door(&request).or_else(|| self.door(base_url, &request)) {
            return Reply::now(response);
        }
        self.faults.around(&request, |refusal| self.refuse(refusal), || self.respond(&request))
    }
}
