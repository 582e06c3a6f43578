//! Several reps' copies of one meeting, as one.
//!
//! A copy that its owner keeps private says nothing here, not even that it is there: with it or without it, everything is
//! the same.

use std::cmp::Ordering;

use crate::{
    calendar::event::{Body, Content, Event, Reply, Status},
    mutant::{self, Mutant},
};

/// One calendar's copy of a meeting.
#[derive(Clone, Copy, Debug)]
pub struct Copy<'a> {
    /// The calendar, by the name under which it is linked.
    pub link: &'a str,
    /// When it was linked, among the others.
    pub linked: u32,
    /// The address of the calendar's owner, in normal form.
    pub rep: &'a str,
    pub event: &'a Event,
    /// Whether this is the organiser's own copy; of one that is gone, whether it was when it was last seen.
    pub organizes: bool,
}

/// How the meeting stands, by all its copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    On,
    /// Its organiser called it off.
    Cancelled,
    /// No copy of it may be read, or is left: nothing can be said, and nothing is written.
    Unseen,
}

/// A meeting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct United<'a> {
    pub standing: Standing,
    /// What it is about: by the organiser's copy where that is linked, else by the newest one.
    pub content: Option<&'a Content>,
    /// The calendar whose copy that is.
    pub source: Option<&'a str>,
    /// The organiser, by address, where only a guest's copy says that it was called off: the guest may have meant the own
    /// copy alone.
    pub hearsay: Option<&'a str>,
    /// Whether that copy is the organiser's own: only there more than one's own reply may be written.
    pub writable: bool,
    /// The owners of the copies, the first linked first.
    pub reps: Vec<&'a str>,
}

/// Puts the copies of one meeting together. Their order means nothing.
pub fn unite<'a>(copies: &[Copy<'a>]) -> United<'a> {
    let open = copies.iter().filter(|copy| !has_left(copy));
    let mut open: Vec<(Copy<'a>, &'a Content)> = open.filter_map(|copy| Some((*copy, copy.event.content()?))).collect();
    open.sort_by(|one, other| rank(&other.0, &one.0));
    let best = open.first();
    // A guest's copy may be thrown away by the guest; that it says "called off" is the organiser's word.
    let is_gone = |copy: &Copy<'_>| {
        matches!(copy.event.body, Body::Bare) && (copy.organizes || mutant::on(Mutant::GuestCallsOff))
    };
    let source_is_off = best.is_some_and(|(copy, _)| copy.event.status == Status::Cancelled);
    let organizer_is_gone = copies.iter().any(is_gone);
    let is_off = source_is_off || organizer_is_gone;
    let hearsay = best.filter(|(copy, _)| source_is_off && !organizer_is_gone && !copy.organizes);
    let mut live: Vec<&Copy<'a>> =
        open.iter().map(|(copy, _)| copy).filter(|copy| is_off || copy.event.status != Status::Cancelled).collect();
    live.sort_by_key(|copy| (copy.linked, copy.link));
    let mut reps: Vec<&str> = Vec::new();
    for copy in live {
        if !reps.contains(&copy.rep) {
            reps.push(copy.rep);
        }
    }
    United {
        standing: match best {
            _ if is_off => Standing::Cancelled,
            Some(_) => Standing::On,
            None => Standing::Unseen,
        },
        content: best.map(|(_, content)| *content),
        source: best.map(|(copy, _)| copy.link),
        hearsay: hearsay.and_then(|(_, content)| Some(content.organizer.as_ref()?.email.as_str())),
        writable: best.is_some_and(|(copy, _)| copy.organizes),
        reps,
    }
}

/// Whether a guest took the meeting off the guest's own calendar. Some calendars call that copy cancelled and keep what it
/// said; that the guest declined tells it from one that the organiser called off.
fn has_left(copy: &Copy<'_>) -> bool {
    let declined = |content: &Content| {
        content.attendees.iter().any(|one| one.who.email == copy.rep && one.reply == Reply::Declined)
    };
    let leaves = !copy.organizes && !mutant::on(Mutant::GuestCallsOff);
    leaves && copy.event.status == Status::Cancelled && copy.event.content().is_some_and(declined)
}

/// Which of two copies tells more about the meeting.
fn rank(one: &Copy<'_>, other: &Copy<'_>) -> Ordering {
    one.organizes
        .cmp(&other.organizes)
        .then_with(|| one.event.newer(other.event))
        .then_with(|| one.link.cmp(other.link))
}
