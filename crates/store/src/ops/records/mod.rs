//! Records in step: what the sides showed, which records are one thing, what is to be written, what is held back.
//! Here stands what the calls have in common; what any of it means is decided elsewhere.

mod asks;
mod columns;
mod deletes;
mod flow;
mod forget;
mod holds;
mod look;
mod missing;
mod quota;
pub(super) mod retention;
mod save;
mod setups;
mod take;
pub(super) mod waits;
mod wake;

use syncline_core::{
    ids::{IntegrationId, WorkspaceId},
    merge::Side,
};

use crate::{
    db::{Db, P, statements},
    error::Result,
};

statements! {
    TALLY_MAKE = "insert into record_tally (workspace, integration, entries_left, entries_right, links) \
        values (?1, ?2, 0, 0, 0) on conflict (workspace, integration) do nothing";
    TALLY_LOCK = "select 0 from record_tally where workspace = ?1 and integration = ?2 {lock}";
    TALLY_ADD = "update record_tally set entries_left = entries_left + ?3, entries_right = entries_right + ?4, \
        links = links + ?5 where workspace = ?1 and integration = ?2";
}

/// Every list of statements of this folder.
#[cfg(test)]
pub(super) fn statements() -> impl Iterator<Item = &'static (&'static str, &'static crate::db::Sql)> {
    [
        STATEMENTS,
        asks::STATEMENTS,
        deletes::STATEMENTS,
        flow::STATEMENTS,
        forget::STATEMENTS,
        holds::STATEMENTS,
        look::STATEMENTS,
        missing::STATEMENTS,
        quota::STATEMENTS,
        retention::STATEMENTS,
        save::STATEMENTS,
        setups::STATEMENTS,
        take::STATEMENTS,
        waits::STATEMENTS,
        wake::STATEMENTS,
    ]
    .into_iter()
    .flatten()
}

/// Which integration a call is about.
#[derive(Clone)]
struct Flow {
    workspace: WorkspaceId,
    integration: IntegrationId,
}

impl Flow {
    fn new(workspace: &WorkspaceId, integration: &IntegrationId) -> Self {
        Self { workspace: workspace.clone(), integration: integration.clone() }
    }

    fn ws(&self) -> P<'_> {
        P::Text(self.workspace.as_str())
    }

    fn key(&self) -> [P<'_>; 2] {
        [self.ws(), P::Text(self.integration.as_str())]
    }
}

/// By how much the numbers of entries and links change.
#[derive(Default)]
struct Tally {
    left: i64,
    right: i64,
    links: i64,
}

impl Tally {
    fn add_entries(&mut self, side: Side, count: i64) {
        match side {
            Side::Left => self.left += count,
            Side::Right => self.right += count,
        }
    }

    async fn keep<D: Db>(&self, db: &mut D, flow: &Flow) -> Result<()> {
        if (self.left, self.right, self.links) != (0, 0, 0) {
            let [ws, integration] = flow.key();
            let (left, right, links) = (P::Int(self.left), P::Int(self.right), P::Int(self.links));
            db.run(&TALLY_ADD, &[ws, integration, left, right, links]).await?;
        }
        Ok(())
    }
}

/// Waits for whoever else writes rows of this integration. Writers that take turns cannot lock each other out.
async fn take_turn<D: Db>(db: &mut D, flow: &Flow) -> Result<()> {
    db.run(&TALLY_MAKE, &flow.key()).await?;
    db.row(&TALLY_LOCK, &flow.key()).await?;
    Ok(())
}
