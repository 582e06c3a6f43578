//! The account's fields as the mapping sees them. Pure.

use std::collections::BTreeMap;

use syncline_core::description::{FieldDescription, FieldKind, Habits, ObjectDescription};

use super::{
    accounts::{self, OF_OTHERS},
    convert::{CONTACT, CREATED_AT, EMAIL, LISTS, LISTS_LEFT, OPT_OUT, TAGS, field_name},
    wire::{Field, Fields, List},
};

/// Longest address (RFC 5321).
const EMAIL_CHARS: u32 = 254;

/// Lists that a field's label names; the rest are told by the choices themselves.
const NAMED_MAX: usize = 50;

pub fn describe(custom: &Fields, lists: &[List]) -> ObjectDescription {
    let mut fields: BTreeMap<String, FieldDescription> =
        custom.fields.iter().filter_map(|field| own(field, custom)).collect();
    let mut put = |name: &str, field: FieldDescription| fields.insert(name.to_owned(), field);
    let email = FieldDescription {
        length: Some(EMAIL_CHARS),
        required: true,
        nillable: false,
        unique: true,
        habits: Habits { lower_case: true, trims: true, ..Habits::default() },
        ..FieldDescription::plain("E-mail", FieldKind::Email)
    };
    put(EMAIL, email);
    put("firstName", FieldDescription::plain("First name", FieldKind::Text));
    put("lastName", FieldDescription::plain("Last name", FieldKind::Text));
    put("phone", FieldDescription::plain("Phone", FieldKind::Phone));
    put(OF_OTHERS, accounts::of_others("The account that they belong to"));
    put(TAGS, FieldDescription::plain("Tags", FieldKind::MultiPicklist));
    let values: Vec<String> = lists.iter().map(|list| list.id.0.clone()).collect();
    let named: Vec<String> =
        lists.iter().take(NAMED_MAX).map(|list| format!("{} {}", list.id.0, list.name.0)).collect();
    let label = if named.is_empty() { "Lists".to_owned() } else { format!("Lists ({})", named.join(", ")) };
    let on = FieldDescription {
        restricted: true,
        values: values.clone(),
        ..FieldDescription::plain(label, FieldKind::MultiPicklist)
    };
    put(LISTS, on);
    put(
        LISTS_LEFT,
        FieldDescription { values, ..FieldDescription::read_only("Lists unsubscribed from", FieldKind::MultiPicklist) },
    );
    put(
        OPT_OUT,
        FieldDescription {
            nillable: false,
            ..FieldDescription::plain("Unsubscribed from all lists", FieldKind::Boolean)
        },
    );
    put(CREATED_AT, FieldDescription::read_only("Created", FieldKind::DateTime));
    ObjectDescription {
        name: CONTACT.to_owned(),
        label: "Contact".to_owned(),
        createable: true,
        updateable: true,
        relates_many: false,
        fields,
    }
}

fn own(field: &Field, custom: &Fields) -> Option<(String, FieldDescription)> {
    let id = field.id.number()?;
    let (kind, several) = match field.kind.0.as_str() {
        "textarea" => (FieldKind::TextArea, false),
        "date" => (FieldKind::Date, false),
        "datetime" => (FieldKind::DateTime, false),
        "dropdown" | "radio" => (FieldKind::Picklist, false),
        "listbox" | "checkbox" | "multiselect" => (FieldKind::MultiPicklist, true),
        _ => (FieldKind::Text, false),
    };
    let options = custom.field_options.iter().filter(|option| option.field == field.id);
    let chooses = matches!(kind, FieldKind::Picklist | FieldKind::MultiPicklist);
    let described = FieldDescription {
        restricted: chooses,
        values: if chooses { options.map(|option| option.value.0.clone()).collect() } else { Vec::new() },
        habits: Habits { whole_seconds: kind == FieldKind::DateTime, ..Habits::default() },
        ..FieldDescription::plain(format!("{} (%{}%)", field.title.0, field.perstag.0), kind)
    };
    Some((field_name(id, several), described))
}
