//! Writes: one graph a plan, an outcome for each, and "done" only where the answer says so of every record.

use proptest::prelude::*;
use serde_json::{Value as Json, json};
use syncline_connect::{Answered, ErrorKind, GraphOutcome, Retry, Usage};
use syncline_core::{
    ids::RecordId,
    record::{Field, Role, Slot, Std, Value},
    step::{Plan, Step, Write},
};

use super::{
    super::draw,
    graphs::{delete, failed, graph, graphs, outcome_of, patch, patched, refusal, saved, send, upsert},
    org,
    world::{Turn, World, json, raw},
};

const ACCOUNT: &str = "001dM00003kS3tNQAS";
const CONTACT: &str = "0034H00002JsInQQAV";
const CASE: &str = "500000000000001AAA";
const EVENT: &str = "00U000000000001EAA";

/// A booking's plan, the meeting first although it needs all others.
fn booking() -> Plan {
    let text = |text: &str| Value::text(text);
    Plan {
        steps: vec![
            upsert(
                Slot::Meeting,
                Role::Meeting,
                &[
                    (Std::Subject, text("Intro @{person.id}")),
                    (Std::Start, Value::Time("2026-05-06T10:00:00.5Z".parse().unwrap())),
                    (Std::ShowAs, text("free")),
                    (Std::Who, Value::Slot(Slot::Person)),
                    (Std::What, Value::Slot(Slot::Case)),
                    (Std::Key, text("sy_meeting")),
                ],
            ),
            upsert(
                Slot::Case,
                Role::Case,
                &[(Std::Contact, Value::Slot(Slot::Person)), (Std::Account, Value::Slot(Slot::Account))],
            ),
            upsert(
                Slot::Person,
                Role::Contact,
                &[
                    (Std::LastName, text("Lovelace")),
                    (Std::Account, Value::Slot(Slot::Account)),
                    (Std::Phone, Value::Null),
                ],
            ),
            patch(Slot::Account, Role::Account, &ACCOUNT[..15], &[(Std::Website, text("example.org"))]),
        ],
    }
}

fn good(at: usize) -> Json {
    graph(
        at,
        true,
        &[saved("case", CASE, 201), saved("person", CONTACT, 200), patched("account"), saved("meeting", EVENT, 201)],
    )
}

fn is_unknown(outcome: &GraphOutcome) -> bool {
    matches!(outcome, GraphOutcome::Unknown(error) if error.kind == ErrorKind::UnknownOutcome)
}

fn done() -> GraphOutcome {
    let ids = [(Slot::Meeting, EVENT), (Slot::Case, CASE), (Slot::Person, CONTACT), (Slot::Account, ACCOUNT)];
    GraphOutcome::Done(ids.map(|(slot, id)| (slot, RecordId::new(id))).to_vec())
}

#[test]
fn a_booking_is_one_graph_in_which_each_record_follows_what_it_refers_to() {
    let headers = vec![("Sforce-Limit-Info", "api-usage=18/5000".to_owned())];
    let body = json!({"graphs": [good(0)]}).to_string().into_bytes();
    let world = World::with([Turn::Answer { status: 200, headers, body }]);
    let answered = send(&world, &[&booking()]).unwrap();
    assert_eq!(answered, Answered { value: vec![done()], calls: 1, usage: Some(Usage { used: 18, max: 5000 }) });
    let seen = world.seen();
    assert_eq!(seen[0].line, "POST https://acme.my.salesforce.com/services/data/v64.0/composite/graph");
    assert_eq!(seen[0].headers["sforce-auto-assign"], "FALSE");
    assert!(!seen[0].headers.contains_key("sforce-duplicate-rule-header"));
    insta::assert_snapshot!(serde_json::to_string_pretty(&seen[0].json()).unwrap(), @r#"
    {
      "graphs": [
        {
          "graphId": "g0",
          "compositeRequest": [
            {
              "method": "PATCH",
              "url": "/services/data/v64.0/sobjects/Contact/Syncline_Uid__c/sy_person",
              "referenceId": "person",
              "body": {
                "LastName": "Lovelace",
                "Phone": null,
                "AccountId": "001dM00003kS3tNQAS"
              }
            },
            {
              "method": "PATCH",
              "url": "/services/data/v64.0/sobjects/Case/Syncline_Uid__c/sy_case",
              "referenceId": "case",
              "body": {
                "AccountId": "001dM00003kS3tNQAS",
                "ContactId": "@{person.id}"
              }
            },
            {
              "method": "PATCH",
              "url": "/services/data/v64.0/sobjects/Event/Syncline_Uid__c/sy_meeting",
              "referenceId": "meeting",
              "body": {
                "Subject": "Intro @ {person.id}",
                "StartDateTime": "2026-05-06T10:00:00Z",
                "ShowAs": "Free",
                "WhoId": "@{person.id}",
                "WhatId": "@{case.id}"
              }
            },
            {
              "method": "PATCH",
              "url": "/services/data/v64.0/sobjects/Account/001dM00003kS3tNQAS",
              "referenceId": "account",
              "body": {
                "Website": "example.org"
              }
            }
          ]
        }
      ]
    }
    "#);
}

#[test]
fn alerts_of_duplicate_rules_are_overruled_only_when_set() {
    let world = World::with([graphs(&[good(0)])]).set("duplicate_rules", "save");
    send(&world, &[&booking()]).unwrap();
    assert_eq!(world.seen()[0].headers["sforce-duplicate-rule-header"], "allowSave=true");
}

#[test]
fn a_plan_that_cannot_be_sent_is_refused_alone() {
    let broken = [
        Plan { steps: vec![upsert(Slot::Case, Role::Case, &[(Std::Contact, Value::Slot(Slot::Person))])] },
        Plan {
            steps: vec![
                upsert(Slot::Case, Role::Case, &[(Std::Contact, Value::Slot(Slot::Person))]),
                delete(Slot::Person, Role::Contact, CONTACT),
            ],
        },
        Plan { steps: vec![upsert(Slot::Person, Role::Contact, &[(Std::Account, Value::Slot(Slot::Person))])] },
        Plan { steps: vec![upsert(Slot::Person, Role::Contact, &[(Std::CreatedAt, Value::Null)])] },
        Plan { steps: vec![upsert(Slot::Person, Role::Contact, &[(Std::Company, Value::text("x"))])] },
        Plan { steps: vec![patch(Slot::Person, Role::Contact, ACCOUNT, &[])] },
        Plan { steps: vec![delete(Slot::Person, Role::Contact, "../Account")] },
    ];
    let (fine, empty) = (booking(), Plan::default());
    let mut plans: Vec<&Plan> = broken.iter().collect();
    plans.extend([&fine, &empty]);
    let world = World::with([graphs(&[good(7)])]);
    let outcomes = send(&world, &plans).unwrap().value;
    for outcome in &outcomes[..7] {
        assert_eq!(refusal(outcome.clone()).kind, ErrorKind::Configuration);
    }
    assert_eq!(outcomes[7..], [done(), GraphOutcome::Done(vec![])]);
    let world = World::with([]);
    assert_eq!(send(&world, &[&empty]).unwrap().calls, 0);
}

#[test]
fn a_call_beyond_the_limits_is_not_sent() {
    let plan = booking();
    let world = World::with([]);
    assert_eq!(send(&world, &[&plan; 76]).unwrap_err().kind, ErrorKind::Configuration);
    let steps = Plan { steps: vec![delete(Slot::Meeting, Role::Meeting, EVENT); 251] };
    assert_eq!(send(&world, &[&steps, &steps]).unwrap_err().kind, ErrorKind::Configuration);
}

/// proves: fault:B1, fault:H5
#[test]
fn the_record_that_failed_is_found_among_those_that_were_rolled_back() {
    for neighbour in ["PROCESSING_HALTED", "ALL_OR_NONE_OPERATION_ROLLED_BACK"] {
        let answer = graph(
            0,
            false,
            &[
                failed("person", 400, neighbour, &[]),
                failed("case", 400, "REQUIRED_FIELD_MISSING", &["Severity__c", "Syncline_Uid__c", "AccountId"]),
                failed("meeting", 400, neighbour, &[]),
                failed("account", 400, neighbour, &[]),
            ],
        );
        let error = refusal(outcome_of(&booking(), graphs(&[answer])));
        assert_eq!(
            (error.kind, error.slot, error.code.as_deref()),
            (ErrorKind::Invalid, Some(Slot::Case), Some("REQUIRED_FIELD_MISSING"))
        );
        assert_eq!(error.fields, [Std::Key.into(), Std::Account.into(), Field::Native("Severity__c".into())]);
    }
}

/// proves: V4 (one plan's failure leaves the others alone)
#[test]
fn each_plan_has_its_own_outcome_by_its_name_and_not_by_its_place() {
    let plan = booking();
    let locked = graph(1, false, &[failed("person", 400, "UNABLE_TO_LOCK_ROW", &[])]);
    let outcomes = send(&World::with([graphs(&[locked, good(0)])]), &[&plan, &plan, &plan]).unwrap().value;
    assert_eq!(outcomes[0], done());
    let error = refusal(outcomes[1].clone());
    assert_eq!((error.kind, error.retry, error.slot), (ErrorKind::Locked, Retry::Backoff, Some(Slot::Person)));
    assert!(is_unknown(&outcomes[2]), "nothing was said of the third");
}

#[test]
fn graphs_that_were_not_tried_come_again_later() {
    let halted = [
        graph(
            0,
            false,
            &[failed("person", 400, "PROCESSING_HALTED", &[]), failed("case", 400, "PROCESSING_HALTED", &[])],
        ),
        json!({"graphId": "g0", "graphResponse": [{"errorCode": "PROCESSING_HALTED", "message": "m"}], "isSuccessful": false}),
    ];
    for answer in halted {
        let error = refusal(outcome_of(&booking(), graphs(&[answer])));
        assert_eq!((error.kind, error.retry), (ErrorKind::Unavailable, Retry::Backoff));
    }
}

#[test]
fn what_the_code_means_may_hang_on_the_step() {
    let one = |step: Step, code| {
        let reference = step.slot.to_string();
        outcome_of(
            &Plan { steps: vec![step.clone()] },
            graphs(&[graph(0, false, &[failed(&reference, 404, code, &[])])]),
        )
    };
    let person = |values: &[(Std, Value)]| upsert(Slot::Person, Role::Contact, values);
    let error = refusal(one(person(&[]), "NOT_FOUND"));
    assert_eq!((error.kind, error.retry), (ErrorKind::Configuration, Retry::Never));
    assert!(error.message.contains("Syncline_Uid__c"), "{}", error.message);
    assert_eq!(refusal(one(person(&[]), "ENTITY_IS_DELETED")).kind, ErrorKind::Gone);
    let error = refusal(one(patch(Slot::Person, Role::Contact, CONTACT, &[]), "NOT_FOUND"));
    assert_eq!((error.kind, error.retry), (ErrorKind::Gone, Retry::Replan));
}

/// proves: fault:S1
#[test]
fn a_field_that_was_deleted_in_the_org_is_named() {
    let mut step = upsert(Slot::Person, Role::Contact, &[(Std::Phone, Value::Null)]);
    if let Write::Upsert { fields, .. } = &mut step.write {
        fields.insert(Field::Native("Old__c".into()), Value::text("x"));
    }
    let body = json!([{"errorCode": "INVALID_FIELD", "message": "No such column 'Old__c' on sobject of type Contact", "fields": null}]);
    let answer = json!({"body": body, "httpHeaders": {}, "httpStatusCode": 400, "referenceId": "person"});
    let error = refusal(outcome_of(&Plan { steps: vec![step] }, graphs(&[graph(0, false, &[answer])])));
    assert_eq!((error.kind, error.fields), (ErrorKind::Field, vec![Field::Native("Old__c".into())]));
}

#[test]
fn several_records_of_one_key_stop_and_show() {
    let body = json!(["/services/data/v64.0/sobjects/Contact/0034H00002JsInQQAV"]);
    let answer = json!({"body": body, "httpHeaders": {}, "httpStatusCode": 300, "referenceId": "person"});
    let plan = Plan { steps: vec![upsert(Slot::Person, Role::Contact, &[])] };
    let error = refusal(outcome_of(&plan, graphs(&[graph(0, false, &[answer])])));
    assert_eq!((error.kind, error.retry, error.slot), (ErrorKind::Invalid, Retry::Never, Some(Slot::Person)));
}

#[test]
fn what_was_to_be_deleted_and_is_gone_is_done() {
    let plan = Plan { steps: vec![delete(Slot::Meeting, Role::Meeting, EVENT)] };
    for (status, code) in [(404, "ENTITY_IS_DELETED"), (404, "NOT_FOUND")] {
        let answer = graph(0, false, &[failed("meeting_0", status, code, &[])]);
        assert_eq!(outcome_of(&plan, graphs(&[answer])), GraphOutcome::Done(vec![]));
    }
    assert_eq!(outcome_of(&plan, graphs(&[graph(0, true, &[patched("meeting_0")])])), GraphOutcome::Done(vec![]));
    // With others in the graph all was rolled back: the deletion has to be planned away.
    let both =
        Plan { steps: vec![delete(Slot::Meeting, Role::Meeting, EVENT), upsert(Slot::Person, Role::Contact, &[])] };
    let answer = graph(
        0,
        false,
        &[failed("meeting_0", 404, "ENTITY_IS_DELETED", &[]), failed("person", 400, "PROCESSING_HALTED", &[])],
    );
    assert_eq!(refusal(outcome_of(&both, graphs(&[answer]))).kind, ErrorKind::Gone);
}

/// proves: V2, fault:N3, fault:N5, fault:N6, fault:H3, fault:H6
#[test]
fn an_answer_that_never_came_or_makes_no_sense_leaves_the_outcome_unknown() {
    let body = json!({"graphs": [good(0)]}).to_string();
    let upper = [
        Turn::Lost,
        raw(500, ""),
        raw(502, "bad gateway"),
        raw(504, ""),
        raw(408, ""),
        raw(200, ""),
        raw(200, "<html>"),
        raw(201, body.clone()),
        raw(200, &body[..body.len() - 1]),
        json(500, json!([{"errorCode": "UNKNOWN_EXCEPTION", "message": "m"}])),
        json(200, json!([{"errorCode": "INVALID_SESSION_ID", "message": "m"}])),
    ];
    let lacking = [
        graph(0, true, &[]),
        graph(0, true, &[saved("case", CASE, 201), saved("person", CONTACT, 204), patched("account")]),
        graph(
            0,
            true,
            &[saved("case", CASE, 201), patched("person"), patched("account"), saved("meeting", EVENT, 201)],
        ),
        graph(
            0,
            true,
            &[
                saved("case", CASE, 201),
                saved("person", ACCOUNT, 200),
                patched("account"),
                saved("meeting", EVENT, 201),
            ],
        ),
        graph(
            0,
            true,
            &[
                saved("case", CASE, 201),
                failed("person", 400, "X", &[]),
                patched("account"),
                saved("meeting", EVENT, 201),
            ],
        ),
        graph(0, false, &[]),
        json!({"graphId": "g0", "isSuccessful": true}),
        json!({"graphId": "g0", "isSuccessful": false}),
        json!({"graphId": "other", "graphResponse": {"compositeResponse": []}, "isSuccessful": true}),
    ];
    for turn in upper
        .into_iter()
        .chain(lacking.iter().map(|graph| graphs(std::slice::from_ref(graph))))
        .chain([graphs(&[good(0), good(0)])])
    {
        let outcome = outcome_of(&booking(), turn);
        assert!(is_unknown(&outcome), "{outcome:?}");
    }
}

/// proves: fault:N1, fault:H2, fault:H4, fault:S5
#[test]
fn a_call_that_was_not_taken_up_is_an_error_and_nothing_was_written() {
    let rows = |code: &str| json!([{"errorCode": code, "message": "m"}]);
    let turns = [
        (Turn::NotSent, ErrorKind::Unreachable, Retry::Backoff),
        (raw(503, "<html>"), ErrorKind::Unavailable, Retry::Backoff),
        (json(503, rows("SERVER_UNAVAILABLE")), ErrorKind::Unavailable, Retry::Backoff),
        (raw(429, ""), ErrorKind::RateLimited, Retry::Backoff),
        (json(401, rows("INVALID_SESSION_ID")), ErrorKind::Unauthorised, Retry::Reauthorise),
        (json(403, rows("REQUEST_LIMIT_EXCEEDED")), ErrorKind::DailyLimit, Retry::Backoff),
        (json(404, rows("NOT_FOUND")), ErrorKind::Configuration, Retry::Never),
        (raw(307, ""), ErrorKind::Configuration, Retry::Never),
        (json(400, rows("JSON_PARSER_ERROR")), ErrorKind::Protocol, Retry::Never),
    ];
    for (turn, kind, retry) in turns {
        let error = send(&World::with([turn]), &[&booking()]).unwrap_err();
        assert_eq!((error.kind, error.retry), (kind, retry));
    }
    let refresh_never =
        json!([{"errorCode": "INVALID_SESSION_ID", "message": "This session is not valid for use with the REST API"}]);
    assert_eq!(send(&World::with([json(401, refresh_never)]), &[&booking()]).unwrap_err().retry, Retry::Never);
}

fn any_plan() -> impl Strategy<Value = Plan> {
    let slots = [
        (Slot::Account, Role::Account, Std::Owner),
        (Slot::Person, Role::Contact, Std::Account),
        (Slot::Case, Role::Case, Std::Contact),
        (Slot::Opportunity, Role::Opportunity, Std::Account),
        (Slot::Meeting, Role::Meeting, Std::What),
    ];
    let refers = prop::collection::vec(prop::option::of(0usize..5), 5);
    (refers, Just(slots.to_vec()).prop_shuffle()).prop_map(move |(refers, shuffled)| {
        let steps = shuffled.iter().enumerate().map(|(at, (slot, role, field))| {
            let value = refers[at].map(|target| (*field, Value::Slot(slots[target].0)));
            upsert(*slot, *role, &value.into_iter().collect::<Vec<_>>())
        });
        Plan { steps: steps.collect() }
    })
}

proptest! {
    #[test]
    fn every_reference_points_backwards_or_the_plan_is_circular(plan in any_plan()) {
        let Ok(drawn) = draw::draw(&org(), &plan) else { return Ok(()) };
        prop_assert_eq!(drawn.nodes.len(), plan.steps.len());
        let mut before: Vec<String> = Vec::new();
        for node in &drawn.nodes {
            for value in node.request.body.iter().flat_map(|body| body.values()) {
                let named = value.as_str().and_then(|text| text.strip_prefix("@{")).and_then(|text| text.strip_suffix(".id}"));
                prop_assert!(named.is_none_or(|named| before.iter().any(|earlier| earlier == named)));
            }
            prop_assert!(!before.contains(&node.request.reference_id));
            before.push(node.request.reference_id.clone());
        }
    }

    #[test]
    fn a_plan_without_a_circle_is_always_drawn(order in Just(booking().steps).prop_shuffle()) {
        let drawn = draw::draw(&org(), &Plan { steps: order });
        prop_assert!(drawn.is_ok());
    }

    /// proves: V2
    #[test]
    fn no_bytes_make_a_write_panic_or_done(body in any::<Vec<u8>>(), status in 200u16..600) {
        if let Ok(answered) = send(&World::with([raw(status, body)]), &[&booking()]) {
            prop_assert!(is_unknown(&answered.value[0]));
        }
    }

    /// proves: V2
    #[test]
    fn an_answer_with_one_thing_bent_is_never_taken_for_done(at in 0usize..4, bend in 0usize..5) {
        let mut answer = good(0);
        let node = &mut answer["graphResponse"]["compositeResponse"][at];
        let whole = at != 2 || bend < 2;
        match bend {
            0 => node["httpStatusCode"] = json!(400),
            1 => node["referenceId"] = json!("stranger"),
            2 => node["body"] = json!({}),
            3 => node["body"]["id"] = json!("001"),
            _ => node["body"]["success"] = json!(false),
        }
        let outcome = outcome_of(&booking(), graphs(&[answer]));
        // A patched record's body is empty anyway, and its id is known.
        prop_assert_eq!(is_unknown(&outcome), whole);
        prop_assert!(whole || outcome == done());
    }
}
