//! `/api/v1/bookings`: hand one in, list them, read one's history, replay one.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, Request, State},
    http::StatusCode,
};
use serde::Deserialize;
use syncline_core::ids::ChainId;
use syncline_store::BookingFilter;
use utoipa::IntoParams;

use super::{
    Answer, Asked,
    access::{Acting, Admin},
    model::{Booking, BookingHistory, BookingPage, Receipt},
    next_before, page_size, search,
    status::InWorkspace,
    workspace,
};
use crate::{
    hooks,
    problem::{Code, Problem, ProblemBody},
    shared::Shared,
};

/// Which source a message is handed in for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ForSource {
    /// The configured booking source.
    pub(super) source: String,
    /// The workspace; the first one where absent.
    pub(super) workspace: Option<String>,
}

/// Takes in a booking message, in the form of the source's webhook. Safe to repeat.
#[utoipa::path(post, path = "/api/v1/bookings", tag = "bookings", params(ForSource), security(("admin" = [])),
    request_body(content = Object, description = "The same body as the source's webhook", content_type = "application/json"),
    responses(
        (status = 200, body = Receipt),
        (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
        (status = "5XX", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(crate) async fn take_in(
    State(shared): State<Arc<Shared>>,
    _: Admin,
    Asked(asked): Asked<ForSource>,
    request: Request,
) -> Answer<Receipt> {
    let workspace = workspace(&shared, asked.workspace.as_deref())?;
    let source = shared
        .source(workspace, &asked.source)
        .ok_or_else(|| Problem::new(Code::NotFound).detail("there is no such source"))?;
    let taken = hooks::take_unsigned(&shared, source, request).await?;
    Ok(Json(Receipt { status: taken.as_str().to_owned() }))
}

/// Which bookings are asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// The workspace; the first one where absent.
    workspace: Option<String>,
    /// Only bookings that are laid aside for a person.
    #[serde(default)]
    parked: bool,
    /// A part of the title or of the person's name.
    #[param(max_length = 200)]
    text: Option<String>,
    /// Only bookings older than this one.
    before: Option<i64>,
    /// Bookings of a page, 1 to 200.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<usize>,
}

/// Bookings, the newest first.
#[utoipa::path(get, path = "/api/v1/bookings", tag = "bookings", params(Wanted), security(("admin" = [])), responses(
    (status = 200, body = BookingPage),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    (status = "5XX", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(crate) async fn list(
    State(shared): State<Arc<Shared>>,
    _: Admin,
    Asked(wanted): Asked<Wanted>,
) -> Answer<BookingPage> {
    let workspace = workspace(&shared, wanted.workspace.as_deref())?;
    let limit = page_size(wanted.limit)?;
    let filter = BookingFilter { parked_only: wanted.parked, text: search(wanted.text)?, before: wanted.before, limit };
    let rows = shared.store().bookings(workspace, filter).await.map_err(|error| Problem::store(&shared, &error))?;
    let next_before = next_before(&rows, limit, |row| row.id);
    Ok(Json(BookingPage { bookings: rows.into_iter().map(Booking::from).collect(), next_before }))
}

/// A booking with its records, its messages and every line of its history.
#[utoipa::path(get, path = "/api/v1/bookings/{chain}", tag = "bookings", security(("admin" = [])),
    params(("chain" = String, Path, description = "The booking's name, as lists give it"), InWorkspace),
    responses(
        (status = 200, body = BookingHistory),
        (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
        (status = "5XX", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(crate) async fn read(
    State(shared): State<Arc<Shared>>,
    _: Admin,
    Path(chain): Path<String>,
    Asked(asked): Asked<InWorkspace>,
) -> Answer<BookingHistory> {
    let workspace = workspace(&shared, asked.workspace.as_deref())?;
    let detail = shared
        .store()
        .booking(workspace, &ChainId::new(chain))
        .await
        .map_err(|error| Problem::store(&shared, &error))?;
    detail.map(|detail| Json(detail.into())).ok_or_else(|| Problem::new(Code::NotFound))
}

/// Tries a booking again now, whatever state it is in.
#[utoipa::path(post, path = "/api/v1/bookings/{chain}/replay", tag = "bookings", security(("admin" = [])),
    params(("chain" = String, Path, description = "The booking's name, as lists give it"), InWorkspace),
    responses(
        (status = 204, description = "The booking is due now"),
        (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
        (status = "5XX", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(crate) async fn replay(
    State(shared): State<Arc<Shared>>,
    acting: Acting,
    Path(chain): Path<String>,
    Asked(asked): Asked<InWorkspace>,
) -> Result<StatusCode, Problem> {
    let workspace = workspace(&shared, asked.workspace.as_deref())?;
    let found = shared.store().replay(workspace, &ChainId::new(chain), shared.now()).await;
    if !found.map_err(|error| Problem::store(&shared, &error))? {
        return Err(Problem::new(Code::NotFound));
    }
    shared.engine.wake();
    acting.done(&shared, workspace).await?;
    Ok(StatusCode::NO_CONTENT)
}
