//! From a request's JSON to typed values: types, lengths, formats, picklists, references. One field at a time.

use serde_json::{Map, Value};

use crate::salesforce::{
    error::{ApiError, Outcome},
    id::Id,
    schema::{FieldDef, FieldNo, Kind, ObjectDef},
    time,
    world::{Val, World},
};

/// A new value, or `None` to clear the field.
pub type Change = (FieldNo, Option<Val>);

/// Whether a record is made or changed; fields may allow one and not the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    Create,
    Update,
    /// By the sandbox's own door, where read-only fields may be set too.
    Seed,
}

/// The record id every object accepts as its record type.
const MASTER_RECORD_TYPE: &str = "012000000000000AAA";

/// Everything a body sets, converted; `attributes` and the id are left out.
pub fn changes(world: &World, object: usize, body: &Map<String, Value>, op: Op) -> Outcome<Vec<Change>> {
    let def = world.schema.def(object);
    let mut out: Vec<Change> = Vec::with_capacity(body.len() + 8);
    let mut locked: Vec<&str> = Vec::new();
    for (name, value) in body {
        if name == "attributes" || name.eq_ignore_ascii_case("id") {
            continue;
        }
        let Some(no) = def.field_no(name) else {
            if let Some(no) = def.relationship(name) {
                out.push((no, foreign_key(world, def, no, value)?));
                continue;
            }
            let message = format!("No such column '{name}' on sobject of type {}", def.name);
            return Err(ApiError::request("INVALID_FIELD", message));
        };
        let field = def.field(no);
        let allowed = match op {
            Op::Create => field.createable,
            Op::Update => field.updateable,
            Op::Seed => !matches!(field.kind, Kind::Id | Kind::Compound),
        };
        if !allowed {
            locked.push(&field.name);
            continue;
        }
        out.push((no, value_of(world, field, value)?));
    }
    if locked.is_empty() {
        return Ok(out);
    }
    let message = format!(
        "Unable to create/update fields: {}. Please check the security settings of this field and verify that it is \
         read/write for your profile or permission set.",
        locked.join(", ")
    );
    Err(ApiError::record("INVALID_FIELD_FOR_INSERT_UPDATE", message, &locked))
}

/// One JSON value as the field would keep it.
pub fn value_of(world: &World, field: &FieldDef, value: &Value) -> Outcome<Option<Val>> {
    if value.is_null() {
        return match field.kind {
            Kind::Bool => Ok(Some(Val::Bool(false))),
            _ => Ok(None),
        };
    }
    match field.kind {
        Kind::Bool => boolean(value).map(|flag| Some(Val::Bool(flag))).ok_or_else(|| unreadable("boolean", value)),
        Kind::Int => number(field, value, "int").map(|n| n.map(|n| Val::Int(n.trunc() as i64))),
        Kind::Double => number(field, value, "double").map(|n| {
            n.map(|n| {
                // Negative zero would print as "-0.0".
                Val::Num(if n == 0.0 { 0.0 } else { n })
            })
        }),
        Kind::Date => day(value),
        Kind::DateTime => moment(value),
        Kind::Id | Kind::Reference => reference(world, field, value),
        Kind::Compound => Err(unreadable("address", value)),
        Kind::JunctionIdList => junction(value),
        Kind::Text | Kind::Email | Kind::Picklist | Kind::MultiPicklist => text(field, value),
    }
}

fn unreadable(kind: &str, value: &Value) -> ApiError {
    let (token, shown) = match value {
        Value::Object(_) => ("START_OBJECT", "{".to_owned()),
        Value::Array(_) => ("START_ARRAY", "[".to_owned()),
        Value::String(text) => ("VALUE_STRING", text.clone()),
        Value::Bool(flag) => (if *flag { "VALUE_TRUE" } else { "VALUE_FALSE" }, flag.to_string()),
        Value::Number(number) => ("VALUE_NUMBER", number.to_string()),
        Value::Null => ("VALUE_NULL", "null".to_owned()),
    };
    let message = format!(
        "Cannot deserialize instance of {kind} from {token} value {shown} or request may be missing a required field \
         at [line:1, column:1]"
    );
    ApiError::request("JSON_PARSER_ERROR", message)
}

fn boolean(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(flag) => Some(*flag),
        Value::String(text) if text.eq_ignore_ascii_case("true") || text == "1" => Some(true),
        Value::String(text) if text.eq_ignore_ascii_case("false") || text == "0" => Some(false),
        Value::Number(number) => number.as_i64().map(|n| n != 0),
        _ => None,
    }
}

fn number(field: &FieldDef, value: &Value, kind: &str) -> Outcome<Option<f64>> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) if text.is_empty() => return Ok(None),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    let number = number.filter(|n: &f64| n.is_finite()).ok_or_else(|| unreadable(kind, value))?;
    // 18 digits is the most that any number field keeps (describe `precision`).
    if number.abs() >= 1e18 || (kind == "int" && number.abs() > f64::from(i32::MAX)) {
        let message = format!("{}: value outside of valid range on numeric field: {number}", field.label);
        return Err(ApiError::record("NUMBER_OUTSIDE_VALID_RANGE", message, &[&field.name]));
    }
    Ok(Some(number))
}

fn day(value: &Value) -> Outcome<Option<Val>> {
    let Value::String(text) = value else { return Err(unreadable("date", value)) };
    if text.is_empty() {
        return Ok(None);
    }
    let day = time::parse_day(text).or_else(|| time::parse_stamp(text).map(time::day_of));
    day.map(|day| Some(Val::Date(day))).ok_or_else(|| unreadable("date", value))
}

fn moment(value: &Value) -> Outcome<Option<Val>> {
    let Value::String(text) = value else { return Err(unreadable("datetime", value)) };
    if text.is_empty() {
        return Ok(None);
    }
    let seconds = time::parse_stamp(text).or_else(|| time::parse_day(text).map(time::day_start));
    seconds.map(|seconds| Some(Val::Stamp(seconds))).ok_or_else(|| unreadable("datetime", value))
}

/// Text loses its outer white space; nothing left means null.
fn text(field: &FieldDef, value: &Value) -> Outcome<Option<Val>> {
    let owned;
    let raw: &str = match value {
        Value::String(text) => text,
        Value::Number(number) => {
            owned = number.to_string();
            &owned
        }
        Value::Bool(flag) => {
            if *flag {
                "true"
            } else {
                "false"
            }
        }
        _ => return Err(unreadable("string", value)),
    };
    let text = raw.trim();
    if text.is_empty() {
        return Ok(None);
    }
    if field.length > 0 && text.len() > field.length && text.chars().count() > field.length {
        let message = format!("{}: data value too large: {text} (max length={})", field.label, field.length);
        return Err(ApiError::record("STRING_TOO_LONG", message, &[&field.name]));
    }
    match field.kind {
        Kind::Email if !plausible_email(text) => {
            let message = format!("{}: invalid email address: {text}", field.label);
            Err(ApiError::record("INVALID_EMAIL_ADDRESS", message, &[&field.name]))
        }
        Kind::Picklist => Ok(Some(Val::text(picked(field, text)?))),
        Kind::MultiPicklist => {
            let chosen: Outcome<Vec<&str>> =
                text.split(';').map(str::trim).filter(|one| !one.is_empty()).map(|one| picked(field, one)).collect();
            Ok(Some(Val::text(chosen?.join(";"))))
        }
        _ => Ok(Some(Val::text(text))),
    }
}

/// The picklist's own spelling of a value; a restricted picklist knows no others.
fn picked<'a>(field: &'a FieldDef, text: &'a str) -> Outcome<&'a str> {
    if let Some(known) = field.picklist.iter().find(|known| known.eq_ignore_ascii_case(text)) {
        return Ok(known);
    }
    if field.restricted {
        let message = format!("{}: bad value for restricted picklist field: {text}", field.label);
        return Err(ApiError::record("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", message, &[&field.name]));
    }
    Ok(text)
}

/// Roughly what the platform accepts: one `@`, a local part, a dotted domain, no spaces or brackets.
fn plausible_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let local_ok = !local.is_empty()
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..")
        && local.chars().all(|c| c.is_alphanumeric() || "!#$%&'*/=?^_+-`{|}~.".contains(c));
    let labels: Vec<&str> = domain.split('.').collect();
    let domain_ok = labels.len() > 1
        && labels.iter().all(|label| {
            !label.is_empty()
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.chars().all(|c| c.is_alphanumeric() || c == '-')
        });
    local_ok && domain_ok
}

fn reference(world: &World, field: &FieldDef, value: &Value) -> Outcome<Option<Val>> {
    let Value::String(text) = value else { return Err(unreadable("reference", value)) };
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let wrong = |code| {
        let message = format!("{}: id value of incorrect type: {text}", field.label);
        Err(ApiError::record(code, message, &[&field.name]))
    };
    let Some(id) = Id::parse(text) else { return wrong("MALFORMED_ID") };
    if id.as_str() == MASTER_RECORD_TYPE && field.name == "RecordTypeId" {
        return Ok(Some(Val::Ref(id)));
    }
    let Some(object) = world.schema.by_prefix(id.prefix()) else { return Err(ApiError::bad_reference()) };
    let target = world.schema.def(object);
    let custom_what = field.name == "WhatId" && target.custom;
    if !custom_what && !field.reference_to.contains(&target.name) {
        return wrong("FIELD_INTEGRITY_EXCEPTION");
    }
    match world.find(id).and_then(|(object, slot)| world.row(object, slot)) {
        None => Err(ApiError::bad_reference()),
        Some(row) if row.deleted => Err(ApiError::deleted()),
        Some(row) => Ok(Some(Val::Ref(row.id))),
    }
}

/// `"Account": {"Ext__c": "value"}`: a reference by the target's external id.
fn foreign_key(world: &World, def: &ObjectDef, no: FieldNo, value: &Value) -> Outcome<Option<Val>> {
    let field = def.field(no);
    let Value::Object(nested) = value else { return Err(unreadable("reference", value)) };
    let named = nested.get("attributes").and_then(|a| a.get("type")).and_then(Value::as_str);
    if field.polymorphic() && named.is_none() {
        return Err(missing_attributes());
    }
    let target = named.or(field.reference_to.first().map(String::as_str)).unwrap_or_default();
    let object = world.schema.find(target).filter(|_| field.reference_to.iter().any(|t| t == target));
    let Some(object) = object else { return Err(ApiError::bad_reference()) };
    let target = world.schema.def(object);
    let Some((name, key)) = nested.iter().find(|(name, _)| *name != "attributes") else {
        return Err(ApiError::bad_reference());
    };
    let lookup = target.field_no(name).filter(|no| {
        let field = target.field(*no);
        field.external_id || field.id_lookup
    });
    let Some(lookup) = lookup else {
        let message = format!("Invalid foreign key relationship: {}.{name}", field.name);
        return Err(ApiError::request("INVALID_FIELD", message));
    };
    let wanted = value_of(world, target.field(lookup), key)?;
    let slots = wanted.and_then(|wanted| world.table(object).lookup(target, lookup, &wanted)).unwrap_or_default();
    let mut live = slots.iter().filter_map(|slot| world.row(object, *slot)).filter(|row| !row.deleted);
    match (live.next(), live.next()) {
        (Some(row), None) => Ok(Some(Val::Ref(row.id))),
        (None, _) => {
            let shown = key.as_str().map_or_else(|| key.to_string(), str::to_owned);
            let message = format!(
                "Foreign key external ID: {} not found for field {} in entity {}",
                shown.to_lowercase(),
                target.field(lookup).name,
                target.name
            );
            Err(ApiError::request("INVALID_FIELD", message))
        }
        (Some(_), Some(_)) => {
            let message = format!("{}: more than one record found for external id field", target.field(lookup).name);
            Err(ApiError::record("DUPLICATE_EXTERNAL_ID", message, &[]))
        }
    }
}

pub fn missing_attributes() -> ApiError {
    let message = "Nested object for polymorphic foreign key must have an attributes field before any other fields.";
    ApiError::request("JSON_PARSER_ERROR", message)
}

/// Junction ids travel as text, joined by semicolons; the event's rules read them.
fn junction(value: &Value) -> Outcome<Option<Val>> {
    let Value::Array(ids) = value else { return Err(unreadable("list", value)) };
    let mut out = Vec::with_capacity(ids.len());
    for id in ids {
        let parsed = id.as_str().and_then(Id::parse);
        let Some(parsed) = parsed else {
            return Err(ApiError::record("MALFORMED_ID", format!("malformed id {id}"), &[]));
        };
        out.push(parsed.as_str().to_owned());
    }
    Ok(Some(Val::text(out.join(";"))))
}
