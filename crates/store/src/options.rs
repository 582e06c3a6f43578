//! How a store is opened: where it is, with which keys.

use std::{path::PathBuf, sync::Arc};

use syncline_core::Entropy;

use crate::{
    error::{Error, Result},
    vault::{MasterKey, MasterKeys},
};

/// What a store needs to know beside its URL.
#[derive(Clone)]
pub struct StoreOptions {
    /// Seals the workspaces' data keys.
    pub key: MasterKey,
    /// Former master keys, while a change of the key is under way.
    pub old_keys: Vec<MasterKey>,
    /// Where keys and nonces are drawn from.
    pub entropy: Arc<dyn Entropy>,
    /// PostgreSQL connections at most; SQLite has one that writes and one that reads.
    pub pool: usize,
}

impl std::fmt::Debug for StoreOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoreOptions")
            .field("key", &self.key)
            .field("old_keys", &self.old_keys)
            .field("pool", &self.pool)
            .finish()
    }
}

impl StoreOptions {
    pub(crate) fn master_keys(&self) -> MasterKeys {
        MasterKeys::new(self.key.clone(), self.old_keys.clone())
    }
}

/// Where a store is.
pub(crate) enum Place {
    /// A file, or memory where there is no path.
    Sqlite(Option<PathBuf>),
    Postgres,
}

impl Place {
    pub(crate) fn parse(url: &str) -> Result<Self> {
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Ok(Place::Postgres);
        }
        match url.strip_prefix("sqlite:") {
            Some(":memory:") => Ok(Place::Sqlite(None)),
            // Both `sqlite:path` and the usual `sqlite://path` are meant.
            Some(path) if !path.trim_start_matches("//").is_empty() => {
                Ok(Place::Sqlite(Some(PathBuf::from(path.strip_prefix("//").unwrap_or(path)))))
            }
            // The URL may hold a password, so it is not repeated.
            _ => Err(Error::Other("a database URL begins with `sqlite:` or `postgres://`".to_owned())),
        }
    }
}
