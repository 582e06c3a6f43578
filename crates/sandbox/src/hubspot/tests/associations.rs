//! What records are associated with.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Kit, kit, kit_with};
use crate::hubspot::{HubSpotConfig, HubSpotLink};

fn pair(kit: &Kit) -> (String, String) {
    (kit.make("contacts", json!({"email": "a@example.org"})), kit.make("companies", json!({"name": "Bossa"})))
}

#[test]
fn the_first_company_is_the_primary_one_until_another_is_made_so() {
    let kit = kit();
    let (person, first) = pair(&kit);
    let second = kit.make("companies", json!({"name": "Samba"}));
    for company in [&first, &second] {
        let path = format!("/crm/v4/objects/contacts/{person}/associations/default/companies/{company}");
        let done = kit.good("PUT", &path, Value::Null);
        assert_eq!(done["results"][0]["associationSpec"]["associationTypeId"], 279);
    }
    let types = |company: &str| {
        let record = kit.account.record("contacts", &person).unwrap();
        record.links.into_iter().find(|link: &HubSpotLink| link.id == company).unwrap().type_ids
    };
    assert_eq!((types(&first), types(&second)), (vec![1, 279], vec![279]));
    assert_eq!(kit.account.record("contacts", &person).unwrap().properties["associatedcompanyid"], first);
    let path = format!("/crm/v4/objects/contacts/{person}/associations/companies/{second}");
    let labelled = kit.call("PUT", &path, json!([{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 1}]));
    assert_eq!((labelled.0, &labelled.1["labels"]), (201, &json!(["Primary"])));
    assert_eq!((types(&first), types(&second)), (vec![279], vec![1, 279]));
    assert_eq!(kit.account.record("contacts", &person).unwrap().properties["associatedcompanyid"], second);
    let read = kit.good("GET", &format!("/crm/v3/objects/contacts/{person}?associations=companies"), Value::Null);
    assert_eq!(
        read["associations"]["companies"]["results"],
        json!([
        {"id": first, "type": "contact_to_company_unlabeled"},
        {"id": second, "type": "contact_to_company"}, {"id": second, "type": "contact_to_company_unlabeled"}])
    );
}

#[test]
fn associations_are_read_from_both_ends_and_taken_away() {
    let kit = kit();
    let (person, company) = pair(&kit);
    kit.account.associate(("contacts", &person), ("companies", &company), None).unwrap();
    assert_eq!(kit.account.record("companies", &company).unwrap().properties["num_associated_contacts"], "1");
    let page =
        kit.good("GET", &format!("/crm/v4/objects/companies/{company}/associations/contacts?limit=500"), Value::Null);
    assert_eq!(page["results"][0]["toObjectId"], person);
    assert_eq!(page["results"][0]["associationTypes"][0]["category"], "HUBSPOT_DEFINED");
    kit.account.archive("contacts", &person).unwrap();
    let page = kit.good("GET", &format!("/crm/v4/objects/companies/{company}/associations/contacts"), Value::Null);
    assert_eq!(page["results"], json!([]), "nobody sees what is archived");
    kit.account.restore("contacts", &person).unwrap();
    kit.good("DELETE", &format!("/crm/v4/objects/contacts/{person}/associations/companies/{company}"), Value::Null);
    assert!(kit.account.record("companies", &company).unwrap().links.is_empty());
    assert_eq!(kit.account.record("contacts", &person).unwrap().properties.get("associatedcompanyid"), None);
}

#[test]
fn batches_of_associations_tell_of_rows_that_have_none() {
    let kit = kit();
    let (person, company) = pair(&kit);
    let lonely = kit.make("contacts", json!({"email": "b@example.org"}));
    let row = |from: &str, to: &str| json!({"from": {"id": from}, "to": {"id": to}, "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 279}]});
    let base = "/crm/v4/associations/contacts/companies/batch";
    let (status, made) =
        kit.call("POST", &format!("{base}/create"), json!({"inputs": [row(&person, &company), row(&person, "77")]}));
    assert_eq!((status, made["results"].as_array().unwrap().len(), &made["numErrors"]), (207, 1, &json!(1)));
    let (status, read) = kit.call("POST", &format!("{base}/read"), json!({"inputs": [{"id": person}, {"id": lonely}]}));
    assert_eq!((status, &read["results"][0]["to"][0]["toObjectId"]), (207, &json!(company)));
    assert_eq!(read["errors"][0]["subCategory"], "crm.associations.NO_ASSOCIATIONS_FOUND");
    assert_eq!(read["errors"][0]["context"]["fromObjectId"], json!([lonely]));
    let away = json!({"inputs": [{"from": {"id": person}, "to": [{"id": company}]}]});
    assert_eq!(kit.call("POST", &format!("{base}/archive"), away).0, 204);
    assert!(kit.account.record("contacts", &person).unwrap().links.is_empty());
    let default = json!({"inputs": [{"from": {"id": lonely}, "to": {"id": company}}]});
    assert_eq!(kit.call("POST", &format!("{base}/associate/default"), default).0, 200);
}

#[test]
fn labels_are_looked_up_and_made() {
    let kit = kit();
    let (person, company) = pair(&kit);
    let path = "/crm/associations/v4/contacts/companies/labels";
    let known = kit.good("GET", path, Value::Null);
    assert!(
        known["results"]
            .as_array()
            .unwrap()
            .contains(&json!({"category": "HUBSPOT_DEFINED", "typeId": 279, "label": null}))
    );
    let made = kit.good("POST", path, json!({"name": "billing", "label": "Billing", "inverseLabel": "Billed by"}));
    let id = made["results"][0]["typeId"].as_u64().unwrap();
    let one = format!("/crm/v4/objects/contacts/{person}/associations/companies/{company}");
    let done = kit.good("PUT", &one, json!([{"associationCategory": "USER_DEFINED", "associationTypeId": id}]));
    assert!(done["labels"].as_array().unwrap().contains(&json!("Billing")));
    assert_eq!(
        kit.call("PUT", &one, json!([{"associationCategory": "USER_DEFINED", "associationTypeId": 9999}])).0,
        400
    );
    let back = kit.good("GET", &format!("/crm/v4/objects/companies/{company}/associations/contacts"), Value::Null);
    assert!(
        back["results"][0]["associationTypes"].as_array().unwrap().iter().any(|known| known["label"] == "Billed by")
    );
}

#[test]
fn a_create_with_an_association_that_cannot_be_makes_nothing() {
    let kit = kit();
    let body = json!({"properties": {"hs_note_body": "n", "hs_timestamp": "0"},
                      "associations": [{"to": {"id": "77"}, "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 202}]}]});
    assert_eq!(kit.call("POST", "/crm/v3/objects/notes", body).0, 400);
    assert!(kit.account.snapshot().is_empty());
}

fn ends(kit: &Kit) -> Vec<(String, String, String, String)> {
    let mut all = Vec::new();
    for (object, records) in kit.account.snapshot() {
        for record in records {
            all.extend(record.links.into_iter().map(|link| (object.clone(), record.id.clone(), link.object, link.id)));
        }
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// However records are joined, parted, merged and erased: each association is known at both ends, both of them live,
    /// and a contact with companies has one primary company.
    #[test]
    fn both_ends_agree(steps in prop::collection::vec((0_usize..4, 0_usize..4, 0_u8..7), 1..40), new_id in any::<bool>()) {
        let kit = kit_with(HubSpotConfig { merge_gives_new_id: new_id, ..HubSpotConfig::default() });
        let make = |object: &str, name: &str| (0..4).map(|n| kit.account.create(object, &[(name, &format!("p{n}@example.org"))]).unwrap()).collect::<Vec<_>>();
        let (people, companies) = (make("contacts", "email"), make("companies", "name"));
        for (one, other, what) in steps {
            // Records that are gone by now refuse, which is no fault.
            let (person, company) = (("contacts", people[one].as_str()), ("companies", companies[other].as_str()));
            let _ = match what {
                0..=2 => kit.account.associate(person, company, (what == 0).then_some(1)),
                3 => kit.account.disassociate(person, company),
                4 => kit.account.merge("contacts", &people[one], &people[other]).map(|_| ()),
                5 => kit.account.merge("companies", &companies[one], &companies[other]).map(|_| ()),
                _ => kit.account.associate(person, ("contacts", &people[other]), None),
            };
        }
        let all = ends(&kit);
        for (object, id, to, to_id) in &all {
            prop_assert!(all.contains(&(to.clone(), to_id.clone(), object.clone(), id.clone())), "{object}/{id} to {to}/{to_id}");
        }
        for record in kit.account.snapshot().remove("contacts").unwrap_or_default() {
            let mine: Vec<_> = record.links.iter().filter(|link| link.object == "companies").collect();
            let primary = mine.iter().filter(|link| link.type_ids.contains(&1)).count();
            prop_assert!(primary <= 1, "{record:?}");
            let told = record.properties.get("associatedcompanyid");
            prop_assert_eq!(told, mine.iter().find(|link| link.type_ids.contains(&1)).map(|link| &link.id), "{:?}", primary);
        }
    }
}
