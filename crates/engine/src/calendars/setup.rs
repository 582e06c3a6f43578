//! What the operator set up for calendars, as values.

use jiff::SignedDuration;
use syncline_connect::calendar::CalendarId;
use syncline_core::{
    calendar::look::Rules,
    ids::{ConnectionId, IntegrationId, WorkspaceId},
};
use syncline_store::CalendarRef;
use url::Url;

/// An integration that brings meetings of people's calendars onto the timelines of a CRM.
#[derive(Debug, Clone)]
pub struct CalendarFlow {
    pub workspace: WorkspaceId,
    pub id: IntegrationId,
    /// The CRM's connection.
    pub crm: ConnectionId,
    /// In the order in which they were linked: of several reps the first owns what nobody of ours organises.
    pub calendars: Vec<CalendarSetup>,
    pub rules: Rules,
    /// How often each calendar is read as a whole, to find what changes did not tell.
    pub sweep_every: SignedDuration,
}

/// One calendar of one person.
#[derive(Debug, Clone)]
pub struct CalendarSetup {
    /// What it is called in this integration, for good.
    pub name: String,
    pub connection: ConnectionId,
    /// The calendar at its vendor; nothing for the account's primary one.
    pub calendar: Option<CalendarId>,
    /// Whose it is: an address in normal form.
    pub owner: String,
    /// Addresses and domains (`@b`) that this person keeps out of the CRM, beside those of the admin.
    pub blocked: Vec<String>,
    /// How often it is asked for changes.
    pub every: SignedDuration,
    /// Where its vendor may tell of changes, if it is to; part of it is secret.
    pub hook: Option<Url>,
}

impl CalendarFlow {
    /// What the store calls one of its calendars.
    pub(crate) fn reference(&self, calendar: &CalendarSetup) -> CalendarRef {
        CalendarRef { workspace: self.workspace.clone(), integration: self.id.clone(), calendar: calendar.name.clone() }
    }
}
