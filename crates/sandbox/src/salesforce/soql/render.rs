//! Rows as a query's answer shows them: nested parents, child lists, compound addresses.

use serde_json::{Map, Value, json};

use super::{
    ast::{Expr, Query, Select},
    resolve::{Env, Operand, Scope, follow, read_any},
    run,
};
use crate::salesforce::{
    error::Outcome,
    schema::{FieldNo, Kind, ObjectDef},
    world::{Row, Slot, Val, World},
};

/// Most rows of a query with `FIELDS(ALL)` or `FIELDS(CUSTOM)`.
const FIELDS_LIMIT: u64 = 200;

/// What to show of a record.
#[derive(Debug, Default)]
pub struct Node {
    items: Vec<Item>,
}

#[derive(Debug)]
enum Item {
    Field(FieldNo),
    Parent {
        name: String,
        no: FieldNo,
        any: bool,
        node: Node,
    },
    /// A name on a polymorphic parent.
    Named(Vec<String>),
    Child {
        name: String,
        plan: run::Rows,
        by: FieldNo,
    },
    Computed(String, Operand),
}

impl Node {
    /// All fields named, for reading rows outside a query.
    pub fn of_fields(numbers: impl Iterator<Item = FieldNo>) -> Self {
        Self { items: numbers.map(Item::Field).collect() }
    }

    pub fn plan(scope: &Scope<'_>, query: &Query) -> Outcome<Self> {
        let mut node = Self::default();
        for select in &query.select {
            match select {
                Select::Expr { expr: Expr::Field(name), .. } => {
                    let parts = scope.parts(name);
                    scope.path(name)?;
                    node.add(scope, scope.object, &parts, name.at)?;
                }
                Select::Expr { expr: Expr::Call { name, args, at }, alias } => {
                    if name.eq_ignore_ascii_case("FIELDS") {
                        node.all_fields(scope, query, args, *at)?;
                        continue;
                    }
                    let key = match (alias, args.first()) {
                        (Some(alias), _) => alias.clone(),
                        (None, Some(Expr::Field(name))) => name.parts.last().cloned().unwrap_or_default(),
                        _ => "expr0".to_owned(),
                    };
                    let call = Expr::Call { name: name.clone(), args: args.clone(), at: *at };
                    node.items.push(Item::Computed(key, scope.operand(&call)?));
                }
                Select::Expr { expr: Expr::Literal(_), .. } => {}
                Select::Child(query, at) => node.items.push(child(scope, query, *at)?),
                Select::TypeOf(at) => {
                    let message = "TYPEOF is not supported by this sandbox";
                    return Err(scope.problem(*at, "MALFORMED_QUERY", message));
                }
            }
        }
        Ok(node)
    }

    fn add(&mut self, scope: &Scope<'_>, object: usize, parts: &[String], at: usize) -> Outcome<()> {
        let def = scope.world.def(object);
        let Some((first, rest)) = parts.split_first() else { return Ok(()) };
        if rest.is_empty() {
            let no = def.field_no(first).ok_or_else(|| scope.no_column(at, first, &def.name))?;
            if self.items.iter().any(|item| matches!(item, Item::Field(seen) if *seen == no)) {
                let message = format!("duplicate field selected: {}", def.field(no).name);
                return Err(scope.problem(at, "INVALID_FIELD", &message));
            }
            self.items.push(Item::Field(no));
            return Ok(());
        }
        let no = scope.relationship(object, first, at)?;
        let field = def.field(no);
        let known = self.items.iter().position(|item| matches!(item, Item::Parent { no: seen, .. } if *seen == no));
        let place = known.unwrap_or_else(|| {
            self.items.push(Item::Parent {
                name: field.relationship.clone().unwrap_or_default(),
                no,
                any: field.polymorphic(),
                node: Self::default(),
            });
            self.items.len() - 1
        });
        let Item::Parent { node, any, .. } = &mut self.items[place] else { return Ok(()) };
        if *any {
            node.items.push(Item::Named(rest.to_vec()));
            return Ok(());
        }
        match field.reference_to.first().and_then(|name| scope.world.schema.find(name)) {
            Some(target) => node.add(scope, target, rest, at),
            None => Ok(()),
        }
    }

    fn all_fields(&mut self, scope: &Scope<'_>, query: &Query, args: &[Expr], at: usize) -> Outcome<()> {
        let which = match args {
            [Expr::Field(name)] => name.parts.join(".").to_ascii_uppercase(),
            _ => String::new(),
        };
        let keep: fn(bool) -> bool = match which.as_str() {
            "ALL" => |_| true,
            "STANDARD" => |custom| !custom,
            "CUSTOM" => |custom| custom,
            _ => return Err(scope.problem(at, "MALFORMED_QUERY", "FIELDS takes ALL, STANDARD or CUSTOM")),
        };
        if which != "STANDARD" && query.limit.is_none_or(|limit| limit > FIELDS_LIMIT) {
            let message = "The SOQL FIELDS function must have a LIMIT of at most 200";
            return Err(scope.problem(at, "MALFORMED_QUERY", message));
        }
        for (field, no) in scope.world.def(scope.object).fields.iter().zip(0..) {
            let there = self.items.iter().any(|item| matches!(item, Item::Field(seen) if *seen == no));
            if keep(field.custom) && !there && field.kind != Kind::JunctionIdList {
                self.items.push(Item::Field(no));
            }
        }
        Ok(())
    }

    /// The columns of a flat table of this; `None` when there is a list within.
    pub fn columns(&self, world: &World, object: usize) -> Option<Vec<String>> {
        let def = world.def(object);
        let mut out = Vec::new();
        for item in &self.items {
            match item {
                Item::Field(no) => out.push(def.field(*no).name.clone()),
                Item::Parent { name, no, node, .. } => {
                    let target = def.field(*no).reference_to.first().and_then(|name| world.schema.find(name));
                    let within = node.columns(world, target.unwrap_or(object))?;
                    out.extend(within.into_iter().map(|column| format!("{name}.{column}")));
                }
                Item::Named(names) => out.push(names.join(".")),
                Item::Child { .. } => return None,
                Item::Computed(key, _) => out.push(key.clone()),
            }
        }
        Some(out)
    }

    pub fn show(&self, world: &World, object: usize, row: &Row, version: u32) -> Value {
        let def = world.def(object);
        let mut out = Map::with_capacity(self.items.len() + 1);
        out.insert("attributes".into(), attributes(&def.name, def, row, version));
        self.fill(&mut out, world, object, row, version);
        Value::Object(out)
    }

    fn fill(&self, out: &mut Map<String, Value>, world: &World, object: usize, row: &Row, version: u32) {
        let def = world.def(object);
        for item in &self.items {
            match item {
                Item::Field(no) => {
                    out.insert(def.field(*no).name.clone(), shown(world, def, row, *no));
                }
                Item::Parent { name, no, any, node } => {
                    let parent = follow(world, row, *no).map(|(object, row)| {
                        let def = world.def(object);
                        let kind = if *any { "Name" } else { def.name.as_str() };
                        let mut out = Map::new();
                        out.insert("attributes".into(), attributes(kind, def, row, version));
                        node.fill(&mut out, world, object, row, version);
                        Value::Object(out)
                    });
                    out.insert(name.clone(), parent.unwrap_or(Value::Null));
                }
                Item::Named(names) => {
                    let value = read_any(world, object, row, names).map_or(Value::Null, |value| value.to_json());
                    if let Some(name) = names.last() {
                        out.insert(name.clone(), value);
                    }
                }
                Item::Child { name, plan, by } => {
                    out.insert(name.clone(), children(world, row, plan, *by, version));
                }
                Item::Computed(key, operand) => {
                    let env = Env { world, row: Some((object, row)), cells: &[] };
                    let value = operand.read(env).map_or(Value::Null, |value| value.to_json());
                    out.insert(key.clone(), value);
                }
            }
        }
    }
}

fn attributes(kind: &str, def: &ObjectDef, row: &Row, version: u32) -> Value {
    let mut out = Map::with_capacity(2);
    out.insert("type".into(), kind.into());
    let url = format!("/services/data/v{version}.0/sobjects/{}/{}", def.name, row.id.as_str());
    out.insert("url".into(), url.into());
    Value::Object(out)
}

/// A field's value as JSON, compound fields put together from their parts.
fn shown(world: &World, def: &ObjectDef, row: &Row, no: FieldNo) -> Value {
    let field = def.field(no);
    match field.kind {
        Kind::Compound => address(def, row, &field.name),
        Kind::JunctionIdList => match row.stored(no).and_then(Val::as_text) {
            Some(ids) => ids.split(';').filter(|id| !id.is_empty()).map(Value::from).collect(),
            None => json!([]),
        },
        _ => {
            let _ = world;
            row.read(def, no).map_or(Value::Null, |value| value.to_json())
        }
    }
}

/// `MailingAddress` and its like: null when none of its parts is there.
fn address(def: &ObjectDef, row: &Row, name: &str) -> Value {
    let prefix = name.trim_end_matches("Address");
    let parts = [
        ("city", "City"),
        ("country", "Country"),
        ("geocodeAccuracy", "GeocodeAccuracy"),
        ("latitude", "Latitude"),
        ("longitude", "Longitude"),
        ("postalCode", "PostalCode"),
        ("state", "State"),
        ("street", "Street"),
    ];
    let mut out = Map::new();
    for (key, part) in parts {
        let value = def.field_no(&format!("{prefix}{part}")).and_then(|no| row.stored(no)).map(Val::to_json);
        out.insert(key.into(), value.unwrap_or(Value::Null));
    }
    if out.values().all(Value::is_null) { Value::Null } else { Value::Object(out) }
}

fn child(scope: &Scope<'_>, query: &Query, at: usize) -> Outcome<Item> {
    let def = scope.world.def(scope.object);
    let name = query.from.parts.last().cloned().unwrap_or_default();
    let unknown = || {
        let message = format!(
            "Didn't understand relationship '{name}' in FROM part of query call. If you are attempting to use a custom \
             relationship, be sure to append the '__r' after the custom relationship name. Please reference your WSDL \
             or the describe call for the appropriate names."
        );
        scope.problem(at, "INVALID_TYPE", &message)
    };
    let child = def.child(&name).ok_or_else(unknown)?;
    let object = scope.world.schema.find(&child.object).ok_or_else(unknown)?;
    let by = scope.world.def(object).field_no(&child.field).ok_or_else(unknown)?;
    let inner = Scope { object, query, ..*scope };
    let plan = run::rows(&inner)?;
    Ok(Item::Child { name: child.relationship.clone().unwrap_or_default(), plan, by })
}

fn children(world: &World, row: &Row, plan: &run::Rows, by: FieldNo, version: u32) -> Value {
    let def = world.def(plan.object);
    let of_row = world.table(plan.object).lookup(def, by, &Val::Ref(row.id)).unwrap_or_default();
    let slots: Vec<Slot> = plan.pick(world, of_row.to_vec());
    if slots.is_empty() {
        return Value::Null;
    }
    let shown = |slot: &Slot| Some(plan.node.show(world, plan.object, world.row(plan.object, *slot)?, version));
    let records: Vec<Value> = slots.iter().filter_map(shown).collect();
    json!({"totalSize": records.len(), "done": true, "records": records})
}
