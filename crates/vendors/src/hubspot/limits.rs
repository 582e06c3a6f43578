//! How often HubSpot may be called. Pure.
//!
//! Usage guidelines and recorded answers, read 2026-11: 100 calls in ten rolling seconds, on larger plans more, which the
//! headers tell; searches are counted by themselves, four in a second, of which no header tells.

use http::HeaderMap;
use jiff::SignedDuration;
use syncline_connect::{Lane, Limits, limits::number};
use syncline_core::pace::{Allowance, Told};

use super::HubSpot;

static CALLS: Lane =
    Lane { name: "calls", allowance: Allowance { calls: 100, span: SignedDuration::from_secs(10), shared: true } };

/// Every token has its own.
static SEARCHES: Lane =
    Lane { name: "searches", allowance: Allowance { calls: 4, span: SignedDuration::from_secs(1), shared: false } };

impl Limits for HubSpot {
    fn lane(&self, path: &str) -> &'static Lane {
        if path.ends_with("/search") { &SEARCHES } else { &CALLS }
    }

    fn told(&self, lane: &Lane, headers: &HeaderMap) -> Option<Told> {
        let limit = number(headers, "x-hubspot-ratelimit-max").filter(|_| *lane == CALLS)?;
        let left = number(headers, "x-hubspot-ratelimit-remaining")?;
        Some(Told { limit, left, reset: None })
    }
}
