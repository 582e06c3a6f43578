//! An imitation Salesforce org: users, records, REST and OAuth, answered by a function call.
//!
//! Built from Salesforce's documents and recorded traffic. It shares no code with any connector, and treats all callers
//! alike.

mod calls;
mod config;
mod console;
mod error;
mod events;
mod faults;
mod id;
mod oauth;
mod reply;
mod rest;
mod rules;
mod schema;
mod seed;
mod soap;
mod soql;
mod steer;
#[cfg(test)]
mod testkit;
mod time;
mod world;

use std::{
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, RwLockWriteGuard},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use serde_json::json;
use syncline_core::{Clock, Entropy};

pub use calls::{CallEntry, CallLog};
pub use config::{
    AppConfig, AssignmentEntry, AssignmentRule, Comparison, Condition, CustomField, CustomObject, DuplicateRule,
    MatchField, MatchingRule, OnDuplicate, RuleSet, SalesforceConfig, UserConfig, ValidationRule,
};
pub use events::is_method as is_pub_sub;
pub use faults::{FaultBody, FaultKind, FaultRule, Faults, Fired};
pub use rules::{Converted, LeadConversion};
pub use schema::SchemaChange;
pub use world::{Effect, EffectKind};

use self::{
    error::ApiError,
    id::Id,
    rest::{Answer, Call, Content, Headers, Payload},
    rules::Rules,
    schema::{Describes, Schema},
    world::World,
};
use crate::{Delivery, Reply};

/// Longest path with query and headers that the platform reads ("API Request Limits", read 2026-11-21).
const MAX_URI_BYTES: usize = 16_384;

/// The org: a world behind a lock.
pub struct SalesforceOrg {
    config: SalesforceConfig,
    shape: RwLock<Arc<Shape>>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    faults: Faults,
    /// When the org was made, in seconds.
    born: i64,
    org_id: Id,
    base: OnceLock<String>,
    /// Where changes are announced, where they are.
    bus: Option<Arc<events::Bus>>,
    state: Mutex<State>,
}

/// The schema at this time, with what is told of it.
struct Shape {
    schema: Arc<Schema>,
    /// Shared by all orgs that have the schema from the same one.
    describes: Arc<Describes>,
    tag: String,
    /// Since when it has been so, in seconds.
    since: i64,
}

impl Shape {
    fn new(schema: Arc<Schema>, describes: Arc<Describes>, entropy: &dyn Entropy, since: i64) -> Self {
        let mut tag = [0; 4];
        entropy.fill(&mut tag);
        let tag = format!("\"{:08x}\"", u32::from_be_bytes(tag));
        Self { schema, describes, tag, since }
    }
}

/// Everything that changes.
pub(crate) struct State {
    world: World,
    tokens: oauth::Tokens,
    cursors: rest::Cursors,
    usage: rest::Usage,
    calls: CallLog,
    jobs: rest::Jobs,
    /// How many requests there have been.
    requests: u64,
    default_owner: Id,
    /// Sub-requests of the request at hand.
    subrequests: usize,
}

impl SalesforceOrg {
    pub fn new(config: SalesforceConfig, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Arc<Self> {
        let schema = Arc::new(Schema::new(&config));
        let rules = Arc::new(Rules::new(&config));
        Self::with_schema(config, &schema, &Arc::default(), rules, clock, entropy)
    }

    /// Another new org with the configuration, the present schema and the present rules of this one, at less cost than
    /// a first one.
    pub fn another(&self, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Arc<Self> {
        self.another_with(self.config.clone(), clock, entropy)
    }

    /// The same with a configuration of its own; what that says of schema and rules does not count.
    pub fn another_with(
        &self,
        config: SalesforceConfig,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Arc<Self> {
        let (rules, shape) = {
            let state = self.state();
            (state.world.rules.clone(), self.shape())
        };
        Self::with_schema(config, &shape.schema, &shape.describes, rules, clock, entropy)
    }

    fn with_schema(
        config: SalesforceConfig,
        schema: &Arc<Schema>,
        describes: &Arc<Describes>,
        rules: Arc<Rules>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Arc<Self> {
        let now = clock.now().as_second();
        let (mut state, org_id) = fresh(schema.clone(), rules, &config, now);
        let bus = config.change_events.clone().map(|selected| {
            let mut mark = [0; 4];
            entropy.fill(&mut mark);
            events::Bus::new(selected, mark)
        });
        state.world.announce_on(bus.clone());
        let shape = Shape::new(schema.clone(), describes.clone(), &*entropy, now);
        Arc::new(Self {
            faults: Faults::new(config.seed),
            config,
            shape: RwLock::new(Arc::new(shape)),
            clock,
            entropy,
            born: now,
            org_id,
            base: OnceLock::new(),
            bus,
            state: Mutex::new(state),
        })
    }

    /// Answers one request. `base_url` is where clients reach the org, without a slash at its end.
    pub fn handle(&self, base_url: &str, request: Request<Bytes>) -> Reply {
        let _ = self.base.set(base_url.to_owned());
        let path = request.uri().path();
        if path.starts_with("/_sandbox") {
            return Reply::now(self.console(base_url, &request));
        }
        if request.method() == http::Method::GET
            && let Some(id) = path.strip_prefix('/').and_then(Id::parse)
        {
            // A browser that was given a record's bare id; no call of the API.
            return Reply::now(reply::redirect(&format!("/_sandbox/records/{}", id.as_str())));
        }
        let number = self.count_request();
        let strikes = self.faults.strike(request.method().as_str(), path);
        let began = self.clock.now();
        let lasting = self.config.latency_ms + strikes.iter().filter_map(|rule| rule.delay_ms).sum::<u64>();
        let lost = strikes.iter().any(|rule| rule.kind == FaultKind::LostRequest);
        let instead = if lost { Some(reply::empty(503)) } else { strikes.iter().find_map(|rule| self.refusal(rule)) };
        let (mut response, subrequests) = match instead {
            Some(response) => (response, 0),
            None => self.answer(base_url, &request, began.as_second()),
        };
        reply::set(&mut response, "date", &time::http_date(began.as_second()));
        let deliver = delivery(&strikes);
        self.note(number, &request, &response, subrequests, lasting, strikes.first());
        Reply { response, delay: Duration::from_millis(lasting), deliver }
    }

    fn count_request(&self) -> u64 {
        let mut state = self.state();
        state.requests += 1;
        state.requests
    }

    fn note(
        &self,
        number: u64,
        request: &Request<Bytes>,
        response: &Response<Bytes>,
        subrequests: usize,
        lasting: u64,
        fault: Option<&FaultRule>,
    ) {
        let now = self.clock.now();
        // Codes and tokens in a query stay out of the log.
        let path = if request.uri().path().starts_with("/services/data") {
            request.uri().path_and_query().map_or("", http::uri::PathAndQuery::as_str)
        } else {
            request.uri().path()
        };
        let auto_assign = request.headers().get("sforce-auto-assign").and_then(|value| value.to_str().ok());
        self.state().calls.note(CallEntry {
            number,
            at: time::stamp(now.as_second()),
            method: request.method().as_str().to_owned(),
            path: path.to_owned(),
            status: response.status().as_u16(),
            ms: lasting,
            subrequests,
            auto_assign: auto_assign.map(str::to_owned),
            fault: fault.map(|rule| format!("{:?}", rule.kind)),
        });
    }

    /// The answer a fault gives in place of the real one.
    fn refusal(&self, rule: &FaultRule) -> Option<Response<Bytes>> {
        match rule.kind {
            FaultKind::Status => {
                let status = rule.status.unwrap_or(503);
                Some(match rule.body {
                    FaultBody::Empty => reply::empty(status),
                    FaultBody::Html => reply::html(
                        status,
                        format!("<html><head><title>Error</title></head><body><h1>{status}</h1></body></html>"),
                    ),
                    FaultBody::Json => {
                        let code = if status == 503 { "SERVER_UNAVAILABLE" } else { "UNKNOWN_EXCEPTION" };
                        let message =
                            "An unexpected error occurred. Please include this ErrorId if you contact support";
                        reply::json(status, &json!([{"message": message, "errorCode": code}]))
                    }
                })
            }
            FaultKind::ExpiredToken => Some(refused(&expired())),
            FaultKind::DailyLimit => Some(refused(&over_limit())),
            _ => None,
        }
    }

    fn answer(&self, base: &str, request: &Request<Bytes>, now: i64) -> (Response<Bytes>, usize) {
        let uri = request.uri();
        if uri.path_and_query().is_some_and(|all| all.as_str().len() > MAX_URI_BYTES) {
            return (refused(&ApiError::request("URI_TOO_LONG", "The URI is too long")), 0);
        }
        if !uri.path().starts_with("/services/data") {
            let response = self.identity(&mut self.state(), base, request, now);
            return (response.unwrap_or_else(|| refused(&ApiError::not_found())), 0);
        }
        if matches!(uri.path(), "/services/data" | "/services/data/") {
            return (reply::json(200, &self.versions()), 0);
        }
        self.data(request, now)
    }

    /// REST proper: session, allowance, resource.
    fn data(&self, request: &Request<Bytes>, now: i64) -> (Response<Bytes>, usize) {
        let uri = request.uri();
        let rest = uri.path().trim_start_matches("/services/data/");
        let (version, path) = rest.split_once('/').unwrap_or((rest, ""));
        let Some(version) = version.strip_prefix('v').and_then(|text| self.version(text)) else {
            return (refused(&ApiError::not_found()), 0);
        };
        let mut headers = Headers::default();
        for (name, value) in request.headers() {
            if let Ok(value) = value.to_str() {
                headers.note(name.as_str(), value);
            }
        }
        let body = payload(request);
        let mut state = self.state();
        let Some(user) = self.session(&state, request, now) else {
            return (refused(&expired()), 0);
        };
        if state.usage.count(now) > self.config.daily_call_limit {
            return (refused(&over_limit()), 0);
        }
        let mut call = Call {
            method: override_method(request),
            version,
            path: rest::segments(path),
            params: rest::params(uri.query().unwrap_or_default()),
            headers,
            body,
            asker: rest::Asker { user, now },
        };
        self.settle_jobs(&mut state, now);
        state.subrequests = 0;
        let number = state.requests;
        state.world.enter(number, now);
        state.world.author(|| events::Author {
            user: user.as_str().to_owned(),
            origin: format!("com/salesforce/api/rest/{version}.0;client={}", client_of(request)),
        });
        let answer = self.rest(&mut state, &mut call);
        state.world.commit();
        let info = self.limit_info(&state);
        let subrequests = state.subrequests;
        drop(state);
        (finish(answer, &info), subrequests)
    }

    /// Rules for what shall go wrong.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    fn base(&self) -> String {
        self.base.get().cloned().unwrap_or_default()
    }

    fn shape(&self) -> Arc<Shape> {
        self.shape.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn shape_mut(&self) -> RwLockWriteGuard<'_, Arc<Shape>> {
        self.shape.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The schema. It changes only while the state is held.
    fn schema(&self) -> Arc<Schema> {
        self.shape().schema.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic while the lock was held would be a bug of this crate; the records stay readable for its report.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn fresh(schema: Arc<Schema>, rules: Arc<Rules>, config: &SalesforceConfig, now: i64) -> (State, Id) {
    let mut world = World::new(schema, rules, &config.pod, config.kept_effects);
    let founders = seed::found(&mut world, config, now);
    let state = State {
        world,
        tokens: oauth::Tokens::default(),
        cursors: rest::Cursors::default(),
        usage: rest::Usage::default(),
        calls: CallLog::default(),
        jobs: rest::Jobs::default(),
        requests: 0,
        default_owner: founders.default_owner,
        subrequests: 0,
    };
    (state, founders.org)
}

fn delivery(strikes: &[FaultRule]) -> Delivery {
    let has = |kind| strikes.iter().any(|rule| rule.kind == kind);
    if has(FaultKind::LostRequest) || has(FaultKind::AppliedAnswerLost) {
        Delivery::DropConnection
    } else if has(FaultKind::Truncated) {
        Delivery::Truncate
    } else {
        Delivery::Answer
    }
}

fn payload(request: &Request<Bytes>) -> Payload {
    let kind = request.headers().get(http::header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    if kind.is_some_and(|kind| kind.starts_with("text/csv")) {
        return Payload::Text(request.body().clone());
    }
    if request.body().is_empty() {
        return Payload::None;
    }
    match serde_json::from_slice(request.body()) {
        Ok(value) => Payload::Json(value),
        Err(error) => Payload::Broken(format!(
            "{} at [line:{}, column:{}]",
            error.to_string().split(" at line").next().unwrap_or_default(),
            error.line(),
            error.column()
        )),
    }
}

/// `Sforce-Call-Options: client=…`
fn client_of(request: &Request<Bytes>) -> &str {
    let options = request.headers().get("sforce-call-options").and_then(|value| value.to_str().ok());
    let client =
        options.into_iter().flat_map(|text| text.split(',')).find_map(|one| one.trim().strip_prefix("client="));
    client.unwrap_or_default()
}

/// Clients that cannot send PATCH send POST with `_HttpMethod=PATCH`.
fn override_method(request: &Request<Bytes>) -> &str {
    let query = request.uri().query().unwrap_or_default();
    if request.method() == http::Method::POST && query.contains("_HttpMethod=PATCH") {
        return "PATCH";
    }
    request.method().as_str()
}

fn expired() -> ApiError {
    ApiError::request("INVALID_SESSION_ID", "Session expired or invalid")
}

fn over_limit() -> ApiError {
    ApiError::request("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
}

fn refused(error: &ApiError) -> Response<Bytes> {
    let mut response = reply::json(error.http_status(), &json!([error.rest()]));
    if error.code == "INVALID_SESSION_ID" {
        reply::set(&mut response, "www-authenticate", "Token");
    }
    response
}

/// From a resource's answer to bytes; answers without a body carry no limit header.
fn finish(answer: Answer, limit_info: &str) -> Response<Bytes> {
    let mut response = match &answer.body {
        Content::Empty => reply::empty(answer.status),
        Content::Json(value) => reply::json(answer.status, value),
        Content::Shared(value) => reply::json(answer.status, value),
        Content::Text(kind, text) => reply::typed(answer.status, kind, text.clone().into()),
    };
    if !matches!(answer.body, Content::Empty) {
        reply::set(&mut response, "sforce-limit-info", limit_info);
        reply::set(&mut response, "cache-control", "no-cache,must-revalidate,max-age=0,no-store,private");
    }
    for (name, value) in &answer.headers {
        reply::set(&mut response, name, value);
    }
    response
}
