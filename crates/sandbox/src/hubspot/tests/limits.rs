//! Too many calls, and what else goes wrong.

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{PRIVATE, kit, kit_with};
use crate::{
    Delivery, FaultKind, FaultRule,
    hubspot::{HubSpotConfig, HubSpotRates},
};

const LIST: &str = "/crm/v3/objects/contacts";

fn rates() -> HubSpotRates {
    HubSpotRates { oauth_per_ten_seconds: 110, private_per_ten_seconds: 5, daily: 8, searches_per_second: 2 }
}

#[test]
fn ten_seconds_roll_and_the_day_ends_at_the_accounts_midnight() {
    let kit = kit_with(HubSpotConfig { rates: rates(), ..HubSpotConfig::default() });
    let ask = || kit.send(PRIVATE, "GET", LIST, &Value::Null).response;
    for left in (0..5).rev() {
        let response = ask();
        assert_eq!(response.headers()["x-hubspot-ratelimit-remaining"], left.to_string());
        assert_eq!(response.headers()["x-hubspot-ratelimit-max"], "5");
    }
    let refused = ask();
    let body: Value = serde_json::from_slice(refused.body()).unwrap();
    assert_eq!(
        (refused.status().as_u16(), &body["errorType"], &body["policyName"]),
        (429, &json!("RATE_LIMIT"), &json!("TEN_SECONDLY_ROLLING"))
    );
    assert_eq!(body.get("category"), None);
    assert!(!refused.headers().contains_key("x-hubspot-ratelimit-interval-milliseconds"));
    kit.hands.pass(SignedDuration::from_secs(10));
    for _ in 0..3 {
        assert_eq!(ask().status().as_u16(), 200);
    }
    let body: Value = serde_json::from_slice(ask().body()).unwrap();
    assert_eq!(body["policyName"], "DAILY");
    // It is 08:32 in Berlin.
    kit.hands.pass(SignedDuration::from_mins(15 * 60 + 26));
    assert_eq!(ask().status().as_u16(), 429);
    kit.hands.pass(SignedDuration::from_mins(2));
    let response = ask();
    assert_eq!(
        (response.status().as_u16(), &response.headers()["x-hubspot-ratelimit-daily-remaining"]),
        (200, &"7".parse().unwrap())
    );
    let usage = kit.good("GET", "/account-info/v3/api-usage/daily/private-apps", Value::Null);
    assert_eq!((&usage["results"][0]["currentUsage"], &usage["results"][0]["usageLimit"]), (&json!(2), &json!(8)));
    assert_eq!(usage["results"][0]["resetsAt"], "2026-03-13T23:00:00Z");
}

#[test]
fn searches_have_a_limit_and_an_answer_of_their_own() {
    let kit = kit_with(HubSpotConfig { rates: rates(), ..HubSpotConfig::default() });
    let ask = || kit.send(PRIVATE, "POST", "/crm/v3/objects/contacts/search", &json!({})).response;
    assert_eq!((ask().status().as_u16(), ask().status().as_u16()), (200, 200));
    let refused = ask();
    let body: Value = serde_json::from_slice(refused.body()).unwrap();
    assert_eq!(
        (refused.status().as_u16(), &body["category"], body.get("errorType")),
        (429, &json!("RATE_LIMITS"), None)
    );
    kit.hands.pass(SignedDuration::from_secs(1));
    assert_eq!(ask().status().as_u16(), 200);
    kit.account.set_rates(HubSpotRates { searches_per_second: 100, ..rates() });
    assert_eq!(ask().status().as_u16(), 200);
}

#[test]
fn an_app_with_oauth_hears_nothing_of_the_day() {
    let kit = kit();
    let token = kit.account.install()["access_token"].as_str().unwrap().to_owned();
    let response = kit.send(&token, "GET", LIST, &Value::Null).response;
    assert_eq!(response.headers()["x-hubspot-ratelimit-max"], "110");
    assert_eq!(response.headers()["x-hubspot-ratelimit-secondly"], "11");
    assert!(!response.headers().contains_key("x-hubspot-ratelimit-daily"));
}

#[test]
fn calls_go_wrong_as_asked() {
    let kit = kit();
    let body = |n: u8| json!({"properties": {"email": format!("p{n}@example.org")}});
    let mut number = 0;
    let mut with = |rule: FaultRule| {
        kit.account.faults().add(rule).unwrap();
        number += 1;
        kit.send(PRIVATE, "POST", LIST, &body(number))
    };
    let locked = with(FaultRule::next(FaultKind::Status).status(423));
    assert_eq!((locked.response.status().as_u16(), kit.account.count("contacts")), (423, 0));
    let moving = with(FaultRule::next(FaultKind::Status).status(477)).response;
    assert!(moving.status().as_u16() == 477 && moving.headers().contains_key("retry-after"));
    let gateway = with(FaultRule::next(FaultKind::Status).status(504)).response;
    assert!(gateway.headers()["content-type"].to_str().unwrap().starts_with("text/html"));
    assert_eq!(with(FaultRule::next(FaultKind::Limited)).response.status().as_u16(), 429);
    assert_eq!(with(FaultRule::next(FaultKind::Unauthorized)).response.status().as_u16(), 401);
    assert_eq!(kit.account.count("contacts"), 0);
    assert_eq!(with(FaultRule::next(FaultKind::LostAnswer)).deliver, Delivery::DropConnection);
    assert_eq!(kit.account.count("contacts"), 1, "done, but not told");
    assert_eq!(with(FaultRule::next(FaultKind::StatusAfter)).response.status().as_u16(), 500);
    assert_eq!(kit.account.count("contacts"), 2);
    let canceled = with(FaultRule::next(FaultKind::FailedInBody)).response;
    assert!(canceled.status().is_success() && std::str::from_utf8(canceled.body()).unwrap().contains("CANCELED"));
}

#[test]
fn calls_are_counted_by_what_they_ask_for() {
    let kit = kit();
    let id = kit.make("contacts", json!({"email": "a@example.org"}));
    kit.good("GET", &format!("/crm/objects/2026-03/0-1/{id}"), Value::Null);
    kit.good("POST", "/crm/v3/objects/contacts/search", json!({}));
    let other = kit.account.create("companies", &[("name", "Bossa")]).unwrap();
    kit.good("PUT", &format!("/crm/v4/objects/contacts/{id}/associations/default/companies/{other}"), Value::Null);
    let calls: Vec<(String, u64)> = kit.account.calls().into_iter().collect();
    let expected = [
        "GET contacts/{id}",
        "POST contacts",
        "POST contacts/search",
        "PUT contacts/{id}/associations/default/companies/{id}",
    ];
    assert_eq!(calls, expected.map(|kind| (kind.to_owned(), 1)));
}
