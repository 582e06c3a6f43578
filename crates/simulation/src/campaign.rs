//! Many seeds on all cores, and what they came to. Each run keeps to its own thread.

use std::{
    collections::{BTreeSet, HashSet},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use crate::{
    faults::{Fault, FaultSet, Fired},
    run::{Options, Report, check, story},
    sim::{Reached, Violation},
};

/// Failing seeds that are kept with their words; further ones are counted.
const FAILURES_KEPT: usize = 50;

/// Which seeds.
#[derive(Debug, Clone)]
pub struct Campaign {
    pub from: u64,
    pub seeds: u64,
    pub threads: usize,
    pub options: Options,
}

/// A seed that failed.
#[derive(Debug, Clone)]
pub struct Failure {
    pub seed: u64,
    pub violations: Vec<Violation>,
}

impl Failure {
    /// What to type to see it again.
    pub fn replay(&self) -> String {
        format!("cargo run --profile sim -p syncline-simulation -- --seed {} --trace", self.seed)
    }
}

/// What all seeds came to.
#[derive(Debug, Clone, Default)]
pub struct Totals {
    pub seeds: u64,
    pub bookings: u64,
    pub messages: u64,
    pub calls: u64,
    pub points: u64,
    /// The seed with the most points, and how many.
    pub busiest: (u64, u64),
    pub regressed: u64,
    pub fired: Fired,
    pub reached: BTreeSet<Reached>,
    pub failed: u64,
    pub failures: Vec<Failure>,
    /// Simulated time from the beginning of the calm until all was done, sorted.
    pub drained: Vec<Duration>,
    pub simulated: Duration,
}

impl Totals {
    fn add(&mut self, report: Report) {
        self.seeds += 1;
        self.bookings += report.bookings as u64;
        self.messages += report.messages as u64;
        self.calls += report.calls;
        self.points += report.points;
        if report.points > self.busiest.1 {
            self.busiest = (report.seed, report.points);
        }
        self.regressed += report.regressed;
        self.fired.merge(&report.fired);
        self.reached.extend(report.reached);
        self.drained.push(report.drained);
        self.simulated += report.simulated;
        if !report.violations.is_empty() {
            self.failed += 1;
            if self.failures.len() < FAILURES_KEPT {
                self.failures.push(Failure { seed: report.seed, violations: report.violations });
            }
        }
    }

    /// The fault kinds that struck less than once in a thousand seeds.
    pub fn rare(&self) -> Vec<Fault> {
        let least = (self.seeds / 1000).max(1);
        Fault::ALL.iter().copied().filter(|fault| self.fired.of(*fault) < least).collect()
    }

    /// So many of a hundred runs had drained by then.
    pub fn drained_by(&self, percent: usize) -> Duration {
        let at = self.drained.len().saturating_sub(1) * percent / 100;
        self.drained.get(at).copied().unwrap_or_default()
    }
}

impl Campaign {
    /// Runs all seeds; `done` is told the number of finished ones now and then.
    pub fn run(&self, done: &(dyn Fn(u64) + Sync)) -> Totals {
        let next = AtomicU64::new(0);
        let totals = Mutex::new(Totals::default());
        std::thread::scope(|scope| {
            for _ in 0..self.threads.max(1) {
                scope.spawn(|| {
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= self.seeds {
                            return;
                        }
                        let report = check(self.from + number, &self.options);
                        let mut totals = totals.lock().unwrap_or_else(PoisonError::into_inner);
                        totals.add(report);
                        done(totals.seeds);
                    }
                });
            }
        });
        let mut totals = totals.into_inner().unwrap_or_else(PoisonError::into_inner);
        totals.drained.sort();
        totals.failures.sort_by_key(|failure| failure.seed);
        totals
    }
}

/// The smallest variant of a failing seed that still breaks one of the same promises: bookings and faults are left out
/// one by one for as long as it fails.
pub fn shrink(seed: u64, options: &Options) -> Options {
    let broken: HashSet<&str> = check(seed, options).violations.iter().map(|one| one.invariant).collect();
    let fails = |options: &Options| check(seed, options).violations.iter().any(|one| broken.contains(one.invariant));
    let mut smallest = options.clone();
    if broken.is_empty() {
        return smallest;
    }
    smallest.faults = story(seed, options).faults;
    for fault in Fault::ALL.iter().copied().filter(|fault| smallest.faults.has(*fault)).collect::<FaultSet>().iter() {
        let less = Options { faults: smallest.faults.without(fault), ..smallest.clone() };
        if fails(&less) {
            smallest = less;
        }
    }
    let all: BTreeSet<usize> = (0..story(seed, options).bookings.len()).collect();
    for booking in &all {
        let mut kept = smallest.bookings.clone().unwrap_or_else(|| all.clone());
        kept.remove(booking);
        let less = Options { bookings: Some(kept), ..smallest.clone() };
        if fails(&less) {
            smallest = less;
        }
    }
    smallest
}
