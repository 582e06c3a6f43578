//! How often Brevo may be called. Pure.
//!
//! "API limits", read 2026-11: contacts ten times a second, and everything else a hundred times an hour, on higher plans
//! more, which the headers tell. All keys of the account share both.

use http::HeaderMap;
use jiff::SignedDuration;
use syncline_connect::{Lane, Limits, limits::number};
use syncline_core::pace::{Allowance, Told};

use super::{Brevo, classify::RESET};

static CONTACTS: Lane =
    Lane { name: "contacts", allowance: Allowance { calls: 10, span: SignedDuration::from_secs(1), shared: true } };

static OTHERS: Lane =
    Lane { name: "others", allowance: Allowance { calls: 100, span: SignedDuration::from_hours(1), shared: true } };

impl Limits for Brevo {
    fn lane(&self, path: &str) -> &'static Lane {
        if path.split('/').any(|part| part == "contacts") { &CONTACTS } else { &OTHERS }
    }

    fn told(&self, _lane: &Lane, headers: &HeaderMap) -> Option<Told> {
        let limit = number(headers, "x-sib-ratelimit-limit")?;
        let left = number(headers, "x-sib-ratelimit-remaining")?;
        let reset = number(headers, RESET).map(|seconds| SignedDuration::from_secs(i64::from(seconds)));
        Some(Told { limit, left, reset })
    }
}
