//! From what should be in the CRM to the steps that bring it about, and to what the event is to be told in turn.

use super::{
    fields::{FieldRules, MeetingMerge, merge_fields, once_shown},
    project::{Crm, Projected},
};
use crate::{
    booking::{
        diff::Normalise,
        project::{Desired, Links},
    },
    ids::{ExternalKey, RecordId},
    record::{Field, Fields, Role, Slot, Value},
    step::{Link, Plan, Step, Write},
};

/// What is to be done about one meeting.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Decided {
    pub plan: Plan,
    /// Edits made in the CRM that the event is to take over.
    pub to_calendar: Fields,
    /// Edits made in the CRM that stay there only.
    pub kept: Vec<Field>,
    /// Edits that were carried to the event, which still does not show them.
    pub carried: Fields,
    after: Vec<After>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct After {
    slot: Slot,
    role: Role,
    id: Option<RecordId>,
    key: Option<ExternalKey>,
    image: Fields,
}

impl Decided {
    /// The links once the plan is done **and** the event has taken over what it was told, given the ids that the plan's
    /// steps yielded. Kept any sooner, the event's old value would look like a change of its own.
    pub fn links(&self, ids: &[(Slot, RecordId)]) -> Links {
        let made = |slot: Slot| ids.iter().find(|(made, _)| *made == slot).map(|(_, id)| id.clone());
        let id_of = |slot: Slot| {
            made(slot).or_else(|| self.after.iter().find(|after| after.slot == slot).and_then(|after| after.id.clone()))
        };
        let resolve = |value: &Value| match value {
            Value::Slot(slot) => id_of(*slot).map_or(Value::Null, Value::Id),
            other => other.clone(),
        };
        let link = |after: &After| {
            let image = after.image.iter().map(|(field, value)| (field.clone(), resolve(value))).collect();
            Some((after.slot, Link::new(after.role, id_of(after.slot)?, after.key.clone(), image)))
        };
        self.after.iter().filter_map(link).collect()
    }
}

/// Decides. Total: with its own result as links it decides nothing more.
pub fn decide(projected: Projected, crm: &Crm<'_>, rules: FieldRules, normalise: Normalise<'_>) -> Decided {
    let mut out = Decided::default();
    let mut deletes = Vec::new();
    let delete = |slot: Slot| {
        let link = crm.links.get(&slot)?;
        Some(Step::new(slot, link.role, Write::Delete { id: link.id.clone() }))
    };
    deletes.extend(projected.leave.iter().filter_map(|slot| delete(*slot)));
    // Known by who attends: the place is nobody's whom a link names.
    let part = |(slot, person)| Step::new(slot, Role::Attendee, Write::Delete { id: person });
    deletes.extend(projected.part.map(part));
    let wanted: Vec<Slot> = projected.desired.iter().map(|desired| desired.slot).collect();
    // What this projection does not speak of stays as it is.
    for (slot, link) in crm.links.iter().filter(|(slot, _)| !wanted.contains(slot) && !projected.leave.contains(slot)) {
        let (role, id, key) = (link.role, Some(link.id.clone()), link.key.clone());
        out.after.push(After { slot: *slot, role, id, key, image: link.image.clone() });
    }
    for desired in projected.desired {
        if desired.existing.is_none() {
            // The place of somebody who became somebody else.
            deletes.extend(delete(desired.slot));
        }
        step_for(desired, crm, rules, normalise, &mut out);
    }
    out.plan.steps.sort_by_key(|step| step.slot);
    deletes.append(&mut out.plan.steps);
    out.plan.steps = deletes;
    out
}

/// Decides about a record of whose meeting nothing more is known than what the record is to say now. Nothing where there is
/// no record.
pub fn decide_known(fields: Fields, crm: &Crm<'_>, normalise: Normalise<'_>) -> Decided {
    let Some(link) = crm.links.get(&Slot::Meeting) else { return Decided::default() };
    let desired = Desired {
        slot: Slot::Meeting,
        role: Role::Meeting,
        existing: Some(link.id.clone()),
        key: link.key.clone().unwrap_or_else(|| ExternalKey::new("")),
        shared: None,
        on_create: Fields::new(),
        keep: fields,
        remember: Fields::new(),
    };
    let projected = Projected { desired: vec![desired], ..Projected::default() };
    decide(projected, crm, FieldRules::default(), normalise)
}

/// Decides that the meeting's record goes; who attends goes with it.
pub fn decide_removed(crm: &Crm<'_>) -> Decided {
    let delete = crm.links.get(&Slot::Meeting).map(|link| {
        let write = Write::Delete { id: link.id.clone() };
        Step::new(Slot::Meeting, link.role, write)
    });
    Decided { plan: Plan { steps: delete.into_iter().collect() }, ..Decided::default() }
}

fn step_for(desired: Desired, crm: &Crm<'_>, rules: FieldRules, normalise: Normalise<'_>, out: &mut Decided) {
    let Desired { slot, role, existing, key, on_create, keep, remember, .. } = desired;
    let normal = |fields: Fields| -> Fields {
        fields.into_iter().map(|(field, value)| (field.clone(), normalise(role, &field, value))).collect()
    };
    let Some(id) = existing else {
        let mut image = normal(on_create);
        image.extend(normal(keep));
        let fields: Fields = image.clone().into_iter().filter(|(_, value)| *value != Value::Null).collect();
        out.plan.steps.push(Step::new(slot, role, Write::Upsert { key: key.clone(), fields }));
        image.extend(remember);
        // An attendee bears no key.
        let key = Some(key).filter(|_| role != Role::Attendee);
        out.after.push(After { slot, role, id: None, key, image });
        return;
    };
    let link = crm.links.get(&slot).filter(|link| link.id == id);
    let mut base = link.map(|link| link.image.clone()).unwrap_or_default();
    let present = crm.facts.record(&id).map(|record| &record.fields);
    let keep = normal(keep);
    if slot == Slot::Meeting {
        (base, out.carried) = once_shown(&base, crm.carried, present, &keep);
    }
    let MeetingMerge { to_crm, to_calendar, agreed, kept } = merge_fields(&base, present, &keep, rules);
    if !to_crm.is_empty() {
        out.plan.steps.push(Step::new(slot, role, Write::Patch { id: id.clone(), fields: to_crm }));
    }
    if slot == Slot::Meeting {
        out.to_calendar = to_calendar;
    }
    out.kept.extend(kept);
    let mut image = agreed;
    image.extend(remember);
    out.after.push(After { slot, role, id: Some(id), key: link.and_then(|link| link.key.clone()), image });
}
