//! The keys: the master keys that the operator gives, and the workspaces' data keys, unwrapped and kept in memory.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use sha2::{Digest, Sha256};
use syncline_core::{Entropy, ids::WorkspaceId};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::{KEY_BYTES, Place, open, seal};
use crate::error::{Error, Result};

/// Data keys kept in memory; above it all are forgotten and read again.
const KEPT_MAX: usize = 20_000;
/// Hex digits of a fingerprint: enough to tell an operator's handful of keys apart.
const FINGERPRINT_DIGITS: usize = 16;

/// The key that all other keys are sealed with: 256 bits, from outside the database.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct MasterKey([u8; KEY_BYTES]);

impl MasterKey {
    /// Takes 32 random bytes; anything shorter, longer or plainly not random is refused.
    pub fn new(bytes: &[u8]) -> Result<Self> {
        let key: [u8; KEY_BYTES] = bytes.try_into().map_err(|_| {
            Error::WrongKey(format!("a master key has {KEY_BYTES} bytes, this one has {}", bytes.len()))
        })?;
        if key.iter().all(|byte| *byte == key[0]) {
            return Err(Error::WrongKey("a master key is random; this one repeats a single byte".to_owned()));
        }
        Ok(Self(key))
    }

    /// What tells this key from others without giving it away.
    pub(crate) fn fingerprint(&self) -> String {
        let mut hasher = Sha256::new();
        hasher.update(b"syncline master key fingerprint");
        hasher.update(self.0);
        let mut text = hex::encode(hasher.finalize());
        text.truncate(FINGERPRINT_DIGITS);
        text
    }
}

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// A key that seals one workspace's secrets.
pub(crate) type DataKey = Zeroizing<[u8; KEY_BYTES]>;

/// The master keys at hand: the one to seal with first, then those that may still open something.
pub(crate) struct MasterKeys {
    keys: Vec<(String, MasterKey)>,
}

impl MasterKeys {
    pub(crate) fn new(key: MasterKey, old: Vec<MasterKey>) -> Self {
        Self { keys: std::iter::once(key).chain(old).map(|key| (key.fingerprint(), key)).collect() }
    }

    /// The fingerprint of the key that seals.
    pub(crate) fn current(&self) -> &str {
        &self.keys[0].0
    }

    /// The same keys, with another one to seal with.
    pub(crate) fn with_current(&self, key: MasterKey) -> Self {
        let others = self.keys.iter().map(|(_, key)| key.clone()).filter(|other| other.0 != key.0).collect();
        Self::new(key, others)
    }

    fn get(&self, fingerprint: &str) -> Result<&MasterKey> {
        let found = self.keys.iter().find(|(known, _)| known == fingerprint);
        found.map(|(_, key)| key).ok_or_else(|| {
            Error::WrongKey(format!("what is stored is sealed with key {fingerprint}, given is {}", self.current()))
        })
    }

    /// Seals a data key with the current master key.
    pub(crate) fn wrap(&self, entropy: &dyn Entropy, workspace: &WorkspaceId, key: &DataKey) -> Result<Vec<u8>> {
        let place = Place { workspace, row: &[self.current()], column: "data_key" };
        seal(&self.keys[0].1.0, entropy, &place, key.as_slice())
    }

    /// Opens a data key that was sealed with the master key of this fingerprint.
    pub(crate) fn unwrap(&self, fingerprint: &str, workspace: &WorkspaceId, wrapped: &[u8]) -> Result<DataKey> {
        let place = Place { workspace, row: &[fingerprint], column: "data_key" };
        let bytes = Zeroizing::new(open(&self.get(fingerprint)?.0, &place, wrapped)?);
        let key: [u8; KEY_BYTES] =
            bytes.as_slice().try_into().map_err(|_| Error::corrupt("a data key has the wrong length"))?;
        Ok(Zeroizing::new(key))
    }

    /// A sealed text by which a master key is recognised.
    pub(crate) fn canary(&self, entropy: &dyn Entropy) -> Result<Vec<u8>> {
        let place = Place { workspace: &canary_workspace(), row: &[self.current()], column: "canary" };
        seal(&self.keys[0].1.0, entropy, &place, b"syncline")
    }

    /// Whether one of the keys at hand is the one of this canary.
    pub(crate) fn check_canary(&self, fingerprint: &str, sealed: &[u8]) -> Result<()> {
        let key = self.get(fingerprint)?;
        let place = Place { workspace: &canary_workspace(), row: &[fingerprint], column: "canary" };
        let text = open(&key.0, &place, sealed)
            .map_err(|_| Error::WrongKey("the key does not open what it should have sealed".to_owned()))?;
        if text == b"syncline" {
            Ok(())
        } else {
            Err(Error::WrongKey("the key's mark is not what it should be".to_owned()))
        }
    }
}

/// The canary belongs to no workspace.
fn canary_workspace() -> WorkspaceId {
    WorkspaceId::new("")
}

/// Unwrapped data keys by workspace.
#[derive(Default)]
pub(crate) struct DataKeys {
    known: RwLock<HashMap<WorkspaceId, Arc<DataKey>>>,
}

impl DataKeys {
    pub(crate) fn get(&self, workspace: &WorkspaceId) -> Option<Arc<DataKey>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).get(workspace).cloned()
    }

    pub(crate) fn keep(&self, workspace: &WorkspaceId, key: DataKey) -> Arc<DataKey> {
        let key = Arc::new(key);
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KEPT_MAX {
            known.clear();
        }
        known.insert(workspace.clone(), Arc::clone(&key));
        key
    }
}
