//! Whoever follows what changed of late, page by page, and what has to hold whatever the vendor.

use std::collections::BTreeMap;

use jiff::Timestamp;
use syncline_connect::{Answered, Error, Recent};
use syncline_core::ids::RecordId;

/// Pages that a test reads at the most.
const PAGES_MAX: usize = 2_000;

/// What came, and for how many calls.
#[derive(Debug, Default)]
pub struct Followed {
    /// The last time that was told of each record.
    pub seen: BTreeMap<RecordId, Timestamp>,
    /// All rows, in the order in which they came.
    pub rows: Vec<(RecordId, Timestamp)>,
    pub calls: u32,
}

/// Reads from a moment to the end: each page in the order of change, and each that is not the last leads on. Between two
/// pages something may happen.
pub fn follow(
    since: Timestamp,
    mut ask: impl FnMut(Timestamp) -> Result<Answered<Recent>, Error>,
    mut between: impl FnMut(),
) -> Followed {
    let (mut followed, mut from) = (Followed::default(), since);
    for _ in 0..PAGES_MAX {
        let Answered { value: Recent { changed, more }, calls, .. } = ask(from).expect("the vendor answers");
        followed.calls += calls;
        assert!(changed.iter().all(|(_, at)| *at >= from), "older than {from}: {changed:?}");
        assert!(changed.is_sorted_by_key(|(_, at)| *at), "not in the order of change: {changed:?}");
        if more {
            let last = changed.last().expect("a page that is not the last has rows").1;
            assert!(last > from, "the reading does not get on from {from}");
            from = last;
        }
        followed.seen.extend(changed.iter().cloned());
        followed.rows.extend(changed);
        if !more {
            return followed;
        }
        between();
    }
    panic!("the reading does not end");
}
