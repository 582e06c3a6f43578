//! Webhooks: find the source by its address, verify the raw bytes, read, take in durably, answer. Nothing else happens
//! in the request, and no vendor is called. The answer is never a redirect and never 410: senders switch off on those.

pub(crate) mod asks;
pub(crate) mod body;

use std::{sync::Arc, time::Instant};

use axum::{
    body::Body,
    extract::{Path, Request, State, rejection::PathRejection},
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use syncline_connect::{RawRequest, Reading, Refusal, bookings::Malformed};
use syncline_core::ids::ConnectionId;
use syncline_engine::{
    depth,
    intake::{self, JSON_DEPTH_MAX},
};
use syncline_store::{Content, Delivery, TakenIn};
use tracing::Instrument;

use crate::{
    problem::{Code, Problem, RETRY_AFTER},
    shared::{Hinting, Shared, Source, Tells},
};

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Taken {
    Stored,
    Duplicate,
    Ignored,
    Parked,
    /// A hint to look.
    Noted,
    /// No hint of any watch that is ours; its sender hears nothing of that.
    Unknown,
    /// The vendor asked whether the address is ours, and is told this.
    Challenged(String),
}

impl Taken {
    pub(crate) fn as_str(&self) -> &'static str {
        match self {
            Taken::Stored => "stored",
            Taken::Duplicate => "duplicate",
            Taken::Ignored => "ignored",
            Taken::Parked => "parked",
            Taken::Noted => "noted",
            Taken::Unknown => "unknown",
            Taken::Challenged(_) => "challenged",
        }
    }
}

impl IntoResponse for Taken {
    fn into_response(self) -> Response {
        let body: &'static [u8] = match self {
            Taken::Stored => br#"{"status":"stored"}"#,
            Taken::Duplicate => br#"{"status":"duplicate"}"#,
            Taken::Ignored => br#"{"status":"ignored"}"#,
            Taken::Parked => br#"{"status":"parked"}"#,
            Taken::Noted | Taken::Unknown => br#"{"status":"noted"}"#,
            Taken::Challenged(text) => return answer(Body::from(text), "text/plain; charset=utf-8"),
        };
        answer(Body::from(body), "application/json")
    }
}

fn answer(body: Body, kind: &'static str) -> Response {
    let mut response = Response::new(body);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// `POST /hooks/{source}/{path_key}`.
pub(crate) async fn receive(
    State(shared): State<Arc<Shared>>,
    address: Result<Path<(String, String)>, PathRejection>,
    request: Request,
) -> Response {
    // An address that cannot even be read is as unknown as any other.
    let Ok(Path((name, key))) = address else {
        return Problem::new(Code::NotFound).into_response();
    };
    let started = Instant::now();
    let (source, hinting) = (shared.source_by_address(&name, &key), shared.hinting_by_address(&name, &key));
    if let Some(hinting) = hinting {
        let answer = hint(&shared, hinting, request).await;
        let outcome = match &answer {
            Ok(taken) => taken.as_str(),
            Err(problem) => problem.code.as_str(),
        };
        metrics::counter!("syncline_hooks_total", "vendor" => hinting.vendor, "outcome" => outcome).increment(1);
        metrics::histogram!("syncline_hook_seconds").record(started.elapsed().as_secs_f64());
        return answer.into_response();
    }
    let Some(source) = source else {
        return Problem::new(Code::NotFound).into_response();
    };
    let span = tracing::debug_span!("webhook", vendor = source.vendor, outcome = tracing::field::Empty);
    let answer = take(&shared, source, request).instrument(span.clone()).await;
    let outcome = match &answer {
        Ok(taken) => taken.as_str(),
        Err(problem) => problem.code.as_str(),
    };
    span.record("outcome", outcome);
    // By vendor, never by name: names of customers have no place in metrics.
    metrics::counter!("syncline_hooks_total", "vendor" => source.vendor, "outcome" => outcome).increment(1);
    metrics::histogram!("syncline_hook_seconds").record(started.elapsed().as_secs_f64());
    answer.into_response()
}

/// A vendor's word that something has changed: it is verified, and the account is asked a little sooner. What it says is
/// not read.
async fn hint(shared: &Shared, hinting: &Hinting, request: Request) -> Result<Taken, Problem> {
    let now = shared.now();
    if let Err(wait) = hinting.bucket.take(now) {
        return Err(Problem::new(Code::Overloaded).later(hinting.overload_status, wait));
    }
    let (head, body) = request.into_parts();
    let watches = match &hinting.tells {
        Tells::Hints(hints, secrets) => {
            let raw = RawRequest { headers: head.headers, body: body::read(shared, body).await? };
            let verified = hints.verify(&raw, &hinting.url, secrets, now);
            verified.map_err(|refusal| refused(&hinting.id, refusal))?;
            let hinted = shared.engine.hinted(&hinting.workspace, &hinting.id).await;
            hinted.map_err(|error| unstored(shared, hinting, &error))?;
            return Ok(Taken::Noted);
        }
        Tells::Watches(watches) => watches,
    };
    if let Some(text) = head.uri.query().and_then(|query| watches.challenge(query)) {
        return Ok(Taken::Challenged(text));
    }
    let raw = RawRequest { headers: head.headers, body: body::read(shared, body).await? };
    // Whatever cannot be read comes from nobody whose watch is known.
    let is_readable = !depth::exceeds(&raw.body, JSON_DEPTH_MAX);
    let notices = if is_readable { watches.notices(&raw) } else { Vec::new() };
    let known = shared.engine.watch_told(&hinting.workspace, &hinting.id, &notices).await;
    let known = known.map_err(|error| unstored(shared, hinting, &error))?;
    Ok(if known { Taken::Noted } else { Taken::Unknown })
}

/// Whatever failed inside, the vendor is asked to come again.
fn unstored(shared: &Shared, hinting: &Hinting, error: &syncline_store::Error) -> Problem {
    Problem::store(shared, error).later(hinting.overload_status, RETRY_AFTER)
}

async fn take(shared: &Shared, source: &Source, request: Request) -> Result<Taken, Problem> {
    let now = shared.now();
    if let Err(wait) = source.bucket.take(now) {
        return Err(Problem::new(Code::Overloaded).later(source.overload_status, wait));
    }
    let (head, body) = request.into_parts();
    let body = body::read(shared, body).await?;
    let raw = RawRequest { headers: head.headers, body };
    source.bookings.verify(&raw, &source.secrets, now).map_err(|refusal| refused(&source.id, refusal))?;
    let (key, content) = intake::read(source.bookings, &raw, now).unwrap_or_else(|malformed| unread(&raw, malformed));
    let result = store(shared, source, key, raw, content, now).await;
    result.map_err(|error| {
        let problem = Problem::store(shared, &error);
        // Whatever failed inside, the message is not lost if the sender comes again.
        problem.later(source.overload_status, RETRY_AFTER)
    })
}

/// `POST /api/v1/bookings` for a caller who bears the admin token instead of a signature. What cannot be read is
/// refused, because this caller can mend it.
pub(crate) async fn take_unsigned(shared: &Shared, source: &Source, request: Request) -> Result<Taken, Problem> {
    let (raw, now) = receive_unsigned(shared, source, request).await?;
    let (key, content) = intake::read(source.bookings, &raw, now).map_err(unreadable)?;
    store(shared, source, key, raw, content, now).await.map_err(|error| Problem::store(shared, &error))
}

/// Reads a message for a caller who bears the admin token, and keeps nothing of it. The message itself is handed back
/// beside what it says.
pub(crate) async fn read_only(
    shared: &Shared,
    source: &Source,
    request: Request,
) -> Result<(Reading, RawRequest), Problem> {
    let (raw, now) = receive_unsigned(shared, source, request).await?;
    let reading = intake::reading(source.bookings, &raw, now).map_err(unreadable)?;
    Ok((reading, raw))
}

async fn receive_unsigned(
    shared: &Shared,
    source: &Source,
    request: Request,
) -> Result<(RawRequest, Timestamp), Problem> {
    let now = shared.now();
    if let Err(wait) = source.bucket.take(now) {
        return Err(Problem::new(Code::Overloaded).later(503, wait));
    }
    let (head, body) = request.into_parts();
    Ok((RawRequest { headers: head.headers, body: body::read(shared, body).await? }, now))
}

fn unreadable(malformed: Malformed) -> Problem {
    Problem::new(Code::UnreadableBooking).detail(malformed.reason)
}

/// A verified message that cannot be read is kept for a person: refusing it would make the sender try again, and in the
/// end switch the webhook off.
fn unread(raw: &RawRequest, malformed: Malformed) -> (String, Content) {
    let key = format!("raw:{}", hex::encode(Sha256::digest(&raw.body)));
    (key, Content::Parked { reason: malformed.reason })
}

async fn store(
    shared: &Shared,
    source: &Source,
    key: String,
    raw: RawRequest,
    content: Content,
    now: Timestamp,
) -> syncline_store::Result<Taken> {
    let taken = match content {
        Content::Messages(_) => Taken::Stored,
        Content::Ignored { .. } => Taken::Ignored,
        Content::Parked { .. } => Taken::Parked,
    };
    let delivery = Delivery {
        workspace: source.workspace.clone(),
        integration: source.integration.clone(),
        source: source.id.clone(),
        key,
        received: now,
        content_type: intake::content_type(&raw.headers),
        body: raw.body.into(),
        content,
    };
    match shared.store().take_in(delivery).await? {
        TakenIn::Stored if taken == Taken::Stored => {
            shared.engine.wake();
            Ok(taken)
        }
        TakenIn::Stored => Ok(taken),
        TakenIn::Duplicate => Ok(Taken::Duplicate),
    }
}

fn refused(id: &ConnectionId, refusal: Refusal) -> Problem {
    tracing::warn!(connection.id = %id, reason = %refusal, "Refused a webhook of {id}");
    let detail = match refusal {
        Refusal::Missing => "the signature header is missing",
        Refusal::Unreadable => "the signature header cannot be read",
        Refusal::Mismatch => "the signature does not match",
        Refusal::Stale => "the time stamp is outside the tolerance",
        Refusal::NoSecret => "no secret is set for this source",
    };
    Problem::new(Code::BadSignature).detail(detail)
}

#[cfg(test)]
mod tests;
