//! Webhook bodies in the shapes of the sources, and how each signs. Written from the sources' documents, as the
//! connectors are; the two share nothing.

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::story::{Booking, Customer, Nature, Person, SECRET, Source, TAINT};

/// What a message says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    Booked,
    Moved,
    /// The old half of a move, at sources that say it in two messages.
    MovedAway,
    Cancelled,
    Updated,
    NoShow,
}

/// Everything that a body is made of.
pub struct Telling<'a> {
    pub customer: &'a Customer,
    pub booking: &'a Booking,
    pub number: usize,
    pub version: usize,
    pub seat: usize,
    pub said: Timestamp,
    pub title: &'a str,
    pub guests: usize,
    pub event: Event,
}

impl Telling<'_> {
    fn person(&self, seat: usize) -> &Person {
        &self.customer.people[self.booking.people[seat]]
    }

    /// The booker of this message.
    fn booker(&self) -> &Person {
        self.person(self.seat)
    }

    /// Of the booking's own name at the source, per version.
    fn uid(&self, version: usize) -> String {
        format!("ws{}-b{}-v{version}", self.customer.number, self.number)
    }

    fn start(&self) -> Timestamp {
        self.booking.starts[self.version]
    }

    fn end(&self) -> Timestamp {
        self.start() + SignedDuration::from_mins(30)
    }

    fn notes(&self) -> String {
        format!("{TAINT}{} please call", self.customer.number)
    }

    /// Whoever makes a guest's record owns it, so that guests belong to one host each.
    fn guest(&self, at: usize) -> String {
        format!("guest{at}@guests-of-{}", self.booker().host.email().replace('@', "-"))
    }
}

/// The body of a message.
pub fn body(telling: &Telling<'_>) -> Value {
    match telling.booking.source {
        Source::Calcom if telling.event == Event::NoShow => calcom_no_show(telling),
        Source::Calcom => calcom(telling),
        Source::Calendly => calendly(telling),
        Source::Meetergo => meetergo(telling),
        Source::Generic => generic(telling),
    }
}

fn calcom(telling: &Telling<'_>) -> Value {
    let booker = telling.booker();
    let trigger = match telling.event {
        Event::Moved => "BOOKING_RESCHEDULED",
        Event::Cancelled => "BOOKING_CANCELLED",
        _ => "BOOKING_CREATED",
    };
    let attendee = |seat: usize| {
        let person = telling.person(seat);
        let mut attendee = json!({"name": format!("{} {}", person.first, person.last), "email": person.typed,
            "timeZone": "Europe/London", "language": {"locale": "en"}, "phoneNumber": person.phone});
        if telling.booking.shared_slot {
            attendee["bookingSeat"] = json!({"referenceUid": format!("seat-{}-{seat}", telling.number)});
        }
        attendee
    };
    let attendees: Vec<Value> =
        if telling.booking.shared_slot { vec![attendee(telling.seat)] } else { vec![attendee(0)] };
    let mut payload = json!({
        "uid": telling.uid(telling.version), "bookingId": telling.number, "type": "intro", "eventTitle": telling.title,
        "title": telling.title, "startTime": telling.start().to_string(), "endTime": telling.end().to_string(),
        "status": "ACCEPTED", "location": "https://meet.example/room", "additionalNotes": telling.notes(),
        "organizer": {"id": 1, "name": "Host", "email": booker.host.email(), "timeZone": "Europe/Berlin", "language": {"locale": "en"}},
        "attendees": attendees,
        "responses": {"email": {"label": "email", "value": booker.typed},
            "name": {"label": "name", "value": format!("{} {}", booker.first, booker.last)}},
    });
    if telling.booking.shared_slot {
        payload["seatsPerTimeSlot"] = json!(5);
        payload["attendeeSeatId"] = json!(format!("seat-{}-{}", telling.number, telling.seat));
    }
    match telling.event {
        Event::Moved => {
            payload["rescheduleUid"] = json!(telling.uid(telling.version - 1));
            payload["rescheduleStartTime"] = json!(telling.booking.starts[telling.version - 1].to_string());
            payload["rescheduledBy"] = json!(booker.typed);
        }
        Event::Cancelled => {
            payload["status"] = json!("CANCELLED");
            payload["cancellationReason"] = json!("no time");
            payload["cancelledBy"] = json!(booker.typed);
        }
        _ => {}
    }
    json!({"triggerEvent": trigger, "createdAt": telling.said.to_string(), "payload": payload})
}

fn calcom_no_show(telling: &Telling<'_>) -> Value {
    json!({"triggerEvent": "BOOKING_NO_SHOW_UPDATED", "createdAt": telling.said.to_string(), "payload": {
        "bookingUid": telling.uid(telling.version), "bookingId": telling.number, "message": "marked",
        "attendees": [{"email": telling.booker().typed, "noShow": true}]}})
}

fn calendly(telling: &Telling<'_>) -> Value {
    let booker = telling.booker();
    let uri = |version: usize| {
        let uid = telling.uid(version);
        format!("https://api.calendly.com/scheduled_events/EV{uid}/invitees/{uid}")
    };
    let away = telling.event == Event::MovedAway;
    // The old half speaks of the version that is left.
    let version = if away { telling.version - 1 } else { telling.version };
    let start = telling.booking.starts[version];
    let event = match telling.event {
        Event::MovedAway | Event::Cancelled => "invitee.canceled",
        Event::NoShow => "invitee_no_show.created",
        _ => "invitee.created",
    };
    let called_off = matches!(telling.event, Event::MovedAway | Event::Cancelled);
    let mut payload = json!({
        "uri": uri(version), "event": format!("https://api.calendly.com/scheduled_events/EV{}", telling.uid(version)),
        "email": booker.typed, "name": format!("{} {}", booker.first, booker.last), "first_name": booker.first, "last_name": booker.last,
        "timezone": "Europe/London", "status": if called_off { "canceled" } else { "active" }, "rescheduled": away,
        "old_invitee": (!away && version > 0).then(|| uri(version - 1)), "new_invitee": away.then(|| uri(telling.version)),
        "text_reminder_number": booker.phone,
        "created_at": telling.said.to_string(), "updated_at": telling.said.to_string(),
        "questions_and_answers": [{"question": "Notes", "answer": telling.notes(), "position": 0}],
        "scheduled_event": {
            "uri": format!("https://api.calendly.com/scheduled_events/EV{}", telling.uid(version)), "name": telling.title, "status": "active",
            "start_time": start.to_string(), "end_time": (start + SignedDuration::from_mins(30)).to_string(),
            "event_type": "https://api.calendly.com/event_types/INTRO", "location": {"type": "custom", "location": "By phone"},
            "invitees_counter": {"total": 1, "active": 1, "limit": 1},
            "event_memberships": [{"user": "https://api.calendly.com/users/R", "user_email": booker.host.email(), "user_name": "Host"}],
            "event_guests": [], "created_at": telling.said.to_string(), "updated_at": telling.said.to_string()},
    });
    if called_off {
        payload["cancellation"] = json!({"canceled_by": booker.first, "reason": "no time", "canceler_type": "invitee",
            "created_at": telling.said.to_string()});
    }
    json!({"event": event, "created_at": telling.said.to_string(), "payload": payload})
}

fn meetergo(telling: &Telling<'_>) -> Value {
    let booker = telling.booker();
    let event = match telling.event {
        Event::Moved => "booking_rescheduled",
        Event::Cancelled => "booking_cancelled",
        _ => "booking_created",
    };
    json!({
        "webhookType": event, "id": telling.uid(0), "start": telling.start().to_string(), "end": telling.end().to_string(),
        "location": "https://meet.example/room", "isCancelled": telling.event == Event::Cancelled,
        "rescheduledAt": (telling.event == Event::Moved).then(|| telling.said.to_string()),
        "meetingInfo": {"channel": "connect", "meetingLink": "https://meet.example/room", "name": telling.title},
        "attendees": [{"id": "a1", "email": booker.typed, "firstname": booker.first, "lastname": booker.last,
            "fullname": format!("{} {}", booker.first, booker.last), "phone": booker.phone.clone().unwrap_or_default(),
            "timezone": "Europe/London", "language": "en"}],
        "hosts": [{"id": "h1", "email": booker.host.email(), "givenName": "Host", "familyName": "Host", "fullName": "Host", "slug": "host"}],
        "meetingType": {"id": "mt1", "slug": "intro", "meetingInfo": {"name": telling.title, "duration": 30}},
        "meetingTypeId": "mt1", "createdAt": telling.said.to_string(), "updatedAt": telling.said.to_string(),
    })
}

fn generic(telling: &Telling<'_>) -> Value {
    let booker = telling.booker();
    let kind = match telling.event {
        Event::Cancelled => "cancelled",
        Event::Updated => "updated",
        Event::NoShow => "no_show",
        _ => "booked",
    };
    let guests: Vec<Value> = (0..telling.guests).map(|at| json!({"email": telling.guest(at)})).collect();
    let mut body = json!({
        "id": telling.uid(0), "kind": kind, "occurred_at": telling.said.to_string(),
        "meeting": {"type": "intro", "type_name": "Introduction", "title": telling.title, "start": telling.start().to_string(),
            "end": telling.end().to_string(), "location": "https://meet.example/room", "notes": telling.notes()},
        "invitee": {"email": booker.typed, "first_name": booker.first, "last_name": booker.last, "phone": booker.phone},
        "guests": guests, "hosts": [{"email": booker.host.email(), "name": "Host"}],
    });
    match telling.event {
        Event::NoShow => body["no_show"] = json!([{"email": booker.typed, "absent": true}]),
        Event::Cancelled => body["reason"] = json!("no time"),
        _ => {}
    }
    body
}

/// The secret that a customer shares with a source.
pub fn secret(customer: usize, source: Source) -> String {
    format!("{SECRET}-{}-of-customer-{customer}", source.as_str())
}

/// The headers of a delivery. Sources that sign the time sign anew for each attempt.
pub fn headers(
    customer: usize,
    source: Source,
    nature: Nature,
    body: &[u8],
    id: &str,
    now: Timestamp,
) -> Vec<(&'static str, String)> {
    let secret = match nature {
        Nature::Forged => "a guess".to_owned(),
        Nature::Genuine | Nature::Poison => secret(customer, source),
    };
    let mac = |parts: &[&[u8]]| {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes a key of any length");
        parts.iter().for_each(|part| mac.update(part));
        mac.finalize().into_bytes()
    };
    let time = now.as_second().to_string();
    match source {
        Source::Calcom => vec![("x-cal-signature-256", hex::encode(mac(&[body])))],
        Source::Calendly => {
            let digest = hex::encode(mac(&[time.as_bytes(), b".", body]));
            vec![("calendly-webhook-signature", format!("t={time},v1={digest}"))]
        }
        Source::Meetergo => Vec::new(),
        Source::Generic => {
            let digest = STANDARD.encode(mac(&[id.as_bytes(), b".", time.as_bytes(), b".", body]));
            vec![
                ("webhook-id", id.to_owned()),
                ("webhook-timestamp", time),
                ("webhook-signature", format!("v1,{digest}")),
            ]
        }
    }
}
