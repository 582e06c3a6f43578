//! From our own webhook's body to a booking message. Pure: the same bytes always give the same reading, and the
//! sender's own times are the only ones.

use jiff::Timestamp;
use syncline_connect::{Reading, bookings::Malformed};
use syncline_core::booking::message::{Answer, Attendee, Booking, BookingMessage, Host, MessageKind};

use super::wire::{Fields, Problems};
use crate::intake::{self, MAX_ANSWERS, MAX_HOSTS, MAX_PEOPLE, delivery, malformed};

/// Most tracking fields of one message; campaign tracking knows about ten.
pub const MAX_TRACKING: usize = 50;

/// Most calendar ids of one meeting: one per host's calendar, generously.
pub const MAX_CALENDAR_IDS: usize = 50;

// The fields of every object, as `schema.json` publishes them.
pub const MESSAGE: &[&str] = &[
    "id",
    "kind",
    "occurred_at",
    "group",
    "replaces",
    "replaced_by",
    "rescheduled",
    "reason",
    "by",
    "meeting",
    "invitee",
    "guests",
    "hosts",
    "answers",
    "tracking",
    "record_hint",
    "no_show",
    "form",
];
pub const MEETING: &[&str] = &[
    "type",
    "type_name",
    "title",
    "start",
    "end",
    "previous_start",
    "location",
    "team",
    "notes",
    "cancel_url",
    "reschedule_url",
    "calendar_ids",
];
pub const PERSON: &[&str] = &["email", "name", "first_name", "last_name", "phone", "time_zone", "language"];
pub const HOST: &[&str] = &["email", "name", "time_zone"];
pub const ANSWER: &[&str] = &["key", "label", "value"];
pub const NO_SHOW: &[&str] = &["email", "absent"];
pub const FORM: &[&str] = &["type", "name"];

/// Every kind of message.
pub const KINDS: &[&str] =
    &["booked", "requested", "cancelled", "rejected", "reschedule_requested", "no_show", "updated", "form_submitted"];

/// Reads a body.
pub fn read(body: &[u8]) -> Result<Reading, Malformed> {
    let problems = Problems::default();
    let root = Fields::new(String::new(), intake::object(body)?, MESSAGE, &problems);
    let message = message(&root);
    match (message, problems.sentence()) {
        (_, Some(sentence)) => Err(malformed(sentence)),
        (None, None) => Err(malformed("the message is incomplete")),
        (Some(message), None) => {
            let kind = root.line("kind").unwrap_or_default();
            let delivery = delivery(&[&kind, message.booking.as_str(), &message.at.to_string()], body);
            Ok(Reading { delivery, messages: vec![message], ignored: None })
        }
    }
}

fn message(root: &Fields<'_>) -> Option<BookingMessage> {
    root.require(&["id", "kind", "occurred_at"], "in every message");
    let name = root.line("kind");
    let kind = name.as_deref().and_then(|name| kind(root, name));
    let (booking, at) = (root.key("id"), root.instant("occurred_at"));
    let (group, replaces, replaced_by) = (root.key("group"), root.key("replaces"), root.key("replaced_by"));
    for (name, other) in [("replaces", &replaces), ("replaced_by", &replaced_by)] {
        if other.is_some() && *other == booking {
            root.wrong(name, "the id of another booking");
        }
    }
    let booked = content(root, kind.as_ref()).map(Box::new);
    Some(BookingMessage { booking: booking?, kind: kind?, at: at?, group, replaces, replaced_by, booked })
}

fn kind(root: &Fields<'_>, name: &str) -> Option<MessageKind> {
    let (reason, by) = (root.block("reason"), root.line("by"));
    let rescheduled = root.flag("rescheduled");
    let marks = no_shows(root);
    if rescheduled.is_some() && name != "cancelled" {
        root.wrong("rescheduled", "to stand only in a message of the kind cancelled");
    }
    if root.has("no_show") && name != "no_show" {
        root.wrong("no_show", "to stand only in a message of the kind no_show");
    }
    if root.has("form") && name != "form_submitted" {
        root.wrong("form", "to stand only in a message of the kind form_submitted");
    }
    if root.has("meeting") && name == "form_submitted" {
        root.wrong("meeting", "no meeting, because no booking came of the form");
    }
    let standing = "because the booking stands or waits";
    match name {
        "booked" | "requested" | "updated" => root.require(&["meeting", "invitee"], standing),
        "no_show" => root.require(&["no_show"], "to say who did not come"),
        "form_submitted" => root.require(&["invitee"], "to say who filled the form in"),
        _ => {}
    }
    match name {
        "booked" => Some(MessageKind::Booked),
        "requested" => Some(MessageKind::Requested),
        "updated" => Some(MessageKind::Updated),
        "cancelled" => Some(MessageKind::Cancelled { reason, by, rescheduled: rescheduled.unwrap_or(false) }),
        "rejected" => Some(MessageKind::Rejected { reason }),
        "reschedule_requested" => Some(MessageKind::RescheduleRequested { reason, by }),
        "no_show" => Some(MessageKind::NoShow { attendees: marks }),
        "form_submitted" => Some(MessageKind::FormSubmitted),
        _ => {
            root.wrong("kind", &format!("one of {}", KINDS.join(", ")));
            None
        }
    }
}

fn no_shows(root: &Fields<'_>) -> Vec<(String, bool)> {
    let mark = |mark: &Fields<'_>| {
        mark.require(NO_SHOW, "in every mark");
        Some((mark.email("email")?, mark.flag("absent")?))
    };
    root.objects("no_show", MAX_PEOPLE, NO_SHOW).iter().filter_map(mark).collect()
}

/// The booking's content, where the message carries it. Every part is read even where another is missing, so that all
/// problems show at once.
fn content(root: &Fields<'_>, kind: Option<&MessageKind>) -> Option<Booking> {
    let meeting = root.object("meeting", MEETING).and_then(|meeting| self::meeting(&meeting));
    let form = root.object("form", FORM).map(|form| (form.line("type"), form.line("name")));
    let invitee = root.object("invitee", PERSON).and_then(|invitee| person(&invitee));
    let guests: Vec<Attendee> = root.objects("guests", MAX_PEOPLE, PERSON).iter().filter_map(person).collect();
    let hosts: Vec<Host> = root.objects("hosts", MAX_HOSTS, HOST).iter().filter_map(host).collect();
    let answers: Vec<Answer> = root.objects("answers", MAX_ANSWERS, ANSWER).iter().filter_map(answer).collect();
    let tracking = root.free_lines("tracking", MAX_TRACKING).into_iter().collect();
    let record_hint = root.line("record_hint");
    let (reason, by) = (root.block("reason"), root.line("by"));

    let mut booking = if kind == Some(&MessageKind::FormSubmitted) {
        let (meeting_type, name) = form.unwrap_or_default();
        let name = name.unwrap_or_default();
        Booking {
            meeting_type: meeting_type.unwrap_or_default(),
            title: name.clone(),
            meeting_type_name: name,
            ..Booking::default()
        }
    } else {
        if root.has("meeting") != root.has("invitee") {
            let (absent, present) = if root.has("meeting") { ("invitee", "meeting") } else { ("meeting", "invitee") };
            root.wrong(absent, &format!("a value, because {present} is there"));
        }
        meeting?
    };
    booking.invitee = invitee?;
    if matches!(kind, Some(MessageKind::Booked | MessageKind::Requested)) {
        (booking.reschedule_reason, booking.rescheduled_by) = (reason, by);
    }
    booking.hosts = intake::only_hosts(hosts);
    booking.guests = intake::only_guests(guests, &booking.invitee, &booking.hosts);
    (booking.answers, booking.tracking, booking.record_hint) = (answers, tracking, record_hint);
    Some(booking)
}

fn meeting(fields: &Fields<'_>) -> Option<Booking> {
    fields.require(&["start", "end"], "in every meeting");
    let (start, end): (Option<Timestamp>, Option<Timestamp>) = (fields.instant("start"), fields.instant("end"));
    if let (Some(start), Some(end)) = (start, end)
        && end < start
    {
        fields.wrong("end", "a time that is not before the start");
    }
    let (meeting_type, type_name) = (fields.line("type"), fields.line("type_name"));
    let name = type_name.or_else(|| meeting_type.clone()).unwrap_or_default();
    Some(Booking {
        meeting_type: meeting_type.unwrap_or_default(),
        title: fields.line("title").unwrap_or_else(|| name.clone()),
        meeting_type_name: name,
        start: Some(start?),
        end: Some(end?),
        previous_start: fields.instant("previous_start"),
        team: fields.line("team"),
        location: fields.line("location"),
        notes: fields.block("notes"),
        cancel_url: fields.web_url("cancel_url"),
        reschedule_url: fields.web_url("reschedule_url"),
        calendar_ids: fields.lines("calendar_ids", MAX_CALENDAR_IDS),
        ..Booking::default()
    })
}

fn person(fields: &Fields<'_>) -> Option<Attendee> {
    fields.require(&["email"], "for every person");
    Some(Attendee {
        first_name: fields.line("first_name"),
        last_name: fields.line("last_name"),
        full_name: fields.line("name"),
        phone: fields.line("phone"),
        time_zone: fields.time_zone("time_zone"),
        language: fields.language("language"),
        email: fields.email("email")?,
    })
}

fn host(fields: &Fields<'_>) -> Option<Host> {
    fields.require(&["email"], "for every host");
    Some(Host { name: fields.line("name"), time_zone: fields.time_zone("time_zone"), email: fields.email("email")? })
}

fn answer(fields: &Fields<'_>) -> Option<Answer> {
    fields.require(&["key", "value"], "in every answer");
    let (key, label, value) = (fields.line("key"), fields.line("label"), fields.answer("value"));
    Some(Answer { label: label.or_else(|| key.clone())?, key: key?, value: value? })
}
