//! The projection: which records should exist for a booking, and with which values. Total and pure.
//!
//! It speaks roles (person, account, case, opportunity, meeting), never a vendor. It does not know what was written
//! before, save which records the booking's slots are linked to; the difference is [`super::diff`]'s.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::{
    attendees::attendees,
    chain::{Standing, View},
    facts::Facts,
    follow::{Own, own},
    mapped::{self, Outside},
    meeting::{Around, meeting},
    owner::owner,
    people::{Person, company_of_invitee, invitee},
    settings::{BookingSettings, PersonMode},
    text::{Related, description, display_name, title, zone},
    unite::project_surplus,
};
use crate::{
    ids::{ChainId, ConnectionId, ExternalKey, RecordId, SharedKey, WorkspaceId},
    person::squeeze,
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

/// What a CRM ties a meeting to, beside its person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ties {
    /// One record that it is about, and none where the person is a lead.
    One,
    /// The person's account, the case and the opportunity, as far as they exist.
    All,
}

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
    /// Whether the CRM lets a meeting be related to several people.
    pub relates_many: bool,
    pub ties: Ties,
    pub outside: Outside<'a>,
    pub identify: Identify<'a>,
    pub refused: &'a Refused,
}

/// What the CRM has just refused of a booking, with its reasons: the booking is written without it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Refused {
    /// Guests, by their addresses, who were to become records or attendees.
    pub guests: BTreeMap<String, String>,
    /// Mapped fields, by their record.
    pub fields: BTreeMap<(Slot, Field), String>,
}

impl Refused {
    /// Whether nothing was.
    pub fn is_empty(&self) -> bool {
        self.guests.is_empty() && self.fields.is_empty()
    }

    /// Adds what was refused after it.
    pub fn extend(&mut self, later: Refused) {
        self.guests.extend(later.guests);
        self.fields.extend(later.fields);
    }
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
    /// Links whose records are gone already.
    pub forget: Vec<Slot>,
    pub notes: Vec<Note>,
    /// When the answer may change without a new message.
    pub look_again: Option<Timestamp>,
    /// Whose account is known, by the person's slot: it travels with the shared link.
    pub accounts: BTreeMap<Slot, Value>,
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
        Standing::Unconfirmed if !ever => {
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
        // It may be the second half of a move: written now, it would be a meeting beside the one that moved.
        Standing::Active if !ever => {
            leave("marked_only", "all that came is a mark for not coming; it is kept until the booking itself comes")
        }
        Standing::Cancelled { .. } | Standing::Rejected { .. } if !ever => leave(
            "never_booked",
            "called off before it was ever seen to stand; should the booking itself still come, it is written as cancelled",
        ),
        _ => Gate::Write,
    }
}

/// Works out what should exist.
pub fn project(cx: &Context<'_>, view: &View<'_>) -> Projection {
    match gate(cx, view) {
        Gate::Leave(note, look_again) => Projection { notes: vec![note], look_again, ..Projection::default() },
        Gate::Write => {
            let Unmapped { mut out, owner, person } = unmapped(cx, view);
            mapped::write(cx, view, owner.as_ref(), person.as_ref(), &mut out);
            out
        }
    }
}

/// What a booking becomes before the mappings are laid over it.
pub(super) struct Unmapped {
    pub out: Projection,
    owner: Option<RecordId>,
    person: Option<Person>,
}

/// What a booking that is written becomes by itself.
pub(super) fn unmapped(cx: &Context<'_>, view: &View<'_>) -> Unmapped {
    let mut out = Projection::default();
    let owner = owner(cx, view, &mut out.notes);
    let person = invitee(cx, view, owner.as_ref(), &mut out);
    records(cx, view, owner.as_ref(), person.as_ref(), &mut out);
    project_surplus(cx, &mut out);
    Unmapped { out, owner, person }
}

/// The booking's own records, and who attends.
fn records(cx: &Context<'_>, view: &View<'_>, owner: Option<&RecordId>, person: Option<&Person>, out: &mut Projection) {
    if view.standing == Standing::FormOnly {
        out.notes.push(Note::new("form_only", "a form without a booking: only the person is written"));
        return;
    }
    if cx.settings.cancel.delete && matches!(view.standing, Standing::Cancelled { .. } | Standing::Rejected { .. }) {
        if cx.links.contains_key(&Slot::Meeting) {
            out.delete.push(Slot::Meeting);
        }
        out.notes.push(Note::new("deleted", "the settings delete the meeting of a cancelled booking"));
        return;
    }
    let case = own_record(cx, Slot::Case, &mut out.notes).and_then(|existing| case(cx, view, existing, person, owner));
    let opportunity = own_record(cx, Slot::Opportunity, &mut out.notes)
        .and_then(|existing| opportunity(cx, view, existing, person, owner));
    let Some(existing) = own_record(cx, Slot::Meeting, &mut out.notes) else {
        out.desired.extend(case.into_iter().chain(opportunity));
        return;
    };
    let around = Around { person, owner, case: case.as_ref(), opportunity: opportunity.as_ref() };
    let meeting = meeting(cx, view, existing, &around, &mut out.notes);
    out.desired.extend(case);
    out.desired.extend(opportunity);
    attendees(cx, view, &meeting, person, owner, out);
    out.desired.push(meeting);
}

/// The record that this booking has in the slot, `Some(None)` where it is to be made, and `None` where it is to stay
/// away.
fn own_record(cx: &Context<'_>, slot: Slot, notes: &mut Vec<Note>) -> Option<Option<RecordId>> {
    let linked = cx.links.contains_key(&slot);
    match own(cx, slot) {
        Own::Use(id) => Some(Some(id)),
        Own::Make => {
            if linked {
                notes.push(Note::new("recreated", format!("the {slot} was deleted in the CRM; it is made again")));
            }
            Some(None)
        }
        Own::Leave => {
            let text = format!("the {slot} was deleted in the CRM, and the settings leave it at that");
            notes.push(Note::new("left", text));
            None
        }
    }
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

fn case(
    cx: &Context<'_>,
    view: &View<'_>,
    existing: Option<RecordId>,
    person: Option<&Person>,
    owner: Option<&RecordId>,
) -> Option<Desired> {
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
            on_create.insert(Std::SuppliedCompany.into(), Value::Text(company_of_invitee(cx, view)));
        }
    }
    let mut keep = Fields::new();
    keep.insert(Std::Subject.into(), Value::Text(title(view.content)));
    let related = Related { case: None, opportunity: None };
    keep.insert(Std::Description.into(), Value::Text(description(view, cx.settings.language, &related)));
    Some(Desired {
        slot: Slot::Case,
        role: Role::Case,
        existing,
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
    existing: Option<RecordId>,
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
        existing,
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
    let new_contacts = settings.person != PersonMode::ContactFirst || settings.new_lead() == Role::Contact;
    (settings.create_account && new_contacts) || settings.opportunity.is_some()
}

pub(super) fn text_value(text: Option<&str>) -> Option<Value> {
    text.map(squeeze).filter(|text| !text.is_empty()).map(Value::Text)
}
