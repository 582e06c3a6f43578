//! Fields and values of bookings' records: ours ⇄ HubSpot's, and the form in which both agree. Every value travels as
//! text. Pure.

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use syncline_connect::RoleSpec;
use syncline_core::{
    ids::{ObjectName, RecordId},
    record::{Field, Fields, Record, Role, Std, Value},
};

use super::id;
use crate::markup;
use crate::{
    hubspot::{
        convert::is_id,
        manifest::MANIFEST,
        roles::{ASSOCIATION, CUSTOM, Holds, TEXT_CHARS_MAX, TIMESTAMP, holds, read_only, refers_to},
        settings::is_name,
        wire::Row,
    },
    texts::{cut, normal_decimal, tidy},
};

/// The shortest and the longest text that is taken for a moment: `2026-05-06T11:56:44Z`, with fractions of a second.
const MOMENT_CHARS: std::ops::RangeInclusive<usize> = 20..=30;

/// What a name of an object may have: letters, digits, dashes and underscores (`2-3453932`, `p1_pets`).
const OBJECT_CHARS_MAX: usize = 100;

/// What is known of the object that plays a role; `None` where HubSpot has none.
pub fn spec(role: Role) -> Option<&'static RoleSpec> {
    if role == Role::Custom { Some(&CUSTOM) } else { MANIFEST.role(role) }
}

/// The object's name for the API; `Err` says what is wrong with it.
pub fn object_name(role: Role, object: Option<&ObjectName>) -> Result<&str, &'static str> {
    match (role, object) {
        (Role::Custom, None) => Err("a further record needs the name of its object"),
        (Role::Custom, Some(name)) if is_object(name.as_str()) => Ok(name.as_str()),
        (Role::Custom, Some(_)) => Err("the name is not the name of an object"),
        _ => spec(role).map(|spec| spec.object).ok_or("HubSpot has no object for it"),
    }
}

fn is_object(name: &str) -> bool {
    (1..=OBJECT_CHARS_MAX).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

/// Where a value goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place<'a> {
    Property(&'a str),
    /// The other record is associated; its object, as the API names it.
    Association(&'a str),
}

/// Where a field is written; `Err` says what is wrong with it.
pub fn place<'a>(key: &'a str, role: Role, field: &'a Field) -> Result<Place<'a>, &'static str> {
    match field {
        Field::Std(Std::Key) if role != Role::User => Ok(Place::Property(key)),
        Field::Std(std) => match (refers_to(role, *std), spec(role).and_then(|spec| spec.field(*std))) {
            (Some(object), _) => Ok(Place::Association(object)),
            (None, Some(known)) => Ok(Place::Property(known.name)),
            (None, None) => Err("is not a field of this object"),
        },
        Field::Native(name) => match name.strip_prefix(ASSOCIATION) {
            Some(object) if is_object(object) => Ok(Place::Association(object)),
            None if is_name(name) => Ok(Place::Property(name)),
            _ => Err("has a name that no property has"),
        },
    }
}

/// The property that tells a field's value; `None` where none does.
pub fn property<'a>(key: &'a str, role: Role, field: &'a Field) -> Option<&'a str> {
    let tells_row = matches!(field, Field::Std(Std::Deleted));
    let name = match field {
        Field::Std(Std::Key) => key,
        Field::Std(std) => spec(role)?.field(*std)?.name,
        Field::Native(name) => name,
    };
    (!tells_row && is_name(name)).then_some(name)
}

/// Our name of a property that HubSpot names.
pub fn shared_field(role: Role, name: &str) -> Field {
    let known = spec(role).and_then(|spec| {
        spec.fields.iter().find(|known| known.field != Std::Key && known.name.eq_ignore_ascii_case(name))
    });
    known.map_or_else(|| Field::Native(name.to_owned()), |known| known.field.into())
}

/// Whether HubSpot alone sets the field.
pub fn is_read_only(role: Role, field: &Field) -> bool {
    matches!(field, Field::Std(std) if read_only(role, *std))
}

/// What a field holds, where that is known.
fn held(role: Role, field: &Field) -> Option<Holds> {
    match field {
        Field::Std(std) => Some(holds(role, *std)),
        Field::Native(name) if name.starts_with(ASSOCIATION) => Some(Holds::Tie),
        Field::Native(_) => None,
    }
}

/// A normal value as it stands in a body; an empty text clears. `Err` says why it cannot stand there.
pub fn to_property(role: Role, field: &Field, value: &Value) -> Result<String, &'static str> {
    Ok(match value {
        Value::Null => String::new(),
        Value::Bool(value) => value.to_string(),
        Value::Text(text) if held(role, field) == Some(Holds::Html) => markup::from_text(text),
        Value::Decimal(text) | Value::Text(text) => text.clone(),
        Value::Date(date) if held(role, field) == Some(Holds::Day) => format!("{date}T00:00:00Z"),
        Value::Date(date) => date.to_string(),
        Value::Time(time) => time.to_string(),
        Value::Id(id) => id::number(id).map_or_else(|| id.as_str().to_owned(), str::to_owned),
        Value::Slot(_) => return Err("refers to a record whose id is not known"),
    })
}

/// A value as it stands in a row; `None` where it is not of the field's kind.
fn from_property(role: Role, field: &Field, text: Option<&str>) -> Option<Value> {
    let Some(text) = text.filter(|text| !text.trim().is_empty()) else { return Some(Value::Null) };
    Some(match held(role, field) {
        None => native_text(text),
        Some(Holds::Html) => text_or_null(&markup::to_text(text)),
        Some(Holds::Line | Holds::Email | Holds::Text) => Value::text(text.trim()),
        Some(Holds::Bool) => Value::Bool(text.parse().ok()?),
        Some(Holds::Decimal) => Value::Decimal(normal_decimal(text)?),
        Some(Holds::Day) => Value::Date(day(text)?),
        Some(Holds::Time) => Value::Time(text.parse().ok()?),
        Some(Holds::Owner) => Value::Id(is_id(text).then(|| id::of_owner(text))?),
        Some(Holds::Number(role)) => Value::Id(is_id(text).then(|| spec(role).map(|spec| id::of(spec.object, text)))??),
        Some(Holds::Tie) => return None,
    })
}

fn day(text: &str) -> Option<Date> {
    let of_moment = || Some(text.parse::<Timestamp>().ok()?.to_zoned(TimeZone::UTC).date());
    of_moment().or_else(|| text.parse().ok())
}

/// Text of a property whose kind is not known: what looks exactly like a moment is one.
fn native_text(text: &str) -> Value {
    let looks = MOMENT_CHARS.contains(&text.len()) && text.ends_with('Z') && text.contains('T');
    let moment = looks.then(|| text.parse::<Timestamp>().ok()).flatten();
    moment.map_or_else(|| text_or_null(text), Value::Time)
}

/// The properties to ask for, so that these fields can be told.
pub fn properties(key: &str, role: Role, fields: &[Field]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for name in fields.iter().filter_map(|field| property(key, role, field)) {
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    if starts(role, fields) && !names.iter().any(|known| known == TIMESTAMP) {
        names.push(TIMESTAMP.to_owned());
    }
    names
}

/// Whether a meeting's start is wanted.
fn starts(role: Role, fields: &[Field]) -> bool {
    role == Role::Meeting && fields.contains(&Std::Start.into())
}

/// When a meeting begins that has no start of its own: an activity always has a moment.
fn moment(role: Role, field: &Field, row: &Row) -> Option<Value> {
    if !starts(role, std::slice::from_ref(field)) {
        return None;
    }
    from_property(role, field, row.properties.get(TIMESTAMP)?.as_deref())
}

/// A row as a record with the wanted fields; what it was merged into, or whether it is deleted, the row alone does not
/// tell.
pub fn record(key: &str, role: Role, object: &str, fields: &[Field], row: &Row) -> Result<Record, &'static str> {
    if !is_id(&row.id) {
        return Err("a row has no sound id");
    }
    let mut values = Fields::new();
    for field in fields {
        // A property that the app may not see is left out of the row: absent is not nothing.
        let Some(text) = property(key, role, field).and_then(|name| row.properties.get(name)) else { continue };
        let value = match from_property(role, field, text.as_deref()) {
            Some(Value::Null) => Some(moment(role, field, row).unwrap_or(Value::Null)),
            value => value,
        };
        match (value, field) {
            (Some(value), _) => drop(values.insert(field.clone(), value)),
            (None, Field::Std(Std::MergedInto)) | (None, Field::Native(_)) => {}
            (None, Field::Std(_)) => return Err("a row has a value of an unexpected kind"),
        }
    }
    Ok(Record { role, id: id::of(object, &row.id), fields: values })
}

/// The value as HubSpot will hold it and give it back; nothing where it has no such field. Idempotent.
pub fn normalise(role: Role, field: &Field, value: Value) -> Value {
    if let Field::Std(std) = field
        && *std != Std::Key
        && spec(role).and_then(|spec| spec.field(*std)).is_none()
    {
        return Value::Null;
    }
    match (value, held(role, field)) {
        (Value::Null, _) => Value::Null,
        (Value::Slot(slot), _) => Value::Slot(slot),
        (value, None) => native(value),
        (value, Some(holds @ (Holds::Line | Holds::Email | Holds::Text | Holds::Html))) => match plain(&value) {
            Some(text) => normal_text(&text, holds),
            None => value,
        },
        (Value::Time(time), Some(Holds::Day)) => Value::Date(time.to_zoned(TimeZone::UTC).date()),
        (Value::Time(time), _) => Value::Time(milliseconds(time)),
        (Value::Text(text), Some(holds)) => typed(&text, holds).unwrap_or_else(|| text_or_null(&text)),
        (Value::Decimal(text), Some(Holds::Decimal)) => {
            normal_decimal(&text).map_or(Value::Decimal(text), Value::Decimal)
        }
        (Value::Decimal(text), Some(holds)) => typed(&text, holds).unwrap_or(Value::Decimal(text)),
        (Value::Id(id), Some(_)) => Value::Id(id::identify(id.as_str()).map_or(id, |(_, id)| id)),
        (other, Some(_)) => other,
    }
}

/// A value of a property whose kind is not known becomes the text that comes back.
fn native(value: Value) -> Value {
    match value {
        Value::Text(text) => native_text(&cut(&tidy(&text, true), TEXT_CHARS_MAX)),
        Value::Decimal(text) => text_or_null(&normal_decimal(&text).unwrap_or(text)),
        Value::Bool(value) => Value::text(value.to_string()),
        Value::Date(date) => Value::text(date.to_string()),
        Value::Time(time) => Value::Time(milliseconds(time)),
        Value::Id(id) => Value::text(id::number(&id).unwrap_or(id.as_str())),
        other @ (Value::Null | Value::Slot(_)) => other,
    }
}

/// What a text field holds after it was given another kind of value.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::Decimal(text) | Value::Text(text) => Some(text.clone()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Date(date) => Some(date.to_string()),
        Value::Time(time) => Some(time.to_string()),
        Value::Id(id) => Some(id.as_str().to_owned()),
        Value::Null | Value::Slot(_) => None,
    }
}

fn normal_text(text: &str, holds: Holds) -> Value {
    match holds {
        Holds::Email => text_or_null(&tidy(text, false).to_lowercase()),
        Holds::Text => text_or_null(&cut(&tidy(text, true), TEXT_CHARS_MAX)),
        Holds::Html => {
            let fitting = markup::fitting(&tidy(text, true), TEXT_CHARS_MAX);
            text_or_null(&markup::to_text(&markup::from_text(&fitting)))
        }
        _ => text_or_null(&cut(&tidy(text, false), TEXT_CHARS_MAX)),
    }
}

/// A text as the kind that the field holds; `None` where it is not of that kind.
fn typed(text: &str, holds: Holds) -> Option<Value> {
    let text = text.trim();
    match holds {
        Holds::Bool => text.parse().ok().map(Value::Bool),
        Holds::Decimal => normal_decimal(text).map(Value::Decimal),
        Holds::Day => day(text).map(Value::Date),
        Holds::Time => text.parse().ok().map(|time| Value::Time(milliseconds(time))),
        Holds::Owner if is_id(text) => Some(Value::Id(id::of_owner(text))),
        Holds::Number(role) if is_id(text) => Some(Value::Id(id::of(spec(role)?.object, text))),
        Holds::Owner | Holds::Number(_) | Holds::Tie => id::identify(text).map(|(_, id)| Value::Id(id)),
        Holds::Line | Holds::Email | Holds::Text | Holds::Html => None,
    }
}

fn text_or_null(text: &str) -> Value {
    let text = text.trim();
    if text.is_empty() { Value::Null } else { Value::text(text) }
}

fn milliseconds(time: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(time.as_millisecond()).unwrap_or(time)
}

/// The record that a value refers to.
pub fn referred(value: &Value) -> Option<RecordId> {
    match value {
        Value::Id(id) => Some(id.clone()),
        Value::Text(text) => id::identify(text).map(|(_, id)| id),
        _ => None,
    }
}
