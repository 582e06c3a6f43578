//! How integrations stand: drafts, active, paused, stopped. The same for all that run by themselves.

use std::sync::Arc;

use syncline_core::ids::{IntegrationId, WorkspaceId};
use syncline_store::{FlowStanding, FlowState, JournalEntry, JournalKind, Result as StoreResult};

use crate::{alerts, engine::Engine};

/// The version of the text that people agree to before an integration starts (docs/agreement.md). It changes with the text;
/// who agreed to an older one stays on record with that.
pub const AGREEMENT_VERSION: &str = "1";

/// An integration that a person starts and pauses.
pub trait Flow: Sync {
    /// Whose it is.
    fn workspace(&self) -> &WorkspaceId;
    /// Its name, which no other integration of the workspace has.
    fn id(&self) -> &IntegrationId;
}

impl<F: Flow + Send> Flow for Arc<F> {
    fn workspace(&self) -> &WorkspaceId {
        (**self).workspace()
    }

    fn id(&self) -> &IntegrationId {
        (**self).id()
    }
}

impl Engine {
    /// Starts an integration. `false`, and nothing is done, where nobody has agreed yet that people's data
    /// may travel between the two accounts, and nobody does now.
    pub async fn activate(&self, flow: &impl Flow, agreed_by: Option<&str>) -> StoreResult<bool> {
        let state = self.world.store.flow_state(flow.workspace(), flow.id()).await?;
        if agreed_by.is_none() && state.is_none_or(|state| state.agreed.is_none()) {
            return Ok(false);
        }
        self.set_standing(flow, FlowStanding::Active, None, agreed_by).await?;
        Ok(true)
    }

    /// Has an integration go on that stopped by itself; any other stays as it is.
    pub async fn go_on(&self, flow: &impl Flow) -> StoreResult<()> {
        let state = self.world.store.flow_state(flow.workspace(), flow.id()).await?;
        if state.is_some_and(|state| state.standing == FlowStanding::Stopped) {
            self.set_standing(flow, FlowStanding::Active, None, None).await?;
        }
        Ok(())
    }

    /// Sets how an integration stands, with a line in the activity log.
    pub async fn set_standing(
        &self,
        flow: &impl Flow,
        standing: FlowStanding,
        reason: Option<String>,
        by: Option<&str>,
    ) -> StoreResult<()> {
        let now = self.world.clock.now();
        let before = self.world.store.flow_state(flow.workspace(), flow.id()).await?;
        let first = standing == FlowStanding::Active;
        let agreed = before.as_ref().and_then(|state| state.agreed.clone());
        let state = FlowState {
            standing,
            reason: reason.clone(),
            changed_at: now,
            agreed_text: match (&agreed, first, by) {
                (None, true, Some(_)) => Some(AGREEMENT_VERSION.to_owned()),
                _ => before.as_ref().and_then(|state| state.agreed_text.clone()),
            },
            agreed: if first { agreed.or_else(|| by.map(|by| (by.to_owned(), now))) } else { agreed },
            since: before.as_ref().and_then(|state| state.since).or(first.then_some(now)),
        };
        let text = match (standing, &reason) {
            (FlowStanding::Active, _) => format!("Integration {} is active", flow.id()),
            (FlowStanding::Paused, _) => format!("Integration {} is paused", flow.id()),
            (FlowStanding::Draft, _) => format!("Integration {} is a draft", flow.id()),
            (FlowStanding::Stopped, reason) => {
                format!("Integration {} stopped: {}", flow.id(), reason.as_deref().unwrap_or("a person has to look"))
            }
        };
        let details = serde_json::json!({ "by": by, "agreed_to": by.and(state.agreed_text.as_deref()) });
        let line = JournalEntry { at: now, kind: JournalKind::Operator, text, details };
        if standing == FlowStanding::Stopped {
            let alert = alerts::stopped(flow.id(), state.reason.as_deref().unwrap_or("a person has to look"), now);
            return self.world.store.stop_flow(flow.workspace(), flow.id(), state, line, alert).await;
        }
        self.world.store.set_flow(flow.workspace(), flow.id(), state, Some(line)).await
    }
}
