//! The configuration that the demo of calendars runs with, and the accounts that are connected to it.

use std::path::Path;

use anyhow::Context;
use jiff::SignedDuration;
use serde_json::Value;
use syncline_core::{Clock, ids::ConnectionId};
use syncline_engine::Engine;
use syncline_store::StoredTokens;

use super::{
    accounts::{ANNA, Accounts, BEN, CARLA},
    radicale,
};
use crate::{config::Config, wiring::Installation, world::SystemClock};

/// As long as tokens of either house live at least.
const TOKENS_LIVE: SignedDuration = SignedDuration::from_mins(59);

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn write_key(folder: &Path, file: &str, key: &str) -> anyhow::Result<()> {
    let path = folder.join(file);
    std::fs::write(&path, key).with_context(|| format!("writing {}", path.display()))?;
    #[cfg(unix)]
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    Ok(())
}

/// The configuration: the same file that an admin would write.
pub fn installation(folder: &Path, accounts: &Accounts, port: u16) -> anyhow::Result<Installation> {
    let urls = &accounts.urls;
    let org = accounts.org.credentials(&urls.org);
    let google = accounts.google.credentials(&urls.google);
    let microsoft = accounts.microsoft.credentials(&urls.microsoft);
    let hub = accounts.hub.credentials(&urls.hub);
    write_key(folder, "salesforce.key", &text(&org["client_secret"]))?;
    write_key(folder, "google.key", &text(&google["client_secret"]))?;
    write_key(folder, "microsoft.key", &text(&microsoft["client_secret"]))?;
    write_key(folder, "hubspot.key", &text(&hub["private_apps"][0]["token"]))?;
    let mut allow = vec![&urls.org, &urls.hub, &urls.google, &urls.microsoft];
    allow.extend(accounts.radicale.as_ref().map(|server| &server.url));
    let mut file = format!(
        r#"
        [server]
        listen = "127.0.0.1:{port}"
        admin_token = "file:admin.key"
        [network]
        allow = {allow:?}
        [[connections]]
        name = "salesforce"
        vendor = "salesforce"
        grant = "client_credentials"
        client_id = "{org_client}"
        client_secret = "file:salesforce.key"
        settings = {{ login_host = "{org}", allow_host = "{org}" }}
        [[connections]]
        name = "hubspot"
        vendor = "hubspot"
        grant = "key"
        api_key = "file:hubspot.key"
        url = "{hub}"
        settings = {{ allow_host = "{hub}" }}
        [[connections]]
        name = "anna"
        vendor = "google"
        client_id = "{google_client}"
        client_secret = "file:google.key"
        settings = {{ allow_host = "{google}" }}
        [[connections]]
        name = "ben"
        vendor = "microsoft"
        client_id = "{microsoft_client}"
        client_secret = "file:microsoft.key"
        settings = {{ allow_host = "{microsoft}" }}
        "#,
        org = urls.org,
        org_client = text(&org["client_id"]),
        hub = urls.hub,
        google = urls.google,
        google_client = text(&google["client_id"]),
        microsoft = urls.microsoft,
        microsoft_client = text(&microsoft["client_id"]),
    );
    let mut people = vec![(ANNA, "anna"), (BEN, "ben")];
    if let Some(server) = &accounts.radicale {
        write_key(folder, "carla.key", radicale::ACCOUNT)?;
        file.push_str(&format!(
            "[[connections]]\nname = \"carla\"\nvendor = \"caldav\"\ngrant = \"key\"\napi_key = \"file:carla.key\"\nurl = \"{}\"\n",
            server.url
        ));
        people.push((CARLA, "carla"));
    }
    for crm in ["hubspot", "salesforce"] {
        file.push_str(&format!(
            "[[calendars]]\nname = \"{crm}-meetings\"\ncrm = \"{crm}\"\nown_domains = [\"acme.example\"]\n"
        ));
        if crm == "hubspot" {
            file.push_str("invite = true\nedits = true\n");
        }
        for (owner, connection) in &people {
            file.push_str(&format!(
                "[[calendars.people]]\nowner = \"{owner}\"\nconnection = \"{connection}\"\nevery_seconds = 1\n"
            ));
        }
    }
    Installation::of(Config::parse(&file).context("the demo's configuration")?, folder.to_owned())
}

/// Connects the two reps' accounts, as if they had agreed in a browser.
pub async fn connect(engine: &Engine, accounts: &Accounts) -> anyhow::Result<()> {
    let given = [
        ("anna", accounts.google.install(ANNA), &accounts.urls.google),
        ("ben", accounts.microsoft.install(BEN), &accounts.urls.microsoft),
    ];
    for (name, tokens, url) in given {
        let tokens = tokens.map_err(|error| anyhow::anyhow!("{name}: {error}"))?;
        let id = ConnectionId::new(name);
        let setup = engine.setup().connections.iter().find(|setup| setup.id == id);
        let setup = setup.with_context(|| format!("there is no connection {name}"))?;
        let tokens = StoredTokens {
            access: text(&tokens["access_token"]),
            refresh: Some(text(&tokens["refresh_token"])),
            base_url: url.clone(),
            expires_at: Some(SystemClock.now() + TOKENS_LIVE),
            account: None,
        };
        engine.world().store.store_tokens(&setup.workspace, &id, &tokens, None).await?;
    }
    Ok(())
}
