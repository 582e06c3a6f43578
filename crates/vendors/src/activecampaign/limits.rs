//! How often ActiveCampaign may be called. Pure.
//!
//! "Rate limits", read 2026-11: five calls a second, all keys of the account together.

use http::HeaderMap;
use jiff::SignedDuration;
use syncline_connect::{Lane, Limits, limits::number};
use syncline_core::pace::{Allowance, Told};

use super::ActiveCampaign;

static CALLS: Lane =
    Lane { name: "calls", allowance: Allowance { calls: 5, span: SignedDuration::from_secs(1), shared: true } };

impl Limits for ActiveCampaign {
    fn lane(&self, _path: &str) -> &'static Lane {
        &CALLS
    }

    fn told(&self, _lane: &Lane, headers: &HeaderMap) -> Option<Told> {
        let limit = number(headers, "ratelimit-limit")?;
        Some(Told { limit, left: number(headers, "ratelimit-remaining")?, reset: None })
    }
}
