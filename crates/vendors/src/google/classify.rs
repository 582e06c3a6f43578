//! What a refusal means: a kind and a retry verdict for the engine, a sentence for people. Of the vendor's words only the
//! reason is kept; the message, which may repeat values, is left out. Pure.
//! <https://developers.google.com/workspace/calendar/api/guides/errors>, read 2026-11.

use std::time::Duration;

use syncline_connect::{Error, ErrorKind, Retry};

use super::wire::Refusal;

/// Longest that we let ourselves be told to wait.
const WAIT_MAX: Duration = Duration::from_secs(3600);

/// How long a limit counted by the minute is waited for where nothing says how long.
const MINUTE: Duration = Duration::from_secs(60);

/// How long until quota of a day may be there again where nothing says when.
const QUOTA_PAUSE: Duration = Duration::from_secs(3600);

/// Longest reason that is kept.
const REASON_CHARS_MAX: usize = 60;

/// The error of a call that was refused. The same status means several things; the reason tells.
pub fn of_call(op: &'static str, status: u16, refusal: &Refusal, wait: Option<Duration>) -> Error {
    let reason = refusal.error.errors.iter().find_map(|detail| detail.reason.as_deref()).unwrap_or_default();
    let after = |least: Duration| Retry::After(wait.unwrap_or(least).clamp(Duration::from_secs(1), WAIT_MAX));
    let (kind, retry, says) = match (status, reason) {
        (403 | 429, "rateLimitExceeded" | "userRateLimitExceeded") | (429, _) => {
            (ErrorKind::RateLimited, after(MINUTE), "too many calls in a short time")
        }
        (403, "quotaExceeded" | "dailyLimitExceeded" | "calendarUsageLimitsExceeded") => {
            (ErrorKind::DailyLimit, after(QUOTA_PAUSE), "Google's quota for the calendar is used up")
        }
        (403, "accessNotConfigured") => (
            ErrorKind::Configuration,
            Retry::Never,
            "the Calendar API is not switched on in the app's Google Cloud project; switch it on there",
        ),
        (403, "insufficientPermissions") => (
            ErrorKind::Forbidden,
            Retry::Never,
            "the account was connected without a permission that this needs; connect it again and leave all boxes ticked",
        ),
        (403, _) => (ErrorKind::Forbidden, Retry::Never, "the account may not do this with the calendar"),
        (401, _) => (ErrorKind::Unauthorised, Retry::Reauthorise, "the access token is no longer good"),
        (404 | 410, _) => (ErrorKind::Gone, Retry::Never, "the calendar or event is not there"),
        (300..=399, _) => (
            ErrorKind::Configuration,
            Retry::Never,
            "Google points to another address; check the settings of the connection",
        ),
        (500..=599, _) => (ErrorKind::Unavailable, after(MINUTE), "Google Calendar cannot answer just now"),
        _ => (ErrorKind::Invalid, Retry::Never, "Google Calendar refused the call"),
    };
    let mut error = Error::new(kind, retry, op, says);
    let is_word = !reason.is_empty()
        && reason.len() <= REASON_CHARS_MAX
        && reason.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    error.code = is_word.then(|| reason.to_owned());
    error
}

/// The error of a write that was refused. Where Google, or what stands before it, gave up half-way, it may have been
/// carried out all the same.
pub fn of_write(op: &'static str, status: u16, refusal: &Refusal, wait: Option<Duration>) -> Error {
    let error = of_call(op, status, refusal, wait);
    match status {
        408 | 500 | 502 | 504 => Error {
            kind: ErrorKind::UnknownOutcome,
            retry: Retry::Backoff,
            message: "Google Calendar gave up half-way".to_owned(),
            ..error
        },
        _ => error,
    }
}

/// The error of a channel that was refused: for what Google says of our address, what to do about it.
pub fn of_watch(op: &'static str, status: u16, refusal: &Refusal, wait: Option<Duration>) -> Error {
    let error = of_write(op, status, refusal, wait);
    let says = match error.code.as_deref() {
        Some("pushNotSupportedForRequestedResource") => "Google does not tell of changes of this calendar",
        _ if refusal.error.errors.iter().filter_map(|detail| detail.reason.as_deref()).any(is_about_address) => {
            "Google does not call our public address; it has to be https with a certificate that everybody trusts"
        }
        _ => return error,
    };
    Error { message: says.to_owned(), ..error }
}

/// Reasons such as `push.webhookUrlNotHttps`.
fn is_about_address(reason: &str) -> bool {
    reason.to_ascii_lowercase().contains("webhookurl")
}
