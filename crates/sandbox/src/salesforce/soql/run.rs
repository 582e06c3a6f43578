//! Running a query: which rows, in which order, how many.

use std::collections::HashSet;

use super::{
    ast::{Expr, Query, Select},
    filter::{Member, Test, member},
    render::Node,
    resolve::{Env, Operand, Scope},
};
use crate::salesforce::{
    error::Outcome,
    id::Id,
    schema::Kind,
    world::{Row, Slot, Val, World},
};

/// Most rows that a query may skip.
const MAX_OFFSET: u64 = 2_000;

/// A query without aggregates, ready to be run.
#[derive(Debug)]
pub struct Rows {
    pub object: usize,
    pub node: Node,
    test: Option<Test>,
    order: Vec<Sort>,
    limit: usize,
    offset: usize,
    all_rows: bool,
    mine: Option<Id>,
    /// Slots an index found, when there is one.
    candidates: Option<Vec<Slot>>,
}

#[derive(Debug)]
pub struct Sort {
    pub by: Operand,
    pub descending: bool,
    pub nulls_last: bool,
}

/// Reads a query for running; nothing is looked at yet but what sub-queries and indexes answer.
pub fn rows(scope: &Scope<'_>) -> Outcome<Rows> {
    let query = scope.query;
    refuse(scope, query)?;
    let node = Node::plan(scope, query)?;
    let mut order = Vec::new();
    for by in &query.order {
        order.push(sort(scope, by, scope.operand(&by.by)?)?);
    }
    let test = filter(scope)?;
    let candidates = test.as_ref().and_then(|test| test.candidates(scope));
    Ok(Rows {
        object: scope.object,
        node,
        test,
        order,
        limit: query.limit.map_or(usize::MAX, |limit| limit as usize),
        offset: offset(scope, query)?,
        all_rows: scope.all_rows,
        mine: (query.scope.as_deref() == Some("mine")).then_some(scope.user),
        candidates,
    })
}

pub fn filter(scope: &Scope<'_>) -> Outcome<Option<Test>> {
    let operands = |expr: &Expr| scope.operand(expr);
    scope.query.filter.as_ref().map(|cond| scope.test(cond, &operands)).transpose()
}

pub fn offset(scope: &Scope<'_>, query: &Query) -> Outcome<usize> {
    match query.offset {
        Some(offset) if offset > MAX_OFFSET => {
            let message = "Maximum SOQL offset allowed is 2000";
            Err(scope.problem(scope.text.len(), "NUMBER_OUTSIDE_VALID_RANGE", message))
        }
        offset => Ok(offset.unwrap_or(0) as usize),
    }
}

pub fn sort(scope: &Scope<'_>, order: &super::ast::Order, by: Operand) -> Outcome<Sort> {
    if let Operand::Path(path) = &by
        && let Some(field) = scope.field_of(path)
        && (!field.sortable || field.kind == Kind::Compound)
    {
        let message = format!("field '{}' can not be sorted in a query call", field.name);
        return Err(scope.problem(0, "INVALID_FIELD", &message));
    }
    Ok(Sort { by, descending: order.descending, nulls_last: order.nulls_last.unwrap_or(false) })
}

/// What is understood but not carried out is refused, never ignored.
pub fn refuse(scope: &Scope<'_>, query: &Query) -> Outcome<()> {
    if let Some(clause) = query.refused.first() {
        let message = format!("{clause} is not supported by this sandbox");
        return Err(scope.problem(query.from.at, "MALFORMED_QUERY", &message));
    }
    match query.scope.as_deref() {
        None | Some("everything" | "mine") => Ok(()),
        Some(scope_name) => {
            let message = format!("USING SCOPE {scope_name} is not supported by this sandbox");
            Err(scope.problem(query.from.at, "MALFORMED_QUERY", &message))
        }
    }
}

impl Rows {
    /// The rows of the whole query, in order.
    pub fn run(&mut self, world: &World) -> Vec<Slot> {
        match self.candidates.take() {
            Some(slots) => self.pick(world, slots),
            None => {
                let slots = world.table(self.object).rows().map(|(slot, _)| slot);
                self.pick(world, slots)
            }
        }
    }

    /// Those of the given rows that pass, in order, cut to the limit.
    pub fn pick(&self, world: &World, slots: impl IntoIterator<Item = Slot>) -> Vec<Slot> {
        let wanted = self.offset.saturating_add(self.limit);
        let table = world.table(self.object);
        let passing = slots.into_iter().filter(|slot| table.row(*slot).is_some_and(|row| self.passes(world, row)));
        let mut found: Vec<Slot> =
            if self.order.is_empty() { passing.take(wanted).collect() } else { passing.collect() };
        if !self.order.is_empty() {
            found = self.sorted(world, found);
        }
        found.drain(..self.offset.min(found.len()));
        found.truncate(self.limit);
        found
    }

    fn passes(&self, world: &World, row: &Row) -> bool {
        if (row.deleted && !self.all_rows) || world.is_hidden(row.id) {
            return false;
        }
        if let Some(user) = self.mine {
            let owner = world.def(self.object).system.owner.and_then(|no| row.stored(no)?.as_ref_id());
            if owner != Some(user) {
                return false;
            }
        }
        let env = Env { world, row: Some((self.object, row)), cells: &[] };
        self.test.as_ref().is_none_or(|test| test.passes(env))
    }

    fn sorted(&self, world: &World, slots: Vec<Slot>) -> Vec<Slot> {
        let keys = |slot: Slot| -> Vec<Option<Val>> {
            let row = world.row(self.object, slot);
            let env = Env { world, row: row.map(|row| (self.object, row)), cells: &[] };
            self.order.iter().map(|sort| sort.by.read(env).map(std::borrow::Cow::into_owned)).collect()
        };
        let mut keyed: Vec<_> = slots.into_iter().map(|slot| (keys(slot), slot)).collect();
        keyed.sort_by(|left, right| by_keys(&self.order, &left.0, &right.0).then(left.1.cmp(&right.1)));
        keyed.into_iter().map(|(_, slot)| slot).collect()
    }
}

pub fn by_keys(order: &[Sort], left: &[Option<Val>], right: &[Option<Val>]) -> std::cmp::Ordering {
    use std::cmp::Ordering::{Equal, Greater, Less};
    for ((sort, left), right) in order.iter().zip(left).zip(right) {
        let found = match (left, right) {
            (None, None) => Equal,
            (None, Some(_)) => {
                if sort.nulls_last {
                    Greater
                } else {
                    Less
                }
            }
            (Some(_), None) => {
                if sort.nulls_last {
                    Less
                } else {
                    Greater
                }
            }
            (Some(left), Some(right)) if sort.descending => value_cmp(right, left),
            (Some(left), Some(right)) => value_cmp(left, right),
        };
        if found != Equal {
            return found;
        }
    }
    Equal
}

pub fn value_cmp(left: &Val, right: &Val) -> std::cmp::Ordering {
    match (left, right) {
        (Val::Text(left), Val::Text(right)) => {
            left.chars().flat_map(char::to_lowercase).cmp(right.chars().flat_map(char::to_lowercase))
        }
        (Val::Ref(left), Val::Ref(right)) => left.cmp(right),
        (Val::Stamp(left), Val::Stamp(right)) => left.cmp(right),
        (Val::Date(left), Val::Date(right)) => left.cmp(right),
        (Val::Bool(left), Val::Bool(right)) => left.cmp(right),
        _ => left.as_number().partial_cmp(&right.as_number()).unwrap_or(std::cmp::Ordering::Equal),
    }
}

/// The values of the one field that a sub-query selects.
pub fn members(outer: &Scope<'_>, query: &Query, at: usize) -> Outcome<HashSet<Member>> {
    let name = query.from.parts.last().map(String::as_str).unwrap_or_default();
    let object = super::object(outer.world, outer.text, name, query.from.at, false)?;
    let scope = Scope { object, query, ..*outer };
    let field = match query.select.as_slice() {
        [Select::Expr { expr: Expr::Field(field), .. }] => scope.path(field)?,
        _ => {
            let message = "a sub-query in IN selects exactly one field";
            return Err(outer.problem(at, "MALFORMED_QUERY", message));
        }
    };
    let mut plan = rows(&scope)?;
    let slots = plan.run(scope.world);
    let values = slots.iter().filter_map(|slot| {
        let row = scope.world.row(object, *slot)?;
        Some(member(&*field.read(scope.world, object, row)?, field.case_sensitive))
    });
    Ok(values.collect())
}
