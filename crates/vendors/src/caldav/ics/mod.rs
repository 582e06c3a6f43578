//! Events as iCalendar writes them (RFC 5545), in both directions: one address of a collection holds a series with all its
//! overrides, or one meeting.
//!
//! The text's form is in `lines`, times in `when`, zones in `zones`, an event's meaning in `event`. `emit` writes an event
//! anew, with zones from `timezone`; `change` changes one in the text as it was written, which `raw` keeps. What must not
//! live here: addresses, requests, and anything about a server.

mod change;
mod emit;
mod event;
mod lines;
mod raw;
mod timezone;
mod when;
mod zones;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use syncline_core::calendar::{
    event::{Body, Etag, Event, EventId, Status, Unreadable},
    identity::{Rid, Uid},
};

pub use self::{
    change::{Declined, Resource, differs, made},
    emit::{Unwritable, calendar, emit},
    zones::Compared,
};
use self::{
    lines::{Component, Line},
    zones::Zones,
};

/// What stands between an address and which part of it is meant; an address cannot contain it.
const PART: char = '#';

/// Most events at one address: more than a series may have occurrences.
const EVENTS_MAX: usize = 2_000;

/// Where a text comes from.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    /// The address, by which the event or the series is called.
    pub resource: &'a str,
    pub etag: Option<&'a str>,
    /// The zone of times without one.
    pub home: &'a TimeZone,
}

/// The events of one address: the meeting, or the series and its overrides, each once and in order. Empty where the text
/// has no events but, for example, tasks. What cannot be read is an event that says so.
pub fn read(text: &str, origin: Origin<'_>, compared: &mut Compared) -> Vec<Event> {
    let calendar = match lines::read(text) {
        Ok(calendar) => calendar,
        Err(malformed) => return vec![unreadable(origin, malformed.sentence())],
    };
    let count = calendar.parts("VEVENT").count();
    if count > EVENTS_MAX {
        return vec![unreadable(origin, "there are more events at one address than anybody has")];
    }
    if count == 0 && !calendar.whole {
        return vec![unreadable(origin, "it is cut off")];
    }
    let mut all: BTreeMap<(Option<Uid>, Rid), Event> = BTreeMap::new();
    for event in in_order(&calendar, origin, compared) {
        let key = (event.uid.clone(), event.rid);
        // A second copy of the same occurrence: the organiser's count and then the clock say which one holds.
        if all.get(&key).is_none_or(|known| event.newer(known).is_gt()) {
            all.insert(key, event);
        }
    }
    all.into_values().collect()
}

/// The events of a calendar, one for each `VEVENT` and in their order.
fn in_order(calendar: &Component, origin: Origin<'_>, compared: &mut Compared) -> Vec<Event> {
    let parts: Vec<&Component> = calendar.parts("VEVENT").collect();
    let cancelled = calendar.text("METHOD").is_some_and(|method| method.trim().eq_ignore_ascii_case("CANCEL"));
    let zones = Zones::of(calendar);
    let mut reading = event::Reading { origin, zones, compared, cancelled };
    let first = parts.first().and_then(|part| event::uid(part));
    let mut events: BTreeMap<usize, Event> = BTreeMap::new();
    for (uid, places) in series_of(&parts) {
        let named = (uid != first).then(|| uid.as_ref().map(Uid::as_str).unwrap_or_default());
        let series: Vec<&Component> = places.iter().map(|place| parts[*place]).collect();
        events.extend(places.into_iter().zip(reading.series(&series, named)));
    }
    events.into_values().collect()
}

/// Where the events of each meeting stand, those of the series as a whole first.
fn series_of(parts: &[&Component]) -> BTreeMap<Option<Uid>, Vec<usize>> {
    let mut series: BTreeMap<Option<Uid>, Vec<usize>> = BTreeMap::new();
    for (place, part) in parts.iter().enumerate() {
        series.entry(event::uid(part)).or_default().push(place);
    }
    for places in series.values_mut() {
        places.sort_by_key(|place| parts[*place].line("RECURRENCE-ID").is_some());
    }
    series
}

/// The address that an event's name begins with.
pub fn resource(event: &EventId) -> &str {
    event.0.split(PART).next().unwrap_or_default()
}

/// What an occurrence of a series is called.
pub fn occurrence(series: &EventId, rid: Rid) -> EventId {
    EventId(format!("{}{PART}{rid}", series.0))
}

/// The series of an occurrence, and which one it is, by its name.
fn occurrence_of(id: &EventId) -> Option<(EventId, Rid)> {
    let (series, rid) = id.0.rsplit_once(PART)?;
    let rid = rid.parse().ok().filter(|rid| *rid != Rid::Single)?;
    Some((EventId(series.to_owned()), rid))
}

/// Whether it depends on the calendar's zone which occurrence an event of a text is: one of a series whose times have none.
pub fn needs_home(text: &str) -> bool {
    let is_local = |line: &Line| line.param("TZID").is_none() && !line.value.trim().ends_with(['Z', 'z']);
    let has = |part: &Component| {
        let recurs = part.line("RRULE").or(part.line("RDATE")).is_some();
        let line = part.line("RECURRENCE-ID").or(part.line("DTSTART").filter(|_| recurs));
        line.is_some_and(is_local)
    };
    lines::read(text).is_ok_and(|calendar| calendar.parts("VEVENT").any(has))
}

/// The zone that a text of its own defines, as a calendar tells in which zone it means times without one.
pub fn zone_of(text: &str) -> Option<String> {
    let calendar = lines::read(text).ok()?;
    let tzid = calendar.parts("VTIMEZONE").find_map(|part| part.text("TZID"))?;
    Zones::of(&calendar).name(tzid.trim(), NOW_ABOUT, &mut Compared::default()).ok()
}

/// The year by whose rules a zone without an event is told.
const NOW_ABOUT: i16 = 2026;

/// An address of which nothing is known but that it cannot be read.
pub fn unreadable(origin: Origin<'_>, why: &str) -> Event {
    bare(origin.resource, origin.etag, Body::Unreadable(Unreadable::Broken(why.to_owned())), Status::Confirmed)
}

/// An address at which there is nothing any more.
pub fn gone(resource: &str) -> Event {
    bare(resource, None, Body::Bare, Status::Cancelled)
}

fn bare(resource: &str, etag: Option<&str>, body: Body, status: Status) -> Event {
    Event {
        id: EventId(resource.to_owned()),
        etag: etag.map(|etag| Etag(etag.to_owned())),
        uid: None,
        series: None,
        rid: Rid::Single,
        and_following: false,
        status,
        created: None,
        modified: None,
        sequence: 0,
        body,
    }
}
