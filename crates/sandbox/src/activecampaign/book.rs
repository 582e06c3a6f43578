//! The contacts themselves, and how they are found. No HTTP, no webhooks.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;

/// A custom field's value, which has a number and times of its own.
#[derive(Debug, Clone)]
pub(super) struct FieldValue {
    pub(super) id: u64,
    pub(super) value: String,
    pub(super) created: Timestamp,
    pub(super) updated: Timestamp,
}

/// A tag on a contact.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tagging {
    pub(super) id: u64,
    pub(super) at: Timestamp,
}

/// How a contact stands to a list.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subscription {
    pub(super) id: u64,
    /// 0 unconfirmed, 1 subscribed, 2 unsubscribed, 3 bounced.
    pub(super) status: u8,
    pub(super) source: u8,
    pub(super) since: Timestamp,
    pub(super) left: Option<Timestamp>,
}

#[derive(Debug, Clone)]
pub(super) struct Contact {
    pub(super) id: u64,
    pub(super) email: String,
    pub(super) first_name: String,
    pub(super) last_name: String,
    pub(super) phone: String,
    pub(super) values: BTreeMap<u64, FieldValue>,
    pub(super) tags: BTreeMap<u64, Tagging>,
    pub(super) lists: BTreeMap<u64, Subscription>,
    pub(super) created: Timestamp,
    pub(super) updated: Timestamp,
}

/// All contacts.
#[derive(Debug, Default)]
pub(super) struct Book {
    contacts: BTreeMap<u64, Contact>,
    by_email: HashMap<String, u64>,
    by_updated: BTreeSet<(i64, u64)>,
    /// Numbers of values, taggings and subscriptions, and whose they are.
    pub(super) values: HashMap<u64, (u64, u64)>,
    pub(super) taggings: HashMap<u64, (u64, u64)>,
}

/// Longest address (RFC 5321).
const MAX_EMAIL: usize = 254;

/// The address in its kept form, where it is one.
pub(super) fn email(given: &str) -> Option<String> {
    let given = given.trim();
    let (local, domain) = given.rsplit_once('@')?;
    let plain = !given.contains([' ', ',', ';', '<', '>', '"', '\'']) && !local.contains('@');
    let valid =
        plain && !local.is_empty() && domain.contains('.') && !domain.starts_with('.') && !domain.ends_with('.');
    (valid && given.len() <= MAX_EMAIL).then(|| given.to_lowercase())
}

impl Book {
    pub(super) fn get(&self, id: u64) -> Option<&Contact> {
        self.contacts.get(&id)
    }

    /// For what does not change how it is found; its time is moved by [`Book::touch`].
    pub(super) fn get_mut(&mut self, id: u64) -> Option<&mut Contact> {
        self.contacts.get_mut(&id)
    }

    /// In the order of their numbers, those after this one.
    pub(super) fn after(&self, id: u64) -> impl DoubleEndedIterator<Item = &Contact> {
        self.contacts.range(id.saturating_add(1)..).map(|(_, contact)| contact)
    }

    pub(super) fn find(&self, address: &str) -> Option<u64> {
        self.by_email.get(&email(address)?).copied()
    }

    /// Those changed after a second, in the order of their numbers.
    pub(super) fn updated_after(&self, second: i64) -> Vec<u64> {
        let mut found: Vec<u64> = self.by_updated.range((second + 1, 0)..).map(|(_, id)| *id).collect();
        found.sort_unstable();
        found
    }

    /// A new contact, whose address must be free and in its kept form.
    pub(super) fn create(&mut self, id: u64, email: String, now: Timestamp) {
        self.by_email.insert(email.clone(), id);
        self.by_updated.insert((now.as_second(), id));
        let contact = Contact {
            id,
            email,
            first_name: String::new(),
            last_name: String::new(),
            phone: String::new(),
            values: BTreeMap::new(),
            tags: BTreeMap::new(),
            lists: BTreeMap::new(),
            created: now,
            updated: now,
        };
        self.contacts.insert(id, contact);
    }

    /// Gives a contact another address, which must be free and in its kept form.
    pub(super) fn readdress(&mut self, id: u64, email: String) {
        if let Some(contact) = self.contacts.get_mut(&id) {
            self.by_email.remove(&contact.email);
            self.by_email.insert(email.clone(), id);
            contact.email = email;
        }
    }

    /// The contact counts as changed now.
    pub(super) fn touch(&mut self, id: u64, now: Timestamp) {
        if let Some(contact) = self.contacts.get_mut(&id) {
            self.by_updated.remove(&(contact.updated.as_second(), id));
            contact.updated = now;
            self.by_updated.insert((now.as_second(), id));
        }
    }

    pub(super) fn delete(&mut self, id: u64) -> Option<Contact> {
        let contact = self.contacts.remove(&id)?;
        self.by_email.remove(&contact.email);
        self.by_updated.remove(&(contact.updated.as_second(), id));
        for value in contact.values.values() {
            self.values.remove(&value.id);
        }
        for tagging in contact.tags.values() {
            self.taggings.remove(&tagging.id);
        }
        Some(contact)
    }
}
