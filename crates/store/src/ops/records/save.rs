//! Writing down what was decided, or what became of a write: links, entries, steps, holds, quota and journal in one
//! transaction, for whoever holds the lease.

use std::collections::BTreeSet;

use jiff::Timestamp;
use syncline_core::{
    ids::{IntegrationId, WorkspaceId},
    merge::{RuleKey, Side},
};

use super::{
    Flow, Tally, asks,
    columns::{fate_columns, is_gone, list_json, side_column},
    deletes,
    flow::pulls,
    holds, quota, take_turn, waits, wake,
};
use crate::{
    EntryChange, Held, LinkChange, LinkRef, MadeEntry, RowsSaved, SaveRows, Store,
    db::{Db, Op, P, Scope, statements, to_json},
    error::{Error, Result},
    ops::{
        journal::{self, Line},
        leases::is_held,
    },
};

statements! {
    LINK_ADD = "insert into record_link (workspace, integration, pair, left_entry, right_entry, revision, images) \
        values (?1, ?2, ?3, ?4, ?5, 0, ?6) {written}";
    LINK_ENDS = "select left_entry, right_entry from record_link where workspace = ?1 and integration = ?2 and id = ?3";
    LINK_DROP = "delete from record_link where workspace = ?1 and integration = ?2 and id = ?3 {written}";
    UNLINK = "update record_entry set link = null where workspace = ?1 and integration = ?2 and id = ?3 and link = ?4";
    STEPS_DROP = "delete from record_step where workspace = ?1 and integration = ?2 and link = ?3";
    MADE_KNOWN = "update record_entry set link = ?6, match_key = coalesce(match_key, ?7), due_at = coalesce(due_at, ?8) \
        where workspace = ?1 and integration = ?2 and side = ?3 and kind = ?4 and record = ?5 returning id";
    MADE_ADD = "insert into record_entry (workspace, integration, side, kind, record, link, match_key, fate, tries, revision, \
        sweep) values (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, 0, 0, ?8) {written}";
    LINK_SET = "update record_link set pair = ?4, left_entry = ?5, right_entry = ?6, images = ?7, refused = ?8 \
        where workspace = ?1 and integration = ?2 and id = ?3 and revision = ?9 {written}";
    LINK_SET_LATE = "update record_link set pair = ?4, left_entry = ?5, right_entry = ?6, images = ?7 \
        where workspace = ?1 and integration = ?2 and id = ?3";
    DECIDED = "select decided from record_link where workspace = ?1 and integration = ?2 and id = ?3";
    DECIDED_SET = "update record_link set decided = ?4 where workspace = ?1 and integration = ?2 and id = ?3";
    ENTRY_SET = "update record_entry set link = ?5, seen = ?6, due_at = ?7, note = ?8, tries = ?9, fate = ?10, \
        into_record = ?11, gone_at = ?12, let_go = ?13, written = case when ?14 = 1 then 1 else written end \
        where workspace = ?1 and integration = ?2 and id = ?3 and revision = ?4 {written}";
    ENTRY_ASIDE = "update record_entry set due_at = null, note = ?5, tries = 0 \
        where workspace = ?1 and integration = ?2 and id = ?3 and revision = ?4";
    ENTRY_LINK = "update record_entry set link = ?4 where workspace = ?1 and integration = ?2 and id = ?3";
    STEP_ADD = "insert into record_step (workspace, integration, link, side, kind, op, fields, look_at) \
        values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) {written}";
    STEP_DROP = "delete from record_step where workspace = ?1 and integration = ?2 and id = ?3";
    STEP_LATER = "update record_step set ticket = ?4, look_at = ?5 where workspace = ?1 and integration = ?2 and id = ?3";
}

struct Save {
    flow: Flow,
    held: Held,
    now: Timestamp,
    rows: SaveRows,
}

impl Op for Save {
    type Out = Option<RowsSaved>;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.flow.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<Self::Out> {
        let (flow, rows) = (&self.flow, &self.rows);
        if !is_held(db, &flow.workspace, &self.held, self.now).await? {
            return Ok(None);
        }
        take_turn(db, flow).await?;
        let mut tally = Tally::default();
        let parted = self.drop_links(db, &mut tally).await?;
        let links = self.add_links(db).await?;
        tally.links += links.len() as i64;
        let made = self.add_made(db, &mut tally).await?;
        self.change_links(db, &made).await?;
        self.carry_out(db).await?;
        self.change_entries(db, &links).await?;
        for both in &parted {
            wake::twins(db, flow, both, self.now).await?;
        }
        let steps = self.change_steps(db, &links).await?;
        holds::replace(db, flow, self.now, &rows.holds).await?;
        waits::replace(db, flow, &rows.waits).await?;
        let woken = waits::wake(db, flow, &self.changed(&made, &parted), &rows.waits, self.now).await?;
        deletes::count(db, flow, rows.deletes, self.now).await?;
        quota::add(db, flow, &rows.month, rows.tasks).await?;
        asks::drop_answered(db, flow, &rows.answered).await?;
        tally.keep(db, flow).await?;
        let line = |entry| Line::of_integration(&flow.workspace, &flow.integration, entry);
        journal::write(db, &rows.journal.iter().map(line).collect::<Vec<_>>()).await?;
        Ok(Some(RowsSaved { links, steps, woken }))
    }
}

/// The id behind a reference.
fn resolve(link: LinkRef, new: &[i64]) -> Result<i64> {
    match link {
        LinkRef::Known(id) => Ok(id),
        LinkRef::New(at) => {
            new.get(at).copied().ok_or_else(|| Error::Other("a new link is named that is not there".to_owned()))
        }
    }
}

impl Save {
    /// The entries that are changed, or whose links are.
    fn changed(&self, made: &[Option<i64>], parted: &[[i64; 2]]) -> BTreeSet<i64> {
        let rows = &self.rows;
        let new = rows.new_links.iter().flat_map(|link| [link.left, link.right]);
        let known = rows.links.iter().flat_map(|link| [link.left, link.right]);
        let ends = new.chain(known).chain(made.iter().copied()).flatten().chain(parted.iter().flatten().copied());
        let entries = rows.entries.iter().map(|change| change.id);
        ends.chain(entries).chain(rows.set_aside.iter().map(|(id, ..)| *id)).collect()
    }

    /// Yields the records that were one thing and are so no longer.
    async fn drop_links<D: Db>(&self, db: &mut D, tally: &mut Tally) -> Result<Vec<[i64; 2]>> {
        let [ws, integration] = self.flow.key();
        let sets: Vec<_> = self.rows.drop_links.iter().map(|id| [ws, integration, P::Int(*id)]).collect();
        let ends = db.each(&LINK_ENDS, &sets).await?;
        let (mut orphans, mut parted) = (Vec::new(), Vec::new());
        for (id, row) in self.rows.drop_links.iter().zip(ends) {
            let Some(row) = row else { continue };
            let both = (row.opt_int(0)?, row.opt_int(1)?);
            if let (Some(left), Some(right)) = both {
                parted.push([left, right]);
            }
            for end in [both.0, both.1].into_iter().flatten() {
                orphans.push([ws, integration, P::Int(end), P::Int(*id)]);
            }
        }
        db.each(&UNLINK, &orphans).await?;
        db.each(&STEPS_DROP, &sets).await?;
        tally.links -= db.each(&LINK_DROP, &sets).await?.into_iter().flatten().count() as i64;
        Ok(parted)
    }

    async fn add_links<D: Db>(&self, db: &mut D) -> Result<Vec<i64>> {
        let [ws, integration] = self.flow.key();
        let links = &self.rows.new_links;
        let images = links.iter().map(|link| to_json(&link.images)).collect::<Result<Vec<_>>>()?;
        let sets: Vec<_> = links
            .iter()
            .zip(&images)
            .map(|(link, images)| {
                let (left, right) = (P::opt_int(link.left), P::opt_int(link.right));
                [ws, integration, P::Text(&link.pair), left, right, P::Blob(images)]
            })
            .collect();
        ids(db.each(&LINK_ADD, &sets).await?)
    }

    /// Stores the records that were made, and says for each changed link which entry that is. One that a pull has shown
    /// meanwhile keeps what was seen of it and stays due.
    async fn add_made<D: Db>(&self, db: &mut D, tally: &mut Tally) -> Result<Vec<Option<i64>>> {
        let [ws, integration] = self.flow.key();
        let made: Vec<(usize, i64, &MadeEntry)> = self
            .rows
            .links
            .iter()
            .enumerate()
            .filter_map(|(at, link)| Some((at, link.id, link.made.as_ref()?)))
            .collect();
        let mut entries = vec![None; self.rows.links.len()];
        if made.is_empty() {
            return Ok(entries);
        }
        let pulls = pulls(db, &self.flow).await?;
        let sets: Vec<_> = made
            .iter()
            .map(|(_, link, made)| {
                let (side, kind, record) = (side_column(made.side), P::Text(&made.kind), P::Text(made.record.as_str()));
                let key = P::opt_text(made.match_key.as_deref());
                [ws, integration, side, kind, record, P::Int(*link), key, P::time(self.now)]
            })
            .collect();
        // One that was seen before anybody knew why it was there is decided about anew.
        let known = db.each(&MADE_KNOWN, &sets).await?;
        let (mut new, mut places) = (Vec::new(), Vec::new());
        for (((at, _, made), set), known) in made.iter().zip(&sets).zip(known) {
            if let Some(row) = known {
                entries[*at] = Some(row.int(0)?);
                continue;
            }
            let [ws, integration, side, kind, record, link, key, _] = *set;
            let sweep = P::Int(super::take::sweep_of(&pulls, made.side, &made.kind));
            new.push([ws, integration, side, kind, record, link, key, sweep]);
            places.push(*at);
            tally.add_entries(made.side, 1);
        }
        for (at, id) in places.into_iter().zip(ids(db.each(&MADE_ADD, &new).await?)?) {
            entries[at] = Some(id);
        }
        Ok(entries)
    }

    async fn change_links<D: Db>(&self, db: &mut D, made: &[Option<i64>]) -> Result<()> {
        let [ws, integration] = self.flow.key();
        let links = &self.rows.links;
        let mut blobs = Vec::with_capacity(links.len());
        for link in links {
            blobs.push((to_json(&link.images)?, list_json(&link.refused)?));
        }
        let sets: Vec<_> = links
            .iter()
            .zip(made)
            .zip(&blobs)
            .map(|((link, made), (images, refused))| {
                let [left, right] = ends(link, *made);
                let (pair, refused) = (P::Text(&link.pair), P::opt_blob(refused.as_deref()));
                [ws, integration, P::Int(link.id), pair, left, right, P::Blob(images), refused, P::Int(link.revision)]
            })
            .collect();
        let written = db.each(&LINK_SET, &sets).await?;
        let late: Vec<_> = sets
            .into_iter()
            .zip(written)
            .filter(|(_, written)| written.is_none())
            .map(|([ws, integration, id, pair, left, right, images, ..], _)| {
                [ws, integration, id, pair, left, right, images]
            })
            .collect();
        db.each(&LINK_SET_LATE, &late).await?;
        Ok(())
    }

    /// Forgets the decisions that were carried out; one that was changed meanwhile stays.
    async fn carry_out<D: Db>(&self, db: &mut D) -> Result<()> {
        let [ws, integration] = self.flow.key();
        let links: Vec<&LinkChange> = self.rows.links.iter().filter(|link| !link.carried_out.is_empty()).collect();
        let sets: Vec<_> = links.iter().map(|link| [ws, integration, P::Int(link.id)]).collect();
        let stored = db.each(&DECIDED, &sets).await?;
        let mut blobs = Vec::new();
        for (link, row) in links.into_iter().zip(stored) {
            let Some(mut row) = row else { continue };
            let mut decided: Vec<(RuleKey, Side)> = row.opt_json(0)?.unwrap_or_default();
            decided.retain(|decision| !link.carried_out.contains(decision));
            blobs.push((link.id, list_json(&decided)?));
        }
        let sets: Vec<_> =
            blobs.iter().map(|(id, decided)| [ws, integration, P::Int(*id), P::opt_blob(decided.as_deref())]).collect();
        db.each(&DECIDED_SET, &sets).await?;
        Ok(())
    }

    async fn change_entries<D: Db>(&self, db: &mut D, new: &[i64]) -> Result<()> {
        let [ws, integration] = self.flow.key();
        // In the order of their ids, which is that of the table.
        let mut changes: Vec<&EntryChange> = self.rows.entries.iter().collect();
        changes.sort_by_key(|change| change.id);
        let mut blobs = Vec::with_capacity(changes.len());
        for change in &changes {
            let link = change.link.map(|link| resolve(link, new)).transpose()?;
            blobs.push((link, change.seen.as_ref().map(to_json).transpose()?));
        }
        let sets: Vec<_> = changes
            .iter()
            .zip(&blobs)
            .map(|(change, (link, seen))| {
                let (id, revision, link) = (P::Int(change.id), P::Int(change.revision), P::opt_int(*link));
                let (seen, due) = (P::opt_blob(seen.as_deref()), P::opt_time(change.due_at));
                let (note, tries) = (P::opt_text(change.note.as_deref()), P::Int(change.tries.into()));
                let [fate, into] = fate_columns(&change.fate);
                let gone = P::opt_time(is_gone(&change.fate).then_some(self.now));
                let (let_go, written) = (P::Int(change.let_go.into()), P::Int(change.written.into()));
                [ws, integration, id, revision, link, seen, due, note, tries, fate, into, gone, let_go, written]
            })
            .collect();
        let written = db.each(&ENTRY_SET, &sets).await?;
        let late: Vec<_> = sets
            .into_iter()
            .zip(written)
            .filter(|(_, written)| written.is_none())
            .map(|([ws, integration, id, _, link, ..], _)| [ws, integration, id, link])
            .collect();
        db.each(&ENTRY_LINK, &late).await?;
        let aside = self.rows.set_aside.iter();
        let aside: Vec<_> = aside
            .map(|(id, revision, note)| [ws, integration, P::Int(*id), P::Int(*revision), P::Text(note)])
            .collect();
        db.each(&ENTRY_ASIDE, &aside).await?;
        Ok(())
    }

    async fn change_steps<D: Db>(&self, db: &mut D, new: &[i64]) -> Result<Vec<i64>> {
        let [ws, integration] = self.flow.key();
        let dropped: Vec<_> = self.rows.drop_steps.iter().map(|id| [ws, integration, P::Int(*id)]).collect();
        db.each(&STEP_DROP, &dropped).await?;
        let later: Vec<_> = self
            .rows
            .later_steps
            .iter()
            .map(|(id, ticket, at)| [ws, integration, P::Int(*id), P::opt_text(ticket.as_deref()), P::time(*at)])
            .collect();
        db.each(&STEP_LATER, &later).await?;
        let mut blobs = Vec::with_capacity(self.rows.new_steps.len());
        for step in &self.rows.new_steps {
            blobs.push((resolve(step.link, new)?, to_json(&step.op)?, to_json(&step.fields)?));
        }
        let sets: Vec<_> = self
            .rows
            .new_steps
            .iter()
            .zip(&blobs)
            .map(|(step, (link, op, fields))| {
                let (side, kind, look) = (side_column(step.side), P::Text(&step.kind), P::time(step.look_at));
                [ws, integration, P::Int(*link), side, kind, P::Blob(op), P::Blob(fields), look]
            })
            .collect();
        ids(db.each(&STEP_ADD, &sets).await?)
    }
}

/// The ids of rows that were just written, all of them.
fn ids(rows: Vec<Option<crate::db::Row>>) -> Result<Vec<i64>> {
    rows.into_iter().map(|row| row.ok_or_else(|| Error::Other("a row was not written".to_owned()))?.int(0)).collect()
}

/// Both ends of a link, the record that was just made included.
fn ends(link: &LinkChange, made: Option<i64>) -> [P<'static>; 2] {
    let side = link.made.as_ref().map(|made| made.side);
    let end = |of: Side, given: Option<i64>| P::opt_int(if side == Some(of) { made } else { given });
    [end(Side::Left, link.left), end(Side::Right, link.right)]
}

impl Store {
    /// Writes down everything that one decision or one answer changes: all of it or, where the lease is somebody
    /// else's by now, nothing.
    pub async fn save_rows(
        &self,
        workspace: &WorkspaceId,
        integration: &IntegrationId,
        held: &Held,
        now: Timestamp,
        rows: SaveRows,
    ) -> Result<Option<RowsSaved>> {
        self.run(Save { flow: Flow::new(workspace, integration), held: held.clone(), now, rows }).await
    }
}
