//! What is written to a calendar: made under a name of ours, changed, declined and deleted by the version. What is said of an
//! event stands in `draft`.
//!
//! That a version binds a change is only documented of deletions, so each event is also read right before it is written.

use jiff::{civil::Date, tz::TimeZone};
use serde_json::Value;
use syncline_connect::{
    Cx, Error, ErrorKind, Retry,
    calendar::{CalendarId, EventWrite, WriteOutcome},
};
use syncline_core::calendar::{
    event::{Content, Etag, Event, EventId},
    identity::Rid,
};

use super::{
    api::{self, Answer, Refused},
    convert,
    draft::{self, Unsayable},
    manifest::EXCEPTION_PAGES_MAX,
    wire::Item,
};
use crate::guests::Guests;

/// Calls that find an occurrence: its series, further pages of what differs from it, and the occurrences of its day.
const CALLS_TO_FIND_MAX: u32 = 2 + EXCEPTION_PAGES_MAX;

/// Calls of one write: the event as it is, the write, and what became of an event that was declined.
pub const CALLS_MAX: u32 = 2 * CALLS_TO_FIND_MAX + 1;

/// One write, and its calls.
pub struct Writing<'a> {
    cx: &'a Cx<'a>,
    calendar: &'a CalendarId,
    pub calls: u32,
}

/// An event as it is there now.
struct There {
    /// With everything that is in it.
    row: Value,
    item: Item,
    /// Of an occurrence, its series.
    series: Option<Item>,
}

impl There {
    fn read(row: Value, series: Option<Item>) -> Result<Self, Error> {
        let item = serde_json::from_value(row.clone()).map_err(|_| {
            Error::new(ErrorKind::Protocol, Retry::Backoff, "read event", "the event has a form that is not known")
        })?;
        Ok(Self { row, item, series })
    }

    fn version(&self) -> Option<Etag> {
        self.item.etag.clone().map(Etag)
    }

    fn is_mine(&self) -> bool {
        self.item.is_organizer != Some(false)
    }

    fn rows(&self) -> &[Value] {
        self.row["attendees"].as_array().map_or(&[], Vec::as_slice)
    }
}

/// An event as it is told. `owner`: whose calendar it is, where that matters.
fn told(item: &Item, series: Option<&Item>, owner: Option<&str>) -> WriteOutcome {
    let event = match series {
        Some(series) => convert::occurrence(series, item, owner),
        None => convert::series(item, &[], owner).remove(0),
    };
    WriteOutcome::Written(Box::new(event))
}

impl<'a> Writing<'a> {
    pub fn new(cx: &'a Cx<'a>, calendar: &'a CalendarId) -> Self {
        Self { cx, calendar, calls: 0 }
    }

    /// Writes.
    pub async fn write(&mut self, write: &EventWrite<'_>) -> Result<WriteOutcome, Error> {
        match *write {
            EventWrite::Create { seed, content, tell } => self.create(seed, content, tell).await,
            EventWrite::Update { event, content, tell } => self.update(event, content, tell).await,
            EventWrite::Delete { id, etag, tell } => self.delete(id, etag, tell).await,
            EventWrite::Decline { id, etag, rep, tell } => self.decline(id, etag, rep, tell).await,
        }
    }

    async fn create(&mut self, seed: &[u8; 32], content: &Content, tell: bool) -> Result<WriteOutcome, Error> {
        const OP: &str = "make event";
        let body = draft::made(seed, content).map_err(|why| refused(OP, why))?;
        // For how long a name that we choose is known is told nowhere: the event itself is looked for first.
        if let Some(there) = self.marked(seed).await? {
            return Ok(there);
        }
        if !tell && !content.attendees.is_empty() {
            return Err(refused(OP, Unsayable::Silence));
        }
        self.calls += 1;
        let refusal = match api::insert(self.cx, self.calendar, &body).await? {
            Answer::Done(item) => return written(item, None),
            Answer::Refused(refusal) => refusal,
        };
        let there = match refusal.name_taken() {
            Some(Some(id)) => self.single(id).await?.map(|there| told(&there.item, None, None)),
            Some(None) => self.marked(seed).await?,
            None => return Err(refusal.error()),
        };
        Ok(there.unwrap_or(WriteOutcome::Gone))
    }

    async fn update(&mut self, event: &Event, content: &Content, tell: bool) -> Result<WriteOutcome, Error> {
        const OP: &str = "change event";
        let from = event
            .content()
            .ok_or_else(|| Error::new(ErrorKind::Invalid, Retry::Never, OP, "what is not known cannot be changed"))?;
        let guests = Guests::between(from, content);
        let body = draft::changed(from, content, None).map_err(|why| refused(OP, why))?;
        if body.is_empty() && guests.is_empty() {
            return Ok(WriteOutcome::Written(Box::new(event.clone())));
        }
        // Without a version nobody knows whether it is what was read.
        let Some(etag) = &event.etag else { return Ok(WriteOutcome::Changed) };
        let Some(there) = self.find(&event.id).await? else { return Ok(WriteOutcome::Gone) };
        if there.version().as_ref() != Some(etag) {
            return Ok(WriteOutcome::Changed);
        }
        if !there.is_mine() {
            return Ok(WriteOutcome::NotOrganizer);
        }
        let mut body = draft::changed(from, content, Some(&there.row)).map_err(|why| refused(OP, why))?;
        if !guests.is_empty() {
            // The list is replaced as a whole, and its rows hold more than is read of them.
            body.insert("attendees".into(), draft::seated(&guests, there.rows()).into());
        }
        if !tell && (!there.rows().is_empty() || !guests.come.is_empty()) {
            return Err(refused(OP, Unsayable::Silence));
        }
        self.calls += 1;
        match api::patch(self.cx, self.calendar, &there.item.id, etag, &body.into()).await? {
            Answer::Done(item) => written(item, there.series.as_ref()),
            Answer::Refused(refusal) => not_done(&refusal),
        }
    }

    async fn delete(&mut self, id: &EventId, etag: Option<&Etag>, tell: bool) -> Result<WriteOutcome, Error> {
        let Some(there) = self.find(id).await? else { return Ok(WriteOutcome::Gone) };
        if etag.is_some() && etag != there.version().as_ref() {
            return Ok(WriteOutcome::Changed);
        }
        let is_off = there.item.is_cancelled == Some(true);
        if there.is_mine() && !is_off && !tell && !there.rows().is_empty() {
            return Err(refused("delete event", Unsayable::Silence));
        }
        let real = &there.item.id;
        self.calls += 1;
        // What a guest only deletes, its organiser goes on waiting for.
        let answer = if !there.is_mine() && !is_off && draft::is_answered(&there.row, tell) {
            api::decline(self.cx, self.calendar, real, true).await?
        } else {
            api::delete(self.cx, self.calendar, real, etag).await?
        };
        match answer {
            Answer::Done(_) => Ok(WriteOutcome::Deleted),
            Answer::Refused(refusal) => not_done(&refusal),
        }
    }

    /// The mailbox answers, whoever it is invited as. What it declines leaves the calendar, unless its owner chose to see it.
    async fn decline(
        &mut self,
        id: &EventId,
        etag: Option<&Etag>,
        rep: &str,
        tell: bool,
    ) -> Result<WriteOutcome, Error> {
        let Some(there) = self.find(id).await? else { return Ok(WriteOutcome::Gone) };
        if etag.is_some() && etag != there.version().as_ref() {
            return Ok(WriteOutcome::Changed);
        }
        if there.is_mine() {
            let says = "nobody can decline who is not among the guests";
            return Err(Error::new(ErrorKind::Invalid, Retry::Never, "decline event", says));
        }
        let told = |there: &There| told(&there.item, there.series.as_ref(), Some(rep));
        let answer = there.item.response_status.as_ref().and_then(|status| status.response.as_deref());
        if answer == Some("declined") {
            return Ok(told(&there));
        }
        self.calls += 1;
        let tell = draft::is_answered(&there.row, tell);
        match api::decline(self.cx, self.calendar, &there.item.id, tell).await? {
            Answer::Done(_) => Ok(self.find(id).await?.as_ref().map_or(WriteOutcome::Deleted, told)),
            Answer::Refused(refusal) => not_done(&refusal),
        }
    }

    /// The event that was made of a seed. Somebody's copy of it has the mark, too, but is younger.
    async fn marked(&mut self, seed: &[u8; 32]) -> Result<Option<WriteOutcome>, Error> {
        self.calls += 1;
        let found = api::marked(self.cx, self.calendar, draft::MARK, &draft::mark(seed)).await?.value;
        let first = found.iter().min_by(|one, other| one.created_date_time.cmp(&other.created_date_time));
        Ok(first.map(|item| told(item, None, None)))
    }

    /// One occurrence of a series as it is now.
    pub async fn occurrence(&mut self, series: &EventId, rid: Rid) -> Result<Option<Event>, Error> {
        // Neighbours of the day come along, so that it is among them in whatever zone it was meant.
        let day = match rid {
            Rid::Single => return Ok(None),
            Rid::At(at) => TimeZone::UTC.to_datetime(at).date(),
            Rid::On(day) => day,
        };
        let there = self.part(&series.0, day, &|event| event.rid == rid).await?;
        let told = |there: There| convert::occurrence(there.series.as_ref()?, &there.item, None).into();
        Ok(there.and_then(told))
    }

    /// The event or occurrence of this name; `None` where there is none.
    async fn find(&mut self, id: &EventId) -> Result<Option<There>, Error> {
        let Some((series, day)) = convert::part_of(id) else { return self.single(&id.0).await };
        self.part(series, day, &|event| event.id == *id).await
    }

    /// The occurrence of a series that is meant.
    async fn part(
        &mut self,
        series: &str,
        day: Date,
        is_it: &(dyn Fn(&Event) -> bool + Sync),
    ) -> Result<Option<There>, Error> {
        self.calls += 1;
        let Some(row) = api::event(self.cx, self.calendar, series, true).await? else { return Ok(None) };
        let whole = There::read(row, None)?;
        if whole.item.recurrence.is_none() {
            return Ok(None);
        }
        let mut parts = whole.row["exceptionOccurrences"].as_array().cloned().unwrap_or_default();
        let mut next = whole.item.more_exceptions.clone();
        for _ in 0..EXCEPTION_PAGES_MAX {
            let Some(link) = next.take() else { break };
            self.calls += 1;
            let more = api::exceptions(self.cx, &link).await?;
            parts.extend(more.value);
            next = more.next;
        }
        // One that does not differ is only told beside its neighbours.
        self.calls += 1;
        parts.extend(api::instances(self.cx, self.calendar, series, day).await?.value);
        for row in parts {
            let part = There::read(row, None)?;
            if is_it(&convert::occurrence(&whole.item, &part.item, None)) {
                return Ok(Some(There { series: Some(whole.item), ..part }));
            }
        }
        Ok(None)
    }

    async fn single(&mut self, id: &str) -> Result<Option<There>, Error> {
        self.calls += 1;
        let row = api::event(self.cx, self.calendar, id, false).await?;
        row.map(|row| There::read(row, None)).transpose()
    }
}

/// The event as it came back.
fn written(item: Option<Box<Item>>, series: Option<&Item>) -> Result<WriteOutcome, Error> {
    let unread = || {
        let says = "the answer does not tell of the event that was written";
        Error::new(ErrorKind::UnknownOutcome, Retry::Backoff, "write event", says)
    };
    item.map(|item| told(&item, series, None)).ok_or_else(unread)
}

/// What a refusal of a change means.
fn not_done(refusal: &Refused) -> Result<WriteOutcome, Error> {
    match refusal {
        gone if gone.is_gone() => Ok(WriteOutcome::Gone),
        changed if changed.is_changed() => Ok(WriteOutcome::Changed),
        other => Err(other.error()),
    }
}

fn refused(op: &'static str, why: Unsayable) -> Error {
    Error::new(ErrorKind::Invalid, Retry::Never, op, why.sentence())
}
