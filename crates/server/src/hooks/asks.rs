//! Webhooks by which a tool's automation asks for a record on the other side. Their address is secret, because the tools
//! sign nothing; what is asked for is on disk before the answer.

use std::sync::Arc;

use axum::{
    extract::{Path, Request, State, rejection::PathRejection},
    response::{IntoResponse, Response},
};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use syncline_connect::{RawRequest, mirror::Named};
use syncline_core::{
    ids::{IntegrationId, WorkspaceId},
    merge::Side,
    person::normal_email,
};
use syncline_engine::records::RecordFlow;
use syncline_store::{AskTaken, Subject};

use super::{Taken, body};
use crate::{
    api::record_asks::{ID_MAX, ask},
    problem::{Code, Problem, RETRY_AFTER},
    shared::Shared,
};

/// The secret parts of the address at which a pair's records can be asked for, at least 128 random bits each: the present
/// one, and former ones that are still good. Whether there is such a pair is not asked here.
pub type AskKeys = dyn Fn(&WorkspaceId, &IntegrationId, &str) -> Vec<String> + Send + Sync;

/// A pair whose records are asked for.
struct Asked {
    flow: Arc<RecordFlow>,
    pair: String,
}

/// `POST /hooks/records/{integration}/{pair}/{path_key}`.
pub(crate) async fn receive(
    State(shared): State<Arc<Shared>>,
    address: Result<Path<(String, String, String)>, PathRejection>,
    request: Request,
) -> Response {
    // An address that cannot even be read is as unknown as any other.
    let Ok(Path((integration, pair, key))) = address else { return Problem::new(Code::NotFound).into_response() };
    let known = match find(&shared, IntegrationId::new(integration), pair, &key).await {
        Ok(Some(known)) => known,
        Ok(None) => return Problem::new(Code::NotFound).into_response(),
        Err(problem) => return problem.later(503, RETRY_AFTER).into_response(),
    };
    let answer = take(&shared, &known, request).await;
    let outcome = match &answer {
        Ok(taken) => taken.as_str(),
        Err(problem) => problem.code.as_str(),
    };
    metrics::counter!("syncline_record_asks_total", "outcome" => outcome).increment(1);
    answer.into_response()
}

/// The pair, where name and key are right. The database is asked only for whoever has the key.
async fn find(shared: &Shared, integration: IntegrationId, pair: String, key: &str) -> Result<Option<Asked>, Problem> {
    let given: [u8; 32] = Sha256::digest(key.as_bytes()).into();
    for workspace in &shared.workspaces {
        let is_own = |own: &String| {
            let own_digest: [u8; 32] = Sha256::digest(own.as_bytes()).into();
            let same: bool = own_digest.ct_eq(&given).into();
            same && !own.is_empty()
        };
        if !(shared.options.ask_keys)(workspace, &integration, &pair).iter().any(is_own) {
            continue;
        }
        let flow = shared.engine.record_flow(workspace, &integration).await;
        let flow = flow.map_err(|error| Problem::store(shared, &error))?;
        let makes = |flow: &Arc<RecordFlow>| flow.pairs.iter().any(|known| known.name == pair && known.on_request);
        return Ok(flow.filter(makes).map(|flow| Asked { flow, pair }));
    }
    Ok(None)
}

async fn take(shared: &Shared, Asked { flow, pair }: &Asked, request: Request) -> Result<Taken, Problem> {
    let setup = shared.engine.setup();
    let right = setup.connection(&flow.workspace, &flow.side(Side::Right).connection);
    let right = right.ok_or_else(|| Problem::new(Code::NotFound))?;
    let (head, body) = request.into_parts();
    let raw = RawRequest { headers: head.headers, body: body::read(shared, body).await? };
    let named = right.connector.mirror().and_then(|mirror| mirror.named(&raw));
    let subject = named.and_then(|named| match named {
        Named::Record(record) => (record.as_str().len() <= ID_MAX).then_some(Subject::Record(record)),
        Named::Email(email) => normal_email(&email).map(Subject::Address),
    });
    let Some(subject) = subject else {
        return Err(Problem::new(Code::BadParameter).detail("the message names nobody for whom a record could be made"));
    };
    let later = right.connector.manifest().overload_status;
    match ask(shared, &flow.workspace, flow.id.as_str(), Some(pair), subject).await {
        Ok(AskTaken::Waiting) => Ok(Taken::Stored),
        Ok(AskTaken::AskedBefore) => Ok(Taken::Duplicate),
        Ok(AskTaken::Full) => Err(Problem::new(Code::Overloaded).later(later, RETRY_AFTER)),
        Err(problem) if problem.status.is_server_error() => Err(problem.later(later, RETRY_AFTER)),
        Err(problem) => Err(problem),
    }
}
