//! Webhooks on their way from an account to its subscribers: what is due, and when a failed one is tried again. When
//! that is, each vendor says.

use std::collections::VecDeque;

use jiff::Timestamp;

/// Deliveries that may wait at one time; the oldest are lost beyond, as with a vendor whose queue overflows.
const MAX_WAITING: usize = 200_000;

/// A webhook that is ready to be sent: the caller decides whether it arrives, twice, late, or never.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookDelivery {
    /// The number of its subscription.
    pub hook: u64,
    pub url: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Counts the tries from 1.
    pub attempt: u32,
}

/// Those that wait, in the order in which they were sent off.
#[derive(Debug, Default)]
pub(crate) struct Waiting(VecDeque<(Timestamp, HookDelivery)>);

impl Waiting {
    pub(crate) fn push(&mut self, due: Timestamp, delivery: HookDelivery) {
        if self.0.len() >= MAX_WAITING {
            self.0.pop_front();
        }
        self.0.push_back((due, delivery));
    }

    /// Takes those that are due.
    pub(crate) fn take(&mut self, now: Timestamp) -> Vec<HookDelivery> {
        let (due, later) = std::mem::take(&mut self.0).into_iter().partition(|(at, _)| *at <= now);
        self.0 = later;
        due.into_iter().map(|(_, delivery): (Timestamp, HookDelivery)| delivery).collect()
    }

    /// Forgets those of a subscription.
    pub(crate) fn forget(&mut self, hook: u64) {
        self.0.retain(|(_, delivery)| delivery.hook != hook);
    }
}
