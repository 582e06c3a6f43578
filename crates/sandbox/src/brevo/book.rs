//! The contacts and lists themselves, with an index for everything that a contact is found by. No HTTP, no webhooks.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::stamp;

/// What a contact is known by: unique in the account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    Email,
    Ext,
    Sms,
    Whatsapp,
    Landline,
}

impl Key {
    pub(super) const ALL: [Self; 5] = [Self::Email, Self::Ext, Self::Sms, Self::Whatsapp, Self::Landline];

    /// Its name among the attributes.
    pub(super) fn attribute(self) -> &'static str {
        match self {
            Self::Email => "EMAIL",
            Self::Ext => "EXT_ID",
            Self::Sms => "SMS",
            Self::Whatsapp => "WHATSAPP",
            Self::Landline => "LANDLINE_NUMBER",
        }
    }

    /// Its name in the metadata of a refusal.
    pub(super) fn in_metadata(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Ext => "ext_id",
            other => other.attribute(),
        }
    }

    /// Its name in `identifierType`.
    pub(super) fn of_identifier_type(name: &str) -> Option<Self> {
        Some(match name {
            "email_id" => Self::Email,
            "ext_id" => Self::Ext,
            "phone_id" => Self::Sms,
            "whatsapp_id" => Self::Whatsapp,
            "landline_number_id" => Self::Landline,
            _ => return None,
        })
    }

    /// The form in which it is kept and compared; `None` where it is not valid.
    pub(super) fn normal(self, given: &str) -> Option<String> {
        match self {
            Self::Email => email(given),
            Self::Ext => (!given.trim().is_empty()).then(|| given.to_owned()),
            Self::Sms | Self::Whatsapp | Self::Landline => phone(given),
        }
    }
}

/// Addresses are kept in lower case.
fn email(given: &str) -> Option<String> {
    let given = given.trim();
    let (local, domain) = given.rsplit_once('@')?;
    let plain = !given.contains([' ', ',', ';', '<', '>', '"']) && !local.contains('@');
    let valid =
        plain && !local.is_empty() && domain.contains('.') && !domain.starts_with('.') && !domain.ends_with('.');
    (valid && given.len() <= MAX_EMAIL).then(|| given.to_lowercase())
}

/// Longest address (RFC 5321).
const MAX_EMAIL: usize = 254;
/// Digits of a number ("6–16 digits", help page on the Salesforce integration, read 2026-11).
const PHONE_DIGITS: std::ops::RangeInclusive<usize> = 6..=16;

/// Country code with `+`, `00` or nothing in front; kept with nothing in front.
fn phone(given: &str) -> Option<String> {
    let bare: String = given.chars().filter(|c| !matches!(c, ' ' | '-' | '(' | ')' | '.')).collect();
    let digits = bare.strip_prefix('+').or_else(|| bare.strip_prefix("00")).unwrap_or(&bare);
    let valid = PHONE_DIGITS.contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    valid.then(|| digits.to_owned())
}

#[derive(Debug, Clone)]
pub(super) struct Contact {
    pub(super) id: u64,
    pub(super) keys: [Option<String>; 5],
    pub(super) attributes: BTreeMap<Arc<str>, Value>,
    pub(super) email_blacklisted: bool,
    pub(super) sms_blacklisted: bool,
    pub(super) lists: BTreeSet<u64>,
    /// Lists that the contact has left by a link in a mail.
    pub(super) unsubscribed: BTreeSet<u64>,
    pub(super) created: Timestamp,
    pub(super) modified: Timestamp,
}

impl Contact {
    pub(super) fn key(&self, key: Key) -> Option<&str> {
        self.keys[key as usize].as_deref()
    }

    pub(super) fn shown(&self) -> Value {
        let mut attributes: Map<String, Value> =
            self.attributes.iter().map(|(name, value)| (name.to_string(), value.clone())).collect();
        for key in &Key::ALL[1..] {
            if let Some(value) = self.key(*key) {
                attributes.insert(key.attribute().to_owned(), value.into());
            }
        }
        let mut out = json!({
            "id": self.id,
            "emailBlacklisted": self.email_blacklisted,
            "smsBlacklisted": self.sms_blacklisted,
            "createdAt": stamp(self.created),
            "modifiedAt": stamp(self.modified),
            "listIds": self.lists,
            "listUnsubscribed": self.unsubscribed,
            "attributes": attributes,
        });
        if let Some(email) = self.key(Key::Email) {
            out["email"] = email.into();
        }
        out
    }
}

/// What is to become of a contact. What is not named stays.
#[derive(Debug, Default, Clone)]
pub(super) struct Change {
    /// In their kept form; `None` takes one away.
    pub(super) keys: Vec<(Key, Option<String>)>,
    pub(super) attributes: Vec<(Arc<str>, Option<Value>)>,
    pub(super) email_blacklisted: Option<bool>,
    pub(super) sms_blacklisted: Option<bool>,
    pub(super) join: Vec<u64>,
    pub(super) leave: Vec<u64>,
}

impl Change {
    pub(super) fn key(&self, key: Key) -> Option<&str> {
        self.keys.iter().find(|(known, _)| *known == key)?.1.as_deref()
    }

    /// Whether it does more than to let the contact join lists.
    pub(super) fn touches_contact(&self) -> bool {
        !self.keys.is_empty()
            || !self.attributes.is_empty()
            || !self.leave.is_empty()
            || self.email_blacklisted.is_some()
            || self.sms_blacklisted.is_some()
    }
}

/// What a change has done.
#[derive(Debug, Default)]
pub(super) struct Done {
    /// What is now other than before; null was taken away.
    pub(super) fields: Map<String, Value>,
    pub(super) joined: Vec<u64>,
}

#[derive(Debug, Clone)]
pub(super) struct List {
    pub(super) name: String,
    pub(super) folder: u64,
    pub(super) created: Timestamp,
    pub(super) members: BTreeSet<u64>,
}

/// All contacts and lists.
#[derive(Debug, Default)]
pub(super) struct Book {
    contacts: BTreeMap<u64, Contact>,
    found_by: [HashMap<String, u64>; 5],
    /// By their last change, in milliseconds.
    by_modified: BTreeSet<(i64, u64)>,
    pub(super) folders: BTreeMap<u64, String>,
    pub(super) lists: BTreeMap<u64, List>,
    last_contact: u64,
}

impl Book {
    pub(super) fn len(&self) -> usize {
        self.contacts.len()
    }

    pub(super) fn get(&self, id: u64) -> Option<&Contact> {
        self.contacts.get(&id)
    }

    /// In the order of their creation.
    pub(super) fn all(&self) -> impl DoubleEndedIterator<Item = &Contact> {
        self.contacts.values()
    }

    /// By a key in any form.
    pub(super) fn find(&self, key: Key, given: &str) -> Option<u64> {
        self.found_by[key as usize].get(&key.normal(given)?).copied()
    }

    /// Those changed after a moment, in the order of their creation.
    pub(super) fn modified_after(&self, after: Timestamp) -> Vec<u64> {
        let from = (after.as_millisecond() + 1, 0);
        let mut found: Vec<u64> = self.by_modified.range(from..).map(|(_, id)| *id).collect();
        found.sort_unstable();
        found
    }

    /// The keys of a change that other contacts hold.
    pub(super) fn held_by_others(&self, me: Option<u64>, change: &Change) -> Vec<Key> {
        let held = |(key, value): &(Key, Option<String>)| {
            let holder = self.found_by[*key as usize].get(value.as_ref()?)?;
            (Some(*holder) != me).then_some(*key)
        };
        let mut keys: Vec<Key> = change.keys.iter().filter_map(held).collect();
        keys.sort_unstable();
        keys
    }

    /// A new contact; its keys must be free.
    pub(super) fn create(&mut self, change: &Change, now: Timestamp) -> (u64, Done) {
        self.last_contact += 1;
        let id = self.last_contact;
        let contact = Contact {
            id,
            keys: Default::default(),
            attributes: BTreeMap::new(),
            email_blacklisted: false,
            sms_blacklisted: false,
            lists: BTreeSet::new(),
            unsubscribed: BTreeSet::new(),
            created: now,
            modified: now,
        };
        self.contacts.insert(id, contact);
        self.by_modified.insert((now.as_millisecond(), id));
        let done = self.update(id, change, now);
        (id, done)
    }

    /// Changes a contact, whose keys must be free. It counts as modified even when nothing is other than before.
    pub(super) fn update(&mut self, id: u64, change: &Change, now: Timestamp) -> Done {
        let mut done = Done::default();
        let Some(contact) = self.contacts.get_mut(&id) else { return done };
        self.by_modified.remove(&(contact.modified.as_millisecond(), id));
        contact.modified = now;
        self.by_modified.insert((now.as_millisecond(), id));
        for (key, value) in &change.keys {
            let held = &mut contact.keys[*key as usize];
            if held != value {
                let index = &mut self.found_by[*key as usize];
                if let Some(old) = held.take() {
                    index.remove(&old);
                }
                if let Some(new) = value {
                    index.insert(new.clone(), id);
                }
                held.clone_from(value);
                done.fields.insert(key.attribute().to_owned(), json!(value));
            }
        }
        for (name, value) in &change.attributes {
            if contact.attributes.get(name) != value.as_ref() {
                done.fields.insert(name.to_string(), json!(value));
                match value {
                    Some(value) => contact.attributes.insert(name.clone(), value.clone()),
                    None => contact.attributes.remove(name),
                };
            }
        }
        flag(&mut contact.email_blacklisted, change.email_blacklisted, "emailBlacklisted", &mut done);
        flag(&mut contact.sms_blacklisted, change.sms_blacklisted, "smsBlacklisted", &mut done);
        for list in &change.leave {
            if contact.lists.remove(list) {
                self.lists.get_mut(list).map(|list| list.members.remove(&id));
                done.fields.insert("listIds".into(), json!(contact.lists));
            }
        }
        for list in &change.join {
            if contact.unsubscribed.remove(list) {
                // Whoever puts a contact on a list again has subscribed it again.
                done.fields.insert("listUnsubscribed".into(), json!(contact.unsubscribed));
            }
            if contact.lists.insert(*list) {
                self.lists.get_mut(list).map(|list| list.members.insert(id));
                done.joined.push(*list);
                done.fields.insert("listIds".into(), json!(contact.lists));
            }
        }
        done
    }

    /// The contact leaves a list by itself.
    pub(super) fn unsubscribe(&mut self, id: u64, list: u64, now: Timestamp) -> bool {
        let Some(contact) = self.contacts.get_mut(&id) else { return false };
        contact.lists.remove(&list);
        if let Some(list) = self.lists.get_mut(&list) {
            list.members.remove(&id);
        }
        let news = contact.unsubscribed.insert(list);
        self.update(id, &Change::default(), now);
        news
    }

    pub(super) fn delete(&mut self, id: u64) -> Option<Contact> {
        let contact = self.contacts.remove(&id)?;
        self.by_modified.remove(&(contact.modified.as_millisecond(), id));
        for key in Key::ALL {
            if let Some(value) = contact.key(key) {
                self.found_by[key as usize].remove(value);
            }
        }
        for list in &contact.lists {
            self.lists.get_mut(list).map(|list| list.members.remove(&id));
        }
        Some(contact)
    }

    /// Takes a list away, from its members too.
    pub(super) fn delete_list(&mut self, list: u64) -> bool {
        let Some(gone) = self.lists.remove(&list) else { return false };
        for member in gone.members {
            if let Some(contact) = self.contacts.get_mut(&member) {
                contact.lists.remove(&list);
            }
        }
        true
    }

    /// Takes an attribute from every contact.
    pub(super) fn forget_attribute(&mut self, name: &str) {
        for contact in self.contacts.values_mut() {
            contact.attributes.remove(name);
        }
    }
}

fn flag(held: &mut bool, wanted: Option<bool>, name: &str, done: &mut Done) {
    if let Some(wanted) = wanted.filter(|wanted| wanted != held) {
        *held = wanted;
        done.fields.insert(name.to_owned(), wanted.into());
    }
}
