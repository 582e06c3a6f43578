//! Seeds from zero on: nothing that is promised breaks, and every kind of fault has struck.

use super::{FOUND, seeds, threads};
use crate::{Campaign, Options, Reached, check};

/// From so many seeds on, every kind of fault must have struck and every rare place been reached.
const ENOUGH: u64 = 1000;

/// proves: sec:S39 (no customer's words go to another customer's org)
/// proves: V5, V1, V2, V3, B4, fault:C1, fault:C2, fault:C3, fault:N1, fault:N2, fault:N3, fault:N4, fault:N5, fault:N6,
/// fault:N9, fault:N10, fault:H1, fault:H2, fault:H3, fault:H4, fault:H5, fault:H6, fault:H7, fault:W1, fault:W2,
/// fault:W3, fault:W4, fault:W5, fault:W6, fault:W7, fault:W8, fault:T1, fault:T2, fault:T3, fault:T4, fault:K1,
/// fault:K2, fault:S4, fault:B2, fault:D1, fault:D3, fault:D6, fault:L1, fault:L2, fault:L3, fault:M1,
/// fault:M2, fault:M3, fault:S1, fault:S2, fault:S3
#[test]
fn no_seed_breaks_a_promise() {
    let campaign = Campaign { from: 0, seeds: seeds(), threads: threads(), options: Options::default() };
    let totals = campaign.run(&|_| ());
    let told: Vec<String> =
        totals.failures.iter().map(|failure| format!("{:?}\n  {}", failure.violations, failure.replay())).collect();
    assert!(told.is_empty(), "{} of {} seeds:\n{}", totals.failed, totals.seeds, told.join("\n"));
    assert_eq!(totals.seeds, seeds());
    if totals.seeds >= ENOUGH {
        assert!(totals.rare().is_empty(), "too rare: {:?}", totals.rare());
        let missed: Vec<_> = Reached::ALL.iter().filter(|place| !totals.reached.contains(place)).collect();
        assert!(missed.is_empty(), "never reached: {missed:?}");
    }
    println!("{} seeds, {} bookings, {} faults, no violation", totals.seeds, totals.bookings, totals.fired.total());
}

/// proves: V5: what once broke a promise does so no more.
#[test]
fn seeds_that_found_something_are_clean() {
    for seed in FOUND {
        let report = check(seed, &Options::default());
        assert!(report.violations.is_empty(), "seed {seed}: {:?}", report.violations);
    }
}
