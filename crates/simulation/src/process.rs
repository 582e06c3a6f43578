//! The processes: each is the whole product over the shared database, from start to death and again.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use jiff::SignedDuration;
use syncline_connect::{Connector, Secret, oauth::App};
use syncline_core::Entropy;
use syncline_engine::{ConnectionSetup, Engine, GrantKind, Integration, Options, Setup, World};
use syncline_server::{Server, ServerOptions, SourceSetup};
use syncline_store::Gate;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::{
    bodies,
    clock::SkewedClock,
    dice::{Dice, Seeded},
    door::Door,
    faults::Fault,
    life::Life,
    network::{CALL_DEADLINE, Carrier, Network},
    orgs,
    sim::{Sim, lock},
    story::{Customer, SECRET, Source},
};

/// Where people and vendors reach the servers.
pub const PUBLIC: &str = "https://syncline.example";

/// Where webhooks go, without the host.
pub const PATH_KEY: &str = "0123456789abcdef0123456789abcdef";

/// One process, up or down.
pub struct Process {
    pub number: usize,
    pub clock: Arc<SkewedClock>,
    door: Door,
    sim: Arc<Sim>,
    network: Arc<Network>,
    /// The one point at which it dies, where the run names one.
    dies_at: Option<u64>,
}

impl Process {
    pub fn new(sim: &Arc<Sim>, network: &Arc<Network>, number: usize, dies_at: Option<u64>) -> Arc<Self> {
        Arc::new(Self {
            number,
            clock: SkewedClock::new(Arc::clone(&sim.clock)),
            door: Door::default(),
            sim: Arc::clone(sim),
            network: Arc::clone(network),
            dies_at,
        })
    }

    /// Lives, dies and comes back until `stop`.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        for lives in 0_u64.. {
            let life = self.life(lives);
            let engine = self.engine(&life, lives);
            self.door.open(Server::new(Arc::clone(&engine), self.sources(), options()));
            let alone = self.sim.story.processes == 1;
            let working = async {
                if alone && let Err(error) = engine.world().store.reclaim_all().await {
                    self.sim.note(|| format!("p{} could not reclaim: {error}", self.number));
                }
                engine.run(stop.clone()).await;
            };
            tokio::select! {
                biased;
                () = life.death() => {}
                () = working => return,
            }
            self.door.close();
            let away = self.sim.with_dice("restarts", |dice| dice.between(50, 40_000));
            tokio::time::sleep(Duration::from_millis(away)).await;
            if stop.is_cancelled() {
                return;
            }
            self.sim.note(|| format!("p{} starts again", self.number));
        }
    }

    fn life(&self, lives: u64) -> Arc<Life> {
        let (sim, network) = (Arc::clone(&self.sim), Arc::clone(&self.network));
        let race = move || {
            if sim.may(Fault::T2) && network.lines.iter().any(|line| lock(&line.watch).token_under_way()) {
                sim.fired(Fault::T2);
            }
        };
        let at = self.dies_at.filter(|_| lives == 0);
        Life::drawn(&self.sim, self.number, lives, at, Box::new(race))
    }

    fn engine(&self, life: &Arc<Life>, lives: u64) -> Arc<Engine> {
        let seed = self.sim.story.seed ^ (self.number as u64).wrapping_mul(0x1234_5678_9abc_def1);
        // With the same chance as before, the workers take the names that they had.
        let same = lives > 0 && self.sim.may(Fault::L3);
        if same {
            self.sim.fired(Fault::L3);
        }
        let dice = Dice::of(seed, "process", if same { 0 } else { lives });
        let entropy: Arc<dyn Entropy> = Arc::new(Seeded::new(dice));
        let gate: Arc<dyn Gate> = Arc::clone(life) as Arc<dyn Gate>;
        let store = self.sim.store.gated(Arc::clone(&entropy), gate).expect("the simulation's store runs inline");
        let http = Arc::new(Carrier { network: Arc::clone(&self.network), life: Arc::clone(life) });
        let world = World { store, http, clock: self.clock.clone(), entropy, rest: Arc::new(syncline_engine::Timer) };
        let call = SignedDuration::try_from(CALL_DEADLINE).unwrap_or(SignedDuration::MAX);
        let options =
            Options { workers: self.sim.story.workers, call, poll: self.sim.story.poll, ..Options::default() };
        Engine::new(world, setup(&self.sim.story.customers, &self.network), options)
    }

    fn sources(&self) -> Vec<SourceSetup> {
        let mut sources = Vec::new();
        for customer in &self.sim.story.customers {
            for source in Source::ALL {
                let secrets = match source {
                    Source::Meetergo => Vec::new(),
                    signed => vec![Secret::new(bodies::secret(customer.number, signed))],
                };
                sources.push(SourceSetup {
                    workspace: customer.workspace(),
                    integration: Customer::integration(),
                    id: source.as_str().into(),
                    connector: connector(source.as_str()),
                    path_key: path_key(customer.number),
                    secrets,
                });
            }
        }
        sources
    }

    /// Hands a webhook over; the answer's status and body, or nothing where the process is down.
    pub async fn post(&self, path: &str, headers: &[(&str, String)], body: &str) -> Option<(u16, String)> {
        let mut headers = headers.to_vec();
        headers.push(("content-type", "application/json".to_owned()));
        let (status, body) = self.door.post(path, &headers, Bytes::from(body.to_owned())).await?;
        Some((status, String::from_utf8_lossy(&body).into_owned()))
    }
}

/// The connector of a vendor.
pub fn connector(vendor: &str) -> &'static dyn Connector {
    let all = syncline_vendors::all();
    all.iter().copied().find(|one| one.manifest().vendor == vendor).expect("the vendor is compiled in")
}

/// The secret part of a customer's webhook addresses.
pub fn path_key(customer: usize) -> String {
    format!("{PATH_KEY}{customer}")
}

/// A server's options.
pub fn options() -> ServerOptions {
    let public = Url::parse(PUBLIC).expect("the address is well formed");
    ServerOptions::new(public, Secret::new(format!("{SECRET}-admin-token-of-32-characters")), [7; 32])
}

/// What the operator set up.
pub fn setup(customers: &[Customer], network: &Network) -> Setup {
    let mut setup = Setup::default();
    for (customer, line) in customers.iter().zip(&network.lines) {
        setup.connections.push(ConnectionSetup {
            workspace: customer.workspace(),
            id: Customer::crm(),
            connector: connector("salesforce"),
            settings: BTreeMap::from([("login_host".to_owned(), line.base.clone())]),
            app: App {
                client_id: orgs::client_id(customer.number),
                client_secret: Some(Secret::new(orgs::client_secret(customer.number))),
                redirect_uri: Url::parse("https://syncline.example/oauth/callback/crm").ok(),
            },
            grant: if customer.rotating { GrantKind::Browser } else { GrantKind::ClientCredentials },
            budget_share: 0.9,
        });
        setup.integrations.push(Integration {
            workspace: customer.workspace(),
            id: Customer::integration(),
            crm: Customer::crm(),
            default: Arc::new(customer.settings.clone()),
            meeting_types: BTreeMap::new(),
        });
    }
    setup
}
