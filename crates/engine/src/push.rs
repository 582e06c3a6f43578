//! Calls to a CRM: with a token, within the number in flight, refreshed once, their cost noted.

use std::time::Instant;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use syncline_connect::{
    Answered, BoxFuture, Cx, Error, ErrorKind, Find, GraphOutcome, Http, HttpError, Object, Records, Retry, Usage,
    records::Remark,
};
use syncline_core::{
    description::ObjectDescription,
    ids::{IntegrationId, WorkspaceId},
    record::Record,
    step::Plan,
};
use syncline_store::ConnectionStatus;
use tracing::{Instrument, Span, field::Empty};

use crate::{
    engine::{Called, Engine},
    setup::ConnectionSetup,
    token::Token,
};

/// How long a connection rests once its share of the day's calls is used up, before the account is asked again.
const BUDGET_PAUSE: SignedDuration = SignedDuration::from_mins(15);

/// How long it is believed which connections rest, before the database is asked again.
pub(crate) const BLOCKED_BELIEVED: SignedDuration = SignedDuration::from_millis(250);

/// The integrations of one workspace whose CRM must not be called now.
pub(crate) struct Blocked {
    learned: Timestamp,
    integrations: Vec<IntegrationId>,
    /// When the first of their connections is back by itself.
    back: Option<Timestamp>,
}

/// How often the account's use is written down for the activity page.
const USAGE_NOTE_EVERY: SignedDuration = SignedDuration::from_secs(10);

/// Carries requests as long as the lease covers them: after that another worker may be writing.
struct Leased<'a> {
    engine: &'a Engine,
    lease_until: Timestamp,
}

impl Http for Leased<'_> {
    fn send(&self, request: http::Request<Bytes>) -> BoxFuture<'_, Result<http::Response<Bytes>, HttpError>> {
        if self.engine.is_covered(self.lease_until) {
            return self.engine.world.http.send(request);
        }
        let host = request.uri().host().unwrap_or_default().to_owned();
        let reason = "the lease was too short for another call; it is tried again".to_owned();
        Box::pin(std::future::ready(Err(HttpError::NotSent { host, reason })))
    }
}

/// How a call is named in metrics.
#[derive(Clone, Copy)]
pub(crate) enum Op {
    Find,
    Write,
    Describe,
    Mirror,
    Calendar,
}

impl Op {
    fn as_str(self) -> &'static str {
        match self {
            Op::Find => "find",
            Op::Write => "write",
            Op::Describe => "describe",
            Op::Mirror => "mirror",
            Op::Calendar => "calendar",
        }
    }
}

impl Engine {
    /// The integrations of the workspace whose CRM must not be called now.
    pub(crate) async fn blocked(
        &self,
        workspace: &WorkspaceId,
        now: Timestamp,
    ) -> syncline_store::Result<Vec<IntegrationId>> {
        {
            let known = self.blocked.lock().expect("no code panics while it holds this lock");
            if let Some(known) = known.get(workspace)
                && now.duration_since(known.learned).abs() < BLOCKED_BELIEVED
            {
                return Ok(known.integrations.clone());
            }
        }
        let rows = self.world.store.connection_states(workspace).await?;
        let rests = |integration: &crate::setup::Integration| {
            rows.iter().any(|row| {
                row.connection == integration.crm
                    && (row.status == ConnectionStatus::NeedsReconnect
                        || row.paused_until.is_some_and(|until| now < until))
            })
        };
        let of_workspace = self.setup.integrations.iter().filter(|integration| integration.workspace == *workspace);
        let integrations: Vec<_> =
            of_workspace.filter(|integration| rests(integration)).map(|integration| integration.id.clone()).collect();
        let back = rows.iter().filter_map(|row| row.paused_until).filter(|until| now < *until).min();
        let mut known = self.blocked.lock().expect("no code panics while it holds this lock");
        known.insert(workspace.clone(), Blocked { learned: now, integrations: integrations.clone(), back });
        Ok(integrations)
    }

    /// What was last learned of all workspaces: the integrations that rest, and when the first of them is back by itself.
    pub(crate) fn all_blocked(&self) -> (Vec<(WorkspaceId, IntegrationId)>, Option<Timestamp>) {
        let known = self.blocked.lock().expect("no code panics while it holds this lock");
        let of = |(workspace, blocked): (&WorkspaceId, &Blocked)| -> Vec<_> {
            blocked.integrations.iter().map(|integration| (workspace.clone(), integration.clone())).collect()
        };
        (known.iter().flat_map(of).collect(), known.values().filter_map(|blocked| blocked.back).min())
    }

    /// Forgets which integrations are blocked, because that has just changed.
    pub(crate) fn forget_blocked(&self) {
        self.blocked.lock().expect("no code panics while it holds this lock").clear();
    }

    /// Looks records up.
    pub(crate) async fn find(&self, setup: &ConnectionSetup, finds: &[Find]) -> Called<Answered<Vec<Vec<Record>>>> {
        let span = tracing::info_span!(
            "look",
            connection.id = %setup.id,
            finds = finds.len(),
            calls = Empty,
            error.kind = Empty,
            otel.status_code = Empty
        );
        let mut answer = self.find_with_token(setup, finds).instrument(span.clone()).await;
        if let Err(error) = &mut answer {
            self.doubt_descriptions(setup, error);
        }
        tell(&span, &answer);
        answer
    }

    async fn find_with_token(&self, setup: &ConnectionSetup, finds: &[Find]) -> Called<Answered<Vec<Vec<Record>>>> {
        let crm = crm(setup)?;
        let mut token = self.token(setup, None).await?;
        let paced = self.paced(setup, &*self.world.http);
        let http: &dyn Http = &paced;
        let cx = Cx { http, ..self.cx(setup, &token) };
        let mut answer = self.timed(setup, Op::Find, crm.find(&cx, finds)).await;
        if refused_token(&answer) {
            token = self.token(setup, Some(token.version)).await?;
            let cx = Cx { http, ..self.cx(setup, &token) };
            answer = self.timed(setup, Op::Find, crm.find(&cx, finds)).await;
        }
        self.note_usage(setup, &answer).await;
        answer
    }

    /// Writes plans, at most as many as one call carries. Nothing is sent that could arrive after the lease has ended,
    /// when another worker may be writing.
    pub(crate) async fn write(
        &self,
        setup: &ConnectionSetup,
        plans: &[&Plan],
        lease_until: Timestamp,
    ) -> Called<Answered<Vec<GraphOutcome>>> {
        let span = tracing::info_span!(
            "push",
            connection.id = %setup.id,
            bookings = plans.len(),
            steps = plans.iter().map(|plan| plan.steps.len()).sum::<usize>(),
            calls = Empty,
            error.kind = Empty,
            otel.status_code = Empty
        );
        let mut answer = self.write_with_token(setup, plans, lease_until).instrument(span.clone()).await;
        for outcome in answer.iter_mut().flat_map(|answer| &mut answer.value) {
            if let GraphOutcome::Refused(error) | GraphOutcome::Unknown(error) = outcome {
                self.doubt_descriptions(setup, error);
            }
        }
        tell(&span, &answer);
        answer
    }

    async fn write_with_token(
        &self,
        setup: &ConnectionSetup,
        plans: &[&Plan],
        lease_until: Timestamp,
    ) -> Called<Answered<Vec<GraphOutcome>>> {
        let crm = crm(setup)?;
        let mut token = self.token(setup, None).await?;
        // One write may take several calls, each of which has to be covered by the lease.
        let leased = Leased { engine: self, lease_until };
        let paced = self.paced(setup, &leased);
        let http: &dyn Http = &paced;
        let cx = Cx { http, ..self.cx(setup, &token) };
        let mut answer = self.timed(setup, Op::Write, self.in_time(lease_until, crm.write(&cx, plans))).await;
        if refused_token(&answer) {
            token = self.token(setup, Some(token.version)).await?;
            let cx = Cx { http, ..self.cx(setup, &token) };
            answer = self.timed(setup, Op::Write, self.in_time(lease_until, crm.write(&cx, plans))).await;
        }
        self.note_usage(setup, &answer).await;
        answer
    }

    /// Asks the CRM what it says of its objects.
    pub(crate) async fn describe(
        &self,
        setup: &ConnectionSetup,
        crm: &dyn Records,
        objects: &[Object],
    ) -> Called<Answered<Vec<Option<ObjectDescription>>>> {
        let mut token = self.token(setup, None).await?;
        let paced = self.paced(setup, &*self.world.http);
        let http: &dyn Http = &paced;
        let cx = Cx { http, ..self.cx(setup, &token) };
        let mut answer = self.timed(setup, Op::Describe, crm.describe(&cx, objects)).await;
        if refused_token(&answer) {
            token = self.token(setup, Some(token.version)).await?;
            let cx = Cx { http, ..self.cx(setup, &token) };
            answer = self.timed(setup, Op::Describe, crm.describe(&cx, objects)).await;
        }
        self.note_usage(setup, &answer).await;
        answer
    }

    /// Looks through the CRM's account before anything is written to it, the objects of further records included.
    pub async fn examine(&self, setup: &ConnectionSetup) -> Result<Vec<Remark>, Error> {
        let crm = crm(setup)?;
        let token = self.token(setup, None).await?;
        let uses = self.uses(setup);
        let paced = self.paced(setup, &*self.world.http);
        let cx = Cx { http: &paced, ..self.cx(setup, &token) };
        Ok(crm.examine(&cx, &uses).await?.value)
    }

    pub(crate) fn cx<'a>(&'a self, setup: &'a ConnectionSetup, token: &'a Token) -> Cx<'a> {
        Cx {
            http: &*self.world.http,
            now: self.world.clock.now(),
            base_url: &token.base_url,
            bearer: &token.bearer,
            settings: &setup.settings,
        }
    }

    /// Makes the call only while the lease still covers it and its late arrival.
    async fn in_time<T>(&self, lease_until: Timestamp, call: impl Future<Output = Called<T>>) -> Called<T> {
        if !self.is_covered(lease_until) {
            return Err(Error::new(
                ErrorKind::Unavailable,
                Retry::Backoff,
                "write",
                "the lease was too short for another call; it is tried again",
            ));
        }
        call.await
    }

    /// Whether the lease still covers another call and its late arrival.
    fn is_covered(&self, lease_until: Timestamp) -> bool {
        lease_until.duration_since(self.world.clock.now()) >= self.options.call.saturating_mul(2)
    }

    pub(crate) async fn timed<T>(
        &self,
        setup: &ConnectionSetup,
        op: Op,
        call: impl Future<Output = Called<Answered<T>>>,
    ) -> Called<Answered<T>> {
        let _permit = self.calls.acquire().await.expect("the engine never closes its semaphore");
        let started = Instant::now();
        let answer = call.await;
        let vendor = setup.connector.manifest().vendor;
        let calls = answer.as_ref().map_or(1, |answer| u64::from(answer.calls));
        metrics::counter!("syncline_vendor_calls_total", "vendor" => vendor, "op" => op.as_str()).increment(calls);
        metrics::histogram!("syncline_vendor_call_seconds", "vendor" => vendor, "op" => op.as_str())
            .record(started.elapsed());
        answer
    }

    /// Keeps to the account's budget, and notes its use now and then.
    pub(crate) async fn note_usage<T: Sync>(&self, setup: &ConnectionSetup, answer: &Called<Answered<T>>) {
        let now = self.world.clock.now();
        match answer {
            Ok(Answered { usage: Some(usage), .. }) => {
                let due = {
                    let mut noted = self.usage.lock().expect("no code panics while it holds this lock");
                    let last = noted.entry((setup.workspace.clone(), setup.id.clone())).or_insert(Timestamp::MIN);
                    let due = now.duration_since(*last) >= USAGE_NOTE_EVERY;
                    if due {
                        *last = now;
                    }
                    due
                };
                let used_up = over_budget(*usage, setup.budget_share);
                if due || used_up {
                    self.store_usage(setup, *usage).await;
                }
                if used_up {
                    let text = format!(
                        "{} of the account's {} daily calls are used, which is the share that is left to Syncline",
                        usage.used, usage.max
                    );
                    self.rest(setup, now, BUDGET_PAUSE, &text).await;
                }
            }
            Ok(_) => {}
            Err(error) if error.kind == ErrorKind::DailyLimit => {
                self.rest(setup, now, BUDGET_PAUSE, "the account's daily calls are used up").await;
            }
            Err(_) => {}
        }
    }

    async fn store_usage(&self, setup: &ConnectionSetup, usage: Usage) {
        let (used, max) = (i64::try_from(usage.used).unwrap_or(i64::MAX), i64::try_from(usage.max).unwrap_or(i64::MAX));
        if let Err(error) = self.world.store.record_usage(&setup.workspace, &setup.id, used, max).await {
            tracing::warn!(%error, "Could not note the account's use");
        }
    }

    /// Nothing goes out on this connection for a while.
    pub(crate) async fn rest(&self, setup: &ConnectionSetup, now: Timestamp, pause: SignedDuration, why: &str) {
        let until = now.saturating_add(pause).unwrap_or(Timestamp::MAX);
        tracing::warn!(connection.id = %setup.id, "Connection {} rests until {until}: {why}", setup.id);
        if let Err(error) = self.world.store.pause(&setup.workspace, &setup.id, until, why).await {
            tracing::warn!(%error, "Could not note that the connection rests");
        }
        self.forget_blocked();
    }
}

/// What a span says of its end: counts and the class of an error, never its words, which may quote a value.
fn tell<T>(span: &Span, answer: &Called<Answered<T>>) {
    match answer {
        Ok(answer) => {
            span.record("calls", answer.calls);
        }
        Err(error) => {
            span.record("error.kind", tracing::field::debug(error.kind)).record("otel.status_code", "ERROR");
        }
    }
}

/// The CRM facet, or an error that says there is none.
pub(crate) fn crm(setup: &ConnectionSetup) -> Called<&'static dyn Records> {
    setup.connector.records().ok_or_else(|| {
        let name = setup.connector.manifest().display_name;
        Error::new(
            ErrorKind::Configuration,
            Retry::Never,
            "find",
            format!("{name} is no CRM; bookings cannot be written to it"),
        )
    })
}

fn refused_token<T>(answer: &Called<Answered<T>>) -> bool {
    answer.as_ref().is_err_and(|error| error.retry == Retry::Reauthorise)
}

#[expect(clippy::cast_precision_loss, reason = "daily calls are far below the 2^52 at which a double loses units")]
fn over_budget(usage: Usage, share: f64) -> bool {
    usage.max > 0 && usage.used as f64 >= usage.max as f64 * share
}
