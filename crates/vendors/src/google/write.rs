//! What is written to a calendar: made under an id of ours, changed and deleted by its version. What is said of an event
//! stands in `draft`.

use jiff::tz::TimeZone;
use serde_json::{Value, json};
use syncline_connect::{
    Cx, Error, ErrorKind, Retry,
    calendar::{CalendarId, EventWrite, WriteOutcome},
};
use syncline_core::calendar::{
    event::{Content, Etag, Event, EventId},
    identity::Rid,
    zone,
};

use super::{
    api::{self, Answer, Refused},
    convert,
    draft::{self, Unsayable},
    wire::Item,
};
use crate::guests::Guests;

/// Calls of one write: the event as it is and the write, or the write and what its refusal was about.
pub const CALLS_MAX: u32 = 2;

/// One write, and its calls.
pub struct Writing<'a> {
    cx: &'a Cx<'a>,
    calendar: &'a CalendarId,
    pub calls: u32,
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

    /// One occurrence of a series as it is now. What instances are called is not documented: they are asked for by their time.
    pub async fn occurrence(&mut self, series: &EventId, rid: Rid) -> Result<Option<Event>, Error> {
        self.calls += 1;
        let Some(page) = api::instances(self.cx, self.calendar, series, rid).await? else { return Ok(None) };
        let home = page.time_zone.as_deref().and_then(|name| zone::zone(name).ok()).unwrap_or(TimeZone::UTC);
        let rows = page.items.into_iter().filter(|item| !item.is_cancelled());
        Ok(rows.map(|item| convert::event(item, &home)).find(|event| event.rid == rid))
    }

    async fn create(&mut self, seed: &[u8; 32], content: &Content, tell: bool) -> Result<WriteOutcome, Error> {
        let id = EventId(draft::id(seed));
        let body = draft::made(&id.0, content).map_err(|why| refused("make event", why))?;
        self.calls += 1;
        match api::insert(self.cx, self.calendar, &body, tell).await? {
            Answer::Done(item) => written(item),
            Answer::Refused(refused) if refused.status == 409 => match self.item(&id).await? {
                Some(item) if item.is_cancelled() => Ok(WriteOutcome::Gone),
                Some(item) => written(Some(Box::new(item))),
                None => Err(refused.error()),
            },
            Answer::Refused(refused) => Err(refused.error()),
        }
    }

    async fn update(&mut self, event: &Event, content: &Content, tell: bool) -> Result<WriteOutcome, Error> {
        const OP: &str = "change event";
        let from = event
            .content()
            .ok_or_else(|| Error::new(ErrorKind::Invalid, Retry::Never, OP, "what is not known cannot be changed"))?;
        let mut body = draft::changed(from, content).map_err(|why| refused(OP, why))?;
        let guests = Guests::between(from, content);
        if body.is_empty() && guests.is_empty() {
            return Ok(WriteOutcome::Written(Box::new(event.clone())));
        }
        // Without a version nobody knows whether it is what was read.
        let Some(etag) = &event.etag else { return Ok(WriteOutcome::Changed) };
        if !guests.is_empty() {
            // The list is replaced as a whole, and its rows hold more than is read of them.
            let Some(now) = self.whole(&event.id).await? else { return Ok(WriteOutcome::Gone) };
            if now["etag"].as_str() != Some(&etag.0) {
                return Ok(WriteOutcome::Changed);
            }
            if now["attendeesOmitted"] == true {
                return Err(refused(OP, Unsayable::HiddenGuests));
            }
            body.insert("attendees".into(), draft::seated(&guests, rows(&now)).into());
        }
        self.patch(&event.id, etag, &body.into(), tell).await
    }

    async fn delete(&mut self, id: &EventId, etag: Option<&Etag>, tell: bool) -> Result<WriteOutcome, Error> {
        self.calls += 1;
        match api::delete(self.cx, self.calendar, id, etag, tell).await? {
            Answer::Done(_) => Ok(WriteOutcome::Deleted),
            // A version that is no longer the event's may be that of its deletion.
            Answer::Refused(refused) if refused.status == 412 => {
                let now = self.item(id).await?;
                let is_there = now.is_some_and(|item| !item.is_cancelled());
                Ok(if is_there { WriteOutcome::Changed } else { WriteOutcome::Gone })
            }
            Answer::Refused(refused) => not_done(&refused),
        }
    }

    async fn decline(
        &mut self,
        id: &EventId,
        etag: Option<&Etag>,
        rep: &str,
        tell: bool,
    ) -> Result<WriteOutcome, Error> {
        const OP: &str = "decline event";
        let Some(now) = self.whole(id).await? else { return Ok(WriteOutcome::Gone) };
        let version = now["etag"].as_str().map(|etag| Etag(etag.to_owned()));
        if etag.is_some_and(|etag| version.as_ref() != Some(etag)) {
            return Ok(WriteOutcome::Changed);
        }
        let error = |kind, message: &str| Error::new(kind, Retry::Never, OP, message);
        let version = version.ok_or_else(|| error(ErrorKind::Protocol, "the event has no version"))?;
        let Some(row) = draft::declined(rows(&now), rep) else {
            return Err(error(ErrorKind::Invalid, "nobody can decline who is not among the guests"));
        };
        if rows(&now).contains(&row) {
            return written(serde_json::from_value(now).ok());
        }
        // Told so, Google takes the row for one guest's answer and leaves the others alone.
        let body = json!({"attendeesOmitted": true, "attendees": [row]});
        self.patch(id, &version, &body, tell).await
    }

    async fn patch(&mut self, id: &EventId, etag: &Etag, body: &Value, tell: bool) -> Result<WriteOutcome, Error> {
        self.calls += 1;
        match api::patch(self.cx, self.calendar, id, etag, body, tell).await? {
            Answer::Done(item) => written(item),
            Answer::Refused(refused) => not_done(&refused),
        }
    }

    async fn item(&mut self, id: &EventId) -> Result<Option<Item>, Error> {
        self.calls += 1;
        api::event(self.cx, self.calendar, id).await
    }

    /// The event with everything that is in it, where it is there.
    async fn whole(&mut self, id: &EventId) -> Result<Option<Value>, Error> {
        self.calls += 1;
        let now: Option<Value> = api::event(self.cx, self.calendar, id).await?;
        Ok(now.filter(|now| now["status"] != "cancelled"))
    }
}

fn rows(event: &Value) -> &[Value] {
    event["attendees"].as_array().map_or(&[], Vec::as_slice)
}

/// The event as it came back. It names its zone itself; a whole day is the same in all.
fn written(item: Option<Box<Item>>) -> Result<WriteOutcome, Error> {
    let unread = || {
        let says = "the answer does not tell of the event that was written";
        Error::new(ErrorKind::UnknownOutcome, Retry::Backoff, "write event", says)
    };
    let item = item.ok_or_else(unread)?;
    Ok(WriteOutcome::Written(Box::new(convert::event(*item, &TimeZone::UTC))))
}

/// What a refusal of a change means.
fn not_done(refused: &Refused) -> Result<WriteOutcome, Error> {
    match refused.status {
        404 | 410 => Ok(WriteOutcome::Gone),
        412 => Ok(WriteOutcome::Changed),
        403 if refused.is_for("forbiddenForNonOrganizer") => Ok(WriteOutcome::NotOrganizer),
        _ => Err(refused.error()),
    }
}

fn refused(op: &'static str, why: Unsayable) -> Error {
    Error::new(ErrorKind::Invalid, Retry::Never, op, why.sentence())
}
