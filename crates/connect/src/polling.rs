//! The facets of a booking source that can also be asked: a poll that finds what lost webhooks did not tell, and the
//! webhook subscription that is watched. Nothing here sleeps, stores or logs; when to ask is the engine's business.

use std::time::Duration;

use jiff::Timestamp;
use syncline_core::booking::message::BookingMessage;
use url::Url;

use crate::{Answered, BoxFuture, Cx, Error, Secret, bookings::Malformed};

/// Reads a source's bookings through its API, page by page.
///
/// A row becomes the same messages that the webhooks about it become, so that it does not matter which of the two
/// arrives, in which order, or how often. What a row knows less well than a webhook is stamped so early that the
/// webhook's word counts.
pub trait Poll: Send + Sync {
    /// Reads the next page. It is safe to read a page twice, and to go on from a cursor days later.
    fn poll<'a>(&'a self, cx: &'a Cx<'a>, start: Start<'a>) -> BoxFuture<'a, Result<Answered<Page>, Error>>;

    /// Where the vendor's own service answers, for those who do not run it themselves.
    fn home(&self) -> &'static str;

    /// How often a source is asked unless the operator says otherwise.
    fn every(&self) -> Duration;

    /// Calls that one page costs at the most.
    fn calls_per_page(&self) -> u32;

    /// Calls that a poll may make in a minute, which leaves the rest of the vendor's limit to others.
    fn calls_per_minute(&self) -> u32;
}

/// Where to go on.
#[derive(Debug, Clone, Copy)]
pub enum Start<'a> {
    /// For the first time: with what changed since then.
    Since(Timestamp),
    /// Where the last page stopped.
    Cursor(&'a str),
}

/// One page of a poll.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    pub rows: Vec<Polled>,
    /// Where to go on; to be kept together with the rows or not at all.
    pub cursor: String,
    /// Whether there is more to read now.
    pub more: bool,
}

/// One booking as the API shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Polled {
    /// The same for every reading of a booking that has not changed: the key of the inbox.
    pub delivery: String,
    /// The row as it came, for a person who wonders.
    pub body: Vec<u8>,
    pub content: Result<Vec<BookingMessage>, Malformed>,
}

/// Sees to it that the source tells us of bookings.
pub trait Subscriptions: Send + Sync {
    /// Makes sure that there is a subscription that works. Repeating it changes nothing.
    fn ensure<'a>(&'a self, cx: &'a Cx<'a>, hook: &'a Hook) -> BoxFuture<'a, Result<Answered<Ensured>, Error>>;
}

/// The subscription that should be there.
#[derive(Debug, Clone)]
pub struct Hook {
    /// Our address for this source or account. Its path is secret.
    pub url: Url,
    /// What the vendor signs with, or sends back.
    pub secret: Secret,
}

/// How the subscription was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ensured {
    Active,
    /// It is there, and the source says that deliveries have been failing since then.
    Failing {
        since: Timestamp,
    },
    /// There was none.
    Created,
    /// It was there but did not work, and does now. One sentence about why.
    Mended {
        why: String,
    },
}
