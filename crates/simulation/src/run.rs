//! One run: chaos, then calm, then everything is looked at.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use jiff::SignedDuration;
#[cfg(feature = "mutants")]
use syncline_core::mutant::{self, Mutant};
use syncline_store::Store;
use tokio_util::sync::CancellationToken;

use crate::{
    calm, checks,
    clock::TrueClock,
    fate::SKEW_MAX,
    faults::{Fault, FaultSet, Fired},
    log::Listener,
    network::Network,
    orgs, people,
    post::PostOffice,
    process::Process,
    sim::{Reached, Sim, Violation, lock},
    stage,
    story::Story,
};

/// How long the chaos lasts beyond the last first attempt.
const CHAOS_AFTER: Duration = Duration::from_secs(300);

/// How a run differs from the one that its seed says.
#[derive(Debug, Clone)]
pub struct Options {
    /// Faults that may strike at all.
    pub faults: FaultSet,
    /// Of the bookings, only these.
    pub bookings: Option<BTreeSet<usize>>,
    /// Whether the trace is kept, and its digest.
    pub trace: bool,
    pub processes: Option<usize>,
    pub workers: Option<usize>,
    /// How often workers look for what other processes took in.
    pub poll: Option<Duration>,
    /// Faults that every run has, and that strike more often than usual.
    pub often: FaultSet,
    /// Whether what happens to a booking follows within seconds.
    pub hurry: bool,
    /// The one commit or call at which the process dies.
    pub dies_at: Option<u64>,
    /// A fault in the product's own safety code.
    #[cfg(feature = "mutants")]
    pub mutant: Option<Mutant>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            faults: FaultSet::all(),
            bookings: None,
            trace: false,
            processes: None,
            workers: None,
            poll: None,
            often: FaultSet::NONE,
            hurry: false,
            dies_at: None,
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
    pub reached: BTreeSet<Reached>,
    /// Empty unless it was asked for.
    pub trace: String,
    /// Of the trace, the journals in it: the same for the same run, and zero where it was not asked for.
    pub digest: u64,
    /// Per customer, what the org holds in the end.
    pub holdings: Vec<BTreeMap<String, Vec<String>>>,
    pub bookings: usize,
    pub messages: usize,
    /// Commits and calls that were passed.
    pub points: u64,
    pub calls: u64,
    /// Older versions that came after newer ones, for a while.
    pub regressed: u64,
    /// How long it took from the beginning of the calm until everything was done.
    pub drained: Duration,
    pub simulated: Duration,
}

/// Runs a seed, and then its bookings once more with nothing going wrong; what both orgs hold must be the same. The second
/// time it is not looked at what the first one has shown under faults.
pub fn check(seed: u64, options: &Options) -> Report {
    let story = story(seed, options);
    let mut report = run_story(story.clone(), options);
    // What could not even be finished says enough.
    if report.violations.is_empty() {
        let story = Story { faults: FaultSet::NONE, processes: 1, workers: 1, ..story };
        let expected = stage::play(seed, |store| perform(story, store, None, false, Looks::Holdings));
        for violation in expected.violations {
            report.violations.push(Violation { text: format!("without faults: {}", violation.text), ..violation });
        }
        for (customer, (expected, found)) in expected.holdings.iter().zip(&report.holdings).enumerate() {
            if let Some(difference) = checks::difference(expected, found) {
                report.violations.push(Violation { invariant: "J2", text: format!("ws{customer} {difference}") });
            }
        }
    }
    report
}

/// Runs a seed.
pub fn run(seed: u64, options: &Options) -> Report {
    run_story(story(seed, options), options)
}

fn run_story(story: Story, options: &Options) -> Report {
    #[cfg(feature = "mutants")]
    mutant::choose(options.mutant);
    let report = play(story, options.dies_at, options.trace);
    #[cfg(feature = "mutants")]
    mutant::choose(None);
    report
}

/// The story that a run plays.
pub fn story(seed: u64, options: &Options) -> Story {
    let mut story = Story::of(seed, options.faults, options.often, options.hurry);
    story.processes = options.processes.unwrap_or(story.processes);
    story.workers = options.workers.unwrap_or(story.workers);
    story.poll = options.poll.unwrap_or(story.poll);
    match &options.bookings {
        Some(kept) => story.only(kept),
        None => story,
    }
}

/// Plays a story.
pub fn play(story: Story, dies_at: Option<u64>, trace: bool) -> Report {
    stage::play(story.seed, |store| perform(story, store, dies_at, trace, Looks::Everything))
}

/// What is looked at in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Looks {
    Everything,
    /// Only what the orgs hold.
    Holdings,
}

async fn perform(story: Story, store: Store, dies_at: Option<u64>, trace: bool, looks: Looks) -> Report {
    let clock = TrueClock::start();
    let sim = Sim::new(story, clock, store, true, trace);
    let _log = tracing::subscriber::set_default(Listener::new(&sim));
    let story = &sim.story;
    sim.note(|| {
        let Story { seed, processes, workers, faults, .. } = story;
        format!("seed {seed}: {processes} processes with {workers} workers, faults {faults}")
    });
    let mut all = Vec::new();
    for customer in &story.customers {
        let org = orgs::org(story.seed, customer, &sim.clock);
        orgs::connect(&sim.store, customer, &org, &sim.clock).await;
        all.push(org);
    }
    let network = Network::new(Arc::clone(&sim), all);
    let stop = CancellationToken::new();
    let processes: Vec<Arc<Process>> =
        (0..story.processes).map(|number| Process::new(&sim, &network, number, dies_at)).collect();
    for process in &processes {
        tokio::spawn(Arc::clone(process).run(stop.clone()));
    }
    let post = PostOffice::new(&sim, processes.clone());
    let last = post.open();
    tokio::spawn(wrong_clocks(Arc::clone(&sim), processes.clone(), last));
    tokio::spawn(people::edits(Arc::clone(&sim), Arc::clone(&network)));
    tokio::spawn(people::merges(Arc::clone(&sim), Arc::clone(&network)));
    tokio::spawn(people::deletes(Arc::clone(&sim), Arc::clone(&network), Arc::clone(&post)));
    tokio::spawn(people::administers(Arc::clone(&sim), Arc::clone(&network)));
    tokio::time::sleep(last + CHAOS_AFTER).await;
    sim.calm();
    network.calm();
    for process in &processes {
        process.clock.set(SignedDuration::ZERO);
    }
    let ending = calm::Ending { sim: &sim, network: &network, post: &post };
    let drained = ending.see_out(looks).await;
    stop.cancel();
    report(&sim, &network, drained, looks).await
}

async fn report(sim: &Sim, network: &Network, drained: Duration, looks: Looks) -> Report {
    if looks == Looks::Everything {
        for line in calm::journals(sim).await {
            sim.note(|| line);
        }
    }
    let (trace, digest) = sim.trace();
    Report {
        seed: sim.story.seed,
        violations: sim.violations(),
        fired: sim.fired_so_far(),
        reached: sim.reached(),
        trace,
        digest,
        holdings: network.lines.iter().map(|line| checks::holdings(&sim.story, line.customer, &line.org)).collect(),
        bookings: sim.story.bookings.len(),
        messages: sim.story.messages.len(),
        points: sim.points.load(std::sync::atomic::Ordering::Relaxed),
        calls: network.lines.iter().map(|line| lock(&line.watch).calls).sum(),
        regressed: network.lines.iter().map(|line| lock(&line.watch).regressed).sum(),
        drained,
        simulated: sim.clock.elapsed(),
    }
}

/// Clocks that differ, and clocks that jump.
async fn wrong_clocks(sim: Arc<Sim>, processes: Vec<Arc<Process>>, until: Duration) {
    let draw = |from, to| sim.with_dice("clocks", |dice| dice.between(from, to));
    let signed = |size: u64| {
        let size = i64::try_from(size).unwrap_or(0);
        if draw(0, 2) == 0 { size } else { -size }
    };
    let mut skews = Vec::new();
    for process in &processes {
        let skew = if sim.may(Fault::K2) {
            SignedDuration::from_millis(signed(draw(100, u64::try_from(SKEW_MAX.as_millis()).unwrap_or(u64::MAX))))
        } else {
            SignedDuration::ZERO
        };
        process.clock.set(skew);
        skews.push(skew);
    }
    if sim.may(Fault::K2) {
        sim.fired(Fault::K2);
    }
    if !sim.may(Fault::K1) {
        return;
    }
    tokio::time::sleep(Duration::from_secs(draw(10, until.as_secs().max(20)))).await;
    if !sim.in_chaos() {
        return;
    }
    let at = usize::try_from(draw(0, processes.len() as u64)).unwrap_or(0);
    let jump = SignedDuration::from_hours(signed(if draw(0, 8) == 0 { 24 } else { 1 }));
    sim.fired(Fault::K1);
    processes[at].clock.set(jump);
    tokio::time::sleep(Duration::from_secs(draw(30, 900))).await;
    processes[at].clock.set(skews[at]);
}
