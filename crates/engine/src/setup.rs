//! What the operator set up, as values: connections with their connectors, integrations with their settings.

use std::{collections::BTreeMap, sync::Arc};

use syncline_connect::{Connector, Secret, Settings, oauth::App};
use syncline_core::{
    booking::settings::BookingSettings,
    ids::{ConnectionId, IntegrationId, WorkspaceId},
};

use url::Url;

use crate::calendars::CalendarFlow;
use crate::mail::Mailer;
use crate::poll::PolledSource;
use crate::records::RecordFlow;
use crate::templates::Templating;
use crate::written::Setups;

/// One connection to a vendor's account.
pub struct ConnectionSetup {
    pub workspace: WorkspaceId,
    pub id: ConnectionId,
    pub connector: &'static dyn Connector,
    pub settings: Settings,
    pub app: App,
    pub grant: GrantKind,
    /// The share of the account's daily calls that Syncline may use up, others' calls included: 0 to 1.
    pub budget_share: f64,
}

/// How the connection gets its tokens.
#[derive(Debug, Clone)]
pub enum GrantKind {
    /// A person connects in the browser; refresh tokens follow.
    Browser,
    /// A signed assertion for this user; the key is PEM.
    JwtBearer {
        username: String,
        key: Secret,
    },
    ClientCredentials,
    /// A key that an admin made at the vendor, good until it is withdrawn there; and where the account's API answers.
    Key {
        key: Secret,
        base_url: Url,
    },
}

/// A booking flow into one CRM.
pub struct Integration {
    pub workspace: WorkspaceId,
    pub id: IntegrationId,
    /// The CRM's connection.
    pub crm: ConnectionId,
    pub default: Arc<BookingSettings>,
    /// By meeting type: slug, id, URI or name.
    pub meeting_types: BTreeMap<String, Arc<BookingSettings>>,
}

impl Integration {
    /// The settings for a meeting type, looked up by its key and then by its name.
    pub fn settings(&self, meeting_type: &str, name: &str) -> &Arc<BookingSettings> {
        self.meeting_types.get(meeting_type).or_else(|| self.meeting_types.get(name)).unwrap_or(&self.default)
    }
}

/// All that is set up.
#[derive(Default)]
pub struct Setup {
    pub connections: Vec<ConnectionSetup>,
    pub integrations: Vec<Integration>,
    /// Lays templates over settings; without it none counts.
    pub templating: Option<Arc<dyn Templating>>,
    /// Sources that are asked by themselves, beside listening to their webhooks.
    pub polled: Vec<PolledSource>,
    /// Integrations that bring meetings of calendars into a CRM.
    pub calendars: Vec<CalendarFlow>,
    /// Carries mails to guests of meetings; without it nobody is mailed.
    pub mailer: Option<Arc<dyn Mailer>>,
    /// Integrations that keep records in step.
    pub records: Vec<RecordFlow>,
    /// Makes integrations that are written through the API; without it there are none.
    pub written: Option<Arc<dyn Setups>>,
}

impl Setup {
    /// The connection of this name in the workspace.
    pub fn connection(&self, workspace: &WorkspaceId, id: &ConnectionId) -> Option<&ConnectionSetup> {
        self.connections.iter().find(|connection| connection.workspace == *workspace && connection.id == *id)
    }

    /// The integration of this name in the workspace.
    pub fn integration(&self, workspace: &WorkspaceId, id: &IntegrationId) -> Option<&Integration> {
        self.integrations.iter().find(|integration| integration.workspace == *workspace && integration.id == *id)
    }
}
