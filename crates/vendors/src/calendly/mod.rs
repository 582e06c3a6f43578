//! Calendly as a booking source: API v2 and its webhook subscriptions, signed with our own key.
//!
//! Manifest and facets only; shapes are in `wire`, their meaning in `convert`; calls are in `api`, which of them make a
//! poll in `poll`, the watched subscription in `subscription`. What must not live here: anything about a CRM.

mod api;
mod convert;
mod poll;
mod subscription;
mod wire;

#[cfg(test)]
mod tests;

use jiff::{SignedDuration, Timestamp};
use syncline_connect::{
    Bookings, Connector, Manifest, Poll, RawRequest, Reading, Refusal, Secret, Subscriptions, bookings::Malformed,
    signature,
};

/// The header that carries time and digest.
const SIGNATURE_HEADER: &str = "calendly-webhook-signature";

/// How far a time stamp may lie from now, either way (Calendly's webhook signature page: three minutes).
const TOLERANCE: SignedDuration = SignedDuration::from_mins(3);

const MANIFEST: Manifest = Manifest {
    vendor: "calendly",
    display_name: "Calendly",
    docs: "https://developer.calendly.com/api-docs",
    scopes: &[],
    settings: &[("scope", "`organization` (the default) or `user`: whose bookings are asked for and subscribed to")],
    roles: &[],
    overload_status: 503,
    trusted_domains: &[],
};

/// The connector for Calendly.
#[derive(Debug, Clone, Copy)]
pub struct Calendly;

impl Connector for Calendly {
    fn manifest(&self) -> &'static Manifest {
        &MANIFEST
    }

    fn bookings(&self) -> Option<&dyn Bookings> {
        Some(self)
    }

    fn poll(&self) -> Option<&dyn Poll> {
        Some(self)
    }

    fn subscriptions(&self) -> Option<&dyn Subscriptions> {
        Some(self)
    }
}

impl Bookings for Calendly {
    fn signed(&self) -> bool {
        true
    }

    /// A list shows the marks that stand, not those that were taken back. Of routing forms it lists those of an organization.
    fn only_by_webhook(&self) -> &'static [&'static str] {
        &["that a no-show mark was taken back", "with `scope = \"user\"`, a form that was submitted without a booking"]
    }

    fn verify(&self, raw: &RawRequest, secrets: &[Secret], now: Timestamp) -> Result<(), Refusal> {
        signature::stamped_hex(raw, SIGNATURE_HEADER, secrets, now, TOLERANCE)
    }

    fn read(&self, raw: &RawRequest, received: Timestamp) -> Result<Reading, Malformed> {
        convert::read(&raw.body, received)
    }
}
