//! Imports end when their time has come, and tell only in sums how they went.

use serde_json::{Value, json};

use super::Kit;
use crate::brevo::{BrevoConfig, BrevoRates};

fn import(kit: &Kit, body: Value) -> u64 {
    let got = kit.ask("POST", "/contacts/import", body);
    assert_eq!(got.status, 202, "{}", got.body);
    got.body["processId"].as_u64().unwrap()
}

#[test]
fn an_import_ends_later_and_counts_what_it_left_out() {
    let kit = Kit::new();
    kit.create(json!({"email": "a@example.org", "attributes": {"CITY": "Bonn", "FIRSTNAME": "Ada"}}));
    kit.create(json!({"email": "b@example.org", "attributes": {"SMS": "+491701111111"}}));
    let rows = json!([
        {"email": "a@example.org", "attributes": {"CITY": "", "FIRSTNAME": "Eve", "NOPE": 1}},
        {"email": "new@example.org", "attributes": {"REVENUE": 5}},
        {"email": "nobody"},
        {"email": "thief@example.org", "attributes": {"SMS": "00491701111111"}},
    ]);
    let process = import(&kit, json!({"jsonBody": rows, "listIds": [2], "notifyUrl": "https://s.example/done"}));
    let status = || kit.get(&format!("/processes/{process}")).body;
    assert_eq!(status()["status"], "queued");
    kit.hands.pass(12);
    assert_eq!(
        (&status()["status"], kit.contact(1)["attributes"]["FIRSTNAME"].clone()),
        (&json!("processing"), json!("Ada"))
    );
    kit.hands.pass(8);
    let done = status();
    assert_eq!((&done["status"], &done["completed_at"]), (&json!("completed"), &json!("2026-05-04T09:00:20.000Z")));
    assert_eq!(
        (&done["info"]["import"]["invalid_emails"], &done["info"]["import"]["duplicate_phone_id"]),
        (&json!(1), &json!(1))
    );
    let ada = kit.contact(1);
    assert_eq!((&ada["attributes"]["CITY"], &ada["attributes"]["FIRSTNAME"]), (&json!("Bonn"), &json!("Eve")));
    assert_eq!((&ada["modifiedAt"], &ada["listIds"]), (&json!("2026-05-04T09:00:20.000Z"), &json!([2])));
    assert_eq!(kit.account.contacts_snapshot().len(), 3);
    let told = kit.account.take_deliveries();
    assert_eq!((told.len(), told[0].url.as_str()), (1, "https://s.example/done"));
}

#[test]
fn one_flag_says_what_blanks_do_to_the_whole_file() {
    let kit = Kit::new();
    kit.create(json!({"email": "a@example.org", "attributes": {"CITY": "Bonn", "BIRTHDAY": "1990-05-04"}}));
    let file = "EMAIL;CITY;BIRTHDAY;REVENUE;VIP;TOPICS\na@example.org;;1991-01-01;2.5;yes;News,Offers\n\
                \"c@example.org\";\"Bad; Ems\";;;;\n";
    let body = json!({"fileBody": file, "listIds": [2], "emptyContactsAttributes": true});
    import(&kit, body);
    kit.hands.pass(20);
    assert_eq!(
        kit.contact(1)["attributes"],
        json!({"BIRTHDAY": "1991-01-01", "REVENUE": 2.5, "TOPICS": ["News", "Offers"], "VIP": true})
    );
    assert_eq!(kit.contact(2)["attributes"], json!({"CITY": "Bad; Ems"}));
}

#[test]
fn existing_contacts_are_left_alone_when_asked() {
    let kit = Kit::new();
    kit.create(json!({"email": "a@example.org", "attributes": {"CITY": "Bonn"}}));
    let body = json!({"jsonBody": [{"email": "a@example.org", "attributes": {"CITY": "Ulm"}}], "emailBlacklist": true,
        "updateExistingContacts": false, "newList": {"listName": "Fair", "folderId": 1}});
    import(&kit, body);
    kit.hands.pass(20);
    let ada = kit.contact(1);
    assert_eq!((&ada["attributes"]["CITY"], &ada["listIds"]), (&json!("Bonn"), &json!([3])));
    let refused = |body: Value| kit.ask("POST", "/contacts/import", body).body["code"].clone();
    assert_eq!(refused(json!({"jsonBody": []})), "missing_parameter");
    assert_eq!(refused(json!({"listIds": [2]})), "missing_parameter");
    assert_eq!(refused(json!({"jsonBody": [], "listIds": [77]})), "invalid_parameter");
    let heavy = "x".repeat(11 * 1024 * 1024);
    assert_eq!(refused(json!({"fileBody": heavy, "listIds": [2]})), "out_of_range");
    assert_eq!(kit.get("/processes/9999").status, 404);
    assert_eq!(kit.get("/processes").body["count"], 1);
}

/// Twenty thousand contacts by two imports, counted and listed in pages.
#[test]
fn many_rows_are_counted_and_listed_in_pages() {
    let config = BrevoConfig { rates: BrevoRates::NONE, kept_effects: 0, ..BrevoConfig::default() };
    let kit = Kit::with(config);
    for first in [0, 10_000] {
        let mut file = String::from("EMAIL;FIRSTNAME;CITY;EXT_ID\n");
        for n in first..first + 10_000 {
            file.push_str(&format!("person{n}@example.org;P{n};Bonn;u-{n}\n"));
        }
        import(&kit, json!({"fileBody": file, "listIds": [2]}));
        kit.hands.pass(20);
        assert_eq!(kit.get("/contacts?limit=1").body["count"], first + 10_000);
    }
    let page = kit.get("/contacts?limit=1000&offset=19000&sort=asc").body;
    assert_eq!(page["contacts"].as_array().unwrap().len(), 1000);
    assert_eq!(page["contacts"][999]["attributes"]["EXT_ID"], "u-19999");
}
