//! The activity pages: plain HTML that works without script, made from the same store queries as the API.

mod activity;
mod booking;
mod bookings;
mod calendars;
mod error_page;
mod integrations;
mod overview;
pub(crate) mod sign_in;

use std::sync::Arc;

use askama::Template;
use axum::{
    Router,
    extract::{FromRequestParts, Path, Query, State},
    http::{HeaderMap, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::de::DeserializeOwned;
use syncline_core::ids::ChainId;

use crate::{
    api::messages,
    oauth, page,
    page::{Frame, Sent},
    problem::{self, Code, Problem},
    shared::Shared,
    shown::Shown,
};

pub(crate) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/", get(overview::show))
        .route("/activity", get(activity::show))
        .route("/bookings", get(bookings::show))
        .route("/bookings/{chain}", get(booking::show))
        .route("/bookings/{chain}/replay", post(replay))
        .route("/messages/{id}/replay", post(read_again))
        .route("/integrations", get(integrations::list))
        .route("/integrations/{id}", get(integrations::show).post(integrations::act))
        .route("/integrations/{id}/preview", post(calendars::preview))
        .route("/integrations/{id}/events", get(calendars::events))
        .route("/connections/{id}/disconnect", post(disconnect))
        .route("/connections/{id}/connect-link", post(connect_link))
        .route("/docs/errors/{code}", get(error_page))
}

/// The style sheet, for every page, signed in or not.
pub(crate) async fn style_sheet() -> impl IntoResponse {
    let headers = [(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::CACHE_CONTROL, "max-age=3600")];
    (headers, include_str!("../../assets/console.css"))
}

/// `GET /docs/errors/{code}`: what a code of the API means and what to do.
async fn error_page(headers: HeaderMap, Path(code): Path<String>) -> Response {
    match problem::page(&code) {
        Some(text) if page::is_asked_for(&headers) => page::html(StatusCode::OK, &error_page::ErrorPage::new(text)),
        Some(text) => ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response(),
        None => page::refusal(&headers, Problem::new(Code::NotFound)),
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

/// `POST /messages/{id}/replay`. What became of it stands in the activity log.
async fn read_again(State(shared): State<Arc<Shared>>, Path(id): Path<i64>, sent: Sent) -> Response {
    match messages::read_again(&shared, &sent.signed.workspace, id).await {
        Ok(Some(_)) => page::redirect(&sent.signed.frame(&shared, "").href_with("/activity", &[("kind", "message")])),
        Ok(None) => page::problem(Problem::new(Code::NotFound)),
        Err(problem) => page::problem(problem),
    }
}

#[derive(Template)]
#[template(path = "connect_link_made.html")]
struct ConnectLinkMade {
    frame: Frame,
    id: Shown,
    url: String,
    until: String,
}

/// `POST /connections/{id}/connect-link`.
async fn connect_link(State(shared): State<Arc<Shared>>, Path(id): Path<String>, sent: Sent) -> Response {
    let Some(setup) = shared.connection(&sent.signed.workspace, &id) else {
        return page::problem(Problem::new(Code::NotFound));
    };
    match oauth::connect_link::make(&shared, setup).await {
        Ok(made) => {
            let page = ConnectLinkMade {
                frame: sent.signed.frame(&shared, "An address to send"),
                id: Shown::new(setup.id.as_str()),
                url: made.url.into(),
                until: page::time(made.expires_at),
            };
            page::html(StatusCode::OK, &page)
        }
        Err(problem) => page::problem(problem),
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
