//! Faults strike when their rules say, before or after the effect as their kinds say.

use std::cell::Cell;

use bytes::Bytes;
use http::Request;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{FaultKind, FaultRule, Faults, Refusal};
use crate::{
    Delivery, Reply,
    web::{empty, json as answer},
};

/// A site that counts what it did, and answers refusals with their names.
#[derive(Default)]
struct Till {
    faults: Faults,
    done: Cell<u64>,
}

impl Till {
    fn call(&self, method: &str, path: &str) -> Reply {
        let request = Request::builder().method(method).uri(path).body(Bytes::new()).unwrap();
        let refuse = |refusal| match refusal {
            Refusal::Status(status) => empty(status),
            other => answer(400, &json!(format!("{other:?}"))),
        };
        self.faults.around(&request, refuse, || {
            self.done.set(self.done.get() + 1);
            empty(200)
        })
    }

    fn status(&self, method: &str, path: &str) -> u16 {
        self.call(method, path).response.status().as_u16()
    }
}

/// proves: fault:N2, fault:N3
#[test]
fn the_effect_comes_before_or_after_as_asked() {
    use FaultKind::*;
    let cases = [
        (Slow, 200, Delivery::Answer, 1),
        (Status, 503, Delivery::Answer, 0),
        (StatusAfter, 503, Delivery::Answer, 1),
        (Unauthorized, 400, Delivery::Answer, 0),
        (Limited, 400, Delivery::Answer, 0),
        (FailedInBody, 400, Delivery::Answer, 0),
        (LostRequest, 503, Delivery::DropConnection, 0),
        (LostAnswer, 200, Delivery::DropConnection, 1),
        (Truncated, 200, Delivery::Truncate, 1),
    ];
    for (kind, status, deliver, done) in cases {
        let till = Till::default();
        till.faults.add(FaultRule::next(kind).status(503).late(40));
        let got = till.call("POST", "/rows");
        let all = (got.response.status().as_u16(), got.deliver, got.delay.as_millis(), till.done.get());
        assert_eq!(all, (status, deliver, 40, done), "{kind:?}");
        assert_eq!((till.status("POST", "/rows"), till.done.get()), (200, done + 1), "{kind:?} strikes once");
    }
}

#[test]
fn rules_queue_and_strike_one_at_a_time() {
    let till = Till::default();
    till.faults.add(FaultRule::next(FaultKind::Status).status(500).on("post", "/rows").after(1));
    let second = till.faults.add(FaultRule::next(FaultKind::Status).status(502).times(2)).unwrap();
    let got: Vec<u16> = (0..5).map(|_| till.status("POST", "/rows/7")).collect();
    assert_eq!(got, [502, 500, 502, 200, 200]);
    assert_eq!(till.faults.tallies()[1].fired, 2);
    assert!(till.faults.remove(second) && !till.faults.remove(second));
    assert_eq!(till.status("GET", "/other"), 200);
}

#[test]
fn the_queue_is_filled_and_read_by_http() {
    let till = Till::default();
    let ask = |method: &str, body: Value| {
        let request = Request::builder().method(method).uri("/_sandbox/faults").body(body.to_string().into()).unwrap();
        let response = till.faults.door(&request).expect("its own path");
        let body: Value = serde_json::from_slice(response.body()).unwrap_or_default();
        (response.status().as_u16(), body)
    };
    let one = json!({"kind": "status_after", "status": 502, "method": "PUT", "path": "/rows", "times": 1});
    assert_eq!(ask("POST", json!({"rules": [one, {"kind": "limited", "after": 9}]})).0, 201);
    assert_eq!(till.status("PUT", "/rows/1"), 502);
    let (_, shown) = ask("GET", Value::Null);
    assert_eq!((&shown["faults"][0]["fired"], &shown["faults"][0]["rule"]["status"]), (&json!(1), &json!(502)));
    assert_eq!(ask("POST", json!({"kind": "unheard_of"})).0, 400);
    assert_eq!(ask("PATCH", Value::Null).0, 405);
    assert_eq!(ask("DELETE", Value::Null).0, 204);
    assert!(till.faults.tallies().is_empty());
    let elsewhere = Request::get("/rows").body(Bytes::new()).unwrap();
    assert!(till.faults.door(&elsewhere).is_none());
}

#[test]
fn spent_rules_make_room_and_live_ones_do_not() {
    let faults = Faults::default();
    for _ in 0..1000 {
        assert!(faults.add(FaultRule::next(FaultKind::Status)).is_some());
        assert!(faults.strike("GET", "/").is_some());
    }
    faults.clear();
    let added = (0..1000).filter_map(|_| faults.add(FaultRule::next(FaultKind::Status))).count();
    assert_eq!(added, super::MAX_RULES);
}

proptest! {
    /// One rule strikes exactly the calls after its first `after`, `times` of them.
    #[test]
    fn a_rule_strikes_a_stretch_of_calls(after in 0u64..20, times in 0u64..20, calls in 0u64..50) {
        let faults = Faults::default();
        faults.add(FaultRule::next(FaultKind::Limited).after(after).times(times));
        for call in 0..calls {
            let struck = faults.strike("GET", "/").is_some();
            prop_assert_eq!(struck, call >= after && call < after + times);
        }
    }
}
