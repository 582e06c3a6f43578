//! `mapping` and `record` of a meeting type: values of an admin's own, compiled as they are read.

use anyhow::bail;
use serde::Deserialize;
use syncline_core::{
    booking::mapping::{Mapping, RecordField, RecordTemplate, Target, When},
    expr::{CompileError, Expression},
    ids::ObjectName,
    record::Field,
};

use super::place::{FoundBy, Refused};

/// Longest name of a further record.
const NAME_CHARS_MAX: usize = 40;
/// Longest name of a field or object: Salesforce's own limit is 40 and a namespace.
const API_NAME_CHARS_MAX: usize = 80;

/// A value for one field.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema, serde::Serialize))]
#[serde(deny_unknown_fields)]
pub struct MappingFile {
    /// The record that the field belongs to.
    on: OnFile,
    /// The field's API name, to the letter.
    field: String,
    /// What goes into it: a text in which `{{ … }}` is replaced.
    value: String,
    /// Whether a record that is there already is written to. Absent: `if_empty` for people and accounts, else `always`.
    when: Option<WhenFile>,
}

/// A further record of every booking.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema, serde::Serialize))]
#[serde(deny_unknown_fields)]
pub struct RecordFile {
    /// Tells it apart: a booking's record stays the same for as long as its name does.
    name: String,
    /// API name of the object. It needs the same external id field as the others.
    object: String,
    /// A condition, such as `booking.minutes > 30`; a booking for which it does not hold gets no such record. Absent:
    /// every booking gets one.
    when: Option<String>,
    /// Its fields.
    #[serde(default)]
    fields: Vec<RecordFieldFile>,
}

/// A field of a further record.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema, serde::Serialize))]
#[serde(deny_unknown_fields)]
struct RecordFieldFile {
    /// The field's API name, to the letter.
    field: String,
    /// What goes into it.
    value: String,
    /// `never`: only when the record is made. Absent: kept in step with the booking.
    when: Option<WhenFile>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema, serde::Serialize))]
#[serde(rename_all = "snake_case")]
enum OnFile {
    /// The account of the invitee or a guest.
    Account,
    /// The invitee, as a contact.
    Contact,
    /// The invitee, as a lead.
    Lead,
    /// A guest, as contact or lead.
    Guest,
    /// The case.
    Case,
    /// The opportunity.
    Opportunity,
    /// The event.
    Meeting,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema, serde::Serialize))]
#[serde(rename_all = "snake_case")]
enum WhenFile {
    /// Only when the record is made.
    Never,
    /// Where the field is empty.
    IfEmpty,
    /// Whatever stands there.
    Always,
}

impl From<OnFile> for Target {
    fn from(on: OnFile) -> Self {
        match on {
            OnFile::Account => Target::Account,
            OnFile::Contact => Target::Contact,
            OnFile::Lead => Target::Lead,
            OnFile::Guest => Target::Guest,
            OnFile::Case => Target::Case,
            OnFile::Opportunity => Target::Opportunity,
            OnFile::Meeting => Target::Meeting,
        }
    }
}

impl From<WhenFile> for When {
    fn from(when: WhenFile) -> Self {
        match when {
            WhenFile::Never => When::Never,
            WhenFile::IfEmpty => When::IfEmpty,
            WhenFile::Always => When::Always,
        }
    }
}

impl MappingFile {
    pub(super) fn into_mapping(self) -> anyhow::Result<Mapping> {
        let on = Target::from(self.on);
        let place = format!("{}.{}", on.as_str(), self.field);
        api_name(&self.field, &place)?;
        Ok(Mapping {
            on,
            field: Field::Native(self.field.clone()),
            value: compiled(Expression::compile, &self.value, &place)?,
            when: self.when.map_or(on.default_when(), When::from),
            name: self.field,
        })
    }
}

impl RecordFile {
    pub(super) fn into_template(self) -> anyhow::Result<RecordTemplate> {
        if self.name.is_empty() || self.name.chars().count() > NAME_CHARS_MAX {
            bail!("the name of a further record has 1 to {NAME_CHARS_MAX} characters");
        }
        api_name(&self.object, &self.name)?;
        let when = self.when.as_deref().map(|when| {
            compiled(Expression::condition, when, &format!("the condition of the further record `{}`", self.name))
        });
        let mut fields = Vec::with_capacity(self.fields.len());
        for field in self.fields {
            let place = format!("{}.{}", self.name, field.field);
            api_name(&field.field, &place)?;
            fields.push(RecordField {
                value: compiled(Expression::compile, &field.value, &place)?,
                when: field.when.map_or(When::Always, When::from),
                name: field.field,
            });
        }
        Ok(RecordTemplate { name: self.name, object: ObjectName::new(self.object), when: when.transpose()?, fields })
    }
}

fn compiled(
    compile: impl FnOnce(&str) -> Result<Expression, CompileError>,
    text: &str,
    place: &str,
) -> anyhow::Result<Expression> {
    compile(text).map_err(|CompileError { line, column, reason, example }| {
        let found_by = FoundBy::Value { text: text.to_owned(), line, column };
        let reason = format!("the value of `{place}` cannot be used: {reason}; for example: {example}");
        Refused { found_by, reason }.into()
    })
}

/// A name that some CRM could have: some number their objects (`2-3453932`), and some have names in two parts
/// (`associations.contacts`). Whether this one does its connector says.
fn api_name(name: &str, place: &str) -> anyhow::Result<()> {
    let is_part = |part: &str| {
        part.starts_with(|first: char| first.is_ascii_alphanumeric())
            && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
    };
    let sound = name.split('.').all(is_part) && name.len() <= API_NAME_CHARS_MAX;
    if sound {
        Ok(())
    } else {
        bail!("`{name}` of `{place}` is no API name: those look like `Industry` or `Booking_Log__c`")
    }
}
