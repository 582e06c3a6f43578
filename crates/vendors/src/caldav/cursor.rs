//! Where a reading stopped, as a text. The connector stores nothing: what it must know again stands in there, within a
//! limit.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Most members whose versions a cursor carries. Of a larger collection it carries one digest of them all, which tells that
/// something changed and not what.
pub const CARRIED_MAX: usize = 2_000;

/// Longest cursor that is taken back.
const CURSOR_BYTES_MAX: usize = 1024 * 1024;

/// Bytes of a digest that are kept of one version: two of the same collection are never taken for one another.
const DIGEST_BYTES: usize = 8;

/// Where to go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// What the next look is compared with.
    pub mark: Mark,
    /// The zone in which the collection means times without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// What of an earlier look is still to be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rest: Option<Rest>,
}

/// What was there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// The server knows it by this word.
    Token(String),
    /// The members and a digest of each one's version.
    Members { tag: Option<String>, versions: BTreeMap<String, String> },
    /// A digest of all.
    Digest { tag: Option<String>, digest: String },
}

/// Members are read by name.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Rest {
    /// The token since which they changed; `None`: all that are there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// The last that is read.
    pub after: String,
    /// How many of those that are read are gone.
    #[serde(default)]
    pub gone: usize,
}

impl Cursor {
    pub fn read(text: &str) -> Option<Self> {
        (text.len() <= CURSOR_BYTES_MAX).then(|| serde_json::from_str(text).ok())?
    }

    pub fn write(&self) -> String {
        serde_json::to_string(self).expect("texts and maps of texts can be written")
    }
}

impl Mark {
    /// The mark of a listing. `members`: names with versions.
    pub fn of(members: &BTreeMap<String, String>, tag: Option<String>) -> Self {
        let versions: BTreeMap<String, String> =
            members.iter().map(|(name, version)| (name.clone(), short(version))).collect();
        if versions.len() <= CARRIED_MAX {
            return Mark::Members { tag, versions };
        }
        let mut digest = Sha256::new();
        for (name, version) in versions {
            digest.update(format!("{name}\n{version}\n"));
        }
        Mark::Digest { tag, digest: hex::encode(digest.finalize()) }
    }

    /// How many members there were, where it is told.
    pub fn count(&self) -> usize {
        match self {
            Mark::Members { versions, .. } => versions.len(),
            Mark::Token(_) | Mark::Digest { .. } => 0,
        }
    }

    /// The word by which the server tells in one short answer that nothing changed.
    pub fn tag(&self) -> Option<&str> {
        match self {
            Mark::Token(_) => None,
            Mark::Members { tag, .. } | Mark::Digest { tag, .. } => tag.as_deref(),
        }
    }
}

fn short(version: &str) -> String {
    hex::encode(&Sha256::digest(version)[..DIGEST_BYTES])
}

/// What changed between two listings: the members to be read, and those that are gone. `None`: it cannot be told.
pub fn compare(before: &Mark, now: &Mark) -> Option<(Vec<String>, Vec<String>)> {
    match (before, now) {
        (Mark::Members { versions: before, .. }, Mark::Members { versions: now, .. }) => {
            let changed = now.iter().filter(|(name, version)| before.get(*name) != Some(version));
            let gone = before.keys().filter(|name| !now.contains_key(*name));
            Some((changed.map(|(name, _)| name.clone()).collect(), gone.cloned().collect()))
        }
        (Mark::Digest { digest: before, .. }, Mark::Digest { digest: now, .. }) if before == now => {
            Some(Default::default())
        }
        _ => None,
    }
}
