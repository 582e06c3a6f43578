//! CalDAV accounts (RFC 4791), read and written by the standards and without knowing any server by name.
//!
//! Manifest and facets only. Calls are in `api`; from the typed address to the calendars leads `discover`; what changed is
//! in `changes`, with `cursor` as its memory; `write` writes, and `invite` is what is mailed of it; `wire` is the XML, `ics` the events, `path` the addresses, `classify` what a
//! refusal means. What must not live here: anything about a CRM, and a server's name.

mod api;
mod changes;
mod classify;
mod cursor;
mod discover;
pub mod ics;
mod invite;
mod path;
mod wire;
mod write;

#[cfg(test)]
mod tests;

use std::time::Duration;

use jiff::Timestamp;
use syncline_connect::{
    Answered, BoxFuture, CalendarWrites, Calendars, Connector, Cx, Error, Manifest,
    calendar::{CalendarEntry, CalendarId, Changes, EventWrite, From, Invitation, Message, WriteOutcome},
};
use syncline_core::calendar::{
    event::{Event, EventId},
    identity::Rid,
};

use self::{api::Api, write::Writing};

/// How often a calendar is asked: the servers push nothing, and a round in which nothing changed is one small call.
const EVERY: Duration = Duration::from_secs(180);

const MANIFEST: Manifest = Manifest {
    vendor: "caldav",
    display_name: "CalDAV",
    docs: "https://www.rfc-editor.org/rfc/rfc4791",
    scopes: &[],
    settings: &[],
    roles: &[],
    overload_status: 503,
    trusted_domains: &[],
};

/// The connector for CalDAV accounts.
#[derive(Debug, Clone, Copy)]
pub struct CalDav;

impl Connector for CalDav {
    fn manifest(&self) -> &'static Manifest {
        &MANIFEST
    }

    fn calendars(&self) -> Option<&dyn Calendars> {
        Some(self)
    }

    fn calendar_writes(&self) -> Option<&dyn CalendarWrites> {
        Some(self)
    }
}

impl Calendars for CalDav {
    fn list<'a>(&'a self, cx: &'a Cx<'a>) -> BoxFuture<'a, Result<Answered<Vec<CalendarEntry>>, Error>> {
        Box::pin(async move {
            let mut api = Api::new(cx, "list calendars");
            let value = discover::calendars(&mut api).await?;
            Ok(Answered { value, calls: api.calls, usage: None })
        })
    }

    fn changes<'a>(
        &'a self,
        cx: &'a Cx<'a>,
        calendar: &'a CalendarId,
        from: From<'a>,
    ) -> BoxFuture<'a, Result<Answered<Changes>, Error>> {
        Box::pin(async move {
            let mut api = Api::new(cx, "read calendar");
            let value = changes::changes(&mut api, &calendar.0, from).await?;
            Ok(Answered { value, calls: api.calls, usage: None })
        })
    }

    fn fetch<'a>(
        &'a self,
        cx: &'a Cx<'a>,
        calendar: &'a CalendarId,
        events: &'a [EventId],
    ) -> BoxFuture<'a, Result<Answered<Vec<Option<Event>>>, Error>> {
        Box::pin(async move {
            let mut api = Api::new(cx, "read events");
            let mut paths = Vec::with_capacity(events.len());
            for event in events {
                paths.push(api.path(ics::resource(event))?);
            }
            paths.sort();
            paths.dedup();
            let found = changes::at(&mut api, &calendar.0, &paths).await?;
            let all: Vec<Event> = found.into_values().flatten().flatten().collect();
            let value = events.iter().map(|event| all.iter().find(|found| found.id == *event).cloned()).collect();
            Ok(Answered { value, calls: api.calls, usage: None })
        })
    }

    fn every(&self) -> Duration {
        EVERY
    }

    fn calls_per_page(&self) -> u32 {
        changes::CALLS_MAX
    }
}

impl CalendarWrites for CalDav {
    fn write<'a>(
        &'a self,
        cx: &'a Cx<'a>,
        calendar: &'a CalendarId,
        write: &'a EventWrite<'a>,
    ) -> BoxFuture<'a, Result<Answered<WriteOutcome>, Error>> {
        Box::pin(async move {
            let op = match write {
                EventWrite::Create { .. } => "make event",
                EventWrite::Update { .. } => "change event",
                EventWrite::Delete { .. } => "delete event",
                EventWrite::Decline { .. } => "decline event",
            };
            let mut api = Api::new(cx, op);
            let value = Writing::new(&mut api, &calendar.0)?.write(write).await?;
            Ok(Answered { value, calls: api.calls, usage: None })
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
            let mut api = Api::new(cx, "read series");
            let value = Writing::new(&mut api, &calendar.0)?.occurrence(series, rid).await?;
            Ok(Answered { value, calls: api.calls, usage: None })
        })
    }

    fn tells<'a>(&'a self, cx: &'a Cx<'a>, calendar: &'a CalendarId) -> BoxFuture<'a, Result<Answered<bool>, Error>> {
        Box::pin(async move {
            let mut api = Api::new(cx, "ask what the server does");
            let value = Writing::new(&mut api, &calendar.0)?.tells().await?;
            Ok(Answered { value, calls: api.calls, usage: None })
        })
    }

    fn invitation(&self, message: Message<'_>, events: &[Event], now: Timestamp) -> Option<Invitation> {
        invite::invitation(message, events, now)
    }

    fn calls_per_write(&self) -> u32 {
        write::CALLS_MAX
    }
}
