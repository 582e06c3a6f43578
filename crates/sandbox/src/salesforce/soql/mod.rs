//! SOQL: read, checked against the schema, and run over the records. No HTTP here.
//!
//! What the grammar knows but the sandbox does not carry out is refused with an error that says so.

mod aggregate;
mod ast;
mod clauses;
mod dates;
mod filter;
mod lexer;
mod like;
mod parser;
mod render;
mod resolve;
mod run;
#[cfg(test)]
mod tests;

use serde_json::Value;

pub use render::Node;
pub use run::Rows;

use self::{
    ast::{Expr, Select},
    resolve::Scope,
};
use super::{
    error::{ApiError, Outcome},
    id::Id,
    world::{Slot, World},
};

/// What a query finds.
pub enum Found {
    /// `SELECT COUNT()`.
    Count(usize),
    /// Records, to be shown page by page.
    Rows(Box<Rows>, Vec<Slot>),
    /// Aggregate results.
    Groups(Vec<Value>),
}

/// Who asks, when, and whether deleted rows count.
#[derive(Clone, Copy)]
pub struct Asker {
    pub user: Id,
    pub now: i64,
    pub all_rows: bool,
    /// Whether the objects of the Tooling API are seen too.
    pub tooling: bool,
}

pub fn query(world: &World, text: &str, asker: Asker) -> Outcome<Found> {
    let mut query = parser::parse(text)?;
    people_only(world, &mut query)?;
    let name = query.from.parts.join(".");
    let object = object(world, text, &name, query.from.at, asker.tooling)?;
    let scope =
        Scope { world, text, object, query: &query, now: asker.now, user: asker.user, all_rows: asker.all_rows };
    if let [Select::Expr { expr: Expr::Call { name, args, .. }, .. }] = query.select.as_slice()
        && name.eq_ignore_ascii_case("COUNT")
        && args.is_empty()
        && query.group.is_none()
    {
        return count(&scope);
    }
    let aggregates =
        query.select.iter().any(|select| matches!(select, Select::Expr { expr, .. } if aggregate::is_aggregate(expr)));
    if aggregates || query.group.is_some() {
        return aggregate::run(&scope).map(Found::Groups);
    }
    if query.having.is_some() {
        return Err(scope.problem(query.from.at, "MALFORMED_QUERY", "unexpected token: 'HAVING'"));
    }
    let mut rows = run::rows(&scope)?;
    let slots = rows.run(world);
    Ok(Found::Rows(Box::new(rows), slots))
}

/// `EventWhoRelation`, which Shared Activities bring, shows those relations of events that are people they are about.
fn people_only(world: &World, query: &mut ast::Query) -> Outcome<()> {
    let named = matches!(query.from.parts.as_slice(), [name] if name.eq_ignore_ascii_case("EventWhoRelation"));
    if !named || !world.rules.shared_activities {
        return Ok(());
    }
    let only = parser::parse("SELECT Id FROM EventRelation WHERE IsParent = true AND IsWhat = false")?;
    query.from.parts = only.from.parts;
    let conditions: Vec<ast::Cond> = query.filter.take().into_iter().chain(only.filter).collect();
    query.filter = Some(ast::Cond::And(conditions));
    Ok(())
}

fn count(scope: &Scope<'_>) -> Outcome<Found> {
    let bare = ast::Query { select: Vec::new(), ..scope.query.clone() };
    if bare.filter.is_none()
        && bare.limit.is_none()
        && bare.scope.is_none()
        && !scope.all_rows
        && bare.offset.is_none()
        && scope.world.hidden.is_empty()
    {
        run::refuse(scope, scope.query)?;
        return Ok(Found::Count(scope.world.table(scope.object).live()));
    }
    let scope = Scope { query: &bare, ..*scope };
    let slots = run::rows(&scope)?.run(scope.world);
    Ok(Found::Count(slots.len()))
}

fn object(world: &World, text: &str, name: &str, at: usize, tooling: bool) -> Outcome<usize> {
    let known = world.schema.find(name).filter(|object| tooling || world.def(*object).flag("queryable"));
    known.ok_or_else(|| {
        let message = format!(
            "sObject type '{name}' is not supported. If you are attempting to use a custom object, be sure to append \
             the '__c' after the entity name. Please reference your WSDL or the describe call for the appropriate names."
        );
        let located: ApiError = parser::located(text, at, "INVALID_TYPE", &message);
        located
    })
}
