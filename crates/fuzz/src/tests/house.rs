//! The product in one thread: server and engine over a database in memory, and an imitation org that is called as a
//! function. Tests say what the org answers, and move the clock.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicI64, Ordering},
};

use axum::Router;
use bytes::Bytes;
use http::{StatusCode, header};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value as Json, json};
use syncline_connect::{BoxFuture, Http, HttpError, Secret, Settings, oauth::App};
use syncline_core::{
    Clock,
    booking::settings::BookingSettings,
    ids::{ConnectionId, IntegrationId, WorkspaceId},
};
use syncline_engine::{ConnectionSetup, Engine, GrantKind, Integration, Options, Setup, World};
use syncline_sandbox::{SalesforceConfig, SalesforceOrg};
use syncline_store::{Store, StoredTokens, WorkerId};

use crate::{
    server::{api, routes, send, signed_hook, store},
    world::{Always, NOW_SECONDS, Seeded, connector},
};

/// Where the imitation org is said to live.
pub const ORG: &str = "https://acme.my.salesforce.com";

/// The CRM that the bookings go to.
pub const CRM: &str = "salesforce";

/// Turns of a worker that are far more than the bookings of these tests take.
const TURNS_MAX: usize = 100;

/// Stands still until it is moved.
pub struct MovedClock(AtomicI64);

impl MovedClock {
    pub fn advance(&self, by: SignedDuration) {
        self.0.fetch_add(by.as_secs(), Ordering::Relaxed);
    }
}

impl Clock for MovedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(self.0.load(Ordering::Relaxed)).expect("tests stay within jiff's range")
    }
}

/// What is wrong with the way to the token endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenFault {
    /// It refuses the grant.
    Refused,
    /// It does as it is asked, and its answer is lost.
    AnswerLost,
}

/// Carries calls to the org, and remembers what went by.
pub struct Line {
    pub org: Arc<SalesforceOrg>,
    bearers: Mutex<Vec<String>>,
    token_calls: Mutex<usize>,
    token_fault: Mutex<Option<TokenFault>>,
    instead: Mutex<Option<(u16, String)>>,
}

fn held<T>(lock: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Line {
    /// Every call but those for tokens gets this answer, instead of the org's own.
    pub fn say_instead(&self, answer: Option<(u16, String)>) {
        *held(&self.instead) = answer;
    }

    pub fn fail_tokens(&self, fault: Option<TokenFault>) {
        *held(&self.token_fault) = fault;
    }

    pub fn token_calls(&self) -> usize {
        *held(&self.token_calls)
    }

    /// The tokens that went by.
    pub fn bearers(&self) -> Vec<String> {
        held(&self.bearers).clone()
    }

    fn token(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, HttpError> {
        *held(&self.token_calls) += 1;
        match *held(&self.token_fault) {
            None => Ok(self.org.handle(ORG, request).response),
            Some(TokenFault::Refused) => {
                let mut refused = http::Response::new(Bytes::from_static(br#"{"error":"invalid_grant"}"#));
                *refused.status_mut() = StatusCode::BAD_REQUEST;
                Ok(refused)
            }
            Some(TokenFault::AnswerLost) => {
                drop(self.org.handle(ORG, request));
                Err(HttpError::Unanswered { host: ORG.to_owned(), reason: "reset".to_owned() })
            }
        }
    }
}

impl Http for Line {
    fn send(&self, request: http::Request<Bytes>) -> BoxFuture<'_, Result<http::Response<Bytes>, HttpError>> {
        let bearer = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = bearer.and_then(|bearer| bearer.split_once(' ')).map(|(_, token)| token.to_owned());
        held(&self.bearers).extend(token);
        let instead = held(&self.instead).clone();
        Box::pin(async move {
            match instead {
                _ if request.uri().path().starts_with("/services/oauth2") => self.token(request),
                Some((status, body)) => Always { status, body: body.into() }.send(request).await,
                None => Ok(self.org.handle(ORG, request).response),
            }
        })
    }
}

/// An engine over an empty database and an org with nobody in it.
pub struct House {
    pub engine: Arc<Engine>,
    pub router: Router,
    pub line: Arc<Line>,
    pub store: Store,
    pub clock: Arc<MovedClock>,
}

pub fn workspace() -> WorkspaceId {
    WorkspaceId::new("main")
}

pub fn crm() -> ConnectionId {
    ConnectionId::new("crm")
}

impl House {
    pub async fn new(grant: GrantKind, change: impl FnOnce(&mut SalesforceConfig)) -> Self {
        let clock = Arc::new(MovedClock(AtomicI64::new(NOW_SECONDS)));
        let mut config = SalesforceConfig { daily_call_limit: u64::MAX, ..SalesforceConfig::default() };
        change(&mut config);
        let org = SalesforceOrg::new(config, clock.clone(), Arc::new(Seeded::default()));
        let known = org.credentials(ORG);
        let line = Line {
            org,
            bearers: Mutex::default(),
            token_calls: Mutex::default(),
            token_fault: Mutex::default(),
            instead: Mutex::default(),
        };
        let (line, store) = (Arc::new(line), store());
        let connection = ConnectionSetup {
            workspace: workspace(),
            id: crm(),
            connector: connector(CRM),
            settings: Settings::from([("login_host".to_owned(), ORG.to_owned())]),
            app: App {
                client_id: known["client_id"].as_str().expect("an id").to_owned(),
                client_secret: known["client_secret"].as_str().map(Secret::new),
                redirect_uri: None,
            },
            grant,
            budget_share: 1.0,
        };
        store.ensure_connection(&workspace(), &crm(), CRM).await.expect("the database takes it");
        let integration = Integration {
            workspace: workspace(),
            id: IntegrationId::new("meetings"),
            crm: crm(),
            default: Arc::new(BookingSettings::default()),
            meeting_types: std::collections::BTreeMap::new(),
        };
        let world = World {
            store: store.clone(),
            http: line.clone(),
            clock: clock.clone(),
            entropy: Arc::new(Seeded::default()),
            rest: Arc::new(syncline_engine::Timer),
        };
        let setup = Setup { connections: vec![connection], integrations: vec![integration], ..Setup::default() };
        let engine = Engine::new(world, setup, Options::default());
        Self { router: routes(engine.clone()), engine, line, store, clock }
    }

    /// What a person does in the browser: the account is connected, with tokens of which the first has run out.
    pub async fn connect(&self) {
        let known = self.line.org.credentials(ORG);
        let tokens = StoredTokens {
            access: "an-access-token-that-has-run-out".to_owned(),
            refresh: known["refresh_token"].as_str().map(str::to_owned),
            base_url: ORG.to_owned(),
            expires_at: None,
            account: None,
        };
        assert!(self.store.store_tokens(&workspace(), &crm(), &tokens, None).await.expect("the database takes them"));
        let setup = self.engine.setup().connection(&workspace(), &crm()).expect("it is set up");
        self.engine.forget_token(setup).await;
    }

    /// Takes a booking in, as the documentation of our own webhook says.
    pub async fn book(&self, number: usize, words: &str) {
        let body = json!({
            "id": format!("b{number}"),
            "kind": "booked",
            "occurred_at": "2026-05-04T09:24:01Z",
            "meeting": {
                "type": "intro", "type_name": words, "title": words, "location": words, "notes": format!("canary {words}"),
                "start": "2027-05-11T11:00:00+02:00", "end": "2027-05-11T11:30:00+02:00",
            },
            "invitee": {"email": email(number), "name": words},
            "answers": [{"key": words, "label": words, "value": words}],
        });
        let answer = send(&self.router, signed_hook(&format!("m{number}"), body.to_string().as_bytes())).await;
        assert_eq!((answer.status, answer.text.as_str()), (StatusCode::OK, r#"{"status":"stored"}"#), "{words:?}");
    }

    pub async fn work(&self) {
        for _ in 0..TURNS_MAX {
            if self.engine.turn(&WorkerId("w".to_owned())).await.expect("the database answers") == 0 {
                return;
            }
        }
        panic!("the bookings are never done");
    }

    pub async fn json(&self, path: &str) -> Json {
        let answer = send(&self.router, api(path).expect("a sound path")).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        serde_json::from_str(&answer.text).expect("the API answers JSON")
    }
}

pub fn email(number: usize) -> String {
    format!("canary{number}@firma{number}.example")
}
