//! Gathering what changed on one side before it is carried over to the other: for some time, or until so much waits,
//! whichever comes first. So an account with few calls a day is written to in few calls.

use jiff::{SignedDuration, Timestamp};
use syncline_core::merge::Side;

use super::{Halt, Turn, later};
use crate::engine::Engine;

/// How what changed on one side is gathered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gather {
    /// The oldest change waits no longer than this.
    pub every: SignedDuration,
    /// As soon as so many records wait, nothing waits any longer; nothing where only the time counts.
    pub at: Option<usize>,
}

impl Gather {
    /// Whether news wait, of which there are so many, the oldest since then.
    fn waits(&self, rows: usize, oldest: Option<Timestamp>, now: Timestamp) -> bool {
        let enough = self.at.is_some_and(|at| rows >= at);
        let long = oldest.is_some_and(|oldest| later(oldest, self.every) <= now);
        !enough && !long
    }
}

impl Engine {
    /// The sides whose news are gathered still.
    pub(crate) async fn gathering(&self, turn: &Turn<'_>) -> Result<Vec<Side>, Halt> {
        let (flow, now) = (turn.flow, self.world.clock.now());
        let mut shut = Vec::new();
        for side in Side::BOTH {
            let Some(gather) = flow.gather(side) else { continue };
            let limit = gather.at.unwrap_or(1);
            let waiting = self.world.store.waiting_rows(&flow.workspace, &flow.id, side, now, limit).await?;
            // A person who confirms something waits for it.
            if turn.confirmed.is_none() && gather.waits(waiting.rows, waiting.oldest, now) {
                shut.push(side);
            }
        }
        Ok(shut)
    }
}
