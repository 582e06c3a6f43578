//! Watches: what was asked of vendors, what they told, and how soon a calendar is looked at because of it.

use jiff::Timestamp;
use syncline_core::ids::{ConnectionId, IntegrationId, WorkspaceId};

use crate::{
    CalendarPage, CalendarRef, CalendarState, HeardWatch, Held, Store, StoredWatch,
    db::{Db, Op, P, Row, Scope, Sql, statements},
    error::{Error, Result},
    ops::leases::is_held,
};

statements! {
    WATCHES = "select name, integration, calendar, connection, watch, resource, secret, address, until, works, heard_at \
        from calendar_watch where workspace = ?1 order by name";
    WATCH_CALLED = "select name, integration, calendar, connection, watch, resource, secret, address, until, works, heard_at \
        from calendar_watch where workspace = ?1 and connection = ?2 and watch = ?3";
    WATCH_ADD = "insert into calendar_watch (workspace, name, integration, calendar, connection, watch, secret, address, works) \
        values (?1, ?2, ?3, ?4, ?5, ?2, ?6, ?7, 0)";
    WATCH_KEEP = "update calendar_watch set watch = ?3, resource = ?4, until = ?5, \
        works = case when ?6 = 1 then 1 else works end where workspace = ?1 and name = ?2";
    WATCH_DROP = "delete from calendar_watch where workspace = ?1 and name = ?2";
    WATCH_HEARD = "update calendar_watch set works = 1, heard_at = ?3 where workspace = ?1 and name = ?2";
    WATCH_DOUBT = "update calendar_watch set works = 0 where workspace = ?1 and name = ?2";
    WATCHES_FORGET = "delete from calendar_watch where workspace = ?1 and integration = ?2";
    WATCH_WORKS = "select name, until from calendar_watch where workspace = ?1 and integration = ?2 and calendar = ?3 \
        and works = 1 and until > ?4 order by until";
    WAKE = "update calendar set wake_at = ?4, next_at = case when failures = 0 and next_at > ?4 then ?4 else next_at end \
        where workspace = ?1 and integration = ?2 and calendar = ?3";
    WATCH_NEXT = "update calendar set watch_at = ?4, watch_failures = 0, watch_problem = null \
        where workspace = ?1 and integration = ?2 and calendar = ?3";
    WATCH_SOON = "update calendar set watch_at = ?4 where workspace = ?1 and integration = ?2 and calendar = ?3";
    WATCH_FAILED = "update calendar set watch_at = ?4, watch_failures = watch_failures + 1, watch_problem = ?5 \
        where workspace = ?1 and integration = ?2 and calendar = ?3";
}

/// When a calendar is looked at next, and by when because of what its vendor told. Where the vendor tells of changes that
/// is a long time; if there was news of which it had told nothing, it is believed no longer until it tells something.
pub(super) async fn next_look<D: Db>(
    db: &mut D,
    page: &CalendarPage,
    state: &CalendarState,
    news: bool,
) -> Result<(Timestamp, Option<Timestamp>)> {
    let sooner = |at: Timestamp, wake: Option<Timestamp>| wake.map_or(at, |wake| wake.min(at));
    let Some(told_next_at) = page.told_next_at else { return Ok((sooner(page.next_at, state.wake_at), state.wake_at)) };
    let wake_at = state.wake_at.filter(|at| *at > state.begun_at.unwrap_or(page.began));
    let [ws, integration, calendar] = page.of.key();
    let mut rest = page.next_at;
    for mut row in db.rows(&WATCH_WORKS, &[ws, integration, calendar, P::time(page.now)]).await? {
        if news && state.wake_at.is_none() {
            db.run(&WATCH_DOUBT, &[ws, P::Text(&row.text(0)?)]).await?;
        } else {
            rest = rest.max(told_next_at.min(row.time(1)?));
        }
    }
    Ok((sooner(rest, wake_at), wake_at))
}

/// Forgets all of an integration.
pub(in crate::ops) async fn forget<D: Db>(db: &mut D, integration: &[P<'_>; 2]) -> Result<()> {
    db.run(&WATCHES_FORGET, integration).await.map(drop)
}

fn watch_of(workspace: &WorkspaceId, mut row: Row) -> Result<StoredWatch> {
    let mark = |blob: Vec<u8>| blob.try_into().map_err(|_| Error::corrupt("a watch's mark has another length"));
    Ok(StoredWatch {
        name: row.text(0)?,
        of: CalendarRef {
            workspace: workspace.clone(),
            integration: IntegrationId::new(row.text(1)?),
            calendar: row.text(2)?,
        },
        connection: ConnectionId::new(row.text(3)?),
        watch: row.text(4)?,
        resource: row.opt_text(5)?,
        secret: mark(row.blob(6)?)?,
        address: mark(row.blob(7)?)?,
        until: row.opt_time(8)?,
        works: row.int(9)? != 0,
        heard_at: row.opt_time(10)?,
    })
}

struct Watches(WorkspaceId);

impl Op for Watches {
    type Out = Vec<StoredWatch>;
    const READS: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.0)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<Self::Out> {
        let rows = db.rows(&WATCHES, &[P::Text(self.0.as_str())]).await?;
        rows.into_iter().map(|row| watch_of(&self.0, row)).collect()
    }
}

struct Called {
    workspace: WorkspaceId,
    connection: ConnectionId,
    watches: Vec<String>,
}

impl Op for Called {
    type Out = Vec<StoredWatch>;
    const READS: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<Self::Out> {
        let by = [P::Text(self.workspace.as_str()), P::Text(self.connection.as_str())];
        let keys: Vec<_> = self.watches.iter().map(|watch| [by[0], by[1], P::Text(watch)]).collect();
        let rows = db.each(&WATCH_CALLED, &keys).await?;
        rows.into_iter().flatten().map(|row| watch_of(&self.workspace, row)).collect()
    }
}

struct Begin {
    watch: StoredWatch,
    held: Held,
    now: Timestamp,
}

impl Op for Begin {
    type Out = bool;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.watch.of.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<bool> {
        let watch = &self.watch;
        if !is_held(db, &watch.of.workspace, &self.held, self.now).await? {
            return Ok(false);
        }
        let [ws, integration, calendar] = watch.of.key();
        let add = [
            ws,
            P::Text(&watch.name),
            integration,
            calendar,
            P::Text(watch.connection.as_str()),
            P::Blob(&watch.secret),
            P::Blob(&watch.address),
        ];
        db.run(&WATCH_ADD, &add).await?;
        Ok(true)
    }
}

/// A watch of which the vendor said until when it tells.
struct Keep {
    watch: StoredWatch,
    next_at: Timestamp,
    wake_at: Timestamp,
}

impl Op for Keep {
    type Out = bool;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.watch.of.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<bool> {
        let watch = &self.watch;
        let [ws, integration, calendar] = watch.of.key();
        let keep = [
            ws,
            P::Text(&watch.name),
            P::Text(&watch.watch),
            P::opt_text(watch.resource.as_deref()),
            P::opt_time(watch.until),
            P::Int(watch.works.into()),
        ];
        // First what a page locks first, here and below, so that nobody waits for each other.
        db.run(&WAKE, &[ws, integration, calendar, P::time(self.wake_at)]).await?;
        if db.run(&WATCH_KEEP, &keep).await? == 0 {
            return Ok(false);
        }
        db.run(&WATCH_NEXT, &[ws, integration, calendar, P::time(self.next_at)]).await?;
        Ok(true)
    }
}

struct Drop {
    workspace: WorkspaceId,
    name: String,
}

impl Op for Drop {
    type Out = ();

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<()> {
        db.run(&WATCH_DROP, &[P::Text(self.workspace.as_str()), P::Text(&self.name)]).await.map(drop)
    }
}

/// When to see to a calendar's watch again, and why it failed, if it did.
struct Next {
    of: CalendarRef,
    at: Option<Timestamp>,
    problem: Option<String>,
}

impl Op for Next {
    type Out = ();

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.of.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<()> {
        let [ws, integration, calendar] = self.of.key();
        let at = P::opt_time(self.at);
        match &self.problem {
            Some(problem) => db.run(&WATCH_FAILED, &[ws, integration, calendar, at, P::Text(problem)]).await,
            None => db.run(&WATCH_NEXT, &[ws, integration, calendar, at]).await,
        }
        .map(drop)
    }
}

struct Hear {
    workspace: WorkspaceId,
    heard: Vec<HeardWatch>,
    now: Timestamp,
    wake_at: Timestamp,
}

impl Op for Hear {
    type Out = ();

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<()> {
        let ws = P::Text(self.workspace.as_str());
        for heard in &self.heard {
            let [_, integration, calendar] = heard.of.key();
            let at = |sql: &'static Sql, at: Timestamp| (sql, [ws, integration, calendar, P::time(at)]);
            let wakes = (heard.changed || heard.ended).then(|| at(&WAKE, self.wake_at));
            let renews = (heard.renew || heard.ended).then(|| at(&WATCH_SOON, self.now));
            for (sql, set) in wakes.into_iter().chain(renews) {
                db.run(sql, &set).await?;
            }
            match heard.ended {
                true => db.run(&WATCH_DROP, &[ws, P::Text(&heard.name)]).await?,
                false => db.run(&WATCH_HEARD, &[ws, P::Text(&heard.name), P::time(self.now)]).await?,
            };
        }
        Ok(())
    }
}

struct Doubt {
    workspace: WorkspaceId,
    watches: Vec<StoredWatch>,
    now: Timestamp,
}

impl Op for Doubt {
    type Out = ();

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<()> {
        for watch in &self.watches {
            let [ws, integration, calendar] = watch.of.key();
            for sql in [&WAKE, &WATCH_SOON] {
                db.run(sql, &[ws, integration, calendar, P::time(self.now)]).await?;
            }
            db.run(&WATCH_DOUBT, &[ws, P::Text(&watch.name)]).await?;
        }
        Ok(())
    }
}

impl Store {
    /// All watches of a workspace.
    pub async fn watches(&self, workspace: &WorkspaceId) -> Result<Vec<StoredWatch>> {
        self.run(Watches(workspace.clone())).await
    }

    /// Those that the vendor of this connection calls so.
    pub async fn watches_called(
        &self,
        workspace: &WorkspaceId,
        connection: &ConnectionId,
        watches: Vec<String>,
    ) -> Result<Vec<StoredWatch>> {
        self.run(Called { workspace: workspace.clone(), connection: connection.clone(), watches }).await
    }

    /// Writes down that a watch is about to be asked for. Nothing, and `false`, where the lease is another's by now.
    pub async fn begin_watch(&self, watch: StoredWatch, held: &Held, now: Timestamp) -> Result<bool> {
        self.run(Begin { watch, held: held.clone(), now }).await
    }

    /// Keeps what the vendor said of a watch that has begun or was renewed, when to see to it again, and by when its calendar
    /// is read once: what changed before may not have been told. Nothing, and `false`, where it was forgotten meanwhile.
    pub async fn keep_watch(&self, watch: StoredWatch, next_at: Timestamp, wake_at: Timestamp) -> Result<bool> {
        self.run(Keep { watch, next_at, wake_at }).await
    }

    /// Forgets a watch.
    pub async fn drop_watch(&self, workspace: &WorkspaceId, name: &str) -> Result<()> {
        self.run(Drop { workspace: workspace.clone(), name: name.to_owned() }).await
    }

    /// When to see to a calendar's watch again; with why it failed, if it did.
    pub async fn watch_next(&self, of: &CalendarRef, at: Option<Timestamp>, problem: Option<String>) -> Result<()> {
        self.run(Next { of: of.clone(), at, problem }).await
    }

    /// Takes in what vendors told: by `wake_at` what changed is read.
    pub async fn hear_watches(
        &self,
        workspace: &WorkspaceId,
        heard: Vec<HeardWatch>,
        now: Timestamp,
        wake_at: Timestamp,
    ) -> Result<()> {
        self.run(Hear { workspace: workspace.clone(), heard, now, wake_at }).await
    }

    /// Believes watches no longer until they tell something; they are seen to, and their calendars read, as soon as may be.
    pub async fn doubt_watches(
        &self,
        workspace: &WorkspaceId,
        watches: Vec<StoredWatch>,
        now: Timestamp,
    ) -> Result<()> {
        self.run(Doubt { workspace: workspace.clone(), watches, now }).await
    }
}
