//! What deals and accounts have in common: pages that are counted from the beginning, and custom fields whose values stand
//! beside the record.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use syncline_connect::{
    Error, ErrorKind, Retry,
    mirror::{Changes, From, Seen},
};
use syncline_core::{
    description::{FieldDescription, FieldKind, Habits},
    record::Value,
};

use super::{api::PAGE, wire::OwnField};

/// Before the number of a custom field.
pub const OWN_FIELD: &str = "field:";
/// Digits of money, and of numbers in custom fields, behind the point.
pub const SCALE: u32 = 2;
/// Records of one write: each is a call of the five a second that all programs share.
pub const ROWS_MAX: usize = 20;
/// Steps back in one run; so many records are not deleted while it lasts.
const BACKS_MAX: u32 = 20;

/// A custom field. Its values stand beside the records, so that they are written and not read.
pub fn own_field(field: &OwnField) -> Option<(String, FieldDescription)> {
    let kind = match field.kind.0.as_str() {
        "text" | "hidden" => FieldKind::Text,
        "textarea" => FieldKind::TextArea,
        "date" => FieldKind::Date,
        "number" => FieldKind::Number,
        "dropdown" | "radio" => FieldKind::Picklist,
        _ => return None,
    };
    let chooses = kind == FieldKind::Picklist;
    let described = FieldDescription {
        restricted: chooses,
        values: field.options.iter().flatten().filter(|_| chooses).map(|option| option.0.clone()).collect(),
        scale: if kind == FieldKind::Number { SCALE } else { 0 },
        habits: Habits { untold: true, ..Habits::default() },
        ..FieldDescription::plain(&*field.label.0, kind)
    };
    Some((format!("{OWN_FIELD}{}", field.id.number()?), described))
}

/// A value as text.
pub fn written(value: &Value) -> Option<String> {
    Some(match value {
        Value::Null => String::new(),
        Value::Bool(value) => value.to_string(),
        Value::Decimal(text) | Value::Text(text) => text.clone(),
        Value::Date(date) => date.to_string(),
        Value::Time(time) => time.to_string(),
        Value::Id(id) => id.as_str().to_owned(),
        Value::Slot(_) => return None,
    })
}

/// A text as a value.
pub fn text(word: &str) -> Value {
    if word.trim().is_empty() { Value::Null } else { Value::text(word) }
}

/// Where the reading stopped.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cursor {
    /// What changed last well before this is of no interest; where it is missing, everything is.
    pub since: Option<Timestamp>,
    run: Option<Run>,
}

/// A run through the pages, each of which begins with the last record of the one before: where it does not, records went
/// away meanwhile and others moved up.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Run {
    began: Timestamp,
    offset: usize,
    /// The number of the last record that was read.
    last: u64,
    backs: u32,
}

impl Cursor {
    /// # Errors
    /// Where the text is no cursor of these records.
    pub fn of(start: From<'_>) -> Result<Self, Error> {
        match start {
            From::Beginning => Ok(Self::default()),
            From::Since(since) => Ok(Self { since: Some(since), run: None }),
            From::Cursor(text) => {
                serde_json::from_str(text).map_err(|_| wrong("the stored cursor is not one of ActiveCampaign's"))
            }
        }
    }

    /// How many records go before the next page.
    pub fn offset(&self) -> usize {
        self.run.map_or(0, |run| run.offset)
    }

    /// The records of a page that were not read before, of those with these numbers, and where it goes on. A run that begins
    /// with this page began `now`.
    pub fn page<T>(
        &self,
        page: &[T],
        now: Timestamp,
        number: impl Fn(&T) -> Option<u64>,
        seen: impl Fn(&T) -> Option<Seen>,
    ) -> Result<Changes, Error> {
        let mut run = self.run.unwrap_or(Run { began: now, offset: 0, last: 0, backs: 0 });
        let joined = run.offset == 0 || page.first().and_then(&number).is_some_and(|first| first <= run.last);
        let (mut rows, mut is_end) = (Vec::new(), false);
        if joined || run.backs >= BACKS_MAX {
            rows.extend(page.iter().filter(|record| number(record) > Some(run.last)).filter_map(seen));
            is_end = page.len() < PAGE;
            run.last = page.iter().filter_map(&number).max().map_or(run.last, |last| last.max(run.last));
            run.offset += page.len().saturating_sub(1).max(1);
        } else {
            (run.offset, run.backs) = (run.offset.saturating_sub(PAGE - 1), run.backs + 1);
        }
        let next = match is_end {
            true => Self { since: Some(run.began), run: None },
            false => Self { since: self.since, run: Some(run) },
        };
        let cursor = serde_json::to_string(&next).map_err(|_| wrong("the cursor cannot be written down"))?;
        Ok(Changes { rows, cursor, more: !is_end, ask_in: Duration::ZERO })
    }
}

fn wrong(what: &str) -> Error {
    Error::new(ErrorKind::Configuration, Retry::Never, "changes", what)
}
