//! Seeing to hints that records changed: each is read by its id and taken in like a row of a page; where that cannot be
//! now, the next page is asked for at once. A hint carries no value, so that a lost, doubled or forged one does no harm.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex},
    time::Duration,
};

use syncline_connect::Hint;
use syncline_core::{
    ids::{IntegrationId, RecordId, WorkspaceId},
    merge::Side,
};
use syncline_store::{FlowStanding, FlowState, Held, Result as StoreResult, TakeRows};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{Halt, LEASE_CALLS, RecordFlow, Turn, rows::seen_row};
use crate::{engine::Engine, setup::ConnectionSetup, standing::Flow};

/// Records that are read by their ids at once. With more, a page of changes is cheaper.
pub(crate) const HINTS_MAX: usize = 5_000;

/// How soon to see whether a round has let go of the integration, twice as long each time until it is as seldom as this:
/// a first load may last.
const TURN_PAUSE_MIN: Duration = Duration::from_millis(100);
const TURN_PAUSE_MAX: Duration = Duration::from_secs(2);

/// By which integrations are woken before it is time.
#[derive(Default)]
pub(crate) struct Wakes(Mutex<HashMap<(WorkspaceId, IntegrationId), Arc<Notify>>>);

impl Wakes {
    pub(crate) fn of(&self, flow: &impl Flow) -> Arc<Notify> {
        self.named(flow.workspace(), flow.id())
    }

    pub(crate) fn named(&self, workspace: &WorkspaceId, integration: &IntegrationId) -> Arc<Notify> {
        let mut all = self.0.lock().expect("no code panics while it holds this lock");
        Arc::clone(all.entry((workspace.clone(), integration.clone())).or_default())
    }
}

/// Hints about one side of an integration, put together.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Gathered {
    records: BTreeMap<String, BTreeSet<RecordId>>,
    /// Kinds of which anything may have changed.
    kinds: BTreeSet<String>,
}

impl Gathered {
    /// What concerns these kinds. Hints of our own writes count only where somebody else may have an interest in them.
    pub(crate) fn of(hints: &[Hint], kinds: &BTreeSet<&str>, count_ours: bool) -> Self {
        let mut gathered = Self::default();
        for hint in hints {
            match hint {
                Hint::Record { kind, id, ours } if kinds.contains(kind.as_str()) && (count_ours || !ours) => {
                    gathered.records.entry(kind.clone()).or_default().insert(id.clone());
                }
                Hint::Kind { kind } if kinds.contains(kind.as_str()) => {
                    gathered.kinds.insert(kind.clone());
                }
                Hint::Everything => gathered.kinds.extend(kinds.iter().map(|kind| (*kind).to_owned())),
                Hint::Record { .. } | Hint::Kind { .. } => {}
            }
        }
        // Too many to be read one by one.
        let many = gathered.records.iter().filter(|(_, ids)| ids.len() > HINTS_MAX).map(|(kind, _)| kind.clone());
        gathered.kinds.extend(many.collect::<Vec<_>>());
        gathered.records.retain(|_, ids| ids.len() <= HINTS_MAX);
        gathered
    }

    fn is_empty(&self) -> bool {
        self.records.is_empty() && self.kinds.is_empty()
    }

    fn count(&self) -> u64 {
        let all = self.records.values().map(BTreeSet::len).sum::<usize>() + self.kinds.len();
        u64::try_from(all).unwrap_or(u64::MAX)
    }
}

impl RecordFlow {
    /// The sides that belong to this connection, with the kinds that take part.
    pub(crate) fn sides_of(&self, setup: &ConnectionSetup) -> impl Iterator<Item = (Side, BTreeSet<&str>)> {
        let own = self.workspace == setup.workspace;
        let sides = Side::BOTH.into_iter().filter(move |side| own && self.side(*side).connection == setup.id);
        sides.map(move |side| {
            let kinds = self.pairs.iter().map(|pair| match side {
                Side::Left => pair.left.kind.as_str(),
                Side::Right => pair.right.kind.as_str(),
            });
            (side, kinds.collect())
        })
    }
}

impl Engine {
    /// Sees to hints about records of a connection in every integration that it takes part in, and wakes those. Whether
    /// nothing of the hints is needed any more: not so where `stop` came first.
    pub(crate) async fn see_to_hints(
        &self,
        setup: &ConnectionSetup,
        hints: &[Hint],
        stop: &CancellationToken,
    ) -> StoreResult<bool> {
        let flows = self.record_flows(&setup.workspace).await?;
        let writers = self.writers(setup, &flows);
        let mut open = Vec::new();
        for flow in &flows {
            for (side, kinds) in flow.sides_of(setup) {
                let gathered = Gathered::of(hints, &kinds, writers > 1);
                if !gathered.is_empty() {
                    metrics::counter!("syncline_hints_total").increment(gathered.count());
                    open.push((flow, side, gathered));
                }
            }
        }
        let mut pause = TURN_PAUSE_MIN;
        loop {
            let mut busy = Vec::new();
            for (flow, side, gathered) in open {
                if self.take_hints(flow, side, &gathered).await? {
                    self.wakes.of(flow).notify_one();
                } else {
                    // A round is under way, here or elsewhere. The other integrations do not wait for it.
                    busy.push((flow, side, gathered));
                }
            }
            if busy.is_empty() {
                return Ok(true);
            }
            open = busy;
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(false),
                () = tokio::time::sleep(pause) => {}
            }
            pause = (pause * 2).min(TURN_PAUSE_MAX);
        }
    }

    /// How many write by way of this connection: what one of them writes is news to the others.
    fn writers(&self, setup: &ConnectionSetup, flows: &[Arc<RecordFlow>]) -> usize {
        let records = flows.iter().map(|flow| flow.sides_of(setup).count()).sum::<usize>();
        let mine = |integration: &&crate::setup::Integration| {
            integration.workspace == setup.workspace && integration.crm == setup.id
        };
        records + self.setup.integrations.iter().filter(mine).count()
    }

    /// Whether they are seen to: `false` where somebody else has the integration just now.
    async fn take_hints(&self, flow: &RecordFlow, side: Side, hints: &Gathered) -> StoreResult<bool> {
        let lease = self.options.call.saturating_mul(LEASE_CALLS);
        let Some(held) = self.hold(&flow.workspace, format!("records:{}", flow.id), lease).await? else {
            return Ok(false);
        };
        let taken = self.take_hints_while_held(flow, side, hints, &held).await;
        self.let_go(&flow.workspace, &held).await;
        taken
    }

    async fn take_hints_while_held(
        &self,
        flow: &RecordFlow,
        side: Side,
        hints: &Gathered,
        held: &Held,
    ) -> StoreResult<bool> {
        let mut unread = hints.kinds.clone();
        match self.read_hinted(flow, side, hints, held).await {
            Ok(()) => {}
            Err(Halt::Store(error)) => return Err(error),
            Err(Halt::Lost) => return Ok(false),
            Err(Halt::Stopped) => {}
            // The page that is asked for next shows them.
            Err(Halt::Side(..) | Halt::Hidden { .. }) => unread.extend(hints.records.keys().cloned()),
        }
        self.read_soon(flow, side, &unread, held).await
    }

    /// Reads the records that were named. While the integration rests, nobody is called on its behalf.
    async fn read_hinted(&self, flow: &RecordFlow, side: Side, hints: &Gathered, held: &Held) -> Result<(), Halt> {
        if hints.records.is_empty() {
            return Ok(());
        }
        let state = self.world.store.flow_state(&flow.workspace, &flow.id).await?;
        let active = matches!(state, Some(FlowState { standing: FlowStanding::Active, .. }));
        if !active || self.resting(flow).await?.is_some() {
            return Err(Halt::Side(side, not_now()));
        }
        let mut calls = 0;
        let compiled = self.compiled(flow, &mut calls).await?;
        let since = state.and_then(|state| state.since);
        let turn = Turn { flow, compiled: &compiled, held, since, confirmed: None };
        for (kind, ids) in &hints.records {
            let Some(view) = compiled.kinds(side).get(kind) else { continue };
            let ids: Vec<RecordId> = ids.iter().cloned().collect();
            self.extend(&turn, self.world.clock.now()).await?;
            let found = self.fetch_rows(&turn, side, kind, view, &ids, &mut calls).await?;
            // What is not there says nothing: it may be hidden. A whole reading tells what is missing.
            let rows = found.into_values().map(|seen| seen_row(side, kind, view, seen));
            self.take(&turn, rows.collect()).await?;
        }
        Ok(())
    }

    /// Makes the next page of these kinds due. One that fails just now is asked again in its own time, and shows all
    /// that changed until then.
    async fn read_soon(
        &self,
        flow: &RecordFlow,
        side: Side,
        kinds: &BTreeSet<String>,
        held: &Held,
    ) -> StoreResult<bool> {
        if kinds.is_empty() {
            return Ok(true);
        }
        let now = self.world.clock.now();
        let mut pulls = self.world.store.pulls(&flow.workspace, &flow.id).await?;
        pulls
            .retain(|pull| pull.side == side && kinds.contains(&pull.kind) && pull.failures == 0 && pull.next_at > now);
        if pulls.is_empty() {
            return Ok(true);
        }
        for pull in &mut pulls {
            pull.next_at = now;
        }
        let (workspace, integration) = (flow.workspace.clone(), flow.id.clone());
        let take = TakeRows { workspace, integration, held: held.clone(), now, rows: Vec::new(), pulls };
        Ok(self.world.store.take_rows(take).await?.is_some())
    }
}

fn not_now() -> syncline_connect::Error {
    use syncline_connect::{Error, ErrorKind, Retry};
    Error::new(ErrorKind::Unavailable, Retry::Backoff, "read", "the integration rests")
}

#[cfg(test)]
mod tests;
