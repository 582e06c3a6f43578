//! `syncline demo records`: a CRM and three marketing tools on this machine alone. People are on some of them, edits are
//! made on all of them, and what became of each is printed, until all say the same and nothing is left to write.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, bail};
use clap::Args;
use serde_json::{Map, Value, json};
use syncline_engine::{
    Engine,
    records::{RecordFlow, RoundEnd},
};
use syncline_sandbox::{
    ActiveCampaignAccount, ActiveCampaignConfig, BrevoAccount, BrevoConfig, HubSpotAccount, HubSpotConfig,
    SalesforceConfig, SalesforceOrg, Site,
    brevo::BrevoRates,
    hubspot::HubSpotProperty,
    salesforce::{LeadConversion, SchemaChange},
    serve,
};
use syncline_store::{ActivityFilter, FlowStanding, JournalKind, PAGE_MAX};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{
    commands::init::write_key,
    config::{Config, TelemetryConfig},
    telemetry,
    wiring::Installation,
    world::{SystemClock, SystemEntropy},
};

/// Rounds within which everything has to come to rest.
const ROUNDS_MAX: usize = 200;

/// The pause after a round that found nothing to do although something is under way.
const PAUSE: Duration = Duration::from_millis(300);

/// The CRM's field for opting out: what the standard one is called hangs on the org.
const OPT_OUT: &str = "Opted_Out__c";

/// Fewest people: each act has some of its own.
const PEOPLE_MIN: usize = 60;

/// The first of those who opt out, and whose names change in the end; how many opt out at once.
const EDITED_FROM: usize = 40;
const OPT_OUTS: usize = 20;

/// Transfers that the quota leaves, and people whose change would need more.
const QUOTA_LEFT: u64 = 10;
const QUOTA_EDITS: usize = 15;

/// Lines of the activity log that one act shows.
const LINES: usize = 12;

/// How to demonstrate.
#[derive(Debug, Args)]
pub struct RecordsDemoArgs {
    /// Where the demo keeps its database. It begins anew each time.
    #[arg(long, default_value = ".syncline/demo-records")]
    folder: PathBuf,
    /// People in the CRM.
    #[arg(long, default_value_t = 1_000)]
    people: usize,
}

/// The four accounts.
struct Accounts {
    org: Arc<SalesforceOrg>,
    brevo: Arc<BrevoAccount>,
    campaign: Arc<ActiveCampaignAccount>,
    hub: Arc<HubSpotAccount>,
    urls: [String; 4],
}

/// Plays and prints.
pub async fn run(args: RecordsDemoArgs) -> anyhow::Result<()> {
    let quiet = TelemetryConfig { log: Some("error".to_owned()), ..TelemetryConfig::default() };
    let _telemetry = telemetry::start_logs(&quiet)?;
    let stop = CancellationToken::new();
    let accounts = accounts(&stop).await?;
    settle_in(&accounts, args.people)?;
    if args.people < PEOPLE_MIN {
        bail!("the demo takes {PEOPLE_MIN} people at least");
    }
    let folder = new_folder(&args.folder)?;
    let mut stage = Stage { accounts, folder, people: args.people, seen: 0 };
    let played = stage.play().await;
    stop.cancel();
    played
}

/// The accounts, and where the demo keeps its files.
struct Stage {
    accounts: Accounts,
    folder: PathBuf,
    people: usize,
    /// The last line of the activity log that was shown.
    seen: i64,
}

impl Stage {
    /// Starts Syncline over the demo's database, as `syncline serve` does, with this limit of transfers where there is one.
    async fn start(&self, tasks_per_month: Option<u64>) -> anyhow::Result<Arc<Engine>> {
        let installation = installation(&self.folder, &self.accounts, tasks_per_month)?;
        let store = installation.open_store().await?;
        installation.engine(store, &installation.public_url()?, installation.engine_options()?).await
    }

    async fn play(&mut self) -> anyhow::Result<()> {
        let engine = self.start(None).await?;
        let played = self.first_part(&engine).await;
        let used = match &played {
            Ok(()) => usage(&engine).await,
            Err(_) => Ok(0),
        };
        engine.world().store.clone().close().await;
        played?;
        self.quota(used?).await
    }

    async fn first_part(&mut self, engine: &Engine) -> anyhow::Result<()> {
        let (accounts, people, seen) = (&self.accounts, self.people, &mut self.seen);
        let flows = &engine.setup().records;
        println!(
            "A CRM with {people} people, a third of them in Brevo, a quarter in ActiveCampaign, none in HubSpot.\n"
        );
        for flow in flows {
            preview(engine, flow).await?;
            engine.set_standing(flow, FlowStanding::Active, None, Some("the demo")).await?;
        }
        *seen = newest(engine, flows).await?;
        act(engine, seen, "All three are activated", false).await?;
        same_everywhere(accounts)?;

        let told = |error: String| anyhow::anyhow!(error);
        let brevo = |n: usize| accounts.brevo.contact_with_email(&email(n)).context("the contact is in Brevo");
        accounts.brevo.edit(brevo(1)?, &object(json!({ "LASTNAME": "Lovelace" }))).map_err(told)?;
        act(engine, seen, "Somebody corrects a last name in Brevo", true).await?;
        let id = accounts.campaign.contact_with_email(&email(2)).context("the contact is in ActiveCampaign")?;
        accounts.campaign.edit(id, &object(json!({ "phone": "+4930123456" }))).map_err(told)?;
        accounts.brevo.edit(brevo(2)?, &object(json!({ "JOB_TITLE": "Countess" }))).map_err(told)?;
        act(engine, seen, "A phone number in ActiveCampaign and the same person's title in Brevo", true).await?;
        for n in 20..40 {
            let id = brevo(n)?;
            accounts.brevo.edit(id, &object(json!({ "EMAIL": format!("moved{n}@example.org") }))).map_err(told)?;
        }
        act(engine, seen, "Twenty addresses change at once in Brevo", false).await?;
        let lead = record(accounts, "Lead", &email(9))?;
        let conversion = LeadConversion {
            lead_id: lead,
            converted_status: "Closed - Converted".to_owned(),
            account_id: None,
            contact_id: None,
            do_not_create_opportunity: true,
            opportunity_name: None,
            owner_id: None,
            overwrite_lead_source: false,
        };
        accounts.org.convert_lead(&conversion).map_err(told)?;
        act(engine, seen, "A lead becomes a contact", true).await?;
        let (master, loser) = (record(accounts, "Contact", &email(5))?, record(accounts, "Contact", &email(6))?);
        accounts.org.merge(&master, &[&loser], &Map::new()).map_err(told)?;
        act(engine, seen, "Two contacts are merged in the CRM", true).await?;
        accounts.brevo.edit(brevo(7)?, &object(json!({ "LASTNAME": "Brevo's" }))).map_err(told)?;
        let contact = record(accounts, "Contact", &email(7))?;
        accounts.org.edit(&contact, &object(json!({ "LastName": "The CRM's" }))).map_err(told)?;
        act(engine, seen, "The same name is changed on both sides", true).await?;
        for n in EDITED_FROM..EDITED_FROM + OPT_OUTS {
            accounts.brevo.unsubscribe(brevo(n)?);
        }
        act(engine, seen, "People opt out by a link in a mail from Brevo, and the CRM hears of it", false).await?;
        let out = accounts.org.records("Contact").iter().filter(|record| record[OPT_OUT] == json!(true)).count();
        println!("    {out} contacts of the CRM have opted out");
        same_everywhere(accounts)
    }

    /// A month's limit is reached, and raised.
    async fn quota(&mut self, used: u64) -> anyhow::Result<()> {
        let told = |error: String| anyhow::anyhow!(error);
        for n in (EDITED_FROM..self.people).filter(|n| n % 10 != 9).take(QUOTA_EDITS) {
            let contact = record(&self.accounts, "Contact", &email(n))?;
            self.accounts.org.edit(&contact, &object(json!({ "FirstName": format!("Anew{n}") }))).map_err(told)?;
        }
        let limited = self.start(Some(used + QUOTA_LEFT)).await?;
        let what = format!("Names change in the CRM, and Brevo's quota of this month has {QUOTA_LEFT} transfers left");
        let acted = act(&limited, &mut self.seen, &what, true).await;
        limited.world().store.clone().close().await;
        acted?;
        let engine = self.start(None).await?;
        let ended = self.last_part(&engine).await;
        engine.world().store.clone().close().await;
        ended
    }

    async fn last_part(&mut self, engine: &Engine) -> anyhow::Result<()> {
        act(engine, &mut self.seen, "The limit is raised, and Syncline started again", false).await?;
        same_everywhere(&self.accounts)?;
        let writes = act(engine, &mut self.seen, "Nobody changes anything", false).await?;
        if writes > 0 {
            bail!("a round without changes wrote {writes} records");
        }
        println!("\nAll four say the same, and a round without changes writes nothing.");
        Ok(())
    }
}

/// Transfers of this month to and from Brevo.
async fn usage(engine: &Engine) -> anyhow::Result<u64> {
    let Some(flow) = engine.setup().records.first() else { return Ok(0) };
    Ok(engine.records_status(flow).await?.quota.used)
}

async fn on_socket<S: Site>(site: &Arc<S>, stop: &CancellationToken) -> anyhow::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await.context("cannot listen on this machine's own address")?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(serve(listener, Arc::clone(site), stop.clone()));
    Ok(url)
}

async fn accounts(stop: &CancellationToken) -> anyhow::Result<Accounts> {
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
    let hub = HubSpotAccount::new(HubSpotConfig::default(), clock()).map_err(anyhow::Error::msg)?;
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

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn email(n: usize) -> String {
    format!("person{n}@example.org")
}

/// People in the CRM, some of them a lead, and a part of them in each tool, with something that the CRM does not know.
fn settle_in(accounts: &Accounts, people: usize) -> anyhow::Result<()> {
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

/// A folder without anything of an earlier demo but the key.
fn new_folder(folder: &Path) -> anyhow::Result<PathBuf> {
    std::fs::create_dir_all(folder).with_context(|| format!("making the folder {}", folder.display()))?;
    for file in ["syncline.db", "syncline.db-wal", "syncline.db-shm"] {
        let old = folder.join(file);
        if old.exists() {
            std::fs::remove_file(&old).with_context(|| format!("removing {}", old.display()))?;
        }
    }
    if !folder.join("syncline.key").exists() {
        write_key(&folder.join("syncline.key"))?;
    }
    Ok(folder.to_owned())
}

/// The configuration that the demo runs with: the same file that an admin would write.
fn installation(folder: &Path, accounts: &Accounts, tasks_per_month: Option<u64>) -> anyhow::Result<Installation> {
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
    let tools = [
        ("brevo", "contact", ["EMAIL", "FIRSTNAME", "LASTNAME"], ("Title", "JOB_TITLE")),
        ("activecampaign", "contact", ["email", "firstName", "lastName"], ("Phone", "phone")),
        ("hubspot", "contacts", ["email", "firstname", "lastname"], ("Title", "jobtitle")),
    ];
    for (tool, kind, names, further) in tools {
        let tasks = if tool == "brevo" { tasks_per_month } else { None };
        file.push_str(&flow(tool, kind, names, further, tasks));
    }
    Installation::of(Config::parse(&file).context("the demo's configuration")?, folder.to_owned())
}

/// One integration: contacts and leads of the CRM with the contacts of a tool.
fn flow(tool: &str, kind: &str, names: [&str; 3], further: (&str, &str), tasks_per_month: Option<u64>) -> String {
    let mut file = format!(
        "[[records]]\nname = \"{tool}\"\nleft = \"salesforce\"\nright = \"{tool}\"\nleft_every_seconds = 1\nright_every_seconds = 1\n"
    );
    if let Some(tasks) = tasks_per_month {
        file.push_str(&format!("tasks_per_month = {tasks}\n"));
    }
    for (pair, left) in [("contacts", "Contact"), ("leads", "Lead")] {
        file.push_str(&format!(
            "[[records.pairs]]\nname = \"{pair}\"\nleft = \"{left}\"\nright = \"{kind}\"\ncreate_right = true\n"
        ));
        let [email, first, last] = names;
        let opt_out = (tool == "brevo").then_some((OPT_OUT, "emailBlacklisted"));
        let rows = [("Email", email), ("FirstName", first), ("LastName", last), further];
        for (left, right) in rows.into_iter().chain(opt_out) {
            file.push_str(&format!("[[records.pairs.fields]]\nleft = \"{left}\"\nright = \"{right}\"\n"));
        }
    }
    file
}

async fn preview(engine: &Engine, flow: &RecordFlow) -> anyhow::Result<()> {
    let preview = match engine.records_preview(flow).await? {
        Ok(preview) => preview,
        Err(end) => bail!("{} cannot be previewed: {end:?}", flow.id),
    };
    println!(
        "{:<15} preview of {} of {}: {} would be tied, {} made there, {} held back",
        flow.id.as_str(),
        preview.looked_at,
        preview.waiting,
        preview.tied,
        preview.created_right,
        preview.held
    );
    Ok(())
}

/// Lets everything come to rest and prints what was done and why.
async fn act(engine: &Engine, seen: &mut i64, what: &str, lines: bool) -> anyhow::Result<usize> {
    println!("\n{what}");
    let flows = &engine.setup().records;
    let (mut calls, mut writes) = (0, 0);
    let mut quiet = 0;
    for _ in 0..ROUNDS_MAX {
        let mut idle = true;
        for flow in flows {
            match engine.records_round(flow, false).await? {
                RoundEnd::Done(round) => {
                    calls += round.calls;
                    let written = round.created + round.updated + round.deleted;
                    writes += written;
                    let counts = engine.records_status(flow).await?.counts;
                    idle &= written + round.adopted == 0 && !round.more && counts.open_steps == 0;
                }
                RoundEnd::Failed { side, error } => bail!("{}: the {side} side: {error}", flow.id),
                end => bail!("{}: {end:?}", flow.id),
            }
        }
        quiet = if idle { quiet + 1 } else { 0 };
        // What a tool shows late may come in a second look.
        if quiet == 4 {
            println!("    {writes} records written, {calls} API calls");
            let newest = if lines { print_since(engine, flows, *seen).await? } else { newest(engine, flows).await? };
            *seen = newest;
            return Ok(writes);
        }
        tokio::time::sleep(PAUSE).await;
    }
    bail!("it does not come to rest")
}

async fn newest(engine: &Engine, flows: &[RecordFlow]) -> anyhow::Result<i64> {
    let Some(flow) = flows.first() else { return Ok(0) };
    let filter = ActivityFilter { limit: 1, ..ActivityFilter::default() };
    Ok(engine.world().store.activity(&flow.workspace, filter).await?.first().map_or(0, |row| row.id))
}

async fn print_since(engine: &Engine, flows: &[RecordFlow], seen: i64) -> anyhow::Result<i64> {
    let Some(flow) = flows.first() else { return Ok(seen) };
    let filter = ActivityFilter { limit: PAGE_MAX, ..ActivityFilter::default() };
    let mut rows = engine.world().store.activity(&flow.workspace, filter).await?;
    rows.retain(|row| row.id > seen);
    rows.reverse();
    // The newest, and whatever concerns an integration as a whole.
    let older = rows.len().saturating_sub(LINES);
    for (at, row) in rows.iter().enumerate().filter(|(at, row)| *at >= older || row.entry.kind == JournalKind::Operator)
    {
        if at == older && older > 0 {
            println!("    … and {older} lines before these");
        }
        let name = row.integration.as_ref().map_or("", |integration| integration.as_str());
        println!("    {name:<15} {}", row.entry.text);
    }
    Ok(rows.last().map_or(seen, |row| row.id))
}

fn record(accounts: &Accounts, object: &str, email: &str) -> anyhow::Result<String> {
    let found = accounts.org.records(object).into_iter().find(|record| record["Email"] == json!(email));
    let id = found.and_then(|record| record["Id"].as_str().map(str::to_owned));
    id.with_context(|| format!("there is no {object} {email}"))
}

/// First and last name by address.
type Names = BTreeMap<String, (String, String)>;

/// Whether everybody in the CRM has the same names in all tools.
fn same_everywhere(accounts: &Accounts) -> anyhow::Result<()> {
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
