//! One stored value, its JSON form, and the form under which an index finds it.

use jiff::civil::Date;
use serde_json::Value;

use crate::salesforce::{id::Id, schema::FieldDef, time};

/// A value that is there; absence is null.
#[derive(Debug, Clone, PartialEq)]
pub enum Val {
    Bool(bool),
    Int(i64),
    Num(f64),
    Text(Box<str>),
    Date(Date),
    /// Seconds since 1970, UTC.
    Stamp(i64),
    Ref(Id),
}

impl Val {
    pub fn text(text: impl Into<Box<str>>) -> Self {
        Self::Text(text.into())
    }

    pub fn to_json(&self) -> Value {
        match self {
            Self::Bool(flag) => Value::Bool(*flag),
            Self::Int(number) => Value::from(*number),
            Self::Num(number) => Value::from(*number),
            Self::Text(text) => Value::String(text.to_string()),
            Self::Date(day) => Value::String(day.to_string()),
            Self::Stamp(seconds) => Value::String(time::stamp(*seconds)),
            Self::Ref(id) => Value::String(id.as_str().to_owned()),
        }
    }

    pub fn as_ref_id(&self) -> Option<Id> {
        match self {
            Self::Ref(id) => Some(*id),
            _ => None,
        }
    }

    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub fn as_number(&self) -> Option<f64> {
        match self {
            Self::Int(number) => Some(*number as f64),
            Self::Num(number) => Some(*number),
            _ => None,
        }
    }
}

/// What an index is keyed by: ids as they are, text folded unless the field is case-sensitive.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Key {
    Ref(Id),
    Text(Box<str>),
}

impl Key {
    pub fn of(field: &FieldDef, value: &Val) -> Self {
        match value {
            Val::Ref(id) => Self::Ref(*id),
            Val::Text(text) if field.case_sensitive => Self::Text(text.clone()),
            Val::Text(text) => Self::Text(text.to_lowercase().into()),
            Val::Bool(flag) => Self::Text(flag.to_string().into()),
            Val::Int(number) => Self::Text((*number as f64).to_string().into()),
            Val::Num(number) => Self::Text(number.to_string().into()),
            Val::Date(day) => Self::Text(day.to_string().into()),
            Val::Stamp(seconds) => Self::Text(seconds.to_string().into()),
        }
    }
}
