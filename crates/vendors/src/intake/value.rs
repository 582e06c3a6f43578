//! Wire values that tolerate a change of type: what is not of the expected type counts as absent.
//!
//! Sources change the type of fields between builds (an object becomes a list, a flag becomes null). A booking must
//! not be lost over a field that nobody reads. Strict sources do not use these.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::Value;

use super::text;

/// A text; numbers and flags are taken as their spelling.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Text(pub Option<String>);

/// An instant, from a text with an offset.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Time(pub Option<Timestamp>);

/// Yes or no.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Flag(pub Option<bool>);

/// A whole number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Whole(pub Option<i64>);

/// A nested value that may be absent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Maybe<T>(pub Option<T>);

/// A list; a single value counts as a list of one, and what cannot be read is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Many<T>(pub Vec<T>);

impl<T> Default for Maybe<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Default for Many<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl Text {
    /// The text as one bounded line.
    pub fn line(&self) -> Option<String> {
        self.0.as_deref().and_then(text::line)
    }

    /// The text as a bounded block.
    pub fn block(&self) -> Option<String> {
        self.0.as_deref().and_then(text::block)
    }

    /// The text as an e-mail address; empty where there is none.
    pub fn email(&self) -> String {
        self.0.as_deref().map(text::email).unwrap_or_default()
    }

    /// The text as a web address that a person may be sent to.
    pub fn web_url(&self) -> Option<String> {
        self.0.as_deref().and_then(text::web_url)
    }

    /// The text as the name of a time zone.
    pub fn time_zone(&self) -> Option<String> {
        self.0.as_deref().and_then(text::time_zone)
    }

    /// The text as a language tag.
    pub fn language(&self) -> Option<String> {
        self.0.as_deref().and_then(text::language)
    }

    /// The text as it came; empty where there is none.
    pub fn raw(&self) -> &str {
        self.0.as_deref().unwrap_or_default()
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(match Value::deserialize(deserializer)? {
            Value::String(text) => Some(text),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(flag) => Some(flag.to_string()),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        }))
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Ok(Self(value.as_str().and_then(|text| text.trim().parse().ok())))
    }
}

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(Value::deserialize(deserializer)?.as_bool()))
    }
}

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Ok(Self(value.as_i64().or_else(|| value.as_str()?.trim().parse().ok())))
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Maybe<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(match Value::deserialize(deserializer)? {
            Value::Null => None,
            value => T::deserialize(value).ok(),
        }))
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Many<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(match Value::deserialize(deserializer)? {
            Value::Null => Vec::new(),
            Value::Array(values) => values.into_iter().filter_map(|value| T::deserialize(value).ok()).collect(),
            value => T::deserialize(value).ok().into_iter().collect(),
        }))
    }
}

/// A form field's value as people would write it: lists parted by commas, and of an option its own value, with what
/// was typed beside it.
pub fn spelled(value: &Value) -> Option<String> {
    let whole = match value {
        Value::Null => return None,
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(flag) => flag.to_string(),
        Value::Array(values) => joined(values.iter(), ", "),
        Value::Object(fields) => {
            let wanted = ["value", "optionValue", "label", "name"];
            let known: Vec<&Value> = wanted.iter().filter_map(|name| fields.get(*name)).collect();
            match known.as_slice() {
                [] => joined(fields.values(), " "),
                [first, ..] => match (fields.get("optionValue").and_then(spelled), spelled(first)) {
                    (Some(typed), Some(choice)) if typed != choice => format!("{choice}: {typed}"),
                    (typed, choice) => choice.or(typed)?,
                },
            }
        }
    };
    text::block(&whole)
}

fn joined<'a>(values: impl Iterator<Item = &'a Value>, between: &str) -> String {
    values.filter_map(spelled).collect::<Vec<_>>().join(between)
}
