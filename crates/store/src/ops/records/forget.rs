//! Forgetting an integration: everything of it but the journal. Nothing at the vendors is touched.

use syncline_core::ids::{IntegrationId, WorkspaceId};

use super::{Flow, waits};
use crate::{
    Store,
    db::{Db, Op, P, Scope, Sql, statements},
    error::Result,
};

/// Rows that go in one transaction: few enough that nobody waits for them.
const BATCH: i64 = 2_000;

statements! {
    FLOW_FORGET = "delete from record_flow where workspace = ?1 and integration = ?2";
    PULLS_FORGET = "delete from record_pull where workspace = ?1 and integration = ?2";
    QUOTA_FORGET = "delete from record_quota where workspace = ?1 and integration = ?2";
    TALLY_FORGET = "delete from record_tally where workspace = ?1 and integration = ?2";
    STEPS_NEXT = "select id from record_step where workspace = ?1 and integration = ?2 order by look_at, id limit ?3";
    STEP_FORGET = "delete from record_step where workspace = ?1 and integration = ?2 and id = ?3";
    HOLDS_NEXT = "select entry from record_hold where workspace = ?1 and integration = ?2 order by entry limit ?3";
    HOLD_FORGET = "delete from record_hold where workspace = ?1 and integration = ?2 and entry = ?3";
    WAITS_NEXT = "select distinct entry from record_wait where workspace = ?1 and integration = ?2 order by entry limit ?3";
    LINKS_NEXT = "select id from record_link where workspace = ?1 and integration = ?2 order by id limit ?3";
    LINK_FORGET = "delete from record_link where workspace = ?1 and integration = ?2 and id = ?3";
    ENTRIES_NEXT = "select id from record_entry where workspace = ?1 and integration = ?2 \
        order by side, kind, record limit ?3";
    ENTRY_FORGET = "delete from record_entry where workspace = ?1 and integration = ?2 and id = ?3";
}

/// The large tables: how their next rows are found and how each is dropped. Entries go last, so that whatever is left
/// after a crash still hangs together.
const LARGE: [(&Sql, &Sql); 5] = [
    (&STEPS_NEXT, &STEP_FORGET),
    (&HOLDS_NEXT, &HOLD_FORGET),
    (&WAITS_NEXT, waits::DROP),
    (&LINKS_NEXT, &LINK_FORGET),
    (&ENTRIES_NEXT, &ENTRY_FORGET),
];

/// Drops what says that there is an integration, so that nobody goes on with it.
struct ForgetFlow {
    flow: Flow,
}

impl Op for ForgetFlow {
    type Out = ();

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.flow.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<()> {
        for sql in [&FLOW_FORGET, &PULLS_FORGET, &QUOTA_FORGET] {
            db.run(sql, &self.flow.key()).await?;
        }
        crate::ops::calendars::watches::forget(db, &self.flow.key()).await?;
        super::asks::forget(db, &self.flow).await
    }
}

struct ForgetSome {
    flow: Flow,
    table: usize,
}

impl Op for ForgetSome {
    /// Whether there may be more.
    type Out = bool;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.flow.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<bool> {
        let [ws, integration] = self.flow.key();
        let (next, forget) = LARGE[self.table];
        let rows = db.rows(next, &[ws, integration, P::Int(BATCH)]).await?;
        let mut sets = Vec::with_capacity(rows.len());
        for row in &rows {
            sets.push([ws, integration, P::Int(row.int(0)?)]);
        }
        db.each(forget, &sets).await?;
        Ok(rows.len() as i64 == BATCH)
    }
}

struct ForgetTally {
    flow: Flow,
}

impl Op for ForgetTally {
    type Out = ();

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.flow.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<()> {
        db.run(&TALLY_FORGET, &self.flow.key()).await?;
        Ok(())
    }
}

impl Store {
    /// Forgets an integration with its records, links, steps, holds and quota; its lines in the journal stay. It goes in
    /// batches: after a crash in between the same call does the rest. Nobody may be at work on it.
    pub async fn forget_flow(&self, workspace: &WorkspaceId, integration: &IntegrationId) -> Result<()> {
        let flow = Flow::new(workspace, integration);
        self.run(ForgetFlow { flow: flow.clone() }).await?;
        for table in 0..LARGE.len() {
            while self.run(ForgetSome { flow: flow.clone(), table }).await? {}
        }
        self.run(ForgetTally { flow }).await
    }
}
