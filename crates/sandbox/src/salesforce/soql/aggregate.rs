//! Counting and grouping.

use std::collections::{BTreeMap, HashSet};

use serde_json::{Map, Value, json};

use super::{
    ast::{Expr, Group, Select},
    filter::{Member, member},
    resolve::{Env, Operand, Scope},
    run::{self, Sort},
};
use crate::salesforce::{
    error::Outcome,
    schema::Kind,
    world::{Row, Val},
};

/// Most groups in one answer ("SOQL GROUP BY", read 2026-11-21).
const MAX_GROUPS: usize = 2_000;

pub fn is_aggregate(expr: &Expr) -> bool {
    match expr {
        Expr::Call { name, args, .. } => Fold::named(name).is_some() || args.iter().any(is_aggregate),
        _ => false,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fold {
    Count,
    Distinct,
    Sum,
    Avg,
    Min,
    Max,
}

impl Fold {
    fn named(name: &str) -> Option<Self> {
        Some(match name.to_ascii_uppercase().as_str() {
            "COUNT" => Self::Count,
            "COUNT_DISTINCT" => Self::Distinct,
            "SUM" => Self::Sum,
            "AVG" => Self::Avg,
            "MIN" => Self::Min,
            "MAX" => Self::Max,
            _ => return None,
        })
    }
}

/// What one group has seen for one fold.
#[derive(Debug, Default, Clone)]
struct Tally {
    count: i64,
    sum: f64,
    least: Option<Val>,
    most: Option<Val>,
    seen: HashSet<Member>,
}

/// A cell of the answer: a group's key, or a fold over its rows.
enum Cell {
    Key(usize),
    Fold(Fold, Option<Operand>),
}

struct Plan<'a> {
    scope: &'a Scope<'a>,
    keys: Vec<(Expr, Operand)>,
    cells: std::cell::RefCell<Vec<(Expr, Cell)>>,
}

impl Plan<'_> {
    /// The cell of an expression, made if it is new.
    fn cell(&self, expr: &Expr) -> Outcome<Operand> {
        if let Some(place) = self.cells.borrow().iter().position(|(known, _)| same(known, expr)) {
            return Ok(Operand::Cell(place, self.kind(place)));
        }
        let cell = match expr {
            Expr::Call { name, args, .. } if Fold::named(name).is_some() => {
                let fold = Fold::named(name).unwrap_or(Fold::Count);
                let inner = args.first().map(|inner| self.scope.operand(inner)).transpose()?;
                Cell::Fold(fold, inner)
            }
            Expr::Call { name, args, .. } if name.eq_ignore_ascii_case("FORMAT") && args.len() == 1 => {
                return self.cell(&args[0]);
            }
            _ => match self.keys.iter().position(|(known, _)| same(known, expr)) {
                Some(key) => Cell::Key(key),
                None => {
                    let (at, name) = match expr {
                        Expr::Field(name) => (name.at, name.parts.join(".")),
                        Expr::Call { name, at, .. } => (*at, name.clone()),
                        Expr::Literal(_) => (0, String::new()),
                    };
                    let message = format!("Field must be grouped or aggregated: {name}");
                    return Err(self.scope.problem(at, "MALFORMED_QUERY", &message));
                }
            },
        };
        self.cells.borrow_mut().push((expr.clone(), cell));
        let place = self.cells.borrow().len() - 1;
        Ok(Operand::Cell(place, self.kind(place)))
    }

    fn kind(&self, place: usize) -> Kind {
        match &self.cells.borrow()[place].1 {
            Cell::Key(key) => self.keys[*key].1.kind(),
            Cell::Fold(Fold::Count | Fold::Distinct, _) => Kind::Int,
            Cell::Fold(Fold::Sum | Fold::Avg, _) => Kind::Double,
            Cell::Fold(_, inner) => inner.as_ref().map_or(Kind::Int, Operand::kind),
        }
    }
}

/// Two expressions that mean the same, wherever they stand.
fn same(left: &Expr, right: &Expr) -> bool {
    match (left, right) {
        (Expr::Field(left), Expr::Field(right)) => {
            left.parts.len() == right.parts.len()
                && left.parts.iter().zip(&right.parts).all(|(a, b)| a.eq_ignore_ascii_case(b))
        }
        (Expr::Call { name: a, args: left, .. }, Expr::Call { name: b, args: right, .. }) => {
            a.eq_ignore_ascii_case(b) && left.len() == right.len() && left.iter().zip(right).all(|(a, b)| same(a, b))
        }
        (left, right) => left == right,
    }
}

/// Runs a query that groups or aggregates.
pub fn run(scope: &Scope<'_>) -> Outcome<Vec<Value>> {
    let query = scope.query;
    run::refuse(scope, query)?;
    let mut keys = Vec::new();
    match &query.group {
        None => {}
        Some(Group::By(all)) => {
            for expr in all {
                keys.push((expr.clone(), groupable(scope, scope.operand(expr)?)?));
            }
        }
        Some(Group::Rollup | Group::Cube) => {
            let message = "GROUP BY ROLLUP and CUBE are not supported by this sandbox";
            return Err(scope.problem(query.from.at, "MALFORMED_QUERY", message));
        }
    }
    let plan = Plan { scope, keys, cells: std::cell::RefCell::default() };
    let columns = columns(&plan)?;
    let cells = |expr: &Expr| plan.cell(expr);
    let having = query.having.as_ref().map(|cond| scope.test(cond, &cells)).transpose()?;
    let mut order: Vec<Sort> = Vec::new();
    for by in &query.order {
        order.push(run::sort(scope, by, plan.cell(&by.by)?)?);
    }
    let mut groups = collect(&plan)?;
    groups.retain(|cells| {
        let env = Env { world: scope.world, row: None, cells };
        having.as_ref().is_none_or(|test| test.passes(env))
    });
    groups.sort_by(|left, right| {
        let keys = |cells: &[Option<Val>]| -> Vec<Option<Val>> {
            let env = Env { world: scope.world, row: None, cells };
            order.iter().map(|sort| sort.by.read(env).map(std::borrow::Cow::into_owned)).collect()
        };
        run::by_keys(&order, &keys(left), &keys(right))
    });
    let offset = run::offset(scope, query)?;
    let limit = query.limit.map_or(MAX_GROUPS, |limit| (limit as usize).min(MAX_GROUPS));
    Ok(groups.iter().skip(offset).take(limit).map(|cells| shown(&columns, cells)).collect())
}

fn groupable(scope: &Scope<'_>, key: Operand) -> Outcome<Operand> {
    if let Operand::Path(path) = &key
        && let Some(field) = scope.field_of(path)
        && !field.groupable
    {
        let message = format!("field '{}' can not be grouped in a query call", field.name);
        return Err(scope.problem(0, "INVALID_FIELD", &message));
    }
    Ok(key)
}

/// Names and places of the answer's columns; what has no alias is `expr0`, `expr1`, …
fn columns(plan: &Plan<'_>) -> Outcome<Vec<(String, usize)>> {
    let mut columns = Vec::new();
    let mut unnamed = 0;
    for select in &plan.scope.query.select {
        let Select::Expr { expr, alias } = select else {
            let message = "sub-queries and TYPEOF cannot stand in an aggregate query";
            return Err(plan.scope.problem(0, "MALFORMED_QUERY", message));
        };
        let Operand::Cell(place, _) = plan.cell(expr)? else { continue };
        let name = match (alias, expr) {
            (Some(alias), _) => alias.clone(),
            (None, Expr::Field(name)) => {
                let path = plan.scope.path(name)?;
                let field = plan.scope.field_of(&path).map(|field| field.name.clone());
                field.or_else(|| name.parts.last().cloned()).unwrap_or_default()
            }
            _ => {
                unnamed += 1;
                format!("expr{}", unnamed - 1)
            }
        };
        columns.push((name, place));
    }
    Ok(columns)
}

fn shown(columns: &[(String, usize)], cells: &[Option<Val>]) -> Value {
    let mut out = Map::new();
    out.insert("attributes".into(), json!({"type": "AggregateResult"}));
    for (name, place) in columns {
        out.insert(name.clone(), cells[*place].as_ref().map_or(Value::Null, Val::to_json));
    }
    Value::Object(out)
}

fn collect(plan: &Plan<'_>) -> Outcome<Vec<Vec<Option<Val>>>> {
    let scope = plan.scope;
    let test = run::filter(scope)?;
    let cells = plan.cells.borrow();
    let mut groups: BTreeMap<String, (Vec<Option<Val>>, Vec<Tally>)> = BTreeMap::new();
    let fresh = || vec![Tally::default(); cells.len()];
    if plan.keys.is_empty() {
        groups.insert(String::new(), (Vec::new(), fresh()));
    }
    let candidates = test.as_ref().and_then(|test| test.candidates(scope));
    let table = scope.world.table(scope.object);
    let mut visit = |row: &Row| {
        let env = Env { world: scope.world, row: Some((scope.object, row)), cells: &[] };
        let unseen = (row.deleted && !scope.all_rows) || scope.world.is_hidden(row.id);
        if unseen || test.as_ref().is_some_and(|test| !test.passes(env)) {
            return;
        }
        let keys: Vec<Option<Val>> =
            plan.keys.iter().map(|(_, key)| key.read(env).map(std::borrow::Cow::into_owned)).collect();
        // Groups are told apart, and first put in order, by how their keys read.
        let name: String = keys
            .iter()
            .map(|key| match key {
                None => "\u{0}\u{1}".to_owned(),
                Some(key) => format!("{}\u{1}", key.to_json().to_string().to_lowercase()),
            })
            .collect();
        let (_, tallies) = groups.entry(name).or_insert_with(|| (keys, fresh()));
        for ((_, cell), tally) in cells.iter().zip(tallies) {
            if let Cell::Fold(_, inner) = cell {
                tally.add(inner.as_ref(), env);
            }
        }
    };
    match candidates {
        Some(slots) => slots.iter().filter_map(|slot| table.row(*slot)).for_each(&mut visit),
        None => table.rows().for_each(|(_, row)| visit(row)),
    }
    let finish = |(keys, tallies): (Vec<Option<Val>>, Vec<Tally>)| {
        cells
            .iter()
            .zip(tallies)
            .map(|((_, cell), tally)| match cell {
                Cell::Key(key) => keys[*key].clone(),
                Cell::Fold(fold, _) => tally.value(*fold),
            })
            .collect()
    };
    Ok(groups.into_values().map(finish).collect())
}

impl Tally {
    fn add(&mut self, inner: Option<&Operand>, env: Env<'_>) {
        let Some(inner) = inner else {
            self.count += 1;
            return;
        };
        let Some(value) = inner.read(env) else { return };
        self.count += 1;
        self.sum += value.as_number().unwrap_or(0.0);
        self.seen.insert(member(&value, inner.case_sensitive()));
        let beats = |than: &Option<Val>, wanted| than.as_ref().is_none_or(|old| run::value_cmp(&value, old) == wanted);
        if beats(&self.least, std::cmp::Ordering::Less) {
            self.least = Some(value.clone().into_owned());
        }
        if beats(&self.most, std::cmp::Ordering::Greater) {
            self.most = Some(value.into_owned());
        }
    }

    fn value(self, fold: Fold) -> Option<Val> {
        match fold {
            Fold::Count => Some(Val::Int(self.count)),
            Fold::Distinct => i64::try_from(self.seen.len()).ok().map(Val::Int),
            Fold::Sum => (self.count > 0).then_some(Val::Num(self.sum)),
            Fold::Avg => (self.count > 0).then(|| Val::Num(self.sum / self.count as f64)),
            Fold::Min => self.least,
            Fold::Max => self.most,
        }
    }
}
