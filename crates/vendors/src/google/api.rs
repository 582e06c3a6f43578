//! One function per endpoint, and what becomes of its answer. The only place in this folder that calls anything but for
//! tokens.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, header};
use serde::de::DeserializeOwned;
use syncline_connect::{Cx, Error, ErrorKind, HttpError, Retry, calendar::CalendarId};
use syncline_core::calendar::event::EventId;
use url::Url;

use super::{
    classify,
    manifest::{CALENDARS_PER_PAGE, EVENTS_PER_PAGE},
    wire::{CalendarList, Events, Item, Refusal},
};

/// `GET users/me/calendarList`.
pub async fn calendars(cx: &Cx<'_>, page: Option<&str>) -> Result<CalendarList, Error> {
    const OP: &str = "list calendars";
    let mut url = address(cx, &["users", "me", "calendarList"], OP)?;
    url.query_pairs_mut()
        .append_pair("maxResults", &CALENDARS_PER_PAGE.to_string())
        .extend_pairs(page.map(|token| ("pageToken", token)));
    let found = read(cx, OP, &url, &[]).await?;
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
    const OP: &str = "read calendar";
    let mut url = address(cx, &["calendars", &calendar.0, "events"], OP)?;
    url.query_pairs_mut()
        .append_pair("maxResults", &EVENTS_PER_PAGE.to_string())
        .append_pair("singleEvents", "false")
        .append_pair("showDeleted", "true")
        .extend_pairs(sync.map(|token| ("syncToken", token)))
        .extend_pairs(page.map(|token| ("pageToken", token)));
    read(cx, OP, &url, &[410]).await
}

/// `GET calendars/{calendar}/events/{event}`, which shows what is cancelled, too; `None` where there is none.
pub async fn event(cx: &Cx<'_>, calendar: &CalendarId, event: &EventId) -> Result<Option<Item>, Error> {
    const OP: &str = "read event";
    let url = address(cx, &["calendars", &calendar.0, "events", &event.0], OP)?;
    read(cx, OP, &url, &[404, 410]).await
}

fn address(cx: &Cx<'_>, path: &[&str], op: &'static str) -> Result<Url, Error> {
    let mut url = cx.base_url.clone();
    url.set_path("");
    url.set_query(None);
    let wrong =
        || Error::new(ErrorKind::Configuration, Retry::Never, op, "the API address of the account cannot be called");
    url.path_segments_mut().map_err(|()| wrong())?.extend(["calendar", "v3"]).extend(path);
    Ok(url)
}

/// Reads; an answer of one of these statuses means that there is nothing, and is no failure.
async fn read<T: DeserializeOwned>(cx: &Cx<'_>, op: &'static str, url: &Url, gone: &[u16]) -> Result<Option<T>, Error> {
    let wrong = |what: &str| Error::new(ErrorKind::Configuration, Retry::Never, op, what);
    let mut bearer = HeaderValue::from_str(&format!("Bearer {}", cx.bearer.expose()))
        .map_err(|_| wrong("the access token has characters that no token has; reconnect the account"))?;
    bearer.set_sensitive(true);
    let request = Request::builder()
        .method(Method::GET)
        .uri(url.as_str())
        .header(header::AUTHORIZATION, bearer)
        .header(header::ACCEPT, "application/json")
        .body(Bytes::new())
        .map_err(|_| wrong("the API address of the account cannot be called"))?;
    let (parts, body) = match cx.http.send(request).await {
        Ok(response) => response.into_parts(),
        Err(error @ HttpError::Forbidden { .. }) => {
            return Err(Error::new(ErrorKind::Configuration, Retry::Never, op, error.to_string()));
        }
        Err(error) => return Err(Error::new(ErrorKind::Unreachable, Retry::Backoff, op, error.to_string())),
    };
    match parts.status.as_u16() {
        200..=299 => serde_json::from_slice(&body).map(Some).map_err(|_| {
            Error::new(ErrorKind::Protocol, Retry::Backoff, op, "the answer is cut or not what Google documents")
        }),
        status if gone.contains(&status) => Ok(None),
        status => {
            let refusal = serde_json::from_slice(&body).unwrap_or_default();
            Err(classify::of_call(op, status, &refusal, retry_after(&parts.headers)))
        }
    }
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(classify::WAIT_MAX))
}
