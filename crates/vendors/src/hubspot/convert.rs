//! Values and rows: ours ⇄ HubSpot's, both directions side by side. Every value travels as text. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value as Json;
use syncline_connect::mirror::{Fate, Seen};
use syncline_core::{
    ids::{ExternalKey, RecordId},
    record::Value,
};

use super::{manifest::watermark, roles::ASSOCIATION, wire::Row};

/// The ids that were merged into a record, and, of a contact, all ids that lead to it.
pub const MERGED: &str = "hs_merged_object_ids";
pub const ALL_CONTACT_IDS: &str = "hs_all_contact_vids";

/// A value as it stands in a body; an empty text clears. `Err` says why it cannot stand there.
pub fn to_text(value: &Value) -> Result<String, &'static str> {
    Ok(match value {
        Value::Null => String::new(),
        Value::Bool(value) => value.to_string(),
        Value::Decimal(text) | Value::Text(text) => text.clone(),
        // Midnight by UTC, which is how HubSpot reads a bare day.
        Value::Date(date) => date.to_string(),
        Value::Time(time) => time.as_millisecond().to_string(),
        Value::Id(id) => id.as_str().to_owned(),
        Value::Slot(_) => return Err("refers to a record whose id is not known"),
    })
}

/// A value as it stands in a row. Of what kind it is the row does not tell.
pub fn from_text(text: Option<&str>) -> Value {
    match text {
        None => Value::Null,
        Some(text) if text.trim().is_empty() => Value::Null,
        Some(text) => Value::text(text),
    }
}

/// The properties to ask for: those that are wanted, and those that tell which record it is and what became of others.
pub fn properties<'a>(kind: &'a str, key: &'a str, fields: &'a [String]) -> Vec<&'a str> {
    let mut names: Vec<&str> = vec![watermark(kind), MERGED, key];
    if kind == "contacts" {
        names.push(ALL_CONTACT_IDS);
    }
    for field in fields.iter().filter(|field| !field.starts_with(ASSOCIATION)) {
        if !names.contains(&field.as_str()) {
            names.push(field);
        }
    }
    names
}

/// What a row says of its record.
pub fn seen(kind: &str, key: &str, fields: &[String], row: &Row) -> Seen {
    let shown = fields.iter().filter_map(|name| {
        let value = row.properties.get(name)?;
        Some((name.clone(), from_text(value.as_deref())))
    });
    let text = |name: &str| row.properties.get(name).and_then(Option::as_deref).filter(|text| !text.is_empty());
    Seen {
        key: text(key).map(ExternalKey::new),
        changed_at: stamp(kind, row),
        fate: if row.archived { Fate::Deleted } else { Fate::Live },
        ..Seen::live(RecordId::new(row.id.clone()), shown.collect())
    }
}

/// When the record changed last.
pub fn stamp(kind: &str, row: &Row) -> Option<Timestamp> {
    row.properties.get(watermark(kind))?.as_deref()?.parse().ok()
}

/// The ids of records that were merged into this one.
pub fn merged(row: &Row) -> Vec<RecordId> {
    let texts = [MERGED, ALL_CONTACT_IDS].into_iter().filter_map(|name| row.properties.get(name)?.as_deref());
    let ids = texts.flat_map(|text| text.split(';')).map(str::trim).filter(|id| is_id(id) && *id != row.id);
    let mut ids: Vec<RecordId> = ids.map(RecordId::new).collect();
    ids.sort();
    ids.dedup();
    ids
}

/// The records that a row tells of: its own, and those that were merged into it.
pub fn tells(kind: &str, key: &str, fields: &[String], row: &Row) -> Vec<Seen> {
    let own = seen(kind, key, fields, row);
    let lost = merged(row).into_iter().map(|id| Seen {
        fate: Fate::MergedInto(own.id.clone()),
        changed_at: own.changed_at,
        ..Seen::live(id, BTreeMap::new())
    });
    let lost: Vec<Seen> = lost.collect();
    std::iter::once(own).chain(lost).collect()
}

/// Digits in an id: so many has the largest number that is one.
const ID_DIGITS_MAX: usize = 19;

/// Whether it can be the id of a record.
pub fn is_id(text: &str) -> bool {
    (1..=ID_DIGITS_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A set of ids or names as JSON.
pub fn list<'a>(texts: impl IntoIterator<Item = &'a str>) -> Json {
    texts.into_iter().map(Json::from).collect()
}
