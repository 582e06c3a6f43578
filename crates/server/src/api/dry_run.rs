//! `POST /api/v1/dry-run`: what a message would do, before anything is written.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Request, State},
};
use serde::Serialize;
use serde_json::Map;
use syncline_engine::DryRunError;
use utoipa::ToSchema;

use super::{Answer, Asked, access::Admin, bookings::ForSource, workspace};
use crate::{
    hooks,
    problem::{Code, Problem, ProblemBody},
    shared::Shared,
};

/// What a message would do: one entry for each booking that it speaks of.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DryRuns {
    bookings: Vec<DryRun>,
    /// Why nothing would be done, where the message is about no booking.
    ignored: Option<String>,
}

/// What would happen to one booking.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DryRun {
    /// The booking's name, where there is one already.
    booking: Option<String>,
    records: Vec<DryRecord>,
    notes: Vec<DryNote>,
    /// Calls to the CRM that the look-ups took.
    calls: f64,
}

/// What would happen to one record.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DryRecord {
    /// Its place in the booking: `person`, `meeting`, `guest_2`, …
    slot: String,
    /// `contact`, `meeting`, … or the object of a further record.
    role: String,
    /// `create`, `update` or `delete`.
    action: String,
    id: Option<String>,
    /// By field: `then` is what would be written, `now` what stands there, where that was looked up.
    #[schema(value_type = Object)]
    fields: Map<String, serde_json::Value>,
}

/// Why it is so.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DryNote {
    /// Stable; branch on this.
    code: String,
    text: String,
}

impl From<syncline_engine::DryRun> for DryRun {
    fn from(run: syncline_engine::DryRun) -> Self {
        let records = run.records.into_iter().map(|record| DryRecord {
            slot: record.slot,
            role: record.role,
            action: record.action,
            id: record.id,
            fields: record.fields,
        });
        Self {
            booking: run.booking,
            records: records.collect(),
            notes: run.notes.into_iter().map(|(code, text)| DryNote { code, text }).collect(),
            calls: run.calls,
        }
    }
}

/// Shows what a booking message would do, record by record and field by field. It looks up in the CRM and writes nothing;
/// the message is not kept.
#[utoipa::path(post, path = "/api/v1/dry-run", tag = "bookings", params(ForSource), security(("admin" = [])),
    request_body(content = Object, description = "The same body as the source's webhook", content_type = "application/json"),
    responses(
        (status = 200, body = DryRuns),
        (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
        (status = "5XX", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(crate) async fn try_out(
    State(shared): State<Arc<Shared>>,
    _: Admin,
    Asked(asked): Asked<ForSource>,
    request: Request,
) -> Answer<DryRuns> {
    let workspace = workspace(&shared, asked.workspace.as_deref())?;
    let source = shared
        .source(workspace, &asked.source)
        .ok_or_else(|| Problem::new(Code::NotFound).detail("there is no such source"))?;
    let (reading, raw) = hooks::read_only(&shared, source, request).await?;
    if reading.messages.is_empty() {
        let ignored = reading.ignored.or_else(|| Some("the message names no booking".to_owned()));
        return Ok(Json(DryRuns { bookings: Vec::new(), ignored }));
    }
    let (integration, id) = (&source.integration, &source.id);
    let runs = shared.engine.dry_run(workspace, integration, id, &reading.messages, &raw.body, None).await;
    let runs = runs.map_err(|error| match error {
        DryRunError::Store(error) => Problem::store(&shared, &error),
        other => Problem::new(Code::DryRunFailed).detail(other.to_string()),
    })?;
    Ok(Json(DryRuns { bookings: runs.into_iter().map(DryRun::from).collect(), ignored: None }))
}
