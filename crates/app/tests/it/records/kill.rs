//! The real process between a CRM and two tools, killed again and again while people go on editing on all sides: in the
//! end all three say the same, and nobody is there twice.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::{Map, Value, json};
use syncline_core::Clock;
use syncline_sandbox::{
    ActiveCampaignAccount, ActiveCampaignConfig, BrevoAccount, BrevoConfig, Site, brevo::BrevoRates, serve,
};
use tokio_util::sync::CancellationToken;

use crate::lab::{Installation, PATIENCE, Sandbox, Server, free_port, pause, postgres_database};

const BINARY: &str = env!("CARGO_BIN_EXE_syncline");

/// People in the beginning, and further ones who come while the kills go on.
const PEOPLE: usize = 40;
const LATER: usize = 10;
/// Kills in one run.
const KILLS: usize = 10;
/// Calls that a process makes before it is killed, at most: some die in their first round's middle, some behind it.
const CALLS_MAX: u64 = 60;
/// Nothing may be written for so long in the end: longer than two looks for work.
const QUIET: Duration = Duration::from_secs(12);

struct WallClock;

impl Clock for WallClock {
    #[expect(clippy::disallowed_methods, reason = "a vendor outside the product's own walls reads the real clock")]
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::now()
    }
}

/// A small generator of random numbers, the same for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    fn pick(&mut self, of: usize) -> usize {
        usize::try_from(self.below(of as u64)).expect("small")
    }
}

/// What is kept in step of a person: first name and title, by the address.
type People = BTreeMap<String, (String, String)>;

struct Town {
    crm: Sandbox,
    brevo: Arc<BrevoAccount>,
    campaign: Arc<ActiveCampaignAccount>,
    urls: [String; 2],
    stop: CancellationToken,
    _runtime: tokio::runtime::Runtime,
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("{other} is no object"),
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

impl Town {
    fn new() -> Self {
        let brevo =
            BrevoAccount::new(BrevoConfig { rates: BrevoRates::NONE, ..BrevoConfig::default() }, Arc::new(WallClock));
        let config = ActiveCampaignConfig { calls_per_second: u32::MAX, ..ActiveCampaignConfig::default() };
        let campaign = ActiveCampaignAccount::new(config, Arc::new(WallClock));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let stop = CancellationToken::new();
        let urls = [on_socket(&runtime, &brevo, &stop), on_socket(&runtime, &campaign, &stop)];
        Self { crm: Sandbox::start(), brevo, campaign, urls, stop, _runtime: runtime }
    }

    fn calls(&self) -> u64 {
        self.crm.org.request_count() + self.brevo.calls() + self.campaign.calls()
    }

    /// Whatever moves when anything is written.
    fn marks(&self) -> (Vec<String>, u64, u64) {
        let stamp = |one: Map<String, Value>| format!("{} {}", one["Id"], one["SystemModstamp"]);
        let stamps = self.crm.records("Contact").into_iter().map(stamp).collect();
        (stamps, self.brevo.effects(), self.campaign.effects())
    }

    fn born(&self, number: usize, at: usize) {
        let (email, last) = (format!("p{number:03}@example.org"), format!("Last{number:03}"));
        match at {
            0 => {
                drop(self.crm.org.seed("Contact", &object(json!({ "Email": email, "LastName": last }))).expect("sound"))
            }
            1 => {
                let body = json!({ "email": email, "attributes": { "LASTNAME": last } });
                self.brevo.add_contact(&object(body)).expect("sound");
            }
            _ => {
                let body = json!({ "email": email, "lastName": last });
                self.campaign.add_contact(&object(body)).expect("sound");
            }
        }
    }

    /// Somebody edits a person wherever there is one; whether there was.
    fn edit(&self, at: usize, email: &str, title: bool, value: &str) -> bool {
        match at {
            0 => {
                let found = self.crm.records("Contact").into_iter().find(|one| one["Email"] == json!(email));
                let Some(id) = found.map(|one| text(&one["Id"])) else { return false };
                let field = if title { "Title" } else { "FirstName" };
                self.crm.org.edit(&id, &object(json!({ field: value }))).is_ok()
            }
            1 => {
                let Some(id) = self.brevo.contact_with_email(email) else { return false };
                let field = if title { "JOB_TITLE" } else { "FIRSTNAME" };
                self.brevo.edit(id, &object(json!({ field: value }))).is_ok()
            }
            _ => {
                let Some(id) = self.campaign.contact_with_email(email) else { return false };
                let body = match title {
                    true => json!({ "fieldValues": [{ "field": "1", "value": value }] }),
                    false => json!({ "firstName": value }),
                };
                self.campaign.edit(id, &object(body)).is_ok()
            }
        }
    }

    /// Everybody in each of the three; an address that is there twice is a failure.
    fn people(&self) -> [People; 3] {
        let once = |rows: Vec<(String, String, String)>| {
            let count = rows.len();
            let people: People = rows.into_iter().map(|(email, first, title)| (email, (first, title))).collect();
            assert_eq!(people.len(), count, "somebody is there twice");
            people
        };
        let crm = self.crm.records("Contact").into_iter();
        let crm = crm.map(|one| (text(&one["Email"]), text(&one["FirstName"]), text(&one["Title"])));
        let brevo = self.brevo.contacts_snapshot().into_iter();
        let brevo = brevo.map(|one| {
            let own = &one["attributes"];
            (text(&one["email"]), text(&own["FIRSTNAME"]), text(&own["JOB_TITLE"]))
        });
        let campaign = self.campaign.contacts_snapshot().into_iter();
        let campaign = campaign.map(|one| (text(&one["email"]), text(&one["firstName"]), text(&one["fields"]["CITY"])));
        [once(crm.collect()), once(brevo.collect()), once(campaign.collect())]
    }

    fn installation(&self, name: &str, database: &str) -> Installation {
        let keys = [text(&self.brevo.credentials("")["api_key"]), text(&self.campaign.credentials("")["api_token"])];
        let [brevo, campaign] = &self.urls;
        let mut more = String::new();
        for (tool, vendor, url) in
            [("brevo", "brevo", format!("{brevo}/v3")), ("campaign", "activecampaign", format!("{campaign}/api/3"))]
        {
            more.push_str(&format!(
                "[[connections]]\nname = \"{tool}\"\nvendor = \"{vendor}\"\ngrant = \"key\"\napi_key = \"file:{tool}.key\"\nurl = \"{url}\"\n"
            ));
        }
        for (tool, names) in [
            (
                "brevo",
                [("Email", "EMAIL"), ("FirstName", "FIRSTNAME"), ("LastName", "LASTNAME"), ("Title", "JOB_TITLE")],
            ),
            (
                "campaign",
                [("Email", "email"), ("FirstName", "firstName"), ("LastName", "lastName"), ("Title", "field:1")],
            ),
        ] {
            more.push_str(&format!(
                "[[records]]\nname = \"with-{tool}\"\nleft = \"salesforce\"\nright = \"{tool}\"\nleft_every_seconds = 1\nright_every_seconds = 1\n[[records.pairs]]\nname = \"contacts\"\nleft = \"Contact\"\nright = \"contact\"\ncreate_left = true\ncreate_right = true\n"
            ));
            for (left, right) in names {
                more.push_str(&format!("[[records.pairs.fields]]\nleft = \"{left}\"\nright = \"{right}\"\n"));
            }
        }
        let installation = Installation::new(name, &self.crm, database, &more);
        for (tool, key) in ["brevo", "campaign"].into_iter().zip(keys) {
            let path = installation.folder.join(format!("{tool}.key"));
            std::fs::write(&path, key).expect("a secret file");
            std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("its mode");
        }
        let path = installation.folder.join("syncline.toml");
        let config = std::fs::read_to_string(&path).expect("a configuration");
        let allowed = format!("allow = [\"{}\", \"{brevo}\", \"{campaign}\"]", self.crm.url);
        let config = config.replace(&format!("allow = [\"{}\"]", self.crm.url), &allowed);
        // What a killed process held comes back after ten times a call's deadline.
        let config = config.replace("call_seconds = 2", "call_seconds = 1");
        std::fs::write(&path, config).expect("a configuration");
        for tool in ["brevo", "campaign"] {
            let activated = Command::new(BINARY)
                .args(["records", "activate", &format!("with-{tool}"), "--agreed-by", "Ada", "--config"])
                .arg(&path)
                .output()
                .expect("it runs");
            assert!(activated.status.success(), "{}", String::from_utf8_lossy(&activated.stderr));
        }
        installation
    }
}

impl Drop for Town {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn on_socket<S: Site>(runtime: &tokio::runtime::Runtime, site: &Arc<S>, stop: &CancellationToken) -> String {
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    runtime.spawn(serve(listener, Arc::clone(site), stop.clone()));
    url
}

/// Edits until told to stop: per person and field what was written, wherever that was.
fn edit_on(town: &Town, done: &AtomicBool, seed: u64) -> BTreeMap<(String, bool), BTreeSet<String>> {
    let mut written: BTreeMap<(String, bool), BTreeSet<String>> = BTreeMap::new();
    let mut dice = Dice(seed);
    let (mut number, mut later) = (0, 0);
    while !done.load(Ordering::Relaxed) {
        pause(Duration::from_millis(dice.below(120)));
        number += 1;
        if later < LATER && dice.below(12) == 0 {
            town.born(PEOPLE + later, dice.pick(3));
            later += 1;
        }
        let email = format!("p{:03}@example.org", dice.pick(PEOPLE));
        let (at, title) = (dice.pick(3), dice.below(2) == 0);
        let value = format!("value {number}");
        if town.edit(at, &email, title, &value) {
            written.entry((email, title)).or_default().insert(value);
        }
    }
    for number in later..LATER {
        town.born(PEOPLE + number, number % 3);
    }
    written
}

/// Kills the servers one after the other, each after it has begun to call the accounts.
fn kill_on(town: &Town, installation: &Installation, ports: &[u16], seed: u64) -> Vec<Server> {
    let binary = Path::new(BINARY);
    let mut dice = Dice(seed ^ 0x5eed);
    let mut servers: Vec<Option<Server>> =
        ports.iter().map(|port| Some(installation.start_on(binary, *port, &[]))).collect();
    for _ in 0..KILLS {
        let (began, started) = (town.calls(), Instant::now());
        let enough = 1 + dice.below(CALLS_MAX);
        while town.calls() < began + enough && started.elapsed() < PATIENCE {
            pause(Duration::from_millis(1));
        }
        pause(Duration::from_micros(dice.below(20_000)));
        let victim = dice.pick(ports.len());
        if let Some(server) = servers[victim].take() {
            server.kill();
        }
        servers[victim] = Some(installation.start_on(binary, ports[victim], &[]));
    }
    servers.into_iter().flatten().collect()
}

fn play(name: &str, database: &str, nodes: usize, seed: u64) {
    let town = Town::new();
    let mut dice = Dice(seed);
    for number in 0..PEOPLE {
        let at = dice.pick(3);
        town.born(number, at);
        if dice.below(4) == 0 {
            town.born(number, (at + 1) % 3);
        }
    }
    let installation = town.installation(name, database);
    let ports: Vec<u16> = (0..nodes).map(|_| free_port()).collect();
    let done = AtomicBool::new(false);
    let (servers, written) = std::thread::scope(|scope| {
        let editor = scope.spawn(|| edit_on(&town, &done, seed));
        let servers = kill_on(&town, &installation, &ports, seed);
        done.store(true, Ordering::Relaxed);
        (servers, editor.join().expect("the editor"))
    });
    let started = Instant::now();
    let all = |people: &[People; 3]| people.iter().all(|one| one.len() == PEOPLE + LATER && *one == people[0]);
    while !all(&town.people()) {
        assert!(started.elapsed() < PATIENCE, "not the same: {:#?} {}", town.people(), installation.log());
        pause(Duration::from_millis(200));
    }
    let marks = town.marks();
    pause(QUIET);
    assert_eq!(town.marks(), marks, "all is the same, and something is written");
    let [people, ..] = town.people();
    for (email, (first, title)) in &people {
        for (is_title, value) in [(false, first), (true, title)] {
            let Some(edits) = written.get(&(email.clone(), is_title)) else { continue };
            assert!(edits.contains(value), "{email}: {value:?} is what nobody wrote; edits were {edits:?}");
        }
    }
    for server in servers {
        assert!(server.terminate().success());
    }
}

/// proves: V1, V2, V3, R11, R15, R22, fault:C1, fault:C2
#[test]
fn kills_leave_records_in_step_on_sqlite() {
    play("records-kill-sqlite", "sqlite:syncline.db", 1, 20_261_122);
}

/// proves: V1, V2, O2, fault:L1, fault:L3
#[test]
fn kills_leave_records_in_step_on_postgresql_with_two_nodes() {
    let base = std::env::var("SYNCLINE_TEST_POSTGRES").expect("run ./test, which starts PostgreSQL");
    play("records-kill-postgres", &postgres_database(&base, "records"), 2, 20_261_123);
}
