//! What a search asks of records: filters, understood against the properties they name.

use serde_json::{Map, Value};

use super::super::{
    error::{Detail, Failure},
    schema::{Kind, ObjectType, PropNo, multiple},
    time::parse,
    world::{Record, Slot, Table},
};
use super::id_of;

/// Groups, filters of a group, and all filters of a search ("Search the CRM", read 2026-11).
const MAX_GROUPS: usize = 5;
const MAX_IN_GROUP: usize = 6;
const MAX_FILTERS: usize = 18;

/// What a value is compared as.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Key {
    Number(f64),
    Text(String),
}

impl Key {
    pub(super) fn order(&self, other: &Self) -> std::cmp::Ordering {
        match (self, other) {
            (Self::Number(one), Self::Number(two)) => one.total_cmp(two),
            (Self::Text(one), Self::Text(two)) => one.cmp(two),
            (Self::Number(_), Self::Text(_)) => std::cmp::Ordering::Less,
            (Self::Text(_), Self::Number(_)) => std::cmp::Ordering::Greater,
        }
    }
}

/// A property as searches compare it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Subject {
    Id,
    Modified,
    Created,
    Property(PropNo, Kind),
}

impl Subject {
    pub(super) fn new(kind: &ObjectType, name: &str) -> Option<Self> {
        let prop = kind.find(name)?;
        Some(match name {
            "hs_object_id" => Self::Id,
            _ if name == kind.modified_name => Self::Modified,
            _ if name == kind.created_name => Self::Created,
            _ => Self::Property(prop, kind.property(prop).kind),
        })
    }

    fn read(self, text: &str) -> Option<Key> {
        let number = |number: f64| Key::Number(number);
        match self {
            Self::Id | Self::Property(_, Kind::Number) => text.trim().parse().ok().map(number),
            Self::Modified | Self::Created | Self::Property(_, Kind::Date | Kind::DateTime) => {
                parse(text.trim()).map(|ms| number(ms as f64))
            }
            Self::Property(..) => Some(Key::Text(text.to_lowercase())),
        }
    }

    pub(super) fn of(self, row: &Record) -> Option<Key> {
        match self {
            Self::Id => Some(Key::Number(row.id as f64)),
            Self::Modified => Some(Key::Number(row.updated as f64)),
            Self::Created => Some(Key::Number(row.created as f64)),
            Self::Property(prop, _) => self.read(row.get(prop)?),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Test {
    Eq,
    Neq,
    Lt,
    Lte,
    Gt,
    Gte,
    Between,
    In,
    NotIn,
    Has,
    HasNot,
    Token,
    NotToken,
}

impl Test {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "EQ" => Self::Eq,
            "NEQ" => Self::Neq,
            "LT" => Self::Lt,
            "LTE" => Self::Lte,
            "GT" => Self::Gt,
            "GTE" => Self::Gte,
            "BETWEEN" => Self::Between,
            "IN" => Self::In,
            "NOT_IN" => Self::NotIn,
            "HAS_PROPERTY" => Self::Has,
            "NOT_HAS_PROPERTY" => Self::HasNot,
            "CONTAINS_TOKEN" => Self::Token,
            "NOT_CONTAINS_TOKEN" => Self::NotToken,
            _ => return None,
        })
    }
}

/// One filter.
#[derive(Debug)]
pub(super) struct Filter {
    subject: Subject,
    test: Test,
    values: Vec<Key>,
    texts: Vec<String>,
}

fn wrong(name: &str, message: String) -> Failure {
    let details = vec![Detail { message: message.clone(), code: "INVALID_FILTER", property: name.to_owned() }];
    Failure { details, ..Failure::invalid(format!("There was a problem with the request. {message}")) }
}

impl Filter {
    fn read(kind: &ObjectType, given: &Map<String, Value>) -> Result<Self, Failure> {
        let text = |name: &str| given.get(name).and_then(id_of);
        let name = text("propertyName").unwrap_or_default();
        let subject =
            Subject::new(kind, &name).ok_or_else(|| wrong(&name, format!("Property \"{name}\" does not exist")))?;
        let operator = text("operator").unwrap_or_default();
        let test = Test::named(&operator).ok_or_else(|| wrong(&name, format!("\"{operator}\" is not an operator")))?;
        let texts: Vec<String> = match test {
            Test::In | Test::NotIn => {
                let values = given.get("values").and_then(Value::as_array);
                values.into_iter().flatten().filter_map(id_of).collect()
            }
            Test::Between => [text("value"), text("highValue")].into_iter().flatten().collect(),
            Test::Has | Test::HasNot => Vec::new(),
            _ => text("value").into_iter().collect(),
        };
        let enough = match test {
            Test::Has | Test::HasNot => true,
            Test::Between => texts.len() == 2,
            _ => !texts.is_empty(),
        };
        let values: Vec<Key> = texts.iter().filter_map(|text| subject.read(text)).collect();
        if !enough || values.len() < texts.len() {
            return Err(wrong(&name, format!("The values for \"{name}\" do not fit {operator}")));
        }
        Ok(Self { subject, test, values, texts })
    }

    fn accepts(&self, row: &Record) -> bool {
        use std::cmp::Ordering::{Equal, Greater, Less};
        let key = self.subject.of(row);
        let is = |key: &Key, value: &Key| -> bool {
            key == value
                || matches!((key, value, self.subject), (Key::Text(all), Key::Text(one), Subject::Property(_, Kind::Choice))
                    if all.contains(';') && multiple(all).any(|part| part == one))
        };
        let Some(key) = key else {
            return matches!(self.test, Test::Neq | Test::NotIn | Test::HasNot | Test::NotToken);
        };
        let first = || self.values.first().map(|value| key.order(value));
        match self.test {
            Test::Eq => self.values.iter().any(|value| is(&key, value)),
            Test::In => self.values.iter().any(|value| is(&key, value)),
            Test::Neq | Test::NotIn => !self.values.iter().any(|value| is(&key, value)),
            Test::Lt => first() == Some(Less),
            Test::Lte => matches!(first(), Some(Less | Equal)),
            Test::Gt => first() == Some(Greater),
            Test::Gte => matches!(first(), Some(Greater | Equal)),
            Test::Between => match self.values.as_slice() {
                [low, high] => key.order(low) != Less && key.order(high) != Greater,
                _ => false,
            },
            Test::Has => true,
            Test::HasNot => false,
            Test::Token => self.holds(&key),
            Test::NotToken => !self.holds(&key),
        }
    }

    /// Words of a text are told apart by everything that is neither letter nor digit; `*` stands for anything at either
    /// end of a word.
    fn holds(&self, key: &Key) -> bool {
        let Key::Text(text) = key else { return self.values.first() == Some(key) };
        let words = |text: &str| -> Vec<String> {
            let split = text.split(|one: char| !one.is_alphanumeric() && one != '*');
            split.filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
        };
        let (have, want) = (words(text), words(self.texts.first().map_or("", String::as_str)));
        let fits = |word: &String, want: &String| match (want.strip_prefix('*'), want.strip_suffix('*')) {
            (Some(_), Some(_)) => word.contains(want.trim_matches('*')),
            (Some(end), None) => word.ends_with(end),
            (None, Some(start)) => word.starts_with(start),
            (None, None) => word == want,
        };
        !want.is_empty() && want.iter().all(|want| have.iter().any(|word| fits(word, want)))
    }

    fn numbers(&self) -> Option<(i64, i64)> {
        let number = |place: usize| match self.values.get(place) {
            Some(Key::Number(number)) => Some(*number as i64),
            _ => None,
        };
        Some(match self.test {
            Test::Eq => (number(0)?, number(0)?),
            Test::Lt | Test::Lte => (i64::MIN, number(0)?),
            Test::Gt | Test::Gte => (number(0)?, i64::MAX),
            Test::Between => (number(0)?, number(1)?),
            _ => return None,
        })
    }

    /// Records among which those that fit must be, if an index can tell; smaller ranks are better.
    fn narrow(&self, kind: &ObjectType, table: &Table) -> Option<(u8, Vec<Slot>)> {
        match self.subject {
            Subject::Id if matches!(self.test, Test::Eq | Test::In) => {
                let found = self.texts.iter().filter_map(|text| table.find(text.parse().ok()?));
                Some((0, found.collect()))
            }
            Subject::Id => {
                let (low, high) = self.numbers()?;
                let from = table.after(u64::try_from(low.saturating_sub(1)).unwrap_or(0));
                let until = table.after(u64::try_from(high).unwrap_or(0));
                Some((2, (from as Slot..until as Slot).collect()))
            }
            Subject::Modified => {
                let (low, high) = self.numbers()?;
                Some((1, table.changed_between(low, high).collect()))
            }
            Subject::Property(prop, _) if kind.property(prop).unique && matches!(self.test, Test::Eq | Test::In) => {
                let both =
                    |text: &String| [table.find_unique(prop, text), table.find_unique(prop, &text.to_lowercase())];
                Some((0, self.texts.iter().flat_map(both).flatten().collect()))
            }
            _ => None,
        }
    }
}

/// All filters of a search: one group must fit, with all its filters.
#[derive(Debug, Default)]
pub(super) struct Filters {
    groups: Vec<Vec<Filter>>,
}

impl Filters {
    pub(super) fn read(kind: &ObjectType, body: &Map<String, Value>) -> Result<Self, Failure> {
        let mut groups = Vec::new();
        for group in body.get("filterGroups").and_then(Value::as_array).into_iter().flatten() {
            let filters = group.get("filters").and_then(Value::as_array).into_iter().flatten();
            let filters = filters.filter_map(Value::as_object).map(|given| Filter::read(kind, given));
            groups.push(filters.collect::<Result<Vec<_>, _>>()?);
        }
        let all: usize = groups.iter().map(Vec::len).sum();
        if groups.len() > MAX_GROUPS || all > MAX_FILTERS || groups.iter().any(|group| group.len() > MAX_IN_GROUP) {
            return Err(Failure::invalid(format!(
                "A search has at most {MAX_GROUPS} groups of {MAX_IN_GROUP} filters, and {MAX_FILTERS} filters"
            )));
        }
        Ok(Self { groups })
    }

    pub(super) fn accept(&self, row: &Record) -> bool {
        self.groups.is_empty() || self.groups.iter().any(|group| group.iter().all(|filter| filter.accepts(row)))
    }

    /// Records among which all that fit must be; `None`: any.
    pub(super) fn candidates(&self, kind: &ObjectType, table: &Table) -> Option<Vec<Slot>> {
        if self.groups.is_empty() {
            return None;
        }
        let mut all = Vec::new();
        for group in &self.groups {
            let best = group.iter().filter_map(|filter| filter.narrow(kind, table)).min_by_key(|(rank, _)| *rank)?;
            all.extend(best.1);
        }
        // What an index knows is of now; what a search sees of these is older.
        all.extend(table.lagging());
        all.sort_unstable();
        all.dedup();
        Some(all)
    }
}
