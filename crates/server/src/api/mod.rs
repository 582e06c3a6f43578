//! The JSON API under `/api/v1`: the same store queries as the pages, for callers who bear a token.

mod access;
pub(crate) mod activity;
mod bookings;
pub(crate) mod calendars;
mod connections;
mod dry_run;
pub(crate) mod integration;
pub(crate) mod messages;
pub(crate) mod model;
mod openapi;
pub(crate) mod record_asks;
mod records;
mod status;

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{FromRequest, FromRequestParts, Query, Request, rejection::QueryRejection},
    http::request::Parts,
    routing::{get, post},
};
use serde::de::DeserializeOwned;
use syncline_core::ids::WorkspaceId;
use syncline_engine::{depth, intake::JSON_DEPTH_MAX};
use syncline_store::JournalKind;

pub use access::TOKEN_PREFIX;
pub use openapi::openapi_json;

use crate::{
    hooks::body,
    problem::{Code, Problem},
    shared::Shared,
};

/// Rows of a page where the caller does not say.
pub(crate) const PAGE_DEFAULT: usize = 50;

/// Rows of a page at most; the store's own limit is the same or higher.
pub(crate) const PAGE_MAX: usize = 200;

/// Characters of a search text at most.
pub(crate) const SEARCH_MAX: usize = 200;

pub(crate) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/api/openapi.json", get(openapi::document))
        .route("/api/v1/status", get(status::read))
        .route("/api/v1/activity", get(activity::list))
        .route("/api/v1/bookings", get(bookings::list).post(bookings::take_in))
        .route("/api/v1/bookings/{chain}", get(bookings::read))
        .route("/api/v1/bookings/{chain}/replay", post(bookings::replay))
        .route("/api/v1/dry-run", post(dry_run::try_out))
        .route("/api/v1/connections", get(connections::list))
        .route("/api/v1/connections/{id}/disconnect", post(connections::disconnect))
        .route("/api/v1/connections/{id}/connect-link", post(connections::connect_link))
        .route("/api/v1/messages", get(messages::list))
        .route("/api/v1/messages/{id}/replay", post(messages::replay))
        .route("/api/v1/records/{integration}/create", post(record_asks::create))
        .route("/api/v1/agreement", get(integration::agreement))
        .merge(records::routes())
        .merge(calendars::routes())
}

type Answer<T> = Result<Json<T>, Problem>;

/// A query string; what cannot be understood is a problem, not a default.
pub(crate) struct Asked<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<Arc<Shared>> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Problem> {
        let query = Query::<T>::from_request_parts(parts, shared).await;
        query
            .map(|Query(asked)| Self(asked))
            .map_err(|rejection: QueryRejection| Problem::new(Code::BadParameter).detail(rejection.body_text()))
    }
}

/// A JSON body within its limits; an empty one is an empty object. What cannot be understood is a problem.
pub(crate) struct Given<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Arc<Shared>> for Given<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, shared: &Arc<Shared>) -> Result<Self, Problem> {
        let bytes = body::read(shared, request.into_body()).await?;
        if depth::exceeds(&bytes, JSON_DEPTH_MAX) {
            let detail = format!("the body is nested deeper than {JSON_DEPTH_MAX} levels");
            return Err(Problem::new(Code::UnreadableRequest).detail(detail));
        }
        let text: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
        // An object first: a list would pass for the fields in their order.
        let given = serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(text)
            .and_then(|object| serde_json::from_value(object.into()));
        given.map(Self).map_err(|error| Problem::new(Code::UnreadableRequest).detail(error.to_string()))
    }
}

/// The workspace that a caller names; one that is not there is as unknown as any address.
pub(crate) fn workspace<'a>(shared: &'a Shared, named: Option<&str>) -> Result<&'a WorkspaceId, Problem> {
    shared.workspace(named).ok_or_else(|| Problem::new(Code::NotFound))
}

/// A page's size within its limit.
pub(crate) fn page_size(asked: Option<usize>) -> Result<usize, Problem> {
    match asked {
        None => Ok(PAGE_DEFAULT),
        Some(size) if (1..=PAGE_MAX).contains(&size) => Ok(size),
        Some(_) => Err(Problem::new(Code::BadParameter).detail(format!("`limit` lies between 1 and {PAGE_MAX}"))),
    }
}

/// A search text within its limit; blank is none.
pub(crate) fn search(text: Option<String>) -> Result<Option<String>, Problem> {
    match text.as_deref().map(str::trim) {
        None | Some("") => Ok(None),
        Some(text) if text.chars().count() <= SEARCH_MAX => Ok(Some(text.to_owned())),
        Some(_) => {
            Err(Problem::new(Code::BadParameter).detail(format!("a search text has at most {SEARCH_MAX} characters")))
        }
    }
}

/// The kinds of activity in the order in which a person picks from them.
pub(crate) const KINDS: [JournalKind; 7] = [
    JournalKind::Written,
    JournalKind::Unchanged,
    JournalKind::Retried,
    JournalKind::Parked,
    JournalKind::Message,
    JournalKind::Connection,
    JournalKind::Operator,
];

/// A kind of activity by its word; blank is none.
pub(crate) fn kind(word: Option<&str>) -> Result<Option<JournalKind>, Problem> {
    match word {
        None | Some("") => Ok(None),
        Some(word) => {
            let kind = KINDS.into_iter().find(|kind| kind.as_str() == word);
            kind.map(Some).ok_or_else(|| Problem::new(Code::BadParameter).detail("there is no such kind of activity"))
        }
    }
}

/// What older pages begin before: the last row's number, where the page is full.
pub(crate) fn next_before<T>(rows: &[T], limit: usize, id: impl Fn(&T) -> i64) -> Option<i64> {
    rows.last().filter(|_| rows.len() >= limit).map(id)
}

#[cfg(test)]
mod tests;
