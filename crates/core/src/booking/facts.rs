//! What was looked up in the CRM, indexed the way a decision asks for it.
//!
//! Facts are only ever built from look-ups that succeeded: what is absent here was not found.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    ids::{ExternalKey, ObjectName, RecordId, SharedKey},
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
    /// Normalised addresses and ids of users that were looked up, with the active user found.
    users: BTreeMap<String, Option<RecordId>>,
    /// Records that were in doubt, deleted ones included; `None` where nothing is left of one.
    traces: BTreeMap<RecordId, Option<Record>>,
    /// Meetings whose attendees were looked up: by who attends.
    attendees: BTreeMap<RecordId, BTreeMap<RecordId, Record>>,
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

    /// Says what is left of a record that was in doubt.
    pub fn add_trace(&mut self, id: RecordId, record: Option<Record>) {
        self.traces.insert(id, record);
    }

    /// Says who attends a meeting, as far as the CRM knows.
    pub fn add_attendees(&mut self, meeting: RecordId, attendees: impl IntoIterator<Item = Record>) {
        let attends = |record: &Record| match record.fields.get(&Std::Attends.into()) {
            Some(Value::Id(id)) => Some(id.clone()),
            _ => None,
        };
        let by_person = attendees.into_iter().filter_map(|record| Some((attends(&record)?, record))).collect();
        self.attendees.insert(meeting, by_person);
    }

    /// Says that this user was asked for, by address or id, and who it is where the user is active.
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
        let others = record.text(Std::OtherEmails).into_iter().flat_map(|text| text.split(';'));
        for email in others.filter_map(normal_email) {
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

    /// `None`: never looked up. `Some(None)`: no active user has this address or id.
    pub fn user(&self, key: &str) -> Option<Option<&RecordId>> {
        self.users.get(key).map(Option::as_ref)
    }

    /// `None`: never looked up. `Some(None)`: nothing is left of it.
    pub fn trace(&self, id: &RecordId) -> Option<Option<&Record>> {
        self.traces.get(id).map(Option::as_ref)
    }

    /// `None`: never looked up.
    pub fn attendees(&self, meeting: &RecordId) -> Option<&BTreeMap<RecordId, Record>> {
        self.attendees.get(meeting)
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
    /// Users, by normalised address or id.
    pub users: BTreeSet<String>,
    /// Meetings whose attendees matter.
    pub attendees: BTreeSet<RecordId>,
    /// Records that may be gone: looked for among the deleted, too.
    pub traces: BTreeMap<Role, BTreeSet<RecordId>>,
    /// Records whose present values matter.
    pub ids: BTreeMap<Role, BTreeSet<RecordId>>,
    /// Records of ours that may exist already.
    pub keys: BTreeMap<Role, BTreeSet<ExternalKey>>,
    /// Further records of ours that may exist already, by their object.
    pub further: BTreeMap<ObjectName, BTreeSet<ExternalKey>>,
}

impl Questions {
    /// Whether nothing needs to be looked up.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What is asked here and not in `asked`.
    #[must_use]
    pub fn without(mut self, asked: &Questions) -> Self {
        if asked.is_empty() {
            return self;
        }
        let less = |all: &mut BTreeSet<String>, asked: &BTreeSet<String>| all.retain(|one| !asked.contains(one));
        less(&mut self.emails, &asked.emails);
        less(&mut self.phones, &asked.phones);
        less(&mut self.domains, &asked.domains);
        less(&mut self.contact_domains, &asked.contact_domains);
        less(&mut self.users, &asked.users);
        self.attendees.retain(|one| !asked.attendees.contains(one));
        for (mine, theirs) in [(&mut self.traces, &asked.traces), (&mut self.ids, &asked.ids)] {
            mine.retain(|role, ids| {
                ids.retain(|id| theirs.get(role).is_none_or(|asked| !asked.contains(id)));
                !ids.is_empty()
            });
        }
        self.keys.retain(|role, keys| {
            keys.retain(|key| asked.keys.get(role).is_none_or(|asked| !asked.contains(key)));
            !keys.is_empty()
        });
        self.further.retain(|object, keys| {
            keys.retain(|key| asked.further.get(object).is_none_or(|asked| !asked.contains(key)));
            !keys.is_empty()
        });
        self
    }

    /// Asks everything that `other` asks, too.
    pub fn extend(&mut self, other: Questions) {
        self.emails.extend(other.emails);
        self.phones.extend(other.phones);
        self.domains.extend(other.domains);
        self.contact_domains.extend(other.contact_domains);
        self.users.extend(other.users);
        self.attendees.extend(other.attendees);
        for (role, ids) in other.traces {
            self.traces.entry(role).or_default().extend(ids);
        }
        for (role, ids) in other.ids {
            self.ids.entry(role).or_default().extend(ids);
        }
        for (role, keys) in other.keys {
            self.keys.entry(role).or_default().extend(keys);
        }
        for (object, keys) in other.further {
            self.further.entry(object).or_default().extend(keys);
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
