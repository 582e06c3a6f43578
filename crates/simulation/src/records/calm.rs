//! The calm after the chaos: nothing goes wrong any more, an operator does his part, and everything must come to rest.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use syncline_core::{Clock, merge::Side};
use syncline_engine::{Engine, records::RecordFlow};
use syncline_store::{ConnectionStatus, FlowCounts, FlowStanding, FlowState, PAGE_MAX, PullPhase, PullState};

use super::{
    company::{SWEEP_EVERY, workspace},
    wires::Wires,
};
use crate::sim::lock;

/// How often the operator looks.
const LOOK_EVERY: Duration = Duration::from_secs(240);
/// How long it may take until all is done: a vendor may ask for a pause of a day, and a clock that ran a day ahead has put
/// off everything by as much.
const BOUND: Duration = Duration::from_secs(30 * 3600);
/// How often the operator has what is held back tried again.
const RETRIES: u32 = 3;

/// How often each kind of each side of each integration was begun to be read as a whole.
type Readings = BTreeMap<(usize, Side, String), i64>;

/// The operator, with an engine of his own for what the command line would do.
pub struct Operator<'a> {
    pub wires: &'a Arc<Wires>,
    pub engine: &'a Arc<Engine>,
    /// The number under which his rounds are known.
    pub number: usize,
}

impl Operator<'_> {
    fn flows(&self) -> &[RecordFlow] {
        &self.engine.setup().records
    }

    /// Waits until everything is done; says how long it took, and whether it came to rest.
    pub async fn settle(&self) -> (Duration, bool) {
        let sim = &self.wires.sim;
        let began = sim.clock.elapsed();
        let until = began + BOUND;
        let read = self.readings().await;
        let (mut retries, mut before) = (0, None);
        while sim.clock.elapsed() < until {
            tokio::time::sleep(LOOK_EVERY).await;
            self.reconnect().await;
            self.go_on().await;
            // What was written last has to be seen by the other integrations.
            let written = self.written();
            let still = before.replace(written) == Some(written);
            if !self.is_quiet(&read).await || !still {
                continue;
            }
            if retries == RETRIES || !self.retry().await {
                return (sim.clock.elapsed().saturating_sub(began), true);
            }
            retries += 1;
        }
        let mut words = String::new();
        for flow in self.flows() {
            let pulls = sim.store.pulls(&flow.workspace, &flow.id).await.unwrap_or_default();
            let problems: Vec<_> = pulls.into_iter().map(|pull| (pull.side, pull.next_at, pull.problem)).collect();
            words += &format!(" {}: {:?} {problems:?};", flow.id, self.counts(flow).await);
        }
        sim.violation("J1", format!("not at rest after {:?};{words}", until.saturating_sub(began)));
        (until.saturating_sub(began), false)
    }

    async fn counts(&self, flow: &RecordFlow) -> FlowCounts {
        self.wires.sim.store.flow_counts(&flow.workspace, &flow.id).await.unwrap_or_default()
    }

    /// How often each kind was read as a whole: times are no measure, where a clock ran ahead.
    async fn readings(&self) -> Readings {
        let mut readings = Readings::new();
        for (at, flow) in self.flows().iter().enumerate() {
            for pull in self.wires.sim.store.pulls(&flow.workspace, &flow.id).await.unwrap_or_default() {
                readings.insert((at, pull.side, pull.kind), pull.sweep);
            }
        }
        readings
    }

    /// Nothing is stopped, due or under way, and both sides were read as a whole since the calm began.
    async fn is_quiet(&self, before: &Readings) -> bool {
        for (at, flow) in self.flows().iter().enumerate() {
            let state = self.wires.sim.store.flow_state(&flow.workspace, &flow.id).await.ok().flatten();
            if state.is_some_and(|state| state.standing == FlowStanding::Stopped) {
                return false;
            }
            let counts = self.counts(flow).await;
            let pulls = self.wires.sim.store.pulls(&flow.workspace, &flow.id).await.unwrap_or_default();
            let fresh = |pull: &PullState| {
                let before = before.get(&(at, pull.side, pull.kind.clone())).copied().unwrap_or(0);
                pull.phase == PullPhase::Changes && pull.sweep > before
            };
            if counts.due + counts.open_steps > 0 || pulls.is_empty() || !pulls.iter().all(fresh) {
                return false;
            }
        }
        true
    }

    /// He connects again what was lost.
    async fn reconnect(&self) {
        let sim = &self.wires.sim;
        for row in sim.store.connections(&workspace()).await.unwrap_or_default() {
            if row.status == ConnectionStatus::NeedsReconnect
                && let Some(setup) = self.engine.setup().connection(&row.workspace, &row.connection)
            {
                let done = self.engine.reconnect(setup).await;
                sim.note(|| format!("the operator connects {} again: {done:?}", row.connection));
                drop(sim.store.set_status(&row.workspace, &row.connection, ConnectionStatus::Connected, None).await);
            }
        }
    }

    /// He has looked at what stopped, and it may go on: whatever is missing was deleted on purpose.
    async fn go_on(&self) {
        let sim = &self.wires.sim;
        for (at, flow) in self.flows().iter().enumerate() {
            let state = sim.store.flow_state(&flow.workspace, &flow.id).await.ok().flatten();
            let Some(FlowState { standing: FlowStanding::Stopped, reason, .. }) = state else { continue };
            if reason.as_ref().is_none_or(String::is_empty) {
                sim.violation("J4", format!("{} stopped without a word", flow.id));
            }
            sim.note(|| format!("the operator confirms: {reason:?}"));
            self.wires.braked();
            drop(self.engine.set_standing(flow, FlowStanding::Active, None, Some("operator")).await);
            self.wires.round_begins(self.number, at);
            let end = self.engine.records_round(flow, true).await;
            sim.note(|| format!("operator {} {end:?}", flow.id));
        }
    }

    /// He has everything tried again that is held back; whether there was anything.
    async fn retry(&self) -> bool {
        let sim = &self.wires.sim;
        let mut any = false;
        for flow in self.flows() {
            let holds = sim.store.holds(&flow.workspace, &flow.id, None, PAGE_MAX).await.unwrap_or_default();
            if let Some(bare) = holds.iter().find(|held| held.hold.reason.is_empty() || held.hold.fix.is_empty()) {
                sim.violation("J4", format!("{} {} is held without a reason or a fix", bare.kind, bare.record));
            }
            let released = sim.store.release_holds(&flow.workspace, &flow.id, None, sim.clock.now()).await.unwrap_or(0);
            any |= released > 0;
        }
        any
    }

    /// How many fields, records and deals programs have written.
    fn written(&self) -> (u64, u64, u64) {
        let ledger = lock(&self.wires.ledger);
        (ledger.changes, ledger.transfers.values().sum::<u64>(), ledger.deal_writes)
    }

    /// Once more through everything, and nothing may be written.
    pub async fn once_more(&self) {
        let before = self.written();
        tokio::time::sleep(SWEEP_EVERY.unsigned_abs() + LOOK_EVERY).await;
        let after = self.written();
        if after != before {
            self.wires.sim.violation("J3", format!("writes although everything was done: {before:?} became {after:?}"));
        }
    }
}
