//! `syncline calendars`: integrations that bring the meetings of people's calendars onto the timelines of a CRM, from the
//! first look to why a meeting is not there. What is printed is made in [`show`].

pub(super) mod show;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use anyhow::{Context, bail};
use clap::{Args, Subcommand, builder::PossibleValuesParser};
use syncline_core::calendar::eligible::REASONS;
use syncline_engine::{
    AGREEMENT_VERSION, Engine,
    calendars::{CalendarFlow, CalendarRound, CalendarRoundEnd},
};
use syncline_store::{FlowStanding, MeetingFilter};

use super::ConfigArg;
use crate::{telemetry, wiring::Installation};

/// Events of one page.
const EVENTS_PAGE: usize = 200;

/// Rounds of `run`: what is not done by then is for the server.
const ROUNDS_MAX: usize = 1_000;

#[derive(Debug, Args)]
pub struct CalendarsArgs {
    #[command(subcommand)]
    act: Act,
    #[command(flatten)]
    config: ConfigArg,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Asks every account for its calendars, and the CRM, and says what cannot work, and why.
    Check {
        name: String,
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Reads the calendars and shows which upcoming events would be logged, and which not, and why. Writes nothing.
    Preview {
        name: String,
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Starts to log meetings.
    Activate {
        name: String,
        /// Who agrees that people's data may travel between the accounts. Needed once; it is kept with the time.
        #[arg(long)]
        agreed_by: Option<String>,
    },
    /// Stops writing until it is activated again. Nothing is lost meanwhile.
    Pause { name: String },
    /// Runs rounds until there is nothing left to do, as a server would.
    Run {
        name: String,
        /// Whatever is missing in the calendars, or was deleted in the CRM, was deleted on purpose.
        #[arg(long)]
        confirm_deletes: bool,
        /// One JSON object a round.
        #[arg(long)]
        json: bool,
    },
    /// How the integrations stand: calendars, last look, next look, counts.
    Status {
        name: Option<String>,
        /// One JSON object an integration.
        #[arg(long)]
        json: bool,
    },
    /// Every event that is known: when, what, and whether it is logged or why not.
    Events {
        name: String,
        /// Only those that are not logged.
        #[arg(long)]
        left_out: bool,
        /// Only those that are not logged for this reason.
        #[arg(long, conflicts_with = "left_out", value_parser = PossibleValuesParser::new(REASONS))]
        reason: Option<String>,
        /// Only those about which a person has to do something.
        #[arg(long, conflicts_with_all = ["left_out", "reason"])]
        held: bool,
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Tries everything again that was laid aside, and sends mails again that were refused or may not have arrived.
    Retry { name: String },
}

/// Runs it.
pub async fn run(args: CalendarsArgs) -> anyhow::Result<()> {
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
        Act::Check { name, json } => {
            let flow = flow(engine, &name).await?;
            check(engine, &flow, json).await
        }
        Act::Preview { name, json } => {
            let flow = flow(engine, &name).await?;
            let preview = engine.calendars_preview(&flow).await;
            let preview =
                preview.map_err(|(name, error)| anyhow::anyhow!("{name} could not be asked: {}", error.message))?;
            if json {
                println!("{}", serde_json::to_string(&preview)?);
            } else {
                print!("{}", show::preview(&preview));
            }
            Ok(())
        }
        Act::Activate { name, agreed_by } => {
            let flow = flow(engine, &name).await?;
            if !engine.activate(&flow, agreed_by.as_deref()).await? {
                bail!(
                    "people's data will travel between the accounts: say who agrees to docs/agreement.md, version {AGREEMENT_VERSION}, with --agreed-by \"NAME\""
                );
            }
            println!(
                "{name} is active. `syncline serve` keeps it in step; `syncline calendars run {name}` does so once."
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
        Act::Events { name, left_out, reason, held, json } => {
            let filter = match reason {
                Some(reason) => MeetingFilter::Verdict(reason),
                None if held => MeetingFilter::Held,
                None if left_out => MeetingFilter::LeftOut,
                None => MeetingFilter::All,
            };
            let flow = flow(engine, &name).await?;
            events(engine, &flow, filter, json).await
        }
        Act::Retry { name } => {
            let flow = flow(engine, &name).await?;
            let released = engine.retry_meetings(&flow).await?;
            println!("{released} to be tried again.");
            Ok(())
        }
    }
}

async fn flow(engine: &Engine, name: &str) -> anyhow::Result<Arc<CalendarFlow>> {
    let all = engine.all_calendar_flows().await?;
    let found = all.iter().find(|flow| flow.id.as_str() == name);
    found.cloned().with_context(|| {
        let names: Vec<&str> = all.iter().map(|flow| flow.id.as_str()).collect();
        match names.as_slice() {
            [] => "no integration reads calendars: neither [[calendars]] nor the API has one".to_owned(),
            names => format!("no integration of calendars is called `{name}`; there are: {}", names.join(", ")),
        }
    })
}

fn ended(end: &CalendarRoundEnd) -> String {
    match end {
        CalendarRoundEnd::Done(_) => "done".to_owned(),
        CalendarRoundEnd::NotActive(FlowStanding::Stopped) => {
            "it has stopped; `syncline calendars status` says why".to_owned()
        }
        CalendarRoundEnd::NotActive(_) => "it is not active; `syncline calendars activate` starts it".to_owned(),
        CalendarRoundEnd::Resting { connection } => {
            format!("connection {connection} rests; `syncline activity` says why")
        }
        CalendarRoundEnd::Held => "another process is at it; try again".to_owned(),
    }
}

async fn check(engine: &Engine, flow: &CalendarFlow, as_json: bool) -> anyhow::Result<()> {
    let remarks = engine.calendars_check(flow).await;
    for remark in &remarks {
        println!("{}", if as_json { show::remark_json(remark) } else { show::remark(remark) });
    }
    match remarks.iter().filter(|remark| !remark.good).count() {
        0 => Ok(()),
        bad => bail!("{bad} of these cannot work as they are; mend them first"),
    }
}

async fn rounds(engine: &Engine, flow: &CalendarFlow, confirm_deletes: bool, as_json: bool) -> anyhow::Result<()> {
    let mut all = CalendarRound::default();
    for place in 0..ROUNDS_MAX {
        // It is asked at once, whether or not it is time.
        let end = match place {
            0 => engine.run_calendars_now(flow, confirm_deletes).await?,
            _ => engine.calendars_round(flow, false).await?,
        };
        match end {
            CalendarRoundEnd::Done(round) => {
                if as_json {
                    println!("{}", show::round_json(&round));
                }
                let goes_on = round.more;
                add(&mut all, round);
                if !goes_on {
                    break;
                }
            }
            end => bail!("{}: {}", flow.id, ended(&end)),
        }
    }
    if !as_json {
        print!("{}", show::round(&all));
    }
    Ok(())
}

/// Adds up. A calendar that could not be read is told as it was the last time.
fn add(all: &mut CalendarRound, round: CalendarRound) {
    all.read += round.read;
    all.decided += round.decided;
    all.created += round.created;
    all.updated += round.updated;
    all.deleted += round.deleted;
    all.events += round.events;
    all.mails += round.mails;
    all.left_out += round.left_out;
    all.held += round.held;
    all.calls += round.calls;
    all.failed.retain(|(calendar, _)| !round.failed.iter().any(|(other, _)| other == calendar));
    all.failed.extend(round.failed);
}

async fn status(engine: &Engine, name: Option<&str>, as_json: bool) -> anyhow::Result<()> {
    let chosen = match name {
        Some(name) => vec![flow(engine, name).await?],
        None => engine.all_calendar_flows().await?,
    };
    for flow in chosen {
        let state = engine.calendars_status(&flow).await?;
        if as_json {
            println!("{}", show::status_json(&flow.id, &state));
        } else {
            print!("{}", show::status(&flow.id, &state));
        }
    }
    Ok(())
}

async fn events(engine: &Engine, flow: &CalendarFlow, filter: MeetingFilter, as_json: bool) -> anyhow::Result<()> {
    let mut after = 0;
    let mut shown = 0;
    loop {
        let page = engine.calendar_events(flow, filter.clone(), after, EVENTS_PAGE).await?;
        let Some(last) = page.last() else { break };
        after = last.id;
        shown += page.len();
        for view in &page {
            if as_json {
                println!("{}", show::event_json(view));
            } else {
                print!("{}", show::event(view));
            }
        }
    }
    if shown == 0 && !as_json {
        println!("{} knows no such event.", flow.id);
    }
    Ok(())
}
