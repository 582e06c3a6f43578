//! Works expressions out, step by counted step. What is missing stays missing: null passes through every operation
//! and is never an error. What the functions do stands in [`super::functions`].

use std::cmp::Ordering;

use jiff::{SignedDuration, civil::Date};
use rust_decimal::{Decimal, prelude::ToPrimitive};

use super::{
    Datum, EvalError, Place, Scope,
    budget::Budget,
    lower::{Calculate, Comparison, Node, Part},
};

const SECONDS_A_DAY: i64 = 86_400;

/// One evaluation.
pub(super) struct Run<'a> {
    pub scope: &'a Scope,
    pub budget: Budget,
    locals: Vec<Datum>,
}

/// What went wrong, before it is known where.
type Reason = String;

impl<'a> Run<'a> {
    pub fn new(scope: &'a Scope) -> Self {
        Self { scope, budget: Budget::default(), locals: Vec::new() }
    }

    /// The text that the parts make.
    pub fn text(&mut self, parts: &[Part]) -> Result<Datum, EvalError> {
        let mut out = String::new();
        self.parts(parts, &mut out)?;
        self.budget.made(out).map_err(|reason| EvalError::at(super::START, reason))
    }

    fn parts(&mut self, parts: &[Part], out: &mut String) -> Result<(), EvalError> {
        for part in parts {
            self.part(part, out)?;
        }
        Ok(())
    }

    fn part(&mut self, part: &Part, out: &mut String) -> Result<(), EvalError> {
        let here = match part {
            Part::For { place, .. } => *place,
            _ => super::START,
        };
        self.budget.step().map_err(|reason| EvalError::at(here, reason))?;
        match part {
            Part::Raw(text) => {
                self.budget.bytes(text.len()).map_err(|reason| EvalError::at(here, reason))?;
                out.push_str(text);
                Ok(())
            }
            Part::Emit(node) => {
                let value = self.value(node)?;
                out.push_str(&self.budget.text_of(&value).map_err(|reason| EvalError::at(here, reason))?);
                Ok(())
            }
            Part::If { cond, yes, no } => {
                let holds = self.value(cond)?.is_true();
                self.parts(if holds { yes } else { no }, out)
            }
            Part::For { list, filter, body, otherwise, place } => {
                let entries = match self.value(list)? {
                    Datum::Null => Vec::new(),
                    Datum::List(list) => list.to_vec(),
                    other => {
                        return Err(EvalError::at(
                            *place,
                            format!("a loop wants a list and is given {}", other.kind()),
                        ));
                    }
                };
                self.repeat(entries, filter.as_ref(), body, otherwise, out)
            }
        }
    }

    fn repeat(
        &mut self,
        entries: Vec<Datum>,
        filter: Option<&Node>,
        body: &[Part],
        otherwise: &[Part],
        out: &mut String,
    ) -> Result<(), EvalError> {
        let outside = self.locals.len();
        let mut chosen = Vec::with_capacity(entries.len());
        for entry in entries {
            self.locals.extend([entry.clone(), Datum::Null]);
            let takes = filter.map_or(Ok(true), |filter| self.value(filter).map(|value| value.is_true()));
            self.locals.truncate(outside);
            if takes? {
                chosen.push(entry);
            }
        }
        if chosen.is_empty() {
            return self.parts(otherwise, out);
        }
        let count = chosen.len();
        for (index, entry) in chosen.into_iter().enumerate() {
            let number = |number: usize| Datum::Number(Decimal::from(number));
            let position = Datum::map([
                ("index", number(index + 1)),
                ("index0", number(index)),
                ("length", number(count)),
                ("first", Datum::Bool(index == 0)),
                ("last", Datum::Bool(index + 1 == count)),
            ]);
            self.locals.extend([entry, position]);
            let done = self.parts(body, out);
            self.locals.truncate(outside);
            done?;
        }
        Ok(())
    }

    /// The value of an expression.
    pub fn value(&mut self, node: &Node) -> Result<Datum, EvalError> {
        self.budget.step().map_err(|reason| EvalError::at(super::START, reason))?;
        match node {
            Node::Const(value) => Ok(value.clone()),
            Node::Root(name) => Ok(self.scope.get(name).clone()),
            Node::Local(at) => Ok(self.locals.get(*at).cloned().unwrap_or(Datum::Null)),
            Node::Attr(of, name) => Ok(part(&self.value(of)?, name)),
            Node::Index(of, index) => {
                let (of, index) = (self.value(of)?, self.value(index)?);
                Ok(indexed(&of, &index))
            }
            Node::Not(value) => Ok(Datum::Bool(!self.value(value)?.is_true())),
            Node::And(left, right) => {
                let left = self.value(left)?;
                if left.is_true() { self.value(right) } else { Ok(left) }
            }
            Node::Or(left, right) => {
                let left = self.value(left)?;
                if left.is_true() { Ok(left) } else { self.value(right) }
            }
            Node::If(test, yes, no) => match (self.value(test)?.is_true(), no) {
                (true, _) => self.value(yes),
                (false, Some(no)) => self.value(no),
                (false, None) => Ok(Datum::Null),
            },
            Node::Calculate(how, left, right, place) => {
                let (left, right) = (self.value(left)?, self.value(right)?);
                self.calculate(*how, &left, &right).map_err(|reason| EvalError::at(*place, reason))
            }
            Node::Compare(first, rest, place) => self.compare_all(first, rest, *place),
            Node::Call(function, args, place) => {
                let args = self.values(args)?;
                (function.run)(self, &args).map_err(|reason| EvalError::at(*place, reason))
            }
            Node::List(list) => Ok(Datum::list(self.values(list)?)),
            Node::Map(entries, place) => self.map(entries, *place),
        }
    }

    fn values(&mut self, nodes: &[Node]) -> Result<Vec<Datum>, EvalError> {
        nodes.iter().map(|node| self.value(node)).collect()
    }

    fn map(&mut self, entries: &[(Node, Node)], place: Place) -> Result<Datum, EvalError> {
        let mut map = std::collections::BTreeMap::new();
        for (key, value) in entries {
            let key = self.value(key)?;
            let key = self.budget.text_of(&key).map_err(|reason| EvalError::at(place, reason))?;
            map.insert(key, self.value(value)?);
        }
        Ok(Datum::map(map))
    }

    fn compare_all(&mut self, first: &Node, rest: &[(Comparison, Node)], place: Place) -> Result<Datum, EvalError> {
        let mut left = self.value(first)?;
        for (how, node) in rest {
            let right = self.value(node)?;
            if !self.compare(*how, &left, &right).map_err(|reason| EvalError::at(place, reason))? {
                return Ok(Datum::Bool(false));
            }
            left = right;
        }
        Ok(Datum::Bool(true))
    }

    fn compare(&mut self, how: Comparison, left: &Datum, right: &Datum) -> Result<bool, Reason> {
        Ok(match how {
            Comparison::Equal => self.budget.same(left, right)?,
            Comparison::Unequal => !self.budget.same(left, right)?,
            Comparison::In => self.contains(right, left)?,
            Comparison::NotIn => !self.contains(right, left)?,
            Comparison::Less => order(left, right)?.is_some_and(Ordering::is_lt),
            Comparison::LessOrEqual => order(left, right)?.is_some_and(Ordering::is_le),
            Comparison::Greater => order(left, right)?.is_some_and(Ordering::is_gt),
            Comparison::GreaterOrEqual => order(left, right)?.is_some_and(Ordering::is_ge),
        })
    }

    fn contains(&mut self, all: &Datum, one: &Datum) -> Result<bool, Reason> {
        match all {
            Datum::Null => Ok(false),
            Datum::List(list) => {
                for value in list.iter() {
                    if self.budget.same(value, one)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Datum::Map(map) => Ok(map.contains_key(&self.budget.text_of(one)?)),
            Datum::Text(text) if *one != Datum::Null => {
                let one = self.budget.text_of(one)?;
                self.budget.bytes(text.len())?;
                Ok(text.contains(&one))
            }
            Datum::Text(_) => Ok(false),
            other => Err(format!("`in` wants a text or a list behind it and is given {}", other.kind())),
        }
    }

    fn calculate(&mut self, how: Calculate, left: &Datum, right: &Datum) -> Result<Datum, Reason> {
        if how == Calculate::Join {
            let text = self.budget.text_of(left)? + &self.budget.text_of(right)?;
            return self.budget.made(text);
        }
        match (how, left, right) {
            (_, Datum::Null, _) | (_, _, Datum::Null) => Ok(Datum::Null),
            (Calculate::Add, Datum::Text(a), Datum::Text(b)) => self.budget.made(format!("{a}{b}")),
            (Calculate::Add, Datum::List(a), Datum::List(b)) => {
                let count = a.len() + b.len();
                self.budget.bytes(count * size_of::<Datum>())?;
                Ok(Datum::list(a.iter().chain(b.iter()).cloned()))
            }
            (Calculate::Subtract, Datum::Time(later), Datum::Time(earlier)) => {
                Ok(Datum::Number(Decimal::from(later.duration_since(*earlier).as_secs() / 60)))
            }
            (Calculate::Subtract, Datum::Date(later), Datum::Date(earlier)) => {
                Ok(Datum::Number(Decimal::from(days_between(*earlier, *later))))
            }
            _ => arithmetic(how, left, right),
        }
    }
}

fn arithmetic(how: Calculate, left: &Datum, right: &Datum) -> Result<Datum, Reason> {
    let number = |value: &Datum| {
        value.as_number().ok_or_else(|| match value {
            Datum::Text(_) => "a calculation wants numbers, and this text is none".to_owned(),
            other => format!("a calculation wants numbers and is given {}", other.kind()),
        })
    };
    let (a, b) = (number(left)?, number(right)?);
    if matches!(how, Calculate::Divide | Calculate::DivideWhole | Calculate::Remainder) && b.is_zero() {
        return Err("nothing can be divided by 0".to_owned());
    }
    let result = match how {
        Calculate::Add | Calculate::Join => a.checked_add(b),
        Calculate::Subtract => a.checked_sub(b),
        Calculate::Multiply => a.checked_mul(b),
        Calculate::Divide => a.checked_div(b),
        Calculate::DivideWhole => a.checked_div(b).map(|value| value.floor()),
        Calculate::Remainder => a.checked_rem(b),
    };
    result.map(|number| Datum::Number(number.normalize())).ok_or_else(|| "the number is too large".to_owned())
}

/// What stands under a name.
fn part(of: &Datum, name: &str) -> Datum {
    match of {
        Datum::Map(map) => map.get(name).cloned().unwrap_or(Datum::Null),
        Datum::Record(_) if name == "id" => of.clone(),
        _ => Datum::Null,
    }
}

fn indexed(of: &Datum, index: &Datum) -> Datum {
    match (of, index) {
        (Datum::List(list), Datum::Number(number)) => {
            let at = number.to_i64().and_then(|at| {
                let count = i64::try_from(list.len()).ok()?;
                usize::try_from(if at < 0 { at + count } else { at }).ok()
            });
            at.and_then(|at| list.get(at)).cloned().unwrap_or(Datum::Null)
        }
        (Datum::Map(map), index) => map.get(index.scalar_text().as_ref()).cloned().unwrap_or(Datum::Null),
        _ => Datum::Null,
    }
}

/// `None` where one of them is missing, so that no comparison holds.
fn order(left: &Datum, right: &Datum) -> Result<Option<Ordering>, Reason> {
    Ok(Some(match (left, right) {
        (Datum::Null, _) | (_, Datum::Null) => return Ok(None),
        (Datum::Text(a), Datum::Text(b)) => a.cmp(b),
        (Datum::Date(a), Datum::Date(b)) => a.cmp(b),
        (Datum::Time(a), Datum::Time(b)) => a.cmp(b),
        (Datum::Bool(a), Datum::Bool(b)) => a.cmp(b),
        (a, b) => match (a.as_number(), b.as_number()) {
            (Some(a), Some(b)) => a.cmp(&b),
            _ => return Err(format!("{} and {} cannot be compared", a.kind(), b.kind())),
        },
    }))
}

fn days_between(earlier: Date, later: Date) -> i64 {
    let span: SignedDuration = later.duration_since(earlier);
    span.as_secs() / SECONDS_A_DAY
}
