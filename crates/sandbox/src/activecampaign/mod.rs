//! An imitation ActiveCampaign account: contacts, custom fields, tags, lists, bulk imports, accounts, deals and webhooks
//! of API v3, answered by a function call, and webhooks that the caller may deliver or lose. Built from the published
//! API description and the shapes of recorded answers (read 2026-11); README.md says what is assumed where they are
//! silent.
//!
//! People act through [`ActiveCampaignAccount`]'s own functions (`steer.rs`); clients through HTTP.

mod answers;
mod book;
mod bulk;
mod contacts;
mod crm;
mod fields;
mod hooks;
mod marks;
mod shapes;
mod steer;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use http::{HeaderName, Request};
use jiff::{SignedDuration, Timestamp};
use syncline_core::Clock;

use self::book::Book;
pub use self::fields::FieldKind;
use crate::{
    Faults, Reply,
    deliveries::Waiting,
    journal::{Actor, CallCounts, Journal},
    web::{Site, set},
};

/// Calls a second, all tokens together ("Rate Limits", developers.activecampaign.com, read 2026-11).
pub const CALLS_PER_SECOND: u32 = 5;

/// What the account is like.
#[derive(Debug, Clone)]
pub struct ActiveCampaignConfig {
    /// Its name, which begins the address in every link.
    pub account: String,
    /// Tokens and the names of the programs that use them.
    pub tokens: Vec<(String, String)>,
    /// Title, personalisation tag, kind and options of each custom field, numbered from 1 in this order.
    pub fields: Vec<(String, String, FieldKind, Vec<String>)>,
    /// Lists, numbered from 1 in this order.
    pub lists: Vec<String>,
    pub calls_per_second: u32,
    /// What a call beyond the allowance is answered with: 429 by the documents, 503 by an old report.
    pub over_limit_status: u16,
    /// The account's local time, in which all its stamps are, those that are called UTC included.
    pub utc_offset_hours: i8,
    /// From the call that begins a bulk import until its rows are in, by the account's clock.
    pub import_takes: SignedDuration,
    /// Whether webhooks may go to addresses other than https on port 443, for a demonstration on one machine.
    pub plain_hooks: bool,
    /// Changes that are remembered.
    pub kept_effects: usize,
}

impl Default for ActiveCampaignConfig {
    fn default() -> Self {
        let field = |title: &str, kind: FieldKind, options: &[&str]| {
            let perstag = title.to_uppercase().replace(' ', "_");
            (title.to_owned(), perstag, kind, options.iter().map(|option| (*option).to_owned()).collect())
        };
        Self {
            account: "sandbox".into(),
            tokens: vec![("ac-sandbox-token-0123456789".into(), "Syncline".into())],
            fields: vec![
                field("City", FieldKind::Text, &[]),
                field("Birthday", FieldKind::Date, &[]),
                field("Stage", FieldKind::Dropdown, &["Lead", "Customer", "Former customer"]),
                field("Topics", FieldKind::Listbox, &["News", "Offers", "Events"]),
                field("Revenue", FieldKind::Text, &[]),
                field("VIP", FieldKind::Checkbox, &["Yes"]),
            ],
            lists: vec!["Newsletter".into()],
            calls_per_second: CALLS_PER_SECOND,
            over_limit_status: 429,
            utc_offset_hours: -5,
            import_takes: SignedDuration::from_secs(10),
            plain_hooks: false,
            kept_effects: 20_000,
        }
    }
}

/// The account.
pub struct ActiveCampaignAccount {
    config: ActiveCampaignConfig,
    clock: Arc<dyn Clock>,
    faults: Faults,
    state: Mutex<State>,
}

struct State {
    book: Book,
    fields: fields::Fields,
    tags: marks::Tags,
    lists: marks::Lists,
    crm: crm::Crm,
    batches: bulk::Batches,
    hooks: hooks::Hooks,
    waiting: Waiting,
    journal: Journal,
    calls: CallCounts,
    tokens: Vec<(String, String)>,
    second: Second,
    calls_per_second: u32,
    numbers: BTreeMap<&'static str, u64>,
}

/// Calls of the present second.
#[derive(Debug, Default)]
struct Second {
    began: i64,
    calls: u32,
}

impl State {
    /// Every kind of record counts for itself.
    fn number(&mut self, kind: &'static str) -> u64 {
        let number = self.numbers.entry(kind).or_insert(0);
        *number += 1;
        *number
    }

    /// Whether one more call is too many, and how many are left.
    fn count(&mut self, now: i64) -> (bool, u32) {
        if self.second.began != now {
            self.second = Second { began: now, calls: 0 };
        }
        let refused = self.second.calls >= self.calls_per_second;
        self.second.calls += u32::from(!refused);
        (refused, self.calls_per_second - self.second.calls.min(self.calls_per_second))
    }
}

/// Who set something off, as webhooks tell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// The contact, by a form or a link in a mail.
    Public,
    /// Somebody in the account's pages.
    Admin,
    Api,
}

/// A moment, and who acts in it.
#[derive(Debug, Clone)]
struct Act {
    now: Timestamp,
    actor: Actor,
    source: Source,
    /// Nobody is told: mass operations send no webhooks.
    quiet: bool,
}

impl ActiveCampaignAccount {
    /// An account without contacts.
    pub fn new(config: ActiveCampaignConfig, clock: Arc<dyn Clock>) -> Arc<Self> {
        let now = clock.now();
        let mut state = State {
            book: Book::default(),
            fields: fields::Fields::default(),
            tags: marks::Tags::default(),
            lists: marks::Lists::default(),
            crm: crm::Crm::default(),
            batches: bulk::Batches::default(),
            hooks: hooks::Hooks::default(),
            waiting: Waiting::default(),
            journal: Journal::new(config.kept_effects),
            calls: CallCounts::default(),
            tokens: config.tokens.clone(),
            second: Second::default(),
            calls_per_second: config.calls_per_second,
            numbers: BTreeMap::new(),
        };
        for (title, perstag, kind, options) in &config.fields {
            fields::add(&mut state, title, perstag, *kind, options, now);
        }
        for name in &config.lists {
            marks::add_list(&mut state, name, now);
        }
        crm::found(&mut state, now);
        Arc::new(Self { config, clock, faults: Faults::default(), state: Mutex::new(state) })
    }

    /// The state, after all that should have happened by now.
    fn state(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.settle_batches(&mut state);
        state
    }

    /// The present moment as the account keeps it: in seconds.
    fn now(&self) -> Timestamp {
        let now = self.clock.now();
        Timestamp::from_second(now.as_second()).unwrap_or(now)
    }
}

impl Site for ActiveCampaignAccount {
    fn handle(&self, base_url: &str, request: Request<Bytes>) -> Reply {
        if request.uri().path().starts_with("/_sandbox") {
            return Reply::now(self.console(base_url, &request));
        }
        let (refused, remaining, limit) = {
            let mut state = self.state();
            answers::count(&mut state.calls, &request);
            let (refused, remaining) = state.count(self.clock.now().as_second());
            (refused, remaining, state.calls_per_second)
        };
        let mut reply = if refused {
            Reply::now(answers::too_many(self.config.over_limit_status))
        } else {
            self.faults.around(&request, answers::refuse, || self.answer(&request))
        };
        for (name, value) in [("ratelimit-limit", limit), ("ratelimit-remaining", remaining)] {
            set(&mut reply.response, HeaderName::from_static(name), &value.to_string());
        }
        reply
    }
}
