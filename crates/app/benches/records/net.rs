//! The way to the imitation accounts: function calls instead of sockets, counted, and kept for a client that repeats
//! them. What a call is for is told by its method, path and body.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
};

use bytes::Bytes;
use jiff::Timestamp;
use syncline_connect::{BoxFuture, Http, HttpError};
use syncline_core::Clock;
use syncline_sandbox::{Reply, Site};

/// A site as a function.
pub trait Answers: Send + Sync {
    fn answer(&self, base: &str, request: http::Request<Bytes>) -> Reply;
}

impl<S: Site> Answers for S {
    fn answer(&self, base: &str, request: http::Request<Bytes>) -> Reply {
        self.handle(base, request)
    }
}

/// Calls to one account.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct Calls {
    pub reads: u64,
    /// Those that ask what became of a write among them.
    pub writes: u64,
    /// Tokens and descriptions, once in hours.
    pub other: u64,
}

impl Calls {
    pub fn all(self) -> u64 {
        self.reads + self.writes
    }

    pub fn since(self, before: Calls) -> Calls {
        Calls {
            reads: self.reads - before.reads,
            writes: self.writes - before.writes,
            other: self.other - before.other,
        }
    }
}

/// Requests with the times at which they were made.
pub type Kept = Vec<(Timestamp, http::Request<Bytes>)>;

/// The sites by host, and what was asked of them.
pub struct Net {
    sites: BTreeMap<String, Arc<dyn Answers>>,
    clock: Arc<dyn Clock>,
    calls: Mutex<BTreeMap<String, Calls>>,
    kept: Mutex<Option<Kept>>,
}

fn open<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().expect("no other call panicked")
}

impl Net {
    pub fn new(clock: Arc<dyn Clock>, sites: impl IntoIterator<Item = (String, Arc<dyn Answers>)>) -> Self {
        Self { sites: sites.into_iter().collect(), clock, calls: Mutex::default(), kept: Mutex::default() }
    }

    /// What was asked of a host so far.
    pub fn calls(&self, host: &str) -> Calls {
        open(&self.calls).get(host).copied().unwrap_or_default()
    }

    /// Keeps what is asked from now on.
    pub fn keep(&self) {
        *open(&self.kept) = Some(Vec::new());
    }

    /// What was asked since [`Net::keep`].
    pub fn kept(&self) -> Kept {
        open(&self.kept).take().unwrap_or_default()
    }

    /// Sends a request once more, as a client without an engine would, and reads its answer; whether it was a good one.
    pub fn repeat(&self, request: &http::Request<Bytes>) -> bool {
        let host = request.uri().host().unwrap_or_default().to_owned();
        let Some(site) = self.sites.get(&host) else { return false };
        let response = site.answer(&format!("https://{host}"), request.clone()).response;
        let read = serde_json::from_slice::<serde_json::Value>(response.body());
        response.status().is_success() && (response.body().is_empty() || read.is_ok() || is_table(&response))
    }
}

fn is_table(response: &http::Response<Bytes>) -> bool {
    response.headers().get("content-type").is_some_and(|kind| kind.as_bytes().starts_with(b"text/csv"))
}

impl Http for Net {
    fn send(&self, request: http::Request<Bytes>) -> BoxFuture<'_, Result<http::Response<Bytes>, HttpError>> {
        let host = request.uri().host().unwrap_or_default().to_owned();
        {
            let mut calls = open(&self.calls);
            let counted = calls.entry(host.clone()).or_default();
            match purpose(&request) {
                Purpose::Read => counted.reads += 1,
                Purpose::Write => counted.writes += 1,
                Purpose::Other => counted.other += 1,
            }
        }
        if let Some(kept) = open(&self.kept).as_mut() {
            kept.push((self.clock.now(), request.clone()));
        }
        let answer = match self.sites.get(&host) {
            Some(site) => Ok(site.answer(&format!("https://{host}"), request).response),
            None => Err(HttpError::NotSent { host, reason: "no such host".into() }),
        };
        Box::pin(std::future::ready(answer))
    }
}

/// What a call is for.
enum Purpose {
    Read,
    Write,
    Other,
}

fn purpose(request: &http::Request<Bytes>) -> Purpose {
    let (path, get) = (request.uri().path(), request.method() == http::Method::GET);
    let asks = |words: &[&str]| words.iter().any(|word| path.contains(word));
    let body = || String::from_utf8_lossy(request.body());
    if asks(&["/oauth2/", "/describe", "/attributes", "/properties", "/fieldMetas"]) || path.ends_with("/fields") {
        Purpose::Other
    } else if asks(&["/jobs/", "/import", "/processes"]) {
        Purpose::Write
    } else if path.ends_with("/composite") && !get {
        let body = body();
        match body.contains("\"GET\"") && !body.contains("\"PATCH\"") {
            true if body.contains("/describe") => Purpose::Other,
            true => Purpose::Read,
            false => Purpose::Write,
        }
    } else if get || asks(&["/search", "/batch/read"]) {
        Purpose::Read
    } else {
        Purpose::Write
    }
}
