//! Records that name others: whose counterparts each of them waits for, and waking those for whom one has come that they do
//! not know.

use std::collections::BTreeSet;

use jiff::Timestamp;
use syncline_core::ids::RecordId;

use super::{Flow, columns::side_column};
use crate::{
    Wait,
    db::{Db, P, Sql, statements},
    error::Result,
};

statements! {
    WAITS_DROP = "delete from record_wait where workspace = ?1 and integration = ?2 and entry = ?3";
    WAIT_ADD = "insert into record_wait (workspace, integration, entry, pair, side, kind, record, counterpart, coming) \
        values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) \
        on conflict (workspace, integration, entry, pair, side, kind, record) do nothing";
    ANYONE_WAITS = "select 0 from record_wait where workspace = ?1 and integration = ?2 limit 1";
    WAITERS = "select w.entry from record_entry n join record_wait w on w.workspace = n.workspace \
        and w.integration = n.integration and w.side = n.side and w.kind = n.kind and w.record = n.record \
        left join record_link l on l.workspace = n.workspace and l.id = n.link \
        left join record_entry o on o.workspace = l.workspace \
        and o.id = case n.side when 0 then l.right_entry else l.left_entry end \
        where n.workspace = ?1 and n.integration = ?2 and n.id = ?3 \
        and ((l.pair = w.pair and o.record is not null and (w.counterpart is null or w.counterpart <> o.record)) \
        or (w.coming = 1 and n.link is null and n.due_at is null))";
    WAITS_NO_MORE = "select w.entry from record_wait w join record_entry n on n.workspace = w.workspace \
        and n.integration = w.integration and n.side = w.side and n.kind = w.kind and n.record = w.record \
        left join record_link l on l.workspace = n.workspace and l.id = n.link \
        left join record_entry o on o.workspace = l.workspace \
        and o.id = case n.side when 0 then l.right_entry else l.left_entry end \
        where w.workspace = ?1 and w.integration = ?2 and w.entry = ?3 \
        and ((l.pair = w.pair and o.record is not null and (w.counterpart is null or w.counterpart <> o.record)) \
        or (w.coming = 1 and n.link is null and n.due_at is null)) limit 1";
    WAITER_WAKE = "update record_entry set due_at = ?4, revision = revision + 1 where workspace = ?1 and integration = ?2 \
        and id = ?3 and due_at is null {written}";
}

/// Drops all for whom an entry waits.
pub(super) static DROP: &Sql = &WAITS_DROP;

/// These entries wait for nobody any more; each is given with its workspace and integration.
pub(in crate::ops) async fn drop_of<D: Db>(db: &mut D, entries: &[[P<'_>; 3]]) -> Result<()> {
    db.each(DROP, entries).await?;
    Ok(())
}

/// These entries wait for exactly these.
pub(super) async fn replace<D: Db>(db: &mut D, flow: &Flow, waits: &[(i64, Vec<Wait>)]) -> Result<()> {
    let [ws, integration] = flow.key();
    let entries: Vec<_> = waits.iter().map(|(entry, _)| [ws, integration, P::Int(*entry)]).collect();
    drop_of(db, &entries).await?;
    let rows = waits.iter().flat_map(|(entry, waits)| waits.iter().map(move |wait| (*entry, wait)));
    let sets: Vec<_> = rows
        .map(|(entry, Wait { pair, side, kind, record, counterpart, coming })| {
            let (side, kind, record) = (side_column(*side), P::Text(kind), P::Text(record.as_str()));
            let counterpart = P::opt_text(counterpart.as_ref().map(RecordId::as_str));
            let coming = P::Int(i64::from(*coming));
            [ws, integration, P::Int(entry), P::Text(pair), side, kind, record, counterpart, coming]
        })
        .collect();
    db.each(&WAIT_ADD, &sets).await?;
    Ok(())
}

/// Makes due whoever waits for the counterpart of one of these entries, which were changed, if that one is there by now, is
/// another than it was, or will never be; and whoever was just told to wait for one of which that is true already, because
/// others were written down since it was decided about. Says whether there was anybody. Where no records name others nobody
/// waits, which one look tells.
pub(super) async fn wake<D: Db>(
    db: &mut D,
    flow: &Flow,
    changed: &BTreeSet<i64>,
    waits: &[(i64, Vec<Wait>)],
    now: Timestamp,
) -> Result<bool> {
    let [ws, integration] = flow.key();
    if db.row(&ANYONE_WAITS, &[ws, integration]).await?.is_none() {
        return Ok(false);
    }
    let set = |id: &i64| [ws, integration, P::Int(*id)];
    let mut due = BTreeSet::new();
    let changed: Vec<_> = changed.iter().map(set).collect();
    let first = db.each(&WAITERS, &changed).await?;
    for (set, _) in changed.iter().zip(first).filter(|(_, first)| first.is_some()) {
        for row in db.rows(&WAITERS, set).await? {
            due.insert(row.int(0)?);
        }
    }
    let waiting: Vec<_> = waits.iter().filter(|(_, waits)| !waits.is_empty()).map(|(id, _)| set(id)).collect();
    for row in db.each(&WAITS_NO_MORE, &waiting).await?.into_iter().flatten() {
        due.insert(row.int(0)?);
    }
    let wakes: Vec<_> = due.iter().map(|id| [ws, integration, P::Int(*id), P::time(now)]).collect();
    Ok(db.each(&WAITER_WAKE, &wakes).await?.iter().any(Option::is_some))
}
