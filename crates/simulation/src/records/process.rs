//! The processes of the product: each is an engine over the shared database that does rounds, from start to death and
//! again.

use std::{sync::Arc, time::Duration};

use jiff::SignedDuration;
use syncline_core::Entropy;
use syncline_engine::{Engine, Options, World};
use syncline_store::Gate;
use tokio_util::sync::CancellationToken;

use super::{
    plot::Plot,
    wires::{Carrier, Wires},
};
use crate::{
    clock::SkewedClock,
    dice::{Dice, Seeded},
    life::Life,
    network::CALL_DEADLINE,
    sim::Sim,
};

/// Seconds between two rounds of a process, while people are busy and when all is quiet.
const PAUSE: (u64, u64) = (15, 120);
const PAUSE_IN_CALM: (u64, u64) = (60, 180);

/// One process.
pub struct Process {
    pub number: usize,
    pub clock: Arc<SkewedClock>,
    wires: Arc<Wires>,
    plot: Arc<Plot>,
}

impl Process {
    pub fn new(wires: &Arc<Wires>, plot: &Arc<Plot>, number: usize) -> Arc<Self> {
        let clock = SkewedClock::new(Arc::clone(&wires.sim.clock));
        Arc::new(Self { number, clock, wires: Arc::clone(wires), plot: Arc::clone(plot) })
    }

    /// Lives, dies and comes back until `stop`. An operator who raises the quota starts it again.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let sim = &self.wires.sim;
        for lives in 0_u64.. {
            let life = Life::drawn(sim, self.number, lives, None, Box::new(|| ()));
            let chaos = sim.in_chaos();
            let engine = self.engine(&life, lives);
            tokio::select! {
                biased;
                () = life.death() => {}
                () = stop.cancelled() => return,
                () = self.rounds(&engine, chaos) => { sim.note(|| format!("p{} is set up anew", self.number)); continue; }
            }
            let away = sim.with_dice("restarts", |dice| dice.between(50, 40_000));
            tokio::time::sleep(Duration::from_millis(away)).await;
            sim.note(|| format!("p{} starts again", self.number));
        }
    }

    /// Rounds of all integrations, for as long as the setup counts.
    async fn rounds(&self, engine: &Engine, chaos: bool) {
        let sim = &self.wires.sim;
        while sim.in_chaos() == chaos {
            for (at, flow) in engine.setup().records.iter().enumerate() {
                self.wires.round_begins(self.number, at);
                let end = engine.records_round(flow, false).await;
                sim.note(|| format!("p{} {} {end:?}", self.number, flow.id));
            }
            let (from, to) = if chaos { PAUSE } else { PAUSE_IN_CALM };
            let pause = sim.with_dice("rounds", |dice| dice.between(from * 1000, to * 1000));
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
    }

    fn engine(&self, life: &Arc<Life>, lives: u64) -> Arc<Engine> {
        let sim: &Arc<Sim> = &self.wires.sim;
        let dice =
            Dice::of(sim.story.seed ^ (self.number as u64).wrapping_mul(0x1234_5678_9abc_def1), "process", lives);
        let entropy: Arc<dyn Entropy> = Arc::new(Seeded::new(dice));
        let gate: Arc<dyn Gate> = Arc::clone(life) as Arc<dyn Gate>;
        let store = sim.store.gated(Arc::clone(&entropy), gate).expect("the simulation's store runs inline");
        let http = Arc::new(Carrier { wires: Arc::clone(&self.wires), life: Arc::clone(life) });
        let world = World { store, http, clock: self.clock.clone(), entropy, rest: Arc::new(syncline_engine::Timer) };
        let call = SignedDuration::try_from(CALL_DEADLINE).unwrap_or(SignedDuration::MAX);
        let quota = self.plot.quota.filter(|_| sim.in_chaos());
        Engine::new(world, self.wires.company.setup(&self.plot, quota), Options { call, ..Options::default() })
    }
}
