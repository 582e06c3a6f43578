//! Settings as places with values, and what differs between two of them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::LISTS;

/// Where a value stands: keys, and the names of entries in lists of tables.
pub type Path = Vec<String>;

/// What tells the tables of one list apart, the first that all of these keys are there of; else it is their place.
const NAMED_BY: [&[&str]; 6] =
    [&["name"], &["match"], &["left", "right"], &["on", "field"], &["field"], &["connection"]];

/// Settings without their nesting.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Leaves {
    pub(super) values: BTreeMap<Path, Value>,
    /// The order in lists of tables where it may matter: everywhere but at the top of the file.
    pub(super) orders: BTreeMap<Path, Vec<String>>,
}

/// A value that differs. A list of tables in which entries changed places differs in the order of their names.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    pub path: Path,
    /// Nothing where it was not set.
    pub before: Option<Value>,
    /// Nothing where it is no longer set.
    pub after: Option<Value>,
}

impl Leaves {
    pub(super) fn of(settings: &Value) -> Self {
        let mut leaves = Self::default();
        leaves.take(&mut Vec::new(), settings);
        leaves
    }

    pub(super) fn paths(&self) -> impl Iterator<Item = &Path> {
        self.values.keys()
    }

    fn take(&mut self, path: &mut Path, value: &Value) {
        match value {
            // What is not set is not there, and so is a table without anything.
            Value::Null => {}
            Value::Object(table) => self.table(path, table),
            Value::Array(list) if list.is_empty() && is_list_of_tables(path) => {}
            Value::Array(list) if !list.is_empty() && list.iter().all(Value::is_object) => {
                let names = names(list);
                for (name, value) in names.iter().zip(list) {
                    self.below(path, name, value);
                }
                if path.len() > 1 {
                    self.orders.insert(path.clone(), names);
                }
            }
            value => {
                self.values.insert(path.clone(), value.clone());
            }
        }
    }

    fn table(&mut self, path: &mut Path, table: &Map<String, Value>) {
        for (key, value) in table {
            self.below(path, key, value);
        }
    }

    fn below(&mut self, path: &mut Path, key: &str, value: &Value) {
        path.push(key.to_owned());
        self.take(path, value);
        path.pop();
    }
}

/// Whether a list that is empty would hold tables otherwise: then nothing is what it is unless set.
fn is_list_of_tables(path: &Path) -> bool {
    let last = path.last().map(String::as_str);
    last == Some("meeting_types") || path.len() == 1 && last.is_some_and(|key| LISTS.contains(&key))
}

/// A name for each table of a list, no two the same.
fn names(list: &[Value]) -> Vec<String> {
    let mut names: Vec<String> = Vec::with_capacity(list.len());
    for (place, value) in list.iter().enumerate() {
        let text = |key: &&str| value.get(*key).and_then(Value::as_str).map(str::to_owned);
        let words = NAMED_BY.iter().find_map(|keys| keys.iter().map(text).collect::<Option<Vec<String>>>());
        let name = words.map_or_else(|| format!("#{}", place + 1), |words| words.join(" ↔ "));
        let numbered = (2..).map(|number| format!("{name} #{number}"));
        let free = std::iter::once(name.clone()).chain(numbered).find(|name| !names.contains(name));
        names.push(free.expect("numbers do not end"));
    }
    names
}

/// Every value that differs, once, by its place.
pub(super) fn compare(before: &Leaves, after: &Leaves) -> Vec<Change> {
    let places: BTreeSet<&Path> = before.values.keys().chain(after.values.keys()).collect();
    let values = places.into_iter().filter_map(|path| {
        let (old, new) = (before.values.get(path), after.values.get(path));
        (old != new).then(|| Change { path: path.clone(), before: old.cloned(), after: new.cloned() })
    });
    let orders = before.orders.iter().filter_map(|(path, old)| {
        let new = after.orders.get(path)?;
        // Of entries that come or go nobody can say that they changed places.
        let stays = |name: &&String| old.contains(name) && new.contains(name);
        let (old, new): (Vec<&String>, Vec<&String>) =
            (old.iter().filter(stays).collect(), new.iter().filter(stays).collect());
        let list = |names: Vec<&String>| Some(Value::from(names.into_iter().cloned().collect::<Vec<_>>()));
        (old != new).then(|| Change { path: path.clone(), before: list(old), after: list(new) })
    });
    let mut changes: Vec<Change> = values.chain(orders).collect();
    changes.sort_by(|one, other| one.path.cmp(&other.path));
    changes
}
