//! The real HTTP client: pooled, bounded in time and size, and closed to addresses that nobody allowed.

mod address;
mod open;
#[cfg(test)]
mod tests;

use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, OnceLock},
    time::Duration,
};

use anyhow::Context;
use bytes::{Bytes, BytesMut};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use syncline_connect::{
    BoxFuture, Http, HttpError,
    http::{Incoming, Outgoing},
};
use url::{Host, Url};

/// From the first byte of the name look-up to the last byte of the answer, unless configured otherwise. The engine's
/// lease is longer.
pub const CALL_DEADLINE: Duration = Duration::from_secs(30);

/// How long a connection may take to come about.
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);

/// The largest answer that is read.
const MAX_ANSWER_BYTES: usize = 10 * 1024 * 1024;

/// Idle connections kept per host.
const IDLE_PER_HOST: usize = 8;

/// The one HTTP client.
pub struct Client {
    #[expect(clippy::disallowed_types, reason = "this is where the real client is handed in")]
    inner: reqwest::Client,
    /// For exchanges that stay open; made when the first one is opened.
    #[expect(clippy::disallowed_types, reason = "this is where the real client is handed in")]
    lasting: OnceLock<reqwest::Client>,
    allowed: Arc<Vec<Origin>>,
    deadline: Duration,
}

/// A scheme, host and port that the operator opened although it is not public or not encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    scheme: String,
    host: String,
    port: u16,
}

impl Origin {
    /// Reads `http://host:port`.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let url =
            Url::parse(text).with_context(|| format!("`{text}` is no address; write it like http://127.0.0.1:9000"))?;
        Self::of(&url).with_context(|| format!("`{text}` needs http or https, a host, and nothing behind it"))
    }

    fn of(url: &Url) -> Option<Self> {
        if !matches!(url.scheme(), "http" | "https") {
            return None;
        }
        Some(Self {
            scheme: url.scheme().to_owned(),
            host: url.host_str()?.to_owned(),
            port: url.port_or_known_default()?,
        })
    }
}

impl Client {
    /// A client that may call public https addresses and the allowed origins.
    pub fn new(allowed: Vec<Origin>, deadline: Duration) -> anyhow::Result<Self> {
        let allowed = Arc::new(allowed);
        let inner = reqwest_builder()
            .dns_resolver(Arc::new(PublicOnly { allowed: Arc::clone(&allowed) }))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .timeout(deadline)
            .connect_timeout(CONNECT_DEADLINE)
            .pool_max_idle_per_host(IDLE_PER_HOST)
            .tcp_nodelay(true)
            .user_agent(concat!("syncline/", env!("CARGO_PKG_VERSION")))
            .build()
            .context("building the HTTP client")?;
        Ok(Self { inner, lasting: OnceLock::new(), allowed, deadline })
    }

    /// What the address itself rules out; names are judged once they are resolved.
    fn check(&self, url: &Url) -> Result<(), &'static str> {
        if Origin::of(url).is_some_and(|origin| self.allowed.contains(&origin)) {
            return Ok(());
        }
        // Names of opened origins resolve to closed addresses, so nothing else on such a host may be called.
        if self.allowed.iter().any(|origin| Some(origin.host.as_str()) == url.host_str()) {
            return Err("only the named origin of this host is open; open others under [network] allow");
        }
        if url.scheme() != "https" {
            return Err("only https is called; open other origins under [network] allow");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("an address must not carry credentials");
        }
        let literal = match url.host() {
            Some(Host::Ipv4(v4)) => Some(IpAddr::V4(v4)),
            Some(Host::Ipv6(v6)) => Some(IpAddr::V6(v6)),
            Some(Host::Domain(_)) => None,
            None => return Err("an address needs a host"),
        };
        match literal {
            Some(ip) if !address::is_public(ip) => Err("the address is not public; open it under [network] allow"),
            _ => Ok(()),
        }
    }

    /// An address that may be called, with its host.
    fn admitted(&self, uri: &http::Uri) -> Result<(Url, String), HttpError> {
        let url = Url::parse(&uri.to_string()).map_err(|error| HttpError::NotSent {
            host: String::new(),
            reason: format!("the address cannot be read: {error}"),
        })?;
        let host = url.host_str().unwrap_or_default().to_owned();
        match self.check(&url) {
            Ok(()) => Ok((url, host)),
            Err(reason) => Err(HttpError::Forbidden { host, reason: reason.to_owned() }),
        }
    }

    async fn exchange(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, HttpError> {
        let (parts, body) = request.into_parts();
        let (url, host) = self.admitted(&parts.uri)?;
        let sent = self.inner.request(parts.method, url).headers(parts.headers).body(body).send().await;
        let mut answer = sent.map_err(|error| self.not_answered(&host, &error))?;
        let mut out = http::Response::builder().status(answer.status());
        if let Some(headers) = out.headers_mut() {
            headers.clone_from(answer.headers());
        }
        let mut bytes = BytesMut::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| self.not_answered(&host, &error))? {
            if bytes.len() + chunk.len() > MAX_ANSWER_BYTES {
                return Err(HttpError::Unanswered {
                    host,
                    reason: format!("the answer is larger than {MAX_ANSWER_BYTES} bytes"),
                });
            }
            bytes.extend_from_slice(&chunk);
        }
        out.body(bytes.freeze()).map_err(|error| HttpError::Unanswered { host, reason: error.to_string() })
    }

    /// Whether the request may have arrived is all that matters; the reason never carries the address's query.
    fn not_answered(&self, host: &str, error: &reqwest::Error) -> HttpError {
        let host = host.to_owned();
        let mut reason = String::new();
        let mut source = std::error::Error::source(error);
        while let Some(cause) = source {
            reason = cause.to_string();
            source = cause.source();
        }
        if error.is_connect() || error.is_builder() {
            return HttpError::NotSent { host, reason };
        }
        if error.is_timeout() {
            reason = format!("no answer within {} s", self.deadline.as_secs());
        }
        HttpError::Unanswered { host, reason }
    }
}

#[expect(clippy::disallowed_types, reason = "this is where the real client is handed in")]
fn reqwest_builder() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
}

impl Http for Client {
    fn send(&self, request: http::Request<Bytes>) -> BoxFuture<'_, Result<http::Response<Bytes>, HttpError>> {
        Box::pin(self.exchange(request))
    }

    fn open(&self, request: http::Request<Outgoing>) -> BoxFuture<'_, Result<http::Response<Incoming>, HttpError>> {
        Box::pin(self.open_lasting(request))
    }
}

/// Resolves names with the system's resolver and drops every address that may not be called. The client connects to
/// what is returned here, so that a name cannot point elsewhere between the check and the connection.
struct PublicOnly {
    allowed: Arc<Vec<Origin>>,
}

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        let host = name.as_str().to_owned();
        let opened = self.allowed.iter().any(|origin| origin.host == host);
        Box::pin(async move {
            let usable = usable(tokio::net::lookup_host((host.as_str(), 0)).await?, opened);
            if usable.is_empty() {
                return Err(format!("{host} has no public address").into());
            }
            Ok(Box::new(usable.into_iter()) as Addrs)
        })
    }
}

/// What may be called of the addresses that a name has.
fn usable(found: impl Iterator<Item = SocketAddr>, opened: bool) -> Vec<SocketAddr> {
    found.filter(|address| opened || address::is_public(address.ip())).collect()
}
