//! The daily check of mappings, under a clock that is moved by hand: what came and went is told once, by one of many
//! processes, and a CRM that does not answer changes nothing.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;
use jiff::SignedDuration;
use syncline_connect::{BoxFuture, Http, HttpError, Secret, Settings, oauth::App};
use syncline_core::{
    booking::{
        mapping::{Mapping, Target, When},
        settings::BookingSettings,
    },
    expr::Expression,
    ids::{ConnectionId, IntegrationId, WorkspaceId},
    record::Field,
};
use syncline_engine::{
    Checked, ConnectionSetup, Engine, GrantKind, Integration, Options, Setup, TemplateSource, Templating, World,
};
use syncline_sandbox::{SalesforceConfig, SalesforceOrg, salesforce::SchemaChange};
use syncline_store::{ActivityFilter, MasterKey, Store, StoreOptions};
use syncline_vendors::salesforce::Salesforce;

use crate::polls::{Chance, Hands};

const ORG: &str = "https://org.sandbox";

/// The org, which may be out of reach.
struct Net {
    org: Arc<SalesforceOrg>,
    cut: AtomicBool,
}

impl Http for Net {
    fn send(&self, request: http::Request<Bytes>) -> BoxFuture<'_, Result<http::Response<Bytes>, HttpError>> {
        let answer = if self.cut.load(Ordering::Relaxed) {
            Err(HttpError::NotSent { host: "org.sandbox".into(), reason: "connection refused".into() })
        } else {
            Ok(self.org.handle(ORG, request).response)
        };
        Box::pin(std::future::ready(answer))
    }
}

struct Office {
    hands: Arc<Hands>,
    net: Arc<Net>,
    store: Store,
    engine: Arc<Engine>,
}

fn mapped(name: &str) -> Mapping {
    let value = Expression::compile("{{ answer(\"Topic\") }}").expect("a value");
    let field = Field::Native(name.to_owned());
    Mapping { on: Target::Contact, name: name.to_owned(), field, value, when: When::Always }
}

fn settings(fields: &[&str]) -> Arc<BookingSettings> {
    let mappings = fields.iter().map(|name| mapped(name)).collect();
    Arc::new(BookingSettings { mappings, ..BookingSettings::default() })
}

impl Office {
    async fn new() -> Self {
        let hands = Arc::new(Hands(Mutex::new("2026-05-04T09:00:00Z".parse().expect("a time"))));
        let org = SalesforceOrg::new(SalesforceConfig::default(), hands.clone(), Arc::new(Chance::new(3)));
        let net = Arc::new(Net { org, cut: AtomicBool::new(false) });
        let key: [u8; 32] = std::array::from_fn(|n| u8::try_from(n).expect("small"));
        let options = StoreOptions {
            key: MasterKey::new(&key).expect("a key"),
            old_keys: Vec::new(),
            entropy: Arc::new(Chance::new(7)),
            pool: 1,
        };
        let store = Store::open_inline("sqlite::memory:", options).expect("a store");
        let workspace = WorkspaceId::new("acme");
        store.ensure_connection(&workspace, &ConnectionId::new("crm"), "salesforce").await.expect("a row");
        let engine = engine(&hands, &net, &store, &["Department", "Title"]);
        Self { hands, net, store, engine }
    }

    async fn check(&self) -> Checked {
        step(&self.engine).await
    }

    fn change(&self, change: SchemaChange) {
        self.net.org.change_schema(&change).expect("a change of the schema");
    }

    /// What the activity log says of mappings, oldest first.
    async fn told(&self) -> Vec<String> {
        let filter = ActivityFilter { limit: 50, ..ActivityFilter::default() };
        let rows = self.store.activity(&"acme".into(), filter).await.expect("the database answers");
        let mut texts: Vec<String> = rows.into_iter().map(|row| row.entry.text).collect();
        texts.retain(|text| text.contains("mappings"));
        texts.reverse();
        texts
    }
}

async fn step(engine: &Engine) -> Checked {
    engine.check_mappings_once(&engine.setup().connections[0]).await.expect("the database answers")
}

/// Templates whose text is the one field that they map into.
struct OneField;

impl Templating for OneField {
    fn settings(
        &self,
        _: &IntegrationId,
        _: &str,
        _: &str,
        templates: &[TemplateSource<'_>],
    ) -> Result<BookingSettings, String> {
        let mappings = templates.iter().map(|template| mapped(template.source)).collect();
        Ok(BookingSettings { mappings, ..BookingSettings::default() })
    }
}

/// Another process on the same database, with mappings into these fields.
fn engine(hands: &Arc<Hands>, net: &Arc<Net>, store: &Store, fields: &[&str]) -> Arc<Engine> {
    let credentials = net.org.credentials(ORG);
    let text = |name: &str| credentials[name].as_str().expect("a text").to_owned();
    let (workspace, crm) = (WorkspaceId::new("acme"), ConnectionId::new("crm"));
    let host = |name: &str| (name.to_owned(), ORG.to_owned());
    let connection = ConnectionSetup {
        workspace: workspace.clone(),
        id: crm.clone(),
        connector: &Salesforce,
        settings: Settings::from([host("login_host"), host("allow_host")]),
        app: App {
            client_id: text("client_id"),
            client_secret: Some(Secret::new(text("client_secret"))),
            redirect_uri: None,
        },
        grant: GrantKind::ClientCredentials,
        budget_share: 1.0,
    };
    let integration = Integration {
        workspace,
        id: IntegrationId::new("bookings"),
        crm,
        default: settings(fields),
        // What is wrong everywhere is told once.
        meeting_types: BTreeMap::from([("intro".to_owned(), settings(fields))]),
    };
    let templating: Option<Arc<dyn Templating>> = Some(Arc::new(OneField));
    let setup =
        Setup { connections: vec![connection], integrations: vec![integration], templating, ..Setup::default() };
    let world = World {
        store: store.clone(),
        http: net.clone(),
        clock: hands.clone(),
        entropy: Arc::new(Chance::new(11)),
        rest: hands.clone(),
    };
    Engine::new(world, setup, Options::default())
}

fn lost(field: &str) -> SchemaChange {
    SchemaChange::RemoveField { object: "Contact".into(), field: field.into() }
}

fn compared(step: &Checked) -> (usize, usize) {
    match step {
        Checked::Compared { found, mended, .. } => (*found, *mended),
        other => panic!("{other:?}"),
    }
}

/// Once a day and not sooner, each change is told once, with the reason and the fix.
///
/// proves: B13
#[tokio::test]
async fn what_came_and_went_is_told_once_a_day() {
    let office = Office::new().await;
    assert_eq!(compared(&office.check().await), (0, 0));
    assert!(office.told().await.is_empty(), "nothing is told while nothing is wrong");
    office.change(lost("Department"));
    let Checked::NotDue { next } = office.check().await else { panic!("not sooner than in a day") };
    let wait = next.duration_since(*office.hands.0.lock().expect("a test panicked"));
    assert!(wait >= SignedDuration::from_hours(24) && wait <= SignedDuration::from_hours(26), "{wait}");
    office.hands.pass(wait);
    assert_eq!(compared(&office.check().await), (1, 0));
    office.hands.pass(SignedDuration::from_hours(26));
    assert_eq!(compared(&office.check().await), (0, 0), "the same is not told again");
    office.change(SchemaChange::RenameField { object: "Contact".into(), field: "Title".into(), to: "Rank".into() });
    let back = serde_json::json!({"object": "Contact", "name": "Department", "label": "Department", "type": "string", "length": 80});
    office.change(SchemaChange::AddField { field: serde_json::from_value(back).expect("a field") });
    office.hands.pass(SignedDuration::from_hours(26));
    assert_eq!(compared(&office.check().await), (1, 1));
    assert_eq!(
        office.told().await,
        [
            "The mappings into crm were checked: what does not fit is left out of bookings until it is mended. contact.Department (bookings): Contact has no such field; create it in the CRM, let Syncline's user see it, or take it out of the mapping",
            "The mappings into crm were checked: what does not fit is left out of bookings until it is mended. contact.Title (bookings): Contact has no such field; create it in the CRM, let Syncline's user see it, or take it out of the mapping. In order now: contact.Department (bookings)",
        ]
    );
}

/// Of two processes one checks; mappings that were changed are checked at once, but not by turns for ever where two
/// processes are set up differently.
///
/// proves: B13
#[tokio::test]
async fn one_of_many_checks_and_changed_mappings_at_once() {
    let office = Office::new().await;
    office.change(lost("Title"));
    let twin = engine(&office.hands, &office.net, &office.store, &["Department", "Title"]);
    let (one, other) = tokio::join!(office.check(), step(&twin));
    let compared_by = [&one, &other].into_iter().filter(|step| matches!(step, Checked::Compared { .. })).count();
    assert_eq!(compared_by, 1, "{one:?} {other:?}");
    let changed = engine(&office.hands, &office.net, &office.store, &["Department", "Fax"]);
    assert_eq!(compared(&step(&changed).await), (0, 1));
    for _ in 0..3 {
        drop((office.check().await, step(&changed).await));
    }
    let calls = office.net.org.calls().by_endpoint.values().sum::<u64>();
    for engine in [&office.engine, &changed] {
        assert!(matches!(step(engine).await, Checked::NotDue { .. }));
    }
    assert_eq!(office.net.org.calls().by_endpoint.values().sum::<u64>(), calls);
    let wrong = engine(&office.hands, &office.net, &office.store, &["Title"]);
    assert_eq!(compared(&step(&wrong).await), (1, 0));
    let unmapped = engine(&office.hands, &office.net, &office.store, &[]);
    assert_eq!(compared(&step(&unmapped).await), (0, 1), "what is no longer mapped is in order");
    office.hands.pass(SignedDuration::from_hours(48));
    assert!(matches!(step(&unmapped).await, Checked::NotDue { .. }), "without mappings there is nothing to ask");
}

/// A template that is put in force is checked as the settings are, under the meeting type that it is for.
///
/// proves: B13, B20
#[tokio::test]
async fn templates_in_force_are_checked_as_well() {
    let office = Office::new().await;
    assert_eq!(compared(&office.check().await), (0, 0));
    let (acme, now) = (WorkspaceId::new("acme"), *office.hands.0.lock().expect("a test panicked"));
    let saved = office.store.save_template(&acme, "attendee", "demos", "Gone__c", 0, "rosa", now).await;
    saved.expect("the database answers");
    let active = office.store.activate_template(&acme, "attendee", "demo", "demos", 1, "rosa", now).await;
    assert!(active.expect("the database answers"));
    office.hands.pass(SignedDuration::from_secs(2));
    assert_eq!(compared(&office.check().await), (1, 0), "at once, as changed settings are");
    let told = office.told().await;
    assert!(told[0].contains("contact.Gone__c (bookings, demo): Contact has no such field"), "{told:?}");
    let back = office.store.roll_back_template(&acme, "attendee", "demo", "rosa", now).await;
    assert!(back.expect("the database answers").is_some());
    office.hands.pass(SignedDuration::from_hours(26));
    assert_eq!(compared(&office.check().await), (0, 1));
}

/// A CRM out of reach is asked again in an hour; what was known of its mappings stays known, and nothing is told.
///
/// proves: B13, B14
#[tokio::test]
async fn a_crm_that_does_not_answer_changes_nothing() {
    let office = Office::new().await;
    office.change(lost("Title"));
    assert_eq!(compared(&office.check().await), (1, 0));
    office.hands.pass(SignedDuration::from_hours(26));
    office.net.cut.store(true, Ordering::Relaxed);
    let Checked::Failed { next, .. } = office.check().await else { panic!("the CRM is out of reach") };
    assert!(matches!(office.check().await, Checked::NotDue { next: again } if again.as_second() == next.as_second()));
    office.net.cut.store(false, Ordering::Relaxed);
    office.hands.pass(SignedDuration::from_hours(1));
    assert_eq!(compared(&office.check().await), (0, 0));
    assert_eq!(office.told().await.len(), 1);
}
