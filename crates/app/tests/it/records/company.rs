//! One CRM and three tools around it: what changes in one of them reaches all the others, and comes to rest.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use jiff::SignedDuration;
use serde_json::{Map, Value, json};
use syncline_connect::{Connector, ErrorKind, Secret, Settings, oauth::App};
use syncline_core::{
    ids::{ConnectionId, IntegrationId, WorkspaceId},
    merge::{Direction, KindSettings, PairDraft, RuleDraft, Select, WhenDeleted},
};
use syncline_engine::{
    ConnectionSetup, Engine, GrantKind, Options, Setup, World,
    records::{RecordFlow, RoundEnd, SideSetup},
};
use syncline_sandbox::{
    ActiveCampaignAccount, ActiveCampaignConfig, BrevoAccount, BrevoConfig, HubSpotAccount, HubSpotConfig,
    SalesforceConfig, SalesforceOrg,
    brevo::BrevoRates,
    hubspot::HubSpotProperty,
    salesforce::{LeadConversion, SchemaChange},
};
use syncline_store::{FlowStanding, MasterKey, Store, StoreOptions};
use syncline_vendors::{activecampaign::ActiveCampaign, brevo::Brevo, hubspot::HubSpot, salesforce::Salesforce};
use url::Url;

use super::desk::{Answers, Net, add, both_ways, edit, people};
use crate::polls::{Chance, Hands};

/// A database that lives as long as its test.
const SQLITE: &str = "sqlite::memory:";

const ORG: &str = "https://org.sandbox";

/// The org's own field for opting out: what the standard one is called hangs on the org.
const OPT_OUT: &str = "Opted_Out__c";

pub struct Company {
    pub hands: Arc<Hands>,
    pub org: Arc<SalesforceOrg>,
    pub brevo: Arc<BrevoAccount>,
    pub campaign: Arc<ActiveCampaignAccount>,
    pub hub: Arc<HubSpotAccount>,
    pub engine: Arc<Engine>,
    /// Calls that an account refused because they were too many.
    too_many: Arc<AtomicUsize>,
}

/// A site whose refusals of calls that are too many are counted.
struct Counted {
    site: Arc<dyn Answers>,
    too_many: Arc<AtomicUsize>,
}

impl Answers for Counted {
    fn answer(&self, base: &str, request: http::Request<bytes::Bytes>) -> syncline_sandbox::Reply {
        let reply = self.site.answer(base, request);
        self.too_many.fetch_add(usize::from(reply.response.status() == 429), Ordering::Relaxed);
        reply
    }
}

fn text(credentials: &Value, names: &[&str]) -> String {
    names.iter().find_map(|name| credentials[*name].as_str()).expect("the credentials have it").to_owned()
}

fn connection(
    workspace: &WorkspaceId,
    name: &str,
    connector: &'static dyn Connector,
    key: String,
    url: &str,
    settings: &[(&str, &str)],
) -> ConnectionSetup {
    ConnectionSetup {
        workspace: workspace.clone(),
        id: ConnectionId::new(name),
        connector,
        settings: settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        app: App { client_id: String::new(), client_secret: None, redirect_uri: None },
        grant: GrantKind::Key { key: Secret::new(key), base_url: Url::parse(url).expect("a URL") },
        budget_share: 1.0,
    }
}

fn kind(kind: &str, create: bool) -> KindSettings {
    KindSettings { kind: kind.to_owned(), create, deleted: WhenDeleted::Detach, created: None, read: Vec::new() }
}

fn pair(name: &str, left: &str, right: &str, rows: Vec<RuleDraft>) -> PairDraft {
    PairDraft {
        name: name.to_owned(),
        left: kind(left, false),
        right: kind(right, true),
        rows,
        select: Select::All,
        primary: None,
        marks: None,
        on_request: false,
    }
}

/// The same for contacts and leads.
fn pairs(right: &str, names: &[(&str, &str)]) -> Vec<PairDraft> {
    let rows = || names.iter().map(|(left, right)| both_ways(left, right)).collect::<Vec<_>>();
    vec![pair("contacts", "Contact", right, rows()), pair("leads", "Lead", right, rows())]
}

fn flow(workspace: &WorkspaceId, name: &str, pairs: Vec<PairDraft>) -> RecordFlow {
    let side = |name: &str| SideSetup { connection: ConnectionId::new(name), every: SignedDuration::from_mins(2) };
    RecordFlow {
        workspace: workspace.clone(),
        id: IntegrationId::new(format!("with-{name}")),
        left: side("crm"),
        right: side(name),
        pairs,
        sweep_every: SignedDuration::from_hours(24),
        tasks_per_month: None,
        to_left: None,
        to_right: None,
    }
}

impl Company {
    pub async fn new() -> Self {
        Self::with(SalesforceConfig::default(), 1.0).await
    }

    /// With integrations that are a little different: they stand in the order Brevo, ActiveCampaign, HubSpot.
    pub async fn changed(change: impl FnOnce(&mut Vec<RecordFlow>)) -> Self {
        Self::build(SQLITE, SalesforceConfig::default(), 1.0, change).await
    }

    /// The same on this database.
    pub async fn on(url: &str, change: impl FnOnce(&mut Vec<RecordFlow>)) -> Self {
        Self::build(url, SalesforceConfig::default(), 1.0, change).await
    }

    /// With an org of this kind, of whose daily calls this share may be used up.
    pub async fn with(org: SalesforceConfig, budget_share: f64) -> Self {
        Self::build(SQLITE, org, budget_share, |_| {}).await
    }

    async fn build(
        url: &str,
        org: SalesforceConfig,
        budget_share: f64,
        change: impl FnOnce(&mut Vec<RecordFlow>),
    ) -> Self {
        let hands = Arc::new(Hands(Mutex::new("2026-05-04T09:00:00Z".parse().expect("a time"))));
        let org = SalesforceOrg::new(org, hands.clone(), Arc::new(Chance::new(3)));
        // Their numbers are 2 to 6.
        let lists = ["Newsletter", "Contacts", "New contacts", "Leads", "New leads"].map(str::to_owned).to_vec();
        let config = BrevoConfig { rates: BrevoRates::NONE, lists, ..BrevoConfig::default() };
        for object in ["Contact", "Lead"] {
            let field = json!({ "object": object, "name": OPT_OUT, "label": "Opted out", "type": "boolean" });
            let field = serde_json::from_value(field).expect("a field");
            org.change_schema(&SchemaChange::AddField { field }).expect("a change of the schema");
        }
        let brevo = BrevoAccount::new(config, hands.clone());
        brevo.add_deal_attribute("Syncline key", "text");
        brevo.add_company_attribute("Syncline key", "text");
        let config = ActiveCampaignConfig { calls_per_second: u32::MAX, ..ActiveCampaignConfig::default() };
        let campaign = ActiveCampaignAccount::new(config, hands.clone());
        campaign.add_deal_field("Close date", "date");
        let account_key = campaign.add_account_field("Syncline key", "text").to_string();
        let hub = HubSpotAccount::new(HubSpotConfig::default(), hands.clone()).expect("the account is sound");
        let key = HubSpotProperty { unique: true, ..HubSpotProperty::text("syncline_key") };
        hub.add_property("contacts", &key).expect("a property");
        let key: [u8; 32] = std::array::from_fn(|n| u8::try_from(n).expect("small"));
        let options = StoreOptions {
            key: MasterKey::new(&key).expect("a key"),
            old_keys: Vec::new(),
            entropy: Arc::new(Chance::new(7)),
            pool: 1,
        };
        let store = match url {
            SQLITE => Store::open_inline(url, options).expect("a store"),
            url => Store::open(url, options).await.expect("a store"),
        };
        let workspace = WorkspaceId::new("acme");
        let credentials = org.credentials(ORG);
        let host = |name: &str| (name.to_owned(), ORG.to_owned());
        let crm = ConnectionSetup {
            workspace: workspace.clone(),
            id: ConnectionId::new("crm"),
            connector: &Salesforce,
            settings: Settings::from([host("login_host"), host("allow_host")]),
            app: App {
                client_id: text(&credentials, &["client_id"]),
                client_secret: Some(Secret::new(text(&credentials, &["client_secret"]))),
                redirect_uri: None,
            },
            grant: GrantKind::ClientCredentials,
            budget_share,
        };
        let keys = (brevo.credentials(""), campaign.credentials(""), hub.credentials(""));
        let hub_token = keys.2["private_apps"][0]["token"].as_str().expect("an app").to_owned();
        let connections = vec![
            crm,
            connection(&workspace, "brevo", &Brevo, text(&keys.0, &["api_key"]), "https://brevo.sandbox/v3", &[]),
            connection(
                &workspace,
                "campaign",
                &ActiveCampaign,
                text(&keys.1, &["api_token"]),
                "https://campaign.sandbox/api/3",
                &[("account_key", account_key.as_str())],
            ),
            connection(
                &workspace,
                "hub",
                &HubSpot,
                hub_token,
                "https://hub.sandbox",
                &[("allow_host", "https://hub.sandbox")],
            ),
        ];
        for connection in &connections {
            let vendor = connection.connector.manifest().vendor;
            store.ensure_connection(&workspace, &connection.id, vendor).await.expect("a row");
        }
        let opt_out = |right: &str| both_ways(OPT_OUT, right);
        let mut with_brevo = pairs(
            "contact",
            &[("Email", "EMAIL"), ("FirstName", "FIRSTNAME"), ("LastName", "LASTNAME"), ("Title", "JOB_TITLE")],
        );
        let mut with_campaign = pairs(
            "contact",
            &[("Email", "email"), ("FirstName", "firstName"), ("LastName", "lastName"), ("Phone", "phone")],
        );
        let with_hub = pairs(
            "contacts",
            &[("Email", "email"), ("FirstName", "firstname"), ("LastName", "lastname"), ("Title", "jobtitle")],
        );
        with_brevo.iter_mut().for_each(|pair| pair.rows.push(opt_out("emailBlacklisted")));
        with_campaign.iter_mut().for_each(|pair| {
            pair.rows.push(RuleDraft { direction: Direction::ToLeft, ..opt_out("unsubscribed") });
        });
        let mut records = vec![
            flow(&workspace, "brevo", with_brevo),
            flow(&workspace, "campaign", with_campaign),
            flow(&workspace, "hub", with_hub),
        ];
        change(&mut records);
        let setup = Setup { connections, records, ..Setup::default() };
        let too_many = Arc::new(AtomicUsize::new(0));
        let site = |site: Arc<dyn Answers>| -> Arc<dyn Answers> {
            Arc::new(Counted { site, too_many: Arc::clone(&too_many) })
        };
        let sites = BTreeMap::from([
            ("org.sandbox".to_owned(), site(org.clone())),
            ("brevo.sandbox".to_owned(), site(brevo.clone())),
            ("campaign.sandbox".to_owned(), site(campaign.clone())),
            ("hub.sandbox".to_owned(), site(hub.clone())),
        ]);
        let world = World {
            store,
            http: Arc::new(Net(sites)),
            clock: hands.clone(),
            entropy: Arc::new(Chance::new(11)),
            rest: hands.clone(),
        };
        let engine = Engine::new(world, setup, Options::default());
        let company = Self { hands, org, brevo, campaign, hub, engine, too_many: Arc::clone(&too_many) };
        for flow in &company.engine.setup().records {
            let checked = company.engine.records_check(flow).await.expect("the database answers").expect("both answer");
            assert!(checked.refused.is_empty(), "{checked:?}");
            company.engine.set_standing(flow, FlowStanding::Active, None, Some("Ada")).await.expect("it is kept");
        }
        company
    }

    /// Rounds of all three, until none of them has anything to do; how many writes they made.
    pub async fn calm(&self) -> usize {
        let mut writes = 0;
        for _ in 0..40 {
            let mut idle = true;
            for flow in &self.engine.setup().records {
                match self.engine.records_round(flow, false).await.expect("the database answers") {
                    RoundEnd::Done(round) => {
                        writes += round.created + round.updated + round.deleted;
                        let counts = self.engine.records_status(flow).await.expect("it answers").counts;
                        idle &= round.idle() && !round.more && counts.due == 0 && counts.open_steps == 0;
                    }
                    // The allowance of a moment is used up; the next look comes later.
                    RoundEnd::Failed { error, .. } if error.kind == ErrorKind::RateLimited => idle = false,
                    end => panic!("{}: {end:?}", flow.id),
                }
            }
            // Longer than an index may lag and changes may come late.
            self.hands.pass(SignedDuration::from_mins(20));
            if idle {
                return writes;
            }
        }
        panic!("it does not come to rest");
    }

    /// As [`Self::calm`], where calls may fail on the way.
    pub async fn calm_after_failures(&self) {
        for _ in 0..40 {
            let mut idle = true;
            for flow in &self.engine.setup().records {
                let end = self.engine.records_round(flow, false).await.expect("the database answers");
                let counts = self.engine.records_status(flow).await.expect("it answers").counts;
                idle &= matches!(end, RoundEnd::Done(round) if round.idle() && !round.more);
                idle &= counts.due == 0 && counts.open_steps == 0;
            }
            self.hands.pass(SignedDuration::from_mins(20));
            if idle {
                return;
            }
        }
        panic!("it does not come to rest");
    }

    /// How many calls were too many by now.
    pub fn too_many(&self) -> usize {
        self.too_many.load(Ordering::Relaxed)
    }

    pub fn contact(&self, email: &str) -> Map<String, Value> {
        let mut found = self.org.records("Contact");
        found.retain(|contact| contact["Email"] == json!(email));
        assert_eq!(found.len(), 1, "{email}: {found:?}");
        found.remove(0)
    }

    pub fn campaign_id(&self, email: &str) -> u64 {
        self.campaign.contact_with_email(email).expect("the contact is there")
    }

    pub fn hub_emails(&self) -> Vec<String> {
        let all = self.hub.snapshot();
        let contacts = all.get("contacts").into_iter().flatten();
        let mut emails: Vec<String> = contacts.filter_map(|record| record.properties.get("email").cloned()).collect();
        emails.sort();
        emails
    }
}

pub fn fields(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("{other} is no object"),
    }
}

/// A contact of the CRM reaches three tools, a change in one of them reaches the CRM and the other two, an opt-out does
/// likewise, and when nothing more changes nothing is written.
///
/// proves: R4, R15, R17, R22, V6
#[tokio::test]
async fn three_tools_around_one_crm_come_to_rest() {
    let company = Company::new().await;
    for n in 0..12 {
        let contact =
            json!({ "LastName": format!("Last{n:02}"), "FirstName": "Ada", "Email": format!("p{n:02}@example.org") });
        company.org.seed("Contact", &fields(contact)).expect("the contact is sound");
    }
    add(&company.brevo, "p03@example.org", json!({ "JOB_TITLE": "Countess" }));
    company.calm().await;
    assert_eq!(people(&company.brevo).len(), 12);
    assert_eq!(company.campaign.contacts_snapshot().len(), 12);
    assert_eq!(company.hub_emails().iter().filter(|email| email.starts_with('p')).count(), 12);
    assert_eq!(company.contact("p03@example.org")["Title"], json!("Countess"), "a blank is filled from the other side");

    let brevo = company.brevo.contact_with_email("p05@example.org").expect("it was made");
    edit(&company.brevo, brevo, &json!({ "EMAIL": "new@example.org", "LASTNAME": "King" }));
    let writes = company.calm().await;
    let contact = company.contact("new@example.org");
    assert_eq!(contact["LastName"], json!("King"));
    company.campaign_id("new@example.org");
    assert!(company.hub_emails().contains(&"new@example.org".to_owned()));
    assert!(!company.hub_emails().contains(&"p05@example.org".to_owned()));
    assert_eq!(writes, 3, "one write for each of the others");

    let id = company.campaign_id("p07@example.org");
    company.campaign.edit(id, &fields(json!({ "firstName": "Augusta" }))).expect("the edit is sound");
    company.calm().await;
    assert_eq!(company.contact("p07@example.org")["FirstName"], json!("Augusta"));
    assert_eq!(people(&company.brevo)["p07@example.org"]["FIRSTNAME"], json!("Augusta"));

    let out = company.brevo.contact_with_email("p08@example.org").expect("it was made");
    company.brevo.unsubscribe(out);
    company.calm().await;
    assert_eq!(company.contact("p08@example.org")[OPT_OUT], json!(true));
    assert_eq!(company.calm().await, 0, "nothing is left to write");
}

/// A lead that becomes a contact keeps its counterparts, and of two contacts that are merged one goes on.
///
/// proves: R16
#[tokio::test]
async fn conversions_and_merges_are_followed() {
    let company = Company::new().await;
    let lead = json!({ "LastName": "Lovelace", "Company": "Analytical Engines", "Email": "ada@example.org" });
    let lead = company.org.seed("Lead", &fields(lead)).expect("the lead is sound");
    let one = json!({ "LastName": "Babbage", "Email": "babbage@example.org" });
    let one = company.org.seed("Contact", &fields(one)).expect("the contact is sound");
    let two = json!({ "LastName": "Babbage", "FirstName": "Charles", "Email": "charles@example.org" });
    let two = company.org.seed("Contact", &fields(two)).expect("the contact is sound");
    company.calm().await;
    assert_eq!(people(&company.brevo).len(), 3);
    company
        .org
        .convert_lead(&LeadConversion {
            lead_id: lead,
            converted_status: "Closed - Converted".to_owned(),
            do_not_create_opportunity: true,
            ..LeadConversion::default()
        })
        .expect("the lead is converted");
    company.org.merge(&one, &[&two], &Map::new()).expect("they are merged");
    company.calm().await;
    assert_eq!(people(&company.brevo).len(), 3, "nobody is doubled");
    let brevo = company.brevo.contact_with_email("ada@example.org").expect("still there");
    edit(&company.brevo, brevo, &json!({ "FIRSTNAME": "Augusta Ada" }));
    company.calm().await;
    assert_eq!(company.contact("ada@example.org")["FirstName"], json!("Augusta Ada"), "the contact, not the lead");
}

/// A lead becomes a contact in the moment in which its address changes in a tool: it goes on with its counterpart, and
/// nobody is made anew. (Seed 18 of the simulation.)
///
/// proves: R16
#[tokio::test]
async fn a_converted_lead_with_a_new_address_is_not_doubled() {
    let company = Company::new().await;
    let lead = json!({ "LastName": "Lovelace", "Company": "Analytical Engines", "Email": "ada@example.org" });
    let lead = company.org.seed("Lead", &fields(lead)).expect("the lead is sound");
    company.calm().await;
    let brevo = company.brevo.contact_with_email("ada@example.org").expect("it was made");
    edit(&company.brevo, brevo, &json!({ "EMAIL": "countess@example.org" }));
    let conversion = LeadConversion {
        lead_id: lead,
        converted_status: "Closed - Converted".to_owned(),
        do_not_create_opportunity: true,
        ..LeadConversion::default()
    };
    company.org.convert_lead(&conversion).expect("the lead is converted");
    company.calm().await;
    assert_eq!(people(&company.brevo).len(), 1, "{:?}", people(&company.brevo));
    company.contact("countess@example.org");
}

/// Fifty changes among many records cost one read of the other side and one write.
///
/// proves: R22
#[tokio::test]
async fn fifty_changes_cost_one_write() {
    let company = Company::new().await;
    for n in 0..400 {
        let contact = json!({ "LastName": format!("Last{n}"), "Email": format!("p{n}@example.org") });
        company.org.seed("Contact", &fields(contact)).expect("the contact is sound");
    }
    company.calm().await;
    for n in 0..50 {
        let id = company.brevo.contact_with_email(&format!("p{n}@example.org")).expect("it was made");
        edit(&company.brevo, id, &json!({ "FIRSTNAME": "Ada" }));
    }
    let flow = &company.engine.setup().records[0];
    let RoundEnd::Done(round) = company.engine.records_round(flow, false).await.expect("the database answers") else {
        panic!("both sides answer")
    };
    assert_eq!(round.updated, 50);
    // A title is shown by none of them, so it is asked whether the attribute is still there.
    assert_eq!(round.calls, 5, "a look on each side, one for the attributes, one read of the CRM, one write");
}
