//! One call to a booking source's API: the address, the bearer, and what its status means. Booking sources are only
//! read, save for their webhook subscriptions, so every failure here can be met by asking again.
//!
//! What must not live here: any vendor's paths or field names.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, header};
use serde_json::{Map, Value};
use syncline_connect::{Cx, Error, ErrorKind, HttpError, Retry};
use url::Url;

use super::object;

/// The longest that a source may make us wait; its limits are counted by the minute.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3_600);

/// From here on a number of seconds is a moment, not a wait: 2001-09-09, before any of these vendors was founded.
const EPOCH_FROM: u64 = 1_000_000_000;

/// Calls of one step, counted, with what the vendor calls things.
pub struct Asking<'a> {
    cx: &'a Cx<'a>,
    op: &'static str,
    /// The vendor's name as people know it.
    vendor: &'static str,
    /// The header that says when the limit starts afresh.
    reset: &'static str,
    calls: u32,
}

/// What is asked.
pub struct Question<'q> {
    pub method: Method,
    pub path: &'q [&'q str],
    pub query: &'q [(&'q str, String)],
    pub headers: &'q [(&'static str, &'static str)],
    pub body: Option<Value>,
}

impl<'q> Question<'q> {
    /// A reading question.
    pub fn get(path: &'q [&'q str], query: &'q [(&'q str, String)]) -> Self {
        Self { method: Method::GET, path, query, headers: &[], body: None }
    }
}

/// An answer that came, whatever it says.
pub struct Heard {
    pub status: u16,
    headers: HeaderMap,
    body: Bytes,
}

impl<'a> Asking<'a> {
    pub fn new(cx: &'a Cx<'a>, op: &'static str, vendor: &'static str, reset: &'static str) -> Self {
        Self { cx, op, vendor, reset, calls: 0 }
    }

    /// How many calls were made.
    pub fn calls(&self) -> u32 {
        self.calls
    }

    /// An error of this question.
    pub fn error(&self, kind: ErrorKind, retry: Retry, message: impl Into<String>) -> Error {
        Error::new(kind, retry, self.op, message)
    }

    /// An answer that is not what the vendor documents.
    pub fn strange(&self, what: &str) -> Error {
        self.error(ErrorKind::Protocol, Retry::Backoff, format!("{} answered {what}", self.vendor))
    }

    /// Asks and reads the answer's object.
    pub async fn ask(&mut self, question: &Question<'_>) -> Result<Map<String, Value>, Error> {
        let heard = self.hear(question).await?;
        if !(200..300).contains(&heard.status) {
            return Err(self.refused(&heard));
        }
        self.read(&heard)
    }

    /// Asks for something that may not be there (404).
    pub async fn ask_for(&mut self, question: &Question<'_>) -> Result<Option<Map<String, Value>>, Error> {
        let heard = self.hear(question).await?;
        match heard.status {
            404 => Ok(None),
            200..300 => self.read(&heard).map(Some),
            _ => Err(self.refused(&heard)),
        }
    }

    /// Asks for something that may not be there, or not for us to see (403).
    pub async fn ask_if_allowed(&mut self, question: &Question<'_>) -> Result<Option<Map<String, Value>>, Error> {
        match self.ask_for(question).await {
            Err(error) if error.kind == ErrorKind::Forbidden => Ok(None),
            other => other,
        }
    }

    /// Asks, whatever the status of the answer may be.
    pub async fn hear(&mut self, question: &Question<'_>) -> Result<Heard, Error> {
        let request = self.request(question)?;
        self.calls += 1;
        let (parts, body) = self.cx.http.send(request).await.map_err(|error| self.unheard(&error))?.into_parts();
        Ok(Heard { status: parts.status.as_u16(), headers: parts.headers, body })
    }

    fn read(&self, heard: &Heard) -> Result<Map<String, Value>, Error> {
        object(&heard.body).map_err(|_| self.strange("something that is not the documented JSON"))
    }

    fn request(&self, question: &Question<'_>) -> Result<Request<Bytes>, Error> {
        let wrong = |what: &str| self.error(ErrorKind::Configuration, Retry::Never, what);
        let url = address(self.cx.base_url, question).ok_or_else(|| wrong("the API address cannot be called"))?;
        let mut bearer = HeaderValue::from_str(&format!("Bearer {}", self.cx.bearer.expose()))
            .map_err(|_| wrong("the API token has characters that no token has"))?;
        bearer.set_sensitive(true);
        let mut request = Request::builder()
            .method(question.method.clone())
            .uri(url.as_str())
            .header(header::AUTHORIZATION, bearer)
            .header(header::ACCEPT, "application/json");
        for (name, value) in question.headers {
            request = request.header(*name, *value);
        }
        let body = match &question.body {
            None => Bytes::new(),
            Some(body) => {
                request = request.header(header::CONTENT_TYPE, "application/json");
                Bytes::from(body.to_string())
            }
        };
        request.body(body).map_err(|_| wrong("the API address cannot be called"))
    }

    fn unheard(&self, error: &HttpError) -> Error {
        match error {
            HttpError::NotSent { .. } => self.error(ErrorKind::Unreachable, Retry::Backoff, error.to_string()),
            HttpError::Unanswered { .. } => self.error(ErrorKind::Unavailable, Retry::Backoff, error.to_string()),
            HttpError::Forbidden { .. } => self.error(ErrorKind::Configuration, Retry::Never, error.to_string()),
            HttpError::Paced { wait, .. } => self.error(ErrorKind::RateLimited, Retry::After(*wait), error.to_string()),
        }
    }

    /// What a status that is no success means. The answer's own text may quote what people typed, so it stays out.
    pub fn refused(&self, heard: &Heard) -> Error {
        let vendor = self.vendor;
        let (kind, retry, what) = match heard.status {
            401 => (ErrorKind::Unauthorised, Retry::Never, "does not accept the API token; make a new one".to_owned()),
            403 => (
                ErrorKind::Forbidden,
                Retry::Never,
                "does not let the owner of the API token do this; check their role and the plan".to_owned(),
            ),
            404 | 405 | 410 | 300..=399 => {
                (ErrorKind::Configuration, Retry::Never, "is not at this API address; check `url`".to_owned())
            }
            429 => (ErrorKind::RateLimited, self.wait(&heard.headers), "takes no more calls for now".to_owned()),
            408 | 500..=599 => (ErrorKind::Unavailable, self.wait(&heard.headers), "cannot answer just now".to_owned()),
            status => (ErrorKind::Invalid, Retry::Never, format!("does not understand the question (status {status})")),
        };
        let mut error = self.error(kind, retry, format!("{vendor} {what}"));
        error.code = Some(heard.status.to_string());
        error
    }

    fn wait(&self, headers: &HeaderMap) -> Retry {
        let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<u64>().ok();
        let Some(seconds) = number("retry-after").or_else(|| number(self.reset)) else { return Retry::Backoff };
        let now = u64::try_from(self.cx.now.as_second()).unwrap_or(0);
        let seconds = if seconds >= EPOCH_FROM { seconds.saturating_sub(now) } else { seconds };
        Retry::After(Duration::from_secs(seconds.max(1)).min(RETRY_AFTER_MAX))
    }
}

/// The base address with the path behind its own: a self-hosted service may live below a path.
fn address(base: &Url, question: &Question<'_>) -> Option<Url> {
    let mut url = base.clone();
    url.set_query(None);
    url.set_fragment(None);
    url.path_segments_mut().ok()?.pop_if_empty().extend(question.path);
    if !question.query.is_empty() {
        url.query_pairs_mut().extend_pairs(question.query.iter().map(|(name, value)| (name, value)));
    }
    Some(url)
}
