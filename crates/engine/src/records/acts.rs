//! What a person may do with an integration: start it, have it run now, decide what was held back. The command line and
//! the API say the same things through here; what is written to the accounts is the rounds' business.

use syncline_core::merge::Side;
use syncline_store::Result as StoreResult;

use super::{RecordFlow, RoundEnd};
use crate::engine::Engine;

impl Engine {
    /// One round at once: both sides are asked for changes although it is not time. With `confirm_deletes` a person says what
    /// [`Engine::records_round`] says of it.
    pub async fn run_now(&self, flow: &RecordFlow, confirm_deletes: bool) -> StoreResult<RoundEnd> {
        self.world.store.read_soon(&flow.workspace, &flow.id, None, self.world.clock.now()).await?;
        self.records_round(flow, confirm_deletes).await
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
