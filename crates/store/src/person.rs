//! What is held about one person, and what became of it when it was erased. Plain values.

use jiff::Timestamp;
use serde_json::Value;
use syncline_core::{
    ids::{ChainId, ConnectionId, IntegrationId, RecordId},
    merge::Side,
};

use crate::ActivityRow;

/// Everything that is held about whoever has an address.
#[derive(Debug, Clone, Default)]
pub struct Dossier {
    pub bookings: Vec<DossierBooking>,
    pub messages: Vec<DossierMessage>,
    pub journal: Vec<ActivityRow>,
    pub links: Vec<DossierLink>,
    pub records: Vec<DossierRecord>,
    pub events: Vec<DossierEvent>,
    pub meetings: Vec<DossierMeeting>,
    pub mails: Vec<DossierMail>,
    pub asks: Vec<DossierAsk>,
}

/// A booking that names the person.
#[derive(Debug, Clone)]
pub struct DossierBooking {
    pub(crate) id: i64,
    pub chain: ChainId,
    pub integration: IntegrationId,
    pub source: ConnectionId,
    /// Whether the person booked it, and nobody else did; a guest of others does not.
    pub own: bool,
    pub state: Value,
    /// The CRM's records of it, with what we last wrote.
    pub links: Option<Value>,
    /// What is on its way to the CRM.
    pub plan: Option<Value>,
    /// The messages that it was made of.
    pub(crate) inbox: Vec<i64>,
}

/// A message of a booking source.
#[derive(Debug, Clone)]
pub struct DossierMessage {
    pub(crate) id: i64,
    pub source: ConnectionId,
    pub received: Timestamp,
    pub own: bool,
    pub messages: Option<Value>,
    /// As it came, while it is kept.
    pub body: Option<Vec<u8>>,
}

/// Who the person is in a CRM, as all bookings know it.
#[derive(Debug, Clone)]
pub struct DossierLink {
    pub connection: ConnectionId,
    pub key: String,
    pub record: Option<RecordId>,
}

/// A record that is kept in step.
#[derive(Debug, Clone)]
pub struct DossierRecord {
    pub(crate) id: i64,
    pub(crate) link: Option<i64>,
    pub integration: IntegrationId,
    pub side: Side,
    pub kind: String,
    pub record: RecordId,
    /// What it was last seen to hold.
    pub seen: Option<Value>,
    /// What both sides last agreed on.
    pub images: Option<Value>,
}

/// Somebody asked for a record of the person, and it is not made yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DossierAsk {
    pub integration: IntegrationId,
    pub pair: String,
    pub asked_at: Timestamp,
}

/// A calendar's copy of an event that names the person.
#[derive(Debug, Clone)]
pub struct DossierEvent {
    pub(crate) id: i64,
    pub integration: IntegrationId,
    pub calendar: String,
    /// The calendar's own name of it.
    pub event: String,
    pub copy: Value,
}

/// What became of a meeting that names the person.
#[derive(Debug, Clone)]
pub struct DossierMeeting {
    pub(crate) id: i64,
    pub integration: IntegrationId,
    pub uid: String,
    pub rid: String,
    pub state: Value,
    /// The CRM's records of it, with what was last agreed.
    pub links: Value,
    /// What is on its way to the CRM.
    pub plan: Option<Value>,
}

/// A mail to a guest that names the person.
#[derive(Debug, Clone)]
pub struct DossierMail {
    pub(crate) id: i64,
    pub integration: IntegrationId,
    pub uid: String,
    /// Whom it goes to.
    pub email: String,
    pub word: String,
    pub state: String,
    /// The mail; nothing once it is sent.
    pub letter: Option<Value>,
}

/// What an erasure came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Erased {
    /// Bookings of the person, which are gone.
    pub bookings: usize,
    /// Bookings of others, out of which the person was taken.
    pub mentions: usize,
    pub messages: usize,
    /// Lines of the journal of which only time and kind are left.
    pub journal: usize,
    pub links: usize,
    pub records: usize,
    /// Events and meetings, out of which the person was taken.
    pub events: usize,
    /// Mails to guests, which are gone.
    pub mails: usize,
}
