//! What the API speaks: its own shapes, so that neither the store's rows nor the core's types become promises.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use syncline_engine::intake::Reread;
use syncline_store::{
    ActivityRow, BookingDetail, BookingRow, ConnectionRow, ConnectionStatus, Counts, InboxRow, InboxState, WorkState,
};
use utoipa::ToSchema;

/// How much of what there is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Status {
    pub(crate) workspace: String,
    /// Messages that are stored and not yet part of a booking.
    pub(crate) messages_new: u64,
    /// Bookings that wait for their turn.
    pub(crate) waiting: u64,
    /// Bookings that are being worked on.
    pub(crate) working: u64,
    /// Bookings whose last write may or may not have been applied; they are looked up before anything is repeated.
    pub(crate) uncertain: u64,
    /// Bookings laid aside for a person.
    pub(crate) parked: u64,
    pub(crate) done: u64,
    /// Messages that were verified and could not be understood.
    pub(crate) messages_parked: u64,
    /// When the oldest message came in that is not done yet.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) oldest_waiting: Option<Timestamp>,
}

impl Status {
    pub(crate) fn new(workspace: &str, counts: &Counts) -> Self {
        Self {
            workspace: workspace.to_owned(),
            messages_new: counts.inbox_new,
            waiting: counts.due,
            working: counts.leased,
            uncertain: counts.uncertain,
            parked: counts.parked,
            done: counts.done,
            messages_parked: counts.messages_parked,
            oldest_waiting: counts.oldest_waiting,
        }
    }
}

/// One line of the activity log.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Activity {
    pub(crate) id: i64,
    #[schema(value_type = String, format = DateTime)]
    pub(crate) at: Timestamp,
    /// `written`, `unchanged`, `retried`, `parked`, `message`, `connection` or `operator`.
    pub(crate) kind: String,
    pub(crate) text: String,
    /// The booking that it is about.
    pub(crate) booking: Option<String>,
    pub(crate) integration: Option<String>,
    /// Record by record what was written and why.
    #[schema(value_type = Object, nullable)]
    pub(crate) details: serde_json::Value,
}

impl From<ActivityRow> for Activity {
    fn from(row: ActivityRow) -> Self {
        Self {
            id: row.id,
            at: row.entry.at,
            kind: row.entry.kind.as_str().to_owned(),
            text: row.entry.text,
            booking: row.chain.map(|chain| chain.as_str().to_owned()),
            integration: row.integration.map(|integration| integration.as_str().to_owned()),
            details: row.entry.details,
        }
    }
}

/// A page of the activity log, the newest line first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ActivityPage {
    pub(crate) activity: Vec<Activity>,
    /// Give this as `before` for the next page; absent on the last.
    pub(crate) next_before: Option<i64>,
}

/// Where a booking stands in our own work.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Work {
    Waiting,
    Working,
    Parked,
    Done,
}

impl From<WorkState> for Work {
    fn from(state: WorkState) -> Self {
        match state {
            WorkState::Waiting => Work::Waiting,
            WorkState::Leased => Work::Working,
            WorkState::Parked => Work::Parked,
            WorkState::Done => Work::Done,
        }
    }
}

/// A booking in a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Booking {
    /// What `before` takes.
    pub(crate) id: i64,
    /// The booking's own name; the same through every reschedule.
    pub(crate) booking: String,
    pub(crate) integration: String,
    pub(crate) source: String,
    pub(crate) person: Option<String>,
    pub(crate) title: Option<String>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) start: Option<Timestamp>,
    /// `active`, `rescheduled`, `cancelled`, …
    pub(crate) standing: Option<String>,
    pub(crate) work: Work,
    pub(crate) attempts: u32,
    pub(crate) parked_reason: Option<String>,
    pub(crate) parked_fix: Option<String>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) due_at: Option<Timestamp>,
    #[schema(value_type = String, format = DateTime)]
    pub(crate) updated_at: Timestamp,
}

impl From<BookingRow> for Booking {
    fn from(row: BookingRow) -> Self {
        let summary = row.summary.unwrap_or_default();
        let text = |text: String| (!text.is_empty()).then_some(text);
        Self {
            id: row.id,
            booking: row.chain.as_str().to_owned(),
            integration: row.integration.as_str().to_owned(),
            source: row.source.as_str().to_owned(),
            person: text(summary.person),
            title: text(summary.title),
            start: summary.start,
            standing: text(summary.standing),
            work: row.work.into(),
            attempts: row.attempts,
            parked_reason: row.parked_reason,
            parked_fix: row.parked_fix,
            due_at: row.due_at,
            updated_at: row.updated_at,
        }
    }
}

/// A page of bookings, the newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BookingPage {
    pub(crate) bookings: Vec<Booking>,
    /// Give this as `before` for the next page; absent on the last.
    pub(crate) next_before: Option<i64>,
}

/// A record that a booking has in the CRM.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Record {
    /// Its place in the booking: `person`, `account`, `case`, `opportunity`, `meeting`.
    pub(crate) slot: String,
    pub(crate) role: String,
    pub(crate) id: String,
}

/// Everything about one booking.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BookingHistory {
    pub(crate) booking: Booking,
    pub(crate) records: Vec<Record>,
    /// The newest line first.
    pub(crate) activity: Vec<Activity>,
    /// The newest message first.
    pub(crate) messages: Vec<Message>,
}

impl From<BookingDetail> for BookingHistory {
    fn from(detail: BookingDetail) -> Self {
        let records = detail.links.iter().map(|(slot, link)| Record {
            slot: slot.to_string(),
            role: link.role.as_str().to_owned(),
            id: link.id.as_str().to_owned(),
        });
        Self {
            records: records.collect(),
            booking: detail.row.into(),
            activity: detail.journal.into_iter().map(Activity::from).collect(),
            messages: detail.messages.into_iter().map(Message::from).collect(),
        }
    }
}

/// A message that came in, without its body.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Message {
    pub(crate) id: i64,
    pub(crate) source: String,
    #[schema(value_type = String, format = DateTime)]
    pub(crate) received: Timestamp,
    /// What it said: `booked`, `cancelled`, …
    pub(crate) kinds: Vec<String>,
    pub(crate) state: MessageState,
    /// Why it is ignored or parked.
    pub(crate) reason: Option<String>,
}

/// Where a message stands.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum MessageState {
    New,
    Read,
    Ignored,
    Parked,
}

impl From<InboxRow> for Message {
    fn from(row: InboxRow) -> Self {
        Self {
            id: row.id,
            source: row.source.as_str().to_owned(),
            received: row.received,
            kinds: row.kinds,
            state: match row.state {
                InboxState::New => MessageState::New,
                InboxState::Folded => MessageState::Read,
                InboxState::Ignored => MessageState::Ignored,
                InboxState::Parked => MessageState::Parked,
            },
            reason: row.reason,
        }
    }
}

/// A page of messages that could not be understood, the newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MessagePage {
    pub(crate) messages: Vec<Message>,
    /// Give this as `before` for the next page; absent on the last.
    pub(crate) next_before: Option<i64>,
}

/// What became of a message that was read again.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReadAgain {
    /// `read`, `duplicate` (it came again meanwhile), `ignored`, `parked` (it still cannot be read), `asked` (a poll had found
    /// it, and its source is asked again), or `left` (there is nothing to read it by).
    status: String,
    /// Why it did not become news for a booking.
    reason: Option<String>,
}

impl From<Reread> for ReadAgain {
    fn from(again: Reread) -> Self {
        let status = again.as_str().to_owned();
        Self { status, reason: again.reason() }
    }
}

/// An account at a vendor, or a booking source.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Connection {
    pub(crate) id: String,
    pub(crate) vendor: String,
    pub(crate) health: Health,
    /// Why, where it does not work or pauses.
    pub(crate) reason: Option<String>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) paused_until: Option<Timestamp>,
    /// The account as the vendor names it.
    pub(crate) account: Option<String>,
    /// Calls of the day that are used, the calls of others included.
    pub(crate) api_used: Option<i64>,
    pub(crate) api_max: Option<i64>,
}

/// Whether a connection works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Health {
    NotConnected,
    Connected,
    NeedsReconnect,
    Paused,
    /// A booking source: it takes webhooks and needs no grant.
    Receiving,
}

impl Health {
    /// The health of a stored connection at a time.
    pub(crate) fn of(row: Option<&ConnectionRow>, now: Timestamp) -> Self {
        match row {
            None => Health::NotConnected,
            Some(row) => match row.status {
                ConnectionStatus::NotConnected => Health::NotConnected,
                ConnectionStatus::NeedsReconnect => Health::NeedsReconnect,
                ConnectionStatus::Connected if row.paused_until.is_some_and(|until| now < until) => Health::Paused,
                ConnectionStatus::Connected => Health::Connected,
            },
        }
    }
}

/// All connections and sources of the workspace.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ConnectionList {
    pub(crate) connections: Vec<Connection>,
}

/// What became of a booking message.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Receipt {
    /// `stored`, `duplicate` or `ignored`.
    pub(crate) status: String,
}

/// What became of a disconnect.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Disconnected {
    /// Whether the vendor confirmed that the grant is withdrawn. Our own copy is gone in any case.
    pub(crate) revoked: bool,
}

/// An address by which the owner of an account connects it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ConnectLink {
    /// To be sent to the account's owner and to nobody else.
    pub(crate) url: String,
    /// It works until then, or until the account is connected.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) expires_at: Timestamp,
}
