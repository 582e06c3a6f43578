//! Mailboxes and what is in them: keeping an event, counting its change, finding it again.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{
    Act, State,
    answers::Refused,
    ids::{Key, Manner, parse_id},
    item::Item,
};
use crate::journal::EffectKind;

/// The calendar that every mailbox has.
pub(super) const DEFAULT_CALENDAR: u64 = 1;

#[derive(Debug)]
pub(super) struct Mailbox {
    /// Its place among all.
    pub(super) place: usize,
    pub(super) user_id: String,
    pub(super) name: String,
    /// Names of its calendars by number.
    pub(super) calendars: BTreeMap<u64, String>,
    pub(super) items: BTreeMap<u64, Item>,
    /// Events, and what has gone, by the count of changes at their last change.
    pub(super) order: BTreeMap<u64, Change>,
    /// Numbers of events by what a client called the call that made them.
    pub(super) transactions: BTreeMap<String, u64>,
}

#[derive(Debug, Clone)]
pub(super) enum Change {
    Kept(u64),
    Gone { key: Key, calendar: u64, moves: u32 },
}

impl Mailbox {
    /// An event or an occurrence that has not been cancelled.
    pub(super) fn find(&self, key: Key) -> Result<Item, Refused> {
        let item = self.items.get(&key.number).ok_or_else(Refused::not_found)?;
        match key.day {
            None => Ok(item.clone()),
            Some(day) if item.exceptions.contains_key(&day) => Ok(item.occurrence(day)),
            Some(day) => {
                let after = item.start.moved_to(day.tomorrow().unwrap_or(day).at(23, 59, 59, 0)).at;
                let known = item.days(after).contains(&day);
                if known { Ok(item.occurrence(day)) } else { Err(Refused::not_found()) }
            }
        }
    }

    /// The event of this name; of one occurrence alone by its original start.
    pub(super) fn by_uid(&self, uid: &str, original: Option<Timestamp>) -> Option<&Item> {
        self.items.values().find(|item| item.uid == uid && item.original == original)
    }

    /// What an id names here.
    pub(super) fn key(&self, id: &str) -> Result<Key, Refused> {
        let malformed = || Refused::new(400, "ErrorInvalidIdMalformed", "Id is malformed.");
        let (place, key, moves) = parse_id(id).ok_or_else(malformed)?;
        let item = self.items.get(&key.number).filter(|_| place == self.place).ok_or_else(Refused::not_found)?;
        if moves.is_some_and(|moves| moves != item.moves) {
            return Err(Refused::not_found());
        }
        Ok(key)
    }

    /// How an event of this mailbox is told where nobody said how.
    pub(super) fn plainly(&self) -> Manner {
        Manner { immutable: true, zone: "UTC".into(), text: false, page: None, mailbox: self.place }
    }
}

impl State {
    pub(super) fn mailbox(&self, user: &str) -> &Mailbox {
        &self.mailboxes[user]
    }

    pub(super) fn fresh_number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    /// Keeps an event; answers whether anything of it has changed, which counts, is told and has a new change key.
    pub(super) fn keep(&mut self, act: &Act, user: &str, mut item: Item) -> bool {
        let same = self.mailbox(user).items.get(&item.number).is_some_and(|before| before.same_as(&item));
        let tick = if same { return false } else { self.tick(act.now) };
        let Some(mailbox) = self.mailboxes.get_mut(user) else { return false };
        let before = mailbox.items.get(&item.number);
        item.changed = tick;
        item.modified = act.now;
        // Of changed occurrences only those that differ have a new change key.
        for (day, exception) in &mut item.exceptions {
            let known = before.and_then(|before| before.exceptions.get(day)).filter(|known| known.same_as(exception));
            match known {
                Some(known) => exception.changed = known.changed,
                None => {
                    exception.changed = tick;
                    exception.modified = act.now;
                }
            }
        }
        let kind = if before.is_none() { EffectKind::Created } else { EffectKind::Updated };
        let fields = before.map_or_else(|| item.fields.clone(), |before| told(before, &item));
        if let Some(before) = before {
            mailbox.order.remove(&before.changed);
        }
        mailbox.order.insert(item.changed, Change::Kept(item.number));
        let number = item.number;
        mailbox.items.insert(number, item);
        self.journal.note(act.now, &act.actor, kind, "event", format!("{user}/{number}"), fields);
        let change = if kind == EffectKind::Created { "created" } else { "updated" };
        self.notify(act.now, user, number, change);
        true
    }

    /// Takes an event out of its mailbox for good.
    pub(super) fn drop_item(&mut self, act: &Act, user: &str, number: u64) {
        self.notify(act.now, user, number, "deleted");
        let tick = self.tick(act.now);
        let Some(mailbox) = self.mailboxes.get_mut(user) else { return };
        let Some(item) = mailbox.items.remove(&number) else { return };
        mailbox.order.remove(&item.changed);
        let gone = Change::Gone { key: Key { number, day: None }, calendar: item.calendar, moves: item.moves };
        mailbox.order.insert(tick, gone);
        self.journal.note(act.now, &act.actor, EffectKind::Deleted, "event", format!("{user}/{number}"), Map::new());
    }

    /// Cancels one occurrence of a series in one mailbox.
    pub(super) fn drop_day(&mut self, act: &Act, user: &str, key: Key) {
        let Some(day) = key.day else { return };
        let Some(mut item) = self.mailboxes.get(user).and_then(|mailbox| mailbox.items.get(&key.number)).cloned()
        else {
            return;
        };
        item.exceptions.remove(&day);
        item.gone.insert(day);
        let (calendar, moves) = (item.calendar, item.moves);
        self.keep(act, user, item);
        if self.tells_cancelled {
            let tick = self.tick(act.now);
            if let Some(mailbox) = self.mailboxes.get_mut(user) {
                mailbox.order.insert(tick, Change::Gone { key, calendar, moves });
            }
        }
    }
}

/// What has changed from one to the other, for the journal.
fn told(before: &Item, after: &Item) -> Map<String, Value> {
    let mut out = Map::new();
    for (name, value) in after.fields.iter().filter(|(name, value)| before.fields.get(*name) != Some(value)) {
        out.insert(name.clone(), value.clone());
    }
    if before.start != after.start || before.end != after.end {
        out.insert("start".into(), after.start.shown("UTC"));
        out.insert("end".into(), after.end.shown("UTC"));
    }
    if before.response != after.response {
        out.insert("responseStatus".into(), after.response.0.as_str().into());
    }
    if before.cancelled != after.cancelled {
        out.insert("isCancelled".into(), after.cancelled.into());
    }
    if before.recurrence != after.recurrence {
        out.insert("recurrence".into(), json!(after.recurrence));
    }
    out
}
