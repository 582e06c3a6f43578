//! What becomes of records: conversion, merging, deletion and the way back.

use serde_json::{Value, json};

use crate::salesforce::{
    LeadConversion, SalesforceConfig,
    testkit::{Kit, code, contact},
};

fn shared() -> Kit {
    Kit::with(SalesforceConfig { shared_activities: true, ..SalesforceConfig::default() })
}

fn event(who: &str) -> Value {
    json!({"Subject": "Demo", "StartDateTime": "2026-05-07T10:00:00Z", "DurationInMinutes": 30, "WhoId": who})
}

fn conversion(lead: &str) -> LeadConversion {
    LeadConversion { lead_id: lead.into(), converted_status: "Closed - Converted".into(), ..LeadConversion::default() }
}

fn read(kit: &Kit, object: &str, id: &str) -> Value {
    kit.get(&format!("/sobjects/{object}/{id}")).body
}

fn lead(kit: &Kit) -> String {
    kit.create(
        "Lead",
        json!({"FirstName": "Ada", "LastName": "Byron", "Company": "Engines", "Email": "ada@engines.example"}),
    )
}

#[test]
fn a_converted_lead_tells_what_it_became_and_stays_so() {
    let kit = shared();
    let seller = kit.column("SELECT Id FROM User WHERE LastName = 'Seller'", "Id")[0].clone();
    let id = lead(&kit);
    let before = read(&kit, "Lead", &id);
    let meeting = kit.create("Event", event(&id));
    kit.advance(60);
    let asked = LeadConversion { owner_id: seller.as_str().map(str::to_owned), ..conversion(&id) };
    let became = kit.org.convert_lead(&asked).expect("it can be converted");
    let after = read(&kit, "Lead", &id);
    assert_eq!((&after["IsConverted"], &after["ConvertedDate"]), (&json!(true), &json!("2026-05-06")));
    assert_eq!(after["ConvertedContactId"], became.contact_id);
    assert_eq!(after["ConvertedAccountId"], became.account_id);
    assert_eq!(after["ConvertedOpportunityId"], json!(became.opportunity_id));
    assert_eq!(after["LastModifiedDate"], before["LastModifiedDate"]);
    assert_ne!(after["SystemModstamp"], before["SystemModstamp"]);
    let person = read(&kit, "Contact", &became.contact_id);
    assert_eq!((&person["Email"], &person["AccountId"]), (&json!("ada@engines.example"), &json!(became.account_id)));
    let deal = read(&kit, "Opportunity", became.opportunity_id.as_deref().unwrap_or_default());
    assert_eq!((&deal["Name"], &deal["CloseDate"]), (&json!("Engines"), &json!("2026-06-30")));
    // The event is the contact's now, and its owner's who converted it.
    let moved = read(&kit, "Event", &meeting);
    assert_eq!((&moved["WhoId"], &moved["OwnerId"]), (&json!(became.contact_id), &seller));
    assert_eq!((&moved["EventWhoIds"], &moved["AccountId"]), (&json!([became.contact_id]), &json!(became.account_id)));
    // Nothing writes to it or names it from now on.
    let got = kit.ask("PATCH", &format!("/sobjects/Lead/{id}"), json!({"Title": "x"}));
    assert_eq!(code(&got.body), "CANNOT_UPDATE_CONVERTED_LEAD");
    assert_eq!(code(&kit.ask("POST", "/sobjects/Event", event(&id)).body), "CANNOT_UPDATE_CONVERTED_LEAD");
    let listed = json!({"StartDateTime": "2026-05-07T10:00:00Z", "DurationInMinutes": 30, "EventWhoIds": [id]});
    assert_eq!(code(&kit.ask("POST", "/sobjects/Event", listed).body), "CANNOT_UPDATE_CONVERTED_LEAD");
    let again = kit.org.convert_lead(&conversion(&id));
    assert_eq!(again, Err("CANNOT_UPDATE_CONVERTED_LEAD: cannot reference converted lead".into()));
    assert_eq!(kit.column("SELECT Id FROM Lead WHERE IsConverted = true", "Id"), [json!(id)]);
}

#[test]
fn a_lead_may_become_somebody_who_is_there() {
    let kit = Kit::new();
    let account = kit.create("Account", json!({"Name": "Engines"}));
    let person = kit.create("Contact", json!({"LastName": "Byron", "AccountId": account, "LeadSource": "Web"}));
    let id = lead(&kit);
    let asked = LeadConversion { contact_id: Some(person.clone()), do_not_create_opportunity: true, ..conversion(&id) };
    let became = kit.org.convert_lead(&asked).expect("it can be converted");
    assert_eq!((became.account_id, became.opportunity_id), (account, None));
    let row = read(&kit, "Contact", &person);
    assert_eq!((&row["Email"], &row["LeadSource"]), (&json!("ada@engines.example"), &json!("Web")));
    let wrong = LeadConversion { converted_status: "Working - Contacted".into(), ..conversion(&lead(&kit)) };
    let before = kit.org.snapshot();
    assert!(kit.org.convert_lead(&wrong).is_err_and(|error| error.starts_with("INVALID_STATUS")));
    assert_eq!(kit.org.snapshot(), before);
}

#[test]
fn a_merge_moves_what_belongs_to_the_losers() {
    let kit = shared();
    let ids: Vec<String> =
        ["Winner", "Loser", "Other"].iter().map(|name| kit.create("Contact", contact(name))).collect();
    let case = kit.create("Case", json!({"ContactId": ids[1]}));
    let meeting = kit.create("Event", event(&ids[1]));
    // One that both take part in.
    let both = kit.create(
        "Event",
        json!({"StartDateTime": "2026-05-07T10:00:00Z", "DurationInMinutes": 30,
        "EventWhoIds": [ids[1], ids[0]]}),
    );
    let stamp = read(&kit, "Case", &case)["LastModifiedDate"].clone();
    kit.advance(60);
    let fields = json!({"Title": "Dr"});
    kit.org.merge(&ids[0], &[&ids[1], &ids[2]], fields.as_object().expect("an object")).expect("they can be merged");
    let moved = read(&kit, "Case", &case);
    assert_eq!((&moved["ContactId"], &moved["LastModifiedDate"]), (&json!(ids[0]), &stamp));
    assert_ne!(moved["SystemModstamp"], stamp);
    assert_eq!(read(&kit, "Event", &meeting)["EventWhoIds"], json!([ids[0]]));
    assert_eq!(read(&kit, "Event", &both)["EventWhoIds"], json!([ids[0]]));
    assert_eq!(read(&kit, "Contact", &ids[0])["Title"], "Dr");
    assert_eq!(kit.get(&format!("/sobjects/Contact/{}", ids[1])).body[0]["errorCode"], "ENTITY_IS_DELETED");
    let q = "/queryAll?q=SELECT+Id,MasterRecordId+FROM+Contact+WHERE+IsDeleted=true";
    let gone = kit.get(q).body;
    assert_eq!((&gone["totalSize"], &gone["records"][0]["MasterRecordId"]), (&json!(2), &json!(ids[0])), "{gone}");
    let refused = |master: &str, losers: &[&str]| kit.org.merge(master, losers, &serde_json::Map::new()).unwrap_err();
    assert!(refused(&ids[0], &[&ids[1]]).starts_with("ENTITY_IS_DELETED"));
    assert!(refused(&ids[0], &[&ids[0]]).starts_with("MERGE_FAILED"));
    let account = kit.create("Account", json!({"Name": "A"}));
    assert!(refused(&ids[0], &[&account]).starts_with("MERGE_FAILED"));
    assert!(refused(&case, &[&account]).starts_with("MERGE_FAILED"));
}

#[test]
fn accounts_and_leads_merge_too() {
    let kit = Kit::new();
    let (a, b) = (kit.create("Account", json!({"Name": "A"})), kit.create("Account", json!({"Name": "B"})));
    let person = kit.create("Contact", json!({"LastName": "x", "AccountId": b}));
    let child = kit.create("Account", json!({"Name": "C", "ParentId": b}));
    kit.org.merge(&a, &[&b], &serde_json::Map::new()).expect("they can be merged");
    assert_eq!(read(&kit, "Contact", &person)["AccountId"], a);
    assert_eq!(read(&kit, "Account", &child)["ParentId"], a);
    let (l, m) = (lead(&kit), lead(&kit));
    let meeting = kit.create("Event", event(&m));
    kit.org.merge(&l, &[&m], &serde_json::Map::new()).expect("they can be merged");
    assert_eq!(read(&kit, "Event", &meeting)["WhoId"], l);
}

#[test]
fn what_was_deleted_comes_back_with_what_went_along() {
    let kit = Kit::new();
    let person = kit.create("Contact", json!({"LastName": "x", "Syncline_Uid__c": "k"}));
    let meeting = kit.create("Event", event(&person));
    kit.org.delete(&person).expect("it can be deleted");
    assert_eq!(kit.get(&format!("/sobjects/Event/{meeting}")).status, 404);
    assert!(kit.org.undelete(&meeting).is_err_and(|error| error.starts_with("UNDELETE_FAILED")));
    kit.org.undelete(&person).expect("it lies in the recycle bin");
    assert_eq!(read(&kit, "Event", &meeting)["WhoId"], person);
    kit.org.delete(&person).expect("it can be deleted");
    let successor = kit.create("Contact", json!({"LastName": "y", "Syncline_Uid__c": "k"}));
    assert!(kit.org.undelete(&person).is_err_and(|error| error.starts_with("DUPLICATE_VALUE")));
    kit.org.purge(&person).expect("it lies in the recycle bin");
    assert_eq!(kit.get("/queryAll?q=SELECT+Id+FROM+Contact").body["records"][0]["Id"], successor);
    assert_eq!(kit.get(&format!("/sobjects/Contact/{person}")).body[0]["errorCode"], "NOT_FOUND");
    kit.create("Case", json!({"ContactId": successor}));
    assert!(kit.org.delete(&successor).is_err_and(|error| error.starts_with("DELETE_FAILED")));
}
