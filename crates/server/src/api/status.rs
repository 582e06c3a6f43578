//! `GET /api/v1/status`.

use std::sync::Arc;

use axum::{Json, extract::State};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{Answer, Asked, access::Admin, model::Status, workspace};
use crate::{
    problem::{Problem, ProblemBody},
    shared::Shared,
};

/// Which workspace is meant.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct InWorkspace {
    /// The workspace; the first one where absent.
    pub(crate) workspace: Option<String>,
}

/// How much waits, is worked on, parked and done.
#[utoipa::path(get, path = "/api/v1/status", tag = "status", params(InWorkspace), security(("admin" = [])), responses(
    (status = 200, body = Status),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    (status = "5XX", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(crate) async fn read(
    State(shared): State<Arc<Shared>>,
    _: Admin,
    Asked(asked): Asked<InWorkspace>,
) -> Answer<Status> {
    let workspace = workspace(&shared, asked.workspace.as_deref())?;
    let counts = shared.store().counts(workspace).await.map_err(|error| Problem::store(&shared, &error))?;
    Ok(Json(Status::new(workspace.as_str(), &counts)))
}
