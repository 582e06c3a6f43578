//! What a person may do with an integration: check it, preview it, start, pause and run it.
//!
//! What calls vendors goes on when the caller hangs up: a half-told round would keep the integration's lease until it
//! runs out.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use jiff::SignedDuration;
use syncline_engine::records::RoundEnd;

use super::{
    flow,
    model::{Checked, Previewed, Ran, Rounded},
};
use crate::{
    api::{
        Answer, Asked, Given,
        access::{Acting, Admin},
        integration::{self, Activate, RUN_WAITS, RunNow, busy, not_active, resting, seen_through},
        status::InWorkspace,
        workspace,
    },
    problem::{Code, Problem, ProblemBody},
    shared::Shared,
};

/// How long a preview reads on before it answers with what it has; proxies often give up after a minute.
const PREVIEW_READS: SignedDuration = SignedDuration::from_secs(15);

/// Why an integration could not be asked or run, for the caller.
fn ended(end: &RoundEnd) -> Problem {
    match end {
        RoundEnd::NotActive(standing) => not_active(*standing),
        RoundEnd::Resting { connection } => resting(connection),
        RoundEnd::Failed { side, error } => {
            Problem::new(Code::AccountUnavailable).detail(format!("the {side} side: {}", error.message))
        }
        RoundEnd::Held | RoundEnd::Done(_) => busy(),
    }
}

/// Asks both accounts for their fields and says which rows of the mapping cannot work, and why. Writes nothing.
#[utoipa::path(post, path = "/api/v1/records/{name}/check", operation_id = "check_records", tag = "records",
    security(("admin" = [])),
    params(("name" = String, Path, description = "The integration's name"), InWorkspace),
    responses(
        (status = 200, body = Checked),
        (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
        (status = "5XX", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(crate) async fn check(
    State(shared): State<Arc<Shared>>,
    _: Admin,
    Path(name): Path<String>,
    Asked(asked): Asked<InWorkspace>,
) -> Answer<Checked> {
    let flow = flow(&shared, workspace(&shared, asked.workspace.as_deref())?, &name).await?;
    let engine = Arc::clone(&shared.engine);
    let checked = seen_through(&shared, async move { engine.records_check(&flow).await }).await?;
    let checked = checked.map_err(|end| ended(&end))?;
    Ok(Json(Checked { works: checked.refused.is_empty(), refused: checked.refused, warnings: checked.warnings }))
}

/// Reads both sides and shows what activating would do: counts and a few of each. Writes to neither side. Where there is
/// much to read it answers with what it has, and the next preview reads on.
#[utoipa::path(post, path = "/api/v1/records/{name}/preview", operation_id = "preview_records", tag = "records",
    security(("admin" = [])),
    params(("name" = String, Path, description = "The integration's name"), InWorkspace),
    responses(
        (status = 200, body = Previewed),
        (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
        (status = "5XX", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(crate) async fn preview(
    State(shared): State<Arc<Shared>>,
    _: Admin,
    Path(name): Path<String>,
    Asked(asked): Asked<InWorkspace>,
) -> Answer<Previewed> {
    let flow = flow(&shared, workspace(&shared, asked.workspace.as_deref())?, &name).await?;
    let engine = Arc::clone(&shared.engine);
    let work = async move { engine.records_preview_within(&flow, PREVIEW_READS).await };
    let previewed = seen_through(&shared, work).await?.map_err(|end| ended(&end))?;
    Ok(Json(previewed.into()))
}

/// Starts to keep the records in step. Somebody has to agree, once, that people's data travels between the two accounts.
#[utoipa::path(post, path = "/api/v1/records/{name}/activate", operation_id = "activate_records", tag = "records",
    security(("admin" = [])), request_body = Activate,
    params(("name" = String, Path, description = "The integration's name"), InWorkspace),
    responses(
        (status = 204, description = "It is active"),
        (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
        (status = "5XX", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(crate) async fn activate(
    State(shared): State<Arc<Shared>>,
    acting: Acting,
    Path(name): Path<String>,
    Asked(asked): Asked<InWorkspace>,
    Given(given): Given<Activate>,
) -> Result<StatusCode, Problem> {
    let flow = flow(&shared, workspace(&shared, asked.workspace.as_deref())?, &name).await?;
    integration::activate(&shared, acting, &flow, &given).await
}

/// Stops writing until it is activated again. Nothing is lost meanwhile.
#[utoipa::path(post, path = "/api/v1/records/{name}/pause", operation_id = "pause_records", tag = "records",
    security(("admin" = [])),
    params(("name" = String, Path, description = "The integration's name"), InWorkspace),
    responses(
        (status = 204, description = "It is paused"),
        (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
        (status = "5XX", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(crate) async fn pause(
    State(shared): State<Arc<Shared>>,
    acting: Acting,
    Path(name): Path<String>,
    Asked(asked): Asked<InWorkspace>,
) -> Result<StatusCode, Problem> {
    let flow = flow(&shared, workspace(&shared, asked.workspace.as_deref())?, &name).await?;
    integration::pause(&shared, acting, &flow).await
}

/// Runs a round at once, without waiting for the next look. A round that takes long goes on by itself.
#[utoipa::path(post, path = "/api/v1/records/{name}/run", operation_id = "run_records", tag = "records",
    security(("admin" = [])), request_body = RunNow,
    params(("name" = String, Path, description = "The integration's name"), InWorkspace),
    responses(
        (status = 200, body = Ran),
        (status = 202, body = Ran),
        (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
        (status = "5XX", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(crate) async fn run(
    State(shared): State<Arc<Shared>>,
    acting: Acting,
    Path(name): Path<String>,
    Asked(asked): Asked<InWorkspace>,
    Given(given): Given<RunNow>,
) -> Result<(StatusCode, Json<Ran>), Problem> {
    let flow = flow(&shared, workspace(&shared, asked.workspace.as_deref())?, &name).await?;
    // Whoever asks for it has it run, however it ends.
    acting.done(&shared, &flow.workspace).await?;
    let engine = Arc::clone(&shared.engine);
    let work = async move { engine.run_now(&flow, given.confirm_deletes).await };
    let Ok(end) = tokio::time::timeout(RUN_WAITS, seen_through(&shared, work)).await else {
        return Ok((StatusCode::ACCEPTED, Json(Ran { done: false, round: None })));
    };
    match end? {
        RoundEnd::Done(round) => {
            let done = Ran { done: true, round: Some(Rounded::from(round)) };
            Ok((StatusCode::OK, Json(done)))
        }
        end => Err(ended(&end)),
    }
}
