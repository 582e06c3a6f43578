//! The child events that invited users have in their own calendars. They follow the event, and go with the invitation.

use super::{Places, relations};
use crate::salesforce::{
    rules::{Writer, delete, platform_insert, touch},
    schema::{FieldNo, ObjectDef},
    world::{Slot, Val, World},
};

/// Gives an invited user a copy of the event, the event's own owner too.
pub(super) fn invite(world: &mut World, places: &Places, event: Slot, invitation: Slot, writer: Writer) {
    let Some(user) = relations::person_of(world, places, invitation).filter(|id| id.prefix() == "005") else { return };
    if world.copy_of(invitation).is_some() {
        return;
    }
    let schema = world.schema.clone();
    let def = schema.def(places.event);
    let Some(row) = world.row(places.event, event) else { return };
    let shared = (0..).take(def.fields.len()).filter(|no| is_shared(def, places, *no));
    let mut vals: Vec<(FieldNo, Val)> = shared.filter_map(|no| Some((no, row.stored(no)?.clone()))).collect();
    vals.extend([
        (places.owner, Val::Ref(user)),
        (places.child, Val::Bool(true)),
        (places.group, Val::Bool(true)),
        (places.group_type, Val::text("1")),
    ]);
    let (_, copy) = platform_insert(world, places.event, vals, writer);
    world.set_copy(invitation, Some(copy));
}

/// What a copy takes over: everything but whose it is, what it is, its keys and its reminder.
fn is_shared(def: &ObjectDef, places: &Places, no: FieldNo) -> bool {
    let field = def.field(no);
    let system = def.system;
    let own = [system.created, system.created_by, system.modified, system.modified_by, system.stamp, system.is_deleted];
    let of_itself = [places.owner, places.child, places.group, places.group_type];
    !(own.contains(&Some(no))
        || of_itself.contains(&no)
        || Some(no) == places.who_ids
        || field.unique
        || field.external_id
        || field.name.contains("Reminder"))
}

/// The event changed: its copies take over what changed.
pub(super) fn follow(world: &mut World, places: &Places, event: Slot, changed: &[FieldNo], writer: Writer) {
    let Some(id) = world.row(places.event, event).map(|row| row.id) else { return };
    let schema = world.schema.clone();
    let def = schema.def(places.event);
    let copies: Vec<Slot> =
        relations::of(world, places, id).into_iter().filter_map(|invitation| world.copy_of(invitation)).collect();
    for copy in copies {
        world.part();
        for no in changed.iter().filter(|no| is_shared(def, places, **no)) {
            let value = world.row(places.event, event).and_then(|row| row.stored(*no).cloned());
            world.set(places.event, copy, *no, value);
        }
        touch(world, places.event, copy, writer);
    }
}

/// The invitation is no more: neither is the copy.
pub(super) fn withdraw(world: &mut World, invitation: Slot, writer: Writer) {
    let Some(copy) = world.copy_of(invitation) else { return };
    world.set_copy(invitation, None);
    let Some(event) = world.schema.find("Event") else { return };
    let Some(id) = world.row(event, copy).filter(|row| !row.deleted).map(|row| row.id) else { return };
    delete::stamp_gone(world, event, copy, id, writer);
}

/// The invitation came back from the recycle bin.
pub(super) fn restored(world: &mut World, places: &Places, invitation: Slot, writer: Writer) {
    let event = relations::event_of(world, places, invitation);
    let live = event.filter(|slot| world.row(places.event, *slot).is_some_and(|row| !row.deleted));
    if let Some(event) = live.filter(|_| relations::flag(world, places.relation, invitation, places.invitee)) {
        invite(world, places, event, invitation, writer);
    }
}
