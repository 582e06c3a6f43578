//! The facets of a calendar account: which calendars it has and what changed in one of them; and what is written to them.
//! When to ask, what is kept, what is written and what any of it means for the CRM is not decided here.

use std::time::Duration;

use jiff::Timestamp;
use syncline_core::calendar::{
    event::{Content, Etag, Event, EventId},
    identity::Rid,
};

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

/// Writes to calendars. A connector never sleeps, retries, refreshes, stores or logs.
///
/// Every write may be sent again as it is, whatever became of it the first time: it is done once, and nobody is told of it
/// twice. Making is bound to a name that the seed gives; changing, declining and deleting are bound to the version that was
/// read. Whoever reads again instead sends only what still differs, and so tells nothing twice, either.
///
/// `tell` asks whether guests are to hear of it from the calendar. Without it calendars may still tell people who share
/// them, and one that speaks to guests by itself ([`CalendarWrites::tells`]) goes on telling those whom it told before; whoever
/// comes while nobody is to be told may never hear of anything from it. One that cannot keep silent refuses what guests
/// would hear of ([`ErrorKind::Invalid`](crate::ErrorKind::Invalid)).
pub trait CalendarWrites: Send + Sync {
    /// Writes, and answers the event as the calendar has it afterwards.
    ///
    /// # Errors
    /// Nothing was written, or ([`ErrorKind::UnknownOutcome`](crate::ErrorKind::UnknownOutcome)) nobody knows.
    fn write<'a>(
        &'a self,
        cx: &'a Cx<'a>,
        calendar: &'a CalendarId,
        write: &'a EventWrite<'a>,
    ) -> BoxFuture<'a, Result<Answered<WriteOutcome>, Error>>;

    /// One occurrence of a series as it is now, whether or not it differs from the others: under a name and of a version that
    /// [`CalendarWrites::write`] takes, so that it is changed, declined or deleted alone. `None` where the series, which is
    /// called as the calendar calls it, does not have it, or is not there.
    fn occurrence<'a>(
        &'a self,
        cx: &'a Cx<'a>,
        calendar: &'a CalendarId,
        series: &'a EventId,
        rid: Rid,
    ) -> BoxFuture<'a, Result<Answered<Option<Event>>, Error>>;

    /// Whether the calendar itself tells guests. Where it does not, `tell` changes nothing, and whoever writes mails
    /// [`CalendarWrites::invitation`] or nobody hears of anything.
    fn tells<'a>(&'a self, cx: &'a Cx<'a>, calendar: &'a CalendarId) -> BoxFuture<'a, Result<Answered<bool>, Error>>;

    /// What is to be mailed where the calendar tells nobody. `events`: a meeting, or a series with its overrides, as
    /// [`CalendarWrites::write`] answered them. `None`: there is nothing to be said, or nothing that may be.
    fn invitation(&self, _message: Message<'_>, _events: &[Event], _now: Timestamp) -> Option<Invitation> {
        None
    }

    /// Calls that one write costs at the most, and looking for an occurrence.
    fn calls_per_write(&self) -> u32;
}

/// One write to one event.
#[derive(Debug, Clone, Copy)]
pub enum EventWrite<'a> {
    /// Makes an event that is called after the seed: one seed, one event. Where one of it is there already, that one is the
    /// answer, as it is now. Guests are invited by `content.organizer`, which a calendar that has but one owner fills in by
    /// itself.
    Create { seed: &'a [u8; 32], content: &'a Content, tell: bool },
    /// Changes what differs between the event as it was read and the content that it is to have; whatever else is in the
    /// event stays. Guests come and go by address and take their part; what they answered is theirs and is never written.
    /// Where nothing differs, nothing is sent. Organisers, kinds and occurrences that differ from their series are not
    /// changed: an event keeps those it has. One of [`CalendarWrites::occurrence`] differs from its series from then on.
    Update { event: &'a Event, content: &'a Content, tell: bool },
    /// Takes the event away: the organiser's for everybody, and an occurrence out of its series. Without a version,
    /// whatever it is now.
    Delete { id: &'a EventId, etag: Option<&'a Etag>, tell: bool },
    /// Answers for this one guest that he does not come. `rep`: his address, in the form in which addresses are compared.
    /// Without a version, whatever the event is now.
    Decline { id: &'a EventId, etag: Option<&'a Etag>, rep: &'a str, tell: bool },
}

/// What came of a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WriteOutcome {
    /// The event as the calendar has it now, which is how it will come back.
    Written(Box<Event>),
    /// It is not the version that was read: nothing was done, and it is to be read again.
    Changed,
    /// There is no such event. To [`EventWrite::Create`]: there was one of this seed, and somebody deleted it; it is not
    /// made again where the calendar remembers that.
    Gone,
    /// Only its organiser may change that.
    NotOrganizer,
    Deleted,
}

/// What a mail about a meeting says (RFC 5546).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message<'a> {
    /// The organiser invites, or tells what changed.
    Request,
    /// The organiser calls it off; also for those alone who are no longer invited, where the events name no others.
    Cancel,
    /// This guest answers the organiser, as the event has it.
    Reply { rep: &'a str },
}

/// A calendar's part of a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    pub content_type: String,
    pub body: String,
}
