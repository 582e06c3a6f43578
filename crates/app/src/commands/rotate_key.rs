//! `syncline rotate-key`: seals every workspace's data key under the configured master key.

use clap::Args;

use super::ConfigArg;
use crate::wiring::Installation;

/// Which installation.
#[derive(Debug, Args)]
pub struct RotateKeyArgs {
    #[command(flatten)]
    config: ConfigArg,
}

/// Re-wraps; the old keys may leave the configuration afterwards.
pub async fn run(args: RotateKeyArgs) -> anyhow::Result<()> {
    let installation = Installation::read(&args.config.config)?;
    let store = installation.open_store().await?;
    store.rotate_master_key(installation.master_key()).await?;
    store.close().await;
    println!("Every data key is sealed under [vault] key now.");
    println!(
        "Next: enter the new webhook addresses (`syncline sources`) at the scheduling tools; the old ones are good while `old_keys` stands."
    );
    println!("Then take `old_keys` out and restart.");
    Ok(())
}
