//! What people and automations asked for: a record on the left for one of the right. Kept until a round carries it out.

use jiff::Timestamp;
use syncline_core::ids::{IntegrationId, RecordId, WorkspaceId};

use super::Flow;
use crate::{
    Ask, AskTaken, Store, Subject,
    db::{Db, Op, P, Row, Scope, statements},
    error::{Error, Result},
};

/// Asks of one integration that may wait. Whoever asks for more is told to come again: a round carries out thousands.
pub(crate) const WAITING_MAX: i64 = 10_000;

statements! {
    ASK_COUNT = "select count(*) from record_ask where workspace = ?1 and integration = ?2";
    ASK_ADD = "insert into record_ask (workspace, integration, pair, named_by, subject, asked_at) \
        values (?1, ?2, ?3, ?4, ?5, ?6) on conflict (workspace, integration, pair, named_by, subject) do nothing";
    ASKS = "select pair, named_by, subject from record_ask where workspace = ?1 and integration = ?2 \
        order by pair, named_by, subject limit ?3";
    ASK_DROP = "delete from record_ask where workspace = ?1 and integration = ?2 and pair = ?3 and named_by = ?4 \
        and subject = ?5";
    ASKS_FORGET = "delete from record_ask where workspace = ?1 and integration = ?2";
}

fn subject_columns(subject: &Subject) -> [P<'_>; 2] {
    match subject {
        Subject::Record(record) => [P::Int(0), P::Text(record.as_str())],
        Subject::Address(address) => [P::Int(1), P::Text(address)],
    }
}

fn ask_of(mut row: Row) -> Result<Ask> {
    let pair = row.text(0)?;
    let subject = match (row.int(1)?, row.text(2)?) {
        (0, record) => Subject::Record(RecordId::new(record)),
        (1, address) => Subject::Address(address),
        _ => return Err(Error::corrupt("what was asked for cannot be read")),
    };
    Ok(Ask { pair, subject })
}

struct Add {
    flow: Flow,
    ask: Ask,
    now: Timestamp,
}

impl Op for Add {
    type Out = AskTaken;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.flow.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<AskTaken> {
        let [ws, integration] = self.flow.key();
        let waiting = db.row(&ASK_COUNT, &[ws, integration]).await?;
        if waiting.map_or(Ok(0), |row| row.int(0))? >= WAITING_MAX {
            return Ok(AskTaken::Full);
        }
        let [by, subject] = subject_columns(&self.ask.subject);
        let set = [ws, integration, P::Text(&self.ask.pair), by, subject, P::time(self.now)];
        Ok(if db.run(&ASK_ADD, &set).await? > 0 { AskTaken::Waiting } else { AskTaken::AskedBefore })
    }
}

struct Read {
    flow: Flow,
    limit: usize,
}

impl Op for Read {
    type Out = Vec<Ask>;
    const READS: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.flow.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<Vec<Ask>> {
        let [ws, integration] = self.flow.key();
        let limit = P::Int(i64::try_from(self.limit).unwrap_or(i64::MAX));
        db.rows(&ASKS, &[ws, integration, limit]).await?.into_iter().map(ask_of).collect()
    }
}

/// Drops asks that were carried out.
pub(super) async fn drop_answered<D: Db>(db: &mut D, flow: &Flow, asks: &[Ask]) -> Result<()> {
    let [ws, integration] = flow.key();
    let sets: Vec<_> = asks
        .iter()
        .map(|ask| {
            let [by, subject] = subject_columns(&ask.subject);
            [ws, integration, P::Text(&ask.pair), by, subject]
        })
        .collect();
    db.each(&ASK_DROP, &sets).await?;
    Ok(())
}

/// Forgets all that was asked of an integration.
pub(super) async fn forget<D: Db>(db: &mut D, flow: &Flow) -> Result<()> {
    db.run(&ASKS_FORGET, &flow.key()).await?;
    Ok(())
}

impl Store {
    /// Notes that somebody wants a record on the left for one of the right. Asking again changes nothing.
    pub async fn ask_for(
        &self,
        workspace: &WorkspaceId,
        integration: &IntegrationId,
        ask: Ask,
        now: Timestamp,
    ) -> Result<AskTaken> {
        self.run(Add { flow: Flow::new(workspace, integration), ask, now }).await
    }

    /// What waits to be carried out.
    pub async fn asks(&self, workspace: &WorkspaceId, integration: &IntegrationId, limit: usize) -> Result<Vec<Ask>> {
        self.run(Read { flow: Flow::new(workspace, integration), limit }).await
    }
}
