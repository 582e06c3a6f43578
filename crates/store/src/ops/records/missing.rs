//! The end of a whole reading: live records that it did not show are missing, unless they are too many to be believed.

use syncline_core::ids::{IntegrationId, RecordId, WorkspaceId};

use super::{
    Flow,
    columns::{fate_columns, side_column},
    take_turn, wake,
};
use crate::{
    FinishSweep, Store, StoredFate, SweepEnd,
    db::{Db, Op, P, Scope, statements},
    error::Result,
    ops::leases::is_held,
};

/// So many may always be missing.
const MISSING_FREE: u64 = 50;
/// And so many of a hundred, where that is more.
const MISSING_PERCENT: u64 = 5;
/// Entries marked in one transaction.
const BATCH: i64 = 2_000;

statements! {
    SEEN_COUNT = "select count(*), count(case when sweep < ?5 then 1 end) from record_entry \
        where workspace = ?1 and integration = ?2 and side = ?3 and kind = ?4 and fate = 0";
    UNSEEN = "select id, record from record_entry where workspace = ?1 and integration = ?2 and side = ?3 and kind = ?4 \
        and record > ?5 and fate = 0 and sweep < ?6 order by record limit ?7";
    UNSEEN_LINKED = "select e.id from record_entry e join record_pull r on r.workspace = e.workspace \
        and r.integration = e.integration and r.side = e.side and r.kind = e.kind \
        where e.workspace = ?1 and e.integration = ?2 and e.fate = 0 and e.link is not null and e.sweep < r.sweep \
        and r.phase = 'changes' limit ?3";
    MISSING = "update record_entry set fate = ?3, due_at = ?4, note = null, tries = 0, revision = revision + 1 \
        where workspace = ?1 and id = ?2 and fate = 0 and sweep < ?5 {written}";
}

/// How many live records there are, and how many of them the reading did not show.
struct Count {
    end: FinishSweep,
}

impl Op for Count {
    /// Nothing where the lease is lost.
    type Out = Option<(u64, u64)>;
    const READS: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.end.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<Self::Out> {
        let end = &self.end;
        if !is_held(db, &end.workspace, &end.held, end.now).await? {
            return Ok(None);
        }
        let flow = Flow::new(&end.workspace, &end.integration);
        let [ws, integration] = flow.key();
        let params = [ws, integration, side_column(end.side), P::Text(&end.kind), P::Int(end.sweep)];
        let Some(row) = db.row(&SEEN_COUNT, &params).await? else { return Ok(Some((0, 0))) };
        Ok(Some((row.int(0)?.unsigned_abs(), row.int(1)?.unsigned_abs())))
    }
}

/// Whether a person has to look first: at many of many, or at a side that looks empty.
fn too_many(missing: u64, total: u64) -> bool {
    missing > 0 && (missing == total || missing > MISSING_FREE.max(total * MISSING_PERCENT / 100))
}

/// A batch of those that were not seen. Looking for them may mean reading all, so it holds up no writer.
struct Unseen {
    end: FinishSweep,
    after: RecordId,
}

impl Op for Unseen {
    /// The entries, and where to go on.
    type Out = (Vec<i64>, Option<RecordId>);
    const READS: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.end.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<Self::Out> {
        let end = &self.end;
        let flow = Flow::new(&end.workspace, &end.integration);
        let [ws, integration] = flow.key();
        let (side, kind, after) = (side_column(end.side), P::Text(&end.kind), P::Text(self.after.as_str()));
        let params = [ws, integration, side, kind, after, P::Int(end.sweep), P::Int(BATCH)];
        let (mut unseen, mut last) = (Vec::new(), None);
        for mut row in db.rows(&UNSEEN, &params).await? {
            unseen.push(row.int(0)?);
            last = Some(RecordId::new(row.text(1)?));
        }
        let full = unseen.len() as i64 == BATCH;
        Ok((unseen, last.filter(|_| full)))
    }
}

/// Linked records that the last whole reading did not show and that were not marked.
struct UnseenLinked {
    flow: Flow,
    limit: usize,
}

impl Op for UnseenLinked {
    type Out = Vec<i64>;
    const READS: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.flow.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<Self::Out> {
        let [ws, integration] = self.flow.key();
        let limit = P::Int(i64::try_from(self.limit).unwrap_or(i64::MAX));
        db.rows(&UNSEEN_LINKED, &[ws, integration, limit]).await?.iter().map(|row| row.int(0)).collect()
    }
}

/// Marks those of a batch that are still unseen.
struct MarkMissing {
    end: FinishSweep,
    unseen: Vec<i64>,
}

impl Op for MarkMissing {
    /// How many were marked; nothing where the lease is lost.
    type Out = Option<u64>;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.end.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<Self::Out> {
        let end = &self.end;
        if !is_held(db, &end.workspace, &end.held, end.now).await? {
            return Ok(None);
        }
        let flow = Flow::new(&end.workspace, &end.integration);
        take_turn(db, &flow).await?;
        let [missing, _] = fate_columns(&StoredFate::Missing);
        let (ws, now, sweep) = (flow.ws(), P::time(end.now), P::Int(end.sweep));
        let sets: Vec<_> = self.unseen.iter().map(|id| [ws, P::Int(*id), missing, now, sweep]).collect();
        let marked = db.each(&MISSING, &sets).await?;
        for (id, _) in self.unseen.iter().zip(&marked).filter(|(_, marked)| marked.is_some()) {
            wake::twins(db, &flow, &[*id], end.now).await?;
        }
        Ok(Some(marked.into_iter().flatten().count() as u64))
    }
}

impl Store {
    /// Records with a counterpart, at most `limit`, that the last whole reading of their kind did not show, and that are
    /// not taken to be missing because they were too many ([`SweepEnd::TooMany`]).
    pub async fn unseen_rows(
        &self,
        workspace: &WorkspaceId,
        integration: &IntegrationId,
        limit: usize,
    ) -> Result<Vec<i64>> {
        self.run(UnseenLinked { flow: Flow::new(workspace, integration), limit }).await
    }

    /// Ends a whole reading: live records of the kind that it did not show are missing from now on, and due. Where they
    /// are more than fifty and more than one in twenty, or all there are, nothing is done unless a person has confirmed
    /// it. Nothing where the lease is somebody else's by now. Marking goes in batches; after a crash in between the same
    /// call does the rest.
    pub async fn finish_sweep(&self, end: FinishSweep) -> Result<Option<SweepEnd>> {
        let Some((total, missing)) = self.run(Count { end: end.clone() }).await? else { return Ok(None) };
        if !end.confirmed && too_many(missing, total) {
            return Ok(Some(SweepEnd::TooMany { missing, total }));
        }
        let (mut done, mut after) = (0, RecordId::new(""));
        loop {
            let (unseen, next) = self.run(Unseen { end: end.clone(), after }).await?;
            let Some(marked) = self.run(MarkMissing { end: end.clone(), unseen }).await? else { return Ok(None) };
            done += marked;
            match next {
                Some(next) => after = next,
                None => return Ok(Some(SweepEnd::Done { missing: done })),
            }
        }
    }
}
