//! An imitation Microsoft 365 tenant: mailboxes with calendars, Graph v1.0, subscriptions whose notifications the caller
//! may deliver, lose or repeat, and invitations between the people. Built from Graph's metadata, its documents and the
//! descriptions of its clients (see README.md and `testdata/README.md`); what these leave open is assumed, and said there.
//!
//! People act through [`MicrosoftTenant`]'s own functions (`steer.rs`); programs through HTTP.

mod answers;
mod api;
mod batch;
mod body;
mod book;
mod config;
mod delta;
mod door;
mod draft;
mod hooks;
mod ids;
mod invite;
mod item;
mod mailed;
mod oauth;
mod pattern;
mod rates;
mod steer;
#[cfg(test)]
mod tests;
mod view;
mod when;
mod write;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use http::{HeaderName, Request, Response, header};
use jiff::{SignedDuration, Timestamp};
use syncline_core::Clock;

use self::{
    answers::{Answer, Refused, faulty},
    api::Call,
    book::{DEFAULT_CALENDAR, Mailbox},
    hooks::Hooks,
    rates::Rates,
};
pub use self::{
    config::{MicrosoftConfig, MicrosoftRates, MicrosoftUser},
    hooks::Lifecycle,
};
use crate::{
    Faults, Reply,
    deliveries::Waiting,
    grants::Grants,
    journal::{Actor, CallCounts, Journal},
    mails::Mails,
    web::{Site, bearer, set},
};

/// The people and their mailboxes, behind a lock.
pub struct MicrosoftTenant {
    config: MicrosoftConfig,
    clock: Arc<dyn Clock>,
    faults: Faults,
    state: Mutex<State>,
}

/// Everything that changes.
struct State {
    tenant: String,
    tells_cancelled: bool,
    transaction_refusal: Option<u16>,
    mailboxes: BTreeMap<String, Mailbox>,
    /// Counts all changes.
    ticks: u64,
    /// When the latest changes were made, for deltas that lag.
    commits: VecDeque<(u64, Timestamp)>,
    /// How far they lag behind.
    delta_lag: SignedDuration,
    numbers: u64,
    /// How often all tokens of deltas have been made void.
    epoch: u64,
    grants: Grants,
    hooks: Hooks,
    waiting: Waiting,
    mails: Mails,
    journal: Journal,
    rates: Rates,
    calls: CallCounts,
}

/// A moment, and who acts in it.
struct Act {
    now: Timestamp,
    actor: Actor,
    /// The person's address.
    user: String,
}

/// Changes whose times are remembered.
const COMMITS_KEPT: usize = 50_000;

impl State {
    /// Counts a change.
    fn tick(&mut self, now: Timestamp) -> u64 {
        self.ticks += 1;
        if self.commits.len() >= COMMITS_KEPT {
            self.commits.pop_front();
        }
        self.commits.push_back((self.ticks, now));
        self.ticks
    }

    /// The last change that deltas tell of.
    fn seen_by_deltas(&self, now: Timestamp) -> u64 {
        if self.delta_lag.is_zero() {
            return self.ticks;
        }
        let unseen = self.commits.iter().find(|(_, at)| now.duration_since(*at) < self.delta_lag);
        unseen.map_or(self.ticks, |(tick, _)| tick - 1)
    }
}

impl MicrosoftTenant {
    /// People without events.
    pub fn new(config: MicrosoftConfig, clock: Arc<dyn Clock>) -> Arc<Self> {
        let mailbox = |(place, user): (usize, &MicrosoftUser)| {
            let mailbox = Mailbox {
                place,
                user_id: user.id.clone(),
                name: user.name.clone(),
                calendars: BTreeMap::from([(DEFAULT_CALENDAR, "Calendar".to_owned())]),
                items: BTreeMap::new(),
                order: BTreeMap::new(),
                transactions: BTreeMap::new(),
            };
            (user.email.clone(), mailbox)
        };
        let state = State {
            tenant: config.tenant_id.clone(),
            tells_cancelled: config.tells_cancelled_occurrences,
            transaction_refusal: config.transaction_refusal,
            mailboxes: config.users.iter().enumerate().map(mailbox).collect(),
            ticks: 0,
            commits: VecDeque::new(),
            delta_lag: config.delta_lag,
            numbers: DEFAULT_CALENDAR,
            epoch: 0,
            grants: Grants::default(),
            hooks: Hooks::default(),
            waiting: Waiting::default(),
            mails: Mails::default(),
            journal: Journal::new(config.kept_effects),
            rates: Rates::new(config.rates),
            calls: CallCounts::default(),
        };
        Arc::new(Self { config, clock, faults: Faults::default(), state: Mutex::new(state) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The present moment as it is kept here: in milliseconds.
    fn now(&self) -> Timestamp {
        let now = self.clock.now();
        Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
    }

    fn respond(&self, base: &str, request: &Request<Bytes>, ids: (&str, &str)) -> Response<Bytes> {
        let now = self.now();
        let mut state = self.state();
        if let Some(response) = state.oauth(request, &self.config, now) {
            return response;
        }
        self.graph(&mut state, base, request, now).unwrap_or_else(|refused| refused.response(now, ids.0, ids.1))
    }

    fn graph(&self, state: &mut State, base: &str, request: &Request<Bytes>, now: Timestamp) -> Answer {
        let token = bearer(request).ok_or_else(Refused::unauthorized)?;
        let who = state.grants.who(token, now).cloned().ok_or_else(Refused::unauthorized)?;
        state.rates.count(now, &who.user)?;
        let body = match request.body() {
            empty if empty.is_empty() => serde_json::Map::new(),
            body => serde_json::from_slice(body)
                .map_err(|_| Refused::new(400, "BadRequest", "Unable to read JSON request payload."))?,
        };
        let place = state.mailbox(&who.user).place;
        let named =
            |name: HeaderName| request.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let query = request.uri().query().unwrap_or_default();
        let call = Call {
            act: Act { now, actor: Actor::Key(self.config.client_id.clone()), user: who.user },
            scopes: who.scopes,
            method: request.method().clone(),
            base: base.to_owned(),
            path: request.uri().path().to_owned(),
            query: url::form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
            manner: api::manner(request.headers(), place),
            if_match: named(header::IF_MATCH),
            body,
        };
        if call.path == "/v1.0/$batch" {
            return state.batch(&call, &self.config);
        }
        let mut response = state.answer(&call, &self.config)?;
        if call.manner.immutable {
            set(&mut response, HeaderName::from_static("preference-applied"), "IdType=\"ImmutableId\"");
        }
        Ok(response)
    }
}

/// Whether this part of a path is a name of the API's own.
fn is_name(part: &str) -> bool {
    const NAMES: &[&str] = &[
        "v1.0",
        "me",
        "users",
        "events",
        "calendar",
        "calendars",
        "calendarView",
        "delta",
        "delta()",
        "instances",
        "cancel",
        "accept",
        "decline",
        "tentativelyAccept",
        "subscriptions",
        "reauthorize",
        "$batch",
        "oauth2",
        "v2.0",
        "token",
        "authorize",
    ];
    NAMES.contains(&part)
}

impl Site for MicrosoftTenant {
    fn handle(&self, base_url: &str, request: Request<Bytes>) -> Reply {
        if request.uri().path().starts_with("/_sandbox") {
            return Reply::now(self.console(base_url, &request));
        }
        let number = {
            let mut state = self.state();
            state.calls.count(request.method().as_str(), request.uri().path(), is_name);
            state.calls.total
        };
        let own = format!("dddddddd-0000-4000-8000-{number:012}");
        let given = request.headers().get("client-request-id").and_then(|value| value.to_str().ok());
        let client = given.unwrap_or(&own).to_owned();
        let refuse = |refusal| faulty(refusal).response(self.now(), &own, &client);
        let mut reply = self.faults.around(&request, refuse, || self.respond(base_url, &request, (&own, &client)));
        set(&mut reply.response, HeaderName::from_static("request-id"), &own);
        set(&mut reply.response, HeaderName::from_static("client-request-id"), &client);
        reply
    }
}
