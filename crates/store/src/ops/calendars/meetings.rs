//! Meetings: which series are due, all copies of them, and what was decided. A decision is stored only by whoever holds the
//! integration's lease, and does not undo news that came meanwhile.

use jiff::Timestamp;
use syncline_core::{
    calendar::{
        eligible::Verdict,
        identity::{MeetingKey, Uid},
    },
    ids::{IntegrationId, WorkspaceId},
};

use super::{COPIES_OF, copy_of};
use crate::{
    DueSeries, SaveMeetings, Store, StoredCopy, StoredMeeting,
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
    MEETING_PUT = "insert into calendar_meeting (workspace, integration, uid, rid, verdict, state, links, plan) \
        values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) on conflict (workspace, integration, uid, rid) do update set \
        verdict = excluded.verdict, state = excluded.state, links = excluded.links, plan = excluded.plan";
}

/// The word of a verdict that people filter by.
fn word(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Log => "log",
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

fn meeting_of(mut row: Row) -> Result<StoredMeeting> {
    let rid = row.text(1)?.parse().map_err(|_| Error::corrupt("which occurrence a meeting is cannot be read"))?;
    Ok(StoredMeeting {
        key: MeetingKey { uid: uid_of(&row.text(0)?)?, rid },
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
        for meeting in &save.meetings {
            let (rid, state) = (meeting.key.rid.to_string(), to_json(&meeting.state)?);
            let (links, plan) = (to_json(&meeting.links)?, meeting.plan.as_ref().map(to_json).transpose()?);
            let set = [
                ws,
                integration,
                P::Text(meeting.key.uid.as_str()),
                P::Text(&rid),
                P::Text(word(&meeting.state.verdict)),
                P::Blob(&state),
                P::Blob(&links),
                P::opt_blob(plan.as_deref()),
            ];
            db.run(&MEETING_PUT, &set).await?;
        }
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
        let lines: Vec<Line<'_>> =
            save.journal.iter().map(|entry| Line::of_integration(&save.workspace, &save.integration, entry)).collect();
        journal::write(db, &lines).await?;
        Ok(true)
    }
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

    /// Stores a decision. Nothing, and `false`, where the lease is another's by now. A series that was told of anew since
    /// it was read stays due.
    pub async fn save_meetings(&self, save: SaveMeetings) -> Result<bool> {
        self.run(Save(save)).await
    }
}
