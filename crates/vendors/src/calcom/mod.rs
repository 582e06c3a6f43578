//! Cal.com as a booking source: webhooks of version 2021-10-20 and API v2, hosted and self-hosted.
//!
//! Manifest and facets only; shapes are in `wire`, their meaning in `convert`; calls are in `api`, which of them make a
//! poll in `poll`, what its rows mean in `rows`. What must not live here: anything about a CRM.

mod api;
mod convert;
mod people;
mod poll;
mod rows;
mod seats;
mod wire;

#[cfg(test)]
mod tests;

use http::header::CONTENT_TYPE;
use jiff::Timestamp;
use syncline_connect::{
    Bookings, Connector, Manifest, Poll, RawRequest, Reading, Refusal, Secret, Subscriptions, bookings::Malformed,
    signature,
};

use crate::intake::malformed;

/// The header that carries the signature.
const SIGNATURE_HEADER: &str = "x-cal-signature-256";

const MANIFEST: Manifest = Manifest {
    vendor: "calcom",
    display_name: "Cal.com",
    docs: "https://cal.com/docs/core-features/webhooks",
    scopes: &[],
    settings: &[("booker_url", "where people book, for the links to move and to cancel; self-hosted only")],
    roles: &[],
    overload_status: 503,
    trusted_domains: &[],
};

/// What the API does not list, or not as the webhook says it. Of routing forms it lists the responses of an organization's
/// forms, to its administrators, with the questions under other names than the webhook gives them: one that both tell of
/// could not be known to be one (the API's routing form responses, read 2026-11).
const ONLY_BY_WEBHOOK: &[&str] = &[
    "a form that was submitted without a booking",
    "that a host asked for another time",
    "why a request was declined",
    "that somebody gave up a seat that others still share",
];

/// The connector for Cal.com.
#[derive(Debug, Clone, Copy)]
pub struct Calcom;

impl Connector for Calcom {
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

impl Bookings for Calcom {
    fn signed(&self) -> bool {
        true
    }

    fn only_by_webhook(&self) -> &'static [&'static str] {
        ONLY_BY_WEBHOOK
    }

    fn verify(&self, raw: &RawRequest, secrets: &[Secret], _now: Timestamp) -> Result<(), Refusal> {
        signature::hex_body(raw, SIGNATURE_HEADER, secrets)
    }

    fn read(&self, raw: &RawRequest, received: Timestamp) -> Result<Reading, Malformed> {
        let content_type = raw.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if content_type.trim().to_ascii_lowercase().starts_with("application/x-www-form-urlencoded") {
            return Err(malformed(
                "the body is form-encoded: this webhook has a custom payload template that is not JSON; remove the template",
            ));
        }
        convert::read(&raw.body, received)
    }
}
