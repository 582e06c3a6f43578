//! The console in a real browser: Chromium without a window, driven by `tests/browser/console.mjs`, at the real executable
//! between imitation accounts. What the person at the browser does is there; here is the world that answers.

use std::{
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use syncline_sandbox::{FaultKind, FaultRule};

use crate::{
    api::{Newsletter, PEOPLE, asked, newsletter},
    calendars::office::{Office, ROSA, SAM},
    lab::{ADMIN_TOKEN, Booking, PATIENCE, Server, pause, secret},
    story::{clear_faults, fault},
};

const BINARY: &str = env!("CARGO_BIN_EXE_syncline");
const ADA: &str = "ada@client.example";

/// More than may vanish from a calendar without a question.
const VANISHING: usize = 11;

/// Pages that are looked at, at the least: fewer, and the story was cut short.
const PAGES: u64 = 20;

/// A person at the browser, who says when the world is to go on.
struct Person {
    child: Child,
    answers: ChildStdin,
    lines: BufReader<ChildStdout>,
}

impl Person {
    fn at(server: &Server) -> Self {
        let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| here.join("../../target"), PathBuf::from);
        let clients = target.join("clients");
        let known = clients.join("node_modules/playwright-core").exists();
        assert!(known, "Playwright is not in {}: run ./test, which installs it", clients.display());
        let folders = std::env::var_os("PATH").unwrap_or_default();
        let chromium = std::env::split_paths(&folders).map(|folder| folder.join("chromium")).find(|path| path.exists());
        let chromium = chromium.expect("Chromium is missing: run ./test, which installs Debian's package `chromium`");
        let mut child = Command::new("node")
            .arg(here.join("tests/browser/console.mjs"))
            .arg(format!("http://{}", server.address))
            .env("SANDBOX_CLIENTS", clients)
            .env("CHROMIUM", chromium)
            .env("ADMIN_TOKEN", ADMIN_TOKEN)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Node.js is there");
        let answers = child.stdin.take().expect("its input");
        let lines = BufReader::new(child.stdout.take().expect("its output"));
        Self { child, answers, lines }
    }

    /// Answers what the person asks for, until the day is over; how many pages were looked at.
    fn works(mut self, mut provide: impl FnMut(&str)) -> u64 {
        loop {
            let mut line = String::new();
            let length = self.lines.read_line(&mut line).expect("text");
            if let Some(word) = line.trim().strip_prefix("ask ") {
                provide(word);
                writeln!(self.answers, "{word}").expect("the person listens");
                continue;
            }
            let end: Value = serde_json::from_str(&line).unwrap_or_default();
            if length == 0 || end["pages"].is_u64() {
                assert!(self.child.wait().expect("it ends").success(), "what is wrong stands above");
                return end["pages"].as_u64().expect("it tells how many pages there were");
            }
        }
    }
}

impl Drop for Person {
    fn drop(&mut self) {
        // One that has ended already needs no killing.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn until(what: &str, office: &Office, is: impl Fn() -> bool) {
    let started = Instant::now();
    while !is() {
        assert!(started.elapsed() < PATIENCE, "{what}: {}", office.installation.log());
        pause(Duration::from_millis(20));
    }
}

/// Rosa's calendar, which is looked at every hour or when somebody asks.
fn meetings() -> String {
    format!(
        r#"
        [[calendars]]
        name = "meetings"
        crm = "salesforce"
        own_domains = ["host.example"]
        [[calendars.people]]
        owner = "{ROSA}"
        connection = "rosa"
        every_seconds = 3600
        "#
    )
}

/// An account of every kind, a booking that was written and one that was laid aside, and records of which two are held back.
struct World {
    office: Office,
    tool: Newsletter,
    server: Server,
}

impl World {
    fn new() -> Self {
        let tool = Newsletter::start();
        let people = PEOPLE.replace(
            "right = \"newsletter\"",
            "right = \"newsletter\"\nleft_every_seconds = 1\nright_every_seconds = 1",
        );
        let office =
            Office::over("browser", "sqlite:syncline.db", &format!("{}{people}{}", newsletter(&tool), meetings()));
        office.installation.open_network(&tool.url);
        let key = tool.account.credentials(&tool.url)["api_key"].as_str().expect("a key").to_owned();
        secret(&office.installation.folder, "brevo.key", &key);
        office.connect();
        office.meet("Before", 24, &[ADA]);

        let both = json!({ "LastName": "King", "Email": "mary@client.example" });
        office.sandbox.org.seed("Contact", both.as_object().expect("a record")).expect("a contact");
        let other = json!({ "email": "mary@client.example", "attributes": { "LASTNAME": "Queen" } });
        tool.account.add_contact(other.as_object().expect("a record")).expect("a contact");
        let mut refusal = FaultRule::always(FaultKind::Status).on("POST", "/v3/contacts");
        refusal.fault.status = 400;
        tool.account.faults().add(refusal);
        office.run(&["records", "activate", "people", "--agreed-by", "Rosa"]);

        let server = office.installation.start(Path::new(BINARY), &[]);
        let say = |booking: &mut Booking| {
            let answer = booking.created().post(&mut server.connect(), &server.hook).expect("an answer");
            assert_eq!(answer.0, 200, "{}", String::from_utf8_lossy(&answer.1));
            server.settle(&office.installation);
        };
        say(&mut Booking::new(1, ADA, "Ada Lovelace"));
        fault(&office.sandbox, &json!({ "kind": "partial", "object": "Contact" }));
        say(&mut Booking::new(2, "grace@client.example", "Grace Hopper"));
        assert_eq!(server.api("/api/v1/status")["parked"], 1);
        let world = Self { office, tool, server };
        world.held(2);
        world
    }

    /// Waits until of so many records something is held back.
    fn held(&self, count: usize) {
        let path = "/api/v1/records/people";
        until("held back", &self.office, || {
            // Sooner than the server would by itself; while it does, it says that it is busy.
            let (status, told) = asked(&self.server, "POST", &format!("{path}/run"), &json!({}));
            assert!(status == 200 || status == 409, "{told}");
            self.server.api(path)["counts"]["held"] == json!(count)
        });
    }

    fn calendars(&self) -> Value {
        self.server.api("/api/v1/calendars/meetings")["counts"].clone()
    }

    fn logged(&self) -> bool {
        self.calendars()["logged"] == json!(VANISHING + 1) && self.calendars()["left_out"] == json!(3)
    }

    fn called_off(&self) -> usize {
        self.office.timeline().iter().filter(|(title, _)| title.contains("CANCEL")).count()
    }

    /// What the person at the browser asks for by a word.
    fn provide(&self, word: &str) {
        let (office, google) = (&self.office, &self.office.google);
        match word {
            "mended" => clear_faults(&office.sandbox),
            "settled" => {
                self.server.settle(&office.installation);
                // Whom the booking made is refused by the newsletter tool like the other.
                self.held(3);
            }
            "decided" => self.held(2),
            "reachable" => self.tool.account.faults().clear(),
            "one arrived" => self.held(1),
            "all arrived" => self.held(0),
            "meetings" => {
                until(word, office, || self.calendars()["left_out"] == json!(1));
                (0..=VANISHING).for_each(|n| office.meet(&format!("Demo {n:02}"), 25, &[ADA]));
                office.meet("Team", 26, &[SAM]);
                let mut private = office.event("Salary", 27, &[ADA]);
                private["visibility"] = "private".into();
                google.create(ROSA, &private).expect("a meeting");
            }
            "logged" => until(word, office, || self.logged()),
            "vanished" => {
                let all = google.snapshot().remove(ROSA).expect("her calendar");
                let demos =
                    all.iter().filter(|event| event["summary"].as_str().is_some_and(|title| title.starts_with("Demo")));
                for event in demos.take(VANISHING) {
                    google.delete(ROSA, event["id"].as_str().expect("an id")).expect("she may");
                }
                google.forget_deleted(ROSA).expect("a calendar");
                google.expire_sync_tokens();
            }
            "called off" => until(word, office, || self.called_off() == VANISHING),
            other => panic!("nobody can provide `{other}`"),
        }
    }
}

/// An administrator signs in, sees how everything stands, replays a booking that was laid aside, searches the log, decides
/// what is held back, and takes a calendar from its preview to the confirmation of deletions: by keyboard alone and without
/// script. Each page on the way has its title, its headings, its labels and enough contrast by day and by night, and fits a
/// telephone; none asks another host for anything, and the browser complains about none.
///
/// proves: O3, C1, C4, C8, B24, R21
#[test]
fn an_administrator_works_with_the_console_by_keyboard() {
    let world = World::new();
    let pages = Person::at(&world.server).works(|word| world.provide(word));
    assert!(pages >= PAGES, "only {pages} pages were looked at");
}
