//! From questions to look-ups and back: one set of queries for many bookings.

use std::collections::BTreeSet;

use syncline_connect::{Find, Wanted};
use syncline_core::{
    booking::{
        diff::fields_to_read,
        facts::{Facts, Questions, website_spellings},
        settings::BookingSettings,
    },
    person::{normal_email, phone_digits},
    record::{Field, Record, Role, Std},
};

/// The look-ups that answer all the questions. `settings` are those of every booking that asks.
pub(crate) fn finds(ask: &Questions, settings: &[&BookingSettings]) -> Vec<Find> {
    let mut finds = Vec::new();
    for role in [Role::Contact, Role::Lead, Role::Account, Role::Case, Role::Opportunity, Role::Meeting] {
        let mut any = Vec::new();
        let mut want = |field: Std, values: Vec<String>| {
            if !values.is_empty() {
                any.push(Wanted::Is(field, values));
            }
        };
        if matches!(role, Role::Contact | Role::Lead) {
            want(Std::Email, ask.emails.iter().cloned().collect());
        }
        if role == Role::Account {
            want(Std::Website, ask.domains.iter().flat_map(|domain| website_spellings(domain)).collect());
        }
        want(Std::Key, ask.keys.get(&role).into_iter().flatten().map(|key| key.as_str().to_owned()).collect());
        if let Some(ids) = ask.ids.get(&role).filter(|ids| !ids.is_empty()) {
            any.push(Wanted::Ids(ids.iter().cloned().collect()));
        }
        if !any.is_empty() {
            finds.push(Find::new(role, any, fields(role, settings)));
        }
    }
    // What CRMs keep no index for is asked apart, so that it cannot make the other answers slow.
    let mut unindexed = Vec::new();
    if !ask.phones.is_empty() {
        let phones: BTreeSet<String> = ask.phones.iter().flat_map(|phone| phone_spellings(phone)).collect();
        unindexed.push(Wanted::Is(Std::Phone, phones.iter().cloned().collect()));
        unindexed.push(Wanted::Is(Std::Mobile, phones.into_iter().collect()));
    }
    if !ask.contact_domains.is_empty() {
        unindexed.push(Wanted::EmailDomain(ask.contact_domains.iter().cloned().collect()));
    }
    if !unindexed.is_empty() {
        finds.push(Find::new(Role::Contact, unindexed, fields(Role::Contact, settings)));
    }
    if !ask.users.is_empty() {
        finds.push(Find::new(
            Role::User,
            vec![Wanted::Is(Std::Email, ask.users.iter().cloned().collect())],
            vec![Std::Email.into(), Std::Active.into()],
        ));
    }
    finds
}

fn fields(role: Role, settings: &[&BookingSettings]) -> Vec<Field> {
    let all: BTreeSet<Field> = settings.iter().flat_map(|settings| fields_to_read(role, settings)).collect();
    all.into_iter().collect()
}

/// How a phone number may stand in the CRM: as typed, and as bare digits with and without the plus.
fn phone_spellings(typed: &str) -> Vec<String> {
    let mut all = vec![typed.to_owned()];
    if let Some(digits) = phone_digits(typed) {
        all.push(digits.trim_start_matches('+').to_owned());
        all.push(digits);
    }
    all
}

/// Takes the answers in. Users are told apart by being active; among several the lowest id is taken.
pub(crate) fn learn(ask: &Questions, answers: Vec<Vec<Record>>, facts: &mut Facts) {
    let mut users: Vec<Record> = Vec::new();
    for record in answers.into_iter().flatten() {
        if record.role == Role::User { users.push(record) } else { facts.add([record]) }
    }
    users.sort_by(|a, b| a.id.cmp(&b.id));
    for email in &ask.users {
        let user = users.iter().find(|user| {
            user.is(Std::Active) && user.text(Std::Email).and_then(normal_email).as_deref() == Some(email)
        });
        facts.add_user(email, user.map(|user| user.id.clone()));
    }
}
