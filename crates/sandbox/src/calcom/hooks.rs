//! Webhooks: who has subscribed to what, and the signed bodies of version 2021-10-20.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{CalcomAccount, State, bookings::Booking};
use crate::web::{Webhook, hmac_hex};

/// A webhook is sent once the change is in the database; this much later.
const LAG: SignedDuration = SignedDuration::from_millis(350);

/// What stands in the signature's place where a hook has no secret.
const NO_SECRET: &str = "no-secret-provided";

#[derive(Debug, Clone)]
pub(super) struct Hook {
    pub(super) id: String,
    pub(super) url: String,
    pub(super) active: bool,
    pub(super) triggers: Vec<String>,
    pub(super) secret: Option<String>,
}

/// A time as Cal.com writes it.
pub(super) fn stamp(at: Timestamp) -> String {
    format!("{at:.3}")
}

impl CalcomAccount {
    pub(super) fn send(&self, state: &mut State, trigger: &'static str, payload: &Value) {
        let at = self.now().saturating_add(LAG).unwrap_or(Timestamp::MAX);
        let body = json!({"triggerEvent": trigger, "createdAt": stamp(at), "payload": payload}).to_string();
        let hooks = state.hooks.iter().filter(|hook| hook.active && hook.triggers.iter().any(|one| one == trigger));
        let sent: Vec<Webhook> = hooks
            .map(|hook| {
                let signature = hook.secret.as_deref().map(|secret| hmac_hex(secret, &[body.as_bytes()]));
                Webhook {
                    url: hook.url.clone(),
                    headers: vec![
                        ("content-type", "application/json".to_owned()),
                        ("x-cal-signature-256", signature.unwrap_or_else(|| NO_SECRET.to_owned())),
                        ("x-cal-webhook-version", "2021-10-20".to_owned()),
                    ],
                    body: body.clone().into_bytes(),
                }
            })
            .collect();
        state.sent.extend(sent);
    }

    /// The booking as webhooks carry it; `more` is laid over it.
    pub(super) fn payload(&self, booking: &Booking, more: Value) -> Value {
        let host = json!({
            "id": 1, "name": self.config.host_name, "email": self.config.host_email, "username": "host",
            "timeZone": "Europe/Berlin", "language": {"locale": "en"}, "timeFormat": "h:mma", "utcOffset": 0,
        });
        let kind = self.event_type(booking.event_type);
        // Of a shared slot the webhook carries the form of whoever acts.
        let acting = more.get("booker").and_then(Value::as_str);
        let booker = booking.attendees.iter().find(|person| Some(person.email.as_str()) == acting);
        let booker = booker.or_else(|| booking.booker());
        let given = booker.map(|booker| booker.responses.clone()).unwrap_or_default();
        let answered = |slug: &str, label: &str, value: Value| {
            (slug.to_owned(), json!({"label": label, "value": value, "isHidden": false}))
        };
        let responses = serde_json::Map::from_iter([
            answered("name", "your_name", json!(booker.map(|booker| &booker.name))),
            answered("email", "email_address", json!(booker.map(|booker| &booker.email))),
            answered("guests", "additional_guests", json!(booking.guests)),
            answered("rescheduleReason", "reschedule_reason", json!(booking.rescheduling_reason)),
        ]);
        let questions = kind.map(|kind| kind.questions.as_slice()).unwrap_or_default();
        let own = questions.iter().filter_map(|(slug, label)| Some(answered(slug, label, given.get(slug)?.clone())));
        let attendees: Vec<Value> = booking
            .attendees
            .iter()
            .map(|person| {
                let seat = person.seat.as_ref().map(|id| json!({"referenceUid": id}));
                json!({"name": person.name, "firstName": "", "lastName": "", "email": person.email,
                       "timeZone": "Europe/London", "language": {"locale": "en"}, "utcOffset": 0, "bookingSeat": seat})
            })
            .collect();
        let status = booking.status.as_str().to_uppercase();
        let mut payload = json!({
            "type": kind.map(|kind| &kind.slug), "title": self.title(booking), "description": "",
            "additionalNotes": "", "customInputs": {}, "startTime": stamp(booking.start), "endTime": stamp(booking.end),
            "organizer": host, "responses": responses, "userFieldsResponses": serde_json::Map::from_iter(own),
            "attendees": attendees, "location": booking.location, "destinationCalendar": null, "requiresConfirmation": null,
            "eventTypeId": booking.event_type, "iCalUID": format!("{}@Cal.com", booking.uid), "uid": booking.uid,
            "bookingId": booking.id, "eventTitle": kind.map(|kind| &kind.title), "eventDescription": null,
            "length": kind.map(|kind| kind.minutes), "price": 0, "currency": "usd", "status": status,
            "seatsPerTimeSlot": kind.and_then(|kind| kind.seats), "bookerUrl": self.config.booker_url,
        });
        if let (Some(payload), Value::Object(more)) = (payload.as_object_mut(), more) {
            payload.extend(more.into_iter().filter(|(name, value)| name != "booker" && !value.is_null()));
        }
        payload
    }

    pub(super) fn title(&self, booking: &Booking) -> String {
        let kind = self.event_type(booking.event_type).map_or("", |kind| kind.title.as_str());
        let booker = booking.booker().map_or("", |booker| booker.name.as_str());
        format!("{kind} between {} and {booker}", self.config.host_name)
    }
}
