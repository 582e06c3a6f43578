//! Looking what became of writes whose outcome nobody knows yet, and reading records that a decision waits for. A
//! write is never repeated before its target was read: what is found is a fact like any other, and decided about anew.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use syncline_connect::{
    Retry,
    mirror::{Lookup, RowOutcome, Seen, Written},
};
use syncline_core::{
    ids::{ExternalKey, RecordId},
    merge::{Fate, Images, Row, Side},
    mutant::{self, Mutant},
};
use syncline_store::{
    EntryChange, FinishSweep, FlowStanding, LinkChange, LinkRef, LinkedPair, MadeEntry, SaveRows, SeenRow, StepField,
    StepOp, StoredEntry, StoredStep, SweepEnd,
};

use super::{
    Compiled, DECIDE_BATCH, Halt, LOOK_BATCH, Round, Turn,
    call::{mirrored, paid},
    keep::written_line,
    plan::{Outgoing, Tied, month},
    rows::{kept_key, row_write, seen_row},
    view::KindView,
    write_down::{at_rest, same_link},
};
use crate::engine::Engine;

impl Engine {
    /// Looks at every step whose outcome is due to be seen.
    pub(crate) async fn settle_open(&self, turn: &Turn<'_>, round: &mut Round) -> Result<(), Halt> {
        loop {
            let now = self.world.clock.now();
            let steps = self.world.store.open_steps(&turn.flow.workspace, &turn.flow.id, now, LOOK_BATCH).await?;
            if steps.is_empty() {
                return Ok(());
            }
            let full = steps.len() >= LOOK_BATCH;
            let (tickets, looked): (Vec<_>, Vec<_>) = steps.into_iter().partition(|step| step.ticket.is_some());
            self.collect(turn, tickets, round).await?;
            self.look_after(turn, looked, round).await?;
            if !full {
                return Ok(());
            }
        }
    }

    /// Asks for the outcome of what a vendor took for later, ticket by ticket.
    async fn collect(&self, turn: &Turn<'_>, steps: Vec<StoredStep>, round: &mut Round) -> Result<(), Halt> {
        let mut tickets: BTreeMap<(Side, String, String), Vec<StoredStep>> = BTreeMap::new();
        for step in steps {
            let ticket = step.ticket.clone().unwrap_or_default();
            tickets.entry((step.side, step.kind.clone(), ticket)).or_default().push(step);
        }
        for ((side, kind, ticket), _) in tickets {
            // All of a ticket, also those beyond this page of steps: outcomes are told by position.
            let steps = self.world.store.steps_of_ticket(&turn.flow.workspace, &turn.flow.id, &ticket).await?;
            let mut batch = self.outgoing_again(turn, steps).await?;
            for Tied { source, target, news, .. } in batch.iter_mut().map(|out| &mut out.tied) {
                *news = [Some(&*source), target.as_ref()].into_iter().flatten().any(|entry| entry.due_at.is_some());
            }
            let rows: Vec<_> = batch.iter().map(|out| row_write(turn.compiled, out)).collect();
            let setup = self.side_setup(turn.flow, side).map_err(|error| Halt::Side(side, error))?;
            self.extend(turn, self.world.clock.now()).await?;
            let answer = mirrored!(self, setup, |mirror, cx| mirror.collect(cx, &kind, &ticket, &rows));
            let outcomes = match paid(answer, &mut round.calls) {
                Ok(outcomes) => outcomes,
                // Nobody will ever say what became of it: each record is looked at.
                Err(error) if error.retry == Retry::Never => {
                    Written::Rows(batch.iter().map(|_| RowOutcome::Unknown(error.clone())).collect())
                }
                Err(error) => return Err(Halt::Side(side, error)),
            };
            self.keep_written(turn, &batch, outcomes, round).await?;
        }
        Ok(())
    }

    /// Stored steps with the links and records around them.
    async fn outgoing_again(&self, turn: &Turn<'_>, steps: Vec<StoredStep>) -> Result<Vec<Outgoing>, Halt> {
        let links: Vec<i64> = steps.iter().map(|step| step.link).collect::<BTreeSet<_>>().into_iter().collect();
        let pairs = self.world.store.links_by_id(&turn.flow.workspace, &turn.flow.id, &links).await?;
        let pairs: BTreeMap<i64, LinkedPair> = pairs.into_iter().map(|pair| (pair.link.id, pair)).collect();
        let outgoing = steps.into_iter().filter_map(|step| {
            let pair = pairs.get(&step.link)?;
            let (target, source) = match step.side {
                Side::Left => (pair.left.clone(), pair.right.clone()),
                Side::Right => (pair.right.clone(), pair.left.clone()),
            };
            Some(Outgoing {
                step: step.id,
                side: step.side,
                kind: step.kind,
                pair: pair.link.pair.clone(),
                op: step.op,
                fields: step.fields,
                tied: Tied {
                    link: step.link,
                    images: pair.link.images.clone(),
                    refused: pair.link.refused.clone(),
                    decided: pair.link.decided.clone(),
                    revision: pair.link.revision,
                    source: source?,
                    target,
                    news: false,
                },
            })
        });
        Ok(outgoing.collect())
    }

    /// Reads the targets of steps that nobody knows the end of. What is there is taken as seen; the steps are dropped, and
    /// their records decided about anew: what was written is then agreed, and what was not is planned again.
    async fn look_after(&self, turn: &Turn<'_>, steps: Vec<StoredStep>, round: &mut Round) -> Result<(), Halt> {
        let mut groups: BTreeMap<(Side, String), Vec<Outgoing>> = BTreeMap::new();
        for out in self.outgoing_again(turn, steps).await? {
            groups.entry((out.side, out.kind.clone())).or_default().push(out);
        }
        for ((side, kind), batch) in groups {
            let Some(view) = turn.compiled.kinds(side).get(&kind) else { continue };
            let ids: Vec<RecordId> = batch.iter().filter_map(|out| record_of(&out.op)).collect();
            let found = self.fetch_rows(turn, side, &kind, view, &ids, &mut round.calls).await?;
            let keys: Vec<ExternalKey> = batch.iter().filter_map(|out| key_of(&out.op)).collect();
            let mut made = self.find_made(turn, side, &kind, view, &keys, round).await?;
            self.find_alike(turn, side, &kind, view, &batch, &mut made, round).await?;
            let looked = Looked { side, kind: &kind, view, compiled: turn.compiled, found, made };
            for part in batch.chunks(DECIDE_BATCH) {
                let now = self.world.clock.now();
                let (save, rows) = looked.settle(part, now, round);
                round.more |= self.save(turn, now, save).await?;
                self.take_named(turn, rows).await?;
            }
        }
        Ok(())
    }

    async fn find_made(
        &self,
        turn: &Turn<'_>,
        side: Side,
        kind: &str,
        view: &KindView,
        keys: &[ExternalKey],
        round: &mut Round,
    ) -> Result<BTreeMap<ExternalKey, Seen>, Halt> {
        if keys.is_empty() {
            return Ok(BTreeMap::new());
        }
        let found = self.find_rows(turn, side, kind, view, Lookup::Key(keys), &mut round.calls).await?;
        Ok(found.into_iter().filter_map(|seen| Some((seen.key.clone()?, seen))).collect())
    }

    /// Adds who is not found by our key, which not every vendor keeps, but bears the address where there is one record to
    /// each: whoever made it, it may have been we, and it is nobody else's counterpart.
    #[expect(clippy::too_many_arguments, reason = "what is looked for, where, and what is known already")]
    async fn find_alike(
        &self,
        turn: &Turn<'_>,
        side: Side,
        kind: &str,
        view: &KindView,
        batch: &[Outgoing],
        made: &mut BTreeMap<ExternalKey, Seen>,
        round: &mut Round,
    ) -> Result<(), Halt> {
        let mut sought: BTreeMap<&str, ExternalKey> = BTreeMap::new();
        for out in batch {
            let address = out.tied.source.match_key.as_deref().filter(|_| view.spec.one_per_email);
            let key = key_of(&out.op).filter(|key| !made.contains_key(key));
            sought.extend(address.zip(key));
        }
        if sought.is_empty() {
            return Ok(());
        }
        let addresses: Vec<String> = sought.keys().map(|address| (*address).to_owned()).collect();
        let found = self.find_rows(turn, side, kind, view, Lookup::Email(&addresses), &mut round.calls).await?;
        let ids: Vec<RecordId> = found.iter().map(|seen| seen.id.clone()).collect();
        let (workspace, flow) = (&turn.flow.workspace, &turn.flow.id);
        let known = self.world.store.rows_by_record(workspace, flow, side, kind, &ids).await?;
        for seen in found {
            let is_taken = known.iter().any(|entry| entry.record == seen.id && entry.link.is_some());
            let row = seen_row(side, kind, view, seen.clone());
            if let Some(key) = row.match_key.as_deref().and_then(|address| sought.get(address)).filter(|_| !is_taken) {
                made.insert(key.clone(), seen);
            }
        }
        Ok(())
    }

    /// A whole reading has come to its end: what it did not show is missing, unless that is more than can be believed.
    pub(crate) async fn end_sweep(&self, turn: &Turn<'_>, side: Side, kind: &str, sweep: i64) -> Result<(), Halt> {
        let end = FinishSweep {
            workspace: turn.flow.workspace.clone(),
            integration: turn.flow.id.clone(),
            held: turn.held.clone(),
            now: self.world.clock.now(),
            side,
            kind: kind.to_owned(),
            sweep,
            confirmed: turn.confirmed.is_some(),
        };
        match self.world.store.finish_sweep(end).await? {
            None => Err(Halt::Lost),
            Some(SweepEnd::Done { .. }) => Ok(()),
            Some(SweepEnd::TooMany { missing, total }) => {
                let reason = format!(
                    "{missing} of {total} records of kind {kind} are missing on the {} side; `syncline records preview {name}` shows what would be deleted for them; if they were deleted on purpose, let it go on with `syncline records run {name} --confirm-deletes`",
                    side.as_str(),
                    name = turn.flow.id
                );
                self.set_standing(turn.flow, FlowStanding::Stopped, Some(reason), None).await?;
                Err(Halt::Stopped)
            }
        }
    }
}

/// What a look showed of records whose writes nobody knows the end of.
struct Looked<'a> {
    side: Side,
    kind: &'a str,
    view: &'a KindView,
    compiled: &'a Compiled,
    found: BTreeMap<RecordId, Seen>,
    made: BTreeMap<ExternalKey, Seen>,
}

impl Looked<'_> {
    /// Drops the steps and lets their records be decided about anew; yields the rows that were seen as well.
    fn settle(&self, batch: &[Outgoing], now: Timestamp, round: &mut Round) -> (SaveRows, Vec<SeenRow>) {
        let mut save = SaveRows { month: month(now), ..SaveRows::default() };
        let mut rows: Vec<SeenRow> = Vec::new();
        for out in batch {
            save.drop_steps.push(out.step);
            let (link, due_at) = (Some(LinkRef::Known(out.tied.link)), Some(now));
            save.entries.push(EntryChange { link, due_at, ..at_rest(&out.tied.source) });
            let done = match &out.op {
                StepOp::Create { key } => self.made.get(key).map(|seen| {
                    round.created += 1;
                    save.links.push(adopt_made(out, seen, self.view));
                    rows.push(self.row(seen));
                    &seen.id
                }),
                StepOp::Update { record, .. } | StepOp::Delete { record, .. } => match self.found.get(record) {
                    Some(seen) => {
                        let row = self.row(seen);
                        let is_done = is_written(out, &row.row);
                        round.updated += usize::from(is_done);
                        rows.push(row);
                        is_done.then_some(record)
                    }
                    None => {
                        let is_done = matches!(out.op, StepOp::Delete { .. });
                        round.deleted += usize::from(is_done);
                        save.entries.extend(out.tied.target.as_ref().map(gone));
                        is_done.then_some(record)
                    }
                },
            };
            if let Some(record) = done {
                save.tasks += 1;
                save.journal.push(written_line(self.compiled, out, record, now));
            }
        }
        (save, rows)
    }

    fn row(&self, seen: &Seen) -> SeenRow {
        seen_row(self.side, self.kind, self.view, seen.clone())
    }
}

/// Whether a step may have been carried out, although nobody said so: then it counts as a transfer. It was not where the
/// record still shows all that it did before.
fn is_written(out: &Outgoing, row: &Row) -> bool {
    if mutant::on(Mutant::LookUncounted) {
        return false;
    }
    let as_before = |field: &StepField| field.seen.is_some() && row.get(&field.rule) == field.seen.as_ref();
    matches!(out.op, StepOp::Update { .. }) && !out.fields.iter().all(as_before)
}

fn gone(entry: &StoredEntry) -> EntryChange {
    EntryChange { fate: Fate::Deleted, ..at_rest(entry) }
}

fn record_of(op: &StepOp) -> Option<RecordId> {
    match op {
        StepOp::Update { record, .. } | StepOp::Delete { record, .. } => Some(record.clone()),
        StepOp::Create { .. } => None,
    }
}

fn key_of(op: &StepOp) -> Option<ExternalKey> {
    match op {
        StepOp::Create { key } => Some(key.clone()),
        StepOp::Update { .. } | StepOp::Delete { .. } => None,
    }
}

/// The record that was made after all takes its place in the link; what both hold is compared as for the first time.
fn adopt_made(out: &Outgoing, seen: &Seen, view: &KindView) -> LinkChange {
    let row = seen_row(out.side, &out.kind, view, seen.clone());
    let made = MadeEntry {
        side: out.side,
        kind: out.kind.clone(),
        record: seen.id.clone(),
        match_key: row.match_key.or_else(|| out.tied.source.match_key.clone()),
    };
    let (left, right) = match out.side {
        Side::Left => (None, Some(out.tied.source.id)),
        Side::Right => (Some(out.tied.source.id), None),
    };
    let link = syncline_store::StoredLink {
        id: out.tied.link,
        pair: out.pair.clone(),
        left,
        right,
        images: seen.key.iter().filter_map(|key| kept_key(view, out.side, key)).collect::<Images>(),
        refused: out.tied.refused.clone(),
        decided: Vec::new(),
        revision: out.tied.revision,
        unreadable: false,
    };
    LinkChange { made: Some(made), ..same_link(&link) }
}
