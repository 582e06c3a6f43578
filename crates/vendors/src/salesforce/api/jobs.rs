//! Bulk API 2.0: one function per call of a job that writes, and of one that reads.
//! <https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/bulk_api_2_0_ingest.htm> and
//! <https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/queries.htm>, read 2026-11.

use bytes::Bytes;
use http::{HeaderName, Method, header};
use serde_json::json;
use syncline_connect::{Cx, Error, ErrorKind, Retry, Usage};

use super::{Reply, build, build_with, fetch, parsed, refused, usage};
use crate::salesforce::{settings::Org, soql::percent_encoded, wire::Job};

const OP: &str = "write";
const COLLECT: &str = "collect";
const READ: &str = "read changes";

/// Where the next part of a query's results begins: `null` behind the last one.
const LOCATOR: HeaderName = HeaderName::from_static("sforce-locator");
const ROWS: HeaderName = HeaderName::from_static("sforce-numberofrecords");

/// What a job does to its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    Update,
    /// By our key.
    Upsert,
    Delete,
}

impl Operation {
    /// The vendor's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Operation::Update => "update",
            Operation::Upsert => "upsert",
            Operation::Delete => "delete",
        }
    }
}

/// A part of what became of a job's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Successful,
    Failed,
    Unprocessed,
}

/// `POST /jobs/ingest`: nothing is done yet.
pub async fn open(cx: &Cx<'_>, org: &Org, object: &str, operation: Operation) -> Result<(Job, Option<Usage>), Error> {
    let mut body = json!({
        "object": object,
        "operation": operation.as_str(),
        "contentType": "CSV",
        "lineEnding": "LF",
    });
    if operation == Operation::Upsert {
        body["externalIdFieldName"] = org.key_field.as_str().into();
    }
    let path = format!("{}/jobs/ingest", org.root());
    parsed(OP, &fetch(cx, OP, build(cx, OP, Method::POST, &path, Some(&body))?).await?)
}

/// `PUT /jobs/ingest/{id}/batches`: still nothing is done.
pub async fn upload(cx: &Cx<'_>, org: &Org, id: &str, csv: String) -> Result<Option<Usage>, Error> {
    let path = format!("{}/batches", path(org, id));
    let body = Some(("text/csv; charset=UTF-8", Bytes::from(csv)));
    let reply = fetch(cx, OP, build_with(cx, OP, Method::PUT, &path, body)?).await?;
    match reply.status {
        201 | 200 => Ok(usage(&reply.headers)),
        _ => Err(refused(OP, &reply)),
    }
}

/// `PATCH /jobs/ingest/{id}`: begins the work, or gives it up.
pub async fn turn(cx: &Cx<'_>, org: &Org, id: &str, state: &str) -> Result<(Job, Option<Usage>), Error> {
    let body = json!({ "state": state });
    parsed(OP, &fetch(cx, OP, build(cx, OP, Method::PATCH, &path(org, id), Some(&body))?).await?)
}

/// `GET /jobs/ingest/{id}`; `None` where the org has it no longer: jobs are kept for a week.
pub async fn state(cx: &Cx<'_>, org: &Org, id: &str) -> Result<(Option<Job>, Option<Usage>), Error> {
    let reply = fetch(cx, COLLECT, build(cx, COLLECT, Method::GET, &path(org, id), None::<&()>)?).await?;
    match reply.status {
        404 => Ok((None, usage(&reply.headers))),
        _ => parsed(COLLECT, &reply).map(|(job, usage)| (Some(job), usage)),
    }
}

/// `GET /jobs/ingest/{id}/successfulResults` and its neighbours, as CSV.
pub async fn results(cx: &Cx<'_>, org: &Org, id: &str, part: Part) -> Result<(String, Option<Usage>), Error> {
    let part = match part {
        Part::Successful => "successfulResults",
        Part::Failed => "failedResults",
        Part::Unprocessed => "unprocessedrecords",
    };
    let path = format!("{}/{part}", path(org, id));
    let reply = fetch_csv(cx, COLLECT, &path).await?;
    if reply.status != 200 {
        return Err(refused(COLLECT, &reply));
    }
    Ok((text(COLLECT, &reply)?, usage(&reply.headers)))
}

/// `POST /jobs/query`: reads what a query finds, what was deleted among it.
pub async fn open_query(cx: &Cx<'_>, org: &Org, soql: &str) -> Result<(Job, Option<Usage>), Error> {
    let body = json!({
        "operation": "queryAll",
        "query": soql,
        "contentType": "CSV",
        "columnDelimiter": "COMMA",
        "lineEnding": "LF",
    });
    let path = format!("{}/jobs/query", org.root());
    parsed(READ, &fetch(cx, READ, build(cx, READ, Method::POST, &path, Some(&body))?).await?)
}

/// `GET /jobs/query/{id}`; `None` where the org has it no longer.
pub async fn query_state(cx: &Cx<'_>, org: &Org, id: &str) -> Result<(Option<Job>, Option<Usage>), Error> {
    let reply = fetch(cx, READ, build(cx, READ, Method::GET, &query_path(org, id), None::<&()>)?).await?;
    match reply.status {
        404 => Ok((None, usage(&reply.headers))),
        _ => parsed(READ, &reply).map(|(job, usage)| (Some(job), usage)),
    }
}

/// `PATCH /jobs/query/{id}`: gives the work up.
pub async fn abort_query(cx: &Cx<'_>, org: &Org, id: &str) -> Result<(Job, Option<Usage>), Error> {
    let body = json!({ "state": "Aborted" });
    parsed(READ, &fetch(cx, READ, build(cx, READ, Method::PATCH, &query_path(org, id), Some(&body))?).await?)
}

/// A part of what a query found.
pub struct Found {
    pub csv: String,
    /// How many rows it has, where that is told.
    pub rows: Option<usize>,
    /// Where the next part begins; nothing behind the last one.
    pub next: Option<String>,
}

/// `GET /jobs/query/{id}/results`, of at most so many rows; `None` where the org has them no longer (they are kept for a
/// week), or does not say whether there are more.
pub async fn query_results(
    cx: &Cx<'_>,
    org: &Org,
    id: &str,
    rows_max: usize,
    locator: Option<&str>,
) -> Result<(Option<Found>, Option<Usage>), Error> {
    let locator = locator.map(|locator| format!("&locator={}", percent_encoded(locator))).unwrap_or_default();
    let path = format!("{}/results?maxRecords={rows_max}{locator}", query_path(org, id));
    let reply = fetch_csv(cx, READ, &path).await?;
    match reply.status {
        200 => {}
        404 => return Ok((None, usage(&reply.headers))),
        _ => return Err(refused(READ, &reply)),
    }
    let header = |name| reply.headers.get(name).and_then(|value| value.to_str().ok());
    // A cursor holds it as a word. Where it does not say whether there is more, nobody knows whether that is all.
    let Some(next) = header(LOCATOR).filter(|next| !next.contains(' ')) else {
        return Ok((None, usage(&reply.headers)));
    };
    let next = Some(next).filter(|next| *next != "null").map(str::to_owned);
    let rows = header(ROWS).and_then(|rows| rows.parse().ok());
    Ok((Some(Found { csv: text(READ, &reply)?, rows, next }), usage(&reply.headers)))
}

async fn fetch_csv(cx: &Cx<'_>, op: &'static str, path: &str) -> Result<Reply, Error> {
    let mut request = build_with(cx, op, Method::GET, path, None)?;
    request.headers_mut().insert(header::ACCEPT, header::HeaderValue::from_static("text/csv"));
    fetch(cx, op, request).await
}

fn text(op: &'static str, reply: &Reply) -> Result<String, Error> {
    String::from_utf8(reply.body.to_vec()).map_err(|_| {
        Error::new(ErrorKind::Protocol, Retry::Backoff, op, "a job's results are not what Salesforce documents")
    })
}

fn query_path(org: &Org, id: &str) -> String {
    format!("{}/jobs/query/{}", org.root(), percent_encoded(id))
}

fn path(org: &Org, id: &str) -> String {
    format!("{}/jobs/ingest/{}", org.root(), percent_encoded(id))
}
