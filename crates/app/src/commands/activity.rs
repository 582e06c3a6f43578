//! `syncline activity`: what happened and why, on the terminal.

use clap::Args;
use serde_json::json;
use syncline_core::ids::ChainId;
use syncline_store::{ActivityFilter, ActivityRow};

use super::ConfigArg;
use crate::wiring::Installation;

/// Which part of the activity log.
#[derive(Debug, Args)]
pub struct ActivityArgs {
    #[command(flatten)]
    config: ConfigArg,
    /// Only this booking, by its id (bk_…).
    #[arg(long)]
    booking: Option<String>,
    /// How many lines, newest first.
    #[arg(long, default_value_t = 30)]
    limit: usize,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

/// Prints the newest lines.
pub async fn run(args: ActivityArgs) -> anyhow::Result<()> {
    let installation = Installation::read(&args.config.config)?;
    let store = installation.open_store().await?;
    let filter =
        ActivityFilter { chain: args.booking.map(ChainId::new), limit: args.limit, ..ActivityFilter::default() };
    let rows = store.activity(&installation.workspace(), filter).await?;
    if rows.is_empty() && !args.json {
        println!("Nothing has happened yet.");
    }
    for row in &rows {
        println!("{}", if args.json { line_json(row) } else { line(row) });
    }
    store.close().await;
    Ok(())
}

fn line(row: &ActivityRow) -> String {
    let chain = row.chain.as_ref().map_or("-", ChainId::as_str);
    let calls = row.entry.details.get("calls").and_then(serde_json::Value::as_f64);
    let calls = calls.map(|calls| format!(" ({calls:.2} calls)")).unwrap_or_default();
    let mut text = format!("{:.0}  {chain}  {:<9}  {}{calls}", row.entry.at, row.entry.kind.as_str(), row.entry.text);
    for note in row.entry.details.get("notes").and_then(serde_json::Value::as_array).into_iter().flatten() {
        text.push_str("\n    ");
        text.push_str(note["text"].as_str().unwrap_or_default());
    }
    text
}

fn line_json(row: &ActivityRow) -> String {
    json!({"id": row.id, "booking": row.chain.as_ref().map(ChainId::as_str), "at": row.entry.at.to_string(),
           "kind": row.entry.kind.as_str(), "text": row.entry.text, "details": row.entry.details})
    .to_string()
}
