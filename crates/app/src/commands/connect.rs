//! `syncline connect`: authorises an account, then says what a CRM still lacks.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context, bail};
use clap::Args;
use syncline_connect::Secret;
use syncline_core::{Entropy, ids::ConnectionId};
use syncline_engine::{ConnectionSetup, Engine, GrantKind};
use syncline_server::{Server, ServerOptions};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::{ConfigArg, StopSignal, doctor};
use crate::{telemetry, wiring::Installation, world::SystemEntropy};

/// How often to look whether the person has come back from the vendor.
const LOOK_EVERY: Duration = Duration::from_millis(300);

/// What to connect.
#[derive(Debug, Args)]
pub struct ConnectArgs {
    /// The connection's name in the configuration.
    connection: String,
    #[command(flatten)]
    config: ConfigArg,
    /// Where the browser comes back to. Register `http://localhost:<port>/oauth/callback/<connection>` with the app.
    #[arg(long, default_value = "127.0.0.1:8717")]
    listen: SocketAddr,
    /// Prints an address instead, by which the account's owner connects it at the running server, without any other access.
    #[arg(long, conflicts_with = "listen")]
    link: bool,
}

/// Connects, then checks.
pub async fn run(args: ConnectArgs) -> anyhow::Result<()> {
    let installation = Installation::read(&args.config.config)?;
    let _telemetry = telemetry::start_quiet(&installation.config.telemetry)?;
    let callback = Url::parse(&format!("http://localhost:{}/", args.listen.port()))?;
    let store = installation.open_store().await?;
    let engine = installation.engine(store, &callback, installation.engine_options()?).await?;
    let id = ConnectionId::new(args.connection.clone());
    let Some(setup) = engine.setup().connection(&installation.workspace(), &id) else {
        let names: Vec<&str> = installation.config.connections.iter().map(|c| c.name.as_str()).collect();
        bail!("there is no connection `{}` in the configuration; there are: {}", args.connection, names.join(", "));
    };
    if args.link {
        connect_link(&installation, &engine, setup).await?;
        engine.world().store.clone().close().await;
        return Ok(());
    }
    match setup.grant {
        GrantKind::Browser => in_browser(&installation, &engine, setup, &callback, args.listen).await?,
        GrantKind::JwtBearer { .. } | GrantKind::ClientCredentials | GrantKind::Key { .. } => {
            engine.reconnect(setup).await.with_context(|| format!("connecting `{}`", args.connection))?;
        }
    }
    println!("Connected `{}`.", args.connection);
    // Only a CRM is examined by itself; the others are by the integrations that use them.
    let done = match (setup.connector.records(), setup.connector.calendars()) {
        (Some(_), _) => report(&engine, setup).await,
        (None, Some(_)) => {
            println!(
                "`syncline calendars check NAME` says which calendars it has, for an integration that reads them."
            );
            Ok(())
        }
        (None, None) => Ok(()),
    };
    engine.world().store.clone().close().await;
    done
}

/// Prints what the account's owner is to be sent.
async fn connect_link(
    installation: &Installation,
    engine: &Arc<Engine>,
    setup: &ConnectionSetup,
) -> anyhow::Result<()> {
    let public_url = installation.public_url()?;
    let server = Server::new(Arc::clone(engine), Vec::new(), installation.server_options(public_url)?);
    let made = server.connect_link(setup).await.map_err(|why| anyhow::anyhow!("`{}`: {why}", setup.id))?;
    println!("Send this address to the owner of `{}`, and to nobody else:\n\n  {}\n", setup.id, made.url);
    println!("It works until {}, or until the account is connected. It opens nothing else.", made.expires_at);
    Ok(())
}

/// Sends the person to the vendor and waits for the way back.
async fn in_browser(
    installation: &Installation,
    engine: &Arc<Engine>,
    setup: &ConnectionSetup,
    callback: &Url,
    listen: SocketAddr,
) -> anyhow::Result<()> {
    let mut key = [0; 16];
    SystemEntropy.fill(&mut key);
    let key = hex::encode(key);
    // Nobody signs in with a token here: whoever has the printed link is the person at this terminal.
    let mut token = [0; 32];
    SystemEntropy.fill(&mut token);
    let mut options = ServerOptions::new(
        callback.clone(),
        Secret::new(hex::encode(token)),
        installation.derive(&["connect session"]),
    );
    options.sign_in_key = Some(Secret::new(key.clone()));
    let server = Server::new(Arc::clone(engine), Vec::new(), options);
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("cannot listen on {listen}; choose another with --listen"))?;
    let mut stop_signal = StopSignal::listen()?;
    println!("Open this address in a browser on this machine and agree there:\n");
    println!("  {callback}sign-in/{key}?next=/connect/{}\n", setup.id);
    println!("(the app at the vendor must allow the callback address {callback}oauth/callback/{})", setup.id);
    let before = version(engine, setup).await?;
    let stop = CancellationToken::new();
    let serving = server.serve_router(server.connect_router(), listener, stop.clone());
    let connected = async {
        while version(engine, setup).await? == before {
            tokio::time::sleep(LOOK_EVERY).await;
        }
        // The page that says so is still on its way to the browser.
        tokio::time::sleep(LOOK_EVERY).await;
        stop.cancel();
        anyhow::Ok(())
    };
    tokio::select! {
        ((), connected) = async { tokio::join!(serving, connected) } => connected,
        () = stop_signal.asked() => bail!("stopped before the account was connected"),
    }
}

async fn version(engine: &Engine, setup: &ConnectionSetup) -> anyhow::Result<i64> {
    let row = engine.world().store.connection(&setup.workspace, &setup.id).await?;
    Ok(row.map_or(0, |row| row.version))
}

/// Says what the account lacks and what does not fit it, and how to mend it.
async fn report(engine: &Engine, setup: &ConnectionSetup) -> anyhow::Result<()> {
    let looked = doctor::look_at(engine, setup).await.context("asking the account what it has")?;
    println!("{}", setup.connector.manifest().display_name);
    print!("{}", looked.shown());
    let blocking = looked.blocking();
    if blocking > 0 {
        bail!("{blocking} of these must be mended before bookings can be written; run the command again then");
    }
    Ok(())
}
