//! The configuration that the demo of records runs with.

use std::{path::Path, time::Duration};

use anyhow::Context;
use serde_json::Value;

use super::{
    accounts::Accounts,
    mapped::{DEAL_FIELDS, DEAL_PERSON, DEALS_IN, STAGES, TOOLS, Tool},
};
use crate::{config::Config, wiring::Installation};

/// The configuration that the demo runs with: the same file that an admin would write. Both sides of each integration are
/// looked at so often.
pub fn installation(
    folder: &Path,
    accounts: &Accounts,
    port: u16,
    every: Duration,
    tasks_per_month: Option<u64>,
) -> anyhow::Result<Installation> {
    let [crm, brevo, campaign, hub] = &accounts.urls;
    let credentials = accounts.org.credentials(crm);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let keys = [
        ("salesforce.key", text(&credentials["client_secret"])),
        ("brevo.key", text(&accounts.brevo.credentials(brevo)["api_key"])),
        ("campaign.key", text(&accounts.campaign.credentials(campaign)["api_token"])),
        ("hub.key", text(&accounts.hub.credentials(hub)["private_apps"][0]["token"])),
    ];
    for (file, key) in keys {
        let path = folder.join(file);
        std::fs::write(&path, key).with_context(|| format!("writing {}", path.display()))?;
        #[cfg(unix)]
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    }
    let mut file = format!(
        r#"
        [server]
        listen = "127.0.0.1:{port}"
        admin_token = "file:admin.key"
        [network]
        allow = ["{crm}", "{brevo}", "{campaign}", "{hub}"]
        [[connections]]
        name = "salesforce"
        vendor = "salesforce"
        grant = "client_credentials"
        client_id = "{client_id}"
        client_secret = "file:salesforce.key"
        settings = {{ login_host = "{crm}", allow_host = "{crm}" }}
        [[connections]]
        name = "brevo"
        vendor = "brevo"
        grant = "key"
        api_key = "file:brevo.key"
        url = "{brevo}/v3"
        settings = {{ import_list = "2" }}
        [[connections]]
        name = "activecampaign"
        vendor = "activecampaign"
        grant = "key"
        api_key = "file:campaign.key"
        url = "{campaign}/api/3"
        [[connections]]
        name = "hubspot"
        vendor = "hubspot"
        grant = "key"
        api_key = "file:hub.key"
        url = "{hub}"
        settings = {{ allow_host = "{hub}" }}
        "#,
        client_id = text(&credentials["client_id"]),
    );
    for tool in &TOOLS {
        let tasks = if tool.name == "brevo" { tasks_per_month } else { None };
        file.push_str(&flow(tool, every, tasks));
        if tool.name == DEALS_IN {
            file.push_str(&deals());
        }
    }
    Installation::of(Config::parse(&file).context("the demo's configuration")?, folder.to_owned())
}

/// One integration: contacts and leads of the CRM with the contacts of a tool.
fn flow(tool: &Tool, every: Duration, tasks_per_month: Option<u64>) -> String {
    let (name, every) = (tool.name, every.as_secs());
    let mut file = format!(
        "[[records]]\nname = \"{name}\"\nleft = \"salesforce\"\nright = \"{name}\"\n\
         left_every_seconds = {every}\nright_every_seconds = {every}\n"
    );
    if let Some(tasks) = tasks_per_month {
        file.push_str(&format!("tasks_per_month = {tasks}\n"));
    }
    for (pair, left) in [("contacts", "Contact"), ("leads", "Lead")] {
        file.push_str(&self::pair(pair, left, tool.kind));
        file.extend(tool.fields.iter().map(|(left, right)| field(left, right, "")));
    }
    file
}

/// Its opportunities, one way into the tool's deals.
fn deals() -> String {
    let stages: Vec<String> = STAGES.iter().map(|(left, right)| format!("\"{left}\" = \"{right}\"")).collect();
    let mut file = pair("deals", "Opportunity", "deals");
    for (left, right) in DEAL_FIELDS {
        let further = match *left {
            "StageName" => format!("right_options = {{ {} }}\n", stages.join(", ")),
            "CloseDate" => "to_right = \"{{ value }}T00:00:00Z\"\n".to_owned(),
            _ => String::new(),
        };
        file.push_str(&field(left, right, &format!("direction = \"to_right\"\n{further}")));
    }
    let (left, right) = DEAL_PERSON;
    file + &field(left, right, "refers_to = [\"contacts\"]\n")
}

fn pair(name: &str, left: &str, right: &str) -> String {
    format!("[[records.pairs]]\nname = \"{name}\"\nleft = \"{left}\"\nright = \"{right}\"\ncreate_right = true\n")
}

fn field(left: &str, right: &str, further: &str) -> String {
    format!("[[records.pairs.fields]]\nleft = \"{left}\"\nright = \"{right}\"\n{further}")
}
