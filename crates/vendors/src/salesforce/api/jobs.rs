//! Bulk API 2.0: one function per call of an ingest job.
//! <https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/bulk_api_2_0_ingest.htm>, read 2026-11.

use bytes::Bytes;
use http::{Method, header};
use serde_json::json;
use syncline_connect::{Cx, Error, ErrorKind, Retry, Usage};

use super::{build, build_with, fetch, parsed, refused, usage};
use crate::salesforce::{settings::Org, soql::percent_encoded, wire::Job};

const OP: &str = "write";
const COLLECT: &str = "collect";

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
    let mut request = build_with(cx, COLLECT, Method::GET, &path, None)?;
    request.headers_mut().insert(header::ACCEPT, header::HeaderValue::from_static("text/csv"));
    let reply = fetch(cx, COLLECT, request).await?;
    if reply.status != 200 {
        return Err(refused(COLLECT, &reply));
    }
    let text = String::from_utf8(reply.body.to_vec()).map_err(|_| {
        Error::new(ErrorKind::Protocol, Retry::Backoff, COLLECT, "a job's results are not what Salesforce documents")
    })?;
    Ok((text, usage(&reply.headers)))
}

fn path(org: &Org, id: &str) -> String {
    format!("{}/jobs/ingest/{}", org.root(), percent_encoded(id))
}
