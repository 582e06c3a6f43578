//! Meetings that people log in the CRM, and what they write on either side of them.

use std::collections::BTreeSet;

use futures::FutureExt;
use jiff::{SignedDuration, Timestamp};
use syncline_core::{Clock, calendar::identity::Uid};

use super::People;
use crate::{
    calendars::{
        book,
        crm::Entry,
        ledger::Logged,
        office::{PEOPLE, integration, uid_in, workspace},
        plot::Trouble,
    },
    sim::lock,
};

/// Such meetings begin so many days ahead: a clock that runs a day ahead must not have them begun.
const AHEAD_DAYS: (u64, u64) = (4, 20);

impl People {
    pub(super) fn log_or_write(&mut self) {
        match self.dice.below(3) {
            0 => self.log(),
            1 => self.write_in_crm(),
            _ => self.write_in_calendar(),
        }
    }

    fn log(&mut self) {
        let place = self.some(self.plot.linked.len());
        let owner = self.plot.linked[place];
        let known: Vec<(String, String)> = {
            let ledger = lock(&self.wires.ledger);
            let there = ledger.contacts.iter().filter(|(_, contact)| !contact.gone);
            there.map(|(email, contact)| (email.clone(), contact.id.clone())).collect()
        };
        if known.is_empty() {
            return;
        }
        let title = self.text(false);
        let ahead =
            SignedDuration::from_hours(24 * i64::try_from(self.dice.between(AHEAD_DAYS.0, AHEAD_DAYS.1)).unwrap_or(4));
        let start =
            Timestamp::from_second((self.wires.sim.clock.now() + ahead).as_second() / 60 * 60).unwrap_or_default();
        let end = start + SignedDuration::from_mins(30);
        let (email, contact) = known[self.some(known.len())].clone();
        let made = self.wires.office.crm.log(&Entry { title: &title, start, end, owner, contact: &contact });
        let Some(id) = self.noted(&format!("somebody logs {title} of {} with {email}", PEOPLE[owner].name), made)
        else {
            return;
        };
        let names = BTreeSet::from([title.clone()]);
        lock(&self.wires.ledger).logged.push(Logged {
            id,
            owner,
            gone: false,
            changes: 0,
            names: names.clone(),
            stands: names,
        });
        self.struck(Trouble::Log);
    }

    /// One of them: its place, what the CRM calls it, and, where it is in the calendar, the event's id, name and title.
    fn one_logged(&mut self) -> Option<(usize, Logged, String, Option<Listed>)> {
        let all: Vec<Logged> = lock(&self.wires.ledger).logged.clone();
        if all.is_empty() {
            return None;
        }
        let at = self.some(all.len());
        let one = all[at].clone();
        let title = self.wires.office.crm.record(&one.id)?.title;
        let listed = one.events(&self.wires.office).into_iter().next();
        Some((at, one, title, listed))
    }

    /// Whether both say the same, and nothing is on its way between them.
    fn is_settled(&self, title: &str, listed: Option<&Listed>) -> bool {
        let Some((_, uid, _)) = listed.filter(|(_, _, there)| there == title) else { return false };
        let Some(uid) = Uid::read(uid) else { return false };
        let known = self.wires.sim.store.series(&workspace(), &integration(), &uid).now_or_never();
        let meetings = known.and_then(Result::ok).map(|(_, meetings)| meetings).unwrap_or_default();
        meetings.iter().any(|one| !one.links.is_empty() && one.plan.is_none())
    }

    fn wrote(&self, at: usize, (seen, elsewhere): (&str, Option<&str>), new: String, is_settled: bool) {
        let mut ledger = lock(&self.wires.ledger);
        let logged = &mut ledger.logged[at];
        logged.changes += 1;
        logged.names.insert(new.clone());
        logged.stands.remove(seen);
        if is_settled {
            logged.stands.clear();
        } else {
            logged.stands.extend(elsewhere.map(str::to_owned));
        }
        logged.stands.insert(new);
        drop(ledger);
        self.struck(Trouble::Log);
    }

    fn write_in_crm(&mut self) {
        let Some((at, one, title, listed)) = self.one_logged() else { return self.log() };
        let new = self.text(false);
        let settled = self.is_settled(&title, listed.as_ref());
        let done = self.wires.office.crm.name(&one.id, &new);
        if self.noted(&format!("somebody names logged {} {new}, settled: {settled}", one.id), done).is_some() {
            self.wrote(at, (title.as_str(), listed.as_ref().map(|(_, _, there)| there.as_str())), new, settled);
        }
    }

    fn write_in_calendar(&mut self) {
        let Some((at, one, title, listed)) = self.one_logged() else { return self.log() };
        let Some((event, _, there)) = &listed else { return };
        let new = self.text(false);
        let settled = self.is_settled(&title, listed.as_ref());
        let done = book::name(&self.wires.office, one.owner, event, &new);
        if self.noted(&format!("{} names {there} {new}, settled: {settled}", PEOPLE[one.owner].name), done).is_some() {
            self.wrote(at, (there.as_str(), Some(title.as_str())), new, settled);
        }
    }
}

/// An event in a calendar: its id there, the name that all copies share, and its title.
pub type Listed = (String, String, String);

impl Logged {
    /// The events that stand for it in its owner's calendar.
    pub fn events(&self, office: &crate::calendars::office::Office) -> Vec<Listed> {
        let rows = book::rows(office, self.owner);
        let listed = rows.iter().filter_map(|row| {
            let title = row["summary"].as_str().or(row["subject"].as_str())?;
            let is_off = row["status"] == "cancelled" || row["isCancelled"] == true;
            let is_it = self.names.contains(title) && !is_off;
            is_it.then(|| Some((row["id"].as_str()?.to_owned(), uid_in(row)?.to_owned(), title.to_owned())))?
        });
        listed.collect()
    }
}
