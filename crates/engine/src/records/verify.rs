//! A last look at what is about to be written, and the right to write it: what several integrations write in one account
//! none of them writes while another is between that look and its write.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use jiff::Timestamp;
use syncline_connect::mirror::Lookup;
use syncline_core::{
    ids::RecordId,
    merge::{Decision, Fate, Side},
    mutant::{self, Mutant},
};
use syncline_store::{Held, SeenRow, StoredEntry, Work};

use super::{
    Halt, LEASE_CALLS, Round, Turn,
    batch::{Batch, Decided},
    later,
    rows::seen_row,
    setup::RecordFlow,
};
use crate::engine::Engine;

/// A kind of records on one side.
type Place = (Side, String);

/// Who may write a kind of records now.
enum Right {
    /// No other integration writes these.
    Alone,
    /// This one, for this round; another has to wait.
    Ours,
    /// Another, just now.
    Theirs,
}

/// The right to write some kinds of records, for this round.
#[derive(Default)]
pub(crate) struct Reserved(BTreeMap<Place, Held>);

impl Engine {
    /// Asks the sides that are about to be written what they hold now, where they can be asked in batches or somebody is to
    /// be opted in: an edit that no page has shown yet must not be overwritten or deleted, and what is stored of a record may
    /// be older than this round. A record that is not there any more is gone. What another integration is about to write is
    /// put aside, and stays due.
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
        let mut looked: HashSet<i64> = HashSet::new();
        // What one side holds may turn the decision to the other side; where it held what was known, nothing turns.
        for _ in Side::BOTH {
            let mut wanted: BTreeMap<Place, BTreeMap<RecordId, i64>> = BTreeMap::new();
            let told = works.iter().flat_map(|work| batch.told(work));
            for entry in told.filter(|entry| !looked.contains(&entry.id)) {
                let place = (entry.side, entry.kind.clone());
                wanted.entry(place).or_default().insert(entry.record.clone(), entry.id);
            }
            let mut news = false;
            for (place, mut records) in wanted {
                if matches!(self.reserve(turn, &place, reserved).await?, Right::Theirs) {
                    works.retain(|work| !batch.told(work).iter().any(|entry| is_of(entry, &place)));
                    continue;
                }
                looked.extend(records.values());
                let view = turn.compiled.kinds(place.0).get(&place.1);
                if view.is_none_or(|view| view.spec.reads_at_once == 0) {
                    // One call each, which is paid only for whom it would be worst to be wrong about.
                    let opting_in = batch.opting_in(&works);
                    records.retain(|_, id| opting_in.contains(id));
                }
                let records: Vec<RecordId> = records.into_keys().collect();
                news |= self.look_once_more(turn, &place, &records, batch, &mut works, round).await?;
            }
            if !news {
                break;
            }
        }
        Ok(works)
    }

    /// Reads records once more; says whether any is not as it was known. Whoever has no counterpart and bears another
    /// address by now is put aside: the next round matches by that.
    async fn look_once_more(
        &self,
        turn: &Turn<'_>,
        place: &Place,
        records: &[RecordId],
        batch: &mut Batch<'_>,
        works: &mut Vec<Work>,
        round: &mut Round,
    ) -> Result<bool, Halt> {
        let (side, kind) = (place.0, place.1.as_str());
        let Some(view) = turn.compiled.kinds(side).get(kind).filter(|_| !records.is_empty()) else {
            return Ok(false);
        };
        let found = self.fetch_rows(turn, side, kind, view, records, &mut round.calls).await?;
        let mut rows: BTreeMap<RecordId, SeenRow> =
            found.into_iter().map(|(id, seen)| (id, seen_row(side, kind, view, seen))).collect();
        let asked: HashSet<&RecordId> = records.iter().collect();
        let (mut news, mut renamed) = (false, BTreeSet::new());
        // Whether it still bears the same address.
        let mut refresh = |entry: &mut StoredEntry| {
            if !is_of(entry, place) || !asked.contains(&entry.record) {
                return true;
            }
            let Some(row) = rows.get(&entry.record) else {
                news |= entry.fate != Fate::Deleted;
                entry.fate = Fate::Deleted;
                return true;
            };
            entry.changed_at = row.changed_at.or(entry.changed_at);
            if entry.fate != row.fate || entry.seen.as_ref() != Some(&row.row) {
                news = true;
                (entry.fate, entry.seen) = (row.fate.clone(), Some(row.row.clone()));
            }
            let same = row.match_key == entry.match_key;
            if !same && entry.link.is_none() {
                renamed.insert(entry.record.clone());
            }
            same
        };
        batch.refresh(side, &mut refresh);
        works.retain_mut(|work| {
            if let Some(partner) = &mut work.partner {
                refresh(partner);
            }
            refresh(&mut work.entry) || work.link.is_some()
        });
        round.more |= !renamed.is_empty();
        self.take_named(turn, renamed.iter().filter_map(|record| rows.remove(record)).collect()).await?;
        Ok(news)
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
            if once {
                continue;
            }
            match self.reserve(turn, &place, reserved).await? {
                Right::Alone => continue,
                Right::Theirs => {
                    decided.retain(|one| makes(turn, one).as_ref() != Some(&place));
                    continue;
                }
                Right::Ours => {}
            }
            let addresses: Vec<String> = addresses.into_iter().collect();
            let mut there: BTreeSet<String> = BTreeSet::new();
            // A lead is as good as a contact.
            for (kind, view) in turn.compiled.kinds(side).iter().filter(|(_, view)| view.spec.email.is_some()) {
                let lookup = Lookup::Email(&addresses);
                let found = self.find_rows(turn, side, kind, view, lookup, &mut round.calls).await?;
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
        self.take_named(turn, rows).await
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

    /// Takes the right to write these, where others could: from then on nobody else does until the end of the round.
    async fn reserve(&self, turn: &Turn<'_>, place: &Place, reserved: &mut Reserved) -> Result<Right, Halt> {
        if reserved.0.contains_key(place) {
            return Ok(Right::Ours);
        }
        if !self.is_shared(turn, place).await? {
            return Ok(Right::Alone);
        }
        let name = format!("write:{}:{}", turn.flow.side(place.0).connection, place.1);
        let lease = self.options.call.saturating_mul(LEASE_CALLS);
        let Some(held) = self.hold(&turn.flow.workspace, name, lease).await? else { return Ok(Right::Theirs) };
        reserved.0.insert(place.clone(), held);
        Ok(Right::Ours)
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

fn is_of(entry: &StoredEntry, (side, kind): &Place) -> bool {
    entry.side == *side && entry.kind == *kind
}

/// Where a decision makes a record.
fn makes(turn: &Turn<'_>, one: &Decided<'_>) -> Option<Place> {
    let Decision::Create { pair, to, .. } = &one.decision else { return None };
    Some((*to, turn.compiled.flow.pairs[*pair].side(*to).kind.clone()))
}
