//! What follows from a changed file, in sentences: only what the product does, by how its integrations stand.

use std::collections::BTreeMap;

use syncline_store::FlowStanding;

use super::{Fate, Plan};
use crate::config::{Config, Grant};

/// What has to be known beside the two files.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// How integrations of records and calendars stand, by name; those that were never activated are not there.
    pub standings: BTreeMap<String, FlowStanding>,
    /// Templates that are in force, as people call them.
    pub templates: Vec<String>,
    /// Integrations that were written through the API and do not fit the file any more, each with the reason.
    pub unusable: Vec<(String, String)>,
}

/// A sentence about an entry of the file, or about an integration of the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    pub about: Vec<String>,
    pub text: String,
}

/// What follows from the plan to use this file.
pub fn follows(plan: &Plan, after: &Config, known: &Known) -> Vec<Note> {
    let mut notes = Vec::new();
    for (entry, fate) in plan.entries() {
        let mut say = |text: String| notes.push(Note { about: entry.clone(), text });
        match entry.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            [kind @ ("records" | "calendars"), name] => {
                kept_in_step(plan, &entry, (kind, name, fate), known).into_iter().for_each(say);
            }
            ["integrations", name] => bookings(name, fate, known).into_iter().for_each(say),
            ["connections", name] => connection(plan, &entry, (name, fate), after).into_iter().for_each(say),
            ["sources", name] => match fate {
                Fate::Added => {
                    say("`syncline sources` prints the webhook address to enter at the scheduling tool".to_owned())
                }
                Fate::Removed => say(format!(
                    "the webhook address of {name} is not known any more, and its API is not asked; take the webhook out at the scheduling tool"
                )),
                Fate::Changed => {}
            },
            ["workspace"] => {
                say("another workspace is another part of the database: nothing of the former one is there".to_owned())
            }
            ["database"] => say("what is in the former database is not taken along".to_owned()),
            ["vault"] => say(
                "webhook addresses are derived from the master key: docs/operating.md says in which order to change it"
                    .to_owned(),
            ),
            _ => {}
        }
    }
    let unusable = known.unusable.iter().map(|(name, reason)| Note {
        about: vec!["api".to_owned(), name.clone()],
        text: format!("written through the API, it cannot be used with this file: {reason}"),
    });
    notes.extend(unusable);
    notes
}

/// An integration of records or calendars.
fn kept_in_step(plan: &Plan, entry: &[String], (kind, name, fate): (&str, &str, Fate), known: &Known) -> Vec<String> {
    let standing = known.standings.get(name);
    let word = standing.map_or("a draft", |standing| word(*standing));
    let is_active = standing == Some(&FlowStanding::Active);
    let activate = format!("`syncline {kind} activate {name}`");
    match fate {
        Fate::Added => vec![match standing {
            None => format!("it is a draft: nothing is written before {activate}"),
            Some(_) => format!("an integration of this name is known and {word}: it goes on with what is stored of it"),
        }],
        Fate::Removed => {
            let rest = match kind {
                "records" => "its links stay stored, and the records stay as they are",
                _ => "what is stored of its events stays, and the meetings in the CRM stay as they are",
            };
            vec![format!(
                "nothing is read or written for it any more; {rest}; under the same name it would go on as it stands, {word}"
            )]
        }
        Fate::Changed if standing.is_none() => vec![format!("it is a draft: nothing is written before {activate}")],
        Fate::Changed => {
            let touches = |key: &str| plan.of(entry).any(|change| change.path.get(2).is_some_and(|known| known == key));
            let mut texts = Vec::new();
            if kind == "records" && touches("pairs") {
                let when = if is_active { "with its next round" } else { "once it is active again" };
                texts.push(format!(
                    "its mapping is checked anew, and where other fields are read than before, all records of that kind are read again {when}"
                ));
            }
            if ["left", "right", "crm"].iter().any(|key| touches(key)) {
                texts.push(
                    "what is stored of it is of the account before and is not forgotten: for another account, make an integration of another name"
                        .to_owned(),
                );
            }
            if kind == "calendars" {
                let when = if is_active { "when they are next looked at" } else { "once it is active again" };
                texts.push(format!("meetings are judged by the new settings {when}"));
            }
            if !is_active {
                texts.push(format!("it stays {word}"));
            }
            texts
        }
    }
}

fn bookings(name: &str, fate: Fate, known: &Known) -> Vec<String> {
    let mut texts = vec![match fate {
        Fate::Added => "bookings of the sources that name it go to its CRM".to_owned(),
        Fate::Changed => {
            "bookings are written by the new settings when they next change; what was written stays until then"
                .to_owned()
        }
        Fate::Removed => {
            format!("bookings of {name} that come or change are laid aside for a person; what was written stays")
        }
    }];
    if fate != Fate::Removed && !known.templates.is_empty() {
        texts.push(format!("templates stay in force over these settings: {}", known.templates.join(", ")));
    }
    texts
}

fn connection(plan: &Plan, entry: &[String], (name, fate): (&str, Fate), after: &Config) -> Vec<String> {
    let by_key = after.connections.iter().any(|connection| connection.name == name && connection.grant == Grant::Key);
    match fate {
        Fate::Added if by_key => vec!["its key is used from the start".to_owned()],
        Fate::Added => vec![format!("it has to be connected: `syncline connect {name}`, unless it was before")],
        Fate::Removed => vec![
            "its grant stays stored, sealed, and is not used; to forget it, disconnect the account before it is taken out of the file".to_owned(),
        ],
        Fate::Changed => {
            let who = ["vendor", "grant", "client_id", "url", "username", "settings"];
            let other = plan.of(entry).any(|change| change.path.get(2).is_some_and(|key| who.contains(&key.as_str())));
            let text = format!("what is stored of its account stays; where it is another account or app now, connect it anew: `syncline connect {name}`");
            if other { vec![text] } else { Vec::new() }
        }
    }
}

/// How an integration stands, as it is said: it is *paused*.
pub fn word(standing: FlowStanding) -> &'static str {
    match standing {
        FlowStanding::Draft => "a draft",
        FlowStanding::Active => "active",
        FlowStanding::Paused => "paused",
        FlowStanding::Stopped => "stopped",
    }
}
