//! From the configuration to the integrations that keep records in step.

use std::sync::Arc;

use anyhow::{Context, bail};
use jiff::SignedDuration;
use syncline_connect::{Connector, Secret};
use syncline_core::{
    ids::{ConnectionId, IntegrationId, WorkspaceId},
    merge::PairDraft,
};
use syncline_engine::records::{Gather, RecordFlow, SideSetup};
use syncline_server::{AskKeys, HintSetup};
use syncline_store::IntegrationSetup;
use url::Url;

use super::{Installation, connector_of, vendor};
use crate::config::{Config, ConnectionConfig, PairConfig, RecordsConfig};

impl Installation {
    /// The integrations that keep records in step.
    pub(super) fn records(&self) -> anyhow::Result<Vec<RecordFlow>> {
        let flow = |config: &RecordsConfig| {
            record_flow(&self.config, self.workspace(), config)
                .with_context(|| format!("in integration `{}`", config.name))
        };
        self.config.records.iter().map(flow).collect()
    }

    /// Connections whose vendors may tell by webhook that something has changed, in the account or in one of its calendars.
    /// Like sources they keep their former addresses while the master key is being changed.
    pub fn hints(&self, public: &Url) -> anyhow::Result<Vec<HintSetup>> {
        let mut hints = Vec::new();
        for config in &self.config.connections {
            let connector = vendor(&config.vendor)?;
            if connector.hints().is_none() && connector.watches().is_none() {
                continue;
            }
            let secrets = config.webhook_secrets.iter().map(|secret| secret.read_any(&self.base));
            let secrets: Vec<Secret> = secrets
                .collect::<Result<_, _>>()
                .with_context(|| format!("in `webhook_secrets` of connection `{}`", config.name))?;
            for path_key in self.path_keys(&config.name) {
                let address = public.as_str().trim_end_matches('/');
                hints.push(HintSetup {
                    workspace: self.workspace(),
                    id: ConnectionId::new(config.name.clone()),
                    connector,
                    url: format!("{address}/hooks/{}/{path_key}", config.name),
                    path_key,
                    secrets: secrets.clone(),
                });
            }
        }
        Ok(hints)
    }

    /// By which addresses tools may ask for records. Like sources, pairs keep their former addresses while the master key
    /// is being changed.
    pub fn ask_keys(self: &Arc<Self>) -> Arc<AskKeys> {
        let installation = Arc::clone(self);
        Arc::new(move |workspace, integration, pair| {
            let own = *workspace == installation.workspace();
            if own { installation.path_keys(&ask_path(integration.as_str(), pair)) } else { Vec::new() }
        })
    }

    /// Where tools may ask for records: of integrations in the file, and of those that were written through the API.
    pub fn ask_urls(&self, public: &Url, written: &[IntegrationSetup]) -> Vec<AskUrl> {
        // One that cannot be read any more is told of elsewhere.
        let written = written.iter().filter_map(|setup| serde_json::from_slice(&setup.source).ok());
        let written: Vec<RecordsConfig> = written.collect();
        let integrations = self.config.records.iter().chain(&written);
        let pairs = integrations.flat_map(|config| config.pairs.iter().map(move |pair| (config, pair)));
        let address = |(config, pair): (&RecordsConfig, &PairConfig)| {
            let key = self.path_key(&ask_path(&config.name, &pair.name));
            let mut url = public.clone();
            if let Ok(mut path) = url.path_segments_mut() {
                path.pop_if_empty().extend([
                    "hooks",
                    "records",
                    config.name.as_str(),
                    pair.name.as_str(),
                    key.as_str(),
                ]);
            }
            AskUrl { integration: config.name.clone(), pair: pair.name.clone(), url: url.to_string() }
        };
        pairs.filter(|(_, pair)| pair.create_left_on_request).map(address).collect()
    }

    /// Where the API of an account that is connected by a key answers.
    pub(super) fn key_url(&self, config: &ConnectionConfig, connector: &'static dyn Connector) -> anyhow::Result<Url> {
        if let Some(url) = &config.url {
            return Ok(url.clone());
        }
        let home = connector.mirror().and_then(|mirror| mirror.home());
        let name = connector.manifest().display_name;
        let home = home.with_context(|| format!("give `url`: every account of {name} has an address of its own"))?;
        Url::parse(home).with_context(|| format!("the address of {name}"))
    }
}

/// An address at which a pair's records can be asked for, as a tool is given it.
pub struct AskUrl {
    pub integration: String,
    pub pair: String,
    pub url: String,
}

/// What the secret part of such an address is derived from.
fn ask_path(integration: &str, pair: &str) -> String {
    format!("records/{integration}/{pair}")
}

/// An integration as the engine takes it.
pub(super) fn record_flow(
    known: &Config,
    workspace: WorkspaceId,
    config: &RecordsConfig,
) -> anyhow::Result<RecordFlow> {
    let side = |name: &str, every: u32, kinds: Vec<&str>| {
        let connector = connector_of(known, name)?;
        let display = connector.manifest().display_name;
        let Some(mirror) = connector.mirror() else {
            bail!("records of {display} cannot be kept in step");
        };
        for kind in kinds {
            if mirror.kind(kind).is_none() {
                let known: Vec<&str> = mirror.kinds().iter().map(|kind| kind.name).collect();
                bail!("{display} has no `{kind}`; it has {}", known.join(", "));
            }
        }
        anyhow::Ok(SideSetup {
            connection: ConnectionId::new(name),
            every: SignedDuration::from_secs(i64::from(every)),
        })
    };
    let left = config.pairs.iter().map(|pair| pair.left.as_str()).collect();
    let right = config.pairs.iter().map(|pair| pair.right.as_str()).collect();
    Ok(RecordFlow {
        workspace,
        id: IntegrationId::new(config.name.clone()),
        left: side(&config.left, config.left_every_seconds, left)?,
        right: side(&config.right, config.right_every_seconds, right)?,
        pairs: pairs(known, config)?,
        sweep_every: SignedDuration::from_hours(i64::from(config.sweep_hours)),
        tasks_per_month: (config.tasks_per_month > 0).then_some(config.tasks_per_month),
        to_left: gather(config.to_left_every_minutes, config.to_left_at),
        to_right: gather(config.to_right_every_minutes, config.to_right_at),
    })
}

/// How news are gathered, where they are.
fn gather(minutes: u32, at: u32) -> Option<Gather> {
    let at = (at > 0).then(|| usize::try_from(at).unwrap_or(usize::MAX));
    (minutes > 0).then(|| Gather { every: SignedDuration::from_mins(i64::from(minutes)), at })
}

/// The pairs, with the marks that the tool on the right can bear.
fn pairs(known: &Config, config: &RecordsConfig) -> anyhow::Result<Vec<PairDraft>> {
    let (left, right) = (connector_of(known, &config.left)?.manifest(), connector_of(known, &config.right)?);
    let mut drafts = config.drafts()?;
    for (draft, pair) in drafts.iter_mut().zip(&config.pairs).filter(|(_, pair)| pair.marks.is_some()) {
        let Some(spec) = right.mirror().and_then(|mirror| mirror.marks(&pair.right)) else {
            let name = right.manifest().display_name;
            bail!("pair `{}`: `{}` of {name} has nothing to mark records by", pair.name, pair.right);
        };
        draft.marks = config.marks(pair, left.vendor, spec)?;
        draft.right.read.extend(spec.reads.iter().map(|field| (*field).to_owned()));
    }
    Ok(drafts)
}
