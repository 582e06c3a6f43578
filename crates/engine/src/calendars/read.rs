//! Reading one calendar: page by page, each stored together with the place behind it. What is read is only kept here;
//! what it means is looked at afterwards.

use std::{collections::HashMap, sync::Mutex};

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use syncline_connect::{
    Calendars, Error, ErrorKind, Retry,
    calendar::{CalendarId, Changes, From, Page, Reading},
};
use syncline_core::{
    calendar::{
        event::{Body, Event},
        identity::MeetingKey,
        limits::shorten,
        recur::Window,
    },
    mutant::{self, Mutant},
};
use syncline_store::{
    CalendarPage, CalendarRef, CalendarState, Held, JournalEntry, JournalKind, NewCopy, Result as StoreResult,
};

use super::{CalendarFlow, CalendarSetup, LEASE_CALLS, later, watch::TOLD_EVERY};
use crate::{
    call::with_token,
    engine::{Called, Engine},
    push::Op,
    setup::ConnectionSetup,
};

/// Pages of one calendar in one round.
const PAGES_MAX: usize = 20;

/// Beginnings anew in one round or preview: a vendor that forgets every place at once is asked again later.
pub(super) const ANEW_MAX: usize = 2;

/// Share of the time between two whole readings by which calendars that were connected together are spread.
const SWEEP_SPREAD: i64 = 8;

/// Which is an account's primary calendar, as this process last learned: what spares a call.
#[derive(Default)]
pub(crate) struct Primaries(Mutex<HashMap<CalendarRef, CalendarId>>);

impl Primaries {
    /// Forgets an integration's calendars, which may be others by now under the same names.
    pub(crate) fn forget(&self, flow: &CalendarFlow) {
        let stays = |of: &CalendarRef| of.workspace != flow.workspace || of.integration != flow.id;
        self.0.lock().expect("no code panics while it holds this lock").retain(|of, _| stays(of));
    }
}

/// What reading a calendar came to.
#[derive(Default)]
pub(super) struct Read {
    pub events: usize,
    pub calls: u32,
    pub more: bool,
    pub error: Option<Error>,
}

/// A calendar while it is read.
pub(super) struct Hold<'a> {
    pub flow: &'a CalendarFlow,
    pub calendar: &'a CalendarSetup,
    pub of: CalendarRef,
    pub setup: &'a ConnectionSetup,
    pub facet: &'static dyn Calendars,
    pub held: Held,
    pub began: Timestamp,
    pub until: Timestamp,
}

impl Engine {
    /// Reads a calendar, if it is time and nobody else does.
    pub(super) async fn read_calendar(&self, flow: &CalendarFlow, calendar: &CalendarSetup) -> StoreResult<Read> {
        let of = flow.reference(calendar);
        let now = self.world.clock.now();
        let state = self.world.store.begin_calendar(&of, now).await?;
        if state.next_at > now {
            return Ok(Read::default());
        }
        let (setup, facet) = match self.calendar_facet(flow, calendar) {
            Ok(found) => found,
            Err(error) => return Ok(Read { error: Some(error), ..Read::default() }),
        };
        let lease = self.options.call.saturating_mul(LEASE_CALLS);
        let until = later(now, lease);
        let name = format!("calendar:{}:{}", flow.id, calendar.name);
        let Some(held) = self.hold(&flow.workspace, name, lease).await? else { return Ok(Read::default()) };
        let reading = Hold { flow, calendar, of, setup, facet, held, began: now, until };
        let read = self.read_while_held(&reading).await;
        self.let_go(&flow.workspace, &reading.held).await;
        read
    }

    /// The connection of a calendar and its facet.
    pub(super) fn calendar_facet(
        &self,
        flow: &CalendarFlow,
        calendar: &CalendarSetup,
    ) -> Called<(&ConnectionSetup, &'static dyn Calendars)> {
        let setup = self.connection_of(flow, &calendar.connection)?;
        let facet = setup.connector.calendars().ok_or_else(|| {
            let name = setup.connector.manifest().display_name;
            Error::new(ErrorKind::Configuration, Retry::Never, "read", format!("{name} shows no calendars"))
        })?;
        Ok((setup, facet))
    }

    async fn read_while_held(&self, reading: &Hold<'_>) -> StoreResult<Read> {
        let (store, of) = (&self.world.store, &reading.of);
        let mut read = Read::default();
        // Somebody may have read between the look and the lease.
        let mut state = store.begin_calendar(of, self.world.clock.now()).await?;
        if state.next_at > self.world.clock.now() {
            return Ok(read);
        }
        if self.is_to_be_read_whole(reading, &state) {
            state = self.begin_anew(reading).await?;
        }
        let mut anew = 0;
        for _ in 0..PAGES_MAX {
            let now = self.world.clock.now();
            if reading.until.duration_since(now) < self.options.call.saturating_mul(3) {
                read.more = true;
                return Ok(read);
            }
            let from = state.cursor.as_deref().map_or(From::Beginning, From::Cursor);
            let page = match self.changes(reading, from, &mut read.calls).await {
                Ok(Changes::Page(page)) => page,
                Ok(Changes::Expired) if anew < ANEW_MAX => {
                    anew += 1;
                    state = self.begin_anew(reading).await?;
                    continue;
                }
                Ok(Changes::Expired) => {
                    return self.calendar_failed(reading, &state, forgets(), read).await;
                }
                Err(error) => return self.calendar_failed(reading, &state, error, read).await,
            };
            let (how, cursor) = (page.reading, page.cursor.clone());
            read.events += page.events.len();
            if !self.keep_page(reading, &state, page).await? {
                return Ok(read);
            }
            state = store.begin_calendar(of, self.world.clock.now()).await?;
            if state.cursor.as_deref() != Some(cursor.as_str()) {
                // The lease ran out meanwhile, and whoever has it now has read on.
                return Ok(read);
            }
            match how {
                Reading::More => {}
                Reading::Changes | Reading::Whole { .. } => {
                    let Some(window) = state.unswept else { return Ok(read) };
                    return match self.sweep_calendar(reading, &state, window, &mut read).await? {
                        Ok(()) => Ok(read),
                        Err(error) => self.calendar_failed(reading, &state, error, read).await,
                    };
                }
            }
        }
        read.more = true;
        Ok(read)
    }

    async fn changes(&self, reading: &Hold<'_>, from: From<'_>, calls: &mut u32) -> Called<Changes> {
        let id = self.id_of(reading, calls).await?;
        let facet = reading.facet;
        let answer = with_token!(self, reading.setup, Op::Calendar, |cx| facet.changes(cx, &id, from));
        crate::records::paid(answer, calls)
    }

    pub(super) async fn id_of(&self, reading: &Hold<'_>, calls: &mut u32) -> Called<CalendarId> {
        self.calendar_id(&reading.of, reading.calendar, reading.setup, reading.facet, calls).await
    }

    /// Has a calendar read at once.
    pub(super) async fn calendar_soon(&self, of: &CalendarRef) -> StoreResult<()> {
        self.world.store.read_calendar_soon(of, self.world.clock.now()).await
    }

    /// The calendar's own id; that of a primary one is asked for once.
    pub(super) async fn calendar_id(
        &self,
        of: &CalendarRef,
        calendar: &CalendarSetup,
        setup: &ConnectionSetup,
        facet: &'static dyn Calendars,
        calls: &mut u32,
    ) -> Called<CalendarId> {
        if let Some(id) = &calendar.calendar {
            return Ok(id.clone());
        }
        let known = || self.primaries.0.lock().expect("no code panics while it holds this lock");
        if let Some(id) = known().get(of) {
            return Ok(id.clone());
        }
        let answer = with_token!(self, setup, Op::Calendar, |cx| facet.list(cx));
        let all = crate::records::paid(answer, calls)?;
        let primary = all.iter().find(|entry| entry.primary).or(all.first()).ok_or_else(|| {
            let text = "the account shows no calendar; check what the connection may see";
            Error::new(ErrorKind::Forbidden, Retry::Never, "list calendars", text)
        })?;
        known().insert(of.clone(), primary.id.clone());
        Ok(primary.id.clone())
    }

    /// Whether it is time for a reading from the beginning. While one is under way, that one goes on.
    fn is_to_be_read_whole(&self, reading: &Hold<'_>, state: &CalendarState) -> bool {
        let every = reading.flow.sweep_every;
        // Another part for each calendar, and always the same.
        let part = reading.calendar.name.bytes().fold(0i64, |sum, byte| (sum * 31 + i64::from(byte)) % 1_000);
        let spread = every.as_secs() / SWEEP_SPREAD * part / 1_000;
        let due = state.whole_at.map(|at| later(at, every.saturating_add(SignedDuration::from_secs(spread))));
        due.is_some_and(|due| due <= self.world.clock.now())
    }

    async fn begin_anew(&self, reading: &Hold<'_>) -> StoreResult<CalendarState> {
        let now = self.world.clock.now();
        self.world.store.read_calendar_anew(&reading.of, &reading.held, now).await?;
        self.world.store.begin_calendar(&reading.of, now).await
    }

    /// Keeps a page together with the place behind it. `false` where the lease is another's by now.
    async fn keep_page(&self, reading: &Hold<'_>, state: &CalendarState, page: Page) -> StoreResult<bool> {
        let now = self.world.clock.now();
        let every = reading.calendar.every;
        let next_at = match page.reading {
            Reading::More => now,
            Reading::Changes | Reading::Whole { .. } => later(now, every),
        };
        let whole = match page.reading {
            Reading::Whole { from, to } => {
                Some(Window { from: from.unwrap_or(Timestamp::MIN), to: to.unwrap_or(Timestamp::MAX) })
            }
            Reading::More | Reading::Changes => None,
        };
        let told_next_at = match mutant::on(Mutant::ToldIsAll) {
            true => Timestamp::MAX,
            false => later(now, every.max(TOLD_EVERY)),
        };
        let told_next_at = (page.reading == Reading::Changes).then_some(told_next_at);
        let vendor = reading.setup.connector.manifest().vendor;
        metrics::counter!("syncline_calendar_events_total", "vendor" => vendor).increment(page.events.len() as u64);
        let page = CalendarPage {
            of: reading.of.clone(),
            held: reading.held.clone(),
            began: reading.began,
            now,
            copies: page.events.into_iter().map(|event| copy(reading.calendar, event)).collect(),
            cursor: page.cursor,
            whole,
            swept: false,
            zone: page.zone,
            next_at,
            told_next_at,
        };
        self.store_page(reading, state, page).await
    }

    /// Stores a page. `false` where the lease is another's by now.
    pub(super) async fn store_page(
        &self,
        reading: &Hold<'_>,
        state: &CalendarState,
        page: CalendarPage,
    ) -> StoreResult<bool> {
        // What could not be asked for after a whole reading is not mended by another page.
        let mends = page.swept || (page.whole.is_none() && state.unswept.is_none());
        let kept = self.world.store.take_calendar_page(page).await?;
        if kept && mends && state.problem.is_some() {
            self.tell_of(reading, format!("Calendar {} answers again", reading.calendar.name)).await?;
        }
        Ok(kept)
    }

    /// Notes that a calendar could not be read, and when it is tried again. The same trouble is told once.
    async fn calendar_failed(
        &self,
        reading: &Hold<'_>,
        state: &CalendarState,
        error: Error,
        mut read: Read,
    ) -> StoreResult<Read> {
        let now = self.world.clock.now();
        let next_at = later(now, self.pause_after(&error, state.failures));
        let store = &self.world.store;
        store.calendar_failed(&reading.of, &reading.held, now, next_at, &error.message).await?;
        if state.problem.as_ref() != Some(&error.message) {
            let text = format!("Calendar {} could not be read: {}", reading.calendar.name, error.message);
            self.tell_of(reading, text).await?;
        }
        read.error = Some(error);
        Ok(read)
    }

    /// A line of the activity log about a calendar.
    pub(super) async fn tell_of(&self, reading: &Hold<'_>, text: String) -> StoreResult<()> {
        self.tell_of_calendar(reading.flow, reading.calendar, text).await
    }

    pub(super) async fn tell_of_calendar(
        &self,
        flow: &CalendarFlow,
        calendar: &CalendarSetup,
        text: String,
    ) -> StoreResult<()> {
        let details = json!({ "calendar": calendar.name, "connection": calendar.connection });
        let line = JournalEntry { at: self.world.clock.now(), kind: JournalKind::Connection, text, details };
        self.world.store.note_calendars(&flow.workspace, &flow.id, vec![line]).await
    }
}

/// That a vendor forgets every place at once.
pub(super) fn forgets() -> Error {
    let text = "it forgets at once where the reading stopped";
    Error::new(ErrorKind::Protocol, Retry::Backoff, "read calendar", text)
}

/// An event as it is kept: within the limits, with the name by which its other copies are known.
pub(super) fn copy(calendar: &CalendarSetup, mut event: Event) -> NewCopy {
    if let Body::Open(content) = &mut event.body {
        shorten(content);
    }
    if event.uid.is_none() && !matches!(event.body, Body::Bare) && event.series.is_none() {
        event.uid = Some(MeetingKey::of(&event, &calendar.name).uid);
    }
    let organizer = event.content().and_then(|content| content.organizer.as_ref());
    // What names no organiser is its owner's alone.
    let organizes = organizer.is_none_or(|organizer| organizer.email == calendar.owner);
    NewCopy { event, organizes }
}
