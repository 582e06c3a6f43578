//! Integrations that were written through the API: kept in the database, known here by their number, and made by whoever
//! knows the configuration ([`RecordSetups`]). They stand beside those of the configuration and are told apart by nothing
//! else.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use jiff::{SignedDuration, Timestamp};
use syncline_core::ids::{IntegrationId, WorkspaceId};
use syncline_store::{JournalEntry, JournalKind, RecordSetup, Result as StoreResult, SetupSaved};

use super::{RecordFlow, RoundEnd};
use crate::engine::Engine;

/// How long it is believed which integrations there are, before the database is asked again: a change is effective
/// everywhere within this time and the pause between two looks.
const BELIEVED: SignedDuration = SignedDuration::from_secs(2);

/// Makes integrations of what was written through the API.
pub trait RecordSetups: Send + Sync {
    /// The integration; the error is a sentence about what cannot be understood or does not fit.
    fn flow(&self, name: &IntegrationId, source: &[u8]) -> Result<RecordFlow, String>;
}

/// What is known of all workspaces.
#[derive(Default)]
pub(crate) struct StoredFlows(Mutex<HashMap<WorkspaceId, Known>>);

#[derive(Default)]
struct Known {
    learned: Option<Timestamp>,
    revision: i64,
    /// With their versions.
    flows: Vec<(i64, Arc<RecordFlow>)>,
    /// What does not fit the configuration any more, and why.
    unusable: Vec<(IntegrationId, String)>,
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
            SetupSaved::TooMany => Written::TooMany,
        }
    }
}

impl Engine {
    /// The integrations that keep records of a workspace in step: those of the configuration, then those that were
    /// written through the API.
    pub async fn record_flows(&self, workspace: &WorkspaceId) -> StoreResult<Vec<Arc<RecordFlow>>> {
        self.learn_flows(workspace, BELIEVED).await?;
        let mut flows: Vec<Arc<RecordFlow>> = self.of_configuration(workspace).cloned().collect();
        let all = self.stored_flows.0.lock().expect("no code panics while it holds this lock");
        flows.extend(all.get(workspace).into_iter().flat_map(|known| &known.flows).map(|(_, flow)| Arc::clone(flow)));
        Ok(flows)
    }

    /// The one of this name.
    pub async fn record_flow(
        &self,
        workspace: &WorkspaceId,
        id: &IntegrationId,
    ) -> StoreResult<Option<Arc<RecordFlow>>> {
        Ok(self.record_flows(workspace).await?.into_iter().find(|flow| flow.id == *id))
    }

    /// Integrations that were written through the API and do not fit the configuration any more, each with the reason.
    pub fn unusable_flows(&self, workspace: &WorkspaceId) -> Vec<(IntegrationId, String)> {
        let all = self.stored_flows.0.lock().expect("no code panics while it holds this lock");
        all.get(workspace).map(|known| known.unusable.clone()).unwrap_or_default()
    }

    /// Every workspace's integrations.
    pub(crate) async fn all_record_flows(&self) -> StoreResult<Vec<Arc<RecordFlow>>> {
        let mut all = Vec::new();
        for workspace in self.told_workspaces() {
            all.extend(self.record_flows(&workspace).await?);
        }
        Ok(all)
    }

    fn of_configuration(&self, workspace: &WorkspaceId) -> impl Iterator<Item = &Arc<RecordFlow>> {
        self.record_flows.iter().filter(move |flow| flow.workspace == *workspace)
    }

    async fn learn_flows(&self, workspace: &WorkspaceId, believed: SignedDuration) -> StoreResult<()> {
        let Some(setups) = &self.setup.record_setups else { return Ok(()) };
        let now = self.world.clock.now();
        let before = {
            let all = self.stored_flows.0.lock().expect("no code panics while it holds this lock");
            let known = all.get(workspace);
            if known.and_then(|known| known.learned).is_some_and(|at| now.duration_since(at).abs() < believed) {
                return Ok(());
            }
            known.and_then(|known| known.learned.map(|_| known.revision))
        };
        let revision = self.world.store.record_setup_revision(workspace).await?;
        let stored = match before {
            Some(before) if before == revision => None,
            _ => Some(self.world.store.record_setups(workspace).await?),
        };
        let mut changed = Vec::new();
        {
            let mut all = self.stored_flows.0.lock().expect("no code panics while it holds this lock");
            let known = all.entry(workspace.clone()).or_default();
            known.learned = Some(now);
            if let Some(stored) = stored {
                known.revision = revision;
                changed = known.replace(stored, |name, source| self.made(&**setups, workspace, name, source));
            }
        }
        for flow in changed {
            self.forget_compiled(&flow);
        }
        Ok(())
    }

    fn made(
        &self,
        setups: &dyn RecordSetups,
        workspace: &WorkspaceId,
        name: &IntegrationId,
        source: &[u8],
    ) -> Result<RecordFlow, String> {
        if self.of_configuration(workspace).any(|flow| flow.id == *name) {
            return Err(
                "the configuration file has an integration of this name, which is the one that counts".to_owned()
            );
        }
        setups.flow(name, source).map(|flow| RecordFlow { workspace: workspace.clone(), ..flow })
    }

    /// Writes an integration down: as a draft, or in the place of what stands there. It is looked at like one of the
    /// configuration first, and both accounts are asked whether its mapping works; where one cannot be asked it is kept
    /// all the same, because nothing is written before somebody activates it.
    pub async fn write_record_setup(
        &self,
        workspace: &WorkspaceId,
        name: &IntegrationId,
        source: Vec<u8>,
        known: Option<i64>,
        who: &str,
    ) -> StoreResult<Written> {
        let Some(setups) = &self.setup.record_setups else {
            return Ok(Written::Refused(vec!["integrations are not written through the API here".to_owned()]));
        };
        if self.of_configuration(workspace).any(|flow| flow.id == *name) {
            return Ok(Written::InFile);
        }
        let flow = match self.made(&**setups, workspace, name, &source) {
            Ok(flow) => flow,
            Err(reason) => return Ok(Written::Refused(vec![reason])),
        };
        let active = self.world.store.flow_state(workspace, name).await?;
        if active.is_some_and(|state| state.standing == syncline_store::FlowStanding::Active) {
            return Ok(Written::Active);
        }
        let checked = self.records_check(&flow).await?;
        self.forget_compiled(&flow);
        let (checked, warnings) = match checked {
            Ok(check) if !check.refused.is_empty() => return Ok(Written::Refused(check.refused)),
            Ok(check) => (true, check.warnings),
            Err(RoundEnd::Failed { error, .. }) => (false, vec![format!("not checked: {}", error.message)]),
            Err(_) => (false, Vec::new()),
        };
        let line = self.setup_line(name, "was written", who);
        let saved = self.world.store.save_record_setup(workspace, name, source, known, who, line).await?;
        self.learn_flows(workspace, SignedDuration::ZERO).await?;
        Ok(match Written::from(saved) {
            Written::Saved { version, .. } => Written::Saved { version, checked, warnings },
            refused => refused,
        })
    }

    /// Drops an integration that was written through the API. What is known of its records stays, so that it goes on where
    /// it stopped if somebody writes it again.
    pub async fn drop_record_setup(
        &self,
        workspace: &WorkspaceId,
        name: &IntegrationId,
        known: Option<i64>,
        who: &str,
    ) -> StoreResult<Written> {
        if self.of_configuration(workspace).any(|flow| flow.id == *name) {
            return Ok(Written::InFile);
        }
        let line = self.setup_line(name, "was dropped", who);
        let dropped = self.world.store.drop_record_setup(workspace, name, known, who, line).await?;
        self.learn_flows(workspace, SignedDuration::ZERO).await?;
        Ok(dropped.into())
    }

    fn setup_line(&self, name: &IntegrationId, done: &str, who: &str) -> JournalEntry {
        JournalEntry {
            at: self.world.clock.now(),
            kind: JournalKind::Operator,
            text: format!("Integration {name} {done}"),
            details: serde_json::json!({ "by": who }),
        }
    }
}

impl Known {
    /// Takes what is written down now; yields what was known otherwise before. What did not change stays the same value,
    /// so that whoever keeps it in step goes on.
    fn replace(
        &mut self,
        stored: Vec<RecordSetup>,
        made: impl Fn(&IntegrationId, &[u8]) -> Result<RecordFlow, String>,
    ) -> Vec<Arc<RecordFlow>> {
        let mut before = std::mem::take(&mut self.flows);
        self.unusable.clear();
        for setup in stored {
            let same =
                |(version, flow): &(i64, Arc<RecordFlow>)| *version == setup.version && flow.id == setup.integration;
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
