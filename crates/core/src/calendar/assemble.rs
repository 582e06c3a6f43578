//! A series put together from what a calendar keeps of it: the series itself and the occurrences that are special, in
//! whatever order they came.

use std::{cmp::Ordering, collections::BTreeMap};

use jiff::tz::TimeZone;

use super::{
    event::{Body, Content, Event, Moment, Status},
    identity::Rid,
    recur::{Occurrence, Override, Source, named_by_series},
};

/// One calendar's copies of one series, or of one meeting.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Assembled<'a> {
    /// The series, or the meeting that happens once. It may come after its occurrences, or never.
    pub master: Option<&'a Event>,
    pub exceptions: BTreeMap<Rid, &'a Event>,
}

/// Puts the events of one series together. Of two that are the same occurrence the newer one counts. What has no zone is
/// read in `home`.
pub fn assemble<'a>(events: impl IntoIterator<Item = &'a Event>, home: &TimeZone) -> Assembled<'a> {
    let mut out = Assembled::default();
    let newer = |known: &mut &'a Event, event: &'a Event| {
        if rank(event, known) == Ordering::Greater {
            *known = event;
        }
    };
    let mut occurrences = Vec::new();
    for event in events {
        match event.rid {
            Rid::Single => newer(out.master.get_or_insert(event), event),
            _ => occurrences.push(event),
        }
    }
    let start = out.master.and_then(Event::content).map(|content| &content.start);
    for event in occurrences {
        let rid = start.map_or(event.rid, |start| named_by_series(event.rid, start, home));
        newer(out.exceptions.entry(rid).or_insert(event), event);
    }
    out
}

/// Which of two tells more of the same thing. No two that differ are equal.
fn rank(one: &Event, other: &Event) -> Ordering {
    let version = |event: &Event| event.etag.as_ref().map(|etag| etag.0.clone());
    one.newer(other).then_with(|| one.id.0.cmp(&other.id.0)).then_with(|| version(one).cmp(&version(other)))
}

impl Assembled<'_> {
    /// Whether the series as a whole was called off, or is gone.
    pub fn is_off(&self) -> bool {
        self.master.is_some_and(is_off)
    }

    /// What is special about single occurrences. With the series all of them are off.
    pub fn overrides(&self) -> BTreeMap<Rid, Override> {
        let is_off = |event: &Event| self.is_off() || is_off(event);
        let own = |event: &Event| Override {
            and_following: event.and_following,
            cancelled: is_off(event),
            // When a private occurrence takes place is nobody's business.
            times: event.content().map(|content| (content.start.clone(), content.end.clone())),
        };
        self.exceptions.iter().map(|(rid, event)| (*rid, own(event))).collect()
    }

    /// The event that an occurrence is. `None` where nothing of it is known.
    pub fn event(&self, occurrence: &Occurrence) -> Option<Event> {
        if occurrence.rid == Rid::Single {
            return self.single();
        }
        let special = match occurrence.source {
            Source::Series => None,
            Source::Override(rid) => self.exceptions.get(&rid).copied(),
        };
        let source = special.or(self.master)?;
        let placed = source.content().map(|content| Content {
            start: occurrence.start.clone(),
            end: occurrence.end.clone(),
            recurrence: Vec::new(),
            ..content.clone()
        });
        let mut event = with_content(source, placed);
        event.rid = occurrence.rid;
        event.and_following = false;
        event.series = event.series.or_else(|| self.master.map(|master| master.id.clone()));
        if self.is_off() {
            event.status = Status::Cancelled;
        }
        Some(event)
    }

    /// The meeting that happens once, or the series as one.
    pub fn single(&self) -> Option<Event> {
        let master = self.master?;
        let single = |content: &Content| Content { recurrence: Vec::new(), ..content.clone() };
        Some(with_content(master, master.content().map(single)))
    }

    /// The event that an occurrence was which the series no longer has: cancelled, with what is still known of it.
    pub fn called_off(&self, rid: Rid, home: &TimeZone) -> Option<Event> {
        let (start, end) = self.times_by_rule(rid, home)?;
        let special = self.exceptions.get(&rid).filter(|event| event.content().is_some() || self.master.is_none());
        let source = special.map_or(Source::Series, |_| Source::Override(rid));
        let own = special.and_then(|event| event.content());
        let (start, end) = own.map_or((start, end), |own| (own.start.clone(), own.end.clone()));
        let event = self.event(&Occurrence { rid, start, end, source })?;
        // An occurrence that is private says nothing, not even that it is off.
        let is_private = self.exceptions.get(&rid).is_some_and(|event| event.body == Body::Private);
        if is_private { Some(event.hidden()) } else { Some(Event { status: Status::Cancelled, ..event }) }
    }

    /// The special occurrences of a series of which nothing else is known: each is a meeting of its own.
    pub fn orphans(&self) -> Vec<Event> {
        if self.master.is_some_and(|master| master.content().is_some() || is_off(master)) {
            return Vec::new();
        }
        self.exceptions.values().map(|event| (*event).clone()).collect()
    }

    fn times_by_rule(&self, rid: Rid, home: &TimeZone) -> Option<(Moment, Moment)> {
        let Some(content) = self.master.and_then(Event::content) else {
            let own = self.exceptions.get(&rid)?.content()?;
            return Some((own.start.clone(), own.end.clone()));
        };
        match rid {
            Rid::Single => Some((content.start.clone(), content.end.clone())),
            Rid::On(day) => Some((Moment::Day(day), Moment::Day(day.tomorrow().ok()?))),
            Rid::At(at) => {
                let end = at.checked_add(content.duration(home)).ok()?;
                let zone = match &content.start {
                    Moment::At { zone, .. } => zone.clone(),
                    _ => home.iana_name().unwrap_or("UTC").to_owned(),
                };
                Some((Moment::At { at, zone: zone.clone() }, Moment::At { at: end, zone }))
            }
        }
    }
}

/// Whether an event was called off or is gone. That of a private one nothing is said is said elsewhere: it counts as
/// there.
fn is_off(event: &Event) -> bool {
    match event.body {
        Body::Bare => true,
        Body::Private => false,
        Body::Open(_) | Body::Unreadable(_) => event.status == Status::Cancelled,
    }
}

fn with_content(event: &Event, content: Option<Content>) -> Event {
    match content {
        Some(content) => Event { body: Body::Open(Box::new(content)), ..event.clone() },
        None => event.clone(),
    }
}
