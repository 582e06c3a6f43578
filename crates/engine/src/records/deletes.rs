//! The brake on deletions, and a person's word that lets it go.

use jiff::{SignedDuration, Timestamp};
use syncline_core::merge::{Decision, Side, WhenDeleted, too_many_deletes};
use syncline_store::{FlowStanding, PullPhase, Result as StoreResult};

use super::{Compiled, Halt, RecordFlow, Turn, batch::Decided};
use crate::engine::Engine;

/// What a person confirmed and what could not be carried out for so long is asked about anew.
const CONFIRMED_FOR: SignedDuration = SignedDuration::from_hours(48);

/// How many of these decisions are deletions.
pub(crate) fn deletes(decided: &[Decided<'_>]) -> usize {
    decided.iter().filter(|one| matches!(one.decision, Decision::Delete { .. })).count()
}

/// The sides and pairs whose deleted records take their counterparts with them.
fn deleting(compiled: &Compiled) -> Vec<(Side, String)> {
    let pairs = compiled.flow.pairs.iter().flat_map(|pair| Side::BOTH.map(|side| (side, pair)));
    let deletes = pairs.filter(|(side, pair)| pair.side(side.other()).deleted == WhenDeleted::Delete);
    deletes.map(|(side, pair)| (side, pair.name.clone())).collect()
}

impl Engine {
    /// Stops the integration where more counterparts would be deleted than anybody can have meant: with all that wait, and
    /// all of the last day.
    pub(crate) async fn brake(&self, turn: &Turn<'_>, decided: &[Decided<'_>]) -> Result<(), Halt> {
        let flow = turn.flow;
        let deletes = deletes(decided);
        if turn.confirmed.is_some() || deletes == 0 {
            return Ok(());
        }
        let now = self.world.clock.now();
        let pending = self.world.store.pending_deletes(&flow.workspace, &flow.id, deleting(turn.compiled), now).await?;
        let links = self.world.store.flow_counts(&flow.workspace, &flow.id).await?.links;
        let due = pending.waiting.max(u64::try_from(deletes).unwrap_or(u64::MAX));
        if !too_many_deletes(due, pending.lately, links) {
            return Ok(());
        }
        let lately = match pending.lately {
            0 => String::new(),
            lately => format!(", after {lately} within a day"),
        };
        let reason = format!(
            "{due} of {links} records would be deleted on the other side{lately}; `syncline records preview {name}` shows which; if that is meant, let it go on with `syncline records run {name} --confirm-deletes`",
            name = flow.id
        );
        self.set_standing(flow, FlowStanding::Stopped, Some(reason), None).await?;
        Err(Halt::Stopped)
    }

    /// Keeps that whatever is missing was deleted on purpose, and has an integration go on that stopped over that. `false`
    /// where somebody else has the integration just now.
    pub(crate) async fn confirm(&self, flow: &RecordFlow) -> StoreResult<bool> {
        let lease = self.options.call.saturating_mul(super::LEASE_CALLS);
        let Some(held) = self.hold(&flow.workspace, format!("records:{}", flow.id), lease).await? else {
            return Ok(false);
        };
        let now = self.world.clock.now();
        let kept = self.world.store.confirm_deletes(&flow.workspace, &flow.id, &held, now).await;
        let done = match kept {
            Ok(Some(())) => self.go_on(flow).await.map(|()| true),
            Ok(None) => Ok(false),
            Err(error) => Err(error),
        };
        self.let_go(&flow.workspace, &held).await;
        done
    }

    /// Since when a person's word holds.
    pub(crate) async fn confirmed(&self, flow: &RecordFlow) -> StoreResult<Option<Timestamp>> {
        let now = self.world.clock.now();
        let confirmed = self.world.store.deletes_confirmed(&flow.workspace, &flow.id).await?;
        Ok(confirmed.filter(|confirmed| now.duration_since(*confirmed) < CONFIRMED_FOR))
    }

    /// A person's word has done its work once both sides were read as a whole and nothing of what was missing waits or is
    /// under way.
    pub(crate) async fn end_confirmation(&self, turn: &Turn<'_>, more: bool) -> Result<(), Halt> {
        let (Some(confirmed), false) = (turn.confirmed, more) else { return Ok(()) };
        let (store, flow) = (&self.world.store, turn.flow);
        let pulls = self.pull_states(turn).await?;
        if pulls.iter().any(|pull| pull.phase != PullPhase::Changes) {
            return Ok(());
        }
        let (pairs, now) = (deleting(turn.compiled), self.world.clock.now());
        let pending = store.pending_deletes(&flow.workspace, &flow.id, pairs, now).await?;
        if pending.waiting > 0 || store.flow_counts(&flow.workspace, &flow.id).await?.open_steps > 0 {
            return Ok(());
        }
        Ok(store.end_confirmation(&flow.workspace, &flow.id, confirmed).await?)
    }
}
