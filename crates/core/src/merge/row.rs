//! The merge of two records, field by field. No field waits for another.

use std::collections::BTreeMap;

use super::{
    Side,
    field::{Base, Conflict, Evidence, Hold, HoldKind, Merged, merge_field},
    rule::{Rule, RuleKey},
};
use crate::record::Value;

/// What a record shows of the mapped fields. A field that is not there is not shown, which is not blank.
pub type Row = BTreeMap<RuleKey, Value>;

/// The base of a link: per field what both sides last agreed on.
pub type Images = BTreeMap<RuleKey, Base>;

/// Both records as they stand.
#[derive(Clone, Copy, Debug)]
pub struct Pair<'a> {
    pub left: &'a Row,
    pub right: &'a Row,
}

/// One field of a record that is to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub key: RuleKey,
    pub target: Value,
    /// What stands there now.
    pub seen: Option<Value>,
    /// The base once it is written.
    pub after: Base,
}

/// What merging two records comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RowMerge {
    pub to_left: Vec<Change>,
    pub to_right: Vec<Change>,
    /// Bases that change without a write.
    pub adopted: Vec<(RuleKey, Base)>,
    pub conflicts: Vec<(RuleKey, Conflict)>,
    pub holds: Vec<(RuleKey, Hold)>,
}

impl RowMerge {
    /// Whether there is nothing to write.
    pub fn writes_nothing(&self) -> bool {
        self.to_left.is_empty() && self.to_right.is_empty()
    }
}

/// Merges two linked records. `evidence` is asked only about fields that are not as they were.
pub fn merge_rows(
    rules: &[Rule],
    base: &Images,
    now: Pair<'_>,
    mut evidence: impl FnMut(&Rule) -> Evidence,
) -> RowMerge {
    let mut out = RowMerge::default();
    for rule in rules {
        let (left, right) = (now.left.get(&rule.key), now.right.get(&rule.key));
        let agreed = base.get(&rule.key);
        let proof = evidence(rule);
        match merge_field(rule, agreed, left, right, proof) {
            Merged::Keep => {}
            Merged::Adopt(base) => {
                if agreed != Some(&base) {
                    out.adopted.push((rule.key, base));
                }
            }
            Merged::Hold(hold) => out.holds.push((rule.key, hold)),
            Merged::Write { to_left, to_right, after, conflict } => {
                out.conflicts.extend(conflict.map(|conflict| (rule.key, conflict)));
                for (target, seen, list) in [(to_left, left, &mut out.to_left), (to_right, right, &mut out.to_right)] {
                    if let Some(target) = target {
                        let (seen, after) = (seen.cloned(), after.clone());
                        list.push(Change { key: rule.key, target, seen, after });
                    }
                }
            }
        }
    }
    out
}

/// What a new record begins with, and what of it is held back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct First {
    pub values: Vec<Change>,
    pub holds: Vec<(RuleKey, Hold)>,
}

/// The values with which a record is made on `to`, and what of it cannot be taken over. A record without a value for a
/// field that must have one cannot be made at all: then the reason says which.
pub fn first_values(rules: &[Rule], to: Side, from: &Row) -> Result<First, Hold> {
    let First { mut values, mut holds } = First::default();
    for rule in rules {
        let end = rule.end(to);
        if !rule.direction.goes_to(to) || !end.shape.createable || end.shape.calculated {
            continue;
        }
        let Some(value) = from.get(&rule.key) else { continue };
        let own = rule.end(to.other()).normal(value).into_owned();
        let refused = match end.take(&own, rule.truncate) {
            Ok(Value::Null) => continue,
            Ok(target) => {
                let after = match to {
                    Side::Left => Base { left: target.clone(), right: own },
                    Side::Right => Base { left: own, right: target.clone() },
                };
                values.push(Change { key: rule.key, target, seen: None, after });
                continue;
            }
            Err(_) if own == Value::Null && !end.shape.required => continue,
            Err(misfit) => Hold { kind: HoldKind::Misfit, to: Some(to), reason: misfit.reason, fix: misfit.fix },
        };
        if end.shape.required {
            return Err(refused);
        }
        holds.push((rule.key, refused));
    }
    let lacking = rules.iter().find(|rule| {
        let end = rule.end(to);
        end.shape.required && end.shape.createable && !values.iter().any(|value| value.key == rule.key)
    });
    match lacking {
        Some(rule) => Err(Hold {
            kind: HoldKind::Misfit,
            to: Some(to),
            reason: format!("{} must have a value, and there is none", rule.end(to).field),
            fix: format!("fill in {}", rule.end(to.other()).field),
        }),
        None => Ok(First { values, holds }),
    }
}
