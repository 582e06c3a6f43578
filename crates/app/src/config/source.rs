//! A source's API: who may ask it, where and how often. Its doc comments are what docs/configuration.md says.

use std::{collections::BTreeMap, ops::RangeInclusive};

use anyhow::{Context, bail};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use url::Url;

use super::{limits, secrets::SecretRef};

/// Seconds between two polls. Oftener than once a minute would use up the vendors' limits; a booking that is found more
/// than a day late is of no use to whoever meets that day.
const POLL_SECONDS: RangeInclusive<i64> = 60..=86_400;

/// `[sources.api]`: the API of the source above it. With it, Syncline makes and looks after the webhook itself, and
/// asks for bookings whose webhooks were lost; see [bookings.md](bookings.md#when-a-webhook-is-lost).
#[derive(Debug, Clone, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SourceApiConfig {
    /// The API key (Cal.com) or the personal access token (Calendly).
    pub token: SecretRef,
    /// Where the API answers, for a self-hosted Cal.com. Absent: the vendor's own service.
    pub url: Option<Url>,
    /// How often bookings are asked for, such as `"90s"`, `"5m"` or `"1h"`; from a minute to a day. Absent: every 5
    /// minutes at Cal.com, every 10 at Calendly.
    pub poll: Option<String>,
    /// A time such as `"2026-11-01T00:00:00Z"`: bookings that changed since then are read at the first poll. Absent: the
    /// first poll's own time, so that nothing older is taken in.
    pub since: Option<String>,
    /// Makes the webhook at the vendor, and mends it when it was disabled. Needs `[server] public_url`.
    #[serde(default = "yes")]
    pub webhook: bool,
    /// The vendor's own settings; see the page of the vendor.
    #[serde(default)]
    pub settings: BTreeMap<String, String>,
}

fn yes() -> bool {
    true
}

impl SourceApiConfig {
    /// What the grammar cannot say of it.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        if self.url.as_ref().is_some_and(|url| !limits::is_plain(url)) {
            bail!(
                "`url` is an http or https address without credentials, `?` and `#`, such as https://cal.example.com"
            );
        }
        self.every()?;
        self.since()?;
        Ok(())
    }

    /// How often the source is asked, where the operator says so.
    pub fn every(&self) -> anyhow::Result<Option<SignedDuration>> {
        let Some(text) = &self.poll else { return Ok(None) };
        let wrong = || format!("`poll` cannot be `{text}`; write a number with s, m or h, such as \"5m\"");
        let split = text.find(|c: char| !c.is_ascii_digit()).with_context(wrong)?;
        let (number, unit) = text.split_at(split);
        let seconds = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3_600,
            _ => bail!(wrong()),
        };
        let seconds = number.parse::<i64>().ok().and_then(|number| number.checked_mul(seconds)).with_context(wrong)?;
        if !POLL_SECONDS.contains(&seconds) {
            bail!("`poll` is {text}; write a time from \"1m\" to \"24h\"");
        }
        Ok(Some(SignedDuration::from_secs(seconds)))
    }

    /// From when on bookings are read, where the operator says so.
    pub fn since(&self) -> anyhow::Result<Option<Timestamp>> {
        let Some(text) = &self.since else { return Ok(None) };
        let time = text.parse().map_err(|_| {
            anyhow::anyhow!("`since` cannot be `{text}`; write a time in UTC such as \"2026-11-01T00:00:00Z\"")
        })?;
        Ok(Some(time))
    }
}
