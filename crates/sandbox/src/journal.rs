//! What happened in an imitation account: every change that stayed, with who made it, and how often which call was
//! made. Bounded, and the same for every vendor that keeps one.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;
use serde_json::{Map, Value};

/// Kinds of calls that are counted apart; further ones share a line.
const MAX_CALL_KINDS: usize = 300;

/// Who made a change.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Actor {
    /// Somebody in the vendor's own pages, or the contact by a link in a mail.
    Person,
    /// A program, by the name of its key.
    Key(String),
}

/// What was done to a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EffectKind {
    Created,
    Updated,
    Deleted,
}

/// One change that stayed.
#[derive(Debug, Clone, PartialEq)]
pub struct Effect {
    /// Counts the account's changes from 1.
    pub number: u64,
    pub at: Timestamp,
    pub actor: Actor,
    pub kind: EffectKind,
    /// `contact`, `deal` and so on.
    pub object: &'static str,
    pub id: String,
    /// What was set, by the vendor's own names; null was cleared. Values that were set to what they were are left out.
    pub fields: Map<String, Value>,
}

/// The changes of one account, the oldest of which are forgotten.
#[derive(Debug)]
pub(crate) struct Journal {
    kept: VecDeque<Effect>,
    limit: usize,
    written: u64,
}

impl Journal {
    pub(crate) fn new(limit: usize) -> Self {
        Self { kept: VecDeque::new(), limit, written: 0 }
    }

    pub(crate) fn note(
        &mut self,
        at: Timestamp,
        actor: &Actor,
        kind: EffectKind,
        object: &'static str,
        id: impl ToString,
        fields: Map<String, Value>,
    ) {
        self.written += 1;
        if self.limit == 0 {
            return;
        }
        if self.kept.len() >= self.limit {
            self.kept.pop_front();
        }
        let (actor, id) = (actor.clone(), id.to_string());
        self.kept.push_back(Effect { number: self.written, at, actor, kind, object, id, fields });
    }

    /// How many there have been, forgotten ones included.
    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    /// Those numbered after `number`, oldest first.
    pub(crate) fn since(&self, number: u64) -> Vec<Effect> {
        let first = self.written - self.kept.len() as u64;
        let skip = usize::try_from(number.saturating_sub(first)).unwrap_or(usize::MAX);
        self.kept.iter().skip(skip).cloned().collect()
    }
}

/// How often which call was made: `PUT contacts/{id}` and so on.
#[derive(Debug, Default, Clone)]
pub(crate) struct CallCounts {
    pub(crate) total: u64,
    pub(crate) by_kind: BTreeMap<String, u64>,
}

impl CallCounts {
    /// Counts a call by its path without what differs from record to record: numbers, addresses, long keys.
    pub(crate) fn count(&mut self, method: &str, path: &str, is_name: impl Fn(&str) -> bool) {
        self.total += 1;
        let parts: Vec<&str> = path
            .split('/')
            .filter(|part| !part.is_empty())
            .map(|part| if is_name(part) { part } else { "{id}" })
            .collect();
        let mut kind = format!("{method} {}", parts.join("/"));
        if self.by_kind.len() >= MAX_CALL_KINDS && !self.by_kind.contains_key(&kind) {
            kind = "other".into();
        }
        *self.by_kind.entry(kind).or_insert(0) += 1;
    }
}
