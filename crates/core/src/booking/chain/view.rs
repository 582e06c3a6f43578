//! What a chain's state comes to: which booking of it speaks for the meeting, how that one stands, what it moved from.
//! Read off the state alone, so it is the same for every order of the messages. No message is taken in here.
//!
//! A chain is a path of bookings, each taking the place of the one before. Messages that are lost or still to come
//! make gaps in it, and two reschedules at once make it fork; then what stands goes before what does not, and the
//! newer before the older.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{super::message::Booking, ChainState, Move, Node, NodeStanding, Stamped, Standing, Times, View};
use crate::ids::BookingKey;

type Steps<'a> = BTreeMap<&'a BookingKey, BTreeSet<&'a BookingKey>>;

impl ChainState {
    /// What the messages come to; `None` while none of them carries content.
    pub fn view(&self) -> Option<View<'_>> {
        let booking = if self.group { self.view_of_group() } else { self.view_of_path() };
        // A bare mark or cancellation of a booking that is not known does not hide the form.
        booking.or_else(|| self.view_of_form())
    }

    fn view_of_form(&self) -> Option<View<'_>> {
        let form = self.form.as_ref()?;
        Some(View {
            standing: Standing::FormOnly,
            ever_booked: false,
            ever_requested: false,
            content: &form.value,
            other_seats: Vec::new(),
            moves: Vec::new(),
            no_shows: BTreeSet::new(),
        })
    }

    fn view_of_path(&self) -> Option<View<'_>> {
        let (node, standing) = self.current()?;
        // A booking that only a half-known successor or a bare mark speaks of takes its content from its chain.
        let content = node.known_content().or_else(|| self.newest_content())?;
        Some(View {
            standing,
            ever_booked: self.ever_booked(),
            ever_requested: self.ever_requested(),
            content: &content.value,
            other_seats: Vec::new(),
            moves: moves(self.nodes.values(), true),
            no_shows: no_shows([node]),
        })
    }

    fn view_of_group(&self) -> Option<View<'_>> {
        let active: Vec<(&BookingKey, &Node)> = self.nodes.iter().filter(|(_, node)| node.stands()).collect();
        let seats = if active.is_empty() { self.nodes.iter().collect() } else { active.clone() };
        let (_, main) = seats
            .into_iter()
            .filter(|(_, node)| node.known_content().is_some())
            .min_by_key(|(key, node)| (node.booked.is_none(), node.booked, *key))?;
        let content = &main.known_content()?.value;
        let mut other_seats: Vec<&Booking> = active
            .iter()
            .filter(|(_, node)| !std::ptr::eq(*node, main))
            .filter_map(|(_, node)| node.known_content())
            .map(|stamped| &*stamped.value)
            .collect();
        other_seats.sort();
        Some(View {
            standing: self.standing_of_group(),
            ever_booked: self.ever_booked(),
            ever_requested: self.ever_requested(),
            content,
            other_seats,
            // A seat that came from another meeting did not move this one.
            moves: moves([main], false),
            no_shows: no_shows(self.nodes.values()),
        })
    }

    /// One seat that stands keeps the meeting standing. Seats that only wait for confirmation do not bring a meeting
    /// back that all others have left.
    fn standing_of_group(&self) -> Standing {
        let newest = |wanted: fn(&Node) -> bool| {
            self.nodes.values().filter(|node| wanted(node)).filter_map(|node| node.standing.as_ref()).max()
        };
        let asked_to_move =
            |node: &Node| matches!(node.standing_value(), Some(NodeStanding::RescheduleRequested { .. }));
        if self.nodes.values().any(|node| node.stands() && !asked_to_move(node)) {
            return Standing::Active;
        }
        let waiting = self.nodes.values().any(Node::waits) && !self.ever_booked();
        let newest = newest(asked_to_move).or_else(|| newest(|_| true).filter(|_| !waiting));
        // A seat that moved is gone from here, so nothing is pending.
        newest.map_or(Standing::Unconfirmed, |stamped| stamped.value.as_standing(stamped.at, false))
    }

    fn ever_booked(&self) -> bool {
        self.nodes.values().any(|node| node.booked.is_some() || (node.updated && node.requested.is_none()))
    }

    fn ever_requested(&self) -> bool {
        self.nodes.values().any(|node| node.requested.is_some())
    }

    /// The node that speaks for the chain, and how it stands.
    fn current(&self) -> Option<(&Node, Standing)> {
        let mut next = Steps::new();
        let mut previous = Steps::new();
        for (key, node) in &self.nodes {
            let steps =
                node.replaced_by.iter().map(|later| (key, later)).chain(node.replaces.iter().map(|old| (old, key)));
            for (old, later) in steps.filter(|(old, later)| old != later) {
                next.entry(old).or_default().insert(later);
                previous.entry(later).or_default().insert(old);
            }
        }
        let is_end = |key: &BookingKey| !next.contains_key(key);
        let rank = |(key, node): &(&BookingKey, &Node)| (node.stands(), node.newest(), BookingKey::clone(key));
        let end = self
            .nodes
            .iter()
            .filter(|(key, _)| is_end(key))
            .max_by_key(rank)
            // A circle has no end, nor has a path into the unknown; the newest then speaks for it.
            .or_else(|| self.nodes.iter().max_by_key(|(key, node)| (node.newest(), *key)));
        let (key, node) = end?;

        // The last booking known to have given way to one that is not known.
        let leaving = self
            .nodes
            .values()
            .filter(|node| node.replaced_by.iter().any(|later| !self.nodes.contains_key(later) && is_end(later)))
            .filter_map(|node| Some((node.left_at()?, node)))
            .max_by_key(|(at, node)| (*at, node.newest()));
        if let Some((since, before)) = leaving
            && (!is_end(key) || Some(since) >= node.newest())
        {
            return Some((before, Standing::ReschedulePending { since }));
        }
        let node = self.old_that_counts(key, node, &previous).unwrap_or(node);
        Some((node, node.how_it_stands()))
    }

    /// A reschedule that still waits for confirmation, or was declined, leaves the booking before it as it is. Several
    /// such reschedules may have followed one another; a booking that was truly left is not gone back to.
    fn old_that_counts<'a>(&'a self, key: &'a BookingKey, node: &Node, previous: &Steps<'a>) -> Option<&'a Node> {
        if !node.is_unfulfilled() {
            return None;
        }
        let counts = |old: &Node| old.stands() || (!node.waits() && old.is_called_off());
        let mut seen = BTreeSet::from([key]);
        let mut open = vec![key];
        let mut found: Option<(&BookingKey, &Node)> = None;
        while let Some(key) = open.pop() {
            for old in previous.get(key).into_iter().flatten().copied() {
                let Some(node) = self.nodes.get(old).filter(|_| seen.insert(old)) else { continue };
                if counts(node) {
                    found = found.max_by_newest((old, node));
                } else if node.is_unfulfilled() {
                    open.push(old);
                }
            }
        }
        found.map(|(_, node)| node)
    }

    /// The newest content of a booking that stood; of one that was only asked for where none ever stood.
    fn newest_content(&self) -> Option<&Stamped<Box<Booking>>> {
        let stood = self.nodes.values().filter(|node| node.booked.is_some()).filter_map(Node::known_content).max();
        stood.or_else(|| self.nodes.values().filter_map(Node::known_content).max())
    }
}

trait MaxByNewest<'a> {
    fn max_by_newest(self, other: (&'a BookingKey, &'a Node)) -> Self;
}

impl<'a> MaxByNewest<'a> for Option<(&'a BookingKey, &'a Node)> {
    fn max_by_newest(self, other: (&'a BookingKey, &'a Node)) -> Self {
        self.into_iter().chain([other]).max_by_key(|(key, node)| (node.newest(), *key))
    }
}

impl Node {
    fn standing_value(&self) -> Option<&NodeStanding> {
        self.standing.as_ref().map(|stamped| &stamped.value)
    }

    fn known_content(&self) -> Option<&Stamped<Box<Booking>>> {
        self.content.as_ref().or(self.asked.as_ref())
    }

    /// Whether all that is known is that confirmation was asked for.
    fn waits(&self) -> bool {
        self.standing.is_none() && self.requested.is_some()
    }

    /// Whether this is a booking that takes place as far as is known. One of which only details came does: it is
    /// better shown without its beginning than not at all.
    fn stands(&self) -> bool {
        match self.standing_value() {
            Some(NodeStanding::Booked | NodeStanding::RescheduleRequested { .. }) => true,
            Some(NodeStanding::Rejected { .. } | NodeStanding::Cancelled { .. }) => false,
            None => self.updated && self.requested.is_none(),
        }
    }

    /// Whether it was asked for and is not, or not yet, confirmed.
    fn is_unfulfilled(&self) -> bool {
        self.waits() || (self.booked.is_none() && matches!(self.standing_value(), Some(NodeStanding::Rejected { .. })))
    }

    /// Whether it was cancelled for its own sake, not because another takes its place.
    fn is_called_off(&self) -> bool {
        matches!(self.standing_value(), Some(NodeStanding::Cancelled { rescheduled: false, .. }))
    }

    fn how_it_stands(&self) -> Standing {
        match &self.standing {
            Some(stamped) => stamped.value.as_standing(stamped.at, true),
            None if self.requested.is_some() => Standing::Unconfirmed,
            None => Standing::Active,
        }
    }

    /// The newest time that is known of it.
    fn newest(&self) -> Option<Timestamp> {
        let content = self.known_content().map(|stamped| stamped.at);
        let standing = self.standing.as_ref().map(|stamped| stamped.at);
        content.max(standing).max(self.requested)
    }

    /// When it gave way to another, where it did: the time of its standing, which details that follow do not renew.
    fn left_at(&self) -> Option<Timestamp> {
        self.standing.as_ref().map(|stamped| stamped.at).or_else(|| self.newest())
    }
}

impl NodeStanding {
    fn as_standing(&self, at: Timestamp, may_pend: bool) -> Standing {
        match self {
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

/// Every change of time, computed from what is known, never from what was seen when. `first` says whether the time
/// that a booking names as its former one counts where nothing before it is known.
fn moves<'a>(nodes: impl IntoIterator<Item = &'a Node>, first: bool) -> Vec<Move> {
    let mut times: Vec<(&Timestamp, &Times)> = nodes.into_iter().flat_map(|node| &node.times).collect();
    times.sort();
    let mut moves = Vec::new();
    let mut last: Option<Timestamp> = None;
    for (_, time) in times {
        let from = last.or(time.previous.filter(|_| first)).filter(|from| *from != time.start);
        if let Some(from) = from {
            moves.push(Move { from, to: time.start, by: time.by.clone(), reason: time.reason.clone() });
        }
        last = Some(time.start);
    }
    moves
}

fn no_shows<'a>(nodes: impl IntoIterator<Item = &'a Node>) -> BTreeSet<&'a str> {
    nodes
        .into_iter()
        .flat_map(|node| &node.no_show)
        .filter(|(_, mark)| mark.value)
        .map(|(address, _)| address.as_str())
        .collect()
}
