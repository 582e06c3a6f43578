//! Mails between this tenant and the rest of the world: what goes along with one, and what one does that comes.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use serde_json::{Map, Value, json};

use super::{
    Act, MicrosoftTenant, State,
    body::{as_html, plain},
    book::DEFAULT_CALENDAR,
    ids::{foreign_uid, native_uid},
    invite::{OWN_FIELDS, called_off},
    item::{Item, NEVER, Person, address},
    pattern,
    when::{When, stamp, zone},
};
use crate::{
    CalendarMail, MailMethod,
    journal::Actor,
    mails::{MailedEvent, MailedGuest, MailedReply, MailedTime},
    recur::instant,
};

const ANSWERS: [(&str, MailedReply); 4] = [
    ("none", MailedReply::Nothing),
    ("accepted", MailedReply::Accepted),
    ("tentativelyAccepted", MailedReply::Tentative),
    ("declined", MailedReply::Declined),
];

fn word(reply: MailedReply) -> &'static str {
    ANSWERS.iter().find(|(_, known)| *known == reply).map_or("none", |(word, _)| word)
}

fn reply(word: &str) -> MailedReply {
    ANSWERS.iter().find(|(known, _)| *known == word).map_or(MailedReply::Nothing, |(_, reply)| *reply)
}

fn time(when: &When, all_day: bool) -> MailedTime {
    if all_day {
        return MailedTime::Day(when.local().date());
    }
    MailedTime::At { at: when.at, zone: when.tz().iana_name().unwrap_or("UTC").to_owned() }
}

/// A day is from midnight in UTC.
fn when(time: &MailedTime) -> When {
    match time {
        MailedTime::Day(day) => When { at: instant(day.at(0, 0, 0, 0), &TimeZone::UTC), zone: "UTC".into() },
        MailedTime::At { at, zone } => When { at: *at, zone: zone.clone() },
    }
}

/// What a mail says of an event; an answer of the mailbox's owner goes along.
pub(super) fn mailed(event: &Item, from: &str) -> MailedEvent {
    let guest = |row: &Value| {
        let own = !event.mine && address(row).eq_ignore_ascii_case(from);
        let said = if own { event.response.0.as_str() } else { row["status"]["response"].as_str().unwrap_or_default() };
        MailedGuest {
            name: row["emailAddress"]["name"].as_str().map(str::to_owned),
            address: address(row).to_owned(),
            reply: reply(said),
        }
    };
    let place = event.fields.get("location").and_then(|place| place["displayName"].as_str()).unwrap_or_default();
    let original = event.original.map(|at| time(&When { at, zone: event.start.zone.clone() }, event.all_day));
    MailedEvent {
        organizer: (event.organizer.name.clone(), event.organizer.address.clone()),
        guests: event.attendees().iter().map(guest).collect(),
        summary: event.text("subject").to_owned(),
        description: plain(event.text("body")),
        location: place.to_owned(),
        private: !matches!(event.text("sensitivity"), "" | "normal"),
        start: time(&event.start, event.all_day),
        end: time(&event.end, event.all_day),
        rule: event.recurrence.as_ref().and_then(|all| pattern::rule(all).ok()),
        original,
    }
}

impl MicrosoftTenant {
    /// A mail from another sandbox arrives; answers whether it was for somebody here and meant something to him.
    pub fn receive(&self, mail: &CalendarMail) -> bool {
        let Some(said) = &mail.event else { return false };
        let mut state = self.state();
        if !state.mailboxes.contains_key(&mail.to) {
            return false;
        }
        let act = Act { now: self.now(), actor: Actor::Person, user: mail.to.clone() };
        match mail.method {
            MailMethod::Reply => state.take_reply(&act, mail, said),
            MailMethod::Request => state.take_invitation(&act, mail, said),
            MailMethod::Cancel => state.take_cancellation(&act, mail, said),
        }
    }
}

/// The day of an occurrence in the zone of its series.
fn day_of(series: &Item, original: &MailedTime) -> Date {
    match original {
        MailedTime::Day(day) => *day,
        MailedTime::At { at, .. } => series.start.tz().to_datetime(*at).date(),
    }
}

impl State {
    fn take_reply(&mut self, act: &Act, mail: &CalendarMail, said: &MailedEvent) -> bool {
        let Some(mut event) = self.mailbox(&act.user).by_uid(&native_uid(&mail.uid), None).cloned() else {
            return false;
        };
        let answer = json!({"response": word(said.reply_of(&mail.from)), "time": stamp(act.now)});
        let told = |item: &mut Item| {
            if let Some(row) = item.attendee_mut(&mail.from) {
                row["status"] = answer.clone();
            }
        };
        match &said.original {
            None => told(&mut event),
            Some(original) => {
                let day = day_of(&event, original);
                let mut one = event.occurrence(day);
                told(&mut one);
                event.exceptions.insert(day, one);
            }
        }
        self.keep(act, &act.user, event)
    }

    fn take_invitation(&mut self, act: &Act, mail: &CalendarMail, said: &MailedEvent) -> bool {
        let uid = native_uid(&mail.uid);
        let original = said.original.as_ref().map(|original| when(original).at);
        let series = original.and_then(|_| self.mailbox(&act.user).by_uid(&uid, None).cloned());
        if let (Some(mut series), Some(place)) = (series, &said.original) {
            let day = day_of(&series, place);
            let known = series.exceptions.get(&day).cloned();
            let mut one = invited(act, mail, said, series.number, known.as_ref());
            one.original = original;
            series.gone.remove(&day);
            series.exceptions.insert(day, one);
            return self.keep(act, &act.user, series);
        }
        let known = self.mailbox(&act.user).by_uid(&uid, original).cloned();
        let number = known.as_ref().map_or_else(|| self.fresh_number(), |known| known.number);
        let mut event = invited(act, mail, said, number, known.as_ref());
        event.original = original;
        if let Some(known) = known.filter(|known| known.recurrence == event.recurrence) {
            (event.exceptions, event.gone) = (known.exceptions, known.gone);
        }
        self.keep(act, &act.user, event)
    }

    fn take_cancellation(&mut self, act: &Act, mail: &CalendarMail, said: &MailedEvent) -> bool {
        let uid = native_uid(&mail.uid);
        let original = said.original.as_ref().map(|original| when(original).at);
        let single = self.mailbox(&act.user).by_uid(&uid, original).filter(|item| !item.cancelled).cloned();
        if let Some(item) = single {
            return self.keep(act, &act.user, called_off(item));
        }
        let series = self.mailbox(&act.user).by_uid(&uid, None).cloned();
        let (Some(mut series), Some(place)) = (series, &said.original) else { return false };
        let day = day_of(&series, place);
        series.exceptions.remove(&day);
        series.gone.insert(day);
        self.keep(act, &act.user, series)
    }
}

/// The event that an invitation tells of, with what its owner has made of it.
fn invited(act: &Act, mail: &CalendarMail, said: &MailedEvent, number: u64, known: Option<&Item>) -> Item {
    let (start, end) = (when(&said.start), when(&said.end));
    let mut fields = Map::new();
    fields.insert("subject".into(), said.summary.as_str().into());
    fields.insert("body".into(), as_html(&said.description).into());
    if !said.location.is_empty() {
        let place = json!({"displayName": said.location, "locationType": "default", "uniqueId": said.location, "uniqueIdType": "private"});
        fields.insert("locations".into(), json!([place]));
        fields.insert("location".into(), place);
    }
    if said.private {
        fields.insert("sensitivity".into(), "private".into());
    }
    let row = |guest: &MailedGuest| {
        let name = guest.name.as_ref().unwrap_or(&guest.address);
        json!({"type": "required", "status": {"response": "none", "time": NEVER},
               "emailAddress": {"name": name, "address": guest.address}})
    };
    fields.insert("attendees".into(), said.guests.iter().map(row).collect());
    for name in OWN_FIELDS {
        known.and_then(|known| known.fields.get(*name)).map(|own| fields.insert((*name).to_owned(), own.clone()));
    }
    let moved = known.is_none_or(|known| known.cancelled || (&known.start, &known.end) != (&start, &end));
    let response = known.filter(|_| !moved).map(|known| known.response.clone());
    if moved {
        fields.insert("showAs".into(), "tentative".into());
    }
    let tz = zone(&start.zone).unwrap_or(TimeZone::UTC);
    let recurrence = said.rule.as_ref().and_then(|rule| pattern::told(rule, start.local(), &tz));
    Item {
        number,
        calendar: known.map_or(DEFAULT_CALENDAR, |known| known.calendar),
        moves: known.map_or(0, |known| known.moves),
        uid: native_uid(&mail.uid),
        all_day: matches!(said.start, MailedTime::Day(_)),
        start,
        end,
        recurrence,
        cancelled: false,
        organizer: Person { name: said.organizer.0.clone(), address: said.organizer.1.clone() },
        mine: false,
        response: response.unwrap_or_else(|| ("notResponded".into(), NEVER.into())),
        fields,
        original: None,
        exceptions: BTreeMap::new(),
        gone: BTreeSet::new(),
        created: known.map_or(act.now, |known| known.created),
        modified: act.now,
        changed: 0,
    }
}

/// The name of an event in mails: what it was called where it came from.
pub(super) fn mail_uid(uid: &str) -> String {
    foreign_uid(uid).unwrap_or_else(|| uid.to_owned())
}

/// The moment of an occurrence, for mails.
pub(super) fn occurrence(event: &Item) -> Option<String> {
    event.original.map(|at: Timestamp| format!("{at:.0}"))
}
