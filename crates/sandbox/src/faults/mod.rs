//! Faults on demand for any imitation vendor: a queue of rules that say which calls go wrong, how, and when.
//!
//! Nothing here rolls dice or knows a vendor: the same calls in the same order meet the same faults, and what an error
//! looks like is asked of the vendor.

mod rule;
#[cfg(test)]
mod tests;

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{Method, Request, Response};
use serde_json::{Value, json};

pub use rule::{Fault, FaultKind, FaultRule};

use crate::{
    Delivery, Reply,
    web::{empty, json as answer},
};

/// Rules at one time; more would be a mistake of the caller.
const MAX_RULES: usize = 200;
/// Where a vendor that has a queue of faults lets programs look at it and fill it.
const DOOR: &str = "/_sandbox/faults";

/// The faults of one imitation vendor.
#[derive(Debug, Default)]
pub struct Faults {
    state: Mutex<State>,
    /// How many rules may still strike, to pass quickly when there are none.
    live: AtomicUsize,
}

#[derive(Debug, Default)]
struct State {
    rules: Vec<Active>,
    last_number: u64,
}

#[derive(Debug)]
struct Active {
    number: u64,
    rule: FaultRule,
    seen: u64,
    fired: u64,
}

/// How often a rule was asked, and how often its fault has happened. Calls are counted as long as any rule of the queue
/// may still strike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    pub number: u64,
    pub seen: u64,
    pub fired: u64,
}

/// An answer that a vendor is asked for because of a fault, in its own words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// This status, with the body that the vendor sends with it.
    Status(u16),
    /// Credentials that are not valid.
    Unauthorized,
    /// Too many calls.
    Limited,
    /// A success by its status, whose body says that nothing was done; a vendor that has no such answer takes 500.
    FailedInBody,
}

impl Faults {
    /// Adds a rule behind those that are there and answers its number; `None` when there are too many.
    pub fn add(&self, rule: FaultRule) -> Option<u64> {
        let mut state = self.lock();
        if state.rules.len() >= MAX_RULES {
            state.rules.retain(|active| !active.spent());
        }
        if state.rules.len() >= MAX_RULES {
            return None;
        }
        state.last_number += 1;
        let number = state.last_number;
        state.rules.push(Active { number, rule, seen: 0, fired: 0 });
        self.recount(&state);
        Some(number)
    }

    /// Takes a rule away and answers whether it was there.
    pub fn remove(&self, number: u64) -> bool {
        let mut state = self.lock();
        let before = state.rules.len();
        state.rules.retain(|active| active.number != number);
        self.recount(&state);
        state.rules.len() < before
    }

    /// Takes all rules away.
    pub fn clear(&self) {
        let mut state = self.lock();
        state.rules.clear();
        self.recount(&state);
    }

    /// How often each present rule was asked and has struck, in their order.
    pub fn tallies(&self) -> Vec<Tally> {
        let tally = |active: &Active| Tally { number: active.number, seen: active.seen, fired: active.fired };
        self.lock().rules.iter().map(tally).collect()
    }

    /// What happens to this call. Every rule that matches counts it; the first that is ripe strikes, alone.
    pub(crate) fn strike(&self, method: &str, path: &str) -> Option<Fault> {
        if self.live.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let mut state = self.lock();
        let mut struck = None;
        for active in state.rules.iter_mut().filter(|active| active.rule.matches(method, path)) {
            active.seen += 1;
            if struck.is_none() && active.ripe() {
                active.fired += 1;
                struck = Some(active.rule.fault);
            }
        }
        self.recount(&state);
        struck
    }

    /// Answers a call, with what the fault of the moment makes of it. `refuse` puts a refusal into the vendor's words,
    /// `act` does what was asked; it is not run when the fault comes before the effect.
    pub(crate) fn around(
        &self,
        request: &Request<Bytes>,
        refuse: impl FnOnce(Refusal) -> Response<Bytes>,
        act: impl FnOnce() -> Response<Bytes>,
    ) -> Reply {
        let Some(fault) = self.strike(request.method().as_str(), request.uri().path()) else {
            return Reply::now(act());
        };
        let delay = Duration::from_millis(fault.delay_ms);
        let (response, deliver) = match fault.kind {
            FaultKind::Slow => (act(), Delivery::Answer),
            FaultKind::Status => (refuse(Refusal::Status(fault.status)), Delivery::Answer),
            FaultKind::StatusAfter => {
                drop(act());
                (refuse(Refusal::Status(fault.status)), Delivery::Answer)
            }
            FaultKind::Unauthorized => (refuse(Refusal::Unauthorized), Delivery::Answer),
            FaultKind::Limited => (refuse(Refusal::Limited), Delivery::Answer),
            FaultKind::FailedInBody => (refuse(Refusal::FailedInBody), Delivery::Answer),
            FaultKind::LostRequest => (empty(503), Delivery::DropConnection),
            FaultKind::LostAnswer => (act(), Delivery::DropConnection),
            FaultKind::Truncated => (act(), Delivery::Truncate),
        };
        Reply { response, delay, deliver }
    }

    /// Looking at the queue, adding a rule (or `{"rules": […]}`) and clearing it, by HTTP; `None` for any other path.
    pub(crate) fn door(&self, request: &Request<Bytes>) -> Option<Response<Bytes>> {
        if request.uri().path() != DOOR {
            return None;
        }
        Some(match *request.method() {
            Method::GET => answer(200, &self.shown()),
            Method::DELETE => {
                self.clear();
                empty(204)
            }
            Method::POST => self.add_given(request.body()),
            _ => empty(405),
        })
    }

    fn add_given(&self, body: &[u8]) -> Response<Bytes> {
        let refused = |error: String| answer(400, &json!({"error": error}));
        let given: Value = match serde_json::from_slice(body) {
            Ok(given) => given,
            Err(error) => return refused(error.to_string()),
        };
        let list = match given.get("rules").and_then(Value::as_array) {
            Some(list) => list.clone(),
            None => vec![given],
        };
        let rules: Result<Vec<FaultRule>, _> = list.into_iter().map(serde_json::from_value).collect();
        match rules {
            Err(error) => refused(error.to_string()),
            Ok(rules) => match rules.into_iter().map(|rule| self.add(rule)).collect::<Option<Vec<u64>>>() {
                Some(numbers) => answer(201, &json!({"numbers": numbers})),
                None => refused("too many fault rules".into()),
            },
        }
    }

    fn shown(&self) -> Value {
        let shown = |a: &Active| json!({"number": a.number, "rule": a.rule, "seen": a.seen, "fired": a.fired});
        json!({"faults": self.lock().rules.iter().map(shown).collect::<Vec<_>>()})
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn recount(&self, state: &State) {
        self.live.store(state.rules.iter().filter(|active| !active.spent()).count(), Ordering::Relaxed);
    }
}

impl Active {
    fn ripe(&self) -> bool {
        self.seen > self.rule.after && !self.spent()
    }

    fn spent(&self) -> bool {
        self.rule.times.is_some_and(|times| self.fired >= times)
    }
}
