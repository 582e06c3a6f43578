//! The processes of the product: each is an engine over the shared database that does rounds, from start to death and
//! again.

use std::{sync::Arc, time::Duration};

use jiff::SignedDuration;
use syncline_core::Entropy;
use syncline_engine::{Engine, Options, World};
use syncline_server::Server;
use syncline_store::Gate;
use tokio_util::sync::CancellationToken;

use super::{
    office::hearing,
    wires::{Carrier, Wires},
};
use crate::{
    clock::SkewedClock,
    dice::{Dice, Seeded},
    door::Door,
    life::Life,
    network::CALL_DEADLINE,
};

/// Seconds between two rounds of a process, while people are busy and when all is quiet.
const PAUSE: (u64, u64) = (15, 120);
const PAUSE_IN_CALM: (u64, u64) = (60, 300);

/// One process.
pub struct Process {
    pub number: usize,
    pub clock: Arc<SkewedClock>,
    /// Where vendors tell of changes.
    pub door: Door,
    wires: Arc<Wires>,
}

impl Process {
    pub fn new(wires: &Arc<Wires>, number: usize) -> Arc<Self> {
        let clock = SkewedClock::new(Arc::clone(&wires.sim.clock));
        Arc::new(Self { number, clock, door: Door::default(), wires: Arc::clone(wires) })
    }

    /// Lives, dies and comes back until `stop`.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let sim = &self.wires.sim;
        for lives in 0_u64.. {
            let life = Life::drawn(sim, self.number, lives, None, Box::new(|| ()));
            let engine = self.engine(&life, lives);
            let hearing = hearing(&self.wires.plot, engine.setup());
            self.door.open(Server::new(Arc::clone(&engine), Vec::new(), hearing));
            tokio::select! {
                biased;
                () = life.death() => {}
                () = self.rounds(&engine, &stop) => return,
            }
            self.door.close();
            let away = sim.with_dice("restarts", |dice| dice.between(50, 40_000));
            tokio::time::sleep(Duration::from_millis(away)).await;
            sim.note(|| format!("p{} starts again", self.number));
        }
    }

    /// One round after another. When it is to stop, the one under way comes to its end, as the product does it.
    async fn rounds(&self, engine: &Engine, stop: &CancellationToken) {
        let sim = &self.wires.sim;
        while !stop.is_cancelled() {
            for flow in &engine.setup().calendars {
                let end = engine.calendars_round(flow, false).await;
                sim.note(|| format!("p{} {} {end:?}", self.number, flow.id));
                if let Err(error) = engine.watch_calendars(flow).await {
                    sim.note(|| format!("p{} could not see to its watches: {error}", self.number));
                }
            }
            let (from, to) = if sim.in_chaos() { PAUSE } else { PAUSE_IN_CALM };
            let pause = sim.with_dice("rounds", |dice| dice.between(from * 1000, to * 1000));
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = tokio::time::sleep(Duration::from_millis(pause)) => {}
            }
        }
    }

    fn engine(&self, life: &Arc<Life>, lives: u64) -> Arc<Engine> {
        let sim = &self.wires.sim;
        let dice =
            Dice::of(sim.story.seed ^ (self.number as u64).wrapping_mul(0x1234_5678_9abc_def1), "process", lives);
        let entropy: Arc<dyn Entropy> = Arc::new(Seeded::new(dice));
        let gate: Arc<dyn Gate> = Arc::clone(life) as Arc<dyn Gate>;
        let store = sim.store.gated(Arc::clone(&entropy), gate).expect("the simulation's store runs inline");
        let http = Arc::new(Carrier { wires: Arc::clone(&self.wires), life: Arc::clone(life) });
        let world = World { store, http, clock: self.clock.clone(), entropy, rest: Arc::new(syncline_engine::Timer) };
        let call = SignedDuration::try_from(CALL_DEADLINE).unwrap_or(SignedDuration::MAX);
        let setup = self.wires.office.setup(&self.wires.plot);
        Engine::new(world, setup, Options { call, ..Options::default() })
    }
}
