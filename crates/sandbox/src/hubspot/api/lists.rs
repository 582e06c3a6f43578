//! Lists of records and who is on them. Only lists that are kept by hand take members.

use http::Method;
use serde_json::{Value, json};

use super::super::{
    State,
    config::HubSpotList,
    error::Failure,
    time::stamp,
    world::{List, World},
};
use super::{Ask, Done, Outcome, id_of};

/// Members of a page, unless asked otherwise and at the most.
const LIMIT: usize = 100;
const LIMIT_MAX: usize = 250;

pub(super) fn answer(state: &mut State, ask: &Ask<'_>) -> Outcome {
    let world = &mut state.world;
    match (ask.method, &ask.path.as_slice()[1..]) {
        (&Method::POST, []) => create(world, ask),
        (&Method::POST, ["search"]) => {
            let query = ask.body()?.get("query").and_then(Value::as_str).unwrap_or_default().to_lowercase();
            let found: Vec<Value> = world
                .lists
                .iter()
                .filter(|list| list.given.name.to_lowercase().contains(&query))
                .map(|list| shown(world, list))
                .collect();
            Ok(Done::Json(200, json!({"total": found.len(), "offset": found.len(), "hasMore": false, "lists": found})))
        }
        (&Method::GET, ["records", object, id, "memberships"]) => {
            let object = world.schema.named(object)?;
            let id: u64 = id.parse().map_err(|_| Failure::not_found())?;
            let on = world.lists.iter().filter(|list| list.object == object).filter_map(|list| {
                let since = stamp(*list.members.get(&id)?);
                Some(json!({"listId": list.given.list_id.to_string(), "listVersion": 1, "firstAddedTimestamp": since,
                            "lastAddedTimestamp": since}))
            });
            let on: Vec<Value> = on.collect();
            Ok(Done::Json(200, json!({"total": on.len(), "results": on})))
        }
        (&Method::GET, [id]) => {
            let list = &world.lists[place(world, id)?];
            Ok(Done::Json(200, json!({"list": shown(world, list)})))
        }
        (&Method::GET, [id, "memberships"]) => members(world, ask, id),
        (&Method::PUT, [id, "memberships", what]) => change(world, ask, id, what),
        _ => Ok(Done::Nowhere(404)),
    }
}

fn place(world: &World, id: &str) -> Result<usize, Failure> {
    let found = world.lists.iter().position(|list| list.given.list_id.to_string() == id);
    found.ok_or_else(|| Failure::new(404, "OBJECT_NOT_FOUND", format!("List does not exist with ID {id}.")))
}

fn shown(world: &World, list: &List) -> Value {
    let at = stamp(list.created);
    json!({"listId": list.given.list_id.to_string(), "listVersion": 1, "name": list.given.name,
           "objectTypeId": world.schema.types[list.object].id, "processingType": list.given.processing,
           "processingStatus": "COMPLETE", "createdAt": at, "updatedAt": at, "filtersUpdatedAt": at,
           "additionalProperties": {"hs_list_size": list.members.len().to_string()}})
}

fn create(world: &mut World, ask: &Ask<'_>) -> Outcome {
    let processing = ask.text("processingType")?;
    if !["MANUAL", "SNAPSHOT", "DYNAMIC"].contains(&processing) {
        return Err(Failure::invalid(format!("{processing} is not a processing type")));
    }
    let next = world.lists.iter().map(|list| list.given.list_id).max().unwrap_or(0) + 1;
    let given = HubSpotList {
        list_id: next,
        name: ask.text("name")?.to_owned(),
        object: ask.text("objectTypeId")?.to_owned(),
        processing: processing.to_owned(),
    };
    if world.lists.iter().any(|list| list.given.name == given.name) {
        return Err(Failure::invalid(format!("A list named {} exists already", given.name)));
    }
    world.add_list(given, ask.by.at)?;
    let list = world.lists.last().ok_or_else(Failure::not_found)?;
    Ok(Done::Json(200, json!({"list": shown(world, list)})))
}

fn members(world: &World, ask: &Ask<'_>, id: &str) -> Outcome {
    let list = &world.lists[place(world, id)?];
    let after: u64 = ask.one("after").and_then(|text| text.parse().ok()).unwrap_or(0);
    let mut rows = list.members.range(after.saturating_add(1)..);
    let page: Vec<_> = rows.by_ref().take(ask.limit(LIMIT, LIMIT_MAX)?).collect();
    let shown = page.iter().map(|(id, at)| json!({"recordId": id.to_string(), "membershipTimestamp": stamp(**at)}));
    let mut body = json!({"total": list.members.len(), "results": shown.collect::<Vec<_>>()});
    if let Some((last, _)) = page.last().filter(|_| rows.next().is_some()) {
        body["paging"] = super::paging(last);
    }
    Ok(Done::Json(200, body))
}

fn change(world: &mut World, ask: &Ask<'_>, id: &str, what: &str) -> Outcome {
    let no = place(world, id)?;
    if world.lists[no].given.processing == "DYNAMIC" {
        return Err(Failure::invalid(format!("List {id} is kept by its filters; its members cannot be set")));
    }
    let ids = |value: Option<&Value>| -> Vec<u64> {
        let list = value.and_then(Value::as_array).into_iter().flatten();
        list.filter_map(|one| id_of(one)?.parse().ok()).collect()
    };
    let (add, remove) = match what {
        "add" => (ids(Some(&Value::from(ask.body_list()?))), Vec::new()),
        "remove" => (Vec::new(), ids(Some(&Value::from(ask.body_list()?)))),
        "add-and-remove" => {
            let body = ask.body()?;
            (ids(body.get("recordIdsToAdd")), ids(body.get("recordIdsToRemove")))
        }
        _ => return Ok(Done::Nowhere(404)),
    };
    let object = world.lists[no].object;
    let table = &world.tables[object];
    let known = |id: &u64| table.find(*id).filter(|slot| table.row(*slot).live()).map(|slot| table.row(slot).id);
    let missing: Vec<u64> = add.iter().copied().filter(|id| known(id).is_none()).collect();
    let present: Vec<u64> = add.iter().filter_map(known).collect();
    let added = world.list_change(no, &present, true, ask.by);
    let removed = world.list_change(no, &remove, false, ask.by);
    let texts = |ids: Vec<u64>| ids.iter().map(u64::to_string).collect::<Vec<_>>();
    // "recordsIdsAdded" is how the published models spell it.
    Ok(Done::Json(
        200,
        json!({"recordsIdsAdded": texts(added), "recordIdsRemoved": texts(removed),
                              "recordIdsMissing": texts(missing)}),
    ))
}
