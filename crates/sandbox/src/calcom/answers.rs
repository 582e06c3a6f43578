//! API v2: bookings in lists and singly, event types, webhooks. What is not imitated is refused in Cal.com's own shape.

use bytes::Bytes;
use http::{Method, Request, Response};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{
    CalcomAccount, CalcomEventType,
    bookings::{Attendee, Booking, Status},
    hooks::{Hook, stamp},
};
use crate::web::{bearer, json as answer, query};

/// Without this header the older shape comes back.
const BOOKINGS_VERSION: &str = "2024-08-13";
const EVENT_TYPES_VERSION: &str = "2024-06-14";

const TAKE_DEFAULT: usize = 100;
const TAKE_MAX: usize = 250;

type Query = std::collections::BTreeMap<String, String>;

/// An error in Cal.com's shape.
pub(super) fn error(status: u16, code: &str, message: &str, path: &str) -> Response<Bytes> {
    answer(
        status,
        &json!({"status": "error", "timestamp": "2026-01-01T00:00:00.000Z", "path": path,
                "error": {"code": code, "message": message, "details": {"message": message, "statusCode": status}}}),
    )
}

fn success(status: u16, data: Value) -> Response<Bytes> {
    answer(status, &json!({"status": "success", "data": data}))
}

impl CalcomAccount {
    pub(super) fn answer(&self, request: &Request<Bytes>) -> Response<Bytes> {
        let path = request.uri().path();
        if bearer(request) != Some(self.config.api_key.as_str()) {
            return error(401, "UnauthorizedException", "Invalid API Key", path);
        }
        let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
        let version = request.headers().get("cal-api-version").and_then(|value| value.to_str().ok());
        let found = match (request.method(), segments.as_slice()) {
            (&Method::GET, ["v2", "me"]) => {
                Some(success(200, json!({"id": 1, "username": "host", "email": self.config.host_email})))
            }
            (&Method::GET, ["v2", "bookings"]) if version == Some(BOOKINGS_VERSION) => {
                Some(self.list(&query(request), path))
            }
            // What the first version of this endpoint answers.
            (&Method::GET, ["v2", "bookings"]) => {
                Some(success(200, json!({"bookings": [], "recurringInfo": [], "totalCount": 0})))
            }
            (&Method::GET, ["v2", "bookings", uid]) if version == Some(BOOKINGS_VERSION) => {
                let state = self.state();
                let booking = state.bookings.iter().find(|booking| booking.uid == *uid);
                booking.map(|booking| success(200, self.row(booking)))
            }
            (&Method::GET, ["v2", "event-types", id]) if version == Some(EVENT_TYPES_VERSION) => {
                id.parse().ok().and_then(|id| self.event_type(id)).map(|kind| success(200, shown(kind)))
            }
            (method, ["v2", "webhooks", rest @ ..]) => self.webhooks(method, rest, request),
            _ => None,
        };
        found.unwrap_or_else(|| error(404, "NotFoundException", &format!("Cannot {} {path}", request.method()), path))
    }

    fn list(&self, query: &Query, path: &str) -> Response<Bytes> {
        let number = |name: &str, default| query.get(name).map_or(Some(default), |text| text.parse::<usize>().ok());
        let (Some(take @ 1..=TAKE_MAX), Some(skip)) = (number("take", TAKE_DEFAULT), number("skip", 0)) else {
            return error(400, "BadRequestException", "take must be between 1 and 250", path);
        };
        let state = self.state();
        let mut found: Vec<&Booking> = Vec::new();
        for booking in &state.bookings {
            match wanted(booking, query, self.now()) {
                Some(true) => found.push(booking),
                Some(false) => {}
                None => return error(400, "BadRequestException", "a filter cannot be read", path),
            }
        }
        type Sort = fn(&Booking) -> Timestamp;
        let sorts: [(&str, Sort); 4] = [
            ("sortStart", |booking| booking.start),
            ("sortEnd", |booking| booking.end),
            ("sortCreated", |booking| booking.created),
            ("sortUpdatedAt", |booking| booking.updated),
        ];
        for (name, key) in sorts {
            match query.get(name).map(String::as_str) {
                Some("asc") => found.sort_by_key(|booking| key(booking)),
                Some("desc") => found.sort_by_key(|booking| std::cmp::Reverse(key(booking))),
                _ => {}
            }
        }
        let total = found.len();
        let rows: Vec<Value> = found.into_iter().skip(skip).take(take).map(|booking| self.row(booking)).collect();
        let remaining = total.saturating_sub(skip + take);
        let pagination = json!({
            "totalItems": total, "remainingItems": remaining, "returnedItems": rows.len(), "itemsPerPage": take,
            "currentPage": skip / take + 1, "totalPages": total.div_ceil(take),
            "hasNextPage": remaining > 0, "hasPreviousPage": skip > 0,
        });
        answer(200, &json!({"status": "success", "data": rows, "pagination": pagination}))
    }

    /// A booking as lists show it.
    fn row(&self, booking: &Booking) -> Value {
        let kind = self.event_type(booking.event_type);
        let host = json!({"id": 1, "name": self.config.host_name, "email": self.config.host_email,
                          "displayEmail": self.config.host_email, "username": "host", "timeZone": "Europe/Berlin"});
        let shared = booking.attendees.iter().any(|person| person.seat.is_some());
        let mut row = json!({
            "id": booking.id, "uid": booking.uid, "title": self.title(booking), "description": "", "hosts": [host],
            "status": booking.status.as_str(), "start": stamp(booking.start), "end": stamp(booking.end),
            "duration": kind.map(|kind| kind.minutes), "eventTypeId": booking.event_type,
            "eventType": {"id": booking.event_type, "slug": kind.map(|kind| &kind.slug)},
            "location": booking.location, "meetingUrl": booking.location, "absentHost": false,
            "createdAt": stamp(booking.created), "updatedAt": stamp(booking.updated), "metadata": {},
            "icsUid": format!("{}@Cal.com", booking.uid),
            "attendees": booking.attendees.iter().map(attendee).collect::<Vec<_>>(),
        });
        if let Some(fields) = row.as_object_mut() {
            if !shared {
                fields.insert("guests".into(), json!(booking.guests));
                let form = booking.booker().map(|booker| form(booker, &booking.guests));
                fields.insert("bookingFieldsResponses".into(), json!(form.unwrap_or_default()));
            }
            // What is not set is left out.
            let texts = [
                ("cancellationReason", &booking.cancellation_reason),
                ("cancelledByEmail", &booking.cancelled_by),
                ("reschedulingReason", &booking.rescheduling_reason),
                ("rescheduledByEmail", &booking.rescheduled_by),
                ("rescheduledFromUid", &booking.from),
                ("rescheduledToUid", &booking.to),
            ];
            fields.extend(texts.into_iter().filter_map(|(name, text)| Some((name.to_owned(), json!(text.as_ref()?)))));
        }
        row
    }

    fn webhooks(&self, method: &Method, rest: &[&str], request: &Request<Bytes>) -> Option<Response<Bytes>> {
        let body: Value = serde_json::from_slice(request.body()).unwrap_or_default();
        let path = request.uri().path();
        let mut state = self.state();
        match (method, rest) {
            (&Method::GET, []) => {
                let hooks: Vec<Value> = state.hooks.iter().map(hook).collect();
                Some(success(200, json!(hooks)))
            }
            (&Method::POST, []) => {
                let url = body["subscriberUrl"].as_str().filter(|url| url.starts_with("http"));
                let (Some(url), true, Some(active)) = (url, body["triggers"].is_array(), body["active"].as_bool())
                else {
                    return Some(error(
                        400,
                        "BadRequestException",
                        "subscriberUrl, triggers and active are needed",
                        path,
                    ));
                };
                if state.hooks.iter().any(|hook| hook.url == url) {
                    return Some(error(
                        409,
                        "ConflictException",
                        "Webhook with this subscriber url already exists for this user",
                        path,
                    ));
                }
                let mut made = Hook {
                    id: format!("hook-{}", state.number()),
                    url: url.to_owned(),
                    active,
                    triggers: Vec::new(),
                    secret: None,
                };
                set(&mut made, &body);
                let shown = hook(&made);
                state.hooks.push(made);
                Some(success(201, shown))
            }
            (&Method::GET, [id]) => {
                state.hooks.iter().find(|hook| hook.id == *id).map(|found| success(200, hook(found)))
            }
            (&Method::PATCH, [id]) => {
                let found = state.hooks.iter_mut().find(|hook| hook.id == *id)?;
                set(found, &body);
                Some(success(200, hook(found)))
            }
            (&Method::DELETE, [id]) => {
                let place = state.hooks.iter().position(|hook| hook.id == *id)?;
                let gone = state.hooks.remove(place);
                Some(success(200, hook(&gone)))
            }
            _ => None,
        }
    }

    /// Switches a webhook off or on, as somebody does in the settings.
    pub fn switch_webhooks(&self, active: bool) {
        self.state().hooks.iter_mut().for_each(|hook| hook.active = active);
    }
}

fn set(hook: &mut Hook, body: &Value) {
    if let Some(active) = body["active"].as_bool() {
        hook.active = active;
    }
    if let Some(triggers) = body["triggers"].as_array() {
        hook.triggers = triggers.iter().filter_map(|trigger| trigger.as_str().map(str::to_owned)).collect();
    }
    if let Some(secret) = body["secret"].as_str() {
        hook.secret = Some(secret.to_owned());
    }
}

fn hook(hook: &Hook) -> Value {
    json!({"id": hook.id, "userId": 1, "subscriberUrl": hook.url, "active": hook.active, "triggers": hook.triggers,
           "secret": hook.secret, "payloadTemplate": ""})
}

fn attendee(person: &Attendee) -> Value {
    let mut shown = json!({"name": person.name, "email": person.email, "displayEmail": person.email,
                           "timeZone": "Europe/London", "language": "en", "absent": person.absent});
    if let (Some(seat), Some(fields)) = (&person.seat, shown.as_object_mut()) {
        fields.insert("seatUid".into(), json!(seat));
        fields.insert("bookingFieldsResponses".into(), json!(form(person, &[])));
    }
    shown
}

/// What was typed into the form, names and address included.
fn form(booker: &Attendee, guests: &[String]) -> Map<String, Value> {
    let mut form = Map::new();
    form.insert("name".into(), json!(booker.name));
    form.insert("email".into(), json!(booker.email));
    if !guests.is_empty() {
        form.insert("guests".into(), json!(guests));
    }
    form.extend(booker.responses.clone());
    form
}

fn shown(kind: &CalcomEventType) -> Value {
    let field = |kind: &str, slug: &str, label: &str, default: bool| json!({"type": kind, "slug": slug, "label": label, "required": true, "isDefault": default});
    let mut fields = vec![field("name", "name", "your_name", true), field("email", "email", "email_address", true)];
    fields.extend(kind.questions.iter().map(|(slug, label)| field("text", slug, label, false)));
    let policy = if kind.confirms {
        json!({"type": "always", "blockUnconfirmedBookingsInBooker": false})
    } else {
        json!({"disabled": true})
    };
    json!({"id": kind.id, "slug": kind.slug, "title": kind.title, "lengthInMinutes": kind.minutes,
           "bookingFields": fields, "confirmationPolicy": policy, "seatsPerTimeSlot": kind.seats})
}

/// Whether a booking passes the filters; nothing where one of them cannot be read.
fn wanted(booking: &Booking, query: &Query, now: Timestamp) -> Option<bool> {
    let mut wanted = true;
    for (name, value) in query {
        let time = || value.parse::<Timestamp>().ok();
        let number = |text: &str| text.trim().parse::<u32>().ok();
        wanted &= match name.as_str() {
            "bookingUid" => booking.uid == *value,
            "attendeeEmail" => booking.attendees.iter().any(|person| person.email == *value),
            "eventTypeId" => booking.event_type == number(value)?,
            "eventTypeIds" => value.split(',').map(number).collect::<Option<Vec<_>>>()?.contains(&booking.event_type),
            "afterStart" => booking.start >= time()?,
            "beforeEnd" => booking.end <= time()?,
            "afterCreatedAt" => booking.created >= time()?,
            "beforeCreatedAt" => booking.created <= time()?,
            "afterUpdatedAt" => booking.updated >= time()?,
            "beforeUpdatedAt" => booking.updated <= time()?,
            "status" => value.split(',').any(|status| match status {
                "cancelled" => matches!(booking.status, Status::Cancelled | Status::Rejected),
                "unconfirmed" => booking.status == Status::Pending,
                "past" => booking.status == Status::Accepted && booking.end <= now,
                "upcoming" => booking.status == Status::Accepted && booking.end > now,
                _ => false,
            }),
            _ => true,
        };
    }
    Some(wanted)
}
