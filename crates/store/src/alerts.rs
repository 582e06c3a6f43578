//! What the store takes and gives of alerts: what a person is to be told by mail or webhook. In which words is not
//! decided here.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use syncline_core::ids::{ConnectionId, IntegrationId};

/// Something that a person is to be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    pub kind: AlertKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub integration: Option<IntegrationId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<ConnectionId>,
    /// What happened, in a sentence without anybody's personal data.
    pub reason: String,
    /// What to do about it.
    pub fix: String,
}

/// What it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertKind {
    /// Most of the month's transfers are used.
    QuotaNear,
    /// All of them are; nothing more is transferred.
    QuotaUsed,
    /// An account has to be connected again.
    ConnectionLost,
    /// Work was laid aside for a person.
    Parked,
    /// Something of a record is held back for a person.
    Held,
    /// An integration stopped by itself, because too much would be deleted or a side looks empty.
    Stopped,
    /// Somebody tried the ways by which alerts are told.
    Test,
}

impl AlertKind {
    /// The stable word of webhooks.
    pub fn as_str(self) -> &'static str {
        match self {
            AlertKind::QuotaNear => "quota_near",
            AlertKind::QuotaUsed => "quota_used",
            AlertKind::ConnectionLost => "connection_lost",
            AlertKind::Parked => "parked",
            AlertKind::Held => "held",
            AlertKind::Stopped => "stopped",
            AlertKind::Test => "test",
        }
    }
}

/// An alert on its way into the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAlert {
    /// What makes it one event: of several alerts with the same, the first counts.
    pub event: String,
    pub at: Timestamp,
    pub alert: Alert,
}

/// An alert that waits to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertRow {
    pub id: i64,
    pub event: String,
    pub at: Timestamp,
    pub alert: Alert,
    pub tries: u32,
    /// The ways by which it has been told already.
    pub told: Vec<AlertWay>,
}

/// By which way somebody is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertWay {
    Mail,
    Webhook,
}

/// How far telling an alert has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertProgress {
    pub id: i64,
    pub told: Vec<AlertWay>,
    pub tries: u32,
    /// Why the last try failed.
    pub problem: Option<String>,
    /// When to try again; nothing where it is told, or given up.
    pub due_at: Option<Timestamp>,
}
