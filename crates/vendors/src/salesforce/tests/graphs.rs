//! Plans and the answers to them, as the tests about writes put them together.

use serde_json::{Value as Json, json};
use syncline_connect::{Answered, Error, GraphOutcome, Records};
use syncline_core::{
    ids::ExternalKey,
    record::{Field, Fields, Role, Slot, Std, Value},
    step::{Plan, Step, Write},
};

use super::{
    super::Salesforce,
    world::{Turn, World, json, now},
};

pub fn fields(values: &[(Std, Value)]) -> Fields {
    values.iter().map(|(std, value)| (Field::Std(*std), value.clone())).collect()
}

pub fn upsert(slot: Slot, role: Role, values: &[(Std, Value)]) -> Step {
    let key = ExternalKey::new(format!("sy_{}", slot));
    Step::new(slot, role, Write::Upsert { key, fields: fields(values) })
}

pub fn patch(slot: Slot, role: Role, id: &str, values: &[(Std, Value)]) -> Step {
    Step::new(slot, role, Write::Patch { id: id.into(), fields: fields(values) })
}

pub fn delete(slot: Slot, role: Role, id: &str) -> Step {
    Step::new(slot, role, Write::Delete { id: id.into() })
}

pub fn saved(reference: &str, id: &str, status: u16) -> Json {
    json!({"body": {"id": id, "success": true, "errors": [], "created": status == 201}, "httpHeaders": {}, "httpStatusCode": status, "referenceId": reference})
}

pub fn failed(reference: &str, status: u16, code: &str, fields: &[&str]) -> Json {
    json!({"body": [{"errorCode": code, "message": "m", "fields": fields}], "httpHeaders": {}, "httpStatusCode": status, "referenceId": reference})
}

pub fn patched(reference: &str) -> Json {
    json!({"body": null, "httpHeaders": {}, "httpStatusCode": 204, "referenceId": reference})
}

pub fn graph(at: usize, successful: bool, answers: &[Json]) -> Json {
    json!({"graphId": format!("g{at}"), "graphResponse": {"compositeResponse": answers}, "isSuccessful": successful})
}

pub fn graphs(graphs: &[Json]) -> Turn {
    json(200, json!({"graphs": graphs}))
}

pub fn send(world: &World, plans: &[&Plan]) -> Result<Answered<Vec<GraphOutcome>>, Error> {
    now(Salesforce.write(&world.cx(), plans))
}

/// The outcome of one plan for one answer.
pub fn outcome_of(plan: &Plan, turn: Turn) -> GraphOutcome {
    send(&World::with([turn]), &[plan]).unwrap().value.remove(0)
}

pub fn refusal(outcome: GraphOutcome) -> Error {
    match outcome {
        GraphOutcome::Refused(error) => error,
        other => panic!("not refused: {other:?}"),
    }
}
