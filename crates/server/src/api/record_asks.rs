//! `POST /api/v1/records/{integration}/create`: asks for a record on the left side for one of the right.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, Request, State},
};
use serde::{Deserialize, Serialize};
use syncline_core::{
    ids::{IntegrationId, RecordId, WorkspaceId},
    person::normal_email,
};
use syncline_engine::records::AskRefused;
use syncline_store::{AskTaken, Subject};
use utoipa::ToSchema;

use super::{Answer, Asked, access::Acting, status::InWorkspace, workspace};
use crate::{
    hooks,
    problem::{Code, Problem, ProblemBody, RETRY_AFTER},
    shared::Shared,
};

/// Characters of a record's id; far above what any vendor has.
pub(crate) const ID_MAX: usize = 128;

/// For whom a record is wanted: by id or by e-mail address, one of the two.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wish {
    /// The pair that makes it; not needed where only one makes records on request.
    pair: Option<String>,
    /// The right side's id of the record.
    record: Option<String>,
    /// Its e-mail address.
    email: Option<String>,
}

/// What became of the wish.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WishTaken {
    /// `waiting`, or `asked_before` where the same wish waits already.
    status: String,
}

/// Asks for a record on the left side (a contact or a lead of the CRM) for one of the right. It is made at the next look;
/// who has a counterpart already gets no second one. Safe to repeat.
#[utoipa::path(post, path = "/api/v1/records/{integration}/create", tag = "records", security(("admin" = [])),
    params(("integration" = String, Path, description = "The integration's name"), InWorkspace),
    request_body(content = Wish, content_type = "application/json"),
    responses(
        (status = 200, body = WishTaken),
        (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
        (status = "5XX", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(crate) async fn create(
    State(shared): State<Arc<Shared>>,
    acting: Acting,
    Path(integration): Path<String>,
    Asked(asked): Asked<InWorkspace>,
    request: Request,
) -> Answer<WishTaken> {
    let workspace = workspace(&shared, asked.workspace.as_deref())?;
    let body = hooks::body::read(&shared, request.into_body()).await?;
    let wrong = |detail: &str| Problem::new(Code::BadParameter).detail(detail);
    let wish: Wish = serde_json::from_slice(&body)
        .map_err(|_| wrong("the body is JSON with `record` or `email`, and `pair` where several make records"))?;
    let subject = match (wish.record.filter(|id| !id.trim().is_empty()), wish.email) {
        (Some(record), None) if record.len() <= ID_MAX => Subject::Record(RecordId::new(record.trim())),
        (Some(_), None) => return Err(wrong("`record` is no id")),
        (None, Some(email)) => {
            Subject::Address(normal_email(&email).ok_or_else(|| wrong("`email` is no e-mail address"))?)
        }
        _ => return Err(wrong("give `record` or `email`, one of the two")),
    };
    let status = match ask(&shared, workspace, &integration, wish.pair.as_deref(), subject).await? {
        AskTaken::Waiting => "waiting",
        AskTaken::AskedBefore => "asked_before",
        AskTaken::Full => return Err(Problem::new(Code::Overloaded).later(503, RETRY_AFTER)),
    };
    acting.done(&shared, workspace).await?;
    Ok(Json(WishTaken { status: status.to_owned() }))
}

/// Notes a wish, or says why not.
pub(crate) async fn ask(
    shared: &Shared,
    workspace: &WorkspaceId,
    integration: &str,
    pair: Option<&str>,
    subject: Subject,
) -> Result<AskTaken, Problem> {
    let id = IntegrationId::new(integration);
    let flow = shared.engine.record_flow(workspace, &id).await.map_err(|error| Problem::store(shared, &error))?;
    let flow = flow.ok_or_else(|| Problem::new(Code::NotFound).detail("there is no such integration"))?;
    let taken = shared.engine.ask_for_record(&flow, pair, subject).await;
    let wrong = |detail: String| Problem::new(Code::BadParameter).detail(detail);
    match taken.map_err(|error| Problem::store(shared, &error))? {
        Ok(taken) => Ok(taken),
        Err(AskRefused::NoSuchPair) => {
            Err(wrong("name the `pair`: none, or several, of the integration make records on request".to_owned()))
        }
        Err(AskRefused::NotAllowed { pair }) => {
            Err(wrong(format!("pair `{pair}` makes no records on request (`create_left_on_request`)")))
        }
    }
}
