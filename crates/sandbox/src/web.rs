//! What the imitation vendors with a JSON API share: being a site that answers requests, JSON answers, a call limit by
//! the minute, query parameters. No vendor's rules live here.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response, header, request::Parts};
use jiff::Timestamp;
use serde_json::Value;

use crate::{
    Reply, SalesforceOrg, salesforce,
    talk::{Talk, Talking},
};

/// Anything that answers requests by a function call, and so can be served on a socket.
pub trait Site: Send + Sync + 'static {
    /// Answers one request. `base_url` is where clients reach the site, without a slash at its end.
    fn handle(&self, base_url: &str, request: Request<Bytes>) -> Reply;

    /// Whether an exchange with this head stays open and is talked in by [`Site::talk`].
    fn talks(&self, _head: &Parts) -> bool {
        false
    }

    /// Talks in an exchange that stays open, to its end.
    fn talk(self: Arc<Self>, _head: Parts, talk: Talk) -> Talking {
        drop(talk);
        Box::pin(std::future::ready(()))
    }
}

impl Site for SalesforceOrg {
    fn handle(&self, base_url: &str, request: Request<Bytes>) -> Reply {
        SalesforceOrg::handle(self, base_url, request)
    }

    fn talks(&self, head: &Parts) -> bool {
        salesforce::is_pub_sub(head.uri.path())
    }

    fn talk(self: Arc<Self>, head: Parts, talk: Talk) -> Talking {
        Box::pin(self.pub_sub(head, talk))
    }
}

/// A webhook that is ready to be sent: the caller decides whether it arrives, twice, late, or never.
#[derive(Debug, Clone)]
pub struct Webhook {
    pub url: String,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

/// An answer with a JSON body.
pub(crate) fn json(status: u16, body: &Value) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body.to_string()));
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or_default();
    set(&mut response, header::CONTENT_TYPE, "application/json; charset=utf-8");
    response
}

/// An answer without a body.
pub(crate) fn empty(status: u16) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or_default();
    response
}

/// Sets a header whose value is plain text.
pub(crate) fn set(response: &mut Response<Bytes>, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

/// The bearer token of a request.
pub(crate) fn bearer(request: &Request<Bytes>) -> Option<&str> {
    request.headers().get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}

/// The request's query; of a repeated name the last value.
pub(crate) fn query(request: &Request<Bytes>) -> BTreeMap<String, String> {
    let text = request.uri().query().unwrap_or_default();
    url::form_urlencoded::parse(text.as_bytes()).map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
}

/// Calls of the present minute.
#[derive(Debug, Default)]
pub(crate) struct Minute {
    began: Option<Timestamp>,
    calls: u32,
}

/// How a call stands against the limit.
pub(crate) struct Allowance {
    pub(crate) limit: u32,
    pub(crate) remaining: u32,
    /// Seconds until the count starts afresh.
    pub(crate) reset: i64,
    pub(crate) refused: bool,
}

impl Minute {
    /// Counts a call.
    pub(crate) fn count(&mut self, now: Timestamp, limit: u32) -> Allowance {
        const MINUTE: i64 = 60;
        let age = self.began.map_or(MINUTE, |began| now.duration_since(began).as_secs());
        if !(0..MINUTE).contains(&age) {
            self.began = Some(now);
            self.calls = 0;
        }
        let age = self.began.map_or(0, |began| now.duration_since(began).as_secs());
        let refused = self.calls >= limit;
        self.calls = self.calls.saturating_add(1);
        Allowance { limit, remaining: limit.saturating_sub(self.calls), reset: MINUTE - age, refused }
    }
}

/// HMAC-SHA256 in lower-case hexadecimal digits.
pub(crate) fn hmac_hex(key: &str, parts: &[&[u8]]) -> String {
    use hmac::{KeyInit, Mac};
    let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(key.as_bytes()).expect("HMAC takes keys of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}
