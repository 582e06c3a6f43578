//! What a changed configuration file means before anybody acts on it. Everything here is pure: settings come in as values,
//! changes and sentences go out. Reading the file, asking the database and the accounts is the commands' business.

mod compare;
mod follows;
mod masked;
pub mod show;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use serde_json::Value;

pub use compare::{Change, Path};
pub use follows::{Known, Note, follows, word};
pub use masked::masked;

use crate::config::Config;
use compare::{Leaves, compare};

/// The lists at the top of the file whose entries have names. An entry is what a plan groups its changes by.
pub const LISTS: [&str; 5] = ["connections", "sources", "integrations", "records", "calendars"];

/// From one file's settings to another's.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Every value that differs, once, by its place.
    pub changes: Vec<Change>,
    /// Names per list, before and after.
    before: BTreeSet<(String, String)>,
    after: BTreeSet<(String, String)>,
}

/// What becomes of an entry as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Added,
    Changed,
    Removed,
}

impl Plan {
    /// Compares settings as [`masked`] writes them. Nothing before is a file without anything.
    pub fn between(before: Option<&Value>, after: &Value) -> Self {
        let before = before.map(Leaves::of).unwrap_or_default();
        let after = Leaves::of(after);
        Self { changes: compare(&before, &after), before: entries(&before), after: entries(&after) }
    }

    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// The entries that change, with what becomes of them, in the file's order of lists; then everything else by its section.
    pub fn entries(&self) -> Vec<(Vec<String>, Fate)> {
        let mut all: Vec<(Vec<String>, Fate)> = Vec::new();
        for change in &self.changes {
            let entry = entry_of(&change.path);
            if !all.iter().any(|(known, _)| *known == entry) {
                let fate = self.fate(&entry);
                all.push((entry, fate));
            }
        }
        let place = |entry: &[String]| LISTS.iter().position(|list| *list == entry[0] && entry.len() == 2);
        all.sort_by_key(|(entry, _)| place(entry).unwrap_or(LISTS.len()));
        all
    }

    fn fate(&self, entry: &[String]) -> Fate {
        let [list, name] = entry else { return Fate::Changed };
        let key = (list.clone(), name.clone());
        match (self.before.contains(&key), self.after.contains(&key)) {
            (false, true) => Fate::Added,
            (true, false) => Fate::Removed,
            (true, true) | (false, false) => Fate::Changed,
        }
    }

    /// How many entries and sections there are of each fate.
    pub fn count(&self, fate: Fate) -> usize {
        self.entries().iter().filter(|(_, known)| *known == fate).count()
    }

    /// The changes of one entry.
    pub fn of<'a>(&'a self, entry: &'a [String]) -> impl Iterator<Item = &'a Change> {
        self.changes.iter().filter(move |change| entry_of(&change.path) == entry)
    }
}

/// What a settings text that was kept earlier says now: settings that came with a later version are what they are unless set.
pub fn kept(text: &str) -> Option<Value> {
    let value: Value = serde_json::from_str(text).ok()?;
    Some(serde_json::from_value::<Config>(value.clone()).map_or(value, |config| masked(&config)))
}

/// The list and the name of an entry, else the section, or the key itself.
fn entry_of(path: &Path) -> Vec<String> {
    let named = path.len() > 1 && LISTS.contains(&path[0].as_str());
    path[..if named { 2 } else { 1 }].to_vec()
}

fn entries(leaves: &Leaves) -> BTreeSet<(String, String)> {
    let paths = leaves.paths().map(entry_of);
    paths.filter_map(|entry| <[String; 2]>::try_from(entry).ok()).map(|[list, name]| (list, name)).collect()
}
