//! The event as every calendar is read into it: one copy of one meeting, as one calendar shows it. How vendors spell it
//! is theirs; what is done about it is decided elsewhere.
//!
//! Of a private event nothing is kept but its identity. [`Body::Private`] has no place for text, so none can travel on.

use std::{cmp::Ordering, collections::BTreeSet};

use jiff::{
    SignedDuration, Timestamp,
    civil::{Date, DateTime},
    tz::TimeZone,
};
use serde::{Deserialize, Serialize};

use super::{
    identity::{Rid, Uid},
    recur::Fault as RuleFault,
    zone::{self, UnknownZone},
};
use crate::{
    mutant::{self, Mutant},
    person::{normal_email, squeeze},
};

/// A provider's own name of an event in one calendar.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventId(pub String);

/// A provider's own word for one version of an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Etag(pub String);

/// A point of time as a calendar tells it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Moment {
    /// An instant, and the zone whose clock counts. The zone is a name that [`zone::zone`] knows.
    At { at: Timestamp, zone: String },
    /// A time of day without a zone: that of whoever looks.
    Floating(DateTime),
    /// A whole day.
    Day(Date),
}

impl Moment {
    /// A time of day in a named zone. One that a clock change left out is read with the offset before the gap, one that
    /// happened twice is the first (RFC 5545, section 3.3.5).
    ///
    /// # Errors
    /// The zone is not known.
    pub fn local(local: DateTime, name: &str) -> Result<Self, UnknownZone> {
        let (zone, kept) = zone::canonical(name)?;
        Ok(Moment::At { at: instant_of(local, &zone), zone: kept })
    }

    /// An instant told in UTC.
    pub fn utc(at: Timestamp) -> Self {
        Moment::At { at, zone: "UTC".to_owned() }
    }

    /// The instant. What has no zone of its own is read in the calendar's; a day begins at midnight there.
    pub fn instant(&self, home: &TimeZone) -> Timestamp {
        match self {
            Moment::At { at, .. } => *at,
            Moment::Floating(local) => instant_of(*local, home),
            Moment::Day(day) => instant_of(day.at(0, 0, 0, 0), home),
        }
    }

    /// The zone whose clock counts.
    ///
    /// # Errors
    /// The zone is not known, which is so only where another version kept it.
    pub fn zone(&self, home: &TimeZone) -> Result<TimeZone, UnknownZone> {
        match self {
            Moment::At { zone, .. } => zone::zone(zone),
            Moment::Floating(_) | Moment::Day(_) => Ok(home.clone()),
        }
    }

    /// Whether this is a whole day.
    pub fn is_day(&self) -> bool {
        matches!(self, Moment::Day(_))
    }
}

/// The instant of a time of day in a zone, by the rule of [`Moment::local`].
pub(super) fn instant_of(local: DateTime, zone: &TimeZone) -> Timestamp {
    let fallback = if local.year() < 0 { Timestamp::MIN } else { Timestamp::MAX };
    zone.to_ambiguous_timestamp(local).compatible().unwrap_or(fallback)
}

/// What a copy says about how the meeting stands. `Cancelled` is the organiser's word: a guest's copy that is only gone
/// from the guest's own calendar is [`Body::Bare`], whatever the calendar calls that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Tentative,
    Confirmed,
    Cancelled,
}

/// Whether the time counts as taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Availability {
    Busy,
    Free,
}

/// What kind of entry a calendar says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventType {
    Meeting,
    /// Made by the calendar out of a mail.
    FromMail,
    Birthday,
    FocusTime,
    OutOfOffice,
    WorkingPlace,
    Task,
}

/// What somebody answered to the invitation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    Awaited,
    Tentative,
    Accepted,
    Declined,
}

/// What an attendee is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    Required,
    Optional,
    /// A room or a thing.
    Resource,
}

/// Somebody by address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Party {
    /// In the form in which addresses are compared.
    pub email: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl Party {
    /// Somebody of this address as a calendar wrote it (`mailto:` included). `None` where it is none.
    pub fn read(address: &str, name: Option<&str>) -> Option<Self> {
        let address = address.trim();
        let is_mail = address.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("mailto:"));
        let email = normal_email(if is_mail { &address[7..] } else { address })?;
        let name = name.map(squeeze).filter(|name| !name.is_empty() && normal_email(name).as_ref() != Some(&email));
        Some(Self { email, name })
    }
}

/// Somebody who is invited.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Attendee {
    pub who: Party,
    pub part: Part,
    pub reply: Reply,
}

/// What an event is about: all that must never be known of a private one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    pub summary: String,
    pub description: String,
    pub location: String,
    pub start: Moment,
    pub end: Moment,
    /// The lines of the recurrence as iCalendar writes them: `RRULE:…`, `RDATE…`, `EXDATE…`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recurrence: Vec<String>,
    pub attendees: Vec<Attendee>,
    /// Whether `attendees` are all of them. A list known to lack some says nothing about who left.
    pub attendees_whole: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organizer: Option<Party>,
    pub availability: Availability,
    pub kind: EventType,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub shortened: BTreeSet<Shortened>,
}

/// What of an event was shortened, because it is longer than anything that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shortened {
    Summary,
    Description,
    Location,
    Name,
    Attendees,
    /// Its series has more meetings than are looked at.
    Series,
}

impl Shortened {
    /// What people are told, as a part of a sentence.
    pub fn sentence(self) -> &'static str {
        match self {
            Shortened::Summary => "its subject is too long and was shortened",
            Shortened::Description => "its description is too long and was shortened",
            Shortened::Location => "its place is too long and was shortened",
            Shortened::Name => "a person's name is too long and was shortened",
            Shortened::Attendees => "it has too many attendees; those beyond the limit are not known here",
            Shortened::Series => "its series has more meetings than are looked at; some are not logged",
        }
    }
}

impl Content {
    /// A meeting of that time, with nothing else said.
    pub fn new(start: Moment, end: Moment) -> Self {
        Self {
            summary: String::new(),
            description: String::new(),
            location: String::new(),
            start,
            end,
            recurrence: Vec::new(),
            attendees: Vec::new(),
            attendees_whole: true,
            organizer: None,
            availability: Availability::Busy,
            kind: EventType::Meeting,
            shortened: BTreeSet::new(),
        }
    }

    /// Everybody there is an address of, the organiser included, each once and in order.
    pub fn people(&self) -> Vec<&Party> {
        let mut all: Vec<&Party> = self.attendees.iter().map(|attendee| &attendee.who).chain(&self.organizer).collect();
        all.sort();
        all.dedup_by(|one, other| one.email == other.email);
        all
    }

    /// How long it lasts, never less than no time.
    pub fn duration(&self, home: &TimeZone) -> SignedDuration {
        self.end.instant(home).duration_since(self.start.instant(home)).max(SignedDuration::ZERO)
    }
}

/// Why an event cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Unreadable {
    #[error(transparent)]
    Zone(#[from] UnknownZone),
    #[error(transparent)]
    Rule(#[from] RuleFault),
    #[error("it has no start")]
    NoStart,
    #[error("it cannot be read: {0}")]
    Broken(String),
}

/// What is known of an event beside its identity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    Open(Box<Content>),
    /// Its owner keeps it private: there is nothing to be known.
    Private,
    /// The calendar only says that it is gone.
    Bare,
    Unreadable(Unreadable),
}

/// One event of one calendar.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    pub id: EventId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<Etag>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<Uid>,
    /// The series that it is an occurrence of, by the provider's own name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub series: Option<EventId>,
    pub rid: Rid,
    /// An occurrence that stands for all that follow it, too.
    #[serde(default)]
    pub and_following: bool,
    pub status: Status,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified: Option<Timestamp>,
    #[serde(default)]
    pub sequence: u32,
    pub body: Body,
}

impl Event {
    /// What the event is about, where that may be known.
    pub fn content(&self) -> Option<&Content> {
        match &self.body {
            Body::Open(content) => Some(content),
            Body::Private | Body::Bare | Body::Unreadable(_) => None,
        }
    }

    /// The event with nothing but its identity: what is kept of a private one. Even when it was made or changed, and how
    /// often, tells of it.
    #[must_use]
    pub fn hidden(self) -> Self {
        if mutant::on(Mutant::PrivateShown) {
            return self;
        }
        Self { created: None, modified: None, sequence: 0, body: Body::Private, ..self }
    }

    /// Whether this is a series as a whole.
    pub fn is_series(&self) -> bool {
        self.rid == Rid::Single && self.content().is_some_and(|content| !content.recurrence.is_empty())
    }

    /// Which of two copies of a meeting is the newer one, by what the organiser counts and then by the clock.
    pub fn newer(&self, other: &Self) -> Ordering {
        (self.sequence, self.modified).cmp(&(other.sequence, other.modified))
    }
}
