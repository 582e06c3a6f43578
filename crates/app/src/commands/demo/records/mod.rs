//! `syncline demo records`: a CRM and three marketing tools on this machine alone. People are on some of them, edits are
//! made on all of them, and what became of each is printed, until every mapped field is the same on both sides and nothing is
//! left to write.

mod accounts;
mod mapped;
mod wiring;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, bail};
use clap::Args;
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::{Map, json};
use syncline_connect::{Retry, Secret};
use syncline_core::Entropy;
use syncline_engine::{
    Engine,
    records::{RecordFlow, RoundEnd},
};
use syncline_sandbox::salesforce::LeadConversion;
use syncline_store::{ActivityFilter, FlowStanding, JournalKind, PAGE_MAX};
use tokio_util::sync::CancellationToken;

use self::{
    accounts::{Accounts, OPT_OUT, email, object, opportunity, record},
    mapped::same_everywhere,
};
use crate::{
    commands::{StopSignal, init::write_key, serve::Running},
    config::TelemetryConfig,
    telemetry,
    world::SystemEntropy,
};

/// Looks of all integrations within which everything has to come to rest, and rounds of one look.
const LOOKS_MAX: usize = 20;
const ROUNDS_MAX: usize = 200;

/// The pause before what is under way is asked for again.
const PAUSE: Duration = Duration::from_millis(300);

/// The pause where an account had too many calls, or did not answer.
const PATIENT_PAUSE: Duration = Duration::from_secs(2);

/// How often both sides are looked at while somebody tries it out. In the play they are when something has happened.
const EVERY: Duration = Duration::from_secs(3);
const EVERY_IN_PLAY: Duration = Duration::from_secs(3_600);

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
    #[arg(long, default_value_t = 3_000)]
    people: usize,
    /// The port of the activity page; 0 takes a free one.
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// Ends once everything is in step, instead of staying up.
    #[arg(long)]
    once: bool,
}

/// Plays and prints, then stays up.
pub async fn run(args: RecordsDemoArgs) -> anyhow::Result<()> {
    if args.people < PEOPLE_MIN {
        bail!("the demo takes {PEOPLE_MIN} people at least");
    }
    let quiet = TelemetryConfig { log: Some("error".to_owned()), ..TelemetryConfig::default() };
    let _telemetry = telemetry::start_logs(&quiet)?;
    let mut stop_signal = StopSignal::listen()?;
    let stop = CancellationToken::new();
    let accounts = accounts::open(&stop).await?;
    accounts::settle_in(&accounts, args.people)?;
    let mut key = [0; 16];
    SystemEntropy.fill(&mut key);
    let mut stage = Stage {
        accounts,
        folder: new_folder(&args.folder)?,
        people: args.people,
        seen: 0,
        port: args.port,
        sign_in: hex::encode(key),
        metrics: telemetry::start_metrics()?,
    };
    let played = tokio::select! {
        played = stage.play() => played.map(|()| true),
        () = stop_signal.asked() => Ok(false),
    };
    if played? && !args.once {
        let running = stage.start(None, true).await?;
        println!("\nActivity log        http://{}/sign-in/{}?next=/activity", running.address, stage.sign_in);
        println!("Edit somebody at {}/_sandbox/ and see it travel. Ctrl-C stops it.", stage.accounts.urls[0]);
        stop_signal.asked().await;
        println!("\nStopping.");
        running.stop().await?;
    }
    stop.cancel();
    Ok(())
}

/// The accounts, and what Syncline is started with over and over.
struct Stage {
    accounts: Accounts,
    folder: PathBuf,
    people: usize,
    /// The last line of the activity log that was shown.
    seen: i64,
    port: u16,
    /// Opens the activity page.
    sign_in: String,
    metrics: PrometheusHandle,
}

impl Stage {
    /// Starts Syncline over the demo's database, as `syncline serve` does, with this limit of transfers where there is one;
    /// unless it `works` by itself, only the looks of the play take place.
    async fn start(&mut self, tasks_per_month: Option<u64>, works: bool) -> anyhow::Result<Running> {
        let every = if works { EVERY } else { EVERY_IN_PLAY };
        let mut installation = wiring::installation(&self.folder, &self.accounts, self.port, every, tasks_per_month)?;
        if !works {
            installation.config.engine.workers = Some(0);
        }
        let running =
            Running::start(installation, self.metrics.clone(), Some(Secret::new(self.sign_in.clone()))).await?;
        self.port = running.address.port();
        Ok(running)
    }

    async fn play(&mut self) -> anyhow::Result<()> {
        let running = self.start(None, false).await?;
        println!("Activity log        http://{}/sign-in/{}?next=/activity\n", running.address, self.sign_in);
        let played = self.first_part(&running.engine).await;
        let used = match &played {
            Ok(()) => usage(&running.engine).await,
            Err(_) => Ok(0),
        };
        running.stop().await?;
        played?;
        self.quota(used?).await
    }

    async fn first_part(&mut self, engine: &Engine) -> anyhow::Result<()> {
        let (accounts, people, seen) = (&self.accounts, self.people, &mut self.seen);
        let flows = &engine.setup().records;
        println!(
            "A CRM with {people} people, some with an opportunity; a third of them in Brevo, a quarter in ActiveCampaign, \
             none in HubSpot.\n"
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
        let lead = record(accounts, "Lead", "Email", &email(9))?;
        let conversion = LeadConversion {
            lead_id: lead,
            converted_status: "Closed - Converted".to_owned(),
            do_not_create_opportunity: true,
            ..LeadConversion::default()
        };
        accounts.org.convert_lead(&conversion).map_err(told)?;
        act(engine, seen, "A lead becomes a contact", true).await?;
        let (master, loser) =
            (record(accounts, "Contact", "Email", &email(5))?, record(accounts, "Contact", "Email", &email(6))?);
        accounts.org.merge(&master, &[&loser], &Map::new()).map_err(told)?;
        act(engine, seen, "Two contacts are merged in the CRM", true).await?;
        let won = record(accounts, "Opportunity", "Name", &opportunity(0))?;
        accounts.org.edit(&won, &object(json!({ "StageName": "Closed Won" }))).map_err(told)?;
        act(engine, seen, "An opportunity is won in the CRM, and its deal in HubSpot follows", true).await?;
        accounts.brevo.edit(brevo(7)?, &object(json!({ "LASTNAME": "Brevo's" }))).map_err(told)?;
        let contact = record(accounts, "Contact", "Email", &email(7))?;
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
            let contact = record(&self.accounts, "Contact", "Email", &email(n))?;
            self.accounts.org.edit(&contact, &object(json!({ "FirstName": format!("Anew{n}") }))).map_err(told)?;
        }
        let limited = self.start(Some(used + QUOTA_LEFT), false).await?;
        let what = format!("Names change in the CRM, and Brevo's quota of this month has {QUOTA_LEFT} transfers left");
        let acted = act(&limited.engine, &mut self.seen, &what, true).await;
        limited.stop().await?;
        acted?;
        let running = self.start(None, false).await?;
        let ended = self.last_part(&running.engine).await;
        running.stop().await?;
        ended
    }

    async fn last_part(&mut self, engine: &Engine) -> anyhow::Result<()> {
        act(engine, &mut self.seen, "The limit is raised, and Syncline started again", false).await?;
        same_everywhere(&self.accounts)?;
        let writes = act(engine, &mut self.seen, "Nobody changes anything", false).await?;
        if writes > 0 {
            bail!("a round without changes wrote {writes} records");
        }
        println!("\nEvery mapped field is the same on both sides, and a round without changes writes nothing.");
        Ok(())
    }
}

/// Transfers of this month to and from Brevo.
async fn usage(engine: &Engine) -> anyhow::Result<u64> {
    let Some(flow) = engine.setup().records.first() else { return Ok(0) };
    Ok(engine.records_status(flow).await?.quota.used)
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
    for key in ["syncline.key", "admin.key"] {
        let path = folder.join(key);
        if !path.exists() {
            write_key(&path)?;
        }
    }
    Ok(folder.to_owned())
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
    let mut sum = Sum::default();
    for _ in 0..LOOKS_MAX {
        let mut came_to_rest = true;
        // What one integration writes into the CRM is news to those after it, and to those before it at the next look.
        for flow in flows {
            came_to_rest &= look(engine, flow, &mut sum).await?;
        }
        if came_to_rest {
            println!("    {} records written, {} API calls", sum.writes, sum.calls);
            let newest = if lines { print_since(engine, flows, *seen).await? } else { newest(engine, flows).await? };
            *seen = newest;
            return Ok(sum.writes);
        }
    }
    bail!("it does not come to rest")
}

/// What an act took.
#[derive(Default)]
struct Sum {
    writes: usize,
    calls: u32,
}

/// One integration looks at both sides, and brings what it finds to its end; says whether there was nothing to do.
async fn look(engine: &Engine, flow: &RecordFlow, sum: &mut Sum) -> anyhow::Result<bool> {
    let (mut end, mut is_rest) = (engine.run_now(flow, false).await?, true);
    for _ in 0..ROUNDS_MAX {
        end = match end {
            RoundEnd::Done(round) => {
                sum.calls += round.calls;
                sum.writes += round.created + round.updated + round.deleted;
                is_rest &= round.idle() && round.adopted == 0;
                let is_open = engine.records_status(flow).await?.counts.open_steps > 0;
                if !round.more && !is_open {
                    return Ok(is_rest);
                }
                if !round.more {
                    tokio::time::sleep(PAUSE).await;
                }
                engine.records_round(flow, false).await?
            }
            // As a server would, where an account asks for patience.
            RoundEnd::Failed { error, .. } if matches!(error.retry, Retry::After(_) | Retry::Backoff) => {
                is_rest = false;
                tokio::time::sleep(PATIENT_PAUSE).await;
                engine.run_now(flow, false).await?
            }
            RoundEnd::Failed { side, error } => bail!("{}: the {side} side: {error}", flow.id),
            end => bail!("{}: {end:?}", flow.id),
        };
    }
    bail!("{} does not come to its end", flow.id)
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
