//! Marks: entries that we set ourselves on the right side's records, tags or lists, so that people and automations there
//! see where a record came from. What a mark says is a matter of the link; who mapped what is not known here.
//!
//! A mark is merged like any other set: the left side of its rule is not a field but what the link owes. So marks that
//! people set or take away beside ours stay as people left them, and a conversion exchanges one for another.

use std::collections::BTreeSet;

use super::{
    Side,
    base::Base,
    end::{End, Entries, set_entries},
    row::Row,
    rule::{Blanks, Direction, Kind, Policy, Rule, RuleKey},
};
use crate::{
    description::{FieldDescription, FieldKind},
    record::Value,
};

/// The marks of a pair as they are written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarkDraft {
    /// The right side's field that holds them.
    pub field: String,
    /// Of a record that was there before its counterpart, or for which one was asked.
    pub added: String,
    /// Of a record that was made for its counterpart.
    pub created: String,
    /// Takes the place of another pair's mark when the counterpart was converted.
    pub converted: Option<String>,
    /// The marks of the other pairs with the same kind on the right.
    pub others: BTreeSet<String>,
    /// What a record without any mark says is not carried over.
    pub only_marked: bool,
}

impl MarkDraft {
    /// The marks that this pair sets.
    pub fn own(&self) -> impl Iterator<Item = &String> {
        [&self.added, &self.created].into_iter().chain(&self.converted)
    }

    /// All entries of the field that are marks.
    pub fn names(&self) -> BTreeSet<String> {
        self.own().chain(&self.others).cloned().collect()
    }
}

/// The marks of a pair, ready to decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marks {
    pub draft: MarkDraft,
    /// The rules for a record without any mark, where that makes a difference.
    one_way: Vec<Rule>,
}

/// The key under which a row holds the marks of a field.
pub fn mark_key(field: &str) -> RuleKey {
    RuleKey::of("\u{0}mark", field)
}

impl Marks {
    /// With the other rules of the pair.
    pub(super) fn new(draft: MarkDraft, rules: &[Rule]) -> Self {
        let only = |rule: &Rule| match rule.kind {
            // Whoever opts out is heard, marked or not.
            Kind::OptOut | Kind::Mark => rule.clone(),
            Kind::Plain | Kind::Set => Rule { direction: rule.direction.and(Direction::ToRight), ..rule.clone() },
        };
        let one_way = if draft.only_marked { rules.iter().map(only).collect() } else { Vec::new() };
        Self { draft, one_way }
    }

    /// The rule by which marks are set.
    pub(super) fn rule(draft: &MarkDraft, shape: &FieldDescription) -> Rule {
        Rule {
            key: mark_key(&draft.field),
            // What is owed is no field of anybody's: it is never written.
            left: End::new(String::new(), FieldDescription::read_only("Mark", FieldKind::MultiPicklist)),
            right: End::new(draft.field.clone(), shape.clone()),
            kind: Kind::Mark,
            direction: Direction::ToRight,
            policy: Policy::Prefer(Side::Left),
            blanks: Blanks::Propagate,
            truncate: false,
            group: None,
        }
    }

    /// Whether a record of the right side bears any mark; nothing where it does not show them.
    pub(super) fn shown(&self, right: &Row) -> Option<bool> {
        right.get(&mark_key(&self.draft.field)).map(|value| *value != Value::Null)
    }

    /// Whether somebody asks, by a mark, for a counterpart of this record.
    pub(super) fn asks(&self, right: &Row) -> bool {
        let held = right.get(&mark_key(&self.draft.field));
        held.and_then(Value::as_text).is_some_and(|held| set_entries(held).iter().any(|mark| *mark == self.draft.added))
    }

    /// The rules for a record that has no mark, where they are others.
    pub(super) fn without_mark(&self) -> Option<&[Rule]> {
        self.draft.only_marked.then_some(self.one_way.as_slice())
    }

    /// The left row of a link that was just made for a record on the left.
    pub(super) fn made(&self, left: &Row) -> Row {
        self.with(left, Value::text(self.draft.created.clone()))
    }

    /// The left row with what the link owes: what it owed before, or the mark of a conversion where that was another
    /// pair's; of records that are seen together for the first time, the mark that is there.
    pub(super) fn owed(&self, left: &Row, base: Option<&Base>, right: &Row) -> Row {
        let own: BTreeSet<&str> = self.draft.own().map(String::as_str).collect();
        let owed = match base {
            Some(base) => {
                let before = held_in(Some(&base.left));
                let moved = before.iter().any(|mark| self.draft.others.contains(mark.as_ref()));
                match &self.draft.converted {
                    Some(converted) if moved => Value::text(converted.clone()),
                    _ => base.left.clone(),
                }
            }
            None => {
                let shown = held_in(right.get(&mark_key(&self.draft.field)));
                let there = shown.iter().find(|mark| own.contains(mark.as_ref()));
                Value::text(there.map_or(self.draft.added.as_str(), AsRef::as_ref))
            }
        };
        self.with(left, owed)
    }

    fn with(&self, left: &Row, owed: Value) -> Row {
        let mut row = left.clone();
        row.insert(mark_key(&self.draft.field), owed);
        row
    }
}

fn held_in(value: Option<&Value>) -> Entries<'_> {
    value.and_then(Value::as_text).map(set_entries).unwrap_or_default()
}
