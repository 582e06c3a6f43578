//! Making records in an account that lets several bear one address, and in which several integrations make them: whoever
//! makes some looks first whether another has done so since the last reading, and none of the others does so meanwhile.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use syncline_connect::mirror::Lookup;
use syncline_core::merge::{Decision, Side};
use syncline_store::{Held, SeenRow};

use super::{
    Halt, LEASE_CALLS, Round, Turn,
    call::{mirrored, paid},
    later,
    plan::Decided,
    rows::seen_row,
    setup::RecordFlow,
};
use crate::engine::Engine;

/// The right to make records of some kinds, for this round.
#[derive(Default)]
pub(crate) struct Reserved(BTreeMap<(Side, String), Held>);

impl Engine {
    /// Takes out of `decided` whom another integration has made meanwhile, and everybody while another is about to make
    /// some: they stay due.
    pub(crate) async fn reserve_creations(
        &self,
        turn: &Turn<'_>,
        decided: &mut Vec<Decided<'_>>,
        reserved: &mut Reserved,
        round: &mut Round,
    ) -> Result<(), Halt> {
        let mut wanted: BTreeMap<(Side, String), BTreeSet<String>> = BTreeMap::new();
        for one in decided.iter() {
            if let (Some(place), Some(key)) = (makes(turn, one), &one.work.entry.match_key) {
                wanted.entry(place).or_default().insert(key.clone());
            }
        }
        let mut rows: Vec<SeenRow> = Vec::new();
        for ((side, kind), addresses) in wanted {
            if !self.is_shared(turn, side, &kind).await? {
                continue;
            }
            let place = (side, kind);
            if !self.reserve(turn, &place, reserved).await? {
                decided.retain(|one| makes(turn, one).as_ref() != Some(&place));
                continue;
            }
            let (side, kind) = &place;
            let Some(view) = turn.compiled.kinds(*side).get(kind) else { continue };
            let setup = self.side_setup(turn.flow, *side).map_err(|error| Halt::Side(*side, error))?;
            let addresses: Vec<String> = addresses.into_iter().collect();
            let answer =
                mirrored!(self, setup, |mirror, cx| mirror.find(cx, kind, Lookup::Email(&addresses), &view.fields));
            let found = paid(answer, &mut round.calls).map_err(|error| Halt::Side(*side, error))?;
            let found: Vec<SeenRow> = found.into_iter().map(|seen| seen_row(*side, kind, view, seen)).collect();
            let there: BTreeSet<&str> = found.iter().filter_map(|row| row.match_key.as_deref()).collect();
            let is_there = |one: &Decided<'_>| {
                makes(turn, one).as_ref() == Some(&place)
                    && one.work.entry.match_key.as_deref().is_some_and(|key| there.contains(key))
            };
            decided.retain(|one| !is_there(one));
            rows.extend(found);
        }
        round.more |= !rows.is_empty();
        self.take(turn, rows).await
    }

    /// Whether another integration makes records of this kind in the same account, which does not see to it that each
    /// address is there once.
    async fn is_shared(&self, turn: &Turn<'_>, side: Side, kind: &str) -> Result<bool, Halt> {
        let spec = turn.compiled.kinds(side).get(kind).map(|view| view.spec);
        if spec.is_none_or(|spec| spec.email.is_none() || spec.one_per_email) {
            return Ok(false);
        }
        let connection = &turn.flow.side(side).connection;
        let also = |flow: &RecordFlow| {
            Side::BOTH.into_iter().filter(|side| flow.side(*side).connection == *connection).any(|side| {
                flow.pairs.iter().any(|pair| {
                    let (settings, asked) = match side {
                        Side::Left => (&pair.left, pair.on_request),
                        Side::Right => (&pair.right, false),
                    };
                    settings.kind == kind && (settings.create || asked)
                })
            })
        };
        let flows = self.record_flows(&turn.flow.workspace).await?;
        Ok(flows.iter().any(|flow| flow.id != turn.flow.id && also(flow)))
    }

    async fn reserve(&self, turn: &Turn<'_>, place: &(Side, String), reserved: &mut Reserved) -> Result<bool, Halt> {
        if reserved.0.contains_key(place) {
            return Ok(true);
        }
        let name = format!("create:{}:{}", turn.flow.side(place.0).connection, place.1);
        let lease = self.options.call.saturating_mul(LEASE_CALLS);
        let held = self.hold(&turn.flow.workspace, name, lease).await?;
        let is_ours = held.is_some();
        reserved.0.extend(held.map(|held| (place.clone(), held)));
        Ok(is_ours)
    }

    /// Keeps what is reserved for as long again as a few calls may take.
    pub(crate) async fn extend_reserved(
        &self,
        turn: &Turn<'_>,
        reserved: &Reserved,
        now: Timestamp,
    ) -> Result<(), Halt> {
        let until = later(now, self.options.call.saturating_mul(LEASE_CALLS));
        for held in reserved.0.values() {
            if !self.world.store.extend_lease(&turn.flow.workspace, held, now, until).await? {
                return Err(Halt::Lost);
            }
        }
        Ok(())
    }

    pub(crate) async fn release_reserved(&self, turn: &Turn<'_>, reserved: Reserved) {
        for held in reserved.0.values() {
            self.let_go(&turn.flow.workspace, held).await;
        }
    }
}

/// Where a decision makes a record.
fn makes(turn: &Turn<'_>, one: &Decided<'_>) -> Option<(Side, String)> {
    let Decision::Create { pair, to, .. } = &one.decision else { return None };
    Some((*to, turn.compiled.flow.pairs[*pair].side(*to).kind.clone()))
}
