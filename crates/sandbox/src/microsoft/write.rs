//! What is done to events: made, changed, answered, cancelled, deleted.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{
    Act, State,
    answers::Refused,
    book::DEFAULT_CALENDAR,
    draft::drafted,
    ids::{Key, global_id, id},
    item::{Item, NEVER, Person, address},
    when::{When, stamp},
};
use crate::mails::MailMethod;

/// What a reply is called in the path, and in the answer.
pub(super) const REPLIES: [(&str, &str); 3] =
    [("accept", "accepted"), ("tentativelyAccept", "tentativelyAccepted"), ("decline", "declined")];

fn condition(if_match: Option<&str>, item: &Item) -> Result<(), Refused> {
    match if_match {
        Some(tag) if tag != "*" && tag != item.etag() => Err(Refused::conflict()),
        _ => Ok(()),
    }
}

impl State {
    fn blank(&mut self, act: &Act, calendar: u64) -> Item {
        let number = self.fresh_number();
        let nowhere = When { at: Timestamp::UNIX_EPOCH, zone: "UTC".into() };
        Item {
            number,
            calendar,
            moves: 0,
            uid: global_id(&format!("{}:{number}", act.user), act.now),
            start: nowhere.clone(),
            end: nowhere,
            all_day: false,
            recurrence: None,
            cancelled: false,
            organizer: Person { name: self.mailbox(&act.user).name.clone(), address: act.user.clone() },
            mine: true,
            response: ("organizer".into(), NEVER.into()),
            fields: Map::new(),
            original: None,
            exceptions: BTreeMap::new(),
            gone: BTreeSet::new(),
            created: act.now,
            modified: act.now,
            changed: 0,
        }
    }

    /// Makes an event; a call with a `transactionId` that has been seen makes none.
    pub(super) fn create(&mut self, act: &Act, calendar: u64, body: &Map<String, Value>) -> Result<Key, Refused> {
        let transaction = body.get("transactionId").and_then(Value::as_str).map(str::to_owned);
        let mailbox = self.mailbox(&act.user);
        let known = transaction.as_ref().and_then(|id| mailbox.transactions.get(id)).copied();
        if let (Some(number), Some(status)) = (known, self.transaction_refusal) {
            let moves = mailbox.items.get(&number).map_or(0, |item| item.moves);
            let existing = id(&mailbox.plainly(), Key { number, day: None }, moves);
            return Err(Refused::made_before(status, existing));
        }
        if let Some(number) = known.filter(|number| mailbox.items.contains_key(number)) {
            return Ok(Key { number, day: None });
        }
        let base = self.blank(act, calendar);
        let item = drafted(body, &base, true)?;
        let number = item.number;
        if let (Some(id), Some(mailbox)) = (transaction, self.mailboxes.get_mut(&act.user)) {
            mailbox.transactions.insert(id, number);
        }
        let guests = item.guests();
        self.keep(act, &act.user, item.clone());
        self.spread(act, number);
        self.mail(act, MailMethod::Request, &item, &guests);
        Ok(Key { number, day: None })
    }

    /// Changes an event, or one occurrence of a series.
    pub(super) fn patch(
        &mut self,
        act: &Act,
        key: Key,
        body: &Map<String, Value>,
        if_match: Option<&str>,
    ) -> Result<(), Refused> {
        let mailbox = self.mailbox(&act.user);
        let before = mailbox.find(key)?;
        condition(if_match, &before)?;
        let mut after = drafted(body, &before, false)?;
        let mut series = mailbox.find(Key { day: None, ..key })?;
        let elsewhen =
            (&before.start, &before.end, &before.recurrence) != (&after.start, &after.end, &after.recurrence);
        if elsewhen && after.mine {
            // Who had agreed is asked again.
            for row in after.fields.get_mut("attendees").and_then(Value::as_array_mut).into_iter().flatten() {
                row["status"] = json!({"response": "none", "time": NEVER});
            }
        }
        let whole = match key.day {
            None => {
                if elsewhen {
                    let days = after.days(Timestamp::MAX);
                    after.exceptions.retain(|day, _| before.recurrence == after.recurrence && days.contains(day));
                }
                after.clone()
            }
            Some(day) => {
                boundary(&series, day, &after)?;
                series.exceptions.insert(day, after.clone());
                series
            }
        };
        if self.keep(act, &act.user, whole) && after.mine {
            self.spread(act, key.number);
            self.mail_changes(act, &before, &after);
        }
        Ok(())
    }

    /// Mails all guests, or those alone who came and went where nothing else has changed.
    fn mail_changes(&mut self, act: &Act, before: &Item, after: &Item) {
        let (old, new) = (before.guests(), after.guests());
        let gone: Vec<String> = old.iter().filter(|guest| !new.contains(guest)).cloned().collect();
        let come: Vec<String> = new.iter().filter(|guest| !old.contains(guest)).cloned().collect();
        let rest = |item: &Item| {
            let mut item = item.clone();
            item.fields.remove("attendees");
            item
        };
        let only_guests = rest(before).same_as(&rest(after));
        self.mail(act, MailMethod::Request, after, if only_guests { &come } else { &new });
        self.mail(act, MailMethod::Cancel, after, &gone);
    }

    /// Deletes an event: the organiser's is cancelled for everybody, a guest's only goes from his calendar.
    pub(super) fn delete(&mut self, act: &Act, key: Key, if_match: Option<&str>) -> Result<(), Refused> {
        let item = self.mailbox(&act.user).find(key)?;
        condition(if_match, &item)?;
        let guests = item.guests();
        match key.day {
            None => {
                if item.mine {
                    self.call_off(act, &item);
                }
                self.drop_item(act, &act.user, key.number);
            }
            Some(_) => {
                self.drop_day(act, &act.user, key);
                if item.mine {
                    self.spread(act, key.number);
                }
            }
        }
        if item.mine {
            self.mail(act, MailMethod::Cancel, &item, &guests);
        }
        Ok(())
    }

    /// Cancels as the organiser.
    pub(super) fn cancel(&mut self, act: &Act, key: Key) -> Result<(), Refused> {
        if !self.mailbox(&act.user).find(key)?.mine {
            return Err(Refused::invalid("You need to be an organizer to cancel a meeting."));
        }
        self.delete(act, key, None)
    }

    /// Answers an invitation. The organiser hears of it only if `send` says so. What is declined leaves the calendar.
    pub(super) fn respond(&mut self, act: &Act, key: Key, word: &'static str, send: bool) -> Result<(), Refused> {
        let mailbox = self.mailbox(&act.user);
        let mut item = mailbox.find(key)?;
        if item.mine {
            return Err(Refused::invalid("You can't respond to this meeting because you're the meeting organizer."));
        }
        if send && item.fields.get("responseRequested").is_some_and(|asked| asked == false) {
            return Err(Refused::invalid("The organizer of the meeting has requested no response."));
        }
        item.response = (word.to_owned(), stamp(act.now));
        let busy = if word == "accepted" { "busy" } else { "tentative" };
        item.fields.insert("showAs".into(), busy.into());
        let (uid, organizer, original) = (item.uid.clone(), item.organizer.address.clone(), item.original);
        match (word, key.day) {
            ("declined", None) => self.drop_item(act, &act.user, key.number),
            ("declined", Some(_)) => self.drop_day(act, &act.user, key),
            (_, None) => drop(self.keep(act, &act.user, item.clone())),
            (_, Some(day)) => {
                let mut series = mailbox.find(Key { day: None, ..key })?;
                series.exceptions.insert(day, item.clone());
                self.keep(act, &act.user, series);
            }
        }
        if !send {
            return Ok(());
        }
        self.reply(act, &item, word);
        let Some(home) = self.mailboxes.get(&organizer) else { return Ok(()) };
        let Some(mut event) = home.by_uid(&uid, None).cloned() else { return Ok(()) };
        let day = key.day.or_else(|| original.map(|at| event.start.tz().to_datetime(at).date()));
        let answer = |event: &mut Item| {
            if let Some(row) = event.attendee_mut(&act.user) {
                row["status"] = json!({"response": word, "time": stamp(act.now)});
            }
        };
        match day {
            None => answer(&mut event),
            Some(day) => {
                let mut one = event.occurrence(day);
                answer(&mut one);
                event.exceptions.insert(day, one);
            }
        }
        self.keep(act, &organizer, event);
        Ok(())
    }

    /// Another calendar of this mailbox.
    pub(super) fn add_calendar(&mut self, act: &Act, name: &str) -> u64 {
        let number = self.fresh_number().max(DEFAULT_CALENDAR + 1);
        if let Some(mailbox) = self.mailboxes.get_mut(&act.user) {
            mailbox.calendars.insert(number, name.to_owned());
        }
        number
    }
}

/// An occurrence stays between its neighbours.
fn boundary(series: &Item, day: jiff::civil::Date, after: &Item) -> Result<(), Refused> {
    let until = after.start.at.max(series.occurrence(day).start.at);
    let until = until.checked_add(jiff::SignedDuration::from_hours(24 * 400)).unwrap_or(until);
    let days = series.days(until);
    let place = days.iter().position(|known| *known == day).unwrap_or(0);
    let now = series.start.tz().to_datetime(after.start.at).date();
    let before = place.checked_sub(1).and_then(|place| days.get(place));
    let crosses = before.is_some_and(|before| now <= *before) || days.get(place + 1).is_some_and(|next| now >= *next);
    if crosses {
        let message = "An occurrence cannot be moved to or past the day of its neighbour.";
        return Err(Refused::new(400, "ErrorOccurrenceCrossingBoundary", message));
    }
    Ok(())
}

/// Whether somebody is among the attendees.
pub(super) fn invites(item: &Item, user: &str) -> bool {
    item.attendees().iter().any(|row| address(row).eq_ignore_ascii_case(user))
}
