//! The server as a whole, and its accept loop: limits on heads, headers and connections, and an orderly end.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, http::Request};
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use syncline_engine::{ConnectionSetup, Engine};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::{
    console::sign_in::Peer,
    oauth::connect_link::{self, ConnectLink},
    options::{CONNECTIONS_MAX, HEADERS_COUNT_MAX, HEADERS_MAX, ServerOptions},
    router,
    shared::{Shared, SourceSetup},
};

/// The pause after the listener failed (too many open files), before it is asked again.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// HTTP in.
pub struct Server {
    shared: Arc<Shared>,
}

impl Server {
    /// Puts the server together; nothing listens yet.
    pub fn new(engine: Arc<Engine>, sources: Vec<SourceSetup>, options: ServerOptions) -> Self {
        Self { shared: Arc::new(Shared::new(engine, sources, options)) }
    }

    /// All routes; health and metrics among them unless they have a port of their own.
    pub fn router(&self) -> Router {
        router::public(&self.shared)
    }

    /// Health and metrics alone.
    pub fn admin_router(&self) -> Router {
        router::admin(&self.shared)
    }

    /// Signing in and connecting an account alone, for a listener on the operator's own machine.
    pub fn connect_router(&self) -> Router {
        router::connect(&self.shared)
    }

    /// Makes an address by which the owner of an account connects it at this server.
    ///
    /// # Errors
    ///
    /// The account is connected, needs nobody's agreement in a browser, or the database does not answer.
    pub async fn connect_link(&self, setup: &ConnectionSetup) -> Result<ConnectLink, String> {
        let made = connect_link::make(&self.shared, setup).await;
        made.map_err(|problem| problem.detail.unwrap_or_else(|| problem.code.title().to_owned()))
    }

    #[cfg(test)]
    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Ends every session of every person.
    pub fn end_sessions(&self) {
        self.shared.sessions.end_all();
    }

    /// Serves all routes until `stop`, then lets requests in flight end.
    pub async fn serve(self, listener: TcpListener, stop: CancellationToken) {
        let router = self.router();
        self.serve_router(router, listener, stop).await;
    }

    /// Serves some of the routes (see [`Server::admin_router`], [`Server::connect_router`]) in the same way.
    pub async fn serve_router(&self, router: Router, listener: TcpListener, stop: CancellationToken) {
        let limits = &self.shared.options.limits;
        let graceful = GracefulShutdown::new();
        let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        loop {
            let (stream, peer, permit) = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                accepted = accept(&listener, &connections) => match accepted {
                    Ok(accepted) => accepted,
                    Err(error) => {
                        tracing::warn!(%error, "Could not accept a connection");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                        continue;
                    }
                },
            };
            let watched = watch(&graceful, stream, peer, router.clone(), limits.head_timeout);
            tokio::spawn(async move {
                if let Err(error) = watched.await {
                    // Peers go away and speak nonsense all the time.
                    tracing::debug!(%error, "A connection ended early");
                }
                drop(permit);
            });
        }
        drop(listener);
        if tokio::time::timeout(limits.drain_timeout, graceful.shutdown()).await.is_err() {
            tracing::warn!("Some requests did not end in time");
        }
    }
}

async fn accept(
    listener: &TcpListener,
    connections: &Arc<Semaphore>,
) -> std::io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let permit = Arc::clone(connections).acquire_owned().await.expect("the semaphore is never closed");
    let (stream, peer) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok((stream, peer, permit))
}

/// One connection: keep-alive, with limits on what a head may cost in time and memory.
fn watch(
    graceful: &GracefulShutdown,
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    head_timeout: Duration,
) -> impl Future<Output = hyper::Result<()>> + Send + use<> {
    let service = router.map_request(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(Peer(peer.ip()));
        request
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head_timeout)
        .max_buf_size(HEADERS_MAX)
        .max_headers(HEADERS_COUNT_MAX)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    graceful.watch(connection)
}

#[cfg(test)]
mod tests;
