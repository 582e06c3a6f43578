//! How far the settings may go, and the checks that say so. What is beyond would work against itself.

use std::ops::RangeInclusive;

use anyhow::bail;
use url::Url;

use super::file::{Config, EngineConfig};
use crate::http::Origin;

/// A worker is a task of its own with a claim of its own; more of them than this only wait for the database, whose pool
/// is far smaller.
pub const WORKERS_MAX: usize = 256;

/// The bookings of one claim share its transactions and wait for each other; the default is four full calls of the
/// largest vendor limit (75 bookings), and this is far beyond the point where more would save a call.
pub const BATCH_MAX: usize = 5000;

/// Vendors allow few calls at a time: Salesforce 25 long ones per production org (its *API Request Limits and
/// Allocations*, read 2026-11). This leaves room for several orgs.
pub const CALLS_MAX: usize = 200;

/// At a quarter of an hour between tries, ten days: whoever is down for longer needs a person.
pub const ATTEMPTS_MAX: u32 = 1000;

/// Salesforce itself gives a call up after ten minutes.
pub const CALL_SECONDS_MAX: u32 = 600;

/// Three calls of a second each, which is the shortest that a call may be given.
pub const LEASE_SECONDS_MIN: u32 = 3;

/// A booking of a process that died waits so long at the most.
pub const LEASE_SECONDS_MAX: u32 = 3600;

/// The store lists no more connections than a thousand; this leaves room for every vendor.
pub const ACCOUNTS_MAX: usize = 100;

/// Ten years, the longest that common retention rules ask for.
pub const KEEP_DAYS_MAX: u32 = 3650;

/// Less than a hundredth would stop everything at once; more than all is no share.
pub const BUDGET_SHARE: RangeInclusive<f64> = 0.01..=1.0;

/// No vendor has more accounts than the operator wants.
pub(super) fn check_accounts(config: &Config) -> anyhow::Result<()> {
    let most = config.accounts_per_vendor;
    if !(1..=ACCOUNTS_MAX).contains(&most) {
        bail!("`accounts_per_vendor` is {most}; it is a number from 1 to {ACCOUNTS_MAX}");
    }
    for connection in &config.connections {
        let vendor = &connection.vendor;
        let accounts = config.connections.iter().filter(|other| other.vendor == *vendor).count();
        if accounts > most {
            bail!(
                "there are {accounts} connections to {vendor}, and `accounts_per_vendor` is {most}; raise it at the top of the file"
            );
        }
    }
    Ok(())
}

impl EngineConfig {
    pub(super) fn check(&self) -> anyhow::Result<()> {
        let count = |number: Option<usize>| number.map(|number| u64::try_from(number).unwrap_or(u64::MAX));
        let numbers = [
            ("workers", count(self.workers), 0, WORKERS_MAX as u64),
            ("batch", count(self.batch), 1, BATCH_MAX as u64),
            ("calls_in_flight", count(self.calls_in_flight), 1, CALLS_MAX as u64),
            ("max_attempts", self.max_attempts.map(u64::from), 1, u64::from(ATTEMPTS_MAX)),
            ("call_seconds", self.call_seconds.map(u64::from), 1, u64::from(CALL_SECONDS_MAX)),
            (
                "lease_seconds",
                self.lease_seconds.map(u64::from),
                u64::from(LEASE_SECONDS_MIN),
                u64::from(LEASE_SECONDS_MAX),
            ),
            ("keep_bodies_days", self.keep_bodies_days.map(u64::from), 1, u64::from(KEEP_DAYS_MAX)),
            ("keep_activity_days", self.keep_activity_days.map(u64::from), 1, u64::from(KEEP_DAYS_MAX)),
        ];
        for (key, number, min, max) in numbers {
            if let Some(number) = number.filter(|number| !(min..=max).contains(number)) {
                bail!("[engine] `{key}` is {number}; write a number from {min} to {max}, or leave it out");
            }
        }
        Ok(())
    }
}

/// Addresses that the operator wrote: each an http or https address without credentials, which logs would show.
pub(super) fn check_addresses(config: &Config) -> anyhow::Result<()> {
    for text in &config.network.allow {
        let is_origin = Url::parse(text).is_ok_and(|url| is_plain(&url) && url.path() == "/");
        if !is_origin || Origin::parse(text).is_err() {
            bail!(
                "[network] `allow` has an entry that is no origin; write scheme, host and port alone, such as http://127.0.0.1:9000"
            );
        }
    }
    for (place, url) in
        [("[server] `public_url`", &config.server.public_url), ("[telemetry] `otlp`", &config.telemetry.otlp)]
    {
        if url.as_ref().is_some_and(|url| !is_plain(url)) {
            bail!(
                "{place} is an http or https address without credentials, `?` and `#`, such as https://syncline.example.com"
            );
        }
    }
    Ok(())
}

pub(super) fn is_plain(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none()
}
