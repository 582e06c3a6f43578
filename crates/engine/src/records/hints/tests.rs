//! Which hints count for whom.

use std::collections::BTreeSet;

use syncline_connect::Hint;

use super::{Gathered, HINTS_MAX};

fn record(kind: &str, id: &str, ours: bool) -> Hint {
    Hint::Record { kind: kind.to_owned(), id: id.into(), ours }
}

/// Each record once, of the kinds that take part; our own writes only where another has an interest in them.
#[test]
fn hints_are_put_together_by_kind() {
    let kinds = BTreeSet::from(["contact"]);
    let hints = [
        record("contact", "1", false),
        record("contact", "1", false),
        record("contact", "2", true),
        record("deal", "3", false),
    ];
    let alone = Gathered::of(&hints, &kinds, false);
    assert_eq!(alone.records["contact"], BTreeSet::from(["1".into()]));
    assert!(alone.kinds.is_empty() && alone.records.len() == 1);
    let shared = Gathered::of(&hints, &kinds, true);
    assert_eq!(shared.records["contact"], BTreeSet::from(["1".into(), "2".into()]));
    let all = Gathered::of(&[Hint::Everything], &kinds, false);
    assert_eq!(all.kinds, BTreeSet::from(["contact".to_owned()]));
    assert!(Gathered::of(&[Hint::Kind { kind: "deal".into() }], &kinds, true).is_empty());
}

/// A flood is one question for what changed, and no list of ids.
#[test]
fn a_flood_of_hints_is_a_page_to_read() {
    let kinds = BTreeSet::from(["contact"]);
    let hints: Vec<Hint> = (0..=HINTS_MAX).map(|n| record("contact", &n.to_string(), false)).collect();
    let gathered = Gathered::of(&hints, &kinds, false);
    assert!(gathered.records.is_empty());
    assert_eq!(gathered.kinds, BTreeSet::from(["contact".to_owned()]));
}
