//! What a refusal means for us: by the precondition that it names first, and by its status then (RFC 4918, section 16). Pure.

use std::time::Duration;

use syncline_connect::{Error, ErrorKind, Retry};

/// Longest that we let ourselves be told to wait.
const WAIT_MAX: Duration = Duration::from_secs(24 * 3600);

/// Longest code that is kept.
const CODE_CHARS_MAX: usize = 60;

/// What a server says of an event that it does not take (RFC 4791, section 5.3.2.1, and RFC 6638, section 3.2.4).
const UNFIT: [&str; 11] = [
    "supported-calendar-data",
    "valid-calendar-data",
    "valid-calendar-object-resource",
    "supported-calendar-component",
    "max-resource-size",
    "min-date-time",
    "max-date-time",
    "max-instances",
    "max-attendees-per-instance",
    "same-organizer-in-all-components",
    "allowed-organizer-scheduling-object-change",
];

/// A call that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub status: u16,
    pub conditions: Vec<String>,
    pub wait: Option<Duration>,
}

impl Refusal {
    pub fn names(&self, condition: &str) -> bool {
        self.conditions.iter().any(|known| known == condition)
    }

    /// Whether the token is no longer known: servers say so by the precondition under several statuses, or by a status that
    /// otherwise says that the question is wrong.
    pub fn is_of_token(&self) -> bool {
        self.names("valid-sync-token") || matches!(self.status, 400 | 410 | 501)
    }

    /// Whether the server may know the answer another way: it is neither busy nor unwilling to talk with us.
    pub fn is_of_question(&self) -> bool {
        !matches!(self.status, 300..=399 | 401 | 404 | 408 | 410 | 423 | 429 | 502..=504)
            && !self.names("need-privileges")
    }

    /// The error that it makes.
    pub fn error(&self, op: &'static str) -> Error {
        let later = self.wait.map_or(Retry::Backoff, |wait| Retry::After(wait.clamp(Duration::from_secs(1), WAIT_MAX)));
        let (kind, retry, says) = match self.status {
            300..=399 => (ErrorKind::Configuration, Retry::Never, "the server points to another address; check `url`"),
            401 => (ErrorKind::Unauthorised, Retry::Never, "the server does not accept the user's name or password"),
            403 => (ErrorKind::Forbidden, Retry::Never, "the account may not look at this"),
            404 | 410 => (ErrorKind::Gone, Retry::Never, "there is nothing at this address any more"),
            405 => (ErrorKind::Configuration, Retry::Never, "there is no calendar server at this address; check `url`"),
            408 => (ErrorKind::Unavailable, later, "the server cannot answer just now"),
            423 => (ErrorKind::Locked, later, "somebody else is writing there"),
            429 => (ErrorKind::RateLimited, later, "the server takes no more calls for now"),
            500..=599 => (ErrorKind::Unavailable, later, "the server cannot answer just now"),
            _ => (ErrorKind::Protocol, Retry::Never, "the server does not understand what is asked"),
        };
        let mut error = Error::new(kind, retry, op, says);
        let is_word = |code: &&String| {
            (1..=CODE_CHARS_MAX).contains(&code.len())
                && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        error.code = Some(self.conditions.iter().find(is_word).cloned().unwrap_or_else(|| self.status.to_string()));
        error
    }

    /// Whether somebody else may change that and we may not (RFC 6638, section 3.2.4.4).
    pub fn is_of_guest(&self) -> bool {
        self.names("allowed-attendee-scheduling-object-change")
    }

    /// Whether the calendar has the event under another address (RFC 4791, section 5.3.2.1).
    pub fn is_of_uid(&self) -> bool {
        self.names("no-uid-conflict") || self.names("unique-scheduling-object-resource")
    }

    /// Whether it is the server's word for a version that is no longer the last one. Some say with the same status that
    /// they do not take the event.
    pub fn is_of_version(&self) -> bool {
        self.status == 412 && !self.is_unfit() && !self.is_of_uid() && !self.is_of_guest()
    }

    fn is_unfit(&self) -> bool {
        UNFIT.iter().any(|condition| self.names(condition))
    }

    /// The error that it makes of a write. Where the server, or what stands before it, gave up half-way, it may have been
    /// carried out all the same.
    pub fn error_of_write(&self, op: &'static str) -> Error {
        let error = self.error(op);
        let unknown = (ErrorKind::UnknownOutcome, Retry::Backoff, "the server gave up half-way");
        let (kind, retry, says) = match self.status {
            _ if self.is_unfit() => (ErrorKind::Invalid, Retry::Never, "the server does not take the event"),
            507 => (ErrorKind::Forbidden, Retry::Never, "the account has no room left"),
            _ if self.names("quota-not-exceeded") => {
                (ErrorKind::Forbidden, Retry::Never, "the account has no room left")
            }
            403 => (ErrorKind::Forbidden, Retry::Never, "the account may not write there"),
            400 | 409 | 412 | 413 | 415 | 422 => {
                (ErrorKind::Invalid, Retry::Never, "the server does not take the event")
            }
            408 | 500 | 502 | 504 => unknown,
            _ => return error,
        };
        Error { kind, retry, message: says.to_owned(), ..error }
    }
}
