//! What the targets hand in: a clock that stands still, chance that repeats itself, and an answer instead of a network.

use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures::FutureExt;
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use syncline_connect::{BoxFuture, Connector, Http, HttpError};
use syncline_core::{Clock, Entropy};

/// The moment at which everything happens.
pub const NOW_SECONDS: i64 = 1_800_000_000;

/// A word that the corpora put where secrets and people stand; no message for people or logs may repeat it.
pub const CANARY: &str = "canary";

/// The moment at which everything happens.
pub fn now() -> Timestamp {
    Timestamp::from_second(NOW_SECONDS).expect("a moment within jiff's range")
}

/// Stands still.
pub struct StoppedClock;

impl Clock for StoppedClock {
    fn now(&self) -> Timestamp {
        now()
    }
}

/// Random bytes that every run repeats.
#[derive(Default)]
pub struct Seeded(AtomicU64);

impl Entropy for Seeded {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(32) {
            let block = Sha256::digest(self.0.fetch_add(1, Ordering::Relaxed).to_be_bytes());
            chunk.copy_from_slice(&block[..chunk.len()]);
        }
    }
}

/// Gives every call the same answer.
pub struct Always {
    pub status: u16,
    pub body: Bytes,
}

impl Http for Always {
    fn send(&self, _: http::Request<Bytes>) -> BoxFuture<'_, Result<http::Response<Bytes>, HttpError>> {
        let mut response = http::Response::new(self.body.clone());
        *response.status_mut() = http::StatusCode::from_u16(self.status).expect("targets answer with known statuses");
        Box::pin(async move { Ok(response) })
    }
}

/// The connector of this name.
pub fn connector(name: &str) -> &'static dyn Connector {
    let mut all = syncline_vendors::all().iter();
    *all.find(|connector| connector.manifest().vendor == name).expect("all features are on here")
}

/// Runs what never has to wait.
pub fn at_once<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("nothing here waits")
}
