//! When a token is renewed.

use super::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_772_000_000 + seconds).expect("a time of this century")
}

/// Whatever a machine's clock says, within five minutes, it does not call with a token that has run out.
///
/// proves: sec:S19
#[test]
fn a_token_is_renewed_before_it_ends_on_every_clock() {
    for life in [1, 30, 300, 1_800, 7_200, 86_400] {
        let end = at(life);
        for spread in [0, 1, 119] {
            let renewed = renew_at(end, None, SignedDuration::from_secs(spread));
            assert!(renewed <= end - EXPIRY_MARGIN, "{life} s: a clock that is five minutes slow is in time");
            assert!(renewed >= end - EXPIRY_MARGIN - RENEWALS_SPREAD, "{life} s: not much too early either");
        }
    }
}

/// A token that lives no longer than the margin serves its time: it is not renewed with each call.
///
/// proves: sec:S19
#[test]
fn a_short_token_is_good_for_most_of_its_life() {
    for life in [10, 60, 300, 360, 1_800, 7_200] {
        let renewed = renew_at(at(life), Some(at(0)), RENEWALS_SPREAD);
        assert!(renewed < at(life), "{life} s: before its end");
        assert!(renewed >= at(life - life / 5), "{life} s: after four fifths of its life");
    }
    assert_eq!(renew_at(at(7_200), Some(at(0)), SignedDuration::ZERO), at(7_200 - 300));
    // A vendor whose token has run out already is asked again, not called with it.
    assert!(renew_at(at(-10), Some(at(0)), SignedDuration::ZERO) <= at(0));
}
