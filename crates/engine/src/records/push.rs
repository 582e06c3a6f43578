//! Sending what was planned, in as few calls as the vendor allows, and keeping what became of it.

use std::{collections::BTreeMap, time::Duration};

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use syncline_connect::{
    Error, ErrorKind, Retry,
    mirror::{Op, RowOutcome, RowWrite, Seen, Written},
};
use syncline_core::{
    backoff,
    ids::RecordId,
    merge::{Base, Change, Images, Row, RuleKey, Side, payload_digest},
    record::Value,
};
use syncline_store::{
    EntryChange, Held, JournalEntry, JournalKind, LinkChange, LinkRef, MadeEntry, SaveRows, StepField, StepOp,
    StoredEntry,
};

use super::{
    Compiled, Halt, RecordFlow, Round,
    call::{mirror, mirrored, paid},
    later,
    plan::{Outgoing, month},
    write_down::{at_rest, named, refused_hold, shown_value},
};
use crate::engine::Engine;

/// Tries before a record is left to a person.
const TRIES_MAX: u32 = 20;

/// How an outgoing write is grouped with others.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    Create,
    Update,
    Delete,
}

fn class(op: &StepOp) -> Class {
    match op {
        StepOp::Create { .. } => Class::Create,
        StepOp::Update { .. } => Class::Update,
        StepOp::Delete { .. } => Class::Delete,
    }
}

impl Engine {
    /// Sends everything that was planned. What one vendor refuses as a whole does not stop what goes to the other.
    pub(crate) async fn push_outgoing(
        &self,
        flow: &RecordFlow,
        compiled: &Compiled,
        held: &Held,
        outgoing: Vec<Outgoing>,
        round: &mut Round,
    ) -> Result<(), Halt> {
        let mut groups: BTreeMap<(Side, String, Class), Vec<Outgoing>> = BTreeMap::new();
        for out in outgoing {
            groups.entry((out.side, out.kind.clone(), class(&out.op))).or_default().push(out);
        }
        let mut failed = None;
        for ((side, kind, _), mut waiting) in groups {
            let setup = self.side_setup(flow, side).map_err(|error| Halt::Side(side, error))?;
            let facet = mirror(setup).map_err(|error| Halt::Side(side, error))?;
            while !waiting.is_empty() {
                let fits = facet.carries(&setup.settings, &kind, waiting.len()).clamp(1, waiting.len());
                let batch: Vec<Outgoing> = waiting.drain(..fits).collect();
                let now = self.world.clock.now();
                self.extend(flow, held, now).await?;
                if let Some(error) = self.push_batch(flow, compiled, held, side, &kind, batch, round).await? {
                    // The rest was planned and never sent.
                    self.put_off(flow, held, waiting, &error).await?;
                    failed = Some(Halt::Side(side, error));
                    break;
                }
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// Sends one batch and keeps what became of it; yields the error of a call that was refused as a whole.
    #[expect(clippy::too_many_arguments, reason = "each is a plain part of one call")]
    async fn push_batch(
        &self,
        flow: &RecordFlow,
        compiled: &Compiled,
        held: &Held,
        side: Side,
        kind: &str,
        batch: Vec<Outgoing>,
        round: &mut Round,
    ) -> Result<Option<Error>, Halt> {
        let setup = self.side_setup(flow, side).map_err(|error| Halt::Side(side, error))?;
        let rows: Vec<RowWrite> = batch.iter().map(|out| row_write(compiled, out)).collect();
        let answer = mirrored!(self, setup, |mirror, cx| mirror.write(cx, kind, &rows));
        match paid(answer, &mut round.calls) {
            Ok(written) => {
                self.keep_written(flow, compiled, held, &batch, written, round).await?;
                Ok(None)
            }
            Err(error) => {
                self.put_off(flow, held, batch, &error).await?;
                Ok(Some(error))
            }
        }
    }

    /// Nothing of these was sent: the steps are dropped, and their records decided about again later.
    async fn put_off(&self, flow: &RecordFlow, held: &Held, batch: Vec<Outgoing>, error: &Error) -> Result<(), Halt> {
        if batch.is_empty() {
            return Ok(());
        }
        let now = self.world.clock.now();
        let mut save = SaveRows { month: month(now), ..SaveRows::default() };
        for out in &batch {
            save.drop_steps.push(out.step);
            save.entries.push(self.again(&out.tied.source, out.tied.link, error, now));
        }
        self.save(flow, held, now, save).await
    }

    pub(crate) async fn save(
        &self,
        flow: &RecordFlow,
        held: &Held,
        now: Timestamp,
        save: SaveRows,
    ) -> Result<(), Halt> {
        let saved = self.world.store.save_rows(&flow.workspace, &flow.id, held, now, save).await?;
        saved.map(drop).ok_or(Halt::Lost)
    }

    /// The record is due again after a pause that grows with its tries.
    fn again(&self, entry: &StoredEntry, link: i64, error: &Error, now: Timestamp) -> EntryChange {
        let pause = match error.retry {
            Retry::After(pause) => backoff::capped(SignedDuration::try_from(pause).unwrap_or(SignedDuration::MAX)),
            Retry::Replan => SignedDuration::ZERO,
            _ => backoff::next_delay(entry.tries, self.random()),
        };
        EntryChange {
            link: Some(LinkRef::Known(link)),
            due_at: Some(later(now, pause)),
            tries: entry.tries.saturating_add(u32::from(!is_nobodys_fault(error))),
            note: Some(error.message.clone()),
            ..at_rest(entry)
        }
    }

    /// Keeps the outcomes of a batch, all in one transaction.
    pub(crate) async fn keep_written(
        &self,
        flow: &RecordFlow,
        compiled: &Compiled,
        held: &Held,
        batch: &[Outgoing],
        written: Written,
        round: &mut Round,
    ) -> Result<(), Halt> {
        let now = self.world.clock.now();
        let mut save = SaveRows { month: month(now), ..SaveRows::default() };
        let mut found: Vec<(Side, String, RecordId)> = Vec::new();
        match written {
            Written::Later { ticket, ask_in } => {
                let at = later(now, SignedDuration::try_from(ask_in).unwrap_or(SignedDuration::MAX));
                save.later_steps.extend(batch.iter().map(|out| (out.step, Some(ticket.clone()), at)));
            }
            Written::Rows(outcomes) => {
                let missing = batch.len().saturating_sub(outcomes.len());
                let untold = (0..missing).map(|_| RowOutcome::Taken { look_in: Duration::ZERO });
                for (out, outcome) in batch.iter().zip(outcomes.into_iter().chain(untold)) {
                    let mut keep = Keep { engine: self, compiled, now, save: &mut save, round, found: &mut found };
                    keep.outcome(out, outcome);
                }
            }
        }
        self.save(flow, held, now, save).await?;
        self.seek(flow, compiled, held, found, round).await
    }
}

/// A planned write in the connector's words.
pub(crate) fn row_write(compiled: &Compiled, out: &Outgoing) -> RowWrite {
    let name = |key: RuleKey| compiled.field(&out.pair, key, out.side).map(str::to_owned);
    let fields = out.fields.iter().filter_map(|field| Some((name(field.rule)?, field.target.clone()))).collect();
    let op = match &out.op {
        StepOp::Create { key } => Op::Create { key: key.clone() },
        StepOp::Update { record, .. } => Op::Update { id: record.clone() },
        StepOp::Delete { record, .. } => Op::Delete { id: record.clone() },
    };
    let seen = out.tied.target.as_ref().map(|target| {
        let row = shown_row(target, &out.tied.images, out.side);
        let fields = row.into_iter().filter_map(|(key, value)| Some((name(key)?, value))).collect();
        Seen::live(target.record.clone(), fields)
    });
    RowWrite { op, fields, seen }
}

/// What a record shows, as it was read or as the images say.
fn shown_row(entry: &StoredEntry, images: &Images, side: Side) -> Row {
    match &entry.seen {
        Some(row) => row.clone(),
        None => images.iter().map(|(key, base)| (*key, base.of(side).clone())).collect(),
    }
}

/// Turns one outcome into what the store keeps.
struct Keep<'a, 'r> {
    engine: &'a Engine,
    compiled: &'a Compiled,
    now: Timestamp,
    save: &'r mut SaveRows,
    round: &'r mut Round,
    /// Records that have to be read before anything else is decided.
    found: &'r mut Vec<(Side, String, RecordId)>,
}

impl Keep<'_, '_> {
    fn outcome(&mut self, out: &Outgoing, outcome: RowOutcome) {
        match outcome {
            RowOutcome::Done { id } => self.done(out, id),
            RowOutcome::Taken { look_in } => {
                let at = later(self.now, SignedDuration::try_from(look_in).unwrap_or(SignedDuration::MAX));
                self.save.later_steps.push((out.step, None, at));
            }
            RowOutcome::Unknown(_) => {
                // What was given up may still arrive within its deadline; only then does a look tell what became of it.
                let at = later(self.now, self.engine.options.call);
                self.save.later_steps.push((out.step, None, at));
            }
            RowOutcome::Refused(error) => self.refused(out, &error),
        }
    }

    fn line(&mut self, kind: JournalKind, text: String, details: serde_json::Value) {
        self.save.journal.push(JournalEntry { at: self.now, kind, text, details });
    }

    fn done(&mut self, out: &Outgoing, id: RecordId) {
        self.save.drop_steps.push(out.step);
        self.save.tasks += 1;
        let tied = &out.tied;
        match &out.op {
            StepOp::Delete { .. } => {
                self.round.deleted += 1;
                self.save.drop_links.push(tied.link);
                for entry in [Some(&tied.source), tied.target.as_ref()].into_iter().flatten() {
                    let note = Some("deleted on both sides".to_owned());
                    self.save.entries.push(EntryChange { link: None, note, let_go: true, ..at_rest(entry) });
                }
                let text = format!("{} {id} deleted, because {} was", out.kind, named(&tied.source));
                self.line(JournalKind::Written, text, json!({ "action": "deleted" }));
            }
            StepOp::Create { .. } => {
                self.round.created += 1;
                let made = MadeEntry {
                    side: out.side,
                    kind: out.kind.clone(),
                    record: id.clone(),
                    match_key: tied.source.match_key.clone(),
                };
                let images = out.fields.iter().map(|field| (field.rule, field.after.clone())).collect();
                let (left, right) = match out.side {
                    Side::Left => (None, Some(tied.source.id)),
                    Side::Right => (Some(tied.source.id), None),
                };
                let change = LinkChange { made: Some(made), left, right, images, ..self.link(out) };
                self.save.links.push(change);
                let seen = self.uncovered(&tied.source, &out.fields);
                let link = Some(LinkRef::Known(tied.link));
                self.save.entries.push(EntryChange { link, seen, ..at_rest(&tied.source) });
                let text = format!("{} {id} made for {}", out.kind, named(&tied.source));
                let details = self.details("created", out);
                self.line(JournalKind::Written, text, details);
            }
            StepOp::Update { .. } => self.updated(out),
        }
    }

    fn updated(&mut self, out: &Outgoing) {
        self.round.updated += 1;
        let tied = &out.tied;
        let mut images = tied.images.clone();
        for field in out.fields.iter().filter(|field| !tied.joint.contains(&field.rule)) {
            images.insert(field.rule, field.after.clone());
        }
        let joint = !tied.joint.is_empty();
        let written = |(key, _): &&(RuleKey, Side)| out.fields.iter().any(|field| field.rule == *key);
        let carried_out: Vec<(RuleKey, Side)> = tied.decided.iter().filter(written).copied().collect();
        if images != tied.images || !carried_out.is_empty() {
            let change = LinkChange { images, carried_out, ..self.link(out) };
            self.save.links.push(change);
        }
        for entry in [Some(&tied.source), tied.target.as_ref()].into_iter().flatten() {
            let mut row = if joint { Some(shown_row(entry, &tied.images, entry.side)) } else { entry.seen.clone() };
            if entry.side == out.side
                && let Some(row) = &mut row
            {
                row.extend(out.fields.iter().map(|field| (field.rule, field.target.clone())));
            }
            // A set of which both sides were told is agreed once both are seen to hold the same.
            let due_at = joint.then_some(self.now);
            let link = Some(LinkRef::Known(tied.link));
            self.save.entries.push(EntryChange { link, seen: row, due_at, ..at_rest(entry) });
        }
        let fields: Vec<&str> =
            out.fields.iter().filter_map(|field| self.compiled.field(&out.pair, field.rule, out.side)).collect();
        let target = tied.target.as_ref().map_or_else(String::new, named);
        let text = format!("{target}: {} taken over from {}", fields.join(", "), named(&tied.source));
        let details = self.details("updated", out);
        self.line(JournalKind::Written, text, details);
    }

    /// What of a new link's source the images do not say.
    fn uncovered(&self, source: &StoredEntry, fields: &[StepField]) -> Option<Row> {
        let row = source.seen.as_ref()?;
        let covered = |key: &RuleKey| fields.iter().any(|field| field.rule == *key);
        if row.keys().all(covered) { None } else { Some(row.clone()) }
    }

    fn link(&self, out: &Outgoing) -> LinkChange {
        let tied = &out.tied;
        let id = |side: Side| {
            [Some(&tied.source), tied.target.as_ref()].into_iter().flatten().find(|entry| entry.side == side)
        };
        LinkChange {
            id: tied.link,
            pair: out.pair.clone(),
            left: id(Side::Left).map(|entry| entry.id),
            right: id(Side::Right).map(|entry| entry.id),
            made: None,
            images: tied.images.clone(),
            refused: tied.refused.clone(),
            revision: tied.revision,
            carried_out: Vec::new(),
        }
    }

    fn details(&self, action: &str, out: &Outgoing) -> serde_json::Value {
        let fields: Vec<serde_json::Value> = out
            .fields
            .iter()
            .map(|field| {
                let name = self.compiled.field(&out.pair, field.rule, out.side);
                json!({ "field": name, "to": shown_value(&field.target), "from": field.seen.as_ref().map(shown_value) })
            })
            .collect();
        json!({ "action": action, "side": out.side.as_str(), "fields": fields })
    }

    fn refused(&mut self, out: &Outgoing, error: &Error) {
        self.save.drop_steps.push(out.step);
        let tied = &out.tied;
        match (error.kind, &out.op) {
            // Another record bears what tells ours apart: it is read, and then they are tied or held.
            (ErrorKind::KeyTaken | ErrorKind::DuplicateRule, StepOp::Create { .. }) if !error.matches.is_empty() => {
                let matches = error.matches.iter().map(|(_, id)| (out.side, out.kind.clone(), id.clone()));
                self.found.extend(matches);
                self.save.drop_links.push(tied.link);
                let again = EntryChange { link: None, ..self.engine.again(&tied.source, tied.link, error, self.now) };
                self.save.entries.push(again);
            }
            // It is gone, or has become another: reading it again tells which.
            (ErrorKind::Gone | ErrorKind::Converted, StepOp::Update { record, .. }) => {
                self.found.push((out.side, out.kind.clone(), record.clone()));
                let again = self.engine.again(&tied.source, tied.link, error, self.now);
                self.save.entries.push(again);
            }
            (ErrorKind::Gone, StepOp::Delete { record, .. }) => self.done(out, record.clone()),
            _ if error.retry == Retry::Never || tied.source.tries >= TRIES_MAX => self.hold(out, error),
            _ => {
                let again = self.engine.again(&tied.source, tied.link, error, self.now);
                self.save.entries.push(again);
            }
        }
    }

    /// What is refused for good is held back, by field where the vendor names it; the rest is decided about anew.
    fn hold(&mut self, out: &Outgoing, error: &Error) {
        self.round.held += 1;
        let tied = &out.tied;
        let named_fields: Vec<&StepField> = out
            .fields
            .iter()
            .filter(|field| {
                let name = self.compiled.field(&out.pair, field.rule, out.side);
                error.fields.iter().any(|refused| Some(refused.to_string().trim_start_matches('@')) == name)
            })
            .collect();
        let whole = named_fields.is_empty();
        let blamed: Vec<&StepField> = if whole { out.fields.iter().collect() } else { named_fields };
        let fix = fix(error);
        let mut refused = tied.refused.clone();
        let mut holds = Vec::new();
        for field in &blamed {
            let change = Change {
                key: field.rule,
                target: field.target.clone(),
                seen: field.seen.clone(),
                after: Base::new(Value::Null, Value::Null),
            };
            let digest = payload_digest(out.side, &change);
            refused.retain(|(key, _)| *key != field.rule);
            // An address that another record bears is free once that one has changed.
            if error.kind != ErrorKind::KeyTaken {
                refused.push((field.rule, digest));
            }
            if !whole {
                holds.push(refused_hold(Some(field.rule), out.side, &error.message, fix));
            }
        }
        if whole {
            holds.push(refused_hold(None, out.side, &error.message, fix));
        }
        let is_create = matches!(out.op, StepOp::Create { .. });
        if !is_create {
            let change = LinkChange { refused, ..self.link(out) };
            self.save.links.push(change);
        }
        // With a field named, the others go through at once; otherwise there is nothing left to send.
        let due_at = (!whole && !is_create).then_some(self.now);
        let note = Some(error.message.clone());
        let link = if is_create { None } else { Some(LinkRef::Known(tied.link)) };
        if is_create {
            self.save.drop_links.push(tied.link);
        }
        for entry in [Some(&tied.source), tied.target.as_ref()].into_iter().flatten() {
            let due_at = if entry.id == tied.source.id { due_at } else { None };
            self.save.entries.push(EntryChange { link, due_at, note: note.clone(), ..at_rest(entry) });
        }
        let holder = [Some(&tied.source), tied.target.as_ref()]
            .into_iter()
            .flatten()
            .find(|entry| entry.side == Side::Left)
            .unwrap_or(&tied.source);
        self.save.holds.push((holder.id, holds));
        let text = format!("{}: refused by the other side: {}", named(&tied.source), error.message);
        let details = self.details("refused", out);
        self.line(JournalKind::Parked, text, details);
    }
}

/// Whether the record had no part in the failure: however often that happens, it is not given up.
fn is_nobodys_fault(error: &Error) -> bool {
    matches!(
        error.kind,
        ErrorKind::RateLimited
            | ErrorKind::DailyLimit
            | ErrorKind::Unavailable
            | ErrorKind::Unreachable
            | ErrorKind::Unauthorised
            | ErrorKind::Revoked
    )
}

/// What a person can do about a refusal.
pub(crate) fn fix(error: &Error) -> &'static str {
    match error.kind {
        ErrorKind::Forbidden => "give the connected user the permission that is missing, then retry",
        ErrorKind::Invalid => "correct the value, or the rule that refuses it",
        ErrorKind::Field => "add the field, or take it out of the mapping, then retry",
        ErrorKind::DuplicateRule | ErrorKind::KeyTaken => "merge the two records, or give one another address",
        _ => "look at the record in both accounts, then retry",
    }
}
