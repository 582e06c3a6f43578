//! ActiveCampaign's webhooks: nothing is signed and no header can be set. Who sends them knows the secret address.
//! <https://developers.activecampaign.com/page/webhooks>, read 2026-11.

use jiff::Timestamp;
use syncline_connect::{Hints, RawRequest, Refusal, Secret};

use super::ActiveCampaign;

impl Hints for ActiveCampaign {
    fn signed(&self) -> bool {
        false
    }

    fn verify(&self, _: &RawRequest, _: &str, _: &[Secret], _: Timestamp) -> Result<(), Refusal> {
        Ok(())
    }
}
