//! Waking what rests because of a key: when a record gives its key up, or loses its counterpart, whoever waited for that
//! is decided about anew, and what was refused because the key was taken may be sent again.

use jiff::Timestamp;

use super::Flow;
use crate::{
    db::{Db, P, statements},
    error::Result,
};

statements! {
    FORGIVE = "update record_link set refused = null, revision = revision + 1 where workspace = ?1 and integration = ?2 \
        and refused is not null and id in (select e.link from record_entry e where e.workspace = ?1 and e.integration = ?2 \
        and e.side in (0, 1) and e.match_key = ?3 and e.link is not null)";
    WAKE = "update record_entry set due_at = ?4, revision = revision + 1 where workspace = ?1 and integration = ?2 \
        and side in (0, 1) and match_key = ?3 and due_at is null";
    WAKE_TWINS = "update record_entry set due_at = ?4, revision = revision + 1 where workspace = ?1 and integration = ?2 \
        and side in (0, 1) and match_key = ?3 and due_at is null and link is null and id <> ?5 and id <> ?6";
    KEY_OF = "select match_key from record_entry where workspace = ?1 and integration = ?2 and id = ?3";
}

/// Wakes whoever bears one of these keys, on either side.
pub(super) async fn bearers<D: Db>(db: &mut D, flow: &Flow, keys: &[String], now: Timestamp) -> Result<()> {
    if keys.is_empty() {
        return Ok(());
    }
    let [ws, integration] = flow.key();
    let sets: Vec<_> = keys.iter().map(|key| [ws, integration, P::Text(key)]).collect();
    db.each(&FORGIVE, &sets).await?;
    let now = P::time(now);
    let sets: Vec<_> = sets.into_iter().map(|[ws, integration, key]| [ws, integration, key, now]).collect();
    db.each(&WAKE, &sets).await?;
    Ok(())
}

/// Wakes whoever has no counterpart and bears the key of one of these records, of which there are two at most and which
/// are left as they are.
pub(super) async fn twins<D: Db>(db: &mut D, flow: &Flow, records: &[i64], now: Timestamp) -> Result<()> {
    let [ws, integration] = flow.key();
    let sets: Vec<_> = records.iter().map(|id| [ws, integration, P::Int(*id)]).collect();
    let mut keys = Vec::new();
    for row in db.each(&KEY_OF, &sets).await? {
        keys.extend(row.map(|mut row| row.opt_text(0)).transpose()?.flatten());
    }
    let (now, first, last) = (P::time(now), records.first().copied(), records.last().copied());
    let (first, last) = (P::Int(first.unwrap_or(0)), P::Int(last.unwrap_or(0)));
    let sets: Vec<_> = keys.iter().map(|key| [ws, integration, P::Text(key), now, first, last]).collect();
    db.each(&WAKE_TWINS, &sets).await?;
    Ok(())
}
