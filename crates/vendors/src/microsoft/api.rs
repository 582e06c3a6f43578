//! One function per endpoint, and what becomes of its answer. The only place in this folder that calls anything but for
//! tokens.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, header};
use jiff::{Timestamp, civil::Date};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;
use serde_json::Value;
use syncline_connect::{Cx, Error, ErrorKind, Retry, calendar::CalendarId};
use syncline_core::calendar::event::Etag;
use url::Url;

use super::{
    classify,
    manifest::{BATCH_MAX, ROWS_PER_PAGE},
    wire::{Batch, Batched, CalendarList, Delta, Item, Items, Part, Refusal, Request, RequestHeaders, Subscription},
};
use crate::call::{Calling, Heard};

const READ: &str = "read calendar";
const VERSION: &str = "v1.0";

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
    let heard = match next {
        Some(link) => calling(cx, OP).follow(&own(cx, link, OP)?).await?,
        None => calling(cx, OP).get(&[VERSION, "me", "calendars"], &[]).await?,
    };
    read(OP, &heard)
}

/// `GET …/calendarView/delta` over a window. It takes no choice of fields.
pub async fn delta(cx: &Cx<'_>, calendar: &CalendarId, from: Timestamp, to: Timestamp) -> Result<Delta, Error> {
    let query = [("startDateTime", format!("{from:.0}")), ("endDateTime", format!("{to:.0}"))];
    let heard = calling(cx, READ).get(&within(calendar, &["calendarView", "delta"]), &query).await?;
    read(READ, &heard)
}

/// Where a delta goes on, as its last page said. `None`: it no longer does.
pub async fn delta_on(cx: &Cx<'_>, link: &str) -> Result<Option<Delta>, Error> {
    let heard = calling(cx, READ).follow(&own(cx, link, READ)?).await?;
    let is_expired = !heard.is_success() && classify::is_expired(heard.status, &refusal(&heard));
    if is_expired { Ok(None) } else { read(READ, &heard).map(Some) }
}

/// `GET` of further changed occurrences of a series, where its own answer said that they are.
pub async fn exceptions<T: DeserializeOwned>(cx: &Cx<'_>, link: &str) -> Result<Items<T>, Error> {
    const OP: &str = "read series";
    let heard = calling(cx, OP).follow(&own(cx, link, OP)?).await?;
    read(OP, &heard)
}

/// `GET events/{event}` with everything that is in it, and of a series with all that differs from it; `None` where there is
/// none.
pub async fn event(cx: &Cx<'_>, calendar: &CalendarId, id: &str, is_series: bool) -> Result<Option<Value>, Error> {
    const OP: &str = "read event";
    let query = is_series.then(|| ("$expand", "exceptionOccurrences".to_owned()));
    let heard = calling(cx, OP).get(&within(calendar, &["events", id]), query.as_slice()).await?;
    if classify::is_gone(heard.status, &refusal(&heard)) { Ok(None) } else { read(OP, &heard).map(Some) }
}

/// `GET events/{series}/instances`: the occurrences on a day and on those beside it, wherever its zone may be.
pub async fn instances(cx: &Cx<'_>, calendar: &CalendarId, series: &str, day: Date) -> Result<Items<Value>, Error> {
    const OP: &str = "read series";
    let (before, after) = (day.yesterday().unwrap_or(day), day.saturating_add(jiff::Span::new().days(2)));
    let query = [("startDateTime", format!("{before}T00:00:00Z")), ("endDateTime", format!("{after}T00:00:00Z"))];
    let heard = calling(cx, OP).get(&within(calendar, &["events", series, "instances"]), &query).await?;
    read(OP, &heard)
}

/// `GET events` that have this value of a property of our own.
pub async fn marked(cx: &Cx<'_>, calendar: &CalendarId, property: &str, value: &str) -> Result<Items, Error> {
    const OP: &str = "find event";
    let mut calling = calling(cx, OP);
    let mut url = calling.address(&within(calendar, &["events"]), &[])?;
    let filter = format!("singleValueExtendedProperties/Any(ep: ep/id eq '{property}' and ep/value eq '{value}')");
    url.set_query(Some(&format!("$filter={}", utf8_percent_encode(&filter, NON_ALPHANUMERIC))));
    let heard = calling.follow(&url).await?;
    read(OP, &heard)
}

/// What came of a write.
pub enum Answer {
    /// It was carried out; a deletion and a reply answer with nothing.
    Done(Option<Box<Item>>),
    Refused(Refused),
}

/// A write that was refused.
pub struct Refused {
    op: &'static str,
    status: u16,
    refusal: Refusal,
    wait: Option<Duration>,
}

impl Refused {
    /// Whether the event is not there.
    pub fn is_gone(&self) -> bool {
        classify::is_gone(self.status, &self.refusal)
    }

    /// Whether the event is another than was meant.
    pub fn is_changed(&self) -> bool {
        matches!(self.status, 409 | 412)
    }

    /// Whether something was made under this name before, and what, where that is told.
    pub fn name_taken(&self) -> Option<Option<&str>> {
        classify::is_name_taken(&self.refusal).then_some(self.refusal.error.existing.as_deref())
    }

    /// The error that it makes.
    pub fn error(&self) -> Error {
        classify::of_write(self.op, self.status, &self.refusal, self.wait)
    }
}

/// `POST events`
pub async fn insert(cx: &Cx<'_>, calendar: &CalendarId, body: &Value) -> Result<Answer, Error> {
    write(calling(cx, "make event"), Method::POST, &within(calendar, &["events"]), Some(body)).await
}

/// `PATCH events/{event}`
pub async fn patch(cx: &Cx<'_>, calendar: &CalendarId, id: &str, etag: &Etag, body: &Value) -> Result<Answer, Error> {
    let calling = calling(cx, "change event").with("if-match", etag.0.clone());
    write(calling, Method::PATCH, &within(calendar, &["events", id]), Some(body)).await
}

/// `DELETE events/{event}`
pub async fn delete(cx: &Cx<'_>, calendar: &CalendarId, id: &str, etag: Option<&Etag>) -> Result<Answer, Error> {
    let calling = calling(cx, "delete event");
    let calling = match etag {
        Some(etag) => calling.with("if-match", etag.0.clone()),
        None => calling,
    };
    write(calling, Method::DELETE, &within(calendar, &["events", id]), None).await
}

/// `POST events/{event}/decline`
pub async fn decline(cx: &Cx<'_>, calendar: &CalendarId, id: &str, tell: bool) -> Result<Answer, Error> {
    let body = serde_json::json!({ "sendResponse": tell });
    write(calling(cx, "decline event"), Method::POST, &within(calendar, &["events", id, "decline"]), Some(&body)).await
}

async fn write(mut calling: Calling<'_>, method: Method, path: &[&str], body: Option<&Value>) -> Result<Answer, Error> {
    let heard = calling.send(method, path, &[], body.map(|body| Bytes::from(body.to_string()))).await?;
    if !heard.is_success() {
        let wait = heard.seconds(header::RETRY_AFTER.as_str());
        return Ok(Answer::Refused(Refused { op: calling.op, status: heard.status, refusal: refusal(&heard), wait }));
    }
    // A page of somebody on the way, sent as a success, is no answer of Microsoft's.
    match heard.read::<Item>().filter(|item| !item.id.is_empty()) {
        Some(item) => Ok(Answer::Done(Some(Box::new(item)))),
        None if heard.body.is_empty() => Ok(Answer::Done(None)),
        None => {
            let says = "the answer is cut or not what Microsoft documents";
            Err(calling.error(ErrorKind::UnknownOutcome, Retry::Backoff, says))
        }
    }
}

/// What is asked within a batch, by its path from the version on.
pub fn path(cx: &Cx<'_>, calendar: &CalendarId, rest: &[&str], query: &str) -> Result<String, Error> {
    let path =
        if rest.is_empty() && calendar.0 == PRIMARY { vec![VERSION, "me", "calendar"] } else { within(calendar, rest) };
    let url = calling(cx, READ).address(&path, &[])?;
    let path = url.path().trim_start_matches('/').strip_prefix(VERSION).unwrap_or(url.path());
    Ok(if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") })
}

/// `POST $batch` with at most [`BATCH_MAX`] readings: what became of each. What may go better another time fails all, for
/// a missing answer is never "gone".
pub async fn batch(cx: &Cx<'_>, paths: &[String]) -> Result<Vec<Found>, Error> {
    const OP: &str = "read events";
    debug_assert!(paths.len() <= BATCH_MAX);
    let protocol = |what: &str| Error::new(ErrorKind::Protocol, Retry::Backoff, OP, what);
    let requests = paths.iter().enumerate().map(|(place, url)| Request {
        id: place.to_string(),
        method: "GET",
        url,
        headers: RequestHeaders { prefer: PREFER },
    });
    let body = serde_json::to_vec(&Batch { requests: requests.collect() });
    let body = body.map_err(|_| protocol("the batch cannot be written"))?;
    let heard = calling(cx, OP).query(&[VERSION, "$batch"], Bytes::from(body)).await?;
    let answer: Batched = read(OP, &heard)?;
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
    let wait = wait.and_then(|(_, value)| value.as_str()?.trim().parse().ok()).map(Duration::from_secs);
    let error = classify::of_call(op, part.status, &refusal, wait);
    // One event that the service cannot tell must not keep a whole calendar from being read.
    if error.kind == ErrorKind::Invalid { Ok(Found::Refused(error)) } else { Err(error) }
}

/// `POST subscriptions`
pub async fn subscribe(cx: &Cx<'_>, body: &Value) -> Result<Subscription, Error> {
    const OP: &str = "watch calendar";
    let heard = change(cx, OP, Method::POST, &[], Some(body)).await?;
    if heard.status == 400 && !heard.is_success() {
        let says = "Microsoft Graph refused to tell of changes; check that the public address is https and can be reached from the internet";
        let error = classify::of_call(OP, heard.status, &refusal(&heard), None);
        return Err(Error { message: says.to_owned(), ..error });
    }
    // Without its id nobody knows which one it is.
    let unclear = || {
        let says = "the answer is cut or not what Microsoft documents";
        Error::new(ErrorKind::UnknownOutcome, Retry::Backoff, OP, says)
    };
    if heard.is_success() {
        return heard.read::<Subscription>().filter(|made| !made.id.is_empty()).ok_or_else(unclear);
    }
    read(OP, &heard)
}

/// `PATCH subscriptions/{id}`. `None` where there is none.
pub async fn renew(cx: &Cx<'_>, id: &str, body: &Value) -> Result<Option<Subscription>, Error> {
    const OP: &str = "renew watch";
    let heard = change(cx, OP, Method::PATCH, &[id], Some(body)).await?;
    if matches!(heard.status, 404 | 410) { Ok(None) } else { read(OP, &heard).map(Some) }
}

/// `DELETE subscriptions/{id}`. One that there is no more has ended.
pub async fn unsubscribe(cx: &Cx<'_>, id: &str) -> Result<(), Error> {
    const OP: &str = "end watch";
    let heard = change(cx, OP, Method::DELETE, &[id], None).await?;
    if heard.is_success() || matches!(heard.status, 404 | 410) {
        return Ok(());
    }
    Err(classify::of_call(OP, heard.status, &refusal(&heard), heard.seconds(header::RETRY_AFTER.as_str())))
}

async fn change(
    cx: &Cx<'_>,
    op: &'static str,
    method: Method,
    rest: &[&str],
    body: Option<&Value>,
) -> Result<Heard, Error> {
    let path = [&[VERSION, "subscriptions"], rest].concat();
    calling(cx, op).send(method, &path, &[], body.map(|body| Bytes::from(body.to_string()))).await
}

fn calling<'a>(cx: &'a Cx<'a>, op: &'static str) -> Calling<'a> {
    Calling::bearer(cx, op).with("prefer", format!("{PREFER}, odata.maxpagesize={ROWS_PER_PAGE}"))
}

/// A path within a calendar.
fn within<'a>(calendar: &'a CalendarId, rest: &[&'a str]) -> Vec<&'a str> {
    let mut path = vec![VERSION, "me"];
    if calendar.0 != PRIMARY {
        path.extend(["calendars", calendar.0.as_str()]);
    }
    path.extend(rest);
    path
}

/// An address that an answer gave. The access token goes to the account's own host and nowhere else.
fn own(cx: &Cx<'_>, link: &str, op: &'static str) -> Result<Url, Error> {
    let foreign =
        || Error::new(ErrorKind::Protocol, Retry::Never, op, "an answer goes on at a host that is not Microsoft's");
    Url::parse(link).ok().filter(|url| url.origin() == cx.base_url.origin()).ok_or_else(foreign)
}

fn read<T: DeserializeOwned>(op: &'static str, heard: &Heard) -> Result<T, Error> {
    if !heard.is_success() {
        let wait = heard.seconds(header::RETRY_AFTER.as_str());
        return Err(classify::of_call(op, heard.status, &refusal(heard), wait));
    }
    let cut =
        || Error::new(ErrorKind::Protocol, Retry::Backoff, op, "the answer is cut or not what Microsoft documents");
    heard.read().ok_or_else(cut)
}

fn refusal(heard: &Heard) -> Refusal {
    heard.read().unwrap_or_default()
}
