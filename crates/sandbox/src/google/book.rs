//! Calendars and what is on them: keeping an event, counting its change, finding an occurrence.

use std::collections::BTreeMap;

use jiff::{Timestamp, ToSpan};
use serde_json::{Map, Value, json};

use super::{Act, State, answers::Refused, event::Event, when::zone};
use crate::journal::EffectKind;

/// What somebody may do with a calendar, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum GoogleRole {
    FreeBusyReader,
    Reader,
    Writer,
    Owner,
}

impl GoogleRole {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::FreeBusyReader => "freeBusyReader",
            Self::Reader => "reader",
            Self::Writer => "writer",
            Self::Owner => "owner",
        }
    }
}

#[derive(Debug)]
pub(super) struct Calendar {
    pub(super) id: String,
    /// The address of its owner; of a primary calendar the same as its id.
    pub(super) owner: String,
    pub(super) summary: String,
    pub(super) zone: String,
    /// Who may do what, the owner included.
    pub(super) access: BTreeMap<String, GoogleRole>,
    pub(super) deleted: bool,
    pub(super) events: BTreeMap<String, Event>,
    /// Events by the count of changes at their last change.
    pub(super) order: BTreeMap<u64, String>,
    pub(super) updated: Timestamp,
    /// The count of changes when the calendar itself was changed last.
    pub(super) listed: u64,
}

impl Calendar {
    pub(super) fn new(id: &str, owner: &str, summary: &str, zone: &str, now: Timestamp, listed: u64) -> Self {
        Self {
            id: id.to_owned(),
            owner: owner.to_owned(),
            summary: summary.to_owned(),
            zone: zone.to_owned(),
            access: BTreeMap::from([(owner.to_owned(), GoogleRole::Owner)]),
            deleted: false,
            events: BTreeMap::new(),
            order: BTreeMap::new(),
            updated: now,
            listed,
        }
    }

    pub(super) fn is_primary(&self) -> bool {
        self.id == self.owner
    }

    /// Stored occurrences of a series, by their ids.
    pub(super) fn parts_of(&self, series: &str) -> Vec<String> {
        let start = format!("{series}_");
        self.events
            .range(start.clone()..)
            .take_while(|(id, _)| id.starts_with(&start))
            .filter(|(_, event)| event.part.as_ref().is_some_and(|part| part.series == series))
            .map(|(id, _)| id.clone())
            .collect()
    }

    /// An event by its id: a stored one, or an occurrence that is as its series has it.
    pub(super) fn find(&self, id: &str) -> Option<Event> {
        if let Some(event) = self.events.get(id) {
            return Some(event.clone());
        }
        let (series, suffix) = id.rsplit_once('_')?;
        let series = self.events.get(series).filter(|event| event.is_series() && !event.is_cancelled())?;
        let originals = series.originals(day_after(suffix)?);
        let original = originals.into_iter().find(|original| original.suffix() == suffix)?;
        Some(series.occurrence(original))
    }

    /// The occurrences of a series that begin before `until`, stored ones in the place of the series' own; cancelled
    /// ones among them.
    pub(super) fn occurrences(&self, series: &Event, until: Timestamp) -> Vec<Event> {
        let originals = series.originals(until).into_iter();
        let usual =
            originals.map(|original| series.occurrence(original)).filter(|one| !self.events.contains_key(&one.id));
        let stored = self.parts_of(&series.id).into_iter().filter_map(|id| self.events.get(&id).cloned());
        let mut all: Vec<Event> = usual.chain(stored).collect();
        let own = zone(&self.zone);
        all.sort_by_key(|one| one.start.at(&own));
        all
    }
}

impl State {
    /// A calendar by its id or `primary`, as this user may see it.
    pub(super) fn calendar_id(&self, user: &str, id: &str, at_least: GoogleRole) -> Result<String, Refused> {
        let id = if id == "primary" { user } else { id };
        let calendar = self.calendars.get(id).filter(|calendar| !calendar.deleted).ok_or_else(Refused::not_found)?;
        match calendar.access.get(user) {
            None => Err(Refused::not_found()),
            Some(role) if *role < at_least => Err(Refused::not_writer()),
            Some(_) => Ok(id.to_owned()),
        }
    }

    /// Keeps an event; answers whether anything of it has changed, which counts, is told and has a new entity tag.
    pub(super) fn keep(&mut self, act: &Act, calendar: &str, mut event: Event) -> bool {
        let Some(home) = self.calendars.get_mut(calendar) else { return false };
        let before = home.events.get(&event.id);
        if before.is_some_and(|before| before.same_as(&event)) {
            return false;
        }
        self.ticks += 1;
        event.changed = self.ticks;
        let moved = before.is_none_or(|before| !before.same_but_reminders(&event));
        event.updated = if moved { act.now } else { event.updated };
        // Twice the microseconds, as recorded tags are; never the same twice.
        event.etag = (act.now.as_microsecond() * 2).max(before.map_or(0, |before| before.etag) + 2);
        event.created = before.map_or(act.now, |before| before.created);
        let kind = match before {
            None => EffectKind::Created,
            Some(before) if !before.is_cancelled() && event.is_cancelled() => EffectKind::Deleted,
            Some(_) => EffectKind::Updated,
        };
        let fields = before.map_or_else(|| event.fields.clone(), |before| told(before, &event));
        if let Some(before) = before {
            home.order.remove(&before.changed);
        }
        home.order.insert(event.changed, event.id.clone());
        home.updated = act.now;
        let id = format!("{calendar}/{}", event.id);
        home.events.insert(event.id.clone(), event);
        self.journal.note(act.now, &act.actor, kind, "event", id, fields);
        self.commits.push_back((self.ticks, act.now));
        self.tell_channels(act.now, calendar);
        true
    }
}

/// A moment after everything that begins on the day that a suffix names, in any zone.
fn day_after(suffix: &str) -> Option<Timestamp> {
    let day: jiff::civil::Date = suffix.get(..8)?.parse().ok()?;
    let after = day.checked_add(2.days()).ok()?;
    jiff::tz::TimeZone::UTC.to_timestamp(after.at(0, 0, 0, 0)).ok()
}

/// What has changed from one to the other, for the journal.
fn told(before: &Event, after: &Event) -> Map<String, Value> {
    let mut out = Map::new();
    for (name, value) in after.fields.iter().filter(|(name, value)| before.fields.get(*name) != Some(value)) {
        out.insert(name.clone(), value.clone());
    }
    for name in before.fields.keys().filter(|name| !after.fields.contains_key(*name)) {
        out.insert(name.clone(), Value::Null);
    }
    let own = jiff::tz::TimeZone::UTC;
    if before.status != after.status {
        out.insert("status".into(), after.status.as_str().into());
    }
    if before.start != after.start || before.end != after.end {
        out.insert("start".into(), after.start.shown(&own));
        out.insert("end".into(), after.end.shown(&own));
    }
    if before.recurrence != after.recurrence {
        out.insert("recurrence".into(), json!(after.recurrence));
    }
    out
}
