//! Merging: up to three records become one. The losers go to the recycle bin and tell who won.

use serde_json::{Map, Value};

use super::{Op, Writer, delete, objects, repoint::repoint, update};
use crate::salesforce::{
    error::{ApiError, Outcome},
    id::Id,
    world::{Val, World},
};

/// Records that are merged into another at a time (SOAP API, `merge`, read 2026-11-21).
const MAX_LOSERS: usize = 2;

/// Merges the losers into the master, which gets these fields on top; whole or not at all.
pub fn merge(world: &mut World, master: Id, losers: &[Id], fields: &Map<String, Value>, writer: Writer) -> Outcome<()> {
    let place = check(world, master, losers)?;
    let mark = world.mark();
    for loser in losers {
        repoint(world, *loser, master, None, writer);
        let Some((object, slot)) = world.find(*loser) else { continue };
        if let Some(no) = world.def(object).field_no("MasterRecordId") {
            world.part();
            world.set(object, slot, no, Some(Val::Ref(master)));
        }
        delete::stamp_gone(world, object, slot, *loser, writer);
    }
    update(world, place, fields, writer, Op::Update).inspect_err(|_| world.rollback(mark))
}

fn check(world: &World, master: Id, losers: &[Id]) -> Outcome<(usize, crate::salesforce::world::Slot)> {
    let failed = |message: &str| ApiError::record("MERGE_FAILED", message, &[]);
    let place = world.find(master).ok_or_else(ApiError::bad_reference)?;
    if !world.def(place.0).flag("mergeable") {
        return Err(failed("records of this type cannot be merged"));
    }
    if losers.is_empty() || losers.len() > MAX_LOSERS || losers.contains(&master) {
        return Err(failed("one or two other records are merged into the master record"));
    }
    for id in losers.iter().chain([&master]) {
        let (object, slot) = world.find(*id).ok_or_else(ApiError::bad_reference)?;
        if object != place.0 {
            return Err(failed("all records must be of one type"));
        }
        if world.row(object, slot).is_none_or(|row| row.deleted) {
            return Err(ApiError::deleted());
        }
        objects::not_converted(world, *id)?;
    }
    Ok(place)
}
