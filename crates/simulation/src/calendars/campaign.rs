//! Many seeds on all cores, and what they came to.

use std::{collections::BTreeMap, fmt::Write as _, sync::Mutex};

use super::{
    plot::{FAULTS, NOTICE_FAULTS, Trouble},
    run::{Options, Report, run},
};
use crate::{
    faults::{Fault, Fired},
    sim::{Violation, lock},
    threads::on_threads,
};

/// Failing seeds that are kept with their words; further ones are counted.
const FAILURES_KEPT: usize = 60;

fn all_faults() -> impl Iterator<Item = Fault> {
    FAULTS.into_iter().chain(NOTICE_FAULTS)
}

/// Which seeds.
#[derive(Debug, Clone)]
pub struct Campaign {
    pub from: u64,
    pub seeds: u64,
    pub threads: usize,
    pub options: Options,
}

/// What all seeds came to.
#[derive(Debug, Default)]
pub struct Totals {
    pub seeds: u64,
    pub acts: u64,
    pub calls: u64,
    pub meetings: u64,
    pub records: u64,
    pub writes: u64,
    pub logged: u64,
    pub fired: Fired,
    pub struck: BTreeMap<Trouble, u64>,
    pub failed: u64,
    /// Seeds with what they broke.
    pub failures: Vec<(u64, Vec<Violation>)>,
}

impl Totals {
    fn add(&mut self, report: Report) {
        self.seeds += 1;
        self.acts += report.acts;
        self.calls += report.calls;
        self.meetings += report.meetings;
        self.records += report.records;
        self.writes += report.writes;
        self.logged += report.logged;
        self.fired.merge(&report.fired);
        for (trouble, times) in report.struck {
            *self.struck.entry(trouble).or_default() += times;
        }
        if !report.violations.is_empty() {
            self.failed += 1;
            if self.failures.len() < FAILURES_KEPT {
                self.failures.push((report.seed, report.violations));
            }
        }
    }

    /// The kinds of faults and troubles that struck less than once in a thousand seeds.
    pub fn rare(&self) -> Vec<&'static str> {
        let least = (self.seeds / 1000).max(1);
        let faults = all_faults().filter(|fault| self.fired.of(*fault) < least).map(Fault::id);
        let times = |trouble: Trouble| self.struck.get(&trouble).copied().unwrap_or(0);
        let troubles = Trouble::ALL.iter().copied().filter(|trouble| times(*trouble) < least).map(Trouble::id);
        faults.chain(troubles).collect()
    }

    /// The figures in words.
    pub fn words(&self) -> String {
        let mut out = String::new();
        for (seed, violations) in &self.failures {
            for violation in violations {
                let _ = writeln!(out, "VIOLATION seed {seed} {}: {}", violation.invariant, violation.text);
            }
            let _ =
                writeln!(out, "  cargo run --profile sim -p syncline-simulation -- --calendars --seed {seed} --trace");
        }
        let faults: Vec<String> = all_faults().map(|fault| format!("{fault} {}", self.fired.of(fault))).collect();
        let troubles: Vec<String> = self.struck.iter().map(|(trouble, times)| format!("{trouble} {times}")).collect();
        let _ = writeln!(out, "seeds       {}", self.seeds);
        let (meetings, records, writes) = (self.meetings, self.records, self.writes);
        let _ = writeln!(out, "acts        {} of people, {meetings} meetings and series", self.acts);
        let _ = writeln!(out, "records     {records} in the CRM in the end, by {writes} writes");
        let _ = writeln!(out, "logged      {} in the CRM by people", self.logged);
        let _ = writeln!(out, "calls       {}", self.calls);
        let _ = writeln!(out, "faults      {}: {}", self.fired.total(), faults.join(" "));
        let _ = writeln!(out, "troubles    {}", troubles.join(" "));
        let _ = writeln!(out, "violations  {}", self.failed);
        out
    }
}

impl Campaign {
    /// Runs all seeds; each keeps to one thread.
    pub fn run(&self) -> Totals {
        let totals = Mutex::new(Totals::default());
        on_threads(self.from, self.seeds, self.threads, &|seed| {
            let report = run(seed, &self.options);
            lock(&totals).add(report);
        });
        let mut totals = totals.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        totals.failures.sort_by_key(|(seed, _)| *seed);
        totals
    }
}
