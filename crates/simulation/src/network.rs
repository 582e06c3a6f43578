//! The network between the processes and the orgs: it delays, loses, repeats late and distorts, and watches what passes.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use futures::future::FutureExt;
use http::{Request, Response};
use syncline_connect::{BoxFuture, Http, HttpError};
use syncline_sandbox::{
    Delivery, SalesforceOrg,
    salesforce::{FaultKind, FaultRule, SchemaChange},
};
use tokio::{sync::oneshot, time::Instant};

use crate::{
    fate::{Carried, Fate},
    faults::Fault,
    life::{Life, Point},
    orgs,
    sim::{Reached, Sim, lock},
    story::Customer,
    watch::{Kind, Watch},
};

/// The deadline of one call, as the product's carrier keeps it.
pub const CALL_DEADLINE: Duration = Duration::from_secs(30);
/// The most that a request or an answer takes on its way, in milliseconds.
const WAY_MILLIS: u64 = 150;
/// The same as a time.
pub const WAY_MAX: Duration = Duration::from_millis(WAY_MILLIS);

/// One org, and what is known of the traffic to it.
pub struct Line {
    pub customer: usize,
    pub base: String,
    pub org: Arc<SalesforceOrg>,
    pub watch: Mutex<Watch>,
    /// Until when it answers 503, and until when it cannot be reached from each process.
    weather: Mutex<Weather>,
    /// What undoes the change that administrators made last.
    pub way_back: Mutex<Option<SchemaChange>>,
}

/// What hits all calls to an account for a while.
#[derive(Default)]
pub struct Weather {
    down_until: Option<Instant>,
    cut_off: BTreeMap<usize, Instant>,
}

impl Weather {
    /// What the weather makes of a call, where it makes anything of it.
    pub fn fate(&mut self, sim: &Sim, process: usize) -> Option<Fate> {
        let now = Instant::now();
        if self.cut_off.get(&process).is_some_and(|until| now < *until) {
            return Some(Fate::Refused);
        }
        if self.down_until.is_some_and(|until| now < until) {
            return Some(Fate::instead(503));
        }
        let window = |part, to| Duration::from_secs(sim.with_dice(part, |dice| dice.between(2, to)));
        if sim.strikes("network", Fault::N10, 5) {
            self.cut_off.insert(process, now + window("network", 120));
            sim.fired(Fault::N10);
            return Some(Fate::Refused);
        }
        if sim.strikes("network", Fault::H2, 8) {
            self.down_until = Some(now + window("network", 60));
            sim.fired(Fault::H2);
            return Some(Fate::instead(503));
        }
        None
    }
}

/// All lines.
pub struct Network {
    pub sim: Arc<Sim>,
    pub lines: Vec<Arc<Line>>,
}

impl Network {
    pub fn new(sim: Arc<Sim>, orgs: Vec<Arc<SalesforceOrg>>) -> Arc<Self> {
        let customers = sim.story.customers.iter().zip(orgs);
        let lines = customers.map(|(customer, org)| Arc::new(Line::new(&sim, customer, org))).collect();
        Arc::new(Self { sim, lines })
    }

    fn line(&self, host: &str) -> Option<&Arc<Line>> {
        self.lines.iter().find(|line| line.base.strip_prefix("https://") == Some(host))
    }

    /// Everything goes right from now on.
    pub fn calm(&self) {
        for line in &self.lines {
            for fired in line.org.faults().fired() {
                let fault = if fired.kind == FaultKind::RowLock { Fault::B2 } else { Fault::S4 };
                (0..fired.fired).for_each(|_| self.sim.fired(fault));
            }
            line.org.faults().clear();
            line.restore_schema();
        }
    }
}

impl Line {
    fn new(sim: &Sim, customer: &Customer, org: Arc<SalesforceOrg>) -> Self {
        let rule = |kind, next| FaultRule {
            probability: Some(0.03),
            next,
            seed: Some(sim.story.seed ^ customer.number as u64),
            ..FaultRule::new(kind)
        };
        if sim.may(Fault::B2) {
            org.faults().add(rule(FaultKind::RowLock, None));
        }
        if sim.may(Fault::S4) {
            org.faults().add(rule(FaultKind::Partial, Some(3)));
        }
        Self {
            customer: customer.number,
            base: customer.base(),
            org,
            watch: Mutex::new(Watch::new(&sim.story, customer.number)),
            weather: Mutex::default(),
            way_back: Mutex::default(),
        }
    }

    /// Administrators take back what they changed.
    pub fn restore_schema(&self) {
        if let Some(back) = lock(&self.way_back).take() {
            let restored = self.org.change_schema(&back);
            assert!(restored.is_ok(), "{restored:?}");
        }
    }

    /// What becomes of a call.
    fn fate(&self, sim: &Sim, process: usize, kind: Kind) -> Fate {
        if !sim.in_chaos() || kind == Kind::Other {
            return Fate::Arrives;
        }
        let weather = lock(&self.weather).fate(sim, process);
        weather.unwrap_or_else(|| Fate::draw(sim, kind))
    }

    /// The request reaches the org.
    fn arrive(&self, sim: &Sim, kind: Kind, request: Request<Bytes>) -> Response<Bytes> {
        if kind != Kind::Token && sim.strikes("tokens", Fault::T1, 12) {
            self.org.expire_sessions();
            sim.fired(Fault::T1);
        }
        if kind != Kind::Token && sim.strikes("tokens", Fault::T4, 12) {
            self.revoke(sim);
        }
        let body = request.body().clone();
        let reply = self.org.handle(&self.base, request);
        assert_eq!(reply.deliver, Delivery::Answer, "the network loses, the org does not");
        if kind == Kind::Write {
            lock(&self.watch).written(sim, &self.org, &body, &reply.response);
        }
        reply.response
    }

    fn revoke(&self, sim: &Sim) {
        let customer = &sim.story.customers[self.customer];
        let row = sim.store.connection(&customer.workspace(), &Customer::crm()).now_or_never();
        let tokens = row.and_then(Result::ok).flatten().and_then(|row| row.tokens);
        let Some(refresh) = tokens.and_then(|tokens| tokens.refresh) else { return };
        let body = url::form_urlencoded::Serializer::new(String::new()).append_pair("token", &refresh).finish();
        if self.direct("POST", "/services/oauth2/revoke", None, body).status() == 200 {
            sim.fired(Fault::T4);
        }
    }

    /// A request that is no part of what is simulated: an administrator's, or a person's at the CRM's own pages.
    pub fn direct(&self, method: &str, path: &str, bearer: Option<&str>, body: String) -> Response<Bytes> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        let form = bearer.is_none();
        request =
            request.header("content-type", if form { "application/x-www-form-urlencoded" } else { "application/json" });
        if let Some(bearer) = bearer {
            request = request.header("authorization", format!("Bearer {bearer}"));
        }
        let request = request.body(Bytes::from(body)).expect("the parts of the request are well formed");
        self.org.handle(&self.base, request).response
    }

    /// What a person at the CRM can do: change a record.
    pub fn edit(&self, path: &str, body: &serde_json::Value) -> bool {
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "client_credentials")
            .append_pair("client_id", &orgs::client_id(self.customer))
            .append_pair("client_secret", &orgs::client_secret(self.customer))
            .finish();
        let answer = self.direct("POST", "/services/oauth2/token", None, form);
        let answer: serde_json::Value = serde_json::from_slice(answer.body()).unwrap_or_default();
        let Some(token) = answer["access_token"].as_str() else { return false };
        self.direct("PATCH", path, Some(token), body.to_string()).status() == 204
    }
}

/// What a process calls through.
pub struct Carrier {
    pub network: Arc<Network>,
    pub life: Arc<Life>,
}

impl Http for Carrier {
    fn send(&self, request: Request<Bytes>) -> BoxFuture<'_, Result<Response<Bytes>, HttpError>> {
        self.carry(request).boxed()
    }
}

impl Carrier {
    async fn carry(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let sim = &self.network.sim;
        self.life.pass(Point::Call).await;
        let host = request.uri().host().unwrap_or_default().to_owned();
        let Some(line) = self.network.line(&host).cloned() else {
            sim.violation("I7", "a request leaves for a host that belongs to nobody".to_owned());
            return Err(HttpError::NotSent { host, reason: "no such host".into() });
        };
        let kind = Kind::of(&request);
        let fate = line.fate(sim, self.life.process, kind);
        let sent = lock(&line.watch).departs(sim, self.life.process, kind, &request);
        // Whatever happens to this future, the watch learns that nobody waits for the answer any more.
        let mut open = Open { sim, line: &line, number: sent, definite: false };
        sim.note(|| format!("p{} {kind:?} ws{} #{sent} {fate}", self.life.process, line.customer));
        let (org, run, late) = (Arc::clone(&line), Arc::clone(sim), Arc::clone(sim));
        let arrive = move || org.arrive(&run, kind, request);
        let answer = exchange(sim, host, fate, arrive, move || late.reach(Reached::LateArrival)).await;
        sim.note(|| match &answer {
            Ok(answer) => format!("p{} #{sent} {}", self.life.process, answer.status()),
            Err(error) => format!("p{} #{sent} {error}", self.life.process),
        });
        if self.life.is_dead() {
            self.life.pass(Point::Call).await;
        }
        open.definite = lock(&line.watch).answered(sent, &answer);
        drop(open);
        self.life.pass(Point::Call).await;
        answer
    }
}

/// Lets a request make its way, as its fate is, and waits for the answer as long as the product's carrier would.
pub async fn exchange(
    sim: &Sim,
    host: String,
    fate: Fate,
    arrive: impl FnOnce() -> Response<Bytes> + Send + 'static,
    late: impl FnOnce() + Send + 'static,
) -> Result<Response<Bytes>, HttpError> {
    let way = |sim: &Sim| Duration::from_millis(sim.with_dice("ways", |dice| dice.between(5, WAY_MILLIS)));
    let (there, back) = (way(sim), way(sim));
    if matches!(fate, Fate::Refused) {
        tokio::time::sleep(there).await;
        return Err(HttpError::NotSent { host, reason: "connection refused".into() });
    }
    let (answer, answered) = oneshot::channel();
    // On its own, so that a request that left arrives even where its sender died or gave up.
    tokio::spawn(async move {
        tokio::time::sleep(there + fate.delay()).await;
        let is_late = !fate.delay().is_zero();
        let Some(carried) = fate.carry(arrive) else {
            if is_late {
                late();
            }
            return;
        };
        tokio::time::sleep(back).await;
        // Nobody may be waiting any more.
        drop(answer.send(carried));
    });
    match tokio::time::timeout(CALL_DEADLINE, answered).await {
        Ok(Ok(Carried::Answer(answer))) => Ok(answer),
        Ok(Ok(Carried::Reset)) => Err(HttpError::Unanswered { host, reason: "connection reset".into() }),
        // A request that is lost says nothing; the deadline is what ends the wait.
        Ok(Err(_)) => {
            tokio::time::sleep(CALL_DEADLINE).await;
            Err(HttpError::Unanswered { host, reason: "no answer in time".into() })
        }
        Err(_) => Err(HttpError::Unanswered { host, reason: "no answer in time".into() }),
    }
}

/// A call that somebody waits for.
struct Open<'a> {
    sim: &'a Sim,
    line: &'a Line,
    number: u64,
    definite: bool,
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        lock(&self.line.watch).over(self.sim, self.number, self.definite);
    }
}
