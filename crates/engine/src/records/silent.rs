//! Fields whose change moves no time of their record: those that the vendor works out, and those of a parent. A whole
//! reading tells them, by comparing what is read with what is known.

use std::collections::{BTreeMap, BTreeSet};

use syncline_core::{
    ids::RecordId,
    merge::{Row, RuleKey, Side, shown},
};
use syncline_store::{SeenRow, Work};

use super::{Halt, Turn};
use crate::engine::Engine;

impl Engine {
    /// Rows of a whole reading: one whose silent fields are not as they were counts as news, whatever time it bears.
    pub(crate) async fn with_silent_changes(
        &self,
        turn: &Turn<'_>,
        side: Side,
        kind: &str,
        silent: &BTreeSet<RuleKey>,
        mut rows: Vec<SeenRow>,
    ) -> Result<Vec<SeenRow>, Halt> {
        let (flow, store) = (turn.flow, &self.world.store);
        let records: Vec<RecordId> = rows.iter().map(|row| row.record.clone()).collect();
        let known = store.rows_by_record(&flow.workspace, &flow.id, side, kind, &records).await?;
        let ids: Vec<i64> = known.iter().map(|entry| entry.id).collect();
        let works = store.rows_by_id(&flow.workspace, &flow.id, &ids).await?;
        let works: BTreeMap<&RecordId, &Work> = works.iter().map(|work| (&work.entry.record, work)).collect();
        for row in &mut rows {
            if works.get(&row.record).is_some_and(|work| differs(work, side, silent, &row.row)) {
                row.changed_at = None;
            }
        }
        Ok(rows)
    }
}

/// Whether any of these fields is not what is known of it.
fn differs(work: &Work, side: Side, silent: &BTreeSet<RuleKey>, now: &Row) -> bool {
    let before = match &work.link {
        Some(link) => shown(work.entry.seen.as_ref(), &link.images, side).into_owned(),
        None => work.entry.seen.clone().unwrap_or_default(),
    };
    silent.iter().any(|key| now.contains_key(key) && now.get(key) != before.get(key))
}
