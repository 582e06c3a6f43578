//! The commands that an admin types and the server, over sockets: the real process between an imitation Google Calendar and
//! an imitation Salesforce.

use std::{path::Path, process::Command, sync::Arc, time::Instant};

use jiff::SignedDuration;
use serde_json::{Map, Value, json};
use syncline_core::Clock;
use syncline_sandbox::{GoogleConfig, GoogleWorkspace};

use crate::{
    commands::{Running, cookie},
    lab::{Booking, Connection, Installation, PATIENCE, Sandbox, WallClock, free_port, pause, secret},
};

const BINARY: &str = env!("CARGO_BIN_EXE_syncline");
pub const ROSA: &str = "rosa@host.example";
pub const SAM: &str = "sam@host.example";
const ADA: &str = "ada@client.example";

pub struct Office {
    pub sandbox: Sandbox,
    pub google: Arc<GoogleWorkspace>,
    pub installation: Installation,
    ada: String,
}

impl Office {
    fn new(name: &str) -> Self {
        Self::with(name, "")
    }

    /// With further settings of the integration.
    fn with(name: &str, settings: &str) -> Self {
        let integration = format!(
            r#"
            [[calendars]]
            name = "meetings"
            crm = "salesforce"
            own_domains = ["host.example"]
            {settings}
            [[calendars.people]]
            owner = "{ROSA}"
            connection = "rosa"
            every_seconds = 1
            "#
        );
        Self::over(name, "sqlite:syncline.db", &integration)
    }

    /// With these integrations, and accounts of two people that nobody has connected yet.
    pub fn over(name: &str, database: &str, integrations: &str) -> Self {
        let sandbox = Sandbox::start();
        let google = GoogleWorkspace::new(GoogleConfig::default(), Arc::new(WallClock));
        let url = sandbox.beside(&google);
        let client = google.credentials(&url)["client_id"].as_str().expect("a client").to_owned();
        let account = |name: &str| {
            format!(
                r#"
                [[connections]]
                name = "{name}"
                vendor = "google"
                client_id = "{client}"
                client_secret = "file:google.key"
                settings = {{ allow_host = "{url}" }}
                "#
            )
        };
        let more = format!("{}{}{integrations}", account("rosa"), account("sam"));
        let installation = Installation::new(name, &sandbox, database, &more);
        installation.open_network(&url);
        let key = google.credentials(&url)["client_secret"].as_str().expect("a secret").to_owned();
        secret(&installation.folder, "google.key", &key);
        let person = json!({ "FirstName": "Ada", "LastName": "Lovelace", "Email": ADA });
        let ada = sandbox.org.seed("Contact", person.as_object().expect("a record")).expect("a contact");
        Self { sandbox, google, installation, ada }
    }

    /// Rosa agrees in the browser.
    pub fn connect(&self) {
        connect(&self.installation, "rosa");
    }

    /// Rosa makes a meeting, so many hours from now.
    pub fn meet(&self, title: &str, hours: i64, guests: &[&str]) {
        self.google.create(ROSA, &self.event(title, hours, guests)).expect("a meeting");
    }

    pub fn event(&self, title: &str, hours: i64, guests: &[&str]) -> Value {
        let start = WallClock.now() + SignedDuration::from_hours(hours);
        let guests: Vec<Value> = guests.iter().map(|email| json!({ "email": email })).collect();
        json!({ "summary": title, "attendees": guests, "start": { "dateTime": start.to_string() },
            "end": { "dateTime": (start + SignedDuration::from_mins(30)).to_string() } })
    }

    pub fn run(&self, arguments: &[&str]) -> String {
        self.installation.command(Path::new(BINARY), arguments)
    }

    pub fn lines(&self, arguments: &[&str]) -> Vec<Value> {
        self.run(arguments).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    /// What a command says that fails.
    pub fn refused(&self, arguments: &[&str]) -> String {
        let config = self.installation.folder.join("syncline.toml");
        let out = Command::new(BINARY).args(arguments).arg("--config").arg(config).output().expect("it runs");
        assert!(!out.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&out.stdout));
        String::from_utf8_lossy(&out.stderr).into_owned()
    }

    /// The subjects in the CRM, with whom each is.
    pub fn timeline(&self) -> Vec<(String, String)> {
        let text = |record: &Map<String, Value>, field: &str| record[field].as_str().unwrap_or_default().to_owned();
        let mut all: Vec<(String, String)> = self
            .sandbox
            .records("Event")
            .iter()
            .map(|record| (text(record, "Subject"), text(record, "WhoId")))
            .collect();
        all.sort();
        all
    }
}

/// Somebody agrees in the browser to the connection of the own calendar.
pub fn connect(installation: &Installation, name: &str) {
    let listen = format!("127.0.0.1:{}", free_port());
    let config = installation.folder.join("syncline.toml");
    let config = config.to_str().expect("a path");
    let mut connect = Running::start(&["connect", name, "--listen", &listen, "--config", config]);
    let link = connect.line_with("/sign-in/");
    let path = &link.trim()[link.trim().find("/sign-in/").expect("a path")..];
    let mut here = Connection::open(listen.parse().expect("an address"));
    let signed = here.exchange("GET", path, &[], b"").expect("an answer");
    let begin = signed.header("location").expect("the way on").to_owned();
    let landed = agree(&mut here, &cookie(&signed), &begin, name);
    assert_eq!(landed, format!("/connected/{name}"));
    connect.line_with(&format!("Connected `{name}`"));
    connect.line_with("syncline calendars check");
}

/// Whoever is signed in here, or has a link, is sent to the vendor, agrees there as the owner of the account, and comes back: where
/// to.
pub fn agree(here: &mut Connection, session: &str, begin: &str, name: &str) -> String {
    let sent = here.exchange("GET", begin, &[("cookie", session)], b"").expect("an answer");
    let given = sent.header("set-cookie").map(|_| cookie(&sent));
    let session = given.as_deref().unwrap_or(session);
    let vendor = url::Url::parse(sent.header("location").expect("the vendor's page")).expect("an address");
    let address = format!("127.0.0.1:{}", vendor.port().expect("a port")).parse().expect("an address");
    let page = format!("{}?{}&login_hint={name}@host.example", vendor.path(), vendor.query().expect("a query"));
    let agreed = Connection::open(address).exchange("GET", &page, &[], b"").expect("an answer");
    let back = agreed.header("location").expect("the way back").to_owned();
    let back = &back[back.find(&format!("/oauth/callback/{name}?")).expect("the registered address")..];
    let returned = here.exchange("GET", back, &[("cookie", session)], b"").expect("an answer");
    returned.header("location").unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&returned.body))).to_owned()
}

/// From the browser to the timeline: an account is connected, what would happen is seen before it does, somebody agrees, a
/// meeting lands, and of every other it is told why not.
///
/// proves: C1, C4, C5, C6, C8
#[test]
fn an_admin_previews_activates_and_asks_why_not() {
    let office = Office::new("calendars");
    office.meet("Before", 24, &[ADA]);
    assert!(office.refused(&["calendars", "check", "meetings"]).contains("of these cannot work as they are"));
    office.connect();
    let checked = office.run(&["calendars", "check", "meetings"]);
    assert!(checked.contains("good  rosa: ") && checked.contains("of rosa@host.example can be read"), "{checked}");
    let checked = office.lines(&["calendars", "check", "meetings", "--json"]);
    assert!(checked.iter().all(|line| line["good"] == true && line["about"].is_string()), "{checked:?}");

    let preview = office.run(&["calendars", "preview", "meetings"]);
    for part in [
        "0 upcoming events would be logged, 1 not:",
        "Before (rosa): The event was there before the calendar was connected.",
        "1 of them would be logged if they were made from now on, 0 not.",
    ] {
        assert!(preview.contains(part), "`{part}` is missing in:\n{preview}");
    }
    let preview = office.lines(&["calendars", "preview", "meetings", "--json"]).remove(0);
    assert_eq!(preview["events"][0]["title"], "Before");
    assert_eq!(preview["events"][0]["if_new"], "log");

    let refused = office.refused(&["calendars", "run", "meetings"]);
    assert!(refused.contains("`syncline calendars activate` starts it"), "{refused}");
    let refused = office.refused(&["calendars", "activate", "meetings"]);
    assert!(refused.contains("docs/agreement.md") && refused.contains("--agreed-by"), "{refused}");
    assert!(office.run(&["calendars", "activate", "meetings", "--agreed-by", "Rosa"]).contains("meetings is active"));
    assert!(office.run(&["calendars", "run", "meetings"]).contains("made 0"));
    office.meet("Demo", 25, &[ADA]);
    office.meet("Team", 26, &["sam@host.example"]);
    let ran = office.run(&["calendars", "run", "meetings"]);
    assert!(ran.contains("made 1, changed 0, deleted 0"), "{ran}");
    let expected = [("Demo".to_owned(), office.ada.clone())];
    assert_eq!(office.timeline(), expected);
    let rounds = office.lines(&["calendars", "run", "meetings", "--json"]);
    // One look; and a process asks once which calendar is the primary one.
    assert_eq!((&rounds[0]["created"], &rounds[0]["calls"]), (&json!(0), &json!(2)), "an idle round: {rounds:?}");
    assert_eq!(office.timeline(), expected);

    let events = office.run(&["calendars", "events", "meetings"]);
    assert!(events.contains("  Demo\n    logged, with ada@client.example\n"), "{events}");
    let left_out = office.run(&["calendars", "events", "meetings", "--left-out"]);
    assert!(left_out.contains("  Team\n    Nobody from outside takes part.\n    Invite the contact"), "{left_out}");
    assert!(!left_out.contains("Demo"), "{left_out}");
    let old = office.lines(&["calendars", "events", "meetings", "--reason", "before_connection", "--json"]);
    assert_eq!((old.len(), &old[0]["title"], &old[0]["logged"]), (1, &json!("Before"), &json!(false)));
    assert!(office.run(&["calendars", "events", "meetings", "--held"]).contains("knows no such event"));
    assert!(office.refused(&["calendars", "events", "meetings", "--reason", "weather"]).contains("internal_only"));

    let status = office.run(&["calendars", "status"]);
    assert!(status.contains("meetings is active") && status.contains("rosa: is read, connected at"), "{status}");
    let status = office.lines(&["calendars", "status", "meetings", "--json"]).remove(0);
    assert_eq!((&status["standing"], &status["events"]["log"]), (&json!("active"), &json!(1)));
    assert!(office.run(&["calendars", "retry", "meetings"]).contains("0 to be tried again"));
    assert!(office.run(&["calendars", "pause", "meetings"]).contains("meetings is paused"));
    assert!(office.refused(&["calendars", "run", "meetings"]).contains("it is not active"));
    let unknown = office.refused(&["calendars", "status", "meeting"]);
    assert!(unknown.contains("no integration of calendars is called `meeting`; there are: meetings"), "{unknown}");
}

/// A server reads the calendars by itself, and what they say reaches the CRM within its next looks.
///
/// proves: C4, C10
#[test]
fn a_server_keeps_the_timeline_true() {
    let office = Office::new("calendars-served");
    office.connect();
    office.run(&["calendars", "activate", "meetings", "--agreed-by", "Rosa"]);
    office.run(&["calendars", "run", "meetings"]);
    let server = office.installation.start(Path::new(BINARY), &[]);
    office.meet("Demo", 25, &[ADA]);
    let started = Instant::now();
    while office.timeline().is_empty() {
        assert!(started.elapsed() < PATIENCE, "nothing came: {}", office.installation.log());
        pause(std::time::Duration::from_millis(100));
    }
    assert_eq!(office.timeline(), [("Demo".to_owned(), office.ada.clone())]);
    assert!(server.terminate().success(), "{}", office.installation.log());
}

/// A meeting that was booked and one that somebody logged in the CRM are each one meeting, there and in the calendar.
///
/// proves: B26, C2
#[test]
fn booked_and_logged_meetings_are_one_in_both() {
    let office = Office::with("calendars-back", "invite = true");
    office.connect();
    office.run(&["calendars", "activate", "meetings", "--agreed-by", "Rosa"]);
    office.run(&["calendars", "run", "meetings"]);
    let server = office.installation.start(Path::new(BINARY), &[]);

    let mut booking = Booking::new(1, ADA, "Ada Lovelace");
    let (status, body) = booking.created().post(&mut server.connect(), &server.hook).expect("an answer");
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
    server.settle(&office.installation);
    let booked = office.timeline();
    assert_eq!(booked.len(), 1);
    let mut event = office.event("Introduction with Ada Lovelace", 24, &[ADA]);
    event["iCalUID"] = booking.calendar_name().into();
    office.google.create(ROSA, &event).expect("a meeting");

    let rosa = office.sandbox.records("User").into_iter().find(|user| user["Email"] == ROSA).expect("a user");
    let at =
        |hours: i64| (WallClock.now() + SignedDuration::from_hours(hours)).strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let logged = json!({ "Subject": "Kick-off", "WhoId": office.ada, "OwnerId": rosa["Id"],
        "StartDateTime": at(30), "EndDateTime": at(31) });
    office.sandbox.org.seed("Event", logged.as_object().expect("a record")).expect("an event");
    let started = Instant::now();
    let in_calendar = || {
        let all = office.google.snapshot().remove(ROSA).unwrap_or_default();
        all.into_iter().filter(|event| event["summary"] == "Kick-off").collect::<Vec<Value>>()
    };
    while in_calendar().is_empty() {
        assert!(started.elapsed() < PATIENCE, "no event came: {}", office.installation.log());
        office.run(&["calendars", "run", "meetings"]);
    }
    assert!(server.terminate().success(), "{}", office.installation.log());
    office.run(&["calendars", "run", "meetings"]);
    assert_eq!(in_calendar()[0]["attendees"][0]["email"], ADA);
    let expected = [booked[0].clone(), ("Kick-off".to_owned(), office.ada.clone())];
    assert_eq!(office.timeline(), expected, "neither stands there twice");
    let left_out = office.run(&["calendars", "events", "meetings", "--reason", "booked"]);
    assert!(left_out.contains("its record is that of the booking"), "{left_out}");
}

/// A calendar may show a meeting before its booking is told of: what was logged by then goes, and the booking's stays.
///
/// proves: B26
#[test]
fn a_booking_takes_over_what_the_calendar_showed_first() {
    let office = Office::new("calendars-first");
    office.connect();
    office.run(&["calendars", "activate", "meetings", "--agreed-by", "Rosa"]);
    office.run(&["calendars", "run", "meetings"]);
    let mut booking = Booking::new(1, ADA, "Ada Lovelace");
    let mut event = office.event("Seen in the calendar", 24, &[ADA]);
    event["iCalUID"] = booking.calendar_name().into();
    office.google.create(ROSA, &event).expect("a meeting");
    office.meet("Another", 30, &[ADA]);
    office.run(&["calendars", "run", "meetings"]);
    let subjects = || office.timeline().into_iter().map(|(subject, _)| subject).collect::<Vec<_>>();
    assert_eq!(subjects(), ["Another", "Seen in the calendar"]);

    let server = office.installation.start(Path::new(BINARY), &[]);
    let (status, body) = booking.created().post(&mut server.connect(), &server.hook).expect("an answer");
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
    server.settle(&office.installation);
    assert!(server.terminate().success(), "{}", office.installation.log());
    office.run(&["calendars", "run", "meetings"]);
    let after = subjects();
    assert_eq!((after.len(), after.contains(&"Seen in the calendar".to_owned())), (2, false), "{after:?}");
    let left_out = office.run(&["calendars", "events", "meetings", "--reason", "booked"]);
    assert!(left_out.contains("Seen in the calendar"), "{left_out}");
}

/// What the vendor tells reaches the CRM through the real server, though the calendar is asked once an hour; the status says
/// until when it is told.
///
/// proves: C10
#[test]
fn a_change_that_is_told_lands_without_being_asked_for() {
    let office = Office::new("calendars-told");
    office.connect();
    office.installation.rewrite("own_domains", "push = true\nown_domains");
    office.installation.rewrite(
        "admin_token",
        &format!("public_url = \"http://127.0.0.1:{}\"\nadmin_token", office.installation.port),
    );
    office.installation.rewrite("every_seconds = 1", "every_seconds = 3600");
    office.run(&["calendars", "activate", "meetings", "--agreed-by", "Rosa"]);
    let server = office.installation.start(Path::new(BINARY), &[]);
    let carry = || {
        for sent in office.google.take_deliveries() {
            let url = url::Url::parse(&sent.url).expect("an address");
            let headers: Vec<(&str, &str)> =
                sent.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            let answer = server.connect().exchange("POST", url.path(), &headers, &sent.body).expect("an answer");
            office.google.report(&sent, Some(answer.status));
        }
    };
    let started = Instant::now();
    let status = || office.lines(&["calendars", "status", "meetings", "--json"]).remove(0)["calendars"][0].take();
    while status()["told_until"].is_null() {
        assert!(started.elapsed() < PATIENCE, "nobody tells: {} {}", status(), office.installation.log());
        carry();
        pause(std::time::Duration::from_millis(50));
    }
    assert!(office.run(&["calendars", "status", "meetings"]).contains(", tells of changes until 20"));
    office.meet("Demo", 25, &[ADA]);
    while office.timeline().is_empty() {
        assert!(started.elapsed() < PATIENCE, "nothing lands: {} {}", status(), office.installation.log());
        carry();
        pause(std::time::Duration::from_millis(50));
    }
    assert_eq!(office.timeline(), [("Demo".to_owned(), office.ada.clone())]);
    assert!(server.terminate().success(), "{}", office.installation.log());
}

/// Whoever is deleted in the CRM takes the own place at meetings along; what changes of the meeting is written all the same.
///
/// proves: C4, V1
#[test]
fn a_guest_who_is_deleted_does_not_hold_up_the_meeting() {
    let office = Office::new("calendars-gone-guest");
    let bob = json!({ "LastName": "Babbage", "Email": "bob@client.example" });
    let bob = office.sandbox.org.seed("Contact", bob.as_object().expect("a record")).expect("a contact");
    office.connect();
    office.run(&["calendars", "activate", "meetings", "--agreed-by", "Rosa"]);
    office.run(&["calendars", "run", "meetings"]);
    office.meet("Demo", 25, &[ADA, "bob@client.example"]);
    office.run(&["calendars", "run", "meetings"]);
    let places =
        || office.sandbox.records("EventRelation").into_iter().filter(|place| place["RelationId"] == json!(bob));
    assert_eq!(places().count(), 1);
    office.sandbox.org.delete(&bob).expect("a person may");
    assert_eq!(places().count(), 0, "the place goes with the contact");
    let events = office.google.snapshot().into_values().flatten();
    let id = events.map(|event| event["id"].as_str().expect("an id").to_owned()).next().expect("the meeting");
    office.google.edit(ROSA, &id, &json!({ "summary": "Demo, renamed" })).expect("she may");
    let started = Instant::now();
    while office.timeline() != [("Demo, renamed".to_owned(), office.ada.clone())] {
        assert!(started.elapsed() < PATIENCE, "{:?} {}", office.timeline(), office.run(&["activity"]));
        office.run(&["calendars", "run", "meetings"]);
    }
}
