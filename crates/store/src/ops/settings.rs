//! The settings that were last in use, as the caller writes them: text without secrets, with which a changed file is compared.
//! What it says, and what a change means, is the caller's.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use syncline_core::ids::WorkspaceId;

use super::journal::{self, Line};
use crate::{
    JournalEntry, SettingsInUse, SettingsUse, Store,
    db::{Db, Op, P, Scope, statements},
    error::{Error, Result},
};

/// Under which name they stand.
const NAME: &str = "settings in use";

statements! {
    SETTINGS_GET = "select value from cursor_at where workspace = ?1 and name = ?2";
    SETTINGS_SET = "insert into cursor_at (workspace, name, value) values (?1, ?2, ?3) \
        on conflict (workspace, name) do update set value = excluded.value";
}

/// As it is stored.
#[derive(Serialize, Deserialize)]
struct Stored {
    settings: String,
    at: Timestamp,
    by: SettingsUse,
}

struct Keep {
    workspace: WorkspaceId,
    settings: SettingsInUse,
    line: Option<JournalEntry>,
}

impl Op for Keep {
    type Out = ();

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<()> {
        let SettingsInUse { settings, at, by } = self.settings.clone();
        let stored = serde_json::to_string(&Stored { settings, at, by }).expect("text, a time and a word are JSON");
        db.run(&SETTINGS_SET, &[P::Text(self.workspace.as_str()), P::Text(NAME), P::Text(&stored)]).await?;
        let line =
            self.line.iter().map(|entry| Line { workspace: &self.workspace, chain: None, integration: None, entry });
        journal::write(db, &line.collect::<Vec<_>>()).await
    }
}

struct Read {
    workspace: WorkspaceId,
}

impl Op for Read {
    type Out = Option<SettingsInUse>;
    const READS: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<Option<SettingsInUse>> {
        let Some(mut row) = db.row(&SETTINGS_GET, &[P::Text(self.workspace.as_str()), P::Text(NAME)]).await? else {
            return Ok(None);
        };
        let Stored { settings, at, by } = serde_json::from_str(&row.text(0)?)
            .map_err(|_| Error::corrupt("what was kept of the settings in use is none of it"))?;
        Ok(Some(SettingsInUse { settings, at, by }))
    }
}

impl Store {
    /// Keeps the settings that are in use from now on in the place of those before, together with the line that tells of it.
    pub async fn keep_settings(
        &self,
        workspace: &WorkspaceId,
        settings: SettingsInUse,
        line: Option<JournalEntry>,
    ) -> Result<()> {
        self.run(Keep { workspace: workspace.clone(), settings, line }).await
    }

    /// The settings that were kept last; nothing before the first.
    pub async fn settings_in_use(&self, workspace: &WorkspaceId) -> Result<Option<SettingsInUse>> {
        self.run(Read { workspace: workspace.clone() }).await
    }
}
