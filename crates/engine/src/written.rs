//! Integrations that were written through the API: kept in the database, known here by their number, and made by whoever
//! knows the configuration ([`Setups`]). They stand beside those of the configuration and are told apart by nothing else.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use syncline_core::ids::{IntegrationId, WorkspaceId};
use syncline_store::{
    FlowStanding, IntegrationSetup, JournalEntry, JournalKind, Result as StoreResult, SetupKind, SetupSaved,
};
use tokio_util::sync::CancellationToken;

use crate::{
    calendars::CalendarFlow,
    engine::Engine,
    records::{RecordFlow, RoundEnd},
    standing::Flow,
};

/// How long it is believed which integrations there are, before the database is asked again: a change is effective
/// everywhere within this time and the pause between two looks.
const BELIEVED: SignedDuration = SignedDuration::from_secs(2);

/// How often to see which integrations are to be kept in step.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Makes integrations of what was written through the API. The error is a sentence about what cannot be understood or does
/// not fit.
pub trait Setups: Send + Sync {
    /// One that keeps records in step.
    fn records(&self, name: &IntegrationId, source: &[u8]) -> Result<RecordFlow, String>;
    /// One that brings meetings of calendars onto timelines.
    fn calendars(&self, name: &IntegrationId, source: &[u8]) -> Result<CalendarFlow, String>;
}

/// A kind of integration that can be written through the API.
pub(crate) trait Writable: Flow + Send + Sized + 'static {
    const KIND: SetupKind;

    /// The one that was written.
    fn made(setups: &dyn Setups, workspace: &WorkspaceId, name: &IntegrationId, source: &[u8]) -> Result<Self, String>;

    /// Those of the configuration.
    fn configured(engine: &Engine) -> &[Arc<Self>];

    /// Those that were written.
    fn written(engine: &Engine) -> &WrittenFlows<Self>;

    /// Forgets what was worked out for it: it is another by now, or gone.
    fn forget(&self, engine: &Engine);

    /// Keeps it in step until `stop`.
    fn keep(self: Arc<Self>, engine: Arc<Engine>, stop: CancellationToken) -> BoxFuture<'static, ()>;
}

impl Writable for RecordFlow {
    const KIND: SetupKind = SetupKind::Records;

    fn made(setups: &dyn Setups, workspace: &WorkspaceId, name: &IntegrationId, source: &[u8]) -> Result<Self, String> {
        setups.records(name, source).map(|flow| Self { workspace: workspace.clone(), ..flow })
    }

    fn configured(engine: &Engine) -> &[Arc<Self>] {
        &engine.record_flows
    }

    fn written(engine: &Engine) -> &WrittenFlows<Self> {
        &engine.written_records
    }

    fn forget(&self, engine: &Engine) {
        engine.forget_compiled(self);
    }

    fn keep(self: Arc<Self>, engine: Arc<Engine>, stop: CancellationToken) -> BoxFuture<'static, ()> {
        Box::pin(async move { engine.keep_flow(&self, stop).await })
    }
}

impl Writable for CalendarFlow {
    const KIND: SetupKind = SetupKind::Calendars;

    fn made(setups: &dyn Setups, workspace: &WorkspaceId, name: &IntegrationId, source: &[u8]) -> Result<Self, String> {
        setups.calendars(name, source).map(|flow| Self { workspace: workspace.clone(), ..flow })
    }

    fn configured(engine: &Engine) -> &[Arc<Self>] {
        &engine.calendar_flows
    }

    fn written(engine: &Engine) -> &WrittenFlows<Self> {
        &engine.written_calendars
    }

    fn forget(&self, engine: &Engine) {
        engine.primaries.forget(self);
    }

    fn keep(self: Arc<Self>, engine: Arc<Engine>, stop: CancellationToken) -> BoxFuture<'static, ()> {
        Box::pin(async move { engine.keep_calendar_flow(&self, stop).await })
    }
}

/// What is known of all workspaces.
pub(crate) struct WrittenFlows<F>(Mutex<HashMap<WorkspaceId, Known<F>>>);

struct Known<F> {
    learned: Option<Timestamp>,
    revision: i64,
    /// With their versions.
    flows: Vec<(i64, Arc<F>)>,
    /// What does not fit the configuration any more, and why.
    unusable: Vec<(IntegrationId, String)>,
}

impl<F> Default for WrittenFlows<F> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<F> Default for Known<F> {
    fn default() -> Self {
        Self { learned: None, revision: 0, flows: Vec::new(), unusable: Vec::new() }
    }
}

/// What became of an integration that somebody wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    Saved {
        version: i64,
        /// Whether both accounts were asked if the mapping works.
        checked: bool,
        warnings: Vec<String>,
    },
    /// It cannot be understood, does not fit the configuration, or cannot work with the accounts as they are.
    Refused(Vec<String>),
    /// The configuration file has one of this name.
    InFile,
    /// It is active: pause it first.
    Active,
    Outdated {
        version: i64,
    },
    NotThere,
    TooMany,
}

impl From<SetupSaved> for Written {
    fn from(saved: SetupSaved) -> Self {
        match saved {
            SetupSaved::As { version } => Written::Saved { version, checked: false, warnings: Vec::new() },
            SetupSaved::Outdated { version } => Written::Outdated { version },
            SetupSaved::Active => Written::Active,
            SetupSaved::NotThere => Written::NotThere,
            SetupSaved::Taken => {
                Written::Refused(vec!["an integration of another kind bears this name already".to_owned()])
            }
            SetupSaved::TooMany => Written::TooMany,
        }
    }
}

impl Engine {
    /// The integrations that keep records of a workspace in step: those of the configuration, then those that were
    /// written through the API.
    pub async fn record_flows(&self, workspace: &WorkspaceId) -> StoreResult<Vec<Arc<RecordFlow>>> {
        self.flows(workspace).await
    }

    /// The one of this name.
    pub async fn record_flow(
        &self,
        workspace: &WorkspaceId,
        id: &IntegrationId,
    ) -> StoreResult<Option<Arc<RecordFlow>>> {
        Ok(self.record_flows(workspace).await?.into_iter().find(|flow| flow.id == *id))
    }

    /// Those of every workspace.
    pub async fn all_record_flows(&self) -> StoreResult<Vec<Arc<RecordFlow>>> {
        self.all_flows().await
    }

    /// The integrations of a workspace that bring meetings of calendars onto timelines, as [`Engine::record_flows`].
    pub async fn calendar_flows(&self, workspace: &WorkspaceId) -> StoreResult<Vec<Arc<CalendarFlow>>> {
        self.flows(workspace).await
    }

    /// The same as they were last learned, which keeping them in step does every few seconds; the database is only asked where
    /// they never were.
    pub(crate) async fn known_calendar_flows(&self, workspace: &WorkspaceId) -> StoreResult<Vec<Arc<CalendarFlow>>> {
        self.flows_believed(workspace, SignedDuration::MAX).await
    }

    /// The one of this name.
    pub async fn calendar_flow(
        &self,
        workspace: &WorkspaceId,
        id: &IntegrationId,
    ) -> StoreResult<Option<Arc<CalendarFlow>>> {
        Ok(self.calendar_flows(workspace).await?.into_iter().find(|flow| flow.id == *id))
    }

    /// Those of every workspace.
    pub async fn all_calendar_flows(&self) -> StoreResult<Vec<Arc<CalendarFlow>>> {
        self.all_flows().await
    }

    /// Integrations that were written through the API and do not fit the configuration any more, each with the reason.
    pub fn unusable_flows(&self, workspace: &WorkspaceId, kind: SetupKind) -> Vec<(IntegrationId, String)> {
        match kind {
            SetupKind::Records => self.written_records.unusable(workspace),
            SetupKind::Calendars => self.written_calendars.unusable(workspace),
        }
    }

    /// Writes an integration of records down: as a draft, or in the place of what stands there. It is looked at like one of
    /// the configuration first, and both accounts are asked whether its mapping works; where one cannot be asked it is kept
    /// all the same, because nothing is written before somebody activates it.
    pub async fn write_record_setup(
        &self,
        workspace: &WorkspaceId,
        name: &IntegrationId,
        source: Vec<u8>,
        known: Option<i64>,
        who: &str,
    ) -> StoreResult<Written> {
        let flow = match self.drafted::<RecordFlow>(workspace, name, &source).await? {
            Ok(flow) => flow,
            Err(refused) => return Ok(refused),
        };
        let checked = self.records_check(&flow).await?;
        self.forget_compiled(&flow);
        let (checked, warnings) = match checked {
            Ok(check) if !check.refused.is_empty() => return Ok(Written::Refused(check.refused)),
            Ok(check) => (true, check.warnings),
            Err(RoundEnd::Failed { error, .. }) => (false, vec![format!("not checked: {}", error.message)]),
            Err(_) => (false, Vec::new()),
        };
        Ok(match self.save_written::<RecordFlow>(workspace, name, Some(source), known, who).await? {
            Written::Saved { version, .. } => Written::Saved { version, checked, warnings },
            refused => refused,
        })
    }

    /// Writes an integration of calendars down, as [`Engine::write_record_setup`]. No account is asked: people connect theirs
    /// after it is there.
    pub async fn write_calendar_setup(
        &self,
        workspace: &WorkspaceId,
        name: &IntegrationId,
        source: Vec<u8>,
        known: Option<i64>,
        who: &str,
    ) -> StoreResult<Written> {
        match self.drafted::<CalendarFlow>(workspace, name, &source).await? {
            Ok(_) => self.save_written::<CalendarFlow>(workspace, name, Some(source), known, who).await,
            Err(refused) => Ok(refused),
        }
    }

    /// Drops an integration that was written through the API. What is known of its records or events stays, so that it goes
    /// on where it stopped if somebody writes it again.
    pub async fn drop_setup(
        &self,
        workspace: &WorkspaceId,
        (kind, name): (SetupKind, &IntegrationId),
        known: Option<i64>,
        who: &str,
    ) -> StoreResult<Written> {
        match kind {
            SetupKind::Records => self.save_written::<RecordFlow>(workspace, name, None, known, who).await,
            SetupKind::Calendars => self.save_written::<CalendarFlow>(workspace, name, None, known, who).await,
        }
    }

    async fn flows<F: Writable>(&self, workspace: &WorkspaceId) -> StoreResult<Vec<Arc<F>>> {
        self.flows_believed(workspace, BELIEVED).await
    }

    async fn flows_believed<F: Writable>(
        &self,
        workspace: &WorkspaceId,
        believed: SignedDuration,
    ) -> StoreResult<Vec<Arc<F>>> {
        self.learn_flows::<F>(workspace, believed).await?;
        let mut flows: Vec<Arc<F>> = self.of_configuration(workspace).cloned().collect();
        let all = F::written(self).0.lock().expect("no code panics while it holds this lock");
        flows.extend(all.get(workspace).into_iter().flat_map(|known| &known.flows).map(|(_, flow)| Arc::clone(flow)));
        Ok(flows)
    }

    async fn all_flows<F: Writable>(&self) -> StoreResult<Vec<Arc<F>>> {
        let mut all = Vec::new();
        for workspace in self.told_workspaces() {
            all.extend(self.flows(&workspace).await?);
        }
        Ok(all)
    }

    fn of_configuration<F: Writable>(&self, workspace: &WorkspaceId) -> impl Iterator<Item = &Arc<F>> {
        F::configured(self).iter().filter(move |flow| flow.workspace() == workspace)
    }

    async fn learn_flows<F: Writable>(&self, workspace: &WorkspaceId, believed: SignedDuration) -> StoreResult<()> {
        let Some(setups) = &self.setup.written else { return Ok(()) };
        let now = self.world.clock.now();
        let before = {
            let all = F::written(self).0.lock().expect("no code panics while it holds this lock");
            let known = all.get(workspace);
            if known.and_then(|known| known.learned).is_some_and(|at| now.duration_since(at).abs() < believed) {
                return Ok(());
            }
            known.and_then(|known| known.learned.map(|_| known.revision))
        };
        let revision = self.world.store.setup_revision(workspace).await?;
        let stored = match before {
            Some(before) if before == revision => None,
            _ => Some(self.world.store.setups(workspace, F::KIND).await?),
        };
        let mut changed = Vec::new();
        {
            let mut all = F::written(self).0.lock().expect("no code panics while it holds this lock");
            let known = all.entry(workspace.clone()).or_default();
            known.learned = Some(now);
            if let Some(stored) = stored {
                known.revision = revision;
                changed = known.replace(stored, |name, source| self.made(&**setups, workspace, name, source));
            }
        }
        for flow in changed {
            flow.forget(self);
        }
        Ok(())
    }

    fn made<F: Writable>(
        &self,
        setups: &dyn Setups,
        workspace: &WorkspaceId,
        name: &IntegrationId,
        source: &[u8],
    ) -> Result<F, String> {
        if self.of_configuration::<F>(workspace).any(|flow| flow.id() == name) {
            return Err(
                "the configuration file has an integration of this name, which is the one that counts".to_owned()
            );
        }
        F::made(setups, workspace, name, source)
    }

    /// What is to be written, where it may be.
    async fn drafted<F: Writable>(
        &self,
        workspace: &WorkspaceId,
        name: &IntegrationId,
        source: &[u8],
    ) -> StoreResult<Result<F, Written>> {
        let Some(setups) = &self.setup.written else {
            let reason = "integrations are not written through the API here".to_owned();
            return Ok(Err(Written::Refused(vec![reason])));
        };
        if self.of_configuration::<F>(workspace).any(|flow| flow.id() == name) {
            return Ok(Err(Written::InFile));
        }
        let flow = match self.made(&**setups, workspace, name, source) {
            Ok(flow) => flow,
            Err(reason) => return Ok(Err(Written::Refused(vec![reason]))),
        };
        let state = self.world.store.flow_state(workspace, name).await?;
        if state.is_some_and(|state| state.standing == FlowStanding::Active) {
            return Ok(Err(Written::Active));
        }
        Ok(Ok(flow))
    }

    /// Writes down, or with nothing to write drops, and takes it up here at once.
    async fn save_written<F: Writable>(
        &self,
        workspace: &WorkspaceId,
        name: &IntegrationId,
        source: Option<Vec<u8>>,
        known: Option<i64>,
        who: &str,
    ) -> StoreResult<Written> {
        if self.of_configuration::<F>(workspace).any(|flow| flow.id() == name) {
            return Ok(Written::InFile);
        }
        let done = if source.is_some() { "was written" } else { "was dropped" };
        let line = JournalEntry {
            at: self.world.clock.now(),
            kind: JournalKind::Operator,
            text: format!("Integration {name} {done}"),
            details: serde_json::json!({ "by": who }),
        };
        let (store, which) = (&self.world.store, (F::KIND, name));
        let saved = match source {
            Some(source) => store.save_setup(workspace, which, source, known, who, line).await?,
            None => store.drop_setup(workspace, which, known, who, line).await?,
        };
        self.learn_flows::<F>(workspace, SignedDuration::ZERO).await?;
        Ok(saved.into())
    }

    /// Keeps all integrations of a kind in step until `stop`, each at its own pace, those that are written meanwhile too.
    pub(crate) async fn keep_all<F: Writable>(self: &Arc<Self>, stop: CancellationToken) {
        let mut loops = tokio::task::JoinSet::new();
        let mut kept: Vec<(Arc<F>, CancellationToken)> = Vec::new();
        while !stop.is_cancelled() {
            match self.all_flows::<F>().await {
                Ok(flows) => {
                    kept.retain(|(flow, gone)| {
                        let stays = flows.iter().any(|known| Arc::ptr_eq(known, flow));
                        if !stays {
                            gone.cancel();
                        }
                        stays
                    });
                    for flow in flows {
                        if !kept.iter().any(|(known, _)| Arc::ptr_eq(known, &flow)) {
                            let gone = stop.child_token();
                            kept.push((Arc::clone(&flow), gone.clone()));
                            loops.spawn(flow.keep(Arc::clone(self), gone));
                        }
                    }
                }
                Err(error) => tracing::warn!(%error, "The database did not answer; trying again"),
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
                Some(ended) = loops.join_next(), if !loops.is_empty() => {
                    if ended.is_err() && !stop.is_cancelled() {
                        tracing::error!(
                            "An integration broke down, which is a fault of Syncline; it goes on at the next start"
                        );
                    }
                }
            }
        }
        while loops.join_next().await.is_some() {}
    }
}

impl<F> WrittenFlows<F> {
    fn unusable(&self, workspace: &WorkspaceId) -> Vec<(IntegrationId, String)> {
        let all = self.0.lock().expect("no code panics while it holds this lock");
        all.get(workspace).map(|known| known.unusable.clone()).unwrap_or_default()
    }
}

impl<F: Writable> Known<F> {
    /// Takes what is written down now; yields what was known otherwise before. What did not change stays the same value,
    /// so that whoever keeps it in step goes on.
    fn replace(
        &mut self,
        stored: Vec<IntegrationSetup>,
        made: impl Fn(&IntegrationId, &[u8]) -> Result<F, String>,
    ) -> Vec<Arc<F>> {
        let mut before = std::mem::take(&mut self.flows);
        self.unusable.clear();
        for setup in stored {
            let same = |(version, flow): &(i64, Arc<F>)| *version == setup.version && *flow.id() == setup.integration;
            if let Some(place) = before.iter().position(same) {
                self.flows.push(before.swap_remove(place));
                continue;
            }
            match made(&setup.integration, &setup.source) {
                Ok(flow) => self.flows.push((setup.version, Arc::new(flow))),
                Err(reason) => {
                    let name = &setup.integration;
                    tracing::warn!(integration.id = %name, "Integration {name} cannot be used as it is written: {reason}");
                    self.unusable.push((setup.integration, reason));
                }
            }
        }
        before.into_iter().map(|(_, flow)| flow).collect()
    }
}
