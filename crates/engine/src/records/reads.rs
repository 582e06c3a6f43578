//! Reading records beside the pages of changes: by id, by our key, by address. What a failed reading leaves is an error,
//! never an absence.

use std::collections::{BTreeMap, BTreeSet};

use syncline_connect::mirror::{Lookup, Seen};
use syncline_core::{
    ids::RecordId,
    merge::{Fate, Row, Side},
};
use syncline_store::{SeenRow, TakeRows};

use super::{
    Halt, Round, Turn,
    call::{mirrored, paid},
    rows::seen_row,
    view::KindView,
};
use crate::engine::Engine;

impl Engine {
    /// Reads records by id.
    pub(crate) async fn fetch_rows(
        &self,
        turn: &Turn<'_>,
        side: Side,
        kind: &str,
        view: &KindView,
        ids: &[RecordId],
        calls: &mut u32,
    ) -> Result<BTreeMap<RecordId, Seen>, Halt> {
        if ids.is_empty() {
            return Ok(BTreeMap::new());
        }
        let setup = self.side_setup(turn.flow, side).map_err(|error| Halt::Side(side, error))?;
        let answer = mirrored!(self, setup, |mirror, cx| mirror.fetch(cx, kind, ids, &view.fields));
        let seen = paid(answer, calls).map_err(|error| Halt::Side(side, error))?;
        Ok(seen.into_iter().map(|seen| (seen.id.clone(), seen)).collect())
    }

    /// Reads records by our key or by address.
    pub(crate) async fn find_rows(
        &self,
        turn: &Turn<'_>,
        side: Side,
        kind: &str,
        view: &KindView,
        lookup: Lookup<'_>,
        calls: &mut u32,
    ) -> Result<Vec<Seen>, Halt> {
        let setup = self.side_setup(turn.flow, side).map_err(|error| Halt::Side(side, error))?;
        let answer = mirrored!(self, setup, |mirror, cx| mirror.find(cx, kind, lookup, &view.fields));
        paid(answer, calls).map_err(|error| Halt::Side(side, error))
    }

    /// Takes rows in that were read beside the pages of changes.
    pub(crate) async fn take(&self, turn: &Turn<'_>, rows: Vec<SeenRow>) -> Result<(), Halt> {
        if rows.is_empty() {
            return Ok(());
        }
        self.world.store.take_rows(self.beside(turn, rows)).await?.map(drop).ok_or(Halt::Lost)
    }

    /// Takes rows in that were read by their names: they count whatever time they bear.
    pub(crate) async fn take_named(&self, turn: &Turn<'_>, rows: Vec<SeenRow>) -> Result<(), Halt> {
        if rows.is_empty() {
            return Ok(());
        }
        self.world.store.take_named_rows(self.beside(turn, rows)).await?.map(drop).ok_or(Halt::Lost)
    }

    fn beside(&self, turn: &Turn<'_>, rows: Vec<SeenRow>) -> TakeRows {
        TakeRows {
            workspace: turn.flow.workspace.clone(),
            integration: turn.flow.id.clone(),
            held: turn.held.clone(),
            now: self.world.clock.now(),
            rows,
            pulls: Vec::new(),
        }
    }

    /// Reads records that a decision waits for. One that is not there is gone.
    pub(crate) async fn seek(
        &self,
        turn: &Turn<'_>,
        sought: Vec<(Side, String, RecordId)>,
        round: &mut Round,
    ) -> Result<(), Halt> {
        let mut groups: BTreeMap<(Side, String), BTreeSet<RecordId>> = BTreeMap::new();
        for (side, kind, record) in sought {
            groups.entry((side, kind)).or_default().insert(record);
        }
        for ((side, kind), records) in groups {
            let Some(view) = turn.compiled.kinds(side).get(&kind) else { continue };
            let ids: Vec<RecordId> = records.into_iter().collect();
            let mut found = self.fetch_rows(turn, side, &kind, view, &ids, &mut round.calls).await?;
            let rows = ids
                .into_iter()
                .map(|record| match found.remove(&record) {
                    Some(seen) => seen_row(side, &kind, view, seen),
                    None => SeenRow {
                        side,
                        kind: kind.clone(),
                        record,
                        match_key: None,
                        row: Row::new(),
                        changed_at: None,
                        fate: Fate::Deleted,
                    },
                })
                .collect();
            self.take_named(turn, rows).await?;
        }
        Ok(())
    }
}
