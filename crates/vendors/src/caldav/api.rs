//! The calls. The only place in this folder that calls anything; each goes to the one server that the connection names.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, header};
use syncline_connect::{Cx, Error, ErrorKind, HttpError, Retry};

use super::{
    classify::Refusal,
    path::{self, Elsewhere},
    wire::{Multistatus, conditions},
};

/// The calls of one question.
pub struct Api<'a> {
    pub cx: &'a Cx<'a>,
    pub op: &'static str,
    pub calls: u32,
}

/// How far a question reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    Itself,
    Members,
}

/// An answer as it came.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    body: Bytes,
}

impl Reply {
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Why it is none.
    pub fn refusal(&self) -> Refusal {
        let conditions = std::str::from_utf8(&self.body).map(conditions).unwrap_or_default();
        Refusal { status: self.status, conditions, wait: wait(&self.headers) }
    }
}

/// What came of a question.
#[derive(Debug)]
pub enum Answer {
    Told(Multistatus),
    Refused(Refusal),
    /// The path on the same server at which it is to be asked instead.
    Moved(String),
}

impl<'a> Api<'a> {
    pub fn new(cx: &'a Cx<'a>, op: &'static str) -> Self {
        Self { cx, op, calls: 0 }
    }

    pub fn error(&self, kind: ErrorKind, retry: Retry, message: impl Into<String>) -> Error {
        Error::new(kind, retry, self.op, message)
    }

    /// An answer that no standard knows.
    pub fn strange(&self, what: &str) -> Error {
        self.error(ErrorKind::Protocol, Retry::Backoff, format!("the server answers {what}"))
    }

    /// The path of an address in an answer. Nothing is ever asked of another server: it would be told the password.
    pub fn path(&self, href: &str) -> Result<String, Error> {
        path::canonical(href, self.cx.base_url).map_err(|elsewhere| match elsewhere {
            Elsewhere::Origin(origin) => self.error(
                ErrorKind::Configuration,
                Retry::Never,
                format!("the calendars are on another server, which must be named itself: set `url` to {origin}"),
            ),
            Elsewhere::Nowhere => self.strange("an address that is none"),
        })
    }

    /// `PROPFIND`
    pub async fn find(&mut self, path: &str, depth: Depth, body: String) -> Result<Answer, Error> {
        self.ask("PROPFIND", path, depth, body).await
    }

    /// `REPORT`
    pub async fn report(&mut self, path: &str, depth: Depth, body: String) -> Result<Answer, Error> {
        self.ask("REPORT", path, depth, body).await
    }

    /// `PUT` of an event, bound to nothing or to a condition.
    pub async fn put(&mut self, path: &str, condition: Option<(&str, &str)>, text: String) -> Result<Reply, Error> {
        let mut headers = vec![("content-type", "text/calendar; charset=utf-8")];
        headers.extend(condition);
        self.call("PUT", path, &headers, text).await
    }

    /// `DELETE`
    pub async fn delete(&mut self, path: &str, condition: Option<(&str, &str)>) -> Result<Reply, Error> {
        self.call("DELETE", path, condition.as_slice(), String::new()).await
    }

    /// `OPTIONS`
    pub async fn options(&mut self, path: &str) -> Result<Reply, Error> {
        self.call("OPTIONS", path, &[], String::new()).await
    }

    async fn ask(&mut self, method: &str, path: &str, depth: Depth, body: String) -> Result<Answer, Error> {
        let depth = if depth == Depth::Itself { "0" } else { "1" };
        let headers = [("depth", depth), ("content-type", "application/xml; charset=utf-8")];
        let reply = self.call(method, path, &headers, body).await?;
        let status = reply.status;
        if status == 207 {
            let text = std::str::from_utf8(&reply.body).ok().and_then(Multistatus::read);
            return text.map(Answer::Told).ok_or_else(|| self.strange("something that is no list of properties"));
        }
        if let (301 | 302 | 307 | 308, Some(to)) = (status, location(&reply.headers)) {
            let from = path::address(self.cx.base_url, path);
            let to = path::canonical(from.join(to).map_or(to.to_owned(), String::from).as_str(), self.cx.base_url);
            return match to {
                Ok(to) => Ok(Answer::Moved(to)),
                Err(_) => Ok(Answer::Refused(Refusal { status, conditions: Vec::new(), wait: None })),
            };
        }
        Ok(Answer::Refused(reply.refusal()))
    }

    async fn call(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: String) -> Result<Reply, Error> {
        let request = self.request(method, path, headers, body)?;
        let writes = matches!(method, "PUT" | "DELETE");
        self.calls += 1;
        let answer = self.cx.http.send(request).await.map_err(|error| self.unheard(&error, writes))?;
        let (parts, body) = answer.into_parts();
        Ok(Reply { status: parts.status.as_u16(), headers: parts.headers, body })
    }

    fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> Result<Request<Bytes>, Error> {
        let wrong = |what: &str| self.error(ErrorKind::Configuration, Retry::Never, what);
        let secret = self.cx.bearer.expose();
        if !secret.contains(':') {
            return Err(wrong("the secret must be the user's name, a colon and the password"));
        }
        let basic = format!("Basic {}", STANDARD.encode(secret));
        let mut basic = HeaderValue::from_str(&basic).map_err(|_| wrong("the secret cannot be sent"))?;
        basic.set_sensitive(true);
        let method = Method::from_bytes(method.as_bytes()).map_err(|_| wrong("the address cannot be called"))?;
        let mut request = Request::builder()
            .method(method)
            .uri(path::address(self.cx.base_url, path).as_str())
            .header(header::AUTHORIZATION, basic);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(Bytes::from(body)).map_err(|_| wrong("the address cannot be called"))
    }

    /// What only reads, and nobody heard or answered, can be asked again; of a write that nobody answered, nobody knows.
    fn unheard(&self, error: &HttpError, writes: bool) -> Error {
        let (kind, retry) = match error {
            HttpError::NotSent { .. } => (ErrorKind::Unreachable, Retry::Backoff),
            HttpError::Unanswered { .. } if writes => (ErrorKind::UnknownOutcome, Retry::Backoff),
            HttpError::Unanswered { .. } => (ErrorKind::Unavailable, Retry::Backoff),
            HttpError::Forbidden { .. } => (ErrorKind::Configuration, Retry::Never),
            HttpError::Paced { wait, .. } => (ErrorKind::RateLimited, Retry::After(*wait)),
        };
        self.error(kind, retry, error.to_string())
    }

    /// What is told, or the error of a refusal.
    pub fn told(&self, answer: Answer) -> Result<Multistatus, Error> {
        match answer {
            Answer::Told(told) => Ok(told),
            Answer::Refused(refusal) => Err(refusal.error(self.op)),
            Answer::Moved(_) => Err(Refusal { status: 301, conditions: Vec::new(), wait: None }.error(self.op)),
        }
    }
}

fn location(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::LOCATION)?.to_str().ok()
}

fn wait(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}
