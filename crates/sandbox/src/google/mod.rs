//! An imitation Google Calendar: people with calendars, version 3 of the API, push channels that the caller may deliver,
//! lose or repeat, and invitations between the people. Built from the discovery document, Google's guides and recorded
//! traffic (see README.md and `testdata/README.md`); what these leave open is assumed, and said there.
//!
//! People act through [`GoogleWorkspace`]'s own functions (`steer.rs`); programs through HTTP.

mod answers;
mod api;
mod book;
mod calendars;
mod channels;
mod config;
mod door;
mod draft;
mod event;
mod invite;
mod list;
mod mailed;
mod oauth;
mod rates;
mod steer;
#[cfg(test)]
mod tests;
mod when;
mod write;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use http::{Request, Response};
use jiff::{SignedDuration, Timestamp};
use syncline_core::Clock;

use self::{book::Calendar, channels::Channels, invite::Notify, rates::Rates};
pub use self::{
    book::GoogleRole,
    config::{GoogleConfig, GoogleRates, GoogleUser},
};
use crate::{
    Faults, Reply,
    deliveries::Waiting,
    grants::Grants,
    journal::{Actor, CallCounts, Journal},
    mails::Mails,
    web::Site,
};

/// The people and their calendars, behind a lock.
pub struct GoogleWorkspace {
    config: GoogleConfig,
    clock: Arc<dyn Clock>,
    faults: Faults,
    state: Mutex<State>,
}

/// Everything that changes.
struct State {
    /// By their ids; a primary calendar's is its owner's address.
    calendars: BTreeMap<String, Calendar>,
    /// Counts all changes.
    ticks: u64,
    /// When the latest changes were made, for lists that lag.
    commits: VecDeque<(u64, Timestamp)>,
    /// How far they lag behind.
    list_lag: SignedDuration,
    /// The most rows of a page, whatever is asked for.
    page_rows: usize,
    numbers: u64,
    grants: Grants,
    /// Who has agreed before.
    consented: BTreeSet<String>,
    /// Scopes that people do not agree to.
    unticked: BTreeSet<String>,
    /// How often all sync and page tokens have been made void.
    epoch: u64,
    rates: Rates,
    channels: Channels,
    waiting: Waiting,
    mails: Mails,
    journal: Journal,
    calls: CallCounts,
}

/// A moment, who acts in it, and who is mailed.
struct Act {
    now: Timestamp,
    actor: Actor,
    /// The person's address.
    user: String,
    notify: Notify,
}

/// Changes whose times are remembered.
const COMMITS_KEPT: usize = 50_000;

impl State {
    /// The last change that lists show.
    fn seen_by_lists(&self, now: Timestamp) -> u64 {
        if self.list_lag.is_zero() {
            return self.ticks;
        }
        let unseen = self.commits.iter().find(|(_, at)| now.duration_since(*at) < self.list_lag);
        unseen.map_or(self.ticks, |(tick, _)| tick - 1)
    }
}

impl GoogleWorkspace {
    /// People without events.
    pub fn new(config: GoogleConfig, clock: Arc<dyn Clock>) -> Arc<Self> {
        let now = clock.now();
        let mut state = State {
            calendars: BTreeMap::new(),
            ticks: 0,
            commits: VecDeque::new(),
            list_lag: config.list_lag,
            page_rows: usize::MAX,
            numbers: 0,
            grants: Grants::default(),
            consented: BTreeSet::new(),
            unticked: BTreeSet::new(),
            epoch: 0,
            rates: Rates::new(config.rates),
            channels: Channels::new(config.channels_live),
            waiting: Waiting::default(),
            mails: Mails::default(),
            journal: Journal::new(config.kept_effects),
            calls: CallCounts::default(),
        };
        for user in &config.users {
            state.ticks += 1;
            let calendar = Calendar::new(&user.email, &user.email, &user.name, &user.zone, now, state.ticks);
            state.calendars.insert(user.email.clone(), calendar);
        }
        Arc::new(Self { config, clock, faults: Faults::default(), state: Mutex::new(state) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        while state.commits.len() > COMMITS_KEPT {
            state.commits.pop_front();
        }
        state
    }

    /// The present moment as it is kept here: in milliseconds.
    fn now(&self) -> Timestamp {
        let now = self.clock.now();
        Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
    }

    fn respond(&self, base: &str, request: &Request<Bytes>) -> Response<Bytes> {
        let now = self.now();
        let mut state = self.state();
        if let Some(response) = state.oauth(request, &self.config, now) {
            return response;
        }
        if !request.uri().path().starts_with("/calendar/v3/") {
            return answers::Refused::not_found().response();
        }
        self.calendar_api(&mut state, base, request, now).unwrap_or_else(|refused| refused.response())
    }
}

/// Whether this part of a path is a name of the API's own.
fn is_name(part: &str) -> bool {
    const NAMES: &[&str] = &[
        "calendar",
        "v3",
        "users",
        "me",
        "calendarList",
        "calendars",
        "events",
        "watch",
        "stop",
        "channels",
        "import",
        "instances",
        "move",
        "token",
        "revoke",
        "userinfo",
        "oauth2",
        "v2",
        "o",
        "auth",
    ];
    NAMES.contains(&part)
}

impl Site for GoogleWorkspace {
    fn handle(&self, base_url: &str, request: Request<Bytes>) -> Reply {
        if request.uri().path().starts_with("/_sandbox") {
            return Reply::now(self.console(base_url, &request));
        }
        self.state().calls.count(request.method().as_str(), request.uri().path(), is_name);
        self.faults.around(&request, answers::refuse, || self.respond(base_url, &request))
    }
}
