//! The real process under a stream of bookings, killed at random moments and started again: the org must hold exactly
//! what a run without kills leaves.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    lab::{Booking, Connection, Hook, Installation, PATIENCE, Sandbox, Server, free_port, pause},
    story::{clear_faults, fault},
};

const BINARY: &str = env!("CARGO_BIN_EXE_syncline");

/// Bookings in the stream; each has three messages on average.
const BOOKINGS: usize = 160;

/// Kills in one run.
const KILLS: usize = 20;

/// The settings of the stream: everything that a booking can become.
const FLOW: &str = "[integrations.defaults]\nguests = \"create\"\nown_domains = [\"host.example\"]\ncase = { status = \"New\", origin = \"Web\" }\nopportunity = { stage = \"Prospecting\" }\n";

/// A small generator of random numbers, the same for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// The stream: per booking its messages in order. People come back, companies are shared, some move and some cancel.
fn stream(seed: u64) -> Vec<Vec<Hook>> {
    let mut dice = Dice(seed);
    (0..BOOKINGS)
        .map(|number| {
            let person = dice.below(BOOKINGS as u64 / 2);
            let mut booking = Booking::new(
                number,
                &format!("person{person}@company{}.example", person % 9),
                &format!("Some Body{person}"),
            );
            if dice.below(3) == 0 {
                let guests: Vec<String> = (0..1 + dice.below(3))
                    .map(|guest| format!("guest{number}.{guest}@company{person}.example"))
                    .collect();
                booking = booking.with_company(&guests, &["carl@host.example"]);
            }
            let mut hooks = vec![booking.created()];
            for _ in 0..dice.below(3) {
                hooks.push(booking.moved());
            }
            if dice.below(4) == 0 {
                hooks.push(booking.cancelled());
            }
            hooks
        })
        .collect()
}

/// What the org holds, without what differs from run to run (ids, times of writing): each record by its own fields,
/// with references by what they point at.
fn holdings(sandbox: &Sandbox) -> BTreeMap<String, Vec<String>> {
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    for (object, name) in [
        ("Account", "Name"),
        ("Contact", "Email"),
        ("Case", "Subject"),
        ("Opportunity", "CloseDate"),
        ("User", "Email"),
        ("Event", "StartDateTime"),
    ] {
        for record in sandbox.records(object) {
            let id = record["Id"].as_str().expect("an id").to_owned();
            names.insert(id, format!("{object} {}", record[name].as_str().unwrap_or_default()));
        }
    }
    let kept: &[(&str, &[&str])] = &[
        ("Account", &["Name", "Website", "OwnerId"]),
        ("Contact", &["Email", "LastName", "FirstName", "AccountId", "OwnerId"]),
        ("Case", &["Subject", "Description", "ContactId", "AccountId", "Status", "Origin"]),
        ("Opportunity", &["Name", "CloseDate", "StageName", "AccountId"]),
        (
            "Event",
            &[
                "Subject",
                "Description",
                "StartDateTime",
                "EndDateTime",
                "WhoId",
                "WhatId",
                "OwnerId",
                "Location",
                "ShowAs",
            ],
        ),
        ("EventRelation", &["EventId", "RelationId"]),
    ];
    kept.iter()
        .map(|(object, fields)| {
            let mut lines: Vec<String> = sandbox
                .records(object)
                .iter()
                .map(|record| {
                    let shown = |field: &&str| match record.get(*field).and_then(Value::as_str) {
                        Some(text) => names.get(text).cloned().unwrap_or_else(|| text.to_owned()),
                        None => "-".to_owned(),
                    };
                    fields.iter().map(shown).collect::<Vec<_>>().join(" | ")
                })
                .collect();
            lines.sort();
            ((*object).to_owned(), lines)
        })
        .collect()
}

/// Delivers one booking's messages in order, each until it is taken in, wherever a server answers.
fn deliver(hooks: &[Hook], ports: &[u16], hook: &str, sent: &AtomicUsize) {
    let mut connection: Option<Connection> = None;
    for (turn, message) in hooks.iter().enumerate() {
        let started = Instant::now();
        for attempt in 0.. {
            assert!(started.elapsed() < PATIENCE, "no server took a message in");
            let port = ports[(turn + attempt) % ports.len()];
            let mut open = connection.take().or_else(|| Connection::try_open(([127, 0, 0, 1], port).into()));
            let answer = open.as_mut().map(|open| message.post(open, hook));
            if let Some(Ok((200, _))) = answer {
                connection = open;
                break;
            }
            pause(Duration::from_millis(10));
        }
        sent.fetch_add(1, Ordering::Relaxed);
    }
}

struct Run<'a> {
    installation: &'a Installation,
    ports: &'a [u16],
    kills: usize,
    seed: u64,
}

impl Run<'_> {
    /// Streams the bookings in, killing and restarting meanwhile; returns once everything is settled.
    fn play(&self, stream: &[Vec<Hook>]) {
        let binary = Path::new(BINARY);
        let servers: Vec<Mutex<Option<Server>>> =
            self.ports.iter().map(|port| Mutex::new(Some(self.installation.start_on(binary, *port, &[])))).collect();
        let hook = servers[0].lock().expect("a lock").as_ref().expect("a server").hook.clone();
        let (sent, next, done) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicBool::new(false));
        let total: usize = stream.iter().map(Vec::len).sum();
        std::thread::scope(|scope| {
            let senders: Vec<_> = (0..6)
                .map(|_| {
                    let (sent, next, hook) = (&sent, &next, &hook);
                    scope.spawn(move || {
                        while let Some(hooks) = stream.get(next.fetch_add(1, Ordering::Relaxed)) {
                            deliver(hooks, self.ports, hook, sent);
                        }
                    })
                })
                .collect();
            let killer = scope.spawn(|| {
                let mut dice = Dice(self.seed ^ 0x5eed);
                for kill in 0..self.kills {
                    // Spread over the stream; the last ones strike while only the backlog is worked off.
                    let at = total * (kill + 1) / (self.kills + 1);
                    while sent.load(Ordering::Relaxed) < at && !done.load(Ordering::Relaxed) {
                        pause(Duration::from_millis(1));
                    }
                    pause(Duration::from_micros(dice.below(40_000)));
                    let victim = usize::try_from(dice.below(self.ports.len() as u64)).expect("small");
                    let mut place = servers[victim].lock().expect("a lock");
                    if let Some(server) = place.take() {
                        server.kill();
                    }
                    *place = Some(self.installation.start_on(binary, self.ports[victim], &[]));
                }
            });
            for sender in senders {
                sender.join().expect("a sender");
            }
            done.store(true, Ordering::Relaxed);
            killer.join().expect("the killer");
        });
        let mut servers: Vec<Server> =
            servers.into_iter().filter_map(|server| server.into_inner().expect("a lock")).collect();
        servers[0].settle(self.installation);
        let status = servers[0].api("/api/v1/status");
        assert_eq!(status["parked"], 0, "{status} {}", self.installation.log());
        for server in servers.drain(..) {
            assert!(server.terminate().success());
        }
    }
}

/// Plays the same stream with and without kills, and compares the orgs.
fn compare(name: &str, database: &dyn Fn(&str) -> String, nodes: usize, seed: u64) {
    let stream = stream(seed);
    let calm_org = Sandbox::start();
    let calm = Installation::new(&format!("{name}-calm"), &calm_org, &database("calm"), FLOW);
    Run { installation: &calm, ports: &[free_port()], kills: 0, seed }.play(&stream);
    let expected = holdings(&calm_org);

    let org = Sandbox::start();
    fault(&org, &json!({"kind": "status", "status": 503, "every": 20, "path": "/services/data"}));
    fault(&org, &json!({"kind": "applied_answer_lost", "every": 23, "path": "/services/data"}));
    let installation = Installation::new(&format!("{name}-killed"), &org, &database("killed"), FLOW);
    let ports: Vec<u16> = (0..nodes).map(|_| free_port()).collect();
    Run { installation: &installation, ports: &ports, kills: KILLS, seed }.play(&stream);
    let fired = org.org.faults().fired();
    assert!(fired.len() == 2 && fired.iter().all(|fault| fault.fired > 0), "every fault must strike: {fired:?}");
    clear_faults(&org);
    let found = holdings(&org);
    for (object, lines) in &expected {
        assert!(!lines.is_empty(), "{object}: the stream makes some");
        assert_eq!(&found[object], lines, "{object}");
    }
}

/// proves: V1, V2, V3, B4, fault:C1, fault:C2, fault:N3, fault:H2
#[test]
fn kills_leave_no_trace_on_sqlite() {
    compare("kill-sqlite", &|_| "sqlite:syncline.db".to_owned(), 1, 20_261_121);
}

/// proves: V1, V2, V3, O2, fault:L1, fault:L3
#[test]
fn kills_leave_no_trace_on_postgresql_with_two_nodes() {
    let base = std::env::var("SYNCLINE_TEST_POSTGRES").expect("run ./test, which starts PostgreSQL");
    compare("kill-postgres", &|run| crate::lab::postgres_database(&base, run), 2, 20_261_122);
}
