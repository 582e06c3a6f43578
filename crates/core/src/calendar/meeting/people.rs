//! Who in the CRM somebody at a meeting is: by the exact address, in any of a record's address fields.

use std::collections::BTreeSet;

use crate::{
    booking::{
        facts::{Facts, Questions},
        matching::age,
    },
    ids::RecordId,
    record::{Record, Role, Std, Value},
};

/// Somebody's record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Contact or lead.
    pub role: Role,
    pub id: RecordId,
    /// How many further records have the address.
    pub others: usize,
}

/// What is to be looked up about a meeting's people.
pub fn questions(guests: &BTreeSet<String>, users: &BTreeSet<String>) -> Questions {
    Questions { emails: guests.clone(), users: users.clone(), ..Questions::default() }
}

/// The record of an address: a contact before a lead, the contact that a lead became before nobody; of several the oldest.
pub fn find_person(facts: &Facts, email: &str) -> Option<Person> {
    let contacts = facts.with_email(Role::Contact, email);
    let (converted, open): (Vec<&Record>, Vec<&Record>) =
        facts.with_email(Role::Lead, email).into_iter().partition(|lead| lead.is(Std::Converted));
    oldest(contacts).or_else(|| oldest(open)).or_else(|| {
        let mut leads = converted;
        leads.sort_by_key(|lead| rank(lead));
        leads.into_iter().find_map(|lead| match lead.fields.get(&Std::ConvertedContact.into()) {
            Some(Value::Id(id)) => Some(Person { role: Role::Contact, id: id.clone(), others: 0 }),
            _ => None,
        })
    })
}

fn oldest(mut records: Vec<&Record>) -> Option<Person> {
    records.sort_by_key(|record| rank(record));
    let others = records.len().saturating_sub(1);
    records.first().map(|record| Person { role: record.role, id: record.id.clone(), others })
}

/// The oldest first, as of a booking; among equals the lower id.
fn rank(record: &Record) -> impl Ord + use<> {
    (age(record), record.id.clone())
}
