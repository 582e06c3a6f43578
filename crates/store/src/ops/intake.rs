//! Taking a webhook in: one durable insert, and nothing for one that is there already.

use serde_json::json;
use syncline_core::mutant::{self, Mutant};

use super::journal::{self, Line};
use crate::{
    Content, Delivery, JournalEntry, JournalKind, Store, TakenIn,
    db::{Db, Op, P, Scope, statements, to_json},
    error::Result,
    vault::{self, Place},
};

/// States of an inbox row as they are stored.
pub(super) const MESSAGES: i64 = 0;
pub(super) const IGNORED: i64 = 1;
pub(super) const PARKED: i64 = 2;

statements! {
    INBOX_ADD = "insert into inbox (workspace, integration, source, key, received, state, reason, messages, body, \
        polled, content_type) values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) on conflict (workspace, source, key) do nothing {written}";
    NEW_ADD = "insert into inbox_new (workspace, id, after) values (?1, ?2, 0)";
    QUIET_ADD = "insert into inbox_new (workspace, id, after, quiet) values (?1, ?2, 0, 1)";
}

/// A delivery that is ready to be stored.
pub(super) struct TakeIn {
    pub(super) delivery: Delivery,
    pub(super) messages: Option<Vec<u8>>,
    pub(super) sealed: Vec<u8>,
}

/// Where a raw body belongs.
pub(super) fn body_row<'a>(source: &'a str, key: &'a str) -> [&'a str; 2] {
    [source, key]
}

impl Op for TakeIn {
    type Out = TakenIn;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.delivery.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<TakenIn> {
        self.add(db, false).await
    }
}

impl TakeIn {
    /// Stores it as a poll's row, which makes its booking due only if it says something new.
    pub(super) async fn add_quietly<D: Db>(&self, db: &mut D) -> Result<TakenIn> {
        self.add(db, true).await
    }

    async fn add<D: Db>(&self, db: &mut D, polled: bool) -> Result<TakenIn> {
        let delivery = &self.delivery;
        let (state, reason) = match &delivery.content {
            Content::Messages(_) => (MESSAGES, None),
            Content::Ignored { reason } => (IGNORED, Some(reason.as_str())),
            Content::Parked { reason } => (PARKED, Some(reason.as_str())),
        };
        let workspace = P::Text(delivery.workspace.as_str());
        let params = [
            workspace,
            P::Text(delivery.integration.as_str()),
            P::Text(delivery.source.as_str()),
            P::Text(&delivery.key),
            P::time(delivery.received),
            P::Int(state),
            P::opt_text(reason),
            P::opt_blob(self.messages.as_deref()),
            P::Blob(&self.sealed),
            P::Int(polled.into()),
            P::opt_text(delivery.content_type.as_deref()),
        ];
        let Some(row) = db.each(&INBOX_ADD, &[params]).await?.remove(0) else { return Ok(TakenIn::Duplicate) };
        let id = row.int(0)?;
        match reason {
            None => {
                db.run(if polled { &QUIET_ADD } else { &NEW_ADD }, &[workspace, P::Int(id)]).await?;
            }
            Some(reason) => {
                let entry = set_aside(delivery, state, reason, id);
                journal::write(db, &[Line::of_integration(&delivery.workspace, &delivery.integration, &entry)]).await?;
            }
        }
        Ok(TakenIn::Stored)
    }
}

fn set_aside(delivery: &Delivery, state: i64, reason: &str, id: i64) -> JournalEntry {
    let text = if state == PARKED { kept(reason, id) } else { format!("A message was left alone: {reason}") };
    JournalEntry {
        at: delivery.received,
        kind: JournalKind::Message,
        text,
        details: json!({ "source": delivery.source, "message": id, "parked": state == PARKED }),
    }
}

/// The line for a message that could not be read, with what to do about it.
pub(super) fn kept(reason: &str, id: i64) -> String {
    format!(
        "A message was kept for a person: {reason}; once Syncline is upgraded or its settings are mended, have it read again: syncline replay {id}"
    )
}

impl Store {
    /// Takes a delivery in; it is durable when this returns. Of parallel deliveries with one key exactly one is stored.
    pub async fn take_in(&self, delivery: Delivery) -> Result<TakenIn> {
        let ready = self.sealed(delivery).await?;
        let taken = self.run(ready).await;
        if mutant::on(Mutant::AckBeforeCommit) { taken.or(Ok(TakenIn::Stored)) } else { taken }
    }

    /// A delivery with its body sealed and its messages written down.
    pub(super) async fn sealed(&self, delivery: Delivery) -> Result<TakeIn> {
        let key = self.data_key(&delivery.workspace).await?;
        let row = body_row(delivery.source.as_str(), &delivery.key);
        let place = Place { workspace: &delivery.workspace, row: &row, column: "body" };
        let sealed = vault::seal(&key, &*self.inner.entropy, &place, &delivery.body)?;
        let messages = match &delivery.content {
            Content::Messages(messages) => Some(to_json(messages)?),
            Content::Ignored { .. } | Content::Parked { .. } => None,
        };
        // The body in the clear need not wait in the queue.
        let mut delivery = Delivery { body: Vec::new(), ..delivery };
        if mutant::on(Mutant::InboxForgets) {
            delivery.key = format!("{}#{}", delivery.key, delivery.received.as_microsecond());
        }
        if mutant::on(Mutant::DeliveriesConfused) {
            delivery.key = delivery.source.to_string();
        }
        Ok(TakeIn { delivery, messages, sealed })
    }
}
