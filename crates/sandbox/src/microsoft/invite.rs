//! How a meeting reaches its guests: copies in the mailboxes of those who have one here, and mails.

use jiff::civil::Date;
use serde_json::{Value, json};

use super::{
    Act, State,
    item::{Item, NEVER},
    mailed::{mail_uid, mailed, occurrence},
    write::invites,
};
use crate::mails::{CalendarMail, MailMethod};

/// What is each mailbox's own.
pub(super) const OWN_FIELDS: &[&str] = &[
    "showAs",
    "categories",
    "isReminderOn",
    "reminderMinutesBeforeStart",
    "singleValueExtendedProperties",
    "transactionId",
];

impl State {
    fn guests_here(&self, act: &Act) -> Vec<String> {
        self.mailboxes.keys().filter(|user| **user != act.user).cloned().collect()
    }

    /// Brings the guests' copies up to what the organiser's event says.
    pub(super) fn spread(&mut self, act: &Act, number: u64) {
        let Some(event) = self.mailbox(&act.user).items.get(&number).filter(|event| event.mine).cloned() else {
            return;
        };
        for guest in self.guests_here(act) {
            let known = self.mailbox(&guest).by_uid(&event.uid, None).cloned();
            if invites(&event, &guest) {
                let number = known.as_ref().map_or_else(|| self.fresh_number(), |known| known.number);
                let copy = copied(&event, known.as_ref(), number, &guest);
                self.keep(act, &guest, copy);
                continue;
            }
            if let Some(known) = known.filter(|known| !known.cancelled) {
                self.keep(act, &guest, called_off(known));
            }
            // Somebody can be invited to single occurrences of a series that he is not part of.
            let single: Vec<(Date, Item)> = event.exceptions.iter().map(|(day, one)| (*day, one.clone())).collect();
            for (day, one) in single {
                let original = event.start.moved_to(day.to_datetime(event.start.local().time())).at;
                let known = self.mailbox(&guest).by_uid(&event.uid, Some(original)).cloned();
                if invites(&one, &guest) {
                    let number = known.as_ref().map_or_else(|| self.fresh_number(), |known| known.number);
                    let copy = Item { original: Some(original), ..copied(&one, known.as_ref(), number, &guest) };
                    self.keep(act, &guest, copy);
                } else if let Some(known) = known.filter(|known| !known.cancelled) {
                    self.keep(act, &guest, called_off(known));
                }
            }
        }
    }

    /// Marks the guests' copies as cancelled; they stay until somebody takes them off.
    pub(super) fn call_off(&mut self, act: &Act, event: &Item) {
        for guest in self.guests_here(act) {
            let copies: Vec<Item> = self
                .mailbox(&guest)
                .items
                .values()
                .filter(|item| item.uid == event.uid && !item.cancelled)
                .cloned()
                .collect();
            for copy in copies {
                self.keep(act, &guest, called_off(copy));
            }
        }
    }

    pub(super) fn mail(&mut self, act: &Act, method: MailMethod, event: &Item, to: &[String]) {
        for guest in to.iter().filter(|guest| **guest != event.organizer.address) {
            let from = &event.organizer.address;
            let enclosure = (!self.mailboxes.contains_key(guest)).then(|| Box::new(mailed(event, from)));
            self.mails.send(CalendarMail { event: enclosure, ..mail(act, method, event, from, guest, None) });
        }
    }

    pub(super) fn reply(&mut self, act: &Act, event: &Item, answer: &str) {
        let to = &event.organizer.address;
        let enclosure = (!self.mailboxes.contains_key(to)).then(|| Box::new(mailed(event, &act.user)));
        let mail = mail(act, MailMethod::Reply, event, &act.user, to, Some(answer.to_owned()));
        self.mails.send(CalendarMail { event: enclosure, ..mail });
    }
}

fn mail(act: &Act, method: MailMethod, event: &Item, from: &str, to: &str, answer: Option<String>) -> CalendarMail {
    CalendarMail {
        number: 0,
        at: act.now,
        method,
        from: from.to_owned(),
        to: to.to_owned(),
        uid: mail_uid(&event.uid),
        occurrence: occurrence(event),
        sequence: 0,
        subject: event.text("subject").to_owned(),
        answer,
        event: None,
    }
}

/// A guest's copy: what is his own as he has it, and nobody else's answers.
fn copied(event: &Item, known: Option<&Item>, number: u64, guest: &str) -> Item {
    let mut copy = event.clone();
    copy.number = number;
    copy.mine = false;
    copy.cancelled = false;
    copy.calendar = known.map_or(super::book::DEFAULT_CALENDAR, |known| known.calendar);
    copy.moves = known.map_or(0, |known| known.moves);
    copy.created = known.map_or(event.modified, |known| known.created);
    let moved = known.is_none_or(|known| (&known.start, &known.end) != (&event.start, &event.end));
    let answered = known.filter(|known| !moved && !known.cancelled).map(|known| known.response.clone());
    copy.response = answered.unwrap_or_else(|| ("notResponded".into(), NEVER.into()));
    for name in OWN_FIELDS {
        copy.fields.remove(*name);
        let own = known.and_then(|known| known.fields.get(*name).cloned());
        own.map(|own| copy.fields.insert((*name).to_owned(), own));
    }
    copy.fields.entry("showAs").or_insert_with(|| "tentative".into());
    for row in copy.fields.get_mut("attendees").and_then(Value::as_array_mut).into_iter().flatten() {
        row["status"] = json!({"response": "none", "time": NEVER});
    }
    let (exceptions, own) = (std::mem::take(&mut copy.exceptions), copy.response.clone());
    for (day, one) in exceptions {
        if !invites(&one, guest) {
            copy.gone.insert(day);
            continue;
        }
        let before = known.and_then(|known| known.exceptions.get(&day));
        let mut part = copied(&one, before, number, guest);
        if before.is_none() && one.start.at == one.original.unwrap_or(one.start.at) {
            part.response = own.clone();
        }
        copy.exceptions.insert(day, part);
    }
    // What the guest has changed or taken off himself stays so.
    if let Some(known) = known.filter(|known| known.recurrence == event.recurrence) {
        copy.gone.extend(known.gone.iter().copied());
        for (day, own) in known.exceptions.iter().filter(|(day, _)| !event.exceptions.contains_key(*day)) {
            if !copy.gone.contains(day) {
                copy.exceptions.insert(*day, own.clone());
            }
        }
    }
    copy
}

pub(super) fn called_off(mut copy: Item) -> Item {
    copy.cancelled = true;
    let subject = format!("Canceled: {}", copy.text("subject"));
    copy.fields.insert("subject".into(), subject.into());
    copy.fields.insert("showAs".into(), "free".into());
    copy
}
