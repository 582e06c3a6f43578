//! The state of one booking chain: what its messages say together, whatever order they came in.
//!
//! Every part of the state is a set that only grows, or a register in which the greater stamp wins. Absorbing is
//! therefore commutative, associative and idempotent: any order and any repetition of the same messages gives the
//! same state. What the state comes to is read off it in [`view`]; nothing here decides what to write, see
//! [`super::project`].

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::message::{Booking, BookingMessage, MessageKind};
use crate::{ids::BookingKey, person::normal_email};

mod view;

/// The newest times of a booking that are kept for the note about its reschedules.
pub const MAX_TIMES: usize = 32;

/// All that is known of a chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct ChainState {
    nodes: BTreeMap<BookingKey, Node>,
    /// The nodes are seats of one shared meeting.
    #[serde(default)]
    group: bool,
    #[serde(default)]
    form: Option<Stamped<Box<Booking>>>,
}

/// A value that a later payload time overrides; at the same time the terminal value wins, then the greater one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Stamped<T> {
    at: Timestamp,
    #[serde(default)]
    rank: u8,
    value: T,
}

/// One booking of the chain, or one seat of a group meeting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Default)]
struct Node {
    /// The first time at which the booking is known to have stood.
    #[serde(default)]
    booked: Option<Timestamp>,
    /// What the booking is, by every message but a request.
    #[serde(default)]
    content: Option<Stamped<Box<Booking>>>,
    /// What was last asked for. It never pushes aside what was confirmed, however late the request came.
    #[serde(default)]
    asked: Option<Stamped<Box<Booking>>>,
    /// When a confirmation was last asked for.
    #[serde(default)]
    requested: Option<Timestamp>,
    /// Details changed: the booking was there, though this does not say how it stood.
    #[serde(default)]
    updated: bool,
    /// How the booking stands, by every message but a request.
    #[serde(default)]
    standing: Option<Stamped<NodeStanding>>,
    #[serde(default)]
    replaces: BTreeSet<BookingKey>,
    #[serde(default)]
    replaced_by: BTreeSet<BookingKey>,
    #[serde(default)]
    no_show: BTreeMap<String, Stamped<bool>>,
    #[serde(default)]
    times: BTreeMap<Timestamp, Times>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum NodeStanding {
    Booked,
    RescheduleRequested { reason: Option<String>, by: Option<String> },
    Rejected { reason: Option<String> },
    Cancelled { reason: Option<String>, by: Option<String>, rescheduled: bool },
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Times {
    start: Timestamp,
    #[serde(default)]
    previous: Option<Timestamp>,
    #[serde(default)]
    by: Option<String>,
    #[serde(default)]
    reason: Option<String>,
}

/// How the booking stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    Active,
    /// Waits for confirmation; there is nothing confirmed before it.
    Unconfirmed,
    RescheduleRequested {
        reason: Option<String>,
        by: Option<String>,
    },
    /// Half of a reschedule is known; the booking that takes its place is not.
    ReschedulePending {
        since: Timestamp,
    },
    Rejected {
        reason: Option<String>,
    },
    Cancelled {
        reason: Option<String>,
        by: Option<String>,
    },
    /// Only a form; there is no meeting.
    FormOnly,
}

/// One move of the booking from one time to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    pub from: Timestamp,
    pub to: Timestamp,
    pub by: Option<String>,
    pub reason: Option<String>,
}

/// What the chain's messages come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View<'a> {
    pub standing: Standing,
    /// Whether the booking ever stood; a cancellation of one that never did writes nothing.
    pub ever_booked: bool,
    /// Whether its confirmation was ever asked for.
    pub ever_requested: bool,
    pub content: &'a Booking,
    /// Active seats beside the one in `content`, in a group meeting.
    pub other_seats: Vec<&'a Booking>,
    /// Reschedules, oldest first.
    pub moves: Vec<Move>,
    /// Normalised addresses of attendees marked as not having come.
    pub no_shows: BTreeSet<&'a str>,
}

impl ChainState {
    /// Takes a message in. Absorbing it again, or in another order, changes nothing.
    pub fn absorb(&mut self, message: &BookingMessage) {
        if message.kind == MessageKind::FormSubmitted {
            if let Some(content) = &message.booked {
                raise(&mut self.form, Stamped { at: message.at, rank: 0, value: content.clone() });
            }
            return;
        }
        self.group |= message.group.is_some();
        let node = self.nodes.entry(message.booking.clone()).or_default();
        node.absorb(message);
    }
}

impl Node {
    fn absorb(&mut self, message: &BookingMessage) {
        self.replaces.extend(message.replaces.clone());
        self.replaced_by.extend(message.replaced_by.clone());
        let is_request = message.kind == MessageKind::Requested;
        if let Some(content) = &message.booked {
            let content = Stamped { at: message.at, rank: 0, value: content.clone() };
            raise(if is_request { &mut self.asked } else { &mut self.content }, content);
        }
        if is_request {
            self.requested = self.requested.max(Some(message.at));
        }
        self.updated |= message.kind == MessageKind::Updated && message.booked.is_some();
        if let MessageKind::NoShow { attendees } = &message.kind {
            for (address, absent) in attendees {
                let address = normal_email(address).unwrap_or_else(|| address.trim().to_lowercase());
                let mark = Stamped { at: message.at, rank: 0, value: *absent };
                let known = self.no_show.entry(address).or_insert_with(|| mark.clone());
                if mark > *known {
                    *known = mark;
                }
            }
        }
        // Whoever is asked to pick another time has one.
        if matches!(message.kind, MessageKind::Booked | MessageKind::RescheduleRequested { .. }) {
            self.booked = Some(self.booked.map_or(message.at, |first| first.min(message.at)));
        }
        if message.kind == MessageKind::Booked {
            self.remember_times(message);
        }
        if let Some(standing) = NodeStanding::of(&message.kind) {
            let rank = standing.rank();
            raise(&mut self.standing, Stamped { at: message.at, rank, value: standing });
        }
    }

    fn remember_times(&mut self, message: &BookingMessage) {
        let Some(booking) = &message.booked else { return };
        let Some(start) = booking.start else { return };
        let times = Times {
            start,
            previous: booking.previous_start,
            by: booking.rescheduled_by.clone(),
            reason: booking.reschedule_reason.clone(),
        };
        let known = self.times.entry(message.at).or_insert_with(|| times.clone());
        if times > *known {
            *known = times;
        }
        // Keeping the newest of a union is itself independent of order.
        while self.times.len() > MAX_TIMES {
            self.times.pop_first();
        }
    }
}

impl NodeStanding {
    fn of(kind: &MessageKind) -> Option<Self> {
        match kind {
            MessageKind::Booked => Some(Self::Booked),
            MessageKind::Cancelled { reason, by, rescheduled } => {
                Some(Self::Cancelled { reason: reason.clone(), by: by.clone(), rescheduled: *rescheduled })
            }
            MessageKind::Rejected { reason } => Some(Self::Rejected { reason: reason.clone() }),
            MessageKind::RescheduleRequested { reason, by } => {
                Some(Self::RescheduleRequested { reason: reason.clone(), by: by.clone() })
            }
            MessageKind::Requested | MessageKind::NoShow { .. } | MessageKind::Updated | MessageKind::FormSubmitted => {
                None
            }
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Booked => 1,
            Self::RescheduleRequested { .. } => 2,
            Self::Rejected { .. } => 3,
            Self::Cancelled { .. } => 4,
        }
    }
}

fn raise<T: Ord>(slot: &mut Option<Stamped<T>>, new: Stamped<T>) {
    if slot.as_ref().is_none_or(|known| new > *known) {
        *slot = Some(new);
    }
}
