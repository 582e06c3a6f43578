//! The CRMs that bookings are written to, seen alike: who is in them, which meetings there are, and what goes wrong with
//! them. Stories that hold for every CRM are told in these words.

use std::{path::Path, sync::Arc};

use serde_json::{Map, Value, json};
use syncline_core::Clock;
use syncline_sandbox::{
    FaultKind, FaultRule, HubSpotAccount, HubSpotConfig, Site,
    hubspot::{HubSpotLink, HubSpotProperty, HubSpotRates, HubSpotRecord},
    serve,
};
use tokio_util::sync::CancellationToken;

use crate::{
    lab::{Crm, Sandbox, secret},
    story::{clear_faults, fault},
};

/// Somebody in a CRM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    pub id: String,
    pub email: String,
    pub company: Option<String>,
}

/// A meeting in a CRM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Met {
    pub id: String,
    pub subject: String,
    pub start: jiff::Timestamp,
    pub description: String,
    /// The people whom it is with.
    pub with: Vec<String>,
    pub owner: String,
}

/// A CRM that a story can be told of.
pub trait Told: Crm {
    fn start() -> Self
    where
        Self: Sized;
    fn people(&self) -> Vec<Person>;
    fn companies(&self) -> Vec<String>;
    fn meetings(&self) -> Vec<Met>;
    /// How many cases, or tickets, there are.
    fn cases(&self) -> usize;
    /// Its id of the host who books for Rosa.
    fn rosa(&self) -> String;
    /// Calls so far, those for tokens left out.
    fn calls(&self) -> u64;
    fn goes_down(&self);
    fn comes_back(&self);
    /// So many answers to writes are lost, although the writes were done.
    fn loses_answers(&self, times: u64);
    /// What a booking by somebody new costs, the same once the host is known, and one by somebody who is linked.
    const CALLS_NEW: u64;
    const CALLS_NEXT: u64;
    const CALLS_LINKED: u64;
    /// The same for a booking that moves.
    const CALLS_MOVED: u64;
}

fn text(record: &Map<String, Value>, name: &str) -> String {
    record.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

impl Told for Sandbox {
    const CALLS_NEW: u64 = 2;
    const CALLS_NEXT: u64 = 2;
    const CALLS_LINKED: u64 = 1;
    const CALLS_MOVED: u64 = 2;

    fn start() -> Self {
        Sandbox::start()
    }

    fn people(&self) -> Vec<Person> {
        let person = |record: &Map<String, Value>| Person {
            id: text(record, "Id"),
            email: text(record, "Email"),
            company: Some(text(record, "AccountId")).filter(|id| !id.is_empty()),
        };
        self.records("Contact").iter().map(person).collect()
    }

    fn companies(&self) -> Vec<String> {
        self.records("Account").iter().map(|record| text(record, "Id")).collect()
    }

    fn meetings(&self) -> Vec<Met> {
        let met = |record: &Map<String, Value>| Met {
            id: text(record, "Id"),
            subject: text(record, "Subject"),
            start: text(record, "StartDateTime").parse().expect("a time"),
            description: text(record, "Description"),
            with: vec![text(record, "WhoId")],
            owner: text(record, "OwnerId"),
        };
        self.records("Event").iter().map(met).collect()
    }

    fn cases(&self) -> usize {
        self.records("Case").len()
    }

    fn rosa(&self) -> String {
        let users = self.records("User");
        text(users.iter().find(|user| user["Email"] == "rosa@host.example").expect("the host"), "Id")
    }

    fn calls(&self) -> u64 {
        let calls = self.org.calls().by_endpoint;
        calls.iter().filter(|(path, _)| path.contains("composite")).map(|(_, count)| count).sum()
    }

    fn goes_down(&self) {
        fault(self, &json!({"kind": "status", "status": 503, "path": "/services/data"}));
    }

    fn comes_back(&self) {
        clear_faults(self);
    }

    fn loses_answers(&self, times: u64) {
        let path = "/services/data/v64.0/composite/graph";
        fault(self, &json!({"kind": "applied_answer_lost", "path": path, "next": times}));
    }
}

/// An imitation HubSpot on a port of its own.
pub struct Hub {
    pub account: Arc<HubSpotAccount>,
    url: String,
    token: String,
    stop: CancellationToken,
    _runtime: tokio::runtime::Runtime,
}

struct WallClock;

impl Clock for WallClock {
    #[expect(clippy::disallowed_methods, reason = "an account outside the product's own walls reads the real clock")]
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::now()
    }
}

/// Everything that bears our key.
pub const KEYED: [&str; 5] = ["contacts", "companies", "deals", "tickets", "meetings"];

impl Hub {
    /// An account with three hosts, the key property on everything, room for any number of calls, and nobody in it.
    pub fn with(change: impl FnOnce(&mut HubSpotConfig)) -> Self {
        let mut config = HubSpotConfig {
            rates: HubSpotRates {
                oauth_per_ten_seconds: u32::MAX,
                private_per_ten_seconds: u32::MAX,
                daily: u32::MAX,
                searches_per_second: u32::MAX,
            },
            ..HubSpotConfig::default()
        };
        for kind in KEYED {
            config.properties.push((kind.to_owned(), HubSpotProperty::text("syncline_key").unique()));
        }
        change(&mut config);
        let token = config.private_apps[0].token.clone();
        let account = HubSpotAccount::new(config, Arc::new(WallClock)).expect("an account");
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let stop = CancellationToken::new();
        runtime.spawn(serve(listener, Arc::clone(&account), stop.clone()));
        Self { account, url, token, stop, _runtime: runtime }
    }

    /// Serves another vendor's imitation beside it, and says where.
    pub fn beside<S: Site>(&self, site: &Arc<S>) -> String {
        let listener = self._runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        self._runtime.spawn(serve(listener, Arc::clone(site), self.stop.clone()));
        url
    }

    /// The live records of an object.
    pub fn records(&self, object: &str) -> Vec<HubSpotRecord> {
        self.account.snapshot().remove(object).unwrap_or_default()
    }

    pub fn only(&self, object: &str) -> HubSpotRecord {
        let mut records = self.records(object);
        assert_eq!(records.len(), 1, "{object}: {records:?}");
        records.remove(0)
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// A property's value; nothing where there is none.
pub fn value<'r>(record: &'r HubSpotRecord, name: &str) -> &'r str {
    record.properties.get(name).map(String::as_str).unwrap_or_default()
}

/// The records of an object that this one is associated with.
pub fn tied(record: &HubSpotRecord, object: &str) -> Vec<String> {
    let of_object = |link: &&HubSpotLink| link.object == object;
    record.links.iter().filter(of_object).map(|link| link.id.clone()).collect()
}

impl Crm for Hub {
    fn url(&self) -> &str {
        &self.url
    }

    fn vendor(&self) -> &'static str {
        "hubspot"
    }

    fn sign_in(&self, folder: &Path) -> String {
        secret(folder, "hubspot.key", &self.token);
        format!(
            r#"
            grant = "key"
            api_key = "file:hubspot.key"
            url = "{url}"
            "#,
            url = self.url
        )
    }
}

impl Told for Hub {
    const CALLS_NEW: u64 = 8;
    const CALLS_NEXT: u64 = 7;
    const CALLS_LINKED: u64 = 1;
    const CALLS_MOVED: u64 = 2;

    fn start() -> Self {
        Self::with(|_| {})
    }

    fn people(&self) -> Vec<Person> {
        let person = |record: &HubSpotRecord| Person {
            id: record.id.clone(),
            email: value(record, "email").to_owned(),
            company: tied(record, "companies").into_iter().next(),
        };
        self.records("contacts").iter().map(person).collect()
    }

    fn companies(&self) -> Vec<String> {
        self.records("companies").into_iter().map(|record| record.id).collect()
    }

    fn meetings(&self) -> Vec<Met> {
        let met = |record: &HubSpotRecord| Met {
            id: record.id.clone(),
            subject: value(record, "hs_meeting_title").to_owned(),
            start: value(record, "hs_meeting_start_time").parse().expect("a time"),
            description: value(record, "hs_meeting_body").to_owned(),
            with: tied(record, "contacts"),
            owner: value(record, "hubspot_owner_id").to_owned(),
        };
        self.records("meetings").iter().map(met).collect()
    }

    fn cases(&self) -> usize {
        self.records("tickets").len()
    }

    fn rosa(&self) -> String {
        "88842096".to_owned()
    }

    fn calls(&self) -> u64 {
        self.account.call_count()
    }

    fn goes_down(&self) {
        let down = FaultRule::always(FaultKind::Status).status(503);
        self.account.faults().add(FaultRule { path: Some("/crm".into()), ..down }).expect("a fault");
    }

    fn comes_back(&self) {
        self.account.faults().clear();
    }

    fn loses_answers(&self, times: u64) {
        let kinds = ["companies/batch/upsert", "contacts/batch/create", "meetings/batch/create"];
        for what in (0..times).zip(kinds.iter().cycle()).map(|(_, what)| what) {
            let path = format!("/crm/v3/objects/{what}");
            let rule = FaultRule::next(FaultKind::LostAnswer).on("POST", &path);
            self.account.faults().add(rule).expect("a fault");
        }
    }
}
