//! An imitation Brevo account: contacts, lists, attributes, imports, companies, deals and webhooks of API v3, answered
//! by a function call, and webhooks that the caller may deliver, lose or repeat. Built from the published API
//! description and answers quoted in public (read 2026-11); README.md says what is assumed where they are silent.
//!
//! People act through [`BrevoAccount`]'s own functions (`steer.rs`); clients through HTTP.

mod answers;
mod attributes;
mod book;
mod contacts;
mod crm;
mod hooks;
mod import;
mod lists;
mod rates;
mod steer;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::{HeaderName, Request};
use jiff::{SignedDuration, Timestamp};
use syncline_core::Clock;

pub use self::{attributes::AttributeKind, rates::BrevoRates};
use self::{attributes::Schema, book::Book, rates::Meter};
use crate::{
    Faults, Reply,
    deliveries::Waiting,
    journal::{Actor, CallCounts, Journal},
    web::{Site, set},
};

/// What the account is like.
#[derive(Debug, Clone)]
pub struct BrevoConfig {
    /// Keys and their names; the name of the key that made a change stands in the webhook that tells of it.
    pub keys: Vec<(String, String)>,
    pub company: String,
    /// The address of the account's owner.
    pub email: String,
    /// Addresses of the account's users, which cannot be deleted as contacts.
    pub users: Vec<String>,
    /// Attributes beside the identifiers, which every account has.
    pub attributes: Vec<(String, AttributeKind)>,
    /// Lists of the first folder, numbered in this order after it.
    pub lists: Vec<String>,
    pub rates: BrevoRates,
    /// From the call that begins an import until its rows are in, by the account's clock; the first half it is queued.
    pub import_takes: SignedDuration,
    /// Whether changes by an import send webhooks.
    pub imports_send_webhooks: bool,
    /// The code that refuses an update because another contact holds the identifier: it was `duplicate_parameter` and
    /// became `invalid_parameter`.
    pub duplicate_on_update: &'static str,
    /// Whether event names in webhooks are written `contact_updated` rather than `contactUpdated`.
    pub snake_case_events: bool,
    /// Changes that are remembered.
    pub kept_effects: usize,
}

impl Default for BrevoConfig {
    fn default() -> Self {
        let text = |name: &str| (name.to_owned(), AttributeKind::Text);
        let stages = ["Lead", "Customer", "Former customer"];
        let stages = stages.iter().zip(1..).map(|(label, value)| (value, (*label).to_owned())).collect();
        let topics = ["News", "Offers", "Events"].map(str::to_owned).to_vec();
        Self {
            keys: vec![("xkeysib-sandbox-0123456789".into(), "Syncline".into())],
            company: "Sandbox GmbH".into(),
            email: "owner@sandbox.example".into(),
            users: vec!["owner@sandbox.example".into()],
            attributes: vec![
                text("FIRSTNAME"),
                text("LASTNAME"),
                text("CITY"),
                text("COMPANY"),
                text("JOB_TITLE"),
                ("BIRTHDAY".into(), AttributeKind::Date),
                ("REVENUE".into(), AttributeKind::Float),
                ("VIP".into(), AttributeKind::Boolean),
                ("STAGE".into(), AttributeKind::Category(stages)),
                ("TOPICS".into(), AttributeKind::MultipleChoice(topics)),
            ],
            lists: vec!["Newsletter".into()],
            rates: BrevoRates::GENERAL,
            import_takes: SignedDuration::from_secs(20),
            imports_send_webhooks: true,
            duplicate_on_update: "invalid_parameter",
            snake_case_events: true,
            kept_effects: 20_000,
        }
    }
}

/// The account.
pub struct BrevoAccount {
    config: BrevoConfig,
    clock: Arc<dyn Clock>,
    faults: Faults,
    state: Mutex<State>,
}

struct State {
    book: Book,
    schema: Schema,
    rates: BrevoRates,
    keys: Vec<(String, String)>,
    hooks: hooks::Hooks,
    waiting: Waiting,
    processes: import::Processes,
    crm: crm::Crm,
    journal: Journal,
    meter: Meter,
    calls: CallCounts,
    /// Numbers of lists, folders, webhooks and processes, in one row.
    numbers: u64,
}

impl State {
    fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }
}

/// A moment, and who acts in it.
struct Act {
    now: Timestamp,
    actor: Actor,
}

impl BrevoAccount {
    /// An account without contacts.
    pub fn new(config: BrevoConfig, clock: Arc<dyn Clock>) -> Arc<Self> {
        let now = clock.now();
        let mut state = State {
            book: Book::default(),
            schema: Schema::new(&config.attributes),
            rates: config.rates,
            keys: config.keys.clone(),
            hooks: hooks::Hooks::default(),
            waiting: Waiting::default(),
            processes: import::Processes::default(),
            crm: crm::Crm::default(),
            journal: Journal::new(config.kept_effects),
            meter: Meter::default(),
            calls: CallCounts::default(),
            numbers: 0,
        };
        let folder = state.number();
        state.book.folders.insert(folder, "Your First Folder".into());
        for name in &config.lists {
            let id = state.number();
            let list = book::List { name: name.clone(), folder, created: now, members: Default::default() };
            state.book.lists.insert(id, list);
        }
        Arc::new(Self { config, clock, faults: Faults::default(), state: Mutex::new(state) })
    }

    /// The state, after all that should have happened by now.
    fn state(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.settle_imports(&mut state);
        state
    }

    /// The present moment as the account keeps it: in milliseconds.
    fn now(&self) -> Timestamp {
        let now = self.clock.now();
        Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
    }
}

/// A time as Brevo writes it.
fn stamp(at: Timestamp) -> String {
    format!("{at:.3}")
}

impl Site for BrevoAccount {
    fn handle(&self, base_url: &str, request: Request<Bytes>) -> Reply {
        if request.uri().path().starts_with("/_sandbox") {
            return Reply::now(self.console(base_url, &request));
        }
        let standing = {
            let mut state = self.state();
            answers::count(&mut state.calls, &request);
            let rates = state.rates;
            state.meter.count(self.clock.now(), &rates, answers::is_contacts(request.uri().path()))
        };
        let mut reply = if standing.refused {
            Reply::now(answers::too_many())
        } else {
            self.faults.around(&request, answers::refuse, || self.answer(&request))
        };
        for (name, value) in [
            ("x-sib-ratelimit-limit", i64::from(standing.limit)),
            ("x-sib-ratelimit-remaining", i64::from(standing.remaining)),
            ("x-sib-ratelimit-reset", standing.reset),
        ] {
            set(&mut reply.response, HeaderName::from_static(name), &value.to_string());
        }
        reply
    }
}
