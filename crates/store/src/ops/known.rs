//! What is known of a booking that a message speaks of, without taking the message in.

use syncline_core::{
    booking::{chain::ChainState, message::BookingMessage},
    ids::{ChainId, ConnectionId, WorkspaceId},
    step::Plan,
};

use crate::{
    Known, Links, Store,
    db::{Db, Op, P, Scope, statements},
    error::Result,
};

statements! {
    KNOWN = "select c.chain, s.state, l.links, o.plan from chain_node n \
        join chain c on c.workspace = n.workspace and c.id = n.chain_id \
        join chain_state s on s.workspace = n.workspace and s.id = n.chain_id \
        left join chain_links l on l.workspace = n.workspace and l.id = n.chain_id \
        left join outbox o on o.workspace = n.workspace and o.id = n.chain_id \
        where n.workspace = ?1 and n.source = ?2 and n.node = ?3";
}

struct KnownBooking {
    workspace: WorkspaceId,
    source: ConnectionId,
    ties: Vec<String>,
}

impl Op for KnownBooking {
    type Out = Option<Known>;
    const READS: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<Option<Known>> {
        for tie in &self.ties {
            let params = [P::Text(self.workspace.as_str()), P::Text(self.source.as_str()), P::Text(tie)];
            if let Some(mut row) = db.row(&KNOWN, &params).await? {
                return Ok(Some(Known {
                    chain: ChainId::new(row.text(0)?),
                    state: row.json::<ChainState>(1)?,
                    links: row.opt_json::<Links>(2)?.unwrap_or_default(),
                    unsettled: row.opt_json::<Plan>(3)?,
                }));
            }
        }
        Ok(None)
    }
}

impl Store {
    /// The booking that a message of this source belongs to, as it stands. Messages that are still to be folded in, and
    /// further bookings that the message would join to this one, are not looked at.
    pub async fn known(
        &self,
        workspace: &WorkspaceId,
        source: &ConnectionId,
        message: &BookingMessage,
    ) -> Result<Option<Known>> {
        let ties = message.ties().into_iter().map(|tie| tie.as_str().to_owned()).collect();
        self.run(KnownBooking { workspace: workspace.clone(), source: source.clone(), ties }).await
    }
}
