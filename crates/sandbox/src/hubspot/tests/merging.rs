//! Merging, erasing, and lists.

use serde_json::{Value, json};

use super::{Kit, ids, kit, kit_with};
use crate::hubspot::{HubSpotConfig, HubSpotList};

fn two(kit: &Kit) -> (String, String) {
    let one = kit.make("contacts", json!({"email": "a@example.org", "firstname": "Ada"}));
    (one, kit.make("contacts", json!({"email": "b@example.org", "firstname": "Bea", "city": "Bonn"})))
}

#[test]
fn both_ids_lead_to_the_survivor_which_may_have_a_third() {
    for new_id in [true, false] {
        let kit = kit_with(HubSpotConfig { merge_gives_new_id: new_id, ..HubSpotConfig::default() });
        let (one, two) = two(&kit);
        let company = kit.make("companies", json!({"name": "Bossa"}));
        kit.account.associate(("contacts", &two), ("companies", &company), None).unwrap();
        kit.account.list_member(1, &two, true).unwrap();
        let body = json!({"primaryObjectId": one, "objectIdToMerge": two});
        let merged = kit.good("POST", "/crm/v3/objects/contacts/merge", body);
        let id = merged["id"].as_str().unwrap().to_owned();
        assert_eq!(id != one, new_id);
        let told = &merged["properties"];
        assert_eq!(
            (&told["firstname"], &told["city"], &told["email"]),
            (&json!("Ada"), &json!("Bonn"), &json!("a@example.org"))
        );
        assert_eq!(told["hs_additional_emails"], "b@example.org");
        let all: Vec<&str> = told["hs_all_contact_vids"].as_str().unwrap().split(';').collect();
        assert!(all.contains(&id.as_str()) && all.contains(&one.as_str()) && all.contains(&two.as_str()));
        assert!(told["hs_merged_object_ids"].as_str().unwrap().contains(&two));
        for old in [&one, &two] {
            let read = kit.good("GET", &format!("/crm/v3/objects/contacts/{old}"), Value::Null);
            assert_eq!(read["id"], id, "read by {old}");
        }
        let by_second = kit.good("GET", "/crm/v3/objects/contacts/b@example.org?idProperty=email", Value::Null);
        assert_eq!(by_second["id"], id);
        assert_eq!(ids(&kit.good("GET", "/crm/v3/objects/contacts", Value::Null)), [id.as_str()]);
        assert_eq!(kit.account.record("contacts", &id).unwrap().links[0].id, company);
        assert_eq!(kit.account.record("contacts", &id).unwrap().properties["associatedcompanyid"], company);
        assert_eq!(kit.account.list_members(1), [id.as_str()]);
        // A second merge, of the survivor with a third: the oldest ids still lead there.
        let third = kit.make("contacts", json!({"email": "c@example.org"}));
        let last = kit.account.merge("contacts", &third, &id).unwrap();
        for old in [&one, &two, &id, &third] {
            assert_eq!(kit.account.record("contacts", old).unwrap().id, last);
        }
        assert!(kit.account.merge("contacts", &one, &third).is_err(), "they are one already");
    }
}

/// The survivor keeps its own primary company, whatever the other one had and in which order they were made.
#[test]
fn a_merge_keeps_the_primary_company() {
    for new_id in [true, false] {
        let kit = kit_with(HubSpotConfig { merge_gives_new_id: new_id, ..HubSpotConfig::default() });
        let (one, two) = two(&kit);
        let companies: Vec<String> =
            ["A", "B", "C"].iter().map(|name| kit.make("companies", json!({"name": name}))).collect();
        let join = |person: &str, company: usize| {
            kit.account.associate(("contacts", person), ("companies", &companies[company]), None).unwrap();
        };
        [(&one, 1), (&one, 0), (&two, 2)].iter().for_each(|(person, company)| join(person, *company));
        let id = kit.account.merge("contacts", &one, &two).unwrap();
        let person = kit.account.record("contacts", &id).unwrap();
        assert_eq!((person.properties["associatedcompanyid"].as_str(), person.links.len()), (companies[1].as_str(), 3));
        // And when companies merge, people follow to the survivor.
        let company = kit.account.merge("companies", &companies[0], &companies[1]).unwrap();
        assert_eq!(kit.account.record("contacts", &id).unwrap().properties["associatedcompanyid"], company);
    }
}

#[test]
fn an_erased_person_leaves_nothing_behind() {
    let kit = kit();
    let (one, _) = two(&kit);
    let erase = |body: Value| kit.call("POST", "/crm/v3/objects/contacts/gdpr-delete", body).0;
    assert_eq!(erase(json!({"objectId": one})), 204);
    assert_eq!(kit.call("GET", &format!("/crm/v3/objects/contacts/{one}?archived=true"), Value::Null).0, 404);
    assert!(ids(&kit.good("GET", "/crm/v3/objects/contacts?archived=true", Value::Null)).is_empty());
    kit.make("contacts", json!({"email": "a@example.org"}));
    // An address that nobody has can never be had again.
    assert_eq!(erase(json!({"objectId": "Never@example.org", "idProperty": "email"})), 204);
    assert_eq!(
        kit.call("POST", "/crm/v3/objects/contacts", json!({"properties": {"email": "never@example.org"}})).0,
        400
    );
    assert_eq!(erase(json!({"objectId": "77"})), 404);
}

#[test]
fn members_of_lists_come_and_go_except_where_filters_decide() {
    let mut config = HubSpotConfig::default();
    config.lists.push(HubSpotList {
        list_id: 2,
        name: "All".into(),
        object: "contacts".into(),
        processing: "DYNAMIC".into(),
    });
    let kit = kit_with(config);
    let (one, two) = two(&kit);
    let change = |list: u64, add: Value, remove: Value| {
        kit.call(
            "PUT",
            &format!("/crm/v3/lists/{list}/memberships/add-and-remove"),
            json!({"recordIdsToAdd": add, "recordIdsToRemove": remove}),
        )
    };
    let (_, done) = change(1, json!([one, two, "77"]), json!([]));
    assert_eq!(done, json!({"recordsIdsAdded": [one, two], "recordIdsRemoved": [], "recordIdsMissing": ["77"]}));
    let (_, done) = change(1, json!([one]), json!([two]));
    assert_eq!(done, json!({"recordsIdsAdded": [], "recordIdsRemoved": [two], "recordIdsMissing": []}));
    assert_eq!(change(2, json!([one]), json!([])).0, 400);
    let page = kit.good("GET", "/crm/v3/lists/1/memberships", Value::Null);
    assert_eq!((&page["total"], &page["results"][0]["recordId"]), (&json!(1), &json!(one)));
    let on = kit.good("GET", &format!("/crm/v3/lists/records/0-1/{one}/memberships"), Value::Null);
    assert_eq!(on["results"][0]["listId"], "1");
    assert_eq!(kit.good("GET", "/crm/v3/lists/2", Value::Null)["list"]["processingType"], "DYNAMIC");
    let made =
        kit.good("POST", "/crm/v3/lists", json!({"name": "New", "objectTypeId": "0-1", "processingType": "MANUAL"}));
    assert_eq!(made["list"]["listId"], "3");
}
