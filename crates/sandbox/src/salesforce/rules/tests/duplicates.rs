//! Duplicate rules, in the shape in which Salesforce tells of them.

use serde_json::{Value, json};

use crate::salesforce::{
    DuplicateRule, MatchField, MatchingRule, OnDuplicate, RuleSet, SalesforceConfig,
    testkit::{Got, Kit, code, contact},
};

fn same(field: &str) -> MatchField {
    MatchField { field: field.into(), with: None, fuzzy: false }
}

fn fuzzy(field: &str, with: &str) -> MatchField {
    MatchField { field: field.into(), with: Some(with.into()), fuzzy: true }
}

/// Contacts and leads of one address, whichever is written.
fn by_email(object: &str, on_create: OnDuplicate) -> DuplicateRule {
    let on = |object: &str| MatchingRule {
        name: format!("{object}_Email"),
        object: object.into(),
        fields: vec![same("Email")],
    };
    DuplicateRule {
        name: format!("{object}_by_email"),
        object: object.into(),
        active: true,
        on_create,
        on_edit: OnDuplicate::Allow,
        alert_text: "Use one of these records?".into(),
        enforce_sharing: false,
        matching: vec![on("Contact"), on("Lead")],
    }
}

fn ruled(rules: Vec<DuplicateRule>) -> Kit {
    Kit::with(SalesforceConfig { duplicate_rules: rules, ..SalesforceConfig::default() })
}

const SAVE: (&str, &str) = ("Sforce-Duplicate-Rule-Header", "allowSave=true; includeRecordDetails=true");

fn post(kit: &Kit, object: &str, record: Value, headers: &[(&str, &str)]) -> Got {
    kit.ask_with("POST", &format!("/sobjects/{object}"), record, headers)
}

#[test]
fn a_match_is_told_in_the_recorded_shape() {
    let kit = ruled(vec![by_email("Contact", OnDuplicate::Alert)]);
    let first = kit.create("Contact", contact("Guest"));
    let got = post(&kit, "Contact", json!({"LastName": "G", "Email": "GUEST@guest.example"}), &[]);
    assert_eq!((got.status, code(&got.body)), (400, "DUPLICATES_DETECTED"), "{}", got.text);
    let expected = json!([{
        "duplicateResut": {
            "allowSave": true,
            "duplicateRule": "Contact_by_email",
            "duplicateRuleEntityType": "Contact",
            "errorMessage": "Use one of these records?",
            "matchResults": [{
                "entityType": "Contact", "errors": [], "matchEngine": "ExactMatchEngine",
                "matchRecords": [{
                    "additionalInformation": [], "fieldDiffs": [], "matchConfidence": 100,
                    "record": {"attributes": {"type": "Contact"}, "Id": first},
                }],
                "rule": "Contact_Email", "size": 1, "success": true,
            }],
        },
        "errorCode": "DUPLICATES_DETECTED",
        "message": "Use one of these records?",
    }]);
    assert_eq!(got.body, expected);
    let well_spelt = Kit::with(SalesforceConfig {
        duplicate_rules: vec![by_email("Contact", OnDuplicate::Block)],
        misspelt_duplicate_result: false,
        ..SalesforceConfig::default()
    });
    well_spelt.create("Contact", contact("Guest"));
    let got = post(&well_spelt, "Contact", contact("Guest"), &[SAVE]);
    assert_eq!(got.body[0]["duplicateResult"]["allowSave"], false, "a block is not saved whatever is asked");
    // The record of a match tells more when details are asked for.
    let record = &got.body[0]["duplicateResult"]["matchResults"][0]["matchRecords"][0]["record"];
    assert_eq!(record["Email"], "guest@guest.example");
}

/// An alert is passed by `allowSave`, also for rows and parts; a block by nothing.
#[test]
fn an_alert_may_be_passed() {
    let kit = ruled(vec![by_email("Contact", OnDuplicate::Alert)]);
    kit.create("Contact", contact("Guest"));
    let rows =
        json!({"records": [{"attributes": {"type": "Contact"}, "LastName": "G", "Email": "guest@guest.example"}]});
    let got = kit.ask("POST", "/composite/sobjects", rows.clone());
    assert_eq!(got.body[0]["errors"][0]["statusCode"], "DUPLICATES_DETECTED");
    assert_eq!(kit.ask_with("POST", "/composite/sobjects", rows, &[SAVE]).body[0]["success"], true);
    let part = |headers: Value| {
        json!({"compositeRequest": [{"method": "POST", "url": "/services/data/v64.0/sobjects/Contact", "referenceId": "c",
            "httpHeaders": headers, "body": contact("Guest")}]})
    };
    let got = kit.ask("POST", "/composite", part(json!({})));
    assert_eq!(code(&got.body["compositeResponse"][0]["body"]), "DUPLICATES_DETECTED");
    let got = kit.ask("POST", "/composite", part(json!({"Sforce-Duplicate-Rule-Header": "allowSave=true"})));
    assert_eq!(got.body["compositeResponse"][0]["httpStatusCode"], 201, "{}", got.text);
    assert_eq!(kit.records("Contact").len(), 3);
}

#[test]
fn a_lead_is_held_against_contacts_and_several_matches_are_told() {
    let kit = ruled(vec![by_email("Lead", OnDuplicate::Block)]);
    let ids = [kit.create("Contact", contact("Guest")), kit.create("Contact", contact("Guest"))];
    let lead = json!({"LastName": "Guest", "Company": "C", "Email": "guest@guest.example"});
    let got = post(&kit, "Lead", lead.clone(), &[]);
    let results = &got.body[0]["duplicateResut"]["matchResults"];
    assert_eq!((&results[0]["entityType"], &results[0]["size"]), (&json!("Contact"), &json!(2)));
    let told: Vec<&Value> = (0..2).map(|n| &results[0]["matchRecords"][n]["record"]["Id"]).collect();
    assert_eq!(told, ids.iter().map(|id| json!(id)).collect::<Vec<_>>().iter().collect::<Vec<_>>());
    for id in ids {
        kit.ask("DELETE", &format!("/sobjects/Contact/{id}"), Value::Null);
    }
    kit.create("Lead", lead);
}

#[test]
fn fuzzy_fields_agree_by_their_normal_forms() {
    let rule = DuplicateRule {
        matching: vec![MatchingRule {
            name: "Company".into(),
            object: "Account".into(),
            fields: vec![fuzzy("Company", "Name")],
        }],
        ..by_email("Lead", OnDuplicate::Block)
    };
    let kit = ruled(vec![rule]);
    kit.create("Account", json!({"Name": "ACME-Rockets, Inc."}));
    let lead = |company: &str| json!({"LastName": "L", "Company": company});
    let got = post(&kit, "Lead", lead("Acme Rockets GmbH"), &[]);
    assert_eq!(got.body[0]["duplicateResut"]["matchResults"][0]["matchEngine"], "FuzzyMatchEngine", "{}", got.text);
    kit.create("Lead", lead("Acme"));
}

/// The rule sees what the caller may not; the caller is told of it only by an empty list, or not at all.
#[test]
fn a_match_may_be_out_of_sight() {
    let kit = ruled(vec![by_email("Contact", OnDuplicate::Alert)]);
    let id = kit.create("Contact", contact("Guest"));
    kit.org.hide(&id, true).expect("an id");
    assert_eq!(kit.get(&format!("/sobjects/Contact/{id}")).status, 404);
    assert_eq!(kit.query("SELECT COUNT() FROM Contact").body["totalSize"], 0);
    assert_eq!(kit.column("SELECT COUNT(Id) n FROM Contact", "n"), [json!(0)]);
    let got = post(&kit, "Contact", contact("Guest"), &[]);
    let result = &got.body[0]["duplicateResut"]["matchResults"][0];
    assert_eq!((&result["size"], &result["matchRecords"]), (&json!(0), &json!([])), "{}", got.text);
    let own = ("Sforce-Duplicate-Rule-Header", "runAsCurrentUser=true");
    assert_eq!(post(&kit, "Contact", contact("Guest"), &[own]).status, 201);
    let revealing = Kit::with(SalesforceConfig {
        duplicate_rules: vec![by_email("Contact", OnDuplicate::Block)],
        reveal_hidden_duplicates: true,
        ..SalesforceConfig::default()
    });
    let id = revealing.create("Contact", contact("Guest"));
    revealing.org.hide(&id, true).expect("an id");
    let got = post(&revealing, "Contact", contact("Guest"), &[]);
    assert_eq!(got.body[0]["duplicateResut"]["matchResults"][0]["matchRecords"][0]["record"]["Id"], id);
}

#[test]
fn rules_come_and_go_while_the_org_runs() {
    let kit = Kit::new();
    let id = kit.create("Contact", contact("Guest"));
    kit.create("Contact", contact("Guest"));
    let edit = DuplicateRule { on_edit: OnDuplicate::Block, ..by_email("Contact", OnDuplicate::Allow) };
    let set = |rule: DuplicateRule| kit.org.set_rules(RuleSet { duplicate_rules: vec![rule], ..RuleSet::default() });
    set(edit).expect("the rule names what there is");
    assert_eq!(kit.column("SELECT SobjectType FROM DuplicateRule WHERE IsActive = true", "SobjectType"), ["Contact"]);
    kit.create("Contact", contact("Guest"));
    let got = kit.ask("PATCH", &format!("/sobjects/Contact/{id}"), json!({"Title": "Dr"}));
    assert_eq!(code(&got.body), "DUPLICATES_DETECTED");
    kit.org.set_rules(RuleSet::default()).expect("no rules");
    assert_eq!(kit.ask("PATCH", &format!("/sobjects/Contact/{id}"), json!({"Title": "Dr"})).status, 204);
    assert!(kit.column("SELECT Id FROM DuplicateRule", "Id").is_empty());
    let wrong = DuplicateRule {
        matching: vec![MatchingRule { name: "x".into(), object: "Lead".into(), fields: vec![same("AssistantName")] }],
        ..by_email("Contact", OnDuplicate::Block)
    };
    assert_eq!(set(wrong), Err("no field Lead.AssistantName".into()));
}
