//! A contact as Brevo shows it and as we see it, both ways, side by side. Pure.
//!
//! Brevo leaves out, without a word, values that are not of an attribute's type. So types are checked here, before
//! anything is sent.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json, json};
use syncline_connect::{
    Error, ErrorKind, Retry,
    mirror::{RowWrite, Seen},
};
use syncline_core::{
    ids::{ExternalKey, RecordId},
    record::{Field, Value},
};

use super::{
    companies::OF_CONTACT,
    crm::{self, Ties},
    schema::{Schema, Takes},
    wire::Contact,
};

pub const CONTACT: &str = "contact";
pub const EMAIL: &str = "EMAIL";
pub const EXT_ID: &str = "EXT_ID";
pub const EMAIL_OUT: &str = "emailBlacklisted";
pub const SMS_OUT: &str = "smsBlacklisted";
pub const LISTS: &str = "listIds";
/// Lists that the contact left by a link in a mail.
pub const LISTS_LEFT: &str = "listUnsubscribed";
pub const CREATED_AT: &str = "createdAt";

/// Attributes by which a contact is known beside address and key; numbers with their country code.
pub const PHONES: &[(&str, &str)] =
    &[("SMS", "Mobile number"), ("WHATSAPP", "WhatsApp number"), ("LANDLINE_NUMBER", "Landline number")];

/// Every key of ours begins so. Other programs put their own ids into the same place.
const OUR_KEYS: &str = "sy_";

/// Fewest and most digits of a number ("6–16 digits", help page of Brevo's Salesforce integration, read 2026-11-21).
const PHONE_DIGITS: std::ops::RangeInclusive<usize> = 6..=16;

/// Separates the entries of a set.
const SEPARATOR: char = ';';

/// Whether the name is that of an attribute which an account may have or not.
pub fn is_own(name: &str) -> bool {
    !matches!(name, EMAIL | EXT_ID | EMAIL_OUT | SMS_OUT | LISTS | LISTS_LEFT | CREATED_AT | OF_CONTACT)
        && PHONES.iter().all(|(phone, _)| *phone != name)
}

/// What is asked of a contact.
pub struct Shown<'a> {
    pub fields: &'a [String],
    /// The list that imports put contacts on: it is ours, and nobody's business.
    pub hidden_list: Option<u64>,
    /// Asked attributes that the account does not have: nothing is said of them. Brevo leaves blank attributes out, so
    /// without this an attribute that was deleted would look like one that was emptied everywhere.
    pub unknown: &'a BTreeSet<String>,
}

impl Shown<'_> {
    /// The contact as we see it.
    pub fn seen(&self, contact: &Contact) -> Seen {
        // Whoever writes many has to know the address.
        let email = self.value(contact, EMAIL).map(|email| (EMAIL.to_owned(), email));
        let mut fields: BTreeMap<String, Value> = email.into_iter().collect();
        for name in self.fields.iter().filter(|name| !self.unknown.contains(*name)) {
            if let Some(value) = self.value(contact, name) {
                fields.insert(name.clone(), value);
            }
            if name == LISTS {
                // Whoever writes lists has to know who left them.
                let left = self.value(contact, LISTS_LEFT).unwrap_or(Value::Null);
                fields.insert(LISTS_LEFT.to_owned(), left);
            }
        }
        let key = contact.attributes.get(EXT_ID).and_then(Json::as_str).filter(|key| key.starts_with(OUR_KEYS));
        Seen {
            key: key.map(ExternalKey::new),
            changed_at: contact.modified_at.as_deref().and_then(|at| at.parse().ok()),
            ..Seen::live(RecordId::new(contact.id.to_string()), fields)
        }
    }

    fn value(&self, contact: &Contact, name: &str) -> Option<Value> {
        let ids = |ids: &Option<Vec<u64>>| {
            let wanted = ids.iter().flatten().filter(|id| Some(**id) != self.hidden_list);
            set(wanted.map(u64::to_string))
        };
        Some(match name {
            EMAIL => contact.email.as_deref().map_or_else(
                || contact.attributes.get(EMAIL).map_or(Value::Null, read),
                |email| text(email.to_owned()),
            ),
            EMAIL_OUT => Value::Bool(contact.email_blacklisted?),
            SMS_OUT => Value::Bool(contact.sms_blacklisted?),
            LISTS => ids(&Some(contact.list_ids.clone()?)),
            LISTS_LEFT => ids(&contact.list_unsubscribed),
            CREATED_AT => Value::Time(contact.created_at.as_deref()?.parse().ok()?),
            // Whom it belongs to stands at the company, and it may belong to several.
            OF_CONTACT => return None,
            name => contact.attributes.get(name).map_or(Value::Null, read),
        })
    }
}

/// An attribute's value. Numbers stay text, since only the description tells an amount from a choice's number.
fn read(value: &Json) -> Value {
    match value {
        Json::Null | Json::Object(_) => Value::Null,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => text(plain(number)),
        Json::String(value) => text(value.clone()),
        Json::Array(values) => set(values.iter().filter_map(|value| match value {
            Json::String(value) => Some(value.clone()),
            Json::Number(number) => Some(plain(number)),
            _ => None,
        })),
    }
}

/// Without an exponent.
fn plain(number: &serde_json::Number) -> String {
    match (number.is_f64(), number.as_f64()) {
        (true, Some(float)) => float.to_string(),
        _ => number.to_string(),
    }
}

fn text(value: String) -> Value {
    if value.trim().is_empty() { Value::Null } else { Value::Text(value) }
}

fn set(entries: impl Iterator<Item = String>) -> Value {
    let entries: BTreeSet<String> = entries.filter(|entry| !entry.trim().is_empty()).collect();
    text(entries.into_iter().collect::<Vec<_>>().join(";"))
}

/// What is to be sent of a row.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Draft {
    pub email: Option<String>,
    /// Our key, for a contact that bears none.
    pub key: Option<String>,
    /// Without address and key. A blank is an empty text.
    pub attributes: Map<String, Json>,
    pub email_out: Option<bool>,
    pub sms_out: Option<bool>,
    /// The lists that the contact is to be on.
    pub lists: Option<BTreeSet<u64>>,
    /// The companies that it comes to belong to and ceases to; told to those.
    pub company: Option<Ties>,
}

impl Draft {
    /// Whether nothing of the contact itself is written.
    pub fn ties_only(&self) -> bool {
        let flags = self.email_out.is_some() || self.sms_out.is_some();
        let says = self.email.is_some() || self.key.is_some() || !self.attributes.is_empty() || self.lists.is_some();
        self.company.is_some() && !flags && !says
    }

    /// Whether the contact is to be known by something that another may hold.
    pub fn renames(&self) -> bool {
        let number = |name: &str| self.attributes.get(name).and_then(Json::as_str).is_some_and(|text| !text.is_empty());
        self.email.is_some() || self.key.is_some() || PHONES.iter().any(|(phone, _)| number(phone))
    }

    /// The names of attributes that are emptied.
    pub fn blanks(&self) -> impl Iterator<Item = &str> {
        self.attributes.iter().filter(|(_, value)| value.as_str() == Some("")).map(|(name, _)| name.as_str())
    }

    /// The body of a write by id.
    pub fn body(&self, joined: &BTreeSet<u64>, left: &BTreeSet<u64>) -> Map<String, Json> {
        let mut attributes = self.attributes.clone();
        if let Some(email) = &self.email {
            attributes.insert(EMAIL.to_owned(), json!(email));
        }
        let mut body = Map::new();
        if !attributes.is_empty() {
            body.insert("attributes".to_owned(), Json::Object(attributes));
        }
        if let Some(key) = &self.key {
            body.insert("ext_id".to_owned(), json!(key));
        }
        self.flags(&mut body);
        // An absent list is one that nobody touches.
        for (name, lists) in [("listIds", joined), ("unlinkListIds", left)] {
            if !lists.is_empty() {
                body.insert(name.to_owned(), json!(lists));
            }
        }
        body
    }

    /// The body of a new contact.
    pub fn new_body(&self, key: &ExternalKey) -> Map<String, Json> {
        let mut body = Map::from_iter([("ext_id".to_owned(), json!(key.as_str()))]);
        if let Some(email) = &self.email {
            body.insert("email".to_owned(), json!(email));
        }
        if !self.attributes.is_empty() {
            body.insert("attributes".to_owned(), Json::Object(self.attributes.clone()));
        }
        self.flags(&mut body);
        if let Some(lists) = self.lists.as_ref().filter(|lists| !lists.is_empty()) {
            body.insert("listIds".to_owned(), json!(lists));
        }
        // What is there already stays untouched: whose it is has to be decided first.
        body.insert("updateEnabled".to_owned(), json!(false));
        body
    }

    fn flags(&self, body: &mut Map<String, Json>) {
        for (name, flag) in [(EMAIL_OUT, self.email_out), (SMS_OUT, self.sms_out)] {
            if let Some(flag) = flag {
                body.insert(name.to_owned(), json!(flag));
            }
        }
    }
}

/// Whether the account's attributes have to be known to write the row.
pub fn needs_schema(row: &RowWrite) -> bool {
    row.fields.iter().any(|(name, _)| is_own(name))
}

/// A row as it is to be sent, or why it cannot be.
pub fn draft(op: &'static str, row: &RowWrite, schema: &Schema) -> Result<Draft, Error> {
    let mut draft = Draft::default();
    for (name, value) in &row.fields {
        let before = row.seen.as_ref().and_then(|seen| seen.fields.get(name));
        put(&mut draft, name, value, before, schema).map_err(|(kind, says)| {
            let mut error = Error::new(kind, Retry::Never, op, says);
            error.fields = vec![Field::Native(name.clone())];
            error
        })?;
    }
    Ok(draft)
}

type Unfit = (ErrorKind, &'static str);

const NOT_WRITTEN: Unfit = (ErrorKind::Field, "the field cannot be written");
const WRONG_TYPE: Unfit = (ErrorKind::Invalid, "the value is not of the type that the attribute takes");
const NO_COMPANY: Unfit = (ErrorKind::Invalid, "it names no company");
const NO_CHOICE: Unfit = (ErrorKind::Invalid, "a value is none of the choices that the attribute has");

fn put(draft: &mut Draft, name: &str, value: &Value, before: Option<&Value>, schema: &Schema) -> Result<(), Unfit> {
    match (name, value) {
        (OF_CONTACT, value) => draft.company = Some(crm::ties(before, value, crm::text).ok_or(NO_COMPANY)?),
        (EMAIL, Value::Text(email)) => draft.email = Some(email.clone()),
        (EMAIL, _) => return Err((ErrorKind::Invalid, "a contact's e-mail address cannot be emptied")),
        (EMAIL_OUT, Value::Bool(out)) => draft.email_out = Some(*out),
        (SMS_OUT, Value::Bool(out)) => draft.sms_out = Some(*out),
        (EMAIL_OUT | SMS_OUT, _) => return Err(WRONG_TYPE),
        (LISTS, value) => draft.lists = Some(lists(value).ok_or(WRONG_TYPE)?),
        // Brevo keeps what another program put there; a record that bears no key of ours may be given one.
        (EXT_ID, Value::Text(key)) if key.starts_with(OUR_KEYS) => {
            draft.key = Some(key.clone());
        }
        (EXT_ID | LISTS_LEFT | CREATED_AT, _) => return Err(NOT_WRITTEN),
        (name, value) => {
            let json = match is_own(name) {
                true => attribute(schema.get(name).ok_or((ErrorKind::Field, "there is no such attribute"))?, value)?,
                false => number_to_call(value)?,
            };
            draft.attributes.insert(name.to_owned(), json);
        }
    }
    Ok(())
}

/// The lists that a value names.
pub fn lists(value: &Value) -> Option<BTreeSet<u64>> {
    match value {
        Value::Null => Some(BTreeSet::new()),
        Value::Text(ids) => ids.split(SEPARATOR).map(|id| id.trim().parse().ok()).collect(),
        _ => None,
    }
}

fn number_to_call(value: &Value) -> Result<Json, Unfit> {
    match value {
        Value::Null => Ok(json!("")),
        Value::Text(number) if PHONE_DIGITS.contains(&number.chars().filter(char::is_ascii_digit).count()) => {
            Ok(json!(number))
        }
        _ => Err((ErrorKind::Invalid, "a phone number has 6 to 16 digits")),
    }
}

fn attribute(takes: &Takes, value: &Value) -> Result<Json, Unfit> {
    Ok(match (takes, value) {
        (Takes::Calculated | Takes::Foreign, _) => return Err(NOT_WRITTEN),
        (_, Value::Null) => json!(""),
        (Takes::Text, Value::Text(text)) => json!(text),
        (Takes::Text, Value::Id(id)) => json!(id.as_str()),
        (Takes::Date, Value::Date(date)) => json!(date.to_string()),
        (Takes::Boolean, Value::Bool(flag)) => json!(flag),
        (Takes::Float, Value::Decimal(number)) => number_of(number).ok_or(WRONG_TYPE)?,
        (Takes::Category(known), Value::Text(choice)) => match known.iter().find(|(value, _)| value == choice) {
            Some((value, _)) => number_of(value).unwrap_or_else(|| json!(value)),
            None => return Err(NO_CHOICE),
        },
        (Takes::Choices(known), Value::Text(chosen)) => {
            let chosen: Vec<&str> = chosen.split(SEPARATOR).map(str::trim).filter(|one| !one.is_empty()).collect();
            if chosen.iter().any(|one| !known.iter().any(|known| known == one)) {
                return Err(NO_CHOICE);
            }
            json!(chosen)
        }
        _ => return Err(WRONG_TYPE),
    })
}

/// A whole number where it is one.
fn number_of(text: &str) -> Option<Json> {
    let whole = text.parse::<i64>().ok().map(|number| json!(number));
    whole.or_else(|| text.parse::<f64>().ok().filter(|number| number.is_finite()).map(|number| json!(number)))
}
