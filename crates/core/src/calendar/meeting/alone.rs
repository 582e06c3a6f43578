//! Which event of a calendar a record of the CRM stands for, where that event may be written alone: what is done about one
//! meeting of a series never reaches another.

use jiff::tz::TimeZone;

use crate::calendar::{
    assemble::assemble,
    event::{Body, Event, Status},
    identity::Rid,
    recur::{Prepared, Source},
};

/// The event of one calendar that a meeting's record stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alone<'a> {
    /// This one: a meeting that happens once, or an occurrence that differs from its series.
    Event(&'a Event),
    /// An occurrence of this series that does not differ from it yet.
    Of(&'a Event),
    /// There is none.
    No(NotAlone),
}

/// Why no event is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAlone {
    /// It was called off or deleted, or its series goes other ways.
    Gone,
    /// The record stands for the whole series.
    Whole,
    /// The occurrence is as it is together with all that follow it.
    Together,
    /// Nothing of it may be known, or can be.
    Unknown,
}

impl NotAlone {
    /// The reason as a sentence, with what to do. `None`: nothing may be said of it.
    pub fn sentence(self) -> Option<&'static str> {
        match self {
            NotAlone::Gone => Some("The calendar has it no more: make a new meeting where it is to take place."),
            NotAlone::Whole => Some("Its record stands for a whole series: change that in the calendar."),
            NotAlone::Together => {
                Some("It was changed together with all that follow it in its series: change it in the calendar.")
            }
            NotAlone::Unknown => None,
        }
    }
}

/// Finds the event of a meeting among what one calendar has of its series. What has no zone is read in `home`.
pub fn alone<'a>(rid: Rid, events: impl IntoIterator<Item = &'a Event>, home: &TimeZone) -> Alone<'a> {
    let whole = assemble(events, home);
    let unknown = Alone::No(NotAlone::Unknown);
    let gone = Alone::No(NotAlone::Gone);
    if whole.is_off() {
        return gone;
    }
    let master = whole.master.map(|event| (event, event.content()));
    let own = whole.exceptions.get(&rid).copied();
    match (master, own) {
        // A series that happens only once any more goes on as its first meeting.
        (Some((event, Some(content))), _) if content.recurrence.is_empty() => {
            let is_it = rid == Rid::Single || rid == Rid::of(&content.start, home);
            if is_it { Alone::Event(event) } else { gone }
        }
        (Some((_, Some(_))), _) if rid == Rid::Single => Alone::No(NotAlone::Whole),
        (Some((_, None)), _) => unknown,
        (_, Some(event)) => match event.body {
            _ if event.status == Status::Cancelled => gone,
            Body::Bare => gone,
            Body::Private | Body::Unreadable(_) => unknown,
            Body::Open(_) if event.and_following => Alone::No(NotAlone::Together),
            Body::Open(_) => Alone::Event(event),
        },
        (Some((series, Some(content))), None) => {
            let overrides = whole.overrides();
            let found = Prepared::new(content, &overrides, home).map(|read| read.find(rid));
            match found {
                Ok(Ok(Some(found))) if found.source == Source::Series => Alone::Of(series),
                Ok(Ok(Some(_))) => Alone::No(NotAlone::Together),
                Ok(Ok(None)) => gone,
                // What cannot be told is not gone.
                Ok(Err(_)) | Err(_) => unknown,
            }
        }
        (None, None) => gone,
    }
}
