//! `syncline sources`: what to enter at each scheduling tool.

use std::path::Path;

use crate::wiring::{Installation, vendor};

/// Prints every source's webhook address.
pub fn run(config: &Path) -> anyhow::Result<()> {
    let installation = Installation::read(config)?;
    let public = installation.public_url()?;
    if installation.config.sources.is_empty() {
        println!("No [[sources]] are configured.");
    }
    for source in &installation.config.sources {
        let connector = vendor(&source.vendor)?;
        println!("{} ({})", source.name, connector.manifest().display_name);
        println!("  {}", installation.webhook_url(&public, &source.name));
        println!("  {}", connector.manifest().docs);
    }
    Ok(())
}
