//! Records in step: one integration at a time is read, decided about, written and settled, by whoever holds its lease.
//!
//! [`Engine::records_round`] is one round without timers; [`Engine::keep_records`] turns them. What is to be done about
//! a record is decided in `syncline_core::merge`; here is only who asks, stores and sends.

mod acts;
mod asks;
mod batch;
mod call;
mod deletes;
mod gather;
mod hinted;
mod hints;
mod keep;
mod listen;
mod plan;
mod preview;
mod pull;
mod push;
mod reads;
mod refused;
mod relations;
mod rows;
mod settle;
mod setup;
mod verify;
mod view;
mod write_down;

pub use self::{
    asks::AskRefused,
    gather::Gather,
    listen::Listening,
    preview::{Preview, Sample},
    setup::{RecordFlow, RecordFlowState, RuleNames, SideSetup},
    view::Compiled,
};
pub(crate) use self::{call::paid, hinted::LastWords, hints::Wakes, pull::LongLooks, view::CompiledFlows};

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use syncline_core::{
    ids::ConnectionId,
    merge::{Side, Weight},
};
use syncline_store::{
    ConnectionStatus, FlowStanding, FlowState, Held, JournalEntry, JournalKind, Result as StoreResult, SaveRows,
};
use tokio_util::sync::CancellationToken;

use crate::engine::Engine;

/// Records whose decisions one transaction writes down.
pub(crate) const DECIDE_BATCH: usize = 500;

/// Records that are decided about together: what they are about to write is read once more before, and the vendor that
/// reads most by one call reads so many.
pub(crate) const LOOK_BATCH: usize = 5_000;

/// Writes that a round gathers before it sends them: with many waiting, vendors have cheaper ways. It bounds the memory
/// of a round, whatever the size of the accounts.
pub(crate) const ROUND_WRITES_MAX: usize = 10_000;

/// Pages of one side that a round reads before it decides.
pub(crate) const ROUND_PAGES_MAX: usize = 20;

/// Calls that fit into one lease of a round: it is renewed before each read and write, of which some take several.
const LEASE_CALLS: i32 = 10;

/// Looks at one side within a round that fields may spoil by going away, one after the other.
const HIDDEN_MAX: usize = 10;

/// How often to see whether it is time.
const LOOK_EVERY: std::time::Duration = std::time::Duration::from_secs(5);

/// What is to be said of a mapping, a sentence each.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RecordsCheck {
    /// What cannot work.
    pub refused: Vec<String>,
    /// Values that will be cut or held back, and the like.
    pub warnings: Vec<String>,
}

/// What a round did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Round {
    /// Rows that were read, and those among them that said something new.
    pub read: usize,
    pub changed: usize,
    /// Records that were decided about.
    pub decided: usize,
    pub adopted: usize,
    pub created: usize,
    pub updated: usize,
    pub deleted: usize,
    /// Records that rest although something of them is held back.
    pub held: usize,
    /// Calls that vendors count.
    pub calls: u32,
    /// There is more to do at once.
    pub more: bool,
}

impl Round {
    /// Whether nothing was written or decided.
    pub fn idle(&self) -> bool {
        self.decided == 0 && self.created + self.updated + self.deleted == 0
    }
}

/// How a round ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoundEnd {
    Done(Round),
    /// It is a draft, paused, or stopped, be it by this round itself.
    NotActive(FlowStanding),
    /// Another process has the integration.
    Held,
    /// A connection rests: its share of the day's calls is used up, or a person has to connect it again.
    Resting {
        connection: ConnectionId,
    },
    /// A side could not be asked, and the round went no further.
    Failed {
        side: &'static str,
        error: syncline_connect::Error,
    },
}

/// One round: of what, by which right, on which conditions.
pub(crate) struct Turn<'a> {
    pub(crate) flow: &'a RecordFlow,
    pub(crate) compiled: &'a Compiled,
    pub(crate) held: &'a Held,
    /// When the integration was activated.
    pub(crate) since: Option<Timestamp>,
    /// When a person said that whatever is missing was deleted on purpose, while that holds.
    pub(crate) confirmed: Option<Timestamp>,
}

/// A failure of the store, or of one side's vendor.
pub(crate) enum Halt {
    Store(syncline_store::Error),
    /// The lease is somebody else's by now: whatever is done from here on is theirs.
    Lost,
    /// The integration was stopped: a person has to look before anything else is written.
    Stopped,
    Side(Side, syncline_connect::Error),
    /// A side does not show these fields any more: the mapping goes on without them.
    Hidden {
        side: Side,
        fields: Vec<String>,
        error: syncline_connect::Error,
    },
}

impl From<syncline_store::Error> for Halt {
    fn from(error: syncline_store::Error) -> Self {
        Halt::Store(error)
    }
}

impl Engine {
    /// One round of an integration: what has no outcome yet is looked at, both sides are read, everything due is decided
    /// and written.
    ///
    /// With `confirm_deletes` a person says that whatever is missing was deleted on purpose: an integration that stopped
    /// goes on, both sides are read as a whole, and the word holds for this round and for those after it, until what it was
    /// said of is done.
    pub async fn records_round(&self, flow: &RecordFlow, confirm_deletes: bool) -> StoreResult<RoundEnd> {
        let state = self.world.store.flow_state(&flow.workspace, &flow.id).await?;
        match state {
            Some(FlowState { standing: FlowStanding::Active, .. }) => {}
            Some(FlowState { standing: FlowStanding::Stopped, .. }) if confirm_deletes => {}
            Some(state) => return Ok(RoundEnd::NotActive(state.standing)),
            None => return Ok(RoundEnd::NotActive(FlowStanding::Draft)),
        }
        if confirm_deletes && !self.confirm(flow).await? {
            return Ok(RoundEnd::Held);
        }
        if let Some(connection) = self.resting(flow).await? {
            return Ok(RoundEnd::Resting { connection });
        }
        let lease = self.options.call.saturating_mul(LEASE_CALLS);
        let Some(held) = self.hold(&flow.workspace, format!("records:{}", flow.id), lease).await? else {
            return Ok(RoundEnd::Held);
        };
        let since = state.and_then(|state| state.since);
        let ended = self.round_while_held(flow, &held, since).await;
        self.let_go(&flow.workspace, &held).await;
        match ended {
            Ok(round) => Ok(RoundEnd::Done(round)),
            Err(Halt::Store(error)) => Err(error),
            Err(Halt::Lost) => Ok(RoundEnd::Held),
            Err(Halt::Stopped) => Ok(RoundEnd::NotActive(FlowStanding::Stopped)),
            Err(Halt::Side(side, error) | Halt::Hidden { side, error, .. }) => {
                Ok(RoundEnd::Failed { side: side.as_str(), error })
            }
        }
    }

    /// A connection of the integration that must not be called now.
    pub(crate) async fn resting(&self, flow: &RecordFlow) -> StoreResult<Option<ConnectionId>> {
        let now = self.world.clock.now();
        let rows = self.world.store.connections(&flow.workspace).await?;
        let sides = [&flow.left.connection, &flow.right.connection];
        let rests = |row: &syncline_store::ConnectionRow| {
            sides.contains(&&row.connection)
                && (row.status == ConnectionStatus::NeedsReconnect || row.paused_until.is_some_and(|until| now < until))
        };
        Ok(rows.into_iter().find(rests).map(|row| row.connection))
    }

    async fn round_while_held(&self, flow: &RecordFlow, held: &Held, since: Option<Timestamp>) -> Result<Round, Halt> {
        let mut round = Round::default();
        let confirmed = self.confirmed(flow).await?;
        let mut compiled = self.compiled(flow, &mut round.calls).await?;
        self.settle_open(&Turn { flow, compiled: &compiled, held, since, confirmed }, &mut round).await?;
        let mut is_read = false;
        for left in (0..HIDDEN_MAX).rev() {
            let turn = Turn { flow, compiled: &compiled, held, since, confirmed };
            match self.pull_due(&turn, &mut round).await {
                Err(Halt::Hidden { side, fields, .. }) if left > 0 => {
                    self.tell_hidden(&turn, side, &fields).await?;
                    compiled = self.compiled(flow, &mut round.calls).await?;
                }
                pulled => {
                    is_read = pulled?;
                    break;
                }
            }
        }
        let turn = Turn { flow, compiled: &compiled, held, since, confirmed };
        self.carry_out_asks(&turn, &mut round).await?;
        if is_read {
            self.decide_and_push(&turn, &mut round).await?;
            self.end_confirmation(&turn, round.more).await?;
        }
        metrics::counter!("syncline_record_rounds_total").increment(1);
        Ok(round)
    }

    /// Says that fields of the mapping are left out because their account does not show them any more.
    async fn tell_hidden(&self, turn: &Turn<'_>, side: Side, fields: &[String]) -> Result<(), Halt> {
        let (name, now) = (&turn.flow.id, self.world.clock.now());
        let (fields, side) = (fields.join(", "), side.as_str());
        tracing::warn!(integration.id = %name, "The {side} side of {name} hides {fields}; it goes on without");
        let text = format!(
            "{name}: the {side} side does not show {fields} any more; the mapping goes on without, see `syncline records check {name}`"
        );
        let details = serde_json::json!({ "action": "left_out", "side": side });
        let line = JournalEntry { at: now, kind: JournalKind::Operator, text, details };
        let save = SaveRows { month: plan::month(now), journal: vec![line], ..SaveRows::default() };
        self.save(turn, now, save).await.map(drop)
    }

    /// Keeps all integrations in step until `stop`, each at its own pace: none waits for another's vendor. What is written
    /// through the API meanwhile is taken up, and what is changed or dropped is let go.
    pub async fn keep_records(self: &Arc<Self>, stop: CancellationToken) {
        self.keep_all::<RecordFlow>(stop).await;
    }

    pub(crate) async fn keep_flow(&self, flow: &RecordFlow, stop: CancellationToken) {
        let wake = self.wakes.of(flow);
        while !stop.is_cancelled() {
            let more = match self.records_round(flow, false).await {
                Ok(RoundEnd::Done(round)) => round.more,
                Ok(RoundEnd::Failed { side, error }) => {
                    tracing::warn!(integration.id = %flow.id, error.kind = ?error.kind,
                        "The {side} side of {} could not be asked: {}", flow.id, error.message);
                    false
                }
                Ok(RoundEnd::NotActive(_) | RoundEnd::Held | RoundEnd::Resting { .. }) => false,
                Err(error) => {
                    tracing::warn!(%error, "The database did not answer; trying again");
                    false
                }
            };
            let pause = if more { std::time::Duration::ZERO } else { LOOK_EVERY };
            tokio::select! {
                biased;
                () = tokio::time::sleep(pause) => {}
                () = wake.notified() => {}
                () = stop.cancelled() => {}
            }
        }
    }

    /// What is to be said of the mapping with the accounts as they are.
    pub async fn records_check(&self, flow: &RecordFlow) -> StoreResult<Result<RecordsCheck, RoundEnd>> {
        self.forget_compiled(flow);
        let compiled = match self.compiled_or_end(flow).await? {
            Ok(compiled) => compiled,
            Err(end) => return Ok(Err(end)),
        };
        let refused = compiled.left_out_lines();
        Ok(Ok(RecordsCheck { refused, warnings: compiled.finding_lines(Weight::Warning) }))
    }

    async fn compiled_or_end(&self, flow: &RecordFlow) -> StoreResult<Result<Arc<Compiled>, RoundEnd>> {
        match self.compiled(flow, &mut 0).await {
            Ok(compiled) => Ok(Ok(compiled)),
            Err(Halt::Store(error)) => Err(error),
            Err(Halt::Lost) => Ok(Err(RoundEnd::Held)),
            Err(Halt::Stopped) => Ok(Err(RoundEnd::NotActive(FlowStanding::Stopped))),
            Err(Halt::Side(side, error) | Halt::Hidden { side, error, .. }) => {
                Ok(Err(RoundEnd::Failed { side: side.as_str(), error }))
            }
        }
    }

    /// How an integration stands.
    pub async fn records_status(&self, flow: &RecordFlow) -> StoreResult<RecordFlowState> {
        let (store, month) = (&self.world.store, plan::month(self.world.clock.now()));
        Ok(RecordFlowState {
            state: store.flow_state(&flow.workspace, &flow.id).await?,
            pulls: store.pulls(&flow.workspace, &flow.id).await?,
            counts: store.flow_counts(&flow.workspace, &flow.id).await?,
            quota: store.quota_use(&flow.workspace, &flow.id, &month).await?,
            month,
            next_at: store.flow_next_due(&flow.workspace, &flow.id).await?,
        })
    }
}

/// A time from now.
pub(crate) fn later(now: Timestamp, pause: SignedDuration) -> Timestamp {
    now.saturating_add(pause).unwrap_or(Timestamp::MAX)
}
