//! Positions of rows within a write, as the ticket of a vendor's import carries them.

use serde::{Deserialize, Serialize};

/// Positions, as spans of first and number.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Spans(Vec<(usize, usize)>);

impl Spans {
    pub fn of(places: impl IntoIterator<Item = usize>) -> Self {
        let mut spans: Vec<(usize, usize)> = Vec::new();
        for place in places {
            match spans.last_mut() {
                Some((first, number)) if *first + *number == place => *number += 1,
                _ => spans.push((place, 1)),
            }
        }
        Self(spans)
    }

    /// The positions, as far as they are below a bound.
    pub fn places(&self, bound: usize) -> impl Iterator<Item = usize> {
        self.0.iter().flat_map(move |(first, number)| *first..first.saturating_add(*number).min(bound))
    }

    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }
}
