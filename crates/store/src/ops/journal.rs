//! Writing the activity log. Its lines are written in the transaction of what they tell of, if that is in the database.

use syncline_core::ids::{ChainId, IntegrationId, WorkspaceId};

use crate::{
    Store,
    db::{Db, Op, P, Scope, statements, to_json},
    error::Result,
    types::{JournalEntry, JournalKind},
};

statements! {
    JOURNAL_ADD = "insert into journal (workspace, at, chain, integration, kind, rare, entry) values (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
}

/// A line on its way into the journal.
pub(super) struct Line<'a> {
    pub(super) workspace: &'a WorkspaceId,
    pub(super) chain: Option<&'a ChainId>,
    pub(super) integration: Option<&'a str>,
    pub(super) entry: &'a JournalEntry,
}

impl<'a> Line<'a> {
    /// A line that belongs to an integration, not to a booking.
    pub(super) fn of_integration(
        workspace: &'a WorkspaceId,
        integration: &'a IntegrationId,
        entry: &'a JournalEntry,
    ) -> Self {
        Self { workspace, chain: None, integration: Some(integration.as_str()), entry }
    }
}

/// A line that tells of nothing else in its transaction.
struct Note {
    workspace: WorkspaceId,
    entry: JournalEntry,
}

impl Op for Note {
    type Out = ();

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<()> {
        write(db, &[Line { workspace: &self.workspace, chain: None, integration: None, entry: &self.entry }]).await
    }
}

impl Store {
    /// Writes down what somebody does who runs the installation.
    pub async fn note(&self, workspace: &WorkspaceId, entry: JournalEntry) -> Result<()> {
        self.run(Note { workspace: workspace.clone(), entry }).await
    }
}

/// Writes the lines, in order.
pub(super) async fn write<D: Db>(db: &mut D, lines: &[Line<'_>]) -> Result<()> {
    let mut entries = Vec::with_capacity(lines.len());
    for line in lines {
        entries.push(to_json(line.entry)?);
    }
    let sets: Vec<_> = lines
        .iter()
        .zip(&entries)
        .map(|(line, json)| {
            [
                P::Text(line.workspace.as_str()),
                P::time(line.entry.at),
                P::opt_text(line.chain.map(ChainId::as_str)),
                P::opt_text(line.integration),
                P::Text(line.entry.kind.as_str()),
                P::Int(is_rare(line.entry.kind).into()),
                P::Blob(json),
            ]
        })
        .collect();
    db.each(&JOURNAL_ADD, &sets).await?;
    Ok(())
}

/// Whether lines of this kind are few enough among all to have an index of their own.
pub(super) fn is_rare(kind: JournalKind) -> bool {
    match kind {
        JournalKind::Written | JournalKind::Unchanged => false,
        JournalKind::Retried
        | JournalKind::Parked
        | JournalKind::Message
        | JournalKind::Connection
        | JournalKind::Operator => true,
    }
}
