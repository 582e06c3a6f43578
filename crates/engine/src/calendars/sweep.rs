//! After a calendar was read as a whole: what it did not show any more is asked for by its name, and only what the calendar
//! itself calls gone is gone. Where too much is missing at once, a person is asked first.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{Timestamp, tz::TimeZone};
use syncline_connect::Error;
use syncline_core::{
    calendar::{
        event::{Body, Content, Event, EventId, Status},
        identity::Rid,
        meeting::{Sweep, sweep},
        recur::{Window, expand},
    },
    mutant::{self, Mutant},
};
use syncline_store::{CalendarPage, CalendarState, KnownCopy, NewCopy, Result as StoreResult};

use super::{
    CONFIRMED_FOR,
    read::{Hold, Read, copy},
};
use crate::{
    alerts,
    call::with_token,
    engine::{Called, Engine},
    push::Op,
};

/// Known events that are compared with a reading at a time: what all of them are about is more than is kept in memory at once.
const KNOWN_AT_ONCE: usize = 500;

/// Events that are asked for at a time.
const FETCH_AT_ONCE: usize = 50;

impl Engine {
    /// Looks for what a whole reading of this time did not show, which ends it. The inner error: the calendar could not be
    /// asked; it is asked again after the next reading.
    pub(super) async fn sweep_calendar(
        &self,
        reading: &Hold<'_>,
        state: &CalendarState,
        window: Window,
        read: &mut Read,
    ) -> StoreResult<Called<()>> {
        let Known { count, placed, seen } = self.known_of(reading, state, window).await?;
        let now = self.world.clock.now();
        let is_confirmed = state.confirmed_at.is_some_and(|at| now.duration_since(at) <= CONFIRMED_FOR);
        let missing = match sweep(&placed, &seen, Some(window)) {
            Sweep::Nothing => Vec::new(),
            Sweep::Confirm(missing) => missing,
            Sweep::Ask(missing) if is_confirmed => missing,
            Sweep::Ask(missing) => {
                let (lacking, name, id) = (missing.len(), &reading.calendar.name, &reading.flow.id);
                let text = format!(
                    "Calendar {name} does not show {lacking} of {count} events any more. Nothing is called off until a person \
                     says that they are gone: `syncline calendars run {id} --confirm-deletes`"
                );
                let alert = alerts::missing(id, name, &text, now);
                self.world.store.add_alert(&reading.flow.workspace, alert).await?;
                self.tell_of(reading, text).await?;
                Vec::new()
            }
        };
        let mut copies = Vec::new();
        for ids in missing.chunks(FETCH_AT_ONCE) {
            if mutant::on(Mutant::UnconfirmedGone) {
                copies.extend(ids.iter().map(|id| NewCopy { event: gone(id), organizes: false }));
                continue;
            }
            match self.fetch_events(reading, ids, &mut read.calls).await {
                Ok(found) => copies.extend(ids.iter().zip(found).map(|(id, found)| match found {
                    Some(event) => copy(reading.calendar, event),
                    None => NewCopy { event: gone(id), organizes: false },
                })),
                Err(error) => return Ok(Err(error)),
            }
        }
        let page = CalendarPage {
            of: reading.of.clone(),
            held: reading.held.clone(),
            began: reading.began,
            now: self.world.clock.now(),
            copies,
            cursor: state.cursor.clone().unwrap_or_default(),
            whole: None,
            swept: true,
            zone: None,
            next_at: state.next_at,
            told_next_at: None,
        };
        // Where the lease is another's by now, so is what is missing.
        self.store_page(reading, state, page).await?;
        Ok(Ok(()))
    }

    /// What a calendar had before it was read, without what it is about.
    async fn known_of(&self, reading: &Hold<'_>, state: &CalendarState, window: Window) -> StoreResult<Known> {
        let mut known = Known::default();
        let mut after = Some(EventId(String::new()));
        while let Some(behind) = after {
            let (copies, more) = self.world.store.known_copies(&reading.of, &behind, KNOWN_AT_ONCE).await?;
            known.count += copies.len();
            known.placed.extend(placed(&copies, window));
            known.seen.extend(copies.into_iter().filter(|copy| copy.epoch >= state.epoch).map(|copy| copy.event));
            after = more;
        }
        Ok(known)
    }

    async fn fetch_events(
        &self,
        reading: &Hold<'_>,
        ids: &[EventId],
        calls: &mut u32,
    ) -> Result<Vec<Option<Event>>, Error> {
        let id = self.id_of(reading, calls).await?;
        let facet = reading.facet;
        let answer = with_token!(self, reading.setup, Op::Calendar, |cx| facet.fetch(cx, &id, ids));
        crate::records::paid(answer, calls)
    }
}

/// The events that a calendar had.
#[derive(Default)]
struct Known {
    count: usize,
    /// Those with a place in time.
    placed: Vec<(EventId, Timestamp)>,
    /// Those that the reading showed.
    seen: BTreeSet<EventId>,
}

/// The events with the times by which they lie in a window: a series with one of its meetings there. What has no time that may
/// be known lies in the one of all times only.
fn placed(known: &[KnownCopy], window: Window) -> Vec<(EventId, Timestamp)> {
    let at = |known: &KnownCopy| match &known.content {
        Some(content) => Some(place(content, window)),
        None => (window == Window::ALL).then_some(Timestamp::MIN),
    };
    known.iter().filter_map(|known| Some((known.event.clone(), at(known)?))).collect()
}

/// The start of an event, or of the first meeting of a series that lies in the window. Which of them are called off or moved does
/// not matter here: whatever is missed is asked for.
fn place(content: &Content, window: Window) -> Timestamp {
    let start = content.start.instant(&TimeZone::UTC);
    if window.has(start) || content.recurrence.is_empty() {
        return start;
    }
    let found = expand(content, &BTreeMap::new(), window, &TimeZone::UTC).unwrap_or_default();
    found.occurrences.first().map_or(start, |one| one.start.instant(&TimeZone::UTC))
}

/// What is kept of an event that is gone.
fn gone(id: &EventId) -> Event {
    Event {
        id: id.clone(),
        etag: None,
        uid: None,
        series: None,
        rid: Rid::Single,
        and_following: false,
        status: Status::Cancelled,
        created: None,
        modified: None,
        sequence: 0,
        body: Body::Bare,
    }
}
