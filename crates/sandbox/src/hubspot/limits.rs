//! How often may be called: in ten rolling seconds, in a day, and searches in a second.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;
use http::{HeaderName, Response};
use jiff::tz::TimeZone;
use serde_json::{Map, json};

use super::{
    config::{HubSpotConfig, HubSpotRates},
    error::Failure,
    oauth::Caller,
    time::next_midnight,
};
use crate::web::set;

const SECOND: i64 = 1000;
const TEN_SECONDS: i64 = 10 * SECOND;

#[derive(Debug)]
pub(super) struct Limits {
    pub(super) rates: HubSpotRates,
    /// Calls of the last ten seconds, by app.
    rolling: HashMap<u64, VecDeque<i64>>,
    /// Searches of the last second, by token.
    searches: HashMap<String, VecDeque<i64>>,
    /// When the day ends, and how many calls there were in it.
    day_ends: i64,
    day_calls: u32,
}

/// Why a call is one too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Policy {
    TenSeconds,
    Daily,
    Search,
}

impl Policy {
    /// The two shapes of the answer: by the documents, and as searches were recorded in 2022.
    pub(super) fn failure(self) -> Failure {
        let (name, period) = match self {
            Self::TenSeconds => ("TEN_SECONDLY_ROLLING", "ten_secondly_rolling"),
            Self::Daily => ("DAILY", "daily"),
            Self::Search => return Failure::new(429, "RATE_LIMITS", "You have reached your secondly limit."),
        };
        let extra: Map<_, _> = [("errorType", "RATE_LIMIT"), ("policyName", name)]
            .map(|(key, value)| (key.to_owned(), json!(value)))
            .into_iter()
            .collect();
        Failure {
            extra: Some(Box::new(extra)),
            ..Failure::new(429, "", format!("You have reached your {period} limit."))
        }
    }
}

/// What a call's answer says about the limits.
#[derive(Debug)]
pub(super) struct Allowance {
    pub(super) refused: Option<Policy>,
    interval: Option<(u32, u32)>,
    daily: Option<(u32, u32)>,
}

fn forget(calls: &mut VecDeque<i64>, before: i64) {
    while calls.front().is_some_and(|at| *at <= before) {
        calls.pop_front();
    }
}

fn left(limit: u32, used: usize) -> u32 {
    limit.saturating_sub(u32::try_from(used).unwrap_or(u32::MAX))
}

impl Limits {
    pub(super) fn new(rates: HubSpotRates) -> Self {
        Self { rates, rolling: HashMap::new(), searches: HashMap::new(), day_ends: i64::MIN, day_calls: 0 }
    }

    /// How many calls there were today, and when the day ends.
    pub(super) fn day(&self, now: i64, config: &HubSpotConfig) -> (u32, i64) {
        if now < self.day_ends { (self.day_calls, self.day_ends) } else { (0, day_end(now, config)) }
    }

    /// Counts a call, unless it is one too many. A search counts against its own limit and the day's.
    pub(super) fn count(&mut self, caller: &Caller, is_search: bool, now: i64, config: &HubSpotConfig) -> Allowance {
        if now >= self.day_ends {
            self.day_ends = day_end(now, config);
            self.day_calls = 0;
            // Tokens come and go.
            self.searches.retain(|_, calls| calls.back().is_some_and(|at| *at > now - SECOND));
        }
        let rates = self.rates;
        let (calls, limit, span) = if is_search {
            (self.searches.entry(caller.token.clone()).or_default(), rates.searches_per_second, SECOND)
        } else {
            let limit = if caller.private { rates.private_per_ten_seconds } else { rates.oauth_per_ten_seconds };
            (self.rolling.entry(caller.app_id).or_default(), limit, TEN_SECONDS)
        };
        forget(calls, now - span);
        let refused = if caller.private && self.day_calls >= rates.daily {
            Some(Policy::Daily)
        } else if left(limit, calls.len()) == 0 {
            Some(if is_search { Policy::Search } else { Policy::TenSeconds })
        } else {
            calls.push_back(now);
            self.day_calls += u32::from(caller.private);
            None
        };
        Allowance {
            refused,
            interval: (!is_search && refused.is_none()).then(|| (limit, left(limit, calls.len()))),
            daily: caller.private.then(|| (rates.daily, rates.daily.saturating_sub(self.day_calls))),
        }
    }
}

fn day_end(now: i64, config: &HubSpotConfig) -> i64 {
    next_midnight(now, &TimeZone::get(&config.time_zone).unwrap_or(TimeZone::UTC))
}

impl Allowance {
    /// Answers to searches and to one call too many say nothing of intervals, and OAuth apps hear nothing of the day
    /// (recorded 2022 and 2026).
    pub(super) fn tell(&self, response: &mut Response<Bytes>) {
        let mut say = |name: &'static str, value: u32| {
            set(response, HeaderName::from_static(name), &value.to_string());
        };
        if let Some((limit, left)) = self.daily {
            say("x-hubspot-ratelimit-daily", limit);
            say("x-hubspot-ratelimit-daily-remaining", left);
        }
        if let Some((limit, left)) = self.interval {
            say("x-hubspot-ratelimit-interval-milliseconds", TEN_SECONDS as u32);
            say("x-hubspot-ratelimit-max", limit);
            say("x-hubspot-ratelimit-remaining", left);
            say("x-hubspot-ratelimit-secondly", limit / 10);
            say("x-hubspot-ratelimit-secondly-remaining", (limit / 10).min(left));
        }
    }
}
