//! What a refusal means for us: by status, and by the code in its body. Pure.
//!
//! Sources: the published API description and recorded answers, read 2026-11-21. No refusal was recorded.

use std::time::Duration;

use serde_json::Value;
use syncline_connect::{Error, ErrorKind, Retry};
use syncline_core::record::Field;

use super::wire::Refusal;
use crate::call::Heard;

/// Bulk imports are counted by the minute (API description: 100).
const BULK_WAIT: Duration = Duration::from_secs(60);

/// A code is a short word; anything else that stands in its place is not repeated.
const CODE_CHARS_MAX: usize = 60;

/// The error of an answer that is no success. The vendor's own message stays out: it may repeat values.
pub fn error(op: &'static str, heard: &Heard) -> Error {
    let refusal: Refusal = heard.read().unwrap_or_default();
    let complaint = refusal.errors.iter().flatten().next();
    let code = complaint.map(|complaint| complaint.code.0.as_str()).unwrap_or_default();
    let message = refusal.message.as_ref().and_then(Value::as_str);
    let (kind, retry, says) = match heard.status {
        429 => (ErrorKind::RateLimited, heard.wait("retry-after"), "ActiveCampaign takes no more calls for now"),
        400 if message.is_some_and(|message| message.starts_with("Rate limit")) => {
            (ErrorKind::RateLimited, Retry::After(BULK_WAIT), "ActiveCampaign takes no more imports for now")
        }
        422 | 409 if code == "duplicate" => {
            (ErrorKind::KeyTaken, Retry::Replan, "another contact has this e-mail address")
        }
        401 => REVOKED,
        // A wrong key is told by a message that is empty.
        403 if message.is_none_or(str::is_empty) => REVOKED,
        402 | 403 => (ErrorKind::Forbidden, Retry::Never, "the account's plan or the key's user does not allow this"),
        404 => (ErrorKind::Gone, Retry::Replan, "the record is gone"),
        408 | 500..=599 => (ErrorKind::Unavailable, Retry::Backoff, "ActiveCampaign cannot answer just now"),
        300..=399 => (ErrorKind::Configuration, Retry::Never, "ActiveCampaign is not at this API address"),
        200..=299 => (ErrorKind::Unavailable, Retry::Backoff, "ActiveCampaign says that it did nothing"),
        _ => (ErrorKind::Invalid, Retry::Never, "ActiveCampaign refused the values; a person must look"),
    };
    let mut error = Error::new(kind, retry, op, says);
    let sound = (1..=CODE_CHARS_MAX).contains(&code.len())
        && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    error.code = Some(if sound { code.to_owned() } else { heard.status.to_string() });
    error.fields = pointed_at(&refusal);
    error
}

const REVOKED: (ErrorKind, Retry, &str) =
    (ErrorKind::Revoked, Retry::Never, "ActiveCampaign does not know the API key; enter the one of your user");

fn pointed_at(refusal: &Refusal) -> Vec<Field> {
    let pointers = refusal.errors.iter().flatten().filter_map(|complaint| complaint.source.as_ref());
    let named = pointers.filter_map(|source| source.pointer.0.strip_prefix("/data/attributes/"));
    let known = |name: &&str| matches!(*name, "email" | "firstName" | "lastName" | "phone");
    named.filter(known).map(|name| Field::Native(name.to_owned())).collect()
}

/// The error of a write that was answered with no success. Where the service, or what stands before it, gave up half-way,
/// it may have been carried out all the same.
pub fn write_error(op: &'static str, heard: &Heard) -> Error {
    let error = error(op, heard);
    match heard.status {
        408 | 500 | 502 | 504 => {
            Error { kind: ErrorKind::UnknownOutcome, message: "ActiveCampaign gave up half-way".to_owned(), ..error }
        }
        _ => error,
    }
}

/// Whether the answer is a success that says otherwise in its body.
pub fn is_hollow(heard: &Heard) -> bool {
    /// Such an answer is short; a page of contacts is not read twice for it.
    const BYTES_MAX: usize = 4_096;
    if heard.body.len() > BYTES_MAX {
        return false;
    }
    let succeeded = heard.read::<Value>().and_then(|body| body.get("succeeded").cloned());
    succeeded.is_some_and(|succeeded| succeeded == 0 || succeeded == "0" || succeeded == false)
}

/// The positions of the rows for which a bulk import was refused as a whole.
pub fn bad_rows(heard: &Heard) -> Vec<usize> {
    let refusal: Refusal = heard.read().unwrap_or_default();
    let place = |reason: &Value| {
        let place = reason.get("contact")?;
        let place = place.as_u64().or_else(|| place.as_str()?.parse().ok())?;
        usize::try_from(place).ok()
    };
    refusal.failure_reasons.iter().flatten().filter_map(place).collect()
}
