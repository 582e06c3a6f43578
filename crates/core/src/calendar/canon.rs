//! One form of an event, whoever keeps it: what a change is told by, and so that our own write is none when it comes back.
//!
//! A version counter tells that something was written, not that anything is different; servers count up for a reminder,
//! and write texts back in a form of their own. What is compared here is what people would call the event.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;

use super::{
    event::{Availability, Body, Content, Event, EventType, Moment, Part, Reply, Status},
    identity::Rid,
    recur::Recurrence,
};
use crate::{booking::text::newlines, person::squeeze};

/// The fields of an event in the one form, by name.
pub type CanonFields = BTreeMap<&'static str, String>;

/// The event in the one form. Times without a zone are read in `home`. Of a private event nothing is in it but that it is
/// private.
pub fn canonical(event: &Event, home: &TimeZone) -> CanonFields {
    let mut fields = CanonFields::new();
    fields.insert("rid", event.rid.to_string());
    match &event.body {
        Body::Private => drop(fields.insert("private", String::new())),
        Body::Bare => drop(fields.insert("gone", String::new())),
        Body::Unreadable(why) => drop(fields.insert("unreadable", why.to_string())),
        Body::Open(content) => {
            // Whether a time is asked for or agreed is between organiser and guest; that it is off is not.
            fields.insert("cancelled", (event.status == Status::Cancelled).to_string());
            fields.insert("and_following", event.and_following.to_string());
            open(content, home, &mut fields);
        }
    }
    fields
}

fn open(content: &Content, home: &TimeZone, fields: &mut CanonFields) {
    fields.insert("summary", squeeze(&content.summary));
    fields.insert("description", lines(&content.description));
    fields.insert("location", squeeze(&content.location));
    fields.insert("start", moment(&content.start, home));
    fields.insert("end", moment(&content.end, home));
    let is_series = !content.recurrence.is_empty();
    // Of a single meeting only the instant counts; of a series also whose clock it follows.
    let zone = content.start.zone(home);
    if is_series {
        fields.insert("zone", zone.as_ref().ok().and_then(TimeZone::iana_name).unwrap_or_default().to_owned());
        let read = Recurrence::read(&content.recurrence);
        let rules = match (read, zone) {
            (Ok(read), Ok(zone)) => read.canonical(&zone),
            _ => content.recurrence.clone(),
        };
        fields.insert("recurrence", rules.join("\n"));
    }
    fields.insert("attendees", attendees(content));
    fields.insert("organizer", content.organizer.as_ref().map(|who| who.email.clone()).unwrap_or_default());
    fields.insert("availability", if content.availability == Availability::Free { "free" } else { "busy" }.to_owned());
    fields.insert("kind", kind(content.kind).to_owned());
}

fn attendees(content: &Content) -> String {
    let part = |part: Part| match part {
        Part::Required => "required",
        Part::Optional => "optional",
        Part::Resource => "resource",
    };
    let mut all: Vec<String> = content
        .attendees
        .iter()
        .map(|one| format!("{} {} {}", one.who.email, part(one.part), reply(one.reply)))
        .collect();
    all.sort();
    all.dedup();
    if !content.attendees_whole {
        all.push("and more".to_owned());
    }
    all.join("\n")
}

fn reply(reply: Reply) -> &'static str {
    match reply {
        Reply::Awaited => "awaited",
        Reply::Tentative => "tentative",
        Reply::Accepted => "accepted",
        Reply::Declined => "declined",
    }
}

fn kind(kind: EventType) -> &'static str {
    match kind {
        EventType::Meeting => "meeting",
        EventType::FromMail => "from_mail",
        EventType::Birthday => "birthday",
        EventType::FocusTime => "focus_time",
        EventType::OutOfOffice => "out_of_office",
        EventType::WorkingPlace => "working_place",
        EventType::Task => "task",
    }
}

fn moment(at: &Moment, home: &TimeZone) -> String {
    Rid::of(at, home).to_string()
}

/// A text with its blanks at the ends of lines, and empty lines around it, taken off.
fn lines(text: &str) -> String {
    newlines(text).lines().map(str::trim_end).collect::<Vec<_>>().join("\n").trim().to_owned()
}
