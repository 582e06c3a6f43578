//! What an admin maps into fields: which value goes where and when, turned into what the field can hold. Whatever does
//! not fit drops its own field and nothing else, with a note that names field, reason and fix. The conversion itself is
//! [`crate::fit`]'s, the check on save [`super::check`]'s.

use jiff::tz::TimeZone;

use super::{project::Note, text::zone};
use crate::{
    description::ObjectDescription,
    expr::{Datum, Expression, Scope},
    fit::{Fitted, Misfit, fit},
    ids::ObjectName,
    record::{Field, Fields, Role, Slot, Value},
};

/// Most mappings of one meeting type, and most further records: a booking must stay one call.
pub const MAPPINGS_MAX: usize = 200;
pub const RECORDS_MAX: usize = 20;

/// Most different objects of further records. A CRM may take only 15 different kinds of writes in a call, and a booking's own
/// records are up to ten of them.
pub const OBJECTS_MAX: usize = 5;

/// The name of the message itself, which is not kept for as long as the booking is.
pub(super) const MESSAGE: &str = "booking.raw";

/// One field with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    pub on: Target,
    /// As the CRM spells it.
    pub name: String,
    /// The same as the projection knows it, so that a standard field that is mapped is not written twice.
    pub field: Field,
    pub value: Expression,
    pub when: When,
}

/// Which record of a booking a mapping is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Target {
    Account,
    Contact,
    Lead,
    /// The contact or lead of a guest.
    Guest,
    Case,
    Opportunity,
    Meeting,
}

/// Whether a record that exists already is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Only when the record is made.
    Never,
    /// Where the field is empty.
    IfEmpty,
    /// Whatever stands there.
    Always,
}

/// A further record of every booking, of any object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordTemplate {
    /// What tells it apart from the others; the record stays the same for as long as this name does.
    pub name: String,
    pub object: ObjectName,
    /// Whether a booking gets one; every booking does where there is no condition.
    pub when: Option<Expression>,
    pub fields: Vec<RecordField>,
}

/// A field of a further record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordField {
    pub name: String,
    pub value: Expression,
    pub when: When,
}

/// The record as far as it is known.
#[derive(Clone, Copy, Debug)]
pub enum Present<'a> {
    /// To be made.
    New,
    /// There already. `now` is what it holds, `None` where it was not looked up; `image` what we last wrote.
    There { now: Option<&'a Fields>, image: &'a Fields },
}

/// What is to be written, and what could not be.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Mapped {
    pub fields: Fields,
    pub notes: Vec<Note>,
}

impl Target {
    pub const ALL: [Target; 7] = [
        Target::Account,
        Target::Contact,
        Target::Lead,
        Target::Guest,
        Target::Case,
        Target::Opportunity,
        Target::Meeting,
    ];

    /// The word in the configuration and in notes.
    pub fn as_str(self) -> &'static str {
        match self {
            Target::Account => "account",
            Target::Contact => "contact",
            Target::Lead => "lead",
            Target::Guest => "guest",
            Target::Case => "case",
            Target::Opportunity => "opportunity",
            Target::Meeting => "meeting",
        }
    }

    /// The target of this name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|target| target.as_str() == text)
    }

    /// The roles whose objects have the field.
    pub fn roles(self) -> &'static [Role] {
        match self {
            Target::Account => &[Role::Account],
            Target::Contact => &[Role::Contact],
            Target::Lead => &[Role::Lead],
            Target::Guest => &[Role::Contact, Role::Lead],
            Target::Case => &[Role::Case],
            Target::Opportunity => &[Role::Opportunity],
            Target::Meeting => &[Role::Meeting],
        }
    }

    /// What holds where an admin does not say: people and accounts belong to the CRM, the rest to the booking.
    pub fn default_when(self) -> When {
        match self {
            Target::Account | Target::Contact | Target::Lead | Target::Guest => When::IfEmpty,
            Target::Case | Target::Opportunity | Target::Meeting => When::Always,
        }
    }
}

impl When {
    /// The word in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            When::Never => "never",
            When::IfEmpty => "if_empty",
            When::Always => "always",
        }
    }
}

impl RecordTemplate {
    /// The place of its record. Made from the name, so that it stays the same whichever other templates come and go.
    pub fn slot(&self) -> Slot {
        Slot::Record(crate::ids::short_digest(&["record", &self.name]))
    }

    /// Whether this booking gets one; a condition that cannot be worked out says no, with a note.
    pub fn applies(&self, scope: &Scope, notes: &mut Vec<Note>) -> bool {
        match self.when.as_ref().map_or(Ok(true), |when| when.holds(scope)) {
            Ok(applies) => applies,
            Err(error) => {
                notes.push(Note::new(
                    "record_left_out",
                    format!("the record `{}` was left out: its condition says: {error}", self.name),
                ));
                false
            }
        }
    }
}

/// One field as [`apply`] takes it, from a mapping or from a further record.
#[derive(Clone, Debug)]
pub struct Wish<'a> {
    pub name: &'a str,
    pub field: Field,
    pub value: &'a Expression,
    pub when: When,
}

impl<'a> From<&'a Mapping> for Wish<'a> {
    fn from(mapping: &'a Mapping) -> Self {
        Self { name: &mapping.name, field: mapping.field.clone(), value: &mapping.value, when: mapping.when }
    }
}

impl<'a> From<&'a RecordField> for Wish<'a> {
    fn from(field: &'a RecordField) -> Self {
        Self { name: &field.name, field: Field::Native(field.name.clone()), value: &field.value, when: field.when }
    }
}

/// Works out what to write. Without a description every value is written in its own kind.
pub fn apply<'a>(
    wishes: impl IntoIterator<Item = Wish<'a>>,
    scope: &Scope,
    object: Option<&ObjectDescription>,
    what: &str,
    present: Present<'_>,
) -> Mapped {
    let zone = host_zone(scope);
    let has_message = has_message(scope);
    let mut out = Mapped::default();
    for wish in wishes {
        if !is_due(&wish, present) {
            continue;
        }
        let mut drop = |reason: &str, fix: &str| {
            out.notes.push(Note::new(
                "field_dropped",
                format!("the field {} of the {what} was left out: {reason}; {fix}", wish.name),
            ));
        };
        // What stands there is no less true for being kept here no longer.
        if !has_message && wish.value.names(MESSAGE) {
            drop(
                "the message that the booking came with is no longer kept",
                "keep messages for longer (keep_bodies_days)",
            );
            continue;
        }
        let value = match wish.value.evaluate(scope) {
            Ok(value) => value,
            Err(error) => {
                drop(&error.to_string(), "change the value in the mapping");
                continue;
            }
        };
        let fitted = match object {
            None => fit_unknown(&value),
            Some(object) => match writable(object, wish.name, present) {
                Ok(field) => fit(&value, field, &zone),
                Err(misfit) => Err(misfit),
            },
        };
        let fitted = match fitted {
            Ok(fitted) => fitted,
            Err(misfit) => {
                drop(&misfit.reason, &misfit.fix);
                continue;
            }
        };
        if fitted.cut {
            out.notes.push(Note::new(
                "field_cut",
                format!("the field {} of the {what} was cut to the length that it can hold", wish.name),
            ));
        }
        if let Some(value) = due_value(fitted.value, &wish, present) {
            out.fields.insert(wish.field, value);
        }
    }
    out
}

fn is_due(wish: &Wish<'_>, present: Present<'_>) -> bool {
    match (wish.when, present) {
        (_, Present::New) | (When::Always, _) => true,
        (When::Never, Present::There { .. }) => false,
        // A field that was not read, or that we may not see, may hold something.
        (When::IfEmpty, Present::There { now, .. }) => match now.and_then(|now| now.get(&wish.field)) {
            Some(Value::Null) => true,
            Some(Value::Text(text)) => text.trim().is_empty(),
            Some(_) | None => false,
        },
    }
}

/// Nothing is written where there is nothing to write, save over what we wrote ourselves.
fn due_value(value: Value, wish: &Wish<'_>, present: Present<'_>) -> Option<Value> {
    if value != Value::Null {
        return Some(value);
    }
    match present {
        Present::There { image, .. } if wish.when == When::Always => {
            image.get(&wish.field).filter(|last| **last != Value::Null).map(|_| Value::Null)
        }
        Present::New | Present::There { .. } => None,
    }
}

/// The field's description, where it can be written.
fn writable<'a>(
    object: &'a ObjectDescription,
    name: &str,
    present: Present<'_>,
) -> Result<&'a crate::description::FieldDescription, Misfit> {
    let Some(field) = object.fields.get(name) else {
        return Err(missing(object, name));
    };
    let allowed = match present {
        Present::New => field.createable,
        Present::There { .. } => field.updateable,
    };
    if allowed {
        return Ok(field);
    }
    let act = if matches!(present, Present::New) { "set" } else { "changed" };
    Err(Misfit::new(
        format!("it cannot be {act} by the user that Syncline works as"),
        "allow it in the CRM's field permissions, or take it out of the mapping",
    ))
}

/// The field is not there, though perhaps one that is spelled alike.
pub(super) fn missing(object: &ObjectDescription, name: &str) -> Misfit {
    let alike = object.fields.keys().find(|known| known.eq_ignore_ascii_case(name));
    let fix = match alike {
        Some(known) => format!("it is spelled {known}"),
        None => "create it in the CRM, let Syncline's user see it, or take it out of the mapping".to_owned(),
    };
    Misfit::new(format!("{} has no such field", object.name), fix)
}

/// A value in its own kind.
fn fit_unknown(value: &Datum) -> Result<Fitted, Misfit> {
    use crate::expr::Reference;
    let value = match value {
        Datum::Null => Value::Null,
        Datum::Bool(value) => Value::Bool(*value),
        Datum::Number(number) => Value::Decimal(number.to_string()),
        Datum::Date(date) => Value::Date(*date),
        Datum::Time(time) => Value::Time(*time),
        Datum::Record(Reference::Id(id)) => Value::Id(id.clone()),
        Datum::Record(Reference::Slot(slot)) => Value::Slot(*slot),
        other => crate::fit::text_of(other).map_or(Value::Null, Value::Text),
    };
    Ok(Fitted { value, cut: false })
}

fn has_message(scope: &Scope) -> bool {
    matches!(scope.get("booking"), Datum::Map(booking) if booking.get("raw").is_some_and(|raw| *raw != Datum::Null))
}

/// The organiser's zone, in which days are counted.
pub(super) fn host_zone(scope: &Scope) -> TimeZone {
    match scope.get("host") {
        Datum::Map(host) => match host.get("time_zone") {
            Some(Datum::Text(name)) => zone(Some(name)),
            _ => TimeZone::UTC,
        },
        _ => TimeZone::UTC,
    }
}
