//! May this event be known in the CRM? The checks in their order; the first that fails is the reason, and the reason is
//! kept, so that everybody who misses a meeting on a timeline can read why.
//!
//! Two rounds: what the event itself says ([`before_look`]), and then, with the CRM asked who its guests are, the rest
//! ([`judge`]). Neither depends on the order or the spelling in which people are named.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};

use super::{
    event::{Body, Content, Event, EventType, Part, Unreadable},
    series::SeriesPolicy,
};
use crate::person::{domain_of, is_free_mail, normal_email};

/// What an admin and a user chose for one calendar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The organisation's own domains; their sub-domains belong to them.
    pub own_domains: Vec<String>,
    /// Addresses (`a@b`) and domains (`@b`, sub-domains included) that never reach the CRM: the admin's and the user's.
    pub blocked: Vec<String>,
    /// Addresses of the CRM's users and of the connected calendars, in normal form.
    pub users: BTreeSet<String>,
    /// Addresses of rooms and things, in normal form.
    pub resources: BTreeSet<String>,
    /// Domains at which anybody may have an address, beside the built-in ones.
    pub free_mail: Vec<String>,
    pub since: Since,
    pub types: BTreeSet<EventType>,
    pub series: SeriesPolicy,
}

/// What counts of the events that were there when the calendar was connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Since {
    /// None of them, even when they change.
    Created,
    /// Those that change from then on.
    Touched,
    /// Those that start at this time or later.
    Backfill(Timestamp),
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            own_domains: Vec::new(),
            blocked: Vec::new(),
            users: BTreeSet::new(),
            resources: BTreeSet::new(),
            free_mail: Vec::new(),
            since: Since::Created,
            types: BTreeSet::from([EventType::Meeting]),
            series: SeriesPolicy::FirstAndChanged,
        }
    }
}

/// A setting that cannot be as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyFault {
    #[error("anybody may have an address at `{0}`: as an own domain it would hide every customer there")]
    FreeMailAsOwn(String),
    #[error("`{0}` is no domain")]
    NoDomain(String),
    #[error("`{0}` is neither an address nor a domain with `@` before it")]
    NoBlock(String),
}

impl Policy {
    /// What is wrong with the settings.
    pub fn check(&self) -> Vec<PolicyFault> {
        let own = self.own_domains.iter().filter_map(|typed| match plain_domain(typed) {
            None => Some(PolicyFault::NoDomain(typed.clone())),
            Some(domain) if is_free_mail(&domain, &self.free_mail) => Some(PolicyFault::FreeMailAsOwn(domain)),
            Some(_) => None,
        });
        let is_block = |typed: &String| normal_email(typed).is_some() || plain_domain(typed).is_some();
        let blocked = self.blocked.iter().filter(|typed| !typed.contains('@') || !is_block(typed));
        own.chain(blocked.map(|typed| PolicyFault::NoBlock(typed.clone()))).collect()
    }

    /// Whether somebody belongs to the organisation.
    pub fn is_internal(&self, email: &str) -> bool {
        self.users.contains(email) || self.resources.contains(email) || {
            let domain = domain_of(email).unwrap_or_default();
            // A free mail domain hides nobody, even where it was let through.
            let own = self.own_domains.iter().filter_map(|own| plain_domain(own));
            own.filter(|own| !is_free_mail(own, &self.free_mail)).any(|own| is_within(domain, &own))
        }
    }

    /// Whether an event counts although it may have been there when the calendar was connected.
    pub fn covers(&self, content: &Content, known: Known, home: &TimeZone) -> bool {
        !known.baseline
            || match self.since {
                Since::Created => false,
                Since::Touched => known.touched,
                Since::Backfill(from) => content.start.instant(home) >= from,
            }
    }

    /// The entry that keeps somebody out of the CRM.
    pub fn blocked_by(&self, email: &str) -> Option<&str> {
        let domain = domain_of(email).unwrap_or_default();
        let keeps_out = |entry: &&String| match normal_email(entry) {
            Some(address) => address == email,
            None => plain_domain(entry).is_some_and(|blocked| is_within(domain, &blocked)),
        };
        // The same entry in whatever order the list is.
        self.blocked.iter().filter(keeps_out).min().map(String::as_str)
    }
}

/// A domain in the form in which domains are compared, with or without the `@` that an admin typed before it.
fn plain_domain(typed: &str) -> Option<String> {
    let typed = typed.trim().trim_start_matches('@');
    normal_email(&format!("a@{typed}")).and_then(|email| domain_of(&email).map(str::to_owned))
}

/// Whether a domain is this one or lies below it.
fn is_within(domain: &str, above: &str) -> bool {
    domain == above || domain.strip_suffix(above).is_some_and(|below| below.ends_with('.'))
}

/// What is known of an event beside itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Known {
    /// It, or the series that it belongs to, was there when the calendar was connected. Kept as a set of names: when an
    /// event says that it was created proves nothing.
    pub baseline: bool,
    /// It changed while the calendar was connected.
    pub touched: bool,
}

/// What the CRM says, and what the recurrence policy does.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// Which guests' addresses are those of people in the CRM.
    pub in_crm: &'a BTreeSet<String>,
    /// Whether the recurrence policy chose the occurrence; true of what is no series.
    pub selected: bool,
}

/// What becomes of an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Log,
    LeftOut(Reason),
}

/// Why an event is not in the CRM.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    Private,
    /// Its calendar only says that it is gone.
    Gone,
    Unreadable(String),
    BeforeConnection,
    Type(EventType),
    /// The entry of the list, as it was typed.
    Blocked(String),
    InternalOnly,
    NoContact,
    SeriesRule(SeriesRule),
    /// It was booked: the booking keeps its record.
    Booked,
    /// A person took the record out of the CRM.
    RemovedInCrm,
}

/// The policy that did not choose an occurrence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SeriesRule {
    FirstAndChanged,
    Window,
    NotOver,
    AsSeries,
}

impl SeriesRule {
    /// The word for a policy.
    pub fn of(policy: SeriesPolicy) -> Self {
        match policy {
            SeriesPolicy::FirstAndChanged => SeriesRule::FirstAndChanged,
            SeriesPolicy::Materialise { .. } => SeriesRule::Window,
            SeriesPolicy::WhenTakenPlace => SeriesRule::NotOver,
            SeriesPolicy::Series => SeriesRule::AsSeries,
        }
    }
}

/// Every word of [`Reason::code`].
pub const REASONS: [&str; 11] = [
    "private",
    "gone",
    "unreadable",
    "before_connection",
    "type",
    "blocked",
    "internal_only",
    "no_contact",
    "series_rule",
    "booked",
    "removed_in_crm",
];

impl Reason {
    /// The stable word for the API and the activity log.
    pub fn code(&self) -> &'static str {
        match self {
            Reason::Private => "private",
            Reason::Gone => "gone",
            Reason::Unreadable(_) => "unreadable",
            Reason::BeforeConnection => "before_connection",
            Reason::Type(_) => "type",
            Reason::Blocked(_) => "blocked",
            Reason::InternalOnly => "internal_only",
            Reason::NoContact => "no_contact",
            Reason::SeriesRule(_) => "series_rule",
            Reason::Booked => "booked",
            Reason::RemovedInCrm => "removed_in_crm",
        }
    }

    /// The reason as a sentence.
    pub fn sentence(&self) -> String {
        match self {
            Reason::Private => "The event is private; nothing of it leaves the calendar.".to_owned(),
            Reason::Gone => "The event is no longer in the calendar.".to_owned(),
            Reason::Unreadable(why) => format!("The event cannot be read: {why}."),
            Reason::BeforeConnection => "The event was there before the calendar was connected.".to_owned(),
            Reason::Type(kind) => format!("The event is {}, and such entries are not logged.", of_type(*kind)),
            Reason::Blocked(entry) => format!("All its guests are on the list of those never logged (`{entry}`)."),
            Reason::InternalOnly => "Nobody from outside takes part.".to_owned(),
            Reason::NoContact => "No guest's address is that of a person in the CRM.".to_owned(),
            Reason::SeriesRule(rule) => match rule {
                SeriesRule::FirstAndChanged => {
                    "Of a series, only the first meeting is logged and those that change or are replied to.".to_owned()
                }
                SeriesRule::Window => "The meeting of this series lies outside the days that are logged.".to_owned(),
                SeriesRule::NotOver => "Meetings of a series are logged when they are over.".to_owned(),
                SeriesRule::AsSeries => "The series is logged as one record.".to_owned(),
            },
            Reason::Booked => "It was booked, and its record is that of the booking.".to_owned(),
            Reason::RemovedInCrm => {
                "Its record was deleted in the CRM, or is hidden from the connected user.".to_owned()
            }
        }
    }

    /// What somebody can do who wants the event to be logged.
    pub fn next_step(&self) -> &'static str {
        match self {
            Reason::Private => "Make the event public in the calendar.",
            Reason::Gone => "Nothing is to be done.",
            Reason::Unreadable(_) => "Save the event again in the calendar, with a known time zone and recurrence.",
            Reason::BeforeConnection => "Choose a back-fill, or let changed events count, too.",
            Reason::Type(_) => "Add this kind of entry to those that are logged.",
            Reason::Blocked(_) => "Take the entry off the list.",
            Reason::InternalOnly => "Invite the contact to the event; check the own domains if somebody is missing.",
            Reason::NoContact => "Add the guest to the CRM with exactly this address.",
            Reason::SeriesRule(_) => "Choose another rule for series.",
            Reason::Booked => "Nothing is to be done.",
            Reason::RemovedInCrm => "Restore the record in the CRM, then try the meeting again.",
        }
    }
}

fn of_type(kind: EventType) -> &'static str {
    match kind {
        EventType::Meeting => "a meeting",
        EventType::FromMail => "made out of a mail",
        EventType::Birthday => "a birthday",
        EventType::FocusTime => "focus time",
        EventType::OutOfOffice => "an absence",
        EventType::WorkingPlace => "a working place",
        EventType::Task => "a task",
    }
}

/// Those who take part and are from outside, by address: the value says which entry keeps one out of the CRM.
pub fn outsiders<'p>(content: &Content, policy: &'p Policy) -> BTreeMap<String, Option<&'p str>> {
    let rooms: BTreeSet<&str> =
        content.attendees.iter().filter(|one| one.part == Part::Resource).map(|one| one.who.email.as_str()).collect();
    let outside = |email: &&str| !rooms.contains(email) && !policy.is_internal(email);
    let people = content.people();
    let people = people.iter().map(|who| who.email.as_str()).filter(outside);
    people.map(|email| (email.to_owned(), policy.blocked_by(email))).collect()
}

/// Those from outside whose timelines the meeting may appear on: to be looked up in the CRM.
pub fn guests(content: &Content, policy: &Policy) -> BTreeSet<String> {
    outsiders(content, policy).into_iter().filter(|(_, blocked)| blocked.is_none()).map(|(email, _)| email).collect()
}

/// The first round: what needs no look into the CRM. Gives those who are to be looked up.
///
/// # Errors
/// The reason why the event is left out.
pub fn before_look(event: &Event, known: Known, policy: &Policy, home: &TimeZone) -> Result<BTreeSet<String>, Reason> {
    let content = match &event.body {
        Body::Private => return Err(Reason::Private),
        Body::Bare => return Err(Reason::Gone),
        Body::Unreadable(why) => return Err(unreadable(why)),
        Body::Open(content) => content,
    };
    if !policy.covers(content, known, home) {
        return Err(Reason::BeforeConnection);
    }
    if !policy.types.contains(&content.kind) {
        return Err(Reason::Type(content.kind));
    }
    let outsiders = outsiders(content, policy);
    let entry = outsiders.values().flatten().min().map(|entry| (*entry).to_owned());
    let guests: BTreeSet<String> =
        outsiders.into_iter().filter(|(_, blocked)| blocked.is_none()).map(|(email, _)| email).collect();
    match entry {
        _ if !guests.is_empty() => Ok(guests),
        Some(entry) => Err(Reason::Blocked(entry)),
        None => Err(Reason::InternalOnly),
    }
}

fn unreadable(why: &Unreadable) -> Reason {
    Reason::Unreadable(why.to_string())
}

/// All checks in their order. Total.
pub fn judge(event: &Event, known: Known, policy: &Policy, facts: Facts<'_>, home: &TimeZone) -> Verdict {
    let guests = match before_look(event, known, policy, home) {
        Ok(guests) => guests,
        Err(reason) => return Verdict::LeftOut(reason),
    };
    if guests.is_disjoint(facts.in_crm) {
        return Verdict::LeftOut(Reason::NoContact);
    }
    if !facts.selected {
        return Verdict::LeftOut(Reason::SeriesRule(SeriesRule::of(policy.series)));
    }
    Verdict::Log
}
