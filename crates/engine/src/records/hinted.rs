//! A vendor's word that something has changed: the side is read sooner than it would be. Nothing that the word says is
//! believed, and any number of them costs one write a second and integration.

use std::{collections::HashMap, sync::Mutex};

use jiff::{SignedDuration, Timestamp};
use syncline_core::{
    ids::{ConnectionId, WorkspaceId},
    merge::Side,
};
use syncline_store::Result as StoreResult;

use super::later;
use crate::engine::Engine;

/// How long after a word the side is read: changes come in bursts, and some vendors' lists lag behind their webhooks.
const READ_AFTER: SignedDuration = SignedDuration::from_secs(2);

/// Within this time of a word that was taken, further ones say nothing new: what they tell of is read after them. Shorter
/// than [`READ_AFTER`], so that nothing falls between.
const SAME_WORD: SignedDuration = SignedDuration::from_secs(1);

/// When a connection's last word was taken.
pub(crate) type LastWords = Mutex<HashMap<(WorkspaceId, ConnectionId), Timestamp>>;

impl Engine {
    /// Takes a connection's word that something has changed there.
    pub async fn hinted(&self, workspace: &WorkspaceId, connection: &ConnectionId) -> StoreResult<()> {
        let now = self.world.clock.now();
        {
            let mut words = self.last_words.lock().expect("no code panics while it holds this lock");
            let last = words.entry((workspace.clone(), connection.clone())).or_insert(Timestamp::MIN);
            if now.duration_since(*last).abs() < SAME_WORD {
                return Ok(());
            }
            *last = now;
        }
        for flow in self.record_flows(workspace).await? {
            for side in Side::BOTH {
                if flow.side(side).connection == *connection {
                    let at = later(now, READ_AFTER);
                    self.world.store.read_soon(workspace, &flow.id, Some(side), at).await?;
                }
            }
        }
        Ok(())
    }
}
