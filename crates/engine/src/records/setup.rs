//! What the operator set up for records in step, as values.

use jiff::SignedDuration;
use syncline_core::{
    ids::{ConnectionId, IntegrationId, WorkspaceId},
    merge::{PairDraft, Side},
};

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
}

/// One side.
#[derive(Debug, Clone)]
pub struct SideSetup {
    pub connection: ConnectionId,
    /// How often it is asked for changes.
    pub every: SignedDuration,
}

impl RecordFlow {
    /// This side's setup.
    pub fn side(&self, side: Side) -> &SideSetup {
        match side {
            Side::Left => &self.left,
            Side::Right => &self.right,
        }
    }
}

/// What a status page shows of an integration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordFlowState {
    pub state: Option<syncline_store::FlowState>,
    pub pulls: Vec<syncline_store::PullState>,
    pub counts: syncline_store::FlowCounts,
    pub quota: syncline_store::QuotaUse,
}
