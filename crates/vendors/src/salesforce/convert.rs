//! Fields and values: ours ⇄ Salesforce's, both directions side by side, and the form in which both agree. Pure.

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use serde_json::{Map, Value as Json};
use syncline_connect::RoleSpec;
use syncline_core::{
    ids::{ObjectName, RecordId},
    record::{Field, Fields, Record, Role, Std, Value},
};

use super::{
    id,
    manifest::{CUSTOM, Holds, MANIFEST, holds, read_only},
    settings::Org,
    soql::ApiName,
};
use crate::texts::{cut, normal_decimal, one_line_break, tidy};

/// Salesforce's own words for whether time counts as busy, beside ours.
const SHOW_AS: &[(&str, &str)] = &[("busy", "Busy"), ("free", "Free")];

/// The length of a date-time as Salesforce writes it: `2026-05-06T11:56:44.000+0000`.
const DATE_TIME_CHARS: usize = 28;

/// The object and the fields of a role; of a further record only what every object has.
pub fn spec(role: Role) -> &'static RoleSpec {
    match role {
        Role::Custom => &CUSTOM,
        _ => MANIFEST.role(role).expect("the manifest has every other role; a test looks at each"),
    }
}

/// Salesforce's name of the object; `Err` says what is wrong with it.
pub fn object_name(role: Role, object: Option<&ObjectName>) -> Result<ApiName, &'static str> {
    match (role, object) {
        (Role::Custom, None) => Err("a further record needs the API name of its object"),
        (Role::Custom, Some(name)) => ApiName::parse(name.as_str()).ok_or("the name is not the API name of an object"),
        _ => Ok(ApiName::fixed(spec(role).object)),
    }
}

/// Salesforce's name of a field; `Err` names what is wrong with it.
pub fn api_name(org: &Org, role: Role, field: &Field) -> Result<ApiName, &'static str> {
    match field {
        Field::Std(Std::Key) if bears_key(role) => Ok(org.key_field.clone()),
        Field::Std(std) => match spec(role).field(*std) {
            Some(known) => Ok(ApiName::fixed(known.name)),
            None => Err("is not a field of this object"),
        },
        Field::Native(name) => ApiName::parse(name).ok_or("is not the API name of a field"),
    }
}

/// Whether records of the role are made by our key: an attendee has no field for it, and users are never written.
pub fn bears_key(role: Role) -> bool {
    !matches!(role, Role::User | Role::Attendee)
}

/// Our name of a field that Salesforce names.
pub fn field_named(org: &Org, role: Role, name: &str) -> Field {
    if bears_key(role) && name.eq_ignore_ascii_case(org.key_field.as_str()) {
        return Std::Key.into();
    }
    shared_field(role, name)
}

/// Our name of a field that is called so in every org.
pub fn shared_field(role: Role, name: &str) -> Field {
    let known = spec(role).fields.iter().find(|known| known.field != Std::Key && known.name.eq_ignore_ascii_case(name));
    known.map_or_else(|| Field::Native(name.to_owned()), |known| known.field.into())
}

/// Whether Salesforce alone sets the field.
pub fn is_read_only(role: Role, field: &Field) -> bool {
    matches!(field, Field::Std(std) if read_only(role, *std))
}

/// A value as it stands in a body; the value must be normal ([`normalise`]) and no reference to a slot.
pub fn to_json(field: &Field, value: &Value) -> Result<Json, &'static str> {
    Ok(match value {
        Value::Null => Json::Null,
        Value::Bool(value) => Json::Bool(*value),
        Value::Decimal(text) => Json::Number(serde_json::from_str(text).map_err(|_| "is not a number")?),
        Value::Text(text) if *field == Field::Std(Std::ShowAs) => Json::from(show_as_out(text)),
        Value::Text(text) => Json::from(text.as_str()),
        Value::Date(date) => Json::from(date.to_string()),
        Value::Time(time) => Json::from(time.to_string()),
        Value::Id(id) => Json::from(id.as_str()),
        Value::Slot(_) => return Err("refers to a record whose id is not known"),
    })
}

/// A value as it stands in a row; `None` where it is not of the field's kind.
pub fn from_json(field: &Field, json: &Json) -> Option<Value> {
    let held = match field {
        Field::Std(std) => Some(holds(*std)),
        Field::Native(_) => None,
    };
    let text = match (json, held) {
        (Json::Null, _) => return Some(Value::Null),
        (Json::Bool(value), None | Some(Holds::Bool)) => return Some(Value::Bool(*value)),
        (Json::Number(number), None | Some(Holds::Decimal)) => return number_text(number).map(Value::Decimal),
        (Json::String(text), _) => text,
        _ => return None,
    };
    match held {
        Some(Holds::Line | Holds::Email | Holds::Text) => Some(text_or_null(&one_line_break(text))),
        Some(Holds::ShowAs) => Some(text_or_null(show_as_in(text))),
        Some(Holds::Date) => text.parse::<Date>().ok().map(Value::Date),
        Some(Holds::Time) => read_time(text).map(Value::Time),
        Some(Holds::Reference) => id::canonical(text).map(Value::Id),
        Some(Holds::Bool | Holds::Decimal) => None,
        None => Some(native_text(text)),
    }
}

/// A row as a record with the wanted fields; `Err` says what is wrong with the row.
pub fn record(org: &Org, role: Role, fields: &[Field], row: &Map<String, Json>) -> Result<Record, &'static str> {
    let id = row.get("Id").and_then(Json::as_str).and_then(id::canonical).ok_or("a row has no sound id")?;
    let mut values = Fields::new();
    for field in fields {
        let name = api_name(org, role, field)?;
        // A field that the user may not see is left out of the row: absent is not nothing.
        if let Some(json) = row.get(name.as_str()) {
            match (from_json(field, json), field) {
                (Some(value), _) => drop(values.insert(field.clone(), value)),
                // A compound field of the org's own has no value that we could hold: unknown, not wrong.
                (None, Field::Native(_)) => {}
                (None, Field::Std(_)) => return Err("a row has a value of an unexpected kind"),
            }
        }
    }
    Ok(Record { role, id, fields: values })
}

/// When a row was made, which is what rows are ordered by.
pub fn created_at(row: &Map<String, Json>) -> Option<Timestamp> {
    row.get("CreatedDate").and_then(Json::as_str).and_then(read_time)
}

/// The value as Salesforce will hold it and give it back. Idempotent.
///
/// - Texts lose control characters and blanks at their ends and are cut to their field's length between graphemes, so
///   that no letter is torn from its accent; nothing is left of a blank text. E-mail addresses are never cut.
/// - `@{` is broken up: within a graph it would be taken for a reference to another record.
/// - Times lose what is below a second.
/// - On a field that only the org has, whose kind is not known here, dates and ids become the text that comes back.
pub fn normalise(role: Role, field: &Field, value: Value) -> Value {
    let known = match field {
        Field::Std(std) => Some((holds(*std), spec(role).field(*std).map_or(0, |known| known.max_chars))),
        Field::Native(_) => None,
    };
    match (value, known) {
        (Value::Text(text), Some((held, max_chars))) => normal_text(&text, held, max_chars),
        (value, Some((held @ (Holds::Line | Holds::Email | Holds::Text | Holds::ShowAs), max_chars))) => {
            match as_text(&value) {
                Some(text) => normal_text(&text, held, max_chars),
                None => value,
            }
        }
        (Value::Text(text), None) => native_text(&harmless(&tidy(&text, true))),
        (Value::Time(time), Some((Holds::Date, _))) => Value::Date(time.to_zoned(TimeZone::UTC).date()),
        (Value::Decimal(text), _) => normal_decimal(&text).map_or(Value::Decimal(text), Value::Decimal),
        (Value::Time(time), _) => Value::Time(whole_seconds(time)),
        (Value::Date(date), None) => Value::Text(date.to_string()),
        (Value::Id(id), None) => Value::Text(canonical_or_same(id).as_str().to_owned()),
        (Value::Id(id), Some(_)) => Value::Id(canonical_or_same(id)),
        (other, _) => other,
    }
}

/// What a text field holds after it was given another kind of value.
fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::Decimal(text) | Value::Text(text) => Some(text.clone()),
        Value::Date(date) => Some(date.to_string()),
        Value::Time(time) => Some(whole_seconds(*time).to_string()),
        Value::Id(id) => Some(id.as_str().to_owned()),
        Value::Null | Value::Bool(_) | Value::Slot(_) => None,
    }
}

fn normal_text(text: &str, held: Holds, max_chars: usize) -> Value {
    match held {
        Holds::Line => text_or_null(&cut(&harmless(&tidy(text, false)), max_chars)),
        Holds::Text => text_or_null(&cut(&harmless(&tidy(text, true)), max_chars)),
        Holds::Email => text_or_null(&harmless(&tidy(text, false)).to_lowercase()),
        Holds::ShowAs => text_or_null(show_as_in(tidy(text, false).as_str())),
        Holds::Reference => id::canonical(text.trim()).map_or_else(|| text_or_null(text), Value::Id),
        Holds::Decimal => normal_decimal(text).map_or_else(|| text_or_null(text), Value::Decimal),
        Holds::Date => text.trim().parse().map_or_else(|_| text_or_null(text), Value::Date),
        Holds::Time => {
            read_time(text.trim()).map_or_else(|| text_or_null(text), |time| Value::Time(whole_seconds(time)))
        }
        Holds::Bool => text_or_null(text),
    }
}

/// Text of a field whose kind is not known: what looks exactly like Salesforce's date-time is one.
fn native_text(text: &str) -> Value {
    let time = (text.len() == DATE_TIME_CHARS).then(|| read_time(text)).flatten();
    time.map_or_else(|| text_or_null(&one_line_break(text)), |time| Value::Time(whole_seconds(time)))
}

fn text_or_null(text: &str) -> Value {
    let text = text.trim();
    if text.is_empty() { Value::Null } else { Value::text(text) }
}

fn canonical_or_same(id: RecordId) -> RecordId {
    id::canonical(id.as_str()).unwrap_or(id)
}

fn whole_seconds(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

/// Reads RFC 3339 and Salesforce's own form, whose offset has no colon.
fn read_time(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

/// Breaks up what a graph would take for a reference.
fn harmless(text: &str) -> String {
    text.replace("@{", "@ {")
}

fn show_as_out(ours: &str) -> &str {
    SHOW_AS.iter().find(|(our, _)| *our == ours).map_or(ours, |(_, theirs)| theirs)
}

fn show_as_in(theirs: &str) -> &str {
    SHOW_AS.iter().find(|(_, their)| *their == theirs).map_or(theirs, |(ours, _)| ours)
}

/// A JSON number as decimal text, never with an exponent.
fn number_text(number: &serde_json::Number) -> Option<String> {
    normal_decimal(&number.to_string()).or_else(|| normal_decimal(&number.as_f64()?.to_string()))
}
