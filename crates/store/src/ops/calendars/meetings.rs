//! Meetings: which series are due, all copies of them, and what was decided. A decision is stored only by whoever holds the
//! integration's lease, and does not undo news that came meanwhile.

use jiff::Timestamp;
use syncline_core::{
    calendar::{
        eligible::Verdict,
        identity::{MeetingKey, Uid},
    },
    ids::{IntegrationId, WorkspaceId},
    record::{Slot, Std, Value},
};

use super::{COPIES_OF, DUE_ADD, copy_of, crm::know_records, mails};
use crate::{
    DueSeries, Links, MeetingCounts, MeetingFilter, MeetingView, SaveMeetings, Store, StoredCopy, StoredMeeting,
    db::{Db, Op, P, Row, Scope, statements, to_json},
    error::{Error, Result},
    ops::{
        journal::{self, Line},
        leases::is_held,
    },
};

statements! {
    DUE = "select uid, revision, tries from calendar_due where workspace = ?1 and integration = ?2 and due_at <= ?3 \
        order by due_at, uid limit ?4";
    DUE_DONE = "delete from calendar_due where workspace = ?1 and integration = ?2 and uid = ?3 and revision = ?4";
    DUE_AGAIN = "update calendar_due set due_at = ?5, tries = ?6 where workspace = ?1 and integration = ?2 and uid = ?3 \
        and revision = ?4";
    MEETINGS_OF = "select uid, rid, state, links, plan from calendar_meeting where workspace = ?1 and integration = ?2 \
        and uid = ?3 order by rid";
    MEETING_PUT = "insert into calendar_meeting (workspace, integration, uid, rid, verdict, state, links, plan, held, \
        starts_at, untold) values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) \
        on conflict (workspace, integration, uid, rid) do update set \
        verdict = excluded.verdict, state = excluded.state, links = excluded.links, plan = excluded.plan, held = excluded.held, \
        starts_at = excluded.starts_at, untold = excluded.untold";
    MEETINGS_AHEAD = "select uid, rid, state, links, plan from calendar_meeting where workspace = ?1 and integration = ?2 \
        and verdict = 'log' and starts_at > ?3 order by starts_at, id limit ?4";
    MEETINGS_UNTOLD = "select uid, rid, state, links, plan from calendar_meeting where workspace = ?1 and integration = ?2 \
        and untold = 1 order by id limit ?3";
    MEETINGS_PAGE = "select id, uid, rid, state, links from calendar_meeting where workspace = ?1 and integration = ?2 \
        and id > ?3 order by id limit ?4";
    MEETINGS_OF_VERDICT = "select id, uid, rid, state, links from calendar_meeting where workspace = ?1 and integration = ?2 \
        and verdict = ?5 and id > ?3 order by id limit ?4";
    MEETINGS_LEFT_OUT = "select id, uid, rid, state, links from calendar_meeting where workspace = ?1 and integration = ?2 \
        and verdict <> ?5 and id > ?3 order by id limit ?4";
    MEETINGS_HELD = "select id, uid, rid, state, links from calendar_meeting where workspace = ?1 and integration = ?2 \
        and held = 1 and id > ?3 order by id limit ?4";
    NEWEST = "select id, uid, rid, state, links from calendar_meeting where workspace = ?1 and integration = ?2 \
        and id < ?3 order by id desc limit ?4";
    NEWEST_OF_VERDICT = "select id, uid, rid, state, links from calendar_meeting where workspace = ?1 and integration = ?2 \
        and verdict = ?5 and id < ?3 order by id desc limit ?4";
    NEWEST_LEFT_OUT = "select id, uid, rid, state, links from calendar_meeting where workspace = ?1 and integration = ?2 \
        and verdict <> ?5 and id < ?3 order by id desc limit ?4";
    NEWEST_HELD = "select id, uid, rid, state, links from calendar_meeting where workspace = ?1 and integration = ?2 \
        and held = 1 and id < ?3 order by id desc limit ?4";
    VERDICTS = "select verdict, count(*) from calendar_meeting where workspace = ?1 and integration = ?2 group by verdict";
    HELD_COUNT = "select count(*) from calendar_meeting where workspace = ?1 and integration = ?2 and held = 1";
    HELD_UIDS = "select distinct uid from calendar_meeting where workspace = ?1 and integration = ?2 and held = 1";
    DUE_NEXT = "select min(due_at) from calendar_due where workspace = ?1 and integration = ?2";
}

/// The word of a verdict that people filter by.
fn word(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Log => MeetingFilter::LOGGED,
        Verdict::LeftOut(reason) => reason.code(),
    }
}

struct Due {
    workspace: WorkspaceId,
    integration: IntegrationId,
    now: Timestamp,
    limit: usize,
}

impl Op for Due {
    type Out = Vec<DueSeries>;
    const READS: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<Vec<DueSeries>> {
        let limit = P::Int(i64::try_from(self.limit).unwrap_or(i64::MAX));
        let by = [P::Text(self.workspace.as_str()), P::Text(self.integration.as_str()), P::time(self.now), limit];
        let series = |mut row: Row| {
            Ok(DueSeries {
                uid: uid_of(&row.text(0)?)?,
                revision: row.int(1)?,
                tries: u32::try_from(row.int(2)?).unwrap_or(u32::MAX),
            })
        };
        db.rows(&DUE, &by).await?.into_iter().map(series).collect()
    }
}

fn uid_of(text: &str) -> Result<Uid> {
    Uid::read(text).ok_or_else(|| Error::corrupt("the name of a meeting cannot be read"))
}

struct Series {
    workspace: WorkspaceId,
    integration: IntegrationId,
    uid: Uid,
}

impl Op for Series {
    type Out = (Vec<StoredCopy>, Vec<StoredMeeting>);
    const READS: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<Self::Out> {
        let by = [P::Text(self.workspace.as_str()), P::Text(self.integration.as_str()), P::Text(self.uid.as_str())];
        let copy = |mut row: Row| copy_of(row.text(0)?, row, 1);
        let copies: Result<Vec<StoredCopy>> = db.rows(&COPIES_OF, &by).await?.into_iter().map(copy).collect();
        let meetings: Result<Vec<StoredMeeting>> =
            db.rows(&MEETINGS_OF, &by).await?.into_iter().map(meeting_of).collect();
        Ok((copies?, meetings?))
    }
}

pub(super) fn key_of(uid: &str, rid: &str) -> Result<MeetingKey> {
    let rid = rid.parse().map_err(|_| Error::corrupt("which occurrence a meeting is cannot be read"))?;
    Ok(MeetingKey { uid: uid_of(uid)?, rid })
}

/// One that cannot be read is told of in the activity log when it is looked at, and hides no other.
fn is_readable<T>(read: &Result<T>) -> bool {
    !matches!(read, Err(Error::Corrupt(_)))
}

fn meeting_of(mut row: Row) -> Result<StoredMeeting> {
    Ok(StoredMeeting {
        key: key_of(&row.text(0)?, &row.text(1)?)?,
        state: row.json(2)?,
        links: row.json(3)?,
        plan: row.opt_json(4)?,
    })
}

struct Save(SaveMeetings);

impl Op for Save {
    type Out = bool;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.0.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<bool> {
        let save = &self.0;
        if !is_held(db, &save.workspace, &save.held, save.now).await? {
            return Ok(false);
        }
        let (ws, integration) = (P::Text(save.workspace.as_str()), P::Text(save.integration.as_str()));
        let texts = |meeting: &StoredMeeting| {
            let plan = meeting.plan.as_ref().map(to_json).transpose()?;
            Ok((meeting.key.rid.to_string(), to_json(&meeting.state)?, to_json(&meeting.links)?, plan))
        };
        let texts: Vec<_> = save.meetings.iter().map(texts).collect::<Result<_>>()?;
        let sets: Vec<_> = save
            .meetings
            .iter()
            .zip(&texts)
            .map(|(meeting, (rid, state, links, plan))| {
                [
                    ws,
                    integration,
                    P::Text(meeting.key.uid.as_str()),
                    P::Text(rid),
                    P::Text(word(&meeting.state.verdict)),
                    P::Blob(state),
                    P::Blob(links),
                    P::opt_blob(plan.as_deref()),
                    P::Int(meeting.state.problem.is_some().into()),
                    P::opt_time(meeting.state.start),
                    P::Int(meeting.state.untold.is_some().into()),
                ]
            })
            .collect();
        db.each(&MEETING_PUT, &sets).await?;
        let linked = save.meetings.iter().filter_map(|meeting| Some((meeting, meeting.links.get(&Slot::Meeting)?)));
        let records: Vec<_> = linked.map(|(meeting, link)| (&link.id, &meeting.key.uid)).collect();
        know_records(db, &save.workspace, &save.integration, &records).await?;
        for (series, again) in &save.looked {
            let by = [ws, integration, P::Text(series.uid.as_str()), P::Int(series.revision)];
            match again {
                None => db.run(&DUE_DONE, &by).await?,
                Some(at) => {
                    let [ws, integration, uid, revision] = by;
                    let tries = P::Int(series.tries.into());
                    db.run(&DUE_AGAIN, &[ws, integration, uid, revision, P::time(*at), tries]).await?
                }
            };
        }
        mails::add(db, &save.workspace, &save.integration, &save.mails, save.now).await?;
        let lines: Vec<Line<'_>> =
            save.journal.iter().map(|entry| Line::of_integration(&save.workspace, &save.integration, entry)).collect();
        journal::write(db, &lines).await?;
        Ok(true)
    }
}

/// Which meetings are asked for as a whole.
enum Which {
    /// Those in the CRM that begin later.
    Ahead(Timestamp),
    /// Those of which a write is on its way that guests are to be mailed of.
    Untold,
}

struct Whole {
    workspace: WorkspaceId,
    integration: IntegrationId,
    which: Which,
    limit: usize,
}

impl Op for Whole {
    type Out = Vec<StoredMeeting>;
    const READS: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<Self::Out> {
        let limit = P::Int(i64::try_from(self.limit).unwrap_or(i64::MAX));
        let [ws, integration] = [P::Text(self.workspace.as_str()), P::Text(self.integration.as_str())];
        let rows = match self.which {
            Which::Ahead(now) => db.rows(&MEETINGS_AHEAD, &[ws, integration, P::time(now), limit]).await?,
            Which::Untold => db.rows(&MEETINGS_UNTOLD, &[ws, integration, limit]).await?,
        };
        rows.into_iter().map(meeting_of).filter(is_readable).collect()
    }
}

struct List {
    workspace: WorkspaceId,
    integration: IntegrationId,
    filter: MeetingFilter,
    from: Place,
    limit: usize,
}

/// Where a list begins, and which way it goes.
enum Place {
    /// Behind this number, the oldest first.
    After(i64),
    /// Before this number, the newest first.
    Before(i64),
}

impl Op for List {
    type Out = Vec<MeetingView>;
    const READS: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<Vec<MeetingView>> {
        let (from, [all, held, of_verdict, left_out]) = match self.from {
            Place::After(id) => (id, [&MEETINGS_PAGE, &MEETINGS_HELD, &MEETINGS_OF_VERDICT, &MEETINGS_LEFT_OUT]),
            Place::Before(id) => (id, [&NEWEST, &NEWEST_HELD, &NEWEST_OF_VERDICT, &NEWEST_LEFT_OUT]),
        };
        let limit = P::Int(i64::try_from(self.limit).unwrap_or(i64::MAX));
        let by = [P::Text(self.workspace.as_str()), P::Text(self.integration.as_str()), P::Int(from), limit];
        let [ws, integration, from, limit] = by;
        let with = |word| [ws, integration, from, limit, P::Text(word)];
        let rows = match &self.filter {
            MeetingFilter::All => db.rows(all, &by).await?,
            MeetingFilter::Held => db.rows(held, &by).await?,
            MeetingFilter::Verdict(word) => db.rows(of_verdict, &with(word)).await?,
            MeetingFilter::LeftOut => db.rows(left_out, &with(MeetingFilter::LOGGED)).await?,
        };
        let view = |mut row: Row| {
            let key = key_of(&row.text(1)?, &row.text(2)?)?;
            let links: Links = row.json(4)?;
            let record = links.get(&Slot::Meeting).map(|link| link.id.clone());
            Ok(MeetingView { id: row.int(0)?, key, state: row.json(3)?, record, people: people(&links) })
        };
        rows.into_iter().map(view).filter(is_readable).collect()
    }
}

struct Counts {
    workspace: WorkspaceId,
    integration: IntegrationId,
}

impl Op for Counts {
    type Out = MeetingCounts;
    const READS: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<MeetingCounts> {
        let by = [P::Text(self.workspace.as_str()), P::Text(self.integration.as_str())];
        let count = |row: &Row, at: usize| Ok::<_, Error>(u64::try_from(row.int(at)?).unwrap_or_default());
        let mut counts = MeetingCounts::default();
        for mut row in db.rows(&VERDICTS, &by).await? {
            counts.verdicts.insert(row.text(0)?, count(&row, 1)?);
        }
        if let Some(row) = db.row(&HELD_COUNT, &by).await? {
            counts.held = count(&row, 0)?;
        }
        counts.next_at = db.row(&DUE_NEXT, &by).await?.map(|row| row.opt_time(0)).transpose()?.flatten();
        Ok(counts)
    }
}

struct Retry {
    workspace: WorkspaceId,
    integration: IntegrationId,
    now: Timestamp,
}

impl Op for Retry {
    type Out = usize;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<usize> {
        let [ws, integration] = [P::Text(self.workspace.as_str()), P::Text(self.integration.as_str())];
        let uids = db.rows(&HELD_UIDS, &[ws, integration]).await?.into_iter().map(|mut row| row.text(0));
        let uids: Vec<String> = uids.collect::<Result<_>>()?;
        let due: Vec<_> = uids.iter().map(|uid| [ws, integration, P::Text(uid), P::time(self.now)]).collect();
        db.each(&DUE_ADD, &due).await?;
        let mails = mails::again(db, &self.workspace, &self.integration, self.now).await?;
        Ok(uids.len().saturating_add(usize::try_from(mails).unwrap_or(usize::MAX)))
    }
}

/// Who stands on a meeting's record, as far as their addresses are known. That of the meeting comes before the others'.
fn people(links: &Links) -> Vec<String> {
    let mut people: Vec<String> = Vec::new();
    for link in links.values() {
        let email = link.image.get(&Std::Email.into()).and_then(Value::as_text);
        people.extend(email.filter(|email| !people.iter().any(|known| known == email)).map(str::to_owned));
    }
    people
}

impl Store {
    /// Series and single meetings that are due, those that have waited longest first.
    pub async fn due_series(
        &self,
        workspace: &WorkspaceId,
        integration: &IntegrationId,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<DueSeries>> {
        self.run(Due { workspace: workspace.clone(), integration: integration.clone(), now, limit }).await
    }

    /// Every calendar's copies of a series or single meeting, and what became of its meetings.
    pub async fn series(
        &self,
        workspace: &WorkspaceId,
        integration: &IntegrationId,
        uid: &Uid,
    ) -> Result<(Vec<StoredCopy>, Vec<StoredMeeting>)> {
        let series = Series { workspace: workspace.clone(), integration: integration.clone(), uid: uid.clone() };
        self.run(series).await
    }

    /// Meetings that are in the CRM and begin later, those first that begin first.
    pub async fn meetings_ahead(
        &self,
        workspace: &WorkspaceId,
        integration: &IntegrationId,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<StoredMeeting>> {
        let (workspace, integration) = (workspace.clone(), integration.clone());
        self.run(Whole { workspace, integration, which: Which::Ahead(now), limit }).await
    }

    /// Meetings of which a write is on its way that guests are to be mailed of.
    pub async fn untold_meetings(
        &self,
        workspace: &WorkspaceId,
        integration: &IntegrationId,
        limit: usize,
    ) -> Result<Vec<StoredMeeting>> {
        let (workspace, integration) = (workspace.clone(), integration.clone());
        self.run(Whole { workspace, integration, which: Which::Untold, limit }).await
    }

    /// Meetings of an integration, in the order in which they became known, behind `after`.
    pub async fn meetings(
        &self,
        workspace: &WorkspaceId,
        integration: &IntegrationId,
        filter: MeetingFilter,
        after: i64,
        limit: usize,
    ) -> Result<Vec<MeetingView>> {
        let (workspace, integration, from) = (workspace.clone(), integration.clone(), Place::After(after));
        self.run(List { workspace, integration, filter, from, limit }).await
    }

    /// The same with those first that became known last, and older ones than `before`.
    pub async fn newest_meetings(
        &self,
        workspace: &WorkspaceId,
        integration: &IntegrationId,
        filter: MeetingFilter,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<MeetingView>> {
        let from = Place::Before(before.unwrap_or(i64::MAX));
        let (workspace, integration) = (workspace.clone(), integration.clone());
        self.run(List { workspace, integration, filter, from, limit }).await
    }

    /// How the meetings of an integration stand.
    pub async fn meeting_counts(&self, workspace: &WorkspaceId, integration: &IntegrationId) -> Result<MeetingCounts> {
        self.run(Counts { workspace: workspace.clone(), integration: integration.clone() }).await
    }

    /// Has those meetings looked at again about which a person had to do something, and those mails sent again that were
    /// refused or got lost; how many there are.
    pub async fn retry_meetings(
        &self,
        workspace: &WorkspaceId,
        integration: &IntegrationId,
        now: Timestamp,
    ) -> Result<usize> {
        self.run(Retry { workspace: workspace.clone(), integration: integration.clone(), now }).await
    }

    /// Stores a decision. Nothing, and `false`, where the lease is another's by now. A series that was told of anew since
    /// it was read stays due.
    pub async fn save_meetings(&self, save: SaveMeetings) -> Result<bool> {
        self.run(Save(save)).await
    }
}
