//! From the configuration to the sources that are asked by themselves.

use anyhow::{Context, bail};
use jiff::SignedDuration;
use syncline_connect::Hook;
use syncline_core::ids::{ConnectionId, IntegrationId};
use syncline_engine::PolledSource;
use url::Url;

use super::{Installation, vendor};
use crate::config::{SourceApiConfig, SourceConfig};

impl Installation {
    /// The sources with an API, as the engine takes them.
    pub(super) fn polled(&self) -> anyhow::Result<Vec<PolledSource>> {
        let with_api = self.config.sources.iter().filter_map(|source| Some((source, source.api.as_ref()?)));
        with_api
            .map(|(source, api)| {
                self.polled_source(source, api).with_context(|| format!("in source `{}`", source.name))
            })
            .collect()
    }

    fn polled_source(&self, source: &SourceConfig, api: &SourceApiConfig) -> anyhow::Result<PolledSource> {
        let connector = vendor(&source.vendor)?;
        let manifest = connector.manifest();
        let Some(poll) = connector.poll() else {
            bail!("{} cannot be asked for its bookings; leave `api` out", manifest.display_name);
        };
        if let Some(unknown) =
            api.settings.keys().find(|name| !manifest.settings.iter().any(|(known, _)| known == name))
        {
            let names: Vec<&str> = manifest.settings.iter().map(|(name, _)| *name).collect();
            bail!("{} has no setting `{unknown}`; it has {}", manifest.display_name, names.join(", "));
        }
        let base_url = match &api.url {
            Some(url) => url.clone(),
            None => Url::parse(poll.home()).context("the vendor's own address")?,
        };
        let every = match api.every()? {
            Some(every) => every,
            None => SignedDuration::try_from(poll.every()).context("the vendor's own rhythm")?,
        };
        Ok(PolledSource {
            workspace: self.workspace(),
            integration: IntegrationId::new(source.integration.clone()),
            id: ConnectionId::new(source.name.clone()),
            connector,
            base_url,
            token: api.token.read_any(&self.base)?,
            settings: api.settings.clone(),
            every,
            since: api.since()?,
            hook: self.hook(source, api)?,
        })
    }

    /// The webhook that should be there. An address that only this machine knows is of no use to a vendor.
    fn hook(&self, source: &SourceConfig, api: &SourceApiConfig) -> anyhow::Result<Option<Hook>> {
        let (true, Some(public)) = (api.webhook, &self.config.server.public_url) else { return Ok(None) };
        let Some(secret) = source.secrets.first() else { return Ok(None) };
        let url = Url::parse(&self.webhook_url(public, &source.name)).context("the webhook address")?;
        Ok(Some(Hook { url, secret: secret.read(&self.base)? }))
    }
}
