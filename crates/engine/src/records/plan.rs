//! Deciding about everything that is due, in batches: the facts of a batch are gathered at once, each record is decided
//! about by `syncline_core::merge`, and what follows is written down before anything is sent.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use syncline_core::{
    ids::{ExternalKey, RecordId},
    merge::{
        Case, Change, Decision, Fate, Hold, HoldKind, Images, Known, RowMerge, RuleKey, Side, Successor, Tie, decide,
    },
};
use syncline_store::{
    EntryChange, Held, JournalEntry, JournalKind, LinkChange, LinkRef, NewLink, NewStep, SaveRows, StepField, StepOp,
    StoredEntry, StoredHold, StoredLink, Work,
};

use super::{
    Compiled, DECIDE_BATCH, Halt, ROUND_WRITES_MAX, RecordFlow, Round, Turn, later,
    rows::{known, row},
};
use crate::engine::Engine;

/// How long a planned write may be under way before another process looks what became of it.
const LOOK_AFTER: SignedDuration = SignedDuration::from_mins(2);

/// Counterparts that go because records were deleted: more in one round, and a person is asked first.
const DELETES_MAX: usize = 50;

/// The share of all links, in percent, that has to be reached as well.
const DELETES_PERCENT: u64 = 5;

/// A planned write on its way out.
#[derive(Debug, Clone)]
pub(crate) struct Outgoing {
    pub(crate) step: i64,
    pub(crate) side: Side,
    pub(crate) kind: String,
    pub(crate) pair: String,
    pub(crate) op: StepOp,
    pub(crate) fields: Vec<StepField>,
    pub(crate) tied: Tied,
}

/// The link of a planned write, as it is in the store.
#[derive(Debug, Clone)]
pub(crate) struct Tied {
    pub(crate) link: i64,
    pub(crate) images: Images,
    pub(crate) refused: Vec<(RuleKey, u64)>,
    /// What a person decided; forgotten once it is written.
    pub(crate) decided: Vec<(RuleKey, Side)>,
    pub(crate) revision: i64,
    /// The record that it came from, and the one that is written, where it is there already.
    pub(crate) source: StoredEntry,
    pub(crate) target: Option<StoredEntry>,
    /// Fields of which both sides are told: the base moves only when both were.
    pub(crate) joint: BTreeSet<RuleKey>,
}

/// What is known around a batch of records.
#[derive(Default)]
struct Around {
    /// Records by their key, per side.
    by_key: [HashMap<String, Vec<StoredEntry>>; 2],
    by_record: HashMap<(Side, String, RecordId), StoredEntry>,
}

fn place(side: Side) -> usize {
    match side {
        Side::Left => 0,
        Side::Right => 1,
    }
}

/// One batch as it is decided about.
pub(crate) struct Batch<'a> {
    pub(crate) compiled: &'a Compiled,
    around: Around,
    since: Option<Timestamp>,
    /// Records that this batch has decided about, or tied, and links likewise.
    taken: HashSet<i64>,
    taken_links: HashSet<i64>,
    /// Keys that this batch has tied, per side.
    tied_keys: HashSet<(Side, String)>,
}

/// A decision with what it is about.
pub(crate) struct Decided<'a> {
    pub(crate) work: &'a Work,
    pub(crate) decision: Decision,
    /// The candidate that was adopted.
    pub(crate) other: Option<StoredEntry>,
    pub(crate) successor: Option<StoredEntry>,
}

impl Batch<'_> {
    /// Decides about one record; nothing where this batch has dealt with it already.
    pub(crate) fn decide<'w>(&mut self, work: &'w Work) -> Option<Decided<'w>> {
        let entry = &work.entry;
        let link_is_new = work.link.as_ref().is_none_or(|link| self.taken_links.insert(link.id));
        if !self.taken.insert(entry.id) || !link_is_new {
            return None;
        }
        let mut other = None;
        let successor = self.successor(work);
        let unmade = work.link.as_ref().is_none_or(|_| work.partner.is_none());
        let same_key = if unmade { self.same_key(entry) } else { SameKey::default() };
        let decision = self.ask(work, &same_key, successor.as_ref());
        if let Decision::Adopt { candidate, .. } = &decision {
            other = same_key.candidates.into_iter().nth(*candidate);
        }
        if let Decision::Adopt { .. } | Decision::Create { .. } = decision {
            self.tied_keys.extend(entry.match_key.clone().map(|key| (entry.side, key)));
            if let Some(other) = &other {
                self.taken.insert(other.id);
                self.tied_keys.extend(other.match_key.clone().map(|key| (other.side, key)));
            }
        }
        Some(Decided { work, decision, other, successor })
    }

    /// Who bears the same key, on either side.
    fn same_key(&self, entry: &StoredEntry) -> SameKey {
        let Some(key) = &entry.match_key else { return SameKey::default() };
        let across = entry.side.other();
        let known = |side: Side| self.around.by_key[place(side)].get(key).into_iter().flatten();
        let tied_now = self.tied_keys.contains(&(across, key.clone()));
        let is_live = |other: &&StoredEntry| other.fate == Fate::Live;
        SameKey {
            occupied: tied_now || known(across).filter(is_live).any(|other| other.link.is_some()),
            candidates: match tied_now {
                true => Vec::new(),
                false => known(across).filter(|other| other.link.is_none()).cloned().collect(),
            },
            rivals: known(entry.side).filter(|other| other.id != entry.id).filter(is_live).cloned().collect(),
        }
    }

    fn successor(&self, work: &Work) -> Option<StoredEntry> {
        let gone = [Some(&work.entry), work.partner.as_ref()];
        gone.into_iter().flatten().find_map(|entry| {
            let (Fate::MergedInto(into) | Fate::ConvertedTo(into)) = &entry.fate else { return None };
            let found =
                self.around.by_record.iter().find(|((side, _, record), _)| *side == entry.side && record == into);
            found.map(|(_, successor)| successor.clone())
        })
    }

    fn ask(&self, work: &Work, same_key: &SameKey, successor: Option<&StoredEntry>) -> Decision {
        let candidates: Vec<Known<'_>> = same_key.candidates.iter().map(known).collect();
        let rivals: Vec<Known<'_>> = same_key.rivals.iter().map(known).collect();
        let case = Case {
            record: known(&work.entry),
            tie: work.link.as_ref().map(tie),
            partner: work.partner.as_ref().map(known),
            candidates: &candidates,
            occupied: same_key.occupied,
            rivals: &rivals,
            detached: work.entry.let_go,
            successor: successor.map(|entry| Successor { record: known(entry), linked: entry.link.is_some() }),
            since: self.since,
        };
        decide(&self.compiled.flow, &case)
    }
}

/// Records that bear the key of one that has no counterpart.
#[derive(Default)]
struct SameKey {
    candidates: Vec<StoredEntry>,
    occupied: bool,
    rivals: Vec<StoredEntry>,
}

fn tie(link: &StoredLink) -> Tie<'_> {
    Tie { pair: &link.pair, images: &link.images, refused: &link.refused, decided: &link.decided }
}

impl Engine {
    /// Gathers what a batch needs to know, in a few questions to the store.
    pub(crate) async fn batch<'a>(
        &self,
        flow: &RecordFlow,
        compiled: &'a Compiled,
        works: &[Work],
        since: Option<Timestamp>,
    ) -> Result<Batch<'a>, Halt> {
        let mut around = Around::default();
        let mut keys: BTreeSet<&str> = BTreeSet::new();
        let mut successors: BTreeMap<Side, BTreeSet<RecordId>> = BTreeMap::new();
        for work in works {
            if work.partner.is_none() {
                keys.extend(work.entry.match_key.as_deref());
            }
            for entry in [Some(&work.entry), work.partner.as_ref()].into_iter().flatten() {
                if let Fate::MergedInto(into) | Fate::ConvertedTo(into) = &entry.fate {
                    successors.entry(entry.side).or_default().insert(into.clone());
                }
            }
        }
        let keys: Vec<String> = keys.into_iter().map(str::to_owned).collect();
        if !keys.is_empty() {
            for side in Side::BOTH {
                let entries = self.world.store.rows_by_key(&flow.workspace, &flow.id, side, &keys).await?;
                for entry in entries {
                    if let Some(key) = entry.match_key.clone() {
                        around.by_key[place(side)].entry(key).or_default().push(entry);
                    }
                }
            }
        }
        for (side, records) in successors {
            let records: Vec<RecordId> = records.into_iter().collect();
            for kind in compiled.kinds(side).keys() {
                let entries = self.world.store.rows_by_record(&flow.workspace, &flow.id, side, kind, &records).await?;
                for entry in entries {
                    around.by_record.insert((side, kind.clone(), entry.record.clone()), entry);
                }
            }
        }
        Ok(Batch {
            compiled,
            around,
            since,
            taken: HashSet::new(),
            taken_links: HashSet::new(),
            tied_keys: HashSet::new(),
        })
    }

    /// Decides about all that is due, writes it down, and sends it.
    pub(crate) async fn decide_and_push(
        &self,
        turn: &Turn<'_>,
        compiled: &Compiled,
        round: &mut Round,
    ) -> Result<(), Halt> {
        let Turn { flow, held, since, .. } = *turn;
        let mut outgoing: Vec<Outgoing> = Vec::new();
        loop {
            let now = self.world.clock.now();
            self.extend(flow, held, now).await?;
            let room = self.quota_room(flow, now).await?;
            if room == 0 {
                break;
            }
            let limit = DECIDE_BATCH.min(usize::try_from(room).unwrap_or(usize::MAX));
            let mut works = self.world.store.due_rows(&flow.workspace, &flow.id, now, limit).await?;
            if works.is_empty() {
                break;
            }
            let full = works.len() >= limit;
            works.sort_by_key(|work| rank_of(compiled, work));
            let works = self.verified(flow, compiled, works, since, round).await?;
            let mut batch = self.batch(flow, compiled, &works, since).await?;
            let decided: Vec<Decided<'_>> = works.iter().filter_map(|work| batch.decide(work)).collect();
            round.decided += decided.len();
            if !turn.confirm_deletes && self.too_many_deletes(flow, &decided).await? {
                return Ok(());
            }
            let seeks = self.write_down_rows(flow, compiled, held, decided, now, round, &mut outgoing).await?;
            self.seek(flow, compiled, held, seeks, round).await?;
            if outgoing.len() >= ROUND_WRITES_MAX {
                round.more = true;
                break;
            }
            if !full {
                break;
            }
        }
        self.push_outgoing(flow, compiled, held, outgoing, round).await
    }

    /// Holds the integration for as long again as a few calls may take.
    pub(crate) async fn extend(&self, flow: &RecordFlow, held: &Held, now: Timestamp) -> Result<(), Halt> {
        let until = later(now, self.options.call.saturating_mul(super::LEASE_CALLS));
        if self.world.store.extend_lease(&flow.workspace, held, now, until).await? { Ok(()) } else { Err(Halt::Lost) }
    }

    /// Records that may still be transferred this month.
    async fn quota_room(&self, flow: &RecordFlow, now: Timestamp) -> Result<u64, Halt> {
        let Some(limit) = flow.tasks_per_month else { return Ok(u64::MAX) };
        let usage = self.world.store.quota_use(&flow.workspace, &flow.id, &month(now)).await?;
        // What is on its way will count.
        let open = self.world.store.flow_counts(&flow.workspace, &flow.id).await?.open_steps;
        let share = usage.used.saturating_mul(100).checked_div(limit).unwrap_or(100);
        for percent in [80u32, 100] {
            if share >= u64::from(percent) && usage.told_percent < percent {
                self.tell_quota(flow, percent, usage.used, limit, now).await?;
            }
        }
        Ok(limit.saturating_sub(usage.used).saturating_sub(open))
    }

    async fn tell_quota(
        &self,
        flow: &RecordFlow,
        percent: u32,
        used: u64,
        limit: u64,
        now: Timestamp,
    ) -> Result<(), Halt> {
        if !self.world.store.quota_told(&flow.workspace, &flow.id, &month(now), percent).await? {
            return Ok(());
        }
        let name = &flow.id;
        tracing::warn!(integration.id = %name, "Integration {name} has used {used} of {limit} transfers of this month");
        let state = self.world.store.flow_state(&flow.workspace, &flow.id).await?;
        let Some(state) = state else { return Ok(()) };
        let text = if percent >= 100 {
            format!(
                "{name} has used its {limit} transfers of this month; it goes on when the limit is raised or the month turns"
            )
        } else {
            format!("{name} has used {percent} % of its {limit} transfers of this month")
        };
        let line = JournalEntry { at: now, kind: JournalKind::Operator, text, details: json!({ "used": used }) };
        Ok(self.world.store.set_flow(&flow.workspace, &flow.id, state, Some(line)).await?)
    }

    /// Asks the side that is about to be written what it holds now, where it can be asked in batches: an edit that no
    /// page has shown yet must not be overwritten. A record that is not there any more is gone.
    async fn verified(
        &self,
        flow: &RecordFlow,
        compiled: &Compiled,
        mut works: Vec<Work>,
        since: Option<Timestamp>,
        round: &mut Round,
    ) -> Result<Vec<Work>, Halt> {
        let mut batch = self.batch(flow, compiled, &works, since).await?;
        let mut wanted: BTreeMap<(Side, String), Vec<(usize, RecordId)>> = BTreeMap::new();
        for (at, work) in works.iter().enumerate() {
            let Some(Decided { decision: Decision::Merge { merge, .. }, .. }) = batch.decide(work) else { continue };
            let Some(partner) = &work.partner else { continue };
            let told = match partner.side {
                Side::Left => &merge.to_left,
                Side::Right => &merge.to_right,
            };
            if !told.is_empty() && partner.seen.is_none() {
                let key = (partner.side, partner.kind.clone());
                wanted.entry(key).or_default().push((at, partner.record.clone()));
            }
        }
        for ((side, kind), records) in wanted {
            let Some(view) = compiled.kinds(side).get(&kind).filter(|view| view.spec.reads_at_once > 0) else {
                continue;
            };
            let ids: Vec<RecordId> = records.iter().map(|(_, id)| id.clone()).collect();
            let found = self.fetch_rows(flow, side, &kind, view, &ids, &mut round.calls).await?;
            for (at, id) in records {
                let Some(partner) = &mut works[at].partner else { continue };
                match found.get(&id) {
                    Some(seen) => partner.seen = Some(row(view, &seen.fields)),
                    None => partner.fate = Fate::Deleted,
                }
            }
        }
        Ok(works)
    }

    /// Stops the integration where more counterparts would be deleted than anybody can have meant.
    async fn too_many_deletes(&self, flow: &RecordFlow, decided: &[Decided<'_>]) -> Result<bool, Halt> {
        let deletes = decided.iter().filter(|one| matches!(one.decision, Decision::Delete { .. })).count();
        if deletes <= DELETES_MAX {
            return Ok(false);
        }
        let links = self.world.store.flow_counts(&flow.workspace, &flow.id).await?.links;
        if u64::try_from(deletes).unwrap_or(u64::MAX) * 100 <= links * DELETES_PERCENT {
            return Ok(false);
        }
        let reason = format!(
            "{deletes} of {links} records would be deleted on the other side; if that is meant, let it go on with `syncline records run {} --confirm-deletes`",
            flow.id
        );
        self.set_standing(flow, syncline_store::FlowStanding::Stopped, Some(reason), None).await?;
        Ok(true)
    }

    /// Writes a batch's decisions down in one transaction; yields the records that have to be read first.
    #[expect(clippy::too_many_arguments, reason = "each is a plain part of one round")]
    async fn write_down_rows(
        &self,
        flow: &RecordFlow,
        compiled: &Compiled,
        held: &Held,
        decided: Vec<Decided<'_>>,
        now: Timestamp,
        round: &mut Round,
        outgoing: &mut Vec<Outgoing>,
    ) -> Result<Vec<(Side, String, RecordId)>, Halt> {
        let mut save = SaveRows { month: month(now), ..SaveRows::default() };
        let mut planned: Vec<(LinkRef, Outgoing)> = Vec::new();
        let mut seeks = Vec::new();
        for one in decided {
            let mut writing = Writing { flow, compiled, now, round, save: &mut save, planned: &mut planned };
            writing.take(one, &mut seeks);
        }
        if save_is_empty(&save) {
            return Ok(seeks);
        }
        let saved = self.world.store.save_rows(&flow.workspace, &flow.id, held, now, save).await?.ok_or(Halt::Lost)?;
        for ((link, mut out), step) in planned.into_iter().zip(saved.steps) {
            out.step = step;
            out.tied.link = match link {
                LinkRef::Known(id) => id,
                LinkRef::New(at) => saved.links.get(at).copied().ok_or(Halt::Lost)?,
            };
            outgoing.push(out);
        }
        Ok(seeks)
    }
}

fn save_is_empty(save: &SaveRows) -> bool {
    save.entries.is_empty() && save.links.is_empty() && save.new_links.is_empty() && save.journal.is_empty()
}

fn rank_of(compiled: &Compiled, work: &Work) -> (usize, i64) {
    let side = work.entry.side;
    let pair = compiled.flow.pairs.iter().position(|pair| pair.side(side).kind == work.entry.kind);
    (pair.unwrap_or(usize::MAX), work.entry.id)
}

/// The month that a transfer counts for.
pub(crate) fn month(now: Timestamp) -> String {
    now.to_zoned(jiff::tz::TimeZone::UTC).strftime("%Y-%m").to_string()
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
    }
}

/// Turns decisions into what the store keeps and the vendors are told.
struct Writing<'a, 'r> {
    flow: &'a RecordFlow,
    compiled: &'a Compiled,
    now: Timestamp,
    round: &'r mut Round,
    save: &'r mut SaveRows,
    planned: &'r mut Vec<(LinkRef, Outgoing)>,
}

impl Writing<'_, '_> {
    fn take(&mut self, one: Decided<'_>, seeks: &mut Vec<(Side, String, RecordId)>) {
        let Decided { work, decision, other, successor } = one;
        let entry = &work.entry;
        match decision {
            Decision::Rest { note } => {
                self.save.entries.push(EntryChange { note, ..at_rest(entry) });
                self.save.holds.push((entry.id, Vec::new()));
            }
            Decision::Hold(hold) => {
                self.round.held += 1;
                let note = Some(hold.reason.clone());
                self.save.entries.push(EntryChange { note, ..at_rest(entry) });
                self.save.holds.push((entry.id, vec![stored_hold(None, &hold)]));
            }
            Decision::Adopt { pair, merge, .. } => {
                if let Some(other) = other {
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
            Decision::Seek { kind, record } => {
                let side = self.gone_side(work);
                seeks.push((side, kind, record));
            }
            Decision::Delete { to } => self.delete(work, to),
            Decision::Detach { note } => self.detach(work, &note),
        }
    }

    fn gone_side(&self, work: &Work) -> Side {
        match (&work.entry.fate, &work.partner) {
            (Fate::Live, Some(partner)) => partner.side,
            _ => work.entry.side,
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
        for entry in [tied.left, tied.right] {
            // Where all is agreed the images say what the record shows, save what only the selection reads.
            let covered = entry.seen.as_ref().is_none_or(|row| row.keys().all(|key| tied.images.contains_key(key)));
            let seen = if open || !covered { entry.seen.clone() } else { None };
            self.save.entries.push(EntryChange { link: Some(tied.link), seen, ..at_rest(entry) });
        }
        for (key, conflict) in &merge.conflicts {
            let field = |side| self.compiled.field(tied.pair, *key, side).unwrap_or_default().to_owned();
            let (left, right) = (field(Side::Left), field(Side::Right));
            let text =
                format!("{}: {left} and {right} differed; the {} side won", named(tied.left), conflict.winner.as_str());
            let details = json!({ "action": "conflict", "winner": conflict.winner.as_str(),
                "left": { "field": left, "value": shown(&conflict.left) },
                "right": { "field": right, "value": shown(&conflict.right) } });
            self.line(JournalKind::Written, text, details);
        }
        let joint: BTreeSet<RuleKey> = merge
            .to_left
            .iter()
            .filter(|one| merge.to_right.iter().any(|two| two.key == one.key))
            .map(|one| one.key)
            .collect();
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
                changes,
                source,
                target: Some(target),
                images: &tied.images,
                refused: &tied.refused,
                decided: &tied.decided,
                revision: tied.revision,
                joint: &joint,
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
            changes: first.values,
            source,
            target: None,
            images: &Images::new(),
            refused: work.link.as_ref().map_or(&[], |link| link.refused.as_slice()),
            decided: &[],
            revision: work.link.as_ref().map_or(0, |link| link.revision),
            joint: &BTreeSet::new(),
        });
    }

    fn follow(&mut self, work: &Work, link: &StoredLink, successor: &StoredEntry, pair: usize, images: Images) {
        let gone_side = self.gone_side(work);
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
        self.save.entries.push(EntryChange { link: None, ..at_rest(gone) });
        self.save.entries.push(EntryChange { link: Some(known), due_at: Some(self.now), ..at_rest(successor) });
        if let Some(stays) = stays {
            self.save.entries.push(EntryChange { link: Some(known), ..at_rest(stays) });
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
            changes: Vec::new(),
            source,
            target: Some(target),
            images: &link.images,
            refused: &link.refused,
            decided: &[],
            revision: link.revision,
            joint: &BTreeSet::new(),
        });
    }

    fn detach(&mut self, work: &Work, note: &str) {
        self.save.drop_links.extend(work.link.as_ref().map(|link| link.id));
        for entry in [Some(&work.entry), work.partner.as_ref()].into_iter().flatten() {
            let note = Some(note.to_owned());
            self.save.entries.push(EntryChange { link: None, note, let_go: true, ..at_rest(entry) });
            self.save.holds.push((entry.id, Vec::new()));
        }
        let text = format!("{} is no longer kept in step: {note}", named(&work.entry));
        self.line(JournalKind::Unchanged, text, json!({ "action": "detached" }));
    }

    fn plan(&mut self, planned: Planned<'_>) {
        let fields: Vec<StepField> = planned
            .changes
            .into_iter()
            .map(|Change { key, target, seen, after }| StepField { rule: key, target, seen, after })
            .collect();
        self.save.new_steps.push(NewStep {
            link: planned.link,
            side: planned.side,
            kind: planned.kind.clone(),
            op: planned.op.clone(),
            fields: fields.clone(),
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
            joint: planned.joint.clone(),
        };
        let out = Outgoing {
            step: 0,
            side: planned.side,
            kind: planned.kind,
            pair: planned.pair.to_owned(),
            op: planned.op,
            fields,
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
    changes: Vec<Change>,
    source: &'a StoredEntry,
    target: Option<&'a StoredEntry>,
    images: &'a Images,
    refused: &'a [(RuleKey, u64)],
    decided: &'a [(RuleKey, Side)],
    revision: i64,
    joint: &'a BTreeSet<RuleKey>,
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
    StoredHold { rule, kind: hold.kind, to: hold.to, reason: hold.reason.clone(), fix: hold.fix.clone() }
}

/// A hold of a value or record that a vendor refused.
pub(crate) fn refused_hold(rule: Option<RuleKey>, to: Side, reason: &str, fix: &str) -> StoredHold {
    StoredHold { rule, kind: HoldKind::Refused, to: Some(to), reason: reason.to_owned(), fix: fix.to_owned() }
}

/// A record as the activity log names it.
pub(crate) fn named(entry: &StoredEntry) -> String {
    format!("{} {}", entry.kind, entry.record)
}

/// A value as the activity log shows it.
pub(crate) fn shown(value: &syncline_core::record::Value) -> serde_json::Value {
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
