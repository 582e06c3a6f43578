//! What must hold in the end, by the ledger: every open meeting with a contact that is new is in the CRM once, as its
//! calendar has it; what was called off says so; everything else has a reason.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use syncline_core::{
    Clock,
    calendar::{
        eligible::{Reason, Verdict},
        identity::Rid,
        series::SeriesPolicy,
    },
};
use syncline_store::{MeetingFilter, MeetingView};

use super::{
    back,
    calm::MEETINGS_MAX,
    crm::{PREFIX, Record},
    ledger::{Ledger, Meeting, Sure},
    office::{PEOPLE, Place, integration, workspace},
    wires::Wires,
};
use crate::{
    log::Line,
    sim::{Sim, lock},
    story::HUSH,
};

/// How near the edge of a window an occurrence lies of which nothing is asked.
const EDGE: SignedDuration = SignedDuration::from_hours(30);

/// Searches what the product keeps and tells for what is private.
pub fn nothing_private(sim: &Sim, kept: &[String], journal: &[Line]) {
    for text in kept.iter().chain(journal.iter().map(|line| &line.text)) {
        if text.to_lowercase().contains(HUSH) {
            let around: String = text.chars().take(600).collect();
            sim.violation("private", format!("what is private is kept: {around}"));
        }
    }
}

/// Everything that is looked at when all is at rest; how many meetings are in the CRM.
pub async fn in_the_end(wires: &Wires) -> u64 {
    let store = &wires.sim.store;
    let views = store.meetings(&workspace(), &integration(), MeetingFilter::All, 0, MEETINGS_MAX).await;
    let views = views.unwrap_or_default();
    let ledger = lock(&wires.ledger);
    back::look(wires, &ledger);
    let ledger = ledger;
    let records = wires.office.crm.records();
    let records: BTreeMap<&str, &Record> =
        records.iter().filter_map(|record| Some((record.key.as_deref()?, record))).collect();
    let end = End { wires, ledger: &ledger, records, views: &views, now: wires.sim.clock.now() };
    for meeting in &ledger.meetings {
        end.look_at(meeting);
    }
    u64::try_from(end.records.len()).unwrap_or(0)
}

/// What there is in the end.
struct End<'a> {
    wires: &'a Wires,
    ledger: &'a Ledger,
    records: BTreeMap<&'a str, &'a Record>,
    views: &'a [MeetingView],
    now: Timestamp,
}

impl End<'_> {
    fn wrong(&self, invariant: &'static str, meeting: &Meeting, rid: Rid, says: &str) {
        let title = &meeting.title;
        self.wires.sim.violation(invariant, format!("{title} ({rid}): {says}; {meeting:?}"));
    }

    fn look_at(&self, meeting: &Meeting) {
        for rid in meeting.rids() {
            match self.records.get(meeting.key(rid).as_str()) {
                Some(record) => self.record(meeting, rid, record),
                None => self.missing(meeting, rid),
            }
        }
        self.first(meeting);
        let has =
            |one: &usize| self.ledger.seen.contains_key(&(*one, meeting.uid.clone())) && !meeting.left.contains(one);
        let here = self.wires.plot.linked.iter().any(has);
        // What came and went before anybody looked was never known.
        if here && !meeting.off && !self.views.iter().any(|view| view.key.uid == meeting.uid) {
            self.wrong("reason", meeting, Rid::Single, "nothing is said of it");
        }
    }

    /// Whether somebody's connected calendar shows the meeting, so that its texts may be known.
    fn is_readable(&self, meeting: &Meeting) -> bool {
        let linked = &self.wires.plot.linked;
        let shows =
            |person: &usize| *person == meeting.owner || (meeting.invites(*person) && !meeting.left.contains(person));
        !meeting.private && linked.iter().any(shows)
    }

    /// Whether the organiser's own calendar is read: only it tells surely of everything.
    fn is_own(&self, meeting: &Meeting) -> bool {
        self.wires.plot.linked.contains(&meeting.owner)
    }

    /// A meeting that has a record.
    fn record(&self, meeting: &Meeting, rid: Rid, record: &Record) {
        if !self.is_readable(meeting) {
            return;
        }
        let shown = meeting.shown(rid);
        // A guest's calendar that only says that something is gone does not say who did it.
        if (shown.off || meeting.hearsay) && !self.is_own(meeting) {
            return;
        }
        // Calendars that name nothing of what is gone do not say what was called off before the organiser's was read.
        let is_nameless = |guest: &usize| *guest == meeting.owner || PEOPLE[*guest].place == Place::Google;
        let mut guests = self.wires.plot.linked.iter().filter(|person| meeting.invites(**person));
        let is_nameless = self.wires.plot.has_bare_tombstones() && guests.all(is_nameless);
        if shown.off && (meeting.off_while_frozen || (is_nameless && meeting.off_unread)) {
            return;
        }
        let title = record.title.as_str();
        let edit = self.ledger.edits.get(&meeting.key(rid));
        // Where the name alone says so, whoever gave it another one took that away.
        if shown.off && edit.is_some() && self.wires.plot.salesforce {
            return;
        }
        if shown.off != record.off {
            let text = format!("off: {}, and the record says {record:?}", shown.off);
            return self.wrong("equal", meeting, rid, &text);
        }
        if shown.off {
            if !title.starts_with(PREFIX) && edit.is_none() {
                self.wrong("equal", meeting, rid, &format!("is off, and the record is called {title}"));
            }
            return;
        }
        let is_edited = edit.is_some_and(|edit| edit.title == title);
        if title != shown.title && !is_edited {
            self.wrong("equal", meeting, rid, &format!("the record is called {title}"));
        }
        if let Some(edit) = edit.filter(|edit| edit.in_step_with.as_ref() == Some(&shown.title) && edit.title != title)
        {
            self.wrong("edit", meeting, rid, &format!("{} was written into the record, and is gone", edit.title));
        }
        for (name, said, at) in [("start", record.start, shown.start), ("end", record.end, shown.end)] {
            if said != Some(at) {
                self.wrong("equal", meeting, rid, &format!("the {name} is {said:?}, and not {at}"));
            }
        }
        self.people(meeting, rid, record);
    }

    /// The right contacts.
    fn people(&self, meeting: &Meeting, rid: Rid, record: &Record) {
        let tied = &record.contacts;
        let stays = |email: &String| self.ledger.contacts.get(email).is_none_or(|contact| !contact.gone);
        let is_steady = meeting.guests.iter().all(stays);
        let comes = |email: &String| {
            let contact = self.ledger.contacts.get(email);
            contact.is_some_and(|contact| tied.contains(contact.id.as_str())) && meeting.guests.contains(email)
        };
        let is_with_somebody = self.ledger.contacts.keys().any(comes);
        for (email, contact) in &self.ledger.contacts {
            let is_tied = tied.contains(contact.id.as_str());
            let invited = meeting.guests.contains(email) && self.ledger.is_known(email, meeting.changed_at);
            // A changed occurrence has a list of guests of its own.
            let special =
                matches!((&meeting.series, rid), (Some(series), Rid::At(at)) if series.special.contains_key(&at));
            if invited && !is_tied && !special && is_steady {
                self.wrong("people", meeting, rid, &format!("{email} is not on the record"));
            }
            if is_tied && !meeting.ever_guests.contains(email) {
                self.wrong("people", meeting, rid, &format!("{email} is on the record, and was never invited"));
            }
            // Where nobody of them comes who is in the CRM, the meeting stays with whom it was.
            let has_left = is_tied && !contact.gone && !meeting.guests.contains(email);
            if has_left && is_with_somebody && !special && is_steady {
                self.wrong("people", meeting, rid, &format!("{email} is on the record, and is not invited any more"));
            }
        }
    }

    /// Whether the meeting should be in the CRM, if the series' policy has it so.
    fn belongs(&self, meeting: &Meeting, since: Timestamp) -> bool {
        let guest = |email: &String| !PEOPLE.iter().any(|one| one.email == email) && self.ledger.is_known(email, since);
        self.is_own(meeting)
            && !meeting.private
            && !meeting.off
            && self.ledger.is_new(meeting, &self.wires.plot.linked) == Sure::Yes
            && meeting.guests.iter().any(guest)
    }

    /// A meeting without a record.
    fn missing(&self, meeting: &Meeting, rid: Rid) {
        let key = meeting.key(rid);
        let view = self.views.iter().find(|view| view.key.uid == meeting.uid && view.key.rid == rid);
        if self.ledger.removed.contains_key(&key) {
            return;
        }
        if let Some(view) = view
            && (view.state.verdict == Verdict::Log || view.state.verdict == Verdict::LeftOut(Reason::RemovedInCrm))
        {
            self.wrong("equal", meeting, rid, &format!("it is taken for logged, and has no record: {view:?}"));
        }
        let (since, chosen) = match (&meeting.series, rid) {
            (Some(series), Rid::At(at)) => {
                let since =
                    series.special.get(&at).map_or(meeting.changed_at, |one| one.changed_at.max(meeting.changed_at));
                (since, self.is_chosen(meeting, at))
            }
            _ => (meeting.changed_at, true),
        };
        if chosen && self.belongs(meeting, since) && !meeting.shown(rid).off {
            self.wrong("logged", meeting, rid, &format!("is not in the CRM: {view:?}"));
        }
    }

    /// Whether the policy surely chooses an occurrence.
    fn is_chosen(&self, meeting: &Meeting, at: Timestamp) -> bool {
        let shown = meeting.shown(Rid::At(at));
        let changed = meeting.series.as_ref().is_some_and(|series| series.special.contains_key(&at));
        match self.wires.plot.series {
            SeriesPolicy::FirstAndChanged => changed,
            SeriesPolicy::Materialise { past_days, future_days } => {
                let day = SignedDuration::from_hours(24);
                let from = self.now - day * i32::from(past_days) + EDGE;
                let to = self.now + day * i32::from(future_days) - EDGE;
                // A meeting that was moved lies in two places.
                [at, shown.start].iter().all(|start| from < *start && *start < to)
            }
            SeriesPolicy::WhenTakenPlace => {
                [at, shown.start].iter().all(|start| *start + (shown.end - shown.start) < self.now - EDGE / 30)
            }
            SeriesPolicy::Series => false,
        }
    }

    /// Of a series at least one meeting is logged, where the first one is to be.
    fn first(&self, meeting: &Meeting) {
        let wants_first = meeting.series.is_some() && self.wires.plot.series == SeriesPolicy::FirstAndChanged;
        if !wants_first || !self.belongs(meeting, meeting.changed_at) {
            return;
        }
        let keys: Vec<String> = meeting.rids().into_iter().map(|rid| meeting.key(rid)).collect();
        let gone = |key: &String| self.ledger.removed.contains_key(key);
        let shown = |rid: &Rid| !meeting.shown(*rid).off;
        if !keys.iter().any(|key| self.records.contains_key(key.as_str()) || gone(key))
            && meeting.rids().iter().any(shown)
        {
            self.wrong("logged", meeting, Rid::Single, "no meeting of the series is in the CRM");
        }
    }
}
