//! What a contact's attributes are called, and which values they take. A value that does not fit is not an error: it is
//! left out without a word ("Values that don't match the attribute type will be ignored", API description, read 2026-11).

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use http::Response;
use serde_json::{Map, Value, json};

use super::answers::{Refused, created, no_content};
use crate::web::json as answer;

/// Categories of attributes that programs may create.
const CATEGORIES: &[&str] = &["normal", "transactional", "category", "calculated", "global"];
/// Values of one category attribute at the most.
const MAX_ENUMERATION: usize = 200;
/// Attributes of an account at the most; far above what an account can hold in practice.
const MAX_ATTRIBUTES: usize = 1000;

/// What values an attribute takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttributeKind {
    Text,
    Date,
    Float,
    Boolean,
    Id,
    User,
    /// Numbers with labels, in this order.
    Category(Vec<(i64, String)>),
    MultipleChoice(Vec<String>),
    /// Worked out by Brevo, with this formula; read-only.
    Calculated(String),
    /// One for the account, with this formula; read-only.
    Global(String),
}

impl AttributeKind {
    fn category(&self) -> &'static str {
        match self {
            Self::Id => "transactional",
            Self::Category(_) => "category",
            Self::Calculated(_) => "calculated",
            Self::Global(_) => "global",
            _ => "normal",
        }
    }

    fn type_name(&self) -> Option<&'static str> {
        match self {
            Self::Text => Some("text"),
            Self::Date => Some("date"),
            Self::Float => Some("float"),
            Self::Boolean => Some("boolean"),
            Self::Id => Some("id"),
            Self::User => Some("user"),
            Self::MultipleChoice(_) => Some("multiple-choice"),
            Self::Category(_) | Self::Calculated(_) | Self::Global(_) => None,
        }
    }
}

/// What a given value means for an attribute.
#[derive(Debug, PartialEq)]
pub(super) enum Typed {
    Set(Value),
    Clear,
    Ignored,
}

impl AttributeKind {
    /// Reads a value as JSON carries it.
    pub(super) fn typed(&self, given: &Value) -> Typed {
        if matches!(self, Self::Calculated(_) | Self::Global(_)) {
            return Typed::Ignored;
        }
        if given.is_null() || given.as_str() == Some("") {
            return Typed::Clear;
        }
        let fits = match (self, given) {
            (Self::Text | Self::User, Value::String(_))
            | (Self::Float, Value::Number(_))
            | (Self::Boolean, Value::Bool(_))
            | (Self::Id, Value::String(_) | Value::Number(_)) => Some(given.clone()),
            (Self::Date, Value::String(text)) => is_day(text).then(|| given.clone()),
            (Self::Category(known), given) => category(known, given),
            (Self::MultipleChoice(known), Value::Array(chosen)) => {
                let fits = |one: &Value| one.as_str().is_some_and(|one| known.iter().any(|known| known == one));
                chosen.iter().all(fits).then(|| given.clone())
            }
            _ => None,
        };
        fits.map_or(Typed::Ignored, Typed::Set)
    }

    /// Reads a value as a line of a file carries it.
    pub(super) fn typed_text(&self, text: &str) -> Typed {
        let text = text.trim();
        let given = match self {
            _ if text.is_empty() => Value::Null,
            Self::Float => text.parse::<f64>().map_or_else(|_| text.into(), |number| json!(number)),
            Self::Boolean => match text.to_ascii_lowercase().as_str() {
                "true" | "yes" | "1" => true.into(),
                "false" | "no" | "0" => false.into(),
                other => other.into(),
            },
            Self::MultipleChoice(_) => text.split(',').map(|one| Value::from(one.trim())).collect(),
            _ => text.into(),
        };
        self.typed(&given)
    }
}

/// By value or by label; kept as the value.
fn category(known: &[(i64, String)], given: &Value) -> Option<Value> {
    let by_number = given.as_i64().or_else(|| given.as_str()?.parse().ok());
    let label = given.as_str();
    let found = known.iter().find(|(value, name)| Some(*value) == by_number || Some(name.as_str()) == label);
    found.map(|(value, _)| json!(value))
}

fn is_day(text: &str) -> bool {
    let shape =
        text.len() == 10 && text.bytes().enumerate().all(|(n, b)| matches!((n, b), (4 | 7, b'-') | (_, b'0'..=b'9')));
    shape && text.parse::<jiff::civil::Date>().is_ok()
}

/// The attributes of an account.
#[derive(Debug, Clone)]
pub(super) struct Schema(BTreeMap<Arc<str>, AttributeKind>);

impl Schema {
    pub(super) fn new(attributes: &[(String, AttributeKind)]) -> Self {
        Self(attributes.iter().map(|(name, kind)| (name.to_uppercase().into(), kind.clone())).collect())
    }

    pub(super) fn find(&self, name: &str) -> Option<(&Arc<str>, &AttributeKind)> {
        self.0.get_key_value(name)
    }

    pub(super) fn add(&mut self, name: &str, kind: AttributeKind) {
        self.0.insert(name.to_uppercase().into(), kind);
    }

    pub(super) fn remove(&mut self, name: &str) -> bool {
        self.0.remove(name).is_some()
    }

    pub(super) fn list(&self) -> Response<Bytes> {
        let shown: Vec<Value> = self.0.iter().map(|(name, kind)| shown(name, kind)).collect();
        answer(200, &json!({"attributes": shown}))
    }

    /// `POST /contacts/attributes/{category}/{name}`
    pub(super) fn create(
        &mut self,
        category: &str,
        name: &str,
        body: &Map<String, Value>,
    ) -> Result<Response<Bytes>, Refused> {
        if !CATEGORIES.contains(&category) {
            return Err(Refused::invalid("attributeCategory is invalid"));
        }
        let name = name.to_uppercase();
        let named = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if !named {
            return Err(Refused::invalid("attribute name is invalid"));
        }
        if self.0.contains_key(name.as_str()) {
            return Err(Refused::new(400, "duplicate_parameter", "Attribute name must be unique"));
        }
        if self.0.len() >= MAX_ATTRIBUTES {
            return Err(Refused::new(400, "out_of_range", "Attribute limit reached"));
        }
        let kind = given_kind(category, body)?;
        self.add(&name, kind);
        Ok(created(&json!({})))
    }

    /// `PUT /contacts/attributes/{category}/{name}`: other values of an enumeration, other options, another formula.
    pub(super) fn change(
        &mut self,
        category: &str,
        name: &str,
        body: &Map<String, Value>,
    ) -> Result<Response<Bytes>, Refused> {
        let known = self.0.get_mut(name).filter(|kind| {
            kind.category() == category
                || matches!(kind, AttributeKind::MultipleChoice(_)) && category == "multiple-choice"
        });
        let Some(known) = known else { return Err(Refused::not_found("Attribute name is not found")) };
        *known = match known {
            AttributeKind::Category(_) => AttributeKind::Category(enumeration(body)?),
            AttributeKind::MultipleChoice(_) => AttributeKind::MultipleChoice(options(body)?),
            AttributeKind::Calculated(_) => AttributeKind::Calculated(formula(body)?),
            AttributeKind::Global(_) => AttributeKind::Global(formula(body)?),
            _ => return Err(Refused::invalid("attributeCategory should be category, calculated or global")),
        };
        Ok(no_content())
    }

    pub(super) fn drop_named(&mut self, category: &str, name: &str) -> Result<Response<Bytes>, Refused> {
        let known = self.0.get(name).is_some_and(|kind| kind.category() == category);
        if !known {
            return Err(Refused::not_found("Attribute name is not found"));
        }
        self.remove(name);
        Ok(no_content())
    }
}

fn given_kind(category: &str, body: &Map<String, Value>) -> Result<AttributeKind, Refused> {
    let kind = body.get("type").and_then(Value::as_str);
    Ok(match (category, kind) {
        ("category", _) => AttributeKind::Category(enumeration(body)?),
        ("calculated", _) => AttributeKind::Calculated(formula(body)?),
        ("global", _) => AttributeKind::Global(formula(body)?),
        ("normal", Some("multiple-choice")) => AttributeKind::MultipleChoice(options(body)?),
        ("normal" | "transactional", Some("text")) => AttributeKind::Text,
        ("normal" | "transactional", Some("date")) => AttributeKind::Date,
        ("normal" | "transactional", Some("float")) => AttributeKind::Float,
        ("normal" | "transactional", Some("boolean")) => AttributeKind::Boolean,
        ("normal", Some("user")) => AttributeKind::User,
        ("transactional", Some("id")) => AttributeKind::Id,
        (_, None) => return Err(Refused::missing("type is missing")),
        _ => return Err(Refused::invalid("type is invalid for this attribute category")),
    })
}

fn enumeration(body: &Map<String, Value>) -> Result<Vec<(i64, String)>, Refused> {
    let rows =
        body.get("enumeration").and_then(Value::as_array).ok_or_else(|| Refused::missing("enumeration is missing"))?;
    let row = |row: &Value| Some((row.get("value")?.as_i64()?, row.get("label")?.as_str()?.to_owned()));
    let rows: Option<Vec<_>> = rows.iter().map(row).collect();
    let rows = rows.ok_or_else(|| Refused::invalid("enumeration is invalid"))?;
    if rows.len() > MAX_ENUMERATION {
        return Err(Refused::new(400, "out_of_range", "enumeration has too many values"));
    }
    Ok(rows)
}

fn options(body: &Map<String, Value>) -> Result<Vec<String>, Refused> {
    let rows = body.get("multiCategoryOptions").and_then(Value::as_array);
    let rows = rows.ok_or_else(|| Refused::missing("multiCategoryOptions is missing"))?;
    let rows: Option<Vec<String>> = rows.iter().map(|row| row.as_str().map(str::to_owned)).collect();
    rows.ok_or_else(|| Refused::invalid("multiCategoryOptions is invalid"))
}

fn formula(body: &Map<String, Value>) -> Result<String, Refused> {
    let value = body.get("value").and_then(Value::as_str).ok_or_else(|| Refused::missing("value is missing"))?;
    Ok(value.to_owned())
}

fn shown(name: &str, kind: &AttributeKind) -> Value {
    let mut out = json!({"name": name, "category": kind.category()});
    if let Some(type_name) = kind.type_name() {
        out["type"] = type_name.into();
    }
    match kind {
        AttributeKind::Category(values) => {
            out["enumeration"] = values.iter().map(|(value, label)| json!({"value": value, "label": label})).collect();
        }
        AttributeKind::MultipleChoice(options) => out["multiCategoryOptions"] = json!(options),
        AttributeKind::Calculated(formula) | AttributeKind::Global(formula) => out["calculatedValue"] = json!(formula),
        _ => {}
    }
    out
}
