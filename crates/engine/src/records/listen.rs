//! Listening: accounts that announce their changes wake the integrations at once, so that polls may be far apart. One
//! process listens to an account; where it stopped is kept once what was heard is seen to, never before, so that
//! nothing is lost when it dies. What cannot be listened to is polled as ever.

use std::{collections::BTreeSet, convert::Infallible, future::Future, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;
use syncline_connect::{Announcements, Error, ErrorKind, Heard, Listen, Opening, Retry};
use syncline_core::{backoff, ids::ConnectionId};
use syncline_store::{ConnectionStatus, FlowStanding, Held, JournalEntry, JournalKind, Result as StoreResult};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{RecordFlow, hints::HINTS_MAX};
use crate::{
    engine::Engine,
    setup::{ConnectionSetup, GrantKind},
    token::Token,
};

/// How long a process has an account for itself without saying so again: as long goes by before another takes the
/// place of one that died.
const LISTEN_LEASE: SignedDuration = SignedDuration::from_secs(60);

/// How often it says so, and sees whether an active integration still has a use for it.
const RENEW_EVERY: Duration = Duration::from_secs(10);

/// How often to see whether the process that listens is still there, and whether an integration has become active.
const ELSEWHERE_PAUSE: Duration = Duration::from_secs(5);

/// An exchange that ended sooner counts as a failure, whatever was heard in it: accounts that end each at once are
/// asked more and more seldom.
const STEADY: Duration = Duration::from_secs(60);

/// How long until an account is asked again that refuses to be listened to for a reason which only a person can mend.
const REFUSED_PAUSE: SignedDuration = SignedDuration::from_mins(15);

/// What comes within so long of one another is seen to together, but nothing waits longer than that for more.
const GATHER: Duration = Duration::from_millis(300);
const GATHER_MAX: Duration = Duration::from_secs(2);

/// How listening to an account stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listening {
    /// Since when it has been so.
    pub since: Timestamp,
    /// Why it is not listened to; nothing while it is.
    pub problem: Option<String>,
    /// Whether people were told of trouble that they have not been told the end of.
    #[serde(default)]
    pub told: bool,
}

/// How a stretch of listening ended.
enum End {
    /// Another process listens.
    Elsewhere,
    /// No active integration has a use for it.
    Unwanted,
    Failed(Error),
}

/// A failure of the store, of the lease, or of the account.
enum Halt {
    Store(syncline_store::Error),
    Lost,
    Stopped,
    Unwanted,
    Account(Error),
}

impl From<syncline_store::Error> for Halt {
    fn from(error: syncline_store::Error) -> Self {
        Self::Store(error)
    }
}

impl From<Error> for Halt {
    fn from(error: Error) -> Self {
        Self::Account(error)
    }
}

/// One account that is listened to.
struct Ear<'a> {
    engine: &'a Engine,
    setup: &'a ConnectionSetup,
    listen: &'static dyn Listen,
    held: &'a Held,
    stop: &'a CancellationToken,
    kinds: BTreeSet<String>,
    /// When to say again that it is ours.
    renew_at: Instant,
    /// Whether anything was heard in this exchange.
    hears: bool,
    /// When the first exchange began in which anything was heard.
    heard_since: Option<Instant>,
}

impl Engine {
    /// Listens to every account that announces its changes, until `stop`.
    pub async fn keep_listening(self: &Arc<Self>, stop: CancellationToken) {
        let mut loops = tokio::task::JoinSet::new();
        for at in 0..self.setup.connections.len() {
            if listens(&self.setup.connections[at]).is_some() {
                let (engine, stop) = (Arc::clone(self), stop.clone());
                loops.spawn(async move { engine.listen_by_and_by(&engine.setup.connections[at], stop).await });
            }
        }
        while let Some(ended) = loops.join_next().await {
            if ended.is_err() && !stop.is_cancelled() {
                tracing::error!("Listening broke down, which is a fault of Syncline; polls go on");
            }
        }
    }

    /// How listening stands to the accounts of an integration that are to be listened to.
    pub async fn listening(&self, flow: &RecordFlow) -> StoreResult<Vec<(ConnectionId, Option<Listening>)>> {
        let mut all = Vec::new();
        for setup in self.setup.connections.iter().filter(|setup| flow.sides_of(setup).next().is_some()) {
            if listens(setup).is_some() {
                let text = self.world.store.cursor(&setup.workspace, &state_name(setup)).await?;
                let state = text.and_then(|text| serde_json::from_str(&text).ok());
                all.push((setup.id.clone(), state));
            }
        }
        Ok(all)
    }

    async fn listen_by_and_by(&self, setup: &ConnectionSetup, stop: CancellationToken) {
        let mut failures: u32 = 0;
        while !stop.is_cancelled() {
            let mut heard_since = None;
            let end = self.listen_once(setup, &stop, &mut heard_since).await;
            let heard_for = heard_since.map(|since: Instant| since.elapsed());
            let pause = match end {
                Ok(End::Elsewhere | End::Unwanted) => ELSEWHERE_PAUSE,
                Ok(End::Failed(error)) => {
                    failures = failures_after(failures, heard_for);
                    self.pause_before_listening(&error, failures)
                }
                Err(error) => {
                    tracing::warn!(%error, "The database did not answer; listening again soon");
                    ELSEWHERE_PAUSE
                }
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    fn pause_before_listening(&self, error: &Error, failures: u32) -> Duration {
        let pause = match error.retry {
            Retry::After(pause) => backoff::capped(SignedDuration::try_from(pause).unwrap_or(SignedDuration::MAX)),
            Retry::Backoff | Retry::Replan => backoff::next_delay(failures, self.random()),
            Retry::Never | Retry::Reauthorise => REFUSED_PAUSE,
        };
        Duration::try_from(pause).unwrap_or(ELSEWHERE_PAUSE)
    }

    /// Whether an active integration has a use for hints from this account, and the account is there.
    async fn has_use_for(&self, setup: &ConnectionSetup) -> StoreResult<bool> {
        let row = self.world.store.connection(&setup.workspace, &setup.id).await?;
        let is_there = match row.map(|row| row.status) {
            Some(ConnectionStatus::Connected) => true,
            Some(ConnectionStatus::NeedsReconnect) => false,
            // All but those that a person connects do so by themselves.
            Some(ConnectionStatus::NotConnected) | None => !matches!(setup.grant, GrantKind::Browser),
        };
        if !is_there {
            return Ok(false);
        }
        for flow in self.record_flows(&setup.workspace).await? {
            if flow.sides_of(setup).next().is_some() && self.is_active(&flow).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn is_active(&self, flow: &RecordFlow) -> StoreResult<bool> {
        let state = self.world.store.flow_state(&flow.workspace, &flow.id).await?;
        Ok(state.is_some_and(|state| state.standing == FlowStanding::Active))
    }

    /// Listens until something fails, until nobody has a use for it, or until `stop`.
    async fn listen_once(
        &self,
        setup: &ConnectionSetup,
        stop: &CancellationToken,
        heard_since: &mut Option<Instant>,
    ) -> StoreResult<End> {
        let Some((listen, kinds)) = listens(setup) else { return Ok(End::Unwanted) };
        if !self.has_use_for(setup).await? {
            return Ok(End::Unwanted);
        }
        let Some(held) = self.hold(&setup.workspace, format!("listen:{}", setup.id), LISTEN_LEASE).await? else {
            return Ok(End::Elsewhere);
        };
        let renew_at = Instant::now() + RENEW_EVERY;
        let held_by = &held;
        let mut ear =
            Ear { engine: self, setup, listen, held: held_by, stop, kinds, renew_at, hears: false, heard_since: None };
        let end = match ear.listen().await {
            Halt::Account(error) => ear.note(Some(&error)).await.map(|()| End::Failed(error)),
            Halt::Lost | Halt::Stopped => Ok(End::Elsewhere),
            Halt::Unwanted => ear.say_nothing().await.map(|()| End::Unwanted),
            Halt::Store(error) => Err(error),
        };
        *heard_since = ear.heard_since;
        self.let_go(&setup.workspace, &held).await;
        end
    }
}

/// How many exchanges have failed in a row, with one more that ended after something was heard for so long.
fn failures_after(before: u32, heard_for: Option<Duration>) -> u32 {
    let steady = heard_for.is_some_and(|heard_for| heard_for >= STEADY);
    if steady { 1 } else { before.saturating_add(1) }
}

/// The facet of an account that is to be listened to, and the kinds that could take part: which of them do may change
/// at any time.
fn listens(setup: &ConnectionSetup) -> Option<(&'static dyn Listen, BTreeSet<String>)> {
    let listen = setup.connector.listen().filter(|listen| listen.wanted(&setup.settings))?;
    let kinds = setup.connector.mirror()?.kinds();
    Some((listen, kinds.iter().map(|kind| kind.name.to_owned()).collect()))
}

fn place_name(setup: &ConnectionSetup) -> String {
    format!("heard:{}", setup.id)
}

fn state_name(setup: &ConnectionSetup) -> String {
    format!("listening:{}", setup.id)
}

impl Ear<'_> {
    /// Opens exchange after exchange, for as long as the reason to open another one is a new token or a lost place.
    async fn listen(&mut self) -> Halt {
        let mut stale = None;
        let mut refused = false;
        loop {
            let token = match self.engine.token(self.setup, stale).await {
                Ok(token) => token,
                Err(error) => return error.into(),
            };
            let place = match self.place().await {
                Ok(place) => place,
                Err(error) => return error.into(),
            };
            let began = Instant::now();
            self.hears = false;
            let halt = self.exchange(&token, place.as_deref()).await;
            refused &= !self.hears || began.elapsed() < STEADY;
            let Halt::Account(error) = &halt else { return halt };
            match (error.retry, error.kind) {
                // Once: a token that is refused before much was heard by it is no matter of its age.
                (Retry::Reauthorise, _) if !refused => {
                    refused = true;
                    stale = Some(token.version);
                }
                (_, ErrorKind::Gone) if place.is_some() => {
                    if let Err(halt) = self.forget_place(error).await {
                        return halt;
                    }
                }
                _ => return halt,
            }
        }
    }

    /// Where listening stopped.
    async fn place(&self) -> StoreResult<Option<String>> {
        let place = self.engine.world.store.cursor(&self.setup.workspace, &place_name(self.setup)).await?;
        Ok(place.filter(|place| !place.is_empty()))
    }

    /// One exchange from its opening to whatever ends it.
    async fn exchange(&mut self, token: &Token, place: Option<&str>) -> Halt {
        match self.exchange_to_end(token, place).await {
            Ok(never) => match never {},
            Err(halt) => halt,
        }
    }

    async fn exchange_to_end(&mut self, token: &Token, place: Option<&str>) -> Result<Infallible, Halt> {
        let (engine, setup) = (self.engine, self.setup);
        let row = engine.world.store.connection(&setup.workspace, &setup.id).await?;
        let account = row.and_then(|row| row.tokens).and_then(|tokens| tokens.account);
        let cx = engine.cx(setup, token);
        let kinds = self.kinds.clone();
        let from = Opening { account: account.as_deref(), place, kinds: &kinds };
        let listen = self.listen;
        let mut said = self.while_wanted(listen.open(&cx, from)).await??;
        loop {
            let cx = engine.cx(setup, token);
            let heard = self.while_wanted(gather(said.as_mut(), &cx)).await??;
            // What is said at the opening proves nothing yet.
            if heard.place.is_some() && !self.hears {
                self.hears = true;
                self.heard_since.get_or_insert_with(Instant::now);
                self.note(None).await?;
            }
            let stop = self.stop;
            if !heard.hints.is_empty() && !self.while_held(engine.see_to_hints(setup, &heard.hints, stop)).await?? {
                return Err(Halt::Stopped);
            }
            if let Some(place) = heard.place {
                let now = engine.world.clock.now();
                let name = place_name(setup);
                let kept = engine.world.store.move_cursor(&setup.workspace, self.held, now, &name, &place, None);
                if !kept.await? {
                    return Err(Halt::Lost);
                }
            }
        }
    }

    /// Waits for something that may never come: until `stop`, or until nobody has a use for it. Whoever listens again
    /// goes on at the place that is kept.
    async fn while_wanted<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Halt> {
        let stop = self.stop;
        tokio::select! {
            biased;
            () = stop.cancelled() => Err(Halt::Stopped),
            halt = self.stay(true) => Err(halt),
            done = work => Ok(done),
        }
    }

    /// Does something that may last, and stays the one who listens.
    async fn while_held<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Halt> {
        tokio::select! {
            biased;
            halt = self.stay(false) => Err(halt),
            done = work => Ok(done),
        }
    }

    /// Stays the one who listens, beside what is done meanwhile; ends when that is over, and where it is asked for, when
    /// nobody has a use for it.
    async fn stay(&mut self, only_while_wanted: bool) -> Halt {
        loop {
            tokio::time::sleep_until(self.renew_at).await;
            if let Err(halt) = self.renew().await {
                return halt;
            }
            if only_while_wanted {
                match self.engine.has_use_for(self.setup).await {
                    Ok(true) => {}
                    Ok(false) => return Halt::Unwanted,
                    Err(error) => return error.into(),
                }
            }
        }
    }

    /// Says that the account is still ours. What is heard meanwhile does not put it off.
    async fn renew(&mut self) -> Result<(), Halt> {
        let (store, now) = (&self.engine.world.store, self.engine.world.clock.now());
        let until = super::later(now, LISTEN_LEASE);
        if !store.extend_lease(&self.setup.workspace, self.held, now, until).await? {
            return Err(Halt::Lost);
        }
        self.renew_at = Instant::now() + RENEW_EVERY;
        Ok(())
    }

    /// What was announced meanwhile cannot be had any more: it is listened from now on, and everything is read.
    async fn forget_place(&self, error: &Error) -> Result<(), Halt> {
        let (setup, now) = (self.setup, self.engine.world.clock.now());
        tracing::warn!(connection.id = %setup.id, "{}: {}; what changed is read", setup.id, error.message);
        let text = format!("What {} announced was missed: {}. What changed is read", setup.id, error.message);
        let line = JournalEntry { at: now, kind: JournalKind::Connection, text, details: json!({}) };
        let name = place_name(setup);
        let store = &self.engine.world.store;
        let kept = store.move_cursor(&setup.workspace, self.held, now, &name, "", Some((None, line))).await?;
        if kept { Ok(()) } else { Err(Halt::Lost) }
    }

    /// While nobody has a use for it, there is nothing to say of it.
    async fn say_nothing(&self) -> StoreResult<()> {
        let (store, now) = (&self.engine.world.store, self.engine.world.clock.now());
        let name = state_name(self.setup);
        store.move_cursor(&self.setup.workspace, self.held, now, &name, "", None).await.map(drop)
    }

    /// Notes how listening stands, where that is new; people are told of trouble that only they can mend, once.
    async fn note(&self, error: Option<&Error>) -> StoreResult<()> {
        let (setup, now) = (self.setup, self.engine.world.clock.now());
        let (store, name) = (&self.engine.world.store, state_name(setup));
        let problem = error.map(|error| error.message.clone());
        let before = store.cursor(&setup.workspace, &name).await?;
        let before: Option<Listening> = before.and_then(|text| serde_json::from_str(&text).ok());
        if before.as_ref().is_some_and(|before| before.problem == problem) {
            return Ok(());
        }
        let lasting = error.is_some_and(|error| !matches!(error.retry, Retry::Backoff | Retry::Replan));
        match error {
            Some(error) if lasting => {
                tracing::warn!(connection.id = %setup.id, error.kind = ?error.kind, error.code,
                    "Changes of {} are not announced: {}; polls go on", setup.id, error.message);
            }
            Some(error) => tracing::info!(connection.id = %setup.id, error.kind = ?error.kind, error.code,
                "Changes of {} are not announced just now: {}", setup.id, error.message),
            None => tracing::info!(connection.id = %setup.id, "Changes of {} are announced", setup.id),
        }
        let told_before = before.is_some_and(|before| before.told);
        let text = match &problem {
            Some(problem) if lasting => {
                Some(format!("Changes of {} are not announced: {problem}. Polls go on", setup.id))
            }
            None if told_before => Some(format!("Changes of {} are announced again", setup.id)),
            _ => None,
        };
        let told = problem.is_some() && (lasting || told_before);
        let line = text.map(|text| {
            let kind = JournalKind::Connection;
            (None, JournalEntry { at: now, kind, text, details: json!({ "connection": setup.id }) })
        });
        let state = serde_json::to_string(&Listening { since: now, problem, told }).unwrap_or_default();
        store.move_cursor(&setup.workspace, self.held, now, &name, &state, line).await.map(drop)
    }
}

/// What comes next, and what follows on its heels. A failure on the way drops what was gathered: it comes again behind
/// the place that was kept.
async fn gather(said: &mut dyn Announcements, cx: &syncline_connect::Cx<'_>) -> Result<Heard, Error> {
    let mut heard = said.next(cx).await?;
    let until = Instant::now() + GATHER_MAX;
    while !heard.hints.is_empty() && heard.hints.len() < HINTS_MAX && Instant::now() < until {
        let Ok(more) = tokio::time::timeout(GATHER, said.next(cx)).await else { break };
        let more = more?;
        heard.hints.extend(more.hints);
        heard.place = more.place.or(heard.place);
    }
    Ok(heard)
}

#[cfg(test)]
mod tests;
