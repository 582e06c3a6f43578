//! What is mailed about a meeting where no server tells the guests (RFC 5546, RFC 6047): the calendar's part of the mail.
//! Who is mailed, and when, is not decided here. Pure.

use jiff::Timestamp;
use syncline_connect::calendar::{Invitation, Message};
use syncline_core::calendar::event::{Body, Event, Status};

use super::ics;

/// What a message says of these events. `None`: something of them is not known, or there is nobody who invites or comes.
pub fn invitation(message: Message<'_>, events: &[Event], now: Timestamp) -> Option<Invitation> {
    let method = match message {
        Message::Request => "REQUEST",
        Message::Cancel => "CANCEL",
        Message::Reply { .. } => "REPLY",
    };
    let events: Option<Vec<Event>> = events.iter().map(|event| told(message, event, now)).collect();
    let calendar = ics::calendar(&events.filter(|events| !events.is_empty())?, now, Some(method)).ok()?;
    let content_type = format!("text/calendar; charset=utf-8; method={method}");
    Some(Invitation { content_type, body: calendar.text() })
}

/// The event as the message tells it.
fn told(message: Message<'_>, event: &Event, now: Timestamp) -> Option<Event> {
    let mut content = event.content()?.clone();
    content.organizer.as_ref()?;
    // When the message is made orders those of one revision.
    let mut event = Event { modified: Some(now), ..event.clone() };
    match message {
        Message::Request => {}
        Message::Cancel => {
            event.status = Status::Cancelled;
            event.sequence += 1;
        }
        Message::Reply { rep } => content.attendees.retain(|one| one.who.email == rep),
    }
    if content.attendees.is_empty() {
        return None;
    }
    event.body = Body::Open(Box::new(content));
    Some(event)
}
