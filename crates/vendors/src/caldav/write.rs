//! What is written to a calendar: made at an address of ours, changed and deleted by its version. What is written of an event
//! stands in `ics`.
//!
//! A version that a server calls weak, or does not tell, binds no write (RFC 9110, section 13.1.1). The event is then
//! compared with what was read right before it is written; what somebody writes in between is written over.

use jiff::tz::TimeZone;
use syncline_connect::{
    Error, ErrorKind, Retry,
    calendar::{EventWrite, WriteOutcome},
};
use syncline_core::calendar::{
    event::{Body, Content, Etag, Event, EventId, Status},
    identity::{Rid, Uid},
    zone,
};

use super::{
    api::{Api, Depth, Reply},
    classify::Refusal,
    discover,
    ics::{self, Compared, Declined, Origin, Resource},
    wire::{Row, Space, ask},
};

/// Calls of one write: the event as it is, the zone of the calendar, the write, and what the server made of it.
pub const CALLS_MAX: u32 = 4;

/// The word by which a server says that it tells guests itself (RFC 6638, section 2).
const SCHEDULES: &str = "calendar-auto-schedule";

/// A calendar that is written to.
pub struct Writing<'a, 'b> {
    api: &'a mut Api<'b>,
    /// Its path, with a slash at the end.
    calendar: String,
    /// The zone in which it means times without one, once that was asked.
    home: Option<TimeZone>,
}

/// What stands at an address.
struct Stored {
    etag: Option<String>,
    text: String,
    home: TimeZone,
}

impl Stored {
    fn origin<'s>(&'s self, path: &'s str) -> Origin<'s> {
        Origin { resource: path, etag: self.etag.as_deref(), home: &self.home }
    }

    fn event(&self, path: &str, id: &EventId) -> Option<Event> {
        let events = ics::read(&self.text, self.origin(path), &mut Compared::default());
        events.into_iter().find(|event| event.id == *id)
    }
}

impl<'a, 'b> Writing<'a, 'b> {
    pub fn new(api: &'a mut Api<'b>, calendar: &str) -> Result<Self, Error> {
        let mut calendar = api.path(calendar)?;
        if !calendar.ends_with('/') {
            calendar.push('/');
        }
        Ok(Self { api, calendar, home: None })
    }

    /// Whether the server tells guests itself.
    pub async fn tells(&mut self) -> Result<bool, Error> {
        let reply = self.api.options(&self.calendar).await?;
        match reply.status {
            200..=299 => {
                let told = reply.headers.get_all("dav").iter().filter_map(|value| value.to_str().ok());
                Ok(told.flat_map(|value| value.split(',')).any(|word| word.trim().eq_ignore_ascii_case(SCHEDULES)))
            }
            // It does not even say what it can do.
            405 | 501 => Ok(false),
            _ => Err(reply.refusal().error(self.api.op)),
        }
    }

    /// Writes.
    pub async fn write(&mut self, write: &EventWrite<'_>) -> Result<WriteOutcome, Error> {
        match *write {
            EventWrite::Create { seed, content, tell } => self.create(seed, content, tell).await,
            EventWrite::Update { event, content, tell } => self.update(event, content, tell).await,
            EventWrite::Delete { id, etag, .. } => self.delete(id, etag).await,
            EventWrite::Decline { id, etag, rep, .. } => self.decline(id, etag, rep).await,
        }
    }

    /// One occurrence of a series as it is now.
    pub async fn occurrence(&mut self, series: &EventId, rid: Rid) -> Result<Option<Event>, Error> {
        let path = self.api.path(ics::resource(series))?;
        let Some(stored) = self.stored(&path).await? else { return Ok(None) };
        let mut resource = self.resource(&stored, &path)?;
        Ok(resource.meant(&ics::occurrence(series, rid)).filter(|event| event.status != Status::Cancelled).cloned())
    }

    async fn create(&mut self, seed: &[u8; 32], content: &Content, tell: bool) -> Result<WriteOutcome, Error> {
        if !content.attendees.is_empty() && content.organizer.is_none() {
            return Err(self.invalid("guests need somebody who invites them"));
        }
        let name = hex::encode(seed);
        let path = format!("{}{name}.ics", self.calendar);
        let id = EventId(path.clone());
        let now = self.api.cx.now;
        let event = Event {
            id: id.clone(),
            etag: None,
            uid: Uid::read(&name),
            series: None,
            rid: Rid::Single,
            and_following: false,
            status: Status::Confirmed,
            created: Some(now),
            modified: Some(now),
            sequence: 0,
            body: Body::Open(Box::new(content.clone())),
        };
        let text = ics::made(&event, !tell, now).map_err(|_| self.invalid("what is not known cannot be written"))?;
        let reply = self.api.put(&path, Some(("if-none-match", "*")), text.clone()).await?;
        if reply.is_success() {
            return self.settled(&path, &id, &reply, text, TimeZone::UTC).await;
        }
        let refusal = reply.refusal();
        if !refusal.is_of_version() && !refusal.is_of_uid() {
            return Err(self.refused(&refusal));
        }
        // It is there already; perhaps under another address, to which somebody's program brought it.
        let there = match self.stored(&path).await? {
            Some(stored) => stored.event(&path, &id),
            None => self.named(&name).await?,
        };
        let ours = there.filter(|there| there.uid == event.uid);
        ours.map(|ours| WriteOutcome::Written(Box::new(ours))).ok_or_else(|| refusal.error_of_write(self.api.op))
    }

    async fn update(&mut self, event: &Event, content: &Content, tell: bool) -> Result<WriteOutcome, Error> {
        let from = event.content().ok_or_else(|| self.invalid("what is not known cannot be changed"))?;
        if !ics::differs(from, content) {
            return Ok(WriteOutcome::Written(Box::new(event.clone())));
        }
        if !content.attendees.is_empty() && from.organizer.is_none() && content.organizer.is_none() {
            return Err(self.invalid("guests need somebody who invites them"));
        }
        let path = self.api.path(ics::resource(&event.id))?;
        let Some(stored) = self.stored(&path).await? else { return Ok(WriteOutcome::Gone) };
        let mut resource = self.resource(&stored, &path)?;
        let Some(now) = resource.meant(&event.id) else { return Ok(WriteOutcome::Gone) };
        let is_known = event.etag.is_some() && event.etag == now.etag;
        let is_alike = now.content() == Some(from) && now.sequence == event.sequence;
        if !is_known && (event.etag.is_some() || !is_alike) {
            return Ok(WriteOutcome::Changed);
        }
        resource.update(&event.id, from, content, !tell, self.api.cx.now);
        let text = resource.text();
        self.replace(&path, &event.id, stored, text).await
    }

    async fn decline(&mut self, id: &EventId, etag: Option<&Etag>, rep: &str) -> Result<WriteOutcome, Error> {
        let path = self.api.path(ics::resource(id))?;
        let Some(stored) = self.stored(&path).await? else { return Ok(WriteOutcome::Gone) };
        let mut resource = self.resource(&stored, &path)?;
        let Some(now) = resource.meant(id).cloned() else { return Ok(WriteOutcome::Gone) };
        if etag.is_some() && etag != now.etag.as_ref() {
            return Ok(WriteOutcome::Changed);
        }
        match resource.decline(id, rep, self.api.cx.now) {
            Declined::Already => Ok(WriteOutcome::Written(Box::new(now))),
            Declined::NotInvited => Err(self.invalid("nobody can decline who is not among the guests")),
            Declined::Done => {
                let text = resource.text();
                self.replace(&path, id, stored, text).await
            }
        }
    }

    async fn delete(&mut self, id: &EventId, etag: Option<&Etag>) -> Result<WriteOutcome, Error> {
        let path = self.api.path(ics::resource(id))?;
        let is_whole = ics::resource(id) == id.0;
        let etag = etag.map(|etag| etag.0.as_str());
        if is_whole && etag.is_none_or(is_strong) {
            return self.take(&path, etag).await;
        }
        let Some(stored) = self.stored(&path).await? else { return Ok(WriteOutcome::Gone) };
        if etag.is_some() && etag != stored.etag.as_deref() {
            return Ok(WriteOutcome::Changed);
        }
        if is_whole {
            return self.take(&path, None).await;
        }
        let mut resource = self.resource(&stored, &path)?;
        if resource.meant(id).is_none() {
            return Ok(WriteOutcome::Gone);
        }
        if !resource.remove(id, self.api.cx.now) {
            return self.take(&path, stored.etag.as_deref().filter(|etag| is_strong(etag))).await;
        }
        let condition = stored.etag.as_deref().filter(|etag| is_strong(etag)).map(|etag| ("if-match", etag));
        let reply = self.api.put(&path, condition, resource.text()).await?;
        if reply.is_success() { Ok(WriteOutcome::Deleted) } else { self.not_done(&reply.refusal()) }
    }

    /// Deletes what stands at an address.
    async fn take(&mut self, path: &str, etag: Option<&str>) -> Result<WriteOutcome, Error> {
        let reply = self.api.delete(path, etag.map(|etag| ("if-match", etag))).await?;
        let refusal = reply.refusal();
        match reply.status {
            // What was done to several addresses is told of each.
            207 => Err(self.refused(&Refusal { status: 500, ..refusal })),
            200..=299 => Ok(WriteOutcome::Deleted),
            // Of what is gone no version is the last one.
            412 if refusal.is_of_version() && self.stored(path).await?.is_none() => Ok(WriteOutcome::Gone),
            _ => self.not_done(&refusal),
        }
    }

    /// Writes over what was read.
    async fn replace(&mut self, path: &str, id: &EventId, was: Stored, text: String) -> Result<WriteOutcome, Error> {
        let condition = was.etag.as_deref().filter(|etag| is_strong(etag)).map(|etag| ("if-match", etag));
        let reply = self.api.put(path, condition, text.clone()).await?;
        if !reply.is_success() {
            return self.not_done(&reply.refusal());
        }
        self.settled(path, id, &reply, text, was.home).await
    }

    /// The event as it is there now. A server that tells the version took the text as it was sent (RFC 4791, section
    /// 5.3.4); of another it is read.
    async fn settled(
        &mut self,
        path: &str,
        id: &EventId,
        reply: &Reply,
        text: String,
        home: TimeZone,
    ) -> Result<WriteOutcome, Error> {
        let etag = reply.headers.get(http::header::ETAG).and_then(|etag| etag.to_str().ok()).map(str::to_owned);
        let stored = match etag {
            Some(etag) => Some(Stored { etag: Some(etag), text, home }),
            None => self.stored(path).await?,
        };
        let Some(stored) = stored else { return Ok(WriteOutcome::Gone) };
        let unread = || {
            let says = "the server does not tell of the event that was written";
            self.api.error(ErrorKind::UnknownOutcome, Retry::Backoff, says)
        };
        stored.event(path, id).map(|event| WriteOutcome::Written(Box::new(event))).ok_or_else(unread)
    }

    /// What stands at an address, as it is read when a calendar is: some servers tell another version of the same to those
    /// who fetch it otherwise.
    async fn stored(&mut self, path: &str) -> Result<Option<Stored>, Error> {
        let answer = self.api.report(&self.calendar, Depth::Members, ask::multiget(std::iter::once(path))).await?;
        for row in self.api.told(answer)?.rows {
            if self.api.path(&row.href)? == path {
                return match row.status {
                    Some(404 | 410) => Ok(None),
                    Some(500..) => Err(self.api.strange("that it cannot tell of an event")),
                    _ => self.shown(&row).await.map(Some),
                };
            }
        }
        Err(self.api.strange("nothing about an event that it was asked for"))
    }

    async fn shown(&mut self, row: &Row) -> Result<Stored, Error> {
        let text = row.prop(Space::Calendar, "calendar-data").map(|text| text.text.clone());
        let text = text.ok_or_else(|| {
            self.api.error(ErrorKind::Forbidden, Retry::Never, "the server does not hand out an event to be changed")
        })?;
        let etag = row.word(Space::Dav, "getetag").map(str::to_owned);
        let home = if ics::needs_home(&text) { self.home().await? } else { TimeZone::UTC };
        Ok(Stored { etag, text, home })
    }

    /// The zone in which the calendar means times without one.
    async fn home(&mut self) -> Result<TimeZone, Error> {
        if let Some(home) = &self.home {
            return Ok(home.clone());
        }
        let answer = self.api.find(&self.calendar, Depth::Itself, ask::abilities()).await?;
        let name = self.api.told(answer)?.rows.first().and_then(discover::zone);
        let home = name.and_then(|name| zone::zone(&name).ok()).unwrap_or(TimeZone::UTC);
        Ok(self.home.insert(home).clone())
    }

    /// The event of this name anywhere in the calendar.
    async fn named(&mut self, uid: &str) -> Result<Option<Event>, Error> {
        let answer = self.api.report(&self.calendar, Depth::Members, ask::named(uid)).await?;
        for row in self.api.told(answer)?.rows {
            let path = self.api.path(&row.href)?;
            let events = self.shown(&row).await?.event(&path, &EventId(path.clone()));
            // Servers look for a part of the name.
            if let Some(event) = events.filter(|event| event.uid.as_ref().is_some_and(|found| found.as_str() == uid)) {
                return Ok(Some(event));
            }
        }
        Ok(None)
    }

    fn resource<'s>(&self, stored: &'s Stored, path: &'s str) -> Result<Resource<'s>, Error> {
        let broken = || self.invalid("the event is written in a way that nobody can change safely");
        Resource::read(&stored.text, stored.origin(path)).ok_or_else(broken)
    }

    /// What a refusal of a change means.
    fn not_done(&self, refusal: &Refusal) -> Result<WriteOutcome, Error> {
        match refusal.status {
            404 | 410 => Ok(WriteOutcome::Gone),
            _ if refusal.is_of_version() => Ok(WriteOutcome::Changed),
            _ if refusal.is_of_guest() => Ok(WriteOutcome::NotOrganizer),
            _ => Err(self.refused(refusal)),
        }
    }

    fn refused(&self, refusal: &Refusal) -> Error {
        refusal.error_of_write(self.api.op)
    }

    fn invalid(&self, says: &str) -> Error {
        self.api.error(ErrorKind::Invalid, Retry::Never, says)
    }
}

/// Whether a version binds a write.
fn is_strong(etag: &str) -> bool {
    !etag.starts_with("W/")
}
