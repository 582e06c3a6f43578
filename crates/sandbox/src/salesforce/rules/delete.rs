//! Deletion: soft, blocked by cases, carried on to what belongs to the record; and the way back.

use super::{Writer, activities, touch};
use crate::salesforce::{
    error::{ApiError, Outcome},
    id::Id,
    schema::{FieldNo, ObjectDef},
    world::{Slot, Val, World},
};

/// Moves a record, and what belongs to it, to the recycle bin.
pub fn delete(world: &mut World, (object, slot): (usize, Slot), writer: Writer) -> Outcome<()> {
    let schema = world.schema.clone();
    let def = schema.def(object);
    let Some(row) = world.row(object, slot) else { return Err(ApiError::not_found()) };
    if row.deleted {
        return Err(ApiError::deleted());
    }
    if !def.flag("deletable") {
        let message = format!("entity type {} does not support delete", def.name);
        return Err(ApiError::record("INSUFFICIENT_ACCESS_OR_READONLY", message, &[]));
    }
    blocked(world, def, object, slot)?;
    let root = row.id;
    bin(world, object, slot, root, writer);
    Ok(())
}

/// Takes a record, and what went with it, out of the recycle bin.
pub fn undelete(world: &mut World, id: Id, writer: Writer) -> Outcome<()> {
    let Some((object, slot)) = world.find(id) else { return Err(ApiError::bad_reference()) };
    if world.binned_with(object, slot) != Some(id) {
        let message = "entity is not in the recycle bin";
        return Err(ApiError::record("UNDELETE_FAILED", message, &[]));
    }
    let places = world.binned_by(id);
    for (object, slot) in &places {
        still_unique(world, *object, *slot)?;
    }
    for (object, slot) in &places {
        world.set_deleted(*object, *slot, None);
        touch(world, *object, *slot, writer);
    }
    let relations = world.schema.find("EventRelation");
    for (object, slot) in places {
        if Some(object) == relations {
            activities::relation_restored(world, slot, writer);
        }
    }
    Ok(())
}

/// A value that must be unique may have been taken meanwhile.
fn still_unique(world: &World, object: usize, slot: Slot) -> Outcome<()> {
    let (def, table) = (world.def(object), world.table(object));
    let Some(row) = world.row(object, slot) else { return Ok(()) };
    for (field, no) in def.fields.iter().zip(0..).filter(|(field, _)| field.unique) {
        let Some(value) = row.stored(no) else { continue };
        let others = table.lookup(def, no, value).unwrap_or_default().iter().filter_map(|slot| table.row(*slot));
        if let Some(other) = others.into_iter().find(|other| !other.deleted && other.id != row.id) {
            let (name, short) = (&field.name, &other.id.as_str()[..15]);
            let message = format!("duplicate value found: {name} duplicates value on record with id: {short}");
            return Err(ApiError::record("DUPLICATE_VALUE", message, &[]));
        }
    }
    Ok(())
}

/// Empties a record, and what went with it, out of the recycle bin: nothing shows it any more.
pub fn purge(world: &mut World, id: Id) -> Outcome<()> {
    let Some((object, slot)) = world.find(id) else { return Err(ApiError::bad_reference()) };
    if world.binned_with(object, slot) != Some(id) {
        return Err(ApiError::record("DELETE_FAILED", "entity is not in the recycle bin", &[]));
    }
    for (object, slot) in world.binned_by(id) {
        world.erase(object, slot);
    }
    Ok(())
}

/// Moves one row to the recycle bin, without what belongs to it.
pub(super) fn stamp_gone(world: &mut World, object: usize, slot: Slot, root: Id, writer: Writer) {
    let schema = world.schema.clone();
    world.set_deleted(object, slot, Some(root));
    stamp(world, schema.def(object), object, slot, writer);
}

/// Contacts and accounts with cases stay.
fn blocked(world: &World, def: &ObjectDef, object: usize, slot: Slot) -> Outcome<()> {
    let field = match def.name.as_str() {
        "Contact" => "ContactId",
        "Account" => "AccountId",
        _ => return Ok(()),
    };
    let (Some(row), Some(cases)) = (world.row(object, slot), world.schema.find("Case")) else { return Ok(()) };
    let case = world.def(cases);
    let (Some(no), Some(number)) = (case.field_no(field), case.field_no("CaseNumber")) else { return Ok(()) };
    let slots = world.table(cases).lookup(case, no, &Val::Ref(row.id)).unwrap_or_default();
    let numbers: Vec<&str> = slots
        .iter()
        .filter_map(|slot| world.row(cases, *slot))
        .filter(|case| !case.deleted)
        .filter_map(|case| case.stored(number)?.as_text())
        .collect();
    if numbers.is_empty() {
        return Ok(());
    }
    let name = def.name_field.and_then(|no| row.stored(no)?.as_text()).unwrap_or_default();
    let message = format!(
        "Your attempt to delete {name} could not be completed because it is associated with the following cases.: {}\n",
        numbers.join(", ")
    );
    Err(ApiError::record("DELETE_FAILED", message, &[]))
}

fn bin(world: &mut World, object: usize, slot: Slot, root: Id, writer: Writer) {
    let schema = world.schema.clone();
    let def = schema.def(object);
    let Some(id) = world.row(object, slot).filter(|row| !row.deleted).map(|row| row.id) else { return };
    stamp_gone(world, object, slot, root, writer);
    for (child, no, cascade) in children(world, def) {
        let child_def = schema.def(child);
        let slots = world.table(child).lookup(child_def, no, &Val::Ref(id)).unwrap_or_default().to_vec();
        for slot in slots {
            if world.row(child, slot).is_none_or(|row| row.deleted)
                || stays(world, child_def, child_def.field(no).name.as_str(), slot, id)
            {
                continue;
            }
            if cascade {
                bin(world, child, slot, root, writer);
            } else if child_def.field(no).nillable {
                world.part();
                world.set(child, slot, no, None);
                stamp(world, child_def, child, slot, writer);
            }
        }
    }
    if def.name == "EventRelation" {
        activities::relation_deleted(world, slot, writer);
    }
}

/// An event about several people loses the relation to one of them, and stays; a copy follows its event, not the person.
fn stays(world: &World, child: &ObjectDef, field: &str, slot: Slot, person: Id) -> bool {
    let about_somebody = child.name == "Event" && field == "WhoId";
    about_somebody && (activities::is_copy(world, slot) || activities::outlives(world, slot, person))
}

/// The objects of this org that point at it, by which field, and whether they go with it.
fn children(world: &World, def: &ObjectDef) -> Vec<(usize, FieldNo, bool)> {
    let mut out: Vec<(usize, FieldNo, bool)> = Vec::new();
    for child in &def.children {
        let Some(object) = world.schema.find(&child.object) else { continue };
        let Some(no) = world.def(object).field_no(&child.field) else { continue };
        out.push((object, no, child.cascade));
    }
    if def.name == "Event"
        && let Some(object) = world.schema.find("EventRelation")
        && let Some(no) = world.def(object).field_no("EventId")
        && !out.iter().any(|(seen, ..)| *seen == object)
    {
        out.push((object, no, true));
    }
    out
}

fn stamp(world: &mut World, def: &ObjectDef, object: usize, slot: Slot, writer: Writer) {
    let values = [
        (def.system.modified, Val::Stamp(writer.now)),
        (def.system.stamp, Val::Stamp(writer.now)),
        (def.system.modified_by, Val::Ref(writer.user)),
    ];
    for (no, value) in values {
        if let Some(no) = no {
            world.set(object, slot, no, Some(value));
        }
    }
}
