//! The rows of EventRelation, and keeping an event's own fields in step with them.

use super::{Places, Written, copies};
use crate::salesforce::{
    id::Id,
    rules::{Writer, delete, platform_insert, touch},
    schema::FieldNo,
    world::{Slot, Val, World},
};

/// `GroupEventType` of an event without and with invitees.
const ALONE: &str = "0";
const GROUP: &str = "1";

/// The live relations of an event.
pub(super) fn of(world: &World, places: &Places, event: Id) -> Vec<Slot> {
    let def = world.def(places.relation);
    let slots = world.table(places.relation).lookup(def, places.event_id, &Val::Ref(event)).unwrap_or_default();
    slots.iter().copied().filter(|slot| world.row(places.relation, *slot).is_some_and(|row| !row.deleted)).collect()
}

pub(super) fn find(world: &World, places: &Places, event: Id, person: Id) -> Option<Slot> {
    of(world, places, event).into_iter().find(|slot| person_of(world, places, *slot) == Some(person))
}

pub(super) fn flag(world: &World, object: usize, slot: Slot, no: FieldNo) -> bool {
    world.row(object, slot).and_then(|row| row.stored(no)) == Some(&Val::Bool(true))
}

pub(super) fn person_of(world: &World, places: &Places, slot: Slot) -> Option<Id> {
    world.row(places.relation, slot)?.stored(places.person)?.as_ref_id()
}

/// The event of a relation.
pub(super) fn event_of(world: &World, places: &Places, slot: Slot) -> Option<Slot> {
    let id = world.row(places.relation, slot)?.stored(places.event_id)?.as_ref_id()?;
    world.find(id).map(|(_, slot)| slot)
}

/// The people that an event is about, in the order in which they came.
pub(super) fn whos(world: &World, places: &Places, rows: &[Slot]) -> Vec<Id> {
    parents(world, places, rows, false)
}

fn parents(world: &World, places: &Places, rows: &[Slot], what: bool) -> Vec<Id> {
    let (Some(parent), Some(is_what)) = (places.parent, places.what) else { return Vec::new() };
    rows.iter()
        .filter(|slot| flag(world, places.relation, **slot, parent))
        .filter(|slot| flag(world, places.relation, **slot, is_what) == what)
        .filter_map(|slot| person_of(world, places, *slot))
        .collect()
}

/// An event's own fields were written: its relations say the same afterwards.
pub(super) fn follow_event(world: &mut World, places: &Places, slot: Slot, written: &Written, writer: Writer) {
    let Some(row) = world.row(places.event, slot) else { return };
    let event = row.id;
    let reference = |no: FieldNo| row.stored(no).and_then(Val::as_ref_id);
    let (who, what) = (reference(places.who_id), reference(places.what_id));
    let rows = of(world, places, event);
    let present = whos(world, places, &rows);
    let mut wanted = written.whos.clone().unwrap_or_else(|| present.clone());
    match who {
        Some(who) => {
            // A lead stands alone: whoever was there before goes.
            if who.prefix() == "00Q" || wanted.iter().any(|id| id.prefix() == "00Q") {
                wanted.clear();
            }
            wanted.retain(|id| *id != who);
            wanted.insert(0, who);
        }
        // The primary person was taken off: that relation goes, and the next one is promoted.
        None if written.who && written.whos.is_none() => {
            wanted.retain(|id| Some(*id) != present.first().copied());
        }
        None => {}
    }
    retain(world, places, &rows, &wanted, false, writer);
    retain(world, places, &rows, &Vec::from_iter(what), true, writer);
    for (person, is_what) in wanted.iter().map(|id| (*id, false)).chain(what.map(|id| (id, true))) {
        make_parent(world, places, event, person, is_what, writer);
    }
    write_whos(world, places, slot, &wanted);
}

/// Takes the parents away that are not wanted; who is also invited stays an invitee.
fn retain(world: &mut World, places: &Places, rows: &[Slot], wanted: &[Id], what: bool, writer: Writer) {
    let (Some(parent), Some(is_what)) = (places.parent, places.what) else { return };
    for slot in rows {
        let of_this_kind =
            flag(world, places.relation, *slot, parent) && flag(world, places.relation, *slot, is_what) == what;
        let keep = person_of(world, places, *slot).is_some_and(|id| wanted.contains(&id));
        if !of_this_kind || keep {
            continue;
        }
        if flag(world, places.relation, *slot, places.invitee) {
            world.set(places.relation, *slot, parent, Some(Val::Bool(false)));
            touch(world, places.relation, *slot, writer);
        } else if let Some(id) = world.row(places.relation, *slot).map(|row| row.id) {
            delete::stamp_gone(world, places.relation, *slot, id, writer);
        }
    }
}

fn make_parent(world: &mut World, places: &Places, event: Id, person: Id, is_what: bool, writer: Writer) {
    let (Some(parent), Some(what)) = (places.parent, places.what) else { return };
    if let Some(slot) = find(world, places, event, person) {
        if !flag(world, places.relation, slot, parent) {
            world.set(places.relation, slot, parent, Some(Val::Bool(true)));
            touch(world, places.relation, slot, writer);
        }
        return;
    }
    let vals = vec![
        (places.event_id, Val::Ref(event)),
        (places.person, Val::Ref(person)),
        (parent, Val::Bool(true)),
        (what, Val::Bool(is_what)),
        (places.invitee, Val::Bool(false)),
    ];
    platform_insert(world, places.relation, vals, writer);
}

/// A relation came, changed or went: the event's own fields say the same afterwards.
pub(super) fn settle(world: &mut World, places: &Places, slot: Slot, writer: Writer) {
    let Some(row) = world.row(places.event, slot) else { return };
    let event = row.id;
    let rows = of(world, places, event);
    if world.rules.shared_activities {
        let mut people = whos(world, places, &rows);
        let primary = world.row(places.event, slot).and_then(|row| row.stored(places.who_id)?.as_ref_id());
        // Who was primary stays so; else the longest-standing one is promoted.
        if let Some(at) = people.iter().position(|id| Some(*id) == primary) {
            people[..=at].rotate_right(1);
        }
        let what = parents(world, places, &rows, true).first().copied();
        if world.row(places.event, slot).and_then(|row| row.stored(places.what_id)?.as_ref_id()) != what {
            world.set(places.event, slot, places.what_id, what.map(Val::Ref));
            touch(world, places.event, slot, writer);
        }
        if people.first().copied() != primary {
            touch(world, places.event, slot, writer);
        }
        write_whos(world, places, slot, &people);
        if people.first().copied() != primary {
            copies::follow(world, places, slot, &[places.who_id, places.what_id], writer);
        }
    }
    let invited = rows.iter().any(|slot| flag(world, places.relation, *slot, places.invitee));
    if invited != flag(world, places.event, slot, places.group) {
        world.set(places.event, slot, places.group, Some(Val::Bool(invited)));
        world.set(places.event, slot, places.group_type, Some(Val::text(if invited { GROUP } else { ALONE })));
        touch(world, places.event, slot, writer);
    }
}

fn write_whos(world: &mut World, places: &Places, slot: Slot, people: &[Id]) {
    let stored = |world: &World, no: FieldNo| world.row(places.event, slot).and_then(|row| row.stored(no).cloned());
    let first = people.first().map(|id| Val::Ref(*id));
    if stored(world, places.who_id) != first {
        world.set(places.event, slot, places.who_id, first);
    }
    if let Some(no) = places.who_ids {
        let list: Vec<&str> = people.iter().map(Id::as_str).collect();
        let list = (!list.is_empty()).then(|| Val::text(list.join(";")));
        if stored(world, no) != list {
            world.set(places.event, slot, no, list);
        }
    }
}

/// Shared Activities went: of the relations only the invitees are left.
pub(super) fn drop_parents(world: &mut World, places: &Places) {
    let rows: Vec<(Slot, Id)> = world
        .table(places.relation)
        .rows()
        .filter(|(_, row)| !row.deleted && row.stored(places.invitee) != Some(&Val::Bool(true)))
        .map(|(slot, row)| (slot, row.id))
        .collect();
    for (slot, id) in rows {
        world.set_deleted(places.relation, slot, Some(id));
    }
}
