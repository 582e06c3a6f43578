//! Faults on demand: rules that say which requests go wrong, how, and how often; and how often each did.
//!
//! Dice are seeded, so that the same requests in the same order meet the same faults.

mod rule;
#[cfg(test)]
mod tests;

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use serde_json::{Value, json};

pub use rule::{FaultBody, FaultKind, FaultRule};

use super::error::{ApiError, Outcome};

/// Rules at one time; more would be a mistake of the caller.
const MAX_RULES: usize = 200;

/// The faults of one org.
#[derive(Debug)]
pub struct Faults {
    state: Mutex<State>,
    /// How many rules there are for requests and for rows, to pass quickly when there are none.
    for_requests: AtomicUsize,
    for_rows: AtomicUsize,
    seed: u64,
}

#[derive(Debug, Default)]
struct State {
    rules: Vec<Active>,
    last_id: u64,
}

#[derive(Debug)]
struct Active {
    id: u64,
    rule: FaultRule,
    dice: u64,
    seen: u64,
    fired: u64,
}

/// How often a rule's fault has happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fired {
    pub id: u64,
    pub kind: FaultKind,
    pub seen: u64,
    pub fired: u64,
}

impl Faults {
    pub(super) fn new(seed: u64) -> Self {
        let state = Mutex::default();
        Self { state, for_requests: AtomicUsize::new(0), for_rows: AtomicUsize::new(0), seed }
    }

    /// Adds a rule and answers its number; `None` when there are too many.
    pub fn add(&self, rule: FaultRule) -> Option<u64> {
        let mut state = self.lock();
        if state.rules.len() >= MAX_RULES {
            return None;
        }
        state.last_id += 1;
        let id = state.last_id;
        let dice = rule.seed.unwrap_or(self.seed) ^ id.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        state.rules.push(Active { id, rule, dice, seen: 0, fired: 0 });
        self.recount(&state);
        Some(id)
    }

    /// Takes a rule away and answers whether it was there.
    pub fn remove(&self, id: u64) -> bool {
        let mut state = self.lock();
        let before = state.rules.len();
        state.rules.retain(|active| active.id != id);
        self.recount(&state);
        state.rules.len() < before
    }

    /// Takes all rules away.
    pub fn clear(&self) {
        let mut state = self.lock();
        state.rules.clear();
        self.recount(&state);
    }

    /// How often each present rule was asked and has fired.
    pub fn fired(&self) -> Vec<Fired> {
        let fired = |a: &Active| Fired { id: a.id, kind: a.rule.kind, seen: a.seen, fired: a.fired };
        self.lock().rules.iter().map(fired).collect()
    }

    pub(super) fn to_json(&self) -> Value {
        let shown =
            |active: &Active| json!({"id": active.id, "rule": active.rule, "seen": active.seen, "fired": active.fired});
        json!({"faults": self.lock().rules.iter().map(shown).collect::<Vec<_>>()})
    }

    /// The rules that strike this request; each rolls its dice once.
    pub(super) fn strike(&self, method: &str, path: &str) -> Vec<FaultRule> {
        if self.for_requests.load(Ordering::Relaxed) == 0 {
            return Vec::new();
        }
        let mut state = self.lock();
        let rules = state.rules.iter_mut();
        let hit = rules.filter(|active| !active.rule.kind.strikes_rows() && active.rule.matches(method, path));
        hit.filter_map(|active| active.roll().then(|| active.rule.clone())).collect()
    }

    /// Whether writing one record of this object fails now.
    pub(super) fn row(&self, object: &str) -> Outcome<()> {
        if self.for_rows.load(Ordering::Relaxed) == 0 {
            return Ok(());
        }
        let mut state = self.lock();
        let rules = state.rules.iter_mut();
        let mut hit = rules.filter(|active| active.rule.kind.strikes_rows() && active.rule.matches_object(object));
        match hit.find_map(|active| active.roll().then_some(active.rule.kind)) {
            Some(FaultKind::RowLock) => {
                let message = "unable to obtain exclusive access to this record or 1 records: ";
                Err(ApiError::record("UNABLE_TO_LOCK_ROW", message, &[]))
            }
            Some(_) => {
                let message = "A validation rule of this org refused the record.";
                Err(ApiError::record("FIELD_CUSTOM_VALIDATION_EXCEPTION", message, &[]))
            }
            None => Ok(()),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn recount(&self, state: &State) {
        let rows = state.rules.iter().filter(|active| active.rule.kind.strikes_rows()).count();
        self.for_rows.store(rows, Ordering::Relaxed);
        self.for_requests.store(state.rules.len() - rows, Ordering::Relaxed);
    }
}

impl Active {
    /// Whether the fault happens this time.
    fn roll(&mut self) -> bool {
        self.seen += 1;
        let spent = self.rule.next.is_some_and(|next| self.fired >= next);
        let turn = self.rule.every.is_none_or(|every| self.seen.is_multiple_of(every.max(1)));
        let lucky = self.rule.probability.is_none_or(|probability| self.chance() < probability);
        let fires = !spent && turn && lucky;
        self.fired += u64::from(fires);
        fires
    }

    /// The next number from 0 to 1 of this rule's own row of them (splitmix64).
    fn chance(&mut self) -> f64 {
        self.dice = self.dice.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.dice;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        (z >> 11) as f64 / (1u64 << 53) as f64
    }
}
