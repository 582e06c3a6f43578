//! Which addresses the client calls.

mod answers;
mod tls;

use std::net::IpAddr;

use syncline_connect::{Http, HttpError, http::Outgoing};

use super::{CALL_DEADLINE, Client, Origin, address::is_public, usable};

/// Verdicts on resolved addresses: `svix/svix-webhooks`, server tests (MIT), restated.
const CLOSED: &str = "10.254.0.0 192.168.10.65 172.16.10.65 0.1.2.3 0.0.0.0 127.0.0.1 127.0.0.254 127.254.254.254 \
    169.254.45.1 255.255.255.255 224.1.2.3 233.252.0.16 192.0.0.0 192.0.0.255 192.0.2.255 198.51.100.65 203.0.113.6 \
    100.100.0.0 192.88.99.3 198.18.0.0 240.240.240.240 ::0 ::1 ::ffff:127.0.0.1 ::ffff:0.0.0.1 2001:db8::1 \
    3fff::dead:beef fe80::dead:beef febf:ffff::dead:beef fdee:3A45:9057::0001 fd7a:115c:a1e0::1 \
    2002:c000:0204::dead:beef 2002:c0a8:0001::dead:beef 64:ff9b::c0a8:0 64:ff9b::808:808 64:ff9b::c0a8:0000 \
    5f00::dead:beef 64:ff9b:1::dead:beef 100::1:2:3:4";
const OPEN: &str = "1.1.1.1 8.8.8.8 2001:4860:4860::8888 ::ffff:8.8.8.8";

/// proves: sec:S33
#[test]
fn addresses_are_judged_as_others_judge_them() {
    let read = |text: &str| text.parse::<IpAddr>().expect("the list holds addresses");
    for text in CLOSED.split_whitespace() {
        assert!(!is_public(read(text)), "{text} must stay closed");
    }
    for text in OPEN.split_whitespace() {
        assert!(is_public(read(text)), "{text} is public");
    }
}

/// The full set, where it lies beside the project.
#[test]
fn the_whole_verdict_list_agrees() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/testdata/reliability/ssrf/ip_verdicts.json");
    let Ok(text) = std::fs::read_to_string(path) else {
        assert!(std::env::var_os("CI").is_none(), "the shared test data is missing");
        println!("left out: the shared test data is not here");
        return;
    };
    let verdicts: Vec<serde_json::Value> = serde_json::from_str(&text).expect("the list is JSON");
    assert!(verdicts.len() >= 43);
    for verdict in verdicts {
        let ip = verdict["ip"].as_str().expect("an address").parse().expect("an address");
        assert_eq!(is_public(ip), verdict["allowed"].as_bool().expect("a verdict"), "{ip}");
    }
}

/// A client that may call these origins, beside what is public.
fn client(origins: &[&str]) -> Client {
    // Whichever test comes first installs it; the others find it there.
    drop(rustls::crypto::ring::default_provider().install_default());
    let allowed = origins.iter().map(|origin| Origin::parse(origin).expect("an origin")).collect();
    Client::new(allowed, CALL_DEADLINE).expect("a client")
}

/// An exchange that stays open goes to no other address than any other call.
///
/// proves: sec:S33
#[tokio::test]
async fn exchanges_go_nowhere_else() {
    for uri in [
        "http://127.0.0.1:1/",
        "https://127.0.0.1:1/",
        "https://10.0.0.1:7443/",
        "https://169.254.169.254/",
        "https://[::1]:7443/",
        "http://events.example/",
        "https://user:secret@events.example/",
    ] {
        let nothing: Outgoing = Box::pin(futures::stream::empty());
        let request = http::Request::post(uri).body(nothing).expect("a request");
        let refused = matches!(client(&[]).open(request).await, Err(HttpError::Forbidden { .. }));
        assert!(refused, "{uri}");
    }
}

fn request(uri: &str) -> http::Request<bytes::Bytes> {
    http::Request::get(uri).body(bytes::Bytes::new()).expect("a request")
}

/// proves: sec:S32, sec:S33, sec:S34
#[tokio::test]
async fn closed_addresses_are_never_called() {
    let client = client(&[]);
    for uri in [
        "http://example.com/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://169.254.169.254/latest",
        "https://2130706433/",
    ] {
        let refused = client.send(request(uri)).await.expect_err(uri);
        assert!(matches!(refused, HttpError::Forbidden { .. }), "{uri}: {refused}");
    }
    // A name that resolves to a closed address is refused after resolution.
    let refused = client.send(request("https://localhost:1/")).await.expect_err("localhost");
    assert!(matches!(refused, HttpError::NotSent { .. }), "{refused}");
}

/// proves: sec:S34
#[tokio::test]
async fn the_operator_opens_single_origins() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut buffer = [0; 1024];
            let _ = socket.read(&mut buffer).await;
            let _ = socket
                .write_all(b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 2\r\n\r\nok")
                .await;
        }
    });
    let origin = format!("http://127.0.0.1:{port}");
    let client = client(&[&origin]);
    let answer = client.send(request(&format!("{origin}/x"))).await.expect("an answer");
    assert_eq!(answer.status(), 302, "redirects are handed back, never followed");
    let other = client.send(request("http://127.0.0.1:1/")).await.expect_err("another port stays closed");
    assert!(matches!(other, HttpError::Forbidden { .. }));
}
