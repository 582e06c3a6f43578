//! Backoff stays within its bounds, grows, and spreads.

use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn a_delay_lies_between_the_least_and_the_ceiling(attempt in any::<u32>(), random in any::<u64>()) {
        let delay = next_delay(attempt, random);
        prop_assert!(delay >= DELAY_MIN);
        prop_assert!(delay <= ceiling(attempt));
        prop_assert!(ceiling(attempt) <= DELAY_MAX);
    }

    #[test]
    fn the_ceiling_never_falls(attempt in 0..u32::MAX) {
        prop_assert!(ceiling(attempt) <= ceiling(attempt + 1));
    }

    #[test]
    fn a_greater_draw_never_waits_less(attempt in 0_u32..100, a in any::<u64>(), b in any::<u64>()) {
        let (low, high) = (a.min(b), a.max(b));
        prop_assert!(next_delay(attempt, low) <= next_delay(attempt, high));
    }

    #[test]
    fn retry_after_is_obeyed_within_a_day(seconds in any::<i64>()) {
        let asked = SignedDuration::from_secs(seconds);
        let waited = capped(asked);
        prop_assert!((DELAY_MIN..=RETRY_AFTER_MAX).contains(&waited));
        if (DELAY_MIN..=RETRY_AFTER_MAX).contains(&asked) {
            prop_assert_eq!(waited, asked);
        }
    }
}

#[test]
fn the_whole_span_is_used() {
    for attempt in [0, 1, 2, 5, 9, 10, 11, 31, 32, 33, u32::MAX] {
        assert_eq!(next_delay(attempt, 0), DELAY_MIN);
        assert_eq!(next_delay(attempt, u64::MAX), ceiling(attempt));
    }
}

#[test]
fn the_ceiling_doubles_until_it_is_reached() {
    let ceilings: Vec<i64> = (0..=11).map(|attempt| ceiling(attempt).as_secs()).collect();
    assert_eq!(ceilings, [2, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]);
}

#[test]
fn draws_are_spread_evenly() {
    let ceiling = ceiling(8);
    let step = u64::MAX / 1000;
    let below_half = (0..1000).filter(|n| next_delay(8, n * step) * 2 < ceiling).count();
    assert!((490..=510).contains(&below_half), "{below_half} of 1000 draws lie in the lower half");
}
