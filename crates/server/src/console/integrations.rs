//! Records in step, for people: how each integration stands, what it keeps back and why, and what to do about it.

use std::{collections::BTreeMap, sync::Arc};

use askama::Template;
use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use syncline_core::{
    ids::{IntegrationId, WorkspaceId},
    merge::{HoldKind, RuleKey, Side},
};
use syncline_engine::{
    Flow,
    records::{RecordFlow, RecordFlowState, RuleNames},
};
use syncline_store::{ActivityFilter, FlowStanding, HoldView, PullState, SetupKind};

use super::{activity::Entry, calendars};
use crate::{
    api::activity::{Sought, find},
    page::{self, Frame, Sent, Signed, time},
    problem::{Code, Problem},
    shared::Shared,
    shown::Shown,
};

/// Records held back that a page shows; with those settled, the next ones come.
const HOLDS_SHOWN: usize = 50;

/// Lines of the log that a page shows; the activity page has the rest.
const LINES_SHOWN: usize = 20;

#[derive(Template)]
#[template(path = "integrations.html")]
struct List {
    frame: Frame,
    flows: Vec<Standing>,
    calendars: Vec<calendars::Standing>,
    /// What was written through the API and does not fit the configuration any more, and why.
    unusable: Vec<(Shown, Shown)>,
}

/// How an integration stands, in a few lines.
pub(super) struct Standing {
    pub(super) name: Shown,
    pub(super) href: String,
    pub(super) left: Shown,
    pub(super) right: Shown,
    pub(super) word: &'static str,
    pub(super) well: bool,
    pub(super) reason: Option<Shown>,
    pub(super) links: u64,
    pub(super) waiting: u64,
    pub(super) under_way: u64,
    pub(super) held: u64,
    /// Transfers of this month and their limit.
    pub(super) used: u64,
    pub(super) limit: Option<u64>,
}

#[derive(Template)]
#[template(path = "integration.html")]
struct Detail {
    frame: Frame,
    flow: Standing,
    action: String,
    may_start: bool,
    agreed: Option<(Shown, String)>,
    pulls: Vec<Pull>,
    holds: Vec<Held>,
    more_held: bool,
    entries: Vec<Entry>,
    activity: String,
}

/// How far one kind of one side was read.
struct Pull {
    /// The account.
    side: Shown,
    kind: Shown,
    read: Option<String>,
    next: String,
    problem: Option<Shown>,
}

/// A record of which something is held back.
struct Held {
    entry: i64,
    record: Shown,
    field: Option<Shown>,
    rule: Option<u32>,
    /// A person decides which side is right.
    undecided: bool,
    reason: Shown,
    fix: Shown,
    since: String,
}

/// `GET /integrations`.
pub(super) async fn list(State(shared): State<Arc<Shared>>, signed: Signed) -> Response {
    match flows(&shared, &signed).await {
        Ok(page) => page::html(StatusCode::OK, &page),
        Err(error) => page::problem(Problem::store(&shared, &error)),
    }
}

async fn flows(shared: &Shared, signed: &Signed) -> syncline_store::Result<List> {
    let frame = signed.frame(shared, "Integrations");
    let calendars = calendars::standings(shared, &frame, &signed.workspace).await?;
    let flows = standings(shared, &frame, &signed.workspace).await?;
    let unusable = [SetupKind::Records, SetupKind::Calendars]
        .into_iter()
        .flat_map(|kind| shared.engine.unusable_flows(&signed.workspace, kind))
        .map(|(name, reason)| (Shown::new(name.as_str()), Shown::value(&reason)));
    Ok(List { frame, flows, calendars, unusable: unusable.collect() })
}

/// The workspace's integrations of records.
pub(super) async fn standings(
    shared: &Shared,
    frame: &Frame,
    workspace: &WorkspaceId,
) -> syncline_store::Result<Vec<Standing>> {
    let mut all = Vec::new();
    for flow in shared.engine.record_flows(workspace).await? {
        all.push(standing(frame, &flow, &shared.engine.records_status(&flow).await?));
    }
    Ok(all)
}

/// `GET /integrations/{id}`.
pub(super) async fn show(State(shared): State<Arc<Shared>>, signed: Signed, Path(id): Path<String>) -> Response {
    let flow = match named(&shared, &signed.workspace, &id).await {
        Ok(Some(flow)) => flow,
        Ok(None) => return calendars::show(&shared, &signed, &id).await,
        Err(problem) => return page::problem(problem),
    };
    match detail(&shared, &signed, &flow).await {
        Ok(page) => page::html(StatusCode::OK, &page),
        Err(problem) => page::problem(problem),
    }
}

async fn detail(shared: &Shared, signed: &Signed, flow: &RecordFlow) -> Result<Detail, Problem> {
    let frame = signed.frame(shared, flow.id.as_str());
    let store_problem = |error| Problem::store(shared, &error);
    let status = shared.engine.records_status(flow).await.map_err(store_problem)?;
    let store = shared.store();
    // One more tells whether there are more; all holds of a record come together.
    let mut held = store.holds(&flow.workspace, &flow.id, None, HOLDS_SHOWN + 1).await.map_err(store_problem)?;
    let mut records: Vec<i64> = held.iter().map(|hold| hold.entry).collect();
    records.dedup();
    let more_held = records.get(HOLDS_SHOWN).copied();
    if let Some(beyond) = more_held {
        held.retain(|hold| hold.entry != beyond);
    }
    let names = flow.rule_names();
    let filter = ActivityFilter { integration: Some(flow.id.clone()), limit: LINES_SHOWN, ..ActivityFilter::default() };
    let (lines, _) = find(shared, &signed.workspace, filter, &Sought::default()).await?;
    let standing_now = status.state.as_ref().map_or(FlowStanding::Draft, |state| state.standing);
    let agreed = status.state.as_ref().and_then(|state| state.agreed.as_ref());
    Ok(Detail {
        flow: standing(&frame, flow, &status),
        action: frame.href(&format!("/integrations/{}", flow.id)),
        may_start: standing_now != FlowStanding::Active,
        agreed: agreed.map(|(who, at)| (Shown::value(who), time(*at))),
        pulls: status.pulls.iter().map(|state| pull(flow, state)).collect(),
        holds: held.iter().map(|hold| self::held(hold, &names)).collect(),
        more_held: more_held.is_some(),
        entries: lines.iter().map(|row| Entry::new(&frame, row)).collect(),
        activity: frame.href_with("/activity", &[("integration", flow.id.as_str())]),
        frame,
    })
}

/// `POST /integrations/{id}`: what a person decided about it.
pub(super) async fn act(State(shared): State<Arc<Shared>>, Path(id): Path<String>, sent: Sent) -> Response {
    let done = match named(&shared, &sent.signed.workspace, &id).await {
        Ok(Some(flow)) => carry_out(&shared, &flow, &sent).await,
        Ok(None) => calendars::carry_out(&shared, &id, &sent).await,
        Err(problem) => Err(problem),
    };
    match done {
        Ok(()) => {
            let frame = sent.signed.frame(&shared, "");
            page::redirect(&frame.href(&format!("/integrations/{id}")))
        }
        Err(problem) => page::problem(problem),
    }
}

async fn carry_out(shared: &Shared, flow: &RecordFlow, sent: &Sent) -> Result<(), Problem> {
    let store_problem = |error| Problem::store(shared, &error);
    let (store, now) = (shared.store(), shared.now());
    let entry = sent.field("entry").map(str::parse::<i64>).transpose().map_err(|_| Problem::new(Code::BadParameter))?;
    match sent.field("act") {
        Some("pause") => pause(shared, flow).await,
        Some("activate") => activate(shared, flow, sent).await,
        Some("retry") => {
            let chosen = entry.map(|entry| vec![entry]);
            let released = store.release_holds(&flow.workspace, &flow.id, chosen.as_deref(), now).await;
            released.map(drop).map_err(store_problem)
        }
        Some("resolve") => {
            let rule = sent.field("rule").and_then(|rule| rule.parse().ok()).map(RuleKey);
            let side = match sent.field("winner") {
                Some("left") => Some(Side::Left),
                Some("right") => Some(Side::Right),
                _ => None,
            };
            let (Some(entry), Some(rule), Some(side)) = (entry, rule, side) else {
                return Err(Problem::new(Code::BadParameter));
            };
            // Where it is not held back any more there is nothing to decide: the page shows how it stands.
            let decided = store.decide_hold(&flow.workspace, &flow.id, entry, rule, side, now).await;
            decided.map(drop).map_err(store_problem)
        }
        _ => Err(Problem::new(Code::BadParameter)),
    }
}

/// Pauses an integration, of whatever kind.
pub(super) async fn pause(shared: &Shared, flow: &impl Flow) -> Result<(), Problem> {
    let paused = shared.engine.set_standing(flow, FlowStanding::Paused, None, None).await;
    paused.map_err(|error| Problem::store(shared, &error))
}

/// Starts one, where somebody agrees or has agreed.
pub(super) async fn activate(shared: &Shared, flow: &impl Flow, sent: &Sent) -> Result<(), Problem> {
    let by = sent.field("agreed_by").map(str::trim).filter(|by| !by.is_empty());
    if shared.engine.activate(flow, by).await.map_err(|error| Problem::store(shared, &error))? {
        return Ok(());
    }
    Err(Problem::new(Code::BadParameter).detail("say who agreed that people's data may travel between the accounts"))
}

/// The integration of records of this name.
async fn named(shared: &Shared, workspace: &WorkspaceId, id: &str) -> Result<Option<Arc<RecordFlow>>, Problem> {
    let flow = shared.engine.record_flow(workspace, &IntegrationId::new(id)).await;
    flow.map_err(|error| Problem::store(shared, &error))
}

/// How it stands, in a word.
pub(super) fn word(standing: FlowStanding) -> &'static str {
    match standing {
        FlowStanding::Draft => "a draft",
        FlowStanding::Active => "active",
        FlowStanding::Paused => "paused",
        FlowStanding::Stopped => "stopped",
    }
}

fn standing(frame: &Frame, flow: &RecordFlow, status: &RecordFlowState) -> Standing {
    let now = status.state.as_ref().map_or(FlowStanding::Draft, |state| state.standing);
    let counts = status.counts;
    Standing {
        name: Shown::new(flow.id.as_str()),
        href: frame.href(&format!("/integrations/{}", flow.id)),
        left: Shown::new(flow.left.connection.as_str()),
        right: Shown::new(flow.right.connection.as_str()),
        word: word(now),
        well: now == FlowStanding::Active && status.pulls.iter().all(|pull| pull.problem.is_none()),
        reason: status.state.as_ref().and_then(|state| state.reason.as_deref()).map(Shown::value),
        links: counts.links,
        waiting: counts.due,
        under_way: counts.open_steps,
        held: counts.held,
        used: status.quota.used,
        limit: flow.tasks_per_month,
    }
}

fn pull(flow: &RecordFlow, state: &PullState) -> Pull {
    let side = match state.side {
        Side::Left => &flow.left,
        Side::Right => &flow.right,
    };
    Pull {
        side: Shown::new(side.connection.as_str()),
        kind: Shown::new(&state.kind),
        read: state.read_at.map(time),
        next: time(state.next_at),
        problem: state.problem.as_deref().map(Shown::value),
    }
}

fn held(view: &HoldView, names: &BTreeMap<RuleKey, RuleNames>) -> Held {
    Held {
        entry: view.entry,
        record: Shown::value(&format!("{} {}", view.kind, view.record)),
        field: view.hold.rule.and_then(|rule| names.get(&rule)).map(|names| Shown::value(&names.to_string())),
        rule: view.hold.rule.map(|rule| rule.0),
        undecided: view.hold.kind == HoldKind::Conflict && view.hold.rule.is_some(),
        reason: Shown::value(&view.hold.reason),
        fix: Shown::value(&view.hold.fix),
        since: time(view.since),
    }
}
