//! A program outside steers the org, and reads what a check of its set-up would.

use serde_json::{Value, json};

use crate::salesforce::{
    SalesforceConfig, SalesforceOrg,
    testkit::{BASE, Kit, code, contact},
};

/// A request to the sandbox's own door.
fn steer(kit: &Kit, method: &str, path: &str, body: Value) -> (u16, Value) {
    let bytes = if body.is_null() { String::new() } else { body.to_string() };
    let request = http::Request::builder().method(method).uri(format!("/_sandbox/{path}"));
    let got = kit.raw(request.body(bytes.into()).expect("a valid request"));
    (got.status, got.body)
}

#[test]
fn everything_can_be_done_from_outside() {
    let kit = Kit::with(SalesforceConfig { kept_effects: 100, ..SalesforceConfig::default() });
    let post = |path: &str, body: Value| steer(&kit, "POST", path, body);
    let rules = json!({"validation_rules": [{"name": "No_x", "object": "Contact", "message": "No x.",
        "refuse_when": [{"field": "LastName", "value": "x"}]}]});
    assert_eq!(steer(&kit, "PUT", "rules", rules).0, 204);
    assert_eq!(steer(&kit, "GET", "rules", Value::Null).1["validation_rules"][0]["name"], "No_x");
    let refused = kit.ask("POST", "/sobjects/Contact", json!({"LastName": "X"}));
    assert_eq!((code(&refused.body), &refused.body[0]["fields"]), ("FIELD_CUSTOM_VALIDATION_EXCEPTION", &json!([])));
    let gone = json!({"change": "remove_field", "object": "Event", "field": "Meeting_Status__c"});
    assert_eq!(post("schema", gone.clone()).0, 204);
    assert_eq!(post("schema", gone), (400, json!({"error": "no field Event.Meeting_Status__c"})));
    let (a, b) = (kit.create("Contact", contact("A")), kit.create("Contact", contact("B")));
    assert_eq!(post("merge", json!({"master": a, "losers": [b], "fields": {"Title": "t"}})).0, 204);
    assert_eq!(kit.records("Contact")[1]["MasterRecordId"], a);
    let lead = kit.create("Lead", json!({"LastName": "L", "Company": "C"}));
    let became = post("convert-lead", json!({"lead_id": lead, "converted_status": "Closed - Converted"}));
    assert_eq!((became.0, &became.1["lead_id"]), (200, &json!(lead)));
    for (action, status) in [("hide", 404), ("show", 200), ("delete", 404), ("undelete", 200)] {
        assert_eq!(post(action, json!({"id": a})).0, 204, "{action}");
        assert_eq!(kit.get(&format!("/sobjects/Contact/{a}")).status, status, "{action}");
    }
    assert_eq!(post("edit", json!({"id": a, "fields": {"LastName": "x"}})).0, 400);
    assert_eq!(post("purge", json!({"id": a})).0, 400);
    assert_eq!(post("merge", json!({"nonsense": 1})).0, 400);
    let effects = steer(&kit, "GET", "effects.json?since=0", Value::Null).1;
    let last = effects.as_array().and_then(|all| all.last()).cloned().unwrap_or_default();
    assert_eq!((&last["kind"], &last["id"], &last["request"]), (&json!("undeleted"), &json!(a), &json!(0)));
    assert_eq!(steer(&kit, "POST", "reset", Value::Null).0, 204);
    assert!(kit.records("Contact").is_empty());
    // Rules and the schema stay.
    assert_eq!(steer(&kit, "GET", "rules", Value::Null).1["validation_rules"][0]["name"], "No_x");
}

/// A browser that is given a record's bare id is shown the record, as in an org.
#[test]
fn a_bare_id_leads_to_the_record() {
    let kit = Kit::new();
    let id = kit.create("Contact", contact("Lovelace"));
    let look = |path: &str| kit.raw(http::Request::get(path).body(Default::default()).expect("a request"));
    let calls = kit.org.calls().recent.len();
    let sent = look(&format!("/{id}"));
    assert_eq!(
        (sent.status, sent.headers["location"].to_str().ok()),
        (302, Some(format!("/_sandbox/records/{id}").as_str()))
    );
    assert_eq!(kit.org.calls().recent.len(), calls, "it is no call of the API");
    assert_eq!((look("/").status, look("/003").status), (404, 404));
}

#[test]
fn a_check_of_the_set_up_finds_its_answers() {
    let kit = Kit::new();
    let got = kit.get("/sobjects/Event/describe/layouts");
    let lists = &got.body["layouts"][0]["relatedLists"];
    assert_eq!(
        (&lists[0]["name"], &lists[0]["sobject"]),
        (&json!("EventRelations"), &json!("EventRelation")),
        "{}",
        got.text
    );
    let mapping = &got.body["recordTypeMappings"][0];
    assert_eq!(mapping["layoutId"], got.body["layouts"][0]["id"]);
    let one =
        kit.get(&format!("/sobjects/Event/describe/layouts/{}", mapping["recordTypeId"].as_str().unwrap_or_default()));
    assert_eq!(one.body, got.body["layouts"][0]);
    assert_eq!(kit.get("/sobjects/Event/describe/layouts/012000000000001AAA").status, 404);
    let rows = one.body["detailLayoutSections"][0]["layoutRows"].as_array().cloned().unwrap_or_default();
    let shows = |name: &str| {
        let component = |row: &Value| row["layoutItems"][0]["layoutComponents"][0].clone();
        rows.iter().map(component).find(|component| component["value"] == name)
    };
    assert_eq!(shows("Subject").map(|subject| subject["details"]["length"].clone()), Some(json!(255)));
    assert!(shows("Syncline_Uid__c").is_some() && shows("IsChild").is_none());
    let bare = Kit::with(SalesforceConfig { related_lists: Default::default(), ..SalesforceConfig::default() });
    assert_eq!(bare.get("/sobjects/Event/describe/layouts").body["layouts"][0]["relatedLists"], json!([]));
    let info = kit.get("/ui-api/object-info/Event").body;
    assert_eq!(
        (&info["apiName"], &info["createable"], &info["keyPrefix"]),
        (&json!("Event"), &json!(true), &json!("00U"))
    );
    assert_eq!(
        (&info["fields"]["Subject"]["dataType"], &info["fields"]["WhoId"]["referenceToInfos"][0]["apiName"]),
        (&json!("ComboBox"), &json!("Contact"))
    );
    assert_eq!(kit.get("/ui-api/object-info/Nope").status, 404);
}

/// Another org has the same schema, its changes included, and nothing else of the first one.
#[test]
fn another_org_begins_afresh() {
    let kit = Kit::new();
    kit.create("Contact", contact("A"));
    kit.org.set_shared_activities(true).expect("it can be switched");
    let (clock, entropy) = kit.hands();
    let other = SalesforceOrg::another(&kit.org, clock, entropy);
    assert!(other.records("Contact").is_empty());
    assert_eq!(other.records("User").len(), kit.records("User").len());
    let page = other.handle(BASE, http::Request::get("/_sandbox/state.json").body(Default::default()).expect("valid"));
    assert_eq!(page.response.status(), 200);
    assert_eq!(other.request_count(), 0);
}
