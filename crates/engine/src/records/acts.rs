//! What a person may do with an integration: start it, have it run now, decide what was held back. The command line and
//! the API say the same things through here; what is written to the accounts is the rounds' business.

use syncline_core::merge::Side;
use syncline_store::{FlowStanding, Result as StoreResult};

use super::{RecordFlow, RoundEnd};
use crate::engine::Engine;

/// The version of the text that people agree to before an integration starts (docs/agreement.md). It changes with the text;
/// who agreed to an older one stays on record with that.
pub const AGREEMENT_VERSION: &str = "1";

impl Engine {
    /// Starts to keep the records in step. `false`, and nothing is done, where nobody has agreed yet that people's data
    /// may travel between the two accounts, and nobody does now.
    pub async fn activate(&self, flow: &RecordFlow, agreed_by: Option<&str>) -> StoreResult<bool> {
        let state = self.world.store.flow_state(&flow.workspace, &flow.id).await?;
        if agreed_by.is_none() && state.is_none_or(|state| state.agreed.is_none()) {
            return Ok(false);
        }
        self.set_standing(flow, FlowStanding::Active, None, agreed_by).await?;
        Ok(true)
    }

    /// One round at once: both sides are asked for changes although it is not time. With `confirm_deletes` whatever is
    /// missing was deleted on purpose, and an integration that stopped over that goes on.
    pub async fn run_now(&self, flow: &RecordFlow, confirm_deletes: bool) -> StoreResult<RoundEnd> {
        if confirm_deletes {
            self.go_on(flow).await?;
        }
        self.world.store.read_soon(&flow.workspace, &flow.id, None, self.world.clock.now()).await?;
        self.records_round(flow, confirm_deletes).await
    }

    /// Has an integration go on that stopped by itself; any other stays as it is.
    pub async fn go_on(&self, flow: &RecordFlow) -> StoreResult<()> {
        let state = self.world.store.flow_state(&flow.workspace, &flow.id).await?;
        if state.is_some_and(|state| state.standing == FlowStanding::Stopped) {
            self.set_standing(flow, FlowStanding::Active, None, None).await?;
        }
        Ok(())
    }

    /// Decides for one side about a field, by its name on either side, that is held back of a record. `false` where it is
    /// not held back.
    pub async fn resolve_hold(&self, flow: &RecordFlow, entry: i64, field: &str, winner: Side) -> StoreResult<bool> {
        let now = self.world.clock.now();
        for (rule, names) in flow.rule_names() {
            let meant = names.left == field || names.right == field;
            if meant && self.world.store.decide_hold(&flow.workspace, &flow.id, entry, rule, winner, now).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
