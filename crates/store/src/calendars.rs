//! What is kept of calendars: how far each is read, the copies of events, and what became of each meeting. Plain values.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use syncline_core::{
    calendar::{
        eligible::{Reason, Verdict},
        event::{Event, EventId, Moment},
        identity::{MeetingKey, Uid},
        privacy::Privacy,
    },
    ids::{IntegrationId, RecordId, WorkspaceId},
    step::Plan,
};

use crate::{Held, JournalEntry, Links};

/// One calendar of an integration.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CalendarRef {
    pub workspace: WorkspaceId,
    pub integration: IntegrationId,
    /// The connection and the calendar's own name there.
    pub calendar: String,
}

/// How far its reading is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CalendarState {
    /// Where to go on; nothing where all is to be read.
    pub cursor: Option<String>,
    /// Counts the readings from the beginning.
    pub epoch: i64,
    /// Whether one of them came to its end.
    pub settled: bool,
    pub zone: Option<String>,
    pub connected_at: Timestamp,
    pub next_at: Timestamp,
    pub failures: u32,
    /// Why it could not be read the last time.
    pub problem: Option<String>,
    /// When a reading from the beginning last came to its end.
    pub whole_at: Option<Timestamp>,
    /// When it last answered.
    pub read_at: Option<Timestamp>,
}

/// A page of a calendar, to be stored together with the place behind it.
#[derive(Debug, Clone)]
pub struct CalendarPage {
    pub of: CalendarRef,
    pub held: Held,
    pub now: Timestamp,
    pub copies: Vec<NewCopy>,
    pub cursor: String,
    /// Whether it is the last page of a reading from the beginning.
    pub settles: bool,
    pub zone: Option<String>,
    pub next_at: Timestamp,
}

/// An event as a page showed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCopy {
    pub event: Event,
    /// Whether the calendar is its organiser's; counts where the event says who that is.
    pub organizes: bool,
}

/// An event that is in a calendar as far as is known, to be compared with a reading of all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownCopy {
    pub event: EventId,
    /// The reading that last showed it.
    pub epoch: i64,
    /// Where it may be known.
    pub start: Option<Moment>,
}

/// One calendar's copy of an event. Its name and its occurrence stay known when the calendar no longer tells them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCopy {
    pub calendar: String,
    pub event: Event,
    /// It was there when the calendar was connected.
    pub baseline: bool,
    /// It changed since.
    pub touched: bool,
    pub organizes: bool,
}

/// A meeting, or a series with all its meetings, that is to be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueSeries {
    pub uid: Uid,
    /// The news that it was last told of.
    pub revision: i64,
    pub tries: u32,
}

/// What became of a meeting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredMeeting {
    pub key: MeetingKey,
    pub state: MeetingState,
    pub links: Links,
    /// What is on its way to the CRM, or may have arrived.
    pub plan: Option<Plan>,
}

/// What people read about it, and the next decision needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeetingState {
    pub verdict: Verdict,
    pub privacy: Privacy,
    /// The subject and the start, where they may be known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<Timestamp>,
    /// Whether it was logged as the first of its series.
    #[serde(default)]
    pub first: bool,
    /// Why the CRM refused what was to be written, and what to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// What was sent last may still arrive until then: nothing is looked for or written before, whatever is told meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rest_until: Option<Timestamp>,
}

/// A meeting in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MeetingView {
    pub id: i64,
    pub key: MeetingKey,
    pub state: MeetingState,
    /// The CRM's record of it.
    pub record: Option<RecordId>,
}

impl MeetingView {
    /// Whether nothing may be shown of it but that it exists.
    pub fn is_private(&self) -> bool {
        self.state.privacy == Privacy::Frozen || self.state.verdict == Verdict::LeftOut(Reason::Private)
    }

    /// The subject, where it has one that may be shown.
    pub fn title(&self) -> Option<&str> {
        self.state.title.as_deref().filter(|_| !self.is_private())
    }

    /// The start, where it is known and may be shown.
    pub fn start(&self) -> Option<Timestamp> {
        self.state.start.filter(|_| !self.is_private())
    }

    /// Why it is not logged; nothing where it is.
    pub fn reason(&self) -> Option<&Reason> {
        match &self.state.verdict {
            Verdict::Log => None,
            Verdict::LeftOut(reason) => Some(reason),
        }
    }
}

/// Which meetings a list shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MeetingFilter {
    All,
    /// By the word of their verdict.
    Verdict(String),
    /// Those that are not logged, whyever.
    LeftOut,
    /// Those about which a person has to do something.
    Held,
}

impl MeetingFilter {
    /// The word of what is logged, among those of verdicts.
    pub const LOGGED: &str = "log";

    /// Those that are logged.
    pub fn logged() -> Self {
        MeetingFilter::Verdict(Self::LOGGED.to_owned())
    }
}

/// How the meetings of an integration stand.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MeetingCounts {
    /// By the word of the verdict.
    pub verdicts: BTreeMap<String, u64>,
    pub held: u64,
    /// When there is next something to look at.
    pub next_at: Option<Timestamp>,
}

/// How far a CRM was asked for meetings that people made or changed there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CrmState {
    /// What changed before is known.
    pub since: Timestamp,
    pub next_at: Timestamp,
    /// Events are being made of which nothing is kept yet.
    pub creating: bool,
}

/// A decision about some series, to be stored at once.
#[derive(Debug, Clone)]
pub struct SaveMeetings {
    pub workspace: WorkspaceId,
    pub integration: IntegrationId,
    pub held: Held,
    pub now: Timestamp,
    pub meetings: Vec<StoredMeeting>,
    /// Series that were looked at, and when they are to be looked at again without news.
    pub looked: Vec<(DueSeries, Option<Timestamp>)>,
    pub journal: Vec<JournalEntry>,
}
