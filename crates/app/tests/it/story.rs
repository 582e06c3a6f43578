//! Scenarios that read like a story: what an operator would see with one server and one org.

use std::{path::Path, slice::from_ref};

use serde_json::json;

use crate::{
    crms::{Hub, Told},
    lab::{Booking, Connection, Installation, Sandbox, Server},
};

const BINARY: &str = env!("CARGO_BIN_EXE_syncline");

fn started(name: &str, more: &str) -> (Sandbox, Installation, Server) {
    started_with(name, more)
}

/// One server and one CRM.
pub fn started_with<C: Told>(name: &str, more: &str) -> (C, Installation, Server) {
    let sandbox = C::start();
    let installation = Installation::new(name, &sandbox, "sqlite:syncline.db", more);
    let server = installation.start(Path::new(BINARY), &[]);
    (sandbox, installation, server)
}

pub fn post(server: &Server, hooks: &[crate::lab::Hook]) {
    let mut connection = server.connect();
    for hook in hooks {
        let (status, body) = hook.post(&mut connection, &server.hook).expect("an answer");
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
    }
}

/// Calls of the composite kinds that the sandbox has counted.
fn vendor_calls(sandbox: &Sandbox) -> u64 {
    sandbox.org.calls().by_endpoint.iter().filter(|(path, _)| path.contains("composite")).map(|(_, count)| count).sum()
}

/// One person books, moves the meeting five times, cancels, and books again.
///
/// proves: B1, B2, B7, B11, B21, B22, P1
#[test]
fn a_booking_lives_its_life_in_the_crm() {
    let (sandbox, installation, server) = started(
        "life",
        "[integrations.defaults]\ncancel = { show_as_free = true }\nstatus = { field = \"Meeting_Status__c\", cancelled = \"Termin storniert\" }\n",
    );
    let mut booking = Booking::new(1, "Ada@Analytical.example", "Ada Lovelace");

    let before = vendor_calls(&sandbox);
    post(&server, &[booking.created()]);
    server.settle(&installation);
    assert_eq!(vendor_calls(&sandbox) - before, 2, "a new person takes one look and one write");
    let (contacts, accounts) = (sandbox.records("Contact"), sandbox.records("Account"));
    assert_eq!((contacts.len(), accounts.len()), (1, 1));
    assert_eq!(contacts[0]["Email"], "ada@analytical.example");
    assert_eq!(contacts[0]["AccountId"], accounts[0]["Id"]);
    assert_eq!(accounts[0]["Name"], "analytical.example");
    let event = sandbox.records("Event").remove(0);
    assert_eq!(event["WhoId"], contacts[0]["Id"]);
    let rosa = sandbox.records("User").into_iter().find(|user| user["Email"] == "rosa@host.example").expect("the host");
    assert_eq!(event["OwnerId"], rosa["Id"], "the host owns the meeting");

    for _ in 0..5 {
        post(&server, &[booking.moved()]);
        server.settle(&installation);
    }
    let events = sandbox.records("Event");
    assert_eq!(events.len(), 1, "five reschedules leave one event");
    assert_ne!(events[0]["StartDateTime"], event["StartDateTime"]);
    assert_eq!(events[0]["Description"].as_str().expect("text").matches("Rescheduled: ").count(), 5);

    let cancelled = booking.cancelled();
    post(&server, &[cancelled.clone(), cancelled]);
    server.settle(&installation);
    let event = sandbox.records("Event").remove(0);
    assert_eq!(event["Subject"], "[CANCELLED] Introduction with Ada Lovelace");
    assert_eq!(event["ShowAs"], "Free");
    assert_eq!(event["Meeting_Status__c"], "Termin storniert");
    assert!(event["Description"].as_str().expect("text").contains("no time"));

    let before = vendor_calls(&sandbox);
    post(&server, &[Booking::new(2, "ada@analytical.example", "Ada Lovelace").created()]);
    server.settle(&installation);
    assert_eq!(vendor_calls(&sandbox) - before, 1, "a person who is linked takes one call");
    assert_eq!((sandbox.records("Contact").len(), sandbox.records("Event").len()), (1, 2));

    let bookings = server.api("/api/v1/bookings");
    assert_eq!(bookings["bookings"].as_array().map(Vec::len), Some(2), "{bookings}");
    assert!(server.terminate().success(), "SIGTERM ends it cleanly");
    assert!(!installation.log().contains("analytical.example"), "nobody's address is in the log");
}

/// In any CRM: somebody new costs few calls and becomes a contact with a company and a meeting that the host owns; five
/// moves leave one meeting; whoever is linked costs one call; a cancelled meeting says so.
///
/// proves: B2, B6, B11, B21, B22, P1
#[test]
fn a_booking_lives_its_life_in_any_crm() {
    lives_its_life::<Sandbox>("any-life");
    lives_its_life::<Hub>("any-life-hub");
}

fn lives_its_life<C: Told>(name: &str) {
    let (crm, installation, server) = started_with::<C>(name, "");
    let say = |hook| {
        let before = crm.calls();
        post(&server, &[hook]);
        server.settle(&installation);
        crm.calls() - before
    };
    let log = || server.api("/api/v1/activity?limit=50").to_string();
    let mut booking = Booking::new(1, "Ada@Analytical.example", "Ada Lovelace");
    assert_eq!(say(booking.created()), C::CALLS_NEW, "somebody new: {}", log());
    let (people, companies, meetings) = (crm.people(), crm.companies(), crm.meetings());
    assert_eq!((people.len(), companies.len(), meetings.len()), (1, 1, 1), "{}", log());
    assert_eq!(people[0].email, "ada@analytical.example");
    assert_eq!(people[0].company.as_ref(), Some(&companies[0]));
    assert_eq!(meetings[0].with, from_ref(&people[0].id));
    assert_eq!(meetings[0].owner, crm.rosa(), "the host owns the meeting");
    for _ in 0..5 {
        assert_eq!(say(booking.moved()), C::CALLS_MOVED, "a move: {}", log());
    }
    let moved = crm.meetings();
    assert_eq!(moved.len(), 1, "five reschedules leave one meeting");
    assert_eq!(moved[0].id, meetings[0].id);
    assert_eq!(moved[0].start.duration_since(meetings[0].start), jiff::SignedDuration::from_hours(5));
    assert_eq!(moved[0].description.matches("Rescheduled: ").count(), 5, "{}", moved[0].description);
    let cancelled = booking.cancelled();
    say(cancelled.clone());
    assert_eq!(crm.meetings()[0].subject, "[CANCELLED] Introduction with Ada Lovelace");
    assert!(crm.meetings()[0].description.contains("no time"));
    assert_eq!(say(cancelled), 0, "said twice, it is no news");
    assert_eq!(say(Booking::new(2, "ada@analytical.example", "Ada Lovelace").created()), C::CALLS_LINKED);
    assert_eq!((crm.people().len(), crm.companies().len(), crm.meetings().len()), (1, 1, 2));
    assert_eq!(say(Booking::new(3, "grace@navy.example", "Grace Hopper").created()), C::CALLS_NEXT, "{}", log());
    assert!(!installation.log().contains("analytical.example"), "nobody's address is in the log");
}

/// Ten messages at once for ten people make ten contacts, and ten for one person make one; all of one company share an
/// account.
///
/// proves: B6, V3
#[test]
fn people_who_book_at_once_become_one_contact_each() {
    book_at_once::<Sandbox>("at-once");
    book_at_once::<Hub>("at-once-hub");
}

fn book_at_once<C: Told>(name: &str) {
    let (crm, installation, server) = started_with::<C>(name, "");
    let at_once = |bookings: Vec<Booking>| {
        std::thread::scope(|scope| {
            for mut booking in bookings {
                let server = &server;
                scope.spawn(move || post(server, &[booking.created()]));
            }
        });
        server.settle(&installation);
    };
    at_once((0..10).map(|n| Booking::new(n, &format!("person{n}@many.example"), "Some Body")).collect());
    assert_eq!(crm.people().len(), 10);
    assert_eq!(crm.companies().len(), 1, "one company, one account");
    at_once((10..20).map(|n| Booking::new(n, "One@single.example", "One Person")).collect());
    assert_eq!(crm.people().len(), 11);
    assert_eq!(crm.companies().len(), 2);
    let meetings = crm.meetings();
    assert_eq!(meetings.len(), 20);
    assert!(meetings.iter().all(|meeting| meeting.with.len() == 1), "every meeting has its person");
}

/// Whatever order the messages of a booking come in, the end is the same.
///
/// proves: B3, B4
#[test]
fn any_order_ends_the_same() {
    ends_the_same::<Sandbox>("any-order");
    ends_the_same::<Hub>("any-order-hub");
}

fn ends_the_same<C: Told>(name: &str) {
    let (crm, installation, server) = started_with::<C>(name, "");
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    for (number, order) in orders.iter().enumerate() {
        let mut booking = Booking::new(number, &format!("p{number}@c{number}.example"), "Some Body");
        let hooks = [booking.created(), booking.moved(), booking.cancelled()];
        for at in order {
            post(&server, &[hooks[*at].clone()]);
            server.settle(&installation);
        }
    }
    let meetings = crm.meetings();
    assert_eq!((crm.people().len(), meetings.len()), (6, 6));
    for meeting in &meetings {
        assert_eq!(meeting.subject, "[CANCELLED] Introduction with Some Body");
        assert_eq!(meeting.description.matches("Rescheduled: ").count(), 1, "{meeting:?}");
    }
    let minutes = |meeting: &crate::crms::Met| (meeting.start.as_second() - 1_893_456_000) / 60;
    let mut starts: Vec<i64> = meetings.iter().map(minutes).collect();
    starts.sort_unstable();
    assert_eq!(starts, [60, 160, 260, 360, 460, 560], "each at its last time");
}

/// A message whose signature is wrong, missing or of another body leaves nothing behind; one that cannot be read is kept.
///
/// proves: B1, sec:S21
#[test]
fn what_is_not_signed_is_not_let_in() {
    let (sandbox, installation, server) = started("signatures", "");
    let mut connection = server.connect();
    let hook = Booking::new(1, "eve@evil.example", "Eve").created();
    let mut tampered = hook.clone();
    tampered.body.push(b' ');
    assert_eq!(tampered.post(&mut connection, &server.hook).expect("an answer").0, 401);
    let unsigned = connection
        .request("POST", &server.hook, &[("content-type", "application/json")], &hook.body)
        .expect("an answer");
    assert_eq!(unsigned.0, 401);
    let problem: serde_json::Value = serde_json::from_slice(&unsigned.1).expect("a problem document");
    assert_eq!(problem["status"], 401);
    assert_eq!(hook.post(&mut connection, "/hooks/calcom/00000000000000000000000000000000").expect("an answer").0, 404);
    server.settle(&installation);
    assert!(sandbox.records("Contact").is_empty() && sandbox.records("Event").is_empty());
    assert_eq!(server.api("/api/v1/bookings")["bookings"], json!([]));
}

/// While the CRM is down, bookings are taken all the same; once it is back, every one is there, once.
///
/// proves: B14, B24, V2, V4
#[test]
fn an_outage_loses_and_doubles_nothing() {
    outlives_an_outage::<Sandbox>("outage");
    outlives_an_outage::<Hub>("outage-hub");
}

fn outlives_an_outage<C: Told>(name: &str) {
    let (crm, installation, server) = started_with::<C>(name, "");
    crm.goes_down();
    let mut bookings: Vec<Booking> =
        (0..30).map(|n| Booking::new(n, &format!("p{n}@c{}.example", n % 7), "Some Body")).collect();
    let hooks: Vec<_> = bookings.iter_mut().map(Booking::created).collect();
    post(&server, &hooks);
    let waiting = server.api("/api/v1/status");
    assert_eq!(waiting["parked"], 0, "{waiting}");
    assert!(crm.people().is_empty(), "a failed look-up creates nobody");
    crm.comes_back();
    server.settle(&installation);
    assert_eq!((crm.people().len(), crm.companies().len(), crm.meetings().len()), (30, 7, 30));
}

/// Answers that are lost after the CRM applied the call: the records are looked up, adopted, and not made again. Only
/// the first writes are lost, so that no booking meets the fault so often that its pauses add up to minutes.
///
/// proves: V2, fault:N3
#[test]
fn a_lost_answer_doubles_nothing() {
    outlives_lost_answers::<Sandbox>("lost-answer");
    outlives_lost_answers::<Hub>("lost-answer-hub");
}

fn outlives_lost_answers<C: Told>(name: &str) {
    let (crm, installation, server) = started_with::<C>(name, "");
    crm.loses_answers(3);
    let mut bookings: Vec<Booking> =
        (0..12).map(|n| Booking::new(n, &format!("p{n}@c{n}.example"), "Some Body")).collect();
    let hooks: Vec<_> = bookings.iter_mut().map(Booking::created).collect();
    post(&server, &hooks);
    server.settle(&installation);
    crm.comes_back();
    assert_eq!((crm.people().len(), crm.companies().len(), crm.meetings().len()), (12, 12, 12));
    let people: Vec<String> = crm.people().into_iter().map(|person| person.id).collect();
    for meeting in crm.meetings() {
        assert!(meeting.with.len() == 1 && people.contains(&meeting.with[0]), "{meeting:?}");
    }
}

/// An expired token is renewed once, and the work goes on.
///
/// proves: sec:S15
#[test]
fn an_expired_token_is_renewed() {
    let (sandbox, installation, server) = started("token", "");
    post(&server, &[Booking::new(1, "a@one.example", "A One").created()]);
    server.settle(&installation);
    sandbox.org.expire_sessions();
    post(&server, &[Booking::new(2, "b@two.example", "B Two").created()]);
    server.settle(&installation);
    assert_eq!(sandbox.records("Contact").len(), 2);
    let calls = sandbox.org.calls().by_endpoint;
    let tokens: u64 = calls.iter().filter(|(path, _)| path.contains("oauth2/token")).map(|(_, count)| count).sum();
    assert_eq!(tokens, 2, "one token at the start, one after the expiry: {calls:?}");
}

/// A second process on the same embedded database is refused; a stopped one that starts again finds everything.
///
/// proves: O2, V1
#[test]
fn an_embedded_database_has_one_server_and_keeps_everything() {
    let (sandbox, installation, server) = started("one-server", "");
    let mut booking = Booking::new(1, "ada@one.example", "Ada");
    post(&server, &[booking.created()]);
    server.settle(&installation);
    let second = std::process::Command::new(BINARY)
        .args(["serve", "--listen", "127.0.0.1:0", "--config"])
        .arg(installation.folder.join("syncline.toml"))
        .output()
        .expect("it runs");
    assert!(!second.status.success());
    assert!(String::from_utf8_lossy(&second.stderr).contains("another syncline already works on this database"));
    assert!(server.terminate().success());
    let server = installation.start(Path::new(BINARY), &[]);
    post(&server, &[booking.moved()]);
    server.settle(&installation);
    assert_eq!(sandbox.records("Event").len(), 1, "the meeting is known again");
}

/// The terminal shows what happened; `--json` shows it to programs.
///
/// proves: O4
#[test]
fn the_command_line_tells_what_happened() {
    let (_sandbox, installation, server) = started("cli", "");
    post(&server, &[Booking::new(1, "ada@one.example", "Ada Lovelace").created()]);
    server.settle(&installation);
    let run = |more: &[&str]| {
        let out = std::process::Command::new(BINARY)
            .arg("activity")
            .arg("--config")
            .arg(installation.folder.join("syncline.toml"))
            .args(more)
            .output()
            .expect("it runs");
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8_lossy(&out.stdout).into_owned()
    };
    let text = run(&[]);
    assert!(
        text.contains("account created, contact created, meeting created") && text.contains("nobody matched"),
        "{text}"
    );
    let line: serde_json::Value = serde_json::from_str(run(&["--json"]).lines().next().expect("a line")).expect("JSON");
    assert_eq!(line["kind"], "written");
    assert_eq!(line["details"]["calls"], 2.0);
}

/// A database that is older than the CRM finds what was made before. An opportunity takes its contact only when it is made,
/// so that the booking was refused, and again whenever it was done again (seed 14957 of the simulation).
///
/// proves: V2
#[test]
fn an_older_database_finds_what_was_made_before() {
    let settings = "[integrations.defaults]\nopportunity = { stage = \"Prospecting\" }\n";
    let (sandbox, installation, server) = started("restored", settings);
    let mut booking = Booking::new(1, "ada@analytical.example", "Ada Lovelace");
    let created = booking.created();
    post(&server, from_ref(&created));
    server.settle(&installation);
    let opportunity = sandbox.records("Opportunity").remove(0);
    assert!(opportunity["ContactId"].is_string());
    assert!(server.terminate().success());
    for file in std::fs::read_dir(&installation.folder).expect("a folder") {
        let path = file.expect("a file").path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("syncline.db")) {
            std::fs::remove_file(path).expect("a file");
        }
    }

    let server = installation.start(Path::new(BINARY), &[]);
    post(&server, &[created, booking.moved()]);
    server.settle(&installation);
    assert_eq!(server.api("/api/v1/status")["parked"], 0, "{}", installation.log());
    let (events, opportunities) = (sandbox.records("Event"), sandbox.records("Opportunity"));
    assert_eq!((events.len(), opportunities.len()), (1, 1));
    assert_eq!(opportunities[0]["Id"], opportunity["Id"]);
    assert!(events[0]["Description"].as_str().expect("text").contains("Rescheduled"));
}

/// Has the sandbox fail, over its own HTTP interface.
pub fn fault(sandbox: &Sandbox, rule: &serde_json::Value) {
    let mut connection = sandbox_connection(sandbox);
    let (status, body) = connection
        .request("POST", "/_sandbox/faults", &[("content-type", "application/json")], rule.to_string().as_bytes())
        .expect("an answer");
    assert!(status < 300, "{}", String::from_utf8_lossy(&body));
}

pub fn clear_faults(sandbox: &Sandbox) {
    let (status, _) = sandbox_connection(sandbox).request("DELETE", "/_sandbox/faults", &[], b"").expect("an answer");
    assert!(status < 300);
}

fn sandbox_connection(sandbox: &Sandbox) -> Connection {
    Connection::open(sandbox.url.trim_start_matches("http://").parse().expect("an address"))
}
