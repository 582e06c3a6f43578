//! From a booking as Cal.com's API lists it to the messages that its webhooks would have brought. Pure.
//!
//! A row is put into the shape of a webhook's payload and read by the same code, so both say the same where both say
//! anything. What a row knows less well must not push aside what a webhook said. So its content is stamped with the
//! booking's creation, which comes before every webhook of that uid; and its end with the row's last change, which
//! Cal.com writes before it sends the webhook about it.

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use syncline_connect::bookings::Malformed;
use syncline_core::{
    booking::message::{Booking, BookingMessage, MessageKind},
    ids::BookingKey,
};

use super::{
    api::EventType,
    convert::{self, Seat as Part},
    people, seats,
    wire::{Call, Language, Payload, Person, Seat, Team},
};
use crate::intake::{
    self, malformed,
    value::{Flag, Many, Maybe, Text, Time, Whole},
};

/// A booking in a list, lenient in every field.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Row {
    pub uid: Text,
    title: Text,
    description: Text,
    hosts: Many<Somebody>,
    status: Text,
    cancellation_reason: Text,
    cancelled_by_email: Text,
    rescheduling_reason: Text,
    rescheduled_by_email: Text,
    pub rescheduled_from_uid: Text,
    rescheduled_to_uid: Text,
    start: Time,
    end: Time,
    duration: Whole,
    event_type: Maybe<Kind>,
    event_type_id: Text,
    location: Text,
    created_at: Time,
    pub updated_at: Time,
    metadata: Maybe<Call>,
    ics_uid: Text,
    attendees: Many<Somebody>,
    guests: Many<Text>,
    booking_fields_responses: Maybe<Map<String, Value>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Kind {
    id: Text,
    slug: Text,
}

/// A host or an attendee; of a shared slot, with their seat.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Somebody {
    name: Text,
    email: Text,
    time_zone: Text,
    language: Text,
    phone_number: Text,
    absent: Flag,
    seat_uid: Text,
    booking_fields_responses: Maybe<Map<String, Value>>,
}

/// What is known beside the row.
pub struct Beside<'a> {
    pub event_type: &'a EventType,
    /// The booking that this one took the place of, where that stood before.
    pub before: Option<&'a Row>,
    /// Where people look at their bookings.
    pub booker_url: Option<&'a str>,
}

impl Row {
    /// The event type's id.
    pub fn event_type(&self) -> Option<&str> {
        let own = self.event_type.0.as_ref().map(|kind| kind.id.raw());
        own.filter(|id| !id.is_empty()).or(Some(self.event_type_id.raw())).filter(|id| !id.is_empty())
    }

    /// When it last changed.
    pub fn changed(&self) -> Option<Timestamp> {
        self.updated_at.0.or(self.created_at.0)
    }
}

/// The messages that the row comes to.
pub fn messages(row: &Row, beside: &Beside<'_>) -> Result<Vec<BookingMessage>, Malformed> {
    let uid = intake::booking_key(row.uid.raw()).ok_or_else(|| malformed("a listed booking has no usable uid"))?;
    let changed = row.changed().ok_or_else(|| malformed("a listed booking has no time of its last change"))?;
    intake::limit_people(row.attendees.0.len() + row.guests.0.len(), row.hosts.0.len())?;
    let early = early(row.created_at.0.unwrap_or(changed), changed);
    let what = What { row, beside, uid: &uid, changed, early };
    let mut messages = if row.attendees.0.iter().any(|person| !person.seat_uid.raw().is_empty()) {
        what.seats()
    } else {
        what.whole()
    }?;
    messages.extend(what.no_shows());
    Ok(messages)
}

/// A moment that lies before every webhook about the booking, and is later the later the row was changed: a
/// nanosecond for each second since its creation. A webhook is sent milliseconds after the creation at the least.
fn early(created: Timestamp, changed: Timestamp) -> Timestamp {
    let seconds = changed.duration_since(created).as_secs().max(0);
    created.checked_add(SignedDuration::from_nanos(seconds)).unwrap_or(created)
}

struct What<'a> {
    row: &'a Row,
    beside: &'a Beside<'a>,
    uid: &'a BookingKey,
    changed: Timestamp,
    early: Timestamp,
}

impl What<'_> {
    fn message(&self, kind: MessageKind, at: Timestamp, booked: Option<Booking>) -> BookingMessage {
        BookingMessage {
            booking: self.uid.clone(),
            kind,
            at,
            group: None,
            replaces: None,
            replaced_by: None,
            booked: booked.map(Box::new),
        }
    }

    fn whole(&self) -> Result<Vec<BookingMessage>, Malformed> {
        let payload = self.payload(self.row.booking_fields_responses.0.as_ref());
        let invitee = people::invitee(&payload, people::booker(&payload), true);
        let content = invitee.and_then(|invitee| convert::content(&payload, self.uid, invitee, Part::Whole));
        let content =
            content.ok_or_else(|| malformed("a listed booking needs start, end and the address of an attendee"))?;
        let link = |uid: &Text| intake::booking_key(uid.raw()).filter(|other| other != self.uid);
        let (replaces, replaced_by) = (link(&self.row.rescheduled_from_uid), link(&self.row.rescheduled_to_uid));
        let (kind, end) = self.standing(replaced_by.is_some())?;
        let mut messages =
            vec![BookingMessage { replaces, replaced_by, ..self.message(kind, self.early, Some(content)) }];
        messages.extend(end.map(|end| self.message(end, self.changed, None)));
        Ok(messages)
    }

    /// What the booking was, and how it ended, if it did. A booking that was moved is told of by its successor: its own
    /// cancellation is no news, and would end one whose successor still waits for confirmation.
    fn standing(&self, moved: bool) -> Result<(MessageKind, Option<MessageKind>), Malformed> {
        // Whether it ever stood before it ended the row does not say. Where hosts confirm, it counts as having stood
        // unless a webhook says that it was only asked for.
        let stood = match self.beside.event_type.confirms {
            Some(false) => MessageKind::Booked,
            Some(true) | None => MessageKind::Updated,
        };
        let reason = self.row.cancellation_reason.block();
        match self.row.status.raw().to_ascii_lowercase().as_str() {
            "accepted" => Ok((MessageKind::Booked, None)),
            "pending" => Ok((MessageKind::Requested, None)),
            "rejected" => Ok((MessageKind::Requested, Some(MessageKind::Rejected { reason }))),
            "cancelled" if moved => Ok((stood, None)),
            "cancelled" => {
                let by = self.row.cancelled_by_email.line();
                Ok((stood, Some(MessageKind::Cancelled { reason, by, rescheduled: false })))
            }
            _ => Err(malformed("a listed booking has a status that is not documented")),
        }
    }

    /// The seats that are taken. Whoever gave one up is not listed, so only a webhook tells of that. When a seat was
    /// taken is not said either; who is known to have come first stays the first.
    fn seats(&self) -> Result<Vec<BookingMessage>, Malformed> {
        let moved = intake::booking_key(self.row.rescheduled_to_uid.raw()).is_some();
        let (kind, end) = match self.standing(false)? {
            (MessageKind::Booked, end) => (MessageKind::Updated, end),
            other => other,
        };
        let end = end.map(|end| match end {
            MessageKind::Cancelled { reason, by, .. } => MessageKind::Cancelled { reason, by, rescheduled: moved },
            other => other,
        });
        let in_slot = |message: BookingMessage, seat: &BookingKey| BookingMessage {
            booking: seat.clone(),
            group: Some(self.uid.clone()),
            ..message
        };
        let mut messages = Vec::new();
        for somebody in &self.row.attendees.0 {
            let person = somebody.person();
            let Some(seat) = seats::key(self.uid, &person) else { continue };
            let payload = self.payload(somebody.booking_fields_responses.0.as_ref());
            let part = Part::One { person: &person, is_booker: true };
            let content = people::invitee(&payload, Some(&person), true)
                .and_then(|invitee| convert::content(&payload, self.uid, invitee, part))
                .ok_or_else(|| malformed("a listed booking needs start and end"))?;
            messages.push(in_slot(self.message(kind.clone(), self.early, Some(content)), &seat));
            messages.extend(end.clone().map(|end| in_slot(self.message(end, self.changed, None), &seat)));
        }
        messages.extend(end.map(|end| in_slot(self.message(end, self.changed, None), self.uid)));
        Ok(messages)
    }

    /// Who did not come. Marks are set once the meeting has begun, so an earlier row says nothing about them.
    fn no_shows(&self) -> Option<BookingMessage> {
        let begun = self.row.start.0.is_some_and(|start| start <= self.changed);
        let attendees: Vec<(String, bool)> = self
            .row
            .attendees
            .0
            .iter()
            .filter_map(|person| Some((person.email.email(), person.absent.0?)))
            .filter(|(email, _)| !email.is_empty())
            .collect();
        // Whoever was only asked for, or declined, met nobody.
        let stood = matches!(self.row.status.raw().to_ascii_lowercase().as_str(), "accepted" | "cancelled");
        let marks = begun && stood && !attendees.is_empty();
        marks.then(|| self.message(MessageKind::NoShow { attendees }, self.changed, None))
    }

    /// The row in the shape of a webhook's payload.
    fn payload(&self, responses: Option<&Map<String, Value>>) -> Payload {
        let row = self.row;
        let mut hosts = row.hosts.0.iter().map(Somebody::person);
        let organizer = hosts.next();
        let before = self.beside.before;
        let by = |before: &Row| row.rescheduled_by_email.line().or_else(|| before.rescheduled_by_email.line());
        let rescheduled_by = before.and_then(by);
        let reason = row.rescheduling_reason.block().or_else(|| before?.rescheduling_reason.block());
        Payload {
            uid: row.uid.clone(),
            ical_uid: row.ics_uid.clone(),
            slug: row.event_type.0.as_ref().map(|kind| kind.slug.clone()).unwrap_or_default(),
            event_type_id: Text(row.event_type().map(str::to_owned)),
            event_title: Text(self.beside.event_type.title.clone()),
            title: row.title.clone(),
            additional_notes: row.description.clone(),
            responses: Maybe(Some(self.answers(responses, reason))),
            start_time: row.start,
            end_time: row.end,
            length: row.duration,
            organizer: Maybe(organizer),
            attendees: Many(row.attendees.0.iter().map(Somebody::person).collect()),
            team: Maybe(Some(Team { name: Text(self.beside.event_type.team.clone()), members: Many(hosts.collect()) })),
            location: row.location.clone(),
            metadata: Maybe(row.metadata.0.clone()),
            reschedule_uid: row.rescheduled_from_uid.clone(),
            reschedule_start_time: Time(before.and_then(|before| before.start.0)),
            rescheduled_by: Text(rescheduled_by),
            booker_url: Text(self.beside.booker_url.map(str::to_owned)),
            ..Payload::default()
        }
    }

    /// What was answered, with the questions of the event type and in their order.
    fn answers(&self, responses: Option<&Map<String, Value>>, reason: Option<String>) -> Map<String, Value> {
        let mut given = responses.cloned().unwrap_or_default();
        if !self.row.guests.0.is_empty() && !given.contains_key("guests") {
            let guests: Vec<&str> = self.row.guests.0.iter().map(Text::raw).collect();
            given.insert("guests".to_owned(), json!(guests));
        }
        if let Some(reason) = reason
            && self.beside.before.is_some()
            && !given.contains_key("rescheduleReason")
        {
            given.insert("rescheduleReason".to_owned(), json!(reason));
        }
        let mut answers = Map::new();
        for (slug, label) in &self.beside.event_type.labels {
            if let Some(value) = given.remove(slug) {
                answers.insert(slug.clone(), json!({"label": label, "value": value}));
            }
        }
        answers.extend(given.into_iter().map(|(slug, value)| (slug, json!({"value": value}))));
        answers
    }
}

impl Somebody {
    fn person(&self) -> Person {
        let seat = Some(&self.seat_uid).filter(|id| !id.raw().is_empty());
        Person {
            name: self.name.clone(),
            email: self.email.clone(),
            time_zone: self.time_zone.clone(),
            language: Maybe(Some(Language { locale: self.language.clone() })),
            phone_number: self.phone_number.clone(),
            booking_seat: Maybe(seat.map(|id| Seat { reference_uid: id.clone() })),
            ..Person::default()
        }
    }
}
