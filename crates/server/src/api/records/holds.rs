//! What is held back of an integration's records: the list with reasons, trying again, deciding.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use serde::Deserialize;
use syncline_core::merge::Side;
use utoipa::IntoParams;

use super::{
    flow,
    model::{Hold, HoldPage, Resolve, Retried, Retry, Winner},
};
use crate::{
    api::{
        Answer, Asked, Given,
        access::{Acting, Admin},
        page_size,
        status::InWorkspace,
        workspace,
    },
    problem::{Code, Problem, ProblemBody},
    shared::Shared,
};

/// Records that one call has tried again by their numbers.
const RETRIES_MAX: usize = 1_000;

/// Which page is asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// The workspace; the first one where absent.
    workspace: Option<String>,
    /// Only records behind this number.
    after: Option<i64>,
    /// Records of a page, 1 to 200.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<usize>,
}

/// What is held back, with the reason and what to do. All that is held back of one record comes together.
#[utoipa::path(get, path = "/api/v1/records/{name}/holds", operation_id = "list_holds", tag = "records",
    security(("admin" = [])),
    params(("name" = String, Path, description = "The integration's name"), Wanted),
    responses(
        (status = 200, body = HoldPage),
        (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
        (status = "5XX", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(crate) async fn list(
    State(shared): State<Arc<Shared>>,
    _: Admin,
    Path(name): Path<String>,
    Asked(wanted): Asked<Wanted>,
) -> Answer<HoldPage> {
    let flow = flow(&shared, workspace(&shared, wanted.workspace.as_deref())?, &name).await?;
    let limit = page_size(wanted.limit)?;
    let page = shared.store().holds(&flow.workspace, &flow.id, wanted.after, limit).await;
    let page = page.map_err(|error| Problem::store(&shared, &error))?;
    let mut entries: Vec<i64> = page.iter().map(|view| view.entry).collect();
    entries.dedup();
    let next_after = entries.last().copied().filter(|_| entries.len() >= limit);
    let names = flow.rule_names();
    let hold = |view: syncline_store::HoldView| {
        let field = view.hold.rule.and_then(|rule| names.get(&rule));
        Hold::new(view, field)
    };
    Ok(Json(HoldPage { holds: page.into_iter().map(hold).collect(), next_after }))
}

/// Tries what was held back again: these records, or all. The same value is not sent again without this.
#[utoipa::path(post, path = "/api/v1/records/{name}/retry", operation_id = "retry_holds", tag = "records",
    security(("admin" = [])), request_body = Retry,
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
    Given(given): Given<Retry>,
) -> Answer<Retried> {
    let flow = flow(&shared, workspace(&shared, asked.workspace.as_deref())?, &name).await?;
    if given.entries.as_ref().is_some_and(|entries| entries.len() > RETRIES_MAX) {
        let detail = format!("`entries` has at most {RETRIES_MAX} numbers; leave it out for all");
        return Err(Problem::new(Code::UnreadableRequest).detail(detail));
    }
    let released = shared.store().release_holds(&flow.workspace, &flow.id, given.entries.as_deref(), shared.now());
    let records = released.await.map_err(|error| Problem::store(&shared, &error))?;
    acting.done(&shared, &flow.workspace).await?;
    Ok(Json(Retried { records }))
}

/// Decides a conflict that waits for a person. It is carried out in the next round.
#[utoipa::path(post, path = "/api/v1/records/{name}/resolve", operation_id = "resolve_hold", tag = "records",
    security(("admin" = [])), request_body = Resolve,
    params(("name" = String, Path, description = "The integration's name"), InWorkspace),
    responses(
        (status = 204, description = "It is decided"),
        (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
        (status = "5XX", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(crate) async fn resolve(
    State(shared): State<Arc<Shared>>,
    acting: Acting,
    Path(name): Path<String>,
    Asked(asked): Asked<InWorkspace>,
    Given(given): Given<Resolve>,
) -> Result<StatusCode, Problem> {
    let flow = flow(&shared, workspace(&shared, asked.workspace.as_deref())?, &name).await?;
    let winner = match given.winner {
        Winner::Left => Side::Left,
        Winner::Right => Side::Right,
    };
    let decided = shared.engine.resolve_hold(&flow, given.entry, &given.field, winner).await;
    if !decided.map_err(|error| Problem::store(&shared, &error))? {
        return Err(Problem::new(Code::NotFound).detail("nothing of that field is held back of that record"));
    }
    acting.done(&shared, &flow.workspace).await?;
    Ok(StatusCode::NO_CONTENT)
}
