//! One message about one booking, as every source can say it. Sources differ in shape, never in what these mean.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::BookingKey;

impl BookingMessage {
    /// What the chain of this message is found by, should it be the first of its chain.
    pub fn root(&self) -> &BookingKey {
        self.group.as_ref().unwrap_or(&self.booking)
    }

    /// Every booking that this message ties into one chain, the root first. In a group meeting the seats that replace
    /// one another lie in different meetings, so there only the group ties.
    pub fn ties(&self) -> Vec<&BookingKey> {
        let mut ties = vec![self.root()];
        if self.group.is_none() {
            ties.extend(self.replaces.iter().chain(self.replaced_by.iter()));
        }
        ties
    }
}

/// What a source told us about one booking (or, for group meetings, about one seat).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BookingMessage {
    /// The source's own name for the booking; for a group meeting, of the seat.
    pub booking: BookingKey,
    pub kind: MessageKind,
    /// The time that the payload gives for what happened; never the time of arrival.
    pub at: Timestamp,
    /// The shared meeting of a group or seat booking. All messages with one group are one meeting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<BookingKey>,
    /// The booking that this one takes the place of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<BookingKey>,
    /// The booking that takes this one's place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced_by: Option<BookingKey>,
    /// The whole booking as of `at`, where the message carries it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub booked: Option<Box<Booking>>,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageKind {
    /// Made, confirmed, or moved to a new time; the booking stands.
    Booked,
    /// Waits for the host's confirmation.
    Requested,
    /// Called off; `rescheduled` where it is only the first half of a reschedule.
    Cancelled { reason: Option<String>, by: Option<String>, rescheduled: bool },
    /// The host declined a requested booking.
    Rejected { reason: Option<String> },
    /// The host asked the invitee to pick another time; not a cancellation.
    RescheduleRequested { reason: Option<String>, by: Option<String> },
    /// Per e-mail address, as the source spells it: did not come (`true`) or the mark was taken back (`false`).
    NoShow { attendees: Vec<(String, bool)> },
    /// Guests, payment or details changed; the standing did not.
    Updated,
    /// A routing form was submitted and no booking came of it.
    FormSubmitted,
}

/// A booking's content.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Default)]
pub struct Booking {
    /// What settings are chosen by: slug, id or URI of the meeting type.
    pub meeting_type: String,
    /// The meeting type's name as people read it.
    pub meeting_type_name: String,
    pub title: String,
    /// Absent only for a form without a booking.
    pub start: Option<Timestamp>,
    pub end: Option<Timestamp>,
    /// The time this booking had before, where the message says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_start: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reschedule_reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rescheduled_by: Option<String>,
    /// The booker first.
    pub invitee: Attendee,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub guests: Vec<Attendee>,
    /// The organiser first, co-hosts behind.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<Host>,
    /// The team that the meeting type belongs to, by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// Place, phone number or join link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<Answer>,
    /// Campaign tracking: `utm_source`, `utm_medium`, …
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tracking: BTreeMap<String, String>,
    /// A CRM record id that came with the booking link; a hint from outside, to be checked before use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record_hint: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancel_url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reschedule_url: Option<String>,
    /// What a calendar knows this meeting by (iCalendar UID or the calendar's event id).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calendar_ids: Vec<String>,
}

/// Somebody who comes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Default)]
pub struct Attendee {
    /// As the person typed it.
    pub email: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_name: Option<String>,
    /// The whole name where the source does not split it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub full_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// IANA time zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
}

/// Somebody who holds the meeting.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Default)]
pub struct Host {
    pub email: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
}

/// One answered question.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Answer {
    /// The source's stable name of the question, or the question itself where it has none.
    pub key: String,
    /// The question as people read it.
    pub label: String,
    pub value: String,
}
