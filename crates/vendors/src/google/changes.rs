//! The calendars of an account, and what changes in one: which page comes next. What a row means stands in `convert`.

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use syncline_connect::{
    Answered, Cx, Error, ErrorKind, Retry,
    calendar::{CalendarEntry, CalendarId, Changes, From, Page, Reading},
};
use syncline_core::calendar::{
    event::{Event, EventId},
    zone,
};

use super::{api, convert, manifest::CALENDAR_PAGES_MAX};

/// The calendar in which whoever is connected has his own meetings.
const WRITERS: [&str; 2] = ["owner", "writer"];

/// Where the reading stopped: behind all changes so far, or between two pages.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cursor {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sync: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    page: Option<String>,
}

/// All calendars that the account shows.
pub async fn list(cx: &Cx<'_>) -> Result<Answered<Vec<CalendarEntry>>, Error> {
    let mut entries = Vec::new();
    let mut page: Option<String> = None;
    for calls in 1..=CALENDAR_PAGES_MAX {
        let list = api::calendars(cx, page.as_deref()).await?;
        let shown = list.items.into_iter().filter(|calendar| !calendar.deleted);
        entries.extend(shown.map(|calendar| CalendarEntry {
            name: calendar.summary_override.or(calendar.summary).unwrap_or_else(|| calendar.id.clone()),
            id: CalendarId(calendar.id),
            primary: calendar.primary,
            writable: calendar.access_role.is_some_and(|role| WRITERS.contains(&role.as_str())),
            zone: calendar.time_zone,
        }));
        page = list.next_page_token;
        if page.is_none() {
            let calls = u32::try_from(calls).unwrap_or(u32::MAX);
            return Ok(Answered { value: entries, calls, usage: None });
        }
    }
    Err(protocol("list calendars", "the account has more calendars than are read"))
}

/// One page.
pub async fn page(cx: &Cx<'_>, calendar: &CalendarId, from: From<'_>) -> Result<Answered<Changes>, Error> {
    const OP: &str = "read calendar";
    let cursor = match from {
        From::Beginning => Cursor::default(),
        From::Cursor(text) => {
            serde_json::from_str(text).map_err(|_| protocol(OP, "the kept place in the calendar cannot be read"))?
        }
    };
    let answered = |value| Ok(Answered { value, calls: 1, usage: None });
    let Some(events) = api::events(cx, calendar, cursor.sync.as_deref(), cursor.page.as_deref()).await? else {
        return answered(Changes::Expired);
    };
    let home = home(events.time_zone.as_deref());
    let (next, reading) = match (events.next_page_token, events.next_sync_token) {
        // A page may be empty and not be the last.
        (Some(page), _) => (Cursor { page: Some(page), ..cursor }, Reading::More),
        (None, Some(sync)) => {
            let reading = if cursor.sync.is_some() { Reading::Changes } else { Reading::EVERYTHING };
            (Cursor { sync: Some(sync), page: None }, reading)
        }
        (None, None) => return Err(protocol(OP, "the last page has no token to go on with")),
    };
    answered(Changes::Page(Page {
        events: events.items.into_iter().map(|item| convert::event(item, &home)).collect(),
        cursor: serde_json::to_string(&next).map_err(|_| protocol(OP, "the place in the calendar cannot be kept"))?,
        reading,
        zone: events.time_zone,
    }))
}

/// Single events as they are now.
pub async fn fetch(
    cx: &Cx<'_>,
    calendar: &CalendarId,
    events: &[EventId],
) -> Result<Answered<Vec<Option<Event>>>, Error> {
    let mut found = Vec::with_capacity(events.len());
    for event in events {
        // The event itself names its zone; a whole day is the same in all.
        let item = api::event(cx, calendar, event).await?;
        found.push(item.map(|item| convert::event(item, &TimeZone::UTC)));
    }
    let calls = u32::try_from(found.len()).unwrap_or(u32::MAX);
    Ok(Answered { value: found, calls, usage: None })
}

/// The zone of the calendar; that of nobody where it is not known.
fn home(name: Option<&str>) -> TimeZone {
    name.and_then(|name| zone::zone(name).ok()).unwrap_or(TimeZone::UTC)
}

fn protocol(op: &'static str, message: &str) -> Error {
    Error::new(ErrorKind::Protocol, Retry::Backoff, op, message)
}
