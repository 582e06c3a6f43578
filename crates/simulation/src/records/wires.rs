//! The wires between the processes and the accounts: the shared network with its faults, and the ledger that looks on.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use futures::future::FutureExt;
use http::{Request, Response};
use syncline_connect::{BoxFuture, Http, HttpError};

use super::{
    accounts::base,
    company::Company,
    ledger::{Ledger, Writer},
    plot::Trouble,
};
use crate::{
    fate::Fate,
    faults::Fault,
    life::{Life, Point},
    network::{Weather, exchange},
    sim::{Sim, lock},
    watch::Kind,
};

/// All accounts and what happens to them.
pub struct Wires {
    pub sim: Arc<Sim>,
    pub company: Company,
    pub ledger: Mutex<Ledger>,
    weather: Vec<Mutex<Weather>>,
    /// Per process, the round that goes on.
    rounds: Mutex<Vec<Option<Writer>>>,
    pub calls: AtomicU64,
    /// How often each trouble struck, and how often the brake stopped an integration.
    struck: Mutex<BTreeMap<Trouble, u64>>,
    pub brakes: AtomicU64,
}

impl Wires {
    pub fn new(sim: &Arc<Sim>, company: Company, processes: usize) -> Arc<Self> {
        let accounts = company.accounts.len();
        Arc::new(Self {
            sim: Arc::clone(sim),
            company,
            ledger: Mutex::new(Ledger::new(accounts)),
            weather: (0..accounts).map(|_| Mutex::default()).collect(),
            rounds: Mutex::new(vec![None; processes]),
            calls: AtomicU64::new(0),
            struck: Mutex::default(),
            brakes: AtomicU64::new(0),
        })
    }

    /// A trouble struck.
    pub fn happened(&self, trouble: Trouble) {
        *lock(&self.struck).entry(trouble).or_default() += 1;
    }

    pub fn struck(&self) -> BTreeMap<Trouble, u64> {
        lock(&self.struck).clone()
    }

    /// An integration stopped by itself.
    pub fn braked(&self) {
        self.brakes.fetch_add(1, Ordering::Relaxed);
    }

    /// A round of an integration begins.
    pub fn round_begins(&self, process: usize, flow: usize) {
        lock(&self.rounds)[process] = Some(Writer { began: self.sim.clock.elapsed(), flow });
    }

    /// Lets people do something in one account, and notes what came of it.
    pub fn act<T>(&self, at: usize, act: impl FnOnce() -> T) -> T {
        let accounts = &self.company.accounts;
        let mut ledger = lock(&self.ledger);
        // What a program's job did before.
        ledger.by_program(&self.sim, accounts, at, None);
        let done = act();
        ledger.by_person(&self.sim, accounts, at);
        done
    }

    fn arrive(&self, at: usize, writer: Option<Writer>, request: Request<Bytes>) -> Response<Bytes> {
        let account = &self.company.accounts[at];
        if account.crm().is_some() && self.sim.strikes("tokens", Fault::T1, 12) {
            account.expire();
            self.sim.fired(Fault::T1);
        }
        lock(&self.ledger).by_program(&self.sim, &self.company.accounts, at, None);
        let answer = account.answer(&base(account.name()), request);
        lock(&self.ledger).by_program(&self.sim, &self.company.accounts, at, writer);
        answer
    }

    fn fate(&self, at: usize, process: usize, kind: Kind) -> Fate {
        if !self.sim.in_chaos() {
            return Fate::Arrives;
        }
        let weather = lock(&self.weather[at]).fate(&self.sim, process);
        match weather.unwrap_or_else(|| Fate::draw(&self.sim, kind)) {
            // Only the CRM counts the calls of a day.
            Fate::Instead { status: 403, .. } if at > 0 => Fate::instead(429),
            fate => fate,
        }
    }
}

/// What one life of a process calls through.
pub struct Carrier {
    pub wires: Arc<Wires>,
    pub life: Arc<Life>,
}

impl Http for Carrier {
    fn send(&self, request: Request<Bytes>) -> BoxFuture<'_, Result<Response<Bytes>, HttpError>> {
        self.carry(request).boxed()
    }
}

impl Carrier {
    async fn carry(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (wires, sim, process) = (&self.wires, &self.wires.sim, self.life.process);
        self.life.pass(Point::Call).await;
        let host = request.uri().host().unwrap_or_default().to_owned();
        let at = wires.company.accounts.iter().position(|account| base(account.name()).ends_with(&format!("//{host}")));
        let Some(at) = at else {
            sim.violation("I7", "a request leaves for a host that belongs to nobody".to_owned());
            return Err(HttpError::NotSent { host, reason: "no such host".into() });
        };
        let number = 1 + wires.calls.fetch_add(1, Ordering::Relaxed);
        let kind = if request.uri().path().ends_with("/oauth2/token") { Kind::Token } else { Kind::Other };
        let fate = wires.fate(at, process, kind);
        sim.note(|| format!("p{process} #{number} {} {} {fate}", request.method(), request.uri()));
        let writer = lock(&wires.rounds)[process];
        let far = Arc::clone(wires);
        let answer = exchange(sim, host, fate, move || far.arrive(at, writer, request), || ()).await;
        sim.note(|| match &answer {
            Ok(answer) => format!("p{process} #{number} {}", answer.status()),
            Err(error) => format!("p{process} #{number} {error}"),
        });
        self.life.pass(Point::Call).await;
        answer
    }
}
