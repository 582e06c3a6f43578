//! The values that expressions work with, and what each is as a number, a text or a truth. No operation on them.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use jiff::{Timestamp, civil::Date};
use rust_decimal::Decimal;
use unicode_segmentation::UnicodeSegmentation;

use crate::{ids::RecordId, record::Slot};

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Datum {
    /// What is missing.
    Null,
    Bool(bool),
    Number(Decimal),
    Text(Arc<str>),
    Date(Date),
    Time(Timestamp),
    Record(Reference),
    List(Arc<[Datum]>),
    Map(Arc<BTreeMap<String, Datum>>),
}

/// A record that a field can refer to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    Id(RecordId),
    /// A record of the same booking, whose id may not be known yet.
    Slot(Slot),
}

impl Datum {
    pub fn text(text: &str) -> Self {
        Self::Text(text.into())
    }

    pub fn list(list: impl IntoIterator<Item = Datum>) -> Self {
        Self::List(list.into_iter().collect())
    }

    pub fn map<K: Into<String>>(entries: impl IntoIterator<Item = (K, Datum)>) -> Self {
        Self::Map(Arc::new(entries.into_iter().map(|(key, value)| (key.into(), value)).collect()))
    }

    /// What it is called in messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "true or false",
            Self::Number(_) => "a number",
            Self::Text(_) => "a text",
            Self::Date(_) => "a date",
            Self::Time(_) => "a point in time",
            Self::Record(_) => "a record",
            Self::List(_) => "a list",
            Self::Map(_) => "a group of values",
        }
    }

    /// Whether a condition takes it for yes.
    pub fn is_true(&self) -> bool {
        match self {
            Self::Null => false,
            Self::Bool(value) => *value,
            Self::Number(number) => !number.is_zero(),
            Self::Text(text) => !text.is_empty(),
            Self::Date(_) | Self::Time(_) | Self::Record(_) => true,
            Self::List(list) => !list.is_empty(),
            Self::Map(map) => !map.is_empty(),
        }
    }

    /// Whether there is nothing to be written: no value, no letter, no entry.
    pub fn is_blank(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Text(text) => text.trim().is_empty(),
            Self::List(list) => list.is_empty(),
            Self::Map(map) => map.is_empty(),
            Self::Bool(_) | Self::Number(_) | Self::Date(_) | Self::Time(_) | Self::Record(_) => false,
        }
    }

    /// The number that it is, or that it spells.
    pub fn as_number(&self) -> Option<Decimal> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => Decimal::from_str_exact(text.trim()).ok(),
            _ => None,
        }
    }

    /// A value that is neither list nor group, as people read it. Times are in UTC; `date` shows them otherwise.
    pub(crate) fn scalar_text(&self) -> Cow<'_, str> {
        match self {
            Self::Null | Self::List(_) | Self::Map(_) | Self::Record(Reference::Slot(_)) => Cow::Borrowed(""),
            Self::Bool(true) => Cow::Borrowed("true"),
            Self::Bool(false) => Cow::Borrowed("false"),
            Self::Number(number) => Cow::Owned(number.to_string()),
            Self::Text(text) => Cow::Borrowed(text),
            Self::Date(date) => Cow::Owned(date.to_string()),
            Self::Time(time) => Cow::Owned(time.to_string()),
            Self::Record(Reference::Id(id)) => Cow::Borrowed(id.as_str()),
        }
    }
}

impl From<String> for Datum {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl<T> From<Option<T>> for Datum
where
    Datum: From<T>,
{
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Self::from)
    }
}

impl From<&String> for Datum {
    fn from(text: &String) -> Self {
        Self::text(text)
    }
}

impl From<&str> for Datum {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl From<Timestamp> for Datum {
    fn from(time: Timestamp) -> Self {
        Self::Time(time)
    }
}

/// The beginning of a text, of at most so many characters and never within one that people see as one; the whole text
/// where it fits.
pub fn graphemes(text: &str, chars_max: usize) -> &str {
    // Bytes are at least as many as characters.
    if text.len() <= chars_max {
        return text;
    }
    let mut chars = 0;
    for (at, grapheme) in text.grapheme_indices(true) {
        chars += grapheme.chars().count();
        if chars > chars_max {
            return &text[..at];
        }
    }
    text
}
