//! The configuration file: one section a file, unknown keys refused, secrets only by reference.

mod alerts;
mod booking;
mod calendars;
mod file;
mod limits;
mod mapping;
mod marks;
mod place;
mod records;
mod secrets;
mod source;
mod template;
#[cfg(test)]
mod tests;

use std::path::Path;

use anyhow::{Context, bail};

pub use alerts::{MailConfig, MailSecurity};
pub use booking::IntegrationConfig;
pub use calendars::{CalendarPersonConfig, CalendarsConfig};
pub use file::{Config, ConnectionConfig, Grant, SourceConfig, TelemetryConfig};
pub use records::{PairConfig, RecordsConfig};
pub use secrets::{MASTER_KEY_BYTES, read_master_key};
pub use source::SourceApiConfig;
pub use template::{TEMPLATE_MAX, TemplateKind, check as check_template};

/// What `syncline init` writes: every setting that a first installation needs, explained.
pub const EXAMPLE: &str = include_str!("example.toml");

impl Config {
    /// Reads and checks a configuration file.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read {}; `syncline init` writes one to start from", path.display()))?;
        Self::parse(&text).with_context(|| format!("in {}", path.display()))
    }

    /// Reads and checks a configuration. The error names the line, the reason and, where there is one, the fix.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let config: Self = toml::from_str(text).map_err(|error| {
            // The library would quote the line, and the line may hold a secret that stands where none should.
            let line = error.span().map_or(0, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
            anyhow::anyhow!("line {line}: {}", error.message())
        })?;
        config.check().map_err(|error| place::placed(error, text))?;
        Ok(config)
    }

    /// What the grammar cannot say: numbers are within their limits, names are unique, and what is referred to is there.
    fn check(&self) -> anyhow::Result<()> {
        self.engine.check()?;
        self.alerts.check()?;
        limits::check_addresses(self)?;
        limits::check_accounts(self)?;
        if !is_name(&self.workspace) {
            bail!("`workspace` cannot be `{}`: use 1 to 40 lower-case letters, digits and dashes", self.workspace);
        }
        let mut names = std::collections::BTreeSet::new();
        for name in self.connections.iter().map(|c| &c.name).chain(self.sources.iter().map(|s| &s.name)) {
            if !is_name(name) {
                bail!("`{name}` cannot be a name: use 1 to 40 lower-case letters, digits and dashes");
            }
            if !names.insert(name) {
                bail!("two connections or sources are called `{name}`; every name is used once");
            }
        }
        let mut integrations = std::collections::BTreeSet::new();
        for integration in &self.integrations {
            let name = &integration.name;
            if !is_name(name) {
                bail!(
                    "`{name}` cannot be the name of an integration: use 1 to 40 lower-case letters, digits and dashes"
                );
            }
            if !integrations.insert(name) {
                bail!("two integrations are called `{name}`; every name is used once");
            }
            if !self.connections.iter().any(|connection| connection.name == integration.crm) {
                bail!(
                    "integration `{}` writes to `{}`, but there is no such [[connections]] entry; add it or correct `crm`",
                    integration.name,
                    integration.crm
                );
            }
            integration.check().with_context(|| format!("in integration `{}`", integration.name))?;
        }
        for records in &self.records {
            let name = &records.name;
            if !integrations.insert(name) {
                bail!("two integrations are called `{name}`; every name is used once");
            }
            self.check_records(records)?;
        }
        for calendars in &self.calendars {
            let name = &calendars.name;
            if !integrations.insert(name) {
                bail!("two integrations are called `{name}`; every name is used once");
            }
            self.check_calendars(calendars)?;
        }
        for source in &self.sources {
            if !self.integrations.iter().any(|integration| integration.name == source.integration) {
                bail!(
                    "source `{}` feeds `{}`, but there is no such [[integrations]] entry; add it or correct `integration`",
                    source.name,
                    source.integration
                );
            }
            if let Some(api) = &source.api {
                api.check().with_context(|| format!("in [sources.api] of source `{}`", source.name))?;
            }
        }
        for connection in &self.connections {
            connection.check()?;
        }
        Ok(())
    }
}

impl Config {
    /// The same for one integration that keeps records in step, wherever it is written.
    pub fn check_records(&self, records: &RecordsConfig) -> anyhow::Result<()> {
        let name = &records.name;
        if !is_name(name) {
            bail!("`{name}` cannot be the name of an integration: use 1 to 40 lower-case letters, digits and dashes");
        }
        for (side, connection) in [("left", &records.left), ("right", &records.right)] {
            if !self.connections.iter().any(|known| known.name == *connection) {
                bail!(
                    "integration `{name}` has `{connection}` on the {side}, but there is no such [[connections]] entry; add it or correct `{side}`"
                );
            }
        }
        records.check().with_context(|| format!("in integration `{name}`"))
    }

    /// The same for one that brings meetings of calendars onto timelines.
    pub fn check_calendars(&self, calendars: &CalendarsConfig) -> anyhow::Result<()> {
        let name = &calendars.name;
        if !is_name(name) {
            bail!("`{name}` cannot be the name of an integration: use 1 to 40 lower-case letters, digits and dashes");
        }
        let is_there = |connection: &str| self.connections.iter().any(|known| known.name == connection);
        if !is_there(&calendars.crm) {
            bail!(
                "integration `{name}` writes to `{}`, but there is no such [[connections]] entry; add it or correct `crm`",
                calendars.crm
            );
        }
        if let Some(person) = calendars.people.iter().find(|person| !is_there(&person.connection)) {
            bail!(
                "integration `{name}` reads the calendar of `{}` at `{}`, but there is no such [[connections]] entry; add it or correct `connection`",
                person.owner,
                person.connection
            );
        }
        calendars.check().with_context(|| format!("in integration `{name}`"))
    }
}

fn is_name(name: &str) -> bool {
    (1..=40).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}
