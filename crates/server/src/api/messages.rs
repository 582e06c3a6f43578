//! `GET /api/v1/messages`.

use std::sync::Arc;

use axum::{Json, extract::State};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{
    Answer, Asked,
    access::Admin,
    model::{Message, MessagePage},
    next_before, page_size, workspace,
};
use crate::{
    problem::{Problem, ProblemBody},
    shared::Shared,
};

/// Which messages are asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// The workspace; the first one where absent.
    workspace: Option<String>,
    /// Only messages older than this one.
    before: Option<i64>,
    /// Messages of a page, 1 to 200.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<usize>,
}

/// Messages that were verified and could not be understood. They are kept until they are read by a person.
#[utoipa::path(get, path = "/api/v1/messages", tag = "messages", params(Wanted), security(("admin" = [])), responses(
    (status = 200, body = MessagePage),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    (status = "5XX", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(crate) async fn list(
    State(shared): State<Arc<Shared>>,
    _: Admin,
    Asked(wanted): Asked<Wanted>,
) -> Answer<MessagePage> {
    let workspace = workspace(&shared, wanted.workspace.as_deref())?;
    let limit = page_size(wanted.limit)?;
    let rows = shared.store().parked_messages(workspace, wanted.before, limit).await;
    let rows = rows.map_err(|error| Problem::store(&shared, &error))?;
    let next_before = next_before(&rows, limit, |row| row.id);
    Ok(Json(MessagePage { messages: rows.into_iter().map(Message::from).collect(), next_before }))
}
