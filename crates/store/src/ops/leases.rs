//! Named leases, by which processes agree on who does a thing (a token refresh, for one), and named cursors.

use jiff::Timestamp;
use syncline_core::ids::{IntegrationId, WorkspaceId};

use super::journal::{self, Line};
use crate::{
    Held, JournalEntry, Store, WorkerId,
    db::{Db, Op, P, Row, Scope, statements},
    error::Result,
};

statements! {
    LEASE_TAKE = "insert into lease (workspace, name, holder, fence, until) values (?1, ?2, ?3, 1, ?5) \
        on conflict (workspace, name) do update set holder = excluded.holder, fence = lease.fence + 1, until = excluded.until \
        where lease.until <= ?4 returning fence";
    LEASE_END = "update lease set until = 0 where workspace = ?1 and name = ?2 and holder = ?3 and fence = ?4 and until > 0";
    LEASE_GET = "select holder, fence from lease where workspace = ?1 and name = ?2 and until > 0";
    LEASE_EXTEND = "update lease set until = ?6 where workspace = ?1 and name = ?2 and holder = ?3 and fence = ?4 and until > ?5";
    HELD = "select fence from lease where workspace = ?1 and name = ?2 and holder = ?3 and fence = ?4 and until > ?5 {lock}";
    CURSOR_GET = "select value from cursor_at where workspace = ?1 and name = ?2";
    CURSOR_SET = "insert into cursor_at (workspace, name, value) values (?1, ?2, ?3) \
        on conflict (workspace, name) do update set value = excluded.value";
}

/// Whether the lease is still its holder's.
pub(super) async fn is_held<D: Db>(db: &mut D, workspace: &WorkspaceId, held: &Held, now: Timestamp) -> Result<bool> {
    let params =
        [P::Text(workspace.as_str()), P::Text(&held.name), P::Text(&held.holder.0), P::Int(held.fence), P::time(now)];
    Ok(db.row(&HELD, &params).await?.is_some())
}

struct Acquire {
    workspace: WorkspaceId,
    name: String,
    holder: WorkerId,
    now: Timestamp,
    until: Timestamp,
}

impl Op for Acquire {
    type Out = Option<i64>;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<Option<i64>> {
        let params = [
            P::Text(self.workspace.as_str()),
            P::Text(&self.name),
            P::Text(&self.holder.0),
            P::time(self.now),
            P::time(self.until),
        ];
        db.row(&LEASE_TAKE, &params).await?.map(|row| row.int(0)).transpose()
    }
}

struct Holder {
    workspace: WorkspaceId,
    name: String,
}

impl Op for Holder {
    type Out = Option<Held>;
    const READS: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<Option<Held>> {
        let row = db.row(&LEASE_GET, &[P::Text(self.workspace.as_str()), P::Text(&self.name)]).await?;
        let held =
            |mut row: Row| Ok(Held { name: self.name.clone(), holder: WorkerId(row.text(0)?), fence: row.int(1)? });
        row.map(held).transpose()
    }
}

struct Extend {
    workspace: WorkspaceId,
    held: Held,
    now: Timestamp,
    until: Timestamp,
}

impl Op for Extend {
    type Out = bool;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<bool> {
        let params = [
            P::Text(self.workspace.as_str()),
            P::Text(&self.held.name),
            P::Text(&self.held.holder.0),
            P::Int(self.held.fence),
            P::time(self.now),
            P::time(self.until),
        ];
        Ok(db.run(&LEASE_EXTEND, &params).await? > 0)
    }
}

struct Release {
    workspace: WorkspaceId,
    name: String,
    holder: WorkerId,
    fence: i64,
}

impl Op for Release {
    type Out = bool;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<bool> {
        let params =
            [P::Text(self.workspace.as_str()), P::Text(&self.name), P::Text(&self.holder.0), P::Int(self.fence)];
        Ok(db.run(&LEASE_END, &params).await? > 0)
    }
}

struct Cursor {
    workspace: WorkspaceId,
    name: String,
}

impl Op for Cursor {
    type Out = Option<String>;
    const READS: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<Option<String>> {
        let row = db.row(&CURSOR_GET, &[P::Text(self.workspace.as_str()), P::Text(&self.name)]).await?;
        row.map(|mut row| row.text(0)).transpose()
    }
}

struct SetCursor {
    workspace: WorkspaceId,
    name: String,
    value: String,
}

impl Op for SetCursor {
    type Out = ();

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<()> {
        db.run(&CURSOR_SET, &[P::Text(self.workspace.as_str()), P::Text(&self.name), P::Text(&self.value)]).await?;
        Ok(())
    }
}

struct MoveCursor {
    held: Held,
    now: Timestamp,
    set: SetCursor,
    journal: Option<(Option<IntegrationId>, JournalEntry)>,
}

impl Op for MoveCursor {
    type Out = bool;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.set.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<bool> {
        let workspace = &self.set.workspace;
        if !is_held(db, workspace, &self.held, self.now).await? {
            return Ok(false);
        }
        self.set.run(db).await?;
        if let Some((integration, entry)) = &self.journal {
            let integration = integration.as_ref().map(IntegrationId::as_str);
            journal::write(db, &[Line { workspace, chain: None, integration, entry }]).await?;
        }
        Ok(true)
    }
}

impl Store {
    /// Takes a lease that nobody holds at this time, and yields its fence. Not even the holder gets it a second time
    /// while it lasts, so that two tasks of one process exclude each other as well.
    pub async fn acquire_lease(
        &self,
        workspace: &WorkspaceId,
        name: &str,
        holder: &WorkerId,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<i64>> {
        self.run(Acquire { workspace: workspace.clone(), name: name.to_owned(), holder: holder.clone(), now, until })
            .await
    }

    /// Who took a lease last and has not given it back, whether or not its time is over.
    pub async fn lease_holder(&self, workspace: &WorkspaceId, name: &str) -> Result<Option<Held>> {
        self.run(Holder { workspace: workspace.clone(), name: name.to_owned() }).await
    }

    /// Holds a lease for longer. `false`, and nothing is done, where it is somebody else's by now.
    pub async fn extend_lease(
        &self,
        workspace: &WorkspaceId,
        held: &Held,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool> {
        self.run(Extend { workspace: workspace.clone(), held: held.clone(), now, until }).await
    }

    /// Gives a lease back. `false` where it is somebody else's by now.
    pub async fn release_lease(
        &self,
        workspace: &WorkspaceId,
        name: &str,
        holder: &WorkerId,
        fence: i64,
    ) -> Result<bool> {
        self.run(Release { workspace: workspace.clone(), name: name.to_owned(), holder: holder.clone(), fence }).await
    }

    /// Where something stopped.
    pub async fn cursor(&self, workspace: &WorkspaceId, name: &str) -> Result<Option<String>> {
        self.run(Cursor { workspace: workspace.clone(), name: name.to_owned() }).await
    }

    /// Remembers where something stopped, together with the line that tells of it. `false`, and nothing is done, where
    /// the lease is somebody else's by now.
    pub async fn move_cursor(
        &self,
        workspace: &WorkspaceId,
        held: &Held,
        now: Timestamp,
        name: &str,
        value: &str,
        journal: Option<(Option<IntegrationId>, JournalEntry)>,
    ) -> Result<bool> {
        let set = SetCursor { workspace: workspace.clone(), name: name.to_owned(), value: value.to_owned() };
        self.run(MoveCursor { held: held.clone(), now, set, journal }).await
    }

    /// Remembers where something stopped.
    pub async fn set_cursor(&self, workspace: &WorkspaceId, name: &str, value: &str) -> Result<()> {
        self.run(SetCursor { workspace: workspace.clone(), name: name.to_owned(), value: value.to_owned() }).await
    }
}
