//! Limits, keys, lists, attributes, deals and companies.

use http::Request;
use serde_json::{Value, json};

use super::Kit;
use crate::{
    Site,
    brevo::{BrevoConfig, BrevoRates},
};

/// proves: fault:H1
#[test]
fn contacts_are_counted_by_the_second_and_all_else_by_the_hour() {
    let kit = Kit::with(BrevoConfig::default());
    let header = |got: &super::Got, name: &str| got.headers[name].to_str().unwrap().parse::<i64>().unwrap();
    for left in (0..10).rev() {
        let got = kit.get("/contacts");
        assert_eq!((got.status, header(&got, "x-sib-ratelimit-remaining")), (200, left));
    }
    let got = kit.get("/contacts");
    assert_eq!((got.status, header(&got, "x-sib-ratelimit-limit")), (429, 10));
    assert_eq!((header(&got, "x-sib-ratelimit-reset"), got.headers.get("retry-after")), (1, None));
    kit.hands.pass(1);
    assert_eq!(kit.get("/contacts/lists").status, 200);
    for _ in 0..100 {
        assert_eq!(kit.get("/processes").status, 200);
    }
    let got = kit.get("/webhooks");
    assert_eq!((got.status, header(&got, "x-sib-ratelimit-reset")), (429, 3599));
    kit.account.set_rates(BrevoRates { others_per_hour: 101, ..BrevoRates::ADVANCED });
    assert_eq!(kit.get("/webhooks").status, 200);
    assert_eq!(kit.get("/account").status, 429);
    kit.hands.pass(3600);
    assert_eq!(kit.get("/account").body["companyName"], "Sandbox GmbH");
    assert_eq!(kit.account.call_counts()["GET contacts"], 11);
}

#[test]
fn strangers_and_unknown_paths_are_refused() {
    let kit = Kit::new();
    let bare = Request::get("/v3/contacts").header("api-key", "no").body(Default::default()).unwrap();
    assert_eq!(kit.account.handle("http://here", bare).response.status(), 401);
    assert_eq!(kit.get("/emailCampaigns").status, 404);
    assert_eq!(kit.ask("PATCH", "/contacts/1", json!({})).body["code"], "method_not_allowed");
    assert_eq!(kit.ask("POST", "/contacts", json!("text")).status, 400);
    kit.account.set_keys(vec![("other".into(), "Other".into())]);
    assert_eq!(kit.get("/contacts").status, 401);
    assert_eq!(kit.account.credentials("http://here"), json!({"url": "http://here/v3", "api_key": "other"}));
    let door = Request::get("/_sandbox/state.json").body(Default::default()).unwrap();
    assert_eq!(kit.account.handle("http://here", door).response.status(), 200);
}

#[test]
fn lists_have_members_and_say_who_is_there_already() {
    let kit = Kit::new();
    let list = kit.ask("POST", "/contacts/lists", json!({"name": "Fair", "folderId": 1})).body["id"].as_u64().unwrap();
    for n in 0..3 {
        kit.create(json!({"email": format!("c{n}@example.org"), "ext_id": format!("u-{n}")}));
    }
    let add = format!("/contacts/lists/{list}/contacts/add");
    let got = kit.ask("POST", &add, json!({"ids": [1, 2, 99]}));
    assert_eq!((got.status, &got.body["contacts"]["success"]), (201, &json!([1, 2])));
    assert_eq!(got.body["contacts"]["failure"], json!([99]));
    let got = kit.ask("POST", &add, json!({"extIds": ["u-0"]}));
    let quoted = json!({"code": "invalid_parameter", "message": "Contact already in list and/or does not exist"});
    assert_eq!((got.status, got.body), (400, quoted));
    let members = |query: &str| kit.get(&format!("/contacts/lists/{list}/contacts{query}")).body;
    assert_eq!((&members("")["count"], &members("?limit=1&sort=asc")["contacts"][0]["id"]), (&json!(2), &json!(1)));
    assert_eq!(kit.get(&format!("/contacts/lists/{list}/contacts?limit=501")).status, 400);
    kit.account.unsubscribe(1);
    let shown = kit.get(&format!("/contacts/lists/{list}")).body;
    assert_eq!((&shown["totalSubscribers"], &shown["totalBlacklisted"]), (&json!(1), &json!(1)));
    let remove = format!("/contacts/lists/{list}/contacts/remove");
    assert_eq!(kit.ask("POST", &remove, json!({"emails": ["c0@example.org"]})).status, 201);
    assert_eq!(kit.ask("POST", &remove, json!({"all": true})).body["contacts"]["total"], 1);
    assert_eq!(kit.ask("POST", &remove, json!({"ids": (0..151).collect::<Vec<_>>()})).body["code"], "out_of_range");
    assert_eq!(kit.get("/contacts/lists?limit=51").status, 400);
    assert_eq!(kit.get("/contacts/lists?sort=asc").body["lists"][0]["name"], "Newsletter");
    assert_eq!(kit.get("/contacts/folders").body["count"], 1);
    assert_eq!(kit.get("/contacts/folders/1/lists").body["count"], 2);
    assert_eq!(kit.ask("DELETE", &format!("/contacts/lists/{list}"), Value::Null).status, 204);
    assert_eq!(kit.get(&format!("/contacts/lists/{list}")).status, 404);
}

#[test]
fn attributes_are_made_changed_and_taken_away() {
    let kit = Kit::new();
    let path = "/contacts/attributes/normal/Nickname";
    assert_eq!(kit.ask("POST", path, json!({"type": "text"})).status, 201);
    assert_eq!(kit.ask("POST", path, json!({"type": "text"})).body["code"], "duplicate_parameter");
    let grade = json!({"enumeration": [{"value": 1, "label": "A"}, {"value": 2, "label": "B"}]});
    assert_eq!(kit.ask("POST", "/contacts/attributes/category/GRADE", grade).status, 201);
    let total = json!({"value": "COUNT[BLACKLISTED,BLACKLISTED,<,NOW()]"});
    assert_eq!(kit.ask("POST", "/contacts/attributes/global/TOTAL", total).status, 201);
    assert_eq!(kit.ask("POST", "/contacts/attributes/normal/X", json!({"type": "id"})).status, 400);
    let all = kit.get("/contacts/attributes").body["attributes"].as_array().unwrap().clone();
    let named = |name: &str| all.iter().find(|row| row["name"] == name).cloned().unwrap();
    assert_eq!(named("NICKNAME"), json!({"name": "NICKNAME", "category": "normal", "type": "text"}));
    assert_eq!(named("GRADE")["enumeration"][1], json!({"value": 2, "label": "B"}));
    assert_eq!(named("TOTAL")["category"], "global");
    let id = kit.create(json!({"email": "a@example.org", "attributes": {"GRADE": "B", "NICKNAME": "Al"}}));
    assert_eq!(kit.contact(id)["attributes"]["GRADE"], 2);
    assert_eq!(kit.ask("PUT", "/contacts/attributes/category/GRADE", json!({"enumeration": []})).status, 204);
    assert_eq!(kit.ask("DELETE", "/contacts/attributes/normal/NICKNAME", Value::Null).status, 204);
    assert_eq!(kit.contact(id)["attributes"], json!({"GRADE": 2}));
    assert_eq!(kit.ask("DELETE", "/contacts/attributes/normal/NICKNAME", Value::Null).status, 404);
}

#[test]
fn deals_and_companies_know_each_other_and_their_contacts() {
    let kit = Kit::new();
    kit.create(json!({"email": "a@example.org"}));
    let company = kit.ask("POST", "/companies", json!({"name": "Acme", "linkedContactsIds": [1]}));
    assert_eq!(company.status, 200);
    let company = company.body["id"].as_str().unwrap().to_owned();
    let deal = json!({"name": "Big", "attributes": {"amount": 100}, "linkedContactsIds": [1],
                      "linkedCompaniesIds": [company]});
    let got = kit.ask("POST", "/crm/deals", deal.clone());
    assert_eq!(got.status, 201);
    let id = got.body["id"].as_str().unwrap().to_owned();
    let shown = kit.get(&format!("/crm/deals/{id}")).body;
    assert_eq!((&shown["attributes"]["deal_name"], &shown["linkedContactsIds"]), (&json!("Big"), &json!([1])));
    assert_eq!(kit.get(&format!("/companies/{company}")).body["linkedDealsIds"], json!([id]));
    let stages = kit.get("/crm/pipeline/details/all").body[0]["stages"].clone();
    let won = json!({"attributes": {"deal_stage": stages[3]["id"]}});
    assert_eq!(kit.ask("PATCH", &format!("/crm/deals/{id}"), won).status, 204);
    let unlink = json!({"unlinkCompanyIds": [company], "unlinkContactIds": [1]});
    assert_eq!(kit.ask("PATCH", &format!("/crm/deals/link-unlink/{id}"), unlink).status, 204);
    assert_eq!(kit.get(&format!("/companies/{company}")).body["linkedDealsIds"], json!([]));
    // No key guards against the same deal twice.
    kit.ask("POST", "/crm/deals", deal);
    assert_eq!(kit.get("/crm/deals?filters[attributes.deal_name]=Big").body["items"].as_array().unwrap().len(), 2);
    assert_eq!(kit.ask("POST", "/crm/deals", json!({"name": "x", "linkedContactsIds": [9]})).status, 400);
    assert_eq!(kit.account.deals_snapshot().len(), 2, "a refused deal leaves nothing behind");
    assert_eq!(kit.ask("DELETE", &format!("/companies/{company}"), Value::Null).status, 204);
    assert_eq!(kit.get(&format!("/companies/{company}")).status, 404);
    assert_eq!(kit.get("/crm/attributes/deals").body[0]["internalName"], "deal_name");
}

#[test]
fn companies_are_filtered_sorted_and_changed() {
    let kit = Kit::new();
    kit.create(json!({"email": "a@example.org"}));
    kit.create(json!({"email": "b@example.org"}));
    let made = kit.ask(
        "POST",
        "/crm/attributes",
        json!({"label": "Own key", "attributeType": "text",
                       "objectType": "companies"}),
    );
    assert_eq!(made.status, 200);
    assert_eq!(
        kit.ask(
            "POST",
            "/crm/attributes",
            json!({"label": "X", "attributeType": "text",
                       "objectType": "notes"})
        )
        .body["code"],
        "invalid_parameter"
    );
    let ids: Vec<String> = (0..3)
        .map(|n| {
            kit.hands.pass(1);
            let attributes = json!({"own_key": format!("k-{n}"), "revenue": n, "nothing": 1, "number_of_contacts": 9});
            let company = json!({"name": format!("Acme {n}"), "attributes": attributes, "linkedContactsIds": [1]});
            kit.ask("POST", "/companies", company).body["id"].as_str().unwrap().to_owned()
        })
        .collect();
    let names = |query: &str| {
        let page = kit.get(&format!("/companies{query}")).body["items"].as_array().unwrap().clone();
        page.iter().map(|company| company["attributes"]["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(""), ["Acme 2", "Acme 1", "Acme 0"]);
    assert_eq!(names("?sort=asc&limit=2&page=2"), ["Acme 2"]);
    assert_eq!(names("?filters[attributes.own_key]=k-1"), ["Acme 1"]);
    let shown = kit.get(&format!("/companies/{}", ids[0])).body;
    assert_eq!(shown["attributes"]["nothing"], Value::Null, "what is no attribute is left out");
    assert_eq!(shown["attributes"]["number_of_contacts"], 1, "nor is it set what the account counts");
    let made = shown["attributes"]["created_at"].as_str().unwrap().replace('+', "%2B");
    assert_eq!(names(&format!("?sort=asc&createdSince={made}")), ["Acme 1", "Acme 2"]);
    kit.hands.pass(60);
    let before = kit.get(&format!("/companies/{}", ids[2])).body["attributes"]["last_updated_at"].clone();
    let link = json!({"linkContactIds": [2], "unlinkContactIds": [1]});
    let path = format!("/companies/link-unlink/{}", ids[0]);
    assert_eq!(kit.ask("PATCH", &path, link).status, 204);
    assert_eq!(kit.get(&format!("/companies/{}", ids[0])).body["linkedContactsIds"], json!([2]));
    assert_eq!(names(&format!("?modifiedSince={}", before.as_str().unwrap())), ["Acme 0"]);
    let renamed = kit.ask("PATCH", &format!("/companies/{}", ids[1]), json!({"name": "Acme One"}));
    assert_eq!((renamed.status, &renamed.body["attributes"]["name"]), (200, &json!("Acme One")));
    assert_eq!(kit.ask("PATCH", "/companies/61a5", json!({"name": "x"})).status, 404);
    assert_eq!(kit.ask("PATCH", &path, json!({"linkContactIds": [99]})).status, 400);
    assert_eq!(kit.get("/crm/attributes/companies").body[0]["internalName"], "name");
}
