//! One call to an API that takes JSON and knows us by a key in a header of its own or by an access token: the address, the
//! key, and what it means when no answer comes.
//!
//! What must not live here: any vendor's paths, names or error codes.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, header};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use syncline_connect::{Cx, Error, ErrorKind, HttpError, Retry};
use url::Url;

/// The longest that a vendor may make us wait: their limits are counted by the hour at the most.
const WAIT_MAX: Duration = Duration::from_secs(3_600);

/// The calls of one step, counted.
pub struct Calling<'a> {
    pub cx: &'a Cx<'a>,
    pub op: &'static str,
    key: Key,
    /// Further headers.
    headers: Vec<(&'static str, String)>,
    made: u32,
}

/// How we are known.
#[derive(Debug, Clone, Copy)]
enum Key {
    /// By a key in this header.
    Header(&'static str),
    /// By an access token (RFC 6750).
    Bearer,
}

/// An answer that came, whatever it says.
pub struct Heard {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl<'a> Calling<'a> {
    pub fn new(cx: &'a Cx<'a>, op: &'static str, key: &'static str) -> Self {
        Self { cx, op, key: Key::Header(key), headers: Vec::new(), made: 0 }
    }

    /// Known by an access token.
    pub fn bearer(cx: &'a Cx<'a>, op: &'static str) -> Self {
        Self { cx, op, key: Key::Bearer, headers: Vec::new(), made: 0 }
    }

    /// With a header that every call has.
    pub fn with(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }

    /// How many calls were made.
    pub fn made(&self) -> u32 {
        self.made
    }

    /// An error of this step.
    pub fn error(&self, kind: ErrorKind, retry: Retry, message: impl Into<String>) -> Error {
        Error::new(kind, retry, self.op, message)
    }

    /// Asks for something.
    pub async fn get(&mut self, path: &[&str], query: &[(&str, String)]) -> Result<Heard, Error> {
        self.send(Method::GET, path, query, None).await
    }

    /// Asks for something where an answer said that it is. Whether that is an address that may be called is for the
    /// caller to know.
    pub async fn follow(&mut self, link: &Url) -> Result<Heard, Error> {
        self.exchange(Method::GET, link, None, true).await
    }

    /// Asks for something in a way that needs a body, and changes nothing.
    pub async fn query(&mut self, path: &[&str], body: Bytes) -> Result<Heard, Error> {
        let url = self.address(path, &[])?;
        self.exchange(Method::POST, &url, Some(body), true).await
    }

    /// Sends one request and hears the answer, whatever its status may be.
    pub async fn send(
        &mut self,
        method: Method,
        path: &[&str],
        query: &[(&str, String)],
        body: Option<Bytes>,
    ) -> Result<Heard, Error> {
        let reads = method == Method::GET;
        let url = self.address(path, query)?;
        self.exchange(method, &url, body, reads).await
    }

    async fn exchange(&mut self, method: Method, url: &Url, body: Option<Bytes>, reads: bool) -> Result<Heard, Error> {
        let request = self.request(method, url, body)?;
        self.made += 1;
        let answer = self.cx.http.send(request).await.map_err(|error| self.unheard(&error, reads))?;
        let (parts, body) = answer.into_parts();
        Ok(Heard { status: parts.status.as_u16(), headers: parts.headers, body })
    }

    fn request(&self, method: Method, url: &Url, body: Option<Bytes>) -> Result<Request<Bytes>, Error> {
        let (name, key) = self.key()?;
        let mut request = Request::builder()
            .method(method)
            .uri(url.as_str())
            .header(name, key)
            .header(header::ACCEPT, "application/json");
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        request.body(body.unwrap_or_default()).map_err(|_| self.wrong("the API address cannot be called"))
    }

    fn key(&self) -> Result<(&'static str, HeaderValue), Error> {
        let secret = self.cx.bearer.expose();
        let (name, value, fault) = match self.key {
            Key::Header(name) => (name, HeaderValue::from_str(secret), "the API key has characters that no key has"),
            Key::Bearer => (
                header::AUTHORIZATION.as_str(),
                HeaderValue::from_str(&format!("Bearer {secret}")),
                "the access token has characters that no token has; reconnect the account",
            ),
        };
        let mut value = value.map_err(|_| self.wrong(fault))?;
        value.set_sensitive(true);
        Ok((name, value))
    }

    /// An address of the API.
    pub fn address(&self, path: &[&str], query: &[(&str, String)]) -> Result<Url, Error> {
        address(self.cx.base_url, path, query).ok_or_else(|| self.wrong("the API address cannot be called"))
    }

    fn wrong(&self, what: &str) -> Error {
        self.error(ErrorKind::Configuration, Retry::Never, what)
    }

    /// A question that nobody heard can be asked again; of a write that nobody answered, nobody knows.
    fn unheard(&self, error: &HttpError, reads: bool) -> Error {
        let (kind, retry) = match error {
            HttpError::NotSent { .. } => (ErrorKind::Unreachable, Retry::Backoff),
            HttpError::Unanswered { .. } if reads => (ErrorKind::Unavailable, Retry::Backoff),
            HttpError::Unanswered { .. } => (ErrorKind::UnknownOutcome, Retry::Backoff),
            HttpError::Forbidden { .. } => (ErrorKind::Configuration, Retry::Never),
            HttpError::Paced { wait, .. } => (ErrorKind::RateLimited, Retry::After(*wait)),
        };
        self.error(kind, retry, error.to_string())
    }
}

impl Heard {
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The body, where it is what is expected.
    pub fn read<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_slice(&self.body).ok()
    }

    /// Whether it says nothing, or says it in JSON: a page of somebody on the way, sent as a success, does neither.
    pub fn is_theirs(&self) -> bool {
        self.body.is_empty() || self.read::<serde::de::IgnoredAny>().is_some()
    }

    /// When the answer was given, by the vendor's clock.
    pub fn date(&self) -> Option<Timestamp> {
        let text = self.headers.get(header::DATE)?.to_str().ok()?;
        Some(jiff::fmt::rfc2822::parse(text).ok()?.timestamp())
    }

    /// How long a header of seconds asks us to wait.
    pub fn wait(&self, header: &str) -> Retry {
        self.seconds(header).map_or(Retry::Backoff, |wait| Retry::After(wait.max(Duration::from_secs(1)).min(WAIT_MAX)))
    }

    /// The seconds that a header tells.
    pub fn seconds(&self, header: &str) -> Option<Duration> {
        Some(Duration::from_secs(self.headers.get(header)?.to_str().ok()?.trim().parse().ok()?))
    }
}

/// The base address with the path behind its own.
fn address(base: &Url, path: &[&str], query: &[(&str, String)]) -> Option<Url> {
    let mut url = base.clone();
    url.set_query(None);
    url.set_fragment(None);
    url.path_segments_mut().ok()?.pop_if_empty().extend(path);
    if !query.is_empty() {
        url.query_pairs_mut().extend_pairs(query.iter().map(|(name, value)| (name, value)));
    }
    Some(url)
}
