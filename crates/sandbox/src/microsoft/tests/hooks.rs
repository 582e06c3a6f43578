//! Subscriptions: the handshake, notifications, their lives.

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{EVENTS, Kit, MIA, kit, meeting};
use crate::{HookDelivery, microsoft::Lifecycle};

const PATH: &str = "/v1.0/subscriptions";

fn said() -> Value {
    json!({"changeType": "created,updated,deleted", "notificationUrl": "https://hooks.example/m?own=1",
           "lifecycleNotificationUrl": "https://hooks.example/life", "resource": "/me/events",
           "expirationDateTime": "2026-03-14T07:32:42Z", "clientState": "secret"})
}

fn subscribed(kit: &Kit) -> String {
    let id = kit.good("POST", PATH, said())["id"].as_str().unwrap().to_owned();
    let handshakes = kit.site.take_deliveries();
    assert_eq!(handshakes.len(), 2, "both addresses are tried");
    assert!(handshakes[0].url.contains("own=1&") && handshakes[1].url.contains("/life?"));
    for handshake in handshakes {
        assert!(handshake.body.is_empty());
        kit.site.report(&handshake, Some(200), token(&handshake).as_bytes());
    }
    id
}

fn token(handshake: &HookDelivery) -> String {
    let url = url::Url::parse(&handshake.url).unwrap();
    url.query_pairs().find(|(name, _)| name == "validationToken").unwrap().1.into_owned()
}

fn told(sent: &HookDelivery) -> Value {
    serde_json::from_slice::<Value>(&sent.body).unwrap()["value"][0].clone()
}

#[test]
fn changes_are_told_once_the_handshake_was_answered() {
    let kit = kit();
    let id = subscribed(&kit);
    let event = kit.make(meeting("Demo", "2026-03-20"));
    kit.good("PATCH", &format!("{EVENTS}/{event}"), json!({"subject": "Demo"}));
    kit.good("DELETE", &format!("{EVENTS}/{event}"), Value::Null);
    let sent = kit.site.take_deliveries();
    let kinds: Vec<Value> = sent.iter().map(|one| told(one)["changeType"].clone()).collect();
    assert_eq!(kinds, ["created", "deleted"], "what changes nothing is not told");
    let first = told(&sent[0]);
    assert_eq!((&first["clientState"], &first["subscriptionId"]), (&json!("secret"), &json!(id)));
    assert_eq!(first["resourceData"]["id"], json!(event));
    // Not taken, it comes again for four hours.
    kit.site.report(&sent[0], Some(503), b"");
    kit.hands.pass(SignedDuration::from_mins(1));
    assert_eq!(kit.site.take_deliveries()[0].attempt, 2);
    let late = HookDelivery { attempt: 240, ..sent[0].clone() };
    kit.site.report(&late, None, b"");
    kit.hands.pass(SignedDuration::from_mins(5));
    assert!(kit.site.take_deliveries().is_empty());
}

#[test]
fn a_wrong_answer_to_the_handshake_ends_it() {
    let kit = kit();
    let id = kit.good("POST", PATH, said())["id"].as_str().unwrap().to_owned();
    let handshakes = kit.site.take_deliveries();
    kit.site.report(&handshakes[0], Some(200), token(&handshakes[0]).as_bytes());
    kit.make(meeting("Demo", "2026-03-20"));
    assert!(kit.site.take_deliveries().is_empty(), "nothing before both handshakes");
    kit.site.report(&handshakes[1], Some(200), b"something else");
    assert_eq!(kit.refused("GET", &format!("{PATH}/{id}"), Value::Null), (404, "ResourceNotFound".into()));
}

#[test]
fn subscriptions_are_renewed_or_end() {
    let kit = kit();
    let id = subscribed(&kit);
    let renew = |until: &str| kit.by(MIA, "PATCH", &format!("{PATH}/{id}"), json!({"expirationDateTime": until}));
    assert_eq!(renew("2026-03-15T00:00:00Z").1["expirationDateTime"], "2026-03-15T00:00:00.0000000Z");
    let shortest = renew("2026-03-12T07:40:00Z").1;
    assert!(shortest["expirationDateTime"].as_str().unwrap() > "2026-03-12T08:17:00", "{shortest}");
    assert_eq!(renew("2026-04-15T00:00:00Z").0, 400, "longer than a week");
    kit.hands.pass(SignedDuration::from_hours(1));
    kit.make(meeting("Demo", "2026-03-20"));
    assert!(kit.site.take_deliveries().is_empty());
    assert_eq!(renew("2026-03-15T00:00:00Z").0, 404);
    for (name, value) in [
        ("resource", json!("/me/messages")),
        ("changeType", json!("seen")),
        ("notificationUrl", json!("http://hooks.example/m")),
        ("lifecycleNotificationUrl", json!("http://hooks.example/m")),
    ] {
        let mut body = said();
        body[name] = value;
        assert_eq!(kit.refused("POST", PATH, body), (400, "ValidationError".into()), "{name}");
    }
}

#[test]
fn its_life_is_told_apart_from_changes() {
    let kit = kit();
    let id = subscribed(&kit);
    kit.site.tell_lifecycle(MIA, Lifecycle::ReauthorizationRequired);
    kit.make(meeting("Unheard", "2026-03-20"));
    let sent = kit.site.take_deliveries();
    assert_eq!((sent.len(), sent[0].url.as_str()), (1, "https://hooks.example/life"));
    assert_eq!(told(&sent[0])["lifecycleEvent"], "reauthorizationRequired");
    assert_eq!(told(&sent[0]).get("resource"), None, "it is about no resource");
    kit.good("POST", &format!("{PATH}/{id}/reauthorize"), Value::Null);
    kit.make(meeting("Heard", "2026-03-20"));
    assert_eq!(kit.site.take_deliveries().len(), 1);
    kit.site.tell_lifecycle(MIA, Lifecycle::SubscriptionRemoved);
    assert_eq!(told(&kit.site.take_deliveries()[0])["lifecycleEvent"], "subscriptionRemoved");
    assert_eq!(kit.refused("DELETE", &format!("{PATH}/{id}"), Value::Null).0, 404);
}
