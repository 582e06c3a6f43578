//! What the operator set up for records in step, as values.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use syncline_core::{
    ids::{ConnectionId, IntegrationId, WorkspaceId},
    merge::{PairDraft, RuleKey, Side, mark_key},
};

use super::gather::Gather;
use crate::standing::Flow;

/// An integration that keeps the records of two accounts in step.
#[derive(Debug, Clone)]
pub struct RecordFlow {
    pub workspace: WorkspaceId,
    pub id: IntegrationId,
    pub left: SideSetup,
    pub right: SideSetup,
    pub pairs: Vec<PairDraft>,
    /// How often both sides are read as a whole, to find what changes did not tell.
    pub sweep_every: SignedDuration,
    /// Records that may be transferred in a month; nothing for no limit.
    pub tasks_per_month: Option<u64>,
    /// How what changed on the right is gathered on its way to the left; nothing where it goes at once.
    pub to_left: Option<Gather>,
    /// The same towards the right.
    pub to_right: Option<Gather>,
}

/// One side.
#[derive(Debug, Clone)]
pub struct SideSetup {
    pub connection: ConnectionId,
    /// How often it is asked for changes.
    pub every: SignedDuration,
}

impl Flow for RecordFlow {
    fn workspace(&self) -> &WorkspaceId {
        &self.workspace
    }

    fn id(&self) -> &IntegrationId {
        &self.id
    }
}

impl RecordFlow {
    /// How news of this side are gathered.
    pub fn gather(&self, from: Side) -> Option<Gather> {
        match from {
            Side::Left => self.to_right,
            Side::Right => self.to_left,
        }
    }

    /// This side's setup.
    pub fn side(&self, side: Side) -> &SideSetup {
        match side {
            Side::Left => &self.left,
            Side::Right => &self.right,
        }
    }

    /// The fields of every row of the mapping, by its key.
    pub fn rule_names(&self) -> BTreeMap<RuleKey, RuleNames> {
        let rows = self.pairs.iter().flat_map(|pair| &pair.rows);
        let mapped = rows.map(|row| {
            let names = RuleNames { left: row.left.field.clone(), right: row.right.field.clone() };
            (RuleKey::of(&names.left, &names.right), names)
        });
        let marks = self.pairs.iter().filter_map(|pair| pair.marks.as_ref()).map(|marks| {
            let names = RuleNames { left: "marks".to_owned(), right: marks.field.clone() };
            (mark_key(&marks.field), names)
        });
        mapped.chain(marks).collect()
    }
}

/// What a row of the mapping is called on both sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleNames {
    pub left: String,
    pub right: String,
}

impl std::fmt::Display for RuleNames {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ↔ {}", self.left, self.right)
    }
}

/// What a status page shows of an integration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordFlowState {
    pub state: Option<syncline_store::FlowState>,
    pub pulls: Vec<syncline_store::PullState>,
    pub counts: syncline_store::FlowCounts,
    /// What was used of this month's quota.
    pub quota: syncline_store::QuotaUse,
    /// The month, as `2026-05`.
    pub month: String,
    /// When there is next something to do, the past included; nothing before the first reading.
    pub next_at: Option<Timestamp>,
}
