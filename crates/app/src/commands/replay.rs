//! `syncline replay`: what was laid aside is tried again.

use anyhow::bail;
use clap::Args;
use serde_json::json;
use syncline_core::{Clock, ids::ChainId};
use syncline_store::BookingFilter;

use super::ConfigArg;
use crate::{wiring::Installation, world::SystemClock};

/// Bookings of one page.
const PAGE: usize = 200;

/// Which bookings.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// Bookings by their ids (bk_…), as `syncline activity` prints them.
    #[arg(required_unless_present = "parked", conflicts_with = "parked")]
    bookings: Vec<String>,
    /// Every booking that was laid aside.
    #[arg(long)]
    parked: bool,
    /// One JSON object: how many are tried again, and the ids of those that cannot be.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigArg,
}

/// Makes them due. A server that runs on the same database works them off; an embedded one once it starts.
pub async fn run(args: ReplayArgs) -> anyhow::Result<()> {
    let installation = Installation::read(&args.config.config)?;
    let store = installation.open_store().await?;
    let workspace = installation.workspace();
    let mut chains: Vec<ChainId> = args.bookings.into_iter().map(ChainId::new).collect();
    if args.parked {
        let mut before = None;
        loop {
            let filter = BookingFilter { parked_only: true, limit: PAGE, before, ..BookingFilter::default() };
            let page = store.bookings(&workspace, filter).await?;
            let Some(last) = page.last() else { break };
            before = Some(last.id);
            chains.extend(page.into_iter().map(|row| row.chain));
        }
    }
    let mut unknown = Vec::new();
    let mut replayed = 0;
    for chain in &chains {
        if store.replay(&workspace, chain, SystemClock.now()).await? {
            replayed += 1;
        } else {
            unknown.push(chain.as_str());
        }
    }
    store.close().await;
    match args.json {
        true => println!("{}", json!({"replayed": replayed, "unknown": unknown})),
        false => println!("{replayed} to be tried again."),
    }
    if !unknown.is_empty() {
        bail!("there is no booking {}; `syncline activity` prints the ids", unknown.join(", "));
    }
    Ok(())
}
