//! Calls at the pace that their vendor allows: whoever is about to call waits until the call is not one too many.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use bytes::Bytes;
use jiff::SignedDuration;
use syncline_connect::{BoxFuture, Http, HttpError, Lane, Limits};
use syncline_core::{
    ids::{ConnectionId, WorkspaceId},
    pace::{Call, Pace, Told},
};

use crate::{engine::Engine, setup::ConnectionSetup};

/// The longest that a call waits for its turn. What would take longer is refused as the vendor would refuse it, and tried
/// again later: nothing is kept in memory meanwhile, and no lease runs out. Limits that are counted by ten seconds fit in,
/// and those by the hour do not.
pub const WAIT_MAX: SignedDuration = SignedDuration::from_secs(15);

/// Lets time pass: a timer in production; tests move their clock instead.
pub trait Rest: Send + Sync {
    /// Ready once so much time has passed.
    fn rest(&self, time: Duration) -> BoxFuture<'_, ()>;
}

/// The runtime's timer.
#[derive(Debug, Clone, Copy, Default)]
pub struct Timer;

impl Rest for Timer {
    fn rest(&self, time: Duration) -> BoxFuture<'_, ()> {
        Box::pin(tokio::time::sleep(time))
    }
}

type PaceKey = (WorkspaceId, ConnectionId, &'static str);

/// The paces of this process, which all its tasks keep.
#[derive(Default)]
pub(crate) struct Paces(Mutex<HashMap<PaceKey, Pace>>);

impl Paces {
    fn lock(&self) -> MutexGuard<'_, HashMap<PaceKey, Pace>> {
        self.0.lock().expect("no code panics while it holds this lock")
    }
}

/// Carries the requests of one connection at its pace.
pub(crate) struct Paced<'a> {
    engine: &'a Engine,
    setup: &'a ConnectionSetup,
    http: &'a dyn Http,
}

impl Http for Paced<'_> {
    fn send(&self, request: http::Request<Bytes>) -> BoxFuture<'_, Result<http::Response<Bytes>, HttpError>> {
        match self.setup.connector.limits() {
            None => self.http.send(request),
            Some(limits) => Box::pin(self.send_in_turn(limits, request)),
        }
    }
}

impl Paced<'_> {
    async fn send_in_turn(
        &self,
        limits: &dyn Limits,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, HttpError> {
        let lane = limits.lane(request.uri().path());
        let call = self.turn(lane).await.map_err(|wait| {
            let host = request.uri().host().unwrap_or_default().to_owned();
            HttpError::Paced { host, wait: wait.unsigned_abs() }
        })?;
        let answer = self.http.send(request).await;
        match &answer {
            Ok(answer) => self.answered(lane, call, limits.told(lane, answer.headers())),
            Err(HttpError::Unanswered { .. }) => self.answered(lane, call, None),
            Err(HttpError::NotSent { .. } | HttpError::Forbidden { .. } | HttpError::Paced { .. }) => {
                self.with(lane, |pace| pace.not_sent(call));
            }
        }
        answer
    }

    /// Waits until a call is not one too many; yields how long that would take where it is too long.
    async fn turn(&self, lane: &'static Lane) -> Result<Call, SignedDuration> {
        let mut waited = SignedDuration::ZERO;
        loop {
            let now = self.engine.world.clock.now();
            // Between the question and the call nobody else may call.
            let turn = self.with(lane, |pace| match pace.wait(now) {
                SignedDuration::ZERO => Ok(pace.begin(now)),
                wait => Err(wait),
            });
            let wait = match turn {
                Ok(call) => return Ok(call),
                Err(wait) => wait,
            };
            waited = waited.saturating_add(wait);
            if waited > WAIT_MAX {
                return Err(wait);
            }
            self.engine.world.rest.rest(wait.unsigned_abs()).await;
        }
    }

    fn answered(&self, lane: &'static Lane, call: Call, told: Option<Told>) {
        let now = self.engine.world.clock.now();
        self.with(lane, |pace| pace.answered(call, now, told));
    }

    fn with<T>(&self, lane: &'static Lane, act: impl FnOnce(&mut Pace) -> T) -> T {
        let key = (self.setup.workspace.clone(), self.setup.id.clone(), lane.name);
        act(self.engine.paces.lock().entry(key).or_insert_with(|| Pace::new(lane.allowance)))
    }
}

impl Engine {
    /// The carrier for calls on behalf of a connection.
    pub(crate) fn paced<'a>(&'a self, setup: &'a ConnectionSetup, http: &'a dyn Http) -> Paced<'a> {
        Paced { engine: self, setup, http }
    }
}
