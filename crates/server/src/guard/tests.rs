//! The gates hold what they promise over any course of time.

use proptest::prelude::*;

use super::*;

fn at(us: i64) -> Timestamp {
    Timestamp::from_microsecond(1_800_000_000_000_000 + us).unwrap()
}

proptest! {
    /// Over any stretch, a bucket gives at most its burst and what flowed in meanwhile; what it says to wait suffices.
    #[test]
    fn a_bucket_keeps_its_rate(per_second in 1_u32..2000, burst in 1_u32..50, pauses in proptest::collection::vec(0_i64..20_000, 1..200)) {
        let bucket = Bucket::new(per_second, burst);
        let mut now_us = 0;
        let mut taken = 0_i64;
        for pause_us in pauses {
            now_us += pause_us;
            match bucket.take(at(now_us)) {
                Ok(()) => taken += 1,
                Err(wait) => {
                    let wait_us = i64::try_from(wait.as_micros()).unwrap();
                    prop_assert!(wait_us > 0);
                    prop_assert!(bucket.take(at(now_us + wait_us - 1)).is_err(), "not a moment too long");
                    now_us += wait_us;
                    prop_assert!(bucket.take(at(now_us)).is_ok());
                    taken += 1;
                }
            }
            prop_assert!(taken <= i64::from(burst) + now_us * i64::from(per_second) / 1_000_000 + 1);
        }
    }
}

#[test]
fn a_burst_may_come_at_once() {
    let bucket = Bucket::new(1, 5);
    assert_eq!((0..10).filter(|_| bucket.take(at(0)).is_ok()).count(), 5);
}

/// proves: sec:S48 (the throttle: who guesses locks out nobody else)
#[test]
fn failures_count_by_address_and_for_a_minute() {
    let throttle = Throttle::new(2);
    let (one, two) = (Some("192.0.2.1".parse().unwrap()), Some("192.0.2.2".parse().unwrap()));
    throttle.failed(one, at(0));
    assert!(throttle.allows(one, at(1)));
    throttle.failed(one, at(1));
    assert!(!throttle.allows(one, at(2)) && throttle.allows(two, at(2)) && throttle.allows(None, at(2)));
    assert!(throttle.allows(one, at(60_000_000)));
}

#[test]
fn more_addresses_than_are_remembered_share_one_count() {
    let throttle = Throttle::new(2);
    for number in 0..(THROTTLED_ADDRESSES_MAX as u32 + 2) {
        throttle.failed(Some(IpAddr::V4(number.into())), at(0));
    }
    let unseen = Some("203.0.113.9".parse().unwrap());
    assert!(!throttle.allows(unseen, at(1)));
    assert!(throttle.lock(at(1)).by_address.len() <= THROTTLED_ADDRESSES_MAX + 1);
}
