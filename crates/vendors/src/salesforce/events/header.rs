//! What the head of a change event means: which records to look at. Pure.

use std::collections::BTreeSet;

use syncline_connect::{Hint, mirror::KindSpec};
use syncline_core::ids::RecordId;

use super::avro::Header;
use crate::salesforce::{id, manifest::CLIENT};

/// Records that one event may name: identical changes are put together in one. With more, the kind is read.
pub const RECORDS_MAX: usize = 2_000;

/// Whose changes matter, and whose are our own.
pub struct Listener {
    pub kinds: BTreeSet<String>,
    pub specs: &'static [KindSpec],
    /// As whom we write, where nobody else works as the same user.
    pub user: Option<RecordId>,
}

impl Listener {
    /// What to look at because of an event.
    pub fn hints(&self, header: &Header) -> Vec<Hint> {
        let spec = self.specs.iter().find(|spec| spec.name == header.entity && self.kinds.contains(spec.name));
        let Some(spec) = spec else { return Vec::new() };
        let kind = || spec.name.to_owned();
        let ours = self.is_ours(header);
        let sound: Vec<RecordId> = header.ids.iter().filter_map(|id| id::of(spec.role, id)).collect();
        // Of a gap not all is told, and an overflow or a wildcard (`001*`) names no record at all.
        let vague = header.change.starts_with("GAP_") || sound.is_empty() || sound.len() < header.ids.len();
        if sound.len() > RECORDS_MAX {
            return vec![Hint::Kind { kind: kind() }];
        }
        let named = sound.into_iter().map(|id| Hint::Record { kind: kind(), id, ours: ours && !vague });
        named.chain(vague.then(|| Hint::Kind { kind: kind() })).collect()
    }

    fn is_ours(&self, header: &Header) -> bool {
        let client = header.origin.rsplit(';').find_map(|part| part.trim().strip_prefix("client="));
        let user = self.user.as_ref().is_some_and(|user| id::canonical(&header.user).as_ref() == Some(user));
        client.is_some_and(|client| client.trim_end_matches('/') == CLIENT) || user
    }
}
