//! What the store takes and gives for integrations that keep records in step: what each side showed, which records are
//! one thing, what is to be written, what is held back. What any of it means is decided in `syncline_core`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use syncline_core::{
    ids::{ExternalKey, IntegrationId, RecordId, WorkspaceId},
    merge::{Base, HoldKind, Images, Row, RuleKey, Side},
    record::Value,
};

/// What became of a record at its vendor.
pub use syncline_core::merge::Fate as StoredFate;

use crate::{Held, JournalEntry};

/// Why an entry rests whose link cannot be read: by this note it is found when somebody wants it to be tried again.
pub const UNREADABLE: &str = "what both sides last agreed on cannot be read";

/// How an integration stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowState {
    pub standing: FlowStanding,
    /// Why it stopped, and what to do, where it did so by itself.
    pub reason: Option<String>,
    pub changed_at: Timestamp,
    /// Who agreed that people's data may travel, and when.
    pub agreed: Option<(String, Timestamp)>,
    /// The version of the text that was agreed to.
    pub agreed_text: Option<String>,
    /// Nothing that was made before is new (`select = "new"`).
    pub since: Option<Timestamp>,
}

/// The cases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FlowStanding {
    /// Configured, and nothing is written yet.
    Draft,
    Active,
    /// By a person.
    Paused,
    /// By itself: a side looks empty, too much was deleted, the quota is used up. A person has to look.
    Stopped,
}

/// How far reading one kind of one side has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullState {
    pub side: Side,
    pub kind: String,
    pub phase: PullPhase,
    pub cursor: Option<String>,
    pub next_at: Timestamp,
    pub failures: u32,
    pub problem: Option<String>,
    pub read_at: Option<Timestamp>,
    /// Counts the whole readings; an entry that was not seen in the last one is missing.
    pub sweep: i64,
    /// Cursor of the changes, kept while a sweep runs with a cursor of its own.
    pub changes_cursor: Option<String>,
    pub swept_at: Option<Timestamp>,
    /// Which fields were read: with others, everything has to be read and decided about anew.
    pub fields: Option<String>,
}

/// What is being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PullPhase {
    /// Everything, for the first time.
    First,
    Changes,
    /// Everything again, to find what changes did not tell.
    Sweep,
}

/// A record as a side showed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenRow {
    pub side: Side,
    pub kind: String,
    pub record: RecordId,
    /// By which it is matched with records of the other side: its e-mail address in normal form.
    pub match_key: Option<String>,
    pub row: Row,
    /// By the vendor's clock. A row with the same time as the one that is stored says nothing new.
    pub changed_at: Option<Timestamp>,
    pub fate: StoredFate,
}

/// Rows of one or more kinds with the cursors behind them: stored together or not at all.
#[derive(Debug, Clone)]
pub struct TakeRows {
    pub workspace: WorkspaceId,
    pub integration: IntegrationId,
    pub held: Held,
    pub now: Timestamp,
    pub rows: Vec<SeenRow>,
    /// The pulls as they are now; failures and problem as given.
    pub pulls: Vec<PullState>,
}

/// What became of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RowsTaken {
    /// Seen for the first time.
    pub new: usize,
    /// Known, and made due.
    pub changed: usize,
    /// Come again as they were.
    pub repeated: usize,
}

/// A record that the store knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEntry {
    pub id: i64,
    pub side: Side,
    pub kind: String,
    pub record: RecordId,
    pub match_key: Option<String>,
    pub link: Option<i64>,
    /// What it shows; nothing where it is as the link's images say.
    pub seen: Option<Row>,
    pub changed_at: Option<Timestamp>,
    pub fate: StoredFate,
    /// When to decide about it; nothing while it rests.
    pub due_at: Option<Timestamp>,
    /// Why it rests, where that is no matter of course.
    pub note: Option<String>,
    pub tries: u32,
    /// Counts the news about it; given back in [`EntryChange::revision`].
    pub revision: i64,
    /// It was tied once and was let go: none is made for it again.
    pub let_go: bool,
    /// What is stored of it cannot be read: what it shows and what became of it are not known.
    pub unreadable: bool,
}

/// Two records that are one thing; one of them may be yet to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredLink {
    pub id: i64,
    /// The pair of kinds, by its configured name.
    pub pair: String,
    pub left: Option<i64>,
    pub right: Option<i64>,
    pub images: Images,
    /// Values that a vendor refused for good: they are not sent again until they change. By field, a digest each.
    pub refused: Vec<(RuleKey, u64)>,
    /// What a person decided about fields that were held back, until it is carried out.
    pub decided: Vec<(RuleKey, Side)>,
    /// Counts what people said about it; given back in [`LinkChange::revision`].
    pub revision: i64,
    /// What both agreed on, or what was said about it, cannot be read.
    pub unreadable: bool,
}

/// An entry that is due, with all that is known around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Work {
    pub entry: StoredEntry,
    pub link: Option<StoredLink>,
    /// The link's other record.
    pub partner: Option<StoredEntry>,
}

/// News of one side that are due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WaitingRows {
    pub rows: usize,
    pub oldest: Option<Timestamp>,
}

/// A link with both its records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkedPair {
    pub link: StoredLink,
    pub left: Option<StoredEntry>,
    pub right: Option<StoredEntry>,
}

/// The end of a whole reading of one kind of one side.
#[derive(Debug, Clone)]
pub struct FinishSweep {
    pub workspace: WorkspaceId,
    pub integration: IntegrationId,
    pub held: Held,
    pub now: Timestamp,
    pub side: Side,
    pub kind: String,
    /// The number of the reading that has come to its end.
    pub sweep: i64,
    /// A person has looked at it: however many are missing, they are missing.
    pub confirmed: bool,
}

/// What a whole reading did not show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SweepEnd {
    /// So many live records were not seen; they are missing and due now.
    Done { missing: u64 },
    /// More than can be believed without a person. Nothing was changed.
    TooMany { missing: u64, total: u64 },
}

/// Deletions that are to be thought of together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PendingDeletes {
    /// Linked records that are gone and due while their counterparts are there.
    pub waiting: u64,
    /// Planned within the last day, of those that nobody confirmed.
    pub lately: u64,
}

/// A write that is planned, and may have been sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredStep {
    pub id: i64,
    pub link: i64,
    /// The side that is written to.
    pub side: Side,
    pub kind: String,
    pub op: StepOp,
    pub fields: Vec<StepField>,
    /// What the vendor gave to ask for the outcome with.
    pub ticket: Option<String>,
    /// When to look what became of it.
    pub look_at: Timestamp,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepOp {
    Create { key: ExternalKey },
    Update { entry: i64, record: RecordId },
    Delete { entry: i64, record: RecordId },
}

/// One field of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepField {
    pub rule: RuleKey,
    pub target: Value,
    /// What stood there.
    pub seen: Option<Value>,
    /// The base once it is written.
    pub after: Base,
    /// The other side is told of it as well: the base moves only once both are seen to hold the same.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub joint: bool,
}

/// Everything that one decision or one answer changes: all of it or nothing, and nothing at all where the lease is
/// somebody else's by now.
#[derive(Debug, Clone, Default)]
pub struct SaveRows {
    pub entries: Vec<EntryChange>,
    pub new_links: Vec<NewLink>,
    pub links: Vec<LinkChange>,
    /// Links that are no more, and their steps with them; their entries are given in `entries`.
    pub drop_links: Vec<i64>,
    pub new_steps: Vec<NewStep>,
    /// Steps that have an outcome.
    pub drop_steps: Vec<i64>,
    /// Steps whose outcome is yet to be seen: ticket and when to look.
    pub later_steps: Vec<(i64, Option<String>, Timestamp)>,
    /// What is held back of these entries is exactly this.
    pub holds: Vec<(i64, Vec<StoredHold>)>,
    /// Whose counterparts these entries wait for is exactly this.
    pub waits: Vec<(i64, Vec<Wait>)>,
    /// Entries that rest for this reason while what is stored of them is not touched, by id and revision.
    pub set_aside: Vec<(i64, i64, String)>,
    pub journal: Vec<JournalEntry>,
    /// What somebody had asked for and what this carries out.
    pub answered: Vec<Ask>,
    /// Deletions that are planned, of those that nobody confirmed.
    pub deletes: u32,
    /// Records transferred, for the month's quota.
    pub tasks: u32,
    /// The month that they count for, as `2026-05`.
    pub month: String,
}

/// A record that another one names: that one waits until it has a counterpart, or has another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wait {
    /// The pair of kinds in which it may have one, by its configured name.
    pub pair: String,
    pub side: Side,
    pub kind: String,
    pub record: RecordId,
    /// The counterpart that it had when this was decided; that it has this one is no news.
    pub counterpart: Option<RecordId>,
    /// Its counterpart is about to be made, or nobody has decided about it: that it will have none is news, too.
    pub coming: bool,
}

/// Somebody wants a record on the left for one of the right.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ask {
    /// The pair of kinds, by its configured name.
    pub pair: String,
    pub subject: Subject,
}

/// How the record is named for which another one is asked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// By the right side's own id.
    Record(RecordId),
    /// By its e-mail address in normal form.
    Address(String),
}

/// What became of such a wish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AskTaken {
    /// It is carried out at the next look.
    Waiting,
    /// Somebody asked for it before, and that waits still.
    AskedBefore,
    /// Too much waits; it is not kept.
    Full,
}

/// A link by its id, or one that the same save makes, by its place in [`SaveRows::new_links`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkRef {
    Known(i64),
    New(usize),
}

/// An entry as it is from now on. Where there was news since the revision that the decision saw, only the link is set:
/// what was seen and when it is due stay as the news left them.
#[derive(Debug, Clone)]
pub struct EntryChange {
    pub id: i64,
    /// [`StoredEntry::revision`] as it was read.
    pub revision: i64,
    pub link: Option<LinkRef>,
    pub seen: Option<Row>,
    pub due_at: Option<Timestamp>,
    pub note: Option<String>,
    pub tries: u32,
    pub fate: StoredFate,
    /// [`StoredEntry::let_go`].
    pub let_go: bool,
    /// It was written just now.
    pub written: bool,
}

/// A link to be made.
#[derive(Debug, Clone)]
pub struct NewLink {
    pub pair: String,
    pub left: Option<i64>,
    pub right: Option<i64>,
    pub images: Images,
}

/// A link as it is from now on. A record that was made just now is given whole, because no pull has shown it yet.
#[derive(Debug, Clone)]
pub struct LinkChange {
    pub id: i64,
    pub pair: String,
    pub left: Option<i64>,
    pub right: Option<i64>,
    /// The record that was made on the side that had none; it takes the place of `left` or `right`.
    pub made: Option<MadeEntry>,
    pub images: Images,
    /// As they are from now on, unless a person said meanwhile that all shall be tried again.
    pub refused: Vec<(RuleKey, u64)>,
    /// [`StoredLink::revision`] as it was read.
    pub revision: i64,
    /// What a person had decided and what is carried out by this; forgotten, unless they changed their mind meanwhile.
    pub carried_out: Vec<(RuleKey, Side)>,
}

/// A record that we made.
#[derive(Debug, Clone)]
pub struct MadeEntry {
    pub side: Side,
    pub kind: String,
    pub record: RecordId,
    pub match_key: Option<String>,
}

/// A step to be planned.
#[derive(Debug, Clone)]
pub struct NewStep {
    pub link: LinkRef,
    pub side: Side,
    pub kind: String,
    pub op: StepOp,
    pub fields: Vec<StepField>,
    pub look_at: Timestamp,
}

/// Something held back, for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredHold {
    /// The field; nothing where it is the whole record.
    pub rule: Option<RuleKey>,
    pub kind: HoldKind,
    /// The side that cannot be told.
    pub to: Option<Side>,
    pub reason: String,
    pub fix: String,
    /// Where a record was to be made: with these values it was refused for good.
    pub refused: Vec<(RuleKey, u64)>,
}

/// What a save made, by position.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RowsSaved {
    pub links: Vec<i64>,
    pub steps: Vec<i64>,
    /// Whether somebody is due again who waited for a counterpart.
    pub woken: bool,
}

/// A hold as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldView {
    pub entry: i64,
    pub side: Side,
    pub kind: String,
    pub record: RecordId,
    pub hold: StoredHold,
    pub since: Timestamp,
}

/// Numbers of an integration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FlowCounts {
    pub left: u64,
    pub right: u64,
    pub links: u64,
    /// Entries to be decided about, now or later.
    pub due: u64,
    /// Entries of which something is held back.
    pub held: u64,
    pub open_steps: u64,
}

/// The use of a month's quota after tasks were counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QuotaUse {
    pub used: u64,
    /// The highest share, in percent, that somebody was told of.
    pub told_percent: u32,
}

/// What an integration does that is written through the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetupKind {
    /// It keeps records in step.
    Records,
    /// It brings meetings of calendars onto timelines.
    Calendars,
}

impl SetupKind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            SetupKind::Records => "records",
            SetupKind::Calendars => "calendars",
        }
    }
}

/// An integration as somebody wrote it through the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntegrationSetup {
    pub integration: IntegrationId,
    /// What was written, which the store does not read.
    pub source: Vec<u8>,
    /// Grows with every change.
    pub version: i64,
    pub at: Timestamp,
    pub who: String,
}

/// What became of a change to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetupSaved {
    As {
        version: i64,
    },
    /// Somebody else changed it meanwhile; 0 where there is none.
    Outdated {
        version: i64,
    },
    /// It is active: pause it first.
    Active,
    NotThere,
    /// One of another kind bears the name.
    Taken,
    /// There are as many as one workspace may have.
    TooMany,
}
