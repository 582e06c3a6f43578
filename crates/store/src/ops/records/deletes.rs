//! Deletions that wait, those that were planned lately, and what a person confirmed.

use jiff::Timestamp;
use syncline_core::{
    ids::{IntegrationId, WorkspaceId},
    merge::{DELETES_WITHIN, Side},
};

use super::{Flow, columns::side_column, take_turn};
use crate::{
    Held, PendingDeletes, Store,
    db::{Db, Op, P, Scope, statements},
    error::Result,
    ops::leases::is_held,
};

statements! {
    WAITING = "select count(*) from record_entry e \
        join record_link l on l.workspace = e.workspace and l.id = e.link \
        join record_entry p on p.workspace = l.workspace and p.id in (l.left_entry, l.right_entry) and p.id <> e.id \
        where e.workspace = ?1 and e.integration = ?2 and e.due_at <= ?3 and e.side = ?4 and l.pair = ?5 \
        and e.fate in (1, 4) and p.fate = 0";
    LATELY = "select deletes from record_tally where workspace = ?1 and integration = ?2 and deletes_since > ?3";
    COUNT = "update record_tally set deletes = case when deletes_since > ?4 then deletes + ?3 else ?3 end, \
        deletes_since = case when deletes_since > ?4 then deletes_since else ?5 end where workspace = ?1 and integration = ?2";
    COUNT_ANEW = "update record_tally set deletes = 0, deletes_since = null where workspace = ?1 and integration = ?2";
    CONFIRM = "update record_flow set confirmed_at = ?3 where workspace = ?1 and integration = ?2";
    CONFIRMED = "select confirmed_at from record_flow where workspace = ?1 and integration = ?2";
    CONFIRM_END = "update record_flow set confirmed_at = null where workspace = ?1 and integration = ?2 and confirmed_at = ?3";
    READ_WHOLE = "update record_pull set phase = 'sweep', changes_cursor = cursor, cursor = null, sweep = sweep + 1, \
        next_at = ?3 where workspace = ?1 and integration = ?2 and phase = 'changes'";
}

/// Counts deletions that are planned now. The day that they are counted for begins with the first of them.
pub(super) async fn count<D: Db>(db: &mut D, flow: &Flow, deletes: u32, now: Timestamp) -> Result<()> {
    if deletes > 0 {
        let [ws, integration] = flow.key();
        let before = P::time(counted_since(now));
        db.run(&COUNT, &[ws, integration, P::Int(deletes.into()), before, P::time(now)]).await?;
    }
    Ok(())
}

/// Days that began earlier are over.
fn counted_since(now: Timestamp) -> Timestamp {
    now.saturating_sub(DELETES_WITHIN).unwrap_or(Timestamp::MIN)
}

struct Pending {
    flow: Flow,
    pairs: Vec<(Side, String)>,
    now: Timestamp,
}

impl Op for Pending {
    type Out = PendingDeletes;
    const READS: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.flow.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<PendingDeletes> {
        let [ws, integration] = self.flow.key();
        let mut pending = PendingDeletes::default();
        for (side, pair) in &self.pairs {
            let params = [ws, integration, P::time(Timestamp::MAX), side_column(*side), P::Text(pair)];
            pending.waiting += db.row(&WAITING, &params).await?.map_or(Ok(0), |row| row.int(0))?.unsigned_abs();
        }
        if let Some(row) = db.row(&LATELY, &[ws, integration, P::time(counted_since(self.now))]).await? {
            pending.lately = row.int(0)?.unsigned_abs();
        }
        Ok(pending)
    }
}

struct Confirm {
    flow: Flow,
    held: Held,
    now: Timestamp,
}

impl Op for Confirm {
    type Out = Option<()>;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.flow.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<Self::Out> {
        if !is_held(db, &self.flow.workspace, &self.held, self.now).await? {
            return Ok(None);
        }
        take_turn(db, &self.flow).await?;
        let ([ws, integration], now) = (self.flow.key(), P::time(self.now));
        db.run(&CONFIRM, &[ws, integration, now]).await?;
        db.run(&COUNT_ANEW, &self.flow.key()).await?;
        db.run(&READ_WHOLE, &[ws, integration, now]).await?;
        Ok(Some(()))
    }
}

struct Confirmed {
    flow: Flow,
}

impl Op for Confirmed {
    type Out = Option<Timestamp>;
    const READS: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.flow.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<Self::Out> {
        db.row(&CONFIRMED, &self.flow.key()).await?.map_or(Ok(None), |row| row.opt_time(0))
    }
}

struct EndConfirmation {
    flow: Flow,
    confirmed: Timestamp,
}

impl Op for EndConfirmation {
    type Out = ();

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.flow.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<()> {
        let [ws, integration] = self.flow.key();
        db.run(&CONFIRM_END, &[ws, integration, P::time(self.confirmed)]).await?;
        Ok(())
    }
}

impl Store {
    /// Linked records of these sides and pairs that are gone and due while their counterparts are there, and how many
    /// deletions were planned within [`DELETES_WITHIN`].
    pub async fn pending_deletes(
        &self,
        workspace: &WorkspaceId,
        integration: &IntegrationId,
        pairs: Vec<(Side, String)>,
        now: Timestamp,
    ) -> Result<PendingDeletes> {
        self.run(Pending { flow: Flow::new(workspace, integration), pairs, now }).await
    }

    /// Keeps that a person said: whatever is missing was deleted on purpose. Every kind is due to be read as a whole, and
    /// deletions are counted anew. Nothing where the lease is somebody else's by now.
    pub async fn confirm_deletes(
        &self,
        workspace: &WorkspaceId,
        integration: &IntegrationId,
        held: &Held,
        now: Timestamp,
    ) -> Result<Option<()>> {
        self.run(Confirm { flow: Flow::new(workspace, integration), held: held.clone(), now }).await
    }

    /// When a person said so, where that still holds.
    pub async fn deletes_confirmed(
        &self,
        workspace: &WorkspaceId,
        integration: &IntegrationId,
    ) -> Result<Option<Timestamp>> {
        self.run(Confirmed { flow: Flow::new(workspace, integration) }).await
    }

    /// What was confirmed then is carried out. A later confirmation stays.
    pub async fn end_confirmation(
        &self,
        workspace: &WorkspaceId,
        integration: &IntegrationId,
        confirmed: Timestamp,
    ) -> Result<()> {
        self.run(EndConfirmation { flow: Flow::new(workspace, integration), confirmed }).await
    }
}
