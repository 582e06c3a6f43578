//! Who may call the API: the bearer of the admin token. Cookies do not count here, so no other site can borrow them.

use std::sync::Arc;

use axum::{
    extract::FromRequestParts,
    http::{header, request::Parts},
};

use crate::{
    problem::{Code, Problem},
    shared::Shared,
};

/// Proof that the caller bore the admin token.
pub(crate) struct Admin;

impl FromRequestParts<Arc<Shared>> for Admin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Problem> {
        let header = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token =
            header.and_then(|value| value.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        match token {
            Some((_, token)) if shared.is_admin_token(token.trim()) => Ok(Self),
            _ => {
                metrics::counter!("syncline_api_refused_total").increment(1);
                Err(Problem::new(Code::Unauthorised))
            }
        }
    }
}
