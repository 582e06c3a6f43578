//! Microsoft 365: its OAuth, what changes in the calendars, and what is written to them, through Microsoft Graph.
//!
//! What an account needs is in `README.md`; facts are in `manifest`; what leaves and comes back is in `api` and `wire`,
//! what it means in `convert`; `write` writes what `draft` says of an event; `watch` has changes told. Nothing here waits,
//! refreshes, stores or logs, and nothing outside this folder names Microsoft.

mod api;
mod changes;
mod classify;
mod convert;
mod draft;
mod look;
mod manifest;
mod oauth;
mod pattern;
mod settings;
mod text;
mod watch;
mod wire;
mod write;

#[cfg(test)]
mod tests;

use std::time::Duration;

use syncline_connect::{
    Answered, BoxFuture, CalendarWrites, Calendars, Connector, Cx, Error, Grant, Manifest, OAuth, Secret, Settings,
    TokenSet, Watches,
    calendar::{CalendarEntry, CalendarId, Changes, EventWrite, From, WriteOutcome},
    oauth::{App, TokenCx},
};
use syncline_core::calendar::{
    event::{Event, EventId},
    identity::Rid,
};
use url::Url;

use self::write::Writing;
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

    fn calendar_writes(&self) -> Option<&dyn CalendarWrites> {
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

impl CalendarWrites for Microsoft {
    fn write<'a>(
        &'a self,
        cx: &'a Cx<'a>,
        calendar: &'a CalendarId,
        write: &'a EventWrite<'a>,
    ) -> BoxFuture<'a, Result<Answered<WriteOutcome>, Error>> {
        Box::pin(async move {
            let mut writing = Writing::new(cx, calendar);
            let value = writing.write(write).await?;
            Ok(Answered { value, calls: writing.calls, usage: None })
        })
    }

    fn occurrence<'a>(
        &'a self,
        cx: &'a Cx<'a>,
        calendar: &'a CalendarId,
        series: &'a EventId,
        rid: Rid,
    ) -> BoxFuture<'a, Result<Answered<Option<Event>>, Error>> {
        Box::pin(async move {
            let mut writing = Writing::new(cx, calendar);
            let value = writing.occurrence(series, rid).await?;
            Ok(Answered { value, calls: writing.calls, usage: None })
        })
    }

    fn tells<'a>(&'a self, _: &'a Cx<'a>, _: &'a CalendarId) -> BoxFuture<'a, Result<Answered<bool>, Error>> {
        Box::pin(std::future::ready(Ok(Answered { value: true, calls: 0, usage: None })))
    }

    fn calls_per_write(&self) -> u32 {
        write::CALLS_MAX
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
