//! Keeping what became of writes: links and images move only by what a vendor answered.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use syncline_connect::{
    Error, ErrorKind, Retry,
    mirror::{RowOutcome, Written},
};
use syncline_core::{
    ids::RecordId,
    merge::{Row, RuleKey, Side, payload_digest, shown},
    mutant::{self, Mutant},
};
use syncline_store::{
    EntryChange, JournalEntry, JournalKind, LinkChange, LinkRef, MadeEntry, SaveRows, StepField, StepOp, StoredEntry,
    StoredHold,
};

use super::{
    Compiled, Halt, Round, Turn, later,
    plan::{Outgoing, month},
    rows::kept_key,
    write_down::{at_rest, named, refused_hold, shown_value},
};
use crate::engine::Engine;

/// Tries before a record is left to a person.
const TRIES_MAX: u32 = 20;

/// What a person can do where a record may not be deleted.
const DELETE_FIX: &str = "take away what depends on the record, then retry; or delete the record by hand, or leave it";

impl Engine {
    /// Keeps the outcomes of a batch, all in one transaction.
    pub(crate) async fn keep_written(
        &self,
        turn: &Turn<'_>,
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
                    let mut keep =
                        Keep { engine: self, compiled: turn.compiled, now, save: &mut save, round, found: &mut found };
                    keep.outcome(out, outcome);
                }
            }
        }
        round.more |= self.save(turn, now, save).await?;
        self.seek(turn, found, round).await
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
            RowOutcome::Unknown(_) if mutant::on(Mutant::UnknownIsDone) && out.tied.target.is_some() => {
                if let StepOp::Update { record, .. } = &out.op {
                    self.updated(out, record);
                }
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
                self.save.journal.push(written_line(self.compiled, out, &id, self.now));
            }
            StepOp::Create { key } => {
                self.round.created += 1;
                let made = MadeEntry {
                    side: out.side,
                    kind: out.kind.clone(),
                    record: id.clone(),
                    match_key: tied.source.match_key.clone(),
                };
                let images = out.fields.iter().map(|field| (field.rule, field.after.clone()));
                let view = self.compiled.kinds(out.side).get(&out.kind);
                let images = images.chain(view.and_then(|view| kept_key(view, out.side, key))).collect();
                let (left, right) = match out.side {
                    Side::Left => (None, Some(tied.source.id)),
                    Side::Right => (Some(tied.source.id), None),
                };
                let change = LinkChange { made: Some(made), left, right, images, ..self.link(out) };
                self.save.links.push(change);
                let seen = if tied.news { tied.source.seen.clone() } else { self.uncovered(&tied.source, out) };
                let (link, due_at) = (Some(LinkRef::Known(tied.link)), tied.news.then_some(self.now));
                self.save.entries.push(EntryChange { link, seen, due_at, ..at_rest(&tied.source) });
                self.save.journal.push(written_line(self.compiled, out, &id, self.now));
            }
            StepOp::Update { record, .. } => self.updated(out, record),
        }
    }

    fn updated(&mut self, out: &Outgoing, record: &RecordId) {
        self.round.updated += 1;
        let tied = &out.tied;
        let mut images = tied.images.clone();
        for field in out.fields.iter().filter(|field| !field.joint) {
            images.insert(field.rule, field.after.clone());
        }
        let joint = out.fields.iter().any(|field| field.joint);
        let written = |(key, _): &&(RuleKey, Side)| out.fields.iter().any(|field| field.rule == *key);
        let carried_out: Vec<(RuleKey, Side)> = tied.decided.iter().filter(written).copied().collect();
        if images != tied.images || !carried_out.is_empty() {
            let change = LinkChange { images, carried_out, ..self.link(out) };
            self.save.links.push(change);
        }
        for entry in [Some(&tied.source), tied.target.as_ref()].into_iter().flatten() {
            let mut row = match joint {
                true => Some(shown(entry.seen.as_ref(), &tied.images, entry.side).into_owned()),
                false => entry.seen.clone(),
            };
            if entry.side == out.side
                && let Some(row) = &mut row
            {
                row.extend(out.fields.iter().map(|field| (field.rule, field.target.clone())));
            }
            // A field of which both sides were told is agreed once both are seen to hold the same.
            let due_at = (joint || tied.news).then_some(self.now);
            let link = Some(LinkRef::Known(tied.link));
            let written = entry.side == out.side;
            self.save.entries.push(EntryChange { link, seen: row, due_at, written, ..at_rest(entry) });
        }
        self.save.journal.push(written_line(self.compiled, out, record, self.now));
    }

    /// What of a new link's source the images do not say.
    fn uncovered(&self, source: &StoredEntry, out: &Outgoing) -> Option<Row> {
        let row = source.seen.as_ref()?;
        let written = |key: &RuleKey| out.fields.iter().any(|field| field.rule == *key);
        let covered = |key: &RuleKey| written(key) || self.compiled.is_time(&out.pair, *key);
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
            // It stays so until that one has given it up, which the store sees.
            (ErrorKind::KeyTaken, StepOp::Update { .. }) => self.hold(out, error),
            _ if error.retry == Retry::Never || tied.source.tries >= TRIES_MAX => self.hold(out, error),
            _ => {
                let again = self.engine.again(&tied.source, tied.link, error, self.now);
                self.save.entries.push(again);
            }
        }
    }

    /// Whether a record is made because somebody asked for it, and not by a rule.
    fn was_asked_for(&self, out: &Outgoing) -> bool {
        let pair = self.compiled.flow.pairs.iter().find(|pair| pair.name == out.pair);
        out.side == Side::Left && pair.is_some_and(|pair| pair.on_request && !pair.left.create)
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
        let fix = match (&out.op, error.kind) {
            (StepOp::Delete { .. }, ErrorKind::Invalid) => DELETE_FIX,
            _ => fix(error),
        };
        let mut refused = tied.refused.clone();
        let is_create = matches!(out.op, StepOp::Create { .. });
        // Whose address another record bears is tried again once that one has changed: the store sees to it.
        let remembers = is_create && !matches!(error.kind, ErrorKind::KeyTaken | ErrorKind::DuplicateRule);
        let held = |rule: Option<RuleKey>, refused: &[(RuleKey, u64)]| StoredHold {
            refused: if remembers { refused.to_vec() } else { Vec::new() },
            ..refused_hold(rule, out.side, &error.message, fix)
        };
        let mut holds = Vec::new();
        for field in &blamed {
            let digest = payload_digest(out.side, field.rule, &field.target);
            // An address that another record bears is tried again once that one has changed: the store sees to it.
            refused.retain(|(key, _)| *key != field.rule);
            refused.push((field.rule, digest));
            if !whole {
                holds.push(held(Some(field.rule), &[(field.rule, digest)]));
            }
        }
        if whole {
            holds.push(held(None, &refused));
        }
        if !is_create {
            let change = LinkChange { refused, ..self.link(out) };
            self.save.links.push(change);
        }
        // With a field named, the others go through at once; otherwise there is nothing left to send.
        let due_at = ((!whole && !is_create) || tied.news).then_some(self.now);
        let note = Some(error.message.clone());
        // What somebody asked for is tried again when they say so.
        let dropped = is_create && !self.was_asked_for(out);
        let link = if dropped { None } else { Some(LinkRef::Known(tied.link)) };
        if dropped {
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
        let details = details(self.compiled, "refused", out);
        self.line(JournalKind::Parked, text, details);
    }
}

/// What the activity log says of a write that took place.
pub(crate) fn written_line(compiled: &Compiled, out: &Outgoing, id: &RecordId, now: Timestamp) -> JournalEntry {
    let source = named(&out.tied.source);
    let (text, details) = match &out.op {
        StepOp::Delete { .. } => {
            (format!("{} {id} deleted, because {source} was", out.kind), json!({ "action": "deleted" }))
        }
        StepOp::Create { .. } => (format!("{} {id} made for {source}", out.kind), details(compiled, "created", out)),
        StepOp::Update { .. } => {
            let fields = out.fields.iter().filter_map(|field| compiled.field(&out.pair, field.rule, out.side));
            let fields: Vec<&str> = fields.collect();
            let text = format!("{} {id}: {} taken over from {source}", out.kind, fields.join(", "));
            (text, details(compiled, "updated", out))
        }
    };
    JournalEntry { at: now, kind: JournalKind::Written, text, details }
}

fn details(compiled: &Compiled, action: &str, out: &Outgoing) -> serde_json::Value {
    let fields: Vec<serde_json::Value> = out
        .fields
        .iter()
        .map(|field| {
            let name = compiled.field(&out.pair, field.rule, out.side);
            json!({ "field": name, "to": shown_value(&field.target), "from": field.seen.as_ref().map(shown_value) })
        })
        .collect();
    json!({ "action": action, "side": out.side.as_str(), "fields": fields })
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
