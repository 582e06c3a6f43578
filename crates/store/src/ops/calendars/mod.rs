//! Calendars: a page of copies and the place behind it are stored together or not at all, and only by whoever holds the
//! lease. What a copy means, and when to ask, is not decided here.

pub(super) mod crm;
pub(super) mod mails;
pub(super) mod meetings;
pub(super) mod watches;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{Timestamp, tz::TimeZone};
use syncline_core::{
    calendar::{
        canon::canonical,
        event::{Body, Event, EventId},
        identity::Uid,
        recur::Window,
        zone::zone,
    },
    ids::{ExternalKey, IntegrationId, WorkspaceId},
};

use super::{
    journal::{self, Line},
    leases::is_held,
};
use crate::{
    CalendarPage, CalendarRef, CalendarState, Held, JournalEntry, KnownCopy, NewCopy, Store, StoredCopy, WatchState,
    db::{Db, Op, P, Row, Scope, from_json, statements, to_json},
    error::{Error, Result},
};

statements! {
    CALENDAR_MAKE = "insert into calendar (workspace, integration, calendar, epoch, settled, connected_at, next_at, failures) \
        values (?1, ?2, ?3, 1, 0, ?4, ?4, 0) on conflict (workspace, integration, calendar) do nothing";
    CALENDAR_GET = "select cursor, epoch, settled, zone, connected_at, next_at, failures, problem, whole_at, read_at, \
        wake_at, watch_at, watch_failures, watch_problem, readings, unswept, unswept_from, unswept_to, confirmed_at, begun_at \
        from calendar where workspace = ?1 and integration = ?2 and calendar = ?3 {lock}";
    CALENDARS = "select cursor, epoch, settled, zone, connected_at, next_at, failures, problem, whole_at, read_at, \
        wake_at, watch_at, watch_failures, watch_problem, readings, unswept, unswept_from, unswept_to, confirmed_at, begun_at, \
        calendar from calendar where workspace = ?1 and integration = ?2 order by calendar";
    CALENDAR_READ = "update calendar set cursor = ?4, settled = case when ?5 = 1 then 1 else settled end, zone = coalesce(?6, zone), next_at = ?7, \
        failures = case when ?12 = 1 then failures else 0 end, problem = case when ?12 = 1 then problem else null end, \
        whole_at = coalesce(?8, whole_at), wake_at = ?9, read_at = ?10, readings = readings + ?11, unswept = ?12, \
        unswept_from = ?13, unswept_to = ?14, confirmed_at = ?15, begun_at = ?16 \
        where workspace = ?1 and integration = ?2 and calendar = ?3";
    CALENDAR_FAILED = "update calendar set next_at = ?4, failures = failures + 1, problem = ?5 \
        where workspace = ?1 and integration = ?2 and calendar = ?3";
    CALENDAR_SOON = "update calendar set next_at = ?4 where workspace = ?1 and integration = ?2 and calendar = ?3 and next_at > ?4";
    CALENDAR_CONFIRM = "update calendar set confirmed_at = ?4, whole_at = ?5, next_at = ?4 \
        where workspace = ?1 and integration = ?2 and calendar = ?3";
    CALENDAR_ANEW = "update calendar set cursor = null, epoch = epoch + 1, next_at = ?4, whole_at = null, unswept = 0, \
        unswept_from = null, unswept_to = null, begun_at = null \
        where workspace = ?1 and integration = ?2 and calendar = ?3";
    COPY_GET = "select copy, uid, rid, baseline, touched, organizes from calendar_copy \
        where workspace = ?1 and integration = ?2 and calendar = ?3 and event = ?4";
    COPY_PUT = "insert into calendar_copy (workspace, integration, calendar, event, uid, rid, epoch, baseline, touched, \
        organizes, copy) values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) \
        on conflict (workspace, integration, calendar, event) do update set uid = excluded.uid, rid = excluded.rid, \
        epoch = excluded.epoch, touched = excluded.touched, organizes = excluded.organizes, copy = excluded.copy";
    COPY_SEEN = "update calendar_copy set epoch = ?5 where workspace = ?1 and integration = ?2 and calendar = ?3 and event = ?4";
    COPIES_KNOWN = "select event, epoch, copy from calendar_copy where workspace = ?1 and integration = ?2 and calendar = ?3 \
        and event > ?4 order by event limit ?5";
    COPY_UID = "select uid from calendar_copy where workspace = ?1 and integration = ?2 and calendar = ?3 and event = ?4";
    COPIES_NAMED = "update calendar_copy set uid = ?4 where workspace = ?1 and integration = ?2 and uid = ?3";
    COPIES_OF = "select calendar, copy, uid, rid, baseline, touched, organizes from calendar_copy \
        where workspace = ?1 and integration = ?2 and uid = ?3 order by calendar, event";
    DUE_ADD = "insert into calendar_due (workspace, integration, uid, due_at, revision, tries) values (?1, ?2, ?3, ?4, 1, 0) \
        on conflict (workspace, integration, uid) do update set revision = calendar_due.revision + 1, tries = 0, \
        due_at = case when calendar_due.due_at < excluded.due_at then calendar_due.due_at else excluded.due_at end";
    KEPT_IN = "select integration, calendar from calendar where workspace = ?1";
    UID_KNOWN = "select uid from calendar_copy where workspace = ?1 and integration = ?2 and uid = ?3 limit 1";
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
        whole_at: row.opt_time(8)?,
        read_at: row.opt_time(9)?,
        wake_at: row.opt_time(10)?,
        watch: WatchState {
            next_at: row.opt_time(11)?,
            failures: u32::try_from(row.int(12)?).unwrap_or(u32::MAX),
            problem: row.opt_text(13)?,
        },
        readings: row.int(14)?,
        unswept: match row.int(15)? {
            0 => None,
            _ => Some(Window {
                from: row.opt_time(16)?.unwrap_or(Timestamp::MIN),
                to: row.opt_time(17)?.unwrap_or(Timestamp::MAX),
            }),
        },
        confirmed_at: row.opt_time(18)?,
        begun_at: row.opt_time(19)?,
    })
}

struct All {
    workspace: WorkspaceId,
    integration: IntegrationId,
}

impl Op for All {
    type Out = Vec<(String, CalendarState)>;
    const READS: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<Self::Out> {
        let by = [P::Text(self.workspace.as_str()), P::Text(self.integration.as_str())];
        let named = |mut row: Row| Ok((row.text(20)?, state_of(row)?));
        db.rows(&CALENDARS, &by).await?.into_iter().map(named).collect()
    }
}

struct Note {
    workspace: WorkspaceId,
    integration: IntegrationId,
    journal: Vec<JournalEntry>,
}

impl Op for Note {
    type Out = ();

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<()> {
        let line = |entry| Line::of_integration(&self.workspace, &self.integration, entry);
        let lines: Vec<Line<'_>> = self.journal.iter().map(line).collect();
        journal::write(db, &lines).await
    }
}

struct Soon {
    of: CalendarRef,
    now: Timestamp,
}

impl Op for Soon {
    type Out = ();

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.of.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<()> {
        let [ws, integration, calendar] = self.of.key();
        db.run(&CALENDAR_SOON, &[ws, integration, calendar, P::time(self.now)]).await.map(drop)
    }
}

struct Confirm {
    of: CalendarRef,
    now: Timestamp,
}

impl Op for Confirm {
    type Out = ();

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.of.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<()> {
        let [ws, integration, calendar] = self.of.key();
        let now = P::time(self.now);
        db.run(&CALENDAR_MAKE, &[ws, integration, calendar, now]).await?;
        db.run(&CALENDAR_CONFIRM, &[ws, integration, calendar, now, P::time(CalendarState::NEVER)]).await.map(drop)
    }
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
        let news = take_copies(db, page, &state).await?;
        let (next_at, wake_at) = watches::next_look(db, page, &state, news).await?;
        // What goes on has begun when its first page was asked for, whoever reads the rest.
        let goes_on = page.told_next_at.is_none() && page.whole.is_none() && !page.swept;
        let begun_at = goes_on.then(|| state.begun_at.unwrap_or(page.began));
        // A reading of everything ends with the look for what it did not show.
        let unswept = page.whole.or(state.unswept).filter(|_| !page.swept);
        // What a person said while this was read holds for the reading that begins anew.
        let anew = state.whole_at == Some(CalendarState::NEVER);
        let (swept, next_at) = if anew { (false, next_at.min(page.now)) } else { (page.swept, next_at) };
        let read = [
            ws,
            integration,
            calendar,
            P::Text(&page.cursor),
            P::Int(page.whole.is_some().into()),
            P::opt_text(page.zone.as_deref()),
            P::time(next_at),
            P::opt_time(swept.then_some(page.now)),
            P::opt_time(wake_at),
            P::time(page.now),
            P::Int((page.whole.is_some() || page.told_next_at.is_some()).into()),
            P::Int(unswept.is_some().into()),
            P::opt_time(unswept.map(|window| window.from).filter(|from| *from != Timestamp::MIN)),
            P::opt_time(unswept.map(|window| window.to).filter(|to| *to != Timestamp::MAX)),
            P::opt_time(state.confirmed_at.filter(|_| !swept)),
            P::opt_time(begun_at),
        ];
        db.run(&CALENDAR_READ, &read).await?;
        Ok(true)
    }
}

/// Stores copies and marks their series as due, save those that say nothing new; whether any says something new. All are
/// asked for at once, and written at once: a page has thousands.
async fn take_copies<D: Db>(db: &mut D, page: &CalendarPage, state: &CalendarState) -> Result<bool> {
    let [ws, integration, calendar] = page.of.key();
    // Calendars repeat rows; the last one counts.
    let last: BTreeMap<&EventId, &NewCopy> = page.copies.iter().map(|new| (&new.event.id, new)).collect();
    let keys: Vec<_> = last.keys().map(|event| [ws, integration, calendar, P::Text(&event.0)]).collect();
    let known = db.each(&COPY_GET, &keys).await?;
    let names = names_of_series(db, page, &last).await?;
    let home = state.zone.as_deref().or(page.zone.as_deref()).and_then(|name| zone(name).ok()).unwrap_or(TimeZone::UTC);
    let (mut seen, mut news, mut due) = (Vec::new(), Vec::new(), BTreeSet::new());
    for ((new, known), [ws, integration, calendar, event]) in last.into_values().zip(known).zip(keys) {
        let known = known.map(|row| known_of(page, new, row)).transpose()?;
        let mut copy = taken(page, state, new, known.as_ref());
        if copy.event.uid.is_none() {
            copy.event.uid = copy.event.series.as_ref().and_then(|series| names.get(series).cloned());
        }
        if known.as_ref().is_some_and(|known| known.event == copy.event) {
            seen.push([ws, integration, calendar, event, P::Int(state.epoch)]);
            continue;
        }
        // A new version of the same is kept, and is no news: calendars count up for a reminder.
        let is_same = known.as_ref().is_some_and(|known| {
            known.event.uid == copy.event.uid
                && known.organizes == copy.organizes
                && canonical(&known.event, &home) == canonical(&copy.event, &home)
        });
        match known {
            Some(known) if is_same => copy.touched = known.touched,
            _ => due.extend(copy.event.uid.clone()),
        }
        news.push((to_json(&copy.event)?, copy.event.rid.to_string(), copy));
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
    name_strays(db, page, &news).await?;
    // A series comes with many exceptions, and is looked at once.
    let due: Vec<_> = due.iter().map(|uid| [ws, integration, P::Text(uid.as_str()), P::time(page.now)]).collect();
    db.each(&DUE_ADD, &due).await?;
    Ok(!due.is_empty())
}

/// What the series are called of which only an occurrence came, which says the calendar's own name of the series alone. One
/// that is not known yet has a name of its own until the series comes.
async fn names_of_series<D: Db>(
    db: &mut D,
    page: &CalendarPage,
    new: &BTreeMap<&EventId, &NewCopy>,
) -> Result<BTreeMap<EventId, Uid>> {
    let nameless = new.values().filter(|new| new.event.uid.is_none()).filter_map(|new| new.event.series.as_ref());
    let wanted: BTreeSet<&EventId> = nameless.collect();
    let [ws, integration, calendar] = page.of.key();
    let keys: Vec<_> = wanted.iter().map(|series| [ws, integration, calendar, P::Text(&series.0)]).collect();
    let stored = db.each(&COPY_UID, &keys).await?;
    let mut names = BTreeMap::new();
    for (series, stored) in wanted.into_iter().zip(stored) {
        let told = new.get(series).and_then(|new| new.event.uid.clone());
        let stored = stored.map(|mut row| row.opt_text(0)).transpose()?.flatten();
        let uid = told.or_else(|| stored.as_deref().and_then(Uid::read)).unwrap_or_else(|| stray(page, series));
        names.insert(series.clone(), uid);
    }
    Ok(names)
}

/// What occurrences are called whose series is not known.
fn stray(page: &CalendarPage, series: &EventId) -> Uid {
    let key = ExternalKey::derive(&["series_of", &page.of.calendar, &series.0]);
    Uid::read(key.as_str()).expect("a key is a name")
}

/// Gives occurrences that came before their series its name.
async fn name_strays<D: Db>(db: &mut D, page: &CalendarPage, news: &[(Vec<u8>, String, StoredCopy)]) -> Result<()> {
    let [ws, integration, _] = page.of.key();
    let series = news.iter().filter(|(_, _, copy)| copy.event.is_series());
    let named: Vec<(Uid, &Uid)> =
        series.filter_map(|(_, _, copy)| Some((stray(page, &copy.event.id), copy.event.uid.as_ref()?))).collect();
    let sets: Vec<_> =
        named.iter().map(|(stray, uid)| [ws, integration, P::Text(stray.as_str()), P::Text(uid.as_str())]).collect();
    db.each(&COPIES_NAMED, &sets).await?;
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

/// A copy as it was known. Of one that cannot be read, after a damage or because a later version wrote it, the columns tell
/// what has to outlive it, and whatever the calendar shows of it is news.
fn known_of(page: &CalendarPage, new: &NewCopy, row: Row) -> Result<StoredCopy> {
    let [baseline, touched, organizes] = [3, 4, 5].map(|at| row.int(at).map(|said| said != 0));
    match copy_of(page.of.calendar.clone(), row, 0) {
        Err(Error::Corrupt(_)) => {
            let body = if matches!(new.event.body, Body::Bare) { Body::Private } else { Body::Bare };
            Ok(StoredCopy {
                calendar: page.of.calendar.clone(),
                event: Event { body, ..new.event.clone() },
                baseline: baseline?,
                touched: touched?,
                organizes: organizes?,
            })
        }
        read => read,
    }
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

struct Known {
    of: CalendarRef,
    after: EventId,
    limit: usize,
}

impl Op for Known {
    type Out = (Vec<KnownCopy>, Option<EventId>);
    const READS: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.of.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<Self::Out> {
        let [ws, integration, calendar] = self.of.key();
        let limit = i64::try_from(self.limit).unwrap_or(i64::MAX);
        let page = [ws, integration, calendar, P::Text(&self.after.0), P::Int(limit)];
        let rows = db.rows(&COPIES_KNOWN, &page).await?;
        let is_full = rows.len() == self.limit;
        let (mut copies, mut last) = (Vec::new(), None);
        for mut row in rows {
            let event = EventId(row.text(0)?);
            last = Some(event.clone());
            // What cannot be read is not looked for: it is read anew when the calendar shows it.
            let Ok(copy) = from_json::<Event>(&row.blob(2)?) else { continue };
            let content = match copy.body {
                Body::Bare => continue,
                Body::Open(content) => Some(content),
                Body::Private | Body::Unreadable(_) => None,
            };
            copies.push(KnownCopy { event, epoch: row.int(1)?, content });
        }
        Ok((copies, last.filter(|_| is_full)))
    }
}

/// Has those meetings looked at of which bookings tell, wherever a calendar shows them.
pub(super) async fn booked<D: Db>(db: &mut D, told: &[(&WorkspaceId, &str)], now: Timestamp) -> Result<()> {
    let workspaces: BTreeSet<&WorkspaceId> = told.iter().map(|(workspace, _)| *workspace).collect();
    for workspace in workspaces {
        let ws = P::Text(workspace.as_str());
        let mut calendars = Vec::new();
        for mut row in db.rows(&KEPT_IN, &[ws]).await? {
            calendars.push((row.text(0)?, row.text(1)?));
        }
        let integrations: BTreeSet<&String> = calendars.iter().map(|(integration, _)| integration).collect();
        let names = || told.iter().filter(|(of, _)| *of == workspace).map(|(_, name)| P::Text(name));
        let by_uid: Vec<_> =
            integrations.iter().flat_map(|integration| names().map(|name| [ws, P::Text(integration), name])).collect();
        let by_event: Vec<_> = calendars
            .iter()
            .flat_map(|(integration, calendar)| names().map(|name| [ws, P::Text(integration), P::Text(calendar), name]))
            .collect();
        let mut found = BTreeSet::new();
        let rows = db.each(&UID_KNOWN, &by_uid).await?.into_iter().zip(by_uid.iter().map(|set| set[1]));
        let more = db.each(&COPY_UID, &by_event).await?.into_iter().zip(by_event.iter().map(|set| set[1]));
        for (row, integration) in rows.chain(more) {
            let (Some(mut row), P::Text(integration)) = (row, integration) else { continue };
            found.extend(row.opt_text(0)?.map(|uid| (integration, uid)));
        }
        let due: Vec<_> =
            found.iter().map(|(integration, uid)| [ws, P::Text(integration), P::Text(uid), P::time(now)]).collect();
        db.each(&DUE_ADD, &due).await?;
    }
    Ok(())
}

impl Store {
    /// How far a calendar is read. One that is not known yet begins now.
    pub async fn begin_calendar(&self, of: &CalendarRef, now: Timestamp) -> Result<CalendarState> {
        self.run(Begin { of: of.clone(), now }).await
    }

    /// How far every calendar of an integration is read, by name.
    pub async fn calendars(
        &self,
        workspace: &WorkspaceId,
        integration: &IntegrationId,
    ) -> Result<Vec<(String, CalendarState)>> {
        self.run(All { workspace: workspace.clone(), integration: integration.clone() }).await
    }

    /// Writes lines about calendars into the activity log.
    pub async fn note_calendars(
        &self,
        workspace: &WorkspaceId,
        integration: &IntegrationId,
        journal: Vec<JournalEntry>,
    ) -> Result<()> {
        self.run(Note { workspace: workspace.clone(), integration: integration.clone(), journal }).await
    }

    /// Has a calendar read although it is not time.
    pub async fn read_calendar_soon(&self, of: &CalendarRef, now: Timestamp) -> Result<()> {
        self.run(Soon { of: of.clone(), now }).await
    }

    /// Stores a page together with the place behind it, and marks as due what it says anything new about. Nothing, and
    /// `false`, where the lease is another's by now.
    pub async fn take_calendar_page(&self, page: CalendarPage) -> Result<bool> {
        self.run(Take(page)).await
    }

    /// A person says that whatever a calendar does not show any more was deleted on purpose. Whoever reads it next begins
    /// anew, and the word counts until that reading, or another from the beginning in its place, has ended.
    pub async fn confirm_calendar(&self, of: &CalendarRef, now: Timestamp) -> Result<()> {
        self.run(Confirm { of: of.clone(), now }).await
    }

    /// Has a calendar read from the beginning.
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

    /// Events that are in a calendar as far as is known, and where there may be more of them the name behind which they come:
    /// so many at a time, in the order of their names, since their contents are long.
    pub async fn known_copies(
        &self,
        of: &CalendarRef,
        after: &EventId,
        limit: usize,
    ) -> Result<(Vec<KnownCopy>, Option<EventId>)> {
        self.run(Known { of: of.clone(), after: after.clone(), limit }).await
    }
}
