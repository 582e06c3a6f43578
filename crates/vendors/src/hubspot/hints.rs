//! HubSpot's webhooks: signed with the app's client secret, in the third version of the scheme.
//! <https://developers.hubspot.com/docs/apps/legacy-apps/authentication/validating-requests>, read 2026-11.

use jiff::Timestamp;
use syncline_connect::{Hints, RawRequest, Refusal, Secret};

use super::{HubSpot, signature};

impl Hints for HubSpot {
    fn signed(&self) -> bool {
        true
    }

    fn verify(&self, raw: &RawRequest, url: &str, secrets: &[Secret], now: Timestamp) -> Result<(), Refusal> {
        signature::verify(raw, url, secrets, now)
    }
}
