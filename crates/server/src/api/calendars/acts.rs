//! What a person may do with an integration of calendars: check it, preview it, start, pause and run it, and have tried
//! again what was refused. What calls vendors goes on when the caller hangs up, as with records.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use syncline_engine::calendars::{CalendarFlow, CalendarPreview, CalendarRoundEnd};

use super::{
    flow,
    model::{Checked, Previewed, Ran, Retried, Rounded},
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

/// Why an integration was not run, for the caller.
fn ended(end: &CalendarRoundEnd) -> Problem {
    match end {
        CalendarRoundEnd::NotActive(standing) => not_active(*standing),
        CalendarRoundEnd::Resting { connection } => resting(connection),
        CalendarRoundEnd::Held | CalendarRoundEnd::Done(_) => busy(),
    }
}

/// Asks every account for its calendars, and the CRM, and says what cannot work, and why. Writes nothing.
#[utoipa::path(post, path = "/api/v1/calendars/{name}/check", operation_id = "check_calendars", tag = "calendars",
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
    let remarks = seen_through(&shared, async move { Ok(engine.calendars_check(&flow).await) }).await?;
    Ok(Json(remarks.into()))
}

/// Reads the calendars and shows which upcoming events would be logged, and which not and why: counts and a few of each.
/// Writes nothing, here or elsewhere. It takes as long as reading the calendars does.
#[utoipa::path(post, path = "/api/v1/calendars/{name}/preview", operation_id = "preview_calendars", tag = "calendars",
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
    Ok(Json(Previewed::from(&previewed(&shared, flow).await?)))
}

/// What activating would do.
pub(crate) async fn previewed(shared: &Shared, flow: Arc<CalendarFlow>) -> Result<CalendarPreview, Problem> {
    let engine = Arc::clone(&shared.engine);
    let preview = seen_through(shared, async move { Ok(engine.calendars_preview(&flow).await) }).await?;
    preview.map_err(|(name, error)| {
        Problem::new(Code::AccountUnavailable).detail(format!("{name} could not be asked: {}", error.message))
    })
}

/// Starts to log meetings. Somebody has to agree, once, that people's data travels between the accounts.
#[utoipa::path(post, path = "/api/v1/calendars/{name}/activate", operation_id = "activate_calendars", tag = "calendars",
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
#[utoipa::path(post, path = "/api/v1/calendars/{name}/pause", operation_id = "pause_calendars", tag = "calendars",
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
#[utoipa::path(post, path = "/api/v1/calendars/{name}/run", operation_id = "run_calendars", tag = "calendars",
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
    let ran = ran(&shared, flow, given.confirm_deletes).await?;
    Ok((if ran.done { StatusCode::OK } else { StatusCode::ACCEPTED }, Json(ran)))
}

/// A round at once.
pub(crate) async fn ran(shared: &Shared, flow: Arc<CalendarFlow>, confirm_deletes: bool) -> Result<Ran, Problem> {
    let engine = Arc::clone(&shared.engine);
    let work = async move { engine.run_calendars_now(&flow, confirm_deletes).await };
    let Ok(end) = tokio::time::timeout(RUN_WAITS, seen_through(shared, work)).await else {
        return Ok(Ran { done: false, round: None });
    };
    match end? {
        CalendarRoundEnd::Done(round) => Ok(Ran { done: true, round: Some(Rounded::from(round)) }),
        end => Err(ended(&end)),
    }
}

/// Tries everything again that the CRM refused.
#[utoipa::path(post, path = "/api/v1/calendars/{name}/retry", operation_id = "retry_events", tag = "calendars",
    security(("admin" = [])),
    params(("name" = String, Path, description = "The integration's name"), InWorkspace),
    responses(
        (status = 200, body = Retried),
        (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
        (status = "5XX", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(crate) async fn retry(
    State(shared): State<Arc<Shared>>,
    acting: Acting,
    Path(name): Path<String>,
    Asked(asked): Asked<InWorkspace>,
) -> Answer<Retried> {
    let flow = flow(&shared, workspace(&shared, asked.workspace.as_deref())?, &name).await?;
    let meetings = shared.engine.retry_meetings(&flow).await.map_err(|error| Problem::store(&shared, &error))?;
    acting.done(&shared, &flow.workspace).await?;
    Ok(Json(Retried { meetings }))
}
