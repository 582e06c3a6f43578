//! What a connector *is*: the contract between the engine and a vendor's folder, and the pieces that every vendor
//! needs (HTTP as a value, OAuth, signatures, error classes).
//!
//! Absent on purpose: any vendor, any database, any real HTTP client.

pub mod assertion;
pub mod bookings;
pub mod calendar;
pub mod error;
pub mod hints;
pub mod http;
pub mod limits;
pub mod listen;
pub mod manifest;
pub mod mirror;
pub mod oauth;
pub mod pkce;
pub mod polling;
pub mod records;
pub mod secret;
pub mod signature;
pub mod watch;

pub use bookings::{Bookings, RawRequest, Reading, Refusal};
pub use calendar::{CalendarWrites, Calendars};
pub use error::{Error, ErrorKind, Retry};
pub use hints::Hints;
pub use http::{Http, HttpError};
pub use limits::{Lane, Limits};
pub use listen::{Announcements, Heard, Hint, Listen, Opening};
pub use manifest::{Manifest, RoleSpec};
pub use mirror::Mirror;
pub use oauth::{Grant, OAuth, TokenSet};
pub use polling::{Ensured, Hook, Page, Poll, Polled, Start, Subscriptions};
pub use records::{Answered, Find, GraphOutcome, Object, Recent, Records, Usage, Uses, Wanted};
pub use secret::Secret;
pub use watch::Watches;

use std::{collections::BTreeMap, future::Future, pin::Pin};

use jiff::Timestamp;
use url::Url;

/// A boxed future, as the object-safe traits here return it.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What the operator set for a connection, by the names that the vendor's manifest documents.
pub type Settings = BTreeMap<String, String>;

/// All of the world that a connector sees while it answers one call.
pub struct Cx<'a> {
    pub http: &'a dyn Http,
    pub now: Timestamp,
    /// The vendor's API base address for this account, as the token answer or the configuration gave it.
    pub base_url: &'a Url,
    pub bearer: &'a Secret,
    pub settings: &'a Settings,
}

/// One vendor. A capability is a facet that is there.
pub trait Connector: Send + Sync {
    /// The vendor's facts.
    fn manifest(&self) -> &'static Manifest;

    /// Reads and writes records: the vendor is a CRM.
    fn records(&self) -> Option<&dyn Records> {
        None
    }

    /// Its records can be kept in step with another account's.
    fn mirror(&self) -> Option<&dyn Mirror> {
        None
    }

    /// Shows calendars: what is booked and changed in them lands in the CRM.
    fn calendars(&self) -> Option<&dyn Calendars> {
        None
    }

    /// Writes to calendars: what is booked in the CRM becomes an event.
    fn calendar_writes(&self) -> Option<&dyn CalendarWrites> {
        None
    }

    /// Tells by webhook that a calendar has changed.
    fn watches(&self) -> Option<&dyn Watches> {
        None
    }

    /// Announces changes of its records over a stream.
    fn listen(&self) -> Option<&dyn Listen> {
        None
    }

    /// Turns webhooks into booking messages: the vendor is a booking source.
    fn bookings(&self) -> Option<&dyn Bookings> {
        None
    }

    /// Shows its bookings through its API, so that gaps can be filled.
    fn poll(&self) -> Option<&dyn Poll> {
        None
    }

    /// Lets its webhook subscription be looked after.
    fn subscriptions(&self) -> Option<&dyn Subscriptions> {
        None
    }

    /// Tells by webhook that records may have changed.
    fn hints(&self) -> Option<&dyn Hints> {
        None
    }

    /// Limits how often it may be called within seconds or hours.
    fn limits(&self) -> Option<&dyn Limits> {
        None
    }

    /// Accounts are connected by OAuth.
    fn oauth(&self) -> Option<&dyn OAuth> {
        None
    }
}
