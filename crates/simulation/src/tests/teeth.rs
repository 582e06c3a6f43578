//! Faults put into the product's own safety code are found, each within a stated number of seeds; the same seeds
//! without such a fault are clean.

use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering},
};

use syncline_core::mutant::{self, Mutant};

use super::threads;
use crate::{Options, Violation, check};

/// Seeds within which a mutant must be found.
const SEEDS: u64 = 200;

/// So many of the mutants must be found. A lease that is too short shows only where a second worker comes in between.
const FOUND_LEAST: usize = 12;

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
    let (next, most, missed) = (AtomicUsize::new(0), Mutex::new(1), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..threads() {
            scope.spawn(|| {
                while let Some(mutant) = Mutant::ALL.get(next.fetch_add(1, Ordering::Relaxed)) {
                    match first_violation(Some(*mutant), SEEDS) {
                        Some((seeds, violation)) => {
                            let mut most = most.lock().unwrap();
                            *most = seeds.max(*most);
                            let text: String = violation.text.chars().take(120).collect();
                            println!("{mutant:?}: found by {} after {seeds} seeds: {text}", violation.invariant);
                        }
                        None => missed.lock().unwrap().push(*mutant),
                    }
                }
            });
        }
    });
    let missed = missed.into_inner().unwrap();
    println!("not found in {SEEDS} seeds: {missed:?}");
    assert!(Mutant::ALL.len() - missed.len() >= FOUND_LEAST, "not found in {SEEDS} seeds: {missed:?}");
    let clean = first_violation(None, most.into_inner().unwrap());
    assert!(clean.is_none(), "without a mutant: {clean:?}");
}
