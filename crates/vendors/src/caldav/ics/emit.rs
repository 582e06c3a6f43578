//! Events written as iCalendar, so that reading them gives the same events again, and the lines of which they are made.
//!
//! Each zone that is named is described, too.

use std::fmt::Write as _;

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use syncline_core::calendar::{
    event::{Attendee, Availability, Content, Event, Moment, Part, Party, Reply, Status},
    identity::Rid,
};

use super::{
    lines::{Line, escaped, param_value, quoted},
    raw::Raw,
    timezone::Named,
    when::{Told, plain, told},
};

/// Who wrote it (RFC 5545, section 3.7.3).
const PRODUCT: &str = "-//Syncline//Syncline//EN";

/// Why an event is not written: nothing may be written about what is private, and nothing can about what was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unwritable;

/// The text of one address: a meeting, or a series with its overrides.
///
/// # Errors
/// One of the events has no content that is known.
pub fn emit(events: &[Event], now: Timestamp) -> Result<String, Unwritable> {
    calendar(events, now, None).map(|calendar| calendar.text())
}

/// The same, or with a method what is mailed of it (RFC 5546).
pub fn calendar(events: &[Event], now: Timestamp, method: Option<&str>) -> Result<Raw, Unwritable> {
    let series = events.iter().find(|event| event.rid == Rid::Single).and_then(Event::content);
    let mut calendar = Raw::new("VCALENDAR");
    calendar.push("VERSION:2.0".to_owned());
    calendar.push(format!("PRODID:{PRODUCT}"));
    if let Some(method) = method {
        calendar.push(format!("METHOD:{method}"));
    }
    let mut named = Named::default();
    for event in events {
        let content = event.content().ok_or(Unwritable)?;
        // By itself an occurrence is told by the clock that it has: that of its series.
        let start = series.map_or(&content.start, |series| &series.start);
        calendar.append(one(event, content, start, now, &mut named));
    }
    for zone in named.descriptions() {
        calendar.push_part(zone);
    }
    Ok(calendar)
}

fn one(event: &Event, content: &Content, series_start: &Moment, now: Timestamp, named: &mut Named) -> Raw {
    let mut out = Raw::new("VEVENT");
    if let Some(uid) = &event.uid {
        out.push(format!("UID:{}", escaped(uid.as_str())));
    }
    if event.rid != Rid::Single {
        let range = if event.and_following { ";RANGE=THISANDFUTURE" } else { "" };
        out.push(format!("RECURRENCE-ID{range}{}", original(event.rid, series_start, named)));
    }
    out.push(format!("DTSTAMP:{}", utc(event.modified.unwrap_or(now))));
    for (name, at) in [("CREATED", event.created), ("LAST-MODIFIED", event.modified)] {
        if let Some(at) = at {
            out.push(format!("{name}:{}", utc(at)));
        }
    }
    out.push(format!("SEQUENCE:{}", event.sequence));
    let status = match event.status {
        Status::Tentative => "TENTATIVE",
        Status::Confirmed => "CONFIRMED",
        Status::Cancelled => "CANCELLED",
    };
    out.push(format!("STATUS:{status}"));
    out.push(format!("DTSTART{}", when(&content.start, named)));
    out.push(format!("DTEND{}", when(&content.end, named)));
    for line in &content.recurrence {
        out.push(rule(line, named));
    }
    let texts = [("SUMMARY", &content.summary), ("LOCATION", &content.location), ("DESCRIPTION", &content.description)];
    for (name, text) in texts.into_iter().filter(|(_, text)| !text.is_empty()) {
        out.push(format!("{name}:{}", escaped(text)));
    }
    if content.availability == Availability::Free {
        out.push("TRANSP:TRANSPARENT".to_owned());
    }
    if let Some(who) = &content.organizer {
        out.push(organizer(who));
    }
    for guest in &content.attendees {
        out.push(attendee(guest));
    }
    out
}

pub fn organizer(who: &Party) -> String {
    format!("ORGANIZER{}", party(who))
}

pub fn attendee(guest: &Attendee) -> String {
    format!("ATTENDEE{}{}", manner(guest), party(&guest.who))
}

/// A line of the recurrence, with the type of what it holds (RFC 5545, section 3.2.20) and a zone that the text describes.
pub fn rule(line: &str, named: &mut Named) -> String {
    let Some(read) = Line::read(line).filter(|line| matches!(line.name.as_str(), "RDATE" | "EXDATE")) else {
        return line.to_owned();
    };
    let values = || read.value.split(',');
    let kind = match () {
        () if values().any(|value| value.contains('/')) => ";VALUE=PERIOD",
        () if values().all(|value| matches!(told(value, false), Some(Told::Day(_)))) => ";VALUE=DATE",
        () => "",
    };
    let first = values().next().and_then(plain).unwrap_or(DateTime::constant(1970, 1, 1, 0, 0, 0, 0));
    let zone = read.param("TZID").filter(|_| kind != ";VALUE=DATE");
    let zone = zone.map(|zone| format!(";TZID={}", param_value(named.tzid(zone, first)))).unwrap_or_default();
    format!("{}{kind}{zone}:{}", read.name, read.value)
}

fn party(who: &Party) -> String {
    let mut text = String::new();
    if let Some(name) = &who.name {
        let _ = write!(text, ";CN={}", quoted(name));
    }
    let _ = write!(text, ":mailto:{}", who.email);
    text
}

fn manner(attendee: &Attendee) -> String {
    let part = match attendee.part {
        Part::Required => "",
        Part::Optional => ";ROLE=OPT-PARTICIPANT",
        Part::Resource => ";CUTYPE=RESOURCE",
    };
    let reply = match attendee.reply {
        Reply::Awaited => "NEEDS-ACTION;RSVP=TRUE",
        Reply::Tentative => "TENTATIVE",
        Reply::Accepted => "ACCEPTED",
        Reply::Declined => "DECLINED",
    };
    format!("{part};PARTSTAT={reply}")
}

/// A time with its parameters.
pub fn when(moment: &Moment, named: &mut Named) -> String {
    match moment {
        Moment::Day(day) => format!(";VALUE=DATE:{}", day.strftime("%Y%m%d")),
        Moment::Floating(at) => format!(":{}", local(*at)),
        Moment::At { at, zone } => match within(*at, zone) {
            Some(at) => format!(";TZID={}:{}", param_value(named.tzid(zone, at)), local(at)),
            None => format!(":{}", utc(*at)),
        },
    }
}

/// Which occurrence it is, in the form of the series' start where that says it.
fn original(rid: Rid, series_start: &Moment, named: &mut Named) -> String {
    match (rid, series_start) {
        (Rid::Single, _) => String::new(),
        (Rid::On(day), _) => when(&Moment::Day(day), named),
        (Rid::At(at), Moment::At { zone, .. }) => when(&Moment::At { at, zone: zone.clone() }, named),
        (Rid::At(at), _) => format!(":{}", utc(at)),
    }
}

/// The time of day in a zone, where it means this instant and no other.
fn within(at: Timestamp, zone: &str) -> Option<DateTime> {
    let local = at.to_zoned(syncline_core::calendar::zone::zone(zone).ok()?).datetime();
    let again = Moment::local(local, zone).ok()?;
    (zone != "UTC" && again.instant(&TimeZone::UTC) == at).then_some(local)
}

pub fn utc(at: Timestamp) -> String {
    at.strftime("%Y%m%dT%H%M%SZ").to_string()
}

fn local(at: DateTime) -> String {
    at.strftime("%Y%m%dT%H%M%S").to_string()
}
