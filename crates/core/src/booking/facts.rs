//! What was looked up in the CRM, indexed the way a decision asks for it.
//!
//! Facts are only ever built from look-ups that succeeded: what is absent here was not found.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    ids::{ExternalKey, RecordId, SharedKey},
    person::{domain_of, normal_email, phone_digits},
    record::{Record, Role, Std, Value},
    step::SharedLink,
};

/// Looked-up records of many bookings together.
#[derive(Debug, Default, Clone)]
pub struct Facts {
    by_id: BTreeMap<RecordId, Record>,
    by_key: BTreeMap<(Role, String), RecordId>,
    by_email: BTreeMap<(Role, String), Vec<RecordId>>,
    by_phone: BTreeMap<(Role, String), Vec<RecordId>>,
    by_website: BTreeMap<String, Vec<RecordId>>,
    /// Accounts of the contacts whose address lies in the domain, with how many of them.
    by_contact_domain: BTreeMap<String, BTreeMap<RecordId, usize>>,
    shared: BTreeMap<SharedKey, SharedLink>,
    /// Normalised host addresses that were looked up, with the active user found.
    users: BTreeMap<String, Option<RecordId>>,
}

impl Facts {
    /// Takes looked-up records in.
    pub fn add(&mut self, records: impl IntoIterator<Item = Record>) {
        for record in records {
            self.index(&record);
            self.by_id.insert(record.id.clone(), record);
        }
    }

    /// Takes links in that other bookings left.
    pub fn add_shared(&mut self, links: impl IntoIterator<Item = SharedLink>) {
        self.shared.extend(links.into_iter().map(|link| (link.key.clone(), link)));
    }

    /// Says that this host address was looked up, and which active user it belongs to.
    pub fn add_user(&mut self, email: &str, user: Option<RecordId>) {
        self.users.insert(email.to_owned(), user);
    }

    fn index(&mut self, record: &Record) {
        let push = |list: &mut Vec<RecordId>| {
            if !list.contains(&record.id) {
                list.push(record.id.clone());
            }
        };
        if let Some(key) = record.text(Std::Key) {
            self.by_key.insert((record.role, key.to_owned()), record.id.clone());
        }
        if let Some(email) = record.text(Std::Email).and_then(normal_email) {
            if let (Role::Contact, Some(domain), Some(Value::Id(account))) =
                (record.role, domain_of(&email), record.fields.get(&Std::Account.into()))
                && !self.by_id.contains_key(&record.id)
            {
                *self.by_contact_domain.entry(domain.to_owned()).or_default().entry(account.clone()).or_default() += 1;
            }
            push(self.by_email.entry((record.role, email)).or_default());
        }
        for phone in [Std::Phone, Std::Mobile] {
            if let Some(digits) = record.text(phone).and_then(phone_digits) {
                push(self.by_phone.entry((record.role, digits)).or_default());
            }
        }
        if record.role == Role::Account
            && let Some(host) = record.text(Std::Website).and_then(website_host)
        {
            push(self.by_website.entry(host).or_default());
        }
    }

    /// The record with this id.
    pub fn record(&self, id: &RecordId) -> Option<&Record> {
        self.by_id.get(id)
    }

    /// The record of ours with this key.
    pub fn with_key(&self, role: Role, key: &ExternalKey) -> Option<&Record> {
        self.by_id.get(self.by_key.get(&(role, key.as_str().to_owned()))?)
    }

    /// All records of the role with this normalised address.
    pub fn with_email(&self, role: Role, email: &str) -> Vec<&Record> {
        self.all(self.by_email.get(&(role, email.to_owned())))
    }

    /// All records of the role with this phone number.
    pub fn with_phone(&self, role: Role, digits: &str) -> Vec<&Record> {
        self.all(self.by_phone.get(&(role, digits.to_owned())))
    }

    /// All accounts whose website lies at this domain.
    pub fn with_website(&self, domain: &str) -> Vec<&Record> {
        self.all(self.by_website.get(domain))
    }

    /// The account that most contacts with an address in this domain belong to; the lowest id among equals.
    pub fn account_of_domain(&self, domain: &str) -> Option<&RecordId> {
        let accounts = self.by_contact_domain.get(domain)?;
        accounts.iter().max_by_key(|(id, count)| (**count, std::cmp::Reverse(*id))).map(|(id, _)| id)
    }

    /// What other bookings know under this key.
    pub fn shared(&self, key: &SharedKey) -> Option<&SharedLink> {
        self.shared.get(key)
    }

    /// `None`: never looked up. `Some(None)`: no active user has this address.
    pub fn user(&self, email: &str) -> Option<Option<&RecordId>> {
        self.users.get(email).map(Option::as_ref)
    }

    fn all(&self, ids: Option<&Vec<RecordId>>) -> Vec<&Record> {
        ids.into_iter().flatten().filter_map(|id| self.by_id.get(id)).collect()
    }
}

/// What must be looked up before a booking can be decided.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Questions {
    /// Normalised addresses of people, looked for as contact and lead.
    pub emails: BTreeSet<String>,
    /// Phone numbers as typed.
    pub phones: BTreeSet<String>,
    /// Domains that may be an account's.
    pub domains: BTreeSet<String>,
    /// Domains whose contacts are to be counted by account.
    pub contact_domains: BTreeSet<String>,
    /// Normalised host addresses.
    pub users: BTreeSet<String>,
    /// Records whose present values matter.
    pub ids: BTreeMap<Role, BTreeSet<RecordId>>,
    /// Records of ours that may exist already.
    pub keys: BTreeMap<Role, BTreeSet<ExternalKey>>,
}

impl Questions {
    /// Whether nothing needs to be looked up.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Asks everything that `other` asks, too.
    pub fn extend(&mut self, other: Questions) {
        self.emails.extend(other.emails);
        self.phones.extend(other.phones);
        self.domains.extend(other.domains);
        self.contact_domains.extend(other.contact_domains);
        self.users.extend(other.users);
        for (role, ids) in other.ids {
            self.ids.entry(role).or_default().extend(ids);
        }
        for (role, keys) in other.keys {
            self.keys.entry(role).or_default().extend(keys);
        }
    }
}

/// The spellings under which an account's website may stand for a domain.
pub fn website_spellings(domain: &str) -> Vec<String> {
    let mut all = Vec::with_capacity(12);
    for prefix in ["", "http://", "https://"] {
        for host in [domain.to_owned(), format!("www.{domain}")] {
            all.push(format!("{prefix}{host}"));
            all.push(format!("{prefix}{host}/"));
        }
    }
    all
}

/// The bare host of a website as people type it.
fn website_host(website: &str) -> Option<String> {
    let text = website.trim().to_lowercase();
    let text = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or(&text);
    let host = text.split(['/', '?', '#', ':']).next()?;
    let host = host.strip_prefix("www.").unwrap_or(host);
    (!host.is_empty()).then(|| host.to_owned())
}
