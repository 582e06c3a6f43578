//! Faults put into the product's own safety code are found, each by a promise that it breaks and within a stated number of
//! seeds.

use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering},
};

use syncline_core::mutant::Mutant;

use crate::{
    Fault, FaultSet,
    records::{Options, run},
    sim::lock,
};

/// Seeds within which a mutant must be found.
const SEEDS: u64 = 200;

/// Where they begin: far away from the campaign's.
const FROM: u64 = 3_000_000;

/// A mutant, the promises of which it must be found to break one, and faults that make it show.
type Tooth = (Mutant, &'static [&'static str], &'static [Fault]);

const TEETH: [Tooth; 7] = [
    (Mutant::UnknownIsDone, &["equal", "lost", "J3"], &[Fault::N2]),
    (Mutant::OptOutPlain, &["consent", "equal"], &[]),
    (Mutant::EditsDeleted, &["lost"], &[]),
    (Mutant::BaseOnSend, &["equal", "lost"], &[Fault::N2]),
    (Mutant::LettingGoForgotten, &["risen", "double", "J3"], &[]),
    (Mutant::LookUncounted, &["I9"], &[]),
    (Mutant::Unverified, &["lost", "equal"], &[]),
];

/// How many seeds it takes, and which promise breaks.
fn found(tooth: &Tooth) -> Option<(u64, String)> {
    let (mutant, breaks, often) = tooth;
    let often: FaultSet = often.iter().copied().collect();
    (0..SEEDS).find_map(|number| {
        let report = run(FROM + number, &Options { often, mutant: Some(*mutant), ..Options::default() });
        let violation = report.violations.into_iter().find(|one| breaks.contains(&one.invariant))?;
        let text: String = violation.text.chars().take(100).collect();
        Some((number + 1, format!("{}: {text}", violation.invariant)))
    })
}

/// proves: V5
#[test]
fn every_mutant_of_records_is_found() {
    assert_eq!(TEETH.map(|(mutant, ..)| mutant), Mutant::OF_RECORDS, "every mutant has a tooth");
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let (next, missed) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(tooth) = TEETH.get(next.fetch_add(1, Ordering::Relaxed)) {
                    match found(tooth) {
                        Some((seeds, how)) => println!("{:?}: found after {seeds} seeds, {how}", tooth.0),
                        None => lock(&missed).push(tooth.0),
                    }
                }
            });
        }
    });
    let missed = lock(&missed).clone();
    assert!(missed.is_empty(), "not found in {SEEDS} seeds: {missed:?}");
}
