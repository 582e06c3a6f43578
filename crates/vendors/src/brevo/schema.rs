//! The account's attributes: which there are and which values they take. Pure.

use std::collections::BTreeMap;

use syncline_core::description::{FieldDescription, FieldKind, Habits, ObjectDescription};

use super::{
    companies::{self, OF_CONTACT},
    convert::{CONTACT, CREATED_AT, EMAIL, EMAIL_OUT, EXT_ID, LISTS, LISTS_LEFT, PHONES, SMS_OUT},
    wire::{Attribute, List},
};

/// Digits behind the point that are compared: a float has fifteen digits in all.
const FLOAT_SCALE: u32 = 6;

/// Longest address (RFC 5321).
const EMAIL_CHARS: u32 = 254;

/// Choices that a field's label names; the rest are told by the choices themselves.
const NAMED_MAX: usize = 50;

/// The account's attributes by name.
#[derive(Debug, Default)]
pub struct Schema(BTreeMap<String, Takes>);

/// What values an attribute takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Takes {
    Text,
    Date,
    Float,
    Boolean,
    /// One of these numbers, with their labels.
    Category(Vec<(String, String)>),
    Choices(Vec<String>),
    /// An id of a user or order: read, and not written by us.
    Foreign,
    /// Worked out by Brevo.
    Calculated,
}

impl Schema {
    pub fn new(attributes: Vec<Attribute>) -> Self {
        Self(attributes.into_iter().map(|attribute| (attribute.name.clone(), takes(attribute))).collect())
    }

    pub fn get(&self, name: &str) -> Option<&Takes> {
        self.0.get(name)
    }

    /// The kind as the mapping sees it. A choice is named by what Brevo gives back: of a list or a category its number.
    pub fn describe(&self, lists: &[List]) -> ObjectDescription {
        let own = self.0.iter().filter(|(name, _)| !is_identifier(name));
        let mut fields: BTreeMap<String, FieldDescription> =
            own.map(|(name, takes)| (name.clone(), described(name, takes))).collect();
        fields.insert(EMAIL.to_owned(), email());
        for (name, label) in PHONES {
            fields.insert((*name).to_owned(), phone(label));
        }
        for (name, label) in [(EMAIL_OUT, "Opted out of e-mail"), (SMS_OUT, "Opted out of SMS")] {
            let flag = FieldDescription { nillable: false, ..FieldDescription::plain(label, FieldKind::Boolean) };
            fields.insert(name.to_owned(), flag);
        }
        let named: Vec<(String, String)> = lists.iter().map(|list| (list.id.to_string(), list.name.clone())).collect();
        let values: Vec<String> = named.iter().map(|(id, _)| id.clone()).collect();
        let on = FieldDescription {
            restricted: true,
            values: values.clone(),
            ..FieldDescription::plain(with_labels("Lists", &named), FieldKind::MultiPicklist)
        };
        let left = FieldDescription {
            values,
            ..FieldDescription::read_only("Lists unsubscribed from", FieldKind::MultiPicklist)
        };
        fields.insert(LISTS.to_owned(), on);
        fields.insert(LISTS_LEFT.to_owned(), left);
        fields.insert(CREATED_AT.to_owned(), FieldDescription::read_only("Created", FieldKind::DateTime));
        fields.insert(OF_CONTACT.to_owned(), companies::of_contact());
        ObjectDescription {
            name: CONTACT.to_owned(),
            label: "Contact".to_owned(),
            createable: true,
            updateable: true,
            relates_many: false,
            fields,
        }
    }
}

fn is_identifier(name: &str) -> bool {
    name == EMAIL || name == EXT_ID || PHONES.iter().any(|(phone, _)| *phone == name)
}

fn takes(attribute: Attribute) -> Takes {
    match (attribute.category.as_str(), attribute.kind.as_deref()) {
        ("calculated" | "global", _) => Takes::Calculated,
        ("category", _) => {
            let choices = attribute.enumeration.unwrap_or_default().into_iter();
            let choice = |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            Takes::Category(choices.map(|one| (choice(&one.value), one.label.unwrap_or_default())).collect())
        }
        (_, Some("multiple-choice")) => Takes::Choices(attribute.multi_category_options.unwrap_or_default()),
        (_, Some("date")) => Takes::Date,
        (_, Some("float")) => Takes::Float,
        (_, Some("boolean")) => Takes::Boolean,
        (_, Some("id" | "user")) => Takes::Foreign,
        _ => Takes::Text,
    }
}

fn described(name: &str, takes: &Takes) -> FieldDescription {
    match takes {
        Takes::Text => FieldDescription::plain(name, FieldKind::Text),
        Takes::Date => FieldDescription::plain(name, FieldKind::Date),
        Takes::Float => FieldDescription { scale: FLOAT_SCALE, ..FieldDescription::plain(name, FieldKind::Number) },
        Takes::Boolean => FieldDescription::plain(name, FieldKind::Boolean),
        Takes::Category(choices) => FieldDescription {
            restricted: true,
            values: choices.iter().map(|(value, _)| value.clone()).collect(),
            ..FieldDescription::plain(with_labels(name, choices), FieldKind::Picklist)
        },
        Takes::Choices(options) => FieldDescription {
            restricted: true,
            values: options.clone(),
            ..FieldDescription::plain(name, FieldKind::MultiPicklist)
        },
        Takes::Foreign => FieldDescription::read_only(name, FieldKind::Other),
        Takes::Calculated => {
            FieldDescription { calculated: true, ..FieldDescription::read_only(name, FieldKind::Other) }
        }
    }
}

/// `STAGE (1 Lead, 2 Customer)`: the values are numbers, which say nothing to people.
fn with_labels(label: &str, choices: &[(String, String)]) -> String {
    let named: Vec<String> =
        choices.iter().take(NAMED_MAX).map(|(value, label)| format!("{value} {label}").trim().to_owned()).collect();
    if named.is_empty() { label.to_owned() } else { format!("{label} ({})", named.join(", ")) }
}

fn email() -> FieldDescription {
    FieldDescription {
        length: Some(EMAIL_CHARS),
        nillable: false,
        unique: true,
        habits: Habits { lower_case: true, trims: true, ..Habits::default() },
        ..FieldDescription::plain("E-mail", FieldKind::Email)
    }
}

fn phone(label: &str) -> FieldDescription {
    FieldDescription {
        unique: true,
        habits: Habits { digits_only: true, ..Habits::default() },
        ..FieldDescription::plain(label, FieldKind::Phone)
    }
}
