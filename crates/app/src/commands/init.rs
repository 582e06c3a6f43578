//! `syncline init`: a configuration to start from, and a master key that only its owner may read.

use std::{fs::OpenOptions, io::Write, path::Path, path::PathBuf};

use anyhow::{Context, bail};
use base64::{Engine, engine::general_purpose::STANDARD};
use clap::Args;
use syncline_core::Entropy;

use crate::{
    config::{EXAMPLE, MASTER_KEY_BYTES},
    world::SystemEntropy,
};

/// Where to write.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// The folder.
    #[arg(default_value = ".")]
    folder: PathBuf,
}

/// Writes both files; never over existing ones.
pub fn run(args: &InitArgs) -> anyhow::Result<()> {
    std::fs::create_dir_all(&args.folder).with_context(|| format!("making the folder {}", args.folder.display()))?;
    let (config, key) = (args.folder.join("syncline.toml"), args.folder.join("syncline.key"));
    if config.exists() || key.exists() {
        bail!("{} or {} is there already; nothing was changed", config.display(), key.display());
    }
    write_key(&key)?;
    std::fs::write(&config, EXAMPLE).with_context(|| format!("writing {}", config.display()))?;
    println!("Wrote {} and {}.", config.display(), key.display());
    println!(
        "Next: fill in the connection and the sources, then `syncline connect salesforce`, then `syncline serve`."
    );
    Ok(())
}

/// Writes a new master key.
pub fn write_key(path: &Path) -> anyhow::Result<()> {
    let mut key = [0; MASTER_KEY_BYTES];
    SystemEntropy.fill(&mut key);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).with_context(|| format!("writing {}", path.display()))?;
    writeln!(file, "{}", STANDARD.encode(key)).with_context(|| format!("writing {}", path.display()))
}
