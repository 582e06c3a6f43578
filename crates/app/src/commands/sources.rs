//! `syncline sources`: what to enter at each scheduling tool and in the automations of marketing tools, and how those are
//! that Syncline asks by itself.

use std::path::Path;

use syncline_connect::{Bookings, Connector};
use syncline_core::ids::ConnectionId;
use syncline_store::{PollState, SetupKind};

use crate::wiring::{AskUrl, Installation, vendor};

/// Prints every source's webhook address, and how its poll stands.
pub async fn run(config: &Path) -> anyhow::Result<()> {
    let installation = Installation::read(config)?;
    let public = installation.public_url()?;
    if installation.config.sources.is_empty() {
        println!("No [[sources]] are configured.");
    }
    // Nothing is known of sources that are never asked, and without connections no integration keeps records: then the
    // database is left alone.
    let asks = installation.config.sources.iter().any(|source| source.api.is_some());
    let asks = asks || !installation.config.connections.is_empty();
    let store = if asks { Some(installation.open_store().await?) } else { None };
    for source in &installation.config.sources {
        let connector = vendor(&source.vendor)?;
        println!("{} ({})", source.name, connector.manifest().display_name);
        println!("  {}", installation.webhook_url(&public, &source.name));
        println!("  {}", connector.manifest().docs);
        only_by_webhook(connector, source.api.is_some()).iter().for_each(|line| println!("  {line}"));
        if let (Some(_), Some(store)) = (&source.api, &store) {
            let state = store.poll_state(&installation.workspace(), &ConnectionId::new(source.name.clone())).await?;
            state
                .map_or_else(|| vec!["not asked yet".to_owned()], |state| lines(&state))
                .iter()
                .for_each(|line| println!("  {line}"));
        }
    }
    for connection in &installation.config.connections {
        let connector = vendor(&connection.vendor)?;
        let Some(hints) = connector.hints() else { continue };
        println!("{} ({}), tells of changes", connection.name, connector.manifest().display_name);
        if hints.signed() && connection.webhook_secrets.is_empty() {
            println!("  give `webhook_secrets`, and it has an address; until then the account is asked every so often");
        } else {
            println!("  {}", installation.webhook_url(&public, &connection.name));
        }
    }
    let written = match &store {
        Some(store) => store.setups(&installation.workspace(), SetupKind::Records).await?,
        None => Vec::new(),
    };
    for AskUrl { integration, pair, url } in installation.ask_urls(&public, &written) {
        println!("{integration}: a record for `{pair}` is asked for at");
        println!("  {url}");
    }
    if let Some(store) = store {
        store.close().await;
    }
    Ok(())
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
