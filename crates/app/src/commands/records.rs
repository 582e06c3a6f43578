//! `syncline records`: integrations that keep the records of two accounts in step, from the first look to a person's
//! decision about what was held back.

use std::sync::Arc;

use anyhow::{Context, bail};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;
use syncline_core::{ids::IntegrationId, merge::Side};
use syncline_engine::{
    AGREEMENT_VERSION, Engine,
    records::{Listening, Preview, RecordFlow, Round, RoundEnd},
};
use syncline_store::{FlowStanding, HoldView};

use super::ConfigArg;
use crate::{plan::word, telemetry, wiring::Installation};

/// Holds of one page.
const HOLDS_PAGE: usize = 200;

/// Rounds of `run`: what is not done by then is for the server.
const ROUNDS_MAX: usize = 1_000;

#[derive(Debug, Args)]
pub struct RecordsArgs {
    #[command(subcommand)]
    act: Act,
    #[command(flatten)]
    config: ConfigArg,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Asks both accounts for their fields and says which rows of the mapping cannot work, and why.
    Check { name: String },
    /// Reads both sides and shows what activating would do: counts and samples. Writes to neither.
    Preview {
        name: String,
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Starts to keep the records in step.
    Activate {
        name: String,
        /// Who agrees that people's data may travel between the two accounts. Needed once; it is kept with the time.
        #[arg(long)]
        agreed_by: Option<String>,
    },
    /// Stops writing until it is activated again. Nothing is lost meanwhile.
    Pause { name: String },
    /// Runs rounds until there is nothing left to do, as a server would.
    Run {
        name: String,
        /// Whatever is missing on a side was deleted on purpose. It is kept until that is carried out, also by `serve`.
        #[arg(long)]
        confirm_deletes: bool,
        /// One JSON object a round.
        #[arg(long)]
        json: bool,
    },
    /// How the integrations stand: last look, next look, counts, quota.
    Status {
        name: Option<String>,
        /// One JSON object an integration.
        #[arg(long)]
        json: bool,
    },
    /// What is held back, with the reason and what to do.
    Holds {
        name: String,
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Tries what was held back again: the named records, or all.
    Retry {
        name: String,
        /// Numbers of records, as `holds` prints them.
        entries: Vec<i64>,
    },
    /// Decides a conflict that waits for a person.
    Resolve {
        name: String,
        /// The record's number, as `holds` prints it.
        entry: i64,
        /// The field, by its name on either side.
        field: String,
        /// The side whose value is the right one.
        winner: Winner,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Winner {
    Left,
    Right,
}

/// Runs it.
pub async fn run(args: RecordsArgs) -> anyhow::Result<()> {
    let installation = Installation::read(&args.config.config)?;
    let _telemetry = telemetry::start_quiet(&installation.config.telemetry)?;
    let store = installation.open_store().await?;
    let engine = installation.engine(store, &installation.public_url()?, installation.engine_options()?).await?;
    let done = act(&engine, args.act).await;
    engine.world().store.clone().close().await;
    done
}

async fn act(engine: &Arc<Engine>, act: Act) -> anyhow::Result<()> {
    match act {
        Act::Check { name } => {
            let flow = flow(engine, &name).await?;
            check(engine, &flow).await
        }
        Act::Preview { name, json } => {
            let flow = flow(engine, &name).await?;
            let preview = engine.records_preview(&flow).await?.map_err(|end| anyhow::anyhow!(ended(&end)))?;
            if json {
                println!("{}", serde_json::to_string(&preview)?);
            } else {
                show_preview(&preview);
            }
            Ok(())
        }
        Act::Activate { name, agreed_by } => {
            let flow = flow(engine, &name).await?;
            if !engine.activate(&flow, agreed_by.as_deref()).await? {
                bail!(
                    "people's data will travel between two accounts: say who agrees to docs/agreement.md, version {AGREEMENT_VERSION}, with --agreed-by \"NAME\""
                );
            }
            println!(
                "{name} is active. `syncline serve` keeps it in step; `syncline records run {name}` does so once."
            );
            Ok(())
        }
        Act::Pause { name } => {
            let flow = flow(engine, &name).await?;
            engine.set_standing(&flow, FlowStanding::Paused, None, None).await?;
            println!("{name} is paused.");
            Ok(())
        }
        Act::Run { name, confirm_deletes, json } => {
            let flow = flow(engine, &name).await?;
            rounds(engine, &flow, confirm_deletes, json).await
        }
        Act::Status { name, json } => status(engine, name.as_deref(), json).await,
        Act::Holds { name, json } => {
            let flow = flow(engine, &name).await?;
            holds(engine, &flow, json).await
        }
        Act::Retry { name, entries } => {
            let flow = flow(engine, &name).await?;
            let chosen = (!entries.is_empty()).then_some(entries.as_slice());
            let now = engine.world().clock.now();
            let released = engine.world().store.release_holds(&flow.workspace, &flow.id, chosen, now).await?;
            println!("{released} to be tried again.");
            Ok(())
        }
        Act::Resolve { name, entry, field, winner } => {
            let flow = flow(engine, &name).await?;
            resolve(engine, &flow, entry, &field, winner).await
        }
    }
}

async fn flow(engine: &Engine, name: &str) -> anyhow::Result<Arc<RecordFlow>> {
    let all = engine.all_record_flows().await?;
    let found = all.iter().find(|flow| flow.id == IntegrationId::from(name));
    found.cloned().with_context(|| {
        let names: Vec<&str> = all.iter().map(|flow| flow.id.as_str()).collect();
        match names.as_slice() {
            [] => "no integration keeps records in step: neither [[records]] nor the API has one".to_owned(),
            names => format!("there is no integration `{name}`; there are: {}", names.join(", ")),
        }
    })
}

fn ended(end: &RoundEnd) -> String {
    match end {
        RoundEnd::Done(_) => "done".to_owned(),
        RoundEnd::NotActive(FlowStanding::Stopped) => "it has stopped; `syncline records status` says why".to_owned(),
        RoundEnd::NotActive(_) => "it is not active; `syncline records activate` starts it".to_owned(),
        RoundEnd::Resting { connection } => {
            format!("connection {connection} rests; `syncline activity` says why")
        }
        RoundEnd::Held => "another process is at it; try again".to_owned(),
        RoundEnd::Failed { side, error } => format!("the {side} side could not be asked: {}", error.message),
    }
}

async fn check(engine: &Engine, flow: &RecordFlow) -> anyhow::Result<()> {
    let checked = engine.records_check(flow).await?.map_err(|end| anyhow::anyhow!(ended(&end)))?;
    for line in &checked.refused {
        println!("{line}");
    }
    for line in &checked.warnings {
        println!("To know: {line}");
    }
    if checked.refused.is_empty() {
        println!("Every row of the mapping of {} works with the accounts as they are.", flow.id);
        return Ok(());
    }
    bail!("{} rows of the mapping cannot work; mend them or take them out", checked.refused.len());
}

fn show_preview(preview: &Preview) {
    println!("Looked at {} of {} records that wait.", preview.looked_at, preview.waiting);
    println!(
        "Would be tied: {}, made on the left: {}, made on the right: {}, changed: {}, deleted on the left: {}, deleted on the right: {}, held back: {}, left alone: {}",
        preview.tied,
        preview.created_left,
        preview.created_right,
        preview.changed,
        preview.deleted_left,
        preview.deleted_right,
        preview.held,
        preview.left_alone
    );
    for row in &preview.dropped {
        println!("This row of the mapping cannot work: {row}");
    }
    for sample in &preview.samples {
        let other = sample.other.as_ref().map(|other| format!(" with {other}")).unwrap_or_default();
        let why = sample.why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        println!("  {} {}{other}{why}", sample.what, sample.record);
        for (side, field, value) in &sample.fields {
            println!("      {side} {field} = {value}");
        }
    }
}

async fn rounds(engine: &Engine, flow: &RecordFlow, confirm_deletes: bool, as_json: bool) -> anyhow::Result<()> {
    let mut all = Round::default();
    for place in 0..ROUNDS_MAX {
        match engine.records_round(flow, confirm_deletes && place == 0).await? {
            RoundEnd::Done(round) => {
                if as_json {
                    println!("{}", round_json(&round));
                }
                all.read += round.read;
                all.decided += round.decided;
                all.adopted += round.adopted;
                all.created += round.created;
                all.updated += round.updated;
                all.deleted += round.deleted;
                all.held += round.held;
                all.calls += round.calls;
                if round.idle() && !round.more {
                    break;
                }
            }
            end => bail!("{}: {}", flow.id, ended(&end)),
        }
    }
    if !as_json {
        println!(
            "Read {}, decided about {}: tied {}, made {}, changed {}, deleted {}, held back {}; {} calls.",
            all.read, all.decided, all.adopted, all.created, all.updated, all.deleted, all.held, all.calls
        );
    }
    Ok(())
}

fn round_json(round: &Round) -> serde_json::Value {
    json!({ "read": round.read, "changed": round.changed, "decided": round.decided, "tied": round.adopted,
        "created": round.created, "updated": round.updated, "deleted": round.deleted, "held": round.held,
        "calls": round.calls, "more": round.more })
}

async fn status(engine: &Engine, name: Option<&str>, as_json: bool) -> anyhow::Result<()> {
    let chosen = match name {
        Some(name) => vec![flow(engine, name).await?],
        None => engine.all_record_flows().await?,
    };
    for flow in &chosen {
        let status = engine.records_status(flow).await?;
        let listening = engine.listening(flow).await?;
        let standing = status.state.as_ref().map_or(FlowStanding::Draft, |state| state.standing);
        if as_json {
            let pulls: Vec<serde_json::Value> = status
                .pulls
                .iter()
                .map(|pull| {
                    json!({ "side": pull.side.as_str(), "kind": pull.kind, "phase": pull.phase,
                        "read_at": pull.read_at, "next_at": pull.next_at, "problem": pull.problem })
                })
                .collect();
            let counts = status.counts;
            let announced: Vec<serde_json::Value> = listening
                .iter()
                .map(|(connection, state)| {
                    let since = state.as_ref().map(|state| state.since);
                    let problem = state.as_ref().and_then(|state| state.problem.as_ref());
                    json!({ "connection": connection, "since": since, "problem": problem,
                        "announced": since.is_some() && problem.is_none() })
                })
                .collect();
            let line = json!({ "name": flow.id, "standing": standing,
                "reason": status.state.as_ref().and_then(|state| state.reason.clone()),
                "left": counts.left, "right": counts.right, "links": counts.links, "waiting": counts.due,
                "held": counts.held, "open": counts.open_steps, "transferred_this_month": status.quota.used,
                "limit": flow.tasks_per_month, "pulls": pulls, "changes_announced": announced });
            println!("{line}");
            continue;
        }
        println!("{} is {}", flow.id, word(standing));
        if let Some(reason) = status.state.as_ref().and_then(|state| state.reason.as_ref()) {
            println!("  {reason}");
        }
        let counts = status.counts;
        println!(
            "  {} records on the left, {} on the right, {} pairs in step; {} waiting, {} under way, {} held back",
            counts.left, counts.right, counts.links, counts.due, counts.open_steps, counts.held
        );
        let limit = flow.tasks_per_month.map(|limit| format!(" of {limit}")).unwrap_or_default();
        println!("  {}{limit} records transferred this month", status.quota.used);
        for pull in &status.pulls {
            let read = pull.read_at.map_or("not read yet".to_owned(), |at| format!("read at {at:.0}"));
            let problem =
                pull.problem.as_ref().map(|problem| format!("; cannot be read: {problem}")).unwrap_or_default();
            println!("  {} {}: {read}, next at {:.0}{problem}", pull.side.as_str(), pull.kind, pull.next_at);
        }
        for (connection, state) in &listening {
            println!("  {connection}: {}", announced(state.as_ref()));
        }
    }
    Ok(())
}

fn announced(state: Option<&Listening>) -> String {
    match state {
        None => "changes are not listened to just now".to_owned(),
        Some(Listening { since, problem: None, .. }) => format!("changes are announced since {since:.0}"),
        Some(Listening { since, problem: Some(problem), .. }) => {
            format!("changes are not announced since {since:.0}: {problem}; polls go on")
        }
    }
}

async fn holds(engine: &Engine, flow: &RecordFlow, as_json: bool) -> anyhow::Result<()> {
    let names = flow.rule_names();
    let mut after = None;
    let mut shown = 0;
    loop {
        let page = engine.world().store.holds(&flow.workspace, &flow.id, after, HOLDS_PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.entry);
        for view in &page {
            shown += 1;
            let field = view.hold.rule.and_then(|key| names.get(&key)).map(ToString::to_string);
            if as_json {
                println!(
                    "{}",
                    json!({ "entry": view.entry, "side": view.side.as_str(), "kind": view.kind,
                        "record": view.record, "field": field, "reason": view.hold.reason, "fix": view.hold.fix,
                        "since": view.since })
                );
            } else {
                show_hold(view, field.as_deref());
            }
        }
    }
    if shown == 0 && !as_json {
        println!("Nothing of {} is held back.", flow.id);
    }
    Ok(())
}

fn show_hold(view: &HoldView, field: Option<&str>) {
    let field = field.map(|field| format!(", {field}")).unwrap_or_default();
    println!("{} {} {}{field}", view.entry, view.kind, view.record);
    println!("    {} (since {:.0})", view.hold.reason, view.since);
    println!("    {}", view.hold.fix);
}

async fn resolve(engine: &Engine, flow: &RecordFlow, entry: i64, field: &str, winner: Winner) -> anyhow::Result<()> {
    let side = match winner {
        Winner::Left => Side::Left,
        Winner::Right => Side::Right,
    };
    if engine.resolve_hold(flow, entry, field, side).await? {
        println!("Decided; it is carried out in the next round.");
        return Ok(());
    }
    bail!("nothing of field {field} is held back of record {entry}; `syncline records holds {}` lists what is", flow.id)
}
