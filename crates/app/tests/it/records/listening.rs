//! Change events as a wake-up, with the real executable: what changes in the org is in the newsletter tool at once,
//! though polls are hours apart.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::{Map, Value, json};
use syncline_core::Clock;
use syncline_sandbox::{BrevoAccount, BrevoConfig, brevo::BrevoRates};

use crate::lab::{ADMIN_TOKEN, Installation, PATIENCE, Sandbox, Server, free_port, pause, postgres_database};

const BINARY: &str = env!("CARGO_BIN_EXE_syncline");

/// Contacts of the org become contacts of the tool; both sides are asked every four hours, and all is read once a month.
const FLOW: &str = r#"
[[connections]]
name = "newsletter"
vendor = "brevo"
grant = "key"
api_key = "file:brevo.key"
url = "BREVO"

[[records]]
name = "people"
left = "salesforce"
right = "newsletter"
left_every_seconds = 14400
right_every_seconds = 14400
sweep_hours = 744

[[records.pairs]]
name = "contacts"
left = "Contact"
right = "contact"
create_right = true
deleted_right = "delete"

[[records.pairs.fields]]
left = "Email"
right = "EMAIL"

[[records.pairs.fields]]
left = "LastName"
right = "LASTNAME"
"#;

struct WallClock;

impl Clock for WallClock {
    #[expect(clippy::disallowed_methods, reason = "an imitation beside another process lives in the real time")]
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::now()
    }
}

struct Office {
    sandbox: Sandbox,
    tool: Arc<BrevoAccount>,
    installation: Installation,
}

fn map(json: Value) -> Map<String, Value> {
    json.as_object().expect("an object").clone()
}

impl Office {
    /// An org with three contacts, an empty account, and an active integration between them.
    fn new(name: &str, announced: bool) -> Self {
        Self::on(name, "sqlite:syncline.db", announced)
    }

    fn on(name: &str, database: &str, announced: bool) -> Self {
        let sandbox = Sandbox::with(|config| {
            config.change_events = announced.then(|| vec!["Contact".to_owned(), "Lead".to_owned()]);
        });
        let config = BrevoConfig { rates: BrevoRates::NONE, ..BrevoConfig::default() };
        let tool = BrevoAccount::new(config, Arc::new(WallClock));
        let url = sandbox.beside(&tool);
        let credentials = tool.credentials(&url);
        let text = |name: &str| credentials[name].as_str().expect("it is told").to_owned();
        let installation = Installation::new(name, &sandbox, database, &FLOW.replace("BREVO", &text("url")));
        let key = text("api_key");
        let path = installation.folder.join("brevo.key");
        std::fs::write(&path, key).expect("a secret file");
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("its mode");
        installation.rewrite("allow = [", &format!("allow = [\"{url}\", "));
        let listened = format!("settings = {{ change_events = \"on\", event_endpoint = \"{}\", ", sandbox.url);
        installation.rewrite("settings = { ", &listened);
        let office = Self { sandbox, tool, installation };
        for name in ["Ada", "Grace", "Mary"] {
            office.add(name);
        }
        office.run(&["records", "activate", "people", "--agreed-by", "Ada Lovelace"]);
        office
    }

    fn run(&self, arguments: &[&str]) -> String {
        self.installation.command(Path::new(BINARY), arguments)
    }

    /// A contact that a colleague makes.
    fn add(&self, name: &str) -> String {
        let record = json!({ "LastName": name, "Email": format!("{}@example.org", name.to_lowercase()) });
        self.sandbox.org.seed("Contact", &map(record)).expect("the contact is sound")
    }

    fn rename(&self, id: &str, name: &str) {
        self.sandbox.org.edit(id, &map(json!({ "LastName": name }))).expect("the contact can be edited");
    }

    fn start(&self) -> Server {
        self.installation.start(Path::new(BINARY), &[])
    }

    /// Starts, and waits until the first load is through and changes are announced.
    fn start_and_listen(&self) -> Server {
        let server = self.start();
        self.until("the first load", || self.names().len() == 3);
        self.until("listening", || {
            self.sandbox.org.sign_of_life().expect("it announces changes");
            self.run(&["records", "status", "people"]).contains("changes are announced since")
        });
        server
    }

    /// The last names in the tool.
    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self
            .tool
            .contacts_snapshot()
            .iter()
            .map(|contact| contact["attributes"]["LASTNAME"].as_str().unwrap_or_default().to_owned())
            .collect();
        names.sort();
        names
    }

    fn until(&self, what: &str, done: impl Fn() -> bool) {
        let started = Instant::now();
        while !done() {
            assert!(
                started.elapsed() < PATIENCE,
                "{what} does not come: {:?} {}",
                self.names(),
                self.installation.log()
            );
            pause(Duration::from_millis(20));
        }
    }

    /// Waits until the tool holds these, which a poll would bring only hours later.
    fn holds_at_once(&self, what: &str, names: &[&str]) {
        self.until(what, || self.names() == names);
    }
}

/// An edit, a new contact and a deletion arrive at once though polls are hours apart; nobody is doubled. What changes
/// while the server is dead is heard by the next one; so is what changes after the exchange broke or the session ended.
///
/// proves: R11
#[test]
fn what_changes_arrives_at_once_and_a_kill_loses_nothing() {
    let office = Office::new("listening", true);
    let server = office.start_and_listen();
    let ids: Vec<String> =
        office.sandbox.records("Contact").iter().map(|row| row["Id"].as_str().expect("an id").to_owned()).collect();
    office.rename(&ids[0], "Byron");
    office.holds_at_once("an edit", &["Byron", "Grace", "Mary"]);
    let hedy = office.add("Hedy");
    office.holds_at_once("a new contact", &["Byron", "Grace", "Hedy", "Mary"]);
    office.sandbox.org.delete(&hedy).expect("it can be deleted");
    office.holds_at_once("a deletion", &["Byron", "Grace", "Mary"]);

    server.kill();
    office.rename(&ids[1], "Hopper");
    office.rename(&ids[2], "Shelley");
    let server = office.start();
    office.holds_at_once("what changed in between", &["Byron", "Hopper", "Shelley"]);

    office.sandbox.org.break_streams().expect("it announces changes");
    office.rename(&ids[0], "King");
    office.holds_at_once("an edit after a break", &["Hopper", "King", "Shelley"]);

    office.sandbox.org.expire_sessions();
    office.sandbox.org.sign_of_life().expect("it announces changes");
    office.rename(&ids[0], "Lovelace");
    office.holds_at_once("an edit after the session ended", &["Hopper", "Lovelace", "Shelley"]);
    assert_eq!(office.sandbox.records("Contact").len(), 3, "nobody is doubled");
    assert!(server.terminate().success());
}

/// Where events were missed for good, what changed is read instead: after an outage longer than they are kept, and where
/// the vendor says no more than that there was something.
#[test]
fn what_was_missed_for_good_is_read() {
    let office = Office::new("missed", true);
    let server = office.start_and_listen();
    server.kill();
    let ids: Vec<String> =
        office.sandbox.records("Contact").iter().map(|row| row["Id"].as_str().expect("an id").to_owned()).collect();
    office.rename(&ids[1], "Hopper");
    office.sandbox.org.forget_events().expect("it announces changes");
    let server = office.start();
    office.holds_at_once("what was forgotten", &["Ada", "Hopper", "Mary"]);
    office.until("a line that says so", || office.installation.log().contains("no longer keeps the events"));

    let before = office.sandbox.org.request_count();
    office.sandbox.org.announce_gap("Contact", "GAP_OVERFLOW", &[]).expect("it announces changes");
    office.until("a look", || office.sandbox.org.request_count() > before);
    assert!(server.terminate().success());
}

/// An edition without change events says so in words, and is polled as ever.
///
/// proves: R21
#[test]
fn an_org_without_change_events_is_polled() {
    let office = Office::new("without", false);
    let server = office.start();
    office.until("the first load", || office.names().len() == 3);
    office.until("a note", || {
        let status = office.run(&["records", "status", "people"]);
        status.contains("changes are not announced") && status.contains("Change Data Capture")
    });
    let activity = office.run(&["activity"]);
    assert!(activity.contains("Changes of salesforce are not announced"), "{activity}");
    assert!(server.terminate().success());
}

/// While the integration is paused, or the account disconnected, nobody listens; what changed meanwhile is heard once it is
/// active again.
///
/// proves: R11
#[test]
fn a_pause_ends_the_listening_and_loses_nothing() {
    let office = Office::new("listening-pause", true);
    let server = office.start_and_listen();
    assert_eq!(office.sandbox.org.listeners(), 1);
    office.run(&["records", "pause", "people"]);
    office.until("the end of listening", || office.sandbox.org.listeners() == 0);
    let status = || office.run(&["records", "status", "people"]);
    office.until("a note", || status().contains("changes are not listened to just now"));
    let id = office.sandbox.records("Contact")[0]["Id"].as_str().expect("an id").to_owned();
    office.rename(&id, "Byron");
    office.run(&["records", "activate", "people", "--agreed-by", "Ada Lovelace"]);
    office.holds_at_once("what changed in the pause", &["Byron", "Grace", "Mary"]);

    let authorization = format!("Bearer {ADMIN_TOKEN}");
    let path = "/api/v1/connections/salesforce/disconnect";
    let answer = server.connect().request("POST", path, &[("authorization", &authorization)], b"");
    assert!((200..300).contains(&answer.expect("an answer").0));
    office.until("the end of listening", || office.sandbox.org.listeners() == 0);
    office.rename(&id, "Lovelace");
    office.run(&["connect", "salesforce"]);
    office.holds_at_once("what changed while it was disconnected", &["Grace", "Lovelace", "Mary"]);
    assert!(server.terminate().success());
    office.until("the end", || office.sandbox.org.listeners() == 0);
}

/// Of two processes one listens, and the other goes on where it stops.
///
/// proves: O2, fault:L1
#[test]
fn one_of_two_processes_listens() {
    let base = std::env::var("SYNCLINE_TEST_POSTGRES").expect("run ./test, which starts PostgreSQL");
    let office = Office::on("listening-two", &postgres_database(&base, "listening"), true);
    let first = office.start_and_listen();
    let second = office.installation.start_on(Path::new(BINARY), free_port(), &[]);
    let ids: Vec<String> =
        office.sandbox.records("Contact").iter().map(|row| row["Id"].as_str().expect("an id").to_owned()).collect();
    // Longer than the other waits between two looks at who listens.
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(7) {
        assert_eq!(office.sandbox.org.listeners(), 1);
        pause(Duration::from_millis(20));
    }
    office.rename(&ids[0], "Byron");
    office.holds_at_once("an edit", &["Byron", "Grace", "Mary"]);
    assert!(first.terminate().success());
    office.rename(&ids[1], "Hopper");
    office.holds_at_once("an edit after the end of the one that listened", &["Byron", "Hopper", "Mary"]);
    assert_eq!(office.sandbox.org.listeners(), 1);
    assert!(second.terminate().success());
}
