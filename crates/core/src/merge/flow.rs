//! What an admin decided about one integration: which kinds of records are pairs, which of them take part, what is made
//! and what is deleted.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Side,
    mark::Marks,
    row::Row,
    rule::{Kind, Rule, RuleKey},
};
use crate::{
    description::FieldKind,
    expr::{Datum, Expression, Scope},
    fit::value_of,
};

/// An integration that keeps records in step. Its pairs are tried in order: of several possible counterparts the one
/// of the earlier pair is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    pub pairs: Vec<PairSettings>,
}

/// Two kinds of records that are one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairSettings {
    /// The admin's name for it.
    pub name: String,
    pub left: KindSettings,
    pub right: KindSettings,
    /// In the order of their keys, each key once.
    pub rules: Vec<Rule>,
    /// Which records of the left side take part.
    pub select: Select,
    /// Conflicts are decided record by record: while this side has changed anything that is yet to be carried over, what
    /// the other side changed anywhere in the record is taken back (and logged). What is held back does not count. Consent
    /// and sets stay as they are.
    pub primary: Option<Side>,
    /// How records of the right side are marked, where they are.
    pub marks: Option<Marks>,
    /// Records of the left side are made where somebody asks for one: by a mark, or by a call.
    pub on_request: bool,
}

/// One side of a pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KindSettings {
    /// The vendor's own name.
    pub kind: String,
    /// Whether records that are only on the other side are made here.
    pub create: bool,
    /// What happens here to the counterpart of a record that was deleted on the other side.
    pub deleted: WhenDeleted,
    /// The field that tells when a record was made, where there is one.
    pub created: Option<String>,
    /// Further fields that the selection reads.
    pub read: Vec<String>,
}

/// Which records of the left side take part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Select {
    None,
    /// Those that were made since the integration was activated.
    New,
    /// Those for which this holds.
    Where(Expression),
    All,
}

/// What happens to the counterpart of a deleted record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhenDeleted {
    /// It stays, and is no longer kept in step.
    #[default]
    Detach,
    /// It is deleted, too, unless somebody has changed it since.
    Delete,
}

impl PairSettings {
    /// This side's settings.
    pub fn side(&self, side: Side) -> &KindSettings {
        match side {
            Side::Left => &self.left,
            Side::Right => &self.right,
        }
    }

    /// Whether its records are people, who are known by an address. Anything else, such as a deal, has none to be known by.
    pub fn is_of_people(&self) -> bool {
        let known = |rule: &Rule| {
            Side::BOTH.iter().any(|side| matches!(rule.end(*side).shape.kind, FieldKind::Email | FieldKind::Phone))
        };
        self.rules.iter().any(known)
    }

    /// Whether a counterpart may be made on this side at all.
    pub fn may_create(&self, side: Side) -> bool {
        self.side(side).create || (side == Side::Left && self.on_request)
    }

    /// The vendor's names of all fields that have to be read on this side.
    pub fn fields(&self, side: Side) -> BTreeSet<String> {
        let there = self.rules.iter().filter(|rule| rule.kind != Kind::Mark || side == Side::Right);
        let mapped = there.map(|rule| rule.end(side).field.clone());
        let settings = self.side(side);
        mapped.chain(settings.created.clone()).chain(settings.read.iter().cloned()).collect()
    }

    /// Whether the selection takes this record of the left side. An error of the criteria is told, and takes nothing.
    pub fn selects(&self, left: &Row, since: Option<Timestamp>) -> Result<bool, String> {
        match &self.select {
            Select::None => Ok(false),
            Select::All => Ok(true),
            Select::New => {
                let Some(field) = &self.left.created else {
                    return Err("this vendor does not tell when a record was made".to_owned());
                };
                match (left.get(&read_key(field)), since) {
                    (Some(crate::record::Value::Time(made)), Some(since)) => Ok(*made >= since),
                    _ => Ok(false),
                }
            }
            Select::Where(criteria) => {
                let known = |name: &String| left.get(&read_key(name)).map(|value| (name.clone(), value_of(value)));
                let mut scope = Scope::default();
                scope.set("record", Datum::map(self.left.read.iter().filter_map(known)));
                criteria.holds(&scope).map_err(|error| error.reason)
            }
        }
    }
}

/// The key under which images hold our own key of a record, on the side on which it was made.
pub fn own_key() -> RuleKey {
    RuleKey::of("\u{0}own", "")
}

/// The key under which a row holds when a rule's field changed, where that matters and the vendor tells.
pub fn time_key(rule: RuleKey) -> RuleKey {
    /// Any number will do: a key is a digest, so that no other rule's is met but by chance.
    const APART: u32 = 0x9e37_79b9;
    RuleKey(rule.0 ^ APART)
}

/// The key under which a row holds a field that no rule maps.
pub fn read_key(field: &str) -> RuleKey {
    RuleKey::of("", field)
}
