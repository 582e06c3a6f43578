//! Which records may be forgotten: those that are gone from their vendor and at rest, and whose link holds nobody else.
//! A link with a living record stays, because it is what keeps that record from being made anew on the other side.

use std::collections::BTreeMap;

use jiff::Timestamp;
use syncline_core::ids::{IntegrationId, WorkspaceId};

use super::{Flow, Tally, columns::side_of, take_turn, waits};
use crate::{
    db::{Db, P, statements},
    error::Result,
};

statements! {
    GONE_NEXT = "select e.id, e.integration, e.side, e.link, case when e.due_at is null and e.gone_at < ?3 \
        and not exists (select 1 from record_step s where s.workspace = e.workspace and s.link = e.link) \
        and not exists (select 1 from record_link l join record_entry p on p.workspace = l.workspace \
        and p.id in (l.left_entry, l.right_entry) \
        where l.workspace = e.workspace and l.id = e.link and p.id <> e.id and p.gone_at is null) then 1 else 0 end \
        from record_entry e where e.workspace = ?1 and e.gone_at is not null and e.id > ?2 order by e.id limit ?4";
    GONE_HOLDS = "delete from record_hold where workspace = ?1 and integration = ?2 and entry = ?3";
    GONE_LINK = "delete from record_link where workspace = ?1 and integration = ?2 and id = ?3 {written}";
    GONE_DROP = "delete from record_entry where workspace = ?1 and integration = ?2 and id = ?3 and due_at is null \
        and gone_at < ?4 {written}";
    MONTHS_DROP = "delete from record_quota where workspace = ?1 and month < ?2";
}

/// An entry that may go.
struct Gone {
    id: i64,
    side: i64,
    link: Option<i64>,
}

/// Drops some of the records that have been gone since before `older_than`: how many went, and the last one looked at,
/// where there may be more.
pub(in crate::ops) async fn drop_gone<D: Db>(
    db: &mut D,
    workspace: &WorkspaceId,
    older_than: Timestamp,
    after: i64,
    limit: i64,
) -> Result<(u64, Option<i64>)> {
    let ws = P::Text(workspace.as_str());
    let rows = db.rows(&GONE_NEXT, &[ws, P::Int(after), P::time(older_than), P::Int(limit)]).await?;
    let full = rows.len() as i64 == limit;
    let mut last = None;
    // In the order of the integrations, whose turns are taken one after another.
    let mut gone: BTreeMap<String, Vec<Gone>> = BTreeMap::new();
    for mut row in rows {
        let id = row.int(0)?;
        last = Some(id);
        if row.int(4)? == 1 {
            gone.entry(row.text(1)?).or_default().push(Gone { id, side: row.int(2)?, link: row.opt_int(3)? });
        }
    }
    let mut removed = 0;
    for (integration, gone) in gone {
        removed += drop_of(db, &Flow::new(workspace, &IntegrationId::new(integration)), older_than, &gone).await?;
    }
    Ok((removed, last.filter(|_| full)))
}

async fn drop_of<D: Db>(db: &mut D, flow: &Flow, older_than: Timestamp, gone: &[Gone]) -> Result<u64> {
    take_turn(db, flow).await?;
    let [ws, integration] = flow.key();
    let sets: Vec<_> = gone.iter().map(|one| [ws, integration, P::Int(one.id), P::time(older_than)]).collect();
    let dropped = db.each(&GONE_DROP, &sets).await?;
    let (mut tally, mut holds, mut links) = (Tally::default(), Vec::new(), Vec::new());
    for (one, dropped) in gone.iter().zip(dropped) {
        if dropped.is_none() {
            continue;
        }
        tally.add_entries(side_of(one.side)?, -1);
        holds.push([ws, integration, P::Int(one.id)]);
        links.extend(one.link.map(|link| [ws, integration, P::Int(link)]));
    }
    db.each(&GONE_HOLDS, &holds).await?;
    waits::drop_of(db, &holds).await?;
    tally.links -= db.each(&GONE_LINK, &links).await?.into_iter().flatten().count() as i64;
    tally.keep(db, flow).await?;
    Ok(holds.len() as u64)
}

/// Drops the quota's use of months before this one.
pub(in crate::ops) async fn drop_months<D: Db>(db: &mut D, workspace: &WorkspaceId, month: &str) -> Result<u64> {
    db.run(&MONTHS_DROP, &[P::Text(workspace.as_str()), P::Text(month)]).await
}
