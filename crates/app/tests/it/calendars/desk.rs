//! A desk for calendars: one engine over a database in memory, imitation calendars of two reps at either vendor, an imitation
//! HubSpot, all answering by function calls, and a clock that is moved by hand.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use syncline_connect::{Connector, Secret, Settings, oauth::App};
use syncline_core::{
    Clock,
    calendar::look::Rules,
    ids::{ConnectionId, IntegrationId, WorkspaceId},
};
use syncline_engine::{
    ConnectionSetup, Engine, GrantKind, Options, Setup, World,
    calendars::{CalendarFlow, CalendarRound, CalendarRoundEnd, CalendarSetup},
};
use syncline_sandbox::{
    GoogleConfig, GoogleWorkspace, HubSpotAccount, HubSpotConfig, MicrosoftConfig, MicrosoftTenant,
    hubspot::{HubSpotProperty, HubSpotRates, HubSpotRecord},
    microsoft::MicrosoftUser,
};
use syncline_store::{
    ActivityFilter, FlowStanding, MasterKey, MeetingFilter, MeetingView, Store, StoreOptions, StoredTokens,
};
use syncline_vendors::{google::Google, hubspot::HubSpot, microsoft::Microsoft};
use url::Url;

use super::house::House;
use crate::{
    crms::{KEYED, tied, value},
    polls::{Chance, Hands},
    records::desk::{Answers, Net},
};

pub const ROSA: &str = "rosa@host.example";
pub const SAM: &str = "sam@host.example";
pub const ADA: &str = "ada@client.example";

pub struct Desk {
    pub hands: Arc<Hands>,
    pub house: House,
    pub google: Arc<GoogleWorkspace>,
    pub microsoft: Arc<MicrosoftTenant>,
    pub hub: Arc<HubSpotAccount>,
    pub store: Store,
    pub engine: Arc<Engine>,
}

pub fn workspace() -> WorkspaceId {
    WorkspaceId::new("acme")
}

pub async fn connection(
    store: &Store,
    id: &str,
    connector: &'static dyn Connector,
    tokens: &Value,
    app: App,
) -> ConnectionSetup {
    let host = format!("https://{id}.sandbox");
    let vendor = connector.manifest().vendor;
    let id = ConnectionId::new(id);
    store.ensure_connection(&workspace(), &id, vendor).await.expect("a row");
    let text = |name: &str| tokens[name].as_str().expect("a token").to_owned();
    let stored = StoredTokens {
        access: text("access_token"),
        refresh: Some(text("refresh_token")),
        base_url: format!("{host}/"),
        expires_at: None,
        account: None,
    };
    store.store_tokens(&workspace(), &id, &stored, None).await.expect("they are kept");
    ConnectionSetup {
        workspace: workspace(),
        id,
        connector,
        settings: Settings::from([("allow_host".to_owned(), host)]),
        app,
        grant: GrantKind::Browser,
        budget_share: 1.0,
    }
}

/// An account with the key property on everything, room for any number of calls, and nobody in it.
pub fn hub(hands: &Arc<Hands>) -> Arc<HubSpotAccount> {
    let rates = HubSpotRates {
        oauth_per_ten_seconds: u32::MAX,
        private_per_ten_seconds: u32::MAX,
        daily: u32::MAX,
        searches_per_second: u32::MAX,
    };
    let mut config = HubSpotConfig { rates, ..HubSpotConfig::default() };
    config.properties.extend(KEYED.map(|kind| (kind.to_owned(), HubSpotProperty::text("syncline_key").unique())));
    HubSpotAccount::new(config, hands.clone()).expect("an account")
}

impl Desk {
    pub async fn new() -> Self {
        Self::with(|_| ()).await
    }

    pub async fn with(change: impl FnOnce(&mut CalendarFlow)) -> Self {
        Self::at(House::Google, change).await
    }

    /// Rosa's and Sam's primary calendars, and Ada in the CRM.
    pub async fn at(house: House, change: impl FnOnce(&mut CalendarFlow)) -> Self {
        let hands = Arc::new(Hands(Mutex::new("2026-05-04T09:00:00Z".parse().expect("a time"))));
        let google = GoogleWorkspace::new(GoogleConfig::default(), hands.clone());
        let person = |id: &str, email: &str| MicrosoftUser::new(id, email, email);
        let users = vec![person("1", ROSA), person("2", SAM)];
        let microsoft = MicrosoftTenant::new(MicrosoftConfig { users, ..MicrosoftConfig::default() }, hands.clone());
        let hub = hub(&hands);
        let desk = Self::over_all(house, hands, (google, microsoft), (hub, "hub"), change).await;
        desk.contact(ADA);
        desk
    }

    /// Another Syncline, with a database of its own, over the same calendars and this CRM, which it calls so.
    pub async fn another(
        &self,
        (hub, crm): (&Arc<HubSpotAccount>, &str),
        change: impl FnOnce(&mut CalendarFlow),
    ) -> Self {
        let suites = (self.google.clone(), self.microsoft.clone());
        Self::over_all(self.house, self.hands.clone(), suites, (hub.clone(), crm), change).await
    }

    async fn over_all(
        house: House,
        hands: Arc<Hands>,
        (google, microsoft): (Arc<GoogleWorkspace>, Arc<MicrosoftTenant>),
        (hub, crm): (Arc<HubSpotAccount>, &str),
        change: impl FnOnce(&mut CalendarFlow),
    ) -> Self {
        let token = HubSpotConfig::default().private_apps[0].token.clone();
        let key: [u8; 32] = std::array::from_fn(|n| u8::try_from(n).expect("small"));
        let options = StoreOptions {
            key: MasterKey::new(&key).expect("a key"),
            old_keys: Vec::new(),
            entropy: Arc::new(Chance::new(7)),
            pool: 1,
        };
        let store = Store::open_inline("sqlite::memory:", options).expect("a store");
        let mut connections = Vec::new();
        let (credentials, connector): (_, &'static dyn Connector) = match house {
            House::Google => (google.credentials("https://rosa.sandbox"), &Google),
            House::Microsoft => (microsoft.credentials("https://rosa.sandbox"), &Microsoft),
        };
        let known = |name: &str| credentials[name].as_str().expect("a text").to_owned();
        let secret = Some(Secret::new(known("client_secret")));
        let app = App { client_id: known("client_id"), client_secret: secret, redirect_uri: None };
        for (id, user) in [("rosa", ROSA), ("sam", SAM)] {
            let tokens = match house {
                House::Google => google.install(user),
                House::Microsoft => microsoft.install(user),
            };
            connections.push(connection(&store, id, connector, &tokens.expect("a grant"), app.clone()).await);
        }
        store.ensure_connection(&workspace(), &ConnectionId::new(crm), "hubspot").await.expect("a row");
        let base_url = Url::parse("https://hub.sandbox").expect("a URL");
        connections.push(ConnectionSetup {
            workspace: workspace(),
            id: ConnectionId::new(crm),
            connector: &HubSpot,
            settings: Settings::new(),
            app: App { client_id: String::new(), client_secret: None, redirect_uri: None },
            grant: GrantKind::Key { key: Secret::new(token), base_url },
            budget_share: 1.0,
        });
        let calendar = |name: &str, owner: &str| CalendarSetup {
            name: name.to_owned(),
            connection: ConnectionId::new(name),
            calendar: None,
            owner: owner.to_owned(),
            blocked: Vec::new(),
            every: SignedDuration::from_mins(2),
            hook: None,
        };
        let mut flow = CalendarFlow {
            workspace: workspace(),
            id: IntegrationId::new("meetings"),
            crm: ConnectionId::new(crm),
            calendars: vec![calendar("rosa", ROSA), calendar("sam", SAM)],
            rules: Rules::default(),
            sweep_every: SignedDuration::from_hours(168),
        };
        flow.rules.policy.own_domains = vec!["host.example".to_owned()];
        change(&mut flow);
        let setup = Setup { connections, calendars: vec![flow], ..Setup::default() };
        let calendars: Arc<dyn Answers> = match house {
            House::Google => google.clone(),
            House::Microsoft => microsoft.clone(),
        };
        let sites: BTreeMap<String, Arc<dyn Answers>> = BTreeMap::from([
            ("rosa.sandbox".to_owned(), calendars.clone()),
            ("sam.sandbox".to_owned(), calendars),
            ("hub.sandbox".to_owned(), hub.clone() as Arc<dyn Answers>),
        ]);
        let world = World {
            store: store.clone(),
            http: Arc::new(Net(sites)),
            clock: hands.clone(),
            entropy: Arc::new(Chance::new(11)),
            rest: hands.clone(),
        };
        let engine = Engine::new(world, setup, Options::default());
        Self { hands, house, google, microsoft, hub, store, engine }
    }

    pub fn flow(&self) -> &CalendarFlow {
        &self.engine.setup().calendars[0]
    }

    /// A contact, by address.
    pub fn contact(&self, email: &str) -> String {
        self.hub.create("contacts", &[("email", email)]).expect("a contact")
    }

    /// Activated, with all that was there before read.
    pub async fn active(self) -> Self {
        self.engine.set_standing(self.flow(), FlowStanding::Active, None, Some("Ada")).await.expect("it is kept");
        self.calm().await;
        self
    }

    /// One round, which is expected to go through.
    pub async fn round(&self) -> CalendarRound {
        match self.engine.calendars_round(self.flow(), false).await.expect("the database answers") {
            CalendarRoundEnd::Done(round) => round,
            end => panic!("{end:?}"),
        }
    }

    /// Rounds, with the time between them that a calendar rests, until one has nothing to do.
    pub async fn calm(&self) -> CalendarRound {
        let mut all = CalendarRound::default();
        for _ in 0..20 {
            self.hands.pass(SignedDuration::from_mins(3));
            let round = self.round().await;
            assert_eq!(round.failed, []);
            all.created += round.created;
            all.updated += round.updated;
            all.deleted += round.deleted;
            all.calls += round.calls;
            if round.idle() && !round.more {
                return all;
            }
        }
        panic!("it does not come to rest: {:?}", self.told().await);
    }

    /// As [`Desk::calm`], through whatever goes wrong on the way.
    pub async fn through(&self) {
        for _ in 0..40 {
            self.hands.pass(SignedDuration::from_mins(3));
            let round = self.round().await;
            let counts = self.engine.calendars_status(self.flow()).await.expect("the database answers");
            if round.idle() && !round.more && round.failed.is_empty() && counts.next_at.is_none() {
                return;
            }
        }
        panic!("it does not come to rest: {:?}", self.told().await);
    }

    /// A meeting in somebody's calendar, an hour long, so many hours from now.
    pub fn meet(&self, owner: &str, title: &str, in_hours: i64, guests: &[&str]) -> String {
        self.google.create(owner, &self.event(title, in_hours, guests)).expect("a meeting")
    }

    pub fn event(&self, title: &str, in_hours: i64, guests: &[&str]) -> Value {
        let start = self.hands.now() + SignedDuration::from_hours(in_hours);
        let at = |at: Timestamp| json!({ "dateTime": at.to_string(), "timeZone": "Europe/Berlin" });
        let guests: Vec<Value> = guests.iter().map(|email| json!({ "email": email })).collect();
        json!({
            "summary": title,
            "start": at(start),
            "end": at(start + SignedDuration::from_hours(1)),
            "attendees": guests,
        })
    }

    /// The CRM's meetings: title and outcome, in order of the titles.
    pub fn meetings(&self) -> Vec<(String, String)> {
        let mut all: Vec<(String, String)> = self
            .records()
            .iter()
            .map(|one| (value(one, "hs_meeting_title").to_owned(), value(one, "hs_meeting_outcome").to_owned()))
            .collect();
        all.sort();
        all
    }

    pub fn titles(&self) -> Vec<String> {
        self.meetings().into_iter().map(|(title, _)| title).collect()
    }

    pub fn records(&self) -> Vec<HubSpotRecord> {
        self.hub.snapshot().remove("meetings").unwrap_or_default()
    }

    /// Who is on a meeting, by address.
    pub fn people(&self, meeting: &HubSpotRecord) -> BTreeSet<String> {
        let email = |id: &String| value(&self.hub.record("contacts", id).expect("a contact"), "email").to_owned();
        tied(meeting, "contacts").iter().map(email).collect()
    }

    /// What became of every meeting: its title and the word of the verdict.
    pub async fn verdicts(&self) -> BTreeMap<String, String> {
        let all = self.events().await;
        let word = |view: MeetingView| {
            let title = view.state.title.unwrap_or_else(|| format!("({})", view.key.uid));
            let word = match view.state.verdict {
                syncline_core::calendar::eligible::Verdict::Log => "log".to_owned(),
                syncline_core::calendar::eligible::Verdict::LeftOut(reason) => reason.code().to_owned(),
            };
            (title, word)
        };
        all.into_iter().map(word).collect()
    }

    pub async fn events(&self) -> Vec<MeetingView> {
        self.engine.calendar_events(self.flow(), MeetingFilter::All, 0, 1000).await.expect("the database answers")
    }

    /// What the activity log says, oldest first.
    pub async fn told(&self) -> Vec<String> {
        let filter = ActivityFilter { limit: 200, ..ActivityFilter::default() };
        let rows = self.store.activity(&workspace(), filter).await.expect("the database answers");
        let mut texts: Vec<String> = rows.into_iter().map(|row| row.entry.text).collect();
        texts.reverse();
        texts
    }
}
