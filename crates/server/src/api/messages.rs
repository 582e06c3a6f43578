//! `/api/v1/messages`: those that could not be read, and reading one of them again.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
};
use serde::Deserialize;
use syncline_core::ids::WorkspaceId;
use syncline_engine::intake::{self, Reread};
use utoipa::IntoParams;

use super::{
    Answer, Asked,
    access::{Acting, Admin},
    model::{Message, MessagePage, ReadAgain},
    next_before, page_size,
    status::InWorkspace,
    workspace,
};
use crate::{
    problem::{Code, Problem, ProblemBody},
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

/// Messages that were verified and could not be understood. They stay listed; what they are read again from, their body, is
/// kept for as long as those of other messages.
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

/// Reads a message again that could not be understood, after an upgrade or a change of the settings. It becomes news for its
/// booking, or the answer says again why not.
#[utoipa::path(post, path = "/api/v1/messages/{id}/replay", tag = "messages", operation_id = "read_again",
    security(("admin" = [])), params(("id" = i64, Path, description = "The message's number, as the list gives it"), InWorkspace),
    responses(
        (status = 200, body = ReadAgain),
        (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
        (status = "5XX", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(crate) async fn replay(
    State(shared): State<Arc<Shared>>,
    acting: Acting,
    Path(id): Path<i64>,
    Asked(asked): Asked<InWorkspace>,
) -> Answer<ReadAgain> {
    let workspace = workspace(&shared, asked.workspace.as_deref())?;
    let again = read_again(&shared, workspace, id).await?.ok_or_else(|| Problem::new(Code::NotFound))?;
    acting.done(&shared, workspace).await?;
    Ok(Json(again.into()))
}

/// Reads one again, for the page as well.
pub(crate) async fn read_again(shared: &Shared, workspace: &WorkspaceId, id: i64) -> Result<Option<Reread>, Problem> {
    let sender = |source: &_| shared.sender(workspace, source);
    let again = intake::read_again(shared.store(), workspace, id, sender, shared.now()).await;
    let again = again.map_err(|error| Problem::store(shared, &error))?;
    if again == Some(Reread::Read) {
        shared.engine.wake();
    }
    Ok(again)
}
