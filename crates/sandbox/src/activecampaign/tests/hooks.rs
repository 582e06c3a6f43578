//! Webhooks: forms with members in brackets, for the sources that were asked for, once.

use std::collections::BTreeMap;

use serde_json::json;

use super::{Kit, map};
use crate::{HookDelivery, activecampaign::ActiveCampaignConfig};

fn subscribe(kit: &Kit, sources: &[&str]) -> u64 {
    let events = ["update", "subscribe", "unsubscribe", "contact_tag_added", "contact_tag_removed"];
    let body = json!({"webhook": {"name": "h", "url": "https://s.example/h", "events": events, "sources": sources}});
    let got = kit.ask("POST", "/webhooks", body);
    assert_eq!(got.status, 201, "{}", got.body);
    got.body["webhook"]["id"].as_str().unwrap().parse().unwrap()
}

fn form(sent: &HookDelivery) -> BTreeMap<String, String> {
    url::form_urlencoded::parse(&sent.body).into_owned().collect()
}

#[test]
fn events_are_forms_that_say_who_began_it() {
    let kit = Kit::new();
    subscribe(&kit, &["public", "admin", "api", "system"]);
    let id = kit.create(json!({"email": "a@example.org", "firstName": "Ada",
        "fieldValues": [{"field": 1, "value": "Bonn"}]}));
    kit.ask("PUT", "/contacts/1", json!({"contact": {"phone": "+49 1"}}));
    kit.account.edit(id, &map(json!({"firstName": "Eve"}))).unwrap();
    kit.account.set_tag(id, "vip", true);
    kit.account.subscribe(id, 1);
    kit.account.unsubscribe(id, 1);
    let sent = kit.account.take_deliveries();
    let told: Vec<(String, String)> = sent
        .iter()
        .map(|sent| {
            let form = form(sent);
            (form["type"].clone(), form["initiated_from"].clone())
        })
        .collect();
    let of = |event: &str, from: &str| (event.to_owned(), from.to_owned());
    assert_eq!(
        told,
        [
            of("update", "api"),
            of("update", "admin"),
            of("contact_tag_added", "admin"),
            of("subscribe", "public"),
            of("unsubscribe", "public"),
        ]
    );
    let tagged = form(&sent[2]);
    assert_eq!((tagged["contact[tags]"].as_str(), tagged["tag"].as_str()), ("vip", "vip"));
    assert_eq!((tagged["contact[first_name]"].as_str(), tagged["contact[fields][city]"].as_str()), ("Eve", "Bonn"));
    assert_eq!(form(&sent[4])["list"], "1");
    assert_eq!(sent[0].headers[0].1, "application/x-www-form-urlencoded");
}

#[test]
fn only_the_sources_that_were_asked_for_and_never_again() {
    let kit = Kit::new();
    subscribe(&kit, &["admin"]);
    let id = kit.create(json!({"email": "a@example.org"}));
    kit.ask("PUT", "/contacts/1", json!({"contact": {"phone": "1"}}));
    assert!(kit.account.take_deliveries().is_empty());
    kit.account.edit(id, &map(json!({"phone": "2"}))).unwrap();
    let sent = kit.account.take_deliveries();
    kit.account.report(&sent[0], Some(503));
    kit.hands.pass(100_000);
    assert!(kit.account.take_deliveries().is_empty(), "never tried again");
    kit.account.report(&sent[0], Some(410));
    kit.account.edit(id, &map(json!({"phone": "3"}))).unwrap();
    assert!(kit.account.take_deliveries().is_empty(), "410 ends the subscription");
}

#[test]
fn subscriptions_are_kept_to_https_on_its_port() {
    let kit = Kit::new();
    let hook = subscribe(&kit, &["api"]);
    let body = |url: &str| json!({"webhook": {"name": "h", "url": url, "events": ["update"], "sources": ["api"]}});
    for refused in ["http://s.example/h", "https://s.example:8443/h", "nowhere"] {
        assert_eq!(kit.ask("POST", "/webhooks", body(refused)).status, 422, "{refused}");
    }
    let unheard =
        json!({"webhook": {"name": "h", "url": "https://s.example/h", "events": ["born"], "sources": ["api"]}});
    assert_eq!(kit.ask("POST", "/webhooks", unheard).status, 422);
    let path = format!("/webhooks/{hook}");
    let got = kit.ask("PUT", &path, json!({"webhook": {"name": "other"}}));
    assert_eq!((&got.body["webhook"]["name"], &got.body["webhook"]["listid"]), (&json!("other"), &json!("0")));
    assert_eq!(kit.get("/webhooks?filters[name]=other").body["meta"]["total"], "1");
    assert_eq!(kit.get("/webhook/events").body["webhookEvents"].as_array().unwrap().len(), 25);
    assert_eq!(kit.ask("DELETE", &path, serde_json::Value::Null).status, 200);
    assert_eq!(kit.get(&path).status, 404);
    let demo = Kit::with(ActiveCampaignConfig { plain_hooks: true, ..ActiveCampaignConfig::default() });
    assert_eq!(demo.ask("POST", "/webhooks", body("http://127.0.0.1:8080/h")).status, 201);
}
