//! A few short stories, killed at every single commit and call, before and after it.

use crate::{FaultSet, Options, run, run::Report};

/// Seeds whose stories, taken together, have every source and every kind of change.
const STORIES: [u64; 4] = [3, 11, 17, 29];

fn options(dies_at: Option<u64>) -> Options {
    Options { faults: FaultSet::NONE, processes: Some(1), workers: Some(1), dies_at, ..Options::default() }
}

fn assert_same(expected: &Report, found: &Report, what: &str) {
    assert!(found.violations.is_empty(), "{what}: {:?}", found.violations);
    assert_eq!(expected.holdings, found.holdings, "{what}");
}

/// proves: V1, BK5, fault:C1, fault:C2
#[test]
fn a_death_at_any_point_leaves_no_trace() {
    let mut points = 0;
    for seed in STORIES {
        let whole = run(seed, &options(None));
        assert!(whole.violations.is_empty(), "seed {seed}: {:?}", whole.violations);
        for point in 0..whole.points {
            let killed = run(seed, &options(Some(point)));
            assert_same(&whole, &killed, &format!("seed {seed} killed at point {point}"));
        }
        points += whole.points;
    }
    println!("killed at each of {points} points, K = {points}");
}
