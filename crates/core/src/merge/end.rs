//! One side's field of a rule: its normal form, and how a value of the other side becomes one of its own.

use std::{borrow::Cow, collections::BTreeMap};

use jiff::tz::TimeZone;
use rust_decimal::{Decimal, RoundingStrategy};

use super::consent::OptIn;
use crate::{
    description::{FieldDescription, FieldKind},
    expr::{Expression, Scope},
    fit::{Fitted, Misfit, fit, fit_text, fit_value, is_plain_number, value_of},
    ids::RecordId,
    person::{is_squeezed, normal_address, squeezed},
    record::Value,
};

/// Fewest and most digits of a number that can be called (E.164 allows fifteen; some add a digit for a trunk).
pub const PHONE_DIGITS_MIN: usize = 6;
pub const PHONE_DIGITS_MAX: usize = 16;

/// Separates the entries of a value of several.
pub const ENTRY_SEPARATOR: char = ';';

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
    /// Of a field of consent: what shows that somebody opted in again.
    pub opted_in: Option<OptIn>,
    /// The other side's value names a record, and this side is told its counterpart in one of these pairs, by their names:
    /// the first that has one. For which record that is which stands in `options` while a record is decided about.
    pub counterpart_in: Vec<String>,
}

impl End {
    /// A field that takes values as they are.
    pub fn new(field: impl Into<String>, shape: FieldDescription) -> Self {
        Self {
            field: field.into(),
            shape,
            options: BTreeMap::new(),
            convert: None,
            opted_in: None,
            counterpart_in: Vec::new(),
        }
    }

    /// Whether the other side's values are taken without being given other names.
    pub(super) fn as_it_is(&self) -> bool {
        self.options.is_empty() && self.convert.is_none()
    }

    /// Whether an entry of the other side, by itself, is one of this side's in the same letters.
    pub(super) fn keeps_entry(&self, entry: &str) -> bool {
        let free = !self.shape.restricted && self.shape.values.is_empty() && !self.shape.habits.lower_case;
        self.as_it_is() && free && self.shape.kind == FieldKind::MultiPicklist && !self.exceeds(entry)
    }

    /// Whether an existing record's field can be written.
    pub fn writable(&self) -> bool {
        self.shape.updateable && !self.shape.calculated
    }

    /// A value in the form in which this side would give it back. Doing it twice changes nothing.
    pub fn normal<'a>(&self, value: &'a Value) -> Cow<'a, Value> {
        match value {
            Value::Text(text) => self.normal_text(text).map_or(Cow::Borrowed(value), Cow::Owned),
            Value::Decimal(text) if is_plain_number(text, self.scale()) => Cow::Borrowed(value),
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
            FieldKind::Email => normal_address(text).unwrap_or(Cow::Borrowed(text)),
            FieldKind::Phone if habits.digits_only => digits_of(text),
            _ => Cow::Borrowed(text),
        };
        let small = |text: &str| text.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase());
        let held = if habits.lower_case && !small(&held) { Cow::Owned(held.to_lowercase()) } else { held };
        let held = match held.trim() {
            trimmed if habits.trims && trimmed.len() < held.len() => Cow::Owned(trimmed.to_owned()),
            _ => held,
        };
        // Last, because entries are sorted and told apart in the letters that they end up with.
        let held = match self.shape.kind {
            FieldKind::MultiPicklist if !are_entries(&held) => Cow::Owned(set_text(&set_entries(&held))),
            _ => held,
        };
        if held.trim().is_empty() {
            return Some(Value::Null);
        }
        (held != text).then(|| Value::Text(held.into_owned()))
    }

    /// Digits behind the point that this side keeps.
    fn scale(&self) -> u32 {
        if self.shape.kind == FieldKind::Number { self.shape.scale } else { u32::MAX }
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
        if let Some(there) = self.counterpart(other) {
            return Ok(there);
        }
        let fitted = match (&self.convert, other) {
            (None, Value::Text(text)) => self.fit_text(text),
            (None, other) => fit_value(other, &self.shape, &TimeZone::UTC),
            (Some(convert), other) => self.converted(convert, other),
        };
        self.held(fitted?, truncate)
    }

    /// The counterpart of the record that a value names.
    fn counterpart(&self, other: &Value) -> Option<Value> {
        let (Value::Id(_) | Value::Text(_), false) = (other, self.counterpart_in.is_empty()) else { return None };
        let named = match other {
            Value::Id(id) => id.as_str(),
            other => other.as_text()?.trim(),
        };
        self.options.get(named).map(|there| Value::Id(RecordId::new(there.as_str())))
    }

    /// As [`End::take`], of a text.
    pub(super) fn take_text(&self, other: &str, truncate: bool) -> Result<Value, Misfit> {
        match self.convert {
            None => self.held(self.fit_text(other)?, truncate),
            Some(_) => self.take(&Value::text(other), truncate),
        }
    }

    fn fit_text(&self, other: &str) -> Result<Fitted, Misfit> {
        fit_text(&self.renamed(other), &self.shape, &TimeZone::UTC)
    }

    /// What fits, in the form in which this side would give it back.
    fn held(&self, fitted: Fitted, truncate: bool) -> Result<Value, Misfit> {
        let Fitted { value, cut } = fitted;
        if self.shape.kind == FieldKind::Phone
            && let Value::Text(number) = &value
        {
            check_phone(number)?;
        }
        let (value, cut_again) = self.shortened(self.normalised(value))?;
        if (cut || cut_again) && !truncate {
            return Err(self.too_long());
        }
        if value == Value::Null { self.empty() } else { Ok(value) }
    }

    fn normalised(&self, value: Value) -> Value {
        match self.normal(&value) {
            Cow::Borrowed(_) => value,
            Cow::Owned(normal) => normal,
        }
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
                    let fitted = fit_text(text, &self.shape, &TimeZone::UTC)?;
                    Ok((self.normalised(fitted.value), true))
                }
                _ => Err(self.too_long()),
            },
            _ => Ok((value, false)),
        }
    }

    /// A text of the other side in this side's words.
    fn renamed<'a>(&self, other: &'a str) -> Cow<'a, str> {
        if self.options.is_empty() {
            return Cow::Borrowed(other);
        }
        let named = |entry: &'a str| self.options.get(entry).map_or(entry.to_owned(), String::clone);
        match self.options.get(other) {
            Some(option) => Cow::Owned(option.clone()),
            None => Cow::Owned(other.split(ENTRY_SEPARATOR).map(named).collect::<Vec<_>>().join(";")),
        }
    }

    fn converted(&self, convert: &Expression, other: &Value) -> Result<Fitted, Misfit> {
        let datum = match other {
            Value::Text(text) if !self.options.is_empty() => self.renamed(text).as_ref().into(),
            other => value_of(other),
        };
        let mut scope = Scope::default();
        scope.set("value", datum);
        let converted = convert.evaluate(&scope).map_err(|error| {
            Misfit::new(format!("its value cannot be converted: {}", error.reason), "mend the mapping")
        })?;
        fit(&converted, &self.shape, &TimeZone::UTC)
    }
}

/// The digits of a number that are dialled, without the access code that stands for the plus; the text where it has
/// none.
fn digits_of(text: &str) -> Cow<'_, str> {
    let all = text.bytes().all(|byte| byte.is_ascii_digit());
    let digits = if all {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.chars().filter(char::is_ascii_digit).collect::<String>())
    };
    match digits.trim_start_matches("00") {
        "" => Cow::Borrowed(text),
        dialled if dialled.len() < digits.len() => Cow::Owned(dialled.to_owned()),
        _ => digits,
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
pub type Entries<'a> = Vec<Cow<'a, str>>;

/// The entries that a value of several names, sorted, each once.
pub fn set_entries(text: &str) -> Entries<'_> {
    as_entries(text.split(ENTRY_SEPARATOR).map(squeezed).filter(|entry| !entry.is_empty()).collect())
}

/// These entries in their order, each once.
pub(super) fn as_entries(mut entries: Entries<'_>) -> Entries<'_> {
    if !entries.is_sorted_by(|one, next| one < next) {
        entries.sort_unstable();
        entries.dedup();
    }
    entries
}

/// Whether a text is as [`set_text`] would write its entries.
fn are_entries(text: &str) -> bool {
    let mut before = "";
    text.split(ENTRY_SEPARATOR).all(|entry| {
        let follows = before < entry && is_squeezed(entry);
        before = entry;
        follows
    })
}

/// Entries as one value; none are an empty text.
pub fn set_text(entries: &[Cow<'_, str>]) -> String {
    let mut text = String::with_capacity(entries.iter().map(|entry| entry.len() + 1).sum());
    for entry in entries {
        if !text.is_empty() {
            text.push(ENTRY_SEPARATOR);
        }
        text.push_str(entry);
    }
    text
}
