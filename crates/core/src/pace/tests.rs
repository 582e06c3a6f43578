//! Paces against models of the limiters that vendors document: a window that rolls, and windows that begin anew.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;

const START: i64 = 1_778_068_800_000;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(START + millis).unwrap()
}

fn millis(span: SignedDuration) -> i64 {
    i64::try_from(span.as_millis()).unwrap()
}

/// How a vendor counts, and what its answers tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Every call counts for a span (HubSpot).
    Rolling,
    /// Whole spans of the vendor's clock (ActiveCampaign's seconds).
    Whole,
    /// The same, and answers tell in how many seconds the next one begins (Brevo's seconds and hours).
    Told,
}

struct Limiter {
    kind: Kind,
    limit: u32,
    span: i64,
    calls: VecDeque<i64>,
}

impl Limiter {
    /// Whether a call is one too many, and what its answer tells.
    fn count(&mut self, now: i64) -> (bool, Told) {
        let began = now - now.rem_euclid(self.span);
        let counts = |call: &i64| if self.kind == Kind::Rolling { *call > now - self.span } else { *call >= began };
        self.calls.retain(counts);
        let limit = usize::try_from(self.limit).unwrap();
        let refused = self.calls.len() >= limit;
        if !refused {
            self.calls.push_back(now);
        }
        let left = u32::try_from(limit - self.calls.len()).unwrap();
        let reset = SignedDuration::from_secs((began + self.span - now) / 1_000);
        (refused, Told { limit: self.limit, left, reset: (self.kind == Kind::Told).then_some(reset) })
    }
}

fn limits() -> impl Strategy<Value = (Kind, u32, i64)> {
    prop_oneof![
        (Just(Kind::Rolling), 1_u32..40, Just(10_000_i64)),
        (Just(Kind::Rolling), 1_u32..6, Just(1_000)),
        (Just(Kind::Whole), 1_u32..8, Just(1_000)),
        (Just(Kind::Told), 1_u32..15, Just(1_000)),
        (Just(Kind::Told), 1_u32..40, Just(3_600_000)),
    ]
}

fn pace(limit: u32, span: i64, shared: bool) -> Pace {
    Pace::new(Allowance { calls: limit, span: SignedDuration::from_millis(span), shared })
}

proptest! {
    /// proves: R19, V4
    ///
    /// Whoever waits as long as the pace says is never refused, however long answers take to come and go, and whatever is
    /// known of the limit beforehand.
    #[test]
    fn no_call_is_one_too_many(
        (kind, limit, span) in limits(),
        known in 1_u32..40,
        shared in any::<bool>(),
        delays in prop::collection::vec((0_i64..700, 0_i64..250, 0_i64..250), 1..300),
    ) {
        let mut limiter = Limiter { kind, limit, span, calls: VecDeque::new() };
        let mut pace = pace(known.min(limit), span, shared);
        let mut now = 0;
        for (pause, there, back) in delays {
            now += pause / 10;
            now += millis(pace.wait(at(now)));
            prop_assert_eq!(pace.wait(at(now)), SignedDuration::ZERO);
            let call = pace.begin(at(now));
            now += there;
            let (refused, told) = limiter.count(now);
            prop_assert!(!refused, "at {now} ms");
            now += back;
            pace.answered(call, at(now), Some(told));
        }
    }

    /// proves: R19, V4
    ///
    /// Where others call on the same allowance, a call of ours is only refused where they made more calls, since an answer
    /// told of them, than are left to them.
    #[test]
    fn others_keep_their_share(
        (kind, limit, span) in limits().prop_filter("whole seconds tell too little", |(kind, _, span)| {
            *kind == Kind::Rolling || *span > 1_000
        }),
        steps in prop::collection::vec((prop_oneof![9 => 0_i64..400, 1 => 0_i64..4_000_000], 0_u32..4), 1..300),
    ) {
        let mut limiter = Limiter { kind, limit, span, calls: VecDeque::new() };
        let mut pace = pace(limit, span, true);
        let share = limit.div_ceil(SHARE_LEFT);
        let (mut now, mut since) = (0, u32::MAX);
        for (pause, calls) in steps {
            now += pause;
            for _ in 0..calls {
                limiter.count(now);
                since = since.saturating_add(1);
            }
            if pace.wait(at(now)) > SignedDuration::ZERO {
                continue;
            }
            let call = pace.begin(at(now));
            let (refused, told) = limiter.count(now);
            if refused {
                prop_assert!(since >= share, "at {now} ms");
                break;
            }
            pace.answered(call, at(now), Some(told));
            since = 0;
        }
    }

    /// While plenty is left nobody waits.
    #[test]
    fn nobody_waits_while_plenty_is_left(limit in 2_u32..1_000, left in 0_u32..1_000, span in 1_000_i64..100_000) {
        let share = limit.div_ceil(SHARE_LEFT);
        prop_assume!(left > share && left < limit);
        let mut pace = pace(limit, span, true);
        let call = pace.begin(at(0));
        pace.answered(call, at(5), Some(Told { limit, left, reset: None }));
        prop_assert_eq!(pace.wait(at(5)), SignedDuration::ZERO);
    }

    /// Whatever headers tell, and however the clock is set, nobody is made to wait for longer than the span, nor twice in a
    /// row for longer than that.
    #[test]
    fn a_lie_stops_nobody_for_longer_than_the_span(
        span in 1_000_i64..3_600_000,
        lies in prop::collection::vec(
            (-100_000_i64..100_000, 0_u32..=u32::MAX, 0_u32..=u32::MAX, prop::option::of(any::<i64>()), 0_u32..20),
            1..60,
        ),
    ) {
        let mut pace = pace(5, span, true);
        let mut now = 0;
        for (jump, limit, left, reset, calls) in lies {
            now += jump;
            for told in std::iter::once(Some((limit, left))).chain((0..calls).map(|_| None)) {
                let call = pace.begin(at(now));
                let told = told.map(|(limit, left)| Told { limit: limit >> (left % 32), left, reset: reset.map(SignedDuration::from_secs) });
                pace.answered(call, at(now), told);
            }
            let wait = millis(pace.wait(at(now)));
            prop_assert!(wait <= span);
            prop_assert_eq!(pace.wait(at(now + span)), SignedDuration::ZERO);
        }
    }
}

/// Calls of our own are spread by the count alone where answers tell nothing, as with searches.
#[test]
fn what_is_documented_holds_where_nothing_is_told() {
    let mut pace = pace(4, 1_000, false);
    for call in 0..4 {
        assert_eq!(pace.wait(at(call * 10)), SignedDuration::ZERO);
        let call_id = pace.begin(at(call * 10));
        pace.answered(call_id, at(call * 10), None);
    }
    assert_eq!(pace.wait(at(100)), SignedDuration::from_millis(900));
    assert_eq!(pace.wait(at(1_000)), SignedDuration::ZERO);
}

/// A call that never left is nobody's.
#[test]
fn what_never_left_is_not_counted() {
    let mut pace = pace(1, 3_600_000, false);
    let call = pace.begin(at(0));
    assert!(pace.wait(at(0)) > SignedDuration::ZERO);
    pace.not_sent(call);
    assert_eq!(pace.wait(at(0)), SignedDuration::ZERO);
}
