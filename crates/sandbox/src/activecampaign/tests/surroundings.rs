//! Limits, tokens, fields, accounts, deals.

use http::Request;
use serde_json::{Value, json};

use super::Kit;
use crate::{
    Site,
    activecampaign::{ActiveCampaignConfig, FieldKind},
};

/// proves: fault:H1
#[test]
fn five_calls_a_second() {
    let kit = Kit::with(ActiveCampaignConfig::default());
    for left in (0..5).rev() {
        let got = kit.get("/users/me");
        assert_eq!((got.status, &got.headers["ratelimit-remaining"]), (200, &http::HeaderValue::from(left)));
    }
    let got = kit.get("/users/me");
    assert_eq!((got.status, &got.headers["ratelimit-limit"]), (429, &http::HeaderValue::from(5)));
    assert_eq!(got.headers["retry-after"], "1");
    kit.hands.pass(1);
    assert_eq!(kit.get("/users/me").body["user"]["username"], "admin");
    kit.account.set_calls_per_second(1);
    assert_eq!(kit.get("/users/me").status, 429);
    assert_eq!(kit.account.call_counts()["GET users/me"], 8);
}

#[test]
fn strangers_and_unknown_paths_are_refused() {
    let kit = Kit::new();
    let bare = Request::get("/api/3/contacts").body(Default::default()).unwrap();
    let got = kit.account.handle("http://here", bare).response;
    assert_eq!((got.status().as_u16(), &got.body()[..]), (403, &b"{\"message\":\"\"}"[..]));
    assert_eq!(kit.get("/campaigns").status, 404);
    assert_eq!(kit.get("/contacts/1/bounceLogs").status, 404);
    assert_eq!(kit.ask("POST", "/contacts", json!({})).status, 400);
    kit.account.set_tokens(vec![("other".into(), "Other".into())]);
    assert_eq!(kit.get("/contacts").status, 403);
    assert_eq!(kit.account.credentials("http://here"), json!({"url": "http://here", "api_token": "other"}));
    let door = Request::get("/_sandbox/state.json").body(Default::default()).unwrap();
    assert_eq!(kit.account.handle("http://here", door).response.status(), 200);
}

#[test]
fn fields_are_described_with_their_options() {
    let kit = Kit::new();
    let got = kit.get("/fields?limit=100").body;
    assert_eq!(got["fields"][2]["perstag"], "STAGE");
    let options = got["fields"][2]["options"].as_array().unwrap().clone();
    let labels: Vec<&Value> = got["fieldOptions"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|o| options.contains(&o["id"]))
        .map(|o| &o["label"])
        .collect();
    assert_eq!(labels, ["Lead", "Customer", "Former customer"]);
    let made = kit.ask("POST", "/fields", json!({"field": {"title": "Nick Name", "type": "text"}}));
    assert_eq!((made.status, &made.body["field"]["perstag"]), (201, &json!("NICK_NAME")));
    let again = kit.ask("POST", "/fields", json!({"field": {"title": "Nick Name", "type": "text"}}));
    assert_eq!((again.status, &again.body["errors"][0]["code"]), (422, &json!("duplicate")));
    let option =
        json!({"fieldOptions": [{"orderid": 1, "value": "Al", "label": "Al", "isdefault": false, "field": "7"}]});
    assert_eq!(kit.ask("POST", "/fieldOption/bulk", option).body["fieldOptions"][0]["label"], "Al");
    assert_eq!(kit.get("/fields/7/options").body["fieldOptions"].as_array().unwrap().len(), 1);
    assert_eq!(kit.ask("POST", "/fieldRels", json!({"fieldRel": {"field": 7, "relid": 0}})).status, 201);
    assert_eq!(kit.ask("POST", "/fieldRels", json!({"fieldRel": {"field": 77, "relid": 0}})).status, 422);
    let id = kit.account.add_field("Score", "SCORE", FieldKind::Hidden, &[]);
    assert_eq!(kit.account.field("SCORE"), Some(id));
    kit.create(json!({"email": "a@example.org", "fieldValues": [{"field": id, "value": 5}]}));
    assert_eq!(kit.contact(1)["fields"]["SCORE"], "5");
    assert_eq!(kit.ask("DELETE", &format!("/fields/{id}"), Value::Null).body, json!({}));
    assert_eq!(kit.contact(1)["fields"], json!({}));
    assert_eq!(kit.get(&format!("/fields/{id}")).status, 404);
}

#[test]
fn accounts_have_members_and_deals_have_stages() {
    let kit = Kit::new();
    kit.create(json!({"email": "a@example.org"}));
    let account =
        kit.ask("POST", "/accounts", json!({"account": {"name": "Acme", "accountUrl": "https://acme.example"}}));
    assert_eq!((account.status, &account.body["account"]["id"]), (201, &json!("1")));
    assert_eq!(kit.ask("POST", "/accounts", json!({"account": {"name": "Acme"}})).status, 422);
    let member = json!({"accountContact": {"account": 1, "contact": "1", "jobTitle": "Boss"}});
    assert_eq!(kit.ask("POST", "/accountContacts", member.clone()).status, 201);
    let again = kit.ask("POST", "/accountContacts", member);
    assert_eq!((again.status, &again.body["errors"][0]["code"]), (422, &json!("field_invalid")));
    assert_eq!(kit.get("/accountContacts?filters[contact]=1").body["meta"]["total"], "1");
    assert_eq!(kit.get("/accounts").body["accounts"][0]["contactCount"], "1");
    let deal = json!({"deal": {"title": "Big", "value": 10_050, "currency": "EUR", "contact": "1", "group": "1",
        "stage": "2", "owner": "1", "fields": [{"customFieldId": 1, "fieldValue": "x"}]}});
    let got = kit.ask("POST", "/deals", deal.clone());
    assert_eq!(
        (got.status, &got.body["deal"]["currency"], &got.body["deal"]["value"]),
        (201, &json!("eur"), &json!(10_050))
    );
    // No key guards against the same deal twice.
    kit.ask("POST", "/deals", deal);
    let all = kit.get("/deals?filters[title]=Big").body;
    assert_eq!((&all["meta"]["total"], &all["meta"]["currencies"]["EUR"]["value"]), (&json!(2), &json!("20100")));
    assert_eq!(kit.ask("PUT", "/deals/1", json!({"deal": {"stage": 3, "status": 1}})).body["deal"]["stage"], "3");
    assert_eq!(kit.ask("PUT", "/deals/1", json!({"deal": {"stage": 99}})).status, 404);
    assert_eq!(kit.get("/deals/1").body["deal"]["stage"], "3");
    assert_eq!(kit.ask("POST", "/deals", json!({"deal": {"title": "x", "value": 1, "currency": "usd"}})).status, 422);
    assert_eq!(kit.get("/contacts/1/deals").body["deals"].as_array().unwrap().len(), 2);
    assert_eq!(kit.get("/contacts/1").body["accountContacts"][0]["jobTitle"], "Boss");
    assert_eq!(kit.account.deals_snapshot().len(), 2);
    assert_eq!(kit.ask("DELETE", "/accountContacts/1", Value::Null).status, 200);
    assert_eq!(kit.get("/dealStages?filters[d_groupid]=1").body["meta"]["total"], "3");
}

#[test]
fn accounts_have_fields_of_their_own_and_names_that_nobody_else_has() {
    let kit = Kit::new();
    let field = kit.account.add_account_field("Syncline key", "text");
    assert_eq!(kit.get("/accountCustomFieldMeta").body["accountCustomFieldMeta"][0]["fieldLabel"], "Syncline key");
    let fields = json!([{"customFieldId": field, "fieldValue": "k-1"}]);
    let made = kit.ask("POST", "/accounts", json!({"account": {"name": "Acme", "fields": fields}}));
    assert_eq!((made.status, &made.body["account"]["fields"][0]["accountId"]), (201, &json!("1")));
    assert_eq!(kit.ask("POST", "/accounts", json!({"account": {}})).body["errors"][0]["code"], "field_missing");
    let taken = kit.ask("POST", "/accounts", json!({"account": {"name": "Acme"}})).body["errors"][0].clone();
    let title = "An account named \"Acme\" already exists. Please choose a new name.";
    assert_eq!((&taken["title"], &taken["source"]["pointer"]), (&json!(title), &json!("/data/attributes/name")));
    kit.ask("POST", "/accounts", json!({"account": {"name": "Other"}}));
    assert_eq!(kit.ask("PUT", "/accounts/2", json!({"account": {"name": "Acme"}})).status, 422);
    assert_eq!(
        kit.ask("PUT", "/accounts/1", json!({"account": {"name": "Acme", "accountUrl": "https://a.example"}})).status,
        200
    );
    let values =
        |query: &str| kit.get(&format!("/accountCustomFieldData{query}")).body["accountCustomFieldData"].clone();
    assert_eq!(values("")[0]["fieldValue"], "k-1");
    assert_eq!(values("?filters[customerAccountId]=2"), json!([]));
    kit.create(json!({"email": "a@example.org"}));
    kit.ask("POST", "/accountContacts", json!({"accountContact": {"account": 1, "contact": 1}}));
    let moved = json!({"accountContact": {"account": 2, "contact": 1}});
    assert_eq!(kit.ask("PUT", "/accountContacts/1", moved).body["accountContact"]["account"], "2");
    let counts = kit.get("/accounts").body["accounts"].clone();
    assert_eq!((&counts[0]["contactCount"], &counts[1]["contactCount"]), (&json!("0"), &json!("1")));
    assert_eq!(kit.ask("DELETE", "/accounts/2", Value::Null).status, 200);
    assert_eq!(kit.get("/accountContacts").body["accountContacts"], json!([]));
    assert_eq!(kit.get("/accounts/2").status, 404);
}
