//! What a refusal means for us: of a whole call, or of one row of a batch. By status, category and code; the message,
//! which may repeat values, is left out, but for the one id that stands nowhere else. Pure.
//! <https://developers.hubspot.com/docs/api-reference/error-handling>, read 2026-11.

use std::time::Duration;

use syncline_connect::{Error, ErrorKind, Retry};
use syncline_core::{
    ids::RecordId,
    record::{Field, Role},
};

use super::wire::Refused;

/// How long a locked record stays so (the documents: two seconds).
const LOCKED: Duration = Duration::from_secs(2);

/// The interval over which calls are counted, and that of searches.
const INTERVAL: Duration = Duration::from_secs(10);
const SEARCH_INTERVAL: Duration = Duration::from_secs(1);

/// How HubSpot says that there were too many searches: not every answer has a code for it (recorded in 2022).
const SECONDLY: &str = "secondly limit";

/// Longest that we let ourselves be told to wait: an account that is moved may say up to a day.
pub const WAIT_MAX: Duration = Duration::from_secs(24 * 3600);

/// What stands before the id of the contact that is in the way.
const EXISTING: &str = "Existing ID:";

/// How HubSpot says that the other end of an association is not there: it has no code for it.
const NO_OTHER_END: &str = "associations are not valid";

/// Codes of a value that a property does not take.
const NOT_THERE: &[&str] = &["PROPERTY_DOESNT_EXIST", "READ_ONLY_VALUE"];

/// A property with unique values has this one on another record.
const TAKEN: &str = "CONFLICTING_UNIQUE_VALUE";

/// The error of a call that was refused.
pub fn of_call(op: &'static str, status: u16, refused: &Refused, wait: Option<Duration>) -> Error {
    let category = refused.category.as_deref().unwrap_or_default();
    let new = |kind, retry, says: &str| with_code(Error::new(kind, retry, op, says), refused);
    let after = |least: Duration| Retry::After(wait.unwrap_or(least).clamp(Duration::from_secs(1), WAIT_MAX));
    let later = wait.map_or(Retry::Backoff, |wait| Retry::After(wait.min(WAIT_MAX)));
    match status {
        300..=399 => {
            new(ErrorKind::Configuration, Retry::Never, "HubSpot points to another address; reconnect the account")
        }
        401 => new(ErrorKind::Unauthorised, Retry::Reauthorise, "the access token is no longer good"),
        403 if category == "MISSING_SCOPES" => new(
            ErrorKind::Forbidden,
            Retry::Never,
            "the account was connected without a scope that this needs; connect it again",
        ),
        403 => new(ErrorKind::Forbidden, Retry::Never, "the app may not do this in the account"),
        404 | 405 | 410 if category.is_empty() => {
            new(ErrorKind::Configuration, Retry::Never, "HubSpot does not offer this resource to the account")
        }
        408 => new(ErrorKind::Unavailable, later, "HubSpot cannot answer just now"),
        423 => new(ErrorKind::Locked, after(LOCKED), "another call holds the record"),
        429 if refused.policy_name.as_deref() == Some("DAILY") => {
            new(ErrorKind::DailyLimit, later, "the account's API calls of the day are used up")
        }
        429 if is_secondly(refused) => {
            new(ErrorKind::RateLimited, after(SEARCH_INTERVAL), "too many searches in a second")
        }
        429 => new(ErrorKind::RateLimited, after(INTERVAL), "too many calls in a short time"),
        477 => new(ErrorKind::Unavailable, later, "the account is being moved to another data centre"),
        500..=599 => new(ErrorKind::Unavailable, later, "HubSpot cannot answer just now"),
        _ => of_row(op, refused, &[]),
    }
}

fn is_secondly(refused: &Refused) -> bool {
    let message = refused.message.as_deref().unwrap_or_default();
    refused.policy_name.as_deref() == Some("SECONDLY") || message.contains(SECONDLY)
}

/// The error of a row. `role` is what its record plays.
pub fn of_row(op: &'static str, refused: &Refused, roles: &[Role]) -> Error {
    let codes: Vec<&str> = details(refused).map(|(code, _)| code).collect();
    let has = |wanted: &[&str]| codes.iter().any(|code| wanted.contains(code));
    let category = refused.category.as_deref().unwrap_or_default();
    let message = refused.message.as_deref().unwrap_or_default();
    let (kind, retry, says) = match category {
        "OBJECT_NOT_FOUND" => (ErrorKind::Gone, Retry::Replan, "the record is gone"),
        "LOCKED" => (ErrorKind::Locked, Retry::After(LOCKED), "another call holds the record"),
        "RATE_LIMITS" => (ErrorKind::RateLimited, Retry::After(INTERVAL), "too many calls in a short time"),
        "INTERNAL_ERROR" => (ErrorKind::Unavailable, Retry::Backoff, "HubSpot could not work on the record"),
        _ if category == "CONFLICT" || has(&[TAKEN]) => {
            (ErrorKind::KeyTaken, Retry::Replan, "a record with the same unique value exists")
        }
        _ if message.to_ascii_lowercase().contains(NO_OTHER_END) => {
            (ErrorKind::Reference, Retry::Replan, "a record that is to be associated is gone")
        }
        _ if has(NOT_THERE) => (ErrorKind::Field, Retry::Never, "a property is not there or cannot be written"),
        _ if !codes.is_empty() => (ErrorKind::Invalid, Retry::Never, "a value is not accepted by its property"),
        _ => (ErrorKind::Invalid, Retry::Never, "HubSpot refused the record; a person must look"),
    };
    let mut error = with_code(Error::new(kind, retry, op, says), refused);
    // Of several details those are named that made the verdict.
    let decisive = |code: &str| kind != ErrorKind::Field || NOT_THERE.contains(&code);
    let named = details(refused).filter(|(code, _)| decisive(code)).filter_map(|(_, name)| name);
    error.fields = named.map(|name| Field::Native(name.to_owned())).collect();
    error.fields.dedup();
    if kind == ErrorKind::KeyTaken {
        error.matches = roles.iter().filter_map(|role| Some((*role, existing(message)?))).collect();
    }
    error
}

/// Codes with the property that each is about, in either shape.
fn details(refused: &Refused) -> impl Iterator<Item = (&str, Option<&str>)> {
    let new = refused.errors.iter().map(|detail| {
        let name = detail.context.get("propertyName").and_then(|names| names.get(0).or(Some(names))?.as_str());
        (detail.code.as_deref().unwrap_or_default(), name)
    });
    let old = refused.validation_results.iter();
    new.chain(old.map(|detail| (detail.error.as_deref().unwrap_or_default(), detail.name.as_deref())))
}

/// The id of the contact that is in the way stands in the message alone.
fn existing(message: &str) -> Option<RecordId> {
    let (_, rest) = message.split_once(EXISTING)?;
    let digits: String = rest.trim_start().chars().take_while(char::is_ascii_digit).collect();
    (!digits.is_empty()).then(|| RecordId::new(digits))
}

/// Longest code that is kept.
const CODE_CHARS_MAX: usize = 60;

fn with_code(mut error: Error, refused: &Refused) -> Error {
    let codes = [
        details(refused).map(|(code, _)| code).find(|code| !code.is_empty()),
        refused.policy_name.as_deref(),
        refused.category.as_deref(),
        refused.error_type.as_deref(),
    ];
    let is_word = |code: &&str| {
        (1..=CODE_CHARS_MAX).contains(&code.len())
            && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    error.code = codes.into_iter().flatten().find(is_word).map(str::to_owned);
    error
}
