//! One side's field of a rule: its normal form, and how a value of the other side becomes one of its own.

use std::{borrow::Cow, collections::BTreeMap};

use jiff::tz::TimeZone;
use rust_decimal::{Decimal, RoundingStrategy};

use crate::{
    description::{FieldDescription, FieldKind},
    expr::{Datum, Expression, Scope},
    fit::{Misfit, fit, value_of},
    person::{normal_email, squeeze},
    record::Value,
};

/// Fewest and most digits of a number that can be called (E.164 allows fifteen; some add a digit for a trunk).
pub const PHONE_DIGITS_MIN: usize = 6;
pub const PHONE_DIGITS_MAX: usize = 16;

/// Separates the entries of a value of several.
pub(super) const ENTRY_SEPARATOR: char = ';';

/// One side's field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// The vendor's own name.
    pub field: String,
    pub shape: FieldDescription,
    /// What this side calls the other's options.
    pub options: BTreeMap<String, String>,
    /// Works this side's value out of the other's, which it names `value`.
    pub convert: Option<Expression>,
}

impl End {
    /// A field that takes values as they are.
    pub fn new(field: impl Into<String>, shape: FieldDescription) -> Self {
        Self { field: field.into(), shape, options: BTreeMap::new(), convert: None }
    }

    /// Whether the other side's values are taken without being given other names.
    pub(super) fn as_it_is(&self) -> bool {
        self.options.is_empty() && self.convert.is_none()
    }

    /// Whether an existing record's field can be written.
    pub fn writable(&self) -> bool {
        self.shape.updateable && !self.shape.calculated
    }

    /// A value in the form in which this side would give it back. Doing it twice changes nothing.
    pub fn normal<'a>(&self, value: &'a Value) -> Cow<'a, Value> {
        match value {
            Value::Text(text) => self.normal_text(text).map_or(Cow::Borrowed(value), Cow::Owned),
            Value::Decimal(text) => match text.parse::<Decimal>() {
                Ok(number) => {
                    let held = self.rounded(number).to_string();
                    if held == *text { Cow::Borrowed(value) } else { Cow::Owned(Value::Decimal(held)) }
                }
                Err(_) => Cow::Borrowed(value),
            },
            Value::Time(time) if self.shape.habits.whole_seconds && time.subsec_nanosecond() != 0 => {
                let whole = jiff::Timestamp::from_second(time.as_second() - i64::from(time.subsec_nanosecond() < 0));
                whole.map_or(Cow::Borrowed(value), |whole| Cow::Owned(Value::Time(whole)))
            }
            Value::Null | Value::Bool(_) | Value::Date(_) | Value::Time(_) | Value::Id(_) | Value::Slot(_) => {
                Cow::Borrowed(value)
            }
        }
    }

    /// Nothing where the text is in its normal form already.
    fn normal_text(&self, text: &str) -> Option<Value> {
        let habits = self.shape.habits;
        let held: Cow<'_, str> = match self.shape.kind {
            FieldKind::Email => normal_email(text).map_or(Cow::Borrowed(text), Cow::Owned),
            FieldKind::Phone if habits.digits_only => {
                let digits: String = text.chars().filter(char::is_ascii_digit).collect();
                let digits = digits.trim_start_matches("00");
                if digits.is_empty() { Cow::Borrowed(text) } else { Cow::Owned(digits.to_owned()) }
            }
            _ => Cow::Borrowed(text),
        };
        let held = if habits.lower_case { Cow::Owned(held.to_lowercase()) } else { held };
        let held = if habits.trims { Cow::Owned(held.trim().to_owned()) } else { held };
        // Last, because entries are sorted and told apart in the letters that they end up with.
        let held = match self.shape.kind {
            FieldKind::MultiPicklist => Cow::Owned(join(&entries(&held))),
            _ => held,
        };
        if held.trim().is_empty() {
            return Some(Value::Null);
        }
        (held != text).then(|| Value::Text(held.into_owned()))
    }

    fn rounded(&self, number: Decimal) -> Decimal {
        let number = match self.shape.kind {
            FieldKind::Number => {
                number.round_dp_with_strategy(self.shape.scale, RoundingStrategy::MidpointAwayFromZero)
            }
            _ => number,
        };
        let number = number.normalize();
        // Nothing is neither above nor below.
        if number.is_zero() { Decimal::ZERO } else { number }
    }

    /// The other side's value as this side would hold it.
    pub fn take(&self, other: &Value, truncate: bool) -> Result<Value, Misfit> {
        let translated = self.translated(other)?;
        let fitted = fit(&translated, &self.shape, &TimeZone::UTC)?;
        if self.shape.kind == FieldKind::Phone
            && let Value::Text(number) = &fitted.value
        {
            check_phone(number)?;
        }
        let value = self.normal(&fitted.value).into_owned();
        let (value, cut) = self.shortened(value)?;
        if (fitted.cut || cut) && !truncate {
            return Err(self.too_long());
        }
        if value == Value::Null { self.empty() } else { Ok(value) }
    }

    /// Nothing, where this side's field may be without a value.
    pub(super) fn empty(&self) -> Result<Value, Misfit> {
        if self.shape.nillable {
            return Ok(Value::Null);
        }
        Err(Misfit::new(
            format!("{} cannot be empty", self.field),
            "give the record a value, or ignore blanks of this field",
        ))
    }

    pub(super) fn too_long(&self) -> Misfit {
        let length = self.shape.length.unwrap_or_default();
        Misfit::new(
            format!("its value is longer than the {length} characters that {} takes", self.field),
            "shorten it, or let the mapping cut it (`truncate`)",
        )
    }

    /// Whether a text is longer than the field.
    pub(super) fn exceeds(&self, text: &str) -> bool {
        // Bytes are at least as many as characters.
        self.shape.length.is_some_and(|length| {
            let length = usize::try_from(length).unwrap_or(usize::MAX);
            text.len() > length && text.chars().count() > length
        })
    }

    /// A few letters grow when they are made small, and several choices are longer than each of them.
    fn shortened(&self, value: Value) -> Result<(Value, bool), Misfit> {
        match &value {
            Value::Text(text) if self.exceeds(text) => match self.shape.kind {
                FieldKind::Text | FieldKind::TextArea => {
                    let fitted = fit(&Datum::text(text), &self.shape, &TimeZone::UTC)?;
                    Ok((self.normal(&fitted.value).into_owned(), true))
                }
                _ => Err(self.too_long()),
            },
            _ => Ok((value, false)),
        }
    }

    fn translated(&self, other: &Value) -> Result<Datum, Misfit> {
        let datum = match other {
            Value::Text(text) if !self.options.is_empty() => {
                let named = |entry: &str| self.options.get(entry).map_or(entry.to_owned(), String::clone);
                match self.options.get(text) {
                    Some(option) => Datum::text(option),
                    None => Datum::text(&text.split(ENTRY_SEPARATOR).map(named).collect::<Vec<_>>().join(";")),
                }
            }
            other => value_of(other),
        };
        let Some(convert) = &self.convert else { return Ok(datum) };
        let mut scope = Scope::default();
        scope.set("value", datum);
        convert.evaluate(&scope).map_err(|error| {
            Misfit::new(format!("its value cannot be converted: {}", error.reason), "mend the mapping")
        })
    }
}

fn check_phone(number: &str) -> Result<(), Misfit> {
    let digits = number.chars().filter(char::is_ascii_digit).count();
    if (PHONE_DIGITS_MIN..=PHONE_DIGITS_MAX).contains(&digits) {
        return Ok(());
    }
    Err(Misfit::new(
        format!("a phone number has {PHONE_DIGITS_MIN} to {PHONE_DIGITS_MAX} digits"),
        "correct the number",
    ))
}

/// The entries of a value of several, sorted, each once.
pub(super) fn entries(text: &str) -> std::collections::BTreeSet<String> {
    text.split(ENTRY_SEPARATOR).map(squeeze).filter(|entry| !entry.is_empty()).collect()
}

/// Entries as one text.
pub(super) fn join<'a>(entries: impl IntoIterator<Item = &'a String>) -> String {
    entries.into_iter().map(String::as_str).collect::<Vec<_>>().join(";")
}
