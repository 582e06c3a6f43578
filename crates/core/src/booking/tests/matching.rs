//! Who is it? The rules in their order, the ranking among several, the modes.

use proptest::prelude::*;

use super::{converge::record, story::INVITEE, world::identify};
use crate::{
    booking::{
        facts::Facts,
        matching::{PersonMatch, Who, find_account, find_person, person_key},
        settings::{BookingSettings, MatchRule, OpenLead, PersonMode},
    },
    ids::RecordId,
    record::{Record, Role, Std, Value},
    step::SharedLink,
};

const PHONE: &str = "+49 151 2345678";

fn id(text: &str) -> Value {
    Value::Id(RecordId::from(text))
}

fn contact(number: usize, more: &[(Std, Value)]) -> Record {
    let mut contact = record(Role::Contact, number, &[(Std::Email, Value::text("ADA@acme.example"))]);
    contact.fields.extend(more.iter().map(|(field, value)| ((*field).into(), value.clone())));
    contact
}

fn lead(number: usize, converted: Option<&str>) -> Record {
    let mut lead = record(Role::Lead, number, &[(Std::Email, Value::text(INVITEE))]);
    lead.fields.insert(Std::Converted.into(), Value::Bool(converted.is_some()));
    if let Some(contact) = converted {
        lead.fields.insert(Std::ConvertedContact.into(), id(contact));
        lead.fields.insert(Std::ConvertedAccount.into(), id("account-6"));
    }
    lead
}

fn find(records: &[Record], known: &[SharedLink], hint: Option<&str>, settings: &BookingSettings) -> PersonMatch {
    let mut facts = Facts::default();
    facts.add(records.iter().cloned());
    facts.add_shared(known.iter().cloned());
    let owner = RecordId::from("user-1");
    let who = Who { email: INVITEE, phone: Some(PHONE), hint: hint.and_then(identify), owner: Some(&owner) };
    find_person(&who, settings, &facts)
}

fn told(found: &PersonMatch) -> (Role, Option<&str>, Option<MatchRule>) {
    (found.role, found.id.as_ref().map(RecordId::as_str), found.rule)
}

fn known(role: Role, id: &str) -> SharedLink {
    SharedLink { key: person_key(role, INVITEE), role, id: id.into(), account: Some("account-3".into()) }
}

/// One record for each rule, in the default order.
fn one_each() -> (Vec<Record>, SharedLink) {
    let hinted = record(Role::Contact, 1, &[(Std::Email, Value::text("other@x.example"))]);
    let by_phone =
        record(Role::Contact, 7, &[(Std::Mobile, Value::text("0049 (0)151/2345678")), (Std::Account, id("account-7"))]);
    (
        vec![hinted, contact(3, &[]), lead(4, None), lead(5, Some("contact-5")), by_phone],
        known(Role::Contact, "contact-2"),
    )
}

/// proves: B6: every rule wins where those before it are left out, in any configured order.
#[test]
fn the_first_rule_that_matches_wins() {
    let (records, known) = one_each();
    let ids = [
        (MatchRule::RecordId, "contact-1"),
        (MatchRule::KnownLink, "contact-2"),
        (MatchRule::ContactEmail, "contact-3"),
        (MatchRule::OpenLeadEmail, "lead-4"),
        (MatchRule::ConvertedLead, "contact-5"),
        (MatchRule::Phone, "contact-7"),
    ];
    let mut order = ids.to_vec();
    for _ in 0..ids.len() {
        for skipped in 0..order.len() {
            let rules: Vec<MatchRule> = order[skipped..].iter().map(|(rule, _)| *rule).collect();
            let settings =
                BookingSettings { person: PersonMode::ContactFirst, match_order: rules, ..BookingSettings::default() };
            let found = find(&records, std::slice::from_ref(&known), Some("contact-1"), &settings);
            let (rule, id) = order[skipped];
            assert_eq!(told(&found), (found.role, Some(id), Some(rule)));
        }
        order.rotate_left(1);
    }
}

/// proves: B6: a hint only counts where it names a person that was found.
#[test]
fn a_record_id_is_a_hint_and_no_more() {
    let settings = BookingSettings::default();
    let records = [contact(3, &[]), lead(4, None), lead(5, Some("contact-5")), record(Role::Account, 6, &[])];
    let check = |hint: &str, expected: &str, rule| {
        assert_eq!(
            told(&find(&records, &[], Some(hint), &settings)),
            (expected_role(expected), Some(expected), Some(rule)),
            "{hint}"
        );
    };
    check("lead-4", "lead-4", MatchRule::RecordId);
    check("lead-5", "contact-5", MatchRule::RecordId);
    for other in ["account-6", "case-1", "opportunity-1", "user-1", "meeting-1", "contact-99", "lead-99"] {
        check(other, "contact-3", MatchRule::ContactEmail);
    }
}

fn expected_role(id: &str) -> Role {
    if id.starts_with("lead") { Role::Lead } else { Role::Contact }
}

/// proves: B8
#[test]
fn the_modes_of_leads() {
    use OpenLead::{ContactFirst as First, CreateContact as Create, UseLead as Use};
    use PersonMode::{Contact, ContactFirst, Lead};
    let check = |person, open_lead, records: &[Record], expected: (Role, Option<&str>)| {
        let settings = BookingSettings { person, open_lead, ..BookingSettings::default() };
        let found = find(records, &[], None, &settings);
        assert_eq!((found.role, found.id.as_ref().map(RecordId::as_str)), expected, "{person:?} {open_lead:?}");
    };
    let (nobody, open, both) = (vec![], vec![lead(4, None)], vec![lead(4, None), contact(3, &[])]);
    for open_lead in [Create, Use, First] {
        check(Contact, open_lead, &nobody, (Role::Contact, None));
        check(Contact, open_lead, &open, (Role::Contact, None));
        check(Contact, open_lead, &both, (Role::Contact, Some("contact-3")));
        check(Lead, open_lead, &nobody, (Role::Lead, None));
        check(Lead, open_lead, &[contact(3, &[])], (Role::Contact, Some("contact-3")));
        check(Lead, open_lead, &[lead(5, Some("contact-5"))], (Role::Contact, Some("contact-5")));
        check(ContactFirst, open_lead, &nobody, (Role::Lead, None));
        check(ContactFirst, open_lead, &open, (Role::Lead, Some("lead-4")));
        check(ContactFirst, open_lead, &both, (Role::Contact, Some("contact-3")));
    }
    check(Lead, Create, &open, (Role::Contact, None));
    check(Lead, Use, &open, (Role::Lead, Some("lead-4")));
    check(Lead, First, &open, (Role::Lead, Some("lead-4")));
    check(Lead, Create, &both, (Role::Contact, Some("contact-3")));
    check(Lead, Use, &both, (Role::Lead, Some("lead-4")));
    check(Lead, First, &both, (Role::Contact, Some("contact-3")));
}

/// proves: B8: a lead known from an earlier booking stands only where leads that exist are used.
#[test]
fn a_known_lead_may_have_become_a_contact() {
    let check = |open_lead, expected| {
        let settings = BookingSettings { person: PersonMode::Lead, open_lead, ..BookingSettings::default() };
        let found = find(&[], &[known(Role::Lead, "lead-8")], None, &settings);
        assert_eq!(found.rule, expected);
    };
    check(OpenLead::UseLead, Some(MatchRule::KnownLink));
    check(OpenLead::CreateContact, None);
    check(OpenLead::ContactFirst, None);
}

/// proves: B6: among several, each step of the ranking decides where those before it are equal.
#[test]
fn the_ranking_among_several() {
    let time = |text: &str| Value::Time(text.parse().expect("a time"));
    let date = |text: &str| Value::Date(text.parse().expect("a date"));
    let check = |loser: &[(Std, Value)], winner: &[(Std, Value)]| {
        let found = find(&[contact(1, loser), contact(2, winner)], &[], None, &BookingSettings::default());
        assert_eq!((found.id, found.others), (Some("contact-2".into()), 1), "{winner:?}");
    };
    check(&[(Std::Owner, id("user-1")), (Std::Account, Value::Null)], &[(Std::Account, id("account-1"))]);
    check(&[(Std::LastActivity, date("2026-01-02"))], &[(Std::Owner, id("user-1"))]);
    check(&[], &[(Std::LastActivity, date("2026-01-02"))]);
    check(&[(Std::LastActivity, date("2026-01-02"))], &[(Std::LastActivity, time("2026-01-02T00:00:00.5Z"))]);
    check(&[(Std::LastActivity, time("2026-01-02T00:00:00Z"))], &[(Std::LastActivity, Value::text("2026-01-03"))]);
    check(&[(Std::CreatedAt, time("2020-01-01T00:00:00.5Z"))], &[(Std::CreatedAt, time("2020-01-01T00:00:00Z"))]);
    check(&[], &[(Std::CreatedAt, time("2020-01-01T00:00:00Z"))]);
    let equal = find(&[contact(2, &[]), contact(1, &[]), contact(3, &[])], &[], None, &BookingSettings::default());
    assert_eq!((equal.id, equal.others), (Some("contact-1".into()), 2));
}

#[test]
fn the_account_travels_with_the_match() {
    let settings = BookingSettings::default();
    let account = |found: PersonMatch| found.account.map(|id| id.as_str().to_owned());
    assert_eq!(
        account(find(&[contact(1, &[(Std::Account, id("account-1"))])], &[], None, &settings)).as_deref(),
        Some("account-1")
    );
    assert_eq!(account(find(&[lead(5, Some("contact-5"))], &[], None, &settings)).as_deref(), Some("account-6"));
    assert_eq!(account(find(&[], &[known(Role::Contact, "contact-2")], None, &settings)).as_deref(), Some("account-3"));
}

/// proves: B6: the oldest account with the website, else the one that most contacts of the domain have.
#[test]
fn an_account_is_found_by_domain() {
    let settings = BookingSettings {
        own_domains: vec!["own.example".into()],
        account_by_contacts: true,
        ..BookingSettings::default()
    };
    let site = |number, site: &str, created: &str| {
        record(
            Role::Account,
            number,
            &[(Std::Website, Value::text(site)), (Std::CreatedAt, Value::Time(created.parse().expect("a time")))],
        )
    };
    let colleague = |number: usize, account: &str, domain: &str| {
        record(
            Role::Contact,
            number,
            &[(Std::Email, Value::Text(format!("p{number}@{domain}"))), (Std::Account, id(account))],
        )
    };
    let check = |records: Vec<Record>, email: &str, expected: Option<&str>| {
        let mut facts = Facts::default();
        facts.add(records.clone());
        // Looked up again for another booking: nobody counts twice.
        facts.add(records);
        let found = find_account(email, &settings, &facts);
        assert_eq!(found.as_ref().map(RecordId::as_str), expected);
    };
    let colleagues = || {
        vec![
            colleague(1, "account-9", "acme.example"),
            colleague(2, "account-5", "acme.example"),
            colleague(3, "account-5", "ACME.example"),
            colleague(4, "account-4", "gmail.com"),
            colleague(5, "account-4", "own.example"),
        ]
    };
    let old = site(8, "HTTP://www.Acme.example/about?x", "2019-01-01T00:00:00Z");
    let new = site(2, "acme.example", "2021-01-01T00:00:00Z");
    check([colleagues(), vec![new, old]].concat(), INVITEE, Some("account-8"));
    check(colleagues(), INVITEE, Some("account-5"));
    check(
        vec![colleague(1, "account-9", "acme.example"), colleague(2, "account-5", "acme.example")],
        INVITEE,
        Some("account-5"),
    );
    check(colleagues(), "ada@gmail.com", None);
    check(colleagues(), "ada@own.example", None);
    check(vec![site(1, "notacme.example", "2019-01-01T00:00:00Z")], INVITEE, None);
}

proptest! {
    /// proves: B6: the pick does not depend on the order in which records were looked up.
    #[test]
    fn the_pick_is_the_same_in_any_order(records in Just(one_each().0).prop_shuffle(), person in 0..3, open_lead in 0..3) {
        let settings = BookingSettings {
            person: [PersonMode::Contact, PersonMode::Lead, PersonMode::ContactFirst][person as usize],
            open_lead: [OpenLead::CreateContact, OpenLead::UseLead, OpenLead::ContactFirst][open_lead as usize],
            ..BookingSettings::default()
        };
        prop_assert_eq!(find(&records, &[], None, &settings), find(&one_each().0, &[], None, &settings));
    }
}
