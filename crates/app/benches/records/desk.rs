//! A CRM and one tool, an engine between them on a database in a file, and a clock that is moved by hand, so that no
//! figure waits for a vendor's pace.

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use syncline_connect::{BoxFuture, Connector, Secret, Settings, oauth::App};
use syncline_core::{
    Clock, Entropy,
    ids::{ConnectionId, IntegrationId, WorkspaceId},
    merge::{Blanks, Direction, EndDraft, KindSettings, PairDraft, Policy, RuleDraft, Select, Side, WhenDeleted},
};
use syncline_engine::{
    ConnectionSetup, Engine, GrantKind, Options, Rest, Setup, World,
    records::{RecordFlow, Round, RoundEnd, SideSetup},
};
use syncline_sandbox::{
    ActiveCampaignAccount, ActiveCampaignConfig, BrevoAccount, BrevoConfig, HubSpotAccount, HubSpotConfig,
    SalesforceConfig, SalesforceOrg,
    brevo::BrevoRates,
    hubspot::{HubSpotProperty, HubSpotRates},
};
use syncline_store::{FlowStanding, MasterKey, Store, StoreOptions};
use syncline_vendors::{activecampaign::ActiveCampaign, brevo::Brevo, hubspot::HubSpot, salesforce::Salesforce};
use url::Url;

use crate::{
    cpu,
    net::{Answers, Calls, Net},
};

const ORG: &str = "org.sandbox";
const TOOL: &str = "tool.sandbox";

/// How long all has to have been left alone until no overlap shows it again.
const CALM: SignedDuration = SignedDuration::from_hours(2);
/// From one round to the next while there is something to do: the usual pause between two looks.
const BETWEEN: SignedDuration = SignedDuration::from_mins(2);
/// The same while something is under way: before the next look at changes is due, what became of writes is.
const SOON: SignedDuration = SignedDuration::from_secs(15);
/// Rounds within which everything has to come to rest.
const ROUNDS_MAX: usize = 400;

/// The time, moved by hand.
pub struct Hands(Mutex<Timestamp>);

impl Hands {
    fn pass(&self, span: SignedDuration) {
        *self.0.lock().expect("nobody panicked") += span;
    }

    fn set(&self, now: Timestamp) {
        *self.0.lock().expect("nobody panicked") = now;
    }
}

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        *self.0.lock().expect("nobody panicked")
    }
}

impl Rest for Hands {
    fn rest(&self, time: std::time::Duration) -> BoxFuture<'_, ()> {
        self.pass(SignedDuration::try_from(time).expect("a wait is short"));
        Box::pin(std::future::ready(()))
    }
}

/// The same bytes every time, so that what was asked of one desk can be asked of another like it.
struct Chance(AtomicU64);

impl Entropy for Chance {
    fn fill(&self, bytes: &mut [u8]) {
        for byte in bytes {
            let mut next = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
            next = (next ^ (next >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            *byte = (next ^ (next >> 27)).to_le_bytes()[3];
        }
    }
}

fn chance(seed: u64) -> Arc<Chance> {
    Arc::new(Chance(AtomicU64::new(seed)))
}

/// Which tool.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tool {
    Brevo,
    ActiveCampaign,
    HubSpot,
}

impl Tool {
    pub const ALL: [Tool; 3] = [Tool::Brevo, Tool::ActiveCampaign, Tool::HubSpot];

    pub fn name(self) -> &'static str {
        match self {
            Tool::Brevo => "Brevo",
            Tool::ActiveCampaign => "ActiveCampaign",
            Tool::HubSpot => "HubSpot",
        }
    }

    /// The kind of its people, and what it calls address, first name, last name and title.
    fn kind(self) -> (&'static str, [&'static str; 4]) {
        match self {
            Tool::Brevo => ("contact", ["EMAIL", "FIRSTNAME", "LASTNAME", "JOB_TITLE"]),
            Tool::ActiveCampaign => ("contact", ["email", "firstName", "lastName", "phone"]),
            Tool::HubSpot => ("contacts", ["email", "firstname", "lastname", "jobtitle"]),
        }
    }
}

/// The tool's account.
enum Account {
    Brevo(Arc<BrevoAccount>),
    ActiveCampaign(Arc<ActiveCampaignAccount>),
    HubSpot(Arc<HubSpotAccount>),
}

impl Account {
    fn open(tool: Tool, clock: &Arc<Hands>) -> Self {
        match tool {
            Tool::Brevo => {
                let config = BrevoConfig { rates: BrevoRates::NONE, ..BrevoConfig::default() };
                Account::Brevo(BrevoAccount::new(config, clock.clone()))
            }
            Tool::ActiveCampaign => {
                let config = ActiveCampaignConfig { calls_per_second: u32::MAX, ..ActiveCampaignConfig::default() };
                Account::ActiveCampaign(ActiveCampaignAccount::new(config, clock.clone()))
            }
            Tool::HubSpot => {
                let config = HubSpotConfig { rates: without_limits(), ..HubSpotConfig::default() };
                let hub = HubSpotAccount::new(config, clock.clone()).expect("the account is sound");
                let key = HubSpotProperty { unique: true, ..HubSpotProperty::text("syncline_key") };
                hub.add_property("contacts", &key).expect("a property");
                Account::HubSpot(hub)
            }
        }
    }

    fn site(&self) -> Arc<dyn Answers> {
        match self {
            Account::Brevo(account) => account.clone(),
            Account::ActiveCampaign(account) => account.clone(),
            Account::HubSpot(account) => account.clone(),
        }
    }

    fn connection(&self, workspace: &WorkspaceId) -> ConnectionSetup {
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let (connector, key, path): (&'static dyn Connector, String, &str) = match self {
            Account::Brevo(account) => (&Brevo, text(&account.credentials("")["api_key"]), "/v3"),
            Account::ActiveCampaign(account) => {
                (&ActiveCampaign, text(&account.credentials("")["api_token"]), "/api/3")
            }
            Account::HubSpot(account) => (&HubSpot, text(&account.credentials("")["private_apps"][0]["token"]), ""),
        };
        let settings = match self {
            Account::Brevo(_) => Settings::from([("import_list".to_owned(), "2".to_owned())]),
            Account::ActiveCampaign(_) => Settings::new(),
            Account::HubSpot(_) => Settings::from([("allow_host".to_owned(), format!("https://{TOOL}"))]),
        };
        let base_url = Url::parse(&format!("https://{TOOL}{path}")).expect("a URL");
        ConnectionSetup {
            workspace: workspace.clone(),
            id: ConnectionId::new("tool"),
            connector,
            settings,
            app: App { client_id: String::new(), client_secret: None, redirect_uri: None },
            grant: GrantKind::Key { key: Secret::new(key), base_url },
            budget_share: 1.0,
        }
    }

    fn add(&self, n: usize) -> String {
        let added = match self {
            Account::Brevo(account) => {
                let attributes = json!({ "FIRSTNAME": first(n, 0), "LASTNAME": last(n), "JOB_TITLE": title(n) });
                account.add_contact(&object(json!({ "email": email(n), "attributes": attributes })))
            }
            Account::ActiveCampaign(account) => {
                let row =
                    json!({ "email": email(n), "firstName": first(n, 0), "lastName": last(n), "phone": title(n) });
                account.add_contact(&object(row))
            }
            Account::HubSpot(account) => {
                let (email, first, last, title) = (email(n), first(n, 0), last(n), title(n));
                let row = [("email", &*email), ("firstname", &*first), ("lastname", &*last), ("jobtitle", &*title)];
                return account.create("contacts", &row).expect("the contact is sound");
            }
        };
        added.expect("the contact is sound").to_string()
    }

    fn edit(&self, id: &str, n: usize, time: usize) {
        let name = first(n, time);
        let number = || id.parse::<u64>().expect("a number");
        match self {
            Account::Brevo(account) => account.edit(number(), &object(json!({ "FIRSTNAME": name }))),
            Account::ActiveCampaign(account) => account.edit(number(), &object(json!({ "firstName": name }))),
            Account::HubSpot(account) => account.edit("contacts", id, &[("firstname", &*name)]),
        }
        .expect("the edit is sound");
    }

    /// The id of a person who was made by the engine.
    fn id_of(&self, n: usize) -> String {
        let id = match self {
            Account::Brevo(account) => account.contact_with_email(&email(n)),
            Account::ActiveCampaign(account) => account.contact_with_email(&email(n)),
            Account::HubSpot(_) => None,
        };
        id.expect("the person was made").to_string()
    }

    /// How many people have this first name by now.
    fn named(&self, time: usize) -> usize {
        let is = |name: Option<&str>| name.is_some_and(|name| name.ends_with(&suffix(time)));
        match self {
            Account::Brevo(account) => {
                let all = account.contacts_snapshot();
                all.iter().filter(|contact| is(contact["attributes"]["FIRSTNAME"].as_str())).count()
            }
            Account::ActiveCampaign(account) => {
                account.contacts_snapshot().iter().filter(|contact| is(contact["firstName"].as_str())).count()
            }
            Account::HubSpot(account) => {
                let all = account.snapshot();
                let contacts = all.get("contacts").into_iter().flatten();
                contacts.filter(|contact| is(contact.properties.get("firstname").map(String::as_str))).count()
            }
        }
    }
}

fn without_limits() -> HubSpotRates {
    HubSpotRates {
        oauth_per_ten_seconds: u32::MAX,
        private_per_ten_seconds: u32::MAX,
        daily: u32::MAX,
        searches_per_second: u32::MAX,
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn email(n: usize) -> String {
    format!("person{n}@example.org")
}

/// A first name, another after each edit.
fn first(n: usize, time: usize) -> String {
    format!("First{n}{}", suffix(time))
}

fn suffix(time: usize) -> String {
    format!(" the {time}.")
}

fn last(n: usize) -> String {
    format!("Last{n}")
}

/// What all tools can hold, phone fields included.
fn title(n: usize) -> String {
    format!("4930{n:08}")
}

fn rule(left: &str, right: &str) -> RuleDraft {
    let end = |field: &str| EndDraft { field: field.to_owned(), ..EndDraft::default() };
    RuleDraft {
        left: end(left),
        right: end(right),
        direction: Direction::Both,
        policy: Policy::Prefer(Side::Left),
        blanks: Blanks::Propagate,
        truncate: false,
        group: None,
    }
}

fn flow(workspace: &WorkspaceId, tool: Tool) -> RecordFlow {
    let side = |name: &str| SideSetup { connection: ConnectionId::new(name), every: BETWEEN };
    let settings = |kind: &str, create: bool| KindSettings {
        kind: kind.to_owned(),
        create,
        deleted: WhenDeleted::Detach,
        created: None,
        read: Vec::new(),
    };
    let (kind, names) = tool.kind();
    let title = if tool == Tool::ActiveCampaign { "Phone" } else { "Title" };
    let pair = PairDraft {
        name: "contacts".to_owned(),
        left: settings("Contact", false),
        right: settings(kind, true),
        rows: ["Email", "FirstName", "LastName", title]
            .iter()
            .zip(names)
            .map(|(left, right)| rule(left, right))
            .collect(),
        select: Select::All,
        marks: None,
        on_request: false,
        primary: None,
    };
    RecordFlow {
        workspace: workspace.clone(),
        id: IntegrationId::new("people"),
        left: side("crm"),
        right: side("tool"),
        pairs: vec![pair],
        sweep_every: SignedDuration::from_hours(24 * 365),
        tasks_per_month: None,
        to_left: None,
        to_right: None,
    }
}

/// Everything together.
pub struct Desk {
    net: Arc<Net>,
    tool: Tool,
    hands: Arc<Hands>,
    org: Arc<SalesforceOrg>,
    account: Account,
    engine: Arc<Engine>,
    folder: PathBuf,
    /// Ids of the people who were seeded, on either side.
    people: [Vec<String>; 2],
    edits: usize,
}

/// The calls of some rounds.
#[derive(Clone, Copy, Default, Debug)]
pub struct Done {
    pub left: Calls,
    pub right: Calls,
}

impl Desk {
    /// So many people, on both sides or on the left alone.
    pub async fn with(tool: Tool, people: usize, both: bool) -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let hands = Arc::new(Hands(Mutex::new("2026-05-04T09:00:00Z".parse().expect("a time"))));
        let config = SalesforceConfig { daily_call_limit: u64::MAX, ..SalesforceConfig::default() };
        let org = SalesforceOrg::new(config, hands.clone(), chance(3));
        let account = Account::open(tool, &hands);
        let seed = |n: usize| {
            let person = json!({ "FirstName": first(n, 0), "LastName": last(n), "Email": email(n), "Title": title(n), "Phone": title(n) });
            org.seed("Contact", &object(person)).expect("the contact is sound")
        };
        let left: Vec<String> = (0..people).map(seed).collect();
        let right: Vec<String> = if both { (0..people).map(|n| account.add(n)).collect() } else { Vec::new() };
        let folder = std::env::temp_dir().join(format!(
            "syncline-bench-records-{}-{}",
            std::process::id(),
            NUMBER.fetch_add(1, Ordering::Relaxed)
        ));
        std::fs::create_dir_all(&folder).expect("a folder");
        let workspace = WorkspaceId::new("bench");
        let connections = vec![crm(&workspace, &org), account.connection(&workspace)];
        let key: [u8; 32] = std::array::from_fn(|n| u8::try_from(n).expect("small"));
        let options = StoreOptions {
            key: MasterKey::new(&key).expect("a key"),
            old_keys: Vec::new(),
            entropy: chance(7),
            pool: 1,
        };
        let url = format!("sqlite:{}", folder.join("syncline.db").display());
        let store = Store::open(&url, options).await.expect("a store");
        for connection in &connections {
            let vendor = connection.connector.manifest().vendor;
            store.ensure_connection(&workspace, &connection.id, vendor).await.expect("a row");
        }
        let site = |site: Arc<dyn Answers>| site;
        let sites = [(ORG.to_owned(), site(org.clone())), (TOOL.to_owned(), account.site())];
        let net = Arc::new(Net::new(hands.clone(), sites));
        let setup = Setup { connections, records: vec![flow(&workspace, tool)], ..Setup::default() };
        let world = World { store, http: net.clone(), clock: hands.clone(), entropy: chance(11), rest: hands.clone() };
        let engine = Engine::new(world, setup, Options::default());
        let desk = Self { net, tool, hands, org, account, engine, folder, people: [left, right], edits: 0 };
        desk.hands.pass(CALM);
        let checked = desk.engine.records_check(desk.flow()).await.expect("the database answers").expect("both answer");
        assert!(checked.refused.is_empty(), "{checked:?}");
        desk.engine.set_standing(desk.flow(), FlowStanding::Active, None, Some("Ada")).await.expect("it is kept");
        desk
    }

    fn flow(&self) -> &RecordFlow {
        &self.engine.setup().records[0]
    }

    fn calls(&self) -> [Calls; 2] {
        [ORG, TOOL].map(|host| self.net.calls(host))
    }

    /// One round, and whether there is nothing left.
    async fn round(&self) -> (Round, bool) {
        match self.engine.records_round(self.flow(), false).await.expect("the database answers") {
            RoundEnd::Done(round) => {
                let counts = self.engine.records_status(self.flow()).await.expect("it answers").counts;
                let rests = round.idle() && !round.more && counts.due == 0 && counts.open_steps == 0;
                (round, rests)
            }
            end => panic!("{}: {end:?}", self.tool.name()),
        }
    }

    /// Rounds until nothing is left to do.
    pub async fn settle(&self) -> Done {
        self.until(|_, rests| rests).await
    }

    /// Everybody of the CRM is made in the tool, from where they are edited later.
    pub async fn make_all(&mut self) {
        self.settle().await;
        self.people[1] = (0..self.people[0].len()).map(|n| self.account.id_of(n)).collect();
    }

    /// Rounds until so many changes were seen and carried over.
    pub async fn carried(&self, changes: usize) -> Done {
        let mut seen = 0;
        let before = self.calls();
        for _ in 0..ROUNDS_MAX {
            let (round, _) = self.round().await;
            seen += round.changed;
            let counts = self.engine.records_status(self.flow()).await.expect("it answers").counts;
            if seen >= changes && !round.more && counts.due == 0 && counts.open_steps == 0 {
                return self.since(before);
            }
            if !round.more {
                self.hands.pass(SOON);
            }
        }
        panic!("{}: it is not carried over", self.tool.name());
    }

    /// Rounds at the usual pace until one has nothing to read.
    pub async fn idle_after(&self) -> Done {
        self.wait();
        self.until(|round, rests| rests && round.read == 0).await
    }

    async fn until(&self, done: impl Fn(&Round, bool) -> bool) -> Done {
        let before = self.calls();
        for _ in 0..ROUNDS_MAX {
            let (round, rests) = self.round().await;
            if done(&round, rests) {
                return self.since(before);
            }
            if !round.more {
                self.wait();
            }
        }
        panic!("{}: it does not come to rest", self.tool.name());
    }

    fn since(&self, before: [Calls; 2]) -> Done {
        let [left, right] = self.calls();
        Done { left: left.since(before[0]), right: right.since(before[1]) }
    }

    /// Lets so much time pass that nothing that was written is shown again, and then one round, which has nothing to do.
    pub async fn idle(&self) -> Done {
        self.hands.pass(CALM);
        self.settle().await;
        self.hands.pass(CALM);
        let before = self.calls();
        let (round, rests) = self.round().await;
        assert!(rests, "{round:?}");
        self.since(before)
    }

    /// Rounds until nothing is left to do, and then the same calls made to another desk's accounts, which are as these
    /// were, without its engine; how much processor time either took.
    pub async fn beside(&self, twin: &Desk) -> (Duration, Duration) {
        self.net.keep();
        let before = cpu();
        self.settle().await;
        let engine = cpu() - before;
        let kept = self.net.kept();
        let before = cpu();
        for (at, request) in &kept {
            twin.hands.set(*at);
            assert!(twin.net.repeat(request), "{} {} is answered otherwise", request.method(), request.uri());
        }
        let bare = cpu() - before;
        twin.hands.set(self.hands.now());
        (engine, bare)
    }

    /// As [`Desk::idle`], and whatever is asked meanwhile is asked of the other accounts as well.
    pub async fn rest_beside(&self, twin: &Desk) {
        self.net.keep();
        self.idle().await;
        for (at, request) in &self.net.kept() {
            twin.hands.set(*at);
            twin.net.repeat(request);
        }
        twin.hands.set(self.hands.now());
    }

    /// The next look is due.
    pub fn wait(&self) {
        self.hands.pass(BETWEEN);
    }

    /// Edits these people on one side.
    pub fn edit(&mut self, side: Side, people: std::ops::Range<usize>) {
        self.edits += 1;
        for n in people {
            match side {
                Side::Left => {
                    let change = object(json!({ "FirstName": first(n, self.edits) }));
                    self.org.edit(&self.people[0][n], &change).expect("the edit is sound");
                }
                Side::Right => self.account.edit(&self.people[1][n], n, self.edits),
            }
        }
    }

    /// How many people bear what the last edit said, on either side.
    pub fn edited(&self) -> [usize; 2] {
        let left = self.org.records("Contact");
        let suffix = suffix(self.edits);
        let is =
            |contact: &&Map<String, Value>| contact["FirstName"].as_str().is_some_and(|name| name.ends_with(&suffix));
        [left.iter().filter(is).count(), self.account.named(self.edits)]
    }

    pub async fn close(self) {
        self.engine.world().store.clone().close().await;
        drop(std::fs::remove_dir_all(&self.folder));
    }
}

fn crm(workspace: &WorkspaceId, org: &SalesforceOrg) -> ConnectionSetup {
    let url = format!("https://{ORG}");
    let credentials = org.credentials(&url);
    let text = |name: &str| credentials[name].as_str().expect("a text").to_owned();
    let host = |name: &str| (name.to_owned(), url.clone());
    ConnectionSetup {
        workspace: workspace.clone(),
        id: ConnectionId::new("crm"),
        connector: &Salesforce,
        settings: Settings::from([host("login_host"), host("allow_host")]),
        app: App {
            client_id: text("client_id"),
            client_secret: Some(Secret::new(text("client_secret"))),
            redirect_uri: None,
        },
        grant: GrantKind::ClientCredentials,
        budget_share: 1.0,
    }
}
