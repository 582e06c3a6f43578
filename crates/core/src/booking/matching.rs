//! Who is it? Finds the record that stands for the invitee, by the admin's order of rules, and says which rule matched.

use jiff::{Timestamp, civil::Date, tz::TimeZone};

use super::{
    facts::Facts,
    settings::{BookingSettings, MatchRule, OpenLead, PersonMode},
};
use crate::{
    ids::{RecordId, SharedKey},
    person::{domain_of, is_free_mail, is_listed, normal_email, phone_digits},
    record::{Record, Role, Std, Value},
};

/// Who the invitee is in the CRM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonMatch {
    /// Contact or lead.
    pub role: Role,
    /// `None`: to be created.
    pub id: Option<RecordId>,
    pub account: Option<RecordId>,
    /// `None` where nothing matched.
    pub rule: Option<MatchRule>,
    /// How many further records matched the same rule.
    pub others: usize,
}

/// What is asked about one invitee.
pub struct Who<'a> {
    pub email: &'a str,
    pub phone: Option<&'a str>,
    /// A record id that came with the booking link, already found to have the form of one.
    pub hint: Option<(Role, RecordId)>,
    /// The CRM user of the host: among equals, the record that this user owns is taken.
    pub owner: Option<&'a RecordId>,
}

/// The shared key of a person in this role.
pub fn person_key(role: Role, email: &str) -> SharedKey {
    SharedKey::new(format!("{}:{email}", role.as_str()))
}

/// The shared key of the account of people at this domain, or of this one person where the domain says nothing.
pub fn account_key(email: &str, settings: &BookingSettings) -> SharedKey {
    match company_domain(email, settings) {
        Some(domain) => SharedKey::new(format!("account:{domain}")),
        None => SharedKey::new(format!("account:{email}")),
    }
}

/// The domain, where it stands for a company that is not the admin's own.
pub fn company_domain<'a>(email: &'a str, settings: &BookingSettings) -> Option<&'a str> {
    domain_of(email)
        .filter(|domain| !is_free_mail(domain, &settings.free_mail) && !is_listed(domain, &settings.own_domains))
}

/// Whether a person known from another booking needs no look-up: only where no rule that looks at the CRM goes first.
pub(super) fn known_goes_first(settings: &BookingSettings) -> bool {
    let before = settings.match_order.iter().take_while(|rule| **rule != MatchRule::KnownLink);
    settings.match_order.contains(&MatchRule::KnownLink)
        && before.into_iter().all(|rule| matches!(rule, MatchRule::RecordId | MatchRule::AccountDomain))
}

/// Whether a person known from another booking stands without a look: a contact always does, a lead only where the
/// settings take a lead that exists already.
pub fn known(facts: &Facts, email: &str, settings: &BookingSettings) -> Option<PersonMatch> {
    let link = |role| facts.shared(&person_key(role, email));
    let lead_is_enough = settings.person == PersonMode::Lead && settings.open_lead == OpenLead::UseLead;
    let link = link(Role::Contact).or_else(|| link(Role::Lead).filter(|_| lead_is_enough))?;
    Some(PersonMatch {
        role: link.role,
        id: Some(link.id.clone()),
        account: link.account.clone(),
        rule: Some(MatchRule::KnownLink),
        others: 0,
    })
}

/// Finds the invitee. Total: whoever is not found is to be created.
pub fn find_person(who: &Who<'_>, settings: &BookingSettings, facts: &Facts) -> PersonMatch {
    let open_leads: Vec<&Record> =
        facts.with_email(Role::Lead, who.email).into_iter().filter(|lead| !lead.is(Std::Converted)).collect();
    for rule in &settings.match_order {
        let found = match rule {
            MatchRule::RecordId => by_record_id(who, facts),
            MatchRule::KnownLink => known(facts, who.email, settings),
            // Whoever chose to use the open lead means it even where a contact has the address, too.
            MatchRule::ContactEmail if lead_goes_first(settings) && !open_leads.is_empty() => None,
            MatchRule::ContactEmail => best(facts.with_email(Role::Contact, who.email), who, *rule),
            MatchRule::OpenLeadEmail if takes_open_lead(settings) => best(open_leads.clone(), who, *rule),
            MatchRule::ConvertedLead => by_converted_lead(who, facts),
            MatchRule::Phone => by_phone(who, facts),
            MatchRule::OpenLeadEmail | MatchRule::AccountDomain => None,
        };
        if let Some(found) = found {
            return found;
        }
    }
    let role = match settings.person {
        PersonMode::Contact => Role::Contact,
        // An open lead is there and may not be used: a contact takes its place.
        PersonMode::Lead if !open_leads.is_empty() && !takes_open_lead(settings) => Role::Contact,
        PersonMode::Lead | PersonMode::ContactFirst => settings.new_lead(),
    };
    PersonMatch { role, id: None, account: None, rule: None, others: 0 }
}

/// Finds a guest by the address alone: contact, open lead, the contact of a converted lead.
pub fn find_guest(who: &Who<'_>, settings: &BookingSettings, facts: &Facts) -> PersonMatch {
    let shared = |role| facts.shared(&person_key(role, who.email));
    let known = shared(Role::Contact).or_else(|| shared(Role::Lead)).map(|link| PersonMatch {
        role: link.role,
        id: Some(link.id.clone()),
        account: link.account.clone(),
        rule: Some(MatchRule::KnownLink),
        others: 0,
    });
    let open_leads = || facts.with_email(Role::Lead, who.email).into_iter().filter(|lead| !lead.is(Std::Converted));
    known
        .or_else(|| best(facts.with_email(Role::Contact, who.email), who, MatchRule::ContactEmail))
        .or_else(|| best(open_leads().collect(), who, MatchRule::OpenLeadEmail))
        .or_else(|| by_converted_lead(who, facts))
        .unwrap_or_else(|| {
            let role = if settings.person == PersonMode::Contact { Role::Contact } else { settings.new_lead() };
            PersonMatch { role, id: None, account: None, rule: None, others: 0 }
        })
}

fn lead_goes_first(settings: &BookingSettings) -> bool {
    settings.person == PersonMode::Lead
        && settings.open_lead == OpenLead::UseLead
        && settings.match_order.contains(&MatchRule::OpenLeadEmail)
}

fn takes_open_lead(settings: &BookingSettings) -> bool {
    match settings.person {
        PersonMode::Contact => false,
        PersonMode::ContactFirst => true,
        PersonMode::Lead => settings.open_lead != OpenLead::CreateContact,
    }
}

fn by_record_id(who: &Who<'_>, facts: &Facts) -> Option<PersonMatch> {
    let (role, id) = who.hint.as_ref()?;
    let record = facts.record(id).filter(|record| record.role == *role)?;
    match role {
        Role::Contact => Some(matched(record, MatchRule::RecordId, 0)),
        Role::Lead if record.is(Std::Converted) => contact_of_lead(record, MatchRule::RecordId),
        Role::Lead => Some(matched(record, MatchRule::RecordId, 0)),
        Role::Account | Role::Case | Role::Opportunity | Role::Meeting | Role::User | Role::Attendee | Role::Custom => {
            None
        }
    }
}

fn by_converted_lead(who: &Who<'_>, facts: &Facts) -> Option<PersonMatch> {
    let mut leads: Vec<&Record> =
        facts.with_email(Role::Lead, who.email).into_iter().filter(|lead| lead.is(Std::Converted)).collect();
    leads.sort_by_key(|lead| rank(lead, who));
    leads.into_iter().find_map(|lead| contact_of_lead(lead, MatchRule::ConvertedLead))
}

fn contact_of_lead(lead: &Record, rule: MatchRule) -> Option<PersonMatch> {
    let id = |field: Std| match lead.fields.get(&field.into()) {
        Some(Value::Id(id)) => Some(id.clone()),
        _ => None,
    };
    let contact = id(Std::ConvertedContact)?;
    Some(PersonMatch {
        role: Role::Contact,
        id: Some(contact),
        account: id(Std::ConvertedAccount),
        rule: Some(rule),
        others: 0,
    })
}

fn by_phone(who: &Who<'_>, facts: &Facts) -> Option<PersonMatch> {
    let digits = phone_digits(who.phone?)?;
    best(facts.with_phone(Role::Contact, &digits), who, MatchRule::Phone)
}

/// The best of several by the documented ranking, which leaves no ties.
fn best(mut records: Vec<&Record>, who: &Who<'_>, rule: MatchRule) -> Option<PersonMatch> {
    records.sort_by_key(|record| rank(record, who));
    let others = records.len().saturating_sub(1);
    records.first().map(|record| matched(record, rule, others))
}

/// Has an account, then belongs to the host, then was last active, then is oldest, then has the lowest id.
fn rank(record: &Record, who: &Who<'_>) -> impl Ord + use<> {
    let owner = record.fields.get(&Std::Owner.into());
    let owned_by_host = who.owner.is_some_and(|host| owner == Some(&Value::Id(host.clone())));
    let has_account = matches!(record.fields.get(&Std::Account.into()), Some(Value::Id(_)));
    (!has_account, !owned_by_host, std::cmp::Reverse(moment(record, Std::LastActivity)), age(record), record.id.clone())
}

/// Older first; a record whose age is unknown last.
pub(crate) fn age(record: &Record) -> (bool, Option<Timestamp>) {
    let created = moment(record, Std::CreatedAt);
    (created.is_none(), created)
}

/// A field as a moment. Some vendors tell only the day, and some tell it as text.
fn moment(record: &Record, field: Std) -> Option<Timestamp> {
    let midnight = |date: Date| date.to_zoned(TimeZone::UTC).ok().map(|day| day.timestamp());
    match record.fields.get(&field.into())? {
        Value::Time(at) => Some(*at),
        Value::Date(date) => midnight(*date),
        Value::Text(text) => text.parse().ok().or_else(|| midnight(text.parse().ok()?)),
        Value::Null | Value::Bool(_) | Value::Decimal(_) | Value::Id(_) | Value::Slot(_) => None,
    }
}

fn matched(record: &Record, rule: MatchRule, others: usize) -> PersonMatch {
    let account = match record.fields.get(&Std::Account.into()) {
        Some(Value::Id(id)) => Some(id.clone()),
        _ => None,
    };
    PersonMatch { role: record.role, id: Some(record.id.clone()), account, rule: Some(rule), others }
}

/// The account that a new contact of this domain belongs to, if one is there.
pub fn find_account(email: &str, settings: &BookingSettings, facts: &Facts) -> Option<RecordId> {
    if let Some(link) = facts.shared(&account_key(email, settings)) {
        return Some(link.id.clone());
    }
    if !settings.match_order.contains(&MatchRule::AccountDomain) {
        return None;
    }
    let domain = company_domain(email, settings)?;
    let mut accounts = facts.with_website(domain);
    accounts.sort_by_key(|account| (age(account), account.id.clone()));
    accounts.first().map(|account| account.id.clone()).or_else(|| {
        let counted = settings.account_by_contacts.then(|| facts.account_of_domain(domain));
        counted.flatten().cloned()
    })
}

/// The invitee's normalised address, where it is one.
pub fn address(email: &str) -> Option<String> {
    normal_email(email)
}
