//! The sections of the configuration file. Their doc comments are what docs/configuration.md says, so they are written
//! for whoever runs Syncline.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf};

use anyhow::bail;
use serde::{Deserialize, Serialize};
use url::Url;

use super::{
    alerts::AlertsConfig, booking::IntegrationConfig, calendars::CalendarsConfig, limits, records::RecordsConfig,
    secrets::SecretRef, source::SourceApiConfig,
};

/// The whole file.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// `sqlite:path` for the embedded database, `sqlite::memory:` to forget everything at the end, or
    /// `postgres://user@host/name` for several machines. `syncline serve --database` overrides it. A relative path starts
    /// at this file's folder.
    #[serde(default = "default_database")]
    pub database: String,
    /// Names this installation's part of the database; webhook addresses and record keys depend on it, so it is never
    /// changed later. 1 to 40 lower-case letters, digits and dashes.
    #[serde(default = "default_workspace")]
    pub workspace: String,
    /// Accounts of one vendor that may be connected at the same time.
    #[cfg_attr(test, schemars(range(min = 1, max = limits::ACCOUNTS_MAX)))]
    #[serde(default = "default_accounts")]
    pub accounts_per_vendor: usize,
    #[serde(default)]
    pub server: ServerConfig,
    #[serde(default)]
    pub vault: VaultConfig,
    #[serde(default)]
    pub engine: EngineConfig,
    #[serde(default)]
    pub network: NetworkConfig,
    #[serde(default)]
    pub telemetry: TelemetryConfig,
    #[serde(default)]
    pub alerts: AlertsConfig,
    #[serde(default)]
    pub connections: Vec<ConnectionConfig>,
    #[serde(default)]
    pub sources: Vec<SourceConfig>,
    #[serde(default)]
    pub integrations: Vec<IntegrationConfig>,
    #[serde(default)]
    pub records: Vec<RecordsConfig>,
    #[serde(default)]
    pub calendars: Vec<CalendarsConfig>,
}

fn default_database() -> String {
    "sqlite:syncline.db".into()
}

fn default_workspace() -> String {
    "default".into()
}

fn default_accounts() -> usize {
    5
}

/// `[server]`: where Syncline listens and how it is reached.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ServerConfig {
    /// The address and port to listen on. TLS is the business of a proxy in front.
    #[serde(default = "default_listen")]
    pub listen: SocketAddr,
    /// How browsers and the vendors' webhooks reach this server, by way of its TLS proxy. Absent: the address that is
    /// listened on, which suits a trial on one machine.
    pub public_url: Option<Url>,
    /// Signs an administrator in and authorises API calls. `syncline serve` needs it. At least 16 characters; make one
    /// with `openssl rand -hex 32`.
    pub admin_token: Option<SecretRef>,
    /// Where `/healthz`, `/readyz` and `/metrics` are served. Absent: beside the rest, for whoever reaches it.
    pub admin_listen: Option<SocketAddr>,
}

fn default_listen() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 8080))
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self { listen: default_listen(), public_url: None, admin_token: None, admin_listen: None }
    }
}

/// `[vault]`: the key that everything secret in the database is sealed with.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct VaultConfig {
    /// 32 bytes in base64 or hexadecimal digits; `syncline init` makes one.
    #[serde(default = "default_key")]
    pub key: SecretRef,
    /// Keys that were used before. They stay here until `syncline rotate-key` has run and the new webhook addresses are
    /// entered at the scheduling tools; see [operating.md](operating.md#keys-and-secrets).
    #[serde(default)]
    pub old_keys: Vec<SecretRef>,
}

impl Default for VaultConfig {
    fn default() -> Self {
        Self { key: default_key(), old_keys: Vec::new() }
    }
}

fn default_key() -> SecretRef {
    SecretRef::File(PathBuf::from("syncline.key"))
}

/// `[engine]`: limits of the loops; the defaults suit most.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct EngineConfig {
    /// Workers of this process. With 0 it only takes messages in and leaves the rest to other processes.
    #[cfg_attr(test, schemars(range(min = 0, max = limits::WORKERS_MAX)))]
    pub workers: Option<usize>,
    /// Bookings that a worker takes at a time. More bookings share a call to the vendor, and wait for each other.
    #[cfg_attr(test, schemars(range(min = 1, max = limits::BATCH_MAX)))]
    pub batch: Option<usize>,
    /// Calls to vendors that this process has under way at the same time.
    #[cfg_attr(test, schemars(range(min = 1, max = limits::CALLS_MAX)))]
    pub calls_in_flight: Option<usize>,
    /// Tries before a booking is laid aside for a person. The pauses between them grow to a quarter of an hour.
    #[cfg_attr(test, schemars(range(min = 1, max = limits::ATTEMPTS_MAX)))]
    pub max_attempts: Option<u32>,
    /// Seconds that a call to a vendor may take in all.
    #[cfg_attr(test, schemars(range(min = 1, max = limits::CALL_SECONDS_MAX)))]
    pub call_seconds: Option<u32>,
    /// Seconds for which a worker holds a booking; at least three times as many as a call may take.
    #[cfg_attr(test, schemars(range(min = limits::LEASE_SECONDS_MIN, max = limits::LEASE_SECONDS_MAX)))]
    pub lease_seconds: Option<u32>,
    /// Days that raw webhook bodies are kept.
    #[cfg_attr(test, schemars(range(min = 1, max = limits::KEEP_DAYS_MAX)))]
    pub keep_bodies_days: Option<u32>,
    /// Days that the activity log is kept.
    #[cfg_attr(test, schemars(range(min = 1, max = limits::KEEP_DAYS_MAX)))]
    pub keep_activity_days: Option<u32>,
}

/// `[network]`: what may be called beside the public internet.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct NetworkConfig {
    /// Origins that may be called although they are not public or not encrypted, such as `http://127.0.0.1:9000`: scheme,
    /// host and port, each one named singly. Everything else is refused unless it is https and its address is public.
    #[serde(default)]
    pub allow: Vec<String>,
}

/// `[telemetry]`: logs and traces.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct TelemetryConfig {
    /// `error`, `warn`, `info`, `debug` or `trace`; per module as in `info,syncline_engine=debug`. The
    /// environment variable `RUST_LOG` overrides it.
    pub log: Option<String>,
    /// One JSON object a line instead of text.
    #[serde(default)]
    pub json: bool,
    /// Where traces go: the base address of an OTLP/HTTP collector, such as `http://127.0.0.1:4318`. Absent: there are
    /// none. Headers for it are read from the environment variable `OTEL_EXPORTER_OTLP_HEADERS`.
    pub otlp: Option<Url>,
}

/// `[[connections]]`: an account at a vendor.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ConnectionConfig {
    /// 1 to 40 lower-case letters, digits and dashes; no connection or source has the same. Part of the callback address
    /// and of record keys, so it is never changed later.
    pub name: String,
    /// Whose account it is: `salesforce`, `hubspot`, `brevo` or `activecampaign`; of calendars `google`, `microsoft` or `caldav`.
    pub vendor: String,
    /// How the account is authorised.
    #[serde(default)]
    pub grant: Grant,
    /// The app's client id (Salesforce: consumer key). Every grant but `key` needs it.
    #[serde(default)]
    pub client_id: String,
    /// For `grant = "key"`: the API key that an admin made at the vendor.
    pub api_key: Option<SecretRef>,
    /// For `grant = "key"`: where the account's API answers. Absent: the vendor's own address, where all accounts share
    /// one.
    pub url: Option<Url>,
    /// The app's client secret. Needed for `grant = "client_credentials"`; apps that use PKCE alone have none.
    pub client_secret: Option<SecretRef>,
    /// For `grant = "jwt"`: the user to act as.
    pub username: Option<String>,
    /// For `grant = "jwt"`: the PEM key that signs.
    pub private_key: Option<SecretRef>,
    /// The share of the account's daily API calls that may be used up, by whomever, before Syncline pauses.
    #[cfg_attr(test, schemars(range(min = *limits::BUDGET_SHARE.start(), max = *limits::BUDGET_SHARE.end())))]
    #[serde(default = "default_budget_share")]
    pub budget_share: f64,
    /// What the vendor's webhooks prove themselves with, for those that tell of changes: HubSpot's client secret, the bearer
    /// token that a webhook of Brevo is made with. Two while one replaces the other. `syncline sources` prints the address.
    #[serde(default)]
    pub webhook_secrets: Vec<SecretRef>,
    /// The vendor's own settings; for Salesforce see [salesforce.md](salesforce.md).
    #[serde(default)]
    pub settings: BTreeMap<String, String>,
}

fn default_budget_share() -> f64 {
    0.8
}

/// How a connection is authorised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Grant {
    /// A person agrees in the browser, once.
    #[default]
    Browser,
    /// A signed assertion: no browser.
    Jwt,
    /// The app's own user: no browser.
    ClientCredentials,
    /// An API key.
    Key,
}

impl ConnectionConfig {
    pub(super) fn check(&self) -> anyhow::Result<()> {
        let name = &self.name;
        match self.grant {
            Grant::Key if self.api_key.is_none() => {
                bail!("connection `{name}` signs in with a key: give `api_key`");
            }
            Grant::Key => {}
            _ if self.client_id.is_empty() => bail!("connection `{name}`: give `client_id`, the id of the app"),
            _ => {}
        }
        if self.grant == Grant::Jwt && (self.username.is_none() || self.private_key.is_none()) {
            bail!("connection `{name}` signs in with a JWT: give `username` and `private_key`");
        }
        if self.grant == Grant::ClientCredentials && self.client_secret.is_none() {
            bail!("connection `{name}` signs in with client credentials: give `client_secret`");
        }
        if !limits::BUDGET_SHARE.contains(&self.budget_share) {
            bail!("connection `{name}`: `budget_share` is a share between 0.01 and 1, such as 0.8");
        }
        Ok(())
    }
}

/// `[[sources]]`: where bookings come from.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SourceConfig {
    /// 1 to 40 lower-case letters, digits and dashes; no connection or source has the same. Part of the webhook address.
    pub name: String,
    /// `calcom`, `calendly`, `meetergo` or `generic`.
    pub vendor: String,
    /// The name of the `[[integrations]]` entry that its bookings go to.
    pub integration: String,
    /// Signing secrets of at least 16 characters; two while one replaces the other. Every vendor that signs needs one;
    /// meetergo does not sign.
    #[serde(default)]
    pub secrets: Vec<SecretRef>,
    pub api: Option<SourceApiConfig>,
}
