//! A person's data and programs' tokens, as an operator handles them.

use std::{
    path::Path,
    process::{Command, Output},
};

use serde_json::Value;

use crate::lab::{Booking, Installation, Sandbox, Server};

const BINARY: &str = env!("CARGO_BIN_EXE_syncline");

const ADA: &str = "ada@analytical.example";

fn run(installation: &Installation, arguments: &[&str]) -> Output {
    let config = installation.folder.join("syncline.toml");
    Command::new(BINARY).args(arguments).arg("--config").arg(config).output().expect("it runs")
}

fn said(out: &Output) -> String {
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8_lossy(&out.stdout).into_owned()
}

fn post(server: &Server, installation: &Installation, hook: &crate::lab::Hook) {
    let (status, body) = hook.post(&mut server.connect(), &server.hook).expect("an answer");
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
    server.settle(installation);
}

fn exported(installation: &Installation) -> Value {
    serde_json::from_str(&said(&run(installation, &["person", "export", "Ada@Analytical.example"]))).expect("JSON")
}

fn is_empty(dossier: &Value) -> bool {
    dossier.as_object().expect("an object").values().all(|list| list == &serde_json::json!([]))
}

/// Whether the database's files hold this anywhere.
fn on_disk(installation: &Installation, text: &str) -> bool {
    ["syncline.db", "syncline.db-wal"].iter().any(|name| {
        let bytes = std::fs::read(installation.folder.join(name)).unwrap_or_default().to_ascii_lowercase();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    })
}

/// proves: O8, sec:G1, sec:G4, sec:G7
#[test]
fn a_person_is_shown_and_erased_on_request() {
    let sandbox = Sandbox::start();
    let installation = Installation::new("privacy", &sandbox, "sqlite:syncline.db", "");
    let server = installation.start(Path::new(BINARY), &[]);
    let mut ada = Booking::new(1, ADA, "Ada Lovelace");
    let mut bob = Booking::new(2, "bob@other.example", "Bob Other").with_company(&[ADA.to_owned()], &[]);
    post(&server, &installation, &ada.created());
    post(&server, &installation, &bob.created());

    let dossier = exported(&installation);
    let own: Vec<&Value> =
        dossier["bookings"].as_array().expect("a list").iter().map(|one| &one["booked_by_the_person"]).collect();
    assert_eq!(own, [&Value::Bool(true), &Value::Bool(false)]);
    assert!(dossier["messages"][0]["body"].as_str().expect("as it came").contains("Ada Lovelace"));
    assert_eq!(dossier["known_as"][0]["key"], format!("contact:{ADA}"));
    assert!(on_disk(&installation, "lovelace"), "this look would find it");

    let asked = run(&installation, &["person", "erase", ADA]);
    assert!(!asked.status.success());
    assert!(String::from_utf8_lossy(&asked.stdout).contains("This would erase 1 bookings, the person in 1 bookings"));
    assert_eq!(exported(&installation), dossier, "nothing happened yet");

    assert!(server.terminate().success());
    let text = said(&run(&installation, &["person", "erase", ADA, "--yes"]));
    assert!(text.starts_with("Erased: 1 bookings, the person in 1 bookings of others"), "{text}");
    let contact = sandbox.records("Contact").into_iter().find(|contact| contact["Email"] == ADA).expect("in the CRM");
    assert!(text.contains(contact["Id"].as_str().expect("an id")), "who else is to be told: {text}");
    assert!(is_empty(&exported(&installation)));
    for trace in [ADA, "lovelace"] {
        assert!(!on_disk(&installation, trace), "{trace} is still in the file");
    }

    // The scheduling tool has more to say of it, and nobody listens.
    let server = installation.start(Path::new(BINARY), &[]);
    post(&server, &installation, &ada.moved());
    post(&server, &installation, &bob.cancelled());
    assert!(
        is_empty(&exported(&installation))
            || exported(&installation)["bookings"].as_array().is_some_and(|all| {
                // A later message about somebody else's meeting may name her as a guest again.
                all.iter().all(|one| one["booked_by_the_person"] == false)
            })
    );
    assert_eq!(server.api("/api/v1/bookings")["bookings"].as_array().map(Vec::len), Some(1));
    let told = server.api("/api/v1/activity?kind=operator");
    assert_eq!(told["activity"][0]["text"], "A person was erased");
    drop(server);
}

/// proves: sec:S49
#[test]
fn a_token_is_shown_once_and_taken_back_at_once() {
    let sandbox = Sandbox::start();
    let installation = Installation::new("tokens", &sandbox, "sqlite:syncline.db", "");
    let server = installation.start(Path::new(BINARY), &[]);
    let made: Value =
        serde_json::from_str(&said(&run(&installation, &["tokens", "create", "reporting", "--json"]))).expect("JSON");
    let (token, id) = (made["token"].as_str().expect("a token"), made["id"].as_str().expect("an id"));
    assert!(token.starts_with("syt_") && token.len() == 47, "256 random bits behind the prefix");
    let list = said(&run(&installation, &["tokens", "list"]));
    assert!(list.contains(id) && list.contains("reporting: may read") && !list.contains(token), "{list}");
    assert!(!on_disk(&installation, &token.to_ascii_lowercase()), "only its hash is kept");

    let bearer = format!("Bearer {token}");
    let ask = |method: &str, path: &str| {
        server.connect().request(method, path, &[("authorization", &bearer)], b"").expect("an answer").0
    };
    assert_eq!(ask("GET", "/api/v1/status"), 200);
    assert_eq!(ask("POST", "/api/v1/connections/salesforce/disconnect"), 403);
    said(&run(&installation, &["tokens", "revoke", id]));
    assert_eq!(ask("GET", "/api/v1/status"), 401);
    assert!(!run(&installation, &["tokens", "revoke", id]).status.success(), "there is none any more");
    for wrong in [["tokens", "create", " "].as_slice(), &["tokens", "create", "x", "--days", "0"]] {
        assert!(!run(&installation, wrong).status.success(), "{wrong:?}");
    }
    let told = server.api("/api/v1/activity?kind=operator");
    let texts: Vec<&str> =
        told["activity"].as_array().expect("a list").iter().filter_map(|line| line["text"].as_str()).collect();
    assert!(texts.iter().any(|text| text.starts_with("A token for the API was made for reporting, to read, until ")));
    assert!(texts.contains(&"The API token of reporting was taken back"));
}
