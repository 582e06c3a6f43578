//! What a decision has to know: the questions about one booking, and the fields that answer them. Nothing is decided here.

use std::collections::BTreeMap;

use super::{
    attendees::{Company, company, others},
    chain::View,
    check::Descriptions,
    diff::{Normalise, decide},
    facts::Questions,
    follow::{stranger, untraced, untraced_account},
    mapped,
    matching::{account_key, address, company_domain, known, known_goes_first, person_key},
    owner::candidates,
    people::{Comer, Kind, person_link},
    project::{Context, Gate, gate, hint, shared_record_key, unmapped, wants_account},
    settings::{BookingSettings, GuestPolicy, MatchRule},
};
use crate::{
    ids::{RecordId, SharedKey},
    record::{Field, Record, Role, Slot, Std, Value},
    step::{Plan, Write},
};

/// Looks that one decision takes at the most. Nearly always one is enough; where a plan whose outcome is unknown made the
/// meeting, its attendees are asked for in a second, and every merge of a record in doubt is followed by one more.
pub const MAX_LOOKS: usize = 4;

/// What must be known before [`decide`] can be trusted. `unsettled` is a plan whose outcome is unknown: its records
/// are looked up, so that nothing is repeated blindly.
pub fn questions(cx: &Context<'_>, view: &View<'_>, unsettled: Option<&Plan>, normalise: Normalise<'_>) -> Questions {
    let mut ask = Questions::default();
    // Even where nothing is written now, what became of an earlier plan must not be forgotten.
    for (plan, step) in unsettled.iter().flat_map(|plan| plan.steps.iter().map(move |step| (*plan, step))) {
        match &step.write {
            // Attendees are known by their meeting alone, those who were to leave as well.
            _ if step.role == Role::Attendee => {
                // The plan may have made the meeting, too; then its attendees are asked for once it is found.
                let meeting =
                    cx.links.get(&Slot::Meeting).map(|link| &link.id).or_else(|| made(cx, plan, Slot::Meeting));
                match meeting.map(|id| (id, cx.facts.attendees(id))) {
                    Some((id, None)) => drop(ask.attendees.insert(id.clone())),
                    Some((_, Some(known))) => ask_about_stranger(cx, plan, known, &step.write, &mut ask),
                    None => {}
                }
            }
            write if step.role == Role::Custom => {
                let key = match write {
                    Write::Upsert { key, .. } => Some(key),
                    Write::Patch { .. } | Write::Delete { .. } => {
                        cx.links.get(&step.slot).and_then(|link| link.key.as_ref())
                    }
                };
                if let (Some(object), Some(key)) = (&step.object, key) {
                    ask.further.entry(object.clone()).or_default().insert(key.clone());
                }
            }
            Write::Upsert { key, .. } => ask.keys.entry(step.role).or_default().extend([key.clone()]),
            Write::Patch { id, .. } | Write::Delete { id } => {
                ask.ids.entry(step.role).or_default().extend([id.clone()]);
            }
        }
    }
    if let Gate::Leave(..) = gate(cx, view) {
        return ask;
    }
    let company = company(cx, view);
    ask_about_doubts(cx, &company, &mut ask);
    if let Some(comer) = Comer::invitee(view) {
        ask_about_person(cx, view, &comer, &mut ask);
    }
    ask_about_company(cx, view, company, &mut ask);
    ask_about_owner(cx, view, &mut ask);
    ask_about_mapped(cx, view, &mut ask);
    if cx.links.is_empty() {
        return ask;
    }
    // Where a linked record would change, its present values decide what survives.
    let preview = decide(cx, view, None, normalise);
    for step in &preview.plan.steps {
        if let Write::Patch { id, .. } = &step.write
            && step.role != Role::Custom
            && cx.facts.record(id).is_none()
        {
            ask.ids.entry(step.role).or_default().insert(id.clone());
        }
        // Somebody may have invited or uninvited the same person meanwhile.
        if step.role == Role::Attendee {
            ask_about_attendees(cx, &mut ask);
        }
    }
    ask
}

/// Somebody who was to be invited and is not there, where others are: who was merged into another record is there as that.
/// Of somebody whom the same plan was to make not even the id is known then.
fn ask_about_stranger(
    cx: &Context<'_>,
    plan: &Plan,
    there: &BTreeMap<RecordId, Record>,
    write: &Write,
    ask: &mut Questions,
) {
    let Write::Upsert { fields, .. } = write else { return };
    match fields.get(&Std::Attends.into()) {
        Some(Value::Id(id)) => {
            if !there.is_empty()
                && !there.contains_key(id)
                && let Some(link) = stranger(cx, id)
                && let Some(id) = untraced(cx, &link)
            {
                ask.traces.entry(link.role).or_default().insert(id);
            }
        }
        Some(Value::Slot(slot)) if !cx.links.contains_key(slot) && made(cx, plan, *slot).is_none() => {
            ask.emails.extend(planned_address(plan, *slot).map(str::to_owned));
        }
        _ => {}
    }
}

/// The address of the person whom a plan was to make in this slot.
pub(super) fn planned_address(plan: &Plan, slot: Slot) -> Option<&str> {
    plan.steps.iter().filter(|step| step.slot == slot).find_map(|step| match &step.write {
        Write::Upsert { fields, .. } => fields.get(&Std::Email.into())?.as_text(),
        Write::Patch { .. } | Write::Delete { .. } => None,
    })
}

/// The record that a plan made in this slot, as far as it was found.
fn made<'a>(cx: &Context<'a>, plan: &Plan, slot: Slot) -> Option<&'a RecordId> {
    plan.steps.iter().filter(|step| step.slot == slot).find_map(|step| match &step.write {
        Write::Upsert { key, .. } => cx.facts.with_key(step.role, key).map(|record| &record.id),
        Write::Patch { .. } | Write::Delete { .. } => None,
    })
}

/// What became of linked records that the CRM refused, as far as they still matter.
fn ask_about_doubts(cx: &Context<'_>, company: &Company<'_>, ask: &mut Questions) {
    if cx.links.values().all(|link| !link.doubt) {
        return;
    }
    let coming: Vec<Slot> = company.comers.iter().flat_map(|comer| [comer.slot, comer.account_slot()]).collect();
    for (slot, link) in cx.links.iter().filter(|(_, link)| link.doubt) {
        let matters = match slot {
            Slot::Guest(_) | Slot::GuestAccount(_) => coming.contains(slot),
            Slot::Attendee(_) | Slot::Record(_) => false,
            _ => true,
        };
        if matters && let Some(id) = untraced(cx, link) {
            ask.traces.entry(link.role).or_default().insert(id);
        }
        // It may be the account that is gone.
        if matters
            && matches!(slot, Slot::Person | Slot::Guest(_))
            && let Some(id) = untraced_account(cx, link)
        {
            ask.traces.entry(Role::Account).or_default().insert(id);
        }
    }
    // What hangs on the record in doubt may have been hung on another one by now.
    if let Some(meeting) = cx.links.get(&Slot::Meeting).filter(|link| cx.facts.record(&link.id).is_none()) {
        ask.ids.entry(meeting.role).or_default().insert(meeting.id.clone());
    }
}

fn ask_about_person(cx: &Context<'_>, view: &View<'_>, comer: &Comer<'_>, ask: &mut Questions) {
    let email = comer.email.as_str();
    if comer.kind == Kind::Invitee
        && let Some((role, id)) = hint(cx, view).filter(|_| !cx.links.contains_key(&Slot::Meeting))
        && cx.settings.match_order.contains(&MatchRule::RecordId)
    {
        ask.ids.entry(role).or_default().insert(id);
    }
    if let Some(link) = person_link(cx, comer).filter(|link| !link.doubt) {
        // A record that a duplicate rule named is not known any better than by its id.
        if comer.kind == Kind::Invitee
            && cx.settings.opportunity.is_some()
            && !link.image.contains_key(&Std::Account.into())
            && link.role == Role::Contact
            && !cx.links.contains_key(&Slot::Opportunity)
        {
            ask.ids.entry(link.role).or_default().insert(link.id.clone());
        }
        return;
    }
    let is_known = match comer.kind {
        Kind::Guest => {
            [Role::Contact, Role::Lead].iter().any(|role| cx.facts.shared(&person_key(*role, email)).is_some())
        }
        Kind::Invitee | Kind::Seat => known_goes_first(cx.settings) && known(cx.facts, email, cx.settings).is_some(),
    };
    if is_known {
        return;
    }
    ask.emails.insert(email.to_owned());
    let may_be_created = comer.may_be_created(cx);
    if comer.kind != Kind::Guest || may_be_created {
        for role in [Role::Contact, Role::Lead] {
            ask.keys.entry(role).or_default().insert(shared_record_key(cx, &person_key(role, email)));
        }
    }
    if comer.kind != Kind::Guest
        && cx.settings.match_order.contains(&MatchRule::Phone)
        && let Some(phone) = comer.who.phone.as_deref().filter(|phone| crate::person::phone_digits(phone).is_some())
    {
        ask.phones.insert(phone.trim().to_owned());
    }
    let account = account_key(email, cx.settings);
    let matters = comer.kind == Kind::Invitee || (may_be_created && cx.settings.create_account);
    if matters && wants_account(cx.settings) && cx.facts.shared(&account).is_none() {
        ask.keys.entry(Role::Account).or_default().insert(shared_record_key(cx, &account));
        if let Some(domain) =
            company_domain(email, cx.settings).filter(|_| cx.settings.match_order.contains(&MatchRule::AccountDomain))
        {
            ask.domains.insert(domain.to_owned());
            if cx.settings.account_by_contacts {
                ask.contact_domains.insert(domain.to_owned());
            }
        }
    }
}

/// Records that a mapping fills where they are empty, or whose fields it reads.
fn ask_about_mapped(cx: &Context<'_>, view: &View<'_>, ask: &mut Questions) {
    for (object, key) in mapped::further_to_read(cx) {
        ask.further.entry(object.clone()).or_default().insert(key.clone());
    }
    if !mapped::reads_something(cx.settings) {
        return;
    }
    for desired in unmapped(cx, view).out.desired {
        if let Some(id) = desired.existing
            && cx.facts.record(&id).is_none()
            && mapped::reads(cx.settings, desired.slot, desired.role)
        {
            ask.ids.entry(desired.role).or_default().insert(id);
        }
    }
}

/// Other seats, guests and further hosts.
fn ask_about_company(cx: &Context<'_>, view: &View<'_>, company: Company<'_>, ask: &mut Questions) {
    let before = (ask.emails.len(), ask.users.len());
    for comer in &company.comers {
        if comer.is_own(cx) && cx.facts.user(&comer.email).is_none() {
            ask.users.insert(comer.email.clone());
        }
        if comer.kind == Kind::Seat || cx.settings.guests != GuestPolicy::Ignore {
            ask_about_person(cx, view, comer, ask);
        }
    }
    for (email, _) in company.hosts {
        if cx.facts.user(&email).is_none() {
            ask.users.insert(email);
        }
    }
    // Whoever turns out to be somebody may attend already.
    if (ask.emails.len(), ask.users.len()) != before {
        ask_about_attendees(cx, ask);
    }
}

fn ask_about_attendees(cx: &Context<'_>, ask: &mut Questions) {
    let meeting = cx.links.get(&Slot::Meeting).filter(|link| cx.facts.attendees(&link.id).is_none());
    ask.attendees.extend(meeting.map(|meeting| meeting.id.clone()));
}

fn ask_about_owner(cx: &Context<'_>, view: &View<'_>, ask: &mut Questions) {
    for candidate in candidates(cx.settings, view) {
        match cx.facts.user(&candidate) {
            Some(Some(_)) => return,
            Some(None) => {}
            None => {
                ask.users.insert(candidate);
                // The meeting may turn out to change hands, and then it matters who owns it at present.
                if let Some(link) = cx.links.get(&Slot::Meeting).filter(|link| cx.facts.record(&link.id).is_none()) {
                    ask.ids.entry(link.role).or_default().insert(link.id.clone());
                }
            }
        }
    }
}

/// What to remember of before, so that a booking asks as little as possible.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Recall {
    /// People and accounts that other bookings may know.
    pub shared: Vec<SharedKey>,
    /// Users, by normalised address or id.
    pub users: Vec<String>,
}

/// Which people, accounts and users a booking speaks of.
pub fn recall(settings: &BookingSettings, view: &View<'_>) -> Recall {
    let content = view.content;
    let mut out = Recall { users: candidates(settings, view), ..Recall::default() };
    let people = std::iter::once(&content.invitee).chain(others(view).map(|(who, _)| who));
    for email in people.filter_map(|who| address(&who.email)) {
        for role in [Role::Contact, Role::Lead] {
            out.shared.push(person_key(role, &email));
        }
        out.shared.push(account_key(&email, settings));
        if company_domain(&email, settings).is_none() {
            out.users.push(email);
        }
    }
    out.users.extend(content.hosts.iter().filter_map(|host| address(&host.email)));
    out
}

/// The fields of a role whose present values a decision may need.
pub fn fields_to_read(role: Role, settings: &BookingSettings, objects: &dyn Descriptions) -> Vec<Field> {
    let std: &[Std] = match role {
        Role::Contact => &[
            Std::Key,
            Std::Email,
            Std::OtherEmails,
            Std::Phone,
            Std::Mobile,
            Std::Account,
            Std::Owner,
            Std::CreatedAt,
            Std::LastActivity,
        ],
        Role::Lead => &[
            Std::Key,
            Std::Email,
            Std::Owner,
            Std::Converted,
            Std::ConvertedContact,
            Std::ConvertedAccount,
            Std::CreatedAt,
            Std::LastActivity,
        ],
        Role::Account => &[Std::Key, Std::Name, Std::Website, Std::CreatedAt],
        Role::Case => &[Std::Key, Std::Subject, Std::Description],
        Role::Opportunity => &[Std::Key, Std::Name, Std::CloseDate],
        Role::Meeting => &[
            Std::Key,
            Std::Subject,
            Std::Description,
            Std::Location,
            Std::Start,
            Std::End,
            Std::ShowAs,
            Std::Owner,
            Std::Who,
            Std::What,
        ],
        Role::User => &[Std::Email, Std::Active],
        Role::Attendee => &[Std::Meeting, Std::Attends, Std::Response],
        Role::Custom => &[Std::Key],
    };
    let mut fields: Vec<Field> = std.iter().map(|field| Field::Std(*field)).collect();
    if role == Role::Meeting {
        fields.extend(settings.status_field.iter().cloned().map(Field::Native));
    }
    fields.extend(mapped::fields(role, settings, objects));
    fields
}
