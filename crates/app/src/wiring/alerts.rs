//! From the configuration to the ways by which people are told.

use std::sync::Arc;

use anyhow::Context;
use syncline_engine::{
    alerts::{AlertHook, AlertWays},
    mail::Mailer,
};
use url::Url;

use super::Installation;
use crate::mail::Smtp;

impl Installation {
    /// The ways that are configured; `pages` is where links lead.
    pub fn alert_ways(&self, pages: &Url) -> anyhow::Result<AlertWays> {
        let config = &self.config.alerts;
        let webhook = config
            .webhook
            .as_ref()
            .map(|webhook| {
                let secret = webhook.secret.read(&self.base).context("in [alerts.webhook] `secret`")?;
                anyhow::Ok(AlertHook { url: webhook.url.clone(), secret })
            })
            .transpose()?;
        Ok(AlertWays { mail: self.mailer()?, webhook, pages: Some(pages.clone()) })
    }

    /// What carries mails, where a mail server is configured.
    pub(super) fn mailer(&self) -> anyhow::Result<Option<Arc<dyn Mailer>>> {
        let smtp = self.config.alerts.mail.as_ref().map(|mail| Smtp::new(mail, &self.base)).transpose()?;
        Ok(smtp.map(|smtp| Arc::new(smtp) as Arc<dyn Mailer>))
    }
}
