//! One function per endpoint, and what becomes of its answer. The only place in this folder that calls anything.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, header};
use jiff::Timestamp;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use syncline_connect::{Cx, Error, ErrorKind, HttpError, Retry, Usage};

use super::{
    classify,
    wire::{AssociationTypes, Batch, Owner, Owners, Page, Pipelines, Properties, Refused, Tied, Ties},
};

const DAILY: &str = "x-hubspot-ratelimit-daily";
const DAILY_REMAINING: &str = "x-hubspot-ratelimit-daily-remaining";

/// An answer that came, whatever it says.
struct Reply {
    status: u16,
    headers: HeaderMap,
    body: Bytes,
}

/// An answer with what its headers tell.
pub struct Answer<T> {
    pub body: T,
    /// When it was given.
    pub at: Option<Timestamp>,
    pub usage: Option<Usage>,
}

/// The answer to a write.
pub enum Written<T> {
    Answer(Answer<T>),
    /// The call as a whole was refused, and nothing of it done.
    Refused {
        refused: Box<Refused>,
        error: Error,
    },
    /// Nobody knows whether it was applied.
    Unknown {
        reason: String,
    },
}

/// `POST /crm/v3/objects/{kind}/search`.
pub async fn search(cx: &Cx<'_>, op: &'static str, kind: &str, body: &Value) -> Result<Answer<Page>, Error> {
    whole(op, read(cx, op, Method::POST, &format!("/crm/v3/objects/{kind}/search"), Some(body)).await?)
}

/// `GET /crm/v3/objects/{kind}`: all records that are not archived, by id.
pub async fn list(cx: &Cx<'_>, op: &'static str, kind: &str, query: &str) -> Result<Answer<Page>, Error> {
    whole(op, read(cx, op, Method::GET, &format!("/crm/v3/objects/{kind}?{query}"), None::<&()>).await?)
}

/// A page that tells of itself that it failed shows nothing, and not that there is nothing.
fn whole(op: &'static str, page: Answer<Page>) -> Result<Answer<Page>, Error> {
    complete(op, &page.body.status)?;
    Ok(page)
}

/// `POST /crm/v3/objects/{kind}/batch/read`, of those that are archived or of the others.
pub async fn batch_read(
    cx: &Cx<'_>,
    op: &'static str,
    kind: &str,
    archived: bool,
    body: &Value,
) -> Result<Answer<Batch>, Error> {
    let query = if archived { "?archived=true" } else { "" };
    let answer: Answer<Batch> =
        read(cx, op, Method::POST, &format!("/crm/v3/objects/{kind}/batch/read{query}"), Some(body)).await?;
    complete(op, &answer.body.status)?;
    Ok(answer)
}

/// A read may end without having been done: what it does not show then is not absent.
fn complete(op: &'static str, status: &str) -> Result<(), Error> {
    if status.is_empty() || status == "COMPLETE" {
        return Ok(());
    }
    let text = format!("the rows were not read to their end ({status})");
    Err(Error::new(ErrorKind::Unavailable, Retry::Backoff, op, text))
}

/// `GET /crm/v3/properties/{kind}`; `None` where the account does not show the kind to us.
pub async fn properties(
    cx: &Cx<'_>,
    op: &'static str,
    kind: &str,
) -> Result<(Option<Properties>, Option<Usage>), Error> {
    match read(cx, op, Method::GET, &format!("/crm/v3/properties/{kind}"), None::<&()>).await {
        Ok(answer) => Ok((Some(answer.body), answer.usage)),
        Err(error) if matches!(error.kind, ErrorKind::Forbidden | ErrorKind::Gone) => Ok((None, None)),
        Err(error) => Err(error),
    }
}

/// `GET /crm/v3/pipelines/{kind}`; `None` where the account does not show them to us.
pub async fn pipelines(cx: &Cx<'_>, op: &'static str, kind: &str) -> Result<(Option<Pipelines>, Option<Usage>), Error> {
    match read(cx, op, Method::GET, &format!("/crm/v3/pipelines/{kind}"), None::<&()>).await {
        Ok(answer) => Ok((Some(answer.body), answer.usage)),
        Err(error) if matches!(error.kind, ErrorKind::Forbidden | ErrorKind::Gone) => Ok((None, None)),
        Err(error) => Err(error),
    }
}

/// `POST /crm/v3/objects/{kind}/batch/{verb}`, with rows. `Err` only where nothing was sent.
pub async fn batch_write(cx: &Cx<'_>, kind: &str, verb: &str, body: &Value) -> Result<Written<Batch>, Error> {
    let nothing = || Batch { status: "COMPLETE".to_owned(), results: Vec::new(), errors: Vec::new() };
    write(cx, &format!("/crm/v3/objects/{kind}/batch/{verb}"), body, nothing).await
}

/// `POST /crm/v4/associations/{from}/{to}/batch/associate/default`.
pub async fn associate(cx: &Cx<'_>, from: &str, to: &str, body: &Value) -> Result<Written<Ties>, Error> {
    let nothing = || Ties { results: Vec::new(), errors: Vec::new() };
    write(cx, &format!("/crm/v4/associations/{from}/{to}/batch/associate/default"), body, nothing).await
}

/// `POST /crm/v4/associations/{from}/{to}/batch/archive`, which says nothing of single rows.
pub async fn dissociate(cx: &Cx<'_>, from: &str, to: &str, body: &Value) -> Result<Written<()>, Error> {
    write(cx, &format!("/crm/v4/associations/{from}/{to}/batch/archive"), body, || ()).await
}

/// `POST /crm/v4/associations/{from}/{to}/batch/read`.
pub async fn associations(
    cx: &Cx<'_>,
    op: &'static str,
    from: &str,
    to: &str,
    body: &Value,
) -> Result<Answer<Tied>, Error> {
    let path = format!("/crm/v4/associations/{from}/{to}/batch/read");
    let answer: Answer<Tied> = read(cx, op, Method::POST, &path, Some(body)).await?;
    complete(op, &answer.body.status)?;
    Ok(answer)
}

/// `GET /crm/v4/associations/{from}/{to}/labels`: what records of the two objects can be to one another.
pub async fn association_types(
    cx: &Cx<'_>,
    op: &'static str,
    from: &str,
    to: &str,
) -> Result<Answer<AssociationTypes>, Error> {
    read(cx, op, Method::GET, &format!("/crm/v4/associations/{from}/{to}/labels"), None::<&()>).await
}

/// `GET /crm/v3/owners`: the account's people who are active.
pub async fn owners(cx: &Cx<'_>, op: &'static str, query: &str) -> Result<Answer<Owners>, Error> {
    read(cx, op, Method::GET, &format!("/crm/v3/owners?{query}"), None::<&()>).await
}

/// `GET /crm/v3/owners/{id}`; `None` where there is none.
pub async fn owner(cx: &Cx<'_>, op: &'static str, id: &str) -> Result<(Option<Owner>, Option<Usage>), Error> {
    match read(cx, op, Method::GET, &format!("/crm/v3/owners/{id}"), None::<&()>).await {
        Ok(answer) => Ok((Some(answer.body), answer.usage)),
        Err(error) if error.kind == ErrorKind::Gone => Ok((None, None)),
        Err(error) => Err(error),
    }
}

/// Sends a request that changes something. `nothing` is what an answer without a body says. `Err` only where nothing was
/// sent.
async fn write<T: DeserializeOwned>(
    cx: &Cx<'_>,
    path: &str,
    body: &Value,
    nothing: impl FnOnce() -> T,
) -> Result<Written<T>, Error> {
    const OP: &str = "write";
    let request = build(cx, OP, Method::POST, path, Some(body))?;
    let unknown = |reason: String| Ok(Written::Unknown { reason });
    let reply = match send(cx, request).await {
        Ok(reply) => reply,
        Err(HttpError::Unanswered { reason, .. }) => return unknown(reason),
        Err(error) => return Err(not_sent(OP, &error)),
    };
    match reply.status {
        204 => Ok(Written::Answer(answer(nothing(), &reply.headers))),
        200..=299 => match serde_json::from_slice(&reply.body) {
            Ok(body) => Ok(Written::Answer(answer(body, &reply.headers))),
            Err(_) => unknown("the answer is cut or not what HubSpot documents".into()),
        },
        // 503, 521 and 523 say that the request reached no server that works on it.
        300..=499 | 503 | 521 | 523 => {
            let (refused, error) = refusal(OP, &reply);
            Ok(Written::Refused { refused: Box::new(refused), error })
        }
        status => unknown(format!("status {status}")),
    }
}

/// Sends a request that changes nothing: whatever goes wrong, it can be repeated.
async fn read<T: DeserializeOwned>(
    cx: &Cx<'_>,
    op: &'static str,
    method: Method,
    path: &str,
    body: Option<&impl Serialize>,
) -> Result<Answer<T>, Error> {
    let reply = send(cx, build(cx, op, method, path, body)?).await.map_err(|error| match error {
        HttpError::Unanswered { .. } => Error::new(ErrorKind::Unavailable, Retry::Backoff, op, error.to_string()),
        error => not_sent(op, &error),
    })?;
    if !(200..=299).contains(&reply.status) {
        return Err(refusal(op, &reply).1);
    }
    let body = serde_json::from_slice(&reply.body).map_err(|_| {
        Error::new(ErrorKind::Protocol, Retry::Backoff, op, "the answer is cut or not what HubSpot documents")
    })?;
    Ok(answer(body, &reply.headers))
}

fn answer<T>(body: T, headers: &HeaderMap) -> Answer<T> {
    Answer { body, at: dated(headers), usage: usage(headers) }
}

fn build(
    cx: &Cx<'_>,
    op: &'static str,
    method: Method,
    path: &str,
    body: Option<&impl Serialize>,
) -> Result<Request<Bytes>, Error> {
    let wrong = |what: &str| Error::new(ErrorKind::Configuration, Retry::Never, op, what);
    let mut url = cx.base_url.clone();
    let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
    url.set_path(path);
    url.set_query(query);
    let mut bearer = HeaderValue::from_str(&format!("Bearer {}", cx.bearer.expose()))
        .map_err(|_| wrong("the access token has characters that no token has; reconnect the account"))?;
    bearer.set_sensitive(true);
    let mut request = Request::builder()
        .method(method)
        .uri(url.as_str())
        .header(header::AUTHORIZATION, bearer)
        .header(header::ACCEPT, "application/json");
    let bytes = match body {
        None => Bytes::new(),
        Some(body) => {
            request = request.header(header::CONTENT_TYPE, "application/json");
            Bytes::from(serde_json::to_vec(body).map_err(|_| wrong("the request cannot be written as JSON"))?)
        }
    };
    request.body(bytes).map_err(|_| wrong("the API address of the account cannot be called"))
}

async fn send(cx: &Cx<'_>, request: Request<Bytes>) -> Result<Reply, HttpError> {
    let (parts, body) = cx.http.send(request).await?.into_parts();
    Ok(Reply { status: parts.status.as_u16(), headers: parts.headers, body })
}

/// The error of a request that certainly was not taken up.
fn not_sent(op: &'static str, error: &HttpError) -> Error {
    match error {
        HttpError::Forbidden { .. } => Error::new(ErrorKind::Configuration, Retry::Never, op, error.to_string()),
        HttpError::Paced { wait, .. } => Error::new(ErrorKind::RateLimited, Retry::After(*wait), op, error.to_string()),
        _ => Error::new(ErrorKind::Unreachable, Retry::Backoff, op, error.to_string()),
    }
}

/// What an answer that refuses the whole call says. Some come as a page of HTML.
fn refusal(op: &'static str, reply: &Reply) -> (Refused, Error) {
    let refused: Refused = serde_json::from_slice(&reply.body).unwrap_or_default();
    let error = classify::of_call(op, reply.status, &refused, retry_after(&reply.headers));
    (refused, error)
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(classify::WAIT_MAX))
}

/// When an answer was given (RFC 9110 §6.6.1).
fn dated(headers: &HeaderMap) -> Option<Timestamp> {
    let text = headers.get(header::DATE)?.to_str().ok()?;
    jiff::fmt::rfc2822::parse(text).ok().map(|zoned| zoned.timestamp())
}

/// How much of the day is used; answers to OAuth apps do not tell.
fn usage(headers: &HeaderMap) -> Option<Usage> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<u64>().ok();
    let max = number(DAILY).filter(|max| *max > 0)?;
    Some(Usage { used: max.saturating_sub(number(DAILY_REMAINING)?), max })
}
