//! What an operator asks before and after: a dry run, the doctor, a replay.

use std::{
    path::Path,
    process::Output,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    lab::{Booking, Hook, Installation, PATIENCE, Sandbox, pause},
    story::{clear_faults, fault},
};

const BINARY: &str = env!("CARGO_BIN_EXE_syncline");

/// Runs a command on an installation.
pub fn run(installation: &Installation, arguments: &[&str]) -> Output {
    let config = installation.folder.join("syncline.toml");
    std::process::Command::new(BINARY)
        .args(arguments)
        .args(["--config", config.to_str().expect("a path")])
        .output()
        .expect("it runs")
}

fn said(out: &Output) -> String {
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8_lossy(&out.stdout).into_owned()
}

fn file(installation: &Installation, hook: &Hook) -> String {
    let path = installation.folder.join("message.json");
    std::fs::write(&path, &hook.body).expect("a file");
    path.to_str().expect("a path").to_owned()
}

/// A dry run shows each record and field before anything is written, of a new booking and of a known one, and nothing
/// is taken in, written or counted as a booking.
///
/// proves: B28
#[test]
fn a_dry_run_shows_everything_and_does_nothing() {
    let sandbox = Sandbox::start();
    let installation = Installation::new("dry-run", &sandbox, "sqlite:syncline.db", "");
    said(&run(&installation, &["connect", "salesforce"]));
    let mut booking = Booking::new(1, "ada@one.example", "Ada Lovelace");
    let created = booking.created();
    let message = file(&installation, &created);

    let text = said(&run(&installation, &["dry-run", &message]));
    for expected in [
        "A new booking",
        "nobody matched: a contact is created",
        "create account",
        "create contact",
        "last_name: Lovelace",
        "create meeting",
        "who: (person)",
        "nothing was written",
    ] {
        assert!(text.contains(expected), "`{expected}` is missing in:\n{text}");
    }
    assert!(["Contact", "Account", "Event"].iter().all(|object| sandbox.records(object).is_empty()));
    assert!(said(&run(&installation, &["activity"])).contains("Nothing has happened yet"));

    let server = installation.start(Path::new(BINARY), &[]);
    created.post(&mut server.connect(), &server.hook).expect("an answer");
    server.settle(&installation);
    let before = sandbox.records("Event");
    let moved = file(&installation, &booking.moved());
    let line = said(&run(&installation, &["dry-run", &moved, "--json"]));
    let dry: Value = serde_json::from_str(&line).expect("a JSON line");
    assert!(dry["booking"].as_str().is_some_and(|id| id.starts_with("bk_")), "{dry}");
    let meeting = &dry["records"][0];
    assert_eq!((&meeting["action"], &meeting["id"]), (&json!("update"), &before[0]["Id"]), "{dry}");
    let start = &meeting["fields"]["start"];
    assert!(start["now"].is_string() && start["then"].is_string() && start["now"] != start["then"], "{dry}");
    assert_eq!(sandbox.records("Event"), before);
}

/// After an answer that was lost nobody knows what was written: a dry run looks for it, as the booking itself will, and does
/// not show as new what is there.
///
/// proves: B28, V2
#[test]
fn a_dry_run_looks_for_what_a_lost_answer_made() {
    let sandbox = Sandbox::start();
    let installation = Installation::new("dry-run-lost", &sandbox, "sqlite:syncline.db", "");
    let server = installation.start(Path::new(BINARY), &[]);
    fault(
        &sandbox,
        &json!({"kind": "applied_answer_lost", "method": "POST", "path": "/services/data", "object": "graph", "next": 1}),
    );
    let mut booking = Booking::new(1, "ada@one.example", "Ada Lovelace");
    booking.created().post(&mut server.connect(), &server.hook).expect("an answer");
    let until = Instant::now() + PATIENCE;
    while sandbox.records("Event").is_empty() {
        assert!(Instant::now() < until, "nothing was written");
        pause(Duration::from_millis(20));
    }
    let moved = file(&installation, &booking.moved());
    let text = said(&run(&installation, &["dry-run", &moved]));
    assert!(!text.contains("create"), "{text}");
    assert!(text.contains("update meeting"), "{text}");
}

/// What cannot be read is refused with words that help, and a failed look-up shows nothing as new.
///
/// proves: B28, B14
#[test]
fn a_dry_run_that_cannot_be_made_says_why() {
    let sandbox = Sandbox::start();
    let installation = Installation::new("dry-run-bad", &sandbox, "sqlite:syncline.db", "");
    said(&run(&installation, &["connect", "salesforce"]));
    let refused = |arguments: &[&str], words: &str| {
        let out = run(&installation, arguments);
        let text = String::from_utf8_lossy(&out.stderr).into_owned();
        assert!(!out.status.success() && text.contains(words), "{text}");
    };
    let broken = installation.folder.join("broken.json");
    std::fs::write(&broken, "{").expect("a file");
    refused(&["dry-run", broken.to_str().expect("a path")], "would not understand this message");
    refused(&["dry-run", "/nowhere/message.json"], "reading /nowhere/message.json");
    let message = file(&installation, &Booking::new(1, "ada@one.example", "Ada").created());
    refused(&["dry-run", &message, "--source", "other"], "there are: calcom");
    refused(&["dry-run", &message, "--header", "no header"], "is no header");
    fault(&sandbox, &json!({"kind": "status", "status": 503, "path": "/services/data"}));
    refused(&["dry-run", &message], "cannot answer just now");
    clear_faults(&sandbox);
}

/// The doctor names what an org lacks, with the fix, and fails where that blocks.
///
/// proves: O5
#[test]
fn the_doctor_names_what_the_org_lacks() {
    let bare = Sandbox::with(|org| org.custom_fields.retain(|field| field.object != "Event"));
    let installation = Installation::new("doctor", &bare, "sqlite:syncline.db", "");
    let out = run(&installation, &["doctor"]);
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(!out.status.success() && text.contains("✗ Event has no field Syncline_Uid__c"), "{text}");
    assert!(text.contains("External ID"), "each finding has its fix: {text}");
    let out = run(&installation, &["doctor", "salesforce", "--json"]);
    let lines = String::from_utf8_lossy(&out.stdout).into_owned();
    let findings: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert!(findings.iter().any(|finding| finding["blocking"] == true && finding["connection"] == "salesforce"));
    let lacks = findings.iter().filter(|line| line["problem"].is_string());
    assert!(
        lacks.clone().count() > 0
            && lacks.clone().all(|finding| finding["fix"].as_str().is_some_and(|fix| !fix.is_empty()))
    );
    let out = run(&installation, &["doctor", "nowhere"]);
    assert!(String::from_utf8_lossy(&out.stderr).contains("connections are: salesforce"));
}

/// What was laid aside is tried again by one command, one by one or all together.
///
/// proves: B24
#[test]
fn what_was_laid_aside_is_replayed() {
    let sandbox = Sandbox::start();
    let installation = Installation::new("replay", &sandbox, "sqlite:syncline.db", "");
    let server = installation.start(Path::new(BINARY), &[]);
    fault(&sandbox, &json!({"kind": "partial", "object": "Contact"}));
    for number in 0..3 {
        let mut booking = Booking::new(number, &format!("p{number}@c{number}.example"), "Some Body");
        booking.created().post(&mut server.connect(), &server.hook).expect("an answer");
    }
    server.settle(&installation);
    assert_eq!(server.api("/api/v1/status")["parked"], 3);
    assert!(sandbox.records("Event").is_empty());
    clear_faults(&sandbox);
    let parked = server.api("/api/v1/bookings");
    let one = parked["bookings"][0]["booking"].as_str().unwrap_or_else(|| panic!("{parked}")).to_owned();
    assert!(said(&run(&installation, &["replay", &one])).contains("1 to be tried again"));
    assert!(said(&run(&installation, &["replay", "--parked"])).contains("to be tried again"));
    let again: Value =
        serde_json::from_str(&said(&run(&installation, &["replay", "--parked", "--json"]))).expect("JSON");
    assert_eq!(again["unknown"], json!([]), "{again}");
    let unknown = run(&installation, &["replay", "bk_unknown"]);
    assert!(!unknown.status.success() && String::from_utf8_lossy(&unknown.stderr).contains("no booking bk_unknown"));
    server.settle(&installation);
    assert_eq!(sandbox.records("Event").len(), 3);
}

/// A message that this version can read and the one before could not: one command, or one call, has it read again, and it
/// becomes its booking; what still cannot be read says so again, with its reason and what to do.
///
/// proves: B24, O4
#[test]
fn what_could_not_be_read_is_read_again() {
    let sandbox = Sandbox::start();
    let installation = Installation::new("read-again", &sandbox, "sqlite:syncline.db", "");
    let server = installation.start(Path::new(BINARY), &["--workers", "0"]);
    for number in 0..2 {
        let mut booking = Booking::new(number, &format!("p{number}@c{number}.example"), "Some Body");
        booking.created().post(&mut server.connect(), &server.hook).expect("an answer");
    }
    Hook::new(&json!({"triggerEvent": "BOOKING_CREATED", "createdAt": "2026-05-05T10:00:00Z", "payload": {"uid": ""}}))
        .post(&mut server.connect(), &server.hook)
        .expect("an answer");
    assert_eq!(server.api("/api/v1/status")["messages_parked"], 1);
    assert!(server.terminate().success());
    // As a version that understood less would have left them.
    let database = rusqlite::Connection::open(installation.folder.join("syncline.db")).expect("the database");
    let kept = "update inbox set state = 2, messages = null, reason = 'too new' where state = 0";
    assert_eq!(database.execute(kept, []).expect("the inbox"), 2);
    database.execute("delete from inbox_new", []).expect("the inbox");
    drop(database);

    let server = installation.start(Path::new(BINARY), &[]);
    let messages = server.api("/api/v1/messages");
    let ids: Vec<i64> = messages["messages"]
        .as_array()
        .expect("messages")
        .iter()
        .map(|row| row["id"].as_i64().expect("its number"))
        .collect();
    let [broken, second, first] = ids[..] else { panic!("{messages}") };
    let again = server.ask("POST", &format!("/api/v1/messages/{first}/replay"), b"");
    assert_eq!(again, json!({"status": "read", "reason": null}));
    server.settle(&installation);
    assert_eq!(sandbox.records("Event").len(), 1);

    let told = said(&run(&installation, &["replay", &second.to_string()]));
    assert!(told.contains(&format!("Message {second}: read")), "{told}");
    let rest: Value =
        serde_json::from_str(&said(&run(&installation, &["replay", "--parked", "--json"]))).expect("JSON");
    let rest = &rest["messages"];
    assert_eq!(
        (&rest[0]["message"], &rest[0]["status"], rest[1].is_null()),
        (&json!(broken), &json!("parked"), true),
        "{rest}"
    );
    let log = server.api("/api/v1/activity?kind=message").to_string();
    let reason = rest[0]["reason"].as_str().expect("a reason");
    assert!(
        log.contains(&format!("A message was kept for a person: {reason}; "))
            && log.contains(&format!("syncline replay {broken}")),
        "{log}"
    );
    let unknown = run(&installation, &["replay", &first.to_string()]);
    assert!(!unknown.status.success(), "it was read");
    server.settle(&installation);
    assert_eq!(sandbox.records("Event").len(), 2);
}
