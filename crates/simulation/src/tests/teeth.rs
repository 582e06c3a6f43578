//! Faults put into the product's own safety code are found, each within a stated number of seeds; the same seeds
//! without such a fault are clean.

use syncline_core::mutant::{self, Mutant};

use crate::{Options, Violation, check};

/// Seeds within which every mutant must be found.
const SEEDS: u64 = 200;

/// Where they begin.
const FROM: u64 = 3_000_000;

/// The first violation of a mutant, and how many seeds it took.
fn first_violation(mutant: Option<Mutant>, seeds: u64) -> Option<(u64, Violation)> {
    mutant::choose(mutant);
    let found = (0..seeds).find_map(|number| {
        let report = check(FROM + number, &Options::default());
        report.violations.into_iter().next().map(|violation| (number + 1, violation))
    });
    mutant::choose(None);
    found
}

/// proves: V5
#[test]
fn every_mutant_is_found() {
    let mut most = 1;
    let mut missed = Vec::new();
    for mutant in Mutant::ALL {
        match first_violation(Some(mutant), SEEDS) {
            Some((seeds, violation)) => {
                most = most.max(seeds);
                println!("{mutant:?}: found by {} after {seeds} seeds: {}", violation.invariant, violation.text);
            }
            None => {
                println!("{mutant:?}: NOT found in {SEEDS} seeds");
                missed.push(mutant);
            }
        }
    }
    assert!(missed.is_empty(), "not found in {SEEDS} seeds: {missed:?}");
    let clean = first_violation(None, most);
    assert!(clean.is_none(), "without a mutant: {clean:?}");
}
