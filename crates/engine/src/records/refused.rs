//! Records that were to be made and were refused: they are not sent again as they are.

use syncline_core::merge::{Decision, RuleKey, payload_digest};
use syncline_store::StoredHold;

use super::{Halt, Turn, batch::Decided};
use crate::engine::Engine;

impl Engine {
    /// Whoever would be made with the values that were refused before stays held back, until one of them changes or somebody
    /// says that it is to be tried again.
    pub(crate) async fn keep_refused(&self, turn: &Turn<'_>, decided: &mut [Decided<'_>]) -> Result<(), Halt> {
        let made = decided.iter().filter(|one| matches!(one.decision, Decision::Create { .. }));
        let made: Vec<i64> = made.map(|one| one.work.entry.id).collect();
        if made.is_empty() {
            return Ok(());
        }
        let (workspace, flow) = (&turn.flow.workspace, &turn.flow.id);
        let mut holds = self.world.store.holds_of(workspace, flow, made).await?;
        for one in decided {
            let Decision::Create { to, first, .. } = &one.decision else { continue };
            let Some(mut held) = holds.remove(&one.work.entry.id) else { continue };
            let digest = |change: &syncline_core::merge::Change| payload_digest(*to, change.key, &change.target);
            let sent: Vec<(RuleKey, u64)> = first.values.iter().map(|change| (change.key, digest(change))).collect();
            let again = |hold: &StoredHold| hold.refused.iter().all(|value| sent.contains(value));
            held.retain(|hold| !hold.refused.is_empty() && again(hold));
            if !held.is_empty() {
                one.decision = Decision::Rest { note: None };
                one.stands = held;
            }
        }
        Ok(())
    }
}
