//! Asking the sources by themselves: a poll fills the gaps that lost webhooks left, and the webhook subscription is
//! looked after. Of many processes one asks a source at a time. What is found goes through the inbox like a webhook.
//!
//! [`Engine::poll_once`] and [`Engine::watch_once`] are single steps without timers; [`Engine::poll_sources`] turns them.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use syncline_connect::{
    Answered, Connector, Cx, Ensured, Error, ErrorKind, Hook, Page, Poll, Polled, Retry, Secret, Settings, Start,
};
use syncline_core::{
    backoff::{DELAY_MAX, capped, next_delay},
    ids::{ConnectionId, IntegrationId, WorkspaceId},
};
use syncline_store::{
    Content, Delivery, Held, JournalEntry, JournalKind, PageTaken, PollState, PolledPage, Result as StoreResult,
};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::engine::Engine;

/// How often a subscription is looked at. One that fails is disabled after a day at the soonest, so that an hour loses
/// nothing; the poll finds what was missed meanwhile.
const WATCH_EVERY: SignedDuration = SignedDuration::from_hours(1);

/// How long until a source is asked again that refuses us for a reason which only a person can mend.
const REFUSED_PAUSE: SignedDuration = SignedDuration::from_hours(1);

/// Calls that a look at a subscription makes at the most: who we are, ten pages of subscriptions, one deleted, one made.
const WATCH_CALLS_MAX: i32 = 13;

/// How often to see whether it is time: a clock that jumps is noticed within it.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// The pause after the database failed, before it is asked again.
const DATABASE_PAUSE: Duration = Duration::from_secs(1);

/// A source that can be asked.
pub struct PolledSource {
    pub workspace: WorkspaceId,
    pub integration: IntegrationId,
    pub id: ConnectionId,
    pub connector: &'static dyn Connector,
    /// Where its API answers.
    pub base_url: Url,
    pub token: Secret,
    pub settings: Settings,
    /// How often it is asked.
    pub every: SignedDuration,
    /// What changed before this is left alone. Absent: before the first time that the source is asked.
    pub since: Option<Timestamp>,
    /// The subscription that is looked after.
    pub hook: Option<Hook>,
}

/// What a step of a poll came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// It is not time yet.
    NotDue { next: Timestamp },
    /// Another process asks this source just now, or did while this one waited for its answer.
    Held,
    /// A page was read and is in the inbox.
    Taken { taken: PageTaken, more: bool, next: Timestamp },
    /// It could not be read; nothing has moved.
    Failed { error: Error, next: Timestamp },
}

impl PolledSource {
    fn poll(&self) -> Option<&'static dyn Poll> {
        self.connector.poll()
    }

    fn vendor(&self) -> &'static str {
        self.connector.manifest().vendor
    }

    fn name(&self) -> &'static str {
        self.connector.manifest().display_name
    }
}

impl Engine {
    /// One step: if it is time and nobody else does, reads a page and takes it in together with its cursor.
    pub async fn poll_once(&self, source: &PolledSource) -> StoreResult<Step> {
        let now = self.world.clock.now();
        let Some(poll) = source.poll() else { return Ok(Step::NotDue { next: Timestamp::MAX }) };
        let state = self.poll_state(source, now).await?;
        if state.next_at > now {
            return Ok(Step::NotDue { next: state.next_at });
        }
        let calls = i32::try_from(poll.calls_per_page()).unwrap_or(i32::MAX);
        // Every call may take its whole time, and once more for the clocks.
        let lease = self.options.call.saturating_mul(calls.saturating_add(1));
        let Some(held) = self.hold(&source.workspace, lease_name(&source.id), lease).await? else {
            return Ok(Step::Held);
        };
        // Somebody may have read the page between the look and the lease.
        let state = self.poll_state(source, now).await?;
        let step = if state.next_at > now {
            Ok(Step::NotDue { next: state.next_at })
        } else {
            self.read_page(source, poll, &state, &held).await
        };
        self.let_go(&source.workspace, &held).await;
        step
    }

    async fn read_page(
        &self,
        source: &PolledSource,
        poll: &'static dyn Poll,
        state: &PollState,
        held: &Held,
    ) -> StoreResult<Step> {
        let start = state.cursor.as_deref().map_or(Start::Since(state.since), Start::Cursor);
        let answer = match self.calls.acquire().await {
            Ok(_permit) => poll.poll(&self.source_cx(source), start).await,
            Err(_) => return Ok(Step::Held),
        };
        let now = self.world.clock.now();
        let outcome = if answer.is_ok() { "read" } else { "failed" };
        metrics::counter!("syncline_polls_total", "vendor" => source.vendor(), "outcome" => outcome).increment(1);
        match answer {
            Ok(answered) => self.take_page(source, poll, state, held, answered, now).await,
            Err(error) => self.poll_failed(source, state, held, error, now).await,
        }
    }

    async fn take_page(
        &self,
        source: &PolledSource,
        poll: &'static dyn Poll,
        state: &PollState,
        held: &Held,
        answered: Answered<Page>,
        now: Timestamp,
    ) -> StoreResult<Step> {
        let Page { rows, cursor, more } = answered.value;
        let pause = if more { pace(answered.calls, poll.calls_per_minute()) } else { source.every };
        let next = now.saturating_add(pause).unwrap_or(Timestamp::MAX);
        let again = state.problem.is_some().then(|| format!("{} of source {} answers again", source.name(), source.id));
        let page = PolledPage {
            workspace: source.workspace.clone(),
            source: source.id.clone(),
            held: held.clone(),
            now,
            deliveries: rows.into_iter().map(|row| delivery(source, row, now)).collect(),
            cursor,
            next_at: next,
            journal: again.map(|text| line(source, now, text)),
        };
        let Some(taken) = self.world.store.take_page(page).await? else { return Ok(Step::Held) };
        if taken.stored > 0 {
            let count = u64::try_from(taken.stored).unwrap_or(u64::MAX);
            metrics::counter!("syncline_polled_rows_total", "vendor" => source.vendor()).increment(count);
            tracing::info!(connection.id = %source.id, rows = taken.stored, "The poll of {} found {} rows", source.id, taken.stored);
            self.wake();
        }
        Ok(Step::Taken { taken, more, next })
    }

    async fn poll_failed(
        &self,
        source: &PolledSource,
        state: &PollState,
        held: &Held,
        error: Error,
        now: Timestamp,
    ) -> StoreResult<Step> {
        let pause = self.pause_after(&error, state.failures);
        let next = now.saturating_add(pause).unwrap_or(Timestamp::MAX);
        let problem = error.message.clone();
        // The same trouble is told once, however often it is met.
        let journal = (state.problem.as_ref() != Some(&problem)).then(|| {
            tracing::warn!(connection.id = %source.id, "The poll of {} failed: {problem}", source.id);
            line(source, now, format!("Source {} could not be asked for its bookings: {problem}", source.id))
        });
        let noted =
            self.world.store.poll_failed(&source.workspace, &source.id, held, now, next, &problem, journal).await?;
        Ok(if noted { Step::Failed { error, next } } else { Step::Held })
    }

    /// How long until a failed call is tried again.
    pub(crate) fn pause_after(&self, error: &Error, failures: u32) -> SignedDuration {
        match error.retry {
            Retry::After(wait) => capped(SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX)),
            Retry::Backoff | Retry::Replan => next_delay(failures.saturating_add(1), self.random()),
            Retry::Never | Retry::Reauthorise => REFUSED_PAUSE,
        }
    }

    /// Looks after the source's subscription, if it is time. Says when it is time again.
    pub async fn watch_once(&self, source: &PolledSource) -> StoreResult<Timestamp> {
        let now = self.world.clock.now();
        let (Some(hook), Some(facet)) = (&source.hook, source.connector.subscriptions()) else {
            return Ok(Timestamp::MAX);
        };
        let state = self.poll_state(source, now).await?;
        let due = state.hook_at.map_or(now, |at| at.saturating_add(WATCH_EVERY).unwrap_or(Timestamp::MAX));
        if due > now {
            return Ok(due);
        }
        let lease = self.options.call.saturating_mul(WATCH_CALLS_MAX + 1);
        let Some(held) = self.hold(&source.workspace, format!("hook:{}", source.id), lease).await? else {
            return Ok(now.saturating_add(DELAY_MAX).unwrap_or(Timestamp::MAX));
        };
        let answer = match self.calls.acquire().await {
            Ok(_permit) => facet.ensure(&self.source_cx(source), hook).await,
            Err(_) => return Ok(Timestamp::MAX),
        };
        let now = self.world.clock.now();
        let (word, text) = verdict(source, &answer);
        let mended =
            matches!(&answer, Ok(answered) if matches!(answered.value, Ensured::Created | Ensured::Mended { .. }));
        // What was found before is not told again.
        let journal = (state.hook.as_deref() != Some(word.as_str())
            && (mended || word != "active" || state.hook.is_some()))
        .then(|| {
            tracing::info!(connection.id = %source.id, "{text}");
            line(source, now, text)
        });
        // Once mended it is active; the next look says nothing about it.
        let word = if mended { "active".to_owned() } else { word };
        let noted = self.world.store.note_hook(&source.workspace, &source.id, &word, now, mended, journal).await;
        self.let_go(&source.workspace, &held).await;
        noted?;
        Ok(now.saturating_add(WATCH_EVERY).unwrap_or(Timestamp::MAX))
    }

    /// Asks every source until `stop`, each in its own time.
    pub async fn poll_sources(self: &std::sync::Arc<Self>, stop: CancellationToken) {
        let loops = (0..self.setup.polled.len()).map(|at| self.ask_by_and_by(at, stop.clone()));
        futures::future::join_all(loops).await;
    }

    async fn ask_by_and_by(&self, at: usize, stop: CancellationToken) {
        let source = &self.setup.polled[at];
        while !stop.is_cancelled() {
            let pause = match self.turn_source(source).await {
                Ok(next) => {
                    let wait = next.duration_since(self.world.clock.now());
                    Duration::try_from(wait).unwrap_or(Duration::ZERO).min(LOOK_EVERY)
                }
                Err(error) => {
                    tracing::warn!(%error, "The database did not answer a poll; trying again");
                    DATABASE_PAUSE
                }
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    /// Looks after the subscription and reads a page, each if it is time; says when either is due next.
    pub async fn turn_source(&self, source: &PolledSource) -> StoreResult<Timestamp> {
        let watch = self.watch_once(source).await?;
        let next = match self.poll_once(source).await? {
            Step::NotDue { next } | Step::Taken { next, .. } | Step::Failed { next, .. } => next,
            Step::Held => self.world.clock.now().saturating_add(DELAY_MAX).unwrap_or(Timestamp::MAX),
        };
        Ok(watch.min(next))
    }

    async fn poll_state(&self, source: &PolledSource, now: Timestamp) -> StoreResult<PollState> {
        self.world.store.begin_poll(&source.workspace, &source.id, source.since.unwrap_or(now), now).await
    }

    fn source_cx<'a>(&'a self, source: &'a PolledSource) -> Cx<'a> {
        Cx {
            http: &*self.world.http,
            now: self.world.clock.now(),
            base_url: &source.base_url,
            bearer: &source.token,
            settings: &source.settings,
        }
    }

    /// Takes the right to do something alone for as long as `lease`.
    pub(crate) async fn hold(
        &self,
        workspace: &WorkspaceId,
        name: String,
        lease: SignedDuration,
    ) -> StoreResult<Option<Held>> {
        let holder = self.new_worker();
        let now = self.world.clock.now();
        let until = now.saturating_add(lease).unwrap_or(Timestamp::MAX);
        let fence = self.world.store.acquire_lease(workspace, &name, &holder, now, until).await?;
        Ok(fence.map(|fence| Held { name, holder, fence }))
    }

    pub(crate) async fn let_go(&self, workspace: &WorkspaceId, held: &Held) {
        let released = self.world.store.release_lease(workspace, &held.name, &held.holder, held.fence).await;
        if let Err(error) = released {
            tracing::warn!(%error, "Could not give a lease back; it runs out by itself");
        }
    }
}

/// What whoever polls a source holds.
pub(crate) fn lease_name(source: &ConnectionId) -> String {
    format!("poll:{source}")
}

/// The pause that keeps so many calls within the vendor's share.
fn pace(calls: u32, per_minute: u32) -> SignedDuration {
    SignedDuration::from_millis(i64::from(calls) * 60_000 / i64::from(per_minute.max(1)))
}

fn delivery(source: &PolledSource, row: Polled, now: Timestamp) -> Delivery {
    let content = match row.content {
        Ok(messages) => Content::Messages(messages),
        Err(malformed) => Content::Parked { reason: malformed.reason },
    };
    Delivery {
        workspace: source.workspace.clone(),
        integration: source.integration.clone(),
        source: source.id.clone(),
        key: row.delivery,
        received: now,
        body: row.body,
        content_type: None,
        content,
    }
}

fn line(source: &PolledSource, at: Timestamp, text: String) -> (IntegrationId, JournalEntry) {
    let details = json!({"source": source.id});
    (source.integration.clone(), JournalEntry { at, kind: JournalKind::Connection, text, details })
}

/// How the subscription was found: a word to compare with the last time, and a sentence for people.
fn verdict(source: &PolledSource, answer: &Result<Answered<Ensured>, Error>) -> (String, String) {
    let (name, id) = (source.name(), &source.id);
    match answer {
        Ok(answered) => match &answered.value {
            Ensured::Active => ("active".into(), format!("{name}'s webhook of source {id} works")),
            Ensured::Created => ("created".into(), format!("{name} had no webhook for source {id}; it was made")),
            Ensured::Mended { why } => (
                "mended".into(),
                format!("{name}'s webhook of source {id} was set up anew: {why}. What it missed is being read"),
            ),
            Ensured::Failing { since } => (
                format!("failing since {since}"),
                format!(
                    "{name} cannot deliver webhooks to source {id} since {since}; check that the public address can be reached"
                ),
            ),
        },
        Err(error) if error.kind == ErrorKind::Forbidden => (
            format!("refused: {}", error.message),
            format!("The webhook of source {id} cannot be looked after: {}", error.message),
        ),
        Err(error) => (
            format!("unknown: {}", error.message),
            format!("The webhook of source {id} could not be looked at: {}", error.message),
        ),
    }
}
