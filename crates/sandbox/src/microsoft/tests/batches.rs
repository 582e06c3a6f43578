//! Many calls in one.

use serde_json::{Value, json};

use super::{EVENTS, MIA, kit, meeting};

fn request(id: usize, method: &str, url: &str, body: Value) -> Value {
    json!({"id": id.to_string(), "method": method, "url": url, "body": body,
           "headers": {"Content-Type": "application/json", "Prefer": "IdType=\"ImmutableId\""}})
}

#[test]
fn calls_are_answered_by_their_ids_and_wait_for_each_other() {
    let kit = kit();
    let mut second = request(2, "GET", "/me/events", Value::Null);
    second["dependsOn"] = json!(["1"]);
    let mut third = request(3, "GET", "/me", Value::Null);
    third["dependsOn"] = json!(["4"]);
    let broken = request(4, "DELETE", "/me/events/nonsense", Value::Null);
    let all =
        json!({"requests": [request(1, "POST", "/me/events", meeting("Demo", "2026-03-20")), second, broken, third]});
    let answer = kit.good("POST", "/v1.0/$batch", all);
    let by_id = |id: &str| answer["responses"].as_array().unwrap().iter().find(|row| row["id"] == id).unwrap().clone();
    let status = |id: &str| by_id(id)["status"].clone();
    assert_eq!((status("1"), status("2"), status("3"), status("4")), (json!(201), json!(200), json!(424), json!(400)));
    assert_eq!(by_id("2")["body"]["value"][0]["id"], by_id("1")["body"]["id"]);
    assert_eq!(answer["responses"][0]["id"], "3", "not in the order in which they were asked");
    let counts = kit.site.call_counts();
    assert_eq!(counts["POST v1.0/$batch"], 1);
}

#[test]
fn a_batch_has_at_most_twenty_calls() {
    let kit = kit();
    let many = |count: usize| json!({"requests": (1..=count).map(|id| request(id, "GET", "/me/events", Value::Null)).collect::<Vec<_>>()});
    assert_eq!(kit.good("POST", "/v1.0/$batch", many(20))["responses"].as_array().unwrap().len(), 20);
    assert_eq!(kit.refused("POST", "/v1.0/$batch", many(21)).0, 400);
    assert_eq!(
        kit.refused(
            "POST",
            "/v1.0/$batch",
            json!({"requests": [request(1, "GET", "/me", Value::Null), request(1, "GET", "/me", Value::Null)]})
        )
        .0,
        400
    );
    assert!(kit.site.snapshot()[MIA].is_empty() && !EVENTS.is_empty());
}
