//! The facet of a calendar account: which calendars it has, and what changed in one of them. When to ask, what is kept and
//! what any of it means for the CRM is not decided here.

use std::time::Duration;

use jiff::Timestamp;
use syncline_core::calendar::event::{Event, EventId};

use crate::{Answered, BoxFuture, Cx, Error};

/// Reads calendars. A connector never sleeps, retries, refreshes, stores or logs.
pub trait Calendars: Send + Sync {
    /// The calendars that the account shows.
    fn list<'a>(&'a self, cx: &'a Cx<'a>) -> BoxFuture<'a, Result<Answered<Vec<CalendarEntry>>, Error>>;

    /// Reads the next page of what is in a calendar, or of what changed in it. It is safe to read a page twice, and to go
    /// on from a cursor days later. What is private comes without its content.
    fn changes<'a>(
        &'a self,
        cx: &'a Cx<'a>,
        calendar: &'a CalendarId,
        from: From<'a>,
    ) -> BoxFuture<'a, Result<Answered<Changes>, Error>>;

    /// Reads single events as they are now, position by position; `None` only where the calendar says that there is none.
    /// Any failure fails the whole: a missing answer is never "gone".
    fn fetch<'a>(
        &'a self,
        cx: &'a Cx<'a>,
        calendar: &'a CalendarId,
        events: &'a [EventId],
    ) -> BoxFuture<'a, Result<Answered<Vec<Option<Event>>>, Error>>;

    /// How often a calendar is asked unless the operator says otherwise.
    fn every(&self) -> Duration;

    /// Calls that one page costs at the most.
    fn calls_per_page(&self) -> u32;
}

/// A calendar's name at its vendor: an id or, where the vendor has no other, a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CalendarId(pub String);

/// One calendar of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CalendarEntry {
    pub id: CalendarId,
    /// As its owner calls it.
    pub name: String,
    /// The one that is taken where nobody chose.
    pub primary: bool,
    pub writable: bool,
    /// The zone in which times without one are meant, as the vendor names it.
    pub zone: Option<String>,
}

/// Where to go on.
#[derive(Debug, Clone, Copy)]
pub enum From<'a> {
    /// With all that is there.
    Beginning,
    /// Where the last page stopped.
    Cursor(&'a str),
}

/// What a page came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changes {
    Page(Page),
    /// The vendor no longer knows what the cursor stands for: all is to be read anew.
    Expired,
}

/// One page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    pub events: Vec<Event>,
    /// Where to go on; to be kept together with the events or not at all.
    pub cursor: String,
    pub reading: Reading,
    /// The zone in which this calendar means times without one, where the page tells.
    pub zone: Option<String>,
}

/// How far the reading is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// There is more to read now.
    More,
    /// All changes are read.
    Changes,
    /// All that touches this time is read: what would and did not come is not there. Nothing is said of the rest, which may
    /// have come or not. `None`: without a bound.
    Whole { from: Option<Timestamp>, to: Option<Timestamp> },
}

impl Reading {
    /// All that is in the calendar is read.
    pub const EVERYTHING: Self = Reading::Whole { from: None, to: None };
}
