//! One error for every vendor: a kind and a retry verdict for the engine, a sentence for the person.

use std::time::Duration;

use syncline_core::{
    ids::RecordId,
    record::{Field, Role, Slot},
};

/// What went wrong with a call or with one booking's graph within it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{op}: {message}")]
pub struct Error {
    pub kind: ErrorKind,
    pub retry: Retry,
    /// What was tried, in our words: `find`, `write`, `refresh token`.
    pub op: &'static str,
    /// The vendor's own error code, where it gave one.
    pub code: Option<String>,
    /// One sentence, lower case, without secrets or values of fields.
    pub message: String,
    /// The record of the graph that was refused, where it is known.
    pub slot: Option<Slot>,
    /// The fields that were refused, where the vendor names them.
    pub fields: Vec<Field>,
    /// The records that a duplicate rule takes for the same, where it names them, best first.
    pub matches: Vec<(Role, RecordId)>,
}

/// The cases that the engine tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The request never left.
    Unreachable,
    /// The request left and nobody knows whether it was applied: look before repeating.
    UnknownOutcome,
    /// The vendor is down, overloaded or in maintenance.
    Unavailable,
    /// Too many calls in a short time.
    RateLimited,
    /// The day's calls are used up: the connection pauses.
    DailyLimit,
    /// Another transaction holds the row.
    Locked,
    /// The access token is no longer good: refresh once.
    Unauthorised,
    /// The grant is gone: a person must reconnect.
    Revoked,
    /// The account may not do this: a person must grant it.
    Forbidden,
    /// The record we know is gone (deleted or merged).
    Gone,
    /// The record we know is a lead that was converted.
    Converted,
    /// A record with the same unique key exists; reading it again settles it.
    KeyTaken,
    /// A duplicate rule of the CRM stopped the record.
    DuplicateRule,
    /// The owner cannot own records: the next in the waterfall takes its place.
    Owner,
    /// A reference points at nothing that we may see.
    Reference,
    /// The values do not pass the CRM's checks: a person must act.
    Invalid,
    /// A field is not there or not writable.
    Field,
    /// The answer is not what the vendor documents.
    Protocol,
    /// Our own settings cannot work.
    Configuration,
}

/// What the engine may do about it without a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    Never,
    Backoff,
    After(Duration),
    /// Refresh the access token, once, and repeat.
    Reauthorise,
    /// Look again with fresh facts and plan anew.
    Replan,
}

impl Error {
    /// Whether any further call would end the same way: what stands in the way is not the record.
    pub fn meets_every_call(&self) -> bool {
        matches!(
            self.kind,
            ErrorKind::Unreachable
                | ErrorKind::UnknownOutcome
                | ErrorKind::Unavailable
                | ErrorKind::RateLimited
                | ErrorKind::Revoked
                | ErrorKind::Forbidden
                | ErrorKind::Configuration
        )
    }

    /// An error without code, slot or fields.
    pub fn new(kind: ErrorKind, retry: Retry, op: &'static str, message: impl Into<String>) -> Self {
        Self {
            kind,
            retry,
            op,
            code: None,
            message: message.into(),
            slot: None,
            fields: Vec::new(),
            matches: Vec::new(),
        }
    }
}
