//! Claiming: what is new is folded, then chains that are due are handed to one worker until its lease ends. One
//! transaction; in PostgreSQL the claims of one workspace take turns.

use jiff::{SignedDuration, Timestamp};
use syncline_core::{
    booking::chain::ChainState,
    ids::{ChainId, ConnectionId, IntegrationId, WorkspaceId},
    mutant::{self, Mutant},
    step::Plan,
};

use super::fold::{self, Fold};
use crate::{
    Claimed, Links, Store, WorkerId,
    db::{Db, Op, P, Row, Scope, from_json, statements, time_of},
    error::Result,
};

/// Integrations of one workspace that are looked at in one claim.
const INTEGRATIONS_MAX: usize = 512;
/// How long a lease lasts that is too short, for the mutant.
const MUTANT_LEASE: SignedDuration = SignedDuration::from_millis(20);
/// Chains handed out in one claim, whatever is asked for.
pub(crate) const CLAIM_MAX: usize = 1000;

statements! {
    WORKSPACE_LOCK = "select 0 from workspace where workspace = ?1 {lock}";
    NEXT_INTEGRATION = "select integration from chain where workspace = ?1 and due_at is not null and integration > ?2 \
        order by integration limit 1";
    CANDIDATES = "select id, due_at, case when owner is not null or unsettled = 1 then 1 else 0 end, fence, revision, \
        chain, source, attempts, coalesce(waiting_since, next_since, due_at) from chain \
        where workspace = ?1 and integration = ?2 and due_at <= ?3 order by due_at limit ?4";
    LEASE = "update chain set owner = ?3, due_at = ?4, fence = fence + 1, deferred = 0, \
        waiting_since = coalesce(waiting_since, next_since, due_at), next_since = null \
        where workspace = ?1 and id = ?2 and due_at <= ?5 and fence = ?6 and revision = ?7 and attempts = ?8 {written}";
    STATE_GET = "select state from chain_state where workspace = ?1 and id = ?2";
    LINKS_OF = "select links from chain_links where workspace = ?1 and id = ?2";
    OUTBOX_GET = "select plan from outbox where workspace = ?1 and id = ?2";
    UNREADABLE = "update chain set owner = null, due_at = null, parked = 1, updated_at = ?3, \
        parked_reason = 'what is stored about this booking cannot be read', \
        parked_fix = 'restore the database from a backup, or send the booking again' where workspace = ?1 and id = ?2";
}

struct Claim {
    workspace: WorkspaceId,
    worker: WorkerId,
    now: Timestamp,
    lease_until: Timestamp,
    limit: usize,
    blocked: Vec<IntegrationId>,
}

/// A chain that is due, as it was read.
struct Candidate {
    due_at: i64,
    id: i64,
    may_be_unsettled: bool,
    fence: i64,
    revision: i64,
    chain: ChainId,
    integration: IntegrationId,
    source: ConnectionId,
    attempts: i64,
    waiting_since: i64,
}

impl Candidate {
    fn of_row(integration: &str, mut row: Row) -> Result<Self> {
        Ok(Self {
            id: row.int(0)?,
            due_at: row.int(1)?,
            may_be_unsettled: row.int(2)? == 1,
            fence: row.int(3)?,
            revision: row.int(4)?,
            chain: ChainId::new(row.text(5)?),
            integration: IntegrationId::new(integration),
            source: ConnectionId::new(row.text(6)?),
            attempts: row.int(7)?,
            waiting_since: row.int(8)?,
        })
    }
}

/// A candidate that was leased: its place among the folded chains, and whether it began in this transaction.
type Leased = (Candidate, Option<usize>, bool);

/// Takes the lock that claims, sweeps and joins of one workspace share.
pub(super) async fn lock_workspace<D: Db>(db: &mut D, workspace: &WorkspaceId) -> Result<()> {
    db.row(&WORKSPACE_LOCK, &[P::Text(workspace.as_str())]).await?;
    Ok(())
}

impl Op for Claim {
    type Out = Vec<Claimed>;
    /// Folded again and claimed again, from an inbox that is lasting. Nobody hears of a claim before a plan or a
    /// settlement is written down, which lasts, and what was claimed with it.
    const FLEETING: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<Vec<Claimed>> {
        lock_workspace(db, &self.workspace).await?;
        let fold = fold::fold(db, &self.workspace, self.now).await?;
        let candidates = self.candidates(db).await?;
        // What changed since it was read, which only PostgreSQL lets happen, is left for the next claim.
        let sets: Vec<_> = candidates
            .iter()
            .map(|one| {
                let (owner, until) = (P::Text(&self.worker.0), P::time(self.lease_until));
                let read = [P::Int(one.fence), P::Int(one.revision), P::Int(one.attempts)];
                let [fence, revision, attempts] = read;
                let (ws, id) = (P::Text(self.workspace.as_str()), P::Int(one.id));
                [ws, id, owner, until, P::time(self.now), fence, revision, attempts]
            })
            .collect();
        let leased = db.each(&LEASE, &sets).await?;
        self.complete(db, fold, candidates, leased).await
    }
}

impl Claim {
    /// The chains that are due, oldest first, integration by integration, so that a blocked one costs nothing.
    async fn candidates<D: Db>(&self, db: &mut D) -> Result<Vec<Candidate>> {
        let ws = P::Text(self.workspace.as_str());
        let limit = self.limit.min(CLAIM_MAX);
        let mut found = Vec::new();
        let mut integration = String::new();
        for _ in 0..INTEGRATIONS_MAX {
            let Some(mut row) = db.row(&NEXT_INTEGRATION, &[ws, P::Text(&integration)]).await? else { break };
            integration = row.text(0)?;
            if self.blocked.iter().any(|blocked| blocked.as_str() == integration) {
                continue;
            }
            for row in
                db.rows(&CANDIDATES, &[ws, P::Text(&integration), P::time(self.now), P::Int(limit as i64)]).await?
            {
                found.push(Candidate::of_row(&integration, row)?);
            }
        }
        found.sort_by_key(|candidate| (candidate.due_at, candidate.id));
        found.truncate(limit);
        // Locked in the order of their ids, as everywhere.
        found.sort_by_key(|candidate| candidate.id);
        Ok(found)
    }

    /// Gives the leased chains their content; what was folded just now need not be read again.
    async fn complete<D: Db>(
        &self,
        db: &mut D,
        mut fold: Fold,
        candidates: Vec<Candidate>,
        leased: Vec<Option<Row>>,
    ) -> Result<Vec<Claimed>> {
        let ws = P::Text(self.workspace.as_str());
        let mut rows: Vec<Leased> = Vec::with_capacity(leased.len());
        for (candidate, leased) in candidates.into_iter().zip(leased) {
            if leased.is_none() {
                continue;
            }
            let folded = fold.by_id.get(&candidate.id).copied();
            let began = folded.is_some_and(|at| fold.chains[at].began && fold.chains[at].absorbed.is_empty());
            rows.push((candidate, folded, began));
        }
        let ids = |keep: &dyn Fn(&Leased) -> bool| -> Vec<[P<'_>; 2]> {
            rows.iter().filter(|row| keep(row)).map(|(candidate, ..)| [ws, P::Int(candidate.id)]).collect()
        };
        let mut states = db.each(&STATE_GET, &ids(&|(_, folded, _)| folded.is_none())).await?.into_iter();
        let mut links = db.each(&LINKS_OF, &ids(&|(_, _, began)| !began)).await?.into_iter();
        let mut plans = db.each(&OUTBOX_GET, &ids(&|(candidate, ..)| candidate.may_be_unsettled)).await?.into_iter();

        let mut claimed = Vec::with_capacity(rows.len());
        for (candidate, folded, began) in rows {
            let links = if began { None } else { links.next().flatten() };
            let plan = if candidate.may_be_unsettled { plans.next().flatten() } else { None };
            let state = match folded {
                Some(at) => Ok(std::mem::take(&mut fold.chains[at].state)),
                None => states
                    .next()
                    .flatten()
                    .map_or_else(|| Err(crate::Error::corrupt("a booking has no state")), |mut row| row.json(0)),
            };
            let (id, due_at) = (candidate.id, candidate.due_at);
            match self.claimed(candidate, state, links, plan) {
                Ok(chain) => claimed.push((due_at, chain)),
                // One chain that cannot be read must not hold up the others.
                Err(crate::Error::Corrupt(_)) => {
                    db.run(&UNREADABLE, &[ws, P::Int(id), P::time(self.now)]).await?;
                }
                Err(error) => return Err(error),
            }
        }
        claimed.sort_by_key(|(due_at, _)| *due_at);
        Ok(claimed.into_iter().map(|(_, chain)| chain).collect())
    }

    fn claimed(
        &self,
        candidate: Candidate,
        state: Result<ChainState>,
        links: Option<Row>,
        plan: Option<Row>,
    ) -> Result<Claimed> {
        Ok(Claimed {
            workspace: self.workspace.clone(),
            integration: candidate.integration,
            source: candidate.source,
            chain: candidate.chain,
            // The lease raised it.
            fence: candidate.fence + 1,
            revision: candidate.revision,
            state: state?,
            links: links.map(|mut row| row.json::<Links>(0)).transpose()?.unwrap_or_default(),
            attempts: u32::try_from(candidate.attempts).unwrap_or(u32::MAX),
            unsettled: plan
                .filter(|_| !mutant::on(Mutant::UnsettledIgnored))
                .map(|mut row| from_json::<Plan>(&row.blob(0)?))
                .transpose()?,
            waiting_since: time_of(candidate.waiting_since)?,
        })
    }
}

impl Store {
    /// Folds what is new in a workspace, then leases up to `limit` chains that are due to this worker, the longest due
    /// first, leaving out the blocked integrations.
    pub async fn claim(
        &self,
        workspace: &WorkspaceId,
        worker: &WorkerId,
        now: Timestamp,
        lease_until: Timestamp,
        limit: usize,
        blocked: &[IntegrationId],
    ) -> Result<Vec<Claimed>> {
        let (workspace, worker, blocked) = (workspace.clone(), worker.clone(), blocked.to_vec());
        let lease_until = if mutant::on(Mutant::LeaseTooShort) { now + MUTANT_LEASE } else { lease_until };
        self.run(Claim { workspace, worker, now, lease_until, limit, blocked }).await
    }
}
