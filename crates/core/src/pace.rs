//! How long to wait before the next call, so that a vendor's limit is kept and others are left their share of it. Pure: the
//! time is handed in, and nothing here waits.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};

#[cfg(test)]
mod tests;

/// The part of a limit that is left to the account's other programs: one call in so many, and one at least.
pub const SHARE_LEFT: u32 = 10;

/// Calls of our own that are remembered one by one. Where a limit allows more, its answers tell how many are left.
const REMEMBERED_MAX: usize = 1_000;

/// What vendors cut off when they tell seconds.
const ROUNDING: SignedDuration = SignedDuration::from_secs(1);

/// How many calls may be made in a span of time, as the vendor documents it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    pub calls: u32,
    pub span: SignedDuration,
    /// Whether other programs of the account call on the same allowance.
    pub shared: bool,
}

/// What an answer tells of its allowance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// Calls in the span.
    pub limit: u32,
    /// Those that are left of them, whoever made the others.
    pub left: u32,
    /// How long until the count starts afresh, in whole seconds; `None` where calls are forgotten one by one, or where it is
    /// not told.
    pub reset: Option<SignedDuration>,
}

/// The calls of one connection that count against one allowance.
#[derive(Debug)]
pub struct Pace {
    allowance: Allowance,
    /// Our own calls that may still count, each with the last moment at which it may have arrived, oldest first.
    own: VecDeque<(Call, Timestamp)>,
    last: u64,
    /// The calls of others that may still count, and until when.
    others: u32,
    others_until: Timestamp,
    /// When the vendor's count starts afresh.
    afresh: Option<Timestamp>,
}

/// A call of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call(u64);

impl Pace {
    /// Nothing was called yet.
    pub fn new(allowance: Allowance) -> Self {
        Self { allowance, own: VecDeque::new(), last: 0, others: 0, others_until: Timestamp::MIN, afresh: None }
    }

    /// How long to wait before the next call: never longer than the allowance's span.
    pub fn wait(&mut self, now: Timestamp) -> SignedDuration {
        self.forget(now);
        let (own, others) = (self.own.len(), count(self.others));
        let Some(over) = (own + others + 1).checked_sub(count(self.ours())).filter(|over| *over > 0) else {
            return SignedDuration::ZERO;
        };
        let span = self.allowance.span;
        // The moment at which so many of our own calls no longer count.
        let own_gone = |number: usize| match number.checked_sub(1) {
            None => Some(Timestamp::MIN),
            Some(at) => self.own.get(at).map(|(_, arrived)| later(*arrived, span)),
        };
        let alone = own_gone(over);
        let with_others = own_gone(over.saturating_sub(others)).map(|own| own.max(self.others_until));
        let next = [alone, with_others, self.afresh].into_iter().flatten().min();
        next.map_or(span, |next| next.duration_since(now)).clamp(SignedDuration::ZERO, span)
    }

    /// A call goes out.
    pub fn begin(&mut self, now: Timestamp) -> Call {
        self.last += 1;
        let call = Call(self.last);
        self.remember(call, now);
        call
    }

    /// It was answered: it arrived at some moment before. What the answer tells counts from here on.
    pub fn answered(&mut self, call: Call, now: Timestamp, told: Option<Told>) {
        self.forget(now);
        self.not_sent(call);
        self.remember(call, now);
        // What is longer than the span is another count, of which nobody waits for the end.
        let is_ours = |told: &Told| told.limit > 0 && told.reset.is_none_or(|reset| reset <= self.allowance.span);
        let Some(told) = told.filter(is_ours) else { return };
        self.allowance.calls = told.limit;
        let used = told.limit.saturating_sub(told.left);
        self.others = used.saturating_sub(u32::try_from(self.own.len()).unwrap_or(u32::MAX));
        self.others_until = later(now, self.allowance.span);
        self.afresh = told.reset.map(|reset| later(now, reset.max(SignedDuration::ZERO) + ROUNDING));
    }

    /// It never left, and counts for nobody.
    pub fn not_sent(&mut self, call: Call) {
        if let Some(at) = self.own.iter().rposition(|(own, _)| *own == call) {
            self.own.remove(at);
        }
    }

    /// How many calls are ours to make in a span.
    fn ours(&self) -> u32 {
        let calls = self.allowance.calls;
        let left = if self.allowance.shared { calls.div_ceil(SHARE_LEFT) } else { 0 };
        calls.saturating_sub(left).max(1)
    }

    fn remember(&mut self, call: Call, now: Timestamp) {
        if self.own.len() == REMEMBERED_MAX {
            self.own.pop_front();
        }
        self.own.push_back((call, now));
    }

    /// Drops what no longer counts, and what a clock that was set back would make count for longer than its span.
    fn forget(&mut self, now: Timestamp) {
        let span = self.allowance.span;
        let afresh = self.afresh.filter(|afresh| *afresh <= now);
        let counts = |arrived: Timestamp| arrived <= now && now < later(arrived, span);
        self.own.retain(|(_, arrived)| counts(*arrived) && afresh.is_none_or(|afresh| *arrived >= afresh));
        if afresh.is_some() || self.others_until <= now || later(now, span) < self.others_until {
            self.others = 0;
        }
        if afresh.is_some() || self.afresh.is_some_and(|afresh| later(now, span + ROUNDING) < afresh) {
            self.afresh = None;
        }
    }
}

fn later(now: Timestamp, span: SignedDuration) -> Timestamp {
    now.saturating_add(span).unwrap_or(Timestamp::MAX)
}

fn count(calls: u32) -> usize {
    usize::try_from(calls).unwrap_or(usize::MAX)
}
