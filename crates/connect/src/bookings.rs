//! The facet of a booking source: webhooks, verified on raw bytes and read into messages. Pure.

use bytes::Bytes;
use http::HeaderMap;
use jiff::Timestamp;
use syncline_core::booking::message::BookingMessage;

use crate::Secret;

/// A webhook as it came in.
#[derive(Debug, Clone)]
pub struct RawRequest {
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// Turns a source's webhooks into booking messages.
pub trait Bookings: Send + Sync {
    /// Whether a source of this vendor must have a webhook secret; one without signatures relies on its secret path.
    fn signed(&self) -> bool;

    /// What only a webhook tells, and a poll cannot find again, in words for the person who relies on it. A source without
    /// a poll has nothing to find again.
    fn only_by_webhook(&self) -> &'static [&'static str] {
        &[]
    }

    /// Checks the signature over the raw bytes against every active secret, in constant time, and the time stamp both
    /// ways where the scheme has one.
    fn verify(&self, raw: &RawRequest, secrets: &[Secret], now: Timestamp) -> Result<(), Refusal>;

    /// Reads a verified message. Pure; never panics on any bytes. `received` stands in for a payload without a time.
    fn read(&self, raw: &RawRequest, received: Timestamp) -> Result<Reading, Malformed>;
}

/// What a verified webhook says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The same for every delivery of the same message: the key of the inbox.
    pub delivery: String,
    pub messages: Vec<BookingMessage>,
    /// Why there is no message, where the event is none of ours.
    pub ignored: Option<String>,
}

/// Why a webhook is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the signature header is missing")]
    Missing,
    #[error("the signature header cannot be read")]
    Unreadable,
    #[error("the signature does not match")]
    Mismatch,
    #[error("the time stamp is outside the tolerance")]
    Stale,
    #[error("no secret is set for this source")]
    NoSecret,
}

/// Why a verified message cannot be read; the raw bytes are kept for a person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Malformed {
    /// One sentence without values of fields.
    pub reason: String,
}
