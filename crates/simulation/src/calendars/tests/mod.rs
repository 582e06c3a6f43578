//! What the simulation of calendars proves.
//!
//! The number of seeds is `SYNCLINE_SIM_CALENDAR_SEEDS`; without it a few, so that an ordinary test run stays short.

#[cfg(feature = "mutants")]
mod teeth;

use super::{Campaign, Options, run};

/// Seeds of the campaign where nobody says how many.
const SEEDS: u64 = 24;

/// From so many seeds on, every kind of fault and trouble must have struck.
const ENOUGH: u64 = 1000;

/// A place at a meeting that was deleted in Salesforce with its contact held up all further changes (54).
const FOUND: [u64; 1] = [54];

/// Far away from the campaign's seeds.
const TWICE_FROM: u64 = 1_000_000;
/// One of so many seeds of the campaign is run twice.
const TWICE_ONE_OF: u64 = 40;

fn seeds() -> u64 {
    std::env::var("SYNCLINE_SIM_CALENDAR_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(SEEDS)
}

/// proves: V5, C4, C5, C7, C8, C9, C10
#[test]
fn no_seed_breaks_a_promise() {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let totals = Campaign { from: 0, seeds: seeds(), threads, options: Options::default() }.run();
    assert_eq!(totals.failed, 0, "{}", totals.words());
    if totals.seeds >= ENOUGH {
        let rare = totals.rare();
        assert!(rare.is_empty(), "too rarely struck: {rare:?}");
    }
    println!("{}", totals.words());
}

/// Seeds that found a fault of the product, which is mended.
///
/// proves: V5, C9
#[test]
fn what_was_found_stays_mended() {
    for seed in FOUND {
        let report = run(seed, &Options::default());
        assert!(report.violations.is_empty(), "seed {seed}: {:?}", report.violations);
    }
}

/// proves: V5
#[test]
fn the_same_seed_gives_the_same_trace() {
    for seed in TWICE_FROM..TWICE_FROM + (seeds() / TWICE_ONE_OF).max(4) {
        let options = Options { trace: true, ..Options::default() };
        let (one, two) = (run(seed, &options), run(seed, &options));
        if one.trace != two.trace {
            let differs = one.trace.lines().zip(two.trace.lines()).find(|(one, two)| one != two);
            panic!("seed {seed} takes two ways: {differs:?}");
        }
        assert_eq!(one.digest, two.digest, "seed {seed}");
    }
}
