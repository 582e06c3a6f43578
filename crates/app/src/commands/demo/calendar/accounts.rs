//! The demo's accounts: who has which calendar, who is in which CRM, and the post between the two calendar houses.

use std::sync::Arc;

use anyhow::Context;
use serde_json::{Map, Value, json};
use syncline_sandbox::{
    GoogleConfig, GoogleWorkspace, HubSpotAccount, HubSpotConfig, MicrosoftConfig, MicrosoftTenant, SalesforceConfig,
    SalesforceOrg, Site,
    google::GoogleUser,
    hubspot::{HubSpotProperty, HubSpotUser},
    microsoft::MicrosoftUser,
    salesforce::UserConfig,
    serve,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::radicale::Radicale;
use crate::world::{SystemClock, SystemEntropy};

/// The reps, by where their calendars are.
pub const ANNA: &str = "anna@acme.example";
pub const BEN: &str = "ben@acme.example";
pub const CARLA: &str = "carla@acme.example";

/// Customers: Ada has a Google calendar and is in both CRMs, Grace one of Microsoft and is in HubSpot, Alan is in Salesforce.
pub const ADA: &str = "ada@analytical.example";
pub const GRACE: &str = "grace@cobol.example";
pub const ALAN: &str = "alan@bletchley.example";

/// Everything that the demo plays on.
pub struct Accounts {
    pub google: Arc<GoogleWorkspace>,
    pub microsoft: Arc<MicrosoftTenant>,
    pub hub: Arc<HubSpotAccount>,
    pub org: Arc<SalesforceOrg>,
    pub radicale: Option<Radicale>,
    pub urls: Urls,
}

/// Where the imitations answer.
pub struct Urls {
    pub google: String,
    pub microsoft: String,
    pub hub: String,
    pub org: String,
}

async fn on_socket<S: Site>(site: &Arc<S>, stop: &CancellationToken) -> anyhow::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await.context("cannot listen on this machine's own address")?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(serve(listener, Arc::clone(site), stop.clone()));
    Ok(url)
}

fn told(error: impl std::fmt::Display) -> anyhow::Error {
    anyhow::anyhow!("{error}")
}

/// Opens them, with everybody in their places.
pub async fn open(radicale: Option<Radicale>, stop: &CancellationToken) -> anyhow::Result<Accounts> {
    let clock = || Arc::new(SystemClock);
    let google = GoogleConfig {
        users: vec![
            GoogleUser::new(ANNA, "Anna Acme", "Europe/Berlin"),
            GoogleUser::new(ADA, "Ada Lovelace", "Europe/London"),
        ],
        ..GoogleConfig::default()
    };
    let google = GoogleWorkspace::new(google, clock());
    let microsoft = MicrosoftConfig {
        users: vec![MicrosoftUser::new("u-ben", BEN, "Ben Acme"), MicrosoftUser::new("u-grace", GRACE, "Grace Hopper")],
        ..MicrosoftConfig::default()
    };
    let microsoft = MicrosoftTenant::new(microsoft, clock());
    let hub = HubSpotAccount::new(hub_config(), clock()).map_err(told)?;
    let org = SalesforceOrg::new(org_config(), clock(), Arc::new(SystemEntropy));
    for (email, first, last) in [(ADA, "Ada", "Lovelace"), (GRACE, "Grace", "Hopper")] {
        let person = [("email", email), ("firstname", first), ("lastname", last)];
        hub.create("contacts", &person).map_err(told)?;
    }
    for (email, first, last) in [(ADA, "Ada", "Lovelace"), (ALAN, "Alan", "Turing")] {
        let person = json!({ "Email": email, "FirstName": first, "LastName": last });
        org.seed("Contact", &members(person)).map_err(told)?;
    }
    let urls = Urls {
        google: on_socket(&google, stop).await?,
        microsoft: on_socket(&microsoft, stop).await?,
        hub: on_socket(&hub, stop).await?,
        org: on_socket(&org, stop).await?,
    };
    Ok(Accounts { google, microsoft, hub, org, radicale, urls })
}

/// The reps as the CRMs' users.
const REPS: [(&str, &str); 3] = [("Anna", ANNA), ("Ben", BEN), ("Carla", CARLA)];

/// What HubSpot's owners are numbered from.
const FIRST_OWNER: u64 = 88_842_100;

/// A rep's number as an owner in HubSpot.
pub fn owner_of(rep: &str) -> u64 {
    (1..).zip(REPS).find(|(_, (_, email))| *email == rep).map_or(FIRST_OWNER, |(number, _)| FIRST_OWNER + number)
}

fn hub_config() -> HubSpotConfig {
    let user = |(number, (first, email)): (u64, (&str, &str))| HubSpotUser {
        user_id: 5100 + number,
        owner_id: FIRST_OWNER + number,
        email: email.into(),
        first_name: first.into(),
        last_name: "Acme".into(),
        active: true,
    };
    HubSpotConfig {
        users: (1..).zip(REPS).map(user).collect(),
        properties: vec![(
            "meetings".to_owned(),
            HubSpotProperty { unique: true, ..HubSpotProperty::text("syncline_key") },
        )],
        ..HubSpotConfig::default()
    }
}

fn org_config() -> SalesforceConfig {
    let mut config = SalesforceConfig::default();
    config.users.extend(REPS.map(|(first, email)| UserConfig {
        username: email.to_owned(),
        email: email.to_owned(),
        first_name: first.to_owned(),
        last_name: "Acme".to_owned(),
        is_active: true,
        ..UserConfig::default()
    }));
    config
}

pub fn members(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// The post: invitations, replies and cancellations from one house to the other, until none is on its way.
#[derive(Default)]
pub struct Post {
    from_google: u64,
    from_microsoft: u64,
}

impl Post {
    pub fn carry(&mut self, accounts: &Accounts) {
        loop {
            let (google, microsoft) =
                (accounts.google.mails_since(self.from_google), accounts.microsoft.mails_since(self.from_microsoft));
            if google.is_empty() && microsoft.is_empty() {
                return;
            }
            for mail in google {
                self.from_google = mail.number;
                accounts.microsoft.receive(&mail);
            }
            for mail in microsoft {
                self.from_microsoft = mail.number;
                accounts.google.receive(&mail);
            }
        }
    }
}
