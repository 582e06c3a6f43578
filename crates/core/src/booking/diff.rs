//! From what should exist to the steps that bring it about: the difference against what we last agreed on.
//!
//! An edit that somebody made in the CRM survives: a field is only overwritten where the record still holds what we
//! last wrote, or where the booking is the authority (time, standing).

use std::{cmp::Reverse, collections::BTreeMap};

use super::{
    ask::planned_address,
    attendees::address_of,
    chain::View,
    follow::{Followed, follow, stranger},
    mapped::{self, is_mapped, object_of},
    matching::{account_key, address},
    project::{Context, Desired, Links, Note, Projection, Refused, project, shared_record_key},
    settings::BookingSettings,
    text::{newlines, splice, with_prefix},
};
use crate::{
    ids::{ExternalKey, ObjectName, RecordId, SharedKey},
    record::{Field, Fields, Record, Role, Slot, Std, Value},
    step::{Link, Plan, SharedLink, Step, Write},
};

/// The value as the vendor will hold it.
pub type Normalise<'a> = &'a dyn Fn(Role, &Field, Value) -> Value;

/// What is to be done for one booking.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Decision {
    pub plan: Plan,
    /// Shared records that the plan creates.
    pub creates: Vec<SharedKey>,
    /// What other bookings believe to be there instead of these, and is not: the CRM was asked, and has it no longer.
    pub outdated: Vec<SharedLink>,
    pub notes: Vec<Note>,
    pub look_again: Option<jiff::Timestamp>,
    /// Where an unsettled plan was looked into: the links as they are before this plan, see [`Decision::kept`].
    pub adopted: Option<Links>,
    after: Vec<After>,
    accounts: BTreeMap<Slot, Value>,
}

/// A slot as it will be once the plan is done.
#[derive(Debug, Clone, PartialEq, Eq)]
struct After {
    slot: Slot,
    role: Role,
    id: Option<RecordId>,
    key: Option<ExternalKey>,
    shared: Option<SharedKey>,
    image: Fields,
    object: Option<ObjectName>,
    doubt: bool,
}

impl Decision {
    /// The links once the plan is done, given the ids that its steps yielded.
    pub fn links(&self, ids: &[(Slot, RecordId)]) -> Links {
        let id_of = |slot: Slot| self.id_of(slot, ids);
        self.after
            .iter()
            .filter_map(|after| {
                let image = after
                    .image
                    .iter()
                    .map(|(field, value)| match value {
                        Value::Slot(slot) => (field.clone(), id_of(*slot).map_or(Value::Null, Value::Id)),
                        other => (field.clone(), other.clone()),
                    })
                    .collect();
                let link = Link {
                    role: after.role,
                    id: id_of(after.slot)?,
                    object: after.object.clone(),
                    key: after.key.clone(),
                    image,
                    doubt: after.doubt,
                };
                Some((after.slot, link))
            })
            .collect()
    }

    /// The links together with the people and accounts that the plan relies on without having made them. Where one in doubt
    /// was followed, the next look goes on from where this one came to: of many merges in a row it follows only some.
    /// Nothing is said to be agreed on that the plan was still to write.
    pub fn relied_on(&self, links: &Links) -> Links {
        let mut all = links.clone();
        for (slot, mut link) in self.links(&[]).into_iter().filter(|(slot, _)| is_shared(*slot)) {
            for fields in self.patched(slot) {
                link.image.retain(|field, _| !fields.contains_key(field));
            }
            let known = all.entry(slot).or_insert_with(|| link.clone());
            if known.doubt && known.id != link.id {
                *known = link;
            }
        }
        all
    }

    /// The links to be kept with the plan before it is sent, where they are not those of before. Somebody whom it changes
    /// is among them: should nobody hear what became of it, the fields may be as any later plan finds them.
    pub fn kept(&self, links: &Links) -> Option<Links> {
        let before = self.adopted.as_ref().unwrap_or(links);
        let is_news = |step: &Step| {
            is_shared(step.slot) && matches!(step.write, Write::Patch { .. }) && !before.contains_key(&step.slot)
        };
        if self.plan.steps.iter().any(is_news) { Some(self.relied_on(before)) } else { self.adopted.clone() }
    }

    /// What of this plan may be left out, so that a refusal of the record in this slot, of these fields as far as the CRM
    /// names them, stops nothing else: mapped fields, a guest who is new, or all that changes about somebody who is there.
    pub fn dispensable(&self, settings: &BookingSettings, slot: Slot, fields: &[Field], reason: &str) -> Refused {
        let role = self.plan.steps.iter().find(|step| step.slot == slot).map(|step| step.role);
        let mapped = fields.iter().filter(|field| role.is_some_and(|role| is_mapped(settings, slot, role, field)));
        let mut fields: BTreeMap<_, _> = mapped.map(|field| ((slot, field.clone()), reason.to_owned())).collect();
        if fields.is_empty() {
            let changes = self.changes(settings, |one| one == slot);
            fields.extend(changes.map(|change| (change, reason.to_owned())));
        }
        let guest = self.new_guest(slot).filter(|_| fields.is_empty());
        let guests = guest.into_iter().map(|email| (email.to_owned(), reason.to_owned())).collect();
        Refused { guests, fields }
    }

    /// The fields that the plan changes about guests who are there already.
    pub fn guest_changes(&self, settings: &BookingSettings) -> impl Iterator<Item = (Slot, Field)> {
        self.changes(settings, |slot| matches!(slot, Slot::Guest(_) | Slot::GuestAccount(_)))
    }

    /// Whether the plan changes the record of this slot, rather than making or deleting it.
    pub fn is_change(&self, slot: Slot) -> bool {
        self.patched(slot).next().is_some()
    }

    /// The mapped fields that the plan changes about people and accounts of these slots: of somebody who is there already
    /// nothing else is written.
    fn changes(&self, settings: &BookingSettings, of: impl Fn(Slot) -> bool) -> impl Iterator<Item = (Slot, Field)> {
        let steps = self.plan.steps.iter().filter(move |step| is_shared(step.slot) && of(step.slot));
        let fields = steps.flat_map(|step| match &step.write {
            Write::Patch { fields, .. } => fields.keys().map(|field| (step, field)).collect(),
            Write::Upsert { .. } | Write::Delete { .. } => Vec::new(),
        });
        fields
            .filter(|(step, field)| is_mapped(settings, step.slot, step.role, field))
            .map(|(step, field)| (step.slot, field.clone()))
    }

    /// The address of the guest for whom the plan makes the record of this slot. Whoever is there already is not meant: they
    /// are invited, whatever is refused about them.
    pub(super) fn new_guest(&self, slot: Slot) -> Option<&str> {
        let (Slot::Guest(number) | Slot::GuestAccount(number) | Slot::Attendee(number)) = slot else { return None };
        let is_made = |step: &Step| step.slot == slot && matches!(step.write, Write::Upsert { .. });
        self.plan.steps.iter().find(|step| is_made(step))?;
        let theirs = [Slot::Guest(number), Slot::Attendee(number)];
        let theirs = self.after.iter().filter(|after| theirs.contains(&after.slot));
        theirs.into_iter().find_map(|after| after.image.get(&Std::Email.into())?.as_text())
    }

    /// The addresses of all guests for whom the plan makes a person.
    pub fn new_guests(&self) -> impl Iterator<Item = &str> {
        let people = self.plan.steps.iter().filter(|step| matches!(step.slot, Slot::Guest(_)));
        people.filter_map(|step| self.new_guest(step.slot))
    }

    fn patched(&self, slot: Slot) -> impl Iterator<Item = &Fields> {
        self.plan.steps.iter().filter(move |step| step.slot == slot).filter_map(|step| match &step.write {
            Write::Patch { fields, .. } => Some(fields),
            Write::Upsert { .. } | Write::Delete { .. } => None,
        })
    }

    /// What other bookings may rely on once the plan is done.
    pub fn shared(&self, ids: &[(Slot, RecordId)]) -> Vec<SharedLink> {
        let resolve = |value: &Value| match value {
            Value::Id(id) => Some(id.clone()),
            Value::Slot(slot) => self.id_of(*slot, ids),
            _ => None,
        };
        self.after
            .iter()
            .filter_map(|after| {
                let account = self.accounts.get(&after.slot).and_then(resolve);
                Some(SharedLink {
                    key: after.shared.clone()?,
                    role: after.role,
                    id: self.id_of(after.slot, ids)?,
                    account,
                })
            })
            .collect()
    }

    fn id_of(&self, slot: Slot, ids: &[(Slot, RecordId)]) -> Option<RecordId> {
        let made = ids.iter().find(|(made, _)| *made == slot).map(|(_, id)| id.clone());
        made.or_else(|| self.after.iter().find(|after| after.slot == slot)?.id.clone())
    }
}

/// Decides. Total: with the same facts it always gives the same steps, and with its own result as links, none.
pub fn decide(cx: &Context<'_>, view: &View<'_>, unsettled: Option<&Plan>, normalise: Normalise<'_>) -> Decision {
    let settled;
    let links = match unsettled {
        Some(plan) => {
            settled = settle(cx, view, plan);
            &settled
        }
        None => cx.links,
    };
    let cx = &Context { links, ..*cx };
    let Projection { desired, delete, forget, notes, look_again, accounts } = project(cx, view);
    let adopted = unsettled.map(|_| links.clone());
    let mut out = Decision { notes, look_again, adopted, accounts, ..Decision::default() };
    for slot in delete {
        if let Some(link) = links.get(&slot) {
            let write = Write::Delete { id: link.id.clone() };
            out.plan.steps.push(Step { slot, role: link.role, object: link.object.clone(), write });
        }
    }
    let mut deleted: Vec<Slot> = out.plan.steps.iter().map(|step| step.slot).collect();
    deleted.extend(forget);
    let wanted: Vec<Slot> = desired.iter().map(|desired| desired.slot).collect();
    // What this projection does not speak of stays as it is.
    for (slot, link) in links.iter().filter(|(slot, _)| !deleted.contains(slot) && !wanted.contains(slot)) {
        let (role, id, doubt) = match follow(cx, link) {
            Followed::Stands => (link.role, link.id.clone(), link.doubt && cx.facts.trace(&link.id).is_none()),
            Followed::Became { role, id, .. } => (role, id, false),
            Followed::Gone => continue,
            Followed::Left => (link.role, link.id.clone(), true),
        };
        out.after.push(After {
            slot: *slot,
            role,
            id: Some(id),
            key: link.key.clone(),
            shared: shared_account(cx, view, *slot, link),
            image: link.image.clone(),
            object: link.object.clone(),
            doubt,
        });
    }
    for desired in desired {
        step_for(cx, desired, normalise, &mut out);
    }
    out.plan.steps.sort_by_key(turn);
    out
}

/// Whether other bookings may rely on the record in this slot.
fn is_shared(slot: Slot) -> bool {
    matches!(slot, Slot::Account | Slot::GuestAccount(_) | Slot::Person | Slot::Guest(_))
}

/// When a step has its turn: in the order of the slots; of what was made twice first what hangs on the rest, which a CRM
/// may delete with it.
fn turn(step: &Step) -> impl Ord + use<> {
    let surplus = matches!(step.slot, Slot::Surplus(_)).then_some(Reverse(step.role));
    (surplus, step.slot)
}

/// What other bookings may know an account by that was made for the invitee or a guest and is adopted or kept.
fn shared_account(cx: &Context<'_>, view: &View<'_>, slot: Slot, link: &Link) -> Option<SharedKey> {
    let email = match slot {
        Slot::Account => address(&view.content.invitee.email),
        Slot::GuestAccount(number) => {
            let guest = cx.links.get(&Slot::Guest(number))?;
            guest.image.get(&Std::Email.into()).and_then(Value::as_text).map(str::to_owned)
        }
        _ => None,
    };
    let shared = account_key(&email?, cx.settings);
    (link.key == Some(shared_record_key(cx, &shared))).then_some(shared)
}

/// Links as they are if the unsettled plan was applied as far as the facts show.
fn settle(cx: &Context<'_>, view: &View<'_>, plan: &Plan) -> Links {
    let mut links = cx.links.clone();
    for step in &plan.steps {
        match &step.write {
            Write::Upsert { fields, .. } if step.role == Role::Attendee => {
                if let Some(link) = attendee_that_came(cx, view, &links, plan, fields) {
                    links.entry(step.slot).or_insert(link);
                }
            }
            Write::Upsert { key, fields } => {
                if let Some(record) = cx.facts.with_key(step.role, key) {
                    let image = adopted_image(cx.settings, step.role, fields, record);
                    links.insert(
                        step.slot,
                        Link {
                            role: step.role,
                            id: record.id.clone(),
                            object: step.object.clone(),
                            key: Some(key.clone()),
                            image,
                            doubt: false,
                        },
                    );
                }
            }
            Write::Patch { id, fields } => {
                let Some(link) = links.get_mut(&step.slot).filter(|link| link.id == *id) else { continue };
                let Some(record) = cx.facts.record(id) else { continue };
                for (field, value) in fields {
                    if record.fields.get(field).is_some_and(|now| same(now, value)) {
                        link.image.insert(field.clone(), value.clone());
                    }
                }
            }
            Write::Delete { id } => {
                let is_there = match step.role {
                    Role::Attendee => attends(cx, &links, id),
                    _ => cx.facts.record(id).is_some(),
                };
                if !is_there && links.get(&step.slot).is_some_and(|link| link.id == *id) {
                    links.remove(&step.slot);
                }
            }
        }
    }
    // References of an adopted record are only resolvable now that its neighbours are adopted too.
    let ids: Vec<(Slot, RecordId)> = links.iter().map(|(slot, link)| (*slot, link.id.clone())).collect();
    for link in links.values_mut() {
        for value in link.image.values_mut() {
            if let Value::Slot(slot) = value
                && let Some((_, id)) = ids.iter().find(|(known, _)| known == slot)
            {
                *value = Value::Id(id.clone());
            }
        }
    }
    links
}

/// The attendee that a plan was to make. It bears no key; whether it is there is seen from its meeting. Somebody who is not
/// to come any more is found like everybody else, or would stay invited for ever.
fn attendee_that_came(cx: &Context<'_>, view: &View<'_>, links: &Links, plan: &Plan, planned: &Fields) -> Option<Link> {
    let known = cx.facts.attendees(&links.get(&Slot::Meeting)?.id)?;
    let (record, address) = match planned.get(&Std::Attends.into())? {
        // The plan was to make the person, too, and what it made is not there under its key: it may have been merged.
        Value::Slot(slot) if !links.contains_key(slot) => {
            let address = planned_address(plan, *slot)?;
            let people = [Role::Contact, Role::Lead].into_iter().flat_map(|role| cx.facts.with_email(role, address));
            (people.filter_map(|person| known.get(&person.id)).next()?, Some(address.to_owned()))
        }
        attends => {
            let attends = match attends {
                Value::Slot(slot) => &links.get(slot)?.id,
                Value::Id(id) => id,
                _ => return None,
            };
            let record = known.get(attends).or_else(|| match follow(cx, &stranger(cx, attends)?) {
                Followed::Became { id, .. } => known.get(&id),
                Followed::Stands | Followed::Gone | Followed::Left => None,
            })?;
            (record, address_of(cx, view, links, attends))
        }
    };
    let mut image = planned.clone();
    image.extend(address.map(|address| (Std::Email.into(), Value::Text(address))));
    Some(Link::new(Role::Attendee, record.id.clone(), None, image))
}

/// Whether somebody still has this place in the booking's meeting, as far as the meeting was asked for its attendees.
fn attends(cx: &Context<'_>, links: &Links, place: &RecordId) -> bool {
    let known = links.get(&Slot::Meeting).and_then(|meeting| cx.facts.attendees(&meeting.id));
    known.is_none_or(|known| known.values().any(|record| record.id == *place))
}

/// What we last agreed on about a record that was found under a planned key. Where its telling fields are as planned,
/// the plan was applied, and whatever else differs is somebody's edit since. Where not, an older version of the record
/// stands there, and all of it is still to be brought up to date.
fn adopted_image(settings: &BookingSettings, role: Role, planned: &Fields, record: &Record) -> Fields {
    let telling = |field: &Field| match role {
        Role::Meeting => is_meetings_own(settings, field),
        Role::Case => *field == Field::Std(Std::Description),
        Role::Opportunity => *field == Field::Std(Std::CloseDate),
        Role::Account | Role::Contact | Role::Lead | Role::User | Role::Attendee | Role::Custom => false,
    };
    let holds = |field: &Field, value: &Value| match (record.fields.get(field), value) {
        (Some(Value::Text(now)), Value::Text(value)) => newlines(now).contains(newlines(value).as_ref()),
        (Some(now), value) => now == value,
        (None, _) => true,
    };
    let applied = planned.iter().filter(|(field, _)| telling(field)).all(|(field, value)| holds(field, value));
    let agreed = planned.iter().map(|(field, value)| {
        let now = record.fields.get(field).filter(|_| !applied).unwrap_or(value);
        (field.clone(), now.clone())
    });
    let mut image: Fields = agreed.collect();
    // Of two plans for one person either may have come last; what hangs on the account goes by what stands there.
    if matches!(role, Role::Contact | Role::Lead)
        && let Some(Value::Id(account)) = record.fields.get(&Std::Account.into())
    {
        image.insert(Std::Account.into(), Value::Id(account.clone()));
    }
    image
}

fn step_for(cx: &Context<'_>, desired: Desired, normalise: Normalise<'_>, out: &mut Decision) {
    let Desired { slot, role, existing, key, shared, on_create, keep, remember } = desired;
    let normal = |mut fields: Fields| -> Fields {
        for (field, value) in &mut fields {
            *value = normalise(role, field, std::mem::replace(value, Value::Null));
        }
        fields
    };
    let link = cx.links.get(&slot);
    let object = object_of(cx.settings, slot);
    match existing {
        None => {
            let mut fields = normal(on_create);
            fields.extend(normal(keep));
            fields.retain(|_, value| *value != Value::Null);
            out.outdated.extend(shared.as_ref().and_then(|key| cx.facts.shared(key)).cloned());
            out.creates.extend(shared.clone());
            let write = Write::Upsert { key: key.clone(), fields: fields.clone() };
            out.plan.steps.push(Step { slot, role, object: object.clone(), write });
            fields.extend(remember);
            // An attendee bears no key.
            let key = if role == Role::Attendee { None } else { Some(key) };
            out.after.push(After { slot, role, id: None, key, shared, image: fields, object, doubt: false });
        }
        Some(id) => {
            let base = link.filter(|link| link.id == id);
            let mut image = base.map(|link| link.image.clone()).unwrap_or_default();
            let patch = patch(cx, role, &id, normal(keep), &mut image, normalise, out);
            if !patch.is_empty() {
                let write = Write::Patch { id: id.clone(), fields: patch };
                out.plan.steps.push(Step { slot, role, object: object.clone(), write });
            }
            image.extend(remember);
            let key = base.and_then(|link| link.key.clone());
            out.after.push(After { slot, role, id: Some(id), key, shared, image, object, doubt: false });
        }
    }
}

/// The fields of a linked record to write; `image` becomes what is agreed on afterwards.
fn patch(
    cx: &Context<'_>,
    role: Role,
    id: &RecordId,
    keep: Fields,
    image: &mut Fields,
    normalise: Normalise<'_>,
    out: &mut Decision,
) -> Fields {
    let present = cx.facts.record(id);
    let mut patch = Fields::new();
    for (field, wanted) in keep {
        let base = image.insert(field.clone(), wanted.clone()).unwrap_or(Value::Null);
        if base == wanted {
            continue;
        }
        let Some(now) = present.and_then(|record| record.fields.get(&field)) else {
            patch.insert(field, wanted);
            continue;
        };
        match merge(cx.settings, role, &field, &base, now, &wanted) {
            Merged::Write(value) => {
                // What grew by a prefix or a note may no longer fit.
                let value = normalise(role, &field, value);
                if !same(now, &value) {
                    patch.insert(field, value);
                }
            }
            Merged::Agrees => {}
            Merged::KeepEdit => out.notes.push(Note::new(
                "kept_edit",
                format!("somebody changed {field} of the {} in the CRM; that edit was kept", role.as_str()),
            )),
        }
    }
    patch
}

enum Merged {
    Write(Value),
    Agrees,
    KeepEdit,
}

/// Three-way: what to write over `now`, given that we last agreed on `base`.
fn merge(settings: &BookingSettings, role: Role, field: &Field, base: &Value, now: &Value, wanted: &Value) -> Merged {
    if same(now, wanted) {
        return Merged::Agrees;
    }
    let frees_lead = *field == Field::Std(Std::What) && *wanted == Value::Null;
    if same(now, base) || has_authority(settings, role, field) || frees_lead {
        return Merged::Write(wanted.clone());
    }
    match (field, now, wanted) {
        (Field::Std(Std::Subject), Value::Text(now), Value::Text(wanted)) if role == Role::Meeting => {
            let prefix = &settings.cancel.prefix;
            let called_off = !prefix.trim().is_empty() && wanted.starts_with(prefix.as_str());
            match with_prefix(now, prefix, called_off) {
                // Nothing was there but the prefix, so there are no words to keep.
                bare if bare.trim().is_empty() => Merged::Write(Value::text(wanted)),
                kept if kept == *now => Merged::KeepEdit,
                changed => Merged::Write(Value::Text(changed)),
            }
        }
        (Field::Std(Std::Description), Value::Text(now), Value::Text(wanted)) => {
            Merged::Write(Value::Text(splice(now, base.as_text().unwrap_or_default(), wanted)))
        }
        (Field::Std(Std::Description), Value::Null, wanted) => Merged::Write(wanted.clone()),
        _ => Merged::KeepEdit,
    }
}

/// Whether the booking alone says what stands in this field.
fn has_authority(settings: &BookingSettings, role: Role, field: &Field) -> bool {
    let of_meeting = is_meetings_own(settings, field);
    // Subject and description are merged word by word, mapped or not.
    let is_merged = matches!(field, Field::Std(Std::Subject | Std::Description));
    (of_meeting && role == Role::Meeting) || (!is_merged && mapped::has_authority(settings, role, field))
}

/// Whether the field tells when the meeting is and how it stands.
fn is_meetings_own(settings: &BookingSettings, field: &Field) -> bool {
    match field {
        Field::Std(field) => matches!(field, Std::Start | Std::End | Std::ShowAs),
        Field::Native(name) => settings.status_field.as_ref() == Some(name),
    }
}

/// Whether two values say the same. CRMs store their own line ends.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Text(a), Value::Text(b)) => newlines(a) == newlines(b),
        _ => a == b,
    }
}
