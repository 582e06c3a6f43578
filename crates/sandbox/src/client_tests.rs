//! Programs that others wrote for the vendors run against the sandbox on a socket.

use std::{
    path::PathBuf,
    process::{Command, Output},
    sync::Arc,
};

use syncline_core::{Clock, Entropy};
use tokio_util::sync::CancellationToken;

use crate::{
    ActiveCampaignAccount, ActiveCampaignConfig, BrevoAccount, BrevoConfig, GoogleConfig, GoogleWorkspace,
    HubSpotAccount, HubSpotConfig, MicrosoftConfig, MicrosoftTenant, SalesforceConfig, SalesforceOrg, Site,
    brevo::BrevoRates, serve,
};

struct WallClock;

impl Clock for WallClock {
    #[expect(clippy::disallowed_methods, reason = "a client in another process signs its tokens with the real time")]
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::now()
    }
}

/// Enough chance for tokens that only have to differ.
struct Counting(std::sync::atomic::AtomicU64);

impl Entropy for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        for byte in bytes {
            *byte = (self.0.fetch_add(0x9E37_79B9_7F4A_7C15, std::sync::atomic::Ordering::Relaxed) >> 32) as u8;
        }
    }
}

fn here() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn installed() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| here().join("../../target"), PathBuf::from);
    let clients = target.join("clients");
    assert!(
        clients.join("stamp").exists(),
        "the clients are not in {}: run ./test, which installs the clients",
        clients.display()
    );
    clients
}

/// Runs a program against a new org, and answers how many things it checked.
fn run(config: SalesforceConfig, make: impl FnOnce(&str) -> Command) -> u64 {
    let chance = Counting(std::sync::atomic::AtomicU64::new(7));
    run_against(SalesforceOrg::new(config, Arc::new(WallClock), Arc::new(chance)), make)
}

/// Runs a program against a site, and answers how many things it checked.
fn run_against<S: Site>(site: Arc<S>, make: impl FnOnce(&str) -> Command) -> u64 {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("a free port");
    let base = format!("http://{}", listener.local_addr().expect("a bound port has an address"));
    let stop = CancellationToken::new();
    let server = runtime.spawn(serve(listener, site, stop.clone()));
    let output: Output = make(&base).output().expect("the client starts");
    stop.cancel();
    runtime.block_on(server).expect("the server ends by itself").expect("and without an error");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "the client failed:\n{out}\n{err}");
    let last: serde_json::Value =
        serde_json::from_str(out.trim().lines().last().unwrap_or_default()).unwrap_or_default();
    last["checks"].as_u64().unwrap_or_default()
}

#[test]
fn jsforce_works_against_the_sandbox() {
    let clients = installed();
    let checks = run(SalesforceConfig::default(), |base| {
        let mut command = Command::new("node");
        command.arg(here().join("clients/jsforce.mjs")).arg(base).env("SANDBOX_CLIENTS", &clients);
        command
    });
    assert!(checks >= 52, "only {checks} checks were made");
}

#[test]
fn simple_salesforce_works_against_the_sandbox() {
    let clients = installed();
    let python = clients.join("python/bin/python");
    // A key pair of this run's own: no private key is kept with the sources.
    let key = clients.join(format!("jwt-{}.pem", std::process::id()));
    let made = Command::new(&python)
        .arg("-c")
        .arg(
            "import sys\nfrom cryptography.hazmat.primitives import serialization as s\n\
             from cryptography.hazmat.primitives.asymmetric import rsa\n\
             k = rsa.generate_private_key(public_exponent=65537, key_size=2048)\n\
             open(sys.argv[1], 'wb').write(k.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.NoEncryption()))\n\
             print(k.public_key().public_bytes(s.Encoding.PEM, s.PublicFormat.SubjectPublicKeyInfo).decode())",
        )
        .arg(&key)
        .output()
        .expect("Python starts");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let mut config = SalesforceConfig::default();
    config.app.jwt_public_key_pem = Some(String::from_utf8_lossy(&made.stdout).into_owned());
    let checks = run(config, |base| {
        let mut command = Command::new(&python);
        command.arg(here().join("clients/simple_salesforce_client.py")).arg(base).arg(&key);
        command
    });
    std::fs::remove_file(&key).expect("the key of this run can be removed");
    assert!(checks >= 36, "only {checks} checks were made");
}

#[test]
fn hubspots_own_client_works_against_the_sandbox() {
    let clients = installed();
    let account = HubSpotAccount::new(HubSpotConfig::default(), Arc::new(WallClock)).expect("the account is sound");
    // A delivery for the client to verify; the person of it is gone again before the client counts.
    account.subscribe(18_221_010, "https://hooks.example/in", "contact.creation", None).expect("a known event");
    let id = account.create("contacts", &[("email", "early@example.org")]).expect("a contact");
    let sent = account.take_deliveries().remove(0).webhook;
    account.erase("contacts", &id).expect("it was there");
    let headers: std::collections::BTreeMap<_, _> = sent.headers.into_iter().collect();
    let delivery =
        serde_json::json!({"url": sent.url, "headers": headers, "body": String::from_utf8_lossy(&sent.body)});
    let installed = account.install();
    let checks = run_against(account.clone(), |base| {
        let mut credentials = account.credentials(base);
        credentials["refresh_token"] = installed["refresh_token"].clone();
        let mut command = Command::new(clients.join("python/bin/python"));
        command
            .arg(here().join("clients/hubspot_client.py"))
            .arg(base)
            .env("SANDBOX_CREDENTIALS", credentials.to_string())
            .env("SANDBOX_DELIVERY", delivery.to_string());
        command
    });
    assert!(checks >= 44, "only {checks} checks were made");
}

#[test]
fn googles_own_client_works_against_the_sandbox() {
    let python = installed().join("python/bin/python");
    let config = GoogleConfig::default();
    let people: Vec<String> = config.users.iter().map(|user| user.email.clone()).collect();
    let site = GoogleWorkspace::new(config, Arc::new(WallClock));
    let refresh: Vec<_> =
        people.iter().map(|user| site.install(user).expect("a user")["refresh_token"].clone()).collect();
    let checks = run_against(site.clone(), |base| {
        let mut credentials = site.credentials(base);
        credentials["refresh_tokens"] = refresh.into();
        let mut command = Command::new(&python);
        command
            .arg(here().join("clients/google_client.py"))
            .arg(base)
            .env("SANDBOX_CREDENTIALS", credentials.to_string());
        command
    });
    assert!(checks >= 25, "only {checks} checks were made");
}

#[test]
fn microsofts_own_client_works_against_the_sandbox() {
    let python = installed().join("python/bin/python");
    let config = MicrosoftConfig::default();
    let people: Vec<String> = config.users.iter().map(|user| user.email.clone()).collect();
    let site = MicrosoftTenant::new(config, Arc::new(WallClock));
    let refresh: Vec<_> =
        people.iter().map(|user| site.install(user).expect("a user")["refresh_token"].clone()).collect();
    let checks = run_against(site.clone(), |base| {
        let mut credentials = site.credentials(base);
        credentials["refresh_tokens"] = refresh.into();
        let mut command = Command::new(&python);
        command
            .arg(here().join("clients/msgraph_client.py"))
            .arg(base)
            .env("SANDBOX_CREDENTIALS", credentials.to_string());
        command
    });
    assert!(checks >= 20, "only {checks} checks were made");
}

#[test]
fn the_client_of_brevo_works_against_the_sandbox() {
    let clients = installed();
    let config =
        BrevoConfig { rates: BrevoRates::NONE, import_takes: jiff::SignedDuration::ZERO, ..BrevoConfig::default() };
    let checks = run_against(BrevoAccount::new(config, Arc::new(WallClock)), |base| {
        let mut command = Command::new("node");
        command.arg(here().join("clients/brevo.mjs")).arg(base).env("SANDBOX_CLIENTS", &clients);
        command
    });
    assert!(checks >= 26, "only {checks} checks were made");
}

#[test]
fn activecampaign_python_works_against_the_sandbox() {
    let python = installed().join("python/bin/python");
    let config = ActiveCampaignConfig { calls_per_second: u32::MAX, ..ActiveCampaignConfig::default() };
    let checks = run_against(ActiveCampaignAccount::new(config, Arc::new(WallClock)), |base| {
        let mut command = Command::new(&python);
        command.arg(here().join("clients/activecampaign_client.py")).arg(base);
        command
    });
    assert!(checks >= 25, "only {checks} checks were made");
}

#[test]
fn grpc_and_avro_of_python_listen_to_the_sandbox() {
    let python = installed().join("python/bin/python");
    let selected = ["Account", "Contact", "Lead"].map(str::to_owned).to_vec();
    let config =
        SalesforceConfig { change_events: Some(selected), event_keep_alive_seconds: 1, ..SalesforceConfig::default() };
    let checks = run(config, |base| {
        let mut command = Command::new(&python);
        command.arg(here().join("clients/pubsub_client.py")).arg(base);
        command
    });
    assert!(checks >= 30, "only {checks} checks were made");
}

/// One request by hand, and everything that comes back.
fn raw_exchange(address: std::net::SocketAddr, path: &str) -> Vec<u8> {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(address).expect("the server listens");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").expect("the request is sent");
    let mut all = Vec::new();
    // A connection that breaks is an answer too.
    let _ = stream.read_to_end(&mut all);
    all
}

#[test]
fn broken_answers_are_broken_on_the_socket() {
    use crate::salesforce::{FaultKind, FaultRule};
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    let chance = Counting(std::sync::atomic::AtomicU64::new(7));
    let org = SalesforceOrg::new(SalesforceConfig::default(), Arc::new(WallClock), Arc::new(chance));
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("a free port");
    let address = listener.local_addr().expect("a bound port has an address");
    let stop = CancellationToken::new();
    let server = runtime.spawn(serve(listener, org.clone(), stop.clone()));
    let once = |kind| FaultRule { next: Some(1), ..FaultRule::new(kind) };
    org.faults().add(once(FaultKind::AppliedAnswerLost));
    assert!(raw_exchange(address, "/services/data").is_empty());
    let whole = raw_exchange(address, "/services/data");
    org.faults().add(once(FaultKind::Truncated));
    let cut = raw_exchange(address, "/services/data");
    assert!(!cut.is_empty() && cut.len() < whole.len(), "{} of {} bytes", cut.len(), whole.len());
    stop.cancel();
    runtime.block_on(server).expect("the server ends by itself").expect("and without an error");
}
