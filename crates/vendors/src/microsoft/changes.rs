//! The calendars of an account, and what changes in one: which page comes next. What a row means stands in `convert`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use syncline_connect::{
    Answered, Cx, Error, ErrorKind, Retry,
    calendar::{CalendarEntry, CalendarId, Changes, From, Page, Reading},
};
use syncline_core::calendar::event::{Event, EventId};

use super::{
    api::{self, PRIMARY},
    convert,
    look::{Look, Looked, Wanted, look},
    manifest::{CALENDAR_PAGES_MAX, SETTLED, WINDOW_AHEAD, WINDOW_BACK, WINDOW_LEFT_MIN},
    wire::{Hint, Item},
};

const OP: &str = "read calendar";

/// What a row has to tell to be taken for the whole event.
const MEMBERS: [&str; 18] = [
    "@odata.etag",
    "attendees",
    "body",
    "createdDateTime",
    "end",
    "hideAttendees",
    "isAllDay",
    "isCancelled",
    "isOrganizer",
    "location",
    "organizer",
    "originalStartTimeZone",
    "responseStatus",
    "sensitivity",
    "showAs",
    "start",
    "subject",
    "uid",
];

/// Where the reading stopped, and the window that it is about: it is part of every link.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cursor {
    link: String,
    from: Timestamp,
    to: Timestamp,
    /// Whether everything is being read, and not only what changed.
    whole: bool,
}

impl Cursor {
    /// When everything is read: what was not changed since then has but one form, on whatever page it comes.
    fn settled(&self) -> Option<Timestamp> {
        let began = self.whole.then(|| self.from.checked_add(WINDOW_BACK).ok()).flatten()?;
        began.checked_sub(SETTLED).ok()
    }
}

/// All calendars that the account shows.
pub async fn list(cx: &Cx<'_>) -> Result<Answered<Vec<CalendarEntry>>, Error> {
    let mut entries = Vec::new();
    let mut next: Option<String> = None;
    for calls in 1..=CALENDAR_PAGES_MAX {
        let list = api::calendars(cx, next.as_deref()).await?;
        entries.extend(list.value.into_iter().map(|calendar| {
            let primary = calendar.is_default_calendar == Some(true);
            let id = if primary { PRIMARY.to_owned() } else { calendar.id };
            CalendarEntry {
                name: calendar.name.unwrap_or_else(|| id.clone()),
                id: CalendarId(id),
                primary,
                writable: calendar.can_edit == Some(true),
                // Calendars have none here; every event has its own.
                zone: None,
            }
        }));
        next = list.next;
        if next.is_none() {
            let calls = u32::try_from(calls).unwrap_or(u32::MAX);
            return Ok(Answered { value: entries, calls, usage: None });
        }
    }
    Err(protocol("list calendars", "the account has more calendars than are read"))
}

/// One page.
pub async fn page(cx: &Cx<'_>, calendar: &CalendarId, from: From<'_>) -> Result<Answered<Changes>, Error> {
    let expired = |calls| Ok(Answered { value: Changes::Expired, calls, usage: None });
    let (place, delta) = match from {
        From::Beginning => {
            let (from, to) = window(cx.now)?;
            let place = Cursor { link: String::new(), from, to, whole: true };
            (place, api::delta(cx, calendar, from, to).await?)
        }
        From::Cursor(text) => {
            let place: Cursor = serde_json::from_str(text)
                .map_err(|_| protocol(OP, "the kept place in the calendar cannot be read"))?;
            if place.to.duration_since(cx.now) < WINDOW_LEFT_MIN {
                return expired(0);
            }
            let Some(delta) = api::delta_on(cx, &place.link).await? else { return expired(1) };
            (place, delta)
        }
    };
    let (link, reading, whole) = match (delta.next, delta.done) {
        // A page may be empty and not be the last.
        (Some(link), _) => (link, Reading::More, place.whole),
        (None, Some(link)) if place.whole => {
            (link, Reading::Whole { from: Some(place.from), to: Some(place.to) }, false)
        }
        (None, Some(link)) => (link, Reading::Changes, false),
        (None, None) => return Err(protocol(OP, "the last page does not say where to go on")),
    };
    let Looked { found, requests } = look(cx, calendar, wanted(delta.value, place.settled())?).await?;
    let next = Cursor { link, whole, ..place };
    let page = Page {
        events: found.into_iter().flat_map(|(id, look)| told(id, look)).collect(),
        cursor: serde_json::to_string(&next).map_err(|_| protocol(OP, "the place in the calendar cannot be kept"))?,
        reading,
        zone: None,
    };
    Ok(Answered { value: Changes::Page(page), calls: requests.saturating_add(1), usage: None })
}

/// Whatever a page names is looked at; of an occurrence, its series. A single event that was as it is told when a reading of
/// everything began needs no second look.
fn wanted(rows: Vec<Value>, settled: Option<Timestamp>) -> Result<Wanted, Error> {
    let mut wanted = Wanted::default();
    for row in rows {
        let whole = settled.and_then(|settled| whole(&row, settled));
        let hint: Hint = serde_json::from_value(row)
            .map_err(|_| protocol(OP, "the answer is cut or not what Microsoft documents"))?;
        match (hint.series_master_id, hint.kind.as_deref(), whole) {
            (Some(series), _, _) => drop(wanted.series.insert(series)),
            (None, Some("seriesMaster"), _) => drop(wanted.series.insert(hint.id)),
            (None, Some("singleInstance"), Some(item)) => wanted.told.push(item),
            (None, _, _) => drop(wanted.ids.insert(hint.id)),
        }
    }
    Ok(wanted)
}

/// The event, where a row tells all of it and it was not changed since.
fn whole(row: &Value, settled: Timestamp) -> Option<Item> {
    let changed: Timestamp = row["lastModifiedDateTime"].as_str()?.parse().ok()?;
    let is_whole = changed < settled && MEMBERS.iter().all(|name| row.get(name).is_some());
    is_whole.then(|| serde_json::from_value(row.clone()).ok()).flatten()
}

fn told(id: String, look: Look) -> Vec<Event> {
    match look {
        Look::Here(events) => events,
        Look::Occurrence => Vec::new(),
        Look::Gone => vec![convert::gone(EventId(id))],
    }
}

/// What is read around the present.
fn window(now: Timestamp) -> Result<(Timestamp, Timestamp), Error> {
    let second = Timestamp::from_second(now.as_second()).unwrap_or(now);
    let bounds = second.checked_sub(WINDOW_BACK).ok().zip(second.checked_add(WINDOW_AHEAD).ok());
    bounds.ok_or_else(|| protocol(OP, "the clock is at the end of time"))
}

/// Single events as they are now.
pub async fn fetch(
    cx: &Cx<'_>,
    calendar: &CalendarId,
    events: &[EventId],
) -> Result<Answered<Vec<Option<Event>>>, Error> {
    let mut wanted = Wanted::default();
    for id in events {
        match convert::series_of(id) {
            Some(series) => wanted.series.insert(series.to_owned()),
            None => wanted.ids.insert(id.0.clone()),
        };
    }
    let Looked { found, requests } = look(cx, calendar, wanted).await?;
    let of = |id: &EventId| match found.get(convert::series_of(id).unwrap_or(&id.0)) {
        // An occurrence is under its own name among what its series came with.
        Some(Look::Here(events)) => events.iter().find(|event| event.id == *id).cloned(),
        Some(Look::Occurrence | Look::Gone) | None => None,
    };
    Ok(Answered { value: events.iter().map(of).collect(), calls: requests, usage: None })
}

fn protocol(op: &'static str, message: &str) -> Error {
    Error::new(ErrorKind::Protocol, Retry::Backoff, op, message)
}
