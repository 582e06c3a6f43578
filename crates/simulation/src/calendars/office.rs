//! The people of an office, where their calendars are, the CRM, and the integration that an operator would set up.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use jiff::SignedDuration;
use serde_json::Value;
use syncline_connect::{Secret, Settings, oauth::App};
use syncline_core::{
    Clock,
    calendar::{look::Rules, meeting::BackRules},
    ids::{ConnectionId, IntegrationId, WorkspaceId},
};
use syncline_engine::{
    ConnectionSetup, GrantKind, Setup,
    calendars::{CalendarFlow, CalendarSetup},
};
use syncline_sandbox::{
    GoogleConfig, GoogleWorkspace, MicrosoftConfig, MicrosoftTenant, Site,
    google::{GoogleRates, GoogleUser},
    microsoft::MicrosoftUser,
};
use syncline_server::{HintSetup, ServerOptions};
use syncline_store::StoredTokens;
use url::Url;

use super::{
    crm::Crm,
    plot::{Plot, Trouble},
};
use crate::{
    clock::TrueClock,
    process::{PATH_KEY, PUBLIC, connector, options},
    story::SECRET,
};

/// How often a calendar is asked for changes.
pub const EVERY: SignedDuration = SignedDuration::from_secs(60);
/// Rows of a page that come again on the next one.
const REPEATED_ROWS: usize = 1;
/// The CRM's connection.
pub const HUB: &str = "hub";

/// The people, by their places.
pub const ROSA: usize = 0;
pub const SAM: usize = 1;
pub const MIA: usize = 2;
/// Nobody connected this one's calendar.
pub const BOSS: usize = 3;

/// Where a calendar is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Google,
    Microsoft,
}

/// Somebody of the office.
#[derive(Debug)]
pub struct Person {
    pub name: &'static str,
    pub email: &'static str,
    pub place: Place,
}

pub const PEOPLE: [Person; 4] = [
    Person { name: "rosa", email: "rosa@host.example", place: Place::Google },
    Person { name: "sam", email: "sam@host.example", place: Place::Google },
    Person { name: "mia", email: "mia@firm.example", place: Place::Microsoft },
    Person { name: "boss", email: "boss@host.example", place: Place::Google },
];

pub fn workspace() -> WorkspaceId {
    WorkspaceId::new("office")
}

pub fn integration() -> IntegrationId {
    IntegrationId::new("meetings")
}

/// Where an account answers.
fn base(name: &str) -> String {
    format!("https://{name}.accounts.example")
}

/// The accounts.
pub struct Office {
    pub google: Arc<GoogleWorkspace>,
    pub microsoft: Arc<MicrosoftTenant>,
    pub crm: Crm,
    /// Names of the accounts that are called, the CRM last.
    pub hosts: Vec<&'static str>,
    google_app: App,
    microsoft_app: App,
}

impl Office {
    pub fn new(plot: &Plot, truth: &Arc<TrueClock>) -> Self {
        let clock = || Arc::clone(truth) as Arc<dyn Clock>;
        let at = |place: Place| PEOPLE.iter().filter(move |person| person.place == place);
        let secret = format!("{SECRET}-of-an-app-of-32-characters");
        let usual = GoogleConfig::default();
        let google = GoogleConfig {
            users: at(Place::Google).map(|one| GoogleUser::new(one.email, one.name, "Europe/Berlin")).collect(),
            client_secret: secret.clone(),
            rates: GoogleRates::NONE,
            repeated_rows: if plot.has(Trouble::Pages) { REPEATED_ROWS } else { 0 },
            bare_tombstones: plot.has_bare_tombstones(),
            channels_live: plot.channels_live.unwrap_or(usual.channels_live),
            ..usual
        };
        let user = |one: &Person| MicrosoftUser::new("aaaaaaaa-0000-4000-8000-000000000001", one.email, one.name);
        let microsoft = MicrosoftConfig {
            users: at(Place::Microsoft).map(user).collect(),
            client_secret: secret,
            repeats_rows: plot.has(Trouble::Pages),
            ..MicrosoftConfig::default()
        };
        let app = |id: &str, secret: &str| App {
            client_id: id.to_owned(),
            client_secret: Some(Secret::new(secret.to_owned())),
            redirect_uri: None,
        };
        let google_app = app(&google.client_id, &google.client_secret);
        let microsoft_app = app(&microsoft.client_id, &microsoft.client_secret);
        let linked = plot.linked.iter().map(|at| PEOPLE[*at].name);
        Self {
            google: GoogleWorkspace::new(google, clock()),
            microsoft: MicrosoftTenant::new(microsoft, clock()),
            crm: Crm::new(plot, truth),
            hosts: linked.chain([HUB]).collect(),
            google_app,
            microsoft_app,
        }
    }

    /// The place of a host among those that are called.
    pub fn at(&self, host: &str) -> Option<usize> {
        self.hosts.iter().position(|name| base(name).ends_with(&format!("//{host}")))
    }

    pub fn is_hub(&self, at: usize) -> bool {
        self.hosts[at] == HUB
    }

    /// Whose calendar answers there.
    pub fn person(&self, at: usize) -> Option<&'static Person> {
        PEOPLE.iter().find(|person| person.name == self.hosts[at])
    }

    /// Answers a request.
    pub fn answer(&self, at: usize, request: Request<Bytes>) -> Response<Bytes> {
        let base = base(self.hosts[at]);
        match self.person(at).map(|person| person.place) {
            Some(Place::Google) => self.google.handle(&base, request).response,
            Some(Place::Microsoft) => self.microsoft.handle(&base, request).response,
            None => self.crm.answer(&base, request),
        }
    }

    /// What is kept once somebody has agreed to the connection.
    pub fn tokens(&self, name: &str) -> Option<StoredTokens> {
        let person = PEOPLE.iter().find(|person| person.name == name)?;
        let tokens = match person.place {
            Place::Google => self.google.install(person.email),
            Place::Microsoft => self.microsoft.install(person.email),
        };
        let tokens = tokens.ok()?;
        let text = |name: &str| tokens[name].as_str().map(str::to_owned);
        Some(StoredTokens {
            access: text("access_token")?,
            refresh: text("refresh_token"),
            base_url: format!("{}/", base(name)),
            expires_at: None,
            account: None,
        })
    }

    /// What the operator set up.
    pub fn setup(&self, plot: &Plot) -> Setup {
        let connection = |person: &Person| {
            let (vendor, app) = match person.place {
                Place::Google => ("google", &self.google_app),
                Place::Microsoft => ("microsoft", &self.microsoft_app),
            };
            ConnectionSetup {
                workspace: workspace(),
                id: person.name.into(),
                connector: connector(vendor),
                settings: Settings::from([("allow_host".to_owned(), base(person.name))]),
                app: app.clone(),
                grant: GrantKind::Browser,
                budget_share: 1.0,
            }
        };
        let linked = plot.linked.iter().map(|at| &PEOPLE[*at]);
        Setup {
            connections: linked.map(connection).chain([self.crm.connection(&base(HUB))]).collect(),
            calendars: vec![flow(plot)],
            ..Setup::default()
        }
    }
}

/// Where a person's vendor tells of changes.
fn hook(name: &str) -> Url {
    Url::parse(&format!("{PUBLIC}/hooks/{name}/{PATH_KEY}")).expect("the address is well formed")
}

/// How a server is set up that hears them.
pub fn hearing(plot: &Plot, setup: &Setup) -> ServerOptions {
    let calendars = setup.connections.iter().filter(|setup| plot.told && setup.id.as_str() != HUB);
    let hints = calendars.map(|setup| HintSetup {
        workspace: workspace(),
        id: setup.id.clone(),
        connector: setup.connector,
        path_key: PATH_KEY.to_owned(),
        url: hook(setup.id.as_str()).into(),
        secrets: Vec::new(),
    });
    ServerOptions { hints: hints.collect(), ..options() }
}

fn flow(plot: &Plot) -> CalendarFlow {
    let calendar = |at: &usize| CalendarSetup {
        name: PEOPLE[*at].name.to_owned(),
        connection: ConnectionId::new(PEOPLE[*at].name),
        calendar: None,
        owner: PEOPLE[*at].email.to_owned(),
        blocked: Vec::new(),
        every: EVERY,
        hook: plot.told.then(|| hook(PEOPLE[*at].name)),
    };
    let mut rules = Rules::default();
    rules.policy.own_domains = vec!["host.example".to_owned(), "firm.example".to_owned()];
    rules.policy.series = plot.series;
    if plot.has(Trouble::Log) {
        rules.back = BackRules { invite: true, edits: true, ..BackRules::default() };
    }
    CalendarFlow {
        workspace: workspace(),
        id: integration(),
        crm: ConnectionId::new(HUB),
        calendars: plot.linked.iter().map(calendar).collect(),
        rules,
        sweep_every: plot.sweep_every,
    }
}

/// What an event is called by all its copies, as its calendar says it.
pub fn uid_in(row: &Value) -> Option<&str> {
    row["iCalUID"].as_str().or(row["uid"].as_str())
}
