//! How often may be called, in sliding minutes: by the whole project and by each person.

use std::collections::{BTreeMap, VecDeque};

use jiff::{SignedDuration, Timestamp};

use super::config::GoogleRates;

const SPAN: SignedDuration = SignedDuration::from_mins(1);

#[derive(Debug)]
pub(super) struct Rates {
    pub(super) limits: GoogleRates,
    project: VecDeque<Timestamp>,
    people: BTreeMap<String, VecDeque<Timestamp>>,
}

impl Rates {
    pub(super) fn new(limits: GoogleRates) -> Self {
        Self { limits, project: VecDeque::new(), people: BTreeMap::new() }
    }

    /// Counts a call; one too many is told by whether it was so for the whole project.
    pub(super) fn count(&mut self, now: Timestamp, user: &str) -> Option<bool> {
        if self.limits == GoogleRates::NONE {
            return None;
        }
        let own = self.people.entry(user.to_owned()).or_default();
        for calls in [&mut self.project, own] {
            while calls.front().is_some_and(|at| now.duration_since(*at) >= SPAN) {
                calls.pop_front();
            }
        }
        let own = self.people.entry(user.to_owned()).or_default();
        if self.project.len() >= self.limits.project_per_minute as usize {
            return Some(true);
        }
        if own.len() >= self.limits.user_per_minute as usize {
            return Some(false);
        }
        self.project.push_back(now);
        own.push_back(now);
        None
    }
}
