//! The sections of the configuration file.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf};

use anyhow::bail;
use serde::Deserialize;
use url::Url;

use super::{booking::IntegrationConfig, secrets::SecretRef};

/// The whole file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// `sqlite:path` or `postgres://…`.
    #[serde(default = "default_database")]
    pub database: String,
    #[serde(default = "default_workspace")]
    pub workspace: String,
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
    pub connections: Vec<ConnectionConfig>,
    #[serde(default)]
    pub sources: Vec<SourceConfig>,
    #[serde(default)]
    pub integrations: Vec<IntegrationConfig>,
}

fn default_database() -> String {
    "sqlite:syncline.db".into()
}

fn default_workspace() -> String {
    "default".into()
}

/// `[server]`: where Syncline listens and how it is reached.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerConfig {
    #[serde(default = "default_listen")]
    pub listen: SocketAddr,
    /// How browsers and the vendors' webhooks reach this server, by way of its TLS proxy.
    pub public_url: Option<Url>,
    /// Signs an administrator in and authorises API calls.
    pub admin_token: Option<SecretRef>,
    /// Where health and metrics are served, when not beside the rest.
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
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VaultConfig {
    pub key: SecretRef,
    /// Keys that were used before; kept until `syncline rotate-key` has run.
    #[serde(default)]
    pub old_keys: Vec<SecretRef>,
}

impl Default for VaultConfig {
    fn default() -> Self {
        Self { key: SecretRef::File(PathBuf::from("syncline.key")), old_keys: Vec::new() }
    }
}

/// `[engine]`: limits of the loops; the defaults suit most.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EngineConfig {
    pub workers: Option<usize>,
    /// Bookings that a worker takes at a time.
    pub batch: Option<usize>,
    pub calls_in_flight: Option<usize>,
    pub max_attempts: Option<u32>,
    /// Seconds that a call to a vendor may take in all.
    pub call_seconds: Option<u32>,
    /// Seconds for which a worker holds a booking; at least twice as many as a call may take.
    pub lease_seconds: Option<u32>,
    /// Days that raw webhook bodies are kept.
    pub keep_bodies_days: Option<u32>,
    /// Days that the activity log is kept.
    pub keep_activity_days: Option<u32>,
}

/// `[network]`: what may be called beside the public internet.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkConfig {
    /// Origins such as `http://127.0.0.1:9000`, each one named singly.
    #[serde(default)]
    pub allow: Vec<String>,
}

/// `[telemetry]`: logs and traces.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TelemetryConfig {
    /// `error`, `warn`, `info`, `debug` or `trace`; per module as in `syncline_engine=debug`.
    pub log: Option<String>,
    /// One JSON object a line instead of text.
    #[serde(default)]
    pub json: bool,
    /// Where traces go: the base address of an OTLP/HTTP collector, such as `http://127.0.0.1:4318`.
    pub otlp: Option<Url>,
}

/// `[[connections]]`: an account at a vendor.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConnectionConfig {
    pub name: String,
    pub vendor: String,
    #[serde(default)]
    pub grant: Grant,
    pub client_id: String,
    pub client_secret: Option<SecretRef>,
    /// For `grant = "jwt"`: the user to act as.
    pub username: Option<String>,
    /// For `grant = "jwt"`: the PEM key that signs.
    pub private_key: Option<SecretRef>,
    /// The share of the account's daily API calls that may be used up before Syncline pauses.
    #[serde(default = "default_budget_share")]
    pub budget_share: f64,
    /// The vendor's own settings, as its page in the documentation lists them.
    #[serde(default)]
    pub settings: BTreeMap<String, String>,
}

fn default_budget_share() -> f64 {
    0.8
}

/// How a connection is authorised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grant {
    /// A person agrees in the browser.
    #[default]
    Browser,
    /// A signed assertion, for servers.
    Jwt,
    /// The app's own user, for servers.
    ClientCredentials,
}

impl ConnectionConfig {
    pub(super) fn check(&self) -> anyhow::Result<()> {
        let name = &self.name;
        if self.grant == Grant::Jwt && (self.username.is_none() || self.private_key.is_none()) {
            bail!("connection `{name}` signs in with a JWT: give `username` and `private_key`");
        }
        if self.grant == Grant::ClientCredentials && self.client_secret.is_none() {
            bail!("connection `{name}` signs in with client credentials: give `client_secret`");
        }
        if !(0.01..=1.0).contains(&self.budget_share) {
            bail!("connection `{name}`: `budget_share` is a share between 0.01 and 1, such as 0.8");
        }
        Ok(())
    }
}

/// `[[sources]]`: where bookings come from.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceConfig {
    pub name: String,
    pub vendor: String,
    pub integration: String,
    /// Signing secrets; two while one replaces the other.
    #[serde(default)]
    pub secrets: Vec<SecretRef>,
}
