//! Traces reach a collector that is named, and nothing leaves where none is.

use std::{collections::BTreeSet, fs, path::Path, sync::Once};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tracing::Instrument;
use url::Url;

use super::{TelemetryConfig, subscriber};

fn tls() {
    static PROVIDER: Once = Once::new();
    // Another test of this process may have installed it already; then there is one, which is all that is needed.
    PROVIDER.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
}

/// Reads one request and answers it; gives back its head and body.
async fn one_request(listener: TcpListener) -> (String, Vec<u8>) {
    let (mut stream, _) = listener.accept().await.expect("the exporter connects");
    let mut received = Vec::new();
    loop {
        let mut chunk = [0; 4096];
        let read = stream.read(&mut chunk).await.expect("the request can be read");
        assert!(read > 0, "the request ended early");
        received.extend_from_slice(&chunk[..read]);
        let Some(end) = received.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&received[..end]).to_lowercase();
        let length: usize = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(0, |length| length.trim().parse().expect("a length is a number"));
        if received.len() >= end + 4 + length {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.expect("the answer can be sent");
            return (head, received.split_off(end + 4));
        }
    }
}

fn contains(body: &[u8], text: &str) -> bool {
    body.windows(text.len()).any(|window| window == text.as_bytes())
}

/// proves: O6
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spans_reach_the_collector_when_it_ends() {
    tls();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let base = format!("http://{}/", listener.local_addr().expect("it listens"));
    let collector = tokio::spawn(one_request(listener));
    let config = TelemetryConfig { otlp: Some(Url::parse(&base).expect("an address")), ..TelemetryConfig::default() };
    let (subscriber, telemetry) = subscriber(&config, "warn").expect("it starts");
    let guard = tracing::subscriber::set_default(subscriber);
    {
        let turn = tracing::info_span!(target: "syncline_engine", "turn", bookings = 3_u64).entered();
        tracing::info_span!(target: "syncline_engine", "look", connection.id = "crm-of-test").in_scope(|| {});
        tracing::warn!("a line of the log, which no trace carries");
        drop(turn);
    }
    tracing::info_span!(target: "hyper", "of_a_library").in_scope(|| {});
    tracing::debug_span!(target: "syncline_server", "webhook").in_scope(|| {});
    drop(guard);
    drop(telemetry);
    let (head, body) = collector.await.expect("the collector was asked");
    assert!(head.starts_with("post /v1/traces http/1.1"), "{head}");
    assert!(head.contains("content-type: application/x-protobuf"), "{head}");
    for told in ["syncline", "turn", "look", "connection.id", "crm-of-test"] {
        assert!(contains(&body, told), "`{told}` is missing");
    }
    for kept_back in ["a line of the log", "of_a_library", "webhook", file!()] {
        assert!(!contains(&body, kept_back), "`{kept_back}` was sent");
    }
}

/// A webhook's span is there once somebody asks for that much.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn debug_spans_go_with_the_log_level() {
    tls();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let base = format!("http://{}", listener.local_addr().expect("it listens"));
    let collector = tokio::spawn(one_request(listener));
    let config = TelemetryConfig { otlp: Some(Url::parse(&base).expect("an address")), ..TelemetryConfig::default() };
    let (subscriber, telemetry) = subscriber(&config, "warn,syncline_server=debug").expect("it starts");
    let guard = tracing::subscriber::set_default(subscriber);
    async {}.instrument(tracing::debug_span!(target: "syncline_server", "webhook")).await;
    drop(guard);
    drop(telemetry);
    let (_, body) = collector.await.expect("the collector was asked");
    assert!(contains(&body, "webhook"));
}

/// proves: O6
///
/// Without a collector no layer takes spans: they are off where they stand, so they cost nothing.
#[test]
fn without_a_collector_spans_are_off() {
    let (subscriber, telemetry) = subscriber(&TelemetryConfig::default(), "trace").expect("it starts without a runtime");
    assert!(telemetry._traces.is_none(), "nothing is exported");
    tracing::subscriber::with_default(subscriber, || {
        assert!(tracing::info_span!(target: "syncline_engine", "turn").is_disabled());
        assert!(tracing::event_enabled!(tracing::Level::INFO), "logs go on");
    });
}

#[test]
fn a_wrong_level_is_refused_in_words() {
    let error = subscriber(&TelemetryConfig::default(), "syncline=loud").err().expect("it is refused");
    assert!(error.to_string().contains("use error, warn, info, debug or trace"), "{error}");
}

/// What follows each of these in the code is a metric's name.
const METRIC_MACROS: [&str; 3] = ["counter!(\"", "gauge!(\"", "histogram!(\""];

fn metrics_of_code(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("the folder can be read") {
        let path = entry.expect("the entry can be read").path();
        if path.is_dir() {
            metrics_of_code(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("telemetry/tests.rs") {
            let text = fs::read_to_string(&path).expect("the file can be read");
            for metric_macro in METRIC_MACROS {
                let names = text.split(metric_macro).skip(1).filter_map(|rest| rest.split('"').next());
                found.extend(names.map(str::to_owned));
            }
        }
    }
}

/// proves: O6
///
/// Every metric of the code is explained in docs/operating.md, and every one that is explained there exists.
#[test]
fn the_docs_name_the_metrics_of_the_code() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut of_code = BTreeSet::new();
    for name in ["app", "engine", "server", "store", "vendors"] {
        metrics_of_code(&root.join("crates").join(name).join("src"), &mut of_code);
    }
    assert!(of_code.len() > 5, "the metrics of the code are found: {of_code:?}");
    let docs = fs::read_to_string(root.join("docs/operating.md")).expect("the page is there");
    let of_docs: BTreeSet<String> =
        docs.lines().filter_map(|line| line.strip_prefix("| `syncline_")?.split('`').next()).map(|name| format!("syncline_{name}")).collect();
    assert_eq!(of_code, of_docs);
}
