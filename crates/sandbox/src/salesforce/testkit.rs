//! An org for tests: a clock that is set by hand, chance from a seed, and short ways to ask.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicI64, AtomicU64, Ordering},
};

use bytes::Bytes;
use http::Request;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use syncline_core::{Clock, Entropy};

use super::{SalesforceConfig, SalesforceOrg};
use crate::Delivery;

pub const BASE: &str = "http://org.example";
/// 2026-05-06T12:00:00Z
pub const NOON: i64 = 1_778_068_800;

pub struct HandClock(AtomicI64);

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(self.0.load(Ordering::Relaxed)).expect("tests stay within the calendar")
    }
}

struct Seeded(AtomicU64);

impl Entropy for Seeded {
    fn fill(&self, bytes: &mut [u8]) {
        for byte in bytes {
            let mut x = self.0.load(Ordering::Relaxed);
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            self.0.store(x, Ordering::Relaxed);
            *byte = (x >> 24) as u8;
        }
    }
}

pub struct Kit {
    pub org: Arc<SalesforceOrg>,
    clock: Arc<HandClock>,
    token: Mutex<String>,
}

/// A response, read.
#[derive(Debug)]
pub struct Got {
    pub status: u16,
    pub headers: http::HeaderMap,
    pub text: String,
    pub body: Value,
    pub deliver: Delivery,
}

impl Kit {
    pub fn new() -> Self {
        Self::with(SalesforceConfig::default())
    }

    pub fn with(config: SalesforceConfig) -> Self {
        let clock = Arc::new(HandClock(AtomicI64::new(NOON)));
        let org = SalesforceOrg::new(config, clock.clone(), Arc::new(Seeded(AtomicU64::new(0x5EED))));
        let kit = Self { org, clock, token: Mutex::default() };
        kit.log_in();
        kit
    }

    /// Gets a fresh session by the client-credentials flow.
    pub fn log_in(&self) {
        let app = &self.org.config.app;
        let got = self.form(
            "/services/oauth2/token",
            &[
                ("grant_type", "client_credentials"),
                ("client_id", &app.client_id),
                ("client_secret", &app.client_secret),
            ],
        );
        *self.token.lock().expect("tests use one thread") =
            got.body["access_token"].as_str().unwrap_or_default().to_owned();
    }

    /// A clock and chance for another org.
    pub fn hands(&self) -> (Arc<dyn Clock>, Arc<dyn Entropy>) {
        (self.clock.clone(), Arc::new(Seeded(AtomicU64::new(0x5EED))))
    }

    pub fn advance(&self, seconds: i64) {
        self.clock.0.fetch_add(seconds, Ordering::Relaxed);
    }

    pub fn form(&self, path: &str, fields: &[(&str, &str)]) -> Got {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = Request::post(path).header("content-type", "application/x-www-form-urlencoded");
        self.raw(request.body(Bytes::from(body)).expect("a valid request"))
    }

    pub fn raw(&self, request: Request<Bytes>) -> Got {
        let reply = self.org.handle(BASE, request);
        let (parts, body) = reply.response.into_parts();
        let text = String::from_utf8_lossy(&body).into_owned();
        let json = serde_json::from_slice(&body).unwrap_or(Value::Null);
        Got { status: parts.status.as_u16(), headers: parts.headers, text, body: json, deliver: reply.deliver }
    }

    /// A REST request of version 64; the path is what follows `/services/data/v64.0`.
    pub fn ask(&self, method: &str, path: &str, body: Value) -> Got {
        self.ask_with(method, path, body, &[])
    }

    pub fn ask_with(&self, method: &str, path: &str, body: Value, headers: &[(&str, &str)]) -> Got {
        let path = format!("/services/data/v64.0{path}");
        let token = self.token.lock().expect("tests use one thread").clone();
        let mut request =
            Request::builder().method(method).uri(path).header("authorization", format!("Bearer {token}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let bytes = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
        self.raw(request.body(bytes).expect("a valid request"))
    }

    /// A `PUT` of something that is not JSON.
    pub fn put_text(&self, path: &str, kind: &str, text: &str) -> Got {
        let token = self.token.lock().expect("tests use one thread").clone();
        let request = Request::put(format!("/services/data/v64.0{path}"))
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", kind);
        self.raw(request.body(Bytes::from(text.to_owned())).expect("a valid request"))
    }

    pub fn get(&self, path: &str) -> Got {
        self.ask("GET", path, Value::Null)
    }

    /// Creates a record and answers its id.
    pub fn create(&self, object: &str, record: Value) -> String {
        let got = self.ask("POST", &format!("/sobjects/{object}"), record);
        assert_eq!(got.status, 201, "{}", got.text);
        got.body["id"].as_str().expect("a created record has an id").to_owned()
    }

    /// A query by `GET`, with its text encoded.
    pub fn query(&self, soql: &str) -> Got {
        let q: String = url::form_urlencoded::byte_serialize(soql.as_bytes()).collect();
        self.get(&format!("/query?q={q}"))
    }

    /// One column of what a query finds.
    pub fn column(&self, soql: &str, field: &str) -> Vec<Value> {
        let got = self.query(soql);
        assert_eq!(got.status, 200, "{soql}: {}", got.text);
        got.body["records"].as_array().into_iter().flatten().map(|row| row[field].clone()).collect()
    }

    pub fn records(&self, object: &str) -> Vec<Map<String, Value>> {
        self.org.records(object)
    }
}

/// The code of the first error in an error body, or in a row's result.
pub fn code(body: &Value) -> &str {
    let first = &body[0];
    first["errorCode"].as_str().or_else(|| first["errors"][0]["statusCode"].as_str()).unwrap_or_default()
}

pub fn contact(last: &str) -> Value {
    json!({"LastName": last, "Email": format!("{}@guest.example", last.to_lowercase())})
}
