//! Runs that differ in what must not matter end in the same state.

use super::seeds;
use crate::{Fault, FaultSet, Options, run};

/// One of so many seeds of the campaign is compared.
const ONE_OF: u64 = 40;

/// Far away from the campaign's seeds.
const FROM: u64 = 2_000_000;

fn compare(one: &Options, other: &Options) {
    for seed in FROM..FROM + (seeds() / ONE_OF).max(4) {
        let (one, other) = (run(seed, one), run(seed, other));
        assert!(one.violations.is_empty(), "seed {seed}: {:?}", one.violations);
        assert!(other.violations.is_empty(), "seed {seed}: {:?}", other.violations);
        assert_eq!(one.holdings, other.holdings, "seed {seed}");
    }
}

fn alone(faults: FaultSet) -> Options {
    Options { faults, processes: Some(1), workers: Some(1), ..Options::default() }
}

/// proves: B4, BK4, fault:W1, fault:W2
#[test]
fn order_and_repetition_do_not_matter() {
    let shuffled: FaultSet = [Fault::W1, Fault::W2, Fault::W3, Fault::W7].into_iter().collect();
    compare(&alone(FaultSet::NONE), &alone(shuffled));
}

/// proves: V1
#[test]
fn deaths_do_not_matter() {
    let deadly: FaultSet = [Fault::C1, Fault::C2, Fault::C3].into_iter().collect();
    compare(&alone(FaultSet::NONE), &alone(deadly));
}

/// proves: O2
#[test]
fn the_number_of_workers_does_not_matter() {
    let many = Options { faults: FaultSet::NONE, processes: Some(3), workers: Some(4), ..Options::default() };
    compare(&alone(FaultSet::NONE), &many);
}
