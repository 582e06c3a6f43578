//! What is held back for a person, and what a person says about it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use syncline_core::{
    ids::{IntegrationId, RecordId, WorkspaceId},
    merge::{HoldKind, Images, RuleKey, Side},
};

use super::{
    Flow,
    columns::{list_json, readable, side_of},
    take_turn,
};
use crate::{
    HoldView, PAGE_MAX, Store, StoredHold, UNREADABLE,
    db::{Db, Op, P, Row, Scope, statements, to_json},
    error::Result,
    ops::alerts,
};

statements! {
    HOLDS_OF = "select holds from record_hold where workspace = ?1 and integration = ?2 and entry = ?3";
    HOLDS_ALL = "select entry, holds from record_hold where workspace = ?1 and integration = ?2 order by entry";
    ANY_HOLD = "select 0 from record_hold where workspace = ?1 and integration = ?2 limit 1";
    HOLDS_SET = "insert into record_hold (workspace, integration, entry, holds) values (?1, ?2, ?3, ?4) \
        on conflict (workspace, integration, entry) do update set holds = excluded.holds";
    HOLDS_DROP = "delete from record_hold where workspace = ?1 and integration = ?2 and entry = ?3";
    HOLDS = "select h.entry, e.side, e.kind, e.record, h.holds from record_hold h \
        join record_entry e on e.workspace = h.workspace and e.id = h.entry \
        where h.workspace = ?1 and h.integration = ?2 and h.entry > ?3 order by h.entry limit ?4";
    FORGIVE = "update record_link set refused = null, revision = revision + 1 where workspace = ?1 and integration = ?2 \
        and id = (select e.link from record_entry e where e.workspace = ?1 and e.integration = ?2 and e.id = ?3)";
    AGAIN = "update record_entry set due_at = ?4, note = null, tries = 0, revision = revision + 1 \
        where workspace = ?1 and integration = ?2 and id = ?3 {written}";
    FORGIVE_ALL = "update record_link set refused = null, revision = revision + 1 where workspace = ?1 and id in \
        (select e.link from record_hold h join record_entry e on e.workspace = h.workspace and e.id = h.entry \
        where h.workspace = ?1 and h.integration = ?2)";
    AGAIN_ALL = "update record_entry set due_at = ?3, note = null, tries = 0, revision = revision + 1 \
        where workspace = ?1 and id in (select h.entry from record_hold h where h.workspace = ?1 and h.integration = ?2)";
    SHELVED = "select e.id, l.id, l.images, l.refused, l.decided from record_hold h join record_entry e \
        on e.workspace = h.workspace and e.id = h.entry join record_link l on l.workspace = e.workspace and l.id = e.link \
        where h.workspace = ?1 and h.integration = ?2 and e.note = ?3 order by h.entry";
    LINK_ANEW = "update record_link set images = ?4, refused = null, decided = null, revision = revision + 1 \
        where workspace = ?1 and integration = ?2 and id = ?3";
    ENDS_UNREAD = "update record_entry set seen = ?4, changed_at = null, revision = revision + 1 \
        where workspace = ?1 and seen is null and id in (select l.left_entry from record_link l \
        where l.workspace = ?1 and l.integration = ?2 and l.id = ?3 union all select l.right_entry from record_link l \
        where l.workspace = ?1 and l.integration = ?2 and l.id = ?3)";
    DECIDED_OF = "select l.id, l.decided from record_entry e join record_link l on l.workspace = e.workspace and l.id = e.link \
        where e.workspace = ?1 and e.integration = ?2 and e.id = ?3";
    DECIDE = "update record_link set decided = ?4, revision = revision + 1 \
        where workspace = ?1 and integration = ?2 and id = ?3";
}

/// A hold as it is stored.
#[derive(Serialize, Deserialize)]
struct Kept {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rule: Option<RuleKey>,
    kind: HoldKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    to: Option<Side>,
    reason: String,
    fix: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    refused: Vec<(RuleKey, u64)>,
    /// In microseconds, like every time in the database.
    since: i64,
}

impl Kept {
    fn new(hold: &StoredHold, since: i64) -> Self {
        let StoredHold { rule, kind, to, reason, fix, refused } = hold.clone();
        Self { rule, kind, to, reason, fix, refused, since }
    }

    fn hold(self) -> (StoredHold, i64) {
        let Kept { rule, kind, to, reason, fix, refused, since } = self;
        (StoredHold { rule, kind, to, reason, fix, refused }, since)
    }
}

/// What is held back of these entries is exactly this from now on; since when is kept where it was so before. What was not
/// held back before is told.
pub(super) async fn replace<D: Db>(
    db: &mut D,
    flow: &Flow,
    now: Timestamp,
    holds: &[(i64, Vec<StoredHold>)],
) -> Result<()> {
    let [ws, integration] = flow.key();
    let key = |entry: &i64| [ws, integration, P::Int(*entry)];
    let held: Vec<_> = holds.iter().filter(|(_, holds)| !holds.is_empty()).collect();
    // Mostly nothing is held back of anybody, and then nobody need be asked about one by one.
    if held.len() < holds.len() && db.row(&ANY_HOLD, &flow.key()).await?.is_some() {
        let free: Vec<_> = holds.iter().filter(|(_, holds)| holds.is_empty()).map(|(entry, _)| key(entry)).collect();
        db.each(&HOLDS_DROP, &free).await?;
    }
    let before = db.each(&HOLDS_OF, &held.iter().map(|(entry, _)| key(entry)).collect::<Vec<_>>()).await?;
    let mut blobs = Vec::with_capacity(held.len());
    let mut news = false;
    for ((entry, holds), before) in held.into_iter().zip(before) {
        let before: Vec<(StoredHold, i64)> = kept(before)?.into_iter().map(Kept::hold).collect();
        let since = |hold: &StoredHold| {
            before.iter().find(|(other, _)| other == hold).map_or(now.as_microsecond(), |(_, since)| *since)
        };
        news |= holds.iter().any(|hold| !before.iter().any(|(other, _)| other == hold));
        let kept: Vec<Kept> = holds.iter().map(|hold| Kept::new(hold, since(hold))).collect();
        blobs.push((entry, to_json(&kept)?));
    }
    let sets: Vec<_> = blobs.iter().map(|(entry, json)| [ws, integration, P::Int(**entry), P::Blob(json)]).collect();
    db.each(&HOLDS_SET, &sets).await?;
    if news {
        alerts::add(db, &flow.workspace, &[alerts::held(flow.integration.as_str(), now)]).await?;
    }
    Ok(())
}

/// What is held back of an entry; nothing where that cannot be read, which the next decision writes anew.
fn kept(row: Option<Row>) -> Result<Vec<Kept>> {
    row.map_or(Ok(Vec::new()), |mut row| readable(row.json(0), &mut false))
}

fn unreadable() -> Kept {
    let (reason, fix) = ("why it is held back cannot be read".to_owned(), "try it again".to_owned());
    Kept { rule: None, kind: HoldKind::Unreadable, to: None, reason, fix, refused: Vec::new(), since: 0 }
}

/// Has links whose base cannot be read, even now, begin anew: both records are compared as for the first time. What a record
/// showed by that base alone has to be read again.
async fn begin_anew<D: Db>(db: &mut D, flow: &Flow, entries: Option<&[i64]>) -> Result<()> {
    let [ws, integration] = flow.key();
    let nothing = to_json(&Images::new())?;
    for mut row in db.rows(&SHELVED, &[ws, integration, P::Text(UNREADABLE)]).await? {
        let (entry, link) = (row.int(0)?, row.int(1)?);
        if entries.is_some_and(|entries| !entries.contains(&entry)) {
            continue;
        }
        let mut lost = false;
        readable(row.json::<Images>(2), &mut lost)?;
        readable(row.opt_json::<Vec<(RuleKey, u64)>>(3), &mut lost)?;
        readable(row.opt_json::<Vec<(RuleKey, Side)>>(4), &mut lost)?;
        if lost {
            db.run(&LINK_ANEW, &[ws, integration, P::Int(link), P::Blob(&nothing)]).await?;
            db.run(&ENDS_UNREAD, &[ws, integration, P::Int(link), P::Blob(&[])]).await?;
        }
    }
    Ok(())
}

struct Holds {
    flow: Flow,
    after: Option<i64>,
    limit: usize,
}

impl Op for Holds {
    type Out = Vec<HoldView>;
    const READS: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.flow.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<Self::Out> {
        let [ws, integration] = self.flow.key();
        let (after, limit) = (P::Int(self.after.unwrap_or(0)), P::Int(self.limit.min(PAGE_MAX) as i64));
        let mut found = Vec::new();
        for mut row in db.rows(&HOLDS, &[ws, integration, after, limit]).await? {
            let (entry, side) = (row.int(0)?, side_of(row.int(1)?)?);
            let (kind, record) = (row.text(2)?, RecordId::new(row.text(3)?));
            let mut lost = false;
            let kept = readable(row.json::<Vec<Kept>>(4), &mut lost)?;
            for kept in kept.into_iter().chain(lost.then(unreadable)) {
                let (hold, since) = kept.hold();
                let (kind, record, since) = (kind.clone(), record.clone(), crate::db::time_of(since)?);
                found.push(HoldView { entry, side, kind, record, hold, since });
            }
        }
        Ok(found)
    }
}

/// Records that were refused when they were to be made are made as if for the first time.
async fn forget_refused<D: Db>(db: &mut D, flow: &Flow, entries: Option<&[i64]>) -> Result<()> {
    let [ws, integration] = flow.key();
    let mut blobs = Vec::new();
    for mut row in db.rows(&HOLDS_ALL, &flow.key()).await? {
        let entry = row.int(0)?;
        if entries.is_some_and(|entries| !entries.contains(&entry)) {
            continue;
        }
        let mut kept: Vec<Kept> = readable(row.json(1), &mut false)?;
        if kept.iter().any(|kept| !kept.refused.is_empty()) {
            kept.iter_mut().for_each(|kept| kept.refused.clear());
            blobs.push((entry, to_json(&kept)?));
        }
    }
    let sets: Vec<_> = blobs.iter().map(|(entry, json)| [ws, integration, P::Int(*entry), P::Blob(json)]).collect();
    db.each(&HOLDS_SET, &sets).await?;
    Ok(())
}

struct HoldsOf {
    flow: Flow,
    entries: Vec<i64>,
}

impl Op for HoldsOf {
    type Out = BTreeMap<i64, Vec<StoredHold>>;
    const READS: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.flow.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<Self::Out> {
        let [ws, integration] = self.flow.key();
        if db.row(&ANY_HOLD, &self.flow.key()).await?.is_none() {
            return Ok(BTreeMap::new());
        }
        let sets: Vec<_> = self.entries.iter().map(|entry| [ws, integration, P::Int(*entry)]).collect();
        let mut found = BTreeMap::new();
        for (entry, row) in self.entries.iter().zip(db.each(&HOLDS_OF, &sets).await?) {
            if row.is_some() {
                found.insert(*entry, kept(row)?.into_iter().map(|kept| kept.hold().0).collect());
            }
        }
        Ok(found)
    }
}

struct Release {
    flow: Flow,
    entries: Option<Vec<i64>>,
    now: Timestamp,
}

impl Op for Release {
    type Out = u64;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.flow.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<u64> {
        take_turn(db, &self.flow).await?;
        let ([ws, integration], now) = (self.flow.key(), P::time(self.now));
        begin_anew(db, &self.flow, self.entries.as_deref()).await?;
        forget_refused(db, &self.flow, self.entries.as_deref()).await?;
        let Some(entries) = &self.entries else {
            db.run(&FORGIVE_ALL, &[ws, integration]).await?;
            return db.run(&AGAIN_ALL, &[ws, integration, now]).await;
        };
        let sets: Vec<_> = entries.iter().map(|entry| [ws, integration, P::Int(*entry)]).collect();
        db.each(&FORGIVE, &sets).await?;
        let sets: Vec<_> = sets.into_iter().map(|[ws, integration, entry]| [ws, integration, entry, now]).collect();
        Ok(db.each(&AGAIN, &sets).await?.into_iter().flatten().count() as u64)
    }
}

struct Decide {
    flow: Flow,
    entry: i64,
    rule: RuleKey,
    side: Side,
    now: Timestamp,
}

impl Op for Decide {
    type Out = bool;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.flow.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<bool> {
        take_turn(db, &self.flow).await?;
        let [ws, integration] = self.flow.key();
        let entry = [ws, integration, P::Int(self.entry)];
        let held = kept(db.row(&HOLDS_OF, &entry).await?)?;
        if !held.iter().any(|hold| hold.rule == Some(self.rule)) {
            return Ok(false);
        }
        let Some(mut row) = db.row(&DECIDED_OF, &entry).await? else { return Ok(false) };
        let link = row.int(0)?;
        let mut decided: Vec<(RuleKey, Side)> = row.opt_json(1)?.unwrap_or_default();
        decided.retain(|(rule, _)| *rule != self.rule);
        decided.push((self.rule, self.side));
        let json = list_json(&decided)?;
        db.run(&DECIDE, &[ws, integration, P::Int(link), P::opt_blob(json.as_deref())]).await?;
        db.run(&AGAIN, &[ws, integration, P::Int(self.entry), P::time(self.now)]).await?;
        Ok(true)
    }
}

impl Store {
    /// What is held back of these entries, of those of which anything is.
    pub async fn holds_of(
        &self,
        workspace: &WorkspaceId,
        integration: &IntegrationId,
        entries: Vec<i64>,
    ) -> Result<BTreeMap<i64, Vec<StoredHold>>> {
        self.run(HoldsOf { flow: Flow::new(workspace, integration), entries }).await
    }

    /// What is held back, entry by entry in the order of their ids; all holds of an entry come together. `after` is the
    /// last entry of the page before, `limit` counts entries.
    pub async fn holds(
        &self,
        workspace: &WorkspaceId,
        integration: &IntegrationId,
        after: Option<i64>,
        limit: usize,
    ) -> Result<Vec<HoldView>> {
        self.run(Holds { flow: Flow::new(workspace, integration), after, limit }).await
    }

    /// Has these entries, or all of which something is held back, decided about anew: what a vendor refused may be sent
    /// again. Says how many that are. What is held back stays listed until the next decision.
    pub async fn release_holds(
        &self,
        workspace: &WorkspaceId,
        integration: &IntegrationId,
        entries: Option<&[i64]>,
        now: Timestamp,
    ) -> Result<u64> {
        let entries = entries.map(<[i64]>::to_vec);
        self.run(Release { flow: Flow::new(workspace, integration), entries, now }).await
    }

    /// Stores a person's decision for this side about a field that is held back, and has it carried out. `false` where
    /// that field of that entry is not held back any more, or the entry has no link.
    pub async fn decide_hold(
        &self,
        workspace: &WorkspaceId,
        integration: &IntegrationId,
        entry: i64,
        rule: RuleKey,
        side: Side,
        now: Timestamp,
    ) -> Result<bool> {
        self.run(Decide { flow: Flow::new(workspace, integration), entry, rule, side, now }).await
    }
}
