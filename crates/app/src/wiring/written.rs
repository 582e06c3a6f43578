//! Integrations that are written through the API: read and checked as those of the file are.

use anyhow::bail;
use syncline_core::ids::{IntegrationId, WorkspaceId};
use syncline_engine::{Setups, calendars::CalendarFlow, records::RecordFlow};

use super::{calendars::calendar_flow, records::record_flow};
use crate::config::{CalendarsConfig, Config, RecordsConfig};

/// What they are held against: the file, with its connections.
pub(super) struct ThroughApi(pub(super) Config);

impl Setups for ThroughApi {
    fn records(&self, name: &IntegrationId, source: &[u8]) -> Result<RecordFlow, String> {
        let made = || {
            let config: RecordsConfig = serde_json::from_slice(source)?;
            self.check_name(name, &config.name)?;
            self.0.check_records(&config)?;
            record_flow(&self.0, self.workspace(), &config)
        };
        made().map_err(|error: anyhow::Error| format!("{error:#}"))
    }

    fn calendars(&self, name: &IntegrationId, source: &[u8]) -> Result<CalendarFlow, String> {
        let made = || {
            let config: CalendarsConfig = serde_json::from_slice(source)?;
            self.check_name(name, &config.name)?;
            self.0.check_calendars(&config)?;
            calendar_flow(&self.0, self.workspace(), &config)
        };
        made().map_err(|error: anyhow::Error| format!("{error:#}"))
    }
}

impl ThroughApi {
    fn workspace(&self) -> WorkspaceId {
        WorkspaceId::new(self.0.workspace.clone())
    }

    /// All integrations share their names. That of another kind in the file is told here; one of the same kind counts
    /// before this one, which the engine sees.
    fn check_name(&self, name: &IntegrationId, given: &str) -> anyhow::Result<()> {
        if given != name.as_str() {
            bail!("`name` is `{given}`, and it is called {name}");
        }
        let of_file = [
            ("bookings", self.0.integrations.iter().any(|known| known.name == given)),
            ("records", self.0.records.iter().any(|known| known.name == given)),
            ("calendars", self.0.calendars.iter().any(|known| known.name == given)),
        ];
        if let Some((kind, _)) = of_file.into_iter().find(|(_, is_there)| *is_there) {
            bail!("an integration of {kind} is called `{name}` already");
        }
        Ok(())
    }
}
