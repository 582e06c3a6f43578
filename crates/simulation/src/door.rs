//! The door of a process: its server, by which webhooks come in while it is up.

use std::sync::Mutex;

use axum::{Router, body::Body};
use bytes::Bytes;
use http::Request;
use syncline_server::Server;
use tower::ServiceExt;

use crate::sim::lock;

/// The largest answer that is read.
const ANSWER_MAX_BYTES: usize = 1 << 20;

/// Open while the process is up.
#[derive(Default)]
pub struct Door(Mutex<Option<Up>>);

/// A server that is up. Its routes are laid once somebody calls: that takes longer than to answer.
struct Up {
    server: Server,
    router: Option<Router>,
}

impl Door {
    pub fn open(&self, server: Server) {
        *lock(&self.0) = Some(Up { server, router: None });
    }

    pub fn close(&self) {
        *lock(&self.0) = None;
    }

    /// Hands a webhook over; the answer's status and body, or nothing where the process is down.
    pub async fn post(&self, path: &str, headers: &[(&str, String)], body: Bytes) -> Option<(u16, Bytes)> {
        let router = {
            let mut up = lock(&self.0);
            let Up { server, router } = up.as_mut()?;
            router.get_or_insert_with(|| server.router()).clone()
        };
        let mut request = Request::builder().method("POST").uri(path);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let request = request.body(Body::from(body)).ok()?;
        let response = router.oneshot(request).await.unwrap_or_else(|never| match never {});
        let status = response.status().as_u16();
        let body = axum::body::to_bytes(response.into_body(), ANSWER_MAX_BYTES).await.unwrap_or_default();
        Some((status, body))
    }
}
