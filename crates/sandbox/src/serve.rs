//! A sandbox on a socket: HTTP/1.1 with keep-alive, delays and broken connections as its answers ask for; and HTTP/2
//! without TLS on the same port, for exchanges that stay open.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Either, LengthLimitError, Limited};
use hyper::{
    body::{Body, Frame, Incoming, SizeHint},
    service::service_fn,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::sync::mpsc;
use tokio::{
    net::{TcpListener, TcpStream},
    time::Sleep,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    Delivery, Site,
    talk::{self, Say},
};

/// Largest request body; Salesforce's own bulk upload limit is 150 MB, everything served here is smaller.
const MAX_BODY_BYTES: usize = 64 * 1024 * 1024;
/// How long a connection may take to send its request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);

/// Serves the site until `stop` is cancelled; requests under way are finished.
pub async fn serve<S: Site>(listener: TcpListener, org: Arc<S>, stop: CancellationToken) -> io::Result<()> {
    let base: Arc<str> = format!("http://{}", listener.local_addr()?).into();
    let connections = TaskTracker::new();
    loop {
        let stream = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                // One connection that could not be taken (reset, out of descriptors) is not the end of the service.
                Err(_) => continue,
            },
        };
        connections.spawn(connection(stream, base.clone(), org.clone(), stop.clone()));
    }
    connections.close();
    connections.wait().await;
    Ok(())
}

async fn connection<S: Site>(stream: TcpStream, base: Arc<str>, org: Arc<S>, stop: CancellationToken) {
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let stopping = stop.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let (base, org, stop) = (base.clone(), org.clone(), stopping.clone());
        async move {
            let (parts, body) = request.into_parts();
            if org.talks(&parts) {
                return Ok(talking(org, parts, body, stop).map(Either::Right));
            }
            answer(base, org, Request::from_parts(parts, body)).await.map(|response| response.map(Either::Left))
        }
    });
    let mut http = auto::Builder::new(TokioExecutor::new());
    http.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    let mut connection = std::pin::pin!(http.serve_connection(TokioIo::new(stream), service));
    let stopped = tokio::select! {
        // A connection that ends badly is the client's business, or a fault that was asked for.
        _ = connection.as_mut() => false,
        () = stop.cancelled() => true,
    };
    if stopped {
        connection.as_mut().graceful_shutdown();
        let _ = connection.await;
    }
}

/// An error of the service makes hyper drop the connection without an answer.
#[derive(Debug)]
struct Dropped;

impl std::fmt::Display for Dropped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the connection was dropped on purpose")
    }
}

impl std::error::Error for Dropped {}

async fn answer<S: Site>(base: Arc<str>, org: Arc<S>, request: Request<Incoming>) -> Result<Response<Sent>, Dropped> {
    let (parts, body) = request.into_parts();
    let bytes = match Limited::new(body, MAX_BODY_BYTES).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => {
            let mut response = Response::new(Sent::whole(Bytes::new()));
            *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
            return Ok(response);
        }
        Err(_) => return Err(Dropped),
    };
    // The address that the client used is the one it will use again.
    let host = parts.headers.get(http::header::HOST).and_then(|host| host.to_str().ok());
    let base = host.map_or_else(|| base.to_string(), |host| format!("http://{host}"));
    let reply = org.handle(&base, Request::from_parts(parts, bytes));
    if !reply.delay.is_zero() {
        tokio::time::sleep(reply.delay).await;
    }
    match reply.deliver {
        Delivery::Answer => Ok(reply.response.map(Sent::whole)),
        Delivery::Truncate => Ok(reply.response.map(Sent::half)),
        Delivery::DropConnection => Err(Dropped),
    }
}

/// Lets the site talk for as long as it likes, or until the service stops.
fn talking<S: Site>(
    site: Arc<S>,
    head: http::request::Parts,
    mut body: Incoming,
    stop: CancellationToken,
) -> Response<Told> {
    let (ours, theirs) = talk::ends();
    let said = theirs.say;
    tokio::spawn(async move {
        while let Some(Ok(frame)) = body.frame().await {
            if let Ok(bytes) = frame.into_data()
                && said.send(bytes).await.is_err()
            {
                return;
            }
        }
    });
    let talk = site.talk(head, ours);
    tokio::spawn(async move {
        tokio::select! {
            () = talk => {}
            () = stop.cancelled() => {}
        }
    });
    let mut response = Response::new(Told { said: theirs.said, ended: false });
    let kind = http::HeaderValue::from_static("application/grpc");
    response.headers_mut().insert(http::header::CONTENT_TYPE, kind);
    response
}

/// A body that goes on for as long as the site talks; without trailers at its end it breaks.
struct Told {
    said: mpsc::Receiver<Say>,
    ended: bool,
}

impl Body for Told {
    type Data = Bytes;
    type Error = Dropped;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Dropped>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        self.said.poll_recv(cx).map(|said| match said {
            Some(Say::Bytes(bytes)) => Some(Ok(Frame::data(bytes))),
            Some(Say::Trailers(trailers)) => {
                self.ended = true;
                Some(Ok(Frame::trailers(trailers)))
            }
            None => Some(Err(Dropped)),
        })
    }
}

/// How long the half that is sent has to get on its way before the connection breaks.
const HALF_FLUSH: Duration = Duration::from_millis(50);

/// A body that is sent whole, or half and then breaks.
struct Sent {
    bytes: Option<Bytes>,
    announced: u64,
    /// Runs from when the half was handed over.
    breaks: Option<Pin<Box<Sleep>>>,
}

impl Sent {
    fn whole(bytes: Bytes) -> Self {
        Self { announced: bytes.len() as u64, bytes: Some(bytes), breaks: None }
    }

    fn half(bytes: Bytes) -> Self {
        let announced = bytes.len() as u64;
        let breaks = Some(Box::pin(tokio::time::sleep(HALF_FLUSH)));
        Self { announced, bytes: Some(bytes.slice(..bytes.len() / 2)), breaks }
    }
}

impl Body for Sent {
    type Data = Bytes;
    type Error = Dropped;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Dropped>>> {
        if let Some(bytes) = self.bytes.take().filter(|bytes| !bytes.is_empty()) {
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        match &mut self.breaks {
            Some(wait) => wait.as_mut().poll(cx).map(|()| Some(Err(Dropped))),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.breaks.is_none() && self.bytes.as_ref().is_none_or(Bytes::is_empty)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.announced)
    }
}
