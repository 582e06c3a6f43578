//! Virtual time: what the runtime's paused clock says is true, and each process has a clock that may be wrong.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use jiff::{SignedDuration, Timestamp};
use syncline_core::Clock;
use tokio::time::Instant;

/// When a run begins that does not say when, in seconds since 1970: 2026-11-23T08:00:00Z, a Monday.
const BEGINNING: i64 = 1_795_420_800;

/// The moment at which a run begins that does not say when.
pub fn beginning() -> Timestamp {
    Timestamp::from_second(BEGINNING).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// The true time. It stands still while anybody has something to do.
#[derive(Debug)]
pub struct TrueClock {
    began: Instant,
    beginning: Timestamp,
}

impl TrueClock {
    /// Begins now; to be called within the runtime.
    pub fn start() -> Arc<Self> {
        Self::start_at(beginning())
    }

    /// Begins now, which is this moment; likewise.
    pub fn start_at(beginning: Timestamp) -> Arc<Self> {
        Arc::new(Self { began: Instant::now(), beginning })
    }

    /// Since the beginning of the run.
    pub fn elapsed(&self) -> std::time::Duration {
        self.began.elapsed()
    }
}

impl Clock for TrueClock {
    fn now(&self) -> Timestamp {
        let passed = SignedDuration::try_from(self.elapsed()).unwrap_or(SignedDuration::MAX);
        self.beginning.saturating_add(passed).unwrap_or(Timestamp::MAX)
    }
}

/// The clock of one process.
#[derive(Debug)]
pub struct SkewedClock {
    truth: Arc<TrueClock>,
    off_millis: AtomicI64,
}

impl SkewedClock {
    pub fn new(truth: Arc<TrueClock>) -> Arc<Self> {
        Arc::new(Self { truth, off_millis: AtomicI64::new(0) })
    }

    /// From now on it is wrong by so much.
    pub fn set(&self, off: SignedDuration) {
        self.off_millis.store(i64::try_from(off.as_millis()).unwrap_or(0), Ordering::Relaxed);
    }
}

impl Clock for SkewedClock {
    fn now(&self) -> Timestamp {
        let off = SignedDuration::from_millis(self.off_millis.load(Ordering::Relaxed));
        self.truth.now().saturating_add(off).unwrap_or(Timestamp::MAX)
    }
}
