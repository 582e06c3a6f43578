//! A few short stories, killed at every single commit and call, before and after it.

use crate::{FaultSet, Options, run, run::Report};

/// So many stories are killed at every point: the first ones that have no more points than this.
const STORIES: usize = 3;
const POINTS_MAX: u64 = 250;

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
    let stories = (0..).map(|seed| (seed, run(seed, &options(None))));
    for (seed, whole) in stories.filter(|(_, whole)| whole.points <= POINTS_MAX).take(STORIES) {
        assert!(whole.violations.is_empty(), "seed {seed}: {:?}", whole.violations);
        for point in 0..whole.points {
            let killed = run(seed, &options(Some(point)));
            assert_same(&whole, &killed, &format!("seed {seed} killed at point {point}"));
        }
        points += whole.points;
    }
    println!("killed at each of {points} points, K = {points}");
}
