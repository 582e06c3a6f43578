//! The brake on deletions: more of them than anybody can have meant wait for a person.

use jiff::SignedDuration;

/// So many records may always be deleted because their counterparts were.
pub const DELETES_FREE: u64 = 50;

/// And so many of a hundred links, where that is more.
pub const DELETES_PERCENT: u64 = 5;

/// Deletions within so much time are added up, so that many small waves count like a large one.
pub const DELETES_WITHIN: SignedDuration = SignedDuration::from_hours(24);

/// Whether a person has to look first: `due` deletions are to be carried out, after `lately` ones within
/// [`DELETES_WITHIN`], where `links` are left.
pub fn too_many_deletes(due: u64, lately: u64, links: u64) -> bool {
    let (all, before) = (due.saturating_add(lately), links.saturating_add(lately));
    all > DELETES_FREE && all.saturating_mul(100) > before.saturating_mul(DELETES_PERCENT)
}
