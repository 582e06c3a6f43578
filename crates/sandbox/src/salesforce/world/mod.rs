//! The org's records, and the undo log that takes back what an all-or-none request had written.
//!
//! No rules live here: whoever calls has checked that the write is allowed.

mod effects;
mod reshape;
mod table;
#[cfg(test)]
mod tests;
mod value;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use serde_json::{Map, Value};

pub use effects::{Effect, EffectKind};
pub use table::{Row, Slot, Table};
pub use value::Val;

use self::effects::Effects;
use super::{
    events::{Author, Bus},
    id::Id,
    rules::Rules,
    schema::{FieldNo, Kind, ObjectDef, Schema},
};

/// One write, as it is taken back.
#[derive(Debug)]
enum Undo {
    Insert { object: usize, slot: Slot },
    Set { object: usize, slot: Slot, no: FieldNo, old: Option<Val> },
    Deleted { object: usize, slot: Slot, was: bool, root: Option<Id> },
    Copy { invitation: Slot, old: Option<Slot> },
}

/// How far the undo log had come.
#[derive(Debug, Clone, Copy)]
pub struct Mark {
    undo: usize,
    effects: usize,
}

pub struct World {
    pub schema: Arc<Schema>,
    pub rules: Arc<Rules>,
    tables: Vec<Table>,
    undo: Vec<Undo>,
    pod: String,
    /// The last number of each auto-numbered object; numbers are not given back.
    auto_numbers: HashMap<usize, u32>,
    /// What lies in the recycle bin, and with which record it went there.
    binned: BTreeMap<(usize, Slot), Id>,
    /// The child event that an invitation (a row of EventRelation) made.
    copies: BTreeMap<Slot, Slot>,
    /// Records that nobody sees who calls the API, though rules do.
    pub hidden: BTreeSet<Id>,
    effects: Effects,
    /// Where changes are announced, where they are.
    bus: Option<Arc<Bus>>,
    author: Author,
    request: u64,
    now: i64,
}

/// Where auto numbers start, as in a new org.
const FIRST_AUTO_NUMBER: u32 = 1_000;

impl World {
    /// An empty world that keeps so many effects.
    pub fn new(schema: Arc<Schema>, rules: Arc<Rules>, pod: &str, kept_effects: usize) -> Self {
        let tables = schema.objects.iter().map(|def| Table::new(def)).collect();
        Self {
            schema,
            rules,
            tables,
            undo: Vec::new(),
            pod: pod.to_owned(),
            auto_numbers: HashMap::new(),
            binned: BTreeMap::new(),
            copies: BTreeMap::new(),
            hidden: BTreeSet::new(),
            effects: Effects::new(kept_effects),
            bus: None,
            author: Author::default(),
            request: 0,
            now: 0,
        }
    }

    /// Whether a record is kept from those who call the API.
    pub fn is_hidden(&self, id: Id) -> bool {
        !self.hidden.is_empty() && self.hidden.contains(&id)
    }

    /// What follows belongs to this request.
    pub fn enter(&mut self, request: u64, now: i64) {
        (self.request, self.now) = (request, now);
    }

    /// What follows is announced on this bus.
    pub fn announce_on(&mut self, bus: Option<Arc<Bus>>) {
        if bus.is_some() {
            self.effects.watch();
        }
        self.bus = bus;
    }

    /// Who makes what follows, until somebody else does.
    pub fn author(&mut self, author: impl FnOnce() -> Author) {
        if self.bus.is_some() {
            self.author = author();
        }
    }

    /// What follows belongs to another operation of the same request.
    pub fn part(&mut self) {
        self.effects.part();
    }

    /// The writes that stayed, numbered after `number`.
    pub fn effects_since(&self, number: u64) -> Vec<Effect> {
        self.effects.since(number)
    }

    pub fn table(&self, object: usize) -> &Table {
        &self.tables[object]
    }

    pub fn row(&self, object: usize, slot: Slot) -> Option<&Row> {
        self.tables[object].row(slot)
    }

    /// Finds the row of an id, deleted or not.
    pub fn find(&self, id: Id) -> Option<(usize, Slot)> {
        let object = self.schema.by_prefix(id.prefix())?;
        let slot = id.counter()?;
        let row = self.tables[object].row(slot)?;
        (row.id == id).then_some((object, slot))
    }

    pub fn insert(&mut self, object: usize, vals: Vec<(FieldNo, Val)>) -> (Id, Slot) {
        let def = self.schema.def(object);
        let id = Id::new(&def.prefix, &self.pod, self.tables[object].next_slot());
        self.effects.created(object, self.tables[object].next_slot(), id, &vals);
        let slot = self.tables[object].insert(def, id, vals);
        self.undo.push(Undo::Insert { object, slot });
        (id, slot)
    }

    pub fn set(&mut self, object: usize, slot: Slot, no: FieldNo, value: Option<Val>) {
        if let Some(id) = self.tables[object].row(slot).map(|row| row.id) {
            self.effects.set(object, slot, id, no, value.as_ref());
        }
        let old = self.tables[object].set(self.schema.def(object), slot, no, value);
        self.undo.push(Undo::Set { object, slot, no, old });
    }

    /// Moves a row to the recycle bin together with `root`, or back out of it.
    pub fn set_deleted(&mut self, object: usize, slot: Slot, root: Option<Id>) {
        let Some(id) = self.tables[object].row(slot).map(|row| row.id) else { return };
        self.effects.deleted(object, slot, id, root.is_some());
        let was = self.tables[object].set_deleted(slot, root.is_some());
        let before = match root {
            Some(root) => self.binned.insert((object, slot), root),
            None => self.binned.remove(&(object, slot)),
        };
        self.undo.push(Undo::Deleted { object, slot, was, root: before });
    }

    /// Takes a row out for good. Only between requests: it cannot be taken back.
    pub fn erase(&mut self, object: usize, slot: Slot) {
        self.binned.remove(&(object, slot));
        self.tables[object].erase(self.schema.def(object), slot);
    }

    /// With which record a row went to the recycle bin.
    pub fn binned_with(&self, object: usize, slot: Slot) -> Option<Id> {
        self.binned.get(&(object, slot)).copied()
    }

    /// Everything that went to the recycle bin together with this record.
    pub fn binned_by(&self, root: Id) -> Vec<(usize, Slot)> {
        self.binned.iter().filter(|(_, with)| **with == root).map(|(place, _)| *place).collect()
    }

    /// The child event of an invitation.
    pub fn copy_of(&self, invitation: Slot) -> Option<Slot> {
        self.copies.get(&invitation).copied()
    }

    pub fn set_copy(&mut self, invitation: Slot, event: Option<Slot>) {
        let old = match event {
            Some(event) => self.copies.insert(invitation, event),
            None => self.copies.remove(&invitation),
        };
        self.undo.push(Undo::Copy { invitation, old });
    }

    pub fn next_auto_number(&mut self, object: usize) -> u32 {
        let last = self.auto_numbers.entry(object).or_insert(FIRST_AUTO_NUMBER - 1);
        *last += 1;
        *last
    }

    /// Where a rollback would return to.
    pub fn mark(&self) -> Mark {
        Mark { undo: self.undo.len(), effects: self.effects.mark() }
    }

    /// Takes back everything written since the mark.
    pub fn rollback(&mut self, mark: Mark) {
        self.effects.rollback(mark.effects);
        while self.undo.len() > mark.undo {
            let Some(undo) = self.undo.pop() else { break };
            match undo {
                Undo::Insert { object, slot } => self.tables[object].erase(self.schema.def(object), slot),
                Undo::Set { object, slot, no, old } => {
                    self.tables[object].set(self.schema.def(object), slot, no, old);
                }
                Undo::Deleted { object, slot, was, root } => {
                    self.tables[object].set_deleted(slot, was);
                    match root {
                        Some(root) => self.binned.insert((object, slot), root),
                        None => self.binned.remove(&(object, slot)),
                    };
                }
                Undo::Copy { invitation, old } => {
                    match old {
                        Some(event) => self.copies.insert(invitation, event),
                        None => self.copies.remove(&invitation),
                    };
                }
            }
        }
    }

    /// Makes everything written so far final.
    pub fn commit(&mut self) {
        self.undo.clear();
        if let Some(bus) = &self.bus {
            bus.publish(&self.schema, &self.author, self.now, &self.effects.writes());
        }
        self.effects.commit(&self.schema, self.request, self.now);
    }

    /// A row as a JSON object with every field, as tests and the console look at it.
    pub fn dump(&self, object: usize, row: &Row) -> Map<String, Value> {
        let def = self.schema.def(object);
        let mut out = Map::new();
        for (field, no) in def.fields.iter().zip(0..) {
            if !matches!(field.kind, Kind::Compound | Kind::JunctionIdList) {
                let value = row.read(def, no).map_or(Value::Null, |value| value.to_json());
                out.insert(field.name.clone(), value);
            }
        }
        out
    }

    pub fn def(&self, object: usize) -> &ObjectDef {
        self.schema.def(object)
    }
}
