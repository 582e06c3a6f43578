//! What all parts of one run share: time, chance, the trace, which faults may strike, and what was found wrong.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use syncline_store::Store;

use crate::{
    clock::TrueClock,
    dice::Dice,
    faults::{Fault, Fired},
    story::{OFTEN, Story},
};

/// Commits and calls of one run at the most: twenty times as many as the busiest of some ten thousand has.
const POINTS_MAX: u64 = 100_000;

/// Lines of a trace that are kept as text; a run that goes on for longer is told apart by the digest alone.
const TRACE_LINES_MAX: usize = 200_000;

/// A broken promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The invariant's id.
    pub invariant: &'static str,
    pub text: String,
}

/// Rare places that a campaign must have reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reached {
    /// A plan whose outcome was unknown was looked into before it was repeated.
    LookedBeforeRepeating,
    /// A worker came back and found its lease gone.
    LostLease,
    /// A booking was laid aside, and done after a person asked for it.
    ParkedAndReplayed,
    /// A connection was lost, and everything waited until it was back.
    Reconnected,
    /// A delivery was recognised as one that is there already.
    DuplicateRecognised,
    /// A stale request reached the CRM and had no lasting effect.
    LateArrival,
    /// A message was taken in, and the sender never learned of it.
    AcceptedUnanswered,
    /// A person's edit lay on a record that the booking then changed.
    EditSurvived,
    /// Several bookings shared a new person.
    SharedPerson,
}

impl Reached {
    pub const ALL: [Reached; 9] = [
        Reached::LookedBeforeRepeating,
        Reached::LostLease,
        Reached::ParkedAndReplayed,
        Reached::Reconnected,
        Reached::DuplicateRecognised,
        Reached::LateArrival,
        Reached::AcceptedUnanswered,
        Reached::EditSurvived,
        Reached::SharedPerson,
    ];
}

/// The trace: every line with its time, and a digest over all of them.
#[derive(Default)]
pub struct Trace {
    lines: Vec<String>,
    digest: u64,
}

/// The shared state of one run.
pub struct Sim {
    pub story: Story,
    pub clock: Arc<TrueClock>,
    /// The database without any gate, for looking in from outside.
    pub store: Store,
    chaos: AtomicBool,
    /// Commits and calls passed so far.
    pub points: AtomicU64,
    /// Nothing where nobody wants it.
    trace: Option<Mutex<Trace>>,
    fired: Mutex<Fired>,
    reached: Mutex<BTreeSet<Reached>>,
    violations: Mutex<Vec<Violation>>,
    dice: Mutex<BTreeMap<&'static str, Dice>>,
}

impl Sim {
    pub fn new(story: Story, clock: Arc<TrueClock>, store: Store, chaos: bool, keeps_trace: bool) -> Arc<Self> {
        let mut fired = Fired::default();
        fired.add(Fault::M1, story.reshaped);
        Arc::new(Self {
            clock,
            store,
            chaos: AtomicBool::new(chaos),
            points: AtomicU64::new(0),
            trace: keeps_trace.then(Mutex::default),
            fired: Mutex::new(fired),
            reached: Mutex::default(),
            violations: Mutex::default(),
            dice: Mutex::default(),
            story,
        })
    }

    /// Whether faults may strike.
    pub fn in_chaos(&self) -> bool {
        self.chaos.load(Ordering::Relaxed)
    }

    /// From now on faults may strike.
    pub fn chaos(&self) {
        self.chaos.store(true, Ordering::Relaxed);
    }

    /// From now on nothing goes wrong.
    pub fn calm(&self) {
        self.chaos.store(false, Ordering::Relaxed);
        self.note(|| "--- calm ---".to_owned());
    }

    /// Writes a line into the trace, where there is one.
    pub fn note(&self, line: impl FnOnce() -> String) {
        let Some(trace) = &self.trace else { return };
        let millis = self.clock.elapsed().as_millis();
        let line = format!("{:>10}.{:03} {}", millis / 1000, millis % 1000, line());
        let mut trace = lock(trace);
        // FNV-1a: the same on every machine and in every version.
        for byte in line.bytes().chain([b'\n']) {
            trace.digest = (trace.digest ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        if trace.lines.len() < TRACE_LINES_MAX {
            trace.lines.push(line);
        }
    }

    /// The trace's text and its digest, where it was kept.
    pub fn trace(&self) -> (String, u64) {
        let Some(trace) = &self.trace else { return (String::new(), 0) };
        let trace = lock(trace);
        let mut text = String::new();
        for line in &trace.lines {
            let _ = writeln!(text, "{line}");
        }
        (text, trace.digest)
    }

    /// A fault struck.
    pub fn fired(&self, fault: Fault) {
        lock(&self.fired).add(fault, 1);
        self.note(|| format!("FAULT {fault}: {}", fault.says()));
    }

    pub fn fired_so_far(&self) -> Fired {
        lock(&self.fired).clone()
    }

    /// Whether a fault may strike at all in this run, now.
    pub fn may(&self, fault: Fault) -> bool {
        self.in_chaos() && self.story.faults.has(fault)
    }

    /// Rolls the dice of a part of the run for a fault.
    pub fn strikes(&self, part: &'static str, fault: Fault, per_mille: u64) -> bool {
        let times = if self.story.often.has(fault) { OFTEN } else { 1 };
        self.may(fault) && self.with_dice(part, |dice| dice.chance(per_mille * times))
    }

    /// The dice of a part of the run.
    pub fn with_dice<T>(&self, part: &'static str, draw: impl FnOnce(&mut Dice) -> T) -> T {
        let mut all = lock(&self.dice);
        draw(all.entry(part).or_insert_with(|| Dice::of(self.story.seed, part, 0)))
    }

    pub fn reach(&self, place: Reached) {
        lock(&self.reached).insert(place);
    }

    pub fn reached(&self) -> BTreeSet<Reached> {
        lock(&self.reached).clone()
    }

    /// Something is wrong.
    pub fn violation(&self, invariant: &'static str, text: String) {
        self.note(|| format!("VIOLATION {invariant}: {text}"));
        lock(&self.violations).push(Violation { invariant, text });
    }

    pub fn violations(&self) -> Vec<Violation> {
        lock(&self.violations).clone()
    }

    /// Another commit or call is passed; says which.
    ///
    /// # Panics
    /// After [`POINTS_MAX`]: where work goes round and round, time stands still, and nothing else would end the run.
    pub fn next_point(&self) -> u64 {
        let point = self.points.fetch_add(1, Ordering::Relaxed);
        assert!(point < POINTS_MAX, "seed {} goes round and round", self.story.seed);
        point
    }
}

/// Takes a lock of the run, which has one thread.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
