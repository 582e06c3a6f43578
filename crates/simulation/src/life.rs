//! One life of a process: the points at which it may die, and the gate to its database.

use std::{
    future::pending,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};

use futures::future::{BoxFuture, FutureExt};
use syncline_store::{Call, Error, Gate, Result};
use tokio::{sync::Notify, time::Instant};

use crate::{
    faults::Fault,
    sim::{Sim, lock},
};

/// Of a thousand operations on the database, how many meet each of its faults.
const DATABASE_PER_MILLE: u64 = 8;
/// Of a thousand operations, how many pause the worker for longer than its lease.
const PAUSE_PER_MILLE: u64 = 4;

/// Where a process stands when it dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    Commit,
    Call,
}

/// One process from its start to its death.
pub struct Life {
    pub process: usize,
    sim: Arc<Sim>,
    dead: AtomicBool,
    death: Notify,
    /// Points until it dies; below zero: it does not.
    left: AtomicI64,
    /// Whether it is still finding its feet after a death.
    recovers: AtomicBool,
    /// Until when the database is out of its reach.
    cut_off: Mutex<Option<Instant>>,
    /// The one point of the run at which it dies, where one was named.
    at: Option<u64>,
    /// What is done when a worker asks for the right to refresh a token.
    on_acquire: Box<dyn Fn() + Send + Sync>,
}

impl Life {
    pub fn new(
        sim: Arc<Sim>,
        process: usize,
        dies_after: Option<u64>,
        recovers: bool,
        at: Option<u64>,
        on_acquire: Box<dyn Fn() + Send + Sync>,
    ) -> Arc<Self> {
        let left = dies_after.and_then(|points| i64::try_from(points).ok()).unwrap_or(-1);
        Arc::new(Self {
            process,
            sim,
            dead: AtomicBool::new(false),
            death: Notify::new(),
            left: AtomicI64::new(left),
            recovers: AtomicBool::new(recovers),
            cut_off: Mutex::default(),
            at,
            on_acquire,
        })
    }

    /// The life that a process begins now, which may end as the seed has it. `at`: the one point at which it does, where one
    /// was named.
    pub fn drawn(
        sim: &Arc<Sim>,
        process: usize,
        lives: u64,
        at: Option<u64>,
        on_acquire: Box<dyn Fn() + Send + Sync>,
    ) -> Arc<Self> {
        let faults = sim.story.faults;
        let dies = faults.has(Fault::C1) || faults.has(Fault::C2);
        let again = lives > 0 && sim.strikes("deaths", Fault::C3, 400);
        let after = sim.with_dice("deaths", |dice| match (again, dies) {
            (true, _) => Some(dice.below(12)),
            (false, true) => Some(dice.between(3, 250)),
            (false, false) => None,
        });
        Self::new(Arc::clone(sim), process, after, again, at, on_acquire)
    }

    pub fn is_dead(&self) -> bool {
        self.dead.load(Ordering::Relaxed)
    }

    /// Waits for the end of this life.
    pub async fn death(&self) {
        while !self.is_dead() {
            self.death.notified().await;
        }
    }

    /// A point at which it may die. From the dead nothing returns.
    pub async fn pass(&self, point: Point) {
        if self.is_dead() {
            pending::<()>().await;
        }
        let number = self.sim.next_point();
        let named = self.at == Some(number);
        let drawn = self.sim.in_chaos() && self.left.fetch_sub(1, Ordering::Relaxed) == 0;
        if named || drawn {
            self.die(point);
            pending::<()>().await;
        }
    }

    fn die(&self, point: Point) {
        self.dead.store(true, Ordering::Relaxed);
        self.sim.note(|| format!("p{} dies", self.process));
        self.sim.fired(match (self.recovers.load(Ordering::Relaxed), point) {
            (true, _) => Fault::C3,
            (false, Point::Commit) => Fault::C1,
            (false, Point::Call) => Fault::C2,
        });
        self.death.notify_waiters();
        self.death.notify_one();
    }

    fn is_cut_off(&self) -> bool {
        let now = Instant::now();
        let mut cut_off = lock(&self.cut_off);
        if cut_off.is_some_and(|until| now < until) {
            return self.sim.in_chaos();
        }
        *cut_off = None;
        if self.sim.strikes("partition", Fault::N9, DATABASE_PER_MILLE / 2) {
            let seconds = self.sim.with_dice("partition", |dice| dice.between(2, 90));
            *cut_off = Some(now + Duration::from_secs(seconds));
            self.sim.fired(Fault::N9);
            return true;
        }
        false
    }

    async fn pause(&self) {
        if !self.sim.strikes("pause", Fault::L2, PAUSE_PER_MILLE) {
            return;
        }
        let seconds = self.sim.with_dice("pause", |dice| dice.between(125, 300));
        self.sim.fired(Fault::L2);
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        if self.is_dead() {
            pending::<()>().await;
        }
    }

    fn fails_before(&self) -> Option<Error> {
        if self.is_cut_off() {
            return Some(Error::Unavailable("the database cannot be reached".to_owned()));
        }
        if self.sim.strikes("database", Fault::D1, DATABASE_PER_MILLE) {
            self.sim.fired(Fault::D1);
            return Some(Error::Busy);
        }
        if self.sim.strikes("database", Fault::D3, DATABASE_PER_MILLE) {
            self.sim.fired(Fault::D3);
            return Some(Error::Unavailable("the disk failed".to_owned()));
        }
        None
    }
}

impl Gate for Life {
    fn before(&self, call: Call) -> BoxFuture<'_, Result<()>> {
        async move {
            self.pass(Point::Commit).await;
            self.pause().await;
            if call.name == "Acquire" {
                (self.on_acquire)();
            }
            match self.fails_before() {
                Some(error) => {
                    self.sim.note(|| format!("p{} {} fails: {error}", self.process, call.name));
                    Err(error)
                }
                None => Ok(()),
            }
        }
        .boxed()
    }

    fn after(&self, call: Call, done: bool) -> BoxFuture<'_, Result<()>> {
        async move {
            self.sim.note(|| format!("p{} {}{}", self.process, call.name, if done { "" } else { " failed" }));
            if !call.reads {
                self.pass(Point::Commit).await;
                if self.sim.strikes("database", Fault::D6, DATABASE_PER_MILLE) {
                    self.sim.fired(Fault::D6);
                    return Err(Error::Unavailable("the database was lost after the commit".to_owned()));
                }
            }
            if call.name == "Settle" {
                // It has seen something through: what comes now is no recovery any more.
                self.recovers.store(false, Ordering::Relaxed);
            }
            Ok(())
        }
        .boxed()
    }
}
