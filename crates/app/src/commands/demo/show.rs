//! What the demo prints.

use serde_json::Value;
use syncline_store::{ActivityFilter, ActivityRow, Store};

use super::messages::Message;
use crate::commands::serve::Running;

/// Lines that one message brings at the most.
const LINES: usize = 50;

/// The newest line's id.
pub async fn newest(store: &Store, running: &Running) -> anyhow::Result<i64> {
    let filter = ActivityFilter { limit: 1, ..ActivityFilter::default() };
    let rows = store.activity(&running.installation.workspace(), filter).await?;
    Ok(rows.first().map_or(0, |row| row.id))
}

/// Who said what.
pub fn heading(message: &Message, status: &str) {
    let note = if status == "duplicate" { "   (received before: nothing to do)" } else { "" };
    println!("{:<9} {}{note}", message.source, message.what);
}

/// Prints the lines after `seen`, oldest first; returns the newest.
pub async fn since(store: &Store, running: &Running, seen: i64) -> anyhow::Result<i64> {
    let filter = ActivityFilter { limit: LINES, ..ActivityFilter::default() };
    let mut rows = store.activity(&running.installation.workspace(), filter).await?;
    rows.retain(|row| row.id > seen);
    rows.reverse();
    for row in &rows {
        print(row);
    }
    Ok(rows.last().map_or(seen, |row| row.id))
}

fn print(row: &ActivityRow) {
    let details = &row.entry.details;
    for note in details["notes"].as_array().into_iter().flatten() {
        println!("            {}", note["text"].as_str().unwrap_or_default());
    }
    let records = details["records"].as_array().map(Vec::as_slice).unwrap_or_default();
    for record in records {
        println!(
            "          → {:<11} {} {:<18}  {}",
            record["role"].as_str().unwrap_or_default(),
            record["action"].as_str().unwrap_or_default(),
            record["id"].as_str().unwrap_or_default(),
            record["fields"].as_object().map(title).unwrap_or_default()
        );
    }
    let said = details["notes"]
        .as_array()
        .is_some_and(|notes| notes.iter().any(|note| note["text"] == row.entry.text.as_str()));
    if records.is_empty() && !said {
        println!("          · {}", row.entry.text);
    }
    if let Some(calls) = details["calls"].as_f64().filter(|calls| *calls > 0.0) {
        println!("            {calls} API call{}", if (calls - 1.0).abs() < f64::EPSILON { "" } else { "s" });
    }
}

/// What a record is called, or which fields changed.
fn title(fields: &serde_json::Map<String, Value>) -> String {
    let named = ["subject", "name", "last_name"].iter().find_map(|field| fields.get(*field)?.as_str());
    match named {
        Some(name) => name.to_owned(),
        None => fields.keys().map(String::as_str).collect::<Vec<_>>().join(", "),
    }
}
