//! Sources that are asked by themselves: a page of rows and the cursor behind it are stored together or not at all, and
//! only by whoever holds the lease. What a row means, and when to ask, is not decided here.

use jiff::Timestamp;
use syncline_core::ids::{ConnectionId, IntegrationId, WorkspaceId};

use super::{
    intake::TakeIn,
    journal::{self, Line},
    leases::is_held,
};
use crate::{
    Held, JournalEntry, PageTaken, PollState, PolledPage, Store, TakenIn,
    db::{Db, Op, P, Row, Scope, statements},
    error::{Error, Result},
};

statements! {
    POLL_BEGIN = "insert into poll_source (workspace, source, since, next_at, failures) values (?1, ?2, ?3, ?4, 0) \
        on conflict (workspace, source) do nothing";
    POLL_GET = "select since, cursor, next_at, failures, polled_at, problem, hook, hook_at from poll_source \
        where workspace = ?1 and source = ?2";
    POLL_DONE = "update poll_source set cursor = ?3, next_at = ?4, failures = 0, polled_at = ?5, problem = null \
        where workspace = ?1 and source = ?2";
    POLL_FAILED = "update poll_source set next_at = ?3, failures = failures + 1, problem = ?4 \
        where workspace = ?1 and source = ?2";
    POLL_SOON = "update poll_source set next_at = ?3 where workspace = ?1 and source = ?2 and next_at > ?3";
    HOOK_SET = "update poll_source set hook = ?3, hook_at = ?4 where workspace = ?1 and source = ?2";
}

fn key<'a>(workspace: &'a WorkspaceId, source: &'a ConnectionId) -> [P<'a>; 2] {
    [P::Text(workspace.as_str()), P::Text(source.as_str())]
}

async fn tell<D: Db>(db: &mut D, workspace: &WorkspaceId, entry: Option<&(IntegrationId, JournalEntry)>) -> Result<()> {
    match entry {
        Some((integration, entry)) => journal::write(db, &[Line::of_integration(workspace, integration, entry)]).await,
        None => Ok(()),
    }
}

/// Makes the source's row, unless it is there, and reads it.
struct Begin {
    workspace: WorkspaceId,
    source: ConnectionId,
    since: Timestamp,
    now: Timestamp,
}

impl Op for Begin {
    type Out = PollState;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<PollState> {
        let [workspace, source] = key(&self.workspace, &self.source);
        db.run(&POLL_BEGIN, &[workspace, source, P::time(self.since), P::time(self.now)]).await?;
        let row = db.row(&POLL_GET, &[workspace, source]).await?;
        state_of(row.ok_or_else(|| Error::corrupt("the row of a polled source is gone"))?)
    }
}

struct Read {
    workspace: WorkspaceId,
    source: ConnectionId,
}

impl Op for Read {
    type Out = Option<PollState>;
    const READS: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<Self::Out> {
        db.row(&POLL_GET, &key(&self.workspace, &self.source)).await?.map(state_of).transpose()
    }
}

fn state_of(mut row: Row) -> Result<PollState> {
    Ok(PollState {
        since: row.time(0)?,
        cursor: row.opt_text(1)?,
        next_at: row.time(2)?,
        failures: u32::try_from(row.int(3)?).unwrap_or(u32::MAX),
        polled_at: row.opt_time(4)?,
        problem: row.opt_text(5)?,
        hook: row.opt_text(6)?,
        hook_at: row.opt_time(7)?,
    })
}

struct TakePage {
    page: PolledPage,
    rows: Vec<TakeIn>,
}

impl Op for TakePage {
    type Out = Option<PageTaken>;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.page.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<Self::Out> {
        let page = &self.page;
        if !is_held(db, &page.workspace, &page.held, page.now).await? {
            return Ok(None);
        }
        let mut taken = PageTaken::default();
        for row in &self.rows {
            match row.add_quietly(db).await? {
                TakenIn::Stored => taken.stored += 1,
                TakenIn::Duplicate => taken.duplicates += 1,
            }
        }
        let [workspace, source] = key(&page.workspace, &page.source);
        let (cursor, next, now) = (P::Text(&page.cursor), P::time(page.next_at), P::time(page.now));
        db.run(&POLL_DONE, &[workspace, source, cursor, next, now]).await?;
        tell(db, &page.workspace, page.journal.as_ref()).await?;
        Ok(Some(taken))
    }
}

struct Failed {
    workspace: WorkspaceId,
    source: ConnectionId,
    held: Held,
    now: Timestamp,
    next_at: Timestamp,
    problem: String,
    journal: Option<(IntegrationId, JournalEntry)>,
}

impl Op for Failed {
    type Out = bool;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<bool> {
        if !is_held(db, &self.workspace, &self.held, self.now).await? {
            return Ok(false);
        }
        let [workspace, source] = key(&self.workspace, &self.source);
        db.run(&POLL_FAILED, &[workspace, source, P::time(self.next_at), P::Text(&self.problem)]).await?;
        tell(db, &self.workspace, self.journal.as_ref()).await?;
        Ok(true)
    }
}

struct NoteHook {
    workspace: WorkspaceId,
    source: ConnectionId,
    state: String,
    now: Timestamp,
    poll_now: bool,
    journal: Option<(IntegrationId, JournalEntry)>,
}

impl Op for NoteHook {
    type Out = ();

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<()> {
        let [workspace, source] = key(&self.workspace, &self.source);
        db.run(&HOOK_SET, &[workspace, source, P::Text(&self.state), P::time(self.now)]).await?;
        if self.poll_now {
            db.run(&POLL_SOON, &[workspace, source, P::time(self.now)]).await?;
        }
        tell(db, &self.workspace, self.journal.as_ref()).await
    }
}

impl Store {
    /// How far the poll of a source has come. The first call says from when on it asks, and makes it due at once.
    pub async fn begin_poll(
        &self,
        workspace: &WorkspaceId,
        source: &ConnectionId,
        since: Timestamp,
        now: Timestamp,
    ) -> Result<PollState> {
        self.run(Begin { workspace: workspace.clone(), source: source.clone(), since, now }).await
    }

    /// How far the poll of a source has come; nothing where it never began.
    pub async fn poll_state(&self, workspace: &WorkspaceId, source: &ConnectionId) -> Result<Option<PollState>> {
        self.run(Read { workspace: workspace.clone(), source: source.clone() }).await
    }

    /// Takes a page in: all its rows and the cursor in one transaction. What is in the inbox already stays as it is,
    /// and a row that says nothing new of a known booking does not make it due. Nothing at all is stored where the
    /// lease is somebody else's by now.
    pub async fn take_page(&self, mut page: PolledPage) -> Result<Option<PageTaken>> {
        let mut rows = Vec::with_capacity(page.deliveries.len());
        for delivery in std::mem::take(&mut page.deliveries) {
            rows.push(self.sealed(delivery).await?);
        }
        self.run(TakePage { page, rows }).await
    }

    /// Notes that a page could not be read: the cursor stays where it is. `false` where the lease is somebody else's.
    #[expect(clippy::too_many_arguments, reason = "each is a plain part of one note")]
    pub async fn poll_failed(
        &self,
        workspace: &WorkspaceId,
        source: &ConnectionId,
        held: &Held,
        now: Timestamp,
        next_at: Timestamp,
        problem: &str,
        journal: Option<(IntegrationId, JournalEntry)>,
    ) -> Result<bool> {
        let (workspace, source, held) = (workspace.clone(), source.clone(), held.clone());
        self.run(Failed { workspace, source, held, now, next_at, problem: problem.to_owned(), journal }).await
    }

    /// Notes how the webhook subscription of a source was found. `poll_now` makes its poll due at once.
    pub async fn note_hook(
        &self,
        workspace: &WorkspaceId,
        source: &ConnectionId,
        state: &str,
        now: Timestamp,
        poll_now: bool,
        journal: Option<(IntegrationId, JournalEntry)>,
    ) -> Result<()> {
        let (workspace, source) = (workspace.clone(), source.clone());
        self.run(NoteHook { workspace, source, state: state.to_owned(), now, poll_now, journal }).await
    }
}
