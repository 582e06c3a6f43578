//! A batch of records that are due, with what is known around them, as it is decided about.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use jiff::Timestamp;
use syncline_core::{
    ids::RecordId,
    merge::{Case, Counterparts, Decision, Fate, Hold, HoldKind, Known, RowMerge, Side, Successor, Tie, decide},
};
use syncline_store::{StoredEntry, StoredHold, StoredLink, UNREADABLE, Wait, Work};

use super::{Compiled, Halt, Turn, rows::known};
use crate::engine::Engine;

/// Records in a row that each became the next: a lead a contact, and that one merged, and merged again.
const SUCCESSORS_MAX: usize = 8;

/// Why nothing is deleted while a field is missing. When it comes back, everything is read and decided about anew.
const NOT_ALL_READ: &str =
    "its counterpart was deleted, but a mapped field cannot be read just now; it waits until that can";

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
    /// Of the records that these name.
    counterparts: Counterparts,
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
    /// Whose counterparts its records wait for.
    pub(crate) waits: Vec<(i64, Vec<Wait>)>,
    /// What is held back of it as before.
    pub(crate) stands: Vec<StoredHold>,
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
        let waits = self.compiled.waits(work, &self.counterparts);
        Some(Decided { work, decision, other, successor, waits, stands: Vec::new() })
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
    pub(crate) fn refresh(&mut self, side: Side, mut refresh: impl FnMut(&mut StoredEntry) -> bool) {
        for entries in self.around.by_key[place(side)].values_mut() {
            entries.retain_mut(&mut refresh);
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

    /// What cannot be read of a record can be read at its vendor; what both agreed on, nowhere.
    fn unreadable(&self, work: &Work, same_key: &SameKey) -> Option<Decision> {
        let known = [Some(&work.entry), work.partner.as_ref()].into_iter().flatten();
        let mut known = known.chain(&same_key.candidates).chain(&same_key.rivals);
        if let Some(lost) =
            known.find(|entry| entry.unreadable && self.compiled.kinds(entry.side).contains_key(&entry.kind))
        {
            return Some(Decision::Seek { side: lost.side, kind: lost.kind.clone(), record: lost.record.clone() });
        }
        work.link.as_ref().filter(|link| link.unreadable).map(|_| {
            Decision::Hold(Hold {
                kind: HoldKind::Unreadable,
                to: None,
                reason: UNREADABLE.to_owned(),
                fix: "start the version of Syncline again that wrote it, or try it again: both records are then compared as if they were seen together for the first time".to_owned(),
            })
        })
    }

    pub(crate) fn ask(&self, work: &Work, same_key: &SameKey, successor: Option<&StoredEntry>) -> Decision {
        if let Some(decision) = self.unreadable(work, same_key) {
            return decision;
        }
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
            counterparts: &self.counterparts,
        };
        match decide(&self.compiled.flow, &case) {
            Decision::Delete { .. } if self.lacks_a_field(work) => {
                Decision::Rest { note: Some(NOT_ALL_READ.to_owned()) }
            }
            decision => decision,
        }
    }

    /// The records of whom somebody would be opted in as things stand, on either side.
    pub(crate) fn opting_in(&self, works: &[Work]) -> HashSet<i64> {
        let rules = || self.compiled.flow.pairs.iter().flat_map(|pair| &pair.rules);
        if !rules().any(|rule| rule.left.opted_in.is_some() || rule.right.opted_in.is_some()) {
            return HashSet::new();
        }
        let mut found = HashSet::new();
        for work in works {
            let same_key = self.same_key_of(work);
            match self.ask(work, &same_key, self.successor(work).as_ref()) {
                Decision::Merge { merge, .. } | Decision::Adopt { merge, .. } if !merge.opted_in.is_empty() => {
                    let others = work.partner.iter().chain(&same_key.candidates);
                    found.extend(others.map(|entry| entry.id).chain([work.entry.id]));
                }
                _ => {}
            }
        }
        found
    }

    /// The records that would be written as things stand, of those that are there.
    pub(crate) fn told<'w>(&'w self, work: &'w Work) -> Vec<&'w StoredEntry> {
        let same_key = self.same_key_of(work);
        let successor = self.successor(work);
        let decision = self.ask(work, &same_key, successor.as_ref());
        let sides = |merge: &RowMerge| [!merge.to_left.is_empty(), !merge.to_right.is_empty()];
        let (told, other) = match &decision {
            Decision::Merge { merge, .. } => (sides(merge), work.partner.as_ref()),
            Decision::Delete { to } => ([*to == Side::Left, *to == Side::Right], work.partner.as_ref()),
            Decision::Adopt { merge, candidate, .. } => {
                let record = same_key.candidates.get(*candidate).map(|one| (one.side, &one.kind, &one.record));
                (sides(merge), record.and_then(|record| self.bearer(work.entry.match_key.as_deref(), record)))
            }
            _ => return Vec::new(),
        };
        let is_told = |entry: &&StoredEntry| told[usize::from(entry.side == Side::Right)];
        [Some(&work.entry), other].into_iter().flatten().filter(is_told).collect()
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
                if let Some(next) = became(entry) {
                    successors.entry(entry.side).or_default().insert(next.clone());
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
        for _ in 0..SUCCESSORS_MAX {
            let mut further: BTreeMap<Side, BTreeSet<RecordId>> = BTreeMap::new();
            for (side, records) in successors {
                let records: Vec<RecordId> = records.into_iter().collect();
                for kind in compiled.kinds(side).keys() {
                    let known =
                        self.world.store.rows_by_record(&flow.workspace, &flow.id, side, kind, &records).await?;
                    for entry in known {
                        let next = became(&entry).map(|next| (side, next.clone()));
                        if let Some((side, next)) = next.filter(|next| !around.by_record.contains_key(next)) {
                            further.entry(side).or_default().insert(next);
                        }
                        around.by_record.entry((side, entry.record.clone())).or_default().push(entry);
                    }
                }
            }
            successors = further;
        }
        Ok(Batch {
            compiled,
            around,
            counterparts: self.counterparts(turn, works).await?,
            since: turn.since,
            taken: HashSet::new(),
            taken_links: HashSet::new(),
            tied_keys: HashSet::new(),
        })
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
