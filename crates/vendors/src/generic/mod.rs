//! Our own documented booking webhook, for every source that has no folder here: Standard Webhooks signature, strict
//! body. The same body is read at the API's bookings endpoint.
//!
//! Manifest and facets only; the strict reader is in `wire`, the meaning in `convert`, the published description in
//! `schema.json`. What must not live here: leniency; a sender who can read documentation is told what is wrong.

mod convert;
mod wire;

#[cfg(test)]
mod tests;

use jiff::Timestamp;
use syncline_connect::{
    Bookings, Connector, Manifest, RawRequest, Reading, Refusal, Secret, bookings::Malformed, signature,
};

/// The JSON Schema of the body, as the API description embeds it.
pub const SCHEMA: &str = include_str!("schema.json");

/// How the signature's headers begin (Standard Webhooks 1.0).
const HEADER_PREFIX: &str = "webhook";

const MANIFEST: Manifest = Manifest {
    vendor: "generic",
    display_name: "Signed webhook",
    docs: "docs/generic-webhook.md",
    scopes: &[],
    settings: &[],
    roles: &[],
    overload_status: 503,
    trusted_domains: &[],
};

/// The connector for bookings in our own form.
#[derive(Debug, Clone, Copy)]
pub struct Generic;

impl Connector for Generic {
    fn manifest(&self) -> &'static Manifest {
        &MANIFEST
    }

    fn bookings(&self) -> Option<&dyn Bookings> {
        Some(self)
    }
}

impl Bookings for Generic {
    fn signed(&self) -> bool {
        true
    }

    fn verify(&self, raw: &RawRequest, secrets: &[Secret], now: Timestamp) -> Result<(), Refusal> {
        signature::standard_webhooks(raw, HEADER_PREFIX, secrets, now)
    }

    fn read(&self, raw: &RawRequest, _received: Timestamp) -> Result<Reading, Malformed> {
        convert::read(&raw.body)
    }
}
