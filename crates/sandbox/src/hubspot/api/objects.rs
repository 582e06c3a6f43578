//! One record at a time: list, read, make, change, archive, merge, erase.

use http::Method;
use serde_json::{Map, Value, json};

use super::super::{
    State,
    error::Failure,
    schema::{CONTACT, TypeNo},
    world::{Record, Slot, World},
};
use super::{
    Ask, Done, Outcome, associations, batch, id_of, paging, search,
    shape::{self, Wanted},
};

/// Rows of a list: by default, at most, and at most when former values are asked for.
const LIMIT_DEFAULT: usize = 10;
const LIMIT_MAX: usize = 100;
const LIMIT_HISTORY: usize = 50;

/// An association that is to be made with a record: the other end and the types.
pub(super) type NewLink = ((TypeNo, u64), Vec<u32>);

pub(super) fn answer(state: &mut State, ask: &Ask<'_>) -> Outcome {
    let [_, name, rest @ ..] = ask.path.as_slice() else { return Ok(Done::Nowhere(404)) };
    let object = state.world.schema.named(name)?;
    match (ask.method, rest) {
        (&Method::GET, []) => list(state, ask, object),
        (&Method::POST, []) => create(state, ask, object),
        (&Method::POST, ["batch", what]) => batch::answer(state, ask, object, what),
        (&Method::POST, ["search"]) => search::answer(state, ask, object),
        (&Method::POST, ["merge"]) => merge(state, ask, object),
        (&Method::POST, ["gdpr-delete"]) => erase(state, ask, object),
        (&Method::GET, [id]) => read(state, ask, object, id),
        (&Method::PATCH, [id]) => update(state, ask, object, id),
        (&Method::DELETE, [id]) => {
            // An id that nobody has is archived just as well (recorded 2026-03).
            if let Some(slot) = state.world.look_up(object, id, None)? {
                state.world.archive(object, slot, ask.by);
            }
            Ok(Done::Empty(204))
        }
        (_, [id, "associations", rest @ ..]) => associations::of_record(state, ask, object, id, rest),
        _ => Ok(Done::Nowhere(405)),
    }
}

fn wanted(state: &State, ask: &Ask<'_>, object: TypeNo) -> Result<Wanted, Failure> {
    let kind = &state.world.schema.types[object];
    Wanted::new(kind, ask.many("properties"), ask.many("propertiesWithHistory"))
        .with_links(&state.world, &ask.many("associations"))
}

fn list(state: &State, ask: &Ask<'_>, object: TypeNo) -> Outcome {
    let wanted = wanted(state, ask, object)?;
    let limit = ask.limit(LIMIT_DEFAULT, if wanted.history.is_empty() { LIMIT_MAX } else { LIMIT_HISTORY })?;
    let after = match ask.one("after") {
        Some(text) => text.parse().map_err(|_| Failure::invalid("after is not a cursor"))?,
        None => 0,
    };
    let archived = ask.flag("archived");
    let table = &state.world.tables[object];
    let mut rows = table.rows_from(table.after(after)).filter(|row| !row.gone && row.archived.is_some() == archived);
    let page: Vec<&Record> = rows.by_ref().take(limit).collect();
    let shown: Vec<Value> =
        page.iter().map(|row| shape::read(&state.world, ask.config, object, row, &wanted).into()).collect();
    let mut body = json!({"results": shown});
    if let Some(last) = page.last().filter(|_| rows.next().is_some()) {
        body["paging"] = paging(last.id);
    }
    Ok(Done::Json(200, body))
}

/// The record that a path names, unless it is archived.
pub(super) fn live(world: &World, object: TypeNo, id: &str, property: Option<&str>) -> Result<Slot, Failure> {
    let found = world.look_up(object, id, property)?;
    found.filter(|slot| world.row(object, *slot).live()).ok_or_else(Failure::not_found)
}

fn read(state: &State, ask: &Ask<'_>, object: TypeNo, id: &str) -> Outcome {
    let id = percent_encoding::percent_decode_str(id).decode_utf8_lossy();
    let found = state.world.look_up(object, &id, ask.one("idProperty"))?;
    let row = found.map(|slot| state.world.row(object, slot));
    let row = row.filter(|row| row.archived.is_some() == ask.flag("archived")).ok_or_else(Failure::not_found)?;
    let wanted = wanted(state, ask, object)?;
    Ok(Done::Json(200, shape::read(&state.world, ask.config, object, row, &wanted).into()))
}

/// The properties of a body or of one of its inputs.
pub(super) fn properties(body: &Map<String, Value>) -> Result<&Map<String, Value>, Failure> {
    let properties = body.get("properties").and_then(Value::as_object);
    properties.ok_or_else(|| Failure::invalid("Invalid input JSON: properties are missing"))
}

/// The associations that a body or an input asks for.
pub(super) fn links(world: &World, object: TypeNo, body: &Map<String, Value>) -> Result<Vec<NewLink>, Failure> {
    let mut links = Vec::new();
    for one in body.get("associations").and_then(Value::as_array).into_iter().flatten() {
        let id = one.pointer("/to/id").and_then(id_of).and_then(|id| id.parse::<u64>().ok());
        let id = id.ok_or_else(|| Failure::invalid("Invalid input JSON: an association has no id"))?;
        let types: Vec<u32> = associations::type_ids(&one["types"])?;
        let Some(first) = types.first() else {
            return Err(Failure::invalid("Invalid input JSON: an association has no types"));
        };
        // The type alone says what the other record is.
        let to =
            (0..world.schema.types.len()).find(|to| world.links.types(object, *to).any(|known| known.id == *first));
        let to =
            to.ok_or_else(|| Failure::invalid(format!("No association type with id {first} exists for this object")))?;
        for id in &types {
            world.links.named(object, to, *id)?;
        }
        let Some(slot) = world.tables[to].find(id).filter(|slot| world.row(to, *slot).live()) else {
            let kind = &world.schema.types[to].singular.to_uppercase();
            return Err(Failure::invalid(format!(
                "One or more associations are not valid: {kind} {id} does not exist"
            )));
        };
        links.push(((to, world.row(to, slot).id), types));
    }
    Ok(links)
}

fn create(state: &mut State, ask: &Ask<'_>, object: TypeNo) -> Outcome {
    let body = ask.body()?;
    let links = links(&state.world, object, body)?;
    let given = state.world.given(object, properties(body)?)?;
    let given = state.world.check_create(object, given)?;
    let slot = state.world.create(object, &given, ask.by);
    let id = state.world.row(object, slot).id;
    let shown = shape::made(&state.world, ask.config, object, state.world.row(object, slot), &given);
    for (to, types) in links {
        state.world.join((object, id), to, &types, ask.by);
    }
    Ok(Done::Json(201, shown.into()))
}

fn update(state: &mut State, ask: &Ask<'_>, object: TypeNo, id: &str) -> Outcome {
    let id = percent_encoding::percent_decode_str(id).decode_utf8_lossy();
    let slot = live(&state.world, object, &id, ask.one("idProperty"))?;
    let given = state.world.given(object, properties(ask.body()?)?)?;
    state.world.check_update(object, slot, &given)?;
    state.world.update(object, slot, &given, ask.by);
    let shown = shape::changed(&state.world, ask.config, object, state.world.row(object, slot), &given);
    Ok(Done::Json(200, shown.into()))
}

fn merge(state: &mut State, ask: &Ask<'_>, object: TypeNo) -> Outcome {
    let primary = live(&state.world, object, ask.text("primaryObjectId")?, None)?;
    let other = live(&state.world, object, ask.text("objectIdToMerge")?, None)?;
    let survivor = state.world.merge(object, primary, other, ask.by)?;
    let row = state.world.row(object, survivor);
    Ok(Done::Json(200, shape::made(&state.world, ask.config, object, row, &Vec::new()).into()))
}

fn erase(state: &mut State, ask: &Ask<'_>, object: TypeNo) -> Outcome {
    let id = ask.text("objectId")?;
    let property = ask.body()?.get("idProperty").and_then(Value::as_str);
    match state.world.look_up(object, id, property)? {
        Some(slot) => state.world.erase(object, slot, ask.by),
        None if object == CONTACT && property == Some("email") => {
            state.world.blocked.insert(id.trim().to_lowercase());
        }
        None => return Err(Failure::not_found()),
    }
    Ok(Done::Empty(204))
}
