//! Bookings whose slot is shared by several bookers: which seats a message speaks about, and what each is called. Pure.
//!
//! A seat is named by the booking's uid and the attendee's address. The seat's own id would be the natural name, but
//! not every message carries it, and it stays the same when a seat moves to another slot. Cal.com does not let one
//! address book the same slot twice, so the name is unique.

use syncline_core::ids::BookingKey;

use super::{
    people,
    wire::{Payload, Person},
};
use crate::intake;

/// Whether several bookers share the slot. Where the number of seats is left out, a named seat tells.
pub fn shared(payload: &Payload) -> bool {
    let names_seat = || {
        !payload.attendee_seat_id.raw().trim().is_empty()
            || payload.attendees.0.iter().any(|person| seat_id(person).is_some())
    };
    payload.seats_per_time_slot.0.map_or_else(names_seat, |seats| seats > 1)
}

/// The name of the attendee's seat in the booking.
pub fn key(uid: &BookingKey, person: &Person) -> Option<BookingKey> {
    let email = person.email.email();
    if email.is_empty() {
        return None;
    }
    // The digest stands for the address, because names of bookings are kept and logged longer than people's data.
    intake::booking_key(&format!("{uid}/seat-{}", intake::fingerprint(&[&intake::same_form(&email)])))
}

/// The attendees that a message about a shared slot speaks of:
///
/// 1. the one whose seat is named by `attendeeSeatId`;
/// 2. for a cancellation or move, the attendee who did it; everybody where it was somebody else, a host that is;
/// 3. for a new booking, the booker whose address the form holds;
/// 4. everybody, where the message does not tell.
pub fn spoken_of<'a>(payload: &'a Payload, actor: Option<&str>) -> Vec<&'a Person> {
    let attendees = &payload.attendees.0;
    let seat = payload.attendee_seat_id.raw().trim();
    let named = attendees.iter().find(|person| !seat.is_empty() && seat_id(person) == Some(seat));
    // Only the acting attendee's message carries a seat id at the top.
    let only = if seat.is_empty() || attendees.len() != 1 { None } else { attendees.first() };
    let acting = |email: &str| attendees.iter().find(|person| people::is(person, email));
    let one = named.or(only).or_else(|| match actor {
        Some(actor) => acting(actor),
        None => acting(&people::response_line(payload, "email").unwrap_or_default()),
    });
    one.map_or_else(|| attendees.iter().collect(), |person| vec![person])
}

/// The seat's own id, where the attendee carries one.
pub fn seat_id(person: &Person) -> Option<&str> {
    person.booking_seat.0.as_ref().map(|seat| seat.reference_uid.raw().trim()).filter(|id| !id.is_empty())
}
