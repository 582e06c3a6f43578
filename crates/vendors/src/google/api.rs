//! One function per endpoint, and what becomes of its answer. The only place in this folder that calls anything but for
//! tokens.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, header};
use serde::de::DeserializeOwned;
use serde_json::Value;
use syncline_connect::{Cx, Error, ErrorKind, HttpError, Retry, calendar::CalendarId};
use syncline_core::calendar::event::{Etag, EventId};
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

/// `GET calendars/{calendar}/events/{event}`, which shows what is cancelled, too; `None` where there is none. Read as an
/// [`Item`], or with everything that is in it.
pub async fn event<T: DeserializeOwned>(
    cx: &Cx<'_>,
    calendar: &CalendarId,
    event: &EventId,
) -> Result<Option<T>, Error> {
    const OP: &str = "read event";
    let url = address(cx, &["calendars", &calendar.0, "events", &event.0], OP)?;
    read(cx, OP, &url, &[404, 410]).await
}

/// What came of a write.
pub enum Answer {
    /// It was carried out; a deletion answers with nothing.
    Done(Option<Box<Item>>),
    Refused(Refused),
}

/// A write that was refused.
pub struct Refused {
    op: &'static str,
    pub status: u16,
    refusal: Refusal,
    wait: Option<Duration>,
}

impl Refused {
    /// Whether this is the reason.
    pub fn is_for(&self, reason: &str) -> bool {
        self.refusal.error.errors.iter().any(|detail| detail.reason.as_deref() == Some(reason))
    }

    /// The error that it makes.
    pub fn error(&self) -> Error {
        classify::of_write(self.op, self.status, &self.refusal, self.wait)
    }
}

/// `POST calendars/{calendar}/events`
pub async fn insert(cx: &Cx<'_>, calendar: &CalendarId, body: &Value, tell: bool) -> Result<Answer, Error> {
    const OP: &str = "make event";
    let url = address(cx, &["calendars", &calendar.0, "events"], OP)?;
    write(cx, OP, Method::POST, url, None, Some(body), tell).await
}

/// `PATCH calendars/{calendar}/events/{event}`
pub async fn patch(
    cx: &Cx<'_>,
    calendar: &CalendarId,
    event: &EventId,
    etag: &Etag,
    body: &Value,
    tell: bool,
) -> Result<Answer, Error> {
    const OP: &str = "change event";
    let url = address(cx, &["calendars", &calendar.0, "events", &event.0], OP)?;
    write(cx, OP, Method::PATCH, url, Some(etag), Some(body), tell).await
}

/// `DELETE calendars/{calendar}/events/{event}`
pub async fn delete(
    cx: &Cx<'_>,
    calendar: &CalendarId,
    event: &EventId,
    etag: Option<&Etag>,
    tell: bool,
) -> Result<Answer, Error> {
    const OP: &str = "delete event";
    let url = address(cx, &["calendars", &calendar.0, "events", &event.0], OP)?;
    write(cx, OP, Method::DELETE, url, etag, None, tell).await
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
    let request = request(cx, op, Method::GET, url, None, None)?;
    let (parts, body) = match cx.http.send(request).await {
        Ok(response) => response.into_parts(),
        Err(error @ HttpError::Forbidden { .. }) => return Err(forbidden(op, &error)),
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

/// Writes. What a conference is made of is dropped where a write does not say that it knows conferences.
async fn write(
    cx: &Cx<'_>,
    op: &'static str,
    method: Method,
    mut url: Url,
    etag: Option<&Etag>,
    body: Option<&Value>,
    tell: bool,
) -> Result<Answer, Error> {
    url.query_pairs_mut().append_pair("sendUpdates", if tell { "all" } else { "none" });
    if body.is_some() {
        url.query_pairs_mut().append_pair("conferenceDataVersion", "1");
    }
    let deletes = method == Method::DELETE;
    let request = request(cx, op, method, &url, etag, body)?;
    let unknown = |message: String| Error::new(ErrorKind::UnknownOutcome, Retry::Backoff, op, message);
    let (parts, body) = match cx.http.send(request).await {
        Ok(response) => response.into_parts(),
        Err(error @ HttpError::Forbidden { .. }) => return Err(forbidden(op, &error)),
        Err(error @ HttpError::NotSent { .. }) => {
            return Err(Error::new(ErrorKind::Unreachable, Retry::Backoff, op, error.to_string()));
        }
        Err(error @ HttpError::Unanswered { .. }) => return Err(unknown(error.to_string())),
    };
    let status = parts.status.as_u16();
    if (200..300).contains(&status) {
        // A page of somebody on the way, sent as a success, is no answer of Google's.
        return match serde_json::from_slice::<Item>(&body) {
            Ok(item) if !item.id.is_empty() => Ok(Answer::Done(Some(Box::new(item)))),
            _ if deletes && body.is_empty() => Ok(Answer::Done(None)),
            _ => Err(unknown("the answer is cut or not what Google documents".to_owned())),
        };
    }
    let refusal = serde_json::from_slice(&body).unwrap_or_default();
    Ok(Answer::Refused(Refused { op, status, refusal, wait: retry_after(&parts.headers) }))
}

fn request(
    cx: &Cx<'_>,
    op: &'static str,
    method: Method,
    url: &Url,
    etag: Option<&Etag>,
    body: Option<&Value>,
) -> Result<Request<Bytes>, Error> {
    let wrong = |what: &str| Error::new(ErrorKind::Configuration, Retry::Never, op, what);
    let mut bearer = HeaderValue::from_str(&format!("Bearer {}", cx.bearer.expose()))
        .map_err(|_| wrong("the access token has characters that no token has; reconnect the account"))?;
    bearer.set_sensitive(true);
    let mut request = Request::builder()
        .method(method)
        .uri(url.as_str())
        .header(header::AUTHORIZATION, bearer)
        .header(header::ACCEPT, "application/json");
    if let Some(etag) = etag {
        request = request.header(header::IF_MATCH, etag.0.as_str());
    }
    if body.is_some() {
        request = request.header(header::CONTENT_TYPE, "application/json");
    }
    let body = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
    request.body(body).map_err(|_| wrong("the API address of the account cannot be called"))
}

fn forbidden(op: &'static str, error: &HttpError) -> Error {
    Error::new(ErrorKind::Configuration, Retry::Never, op, error.to_string())
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(classify::WAIT_MAX))
}
