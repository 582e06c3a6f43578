//! `syncline sources`: what to enter at each scheduling tool and in the automations of marketing tools, and how those are
//! that Syncline asks by itself.

use clap::Args;
use serde::Serialize;
use syncline_connect::{Bookings, Connector};
use syncline_core::ids::ConnectionId;
use syncline_store::{PollState, SetupKind};

use super::ConfigArg;
use crate::wiring::{AskUrl, Installation, vendor};

#[derive(Debug, Args)]
pub struct SourcesArgs {
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigArg,
}

/// An address to enter somewhere else, with what there is to say of it.
#[derive(Debug, Serialize)]
struct Entry {
    name: String,
    /// `bookings`, `changes`, or `requests` for a record.
    kind: &'static str,
    /// The vendor's name, or the pair of kinds that is asked for.
    of: String,
    #[serde(skip)]
    heading: String,
    /// Where there is one already.
    address: Option<String>,
    says: Vec<String>,
}

/// Prints every source's webhook address, and how its poll stands.
pub async fn run(args: SourcesArgs) -> anyhow::Result<()> {
    let installation = Installation::read(&args.config.config)?;
    let entries = entries(&installation).await?;
    if args.json {
        for entry in &entries {
            println!("{}", serde_json::to_string(entry)?);
        }
        return Ok(());
    }
    if installation.config.sources.is_empty() {
        println!("No [[sources]] are configured.");
    }
    for Entry { heading, address, says, .. } in &entries {
        println!("{heading}");
        address.iter().chain(says).for_each(|line| println!("  {line}"));
    }
    Ok(())
}

async fn entries(installation: &Installation) -> anyhow::Result<Vec<Entry>> {
    let public = installation.public_url()?;
    // Nothing is known of sources that are never asked, and without connections no integration keeps records: then the
    // database is left alone.
    let asks = installation.config.sources.iter().any(|source| source.api.is_some());
    let asks = asks || !installation.config.connections.is_empty();
    let store = if asks { Some(installation.open_store().await?) } else { None };
    let mut entries = Vec::new();
    for source in &installation.config.sources {
        let connector = vendor(&source.vendor)?;
        let mut says = vec![connector.manifest().docs.to_owned()];
        says.extend(only_by_webhook(connector, source.api.is_some()));
        if let (Some(_), Some(store)) = (&source.api, &store) {
            let state = store.poll_state(&installation.workspace(), &ConnectionId::new(source.name.clone())).await?;
            says.extend(state.map_or_else(|| vec!["not asked yet".to_owned()], |state| lines(&state)));
        }
        entries.push(Entry {
            name: source.name.clone(),
            kind: "bookings",
            of: connector.manifest().display_name.to_owned(),
            heading: format!("{} ({})", source.name, connector.manifest().display_name),
            address: Some(installation.webhook_url(&public, &source.name)),
            says,
        });
    }
    for connection in &installation.config.connections {
        let connector = vendor(&connection.vendor)?;
        let Some(hints) = connector.hints() else { continue };
        let lacks_secret = hints.signed() && connection.webhook_secrets.is_empty();
        let advice = "give `webhook_secrets`, and it has an address; until then the account is asked every so often";
        entries.push(Entry {
            name: connection.name.clone(),
            kind: "changes",
            of: connector.manifest().display_name.to_owned(),
            heading: format!("{} ({}), tells of changes", connection.name, connector.manifest().display_name),
            address: (!lacks_secret).then(|| installation.webhook_url(&public, &connection.name)),
            says: lacks_secret.then(|| advice.to_owned()).into_iter().collect(),
        });
    }
    let written = match &store {
        Some(store) => store.setups(&installation.workspace(), SetupKind::Records).await?,
        None => Vec::new(),
    };
    entries.extend(installation.ask_urls(&public, &written).into_iter().map(|AskUrl { integration, pair, url }| {
        Entry {
            heading: format!("{integration}: a record for `{pair}` is asked for at"),
            name: integration,
            kind: "requests",
            of: pair,
            address: Some(url),
            says: Vec::new(),
        }
    }));
    if let Some(store) = store {
        store.close().await;
    }
    Ok(entries)
}

/// What is lost with a webhook that is lost.
fn only_by_webhook(connector: &dyn Connector, is_asked: bool) -> Vec<String> {
    let only = connector.bookings().map(Bookings::only_by_webhook).unwrap_or_default();
    match (connector.poll(), is_asked) {
        (None, _) => vec!["cannot be asked: what its webhook does not bring is not found again".to_owned()],
        (Some(_), false) => {
            vec!["is not asked: give `api`, and what a lost webhook would have told is found".to_owned()]
        }
        (Some(_), true) if only.is_empty() => Vec::new(),
        (Some(_), true) => vec![format!("only its webhook tells: {}", only.join("; "))],
    }
}

fn lines(state: &PollState) -> Vec<String> {
    let asked = match (&state.polled_at, &state.problem) {
        (_, Some(problem)) => format!("cannot be asked: {problem}; tried again at {:.0}", state.next_at),
        (Some(at), None) => format!("asked at {at:.0}, next at {:.0}", state.next_at),
        (None, None) => format!("not asked yet, next at {:.0}", state.next_at),
    };
    let hook = state.hook_at.zip(state.hook.as_deref()).map(|(at, word)| format!("webhook {word}, looked at {at:.0}"));
    std::iter::once(asked).chain(hook).collect()
}
