//! Where there is work, across all workspaces: what a scheduler asks before it claims. The indexes hold only what is
//! pending, and each question skips from one workspace or integration to the next, however long their queues are.

use jiff::Timestamp;
use syncline_core::ids::{IntegrationId, WorkspaceId};

use crate::{
    Store, WorkerId,
    db::{Db, Op, P, Scope, statements, time_of},
    error::Result,
};

/// Integrations with pending work that are looked at in one call.
const PAIRS_MAX: usize = 4096;

statements! {
    NEXT_PAIR = "select workspace, integration, due_at from chain where due_at is not null \
        and (workspace, integration) > (?1, ?2) order by workspace, integration, due_at limit 1";
    FIRST_NEW = "select 0 from inbox_new where after = 0 limit 1";
    NEXT_NEW = "select min(after) from inbox_new";
    RECLAIM_CHAINS = "update chain set due_at = 0 where owner is not null and due_at is not null and not exists \
        (select 1 from outbox where outbox.workspace = chain.workspace and outbox.id = chain.id and outbox.fence = chain.fence)";
    RECLAIM_LEASES = "update lease set until = 0";
    RELEASE = "update chain set owner = null, due_at = 0, unsettled = case when exists \
        (select 1 from outbox where outbox.workspace = chain.workspace and outbox.id = chain.id) then 1 else 0 end \
        where due_at is not null and owner = ?1 and not exists \
        (select 1 from outbox where outbox.workspace = chain.workspace and outbox.id = chain.id and outbox.fence = chain.fence)";
}

/// Per workspace and integration with pending work: the earliest time.
async fn pairs<D: Db>(db: &mut D) -> Result<Vec<(String, String, i64)>> {
    let (mut workspace, mut integration) = (String::new(), String::new());
    let mut found = Vec::new();
    while found.len() < PAIRS_MAX {
        let Some(mut row) = db.row(&NEXT_PAIR, &[P::Text(&workspace), P::Text(&integration)]).await? else { break };
        (workspace, integration) = (row.text(0)?, row.text(1)?);
        found.push((workspace.clone(), integration.clone(), row.int(2)?));
    }
    Ok(found)
}

struct NextDue {
    blocked: Vec<(WorkspaceId, IntegrationId)>,
}

impl Op for NextDue {
    type Out = Option<Timestamp>;
    const READS: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::All
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<Self::Out> {
        if db.row(&FIRST_NEW, &[]).await?.is_some() {
            return Ok(Some(Timestamp::UNIX_EPOCH));
        }
        let held_back = db.row(&NEXT_NEW, &[]).await?.map(|row| row.opt_int(0)).transpose()?.flatten();
        let rests = |workspace: &str, integration: &str| {
            self.blocked.iter().any(|(ws, blocked)| ws.as_str() == workspace && blocked.as_str() == integration)
        };
        let pairs = pairs(db).await?.into_iter();
        let chains =
            pairs.filter(|(workspace, integration, _)| !rests(workspace, integration)).map(|(.., at)| at).min();
        held_back.into_iter().chain(chains).min().map(time_of).transpose()
    }
}

struct ReclaimAll;

impl Op for ReclaimAll {
    type Out = u64;

    fn scope(&self) -> Scope<'_> {
        Scope::All
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<u64> {
        let chains = db.run(&RECLAIM_CHAINS, &[]).await?;
        db.run(&RECLAIM_LEASES, &[]).await?;
        Ok(chains)
    }
}

struct ReleaseWorker {
    worker: WorkerId,
}

impl Op for ReleaseWorker {
    type Out = u64;

    fn scope(&self) -> Scope<'_> {
        Scope::All
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<u64> {
        db.run(&RELEASE, &[P::Text(&self.worker.0)]).await
    }
}

impl Store {
    /// The earliest time at which there is something to claim, leaving out the blocked integrations: in the past where
    /// there is something now, the end of the first lease where all else is held. Nothing where everything rests.
    pub async fn next_due(&self, blocked: &[(WorkspaceId, IntegrationId)]) -> Result<Option<Timestamp>> {
        self.run(NextDue { blocked: blocked.to_vec() }).await
    }

    /// Ends all leases, for the start of a process that knows it is the only one. Says how many chains were given back.
    /// What has been sent may still arrive: it waits for the end of its lease, and comes back as unsettled.
    pub async fn reclaim_all(&self) -> Result<u64> {
        self.run(ReclaimAll).await
    }

    /// Gives back what a worker holds and has not written a plan for; the rest waits for the end of its lease.
    pub async fn release_worker(&self, worker: &WorkerId) -> Result<u64> {
        self.run(ReleaseWorker { worker: worker.clone() }).await
    }
}
