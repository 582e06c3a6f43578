//! Deletion: soft, blocked by cases, carried on to what belongs to the record.

use super::Writer;
use crate::salesforce::{
    error::{ApiError, Outcome},
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
    bin(world, object, slot, writer);
    Ok(())
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

fn bin(world: &mut World, object: usize, slot: Slot, writer: Writer) {
    let schema = world.schema.clone();
    let def = schema.def(object);
    let Some(id) = world.row(object, slot).filter(|row| !row.deleted).map(|row| row.id) else { return };
    world.set_deleted(object, slot, true);
    stamp(world, def, object, slot, writer);
    for (child, no, cascade) in children(world, def) {
        let child_def = schema.def(child);
        let slots = world.table(child).lookup(child_def, no, &Val::Ref(id)).unwrap_or_default().to_vec();
        for slot in slots {
            if world.row(child, slot).is_none_or(|row| row.deleted) {
                continue;
            }
            if cascade {
                bin(world, child, slot, writer);
            } else if child_def.field(no).nillable {
                world.set(child, slot, no, None);
                stamp(world, child_def, child, slot, writer);
            }
        }
    }
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
