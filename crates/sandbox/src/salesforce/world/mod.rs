//! The org's records, and the undo log that takes back what an all-or-none request had written.
//!
//! No rules live here: whoever calls has checked that the write is allowed.

mod table;
#[cfg(test)]
mod tests;
mod value;

use std::{collections::HashMap, sync::Arc};

use serde_json::{Map, Value};

pub use table::{Row, Slot, Table};
pub use value::Val;

use super::{
    id::Id,
    schema::{FieldNo, Kind, ObjectDef, Schema},
};

/// One write, as it is taken back.
#[derive(Debug)]
enum Undo {
    Insert { object: usize, slot: Slot },
    Set { object: usize, slot: Slot, no: FieldNo, old: Option<Val> },
    Deleted { object: usize, slot: Slot, was: bool },
}

/// How far the undo log had come.
#[derive(Debug, Clone, Copy)]
pub struct Mark(usize);

pub struct World {
    pub schema: Arc<Schema>,
    tables: Vec<Table>,
    undo: Vec<Undo>,
    pod: String,
    /// The last number of each auto-numbered object; numbers are not given back.
    auto_numbers: HashMap<usize, u32>,
}

/// Where auto numbers start, as in a new org.
const FIRST_AUTO_NUMBER: u32 = 1_000;

impl World {
    pub fn new(schema: Arc<Schema>, pod: &str) -> Self {
        let tables = schema.objects.iter().map(Table::new).collect();
        Self { schema, tables, undo: Vec::new(), pod: pod.to_owned(), auto_numbers: HashMap::new() }
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
        let slot = self.tables[object].insert(def, id, vals);
        self.undo.push(Undo::Insert { object, slot });
        (id, slot)
    }

    pub fn set(&mut self, object: usize, slot: Slot, no: FieldNo, value: Option<Val>) {
        let old = self.tables[object].set(self.schema.def(object), slot, no, value);
        self.undo.push(Undo::Set { object, slot, no, old });
    }

    pub fn set_deleted(&mut self, object: usize, slot: Slot, deleted: bool) {
        let was = self.tables[object].set_deleted(slot, deleted);
        self.undo.push(Undo::Deleted { object, slot, was });
    }

    pub fn next_auto_number(&mut self, object: usize) -> u32 {
        let last = self.auto_numbers.entry(object).or_insert(FIRST_AUTO_NUMBER - 1);
        *last += 1;
        *last
    }

    /// Where a rollback would return to.
    pub fn mark(&self) -> Mark {
        Mark(self.undo.len())
    }

    /// Takes back everything written since the mark.
    pub fn rollback(&mut self, mark: Mark) {
        while self.undo.len() > mark.0 {
            let Some(undo) = self.undo.pop() else { break };
            match undo {
                Undo::Insert { object, slot } => self.tables[object].erase(self.schema.def(object), slot),
                Undo::Set { object, slot, no, old } => {
                    self.tables[object].set(self.schema.def(object), slot, no, old);
                }
                Undo::Deleted { object, slot, was } => {
                    self.tables[object].set_deleted(slot, was);
                }
            }
        }
    }

    /// Makes everything written so far final.
    pub fn commit(&mut self) {
        self.undo.clear();
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
