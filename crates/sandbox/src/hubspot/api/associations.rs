//! Associations, version 4: the types there are, and joining, reading and parting records one by one or in batches.

use http::Method;
use serde_json::{Value, json};

use super::super::{
    State,
    error::Failure,
    schema::TypeNo,
    world::{LinkType, World},
};
use super::{
    Ask, Done, Outcome,
    batch::{finished, inputs},
    id_of, objects, paging,
};

/// Rows of a page, unless asked otherwise and at the most.
const LIMIT: usize = 500;

type End = (TypeNo, u64);

/// The ids in a list of `{"associationCategory", "associationTypeId"}`.
pub(super) fn type_ids(types: &Value) -> Result<Vec<u32>, Failure> {
    let ids: Option<Vec<u32>> =
        types.as_array().into_iter().flatten().map(|one| id_of(&one["associationTypeId"])?.parse().ok()).collect();
    ids.ok_or_else(|| Failure::invalid("Invalid input JSON: associationTypeId is missing"))
}

fn spec(known: &LinkType) -> Value {
    json!({"category": known.category(), "typeId": known.id, "label": known.label})
}

fn end(world: &World, object: TypeNo, id: &str) -> Result<End, Failure> {
    let slot = objects::live(world, object, id, None)?;
    Ok((object, world.row(object, slot).id))
}

/// What the two are to one another after a labelled write.
fn pair(world: &World, from: End, to: End) -> Value {
    let types = world.links.between(from, to);
    let labels: Vec<&String> = world
        .links
        .types(from.0, to.0)
        .filter(|known| types.contains(&known.id))
        .filter_map(|known| known.label.as_ref())
        .collect();
    json!({"fromObjectTypeId": world.schema.types[from.0].id, "fromObjectId": from.1.to_string(),
           "toObjectTypeId": world.schema.types[to.0].id, "toObjectId": to.1.to_string(), "labels": labels})
}

/// What the two are to one another after an unlabelled write: once from each end.
fn both(world: &World, from: End, to: End) -> Result<Vec<Value>, Failure> {
    let one = |from: End, to: End| -> Result<Value, Failure> {
        Ok(json!({"from": {"id": from.1.to_string()}, "to": {"id": to.1.to_string()},
            "associationSpec": {"associationCategory": "HUBSPOT_DEFINED",
                                "associationTypeId": world.links.default_type(from.0, to.0)?}}))
    };
    Ok(vec![one(from, to)?, one(to, from)?])
}

fn joined_with(world: &World, from: End, to: TypeNo, limit: usize, after: u64) -> (Vec<Value>, Option<u64>) {
    let mut rows = world.joined(from, to).filter(|(id, _)| *id > after);
    let page: Vec<_> = rows.by_ref().take(limit).collect();
    let more = rows.next().and(page.last()).map(|(id, _)| *id);
    let shown = page.into_iter().map(|(id, types)| {
        let types: Vec<Value> =
            world.links.types(from.0, to).filter(|known| types.contains(&known.id)).map(spec).collect();
        json!({"toObjectId": id.to_string(), "associationTypes": types})
    });
    (shown.collect(), more)
}

/// `/objects/{type}/{id}/associations/…`
pub(super) fn of_record(state: &mut State, ask: &Ask<'_>, object: TypeNo, id: &str, rest: &[&str]) -> Outcome {
    let world = &mut state.world;
    let from = end(world, object, id)?;
    match (ask.method, rest) {
        (&Method::GET, [to]) => {
            let to = world.schema.named(to)?;
            let after = ask.one("after").and_then(|text| text.parse().ok()).unwrap_or(0);
            let (rows, more) = joined_with(world, from, to, ask.limit(LIMIT, LIMIT)?, after);
            let mut body = json!({"results": rows});
            if let Some(last) = more {
                body["paging"] = paging(last);
            }
            Ok(Done::Json(200, body))
        }
        (&Method::PUT, ["default", to, to_id]) => {
            let to = end(world, world.schema.named(to)?, to_id)?;
            world.may_join(from, to, &[])?;
            let results = both(world, from, to)?;
            world.join(from, to, &[], ask.by);
            Ok(finished(ask, 200, results, &[]))
        }
        (&Method::PUT, [to, to_id]) => {
            let to = end(world, world.schema.named(to)?, to_id)?;
            let types = type_ids(&Value::from(ask.body_list()?))?;
            world.may_join(from, to, &types)?;
            world.join(from, to, &types, ask.by);
            Ok(Done::Json(201, pair(world, from, to)))
        }
        (&Method::DELETE, [to, to_id]) => {
            let to = world.schema.named(to)?;
            if let Ok(to) = end(world, to, to_id) {
                world.part(from, to, None, ask.by);
            }
            Ok(Done::Empty(204))
        }
        _ => Ok(Done::Nowhere(405)),
    }
}

/// `/associations/{from}/{to}/…`
pub(super) fn answer(state: &mut State, ask: &Ask<'_>) -> Outcome {
    let [_, from, to, rest @ ..] = ask.path.as_slice() else { return Ok(Done::Nowhere(404)) };
    let (from, to) = (state.world.schema.named(from)?, state.world.schema.named(to)?);
    match (ask.method, rest) {
        (&Method::GET, ["labels"]) => {
            let results: Vec<Value> = state.world.links.types(from, to).map(spec).collect();
            Ok(Done::Json(200, json!({"results": results})))
        }
        (&Method::POST, ["labels"]) => {
            let label = ask.text("label")?.to_owned();
            let inverse = ask.body()?.get("inverseLabel").and_then(Value::as_str);
            let (there, back) = state.world.links.add_label(from, to, &label, inverse);
            let made = |from: TypeNo, to: TypeNo, id: u32| {
                state.world.links.types(from, to).find(|known| known.id == id).map(spec)
            };
            let results: Vec<Value> = [made(from, to, there), made(to, from, back)].into_iter().flatten().collect();
            Ok(Done::Json(200, json!({"results": results})))
        }
        (&Method::POST, ["batch", "create"]) => many(state, ask, (from, to), false),
        (&Method::POST, ["batch", "associate", "default"]) => many(state, ask, (from, to), true),
        (&Method::POST, ["batch", "read"]) => read(state, ask, from, to),
        (&Method::POST, ["batch", "archive"]) => {
            for input in inputs(ask)? {
                let Ok(one) = row_end(&state.world, from, &input["from"]) else { continue };
                for other in input["to"].as_array().into_iter().flatten() {
                    if let Ok(other) = row_end(&state.world, to, other) {
                        state.world.part(one, other, None, ask.by);
                    }
                }
            }
            Ok(Done::Empty(204))
        }
        (&Method::POST, ["batch", "labels", "archive"]) => {
            for input in inputs(ask)? {
                let types = type_ids(&input["types"])?;
                let ends = row_end(&state.world, from, &input["from"])
                    .and_then(|one| Ok((one, row_end(&state.world, to, &input["to"])?)));
                if let Ok((one, other)) = ends {
                    state.world.part(one, other, Some(&types), ask.by);
                }
            }
            Ok(Done::Empty(204))
        }
        _ => Ok(Done::Nowhere(404)),
    }
}

fn row_end(world: &World, object: TypeNo, given: &Value) -> Result<End, Failure> {
    let id = id_of(&given["id"]).ok_or_else(|| Failure::invalid("Invalid input JSON: an id is missing"))?;
    end(world, object, &id).map_err(|failure| {
        let kind = &world.schema.types[object].singular;
        Failure { message: format!("No {kind} with id {id} exists"), ..failure }.with("objectId", vec![id])
    })
}

fn many(state: &mut State, ask: &Ask<'_>, (from, to): (TypeNo, TypeNo), default: bool) -> Outcome {
    let mut results = Vec::new();
    let mut failures = Vec::new();
    for input in inputs(ask)? {
        let world = &mut state.world;
        let row = row_end(world, from, &input["from"]).and_then(|one| {
            let other = row_end(world, to, &input["to"])?;
            let types = if default { Vec::new() } else { type_ids(&input["types"])? };
            world.may_join(one, other, &types)?;
            Ok((one, other, types))
        });
        match row {
            Ok((one, other, types)) => {
                world.join(one, other, &types, ask.by);
                if default { results.extend(both(world, one, other)?) } else { results.push(pair(world, one, other)) }
            }
            Err(failure) => failures.push(failure),
        }
    }
    Ok(finished(ask, if default { 200 } else { 201 }, results, &failures))
}

/// A record without associations is an error of its row, not an empty list.
fn read(state: &State, ask: &Ask<'_>, from: TypeNo, to: TypeNo) -> Outcome {
    let world = &state.world;
    let mut results = Vec::new();
    let mut failures = Vec::new();
    for input in inputs(ask)? {
        let id = id_of(&input["id"]).unwrap_or_default();
        let after = input["after"].as_str().and_then(|text| text.parse().ok()).unwrap_or(0);
        let found = row_end(world, from, input).ok().map(|one| joined_with(world, one, to, LIMIT, after));
        match found.filter(|(rows, _)| !rows.is_empty()) {
            Some((rows, more)) => {
                let mut row = json!({"from": {"id": id}, "to": rows});
                if let Some(last) = more {
                    row["paging"] = paging(last);
                }
                results.push(row);
            }
            None => {
                let (one, other) = (&world.schema.types[from].singular, &world.schema.types[to].singular);
                let failure =
                    Failure::new(404, "OBJECT_NOT_FOUND", format!("No {other} is associated with {one} {id}."));
                failures.push(
                    Failure { sub_category: Some("crm.associations.NO_ASSOCIATIONS_FOUND"), ..failure }
                        .with("fromObjectId", vec![id])
                        .with("fromObjectType", vec![one.clone()])
                        .with("toObjectType", vec![other.clone()]),
                );
            }
        }
    }
    Ok(finished(ask, 200, results, &failures))
}
