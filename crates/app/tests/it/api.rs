//! The API's page of examples, typed as it stands there: a real server, a sandbox CRM and a sandbox newsletter tool.

use std::{process::Command, sync::Arc};

use serde_json::{Value, json};
use syncline_sandbox::{BrevoAccount, BrevoConfig, brevo::BrevoRates, serve};
use tokio_util::sync::CancellationToken;

use crate::lab::{ADMIN_TOKEN, Installation, Sandbox, Server, WallClock, secret};

const BINARY: &str = env!("CARGO_BIN_EXE_syncline");

/// The page, as people read it.
pub const PAGE: &str = include_str!("../../../../docs/api.md");

/// A sandbox newsletter tool on a port of its own.
pub struct Newsletter {
    pub account: Arc<BrevoAccount>,
    pub url: String,
    stop: CancellationToken,
    _runtime: tokio::runtime::Runtime,
}

impl Newsletter {
    pub fn start() -> Self {
        let config = BrevoConfig { rates: BrevoRates::NONE, ..BrevoConfig::default() };
        let account = BrevoAccount::new(config, Arc::new(WallClock));
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let stop = CancellationToken::new();
        runtime.spawn(serve(listener, Arc::clone(&account), stop.clone()));
        Self { account, url, stop, _runtime: runtime }
    }
}

impl Drop for Newsletter {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// The connection of the newsletter tool.
pub fn newsletter(tool: &Newsletter) -> String {
    format!(
        r#"
        [[connections]]
        name = "newsletter"
        vendor = "brevo"
        grant = "key"
        api_key = "file:brevo.key"
        url = "{url}/v3"
        settings = {{ import_list = "2" }}
        "#,
        url = tool.url
    )
}

/// An integration of contacts in the words of the file.
pub const PEOPLE: &str = r#"
    [[records]]
    name = "people"
    left = "salesforce"
    right = "newsletter"
    [[records.pairs]]
    name = "contacts"
    left = "Contact"
    right = "contact"
    create_right = true
    [[records.pairs.fields]]
    left = "Email"
    right = "EMAIL"
    [[records.pairs.fields]]
    left = "LastName"
    right = "LASTNAME"
    prefer = "manual"
    "#;

/// An installation with both accounts; `more` is put behind the connections.
pub fn installed(name: &str, sandbox: &Sandbox, tool: &Newsletter, more: &str) -> Installation {
    let installation = Installation::new(name, sandbox, "sqlite:syncline.db", &format!("{}{more}", newsletter(tool)));
    installation.open_network(&tool.url);
    let key = tool.account.credentials(&tool.url)["api_key"].as_str().expect("a key").to_owned();
    secret(&installation.folder, "brevo.key", &key);
    installation
}

fn object(value: Value) -> serde_json::Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => unreachable!("it was written as an object"),
    }
}

fn bearer() -> String {
    format!("Bearer {ADMIN_TOKEN}")
}

/// What the API answers to a body.
pub fn asked(server: &Server, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let body = body.to_string();
    let answer = server.connect().request(method, path, &[("authorization", &bearer())], body.as_bytes());
    let (status, body) = answer.expect("an answer");
    (status, if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).expect("JSON") })
}

/// An integration that is written through the API is taken up by a server that runs already, survives `kill -9`, is listed
/// beside those of the file, is refused where it cannot work, and is changed only after it was paused.
///
/// proves: R1, R2, O4, V1
#[test]
fn an_integration_is_written_through_the_api_and_kept_in_step_without_a_restart() {
    let (sandbox, tool) = (Sandbox::start(), Newsletter::start());
    let lead = json!({ "LastName": "King", "Company": "Analytical Engines", "Email": "ada@example.org" });
    sandbox.org.seed("Lead", &object(lead)).expect("a lead");
    let installation = installed("setups", &sandbox, &tool, PEOPLE);
    let server = installation.start(BINARY.as_ref(), &[]);
    let path = "/api/v1/records/leads";
    let field = |left: &str, right: &str| json!({ "left": left, "right": right });
    let fields = json!([field("Email", "EMAIL"), field("LastName", "LASTNAME")]);
    let leads = |fields: &Value, right: &str| {
        json!({ "left": "salesforce", "right": right,
            "pairs": [{ "name": "leads", "left": "Lead", "right": "contact", "create_right": true, "fields": fields }] })
    };
    for (bad, word) in [
        (leads(&fields, "nowhere"), "no such [[connections]] entry"),
        (leads(&json!([field("Email", "EMAIL"), field("Nickname", "LASTNAME")]), "newsletter"), "Nickname"),
        (leads(&json!([]), "newsletter"), "it needs 1 to"),
        (json!({ "left": "salesforce" }), "missing field"),
        (json!({ "left": "salesforce", "rigth": "newsletter" }), "rigth"),
    ] {
        let (status, told) = asked(&server, "PUT", path, &bad);
        assert_eq!((status, &told["code"]), (422, &json!("unusable-integration")), "{bad}: {told}");
        assert!(told["detail"].as_str().is_some_and(|detail| detail.contains(word)), "{word}: {told}");
    }
    let (status, told) = asked(&server, "PUT", "/api/v1/records/people", &leads(&fields, "newsletter"));
    assert_eq!((status, &told["code"]), (409, &json!("configured-in-file")));
    let (status, written) = asked(&server, "PUT", path, &leads(&fields, "newsletter"));
    assert_eq!((status, &written["checked"]), (200, &json!(true)), "{written}");
    let names: Vec<Value> = server.api("/api/v1/records")["integrations"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| one["name"].clone())
        .collect();
    assert_eq!(names, [json!("people"), json!("leads")]);
    server.kill();
    let server = installation.start(BINARY.as_ref(), &[]);
    assert_eq!(server.api(path)["standing"], json!("draft"));
    let (status, _) =
        asked(&server, "POST", &format!("{path}/activate"), &json!({ "agreed_by": "Ada", "agreement": "0" }));
    assert_eq!(status, 409, "another text");
    let (status, _) =
        asked(&server, "POST", &format!("{path}/activate"), &json!({ "agreed_by": "Ada", "agreement": "1" }));
    assert_eq!((status, &server.api(path)["agreed"]["agreement"]), (204, &json!("1")));
    let started = std::time::Instant::now();
    while tool.account.contact_with_email("ada@example.org").is_none() {
        assert!(started.elapsed() < crate::lab::PATIENCE, "the loop does not take it up: {}", installation.log());
        crate::lab::pause(std::time::Duration::from_millis(50));
    }
    let (status, told) = asked(&server, "PUT", path, &leads(&fields, "newsletter"));
    assert_eq!((status, &told["code"]), (409, &json!("not-paused")));
    assert_eq!(asked(&server, "POST", &format!("{path}/pause"), &json!({})).0, 204);
    let old = written["version"].as_i64().expect("a version");
    let more = json!([field("Email", "EMAIL"), field("LastName", "LASTNAME"), field("FirstName", "FIRSTNAME")]);
    assert_eq!(asked(&server, "PUT", &format!("{path}?version={old}"), &leads(&more, "newsletter")).0, 200);
    let (status, told) = asked(&server, "PUT", &format!("{path}?version={old}"), &leads(&fields, "newsletter"));
    assert_eq!((status, &told["code"]), (409, &json!("outdated")), "{told}");
    assert_eq!(server.api(&format!("{path}/setup"))["integration"]["pairs"][0]["fields"], more);
    assert_eq!(asked(&server, "DELETE", path, &json!({})).0, 204);
    let names = server.api("/api/v1/records")["integrations"].as_array().expect("a list").len();
    assert_eq!((names, tool.account.contacts_snapshot().len()), (1, 1), "what was carried over stays");
}

/// An automation's webhook asks for a record by an integration that was written through the API: `syncline sources` prints
/// its address, which is good as soon as the pair makes records on request, and no longer.
///
/// proves: R9, O4
#[test]
fn a_webhook_asks_by_an_integration_that_was_written_through_the_api() {
    let (sandbox, tool) = (Sandbox::start(), Newsletter::start());
    let installation = installed("asked", &sandbox, &tool, "");
    let person = json!({ "email": "ada@example.org", "attributes": { "LASTNAME": "King" } });
    tool.account.add_contact(&object(person)).expect("a contact");
    let server = installation.start(BINARY.as_ref(), &[]);
    let path = "/api/v1/records/people";
    let field = |left: &str, right: &str| json!({ "left": left, "right": right });
    let people = |asked: bool| {
        json!({ "left": "salesforce", "right": "newsletter", "left_every_seconds": 1, "right_every_seconds": 1,
            "pairs": [{ "name": "contacts", "left": "Contact", "right": "contact", "create_left_on_request": asked,
                "fields": [field("Email", "EMAIL"), field("LastName", "LASTNAME")] }] })
    };
    let post = |address: &str| {
        let body = json!({ "email": "ada@example.org" }).to_string();
        server.connect().request("POST", address, &[], body.as_bytes()).expect("an answer").0
    };
    let (status, written) = asked(&server, "PUT", path, &people(true));
    assert_eq!(status, 200, "{written}");
    let out = installation.command(BINARY.as_ref(), &["sources"]);
    let at = out.find("/hooks/records/people/contacts/").unwrap_or_else(|| panic!("no address in: {out}"));
    let address = out[at..].split_whitespace().next().expect("an address").to_owned();
    let agreed = json!({ "agreed_by": "Ada", "agreement": "1" });
    assert_eq!(asked(&server, "POST", &format!("{path}/activate"), &agreed).0, 204);
    let wrong = address.replace("/contacts/", "/leads/");
    assert_eq!((post(&wrong), post(&format!("{address}0"))), (404, 404));
    assert_eq!(post(&address), 200);
    let started = std::time::Instant::now();
    while sandbox.org.records("Contact").is_empty() {
        assert!(started.elapsed() < crate::lab::PATIENCE, "nobody is made: {}", installation.log());
        crate::lab::pause(std::time::Duration::from_millis(50));
    }
    assert_eq!(asked(&server, "POST", &format!("{path}/pause"), &json!({})).0, 204);
    let version = written["version"].as_i64().expect("a version");
    assert_eq!(asked(&server, "PUT", &format!("{path}?version={version}"), &people(false)).0, 200);
    assert_eq!(post(&address), 404, "it makes none on request any more");
}

/// A line of the page as a shell runs it; its answer, which has to be a success.
pub fn typed(line: &str, server: &Server) -> Value {
    let out = Command::new("sh")
        .args(["-c", line])
        .env("SYNCLINE", format!("http://{}", server.address))
        .env("TOKEN", ADMIN_TOKEN)
        .output()
        .expect("a shell with curl runs");
    assert!(out.status.success(), "{line}: {}", String::from_utf8_lossy(&out.stderr));
    if out.stdout.is_empty() { Value::Null } else { serde_json::from_slice(&out.stdout).expect("JSON") }
}

/// Every example of docs/api.md works as it is written, in the order of the page, and does what the page says.
///
/// proves: O4, R1, R21
#[test]
fn the_examples_of_the_page_work_as_they_are_written() {
    let (sandbox, tool) = (Sandbox::start(), Newsletter::start());
    for (n, name) in ["King", "Hopper"].into_iter().enumerate() {
        let person = json!({ "LastName": name, "Email": format!("p{n}@example.org") });
        sandbox.org.seed("Contact", &object(person)).expect("a contact");
    }
    let installation = installed("api", &sandbox, &tool, PEOPLE);
    let server = installation.start(BINARY.as_ref(), &[]);
    // Those about calendars are typed where there are some.
    let lines =
        PAGE.lines().filter_map(|line| line.strip_prefix("$ curl ")).filter(|line| !line.contains("/calendars"));
    let lines: Vec<&str> = lines.collect();
    assert!(lines.len() >= 12, "the page has examples");
    let mut ran = 0;
    for line in &lines {
        let line = format!("curl {line}");
        if line.contains("/resolve") {
            // Nothing is in conflict in this world: the example is refused, and told why.
            let told = typed(&line.replace("-sSf", "-sS"), &server);
            assert_eq!(told["code"], json!("not-found"), "{told}");
            continue;
        }
        let answer = typed(&line, &server);
        if line.ends_with("/check") {
            assert_eq!(answer["works"], json!(true), "{answer}");
        } else if line.ends_with("/preview") {
            assert_eq!((&answer["complete"], &answer["created_right"]), (&json!(true), &json!(2)), "{answer}");
            assert_eq!(tool.account.contacts_snapshot().len(), 0, "a preview writes nothing");
        } else if line.ends_with("/run") {
            ran += 1;
            let started = std::time::Instant::now();
            while tool.account.contacts_snapshot().len() < 2 {
                assert!(started.elapsed() < crate::lab::PATIENCE, "nobody arrives: {}", installation.log());
                crate::lab::pause(std::time::Duration::from_millis(50));
            }
        }
    }
    assert_eq!(ran, 1);
    let missing = server.connect().request("GET", "/api/v1/records/leads", &[("authorization", &bearer())], b"");
    assert_eq!(missing.expect("an answer").0, 404, "it was dropped again");
    let shown = server.api("/api/v1/records/people");
    assert_eq!((&shown["standing"], &shown["agreed"]["by"]), (&json!("active"), &json!("Ada Lovelace")));
    assert_eq!(shown["counts"]["linked"], json!(2));
    let lines = server.api("/api/v1/activity?integration=people");
    assert!(lines["activity"].as_array().is_some_and(|lines| !lines.is_empty()));
}
