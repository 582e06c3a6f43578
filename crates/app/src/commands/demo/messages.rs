//! The messages that the demo plays: the vendors' shapes, people at example domains.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// One webhook.
pub struct Message {
    /// The source's name in the demo's configuration.
    pub source: &'static str,
    pub what: &'static str,
    pub body: Value,
}

/// All messages in playing order. `epoch` is when the demo was first run: the same message is the same every time.
pub fn all(epoch: Timestamp) -> Vec<Message> {
    let day = |days: i64, hour: i64| {
        let midnight = epoch.as_second() - epoch.as_second().rem_euclid(86_400);
        Timestamp::from_second(midnight + days * 86_400 + hour * 3_600).unwrap_or(epoch)
    };
    let said = |minutes: i64| epoch + SignedDuration::from_mins(minutes);
    vec![
        calcom("Ada Lovelace books an introduction", "BOOKING_CREATED", said(0), "demo-ada-1", day(3, 9), json!({})),
        calcom(
            "she moves it",
            "BOOKING_RESCHEDULED",
            said(1),
            "demo-ada-2",
            day(4, 13),
            moved("demo-ada-1", day(3, 9), "a train is late"),
        ),
        calcom(
            "and moves it again",
            "BOOKING_RESCHEDULED",
            said(2),
            "demo-ada-3",
            day(5, 8),
            moved("demo-ada-2", day(4, 13), "the train is still late"),
        ),
        calcom(
            "and cancels",
            "BOOKING_CANCELLED",
            said(3),
            "demo-ada-3",
            day(5, 8),
            json!({"status": "CANCELLED", "cancelledBy": "ada@analytical.example", "cancellationReason": "no train at all"}),
        ),
        calcom("Ada books anew", "BOOKING_CREATED", said(4), "demo-ada-4", day(9, 9), json!({})),
        calendly("Grace Hopper books a sales call", "invitee.created", said(5), "G1", day(2, 15), json!({})),
        calendly(
            "she moves it: the old time is called off …",
            "invitee.canceled",
            said(6),
            "G1",
            day(2, 15),
            json!({
            "status": "canceled", "rescheduled": true, "new_invitee": invitee_uri("G2"),
            "cancellation": {"canceled_by": "Grace Hopper", "reason": "compiling", "canceler_type": "invitee", "created_at": said(6).to_string()}}),
        ),
        calendly(
            "… and the new one booked",
            "invitee.created",
            said(6),
            "G2",
            day(3, 16),
            json!({"old_invitee": invitee_uri("G1")}),
        ),
        meetergo("Alan Turing, a contact already, books support", "booking_created", said(7), day(1, 10), json!({})),
        meetergo("he cancels", "booking_cancelled", said(8), day(1, 10), json!({"isCancelled": true})),
    ]
}

fn calcom(what: &'static str, trigger: &str, at: Timestamp, uid: &str, start: Timestamp, more: Value) -> Message {
    let mut payload = json!({
        "uid": uid, "bookingId": 4711, "type": "introduction", "eventTitle": "Introduction", "eventTypeId": 7,
        "title": "Introduction between Rosa Rep and Ada Lovelace", "startTime": start.to_string(),
        "endTime": (start + SignedDuration::from_mins(30)).to_string(), "length": 30, "status": "ACCEPTED",
        "additionalNotes": "I would like to see the engine.", "location": "integrations:daily",
        "videoCallData": {"type": "daily_video", "url": "https://video.example.com/introduction"},
        "iCalUID": format!("{uid}@cal.example.com"), "bookerUrl": "https://cal.example.com",
        "organizer": {"id": 1, "name": "Rosa Rep", "email": "rosa@syncline-demo.example", "timeZone": "Europe/Berlin", "language": {"locale": "en"}},
        "attendees": [{"name": "Ada Lovelace", "email": "Ada@Analytical.example", "timeZone": "Europe/London", "language": {"locale": "en"}, "phoneNumber": "+44 20 7946 0018"}],
        "responses": {"name": {"label": "Your name", "value": "Ada Lovelace"}, "email": {"label": "Email", "value": "Ada@Analytical.example"},
                      "company": {"label": "Company", "value": "Analytical Engines Ltd"}},
        "requiresConfirmation": false, "destinationCalendar": null,
    });
    merge(&mut payload, more);
    let body = json!({"triggerEvent": trigger, "createdAt": at.to_string(), "payload": payload});
    Message { source: "calcom", what, body }
}

fn moved(old: &str, old_start: Timestamp, why: &str) -> Value {
    json!({
        "rescheduleUid": old, "rescheduleId": 4711, "rescheduleStartTime": old_start.to_string(),
        "rescheduleEndTime": (old_start + SignedDuration::from_mins(30)).to_string(), "rescheduledBy": "ada@analytical.example",
        "responses": {"name": {"label": "Your name", "value": "Ada Lovelace"}, "email": {"label": "Email", "value": "Ada@Analytical.example"},
                      "company": {"label": "Company", "value": "Analytical Engines Ltd"},
                      "rescheduleReason": {"label": "Reason", "value": why}},
    })
}

fn invitee_uri(id: &str) -> String {
    format!("https://api.calendly.com/scheduled_events/EV{id}/invitees/{id}")
}

fn calendly(what: &'static str, event: &str, at: Timestamp, id: &str, start: Timestamp, more: Value) -> Message {
    let mut payload = json!({
        "uri": invitee_uri(id), "event": format!("https://api.calendly.com/scheduled_events/EV{id}"),
        "email": "grace@cobol.example", "name": "Grace Hopper", "first_name": "Grace", "last_name": "Hopper", "timezone": "America/New_York",
        "status": "active", "rescheduled": false, "old_invitee": null, "new_invitee": null, "created_at": at.to_string(), "updated_at": at.to_string(),
        "cancel_url": format!("https://calendly.com/cancellations/{id}"), "reschedule_url": format!("https://calendly.com/reschedulings/{id}"),
        "questions_and_answers": [{"question": "What would you like to talk about?", "answer": "A thousand compilers", "position": 0}],
        "tracking": {"utm_source": "newsletter", "utm_campaign": "spring", "utm_medium": null, "utm_content": null, "utm_term": null, "salesforce_uuid": null},
        "scheduled_event": {
            "uri": format!("https://api.calendly.com/scheduled_events/EV{id}"), "name": "Sales call", "status": "active",
            "start_time": start.to_string(), "end_time": (start + SignedDuration::from_mins(45)).to_string(),
            "event_type": "https://api.calendly.com/event_types/SALES", "location": {"type": "custom", "location": "By phone"},
            "invitees_counter": {"total": 1, "active": 1, "limit": 1},
            "event_memberships": [{"user": "https://api.calendly.com/users/R", "user_email": "rosa@syncline-demo.example", "user_name": "Rosa Rep"}],
            "event_guests": [], "created_at": at.to_string(), "updated_at": at.to_string()},
    });
    merge(&mut payload, more);
    let body = json!({"event": event, "created_at": at.to_string(), "created_by": "https://api.calendly.com/users/R", "payload": payload});
    Message { source: "calendly", what, body }
}

fn meetergo(what: &'static str, event: &str, at: Timestamp, start: Timestamp, more: Value) -> Message {
    let mut body = json!({
        "webhookType": event, "id": "demo-alan-1", "secret": "demo-only", "start": start.to_string(),
        "end": (start + SignedDuration::from_mins(20)).to_string(), "location": "https://meet.example.com/support", "isCancelled": false, "rescheduledAt": null,
        "meetingInfo": {"channel": "connect", "meetingLink": "https://meet.example.com/support"},
        "attendees": [{"id": "a1", "email": "alan@bletchley.example", "firstname": "Alan", "lastname": "Turing", "fullname": "Alan Turing", "phone": "", "timezone": "Europe/London", "language": "de"}],
        "hosts": [{"id": "h1", "email": "rosa@syncline-demo.example", "givenName": "Rosa", "familyName": "Rep", "fullName": "Rosa Rep", "slug": "rosa"}],
        "hostIds": ["h1"], "meetingType": {"id": "mt1", "slug": "support", "meetingInfo": {"name": "Support", "duration": 20}, "metadata": {}},
        "meetingTypeId": "mt1", "companyId": "c1", "createdAt": at.to_string(), "updatedAt": at.to_string(),
    });
    merge(&mut body, more);
    Message { source: "meetergo", what, body }
}

fn merge(into: &mut Value, more: Value) {
    if let (Some(into), Value::Object(more)) = (into.as_object_mut(), more) {
        into.extend(more);
    }
}
