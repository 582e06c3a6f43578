//! Carrying the records over to a changed schema: fields that went, came, changed their name or type.

use std::sync::Arc;

use super::{Row, Table, Val, World};
use crate::salesforce::{
    rules::value_of,
    schema::{FieldNo, Schema},
};

impl World {
    /// Puts another schema under the records. `renamed` tells a field that goes on under another name; objects keep
    /// their places. A value that its field can no longer hold is lost, as the platform loses it.
    pub fn reshape(&mut self, schema: Arc<Schema>, renamed: Option<(usize, FieldNo, FieldNo)>) {
        self.commit();
        let old = std::mem::replace(&mut self.schema, schema.clone());
        let tables: Vec<Table> = schema.objects.iter().map(|def| Table::new(def)).collect();
        let before = std::mem::replace(&mut self.tables, tables);
        for (object, table) in before.into_iter().enumerate() {
            let (was, def) = (old.def(object), schema.def(object));
            let moved = |no: FieldNo| match renamed {
                Some((changed, from, to)) if changed == object && from == no => Some(to),
                _ => def.field_no(&was.field(no).name),
            };
            for row in table.into_rows() {
                let Some(row) = row else {
                    self.tables[object].skip();
                    continue;
                };
                let vals = row.vals().filter_map(|(no, value)| {
                    let to = moved(no)?;
                    Some((to, self.carried(was.field(no), def.field(to), value)?))
                });
                let vals: Vec<(FieldNo, Val)> = vals.collect();
                let (id, deleted) = (row.id, row.deleted);
                let slot = self.tables[object].insert(def, id, vals);
                self.tables[object].set_deleted(slot, deleted);
            }
        }
    }

    fn carried(
        &self,
        was: &crate::salesforce::schema::FieldDef,
        now: &crate::salesforce::schema::FieldDef,
        value: &Val,
    ) -> Option<Val> {
        if was.kind == now.kind && was.length <= now.length {
            return Some(value.clone());
        }
        // A picklist value that is no longer offered stays on the records that have it.
        if was.kind == now.kind && now.kind.is_text() {
            let kept: String = value.as_text()?.chars().take(now.length).collect();
            return Some(Val::text(kept));
        }
        value_of(self, now, &value.to_json()).ok().flatten()
    }
}

impl Row {
    fn vals(&self) -> impl Iterator<Item = (FieldNo, &Val)> {
        self.vals.iter().map(|(no, value)| (*no, value))
    }
}
