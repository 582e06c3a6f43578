//! HTTP as a value handed in: a connector builds a request and is given the answer, whoever carries it.

use bytes::Bytes;

use crate::BoxFuture;

/// Carries requests. The executable has a real client; tests and the simulation call the sandbox as a function.
pub trait Http: Send + Sync {
    /// Sends one request and reads the whole answer within the carrier's deadline and size limit.
    fn send(&self, request: http::Request<Bytes>) -> BoxFuture<'_, Result<http::Response<Bytes>, HttpError>>;
}

/// Why there is no answer. What matters is whether the other side may have acted.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The request never left: name not found, connection refused, TLS not agreed.
    #[error("could not reach {host}: {reason}")]
    NotSent { host: String, reason: String },
    /// The request left, and the answer is missing, late, cut or too large.
    #[error("no usable answer from {host}: {reason}")]
    Unanswered { host: String, reason: String },
    /// Our own policy does not let us call that address.
    #[error("calling {host} is not allowed: {reason}")]
    Forbidden { host: String, reason: String },
}
