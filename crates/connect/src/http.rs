//! HTTP as a value handed in: a connector builds a request and is given the answer, whoever carries it.

use std::{pin::Pin, time::Duration};

use bytes::Bytes;
use futures::Stream;
use http::HeaderMap;

use crate::BoxFuture;

/// Carries requests. The executable has a real client; tests and the simulation call the sandbox as a function.
pub trait Http: Send + Sync {
    /// Sends one request and reads the whole answer within the carrier's deadline and size limit.
    fn send(&self, request: http::Request<Bytes>) -> BoxFuture<'_, Result<http::Response<Bytes>, HttpError>>;

    /// Opens an exchange over HTTP/2 in which both sides go on talking for as long as they like. The carrier ends it
    /// where the other side is silent for [`SILENCE_MAX`]. Not every carrier can.
    fn open(&self, request: http::Request<Outgoing>) -> BoxFuture<'_, Result<http::Response<Incoming>, HttpError>> {
        let host = request.uri().host().unwrap_or_default().to_owned();
        let reason = "this carrier keeps no exchange open".to_owned();
        Box::pin(std::future::ready(Err(HttpError::Forbidden { host, reason })))
    }
}

/// How long the other side of an open exchange may say nothing before it is taken for gone: the longest pause that an
/// API which is listened to promises (270 s between two signs of life), and half a minute.
pub const SILENCE_MAX: Duration = Duration::from_secs(300);

/// What we say in an open exchange; its end is the end of what we have to say.
pub type Outgoing = Pin<Box<dyn Stream<Item = Bytes> + Send>>;

/// What is said to us in an open exchange.
pub type Incoming = Pin<Box<dyn Stream<Item = Result<Part, HttpError>> + Send>>;

/// One piece of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Wherever the network happened to cut.
    Bytes(Bytes),
    /// Headers behind the body, the last that comes.
    Trailers(HeaderMap),
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
    /// The request did not leave: by what the vendor tells of its limits, it would have been one too many.
    #[error("{host} takes no more calls for {} s", wait.as_secs().max(1))]
    Paced { host: String, wait: Duration },
    /// Our own policy does not let us call that address.
    #[error("calling {host} is not allowed: {reason}")]
    Forbidden { host: String, reason: String },
}
