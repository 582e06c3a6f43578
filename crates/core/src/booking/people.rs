//! Who comes: the records of the invitee, of the other seats and of the guests, found or to be made, with the accounts
//! of new contacts. How they hang on the meeting is [`super::attendees`]' matter.

use super::{
    chain::View,
    follow::{Followed, account_that_stands, follow},
    mapped::uses_account,
    matching::{
        PersonMatch, Who, account_key, address, company_domain, find_account, find_guest, find_person, known,
        person_key,
    },
    message::Attendee,
    project::{Context, Desired, Note, Projection, hint, shared_record_key, text_value},
    settings::{GuestPolicy, MatchRule, PersonMode},
    text::display_name,
};
use crate::{
    ids::RecordId,
    person::{domain_of, is_listed, split_name, squeeze},
    record::{Field, Fields, Role, Slot, Std, Value},
    step::Link,
};

/// In which part somebody comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Invitee,
    /// The invitee of another seat of a group meeting.
    Seat,
    Guest,
}

/// Somebody who comes, with a usable address.
#[derive(Debug, Clone)]
pub(super) struct Comer<'a> {
    pub who: &'a Attendee,
    /// Normalised.
    pub email: String,
    pub kind: Kind,
    pub slot: Slot,
}

impl<'a> Comer<'a> {
    /// The invitee, where the address can be used.
    pub fn invitee(view: &View<'a>) -> Option<Self> {
        let who = &view.content.invitee;
        Some(Self { who, email: address(&who.email)?, kind: Kind::Invitee, slot: Slot::Person })
    }

    /// Whether somebody who is not found is made. Colleagues of the host are no contacts of the company.
    pub fn may_be_created(&self, cx: &Context<'_>) -> bool {
        match self.kind {
            Kind::Invitee | Kind::Seat => cx.settings.create_person,
            Kind::Guest => cx.settings.guests == GuestPolicy::Create && !self.is_own(cx),
        }
    }

    /// Whether the address lies in one of the admin's own domains.
    pub fn is_own(&self, cx: &Context<'_>) -> bool {
        domain_of(&self.email).is_some_and(|domain| is_listed(domain, &cx.settings.own_domains))
    }

    pub fn account_slot(&self) -> Slot {
        match self.slot {
            Slot::Guest(number) => Slot::GuestAccount(number),
            _ => Slot::Account,
        }
    }

    /// A note about this person: of a guest, the address says which one.
    pub fn note(&self, code: &'static str, text: impl AsRef<str>) -> Note {
        match self.kind {
            Kind::Invitee => Note::new(code, text.as_ref()),
            Kind::Seat | Kind::Guest => Note::new(code, format!("{}: {}", self.email, text.as_ref())),
        }
    }

    fn match_note(&self, found: &PersonMatch) -> Note {
        let role = found.role.as_str();
        let whose = if self.kind == Kind::Guest { "guest's" } else { "invitee's" };
        let text = match found.rule {
            None => return self.note("created", format!("nobody matched: a {role} is created")),
            Some(MatchRule::RecordId) => format!("the booking link names the {role}"),
            Some(MatchRule::KnownLink) => format!("the {role} is known from an earlier booking"),
            Some(MatchRule::ContactEmail) => format!("a contact has the {whose} e-mail address"),
            Some(MatchRule::OpenLeadEmail) => format!("an open lead has the {whose} e-mail address"),
            Some(MatchRule::ConvertedLead) => {
                format!("a lead with the {whose} e-mail address was converted into this contact")
            }
            Some(MatchRule::Phone) => format!("a contact has the {whose} phone number"),
            Some(MatchRule::AccountDomain) => format!("an account has the domain of the {whose} e-mail address"),
        };
        if found.others == 0 {
            return self.note("matched", text);
        }
        let ranking = "the ranking (account, host's own, last active, oldest) chose this one";
        self.note("matched", format!("{text}; {} more matched, and {ranking}", found.others))
    }
}

pub(super) struct Person {
    pub role: Role,
    pub value: Value,
    /// The account as something that another record can refer to.
    pub account: Option<Value>,
}

/// The invitee's record, and the account that comes with a new contact.
pub(super) fn invitee(
    cx: &Context<'_>,
    view: &View<'_>,
    owner: Option<&RecordId>,
    out: &mut Projection,
) -> Option<Person> {
    let Some(comer) = Comer::invitee(view) else {
        out.notes.push(Note::new(
            "no_address",
            "the invitee's e-mail address cannot be used; the meeting is written without a person",
        ));
        return None;
    };
    person(cx, view, &comer, owner, out)
}

/// Somebody's record, found or to be made, and the account that comes with a new contact.
pub(super) fn person(
    cx: &Context<'_>,
    view: &View<'_>,
    comer: &Comer<'_>,
    owner: Option<&RecordId>,
    out: &mut Projection,
) -> Option<Person> {
    let email = &comer.email;
    let found = match person_link(cx, comer) {
        Some(link) => match follow(cx, link) {
            Followed::Stands => linked(cx, link, email),
            Followed::Became { role, id, account } => {
                let text = "the record was merged or converted in the CRM; the one that took its place is used";
                out.notes.push(comer.note("followed", text));
                PersonMatch { role, id: Some(id), account, rule: None, others: 0 }
            }
            Followed::Gone => {
                out.notes.push(comer.note("gone", "the record was deleted in the CRM"));
                find(cx, view, comer, owner, out)
            }
            Followed::Left => {
                let text = "the record was deleted in the CRM, and the settings leave it at that";
                out.notes.push(comer.note("left", text));
                return None;
            }
        },
        None => find(cx, view, comer, owner, out),
    };
    if found.id.is_none() && !comer.may_be_created(cx) {
        let text = match comer.kind {
            Kind::Invitee => "nobody matched and the settings create nobody; the meeting is written without a person",
            Kind::Seat | Kind::Guest => {
                "nobody matched and the settings create nobody; the description names the guest"
            }
        };
        out.notes.push(comer.note("not_created", text));
        return None;
    }
    let key = person_key(found.role, email);
    let known_account = found.account.as_ref().and_then(|id| account_that_stands(cx, id));
    let account = match (known_account, found.role) {
        (Some(id), _) => Some(Value::Id(id)),
        (None, Role::Contact) if found.id.is_none() && cx.settings.create_account => {
            Some(account(cx, view, comer, owner, out))
        }
        // Only an opportunity has a use for it, so it is only looked up, and only known, where there is one.
        (None, Role::Lead) if cx.settings.opportunity.is_some() && comer.kind == Kind::Invitee => {
            find_account(email, cx.settings, cx.facts).map(Value::Id)
        }
        _ => None,
    };
    if let (Some(Value::Id(id)), Kind::Invitee) = (&account, comer.kind) {
        keep_account(cx, comer, id, out);
    }
    let value = found.id.clone().map_or(Value::Slot(comer.slot), Value::Id);
    let on_create = if found.id.is_some() {
        Fields::new()
    } else {
        person_fields(cx, view, found.role, comer, account.as_ref(), owner)
    };
    out.accounts.extend(account.clone().map(|account| (comer.slot, account)));
    let mut remember = Fields::from([(Std::Email.into(), Value::text(email))]);
    // An account that went away is not gone back to.
    let had_account = || person_link(cx, comer).is_some_and(|link| link.image.contains_key(&Std::Account.into()));
    let remembered = account.clone().or_else(|| had_account().then_some(Value::Null));
    remember.extend(remembered.map(|account| (Std::Account.into(), account)));
    out.desired.push(Desired {
        slot: comer.slot,
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
pub(super) fn person_link<'a>(cx: &Context<'a>, comer: &Comer<'_>) -> Option<&'a Link> {
    let link = cx.links.get(&comer.slot)?;
    let made_for = link.image.get(&Std::Email.into()).and_then(Value::as_text);
    made_for.is_none_or(|made_for| made_for == comer.email).then_some(link)
}

fn find(
    cx: &Context<'_>,
    view: &View<'_>,
    comer: &Comer<'_>,
    owner: Option<&RecordId>,
    out: &mut Projection,
) -> PersonMatch {
    let hint = if comer.kind == Kind::Invitee { hint(cx, view) } else { None };
    let who = Who { email: &comer.email, phone: comer.who.phone.as_deref(), hint, owner };
    let mut found = match comer.kind {
        Kind::Guest => find_guest(&who, cx.settings, cx.facts),
        Kind::Invitee | Kind::Seat => find_person(&who, cx.settings, cx.facts),
    };
    if found.id.is_none() {
        adopt_by_key(cx, &mut found, &comer.email);
    }
    if found.id.is_some() || comer.may_be_created(cx) {
        out.notes.push(comer.match_note(&found));
    }
    found
}

/// The person that this booking is linked to already, with the account that was known with it. Of one in doubt the record
/// itself tells: it may be the account that is gone.
fn linked(cx: &Context<'_>, link: &Link, email: &str) -> PersonMatch {
    let id_in = |fields: &Fields| match fields.get(&Std::Account.into()) {
        Some(Value::Id(id)) => Some(id.clone()),
        _ => None,
    };
    let traced = cx.facts.trace(&link.id).flatten().filter(|_| link.doubt);
    let account = match traced.filter(|record| record.fields.contains_key(&Std::Account.into())) {
        Some(record) => id_in(&record.fields),
        None => id_in(&link.image)
            .or_else(|| {
                let known = known(cx.facts, email, cx.settings)?;
                known.account.filter(|_| known.id.as_ref() == Some(&link.id))
            })
            .or_else(|| id_in(&cx.facts.record(&link.id)?.fields)),
    };
    PersonMatch { role: link.role, id: Some(link.id.clone()), account, rule: None, others: 0 }
}

/// A record that we made for this address, whatever address it bears today.
fn adopt_by_key(cx: &Context<'_>, found: &mut PersonMatch, email: &str) {
    let key = shared_record_key(cx, &person_key(found.role, email));
    if let Some(record) = cx.facts.with_key(found.role, &key) {
        found.id = Some(record.id.clone());
        found.rule = Some(MatchRule::KnownLink);
        if let Some(Value::Id(account)) = record.fields.get(&Std::Account.into()) {
            found.account = Some(account.clone());
        }
    }
}

fn person_fields(
    cx: &Context<'_>,
    view: &View<'_>,
    role: Role,
    comer: &Comer<'_>,
    account: Option<&Value>,
    owner: Option<&RecordId>,
) -> Fields {
    let (who, email) = (comer.who, comer.email.as_str());
    let (first, last) =
        split_name(who.first_name.as_deref(), who.last_name.as_deref(), who.full_name.as_deref(), email);
    let mut fields = Fields::new();
    let mut set = |field: Std, value: Option<Value>| {
        if let Some(value) = value {
            fields.insert(Field::Std(field), value);
        }
    };
    set(Std::Email, Some(Value::text(email)));
    set(Std::FirstName, first.map(Value::Text));
    set(Std::LastName, Some(Value::Text(last)));
    set(Std::Phone, text_value(who.phone.as_deref()));
    set(Std::Owner, owner.cloned().map(Value::Id));
    if role == Role::Lead {
        set(Std::Company, Some(Value::Text(company(cx, view, comer))));
    } else {
        set(Std::Account, account.cloned());
    }
    if role == Role::Lead || (!cx.settings.leads && cx.settings.person != PersonMode::Contact) {
        set(Std::Status, text_value(cx.settings.lead_status.as_deref()));
    }
    fields
}

/// The company by name: the mapped answer, else the e-mail domain unless it says nothing, else the person's name.
/// Only the invitee answers for the company.
fn company(cx: &Context<'_>, view: &View<'_>, comer: &Comer<'_>) -> String {
    let wanted = cx.settings.company_answer.as_deref().filter(|_| comer.kind == Kind::Invitee);
    let answered = wanted.and_then(|wanted| {
        let answer = view.content.answers.iter().find(|answer| answer.key == wanted || answer.label == wanted)?;
        Some(squeeze(&answer.value)).filter(|value| !value.is_empty())
    });
    answered
        .or_else(|| company_domain(&comer.email, cx.settings).map(str::to_owned))
        .unwrap_or_else(|| display_name(comer.who))
}

/// The company of the invitee, whatever can be used of his address.
pub(super) fn company_of_invitee(cx: &Context<'_>, view: &View<'_>) -> String {
    let email = address(&view.content.invitee.email).unwrap_or_default();
    company(cx, view, &Comer { who: &view.content.invitee, email, kind: Kind::Invitee, slot: Slot::Person })
}

/// The invitee's account that is there already is a record of the booking where a mapping reads or fills it.
fn keep_account(cx: &Context<'_>, comer: &Comer<'_>, id: &RecordId, out: &mut Projection) {
    let slot = comer.account_slot();
    if !uses_account(cx.settings) || out.desired.iter().any(|other| other.slot == slot) {
        return;
    }
    let shared = account_key(&comer.email, cx.settings);
    let key = shared_record_key(cx, &shared);
    // Others may rely on it as their company's only where it was made as that.
    let is_ours = cx.links.get(&slot).is_some_and(|link| link.id == *id && link.key.as_ref() == Some(&key));
    out.desired.push(Desired {
        slot,
        role: Role::Account,
        existing: Some(id.clone()),
        key,
        shared: is_ours.then_some(shared),
        on_create: Fields::new(),
        keep: Fields::new(),
        remember: Fields::new(),
    });
}

/// The account of a new contact, found or to be created; guests of one company share it.
fn account(
    cx: &Context<'_>,
    view: &View<'_>,
    comer: &Comer<'_>,
    owner: Option<&RecordId>,
    out: &mut Projection,
) -> Value {
    let email = comer.email.as_str();
    let shared = account_key(email, cx.settings);
    if let Some(other) = out.desired.iter().find(|other| other.shared.as_ref() == Some(&shared)) {
        return other.existing.clone().map_or(Value::Slot(other.slot), Value::Id);
    }
    let slot = comer.account_slot();
    let key = shared_record_key(cx, &shared);
    let linked = cx.links.get(&slot).filter(|link| link.key.as_ref() == Some(&key));
    let linked = linked.and_then(|link| match follow(cx, link) {
        Followed::Stands => Some(link.id.clone()),
        Followed::Became { id, .. } => Some(id),
        Followed::Gone | Followed::Left => None,
    });
    let existing = linked
        .or_else(|| find_account(email, cx.settings, cx.facts))
        .or_else(|| cx.facts.with_key(Role::Account, &key).map(|record| record.id.clone()));
    let mut on_create = Fields::new();
    if existing.is_none() {
        on_create.insert(Std::Name.into(), Value::Text(company(cx, view, comer)));
        if let Some(domain) = company_domain(email, cx.settings) {
            on_create.insert(Std::Website.into(), Value::text(domain));
        }
        if let Some(owner) = owner {
            on_create.insert(Std::Owner.into(), Value::Id(owner.clone()));
        }
    } else {
        out.notes.push(
            comer.note("account_found", "an account for the e-mail domain is there; the new contact belongs to it"),
        );
    }
    let value = existing.clone().map_or(Value::Slot(slot), Value::Id);
    if existing.is_some() && !cx.links.contains_key(&slot) && comer.kind != Kind::Invitee {
        // Somebody else's account; only that of the invitee is of further use.
        return value;
    }
    out.desired.push(Desired {
        slot,
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
