//! `GET /api/v1/activity`.

use std::sync::Arc;

use axum::{Json, extract::State};
use serde::Deserialize;
use syncline_core::ids::{ChainId, IntegrationId};
use syncline_store::ActivityFilter;
use utoipa::IntoParams;

use super::{
    Answer, Asked,
    access::Admin,
    kind,
    model::{Activity, ActivityPage},
    next_before, page_size, workspace,
};
use crate::{
    problem::{Problem, ProblemBody},
    shared::Shared,
};

/// Which lines are asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// The workspace; the first one where absent.
    workspace: Option<String>,
    /// Only lines about this booking.
    booking: Option<String>,
    integration: Option<String>,
    /// Only lines of this kind.
    kind: Option<String>,
    /// Only lines older than this one.
    before: Option<i64>,
    /// Lines of a page, 1 to 200.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<usize>,
}

/// The activity log: what was written where, and why.
#[utoipa::path(get, path = "/api/v1/activity", tag = "activity", params(Wanted), security(("admin" = [])), responses(
    (status = 200, body = ActivityPage),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    (status = "5XX", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(crate) async fn list(State(shared): State<Arc<Shared>>, _: Admin, Asked(wanted): Asked<Wanted>) -> Answer<ActivityPage> {
    let workspace = workspace(&shared, wanted.workspace.as_deref())?;
    let limit = page_size(wanted.limit)?;
    let filter = ActivityFilter {
        chain: wanted.booking.map(ChainId::new),
        integration: wanted.integration.map(IntegrationId::new),
        kind: kind(wanted.kind.as_deref())?,
        before: wanted.before,
        limit,
    };
    let rows = shared.store().activity(workspace, filter).await.map_err(|error| Problem::store(&shared, &error))?;
    let next_before = next_before(&rows, limit, |row| row.id);
    Ok(Json(ActivityPage { activity: rows.into_iter().map(Activity::from).collect(), next_before }))
}
