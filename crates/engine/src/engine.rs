//! The engine as a whole: what it is made of, and the workers that turn it.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use syncline_connect::{Error, Http};
use syncline_core::{Clock, Entropy, ids::WorkspaceId};
use syncline_store::{Store, WorkerId};
use tokio::{
    sync::{Notify, Semaphore},
    time::Instant,
};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::{
    describe::Descriptions,
    directory::Directory,
    pacing::{Paces, Rest},
    push::Blocked,
    refusals::Refusals,
    setup::Setup,
    templates::Templates,
    token::Tokens,
};

/// All that the engine needs from outside.
#[derive(Clone)]
pub struct World {
    pub store: Store,
    pub http: Arc<dyn Http>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub rest: Arc<dyn Rest>,
}

/// Named limits of the engine, with their defaults.
#[derive(Debug, Clone)]
pub struct Options {
    /// Workers of this process.
    pub workers: usize,
    /// Bookings that one worker takes at a time.
    pub batch: usize,
    /// The deadline of one call, which the HTTP carrier keeps.
    pub call: SignedDuration,
    /// How long a claim holds: at least [`LEASE_PER_CALL`] times a call's deadline.
    pub lease: SignedDuration,
    /// Calls in flight per process.
    pub calls_in_flight: usize,
    /// How often to look for work that another process took in.
    pub poll: Duration,
    /// Tries before a booking is laid aside.
    pub max_attempts: u32,
}

/// How many times a call's deadline a lease lasts at least: one call to look, one to write, and as long again in which a
/// call that was given up may still arrive and clocks may differ.
pub const LEASE_PER_CALL: i32 = 3;

impl Default for Options {
    fn default() -> Self {
        Self {
            workers: 4,
            batch: 150,
            call: SignedDuration::from_secs(30),
            lease: SignedDuration::from_secs(120),
            calls_in_flight: 8,
            poll: Duration::from_secs(5),
            max_attempts: 20,
        }
    }
}

/// The loops and what they share. Cheap to hand around in an `Arc`.
pub struct Engine {
    pub(crate) world: World,
    pub(crate) setup: Setup,
    pub(crate) options: Options,
    pub(crate) directory: Directory,
    pub(crate) refusals: Refusals,
    pub(crate) descriptions: Descriptions,
    pub(crate) templates: Templates,
    pub(crate) tokens: Tokens,
    pub(crate) calls: Semaphore,
    pub(crate) paces: Paces,
    pub(crate) usage: Mutex<HashMap<(WorkspaceId, syncline_core::ids::ConnectionId), Timestamp>>,
    pub(crate) blocked: Mutex<HashMap<WorkspaceId, Blocked>>,
    pub(crate) checked: crate::mapping_check::CheckedHere,
    pub(crate) compiled: crate::records::CompiledFlows,
    pub(crate) wakes: crate::records::Wakes,
    pub(crate) record_flows: Vec<Arc<crate::records::RecordFlow>>,
    pub(crate) last_words: crate::records::LastWords,
    pub(crate) long_looks: crate::records::LongLooks,
    pub(crate) written_records: crate::written::WrittenFlows<crate::records::RecordFlow>,
    pub(crate) calendar_flows: Vec<Arc<crate::calendars::CalendarFlow>>,
    pub(crate) written_calendars: crate::written::WrittenFlows<crate::calendars::CalendarFlow>,
    pub(crate) primaries: crate::calendars::Primaries,
    pub(crate) calendar_words: crate::calendars::Words,
    pub(crate) calendars_told: crate::calendars::Told,
    pub(crate) calendar_tells: crate::calendars::Telling,
    pub(crate) looked_at: crate::calendars::LookedAt,
    pub(crate) removals: crate::calendars::Removals,
    workspaces: BTreeSet<WorkspaceId>,
    working: AtomicUsize,
    pace: tokio::sync::Mutex<Pace>,
    wake: Notify,
    /// Held by the one worker that looks out for work.
    lookout: tokio::sync::Mutex<()>,
}

/// The shortest pause after a turn that found work due which nobody may take yet.
const BLOCKED_PAUSE: Duration = Duration::from_millis(100);

/// The pause after the database failed, before it is asked again.
const DATABASE_PAUSE: Duration = Duration::from_secs(1);

/// Bookings in one claim from which on it pays to gather: their calls and transactions are shared by all of them.
const BUSY: usize = 8;

/// How long bookings gather between two claims of a busy process. One booking alone never waits for this.
const GATHER: Duration = Duration::from_millis(20);

/// When this process last claimed, and whether there was much to claim.
struct Pace {
    busy: bool,
    last: Instant,
}

/// Counts a worker for as long as it runs, however it ends.
struct Working<'a>(&'a AtomicUsize);

impl<'a> Working<'a> {
    fn count(workers: &'a AtomicUsize) -> Self {
        workers.fetch_add(1, Ordering::Relaxed);
        Self(workers)
    }
}

impl Drop for Working<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Engine {
    /// Puts the engine together; nothing runs yet.
    pub fn new(world: World, setup: Setup, options: Options) -> Arc<Self> {
        let workspaces = setup.integrations.iter().map(|integration| integration.workspace.clone()).collect();
        Arc::new(Self {
            calls: Semaphore::new(options.calls_in_flight.max(1)),
            record_flows: setup.records.iter().cloned().map(Arc::new).collect(),
            calendar_flows: setup.calendars.iter().cloned().map(Arc::new).collect(),
            world,
            setup,
            options,
            directory: Directory::default(),
            refusals: Refusals::default(),
            descriptions: Descriptions::default(),
            templates: Templates::default(),
            tokens: Tokens::default(),
            paces: Paces::default(),
            usage: Mutex::default(),
            blocked: Mutex::default(),
            checked: Mutex::default(),
            compiled: Mutex::default(),
            wakes: crate::records::Wakes::default(),
            last_words: Mutex::default(),
            long_looks: Mutex::default(),
            written_records: crate::written::WrittenFlows::default(),
            written_calendars: crate::written::WrittenFlows::default(),
            primaries: crate::calendars::Primaries::default(),
            calendar_words: crate::calendars::Words::default(),
            calendars_told: crate::calendars::Told::default(),
            calendar_tells: crate::calendars::Telling::default(),
            looked_at: crate::calendars::LookedAt::default(),
            removals: crate::calendars::Removals::default(),
            workspaces,
            working: AtomicUsize::new(0),
            pace: tokio::sync::Mutex::new(Pace { busy: false, last: Instant::now() }),
            wake: Notify::new(),
            lookout: tokio::sync::Mutex::default(),
        })
    }

    /// What is set up.
    pub fn setup(&self) -> &Setup {
        &self.setup
    }

    /// What the engine was handed.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// Says that something may be due: a message was taken in, a connection came back.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// Runs the workers until `stop`; each ends its batch first.
    pub async fn run(self: &Arc<Self>, stop: CancellationToken) {
        let mut workers = tokio::task::JoinSet::new();
        let start = |workers: &mut tokio::task::JoinSet<()>| {
            let (engine, stop) = (Arc::clone(self), stop.clone());
            workers.spawn(async move { engine.work(stop).await });
        };
        for _ in 0..self.options.workers.max(1) {
            start(&mut workers);
        }
        while let Some(ended) = workers.join_next().await {
            if ended.is_err() && !stop.is_cancelled() {
                // What it held comes back when its lease ends; the others must not wait for it until then.
                tracing::error!("A worker broke down, which is a fault of Syncline; another takes its place");
                tokio::time::sleep(DATABASE_PAUSE).await;
                start(&mut workers);
            }
        }
    }

    /// Whether at least one worker runs.
    pub fn works(&self) -> bool {
        self.working.load(Ordering::Relaxed) > 0
    }

    async fn work(&self, stop: CancellationToken) {
        let _working = Working::count(&self.working);
        let worker = self.new_worker();
        while !stop.is_cancelled() {
            let answered = match self.turn(&worker).await {
                Ok(0) => true,
                Ok(_) => continue,
                Err(error) => {
                    tracing::warn!(%error, "The database did not answer; trying again");
                    false
                }
            };
            tokio::select! {
                // Without chance, so that a run can be repeated.
                biased;
                () = self.wake.notified() => {}
                () = self.until_due(), if answered => {}
                () = tokio::time::sleep(DATABASE_PAUSE), if !answered => {}
                () = stop.cancelled() => {}
            }
        }
        if let Err(error) = self.world.store.release_worker(&worker).await {
            tracing::warn!(%error, "Could not give leases back; they run out by themselves");
        }
    }

    pub(crate) fn new_worker(&self) -> WorkerId {
        let mut bytes = [0; 8];
        self.world.entropy.fill(&mut bytes);
        WorkerId(format!("w_{:016x}", u64::from_be_bytes(bytes)))
    }

    /// One turn: claims what is due in every workspace and sees it through. Returns how many bookings were handled.
    pub async fn turn(&self, worker: &WorkerId) -> syncline_store::Result<usize> {
        let mut handled = 0;
        for workspace in &self.workspaces {
            let mut pace = self.pace.lock().await;
            if pace.busy {
                tokio::time::sleep_until(pace.last + GATHER).await;
            }
            let now = self.world.clock.now();
            let blocked = self.blocked(workspace, now).await?;
            self.refresh_templates(workspace, now).await?;
            let lease_until = now.saturating_add(self.options.lease).unwrap_or(Timestamp::MAX);
            let claimed =
                self.world.store.claim(workspace, worker, now, lease_until, self.options.batch, &blocked).await?;
            *pace = Pace { busy: (BUSY..self.options.batch).contains(&claimed.len()), last: Instant::now() };
            drop(pace);
            if claimed.len() >= self.options.batch {
                self.wake();
            }
            handled += claimed.len();
            if !claimed.is_empty() {
                let turn = tracing::info_span!("turn", bookings = claimed.len());
                self.see_through(claimed, lease_until).instrument(turn).await?;
            }
        }
        Ok(handled)
    }

    /// Waits until a turn may find something to do. One worker of the process looks out for what nobody tells of, with a
    /// question that writes nothing; the others rest.
    async fn until_due(&self) {
        let _lookout = self.lookout.lock().await;
        loop {
            let wait = self.wait_until_due().await;
            tokio::time::sleep(wait.unwrap_or(self.options.poll)).await;
            // A connection that rests may be back, which only a turn finds out.
            if wait.is_some() || !self.all_blocked().0.is_empty() {
                return;
            }
        }
    }

    /// How long there is nothing to do; nothing where it is longer than anybody waits without asking again. What is due for
    /// a connection that rests waits until the connection is back.
    async fn wait_until_due(&self) -> Option<Duration> {
        let (blocked, back) = self.all_blocked();
        let Ok(due) = self.world.store.next_due(&blocked).await else { return Some(DATABASE_PAUSE) };
        let next = due.into_iter().chain(back).min()?;
        let wait = Duration::try_from(next.duration_since(self.world.clock.now())).unwrap_or(Duration::ZERO);
        (wait <= self.options.poll).then_some(wait.max(BLOCKED_PAUSE))
    }

    /// A random number for jitter.
    pub(crate) fn random(&self) -> u64 {
        let mut bytes = [0; 8];
        self.world.entropy.fill(&mut bytes);
        u64::from_be_bytes(bytes)
    }
}

/// What a look or a push on behalf of a connection ended with.
pub(crate) type Called<T> = Result<T, Error>;
