//! From decisions to what the store keeps and the vendors will be told. Nothing is asked or sent here.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use syncline_core::{
    ids::{ExternalKey, RecordId},
    merge::{Change, Decision, Hold, HoldKind, Images, Row, RowMerge, RuleKey, Side, shown},
    mutant::{self, Mutant},
};
use syncline_store::{
    EntryChange, JournalEntry, JournalKind, LinkChange, LinkRef, NewLink, NewStep, SaveRows, StepField, StepOp,
    StoredEntry, StoredHold, StoredLink, Work,
};

use super::{
    Compiled, RecordFlow, Round,
    batch::{Decided, moved},
    later,
    plan::{Outgoing, Tied},
};

/// How long a planned write may be under way before another process looks what became of it.
const LOOK_AFTER: SignedDuration = SignedDuration::from_mins(2);

/// Turns decisions into what the store keeps and the vendors are told.
pub(crate) struct Writing<'a, 'r> {
    pub(crate) flow: &'a RecordFlow,
    pub(crate) compiled: &'a Compiled,
    pub(crate) now: Timestamp,
    pub(crate) round: &'r mut Round,
    pub(crate) save: &'r mut SaveRows,
    pub(crate) planned: &'r mut Vec<(LinkRef, Outgoing)>,
}

impl Writing<'_, '_> {
    pub(crate) fn take(&mut self, one: Decided<'_>, seeks: &mut Vec<(Side, String, RecordId)>) {
        let Decided { work, decision, other, successor, waits, stands } = one;
        let entry = &work.entry;
        self.save.waits.extend(waits);
        if let Some(hold) = stands.first() {
            self.round.held += 1;
            self.save.entries.push(EntryChange { note: Some(hold.reason.clone()), ..at_rest(entry) });
            self.save.holds.push((entry.id, stands));
            return;
        }
        match decision {
            Decision::Rest { note } => {
                self.save.entries.push(EntryChange { note, ..at_rest(entry) });
                self.save.holds.push((entry.id, Vec::new()));
            }
            Decision::Hold(hold) if hold.kind == HoldKind::Unreadable => {
                self.round.held += 1;
                let both = [Some(entry), work.partner.as_ref()].into_iter().flatten();
                self.save.set_aside.extend(both.map(|entry| (entry.id, entry.revision, hold.reason.clone())));
                self.save.holds.push((entry.id, vec![stored_hold(None, &hold)]));
            }
            Decision::Hold(hold) => {
                self.round.held += 1;
                let note = Some(hold.reason.clone());
                self.save.entries.push(EntryChange { note, ..at_rest(entry) });
                self.save.holds.push((entry.id, vec![stored_hold(None, &hold)]));
            }
            Decision::Adopt { pair, merge, .. } => {
                if let Some(other) = other {
                    // A counterpart was to be made, and somebody made one meanwhile.
                    self.save.drop_links.extend(work.link.as_ref().map(|link| link.id));
                    self.adopt(entry, &other, pair, merge);
                }
            }
            Decision::Create { pair, to, first } => self.create(work, pair, to, first),
            Decision::Merge { merge, .. } => {
                if let (Some(link), Some(partner)) = (&work.link, &work.partner) {
                    self.merge(entry, partner, link, merge);
                }
            }
            Decision::Follow { pair, images } => {
                if let (Some(link), Some(successor)) = (&work.link, successor) {
                    self.follow(work, link, &successor, pair, images);
                }
            }
            Decision::Seek { side, kind, record } => {
                let mut both = [Some(entry), work.partner.as_ref()].into_iter().flatten();
                if let Some(lost) =
                    both.find(|known| known.unreadable && (known.side, &known.record) == (side, &record))
                {
                    let text = format!("{}: what is stored of it cannot be relied on; it is read anew", named(lost));
                    self.line(JournalKind::Unchanged, text, json!({ "action": "unreadable" }));
                }
                seeks.push((side, kind, record));
            }
            Decision::Delete { to } => self.delete(work, to),
            Decision::Detach { note } => self.detach(work, &note),
        }
    }

    fn line(&mut self, kind: JournalKind, text: String, details: serde_json::Value) {
        self.save.journal.push(JournalEntry { at: self.now, kind, text, details });
    }

    fn adopt(&mut self, entry: &StoredEntry, other: &StoredEntry, pair: usize, merge: RowMerge) {
        let pair = &self.compiled.flow.pairs[pair];
        let (left, right) = if entry.side == Side::Left { (entry, other) } else { (other, entry) };
        let link = LinkRef::New(self.save.new_links.len());
        let images: Images = merge.adopted.iter().cloned().collect();
        self.save.new_links.push(NewLink {
            pair: pair.name.clone(),
            left: Some(left.id),
            right: Some(right.id),
            images: images.clone(),
        });
        // A link in which the other waited for a counterpart has none to wait for.
        self.save.drop_links.extend(other.link);
        self.round.adopted += 1;
        let text = format!("{} and {} are one", named(left), named(right));
        self.line(JournalKind::Written, text, json!({ "action": "tied", "by": "address", "pair": pair.name }));
        let tied = Joined {
            link,
            pair: &pair.name,
            images,
            refused: Vec::new(),
            decided: Vec::new(),
            revision: 0,
            left,
            right,
        };
        self.settle_merge(tied, merge);
    }

    fn merge(&mut self, entry: &StoredEntry, partner: &StoredEntry, link: &StoredLink, merge: RowMerge) {
        let (left, right) = if entry.side == Side::Left { (entry, partner) } else { (partner, entry) };
        let mut images = link.images.clone();
        images.extend(merge.adopted.iter().cloned());
        if mutant::on(Mutant::BaseOnSend) {
            let planned = merge.to_left.iter().chain(&merge.to_right);
            images.extend(planned.map(|change| (change.key, change.after.clone())));
        }
        if images != link.images || !link.decided.is_empty() {
            let settled = |(key, _): &&(RuleKey, Side)| merge.settled.contains(key);
            let carried_out = link.decided.iter().filter(settled).copied().collect();
            self.save.links.push(LinkChange { images: images.clone(), carried_out, ..same_link(link) });
        }
        let tied = Joined {
            link: LinkRef::Known(link.id),
            pair: &link.pair,
            images,
            refused: link.refused.clone(),
            decided: link.decided.clone(),
            revision: link.revision,
            left,
            right,
        };
        self.settle_merge(tied, merge);
    }

    /// What a merge comes to: both records rest, what is to be written is planned, what is held back is noted.
    fn settle_merge(&mut self, tied: Joined<'_>, merge: RowMerge) {
        let open = !merge.writes_nothing() || !merge.holds.is_empty();
        let holder = tied.left.id;
        if !merge.holds.is_empty() {
            self.round.held += 1;
        }
        let holds = merge.holds.iter().map(|(key, hold)| stored_hold(Some(*key), hold)).collect();
        self.save.holds.push((holder, holds));
        // What was said of the other one alone is settled.
        self.save.holds.push((tied.right.id, Vec::new()));
        for entry in [tied.left, tied.right] {
            // Where all is agreed the images say what the record shows, save what only the selection reads.
            let covers = |key: &RuleKey| tied.images.contains_key(key) || self.compiled.is_time(tied.pair, *key);
            let covered = entry.seen.as_ref().is_none_or(|row| row.keys().all(covers))
                && !self.compiled.names_others(tied.pair, entry, &tied.images);
            let seen = if open || !covered { entry.seen.clone() } else { None };
            self.save.entries.push(EntryChange { link: Some(tied.link), seen, ..at_rest(entry) });
        }
        for (key, conflict) in &merge.conflicts {
            let field = |side| self.compiled.field(tied.pair, *key, side).unwrap_or_default().to_owned();
            let (left, right) = (field(Side::Left), field(Side::Right));
            let end = match conflict.winner {
                Some(winner) => format!("the {} side won", winner.as_str()),
                None => "what one was told was answered by something else again and again, so both keep their own"
                    .to_owned(),
            };
            let text = format!("{}: {left} and {right} differed; {end}", named(tied.left));
            let details = json!({ "action": "conflict", "winner": conflict.winner.map(Side::as_str),
                "left": { "field": left, "value": shown_value(&conflict.left) },
                "right": { "field": right, "value": shown_value(&conflict.right) } });
            self.line(JournalKind::Written, text, details);
        }
        for (key, shown) in &merge.opted_in {
            let field = self.compiled.field(tied.pair, *key, shown.side).unwrap_or_default();
            let who = if shown.side == Side::Left { tied.left } else { tied.right };
            let text = format!("{}: opted in again, which {} shows; {field} is carried over", named(who), shown.field);
            let details = json!({ "action": "opted_in", "side": shown.side.as_str(),
                "evidence": { "field": shown.field, "at": shown_value(&shown.at),
                    "source": shown.source.as_ref().map(shown_value) } });
            self.line(JournalKind::Written, text, details);
        }
        let told: BTreeSet<RuleKey> = merge.to_left.iter().map(|change| change.key).collect();
        let joint: BTreeSet<RuleKey> =
            merge.to_right.iter().map(|change| change.key).filter(|key| told.contains(key)).collect();
        for (side, changes) in [(Side::Left, merge.to_left), (Side::Right, merge.to_right)] {
            if changes.is_empty() {
                continue;
            }
            let (target, source) = if side == Side::Left { (tied.left, tied.right) } else { (tied.right, tied.left) };
            let op = StepOp::Update { entry: target.id, record: target.record.clone() };
            self.plan(Planned {
                link: tied.link,
                pair: tied.pair,
                side,
                kind: target.kind.clone(),
                op,
                fields: step_fields(changes, &joint),
                source,
                target: Some(target),
                images: &tied.images,
                refused: &tied.refused,
                decided: &tied.decided,
                revision: tied.revision,
            });
        }
    }

    fn create(&mut self, work: &Work, pair: usize, to: Side, first: syncline_core::merge::First) {
        let pair = &self.compiled.flow.pairs[pair];
        let source = &work.entry;
        let (left, right) = if to == Side::Left { (None, Some(source.id)) } else { (Some(source.id), None) };
        let link = match &work.link {
            Some(link) => LinkRef::Known(link.id),
            None => {
                let link = LinkRef::New(self.save.new_links.len());
                self.save.new_links.push(NewLink { pair: pair.name.clone(), left, right, images: Images::new() });
                link
            }
        };
        let holds = first.holds.iter().map(|(key, hold)| stored_hold(Some(*key), hold)).collect();
        self.save.holds.push((source.id, holds));
        self.save.entries.push(EntryChange { link: Some(link), ..at_rest(source) });
        self.plan(Planned {
            link,
            pair: &pair.name,
            side: to,
            kind: pair.side(to).kind.clone(),
            op: StepOp::Create { key: key_of(self.flow, &pair.name, source) },
            fields: step_fields(first.values, &BTreeSet::new()),
            source,
            target: None,
            images: &Images::new(),
            refused: work.link.as_ref().map_or(&[], |link| link.refused.as_slice()),
            decided: &[],
            revision: work.link.as_ref().map_or(0, |link| link.revision),
        });
    }

    fn follow(&mut self, work: &Work, link: &StoredLink, successor: &StoredEntry, pair: usize, images: Images) {
        let gone_side = gone_side(work);
        let pair = &self.compiled.flow.pairs[pair];
        let (gone, stays) = match &work.partner {
            Some(partner) if partner.side == gone_side => (partner, Some(&work.entry)),
            partner => (&work.entry, partner.as_ref()),
        };
        let (left, right) = match gone_side {
            Side::Left => (Some(successor.id), link.right),
            Side::Right => (link.left, Some(successor.id)),
        };
        self.save.links.push(LinkChange { pair: pair.name.clone(), left, right, images, ..same_link(link) });
        let known = LinkRef::Known(link.id);
        let seen = left_showing(gone, Some(link));
        self.save.entries.push(EntryChange { link: None, seen, ..at_rest(gone) });
        self.save.entries.push(EntryChange { link: Some(known), due_at: Some(self.now), ..at_rest(successor) });
        if let Some(stays) = stays {
            let seen = left_showing(stays, Some(link));
            self.save.entries.push(EntryChange { link: Some(known), seen, ..at_rest(stays) });
        }
        let text = format!("{} became {}; its counterpart goes on with that", named(gone), named(successor));
        self.line(JournalKind::Written, text, json!({ "action": "followed", "pair": pair.name }));
    }

    fn delete(&mut self, work: &Work, to: Side) {
        let (Some(link), Some(partner)) = (&work.link, &work.partner) else { return self.detach(work, "it is gone") };
        let (source, target) = if work.entry.side == to { (partner, &work.entry) } else { (&work.entry, partner) };
        for entry in [source, target] {
            self.save.entries.push(at_rest(entry));
        }
        self.plan(Planned {
            link: LinkRef::Known(link.id),
            pair: &link.pair,
            side: to,
            kind: target.kind.clone(),
            op: StepOp::Delete { entry: target.id, record: target.record.clone() },
            fields: Vec::new(),
            source,
            target: Some(target),
            images: &link.images,
            refused: &link.refused,
            decided: &[],
            revision: link.revision,
        });
    }

    fn detach(&mut self, work: &Work, note: &str) {
        self.save.drop_links.extend(work.link.as_ref().map(|link| link.id));
        for entry in [Some(&work.entry), work.partner.as_ref()].into_iter().flatten() {
            let note = Some(note.to_owned());
            let seen = left_showing(entry, work.link.as_ref());
            self.save.entries.push(EntryChange {
                link: None,
                note,
                seen,
                let_go: !mutant::on(Mutant::LettingGoForgotten),
                ..at_rest(entry)
            });
            self.save.holds.push((entry.id, Vec::new()));
        }
        let text = format!("{} is no longer kept in step: {note}", named(&work.entry));
        self.line(JournalKind::Unchanged, text, json!({ "action": "detached" }));
    }

    fn plan(&mut self, planned: Planned<'_>) {
        self.save.new_steps.push(NewStep {
            link: planned.link,
            side: planned.side,
            kind: planned.kind.clone(),
            op: planned.op.clone(),
            fields: planned.fields.clone(),
            look_at: later(self.now, LOOK_AFTER),
        });
        let tied = Tied {
            // Known once it is saved.
            link: 0,
            images: planned.images.clone(),
            refused: planned.refused.to_vec(),
            decided: planned.decided.to_vec(),
            revision: planned.revision,
            source: planned.source.clone(),
            target: planned.target.cloned(),
            news: false,
        };
        let out = Outgoing {
            step: 0,
            side: planned.side,
            kind: planned.kind,
            pair: planned.pair.to_owned(),
            op: planned.op,
            fields: planned.fields,
            tied,
        };
        self.planned.push((planned.link, out));
    }
}

/// Two records that are one, while their merge is written down.
struct Joined<'a> {
    link: LinkRef,
    pair: &'a str,
    images: Images,
    refused: Vec<(RuleKey, u64)>,
    decided: Vec<(RuleKey, Side)>,
    revision: i64,
    left: &'a StoredEntry,
    right: &'a StoredEntry,
}

/// A write that is about to be planned.
struct Planned<'a> {
    link: LinkRef,
    pair: &'a str,
    side: Side,
    kind: String,
    op: StepOp,
    fields: Vec<StepField>,
    source: &'a StoredEntry,
    target: Option<&'a StoredEntry>,
    images: &'a Images,
    refused: &'a [(RuleKey, u64)],
    decided: &'a [(RuleKey, Side)],
    revision: i64,
}

/// A merge's changes as a step keeps them; of the joint ones both sides are told.
fn step_fields(changes: Vec<Change>, joint: &BTreeSet<RuleKey>) -> Vec<StepField> {
    let field = |Change { key, target, seen, after }| {
        let joint = joint.contains(&key);
        StepField { rule: key, target, seen, after, joint }
    };
    changes.into_iter().map(field).collect()
}

/// What a record shows; where it shows what the images say, they are all that is known of it once its link is gone.
fn left_showing(entry: &StoredEntry, link: Option<&StoredLink>) -> Option<Row> {
    match link {
        Some(link) => Some(shown(entry.seen.as_ref(), &link.images, entry.side).into_owned()),
        None => entry.seen.clone(),
    }
}

/// The side of the record that became another.
fn gone_side(work: &Work) -> Side {
    moved(work).map_or(work.entry.side, |(gone, _)| gone.side)
}

/// A link as it is.
pub(crate) fn same_link(link: &StoredLink) -> LinkChange {
    LinkChange {
        id: link.id,
        pair: link.pair.clone(),
        left: link.left,
        right: link.right,
        made: None,
        images: link.images.clone(),
        refused: link.refused.clone(),
        revision: link.revision,
        carried_out: Vec::new(),
    }
}

fn stored_hold(rule: Option<RuleKey>, hold: &Hold) -> StoredHold {
    let (reason, fix) = (hold.reason.clone(), hold.fix.clone());
    StoredHold { rule, kind: hold.kind, to: hold.to, reason, fix, refused: Vec::new() }
}

/// A hold of a value or record that a vendor refused.
pub(crate) fn refused_hold(rule: Option<RuleKey>, to: Side, reason: &str, fix: &str) -> StoredHold {
    let (reason, fix) = (reason.to_owned(), fix.to_owned());
    StoredHold { rule, kind: HoldKind::Refused, to: Some(to), reason, fix, refused: Vec::new() }
}

/// A record as the activity log names it.
pub(crate) fn named(entry: &StoredEntry) -> String {
    format!("{} {}", entry.kind, entry.record)
}

/// A value as the activity log shows it.
pub(crate) fn shown_value(value: &syncline_core::record::Value) -> serde_json::Value {
    use syncline_core::record::Value;
    match value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(value) => json!(value),
        Value::Decimal(text) | Value::Text(text) => json!(text),
        Value::Date(date) => json!(date.to_string()),
        Value::Time(time) => json!(time.to_string()),
        Value::Id(id) => json!(id.as_str()),
        Value::Slot(slot) => json!(slot.to_string()),
    }
}

/// The key of a record that is made on the other side: derived, so that making it twice makes one.
pub(crate) fn key_of(flow: &RecordFlow, pair: &str, source: &StoredEntry) -> ExternalKey {
    let parts =
        ["record", flow.workspace.as_str(), flow.id.as_str(), pair, source.side.as_str(), source.record.as_str()];
    ExternalKey::derive(&parts)
}

/// An entry as it is, at rest.
pub(crate) fn at_rest(entry: &StoredEntry) -> EntryChange {
    EntryChange {
        id: entry.id,
        revision: entry.revision,
        link: entry.link.map(LinkRef::Known),
        seen: entry.seen.clone(),
        due_at: None,
        note: None,
        tries: 0,
        fate: entry.fate.clone(),
        let_go: entry.let_go,
        written: false,
    }
}
