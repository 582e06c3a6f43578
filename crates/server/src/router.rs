//! Which address leads where, and what every answer has in common.

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderValue, header},
    middleware::map_response_with_state,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use tower_http::catch_panic::CatchPanicLayer;

use crate::{
    api, console, health, hooks, oauth, page,
    problem::{Code, Problem},
    shared::Shared,
};

/// How long a browser insists on TLS once it was offered: a year, as HSTS preload lists ask for at the least.
const HSTS: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// Everything, except health and metrics where they have a port of their own.
pub(crate) fn public(shared: &Arc<Shared>) -> Router {
    let hooks = Router::new()
        .route("/hooks/{source}/{path_key}", post(hooks::receive))
        .route("/hooks/records/{integration}/{pair}/{path_key}", post(hooks::asks::receive));
    let mut router = hooks.merge(pages()).merge(console::routes()).merge(api::routes());
    if !shared.options.separate_admin {
        router = router.merge(health::routes());
    }
    finish(router, shared)
}

/// Only what connects an account: for a listener on the operator's own machine.
pub(crate) fn connect(shared: &Arc<Shared>) -> Router {
    finish(pages(), shared)
}

/// Health and metrics.
pub(crate) fn admin(shared: &Arc<Shared>) -> Router {
    finish(health::routes(), shared)
}

fn pages() -> Router<Arc<Shared>> {
    oauth::routes().merge(console::sign_in::routes()).route("/assets/console.css", get(console::style_sheet))
}

fn finish(router: Router<Arc<Shared>>, shared: &Arc<Shared>) -> Router {
    router
        .fallback(async |headers: HeaderMap| page::refusal(&headers, Problem::new(Code::NotFound)))
        .method_not_allowed_fallback(async |headers: HeaderMap| {
            page::refusal(&headers, Problem::new(Code::MethodNotAllowed))
        })
        .layer(map_response_with_state(Arc::clone(shared), common_headers))
        .layer(CatchPanicLayer::custom(|_| {
            tracing::error!("A handler panicked");
            Problem::new(Code::Internal).into_response()
        }))
        .with_state(Arc::clone(shared))
}

async fn common_headers(State(shared): State<Arc<Shared>>, mut response: Response<Body>) -> Response<Body> {
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if shared.options.secure_cookies {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HSTS);
    }
    response
}
