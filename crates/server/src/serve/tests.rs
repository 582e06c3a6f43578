//! On a real socket: what a slow, greedy or vanishing peer meets, and how the server stops.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use crate::tests::world::World;

/// Short, because a test waits for it; what is proved does not depend on the length.
const HEAD_TIMEOUT: Duration = Duration::from_millis(200);

struct Served {
    address: SocketAddr,
    stop: CancellationToken,
    done: JoinHandle<()>,
}

async fn serve(drain: Duration) -> Served {
    let world = World::with(|options| {
        options.limits.head_timeout = HEAD_TIMEOUT;
        options.limits.body_timeout = HEAD_TIMEOUT;
        options.limits.drain_timeout = drain;
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
    let done = tokio::spawn(world.server.serve(listener, stop.clone()));
    Served { address, stop, done }
}

impl Served {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends these bytes and reads until the server closes.
    async fn exchange(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect().await;
        stream.write_all(bytes).await.unwrap();
        read_to_end(&mut stream).await
    }
}

async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    // A reset is an end as well.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

async fn read_answer(stream: &mut TcpStream) -> String {
    let mut answer = vec![0; 4096];
    let count = stream.read(&mut answer).await.unwrap();
    String::from_utf8(answer[..count].to_vec()).unwrap()
}

/// proves: sec:S29 (slow senders)
#[tokio::test]
async fn a_head_or_body_that_trickles_does_not_hold_a_connection() {
    let served = serve(Duration::from_secs(10)).await;
    for head in ["", "GET /healthz HTTP/1.1\r\nHost: x\r\n", "GET /hea"] {
        let answer = served.exchange(head.as_bytes()).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{head:?}: {answer}");
    }
    let hook =
        "POST /hooks/web/k7-0123456789abcdef0123456789abcdef HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{";
    assert!(served.exchange(hook.as_bytes()).await.starts_with("HTTP/1.1 408"));
    // After an answer, silence ends the connection, too.
    let mut stream = served.connect().await;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    assert!(read_to_end(&mut stream).await.starts_with("HTTP/1.1 200"));
}

/// proves: sec:S29 (heads)
#[tokio::test]
async fn a_head_has_limits_of_size_and_number() {
    let served = serve(Duration::from_secs(10)).await;
    let ask = |headers: String| format!("GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n");
    let answer = served.exchange(ask(format!("X-Long: {}\r\n", "x".repeat(8 * 1024))).as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let answer = served.exchange(ask(format!("X-Long: {}\r\n", "x".repeat(17 * 1024))).as_bytes()).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
    let answer = served.exchange(ask("A: b\r\n".repeat(101)).as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
}

#[tokio::test]
async fn a_connection_serves_many_requests() {
    let served = serve(Duration::from_secs(10)).await;
    let mut stream = served.connect().await;
    for _ in 0..3 {
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        let answer = read_answer(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("ok\n"), "{answer}");
    }
}

/// proves: O6 (graceful stop)
#[tokio::test]
async fn a_stop_lets_requests_in_flight_end_and_takes_no_new_ones() {
    let served = serve(Duration::from_secs(10)).await;
    let mut stream = served.connect().await;
    let body = "token=wrong";
    let head = format!("POST /sign-in HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).await.unwrap();
    // The answer to a second connection says that the first one's head was taken in.
    assert!(
        served
            .exchange(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            .await
            .starts_with("HTTP/1.1 200")
    );
    served.stop.cancel();
    stream.write_all(body.as_bytes()).await.unwrap();
    assert!(read_to_end(&mut stream).await.starts_with("HTTP/1.1 401"), "it was let to end");
    served.done.await.unwrap();
    assert!(TcpStream::connect(served.address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn a_stop_does_not_wait_for_ever() {
    let served = serve(Duration::from_millis(1)).await;
    let mut stream = served.connect().await;
    stream.write_all(b"POST /sign-in HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n").await.unwrap();
    assert!(
        served
            .exchange(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            .await
            .starts_with("HTTP/1.1 200")
    );
    served.stop.cancel();
    served.done.await.unwrap();
}
