//! Records that name others which have no counterpart yet: whose counterparts each of them waits for, and waking those for
//! whom one has come.

use jiff::Timestamp;
use syncline_core::ids::{IntegrationId, WorkspaceId};

use super::{Flow, columns::side_column, take_turn};
use crate::{
    Store, Wait,
    db::{Db, Op, P, Scope, statements},
    error::Result,
};

statements! {
    WAITS_DROP = "delete from record_wait where workspace = ?1 and integration = ?2 and entry = ?3";
    WAIT_ADD = "insert into record_wait (workspace, integration, entry, pair, side, kind, record, coming) \
        values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) \
        on conflict (workspace, integration, entry, pair, side, kind, record) do nothing";
    WAITERS_WAKE = "update record_entry set due_at = ?3, revision = revision + 1 where workspace = ?1 and integration = ?2 \
        and due_at is null and id in (select w.entry from record_wait w join record_entry n on n.workspace = w.workspace \
        and n.integration = w.integration and n.side = w.side and n.kind = w.kind and n.record = w.record \
        left join record_link l on l.workspace = n.workspace and l.id = n.link \
        where w.workspace = ?1 and w.integration = ?2 \
        and ((l.pair = w.pair and l.left_entry is not null and l.right_entry is not null) \
        or (w.coming = 1 and n.link is null and n.due_at is null)))";
}

/// These entries wait for exactly these.
pub(super) async fn replace<D: Db>(db: &mut D, flow: &Flow, waits: &[(i64, Vec<Wait>)]) -> Result<()> {
    let [ws, integration] = flow.key();
    let entries: Vec<_> = waits.iter().map(|(entry, _)| [ws, integration, P::Int(*entry)]).collect();
    db.each(&WAITS_DROP, &entries).await?;
    let rows = waits.iter().flat_map(|(entry, waits)| waits.iter().map(move |wait| (*entry, wait)));
    let sets: Vec<_> = rows
        .map(|(entry, Wait { pair, side, kind, record, coming })| {
            let record = P::Text(record.as_str());
            let coming = P::Int(i64::from(*coming));
            [ws, integration, P::Int(entry), P::Text(pair), side_column(*side), P::Text(kind), record, coming]
        })
        .collect();
    db.each(&WAIT_ADD, &sets).await?;
    Ok(())
}

struct Wake {
    flow: Flow,
    now: Timestamp,
}

impl Op for Wake {
    type Out = u64;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.flow.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<u64> {
        take_turn(db, &self.flow).await?;
        let [ws, integration] = self.flow.key();
        db.run(&WAITERS_WAKE, &[ws, integration, P::time(self.now)]).await
    }
}

impl Store {
    /// Makes due whoever waits for the counterpart of a record that has one by now, or will have none; says how many.
    pub async fn wake_waiting(
        &self,
        workspace: &WorkspaceId,
        integration: &IntegrationId,
        now: Timestamp,
    ) -> Result<u64> {
        self.run(Wake { flow: Flow::new(workspace, integration), now }).await
    }
}
