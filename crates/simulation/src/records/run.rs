//! One run: people settle in, the product is switched on, chaos, calm, a quiet round, and everything is looked at.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use jiff::SignedDuration;
#[cfg(feature = "mutants")]
use syncline_core::mutant::{self, Mutant};
use syncline_engine::{Engine, Options as EngineOptions, World};
use syncline_sandbox::salesforce::{FaultKind, FaultRule};
use syncline_store::{FlowStanding, Store};
use tokio_util::sync::CancellationToken;

use super::{
    acts::{self, People},
    calm::Operator,
    checks,
    company::{Company, workspace},
    plot::{Plot, Trouble},
    process::Process,
    wires::{Carrier, Wires},
};
use crate::{
    clock::TrueClock,
    dice::{Dice, Seeded},
    faults::{Fault, FaultSet, Fired},
    life::Life,
    log::{self, Listener},
    sim::{Sim, Violation, lock},
    skew::wrong_clocks,
    stage,
};

/// How long requests that are under way when the calm begins may take.
const CHAOS_AFTER: Duration = Duration::from_secs(60);
/// Programs change so many fields per field that a person changed and account, and in any case.
const CHANGES_PER_EDIT: u64 = 2;
const CHANGES_ANYWAY: u64 = 20;

/// How a run differs from the one that its seed says.
#[derive(Debug, Clone)]
pub struct Options {
    /// Faults that may strike at all.
    pub faults: FaultSet,
    /// Faults that every run has, and that strike more often than usual.
    pub often: FaultSet,
    pub troubles: BTreeSet<Trouble>,
    /// Of what people do, only so much.
    pub acts: Option<u64>,
    /// Whether the trace's text is kept.
    pub trace: bool,
    /// A fault in the product's own safety code.
    #[cfg(feature = "mutants")]
    pub mutant: Option<Mutant>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            faults: FaultSet::all(),
            often: FaultSet::NONE,
            troubles: Trouble::ALL.iter().copied().collect(),
            acts: None,
            trace: false,
            #[cfg(feature = "mutants")]
            mutant: None,
        }
    }
}

/// What came of a run.
#[derive(Debug, Clone)]
pub struct Report {
    pub seed: u64,
    pub violations: Vec<Violation>,
    pub fired: Fired,
    pub struck: BTreeMap<Trouble, u64>,
    /// Times that an integration stopped by itself.
    pub brakes: u64,
    /// Empty unless it was asked for.
    pub trace: String,
    /// Of trace and journal: the same for the same run.
    pub digest: u64,
    pub acts: u64,
    pub calls: u64,
    /// Fields that the product changed.
    pub changes: u64,
    /// Fields that stay apart in the end because they are held back.
    pub apart: u64,
    /// Edits that were overwritten before anybody could know of them.
    pub raced: u64,
    /// From the beginning of the calm until everything was done.
    pub drained: Duration,
    pub simulated: Duration,
}

/// Runs a seed.
pub fn run(seed: u64, options: &Options) -> Report {
    #[cfg(feature = "mutants")]
    mutant::choose(options.mutant);
    let mut plot = Plot::of(seed, options.faults, options.often, &options.troubles);
    plot.acts = options.acts.unwrap_or(plot.acts);
    let report = stage::play(plot.seed, |store| perform(plot, store, options.trace));
    #[cfg(feature = "mutants")]
    mutant::choose(None);
    report
}

async fn perform(plot: Plot, store: Store, trace: bool) -> Report {
    let clock = TrueClock::start();
    let sim = Sim::new(plot.story(), clock, store, true, trace);
    let _log = tracing::subscriber::set_default(Listener::new(&sim));
    sim.note(|| format!("{plot:?}, faults {}", plot.faults));
    let company = Company::new(&plot, &sim.clock);
    // The operator comes behind the processes.
    let wires = Wires::new(&sim, company, plot.processes + 1);
    let plot = Arc::new(plot);
    let mut people = People::new(&wires, &plot);
    people.settle_in();
    let engine = operator_engine(&wires, &plot);
    let operator = Operator { wires: &wires, engine: &engine, number: plot.processes };
    switch_on(&sim, &engine).await;
    rows_go_wrong(&wires);
    let stop = CancellationToken::new();
    let processes: Vec<Arc<Process>> = (0..plot.processes).map(|number| Process::new(&wires, &plot, number)).collect();
    for process in &processes {
        tokio::spawn(Arc::clone(process).run(stop.clone()));
    }
    let clocks = processes.iter().map(|process| Arc::clone(&process.clock)).collect();
    tokio::spawn(wrong_clocks(Arc::clone(&sim), clocks, plot.chaos));
    tokio::spawn(people.live());
    tokio::time::sleep(plot.chaos + CHAOS_AFTER).await;
    check_quota(&wires, &plot).await;
    sim.calm();
    acts::calm(&wires);
    rows_go_right(&wires);
    for process in &processes {
        process.clock.set(SignedDuration::ZERO);
    }
    let (drained, rests) = operator.settle().await;
    if rests {
        operator.once_more().await;
    }
    stop.cancel();
    finish(&wires, &engine, &plot, drained, rests).await
}

async fn finish(wires: &Arc<Wires>, engine: &Engine, plot: &Plot, drained: Duration, rests: bool) -> Report {
    let sim = &wires.sim;
    let journal = log::journal(sim, &workspace()).await;
    let (mut apart, mut raced) = (0, 0);
    if rests {
        (apart, raced) = checks::in_the_end(wires, &engine.setup().records, &journal).await;
    }
    for line in &journal {
        sim.note(|| line.text.clone());
    }
    let ledger = lock(&wires.ledger);
    let bound = CHANGES_ANYWAY + CHANGES_PER_EDIT * wires.company.accounts.len() as u64 * ledger.edits.len() as u64;
    if ledger.changes > bound {
        let (changes, edits) = (ledger.changes, ledger.edits.len());
        sim.violation("pingpong", format!("{changes} fields were changed for {edits} that people changed"));
    }
    let (trace, digest) = sim.trace();
    Report {
        seed: plot.seed,
        violations: sim.violations(),
        fired: sim.fired_so_far(),
        struck: wires.struck(),
        brakes: wires.brakes.load(Ordering::Relaxed),
        trace,
        digest,
        acts: ledger.acts,
        calls: wires.calls.load(Ordering::Relaxed),
        changes: ledger.changes,
        apart,
        raced,
        drained,
        simulated: sim.clock.elapsed(),
    }
}

/// What the operator's command line would run.
fn operator_engine(wires: &Arc<Wires>, plot: &Plot) -> Arc<Engine> {
    let sim = &wires.sim;
    let life = Life::new(Arc::clone(sim), plot.processes, None, false, None, Box::new(|| ()));
    let entropy = Arc::new(Seeded::new(Dice::of(plot.seed, "operator", 0)));
    let http = Arc::new(Carrier { wires: Arc::clone(wires), life });
    let world = World {
        store: sim.store.clone(),
        http,
        clock: sim.clock.clone(),
        entropy,
        rest: Arc::new(syncline_engine::Timer),
    };
    Engine::new(world, wires.company.setup(plot, None), EngineOptions::default())
}

async fn switch_on(sim: &Sim, engine: &Engine) {
    for setup in &engine.setup().connections {
        let vendor = setup.connector.manifest().vendor;
        let known = sim.store.ensure_connection(&workspace(), &setup.id, vendor).await;
        assert!(known.is_ok(), "{known:?}");
    }
    for flow in &engine.setup().records {
        let set = engine.set_standing(flow, FlowStanding::Active, None, Some("operator")).await;
        assert!(set.is_ok(), "{set:?}");
    }
}

fn rows_go_wrong(wires: &Wires) {
    let sim = &wires.sim;
    for (fault, kind) in [(Fault::B2, FaultKind::RowLock), (Fault::S4, FaultKind::Partial)] {
        if sim.may(fault) {
            let rule = FaultRule { probability: Some(0.08), seed: Some(sim.story.seed), ..FaultRule::new(kind) };
            wires.company.crm().0.faults().add(rule);
        }
    }
}

fn rows_go_right(wires: &Wires) {
    let faults = wires.company.crm().0.faults();
    for fired in faults.fired() {
        let fault = if fired.kind == FaultKind::RowLock { Fault::B2 } else { Fault::S4 };
        (0..fired.fired).for_each(|_| wires.sim.fired(fault));
    }
    faults.clear();
}

/// I9: no more records were transferred than the quota allows.
async fn check_quota(wires: &Wires, plot: &Plot) {
    let Some(quota) = plot.quota else { return };
    let (transfers, put_back) = {
        let ledger = lock(&wires.ledger);
        (ledger.transfers.clone(), ledger.put_back)
    };
    for (at, records) in transfers {
        if records >= quota {
            wires.happened(Trouble::Quota);
        }
        if records > quota + put_back {
            let flow = wires.company.tools()[at].name();
            wires.sim.violation("I9", format!("with-{flow}: {records} records were written, and {quota} are allowed"));
        }
    }
}
