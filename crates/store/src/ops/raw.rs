//! The message itself that a booking's content comes from: which of its deliveries that is. Reading the body is
//! [`super::reading`]'s.

use syncline_core::{
    booking::message::{Booking, BookingMessage},
    ids::{ChainId, WorkspaceId},
};

use crate::{
    Store,
    db::{Db, Op, P, Scope, from_json, statements},
    error::Result,
};

statements! {
    INBOX_OF = "select s.inbox from chain c join chain_state s on s.workspace = c.workspace and s.id = c.id \
        where c.workspace = ?1 and c.chain = ?2";
    SAID = "select polled, key, messages from inbox where workspace = ?1 and id = ?2 and body is not null";
}

struct WhoSaid {
    workspace: WorkspaceId,
    chain: ChainId,
    content: Booking,
}

impl Op for WhoSaid {
    type Out = Option<i64>;
    const READS: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<Option<i64>> {
        let ws = P::Text(self.workspace.as_str());
        let Some(mut row) = db.row(&INBOX_OF, &[ws, P::Text(self.chain.as_str())]).await? else { return Ok(None) };
        let inbox: Vec<i64> = row.json(0)?;
        let ids: Vec<_> = inbox.iter().map(|id| [ws, P::Int(*id)]).collect();
        let mut first = None;
        for (id, row) in inbox.iter().zip(db.each(&SAID, &ids).await?) {
            let Some(mut row) = row else { continue };
            let (polled, key) = (row.int(0)?, row.text(1)?);
            let messages: Vec<BookingMessage> =
                row.opt_blob(2)?.and_then(|messages| from_json(&messages).ok()).unwrap_or_default();
            let said = messages.iter().filter(|message| message.booked.as_deref() == Some(&self.content));
            let Some(at) = said.map(|message| message.at).min() else { continue };
            // Whichever came first, so that it stays the same whatever repeats it; what the source sent goes before what
            // a poll found.
            let rank = (polled, at, key);
            if first.as_ref().is_none_or(|(before, _)| rank < *before) {
                first = Some((rank, *id));
            }
        }
        Ok(first.map(|(_, id)| id))
    }
}

impl Store {
    /// The body of the message that a booking's present content comes from, byte for byte as it came, or the source's own
    /// JSON of the booking where a poll found it; nothing where it is not kept any more. Of several that say the same it is
    /// always the same one, in whichever order they came.
    pub async fn body_that_said(
        &self,
        workspace: &WorkspaceId,
        chain: &ChainId,
        content: &Booking,
    ) -> Result<Option<Vec<u8>>> {
        let who = WhoSaid { workspace: workspace.clone(), chain: chain.clone(), content: content.clone() };
        match self.run(who).await? {
            Some(message) => self.message_body(workspace, message).await,
            None => Ok(None),
        }
    }
}
