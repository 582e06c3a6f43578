//! What became of the events of an integration's calendars: which are logged as what, and why the others are not.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
};
use serde::Deserialize;
use syncline_core::calendar::eligible::REASONS;
use syncline_engine::calendars::CalendarFlow;
use syncline_store::{MeetingFilter, MeetingView};
use utoipa::IntoParams;

use super::{
    flow,
    model::{Event, EventPage, Show},
};
use crate::{
    api::{Answer, Asked, access::Admin, integration::connections, next_before, page_size, workspace},
    problem::{Code, Problem, ProblemBody},
    shared::Shared,
};

/// Which events are asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// The workspace; the first one where absent.
    workspace: Option<String>,
    /// Only those that are logged, not logged, or held back; all where absent.
    #[param(inline)]
    show: Option<Show>,
    /// Only those that are not logged for this reason, by its stable word, as in `counts.reasons`.
    reason: Option<String>,
    /// Only events older than this one, by `id`.
    before: Option<i64>,
    /// Events of a page, 1 to 200.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<usize>,
}

impl Wanted {
    fn filter(&self) -> Result<MeetingFilter, Problem> {
        match (self.show, &self.reason) {
            (None, None) => Ok(MeetingFilter::All),
            (Some(Show::Logged), None) => Ok(MeetingFilter::logged()),
            (Some(Show::LeftOut), None) => Ok(MeetingFilter::LeftOut),
            (Some(Show::Held), None) => Ok(MeetingFilter::Held),
            (None | Some(Show::LeftOut), Some(reason)) if REASONS.contains(&reason.as_str()) => {
                Ok(MeetingFilter::Verdict(reason.clone()))
            }
            (None | Some(Show::LeftOut), Some(_)) => {
                let detail = format!("there is no such reason; there are {}", REASONS.join(", "));
                Err(Problem::new(Code::BadParameter).detail(detail))
            }
            (Some(Show::Logged | Show::Held), Some(_)) => {
                Err(Problem::new(Code::BadParameter).detail("`reason` is of events that are left out"))
            }
        }
    }
}

/// What became of events: logged as which record, or why not and what somebody can do who wants it logged.
#[utoipa::path(get, path = "/api/v1/calendars/{name}/events", operation_id = "list_events", tag = "calendars",
    security(("admin" = [])),
    params(("name" = String, Path, description = "The integration's name"), Wanted),
    responses(
        (status = 200, body = EventPage),
        (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
        (status = "5XX", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(crate) async fn list(
    State(shared): State<Arc<Shared>>,
    _: Admin,
    Path(name): Path<String>,
    Asked(wanted): Asked<Wanted>,
) -> Answer<EventPage> {
    let flow = flow(&shared, workspace(&shared, wanted.workspace.as_deref())?, &name).await?;
    let limit = page_size(wanted.limit)?;
    Ok(Json(page(&shared, &flow, wanted.filter()?, wanted.before, limit).await?))
}

/// A page of events.
pub(crate) async fn page(
    shared: &Shared,
    flow: &CalendarFlow,
    filter: MeetingFilter,
    before: Option<i64>,
    limit: usize,
) -> Result<EventPage, Problem> {
    let views = shared.engine.newest_calendar_events(flow, filter, before, limit).await;
    let views = views.map_err(|error| Problem::store(shared, &error))?;
    let rows = connections(shared, &flow.workspace).await?;
    let home = rows.iter().find(|row| row.connection == flow.crm).and_then(|row| row.tokens.as_ref());
    let home = home.and_then(|tokens| url::Url::parse(&tokens.base_url).ok());
    let setup = shared.engine.setup().connection(&flow.workspace, &flow.crm);
    let records = setup.and_then(|setup| setup.connector.records());
    let address = |view: &MeetingView| records?.page(home.as_ref()?, view.record.as_ref()?).map(String::from);
    let events = views.iter().map(|view| Event::new(view, address(view)));
    Ok(EventPage { events: events.collect(), next_before: next_before(&views, limit, |view| view.id) })
}
