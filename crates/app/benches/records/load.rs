//! A first load by the real executable as a process of its own, over sockets: what grows with the number of people, and
//! what does not.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use syncline_core::{Clock, Entropy};
use syncline_sandbox::{BrevoAccount, BrevoConfig, SalesforceConfig, SalesforceOrg, Site, brevo::BrevoRates, serve};
use tokio_util::sync::CancellationToken;

use crate::row;

const BINARY: &str = env!("CARGO_BIN_EXE_syncline");

/// Runs of the command within which everything has to be there.
const RUNS_MAX: usize = 60;
/// Between two looks at the running process, and between two runs where a vendor still works on something.
const LOOK_EVERY: Duration = Duration::from_millis(20);
const RUN_EVERY: Duration = Duration::from_secs(5);

struct WallClock;

impl Clock for WallClock {
    #[expect(clippy::disallowed_methods, reason = "a process outside the product's own walls reads the real clock")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

struct Same;

impl Entropy for Same {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(7);
    }
}

#[expect(clippy::disallowed_methods, reason = "another process cannot be awaited, only looked at")]
fn pause(time: Duration) {
    std::thread::sleep(time);
}

/// Two of the times in this process' statistics, by their places: 11 and 12 are its own in user and system mode, 13 and
/// 14 those of the processes that it started and that have ended.
pub fn ticks(user: usize, system: usize) -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("its statistics");
    let fields: Vec<&str> = stat.rsplit(')').next().expect("fields").split_whitespace().collect();
    let ticks = |place: usize| fields[place].parse::<u64>().expect("a number");
    // Linux counts process times in hundredths of a second.
    Duration::from_millis((ticks(user) + ticks(system)) * 10)
}

/// Everybody is in the CRM, nobody in the tool.
pub fn first(sizes: [usize; 2]) {
    for people in sizes {
        let lab = Lab::start(people);
        let took = lab.load(people);
        row(&format!("first load of {people}: time, a vendor's pauses left out"), seconds(took.working), "");
        row("… a second", format!("{:.0}", people as f64 / took.working.as_secs_f64()), "");
        row("… processor time of the process for each", format!("{:.3} ms", each(took.cpu, people)), "");
        row("… peak resident memory", format!("{:.1} MB", took.peak_kib as f64 / 1024.0), "the same for both");
        let least = people.div_ceil(2_000) + people.div_ceil(10_000) * 2;
        let calls = format!("{} + {}", took.calls[0], took.calls[1]);
        row("… calls to Salesforce and to Brevo, tokens and descriptions included", calls, &format!("least: {least}"));
        row("… bytes in the database for each", took.bytes / people as u64, "");
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

fn each(time: Duration, people: usize) -> f64 {
    time.as_secs_f64() * 1e3 / people as f64
}

struct Took {
    working: Duration,
    cpu: Duration,
    peak_kib: u64,
    calls: [u64; 2],
    bytes: u64,
}

/// The accounts on sockets, and a folder with a configuration.
struct Lab {
    org: Arc<SalesforceOrg>,
    brevo: Arc<BrevoAccount>,
    folder: PathBuf,
    stop: CancellationToken,
    _runtime: tokio::runtime::Runtime,
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.stop.cancel();
        drop(std::fs::remove_dir_all(&self.folder));
    }
}

impl Lab {
    fn start(people: usize) -> Self {
        let config = SalesforceConfig { daily_call_limit: u64::MAX, ..SalesforceConfig::default() };
        let org = SalesforceOrg::new(config, Arc::new(WallClock), Arc::new(Same));
        let config = BrevoConfig {
            rates: BrevoRates::NONE,
            import_takes: SignedDuration::from_millis(100),
            ..BrevoConfig::default()
        };
        let brevo = BrevoAccount::new(config, Arc::new(WallClock));
        for n in 0..people {
            let person = json!({ "FirstName": format!("First{n}"), "LastName": format!("Last{n}"),
                "Email": format!("person{n}@example.org"), "Title": format!("Engineer {n}") });
            org.seed("Contact", &object(person)).expect("the contact is sound");
        }
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let stop = CancellationToken::new();
        let urls = [on_socket(&runtime, &org, &stop), on_socket(&runtime, &brevo, &stop)];
        let folder = std::env::temp_dir().join(format!("syncline-bench-load-{}-{people}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        configure(&folder, &org, &brevo, &urls);
        Self { org, brevo, folder, stop, _runtime: runtime }
    }

    fn command(&self, words: &[&str]) -> Command {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.folder.join("log")).expect("a log");
        let mut command = Command::new(BINARY);
        command.arg("records").arg("--config").arg(self.folder.join("syncline.toml")).args(words);
        command.stdin(Stdio::null()).stderr(log);
        command
    }

    fn said(&self, words: &[&str]) -> Value {
        let out = self.command(words).output().expect("it runs");
        assert!(out.status.success(), "{}", std::fs::read_to_string(self.folder.join("log")).unwrap_or_default());
        serde_json::from_slice(&out.stdout).unwrap_or_default()
    }

    fn load(&self, people: usize) -> Took {
        self.said(&["activate", "people", "--agreed-by", "Ada"]);
        let (mut working, mut cpu, mut peak_kib) = (Duration::ZERO, Duration::ZERO, 0);
        for _ in 0..RUNS_MAX {
            let (began, before) = (Instant::now(), ticks(13, 14));
            peak_kib = self.run().max(peak_kib);
            working += began.elapsed();
            cpu += ticks(13, 14) - before;
            let status = self.said(&["status", "people", "--json"]);
            let links = status["links"].as_u64().unwrap_or_default();
            if status["open"] == 0 && status["waiting"] == 0 && links == people as u64 {
                assert_eq!(self.brevo.contacts_snapshot().len(), people);
                let calls = [self.org.calls().total, self.brevo.calls()];
                let bytes = std::fs::metadata(self.folder.join("syncline.db")).map_or(0, |file| file.len());
                return Took { working, cpu, peak_kib, calls, bytes };
            }
            pause(RUN_EVERY);
        }
        panic!("the first load does not come to its end");
    }

    /// Runs rounds until there is nothing to do now; the most memory that was resident, in KiB.
    fn run(&self) -> u64 {
        let mut child = self.command(&["run", "people", "--json"]).stdout(Stdio::null()).spawn().expect("it starts");
        let mut peak = 0;
        loop {
            let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
            let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
            peak = kib.unwrap_or(0).max(peak);
            if let Some(status) = child.try_wait().expect("a status") {
                let log = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
                assert!(status.success(), "{log}");
                return peak;
            }
            pause(LOOK_EVERY);
        }
    }
}

fn on_socket<S: Site>(runtime: &tokio::runtime::Runtime, site: &Arc<S>, stop: &CancellationToken) -> String {
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    runtime.spawn(serve(listener, Arc::clone(site), stop.clone()));
    url
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn configure(folder: &Path, org: &SalesforceOrg, brevo: &BrevoAccount, urls: &[String; 2]) {
    let [crm, tool] = urls;
    let credentials = org.credentials(crm);
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let secrets = [
        ("syncline.key", (0..32).map(|byte| format!("{byte:02x}")).collect::<String>()),
        ("salesforce.key", text(&credentials["client_secret"])),
        ("brevo.key", text(&brevo.credentials(tool)["api_key"])),
    ];
    for (name, secret) in secrets {
        let path = folder.join(name);
        std::fs::write(&path, secret).expect("a secret file");
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("its mode");
    }
    let mut file = format!(
        r#"
        [network]
        allow = ["{crm}", "{tool}"]
        [[connections]]
        name = "salesforce"
        vendor = "salesforce"
        grant = "client_credentials"
        client_id = "{client}"
        client_secret = "file:salesforce.key"
        settings = {{ login_host = "{crm}", allow_host = "{crm}" }}
        [[connections]]
        name = "brevo"
        vendor = "brevo"
        grant = "key"
        api_key = "file:brevo.key"
        url = "{tool}/v3"
        settings = {{ import_list = "2" }}
        [[records]]
        name = "people"
        left = "salesforce"
        right = "brevo"
        tasks_per_month = 0
        [[records.pairs]]
        name = "contacts"
        left = "Contact"
        right = "contact"
        create_right = true
        "#,
        client = text(&credentials["client_id"]),
    );
    for (left, right) in
        [("Email", "EMAIL"), ("FirstName", "FIRSTNAME"), ("LastName", "LASTNAME"), ("Title", "JOB_TITLE")]
    {
        file.push_str(&format!("[[records.pairs.fields]]\nleft = \"{left}\"\nright = \"{right}\"\n"));
    }
    std::fs::write(folder.join("syncline.toml"), file).expect("a configuration");
}
