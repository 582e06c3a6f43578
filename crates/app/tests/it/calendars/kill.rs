//! The real process between two reps' calendars and a CRM, killed again and again while they meet, rename, move, call off
//! and log: in the end calendars and CRM say the same, nothing is there twice, and nobody was invited twice.

use std::{
    collections::BTreeMap,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use syncline_core::Clock;
use syncline_sandbox::{
    CalendarMail, GoogleConfig, GoogleWorkspace, MailMethod, MicrosoftConfig, MicrosoftTenant, google::GoogleUser,
    microsoft::MicrosoftUser,
};

use super::{
    dav::Radicale,
    office::connect,
    suite::{Said, Suite},
    timeline::Timeline,
};
use crate::lab::{Installation, PATIENCE, Server, WallClock, free_port, pause, postgres_database, secret};

const BINARY: &str = env!("CARGO_BIN_EXE_syncline");

/// The reps, who are users of the CRM as well.
const REPS: [(&str, &str); 2] = [("rosa", "rosa@host.example"), ("carl", "carl@host.example")];
const CONTACTS: [&str; 3] = ["ada@client.example", "bob@client.example", "eve@other.example"];
/// Kills in one run.
const KILLS: usize = 10;
/// Calls that are made before a kill at most, and how long they are waited for: some die in the middle of a round, some
/// between two.
const CALLS_MAX: u64 = 24;
const CALLS_WAITED: Duration = Duration::from_secs(3);
/// The pause between two things that people do, at most.
const BREATH_MILLIS: u64 = 250;

/// A small generator of random numbers, the same for the same seed.
pub struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    pub fn pick(&mut self, of: usize) -> usize {
        usize::try_from(self.below(of as u64)).expect("small")
    }
}

/// A meeting that somebody made: by its number, which stands in all its names.
#[derive(Clone)]
struct Made {
    number: usize,
    place: Place,
    names: Vec<String>,
    off: bool,
}

#[derive(Clone)]
enum Place {
    /// In whose calendar it is, and its id there.
    Calendar(usize, String),
    /// Who logged it, and its id in the CRM.
    Crm(usize, String),
}

/// The number in a name.
fn number(name: &str) -> Option<usize> {
    name.strip_prefix("Talk ")?.split(' ').next()?.parse().ok()
}

/// The reps' calendars at a vendor.
fn start(vendor: &str) -> Suite {
    match vendor {
        "caldav" => Suite::Dav(Radicale::start()),
        "microsoft" => {
            let users = REPS.map(|(name, email)| MicrosoftUser::new(name, email, name)).to_vec();
            let config = MicrosoftConfig { users, ..MicrosoftConfig::default() };
            Suite::Microsoft(MicrosoftTenant::new(config, Arc::new(WallClock)))
        }
        _ => {
            let users = REPS.map(|(name, email)| GoogleUser::new(email, name, "Europe/Berlin")).to_vec();
            let config = GoogleConfig { users, ..GoogleConfig::default() };
            Suite::Google(GoogleWorkspace::new(config, Arc::new(WallClock)))
        }
    }
}

struct Town {
    crm: Timeline,
    /// Where each rep's calendar is.
    suites: Vec<Suite>,
    installation: Installation,
    contacts: Vec<String>,
    users: Vec<String>,
}

impl Town {
    /// Two reps who have agreed, with calendars at these vendors, an integration with this CRM that works both ways, and
    /// calendars that were read once.
    fn new(name: &str, database: &str, crm: &str, vendors: [&str; 2]) -> Self {
        let crm = Timeline::start(crm, &REPS);
        let mut more = String::new();
        let (mut suites, mut keys, mut urls): (Vec<Suite>, BTreeMap<String, String>, Vec<String>) = Default::default();
        for ((name, _), vendor) in REPS.into_iter().zip(vendors) {
            let known =
                vendors.iter().zip(&suites).find(|(known, _)| **known == vendor).map(|(_, suite)| suite.clone());
            let suite = known.unwrap_or_else(|| start(vendor));
            let (url, credentials) = match &suite {
                Suite::Google(google) => {
                    let url = crm.beside(google);
                    (url.clone(), google.credentials(&url))
                }
                Suite::Microsoft(microsoft) => {
                    let url = crm.beside(microsoft);
                    (url.clone(), microsoft.credentials(&url))
                }
                Suite::Dav(server) => (server.url(), json!({ "client_secret": "rosa:secret" })),
            };
            let text = |name: &str| credentials[name].as_str().expect("a credential");
            more += &format!("[[connections]]\nname = \"{name}\"\nvendor = \"{vendor}\"\n");
            more += &match &suite {
                Suite::Dav(_) => format!("grant = \"key\"\napi_key = \"file:{name}.key\"\nurl = \"{url}/\"\n"),
                _ => format!(
                    "client_id = \"{}\"\nclient_secret = \"file:{name}.key\"\nsettings = {{ allow_host = \"{url}\" }}\n",
                    text("client_id")
                ),
            };
            keys.insert(name.to_owned(), text("client_secret").to_owned());
            urls.push(url);
            suites.push(suite);
        }
        more += &format!(
            "[[calendars]]\nname = \"meetings\"\ncrm = \"{}\"\nown_domains = [\"host.example\"]\ninvite = true\nedits = true\n",
            crm.vendor()
        );
        for (name, email) in REPS {
            more += &format!("[[calendars.people]]\nowner = \"{email}\"\nconnection = \"{name}\"\nevery_seconds = 1\n");
        }
        let installation = crm.installation(name, database, &more);
        urls.iter().for_each(|url| installation.open_network(url));
        keys.iter().for_each(|(name, key)| secret(&installation.folder, &format!("{name}.key"), key));
        // What a killed process held comes back after ten times a call's deadline.
        installation.rewrite("call_seconds = 2", "call_seconds = 1");
        let contacts = CONTACTS.iter().map(|email| crm.contact(email)).collect();
        let users = REPS.map(|(_, email)| crm.user(email)).to_vec();
        for ((name, _), suite) in REPS.into_iter().zip(&suites) {
            if !matches!(suite, Suite::Dav(_)) {
                connect(&installation, name);
            }
        }
        let town = Self { crm, suites, installation, contacts, users };
        town.installation.command(Path::new(BINARY), &["calendars", "activate", "meetings", "--agreed-by", "Ada"]);
        town.installation.command(Path::new(BINARY), &["calendars", "run", "meetings"]);
        town
    }

    /// Each vendor once.
    fn accounts(&self) -> impl Iterator<Item = &Suite> {
        let is_first = |(at, suite): &(usize, &Suite)| {
            let kind = std::mem::discriminant::<Suite>;
            self.suites[..*at].iter().all(|earlier| kind(earlier) != kind(suite))
        };
        self.suites.iter().enumerate().filter(is_first).map(|(_, suite)| suite)
    }

    fn calls(&self) -> u64 {
        self.crm.calls() + self.accounts().map(Suite::calls).sum::<u64>()
    }

    /// Whatever moves when anything is written.
    fn marks(&self) -> Vec<String> {
        self.accounts().flat_map(Suite::marks).chain(self.crm.marks()).collect()
    }

    /// A round at once, in a process of its own.
    fn ask(&self) -> Child {
        Command::new(BINARY)
            .args(["calendars", "run", "meetings", "--config"])
            .arg(self.installation.folder.join("syncline.toml"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts")
    }

    /// What the organisers' calendars say, by the meetings' numbers; a meeting that is there twice is a failure.
    fn in_calendars(&self) -> BTreeMap<usize, Said> {
        let mut all = BTreeMap::new();
        for ((_, email), suite) in REPS.into_iter().zip(&self.suites) {
            for said in suite.organised(email) {
                let Some(number) = number(&said.name) else { continue };
                assert!(all.insert(number, said).is_none(), "meeting {number} is in calendars twice");
            }
        }
        all
    }

    /// What the CRM says.
    fn in_crm(&self) -> BTreeMap<usize, Said> {
        let mut all = BTreeMap::new();
        for said in self.crm.said() {
            let Some(number) = number(&said.name) else { continue };
            assert!(all.insert(number, said).is_none(), "meeting {number} is in the CRM twice");
        }
        all
    }

    /// Whether both say the same of every meeting. What was called off before anybody looked need not be in the CRM, and what
    /// was called off anywhere but at Google is in no calendar.
    fn agrees(&self, made: &[Made]) -> bool {
        let (calendars, crm) = (self.in_calendars(), self.in_crm());
        let same = |one: &Made| match (calendars.get(&one.number), crm.get(&one.number)) {
            (Some(said), Some(known)) if said.off => known.off,
            (Some(said), Some(known)) => known == said,
            (Some(said), None) => said.off,
            (None, Some(known)) => one.off && known.off,
            (None, None) => one.off,
        };
        made.iter().all(same) && calendars.keys().chain(crm.keys()).all(|number| *number < made.len())
    }
}

/// What people do, and what they did.
struct People<'a> {
    town: &'a Town,
    dice: Dice,
    made: Vec<Made>,
    words: u64,
}

impl People<'_> {
    fn name(&mut self, number: usize) -> String {
        self.words += 1;
        format!("Talk {number:03} about {}", self.words)
    }

    /// A start to come, in whole seconds.
    fn start(&mut self) -> Timestamp {
        let hours = i64::try_from(self.dice.below(300)).expect("small") + 24;
        Timestamp::from_second(WallClock.now().as_second() / 60 * 60).expect("a time")
            + SignedDuration::from_hours(hours)
    }

    /// Somebody makes a meeting with a contact, and perhaps the colleague.
    fn meet(&mut self) {
        let (number, rep) = (self.made.len(), self.dice.pick(REPS.len()));
        let name = self.name(number);
        let start = self.start();
        let mut guests = vec![CONTACTS[self.dice.pick(CONTACTS.len())]];
        // Nobody carries mails from one vendor to the other here.
        if self.dice.below(3) == 0 && self.town.accounts().count() == 1 {
            guests.push(REPS[1 - rep].1);
        }
        let id = self.town.suites[rep].meet(REPS[rep].1, &name, start, &guests);
        self.made.push(Made { number, place: Place::Calendar(rep, id), names: vec![name], off: false });
    }

    /// Somebody logs a meeting in the CRM.
    fn log(&mut self) {
        let (number, rep, who) = (self.made.len(), self.dice.pick(REPS.len()), self.dice.pick(CONTACTS.len()));
        let name = self.name(number);
        let start = self.start();
        let town = self.town;
        let id = town.crm.log(&name, start, &town.users[rep], &town.contacts[who]);
        self.made.push(Made { number, place: Place::Crm(rep, id), names: vec![name], off: false });
    }

    /// Somebody renames, moves or calls off a meeting where it was made; some that were logged nobody ever touches.
    fn change(&mut self) {
        let open: Vec<usize> = self.made.iter().filter(|one| !one.off).map(|one| one.number).collect();
        if open.is_empty() {
            return self.meet();
        }
        let at = open[self.dice.pick(open.len())];
        let (place, act) = (self.made[at].place.clone(), self.dice.below(4));
        let name = self.name(at);
        match (place, act) {
            (Place::Crm(_, id), 0..2) if at.is_multiple_of(2) => {
                self.town.crm.rename(&id, &name);
                self.made[at].names.push(name);
            }
            (Place::Crm(..), _) => {}
            (Place::Calendar(rep, id), 0..2) => {
                self.town.suites[rep].rename(REPS[rep].1, &id, &name);
                self.made[at].names.push(name);
            }
            (Place::Calendar(rep, id), 2) => {
                let start = self.start();
                self.town.suites[rep].shift(REPS[rep].1, &id, start);
            }
            (Place::Calendar(rep, id), _) => {
                self.town.suites[rep].call_off(REPS[rep].1, &id);
                self.made[at].off = true;
            }
        }
    }

    /// They go on until told to stop.
    fn live(mut self, done: &AtomicBool) -> Vec<Made> {
        while !done.load(Ordering::Relaxed) {
            match self.dice.below(5) {
                0 => self.log(),
                1 | 2 => self.meet(),
                _ => self.change(),
            }
            pause(Duration::from_millis(self.dice.below(BREATH_MILLIS)));
        }
        self.made
    }
}

/// Kills a server and a command beside it, each time after calls were made.
fn kill_on(town: &Town, ports: &[u16], seed: u64) -> Vec<Server> {
    let binary = Path::new(BINARY);
    let mut dice = Dice(seed ^ 0x5eed);
    let mut servers: Vec<Option<Server>> =
        ports.iter().map(|port| Some(town.installation.start_on(binary, *port, &[]))).collect();
    for _ in 0..KILLS {
        let (began, started) = (town.calls(), Instant::now());
        let enough = 1 + dice.below(CALLS_MAX);
        let mut asked = town.ask();
        while town.calls() < began + enough && started.elapsed() < CALLS_WAITED {
            pause(Duration::from_millis(1));
        }
        pause(Duration::from_micros(dice.below(20_000)));
        let victim = dice.pick(ports.len());
        if let Some(server) = servers[victim].take() {
            server.kill();
        }
        // It may have ended by itself.
        drop(asked.kill());
        asked.wait().expect("it is gone");
        servers[victim] = Some(town.installation.start_on(binary, ports[victim], &[]));
    }
    servers.into_iter().flatten().collect()
}

fn play(name: &str, database: &str, (crm, vendors): (&str, [&str; 2]), nodes: usize, seed: u64) {
    let town = Town::new(name, database, crm, vendors);
    let ports: Vec<u16> = (0..nodes).map(|_| free_port()).collect();
    let done = AtomicBool::new(false);
    let (servers, made) = std::thread::scope(|scope| {
        let people = People { town: &town, dice: Dice(seed), made: Vec::new(), words: 0 };
        let people = scope.spawn(|| people.live(&done));
        let servers = kill_on(&town, &ports, seed);
        done.store(true, Ordering::Relaxed);
        (servers, people.join().expect("the people"))
    });
    let started = Instant::now();
    while !town.agrees(&made) {
        let told = || format!("{:#?} {:#?} {}", town.in_calendars(), town.in_crm(), town.installation.log());
        assert!(started.elapsed() < PATIENCE, "they do not agree: {}", told());
        town.ask().wait().expect("it ends");
        pause(Duration::from_millis(200));
    }
    for server in servers {
        assert!(server.terminate().success());
    }
    let run = || town.installation.command(Path::new(BINARY), &["calendars", "run", "meetings"]);
    run();
    let marks = town.marks();
    run();
    assert_eq!(town.marks(), marks, "all is the same, and something is written");
    assert!(town.agrees(&made), "{:#?} {:#?}", town.in_calendars(), town.in_crm());
    let mails: Vec<CalendarMail> = town.accounts().flat_map(Suite::mails).collect();
    let calendars = town.in_calendars();
    for one in &made {
        let Some(said) = calendars.get(&one.number) else { continue };
        assert!(one.names.contains(&said.name), "{} is what nobody wrote: {:?}", said.name, one.names);
        let tells = |rep: usize| !matches!(town.suites[rep], Suite::Dav(_));
        if matches!(one.place, Place::Crm(rep, _) if tells(rep)) && one.names.len() == 1 {
            let mails: Vec<_> = mails
                .iter()
                .filter(|mail| mail.method == MailMethod::Request && number(&mail.subject) == Some(one.number))
                .collect();
            assert_eq!(mails.len(), 1, "one invitation to its contact: {mails:?}");
        }
    }
    println!("{} meetings, {} mails, {} calls", made.len(), mails.len(), town.calls());
}

/// Rosa's calendar is on a real CalDAV server, and the CRM is HubSpot.
///
/// proves: V1, V2, V3, C2, C4, C10, fault:C1, fault:C2
#[test]
fn kills_leave_a_caldav_server_and_hubspot_saying_the_same() {
    play("calendars-kill-caldav", "sqlite:syncline.db", ("hubspot", ["caldav", "google"]), 1, 20_261_125);
}

/// proves: V1, V2, V3, C2, C4, C10, fault:C1, fault:C2
#[test]
fn kills_leave_calendars_of_two_vendors_and_the_crm_saying_the_same() {
    play("calendars-kill-vendors", "sqlite:syncline.db", ("salesforce", ["google", "microsoft"]), 1, 20_261_127);
}

/// proves: V1, V2, C2, C4, C10, O2, fault:L1, fault:L3
#[test]
fn kills_leave_calendars_and_the_crm_saying_the_same_on_postgresql_with_two_nodes() {
    let base = std::env::var("SYNCLINE_TEST_POSTGRES").expect("run ./test, which starts PostgreSQL");
    let database = postgres_database(&base, "calendars");
    play("calendars-kill-postgres", &database, ("salesforce", ["google", "google"]), 2, 20_261_126);
}
