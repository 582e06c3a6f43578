//! The commands that an operator types: demo, sandbox, init, connect.

use std::{
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, Command, Output, Stdio},
};

use serde_json::Value;

use crate::lab::{Answer, Connection, Installation, Sandbox, free_port};

const BINARY: &str = env!("CARGO_BIN_EXE_syncline");

fn run(arguments: &[&str]) -> Output {
    Command::new(BINARY).args(arguments).stdin(Stdio::null()).output().expect("it runs")
}

fn text(out: &Output) -> String {
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8_lossy(&out.stdout).into_owned()
}

/// A command in the background; what it prints is read line by line.
pub struct Running {
    child: Child,
    lines: BufReader<std::process::ChildStdout>,
}

impl Running {
    pub fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(BINARY)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("it starts");
        let lines = BufReader::new(child.stdout.take().expect("its output"));
        Self { child, lines }
    }

    /// Reads on until a line holds the text.
    pub fn line_with(&mut self, wanted: &str) -> String {
        let mut all = String::new();
        loop {
            let mut line = String::new();
            assert!(self.lines.read_line(&mut line).expect("text") > 0, "it ended without `{wanted}`: {all}");
            if line.contains(wanted) {
                return line;
            }
            all.push_str(&line);
        }
    }

    /// Ctrl-C; what it still prints.
    fn interrupt(mut self) -> String {
        let sent = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status().expect("kill runs");
        assert!(sent.success());
        let mut rest = String::new();
        self.lines.read_to_string(&mut rest).expect("text");
        assert!(self.child.wait().expect("it ends").success(), "Ctrl-C ends it cleanly");
        rest
    }
}

fn folder(name: &str) -> String {
    let folder = std::env::temp_dir().join(format!("syncline-commands-{}-{name}", std::process::id()));
    drop(std::fs::remove_dir_all(&folder));
    folder.to_str().expect("a path in plain letters").to_owned()
}

/// A CRM and three tools, edited on all sides, come to rest with the same people, over sockets and with the real clock.
///
/// proves: R5, R11, R15, R16, R17, R18, R22, V6
#[test]
fn the_demo_of_records_comes_to_rest() {
    let folder = folder("demo-records");
    let shown = text(&run(&["demo", "records", "--once", "--port", "0", "--people", "60", "--folder", &folder]));
    assert!(shown.contains("20 would be tied"), "{shown}");
    assert!(shown.contains("the left side won"), "{shown}");
    assert!(shown.contains("18 contacts of the CRM have opted out"), "{shown}");
    assert!(shown.contains("transfers of this month; it goes on when the limit is raised"), "{shown}");
    assert!(shown.contains("started again\n    5 records written"), "{shown}");
    assert!(shown.contains("/sign-in/"), "{shown}");
    assert!(shown.contains("people and 3 opportunities are the same everywhere, field by field"), "{shown}");
    assert!(shown.contains("Every mapped field is the same on both sides, and a round without"), "{shown}");
    drop(std::fs::remove_dir_all(folder));
}

/// Reps' calendars at two vendors, and on a CalDAV server where there is one, over sockets and with the real clock: people
/// invite, reply, move, hide and call off, and it is printed what is on whose timeline and why something is not.
///
/// proves: C1, C4, C5, C6, C7, C8, C9
#[test]
fn the_demo_of_calendars_tells_its_story() {
    let folder = folder("demo-calendar");
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target"), std::path::PathBuf::from);
    let clients = target.join("clients/python/bin");
    let has_server = clients.join("radicale").exists();
    assert!(has_server || std::env::var_os("CI").is_none(), "radicale is not in {}: run ./test", clients.display());
    let path = std::env::join_paths(
        [&clients].into_iter().cloned().chain(std::env::var_os("PATH").iter().flat_map(std::env::split_paths)),
    );
    let out = Command::new(BINARY)
        .args(["demo", "calendar", "--once", "--port", "0", "--folder", &folder])
        .env("PATH", path.expect("a path"))
        .stdin(Stdio::null())
        .output()
        .expect("it runs");
    let shown = text(&out);
    for part in [
        "1 of them would be logged if they were made from now on, 1 not:",
        "left out: Review of last year: The event was there before the calendar was connected.",
        "left out: Figures of the month: Nobody from outside takes part.",
        "left out: Offer: No guest's address is that of a person in the CRM.",
        "left out: The event is private; nothing of it leaves the calendar.",
        "ben@acme.example: accepted",
        "Compilers, ",
        "a meeting is private by now: its record stays as it was",
        "+ HubSpot     Kick-off, ",
        "+ Anna        Kick-off, ",
        "~ Anna        Kick-off with Grace, ",
        "with ada@analytical.example, grace@cobol.example",
        "+ Salesforce  Kick-off, ",
        "~ Salesforce  Kick-off with Grace, ",
        "~ HubSpot     [CANCELLED] Demo, ",
        "~ Salesforce  [CANCELLED] Demo, ",
        "Everything is in its place, and a round without changes writes nothing.",
    ] {
        assert!(shown.contains(part), "`{part}` is missing in:\n{shown}");
    }
    assert_eq!(shown.matches("+ HubSpot     Weekly call, ").count(), 2, "the first, and the one that moved:\n{shown}");
    assert!(!shown.contains("A word about money") && !shown.contains("Godparents"), "what is private shows nowhere");
    assert_eq!(shown.contains("+ HubSpot     Visit, "), shown.contains("Carla (CalDAV, on a real Radicale)"));
    assert!(!has_server || shown.contains("Carla (CalDAV, on a real Radicale)"), "{shown}");
    drop(std::fs::remove_dir_all(folder));
}

/// One command shows the whole flow on a machine without any account; Ctrl-C stops it, and starting it again finds
/// everything where it was.
///
/// proves: O1, B1, B3, B6, B10, B9
#[test]
fn the_demo_shows_the_whole_flow() {
    let folder = folder("demo");
    let first = text(&run(&["demo", "--once", "--port", "0", "--folder", &folder]));
    for expected in [
        "nobody matched: a contact is created",
        "the contact is known from an earlier booking",
        "a contact has the invitee's e-mail address",
        "→ opportunity created",
        "→ case        created",
        "[CANCELLED] Introduction between Rosa Rep and Ada Lovelace",
        "[STORNIERT] Support",
        "half of a reschedule came",
        "            1 API call\n",
        "            2 API calls\n",
        "/sign-in/",
    ] {
        assert!(first.contains(expected), "`{expected}` is missing in:\n{first}");
    }
    assert_eq!(first.matches("→ contact     created").count(), 2, "Alan was a contact before:\n{first}");
    assert_eq!(first.matches("→ meeting     created").count(), 4, "{first}");

    let mut again = Running::start(&["demo", "--port", "0", "--folder", &folder]);
    let page = again.line_with("Syncline  ");
    let page = page.split_whitespace().find(|word| word.starts_with("http://")).expect("its address").to_owned();
    let link = again.line_with("/sign-in/");
    let link = link.split_whitespace().find(|word| word.contains("/sign-in/")).expect("its address").to_owned();
    again.line_with("Ctrl-C stops it");
    let mut connection = Connection::open(page.trim_start_matches("http://").parse().expect("an address"));
    let signed = connection.exchange("GET", link.trim_start_matches(&page), &[], b"").expect("an answer");
    let cookie = cookie(&signed);
    let bookings = connection.exchange("GET", "/bookings", &[("cookie", &cookie)], b"").expect("an answer");
    let bookings = String::from_utf8_lossy(&bookings.body).into_owned();
    assert!(bookings.contains("Ada Lovelace") && bookings.contains("Grace Hopper") && bookings.contains("Alan Turing"));
    assert!(again.interrupt().contains("Stopping"));

    let third = text(&run(&["demo", "--once", "--port", "0", "--folder", &folder]));
    assert_eq!(third.matches("received before: nothing to do").count(), 10, "{third}");
    assert!(!third.contains("created"), "nothing is made again:\n{third}");
    drop(std::fs::remove_dir_all(folder));
}

pub fn cookie(answer: &Answer) -> String {
    let set = answer.header("set-cookie").expect("a cookie");
    set.split(';').next().expect("its value").to_owned()
}

/// The sandbox alone: one JSON line with address and credentials, and an org behind it that logs one in.
#[test]
fn the_sandbox_prints_one_json_line() {
    let mut sandbox = Running::start(&["sandbox", "--json"]);
    let line: Value = serde_json::from_str(&sandbox.line_with("{")).expect("a JSON line");
    let org = &line["salesforce"];
    let address =
        org["base_url"].as_str().expect("an address").trim_start_matches("http://").parse().expect("an address");
    let form = format!(
        "grant_type=refresh_token&refresh_token={}&client_id={}&client_secret={}",
        org["refresh_token"].as_str().expect("a token"),
        org["client_id"].as_str().expect("an id"),
        org["client_secret"].as_str().expect("a secret")
    );
    let kind = [("content-type", "application/x-www-form-urlencoded")];
    let answer = Connection::open(address).request("POST", "/services/oauth2/token", &kind, form.as_bytes());
    let (status, body) = answer.expect("an answer");
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
    for (vendor, header, secret, path) in [
        ("brevo", "api-key", "api_key", "/v3/account"),
        ("activecampaign", "api-token", "api_token", "/api/3/users/me"),
    ] {
        let account = &line[vendor];
        let url = url::Url::parse(account["url"].as_str().expect("an address")).expect("an address");
        let address = format!("127.0.0.1:{}", url.port().expect("a port")).parse().expect("an address");
        let headers = [(header, account[secret].as_str().expect("a secret"))];
        let (status, body) = Connection::open(address).request("GET", path, &headers, b"").expect("an answer");
        assert_eq!(status, 200, "{vendor}: {}", String::from_utf8_lossy(&body));
    }
    for (vendor, path) in [("google", "/calendar/v3/users/me/calendarList"), ("microsoft", "/v1.0/me/calendars")] {
        let account = &line[vendor];
        let url = url::Url::parse(account["url"].as_str().expect("an address")).expect("an address");
        let address = format!("127.0.0.1:{}", url.port().expect("a port")).parse().expect("an address");
        let user = serde_json::json!({ "user": account["users"][0]["email"] }).to_string();
        let kind = [("content-type", "application/json")];
        let mut connection = Connection::open(address);
        let (status, body) =
            connection.request("POST", "/_sandbox/install", &kind, user.as_bytes()).expect("an answer");
        assert_eq!(status, 200, "{vendor}: {}", String::from_utf8_lossy(&body));
        let tokens: Value = serde_json::from_slice(&body).expect("JSON");
        let bearer = format!("Bearer {}", tokens["access_token"].as_str().expect("a token"));
        let (status, body) = connection.request("GET", path, &[("authorization", &bearer)], b"").expect("an answer");
        assert_eq!(status, 200, "{vendor}: {}", String::from_utf8_lossy(&body));
    }
    assert_eq!(sandbox.interrupt(), "", "nothing but that line");
}

/// `init` writes a configuration that is accepted and a key that nobody else can read, and never writes over them.
///
/// proves: sec:S11, sec:S56
#[test]
fn init_writes_what_serve_needs() {
    let folder = folder("init");
    assert!(text(&run(&["init", &folder])).contains("syncline connect"));
    let key = Path::new(&folder).join("syncline.key");
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&key).expect("a key").permissions());
    assert_eq!(mode & 0o777, 0o600);
    let before = std::fs::read(&key).expect("a key");
    let second = run(&["init", &folder]);
    assert!(!second.status.success() && String::from_utf8_lossy(&second.stderr).contains("nothing was changed"));
    assert_eq!(std::fs::read(&key).expect("a key"), before);
    let config = format!("{folder}/syncline.toml");
    let refused = run(&["serve", "--config", &config]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("SYNCLINE_ADMIN_TOKEN is not set"), "{said}");
    drop(std::fs::remove_dir_all(folder));
}

/// Server-to-server: one command connects and says what the org still lacks.
#[test]
fn connect_names_what_the_org_lacks() {
    let sandbox = Sandbox::start();
    let installation = Installation::new("connect", &sandbox, "sqlite:syncline.db", "");
    let config = installation.folder.join("syncline.toml");
    let config = config.to_str().expect("a path");
    let good = text(&run(&["connect", "salesforce", "--config", config]));
    assert!(good.contains("has everything that the booking flow needs"), "{good}");

    let bare = Sandbox::with(|org| org.custom_fields.retain(|field| field.object != "Event"));
    let installation = Installation::new("connect-bare", &bare, "sqlite:syncline.db", "");
    let config = installation.folder.join("syncline.toml");
    let lacking = run(&["connect", "salesforce", "--config", config.to_str().expect("a path")]);
    let said = String::from_utf8_lossy(&lacking.stdout).into_owned();
    assert!(!lacking.status.success() && said.contains("Event") && said.contains("Syncline_Uid__c"), "{said}");
}

/// A server signs in with a key of its own: the org verifies the assertion with the certificate's public half.
#[test]
fn connect_signs_in_with_a_key() {
    let folder = folder("jwt");
    std::fs::create_dir_all(&folder).expect("a folder");
    let key = format!("{folder}/key.pem");
    let openssl = |arguments: &[&str]| {
        let out = Command::new("openssl").args(arguments).output().expect("openssl runs");
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8_lossy(&out.stdout).into_owned()
    };
    openssl(&["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", &key]);
    let public = openssl(&["pkey", "-in", &key, "-pubout"]);
    let sandbox = Sandbox::with(|org| org.app.jwt_public_key_pem = Some(public));
    let installation = Installation::new("jwt", &sandbox, "sqlite:syncline.db", "");
    std::fs::copy(&key, installation.folder.join("jwt.key")).expect("a copy");
    let config = installation.folder.join("syncline.toml");
    let user = sandbox.org.credentials(&sandbox.url)["username"].as_str().expect("a user").to_owned();
    let by_client = std::fs::read_to_string(&config).expect("a configuration");
    let grant = format!("grant = \"jwt\"\nusername = \"{user}\"\nprivate_key = \"file:jwt.key\"");
    std::fs::write(&config, by_client.replace("grant = \"client_credentials\"", &grant)).expect("a configuration");
    let said = text(&run(&["connect", "salesforce", "--config", config.to_str().expect("a path")]));
    assert!(said.contains("has everything that the booking flow needs"), "{said}");
    drop(std::fs::remove_dir_all(folder));
}

/// A person connects in the browser: the printed link, the vendor's own log-in page, PKCE, and back.
///
/// proves: sec:S1, sec:S2, sec:S3
#[test]
fn connect_takes_a_person_through_the_browser() {
    let sandbox = Sandbox::start();
    let installation = Installation::new("browser", &sandbox, "sqlite:syncline.db", "");
    let config = installation.folder.join("syncline.toml");
    let by_server = std::fs::read_to_string(&config).expect("a configuration");
    std::fs::write(&config, by_server.replace("grant = \"client_credentials\"", "")).expect("a configuration");
    let listen = format!("127.0.0.1:{}", free_port());
    let mut connect =
        Running::start(&["connect", "salesforce", "--listen", &listen, "--config", config.to_str().expect("a path")]);
    let link = connect.line_with("/sign-in/");
    let path = &link.trim()[link.trim().find("/sign-in/").expect("a path")..];

    let mut here = Connection::open(listen.parse().expect("an address"));
    let signed = here.exchange("GET", path, &[], b"").expect("an answer");
    let session = cookie(&signed);
    let begin = signed.header("location").expect("the way on").to_owned();
    assert_eq!(begin, "/connect/salesforce");
    let sent = here.exchange("GET", &begin, &[("cookie", &session)], b"").expect("an answer");
    let vendor = sent.header("location").expect("the vendor's page").to_owned();
    let query = vendor.split_once('?').expect("a query").1.to_owned();
    assert!(query.contains("code_challenge_method=S256") && query.contains("scope=api+refresh_token"), "{query}");

    let credentials = sandbox.org.credentials(&sandbox.url);
    let form = format!(
        "{query}&username={}&password={}&decision=allow",
        credentials["username"].as_str().expect("a user"),
        credentials["password"].as_str().expect("a password")
    );
    let mut org = Connection::open(sandbox.url.trim_start_matches("http://").parse().expect("an address"));
    let kind = [("content-type", "application/x-www-form-urlencoded")];
    let agreed = org.exchange("POST", "/services/oauth2/authorize", &kind, form.as_bytes()).expect("an answer");
    let back = agreed.header("location").expect("the way back").to_owned();
    let back = &back[back.find("/oauth/callback/salesforce?").expect("the registered address")..];
    let stranger = here.exchange("GET", back, &[], b"").expect("an answer");
    assert_eq!(stranger.status, 400, "a callback without the session that began it is refused");
    let returned = here.exchange("GET", back, &[("cookie", &session)], b"").expect("an answer");
    assert_eq!(returned.header("location"), Some("/connected/salesforce"));
    connect.line_with("has everything that the booking flow needs");
}

/// Whoever relies on a source is told what only its webhook brings.
///
/// proves: B5
#[test]
fn sources_say_what_only_a_webhook_tells() {
    let sandbox = Sandbox::start();
    let more = r#"
        [[sources]]
        name = "asked"
        vendor = "calcom"
        integration = "bookings"
        secrets = ["file:calcom.key"]
        api = { token = "file:calcom.key", url = "http://127.0.0.1:9" }
        [[sources]]
        name = "calendly"
        vendor = "calendly"
        integration = "bookings"
        secrets = ["file:calcom.key"]
        api = { token = "file:calcom.key", url = "http://127.0.0.1:9" }
        [[sources]]
        name = "meetergo"
        vendor = "meetergo"
        integration = "bookings"
    "#;
    let installation = Installation::new("only-by-webhook", &sandbox, "sqlite:syncline.db", more);
    let config = installation.folder.join("syncline.toml");
    let told = text(&run(&["sources", "--config", config.to_str().expect("a path")]));
    let told = |source: &str| {
        let from = told.find(&format!("{source} (")).unwrap_or_else(|| panic!("no {source} in: {told}"));
        let lines = told[from..].lines().skip(1).take_while(|line| line.starts_with(' '));
        lines.skip(2).map(str::trim).next().expect("what to know of it").to_owned()
    };
    assert_eq!(told("calcom"), "is not asked: give `api`, and what a lost webhook would have told is found");
    assert_eq!(
        told("asked"),
        "only its webhook tells: a form that was submitted without a booking; that a host asked for another time; \
         why a request was declined; that somebody gave up a seat that others still share"
    );
    assert!(told("calendly").starts_with("only its webhook tells: that a no-show mark was taken back; "));
    assert_eq!(told("meetergo"), "cannot be asked: what its webhook does not bring is not found again");
    let lines = text(&run(&["sources", "--json", "--config", config.to_str().expect("a path")]));
    let entries: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON a line")).collect();
    let asked = entries.iter().find(|entry| entry["name"] == "asked").expect("it is there");
    assert!(asked["address"].as_str().is_some_and(|url| url.contains("/hooks/")), "{asked}");
    assert!(asked["says"].as_array().is_some_and(|says| !says.is_empty()), "{asked}");
}
