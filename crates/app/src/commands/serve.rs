//! `syncline serve`: the server, until it is told to stop.

use std::{fs::File, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context, bail};
use clap::Args;
use jiff::SignedDuration;
use metrics_exporter_prometheus::PrometheusHandle;
use syncline_core::Clock;
use syncline_engine::Engine;
use syncline_server::Server;
use syncline_store::{Retention, SettingsInUse, SettingsUse};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{ConfigArg, StopSignal, apply::line};
use crate::{
    plan::{self, Plan},
    telemetry,
    wiring::Installation,
    world::SystemClock,
};

/// How often old rows are swept away, and histograms are tidied.
const UPKEEP_EVERY: Duration = Duration::from_secs(60);

/// How to serve.
#[derive(Debug, Args)]
pub struct ServeArgs {
    #[command(flatten)]
    config: ConfigArg,
    /// Overrides the configured database.
    #[arg(long)]
    database: Option<String>,
    /// Overrides the configured address.
    #[arg(long)]
    listen: Option<SocketAddr>,
    /// Overrides the configured number of workers; 0 only takes messages in.
    #[arg(long)]
    workers: Option<usize>,
}

/// Serves until SIGTERM or Ctrl-C.
pub async fn run(args: ServeArgs) -> anyhow::Result<()> {
    let mut installation = Installation::read(&args.config.config)?;
    // As the file has them: what is overridden here is so for this process alone.
    let settings = plan::masked(&installation.config);
    if let Some(database) = args.database {
        installation.config.database = database;
    }
    if let Some(listen) = args.listen {
        installation.config.server.listen = listen;
    }
    if let Some(workers) = args.workers {
        installation.config.engine.workers = Some(workers);
    }
    let _telemetry = telemetry::start_logs(&installation.config.telemetry)?;
    let metrics = telemetry::start_metrics()?;
    let mut stop = StopSignal::listen()?;
    let running = Running::start(installation, metrics, None).await?;
    if let Err(error) = started_with(&running, &settings).await {
        tracing::warn!(%error, "Could not keep with which settings this server started: {error:#}");
    }
    tracing::info!("Listening on http://{}", running.address);
    stop.asked().await;
    tracing::info!("Stopping: what is under way is finished first");
    running.stop().await
}

/// A server with its workers.
pub struct Running {
    pub address: SocketAddr,
    pub engine: Arc<Engine>,
    pub installation: Arc<Installation>,
    stop: CancellationToken,
    tasks: tokio::task::JoinSet<()>,
    /// Held so that no second process works on the same embedded database.
    _lock: Option<File>,
}

impl Running {
    /// Starts everything. `sign_in_key` lets whoever has the link in.
    pub async fn start(
        installation: Installation,
        metrics: PrometheusHandle,
        sign_in_key: Option<syncline_connect::Secret>,
    ) -> anyhow::Result<Self> {
        installation.judge()?;
        let mut server_options = installation.server_options(installation.public_url()?)?;
        let (sources, options) = (installation.sources()?, installation.engine_options()?);
        let lock = installation.database_file().map(|file| lock(&file.with_extension("lock"))).transpose()?;
        let store = installation.open_store().await?;
        if lock.is_some() {
            // Only this process works on the embedded database: whatever is leased was left by one that died.
            store.reclaim_all().await?;
        }
        let listener = TcpListener::bind(installation.config.server.listen).await.with_context(|| {
            format!("cannot listen on {}; is another process there?", installation.config.server.listen)
        })?;
        let address = listener.local_addr()?;
        let mut public_url = installation.public_url()?;
        if installation.config.server.public_url.is_none() {
            // A port of 0 is known only now.
            let set = public_url.set_port(Some(address.port()));
            set.map_err(|()| anyhow::anyhow!("the listen address makes no URL"))?;
        }
        let workers = options.workers;
        let engine = installation.engine(store, &public_url, options).await?;
        server_options.public_url = public_url.clone();
        server_options.sign_in_key = sign_in_key;
        server_options.hints = installation.hints(&public_url)?;
        let installation = Arc::new(installation);
        server_options.ask_keys = installation.ask_keys();
        server_options.metrics = {
            let metrics = metrics.clone();
            Arc::new(move || metrics.render())
        };
        server_options.workers_alive = {
            let engine = Arc::clone(&engine);
            Arc::new(move || workers == 0 || engine.works())
        };
        let stop = CancellationToken::new();
        let mut tasks = tokio::task::JoinSet::new();
        let server = Arc::new(Server::new(Arc::clone(&engine), sources, server_options));
        if let Some(admin) = installation.config.server.admin_listen {
            let listener = TcpListener::bind(admin).await.with_context(|| format!("cannot listen on {admin}"))?;
            let (server, stop) = (Arc::clone(&server), stop.clone());
            tasks.spawn(async move { server.serve_router(server.admin_router(), listener, stop).await });
        }
        let serving = stop.clone();
        tasks.spawn(async move { server.serve_router(server.router(), listener, serving).await });
        if workers > 0 {
            let (engine, stop) = (Arc::clone(&engine), stop.clone());
            tasks.spawn(async move { engine.run(stop).await });
        }
        if workers > 0 {
            let (engine, stop) = (Arc::clone(&engine), stop.clone());
            tasks.spawn(async move { engine.watch_mappings(stop).await });
        }
        if workers > 0 && !engine.setup().polled.is_empty() {
            let (engine, stop) = (Arc::clone(&engine), stop.clone());
            tasks.spawn(async move { engine.poll_sources(stop).await });
        }
        if workers > 0 && !engine.setup().connections.is_empty() {
            let (engine, stop) = (Arc::clone(&engine), stop.clone());
            tasks.spawn(async move { engine.keep_records(stop).await });
        }
        // Without any calendars, too: what was asked for those that there were is ended.
        if workers > 0 && !engine.setup().connections.is_empty() {
            let (engine, stop) = (Arc::clone(&engine), stop.clone());
            tasks.spawn(async move { engine.keep_calendars(stop).await });
        }
        if workers > 0 {
            let (engine, stop) = (Arc::clone(&engine), stop.clone());
            tasks.spawn(async move { engine.keep_listening(stop).await });
        }
        let ways = installation.alert_ways(&public_url)?;
        if workers > 0 && (ways.mail.is_some() || ways.webhook.is_some()) {
            let (engine, stop) = (Arc::clone(&engine), stop.clone());
            tasks.spawn(async move { engine.tell_alerts(ways, stop).await });
        }
        tasks.spawn(upkeep(Arc::clone(&engine), Arc::clone(&installation), metrics, stop.clone()));
        Ok(Self { address, engine, installation, stop, tasks, _lock: lock })
    }

    /// Finishes what is under way, gives leases back and closes the database.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        self.stop.cancel();
        while let Some(ended) = self.tasks.join_next().await {
            ended.context("a task ended badly")?;
        }
        self.engine.world().store.clone().close().await;
        Ok(())
    }
}

/// Keeps with which settings a server was started, for `syncline plan` to compare a changed file with. That they are others
/// than before stands in the activity log.
async fn started_with(running: &Running, settings: &serde_json::Value) -> anyhow::Result<()> {
    let (store, workspace) = (&running.engine.world().store, running.installation.workspace());
    let before = store.settings_in_use(&workspace).await?.and_then(|kept| plan::kept(&kept.settings));
    let plan = Plan::between(before.as_ref(), settings);
    let differs = before.is_some() && !plan.is_empty();
    let line = differs.then(|| line(&plan, "The server was started with other settings than before"));
    let in_use = SettingsInUse { settings: settings.to_string(), at: SystemClock.now(), by: SettingsUse::Started };
    Ok(store.keep_settings(&workspace, in_use, line).await?)
}

/// Takes the lock beside an embedded database.
fn lock(path: &PathBuf) -> anyhow::Result<File> {
    let file = File::create(path).with_context(|| format!("making {}", path.display()))?;
    if file.try_lock().is_err() {
        bail!(
            "another syncline already works on this database ({} is locked); stop it, or use PostgreSQL for several processes",
            path.display()
        );
    }
    Ok(file)
}

/// Sweeps old rows away, in small batches, and keeps the metrics' memory bounded.
async fn upkeep(
    engine: Arc<Engine>,
    installation: Arc<Installation>,
    metrics: PrometheusHandle,
    stop: CancellationToken,
) {
    let mut retention = Retention::default();
    let days = |days: u32| SignedDuration::from_hours(24 * i64::from(days));
    if let Some(kept) = installation.config.engine.keep_bodies_days {
        retention.raw = days(kept);
    }
    if let Some(kept) = installation.config.engine.keep_activity_days {
        retention.journal = days(kept);
    }
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(UPKEEP_EVERY) => {}
        }
        metrics.run_upkeep();
        match engine.world().store.sweep(&installation.workspace(), SystemClock.now(), retention).await {
            Ok(0) => {}
            Ok(rows) => tracing::info!(rows, "Swept {rows} old rows away"),
            Err(error) => tracing::warn!(%error, "Could not sweep old rows away; trying again later"),
        }
    }
}
