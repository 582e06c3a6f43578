//! `syncline demo`: the whole product on this machine alone. Booking messages in the vendors' own shapes, signed as the
//! vendors sign, go through the real HTTP intake into a sandbox Salesforce; what became of each is printed.

mod calendar;
mod home;
mod messages;
mod records;
mod show;

use std::{path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context, bail};
use clap::Args;
use syncline_connect::{Http, Secret};
use syncline_core::{Clock, Entropy};
use syncline_sandbox::serve;
use syncline_store::Store;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use self::{home::Home, messages::Message};
use super::{StopSignal, serve::Running};
use crate::{
    config::TelemetryConfig,
    http::{CALL_DEADLINE, Client, Origin},
    telemetry,
    world::{SystemClock, SystemEntropy},
};

/// How long one message may take before the demo says that something is wrong.
const PATIENCE: Duration = Duration::from_secs(20);

/// How often the demo looks whether a message is through.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// How to demonstrate.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Where the demo keeps its database and its org between runs.
    #[arg(long, default_value = ".syncline/demo")]
    folder: PathBuf,
    /// The port of the activity page; 0 takes a free one.
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// Ends once the messages are played, instead of staying up.
    #[arg(long)]
    once: bool,
    #[command(subcommand)]
    what: Option<What>,
}

/// What is demonstrated beside bookings.
#[derive(Debug, clap::Subcommand)]
enum What {
    /// Keeps a sandbox Salesforce in step with sandbox accounts of Brevo, ActiveCampaign and HubSpot.
    Records(records::RecordsDemoArgs),
    /// Brings meetings of Google, Microsoft and CalDAV calendars onto the timelines of a sandbox HubSpot and Salesforce.
    Calendar(calendar::CalendarDemoArgs),
}

/// Plays, prints, stays up.
pub async fn run(args: DemoArgs) -> anyhow::Result<()> {
    match args.what {
        Some(What::Records(args)) => return records::run(args).await,
        Some(What::Calendar(args)) => return calendar::run(args).await,
        None => {}
    }
    let quiet = TelemetryConfig { log: Some("warn".to_owned()), ..TelemetryConfig::default() };
    let _telemetry = telemetry::start_logs(&quiet)?;
    let mut stop_signal = StopSignal::listen()?;
    let home = Home::open(&args.folder)?;
    let org = home.org()?;
    let sandbox = TcpListener::bind("127.0.0.1:0").await.context("cannot listen on this machine's own address")?;
    let sandbox_url = format!("http://{}", sandbox.local_addr()?);
    let stop = CancellationToken::new();
    let serving = tokio::spawn(serve(sandbox, Arc::clone(&org), stop.clone()));

    let mut key = [0; 16];
    SystemEntropy.fill(&mut key);
    let sign_in = hex::encode(key);
    let installation = home.installation(&org, &sandbox_url, args.port)?;
    let running = Running::start(installation, telemetry::start_metrics()?, Some(Secret::new(sign_in.clone()))).await?;
    let page = format!("http://{}", running.address);

    println!("Salesforce sandbox  {sandbox_url}/_sandbox/");
    println!("Syncline            {page}   (embedded database: {})\n", args.folder.display());
    let played = tokio::select! {
        played = play(&home, &running, &page) => Some(played),
        () = stop_signal.asked() => None,
    };
    home.keep(&org)?;
    if let Some(played) = played {
        played?;
        println!("\nActivity log        {page}/sign-in/{sign_in}");
        if !args.once {
            println!("Ctrl-C stops it; starting again finds everything where it was.");
            stop_signal.asked().await;
            println!("\nStopping.");
        }
    }
    running.stop().await?;
    stop.cancel();
    serving.await?.context("the sandbox")?;
    home.keep(&org)
}

/// Posts every message and prints what became of it.
async fn play(home: &Home, running: &Running, page: &str) -> anyhow::Result<()> {
    let client = Client::new(vec![Origin::parse(page)?], CALL_DEADLINE)?;
    let store = &running.engine.world().store;
    let mut seen = show::newest(store, running).await?;
    for message in messages::all(home.epoch()) {
        let status = post(&client, home, running, page, &message).await?;
        show::heading(&message, &status);
        if status == "stored" {
            settled(store, running).await?;
            seen = show::since(store, running, seen).await?;
        }
    }
    Ok(())
}

async fn post(
    client: &Client,
    home: &Home,
    running: &Running,
    page: &str,
    message: &Message,
) -> anyhow::Result<String> {
    let address = format!("{page}/hooks/{}/{}", message.source, running.installation.path_key(message.source));
    let body = message.body.to_string();
    let mut request = http::Request::post(address).header("content-type", "application/json");
    for (name, value) in home.sign(message.source, &body) {
        request = request.header(name, value);
    }
    let answer = client.send(request.body(body.into())?).await?;
    if !answer.status().is_success() {
        bail!("the intake answered {} to a message of {}", answer.status(), message.source);
    }
    let answer: serde_json::Value = serde_json::from_slice(answer.body()).context("the intake's answer")?;
    Ok(answer["status"].as_str().unwrap_or_default().to_owned())
}

/// Waits until nothing is to be done now. What waits for its other half is due much later.
async fn settled(store: &Store, running: &Running) -> anyhow::Result<()> {
    let started = tokio::time::Instant::now();
    loop {
        let counts = store.counts(&running.installation.workspace()).await?;
        let soon = SystemClock.now() + jiff::SignedDuration::from_mins(1);
        let later = store.next_due(&[]).await?.is_none_or(|due| due > soon);
        if counts.inbox_new + counts.leased == 0 && later {
            return Ok(());
        }
        if started.elapsed() > PATIENCE {
            bail!("a message was not through within {} s; the activity log says why", PATIENCE.as_secs());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
