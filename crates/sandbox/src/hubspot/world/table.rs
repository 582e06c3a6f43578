//! The records of one object, found by id, by unique value and by the time of their last change; and what a search, which
//! lags behind, still sees of them.

use std::collections::{BTreeSet, HashMap, VecDeque};

use super::{
    super::schema::{ObjectType, PropNo, multiple},
    record::Record,
};

/// A record's place in its table. Places and ids grow together.
pub(in super::super) type Slot = u32;

/// What a record was like until a search may see that it changed; `None`: it was not there.
#[derive(Debug)]
struct Former {
    due: i64,
    record: Option<Record>,
}

#[derive(Debug, Default)]
pub(in super::super) struct Table {
    rows: Vec<Record>,
    by_id: HashMap<u64, Slot>,
    /// Ids of merged records, and which record they became.
    merged: HashMap<u64, u64>,
    unique: HashMap<PropNo, HashMap<Box<str>, Slot>>,
    /// Live records by the time of their last change.
    modified: BTreeSet<(i64, Slot)>,
    former: HashMap<Slot, VecDeque<Former>>,
    due: VecDeque<(i64, Slot)>,
    pub(in super::super) live: usize,
}

impl Table {
    pub(in super::super) fn row(&self, slot: Slot) -> &Record {
        &self.rows[slot as usize]
    }

    pub(in super::super) fn rows(&self) -> impl Iterator<Item = (Slot, &Record)> {
        self.rows.iter().enumerate().map(|(slot, row)| (slot as Slot, row))
    }

    /// The place of the first record whose id is larger.
    pub(in super::super) fn after(&self, id: u64) -> usize {
        self.rows.partition_point(|row| row.id <= id)
    }

    pub(in super::super) fn rows_from(&self, start: usize) -> impl Iterator<Item = &Record> {
        self.rows[start.min(self.rows.len())..].iter()
    }

    /// The record that answers to this id today: a merged one is what it was merged into.
    pub(in super::super) fn find(&self, id: u64) -> Option<Slot> {
        let mut id = id;
        // As many steps as there were merges, at most.
        for _ in 0..=self.merged.len() {
            match self.merged.get(&id) {
                Some(next) => id = *next,
                None => break,
            }
        }
        self.by_id.get(&id).copied().filter(|slot| !self.row(*slot).gone)
    }

    /// The live record with this unique value.
    pub(in super::super) fn find_unique(&self, prop: PropNo, value: &str) -> Option<Slot> {
        self.unique.get(&prop)?.get(value).copied()
    }

    pub(super) fn redirect(&mut self, id: u64, to: u64) {
        self.merged.insert(id, to);
    }

    pub(super) fn insert(&mut self, object: &ObjectType, record: Record, now: i64, lag: i64) -> Slot {
        let slot = self.rows.len() as Slot;
        if lag > 0 {
            self.note_former(slot, None, now + lag);
        }
        self.by_id.insert(record.id, slot);
        self.rows.push(record);
        self.enter(object, slot);
        slot
    }

    /// Changes a record, and all that finds it.
    pub(super) fn change<T>(
        &mut self,
        object: &ObjectType,
        slot: Slot,
        now: i64,
        lag: i64,
        act: impl FnOnce(&mut Record) -> T,
    ) -> T {
        if lag > 0 {
            let before = self.row(slot).clone();
            self.note_former(slot, Some(before), now + lag);
        }
        self.leave(object, slot);
        let out = act(&mut self.rows[slot as usize]);
        self.enter(object, slot);
        out
    }

    /// What finds this record alone: its unique values, of a contact also its other addresses.
    fn keys(object: &ObjectType, row: &Record) -> Vec<(PropNo, Box<str>)> {
        let mut keys: Vec<(PropNo, Box<str>)> =
            object.unique().filter_map(|no| Some((no, Box::from(row.get(no)?)))).collect();
        if let Some((more, email)) = object.find("hs_additional_emails").zip(object.find("email")) {
            keys.extend(multiple(row.get(more).unwrap_or_default()).map(|one| (email, Box::from(one))));
        }
        keys
    }

    fn leave(&mut self, object: &ObjectType, slot: Slot) {
        let row = &self.rows[slot as usize];
        if !row.live() {
            return;
        }
        self.live -= 1;
        self.modified.remove(&(row.updated, slot));
        for (prop, value) in Self::keys(object, row) {
            if let Some(values) = self.unique.get_mut(&prop)
                && values.get(&value) == Some(&slot)
            {
                values.remove(&value);
            }
        }
    }

    fn enter(&mut self, object: &ObjectType, slot: Slot) {
        let row = &self.rows[slot as usize];
        if !row.live() {
            return;
        }
        self.live += 1;
        self.modified.insert((row.updated, slot));
        for (prop, value) in Self::keys(object, row) {
            self.unique.entry(prop).or_default().insert(value, slot);
        }
    }

    fn note_former(&mut self, slot: Slot, record: Option<Record>, due: i64) {
        self.former.entry(slot).or_default().push_back(Former { due, record });
        self.due.push_back((due, slot));
    }

    /// Lets searches see what is old enough.
    pub(in super::super) fn settle(&mut self, now: i64) {
        while let Some((due, slot)) = self.due.front().copied()
            && due <= now
        {
            self.due.pop_front();
            if let Some(list) = self.former.get_mut(&slot) {
                list.retain(|former| former.due > now);
                if list.is_empty() {
                    self.former.remove(&slot);
                }
            }
        }
    }

    /// The record as a search sees it.
    pub(in super::super) fn seen(&self, slot: Slot) -> Option<&Record> {
        let seen = match self.former.get(&slot).and_then(VecDeque::front) {
            Some(former) => former.record.as_ref(),
            None => Some(self.row(slot)),
        };
        seen.filter(|row| row.live())
    }

    /// Those of which a search sees something old.
    pub(in super::super) fn lagging(&self) -> impl Iterator<Item = Slot> {
        self.former.keys().copied()
    }

    /// Live records last changed within these bounds, both included.
    pub(in super::super) fn changed_between(&self, from: i64, to: i64) -> impl Iterator<Item = Slot> {
        let range = if from <= to { Some((from, Slot::MIN)..=(to, Slot::MAX)) } else { None };
        range.into_iter().flat_map(|range| self.modified.range(range)).map(|(_, slot)| *slot)
    }
}
