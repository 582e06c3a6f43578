//! What is kept of calendars: how far each is read, the copies of events, and what became of each meeting. Plain values.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use syncline_core::{
    calendar::{
        eligible::{Reason, Verdict},
        event::{Content, Event, EventId, Party, Shortened},
        identity::{MeetingKey, Uid},
        look::Doubt,
        privacy::Privacy,
        recur::Window,
    },
    ids::{ConnectionId, IntegrationId, RecordId, WorkspaceId},
    record::Fields,
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
    /// Counts the readings that came to their end, be it of everything or of changes.
    pub readings: i64,
    pub zone: Option<String>,
    pub connected_at: Timestamp,
    pub next_at: Timestamp,
    pub failures: u32,
    /// Why it could not be read the last time.
    pub problem: Option<String>,
    /// When a reading from the beginning was last over, and what it did not show was asked for; nothing while one is under way,
    /// [`Self::NEVER`] where a person wants one.
    pub whole_at: Option<Timestamp>,
    /// The time that it covered, where it has come to its end and what it did not show is still to be asked for.
    pub unswept: Option<Window>,
    /// When a person said that whatever the reading under way, or the next one, does not show was deleted on purpose.
    pub confirmed_at: Option<Timestamp>,
    /// When it last answered.
    pub read_at: Option<Timestamp>,
    /// When it is to be read because its vendor said that it changed, until a reading that began then has ended.
    pub wake_at: Option<Timestamp>,
    /// When the reading began whose pages are not all read yet, which may take many rounds: what was told since then may
    /// not be in it.
    pub begun_at: Option<Timestamp>,
    pub watch: WatchState,
}

impl CalendarState {
    /// So long ago that a reading from the beginning is due.
    pub const NEVER: Timestamp = Timestamp::UNIX_EPOCH;
}

/// How having its changes told goes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WatchState {
    /// When to see to it again; nothing where it never was.
    pub next_at: Option<Timestamp>,
    pub failures: u32,
    /// Why they cannot be had told.
    pub problem: Option<String>,
}

/// A page of a calendar, to be stored together with the place behind it.
#[derive(Debug, Clone)]
pub struct CalendarPage {
    pub of: CalendarRef,
    pub held: Held,
    /// When the round began that asked for it: what its vendor told later may not be in it.
    pub began: Timestamp,
    pub now: Timestamp,
    pub copies: Vec<NewCopy>,
    pub cursor: String,
    /// The time that a reading from the beginning covers whose last page it is.
    pub whole: Option<Window>,
    /// Whether it brings what such a reading did not show, which ends it.
    pub swept: bool,
    pub zone: Option<String>,
    pub next_at: Timestamp,
    /// Where it is the last page of changes: when there is a next look if the vendor tells of changes.
    pub told_next_at: Option<Timestamp>,
}

/// A watch of a calendar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredWatch {
    /// Ours, for good.
    pub name: String,
    pub of: CalendarRef,
    pub connection: ConnectionId,
    /// What the vendor calls it; our name for as long as it has said nothing else.
    pub watch: String,
    /// What the vendor calls what is watched.
    pub resource: Option<String>,
    /// What its secret is known by, and the address at which it tells.
    pub secret: [u8; 32],
    pub address: [u8; 32],
    /// Nothing until the vendor has said so.
    pub until: Option<Timestamp>,
    /// Whether it is known to reach us.
    pub works: bool,
    pub heard_at: Option<Timestamp>,
}

/// What a vendor told by a watch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeardWatch {
    pub name: String,
    pub of: CalendarRef,
    /// The calendar may have changed.
    pub changed: bool,
    /// It has to be renewed, or another is to follow.
    pub renew: bool,
    /// There is none of that name any more.
    pub ended: bool,
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
    /// What it is about, where that may be known.
    pub content: Option<Box<Content>>,
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
    /// What of the event is longer than is kept.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub shortened: BTreeSet<Shortened>,
    /// Why the CRM refused what was to be written, and what to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// What was sent last may still arrive until then: nothing is looked for or written before, whatever is told meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rest_until: Option<Timestamp>,
    /// Whom the CRM had invited to the event, by address: nobody else may be taken off it because of the CRM.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub invited: BTreeSet<String>,
    /// The edit in the CRM that last did not reach the event, by a name that says nothing of it: it is told once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// Edits in the CRM that were carried to the event, which has not shown them yet.
    #[serde(default, skip_serializing_if = "Fields::is_empty")]
    pub carried: Fields,
    /// The event as its guests know it, while a write to it is on its way of which they are to be mailed. What they are told is
    /// what differs once it is known what became of the write.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub untold: Option<Box<EventIn>>,
    /// The event that was made of a meeting of the CRM, until its calendar is read, which shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made: Option<Box<EventIn>>,
    /// Only a guest's copy says that it is called off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubt: Option<Doubt>,
}

/// An event in a calendar.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventIn {
    pub calendar: String,
    pub event: Event,
}

/// What mails to guests say.
pub const GUEST_INVITED: &str = "invited";
pub const GUEST_MOVED: &str = "moved";
pub const GUEST_OFF: &str = "off";

/// What a mail to an organiser says: that the owner of this calendar does not come. Several of them may tell one organiser.
pub fn guest_declined(calendar: &str) -> String {
    format!("declined:{calendar}")
}

/// A mail to one guest, or to an organiser, that is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMail {
    pub key: MeetingKey,
    /// What it says, and of which revision: nobody is told the same of one twice.
    pub word: String,
    pub revision: u32,
    pub email: String,
    pub letter: GuestLetter,
}

/// What such a mail says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestLetter {
    pub subject: String,
    pub text: String,
    /// In whose name it is written, and who gets the answers: who invites, or the guest who answers.
    pub organizer: Party,
    /// The calendar's part.
    pub content_type: String,
    pub body: String,
    /// Afterwards nobody need hear of it any more.
    pub until: Timestamp,
}

/// A mail to a guest that is not settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CalendarMail {
    pub id: i64,
    pub key: MeetingKey,
    pub email: String,
    /// Somebody began to send it, and did not live to see what became of it.
    pub begun: bool,
    pub at: Timestamp,
    pub tries: u32,
    pub letter: GuestLetter,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MailState {
    Sent,
    /// It was not taken, and is tried again.
    Later {
        at: Timestamp,
        problem: String,
    },
    /// It was not taken, and is not tried again by itself.
    Refused {
        problem: String,
    },
    /// Nobody knows whether it was taken: it is not sent again by itself.
    Unknown {
        problem: String,
    },
}

/// A meeting in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MeetingView {
    pub id: i64,
    pub key: MeetingKey,
    pub state: MeetingState,
    /// The CRM's record of it.
    pub record: Option<RecordId>,
    /// Who stands on that record, by address: the person whom it is with first.
    pub people: Vec<String>,
}

impl MeetingView {
    /// On whose timelines it is, by address, where that may be told.
    pub fn people(&self) -> &[String] {
        if self.is_private() || self.record.is_none() { &[] } else { &self.people }
    }

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

    /// What of it was shortened, where that may be told.
    pub fn shortened(&self) -> impl Iterator<Item = Shortened> {
        self.state.shortened.iter().copied().filter(|_| !self.is_private())
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
    /// When it was last looked whether records of meetings to come are still there.
    pub records_at: Option<Timestamp>,
    /// When a person said that those which are not were deleted on purpose, until that is carried out.
    pub confirmed_at: Option<Timestamp>,
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
    /// What guests are to be mailed because of it.
    pub mails: Vec<NewMail>,
    pub journal: Vec<JournalEntry>,
}
