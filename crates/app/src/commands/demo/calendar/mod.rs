//! `syncline demo calendar`: reps' calendars at Google, at Microsoft and on a real CalDAV server, and two CRMs, on this
//! machine alone. People invite, reply, move, hide and call off; after each act it is printed what stands on whose timeline
//! and, for every event left out, why.

mod accounts;
mod radicale;
mod story;
mod timelines;
mod wiring;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, bail};
use clap::Args;
use syncline_connect::Secret;
use syncline_core::{Clock, Entropy};
use syncline_engine::{
    Engine,
    calendars::{CalendarFlow, CalendarRoundEnd},
};
use tokio_util::sync::CancellationToken;

use self::{
    accounts::{Accounts, Post},
    radicale::Radicale,
    story::{Act, Made},
    timelines::Lines,
};
use crate::{
    commands::{StopSignal, calendars::show, init::write_key, serve::Running},
    config::TelemetryConfig,
    telemetry,
    world::{SystemClock, SystemEntropy},
};

/// Rounds within which everything has to come to rest.
const ROUNDS_MAX: usize = 200;

/// The pause after a round that found nothing to do.
const PAUSE: Duration = Duration::from_millis(200);

/// How to demonstrate.
#[derive(Debug, Args)]
pub struct CalendarDemoArgs {
    /// Where the demo keeps its database. It begins anew each time.
    #[arg(long, default_value = ".syncline/demo-calendar")]
    folder: PathBuf,
    /// The port of the activity page; 0 takes a free one.
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// Ends once the story is told, instead of staying up.
    #[arg(long)]
    once: bool,
}

/// Plays and prints, then stays up.
pub async fn run(args: CalendarDemoArgs) -> anyhow::Result<()> {
    let quiet = TelemetryConfig { log: Some("error".to_owned()), ..TelemetryConfig::default() };
    let _telemetry = telemetry::start_logs(&quiet)?;
    let mut stop_signal = StopSignal::listen()?;
    let stop = CancellationToken::new();
    let folder = new_folder(&args.folder)?;
    let radicale = Radicale::start(&folder).await?;
    let accounts = accounts::open(radicale, &stop).await?;
    story::before(&accounts)?;
    let metrics = telemetry::start_metrics()?;
    let mut key = [0; 16];
    SystemEntropy.fill(&mut key);
    let sign_in = hex::encode(key);
    // Without workers only the rounds of the play take place.
    let mut installation = wiring::installation(&folder, &accounts, args.port)?;
    installation.config.engine.workers = Some(0);
    let running = Running::start(installation, metrics.clone(), Some(Secret::new(sign_in.clone()))).await?;
    let port = running.address.port();
    println!("What landed where   http://{}/sign-in/{sign_in}?next=/integrations\n", running.address);
    let mut stage = Stage { accounts, post: Post::default(), seen: Lines::new() };
    let played = tokio::select! {
        played = stage.play(&running.engine) => played.map(|()| true),
        () = stop_signal.asked() => Ok(false),
    };
    running.stop().await?;
    if played? && !args.once {
        let installation = wiring::installation(&folder, &stage.accounts, port)?;
        let running = Running::start(installation, metrics, Some(Secret::new(sign_in.clone()))).await?;
        println!("\nWhat landed where   http://{}/sign-in/{sign_in}?next=/integrations", running.address);
        println!("Salesforce          {}/_sandbox/", stage.accounts.urls.org);
        println!("Ctrl-C stops it.");
        stop_signal.asked().await;
        println!("\nStopping.");
        running.stop().await?;
    }
    stop.cancel();
    Ok(())
}

/// A folder without anything of an earlier demo but the keys.
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

/// The accounts, the post between them, and what was shown last.
struct Stage {
    accounts: Accounts,
    post: Post,
    seen: Lines,
}

/// What came of one act.
#[derive(Debug, Default)]
struct Came {
    writes: usize,
    /// Of calendars.
    events: usize,
    calls: u32,
}

impl Stage {
    async fn play(&mut self, engine: &Engine) -> anyhow::Result<()> {
        self.post.carry(&self.accounts);
        wiring::connect(engine, &self.accounts).await?;
        println!("Anna's calendar is at Google, Ben's at Microsoft, and both have events already.");
        if self.accounts.radicale.is_none() {
            println!("No `radicale` is installed on this machine, so Carla with her CalDAV calendar is away today.");
        }
        for flow in &engine.setup().calendars {
            preview(engine, flow).await?;
            engine.activate(flow, Some("the demo")).await?;
        }
        self.act(engine, "Both integrations are activated").await?;
        let mut made = Made::default();
        for act in Act::ALL {
            if act.needs_caldav() && self.accounts.radicale.is_none() {
                continue;
            }
            act.carry_out(&self.accounts, &mut made).await.with_context(|| act.what())?;
            self.act(engine, act.what()).await?;
        }
        let came = self.act(engine, "Nobody changes anything").await?;
        if came.writes + came.events > 0 {
            bail!("a round without changes wrote {} records", came.writes);
        }
        println!("\nEverything is in its place, and a round without changes writes nothing.");
        Ok(())
    }

    /// Lets everything come to rest and prints what is different, and what was left out and why.
    async fn act(&mut self, engine: &Engine, what: &str) -> anyhow::Result<Came> {
        println!("\n{what}");
        self.post.carry(&self.accounts);
        let came = calm(engine).await?;
        let now = timelines::all(&self.accounts, engine).await?;
        for line in timelines::differences(&self.seen, &now) {
            println!("  {line}");
        }
        self.seen = now;
        let events = if came.events > 0 { format!(", {} events", came.events) } else { String::new() };
        println!("  {} records{events} written, {} calls", came.writes, came.calls);
        Ok(came)
    }
}

async fn preview(engine: &Engine, flow: &CalendarFlow) -> anyhow::Result<()> {
    let preview = match engine.calendars_preview(flow).await {
        Ok(preview) => preview,
        Err((name, error)) => bail!("{}: {name} could not be asked: {error}", flow.id),
    };
    println!("\nPreview of {}:", flow.id);
    for line in show::preview(&preview).lines() {
        println!("  {line}");
    }
    Ok(())
}

/// Rounds of all integrations, until each calendar was read once more and nothing was left to do.
async fn calm(engine: &Engine) -> anyhow::Result<Came> {
    let flows = &engine.setup().calendars;
    let (mut came, mut began) = (Came::default(), SystemClock.now());
    for place in 0..ROUNDS_MAX {
        let mut idle = true;
        for flow in flows {
            // The CRMs are asked at once, whether or not it is time.
            let end = match place {
                0 => engine.run_calendars_now(flow, false).await?,
                _ => engine.calendars_round(flow, false).await?,
            };
            match end {
                CalendarRoundEnd::Done(round) => {
                    if let Some((calendar, error)) = round.failed.first() {
                        bail!("{}: {calendar} could not be read: {error}", flow.id);
                    }
                    let written = round.created + round.updated + round.deleted;
                    came.writes += written;
                    came.calls += round.calls;
                    came.events += round.events.written();
                    if round.events.written() > 0 {
                        // What was written to a calendar is to be read there, too.
                        began = SystemClock.now();
                    }
                    idle &= written + round.events.written() == 0
                        && !round.more
                        && is_read_since(engine, flow, began).await?;
                }
                end => bail!("{}: {end:?}", flow.id),
            }
        }
        if idle {
            return Ok(came);
        }
        tokio::time::sleep(PAUSE).await;
    }
    bail!("it does not come to rest")
}

/// Whether every calendar was read after this moment: when the next look is due tells when the last one was.
async fn is_read_since(engine: &Engine, flow: &CalendarFlow, began: jiff::Timestamp) -> anyhow::Result<bool> {
    let state = engine.calendars_status(flow).await?;
    let is_read = |name: &str, next: jiff::Timestamp| {
        flow.calendars.iter().any(|calendar| calendar.name == name && next - calendar.every >= began)
    };
    Ok(state.calendars.iter().all(|(name, state)| state.as_ref().is_some_and(|state| is_read(name, state.next_at))))
}
