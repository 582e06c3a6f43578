//! Faults put into the product's own safety code are found, each by a promise that it breaks and within a stated number
//! of seeds; the same seeds without such a fault are clean.

use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering},
};

use syncline_core::mutant::Mutant;

use super::threads;
use crate::{Fault, FaultSet, Options, check};

/// Seeds within which a mutant must be found.
const SEEDS: u64 = 60;

/// Where they begin: far away from the campaign's.
const FROM: u64 = 3_000_000;

/// A mutant, and what it comes to.
struct Tooth {
    mutant: Mutant,
    /// The promises that it breaks; one of them must be found broken.
    breaks: &'static [&'static str],
    /// Where it shows: faults that every run has, and more often than usual.
    often: &'static [Fault],
    /// Whether no other fault strikes, where those hide it.
    alone: bool,
    /// Whether what happens to a booking follows within seconds.
    hurry: bool,
    processes: Option<usize>,
}

const fn tooth(mutant: Mutant, breaks: &'static [&'static str]) -> Tooth {
    Tooth { mutant, breaks, often: &[], alone: false, hurry: false, processes: None }
}

const TEETH: [Tooth; 13] = [
    tooth(Mutant::InboxForgets, &["I1"]),
    tooth(Mutant::DeliveriesConfused, &["I1"]),
    tooth(Mutant::AckBeforeCommit, &["I1"]),
    // Another worker must come while the first still waits for an answer.
    Tooth { often: &[Fault::N2], ..tooth(Mutant::LeaseTooShort, &["I6"]) },
    tooth(Mutant::PlanUnwritten, &["I5"]),
    tooth(Mutant::BlindRetry, &["look"]),
    tooth(Mutant::UnsettledIgnored, &["look"]),
    Tooth { often: &[Fault::N4], hurry: true, ..tooth(Mutant::LateIgnored, &["I4", "J2"]) },
    tooth(Mutant::FailedLookIsAbsence, &["I2", "look"]),
    tooth(Mutant::UnknownIsDone, &["look", "J2", "J3"]),
    Tooth { often: &[Fault::T2], processes: Some(3), ..tooth(Mutant::RefreshUnlocked, &["I12"]) },
    // A successor can be lost with the process, too, and then it is nobody's fault.
    Tooth { often: &[Fault::T1], alone: true, ..tooth(Mutant::TokenUnstored, &["I12"]) },
    tooth(Mutant::JournalLost, &["journal"]),
];

impl Tooth {
    fn options(&self, mutant: Option<Mutant>) -> Options {
        let often: FaultSet = self.often.iter().copied().collect();
        let faults = if self.alone { often } else { FaultSet::all() };
        Options { faults, often, hurry: self.hurry, processes: self.processes, mutant, ..Options::default() }
    }

    /// How many seeds it takes, which promise breaks, and how that is told.
    fn found(&self) -> Option<(u64, String)> {
        (0..SEEDS).find_map(|number| {
            let report = check(FROM + number, &self.options(Some(self.mutant)));
            let violation = report.violations.into_iter().find(|one| self.breaks.contains(&one.invariant))?;
            let text: String = violation.text.chars().take(100).collect();
            Some((number + 1, format!("{}: {text}", violation.invariant)))
        })
    }
}

/// proves: V5
#[test]
fn every_mutant_is_found() {
    assert_eq!(TEETH.each_ref().map(|tooth| tooth.mutant), Mutant::ALL, "every mutant has a tooth");
    let (next, missed) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..threads() {
            scope.spawn(|| {
                while let Some(tooth) = TEETH.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let Some((seeds, how)) = tooth.found() else {
                        missed.lock().unwrap().push(tooth.mutant);
                        continue;
                    };
                    println!("{:?}: found after {seeds} seeds, {how}", tooth.mutant);
                    for number in 0..seeds {
                        let clean = check(FROM + number, &tooth.options(None)).violations;
                        assert!(clean.is_empty(), "without {:?}, seed {}: {clean:?}", tooth.mutant, FROM + number);
                    }
                }
            });
        }
    });
    let missed = missed.into_inner().unwrap();
    assert!(missed.is_empty(), "not found in {SEEDS} seeds: {missed:?}");
}
