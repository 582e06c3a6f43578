//! The activity pages: plain HTML that works without script, made from the same store queries as the API.

mod activity;
mod booking;
mod bookings;
mod calendars;
mod integrations;
mod overview;
pub(crate) mod sign_in;

use std::sync::Arc;

use axum::{
    Router,
    extract::{FromRequestParts, Path, Query, State},
    http::{StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::de::DeserializeOwned;
use syncline_core::ids::ChainId;

use crate::{
    oauth, page,
    page::Sent,
    problem::{self, Code, Problem},
    shared::Shared,
};

pub(crate) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/", get(overview::show))
        .route("/activity", get(activity::show))
        .route("/bookings", get(bookings::show))
        .route("/bookings/{chain}", get(booking::show))
        .route("/bookings/{chain}/replay", post(replay))
        .route("/integrations", get(integrations::list))
        .route("/integrations/{id}", get(integrations::show).post(integrations::act))
        .route("/integrations/{id}/preview", post(calendars::preview))
        .route("/integrations/{id}/events", get(calendars::events))
        .route("/connections/{id}/disconnect", post(disconnect))
        .route("/docs/errors/{code}", get(error_page))
}

/// The style sheet, for every page, signed in or not.
pub(crate) async fn style_sheet() -> impl IntoResponse {
    let headers = [(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::CACHE_CONTROL, "max-age=3600")];
    (headers, include_str!("../../assets/console.css"))
}

/// `GET /docs/errors/{code}`: what a code of the API means and what to do.
async fn error_page(Path(code): Path<String>) -> Response {
    match problem::page(&code) {
        Some(text) => ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response(),
        None => Problem::new(Code::NotFound).into_response(),
    }
}

/// `POST /bookings/{chain}/replay`.
async fn replay(State(shared): State<Arc<Shared>>, Path(chain): Path<String>, sent: Sent) -> Response {
    let found = shared.store().replay(&sent.signed.workspace, &ChainId::new(chain.clone()), shared.now()).await;
    match found {
        Ok(true) => {
            shared.engine.wake();
            let frame = sent.signed.frame(&shared, "");
            page::redirect(&frame.href(&format!("/bookings/{chain}")))
        }
        Ok(false) => page::problem(Problem::new(Code::NotFound)),
        Err(error) => page::problem(Problem::store(&shared, &error)),
    }
}

/// `POST /connections/{id}/disconnect`.
async fn disconnect(State(shared): State<Arc<Shared>>, Path(id): Path<String>, sent: Sent) -> Response {
    let Some(setup) = shared.connection(&sent.signed.workspace, &id) else {
        return page::problem(Problem::new(Code::NotFound));
    };
    match oauth::disconnect(&shared, setup).await {
        Ok(_) => page::redirect(&sent.signed.frame(&shared, "").href("/")),
        Err(problem) => page::problem(problem),
    }
}

/// A page's query string; what cannot be understood is answered with a page that says so.
pub(crate) struct Asked<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<Arc<Shared>> for Asked<T> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Response> {
        match Query::<T>::from_request_parts(parts, shared).await {
            Ok(Query(asked)) => Ok(Self(asked)),
            Err(_) => Err(page::problem(Problem::new(Code::BadParameter))),
        }
    }
}

/// A page that was not found, for people.
pub(crate) fn not_found() -> Response {
    page::problem(Problem { status: StatusCode::NOT_FOUND, ..Problem::new(Code::NotFound) })
}

#[cfg(test)]
mod tests;
