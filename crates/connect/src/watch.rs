//! The facet of a calendar account whose vendor tells when a calendar has changed: a watch, which is asked for, lasts for a
//! time, and is made to last longer or followed by another. What is told is a hint to look, never the truth: calendars are
//! read as they always are, only sooner. When to ask for one, and what is kept of it, is not decided here.

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::{Answered, BoxFuture, Cx, Error, Hook, RawRequest, Secret, calendar::CalendarId};

/// Has changes of calendars told. A connector never sleeps, retries, refreshes, stores or logs.
pub trait Watches: Send + Sync {
    /// Begins to have told that something in the calendar has changed. `name` is a name of ours, never used before, for
    /// vendors that give none themselves; the hook's secret comes with whatever is told.
    fn begin<'a>(
        &'a self,
        cx: &'a Cx<'a>,
        calendar: &'a CalendarId,
        name: &'a str,
        hook: &'a Hook,
    ) -> BoxFuture<'a, Result<Answered<Watch>, Error>>;

    /// Makes it last longer, and says until when. `None` where only another one can follow it.
    fn renew<'a>(
        &'a self,
        cx: &'a Cx<'a>,
        watch: &'a Watch,
    ) -> BoxFuture<'a, Result<Answered<Option<Timestamp>>, Error>>;

    /// Ends it. One that there is no more has ended.
    fn end<'a>(&'a self, cx: &'a Cx<'a>, watch: &'a Watch) -> BoxFuture<'a, Result<Answered<()>, Error>>;

    /// Whether a watch begins only once the vendor has reached us. Where it need not have, the first notice shows that it can.
    fn tries_first(&self) -> bool;

    /// What the vendor is to be answered, as plain text, where a request with this query only asks whether the address is
    /// ours. Pure.
    fn challenge(&self, query: &str) -> Option<String>;

    /// What a request says, at most [`NOTICES_MAX`] times. Pure; any bytes may come, and what cannot be read says nothing.
    /// Nothing of it is to be believed before its secret is found to be that of its watch.
    fn notices(&self, raw: &RawRequest) -> Vec<Notice>;
}

/// Notices of one request that are read: an account has a few calendars, and whatever is told of one says the same.
pub const NOTICES_MAX: usize = 1_000;

/// A watch, as its vendor knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watch {
    pub id: String,
    /// What the vendor calls what is watched, where that is needed to end it.
    pub resource: Option<String>,
    pub until: Timestamp,
}

/// What a vendor says of one watch.
#[derive(Debug, Clone)]
pub struct Notice {
    /// The watch's id.
    pub watch: String,
    /// What came as its secret.
    pub secret: Secret,
    pub says: Says,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Says {
    /// It has begun.
    Begun,
    /// The calendar has changed, or may have without its being told.
    Changed,
    /// It stops to tell unless it is renewed now.
    Renew,
    /// It has ended before its time.
    Ended,
}

/// What is kept of a secret text to know it again by. Nobody can turn it back where the text is a long random one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark(pub [u8; 32]);

impl Mark {
    pub fn of(text: &str) -> Self {
        Self(Sha256::digest(text.as_bytes()).into())
    }

    /// Whether this is the text. Neither length nor content shows in the time.
    pub fn is_of(&self, text: &str) -> bool {
        self.0.ct_eq(&Self::of(text).0).into()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Mark;

    proptest! {
        /// proves: sec:S22: only the very same text is known again, whatever its length.
        #[test]
        fn a_text_is_known_again_by_its_mark(text in ".{0,80}", other in ".{0,80}") {
            let mark = Mark::of(&text);
            prop_assert!(mark.is_of(&text));
            prop_assert_eq!(mark.is_of(&other), text == other);
            prop_assert!(!mark.is_of(&(text + "x")));
        }
    }
}
