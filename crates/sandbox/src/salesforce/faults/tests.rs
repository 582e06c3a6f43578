//! Faults strike as often as their rules say, and the effect is the one that was asked for.

use serde_json::{Value, json};

use super::{FaultKind, FaultRule};
use crate::{
    Delivery,
    salesforce::testkit::{Kit, code, contact},
};

fn rule(kind: FaultKind) -> FaultRule {
    FaultRule { next: Some(1), ..FaultRule::new(kind) }
}

/// proves: fault:N3
#[test]
fn an_applied_change_whose_answer_is_lost_stays_applied() {
    let kit = Kit::new();
    kit.org.faults().add(rule(FaultKind::AppliedAnswerLost));
    let got = kit.ask("POST", "/sobjects/Contact", contact("Lost"));
    assert_eq!(got.deliver, Delivery::DropConnection);
    assert_eq!(kit.records("Contact").len(), 1);
    assert_eq!(kit.ask("POST", "/sobjects/Contact", contact("Next")).deliver, Delivery::Answer);
    assert_eq!(kit.org.faults().fired()[0].fired, 1);
}

/// proves: fault:N2
#[test]
fn a_lost_request_changes_nothing() {
    let kit = Kit::new();
    kit.org.faults().add(rule(FaultKind::LostRequest));
    assert_eq!(kit.ask("POST", "/sobjects/Contact", contact("Lost")).deliver, Delivery::DropConnection);
    assert!(kit.records("Contact").is_empty());
}

/// proves: fault:N6, fault:H2, fault:H4, fault:T1
#[test]
fn answers_are_replaced_and_cut() {
    let kit = Kit::new();
    let post =
        |body: Value| kit.raw(http::Request::post("/_sandbox/faults").body(body.to_string().into()).expect("valid"));
    let added = post(json!({"rules": [
        {"kind": "status", "status": 503, "body": "html", "next": 1},
        {"kind": "status", "status": 500, "body": "empty", "method": "PATCH"},
        {"kind": "daily_limit", "path": "/services/data/v64.0/limits"},
        {"kind": "expired_token", "object": "Lead"},
        {"kind": "truncated", "object": "Account"},
    ]}));
    assert_eq!(added.status, 201, "{}", added.text);
    let got = kit.get("/sobjects/Contact");
    assert_eq!((got.status, got.text.contains("<html>")), (503, true));
    assert_eq!(kit.get("/sobjects/Contact").status, 200);
    let got = kit.ask("PATCH", "/sobjects/Contact/003", json!({}));
    assert_eq!((got.status, got.text.as_str()), (500, ""));
    let got = kit.get("/limits");
    assert_eq!((got.status, code(&got.body)), (403, "REQUEST_LIMIT_EXCEEDED"));
    let got = kit.get("/sobjects/Lead");
    assert_eq!((got.status, code(&got.body)), (401, "INVALID_SESSION_ID"));
    assert_eq!(kit.get("/sobjects/Account").deliver, Delivery::Truncate);
    let listed = kit.raw(http::Request::get("/_sandbox/faults").body(Default::default()).expect("valid"));
    assert_eq!(listed.body["faults"][1]["fired"], 1);
    assert_eq!(post(json!({"kind": "unheard_of"})).status, 400);
    kit.raw(http::Request::delete("/_sandbox/faults").body(Default::default()).expect("valid"));
    assert_eq!(kit.get("/limits").status, 200);
}

/// proves: fault:B1, fault:B2, fault:H5
#[test]
fn a_locked_row_fails_alone() {
    let kit = Kit::new();
    kit.org.faults().add(FaultRule {
        object: Some("Contact".into()),
        every: Some(2),
        ..FaultRule::new(FaultKind::RowLock)
    });
    let records: Vec<Value> =
        (0..4).map(|n| json!({"attributes": {"type": "Contact"}, "LastName": format!("n{n}")})).collect();
    let got = kit.ask("POST", "/composite/sobjects", json!({"records": records}));
    let codes: Vec<&str> = (0..4).map(|n| got.body[n]["errors"][0]["statusCode"].as_str().unwrap_or("ok")).collect();
    assert_eq!(codes, ["ok", "UNABLE_TO_LOCK_ROW", "ok", "UNABLE_TO_LOCK_ROW"]);
    assert_eq!(kit.records("Contact").len(), 2);
}

#[test]
fn dice_fall_alike_for_the_same_seed() {
    let hits = |seed: u64| -> Vec<bool> {
        let kit = Kit::new();
        let slow = FaultRule {
            probability: Some(0.3),
            seed: Some(seed),
            delay_ms: Some(5),
            status: Some(500),
            ..FaultRule::new(FaultKind::Status)
        };
        kit.org.faults().add(slow);
        (0..200).map(|_| kit.get("/limits").status == 500).collect()
    };
    assert_eq!(hits(1), hits(1));
    assert_ne!(hits(1), hits(2));
    let share = hits(3).iter().filter(|hit| **hit).count();
    assert!((30..90).contains(&share), "{share} of 200 at 0.3");
}
