//! The state of one booking chain: what its messages say together, whatever order they came in.
//!
//! Every part of the state is a set that only grows, or a register in which the greater stamp wins. Absorbing is
//! therefore commutative, associative and idempotent: any order and any repetition of the same messages gives the
//! same state. Nothing here decides what to write; see [`super::project`].

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::message::{Booking, BookingMessage, MessageKind};
use crate::{ids::BookingKey, person::normal_email};

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
    #[serde(default)]
    content: Option<Stamped<Box<Booking>>>,
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
    Requested,
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
    RescheduleRequested { reason: Option<String>, by: Option<String> },
    /// Half of a reschedule is known; the booking that takes its place is not.
    ReschedulePending { since: Timestamp },
    Rejected { reason: Option<String> },
    Cancelled { reason: Option<String>, by: Option<String> },
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

    /// What the messages come to; `None` while none of them carries content.
    pub fn view(&self) -> Option<View<'_>> {
        if self.nodes.is_empty() {
            let form = self.form.as_ref()?;
            return Some(View {
                standing: Standing::FormOnly,
                ever_booked: false,
                content: &form.value,
                other_seats: Vec::new(),
                moves: Vec::new(),
                no_shows: BTreeSet::new(),
            });
        }
        if self.group { self.view_of_group() } else { self.view_of_path() }
    }

    fn view_of_path(&self) -> Option<View<'_>> {
        let (node, standing) = self.current()?;
        // A booking that only a half-known successor or a bare mark speaks of takes its content from its chain.
        let content = node.content.as_ref().or_else(|| self.newest_content())?;
        Some(View {
            standing,
            ever_booked: self.nodes.values().any(|node| node.booked.is_some()),
            content: &content.value,
            other_seats: Vec::new(),
            moves: self.moves(),
            no_shows: no_shows([node]),
        })
    }

    fn view_of_group(&self) -> Option<View<'_>> {
        let active: Vec<(&BookingKey, &Node)> = self.nodes.iter().filter(|(_, node)| node.stands()).collect();
        let seats: Vec<(&BookingKey, &Node)> = if active.is_empty() { self.nodes.iter().collect() } else { active.clone() };
        let (_, main) = seats
            .iter()
            .filter(|(_, node)| node.content.is_some())
            .min_by_key(|(key, node)| (node.booked.is_none(), node.booked, *key))?;
        let standing = if active.is_empty() {
            let newest = self.nodes.values().filter_map(|node| node.standing.as_ref()).max()?;
            newest.value.as_standing(newest.at, false)
        } else {
            Standing::Active
        };
        let content = &main.content.as_ref()?.value;
        let mut other_seats: Vec<&Booking> = active
            .iter()
            .filter_map(|(_, node)| node.content.as_ref())
            .map(|stamped| &*stamped.value)
            .filter(|other| !std::ptr::eq(*other, &**content))
            .collect();
        other_seats.sort();
        Some(View {
            standing,
            ever_booked: self.nodes.values().any(|node| node.booked.is_some()),
            content,
            other_seats,
            moves: Vec::new(),
            no_shows: no_shows(self.nodes.values()),
        })
    }

    /// The node at the end of the reschedule path, and how it stands.
    fn current(&self) -> Option<(&Node, Standing)> {
        let mut successors: BTreeMap<&BookingKey, BTreeSet<&BookingKey>> = BTreeMap::new();
        for (key, node) in &self.nodes {
            for next in &node.replaced_by {
                successors.entry(key).or_default().insert(next);
            }
            for previous in &node.replaces {
                successors.entry(previous).or_default().insert(key);
            }
        }
        let is_end = |key: &BookingKey| successors.get(key).is_none_or(|next| next.iter().all(|next| *next == key));
        let unknown_end = successors
            .values()
            .flatten()
            .copied()
            .find(|key| is_end(key) && !self.nodes.contains_key(*key));
        let known_end = self
            .nodes
            .iter()
            .filter(|(key, _)| is_end(key))
            .max_by_key(|(key, node)| (node.newest(), *key))
            // A circle has no end; the newest of it then speaks for it.
            .or_else(|| self.nodes.iter().max_by_key(|(key, node)| (node.newest(), *key)));
        let (key, node) = known_end?;

        if let Some(unknown) = unknown_end {
            let before = self.nodes.values().find(|node| node.replaced_by.contains(unknown));
            let end_is_older = before.is_some_and(|before| before.newest() >= node.newest());
            if let Some(before) = before.filter(|_| end_is_older || !is_end(key)) {
                return Some((before, Standing::ReschedulePending { since: before.newest()? }));
            }
        }
        // A reschedule that still waits for confirmation, or was declined, leaves the old booking standing.
        if let Some(NodeStanding::Requested | NodeStanding::Rejected { .. }) = node.standing_value()
            && let Some(old) = node.replaces.iter().filter_map(|old| self.nodes.get(old)).find(|old| old.stands())
        {
            return Some((old, Standing::Active));
        }
        let standing = match &node.standing {
            Some(stamped) => stamped.value.as_standing(stamped.at, true),
            None => Standing::Active,
        };
        Some((node, standing))
    }

    fn newest_content(&self) -> Option<&Stamped<Box<Booking>>> {
        self.nodes.values().filter_map(|node| node.content.as_ref()).max()
    }

    /// Every change of time along the chain, computed from what is known, never from what was seen when.
    fn moves(&self) -> Vec<Move> {
        let mut times: Vec<(&Timestamp, &Times)> = self.nodes.values().flat_map(|node| &node.times).collect();
        times.sort();
        let mut moves = Vec::new();
        let mut last: Option<Timestamp> = None;
        for (_, time) in times {
            let from = last.or(time.previous).filter(|from| *from != time.start);
            if let Some(from) = from {
                moves.push(Move { from, to: time.start, by: time.by.clone(), reason: time.reason.clone() });
            }
            last = Some(time.start);
        }
        moves
    }
}

impl Node {
    fn absorb(&mut self, message: &BookingMessage) {
        self.replaces.extend(message.replaces.clone());
        self.replaced_by.extend(message.replaced_by.clone());
        if let Some(content) = &message.booked {
            raise(&mut self.content, Stamped { at: message.at, rank: 0, value: content.clone() });
        }
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
        if message.kind == MessageKind::Booked {
            self.booked = Some(self.booked.map_or(message.at, |first| first.min(message.at)));
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

    fn standing_value(&self) -> Option<&NodeStanding> {
        self.standing.as_ref().map(|stamped| &stamped.value)
    }

    fn stands(&self) -> bool {
        matches!(self.standing_value(), Some(NodeStanding::Booked | NodeStanding::RescheduleRequested { .. }))
    }

    fn newest(&self) -> Option<Timestamp> {
        let content = self.content.as_ref().map(|stamped| stamped.at);
        let standing = self.standing.as_ref().map(|stamped| stamped.at);
        content.max(standing)
    }
}

impl NodeStanding {
    fn of(kind: &MessageKind) -> Option<Self> {
        match kind {
            MessageKind::Booked => Some(Self::Booked),
            MessageKind::Requested => Some(Self::Requested),
            MessageKind::Cancelled { reason, by, rescheduled } => {
                Some(Self::Cancelled { reason: reason.clone(), by: by.clone(), rescheduled: *rescheduled })
            }
            MessageKind::Rejected { reason } => Some(Self::Rejected { reason: reason.clone() }),
            MessageKind::RescheduleRequested { reason, by } => {
                Some(Self::RescheduleRequested { reason: reason.clone(), by: by.clone() })
            }
            MessageKind::NoShow { .. } | MessageKind::Updated | MessageKind::FormSubmitted => None,
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Requested => 0,
            Self::Booked => 1,
            Self::RescheduleRequested { .. } => 2,
            Self::Rejected { .. } => 3,
            Self::Cancelled { .. } => 4,
        }
    }

    /// In a group meeting a seat that moved is gone from here, so nothing is pending.
    fn as_standing(&self, at: Timestamp, may_pend: bool) -> Standing {
        match self {
            Self::Requested => Standing::Unconfirmed,
            Self::Booked => Standing::Active,
            Self::RescheduleRequested { reason, by } => {
                Standing::RescheduleRequested { reason: reason.clone(), by: by.clone() }
            }
            Self::Rejected { reason } => Standing::Rejected { reason: reason.clone() },
            Self::Cancelled { rescheduled: true, .. } if may_pend => Standing::ReschedulePending { since: at },
            Self::Cancelled { reason, by, .. } => Standing::Cancelled { reason: reason.clone(), by: by.clone() },
        }
    }
}

fn raise<T: Ord>(slot: &mut Option<Stamped<T>>, new: Stamped<T>) {
    if slot.as_ref().is_none_or(|known| new > *known) {
        *slot = Some(new);
    }
}

fn no_shows<'a>(nodes: impl IntoIterator<Item = &'a Node>) -> BTreeSet<&'a str> {
    nodes
        .into_iter()
        .flat_map(|node| &node.no_show)
        .filter(|(_, mark)| mark.value)
        .map(|(address, _)| address.as_str())
        .collect()
}
