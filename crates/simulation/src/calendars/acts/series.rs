//! Meetings that recur: one of them is changed, or all from one on; and by whose clocks.

use jiff::{SignedDuration, Timestamp};

use super::People;
use crate::{
    calendars::{
        book::{self, Draft},
        ledger::{Meeting, Series, Special},
        office::{PEOPLE, Place},
        plot::Trouble,
        zones::{self, Zone},
    },
    sim::lock,
};

/// Meetings of a series at most.
const SERIES_MAX: u64 = 5;
/// Days by which something is moved on, at most.
const DAYS_ON_MAX: u64 = 15;
/// Of a thousand series near a change of the clocks, how many are at its hour; and how long around it, in minutes.
const NIGHT_PER_MILLE: u64 = 500;
const NIGHT_MINUTES: u64 = 150;
const NIGHT_BEFORE_MINUTES: i64 = 30;

impl People {
    pub(super) fn series(&mut self) {
        let days = *self.dice.pick(&[1, 7]);
        let count = i64::try_from(self.dice.between(2, SERIES_MAX + 1)).unwrap_or(2);
        if self.make(Some((days, count)), None).is_some() {
            self.struck(Trouble::Series);
        }
    }

    /// By whose clocks the next meeting is made, and when; a series often at the hour at which they change.
    pub(super) fn place(&mut self, usual: Timestamp, recurs: bool) -> (Zone, Timestamp) {
        let Some((zone, change)) = self.plot.change else { return (zones::UTC, usual) };
        if recurs && self.clocks.chance(NIGHT_PER_MILLE) {
            let days = i64::try_from(self.clocks.between(1, SERIES_MAX)).unwrap_or(1);
            let minutes = i64::try_from(self.clocks.between(0, NIGHT_MINUTES)).unwrap_or(0);
            let mut start = zone.before_change(change, days, minutes - NIGHT_BEFORE_MINUTES);
            while start <= self.now() {
                start = zone.days_later(start, 1);
            }
            return (zone, start);
        }
        (
            *self.clocks.pick(&[zone, zone, zones::CHANGING[0], zones::CHANGING[1], zones::CHANGING[2], zones::UTC]),
            usual,
        )
    }

    /// How many days later something is moved, beside the time of the day.
    pub(super) fn days_on(&mut self) -> i64 {
        if self.plot.change.is_none() || self.clocks.chance(500) {
            return 0;
        }
        i64::try_from(self.clocks.between(1, DAYS_ON_MAX)).unwrap_or(1)
    }

    /// Only series at the vendor whose occurrences have names that follow from their starts.
    fn recurring(&mut self) -> Option<(usize, Meeting, Series)> {
        let google = |one: &Meeting| PEOPLE[one.owner].place == Place::Google && one.series.is_some() && !one.private;
        let (at, meeting) = self.one(google)?;
        let series = meeting.series.clone()?;
        Some((at, meeting, series))
    }

    pub(super) fn occurrence(&mut self) {
        let Some((at, meeting, mut series)) = self.recurring() else { return };
        let starts = series.starts(meeting.start, meeting.zone);
        let rid = starts[self.some(starts.len())];
        let now = self.now();
        let usual = Special { title: meeting.title.clone(), start: rid, off: false, changed_at: now };
        let mut special = series.special.get(&rid).cloned().unwrap_or(usual);
        if special.off {
            return;
        }
        special.changed_at = now;
        match self.dice.below(3) {
            0 => special.off = true,
            1 => special.title = self.text(false),
            _ => {
                let minutes = i64::try_from(self.dice.between(10, 600)).unwrap_or(10);
                let later = meeting.zone.days_later(special.start, self.days_on());
                special.start = later + SignedDuration::from_mins(minutes);
            }
        }
        let done = book::edit_occurrence(&self.wires.office, &meeting, rid, &special);
        if self
            .noted(&format!("{} of {} at {rid}: {special:?}", PEOPLE[meeting.owner].name, meeting.title), done)
            .is_some()
        {
            self.struck_if(meeting.zone.changes_between(rid, special.start), Trouble::Clocks);
            series.special.insert(rid, special);
            lock(&self.wires.ledger).meetings[at].series = Some(series);
            self.struck(Trouble::Occurrence);
        }
    }

    /// The series ends before one of its meetings, and another one goes on from there.
    pub(super) fn follow(&mut self) {
        let Some((at, mut meeting, mut series)) = self.recurring() else { return };
        if series.count < 2 {
            return;
        }
        let starts = series.starts(meeting.start, meeting.zone);
        let from = 1 + self.some(starts.len() - 1);
        let (owner, minutes, guests) = (meeting.owner, meeting.minutes, meeting.guests.clone());
        let left = series.count - i64::try_from(from).unwrap_or(1);
        series.count = i64::try_from(from).unwrap_or(1);
        let days = series.days;
        series.special.retain(|rid, _| *rid < starts[from]);
        meeting.series = Some(series);
        if !self.change(at, meeting.clone(), "ends") {
            return;
        }
        let title = self.text(false);
        let (start, zone, every) = (starts[from], meeting.zone, Some((days, left)));
        let draft = Draft { title, start, minutes, guests, private: false, zone, every };
        if self.add(owner, draft).is_some() {
            self.struck(Trouble::Follow);
        }
    }
}
