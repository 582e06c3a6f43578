//! How often may be called, and how many calls one mailbox takes at one time.

use std::collections::{BTreeMap, VecDeque};

use jiff::{SignedDuration, Timestamp};

use super::{answers::Refused, config::MicrosoftRates};

const SPAN: SignedDuration = SignedDuration::from_mins(10);

#[derive(Debug)]
pub(super) struct Rates {
    pub(super) limits: MicrosoftRates,
    calls: BTreeMap<String, VecDeque<Timestamp>>,
}

impl Rates {
    pub(super) fn new(limits: MicrosoftRates) -> Self {
        Self { limits, calls: BTreeMap::new() }
    }

    /// Counts a call, unless it is one too many.
    pub(super) fn count(&mut self, now: Timestamp, user: &str) -> Result<(), Refused> {
        let own = self.calls.entry(user.to_owned()).or_default();
        while own.front().is_some_and(|at| now.duration_since(*at) >= SPAN) {
            own.pop_front();
        }
        if own.len() >= self.limits.per_ten_minutes as usize {
            let free = own.front().map_or(SPAN, |at| SPAN - now.duration_since(*at));
            return Err(Refused::throttled("ApplicationThrottled", free.as_secs().max(1)));
        }
        let busy = own.iter().rev().take_while(|at| now.duration_since(**at) < self.limits.call_takes).count();
        if busy >= self.limits.at_once as usize {
            let seconds = self.limits.call_takes.as_secs().max(1);
            return Err(Refused::throttled("MailboxConcurrency", seconds));
        }
        own.push_back(now);
        Ok(())
    }
}
