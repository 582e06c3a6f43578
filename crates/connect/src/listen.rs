//! The facet of an account that announces what changes while it changes, over an exchange that stays open. What is
//! announced is a hint to look, never a value: whoever listens reads the record. Polls go on beside it, so that an
//! announcement which is lost costs time and nothing else. Nothing here waits by a clock, repeats, stores or logs.

use std::collections::BTreeSet;

use syncline_core::ids::RecordId;

use crate::{BoxFuture, Cx, Error, Settings};

/// Announces changes.
pub trait Listen: Send + Sync {
    /// Whether the connection's settings ask for it.
    fn wanted(&self, settings: &Settings) -> bool;

    /// Begins to listen. A place that the vendor does not know any more is [`crate::ErrorKind::Gone`]: then it begins
    /// anew without one.
    fn open<'a>(&'a self, cx: &'a Cx<'a>, from: Opening<'a>) -> BoxFuture<'a, Result<Box<dyn Announcements>, Error>>;
}

/// Where and for what to listen.
#[derive(Debug, Clone, Copy)]
pub struct Opening<'a> {
    /// The account's own name for itself, as [`crate::TokenSet::account`] has it.
    pub account: Option<&'a str>,
    /// The place of the last announcement that was taken in: what comes behind it is announced. Absent: what is
    /// announced from now on, which begins with a hint to read everything.
    pub place: Option<&'a str>,
    /// The kinds that matter.
    pub kinds: &'a BTreeSet<String>,
}

/// An exchange that is open. An error ends it; where to go on is the caller's business.
pub trait Announcements: Send {
    /// Waits for what is announced next, or for a sign of life. May be given up at any moment without losing anything.
    fn next<'a>(&'a mut self, cx: &'a Cx<'a>) -> BoxFuture<'a, Result<Heard, Error>>;
}

/// What was announced at once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Heard {
    pub hints: Vec<Hint>,
    /// The place behind it, opaque to everybody but the connector; to be kept once the hints are seen to, never before.
    pub place: Option<String>,
}

/// A hint to look.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hint {
    /// A record was made, changed, deleted or brought back.
    Record {
        kind: String,
        id: RecordId,
        /// It was our own write.
        ours: bool,
    },
    /// Something of a kind changed, and which is not told.
    Kind { kind: String },
    /// Anything may have changed.
    Everything,
}
