//! Calendars: a page of copies and the place behind it are stored together or not at all, and only by whoever holds the
//! lease. What a copy means, and when to ask, is not decided here.

pub(super) mod meetings;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use syncline_core::calendar::{
    event::{Body, Event, EventId},
    identity::Uid,
};

use super::leases::is_held;
use crate::{
    CalendarPage, CalendarRef, CalendarState, Held, NewCopy, Store, StoredCopy,
    db::{Db, Op, P, Row, Scope, from_json, statements, to_json},
    error::{Error, Result},
};

statements! {
    CALENDAR_MAKE = "insert into calendar (workspace, integration, calendar, epoch, settled, connected_at, next_at, failures) \
        values (?1, ?2, ?3, 1, 0, ?4, ?4, 0) on conflict (workspace, integration, calendar) do nothing";
    CALENDAR_GET = "select cursor, epoch, settled, zone, connected_at, next_at, failures, problem from calendar \
        where workspace = ?1 and integration = ?2 and calendar = ?3";
    CALENDAR_READ = "update calendar set cursor = ?4, settled = case when ?5 = 1 then 1 else settled end, zone = coalesce(?6, zone), next_at = ?7, \
        failures = 0, problem = null where workspace = ?1 and integration = ?2 and calendar = ?3";
    CALENDAR_FAILED = "update calendar set next_at = ?4, failures = failures + 1, problem = ?5 \
        where workspace = ?1 and integration = ?2 and calendar = ?3";
    CALENDAR_ANEW = "update calendar set cursor = null, epoch = epoch + 1, next_at = ?4 \
        where workspace = ?1 and integration = ?2 and calendar = ?3";
    COPY_GET = "select copy, uid, rid, baseline, touched, organizes from calendar_copy \
        where workspace = ?1 and integration = ?2 and calendar = ?3 and event = ?4";
    COPY_PUT = "insert into calendar_copy (workspace, integration, calendar, event, uid, rid, epoch, baseline, touched, \
        organizes, copy) values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) \
        on conflict (workspace, integration, calendar, event) do update set uid = excluded.uid, rid = excluded.rid, \
        epoch = excluded.epoch, touched = excluded.touched, organizes = excluded.organizes, copy = excluded.copy";
    COPY_SEEN = "update calendar_copy set epoch = ?5 where workspace = ?1 and integration = ?2 and calendar = ?3 and event = ?4";
    COPIES_UNSEEN = "select event from calendar_copy where workspace = ?1 and integration = ?2 and calendar = ?3 \
        and epoch < ?4 order by epoch, event limit ?5";
    COPIES_OF = "select calendar, copy, uid, rid, baseline, touched, organizes from calendar_copy \
        where workspace = ?1 and integration = ?2 and uid = ?3 order by calendar, event";
    DUE_ADD = "insert into calendar_due (workspace, integration, uid, due_at, revision, tries) values (?1, ?2, ?3, ?4, 1, 0) \
        on conflict (workspace, integration, uid) do update set revision = calendar_due.revision + 1, tries = 0, \
        due_at = case when calendar_due.due_at < excluded.due_at then calendar_due.due_at else excluded.due_at end";
}

impl CalendarRef {
    fn key(&self) -> [P<'_>; 3] {
        [P::Text(self.workspace.as_str()), P::Text(self.integration.as_str()), P::Text(&self.calendar)]
    }
}

struct Begin {
    of: CalendarRef,
    now: Timestamp,
}

impl Op for Begin {
    type Out = CalendarState;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.of.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<CalendarState> {
        let [ws, integration, calendar] = self.of.key();
        db.run(&CALENDAR_MAKE, &[ws, integration, calendar, P::time(self.now)]).await?;
        let row = db.row(&CALENDAR_GET, &[ws, integration, calendar]).await?;
        state_of(row.ok_or_else(|| Error::corrupt("the row of a calendar is gone"))?)
    }
}

fn state_of(mut row: Row) -> Result<CalendarState> {
    Ok(CalendarState {
        cursor: row.opt_text(0)?,
        epoch: row.int(1)?,
        settled: row.int(2)? != 0,
        zone: row.opt_text(3)?,
        connected_at: row.time(4)?,
        next_at: row.time(5)?,
        failures: u32::try_from(row.int(6)?).unwrap_or(u32::MAX),
        problem: row.opt_text(7)?,
    })
}

struct Take(CalendarPage);

impl Op for Take {
    type Out = bool;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.0.of.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<bool> {
        let page = &self.0;
        if !is_held(db, &page.of.workspace, &page.held, page.now).await? {
            return Ok(false);
        }
        let [ws, integration, calendar] = page.of.key();
        let row = db.row(&CALENDAR_GET, &[ws, integration, calendar]).await?;
        let state = state_of(row.ok_or_else(|| Error::corrupt("the row of a calendar is gone"))?)?;
        take_copies(db, page, &state).await?;
        let read = [
            ws,
            integration,
            calendar,
            P::Text(&page.cursor),
            P::Int(page.settles.into()),
            P::opt_text(page.zone.as_deref()),
            P::time(page.next_at),
        ];
        db.run(&CALENDAR_READ, &read).await?;
        Ok(true)
    }
}

/// Stores copies and marks their series as due, save those that say nothing new. All are asked for at once, and written at
/// once: a page has thousands.
async fn take_copies<D: Db>(db: &mut D, page: &CalendarPage, state: &CalendarState) -> Result<()> {
    let [ws, integration, calendar] = page.of.key();
    // Calendars repeat rows; the last one counts.
    let last: BTreeMap<&EventId, &NewCopy> = page.copies.iter().map(|new| (&new.event.id, new)).collect();
    let keys: Vec<_> = last.keys().map(|event| [ws, integration, calendar, P::Text(&event.0)]).collect();
    let known = db.each(&COPY_GET, &keys).await?;
    let (mut seen, mut news) = (Vec::new(), Vec::new());
    for ((new, known), [ws, integration, calendar, event]) in last.into_values().zip(known).zip(keys) {
        let known = known.map(|row| copy_of(page.of.calendar.clone(), row, 0)).transpose()?;
        let copy = taken(page, state, new, known.as_ref());
        if known.is_some_and(|known| known.event == copy.event) {
            seen.push([ws, integration, calendar, event, P::Int(state.epoch)]);
        } else {
            news.push((to_json(&copy.event)?, copy.event.rid.to_string(), copy));
        }
    }
    db.each(&COPY_SEEN, &seen).await?;
    let puts: Vec<_> = news
        .iter()
        .map(|(json, rid, copy)| {
            [
                ws,
                integration,
                calendar,
                P::Text(&copy.event.id.0),
                P::opt_text(copy.event.uid.as_ref().map(Uid::as_str)),
                P::Text(rid),
                P::Int(state.epoch),
                P::Int(copy.baseline.into()),
                P::Int(copy.touched.into()),
                P::Int(copy.organizes.into()),
                P::Blob(json),
            ]
        })
        .collect();
    db.each(&COPY_PUT, &puts).await?;
    // A series comes with many exceptions, and is looked at once.
    let uids: BTreeSet<&str> =
        news.iter().filter_map(|(_, _, copy)| copy.event.uid.as_ref()).map(Uid::as_str).collect();
    let due: Vec<_> = uids.into_iter().map(|uid| [ws, integration, P::Text(uid), P::time(page.now)]).collect();
    db.each(&DUE_ADD, &due).await?;
    Ok(())
}

/// The copy as it is kept from now on: what is gone says less than it did, and stays known for what it was.
fn taken(page: &CalendarPage, state: &CalendarState, new: &NewCopy, known: Option<&StoredCopy>) -> StoredCopy {
    let mut copy = StoredCopy {
        calendar: page.of.calendar.clone(),
        event: new.event.clone(),
        baseline: !state.settled,
        touched: false,
        organizes: new.organizes,
    };
    let Some(known) = known else { return copy };
    copy.event.uid = copy.event.uid.or_else(|| known.event.uid.clone());
    if matches!(copy.event.body, Body::Bare) {
        copy.event.rid = known.event.rid;
        copy.event.series = copy.event.series.or_else(|| known.event.series.clone());
    }
    if !matches!(copy.event.body, Body::Open(_)) {
        copy.organizes = known.organizes;
    }
    copy.baseline = known.baseline;
    copy.touched = known.touched || state.settled;
    copy
}

/// A copy whose columns begin at `from`: copy, uid, rid, baseline, touched, organizes.
fn copy_of(calendar: String, mut row: Row, from: usize) -> Result<StoredCopy> {
    let mut event: Event = from_json(&row.blob(from)?)?;
    event.uid = row.opt_text(from + 1)?.as_deref().and_then(Uid::read);
    event.rid = row.text(from + 2)?.parse().map_err(|_| Error::corrupt("which occurrence a copy is cannot be read"))?;
    Ok(StoredCopy {
        calendar,
        event,
        baseline: row.int(from + 3)? != 0,
        touched: row.int(from + 4)? != 0,
        organizes: row.int(from + 5)? != 0,
    })
}

struct Anew {
    of: CalendarRef,
    held: Held,
    now: Timestamp,
}

impl Op for Anew {
    type Out = bool;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.of.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<bool> {
        if !is_held(db, &self.of.workspace, &self.held, self.now).await? {
            return Ok(false);
        }
        let [ws, integration, calendar] = self.of.key();
        Ok(db.run(&CALENDAR_ANEW, &[ws, integration, calendar, P::time(self.now)]).await? > 0)
    }
}

struct Failed {
    of: CalendarRef,
    held: Held,
    now: Timestamp,
    next_at: Timestamp,
    problem: String,
}

impl Op for Failed {
    type Out = bool;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.of.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<bool> {
        if !is_held(db, &self.of.workspace, &self.held, self.now).await? {
            return Ok(false);
        }
        let [ws, integration, calendar] = self.of.key();
        let set = [ws, integration, calendar, P::time(self.next_at), P::Text(&self.problem)];
        Ok(db.run(&CALENDAR_FAILED, &set).await? > 0)
    }
}

struct Unseen {
    of: CalendarRef,
    epoch: i64,
    limit: usize,
}

impl Op for Unseen {
    type Out = Vec<EventId>;
    const READS: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.of.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<Vec<EventId>> {
        let [ws, integration, calendar] = self.of.key();
        let limit = P::Int(i64::try_from(self.limit).unwrap_or(i64::MAX));
        let rows = db.rows(&COPIES_UNSEEN, &[ws, integration, calendar, P::Int(self.epoch), limit]).await?;
        rows.into_iter().map(|mut row| row.text(0).map(EventId)).collect()
    }
}

impl Store {
    /// How far a calendar is read. One that is not known yet begins now.
    pub async fn begin_calendar(&self, of: &CalendarRef, now: Timestamp) -> Result<CalendarState> {
        self.run(Begin { of: of.clone(), now }).await
    }

    /// Stores a page together with the place behind it, and marks as due what it says anything new about. Nothing, and
    /// `false`, where the lease is another's by now.
    pub async fn take_calendar_page(&self, page: CalendarPage) -> Result<bool> {
        self.run(Take(page)).await
    }

    /// Has a calendar read from the beginning, because its vendor no longer knows where we were.
    pub async fn read_calendar_anew(&self, of: &CalendarRef, held: &Held, now: Timestamp) -> Result<bool> {
        self.run(Anew { of: of.clone(), held: held.clone(), now }).await
    }

    /// Notes that a calendar could not be read.
    pub async fn calendar_failed(
        &self,
        of: &CalendarRef,
        held: &Held,
        now: Timestamp,
        next_at: Timestamp,
        problem: &str,
    ) -> Result<bool> {
        self.run(Failed { of: of.clone(), held: held.clone(), now, next_at, problem: problem.to_owned() }).await
    }

    /// Events that the reading of this epoch did not show.
    pub async fn unseen_copies(&self, of: &CalendarRef, epoch: i64, limit: usize) -> Result<Vec<EventId>> {
        self.run(Unseen { of: of.clone(), epoch, limit }).await
    }
}
