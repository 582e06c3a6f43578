//! Writes: each booking's plan becomes a graph, which Salesforce does wholly or not at all, and up to 75 graphs share a
//! call. Drawing a graph and reading its answer are pure.
//!
//! After an answer that never came the same plan may be sent again as it is: creates go by the key, patches and deletes
//! name absolute values. The engine looks first all the same.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::{Map, Value as Json};
use syncline_connect::{Answered, Cx, Error, ErrorKind, GraphOutcome, Retry};
use syncline_core::{
    ids::RecordId,
    record::{Field, Fields, Role, Slot, Value},
    step::{Plan, Step, Write},
};

use super::{
    api::{self, Written},
    classify, convert, id,
    settings::Org,
    soql::percent_encoded,
    wire::{
        CompositeAnswer, ErrorRow, GraphAnswer, GraphRequest, GraphsAnswer, GraphsRequest, Saved, SubAnswer,
        SubRequest, error_rows,
    },
};

/// Graphs in one call. These limits: <https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api/resources_composite_graph_limits.htm>,
/// read 2026-11. The further ones hold by themselves: a graph is at most 15 deep (a booking has five slots), and a call
/// has at most 15 distinct kinds of node, by method and object (six objects, patched or deleted: twelve).
pub const GRAPHS_PER_CALL: usize = 75;

/// Nodes in one call, over all its graphs.
pub const NODES_PER_CALL: usize = 500;

const OP: &str = "write";

/// How many of these plans, from the first on, one call carries.
pub fn fits(plans: &[&Plan]) -> usize {
    let mut nodes = 0;
    let within = plans.iter().take(GRAPHS_PER_CALL).take_while(|plan| {
        nodes += plan.steps.len();
        nodes <= NODES_PER_CALL
    });
    within.count().max(1)
}

/// Writes the plans in one call.
pub async fn write(cx: &Cx<'_>, plans: &[&Plan]) -> Result<Answered<Vec<GraphOutcome>>, Error> {
    let org = Org::read(cx.settings, OP)?;
    let steps: usize = plans.iter().map(|plan| plan.steps.len()).sum();
    if plans.len() > GRAPHS_PER_CALL || steps > NODES_PER_CALL {
        let message = format!("a call carries at most {GRAPHS_PER_CALL} plans with {NODES_PER_CALL} steps");
        return Err(Error::new(ErrorKind::Configuration, Retry::Never, OP, message));
    }
    let drawn: Vec<Result<Drawn, Error>> = plans.iter().map(|plan| draw(&org, plan)).collect();
    let request = request(&drawn);
    let (mut answer, mut calls, mut usage) = (Ok(GraphsAnswer { graphs: Vec::new() }), 0, None);
    if !request.graphs.is_empty() {
        calls = 1;
        (answer, usage) = match api::graphs(cx, &org, &request).await? {
            Written::Answer { graphs, usage } => (Ok(graphs), usage),
            Written::Unknown { reason, usage } => (Err(reason), usage),
        };
    }
    let outcome = |(at, drawn): (usize, Result<Drawn, Error>)| match (drawn, &answer) {
        (Err(error), _) => GraphOutcome::Refused(error),
        (Ok(drawn), _) if drawn.nodes.is_empty() => GraphOutcome::Done(Vec::new()),
        (Ok(drawn), Ok(answer)) => outcome(&org, &drawn, at, answer),
        (Ok(_), Err(reason)) => unknown(format!("whether it was applied is unknown: {reason}")),
    };
    Ok(Answered { value: drawn.into_iter().enumerate().map(outcome).collect(), calls, usage })
}

/// A plan as it will be sent: its nodes in an order in which each follows what it refers to.
#[derive(Debug, Clone, PartialEq)]
pub struct Drawn {
    pub nodes: Vec<Node>,
}

/// One step as it will be sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// The step's place in its plan.
    at: usize,
    slot: Slot,
    role: Role,
    effect: Effect,
    pub request: SubRequest,
}

#[derive(Debug, Clone, PartialEq)]
enum Effect {
    /// The id comes with the answer.
    Upsert,
    Patch(RecordId),
    Delete,
}

fn request(drawn: &[Result<Drawn, Error>]) -> GraphsRequest {
    let graphs = drawn.iter().enumerate().filter_map(|(at, drawn)| {
        let nodes = &drawn.as_ref().ok().filter(|drawn| !drawn.nodes.is_empty())?.nodes;
        let composite_request = nodes.iter().map(|node| node.request.clone()).collect();
        Some(GraphRequest { graph_id: graph_id(at), composite_request })
    });
    GraphsRequest { graphs: graphs.collect() }
}

/// Draws the graph of a plan.
pub fn draw(org: &Org, plan: &Plan) -> Result<Drawn, Error> {
    let mut left: Vec<usize> = (0..plan.steps.len()).collect();
    let mut placed = BTreeSet::new();
    let mut nodes = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let ready = |at: &usize| needs(plan, *at).is_subset(&placed);
        let next = left.iter().position(ready).ok_or_else(|| {
            Error::new(
                ErrorKind::Configuration,
                Retry::Never,
                OP,
                "the records of the plan refer to each other in a circle",
            )
        })?;
        let at = left.remove(next);
        placed.insert(at);
        nodes.push(node(org, plan, at)?);
    }
    Ok(Drawn { nodes })
}

/// The steps whose ids this step waits for.
fn needs(plan: &Plan, at: usize) -> BTreeSet<usize> {
    let slots = fields_of(&plan.steps[at]).into_iter().flatten().filter_map(|(_, value)| match value {
        Value::Slot(slot) => maker(plan, *slot),
        _ => None,
    });
    slots.filter(|maker| matches!(plan.steps[*maker].write, Write::Upsert { .. })).collect()
}

/// The step that makes or holds the record of a slot.
fn maker(plan: &Plan, slot: Slot) -> Option<usize> {
    plan.steps.iter().position(|step| step.slot == slot && !matches!(step.write, Write::Delete { .. }))
}

fn fields_of(step: &Step) -> Option<&Fields> {
    match &step.write {
        Write::Upsert { fields, .. } | Write::Patch { fields, .. } => Some(fields),
        Write::Delete { .. } => None,
    }
}

/// A name that sub-requests can refer to; the step that others refer to bears the plain name of its slot.
fn reference(plan: &Plan, at: usize) -> String {
    let slot = plan.steps[at].slot;
    if maker(plan, slot) == Some(at) { slot.to_string() } else { format!("{slot}_{at}") }
}

fn node(org: &Org, plan: &Plan, at: usize) -> Result<Node, Error> {
    let step = &plan.steps[at];
    let object = format!("{}/sobjects/{}", org.root(), convert::spec(step.role).object);
    let known = |id: &RecordId| match id::identify(id.as_str()) {
        Some((role, id)) if role == step.role => Ok(id),
        _ => Err(misplanned(step, format!("the id to write to is not one of a {}", step.role.as_str()), Vec::new())),
    };
    let (method, path, effect) = match &step.write {
        Write::Upsert { .. } if step.role == Role::User => {
            return Err(misplanned(step, "users are never written", Vec::new()));
        }
        Write::Upsert { key, .. } => {
            ("PATCH", format!("{}/{}", org.key_field, percent_encoded(key.as_str())), Effect::Upsert)
        }
        Write::Patch { id, .. } => {
            let id = known(id)?;
            ("PATCH", id.as_str().to_owned(), Effect::Patch(id))
        }
        Write::Delete { id } => ("DELETE", known(id)?.as_str().to_owned(), Effect::Delete),
    };
    let body = fields_of(step).map(|fields| body(org, plan, step, fields)).transpose()?;
    let request = SubRequest { method, url: format!("{object}/{path}"), reference_id: reference(plan, at), body };
    Ok(Node { at, slot: step.slot, role: step.role, effect, request })
}

/// The fields of a step as a body. The key stands in the address of an upsert and must not be repeated.
fn body(org: &Org, plan: &Plan, step: &Step, fields: &Fields) -> Result<Map<String, Json>, Error> {
    let mut body = Map::new();
    for (field, value) in fields {
        let wrong = |why: &str| misplanned(step, format!("the field {field} {why}"), vec![field.clone()]);
        let name = convert::api_name(org, step.role, field).map_err(wrong)?;
        if name == org.key_field && matches!(step.write, Write::Upsert { .. }) {
            continue;
        }
        if convert::is_read_only(step.role, field) {
            return Err(wrong("cannot be written"));
        }
        let json = match value {
            Value::Slot(slot) => {
                reference_to(plan, *slot).ok_or_else(|| wrong("refers to a record that the plan has not"))?
            }
            value => convert::to_json(field, &convert::normalise(step.role, field, value.clone())).map_err(wrong)?,
        };
        if body.insert(name.as_str().to_owned(), json).is_some() {
            return Err(wrong("is given twice, once by another name"));
        }
    }
    Ok(body)
}

/// How a field names the record of a slot: by its id where that is known, else by reference to the step that makes it.
fn reference_to(plan: &Plan, slot: Slot) -> Option<Json> {
    let maker = maker(plan, slot)?;
    Some(match &plan.steps[maker].write {
        Write::Patch { id, .. } => Json::from(id::canonical(id.as_str())?.as_str()),
        _ => Json::from(format!("@{{{}.id}}", reference(plan, maker))),
    })
}

/// What became of one graph.
pub fn outcome(org: &Org, drawn: &Drawn, at: usize, answer: &GraphsAnswer) -> GraphOutcome {
    let id = graph_id(at);
    let mut graphs = answer.graphs.iter().filter(|graph| graph.graph_id == id);
    match (graphs.next(), graphs.next()) {
        (Some(graph), None) if graph.is_successful => done(drawn, graph),
        (Some(graph), None) => refused(org, drawn, graph),
        _ => unknown("the answer does not say what became of it"),
    }
}

fn done(drawn: &Drawn, graph: &GraphAnswer) -> GraphOutcome {
    let Ok(answers) = CompositeAnswer::deserialize(&graph.graph_response) else {
        return unknown("the answer does not say what became of its records");
    };
    let mut ids = Vec::new();
    for node in &drawn.nodes {
        let answer = answers.composite_response.iter().find(|answer| answer.reference_id == node.request.reference_id);
        match answer.filter(|answer| (200..300).contains(&answer.http_status_code)).map(|answer| saved_id(node, answer))
        {
            Some(Some(id)) => ids.push((node.at, node.slot, id)),
            Some(None) if node.effect == Effect::Delete => {}
            // Before version 46 an upsert that updates answered 204 without a body. The versions that we accept send the
            // id; should one not, the record is found by its key, as after any answer that never came.
            Some(None) => return unknown("the answer does not tell the id of a record"),
            None => return unknown("the answer contradicts itself about one of its records"),
        }
    }
    ids.sort_by_key(|(at, _, _)| *at);
    GraphOutcome::Done(ids.into_iter().map(|(_, slot, id)| (slot, id)).collect())
}

fn saved_id(node: &Node, answer: &SubAnswer) -> Option<RecordId> {
    match &node.effect {
        Effect::Delete => None,
        Effect::Patch(id) => Some(id.clone()),
        Effect::Upsert => {
            let saved = Saved::deserialize(&answer.body).ok().filter(|saved| saved.success)?;
            id::identify(&saved.id).filter(|(role, _)| *role == node.role).map(|(_, id)| id)
        }
    }
}

/// The graph was rolled back, or never tried: find the error that was the cause among those of its neighbours.
fn refused(org: &Org, drawn: &Drawn, graph: &GraphAnswer) -> GraphOutcome {
    let Ok(answers) = CompositeAnswer::deserialize(&graph.graph_response) else {
        return match error_rows(&graph.graph_response).iter().any(|row| classify::is_neighbour(&row.code)) {
            true => GraphOutcome::Refused(not_tried()),
            false => unknown("the answer does not say why it was refused"),
        };
    };
    let mut halted = false;
    for answer in answers.composite_response.iter().filter(|answer| answer.http_status_code >= 300) {
        let rows = error_rows(&answer.body);
        if !rows.is_empty() && rows.iter().all(|row| classify::is_neighbour(&row.code)) {
            halted = true;
            continue;
        }
        let node = drawn.nodes.iter().find(|node| node.request.reference_id == answer.reference_id);
        return verdict(org, drawn, node, answer.http_status_code, &rows);
    }
    if halted { GraphOutcome::Refused(not_tried()) } else { unknown("the answer does not say why it was refused") }
}

fn verdict(org: &Org, drawn: &Drawn, node: Option<&Node>, status: u16, rows: &[ErrorRow]) -> GraphOutcome {
    let mut error = classify::error_from_rows(OP, status, rows);
    let Some(node) = node else { return GraphOutcome::Refused(error) };
    match (&node.effect, error.kind) {
        // What is to be gone is gone; nothing else was in the graph that could have been rolled back.
        (Effect::Delete, ErrorKind::Gone) if drawn.nodes.len() == 1 => return GraphOutcome::Done(Vec::new()),
        // An upsert makes what is missing: what it does not find is the field that bears the key, or the object.
        (Effect::Upsert, ErrorKind::Gone) if error.code.as_deref() != Some("ENTITY_IS_DELETED") => {
            (error.kind, error.retry) = (ErrorKind::Configuration, Retry::Never);
            error.message = format!(
                "{} has no field {} that this user may see, or it is no external id; see the set-up",
                convert::spec(node.role).object,
                org.key_field
            );
        }
        _ => {}
    }
    error.slot = Some(node.slot);
    error.fields = refused_fields(org, node, error.kind, rows);
    GraphOutcome::Refused(error)
}

/// The fields that were refused: those that the rows list, or the missing one that only the text names.
fn refused_fields(org: &Org, node: &Node, kind: ErrorKind, rows: &[ErrorRow]) -> Vec<Field> {
    let listed = rows.iter().flat_map(|row| &row.fields).map(String::as_str);
    let written = node.request.body.iter().flat_map(Map::keys).map(String::as_str);
    let missing = written.filter(|name| kind == ErrorKind::Field && rows.iter().any(|row| row.names(name)));
    let names: BTreeSet<&str> = listed.chain(missing).collect();
    let fields: BTreeSet<Field> = names.into_iter().map(|name| convert::field_named(org, node.role, name)).collect();
    fields.into_iter().collect()
}

fn not_tried() -> Error {
    Error::new(ErrorKind::Unavailable, Retry::Backoff, OP, "not tried, because others in the same call failed")
}

fn unknown(message: impl Into<String>) -> GraphOutcome {
    GraphOutcome::Unknown(Error::new(ErrorKind::UnknownOutcome, Retry::Backoff, OP, message))
}

/// The plan itself cannot be sent.
fn misplanned(step: &Step, message: impl Into<String>, fields: Vec<Field>) -> Error {
    let mut error = Error::new(ErrorKind::Configuration, Retry::Never, OP, message);
    (error.slot, error.fields) = (Some(step.slot), fields);
    error
}

fn graph_id(at: usize) -> String {
    format!("g{at}")
}
