//! What an error code means for us. By code, because messages are translated; the two places where no code tells the
//! cases apart are in [`told_apart_by_text`]. Pure.
//!
//! Codes: the `StatusCode` and `ExceptionCode` enumerations of the partner WSDL, listed in `fixtures/status_codes.txt`.

use syncline_connect::{Error, ErrorKind, Retry};

use super::wire::ErrorRow;

/// A verdict with the sentence that a person reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Class {
    pub kind: ErrorKind,
    pub retry: Retry,
    pub says: &'static str,
}

const fn class(kind: ErrorKind, retry: Retry, says: &'static str) -> Class {
    Class { kind, retry, says }
}

/// For every code that is not in the table: nothing is guessed, a person looks, the record is kept.
const UNKNOWN: Class = class(ErrorKind::Invalid, Retry::Never, "Salesforce refused the record; a person must look");

const LOCKED: Class = class(ErrorKind::Locked, Retry::Backoff, "another transaction holds the record");
const UNAVAILABLE: Class = class(ErrorKind::Unavailable, Retry::Backoff, "Salesforce cannot answer just now");
const RATE_LIMITED: Class = class(ErrorKind::RateLimited, Retry::Backoff, "too many calls at the same time");
const DAILY_LIMIT: Class =
    class(ErrorKind::DailyLimit, Retry::Backoff, "the org's API calls of the last 24 hours are used up");
const SESSION: Class = class(ErrorKind::Unauthorised, Retry::Reauthorise, "the access token is no longer good");
const GONE: Class = class(ErrorKind::Gone, Retry::Replan, "the record is gone");
const KEY_TAKEN: Class = class(ErrorKind::KeyTaken, Retry::Replan, "a record with the same unique value exists");
const REFERENCE: Class =
    class(ErrorKind::Reference, Retry::Replan, "a reference points at nothing that the user may see");
const OWNER: Class = class(ErrorKind::Owner, Retry::Replan, "the owner cannot own records");
const FIELD: Class = class(ErrorKind::Field, Retry::Never, "a field is not there or cannot be written");
const FORBIDDEN: Class = class(ErrorKind::Forbidden, Retry::Never, "the user lacks a permission");
const API_OFF: Class = class(ErrorKind::Forbidden, Retry::Never, "the API is switched off for this org or user");
const SEVERAL: Class =
    class(ErrorKind::Invalid, Retry::Never, "several records bear the same key; merge them, the field must be unique");

/// Codes and what they mean; the first row that names a code counts.
static TABLE: &[(&[&str], Class)] = &[
    (NEIGHBOURS, class(ErrorKind::Unavailable, Retry::Backoff, "not tried, because another in the same call failed")),
    (&["UNABLE_TO_LOCK_ROW", "ALREADY_IN_PROCESS"], LOCKED),
    (
        &[
            "SERVER_UNAVAILABLE",
            "QUERY_TIMEOUT",
            "REQUEST_RUNNING_TOO_LONG",
            "FUNCTIONALITY_TEMPORARILY_UNAVAILABLE",
            "INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE",
            "ORG_IN_MAINTENANCE",
            "TXN_SECURITY_METERING_ERROR",
            "MATCH_SERVICE_TIMED_OUT",
            "MATCH_SERVICE_UNAVAILABLE_ERROR",
            "UNKNOWN_EXCEPTION",
            // A query's page that has expired: asked anew from the first page.
            "INVALID_QUERY_LOCATOR",
            "INVALID_LOCATOR",
        ],
        UNAVAILABLE,
    ),
    (&["TOO_MANY_APEX_REQUESTS"], RATE_LIMITED),
    (&["REQUEST_LIMIT_EXCEEDED"], DAILY_LIMIT),
    (&["INVALID_SESSION_ID"], SESSION),
    (&["API_CURRENTLY_DISABLED", "API_DISABLED_FOR_ORG"], API_OFF),
    (&["ENTITY_IS_DELETED", "NOT_FOUND"], GONE),
    (&["CANNOT_UPDATE_CONVERTED_LEAD"], class(ErrorKind::Converted, Retry::Replan, "the lead was converted")),
    (&["DUPLICATE_VALUE", "DUPLICATE_EXTERNAL_ID"], KEY_TAKEN),
    (
        &["DUPLICATES_DETECTED"],
        class(ErrorKind::DuplicateRule, Retry::Never, "a duplicate rule of the org stopped the record"),
    ),
    (&["INACTIVE_OWNER_OR_USER", "TRANSFER_REQUIRES_READ"], OWNER),
    (&["INVALID_CROSS_REFERENCE_KEY"], REFERENCE),
    (&["MULTIPLE_RECORDS_FOUND"], SEVERAL),
    (
        &["ENTITY_FAILED_IFLASTMODIFIED_ON_UPDATE"],
        class(ErrorKind::Locked, Retry::Replan, "the record was changed by someone else meanwhile"),
    ),
    (&["INVALID_FIELD", "INVALID_FIELD_FOR_INSERT_UPDATE", "FIELD_NOT_UPDATABLE"], FIELD),
    (
        &["FIELD_CUSTOM_VALIDATION_EXCEPTION"],
        class(ErrorKind::Invalid, Retry::Never, "a validation rule or trigger of the org refused the record"),
    ),
    (
        &["REQUIRED_FIELD_MISSING"],
        class(ErrorKind::Invalid, Retry::Never, "a field that the org requires has no value"),
    ),
    (
        &["INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"],
        class(ErrorKind::Invalid, Retry::Never, "a value is not among the picklist's active values"),
    ),
    (&["STRING_TOO_LONG"], class(ErrorKind::Invalid, Retry::Never, "a text is longer than its field")),
    (&["INVALID_EMAIL_ADDRESS"], class(ErrorKind::Invalid, Retry::Never, "an e-mail address is not accepted")),
    (
        &[
            "FIELD_INTEGRITY_EXCEPTION",
            "INVALID_TYPE_ON_FIELD_IN_RECORD",
            "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
            "MALFORMED_ID",
        ],
        class(ErrorKind::Invalid, Retry::Never, "the values do not fit together in this org"),
    ),
    (
        &["DELETE_FAILED"],
        class(ErrorKind::Invalid, Retry::Never, "the record cannot be deleted while others depend on it"),
    ),
    (&["INVALID_TYPE"], class(ErrorKind::Forbidden, Retry::Never, "the user cannot see the object")),
    (
        &["UNSUPPORTED_API_VERSION"],
        class(
            ErrorKind::Configuration,
            Retry::Never,
            "the org does not offer this API version; see the setting `api_version`",
        ),
    ),
    (&["STORAGE_LIMIT_EXCEEDED"], class(ErrorKind::Forbidden, Retry::Never, "the org's storage is full")),
    (
        &["MALFORMED_QUERY", "JSON_PARSER_ERROR"],
        class(ErrorKind::Protocol, Retry::Never, "Salesforce could not read our request"),
    ),
];

/// Every code that begins so means a missing permission.
const ACCESS_PREFIX: &str = "INSUFFICIENT_ACCESS";

/// Codes of a graph's innocent: it was rolled back, or never tried, because of another's error. The exact code in a
/// graph is not documented, so both words for it count.
const NEIGHBOURS: &[&str] = &["PROCESSING_HALTED", "ALL_OR_NONE_OPERATION_ROLLED_BACK", "BATCH_PROCESSING_HALTED"];

/// Whether the code only says that another record failed.
pub fn is_neighbour(code: &str) -> bool {
    NEIGHBOURS.contains(&code)
}

/// What a code means.
pub fn class_of(code: &str) -> Class {
    if code.starts_with(ACCESS_PREFIX) {
        return FORBIDDEN;
    }
    TABLE.iter().find(|(codes, _)| codes.contains(&code)).map_or(UNKNOWN, |(_, class)| *class)
}

/// What a status means where no code came with it.
pub fn class_of_status(status: u16) -> Class {
    match status {
        300 => SEVERAL,
        401 => SESSION,
        403 => FORBIDDEN,
        404 => GONE,
        408 | 503 => UNAVAILABLE,
        420 | 429 => RATE_LIMITED,
        412 => class(ErrorKind::Locked, Retry::Replan, "the record was changed by someone else meanwhile"),
        500..=599 => UNAVAILABLE,
        _ => UNKNOWN,
    }
}

/// What an error row means, its fields considered.
pub fn class_of_row(status: u16, row: &ErrorRow) -> Class {
    let names = |wanted: &[&str]| row.fields.iter().any(|field| wanted.contains(&field.as_str()));
    match row.code.as_str() {
        "" => class_of_status(status),
        "INVALID_CROSS_REFERENCE_KEY" if names(&["OwnerId"]) => OWNER,
        code if OWNER_IF_NAMED.contains(&code) && row.fields.iter().eq(["OwnerId"]) => OWNER,
        "FIELD_INTEGRITY_EXCEPTION" if names(&["WhoId", "WhatId"]) => REFERENCE,
        code => told_apart_by_text(code, &row.message).unwrap_or_else(|| class_of(code)),
    }
}

/// Codes that mean the owner where he alone is named: he may not be seen, or is of a kind that owns nothing.
pub const OWNER_IF_NAMED: &[&str] =
    &["INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY", "OP_WITH_INVALID_USER_TYPE_EXCEPTION"];

/// The error of an owner who cannot be.
pub fn owner(op: &'static str, code: &str) -> Error {
    error(op, OWNER, Some(code))
}

/// The error of a reference that leads nowhere.
pub fn reference(op: &'static str, code: &str) -> Error {
    error(op, REFERENCE, Some(code))
}

/// The error of a record that is gone.
pub fn gone(op: &'static str, code: &str) -> Error {
    error(op, GONE, Some(code))
}

/// The exceptions to "by code": one code, two cases, and only the text tells. The limit's name is an identifier and so
/// never translated; the two sentences about sessions come from the REST gateway.
fn told_apart_by_text(code: &str, message: &str) -> Option<Class> {
    match code {
        "REQUEST_LIMIT_EXCEEDED" if message.contains("ConcurrentPerOrg") => Some(RATE_LIMITED),
        "INVALID_SESSION_ID" if NEVER_REFRESH.iter().any(|text| message.contains(text)) => Some(class(
            ErrorKind::Forbidden,
            Retry::Never,
            "this app may not use the REST API with this user; check the app's policies and scopes",
        )),
        _ => None,
    }
}

/// A new token would be refused with the same words.
const NEVER_REFRESH: &[&str] =
    &["Connected app is not attached to Agent", "This session is not valid for use with the REST API"];

/// An error of the class. The vendor's own message is left out: it may repeat values.
pub fn error(op: &'static str, class: Class, code: Option<&str>) -> Error {
    let mut error = Error::new(class.kind, class.retry, op, class.says);
    error.code = code.filter(|code| !code.is_empty()).map(clip_code);
    error
}

/// Longest code that is kept; the longest known one has 51 characters.
const CODE_CHARS_MAX: usize = 80;

/// A code is a word; anything else that stands in its place is not repeated.
fn clip_code(code: &str) -> String {
    let sound = code.len() <= CODE_CHARS_MAX && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if sound { code.to_owned() } else { "unreadable".to_owned() }
}

/// An error from the errors of an answer: the first that is not merely a neighbour's.
pub fn error_from_rows(op: &'static str, status: u16, rows: &[ErrorRow]) -> Error {
    match rows.iter().find(|row| !is_neighbour(&row.code)).or(rows.first()) {
        Some(row) => error(op, class_of_row(status, row), Some(&row.code)),
        None => error(op, class_of_status(status), None),
    }
}
