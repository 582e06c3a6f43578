//! The clocks of the processes, which the simulations that are not about bookings set wrong.

use std::{sync::Arc, time::Duration};

use jiff::SignedDuration;

use crate::{clock::SkewedClock, faults::Fault, sim::Sim};

/// How far a clock is wrong, and how far it jumps.
const SKEW_MAX: i64 = 5;
const JUMPS: [i64; 6] = [1, 1, -1, -1, 24, -24];

/// Clocks that differ, and clocks that jump.
pub async fn wrong_clocks(sim: Arc<Sim>, clocks: Vec<Arc<SkewedClock>>, until: Duration) {
    let mut skews = vec![0; clocks.len()];
    if sim.may(Fault::K2) {
        sim.fired(Fault::K2);
        for (clock, skew) in clocks.iter().zip(&mut skews) {
            *skew = sim.with_dice("clocks", |dice| i64::try_from(dice.below(11)).unwrap_or(0) - SKEW_MAX);
            clock.set(SignedDuration::from_secs(*skew));
        }
    }
    if !sim.may(Fault::K1) {
        return;
    }
    let draw = |from, to| sim.with_dice("clocks", |dice| dice.between(from, to));
    tokio::time::sleep(Duration::from_secs(draw(10, until.as_secs().max(20)))).await;
    if !sim.in_chaos() {
        return;
    }
    let at = usize::try_from(draw(0, clocks.len() as u64)).unwrap_or(0);
    let jump = sim.with_dice("clocks", |dice| *dice.pick(&JUMPS));
    sim.fired(Fault::K1);
    clocks[at].set(SignedDuration::from_hours(jump));
    tokio::time::sleep(Duration::from_secs(draw(30, 600))).await;
    if sim.in_chaos() {
        clocks[at].set(SignedDuration::from_secs(skews[at]));
    }
}
