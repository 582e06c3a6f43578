//! What one calendar has of a series: put together once, and then looked at occurrence by occurrence.

use std::collections::BTreeMap;

use super::{Calendar, Copy, SeenCopy, View};
use crate::calendar::{
    assemble::{Assembled, assemble},
    event::{Body, Event, Unreadable},
    identity::Rid,
    recur::{Fault, Override, Prepared},
};

/// One calendar's copies of a series.
pub(super) struct Part<'a> {
    pub calendar: &'a Calendar,
    pub whole: Assembled<'a>,
    pub overrides: BTreeMap<Rid, Override>,
    copies: Vec<SeenCopy<'a>>,
}

impl<'a> Part<'a> {
    /// The parts of all calendars, in the order of their names.
    pub fn of(copies: &[SeenCopy<'a>]) -> Vec<Self> {
        let mut by_calendar: BTreeMap<&str, Vec<SeenCopy<'a>>> = BTreeMap::new();
        for copy in copies {
            by_calendar.entry(copy.calendar.name.as_str()).or_default().push(*copy);
        }
        let part = |copies: Vec<SeenCopy<'a>>| {
            let calendar = copies[0].calendar;
            let whole = assemble(copies.iter().map(|copy| copy.event), &calendar.home);
            Part { calendar, overrides: whole.overrides(), whole, copies }
        };
        by_calendar.into_values().map(part).collect()
    }

    /// The series, or the meeting that happens once.
    pub fn master(&self) -> Option<Copy<'a>> {
        let event = self.whole.master?;
        self.copy(event).map(SeenCopy::as_copy)
    }

    /// Whether what it has of the series as a whole was there when the calendar was connected, as far as it has anything.
    pub fn is_baseline(&self) -> bool {
        self.whole.master.and_then(|event| self.copy(event)).is_none_or(|copy| copy.baseline)
    }

    /// Special occurrences that say something.
    pub fn told(&self) -> impl Iterator<Item = Rid> {
        self.whole.exceptions.iter().filter(|(_, event)| !matches!(event.body, Body::Bare)).map(|(rid, _)| *rid)
    }

    /// Special occurrences of a series of which nothing else is known.
    pub fn orphans(&self) -> impl Iterator<Item = Rid> {
        self.whole.orphans().into_iter().filter(|event| event.content().is_some()).map(|event| event.rid)
    }

    /// Occurrences that were changed or replied to since the calendar was connected.
    pub fn changed(&self) -> impl Iterator<Item = Rid> {
        let since = |event: &Event| self.copy(event).is_some_and(|copy| !copy.baseline || copy.touched);
        self.whole.exceptions.iter().filter(move |(_, event)| since(event)).map(|(rid, _)| *rid)
    }

    /// Reads the recurrence, once for all occurrences.
    pub fn read(&self) -> Reader<'_, 'a> {
        let content = self.whole.master.and_then(Event::content);
        Reader { part: self, series: content.map(|own| Prepared::new(own, &self.overrides, &self.calendar.home)) }
    }

    fn copy(&self, event: &Event) -> Option<&SeenCopy<'a>> {
        self.copies.iter().find(|copy| std::ptr::eq(copy.event, event))
    }
}

/// A part with its recurrence read.
pub(super) struct Reader<'p, 'a> {
    part: &'p Part<'a>,
    series: Option<Result<Prepared<'p>, Fault>>,
}

impl<'a> Reader<'_, 'a> {
    /// The meeting as this calendar shows it. `once_as`: the occurrence as which a meeting is known that happens once;
    /// `fault`: why the series as a whole cannot be read. `None` where the calendar says nothing about it.
    pub fn view(&self, rid: Rid, once_as: Option<Rid>, fault: Option<&Fault>) -> Option<View<'a>> {
        let part = self.part;
        let (master, own) = (part.whole.master, part.whole.exceptions.get(&rid).copied());
        let event = self.event(rid, once_as, fault)?;
        let of = |event: Option<&Event>| event.and_then(|event| part.copy(event));
        let (whole, special) = (of(master), of(own));
        let by = |says: &dyn Fn(&SeenCopy<'a>) -> bool| [whole, special].into_iter().flatten().any(says);
        Some(View {
            calendar: part.calendar,
            event,
            organizes: by(&|copy| copy.organizes),
            // With its series an occurrence was there before, too.
            baseline: whole.or(special).is_some_and(|copy| copy.baseline),
            touched: by(&|copy| copy.touched),
        })
    }

    fn event(&self, rid: Rid, once_as: Option<Rid>, fault: Option<&Fault>) -> Option<Event> {
        let whole = &self.part.whole;
        let own = whole.exceptions.get(&rid).copied();
        let Some(master) = whole.master else { return own.map(|own| Event { rid, ..own.clone() }) };
        if let (Some(fault), Some(_)) = (fault, master.content()) {
            return Some(Event { rid, body: Body::Unreadable(Unreadable::Rule(fault.clone())), ..master.clone() });
        }
        match (own, &self.series) {
            _ if rid == Rid::Single => whole.single(),
            // A series that was called off or is gone takes all with it; else what is special speaks for itself.
            (Some(own), None) if !whole.is_off() => Some(Event { rid, ..own.clone() }),
            (_, None) => Some(Event { rid, ..master.clone() }),
            (_, Some(Ok(_)))
                if once_as == Some(rid) && master.content().is_some_and(|own| own.recurrence.is_empty()) =>
            {
                whole.single().map(|event| Event { rid, ..event })
            }
            // That one is gone from a calendar may be its owner's doing.
            (Some(own), _) if matches!(own.body, Body::Bare) => Some(Event { rid, ..own.clone() }),
            (_, Some(Ok(series))) => match series.find(rid) {
                Ok(Some(found)) => whole.event(&found),
                Ok(None) => self.gone(rid, master),
                // What took too much work to tell is not called off.
                Err(_) => None,
            },
            (_, Some(Err(why))) => {
                Some(Event { rid, body: Body::Unreadable(Unreadable::Rule(why.clone())), ..master.clone() })
            }
        }
    }

    /// An occurrence that the series no longer has. Only its organiser's calendar can say that it was called off.
    fn gone(&self, rid: Rid, master: &Event) -> Option<Event> {
        let organizes = self.part.copy(master).is_some_and(|copy| copy.organizes);
        let bare = || Event { rid, body: Body::Bare, ..master.clone() };
        if !organizes {
            return Some(bare());
        }
        Some(self.part.whole.called_off(rid, &self.part.calendar.home).unwrap_or_else(bare))
    }
}
