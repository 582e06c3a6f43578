//! Whether the process lives, whether it can work, and its metrics. None of them says whose server this is.

use std::sync::Arc;

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};

use crate::shared::Shared;

pub(crate) fn routes() -> Router<Arc<Shared>> {
    Router::new().route("/healthz", get(healthz)).route("/readyz", get(readyz)).route("/metrics", get(metrics))
}

async fn healthz() -> &'static str {
    "ok\n"
}

async fn readyz(State(shared): State<Arc<Shared>>) -> Response {
    if let Err(error) = shared.store().health().await {
        tracing::warn!(%error, "Not ready: the database does not answer");
        return (StatusCode::SERVICE_UNAVAILABLE, "database: not ready\n").into_response();
    }
    if !(shared.options.workers_alive)() {
        return (StatusCode::SERVICE_UNAVAILABLE, "database: ready\nworkers: not running\n").into_response();
    }
    "database: ready\nworkers: running\n".into_response()
}

async fn metrics(State(shared): State<Arc<Shared>>) -> Response {
    // The version of Prometheus' text format that its documents name.
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], (shared.options.metrics)()).into_response()
}
