//! The merge of one field.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{
    Side,
    end::{entries, join},
    rule::{Blanks, Kind, Policy, Rule},
};
use crate::{fit::Misfit, record::Value};

/// What both sides last agreed on: each side's own form of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    pub left: Value,
    pub right: Value,
}

impl Base {
    /// This side's image.
    pub fn of(&self, side: Side) -> &Value {
        match side {
            Side::Left => &self.left,
            Side::Right => &self.right,
        }
    }
}

// One value where both are the same, which is nearly always.
impl Serialize for Base {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let right = (self.left != self.right).then_some(&self.right);
        match right {
            None => (&self.left,).serialize(serializer),
            Some(right) => (&self.left, right).serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Base {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut values = Vec::<Value>::deserialize(deserializer)?.into_iter();
        let left = values.next().ok_or_else(|| serde::de::Error::custom("an image without values"))?;
        let right = values.next().unwrap_or_else(|| left.clone());
        Ok(Self { left, right })
    }
}

/// What the vendors say of when a field changed, and whether somebody opted in on purpose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    pub left_at: Option<Timestamp>,
    pub right_at: Option<Timestamp>,
    /// The side on which somebody opted in by an act of their own, later than anything the other side says.
    pub opted_in: Option<Side>,
    /// A person decided for this side.
    pub decided: Option<Side>,
}

/// What is to be done about a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Merged {
    /// Nothing: nobody changed it, or somebody cannot see it.
    Keep,
    /// Both agree: this is the new base, and nothing is written.
    Adopt(Base),
    /// One side is told, or both where entries of a set travel each way.
    Write {
        to_left: Option<Value>,
        to_right: Option<Value>,
        /// The base once it is written.
        after: Base,
        conflict: Option<Conflict>,
    },
    /// It stays as it is on both sides until somebody acts.
    Hold(Hold),
}

/// Two changes that clashed, and who won.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conflict {
    pub winner: Side,
    pub left: Value,
    pub right: Value,
}

/// Why a field is held back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    pub kind: HoldKind,
    /// The side that cannot be told; both where a person has to choose.
    pub to: Option<Side>,
    pub reason: String,
    pub fix: String,
}

/// The cases that a hold's readers tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldKind {
    /// Both changed and a person is to decide.
    Conflict,
    /// Somebody seems to have opted in, without evidence.
    OptIn,
    /// A blank that may not travel.
    Blank,
    /// The other side cannot hold the value.
    Misfit,
    /// The vendor refused it.
    Refused,
}

/// Merges one field. `left` and `right` are what the sides hold now; absent where a side does not show the field, which
/// is never a change.
pub fn merge_field(
    rule: &Rule,
    base: Option<&Base>,
    left: Option<&Value>,
    right: Option<&Value>,
    evidence: Evidence,
) -> Merged {
    let (Some(left), Some(right)) = (left, right) else { return Merged::Keep };
    if let Some(base) = base
        && base.left == *left
        && base.right == *right
        && evidence.decided.is_none()
    {
        return Merged::Keep;
    }
    let (left, right) = (rule.left.normal(left), rule.right.normal(right));
    let now = Now { rule, base, left: &left, right: &right, evidence };
    let changed = (now.changed(Side::Left), now.changed(Side::Right));
    if changed == (false, false) && evidence.decided.is_none() {
        return Merged::Keep;
    }
    match rule.kind {
        Kind::Set => now.merge_set(),
        Kind::OptOut => now.merge_opt_out(changed),
        Kind::Plain => now.merge_plain(changed),
    }
}

/// A field as it stands, both sides in their normal form.
struct Now<'a> {
    rule: &'a Rule,
    base: Option<&'a Base>,
    left: &'a Value,
    right: &'a Value,
    evidence: Evidence,
}

impl Now<'_> {
    fn of(&self, side: Side) -> &Value {
        match side {
            Side::Left => self.left,
            Side::Right => self.right,
        }
    }

    fn changed(&self, side: Side) -> bool {
        self.base.is_none_or(|base| base.of(side) != self.of(side))
    }

    fn as_base(&self) -> Base {
        Base { left: self.left.clone(), right: self.right.clone() }
    }

    fn agree(&self) -> bool {
        let same = |from: Side| {
            let to = from.other();
            self.rule.end(to).take(self.of(from), self.rule.truncate).is_ok_and(|taken| taken == *self.of(to))
        };
        // One way is enough: the other may lose something.
        (self.left == &Value::Null && self.right == &Value::Null) || same(Side::Left) || same(Side::Right)
    }

    fn merge_plain(&self, changed: (bool, bool)) -> Merged {
        if let Some(decided) = self.evidence.decided {
            return self.carry(decided, None);
        }
        if self.agree() {
            return Merged::Adopt(self.as_base());
        }
        if self.base.is_none() && (self.left == &Value::Null || self.right == &Value::Null) {
            return self.fill_blank();
        }
        let changed_both = changed == (true, true);
        let allowed = |side: Side| self.rule.goes_to(side.other());
        // A blank that is not carried over does not compete with a value.
        let mute = |side: Side| {
            self.rule.blanks == Blanks::Ignore && self.of(side) == &Value::Null && self.of(side.other()) != &Value::Null
        };
        let says = |side: Side, changed: bool| changed && allowed(side) && !(changed_both && mute(side));
        let can = (says(Side::Left, changed.0), says(Side::Right, changed.1));
        let winner = match can {
            (false, false) => return Merged::Keep,
            (true, true) => match self.winner() {
                Some(winner) => winner,
                None => return self.hold_conflict(),
            },
            (true, false) => self.unless_preferred(Side::Left),
            (false, true) => self.unless_preferred(Side::Right),
        };
        let conflict = changed_both.then(|| Conflict { winner, left: self.left.clone(), right: self.right.clone() });
        self.carry(winner, conflict)
    }

    /// The first time that both are seen, a blank never wins over a value.
    fn fill_blank(&self) -> Merged {
        let from = if self.left == &Value::Null { Side::Right } else { Side::Left };
        if self.rule.goes_to(from.other()) { self.carry(from, None) } else { Merged::Adopt(self.as_base()) }
    }

    /// Who changed alone wins, unless the other side always does.
    fn unless_preferred(&self, alone: Side) -> Side {
        match self.rule.policy {
            Policy::PreferUnlessBlank(side)
                if side != alone && self.of(side) != &Value::Null && self.rule.goes_to(alone) =>
            {
                side
            }
            _ => alone,
        }
    }

    fn winner(&self) -> Option<Side> {
        let blank = |side: Side| self.of(side) == &Value::Null;
        Some(match self.rule.policy {
            Policy::Manual => return None,
            Policy::Prefer(side) => side,
            Policy::PreferUnlessBlank(side) => {
                // Emptying the preferred side is a change like any other; with no base nobody emptied anything.
                if blank(side) && self.base.is_none_or(|base| base.of(side) == &Value::Null) {
                    side.other()
                } else {
                    side
                }
            }
            Policy::NonBlank(side) => {
                if blank(side) {
                    side.other()
                } else {
                    side
                }
            }
            Policy::Newest(tie) => match (self.evidence.left_at, self.evidence.right_at) {
                (Some(left), Some(right)) if left > right => Side::Left,
                (Some(left), Some(right)) if right > left => Side::Right,
                _ => tie,
            },
        })
    }

    /// Brings the winner's value to the other side.
    fn carry(&self, from: Side, conflict: Option<Conflict>) -> Merged {
        let to = from.other();
        let value = self.of(from);
        if value == &Value::Null && self.of(to) != &Value::Null {
            match self.rule.blanks {
                Blanks::Propagate => {}
                Blanks::Ignore => return Merged::Adopt(self.as_base()),
                Blanks::Refuse => {
                    return Merged::Hold(Hold {
                        kind: HoldKind::Blank,
                        to: Some(to),
                        reason: format!("{} was emptied, and blanks of it are not carried over", self.field(from)),
                        fix: "fill it in again, or decide for one side".to_owned(),
                    });
                }
            }
        }
        match self.rule.end(to).take(value, self.rule.truncate) {
            Ok(target) if target == *self.of(to) => Merged::Adopt(self.as_base()),
            Ok(target) => self.write(to, target, conflict),
            Err(misfit) => self.misfit(to, misfit),
        }
    }

    fn write(&self, to: Side, target: Value, conflict: Option<Conflict>) -> Merged {
        match to {
            Side::Left => Merged::Write {
                after: Base { left: target.clone(), right: self.right.clone() },
                to_left: Some(target),
                to_right: None,
                conflict,
            },
            Side::Right => Merged::Write {
                after: Base { left: self.left.clone(), right: target.clone() },
                to_left: None,
                to_right: Some(target),
                conflict,
            },
        }
    }

    fn misfit(&self, to: Side, misfit: Misfit) -> Merged {
        Merged::Hold(Hold { kind: HoldKind::Misfit, to: Some(to), reason: misfit.reason, fix: misfit.fix })
    }

    fn field(&self, side: Side) -> &str {
        &self.rule.end(side).field
    }

    fn hold_conflict(&self) -> Merged {
        Merged::Hold(Hold {
            kind: HoldKind::Conflict,
            to: None,
            reason: format!("{} and {} were both changed", self.field(Side::Left), self.field(Side::Right)),
            fix: "decide for one side (`syncline records resolve`)".to_owned(),
        })
    }

    /// Each side gets what was added on the other, and loses what was taken away there.
    fn merge_set(&self) -> Merged {
        let set = |value: &Value| match value {
            Value::Text(text) => entries(text),
            _ => BTreeSet::new(),
        };
        let told = |to: Side| -> Result<Option<Value>, Misfit> {
            let from = to.other();
            if !self.rule.goes_to(to) {
                return Ok(None);
            }
            let (now, before) = (set(self.of(from)), self.base.map_or_else(BTreeSet::new, |base| set(base.of(from))));
            let taken = |entries: BTreeSet<String>| {
                let value = if entries.is_empty() { Value::Null } else { Value::Text(join(&entries)) };
                // Whether an empty set may stand there is asked of the whole.
                if entries.is_empty() { Ok(value) } else { self.rule.end(to).take(&value, self.rule.truncate) }
            };
            let added = set(&taken(now.difference(&before).cloned().collect())?);
            let gone = set(&taken(before.difference(&now).cloned().collect())?);
            let own = set(self.of(to));
            let merged: BTreeSet<String> = own.union(&added).filter(|entry| !gone.contains(*entry)).cloned().collect();
            let target = if merged.is_empty() { Value::Null } else { Value::Text(join(&merged)) };
            Ok((target != *self.of(to)).then_some(target))
        };
        let (to_left, to_right) = match (told(Side::Left), told(Side::Right)) {
            (Err(misfit), _) => return self.misfit(Side::Left, misfit),
            (_, Err(misfit)) => return self.misfit(Side::Right, misfit),
            (Ok(left), Ok(right)) => (left, right),
        };
        if to_left.is_none() && to_right.is_none() {
            return Merged::Adopt(self.as_base());
        }
        let after = Base {
            left: to_left.clone().unwrap_or_else(|| self.left.clone()),
            right: to_right.clone().unwrap_or_else(|| self.right.clone()),
        };
        Merged::Write { to_left, to_right, after, conflict: None }
    }

    /// Out beats in, whichever side says it; in is only believed with evidence.
    fn merge_opt_out(&self, changed: (bool, bool)) -> Merged {
        let out = |side: Side| self.of(side) == &Value::Bool(true);
        if out(Side::Left) == out(Side::Right) {
            return Merged::Adopt(self.as_base());
        }
        let (says_out, says_in) = if out(Side::Left) { (Side::Left, Side::Right) } else { (Side::Right, Side::Left) };
        let side_changed = |side: Side| if side == Side::Left { changed.0 } else { changed.1 };
        let proven = self.evidence.opted_in == Some(says_in) && side_changed(says_in);
        let believed = proven || self.evidence.decided == Some(says_in);
        if side_changed(says_in) && !side_changed(says_out) && !believed {
            return Merged::Hold(Hold {
                kind: HoldKind::OptIn,
                to: Some(says_out),
                reason: format!(
                    "{} was taken back while {} still stands, and nothing shows that the person asked for it",
                    self.field(says_in),
                    self.field(says_out)
                ),
                fix: "decide for one side, if you have the person's consent".to_owned(),
            });
        }
        let from = if believed { says_in } else { says_out };
        if !self.rule.goes_to(from.other()) {
            return Merged::Keep;
        }
        match self.rule.end(from.other()).take(self.of(from), false) {
            Ok(target) if target == *self.of(from.other()) => Merged::Adopt(self.as_base()),
            Ok(target) => self.write(from.other(), target, None),
            Err(misfit) => self.misfit(from.other(), misfit),
        }
    }
}
