//! What became of a plan whose answer never came, as far as the CRM shows it.

use crate::{
    booking::{facts::Facts, project::Links, text::newlines},
    ids::RecordId,
    record::{Field, Fields, Record, Role, Slot, Std, Value},
    step::{Link, Plan, Write},
};

/// The links as they are if the plan was applied as far as the facts show. What was to be made is found by its key,
/// attendees by their meeting.
pub fn settle(links: &Links, plan: &Plan, facts: &Facts) -> Links {
    let mut out = links.clone();
    for step in plan.steps.iter().filter(|step| step.role != Role::Attendee) {
        match &step.write {
            Write::Upsert { key, fields } => {
                if let Some(record) = facts.with_key(step.role, key) {
                    let link = Link::new(step.role, record.id.clone(), Some(key.clone()), agreed(fields, record));
                    out.insert(step.slot, link);
                }
            }
            Write::Patch { id, fields } => {
                let Some(link) = out.get_mut(&step.slot).filter(|link| link.id == *id) else { continue };
                let Some(record) = facts.record(id) else { continue };
                let arrived = fields.iter().filter(|(field, value)| holds(record, field, value));
                link.image.extend(arrived.map(|(field, value)| (field.clone(), value.clone())));
            }
            Write::Delete { id } => {
                if facts.record(id).is_none() && out.get(&step.slot).is_some_and(|link| link.id == *id) {
                    out.remove(&step.slot);
                }
            }
        }
    }
    settle_attendees(&mut out, plan, facts);
    out
}

/// Attendees bear no key: who of them came and who went is seen from the meeting.
fn settle_attendees(links: &mut Links, plan: &Plan, facts: &Facts) {
    let Some(meeting) = links.get(&Slot::Meeting).map(|link| link.id.clone()) else { return };
    let Some(there) = facts.attendees(&meeting) else { return };
    for step in plan.steps.iter().filter(|step| step.role == Role::Attendee) {
        match &step.write {
            Write::Upsert { fields, .. } => {
                let Some(Value::Id(who)) = fields.get(&Std::Attends.into()) else { continue };
                let Some(record) = there.get(who) else { continue };
                let mut image = fields.clone();
                image.insert(Std::Meeting.into(), Value::Id(meeting.clone()));
                let link = Link::new(Role::Attendee, record.id.clone(), None, image);
                links.insert(step.slot, link);
            }
            Write::Patch { id, fields } => {
                let record = there.values().find(|record| record.id == *id);
                let (Some(link), Some(record)) = (links.get_mut(&step.slot), record) else { continue };
                let arrived = fields.iter().filter(|(field, value)| holds(record, field, value));
                link.image.extend(arrived.map(|(field, value)| (field.clone(), value.clone())));
            }
            // Whom the meeting was with, named by their own record: the place was to go, and goes as one of ours.
            Write::Delete { id } if there.contains_key(id) => {
                let image = Fields::from([
                    (Std::Meeting.into(), Value::Id(meeting.clone())),
                    (Std::Attends.into(), Value::Id(id.clone())),
                ]);
                links.insert(step.slot, Link::new(Role::Attendee, there[id].id.clone(), None, image));
            }
            Write::Delete { id } => {
                let is_there = there.values().any(|record| record.id == *id);
                if !is_there && links.get(&step.slot).is_some_and(|link| link.id == *id) {
                    links.remove(&step.slot);
                }
            }
        }
    }
}

/// What is agreed on about a record that was found under a planned key. Where it takes place when it was planned to, the
/// plan was applied, and whatever else differs is somebody's edit since; else all of it is still to be brought up to date.
fn agreed(planned: &Fields, record: &Record) -> Fields {
    let times = [Std::Start, Std::End].map(Field::Std);
    let applied = times.iter().all(|field| planned.get(field).is_none_or(|value| holds(record, field, value)));
    let value = |field: &Field, value: &Value| match record.fields.get(field).filter(|_| !applied) {
        Some(now) => now.clone(),
        None => value.clone(),
    };
    planned.iter().map(|(field, planned)| (field.clone(), value(field, planned))).collect()
}

fn holds(record: &Record, field: &Field, value: &Value) -> bool {
    match (record.fields.get(field), value) {
        (Some(Value::Text(now)), Value::Text(value)) => newlines(now) == newlines(value),
        (Some(now), value) => now == value,
        (None, value) => *value == Value::Null,
    }
}

/// The meeting that a plan's attendees are asked for, as far as it is known.
pub fn meeting_of(links: &Links, plan: &Plan, facts: &Facts) -> Option<RecordId> {
    let known = links.get(&Slot::Meeting).map(|link| link.id.clone());
    known.or_else(|| {
        plan.steps.iter().filter(|step| step.slot == Slot::Meeting).find_map(|step| match &step.write {
            Write::Upsert { key, .. } => facts.with_key(step.role, key).map(|record| record.id.clone()),
            Write::Patch { .. } | Write::Delete { .. } => None,
        })
    })
}
