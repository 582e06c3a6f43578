//! Push channels tell that something has changed, and nothing else.

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{EVENTS, Kit, kit, meeting};
use crate::HookDelivery;

fn watch(kit: &Kit, id: &str) -> Value {
    let body = json!({"id": id, "type": "web_hook", "address": "https://hooks.example/g", "token": "secret"});
    kit.good("POST", &format!("{EVENTS}/watch"), body)
}

fn header<'a>(sent: &'a HookDelivery, name: &str) -> &'a str {
    sent.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
}

#[test]
fn a_channel_says_hello_and_then_that_something_has_changed() {
    let kit = kit();
    let channel = watch(&kit, "c1");
    let lives = channel["expiration"].as_str().unwrap().parse::<i64>().unwrap() - 1_773_300_762_000;
    assert_eq!((&channel["kind"], lives), (&json!("api#channel"), 7 * 24 * 3_600_000));
    let id = kit.make(meeting("Demo", "2026-03-20"));
    kit.good("PATCH", &format!("{EVENTS}/{id}"), json!({"summary": "Demo"}));
    let sent = kit.site.take_deliveries();
    let told: Vec<(&str, &str)> =
        sent.iter().map(|one| (header(one, "x-goog-resource-state"), header(one, "x-goog-message-number"))).collect();
    assert_eq!(told, [("sync", "1"), ("exists", "2")], "what changes nothing is not told");
    assert!(sent[1].body.is_empty());
    assert_eq!((header(&sent[1], "x-goog-channel-token"), header(&sent[1], "x-goog-channel-id")), ("secret", "c1"));
    assert_eq!(header(&sent[1], "x-goog-resource-id"), channel["resourceId"].as_str().unwrap());
    assert_eq!(header(&sent[1], "x-goog-channel-expiration"), "Thu, 19 Mar 2026 07:32:42 GMT");
}

#[test]
fn channels_end_and_only_overload_is_tried_again() {
    let kit = kit();
    let channel = watch(&kit, "c1");
    let sent = kit.site.take_deliveries().remove(0);
    kit.site.report(&sent, Some(404));
    kit.hands.pass(SignedDuration::from_mins(10));
    assert!(kit.site.take_deliveries().is_empty());
    kit.site.report(&sent, Some(503));
    assert!(kit.site.take_deliveries().is_empty());
    kit.hands.pass(SignedDuration::from_secs(30));
    assert_eq!(kit.site.take_deliveries()[0].attempt, 2);
    let stop = |resource: &Value| {
        kit.call("POST", "/calendar/v3/channels/stop", json!({"id": "c1", "resourceId": resource})).0
    };
    assert_eq!((stop(&json!("other")), stop(&channel["resourceId"]), stop(&channel["resourceId"])), (404, 204, 404));
    watch(&kit, "c2");
    kit.hands.pass(SignedDuration::from_hours(7 * 24));
    kit.site.take_deliveries();
    kit.make(meeting("Demo", "2026-03-20"));
    assert!(kit.site.take_deliveries().is_empty(), "it has ended by itself");
}

#[test]
fn what_is_no_channel_is_refused() {
    let kit = kit();
    watch(&kit, "c1");
    let ask = |body: Value| kit.refused("POST", &format!("{EVENTS}/watch"), body).1;
    let base = json!({"id": "c2", "type": "web_hook", "address": "https://hooks.example/g"});
    let but = |name: &str, value: Value| {
        let mut body = base.clone();
        body[name] = value;
        body
    };
    assert_eq!(ask(but("id", json!("c1"))), "channelIdNotUnique");
    assert_eq!(ask(but("id", json!("x".repeat(65)))), "invalid");
    assert_eq!(ask(but("type", json!("carrier_pigeon"))), "invalid");
    assert_eq!(ask(but("address", json!("http://hooks.example/g"))), "push.webhookUrlNotHttps");
    let short = kit.good("POST", &format!("{EVENTS}/watch"), but("params", json!({"ttl": "3600"})));
    assert_eq!(short["expiration"].as_str().unwrap().len(), 13);
}
