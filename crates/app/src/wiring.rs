//! From the configuration to running parts.

mod alerts;
mod calendars;
mod polled;
mod records;
mod written;

pub use records::AskUrl;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, bail};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use syncline_connect::{Connector, Secret, oauth::App};
use syncline_core::{
    booking::settings::{BookingSettings, StatusValues},
    ids::{ConnectionId, IntegrationId, WorkspaceId},
    record::Role,
};
use syncline_engine::{
    ConnectionSetup, Engine, GrantKind, Integration, LEASE_PER_CALL, Options, Setup, TemplateSource, Templating, Timer,
    World,
};
use syncline_server::{ServerOptions, SourceSetup};
use syncline_store::{ConnectionStatus, MasterKey, Store, StoreOptions};
use url::Url;

use crate::{
    config::{
        Config, ConnectionConfig, Grant, IntegrationConfig, MASTER_KEY_BYTES, SourceConfig, TemplateKind,
        read_master_key,
    },
    http::{CALL_DEADLINE, Client, Origin},
    world::{SystemClock, SystemEntropy},
};

/// Database connections of this process, where the database has such.
const POOL: usize = 8;

/// How often a node looks for work that another node took in.
const SHARED_POLL: Duration = Duration::from_millis(250);

/// A configuration with what it refers to, read.
pub struct Installation {
    pub config: Config,
    /// Where relative paths start.
    pub base: PathBuf,
    master_key: [u8; MASTER_KEY_BYTES],
    /// Former master keys, newest first, as they are written down.
    old_keys: Vec<[u8; MASTER_KEY_BYTES]>,
}

impl Installation {
    /// Reads the configuration file and the keys that it points at.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let config = Config::read(path)?;
        let base = path.parent().map(Path::to_path_buf).unwrap_or_default();
        Self::of(config, base)
    }

    /// Takes a configuration that was read already.
    pub fn of(config: Config, base: PathBuf) -> anyhow::Result<Self> {
        let master_key = read_master_key(&config.vault.key, &base)?;
        // What is kept are the bytes, because other keys are derived from them; whether they make a key is judged here.
        MasterKey::new(&master_key)
            .with_context(|| format!("{} holds no usable key; `syncline init` makes one", config.vault.key))?;
        let mut old_keys = Vec::new();
        for key in &config.vault.old_keys {
            let bytes = read_master_key(key, &base).context("in [vault] old_keys")?;
            MasterKey::new(&bytes)
                .with_context(|| format!("in [vault] old_keys: {key} holds no usable key; leave it out"))?;
            old_keys.push(bytes);
        }
        Ok(Self { config, base, master_key, old_keys })
    }

    pub fn workspace(&self) -> WorkspaceId {
        WorkspaceId::new(self.config.workspace.clone())
    }

    /// The configured master key.
    pub fn master_key(&self) -> MasterKey {
        master_key(&self.master_key)
    }

    /// The database's address, with the file's path resolved.
    pub fn database_url(&self) -> String {
        match self.config.database.strip_prefix("sqlite:") {
            Some(path) if path != ":memory:" => format!("sqlite:{}", self.base.join(path).display()),
            _ => self.config.database.clone(),
        }
    }

    /// The file of an embedded database.
    pub fn database_file(&self) -> Option<PathBuf> {
        self.config.database.strip_prefix("sqlite:").filter(|path| *path != ":memory:").map(|path| self.base.join(path))
    }

    /// Opens the database.
    pub async fn open_store(&self) -> anyhow::Result<Store> {
        let options = StoreOptions {
            key: self.master_key(),
            old_keys: self.old_keys.iter().map(master_key).collect(),
            entropy: Arc::new(SystemEntropy),
            pool: POOL,
        };
        Store::open(&self.database_url(), options)
            .await
            .with_context(|| format!("opening the database {}", self.shown_database()))
    }

    fn shown_database(&self) -> String {
        match Url::parse(&self.config.database) {
            Ok(mut url) if url.password().is_some() => {
                // A URL with a host can always hide its password.
                let hidden = url.set_password(Some("***"));
                if hidden.is_ok() { url.to_string() } else { url.scheme().to_owned() }
            }
            _ => self.database_url(),
        }
    }

    /// The token of the administrator, which no server is without.
    fn admin_token(&self) -> anyhow::Result<Secret> {
        match &self.config.server.admin_token {
            Some(token) => token.read(&self.base).context("in [server] admin_token"),
            None => bail!(
                "[server] admin_token is missing: make one with `openssl rand -hex 32` and point the setting at it"
            ),
        }
    }

    /// Whether a server can start with this, as far as that is known before anything is opened or changed.
    pub fn judge(&self) -> anyhow::Result<()> {
        let public = self.public_url()?;
        self.admin_token()?;
        self.sources()?;
        self.engine_options()?;
        self.setup(&public)?;
        self.http()?;
        self.alert_ways(&public)?;
        self.hints(&public)?;
        Ok(())
    }

    /// A key for one purpose, derived from the master key.
    pub fn derive(&self, purpose: &[&str]) -> [u8; 32] {
        derive(&self.master_key, purpose)
    }

    /// The secret part of a source's webhook address: 128 bits that survive restarts without being stored.
    pub fn path_key(&self, source: &str) -> String {
        self.path_key_under(&self.master_key, source)
    }

    fn path_key_under(&self, key: &[u8; MASTER_KEY_BYTES], source: &str) -> String {
        hex::encode(&derive(key, &["webhook path", &self.config.workspace, source])[..16])
    }

    /// The secret parts that are good: under the present key, and under former ones.
    fn path_keys(&self, name: &str) -> Vec<String> {
        std::iter::once(&self.master_key).chain(&self.old_keys).map(|key| self.path_key_under(key, name)).collect()
    }

    /// The address at which a source delivers.
    pub fn webhook_url(&self, public: &Url, source: &str) -> String {
        format!("{}/hooks/{source}/{}", public.as_str().trim_end_matches('/'), self.path_key(source))
    }

    /// The address under which this server is known.
    pub fn public_url(&self) -> anyhow::Result<Url> {
        match &self.config.server.public_url {
            Some(url) => Ok(url.clone()),
            None => {
                Url::parse(&format!("http://{}", self.config.server.listen)).context("the listen address makes no URL")
            }
        }
    }

    /// How the server behaves, as far as the configuration says so.
    pub fn server_options(&self, public_url: Url) -> anyhow::Result<ServerOptions> {
        let mut options = ServerOptions::new(public_url, self.admin_token()?, self.derive(&["session"]));
        options.separate_admin = self.config.server.admin_listen.is_some();
        Ok(options)
    }

    /// The HTTP client, open to what the operator named.
    pub fn http(&self) -> anyhow::Result<Client> {
        let allowed = self.config.network.allow.iter().map(|text| Origin::parse(text)).collect::<Result<_, _>>()?;
        Client::new(allowed, self.call_deadline())
    }

    fn call_deadline(&self) -> Duration {
        self.config.engine.call_seconds.map_or(CALL_DEADLINE, |seconds| Duration::from_secs(u64::from(seconds.max(1))))
    }

    /// Connections and integrations as the engine takes them. `callback` is where browsers come back to.
    pub fn setup(&self, callback: &Url) -> anyhow::Result<Setup> {
        let workspace = self.workspace();
        let mut setup = Setup::default();
        for connection in &self.config.connections {
            setup.connections.push(
                self.connection(connection, callback)
                    .with_context(|| format!("in connection `{}`", connection.name))?,
            );
        }
        let mut flows = BTreeMap::new();
        for integration in &self.config.integrations {
            let crm = self.config.connections.iter().find(|connection| connection.name == integration.crm);
            let crm = crm.map(|crm| vendor(&crm.vendor)).transpose()?;
            let named = |settings| named(crm, settings);
            flows.insert(IntegrationId::new(integration.name.clone()), (integration.clone(), crm));
            setup.integrations.push(Integration {
                workspace: workspace.clone(),
                id: IntegrationId::new(integration.name.clone()),
                crm: ConnectionId::new(integration.crm.clone()),
                default: Arc::new(named(integration.default_settings()?)),
                meeting_types: integration
                    .meeting_type_settings()?
                    .into_iter()
                    .map(|(name, settings)| (name, Arc::new(named(settings))))
                    .collect(),
            });
        }
        setup.templating = Some(Arc::new(Flows(flows)));
        setup.polled = self.polled()?;
        setup.records = self.records()?;
        setup.calendars = self.calendars()?;
        setup.mailer = self.mailer()?;
        setup.written = Some(Arc::new(written::ThroughApi { config: self.config.clone(), told_at: self.told_at()? }));
        Ok(setup)
    }

    fn connection(&self, config: &ConnectionConfig, callback: &Url) -> anyhow::Result<ConnectionSetup> {
        let connector = vendor(&config.vendor)?;
        let known = connector.manifest().settings;
        if let Some(unknown) = config.settings.keys().find(|name| !known.iter().any(|(known, _)| known == name)) {
            let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
            bail!("{} has no setting `{unknown}`; it has {}", connector.manifest().display_name, names.join(", "));
        }
        let client_secret = config.client_secret.as_ref().map(|secret| secret.read_any(&self.base)).transpose()?;
        let redirect_uri = callback.join(&format!("oauth/callback/{}", config.name)).context("the callback address")?;
        let grant = match config.grant {
            Grant::Browser => GrantKind::Browser,
            Grant::ClientCredentials => GrantKind::ClientCredentials,
            Grant::Key => GrantKind::Key {
                key: config.api_key.as_ref().context("`api_key` is missing")?.read_any(&self.base)?,
                base_url: self.key_url(config, connector)?,
            },
            Grant::Jwt => GrantKind::JwtBearer {
                username: config.username.clone().unwrap_or_default(),
                key: config.private_key.as_ref().context("`private_key` is missing")?.read_any(&self.base)?,
            },
        };
        Ok(ConnectionSetup {
            workspace: self.workspace(),
            id: ConnectionId::new(config.name.clone()),
            connector,
            settings: config.settings.clone(),
            app: App { client_id: config.client_id.clone(), client_secret, redirect_uri: Some(redirect_uri) },
            grant,
            budget_share: config.budget_share,
        })
    }

    /// The sources as the server takes them. While the master key is being changed, the addresses that were made under
    /// an old one are good as well: nobody can enter the new ones everywhere at the same moment, and some senders do not
    /// come again.
    pub fn sources(&self) -> anyhow::Result<Vec<SourceSetup>> {
        let mut sources = Vec::new();
        for key in std::iter::once(&self.master_key).chain(&self.old_keys) {
            for source in &self.config.sources {
                sources.push(self.source(source, key).with_context(|| format!("in source `{}`", source.name))?);
            }
        }
        Ok(sources)
    }

    fn source(&self, source: &SourceConfig, key: &[u8; MASTER_KEY_BYTES]) -> anyhow::Result<SourceSetup> {
        let connector = vendor(&source.vendor)?;
        let Some(bookings) = connector.bookings() else {
            bail!("{} sends no bookings; it can only be a connection", connector.manifest().display_name);
        };
        if bookings.signed() && source.secrets.is_empty() {
            bail!(
                "{} signs its webhooks: give the signing secret under `secrets`, at least one",
                connector.manifest().display_name
            );
        }
        Ok(SourceSetup {
            workspace: self.workspace(),
            integration: IntegrationId::new(source.integration.clone()),
            id: ConnectionId::new(source.name.clone()),
            connector,
            path_key: self.path_key_under(key, &source.name),
            secrets: source.secrets.iter().map(|secret| secret.read(&self.base)).collect::<Result<Vec<Secret>, _>>()?,
        })
    }

    /// The engine's limits: the configured ones over the defaults.
    pub fn engine_options(&self) -> anyhow::Result<Options> {
        let config = &self.config.engine;
        let mut options = Options::default();
        if self.database_file().is_none() {
            options.poll = SHARED_POLL;
        }
        if let Some(workers) = config.workers {
            options.workers = workers;
        }
        if let Some(batch) = config.batch {
            options.batch = batch.max(1);
        }
        if let Some(calls) = config.calls_in_flight {
            options.calls_in_flight = calls.max(1);
        }
        if let Some(attempts) = config.max_attempts {
            options.max_attempts = attempts.max(1);
        }
        let call = self.call_deadline();
        if let Some(seconds) = config.lease_seconds {
            options.lease = jiff::SignedDuration::from_secs(i64::from(seconds));
        }
        options.call = jiff::SignedDuration::try_from(call).unwrap_or(jiff::SignedDuration::MAX);
        if options.lease < options.call.saturating_mul(LEASE_PER_CALL) {
            bail!(
                "`engine.lease_seconds` is at least {LEASE_PER_CALL} × `engine.call_seconds`, which is {}: a call that was given up may still arrive",
                call.as_secs()
            );
        }
        Ok(options)
    }

    /// The engine over an open database; every configured connection has its row.
    pub async fn engine(&self, store: Store, callback: &Url, options: Options) -> anyhow::Result<Arc<Engine>> {
        let setup = self.setup(callback)?;
        for connection in &setup.connections {
            let vendor = connection.connector.manifest().vendor;
            store.ensure_connection(&connection.workspace, &connection.id, vendor).await?;
            // A key needs nobody's consent to be used; one that was withdrawn or disconnected waits for a person.
            let row = store.connection(&connection.workspace, &connection.id).await?;
            let is_new = row.is_some_and(|row| row.status == ConnectionStatus::NotConnected);
            if is_new && matches!(connection.grant, GrantKind::Key { .. }) {
                let connected = ConnectionStatus::Connected;
                store.set_status(&connection.workspace, &connection.id, connected, None).await?;
            }
        }
        let world = World {
            store,
            http: Arc::new(self.http()?),
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
            rest: Arc::new(Timer),
        };
        Ok(Engine::new(world, setup, options))
    }
}

/// Settings in the terms of one CRM: fields by the names that its connector knows them by, its own field for how a
/// meeting stands unless the operator names one, and whether it has leads.
fn named(crm: Option<&'static dyn Connector>, mut settings: BookingSettings) -> BookingSettings {
    let Some((crm, records)) = crm.and_then(|crm| Some((crm, crm.records()?))) else { return settings };
    settings.name_fields(|role, name| records.field(role, name));
    settings.leads = crm.manifest().role(Role::Lead).is_some();
    if let Some(standing) = records.standing().filter(|_| settings.status_field.is_none()) {
        let word = |word: &str| Some(word.to_owned());
        settings.status_field = word(standing.field);
        settings.status_values = StatusValues {
            booked: word(standing.booked),
            rescheduled: word(standing.rescheduled),
            reschedule_requested: None,
            cancelled: word(standing.cancelled),
            no_show: word(standing.no_show),
        };
    }
    settings
}

/// The configured flows, on which templates are laid.
struct Flows(BTreeMap<IntegrationId, (IntegrationConfig, Option<&'static dyn Connector>)>);

impl Templating for Flows {
    fn settings(
        &self,
        integration: &IntegrationId,
        meeting_type: &str,
        name: &str,
        templates: &[TemplateSource<'_>],
    ) -> Result<BookingSettings, String> {
        let (flow, crm) = self.0.get(integration).ok_or("its integration is not configured")?;
        let kinds = templates.iter().map(|template| {
            let kind = TemplateKind::parse(template.kind)
                .ok_or_else(|| format!("there are no {} templates", template.kind))?;
            Ok((kind, template.source))
        });
        let kinds = kinds.collect::<Result<Vec<_>, String>>()?;
        let settings = flow.settings_with(meeting_type, name, &kinds).map_err(|error| format!("{error:#}"))?;
        Ok(named(*crm, settings))
    }
}

fn master_key(bytes: &[u8; MASTER_KEY_BYTES]) -> MasterKey {
    MasterKey::new(bytes).expect("the same bytes made a key when they were read")
}

fn derive(key: &[u8; MASTER_KEY_BYTES], purpose: &[&str]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in purpose {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part.as_bytes());
    }
    mac.finalize().into_bytes().into()
}

/// The connector of a configured connection.
fn connector_of(config: &Config, name: &str) -> anyhow::Result<&'static dyn Connector> {
    let connection = config.connections.iter().find(|connection| connection.name == name);
    vendor(&connection.with_context(|| format!("there is no connection `{name}`"))?.vendor)
}

/// The connector for a vendor's name.
pub fn vendor(name: &str) -> anyhow::Result<&'static dyn Connector> {
    let all = syncline_vendors::all();
    all.iter().copied().find(|connector| connector.manifest().vendor == name).with_context(|| {
        let names: Vec<&str> = all.iter().map(|connector| connector.manifest().vendor).collect();
        format!("there is no vendor `{name}`; there are {}", names.join(", "))
    })
}
