//! Who may call the API: bearers of the admin token, and of tokens made for programs, within their scope and workspace.
//! Cookies do not count here, so no other site can borrow them. What callers do, beside reading, is written down.

use std::sync::Arc;

use axum::{
    extract::FromRequestParts,
    http::{Method, header, request::Parts},
};
use serde_json::json;
use sha2::{Digest, Sha256};
use syncline_core::ids::WorkspaceId;
use syncline_store::{ApiToken, JournalEntry, JournalKind, TokenScope};
use url::form_urlencoded;

use crate::{
    problem::{Code, Problem},
    shared::Shared,
};

/// How a program's token begins, so that people and secret scanners know one.
pub const TOKEN_PREFIX: &str = "syt_";

/// Characters of an address that the journal keeps.
const ADDRESS_MAX: usize = 200;

/// Proof that the caller may do this.
pub(crate) struct Admin {
    /// As the journal names the caller.
    name: String,
}

/// Proof that the caller may do this, for what changes something: it is written down once it is done.
pub(crate) struct Acting {
    caller: Admin,
    method: Method,
    address: String,
}

impl FromRequestParts<Arc<Shared>> for Admin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Problem> {
        let header = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token =
            header.and_then(|value| value.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        match token.map(|(_, token)| token.trim()) {
            Some(token) if shared.is_admin_token(token) => Ok(Self { name: "the admin token".to_owned() }),
            Some(token) if token.starts_with(TOKEN_PREFIX) => {
                let hash = Sha256::digest(token.as_bytes()).into();
                let found = shared.store().api_token(hash).await.map_err(|error| Problem::store(shared, &error))?;
                let found = found.filter(|found| shared.now() < found.expires_at).ok_or_else(refused)?;
                may(shared, &found, parts)?;
                Ok(Self { name: format!("the token of {} ({})", found.name, found.id) })
            }
            _ => Err(refused()),
        }
    }
}

impl FromRequestParts<Arc<Shared>> for Acting {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Problem> {
        let caller = Admin::from_request_parts(parts, shared).await?;
        let address = parts.uri.path().chars().take(ADDRESS_MAX).collect();
        Ok(Self { caller, method: parts.method.clone(), address })
    }
}

impl Acting {
    /// Writes down that it was done, and by whom.
    pub(crate) async fn done(self, shared: &Shared, workspace: &WorkspaceId) -> Result<(), Problem> {
        let Self { caller: Admin { name }, method, address } = self;
        let entry = JournalEntry {
            at: shared.now(),
            kind: JournalKind::Operator,
            text: format!("Asked for by {name}: {method} {address}"),
            details: json!({ "method": method.as_str(), "address": address, "by": name }),
        };
        shared.store().note(workspace, entry).await.map_err(|error| Problem::store(shared, &error))
    }
}

fn refused() -> Problem {
    metrics::counter!("syncline_api_refused_total").increment(1);
    Problem::new(Code::Unauthorised)
}

/// Whether a program's token reaches this far. Another workspace is as unknown to it as one that is not there.
fn may(shared: &Shared, token: &ApiToken, parts: &Parts) -> Result<(), Problem> {
    if named_workspace(shared, parts) != Some(&token.workspace) {
        return Err(Problem::new(Code::NotFound));
    }
    let reads = matches!(parts.method, Method::GET | Method::HEAD);
    match token.scope {
        TokenScope::Read if !reads => Err(Problem::new(Code::OutOfScope)),
        TokenScope::Read | TokenScope::Write => Ok(()),
    }
}

fn named_workspace<'a>(shared: &'a Shared, parts: &Parts) -> Option<&'a WorkspaceId> {
    let mut pairs = form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
    let named = pairs.find(|(key, _)| key == "workspace").map(|(_, value)| value.into_owned());
    shared.workspace(named.as_deref())
}
