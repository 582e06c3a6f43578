//! Secrets by reference: `env:NAME` or `file:path`, never in the configuration itself.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use syncline_connect::Secret;

/// Bytes of a master key.
pub const MASTER_KEY_BYTES: usize = 32;

/// Shortest secret that is taken: below it, guessing becomes thinkable.
pub const MIN_SECRET_CHARS: usize = 16;

/// Where a secret stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretRef {
    Env(String),
    File(PathBuf),
}

impl<'de> Deserialize<'de> for SecretRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.split_once(':') {
            Some(("env", name)) if !name.is_empty() => Ok(Self::Env(name.to_owned())),
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(PathBuf::from(path))),
            // The text itself may be the secret, so it is not repeated.
            _ => Err(serde::de::Error::custom(
                "a secret is never written here: put it into an environment variable or a file and write \"env:NAME\" or \"file:path\"",
            )),
        }
    }
}

/// As it stands in the file: where the secret is, never the secret.
impl Serialize for SecretRef {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Env(name) => serializer.collect_str(&format_args!("env:{name}")),
            Self::File(path) => serializer.collect_str(&format_args!("file:{}", path.display())),
        }
    }
}

impl SecretRef {
    /// Reads the secret; relative paths start at `base`.
    pub fn read(&self, base: &Path) -> anyhow::Result<Secret> {
        let secret = self.read_any(base)?;
        if secret.expose().chars().count() < MIN_SECRET_CHARS {
            bail!(
                "the secret in {self} is shorter than {MIN_SECRET_CHARS} characters; make a longer one, for example with `openssl rand -hex 32`"
            );
        }
        Ok(secret)
    }

    /// Reads the secret whatever its length, for those that a vendor made.
    pub fn read_any(&self, base: &Path) -> anyhow::Result<Secret> {
        let text = match self {
            Self::Env(name) => std::env::var(name).with_context(|| {
                format!("the environment variable {name} is not set; set it, or point the setting elsewhere")
            })?,
            Self::File(path) => {
                let path = base.join(path);
                private(&path)?;
                std::fs::read_to_string(&path)
                    .with_context(|| format!("cannot read the secret file {}", path.display()))?
            }
        };
        let text = text.trim();
        if text.is_empty() {
            bail!("the secret in {self} is empty");
        }
        Ok(Secret::new(text))
    }
}

impl std::fmt::Display for SecretRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Env(name) => write!(f, "the environment variable {name}"),
            Self::File(path) => write!(f, "the file {}", path.display()),
        }
    }
}

/// Refuses a secret file that others on the machine may read.
fn private(path: &Path) -> anyhow::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(path)
            .with_context(|| format!("the secret file {} is not there", path.display()))?
            .permissions()
            .mode();
        if mode & 0o077 != 0 {
            bail!("others may read the secret file {}; run `chmod 600 {}`", path.display(), path.display());
        }
    }
    Ok(())
}

/// Reads a master key: 32 bytes, in base64 or hexadecimal digits.
pub fn read_master_key(reference: &SecretRef, base: &Path) -> anyhow::Result<[u8; MASTER_KEY_BYTES]> {
    let secret = reference.read_any(base).context(
        "the vault needs a master key; `syncline init` makes one, or put 32 random bytes in base64 where [vault] key points",
    )?;
    let text = secret.expose();
    let bytes = if text.len() == MASTER_KEY_BYTES * 2 { hex::decode(text).ok() } else { STANDARD.decode(text).ok() };
    let key = bytes.and_then(|bytes| <[u8; MASTER_KEY_BYTES]>::try_from(bytes).ok());
    key.with_context(|| {
        format!(
            "the master key in {reference} must be 32 bytes in base64 or hexadecimal digits; `syncline init` makes one"
        )
    })
}
