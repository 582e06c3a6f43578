//! What the demo keeps in its folder between runs: keys, the database, and the sandbox org's records.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use sha2::Sha256;
use syncline_core::Clock;
use syncline_sandbox::{SalesforceConfig, SalesforceOrg, salesforce::UserConfig};

use crate::{
    commands::init::write_key,
    config::Config,
    wiring::Installation,
    world::{SystemClock, SystemEntropy},
};

/// The objects whose records are kept, in the order in which they refer to each other.
const KEPT: &[&str] = &["Account", "Contact", "Lead", "Opportunity", "Case", "Event"];

/// The demo's folder.
pub struct Home {
    folder: PathBuf,
    epoch: Timestamp,
    secrets: Vec<(&'static str, String)>,
}

impl Home {
    /// Opens the folder, making it and its keys the first time.
    pub fn open(folder: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("making the folder {}", folder.display()))?;
        for key in ["syncline.key", "admin.key", "calcom.key", "calendly.key"] {
            let path = folder.join(key);
            if !path.exists() {
                write_key(&path)?;
            }
        }
        let secrets = ["calcom", "calendly"]
            .into_iter()
            .map(|source| {
                let path = folder.join(format!("{source}.key"));
                let secret = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
                Ok((source, secret.trim().to_owned()))
            })
            .collect::<anyhow::Result<_>>()?;
        Ok(Self { epoch: epoch(&folder.join("epoch"))?, folder: folder.to_owned(), secrets })
    }

    /// When the demo was first run.
    pub fn epoch(&self) -> Timestamp {
        self.epoch
    }

    /// The sandbox org as it was left, or a fresh one with a few records.
    pub fn org(&self) -> anyhow::Result<Arc<SalesforceOrg>> {
        let mut config = SalesforceConfig::default();
        config.users.push(UserConfig {
            username: "rosa@syncline-demo.example".to_owned(),
            email: "rosa@syncline-demo.example".to_owned(),
            first_name: "Rosa".to_owned(),
            last_name: "Rep".to_owned(),
            is_active: true,
            ..UserConfig::default()
        });
        let org = SalesforceOrg::new(config, Arc::new(SystemClock), Arc::new(SystemEntropy));
        let path = self.folder.join("org.json");
        let kept: Map<String, Value> = match fs::read_to_string(&path) {
            Ok(text) => serde_json::from_str(&text).with_context(|| format!("in {}", path.display()))?,
            Err(_) => first_records(),
        };
        for object in KEPT {
            for record in kept.get(*object).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object)
            {
                org.seed(object, record).map_err(|error| anyhow::anyhow!("putting a kept {object} back: {error}"))?;
            }
        }
        Ok(org)
    }

    /// Keeps the org's records.
    pub fn keep(&self, org: &SalesforceOrg) -> anyhow::Result<()> {
        let kept: Map<String, Value> =
            KEPT.iter().map(|object| ((*object).to_owned(), json!(org.records(object)))).collect();
        let path = self.folder.join("org.json");
        fs::write(&path, serde_json::to_vec(&kept)?).with_context(|| format!("writing {}", path.display()))
    }

    /// The configuration that the demo runs with: the same file that an admin would write.
    pub fn installation(&self, org: &SalesforceOrg, sandbox_url: &str, port: u16) -> anyhow::Result<Installation> {
        let credentials = org.credentials(sandbox_url);
        let secret = self.folder.join("salesforce.key");
        fs::write(&secret, credentials["client_secret"].as_str().unwrap_or_default())?;
        #[cfg(unix)]
        fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
        let text = format!(
            r#"
            [server]
            listen = "127.0.0.1:{port}"
            admin_token = "file:admin.key"
            [network]
            allow = ["{sandbox_url}"]
            [[connections]]
            name = "salesforce"
            vendor = "salesforce"
            grant = "client_credentials"
            client_id = "{client_id}"
            client_secret = "file:salesforce.key"
            settings = {{ login_host = "{sandbox_url}", allow_host = "{sandbox_url}" }}
            [[sources]]
            name = "calcom"
            vendor = "calcom"
            integration = "bookings"
            secrets = ["file:calcom.key"]
            [[sources]]
            name = "calendly"
            vendor = "calendly"
            integration = "bookings"
            secrets = ["file:calendly.key"]
            [[sources]]
            name = "meetergo"
            vendor = "meetergo"
            integration = "bookings"
            [[integrations]]
            name = "bookings"
            crm = "salesforce"
            [integrations.defaults]
            company_answer = "company"
            cancel = {{ show_as_free = true }}
            [[integrations.meeting_types]]
            match = "Sales call"
            opportunity = {{ stage = "Prospecting", amount = "1200.00" }}
            [[integrations.meeting_types]]
            match = "support"
            language = "de"
            case = {{ status = "New", origin = "Web" }}
            status = {{ field = "Meeting_Status__c", cancelled = "Termin storniert" }}
            "#,
            client_id = credentials["client_id"].as_str().unwrap_or_default(),
        );
        Installation::of(Config::parse(&text).context("the demo's configuration")?, self.folder.clone())
    }

    /// The headers with which a vendor signs this body.
    pub fn sign(&self, source: &str, body: &str) -> Vec<(&'static str, String)> {
        let Some((_, secret)) = self.secrets.iter().find(|(name, _)| *name == source) else { return Vec::new() };
        let hmac = |text: &[u8]| {
            let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
            mac.update(text);
            hex::encode(mac.finalize().into_bytes())
        };
        match source {
            "calcom" => vec![("x-cal-signature-256", hmac(body.as_bytes()))],
            "calendly" => {
                let now = SystemClock.now().as_second();
                vec![("calendly-webhook-signature", format!("t={now},v1={}", hmac(format!("{now}.{body}").as_bytes())))]
            }
            _ => Vec::new(),
        }
    }
}

/// When the demo was first run; written down once.
fn epoch(path: &Path) -> anyhow::Result<Timestamp> {
    if let Ok(text) = fs::read_to_string(path) {
        return text.trim().parse().with_context(|| format!("in {}", path.display()));
    }
    let now = SystemClock.now();
    let now = Timestamp::from_second(now.as_second())?;
    fs::write(path, now.to_string()).with_context(|| format!("writing {}", path.display()))?;
    Ok(now)
}

/// Somebody who was a customer before.
fn first_records() -> Map<String, Value> {
    let records = json!({
        "Account": [{"Name": "Bletchley Park", "Website": "www.bletchley.example"}],
        "Contact": [{"FirstName": "Alan", "LastName": "Turing", "Email": "alan@bletchley.example"}],
    });
    match records {
        Value::Object(records) => records,
        _ => Map::new(),
    }
}
