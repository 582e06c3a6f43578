//! Brings a value into the kind that a field holds. Text is cut between graphemes; whatever else does not fit is
//! refused, because a number or an address that was bent into shape says something else than was meant.

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use rust_decimal::{Decimal, RoundingStrategy};

use crate::{
    description::{FieldDescription, FieldKind},
    expr::{Datum, Reference, graphemes},
    ids::RecordId,
    person::{normal_email, squeeze},
    record::Value,
};

/// How many values of a picklist a note names.
const NAMED_MAX: usize = 8;

/// Characters that a text field has at least to take ids: so many has the longest kind in use.
const ID_ROOM: u32 = 18;

/// Separates the chosen values of a multi-select picklist.
const CHOICE_SEPARATOR: &str = ";";

/// A value that fits, cut where it was too long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fitted {
    pub value: Value,
    pub cut: bool,
}

/// Why a value does not fit, and what helps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    pub reason: String,
    pub fix: String,
}

impl Misfit {
    pub fn new(reason: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { reason: reason.into(), fix: fix.into() }
    }
}

/// A value that a record holds, as an expression sees it.
pub fn value_of(value: &Value) -> Datum {
    match value {
        Value::Null => Datum::Null,
        Value::Bool(value) => Datum::Bool(*value),
        Value::Decimal(number) => Datum::text(number).as_number().map_or(Datum::text(number), Datum::Number),
        Value::Text(text) if text.trim().is_empty() => Datum::Null,
        Value::Text(text) => Datum::text(text),
        Value::Date(date) => Datum::Date(*date),
        Value::Time(time) => Datum::Time(*time),
        Value::Id(id) => Datum::Record(Reference::Id(id.clone())),
        Value::Slot(slot) => Datum::Record(Reference::Slot(*slot)),
    }
}

/// The value as the field can hold it. Days are counted in `zone`.
pub fn fit(value: &Datum, field: &FieldDescription, zone: &TimeZone) -> Result<Fitted, Misfit> {
    if value.is_blank() {
        return Ok(Fitted { value: Value::Null, cut: false });
    }
    let fitted = fit_kind(value, field, zone)?;
    match &fitted.value {
        // Nothing was there but control characters.
        Value::Text(text) if text.trim().is_empty() => Ok(Fitted { value: Value::Null, cut: false }),
        _ => Ok(fitted),
    }
}

fn fit_kind(value: &Datum, field: &FieldDescription, zone: &TimeZone) -> Result<Fitted, Misfit> {
    let whole = |value| Ok(Fitted { value, cut: false });
    match field.kind {
        // Not every object can be referred to by a reference field; some CRMs allow none to events.
        FieldKind::Text | FieldKind::TextArea if matches!(value, Datum::Record(_)) => id(value, field).and_then(whole),
        FieldKind::Text => cut(squeeze(&text(value)?), field),
        FieldKind::TextArea => cut(text(value)?.trim().to_owned(), field),
        FieldKind::Email => email(&text(value)?, field).and_then(whole),
        FieldKind::Phone | FieldKind::Url => uncut(squeeze(&text(value)?), field).and_then(whole),
        FieldKind::Number => number(value, field).and_then(whole),
        FieldKind::Boolean => boolean(value).and_then(whole),
        FieldKind::Date => date(value, zone).and_then(whole),
        FieldKind::DateTime => time(value).and_then(whole),
        FieldKind::Picklist => choice(&squeeze(&text(value)?), field).map(Value::Text).and_then(whole),
        FieldKind::MultiPicklist => choices(value, field).and_then(whole),
        FieldKind::Reference => reference(value).and_then(whole),
        FieldKind::Other => Err(Misfit::new("fields of its kind are not written", "take it out of the mapping")),
    }
}

/// The value as text, `None` where it has none of its own.
pub fn text_of(value: &Datum) -> Option<String> {
    match value {
        Datum::List(list) => {
            let parts: Option<Vec<String>> = list.iter().filter(|part| !part.is_blank()).map(text_of).collect();
            parts.map(|parts| parts.join(CHOICE_SEPARATOR))
        }
        Datum::Map(_) | Datum::Null | Datum::Record(Reference::Slot(_)) => None,
        other => Some(other.scalar_text().into_owned()),
    }
}

fn text(value: &Datum) -> Result<String, Misfit> {
    text_of(value).ok_or_else(|| {
        Misfit::new(format!("its value is {}, not a text", value.kind()), "name the part of it that is meant")
    })
}

fn cut(text: String, field: &FieldDescription) -> Result<Fitted, Misfit> {
    let length = field.length.map_or(usize::MAX, |length| usize::try_from(length).unwrap_or(usize::MAX));
    let kept = graphemes(&text, length).trim_end();
    if kept.is_empty() && !text.is_empty() {
        return Err(Misfit::new("not one character of its value fits", "choose a longer field"));
    }
    Ok(Fitted { cut: kept.len() < text.len(), value: Value::text(kept) })
}

fn uncut(text: String, field: &FieldDescription) -> Result<Value, Misfit> {
    match field.length {
        Some(length) if text.chars().count() > usize::try_from(length).unwrap_or(usize::MAX) => Err(Misfit::new(
            format!("its value is longer than {length} characters, and cut short it would be wrong"),
            "map it into a text field as well",
        )),
        _ => Ok(Value::Text(text)),
    }
}

fn email(text: &str, field: &FieldDescription) -> Result<Value, Misfit> {
    let Some(email) = normal_email(text) else {
        return Err(Misfit::new("its value is no e-mail address", "map an address, as {{ invitee.email }}"));
    };
    uncut(email, field)
}

fn number(value: &Datum, field: &FieldDescription) -> Result<Value, Misfit> {
    let number = match value {
        Datum::Bool(value) => Some(Decimal::from(u8::from(*value))),
        other => other.as_number(),
    };
    let Some(number) = number else {
        return Err(Misfit::new("its value is no number", "take the number out of it with |number"));
    };
    let number = number.round_dp_with_strategy(field.scale, RoundingStrategy::MidpointAwayFromZero);
    let digits = number.trunc().abs().to_string().trim_start_matches('0').len();
    let room = field.precision.saturating_sub(field.scale);
    if field.precision > 0 && digits > usize::try_from(room).unwrap_or(usize::MAX) {
        return Err(Misfit::new(
            format!("its value has more than {room} digits before the point"),
            "choose a larger field",
        ));
    }
    Ok(Value::Decimal(number.normalize().to_string()))
}

fn boolean(value: &Datum) -> Result<Value, Misfit> {
    let known = match value {
        Datum::Bool(value) => Some(*value),
        Datum::Number(number) => [(Decimal::ONE, true), (Decimal::ZERO, false)]
            .into_iter()
            .find(|(known, _)| known == number)
            .map(|(_, value)| value),
        Datum::Text(text) => match text.trim().to_lowercase().as_str() {
            "true" | "yes" | "1" | "on" => Some(true),
            "false" | "no" | "0" | "off" => Some(false),
            _ => None,
        },
        _ => None,
    };
    known.map(Value::Bool).ok_or_else(|| {
        Misfit::new(
            "its value is neither true nor false",
            "compare it, as {{ answer(\"Newsletter\") == \"Yes, please\" }}",
        )
    })
}

fn date(value: &Datum, zone: &TimeZone) -> Result<Value, Misfit> {
    let day = |time: Timestamp| time.to_zoned(zone.clone()).date();
    let date: Option<Date> = match value {
        Datum::Date(date) => Some(*date),
        Datum::Time(time) => Some(day(*time)),
        Datum::Text(text) => {
            let text = text.trim();
            text.parse::<Timestamp>().map(day).or_else(|_| text.parse()).ok()
        }
        _ => None,
    };
    date.map(Value::Date)
        .ok_or_else(|| Misfit::new("its value is no date", "map a date, as {{ booking.start|day }} or 2026-05-31"))
}

fn time(value: &Datum) -> Result<Value, Misfit> {
    let time = match value {
        Datum::Time(time) => Some(*time),
        Datum::Text(text) => text.trim().parse().ok(),
        _ => None,
    };
    time.map(Value::Time).ok_or_else(|| {
        Misfit::new("its value is no point in time", "map one, as {{ booking.start }} or 2026-05-31T09:00:00Z")
    })
}

/// The active value of a picklist, in the spelling of the CRM.
fn choice(text: &str, field: &FieldDescription) -> Result<String, Misfit> {
    let same = |known: &&String| known.as_str() == text;
    let alike = |known: &&String| known.to_lowercase() == text.to_lowercase();
    if let Some(known) = field.values.iter().find(same).or_else(|| field.values.iter().find(alike)) {
        return Ok(known.clone());
    }
    if !field.restricted {
        return match uncut(text.to_owned(), field)? {
            Value::Text(text) => Ok(text),
            _ => Ok(text.to_owned()),
        };
    }
    let named = field.values.iter().take(NAMED_MAX).cloned().collect::<Vec<_>>().join(", ");
    let more = if field.values.len() > NAMED_MAX { ", …" } else { "" };
    Err(Misfit::new(
        format!("its value is none of the picklist's active ones ({named}{more})"),
        "add it to the picklist, or map it, as {{ {\"Yes\": \"Hot\"}[answer(\"Interested\")] }}",
    ))
}

fn choices(value: &Datum, field: &FieldDescription) -> Result<Value, Misfit> {
    let chosen = text(value)?;
    let mut out: Vec<String> = Vec::new();
    for one in chosen.split(CHOICE_SEPARATOR).map(squeeze).filter(|one| !one.is_empty()) {
        let one = choice(&one, field)?;
        if !out.contains(&one) {
            out.push(one);
        }
    }
    if out.is_empty() { Ok(Value::Null) } else { Ok(Value::Text(out.join(CHOICE_SEPARATOR))) }
}

fn reference(value: &Datum) -> Result<Value, Misfit> {
    /// Longest id of a record: a UUID with its hyphens and as much again.
    const ID_CHARS_MAX: usize = 72;
    match value {
        Datum::Record(Reference::Id(id)) => Ok(Value::Id(id.clone())),
        Datum::Record(Reference::Slot(slot)) => Ok(Value::Slot(*slot)),
        Datum::Text(text) => {
            let id = text.trim();
            let is_id =
                id.len() <= ID_CHARS_MAX && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
            is_id.then(|| Value::Id(RecordId::new(id)))
        }
        .ok_or_else(no_record),
        _ => Err(no_record()),
    }
}

/// A record's id in a text field, also of a record that is made by the same call.
fn id(value: &Datum, field: &FieldDescription) -> Result<Value, Misfit> {
    match field.length {
        Some(length) if length < ID_ROOM => Err(Misfit::new(
            format!("the id of a record does not fit into {length} characters"),
            format!("give the field at least {ID_ROOM}"),
        )),
        _ => reference(value),
    }
}

fn no_record() -> Misfit {
    Misfit::new("its value is no record", "map a record, as {{ person.id }}, or the id of one")
}
