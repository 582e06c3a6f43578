//! The log of what stayed: which write changed what, and who did it.

use std::collections::{BTreeMap, VecDeque};

use super::record::HubSpotWho;

/// What a write did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HubSpotEffectKind {
    Created,
    Updated,
    Archived,
    Restored,
    /// Merged into the record that the effect names; `other` is the one that went.
    Merged,
    Erased,
    Associated,
    Disassociated,
    ListAdded,
    ListRemoved,
}

/// One write that stayed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubSpotEffect {
    /// Counts up from 1.
    pub number: u64,
    /// The request that did it; what persons do by hand has the number of the last request before.
    pub request: u64,
    /// Milliseconds since 1970.
    pub at: i64,
    pub kind: HubSpotEffectKind,
    /// Such as `contacts`.
    pub object: String,
    pub id: String,
    /// What was given and changed something; an empty value was cleared.
    pub properties: BTreeMap<String, String>,
    /// The other record, as `companies/7`, or the list.
    pub other: Option<String>,
    pub who: HubSpotWho,
}

#[derive(Debug, Default)]
pub(in super::super) struct Effects {
    limit: usize,
    written: u64,
    kept: VecDeque<HubSpotEffect>,
}

impl Effects {
    pub(super) fn keeping(limit: usize) -> Self {
        Self { limit, ..Self::default() }
    }

    /// Numbers an effect and keeps it.
    pub(super) fn note(&mut self, effect: HubSpotEffect) {
        self.written += 1;
        if self.limit == 0 {
            return;
        }
        if self.kept.len() >= self.limit {
            self.kept.pop_front();
        }
        self.kept.push_back(HubSpotEffect { number: self.written, ..effect });
    }

    /// Those after this number, oldest first.
    pub(in super::super) fn since(&self, number: u64) -> Vec<HubSpotEffect> {
        let first = self.written - self.kept.len() as u64;
        let skip = usize::try_from(number.saturating_sub(first)).unwrap_or(usize::MAX);
        self.kept.iter().skip(skip).cloned().collect()
    }
}
