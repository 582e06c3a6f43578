//! Writes: each booking's plan becomes a graph, which Salesforce does wholly or not at all, and up to 75 graphs share a
//! call. Reading an answer is pure.
//!
//! After an answer that never came the same plan may be sent again as it is: creates go by the key, patches and deletes
//! name absolute values, and an attendee who is there already is refused. The engine looks first all the same.

use std::collections::BTreeMap;

use serde::Deserialize;
use syncline_connect::{Answered, Cx, Error, ErrorKind, GraphOutcome, Retry, Usage};
use syncline_core::{ids::RecordId, step::Plan};

use super::{
    api::{self, Written},
    classify,
    draw::{Drawn, Effect, GRAPHS_PER_CALL, Load, NODES_PER_CALL, Node, draw},
    id, refusal,
    settings::{Assignment, Org},
    wire::{CompositeAnswer, GraphAnswer, GraphRequest, GraphsAnswer, GraphsRequest, Saved, SubAnswer, error_rows},
};

const OP: &str = "write";

/// Writes the plans: in one call, or in two where assignment rules are to choose the owners of what some of them make.
pub async fn write(cx: &Cx<'_>, plans: &[&Plan]) -> Result<Answered<Vec<GraphOutcome>>, Error> {
    let org = Org::read(cx.settings, OP)?;
    let mut drawn = Vec::with_capacity(plans.len());
    let mut outcomes = BTreeMap::new();
    let mut sent = Vec::new();
    for (at, plan) in plans.iter().enumerate() {
        match draw(&org, plan) {
            Err(error) => drop(outcomes.insert(at, GraphOutcome::Refused(error))),
            Ok(graph) if graph.nodes.is_empty() => drop(outcomes.insert(at, GraphOutcome::Done(Vec::new()))),
            Ok(graph) => {
                sent.push(*plan);
                drawn.push((at, graph));
            }
        }
    }
    if sent.len() > GRAPHS_PER_CALL || !Load::of_all(sent).is_carried() {
        let message =
            format!("a call carries at most {GRAPHS_PER_CALL} plans with {NODES_PER_CALL} steps of few kinds");
        return Err(Error::new(ErrorKind::Configuration, Retry::Never, OP, message));
    }
    let (mut calls, mut usage) = (0, None);
    for part in parts(&org, drawn) {
        let answer = api::graphs(cx, &org, &request(&part.graphs), part.assigned).await;
        let answer = match answer {
            // Nothing was sent before: nothing of the whole was done.
            Err(error) if calls == 0 => return Err(error),
            answer => answer,
        };
        calls += 1;
        outcomes.extend(part.outcomes(&org, answer, &mut usage));
    }
    Ok(Answered { value: outcomes.into_values().collect(), calls, usage })
}

/// The graphs of one call, with their places.
struct Part {
    /// Whether assignment rules choose the owners.
    assigned: bool,
    graphs: Vec<(usize, Drawn)>,
}

/// Which graphs share a call. The header that lets assignment rules choose holds for a whole call, and would give
/// records that are only changed another owner, too: these go in a call of their own.
fn parts(org: &Org, drawn: Vec<(usize, Drawn)>) -> Vec<Part> {
    let rules = org.assignment != Assignment::Off;
    let (assigned, plain) = drawn.into_iter().partition(|(_, graph)| rules && graph.makes_assigned());
    let parts = [Part { assigned: true, graphs: assigned }, Part { assigned: false, graphs: plain }];
    parts.into_iter().filter(|part| !part.graphs.is_empty()).collect()
}

impl Part {
    fn outcomes(
        self,
        org: &Org,
        answer: Result<Written<GraphsAnswer>, Error>,
        usage: &mut Option<Usage>,
    ) -> Vec<(usize, GraphOutcome)> {
        let of_all = |outcome: &dyn Fn(usize, &Drawn) -> GraphOutcome| {
            self.graphs.iter().map(|(at, graph)| (*at, outcome(*at, graph))).collect()
        };
        match answer {
            Ok(Written::Answer { answer: graphs, usage: used }) => {
                *usage = used.or(*usage);
                of_all(&|at, graph| outcome(org, graph, at, &graphs))
            }
            Ok(Written::Unknown { reason, usage: used }) => {
                *usage = used.or(*usage);
                of_all(&|_, _| unknown(format!("whether it was applied is unknown: {reason}")))
            }
            Err(error) => of_all(&|_, _| GraphOutcome::Refused(error.clone())),
        }
    }
}

fn request(graphs: &[(usize, Drawn)]) -> GraphsRequest {
    let graphs = graphs.iter().map(|(at, graph)| {
        let composite_request = graph.nodes.iter().map(|node| node.request.clone()).collect();
        GraphRequest { graph_id: graph_id(*at), composite_request }
    });
    GraphsRequest { graphs: graphs.collect() }
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
    let answers: BTreeMap<&str, &SubAnswer> =
        answers.composite_response.iter().rev().map(|answer| (answer.reference_id.as_str(), answer)).collect();
    let mut ids = Vec::new();
    for node in &drawn.nodes {
        let answer = answers.get(node.request.reference_id.as_str());
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
        Effect::Make => {
            let saved = Saved::deserialize(&answer.body).ok().filter(|saved| saved.success)?;
            id::of(node.role, &saved.id)
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
        let error = refusal::verdict(org, node, answer);
        // What is to be gone is gone; nothing else was in the graph that could have been rolled back.
        let gone = node.is_some_and(|node| node.effect == Effect::Delete) && error.kind == ErrorKind::Gone;
        return if gone && drawn.nodes.len() == 1 {
            GraphOutcome::Done(Vec::new())
        } else {
            GraphOutcome::Refused(error)
        };
    }
    if halted { GraphOutcome::Refused(not_tried()) } else { unknown("the answer does not say why it was refused") }
}

fn not_tried() -> Error {
    Error::new(ErrorKind::Unavailable, Retry::Backoff, OP, "not tried, because others in the same call failed")
}

fn unknown(message: impl Into<String>) -> GraphOutcome {
    GraphOutcome::Unknown(Error::new(ErrorKind::UnknownOutcome, Retry::Backoff, OP, message))
}

fn graph_id(at: usize) -> String {
    format!("g{at}")
}
