//! Who takes part in an event: rows of EventRelation, `EventWhoIds`, and the child events of invited users.
//!
//! With Shared Activities off, relations are invitees only. With it on, the people and the record that an event is
//! about are relations too (`IsParent`), and `WhoId` and `EventWhoIds` say the same as the relations do.

mod copies;
mod places;
mod relations;
#[cfg(test)]
mod tests;

use self::places::Places;
use super::{Change, Draft, Op, Writer, objects};
use crate::salesforce::{
    error::{ApiError, Outcome},
    id::Id,
    schema::{FieldNo, ObjectDef},
    world::{Slot, Val, World},
};

/// Invitees of one event ("EventRelation" object reference, read 2026-11-21).
const MAX_INVITEES: usize = 1_000;

/// What a write of an event named.
#[derive(Debug)]
pub(super) struct Written {
    /// `EventWhoIds`, when it was named.
    whos: Option<Vec<Id>>,
    who: bool,
    what: bool,
    changed: Vec<FieldNo>,
}

impl Written {
    pub fn of(def: &ObjectDef, changes: &[Change]) -> Self {
        let last = |name: &str| {
            let no = def.field_no(name)?;
            changes.iter().rev().find(|(field, _)| *field == no).map(|(_, value)| value.as_ref())
        };
        let ids = |value: Option<&Val>| -> Vec<Id> {
            value.and_then(Val::as_text).unwrap_or_default().split(';').filter_map(Id::parse).collect()
        };
        Self {
            whos: last("EventWhoIds").map(ids),
            who: last("WhoId").is_some(),
            what: last("WhatId").is_some(),
            changed: changes.iter().map(|(no, _)| *no).collect(),
        }
    }
}

/// What may be written to a relation.
pub(super) fn check(draft: &mut Draft<'_>, op: Op) -> Outcome<()> {
    let Some(places) = Places::of(&draft.world.schema) else { return Ok(()) };
    if draft.creating() {
        flags(draft, &places);
        taken(draft, &places)?;
        if op != Op::Seed {
            allowed(draft, &places)?;
        }
    }
    let invitee = draft.get(places.invitee) == Some(&Val::Bool(true));
    let parent = places.parent.is_some_and(|no| draft.get(no) == Some(&Val::Bool(true)));
    if !invitee && !parent {
        // Without Shared Activities there are no other relations than invitations.
        let message = "an event relation is an invitee, or, with Shared Activities, a related record";
        return Err(ApiError::record("FIELD_INTEGRITY_EXCEPTION", message, &["IsInvitee"]));
    }
    Ok(())
}

/// Without a word, a relation invites; one that says `IsParent` does not, unless it says so.
fn flags(draft: &mut Draft<'_>, places: &Places) {
    let parent = places.parent.is_some_and(|no| draft.get(no) == Some(&Val::Bool(true)));
    if !draft.touched("IsInvitee") {
        draft.set("IsInvitee", Some(Val::Bool(!parent)));
    }
    let what = draft.get(places.person).and_then(Val::as_ref_id).is_some_and(|id| !is_somebody(id));
    if places.what.is_some() {
        draft.set("IsWhat", Some(Val::Bool(what)));
    }
}

/// Users, contacts, leads and calendars are invited; other records are what an event is about.
fn is_somebody(id: Id) -> bool {
    matches!(id.prefix(), "003" | "00Q" | "005" | "023")
}

/// One relation per event and person.
fn taken(draft: &Draft<'_>, places: &Places) -> Outcome<()> {
    let (Some(event), Some(person)) = (draft.get(places.event_id), draft.get(places.person)) else { return Ok(()) };
    let (Some(event), Some(person)) = (event.as_ref_id(), person.as_ref_id()) else { return Ok(()) };
    let Some(slot) = relations::find(draft.world, places, event, person) else { return Ok(()) };
    let Some(row) = draft.world.row(places.relation, slot) else { return Ok(()) };
    let message =
        format!("duplicate value found: <unknown> duplicates value on record with id: {}", &row.id.as_str()[..15]);
    Err(ApiError::record("DUPLICATE_VALUE", message, &[]))
}

fn allowed(draft: &Draft<'_>, places: &Places) -> Outcome<()> {
    let refused = |message: &str, field: &str| Err(ApiError::record("FIELD_INTEGRITY_EXCEPTION", message, &[field]));
    let world = draft.world;
    let id = |no: FieldNo| draft.get(no).and_then(Val::as_ref_id);
    let (Some(event), Some(person)) = (id(places.event_id), id(places.person)) else { return Ok(()) };
    let Some((_, slot)) = world.find(event) else { return Ok(()) };
    if relations::flag(world, places.event, slot, places.child) {
        return refused("an event relation cannot be created for a child event", "EventId");
    }
    objects::not_converted(world, person)?;
    let invitee = draft.get(places.invitee) == Some(&Val::Bool(true));
    if !invitee && person.prefix() == "005" {
        return refused("a user can only be an invitee", "IsInvitee");
    }
    if invitee && !is_somebody(person) {
        return refused("only people and resources can be invited", "RelationId");
    }
    let rows = relations::of(world, places, event);
    let invited = rows.iter().filter(|slot| relations::flag(world, places.relation, **slot, places.invitee));
    if invitee && invited.count() >= MAX_INVITEES {
        let message = format!("an event has at most {MAX_INVITEES} invitees");
        return Err(ApiError::record("LIMIT_EXCEEDED", message, &[]));
    }
    if !invitee && is_somebody(person) {
        return room_for(world, places, &rows, person);
    }
    Ok(())
}

/// At most 50 contacts, or one lead.
fn room_for(world: &World, places: &Places, rows: &[Slot], person: Id) -> Outcome<()> {
    let whos = relations::whos(world, places, rows);
    let leads = whos.iter().chain([&person]).filter(|id| id.prefix() == "00Q").count();
    if whos.len() >= super::event::MAX_WHOS || (leads > 0 && !whos.is_empty()) {
        let message = "An event is related to at most 50 contacts or one lead";
        return Err(ApiError::record("FIELD_INTEGRITY_EXCEPTION", message, &["RelationId"]));
    }
    Ok(())
}

/// An event was made or changed: its relations and its copies follow.
pub(super) fn event_written(world: &mut World, slot: Slot, written: &Written, created: bool, writer: Writer) {
    let Some(places) = Places::of(&world.schema) else { return };
    if world.rules.shared_activities && (written.who || written.what || written.whos.is_some()) {
        relations::follow_event(world, &places, slot, written, writer);
    }
    if !created {
        copies::follow(world, &places, slot, &written.changed, writer);
    }
}

/// A relation was made or changed: its event follows, and an invited user gets a copy of it.
pub(super) fn relation_written(world: &mut World, slot: Slot, created: bool, writer: Writer) {
    let Some(places) = Places::of(&world.schema) else { return };
    let Some(event) = relations::event_of(world, &places, slot) else { return };
    if relations::flag(world, places.relation, slot, places.invitee) {
        copies::invite(world, &places, event, slot, writer);
    } else if !created {
        copies::withdraw(world, slot, writer);
    }
    relations::settle(world, &places, event, writer);
}

/// A relation went to the recycle bin: so does the copy, and another person becomes the primary one.
pub(super) fn relation_deleted(world: &mut World, slot: Slot, writer: Writer) {
    let Some(places) = Places::of(&world.schema) else { return };
    copies::withdraw(world, slot, writer);
    if let Some(event) = relations::event_of(world, &places, slot)
        && world.row(places.event, event).is_some_and(|row| !row.deleted)
    {
        relations::settle(world, &places, event, writer);
    }
}

/// A relation is another person's now, or went because that person had one: its event follows.
pub(super) fn relation_moved(world: &mut World, slot: Slot, writer: Writer) {
    let Some(places) = Places::of(&world.schema) else { return };
    if let Some(event) = relations::event_of(world, &places, slot) {
        relations::settle(world, &places, event, writer);
    }
}

/// A relation came back from the recycle bin.
pub(super) fn relation_restored(world: &mut World, slot: Slot, writer: Writer) {
    let Some(places) = Places::of(&world.schema) else { return };
    copies::restored(world, &places, slot, writer);
    if let Some(event) = relations::event_of(world, &places, slot) {
        relations::settle(world, &places, event, writer);
    }
}

/// Whether an event is the child event of an invitation.
pub(super) fn is_copy(world: &World, event: Slot) -> bool {
    Places::of(&world.schema).is_some_and(|places| relations::flag(world, places.event, event, places.child))
}

/// Whether an event stays when this person is deleted, because it is about others too.
pub(super) fn outlives(world: &World, event: Slot, person: Id) -> bool {
    let Some(places) = Places::of(&world.schema).filter(|_| world.rules.shared_activities) else { return false };
    let Some(row) = world.row(places.event, event) else { return false };
    let rows = relations::of(world, &places, row.id);
    relations::whos(world, &places, &rows).iter().any(|who| *who != person)
}

/// Shared Activities were switched on or off: relations are made for what events name, or go.
pub fn switched(world: &mut World, writer: Writer) {
    let Some(places) = Places::of(&world.schema) else { return };
    let events: Vec<Slot> =
        world.table(places.event).rows().filter(|(_, row)| !row.deleted).map(|(slot, _)| slot).collect();
    for slot in events {
        if world.rules.shared_activities && !relations::flag(world, places.event, slot, places.child) {
            let written = Written { whos: None, who: true, what: true, changed: Vec::new() };
            relations::follow_event(world, &places, slot, &written, writer);
        }
    }
    if !world.rules.shared_activities {
        relations::drop_parents(world, &places);
    }
}
