//! What people did, kept beside the product: every meeting as its organiser has it, whom the CRM knows, and what people did
//! to the records. It asks the product for nothing but how far a calendar is read and what is in step.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use syncline_core::calendar::identity::{MeetingKey, Rid, Uid};

use super::{
    office::{PEOPLE, workspace},
    zones::Zone,
};

/// A meeting, or a series.
#[derive(Debug, Clone)]
pub struct Meeting {
    pub owner: usize,
    /// In the owner's calendar.
    pub id: String,
    pub uid: Uid,
    pub title: String,
    pub start: Timestamp,
    pub minutes: i64,
    /// By whose clocks it recurs and is moved.
    pub zone: Zone,
    pub guests: BTreeSet<String>,
    /// Everybody who ever was one.
    pub ever_guests: BTreeSet<String>,
    pub private: bool,
    pub off: bool,
    /// Whether it, or somebody's part in it, was called off at any time.
    pub ever_off: bool,
    /// Whether a guest took it off whose copy does not say who did, while nobody reads the organiser's calendar.
    pub hearsay: bool,
    /// Whether it was called off while the product still knew it for private: then nothing is said of it.
    pub off_while_frozen: bool,
    /// Whether it was called off before the product had read it in its organiser's calendar.
    pub off_unread: bool,
    pub series: Option<Series>,
    /// Guests of ours who took it off their calendars.
    pub left: BTreeSet<usize>,
    /// When anything was last told of it that calendars show as news.
    pub changed_at: Timestamp,
}

/// That a meeting recurs.
#[derive(Debug, Clone)]
pub struct Series {
    /// Days from one to the next.
    pub days: i64,
    pub count: i64,
    /// Occurrences that differ from the rest, by their original start.
    pub special: BTreeMap<Timestamp, Special>,
    /// All starts that it ever had by its rule.
    pub ever: BTreeSet<Timestamp>,
}

/// An occurrence that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Special {
    pub title: String,
    pub start: Timestamp,
    pub off: bool,
    pub changed_at: Timestamp,
}

impl Series {
    /// The starts that it has by its rule now.
    pub fn starts(&self, first: Timestamp, zone: Zone) -> Vec<Timestamp> {
        (0..self.count).map(|number| zone.days_later(first, self.days * number)).collect()
    }
}

/// One meeting as the CRM is to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    pub title: String,
    pub start: Timestamp,
    pub end: Timestamp,
    pub off: bool,
}

impl Meeting {
    /// Whether this person takes part as a guest.
    pub fn invites(&self, person: usize) -> bool {
        person != self.owner && self.guests.contains(PEOPLE[person].email)
    }

    /// What one meeting of it is like now.
    pub fn shown(&self, rid: Rid) -> Shown {
        let length = SignedDuration::from_mins(self.minutes);
        let plain = |start: Timestamp, off: bool| Shown { title: self.title.clone(), start, end: start + length, off };
        match (rid, &self.series) {
            (Rid::At(at), Some(series)) => match series.special.get(&at) {
                Some(one) => {
                    let off = self.off || one.off || !series.starts(self.start, self.zone).contains(&at);
                    Shown { title: one.title.clone(), start: one.start, end: one.start + length, off }
                }
                None => plain(at, self.off || !series.starts(self.start, self.zone).contains(&at)),
            },
            _ => plain(self.start, self.off),
        }
    }

    /// All occurrences that the CRM may have records of.
    pub fn rids(&self) -> Vec<Rid> {
        match &self.series {
            None => vec![Rid::Single],
            Some(series) => series.ever.iter().map(|at| Rid::At(*at)).collect(),
        }
    }

    pub fn key(&self, rid: Rid) -> String {
        MeetingKey { uid: self.uid.clone(), rid }.external(&workspace()).as_str().to_owned()
    }
}

/// A contact of the CRM.
#[derive(Debug, Clone)]
pub struct Contact {
    pub id: String,
    pub born: Timestamp,
    pub gone: bool,
}

/// What a person wrote into a record.
#[derive(Debug, Clone)]
pub struct CrmEdit {
    pub title: String,
    /// What the calendar said then, where the record said the same: nothing was on its way.
    pub in_step_with: Option<String>,
}

/// A meeting that somebody logged in the CRM.
#[derive(Debug, Clone)]
pub struct Logged {
    /// The record.
    pub id: String,
    pub owner: usize,
    /// Whether it was deleted with its contact.
    pub gone: bool,
    /// How often people gave it another name, and all names that it ever had.
    pub changes: u64,
    pub names: BTreeSet<String>,
    /// The names that may stand in the end: those that nobody replaced who saw them.
    pub stands: BTreeSet<String>,
}

/// The ledger.
#[derive(Debug, Default)]
pub struct Ledger {
    pub meetings: Vec<Meeting>,
    pub logged: Vec<Logged>,
    /// Which meeting, and which occurrence of it, a key stands for.
    pub keys: BTreeMap<String, (usize, Rid)>,
    pub contacts: BTreeMap<String, Contact>,
    /// When a calendar first had a meeting, by person and name.
    pub seen: BTreeMap<(usize, Uid), Timestamp>,
    /// When the integration was switched on.
    pub active_at: Option<Timestamp>,
    /// By person, when the first whole reading of the calendar was found to be done.
    pub settled_at: BTreeMap<usize, Timestamp>,
    pub created: BTreeMap<String, u64>,
    pub edits: BTreeMap<String, CrmEdit>,
    /// Records that people deleted, and whether the product knew of them.
    pub removed: BTreeMap<String, bool>,
    pub effects: u64,
    /// Writes of programs to meetings in the CRM.
    pub writes: u64,
    pub acts: u64,
}

/// Whether something is so, as far as anybody can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sure {
    Yes,
    No,
    Perhaps,
}

impl Ledger {
    /// Takes a meeting in.
    pub fn add(&mut self, meeting: Meeting) -> usize {
        self.meetings.push(meeting);
        let at = self.meetings.len() - 1;
        self.name(at);
        at
    }

    /// Notes what the meetings of a series are called.
    pub fn name(&mut self, at: usize) {
        let meeting = &self.meetings[at];
        let keys: Vec<_> = meeting.rids().into_iter().map(|rid| (meeting.key(rid), (at, rid))).collect();
        self.keys.extend(keys);
    }

    /// Whether the meeting is new in one of the connected calendars whose copies may be read.
    pub fn is_new(&self, meeting: &Meeting, linked: &[usize]) -> Sure {
        let new = linked.iter().filter_map(|person| {
            let seen = *self.seen.get(&(*person, meeting.uid.clone()))?;
            if meeting.left.contains(person) {
                return Some(Sure::Perhaps);
            }
            Some(match (self.active_at, self.settled_at.get(person)) {
                (Some(active), _) if seen <= active => Sure::No,
                (Some(_), Some(settled)) if seen > *settled => Sure::Yes,
                _ => Sure::Perhaps,
            })
        });
        let new: Vec<Sure> = new.collect();
        match () {
            () if new.contains(&Sure::Yes) => Sure::Yes,
            () if new.contains(&Sure::Perhaps) => Sure::Perhaps,
            () => Sure::No,
        }
    }

    /// Whether somebody is in the CRM who was there before the last news of a meeting.
    pub fn is_known(&self, email: &str, since: Timestamp) -> bool {
        self.contacts.get(email).is_some_and(|contact| !contact.gone && contact.born <= since)
    }
}
