//! Sending what was planned, in as few calls as the vendor allows, and keeping what became of it.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use syncline_connect::{Error, ErrorKind, Retry, mirror::RowWrite};
use syncline_core::{backoff, merge::Side};
use syncline_store::{EntryChange, LinkRef, SaveRows, StepOp, StoredEntry};

use super::{
    Halt, Round, Turn,
    call::{mirror, mirrored, paid},
    later,
    plan::{Outgoing, month},
    rows::row_write,
    verify::Reserved,
    write_down::at_rest,
};
use crate::engine::Engine;

/// How an outgoing write is grouped with others.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    Create,
    Update,
    Delete,
}

fn class(op: &StepOp) -> Class {
    match op {
        StepOp::Create { .. } => Class::Create,
        StepOp::Update { .. } => Class::Update,
        StepOp::Delete { .. } => Class::Delete,
    }
}

impl Engine {
    /// Sends everything that was planned. What one vendor refuses as a whole does not stop what goes to the other.
    pub(crate) async fn push_outgoing(
        &self,
        turn: &Turn<'_>,
        outgoing: Vec<Outgoing>,
        reserved: &Reserved,
        round: &mut Round,
    ) -> Result<(), Halt> {
        let mut groups: BTreeMap<(Side, String, Class), Vec<Outgoing>> = BTreeMap::new();
        for out in outgoing {
            groups.entry((out.side, out.kind.clone(), class(&out.op))).or_default().push(out);
        }
        let mut failed = None;
        for ((side, kind, _), mut waiting) in groups {
            let setup = self.side_setup(turn.flow, side).map_err(|error| Halt::Side(side, error))?;
            let facet = mirror(setup).map_err(|error| Halt::Side(side, error))?;
            while !waiting.is_empty() {
                let fits = facet.carries(&setup.settings, &kind, waiting.len()).clamp(1, waiting.len());
                let batch: Vec<Outgoing> = waiting.drain(..fits).collect();
                let now = self.world.clock.now();
                self.extend(turn, now).await?;
                self.extend_reserved(turn, reserved, now).await?;
                if let Some(error) = self.push_batch(turn, side, &kind, batch, round).await? {
                    // The rest was planned and never sent.
                    self.put_off(turn, waiting, &error).await?;
                    failed = Some(Halt::Side(side, error));
                    break;
                }
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// Sends one batch and keeps what became of it; yields the error of a call that was refused as a whole.
    async fn push_batch(
        &self,
        turn: &Turn<'_>,
        side: Side,
        kind: &str,
        batch: Vec<Outgoing>,
        round: &mut Round,
    ) -> Result<Option<Error>, Halt> {
        let setup = self.side_setup(turn.flow, side).map_err(|error| Halt::Side(side, error))?;
        let rows: Vec<RowWrite> = batch.iter().map(|out| row_write(turn.compiled, out)).collect();
        let answer = mirrored!(self, setup, |mirror, cx| mirror.write(cx, kind, &rows));
        match paid(answer, &mut round.calls) {
            Ok(written) => {
                self.keep_written(turn, &batch, written, round).await?;
                Ok(None)
            }
            Err(error) => {
                self.put_off(turn, batch, &error).await?;
                Ok(Some(error))
            }
        }
    }

    /// Nothing of these was sent: the steps are dropped, and their records decided about again later.
    async fn put_off(&self, turn: &Turn<'_>, batch: Vec<Outgoing>, error: &Error) -> Result<(), Halt> {
        if batch.is_empty() {
            return Ok(());
        }
        let now = self.world.clock.now();
        let mut save = SaveRows { month: month(now), ..SaveRows::default() };
        for out in &batch {
            save.drop_steps.push(out.step);
            save.entries.push(self.again(&out.tied.source, out.tied.link, error, now));
        }
        self.save(turn, now, save).await.map(drop)
    }

    /// Whether somebody is due again who waited for what this makes.
    pub(crate) async fn save(&self, turn: &Turn<'_>, now: Timestamp, save: SaveRows) -> Result<bool, Halt> {
        let saved = self.world.store.save_rows(&turn.flow.workspace, &turn.flow.id, turn.held, now, save).await?;
        saved.map(|saved| saved.woken).ok_or(Halt::Lost)
    }

    /// The record is due again after a pause that grows with its tries.
    pub(super) fn again(&self, entry: &StoredEntry, link: i64, error: &Error, now: Timestamp) -> EntryChange {
        let pause = match error.retry {
            Retry::After(pause) => backoff::capped(SignedDuration::try_from(pause).unwrap_or(SignedDuration::MAX)),
            Retry::Replan => SignedDuration::ZERO,
            _ => backoff::next_delay(entry.tries, self.random()),
        };
        EntryChange {
            link: Some(LinkRef::Known(link)),
            due_at: Some(later(now, pause)),
            tries: entry.tries.saturating_add(u32::from(!is_nobodys_fault(error))),
            note: Some(error.message.clone()),
            ..at_rest(entry)
        }
    }
}

/// Whether the record had no part in the failure: however often that happens, it is not given up.
fn is_nobodys_fault(error: &Error) -> bool {
    matches!(
        error.kind,
        ErrorKind::RateLimited
            | ErrorKind::DailyLimit
            | ErrorKind::Unavailable
            | ErrorKind::Unreachable
            | ErrorKind::Unauthorised
            | ErrorKind::Revoked
    )
}
