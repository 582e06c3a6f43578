//! Messages that were kept for a person because they could not be read, and are read again. What they say is not decided
//! here; this finds one, and stores what became of it.

use jiff::Timestamp;
use serde_json::json;
use syncline_core::ids::{ConnectionId, WorkspaceId};

use super::{
    intake::{self, TakeIn},
    journal::{self, Line},
};
use crate::{
    Content, Delivery, JournalEntry, JournalKind, KeptMessage, Store, TakenIn,
    db::{Db, Op, P, Scope, statements},
    error::Result,
};

statements! {
    KEPT = "select source, received, polled, content_type from inbox where workspace = ?1 and id = ?2 and state = 2";
    KEPT_HOLD = "select 0 from inbox where workspace = ?1 and id = ?2 and state = 2 {lock}";
    TWIN = "select id from inbox where workspace = ?1 and source = ?2 and key = ?3";
    READ_NOW = "update inbox set integration = ?3, key = ?4, state = 0, reason = null, messages = ?5, body = ?6 \
        where workspace = ?1 and id = ?2";
    NEW_ADD = "insert into inbox_new (workspace, id, after) values (?1, ?2, 0)";
    UNREAD = "update inbox set state = ?3, reason = ?4 where workspace = ?1 and id = ?2";
    ROW_GO = "delete from inbox where workspace = ?1 and id = ?2 and state = 2 and polled = 1 returning id";
    LEASE_END = "update lease set fence = fence + 1, until = ?3 where workspace = ?1 and name = ?2";
    POLL_ANEW = "update poll_source set cursor = null, next_at = ?3 where workspace = ?1 and source = ?2";
}

struct Find {
    workspace: WorkspaceId,
    message: i64,
}

impl Op for Find {
    type Out = Option<KeptMessage>;
    const READS: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<Self::Out> {
        let found = db.row(&KEPT, &[P::Text(self.workspace.as_str()), P::Int(self.message)]).await?;
        let Some(mut row) = found else { return Ok(None) };
        Ok(Some(KeptMessage {
            source: ConnectionId::new(row.text(0)?),
            received: row.time(1)?,
            polled: row.int(2)? == 1,
            content_type: row.opt_text(3)?,
            body: None,
        }))
    }
}

/// Stores what a kept message was read as.
struct ReadAgain {
    message: i64,
    ready: TakeIn,
    now: Timestamp,
}

impl Op for ReadAgain {
    type Out = Option<TakenIn>;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.ready.delivery.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<Self::Out> {
        let delivery = &self.ready.delivery;
        let (ws, id) = (P::Text(delivery.workspace.as_str()), P::Int(self.message));
        if db.row(&KEPT_HOLD, &[ws, id]).await?.is_none() {
            return Ok(None);
        }
        let (taken, text) = match &delivery.content {
            Content::Messages(_) => {
                let twin = db.row(&TWIN, &[ws, P::Text(delivery.source.as_str()), P::Text(&delivery.key)]).await?;
                let twin = twin.map(|row| row.int(0)).transpose()?;
                if twin.is_some_and(|twin| twin != self.message) {
                    let reason = "the same message came again, and was read then";
                    db.run(&UNREAD, &[ws, id, P::Int(intake::IGNORED), P::Text(reason)]).await?;
                    (TakenIn::Duplicate, format!("A message that was kept for a person is left alone: {reason}"))
                } else {
                    let (integration, key) = (P::Text(delivery.integration.as_str()), P::Text(&delivery.key));
                    let messages = P::opt_blob(self.ready.messages.as_deref());
                    let body = P::Blob(&self.ready.sealed);
                    db.run(&READ_NOW, &[ws, id, integration, key, messages, body]).await?;
                    db.run(&NEW_ADD, &[ws, id]).await?;
                    (TakenIn::Stored, "A message that was kept for a person was read".to_owned())
                }
            }
            Content::Ignored { reason } => {
                db.run(&UNREAD, &[ws, id, P::Int(intake::IGNORED), P::Text(reason)]).await?;
                (TakenIn::Stored, format!("A message that was kept for a person is left alone: {reason}"))
            }
            Content::Parked { reason } => {
                db.run(&UNREAD, &[ws, id, P::Int(intake::PARKED), P::Text(reason)]).await?;
                (TakenIn::Stored, intake::kept(reason, self.message))
            }
        };
        let parked = matches!(delivery.content, Content::Parked { .. });
        let details = json!({ "source": delivery.source, "message": self.message, "parked": parked });
        let entry = JournalEntry { at: self.now, kind: JournalKind::Message, text, details };
        journal::write(db, &[Line::of_integration(&delivery.workspace, &delivery.integration, &entry)]).await?;
        Ok(Some(taken))
    }
}

/// Forgets a row that a poll found, and has its source asked from the beginning.
struct AskAnew {
    workspace: WorkspaceId,
    source: ConnectionId,
    /// What the source's poll is held by.
    lease: String,
    message: i64,
    now: Timestamp,
}

impl Op for AskAnew {
    type Out = bool;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<bool> {
        let ws = P::Text(self.workspace.as_str());
        if db.row(&ROW_GO, &[ws, P::Int(self.message)]).await?.is_none() {
            return Ok(false);
        }
        // A page that is being read now would put its own cursor over this.
        db.run(&LEASE_END, &[ws, P::Text(&self.lease), P::time(self.now)]).await?;
        db.run(&POLL_ANEW, &[ws, P::Text(self.source.as_str()), P::time(self.now)]).await?;
        let entry = JournalEntry {
            at: self.now,
            kind: JournalKind::Message,
            text: "A message that was kept for a person is asked for again, with all that its source has".to_owned(),
            details: json!({ "source": self.source, "message": self.message, "parked": false }),
        };
        let line = Line { workspace: &self.workspace, chain: None, integration: None, entry: &entry };
        journal::write(db, &[line]).await?;
        Ok(true)
    }
}

impl Store {
    /// A message that is kept for a person because it could not be read, with its bytes as they came; nothing where there
    /// is none of that number, or it was read meanwhile.
    pub async fn kept_message(&self, workspace: &WorkspaceId, message: i64) -> Result<Option<KeptMessage>> {
        let Some(found) = self.run(Find { workspace: workspace.clone(), message }).await? else { return Ok(None) };
        Ok(Some(KeptMessage { body: self.message_body(workspace, message).await?, ..found }))
    }

    /// Stores what a kept message is read as now: it is news for its booking, left alone, or kept again with a new reason.
    /// `Duplicate` where the same message is there already, read; nothing where somebody else was faster.
    pub async fn read_again(&self, message: i64, delivery: Delivery, now: Timestamp) -> Result<Option<TakenIn>> {
        let ready = self.sealed(delivery).await?;
        self.run(ReadAgain { message, ready, now }).await
    }

    /// Lets the next poll find a kept message again that a poll had found: it is forgotten, and its source is asked from
    /// the beginning, whoever holds its poll's lease. What the source tells a second time is recognised. `false` where there
    /// is no such message.
    pub async fn ask_anew(
        &self,
        workspace: &WorkspaceId,
        source: &ConnectionId,
        lease: &str,
        message: i64,
        now: Timestamp,
    ) -> Result<bool> {
        let (workspace, source, lease) = (workspace.clone(), source.clone(), lease.to_owned());
        self.run(AskAnew { workspace, source, lease, message, now }).await
    }
}
