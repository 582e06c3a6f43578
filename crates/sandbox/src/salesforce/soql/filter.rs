//! Conditions made ready to run: literals checked against their fields, sets hashed, and the index that narrows a scan.

use std::collections::HashSet;

use super::{
    ast::{Cond, Expr, Lit, Op},
    dates,
    like::Like,
    resolve::{Env, Operand, Scope},
};
use crate::salesforce::{
    error::{ApiError, Outcome},
    id::Id,
    schema::{FieldNo, Kind},
    time,
    world::{Slot, Val},
};

#[derive(Debug)]
pub enum Test {
    And(Vec<Test>),
    Or(Vec<Test>),
    Not(Box<Test>),
    Compare { left: Operand, op: Op, right: Right },
    In { left: Operand, not: bool, set: HashSet<Member>, null: bool },
    Includes { left: Operand, not: bool, sets: Vec<Vec<String>> },
}

/// The right side of a comparison, in the type of its left side.
#[derive(Debug)]
pub enum Right {
    Null,
    Bool(bool),
    Number(f64),
    /// Folded unless the field is case-sensitive.
    Text(String),
    Ref(Id),
    Like(Like),
    /// From this second until before that one.
    Span(i64, i64),
}

/// A value in a set.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Member {
    Ref(Id),
    Text(String),
    Number(u64),
    Second(i64),
}

/// A value as a set member; text is folded unless case matters.
pub fn member(value: &Val, case_sensitive: bool) -> Member {
    match value {
        Val::Ref(id) => Member::Ref(*id),
        Val::Text(text) if case_sensitive => Member::Text(text.to_string()),
        Val::Text(text) => Member::Text(text.to_lowercase()),
        Val::Bool(flag) => Member::Number(u64::from(*flag)),
        Val::Int(number) => Member::Number((*number as f64).to_bits()),
        Val::Num(number) => Member::Number(number.to_bits()),
        Val::Date(day) => Member::Second(time::day_start(*day)),
        Val::Stamp(seconds) => Member::Second(*seconds),
    }
}

impl Test {
    pub fn passes(&self, env: Env<'_>) -> bool {
        match self {
            Self::And(all) => all.iter().all(|test| test.passes(env)),
            Self::Or(any) => any.iter().any(|test| test.passes(env)),
            Self::Not(test) => !test.passes(env),
            Self::Compare { left, op, right } => compare(left.read(env).as_deref(), *op, right, left.case_sensitive()),
            Self::In { left, not, set, null } => {
                let found = match left.read(env) {
                    None => *null,
                    Some(value) => set.contains(&member(&value, left.case_sensitive())),
                };
                found != *not
            }
            Self::Includes { left, not, sets } => {
                let value = left.read(env);
                let chosen: Vec<&str> =
                    value.as_deref().and_then(Val::as_text).map(|text| text.split(';').collect()).unwrap_or_default();
                let has = |one: &String| chosen.iter().any(|chosen| chosen.eq_ignore_ascii_case(one));
                sets.iter().any(|set| set.iter().all(has)) != *not
            }
        }
    }

    /// Rows that can pass, by an index, or `None` when every row must be looked at.
    pub fn candidates(&self, scope: &Scope<'_>) -> Option<Vec<Slot>> {
        match self {
            Self::And(all) => {
                let exact = all.iter().filter(|test| !matches!(test, Self::Or(_))).find_map(|test| test.exact(scope));
                exact.or_else(|| stamped(all, scope)).or_else(|| all.iter().find_map(|test| test.candidates(scope)))
            }
            Self::Or(any) => {
                let mut slots = Vec::new();
                for test in any {
                    slots.extend(test.candidates(scope)?);
                }
                Some(sorted(slots))
            }
            _ => self.exact(scope).or_else(|| stamped(std::slice::from_ref(self), scope)),
        }
    }

    fn exact(&self, scope: &Scope<'_>) -> Option<Vec<Slot>> {
        match self {
            Self::Compare { left: Operand::Path(path), op: Op::Eq, right } => {
                let value = match right {
                    Right::Ref(id) => Val::Ref(*id),
                    Right::Text(text) => Val::text(text.as_str()),
                    _ => return None,
                };
                at_value(scope, path.own()?, &value).map(sorted)
            }
            Self::In { left: Operand::Path(path), not: false, set, null: false } => {
                let mut slots = Vec::new();
                for one in set {
                    let value = match one {
                        Member::Ref(id) => Val::Ref(*id),
                        Member::Text(text) => Val::text(text.as_str()),
                        _ => return None,
                    };
                    slots.extend(at_value(scope, path.own()?, &value)?);
                }
                Some(sorted(slots))
            }
            _ => None,
        }
    }

    /// The seconds that a comparison of `SystemModstamp` lets through.
    fn stamp_span(&self, scope: &Scope<'_>) -> Option<(i64, i64)> {
        let Self::Compare { left: Operand::Path(path), op, right: Right::Span(from, until) } = self else {
            return None;
        };
        if path.own()? != scope.world.def(scope.object).system.stamp? {
            return None;
        }
        match op {
            Op::Eq => Some((*from, *until)),
            Op::Ge => Some((*from, i64::MAX)),
            Op::Gt => Some((*until, i64::MAX)),
            Op::Lt => Some((i64::MIN, *from)),
            Op::Le => Some((i64::MIN, *until)),
            _ => None,
        }
    }
}

fn stamped(tests: &[Test], scope: &Scope<'_>) -> Option<Vec<Slot>> {
    let spans = tests.iter().filter_map(|test| test.stamp_span(scope));
    let (from, until) = spans.reduce(|a, b| (a.0.max(b.0), a.1.min(b.1)))?;
    Some(scope.world.table(scope.object).stamped(from, until).map(|(_, slot)| slot).collect())
}

fn at_value(scope: &Scope<'_>, no: FieldNo, value: &Val) -> Option<Vec<Slot>> {
    let def = scope.world.def(scope.object);
    if def.field(no).kind == Kind::Id {
        let found = value.as_ref_id().and_then(|id| scope.world.find(id));
        return Some(found.filter(|(object, _)| *object == scope.object).map(|(_, slot)| slot).into_iter().collect());
    }
    scope.world.table(scope.object).lookup(def, no, value).map(<[Slot]>::to_vec)
}

fn sorted(mut slots: Vec<Slot>) -> Vec<Slot> {
    slots.sort_unstable();
    slots.dedup();
    slots
}

fn compare(value: Option<&Val>, op: Op, right: &Right, case_sensitive: bool) -> bool {
    use std::cmp::Ordering::{Equal, Greater, Less};
    let Some(value) = value else {
        return match op {
            Op::Eq => matches!(right, Right::Null),
            Op::Ne => !matches!(right, Right::Null),
            _ => false,
        };
    };
    let order = match (value, right) {
        (_, Right::Null) => return op == Op::Ne,
        (Val::Text(text), Right::Like(like)) => return like.matches(text),
        (Val::Text(text), Right::Text(wanted)) if case_sensitive => text.as_ref().cmp(wanted.as_str()),
        (Val::Text(text), Right::Text(wanted)) => fold_cmp(text, wanted),
        (Val::Ref(id), Right::Ref(wanted)) => id.cmp(wanted),
        (Val::Ref(id), Right::Like(like)) => return like.matches(id.as_str()),
        (Val::Bool(flag), Right::Bool(wanted)) => flag.cmp(wanted),
        (Val::Int(_) | Val::Num(_), Right::Number(wanted)) => {
            value.as_number().and_then(|number| number.partial_cmp(wanted)).unwrap_or(Equal)
        }
        (Val::Stamp(_) | Val::Date(_), Right::Span(from, until)) => {
            let second = match value {
                Val::Date(day) => time::day_start(*day),
                Val::Stamp(second) => *second,
                _ => return false,
            };
            if second < *from {
                Less
            } else if second >= *until {
                Greater
            } else {
                Equal
            }
        }
        _ => return op == Op::Ne,
    };
    match op {
        Op::Eq => order == Equal,
        Op::Ne => order != Equal,
        Op::Lt => order == Less,
        Op::Le => order != Greater,
        Op::Gt => order == Greater,
        Op::Ge => order != Less,
        Op::Like => false,
    }
}

/// Compares with a text that is folded already.
fn fold_cmp(text: &str, folded: &str) -> std::cmp::Ordering {
    text.chars().flat_map(char::to_lowercase).cmp(folded.chars())
}

/// Gives an expression its operand; grouped queries give cells.
pub type Operands<'o> = &'o dyn Fn(&Expr) -> Outcome<Operand>;

impl Scope<'_> {
    pub fn test(&self, cond: &Cond, operands: Operands<'_>) -> Outcome<Test> {
        let all = |conds: &[Cond]| conds.iter().map(|cond| self.test(cond, operands)).collect::<Outcome<Vec<_>>>();
        match cond {
            Cond::And(conds) => Ok(Test::And(all(conds)?)),
            Cond::Or(conds) => Ok(Test::Or(all(conds)?)),
            Cond::Not(cond) => Ok(Test::Not(Box::new(self.test(cond, operands)?))),
            Cond::Compare { left, op, right, at } => {
                let left = self.filterable(operands(left)?, *at)?;
                let right = self.right(&left, *op, right, *at)?;
                Ok(Test::Compare { left, op: *op, right })
            }
            Cond::In { left, not, list, at } => {
                let left = self.filterable(operands(left)?, *at)?;
                let (mut set, mut null) = (HashSet::new(), false);
                for lit in list {
                    match self.right(&left, Op::Eq, lit, *at)? {
                        Right::Null => null = true,
                        Right::Bool(flag) => drop(set.insert(Member::Number(u64::from(flag)))),
                        Right::Number(number) => drop(set.insert(Member::Number(number.to_bits()))),
                        Right::Text(text) => drop(set.insert(Member::Text(text))),
                        Right::Ref(id) => drop(set.insert(Member::Ref(id))),
                        Right::Span(from, _) => drop(set.insert(Member::Second(from))),
                        Right::Like(_) => {}
                    }
                }
                Ok(Test::In { left, not: *not, set, null })
            }
            Cond::InQuery { left, not, query, at } => {
                let left = self.filterable(operands(left)?, *at)?;
                let set = super::run::members(self, query, *at)?;
                Ok(Test::In { left, not: *not, set, null: false })
            }
            Cond::Includes { left, not, sets, at } => {
                let left = operands(left)?;
                if left.kind() != Kind::MultiPicklist {
                    let message = "includes or excludes operator only valid on multipicklist field";
                    return Err(self.problem(*at, "INVALID_QUERY_FILTER_OPERATOR", message));
                }
                Ok(Test::Includes { left, not: *not, sets: sets.clone() })
            }
        }
    }

    fn filterable(&self, left: Operand, at: usize) -> Outcome<Operand> {
        if let Operand::Path(path) = &left
            && let Some(field) = self.field_of(path)
            && !field.filterable
        {
            let message = format!("field '{}' can not be filtered in a query call", field.name);
            return Err(self.problem(at, "INVALID_FIELD", &message));
        }
        Ok(left)
    }

    fn right(&self, left: &Operand, op: Op, lit: &Lit, at: usize) -> Outcome<Right> {
        if matches!(lit, Lit::Null) {
            return Ok(if left.kind() == Kind::Bool { Right::Bool(false) } else { Right::Null });
        }
        match (left.kind(), lit) {
            (Kind::Bool, Lit::Bool(flag)) => Ok(Right::Bool(*flag)),
            (Kind::Int | Kind::Double, Lit::Number(number) | Lit::Money(number)) => Ok(Right::Number(*number)),
            (Kind::Date, Lit::Date(day)) => {
                let from = time::day_start(*day);
                Ok(Right::Span(from, from.saturating_add(1)))
            }
            (Kind::DateTime, Lit::Stamp(second)) => Ok(Right::Span(*second, second.saturating_add(1))),
            (Kind::Date | Kind::DateTime, Lit::Range(name, count)) => {
                let (from, until) = dates::range(name, *count, self.now);
                Ok(Right::Span(time::day_start(from), time::day_start(until)))
            }
            (Kind::Id | Kind::Reference, Lit::Text(_, raw)) if op == Op::Like => Ok(Right::Like(Like::new(raw))),
            (Kind::Id | Kind::Reference, Lit::Text(text, _)) => match Id::parse(text) {
                Some(id) => Ok(Right::Ref(id)),
                None if text.is_empty() => Ok(Right::Null),
                None => {
                    let message = format!("invalid ID field: {text}");
                    Err(self.problem(at, "INVALID_QUERY_FILTER_OPERATOR", &message))
                }
            },
            (kind, Lit::Text(_, raw)) if kind.is_text() && op == Op::Like => Ok(Right::Like(Like::new(raw))),
            (kind, Lit::Text(text, _)) if kind.is_text() => Ok(match text.as_str() {
                "" => Right::Null,
                text if left.case_sensitive() => Right::Text(text.to_owned()),
                text => Right::Text(text.to_lowercase()),
            }),
            (kind, _) => Err(self.wrong_type(left, kind, at)),
        }
    }

    fn wrong_type(&self, left: &Operand, kind: Kind, at: usize) -> ApiError {
        let name = match left {
            Operand::Path(path) => self.field_of(path).map_or("Name", |field| field.name.as_str()),
            _ => "expression",
        };
        let (kind, quotes) = match kind {
            Kind::Bool => ("boolean", "should not be enclosed in quotes"),
            Kind::Int => ("int", "should not be enclosed in quotes"),
            Kind::Double => ("double", "should not be enclosed in quotes"),
            Kind::Date => ("date", "should not be enclosed in quotes"),
            Kind::DateTime => ("dateTime", "should not be enclosed in quotes"),
            Kind::Id | Kind::Reference => ("id", "should be enclosed in quotes"),
            _ => ("string", "should be enclosed in quotes"),
        };
        let message = format!("value of filter criterion for field '{name}' must be of type {kind} and {quotes}");
        self.problem(at, "INVALID_FIELD", &message)
    }
}
