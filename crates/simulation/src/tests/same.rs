//! The same seed gives the same trace and the same journal, byte for byte.

use super::seeds;
use crate::{Options, run};

/// One of so many seeds of the campaign is run twice.
const ONE_OF: u64 = 20;

/// Far away from the campaign's seeds.
const FROM: u64 = 1_000_000;

/// proves: V5
#[test]
fn the_same_seed_gives_the_same_trace() {
    for seed in FROM..FROM + (seeds() / ONE_OF).max(4) {
        let options = Options { trace: true, ..Options::default() };
        let (one, two) = (run(seed, &options), run(seed, &options));
        assert!(one.trace.contains("journal ws"), "seed {seed} wrote no journal");
        if one.trace != two.trace {
            let differs = one.trace.lines().zip(two.trace.lines()).find(|(one, two)| one != two);
            panic!("seed {seed} takes two ways: {differs:?}");
        }
        assert_eq!(one.digest, two.digest, "seed {seed}");
    }
}
