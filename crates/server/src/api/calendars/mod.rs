//! `/api/v1/calendars`: integrations that bring meetings of people's calendars onto timelines. Here they are listed and
//! shown; what a person may do with one stands in `acts.rs`, what became of events in `events.rs`, how one is written in
//! `setups.rs`.

pub(crate) mod acts;
pub(crate) mod events;
pub(crate) mod model;
pub(super) mod setups;

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Path, State},
    routing::{get, post},
};
use syncline_core::ids::{IntegrationId, WorkspaceId};
use syncline_engine::calendars::CalendarFlow;
use syncline_store::{ConnectionRow, SetupKind};

use self::model::{Integration, IntegrationList};
use super::{
    Answer, Asked,
    access::Admin,
    integration::{connections, unusable},
    status::InWorkspace,
    workspace,
};
use crate::{
    problem::{Code, Problem, ProblemBody},
    shared::Shared,
};

pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/api/v1/calendars", get(list))
        .route("/api/v1/calendars/{name}", get(show).put(setups::write).delete(setups::remove))
        .route("/api/v1/calendars/{name}/setup", get(setups::read))
        .route("/api/v1/calendars/{name}/check", post(acts::check))
        .route("/api/v1/calendars/{name}/preview", post(acts::preview))
        .route("/api/v1/calendars/{name}/activate", post(acts::activate))
        .route("/api/v1/calendars/{name}/pause", post(acts::pause))
        .route("/api/v1/calendars/{name}/run", post(acts::run))
        .route("/api/v1/calendars/{name}/events", get(events::list))
        .route("/api/v1/calendars/{name}/retry", post(acts::retry))
}

/// The integration that an address names.
pub(crate) async fn flow(shared: &Shared, workspace: &WorkspaceId, name: &str) -> Result<Arc<CalendarFlow>, Problem> {
    let flow = shared.engine.calendar_flow(workspace, &IntegrationId::new(name)).await;
    flow.map_err(|error| Problem::store(shared, &error))?
        .ok_or_else(|| Problem::new(Code::NotFound).detail("no integration of this name reads calendars"))
}

/// Integrations that bring meetings of calendars onto timelines, with their standing, calendars, counts and times.
#[utoipa::path(get, path = "/api/v1/calendars", operation_id = "list_calendars", tag = "calendars",
    params(InWorkspace), security(("admin" = [])), responses(
    (status = 200, body = IntegrationList),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    (status = "5XX", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(crate) async fn list(
    State(shared): State<Arc<Shared>>,
    _: Admin,
    Asked(asked): Asked<InWorkspace>,
) -> Answer<IntegrationList> {
    let workspace = workspace(&shared, asked.workspace.as_deref())?;
    let rows = connections(&shared, workspace).await?;
    let mut integrations = Vec::new();
    let flows = shared.engine.calendar_flows(workspace).await.map_err(|error| Problem::store(&shared, &error))?;
    for flow in flows {
        integrations.push(shown(&shared, &flow, &rows).await?);
    }
    Ok(Json(IntegrationList { integrations, unusable: unusable(&shared, workspace, SetupKind::Calendars) }))
}

/// One integration: how it stands, whose calendars take part and how far each is read, and how many events are logged and
/// how many are not, by reason.
#[utoipa::path(get, path = "/api/v1/calendars/{name}", operation_id = "show_calendars", tag = "calendars",
    security(("admin" = [])),
    params(("name" = String, Path, description = "The integration's name"), InWorkspace),
    responses(
        (status = 200, body = Integration),
        (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
        (status = "5XX", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(crate) async fn show(
    State(shared): State<Arc<Shared>>,
    _: Admin,
    Path(name): Path<String>,
    Asked(asked): Asked<InWorkspace>,
) -> Answer<Integration> {
    let workspace = workspace(&shared, asked.workspace.as_deref())?;
    let flow = flow(&shared, workspace, &name).await?;
    let rows = connections(&shared, workspace).await?;
    Ok(Json(shown(&shared, &flow, &rows).await?))
}

/// An integration as it stands now.
async fn shown(shared: &Shared, flow: &CalendarFlow, rows: &[ConnectionRow]) -> Result<Integration, Problem> {
    let state = shared.engine.calendars_status(flow).await.map_err(|error| Problem::store(shared, &error))?;
    Ok(Integration::new(shared, flow, &state, rows))
}

#[cfg(test)]
mod tests;
