//! The order of writes to a field of which no two records may hold the same value, as an e-mail address: an address is
//! free for the next record once the one that bears it has been given another.

use std::collections::HashMap;

use crate::record::Value;

/// A write to such a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exchange<'a> {
    /// What the record bears now; [`Value::Null`] for one that is yet to be made.
    pub seen: &'a Value,
    pub target: &'a Value,
}

/// When a write may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// At once, as far as these writes are concerned.
    First,
    /// When the one at this place is done: its record bears the value now.
    After(usize),
    /// Several records pass their values round, as two that swap theirs. No order of single writes does that: one of
    /// them has to be without a value for a moment, and where that may not be, a person has to decide.
    Circle,
}

/// The turn of each write, by position. Of several that give the same value, or bear it, the first is meant; the others
/// are for the vendor to refuse.
pub fn turns(writes: &[Exchange<'_>]) -> Vec<Turn> {
    let spelled = |value: &Value| value.as_text().map(str::to_lowercase);
    let mut bearers: HashMap<String, usize> = HashMap::new();
    for (place, write) in writes.iter().enumerate() {
        if let Some(text) = spelled(write.seen) {
            bearers.entry(text).or_insert(place);
        }
    }
    let waits: Vec<Option<usize>> = writes
        .iter()
        .enumerate()
        .map(|(place, write)| {
            let bearer = spelled(write.target).and_then(|text| bearers.get(&text).copied());
            bearer.filter(|bearer| *bearer != place)
        })
        .collect();
    waits
        .iter()
        .enumerate()
        .map(|(place, wait)| match wait {
            None => Turn::First,
            Some(_) if comes_round(&waits, place) => Turn::Circle,
            Some(bearer) => Turn::After(*bearer),
        })
        .collect()
}

/// Whether a write waits, in the end, for itself. Each waits for one at most, so the way is at most as long as the list.
fn comes_round(waits: &[Option<usize>], place: usize) -> bool {
    let mut at = place;
    for _ in 0..waits.len() {
        match waits[at] {
            Some(next) if next == place => return true,
            Some(next) => at = next,
            None => return false,
        }
    }
    false
}
