//! What a refusal means for us: by the code in its body, and by the status where there is none. Pure.
//!
//! Codes: the error schema of the published API description and answers quoted in public, read 2026-11-21.

use syncline_connect::{Error, ErrorKind, Retry};
use syncline_core::record::Field;

use super::{convert::EMAIL, wire::Refusal};
use crate::call::Heard;

/// The header that says in how many seconds the allowance starts afresh: a refusal has no `Retry-After`.
pub const RESET: &str = "x-sib-ratelimit-reset";

/// A code is a short word; anything else that stands in its place is not repeated.
const CODE_CHARS_MAX: usize = 60;

/// The error of an answer that is no success. Brevo's own message stays out: it may repeat values.
pub fn error(op: &'static str, heard: &Heard) -> Error {
    let refusal: Refusal = heard.read().unwrap_or_default();
    let code = refusal.code.as_deref().unwrap_or_default();
    let held = held(&refusal);
    let (kind, retry, says) = if heard.status == 429 {
        (ErrorKind::RateLimited, heard.wait(RESET), "Brevo takes no more calls for now")
    } else if !held.is_empty() {
        (ErrorKind::KeyTaken, Retry::Replan, "another contact holds one of the identifiers")
    } else {
        by_code(code).unwrap_or_else(|| by_status(heard.status))
    };
    let mut error = Error::new(kind, retry, op, says);
    let sound = (1..=CODE_CHARS_MAX).contains(&code.len())
        && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    error.code = Some(if sound { code.to_owned() } else { heard.status.to_string() });
    error.fields = held.into_iter().map(Field::Native).collect();
    error
}

/// The identifiers that another contact holds, by the names of our fields. The code that comes with them changed over
/// time, so the metadata is what counts.
pub fn held(refusal: &Refusal) -> Vec<String> {
    let names = refusal.metadata.iter().flat_map(|metadata| metadata.duplicate_identifiers.iter().flatten());
    names
        .map(|name| match name.to_uppercase().as_str() {
            "EMAIL_ID" => EMAIL.to_owned(),
            "PHONE_ID" => "SMS".to_owned(),
            other => other.to_owned(),
        })
        .collect()
}

type Class = (ErrorKind, Retry, &'static str);

fn by_code(code: &str) -> Option<Class> {
    Some(match code {
        "unauthorized" => REVOKED,
        "permission_denied" => FORBIDDEN,
        "account_under_validation" => {
            (ErrorKind::Forbidden, Retry::Never, "Brevo is still validating the account; ask its support")
        }
        "not_enough_credits" => (ErrorKind::Forbidden, Retry::Never, "the account's credits are used up"),
        "account_in_process" => (ErrorKind::Unavailable, Retry::Backoff, "Brevo is still setting the account up"),
        "duplicate_request" => (ErrorKind::Locked, Retry::Backoff, "the same request is still being worked on"),
        "duplicate_parameter" => (ErrorKind::KeyTaken, Retry::Replan, "another contact holds one of the identifiers"),
        "document_not_found" => GONE,
        "method_not_allowed" => METHOD,
        // `invalid_parameter` and its like say no more than their status.
        _ => return None,
    })
}

const REVOKED: Class = (ErrorKind::Revoked, Retry::Never, "Brevo does not know the API key; make a new one");
const FORBIDDEN: Class = (ErrorKind::Forbidden, Retry::Never, "the API key may not do this");
const GONE: Class = (ErrorKind::Gone, Retry::Replan, "the record is gone");
const METHOD: Class =
    (ErrorKind::Invalid, Retry::Never, "Brevo does not allow this; contacts that are users of the account stay");

fn by_status(status: u16) -> Class {
    match status {
        401 => REVOKED,
        402 | 403 => FORBIDDEN,
        404 => GONE,
        405 => METHOD,
        408 | 500..=599 => (ErrorKind::Unavailable, Retry::Backoff, "Brevo cannot answer just now"),
        425 => (ErrorKind::Locked, Retry::Backoff, "the same contact is still being written"),
        300..=399 => (ErrorKind::Configuration, Retry::Never, "Brevo is not at this API address"),
        _ => (ErrorKind::Invalid, Retry::Never, "Brevo refused the values; a person must look"),
    }
}

/// The error of a write that was answered with no success. Where the service, or what stands before it, gave up half-way,
/// it may have been carried out all the same.
pub fn write_error(op: &'static str, heard: &Heard) -> Error {
    let error = error(op, heard);
    match heard.status {
        408 | 500 | 502 | 504 if error.kind == ErrorKind::Unavailable => {
            Error { kind: ErrorKind::UnknownOutcome, message: "Brevo gave up half-way".to_owned(), ..error }
        }
        _ => error,
    }
}

/// The error of an identifier that another contact holds, where an import tells of it.
pub fn held_by_another(op: &'static str) -> Error {
    Error::new(ErrorKind::KeyTaken, Retry::Replan, op, "another contact holds one of the identifiers")
}
