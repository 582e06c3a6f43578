//! Calendars, for people: whose take part and whether they are connected, what a preview comes to, which events landed
//! where, and why the others did not.

use std::sync::Arc;

use askama::Template;
use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use serde::Deserialize;
use syncline_core::{
    calendar::eligible::{REASONS, Verdict},
    ids::WorkspaceId,
};
use syncline_engine::calendars::{CalendarFlow, CalendarFlowState, CalendarPreview, PreviewedEvent};
use syncline_store::{ActivityFilter, FlowStanding, MeetingFilter};

use super::{
    Asked,
    activity::Entry,
    integrations::{activate, pause, word},
    overview::how_it_is,
};
use crate::{
    api::{
        PAGE_DEFAULT,
        activity::{Sought, find},
        calendars::{
            acts::{previewed, ran},
            events, flow,
            model::{Account, Calendar, Event, Integration, ReasonCount, Tally},
        },
        integration::{Agreed, connections},
        model::Health,
    },
    page::{self, Frame, Sent, Signed, time},
    problem::{Code, Problem},
    shared::Shared,
    shown::{Shown, link},
};

/// Events of each sort that a preview shows.
const SAMPLES: usize = 20;

/// Lines of the log that a page shows; the activity page has the rest.
const LINES_SHOWN: usize = 20;

/// How an integration stands, in a few lines.
pub(super) struct Standing {
    pub(super) name: Shown,
    pub(super) href: String,
    pub(super) crm: Shown,
    pub(super) calendars: usize,
    pub(super) word: &'static str,
    pub(super) well: bool,
    pub(super) reason: Option<Shown>,
    pub(super) logged: u64,
    pub(super) left_out: u64,
    pub(super) held: u64,
}

/// Starting and pausing it.
struct Start {
    action: String,
    may_start: bool,
    agreed: Option<(Shown, String)>,
}

#[derive(Template)]
#[template(path = "calendars.html")]
struct Detail {
    frame: Frame,
    flow: Standing,
    start: Start,
    preview: String,
    crm: AccountShown,
    calendars: Vec<CalendarShown>,
    events: Vec<CountShown>,
    entries: Vec<Entry>,
    activity: String,
}

struct AccountShown {
    id: Shown,
    vendor: Option<String>,
    health: &'static str,
    well: bool,
    reason: Option<Shown>,
    connect: Option<String>,
    /// Makes an address for the account's owner.
    link: Option<String>,
}

struct CalendarShown {
    owner: Shown,
    name: Shown,
    calendar: Option<Shown>,
    account: AccountShown,
    read: String,
    problem: Option<Shown>,
}

/// How many events there are of one sort, and where they are listed.
struct CountShown {
    count: u64,
    what: String,
    href: String,
}

#[derive(Template)]
#[template(path = "calendars_preview.html")]
struct PreviewPage {
    frame: Frame,
    start: Start,
    logged: usize,
    left_out: usize,
    reasons: Vec<ReasonCount>,
    /// How many would be logged, and how many not, if they were made from now on.
    if_new: Option<(usize, usize)>,
    complete: bool,
    would: Vec<SampleShown>,
    would_not: Vec<SampleShown>,
}

struct SampleShown {
    title: Shown,
    when: String,
    calendars: Shown,
    why: Shown,
}

#[derive(Template)]
#[template(path = "calendar_events.html")]
struct EventsPage {
    frame: Frame,
    integration: String,
    action: String,
    /// What the address says, what people read, and whether it is chosen.
    choices: Vec<(&'static str, String, bool)>,
    events: Vec<EventShown>,
    /// Where all events are listed, if only some were asked for.
    all: Option<String>,
    older: Option<String>,
}

struct EventShown {
    title: Shown,
    when: String,
    problem: Option<Shown>,
    left_out: Option<(Shown, Shown)>,
    record: Option<Shown>,
    href: Option<String>,
    /// On whose timelines it is.
    people: Option<Shown>,
}

/// The workspace's integrations of calendars.
pub(super) async fn standings(
    shared: &Shared,
    frame: &Frame,
    workspace: &WorkspaceId,
) -> syncline_store::Result<Vec<Standing>> {
    let rows = shared.store().connections(workspace).await?;
    let mut all = Vec::new();
    for flow in shared.engine.calendar_flows(workspace).await? {
        let status = shared.engine.calendars_status(&flow).await?;
        all.push(standing(frame, &Integration::new(shared, &flow, &status, &rows), current(&status)));
    }
    Ok(all)
}

/// `GET /integrations/{id}` of an integration of calendars.
pub(super) async fn show(shared: &Shared, signed: &Signed, id: &str) -> Response {
    match detail(shared, signed, id).await {
        Ok(page) => page::html(StatusCode::OK, &page),
        Err(problem) => page::problem(problem),
    }
}

async fn detail(shared: &Shared, signed: &Signed, id: &str) -> Result<Detail, Problem> {
    let flow = flow(shared, &signed.workspace, id).await?;
    let frame = signed.frame(shared, flow.id.as_str());
    let status = shared.engine.calendars_status(&flow).await.map_err(|error| Problem::store(shared, &error))?;
    let rows = connections(shared, &flow.workspace).await?;
    let filter = ActivityFilter { integration: Some(flow.id.clone()), limit: LINES_SHOWN, ..ActivityFilter::default() };
    let (lines, _) = find(shared, &signed.workspace, filter, &Sought::default()).await?;
    let known = Integration::new(shared, &flow, &status, &rows);
    let now = current(&status);
    let events = events_address(&flow);
    let line = |count: u64, what: &str, show: &str| CountShown {
        count,
        what: what.to_owned(),
        href: frame.href_with(&events, &[("show", show)]),
    };
    let counts = &known.counts;
    let sorts = [
        line(counts.logged, "logged", "logged"),
        line(counts.held, "held back", "held"),
        line(counts.left_out, "left out", "left_out"),
    ];
    let reasons = counts.reasons.iter().map(|(code, count)| line(*count, &left_out(code), code));
    Ok(Detail {
        start: start(&frame, &flow, now, known.agreed.as_ref()),
        preview: frame.href(&format!("/integrations/{}/preview", flow.id)),
        crm: account(&frame, &known.crm),
        calendars: known.calendars.iter().map(|calendar| calendar_shown(&frame, calendar)).collect(),
        events: sorts.into_iter().chain(reasons).filter(|line| line.count > 0).collect(),
        entries: lines.iter().map(|row| Entry::new(&frame, row)).collect(),
        activity: frame.href_with("/activity", &[("integration", flow.id.as_str())]),
        flow: standing(&frame, &known, now),
        frame,
    })
}

/// What a person decided about an integration of calendars.
pub(super) async fn carry_out(shared: &Shared, id: &str, sent: &Sent) -> Result<(), Problem> {
    let flow = flow(shared, &sent.signed.workspace, id).await?;
    match sent.field("act") {
        Some("pause") => pause(shared, &flow).await,
        Some("activate") => activate(shared, &flow, sent).await,
        // How it ended stands on the page.
        Some("run") => ran(shared, flow, sent.field("confirm_deletes").is_some()).await.map(drop),
        Some("retry") => {
            let released = shared.engine.retry_meetings(&flow).await;
            released.map(drop).map_err(|error| Problem::store(shared, &error))
        }
        _ => Err(Problem::new(Code::BadParameter)),
    }
}

/// `POST /integrations/{id}/preview`: a form, because it calls vendors.
pub(super) async fn preview(State(shared): State<Arc<Shared>>, Path(id): Path<String>, sent: Sent) -> Response {
    match preview_page(&shared, &sent.signed, &id).await {
        Ok(page) => page::html(StatusCode::OK, &page),
        Err(problem) => page::problem(problem),
    }
}

async fn preview_page(shared: &Shared, signed: &Signed, id: &str) -> Result<PreviewPage, Problem> {
    let flow = flow(shared, &signed.workspace, id).await?;
    let preview = previewed(shared, Arc::clone(&flow)).await?;
    let status = shared.engine.calendars_status(&flow).await.map_err(|error| Problem::store(shared, &error))?;
    let agreed = status.state.as_ref().and_then(Agreed::of);
    let frame = signed.frame(shared, format!("Preview of {}", flow.id));
    let start = start(&frame, &flow, current(&status), agreed.as_ref());
    Ok(PreviewPage::new(frame, start, &preview))
}

impl PreviewPage {
    fn new(frame: Frame, start: Start, preview: &CalendarPreview) -> Self {
        let samples = |logged| preview.events_that_are(logged).take(SAMPLES).map(sample).collect();
        let Tally { logged, left_out, reasons } = preview.tally().into();
        Self {
            frame,
            start,
            logged,
            left_out,
            reasons,
            if_new: preview.tally_if_new().map(|tally| (tally.logged, tally.left_out)),
            complete: !preview.capped,
            would: samples(true),
            would_not: samples(false),
        }
    }
}

/// Which events a page shows.
#[derive(Debug, Deserialize)]
pub(super) struct Wanted {
    show: Option<String>,
    before: Option<i64>,
}

/// `GET /integrations/{id}/events`.
pub(super) async fn events(
    State(shared): State<Arc<Shared>>,
    signed: Signed,
    Path(id): Path<String>,
    Asked(wanted): Asked<Wanted>,
) -> Response {
    match events_page(&shared, &signed, &id, &wanted).await {
        Ok(page) => page::html(StatusCode::OK, &page),
        Err(problem) => page::problem(problem),
    }
}

async fn events_page(shared: &Shared, signed: &Signed, id: &str, wanted: &Wanted) -> Result<EventsPage, Problem> {
    let flow = flow(shared, &signed.workspace, id).await?;
    let show = wanted.show.as_deref().unwrap_or_default();
    let filter = match show {
        "" => MeetingFilter::All,
        "logged" => MeetingFilter::logged(),
        "left_out" => MeetingFilter::LeftOut,
        "held" => MeetingFilter::Held,
        reason if REASONS.contains(&reason) => MeetingFilter::Verdict(reason.to_owned()),
        _ => return Err(Problem::new(Code::BadParameter)),
    };
    let found = events::page(shared, &flow, filter, wanted.before, PAGE_DEFAULT).await?;
    let frame = signed.frame(shared, format!("Events of {}", flow.id));
    let address = events_address(&flow);
    let older =
        found.next_before.map(|before| frame.href_with(&address, &[("show", show), ("before", &before.to_string())]));
    let sorts = [("", "all"), ("logged", "logged"), ("held", "held back"), ("left_out", "left out")];
    let sorts = sorts.into_iter().map(|(value, label)| (value, label.to_owned()));
    let reasons = REASONS.into_iter().map(|code| (code, left_out(code)));
    Ok(EventsPage {
        integration: frame.href(&format!("/integrations/{}", flow.id)),
        all: (!show.is_empty() || wanted.before.is_some()).then(|| frame.href(&address)),
        action: address,
        choices: sorts.chain(reasons).map(|(value, label)| (value, label, value == show)).collect(),
        events: found.events.iter().map(event).collect(),
        older,
        frame,
    })
}

fn events_address(flow: &CalendarFlow) -> String {
    format!("/integrations/{}/events", flow.id)
}

/// A reason's stable word as people read it.
fn left_out(code: &str) -> String {
    format!("left out: {}", code.replace('_', " "))
}

fn current(status: &CalendarFlowState) -> FlowStanding {
    status.state.as_ref().map_or(FlowStanding::Draft, |state| state.standing)
}

fn standing(frame: &Frame, known: &Integration, now: FlowStanding) -> Standing {
    let troubled = known.calendars.iter().any(|calendar| calendar.problem.is_some());
    Standing {
        name: Shown::new(&known.name),
        href: frame.href(&format!("/integrations/{}", known.name)),
        crm: Shown::new(&known.crm.connection),
        calendars: known.calendars.len(),
        word: word(now),
        well: now == FlowStanding::Active && !troubled,
        reason: known.reason.as_deref().map(Shown::value),
        logged: known.counts.logged,
        left_out: known.counts.left_out,
        held: known.counts.held,
    }
}

fn start(frame: &Frame, flow: &CalendarFlow, now: FlowStanding, agreed: Option<&Agreed>) -> Start {
    Start {
        action: frame.href(&format!("/integrations/{}", flow.id)),
        may_start: now != FlowStanding::Active,
        agreed: agreed.map(|agreed| (Shown::value(&agreed.by), time(agreed.at))),
    }
}

fn account(frame: &Frame, known: &Account) -> AccountShown {
    let (health, well) = how_it_is(known.health, known.connect.is_some());
    let connects = |page: &str| known.connect.as_ref().map(|_| frame.href(page));
    let is_awaited = matches!(known.health, Health::NotConnected | Health::NeedsReconnect);
    AccountShown {
        id: Shown::new(&known.connection),
        vendor: known.vendor.clone(),
        health,
        well,
        reason: known.reason.as_deref().map(Shown::value),
        connect: connects(&format!("/connect/{}", known.connection)),
        link: connects(&format!("/connections/{}/connect-link", known.connection)).filter(|_| is_awaited),
    }
}

fn calendar_shown(frame: &Frame, known: &Calendar) -> CalendarShown {
    let read = match (known.last_look, known.next_look) {
        (None, None) => "not read yet".to_owned(),
        (last, next) => {
            let whole = if known.whole { "" } else { "being read for the first time; " };
            let last = last.map_or("not read yet".to_owned(), |at| format!("last look at {}", time(at)));
            let next = next.map(|at| format!(", next at {}", time(at))).unwrap_or_default();
            format!("{whole}{last}{next}")
        }
    };
    CalendarShown {
        owner: Shown::value(&known.owner),
        name: Shown::new(&known.name),
        calendar: known.calendar.as_deref().map(Shown::value),
        account: account(frame, &known.account),
        read,
        problem: known.problem.as_deref().map(Shown::value),
    }
}

/// What an event is called; of a private one nothing is said.
fn titled(title: Option<&str>, is_private: bool) -> Shown {
    match title {
        _ if is_private => Shown::new("(private)"),
        Some(title) => Shown::value(title),
        None => Shown::new("(no title)"),
    }
}

fn sample(event: &PreviewedEvent) -> SampleShown {
    let why = match &event.verdict {
        Verdict::Log => String::new(),
        Verdict::LeftOut(reason) => reason.sentence(),
    };
    SampleShown {
        title: titled(event.title(), event.is_private()),
        when: event.start().map(|at| format!("{} · ", time(at))).unwrap_or_default(),
        calendars: Shown::value(&event.calendars.join(", ")),
        why: Shown::value(&why),
    }
}

fn event(event: &Event) -> EventShown {
    let left_out = event.sentence.as_deref().zip(event.next_step.as_deref());
    EventShown {
        title: titled(event.title.as_deref(), event.private),
        when: event.start.map(time).unwrap_or_default(),
        problem: event.problem.as_deref().map(Shown::value),
        left_out: left_out.map(|(sentence, next_step)| (Shown::value(sentence), Shown::value(next_step))),
        record: event.record.as_deref().map(Shown::value),
        href: event.record_url.as_deref().and_then(link),
        people: (!event.people.is_empty()).then(|| Shown::value(&event.people.join(", "))),
    }
}

#[cfg(test)]
mod tests;
