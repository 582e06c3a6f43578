//! Settling: how a claimed chain ends. Guarded by the fence, so that a worker which wakes up late changes nothing.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::json;
use syncline_core::{
    calendar::identity::Uid,
    ids::{ChainId, ConnectionId, SharedKey, WorkspaceId},
    mutant::{self, Mutant},
};

use super::{
    alerts, calendars,
    journal::{self, Line},
    shared::{self, Key},
};
use crate::{
    JournalEntry, JournalKind, Links, Outcome, Settlement, Store, Summary,
    db::{Db, Op, P, Scope, statements, to_json},
    error::Result,
};

statements! {
    SETTLE = "update chain set owner = null, deferred = 0, updated_at = ?5, \
        due_at = case when ?6 = 1 and revision > ?4 then cast(?18 as bigint) else cast(?7 as bigint) end, \
        rest_until = ?17, \
        attempts = attempts * ?8 + ?9, \
        parked = case when revision > ?4 then 0 else ?10 end, \
        parked_reason = case when revision > ?4 then null else ?11 end, \
        parked_fix = case when revision > ?4 then null else ?12 end, \
        unsettled = ?13, \
        waiting_since = case when ?14 = 1 then next_since else coalesce(waiting_since, next_since) end, next_since = null, \
        summary = coalesce(?15, summary), search = coalesce(?16, search) \
        where workspace = ?1 and id = ?2 and fence = ?3";
    HELD = "select id, integration, \
        (select connection from outbox where outbox.workspace = chain.workspace and outbox.id = chain.id), \
        (select creates from outbox where outbox.workspace = chain.workspace and outbox.id = chain.id) \
        from chain where workspace = ?1 and chain = ?2 and fence = ?3 and owner is not null {lock}";
    LINKS_SET = "insert into chain_links (workspace, id, links) values (?1, ?2, ?3) on conflict {pk} do update set links = excluded.links";
    OUTBOX_DONE = "delete from outbox where workspace = ?1 and id = ?2";
    REPLAY = "update chain set parked = 0, parked_reason = null, parked_fix = null, attempts = 0, deferred = 0, \
        due_at = case when rest_until > ?3 then rest_until else ?3 end, \
        revision = revision + 1, waiting_since = coalesce(waiting_since, ?3), updated_at = ?3 \
        where workspace = ?1 and chain = ?2 and owner is null returning integration";
}

struct Settle {
    settlements: Vec<Settlement>,
    now: Timestamp,
}

/// A settlement whose fence held.
struct Settled<'a> {
    settlement: &'a Settlement,
    id: i64,
    integration: String,
    /// What its plan, where it has one, said it would create, and where.
    plan: Option<(ConnectionId, Vec<SharedKey>)>,
}

/// A settlement as columns.
struct Columns {
    /// Whether a greater revision makes the chain due now.
    renews: bool,
    due_at: Option<Timestamp>,
    attempts: (i64, i64),
    parked: bool,
    unsettled: bool,
    done: bool,
}

fn columns(outcome: &Outcome) -> Columns {
    match outcome {
        Outcome::Done { look_again, .. } => {
            Columns { renews: true, due_at: *look_again, attempts: (0, 0), parked: false, unsettled: false, done: true }
        }
        Outcome::Retry { at, unsettled, failed, .. } => {
            let attempts = (1, i64::from(*failed));
            Columns { renews: false, due_at: Some(*at), attempts, parked: false, unsettled: *unsettled, done: false }
        }
        Outcome::Parked { unsettled, .. } => {
            Columns { renews: true, due_at: None, attempts: (1, 0), parked: true, unsettled: *unsettled, done: false }
        }
    }
}

fn links(outcome: &Outcome) -> &Links {
    match outcome {
        Outcome::Done { links, .. } | Outcome::Retry { links, .. } | Outcome::Parked { links, .. } => links,
    }
}

/// What a search for bookings looks through.
fn search_text(summary: &Summary) -> String {
    format!("{} {}", summary.title, summary.person).to_lowercase()
}

impl Op for Settle {
    type Out = Vec<bool>;

    fn scope(&self) -> Scope<'_> {
        Scope::of(self.settlements.iter().map(|settlement| &settlement.workspace))
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<Vec<bool>> {
        let mut order: Vec<usize> = (0..self.settlements.len()).collect();
        order.sort_by(|a, b| self.settlements[*a].chain.cmp(&self.settlements[*b].chain));
        let sets: Vec<_> = order
            .iter()
            .map(|at| &self.settlements[*at])
            .map(|one| [P::Text(one.workspace.as_str()), P::Text(one.chain.as_str()), P::Int(one.fence)])
            .collect();
        let rows = db.each(&HELD, &sets).await?;
        let mut held = vec![false; self.settlements.len()];
        let mut settled: Vec<Settled<'_>> = Vec::with_capacity(rows.len());
        for (at, row) in order.into_iter().zip(rows) {
            let Some(mut row) = row else { continue };
            let plan = match row.opt_text(2)? {
                Some(connection) => Some((ConnectionId::new(connection), row.json(3)?)),
                None => None,
            };
            let (id, integration) = (row.int(0)?, row.text(1)?);
            let one = Settled { settlement: &self.settlements[at], id, integration, plan };
            // The same settlement twice in one call: the second finds its lease over.
            if settled.last().is_some_and(|last| last.id == one.id) {
                continue;
            }
            held[at] = true;
            settled.push(one);
        }
        self.end_leases(db, &settled).await?;
        write_links(db, &settled).await?;
        self.resolve_shared(db, &settled).await?;
        let lines: Vec<Line<'_>> = settled
            .iter()
            .flat_map(|settled| {
                let Settlement { workspace, chain, journal, .. } = settled.settlement;
                let integration = Some(settled.integration.as_str());
                journal.iter().map(move |entry| Line { workspace, chain: Some(chain), integration, entry })
            })
            .collect();
        journal::write(db, &lines).await?;
        let parked = settled.iter().filter(|one| matches!(one.settlement.outcome, Outcome::Parked { .. }));
        let parked: BTreeSet<_> = parked.map(|one| (&one.settlement.workspace, one.integration.as_str())).collect();
        for (workspace, integration) in parked {
            alerts::add(db, workspace, &[alerts::parked(integration, self.now)]).await?;
        }
        Ok(held)
    }
}

impl Settle {
    async fn end_leases<D: Db>(&self, db: &mut D, settled: &[Settled<'_>]) -> Result<()> {
        let mut summaries = Vec::with_capacity(settled.len());
        for one in settled {
            let summary = one.settlement.summary.as_ref();
            summaries.push(
                summary.map(|summary| Ok::<_, crate::Error>((to_json(summary)?, search_text(summary)))).transpose()?,
            );
        }
        let sets: Vec<_> = settled
            .iter()
            .zip(&summaries)
            .map(|(one, summary)| {
                let settlement = one.settlement;
                let columns = columns(&settlement.outcome);
                let (reason, fix) = match &settlement.outcome {
                    Outcome::Parked { reason, fix, .. } => (P::Text(reason), P::Text(fix)),
                    Outcome::Done { .. } | Outcome::Retry { .. } => (P::Null, P::Null),
                };
                [
                    P::Text(settlement.workspace.as_str()),
                    P::Int(one.id),
                    P::Int(settlement.fence),
                    P::Int(settlement.revision),
                    P::time(self.now),
                    P::Int(columns.renews.into()),
                    P::opt_time(columns.due_at),
                    P::Int(columns.attempts.0),
                    P::Int(columns.attempts.1),
                    P::Int(columns.parked.into()),
                    reason,
                    fix,
                    P::Int(columns.unsettled.into()),
                    P::Int(columns.done.into()),
                    P::opt_blob(summary.as_ref().map(|(json, _)| json.as_slice())),
                    P::opt_text(summary.as_ref().map(|(_, search)| search.as_str())),
                    P::opt_time(settlement.rest_until),
                    P::time(settlement.rest_until.map_or(self.now, |until| until.max(self.now))),
                ]
            })
            .collect();
        db.each(&SETTLE, &sets).await?;
        Ok(())
    }

    /// Resolves what the chains said they would create, and wakes those that wait for it.
    async fn resolve_shared<D: Db>(&self, db: &mut D, settled: &[Settled<'_>]) -> Result<()> {
        let resolved: Vec<&Settled<'_>> =
            settled.iter().filter(|one| !columns(&one.settlement.outcome).unsettled).collect();
        let planned = || resolved.iter().filter_map(|one| one.plan.as_ref().map(|plan| (*one, plan)));
        let sets: Vec<_> =
            planned().map(|(one, _)| [P::Text(one.settlement.workspace.as_str()), P::Int(one.id)]).collect();
        db.each(&OUTBOX_DONE, &sets).await?;
        let mut released: Vec<(Key<'_>, i64)> = planned()
            .flat_map(|(one, (connection, creates))| {
                creates.iter().map(move |key| ((&one.settlement.workspace, connection, key), one.id))
            })
            .collect();
        let mut known: Vec<_> = settled
            .iter()
            .map(|one| one.settlement)
            .flat_map(|settlement| {
                settlement.shared.iter().map(move |link| (&settlement.workspace, &settlement.connection, link))
            })
            .collect();
        known.sort_by(|a, b| a.2.key.cmp(&b.2.key));
        let mut forgotten: Vec<Key<'_>> = settled
            .iter()
            .map(|one| one.settlement)
            .flat_map(|settlement| {
                settlement.forget.iter().map(move |key| (&settlement.workspace, &settlement.connection, key))
            })
            .collect();
        forgotten.sort();
        shared::forget(db, &forgotten).await?;
        // A booking tells its meeting's names each time it is written, and is news once.
        let told: Vec<_> = known.iter().copied().filter(|(.., link)| Uid::told_in(&link.key).is_some()).collect();
        let news = shared::news(db, &told).await?;
        let told: Vec<(&WorkspaceId, &str)> =
            news.iter().filter_map(|(workspace, _, link)| Some((*workspace, Uid::told_in(&link.key)?))).collect();
        shared::put(db, &known).await?;
        calendars::booked(db, &told, self.now).await?;
        let known: BTreeSet<Key<'_>> =
            known.into_iter().map(|(workspace, connection, link)| (workspace, connection, &link.key)).collect();
        released.sort();
        released.retain(|(key, _)| !known.contains(key));
        shared::release(db, &released).await?;
        let touched: BTreeSet<Key<'_>> = known.into_iter().chain(released.into_iter().map(|(key, _)| key)).collect();
        let touched: Vec<Key<'_>> = touched.into_iter().collect();
        shared::wake(db, &touched, self.now.as_microsecond()).await
    }
}

async fn write_links<D: Db>(db: &mut D, settled: &[Settled<'_>]) -> Result<()> {
    let mut blobs = Vec::with_capacity(settled.len());
    for one in settled {
        blobs.push(to_json(links(&one.settlement.outcome))?);
    }
    let sets: Vec<_> = settled
        .iter()
        .zip(&blobs)
        .map(|(one, links)| [P::Text(one.settlement.workspace.as_str()), P::Int(one.id), P::Blob(links)])
        .collect();
    db.each(&LINKS_SET, &sets).await?;
    Ok(())
}

struct Replay {
    workspace: WorkspaceId,
    chain: ChainId,
    now: Timestamp,
}

impl Op for Replay {
    type Out = bool;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<bool> {
        let params = [P::Text(self.workspace.as_str()), P::Text(self.chain.as_str()), P::time(self.now)];
        let Some(mut row) = db.row(&REPLAY, &params).await? else { return Ok(false) };
        let integration = row.text(0)?;
        let entry = JournalEntry {
            at: self.now,
            kind: JournalKind::Operator,
            text: "A person asked for the booking to be done again".to_owned(),
            details: json!({}),
        };
        let line = Line {
            workspace: &self.workspace,
            chain: Some(&self.chain),
            integration: Some(&integration),
            entry: &entry,
        };
        journal::write(db, &[line]).await?;
        Ok(true)
    }
}

impl Store {
    /// Ends what was claimed, all in one transaction. `false` where the fence was lost: nothing was written for that one.
    pub async fn settle(&self, mut settlements: Vec<Settlement>, now: Timestamp) -> Result<Vec<bool>> {
        if mutant::on(Mutant::JournalLost) {
            settlements.iter_mut().for_each(|settlement| settlement.journal.clear());
        }
        self.run(Settle { settlements, now }).await
    }

    /// Makes a chain due, now or when its rest is over, with no attempts counted, parked or not. `false` where there is none or a worker holds it.
    pub async fn replay(&self, workspace: &WorkspaceId, chain: &ChainId, now: Timestamp) -> Result<bool> {
        self.run(Replay { workspace: workspace.clone(), chain: chain.clone(), now }).await
    }
}
