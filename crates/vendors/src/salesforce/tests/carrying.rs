//! No call is beyond the vendor's limits, whatever the plans, and a plan that no call carries is refused in words.

use std::collections::BTreeSet;

use proptest::prelude::*;
use syncline_connect::{ErrorKind, GraphOutcome};
use syncline_core::{
    ids::ObjectName,
    record::{Field, Role, Slot, Std, Value},
    step::{Plan, Step, Write},
};

use super::{
    super::draw::{self, DEPTH_MAX, GRAPHS_PER_CALL, KINDS_PER_CALL, NODES_PER_CALL},
    graphs::{delete, graph, graphs, patch, refusal, send, upsert},
    org,
    world::World,
};

const ROLES: [(Role, &str); 8] = [
    (Role::Account, "001dM00003kS3tNQAS"),
    (Role::Contact, "0034H00002JsInQQAV"),
    (Role::Lead, "00Q000000000001EAA"),
    (Role::Case, "500000000000001AAA"),
    (Role::Opportunity, "006000000000001AAA"),
    (Role::Meeting, "00U000000000001EAA"),
    (Role::Attendee, "0RE000000000001GAA"),
    (Role::Custom, "a0B000000000001EAA"),
];

fn step(at: u16, role: usize, write: u8, object: u8) -> Step {
    let (role, id) = ROLES[role];
    let slot = Slot::Record(at);
    let step = match write {
        0 => upsert(slot, role, &[]),
        1 => patch(slot, role, id, &[]),
        _ => delete(slot, role, id),
    };
    let object = (role == Role::Custom).then(|| ObjectName::new(format!("Thing{object}__c")));
    Step { object, ..step }
}

fn any_plan() -> impl Strategy<Value = Plan> {
    let steps = prop::collection::vec((0usize..8, 0u8..3, 0u8..20), 0..40);
    let many = prop::collection::vec((0usize..8, 0u8..3, 0u8..3), 0..600);
    prop_oneof![9 => steps, 1 => many].prop_map(|steps| {
        let steps = steps.into_iter().enumerate();
        Plan { steps: steps.map(|(at, (role, write, object))| step(at as u16, role, write, object)).collect() }
    })
}

/// Kinds of nodes, read off what is sent: the method and the object in the address.
fn kinds(plans: &[&Plan]) -> (usize, usize, usize) {
    let drawn: Vec<_> = plans.iter().filter_map(|plan| draw::draw(&org(), plan).ok()).collect();
    let requests: Vec<_> = drawn.iter().flat_map(|drawn| &drawn.nodes).map(|node| &node.request).collect();
    let object = |url: &str| url.split('/').nth(5).unwrap().to_owned();
    let kinds: BTreeSet<_> = requests.iter().map(|request| (request.method, object(&request.url))).collect();
    (drawn.len(), requests.len(), kinds.len())
}

proptest! {
    /// proves: P1, fault:H5
    #[test]
    fn what_fits_is_within_every_limit_and_one_more_would_not_be(plans in prop::collection::vec(any_plan(), 1..100)) {
        let plans: Vec<&Plan> = plans.iter().collect();
        let fits = draw::fits(&plans);
        prop_assert!((1..=plans.len()).contains(&fits));
        let within = |(graphs, nodes, kinds): (usize, usize, usize)| {
            graphs <= GRAPHS_PER_CALL && nodes <= NODES_PER_CALL && kinds <= KINDS_PER_CALL
        };
        prop_assert!(within(kinds(&plans[..fits])));
        if fits < plans.len() && fits < GRAPHS_PER_CALL {
            prop_assert!(!within(kinds(&plans[..=fits])));
        }
    }

    /// What `fits` lets through is sent as it is.
    #[test]
    fn what_fits_is_never_too_much_to_write(plans in prop::collection::vec(any_plan(), 1..30)) {
        let plans: Vec<&Plan> = plans.iter().collect();
        let fitting = &plans[..draw::fits(&plans)];
        let sent = fitting.iter().filter(|plan| draw::draw(&org(), plan).is_ok_and(|drawn| !drawn.nodes.is_empty()));
        let world = World::with((sent.count() > 0).then(|| graphs(&[])));
        prop_assert!(send(&world, fitting).is_ok());
        world.seen();
    }
}

/// proves: V4 (a booking beyond the limits is named, and stops nobody else)
#[test]
fn a_plan_that_no_call_carries_is_refused_alone() {
    let plan = |steps: Vec<Step>| Plan { steps };
    let nodes = plan((0..501).map(|at| step(at, 1, 0, 0)).collect());
    let kinds = plan((0..16).map(|at| step(at, 7, 0, at as u8)).collect());
    let fine = plan(vec![step(0, 1, 2, 0)]);
    let plans = [&nodes, &fine, &kinds];
    assert_eq!(draw::fits(&plans), 3);
    let gone = graph(1, true, &[serde_json::json!({"body": null, "httpStatusCode": 204, "referenceId": "record_0_0"})]);
    let outcomes = send(&World::with([graphs(&[gone])]), &plans).unwrap().value;
    assert_eq!(outcomes[1], GraphOutcome::Done(vec![]));
    let said = [0, 2].map(|at| {
        let error = refusal(outcomes[at].clone());
        assert_eq!(error.kind, ErrorKind::Configuration);
        error.message
    });
    insta::assert_snapshot!(said.join("\n"), @r"
    one booking may have at most 500 records written at once
    one booking may have at most 15 kinds of writes at once, counting making or changing and deleting of an object each as one
    ");
}

#[test]
fn a_chain_of_references_is_followed_to_the_vendors_depth_and_no_further() {
    let chain = |length: u16| {
        let steps = (0..length).map(|at| {
            let mut step = step(at, 7, 0, 0);
            if let (Write::Upsert { fields, .. }, Some(before)) = (&mut step.write, at.checked_sub(1)) {
                fields.insert(Field::Native("Before__c".into()), Value::Slot(Slot::Record(before)));
            }
            step
        });
        Plan { steps: steps.rev().collect() }
    };
    let longest = u16::try_from(DEPTH_MAX).unwrap();
    assert_eq!(draw::draw(&org(), &chain(longest)).unwrap().nodes.len(), DEPTH_MAX);
    let error = draw::draw(&org(), &chain(longest + 1)).unwrap_err();
    assert!(error.message.contains("in a row"), "{}", error.message);
}

/// proves: B12
#[test]
fn a_further_record_is_written_by_the_key_under_the_name_of_its_object() {
    let mut made = step(0, 7, 0, 0);
    if let Write::Upsert { fields, .. } = &mut made.write {
        fields.insert(Field::Native("Contact__c".into()), Value::Slot(Slot::Person));
        fields.insert(Field::Native("Score__c".into()), Value::Decimal("7.50".into()));
        fields.insert(Std::Key.into(), Value::text("sy_record_0"));
    }
    let steps = vec![made, upsert(Slot::Person, Role::Contact, &[]), step(1, 7, 1, 1), step(2, 7, 2, 1)];
    let drawn = draw::draw(&org(), &Plan { steps }).unwrap();
    let requests: Vec<_> = drawn.nodes.iter().map(|node| &node.request).collect();
    insta::assert_snapshot!(serde_json::to_string_pretty(&requests).unwrap(), @r#"
    [
      {
        "method": "PATCH",
        "url": "/services/data/v64.0/sobjects/Contact/Syncline_Uid__c/sy_person",
        "referenceId": "person",
        "body": {}
      },
      {
        "method": "PATCH",
        "url": "/services/data/v64.0/sobjects/Thing0__c/Syncline_Uid__c/sy_record_0",
        "referenceId": "record_0",
        "body": {
          "Contact__c": "@{person.id}",
          "Score__c": 7.5
        }
      },
      {
        "method": "PATCH",
        "url": "/services/data/v64.0/sobjects/Thing1__c/a0B000000000001EAA",
        "referenceId": "record_1",
        "body": {}
      },
      {
        "method": "DELETE",
        "url": "/services/data/v64.0/sobjects/Thing1__c/a0B000000000001EAA",
        "referenceId": "record_2_3"
      }
    ]
    "#);
    // Without a name, or with one that is none, nothing is sent.
    for object in [None, Some(ObjectName::new("Visit__c/../Account")), Some(ObjectName::new(""))] {
        let step = Step { object, ..step(0, 7, 0, 0) };
        let error = draw::draw(&org(), &Plan { steps: vec![step] }).unwrap_err();
        assert_eq!((error.kind, error.slot), (ErrorKind::Configuration, Some(Slot::Record(0))));
    }
}
