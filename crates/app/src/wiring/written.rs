//! Integrations that are written through the API: read and checked as those of the file are.

use std::collections::BTreeMap;

use anyhow::bail;
use syncline_core::ids::{IntegrationId, WorkspaceId};
use syncline_engine::{Setups, calendars::CalendarFlow, records::RecordFlow};
use url::Url;

use super::{calendars::calendar_flow, records::record_flow};
use crate::config::{CalendarsConfig, Config, RecordsConfig};

/// What they are held against.
pub(super) struct ThroughApi {
    /// The file, with its connections.
    pub config: Config,
    /// Where vendors may tell of changes, by connection.
    pub told_at: BTreeMap<String, Url>,
}

impl Setups for ThroughApi {
    fn records(&self, name: &IntegrationId, source: &[u8]) -> Result<RecordFlow, String> {
        let made = || {
            let config: RecordsConfig = serde_json::from_slice(source)?;
            self.check_name(name, &config.name)?;
            self.config.check_records(&config)?;
            record_flow(&self.config, self.workspace(), &config)
        };
        made().map_err(|error: anyhow::Error| format!("{error:#}"))
    }

    fn calendars(&self, name: &IntegrationId, source: &[u8]) -> Result<CalendarFlow, String> {
        let made = || {
            let config: CalendarsConfig = serde_json::from_slice(source)?;
            self.check_name(name, &config.name)?;
            self.config.check_calendars(&config)?;
            calendar_flow(&self.config, self.workspace(), &config, &self.told_at)
        };
        made().map_err(|error: anyhow::Error| format!("{error:#}"))
    }
}

impl ThroughApi {
    fn workspace(&self) -> WorkspaceId {
        WorkspaceId::new(self.config.workspace.clone())
    }

    /// All integrations share their names. That of another kind in the file is told here; one of the same kind counts
    /// before this one, which the engine sees.
    fn check_name(&self, name: &IntegrationId, given: &str) -> anyhow::Result<()> {
        if given != name.as_str() {
            bail!("`name` is `{given}`, and it is called {name}");
        }
        let of_file = [
            ("bookings", self.config.integrations.iter().any(|known| known.name == given)),
            ("records", self.config.records.iter().any(|known| known.name == given)),
            ("calendars", self.config.calendars.iter().any(|known| known.name == given)),
        ];
        if let Some((kind, _)) = of_file.into_iter().find(|(_, is_there)| *is_there) {
            bail!("an integration of {kind} is called `{name}` already");
        }
        Ok(())
    }
}
