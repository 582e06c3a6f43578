//! Faults put into the product's own safety code are found, each by a promise that it breaks and within a stated number of
//! seeds, which are clean without it.

use syncline_core::mutant::Mutant;

use crate::{
    Fault, FaultSet,
    calendars::{Options, run},
    sim::lock,
    threads::on_threads,
};

/// Seeds within which a mutant must be found.
const SEEDS: u64 = 500;

/// Where they begin: far away from the campaign's.
const FROM: u64 = 3_000_000;

/// A mutant, the promises of which it must be found to break one, and faults that make it show.
type Tooth = (Mutant, &'static [&'static str], &'static [Fault]);

const TEETH: [Tooth; 7] = [
    (Mutant::UnknownIsDone, &["equal", "logged", "J3"], &[Fault::N2]),
    (Mutant::UnconfirmedGone, &["off", "equal", "logged"], &[]),
    (Mutant::PrivateShown, &["private"], &[]),
    (Mutant::GuestCallsOff, &["off"], &[]),
    (Mutant::RemovalForgotten, &["double"], &[]),
    (Mutant::ToldIsAll, &["J1"], &[Fault::W4]),
    (Mutant::ClockUnchanged, &["stray", "equal", "logged"], &[]),
];

/// How many seeds it takes, and which promise breaks.
fn found(tooth: &Tooth) -> Option<(u64, String)> {
    let (mutant, breaks, often) = tooth;
    let often: FaultSet = often.iter().copied().collect();
    (0..SEEDS).find_map(|number| {
        let report = run(FROM + number, &Options { often, mutant: Some(*mutant), ..Options::default() });
        let violation = report.violations.into_iter().find(|one| breaks.contains(&one.invariant))?;
        let text: String = violation.text.chars().take(100).collect();
        let clean = run(FROM + number, &Options { often, ..Options::default() });
        assert!(clean.violations.is_empty(), "seed {} without {mutant:?}: {:?}", FROM + number, clean.violations);
        Some((number + 1, format!("{}: {text}", violation.invariant)))
    })
}

/// proves: V5
#[test]
fn every_mutant_of_calendars_is_found() {
    assert_eq!(TEETH.map(|(mutant, ..)| mutant), Mutant::OF_CALENDARS, "every mutant has a tooth");
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let missed = std::sync::Mutex::new(Vec::new());
    on_threads(0, TEETH.len() as u64, threads, &|number| {
        let tooth = &TEETH[usize::try_from(number).unwrap_or(0)];
        match found(tooth) {
            Some((seeds, how)) => println!("{:?}: found after {seeds} seeds, {how}", tooth.0),
            None => lock(&missed).push(tooth.0),
        }
    });
    let missed = lock(&missed).clone();
    assert!(missed.is_empty(), "not found in {SEEDS} seeds: {missed:?}");
}
