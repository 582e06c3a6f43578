//! Gates that count: a token bucket for webhooks, a throttle for failed sign-ins. Time is handed in.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{
        Mutex,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};

/// Addresses that the throttle remembers; when there are more, all share one count until the minute is over.
const THROTTLED_ADDRESSES_MAX: usize = 1024;

/// The span in which failed sign-ins are counted.
const THROTTLE_SPAN: SignedDuration = SignedDuration::from_mins(1);

/// A token bucket in one number (the generic cell rate algorithm): the time at which it will be full again.
pub(crate) struct Bucket {
    full_again_us: AtomicI64,
    interval_us: i64,
    burst_us: i64,
}

impl Bucket {
    pub(crate) fn new(per_second: u32, burst: u32) -> Self {
        // Rounded up to whole microseconds: never more than asked for.
        let interval_us = i64::from(1_000_000_u32.div_ceil(per_second.max(1)));
        Self { full_again_us: AtomicI64::new(i64::MIN), interval_us, burst_us: interval_us * i64::from(burst.max(1)) }
    }

    /// Takes one, or says how long to wait.
    pub(crate) fn take(&self, now: Timestamp) -> Result<(), Duration> {
        let now_us = now.as_microsecond();
        let mut wait_us = 0;
        let taken = self.full_again_us.fetch_update(Ordering::AcqRel, Ordering::Acquire, |full_again_us| {
            let next = full_again_us.max(now_us) + self.interval_us;
            wait_us = next - now_us - self.burst_us;
            (wait_us <= 0).then_some(next)
        });
        taken.map(drop).map_err(|_| Duration::from_micros(wait_us.unsigned_abs()))
    }
}

/// Counts failures by address within a minute.
pub(crate) struct Throttle {
    limit: u32,
    failures: Mutex<Failures>,
}

#[derive(Default)]
struct Failures {
    since: Option<Timestamp>,
    by_address: HashMap<Option<IpAddr>, u32>,
}

impl Throttle {
    pub(crate) fn new(limit: u32) -> Self {
        Self { limit: limit.max(1), failures: Mutex::default() }
    }

    /// Whether this address may try. Those that nobody knows the address of share one count.
    pub(crate) fn allows(&self, address: Option<IpAddr>, now: Timestamp) -> bool {
        let failures = self.lock(now);
        let counted = failures.counted(address);
        failures.by_address.get(&counted).is_none_or(|count| *count < self.limit)
    }

    /// Notes a failure.
    pub(crate) fn failed(&self, address: Option<IpAddr>, now: Timestamp) {
        let mut failures = self.lock(now);
        let counted = failures.counted(address);
        let count = failures.by_address.entry(counted).or_default();
        *count = count.saturating_add(1);
    }

    fn lock(&self, now: Timestamp) -> std::sync::MutexGuard<'_, Failures> {
        let mut failures = self.failures.lock().expect("no code panics while it holds this lock");
        if failures.since.is_none_or(|since| now.duration_since(since) >= THROTTLE_SPAN) {
            failures.by_address.clear();
            failures.since = Some(now);
        }
        failures
    }
}

impl Failures {
    fn counted(&self, address: Option<IpAddr>) -> Option<IpAddr> {
        let room = self.by_address.len() < THROTTLED_ADDRESSES_MAX || self.by_address.contains_key(&address);
        address.filter(|_| room)
    }
}

#[cfg(test)]
mod tests;
