//! What an admin chose for a meeting type. Plain values; the configuration file and the API convert at their door.

use std::collections::BTreeMap;

use super::mapping::{Mapping, RecordTemplate};
use crate::record::{Field, Role};

/// Settings of the booking flow for one meeting type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BookingSettings {
    pub person: PersonMode,
    /// Whether the CRM has leads beside contacts; where it has none, a contact is made in the place of one.
    pub leads: bool,
    /// What happens in [`PersonMode::Lead`] when an open lead has the address already.
    pub open_lead: OpenLead,
    /// The rules by which a person is looked for, first match wins.
    pub match_order: Vec<MatchRule>,
    /// Whether a person who is not found is created.
    pub create_person: bool,
    /// Whether a new contact gets an account.
    pub create_account: bool,
    /// Whether, where no account has the domain as its website, the account counts that most contacts with an address in
    /// the domain belong to. CRMs keep no index for that question, so it is slow where there are many contacts.
    pub account_by_contacts: bool,
    /// The answer that names the invitee's company.
    pub company_answer: Option<String>,
    /// Domains at which anybody may have an address, beside the built-in ones; never an account.
    pub free_mail: Vec<String>,
    /// The admin's own domains; never an account.
    pub own_domains: Vec<String>,
    pub lead_status: Option<String>,
    pub case: Option<CaseSettings>,
    pub opportunity: Option<OpportunitySettings>,
    /// Which record the meeting is about when there are both.
    pub about: About,
    pub cancel: CancelSettings,
    /// The field of the meeting that carries the booking's standing, by the vendor's own name.
    pub status_field: Option<String>,
    pub status_values: StatusValues,
    /// Whether a booking that waits for confirmation is written already.
    pub unconfirmed: bool,
    pub language: Language,
    /// Location, team or host e-mail → CRM user, by id or e-mail; the first step of the owner waterfall.
    pub owner_routes: BTreeMap<String, String>,
    /// The CRM user, by id or e-mail, that owns what nobody else does; the vendor's default where absent.
    pub default_owner: Option<String>,
    pub guests: GuestPolicy,
    /// Whether further hosts are invited.
    pub co_hosts: bool,
    /// What happens when a duplicate rule of the CRM stops a new record and names those that it takes for the same.
    pub duplicates: Duplicates,
    /// What happens when somebody deleted a record of the booking in the CRM.
    pub deleted: Deleted,
    /// What goes into fields beside what is written anyway.
    pub mappings: Vec<Mapping>,
    /// Further records of every booking.
    pub records: Vec<RecordTemplate>,
}

/// What becomes of guests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GuestPolicy {
    /// Those who are contacts or leads come to the meeting; the description names the others.
    MatchOnly,
    /// Those who are not are created.
    Create,
    /// Only the description names them.
    Ignore,
}

/// What happens when a duplicate rule stops a new record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Duplicates {
    /// The record that the rule names takes its place.
    UseMatch,
    /// The booking is laid aside for a person.
    Fail,
}

/// What happens when a record of the booking is deleted in the CRM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deleted {
    /// The next message finds or makes another.
    Recreate,
    /// It stays away.
    Leave,
}

/// Which record stands for the invitee.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PersonMode {
    Contact,
    Lead,
    /// A contact where one exists, else a lead.
    ContactFirst,
}

/// Lead mode meets an open lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenLead {
    CreateContact,
    UseLead,
    ContactFirst,
}

/// How a person was, or is to be, found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MatchRule {
    /// A record id in the booking link.
    RecordId,
    /// This address, or this attendee of this booking, is linked already.
    KnownLink,
    ContactEmail,
    OpenLeadEmail,
    /// The contact that a lead with this address was converted into.
    ConvertedLead,
    Phone,
    /// An account with the address's domain, for a contact to be created under it.
    AccountDomain,
}

impl MatchRule {
    /// The default order.
    pub const DEFAULT_ORDER: [MatchRule; 7] = [
        MatchRule::RecordId,
        MatchRule::KnownLink,
        MatchRule::ContactEmail,
        MatchRule::OpenLeadEmail,
        MatchRule::ConvertedLead,
        MatchRule::Phone,
        MatchRule::AccountDomain,
    ];
}

/// A case for every booking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseSettings {
    pub status: String,
    pub origin: Option<String>,
}

/// An opportunity for every booking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpportunitySettings {
    pub stage: String,
    /// The close date lies this many days behind the meeting's day.
    pub close_after_days: i32,
    /// A decimal number in the org's currency.
    pub amount: Option<String>,
}

/// What a meeting is about when both exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    Case,
    Opportunity,
}

/// What a cancellation does to the meeting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CancelSettings {
    /// Put before the subject exactly once.
    pub prefix: String,
    /// Whether the time no longer counts as busy.
    pub show_as_free: bool,
    /// Whether the meeting is deleted instead of kept.
    pub delete: bool,
}

/// What the status field says for each standing. Where a value is absent, the field says what it said before: whether the
/// meeting was moved, or that it is booked.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct StatusValues {
    pub booked: Option<String>,
    pub rescheduled: Option<String>,
    pub reschedule_requested: Option<String>,
    pub cancelled: Option<String>,
    pub no_show: Option<String>,
}

/// The language of the words that we write into records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    English,
    German,
    French,
}

impl BookingSettings {
    /// What somebody new becomes who is to be a lead.
    pub(super) fn new_lead(&self) -> Role {
        if self.leads { Role::Lead } else { Role::Contact }
    }

    /// Learns which mapped fields all vendors share, so that none is written twice under two names.
    pub fn name_fields(&mut self, name: impl Fn(Role, &str) -> Field) {
        for mapping in &mut self.mappings {
            if let Some(role) = mapping.on.roles().first() {
                mapping.field = name(*role, &mapping.name);
            }
        }
    }
}

impl Default for BookingSettings {
    fn default() -> Self {
        Self {
            person: PersonMode::Contact,
            leads: true,
            open_lead: OpenLead::CreateContact,
            match_order: MatchRule::DEFAULT_ORDER.to_vec(),
            create_person: true,
            create_account: true,
            account_by_contacts: false,
            company_answer: None,
            free_mail: Vec::new(),
            own_domains: Vec::new(),
            lead_status: None,
            case: None,
            opportunity: None,
            about: About::Case,
            cancel: CancelSettings { prefix: "[CANCELLED] ".into(), show_as_free: false, delete: false },
            status_field: None,
            status_values: StatusValues::default(),
            unconfirmed: false,
            language: Language::English,
            owner_routes: BTreeMap::new(),
            default_owner: None,
            guests: GuestPolicy::MatchOnly,
            co_hosts: true,
            duplicates: Duplicates::UseMatch,
            deleted: Deleted::Recreate,
            mappings: Vec::new(),
            records: Vec::new(),
        }
    }
}
