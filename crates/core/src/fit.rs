//! Brings a value into the kind that a field holds. Text is cut between graphemes; whatever else does not fit is
//! refused, because a number or an address that was bent into shape says something else than was meant.

use std::borrow::Cow;

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use rust_decimal::{Decimal, RoundingStrategy};

use crate::{
    description::{FieldDescription, FieldKind},
    expr::{Datum, Reference, graphemes},
    ids::RecordId,
    person::{normal_address, squeezed},
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
        return Ok(BLANK);
    }
    unless_blank(fit_kind(value, field, zone)?)
}

/// As [`fit`], of a value that a record holds: what a record of another vendor holds in the same form is taken as it is.
pub fn fit_value(value: &Value, field: &FieldDescription, zone: &TimeZone) -> Result<Fitted, Misfit> {
    match value {
        Value::Text(text) => fit_text(text, field, zone),
        Value::Decimal(text) if field.kind == FieldKind::Number && is_plain_number(text, field.scale) => {
            let (whole, _) = text.split_once('.').unwrap_or((text, ""));
            let digits = whole.bytes().filter(u8::is_ascii_digit).count();
            room_for(if whole.trim_start_matches('-') == "0" { 0 } else { digits }, field)?;
            Ok(Fitted { value: value.clone(), cut: false })
        }
        other => fit(&value_of(other), field, zone),
    }
}

/// As [`fit`], of a text.
pub fn fit_text(text: &str, field: &FieldDescription, zone: &TimeZone) -> Result<Fitted, Misfit> {
    if text.trim().is_empty() {
        return Ok(BLANK);
    }
    unless_blank(fit_written(text, field).unwrap_or_else(|| fit_other(&Datum::text(text), field, zone))?)
}

const BLANK: Fitted = Fitted { value: Value::Null, cut: false };

fn unless_blank(fitted: Fitted) -> Result<Fitted, Misfit> {
    match &fitted.value {
        // Nothing was there but control characters.
        Value::Text(text) if text.trim().is_empty() => Ok(BLANK),
        _ => Ok(fitted),
    }
}

fn whole(value: Value) -> Fitted {
    Fitted { value, cut: false }
}

/// A text in a field whose values are written as text; nothing for any other field.
fn fit_written(text: &str, field: &FieldDescription) -> Option<Result<Fitted, Misfit>> {
    Some(match field.kind {
        FieldKind::Text => cut(&squeezed(text), field),
        FieldKind::TextArea => cut(text.trim(), field),
        FieldKind::Email => email(text, field).map(whole),
        FieldKind::Phone | FieldKind::Url => uncut(squeezed(text), field).map(whole),
        FieldKind::Picklist => choice(&squeezed(text), field).map(Value::Text).map(whole),
        FieldKind::MultiPicklist => choices(text, field).map(whole),
        FieldKind::Number
        | FieldKind::Boolean
        | FieldKind::Date
        | FieldKind::DateTime
        | FieldKind::Reference
        | FieldKind::Other => return None,
    })
}

fn fit_kind(value: &Datum, field: &FieldDescription, zone: &TimeZone) -> Result<Fitted, Misfit> {
    match field.kind {
        // Not every object can be referred to by a reference field; some CRMs allow none to events.
        FieldKind::Text | FieldKind::TextArea if matches!(value, Datum::Record(_)) => id(value, field).map(whole),
        FieldKind::Text
        | FieldKind::TextArea
        | FieldKind::Email
        | FieldKind::Phone
        | FieldKind::Url
        | FieldKind::Picklist
        | FieldKind::MultiPicklist => {
            let text = text(value)?;
            fit_written(&text, field).unwrap_or_else(|| fit_other(value, field, zone))
        }
        _ => fit_other(value, field, zone),
    }
}

/// A value in a field whose values are not texts.
fn fit_other(value: &Datum, field: &FieldDescription, zone: &TimeZone) -> Result<Fitted, Misfit> {
    match field.kind {
        FieldKind::Number => number(value, field).map(whole),
        FieldKind::Boolean => boolean(value).map(whole),
        FieldKind::Date => date(value, zone).map(whole),
        FieldKind::DateTime => time(value).map(whole),
        FieldKind::Reference => reference(value).map(whole),
        _ => Err(Misfit::new("fields of its kind are not written", "take it out of the mapping")),
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

fn text(value: &Datum) -> Result<Cow<'_, str>, Misfit> {
    if let Datum::Text(text) = value {
        return Ok(Cow::Borrowed(text));
    }
    text_of(value).map(Cow::Owned).ok_or_else(|| {
        Misfit::new(format!("its value is {}, not a text", value.kind()), "name the part of it that is meant")
    })
}

fn cut(text: &str, field: &FieldDescription) -> Result<Fitted, Misfit> {
    let length = field.length.map_or(usize::MAX, bounded);
    let kept = graphemes(text, length).trim_end();
    if kept.is_empty() && !text.is_empty() {
        return Err(Misfit::new("not one character of its value fits", "choose a longer field"));
    }
    Ok(Fitted { cut: kept.len() < text.len(), value: Value::text(kept) })
}

fn uncut(text: Cow<'_, str>, field: &FieldDescription) -> Result<Value, Misfit> {
    match field.length {
        // Bytes are at least as many as characters.
        Some(length) if text.len() > bounded(length) && text.chars().count() > bounded(length) => Err(Misfit::new(
            format!("its value is longer than {length} characters, and cut short it would be wrong"),
            "map it into a text field as well",
        )),
        _ => Ok(Value::Text(text.into_owned())),
    }
}

fn bounded(length: u32) -> usize {
    usize::try_from(length).unwrap_or(usize::MAX)
}

fn email(text: &str, field: &FieldDescription) -> Result<Value, Misfit> {
    let Some(email) = normal_address(text) else {
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
    let before_point = number.trunc().mantissa().unsigned_abs();
    let digits = before_point.checked_ilog10().map_or(0, |power| bounded(power) + 1);
    room_for(digits, field)?;
    Ok(Value::Decimal(number.normalize().to_string()))
}

/// Whether so many digits before the point fit.
fn room_for(digits: usize, field: &FieldDescription) -> Result<(), Misfit> {
    let room = field.precision.saturating_sub(field.scale);
    if field.precision > 0 && digits > bounded(room) {
        return Err(Misfit::new(
            format!("its value has more than {room} digits before the point"),
            "choose a larger field",
        ));
    }
    Ok(())
}

/// Digits that every number in use has room for, so that it need not be worked with to know that it is exact.
const PLAIN_DIGITS_MAX: usize = 27;

/// Whether a number is written as it would be given back after rounding to `scale`: nothing in front of it, nothing
/// behind it that could be left out.
pub(crate) fn is_plain_number(text: &str, scale: u32) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, part) = digits.split_once('.').map_or((digits, None), |(whole, part)| (whole, Some(part)));
    let are_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text != "-0"
        && digits.len() <= PLAIN_DIGITS_MAX
        && are_digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && part.is_none_or(|part| are_digits(part) && !part.ends_with('0') && part.len() <= bounded(scale))
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
    let alike = |known: &&String| match known.is_ascii() && text.is_ascii() {
        true => known.eq_ignore_ascii_case(text),
        false => known.to_lowercase() == text.to_lowercase(),
    };
    if let Some(known) = field.values.iter().find(same).or_else(|| field.values.iter().find(alike)) {
        return Ok(known.clone());
    }
    if !field.restricted {
        return match uncut(Cow::Borrowed(text), field)? {
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

fn choices(chosen: &str, field: &FieldDescription) -> Result<Value, Misfit> {
    let mut out: Vec<String> = Vec::new();
    for one in chosen.split(CHOICE_SEPARATOR).map(squeezed).filter(|one| !one.is_empty()) {
        let one = choice(&one, field)?;
        if !out.contains(&one) {
            out.push(one);
        }
    }
    match out.len() {
        0 => Ok(Value::Null),
        1 => Ok(out.pop().map_or(Value::Null, Value::Text)),
        _ => Ok(Value::Text(out.join(CHOICE_SEPARATOR))),
    }
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
