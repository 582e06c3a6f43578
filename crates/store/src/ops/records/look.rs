//! Reading what is known of records: what is due, what shares a key, what has a step open. Nothing is changed here.

use jiff::Timestamp;
use syncline_core::{
    ids::{IntegrationId, RecordId, WorkspaceId},
    merge::Side,
};

use super::{
    Flow,
    columns::{entry_of, link_of, side_column, step_of},
    take_turn,
};
use crate::{
    LinkedPair, Store, StoredEntry, StoredLink, StoredStep, WaitingRows, Work,
    db::{Db, Op, P, Row, Scope, statements},
    error::{Error, Result},
};

/// Entries or steps of one answer, whatever is asked for: each may hold a whole record.
const ANSWER_MAX: usize = 10_000;
/// Records of one side that share a key and are told of: more than a person could choose from.
pub(crate) const TWINS_MAX: usize = 50;
/// The column behind those of an entry that tells whether another record bears its key.
const TWIN: usize = 15;

statements! {
    DUE = "select id, side, kind, record, match_key, link, seen, changed_at, fate, into_record, due_at, note, tries, revision, let_go \
        from record_entry e where workspace = ?1 and integration = ?2 and due_at <= ?3 \
        and (?5 = 0 or tries > 0 or (?5 <> 3 and side <> ?5 - 1)) \
        and not exists (select 1 from record_step s where s.workspace = e.workspace and s.link = e.link) \
        order by due_at, id limit ?4";
    WAITING = "select due_at from record_entry where workspace = ?1 and integration = ?2 and due_at <= ?4 and side = ?3 \
        and tries = 0 order by due_at limit ?5";
    ENTRY_BY_ID = "select id, side, kind, record, match_key, link, seen, changed_at, fate, into_record, due_at, note, tries, \
        revision, let_go from record_entry where workspace = ?1 and integration = ?2 and id = ?3";
    ENTRY_BY_RECORD = "select id, side, kind, record, match_key, link, seen, changed_at, fate, into_record, due_at, note, \
        tries, revision, let_go from record_entry \
        where workspace = ?1 and integration = ?2 and side = ?3 and kind = ?4 and record = ?5";
    ENTRY_BY_KEY = "select id, side, kind, record, match_key, link, seen, changed_at, fate, into_record, due_at, note, tries, \
        revision, let_go, (select 1 from record_entry t where t.workspace = e.workspace and t.integration = e.integration \
        and t.side = e.side and t.match_key = e.match_key and t.id > e.id limit 1) \
        from record_entry e where workspace = ?1 and integration = ?2 and side = ?3 and match_key = ?4 and id > ?5 \
        order by id limit 1";
    LINK_BY_ID = "select id, pair, left_entry, right_entry, images, refused, decided, revision from record_link \
        where workspace = ?1 and integration = ?2 and id = ?3";
    STEPS_OPEN = "select id, link, side, kind, op, fields, ticket, look_at from record_step \
        where workspace = ?1 and integration = ?2 and look_at <= ?3 order by look_at, id limit ?4";
    STEP_UNREAD = "update record_entry set due_at = ?5, note = null, tries = 0, revision = revision + 1, \
        seen = case when side = ?4 then ?6 else seen end, changed_at = case when side = ?4 then null else changed_at end \
        where workspace = ?1 and id in (select l.left_entry from record_link l \
        where l.workspace = ?1 and l.integration = ?2 and l.id = ?3 union all select l.right_entry from record_link l \
        where l.workspace = ?1 and l.integration = ?2 and l.id = ?3)";
    STEP_UNTICKET = "update record_step set ticket = null where workspace = ?1 and integration = ?2 and ticket = ?3";
    STEP_FORGET = "delete from record_step where workspace = ?1 and integration = ?2 and id = ?3";
    STEPS_OF_TICKET = "select id, link, side, kind, op, fields, ticket, look_at from record_step \
        where workspace = ?1 and integration = ?2 and ticket = ?3 order by id";
}

async fn links<D: Db>(db: &mut D, flow: &Flow, ids: &[i64]) -> Result<Vec<Option<StoredLink>>> {
    let [ws, integration] = flow.key();
    let sets: Vec<_> = ids.iter().map(|id| [ws, integration, P::Int(*id)]).collect();
    db.each(&LINK_BY_ID, &sets).await?.into_iter().map(|row| row.map(link_of).transpose()).collect()
}

async fn entries<D: Db>(db: &mut D, flow: &Flow, ids: &[i64]) -> Result<Vec<Option<StoredEntry>>> {
    let [ws, integration] = flow.key();
    let sets: Vec<_> = ids.iter().map(|id| [ws, integration, P::Int(*id)]).collect();
    db.each(&ENTRY_BY_ID, &sets).await?.into_iter().map(|row| row.map(entry_of).transpose()).collect()
}

/// Reads around each entry what belongs to it.
async fn with_links<D: Db>(db: &mut D, flow: &Flow, found: Vec<StoredEntry>) -> Result<Vec<Work>> {
    let ids: Vec<i64> = found.iter().filter_map(|entry| entry.link).collect();
    let mut linked = links(db, flow, &ids).await?.into_iter();
    let mut work: Vec<Work> = found
        .into_iter()
        .map(|entry| {
            let link = entry.link.and_then(|_| linked.next().flatten());
            Work { entry, link, partner: None }
        })
        .collect();
    let across = |work: &Work| {
        let link = work.link.as_ref()?;
        match work.entry.side {
            Side::Left => link.right,
            Side::Right => link.left,
        }
    };
    let ids: Vec<i64> = work.iter().filter_map(across).collect();
    let mut partners = entries(db, flow, &ids).await?.into_iter();
    for one in &mut work {
        if across(one).is_some() {
            one.partner = partners.next().flatten();
        }
    }
    Ok(work)
}

fn limited(limit: usize) -> P<'static> {
    P::Int(limit.min(ANSWER_MAX) as i64)
}

struct Due {
    flow: Flow,
    now: Timestamp,
    limit: usize,
    shut: Vec<Side>,
}

/// Sides whose news wait: 0 for none, their number and one, 3 for both.
fn shut_column(shut: &[Side]) -> P<'static> {
    let waits = |side: Side| i64::from(shut.contains(&side));
    P::Int(waits(Side::Left) + 2 * waits(Side::Right))
}

struct Waiting {
    flow: Flow,
    side: Side,
    now: Timestamp,
    limit: usize,
}

impl Op for Waiting {
    type Out = WaitingRows;
    const READS: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.flow.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<Self::Out> {
        let [ws, integration] = self.flow.key();
        let set = [ws, integration, side_column(self.side), P::time(self.now), limited(self.limit)];
        let rows = db.rows(&WAITING, &set).await?;
        let oldest = rows.first().map(|row| row.opt_time(0)).transpose()?.flatten();
        Ok(WaitingRows { rows: rows.len(), oldest })
    }
}

impl Op for Due {
    type Out = Vec<Work>;
    const READS: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.flow.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<Self::Out> {
        let [ws, integration] = self.flow.key();
        let shut = shut_column(&self.shut);
        let rows = db.rows(&DUE, &[ws, integration, P::time(self.now), limited(self.limit), shut]).await?;
        let found = rows.into_iter().map(entry_of).collect::<Result<_>>()?;
        with_links(db, &self.flow, found).await
    }
}

struct ById {
    flow: Flow,
    ids: Vec<i64>,
}

impl Op for ById {
    type Out = Vec<Work>;
    const READS: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.flow.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<Self::Out> {
        let found = entries(db, &self.flow, &self.ids).await?.into_iter().flatten().collect();
        with_links(db, &self.flow, found).await
    }
}

struct LinksById {
    flow: Flow,
    ids: Vec<i64>,
}

impl Op for LinksById {
    type Out = Vec<LinkedPair>;
    const READS: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.flow.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<Self::Out> {
        let links: Vec<StoredLink> = links(db, &self.flow, &self.ids).await?.into_iter().flatten().collect();
        let ends: Vec<i64> = links.iter().flat_map(|link| [link.left, link.right]).flatten().collect();
        let mut found = entries(db, &self.flow, &ends).await?.into_iter();
        let mut next = |end: Option<i64>| end.and_then(|_| found.next().flatten());
        Ok(links
            .into_iter()
            .map(|link| {
                let (left, right) = (next(link.left), next(link.right));
                LinkedPair { link, left, right }
            })
            .collect())
    }
}

struct ByRecord {
    flow: Flow,
    side: Side,
    kind: String,
    records: Vec<RecordId>,
}

impl Op for ByRecord {
    type Out = Vec<StoredEntry>;
    const READS: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.flow.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<Self::Out> {
        let [ws, integration] = self.flow.key();
        let (side, kind) = (side_column(self.side), P::Text(&self.kind));
        let sets: Vec<_> =
            self.records.iter().map(|record| [ws, integration, side, kind, P::Text(record.as_str())]).collect();
        db.each(&ENTRY_BY_RECORD, &sets).await?.into_iter().flatten().map(entry_of).collect()
    }
}

struct ByKey {
    flow: Flow,
    side: Side,
    keys: Vec<String>,
}

impl Op for ByKey {
    type Out = Vec<StoredEntry>;
    const READS: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.flow.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<Self::Out> {
        let ([ws, integration], side) = (self.flow.key(), side_column(self.side));
        let mut keys: Vec<&str> = self.keys.iter().map(String::as_str).collect();
        keys.sort_unstable();
        keys.dedup();
        // Nearly every key is one record's: all are asked for their first record at once, and those that have more for the
        // next one.
        let mut open: Vec<(&str, i64)> = keys.into_iter().map(|key| (key, 0)).collect();
        let mut found = Vec::new();
        for _ in 0..TWINS_MAX {
            if open.is_empty() {
                break;
            }
            let sets: Vec<_> =
                open.iter().map(|(key, after)| [ws, integration, side, P::Text(key), P::Int(*after)]).collect();
            let rows: Vec<Option<Row>> = db.each(&ENTRY_BY_KEY, &sets).await?;
            let mut more = Vec::new();
            for ((key, _), row) in open.into_iter().zip(rows) {
                let Some(row) = row else { continue };
                let has_more = row.opt_int(TWIN)?.is_some();
                let entry = entry_of(row)?;
                if has_more {
                    more.push((key, entry.id));
                }
                found.push(entry);
            }
            open = more;
        }
        Ok(found)
    }
}

struct StepsOfTicket {
    flow: Flow,
    ticket: String,
}

impl Op for StepsOfTicket {
    type Out = Vec<StoredStep>;
    const READS: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.flow.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<Self::Out> {
        let [ws, integration] = self.flow.key();
        let steps = db.rows(&STEPS_OF_TICKET, &[ws, integration, P::Text(&self.ticket)]).await?;
        steps.into_iter().map(step_of).collect()
    }
}

struct OpenSteps {
    flow: Flow,
    now: Timestamp,
    limit: usize,
}

/// A planned write that cannot be read: where it was going is all that is known of it.
struct Unread {
    id: i64,
    link: i64,
    side: i64,
    ticket: Option<String>,
}

impl Op for OpenSteps {
    type Out = (Vec<StoredStep>, Vec<Unread>);
    const READS: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.flow.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<Self::Out> {
        let [ws, integration] = self.flow.key();
        let params = [ws, integration, P::time(self.now), limited(self.limit)];
        let (mut steps, mut unread) = (Vec::new(), Vec::new());
        for mut row in db.rows(&STEPS_OPEN, &params).await? {
            let (id, link, side) = (row.int(0)?, row.int(1)?, row.int(2)?);
            let ticket = row.opt_text(6)?;
            match step_of(row) {
                Ok(step) => steps.push(StoredStep { ticket, ..step }),
                Err(Error::Corrupt(_)) => unread.push(Unread { id, link, side, ticket }),
                Err(error) => return Err(error),
            }
        }
        Ok((steps, unread))
    }
}

/// Drops planned writes that cannot be read. Their targets have to be read anew, as if what is stored of them could not
/// be read either, and then it is decided about them anew. Of what was sent with them the outcome is told by position:
/// each of those is looked at by itself.
struct DropUnread {
    flow: Flow,
    now: Timestamp,
    unread: Vec<Unread>,
}

impl Op for DropUnread {
    type Out = ();

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.flow.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<()> {
        take_turn(db, &self.flow).await?;
        let ([ws, integration], now) = (self.flow.key(), P::time(self.now));
        for Unread { id, link, side, ticket } in &self.unread {
            db.run(&STEP_UNREAD, &[ws, integration, P::Int(*link), P::Int(*side), now, P::Blob(&[])]).await?;
            if let Some(ticket) = ticket {
                db.run(&STEP_UNTICKET, &[ws, integration, P::Text(ticket)]).await?;
            }
            db.run(&STEP_FORGET, &[ws, integration, P::Int(*id)]).await?;
        }
        Ok(())
    }
}

impl Store {
    /// Entries that are due, the longest due first, with what belongs to each. One whose link has an open step rests
    /// until the step has its outcome. Where both records of a link are due, the link comes twice.
    pub async fn due_rows(
        &self,
        workspace: &WorkspaceId,
        integration: &IntegrationId,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<Work>> {
        self.due_rows_but(workspace, integration, now, limit, &[]).await
    }

    /// The same without what is new on these sides: their news are gathered. What is tried again does not wait for that.
    pub async fn due_rows_but(
        &self,
        workspace: &WorkspaceId,
        integration: &IntegrationId,
        now: Timestamp,
        limit: usize,
        shut: &[Side],
    ) -> Result<Vec<Work>> {
        self.run(Due { flow: Flow::new(workspace, integration), now, limit, shut: shut.to_vec() }).await
    }

    /// How many news of a side are due, at most `limit`, and since when.
    pub async fn waiting_rows(
        &self,
        workspace: &WorkspaceId,
        integration: &IntegrationId,
        side: Side,
        now: Timestamp,
        limit: usize,
    ) -> Result<WaitingRows> {
        self.run(Waiting { flow: Flow::new(workspace, integration), side, now, limit }).await
    }

    /// The entries with these ids that there are, in this order, with what belongs to each.
    pub async fn rows_by_id(
        &self,
        workspace: &WorkspaceId,
        integration: &IntegrationId,
        ids: &[i64],
    ) -> Result<Vec<Work>> {
        self.run(ById { flow: Flow::new(workspace, integration), ids: ids.to_vec() }).await
    }

    /// The links with these ids that there are, in this order, with both records of each.
    pub async fn links_by_id(
        &self,
        workspace: &WorkspaceId,
        integration: &IntegrationId,
        ids: &[i64],
    ) -> Result<Vec<LinkedPair>> {
        self.run(LinksById { flow: Flow::new(workspace, integration), ids: ids.to_vec() }).await
    }

    /// A side's records of any kind and fate with these keys; of records that share one the first fifty.
    pub async fn rows_by_key(
        &self,
        workspace: &WorkspaceId,
        integration: &IntegrationId,
        side: Side,
        keys: &[String],
    ) -> Result<Vec<StoredEntry>> {
        self.run(ByKey { flow: Flow::new(workspace, integration), side, keys: keys.to_vec() }).await
    }

    /// The records with these ids of their vendor that are known, in this order.
    pub async fn rows_by_record(
        &self,
        workspace: &WorkspaceId,
        integration: &IntegrationId,
        side: Side,
        kind: &str,
        records: &[RecordId],
    ) -> Result<Vec<StoredEntry>> {
        let (flow, kind) = (Flow::new(workspace, integration), kind.to_owned());
        self.run(ByRecord { flow, side, kind, records: records.to_vec() }).await
    }

    /// Writes whose outcome is to be looked at by now, the longest due first. Those that cannot be read are dropped, and
    /// their records are due.
    pub async fn open_steps(
        &self,
        workspace: &WorkspaceId,
        integration: &IntegrationId,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<StoredStep>> {
        let flow = Flow::new(workspace, integration);
        let (mut steps, unread) = self.run(OpenSteps { flow: flow.clone(), now, limit }).await?;
        if !unread.is_empty() {
            let tickets: Vec<_> = unread.iter().filter_map(|step| step.ticket.clone()).collect();
            let is_lost = |ticket: &mut String| tickets.contains(ticket);
            steps.iter_mut().for_each(|step| drop(step.ticket.take_if(is_lost)));
            self.run(DropUnread { flow, now, unread }).await?;
        }
        Ok(steps)
    }

    /// All steps that one answer took for later, in the order in which they were planned.
    pub async fn steps_of_ticket(
        &self,
        workspace: &WorkspaceId,
        integration: &IntegrationId,
        ticket: &str,
    ) -> Result<Vec<StoredStep>> {
        self.run(StepsOfTicket { flow: Flow::new(workspace, integration), ticket: ticket.to_owned() }).await
    }
}
