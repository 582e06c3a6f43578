//! Events written as iCalendar, so that reading them gives the same events again.
//!
//! Zones are named and not described: servers know them by name (RFC 7809), and those that want a description add it.

use std::fmt::Write as _;

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use syncline_core::calendar::{
    event::{Attendee, Availability, Content, Event, Moment, Part, Party, Reply, Status},
    identity::Rid,
};

use super::lines::{escaped, quoted, write, zone_param};

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
    let series = events.iter().find(|event| event.rid == Rid::Single).and_then(Event::content);
    let mut out = String::new();
    for line in ["BEGIN:VCALENDAR", "VERSION:2.0"] {
        write(&mut out, line);
    }
    write(&mut out, &format!("PRODID:{PRODUCT}"));
    for event in events {
        let content = event.content().ok_or(Unwritable)?;
        one(&mut out, event, content, series.map(|series| &series.start), now);
    }
    write(&mut out, "END:VCALENDAR");
    Ok(out)
}

fn one(out: &mut String, event: &Event, content: &Content, series_start: Option<&Moment>, now: Timestamp) {
    write(out, "BEGIN:VEVENT");
    if let Some(uid) = &event.uid {
        write(out, &format!("UID:{}", escaped(uid.as_str())));
    }
    if event.rid != Rid::Single {
        let range = if event.and_following { ";RANGE=THISANDFUTURE" } else { "" };
        write(out, &format!("RECURRENCE-ID{range}{}", original(event.rid, series_start)));
    }
    write(out, &format!("DTSTAMP:{}", utc(event.modified.unwrap_or(now))));
    for (name, at) in [("CREATED", event.created), ("LAST-MODIFIED", event.modified)] {
        if let Some(at) = at {
            write(out, &format!("{name}:{}", utc(at)));
        }
    }
    write(out, &format!("SEQUENCE:{}", event.sequence));
    let status = match event.status {
        Status::Tentative => "TENTATIVE",
        Status::Confirmed => "CONFIRMED",
        Status::Cancelled => "CANCELLED",
    };
    write(out, &format!("STATUS:{status}"));
    write(out, &format!("DTSTART{}", when(&content.start)));
    write(out, &format!("DTEND{}", when(&content.end)));
    for line in &content.recurrence {
        write(out, line);
    }
    let texts = [("SUMMARY", &content.summary), ("LOCATION", &content.location), ("DESCRIPTION", &content.description)];
    for (name, text) in texts.into_iter().filter(|(_, text)| !text.is_empty()) {
        write(out, &format!("{name}:{}", escaped(text)));
    }
    if content.availability == Availability::Free {
        write(out, "TRANSP:TRANSPARENT");
    }
    if let Some(who) = &content.organizer {
        write(out, &format!("ORGANIZER{}", party(who)));
    }
    for attendee in &content.attendees {
        write(out, &format!("ATTENDEE{}{}", manner(attendee), party(&attendee.who)));
    }
    write(out, "END:VEVENT");
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
        Reply::Awaited => "NEEDS-ACTION",
        Reply::Tentative => "TENTATIVE",
        Reply::Accepted => "ACCEPTED",
        Reply::Declined => "DECLINED",
    };
    format!("{part};PARTSTAT={reply}")
}

/// A time with its parameters.
fn when(moment: &Moment) -> String {
    match moment {
        Moment::Day(day) => format!(";VALUE=DATE:{}", day.strftime("%Y%m%d")),
        Moment::Floating(at) => format!(":{}", local(*at)),
        Moment::At { at, zone } => match within(*at, zone) {
            Some(at) => format!(";TZID={}:{}", zone_param(zone), local(at)),
            None => format!(":{}", utc(*at)),
        },
    }
}

/// Which occurrence it is, in the form of the series' start where that says it.
fn original(rid: Rid, series_start: Option<&Moment>) -> String {
    match (rid, series_start) {
        (Rid::Single, _) => String::new(),
        (Rid::On(day), _) => when(&Moment::Day(day)),
        (Rid::At(at), Some(Moment::At { zone, .. })) => when(&Moment::At { at, zone: zone.clone() }),
        (Rid::At(at), _) => format!(":{}", utc(at)),
    }
}

/// The time of day in a zone, where it means this instant and no other.
fn within(at: Timestamp, zone: &str) -> Option<DateTime> {
    let local = at.to_zoned(syncline_core::calendar::zone::zone(zone).ok()?).datetime();
    let again = Moment::local(local, zone).ok()?;
    (zone != "UTC" && again.instant(&TimeZone::UTC) == at).then_some(local)
}

fn utc(at: Timestamp) -> String {
    at.strftime("%Y%m%dT%H%M%SZ").to_string()
}

fn local(at: DateTime) -> String {
    at.strftime("%Y%m%dT%H%M%S").to_string()
}
