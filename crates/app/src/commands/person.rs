//! `syncline person`: what is held about one person, shown or erased.

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use syncline_core::{Clock, merge::Side, person::normal_email};
use syncline_store::{Dossier, DossierBooking, DossierMessage, DossierRecord};

use super::ConfigArg;
use crate::{wiring::Installation, world::SystemClock};

/// Whose data.
#[derive(Debug, Args)]
pub struct PersonArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Prints everything that is held about a person, as one JSON object.
    Export(Who),
    /// Erases a person from bookings, messages, the activity log, records in step, and calendars' events.
    Erase(EraseArgs),
}

#[derive(Debug, Args)]
struct Who {
    /// The person's e-mail address.
    address: String,
    #[command(flatten)]
    config: ConfigArg,
}

#[derive(Debug, Args)]
struct EraseArgs {
    #[command(flatten)]
    who: Who,
    /// Does it; without this it is only said what would go.
    #[arg(long)]
    yes: bool,
}

/// Does it.
pub async fn run(args: PersonArgs) -> anyhow::Result<()> {
    match args.command {
        Command::Export(who) => export(who).await,
        Command::Erase(args) => erase(args).await,
    }
}

fn address(typed: &str) -> anyhow::Result<String> {
    normal_email(typed).with_context(|| "that is no e-mail address; write it like ada@example.org".to_owned())
}

async fn export(who: Who) -> anyhow::Result<()> {
    let address = address(&who.address)?;
    let installation = Installation::read(&who.config.config)?;
    let store = installation.open_store().await?;
    let found = store.dossier(&installation.workspace(), &address).await;
    store.close().await;
    println!("{:#}", shown(&found?));
    Ok(())
}

async fn erase(args: EraseArgs) -> anyhow::Result<()> {
    let address = address(&args.who.address)?;
    let installation = Installation::read(&args.who.config.config)?;
    let store = installation.open_store().await?;
    let workspace = installation.workspace();
    let found = store.dossier(&workspace, &address).await?;
    if !args.yes {
        println!("{}", would(&found));
        store.close().await;
        bail!("nothing was erased; add --yes to do it");
    }
    let erased = store.erase_person(&workspace, &address, SystemClock.now()).await?;
    store.close().await;
    let compacted = installation.database_file().map_or(Ok(()), |file| syncline_store::compact(&file));
    println!(
        "Erased: {} bookings, the person in {} bookings of others, {} messages, {} lines of the activity log, {} records, the \
         person in {} events and meetings, {} mails to guests.",
        erased.bookings, erased.mentions, erased.messages, erased.journal, erased.records, erased.events, erased.mails
    );
    if let Err(error) = compacted {
        println!("The database file could not be compacted ({error}); stop the server and run this again for that.");
    }
    let elsewhere = elsewhere(&found);
    if !elsewhere.is_empty() {
        println!("Still held by others, who are to be told; a record that stays there comes back from there:");
        elsewhere.iter().for_each(|place| println!("  {place}"));
    }
    println!("Copies of the database from before still have it all.");
    Ok(())
}

fn would(found: &Dossier) -> String {
    let own = found.bookings.iter().filter(|booking| booking.own).count();
    format!(
        "This would erase {own} bookings, the person in {} bookings of others, {} messages, {} lines of the activity log, \
         {} records, the person in {} events and meetings, and {} mails to guests.",
        found.bookings.len() - own,
        found.messages.len(),
        found.journal.len(),
        found.records.len(),
        found.events.len() + found.meetings.len(),
        found.mails.len()
    )
}

/// Where the person stands at vendors, by what we wrote there or read from there.
fn elsewhere(found: &Dossier) -> Vec<String> {
    let mut places = std::collections::BTreeSet::new();
    for booking in found.bookings.iter().filter(|booking| booking.own) {
        places.insert(format!("the booking at {}", booking.source));
        for link in booking.links.iter().filter_map(Value::as_object).flat_map(|links| links.values()) {
            if let (Some(role), Some(id)) = (link["role"].as_str(), link["id"].as_str()) {
                places.insert(format!("{role} {id} in the CRM of {}", booking.integration));
            }
        }
    }
    for link in &found.links {
        places.extend(link.record.as_ref().map(|record| format!("{record} at {}", link.connection)));
    }
    for DossierRecord { integration, side, kind, record, .. } in &found.records {
        places.insert(format!("{kind} {record} on the {} of {integration}", side_name(*side)));
    }
    for event in &found.events {
        places.insert(format!("event {} in calendar {} of {}", event.event, event.calendar, event.integration));
    }
    for meeting in &found.meetings {
        for link in meeting.links.as_object().into_iter().flat_map(|links| links.values()) {
            if let (Some(role), Some(id)) = (link["role"].as_str(), link["id"].as_str()) {
                places.insert(format!("{role} {id} in the CRM of {}", meeting.integration));
            }
        }
    }
    places.into_iter().collect()
}

fn side_name(side: Side) -> &'static str {
    match side {
        Side::Left => "left",
        Side::Right => "right",
    }
}

fn shown(found: &Dossier) -> Value {
    let booking = |one: &DossierBooking| {
        json!({ "id": one.chain.as_str(), "integration": one.integration.as_str(), "source": one.source.as_str(),
                "booked_by_the_person": one.own, "state": one.state, "records": one.links, "on_its_way": one.plan })
    };
    let message = |one: &DossierMessage| {
        let body = one.body.as_deref().map(String::from_utf8_lossy);
        json!({ "source": one.source.as_str(), "received": one.received.to_string(), "read_as": one.messages, "body": body })
    };
    let record = |one: &DossierRecord| {
        json!({ "integration": one.integration.as_str(), "side": side_name(one.side), "kind": one.kind,
                "record": one.record.as_str(), "seen": one.seen, "agreed": one.images })
    };
    let lines = found.journal.iter().map(|line| {
        json!({ "at": line.entry.at.to_string(), "kind": line.entry.kind.as_str(), "text": line.entry.text,
                "details": line.entry.details, "booking": line.chain.as_ref().map(|chain| chain.as_str()) })
    });
    let links = found.links.iter().map(|link| {
        json!({ "connection": link.connection.as_str(), "key": link.key,
                "record": link.record.as_ref().map(|record| record.as_str()) })
    });
    let events = found.events.iter().map(|one| {
        json!({ "integration": one.integration.as_str(), "calendar": one.calendar, "event": one.event, "copy": one.copy })
    });
    let meetings = found.meetings.iter().map(|one| {
        json!({ "integration": one.integration.as_str(), "uid": one.uid, "occurrence": one.rid, "state": one.state,
                "records": one.links, "on_its_way": one.plan })
    });
    let mails = found.mails.iter().map(|one| {
        json!({ "integration": one.integration.as_str(), "uid": one.uid, "to": one.email, "says": one.word,
                "state": one.state, "mail": one.letter })
    });
    let asks = found.asks.iter().map(|one| {
        json!({ "integration": one.integration.as_str(), "pair": one.pair, "asked_at": one.asked_at.to_string() })
    });
    json!({
        "bookings": found.bookings.iter().map(booking).collect::<Vec<_>>(),
        "messages": found.messages.iter().map(message).collect::<Vec<_>>(),
        "activity": lines.collect::<Vec<_>>(),
        "known_as": links.collect::<Vec<_>>(),
        "records": found.records.iter().map(record).collect::<Vec<_>>(),
        "events": events.collect::<Vec<_>>(),
        "meetings": meetings.collect::<Vec<_>>(),
        "mails": mails.collect::<Vec<_>>(),
        "asked_for": asks.collect::<Vec<_>>(),
    })
}
