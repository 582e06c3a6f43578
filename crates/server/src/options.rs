//! What the operator chooses for the server, and every limit by name.

use std::{sync::Arc, time::Duration};

use syncline_connect::Secret;
use url::Url;

pub use crate::hooks::asks::AskKeys;
use crate::shared::HintSetup;

/// The largest body that is read. Booking webhooks are a few kilobytes; OWASP ASVS 5.0 (4.1) asks for some limit.
pub const BODY_LIMIT: usize = 1024 * 1024;

/// Request line and headers together. Browsers and vendors stay below 8 KiB.
pub const HEADERS_MAX: usize = 16 * 1024;

/// The number of headers of one request.
pub const HEADERS_COUNT_MAX: usize = 100;

/// Connections open at the same time; the next ones wait in the listener's queue.
pub const CONNECTIONS_MAX: usize = 4096;

/// How the server is to behave.
#[derive(Clone)]
pub struct ServerOptions {
    /// Where people and vendors reach this server.
    pub public_url: Url,
    /// Lets the API's callers in, and people at the sign-in form.
    pub admin_token: Secret,
    /// Lets whoever has the printed link in, for the demo and the first run.
    pub sign_in_key: Option<Secret>,
    pub body_limit: usize,
    /// Signs session cookies.
    pub session_key: [u8; 32],
    /// Cookies go over TLS only and are bound to the host. Off only for plain HTTP on a local machine.
    pub secure_cookies: bool,
    /// Health and metrics have a port of their own, and the public one does not have them.
    pub separate_admin: bool,
    pub limits: Limits,
    /// Connections whose vendors tell by webhook that something has changed.
    pub hints: Vec<HintSetup>,
    /// By which addresses tools may ask for records.
    pub ask_keys: Arc<AskKeys>,
    /// The metrics in Prometheus' text format.
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
    /// Whether the workers run.
    pub workers_alive: Arc<dyn Fn() -> bool + Send + Sync>,
}

impl ServerOptions {
    /// Options with the default limits, for a server behind TLS.
    pub fn new(public_url: Url, admin_token: Secret, session_key: [u8; 32]) -> Self {
        Self {
            secure_cookies: public_url.scheme() == "https",
            public_url,
            admin_token,
            sign_in_key: None,
            body_limit: BODY_LIMIT,
            session_key,
            separate_admin: false,
            limits: Limits::default(),
            hints: Vec::new(),
            ask_keys: Arc::new(|_, _, _| Vec::new()),
            metrics: Arc::new(String::new),
            workers_alive: Arc::new(|| true),
        }
    }
}

impl std::fmt::Debug for ServerOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerOptions")
            .field("public_url", &self.public_url.as_str())
            .field("body_limit", &self.body_limit)
            .field("secure_cookies", &self.secure_cookies)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// Limits that an operator may set.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Webhooks of one source per second, on the average. Far above what a source sends; it bounds what a leaked
    /// address can do to the disk.
    pub hooks_per_second: u32,
    /// Webhooks of one source that may come at once.
    pub hooks_burst: u32,
    /// Failed sign-ins from one address within a minute.
    pub sign_ins_per_minute: u32,
    /// How long the head of a request may take (a slow sender must not hold a connection).
    pub head_timeout: Duration,
    /// How long the body of a request may take.
    pub body_timeout: Duration,
    /// How long requests in flight may take to end once the server is told to stop.
    pub drain_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            hooks_per_second: 20_000,
            hooks_burst: 20_000,
            sign_ins_per_minute: 10,
            head_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(10),
            drain_timeout: Duration::from_secs(10),
        }
    }
}
