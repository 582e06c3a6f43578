//! What the API says of integrations that keep records in step: shapes of its own, so that neither the store's rows nor
//! the engine's types become promises.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use syncline_engine::records::{Preview, RecordFlow, RecordFlowState, Round, RuleNames, Sample};
use syncline_store::{FlowStanding, HoldView, PullPhase, PullState};
use utoipa::ToSchema;

use crate::api::{
    integration::{Agreed, Standing, Unusable},
    model::Health,
};

/// Integrations of the workspace.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RecordsList)]
pub(crate) struct IntegrationList {
    pub(crate) integrations: Vec<Integration>,
    /// Integrations that were written through the API and do not fit the configuration any more.
    pub(crate) unusable: Vec<Unusable>,
}

/// An integration that keeps the records of two accounts in step.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RecordsIntegration)]
pub(crate) struct Integration {
    pub(crate) name: String,
    pub(crate) standing: Standing,
    /// Why it stopped, and what to do.
    pub(crate) reason: Option<String>,
    /// Since when it stands so.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) since: Option<Timestamp>,
    pub(crate) agreed: Option<Agreed>,
    pub(crate) left: IntegrationSide,
    pub(crate) right: IntegrationSide,
    pub(crate) counts: Counts,
    pub(crate) quota: Quota,
    /// When either side was last read.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) last_run: Option<Timestamp>,
    /// When there is next something to do; a time that has passed means as soon as it is active.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) next_run: Option<Timestamp>,
    pub(crate) reads: Vec<Read>,
}

/// One side of it, with its account's health and allowance.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RecordsSide)]
pub(crate) struct IntegrationSide {
    pub(crate) connection: String,
    pub(crate) vendor: Option<String>,
    pub(crate) health: Health,
    /// Why, where the connection does not work or pauses.
    pub(crate) reason: Option<String>,
    /// Seconds between two looks for changes.
    pub(crate) every_seconds: i64,
    /// Calls of the day that are used, the calls of others included.
    pub(crate) api_used: Option<i64>,
    pub(crate) api_max: Option<i64>,
    /// The share of `api_max` that Syncline leaves nothing of; the rest is kept for others.
    pub(crate) budget_share: f64,
}

/// How much there is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RecordsCounts)]
pub(crate) struct Counts {
    /// Records known of the left side.
    pub(crate) left: u64,
    pub(crate) right: u64,
    /// Pairs that are kept in step.
    pub(crate) linked: u64,
    /// Records to be decided about.
    pub(crate) waiting: u64,
    /// Writes whose outcome is not known yet.
    pub(crate) under_way: u64,
    /// Records of which something is held back.
    pub(crate) held: u64,
}

/// Transfers of this month.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RecordsQuota)]
pub(crate) struct Quota {
    /// As `2026-05`, by UTC.
    pub(crate) month: String,
    pub(crate) used: u64,
    /// Absent where there is none.
    pub(crate) limit: Option<u64>,
}

/// How far one kind of records of one side has been read.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RecordsRead)]
pub(crate) struct Read {
    /// `left` or `right`.
    pub(crate) side: String,
    /// The vendor's name of the kind.
    pub(crate) kind: String,
    /// `first`: everything for the first time, `changes`, or `sweep`: everything again.
    pub(crate) phase: String,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) read_at: Option<Timestamp>,
    #[schema(value_type = String, format = DateTime)]
    pub(crate) next_at: Timestamp,
    /// Why it cannot be read.
    pub(crate) problem: Option<String>,
}

impl From<&PullState> for Read {
    fn from(pull: &PullState) -> Self {
        let phase = match pull.phase {
            PullPhase::First => "first",
            PullPhase::Changes => "changes",
            PullPhase::Sweep => "sweep",
        };
        Self {
            side: pull.side.as_str().to_owned(),
            kind: pull.kind.clone(),
            phase: phase.to_owned(),
            read_at: pull.read_at,
            next_at: pull.next_at,
            problem: pull.problem.clone(),
        }
    }
}

impl Integration {
    pub(crate) fn new(flow: &RecordFlow, status: &RecordFlowState, [left, right]: [IntegrationSide; 2]) -> Self {
        let state = status.state.as_ref();
        let counts = status.counts;
        Self {
            name: flow.id.as_str().to_owned(),
            standing: state.map_or(FlowStanding::Draft, |state| state.standing).into(),
            reason: state.and_then(|state| state.reason.clone()),
            since: state.map(|state| state.changed_at),
            agreed: state.and_then(Agreed::of),
            left,
            right,
            counts: Counts {
                left: counts.left,
                right: counts.right,
                linked: counts.links,
                waiting: counts.due,
                under_way: counts.open_steps,
                held: counts.held,
            },
            quota: Quota { month: status.month.clone(), used: status.quota.used, limit: flow.tasks_per_month },
            last_run: status.pulls.iter().filter_map(|pull| pull.read_at).max(),
            next_run: status.next_at,
            reads: status.pulls.iter().map(Read::from).collect(),
        }
    }
}

/// What is to be said of a mapping, a sentence each.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RecordsChecked)]
pub(crate) struct Checked {
    /// Whether every row works with the accounts as they are.
    pub(crate) works: bool,
    /// What cannot work.
    pub(crate) refused: Vec<String>,
    /// What to know of.
    pub(crate) warnings: Vec<String>,
}

/// What activating would do.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RecordsPreview)]
pub(crate) struct Previewed {
    /// Whether both sides are read as a whole. If not, ask again: the next preview reads on.
    complete: bool,
    /// Records that were looked at, of as many as wait.
    looked_at: usize,
    waiting: u64,
    tied: usize,
    created_left: usize,
    created_right: usize,
    changed: usize,
    /// Records that would be deleted because their counterparts are gone or missing, on both sides and on each.
    deleted: usize,
    deleted_left: usize,
    deleted_right: usize,
    held: usize,
    left_alone: usize,
    /// Rows of the mapping that cannot work.
    dropped: Vec<String>,
    /// A few of each.
    samples: Vec<PreviewSample>,
}

/// One record of a preview.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RecordsSample)]
pub(crate) struct PreviewSample {
    /// `tied`, `created`, `changed`, `deleted`, `held` or `left alone`.
    what: String,
    /// Of what would be deleted the record that would be.
    record: String,
    other: Option<String>,
    fields: Vec<PreviewField>,
    why: Option<String>,
}

/// A field as it would be.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RecordsField)]
pub(crate) struct PreviewField {
    /// The side that would be told.
    side: String,
    field: String,
    #[schema(nullable)]
    value: serde_json::Value,
}

impl From<Sample> for PreviewSample {
    fn from(sample: Sample) -> Self {
        let fields = sample.fields.into_iter().map(|(side, field, value)| PreviewField { side, field, value });
        Self {
            what: sample.what.to_owned(),
            record: sample.record,
            other: sample.other,
            fields: fields.collect(),
            why: sample.why,
        }
    }
}

impl From<Preview> for Previewed {
    fn from(preview: Preview) -> Self {
        Self {
            complete: preview.complete,
            looked_at: preview.looked_at,
            waiting: preview.waiting,
            tied: preview.tied,
            created_left: preview.created_left,
            created_right: preview.created_right,
            changed: preview.changed,
            deleted: preview.deleted,
            deleted_left: preview.deleted_left,
            deleted_right: preview.deleted_right,
            held: preview.held,
            left_alone: preview.left_alone,
            dropped: preview.dropped,
            samples: preview.samples.into_iter().map(PreviewSample::from).collect(),
        }
    }
}

/// What a round did.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RecordsRan)]
pub(crate) struct Ran {
    /// Whether it has come to its end. If not, it goes on by itself; the integration's counts tell how far it is.
    pub(crate) done: bool,
    /// What it did, once it is done.
    pub(crate) round: Option<Rounded>,
}

/// The numbers of a round.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RecordsRound)]
pub(crate) struct Rounded {
    read: usize,
    decided: usize,
    tied: usize,
    created: usize,
    updated: usize,
    deleted: usize,
    held: usize,
    /// Calls that the vendors count.
    calls: u32,
    /// There is more to do at once.
    more: bool,
}

impl From<Round> for Rounded {
    fn from(round: Round) -> Self {
        Self {
            read: round.read,
            decided: round.decided,
            tied: round.adopted,
            created: round.created,
            updated: round.updated,
            deleted: round.deleted,
            held: round.held,
            calls: round.calls,
            more: round.more,
        }
    }
}

/// What is held back, and why.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RecordsHold)]
pub(crate) struct Hold {
    /// The record's number, for `retry` and `resolve`.
    pub(crate) entry: i64,
    /// The side of the record, `left` or `right`.
    pub(crate) side: String,
    /// The vendor's name of the kind.
    pub(crate) kind: String,
    /// The vendor's id of the record.
    pub(crate) record: String,
    /// The field on both sides; absent where the whole record is held back.
    pub(crate) field: Option<HeldField>,
    pub(crate) reason: String,
    pub(crate) fix: String,
    #[schema(value_type = String, format = DateTime)]
    pub(crate) since: Timestamp,
}

/// A field that is held back.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RecordsHeldField)]
pub(crate) struct HeldField {
    pub(crate) left: String,
    pub(crate) right: String,
}

impl Hold {
    pub(crate) fn new(view: HoldView, field: Option<&RuleNames>) -> Self {
        Self {
            entry: view.entry,
            side: view.side.as_str().to_owned(),
            kind: view.kind,
            record: view.record.as_str().to_owned(),
            field: field.map(|names| HeldField { left: names.left.clone(), right: names.right.clone() }),
            reason: view.hold.reason,
            fix: view.hold.fix,
            since: view.since,
        }
    }
}

/// A page of what is held back, by the records' numbers.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RecordsHoldPage)]
pub(crate) struct HoldPage {
    pub(crate) holds: Vec<Hold>,
    /// Give this as `after` for the next page; absent on the last.
    pub(crate) next_after: Option<i64>,
}

/// What to try again.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RecordsRetry)]
pub(crate) struct Retry {
    /// Numbers of records, at most 1000; all that are held back where absent.
    #[serde(default)]
    #[schema(max_items = 1000)]
    pub(crate) entries: Option<Vec<i64>>,
}

/// What will be tried again.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RecordsRetried)]
pub(crate) struct Retried {
    pub(crate) records: u64,
}

/// A side.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = RecordsWinner)]
pub(crate) enum Winner {
    Left,
    Right,
}

/// A person's decision.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RecordsResolve)]
pub(crate) struct Resolve {
    /// The record's number.
    pub(crate) entry: i64,
    /// The field, by its name on either side.
    pub(crate) field: String,
    /// The side whose value is the right one.
    pub(crate) winner: Winner,
}

/// What became of an integration that was written.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RecordsWritten)]
pub(crate) struct SetupWritten {
    pub(crate) name: String,
    pub(crate) version: i64,
    /// Whether both accounts were asked if the mapping works.
    pub(crate) checked: bool,
    /// What to know of.
    pub(crate) warnings: Vec<String>,
}
