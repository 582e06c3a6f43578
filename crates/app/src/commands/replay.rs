//! `syncline replay`: bookings that were laid aside are tried again, and messages that could not be read are read again.

use anyhow::bail;
use clap::Args;
use serde_json::{Value, json};
use syncline_core::{
    Clock,
    ids::{ChainId, ConnectionId, IntegrationId, WorkspaceId},
};
use syncline_engine::intake::{self, Reread, Sender};
use syncline_store::{BookingFilter, Store};

use super::ConfigArg;
use crate::{
    wiring::{Installation, vendor},
    world::SystemClock,
};

/// Bookings, or messages, of one page.
const PAGE: usize = 200;

/// Which bookings and messages.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// Bookings by their ids (bk_…), and messages that could not be read by their numbers, as `syncline activity` prints them.
    #[arg(required_unless_present = "parked", conflicts_with = "parked", value_name = "BOOKING|MESSAGE")]
    bookings: Vec<String>,
    /// Every booking that was laid aside, and every message that could not be read.
    #[arg(long)]
    parked: bool,
    /// One JSON object: how many bookings are tried again, the ids that there is no booking and no message of, and what
    /// became of each message.
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
    let is_number = |name: &String| !name.is_empty() && name.bytes().all(|sign| sign.is_ascii_digit());
    let (numbers, chains): (Vec<String>, Vec<String>) = args.bookings.into_iter().partition(is_number);
    let mut chains: Vec<ChainId> = chains.into_iter().map(ChainId::new).collect();
    let mut messages: Vec<i64> = numbers.iter().filter_map(|number| number.parse().ok()).collect();
    if args.parked {
        chains = parked_bookings(&store, &workspace).await?;
        messages = kept_messages(&store, &workspace).await?;
    }
    let mut unknown: Vec<String> = Vec::new();
    let mut replayed = 0;
    for chain in &chains {
        if store.replay(&workspace, chain, SystemClock.now()).await? {
            replayed += 1;
        } else {
            unknown.push(chain.to_string());
        }
    }
    let mut reread = Vec::new();
    for message in messages {
        let sender = |source: &ConnectionId| sender(&installation, source);
        match intake::read_again(&store, &workspace, message, sender, SystemClock.now()).await? {
            Some(again) => reread.push((message, again)),
            None => unknown.push(message.to_string()),
        }
    }
    store.close().await;
    match args.json {
        true => {
            let reread: Vec<Value> = reread
                .into_iter()
                .map(|(id, again)| json!({"message": id, "status": again.as_str(), "reason": again.reason()}))
                .collect();
            println!("{}", json!({"replayed": replayed, "unknown": unknown, "messages": reread}));
        }
        false => {
            if !chains.is_empty() || reread.is_empty() {
                println!("{replayed} to be tried again.");
            }
            for (message, again) in reread {
                println!("Message {message}: {}.", in_words(again));
            }
        }
    }
    if !unknown.is_empty() {
        let absent = unknown.iter().map(|id| match is_number(id) {
            true => format!("no message {id} that could not be read"),
            false => format!("no booking {id}"),
        });
        let absent: Vec<String> = absent.collect();
        bail!("there is {}; `syncline activity` prints the ids", absent.join(", "));
    }
    Ok(())
}

async fn parked_bookings(store: &Store, workspace: &WorkspaceId) -> anyhow::Result<Vec<ChainId>> {
    let (mut chains, mut before) = (Vec::new(), None);
    loop {
        let filter = BookingFilter { parked_only: true, limit: PAGE, before, ..BookingFilter::default() };
        let page = store.bookings(workspace, filter).await?;
        let Some(last) = page.last() else { return Ok(chains) };
        before = Some(last.id);
        chains.extend(page.into_iter().map(|row| row.chain));
    }
}

/// The oldest first, as they came.
async fn kept_messages(store: &Store, workspace: &WorkspaceId) -> anyhow::Result<Vec<i64>> {
    let (mut messages, mut before) = (Vec::new(), None);
    loop {
        let page = store.parked_messages(workspace, before, PAGE).await?;
        let Some(last) = page.last() else { break };
        before = Some(last.id);
        messages.extend(page.into_iter().map(|row| row.id));
    }
    messages.reverse();
    Ok(messages)
}

/// The source of this name as it is configured now.
fn sender(installation: &Installation, name: &ConnectionId) -> Option<Sender> {
    let source = installation.config.sources.iter().find(|source| source.name == name.as_str())?;
    Some(Sender {
        integration: IntegrationId::new(source.integration.clone()),
        bookings: vendor(&source.vendor).ok()?.bookings()?,
        polled: source.api.is_some(),
    })
}

fn in_words(again: Reread) -> String {
    match again {
        Reread::Read => "read; a server that runs, or the next one that starts, works it off".to_owned(),
        Reread::Duplicate => "left alone: the same message came again, and was read then".to_owned(),
        Reread::Ignored(reason) => format!("left alone: {reason}"),
        Reread::Parked(reason) => format!("still cannot be read: {reason}"),
        Reread::Asked => "a poll had found it; its source is asked for everything again".to_owned(),
        Reread::Left(reason) => format!("left as it is: {reason}"),
    }
}
