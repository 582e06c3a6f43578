//! A last look at what is about to be written, and the right to write it: what several integrations write in one account
//! none of them writes while another is between that look and its write.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use syncline_connect::mirror::{Lookup, Seen};
use syncline_core::{
    ids::RecordId,
    merge::{Decision, Fate, RowMerge, Side},
    mutant::{self, Mutant},
};
use syncline_store::{Held, SeenRow, StoredEntry, Work};

use super::{
    Halt, LEASE_CALLS, Round, Turn,
    call::{mirrored, paid},
    later,
    plan::{Batch, Decided},
    rows::seen_row,
    settle::fresh,
    setup::RecordFlow,
};
use crate::engine::Engine;

/// A kind of records on one side.
type Place = (Side, String);

/// The right to write some kinds of records, for this round.
#[derive(Default)]
pub(crate) struct Reserved(BTreeMap<Place, Held>);

impl Engine {
    /// Asks the sides that are about to be written what they hold now, where they can be asked in batches: an edit that no
    /// page has shown yet must not be overwritten or deleted, and what is stored of a record may be older than this round. A
    /// record that is not there any more is gone. What another integration is about to write is put aside, and stays due.
    pub(crate) async fn verified(
        &self,
        turn: &Turn<'_>,
        batch: &mut Batch<'_>,
        mut works: Vec<Work>,
        reserved: &mut Reserved,
        round: &mut Round,
    ) -> Result<Vec<Work>, Halt> {
        if mutant::on(Mutant::Unverified) {
            return Ok(works);
        }
        let mut looked: BTreeSet<(Place, RecordId)> = BTreeSet::new();
        // What one side holds may turn the decision to the other side.
        for _ in Side::BOTH {
            let mut wanted: BTreeMap<Place, BTreeSet<RecordId>> = BTreeMap::new();
            for work in &works {
                for entry in batch.told(work) {
                    let place = (entry.side, entry.kind.clone());
                    let is_new = !looked.contains(&(place.clone(), entry.record.clone()));
                    if is_new {
                        wanted.entry(place).or_default().insert(entry.record.clone());
                    }
                }
            }
            if wanted.is_empty() {
                break;
            }
            for (place, records) in wanted {
                if !self.may_write(turn, &place, reserved).await? {
                    works.retain(|work| !batch.told(work).iter().any(|entry| is_of(entry, &place)));
                    continue;
                }
                looked.extend(records.iter().map(|record| (place.clone(), record.clone())));
                self.look_once_more(turn, &place, records, batch, &mut works, round).await?;
            }
        }
        Ok(works)
    }

    async fn look_once_more(
        &self,
        turn: &Turn<'_>,
        place: &Place,
        records: BTreeSet<RecordId>,
        batch: &mut Batch<'_>,
        works: &mut Vec<Work>,
        round: &mut Round,
    ) -> Result<(), Halt> {
        let (side, kind) = (place.0, place.1.as_str());
        let Some(view) = turn.compiled.kinds(side).get(kind).filter(|view| view.spec.reads_at_once > 0) else {
            return Ok(());
        };
        let ids: Vec<RecordId> = records.iter().cloned().collect();
        let found = self.fetch_rows(turn, side, kind, view, &ids, &mut round.calls).await?;
        // Whether it is still known by the same address.
        let refresh = |entry: &mut StoredEntry| {
            if !is_of(entry, place) || !records.contains(&entry.record) {
                return true;
            }
            let Some(seen) = found.get(&entry.record) else {
                entry.fate = Fate::Deleted;
                return true;
            };
            let row = seen_row(side, kind, view, Seen::clone(seen));
            entry.seen = Some(row.row);
            entry.fate = row.fate;
            row.match_key == entry.match_key
        };
        batch.refresh(side, refresh);
        works.retain_mut(|work| {
            let partner = work.partner.as_mut().is_none_or(|partner| {
                refresh(partner);
                true
            });
            // By which address somebody is matched who is not tied yet is read with the next page.
            (refresh(&mut work.entry) || work.link.is_some()) && partner
        });
        Ok(())
    }

    /// Takes out of `decided` whom another integration has made meanwhile, and everybody while another may be making some:
    /// they stay due.
    pub(crate) async fn reserve_creations(
        &self,
        turn: &Turn<'_>,
        batch: &Batch<'_>,
        decided: &mut Vec<Decided<'_>>,
        reserved: &mut Reserved,
        round: &mut Round,
    ) -> Result<(), Halt> {
        let mut wanted: BTreeMap<Place, BTreeSet<String>> = BTreeMap::new();
        for one in decided.iter() {
            if let (Some(place), Some(key)) = (makes(turn, one), &one.work.entry.match_key) {
                wanted.entry(place).or_default().insert(key.clone());
            }
        }
        let mut rows: Vec<SeenRow> = Vec::new();
        for (place, addresses) in wanted {
            let side = place.0;
            let once = turn.compiled.kinds(side).get(&place.1).is_none_or(|view| view.spec.one_per_email);
            if once || !self.is_shared(turn, &place).await? {
                continue;
            }
            if !self.may_write(turn, &place, reserved).await? {
                decided.retain(|one| makes(turn, one).as_ref() != Some(&place));
                continue;
            }
            let addresses: Vec<String> = addresses.into_iter().collect();
            let mut there: BTreeSet<String> = BTreeSet::new();
            // A lead is as good as a contact.
            for (kind, view) in turn.compiled.kinds(side).iter().filter(|(_, view)| view.spec.email.is_some()) {
                let setup = self.side_setup(turn.flow, side).map_err(|error| Halt::Side(side, error))?;
                let key = Lookup::Email(&addresses);
                let answer = mirrored!(self, setup, |mirror, cx| mirror.find(cx, kind, key, &view.fields));
                let found = paid(answer, &mut round.calls).map_err(|error| Halt::Side(side, error))?;
                let found = found.into_iter().map(|seen| seen_row(side, kind, view, seen));
                // Of whom it was known already, the decision knows, too.
                let is_news = |row: &SeenRow| {
                    let known = batch.bearer(row.match_key.as_deref(), (side, kind, &row.record));
                    row.fate == Fate::Live && known.is_none_or(|known| known.fate != Fate::Live)
                };
                let before = rows.len();
                rows.extend(found.filter(is_news));
                there.extend(rows[before..].iter().filter_map(|row| row.match_key.clone()));
            }
            let is_there = |one: &Decided<'_>| {
                makes(turn, one).as_ref() == Some(&place)
                    && one.work.entry.match_key.as_ref().is_some_and(|key| there.contains(key))
            };
            decided.retain(|one| !is_there(one));
        }
        round.more |= !rows.is_empty();
        self.take(turn, rows.into_iter().map(fresh).collect()).await
    }

    /// Whether another integration writes records of this kind in the same account.
    async fn is_shared(&self, turn: &Turn<'_>, (side, kind): &Place) -> Result<bool, Halt> {
        let connection = &turn.flow.side(*side).connection;
        let also = |flow: &RecordFlow| {
            Side::BOTH.into_iter().filter(|side| flow.side(*side).connection == *connection).any(|side| {
                flow.pairs.iter().any(|pair| if side == Side::Left { &pair.left } else { &pair.right }.kind == *kind)
            })
        };
        let flows = self.record_flows(&turn.flow.workspace).await?;
        Ok(flows.iter().any(|flow| flow.id != turn.flow.id && also(flow)))
    }

    /// Whether these may be written now; from then on no other integration does until the end of the round.
    async fn may_write(&self, turn: &Turn<'_>, place: &Place, reserved: &mut Reserved) -> Result<bool, Halt> {
        if reserved.0.contains_key(place) || !self.is_shared(turn, place).await? {
            return Ok(true);
        }
        let name = format!("write:{}:{}", turn.flow.side(place.0).connection, place.1);
        let lease = self.options.call.saturating_mul(LEASE_CALLS);
        let held = self.hold(&turn.flow.workspace, name, lease).await?;
        let is_ours = held.is_some();
        reserved.0.extend(held.map(|held| (place.clone(), held)));
        Ok(is_ours)
    }

    /// Keeps what is reserved for as long again as a few calls may take.
    pub(crate) async fn extend_reserved(
        &self,
        turn: &Turn<'_>,
        reserved: &Reserved,
        now: Timestamp,
    ) -> Result<(), Halt> {
        let until = later(now, self.options.call.saturating_mul(LEASE_CALLS));
        for held in reserved.0.values() {
            if !self.world.store.extend_lease(&turn.flow.workspace, held, now, until).await? {
                return Err(Halt::Lost);
            }
        }
        Ok(())
    }

    pub(crate) async fn release_reserved(&self, turn: &Turn<'_>, reserved: Reserved) {
        for held in reserved.0.values() {
            self.let_go(&turn.flow.workspace, held).await;
        }
    }
}

impl Batch<'_> {
    /// The records that would be written as things stand, of those that are there.
    fn told<'w>(&'w self, work: &'w Work) -> Vec<&'w StoredEntry> {
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

fn is_of(entry: &StoredEntry, (side, kind): &Place) -> bool {
    entry.side == *side && entry.kind == *kind
}

/// Where a decision makes a record.
fn makes(turn: &Turn<'_>, one: &Decided<'_>) -> Option<Place> {
    let Decision::Create { pair, to, .. } = &one.decision else { return None };
    Some((*to, turn.compiled.flow.pairs[*pair].side(*to).kind.clone()))
}
