//! The real process under a stream of bookings, killed at random moments and started again: the CRM must hold exactly
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
use syncline_sandbox::{FaultKind, FaultRule, hubspot::HubSpotRecord};

use crate::{
    crms::{Hub, KEYED, Told, tied, value},
    lab::{Booking, Connection, Hook, Installation, PATIENCE, Sandbox, Server, free_port, pause},
    story::fault,
};

const BINARY: &str = env!("CARGO_BIN_EXE_syncline");

/// Bookings in the stream; each has three messages on average.
const BOOKINGS: usize = 160;

/// Kills in one run.
const KILLS: usize = 20;

/// Every so many calls one is not answered well, and one is done but not answered.
const FAILS_EVERY: u64 = 20;
const LOST_EVERY: u64 = 23;

/// A CRM that can be compared with another one of its kind.
trait Compared: Told {
    /// The stages of what a booking becomes beside its meeting.
    const CASE_AND_OPPORTUNITY: &str;

    /// Calls fail, and answers are lost, now and then.
    fn falters(&self);

    /// Whether both happened.
    fn has_faltered(&self) -> bool;

    /// What it holds, without what differs from run to run (ids, times of writing): each record by its own fields, with
    /// references by what they point at.
    fn holdings(&self) -> BTreeMap<String, Vec<String>>;
}

/// The settings of the stream: everything that a booking can become.
fn flow<C: Compared>() -> String {
    let more = C::CASE_AND_OPPORTUNITY;
    format!("[integrations.defaults]\nguests = \"create\"\nown_domains = [\"host.example\"]\n{more}\n")
}

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
                booking = booking.with_company(&guests, &["carl@host.example", "ola@host.example"]);
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

impl Compared for Sandbox {
    const CASE_AND_OPPORTUNITY: &str =
        "case = { status = \"New\", origin = \"Web\" }\nopportunity = { stage = \"Prospecting\" }";

    fn falters(&self) {
        let path = "/services/data";
        fault(self, &json!({"kind": "status", "status": 503, "every": FAILS_EVERY, "path": path}));
        fault(self, &json!({"kind": "applied_answer_lost", "every": LOST_EVERY, "path": path}));
    }

    fn has_faltered(&self) -> bool {
        let fired = self.org.faults().fired();
        fired.len() == 2 && fired.iter().all(|fault| fault.fired > 0)
    }

    fn holdings(&self) -> BTreeMap<String, Vec<String>> {
        let mut names: BTreeMap<String, String> = BTreeMap::new();
        for (object, name) in [
            ("Account", "Name"),
            ("Contact", "Email"),
            ("Case", "Subject"),
            ("Opportunity", "CloseDate"),
            ("User", "Email"),
            ("Event", "StartDateTime"),
        ] {
            for record in self.records(object) {
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
                let mut lines: Vec<String> = self
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
}

/// Faults of each kind at the most.
const FAULTS: u64 = 30;

impl Compared for Hub {
    const CASE_AND_OPPORTUNITY: &str =
        "case = { status = \"1\", origin = \"FORM\" }\nopportunity = { stage = \"appointmentscheduled\" }";

    fn falters(&self) {
        let crm = |rule: FaultRule| FaultRule { path: Some("/crm".to_owned()), ..rule };
        for turn in 1..=FAULTS {
            let fails = FaultRule::next(FaultKind::Status).status(503).after(turn * FAILS_EVERY);
            let lost = FaultRule::next(FaultKind::LostAnswer).after(turn * LOST_EVERY);
            self.account.faults().add(crm(fails)).expect("a fault");
            self.account.faults().add(crm(lost)).expect("a fault");
        }
    }

    fn has_faltered(&self) -> bool {
        let tallies = self.account.faults().tallies();
        tallies.iter().filter(|tally| tally.fired > 0).count() > 2
    }

    fn holdings(&self) -> BTreeMap<String, Vec<String>> {
        let kept: [(&str, &[&str]); 5] = [
            ("companies", &["name", "domain", "hubspot_owner_id"]),
            ("contacts", &["email", "firstname", "lastname", "hubspot_owner_id"]),
            ("tickets", &["subject", "content", "hs_pipeline_stage", "source_type", "hubspot_owner_id"]),
            ("deals", &["closedate", "dealname", "dealstage", "hubspot_owner_id"]),
            (
                "meetings",
                &[
                    "hs_meeting_start_time",
                    "hs_meeting_end_time",
                    "hs_meeting_title",
                    "hs_meeting_body",
                    "hs_meeting_location",
                    "hs_meeting_outcome",
                    "hs_attendee_owner_ids",
                    "hubspot_owner_id",
                ],
            ),
        ];
        let mut names: BTreeMap<(&str, String), String> = BTreeMap::new();
        for (object, properties) in kept {
            for record in self.records(object) {
                names.insert((object, record.id.clone()), value(&record, properties[0]).to_owned());
            }
        }
        let line = |record: &HubSpotRecord, properties: &[&str]| {
            let mut line: Vec<String> = properties.iter().map(|name| value(record, name).to_owned()).collect();
            for object in KEYED {
                let mut others: Vec<&str> =
                    tied(record, object).into_iter().map(|id| names[&(object, id)].as_str()).collect();
                others.sort_unstable();
                line.push(format!("{object}: {}", others.join(", ")));
            }
            line.join(" | ")
        };
        kept.into_iter()
            .map(|(object, properties)| {
                let mut lines: Vec<String> =
                    self.records(object).iter().map(|record| line(record, properties)).collect();
                lines.sort();
                (object.to_owned(), lines)
            })
            .collect()
    }
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

/// Plays the same stream with and without kills, and compares the CRMs.
fn compare<C: Compared>(name: &str, database: &dyn Fn(&str) -> String, nodes: usize, seed: u64) {
    let stream = stream(seed);
    let calm_crm = C::start();
    let calm = Installation::new(&format!("{name}-calm"), &calm_crm, &database("calm"), &flow::<C>());
    Run { installation: &calm, ports: &[free_port()], kills: 0, seed }.play(&stream);
    let expected = calm_crm.holdings();

    let crm = C::start();
    crm.falters();
    let installation = Installation::new(&format!("{name}-killed"), &crm, &database("killed"), &flow::<C>());
    let ports: Vec<u16> = (0..nodes).map(|_| free_port()).collect();
    Run { installation: &installation, ports: &ports, kills: KILLS, seed }.play(&stream);
    assert!(crm.has_faltered(), "every fault must strike");
    crm.comes_back();
    let found = crm.holdings();
    for (object, lines) in &expected {
        assert!(!lines.is_empty(), "{object}: the stream makes some");
        assert_eq!(&found[object], lines, "{object}");
    }
}

pub fn postgres() -> String {
    std::env::var("SYNCLINE_TEST_POSTGRES").expect("run ./test, which starts PostgreSQL")
}

/// proves: V1, V2, V3, B4, fault:C1, fault:C2, fault:N3, fault:H2
#[test]
fn kills_leave_no_trace_on_sqlite() {
    compare::<Sandbox>("kill-sqlite", &|_| "sqlite:syncline.db".to_owned(), 1, 20_261_121);
}

/// The run without kills is one process on SQLite: both databases leave the same.
///
/// proves: V1, V2, V3, V5, O2, fault:L1, fault:L3
#[test]
fn kills_leave_no_trace_on_postgresql_with_two_nodes() {
    let base = postgres();
    let database = |run: &str| match run {
        "calm" => "sqlite:syncline.db".to_owned(),
        killed => crate::lab::postgres_database(&base, killed),
    };
    compare::<Sandbox>("kill-postgres", &database, 2, 20_261_122);
}

/// A CRM that takes no graph at once is left no worse: what was done of a plan is found, the rest is written.
///
/// proves: V1, V2, V3, fault:L1, fault:L3, fault:N3
#[test]
fn kills_leave_no_trace_where_a_plan_takes_several_calls() {
    let base = postgres();
    compare::<Hub>("kill-hub", &|run| crate::lab::postgres_database(&base, &format!("hub_{run}")), 2, 20_261_123);
}
