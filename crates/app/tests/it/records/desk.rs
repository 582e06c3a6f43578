//! A desk for records in step: one engine over a database in memory, two accounts that answer by function calls, and a
//! clock that is moved by hand.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use syncline_connect::{BoxFuture, Http, HttpError, Secret, Settings, oauth::App};
use syncline_core::{
    Clock,
    ids::{ConnectionId, IntegrationId, WorkspaceId},
    merge::{Direction, EndDraft, KindSettings, PairDraft, Policy, RuleDraft, Select, Side, WhenDeleted},
};
use syncline_engine::{
    ConnectionSetup, Engine, GrantKind, Options, Setup, World,
    records::{RecordFlow, Round, RoundEnd, SideSetup},
};
use syncline_sandbox::{BrevoAccount, BrevoConfig, Delivery, Site, brevo::BrevoRates};
use syncline_store::{ActivityFilter, FlowStanding, HoldView, MasterKey, Store, StoreOptions};
use syncline_vendors::brevo::Brevo;
use url::Url;

use crate::polls::{Chance, Hands};

const KEY: &str = "xkeysib-sandbox-0123456789";

/// The sites, by host.
pub struct Net(pub BTreeMap<String, Arc<dyn Answers>>);

/// A site as a function.
pub trait Answers: Send + Sync {
    fn answer(&self, base: &str, request: http::Request<Bytes>) -> syncline_sandbox::Reply;
}

impl<S: Site> Answers for S {
    fn answer(&self, base: &str, request: http::Request<Bytes>) -> syncline_sandbox::Reply {
        self.handle(base, request)
    }
}

impl Http for Net {
    fn send(&self, request: http::Request<Bytes>) -> BoxFuture<'_, Result<http::Response<Bytes>, HttpError>> {
        let host = request.uri().host().unwrap_or_default().to_owned();
        let answer = match self.0.get(&host) {
            Some(site) => {
                let reply = site.answer(&format!("https://{host}"), request);
                match reply.deliver {
                    Delivery::Answer => Ok(reply.response),
                    Delivery::Truncate | Delivery::DropConnection => {
                        Err(HttpError::Unanswered { host, reason: "the connection was reset".into() })
                    }
                }
            }
            None => Err(HttpError::NotSent { host, reason: "no such host".into() }),
        };
        Box::pin(std::future::ready(answer))
    }
}

pub struct Desk {
    pub hands: Arc<Hands>,
    pub left: Arc<BrevoAccount>,
    pub right: Arc<BrevoAccount>,
    pub store: Store,
    pub engine: Arc<Engine>,
}

/// A row of the mapping that travels both ways, the left side winning.
pub fn both_ways(left: &str, right: &str) -> RuleDraft {
    let end = |field: &str| EndDraft { field: field.to_owned(), ..EndDraft::default() };
    RuleDraft {
        left: end(left),
        right: end(right),
        direction: Direction::Both,
        policy: Policy::Prefer(Side::Left),
        blanks: syncline_core::merge::Blanks::Propagate,
        truncate: false,
        group: None,
    }
}

pub fn pair() -> PairDraft {
    let kind = |create: bool| KindSettings {
        kind: "contact".to_owned(),
        create,
        deleted: WhenDeleted::Detach,
        created: None,
        read: Vec::new(),
    };
    let rows = ["EMAIL", "FIRSTNAME", "LASTNAME", "CITY", "SMS", "REVENUE", "VIP", "BIRTHDAY", "emailBlacklisted"];
    PairDraft {
        name: "contacts".to_owned(),
        left: kind(false),
        right: kind(true),
        rows: rows.iter().map(|field| both_ways(field, field)).collect(),
        select: Select::All,
        primary: None,
        marks: None,
        on_request: false,
    }
}

fn account(hands: &Arc<Hands>) -> Arc<BrevoAccount> {
    let config = BrevoConfig { rates: BrevoRates::NONE, ..BrevoConfig::default() };
    BrevoAccount::new(config, hands.clone())
}

impl Desk {
    pub async fn new(pairs: Vec<PairDraft>) -> Self {
        Self::with(|flow| flow.pairs = pairs).await
    }

    pub async fn with(change: impl FnOnce(&mut RecordFlow)) -> Self {
        Self::on("sqlite::memory:", change).await
    }

    /// Over this database.
    pub async fn on(url: &str, change: impl FnOnce(&mut RecordFlow)) -> Self {
        let hands = Arc::new(Hands(Mutex::new("2026-05-04T09:00:00Z".parse().expect("a time"))));
        let (left, right) = (account(&hands), account(&hands));
        let key: [u8; 32] = std::array::from_fn(|n| u8::try_from(n).expect("small"));
        let options = StoreOptions {
            key: MasterKey::new(&key).expect("a key"),
            old_keys: Vec::new(),
            entropy: Arc::new(Chance::new(7)),
            pool: 1,
        };
        let store = Store::open_inline(url, options).expect("a store");
        let workspace = WorkspaceId::new("acme");
        let mut connections = Vec::new();
        for side in ["left", "right"] {
            let id = ConnectionId::new(side);
            store.ensure_connection(&workspace, &id, "brevo").await.expect("a row");
            connections.push(ConnectionSetup {
                workspace: workspace.clone(),
                id,
                connector: &Brevo,
                settings: Settings::from([("import_list".to_owned(), "2".to_owned())]),
                app: App { client_id: String::new(), client_secret: None, redirect_uri: None },
                grant: GrantKind::Key {
                    key: Secret::new(KEY.to_owned()),
                    base_url: Url::parse(&format!("https://{side}.sandbox/v3")).expect("a URL"),
                },
                budget_share: 1.0,
            });
        }
        let side = |name: &str| SideSetup { connection: ConnectionId::new(name), every: SignedDuration::from_mins(2) };
        let mut flow = RecordFlow {
            workspace,
            id: IntegrationId::new("people"),
            left: side("left"),
            right: side("right"),
            pairs: vec![pair()],
            sweep_every: SignedDuration::from_hours(24),
            tasks_per_month: None,
            to_left: None,
            to_right: None,
        };
        change(&mut flow);
        let setup = Setup { connections, records: vec![flow], ..Setup::default() };
        let sites: BTreeMap<String, Arc<dyn Answers>> = BTreeMap::from([
            ("left.sandbox".to_owned(), left.clone() as Arc<dyn Answers>),
            ("right.sandbox".to_owned(), right.clone() as Arc<dyn Answers>),
        ]);
        let world = World {
            store: store.clone(),
            http: Arc::new(Net(sites)),
            clock: hands.clone(),
            entropy: Arc::new(Chance::new(11)),
            rest: hands.clone(),
        };
        let engine = Engine::new(world, setup, Options::default());
        Self { hands, left, right, store, engine }
    }

    pub fn flow(&self) -> &RecordFlow {
        &self.engine.setup().records[0]
    }

    pub async fn activate(&self) {
        self.engine.set_standing(self.flow(), FlowStanding::Active, None, Some("Ada")).await.expect("it is kept");
    }

    /// One round, which is expected to go through.
    pub async fn round(&self) -> Round {
        match self.engine.records_round(self.flow(), false).await.expect("the database answers") {
            RoundEnd::Done(round) => round,
            end => panic!("{end:?}"),
        }
    }

    /// Rounds, with the time between them that both sides' looks take, until one has nothing to do.
    pub async fn calm(&self) -> Round {
        let mut all = Round::default();
        for _ in 0..20 {
            let round = self.round().await;
            all.created += round.created;
            all.updated += round.updated;
            all.adopted += round.adopted;
            all.deleted += round.deleted;
            all.calls += round.calls;
            self.hands.pass(SignedDuration::from_mins(3));
            let open = self.status().await.counts;
            if round.idle() && !round.more && open.open_steps == 0 && open.due == 0 {
                return all;
            }
        }
        let flow = self.flow();
        let open = self.store.open_steps(&flow.workspace, &flow.id, Timestamp::MAX, 3).await;
        panic!("it does not come to rest: {:?}, {open:?}, {:?}", self.status().await, self.told().await.last());
    }

    pub async fn status(&self) -> syncline_engine::records::RecordFlowState {
        self.engine.records_status(self.flow()).await.expect("the database answers")
    }

    pub async fn holds(&self) -> Vec<HoldView> {
        let flow = self.flow();
        self.store.holds(&flow.workspace, &flow.id, None, 200).await.expect("the database answers")
    }

    /// What the activity log says, oldest first.
    pub async fn told(&self) -> Vec<String> {
        let filter = ActivityFilter { limit: 200, ..ActivityFilter::default() };
        let rows = self.store.activity(&"acme".into(), filter).await.expect("the database answers");
        let mut texts: Vec<String> = rows.into_iter().map(|row| row.entry.text).collect();
        texts.reverse();
        texts
    }

    pub fn now(&self) -> Timestamp {
        self.hands.now()
    }
}

/// Adds a person to an account, and yields its number.
pub fn add(account: &BrevoAccount, email: &str, attributes: Value) -> u64 {
    let body = json!({ "email": email, "attributes": attributes });
    let Value::Object(body) = body else { unreachable!("it was written as an object") };
    account.add_contact(&body).expect("the contact is sound")
}

pub fn edit(account: &BrevoAccount, id: u64, attributes: &Value) {
    account.edit(id, attributes.as_object().expect("an object")).expect("the edit is sound");
}

/// E-mail addresses with the attributes, in order of the addresses.
pub fn people(account: &BrevoAccount) -> BTreeMap<String, Map<String, Value>> {
    let mut all = BTreeMap::new();
    for contact in account.contacts_snapshot() {
        let email = contact["email"].as_str().unwrap_or_default().to_owned();
        let mut row = contact["attributes"].as_object().cloned().unwrap_or_default();
        row.retain(|name, value| !value.is_null() && name != "EXT_ID");
        row.insert("out".to_owned(), contact["emailBlacklisted"].clone());
        all.insert(email, row);
    }
    all
}
