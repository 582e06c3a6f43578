//! The API's page of examples, typed as it stands there: a real server, a sandbox CRM and a sandbox newsletter tool.

use std::{process::Command, sync::Arc};

use serde_json::{Value, json};
use syncline_sandbox::{BrevoAccount, BrevoConfig, brevo::BrevoRates, serve};
use tokio_util::sync::CancellationToken;

use crate::lab::{ADMIN_TOKEN, Installation, Sandbox, Server, WallClock, secret};

const BINARY: &str = env!("CARGO_BIN_EXE_syncline");

/// The page, as people read it.
const PAGE: &str = include_str!("../../../../docs/api.md");

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

/// A line of the page as a shell runs it; its answer, which has to be a success.
fn typed(line: &str, server: &Server) -> Value {
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
    let lines: Vec<&str> = PAGE.lines().filter_map(|line| line.strip_prefix("$ curl ")).collect();
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
    let shown = server.api("/api/v1/records/people");
    assert_eq!((&shown["standing"], &shown["agreed"]["by"]), (&json!("active"), &json!("Ada Lovelace")));
    assert_eq!(shown["counts"]["linked"], json!(2));
    let lines = server.api("/api/v1/activity?integration=people");
    assert!(lines["activity"].as_array().is_some_and(|lines| !lines.is_empty()));
}
