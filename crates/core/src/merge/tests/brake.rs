//! The brake on deletions.

use proptest::prelude::*;

use crate::merge::{DELETES_FREE, DELETES_PERCENT, too_many_deletes};

proptest! {
    #![proptest_config(crate::cases::cases(256))]

    /// However many records there are, and in whatever waves their deletions arrive within a day, no more of them go than
    /// may go at once; and where all go at once, none does.
    ///
    /// proves: R16
    #[test]
    fn waves_take_no_more_than_one_deletion_may(links in 1..400_000_u64, waves in prop::collection::vec(1..9_000_u64, 1..80)) {
        let mut gone = 0;
        for wave in waves {
            let wave = wave.min(links - gone);
            if wave == 0 || too_many_deletes(wave, gone, links - gone) {
                break;
            }
            gone += wave;
        }
        prop_assert!(gone <= DELETES_FREE.max(links * DELETES_PERCENT / 100), "{gone} of {links}");
        prop_assert_eq!(too_many_deletes(links, 0, links), links > DELETES_FREE);
    }
}
