//! meetergo as a booking source: unsigned webhooks in their flat and their older framed form.
//!
//! Manifest and facets only; shapes are in `wire`, their meaning in `convert`. What must not live here: calls to
//! meetergo, or anything about a CRM.

mod convert;
mod wire;

#[cfg(test)]
mod tests;

use jiff::Timestamp;
use syncline_connect::{Bookings, Connector, Manifest, RawRequest, Reading, Refusal, Secret, bookings::Malformed};

const MANIFEST: Manifest = Manifest {
    vendor: "meetergo",
    display_name: "meetergo",
    docs: "https://api.meetergo.com/spec/v2",
    scopes: &[],
    settings: &[],
    roles: &[],
    overload_status: 503,
    trusted_domains: &[],
};

/// The connector for meetergo.
#[derive(Debug, Clone, Copy)]
pub struct Meetergo;

impl Connector for Meetergo {
    fn manifest(&self) -> &'static Manifest {
        &MANIFEST
    }

    fn bookings(&self) -> Option<&dyn Bookings> {
        Some(self)
    }
}

impl Bookings for Meetergo {
    fn signed(&self) -> bool {
        false
    }

    /// meetergo signs nothing: whoever knows the source's secret path has passed the only check there is.
    fn verify(&self, _raw: &RawRequest, _secrets: &[Secret], _now: Timestamp) -> Result<(), Refusal> {
        Ok(())
    }

    fn read(&self, raw: &RawRequest, received: Timestamp) -> Result<Reading, Malformed> {
        convert::read(&raw.body, received)
    }
}
