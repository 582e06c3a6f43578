//! Record ids: 15 characters in which case matters, or 18 of which the last three guard the case. Pure.

use syncline_core::{ids::RecordId, record::Role};

use super::manifest::PREFIXES;

/// Characters without the guard.
const SHORT_CHARS: usize = 15;

/// Characters with the guard.
pub const LONG_CHARS: usize = 18;

/// The guard's alphabet: each of its characters writes which of five characters are upper case.
const GUARD: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";

/// The id with its guard; `None` where it cannot be an id or its case was damaged.
pub fn canonical(id: &str) -> Option<RecordId> {
    if !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    let guarded = with_guard(id.get(..SHORT_CHARS)?);
    let sound = match id.len() {
        SHORT_CHARS => true,
        LONG_CHARS => guarded == id,
        _ => false,
    };
    sound.then(|| RecordId::new(guarded))
}

/// The role that an id's prefix tells, with the id in its canonical form.
pub fn identify(id: &str) -> Option<(Role, RecordId)> {
    let id = canonical(id)?;
    let (_, role) = PREFIXES.iter().find(|(prefix, _)| id.as_str().starts_with(prefix))?;
    Some((*role, id))
}

/// The id in its canonical form, where a record of the role may have it. Of an object that only the settings name every
/// sound id is taken: its prefix is the org's own.
pub fn of(role: Role, id: &str) -> Option<RecordId> {
    match role {
        Role::Custom => canonical(id),
        _ => identify(id).filter(|(found, _)| *found == role).map(|(_, id)| id),
    }
}

fn with_guard(short: &str) -> String {
    let mut text = short.to_owned();
    for five in short.as_bytes().chunks(5) {
        let bits = five
            .iter()
            .enumerate()
            .filter(|(_, byte)| byte.is_ascii_uppercase())
            .fold(0, |bits, (at, _)| bits | 1 << at);
        text.push(char::from(GUARD[bits]));
    }
    text
}
