//! One function per endpoint, and what becomes of its answer. The only place in this folder that calls anything; bulk
//! jobs stand in `jobs`.

pub mod jobs;

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, header};
use jiff::Timestamp;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use syncline_connect::{Cx, Error, ErrorKind, HttpError, Retry, Usage};

use super::{
    classify::{self, class_of_status, error_from_rows},
    manifest::CLIENT,
    settings::{Assignment, Org},
    soql::percent_encoded,
    wire::{
        CompositeAnswer, CompositeRequest, Describe, GraphsAnswer, GraphsRequest, Limits, QueryPage, SubRequest,
        error_rows,
    },
};

/// Default would be TRUE, by which even an inactive rule gives a Case another owner than the one we name. It goes with
/// the call: a graph's sub-requests have no headers of their own (older editions of the page gave them some, newer ones
/// do not: <https://developer.salesforce.com/docs/platform/api-rest/guide/resources-composite-graph-composite-subrequest.html>),
/// and the header is documented to hold for whatever the call leads to.
/// <https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/headers_autoassign.htm>, read 2026-11.
const AUTO_ASSIGN: HeaderName = HeaderName::from_static("sforce-auto-assign");

/// What it leaves out holds as documented: ids of the records that a rule found come in any case, so their details are
/// not asked for; and rules look with the system's eyes, so that a record is found, and named, which our user may not see.
/// <https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api/headers_duplicaterules.htm>, read 2026-11.
const DUPLICATE_RULE: HeaderName = HeaderName::from_static("sforce-duplicate-rule-header");

const ALLOW_SAVE: &str = "allowSave=true";

/// Names us in the change events that a call leads to.
/// <https://developer.salesforce.com/docs/atlas.en-us.change_data_capture.meta/change_data_capture/cdc_event_fields_header.htm>,
/// read 2026-11.
const CALL_OPTIONS: HeaderName = HeaderName::from_static("sforce-call-options");

const LIMIT_INFO: HeaderName = HeaderName::from_static("sforce-limit-info");

/// Longest that we let an edge in front of Salesforce make us wait; Salesforce itself sends no `Retry-After`.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);

/// An answer that came, whatever it says.
struct Reply {
    status: u16,
    headers: HeaderMap,
    body: Bytes,
}

/// The answer to a read, and when it was given by Salesforce's clock.
pub struct Dated<T> {
    pub answer: T,
    pub at: Option<Timestamp>,
    pub usage: Option<Usage>,
}

/// The answer to a write.
pub enum Written<T> {
    Answer {
        answer: T,
        usage: Option<Usage>,
    },
    /// Nobody knows whether it was applied.
    Unknown {
        reason: String,
        usage: Option<Usage>,
    },
}

/// `POST /composite` with reads only.
pub async fn composite(
    cx: &Cx<'_>,
    org: &Org,
    requests: Vec<SubRequest>,
) -> Result<(CompositeAnswer, Option<Usage>), Error> {
    read(cx, "find", build(cx, "find", Method::POST, &path_of_composite(org), Some(&of_all(requests)))?).await
}

/// `POST /composite` with reads only, and when it was answered.
pub async fn composite_dated(
    cx: &Cx<'_>,
    org: &Org,
    op: &'static str,
    requests: Vec<SubRequest>,
) -> Result<Dated<CompositeAnswer>, Error> {
    let reply = fetch(cx, op, build(cx, op, Method::POST, &path_of_composite(org), Some(&of_all(requests)))?).await?;
    let (answer, usage) = parsed(op, &reply)?;
    Ok(Dated { answer, at: dated(&reply.headers), usage })
}

/// `POST /composite` with writes, each by itself. `Err` only where nothing was applied. What a call's headers say does
/// not hold for its sub-requests: see [`sub_headers`].
pub async fn composite_write(
    cx: &Cx<'_>,
    org: &Org,
    requests: Vec<SubRequest>,
) -> Result<Written<CompositeAnswer>, Error> {
    apply(cx, "write", build(cx, "write", Method::POST, &path_of_composite(org), Some(&of_all(requests)))?).await
}

/// The headers that a sub-request of a composite call needs to be written as the settings say; with `assigned` the
/// org's assignment rules choose the owners of what it makes.
pub fn sub_headers(org: &Org, assigned: bool) -> Map<String, Value> {
    let assign = auto_assign(org, assigned);
    let mut headers = Map::new();
    headers.insert("Sforce-Auto-Assign".to_owned(), assign.to_str().unwrap_or("FALSE").into());
    if org.save_duplicates {
        headers.insert("Sforce-Duplicate-Rule-Header".to_owned(), ALLOW_SAVE.into());
    }
    headers
}

fn path_of_composite(org: &Org) -> String {
    format!("{}/composite", org.root())
}

fn of_all(requests: Vec<SubRequest>) -> CompositeRequest {
    CompositeRequest { all_or_none: false, collate_subrequests: false, composite_request: requests }
}

/// When an answer was given (RFC 9110 §6.6.1).
fn dated(headers: &HeaderMap) -> Option<Timestamp> {
    let text = headers.get(header::DATE)?.to_str().ok()?;
    jiff::fmt::rfc2822::parse(text).ok().map(|zoned| zoned.timestamp())
}

/// `GET /sobjects/{object}/describe`; `None` where the user cannot see the object.
pub async fn describe(cx: &Cx<'_>, org: &Org, object: &str) -> Result<(Option<Describe>, Option<Usage>), Error> {
    let path = format!("{}/sobjects/{object}/describe", org.root());
    let reply = fetch(cx, "check", build(cx, "check", Method::GET, &path, None::<&()>)?).await?;
    match reply.status {
        404 => Ok((None, usage(&reply.headers))),
        _ => parsed("check", &reply).map(|(described, usage)| (Some(described), usage)),
    }
}

/// `GET /sobjects/{object}/describe/layouts`, of one record type where the object has several.
pub async fn layouts(
    cx: &Cx<'_>,
    org: &Org,
    object: &str,
    record_type: Option<&str>,
) -> Result<(Option<Value>, Option<Usage>), Error> {
    let record_type = record_type.map(|id| format!("/{}", percent_encoded(id))).unwrap_or_default();
    ask(cx, &format!("{}/sobjects/{object}/describe/layouts{record_type}", org.root())).await
}

/// `GET /limits`.
pub async fn limits(cx: &Cx<'_>, org: &Org) -> Result<(Option<Limits>, Option<Usage>), Error> {
    ask(cx, &format!("{}/limits", org.root())).await
}

/// `GET /tooling/query`: what is set up in the org, for users who may see that.
pub async fn tooling(cx: &Cx<'_>, org: &Org, soql: &str) -> Result<(Option<QueryPage>, Option<Usage>), Error> {
    ask(cx, &format!("{}/tooling/query?q={}", org.root(), percent_encoded(soql))).await
}

/// Asks for what not every user may see and not every org has: `None` where the answer is a refusal for good.
async fn ask<T: DeserializeOwned>(cx: &Cx<'_>, path: &str) -> Result<(Option<T>, Option<Usage>), Error> {
    let reply = fetch(cx, "check", build(cx, "check", Method::GET, path, None::<&()>)?).await?;
    match parsed("check", &reply) {
        Ok((answer, usage)) => Ok((Some(answer), usage)),
        Err(error) if error.retry == Retry::Never || error.kind == ErrorKind::Gone => Ok((None, usage(&reply.headers))),
        Err(error) => Err(error),
    }
}

/// `POST /composite/graph`. `Err` only where nothing was applied. With `assigned` the org's assignment rules choose the
/// owners, as the settings say.
pub async fn graphs(
    cx: &Cx<'_>,
    org: &Org,
    request: &GraphsRequest,
    assigned: bool,
) -> Result<Written<GraphsAnswer>, Error> {
    let path = format!("{}/composite/graph", org.root());
    let mut request = build(cx, "write", Method::POST, &path, Some(request))?;
    request.headers_mut().insert(AUTO_ASSIGN, auto_assign(org, assigned));
    if org.save_duplicates {
        request.headers_mut().insert(DUPLICATE_RULE, HeaderValue::from_static(ALLOW_SAVE));
    }
    apply(cx, "write", request).await
}

/// Sends a request that changes something.
async fn apply<T: DeserializeOwned>(
    cx: &Cx<'_>,
    op: &'static str,
    request: Request<Bytes>,
) -> Result<Written<T>, Error> {
    let unknown = |reason: String, usage| Ok(Written::Unknown { reason, usage });
    let reply = match send(cx, request).await {
        Ok(reply) => reply,
        Err(HttpError::Unanswered { reason, .. }) => return unknown(reason, None),
        Err(error) => return Err(not_sent(op, &error)),
    };
    let usage = usage(&reply.headers);
    match reply.status {
        200 => match serde_json::from_slice(&reply.body) {
            Ok(answer) => Ok(Written::Answer { answer, usage }),
            Err(_) => unknown("the answer is cut or not what Salesforce documents".into(), usage),
        },
        // Of the server's errors 503 alone says that the request was not taken up; a 408 may come from anyone between.
        503 | 300..=407 | 409..=499 => Err(refused(op, &reply)),
        status => unknown(format!("status {status}"), usage),
    }
}

fn auto_assign(org: &Org, assigned: bool) -> HeaderValue {
    match &org.assignment {
        Assignment::Active if assigned => HeaderValue::from_static("TRUE"),
        Assignment::Rule(id) if assigned => {
            HeaderValue::from_str(id.as_str()).expect("an id that was checked has letters and digits only")
        }
        _ => HeaderValue::from_static("FALSE"),
    }
}

/// Sends a request that changes nothing: whatever goes wrong, it can be repeated.
async fn read<T: DeserializeOwned>(
    cx: &Cx<'_>,
    op: &'static str,
    request: Request<Bytes>,
) -> Result<(T, Option<Usage>), Error> {
    parsed(op, &fetch(cx, op, request).await?)
}

async fn fetch(cx: &Cx<'_>, op: &'static str, request: Request<Bytes>) -> Result<Reply, Error> {
    send(cx, request).await.map_err(|error| match error {
        HttpError::Unanswered { .. } => Error::new(ErrorKind::Unavailable, Retry::Backoff, op, error.to_string()),
        error => not_sent(op, &error),
    })
}

fn parsed<T: DeserializeOwned>(op: &'static str, reply: &Reply) -> Result<(T, Option<Usage>), Error> {
    if reply.status != 200 {
        return Err(refused(op, reply));
    }
    let answer = serde_json::from_slice(&reply.body).map_err(|_| {
        Error::new(ErrorKind::Protocol, Retry::Backoff, op, "the answer is cut or not what Salesforce documents")
    })?;
    Ok((answer, usage(&reply.headers)))
}

fn build(
    cx: &Cx<'_>,
    op: &'static str,
    method: Method,
    path: &str,
    body: Option<&impl Serialize>,
) -> Result<Request<Bytes>, Error> {
    let body = match body {
        None => None,
        Some(body) => {
            let text = serde_json::to_vec(body)
                .map_err(|_| Error::new(ErrorKind::Configuration, Retry::Never, op, "the request cannot be written"))?;
            Some((JSON_TYPE, Bytes::from(text)))
        }
    };
    build_with(cx, op, method, path, body)
}

const JSON_TYPE: &str = "application/json; charset=UTF-8";

/// A request with a body of any type.
fn build_with(
    cx: &Cx<'_>,
    op: &'static str,
    method: Method,
    path: &str,
    body: Option<(&'static str, Bytes)>,
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
        .header(CALL_OPTIONS, format!("client={CLIENT}"))
        .header(header::ACCEPT, "application/json");
    let bytes = match body {
        None => Bytes::new(),
        Some((kind, bytes)) => {
            request = request.header(header::CONTENT_TYPE, kind);
            bytes
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

/// The error of an answer that refuses the whole call.
fn refused(op: &'static str, reply: &Reply) -> Error {
    let configuration = |what: &str| Error::new(ErrorKind::Configuration, Retry::Never, op, what);
    let rows = serde_json::from_slice::<Value>(&reply.body).map(|body| error_rows(&body)).unwrap_or_default();
    let by_rows = error_from_rows(op, reply.status, &rows);
    let by_status = || classify::error(op, class_of_status(reply.status), by_rows.code.as_deref());
    let mut error = match reply.status {
        300..=399 => configuration("Salesforce points to another address; reconnect the account"),
        404 | 405 | 410 => {
            configuration("the org does not offer this resource in this API version; see the setting `api_version`")
        }
        401 if !matches!(by_rows.kind, ErrorKind::Unauthorised | ErrorKind::Forbidden) => by_status(),
        408 | 420 | 429 | 500..=599 if by_rows.retry != Retry::Backoff => by_status(),
        _ => by_rows,
    };
    if let (Retry::Backoff, Some(wait)) = (error.retry, retry_after(&reply.headers)) {
        error.retry = Retry::After(wait);
    }
    error
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(RETRY_AFTER_MAX))
}

/// Reads `api-usage=18/5000; per-app-api-usage=17/250(appName=x)`: of several limits the one that is nearer.
pub fn usage(headers: &HeaderMap) -> Option<Usage> {
    let text = headers.get(LIMIT_INFO)?.to_str().ok()?;
    let limits = text.split([';', ',']).filter_map(|limit| {
        let (name, numbers) = limit.split_once('=')?;
        let (used, max) = numbers.split('(').next()?.split_once('/')?;
        let usage = Usage { used: used.trim().parse().ok()?, max: max.trim().parse().ok()? };
        (name.trim().ends_with("api-usage") && usage.max > 0).then_some(usage)
    });
    limits.reduce(|one, two| {
        let nearer = u128::from(two.used) * u128::from(one.max) > u128::from(one.used) * u128::from(two.max);
        if nearer { two } else { one }
    })
}
