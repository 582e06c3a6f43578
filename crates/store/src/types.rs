//! What goes into the store and what comes out of it, as plain values.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use syncline_core::{
    booking::{chain::ChainState, message::BookingMessage},
    ids::{ChainId, ConnectionId, IntegrationId, SharedKey, WorkspaceId},
    record::Slot,
    step::{Link, Plan, SharedLink},
};

/// The links of one chain.
pub type Links = std::collections::BTreeMap<Slot, Link>;

/// One webhook, verified and read, on its way into the inbox.
#[derive(Debug, Clone)]
pub struct Delivery {
    pub workspace: WorkspaceId,
    pub integration: IntegrationId,
    pub source: ConnectionId,
    /// The same for every delivery of the same message; unique per source.
    pub key: String,
    pub received: Timestamp,
    /// The body as it came; sealed before it is stored.
    pub body: Vec<u8>,
    /// How the body is written, as the sender's `Content-Type` says: all that is kept beside the body.
    pub content_type: Option<String>,
    pub content: Content,
}

/// What a delivery was read as.
#[derive(Debug, Clone)]
pub enum Content {
    Messages(Vec<BookingMessage>),
    /// None of ours; kept for the record.
    Ignored {
        reason: String,
    },
    /// Verified but not understood; kept for a person.
    Parked {
        reason: String,
    },
}

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TakenIn {
    Stored,
    /// The same message is in the inbox already; nothing was changed.
    Duplicate,
}

/// A delivery that is kept for a person because it could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptMessage {
    pub source: ConnectionId,
    pub received: Timestamp,
    /// Whether a poll found it: then the source can be asked for it again.
    pub polled: bool,
    pub content_type: Option<String>,
    /// Nothing once it was kept for long enough, or its person was erased.
    pub body: Option<Vec<u8>>,
}

/// A token of the API's callers, without the token itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiToken {
    pub workspace: WorkspaceId,
    /// Names it to people: `tok_` and hexadecimal digits.
    pub id: String,
    /// Which program bears it.
    pub name: String,
    pub scope: TokenScope,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
}

/// What the bearer of a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenScope {
    Read,
    /// Everything that the API does, reading included.
    Write,
}

impl TokenScope {
    /// The stable word.
    pub fn as_str(self) -> &'static str {
        match self {
            TokenScope::Read => "read",
            TokenScope::Write => "write",
        }
    }

    /// The scope of this word.
    pub fn parse(word: &str) -> Option<Self> {
        [TokenScope::Read, TokenScope::Write].into_iter().find(|scope| scope.as_str() == word)
    }
}

/// The right to do a thing alone: a lease that was acquired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    pub name: String,
    pub holder: WorkerId,
    pub fence: i64,
}

/// How far the poll of a source has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PollState {
    /// Nothing older than this is asked for.
    pub since: Timestamp,
    /// Where the last page stopped; nothing before the first.
    pub cursor: Option<String>,
    pub next_at: Timestamp,
    /// Tries that failed since the last success.
    pub failures: u32,
    /// When a page was last taken in.
    pub polled_at: Option<Timestamp>,
    /// Why the last try failed; nothing where it did not.
    pub problem: Option<String>,
    /// How the webhook subscription was last found, in words, and when.
    pub hook: Option<String>,
    pub hook_at: Option<Timestamp>,
}

/// A page of a poll, on its way into the inbox together with the cursor behind it.
#[derive(Debug, Clone)]
pub struct PolledPage {
    pub workspace: WorkspaceId,
    pub source: ConnectionId,
    /// Who polls; without it nothing is stored.
    pub held: Held,
    pub now: Timestamp,
    pub deliveries: Vec<Delivery>,
    pub cursor: String,
    pub next_at: Timestamp,
    /// What the activity log says of it, if anything: the integration and the line.
    pub journal: Option<(IntegrationId, JournalEntry)>,
}

/// What became of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PageTaken {
    pub stored: usize,
    pub duplicates: usize,
}

/// Who claims: one worker of one process. A process that restarts gets a new one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct WorkerId(pub String);

/// A chain that a worker holds until the lease ends.
#[derive(Debug, Clone)]
pub struct Claimed {
    pub workspace: WorkspaceId,
    pub integration: IntegrationId,
    pub source: ConnectionId,
    pub chain: ChainId,
    /// Which holder this is; every later write of this holder carries it.
    pub fence: i64,
    /// How often the state had changed when it was claimed.
    pub revision: i64,
    pub state: ChainState,
    pub links: Links,
    /// Tries that failed since the last success.
    pub attempts: u32,
    /// The plan that was sent and never acknowledged: its outcome is unknown.
    pub unsettled: Option<Plan>,
    /// When the oldest message that is not done yet came in.
    pub waiting_since: Timestamp,
}

/// A plan that is to be written down before its first byte leaves.
#[derive(Debug, Clone)]
pub struct Planned {
    pub workspace: WorkspaceId,
    pub connection: ConnectionId,
    pub chain: ChainId,
    pub fence: i64,
    pub plan: Plan,
    /// Shared records that this plan creates: while it does, nobody else may.
    pub creates: Vec<SharedKey>,
    /// What is known in place of these and was found to be gone. It is forgotten, unless it became another meanwhile.
    pub outdated: Vec<SharedLink>,
    /// What a former, unsettled plan turned out to have done, and whom this plan changes; kept with this plan, so that it
    /// is still known should this one's outcome stay unknown, too.
    pub adopted: Option<Links>,
}

/// What became of a plan that was to be written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlanOutcome {
    /// Written down; it may be sent.
    Ready,
    /// Another chain creates, or has just created, one of the shared records; the lease is given back and the chain is
    /// due again as soon as that is settled.
    Deferred,
    /// Somebody else holds the chain now; nothing was written.
    Lost,
}

/// How a claimed chain ends.
#[derive(Debug, Clone)]
pub struct Settlement {
    pub workspace: WorkspaceId,
    pub connection: ConnectionId,
    pub chain: ChainId,
    pub fence: i64,
    pub revision: i64,
    pub outcome: Outcome,
    /// Until when something that was sent may still arrive: the chain is not handed out before, whatever news come. A
    /// retry's own time is cut short by news; this is not.
    pub rest_until: Option<Timestamp>,
    /// Shared records that are known from now on.
    pub shared: Vec<SharedLink>,
    /// Shared keys whose records turned out to be gone: forgotten.
    pub forget: Vec<SharedKey>,
    pub journal: Vec<JournalEntry>,
    /// What lists show; kept as it was where absent.
    pub summary: Option<Summary>,
}

/// How it went.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// The links as they are now. `look_again` makes the chain due once more at that time.
    Done { links: Links, look_again: Option<Timestamp> },
    /// Tried in vain; due again at `at`. `unsettled` keeps the sent plan because its outcome is unknown; `failed`
    /// counts the try as an attempt (a pause of the connection does not).
    Retry { at: Timestamp, unsettled: bool, failed: bool, links: Links },
    /// Laid aside for a person, with the reason and what to do.
    Parked { reason: String, fix: String, unsettled: bool, links: Links },
}

/// What lists of bookings show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct Summary {
    /// `active`, `cancelled`, …
    pub standing: String,
    pub title: String,
    /// The invitee as people know them.
    pub person: String,
    pub start: Option<Timestamp>,
}

/// The settings that are in use, without anything secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingsInUse {
    /// As whoever keeps them wrote them.
    pub settings: String,
    pub at: Timestamp,
    pub by: SettingsUse,
}

/// How settings came into use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SettingsUse {
    /// Somebody applied them; no server has been started with them yet.
    Applied,
    /// A server was started with them.
    Started,
}

/// One line of the activity log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalEntry {
    pub at: Timestamp,
    pub kind: JournalKind,
    /// One sentence that a person can read.
    pub text: String,
    /// The details behind it, as JSON: per record what was written and why.
    #[serde(default)]
    pub details: serde_json::Value,
}

/// What a line of the activity log is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JournalKind {
    /// Records were written.
    Written,
    /// Looked at and left alone.
    Unchanged,
    /// A try failed and will be repeated.
    Retried,
    /// Laid aside for a person.
    Parked,
    /// A message was kept although it could not be read, or is none of ours.
    Message,
    /// A connection was made, renewed, paused or lost.
    Connection,
    /// A person did something: replay, disconnect.
    Operator,
}

impl JournalKind {
    /// The stable word in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            JournalKind::Written => "written",
            JournalKind::Unchanged => "unchanged",
            JournalKind::Retried => "retried",
            JournalKind::Parked => "parked",
            JournalKind::Message => "message",
            JournalKind::Connection => "connection",
            JournalKind::Operator => "operator",
        }
    }
}

/// A connection's stored side: its grant and its health.
#[derive(Debug, Clone)]
pub struct ConnectionRow {
    pub workspace: WorkspaceId,
    pub connection: ConnectionId,
    pub vendor: String,
    pub status: ConnectionStatus,
    /// Nothing is sent before this time.
    pub paused_until: Option<Timestamp>,
    /// Why, in words, where the status is not `Connected` or the connection pauses.
    pub reason: Option<String>,
    pub tokens: Option<StoredTokens>,
    /// Grows with every stored token set.
    pub version: i64,
    pub api_used: Option<i64>,
    pub api_max: Option<i64>,
}

/// Whether a connection works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionStatus {
    NotConnected,
    Connected,
    NeedsReconnect,
}

/// The grant of a connection, in the clear only while in memory.
#[derive(Clone)]
pub struct StoredTokens {
    pub access: String,
    pub refresh: Option<String>,
    pub base_url: String,
    pub expires_at: Option<Timestamp>,
    pub account: Option<String>,
}

impl std::fmt::Debug for StoredTokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoredTokens")
            .field("base_url", &self.base_url)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}
