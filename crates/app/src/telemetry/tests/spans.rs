//! Which spans a booking leaves on its way from the webhook to the CRM, and that none of them tells of a person.

use std::{
    fmt::Debug,
    fs,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use hmac::{Hmac, KeyInit, Mac};
use metrics_exporter_prometheus::PrometheusBuilder;
use sha2::Sha256;
use syncline_connect::Http;
use syncline_sandbox::{SalesforceConfig, SalesforceOrg, serve};
use syncline_store::WorkerId;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::{
    Subscriber,
    field::{Field, Visit},
    span,
};
use tracing_subscriber::{
    Layer,
    layer::{Context, SubscriberExt},
};

use crate::{
    commands::serve::Running,
    config::Config,
    http::{CALL_DEADLINE, Client, Origin},
    wiring::Installation,
    world::{SystemClock, SystemEntropy},
};

const BOOKING: &str = include_str!("../../../../vendors/src/calcom/fixtures/booking_created.json");

const HOOK_SECRET: &str = "a secret that is long enough";

/// Notes every span of ours, one line for its beginning and one for what is told of it later.
#[derive(Clone, Default)]
struct Noted(Arc<Mutex<Vec<String>>>);

struct Line<'a>(&'a mut String);

impl Visit for Line<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.push_str(&format!(" {field}={value:?}"));
    }
}

impl Noted {
    fn note(&self, mut line: String, visit: impl FnOnce(&mut Line<'_>)) {
        visit(&mut Line(&mut line));
        self.0.lock().expect("nobody panics with it").push(line);
    }
}

impl<S: Subscriber> Layer<S> for Noted {
    fn on_new_span(&self, span: &span::Attributes<'_>, _: &span::Id, _: Context<'_, S>) {
        if span.metadata().target().starts_with("syncline") {
            self.note(span.metadata().name().to_owned(), |line| span.record(line));
        }
    }

    fn on_record(&self, _: &span::Id, told: &span::Record<'_>, _: Context<'_, S>) {
        self.note("…".to_owned(), |line| told.record(line));
    }
}

fn key_file(folder: &std::path::Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs::write(&path, text).expect("a key can be written");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    fs::set_permissions(&path, mode).expect("its mode can be set");
}

fn installation(folder: PathBuf, org: &SalesforceOrg, sandbox: &str) -> Installation {
    let credentials = org.credentials(sandbox);
    key_file(&folder, "syncline.key", "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
    key_file(&folder, "admin.key", "a token that is long enough");
    key_file(&folder, "calcom.key", HOOK_SECRET);
    key_file(&folder, "crm.key", credentials["client_secret"].as_str().expect("there is one"));
    let text = format!(
        r#"
        database = "sqlite::memory:"
        [server]
        listen = "127.0.0.1:0"
        admin_token = "file:admin.key"
        [engine]
        workers = 0
        [network]
        allow = ["{sandbox}"]
        [[connections]]
        name = "crm"
        vendor = "salesforce"
        grant = "client_credentials"
        client_id = "{client_id}"
        client_secret = "file:crm.key"
        settings = {{ login_host = "{sandbox}", allow_host = "{sandbox}" }}
        [[sources]]
        name = "calcom"
        vendor = "calcom"
        integration = "bookings"
        secrets = ["file:calcom.key"]
        [[integrations]]
        name = "bookings"
        crm = "crm"
        "#,
        client_id = credentials["client_id"].as_str().expect("there is one"),
    );
    Installation::of(Config::parse(&text).expect("it is right"), folder).expect("it works")
}

async fn post_booking(running: &Running) {
    let page = format!("http://{}", running.address);
    let mut mac = Hmac::<Sha256>::new_from_slice(HOOK_SECRET.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(BOOKING.as_bytes());
    let client = Client::new(vec![Origin::parse(&page).expect("an origin")], CALL_DEADLINE).expect("a client");
    let request = http::Request::post(format!("{page}/hooks/calcom/{}", running.installation.path_key("calcom")))
        .header("content-type", "application/json")
        .header("x-cal-signature-256", hex::encode(mac.finalize().into_bytes()))
        .body(BOOKING.into())
        .expect("a request");
    let answer = client.send(request).await.expect("it is answered");
    assert!(answer.status().is_success(), "{answer:?}");
}

/// proves: O6
///
/// proves: sec:S53
#[tokio::test]
async fn a_booking_leaves_spans_that_name_nobody() {
    super::tls();
    let noted = Noted::default();
    let guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(noted.clone()));
    let folder = std::env::temp_dir().join(format!("syncline-spans-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder can be made");
    let org = SalesforceOrg::new(SalesforceConfig::default(), Arc::new(SystemClock), Arc::new(SystemEntropy));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let sandbox = format!("http://{}", listener.local_addr().expect("it listens"));
    let stop = CancellationToken::new();
    let serving = tokio::spawn(serve(listener, Arc::clone(&org), stop.clone()));
    let metrics = PrometheusBuilder::new().build_recorder().handle();
    let running = Running::start(installation(folder.clone(), &org, &sandbox), metrics, None).await.expect("it starts");

    post_booking(&running).await;
    let worker = WorkerId("w_of_test".to_owned());
    assert_eq!(running.engine.turn(&worker).await.expect("the database answers"), 1);
    assert_eq!(running.engine.turn(&worker).await.expect("the database answers"), 0, "nothing is left to do");

    running.stop().await.expect("it stops");
    stop.cancel();
    serving.await.expect("it ends").expect("it served");
    drop(guard);
    drop(fs::remove_dir_all(&folder));
    let noted = noted.0.lock().expect("nobody panics with it").join("\n");
    assert_eq!(
        noted,
        "webhook vendor=\"calcom\"\n… outcome=\"stored\"\nturn bookings=1\nlook connection.id=crm finds=5\n… calls=1\n\
         push connection.id=crm bookings=1 steps=3\n… calls=1"
    );
    for personal in ["ada", "bob", "grace", "@", "example", "http", "+49", "w_of_test"] {
        assert!(!noted.to_lowercase().contains(personal), "`{personal}` stands in a span");
    }
}
