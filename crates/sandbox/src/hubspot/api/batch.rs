//! Up to a hundred records in one call. Rows fail one by one only where each has a trace id; else the whole call does.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::super::{
    State,
    error::Failure,
    schema::TypeNo,
    time::stamp,
    world::{Given, Slot},
};
use super::{
    Ask, Done, Outcome, id_of,
    objects::{NewLink, links, properties},
    shape::{self, Wanted},
};

/// Rows of a call.
pub(super) const MAX_ROWS: usize = 100;
/// Where a failed row's trace id stands in its error's context. The name is assumed.
const TRACE_CONTEXT: &str = "objectWriteTraceId";
const TRACE: &str = "objectWriteTraceId";

/// The rows of a call, not too many.
pub(super) fn inputs<'a>(ask: &'a Ask<'_>) -> Result<&'a [Value], Failure> {
    let inputs = ask.body()?.get("inputs").and_then(Value::as_array);
    let inputs = inputs.ok_or_else(|| Failure::invalid("Invalid input JSON: inputs are missing"))?;
    if inputs.len() > MAX_ROWS {
        return Err(Failure::invalid(format!(
            "The maximum number of inputs is {MAX_ROWS}, but {} were given",
            inputs.len()
        )));
    }
    Ok(inputs)
}

/// The answer to a call with several rows.
pub(super) fn finished(ask: &Ask<'_>, status: u16, results: Vec<Value>, failures: &[Failure]) -> Done {
    let at = stamp(ask.by.at);
    let mut body = json!({"completedAt": at, "status": "COMPLETE", "startedAt": at, "results": results});
    if failures.is_empty() {
        return Done::Json(status, body);
    }
    body["numErrors"] = failures.len().into();
    body["errors"] = failures.iter().map(Failure::row).collect();
    Done::Json(207, body)
}

pub(super) fn answer(state: &mut State, ask: &Ask<'_>, object: TypeNo, what: &str) -> Outcome {
    match what {
        "read" => read(state, ask, object),
        "create" => write(state, ask, object, Mode::Create),
        "update" => write(state, ask, object, Mode::Update),
        "upsert" => write(state, ask, object, Mode::Upsert),
        "archive" => {
            for id in inputs(ask)?.iter().filter_map(|input| id_of(&input["id"])) {
                if let Some(slot) = state.world.look_up(object, &id, None)? {
                    state.world.archive(object, slot, ask.by);
                }
            }
            Ok(Done::Empty(204))
        }
        _ => Ok(Done::Nowhere(404)),
    }
}

/// Results do not come in the order of the rows (recorded 2022); which order it is follows from ids and the call.
fn shuffle(rows: &mut [(u64, Value)], request: u64) {
    const ODD: u64 = 0x9E37_79B9_7F4A_7C15;
    rows.sort_by_key(|(id, _)| (id ^ request).wrapping_mul(ODD).rotate_left(17));
}

fn names<'a>(body: &'a Map<String, Value>, name: &str) -> Vec<&'a str> {
    body.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
}

fn read(state: &State, ask: &Ask<'_>, object: TypeNo) -> Outcome {
    let inputs = inputs(ask)?;
    let body = ask.body()?;
    let property = body.get("idProperty").and_then(Value::as_str);
    let kind = &state.world.schema.types[object];
    let wanted = Wanted::new(kind, names(body, "properties"), names(body, "propertiesWithHistory"));
    let archived = ask.flag("archived");
    let mut rows = Vec::new();
    let mut seen = HashSet::new();
    let mut missing = Vec::new();
    for input in inputs {
        let id = id_of(&input["id"]).ok_or_else(|| Failure::invalid("Invalid input JSON: an input has no id"))?;
        let found = state.world.look_up(object, &id, property)?;
        let row = found.map(|slot| state.world.row(object, slot)).filter(|row| row.archived.is_some() == archived);
        match row {
            Some(row) if seen.insert(row.id) => {
                rows.push((row.id, shape::read(&state.world, ask.config, object, row, &wanted).into()));
            }
            Some(_) => {}
            None => missing.push(id),
        }
    }
    shuffle(&mut rows, ask.by.request);
    let failures: Vec<Failure> =
        if missing.is_empty() { Vec::new() } else { vec![Failure::some_missing(&kind.singular, missing)] };
    Ok(finished(ask, 200, rows.into_iter().map(|(_, row)| row).collect(), &failures))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Create,
    Update,
    Upsert,
}

/// A row that may be done.
struct Row {
    slot: Option<Slot>,
    given: Given,
    links: Vec<NewLink>,
    trace: Option<String>,
}

fn write(state: &mut State, ask: &Ask<'_>, object: TypeNo, mode: Mode) -> Outcome {
    let inputs = inputs(ask)?;
    let rows: Vec<&Map<String, Value>> = inputs.iter().filter_map(Value::as_object).collect();
    if rows.len() < inputs.len() {
        return Err(Failure::invalid("Invalid input JSON: an input is not an object"));
    }
    check_together(&rows, mode)?;
    let traced = !rows.is_empty() && rows.iter().all(|row| row.get(TRACE).is_some_and(Value::is_string));
    let mut done: Vec<(u64, Value)> = Vec::new();
    let mut failures: Vec<Failure> = Vec::new();
    if traced {
        for row in rows {
            let prepared = prepare(state, ask, object, row, mode).and_then(|row| row.ok_or_else(Failure::not_found));
            match prepared {
                Ok(row) => done.push(apply(state, ask, object, row, mode)),
                Err(failure) => {
                    let trace = row[TRACE].as_str().unwrap_or_default().to_owned();
                    failures.push(failure.with(TRACE_CONTEXT, vec![trace]));
                }
            }
        }
    } else {
        let mut prepared = Vec::new();
        let mut missing = Vec::new();
        for row in rows {
            match prepare(state, ask, object, row, mode)? {
                Some(ready) => prepared.push(ready),
                None => missing.extend(row.get("id").and_then(id_of)),
            }
        }
        check_apart(state, object, &prepared)?;
        done.extend(prepared.into_iter().map(|row| apply(state, ask, object, row, mode)));
        if !missing.is_empty() {
            failures.push(Failure::some_missing(&state.world.schema.types[object].singular, missing));
        }
    }
    shuffle(&mut done, ask.by.request);
    let status = if mode == Mode::Create { 201 } else { 200 };
    Ok(finished(ask, status, done.into_iter().map(|(_, row)| row).collect(), &failures))
}

/// What is wrong with the rows as a whole: an id twice, or different properties as ids.
fn check_together(rows: &[&Map<String, Value>], mode: Mode) -> Result<(), Failure> {
    if mode == Mode::Create {
        return Ok(());
    }
    let property = |row: &&Map<String, Value>| row.get("idProperty").and_then(Value::as_str).map(str::to_owned);
    if rows.iter().map(property).collect::<HashSet<_>>().len() > 1 {
        return Err(Failure::invalid("All inputs must have the same idProperty"));
    }
    let mut seen = HashSet::new();
    let twice: Vec<String> = rows
        .iter()
        .filter_map(|row| id_of(row.get("id")?))
        .filter(|id| !seen.insert(id.trim().to_lowercase()))
        .collect();
    if twice.is_empty() {
        return Ok(());
    }
    Err(Failure::invalid(format!("Duplicate IDs found in batch input: [{}]. IDs must be unique", twice.join(", "))))
}

/// Without trace ids all rows are looked at before any is done: two new ones must not want the same unique value.
fn check_apart(state: &State, object: TypeNo, rows: &[Row]) -> Result<(), Failure> {
    let kind = &state.world.schema.types[object];
    let mut seen = HashSet::new();
    for (prop, value) in rows.iter().flat_map(|row| &row.given) {
        if kind.property(*prop).unique && !value.is_empty() && !seen.insert((*prop, value)) {
            return Err(Failure::new(
                409,
                "CONFLICT",
                format!("Duplicate values in the batch for {}", kind.property(*prop).name),
            ));
        }
    }
    Ok(())
}

/// `None`: there is no such record.
fn prepare(
    state: &State,
    ask: &Ask<'_>,
    object: TypeNo,
    row: &Map<String, Value>,
    mode: Mode,
) -> Result<Option<Row>, Failure> {
    let world = &state.world;
    let trace = row.get(TRACE).and_then(Value::as_str).map(str::to_owned);
    let mut given = world.given(object, properties(row)?)?;
    if mode == Mode::Create {
        let links = links(world, object, row)?;
        return Ok(Some(Row { slot: None, given: world.check_create(object, given)?, links, trace }));
    }
    let id = row.get("id").and_then(id_of).ok_or_else(|| Failure::invalid("Invalid input JSON: an input has no id"))?;
    let property = row.get("idProperty").and_then(Value::as_str);
    if property == Some("email") && mode == Mode::Update {
        let message =
            format!("Unable to perform update/upsert by non-unique {} property", world.schema.types[object].id);
        return Err(Failure::invalid(message));
    }
    let found = world.look_up(object, &id, property)?.filter(|slot| world.row(object, *slot).live());
    let found = found.filter(|slot| {
        // Whether an upsert by e-mail sees addresses that are not the first one is the account's manner.
        let kind = &world.schema.types[object];
        let first = || kind.find("email").and_then(|prop| world.row(object, *slot).get(prop));
        mode == Mode::Update
            || property != Some("email")
            || ask.config.upsert_by_email_sees_secondary
            || first() == Some(id.trim().to_lowercase().as_str())
    });
    match (found, property) {
        (Some(slot), _) => {
            world.check_update(object, slot, &given)?;
            Ok(Some(Row { slot: Some(slot), given, links: Vec::new(), trace }))
        }
        (None, Some(property)) if mode == Mode::Upsert && property != "hs_object_id" => {
            let key: Map<String, Value> = [(property.to_owned(), id.into())].into_iter().collect();
            for (prop, value) in world.given(object, &key)? {
                if !given.iter().any(|(no, _)| *no == prop) {
                    given.push((prop, value));
                }
            }
            Ok(Some(Row { slot: None, given: world.check_create(object, given)?, links: Vec::new(), trace }))
        }
        (None, _) => Ok(None),
    }
}

fn apply(state: &mut State, ask: &Ask<'_>, object: TypeNo, row: Row, mode: Mode) -> (u64, Value) {
    let world = &mut state.world;
    let (slot, new) = match row.slot {
        Some(slot) => {
            world.update(object, slot, &row.given, ask.by);
            (slot, false)
        }
        None => (world.create(object, &row.given, ask.by), true),
    };
    let record = world.row(object, slot);
    let id = record.id;
    let show = if new { shape::made } else { shape::changed };
    let mut shown = show(world, ask.config, object, record, &row.given);
    if mode == Mode::Upsert {
        shown.insert("new".into(), new.into());
    }
    if let Some(trace) = row.trace {
        shown.insert(TRACE.into(), trace.into());
    }
    for (to, types) in row.links {
        world.join((object, id), to, &types, ask.by);
    }
    (id, shown.into())
}
