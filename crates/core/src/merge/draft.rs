//! An integration as it is written down, and what it becomes once both accounts have described their fields.

use std::collections::BTreeMap;

use super::{
    Side,
    consent::OptIn,
    end::End,
    flow::{KindSettings, PairSettings, Select},
    mark::{MarkDraft, Marks},
    rule::{Blanks, Direction, Kind, Policy, Rule, RuleKey},
};
use crate::{
    description::{FieldDescription, FieldKind, ObjectDescription},
    expr::Expression,
};

/// Most rows of one pair's mapping.
pub const RULES_MAX: usize = 200;

/// A pair as it is written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairDraft {
    pub name: String,
    pub left: KindSettings,
    pub right: KindSettings,
    pub rows: Vec<RuleDraft>,
    pub select: Select,
    /// Who wins the whole record where both sides changed something ([`PairSettings::primary`]).
    pub primary: Option<Side>,
    /// How records of the right side are marked, where they are.
    pub marks: Option<MarkDraft>,
    /// [`PairSettings::on_request`].
    pub on_request: bool,
}

/// A row of the mapping as it is written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleDraft {
    pub left: EndDraft,
    pub right: EndDraft,
    pub direction: Direction,
    pub policy: Policy,
    pub blanks: Blanks,
    pub truncate: bool,
    /// Rows with the same number go together or not at all.
    pub group: Option<u16>,
}

/// One side of a row as it is written down.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndDraft {
    pub field: String,
    /// What this side calls the other's options.
    pub options: BTreeMap<String, String>,
    /// Works this side's value out of the other's.
    pub convert: Option<Expression>,
    /// Of a field of consent: what shows that somebody opted in again.
    pub opted_in: Option<OptIn>,
    /// [`End::counterpart_in`].
    pub counterpart_in: Vec<String>,
}

/// What is known of a kind of records.
#[derive(Clone, Copy, Debug)]
pub struct KindFacts<'a> {
    pub description: &'a ObjectDescription,
    pub opt_out: Option<&'a str>,
    pub sets: &'a [&'a str],
    pub created: Option<&'a str>,
}

/// A row that cannot work with the accounts as they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dropped {
    pub side: Side,
    pub field: String,
    pub reason: String,
}

impl PairDraft {
    /// The pair with everything that the accounts say of its fields. A row whose field is not there is dropped and
    /// named; the others work.
    pub fn compile(&self, left: KindFacts<'_>, right: KindFacts<'_>) -> (PairSettings, Vec<Dropped>) {
        let mut dropped = Vec::new();
        let mut rules: Vec<Rule> = Vec::with_capacity(self.rows.len());
        for row in self.rows.iter().take(RULES_MAX) {
            let ends = (shape(Side::Left, &row.left.field, left), shape(Side::Right, &row.right.field, right));
            let (left_shape, right_shape) = match ends {
                (Err(one), Err(two)) => {
                    dropped.extend([one, two]);
                    continue;
                }
                (Err(one), Ok(_)) | (Ok(_), Err(one)) => {
                    dropped.push(one);
                    continue;
                }
                (Ok(left), Ok(right)) => (left, right),
            };
            let key = RuleKey::of(&row.left.field, &row.right.field);
            let left_end = end(Side::Left, &row.left, left_shape, left, &mut dropped);
            let right_end = end(Side::Right, &row.right, right_shape, right, &mut dropped);
            if rules.iter().any(|rule| rule.key == key) {
                dropped.push(Dropped {
                    side: Side::Left,
                    field: row.left.field.clone(),
                    reason: "this pair of fields is mapped already".to_owned(),
                });
                continue;
            }
            rules.push(Rule {
                key,
                kind: kind(row, left, right, left_shape, right_shape),
                left: left_end,
                right: right_end,
                direction: row.direction,
                policy: row.policy,
                blanks: row.blanks,
                truncate: row.truncate,
                group: row.group,
            });
        }
        let marks = self.marks(right, &mut rules, &mut dropped);
        rules.sort_by_key(|rule| rule.key);
        let marks = marks.map(|draft| Marks::new(draft, &rules));
        let side = |settings: &KindSettings, facts: KindFacts<'_>| KindSettings {
            created: facts.created.map(str::to_owned),
            ..settings.clone()
        };
        let settings = PairSettings {
            name: self.name.clone(),
            left: side(&self.left, left),
            right: side(&self.right, right),
            rules,
            select: self.select.clone(),
            primary: self.primary,
            marks,
            on_request: self.on_request,
        };
        (settings, dropped)
    }

    /// Adds the rule of the marks, where the right side has a field for them.
    fn marks(&self, right: KindFacts<'_>, rules: &mut Vec<Rule>, dropped: &mut Vec<Dropped>) -> Option<MarkDraft> {
        let draft = self.marks.as_ref()?;
        match shape(Side::Right, &draft.field, right) {
            Ok(shape) => {
                rules.push(Marks::rule(draft, shape));
                Some(draft.clone())
            }
            Err(missing) => {
                dropped.push(missing);
                None
            }
        }
    }
}

fn shape<'a>(side: Side, field: &str, facts: KindFacts<'a>) -> Result<&'a FieldDescription, Dropped> {
    facts.description.fields.get(field).ok_or_else(|| {
        let alike = facts.description.fields.keys().find(|known| known.eq_ignore_ascii_case(field));
        let name = &facts.description.name;
        Dropped {
            side,
            field: field.to_owned(),
            reason: match alike {
                Some(known) => format!("{name} has no such field; it is spelled {known}"),
                None => format!("{name} has no such field, or does not show it"),
            },
        }
    })
}

/// One side of a row. Evidence whose field is not there proves nothing: opting out travels all the same.
fn end(side: Side, draft: &EndDraft, own: &FieldDescription, facts: KindFacts<'_>, dropped: &mut Vec<Dropped>) -> End {
    let mut end = End::new(draft.field.clone(), own.clone());
    end.options.clone_from(&draft.options);
    end.convert.clone_from(&draft.convert);
    end.counterpart_in.clone_from(&draft.counterpart_in);
    if let Some(mapped) = &draft.opted_in {
        let fields = [Some(&mapped.at), mapped.source.as_ref()].into_iter().flatten();
        let missing: Vec<Dropped> = fields.filter_map(|field| shape(side, field, facts).err()).collect();
        end.opted_in = missing.is_empty().then(|| mapped.clone());
        dropped.extend(missing);
    }
    end
}

fn kind(
    row: &RuleDraft,
    left: KindFacts<'_>,
    right: KindFacts<'_>,
    left_shape: &FieldDescription,
    right_shape: &FieldDescription,
) -> Kind {
    let is_opt_out = left.opt_out == Some(row.left.field.as_str()) || right.opt_out == Some(row.right.field.as_str());
    let is_set = |facts: KindFacts<'_>, field: &str, shape: &FieldDescription| {
        shape.kind == FieldKind::MultiPicklist || facts.sets.contains(&field)
    };
    if is_opt_out && left_shape.kind == FieldKind::Boolean && right_shape.kind == FieldKind::Boolean {
        Kind::OptOut
    } else if is_set(left, &row.left.field, left_shape) && is_set(right, &row.right.field, right_shape) {
        Kind::Set
    } else {
        Kind::Plain
    }
}
