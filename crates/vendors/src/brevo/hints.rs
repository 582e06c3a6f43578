//! Brevo's webhooks: nothing is signed. Who sends them knows the secret address, and returns the bearer token that the
//! webhook was made with (`auth`).
//! <https://developers.brevo.com/docs/username-and-password-authentication>, read 2026-11.

use jiff::Timestamp;
use syncline_connect::{Hints, RawRequest, Refusal, Secret, signature};

use super::Brevo;

impl Hints for Brevo {
    fn signed(&self) -> bool {
        true
    }

    fn verify(&self, raw: &RawRequest, _: &str, secrets: &[Secret], _: Timestamp) -> Result<(), Refusal> {
        signature::bearer(raw, secrets)
    }
}
