//! One function per endpoint, and what becomes of its answer. The only place in this folder that calls anything but for
//! tokens.

use http::header;
use serde::de::DeserializeOwned;
use syncline_connect::{Cx, Error, ErrorKind, Retry, calendar::CalendarId};
use syncline_core::calendar::event::EventId;

use super::{
    classify,
    manifest::{CALENDARS_PER_PAGE, EVENTS_PER_PAGE},
    wire::{CalendarList, Events, Item, Refusal},
};
use crate::call::Calling;

/// `GET users/me/calendarList`.
pub async fn calendars(cx: &Cx<'_>, page: Option<&str>) -> Result<CalendarList, Error> {
    const OP: &str = "list calendars";
    let mut query = vec![("maxResults", CALENDARS_PER_PAGE.to_string())];
    query.extend(page.map(|token| ("pageToken", token.to_owned())));
    let found = read(cx, OP, &["users", "me", "calendarList"], &query, &[]).await?;
    found.ok_or_else(|| classify::of_call(OP, 404, &Refusal::default(), None))
}

/// `GET calendars/{calendar}/events`: the same parameters on every call, as a sync token wants it; series as a whole, and
/// what is deleted, too. `None`: the sync token is no longer good (status 410).
pub async fn events(
    cx: &Cx<'_>,
    calendar: &CalendarId,
    sync: Option<&str>,
    page: Option<&str>,
) -> Result<Option<Events>, Error> {
    let mut query = vec![
        ("maxResults", EVENTS_PER_PAGE.to_string()),
        ("singleEvents", "false".to_owned()),
        ("showDeleted", "true".to_owned()),
    ];
    query.extend(sync.map(|token| ("syncToken", token.to_owned())));
    query.extend(page.map(|token| ("pageToken", token.to_owned())));
    read(cx, "read calendar", &["calendars", &calendar.0, "events"], &query, &[410]).await
}

/// `GET calendars/{calendar}/events/{event}`, which shows what is cancelled, too; `None` where there is none.
pub async fn event(cx: &Cx<'_>, calendar: &CalendarId, event: &EventId) -> Result<Option<Item>, Error> {
    read(cx, "read event", &["calendars", &calendar.0, "events", &event.0], &[], &[404, 410]).await
}

/// Where all of them are.
const API: [&str; 2] = ["calendar", "v3"];

/// Reads; an answer of one of these statuses means that there is nothing, and is no failure.
async fn read<T: DeserializeOwned>(
    cx: &Cx<'_>,
    op: &'static str,
    path: &[&str],
    query: &[(&str, String)],
    gone: &[u16],
) -> Result<Option<T>, Error> {
    let mut calling = Calling::bearer(cx, op);
    let heard = calling.get(&[&API, path].concat(), query).await?;
    if heard.is_success() {
        let cut =
            || calling.error(ErrorKind::Protocol, Retry::Backoff, "the answer is cut or not what Google documents");
        return heard.read().map(Some).ok_or_else(cut);
    }
    if gone.contains(&heard.status) {
        return Ok(None);
    }
    let wait = heard.seconds(header::RETRY_AFTER.as_str());
    Err(classify::of_call(op, heard.status, &heard.read().unwrap_or_default(), wait))
}
