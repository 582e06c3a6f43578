//! Deciding about everything that is due, batch by batch, within what may be written: what follows is written down before
//! anything is sent.

use jiff::Timestamp;
use serde_json::json;
use syncline_core::{
    ids::RecordId,
    merge::{Decision, Images, RuleKey, Side},
};
use syncline_store::{JournalEntry, JournalKind, LinkRef, SaveRows, StepField, StepOp, StoredEntry, Work};

use super::{
    Compiled, DECIDE_BATCH, Halt, LOOK_BATCH, ROUND_WRITES_MAX, RecordFlow, Round, Turn,
    batch::{Decided, moved},
    deletes::deletes,
    later,
    verify::Reserved,
    write_down::Writing,
};
use crate::{alerts, engine::Engine};

/// Transfers that one record takes at the most: both sides are told.
const ONE_RECORD_MAX: u64 = 2;

/// A planned write on its way out.
#[derive(Debug, Clone)]
pub(crate) struct Outgoing {
    pub(crate) step: i64,
    pub(crate) side: Side,
    pub(crate) kind: String,
    pub(crate) pair: String,
    pub(crate) op: StepOp,
    pub(crate) fields: Vec<StepField>,
    pub(crate) tied: Tied,
}

/// The link of a planned write, as it is in the store.
#[derive(Debug, Clone)]
pub(crate) struct Tied {
    pub(crate) link: i64,
    pub(crate) images: Images,
    pub(crate) refused: Vec<(RuleKey, u64)>,
    /// What a person decided; forgotten once it is written.
    pub(crate) decided: Vec<(RuleKey, Side)>,
    pub(crate) revision: i64,
    /// The record that it came from, and the one that is written, where it is there already.
    pub(crate) source: StoredEntry,
    pub(crate) target: Option<StoredEntry>,
    /// Whether either of them has changed since the write was planned: however it ends, that is yet to be decided about.
    pub(crate) news: bool,
}

impl Engine {
    /// Decides about all that is due, writes it down, and sends it.
    pub(crate) async fn decide_and_push(&self, turn: &Turn<'_>, round: &mut Round) -> Result<(), Halt> {
        let mut reserved = Reserved::default();
        let done = self.decide_and_push_while(turn, &mut reserved, round).await;
        self.release_reserved(turn, reserved).await;
        done
    }

    async fn decide_and_push_while(
        &self,
        turn: &Turn<'_>,
        reserved: &mut Reserved,
        round: &mut Round,
    ) -> Result<(), Halt> {
        let Turn { flow, compiled, .. } = *turn;
        let mut outgoing: Vec<Outgoing> = Vec::new();
        let room = self.quota_room(flow, self.world.clock.now()).await?;
        let shut = self.gathering(turn).await?;
        loop {
            let now = self.world.clock.now();
            self.extend(turn, now).await?;
            let room = room.saturating_sub(u64::try_from(outgoing.len()).unwrap_or(u64::MAX));
            if room == 0 {
                break;
            }
            let gathered = ROUND_WRITES_MAX.saturating_sub(outgoing.len()).max(DECIDE_BATCH);
            let limit = LOOK_BATCH.min(gathered).min(usize::try_from(room).unwrap_or(usize::MAX));
            let mut works = self.world.store.due_rows_but(&flow.workspace, &flow.id, now, limit, &shut).await?;
            if works.is_empty() {
                break;
            }
            let full = works.len() >= limit;
            works.sort_by_key(|work| rank_of(compiled, work));
            let mut batch = self.batch(turn, &works).await?;
            let due = works.len();
            let works = self.verified(turn, &mut batch, works, reserved, round).await?;
            let mut decided: Vec<Decided<'_>> = works.iter().filter_map(|work| batch.decide(work)).collect();
            self.keep_refused(turn, &mut decided).await?;
            let before = decided.len();
            self.reserve_creations(turn, &batch, &mut decided, reserved, round).await?;
            // What was put aside is still due, and would come again at once.
            let aside = works.len() < due || decided.len() < before;
            let spent = keep_within(&mut decided, room);
            if spent && outgoing.is_empty() && decided.iter().all(|one| writes(&one.decision) == 0) {
                self.tell_too_small(flow, now).await?;
            }
            round.decided += decided.len();
            self.brake(turn, &decided).await?;
            let mut seeks = Vec::new();
            while !decided.is_empty() {
                let part = decided.drain(..decided.len().min(DECIDE_BATCH)).collect();
                seeks.extend(self.write_down_rows(turn, part, now, round, &mut outgoing).await?);
            }
            self.seek(turn, seeks, round).await?;
            if outgoing.len() >= ROUND_WRITES_MAX {
                round.more = true;
                break;
            }
            if !full || spent || aside {
                break;
            }
        }
        self.push_outgoing(turn, outgoing, reserved, round).await
    }

    /// Holds the integration for as long again as a few calls may take.
    pub(crate) async fn extend(&self, turn: &Turn<'_>, now: Timestamp) -> Result<(), Halt> {
        let until = later(now, self.options.call.saturating_mul(super::LEASE_CALLS));
        if self.world.store.extend_lease(&turn.flow.workspace, turn.held, now, until).await? {
            Ok(())
        } else {
            Err(Halt::Lost)
        }
    }

    /// Records that may still be transferred this month.
    async fn quota_room(&self, flow: &RecordFlow, now: Timestamp) -> Result<u64, Halt> {
        let Some(limit) = flow.tasks_per_month else { return Ok(u64::MAX) };
        let usage = self.world.store.quota_use(&flow.workspace, &flow.id, &month(now)).await?;
        // What is on its way will count.
        let open = self.world.store.flow_counts(&flow.workspace, &flow.id).await?.open_steps;
        let share = usage.used.saturating_mul(100).checked_div(limit).unwrap_or(100);
        for percent in [80u32, 100] {
            if share >= u64::from(percent) && usage.told_percent < percent {
                self.tell_quota(flow, percent, usage.used, limit, now).await?;
            }
        }
        let room = limit.saturating_sub(usage.used).saturating_sub(open);
        // What is left was too small for what came next: nothing is read for it again and again.
        let is_too_small = room < ONE_RECORD_MAX && usage.told_percent >= 100;
        Ok(if is_too_small { 0 } else { room })
    }

    /// Tells that what is left of the month's quota is too small for any record that waits, which is as if it were used up.
    async fn tell_too_small(&self, flow: &RecordFlow, now: Timestamp) -> Result<(), Halt> {
        let Some(limit) = flow.tasks_per_month else { return Ok(()) };
        let used = self.world.store.quota_use(&flow.workspace, &flow.id, &month(now)).await?.used;
        // What is under way may leave room, or none.
        let open = self.world.store.flow_counts(&flow.workspace, &flow.id).await?.open_steps;
        if open == 0 { self.tell_quota(flow, 100, used, limit, now).await } else { Ok(()) }
    }

    async fn tell_quota(
        &self,
        flow: &RecordFlow,
        percent: u32,
        used: u64,
        limit: u64,
        now: Timestamp,
    ) -> Result<(), Halt> {
        let name = &flow.id;
        let text = if percent >= 100 && used < limit {
            format!(
                "{name} has used {used} of its {limit} transfers of this month, and each record that waits needs more than are left; it goes on when the limit is raised or the month turns"
            )
        } else if percent >= 100 {
            format!(
                "{name} has used its {limit} transfers of this month; it goes on when the limit is raised or the month turns"
            )
        } else {
            format!("{name} has used {percent} % of its {limit} transfers of this month")
        };
        let line = JournalEntry { at: now, kind: JournalKind::Operator, text, details: json!({ "used": used }) };
        let (month, store) = (month(now), &self.world.store);
        let alert = alerts::quota(name, &month, percent, limit, now);
        if store.tell_quota(&flow.workspace, name, &month, percent, line, alert).await? {
            tracing::warn!(integration.id = %name, "Integration {name} has used {used} of {limit} transfers of this month");
        }
        Ok(())
    }

    /// Writes a batch's decisions down in one transaction; yields the records that have to be read first.
    async fn write_down_rows(
        &self,
        turn: &Turn<'_>,
        decided: Vec<Decided<'_>>,
        now: Timestamp,
        round: &mut Round,
        outgoing: &mut Vec<Outgoing>,
    ) -> Result<Vec<(Side, String, RecordId)>, Halt> {
        let mut save = SaveRows { month: month(now), ..SaveRows::default() };
        if turn.confirmed.is_none() {
            save.deletes = u32::try_from(deletes(&decided)).unwrap_or(u32::MAX);
        }
        let mut planned: Vec<(LinkRef, Outgoing)> = Vec::new();
        let mut seeks = Vec::new();
        for one in decided {
            let mut writing = Writing {
                flow: turn.flow,
                compiled: turn.compiled,
                now,
                round,
                save: &mut save,
                planned: &mut planned,
            };
            writing.take(one, &mut seeks);
        }
        if save_is_empty(&save) {
            return Ok(seeks);
        }
        let saved = self
            .world
            .store
            .save_rows(&turn.flow.workspace, &turn.flow.id, turn.held, now, save)
            .await?
            .ok_or(Halt::Lost)?;
        round.more |= saved.woken;
        for ((link, mut out), step) in planned.into_iter().zip(saved.steps) {
            out.step = step;
            out.tied.link = match link {
                LinkRef::Known(id) => id,
                LinkRef::New(at) => saved.links.get(at).copied().ok_or(Halt::Lost)?,
            };
            outgoing.push(out);
        }
        Ok(seeks)
    }
}

fn save_is_empty(save: &SaveRows) -> bool {
    save.entries.is_empty()
        && save.set_aside.is_empty()
        && save.links.is_empty()
        && save.new_links.is_empty()
        && save.journal.is_empty()
}

/// Keeps as many decisions as may be transferred: one that tells both sides is two transfers. Whether any was left out,
/// which stays due.
fn keep_within(decided: &mut Vec<Decided<'_>>, room: u64) -> bool {
    let (mut left, before) = (room, decided.len());
    decided.retain(|one| {
        let enough = writes(&one.decision) <= left;
        if enough {
            left -= writes(&one.decision);
        }
        enough
    });
    decided.len() < before
}

fn writes(decision: &Decision) -> u64 {
    match decision {
        Decision::Merge { merge, .. } | Decision::Adopt { merge, .. } => {
            u64::from(!merge.to_left.is_empty()) + u64::from(!merge.to_right.is_empty())
        }
        Decision::Create { .. } | Decision::Delete { .. } => 1,
        Decision::Rest { .. }
        | Decision::Follow { .. }
        | Decision::Seek { .. }
        | Decision::Detach { .. }
        | Decision::Hold(_) => 0,
    }
}

/// What became of records comes before what is made of them: a link follows the record that its own one became before
/// anybody looks for a counterpart of that. Then the pairs' order.
fn rank_of(compiled: &Compiled, work: &Work) -> (bool, usize, i64) {
    let stays = moved(work).is_none();
    let side = work.entry.side;
    let pair = compiled.flow.pairs.iter().position(|pair| pair.side(side).kind == work.entry.kind);
    (stays, pair.unwrap_or(usize::MAX), work.entry.id)
}

/// The month that a transfer counts for.
pub(crate) fn month(now: Timestamp) -> String {
    now.to_zoned(jiff::tz::TimeZone::UTC).strftime("%Y-%m").to_string()
}
