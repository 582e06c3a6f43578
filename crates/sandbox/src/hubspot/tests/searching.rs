//! Searching.

use std::{collections::BTreeMap, time::Duration};

use jiff::SignedDuration;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Kit, ids, kit, kit_with};
use crate::hubspot::{HubSpotConfig, HubSpotProperty};

const SEARCH: &str = "/crm/v3/objects/contacts/search";

fn filtered(kit: &Kit, filters: Value) -> Vec<String> {
    ids(&kit.good("POST", SEARCH, json!({"filterGroups": [{"filters": filters}], "limit": 200})))
}

#[test]
fn operators_do_what_their_names_say() {
    let mut config = HubSpotConfig::default();
    config.properties.push(("contacts".into(), HubSpotProperty::of("score", "number", "number")));
    let kit = kit_with(config);
    let ada = kit.make(
        "contacts",
        json!({"email": "ada@example.org", "firstname": "Ada Maria", "score": "5", "hs_buying_role": "CHAMPION;OTHER"}),
    );
    let bob = kit.make("contacts", json!({"email": "bob@example.org", "firstname": "bob", "score": "12"}));
    let eve = kit.make("contacts", json!({"email": "eve@other.example"}));
    let one = |name: &str, operator: &str, value: Value| {
        let mut filter = json!({"propertyName": name, "operator": operator});
        match (operator, value) {
            ("IN" | "NOT_IN", values) => filter["values"] = values,
            ("BETWEEN", both) => (filter["value"], filter["highValue"]) = (both[0].clone(), both[1].clone()),
            (_, value) => filter["value"] = value,
        }
        filtered(&kit, json!([filter]))
    };
    assert_eq!(one("email", "EQ", json!("ADA@example.org")), [ada.as_str()]);
    assert_eq!(one("firstname", "EQ", json!("BOB")), [bob.as_str()]);
    assert_eq!(one("firstname", "NEQ", json!("bob")), [ada.clone(), eve.clone()]);
    assert_eq!(one("score", "GT", json!("5")), [bob.as_str()]);
    assert_eq!(one("score", "LTE", json!("5")), [ada.as_str()]);
    assert_eq!(one("score", "BETWEEN", json!(["5", "12"])), [ada.clone(), bob.clone()]);
    assert_eq!(one("email", "IN", json!(["eve@other.example", "ada@example.org"])), [ada.clone(), eve.clone()]);
    assert_eq!(one("email", "NOT_IN", json!(["eve@other.example"])), [ada.clone(), bob.clone()]);
    assert_eq!(one("score", "HAS_PROPERTY", Value::Null), [ada.clone(), bob.clone()]);
    assert_eq!(one("score", "NOT_HAS_PROPERTY", Value::Null), [eve.as_str()]);
    assert_eq!(one("firstname", "CONTAINS_TOKEN", json!("maria")), [ada.as_str()]);
    assert_eq!(one("email", "CONTAINS_TOKEN", json!("exam*")), [ada.clone(), bob.clone(), eve.clone()]);
    assert_eq!(one("firstname", "NOT_CONTAINS_TOKEN", json!("maria")), [bob.clone(), eve.clone()]);
    assert_eq!(one("hs_buying_role", "EQ", json!("OTHER")), [ada.as_str()]);
    assert_eq!(one("hs_object_id", "GT", json!(ada)), [bob.clone(), eve.clone()]);
    assert_eq!(
        filtered(
            &kit,
            json!([{"propertyName": "score", "operator": "GT", "value": "1"}, {"propertyName": "firstname", "operator": "EQ", "value": "bob"}])
        ),
        [bob.as_str()]
    );
    let sorted = kit.good(
        "POST",
        SEARCH,
        json!({"sorts": [{"propertyName": "score", "direction": "DESCENDING"}], "limit": 2, "query": "example"}),
    );
    assert_eq!((ids(&sorted), &sorted["total"]), (vec![bob, ada], &json!(3)));
    assert_eq!(sorted["paging"]["next"]["after"], "2");
    let bad = json!({"filterGroups": [{"filters": [{"propertyName": "nope", "operator": "EQ", "value": "1"}]}]});
    assert_eq!(kit.call("POST", SEARCH, bad).0, 400);
}

/// A watermark search sees a change only when the index has caught up, and an older value until then.
#[test]
fn the_index_lags_behind_writes() {
    let kit = kit_with(HubSpotConfig { search_lag: Duration::from_secs(10), ..HubSpotConfig::default() });
    let id = kit.make("contacts", json!({"email": "a@example.org", "city": "Bonn"}));
    let in_town = |town: &str| filtered(&kit, json!([{"propertyName": "city", "operator": "EQ", "value": town}]));
    assert!(in_town("Bonn").is_empty(), "not seen yet");
    kit.hands.pass(SignedDuration::from_secs(11));
    assert_eq!(in_town("Bonn"), [id.as_str()]);
    kit.good("PATCH", &format!("/crm/v3/objects/contacts/{id}"), json!({"properties": {"city": "Berlin"}}));
    assert_eq!((in_town("Bonn"), in_town("Berlin").len()), (vec![id.clone()], 0), "seen as it was");
    let since = json!([{"propertyName": "lastmodifieddate", "operator": "GTE", "value": "2026-03-12T07:32:50Z"}]);
    assert!(filtered(&kit, since.clone()).is_empty());
    kit.hands.pass(SignedDuration::from_secs(11));
    assert_eq!(
        (in_town("Bonn").len(), in_town("Berlin"), filtered(&kit, since)),
        (0, vec![id.clone()], vec![id.clone()])
    );
    kit.account.archive("contacts", &id).unwrap();
    assert_eq!(in_town("Berlin"), [id], "even when it is gone");
    kit.hands.pass(SignedDuration::from_secs(11));
    assert!(in_town("Berlin").is_empty());
}

#[test]
fn pages_hold_two_hundred_and_reach_ten_thousand() {
    let kit = kit();
    for n in 0..201 {
        kit.account.create("contacts", &[("email", &format!("p{n}@example.org"))]).unwrap();
    }
    let first = kit.good("POST", SEARCH, json!({"limit": 200, "properties": ["email"]}));
    assert_eq!((ids(&first).len(), &first["total"]), (200, &json!(201)));
    let second = kit.good("POST", SEARCH, json!({"limit": 200, "after": "200"}));
    assert_eq!((ids(&second).len(), second.get("paging")), (1, None));
    assert_eq!(kit.call("POST", SEARCH, json!({"limit": 201})).0, 400);
    assert_eq!(kit.call("POST", SEARCH, json!({"limit": 200, "after": "9900"})).0, 400);
    assert_eq!(kit.call("POST", SEARCH, json!({"limit": 100, "after": "9900"})).0, 200);
}

fn town() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just("Bonn"), Just("Berlin"), Just("")]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    /// Whatever was written, moved or archived: indexes find what looking at everything finds.
    #[test]
    fn indexes_find_what_a_scan_finds(writes in prop::collection::vec((0_usize..8, town(), 0_u8..8), 1..40), lag in 0_u64..3) {
        let kit = kit_with(HubSpotConfig { search_lag: Duration::from_secs(lag), ..HubSpotConfig::default() });
        let mut made: Vec<Option<String>> = vec![None; 8];
        let mut seen: BTreeMap<String, i64> = BTreeMap::new();
        for (who, city, what) in writes {
            kit.hands.pass(SignedDuration::from_secs(1));
            let email = format!("p{who}@example.org");
            match (&made[who], what) {
                (Some(id), 0) => {
                    kit.account.archive("contacts", id).unwrap();
                    seen.remove(id);
                    made[who] = None;
                }
                (Some(id), _) => kit.account.edit("contacts", id, &[("city", city)]).unwrap(),
                (None, _) => made[who] = Some(kit.account.create("contacts", &[("email", &email), ("city", city)]).unwrap()),
            }
        }
        kit.hands.pass(SignedDuration::from_secs(30));
        for (who, id) in made.iter().enumerate() {
            let found = filtered(&kit, json!([{"propertyName": "email", "operator": "EQ", "value": format!("p{who}@example.org")}]));
            prop_assert_eq!(found, id.iter().cloned().collect::<Vec<_>>());
        }
        let everything = kit.good("POST", SEARCH, json!({"limit": 200, "properties": ["lastmodifieddate"]}));
        for row in everything["results"].as_array().unwrap() {
            let at: jiff::Timestamp = row["properties"]["lastmodifieddate"].as_str().unwrap().parse().unwrap();
            seen.insert(row["id"].as_str().unwrap().to_owned(), at.as_millisecond());
        }
        prop_assert_eq!(seen.len(), kit.account.count("contacts"));
        let bound = seen.values().copied().nth(seen.len() / 2).unwrap_or(0);
        let since = filtered(&kit, json!([{"propertyName": "lastmodifieddate", "operator": "GTE", "value": bound.to_string()}]));
        let expected: Vec<String> = seen.iter().filter(|(_, at)| **at >= bound).map(|(id, _)| id.clone()).collect();
        prop_assert_eq!(since, expected);
    }
}
