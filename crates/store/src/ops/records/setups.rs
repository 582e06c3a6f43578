//! Integrations that were written through the API: text that somebody saved, which others of the same database notice by a
//! number that grows. What the text says is the caller's.

use syncline_core::ids::{IntegrationId, WorkspaceId};

use super::{Flow, flow::is_active};
use crate::{
    IntegrationSetup, JournalEntry, SetupKind, SetupSaved, Store,
    db::{Db, Op, P, Row, Scope, statements},
    error::Result,
    ops::{
        claim::lock_workspace,
        journal::{self, Line},
    },
};

/// Integrations of one workspace that are written through the API.
pub const SETUPS_MAX: usize = 200;

/// Under which name the number stands that grows with every change.
const REVISION: &str = "record setups";

statements! {
    SETUP_GET = "select version, kind from record_setup where workspace = ?1 and integration = ?2";
    SETUP_COUNT = "select count(*) from record_setup where workspace = ?1";
    SETUP_SET = "insert into record_setup (workspace, integration, source, version, at, who, kind) \
        values (?1, ?2, ?3, ?4, ?5, ?6, ?7) \
        on conflict (workspace, integration) do update set source = excluded.source, version = excluded.version, \
        at = excluded.at, who = excluded.who";
    SETUP_DROP = "delete from record_setup where workspace = ?1 and integration = ?2";
    SETUPS = "select integration, source, version, at, who from record_setup where workspace = ?1 \
        and kind = ?2 order by integration limit ?3";
    SETUPS_REVISION = "select value from cursor_at where workspace = ?1 and name = ?2";
    SETUPS_CHANGED = "insert into cursor_at (workspace, name, value) values (?1, ?2, ?3) \
        on conflict (workspace, name) do update set value = excluded.value";
}

struct Save {
    flow: Flow,
    kind: SetupKind,
    /// Nothing drops it.
    source: Option<Vec<u8>>,
    /// The version that the editor knew.
    known: Option<i64>,
    who: String,
    journal: JournalEntry,
}

impl Op for Save {
    type Out = SetupSaved;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.flow.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<SetupSaved> {
        let [ws, integration] = self.flow.key();
        lock_workspace(db, &self.flow.workspace).await?;
        let found = db.row(&SETUP_GET, &[ws, integration]).await?;
        let version = found.as_ref().map(|row| row.int(0)).transpose()?;
        let kind = found.map(|mut row| row.text(1)).transpose()?;
        if kind.is_some_and(|kind| kind != self.kind.as_str()) {
            return Ok(if self.source.is_some() { SetupSaved::Taken } else { SetupSaved::NotThere });
        }
        if self.source.is_none() && version.is_none() {
            return Ok(SetupSaved::NotThere);
        }
        if self.known.is_some_and(|known| known != version.unwrap_or(0)) {
            return Ok(SetupSaved::Outdated { version: version.unwrap_or(0) });
        }
        if is_active(db, &self.flow).await? {
            return Ok(SetupSaved::Active);
        }
        let revision = revision(db, &self.flow.workspace).await? + 1;
        // Versions are never given twice, not even to one that was dropped and written anew.
        if let Some(source) = &self.source {
            if version.is_none() && count(db, &self.flow.workspace).await? >= SETUPS_MAX as i64 {
                return Ok(SetupSaved::TooMany);
            }
            let (at, who) = (P::time(self.journal.at), P::Text(&self.who));
            let kind = P::Text(self.kind.as_str());
            db.run(&SETUP_SET, &[ws, integration, P::Blob(source), P::Int(revision), at, who, kind]).await?;
        } else {
            db.run(&SETUP_DROP, &[ws, integration]).await?;
        }
        db.run(&SETUPS_CHANGED, &[ws, P::Text(REVISION), P::Text(&revision.to_string())]).await?;
        journal::write(db, &[Line::of_integration(&self.flow.workspace, &self.flow.integration, &self.journal)])
            .await?;
        Ok(SetupSaved::As { version: revision })
    }
}

async fn count<D: Db>(db: &mut D, workspace: &WorkspaceId) -> Result<i64> {
    db.row(&SETUP_COUNT, &[P::Text(workspace.as_str())]).await?.map_or(Ok(0), |row| row.int(0))
}

async fn revision<D: Db>(db: &mut D, workspace: &WorkspaceId) -> Result<i64> {
    let row = db.row(&SETUPS_REVISION, &[P::Text(workspace.as_str()), P::Text(REVISION)]).await?;
    let value = row.map(|mut row| row.text(0)).transpose()?;
    Ok(value.and_then(|value| value.parse().ok()).unwrap_or(0))
}

struct Revision {
    workspace: WorkspaceId,
}

impl Op for Revision {
    type Out = i64;
    const READS: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<i64> {
        revision(db, &self.workspace).await
    }
}

struct Setups {
    workspace: WorkspaceId,
    kind: SetupKind,
}

impl Op for Setups {
    type Out = Vec<IntegrationSetup>;
    const READS: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<Self::Out> {
        let params = [P::Text(self.workspace.as_str()), P::Text(self.kind.as_str()), P::Int(SETUPS_MAX as i64)];
        db.rows(&SETUPS, &params).await?.into_iter().map(setup_of).collect()
    }
}

fn setup_of(mut row: Row) -> Result<IntegrationSetup> {
    Ok(IntegrationSetup {
        integration: IntegrationId::new(row.text(0)?),
        source: row.blob(1)?,
        version: row.int(2)?,
        at: row.time(3)?,
        who: row.text(4)?,
    })
}

impl Store {
    /// Writes an integration down, or changes it, together with the line that tells of it. With a known version only if
    /// that is still the newest one (0 for none); never while the integration is active.
    pub async fn save_setup(
        &self,
        workspace: &WorkspaceId,
        (kind, integration): (SetupKind, &IntegrationId),
        source: Vec<u8>,
        known: Option<i64>,
        who: &str,
        journal: JournalEntry,
    ) -> Result<SetupSaved> {
        let (flow, source, who) = (Flow::new(workspace, integration), Some(source), who.to_owned());
        self.run(Save { flow, kind, source, known, who, journal }).await
    }

    /// Drops what was written down; what is known of its records or events stays. Never while the integration is active.
    pub async fn drop_setup(
        &self,
        workspace: &WorkspaceId,
        (kind, integration): (SetupKind, &IntegrationId),
        known: Option<i64>,
        who: &str,
        journal: JournalEntry,
    ) -> Result<SetupSaved> {
        let (flow, who) = (Flow::new(workspace, integration), who.to_owned());
        self.run(Save { flow, kind, source: None, known, who, journal }).await
    }

    /// A number that grows with every change of what is written down.
    pub async fn setup_revision(&self, workspace: &WorkspaceId) -> Result<i64> {
        self.run(Revision { workspace: workspace.clone() }).await
    }

    /// All integrations of a kind that are written down, by name.
    pub async fn setups(&self, workspace: &WorkspaceId, kind: SetupKind) -> Result<Vec<IntegrationSetup>> {
        self.run(Setups { workspace: workspace.clone(), kind }).await
    }
}
