//! What a sandbox answers: the response, how late, and whether it arrives at all.

use std::time::Duration;

use bytes::Bytes;

/// One answer of a sandbox, before any socket.
#[derive(Debug)]
pub struct Reply {
    pub response: http::Response<Bytes>,
    /// How long to wait before sending it.
    pub delay: Duration,
    pub deliver: Delivery,
}

/// What happens to an answer on its way back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// It arrives whole.
    Answer,
    /// The headers arrive, the body stops half-way and the connection closes.
    Truncate,
    /// The connection closes without a byte.
    DropConnection,
}

impl Reply {
    pub(crate) fn now(response: http::Response<Bytes>) -> Self {
        Self { response, delay: Duration::ZERO, deliver: Delivery::Answer }
    }
}
