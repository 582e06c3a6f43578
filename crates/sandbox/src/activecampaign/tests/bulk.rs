//! Bulk imports: whole or not at all, later, and in silence.

use serde_json::{Value, json};

use super::Kit;
use crate::activecampaign::ActiveCampaignConfig;

fn import(kit: &Kit, body: Value) -> String {
    let got = kit.ask("POST", "/import/bulk_import", body);
    assert_eq!((got.status, &got.body["Success"]), (200, &json!(1)), "{}", got.body);
    got.body["batchId"].as_str().unwrap().to_owned()
}

#[test]
fn rows_go_in_later_and_the_batch_says_how() {
    let kit = Kit::new();
    let known = kit.create(json!({"email": "a@example.org", "firstName": "Ada"}));
    kit.account.subscribe(known, 1);
    kit.account.unsubscribe(known, 1);
    kit.account.fail_imports_of("bad@example.org");
    let hook = json!({"webhook": {"name": "h", "url": "https://s.example/h", "events": ["update", "subscribe",
        "contact_tag_added"], "sources": ["public", "admin", "api", "system"]}});
    assert_eq!(kit.ask("POST", "/webhooks", hook).status, 201);
    let batch = import(
        &kit,
        json!({"contacts": [
        {"email": "a@example.org", "last_name": "Lovelace", "tags": ["new tag"], "subscribe": [{"listid": 1}],
         "fields": [{"id": 1, "value": "Bonn"}]},
        {"email": "b@example.org", "subscribe": [{"listid": "1"}], "customer_acct_name": "Acme"},
        {"email": "bad@example.org"},
    ], "callback": {"url": "https://s.example/done", "requestType": "POST", "detailed_results": "true",
        "params": [{"key": "mine", "value": "7"}], "headers": [{"key": "X-Own", "value": "v"}]}}),
    );
    let info = || kit.get(&format!("/import/info?batchId={batch}")).body;
    assert_eq!((&info()["status"], kit.account.contacts_snapshot().len()), (&json!("waiting"), 1));
    kit.hands.pass(10);
    assert_eq!(info(), json!({"status": "completed", "success": ["1", "2"], "failure": ["bad@example.org"]}));
    let ada = kit.contact(known);
    assert_eq!(
        (&ada["firstName"], &ada["lastName"], &ada["tags"]),
        (&json!("Ada"), &json!("Lovelace"), &json!(["new tag"]))
    );
    assert_eq!(ada["lists"], json!({"1": 2}), "nobody is subscribed again by an import");
    assert_eq!(kit.contact(2)["lists"], json!({"1": 1}));
    assert_eq!(kit.get("/contacts/2/accountContacts").body["accountContacts"][0]["account"], "1");
    let sent = kit.account.take_deliveries();
    assert_eq!(sent.len(), 1, "no webhook, only the callback");
    let called: Value = serde_json::from_slice(&sent[0].body).unwrap();
    assert_eq!((&called["mine"], &called["failure"][0]["email"]), (&json!("7"), &json!("bad@example.org")));
}

#[test]
fn one_bad_row_refuses_all() {
    let kit = Kit::new();
    let got =
        kit.ask("POST", "/import/bulk_import", json!({"contacts": [{"email": "a@example.org"}, {"email": "nobody"}]}));
    assert_eq!((got.status, &got.body["success"]), (400, &json!(0)));
    assert_eq!(got.body["failureReasons"], json!([{"contact": 1, "failureReason": "Field 'email' incorrect format"}]));
    let many: Vec<Value> = (0..251).map(|n| json!({"email": format!("c{n}@example.org")})).collect();
    assert_eq!(kit.ask("POST", "/import/bulk_import", json!({"contacts": many})).status, 400);
    kit.hands.pass(60);
    assert!(kit.account.contacts_snapshot().is_empty());
    for _ in 0..100 {
        import(&kit, json!({"contacts": [{"email": "a@example.org"}]}));
    }
    let got = kit.ask("POST", "/import/bulk_import", json!({"contacts": [{"email": "a@example.org"}]}));
    assert_eq!((got.status, &got.body["message"]), (400, &json!("Rate limit exceeded.")));
    kit.hands.pass(60);
    import(&kit, json!({"contacts": [{"email": "a@example.org"}]}));
    assert_eq!(kit.get("/import/info").status, 400);
    assert_eq!(kit.get("/import/info?batchId=none").status, 400);
    let all = kit.get("/import/bulk_import").body;
    assert_eq!(
        (&all["outstanding"][0]["batches"], &all["recentlyCompleted"][0]["contacts"]),
        (&json!("1"), &json!("100"))
    );
}

/// Twenty thousand contacts by eighty imports, read back by their numbers.
#[test]
fn many_imports_are_read_back_by_their_numbers() {
    let config =
        ActiveCampaignConfig { calls_per_second: u32::MAX, kept_effects: 0, ..ActiveCampaignConfig::default() };
    let kit = Kit::with(config);
    for batch in 0..80 {
        let rows: Vec<Value> = (0..250)
            .map(|n| {
                json!({"email": format!("p{}@example.org", batch * 250 + n), "first_name": "P",
                            "fields": [{"id": 1, "value": "Bonn"}]})
            })
            .collect();
        import(&kit, json!({"contacts": rows}));
        kit.hands.pass(10);
    }
    assert_eq!(kit.get("/contacts?limit=1").body["meta"]["total"], "20000");
    let page = kit.get("/contacts?id_greater=19950&orders[id]=ASC&limit=100").body;
    assert_eq!(page["contacts"].as_array().unwrap().len(), 50);
}
