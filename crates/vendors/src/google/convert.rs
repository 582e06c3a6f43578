//! What an event of Google Calendar means. Pure. Whatever cannot be read becomes an event that says so; what is private
//! loses its content here, before anybody else sees it.
//! <https://developers.google.com/workspace/calendar/api/v3/reference/events>, read 2026-11.

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use syncline_core::calendar::{
    event::{
        Attendee, Availability, Body, Content, Etag, Event, EventId, EventType, Moment, Part, Party, Reply, Status,
        Unreadable,
    },
    identity::{Rid, Uid},
    limits::shorten,
    zone,
};

use super::wire::{Item, Person, When};
use crate::markup;

/// A copy of a meeting. `home` is the calendar's zone.
pub fn event(item: Item, home: &TimeZone) -> Event {
    let is_private = matches!(item.visibility.as_deref(), Some("private" | "confidential"));
    let original = item.original_start_time.as_ref().map(|when| moment(when, home));
    let (rid, body) = match original.transpose() {
        Ok(original) => (Rid::of_original(original.as_ref(), home), body(&item, home)),
        // Without it nobody knows which occurrence this is.
        Err(fault) => (Rid::Single, Body::Unreadable(fault)),
    };
    let event = Event {
        id: EventId(item.id),
        etag: item.etag.map(Etag),
        uid: item.ical_uid.as_deref().and_then(Uid::read),
        series: item.recurring_event_id.map(EventId),
        rid,
        and_following: false,
        status: match item.status.as_deref() {
            Some("cancelled") => Status::Cancelled,
            Some("tentative") => Status::Tentative,
            _ => Status::Confirmed,
        },
        created: item.created.and_then(|at| at.parse().ok()),
        modified: item.updated.and_then(|at| at.parse().ok()),
        sequence: item.sequence.and_then(|count| u32::try_from(count).ok()).unwrap_or(0),
        body,
    };
    if is_private { event.hidden() } else { event }
}

fn body(item: &Item, home: &TimeZone) -> Body {
    let (Some(start), Some(end)) = (&item.start, &item.end) else {
        // Of what is cancelled only the id is sure to come.
        return if item.is_cancelled() { Body::Bare } else { Body::Unreadable(Unreadable::NoStart) };
    };
    match content(item, start, end, home) {
        Ok(content) => Body::Open(Box::new(content)),
        Err(fault) => Body::Unreadable(fault),
    }
}

fn content(item: &Item, start: &When, end: &When, home: &TimeZone) -> Result<Content, Unreadable> {
    let text = |text: &Option<String>| text.as_deref().unwrap_or_default().trim().to_owned();
    let mut content = Content {
        summary: text(&item.summary),
        description: description(item.description.as_deref().unwrap_or_default()),
        location: text(&item.location),
        recurrence: item.recurrence.clone(),
        attendees: item.attendees.iter().filter_map(attendee).collect(),
        attendees_whole: !item.attendees_omitted,
        organizer: item.organizer.as_ref().and_then(party),
        availability: match item.transparency.as_deref() {
            Some("transparent") => Availability::Free,
            _ => Availability::Busy,
        },
        kind: kind(item.event_type.as_deref())?,
        ..Content::new(moment(start, home)?, moment(end, home)?)
    };
    shorten(&mut content);
    Ok(content)
}

fn kind(name: Option<&str>) -> Result<EventType, Unreadable> {
    Ok(match name {
        None | Some("default") => EventType::Meeting,
        Some("fromGmail") => EventType::FromMail,
        Some("birthday") => EventType::Birthday,
        Some("focusTime") => EventType::FocusTime,
        Some("outOfOffice") => EventType::OutOfOffice,
        Some("workingLocation") => EventType::WorkingPlace,
        Some(_) => return Err(Unreadable::Broken("it is of a kind that is not known".to_owned())),
    })
}

/// The list tells times in the calendar's zone, with an offset; `timeZone` is the one that the event was made in. The
/// instant is that of the offset, the clock that counts is the zone's.
fn moment(when: &When, home: &TimeZone) -> Result<Moment, Unreadable> {
    let broken = || Unreadable::Broken("its time has no form that is known".to_owned());
    if let Some(day) = &when.date {
        return day.parse::<Date>().map(Moment::Day).map_err(|_| broken());
    }
    let at: Timestamp = when.date_time.as_deref().ok_or(Unreadable::NoStart)?.parse().map_err(|_| broken())?;
    let name = when.time_zone.as_deref().or_else(|| home.iana_name()).unwrap_or("UTC");
    let (_, zone) = zone::canonical(name)?;
    Ok(Moment::At { at, zone })
}

fn party(person: &Person) -> Option<Party> {
    Party::read(person.email.as_deref()?, person.display_name.as_deref())
}

fn attendee(person: &Person) -> Option<Attendee> {
    let part = match (person.resource, person.optional) {
        (true, _) => Part::Resource,
        (false, true) => Part::Optional,
        (false, false) => Part::Required,
    };
    let reply = match person.response_status.as_deref() {
        Some("accepted") => Reply::Accepted,
        Some("tentative") => Reply::Tentative,
        Some("declined") => Reply::Declined,
        _ => Reply::Awaited,
    };
    Some(Attendee { who: party(person)?, part, reply })
}

/// Plain text, or markup where somebody used Google's own page to write it.
fn description(text: &str) -> String {
    if is_markup(text) { markup::to_text(text) } else { text.replace("\r\n", "\n").trim().to_owned() }
}

/// Whether a text is taken for markup.
pub fn is_markup(text: &str) -> bool {
    text.match_indices('<').any(|(at, _)| {
        let inside = text[at + 1..].trim_start_matches('/');
        inside.starts_with(|char: char| char.is_ascii_alphabetic()) && inside.contains('>')
    })
}
