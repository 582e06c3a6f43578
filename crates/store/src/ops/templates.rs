//! Templates and their versions. What a template says is the caller's; here it is text that somebody saved.

use jiff::Timestamp;
use syncline_core::ids::WorkspaceId;

use super::{
    claim::lock_workspace,
    journal::{self, Line},
};
use crate::{
    Activation, ActiveTemplate, JournalEntry, JournalKind, Saved, Store, TemplateEvent, TemplateRow, TemplateText,
    db::{Db, Op, P, Row, Scope, statements},
    error::Result,
};

/// Versions of all templates that one workspace lists, newest first within each; more are not listed, nor are they lost.
const VERSIONS_MAX: i64 = 2_000;
/// Events shown at once.
const EVENTS_MAX: i64 = 200;
/// How many steps back are remembered for a meeting type.
const STEPS_BACK_MAX: i64 = 50;
/// Rows of what is in force, with all steps back: four hundred meeting types that were changed fifty times.
const ACTIVE_MAX: i64 = 20_000;

statements! {
    VERSION_ADD = "insert into template (workspace, kind, name, version, source, at, who) values (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    VERSION_NEWEST = "select version from template where workspace = ?1 and kind = ?2 and name = ?3 order by version desc limit 1";
    VERSION_GET = "select version, source, at, who from template where workspace = ?1 and kind = ?2 and name = ?3 and version = ?4";
    VERSIONS = "select kind, name, version, at, who from template where workspace = ?1 order by kind, name, version limit ?2";
    ACTIVE_TOP = "select seq, name, version from template_active where workspace = ?1 and kind = ?2 and meeting_type = ?3 \
        order by seq desc limit 2";
    ACTIVE_ADD = "insert into template_active (workspace, kind, meeting_type, seq, name, version) values (?1, ?2, ?3, ?4, ?5, ?6)";
    ACTIVE_POP = "delete from template_active where workspace = ?1 and kind = ?2 and meeting_type = ?3 and seq = ?4";
    ACTIVE_TRIM = "delete from template_active where workspace = ?1 and kind = ?2 and meeting_type = ?3 and seq <= ?4";
    ACTIVE_ALL = "select a.kind, a.meeting_type, a.name, a.version, t.source from template_active a \
        left join template t on t.workspace = a.workspace and t.kind = a.kind and t.name = a.name and t.version = a.version \
        where a.workspace = ?1 order by a.kind, a.meeting_type, a.seq limit ?2";
    EVENT_ADD = "insert into template_event (workspace, at, who, action, kind, name, version, meeting_type) \
        values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    EVENTS_NEWEST = "select id, at, who, action, kind, name, version, meeting_type from template_event where workspace = ?1 \
        order by id desc limit ?2";
}

/// What somebody did, about which the journal and the history tell.
#[derive(Clone)]
struct Deed {
    workspace: WorkspaceId,
    kind: String,
    name: String,
    version: i64,
    meeting_type: Option<String>,
    at: Timestamp,
    who: String,
}

impl Deed {
    async fn record<D: Db>(&self, db: &mut D, action: &str, told: Option<String>) -> Result<()> {
        let params = [
            P::Text(self.workspace.as_str()),
            P::time(self.at),
            P::Text(&self.who),
            P::Text(action),
            P::Text(&self.kind),
            P::Text(&self.name),
            P::Int(self.version),
            P::opt_text(self.meeting_type.as_deref()),
        ];
        db.run(&EVENT_ADD, &params).await?;
        let Some(text) = told else { return Ok(()) };
        let details = serde_json::json!({
            "template": self.name, "kind": self.kind, "version": self.version,
            "meeting_type": self.meeting_type, "who": self.who,
        });
        let entry = JournalEntry { at: self.at, kind: JournalKind::Operator, text, details };
        journal::write(db, &[Line { workspace: &self.workspace, chain: None, integration: None, entry: &entry }]).await
    }

    fn place(&self) -> [P<'_>; 3] {
        let meeting_type = self.meeting_type.as_deref().unwrap_or_default();
        [P::Text(self.workspace.as_str()), P::Text(&self.kind), P::Text(meeting_type)]
    }

    /// The sentence of the activity log.
    fn told(&self, done: &str) -> String {
        let whom = match self.meeting_type.as_deref().filter(|meeting_type| !meeting_type.is_empty()) {
            Some(meeting_type) => format!("the meeting type {meeting_type}"),
            None => "all meeting types that have none of their own".to_owned(),
        };
        match self.version {
            0 => format!("{} {done} the built-in {} template for {whom}", self.who, self.kind),
            version => {
                format!("{} {done} version {version} of the {} template {} for {whom}", self.who, self.kind, self.name)
            }
        }
    }
}

struct Save {
    deed: Deed,
    source: String,
    /// The newest version that the editor knew.
    base: i64,
}

impl Op for Save {
    type Out = Saved;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.deed.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<Saved> {
        let deed = &self.deed;
        lock_workspace(db, &deed.workspace).await?;
        let newest = newest(db, deed).await?;
        if newest != self.base {
            return Ok(Saved::Outdated { newest });
        }
        let deed = Deed { version: newest + 1, ..deed.clone() };
        let params = [
            P::Text(deed.workspace.as_str()),
            P::Text(&deed.kind),
            P::Text(&deed.name),
            P::Int(deed.version),
            P::Text(&self.source),
            P::time(deed.at),
            P::Text(&deed.who),
        ];
        db.run(&VERSION_ADD, &params).await?;
        deed.record(db, "saved", None).await?;
        Ok(Saved::As { version: deed.version })
    }
}

async fn newest<D: Db>(db: &mut D, deed: &Deed) -> Result<i64> {
    let params = [P::Text(deed.workspace.as_str()), P::Text(&deed.kind), P::Text(&deed.name)];
    db.row(&VERSION_NEWEST, &params).await?.map_or(Ok(0), |row| row.int(0))
}

struct Activate(Deed);

impl Op for Activate {
    type Out = bool;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.0.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<bool> {
        let deed = &self.0;
        lock_workspace(db, &deed.workspace).await?;
        let [workspace, kind, meeting_type] = deed.place();
        if deed.version != 0 {
            let params = [workspace, kind, P::Text(&deed.name), P::Int(deed.version)];
            if db.row(&VERSION_GET, &params).await?.is_none() {
                return Ok(false);
            }
        }
        let top = db.row(&ACTIVE_TOP, &[workspace, kind, meeting_type]).await?;
        let mut seq = 1;
        if let Some(mut top) = top {
            if top.text(1)? == deed.name && top.int(2)? == deed.version {
                return Ok(true);
            }
            seq = top.int(0)? + 1;
        }
        let params = [workspace, kind, meeting_type, P::Int(seq), P::Text(&deed.name), P::Int(deed.version)];
        db.run(&ACTIVE_ADD, &params).await?;
        db.run(&ACTIVE_TRIM, &[workspace, kind, meeting_type, P::Int(seq - STEPS_BACK_MAX)]).await?;
        deed.record(db, "activated", Some(deed.told("activated"))).await?;
        Ok(true)
    }
}

struct RollBack(Deed);

impl Op for RollBack {
    type Out = Option<Activation>;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.0.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<Option<Activation>> {
        let deed = &self.0;
        lock_workspace(db, &deed.workspace).await?;
        let [workspace, kind, meeting_type] = deed.place();
        let mut rows = db.rows(&ACTIVE_TOP, &[workspace, kind, meeting_type]).await?.into_iter();
        let Some(top) = rows.next() else { return Ok(None) };
        db.run(&ACTIVE_POP, &[workspace, kind, meeting_type, P::Int(top.int(0)?)]).await?;
        let (name, version) = match rows.next() {
            Some(mut before) => (before.text(1)?, before.int(2)?),
            None => (String::new(), 0),
        };
        let deed = Deed { name: name.clone(), version, ..deed.clone() };
        deed.record(db, "rolled_back", Some(deed.told("went back to"))).await?;
        Ok(Some(Activation { name, version }))
    }
}

struct List {
    workspace: WorkspaceId,
}

impl Op for List {
    type Out = Vec<TemplateRow>;
    const READS: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<Self::Out> {
        let rows = db.rows(&VERSIONS, &[P::Text(self.workspace.as_str()), P::Int(VERSIONS_MAX)]).await?;
        let mut out: Vec<TemplateRow> = Vec::new();
        for mut row in rows {
            let (kind, name, version, at, who) = (row.text(0)?, row.text(1)?, row.int(2)?, row.time(3)?, row.text(4)?);
            match out.last_mut().filter(|last| last.kind == kind && last.name == name) {
                Some(last) => (last.newest, last.at, last.who) = (version, at, who),
                None => out.push(TemplateRow { kind, name, newest: version, at, who }),
            }
        }
        Ok(out)
    }
}

struct Get {
    workspace: WorkspaceId,
    kind: String,
    name: String,
    version: Option<i64>,
}

impl Op for Get {
    type Out = Option<TemplateText>;
    const READS: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<Self::Out> {
        let [workspace, kind, name] = [P::Text(self.workspace.as_str()), P::Text(&self.kind), P::Text(&self.name)];
        let version = match self.version {
            Some(version) => version,
            None => match db.row(&VERSION_NEWEST, &[workspace, kind, name]).await? {
                Some(row) => row.int(0)?,
                None => return Ok(None),
            },
        };
        let row = db.row(&VERSION_GET, &[workspace, kind, name, P::Int(version)]).await?;
        row.map(|mut row: Row| {
            Ok(TemplateText { version: row.int(0)?, source: row.text(1)?, at: row.time(2)?, who: row.text(3)? })
        })
        .transpose()
    }
}

struct Active {
    workspace: WorkspaceId,
}

impl Op for Active {
    type Out = Vec<ActiveTemplate>;
    const READS: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<Self::Out> {
        let rows = db.rows(&ACTIVE_ALL, &[P::Text(self.workspace.as_str()), P::Int(ACTIVE_MAX)]).await?;
        let mut out: Vec<ActiveTemplate> = Vec::new();
        for mut row in rows {
            let active = ActiveTemplate {
                kind: row.text(0)?,
                meeting_type: row.text(1)?,
                name: row.text(2)?,
                version: row.int(3)?,
                source: row.opt_text(4)?,
            };
            // The rows of one meeting type come with the one in force last.
            if out.last().is_some_and(|last| last.kind == active.kind && last.meeting_type == active.meeting_type) {
                out.pop();
            }
            out.push(active);
        }
        Ok(out)
    }
}

struct Events {
    workspace: WorkspaceId,
    limit: i64,
}

impl Op for Events {
    type Out = Vec<TemplateEvent>;
    const READS: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<Self::Out> {
        let rows = db.rows(&EVENTS_NEWEST, &[P::Text(self.workspace.as_str()), P::Int(self.limit)]).await?;
        let event = |mut row: Row| {
            Ok(TemplateEvent {
                id: row.int(0)?,
                at: row.time(1)?,
                who: row.text(2)?,
                action: row.text(3)?,
                kind: row.text(4)?,
                name: row.text(5)?,
                version: row.int(6)?,
                meeting_type: row.opt_text(7)?,
            })
        };
        rows.into_iter().map(event).collect()
    }
}

impl Store {
    /// All templates that somebody saved, each with its newest version.
    pub async fn templates(&self, workspace: &WorkspaceId) -> Result<Vec<TemplateRow>> {
        self.run(List { workspace: workspace.clone() }).await
    }

    /// One version of a template, the newest where none is named.
    pub async fn template(
        &self,
        workspace: &WorkspaceId,
        kind: &str,
        name: &str,
        version: Option<i64>,
    ) -> Result<Option<TemplateText>> {
        self.run(Get { workspace: workspace.clone(), kind: kind.to_owned(), name: name.to_owned(), version }).await
    }

    /// Saves a new version, unless somebody else saved one since `base` (0 for a new template).
    #[expect(clippy::too_many_arguments, reason = "each is another kind of thing, and a struct would be built once")]
    pub async fn save_template(
        &self,
        workspace: &WorkspaceId,
        kind: &str,
        name: &str,
        source: &str,
        base: i64,
        who: &str,
        at: Timestamp,
    ) -> Result<Saved> {
        // Its row is what two editors take turns at.
        self.data_key(workspace).await?;
        let deed = deed(workspace, kind, (name, 0), None, who, at);
        self.run(Save { deed, source: source.to_owned(), base }).await
    }

    /// Puts a version in force for a meeting type, or for all that have none of their own (`""`). `false` where there
    /// is no such version. Version 0 is the built-in one.
    #[expect(clippy::too_many_arguments, reason = "each is another kind of thing, and a struct would be built once")]
    pub async fn activate_template(
        &self,
        workspace: &WorkspaceId,
        kind: &str,
        meeting_type: &str,
        name: &str,
        version: i64,
        who: &str,
        at: Timestamp,
    ) -> Result<bool> {
        self.data_key(workspace).await?;
        self.run(Activate(deed(workspace, kind, (name, version), Some(meeting_type), who, at))).await
    }

    /// Puts in force what was before; `None` where nothing but the built-in one ever was.
    pub async fn roll_back_template(
        &self,
        workspace: &WorkspaceId,
        kind: &str,
        meeting_type: &str,
        who: &str,
        at: Timestamp,
    ) -> Result<Option<Activation>> {
        self.data_key(workspace).await?;
        self.run(RollBack(deed(workspace, kind, ("", 0), Some(meeting_type), who, at))).await
    }

    /// What is in force, one for each kind and meeting type that ever had another than the built-in one.
    pub async fn active_templates(&self, workspace: &WorkspaceId) -> Result<Vec<ActiveTemplate>> {
        self.run(Active { workspace: workspace.clone() }).await
    }

    /// What was saved, activated and taken back, newest first.
    pub async fn template_events(&self, workspace: &WorkspaceId) -> Result<Vec<TemplateEvent>> {
        self.run(Events { workspace: workspace.clone(), limit: EVENTS_MAX }).await
    }

    /// A number that changes whenever something about templates does: what is cached is current as long as it stays.
    pub async fn template_revision(&self, workspace: &WorkspaceId) -> Result<i64> {
        let newest = self.run(Events { workspace: workspace.clone(), limit: 1 }).await?;
        Ok(newest.first().map_or(0, |event| event.id))
    }
}

fn deed(
    workspace: &WorkspaceId,
    kind: &str,
    (name, version): (&str, i64),
    meeting_type: Option<&str>,
    who: &str,
    at: Timestamp,
) -> Deed {
    Deed {
        workspace: workspace.clone(),
        kind: kind.to_owned(),
        name: name.to_owned(),
        version,
        meeting_type: meeting_type.map(str::to_owned),
        at,
        who: who.to_owned(),
    }
}
