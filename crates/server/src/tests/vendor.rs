//! A vendor of the tests' own: signed webhooks with a time stamp, and OAuth whose calls are recorded.

use std::sync::{
    Mutex,
    atomic::{AtomicBool, Ordering},
};

use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use sha2::Sha256;
use syncline_connect::{
    Answered, Bookings, BoxFuture, Connector, Cx, Error, ErrorKind, Grant, Hints, Hook, Http, HttpError, Manifest,
    OAuth, RawRequest, Reading, Refusal, Retry, Secret, Settings, TokenSet, Watches,
    bookings::Malformed,
    calendar::CalendarId,
    oauth::{App, TokenCx},
    watch::{Notice, Says, Watch},
};
use syncline_core::{
    booking::message::{Attendee, Booking, BookingMessage, MessageKind},
    ids::BookingKey,
};
use url::Url;

pub(crate) struct TestVendor;

pub(crate) static VENDOR: TestVendor = TestVendor;

static MANIFEST: Manifest = Manifest {
    vendor: "acme",
    display_name: "Acme",
    docs: "https://acme.example/docs",
    scopes: &["api"],
    settings: &[],
    roles: &[],
    // Not the 503 that a careless handler would answer.
    overload_status: 429,
    trusted_domains: &[".acme.example"],
};

impl Connector for TestVendor {
    fn manifest(&self) -> &'static Manifest {
        &MANIFEST
    }

    fn bookings(&self) -> Option<&dyn Bookings> {
        Some(self)
    }

    fn oauth(&self) -> Option<&dyn OAuth> {
        Some(self)
    }

    fn hints(&self) -> Option<&dyn Hints> {
        Some(self)
    }
}

impl Hints for TestVendor {
    fn signed(&self) -> bool {
        true
    }

    fn verify(&self, raw: &RawRequest, url: &str, secrets: &[Secret], now: Timestamp) -> Result<(), Refusal> {
        assert!(url.starts_with("https://sync.example/hooks/"), "{url}");
        Bookings::verify(self, raw, secrets, now)
    }
}

/// The signature header of a body at a time.
pub(crate) fn signature(secret: &str, at: Timestamp, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(format!("{}.", at.as_second()).as_bytes());
    mac.update(body);
    format!("t={},v={}", at.as_second(), hex::encode(mac.finalize().into_bytes()))
}

#[derive(Deserialize)]
struct Wire {
    id: String,
    #[serde(default)]
    ignored: Option<String>,
    #[serde(default)]
    name: String,
    #[serde(default)]
    title: String,
}

impl Bookings for TestVendor {
    fn signed(&self) -> bool {
        true
    }

    fn verify(&self, raw: &RawRequest, secrets: &[Secret], now: Timestamp) -> Result<(), Refusal> {
        let header = raw.headers.get("x-acme-signature").ok_or(Refusal::Missing)?;
        let header = header.to_str().map_err(|_| Refusal::Unreadable)?;
        let seconds = header.strip_prefix("t=").and_then(|rest| rest.split_once(',')).and_then(|(t, _)| t.parse().ok());
        let at = seconds.and_then(|seconds| Timestamp::from_second(seconds).ok()).ok_or(Refusal::Unreadable)?;
        if now.duration_since(at).abs() > SignedDuration::from_mins(5) {
            return Err(Refusal::Stale);
        }
        let known = secrets.iter().any(|secret| signature(secret.expose(), at, &raw.body) == header);
        if known { Ok(()) } else { Err(Refusal::Mismatch) }
    }

    fn read(&self, raw: &RawRequest, received: Timestamp) -> Result<Reading, Malformed> {
        let malformed = |_| Malformed { reason: "the body is no booking".to_owned() };
        // An object first: serde reads a struct from an array as well.
        let object: serde_json::Map<String, serde_json::Value> =
            serde_json::from_slice(&raw.body).map_err(malformed)?;
        let wire: Wire = serde_json::from_value(object.into()).map_err(malformed)?;
        let message = BookingMessage {
            booking: BookingKey::new(wire.id.clone()),
            kind: MessageKind::Booked,
            at: received,
            group: None,
            replaces: None,
            replaced_by: None,
            booked: Some(Box::new(Booking {
                title: wire.title,
                invitee: Attendee {
                    email: "ada@example.org".to_owned(),
                    full_name: Some(wire.name),
                    ..Attendee::default()
                },
                ..Booking::default()
            })),
        };
        let messages = if wire.ignored.is_some() { Vec::new() } else { vec![message] };
        Ok(Reading { delivery: wire.id, messages, ignored: wire.ignored })
    }
}

impl OAuth for TestVendor {
    fn authorize_url(&self, app: &App, _: &Settings, state: &str, challenge: &str) -> Result<Url, Error> {
        let mut url = Url::parse("https://login.acme.example/authorize").unwrap();
        url.query_pairs_mut()
            .append_pair("client_id", &app.client_id)
            .append_pair("state", state)
            .append_pair("code_challenge", challenge)
            .append_pair("code_challenge_method", "S256");
        Ok(url)
    }

    fn exchange<'a>(&'a self, cx: &'a TokenCx<'a>, grant: &'a Grant) -> BoxFuture<'a, Result<TokenSet, Error>> {
        Box::pin(async move {
            let Grant::Code { code, verifier } = grant else { unreachable!("the server exchanges codes only") };
            let body = format!("code={}&verifier={}", code.expose(), verifier.expose());
            call(cx.http, "https://login.acme.example/token", body).await?;
            Ok(TokenSet {
                access: Secret::new("canary-access"),
                refresh: Some(Secret::new("canary-refresh")),
                base_url: Url::parse("https://eu1.acme.example").unwrap(),
                expires_at: None,
                account: Some("acme <main>".to_owned()),
            })
        })
    }

    fn revoke<'a>(&'a self, cx: &'a TokenCx<'a>, token: &'a Secret) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            call(cx.http, "https://login.acme.example/revoke", format!("token={}", token.expose())).await
        })
    }
}

async fn call(http: &dyn Http, url: &str, body: String) -> Result<(), Error> {
    let request = http::Request::post(url).body(Bytes::from(body)).unwrap();
    match http.send(request).await {
        Ok(answer) if answer.status().is_success() => Ok(()),
        _ => Err(Error::new(ErrorKind::Forbidden, Retry::Never, "token", "the vendor said no")),
    }
}

/// Records what is sent; says no where told to.
#[derive(Default)]
pub(crate) struct RecordedHttp {
    sent: Mutex<Vec<(String, String)>>,
    pub(crate) refuses: AtomicBool,
}

impl RecordedHttp {
    /// The calls so far, as address and body.
    pub(crate) fn calls(&self) -> Vec<(String, String)> {
        self.sent.lock().unwrap().clone()
    }
}

impl Http for RecordedHttp {
    fn send(&self, request: http::Request<Bytes>) -> BoxFuture<'_, Result<http::Response<Bytes>, HttpError>> {
        Box::pin(async move {
            let body = String::from_utf8(request.body().to_vec()).unwrap();
            self.sent.lock().unwrap().push((request.uri().to_string(), body));
            let status = if self.refuses.load(Ordering::Relaxed) { 400 } else { 200 };
            Ok(http::Response::builder().status(status).body(Bytes::new()).unwrap())
        })
    }
}

/// A vendor of the tests' own that tells of changes in calendars: rows of watch, secret and word.
pub(crate) struct TestCalendars;

pub(crate) static CALENDARS: TestCalendars = TestCalendars;

impl Connector for TestCalendars {
    fn manifest(&self) -> &'static Manifest {
        &MANIFEST
    }

    fn watches(&self) -> Option<&dyn Watches> {
        Some(self)
    }
}

impl Watches for TestCalendars {
    fn begin<'a>(
        &'a self,
        _: &'a Cx<'a>,
        _: &'a CalendarId,
        _: &'a str,
        _: &'a Hook,
    ) -> BoxFuture<'a, Result<Answered<Watch>, Error>> {
        unreachable!("the server asks no vendor")
    }

    fn renew<'a>(&'a self, _: &'a Cx<'a>, _: &'a Watch) -> BoxFuture<'a, Result<Answered<Option<Timestamp>>, Error>> {
        unreachable!("the server asks no vendor")
    }

    fn end<'a>(&'a self, _: &'a Cx<'a>, _: &'a Watch) -> BoxFuture<'a, Result<Answered<()>, Error>> {
        unreachable!("the server asks no vendor")
    }

    fn tries_first(&self) -> bool {
        true
    }

    fn challenge(&self, query: &str) -> Option<String> {
        query.strip_prefix("challenge=").map(str::to_owned)
    }

    fn notices(&self, raw: &RawRequest) -> Vec<Notice> {
        let rows: Vec<(String, String, String)> = serde_json::from_slice(&raw.body).unwrap_or_default();
        let notice = |(watch, secret, word): (String, String, String)| Notice {
            watch,
            secret: Secret::new(secret),
            says: match word.as_str() {
                "begun" => Says::Begun,
                "renew" => Says::Renew,
                "ended" => Says::Ended,
                _ => Says::Changed,
            },
        };
        rows.into_iter().map(notice).collect()
    }
}
