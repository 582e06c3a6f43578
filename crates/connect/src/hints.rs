//! The facet of an account that tells by webhook that something has changed. What it tells is a hint to look, never the
//! truth: a caller who is let in can have the account asked a little sooner, and nothing else. Pure.

use jiff::Timestamp;

use crate::{RawRequest, Refusal, Secret};

/// Lets a vendor's webhooks in.
pub trait Hints: Send + Sync {
    /// Whether there must be a secret; a vendor that signs nothing relies on the secret address, and on a secret of the
    /// operator's where it can send one.
    fn signed(&self) -> bool;

    /// Checks that the request, which came by `POST` to this address, is the vendor's: over the raw bytes, against every
    /// active secret, in constant time, and the time stamp both ways where the scheme has one.
    fn verify(&self, raw: &RawRequest, url: &str, secrets: &[Secret], now: Timestamp) -> Result<(), Refusal>;
}
