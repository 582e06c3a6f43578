//! Who owns what is made: we say so in every call, and leave it to the org's assignment rules only where that is set,
//! and never for records that are only changed.

use serde_json::Value as Json;
use syncline_connect::{ErrorKind, GraphOutcome, Retry};
use syncline_core::{
    record::{Role, Slot, Std, Value},
    step::Plan,
};

use super::{
    graphs::{failed, graph, graphs, patch, patched, refusal, saved, send, upsert},
    world::{Turn, World},
};

const LEAD: &str = "00Q000000000001EAA";
const EVENT: &str = "00U000000000001EAA";
const RULE: &str = "01Q000000000001EAA";

fn made() -> Plan {
    Plan { steps: vec![upsert(Slot::Person, Role::Lead, &[(Std::LastName, Value::text("Byron"))])] }
}

fn changed() -> Plan {
    Plan { steps: vec![patch(Slot::Person, Role::Lead, LEAD, &[(Std::Phone, Value::text("1"))])] }
}

fn only_a_meeting() -> Plan {
    Plan { steps: vec![upsert(Slot::Meeting, Role::Meeting, &[])] }
}

fn good() -> [Json; 3] {
    [
        graph(0, true, &[patched("person")]),
        graph(1, true, &[saved("person", LEAD, 201)]),
        graph(2, true, &[saved("meeting", EVENT, 201)]),
    ]
}

/// What each call said, with the graphs that it carried.
fn said(setting: &str, turns: Vec<Turn>) -> Vec<(String, Vec<String>)> {
    let world = World::with(turns).set("assignment_rules", setting);
    let answered = send(&world, &[&changed(), &made(), &only_a_meeting()]).unwrap();
    assert!(answered.value.iter().all(|outcome| matches!(outcome, GraphOutcome::Done(_))), "{answered:?}");
    let seen = world.seen();
    assert_eq!(answered.calls as usize, seen.len());
    let graphs = |body: Json| -> Vec<String> {
        body["graphs"].as_array().unwrap().iter().map(|graph| graph["graphId"].as_str().unwrap().to_owned()).collect()
    };
    seen.iter()
        .map(|seen| (seen.headers["sforce-auto-assign"].to_str().unwrap().to_owned(), graphs(seen.json())))
        .collect()
}

/// proves: B19
#[test]
fn rules_are_off_unless_set_and_then_apply_to_what_is_made_alone() {
    let [changed, made, meeting] = good();
    let one = || vec![graphs(&[changed.clone(), made.clone(), meeting.clone()])];
    let two = || vec![graphs(std::slice::from_ref(&made)), graphs(&[changed.clone(), meeting.clone()])];
    let call = |rule: &str, graphs: &[&str]| (rule.to_owned(), graphs.iter().map(|&graph| graph.to_owned()).collect());
    for setting in ["", "off"] {
        assert_eq!(said(setting, one()), [call("FALSE", &["g0", "g1", "g2"])]);
    }
    assert_eq!(said("on", two()), [call("TRUE", &["g1"]), call("FALSE", &["g0", "g2"])]);
    assert_eq!(said(RULE, two()), [call(RULE, &["g1"]), call("FALSE", &["g0", "g2"])]);
}

#[test]
fn what_is_no_rule_is_refused_unsent() {
    for setting in ["yes", "TRUE", "01Q", LEAD] {
        let error = send(&World::with([]).set("assignment_rules", setting), &[&made()]).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Configuration);
    }
}

/// proves: V2
#[test]
fn each_of_two_calls_has_its_own_end() {
    let send_to = |turns: Vec<Turn>| {
        let world = World::with(turns).set("assignment_rules", "on");
        send(&world, &[&changed(), &made()]).map(|answered| answered.value)
    };
    let [changed_graph, made_graph, _] = good();
    let made_call = || graphs(std::slice::from_ref(&made_graph));
    // Nothing was sent: nothing was done.
    assert_eq!(send_to(vec![Turn::NotSent]).unwrap_err().kind, ErrorKind::Unreachable);
    // The first is done and the second was not sent.
    let outcomes = send_to(vec![made_call(), Turn::NotSent]).unwrap();
    assert!(matches!(outcomes[1], GraphOutcome::Done(_)));
    let error = refusal(outcomes[0].clone());
    assert_eq!((error.kind, error.retry), (ErrorKind::Unreachable, Retry::Backoff));
    // The first is unknown and the second is done.
    let outcomes = send_to(vec![Turn::Lost, graphs(std::slice::from_ref(&changed_graph))]).unwrap();
    assert!(matches!(outcomes.as_slice(), [GraphOutcome::Done(_), GraphOutcome::Unknown(_)]));
    // The first is refused and the second unknown.
    let locked = graph(1, false, &[failed("person", 400, "UNABLE_TO_LOCK_ROW", &[])]);
    let outcomes = send_to(vec![graphs(&[locked]), Turn::Lost]).unwrap();
    assert!(matches!(outcomes.as_slice(), [GraphOutcome::Unknown(_), GraphOutcome::Refused(_)]));
}
