//! Upkeep: what is older than it may be kept goes, in batches small enough that nobody waits for them.

use jiff::{SignedDuration, Timestamp};
use syncline_core::ids::WorkspaceId;

use super::{alerts, calendars::mails, claim::lock_workspace, records::retention};
use crate::{
    Retention, Store,
    db::{Db, Op, P, Scope, statements},
    error::Result,
};

/// Rows looked at in one transaction.
const SWEEP_BATCH: i64 = 500;
/// Transactions of one call; what is left waits for the next call.
const BATCHES_MAX: usize = 400;
/// How long the mark of a waiting chain is of use: far longer than any chain is put off.
const WAIT_KEPT: SignedDuration = SignedDuration::from_hours(24);
/// How long a record in step is remembered after it was found gone: the vendors' bins keep records for 30 days or
/// less, and what comes back out of one must not count as new.
const GONE_KEPT: SignedDuration = SignedDuration::from_hours(24 * 30);
/// How long an alert that was told is kept: the quota's are told once a month, and never again.
const ALERT_KEPT: SignedDuration = SignedDuration::from_hours(24 * 62);
/// How long a mail to a guest that was settled is kept: far longer than anybody could come to send it again.
const MAIL_KEPT: SignedDuration = SignedDuration::from_hours(24 * 62);
/// How long the use of a month's quota is kept.
const QUOTA_KEPT: SignedDuration = SignedDuration::from_hours(24 * 400);

statements! {
    RAW_NEXT = "select id, received from inbox where workspace = ?1 and id > ?2 order by id limit ?3";
    RAW_DROP = "update inbox set body = null where workspace = ?1 and id = ?2 and body is not null returning id";
    INBOX_NEXT = "select i.id from inbox i where i.workspace = ?1 and i.id > ?2 and i.received < ?3 \
        and not exists (select 1 from inbox_new n where n.workspace = i.workspace and n.id = i.id) order by i.id limit ?4";
    INBOX_DROP = "delete from inbox where workspace = ?1 and id = ?2 returning id";
    JOURNAL_NEXT = "select id, at from journal where workspace = ?1 order by id limit ?2";
    JOURNAL_DROP = "delete from journal where workspace = ?1 and id = ?2 returning id";
    CHAINS_NEXT = "select id, updated_at, case when due_at is null and owner is null and parked = 0 then 1 else 0 end \
        from chain where workspace = ?1 and id > ?2 order by id limit ?3";
    NODES_OF = "select c.source, s.nodes from chain c join chain_state s on s.workspace = c.workspace and s.id = c.id \
        where c.workspace = ?1 and c.id = ?2";
    NODE_DROP = "delete from chain_node where workspace = ?1 and source = ?2 and node = ?3 and chain_id = ?4";
    STATE_DROP = "delete from chain_state where workspace = ?1 and id = ?2";
    LINKS_DROP = "delete from chain_links where workspace = ?1 and id = ?2";
    OUTBOX_DROP = "delete from outbox where workspace = ?1 and id = ?2";
    CHAIN_DROP = "delete from chain where workspace = ?1 and id = ?2";
    FLOWS_DROP = "delete from oauth_flow where workspace = ?1 and expires < ?2";
    WAITS_DROP = "delete from shared_wait where workspace = ?1 and since < ?2";
}

/// How far one kind of row has been swept: what went, and where to go on; nothing once the end is reached.
struct Swept {
    removed: u64,
    next: Option<i64>,
}

#[derive(Clone, Copy)]
enum Kind {
    Raw,
    Inbox,
    Journal,
    Chains,
    Gone,
}

struct Batch {
    kind: Kind,
    workspace: WorkspaceId,
    older_than: Timestamp,
    after: i64,
}

impl Op for Batch {
    type Out = Swept;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<Swept> {
        match self.kind {
            Kind::Raw => self.raw(db).await,
            Kind::Inbox => self.inbox(db).await,
            Kind::Journal => self.journal(db).await,
            Kind::Chains => self.chains(db).await,
            Kind::Gone => {
                let swept = retention::drop_gone(db, &self.workspace, self.older_than, self.after, SWEEP_BATCH).await?;
                Ok(Swept { removed: swept.0, next: swept.1 })
            }
        }
    }
}

impl Batch {
    fn ws(&self) -> P<'_> {
        P::Text(self.workspace.as_str())
    }

    fn is_old(&self, micros: i64) -> bool {
        micros < self.older_than.as_microsecond()
    }

    async fn raw<D: Db>(&self, db: &mut D) -> Result<Swept> {
        let rows = db.rows(&RAW_NEXT, &[self.ws(), P::Int(self.after), P::Int(SWEEP_BATCH)]).await?;
        let (mut ids, mut full) = (Vec::new(), rows.len() as i64 == SWEEP_BATCH);
        for row in rows {
            // Rows come in about the order of their arrival, so the first young one ends the search.
            if !self.is_old(row.int(1)?) {
                full = false;
                break;
            }
            ids.push(row.int(0)?);
        }
        self.drop_each(db, &RAW_DROP, &ids, full).await
    }

    async fn inbox<D: Db>(&self, db: &mut D) -> Result<Swept> {
        let params = [self.ws(), P::Int(self.after), P::time(self.older_than), P::Int(SWEEP_BATCH)];
        let mut ids = Vec::new();
        for row in db.rows(&INBOX_NEXT, &params).await? {
            ids.push(row.int(0)?);
        }
        let full = ids.len() as i64 == SWEEP_BATCH;
        self.drop_each(db, &INBOX_DROP, &ids, full).await
    }

    async fn journal<D: Db>(&self, db: &mut D) -> Result<Swept> {
        let rows = db.rows(&JOURNAL_NEXT, &[self.ws(), P::Int(SWEEP_BATCH)]).await?;
        let (mut ids, mut full) = (Vec::new(), rows.len() as i64 == SWEEP_BATCH);
        for row in rows {
            if !self.is_old(row.int(1)?) {
                full = false;
                break;
            }
            ids.push(row.int(0)?);
        }
        self.drop_each(db, &JOURNAL_DROP, &ids, full).await
    }

    async fn drop_each<D: Db>(
        &self,
        db: &mut D,
        sql: &'static crate::db::Sql,
        ids: &[i64],
        full: bool,
    ) -> Result<Swept> {
        let sets: Vec<_> = ids.iter().map(|id| [self.ws(), P::Int(*id)]).collect();
        let removed = db.each(sql, &sets).await?.into_iter().flatten().count() as u64;
        Ok(Swept { removed, next: ids.last().copied().filter(|_| full) })
    }

    async fn chains<D: Db>(&self, db: &mut D) -> Result<Swept> {
        // A message that folds at this moment must not find half a chain.
        lock_workspace(db, &self.workspace).await?;
        let rows = db.rows(&CHAINS_NEXT, &[self.ws(), P::Int(self.after), P::Int(SWEEP_BATCH)]).await?;
        let full = rows.len() as i64 == SWEEP_BATCH;
        let (mut last, mut removed) = (None, 0);
        for row in rows {
            let id = row.int(0)?;
            last = Some(id);
            if self.is_old(row.int(1)?) && row.int(2)? == 1 {
                self.drop_chain(db, id).await?;
                removed += 1;
            }
        }
        Ok(Swept { removed, next: last.filter(|_| full) })
    }

    async fn drop_chain<D: Db>(&self, db: &mut D, id: i64) -> Result<()> {
        let ids = [self.ws(), P::Int(id)];
        if let Some(mut row) = db.row(&NODES_OF, &ids).await? {
            let source = row.text(0)?;
            let nodes: Vec<String> = row.json(1)?;
            let sets: Vec<_> =
                nodes.iter().map(|node| [self.ws(), P::Text(&source), P::Text(node), P::Int(id)]).collect();
            db.each(&NODE_DROP, &sets).await?;
        }
        for sql in [&STATE_DROP, &LINKS_DROP, &OUTBOX_DROP, &CHAIN_DROP] {
            db.run(sql, &ids).await?;
        }
        Ok(())
    }
}

struct Leftovers {
    workspace: WorkspaceId,
    now: Timestamp,
}

impl Op for Leftovers {
    type Out = u64;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<u64> {
        let ws = P::Text(self.workspace.as_str());
        let flows = db.run(&FLOWS_DROP, &[ws, P::time(self.now)]).await?;
        let old = self.now.checked_sub(WAIT_KEPT).unwrap_or(self.now);
        let waits = db.run(&WAITS_DROP, &[ws, P::time(old)]).await?;
        let month = self.now.checked_sub(QUOTA_KEPT).unwrap_or(self.now).strftime("%Y-%m").to_string();
        let told = self.now.checked_sub(ALERT_KEPT).unwrap_or(self.now);
        let alerts = alerts::drop_old(db, &self.workspace, told).await?;
        let settled = self.now.checked_sub(MAIL_KEPT).unwrap_or(self.now);
        let mails = mails::drop_old(db, &self.workspace, settled).await?;
        Ok(flows + waits + alerts + mails + retention::drop_months(db, &self.workspace, &month).await?)
    }
}

impl Store {
    /// Removes what is older than it may be kept; says how many rows lost something. One call does a bounded amount.
    pub async fn sweep(&self, workspace: &WorkspaceId, now: Timestamp, kept: Retention) -> Result<u64> {
        let mut removed = self.run(Leftovers { workspace: workspace.clone(), now }).await?;
        let kinds = [
            (Kind::Raw, "sweep.raw", kept.raw),
            (Kind::Inbox, "sweep.inbox", kept.inbox),
            (Kind::Journal, "", kept.journal),
            (Kind::Chains, "sweep.chains", kept.chains),
            (Kind::Gone, "sweep.gone", GONE_KEPT),
        ];
        for (kind, cursor, kept_for) in kinds {
            let Ok(older_than) = now.checked_sub(kept_for) else { continue };
            let mut after = self.swept_until(workspace, cursor).await?;
            for _ in 0..BATCHES_MAX {
                let swept = self.run(Batch { kind, workspace: workspace.clone(), older_than, after }).await?;
                removed += swept.removed;
                let end = swept.next.is_none();
                after = swept.next.unwrap_or(if matches!(kind, Kind::Raw) { after } else { 0 });
                if !cursor.is_empty() {
                    self.set_cursor(workspace, cursor, &after.to_string()).await?;
                }
                if end {
                    break;
                }
            }
        }
        Ok(removed)
    }

    async fn swept_until(&self, workspace: &WorkspaceId, cursor: &str) -> Result<i64> {
        if cursor.is_empty() {
            return Ok(0);
        }
        Ok(self.cursor(workspace, cursor).await?.and_then(|value| value.parse().ok()).unwrap_or(0))
    }
}
