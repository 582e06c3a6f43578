//! What the platform does when a record is written: checks, defaults, computed fields, uniqueness, audit stamps.
//!
//! Every function leaves the world as it was when it answers an error.

mod activities;
mod assignment;
mod condition;
mod conversion;
mod convert;
mod delete;
mod duplicates;
mod event;
mod merge;
mod objects;
mod repoint;
mod set;
#[cfg(test)]
mod tests;

use serde_json::{Map, Value};

pub use activities::switched as activities_switched;
pub use assignment::Assign;
pub use conversion::{Converted, LeadConversion, convert as convert_lead};
pub use convert::{Change, Op, missing_attributes, value_of};
pub use delete::{delete, purge, undelete};
pub use duplicates::DuplicateHeader;
pub use merge::merge;
pub use set::Rules;

use super::{
    error::{ApiError, Outcome},
    id::Id,
    schema::{FieldNo, ObjectDef},
    world::{Row, Slot, Val, World},
};

/// Who writes, when, and with which habits.
#[derive(Debug, Clone, Copy)]
pub struct Writer {
    pub user: Id,
    /// Seconds since 1970.
    pub now: i64,
    /// Which assignment rule the request wants.
    pub assign: Assign,
    pub duplicates: DuplicateHeader,
}

impl Writer {
    /// One whom no rule of assignment touches: the platform itself, and the back door.
    pub fn plain(user: Id, now: i64) -> Self {
        Self { user, now, assign: Assign::Never, duplicates: DuplicateHeader::default() }
    }
}

/// A record half-way between its stored state and what the request makes of it.
pub struct Draft<'a> {
    pub world: &'a World,
    pub object: usize,
    pub def: &'a ObjectDef,
    pub old: Option<&'a Row>,
    pub changes: Vec<Change>,
    pub writer: Writer,
}

impl Draft<'_> {
    /// The value the field will have.
    pub fn get(&self, no: FieldNo) -> Option<&Val> {
        match self.changes.iter().rev().find(|(field, _)| *field == no) {
            Some((_, value)) => value.as_ref(),
            None => self.old.and_then(|row| row.stored(no)),
        }
    }

    pub fn named(&self, name: &str) -> Option<&Val> {
        self.get(self.def.field_no(name)?)
    }

    /// Whether the request itself names the field.
    pub fn touched(&self, name: &str) -> bool {
        self.def.field_no(name).is_some_and(|no| self.changes.iter().any(|(field, _)| *field == no))
    }

    pub fn set(&mut self, name: &str, value: Option<Val>) {
        if let Some(no) = self.def.field_no(name) {
            self.changes.retain(|(field, _)| *field != no);
            self.changes.push((no, value));
        }
    }

    pub fn creating(&self) -> bool {
        self.old.is_none()
    }
}

/// Creates a record; `key` is the external id that an upsert by URL brings.
pub fn insert(
    world: &mut World,
    object: usize,
    body: &Map<String, Value>,
    key: Option<Change>,
    writer: Writer,
    op: Op,
) -> Outcome<Id> {
    let def_flag = world.schema.def(object).flag("createable") || op == Op::Seed;
    if !def_flag {
        let message = format!("entity type {} does not support create", world.schema.def(object).name);
        return Err(ApiError::record("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", message, &[]));
    }
    let schema = world.schema.clone();
    let def = schema.def(object);
    let mut changes = convert::changes(world, object, body, op)?;
    changes.extend(key);
    let mut draft = Draft { world, object, def, old: None, changes, writer };
    if op != Op::Seed {
        required(&draft)?;
    }
    defaults(&mut draft);
    objects::check(&mut draft, op)?;
    condition::validate(&draft, op)?;
    owner(&draft, op)?;
    duplicates::check(&draft, None, op)?;
    unique(&draft, None)?;
    audit(&mut draft);
    let mut changes = draft.changes;
    let after = objects::After::of(def, &changes);
    // A later change of the same field wins.
    changes.reverse();
    let mut seen: Vec<FieldNo> = Vec::with_capacity(changes.len());
    changes.retain(|(no, _)| {
        !seen.contains(no) && {
            seen.push(*no);
            true
        }
    });
    if objects::needs_number(def) {
        let number = world.next_auto_number(object);
        if let Some(no) = def.field_no("CaseNumber") {
            changes.push((no, Some(Val::text(format!("{number:08}")))));
        }
    }
    let vals = changes.into_iter().filter_map(|(no, value)| Some((no, value?))).collect();
    let mark = world.mark();
    world.part();
    let (id, slot) = world.insert(object, vals);
    after.run(world, id, slot, true, writer).inspect_err(|_| world.rollback(mark))?;
    Ok(id)
}

/// Changes a record.
pub fn update(
    world: &mut World,
    (object, slot): (usize, Slot),
    body: &Map<String, Value>,
    writer: Writer,
    op: Op,
) -> Outcome<()> {
    let schema = world.schema.clone();
    let def = schema.def(object);
    let Some(row) = world.row(object, slot) else { return Err(ApiError::bad_reference()) };
    if row.deleted {
        return Err(ApiError::deleted());
    }
    if !def.flag("updateable") && op != Op::Seed {
        let message = format!("entity type {} does not support update", def.name);
        return Err(ApiError::record("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", message, &[]));
    }
    let id = row.id;
    let changes = convert::changes(world, object, body, op)?;
    let mut draft = Draft { world, object, def, old: Some(row), changes, writer };
    emptied(&draft)?;
    if let Some(owner) = assignment::owner(&draft) {
        draft.set("OwnerId", Some(Val::Ref(owner)));
    }
    objects::check(&mut draft, op)?;
    condition::validate(&draft, op)?;
    owner(&draft, op)?;
    duplicates::check(&draft, Some(slot), op)?;
    unique(&draft, Some(slot))?;
    audit(&mut draft);
    let changes = draft.changes;
    let after = objects::After::of(def, &changes);
    let mark = world.mark();
    world.part();
    for (no, value) in changes {
        world.set(object, slot, no, value);
    }
    after.run(world, id, slot, false, writer).inspect_err(|_| world.rollback(mark))
}

fn required(draft: &Draft<'_>) -> Outcome<()> {
    let missing: Vec<&str> = draft
        .def
        .required
        .iter()
        .filter(|no| draft.get(**no).is_none())
        .map(|no| draft.def.field(*no).name.as_str())
        .collect();
    missing_fields(&missing)
}

/// An update may leave a required field alone, but not empty it.
fn emptied(draft: &Draft<'_>) -> Outcome<()> {
    let missing: Vec<&str> = draft
        .changes
        .iter()
        .filter(|(no, value)| value.is_none() && !draft.def.field(*no).nillable)
        .map(|(no, _)| draft.def.field(*no).name.as_str())
        .collect();
    missing_fields(&missing)
}

pub(super) fn missing_fields(names: &[&str]) -> Outcome<()> {
    if names.is_empty() {
        return Ok(());
    }
    let message = format!("Required fields are missing: [{}]", names.join(", "));
    Err(ApiError::record("REQUIRED_FIELD_MISSING", message, names))
}

fn defaults(draft: &mut Draft<'_>) {
    for (field, no) in draft.def.fields.iter().zip(0..) {
        if let Some(pick) = &field.default_pick
            && draft.get(no).is_none()
        {
            draft.changes.push((no, Some(Val::text(pick.as_str()))));
        }
    }
    let Some(owner) = draft.def.system.owner else { return };
    if let Some(assigned) = assignment::owner(draft) {
        draft.set("OwnerId", Some(Val::Ref(assigned)));
    } else if draft.get(owner).is_none() {
        let user = draft.writer.user;
        draft.changes.push((owner, Some(Val::Ref(user))));
    }
}

/// A record that the platform itself makes: no checks, defaults and audit fields as usual.
fn platform_insert(world: &mut World, object: usize, mut vals: Vec<(FieldNo, Val)>, writer: Writer) -> (Id, Slot) {
    let schema = world.schema.clone();
    let def = schema.def(object);
    let mut put = |no: Option<FieldNo>, value: Val| {
        if let Some(no) = no.filter(|no| vals.iter().all(|(there, _)| there != no)) {
            vals.push((no, value));
        }
    };
    for (field, no) in def.fields.iter().zip(0..) {
        if let Some(pick) = &field.default_pick {
            put(Some(no), Val::text(pick.as_str()));
        }
    }
    for no in [def.system.created, def.system.modified, def.system.stamp] {
        put(no, Val::Stamp(writer.now));
    }
    for no in [def.system.created_by, def.system.modified_by, def.system.owner] {
        put(no, Val::Ref(writer.user));
    }
    world.part();
    world.insert(object, vals)
}

/// Tells pollers that the platform touched a row; who modified it last stays as it was.
fn touch(world: &mut World, object: usize, slot: Slot, writer: Writer) {
    if let Some(no) = world.def(object).system.stamp {
        world.set(object, slot, no, Some(Val::Stamp(writer.now)));
    }
}

/// No live record may share the value of a unique field.
fn unique(draft: &Draft<'_>, own: Option<Slot>) -> Outcome<()> {
    for (no, value) in &draft.changes {
        let (field, Some(value)) = (draft.def.field(*no), value) else { continue };
        if !field.unique {
            continue;
        }
        let table = draft.world.table(draft.object);
        let taken = table.lookup(draft.def, *no, value).unwrap_or_default();
        for slot in taken.iter().filter(|slot| Some(**slot) != own) {
            if let Some(row) = table.row(*slot).filter(|row| !row.deleted) {
                let short = &row.id.as_str()[..15];
                let name = &field.name;
                let message = format!("duplicate value found: {name} duplicates value on record with id: {short}");
                return Err(ApiError::record("DUPLICATE_VALUE", message, &[]));
            }
        }
    }
    Ok(())
}

/// A record cannot be given to somebody who may no longer log in.
fn owner(draft: &Draft<'_>, op: Op) -> Outcome<()> {
    let Some(no) = draft.def.system.owner else { return Ok(()) };
    let Some((_, Some(Val::Ref(owner)))) = draft.changes.iter().rev().find(|(field, _)| *field == no) else {
        return Ok(());
    };
    let users = draft.world.schema.by_prefix("005");
    let Some((object, slot)) = draft.world.find(*owner).filter(|(object, _)| Some(*object) == users) else {
        return Ok(());
    };
    let active = draft.world.def(object).field_no("IsActive");
    let row = draft.world.row(object, slot);
    let active = row.zip(active).and_then(|(row, no)| row.stored(no)) == Some(&Val::Bool(true));
    if active || op == Op::Seed {
        return Ok(());
    }
    let message = format!(
        "operation performed with inactive user [{}] as owner of {}",
        owner.as_str(),
        draft.def.label.to_lowercase()
    );
    Err(ApiError::record("INACTIVE_OWNER_OR_USER", message, &["OwnerId"]))
}

fn audit(draft: &mut Draft<'_>) {
    let (system, user, now) = (draft.def.system, draft.writer.user, draft.writer.now);
    let mut put = |no: Option<FieldNo>, value: Val, keep: bool| {
        let Some(no) = no else { return };
        let given = draft.changes.iter().any(|(field, value)| *field == no && value.is_some());
        if !(keep && given) {
            draft.changes.push((no, Some(value)));
        }
    };
    // Seeded records may bring their own past.
    if draft.old.is_none() {
        put(system.created, Val::Stamp(now), true);
        put(system.created_by, Val::Ref(user), true);
    }
    put(system.modified, Val::Stamp(now), true);
    put(system.modified_by, Val::Ref(user), true);
    put(system.stamp, Val::Stamp(now), true);
}
