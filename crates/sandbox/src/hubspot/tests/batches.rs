//! Up to a hundred records in one call.

use serde_json::{Value, json};

use super::{Kit, ids, kit, kit_with};
use crate::hubspot::{HubSpotConfig, HubSpotProperty};

const BATCH: &str = "/crm/v3/objects/contacts/batch";

fn keyed() -> Kit {
    let mut config = HubSpotConfig::default();
    config.properties.push(("contacts".into(), HubSpotProperty::text("syncline_uid").unique()));
    kit_with(config)
}

#[test]
fn results_are_all_there_but_not_in_order() {
    let kit = kit();
    let inputs: Vec<Value> = (0..20).map(|n| json!({"properties": {"email": format!("p{n}@example.org")}})).collect();
    let (status, made) = kit.call("POST", &format!("{BATCH}/create"), json!({"inputs": inputs}));
    assert_eq!((status, &made["status"]), (201, &json!("COMPLETE")));
    let mut emails: Vec<_> = made["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["properties"]["email"].as_str().unwrap().to_owned())
        .collect();
    let given: Vec<String> = (0..20).map(|n| format!("p{n}@example.org")).collect();
    assert_ne!(emails, given);
    emails.sort();
    let mut sorted = given.clone();
    sorted.sort();
    assert_eq!(emails, sorted);
    let asked: Vec<Value> = ids(&made).iter().map(|id| json!({"id": id})).collect();
    let body = json!({"inputs": asked, "properties": ["email"], "propertiesWithHistory": []});
    let (first, second) =
        (kit.good("POST", &format!("{BATCH}/read"), body.clone()), kit.good("POST", &format!("{BATCH}/read"), body));
    assert_eq!(first["results"].as_array().unwrap().len(), 20);
    assert_ne!(ids(&first), ids(&second), "and each call has its own order");
}

#[test]
fn rows_fail_alone_only_where_each_has_a_trace_id() {
    let kit = kit();
    kit.make("contacts", json!({"email": "a@example.org"}));
    let rows = |traced: bool| {
        let mut rows = vec![
            json!({"properties": {"email": "a@example.org"}}),
            json!({"properties": {"email": "nonsense"}}),
            json!({"properties": {"email": "b@example.org"}}),
        ];
        for (n, row) in rows.iter_mut().enumerate().filter(|_| traced) {
            row["objectWriteTraceId"] = format!("op-{n}").into();
        }
        json!({"inputs": rows})
    };
    let (status, body) = kit.call("POST", &format!("{BATCH}/create"), rows(false));
    assert_eq!((status, &body["category"]), (409, &json!("CONFLICT")));
    assert_eq!(kit.account.count("contacts"), 1, "nothing of it was done");
    let (status, body) = kit.call("POST", &format!("{BATCH}/create"), rows(true));
    assert_eq!((status, &body["numErrors"], &body["status"]), (207, &json!(2), &json!("COMPLETE")));
    assert_eq!(body["results"][0]["objectWriteTraceId"], "op-2");
    let told: Vec<_> = body["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| (error["category"].as_str().unwrap(), error["context"]["objectWriteTraceId"][0].as_str().unwrap()))
        .collect();
    assert_eq!(told, [("CONFLICT", "op-0"), ("VALIDATION_ERROR", "op-1")]);
    assert_eq!(kit.account.count("contacts"), 2);
}

#[test]
fn an_upsert_repeated_makes_nothing_twice() {
    let kit = keyed();
    let row = |uid: &str, name: &str| json!({"id": uid, "idProperty": "syncline_uid", "objectWriteTraceId": uid, "properties": {"firstname": name}});
    let body = json!({"inputs": [row("u1", "Ada"), row("u2", "Bob")]});
    let first = kit.good("POST", &format!("{BATCH}/upsert"), body.clone());
    assert!(
        first["results"]
            .as_array()
            .unwrap()
            .iter()
            .all(|row| row["new"] == true && row["properties"]["syncline_uid"].is_string())
    );
    let again = kit.good("POST", &format!("{BATCH}/upsert"), body);
    assert!(again["results"].as_array().unwrap().iter().all(|row| row["new"] == false));
    assert_eq!((kit.account.count("contacts"), kit.account.effects_since(0).len()), (2, 2));
}

#[test]
fn ids_of_a_batch_are_of_one_kind_unique_and_not_too_many() {
    let kit = keyed();
    let upsert = |rows: Value| kit.call("POST", &format!("{BATCH}/upsert"), json!({"inputs": rows})).0;
    let row = |id: &str, property: &str| json!({"id": id, "idProperty": property, "properties": {}});
    assert_eq!(upsert(json!([row("u1", "syncline_uid"), row("a@example.org", "email")])), 400);
    assert_eq!(upsert(json!([row("u1", "syncline_uid"), row("u1", "syncline_uid")])), 400);
    assert_eq!(upsert(json!([row("Ada", "firstname")])), 400);
    let many: Vec<Value> = (0..101).map(|n| row(&n.to_string(), "syncline_uid")).collect();
    assert_eq!(upsert(many.into()), 400);
    assert_eq!(upsert(json!([row("u1", "syncline_uid")])), 200);
    let update = json!({"inputs": [{"id": "a@example.org", "idProperty": "email", "properties": {"city": "Bonn"}}]});
    assert_eq!(kit.call("POST", &format!("{BATCH}/update"), update).0, 400, "an e-mail is no id for an update");
}

#[test]
fn an_upsert_by_email_may_or_may_not_see_second_addresses() {
    for (sees, status) in [(true, 200), (false, 409)] {
        let kit = kit_with(HubSpotConfig { upsert_by_email_sees_secondary: sees, ..HubSpotConfig::default() });
        let (one, two) = (
            kit.make("contacts", json!({"email": "a@example.org"})),
            kit.make("contacts", json!({"email": "b@example.org"})),
        );
        kit.account.merge("contacts", &one, &two).unwrap();
        let row = json!({"id": "b@example.org", "idProperty": "email", "properties": {"city": "Bonn"}});
        assert_eq!(kit.call("POST", &format!("{BATCH}/upsert"), json!({"inputs": [row]})).0, status);
    }
}

#[test]
fn missing_records_are_told_beside_the_others() {
    let kit = kit();
    let id = kit.make("contacts", json!({"email": "a@example.org"}));
    let read = json!({"inputs": [{"id": id}, {"id": "77"}], "properties": ["email"], "propertiesWithHistory": []});
    let (status, body) = kit.call("POST", &format!("{BATCH}/read"), read);
    assert_eq!((status, body["results"].as_array().unwrap().len()), (207, 1));
    assert_eq!(
        (&body["errors"][0]["category"], &body["errors"][0]["context"]["ids"]),
        (&json!("OBJECT_NOT_FOUND"), &json!(["77"]))
    );
    let by_email = json!({"idProperty": "email", "inputs": [{"id": "A@example.org"}], "properties": [], "propertiesWithHistory": []});
    assert_eq!(ids(&kit.good("POST", &format!("{BATCH}/read"), by_email)), [id.as_str()]);
    let update =
        json!({"inputs": [{"id": id, "properties": {"city": "Bonn"}}, {"id": "77", "properties": {"city": "Bonn"}}]});
    assert_eq!(kit.call("POST", &format!("{BATCH}/update"), update).0, 207);
    assert_eq!(kit.account.record("contacts", &id).unwrap().properties["city"], "Bonn");
    let (status, _) = kit.call("POST", &format!("{BATCH}/archive"), json!({"inputs": [{"id": id}, {"id": "77"}]}));
    assert_eq!((status, kit.account.count("contacts")), (204, 0));
}
