//! `[alerts]`: how people are told what they must know.

use std::path::PathBuf;

use anyhow::bail;
use serde::{Deserialize, Serialize};
use url::Url;

use super::secrets::SecretRef;

/// `[alerts]`: mails and webhooks about what a person must know: a quota that runs out, an account that has to be connected
/// again, work that was laid aside or held back, an integration that stopped. Without them the pages and the activity log tell it alone.
/// `syncline alerts test` tries them.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AlertsConfig {
    /// Who is told by mail.
    pub mail: Option<MailConfig>,
    /// Who is told by a signed webhook.
    pub webhook: Option<AlertWebhookConfig>,
}

/// `[alerts.mail]`: by mail, through an SMTP server. Guests of meetings whose calendar tells nobody are mailed through it, too; see
/// [calendars.md](calendars.md).
#[derive(Debug, Clone, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct MailConfig {
    /// The mail server's name.
    pub server: String,
    /// Its port. Absent: 587 for `starttls`, 465 for `tls`, 25 for `none`.
    pub port: Option<u16>,
    /// How the way to it is encrypted.
    #[serde(default)]
    pub security: MailSecurity,
    /// A file with certificates in PEM, where the server's is signed by an authority of your own.
    pub authority: Option<PathBuf>,
    /// For servers that ask who one is.
    pub username: Option<String>,
    /// The password that goes with `username`.
    pub password: Option<SecretRef>,
    /// The sender, such as `Syncline <syncline@example.org>`.
    pub from: String,
    /// Who is told; one to twenty addresses.
    pub to: Vec<String>,
}

/// How the way to the mail server is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum MailSecurity {
    /// It begins in the clear and must change to TLS before anything is said.
    #[default]
    Starttls,
    /// TLS from the first byte.
    Tls,
    /// Not at all: for a mail server on this machine. No password goes over it.
    None,
}

/// `[alerts.webhook]`: by a signed POST to an address of yours.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AlertWebhookConfig {
    /// Where to post; https, unless `[network] allow` opens it.
    pub url: Url,
    /// What it is signed with, as Standard Webhooks has it: `whsec_` and a key in base64. Of any other text, of at least 16
    /// characters, the bytes are the key.
    pub secret: SecretRef,
}

/// Addresses that one alert is mailed to.
const RECIPIENTS_MAX: usize = 20;

impl AlertsConfig {
    pub(super) fn check(&self) -> anyhow::Result<()> {
        let Some(mail) = &self.mail else { return Ok(()) };
        if mail.server.trim().is_empty() {
            bail!("[alerts.mail] `server` is the name of a mail server");
        }
        if mail.to.is_empty() || mail.to.len() > RECIPIENTS_MAX {
            bail!("[alerts.mail] `to` needs 1 to {RECIPIENTS_MAX} addresses");
        }
        if mail.username.is_some() != mail.password.is_some() {
            bail!("[alerts.mail] `username` and `password` go together");
        }
        if mail.password.is_some() && mail.security == MailSecurity::None {
            bail!(
                "[alerts.mail] a password goes over an encrypted way only: set `security` to \"starttls\" or \"tls\""
            );
        }
        Ok(())
    }
}

impl MailConfig {
    /// The port that is meant.
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(match self.security {
            MailSecurity::Starttls => 587,
            MailSecurity::Tls => 465,
            MailSecurity::None => 25,
        })
    }
}
