//! What activating an integration would do, before anything is written: counts, and a sample of each.

use std::collections::HashSet;

use jiff::SignedDuration;
use serde::Serialize;
use syncline_core::merge::{Decision, Fate, Side};
use syncline_store::{FlowStanding, Held, Work};

use super::{
    Compiled, DECIDE_BATCH, Halt, RecordFlow, RoundEnd, Turn,
    batch::Decided,
    write_down::{named, shown_value},
};
use crate::engine::Engine;

/// Samples of each kind that are shown.
const SAMPLES_MAX: usize = 5;

/// Records that a preview looks at, and as many again of those that are missing: enough to see whether the mapping, or a
/// deletion, is what was meant.
const PREVIEW_MAX: usize = 2_000;

/// What would be done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Preview {
    /// Records that were looked at, of as many as wait. Those that are missing, but too many to be believed, wait for a
    /// person's word: they are counted up to those that were looked at.
    pub looked_at: usize,
    pub waiting: u64,
    /// Whether both sides are read as a whole; otherwise the numbers tell of what was read until now, and the next preview
    /// reads on.
    pub complete: bool,
    pub tied: usize,
    pub created_left: usize,
    pub created_right: usize,
    /// Tied records of which one side would be told something.
    pub changed: usize,
    /// Records that would be deleted because their counterparts are gone or missing, on both sides and on each.
    pub deleted: usize,
    pub deleted_left: usize,
    pub deleted_right: usize,
    pub held: usize,
    pub left_alone: usize,
    /// Rows of the mapping that cannot work with the accounts as they are.
    pub dropped: Vec<String>,
    pub samples: Vec<Sample>,
}

/// One record of a preview.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sample {
    /// `tied`, `created`, `changed`, `deleted`, `held` or `left alone`.
    pub what: &'static str,
    /// Of what would be deleted the record that would be.
    pub record: String,
    pub other: Option<String>,
    /// Per field: side, name, value that it would have.
    pub fields: Vec<Told>,
    pub why: Option<String>,
}

impl Engine {
    /// Reads both sides and tells what would be done. Nothing is written to either.
    pub async fn records_preview(&self, flow: &RecordFlow) -> syncline_store::Result<Result<Preview, RoundEnd>> {
        self.records_preview_within(flow, SignedDuration::MAX).await
    }

    /// The same, but reads no further page once so much time has passed. What was read is kept.
    pub async fn records_preview_within(
        &self,
        flow: &RecordFlow,
        time: SignedDuration,
    ) -> syncline_store::Result<Result<Preview, RoundEnd>> {
        let lease = self.options.call.saturating_mul(super::LEASE_CALLS);
        let Some(held) = self.hold(&flow.workspace, format!("records:{}", flow.id), lease).await? else {
            return Ok(Err(RoundEnd::Held));
        };
        let ended = self.preview_while_held(flow, &held, time).await;
        self.let_go(&flow.workspace, &held).await;
        match ended {
            Ok(preview) => Ok(Ok(preview)),
            Err(Halt::Store(error)) => Err(error),
            Err(Halt::Lost) => Ok(Err(RoundEnd::Held)),
            Err(Halt::Stopped) => Ok(Err(RoundEnd::NotActive(FlowStanding::Stopped))),
            Err(Halt::Side(side, error) | Halt::Hidden { side, error, .. }) => {
                Ok(Err(RoundEnd::Failed { side: side.as_str(), error }))
            }
        }
    }

    async fn preview_while_held(&self, flow: &RecordFlow, held: &Held, time: SignedDuration) -> Result<Preview, Halt> {
        let mut round = super::Round::default();
        let compiled = self.compiled(flow, &mut round.calls).await?;
        let state = self.world.store.flow_state(&flow.workspace, &flow.id).await?;
        let now = self.world.clock.now();
        let since = state.filter(|state| state.standing != FlowStanding::Draft).and_then(|state| state.since);
        let turn = Turn { flow, compiled: &compiled, held, since: Some(since.unwrap_or(now)), confirmed: None };
        loop {
            round.more = false;
            self.extend(&turn, self.world.clock.now()).await?;
            match self.pull_due(&turn, &mut round).await {
                // It writes to neither side anyway: what else is to be read is read.
                Err(Halt::Stopped) => round.more = true,
                pulled => drop(pulled?),
            }
            if !round.more || self.world.clock.now().duration_since(now) >= time {
                break;
            }
        }
        let now = self.world.clock.now();
        let mut works = self.world.store.due_rows(&flow.workspace, &flow.id, now, PREVIEW_MAX).await?;
        let missing = self.missing_works(flow, &works).await?;
        let mut preview = Preview {
            waiting: self.world.store.flow_counts(&flow.workspace, &flow.id).await?.due + missing.len() as u64,
            complete: !round.more,
            dropped: compiled.left_out_lines(),
            ..Preview::default()
        };
        works.extend(missing);
        for works in works.chunks(DECIDE_BATCH) {
            let mut batch = self.batch(&turn, works).await?;
            for work in works {
                if let Some(decided) = batch.decide(work) {
                    preview.looked_at += 1;
                    preview.count(&compiled, &decided);
                }
            }
        }
        Ok(preview)
    }

    /// Whom the last whole reading did not show, as they will be once a person confirms that: missing.
    async fn missing_works(&self, flow: &RecordFlow, due: &[Work]) -> Result<Vec<Work>, Halt> {
        let known: HashSet<i64> = due.iter().map(|work| work.entry.id).collect();
        let mut unseen = self.world.store.unseen_rows(&flow.workspace, &flow.id, PREVIEW_MAX).await?;
        unseen.retain(|id| !known.contains(id));
        let mut works = self.world.store.rows_by_id(&flow.workspace, &flow.id, &unseen).await?;
        works.iter_mut().for_each(|work| work.entry.fate = Fate::Missing);
        Ok(works)
    }
}

impl Preview {
    fn count(&mut self, compiled: &Compiled, decided: &Decided<'_>) {
        let entry = &decided.work.entry;
        let mut record = entry;
        let (what, fields, why): (&'static str, Vec<Told>, Option<String>) = match &decided.decision {
            Decision::Adopt { pair, merge, .. } => {
                self.tied += 1;
                ("tied", changes(compiled, &compiled.flow.pairs[*pair].name, merge), None)
            }
            Decision::Create { pair, to, first } => {
                match to {
                    Side::Left => self.created_left += 1,
                    Side::Right => self.created_right += 1,
                }
                let pair = &compiled.flow.pairs[*pair].name;
                let fields = first.values.iter().map(|change| told(compiled, pair, *to, change)).collect();
                ("created", fields, None)
            }
            Decision::Merge { pair, merge } if !merge.writes_nothing() => {
                self.changed += 1;
                ("changed", changes(compiled, &compiled.flow.pairs[*pair].name, merge), None)
            }
            Decision::Delete { to } => {
                self.deleted += 1;
                match to {
                    Side::Left => self.deleted_left += 1,
                    Side::Right => self.deleted_right += 1,
                }
                let both = [Some(entry), decided.work.partner.as_ref()].into_iter().flatten();
                let (goes, gone): (Vec<_>, Vec<_>) = both.partition(|one| one.side == *to);
                record = goes.first().copied().unwrap_or(entry);
                ("deleted", Vec::new(), gone.first().map(|gone| format!("{} is gone", named(gone))))
            }
            Decision::Hold(hold) => {
                self.held += 1;
                ("held", Vec::new(), Some(hold.reason.clone()))
            }
            Decision::Rest { note: Some(note) } | Decision::Detach { note } => {
                self.left_alone += 1;
                ("left alone", Vec::new(), Some(note.clone()))
            }
            _ => {
                self.left_alone += 1;
                return;
            }
        };
        if self.samples.iter().filter(|sample| sample.what == what).count() < SAMPLES_MAX {
            let other = decided.other.as_ref().map(named);
            self.samples.push(Sample { what, record: named(record), other, fields, why });
        }
    }
}

/// Side, field and value.
pub type Told = (String, String, serde_json::Value);

fn changes(compiled: &Compiled, pair: &str, merge: &syncline_core::merge::RowMerge) -> Vec<Told> {
    let to = |side: Side, changes: &[syncline_core::merge::Change]| -> Vec<Told> {
        changes.iter().map(|change| told(compiled, pair, side, change)).collect()
    };
    let mut all = to(Side::Left, &merge.to_left);
    all.extend(to(Side::Right, &merge.to_right));
    all
}

fn told(compiled: &Compiled, pair: &str, side: Side, change: &syncline_core::merge::Change) -> Told {
    let field = compiled.field(pair, change.key, side).unwrap_or_default().to_owned();
    (side.as_str().to_owned(), field, shown_value(&change.target))
}
