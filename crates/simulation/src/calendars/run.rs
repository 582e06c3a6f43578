//! One run: an office settles in, the product is switched on, chaos, calm, a quiet round, and everything is looked at.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use jiff::SignedDuration;
use syncline_core::Clock;
#[cfg(feature = "mutants")]
use syncline_core::mutant::{self, Mutant};
use syncline_engine::{Engine, Options as EngineOptions, World};
use syncline_store::{FlowStanding, Store};
use tokio_util::sync::CancellationToken;

use super::{
    acts::People,
    book,
    calm::Operator,
    checks, notices,
    office::{Office, workspace},
    plot::{Plot, Trouble},
    process::Process,
    wires::{Carrier, Wires},
    zones,
};
use crate::{
    clock::TrueClock,
    dice::{Dice, Seeded},
    faults::{FaultSet, Fired},
    life::Life,
    log::{self, Listener},
    sim::{Sim, Violation, lock},
    skew::wrong_clocks,
    stage,
};

/// How long requests that are under way when the calm begins may take.
const CHAOS_AFTER: Duration = Duration::from_secs(60);
/// Rounds that the first readings take at most where nothing goes wrong, and the time between them.
const FIRST_ROUNDS: usize = 3;
const BETWEEN_ROUNDS: Duration = Duration::from_secs(70);

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
    /// Empty unless it was asked for.
    pub trace: String,
    /// Of trace and journal: the same for the same run.
    pub digest: u64,
    pub acts: u64,
    pub calls: u64,
    pub meetings: u64,
    /// Records of meetings that the CRM has in the end, and writes that it took.
    pub records: u64,
    pub writes: u64,
    /// Meetings that people logged in the CRM.
    pub logged: u64,
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
    let clock = TrueClock::start_at(plot.begins);
    let sim = Sim::new(plot.story(), clock, store, false, trace);
    let _log = tracing::subscriber::set_default(Listener::new(&sim));
    sim.note(|| format!("{plot:?}, faults {}", plot.faults));
    let office = Office::new(&plot, &sim.clock);
    let plot = Arc::new(plot);
    let wires = Wires::new(&sim, &plot, office);
    let mut people = People::new(&wires);
    people.settle_in();
    let engine = operator_engine(&wires);
    switch_on(&wires, &engine).await;
    sim.chaos();
    let stop = CancellationToken::new();
    let processes: Vec<Arc<Process>> = (0..plot.processes).map(|number| Process::new(&wires, number)).collect();
    for process in &processes {
        tokio::spawn(Arc::clone(process).run(stop.clone()));
    }
    let clocks = processes.iter().map(|process| Arc::clone(&process.clock)).collect();
    tokio::spawn(wrong_clocks(Arc::clone(&sim), clocks, plot.chaos));
    tokio::spawn(book::carry_mails(Arc::clone(&wires)));
    if plot.told {
        tokio::spawn(notices::carry(Arc::clone(&wires), processes.clone()));
    }
    tokio::spawn(people.live());
    tokio::time::sleep(plot.chaos + CHAOS_AFTER).await;
    sim.calm();
    book::lag(&wires.office, SignedDuration::ZERO);
    for process in &processes {
        process.clock.set(SignedDuration::ZERO);
    }
    let operator = Operator { wires: &wires, engine: &engine };
    let (drained, rests) = operator.settle().await;
    stop.cancel();
    if rests {
        operator.once_more().await;
    }
    let kept = operator.kept().await;
    let journal = log::journal(&sim, &workspace()).await;
    if zones::CHANGING.iter().any(|zone| zone.changes_between(plot.begins, sim.clock.now())) {
        wires.happened(Trouble::Night);
    }
    checks::nothing_private(&sim, &kept, &journal);
    let records = if rests { checks::in_the_end(&wires).await } else { 0 };
    for line in &journal {
        sim.note(|| line.text.clone());
    }
    let ledger = lock(&wires.ledger);
    let (trace, digest) = sim.trace();
    Report {
        seed: plot.seed,
        violations: sim.violations(),
        fired: sim.fired_so_far(),
        struck: wires.struck(),
        trace,
        digest,
        acts: ledger.acts,
        calls: wires.calls.load(Ordering::Relaxed),
        meetings: ledger.meetings.len() as u64,
        records,
        writes: ledger.writes,
        logged: ledger.logged.len() as u64,
        drained,
        simulated: sim.clock.elapsed(),
    }
}

/// What the operator's command line would run.
fn operator_engine(wires: &Arc<Wires>) -> Arc<Engine> {
    let (sim, plot) = (&wires.sim, &wires.plot);
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
    Engine::new(world, wires.office.setup(plot), EngineOptions::default())
}

async fn switch_on(wires: &Wires, engine: &Engine) {
    let store = &wires.sim.store;
    for setup in &engine.setup().connections {
        let vendor = setup.connector.manifest().vendor;
        let known = store.ensure_connection(&workspace(), &setup.id, vendor).await;
        assert!(known.is_ok(), "{known:?}");
        if let Some(tokens) = wires.office.tokens(setup.id.as_str()) {
            let kept = store.store_tokens(&workspace(), &setup.id, &tokens, None).await;
            assert!(kept.is_ok(), "{kept:?}");
        }
    }
    for flow in &engine.setup().calendars {
        let set = engine.set_standing(flow, FlowStanding::Active, None, Some("operator")).await;
        assert!(set.is_ok(), "{set:?}");
        for _ in 0..if wires.plot.settled { FIRST_ROUNDS } else { 0 } {
            let end = engine.calendars_round(flow, false).await;
            wires.sim.note(|| format!("operator {end:?}"));
            tokio::time::sleep(BETWEEN_ROUNDS).await;
        }
    }
}
