//! Microsoft 365: its OAuth, and what changes in the calendars, through Microsoft Graph.
//!
//! What an account needs is in `README.md`; facts are in `manifest`; what leaves and comes back is in `api` and `wire`,
//! what it means in `convert`; `watch` has changes told. Nothing here waits, refreshes, stores or logs, and nothing outside
//! this folder names Microsoft.

mod api;
mod changes;
mod classify;
mod convert;
mod look;
mod manifest;
mod oauth;
mod pattern;
mod settings;
mod text;
mod watch;
mod wire;

#[cfg(test)]
mod tests;

use std::time::Duration;

use syncline_connect::{
    Answered, BoxFuture, Calendars, Connector, Cx, Error, Grant, Manifest, OAuth, Secret, Settings, TokenSet, Watches,
    calendar::{CalendarEntry, CalendarId, Changes, From},
    oauth::{App, TokenCx},
};
use syncline_core::calendar::event::{Event, EventId};
use url::Url;

pub use manifest::MANIFEST;

/// The connector.
#[derive(Debug, Clone, Copy, Default)]
pub struct Microsoft;

impl Connector for Microsoft {
    fn manifest(&self) -> &'static Manifest {
        &MANIFEST
    }

    fn calendars(&self) -> Option<&dyn Calendars> {
        Some(self)
    }

    fn watches(&self) -> Option<&dyn Watches> {
        Some(self)
    }

    fn oauth(&self) -> Option<&dyn OAuth> {
        Some(self)
    }
}

impl Calendars for Microsoft {
    fn list<'a>(&'a self, cx: &'a Cx<'a>) -> BoxFuture<'a, Result<Answered<Vec<CalendarEntry>>, Error>> {
        Box::pin(changes::list(cx))
    }

    fn changes<'a>(
        &'a self,
        cx: &'a Cx<'a>,
        calendar: &'a CalendarId,
        from: From<'a>,
    ) -> BoxFuture<'a, Result<Answered<Changes>, Error>> {
        Box::pin(changes::page(cx, calendar, from))
    }

    fn fetch<'a>(
        &'a self,
        cx: &'a Cx<'a>,
        calendar: &'a CalendarId,
        events: &'a [EventId],
    ) -> BoxFuture<'a, Result<Answered<Vec<Option<Event>>>, Error>> {
        Box::pin(changes::fetch(cx, calendar, events))
    }

    fn every(&self) -> Duration {
        manifest::EVERY
    }

    fn calls_per_page(&self) -> u32 {
        manifest::CALLS_PER_PAGE
    }
}

impl OAuth for Microsoft {
    fn authorize_url(&self, app: &App, settings: &Settings, state: &str, challenge: &str) -> Result<Url, Error> {
        oauth::authorize_url(app, settings, state, challenge)
    }

    fn exchange<'a>(&'a self, cx: &'a TokenCx<'a>, grant: &'a Grant) -> BoxFuture<'a, Result<TokenSet, Error>> {
        Box::pin(oauth::exchange(cx, grant))
    }

    /// There is no endpoint that takes back one approval: what there is signs the person out of everything. The token
    /// ends by itself, or on the person's page of apps.
    fn revoke<'a>(&'a self, _cx: &'a TokenCx<'a>, _token: &'a Secret) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async { Ok(()) })
    }
}
