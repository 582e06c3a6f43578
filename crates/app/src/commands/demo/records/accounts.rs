//! The demo's four accounts, and who is in them at the beginning.

use std::sync::Arc;

use anyhow::Context;
use serde_json::{Map, Value, json};
use syncline_sandbox::{
    ActiveCampaignAccount, ActiveCampaignConfig, BrevoAccount, BrevoConfig, HubSpotAccount, HubSpotConfig,
    SalesforceConfig, SalesforceOrg, Site,
    brevo::BrevoRates,
    hubspot::{HubSpotProperty, HubSpotRates},
    salesforce::SchemaChange,
    serve,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::world::{SystemClock, SystemEntropy};

/// The CRM's field for opting out: what the standard one is called hangs on the org.
pub const OPT_OUT: &str = "Opted_Out__c";

/// The four accounts.
pub struct Accounts {
    pub org: Arc<SalesforceOrg>,
    pub brevo: Arc<BrevoAccount>,
    pub campaign: Arc<ActiveCampaignAccount>,
    pub hub: Arc<HubSpotAccount>,
    pub urls: [String; 4],
}

async fn on_socket<S: Site>(site: &Arc<S>, stop: &CancellationToken) -> anyhow::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await.context("cannot listen on this machine's own address")?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(serve(listener, Arc::clone(site), stop.clone()));
    Ok(url)
}

pub async fn open(stop: &CancellationToken) -> anyhow::Result<Accounts> {
    let clock = || Arc::new(SystemClock);
    let org = SalesforceOrg::new(SalesforceConfig::default(), clock(), Arc::new(SystemEntropy));
    for object in ["Contact", "Lead"] {
        let field = json!({ "object": object, "name": OPT_OUT, "label": "Opted out", "type": "boolean" });
        let field = serde_json::from_value(field).context("a field of the sandbox")?;
        org.change_schema(&SchemaChange::AddField { field }).map_err(anyhow::Error::msg)?;
    }
    // The demo does not wait for allowances; everything else is as the vendors have it.
    let config = BrevoConfig {
        rates: BrevoRates::NONE,
        import_takes: jiff::SignedDuration::from_millis(500),
        ..BrevoConfig::default()
    };
    let brevo = BrevoAccount::new(config, clock());
    let config = ActiveCampaignConfig { calls_per_second: u32::MAX, ..ActiveCampaignConfig::default() };
    let campaign = ActiveCampaignAccount::new(config, clock());
    let rates =
        HubSpotRates { private_per_ten_seconds: u32::MAX, searches_per_second: u32::MAX, ..HubSpotRates::default() };
    let config = HubSpotConfig { rates, ..HubSpotConfig::default() };
    let hub = HubSpotAccount::new(config, clock()).map_err(anyhow::Error::msg)?;
    let key = HubSpotProperty { unique: true, ..HubSpotProperty::text("syncline_key") };
    for kind in ["contacts", "deals"] {
        hub.add_property(kind, &key).map_err(anyhow::Error::msg)?;
    }
    let urls = [
        on_socket(&org, stop).await?,
        on_socket(&brevo, stop).await?,
        on_socket(&campaign, stop).await?,
        on_socket(&hub, stop).await?,
    ];
    Ok(Accounts { org, brevo, campaign, hub, urls })
}

pub fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

pub fn email(n: usize) -> String {
    format!("person{n}@example.org")
}

/// What the opportunity of a person is called.
pub fn opportunity(n: usize) -> String {
    format!("Engine {n}")
}

/// One in so many people has an opportunity.
const PEOPLE_PER_OPPORTUNITY: usize = 20;

/// People in the CRM, some of them a lead and some with an opportunity, and a part of them in each tool, with something that
/// the CRM does not know.
pub fn settle_in(accounts: &Accounts, people: usize) -> anyhow::Result<()> {
    let told = |error: String| anyhow::anyhow!(error);
    for n in 0..people {
        let mut record = json!({ "FirstName": format!("First{n}"), "LastName": format!("Last{n}"), "Email": email(n) });
        let kind = if n % 10 == 9 { "Lead" } else { "Contact" };
        if kind == "Lead" {
            record["Company"] = json!(format!("Company {n}"));
        }
        let id = accounts.org.seed(kind, &object(record)).map_err(told)?;
        if n % PEOPLE_PER_OPPORTUNITY == 0 {
            let deal = json!({ "Name": opportunity(n), "Amount": 500.5, "StageName": "Prospecting",
                "CloseDate": "2026-09-30", "ContactId": id });
            accounts.org.seed("Opportunity", &object(deal)).map_err(told)?;
        }
        if n % 3 == 0 {
            let row = json!({ "email": email(n), "attributes": { "JOB_TITLE": format!("Engineer {n}") } });
            accounts.brevo.add_contact(&object(row)).map_err(told)?;
        }
        if n % 4 == 0 {
            let row = json!({ "email": email(n), "phone": format!("+49151{n:07}") });
            accounts.campaign.add_contact(&object(row)).map_err(told)?;
        }
    }
    Ok(())
}

/// The id of the record of the CRM whose field says so.
pub fn record(accounts: &Accounts, object: &str, field: &str, says: &str) -> anyhow::Result<String> {
    let found = accounts.org.records(object).into_iter().find(|record| record.get(field) == Some(&json!(says)));
    let id = found.and_then(|record| record["Id"].as_str().map(str::to_owned));
    id.with_context(|| format!("there is no {object} {says}"))
}
