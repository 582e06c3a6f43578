//! Addresses that are passed on or swapped.

use std::collections::BTreeSet;

use proptest::prelude::*;

use crate::{
    merge::{Exchange, Turn, turns},
    record::Value,
};

fn told(writes: &[(&str, &str)]) -> Vec<Turn> {
    let values: Vec<(Value, Value)> = writes.iter().map(|(a, b)| (Value::text(*a), Value::text(*b))).collect();
    turns(&values.iter().map(|(seen, target)| Exchange { seen, target }).collect::<Vec<_>>())
}

/// proves: R15
#[test]
fn swaps_are_seen_and_chains_are_put_in_order() {
    assert_eq!(told(&[("a", "b"), ("b", "c"), ("c", "d")]), [Turn::After(1), Turn::After(2), Turn::First]);
    assert_eq!(told(&[("a", "B"), ("b", "a"), ("x", "y")]), [Turn::Circle, Turn::Circle, Turn::First]);
    assert_eq!(told(&[("a", "b"), ("b", "c"), ("c", "b")]), [Turn::After(1), Turn::Circle, Turn::Circle]);
    assert_eq!(told(&[("a", "A")]), [Turn::First]);
}

proptest! {
    #![proptest_config(crate::cases::cases(256))]

    /// Done in these turns, no two records ever bear one address, whatever is exchanged between different ones.
    /// proves: R15
    #[test]
    fn no_two_ever_bear_the_same(targets in prop::collection::vec(0..12_usize, 1..8)) {
        let mut seen = BTreeSet::new();
        let writes: Vec<(String, String)> = targets
            .iter()
            .enumerate()
            .filter(|(_, target)| seen.insert(**target))
            .map(|(place, target)| (place.to_string(), target.to_string()))
            .collect();
        let pairs: Vec<(&str, &str)> = writes.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        let turns = told(&pairs);
        let mut borne: Vec<&str> = pairs.iter().map(|(seen, _)| *seen).collect();
        let mut done = vec![false; pairs.len()];
        for _ in 0..pairs.len() {
            for place in 0..pairs.len() {
                let free = match turns[place] {
                    Turn::First => true,
                    Turn::After(other) => done[other],
                    Turn::Circle => false,
                };
                if free && !done[place] {
                    let target = pairs[place].1;
                    let taken = borne.iter().enumerate().any(|(at, value)| at != place && *value == target);
                    prop_assert!(!taken, "{target} is taken in {pairs:?}");
                    (borne[place], done[place]) = (target, true);
                }
            }
        }
        for (place, turn) in turns.iter().enumerate() {
            let waits_for_circle = |mut at: usize| {
                while let Turn::After(next) = turns[at] {
                    at = next;
                }
                turns[at] == Turn::Circle
            };
            prop_assert!(done[place] || *turn == Turn::Circle || waits_for_circle(place), "{place} of {pairs:?}");
        }
    }
}
