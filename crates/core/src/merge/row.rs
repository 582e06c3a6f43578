//! The merge of two records, field by field. No field waits for another.

use std::collections::BTreeMap;

use super::{
    Side,
    base::{Base, Told},
    consent::{Consent, OptedIn, Proof},
    field::{Changed, Conflict, Evidence, Hold, HoldKind, Merged, merge_field},
    refused::payload_digest,
    rule::{Direction, Kind, Policy, Rule, RuleKey},
    set::{named_entries, set_value},
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

impl<'a> Pair<'a> {
    /// This side's.
    pub(super) fn of(&self, side: Side) -> &'a Row {
        match side {
            Side::Left => self.left,
            Side::Right => self.right,
        }
    }
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
    /// Opting in that is carried over, and what shows it.
    pub opted_in: Vec<(RuleKey, OptedIn)>,
    pub holds: Vec<(RuleKey, Hold)>,
    /// Fields for which a person's decision has done its work and is to be forgotten, so that it never decides about
    /// what is changed later. A decision that leads to a write is to be forgotten when that write is done.
    pub settled: Vec<RuleKey>,
}

impl RowMerge {
    /// Whether there is nothing to write.
    pub fn writes_nothing(&self) -> bool {
        self.to_left.is_empty() && self.to_right.is_empty()
    }

    /// Takes back writes of fields that may not go alone, and what was said of them.
    fn hold_back(&mut self, mut why: impl FnMut(Side, &Change) -> Option<Hold>) {
        let Self { to_left, to_right, holds, conflicts, opted_in, .. } = self;
        let mut held = Vec::new();
        for (side, changes) in [(Side::Left, &mut *to_left), (Side::Right, &mut *to_right)] {
            changes.retain(|change| match why(side, change) {
                Some(hold) => {
                    held.push((change.key, hold));
                    false
                }
                None => true,
            });
        }
        let written = |key: RuleKey| to_left.iter().chain(to_right.iter()).any(|change| change.key == key);
        let goes = |key: RuleKey| written(key) || !held.iter().any(|(held, _)| *held == key);
        conflicts.retain(|(key, _)| goes(*key));
        opted_in.retain(|(key, _)| goes(*key));
        holds.append(&mut held);
    }

    /// Values that were refused for good are not sent again until they change.
    fn hold_refused(&mut self, refused: &[(RuleKey, u64)]) {
        if refused.is_empty() {
            return;
        }
        self.hold_back(|side, change| {
            let is_it = |(key, digest): &(RuleKey, u64)| {
                *key == change.key && *digest == payload_digest(side, change.key, &change.target)
            };
            refused.iter().any(is_it).then(|| Hold {
                kind: HoldKind::Refused,
                to: Some(side),
                reason: "the vendor refused this value before".to_owned(),
                fix: "change the value, or try again once the reason is mended".to_owned(),
            })
        });
    }

    /// A group of fields goes as a whole or not at all.
    fn keep_groups(&mut self, rules: &[Rule]) {
        if self.holds.is_empty() {
            return;
        }
        let rule_of = |key: RuleKey| rules.iter().find(|rule| rule.key == key);
        let stuck: Vec<(u16, &Rule)> = self
            .holds
            .iter()
            .filter_map(|(key, _)| rule_of(*key))
            .filter_map(|rule| Some((rule.group?, rule)))
            .collect();
        self.hold_back(|side, change| {
            let group = rule_of(change.key)?.group?;
            let (_, first) = stuck.iter().find(|(held, _)| *held == group)?;
            Some(Hold {
                kind: HoldKind::Misfit,
                to: Some(side),
                reason: format!("it goes together with {}, which is held back", first.end(side).field),
                fix: format!("see {}", first.end(side).field),
            })
        });
    }

    fn add(&mut self, key: RuleKey, merged: Merged, before: Option<&Base>, now: [Option<&Value>; 2]) {
        match merged {
            Merged::Keep => {}
            Merged::Adopt(base) => {
                if before != Some(&base) {
                    self.adopted.push((key, base));
                }
            }
            Merged::Leave { base, conflict } => {
                self.adopted.push((key, base));
                self.conflicts.push((key, conflict));
            }
            Merged::Hold(hold) => self.holds.push((key, hold)),
            Merged::Write { to_left, to_right, after, conflict } => {
                self.conflicts.extend(conflict.map(|conflict| (key, conflict)));
                let [left, right] = now;
                let change = |target, seen: Option<&Value>, after| Change { key, target, seen: seen.cloned(), after };
                match (to_left, to_right) {
                    (Some(to_left), Some(to_right)) => {
                        self.to_left.push(change(to_left, left, after.clone()));
                        self.to_right.push(change(to_right, right, after));
                    }
                    (Some(target), None) => self.to_left.push(change(target, left, after)),
                    (None, Some(target)) => self.to_right.push(change(target, right, after)),
                    (None, None) => {}
                }
            }
        }
    }
}

/// Merges two linked records. `primary` wins the whole record while it has anything to carry over
/// ([`PairSettings::primary`]); `evidence` is asked about every field.
///
/// [`PairSettings::primary`]: super::PairSettings::primary
pub fn merge_rows(
    rules: &[Rule],
    primary: Option<Side>,
    base: &Images,
    now: Pair<'_>,
    evidence: impl FnMut(&Rule) -> Evidence,
) -> RowMerge {
    merge_unrefused(rules, primary, base, now, &[], evidence)
}

/// The same, where these values were refused for good: they are not sent again until they change.
pub(super) fn merge_unrefused(
    rules: &[Rule],
    primary: Option<Side>,
    base: &Images,
    now: Pair<'_>,
    refused: &[(RuleKey, u64)],
    mut evidence: impl FnMut(&Rule) -> Evidence,
) -> RowMerge {
    let fields = Fields { rules, base, now };
    if let Some(side) = primary.filter(|side| fields.changed(|_| true, *side)) {
        let merge = fields.merge(primary, refused, &mut evidence);
        // What is held back is not carried over, so that it takes nothing back either.
        if fields.carries(&merge, side) {
            return merge;
        }
    }
    fields.merge(None, refused, &mut evidence)
}

/// All fields of a link.
struct Fields<'a> {
    rules: &'a [Rule],
    base: &'a Images,
    now: Pair<'a>,
}

impl Fields<'_> {
    /// `primary` wins the whole record.
    fn merge(
        &self,
        primary: Option<Side>,
        refused: &[(RuleKey, u64)],
        mut evidence: impl FnMut(&Rule) -> Evidence,
    ) -> RowMerge {
        let Self { rules, base, now } = *self;
        let mut out = RowMerge::default();
        for rule in rules {
            let (left, right) = (now.left.get(&rule.key), now.right.get(&rule.key));
            let agreed = base.get(&rule.key);
            let mut proof = evidence(rule);
            if rule.kind == Kind::Plain {
                match primary.map(GroupWinner::Side).or_else(|| self.group_winner(rule, proof)) {
                    Some(GroupWinner::Side(side)) => proof.forced = Some(side),
                    Some(GroupWinner::Nobody) => proof.torn = true,
                    None => {}
                }
            }
            let consent = (rule.kind == Kind::OptOut).then(|| Consent::of(rule, base, now, proof)).flatten();
            if let Some(consent) = &consent {
                proof.opted_in = consent.proof();
                out.adopted.extend(consent.kept());
            }
            let merged = merge_field(rule, agreed, left, right, proof);
            if let Some(consent) = consent
                && proof.opted_in == Proof::Later
                && proof.decided.is_none()
                && matches!(merged, Merged::Write { .. })
            {
                out.opted_in.extend(consent.opted_in().map(|shown| (rule.key, shown)));
            }
            let done = matches!(merged, Merged::Keep | Merged::Adopt(_) | Merged::Leave { .. });
            if proof.decided.is_some() && done && left.is_some() && right.is_some() {
                out.settled.push(rule.key);
            }
            out.add(rule.key, merged, agreed, [left, right]);
        }
        out.hold_refused(refused);
        out.keep_groups(rules);
        out
    }

    /// Whether anything goes over that this side changed.
    fn carries(&self, merge: &RowMerge, side: Side) -> bool {
        let out = if side == Side::Left { &merge.to_right } else { &merge.to_left };
        out.iter().any(|change| self.changed(|rule| rule.key == change.key, side))
    }

    /// Whether a side changed any of these fields as a whole, in a way that may be carried over.
    fn changed(&self, among: impl Fn(&Rule) -> bool, side: Side) -> bool {
        let plain = self.rules.iter().filter(|rule| rule.kind == Kind::Plain && among(rule));
        plain.filter(|rule| rule.goes_to(side.other())).any(|rule| {
            let (left, right) = (self.now.left.get(&rule.key), self.now.right.get(&rule.key));
            Changed::shown(rule, self.base.get(&rule.key), left, right).is_some_and(|changed| changed.on(side))
        })
    }

    /// Who wins a group of fields in which both sides changed something: whom the policy of its first field names.
    fn group_winner(&self, rule: &Rule, evidence: Evidence) -> Option<GroupWinner> {
        let group = rule.group?;
        let in_group = |rule: &Rule| rule.group == Some(group);
        if !self.changed(in_group, Side::Left) || !self.changed(in_group, Side::Right) {
            return None;
        }
        let first = self.rules.iter().find(|rule| rule.kind == Kind::Plain && in_group(rule))?;
        Some(match first.policy {
            Policy::Prefer(side) | Policy::PreferUnlessBlank(side) | Policy::NonBlank(side) => GroupWinner::Side(side),
            Policy::Newest(tie) => GroupWinner::Side(evidence.later().unwrap_or(tie)),
            Policy::Manual => GroupWinner::Nobody,
        })
    }
}

/// Of fields that belong together.
enum GroupWinner {
    Side(Side),
    /// A person has to decide.
    Nobody,
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
    if let Some(rule) = rules.iter().find(|rule| loses_opt_out(rule, to, from)) {
        return Err(Hold {
            kind: HoldKind::OptIn,
            to: Some(to),
            reason: format!(
                "the person opted out, and {} cannot be told so when the record is made",
                rule.end(to).field
            ),
            fix: "map consent into a field that can be written".to_owned(),
        });
    }
    let First { mut values, mut holds } = First::default();
    for rule in rules {
        let end = rule.end(to);
        if !rule.direction.goes_to(to) || !end.shape.createable || end.shape.calculated {
            continue;
        }
        let Some(value) = from.get(&rule.key) else { continue };
        let own = rule.end(to.other()).normal(value).into_owned();
        let taken = match rule.kind {
            Kind::Set | Kind::Mark => named_entries(end, &own).and_then(|entries| set_value(end, &entries)),
            Kind::Plain | Kind::OptOut => end.take(&own, rule.truncate),
        };
        let refused = match taken {
            Ok(Value::Null) => continue,
            Ok(target) => {
                let told = Some(Told::side(to, 0));
                let after = match to {
                    Side::Left => Base { left: target.clone(), right: own, told },
                    Side::Right => Base { left: own, right: target.clone(), told },
                };
                values.push(Change { key: rule.key, target, seen: None, after });
                continue;
            }
            Err(_) if own == Value::Null && !end.shape.required => continue,
            Err(misfit) => Hold { kind: HoldKind::Misfit, to: Some(to), reason: misfit.reason, fix: misfit.fix },
        };
        // Without its opting out, a record would be made for somebody who wants no mail.
        if end.shape.required || (rule.kind == Kind::OptOut && own == Value::Bool(true)) {
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

/// Whether somebody's opting out would get lost where a record is made: whatever the direction of the field, for consent
/// travels both ways unless an admin switched it off.
fn loses_opt_out(rule: &Rule, to: Side, from: &Row) -> bool {
    let shape = &rule.end(to).shape;
    rule.kind == Kind::OptOut
        && rule.direction != Direction::Off
        && from.get(&rule.key) == Some(&Value::Bool(true))
        && (!rule.direction.goes_to(to) || !shape.createable || shape.calculated)
}
