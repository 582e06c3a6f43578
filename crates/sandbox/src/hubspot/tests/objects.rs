//! One record at a time.

use serde_json::{Value, json};

use super::{ids, kit, kit_with};
use crate::hubspot::{HubSpotConfig, HubSpotEffectKind, HubSpotObject, HubSpotProperty, HubSpotWho};

#[test]
fn what_is_cleared_is_an_empty_text_at_once_and_null_later() {
    let kit = kit();
    let id = kit.make("contacts", json!({"email": "Ada@Example.org", "firstname": "Ada", "phone": "+1 555-1234"}));
    let path = format!("/crm/v3/objects/contacts/{id}");
    let changed = kit.good("PATCH", &path, json!({"properties": {"firstname": "", "phone": null}}));
    assert_eq!((&changed["properties"]["firstname"], &changed["properties"]["phone"]), (&json!(""), &json!("")));
    let read = kit.good("GET", &format!("{path}?properties=firstname,phone,email"), Value::Null);
    assert_eq!((&read["properties"]["firstname"], &read["properties"]["phone"]), (&Value::Null, &Value::Null));
    assert_eq!(read["properties"]["email"], "ada@example.org", "addresses are kept in small letters");
    let without_email = kit.good("PATCH", &path, json!({"properties": {"email": ""}}));
    assert_eq!(without_email["properties"]["email"], "");
}

#[test]
fn hubspot_fills_in_what_nobody_wrote() {
    let kit = kit();
    let made = kit.good(
        "POST",
        "/crm/v3/objects/companies",
        json!({"properties": {"name": "Bossa", "domain": "bossa.example"}}),
    );
    let told = &made["properties"];
    assert_eq!((&told["website"], &told["lifecyclestage"]), (&json!("bossa.example"), &json!("lead")));
    assert_eq!((&told["hs_object_source"], &told["hs_object_source_id"]), (&json!("INTEGRATION"), &json!("18221011")));
    assert_eq!(told["createdate"], "2026-03-12T07:32:42.448Z");
    assert_eq!(told["hs_lastmodifieddate"], told["createdate"]);
    let by_hand = kit.account.create("contacts", &[("email", "p@example.org"), ("firstname", "P")]).unwrap();
    let person = kit.account.record("contacts", &by_hand).unwrap().properties;
    assert_eq!(
        (person["hs_object_source"].as_str(), person["hs_object_source_id"].as_str()),
        ("CRM_UI", "userId:5095")
    );
    assert_eq!((person["hs_email_domain"].as_str(), person["hs_full_name_or_email"].as_str()), ("example.org", "P"));
    assert_eq!(person["hs_all_contact_vids"], by_hand);
    let deal = kit.good(
        "POST",
        "/crm/v3/objects/0-3",
        json!({"properties": {"dealname": "D", "dealstage": "closedwon", "amount": 15000, "closedate": "2026-12-31"}}),
    );
    let deal = &deal["properties"];
    assert_eq!((&deal["amount"], &deal["closedate"]), (&json!("15000"), &json!("2026-12-31T00:00:00Z")));
    assert_eq!((&deal["hs_is_closed_won"], &deal["pipeline"]), (&json!("true"), &json!("default")));
}

#[test]
fn a_write_that_changes_nothing_leaves_the_time_of_the_last_change() {
    let kit = kit();
    let id = kit.make("contacts", json!({"email": "a@example.org", "city": "Bonn"}));
    let before = kit.account.record("contacts", &id).unwrap();
    kit.good("PATCH", &format!("/crm/v3/objects/contacts/{id}"), json!({"properties": {"city": "Bonn", "zip": ""}}));
    assert_eq!(kit.account.record("contacts", &id).unwrap(), before);
    assert_eq!(kit.account.effects_since(0).len(), 1);
}

#[test]
fn bad_values_are_refused_with_a_code_for_each() {
    let kit = kit();
    let cases = [
        ("contacts", "email", "000", "INVALID_EMAIL"),
        ("contacts", "email", "a@b", "INVALID_EMAIL"),
        ("contacts", "closedate", "asd000", "INVALID_LONG"),
        ("contacts", "lifecyclestage", "Lead", "INVALID_OPTION"),
        ("contacts", "hs_buying_role", "CHAMPION;KING", "INVALID_OPTION"),
        ("contacts", "nope", "x", "PROPERTY_DOESNT_EXIST"),
        ("contacts", "hs_object_id", "7", "READ_ONLY_VALUE"),
        ("contacts", "hubspot_owner_id", "7", "INVALID_OWNER_ID"),
        ("companies", "numberofemployees", "many", "INVALID_NUMBER"),
        ("deals", "dealstage", "nowhere", "INVALID_OPTION"),
        ("deals", "pipeline", "other", "INVALID_OPTION"),
    ];
    for (object, name, value, code) in cases {
        let (status, body) =
            kit.call("POST", &format!("/crm/v3/objects/{object}"), json!({"properties": {name: value}}));
        assert_eq!((status, &body["category"]), (400, &json!("VALIDATION_ERROR")), "{name}");
        assert_eq!(
            (&body["errors"][0]["code"], &body["errors"][0]["context"]["propertyName"][0]),
            (&json!(code), &json!(name))
        );
        assert!(body["message"].as_str().unwrap().starts_with("Property values were not valid: [{\"isValid\":false"));
        assert!(body["correlationId"].is_string());
    }
    assert_eq!(kit.account.snapshot().len(), 0, "nothing of it was done");
}

#[test]
fn dates_are_midnights_and_several_values_can_be_added_to() {
    let mut config = HubSpotConfig::default();
    config.properties.push(("contacts".into(), HubSpotProperty::of("born_on", "date", "date")));
    config.properties.push(("contacts".into(), HubSpotProperty::choice("tags", "checkbox", &["a", "b", "c"])));
    let kit = kit_with(config);
    let (status, body) =
        kit.call("POST", "/crm/v3/objects/contacts", json!({"properties": {"born_on": "1478563250000"}}));
    assert_eq!((status, &body["errors"][0]["code"]), (400, &json!("INVALID_DATE")));
    let id = kit.make("contacts", json!({"born_on": "1478563200000", "tags": "b"}));
    kit.good("PATCH", &format!("/crm/v3/objects/contacts/{id}"), json!({"properties": {"tags": ";a;b"}}));
    let person = kit.account.record("contacts", &id).unwrap().properties;
    assert_eq!((person["born_on"].as_str(), person["tags"].as_str()), ("2016-11-08", "b;a"));
}

#[test]
fn an_address_belongs_to_one_live_contact() {
    let kit = kit();
    let id = kit.make("contacts", json!({"email": "a@example.org"}));
    let (status, body) =
        kit.call("POST", "/crm/v3/objects/contacts", json!({"properties": {"email": "A@EXAMPLE.ORG"}}));
    assert_eq!((status, &body["category"]), (409, &json!("CONFLICT")));
    assert_eq!(body["message"], format!("Contact already exists. Existing ID: {id}"));
    kit.good("DELETE", &format!("/crm/v3/objects/contacts/{id}"), Value::Null);
    let second = kit.make("contacts", json!({"email": "a@example.org"}));
    assert_ne!(second, id);
    assert!(kit.account.restore("contacts", &id).is_err(), "the address is taken now");
    let by_email = kit.good("GET", "/crm/v3/objects/contacts/A%40example.org?idProperty=email", Value::Null);
    assert_eq!(by_email["id"], second);
}

#[test]
fn lists_go_page_by_page_and_archived_records_are_apart() {
    let kit = kit();
    let made: Vec<String> =
        (0..5).map(|n| kit.make("contacts", json!({"email": format!("p{n}@example.org")}))).collect();
    kit.good("DELETE", &format!("/crm/v3/objects/contacts/{}", made[1]), Value::Null);
    // An id that nobody has is archived as well.
    assert_eq!(kit.call("DELETE", "/crm/v3/objects/tickets/123456789", Value::Null).0, 204);
    let first = kit.good("GET", "/crm/v3/objects/contacts?limit=3", Value::Null);
    assert_eq!(ids(&first), [made[0].clone(), made[2].clone(), made[3].clone()]);
    let after = first["paging"]["next"]["after"].as_str().unwrap();
    let rest = kit.good("GET", &format!("/crm/objects/2026-03/0-1?limit=3&after={after}"), Value::Null);
    assert_eq!((ids(&rest), &rest["paging"]), (vec![made[4].clone()], &Value::Null));
    let archived = kit.good("GET", "/crm/v3/objects/contacts?archived=true", Value::Null);
    assert_eq!(ids(&archived), [made[1].as_str()]);
    assert!(archived["results"][0]["archivedAt"].is_string());
    assert_eq!(kit.call("GET", &format!("/crm/v3/objects/contacts/{}", made[1]), Value::Null).0, 404);
    assert_eq!(kit.call("GET", "/crm/v3/objects/contacts?limit=101", Value::Null).0, 400);
}

#[test]
fn former_values_tell_when_and_by_whom() {
    let kit = kit();
    let id = kit.make("contacts", json!({"email": "a@example.org", "city": "Bonn"}));
    kit.account.edit("contacts", &id, &[("city", "Berlin")]).unwrap();
    let read = kit.good("GET", &format!("/crm/v3/objects/contacts/{id}?propertiesWithHistory=city"), Value::Null);
    let versions = read["propertiesWithHistory"]["city"].as_array().unwrap();
    let told: Vec<_> = versions
        .iter()
        .map(|one| (one["value"].as_str(), one["sourceType"].as_str(), one["sourceId"].as_str()))
        .collect();
    assert_eq!(
        told,
        [(Some("Berlin"), Some("CRM_UI"), Some("userId:5095")), (Some("Bonn"), Some("INTEGRATION"), Some("18221011"))]
    );
    let effects = kit.account.effects_since(0);
    assert_eq!(
        effects.iter().map(|one| (one.kind, one.who)).collect::<Vec<_>>(),
        [
            (HubSpotEffectKind::Created, HubSpotWho::App(18_221_011)),
            (HubSpotEffectKind::Updated, HubSpotWho::Person(5095)),
        ]
    );
    assert_eq!(effects[1].properties["city"], "Berlin");
    assert_eq!(kit.account.effects_since(1).len(), 1);
}

#[test]
fn an_app_moves_a_lifecycle_stage_forward_only() {
    let kit = kit();
    let id = kit.make("contacts", json!({"email": "a@example.org", "lifecyclestage": "customer"}));
    let path = format!("/crm/v3/objects/contacts/{id}");
    kit.good("PATCH", &path, json!({"properties": {"lifecyclestage": "lead"}}));
    let stage = || kit.account.record("contacts", &id).unwrap().properties["lifecyclestage"].clone();
    assert_eq!(stage(), "customer");
    kit.good("PATCH", &path, json!({"properties": {"lifecyclestage": ""}}));
    kit.good("PATCH", &path, json!({"properties": {"lifecyclestage": "lead"}}));
    assert_eq!(stage(), "lead");
}

#[test]
fn meetings_take_their_time_from_their_start() {
    let kit = kit();
    let (status, body) = kit.call("POST", "/crm/v3/objects/meetings", json!({"properties": {"hs_meeting_title": "T"}}));
    assert_eq!((status, &body["context"]["properties"]), (400, &json!(["hs_timestamp"])));
    let person = kit.make("contacts", json!({"email": "a@example.org"}));
    let made = kit.good("POST", "/crm/v3/objects/meetings", json!({
        "properties": {"hs_meeting_title": "T", "hs_meeting_start_time": "2026-06-01T10:00:00+02:00", "hs_meeting_body": "<b>hi</b> you"},
        "associations": [{"to": {"id": person}, "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 200}]}]}));
    assert_eq!(made["properties"]["hs_timestamp"], "2026-06-01T08:00:00Z");
    assert_eq!(made["properties"]["hs_body_preview"], "hi you");
    let path = format!("/crm/v3/objects/meetings/{}?associations=contacts,companies", made["id"].as_str().unwrap());
    let read = kit.good("GET", &path, Value::Null);
    assert_eq!(read["associations"], json!({"contacts": {"results": [{"id": person, "type": "meeting_to_contact"}]}}));
}

#[test]
fn objects_of_its_own_have_required_and_unique_properties() {
    let config = HubSpotConfig {
        custom_objects: vec![HubSpotObject {
            type_id: "2-100".into(),
            name: "pet".into(),
            singular: "Pet".into(),
            plural: "Pets".into(),
            required: vec!["tag".into()],
            properties: vec![HubSpotProperty::text("tag").unique(), HubSpotProperty::text("colour")],
        }],
        ..HubSpotConfig::default()
    };
    let kit = kit_with(config);
    assert_eq!(kit.call("POST", "/crm/v3/objects/2-100", json!({"properties": {"colour": "red"}})).0, 400);
    let id = kit.make("p147893286_pet", json!({"tag": "T1", "colour": "red"}));
    let read = kit.good("GET", "/crm/v3/objects/pets/T1?idProperty=tag&properties=colour", Value::Null);
    assert_eq!((&read["id"], &read["properties"]["colour"]), (&json!(id), &json!("red")));
    let (status, body) = kit.call("POST", "/crm/v3/objects/2-100", json!({"properties": {"tag": "T1"}}));
    assert_eq!((status, &body["errors"][0]["code"]), (400, &json!("CONFLICTING_UNIQUE_VALUE")));
    let schemas = kit.good("GET", "/crm/v3/schemas", Value::Null);
    assert_eq!(schemas["results"][0]["fullyQualifiedName"], "p147893286_pet");
}

#[test]
fn properties_can_be_made_and_at_most_ten_are_unique() {
    let kit = kit();
    let new = |name: &str, unique: bool| json!({"name": name, "label": name, "type": "string", "fieldType": "text", "groupName": "contactinformation", "hasUniqueValue": unique});
    for n in 0..10 {
        assert_eq!(kit.call("POST", "/crm/v3/properties/contacts", new(&format!("uid_{n}"), true)).0, 201);
    }
    assert_eq!(kit.call("POST", "/crm/v3/properties/contacts", new("uid_10", true)).0, 400);
    assert_eq!(kit.call("POST", "/crm/v3/properties/contacts", new("uid_1", false)).0, 409);
    let made = kit.good("POST", "/crm/v3/properties/contacts", new("plain", false));
    assert_eq!(
        (&made["hasUniqueValue"], &made["modificationMetadata"]["readOnlyValue"]),
        (&json!(false), &json!(false))
    );
    let id = kit.make("contacts", json!({"plain": "x", "uid_3": "U"}));
    kit.account.archive_property("contacts", "plain").unwrap();
    let (_, body) = kit.call("PATCH", &format!("/crm/v3/objects/contacts/{id}"), json!({"properties": {"plain": "y"}}));
    assert_eq!(body["errors"][0]["code"], "PROPERTY_DOESNT_EXIST");
}

#[test]
fn what_is_not_there_is_told_in_html() {
    let kit = kit();
    for (method, path, status) in [("GET", "/nowhere", 404), ("PUT", "/crm/v3/objects/contacts/1", 405)] {
        let response = kit.send(super::PRIVATE, method, path, &Value::Null).response;
        assert_eq!(response.status().as_u16(), status);
        assert!(response.headers()["content-type"].to_str().unwrap().starts_with("text/html"));
    }
    assert_eq!(kit.call("GET", "/crm/v3/objects/unicorns", Value::Null).0, 400);
    assert_eq!(
        kit.call("GET", "/crm/v3/owners?email=ROSA@host.example", Value::Null).1["results"][0]["lastName"],
        "Rep"
    );
    assert_eq!(kit.good("GET", "/crm/v3/owners", Value::Null)["results"].as_array().unwrap().len(), 2);
    assert_eq!(kit.good("GET", "/account-info/v3/details", Value::Null)["utcOffset"], "+01:00");
    let stages = kit.good("GET", "/crm/v3/pipelines/deals", Value::Null);
    assert_eq!(stages["results"][0]["stages"].as_array().unwrap().len(), 7);
}

#[test]
fn the_same_calls_give_the_same_answers() {
    let story = || {
        let kit = kit();
        let inputs: Vec<Value> =
            (0..30).map(|n| json!({"properties": {"email": format!("p{n}@example.org")}})).collect();
        let made = kit.good("POST", "/crm/v3/objects/contacts/batch/create", json!({"inputs": inputs}));
        let (one, two) = (ids(&made)[3].clone(), ids(&made)[4].clone());
        let merged =
            kit.good("POST", "/crm/v3/objects/contacts/merge", json!({"primaryObjectId": one, "objectIdToMerge": two}));
        (made.to_string(), merged.to_string(), kit.account.install().to_string(), kit.account.snapshot())
    };
    assert_eq!(story(), story());
}
