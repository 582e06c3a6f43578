//! From questions to look-ups and back: one set of queries for many bookings.

use std::collections::{BTreeMap, BTreeSet};

use syncline_connect::{Find, Wanted};
use syncline_core::{
    booking::{
        ask::fields_to_read,
        check::Descriptions,
        facts::{Facts, Questions, website_spellings},
        mapped,
        project::Identify,
        settings::BookingSettings,
    },
    ids::RecordId,
    person::{normal_email, phone_digits},
    record::{Field, Record, Role, Std, Value},
};

/// The look-ups that answer all the questions. `settings` are those of every booking that asks.
pub(crate) fn finds(ask: &Questions, settings: &[&BookingSettings], objects: &dyn Descriptions) -> Vec<Find> {
    let fields = |role: Role, settings: &[&BookingSettings]| fields(role, settings, objects);
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
        let (emails, ids): (Vec<String>, Vec<String>) = ask.users.iter().cloned().partition(|user| user.contains('@'));
        let any = vec![Wanted::Is(Std::Email, emails), Wanted::Ids(ids.into_iter().map(RecordId::new).collect())];
        finds.push(Find::new(Role::User, any, vec![Std::Email.into(), Std::Active.into()]));
    }
    if !ask.attendees.is_empty() {
        let meetings = ask.attendees.iter().map(|id| id.as_str().to_owned()).collect();
        let fields = fields(Role::Attendee, settings);
        finds.push(Find::new(Role::Attendee, vec![Wanted::Is(Std::Meeting, meetings)], fields));
    }
    for (object, keys) in &ask.further {
        let keys = keys.iter().map(|key| key.as_str().to_owned()).collect();
        let own: BTreeSet<Field> =
            settings.iter().flat_map(|settings| mapped::fields_of(object, settings, objects)).collect();
        let fields = std::iter::once(Std::Key.into()).chain(own).collect();
        let find = Find::new(Role::Custom, vec![Wanted::Is(Std::Key, keys)], fields);
        finds.push(Find { object: Some(object.clone()), ..find });
    }
    for (role, ids) in &ask.traces {
        let mut fields = fields(*role, settings);
        fields.extend([Std::Deleted.into(), Std::MergedInto.into()]);
        finds.push(Find::new(*role, vec![Wanted::Traces(ids.iter().cloned().collect())], fields));
    }
    finds
}

fn fields(role: Role, settings: &[&BookingSettings], objects: &dyn Descriptions) -> Vec<Field> {
    let all: BTreeSet<Field> = settings.iter().flat_map(|settings| fields_to_read(role, settings, objects)).collect();
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

/// Takes the answers in, which stand in the order of [`finds`]. Users are told apart by being active; among several the
/// lowest id is taken.
pub(crate) fn learn(
    ask: &Questions,
    finds: &[Find],
    answers: Vec<Vec<Record>>,
    facts: &mut Facts,
    identify: Identify<'_>,
) {
    let mut users: Vec<Record> = Vec::new();
    let mut attendees: BTreeMap<RecordId, Vec<Record>> = BTreeMap::new();
    let mut traces: BTreeMap<RecordId, Record> = BTreeMap::new();
    for (find, records) in finds.iter().zip(answers) {
        let traced = find.any.iter().any(|wanted| matches!(wanted, Wanted::Traces(_)));
        for record in records {
            match record.role {
                _ if traced => drop(traces.insert(record.id.clone(), record)),
                Role::User => users.push(record),
                Role::Attendee => {
                    if let Some(Value::Id(meeting)) = record.fields.get(&Std::Meeting.into()) {
                        attendees.entry(meeting.clone()).or_default().push(record);
                    }
                }
                _ => facts.add([record]),
            }
        }
    }
    users.sort_by(|a, b| a.id.cmp(&b.id));
    for key in &ask.users {
        // Some vendors write an id in more forms than one.
        let named = identify(key).filter(|(role, _)| *role == Role::User).map(|(_, id)| id);
        let is_meant = |user: &&Record| {
            named.as_ref() == Some(&user.id) || user.text(Std::Email).and_then(normal_email).as_deref() == Some(key)
        };
        let user = users.iter().filter(|user| user.is(Std::Active)).find(is_meant);
        facts.add_user(key, user.map(|user| user.id.clone()));
    }
    for meeting in &ask.attendees {
        facts.add_attendees(meeting.clone(), attendees.remove(meeting).unwrap_or_default());
    }
    for id in ask.traces.values().flatten() {
        facts.add_trace(id.clone(), traces.remove(id));
    }
}
