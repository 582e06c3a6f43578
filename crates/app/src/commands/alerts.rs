//! `syncline alerts`: tries the ways by which people are told.

use anyhow::bail;
use clap::{Args, Subcommand};
use syncline_engine::alerts::test_alert;
use syncline_store::AlertWay;

use super::ConfigArg;
use crate::{telemetry, wiring::Installation};

#[derive(Debug, Args)]
pub struct AlertsArgs {
    #[command(subcommand)]
    act: Act,
    #[command(flatten)]
    config: ConfigArg,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Sends a test by every configured way, at once, and says what became of it.
    Test,
}

/// Runs it.
pub async fn run(args: AlertsArgs) -> anyhow::Result<()> {
    let Act::Test = args.act;
    let installation = Installation::read(&args.config.config)?;
    let _telemetry = telemetry::start_quiet(&installation.config.telemetry)?;
    let public_url = installation.public_url()?;
    let ways = installation.alert_ways(&public_url)?;
    if ways.mail.is_none() && ways.webhook.is_none() {
        bail!("nobody is told of anything: add [alerts.mail] or [alerts.webhook] to the configuration");
    }
    let store = installation.open_store().await?;
    let engine = installation.engine(store, &public_url, installation.engine_options()?).await?;
    let alert = test_alert(engine.world().clock.now());
    let tried = engine.try_alert(&installation.workspace(), &alert, &ways).await;
    engine.world().store.clone().close().await;
    let mut failed = 0;
    for (way, sent) in tried {
        let way = match way {
            AlertWay::Mail => "mail",
            AlertWay::Webhook => "webhook",
        };
        match sent {
            Ok(()) => println!("{way}: taken. Look whether it has arrived."),
            Err(problem) => {
                failed += 1;
                println!("{way}: {problem}");
            }
        }
    }
    if failed > 0 {
        bail!("not every way works");
    }
    Ok(())
}
