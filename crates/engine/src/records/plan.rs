//! Deciding about everything that is due, in batches: the facts of a batch are gathered at once, each record is decided
//! about by `syncline_core::merge`, and what follows is written down before anything is sent.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use jiff::Timestamp;
use serde_json::json;
use syncline_core::{
    ids::RecordId,
    merge::{Case, Decision, Fate, Images, Known, RuleKey, Side, Successor, Tie, decide},
};
use syncline_store::{JournalEntry, JournalKind, LinkRef, SaveRows, StepField, StepOp, StoredEntry, StoredLink, Work};

use super::{
    Compiled, DECIDE_BATCH, Halt, LOOK_BATCH, ROUND_WRITES_MAX, RecordFlow, Round, Turn, later, rows::known,
    verify::Reserved, write_down::Writing,
};
use crate::{alerts, engine::Engine};

/// Counterparts that go because records were deleted: more in one round, and a person is asked first.
const DELETES_MAX: usize = 50;

/// Records in a row that each became the next: a lead a contact, and that one merged, and merged again.
const SUCCESSORS_MAX: usize = 8;

/// Why nothing is deleted while a field is missing. When it comes back, everything is read and decided about anew.
const NOT_ALL_READ: &str =
    "its counterpart was deleted, but a mapped field cannot be read just now; it waits until that can";

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
    /// Whether either of them has changed since the write was planned: however it ends, that is yet to be decided about.
    pub(crate) news: bool,
}

/// What is known around a batch of records.
#[derive(Default)]
struct Around {
    /// Records by their key, per side.
    by_key: [HashMap<String, Vec<StoredEntry>>; 2],
    /// Records that others were merged into or became; ids are only told apart within a kind at some vendors.
    by_record: HashMap<(Side, RecordId), Vec<StoredEntry>>,
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
        if successor.as_ref().is_some_and(|successor| self.taken.contains(&successor.id)) {
            // Another counterpart goes on with it: only then can be told what becomes of this one.
            return None;
        }
        let same_key = self.same_key_of(work);
        let decision = self.ask(work, &same_key, successor.as_ref());
        if let Decision::Adopt { candidate, .. } = &decision {
            other = same_key.candidates.into_iter().nth(*candidate);
        }
        if let (Decision::Follow { .. }, Some(successor)) = (&decision, &successor) {
            // It has a counterpart now: none is to be found or made for it.
            self.taken.insert(successor.id);
            self.tied_keys.extend(successor.match_key.clone().map(|key| (successor.side, key)));
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

    /// Who bears the same key, on either side; of nobody who has a counterpart.
    pub(crate) fn same_key_of(&self, work: &Work) -> SameKey {
        if work.link.is_some() && work.partner.is_some() {
            return SameKey::default();
        }
        self.same_key(&work.entry)
    }

    /// A record as it is known by its key.
    pub(crate) fn bearer(&self, key: Option<&str>, record: (Side, &String, &RecordId)) -> Option<&StoredEntry> {
        let mut known = self.around.by_key[place(record.0)].get(key?)?.iter();
        known.find(|entry| (entry.side, &entry.kind, &entry.record) == record)
    }

    /// Brings what is known by its key up to date; who bears another one by now is none of them.
    pub(crate) fn refresh(&mut self, side: Side, refresh: impl Fn(&mut StoredEntry) -> bool) {
        for entries in self.around.by_key[place(side)].values_mut() {
            entries.retain_mut(&refresh);
        }
    }

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

    /// What a record became: the last that is known of where one became another, and that a third.
    pub(crate) fn successor(&self, work: &Work) -> Option<StoredEntry> {
        let mut found: Option<&StoredEntry> = None;
        let mut gone = moved(work)?;
        for _ in 0..SUCCESSORS_MAX {
            let (from, into) = gone;
            let same_kind = matches!(from.fate, Fate::MergedInto(_));
            let known = self.around.by_record.get(&(from.side, into.clone())).into_iter().flatten();
            let Some(next) = known.into_iter().find(|next| (next.kind == from.kind) == same_kind) else { break };
            found = Some(next);
            let Some(into) = became(next) else { break };
            gone = (next, into);
        }
        found.cloned()
    }

    /// Whether a mapped field of the record cannot be read just now: what it says is not known.
    fn lacks_a_field(&self, work: &Work) -> bool {
        let pair = work.link.as_ref().map(|link| &link.pair);
        self.compiled.dropped.iter().any(|(dropped, _)| Some(dropped) == pair)
    }

    pub(crate) fn ask(&self, work: &Work, same_key: &SameKey, successor: Option<&StoredEntry>) -> Decision {
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
        match decide(&self.compiled.flow, &case) {
            Decision::Delete { .. } if self.lacks_a_field(work) => {
                Decision::Rest { note: Some(NOT_ALL_READ.to_owned()) }
            }
            decision => decision,
        }
    }
}

/// Records that bear the key of one that has no counterpart.
#[derive(Default)]
pub(crate) struct SameKey {
    pub(crate) candidates: Vec<StoredEntry>,
    occupied: bool,
    rivals: Vec<StoredEntry>,
}

fn tie(link: &StoredLink) -> Tie<'_> {
    Tie { pair: &link.pair, images: &link.images, refused: &link.refused, decided: &link.decided }
}

impl Engine {
    /// Gathers what a batch needs to know, in a few questions to the store.
    pub(crate) async fn batch<'a>(&self, turn: &Turn<'a>, works: &[Work]) -> Result<Batch<'a>, Halt> {
        let Turn { flow, compiled, .. } = *turn;
        let mut around = Around::default();
        let mut keys: BTreeSet<&str> = BTreeSet::new();
        let mut successors: BTreeMap<Side, BTreeSet<RecordId>> = BTreeMap::new();
        for work in works {
            if work.partner.is_none() {
                keys.extend(work.entry.match_key.as_deref());
            }
            for entry in [Some(&work.entry), work.partner.as_ref()].into_iter().flatten() {
                successors.entry(entry.side).or_default().extend(became(entry).cloned());
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
        for _ in 0..SUCCESSORS_MAX {
            let mut further: BTreeMap<Side, BTreeSet<RecordId>> = BTreeMap::new();
            for (side, records) in std::mem::take(&mut successors) {
                let records: Vec<RecordId> = records.into_iter().collect();
                for kind in compiled.kinds(side).keys() {
                    let known =
                        self.world.store.rows_by_record(&flow.workspace, &flow.id, side, kind, &records).await?;
                    for entry in known {
                        let place = (side, entry.record.clone());
                        let next =
                            became(&entry).filter(|next| !around.by_record.contains_key(&(side, (*next).clone())));
                        further.entry(side).or_default().extend(next.cloned());
                        around.by_record.entry(place).or_default().push(entry);
                    }
                }
            }
            successors = further;
        }
        Ok(Batch {
            compiled,
            around,
            since: turn.since,
            taken: HashSet::new(),
            taken_links: HashSet::new(),
            tied_keys: HashSet::new(),
        })
    }

    /// Decides about all that is due, writes it down, and sends it.
    pub(crate) async fn decide_and_push(&self, turn: &Turn<'_>, round: &mut Round) -> Result<(), Halt> {
        let mut reserved = Reserved::default();
        let done = self.decide_and_push_while(turn, &mut reserved, round).await;
        self.release_reserved(turn, reserved).await;
        done
    }

    async fn decide_and_push_while(
        &self,
        turn: &Turn<'_>,
        reserved: &mut Reserved,
        round: &mut Round,
    ) -> Result<(), Halt> {
        let Turn { flow, compiled, .. } = *turn;
        let mut outgoing: Vec<Outgoing> = Vec::new();
        let room = self.quota_room(flow, self.world.clock.now()).await?;
        let shut = self.gathering(turn).await?;
        loop {
            let now = self.world.clock.now();
            self.extend(turn, now).await?;
            let room = room.saturating_sub(u64::try_from(outgoing.len()).unwrap_or(u64::MAX));
            if room == 0 {
                break;
            }
            let gathered = ROUND_WRITES_MAX.saturating_sub(outgoing.len()).max(DECIDE_BATCH);
            let limit = LOOK_BATCH.min(gathered).min(usize::try_from(room).unwrap_or(usize::MAX));
            let mut works = self.world.store.due_rows_but(&flow.workspace, &flow.id, now, limit, &shut).await?;
            if works.is_empty() {
                break;
            }
            let full = works.len() >= limit;
            works.sort_by_key(|work| rank_of(compiled, work));
            let mut batch = self.batch(turn, &works).await?;
            let due = works.len();
            let works = self.verified(turn, &mut batch, works, reserved, round).await?;
            let mut decided: Vec<Decided<'_>> = works.iter().filter_map(|work| batch.decide(work)).collect();
            let before = decided.len();
            self.reserve_creations(turn, &batch, &mut decided, reserved, round).await?;
            // What was put aside is still due, and would come again at once.
            let aside = works.len() < due || decided.len() < before;
            let spent = keep_within(&mut decided, room);
            round.decided += decided.len();
            if !turn.confirm_deletes && self.too_many_deletes(flow, &decided).await? {
                return Ok(());
            }
            let mut seeks = Vec::new();
            while !decided.is_empty() {
                let part = decided.drain(..decided.len().min(DECIDE_BATCH)).collect();
                seeks.extend(self.write_down_rows(turn, part, now, round, &mut outgoing).await?);
            }
            self.seek(turn, seeks, round).await?;
            if outgoing.len() >= ROUND_WRITES_MAX {
                round.more = true;
                break;
            }
            if !full || spent || aside {
                break;
            }
        }
        self.push_outgoing(turn, outgoing, reserved, round).await
    }

    /// Holds the integration for as long again as a few calls may take.
    pub(crate) async fn extend(&self, turn: &Turn<'_>, now: Timestamp) -> Result<(), Halt> {
        let until = later(now, self.options.call.saturating_mul(super::LEASE_CALLS));
        if self.world.store.extend_lease(&turn.flow.workspace, turn.held, now, until).await? {
            Ok(())
        } else {
            Err(Halt::Lost)
        }
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
        let name = &flow.id;
        let text = if percent >= 100 {
            format!(
                "{name} has used its {limit} transfers of this month; it goes on when the limit is raised or the month turns"
            )
        } else {
            format!("{name} has used {percent} % of its {limit} transfers of this month")
        };
        let line = JournalEntry { at: now, kind: JournalKind::Operator, text, details: json!({ "used": used }) };
        let (month, store) = (month(now), &self.world.store);
        let alert = alerts::quota(name, &month, percent, limit, now);
        if store.tell_quota(&flow.workspace, name, &month, percent, line, alert).await? {
            tracing::warn!(integration.id = %name, "Integration {name} has used {used} of {limit} transfers of this month");
        }
        Ok(())
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
    async fn write_down_rows(
        &self,
        turn: &Turn<'_>,
        decided: Vec<Decided<'_>>,
        now: Timestamp,
        round: &mut Round,
        outgoing: &mut Vec<Outgoing>,
    ) -> Result<Vec<(Side, String, RecordId)>, Halt> {
        let mut save = SaveRows { month: month(now), ..SaveRows::default() };
        let mut planned: Vec<(LinkRef, Outgoing)> = Vec::new();
        let mut seeks = Vec::new();
        for one in decided {
            let mut writing = Writing {
                flow: turn.flow,
                compiled: turn.compiled,
                now,
                round,
                save: &mut save,
                planned: &mut planned,
            };
            writing.take(one, &mut seeks);
        }
        if save_is_empty(&save) {
            return Ok(seeks);
        }
        let saved = self
            .world
            .store
            .save_rows(&turn.flow.workspace, &turn.flow.id, turn.held, now, save)
            .await?
            .ok_or(Halt::Lost)?;
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

/// Keeps as many decisions as may be transferred: one that tells both sides is two transfers. Whether any was left out,
/// which stays due.
fn keep_within(decided: &mut Vec<Decided<'_>>, room: u64) -> bool {
    let (mut left, before) = (room, decided.len());
    decided.retain(|one| {
        let enough = writes(&one.decision) <= left;
        if enough {
            left -= writes(&one.decision);
        }
        enough
    });
    decided.len() < before
}

fn writes(decision: &Decision) -> u64 {
    match decision {
        Decision::Merge { merge, .. } | Decision::Adopt { merge, .. } => {
            u64::from(!merge.to_left.is_empty()) + u64::from(!merge.to_right.is_empty())
        }
        Decision::Create { .. } | Decision::Delete { .. } => 1,
        Decision::Rest { .. }
        | Decision::Follow { .. }
        | Decision::Seek { .. }
        | Decision::Detach { .. }
        | Decision::Hold(_) => 0,
    }
}

/// The first of the two that became another record, and which.
pub(crate) fn moved(work: &Work) -> Option<(&StoredEntry, &RecordId)> {
    let both = [Some(&work.entry), work.partner.as_ref()];
    both.into_iter().flatten().find_map(|entry| Some((entry, became(entry)?)))
}

fn became(entry: &StoredEntry) -> Option<&RecordId> {
    match &entry.fate {
        Fate::MergedInto(into) | Fate::ConvertedTo(into) => Some(into),
        Fate::Live | Fate::Deleted | Fate::Missing => None,
    }
}

/// What became of records comes before what is made of them: a link follows the record that its own one became before
/// anybody looks for a counterpart of that. Then the pairs' order.
fn rank_of(compiled: &Compiled, work: &Work) -> (bool, usize, i64) {
    let stays = moved(work).is_none();
    let side = work.entry.side;
    let pair = compiled.flow.pairs.iter().position(|pair| pair.side(side).kind == work.entry.kind);
    (stays, pair.unwrap_or(usize::MAX), work.entry.id)
}

/// The month that a transfer counts for.
pub(crate) fn month(now: Timestamp) -> String {
    now.to_zoned(jiff::tz::TimeZone::UTC).strftime("%Y-%m").to_string()
}
