//! One function per endpoint, and what becomes of its answer. The only place in this folder that calls anything but for
//! tokens.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, header, request::Builder};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::Value;
use syncline_connect::{Cx, Error, ErrorKind, HttpError, Retry, calendar::CalendarId};
use url::Url;

use super::{
    classify,
    manifest::{BATCH_MAX, ROWS_PER_PAGE},
    wire::{Batch, Batched, CalendarList, Delta, Items, Part, Refusal, RequestHeaders},
};

/// The calendar that every account has, by a name of ours: it has paths of its own, and only for these are deltas
/// documented.
pub const PRIMARY: &str = "primary";

/// Ids that stay when an event is moved, and times in UTC. Each request of a batch says it for itself.
const PREFER: &str = "IdType=\"ImmutableId\", outlook.timezone=\"UTC\"";

/// What became of one reading in a batch.
#[derive(Debug)]
pub enum Found {
    Here(Value),
    /// There is nothing of that name any more.
    Gone,
    /// It is there, and the service does not tell it, however often it is asked.
    Refused(Error),
}

/// `GET me/calendars`, or where that goes on.
pub async fn calendars(cx: &Cx<'_>, next: Option<&str>) -> Result<CalendarList, Error> {
    const OP: &str = "list calendars";
    let url = match next {
        Some(link) => own(cx, link, OP)?,
        None => address(cx, &["me", "calendars"], OP)?,
    };
    read(cx, OP, &url).await
}

/// `GET …/calendarView/delta` over a window. It takes no choice of fields.
pub async fn delta(cx: &Cx<'_>, calendar: &CalendarId, from: Timestamp, to: Timestamp) -> Result<Delta, Error> {
    let mut url = within(cx, calendar, &["calendarView", "delta"], READ)?;
    url.set_query(Some(&format!("startDateTime={from:.0}&endDateTime={to:.0}")));
    read(cx, READ, &url).await
}

/// Where a delta goes on, as its last page said. `None`: it no longer does.
pub async fn delta_on(cx: &Cx<'_>, link: &str) -> Result<Option<Delta>, Error> {
    match get(cx, READ, &own(cx, link, READ)?).await? {
        Answer::Read(delta) => Ok(Some(delta)),
        Answer::Refused(status, refusal, _) if classify::is_expired(status, &refusal) => Ok(None),
        Answer::Refused(status, refusal, wait) => Err(classify::of_call(READ, status, &refusal, wait)),
    }
}

/// `GET` of further changed occurrences of a series, where its own answer said that they are.
pub async fn exceptions(cx: &Cx<'_>, link: &str) -> Result<Items, Error> {
    const OP: &str = "read series";
    read(cx, OP, &own(cx, link, OP)?).await
}

/// What is asked within a batch, by its path from the version on.
pub fn path(cx: &Cx<'_>, calendar: &CalendarId, rest: &[&str], query: &str) -> Result<String, Error> {
    let url = if rest.is_empty() && calendar.0 == PRIMARY {
        address(cx, &["me", "calendar"], READ)?
    } else {
        within(cx, calendar, rest, READ)?
    };
    let path = url.path().strip_prefix(VERSION).unwrap_or(url.path());
    Ok(if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") })
}

/// `POST $batch` with at most [`BATCH_MAX`] readings: what became of each. What may go better another time fails all, for
/// a missing answer is never "gone".
pub async fn batch(cx: &Cx<'_>, paths: &[String]) -> Result<Vec<Found>, Error> {
    const OP: &str = "read events";
    debug_assert!(paths.len() <= BATCH_MAX);
    let protocol = |what: &str| Error::new(ErrorKind::Protocol, Retry::Backoff, OP, what);
    let requests = paths.iter().enumerate().map(|(place, url)| super::wire::Request {
        id: place.to_string(),
        method: "GET",
        url,
        headers: RequestHeaders { prefer: PREFER },
    });
    let body = serde_json::to_vec(&Batch { requests: requests.collect() });
    let body = body.map_err(|_| protocol("the batch cannot be written"))?;
    let url = address(cx, &["$batch"], OP)?;
    let request = request(cx, OP, &url)?.method(Method::POST).header(header::CONTENT_TYPE, "application/json");
    let answer: Batched = match send(cx, OP, request, Bytes::from(body)).await? {
        Answer::Read(answer) => answer,
        Answer::Refused(status, refusal, wait) => return Err(classify::of_call(OP, status, &refusal, wait)),
    };
    let mut found: Vec<Option<Found>> = paths.iter().map(|_| None).collect();
    for part in answer.responses {
        let place = part.id.parse::<usize>().ok().and_then(|place| found.get_mut(place));
        *place.ok_or_else(|| protocol("the batch answers what was not asked"))? = Some(one(OP, part)?);
    }
    found.into_iter().collect::<Option<Vec<_>>>().ok_or_else(|| protocol("the batch answers less than was asked"))
}

fn one(op: &'static str, part: Part) -> Result<Found, Error> {
    if (200..300).contains(&part.status) {
        let body = part.body.filter(Value::is_object);
        let missing = || Error::new(ErrorKind::Protocol, Retry::Backoff, op, "the batch has an answer without a body");
        return body.map(Found::Here).ok_or_else(missing);
    }
    let refusal = part.body.and_then(|body| serde_json::from_value(body).ok()).unwrap_or_default();
    if classify::is_gone(part.status, &refusal) {
        return Ok(Found::Gone);
    }
    let headers = part.headers.unwrap_or_default();
    let wait = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(header::RETRY_AFTER.as_str()));
    let wait = wait.and_then(|(_, value)| value.as_str().and_then(seconds));
    let error = classify::of_call(op, part.status, &refusal, wait);
    // One event that the service cannot tell must not keep a whole calendar from being read.
    if error.kind == ErrorKind::Invalid { Ok(Found::Refused(error)) } else { Err(error) }
}

const READ: &str = "read calendar";
const VERSION: &str = "/v1.0";

fn address(cx: &Cx<'_>, path: &[&str], op: &'static str) -> Result<Url, Error> {
    let mut url = cx.base_url.clone();
    url.set_path("");
    url.set_query(None);
    let wrong =
        || Error::new(ErrorKind::Configuration, Retry::Never, op, "the API address of the account cannot be called");
    let version = VERSION.trim_start_matches('/');
    url.path_segments_mut().map_err(|()| wrong())?.pop_if_empty().push(version).extend(path);
    Ok(url)
}

/// An address within a calendar.
fn within(cx: &Cx<'_>, calendar: &CalendarId, rest: &[&str], op: &'static str) -> Result<Url, Error> {
    let mut path = if calendar.0 == PRIMARY { vec!["me"] } else { vec!["me", "calendars", &calendar.0] };
    path.extend(rest);
    address(cx, &path, op)
}

/// An address that an answer gave. The access token goes to the account's own host and nowhere else.
fn own(cx: &Cx<'_>, link: &str, op: &'static str) -> Result<Url, Error> {
    let foreign =
        || Error::new(ErrorKind::Protocol, Retry::Never, op, "an answer goes on at a host that is not Microsoft's");
    Url::parse(link).ok().filter(|url| url.origin() == cx.base_url.origin()).ok_or_else(foreign)
}

async fn read<T: DeserializeOwned>(cx: &Cx<'_>, op: &'static str, url: &Url) -> Result<T, Error> {
    match get(cx, op, url).await? {
        Answer::Read(answer) => Ok(answer),
        Answer::Refused(status, refusal, wait) => Err(classify::of_call(op, status, &refusal, wait)),
    }
}

/// What came of a call that was answered.
enum Answer<T> {
    Read(T),
    Refused(u16, Refusal, Option<Duration>),
}

async fn get<T: DeserializeOwned>(cx: &Cx<'_>, op: &'static str, url: &Url) -> Result<Answer<T>, Error> {
    send(cx, op, request(cx, op, url)?.method(Method::GET), Bytes::new()).await
}

fn request(cx: &Cx<'_>, op: &'static str, url: &Url) -> Result<Builder, Error> {
    let wrong = |what: &str| Error::new(ErrorKind::Configuration, Retry::Never, op, what);
    let mut bearer = HeaderValue::from_str(&format!("Bearer {}", cx.bearer.expose()))
        .map_err(|_| wrong("the access token has characters that no token has; reconnect the account"))?;
    bearer.set_sensitive(true);
    Ok(Request::builder()
        .uri(url.as_str())
        .header(header::AUTHORIZATION, bearer)
        .header(header::ACCEPT, "application/json")
        .header("prefer", format!("{PREFER}, odata.maxpagesize={ROWS_PER_PAGE}")))
}

async fn send<T: DeserializeOwned>(
    cx: &Cx<'_>,
    op: &'static str,
    request: Builder,
    body: Bytes,
) -> Result<Answer<T>, Error> {
    let wrong =
        || Error::new(ErrorKind::Configuration, Retry::Never, op, "the API address of the account cannot be called");
    let (parts, body) = match cx.http.send(request.body(body).map_err(|_| wrong())?).await {
        Ok(response) => response.into_parts(),
        Err(error @ HttpError::Forbidden { .. }) => {
            return Err(Error::new(ErrorKind::Configuration, Retry::Never, op, error.to_string()));
        }
        Err(error) => return Err(Error::new(ErrorKind::Unreachable, Retry::Backoff, op, error.to_string())),
    };
    match parts.status.as_u16() {
        200..=299 => serde_json::from_slice(&body).map(Answer::Read).map_err(|_| {
            Error::new(ErrorKind::Protocol, Retry::Backoff, op, "the answer is cut or not what Microsoft documents")
        }),
        status => {
            let refusal = serde_json::from_slice(&body).unwrap_or_default();
            Ok(Answer::Refused(status, refusal, retry_after(&parts.headers)))
        }
    }
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    seconds(headers.get(header::RETRY_AFTER)?.to_str().ok()?)
}

fn seconds(text: &str) -> Option<Duration> {
    Some(Duration::from_secs(text.trim().parse().ok()?).min(classify::WAIT_MAX))
}
