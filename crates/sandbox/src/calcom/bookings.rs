//! What bookers and hosts do: book, confirm, decline, move, cancel, mark who did not come. Each changes the database
//! first and sends its webhook a moment later.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{CalcomAccount, Responses, State, hooks};

/// How a booking stands, as the API spells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Accepted,
    Pending,
    Cancelled,
    Rejected,
}

impl Status {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Pending => "pending",
            Self::Cancelled => "cancelled",
            Self::Rejected => "rejected",
        }
    }
}

/// What somebody books.
#[derive(Debug, Clone)]
pub struct NewBooking {
    pub event_type: u32,
    pub start: Timestamp,
    pub name: String,
    pub email: String,
    pub guests: Vec<String>,
    /// Answers, by the question's slug.
    pub responses: Responses,
}

#[derive(Debug, Clone)]
pub(super) struct Attendee {
    pub(super) name: String,
    pub(super) email: String,
    pub(super) absent: bool,
    /// Of a shared slot.
    pub(super) seat: Option<String>,
    pub(super) responses: Responses,
}

#[derive(Debug, Clone)]
pub(super) struct Booking {
    pub(super) id: u32,
    pub(super) uid: String,
    pub(super) event_type: u32,
    pub(super) start: Timestamp,
    pub(super) end: Timestamp,
    pub(super) status: Status,
    /// The booker first.
    pub(super) attendees: Vec<Attendee>,
    pub(super) guests: Vec<String>,
    pub(super) location: String,
    pub(super) created: Timestamp,
    pub(super) updated: Timestamp,
    pub(super) cancellation_reason: Option<String>,
    pub(super) cancelled_by: Option<String>,
    pub(super) rescheduling_reason: Option<String>,
    pub(super) rescheduled_by: Option<String>,
    pub(super) from: Option<String>,
    pub(super) to: Option<String>,
}

impl Booking {
    pub(super) fn booker(&self) -> Option<&Attendee> {
        self.attendees.first()
    }
}

impl CalcomAccount {
    /// Somebody books, and gets the booking's uid. Where the slot is shared and taken already, they get a seat of it.
    pub fn book(&self, new: &NewBooking) -> Option<String> {
        let kind = self.event_type(new.event_type)?;
        let now = self.now();
        let mut state = self.state();
        let seat = kind.seats.map(|_| format!("seat-{}", state.number()));
        let booker = Attendee {
            name: new.name.clone(),
            email: new.email.clone(),
            absent: false,
            seat: seat.clone(),
            responses: new.responses.clone(),
        };
        let shares = |booking: &&mut Booking| {
            seat.is_some()
                && booking.event_type == kind.id
                && booking.start == new.start
                && booking.status == Status::Accepted
        };
        let (uid, trigger) = match state.bookings.iter_mut().find(shares) {
            Some(slot) => {
                slot.attendees.push(booker);
                slot.updated = now;
                (slot.uid.clone(), "BOOKING_CREATED")
            }
            None => {
                let guests = new.guests.iter().map(|email| Attendee {
                    name: email.clone(),
                    email: email.clone(),
                    absent: false,
                    seat: None,
                    responses: Responses::new(),
                });
                let id = state.number();
                let status = if kind.confirms { Status::Pending } else { Status::Accepted };
                let booking = Booking {
                    id,
                    uid: format!("calUid{id:08}"),
                    event_type: kind.id,
                    start: new.start,
                    end: new.start.saturating_add(SignedDuration::from_mins(kind.minutes)).unwrap_or(new.start),
                    status,
                    attendees: std::iter::once(booker).chain(guests).collect(),
                    guests: new.guests.clone(),
                    location: format!("https://video.example.com/{id}"),
                    created: now,
                    updated: now,
                    cancellation_reason: None,
                    cancelled_by: None,
                    rescheduling_reason: None,
                    rescheduled_by: None,
                    from: None,
                    to: None,
                };
                let uid = booking.uid.clone();
                state.bookings.push(booking);
                (uid, if kind.confirms { "BOOKING_REQUESTED" } else { "BOOKING_CREATED" })
            }
        };
        self.tell(&mut state, trigger, &uid, json!({"attendeeSeatId": seat, "booker": new.email}));
        Some(uid)
    }

    /// The host confirms what was asked for.
    pub fn confirm(&self, uid: &str) -> bool {
        self.change(uid, Status::Pending, |booking| booking.status = Status::Accepted, "BOOKING_CREATED", json!({}))
    }

    /// The host declines what was asked for.
    pub fn reject(&self, uid: &str, reason: &str) -> bool {
        let more = json!({"rejectionReason": reason});
        self.change(uid, Status::Pending, |booking| booking.status = Status::Rejected, "BOOKING_REJECTED", more)
    }

    /// Somebody calls the whole booking off.
    pub fn cancel(&self, uid: &str, by: &str, reason: &str) -> bool {
        let end = |booking: &mut Booking| {
            booking.status = Status::Cancelled;
            booking.cancelled_by = Some(by.to_owned());
            booking.cancellation_reason = Some(reason.to_owned());
        };
        let more = json!({"cancelledBy": by, "cancellationReason": reason});
        self.change_any(uid, &[Status::Accepted, Status::Pending], end, "BOOKING_CANCELLED", more)
    }

    /// The host asks the booker to pick another time: in the list it looks like a cancellation.
    pub fn request_reschedule(&self, uid: &str, reason: &str) -> bool {
        let end = |booking: &mut Booking| {
            booking.status = Status::Cancelled;
            booking.cancellation_reason = Some(reason.to_owned());
        };
        let more = json!({"cancellationReason": reason, "requestReschedule": true});
        self.change(uid, Status::Accepted, end, "BOOKING_CANCELLED", more)
    }

    /// Somebody moves the booking: a new one takes its place, and the host confirms that where hosts confirm.
    pub fn reschedule(&self, uid: &str, start: Timestamp, by: &str, reason: &str) -> Option<String> {
        let now = self.now();
        let mut state = self.state();
        let id = state.number();
        let new_uid = format!("calUid{id:08}");
        let old = state.bookings.iter_mut().find(|booking| booking.uid == uid)?;
        let confirms = self.event_type(old.event_type)?.confirms;
        if !matches!(old.status, Status::Accepted | Status::Pending) {
            return None;
        }
        let length = old.end.duration_since(old.start);
        // Marks of who did not come stay with the old booking.
        let attendees = old.attendees.iter().map(|person| Attendee { absent: false, ..person.clone() }).collect();
        let new = Booking {
            attendees,
            id,
            uid: new_uid.clone(),
            start,
            end: start.saturating_add(length).unwrap_or(start),
            status: if confirms { Status::Pending } else { Status::Accepted },
            created: now,
            updated: now,
            rescheduling_reason: Some(reason.to_owned()),
            from: Some(uid.to_owned()),
            ..old.clone()
        };
        old.status = Status::Cancelled;
        old.updated = now;
        old.rescheduled_by = Some(by.to_owned());
        old.to = Some(new_uid.clone());
        let more = json!({
            "rescheduleId": old.id, "rescheduleUid": uid, "rescheduleStartTime": hooks::stamp(old.start),
            "rescheduleEndTime": hooks::stamp(old.end), "rescheduledBy": by,
        });
        state.bookings.push(new);
        let trigger = if confirms { "BOOKING_REQUESTED" } else { "BOOKING_RESCHEDULED" };
        self.tell(&mut state, trigger, &new_uid, more);
        Some(new_uid)
    }

    /// The host marks an attendee of a booking that stands as not having come, or takes the mark back.
    pub fn mark_absent(&self, uid: &str, email: &str, absent: bool) -> bool {
        let now = self.now();
        let mut state = self.state();
        let stands = |booking: &&mut Booking| booking.uid == uid && booking.status == Status::Accepted;
        let Some(booking) = state.bookings.iter_mut().find(stands) else { return false };
        let Some(attendee) = booking.attendees.iter_mut().find(|attendee| attendee.email == email) else {
            return false;
        };
        attendee.absent = absent;
        booking.updated = now;
        let payload = json!({
            "message": "no-show updated", "bookingUid": uid, "bookingId": booking.id,
            "attendees": [{"email": email, "noShow": absent}],
        });
        self.send(&mut state, "BOOKING_NO_SHOW_UPDATED", &payload);
        true
    }

    /// Somebody submits a routing form and books nothing.
    pub fn submit_form(&self, form: &str, name: &str, responses: Value) {
        let payload = json!({"formId": form, "formName": name, "teamId": null, "responses": responses});
        self.send(&mut self.state(), "FORM_SUBMITTED_NO_EVENT", &payload);
    }

    /// A change of a booking that is not over, of which no webhook tells, as with a location that is edited.
    pub fn touch(&self, uid: &str) {
        let now = self.now();
        let open =
            |booking: &&mut Booking| booking.uid == uid && matches!(booking.status, Status::Accepted | Status::Pending);
        if let Some(booking) = self.state().bookings.iter_mut().find(open) {
            booking.updated = now;
        }
    }

    fn change(
        &self,
        uid: &str,
        from: Status,
        change: impl FnOnce(&mut Booking),
        trigger: &'static str,
        more: Value,
    ) -> bool {
        self.change_any(uid, &[from], change, trigger, more)
    }

    fn change_any(
        &self,
        uid: &str,
        from: &[Status],
        change: impl FnOnce(&mut Booking),
        trigger: &'static str,
        more: Value,
    ) -> bool {
        let now = self.now();
        let mut state = self.state();
        let found = state.bookings.iter_mut().find(|booking| booking.uid == uid && from.contains(&booking.status));
        let Some(booking) = found else { return false };
        change(booking);
        booking.updated = now;
        self.tell(&mut state, trigger, uid, more);
        true
    }

    fn tell(&self, state: &mut State, trigger: &'static str, uid: &str, more: Value) {
        let Some(booking) = state.bookings.iter().find(|booking| booking.uid == uid).cloned() else { return };
        let payload = self.payload(&booking, more);
        self.send(state, trigger, &payload);
    }
}
