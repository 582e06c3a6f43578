//! What others answer: names that point inside, redirects, and more bytes than anybody asked for.

use std::net::SocketAddr;

use syncline_connect::{Http, HttpError};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::{CLOSED, OPEN, client, request, usable};
use crate::http::MAX_ANSWER_BYTES;

/// Answers every connection with these bytes, and counts connections.
async fn answering(answer: Vec<u8>) -> (String, std::sync::Arc<std::sync::atomic::AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let origin = format!("http://{}", listener.local_addr().expect("an address"));
    let calls = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = calls.clone();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                let _ = socket.read(&mut buffer).await;
                // The client hangs up in the middle where the answer is too large.
                let _ = socket.write_all(&answer).await;
            });
        }
    });
    (origin, calls)
}

/// A name may have public and closed addresses, or point inside at its second look-up: the closed ones are never
/// connected to, because the filtered answer is all that the connection is made from.
///
/// proves: sec:S33
#[test]
fn closed_addresses_of_a_name_are_dropped() {
    let socket = |text: &str| SocketAddr::new(text.parse().expect("an address"), 0);
    for closed in CLOSED.split_whitespace() {
        assert_eq!(usable([socket(closed)].into_iter(), false), []);
        for open in OPEN.split_whitespace() {
            let mixed = [socket(closed), socket(open), socket(closed)];
            assert_eq!(usable(mixed.into_iter(), false), [socket(open)], "{closed} beside {open}");
        }
        assert_eq!(usable([socket(closed)].into_iter(), true), [socket(closed)], "the operator opened its name");
    }
}

/// An operator who opens one port of a host has not opened the others.
///
/// proves: sec:S34
#[tokio::test]
async fn one_origin_of_a_host_opens_no_other() {
    let client = client(&["http://localhost:9"]);
    for uri in ["https://localhost/", "https://localhost:9/", "http://localhost/", "https://LOCALHOST:8443/"] {
        let refused = client.send(request(uri)).await.expect_err(uri);
        assert!(matches!(refused, HttpError::Forbidden { .. }), "{uri}: {refused}");
    }
    let tried = client.send(request("http://localhost:9/")).await.expect_err("nobody listens there");
    assert!(matches!(tried, HttpError::NotSent { .. }), "{tried}");
}

/// No status that browsers follow makes the client call another address, wherever that is.
///
/// proves: sec:S33
#[tokio::test]
async fn no_redirect_is_followed() {
    let (inside, inner_calls) = answering(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nsecret".to_vec()).await;
    for status in [301, 302, 303, 307, 308] {
        for target in [inside.as_str(), "http://169.254.169.254/latest", "//127.0.0.1/", "file:///etc/passwd"] {
            let answer = format!("HTTP/1.1 {status} Moved\r\nlocation: {target}\r\ncontent-length: 0\r\n\r\n");
            let (origin, _) = answering(answer.into_bytes()).await;
            let answer = client(&[&origin]).send(request(&format!("{origin}/"))).await.expect("an answer");
            assert_eq!(answer.status(), status);
        }
    }
    assert_eq!(inner_calls.load(std::sync::atomic::Ordering::Relaxed), 0);
}

/// An answer that unpacks to more than the limit is given up, however small it was on its way.
///
/// proves: sec:S35
#[tokio::test]
async fn an_answer_without_end_is_given_up() {
    let bomb = zeros_gzipped(MAX_ANSWER_BYTES + 1);
    assert!(bomb.len() < MAX_ANSWER_BYTES / 100, "{} bytes on their way", bomb.len());
    let head = format!("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n", bomb.len());
    let (origin, _) = answering([head.into_bytes(), bomb].concat()).await;
    let refused = client(&[&origin]).send(request(&format!("{origin}/"))).await.expect_err("too large");
    assert!(matches!(&refused, HttpError::Unanswered { reason, .. } if reason.contains("larger")), "{refused}");
    let plain = vec![b'x'; MAX_ANSWER_BYTES + 1];
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", plain.len());
    let (origin, _) = answering([head.into_bytes(), plain].concat()).await;
    let refused = client(&[&origin]).send(request(&format!("{origin}/"))).await.expect_err("too large");
    assert!(matches!(&refused, HttpError::Unanswered { reason, .. } if reason.contains("larger")), "{refused}");
}

fn zeros_gzipped(count: usize) -> Vec<u8> {
    let command = format!("head -c {count} /dev/zero | gzip -9");
    let made = std::process::Command::new("sh").args(["-c", &command]).output().expect("a shell");
    assert!(made.status.success());
    made.stdout
}
