//! The projection: which records should exist for a booking, and with which values. Total and pure.
//!
//! It speaks roles (person, account, case, opportunity, meeting), never a vendor. It does not know what was written
//! before, save which records the booking's slots are linked to; the difference is [`super::diff`]'s.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::{
    chain::{Standing, View},
    facts::Facts,
    matching::{PersonMatch, Who, account_key, address, company_domain, find_account, find_person, known, person_key},
    meeting::{Around, meeting},
    settings::{BookingSettings, PersonMode},
    text::{Related, description, display_name, title, zone},
};
use crate::{
    ids::{ChainId, ConnectionId, ExternalKey, RecordId, SharedKey, WorkspaceId},
    person::{split_name, squeeze},
    record::{Field, Fields, Role, Slot, Std, Value},
    step::Link,
};

/// How long half a reschedule waits for its other half before it counts as "asked to pick another time".
pub const RESCHEDULE_WAIT: SignedDuration = SignedDuration::from_mins(15);

/// Counted on bare dates, where every day is as long as the other.
const HOURS_A_DAY: i64 = 24;

/// The links of one chain.
pub type Links = BTreeMap<Slot, Link>;

/// Judges whether a text has the form of a record id, and of which role.
pub type Identify<'a> = &'a dyn Fn(&str) -> Option<(Role, RecordId)>;

/// Everything that a projection depends on beside the booking itself.
pub struct Context<'a> {
    pub workspace: &'a WorkspaceId,
    /// The CRM.
    pub connection: &'a ConnectionId,
    pub chain: &'a ChainId,
    pub settings: &'a BookingSettings,
    pub links: &'a Links,
    pub facts: &'a Facts,
    pub now: Timestamp,
    pub identify: Identify<'a>,
}

/// One record that should exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Desired {
    pub slot: Slot,
    pub role: Role,
    /// The record that was found or is linked; `None`: to be created under `key`.
    pub existing: Option<RecordId>,
    pub key: ExternalKey,
    /// Where other bookings use the same record.
    pub shared: Option<SharedKey>,
    /// Written only when the record is created.
    pub on_create: Fields,
    /// Kept in step with the booking.
    pub keep: Fields,
    /// Never written for its own sake, but remembered with the link: whom or what the record was taken for.
    pub remember: Fields,
}

/// Why something is as it is, for the activity log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// A stable word: `matched`, `waits`, `kept_edit`, …
    pub code: &'static str,
    pub text: String,
}

impl Note {
    pub(super) fn new(code: &'static str, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }
}

/// What should exist.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Projection {
    pub desired: Vec<Desired>,
    /// Linked records that should no longer exist.
    pub delete: Vec<Slot>,
    pub notes: Vec<Note>,
    /// When the answer may change without a new message.
    pub look_again: Option<Timestamp>,
    /// The account of the person, where known: it travels with the shared link.
    pub person_account: Option<Value>,
}

/// Whether the booking is written at all.
pub(super) enum Gate {
    Write,
    /// Left alone, for this reason.
    Leave(Note, Option<Timestamp>),
}

pub(super) fn gate(cx: &Context<'_>, view: &View<'_>) -> Gate {
    let written = cx.links.contains_key(&Slot::Meeting);
    // What the messages in between would have written had they been looked at one by one, whatever their order was.
    let ever = written || view.ever_booked || (cx.settings.unconfirmed && view.ever_requested);
    let leave = |code, text: &str| Gate::Leave(Note::new(code, text), None);
    match &view.standing {
        Standing::Unconfirmed if !cx.settings.unconfirmed && !written => {
            leave("unconfirmed", "the booking waits for the host's confirmation; nothing is written before")
        }
        Standing::ReschedulePending { since } => match since.checked_add(RESCHEDULE_WAIT) {
            Ok(until) if cx.now < until => Gate::Leave(
                Note::new("reschedule_pending", "half of a reschedule came; the new time is still to come"),
                Some(until),
            ),
            _ if !ever => leave("never_booked", "the booking never stood; nothing is written"),
            _ => Gate::Write,
        },
        Standing::Cancelled { .. } | Standing::Rejected { .. } if !ever => leave(
            "never_booked",
            "called off before it was ever seen to stand; should the booking itself still come, it is written as cancelled",
        ),
        _ => Gate::Write,
    }
}

/// Works out what should exist.
pub fn project(cx: &Context<'_>, view: &View<'_>) -> Projection {
    let mut out = Projection::default();
    match gate(cx, view) {
        Gate::Leave(note, look_again) => {
            out.notes.push(note);
            out.look_again = look_again;
            return out;
        }
        Gate::Write => {}
    }
    let owner = owner(cx, view, &mut out.notes);
    let person = person(cx, view, owner.as_ref(), &mut out);
    if view.standing == Standing::FormOnly {
        out.notes.push(Note::new("form_only", "a form without a booking: only the person is written"));
        return out;
    }
    if cx.settings.cancel.delete && matches!(view.standing, Standing::Cancelled { .. } | Standing::Rejected { .. }) {
        if cx.links.contains_key(&Slot::Meeting) {
            out.delete.push(Slot::Meeting);
        }
        out.notes.push(Note::new("deleted", "the settings delete the meeting of a cancelled booking"));
        return out;
    }
    let case = case(cx, view, person.as_ref(), owner.as_ref());
    let opportunity = opportunity(cx, view, person.as_ref(), owner.as_ref());
    let around = Around {
        person: person.as_ref(),
        owner: owner.as_ref(),
        case: case.as_ref(),
        opportunity: opportunity.as_ref(),
    };
    let meeting = meeting(cx, view, &around, &mut out.notes);
    out.desired.extend(case);
    out.desired.extend(opportunity);
    out.desired.push(meeting);
    out
}

/// A key for this booking's own record in a slot.
pub(super) fn own_key(cx: &Context<'_>, slot: Slot) -> ExternalKey {
    ExternalKey::derive(&[&slot.to_string(), cx.workspace.as_str(), cx.connection.as_str(), cx.chain.as_str()])
}

/// The key of a record that bookings share.
pub(super) fn shared_record_key(cx: &Context<'_>, key: &SharedKey) -> ExternalKey {
    ExternalKey::derive(&["shared", cx.workspace.as_str(), cx.connection.as_str(), key.as_str()])
}

/// A record id in the booking link, checked in form only.
pub(super) fn hint(cx: &Context<'_>, view: &View<'_>) -> Option<(Role, RecordId)> {
    view.content.record_hint.as_deref().and_then(|text| (cx.identify)(text))
}

/// Routing map, then the host's active user, then the default; whoever is inactive or unknown falls through.
fn owner(cx: &Context<'_>, view: &View<'_>, notes: &mut Vec<Note>) -> Option<RecordId> {
    if let Some(user) = routed_owner(cx.settings, view) {
        return Some(RecordId::new(user));
    }
    let host = view.content.hosts.first().and_then(|host| address(&host.email));
    if let Some(host) = &host {
        match cx.facts.user(host) {
            Some(Some(user)) => return Some(user.clone()),
            Some(None) => notes
                .push(Note::new("owner_default", "the host is no active user of the CRM; the default owner applies")),
            None => {}
        }
    }
    cx.settings.default_owner.clone().map(RecordId::new)
}

/// The user that the routing map names for the meeting's place or else its first host.
pub(super) fn routed_owner<'a>(settings: &'a BookingSettings, view: &View<'_>) -> Option<&'a str> {
    let routes = &settings.owner_routes;
    let place = view.content.location.as_deref().unwrap_or_default();
    let host = view.content.hosts.first().and_then(|host| address(&host.email));
    let by_host = || host.and_then(|host| routes.iter().find(|(route, _)| address(route).as_ref() == Some(&host)));
    routes.get(place).or_else(|| by_host().map(|(_, user)| user)).map(String::as_str)
}

pub(super) struct Person {
    pub role: Role,
    pub value: Value,
    /// The account as something that another record can refer to.
    pub account: Option<Value>,
}

/// The invitee's record, and the account that comes with a new contact.
fn person(cx: &Context<'_>, view: &View<'_>, owner: Option<&RecordId>, out: &mut Projection) -> Option<Person> {
    let invitee = &view.content.invitee;
    let Some(email) = address(&invitee.email) else {
        out.notes.push(Note::new(
            "no_address",
            "the invitee's e-mail address cannot be used; the meeting is written without a person",
        ));
        return None;
    };
    let found = match person_link(cx, &email) {
        Some(link) => linked(cx, link, &email),
        None => {
            let who = Who { email: &email, phone: invitee.phone.as_deref(), hint: hint(cx, view), owner };
            let mut found = find_person(&who, cx.settings, cx.facts);
            if found.id.is_none() {
                adopt_by_key(cx, &mut found, &email);
            }
            out.notes.push(match_note(&found));
            found
        }
    };
    if found.id.is_none() && !cx.settings.create_person {
        out.notes.push(Note::new(
            "not_created",
            "nobody matched and the settings create nobody; the meeting is written without a person",
        ));
        return None;
    }
    let key = person_key(found.role, &email);
    let account = match (&found.account, found.role) {
        (Some(id), _) => Some(Value::Id(id.clone())),
        (None, Role::Contact) if found.id.is_none() && cx.settings.create_account => {
            Some(account(cx, view, &email, owner, out))
        }
        // Only an opportunity has a use for it, so it is only looked up, and only known, where there is one.
        (None, Role::Lead) if cx.settings.opportunity.is_some() => {
            find_account(&email, cx.settings, cx.facts).map(Value::Id)
        }
        _ => None,
    };
    let value = found.id.clone().map_or(Value::Slot(Slot::Person), Value::Id);
    let on_create = if found.id.is_some() {
        Fields::new()
    } else {
        person_fields(cx, view, found.role, &email, account.as_ref(), owner)
    };
    out.person_account.clone_from(&account);
    let mut remember = Fields::from([(Std::Email.into(), Value::Text(email))]);
    remember.extend(account.clone().map(|account| (Std::Account.into(), account)));
    out.desired.push(Desired {
        slot: Slot::Person,
        role: found.role,
        existing: found.id,
        key: shared_record_key(cx, &key),
        shared: Some(key),
        on_create,
        keep: Fields::new(),
        remember,
    });
    Some(Person { role: found.role, value, account })
}

/// The link of the booking's person, as long as the invitee is the one that it was made for. In a group meeting the
/// first seat may leave, and people correct their address; then the link is somebody else's.
pub(super) fn person_link<'a>(cx: &Context<'a>, email: &str) -> Option<&'a Link> {
    let link = cx.links.get(&Slot::Person)?;
    let made_for = link.image.get(&Std::Email.into()).and_then(Value::as_text);
    made_for.is_none_or(|made_for| made_for == email).then_some(link)
}

/// The person that this booking is linked to already, with the account that was known with it.
fn linked(cx: &Context<'_>, link: &Link, email: &str) -> PersonMatch {
    let known = known(cx.facts, email, cx.settings).filter(|known| known.id.as_ref() == Some(&link.id));
    let account = match link.image.get(&Std::Account.into()) {
        Some(Value::Id(id)) => Some(id.clone()),
        _ => known.and_then(|known| known.account),
    };
    PersonMatch { role: link.role, id: Some(link.id.clone()), account, rule: None, others: 0 }
}

/// A record that we made for this address, whatever address it bears today.
fn adopt_by_key(cx: &Context<'_>, found: &mut PersonMatch, email: &str) {
    let key = shared_record_key(cx, &person_key(found.role, email));
    if let Some(record) = cx.facts.with_key(found.role, &key) {
        found.id = Some(record.id.clone());
        found.rule = Some(super::settings::MatchRule::KnownLink);
        if let Some(Value::Id(account)) = record.fields.get(&Std::Account.into()) {
            found.account = Some(account.clone());
        }
    }
}

fn match_note(found: &PersonMatch) -> Note {
    use super::settings::MatchRule as Rule;
    let role = found.role.as_str();
    let text = match found.rule {
        None => return Note::new("created", format!("nobody matched: a {role} is created")),
        Some(Rule::RecordId) => format!("the booking link names the {role}"),
        Some(Rule::KnownLink) => format!("the {role} is known from an earlier booking"),
        Some(Rule::ContactEmail) => "a contact has the invitee's e-mail address".to_owned(),
        Some(Rule::OpenLeadEmail) => "an open lead has the invitee's e-mail address".to_owned(),
        Some(Rule::ConvertedLead) => {
            "a lead with the invitee's e-mail address was converted into this contact".to_owned()
        }
        Some(Rule::Phone) => "a contact has the invitee's phone number".to_owned(),
        Some(Rule::AccountDomain) => "an account has the domain of the invitee's e-mail address".to_owned(),
    };
    if found.others == 0 {
        return Note::new("matched", text);
    }
    Note::new(
        "matched",
        format!(
            "{text}; {} more matched, and the ranking (account, host's own, last active, oldest) chose this one",
            found.others
        ),
    )
}

fn person_fields(
    cx: &Context<'_>,
    view: &View<'_>,
    role: Role,
    email: &str,
    account: Option<&Value>,
    owner: Option<&RecordId>,
) -> Fields {
    let invitee = &view.content.invitee;
    let (first, last) =
        split_name(invitee.first_name.as_deref(), invitee.last_name.as_deref(), invitee.full_name.as_deref(), email);
    let mut fields = Fields::new();
    let mut set = |field: Std, value: Option<Value>| {
        if let Some(value) = value {
            fields.insert(Field::Std(field), value);
        }
    };
    set(Std::Email, Some(Value::text(email)));
    set(Std::FirstName, first.map(Value::Text));
    set(Std::LastName, Some(Value::Text(last)));
    set(Std::Phone, text_value(invitee.phone.as_deref()));
    set(Std::Owner, owner.cloned().map(Value::Id));
    if role == Role::Lead {
        set(Std::Company, Some(Value::Text(company(cx, view, email))));
        set(Std::Status, text_value(cx.settings.lead_status.as_deref()));
    } else {
        set(Std::Account, account.cloned());
    }
    fields
}

pub(super) fn text_value(text: Option<&str>) -> Option<Value> {
    text.map(squeeze).filter(|text| !text.is_empty()).map(Value::Text)
}

/// The company by name: the mapped answer, else the e-mail domain unless it says nothing, else the person's name.
fn company(cx: &Context<'_>, view: &View<'_>, email: &str) -> String {
    let answered = cx.settings.company_answer.as_deref().and_then(|wanted| {
        let answer = view.content.answers.iter().find(|answer| answer.key == wanted || answer.label == wanted)?;
        Some(squeeze(&answer.value)).filter(|value| !value.is_empty())
    });
    answered
        .or_else(|| company_domain(email, cx.settings).map(str::to_owned))
        .unwrap_or_else(|| display_name(&view.content.invitee))
}

/// The account of a new contact, found or to be created.
fn account(cx: &Context<'_>, view: &View<'_>, email: &str, owner: Option<&RecordId>, out: &mut Projection) -> Value {
    let shared = account_key(email, cx.settings);
    let key = shared_record_key(cx, &shared);
    let existing = cx
        .links
        .get(&Slot::Account)
        .filter(|link| link.key.as_ref() == Some(&key))
        .map(|link| link.id.clone())
        .or_else(|| find_account(email, cx.settings, cx.facts))
        .or_else(|| cx.facts.with_key(Role::Account, &key).map(|record| record.id.clone()));
    let mut on_create = Fields::new();
    if existing.is_none() {
        on_create.insert(Std::Name.into(), Value::Text(company(cx, view, email)));
        if let Some(domain) = company_domain(email, cx.settings) {
            on_create.insert(Std::Website.into(), Value::text(domain));
        }
        if let Some(owner) = owner {
            on_create.insert(Std::Owner.into(), Value::Id(owner.clone()));
        }
    } else {
        out.notes.push(Note::new(
            "account_found",
            "an account for the invitee's e-mail domain is there; the new contact belongs to it",
        ));
    }
    let value = existing.clone().map_or(Value::Slot(Slot::Account), Value::Id);
    out.desired.push(Desired {
        slot: Slot::Account,
        role: Role::Account,
        existing,
        key,
        shared: Some(shared),
        on_create,
        keep: Fields::new(),
        remember: Fields::new(),
    });
    value
}

fn case(cx: &Context<'_>, view: &View<'_>, person: Option<&Person>, owner: Option<&RecordId>) -> Option<Desired> {
    let settings = cx.settings.case.as_ref()?;
    let invitee = &view.content.invitee;
    let mut on_create = Fields::new();
    on_create.insert(Std::Status.into(), Value::text(&settings.status));
    if let Some(origin) = &settings.origin {
        on_create.insert(Std::Origin.into(), Value::text(origin));
    }
    if let Some(owner) = owner {
        on_create.insert(Std::Owner.into(), Value::Id(owner.clone()));
    }
    match person {
        Some(person) if person.role == Role::Contact => {
            on_create.insert(Std::Contact.into(), person.value.clone());
            if let Some(account) = &person.account {
                on_create.insert(Std::Account.into(), account.clone());
            }
        }
        // A case cannot be linked to a lead: the person is named in the fields meant for strangers.
        _ => {
            on_create.insert(Std::SuppliedName.into(), Value::Text(display_name(invitee)));
            on_create.insert(Std::SuppliedEmail.into(), Value::text(invitee.email.trim()));
            if let Some(phone) = text_value(invitee.phone.as_deref()) {
                on_create.insert(Std::SuppliedPhone.into(), phone);
            }
            on_create.insert(
                Std::SuppliedCompany.into(),
                Value::Text(company(cx, view, &address(&invitee.email).unwrap_or_default())),
            );
        }
    }
    let mut keep = Fields::new();
    keep.insert(Std::Subject.into(), Value::Text(title(view.content)));
    let related = Related { case: None, opportunity: None };
    keep.insert(Std::Description.into(), Value::Text(description(view, cx.settings.language, &related)));
    Some(Desired {
        slot: Slot::Case,
        role: Role::Case,
        existing: cx.links.get(&Slot::Case).map(|link| link.id.clone()),
        key: own_key(cx, Slot::Case),
        shared: None,
        on_create,
        keep,
        remember: Fields::new(),
    })
}

fn opportunity(
    cx: &Context<'_>,
    view: &View<'_>,
    person: Option<&Person>,
    owner: Option<&RecordId>,
) -> Option<Desired> {
    let settings = cx.settings.opportunity.as_ref()?;
    let start = view.content.start?;
    let mut on_create = Fields::new();
    on_create.insert(Std::Stage.into(), Value::text(&settings.stage));
    if let Some(amount) = &settings.amount {
        on_create.insert(Std::Amount.into(), Value::Decimal(amount.clone()));
    }
    if let Some(owner) = owner {
        on_create.insert(Std::Owner.into(), Value::Id(owner.clone()));
    }
    if let Some(account) = person.and_then(|person| person.account.clone()) {
        on_create.insert(Std::Account.into(), account);
    }
    if let Some(person) = person.filter(|person| person.role == Role::Contact) {
        on_create.insert(Std::Contact.into(), person.value.clone());
    }
    let zone = zone(view.content.hosts.first().and_then(|host| host.time_zone.as_deref()));
    let day = start.to_zoned(zone).date();
    let mut keep = Fields::new();
    keep.insert(Std::Name.into(), Value::Text(opportunity_name(view)));
    keep.insert(
        Std::CloseDate.into(),
        Value::Date(day.saturating_add(SignedDuration::from_hours(HOURS_A_DAY * i64::from(settings.close_after_days)))),
    );
    Some(Desired {
        slot: Slot::Opportunity,
        role: Role::Opportunity,
        existing: cx.links.get(&Slot::Opportunity).map(|link| link.id.clone()),
        key: own_key(cx, Slot::Opportunity),
        shared: None,
        on_create,
        keep,
        remember: Fields::new(),
    })
}

pub(super) fn opportunity_name(view: &View<'_>) -> String {
    let name = squeeze(&view.content.meeting_type_name);
    if name.is_empty() { title(view.content) } else { name }
}

/// Whether the account of somebody new matters: to a contact, which belongs to it, or to an opportunity.
pub(super) fn wants_account(settings: &BookingSettings) -> bool {
    (settings.create_account && settings.person != PersonMode::ContactFirst) || settings.opportunity.is_some()
}
