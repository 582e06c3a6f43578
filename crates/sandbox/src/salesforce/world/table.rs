//! The rows of one object, with hash indexes kept on every write. Knows nothing of rules or requests.

use std::{
    borrow::Cow,
    collections::{BTreeSet, HashMap},
};

use super::value::{Key, Val};
use crate::salesforce::{
    id::Id,
    schema::{FieldNo, Kind, ObjectDef},
};

/// A row's place in its table; never reused.
pub type Slot = u32;

#[derive(Debug)]
pub struct Row {
    pub id: Id,
    pub deleted: bool,
    /// Values that are there, by field number.
    pub(super) vals: Vec<(FieldNo, Val)>,
}

impl Row {
    pub fn stored(&self, no: FieldNo) -> Option<&Val> {
        self.vals.binary_search_by_key(&no, |(field, _)| *field).ok().map(|at| &self.vals[at].1)
    }

    /// A field's value as clients see it: the id, the deletion mark, and booleans that are never null.
    pub fn read(&self, def: &ObjectDef, no: FieldNo) -> Option<Cow<'_, Val>> {
        let kind = def.field(no).kind;
        if kind == Kind::Id {
            return Some(Cow::Owned(Val::Ref(self.id)));
        }
        if def.system.is_deleted == Some(no) {
            return Some(Cow::Owned(Val::Bool(self.deleted)));
        }
        match self.stored(no) {
            Some(value) => Some(Cow::Borrowed(value)),
            None if kind == Kind::Bool => Some(Cow::Owned(Val::Bool(false))),
            None => None,
        }
    }

    fn put(&mut self, no: FieldNo, value: Option<Val>) -> Option<Val> {
        match (self.vals.binary_search_by_key(&no, |(field, _)| *field), value) {
            (Ok(at), Some(value)) => Some(std::mem::replace(&mut self.vals[at].1, value)),
            (Ok(at), None) => Some(self.vals.remove(at).1),
            (Err(at), Some(value)) => {
                self.vals.insert(at, (no, value));
                None
            }
            (Err(_), None) => None,
        }
    }
}

/// Nearly every key has one row.
#[derive(Debug)]
enum Slots {
    One(Slot),
    Many(Vec<Slot>),
}

impl Slots {
    fn as_slice(&self) -> &[Slot] {
        match self {
            Self::One(slot) => std::slice::from_ref(slot),
            Self::Many(slots) => slots,
        }
    }
}

#[derive(Debug, Default)]
pub struct Table {
    rows: Vec<Option<Row>>,
    indexes: Vec<(FieldNo, HashMap<Key, Slots>)>,
    /// Rows by `SystemModstamp`, for those who poll.
    stamps: BTreeSet<(i64, Slot)>,
    live: usize,
}

impl Table {
    pub fn new(def: &ObjectDef) -> Self {
        Self { indexes: def.indexed.iter().map(|no| (*no, HashMap::new())).collect(), ..Self::default() }
    }

    /// The slot that the next row will have.
    pub fn next_slot(&self) -> Slot {
        Slot::try_from(self.rows.len()).expect("a table holds fewer than four billion rows")
    }

    pub fn row(&self, slot: Slot) -> Option<&Row> {
        self.rows.get(slot as usize)?.as_ref()
    }

    /// Every row, deleted ones included.
    pub fn rows(&self) -> impl Iterator<Item = (Slot, &Row)> {
        self.rows.iter().zip(0..).filter_map(|(row, slot)| Some((slot, row.as_ref()?)))
    }

    /// Rows that are not deleted.
    pub fn live(&self) -> usize {
        self.live
    }

    pub fn insert(&mut self, def: &ObjectDef, id: Id, mut vals: Vec<(FieldNo, Val)>) -> Slot {
        let slot = self.next_slot();
        vals.sort_by_key(|(no, _)| *no);
        for (no, value) in &vals {
            self.note(def, slot, *no, value);
        }
        self.rows.push(Some(Row { id, deleted: false, vals }));
        self.live += 1;
        slot
    }

    /// Leaves a slot empty.
    pub fn skip(&mut self) {
        self.rows.push(None);
    }

    /// All slots, in order.
    pub fn into_rows(self) -> Vec<Option<Row>> {
        self.rows
    }

    /// Takes a row out as if it had never been; its slot stays empty.
    pub fn erase(&mut self, def: &ObjectDef, slot: Slot) {
        let Some(row) = self.rows.get_mut(slot as usize).and_then(Option::take) else { return };
        for (no, value) in &row.vals {
            self.forget(def, slot, *no, value);
        }
        self.live -= usize::from(!row.deleted);
    }

    /// Sets or clears a value and answers the one before.
    pub fn set(&mut self, def: &ObjectDef, slot: Slot, no: FieldNo, value: Option<Val>) -> Option<Val> {
        let row = self.rows.get_mut(slot as usize)?.as_mut()?;
        let old = row.put(no, value);
        let new = row.stored(no).cloned();
        if old == new {
            return old;
        }
        if let Some(old) = &old {
            self.forget(def, slot, no, old);
        }
        if let Some(new) = &new {
            self.note(def, slot, no, new);
        }
        old
    }

    /// Marks or unmarks a row as deleted and answers whether it was.
    pub fn set_deleted(&mut self, slot: Slot, deleted: bool) -> bool {
        let Some(row) = self.rows.get_mut(slot as usize).and_then(Option::as_mut) else { return false };
        let was = std::mem::replace(&mut row.deleted, deleted);
        match (was, deleted) {
            (false, true) => self.live -= 1,
            (true, false) => self.live += 1,
            _ => {}
        }
        was
    }

    /// Rows with this value, deleted ones included; `None` when the field has no index.
    pub fn lookup(&self, def: &ObjectDef, no: FieldNo, value: &Val) -> Option<&[Slot]> {
        let (_, index) = self.indexes.iter().find(|(field, _)| *field == no)?;
        Some(index.get(&Key::of(def.field(no), value)).map_or(&[], Slots::as_slice))
    }

    /// Rows stamped within these seconds, oldest first.
    pub fn stamped(&self, from: i64, until: i64) -> impl DoubleEndedIterator<Item = (i64, Slot)> {
        let until = until.max(from);
        self.stamps.range((from, 0)..(until, 0)).copied()
    }

    fn note(&mut self, def: &ObjectDef, slot: Slot, no: FieldNo, value: &Val) {
        if def.system.stamp == Some(no)
            && let Val::Stamp(seconds) = value
        {
            self.stamps.insert((*seconds, slot));
            return;
        }
        let Some((_, index)) = self.indexes.iter_mut().find(|(field, _)| *field == no) else { return };
        match index.entry(Key::of(def.field(no), value)) {
            std::collections::hash_map::Entry::Vacant(entry) => {
                entry.insert(Slots::One(slot));
            }
            std::collections::hash_map::Entry::Occupied(mut entry) => match entry.get_mut() {
                Slots::One(first) => *entry.get_mut() = Slots::Many(vec![*first, slot]),
                Slots::Many(slots) => slots.push(slot),
            },
        }
    }

    fn forget(&mut self, def: &ObjectDef, slot: Slot, no: FieldNo, value: &Val) {
        if def.system.stamp == Some(no)
            && let Val::Stamp(seconds) = value
        {
            self.stamps.remove(&(*seconds, slot));
            return;
        }
        let Some((_, index)) = self.indexes.iter_mut().find(|(field, _)| *field == no) else { return };
        let key = Key::of(def.field(no), value);
        let empty = match index.get_mut(&key) {
            Some(Slots::One(only)) => *only == slot,
            Some(Slots::Many(slots)) => {
                // The newest rows change most, and they stand last.
                if let Some(at) = slots.iter().rposition(|held| *held == slot) {
                    slots.remove(at);
                }
                slots.is_empty()
            }
            None => false,
        };
        if empty {
            index.remove(&key);
        }
    }
}
