//! Webhooks: who is told of what, by which name, and when a lost one comes again.

use serde_json::{Value, json};

use super::{Kit, map};

fn subscribe(kit: &Kit, events: Value) -> u64 {
    let body = json!({"url": "https://s.example/hook", "type": "marketing", "events": events,
        "auth": {"type": "bearer", "token": "t0ken"}, "headers": [{"key": "X-Own", "value": "v"}]});
    let got = kit.ask("POST", "/webhooks", body);
    assert_eq!(got.status, 201, "{}", got.body);
    got.body["id"].as_u64().unwrap()
}

fn bodies(kit: &Kit) -> Vec<Value> {
    kit.account.take_deliveries().iter().map(|sent| serde_json::from_slice(&sent.body).unwrap()).collect()
}

#[test]
fn events_tell_which_key_made_the_change() {
    let kit = Kit::new();
    let hook = subscribe(&kit, json!(["contactUpdated", "contactDeleted", "listAddition", "unsubscribed"]));
    let id = kit.create(json!({"email": "a@example.org", "listIds": [2]}));
    kit.ask("PUT", "/contacts/1", json!({"attributes": {"CITY": "Bonn"}}));
    kit.account.edit(id, &map(json!({"CITY": "Ulm"}))).unwrap();
    kit.account.unsubscribe(id);
    kit.account.delete(id).unwrap();
    let told: Vec<(Value, Value)> =
        bodies(&kit).iter().map(|body| (body["event"].clone(), body["api_key_name"].clone())).collect();
    let of = |event: &str, name: Value| (json!(event), name);
    assert_eq!(
        told,
        [
            of("list_addition", json!("Syncline")),
            of("contact_updated", json!("Syncline")),
            of("contact_updated", json!("")),
            of("unsubscribed", Value::Null),
            of("contact_deleted", Value::Null),
        ]
    );
    assert_eq!(kit.get(&format!("/webhooks/{hook}")).body["events"][0], "contactUpdated");
}

#[test]
fn headers_carry_what_the_subscriber_left() {
    let kit = Kit::new();
    subscribe(&kit, json!(["contactUpdated"]));
    kit.create(json!({"email": "a@example.org"}));
    kit.ask("PUT", "/contacts/1", json!({}));
    assert!(kit.account.take_deliveries().is_empty(), "an update of nothing tells nobody");
    kit.ask("PUT", "/contacts/1", json!({"emailBlacklisted": false}));
    let sent = kit.account.take_deliveries();
    let header = |name: &str| sent[0].headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    assert_eq!((header("authorization"), header("x-own")), (Some("Bearer t0ken"), Some("v")));
}

#[test]
fn only_silence_and_429_are_tried_again() {
    let kit = Kit::new();
    subscribe(&kit, json!(["contactUpdated"]));
    kit.create(json!({"email": "a@example.org"}));
    let change = || kit.ask("PUT", "/contacts/1", json!({"attributes": {"CITY": "Bonn"}}));
    change();
    let sent = kit.account.take_deliveries();
    kit.account.report(&sent[0], Some(503));
    kit.hands.pass(12 * 3600);
    assert!(kit.account.take_deliveries().is_empty(), "an event answered with 5xx is lost");
    change();
    let mut sent = kit.account.take_deliveries();
    for wait in [600, 3600, 7200, 28_800] {
        kit.account.report(&sent[0], if wait == 600 { Some(429) } else { None });
        kit.hands.pass(wait - 1);
        assert!(kit.account.take_deliveries().is_empty());
        kit.hands.pass(1);
        sent = kit.account.take_deliveries();
        assert_eq!(sent.len(), 1, "after {wait} seconds");
    }
    assert_eq!(sent[0].attempt, 5);
    kit.account.report(&sent[0], None);
    kit.hands.pass(100 * 3600);
    assert!(kit.account.take_deliveries().is_empty(), "four times again, then never");
}

#[test]
fn subscriptions_are_transactional_unless_said_otherwise() {
    let kit = Kit::new();
    let forgot = json!({"url": "https://s.example/x", "events": ["contactUpdated"]});
    assert_eq!(kit.ask("POST", "/webhooks", forgot).body["code"], "invalid_parameter");
    let hook = subscribe(&kit, json!(["contactUpdated"]));
    assert_eq!(kit.get("/webhooks").body, json!({"webhooks": []}));
    assert_eq!(kit.get("/webhooks?type=marketing").body["webhooks"][0]["id"], hook);
    let again = json!({"url": "https://s.example/hook", "type": "marketing", "events": ["contactUpdated"]});
    assert_eq!(kit.ask("POST", "/webhooks", again).body["code"], "duplicate_parameter");
    let path = format!("/webhooks/{hook}");
    assert_eq!(kit.ask("PUT", &path, json!({"batched": true})).status, 204);
    kit.create(json!({"email": "a@example.org"}));
    kit.ask("PUT", "/contacts/1", json!({"attributes": {"CITY": "Bonn"}}));
    assert_eq!(bodies(&kit)[0][0]["event"], "contact_updated");
    assert_eq!(kit.ask("DELETE", &path, Value::Null).status, 204);
    assert_eq!(kit.ask("DELETE", &path, Value::Null).status, 404);
}
