//! What an admin decided about one pair of fields: where values may go, who wins, what becomes of blanks.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{End, Side};

/// A stable name of a pair of fields: 32 bits of a digest of both names, so that stored images survive any change of
/// the mapping around them. Two rules of one mapping never share one; the check on save refuses that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RuleKey(pub u32);

impl RuleKey {
    /// The key of a pair of fields, by the vendors' own names.
    pub fn of(left: &str, right: &str) -> Self {
        let mut hasher = Sha256::new();
        hasher.update((left.len() as u64).to_be_bytes());
        hasher.update(left.as_bytes());
        hasher.update(right.as_bytes());
        let digest = hasher.finalize();
        Self(u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]))
    }
}

/// One row of a mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    pub key: RuleKey,
    pub left: End,
    pub right: End,
    pub kind: Kind,
    pub direction: Direction,
    pub policy: Policy,
    pub blanks: Blanks,
    /// Cut a text that is too long instead of refusing it.
    pub truncate: bool,
    /// Fields that only make sense together, as street and city: where both sides changed any of them, one side wins
    /// all of them, and what holds one back holds back the others.
    pub group: Option<u16>,
}

impl Rule {
    /// This side's field.
    pub fn end(&self, side: Side) -> &End {
        match side {
            Side::Left => &self.left,
            Side::Right => &self.right,
        }
    }

    /// Whether values may go to this side: the direction allows it, and the field can be written.
    pub fn goes_to(&self, side: Side) -> bool {
        self.direction.goes_to(side) && self.end(side).writable()
    }
}

/// How a value changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// As a whole.
    Plain,
    /// Entry by entry: tags, lists, several choices.
    Set,
    /// True where somebody opted out. Opting out always wins; opting in needs evidence.
    OptOut,
    /// Entries that we set on the right side to tell where a record came from ([`super::Marks`]).
    Mark,
}

/// Where values may go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    #[default]
    Both,
    ToLeft,
    ToRight,
    Off,
}

impl Direction {
    /// Whether values may go to this side.
    pub fn goes_to(self, side: Side) -> bool {
        match (self, side) {
            (Direction::Both, _) | (Direction::ToLeft, Side::Left) | (Direction::ToRight, Side::Right) => true,
            (Direction::ToLeft, Side::Right) | (Direction::ToRight, Side::Left) | (Direction::Off, _) => false,
        }
    }

    /// What both allow.
    pub fn and(self, other: Direction) -> Direction {
        match (self, other) {
            (Direction::Both, one) | (one, Direction::Both) => one,
            (one, two) if one == two => one,
            _ => Direction::Off,
        }
    }
}

/// Who wins where both sides changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// This side.
    Prefer(Side),
    /// The later change, by the vendors' own times; where they do not tell, this side.
    Newest(Side),
    /// This side, always, as long as it has a value: what is written on the other side beside it is taken back.
    PreferUnlessBlank(Side),
    /// The side that has a value; where both have, this one.
    NonBlank(Side),
    /// Nobody, until a person decides.
    Manual,
}

/// What becomes of a value that was emptied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Blanks {
    /// It is emptied on the other side, too.
    #[default]
    Propagate,
    /// The other side keeps its value.
    Ignore,
    /// It is held back and shown to a person.
    Refuse,
}
