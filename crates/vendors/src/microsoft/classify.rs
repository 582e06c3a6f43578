//! What a refusal means: a kind and a retry verdict for the engine, a sentence for people. Of the vendor's words only the
//! code is kept; the message, which may repeat values, is left out. Pure.
//! <https://learn.microsoft.com/en-us/graph/errors>, read 2026-11.

use std::time::Duration;

use syncline_connect::{Error, ErrorKind, Retry};

use super::wire::Refusal;

/// Longest that we let ourselves be told to wait.
const WAIT_MAX: Duration = Duration::from_secs(3600);

/// How long is waited where nothing says how long.
const MINUTE: Duration = Duration::from_secs(60);

/// Longest code that is kept.
const CODE_CHARS_MAX: usize = 60;

/// Codes, in lower case, that say that there are too many calls at a time, whatever the status.
const BUSY: [&str; 4] = ["mailboxconcurrency", "applicationthrottled", "toomanyrequests", "activitylimitreached"];

/// Codes of a mailbox that there is not, or not any more.
const NO_MAILBOX: [&str; 3] =
    ["mailboxnotenabledforrestapi", "mailboxnothostedinexchangeonline", "mailboxnotsupportedforrestapi"];

/// Codes of a delta whose token is no longer good; documents write them in different cases.
const EXPIRED: [&str; 4] = ["syncstatenotfound", "resyncrequired", "syncstateinvalid", "invaliddeltatoken"];

/// What a single event's absence is called.
const NOT_FOUND: &str = "erroritemnotfound";

/// What it is called that a name that a client chose was used before: no document has it, programs have met it under
/// several statuses.
const NAME_TAKEN: &str = "errorduplicatetransactionid";

/// The error of a call that was refused.
pub fn of_call(op: &'static str, status: u16, refusal: &Refusal, wait: Option<Duration>) -> Error {
    let given = refusal.error.code.as_deref().unwrap_or_default();
    let code = given.to_ascii_lowercase();
    let after = || Retry::After(wait.unwrap_or(MINUTE).clamp(Duration::from_secs(1), WAIT_MAX));
    let (kind, retry, says) = match status {
        _ if NO_MAILBOX.contains(&code.as_str()) => (
            ErrorKind::Forbidden,
            Retry::Never,
            "the account has no mailbox at Microsoft 365, or none that apps may read",
        ),
        429 => (ErrorKind::RateLimited, after(), "too many calls in a short time"),
        _ if BUSY.contains(&code.as_str()) => (ErrorKind::RateLimited, after(), "too many calls in a short time"),
        _ if is_expired(status, refusal) => {
            (ErrorKind::Unavailable, after(), "Microsoft Graph does not know any more how far was read")
        }
        401 => (ErrorKind::Unauthorised, Retry::Reauthorise, "the access token is no longer good"),
        403 => (
            ErrorKind::Forbidden,
            Retry::Never,
            "the account may not do this with the calendar; connect it again, or ask the tenant's administrator",
        ),
        404 => (ErrorKind::Gone, Retry::Never, "the calendar or event is not there"),
        300..=399 => (
            ErrorKind::Configuration,
            Retry::Never,
            "Microsoft points to another address; check the settings of the connection",
        ),
        408 | 500..=599 => (ErrorKind::Unavailable, after(), "Microsoft Graph cannot answer just now"),
        _ => (ErrorKind::Invalid, Retry::Never, "Microsoft Graph refused the call"),
    };
    let mut error = Error::new(kind, retry, op, says);
    let is_word = !given.is_empty()
        && given.len() <= CODE_CHARS_MAX
        && given.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.'));
    error.code = is_word.then(|| given.to_owned());
    error
}

/// The error of a write that was refused. Where Microsoft, or what stands before it, gave up half-way, it may have been
/// carried out all the same.
pub fn of_write(op: &'static str, status: u16, refusal: &Refusal, wait: Option<Duration>) -> Error {
    let error = of_call(op, status, refusal, wait);
    match status {
        408 | 500 | 502 | 504 if error.kind == ErrorKind::Unavailable => Error {
            kind: ErrorKind::UnknownOutcome,
            retry: Retry::Backoff,
            message: "Microsoft Graph gave up half-way".to_owned(),
            ..error
        },
        _ => error,
    }
}

/// Whether something was made under this name before.
pub fn is_name_taken(refusal: &Refusal) -> bool {
    refusal.error.code.as_ref().is_some_and(|code| code.eq_ignore_ascii_case(NAME_TAKEN))
}

/// Whether a delta has to be begun anew.
pub fn is_expired(status: u16, refusal: &Refusal) -> bool {
    let is_code = |code: &String| EXPIRED.iter().any(|known| known.eq_ignore_ascii_case(code));
    status == 410 || (400..500).contains(&status) && refusal.error.code.as_ref().is_some_and(is_code)
}

/// Whether the calendar says that there is no such event, and not that something else is missing.
pub fn is_gone(status: u16, refusal: &Refusal) -> bool {
    status == 404 && refusal.error.code.as_ref().is_some_and(|code| code.eq_ignore_ascii_case(NOT_FOUND))
}
