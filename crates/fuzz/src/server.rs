//! The server's own readers: webhook bodies as a whole, queries with their paging, cookies.

use std::{
    cell::RefCell,
    sync::{Arc, OnceLock},
};

use axum::{Router, body::Body};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderValue, Request, StatusCode, header};
use http_body_util::BodyExt;
use sha2::Sha256;
use syncline_connect::Secret;
use syncline_core::ids::{ConnectionId, IntegrationId, WorkspaceId};
use syncline_engine::{Engine, Setup, World};
use syncline_server::{Server, ServerOptions, SourceSetup};
use syncline_store::{MasterKey, Store, StoreOptions};
use tokio::runtime::Runtime;
use tower::ServiceExt;
use url::Url;

use crate::world::{Always, NOW_SECONDS, Seeded, StoppedClock, connector};

const ADMIN: &str = "an-admin-token-of-the-targets";
const WEBHOOK_SECRET: &str = "a-webhook-secret-of-the-targets";
const PATH_KEY: &str = "0123456789abcdef0123456789abcdef";

/// Stands in an input for the cookie of somebody who has just signed in.
const COOKIE_MARK: &str = "{cookie}";

/// Inputs that one server answers, before it makes room for a new one with an empty database.
const INPUTS_PER_SERVER: u32 = 500;

/// An answer, read to its end.
pub struct Answer {
    pub status: StatusCode,
    pub headers: http::HeaderMap,
    pub text: String,
}

/// A server over a database in memory.
pub struct Desk {
    router: Router,
    cookie: String,
    used: u32,
}

thread_local! {
    static DESK: RefCell<Option<Desk>> = const { RefCell::new(None) };
}

fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build().expect("threads start")
    })
}

/// A store in memory, as the targets and tests use it.
pub fn store() -> Store {
    let key = MasterKey::new(&[7; 31].iter().copied().chain([8]).collect::<Vec<u8>>()).expect("32 bytes are a key");
    let options = StoreOptions { key, old_keys: Vec::new(), entropy: Arc::new(Seeded::default()), pool: 1 };
    Store::open_inline("sqlite::memory:", options).expect("a database in memory opens")
}

/// The source that sends our own signed webhook.
pub fn source() -> SourceSetup {
    SourceSetup {
        workspace: WorkspaceId::new("main"),
        integration: IntegrationId::new("meetings"),
        id: ConnectionId::new("web"),
        connector: connector("generic"),
        path_key: PATH_KEY.to_owned(),
        secrets: vec![Secret::new(WEBHOOK_SECRET)],
    }
}

/// A server's routes over this engine.
pub fn routes(engine: Arc<Engine>) -> Router {
    let public = Url::parse("https://sync.example").expect("a sound address");
    Server::new(engine, vec![source()], ServerOptions::new(public, Secret::new(ADMIN), [7; 32])).router()
}

/// Sends one request.
pub async fn send(router: &Router, request: Request<Body>) -> Answer {
    let response = match router.clone().oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    let (head, body) = response.into_parts();
    let bytes = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    Answer { status: head.status, headers: head.headers, text: String::from_utf8_lossy(&bytes).into_owned() }
}

/// A request with a body, signed as the documentation of our own webhook says.
pub fn signed_hook(id: &str, body: &[u8]) -> Request<Body> {
    let mut mac = Hmac::<Sha256>::new_from_slice(WEBHOOK_SECRET.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(format!("{id}.{NOW_SECONDS}.").as_bytes());
    mac.update(body);
    Request::post(format!("/hooks/web/{PATH_KEY}"))
        .header("webhook-id", id)
        .header("webhook-timestamp", NOW_SECONDS)
        .header("webhook-signature", format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
        .body(Body::from(body.to_vec()))
        .expect("a sound request")
}

/// A request that the administrator makes at the API.
pub fn api(path: &str) -> Option<Request<Body>> {
    Request::get(path).header(header::AUTHORIZATION, format!("Bearer {ADMIN}")).body(Body::empty()).ok()
}

/// The cookie of somebody who has just signed in, as a browser sends it back.
pub async fn sign_in(router: &Router) -> String {
    let request = Request::post("/sign-in")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from(format!("token={ADMIN}")))
        .expect("a sound request");
    let answer = send(router, request).await;
    let cookie = answer.headers.get(header::SET_COOKIE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    cookie.split(';').next().unwrap_or_default().to_owned()
}

impl Desk {
    fn new() -> Self {
        let world = World {
            store: store(),
            http: Arc::new(Always { status: 500, body: bytes::Bytes::new() }),
            clock: Arc::new(StoppedClock),
            entropy: Arc::new(Seeded::default()),
            rest: Arc::new(syncline_engine::Timer),
        };
        let router = routes(Engine::new(world, Setup::default(), syncline_engine::Options::default()));
        let cookie = runtime().block_on(sign_in(&router));
        assert!(cookie.contains('='), "signing in gives a cookie");
        Self { router, cookie, used: 0 }
    }

    fn ask(&mut self, request: Request<Body>) -> Answer {
        self.used += 1;
        let answer = runtime().block_on(send(&self.router, request));
        assert!(!answer.status.is_server_error(), "{} {}", answer.status, answer.text);
        answer
    }
}

fn with_desk(act: impl FnOnce(&mut Desk)) {
    DESK.with_borrow_mut(|kept| {
        let mut desk = kept.take().filter(|desk| desk.used < INPUTS_PER_SERVER).unwrap_or_else(Desk::new);
        act(&mut desk);
        *kept = Some(desk);
    });
}

/// Any signed body is taken in, laid aside or refused, and the server stands.
pub fn hook(bytes: &[u8]) {
    with_desk(|desk| {
        let answer = desk.ask(signed_hook("msg_1", bytes));
        let known = [StatusCode::OK, StatusCode::PAYLOAD_TOO_LARGE, StatusCode::UNPROCESSABLE_ENTITY];
        assert!(known.contains(&answer.status), "{} {}", answer.status, answer.text);
    });
}

/// Any query string gives a page or says what is wrong with it.
pub fn paging(bytes: &[u8]) {
    let Ok(query) = std::str::from_utf8(bytes) else { return };
    with_desk(|desk| {
        for path in ["/api/v1/bookings", "/api/v1/activity", "/api/v1/messages"] {
            let Some(request) = api(&format!("{path}?{query}")) else { return };
            let answer = desk.ask(request);
            let json: Result<serde_json::Value, _> = serde_json::from_str(&answer.text);
            assert!(json.is_ok(), "{path} answers {} with something else than JSON: {}", answer.status, answer.text);
            assert_eq!(answer.headers.get(header::SET_COOKIE), None);
        }
        for path in ["/bookings", "/activity"] {
            let request = Request::get(format!("{path}?{query}")).header(header::COOKIE, &desk.cookie);
            let Ok(request) = request.body(Body::empty()) else { return };
            let answer = desk.ask(request);
            assert!(!answer.text.to_lowercase().contains("<script"), "a query became part of the page");
        }
    });
}

/// No cookie but the one that was given lets anybody in.
pub fn session(bytes: &[u8]) {
    with_desk(|desk| {
        let cookie = String::from_utf8_lossy(bytes).replace(COOKIE_MARK, &desk.cookie);
        let Ok(value) = HeaderValue::from_str(&cookie) else { return };
        let request = Request::get("/").header(header::COOKIE, value).body(Body::empty()).expect("a sound request");
        let answer = desk.ask(request);
        // A header with other than ASCII is not looked at; browsers send none.
        let genuine = cookie.is_ascii() && cookie.split(';').any(|pair| pair.trim() == desk.cookie);
        assert_eq!(answer.status == StatusCode::OK, genuine, "{cookie:?} answered {}", answer.status);
    });
}
