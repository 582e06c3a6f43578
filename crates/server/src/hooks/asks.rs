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
use syncline_store::{AskTaken, Subject};

use super::{Taken, body};
use crate::{
    api::record_asks::{ID_MAX, ask},
    problem::{Code, Problem, RETRY_AFTER},
    shared::Shared,
};

/// An address at which a pair's records can be asked for.
#[derive(Debug, Clone)]
pub struct AskAddress {
    pub workspace: WorkspaceId,
    pub integration: IntegrationId,
    pub pair: String,
    /// Part of the address: at least 128 random bits.
    pub path_key: String,
}

/// `POST /hooks/records/{integration}/{pair}/{path_key}`.
pub(crate) async fn receive(
    State(shared): State<Arc<Shared>>,
    address: Result<Path<(String, String, String)>, PathRejection>,
    request: Request,
) -> Response {
    // An address that cannot even be read is as unknown as any other.
    let known = address.ok().and_then(|Path((integration, pair, key))| find(&shared, &integration, &pair, &key));
    let Some(known) = known else { return Problem::new(Code::NotFound).into_response() };
    let answer = take(&shared, known, request).await;
    let outcome = match &answer {
        Ok(taken) => taken.as_str(),
        Err(problem) => problem.code.as_str(),
    };
    metrics::counter!("syncline_record_asks_total", "outcome" => outcome).increment(1);
    answer.into_response()
}

/// The address, where name and key are right; whatever is wrong takes the same work.
fn find<'s>(shared: &'s Shared, integration: &str, pair: &str, key: &str) -> Option<&'s AskAddress> {
    let given: [u8; 32] = Sha256::digest(key.as_bytes()).into();
    shared.options.asks.iter().find(|known| {
        let own: [u8; 32] = Sha256::digest(known.path_key.as_bytes()).into();
        let same_key: bool = own.ct_eq(&given).into();
        same_key && known.integration.as_str() == integration && known.pair == pair && !known.path_key.is_empty()
    })
}

async fn take(shared: &Shared, known: &AskAddress, request: Request) -> Result<Taken, Problem> {
    let setup = shared.engine.setup();
    let flow = shared.engine.record_flow(&known.workspace, &known.integration).await;
    let flow = flow.map_err(|error| Problem::store(shared, &error).later(503, RETRY_AFTER))?;
    let flow = flow.ok_or_else(|| Problem::new(Code::NotFound))?;
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
    match ask(shared, &known.workspace, known.integration.as_str(), Some(&known.pair), subject).await {
        Ok(AskTaken::Waiting) => Ok(Taken::Stored),
        Ok(AskTaken::AskedBefore) => Ok(Taken::Duplicate),
        Ok(AskTaken::Full) => Err(Problem::new(Code::Overloaded).later(later, RETRY_AFTER)),
        Err(problem) if problem.status.is_server_error() => Err(problem.later(later, RETRY_AFTER)),
        Err(problem) => Err(problem),
    }
}
