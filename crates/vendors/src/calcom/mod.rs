//! Cal.com as a booking source: webhooks of version 2021-10-20, hosted and self-hosted.
//!
//! Manifest and facets only; shapes are in `wire`, their meaning in `convert`. What must not live here: calls to
//! Cal.com, or anything about a CRM.

mod convert;
mod people;
mod seats;
mod wire;

#[cfg(test)]
mod tests;

use http::header::CONTENT_TYPE;
use jiff::Timestamp;
use syncline_connect::{
    Bookings, Connector, Manifest, RawRequest, Reading, Refusal, Secret, bookings::Malformed, signature,
};

use crate::intake::malformed;

/// The header that carries the signature.
const SIGNATURE_HEADER: &str = "x-cal-signature-256";

const MANIFEST: Manifest = Manifest {
    vendor: "calcom",
    display_name: "Cal.com",
    docs: "https://cal.com/docs/core-features/webhooks",
    scopes: &[],
    settings: &[],
    roles: &[],
    overload_status: 503,
    trusted_domains: &[],
};

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
}

impl Bookings for Calcom {
    fn signed(&self) -> bool {
        true
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
