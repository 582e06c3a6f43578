//! What all handlers share: the engine, the sources by their address, and the gates in front of them.

use std::{collections::HashMap, sync::Arc};

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use syncline_connect::{Bookings, Connector, Hints, Secret, Watches};
use syncline_core::ids::{ConnectionId, IntegrationId, WorkspaceId};
use syncline_engine::{ConnectionSetup, Engine, intake::Sender};
use syncline_store::Store;

use crate::{
    guard::{Bucket, Throttle},
    options::ServerOptions,
    session::Sessions,
};

/// One booking source as it is set up.
pub struct SourceSetup {
    pub workspace: WorkspaceId,
    pub integration: IntegrationId,
    pub id: ConnectionId,
    pub connector: &'static dyn Connector,
    /// Part of the webhook's address: at least 128 random bits.
    pub path_key: String,
    /// The active webhook secrets; two during a rotation.
    pub secrets: Vec<Secret>,
}

/// A connection whose vendor tells by webhook that something has changed, as it is set up.
#[derive(Clone)]
pub struct HintSetup {
    pub workspace: WorkspaceId,
    pub id: ConnectionId,
    pub connector: &'static dyn Connector,
    /// Part of the webhook's address: at least 128 random bits.
    pub path_key: String,
    /// The whole address, as it was entered at the vendor: some sign it.
    pub url: String,
    /// The active webhook secrets; two during a rotation.
    pub secrets: Vec<Secret>,
}

/// A connection that takes such webhooks.
pub(crate) struct Hinting {
    pub(crate) workspace: WorkspaceId,
    pub(crate) id: ConnectionId,
    pub(crate) vendor: &'static str,
    pub(crate) overload_status: u16,
    pub(crate) tells: Tells,
    pub(crate) url: String,
    pub(crate) bucket: Bucket,
    path_key: [u8; 32],
}

/// How a vendor tells of changes.
pub(crate) enum Tells {
    /// By webhooks of the account, which are signed.
    Hints(&'static dyn Hints, Vec<Secret>),
    /// By watches of its calendars, each with a secret of its own.
    Watches(&'static dyn Watches),
}

/// A source that takes messages in.
pub(crate) struct Source {
    pub(crate) workspace: WorkspaceId,
    pub(crate) integration: IntegrationId,
    pub(crate) id: ConnectionId,
    pub(crate) vendor: &'static str,
    pub(crate) overload_status: u16,
    pub(crate) bookings: &'static dyn Bookings,
    pub(crate) secrets: Vec<Secret>,
    pub(crate) bucket: Bucket,
    /// A digest, so that comparing takes the same time whatever is compared.
    path_key: [u8; 32],
}

/// What every handler has.
pub(crate) struct Shared {
    pub(crate) engine: Arc<Engine>,
    pub(crate) options: ServerOptions,
    /// In the order of the configuration; never empty.
    pub(crate) workspaces: Vec<WorkspaceId>,
    pub(crate) sessions: Sessions,
    pub(crate) sign_ins: Throttle,
    sources: HashMap<String, Vec<Source>>,
    hinting: HashMap<String, Vec<Hinting>>,
}

impl Shared {
    pub(crate) fn new(engine: Arc<Engine>, setups: Vec<SourceSetup>, options: ServerOptions) -> Self {
        let mut workspaces: Vec<WorkspaceId> = Vec::new();
        let setup = engine.setup();
        let named = setup.connections.iter().map(|connection| &connection.workspace);
        let named = named.chain(setup.integrations.iter().map(|integration| &integration.workspace));
        for workspace in named.chain(setups.iter().map(|source| &source.workspace)) {
            if !workspaces.contains(workspace) {
                workspaces.push(workspace.clone());
            }
        }
        if workspaces.is_empty() {
            workspaces.push(WorkspaceId::new("default"));
        }
        let mut sources: HashMap<String, Vec<Source>> = HashMap::new();
        for setup in setups {
            if let Some(source) = open_source(setup, &options) {
                sources.entry(source.id.as_str().to_owned()).or_default().push(source);
            }
        }
        let mut hinting: HashMap<String, Vec<Hinting>> = HashMap::new();
        for setup in &options.hints {
            if let Some(open) = open_hints(setup, &options) {
                hinting.entry(open.id.as_str().to_owned()).or_default().push(open);
            }
        }
        let sessions = Sessions::new(options.session_key, options.secure_cookies, &*engine.world().entropy);
        let sign_ins = Throttle::new(options.limits.sign_ins_per_minute);
        Self { engine, options, workspaces, sessions, sign_ins, sources, hinting }
    }

    pub(crate) fn store(&self) -> &Store {
        &self.engine.world().store
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.engine.world().clock.now()
    }

    /// The source behind a webhook's address. What is wrong with the address, its name or its key, takes the same work.
    pub(crate) fn source_by_address(&self, name: &str, path_key: &str) -> Option<&Source> {
        const NOBODY: [u8; 32] = [0; 32];
        let given: [u8; 32] = Sha256::digest(path_key.as_bytes()).into();
        match self.sources.get(name) {
            Some(sources) => sources.iter().find(|source| bool::from(source.path_key.ct_eq(&given))),
            None => {
                let _: bool = NOBODY.ct_eq(&given).into();
                None
            }
        }
    }

    /// The connection behind a webhook's address; like [`Shared::source_by_address`], whatever is wrong with it.
    pub(crate) fn hinting_by_address(&self, name: &str, path_key: &str) -> Option<&Hinting> {
        const NOBODY: [u8; 32] = [0; 32];
        let given: [u8; 32] = Sha256::digest(path_key.as_bytes()).into();
        match self.hinting.get(name) {
            Some(all) => all.iter().find(|hinting| bool::from(hinting.path_key.ct_eq(&given))),
            None => {
                let _: bool = NOBODY.ct_eq(&given).into();
                None
            }
        }
    }

    /// The source of this name in the workspace.
    pub(crate) fn source(&self, workspace: &WorkspaceId, name: &str) -> Option<&Source> {
        self.sources.get(name)?.iter().find(|source| source.workspace == *workspace)
    }

    /// A source of the workspace as messages that were kept are read by.
    pub(crate) fn sender(&self, workspace: &WorkspaceId, name: &ConnectionId) -> Option<Sender> {
        let source = self.source(workspace, name.as_str())?;
        let asked = &self.engine.setup().polled;
        let polled = asked.iter().any(|asked| asked.workspace == *workspace && asked.id == source.id);
        Some(Sender { integration: source.integration.clone(), bookings: source.bookings, polled })
    }

    /// The workspace's sources by name; one that has several addresses stands once.
    pub(crate) fn sources(&self, workspace: &WorkspaceId) -> Vec<&Source> {
        let mut sources: Vec<&Source> = self.sources.keys().filter_map(|name| self.source(workspace, name)).collect();
        sources.sort_by(|a, b| a.id.cmp(&b.id));
        sources
    }

    /// The workspace that a request names, or the only or first one.
    pub(crate) fn workspace(&self, named: Option<&str>) -> Option<&WorkspaceId> {
        match named {
            Some(name) => self.workspaces.iter().find(|workspace| workspace.as_str() == name),
            None => self.workspaces.first(),
        }
    }

    pub(crate) fn connection(&self, workspace: &WorkspaceId, id: &str) -> Option<&ConnectionSetup> {
        self.engine.setup().connection(workspace, &ConnectionId::new(id))
    }

    /// 64 random bits as text: names an answer in the log without saying whose it is.
    pub(crate) fn trace_id(&self) -> String {
        hex::encode(self.random::<8>())
    }

    pub(crate) fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.engine.world().entropy.fill(&mut bytes);
        bytes
    }

    /// Whether a token is the admin's, compared in constant time.
    pub(crate) fn is_admin_token(&self, given: &str) -> bool {
        same_secret(given, &self.options.admin_token)
    }

    /// Whether this is the key of the printed sign-in link.
    pub(crate) fn is_sign_in_key(&self, given: &str) -> bool {
        self.options.sign_in_key.as_ref().is_some_and(|key| same_secret(given, key))
    }
}

/// Equal and not empty; digests are compared, so that neither length nor content shows in the time.
fn same_secret(given: &str, expected: &Secret) -> bool {
    let same: bool = Sha256::digest(given.as_bytes()).ct_eq(&Sha256::digest(expected.expose().as_bytes())).into();
    same && !expected.expose().is_empty()
}

/// A source without what it needs has no address at all: it must not be open by accident.
fn open_source(setup: SourceSetup, options: &ServerOptions) -> Option<Source> {
    let manifest = setup.connector.manifest();
    let id = &setup.id;
    let Some(bookings) = setup.connector.bookings() else {
        tracing::error!(connection.id = %id, "Source {id} takes no webhooks: its vendor has none");
        return None;
    };
    let secrets: Vec<Secret> = setup.secrets.into_iter().filter(|secret| !secret.expose().is_empty()).collect();
    if bookings.signed() && secrets.is_empty() {
        tracing::error!(connection.id = %id, "Source {id} takes no webhooks: set its webhook secret");
        return None;
    }
    if setup.path_key.is_empty() {
        tracing::error!(connection.id = %id, "Source {id} takes no webhooks: its address has no key");
        return None;
    }
    Some(Source {
        path_key: Sha256::digest(setup.path_key.as_bytes()).into(),
        workspace: setup.workspace,
        integration: setup.integration,
        vendor: manifest.vendor,
        overload_status: manifest.overload_status,
        bookings,
        secrets,
        bucket: Bucket::new(options.limits.hooks_per_second, options.limits.hooks_burst),
        id: setup.id,
    })
}

/// A connection without what it needs has no address at all.
fn open_hints(setup: &HintSetup, options: &ServerOptions) -> Option<Hinting> {
    let (manifest, id) = (setup.connector.manifest(), &setup.id);
    let secrets: Vec<Secret> = setup.secrets.iter().filter(|secret| !secret.expose().is_empty()).cloned().collect();
    let tells = match (setup.connector.hints(), setup.connector.watches()) {
        (Some(hints), _) if hints.signed() && secrets.is_empty() => return None,
        (Some(hints), _) => Tells::Hints(hints, secrets),
        (None, Some(watches)) => Tells::Watches(watches),
        (None, None) => return None,
    };
    if setup.path_key.is_empty() {
        tracing::error!(connection.id = %id, "Connection {id} takes no webhooks: its address has no key");
        return None;
    }
    Some(Hinting {
        path_key: Sha256::digest(setup.path_key.as_bytes()).into(),
        workspace: setup.workspace.clone(),
        vendor: manifest.vendor,
        overload_status: manifest.overload_status,
        tells,
        url: setup.url.clone(),
        bucket: Bucket::new(options.limits.hooks_per_second, options.limits.hooks_burst),
        id: setup.id.clone(),
    })
}
