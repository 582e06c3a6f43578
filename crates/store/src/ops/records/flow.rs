//! How an integration stands, how far each side has been read, and how much there is of everything.

use jiff::Timestamp;
use syncline_core::{
    ids::{IntegrationId, WorkspaceId},
    merge::Side,
};

use super::{
    Flow,
    columns::{count_of, side_column, side_of},
};
use crate::{
    FlowCounts, FlowStanding, FlowState, JournalEntry, NewAlert, PullPhase, PullState, Store,
    db::{Db, Op, P, Row, Scope, statements},
    error::{Error, Result},
    ops::{
        alerts,
        journal::{self, Line},
    },
};

statements! {
    FLOW_GET = "select standing, reason, changed_at, agreed_by, agreed_at, since, agreed_text from record_flow \
        where workspace = ?1 and integration = ?2";
    FLOW_SET = "insert into record_flow (workspace, integration, standing, reason, changed_at, agreed_by, agreed_at, since, \
        agreed_text) values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) on conflict (workspace, integration) do update set \
        standing = excluded.standing, reason = excluded.reason, changed_at = excluded.changed_at, \
        agreed_by = excluded.agreed_by, agreed_at = excluded.agreed_at, since = excluded.since, \
        agreed_text = excluded.agreed_text";
    ACTIVE = "select 1 from record_flow where workspace = ?1 and integration = ?2 and standing = 'active'";
    PULLS = "select side, kind, phase, cursor, next_at, failures, problem, read_at, sweep, changes_cursor, swept_at, fields \
        from record_pull where workspace = ?1 and integration = ?2 order by side, kind";
    PULL_SET = "insert into record_pull (workspace, integration, side, kind, phase, cursor, next_at, failures, problem, \
        read_at, sweep, changes_cursor, swept_at, fields) values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14) \
        on conflict (workspace, integration, side, kind) do update set phase = excluded.phase, cursor = excluded.cursor, \
        next_at = excluded.next_at, failures = excluded.failures, problem = excluded.problem, read_at = excluded.read_at, \
        sweep = excluded.sweep, changes_cursor = excluded.changes_cursor, swept_at = excluded.swept_at, \
        fields = excluded.fields";
    PULL_SOON = "update record_pull set next_at = ?3 where workspace = ?1 and integration = ?2 and next_at > ?3";
    PULL_SIDE_SOON = "update record_pull set next_at = ?4 \
        where workspace = ?1 and integration = ?2 and side = ?3 and next_at > ?4";
    TALLY = "select entries_left, entries_right, links from record_tally where workspace = ?1 and integration = ?2";
    COUNT_DUE = "select count(*) from record_entry where workspace = ?1 and integration = ?2 and due_at is not null";
    COUNT_HELD = "select count(*) from record_hold where workspace = ?1 and integration = ?2";
    COUNT_STEPS = "select count(*) from record_step where workspace = ?1 and integration = ?2";
    NEXT_DUE = "select due_at from record_entry e where workspace = ?1 and integration = ?2 and due_at is not null \
        and not exists (select 1 from record_step s where s.workspace = e.workspace and s.link = e.link) \
        order by due_at limit 1";
    NEXT_LOOK = "select look_at from record_step where workspace = ?1 and integration = ?2 order by look_at limit 1";
}

fn standing_word(standing: FlowStanding) -> &'static str {
    match standing {
        FlowStanding::Draft => "draft",
        FlowStanding::Active => "active",
        FlowStanding::Paused => "paused",
        FlowStanding::Stopped => "stopped",
    }
}

fn standing_of(word: &str) -> Result<FlowStanding> {
    match word {
        "draft" => Ok(FlowStanding::Draft),
        "active" => Ok(FlowStanding::Active),
        "paused" => Ok(FlowStanding::Paused),
        "stopped" => Ok(FlowStanding::Stopped),
        _ => Err(Error::corrupt("how an integration stands is unknown")),
    }
}

fn phase_word(phase: PullPhase) -> &'static str {
    match phase {
        PullPhase::First => "first",
        PullPhase::Changes => "changes",
        PullPhase::Sweep => "sweep",
    }
}

fn phase_of(word: &str) -> Result<PullPhase> {
    match word {
        "first" => Ok(PullPhase::First),
        "changes" => Ok(PullPhase::Changes),
        "sweep" => Ok(PullPhase::Sweep),
        _ => Err(Error::corrupt("what is being read is unknown")),
    }
}

/// Whether the integration is kept in step right now.
pub(super) async fn is_active<D: Db>(db: &mut D, flow: &Flow) -> Result<bool> {
    Ok(db.row(&ACTIVE, &flow.key()).await?.is_some())
}

struct Standing {
    flow: Flow,
}

impl Op for Standing {
    type Out = Option<FlowState>;
    const READS: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.flow.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<Self::Out> {
        let Some(mut row) = db.row(&FLOW_GET, &self.flow.key()).await? else { return Ok(None) };
        Ok(Some(FlowState {
            standing: standing_of(&row.text(0)?)?,
            reason: row.opt_text(1)?,
            changed_at: row.time(2)?,
            agreed: row.opt_text(3)?.zip(row.opt_time(4)?),
            since: row.opt_time(5)?,
            agreed_text: row.opt_text(6)?,
        }))
    }
}

struct SetStanding {
    flow: Flow,
    state: FlowState,
    journal: Option<JournalEntry>,
    alert: Option<NewAlert>,
}

impl Op for SetStanding {
    type Out = ();

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.flow.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<()> {
        let ([ws, integration], state) = (self.flow.key(), &self.state);
        let params = [
            ws,
            integration,
            P::Text(standing_word(state.standing)),
            P::opt_text(state.reason.as_deref()),
            P::time(state.changed_at),
            P::opt_text(state.agreed.as_ref().map(|(who, _)| who.as_str())),
            P::opt_time(state.agreed.as_ref().map(|(_, at)| *at)),
            P::opt_time(state.since),
            P::opt_text(state.agreed_text.as_deref()),
        ];
        db.run(&FLOW_SET, &params).await?;
        let lines: Vec<_> = self
            .journal
            .iter()
            .map(|entry| Line::of_integration(&self.flow.workspace, &self.flow.integration, entry))
            .collect();
        journal::write(db, &lines).await?;
        alerts::add(db, &self.flow.workspace, self.alert.as_slice()).await
    }
}

struct Pulls {
    flow: Flow,
}

impl Op for Pulls {
    type Out = Vec<PullState>;
    const READS: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.flow.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<Self::Out> {
        pulls(db, &self.flow).await
    }
}

/// The pulls of an integration: one per kind and side, so they are few.
pub(super) async fn pulls<D: Db>(db: &mut D, flow: &Flow) -> Result<Vec<PullState>> {
    db.rows(&PULLS, &flow.key()).await?.into_iter().map(pull_of).collect()
}

fn pull_of(mut row: Row) -> Result<PullState> {
    Ok(PullState {
        side: side_of(row.int(0)?)?,
        kind: row.text(1)?,
        phase: phase_of(&row.text(2)?)?,
        cursor: row.opt_text(3)?,
        next_at: row.time(4)?,
        failures: count_of(row.int(5)?),
        problem: row.opt_text(6)?,
        read_at: row.opt_time(7)?,
        sweep: row.int(8)?,
        changes_cursor: row.opt_text(9)?,
        swept_at: row.opt_time(10)?,
        fields: row.opt_text(11)?,
    })
}

/// Stores the pulls as they are now.
pub(super) async fn set_pulls<D: Db>(db: &mut D, flow: &Flow, pulls: &[PullState]) -> Result<()> {
    let [ws, integration] = flow.key();
    let sets: Vec<_> = pulls
        .iter()
        .map(|pull| {
            [
                ws,
                integration,
                side_column(pull.side),
                P::Text(&pull.kind),
                P::Text(phase_word(pull.phase)),
                P::opt_text(pull.cursor.as_deref()),
                P::time(pull.next_at),
                P::Int(pull.failures.into()),
                P::opt_text(pull.problem.as_deref()),
                P::opt_time(pull.read_at),
                P::Int(pull.sweep),
                P::opt_text(pull.changes_cursor.as_deref()),
                P::opt_time(pull.swept_at),
                P::opt_text(pull.fields.as_deref()),
            ]
        })
        .collect();
    db.each(&PULL_SET, &sets).await?;
    Ok(())
}

struct ReadSoon {
    flow: Flow,
    side: Option<Side>,
    now: Timestamp,
}

impl Op for ReadSoon {
    type Out = ();

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.flow.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<()> {
        let [ws, integration] = self.flow.key();
        let now = P::time(self.now);
        match self.side {
            Some(side) => db.run(&PULL_SIDE_SOON, &[ws, integration, side_column(side), now]).await?,
            None => db.run(&PULL_SOON, &[ws, integration, now]).await?,
        };
        Ok(())
    }
}

struct Counts {
    flow: Flow,
}

impl Op for Counts {
    type Out = FlowCounts;
    const READS: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.flow.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<FlowCounts> {
        let key = self.flow.key();
        let mut counts = FlowCounts::default();
        if let Some(row) = db.row(&TALLY, &key).await? {
            counts.left = row.int(0)?.unsigned_abs();
            counts.right = row.int(1)?.unsigned_abs();
            counts.links = row.int(2)?.unsigned_abs();
        }
        for (sql, count) in
            [(&COUNT_DUE, &mut counts.due), (&COUNT_HELD, &mut counts.held), (&COUNT_STEPS, &mut counts.open_steps)]
        {
            *count = db.row(sql, &key).await?.map_or(Ok(0), |row| row.int(0))?.unsigned_abs();
        }
        Ok(counts)
    }
}

struct NextDue {
    flow: Flow,
}

impl Op for NextDue {
    type Out = Option<Timestamp>;
    const READS: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.flow.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<Self::Out> {
        let mut times: Vec<Timestamp> = pulls(db, &self.flow).await?.iter().map(|pull| pull.next_at).collect();
        for sql in [&NEXT_DUE, &NEXT_LOOK] {
            if let Some(row) = db.row(sql, &self.flow.key()).await? {
                times.push(row.time(0)?);
            }
        }
        Ok(times.into_iter().min())
    }
}

impl Store {
    /// How an integration stands; nothing where nobody ever said.
    pub async fn flow_state(&self, workspace: &WorkspaceId, integration: &IntegrationId) -> Result<Option<FlowState>> {
        self.run(Standing { flow: Flow::new(workspace, integration) }).await
    }

    /// Says how an integration stands from now on, together with the line that tells of it.
    pub async fn set_flow(
        &self,
        workspace: &WorkspaceId,
        integration: &IntegrationId,
        state: FlowState,
        journal: Option<JournalEntry>,
    ) -> Result<()> {
        self.run(SetStanding { flow: Flow::new(workspace, integration), state, journal, alert: None }).await
    }

    /// The same for an integration that stops by itself, together with what people are told of it.
    pub async fn stop_flow(
        &self,
        workspace: &WorkspaceId,
        integration: &IntegrationId,
        state: FlowState,
        journal: JournalEntry,
        alert: NewAlert,
    ) -> Result<()> {
        let (journal, alert) = (Some(journal), Some(alert));
        self.run(SetStanding { flow: Flow::new(workspace, integration), state, journal, alert }).await
    }

    /// How far each kind of each side has been read.
    pub async fn pulls(&self, workspace: &WorkspaceId, integration: &IntegrationId) -> Result<Vec<PullState>> {
        self.run(Pulls { flow: Flow::new(workspace, integration) }).await
    }

    /// Has every kind of both sides, or of one, read at this time at the latest.
    pub async fn read_soon(
        &self,
        workspace: &WorkspaceId,
        integration: &IntegrationId,
        side: Option<Side>,
        now: Timestamp,
    ) -> Result<()> {
        self.run(ReadSoon { flow: Flow::new(workspace, integration), side, now }).await
    }

    /// How much there is of everything. Entries and links are not counted but known; what is due, held or open is
    /// counted in indexes that hold nothing else.
    pub async fn flow_counts(&self, workspace: &WorkspaceId, integration: &IntegrationId) -> Result<FlowCounts> {
        self.run(Counts { flow: Flow::new(workspace, integration) }).await
    }

    /// When there is next something to read, to decide about or to look at, the past included.
    pub async fn flow_next_due(
        &self,
        workspace: &WorkspaceId,
        integration: &IntegrationId,
    ) -> Result<Option<Timestamp>> {
        self.run(NextDue { flow: Flow::new(workspace, integration) }).await
    }
}
