//! Letting what points at one record point at another, as conversions and merges do: without any rule running.

use super::{Writer, activities, delete, touch};
use crate::salesforce::{
    id::Id,
    schema::{FieldNo, Kind},
    world::{Slot, Val, World},
};

/// Rows that join two records: a pair stands once. Object, the field that is repointed, the other one.
const PAIRS: [(&str, &str, &str); 4] = [
    ("EventRelation", "RelationId", "EventId"),
    ("OpportunityContactRole", "ContactId", "OpportunityId"),
    ("CampaignMember", "ContactId", "CampaignId"),
    ("CampaignMember", "LeadId", "CampaignId"),
];

/// Repoints every live row, or those of the objects named, from one record to the other.
pub(super) fn repoint(world: &mut World, from: Id, to: Id, only: Option<&[&str]>, writer: Writer) {
    let schema = world.schema.clone();
    let Some(target) = schema.by_prefix(from.prefix()).map(|no| schema.def(no).name.clone()) else { return };
    for (object, def) in schema.objects.iter().enumerate() {
        if only.is_some_and(|names| !names.contains(&def.name.as_str())) {
            continue;
        }
        for (field, no) in def.fields.iter().zip(0..) {
            let named = field.kind == Kind::Reference && field.reference_to.contains(&target);
            // What became of a lead, and where a merged record went, is history.
            if !named || field.name == "MasterRecordId" || field.name.starts_with("Converted") {
                continue;
            }
            let slots = world.table(object).lookup(def, no, &Val::Ref(from)).unwrap_or_default().to_vec();
            for slot in slots {
                move_row(world, object, slot, no, to, writer);
            }
        }
    }
}

fn move_row(world: &mut World, object: usize, slot: Slot, no: FieldNo, to: Id, writer: Writer) {
    let Some(row) = world.row(object, slot).filter(|row| !row.deleted) else { return };
    let id = row.id;
    world.part();
    if stands_twice(world, object, slot, no, to) {
        delete::stamp_gone(world, object, slot, id, writer);
    } else {
        // A record is not its own parent.
        world.set(object, slot, no, (id != to).then_some(Val::Ref(to)));
        touch(world, object, slot, writer);
    }
    if world.def(object).name == "EventRelation" {
        activities::relation_moved(world, slot, writer);
    }
}

/// Whether the other record already has what this row would give it.
fn stands_twice(world: &World, object: usize, slot: Slot, no: FieldNo, to: Id) -> bool {
    let def = world.def(object);
    let pair = PAIRS.iter().find(|(name, field, _)| *name == def.name && *field == def.field(no).name);
    let Some(other) = pair.and_then(|(.., other)| def.field_no(other)) else { return false };
    let partner = world.row(object, slot).and_then(|row| row.stored(other));
    let there = world.table(object).lookup(def, no, &Val::Ref(to)).unwrap_or_default();
    there.iter().filter_map(|slot| world.row(object, *slot)).any(|row| !row.deleted && row.stored(other) == partner)
}
