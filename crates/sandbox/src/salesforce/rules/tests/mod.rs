//! Salesforce's rules about what may be written, one table per object.

mod administration;
mod duplicates;
mod lifecycle;

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::salesforce::{
    SalesforceConfig,
    testkit::{Kit, code, contact},
};

/// A refused create: the code, and the fields it names.
#[track_caller]
fn refused(kit: &Kit, object: &str, record: Value, expected: &str, fields: &[&str]) {
    let got = kit.ask("POST", &format!("/sobjects/{object}"), record);
    assert_eq!((got.status, code(&got.body)), (400, expected), "{}", got.text);
    let named: Vec<&str> = got.body[0]["fields"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    assert_eq!(named, fields, "{}", got.text);
}

#[test]
fn fields_are_checked() {
    let kit = Kit::new();
    let no = |record: Value, code: &str, fields: &[&str]| refused(&kit, "Contact", record, code, fields);
    no(json!({}), "REQUIRED_FIELD_MISSING", &["LastName"]);
    no(json!({"LastName": "  "}), "REQUIRED_FIELD_MISSING", &["LastName"]);
    no(json!({"LastName": "ä".repeat(81)}), "STRING_TOO_LONG", &["LastName"]);
    no(json!({"LastName": "x", "Email": "badone"}), "INVALID_EMAIL_ADDRESS", &["Email"]);
    no(json!({"LastName": "x", "foo": 1}), "INVALID_FIELD", &[]);
    no(
        json!({"LastName": "x", "CreatedDate": "2026-01-01T00:00:00Z"}),
        "INVALID_FIELD_FOR_INSERT_UPDATE",
        &["CreatedDate"],
    );
    no(json!({"LastName": "x", "Birthdate": "soon"}), "JSON_PARSER_ERROR", &[]);
    no(json!({"LastName": "x", "AccountId": "nonsense"}), "MALFORMED_ID", &["AccountId"]);
    no(json!({"LastName": "x", "AccountId": "001000000000000AAA"}), "INVALID_CROSS_REFERENCE_KEY", &[]);
    no(json!({"LastName": "x", "CleanStatus": "Odd"}), "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", &["CleanStatus"]);
    no(json!({"LastName": "x", "Id": "003dM0000000001AAA"}), "INVALID_FIELD_FOR_INSERT_UPDATE", &["Id"]);
    let user = kit.column("SELECT Id FROM User WHERE IsActive = true", "Id")[0].clone();
    no(json!({"LastName": "x", "AccountId": user}), "FIELD_INTEGRITY_EXCEPTION", &["AccountId"]);
    let gone = kit.column("SELECT Id FROM User WHERE IsActive = false", "Id")[0].clone();
    no(json!({"LastName": "x", "OwnerId": gone}), "INACTIVE_OWNER_OR_USER", &["OwnerId"]);
    kit.create("Contact", json!({"LastName": "ä".repeat(80), "LeadSource": "not in the list", "lastname": "x"}));
}

#[test]
fn a_record_gets_its_audit_fields_and_its_name() {
    let kit = Kit::new();
    kit.create("Contact", json!({"FirstName": " Ada ", "LastName": "Byron"}));
    let row = &kit.records("Contact")[0];
    assert_eq!(row["Name"], "Ada Byron");
    assert_eq!(row["CreatedDate"], "2026-05-06T12:00:00.000+0000");
    assert_eq!(row["OwnerId"], row["CreatedById"]);
    kit.advance(60);
    kit.ask(
        "PATCH",
        &format!("/sobjects/Contact/{}", row["Id"].as_str().unwrap_or_default()),
        json!({"LastName": "King"}),
    );
    let row = &kit.records("Contact")[0];
    assert_eq!(
        (row["Name"].as_str(), row["SystemModstamp"].as_str()),
        (Some("Ada King"), Some("2026-05-06T12:01:00.000+0000"))
    );
    assert_eq!(row["CreatedDate"], "2026-05-06T12:00:00.000+0000");
}

#[test]
fn a_unique_value_is_refused_twice_and_free_again_after_deletion() {
    let kit = Kit::new();
    let record = json!({"LastName": "x", "Syncline_Uid__c": "u-1"});
    let id = kit.create("Contact", record.clone());
    let got = kit.ask("POST", "/sobjects/Contact", record.clone());
    assert_eq!(code(&got.body), "DUPLICATE_VALUE");
    assert!(got.text.contains(&id[..15]), "{}", got.text);
    kit.create("Contact", json!({"LastName": "x", "Syncline_Uid__c": "U-1"}));
    assert_eq!(kit.ask("DELETE", &format!("/sobjects/Contact/{id}"), Value::Null).status, 204);
    kit.create("Contact", record);
}

#[test]
fn events_need_a_start_and_an_end_that_agree() {
    let kit = Kit::new();
    let no = |record: Value, code: &str, fields: &[&str]| refused(&kit, "Event", record, code, fields);
    let start = "2026-05-07T10:00:00+02:00";
    no(json!({"Subject": "x"}), "REQUIRED_FIELD_MISSING", &["ActivityDateTime", "DurationInMinutes"]);
    no(json!({"StartDateTime": start}), "REQUIRED_FIELD_MISSING", &["DurationInMinutes"]);
    no(
        json!({"StartDateTime": start, "EndDateTime": "2026-05-07T07:00:00Z"}),
        "FIELD_INTEGRITY_EXCEPTION",
        &["EndDateTime"],
    );
    no(
        json!({"StartDateTime": start, "EndDateTime": "2026-05-07T09:00:00Z", "DurationInMinutes": 30}),
        "FIELD_INTEGRITY_EXCEPTION",
        &["DurationInMinutes"],
    );
    no(
        json!({"StartDateTime": start, "DurationInMinutes": 30, "ShowAs": "Sleeping"}),
        "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
        &["ShowAs"],
    );
    let lead = kit.create("Lead", json!({"LastName": "L", "Company": "C"}));
    let account = kit.create("Account", json!({"Name": "A"}));
    no(
        json!({"StartDateTime": start, "DurationInMinutes": 30, "WhoId": lead, "WhatId": account}),
        "FIELD_INTEGRITY_EXCEPTION",
        &["WhatId"],
    );
    let id = kit.create("Event", json!({"StartDateTime": start, "DurationInMinutes": 30}));
    let moved = kit.ask("PATCH", &format!("/sobjects/Event/{id}"), json!({"StartDateTime": "2026-05-08T08:00:00Z"}));
    assert_eq!(moved.status, 204, "{}", moved.text);
    let row = &kit.records("Event")[0];
    assert_eq!(row["EndDateTime"], "2026-05-08T08:30:00.000+0000");
    assert_eq!((row["ShowAs"].as_str(), row["ActivityDate"].as_str()), (Some("Busy"), Some("2026-05-08")));
    kit.create("Event", json!({"IsAllDayEvent": true, "ActivityDate": "2026-06-01"}));
    let row = &kit.records("Event")[1];
    assert_eq!(
        (row["DurationInMinutes"].as_i64(), row["StartDateTime"].as_str()),
        (Some(1440), Some("2026-06-01T00:00:00.000+0000"))
    );
}

#[test]
fn one_relation_per_event_and_person() {
    let kit = Kit::new();
    let person = kit.create("Contact", contact("Guest"));
    let event = kit.create("Event", json!({"StartDateTime": "2026-05-07T10:00:00Z", "DurationInMinutes": 30}));
    let relation = json!({"EventId": event, "RelationId": person, "Status": "Accepted"});
    let id = kit.create("EventRelation", relation.clone());
    assert!(id.starts_with("0RE"));
    refused(&kit, "EventRelation", relation, "DUPLICATE_VALUE", &[]);
    kit.ask("DELETE", &format!("/sobjects/Event/{event}"), Value::Null);
    assert_eq!(kit.records("EventRelation")[0]["IsDeleted"], true);
}

#[test]
fn shared_activities_relate_many_contacts() {
    let kit = Kit::with(SalesforceConfig { shared_activities: true, ..SalesforceConfig::default() });
    let (a, b) = (kit.create("Contact", contact("A")), kit.create("Contact", contact("B")));
    let event = json!({"StartDateTime": "2026-05-07T10:00:00Z", "DurationInMinutes": 30, "EventWhoIds": [a, b]});
    kit.create("Event", event.clone());
    assert_eq!(kit.records("Event")[0]["WhoId"], a);
    assert_eq!(kit.records("EventRelation").len(), 2);
    refused(&Kit::new(), "Event", event, "INVALID_FIELD", &[]);
}

#[test]
fn converted_leads_stay_as_they_are() {
    let kit = Kit::new();
    let lead = json!({"LastName": "L", "Company": "C", "IsConverted": true});
    let id = kit.org.seed("Lead", lead.as_object().expect("an object")).expect("seeded");
    let got = kit.ask("PATCH", &format!("/sobjects/Lead/{id}"), json!({"Title": "x"}));
    assert_eq!((code(&got.body), &got.body[0]["fields"]), ("CANNOT_UPDATE_CONVERTED_LEAD", &json!([])));
}

#[test]
fn cases_hold_their_contact_and_number_themselves() {
    let kit = Kit::new();
    let account = kit.create("Account", json!({"Name": "A"}));
    let person = kit.create("Contact", json!({"LastName": "Guest", "Email": "g@x.example", "AccountId": account}));
    kit.create("Case", json!({"Subject": "s", "ContactId": person}));
    let case = &kit.records("Case")[0];
    assert_eq!((case["CaseNumber"].as_str(), case["Status"].as_str()), (Some("00001000"), Some("New")));
    assert_eq!((&case["AccountId"], case["ContactEmail"].as_str()), (&json!(account), Some("g@x.example")));
    let got = kit.ask("DELETE", &format!("/sobjects/Contact/{person}"), Value::Null);
    assert_eq!((got.status, code(&got.body)), (400, "DELETE_FAILED"));
    assert!(got.text.contains("00001000"));
}

#[test]
fn opportunities_follow_their_stage_and_make_a_role() {
    let kit = Kit::new();
    let person = kit.create("Contact", contact("Guest"));
    kit.create(
        "Opportunity",
        json!({"Name": "Deal", "StageName": "Closed Won", "CloseDate": "2026-05-31", "Amount": 10,
        "ContactId": person}),
    );
    let deal = &kit.records("Opportunity")[0];
    assert_eq!(
        (&deal["IsWon"], &deal["Probability"], &deal["ExpectedRevenue"]),
        (&json!(true), &json!(100.0), &json!(10.0))
    );
    let role = &kit.records("OpportunityContactRole")[0];
    assert_eq!((&role["ContactId"], &role["IsPrimary"]), (&json!(person), &json!(true)));
}

/// Assignment rules take the owner away from whoever does not opt out.
#[test]
fn an_assignment_rule_owns_what_does_not_opt_out() {
    let kit = Kit::with(SalesforceConfig { assignment_rule: true, ..SalesforceConfig::default() });
    let seller = kit.column("SELECT Id FROM User WHERE LastName = 'Seller'", "Id")[0].clone();
    let lead = json!({"LastName": "L", "Company": "C", "OwnerId": seller});
    kit.create("Lead", lead.clone());
    kit.ask_with("POST", "/sobjects/Lead", lead, &[("Sforce-Auto-Assign", "FALSE")]);
    let leads = kit.records("Lead");
    assert_ne!(leads[0]["OwnerId"], seller);
    assert_eq!(leads[1]["OwnerId"], seller);
    assert_eq!(kit.org.calls().recent.back().and_then(|call| call.auto_assign.clone()).as_deref(), Some("FALSE"));
}

#[test]
fn references_may_be_given_by_external_id() {
    let kit = Kit::new();
    let account = kit.create("Account", json!({"Name": "A", "Syncline_Uid__c": "acc"}));
    kit.create("Contact", json!({"LastName": "x", "Account": {"Syncline_Uid__c": "acc"}}));
    assert_eq!(kit.records("Contact")[0]["AccountId"], account);
    refused(&kit, "Contact", json!({"LastName": "x", "Account": {"Syncline_Uid__c": "none"}}), "INVALID_FIELD", &[]);
}

proptest! {
    // Each case makes an org of its own, which costs more than what it checks.
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Repeating an upsert changes nothing and makes no second record.
    #[test]
    fn upserts_repeat_to_nothing(keys in prop::collection::vec("[a-c]{1,2}", 1..8), last in "[A-Z][a-z]{0,8}") {
        let kit = Kit::new();
        let up = |key: &String| kit.ask("PATCH", &format!("/sobjects/Contact/Syncline_Uid__c/{key}"), json!({"LastName": last}));
        let first: Vec<Value> = keys.iter().map(|key| up(key).body["id"].clone()).collect();
        let before = kit.records("Contact");
        let again: Vec<Value> = keys.iter().map(|key| up(key).body["id"].clone()).collect();
        prop_assert_eq!(first, again);
        prop_assert_eq!(before, kit.records("Contact"));
    }

    /// All or none means none, whichever row is bad.
    #[test]
    fn all_or_none_takes_everything_back(good in 0usize..6, after in 0usize..6) {
        let kit = Kit::new();
        kit.create("Contact", json!({"LastName": "kept", "Syncline_Uid__c": "k0"}));
        let row = |n: usize| json!({"attributes": {"type": "Contact"}, "LastName": "new", "Syncline_Uid__c": format!("k{n}")});
        let mut rows: Vec<Value> = (0..good).map(row).collect();
        rows.push(json!({"attributes": {"type": "Contact"}, "Syncline_Uid__c": "bad"}));
        rows.extend((good..good + after).map(row));
        let before = kit.records("Contact");
        let got = kit.ask("PATCH", "/composite/sobjects/Contact/Syncline_Uid__c", json!({"allOrNone": true, "records": rows}));
        prop_assert!(got.body.as_array().is_some_and(|rows| rows.iter().all(|row| row["success"] == false)));
        prop_assert_eq!(before, kit.records("Contact"));
    }
}
