//! `/api/v1/records`: integrations that keep records in step. Here they are listed and shown; what a person may do with
//! one stands in `acts.rs`, what is held back in `holds.rs`, how one is written in `setups.rs`.

pub(super) mod acts;
pub(super) mod holds;
pub(super) mod model;
pub(super) mod setups;

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Path, State},
    routing::{get, post},
};
use syncline_core::{
    ids::{IntegrationId, WorkspaceId},
    merge::Side,
};
use syncline_engine::records::RecordFlow;
use syncline_store::{ConnectionRow, SetupKind};

use self::model::{Integration, IntegrationList, IntegrationSide};
use super::{
    Answer, Asked,
    access::Admin,
    integration::{connections, unusable},
    model::Health,
    status::InWorkspace,
    workspace,
};
use crate::{
    problem::{Code, Problem, ProblemBody},
    shared::Shared,
};

pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/api/v1/records", get(list))
        .route("/api/v1/records/{name}", get(show).put(setups::write).delete(setups::remove))
        .route("/api/v1/records/{name}/setup", get(setups::read))
        .route("/api/v1/records/{name}/check", post(acts::check))
        .route("/api/v1/records/{name}/preview", post(acts::preview))
        .route("/api/v1/records/{name}/activate", post(acts::activate))
        .route("/api/v1/records/{name}/pause", post(acts::pause))
        .route("/api/v1/records/{name}/run", post(acts::run))
        .route("/api/v1/records/{name}/holds", get(holds::list))
        .route("/api/v1/records/{name}/retry", post(holds::retry))
        .route("/api/v1/records/{name}/resolve", post(holds::resolve))
}

/// The integration that an address names.
async fn flow(shared: &Shared, workspace: &WorkspaceId, name: &str) -> Result<Arc<RecordFlow>, Problem> {
    let flow = shared.engine.record_flow(workspace, &IntegrationId::new(name)).await;
    flow.map_err(|error| Problem::store(shared, &error))?
        .ok_or_else(|| Problem::new(Code::NotFound).detail("no integration of this name keeps records in step"))
}

/// Integrations that keep records in step, with their standing, counts, quota and times.
#[utoipa::path(get, path = "/api/v1/records", operation_id = "list_records", tag = "records", params(InWorkspace),
    security(("admin" = [])), responses(
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
    let flows = shared.engine.record_flows(workspace).await.map_err(|error| Problem::store(&shared, &error))?;
    for flow in flows {
        integrations.push(shown(&shared, &flow, &rows).await?);
    }
    let unusable = unusable(&shared, workspace, SetupKind::Records);
    Ok(Json(IntegrationList { integrations, unusable }))
}

/// One integration: how it stands, when it ran and runs next, what it holds back, and what its accounts allow.
#[utoipa::path(get, path = "/api/v1/records/{name}", operation_id = "show_records", tag = "records",
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
async fn shown(shared: &Shared, flow: &RecordFlow, rows: &[ConnectionRow]) -> Result<Integration, Problem> {
    let status = shared.engine.records_status(flow).await.map_err(|error| Problem::store(shared, &error))?;
    let side = |side: Side| {
        let setup = flow.side(side);
        let row = rows.iter().find(|row| row.connection == setup.connection);
        let connection = shared.engine.setup().connection(&flow.workspace, &setup.connection);
        IntegrationSide {
            connection: setup.connection.as_str().to_owned(),
            vendor: connection.map(|connection| connection.connector.manifest().vendor.to_owned()),
            health: Health::of(row, shared.now()),
            reason: row.and_then(|row| row.reason.clone()),
            every_seconds: setup.every.as_secs(),
            api_used: row.and_then(|row| row.api_used),
            api_max: row.and_then(|row| row.api_max),
            budget_share: connection.map_or(1.0, |connection| connection.budget_share),
        }
    };
    Ok(Integration::new(flow, &status, [side(Side::Left), side(Side::Right)]))
}

#[cfg(test)]
mod tests;
