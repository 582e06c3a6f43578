//! A laboratory: a sandbox org in this process, and the real `syncline` as a process of its own beside it.
//!
//! Shared by the tests and the benchmark, each of which uses a part. Nothing here asserts; it builds, sends and looks.
#![allow(dead_code, clippy::allow_attributes, reason = "tests and benchmark each use a part")]

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener as StdListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use syncline_core::{Clock, Entropy};
use syncline_sandbox::{SalesforceConfig, SalesforceOrg, Site, salesforce::UserConfig, serve};
use tokio_util::sync::CancellationToken;

/// The secret with which the laboratory's Cal.com signs.
const CALCOM_SECRET: &str = "laboratory-calcom-secret";

/// The token that the laboratory's administrator has.
pub const ADMIN_TOKEN: &str = "laboratory-admin-token-of-32-characters";

/// How long anything may take before a test gives up on it.
pub const PATIENCE: Duration = Duration::from_secs(420);

pub struct WallClock;

impl Clock for WallClock {
    #[expect(clippy::disallowed_methods, reason = "a process outside the product's own walls reads the real clock")]
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::now()
    }
}

/// Waits between two looks at a process that is not ours to wake us.
#[expect(clippy::disallowed_methods, reason = "another process cannot be awaited, only looked at")]
pub fn pause(time: Duration) {
    std::thread::sleep(time);
}

/// Random enough for keys of a laboratory, and the same every time.
struct Counting(AtomicU64);

impl Entropy for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        for byte in bytes {
            let next = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
            *byte = (next ^ (next >> 29)).to_le_bytes()[3];
        }
    }
}

/// An imitation Salesforce on a port of its own.
pub struct Sandbox {
    pub org: Arc<SalesforceOrg>,
    pub url: String,
    stop: CancellationToken,
    _runtime: tokio::runtime::Runtime,
}

impl Sandbox {
    /// An org with three hosts, room for any number of calls, and nobody in it.
    pub fn start() -> Self {
        Self::with(|_| {})
    }

    pub fn with(change: impl FnOnce(&mut SalesforceConfig)) -> Self {
        let mut config = SalesforceConfig { daily_call_limit: 100_000_000, ..SalesforceConfig::default() };
        for first_name in ["Rosa", "Carl", "Cora"] {
            let email = format!("{}@host.example", first_name.to_lowercase());
            config.users.push(UserConfig {
                username: email.clone(),
                email,
                first_name: first_name.into(),
                last_name: "Rep".into(),
                is_active: true,
                ..UserConfig::default()
            });
        }
        change(&mut config);
        let org = SalesforceOrg::new(config, Arc::new(WallClock), Arc::new(Counting(AtomicU64::new(7))));
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let stop = CancellationToken::new();
        runtime.spawn(serve(listener, Arc::clone(&org), stop.clone()));
        Self { org, url, stop, _runtime: runtime }
    }

    /// Serves another vendor's imitation beside the org, and says where.
    pub fn beside<S: Site>(&self, site: &Arc<S>) -> String {
        let listener = self._runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        self._runtime.spawn(serve(listener, Arc::clone(site), self.stop.clone()));
        url
    }

    /// The records of an object that are not in the recycle bin.
    pub fn records(&self, object: &str) -> Vec<serde_json::Map<String, Value>> {
        self.org.records(object).into_iter().filter(|record| record.get("IsDeleted") != Some(&json!(true))).collect()
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// An imitation CRM on a port of its own, as far as a configuration has to know it.
pub trait Crm {
    fn url(&self) -> &str;

    /// The connection's vendor, which is also its name.
    fn vendor(&self) -> &'static str;

    /// How the connection signs in; secrets go into files of the folder.
    fn sign_in(&self, folder: &Path) -> String;
}

impl Crm for Sandbox {
    fn url(&self) -> &str {
        &self.url
    }

    fn vendor(&self) -> &'static str {
        "salesforce"
    }

    fn sign_in(&self, folder: &Path) -> String {
        let credentials = self.org.credentials(&self.url);
        secret(folder, "salesforce.key", credentials["client_secret"].as_str().expect("a secret"));
        format!(
            r#"
            grant = "client_credentials"
            client_id = "{client}"
            client_secret = "file:salesforce.key"
            settings = {{ login_host = "{url}", allow_host = "{url}" }}
            "#,
            client = credentials["client_id"].as_str().expect("a client"),
            url = self.url,
        )
    }
}

/// A folder with a configuration: what an operator would have.
pub struct Installation {
    pub folder: PathBuf,
    pub port: u16,
}

impl Installation {
    /// `database` as in the configuration; `more` is put behind it.
    pub fn new(name: &str, crm: &dyn Crm, database: &str, more: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("syncline-lab-{}-{name}", std::process::id()));
        drop(std::fs::remove_dir_all(&folder));
        std::fs::create_dir_all(&folder).expect("a folder");
        secret(&folder, "syncline.key", &(0..32).map(|byte| format!("{:02x}", byte * 37 % 256)).collect::<String>());
        secret(&folder, "admin.key", ADMIN_TOKEN);
        secret(&folder, "calcom.key", CALCOM_SECRET);
        let config = format!(
            r#"
            database = "{database}"
            [server]
            admin_token = "file:admin.key"
            [network]
            allow = ["{url}"]
            [engine]
            call_seconds = 2
            lease_seconds = 6
            [[connections]]
            name = "{vendor}"
            vendor = "{vendor}"
            {sign_in}
            [[sources]]
            name = "calcom"
            vendor = "calcom"
            integration = "bookings"
            secrets = ["file:calcom.key"]
            [[integrations]]
            name = "bookings"
            crm = "{vendor}"
            {more}
            "#,
            url = crm.url(),
            vendor = crm.vendor(),
            sign_in = crm.sign_in(&folder),
        );
        std::fs::write(folder.join("syncline.toml"), config).expect("a configuration");
        Self { folder, port: free_port() }
    }

    /// Opens another origin to the server's HTTP client.
    pub fn open_network(&self, url: &str) {
        let path = self.folder.join("syncline.toml");
        let config = std::fs::read_to_string(&path).expect("a configuration");
        std::fs::write(&path, config.replacen("allow = [", &format!("allow = [\"{url}\", "), 1))
            .expect("a configuration");
    }

    /// Starts a server on the installation; waits until it answers.
    pub fn start(&self, binary: &Path, more: &[&str]) -> Server {
        self.start_on(binary, self.port, more)
    }

    pub fn start_on(&self, binary: &Path, port: u16, more: &[&str]) -> Server {
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.folder.join("log")).expect("a log");
        let started = Instant::now();
        let child = Command::new(binary)
            .args(["serve", "--config"])
            .arg(self.folder.join("syncline.toml"))
            .args(["--listen", &address.to_string()])
            .args(more)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the server starts");
        let mut server = Server { child, address, hook: String::new(), started_in: Duration::ZERO };
        while !server.answers() {
            assert!(server.child.try_wait().expect("a status").is_none(), "the server ended: {}", self.log());
            assert!(started.elapsed() < PATIENCE, "the server does not answer: {}", self.log());
            pause(Duration::from_micros(500));
        }
        server.started_in = started.elapsed();
        server.hook = self.hook(binary);
        server
    }

    /// What `syncline sources` says to enter at Cal.com, without the host.
    fn hook(&self, binary: &Path) -> String {
        let out = Command::new(binary)
            .args(["sources", "--config"])
            .arg(self.folder.join("syncline.toml"))
            .output()
            .expect("it runs");
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        let at = text
            .find("/hooks/")
            .unwrap_or_else(|| panic!("no address in: {text}{}", String::from_utf8_lossy(&out.stderr)));
        text[at..].split_whitespace().next().expect("an address").to_owned()
    }

    /// Changes the configuration; one text stands in it for another.
    pub fn rewrite(&self, text: &str, other: &str) {
        let path = self.folder.join("syncline.toml");
        let config = std::fs::read_to_string(&path).expect("a configuration");
        assert!(config.contains(text), "`{text}` does not stand in the configuration");
        std::fs::write(path, config.replace(text, other)).expect("a configuration");
    }

    /// Runs a command on the installation; what it printed.
    pub fn command(&self, binary: &Path, arguments: &[&str]) -> String {
        let config = self.folder.join("syncline.toml");
        let out = Command::new(binary).args(arguments).arg("--config").arg(config).output().expect("it runs");
        assert!(out.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8_lossy(&out.stdout).into_owned()
    }

    /// Everything that servers here have logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }
}

impl Drop for Installation {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            drop(std::fs::remove_dir_all(&self.folder));
        }
    }
}

pub fn secret(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    std::fs::write(&path, text).expect("a secret file");
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("its mode");
}

pub fn free_port() -> u16 {
    StdListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port()
}

/// A running `syncline serve`.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
    pub hook: String,
    /// From the start of the process to the first answer.
    pub started_in: Duration,
}

impl Server {
    fn answers(&self) -> bool {
        Connection::try_open(self.address)
            .and_then(|mut connection| connection.request("GET", "/healthz", &[], b"").ok())
            .is_some_and(|(status, _)| status == 200)
    }

    /// `kill -9`: dropping it does just that.
    pub fn kill(self) {}

    /// SIGTERM, and its exit status.
    pub fn terminate(mut self) -> std::process::ExitStatus {
        let sent = Command::new("kill").arg(self.child.id().to_string()).status().expect("kill runs");
        assert!(sent.success());
        self.child.wait().expect("it ends")
    }

    pub fn connect(&self) -> Connection {
        Connection::open(self.address)
    }

    /// An administrator's GET of the JSON API.
    pub fn api(&self, path: &str) -> Value {
        self.ask("GET", path, b"")
    }

    /// An administrator's call of the JSON API that must succeed.
    pub fn ask(&self, method: &str, path: &str, body: &[u8]) -> Value {
        let authorization = format!("Bearer {ADMIN_TOKEN}");
        let headers = [("authorization", authorization.as_str()), ("content-type", "application/json")];
        let (status, body) = self.connect().request(method, path, &headers, body).expect("an answer");
        assert_eq!(status, 200, "{path}: {}", String::from_utf8_lossy(&body));
        serde_json::from_slice(&body).expect("JSON")
    }

    /// Whether nothing is waiting or under way.
    pub fn is_quiet(&self) -> bool {
        let status = self.api("/api/v1/status");
        ["messages_new", "waiting", "working"].iter().all(|name| status[name] == 0)
    }

    /// Waits until nothing is waiting or under way.
    pub fn settle(&self, installation: &Installation) {
        let started = Instant::now();
        while !self.is_quiet() {
            assert!(started.elapsed() < PATIENCE, "still busy: {} {}", self.api("/api/v1/status"), installation.log());
            pause(Duration::from_millis(20));
        }
    }

    /// User and system time that the process has used.
    pub fn cpu(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).expect("its statistics");
        let fields: Vec<&str> = stat.rsplit(')').next().expect("fields").split_whitespace().collect();
        let ticks: u64 = fields[11].parse::<u64>().expect("a number") + fields[12].parse::<u64>().expect("a number");
        // Linux counts process times in hundredths of a second.
        Duration::from_millis(ticks * 10)
    }

    /// A line of `/proc/<pid>/status` in KiB: `VmRSS`, `VmHWM`.
    pub fn memory_kib(&self, line: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("its status");
        let line = status.lines().find_map(|text| text.strip_prefix(line)).expect("the line");
        line.trim_matches(|c: char| !c.is_ascii_digit()).parse().expect("a number")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // One that has ended already needs no killing.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// An answer with its head.
pub struct Answer {
    pub status: u16,
    head: String,
    pub body: Vec<u8>,
}

impl Answer {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

/// One keep-alive HTTP/1.1 connection, as small as it can be.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub fn open(address: SocketAddr) -> Self {
        Self::try_open(address).expect("a connection")
    }

    /// `None` where nobody listens.
    pub fn try_open(address: SocketAddr) -> Option<Self> {
        let stream = TcpStream::connect(address).ok()?;
        stream.set_nodelay(true).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(30))).ok()?;
        Some(Self { stream, buffer: Vec::with_capacity(8192) })
    }

    /// Sends a request and reads its answer.
    pub fn request(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> std::io::Result<(u16, Vec<u8>)> {
        let answer = self.exchange(method, path, headers, body)?;
        Ok((answer.status, answer.body))
    }

    /// The same, with the answer's head.
    pub fn exchange(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> std::io::Result<Answer> {
        self.buffer.clear();
        write!(self.buffer, "{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: {}\r\n", body.len())?;
        for (name, value) in headers {
            write!(self.buffer, "{name}: {value}\r\n")?;
        }
        self.buffer.extend_from_slice(b"\r\n");
        self.buffer.extend_from_slice(body);
        self.stream.write_all(&self.buffer)?;
        self.answer()
    }

    fn answer(&mut self) -> std::io::Result<Answer> {
        let cut = || std::io::Error::new(std::io::ErrorKind::UnexpectedEof, "the answer was cut");
        self.buffer.clear();
        let mut chunk = [0; 16 * 1024];
        loop {
            let read = self.stream.read(&mut chunk)?;
            if read == 0 {
                return Err(cut());
            }
            self.buffer.extend_from_slice(&chunk[..read]);
            let Some(end) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
            let head = String::from_utf8_lossy(&self.buffer[..end]).into_owned();
            let status = head.get(9..12).and_then(|text| text.parse().ok()).ok_or_else(cut)?;
            let length: usize = head
                .lines()
                .find_map(|line| line.to_lowercase().strip_prefix("content-length:").map(str::to_owned))
                .and_then(|text| text.trim().parse().ok())
                .unwrap_or(0);
            while self.buffer.len() < end + 4 + length {
                let read = self.stream.read(&mut chunk)?;
                if read == 0 {
                    return Err(cut());
                }
                self.buffer.extend_from_slice(&chunk[..read]);
            }
            return Ok(Answer { status, head, body: self.buffer[end + 4..end + 4 + length].to_vec() });
        }
    }
}

/// A Cal.com webhook.
#[derive(Debug, Clone)]
pub struct Hook {
    pub body: Vec<u8>,
    signature: String,
}

impl Hook {
    pub fn new(body: &Value) -> Self {
        let body = body.to_string().into_bytes();
        let mut mac = Hmac::<Sha256>::new_from_slice(CALCOM_SECRET.as_bytes()).expect("any key");
        mac.update(&body);
        Self { signature: hex::encode(mac.finalize().into_bytes()), body }
    }

    /// Delivers once.
    pub fn post(&self, connection: &mut Connection, hook: &str) -> std::io::Result<(u16, Vec<u8>)> {
        connection.request(
            "POST",
            hook,
            &[("content-type", "application/json"), ("x-cal-signature-256", &self.signature)],
            &self.body,
        )
    }
}

/// A booking at the laboratory's Cal.com, and its messages in order.
pub struct Booking {
    uid: String,
    email: String,
    name: String,
    /// When the first meeting is, in minutes from the laboratory's beginning.
    minute: i64,
    said: i64,
    versions: u32,
    guests: Vec<String>,
    co_hosts: Vec<String>,
    answers: Vec<(String, String)>,
}

impl Booking {
    /// Gives other answers from now on, each to a question that is also its key.
    pub fn answering(mut self, answers: &[(&str, &str)]) -> Self {
        self.answers = answers.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        self
    }

    /// Brings guests and further hosts along, by their addresses.
    pub fn with_company(mut self, guests: &[String], co_hosts: &[&str]) -> Self {
        self.guests = guests.to_vec();
        self.co_hosts = co_hosts.iter().map(|email| (*email).to_owned()).collect();
        self
    }

    pub fn new(number: usize, email: &str, name: &str) -> Self {
        Self {
            uid: format!("lab-{number}"),
            email: email.into(),
            name: name.into(),
            minute: i64::try_from(number).expect("small") * 100,
            said: 0,
            versions: 0,
            guests: Vec::new(),
            co_hosts: Vec::new(),
            answers: Vec::new(),
        }
    }

    /// What calendars call it, whatever becomes of it.
    pub fn calendar_name(&self) -> String {
        format!("{}@cal.example", self.uid)
    }

    /// The uid that the booking has now.
    pub fn uid(&self) -> String {
        format!("{}-{}", self.uid, self.versions)
    }

    pub fn created(&mut self) -> Hook {
        self.message("BOOKING_CREATED", json!({}))
    }

    pub fn moved(&mut self) -> Hook {
        let old = (self.uid(), self.start());
        self.versions += 1;
        self.message(
            "BOOKING_RESCHEDULED",
            json!({"rescheduleUid": old.0, "rescheduleStartTime": old.1, "rescheduledBy": self.email}),
        )
    }

    pub fn cancelled(&mut self) -> Hook {
        self.message(
            "BOOKING_CANCELLED",
            json!({"status": "CANCELLED", "cancellationReason": "no time", "cancelledBy": self.email}),
        )
    }

    fn start(&self) -> String {
        let base = 1_893_456_000 + self.minute * 60 + i64::from(self.versions) * 3600;
        jiff::Timestamp::from_second(base).expect("a time").to_string()
    }

    fn message(&mut self, trigger: &str, more: Value) -> Hook {
        self.said += 1;
        let said =
            jiff::Timestamp::from_second(1_780_000_000 + (self.minute + self.said) * 60).expect("a time").to_string();
        let start = self.start();
        let end = (start.parse::<jiff::Timestamp>().expect("a time") + jiff::SignedDuration::from_mins(30)).to_string();
        let mut payload = json!({
            "uid": self.uid(), "iCalUID": self.calendar_name(), "bookingId": 1, "type": "intro", "eventTitle": "Introduction", "title": format!("Introduction with {}", self.name),
            "startTime": start, "endTime": end, "status": "ACCEPTED", "location": "https://meet.example/x", "additionalNotes": "please call",
            "organizer": {"id": 1, "name": "Rosa Rep", "email": "rosa@host.example", "timeZone": "Europe/Berlin", "language": {"locale": "en"}},
            "attendees": [{"name": self.name, "email": self.email, "timeZone": "Europe/London", "language": {"locale": "en"}}],
            "responses": {"email": {"label": "email", "value": self.email}, "name": {"label": "name", "value": self.name}},
        });
        let person = |email: &String| json!({"name": email, "email": email, "timeZone": "Europe/London", "language": {"locale": "en"}});
        if !self.guests.is_empty() {
            let attendees = payload["attendees"].as_array_mut().expect("an array");
            attendees.extend(self.guests.iter().map(person));
            payload["responses"]["guests"] = json!({"label": "guests", "value": self.guests});
        }
        for (key, value) in &self.answers {
            payload["responses"][key.as_str()] = json!({"label": key, "value": value});
        }
        if !self.co_hosts.is_empty() {
            let members: Vec<Value> = self.co_hosts.iter().map(person).collect();
            payload["team"] = json!({"id": 1, "name": "Sales", "members": members});
        }
        if let (Some(payload), Value::Object(more)) = (payload.as_object_mut(), more) {
            payload.extend(more);
        }
        Hook::new(&json!({"triggerEvent": trigger, "createdAt": said, "payload": payload}))
    }
}

/// A fresh database on the test server, as an address for the configuration.
pub fn postgres_database(server: &str, run: &str) -> String {
    let schema = format!("lab_{}_{run}", std::process::id());
    let made = Command::new("psql")
        .args([
            server,
            "-qc",
            &format!("drop schema if exists {schema} cascade"),
            "-c",
            &format!("create schema {schema}"),
        ])
        .output()
        .expect("psql comes with PostgreSQL");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let mark = if server.contains('?') { '&' } else { '?' };
    format!("{server}{mark}options=-csearch_path%3D{schema}")
}
