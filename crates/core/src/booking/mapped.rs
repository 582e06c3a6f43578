//! Mappings at work: lays what an admin mapped over the records that a booking becomes anyway, and adds the further
//! records. Runs after the projection, so that every record can be named; which value fits is [`super::mapping`]'s.

use super::{
    chain::{Standing, View},
    check::Descriptions,
    mapping::{MESSAGE, Mapped, Mapping, Present, RecordField, RecordTemplate, Target, When, Wish, apply},
    matching::address,
    people::Person,
    project::{Context, Desired, Note, Projection, own_key},
    scope::{Known, Surroundings, attendee, scope},
    settings::{BookingSettings, Deleted},
};
use crate::{
    description::ObjectDescription,
    expr::{Expression, Scope},
    ids::{ExternalKey, ObjectName, RecordId},
    record::{Field, Fields, Record, Role, Slot, Std, Value},
};

/// What mappings depend on beside the booking and the records.
#[derive(Clone, Copy)]
pub struct Outside<'a> {
    pub objects: &'a dyn Descriptions,
    /// Name of the connection that the booking came from.
    pub source: &'a str,
    /// The message that the booking's content comes from, as it came; nothing where it is not kept any more, or where
    /// [`names_message`] says that nobody asks for it.
    pub raw: Option<&'a str>,
}

/// Where nothing was described.
pub struct Undescribed;

impl Descriptions for Undescribed {
    fn of_role(&self, _: Role) -> Option<Option<&ObjectDescription>> {
        None
    }

    fn named(&self, _: &ObjectName) -> Option<Option<&ObjectDescription>> {
        None
    }
}

impl Outside<'static> {
    /// Nothing is known of anything outside the booking.
    pub const NOTHING: Self = Outside { objects: &Undescribed, source: "", raw: None };
}

/// Whether the settings map anything.
fn maps_something(settings: &BookingSettings) -> bool {
    !settings.mappings.is_empty() || !settings.records.is_empty()
}

/// The roles whose descriptions the mappings want to know, and the objects of further records.
pub fn described_by(settings: &BookingSettings) -> (Vec<Role>, Vec<ObjectName>) {
    let mut roles: Vec<Role> = settings.mappings.iter().flat_map(|mapping| mapping.on.roles()).copied().collect();
    roles.extend(
        expressions(settings).flat_map(|value| value.reads()).flat_map(|read| roles_named(&read.root)).copied(),
    );
    roles.sort_unstable();
    roles.dedup();
    (roles, settings.records.iter().map(|record| record.object.clone()).collect())
}

fn expressions(settings: &BookingSettings) -> impl Iterator<Item = &Expression> {
    let further = settings
        .records
        .iter()
        .flat_map(|record| record.when.iter().chain(record.fields.iter().map(|field| &field.value)));
    settings.mappings.iter().map(|mapping| &mapping.value).chain(further)
}

/// Whether a value asks for the message that the booking's content comes from.
pub fn names_message(settings: &BookingSettings) -> bool {
    expressions(settings).any(|value| value.names(MESSAGE))
}

/// The roles that a name of an expression may stand for.
pub(super) fn roles_named(root: &str) -> &'static [Role] {
    match root {
        "person" => &[Role::Contact, Role::Lead],
        "account" => &[Role::Account],
        "case" => &[Role::Case],
        "opportunity" => &[Role::Opportunity],
        "meeting" => &[Role::Meeting],
        _ => &[],
    }
}

/// The fields of a role that mappings compare or read, as far as the org has them.
pub(super) fn fields(role: Role, settings: &BookingSettings, objects: &dyn Descriptions) -> Vec<Field> {
    let there = |name: &str| match objects.of_role(role) {
        Some(Some(object)) => object.fields.contains_key(name),
        Some(None) => false,
        None => true,
    };
    let compared = settings.mappings.iter().filter(|mapping| mapping.on.roles().contains(&role));
    let compared = compared.filter(|mapping| mapping.when != When::Never && there(&mapping.name));
    let read = expressions(settings).flat_map(|value| value.reads());
    let read = read.filter(|read| roles_named(&read.root).contains(&role) && there(&read.field));
    compared.map(|mapping| mapping.field.clone()).chain(read.map(|read| Field::Native(read.field.clone()))).collect()
}

/// The fields of a further object whose present values tell whether a plan was applied.
pub fn fields_of(object: &ObjectName, settings: &BookingSettings, objects: &dyn Descriptions) -> Vec<Field> {
    let there = |name: &str| match objects.named(object) {
        Some(described) => described.is_some_and(|described| described.fields.contains_key(name)),
        None => true,
    };
    let templates = settings.records.iter().filter(|record| record.object == *object);
    let fields = templates.flat_map(|record| &record.fields).filter(|field| there(&field.name));
    fields.map(|field| Field::Native(field.name.clone())).collect()
}

/// Whether the present values of a record in this slot matter to a mapping.
pub(super) fn reads(settings: &BookingSettings, slot: Slot, role: Role) -> bool {
    let fills = |mapping: &Mapping| {
        mapping.when == When::IfEmpty && target(slot, role).is_some_and(|target| mapping.on == target)
    };
    let is_guest = matches!(slot, Slot::Guest(_) | Slot::GuestAccount(_));
    settings.mappings.iter().any(fills)
        || (!is_guest
            && expressions(settings)
                .flat_map(|value| value.reads())
                .any(|read| roles_named(&read.root).contains(&role)))
}

/// Whether what stands in the invitee's account matters. Which one it is may only be known once the person is found.
pub fn reads_account(settings: &BookingSettings) -> bool {
    reads(settings, Slot::Account, Role::Account)
}

/// Whether the invitee's account that is there already is read or written.
pub(super) fn uses_account(settings: &BookingSettings) -> bool {
    let writes = |mapping: &Mapping| mapping.on == Target::Account && mapping.when == When::Always;
    reads_account(settings) || settings.mappings.iter().any(writes)
}

/// Whether a mapping needs to know what stands in a record.
pub(super) fn reads_something(settings: &BookingSettings) -> bool {
    settings.mappings.iter().any(|mapping| mapping.when == When::IfEmpty)
        || expressions(settings).flat_map(|value| value.reads()).any(|read| !roles_named(&read.root).is_empty())
}

/// The booking's further records whose present values tell whether a field is still empty. What we filled ourselves is
/// not.
pub(super) fn further_to_read<'a>(cx: &Context<'a>) -> impl Iterator<Item = (&'a ObjectName, &'a ExternalKey)> {
    let (links, facts) = (cx.links, cx.facts);
    cx.settings.records.iter().filter_map(move |record| {
        let link = links.get(&record.slot()).filter(|link| !link.doubt && facts.record(&link.id).is_none())?;
        let is_filled = |field: &RecordField| {
            link.image.get(&Field::Native(field.name.clone())).is_some_and(|value| *value != Value::Null)
        };
        let asks = record.fields.iter().any(|field| field.when == When::IfEmpty && !is_filled(field));
        link.key.as_ref().filter(|_| asks).map(|key| (&record.object, key))
    })
}

/// Whether a mapping alone says what stands in the field.
pub(super) fn has_authority(settings: &BookingSettings, role: Role, field: &Field) -> bool {
    role == Role::Custom
        || settings.mappings.iter().any(|mapping| {
            mapping.when == When::Always && mapping.field == *field && mapping.on.roles().contains(&role)
        })
}

/// The object of the further record in this slot.
pub(super) fn object_of(settings: &BookingSettings, slot: Slot) -> Option<ObjectName> {
    settings.records.iter().find(|record| record.slot() == slot).map(|record| record.object.clone())
}

fn target(slot: Slot, role: Role) -> Option<Target> {
    Some(match (slot, role) {
        (Slot::Account | Slot::GuestAccount(_), _) => Target::Account,
        (Slot::Person, Role::Contact) => Target::Contact,
        (Slot::Person, Role::Lead) => Target::Lead,
        (Slot::Guest(_), _) => Target::Guest,
        (Slot::Case, _) => Target::Case,
        (Slot::Opportunity, _) => Target::Opportunity,
        (Slot::Meeting, _) => Target::Meeting,
        _ => return None,
    })
}

/// Lays the mappings over the projection.
pub(super) fn write(
    cx: &Context<'_>,
    view: &View<'_>,
    owner: Option<&RecordId>,
    person: Option<&Person>,
    out: &mut Projection,
) {
    if !maps_something(cx.settings) {
        return;
    }
    let scope = scope_of(cx, view, owner, person, out);
    for desired in &mut out.desired {
        let Some(target) = target(desired.slot, desired.role) else { continue };
        let mut wishes = cx.settings.mappings.iter().filter(|mapping| mapping.on == target).peekable();
        if wishes.peek().is_none() {
            continue;
        }
        let of_guest = (target == Target::Guest).then(|| with_guest(&scope, view, desired));
        let object = cx.outside.objects.of_role(desired.role).flatten();
        let image = image(cx, desired);
        let present = match &desired.existing {
            None => Present::New,
            Some(id) => Present::There { now: cx.facts.record(id).map(|record| &record.fields), image: &image },
        };
        let scope = of_guest.as_ref().unwrap_or(&scope);
        let mapped = apply(wishes.map(Wish::from), scope, object, target.as_str(), present);
        lay_over(cx, desired, mapped, target.as_str(), &mut out.notes);
    }
    if out.desired.iter().any(|desired| desired.slot == Slot::Meeting) && view.standing != Standing::FormOnly {
        for template in &cx.settings.records {
            out.desired.extend(further(cx, template, &scope, &mut out.notes));
        }
    }
}

fn image(cx: &Context<'_>, desired: &Desired) -> Fields {
    let link = cx.links.get(&desired.slot).filter(|link| desired.existing.as_ref() == Some(&link.id));
    link.map(|link| link.image.clone()).unwrap_or_default()
}

/// Whether an admin says what stands in this field of a record of the booking.
pub(super) fn is_mapped(settings: &BookingSettings, slot: Slot, role: Role, field: &Field) -> bool {
    let further = settings.records.iter().filter(|record| record.slot() == slot);
    let target = target(slot, role);
    further.flat_map(|record| &record.fields).any(|own| Field::Native(own.name.clone()) == *field)
        || settings.mappings.iter().any(|mapping| Some(mapping.on) == target && mapping.field == *field)
}

fn lay_over(cx: &Context<'_>, desired: &mut Desired, mapped: Mapped, what: &str, notes: &mut Vec<Note>) {
    notes.extend(mapped.notes);
    for (field, value) in mapped.fields {
        if let Some(reason) = cx.refused.fields.get(&(desired.slot, field.clone())) {
            // Of several guests, which one.
            let email = desired.remember.get(&Std::Email.into()).and_then(Value::as_text);
            let whom =
                email.filter(|_| desired.slot != Slot::Person).map(|email| format!(" {email}")).unwrap_or_default();
            let text = format!(
                "the field {field} of the {what}{whom} was left out: {reason}; correct the mapping, or what the CRM allows"
            );
            notes.push(Note::new("field_dropped", text));
            continue;
        }
        // A record can only name those that are made before it, and what could not be written with it is not written
        // by chance the next time.
        let named = match &value {
            Value::Slot(slot) => Some(*slot),
            Value::Id(id) => cx.links.iter().find(|(_, link)| link.id == *id).map(|(slot, _)| *slot),
            _ => None,
        };
        if let Some(slot) = named.filter(|slot| *slot >= desired.slot) {
            notes.push(Note::new(
                "field_dropped",
                format!(
                    "the field {field} of the {what} was left out: the {slot} is made after it; map the other way round, or use a further record"
                ),
            ));
            continue;
        }
        if desired.existing.is_none() && !desired.keep.contains_key(&field) {
            desired.on_create.insert(field, value);
        } else {
            desired.keep.insert(field, value);
        }
    }
}

/// A further record of this booking.
fn further(cx: &Context<'_>, template: &RecordTemplate, scope: &Scope, notes: &mut Vec<Note>) -> Option<Desired> {
    let slot = template.slot();
    let link = cx.links.get(&slot);
    let existing = match link {
        // What was refused as gone is made again under its key, or stays away.
        Some(link) if link.doubt => match cx.settings.deleted {
            Deleted::Recreate => None,
            Deleted::Leave => return None,
        },
        other => other.map(|link| link.id.clone()),
    };
    // What was made once is kept in step, whatever its condition says later.
    if existing.is_none() && !template.applies(scope, notes) {
        return None;
    }
    let object = match cx.outside.objects.named(&template.object) {
        Some(None) => {
            notes.push(Note::new(
                "record_left_out",
                format!(
                    "the record `{}` was left out: the CRM has no object {}, or Syncline's user may not see it",
                    template.name, template.object
                ),
            ));
            return None;
        }
        described => described.flatten(),
    };
    let mut desired = Desired {
        slot,
        role: Role::Custom,
        existing,
        key: own_key(cx, slot),
        shared: None,
        on_create: Fields::new(),
        keep: Fields::new(),
        remember: Fields::new(),
    };
    let image = image(cx, &desired);
    let present = match &desired.existing {
        None => Present::New,
        // Further records are the booking's own; they are looked up only where a field is filled if it is empty.
        Some(id) => Present::There { now: cx.facts.record(id).map(|record| &record.fields), image: &image },
    };
    let mapped = apply(template.fields.iter().map(Wish::from), scope, object, &template.name, present);
    lay_over(cx, &mut desired, mapped, &template.name, notes);
    Some(desired)
}

fn scope_of(
    cx: &Context<'_>,
    view: &View<'_>,
    owner: Option<&RecordId>,
    person: Option<&Person>,
    out: &Projection,
) -> Scope {
    fn record<'a>(cx: &Context<'a>, value: &Value) -> Option<&'a Record> {
        match value {
            Value::Id(id) => cx.facts.record(id),
            _ => None,
        }
    }
    let in_slot = |slot: Slot| {
        let desired = out.desired.iter().find(|desired| desired.slot == slot);
        let (role, value) = match desired {
            Some(desired) => (desired.role, desired.existing.clone().map_or(Value::Slot(slot), Value::Id)),
            None => cx.links.get(&slot).map(|link| (link.role, Value::Id(link.id.clone())))?,
        };
        Known::of(role, &value, record(cx, &value))
    };
    let around = Surroundings {
        chain: Some(cx.chain),
        source: Some(cx.outside.source),
        raw: cx.outside.raw,
        language: Some(cx.settings.language),
        owner,
        person: person.and_then(|person| Known::of(person.role, &person.value, record(cx, &person.value))),
        account: person
            .and_then(|person| person.account.as_ref())
            .and_then(|account| Known::of(Role::Account, account, record(cx, account))),
        case: in_slot(Slot::Case),
        opportunity: in_slot(Slot::Opportunity),
        meeting: in_slot(Slot::Meeting),
    };
    scope(view, &around)
}

/// The scope of a guest's own record.
fn with_guest(scope: &Scope, view: &View<'_>, desired: &Desired) -> Scope {
    let email = desired.remember.get(&Std::Email.into()).and_then(Value::as_text).unwrap_or_default();
    let seats = view.other_seats.iter();
    let all = view.content.guests.iter().chain(seats.clone().map(|seat| &seat.invitee));
    let mut all = all.chain(seats.flat_map(|seat| &seat.guests));
    let mut scope = scope.clone();
    if let Some(guest) = all.find(|guest| address(&guest.email).as_deref() == Some(email)) {
        scope.set("guest", attendee(guest));
    }
    scope
}
