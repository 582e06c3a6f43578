//! Templates: copied, edited, tried, put in force while the server runs, and taken back.

use std::{path::Path, process::Output};

use serde_json::json;

use crate::{
    lab::{Booking, Installation, PATIENCE, Sandbox, Server, pause},
    story::{clear_faults, fault},
};

const BINARY: &str = env!("CARGO_BIN_EXE_syncline");

fn run(installation: &Installation, arguments: &[&str]) -> Output {
    std::process::Command::new(BINARY)
        .arg("templates")
        .arg("--config")
        .arg(installation.folder.join("syncline.toml"))
        .args(arguments)
        .env("USER", "rosa")
        .output()
        .expect("it runs")
}

fn said(installation: &Installation, arguments: &[&str]) -> String {
    let out = run(installation, arguments);
    assert!(out.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8_lossy(&out.stdout).into_owned()
}

fn refused(installation: &Installation, arguments: &[&str]) -> String {
    let out = run(installation, arguments);
    assert!(!out.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&out.stdout));
    String::from_utf8_lossy(&out.stderr).into_owned()
}

fn file(installation: &Installation, name: &str, text: &[u8]) -> String {
    let path = installation.folder.join(name);
    std::fs::write(&path, text).expect("a file");
    path.to_str().expect("a path").to_owned()
}

/// Books until an event's subject begins as wanted, because a running server learns of a template within seconds.
fn book_until(server: &Server, installation: &Installation, sandbox: &Sandbox, from: usize, wanted: &str) {
    let started = std::time::Instant::now();
    for number in from.. {
        let mut booking = Booking::new(number, &format!("p{number}@one.example"), "Ada Lovelace");
        booking.created().post(&mut server.connect(), &server.hook).expect("an answer");
        server.settle(installation);
        let events = sandbox.records("Event");
        let subject = events.last().expect("an event")["Subject"].as_str().expect("a subject").to_owned();
        if subject.starts_with(wanted) {
            return;
        }
        assert!(started.elapsed() < PATIENCE, "the newest is still called {subject}");
        pause(std::time::Duration::from_millis(300));
    }
}

/// proves: B20, B28: copied from the built-in one, edited, refused where wrong, tried on a message without a trace, put
/// in force on a running server, named in the activity log, and rolled back.
#[test]
fn a_template_lives_its_life() {
    let sandbox = Sandbox::start();
    let installation = Installation::new("templates", &sandbox, "sqlite:syncline.db", "");
    let server = installation.start(Path::new(BINARY), &[]);
    assert!(said(&installation, &["list"]).contains("No templates yet"));
    assert!(said(&installation, &["show", "built-in", "--kind", "event"]).contains("# [[mapping]]"));
    assert!(said(&installation, &["copy", "built-in", "calls", "--kind", "event"]).contains("version 1"));
    assert!(refused(&installation, &["copy", "built-in", "calls", "--kind", "event"]).contains("already"));

    let misspelt = b"[[mapping]]\non = \"meeting\"\nfield = \"Subject\"\nvalue = \"Call: {{ booking.titel }}\"\n";
    let misspelt = file(&installation, "wrong.toml", misspelt);
    let why = refused(&installation, &["edit", "calls", "--kind", "event", "--file", &misspelt]);
    for part in ["line 4, column 19: ", "meeting.Subject", "titel", "{{ booking.title }}"] {
        assert!(why.contains(part), "line, reason and an example: {why}");
    }
    let right = b"[[mapping]]\non = \"meeting\"\nfield = \"Subject\"\nvalue = \"Call: {{ booking.title }}\"\n";
    let right = file(&installation, "right.toml", right);
    assert!(said(&installation, &["check", &right, "--kind", "event"]).contains("can be used"));
    assert!(said(&installation, &["edit", "calls", "--kind", "event", "--file", &right]).contains("version 2"));

    let message = file(&installation, "message.json", &Booking::new(900, "new@two.example", "New").created().body);
    let preview = said(&installation, &["preview", "calls", "--kind", "event", &message]);
    assert!(preview.contains("Call: Introduction with New") && preview.contains("nothing was written"), "{preview}");
    assert!(sandbox.records("Event").is_empty());
    book_until(&server, &installation, &sandbox, 0, "Introduction");

    said(&installation, &["activate", "calls", "--kind", "event"]);
    book_until(&server, &installation, &sandbox, 100, "Call: Introduction");
    let log = server.api("/api/v1/activity?limit=50").to_string();
    assert!(log.contains("event template calls, version 2"), "{log}");
    assert!(log.contains("rosa"), "who put it in force: {log}");
    assert!(said(&installation, &["list"]).contains("in force  event: calls, version 2"));

    assert!(said(&installation, &["rollback", "--kind", "event"]).contains("in force again"));
    book_until(&server, &installation, &sandbox, 200, "Introduction");
    let history = said(&installation, &["history"]);
    assert!(["saved", "activated", "rolled back"].iter().all(|deed| history.contains(deed)), "{history}");
}

/// What is saved or put in force is held against what the org says of its fields; those that do not fit are named with their
/// fix, and the template is taken all the same, because they drop only themselves.
///
/// proves: B13, B20
#[test]
fn a_template_is_held_against_the_org_when_it_is_saved() {
    let sandbox = Sandbox::start();
    let installation = Installation::new("templates-fit", &sandbox, "sqlite:syncline.db", "");
    let text = b"[[mapping]]\non = \"contact\"\nfield = \"Nowhere__c\"\nvalue = \"x\"\n\n\
                 [[mapping]]\non = \"contact\"\nfield = \"Title\"\nvalue = \"x\"\n";
    let text = file(&installation, "fields.toml", text);
    said(&installation, &["copy", "built-in", "fields", "--kind", "attendee"]);
    fault(&sandbox, &json!({"kind": "status", "status": 503}));
    let unasked = said(&installation, &["edit", "fields", "--kind", "attendee", "--file", &text]);
    assert!(unasked.contains("version 2") && unasked.contains("could not be asked"), "it is saved: {unasked}");
    clear_faults(&sandbox);
    for arguments in [
        &["edit", "fields", "--kind", "attendee", "--file", &text][..],
        &["activate", "fields", "--kind", "attendee", "--meeting-type", "intro"],
        &["check", &text, "--kind", "attendee"],
    ] {
        let said = said(&installation, arguments);
        assert!(said.contains("! contact.Nowhere__c (bookings"), "{arguments:?}: {said}");
        assert!(said.contains("does not fit and would be left out"), "{arguments:?}: {said}");
        assert!(!said.contains("contact.Title"), "{arguments:?}: {said}");
    }
}

/// proves: B20: one meeting type has its own, the others do not; the people of a booking have a template, too.
#[test]
fn a_template_is_for_one_meeting_type_or_for_all() {
    let sandbox = Sandbox::start();
    let installation = Installation::new("templates-type", &sandbox, "sqlite:syncline.db", "");
    let leads = file(&installation, "leads.toml", b"person = \"lead\"\n");
    said(&installation, &["copy", "built-in", "leads", "--kind", "attendee"]);
    said(&installation, &["edit", "leads", "--kind", "attendee", "--file", &leads]);
    said(&installation, &["activate", "leads", "--kind", "attendee", "--meeting-type", "another"]);
    let server = installation.start(Path::new(BINARY), &[]);
    let mut first = Booking::new(1, "a@one.example", "A One");
    first.created().post(&mut server.connect(), &server.hook).expect("an answer");
    server.settle(&installation);
    assert_eq!((sandbox.records("Contact").len(), sandbox.records("Lead").len()), (1, 0));
    said(&installation, &["activate", "leads", "--kind", "attendee", "--meeting-type", "intro"]);
    assert!(server.terminate().success());
    let server = installation.start(Path::new(BINARY), &[]);
    Booking::new(2, "b@two.example", "B Two").created().post(&mut server.connect(), &server.hook).expect("an answer");
    server.settle(&installation);
    assert_eq!((sandbox.records("Contact").len(), sandbox.records("Lead").len()), (1, 1));
    assert!(refused(&installation, &["rollback", "--kind", "event"]).contains("nothing to go back to"));
    assert!(refused(&installation, &["activate", "nobody", "--kind", "event"]).contains("syncline templates list"));
}
