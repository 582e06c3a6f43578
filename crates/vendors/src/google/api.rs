//! One function per endpoint, and what becomes of its answer. The only place in this folder that calls anything but for
//! tokens.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, header};
use serde::de::DeserializeOwned;
use serde_json::Value;
use syncline_connect::{Cx, Error, ErrorKind, Retry, calendar::CalendarId};
use syncline_core::calendar::{
    event::{Etag, EventId},
    identity::Rid,
};

use super::{
    classify,
    manifest::{CALENDARS_PER_PAGE, EVENTS_PER_PAGE},
    wire::{CalendarList, Channel, Events, Item, Refusal},
};
use crate::call::{Calling, Heard};

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

/// `GET calendars/{calendar}/events/{event}`, which shows what is cancelled, too; `None` where there is none. Read as an
/// [`Item`], or with everything that is in it.
pub async fn event<T: DeserializeOwned>(
    cx: &Cx<'_>,
    calendar: &CalendarId,
    event: &EventId,
) -> Result<Option<T>, Error> {
    read(cx, "read event", &["calendars", &calendar.0, "events", &event.0], &[], &[404, 410]).await
}

/// `GET calendars/{calendar}/events/{series}/instances` of the time that an occurrence has by its rule; `None` where there is no
/// such series. In which form a day is to be asked for is documented nowhere, so all are asked for that lie about it.
pub async fn instances(
    cx: &Cx<'_>,
    calendar: &CalendarId,
    series: &EventId,
    rid: Rid,
) -> Result<Option<Events>, Error> {
    let query = match rid {
        Rid::Single => Vec::new(),
        Rid::At(at) => vec![("originalStart", format!("{at:.0}"))],
        Rid::On(day) => {
            let (before, after) = (day.yesterday().unwrap_or(day), day.saturating_add(jiff::Span::new().days(2)));
            vec![("timeMin", format!("{before}T00:00:00Z")), ("timeMax", format!("{after}T00:00:00Z"))]
        }
    };
    let path = ["calendars", &calendar.0, "events", &series.0, "instances"];
    read(cx, "read series", &path, &query, &[404, 410]).await
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
    let calling = Calling::bearer(cx, "make event");
    write(calling, Method::POST, &["calendars", &calendar.0, "events"], Some(body), tell).await
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
    let calling = Calling::bearer(cx, "change event").with("if-match", etag.0.clone());
    write(calling, Method::PATCH, &["calendars", &calendar.0, "events", &event.0], Some(body), tell).await
}

/// `DELETE calendars/{calendar}/events/{event}`
pub async fn delete(
    cx: &Cx<'_>,
    calendar: &CalendarId,
    event: &EventId,
    etag: Option<&Etag>,
    tell: bool,
) -> Result<Answer, Error> {
    let calling = Calling::bearer(cx, "delete event");
    let calling = match etag {
        Some(etag) => calling.with("if-match", etag.0.clone()),
        None => calling,
    };
    write(calling, Method::DELETE, &["calendars", &calendar.0, "events", &event.0], None, tell).await
}

/// `POST calendars/{calendar}/events/watch`
pub async fn watch(cx: &Cx<'_>, calendar: &CalendarId, body: &Value) -> Result<Channel, Error> {
    const OP: &str = "watch calendar";
    let path = [&API[..], &["calendars", &calendar.0, "events", "watch"]].concat();
    let mut calling = Calling::bearer(cx, OP);
    let heard = calling.send(Method::POST, &path, &[], Some(Bytes::from(body.to_string()))).await?;
    if !heard.is_success() {
        let (refusal, wait) = refused(&heard);
        return Err(classify::of_watch(OP, heard.status, &refusal, wait));
    }
    let unclear = || {
        let says = "the answer is cut or not what Google documents";
        calling.error(ErrorKind::UnknownOutcome, Retry::Backoff, says)
    };
    heard.read::<Channel>().filter(|channel| !channel.id.is_empty()).ok_or_else(unclear)
}

/// `POST channels/stop`. One that there is no more has stopped.
pub async fn stop(cx: &Cx<'_>, body: &Value) -> Result<(), Error> {
    const OP: &str = "end watch";
    let path = [&API[..], &["channels", "stop"]].concat();
    let heard = Calling::bearer(cx, OP).send(Method::POST, &path, &[], Some(Bytes::from(body.to_string()))).await?;
    if heard.is_success() || heard.status == 404 {
        return Ok(());
    }
    let (refusal, wait) = refused(&heard);
    Err(classify::of_write(OP, heard.status, &refusal, wait))
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
    let (refusal, wait) = refused(&heard);
    Err(classify::of_call(op, heard.status, &refusal, wait))
}

/// Writes. What a conference is made of is dropped where a write does not say that it knows conferences.
async fn write(
    mut calling: Calling<'_>,
    method: Method,
    path: &[&str],
    body: Option<&Value>,
    tell: bool,
) -> Result<Answer, Error> {
    let mut query = vec![("sendUpdates", if tell { "all" } else { "none" }.to_owned())];
    query.extend(body.map(|_| ("conferenceDataVersion", "1".to_owned())));
    let body = body.map(|body| Bytes::from(body.to_string()));
    let heard = calling.send(method, &[&API, path].concat(), &query, body).await?;
    if !heard.is_success() {
        let (refusal, wait) = refused(&heard);
        return Ok(Answer::Refused(Refused { op: calling.op, status: heard.status, refusal, wait }));
    }
    // A page of somebody on the way, sent as a success, is no answer of Google's.
    match heard.read::<Item>().filter(|item| !item.id.is_empty()) {
        Some(item) => Ok(Answer::Done(Some(Box::new(item)))),
        None if heard.body.is_empty() => Ok(Answer::Done(None)),
        None => {
            let says = "the answer is cut or not what Google documents";
            Err(calling.error(ErrorKind::UnknownOutcome, Retry::Backoff, says))
        }
    }
}

fn refused(heard: &Heard) -> (Refusal, Option<Duration>) {
    (heard.read().unwrap_or_default(), heard.seconds(header::RETRY_AFTER.as_str()))
}
