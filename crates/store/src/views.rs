//! What console, API and CLI read, as plain values, and the limits of what they may ask for at once.

use jiff::{SignedDuration, Timestamp};
use syncline_core::{
    booking::chain::ChainState,
    ids::{ChainId, ConnectionId, IntegrationId},
    step::Plan,
};

use crate::types::{JournalEntry, JournalKind, Links, Summary};

/// Rows of one page at most, whatever is asked for.
pub const PAGE_MAX: usize = 200;
/// Journal lines shown with one booking.
pub const DETAIL_JOURNAL_MAX: usize = 100;
/// Messages shown with one booking.
pub const DETAIL_MESSAGES_MAX: usize = 100;

/// Which lines of the activity log are asked for.
#[derive(Debug, Clone, Default)]
pub struct ActivityFilter {
    pub chain: Option<ChainId>,
    pub integration: Option<IntegrationId>,
    pub kind: Option<JournalKind>,
    /// Only older lines than this one.
    pub before: Option<i64>,
    /// At most [`PAGE_MAX`].
    pub limit: usize,
}

/// One line of the activity log with what it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActivityRow {
    pub id: i64,
    pub chain: Option<ChainId>,
    pub integration: Option<IntegrationId>,
    pub entry: JournalEntry,
}

/// Which bookings are asked for.
#[derive(Debug, Clone, Default)]
pub struct BookingFilter {
    pub parked_only: bool,
    /// A part of the title or of the invitee's name or address, in any case.
    pub text: Option<String>,
    /// Only bookings that began before this one.
    pub before: Option<i64>,
    /// At most [`PAGE_MAX`].
    pub limit: usize,
}

/// Where a booking stands in our own work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WorkState {
    /// Due, or due at a later time.
    Waiting,
    /// A worker holds it, or held it and has not come back.
    Leased,
    /// Laid aside for a person.
    Parked,
    /// Nothing is to be done.
    Done,
}

/// A booking in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BookingRow {
    /// What [`BookingFilter::before`] takes.
    pub id: i64,
    pub chain: ChainId,
    pub integration: IntegrationId,
    pub source: ConnectionId,
    pub summary: Option<Summary>,
    pub work: WorkState,
    pub attempts: u32,
    pub parked_reason: Option<String>,
    pub parked_fix: Option<String>,
    pub due_at: Option<Timestamp>,
    pub updated_at: Timestamp,
}

/// Everything about one booking.
#[derive(Debug, Clone)]
pub struct BookingDetail {
    pub row: BookingRow,
    pub state: ChainState,
    pub links: Links,
    /// The newest lines first.
    pub journal: Vec<ActivityRow>,
    /// The newest messages first.
    pub messages: Vec<InboxRow>,
}

/// A booking as far as it is known before a message is taken in.
#[derive(Debug, Clone)]
pub struct Known {
    pub chain: ChainId,
    pub state: ChainState,
    pub links: Links,
    /// A plan that was written down and of which nobody knows yet what became of it.
    pub unsettled: Option<Plan>,
}

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum InboxState {
    /// Not yet part of a booking's state.
    New,
    Folded,
    Ignored,
    Parked,
}

/// One delivery, without its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboxRow {
    pub id: i64,
    pub integration: IntegrationId,
    pub source: ConnectionId,
    pub key: String,
    pub received: Timestamp,
    /// The kinds of its messages, as they are spelt in JSON.
    pub kinds: Vec<String>,
    pub state: InboxState,
    pub reason: Option<String>,
    /// Whether the raw body is still kept.
    pub has_body: bool,
}

/// How much of what there is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Deliveries that are not yet part of a booking's state.
    pub inbox_new: u64,
    /// Bookings that nobody holds and that are to be looked at, now or later.
    pub due: u64,
    /// Bookings that a worker holds.
    pub leased: u64,
    /// Plans that were sent and whose outcome is not known.
    pub uncertain: u64,
    pub parked: u64,
    /// Bookings with nothing to do.
    pub done: u64,
    /// Deliveries that were verified and not understood.
    pub messages_parked: u64,
    /// When the oldest message came in that is not done yet; parked ones do not count.
    pub oldest_waiting: Option<Timestamp>,
}

/// How long things are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Raw bodies.
    pub raw: SignedDuration,
    /// Deliveries with their messages. They are what a repeated delivery is recognised by, so this is never shorter than
    /// the time for which a sender may repeat (90 days where messages bear no time).
    pub inbox: SignedDuration,
    /// The activity log.
    pub journal: SignedDuration,
    /// Bookings at rest, with their links to records.
    pub chains: SignedDuration,
}

impl Default for Retention {
    fn default() -> Self {
        let days = |days: i64| SignedDuration::from_hours(24 * days);
        Self { raw: days(30), inbox: days(400), journal: days(400), chains: days(800) }
    }
}

/// A template that somebody saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateRow {
    pub kind: String,
    pub name: String,
    pub newest: i64,
    /// When and by whom the newest version was saved.
    pub at: Timestamp,
    pub who: String,
}

/// One version of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateText {
    pub version: i64,
    pub source: String,
    pub at: Timestamp,
    pub who: String,
}

/// What became of a template that was to be saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Saved {
    As {
        version: i64,
    },
    /// Somebody else saved a version meanwhile.
    Outdated {
        newest: i64,
    },
}

/// A version that is in force now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activation {
    pub name: String,
    /// 0 for the built-in one.
    pub version: i64,
}

/// What is in force for a meeting type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActiveTemplate {
    pub kind: String,
    /// Empty for all meeting types that have none of their own.
    pub meeting_type: String,
    pub name: String,
    pub version: i64,
    /// `None` for the built-in one.
    pub source: Option<String>,
}

/// Something that was done to a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateEvent {
    pub id: i64,
    pub at: Timestamp,
    pub who: String,
    /// `saved`, `activated` or `rolled_back`.
    pub action: String,
    pub kind: String,
    pub name: String,
    pub version: i64,
    pub meeting_type: Option<String>,
}
