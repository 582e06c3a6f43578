//! The demo's four accounts: who is in them at the beginning, and whether they have the same names.

use std::{collections::BTreeMap, sync::Arc};

use anyhow::{Context, bail};
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
    hub.add_property("contacts", &key).map_err(anyhow::Error::msg)?;
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

/// People in the CRM, some of them a lead, and a part of them in each tool, with something that the CRM does not know.
pub fn settle_in(accounts: &Accounts, people: usize) -> anyhow::Result<()> {
    let told = |error: String| anyhow::anyhow!(error);
    for n in 0..people {
        let mut record = json!({ "FirstName": format!("First{n}"), "LastName": format!("Last{n}"), "Email": email(n) });
        let kind = if n % 10 == 9 { "Lead" } else { "Contact" };
        if kind == "Lead" {
            record["Company"] = json!(format!("Company {n}"));
        }
        accounts.org.seed(kind, &object(record)).map_err(told)?;
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

pub fn record(accounts: &Accounts, object: &str, email: &str) -> anyhow::Result<String> {
    let found = accounts.org.records(object).into_iter().find(|record| record["Email"] == json!(email));
    let id = found.and_then(|record| record["Id"].as_str().map(str::to_owned));
    id.with_context(|| format!("there is no {object} {email}"))
}

/// First and last name by address.
type Names = BTreeMap<String, (String, String)>;

/// Whether everybody in the CRM has the same names in all tools.
pub fn same_everywhere(accounts: &Accounts) -> anyhow::Result<()> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut crm = Names::new();
    for kind in ["Contact", "Lead"] {
        for record in accounts.org.records(kind) {
            let live = record["IsDeleted"] != json!(true) && record.get("IsConverted") != Some(&json!(true));
            if live && record["Email"].is_string() {
                let names = (text(&record["FirstName"]), text(&record["LastName"]));
                crm.insert(text(&record["Email"]), names);
            }
        }
    }
    let brevo: Names = accounts
        .brevo
        .contacts_snapshot()
        .iter()
        .map(|row| {
            let fields = &row["attributes"];
            (text(&row["email"]), (text(&fields["FIRSTNAME"]), text(&fields["LASTNAME"])))
        })
        .collect();
    let campaign: Names = accounts
        .campaign
        .contacts_snapshot()
        .iter()
        .map(|row| (text(&row["email"]), (text(&row["firstName"]), text(&row["lastName"]))))
        .collect();
    let field = |record: &syncline_sandbox::hubspot::HubSpotRecord, name: &str| {
        record.properties.get(name).cloned().unwrap_or_default()
    };
    let hub: Names = accounts
        .hub
        .snapshot()
        .get("contacts")
        .into_iter()
        .flatten()
        .map(|row| (field(row, "email"), (field(row, "firstname"), field(row, "lastname"))))
        .collect();
    for (tool, names) in [("Brevo", &brevo), ("ActiveCampaign", &campaign), ("HubSpot", &hub)] {
        for (email, expected) in &crm {
            if names.get(email) != Some(expected) {
                bail!("{email} is {expected:?} in the CRM and {:?} in {tool}", names.get(email));
            }
        }
    }
    println!("    {} people are the same in all four", crm.len());
    Ok(())
}
