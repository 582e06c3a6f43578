//! What an administrator sets up or changes: validation rules, assignment rules, the schema.

use serde_json::{Value, json};

use super::refused;
use crate::salesforce::{
    AssignmentEntry, AssignmentRule, Comparison, Condition, CustomField, EffectKind, RuleSet, SalesforceConfig,
    SchemaChange, ValidationRule,
    testkit::{Kit, code, contact},
};

fn when(field: &str, op: Comparison, value: Value) -> Condition {
    Condition { field: field.into(), op, value }
}

fn rule(object: &str, refuse_when: Vec<Condition>, field: &str) -> ValidationRule {
    ValidationRule {
        name: "Rule".into(),
        object: object.into(),
        active: true,
        refuse_when,
        message: "No.".into(),
        error_field: Some(field.into()),
    }
}

/// proves: fault:S4
#[test]
fn a_validation_rule_refuses_what_it_describes() {
    let kit = Kit::new();
    let id = kit.create("Contact", contact("Guest"));
    let required = rule(
        "Contact",
        vec![when("Title", Comparison::Equals, json!("CEO")), when("Phone", Comparison::Blank, Value::Null)],
        "Phone",
    );
    let only_up = rule("Opportunity", vec![when("Amount", Comparison::LessThanBefore, Value::Null)], "Amount");
    let validation_rules = vec![required, only_up];
    kit.org.set_rules(RuleSet { validation_rules, ..RuleSet::default() }).expect("the rules name what there is");
    refused(&kit, "Contact", json!({"LastName": "x", "Title": "ceo"}), "FIELD_CUSTOM_VALIDATION_EXCEPTION", &["Phone"]);
    kit.create("Contact", json!({"LastName": "x", "Title": "CEO", "Phone": "1"}));
    let path = format!("/sobjects/Contact/{id}");
    assert_eq!(code(&kit.ask("PATCH", &path, json!({"Title": "CEO"})).body), "FIELD_CUSTOM_VALIDATION_EXCEPTION");
    assert_eq!(kit.ask("PATCH", &path, json!({"Title": "CTO"})).status, 204);
    let deal = kit.create(
        "Opportunity",
        json!({"Name": "D", "StageName": "Prospecting", "CloseDate": "2026-06-01", "Amount": 5}),
    );
    let change =
        |amount: i64| kit.ask("PATCH", &format!("/sobjects/Opportunity/{deal}"), json!({"Amount": amount})).status;
    assert_eq!((change(9), change(8), change(9)), (204, 400, 204));
    let told = kit.get("/tooling/query?q=SELECT+ErrorMessage,Active+FROM+ValidationRule");
    assert_eq!(told.body["records"][0]["ErrorMessage"], "No.", "{}", told.text);
    assert_eq!(code(&kit.query("SELECT Id FROM ValidationRule").body), "INVALID_TYPE");
}

fn assigning() -> Kit {
    let to = |owner: &str, when: Vec<Condition>| AssignmentEntry { when, owner: owner.into() };
    let rule = |name: &str, object: &str, active, entries| AssignmentRule {
        name: name.into(),
        object: object.into(),
        active,
        entries,
    };
    let web = when("LeadSource", Comparison::Equals, json!("Web"));
    let assignment_rules = vec![
        rule("Leads", "Lead", true, vec![to("sonja.seller@imitation.example", vec![web])]),
        rule("Old", "Lead", false, vec![to("bruno.broker@imitation.example", Vec::new())]),
        rule("Cases", "Case", false, vec![to("bruno.broker@imitation.example", Vec::new())]),
    ];
    Kit::with(SalesforceConfig { assignment_rules, ..SalesforceConfig::default() })
}

#[test]
fn an_assignment_rule_gives_an_owner_unless_told_not_to() {
    let kit = assigning();
    let user = |last: &str| kit.column(&format!("SELECT Id FROM User WHERE LastName = '{last}'"), "Id")[0].clone();
    let (admin, seller, broker) = (user("Admin"), user("Seller"), user("Broker"));
    let owner = |object: &str, record: Value, header: Option<&str>| -> Value {
        let headers: Vec<(&str, &str)> = header.into_iter().map(|value| ("Sforce-Auto-Assign", value)).collect();
        let got = kit.ask_with("POST", &format!("/sobjects/{object}"), record, &headers);
        assert_eq!(got.status, 201, "{}", got.text);
        kit.records(object).last().map(|row| row["OwnerId"].clone()).unwrap_or_default()
    };
    let lead = |source: &str| json!({"LastName": "L", "Company": "C", "LeadSource": source, "OwnerId": broker});
    assert_eq!(owner("Lead", lead("Web"), None), seller);
    assert_eq!(owner("Lead", lead("Web"), Some("TRUE")), seller);
    // What no entry claims goes to the org's default owner.
    assert_eq!(owner("Lead", lead("Other"), None), admin);
    assert_eq!(owner("Lead", lead("Web"), Some("FALSE")), broker);
    let old = kit.column("SELECT Id FROM AssignmentRule WHERE Name = 'Old'", "Id")[0].clone();
    let mine = json!({"LastName": "L", "Company": "C", "OwnerId": admin});
    assert_eq!(owner("Lead", mine, old.as_str()), broker);
    // A Case is re-owned by an inactive rule, too.
    assert_eq!(owner("Case", json!({"OwnerId": seller}), None), broker);
    assert_eq!(owner("Case", json!({"OwnerId": seller}), Some("FALSE")), seller);
    // A part of a composite says it for itself.
    let part = json!({"compositeRequest": [{"method": "POST", "url": "/services/data/v64.0/sobjects/Case",
        "referenceId": "c", "httpHeaders": {"Sforce-Auto-Assign": "FALSE"}, "body": {"OwnerId": seller}}]});
    kit.ask("POST", "/composite", part);
    assert_eq!(kit.records("Case").last().map(|row| row["OwnerId"].clone()), Some(seller));
}

fn status_of(kit: &Kit, record: Value) -> (u16, String) {
    let got = kit.ask("POST", "/sobjects/Event", record);
    (got.status, code(&got.body).to_owned())
}

fn meeting(status: &str) -> Value {
    json!({"StartDateTime": "2026-05-07T10:00:00Z", "DurationInMinutes": 30, "Meeting_Status__c": status})
}

/// proves: fault:S1, fault:S2, fault:S3
#[test]
fn fields_go_and_change_while_the_org_runs() {
    let kit = Kit::new();
    let (object, field) = ("Event".to_owned(), "Meeting_Status__c".to_owned());
    kit.create("Event", meeting("Scheduled"));
    let tag = |kit: &Kit| kit.get("/sobjects/Event/describe").headers["etag"].clone();
    let before = tag(&kit);
    let change = |change: SchemaChange| kit.org.change_schema(&change).expect("the field is there");
    // S3: a value is no longer offered, and others are refused.
    change(SchemaChange::Picklist {
        object: object.clone(),
        field: field.clone(),
        values: vec!["Scheduled".into()],
        restricted: true,
    });
    assert_ne!(tag(&kit), before);
    assert_eq!(status_of(&kit, meeting("Cancelled")), (400, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST".into()));
    // S1: renamed, values go along.
    let renamed = "Standing__c".to_owned();
    change(SchemaChange::RenameField { object: object.clone(), field: field.clone(), to: renamed.clone() });
    assert_eq!(status_of(&kit, meeting("Scheduled")), (400, "INVALID_FIELD".into()));
    assert_eq!(kit.column("SELECT Standing__c FROM Event", "Standing__c"), ["Scheduled"]);
    assert_eq!(code(&kit.query("SELECT Meeting_Status__c FROM Event").body), "INVALID_FIELD");
    // S2: shorter text is cut, another type loses what it cannot hold.
    change(SchemaChange::RetypeField { object: object.clone(), field: renamed.clone(), kind: "string".into() });
    change(SchemaChange::ResizeField { object: object.clone(), field: renamed.clone(), length: 5 });
    assert_eq!(kit.column("SELECT Standing__c FROM Event", "Standing__c"), ["Sched"]);
    let long = json!({"StartDateTime": "2026-05-07T10:00:00Z", "DurationInMinutes": 30, "Standing__c": "longer"});
    assert_eq!(status_of(&kit, long.clone()), (400, "STRING_TOO_LONG".into()));
    change(SchemaChange::RetypeField { object: object.clone(), field: renamed.clone(), kind: "double".into() });
    assert_eq!(kit.column("SELECT Standing__c FROM Event", "Standing__c"), [Value::Null]);
    assert_eq!(status_of(&kit, long), (400, "JSON_PARSER_ERROR".into()));
    // S1: gone, and its keys with it.
    change(SchemaChange::RemoveField { object: object.clone(), field: "Syncline_Uid__c".into() });
    let got = kit.ask("PATCH", "/sobjects/Event/Syncline_Uid__c/e-1", meeting("Scheduled"));
    assert_eq!((got.status, code(&got.body)), (404, "NOT_FOUND"), "{}", got.text);
    let gone = SchemaChange::RemoveField { object, field };
    assert_eq!(kit.org.change_schema(&gone), Err("no field Event.Meeting_Status__c".into()));
}

#[test]
fn fields_come_are_demanded_and_locked() {
    let kit = Kit::new();
    let id = kit.create("Contact", json!({"LastName": "G", "Syncline_Uid__c": "k"}));
    let custom = CustomField {
        object: "Contact".into(),
        name: "Key__c".into(),
        label: "Key".into(),
        kind: "string".into(),
        length: 20,
        required: false,
        unique: true,
        external_id: true,
        case_sensitive: false,
        picklist: Vec::new(),
        restricted: false,
        reference_to: Vec::new(),
    };
    let add = SchemaChange::AddField { field: custom };
    kit.org.change_schema(&add).expect("a new field");
    assert_eq!(kit.org.change_schema(&add), Err("Contact has a field Key__c already".into()));
    // Keys that were there are still found, and the new one too.
    assert_eq!(kit.ask("PATCH", "/sobjects/Contact/Syncline_Uid__c/k", json!({"Key__c": "new"})).body["id"], id);
    assert_eq!(kit.ask("PATCH", "/sobjects/Contact/Key__c/NEW", json!({"Title": "t"})).body["id"], id);
    let field = |name: &str| ("Contact".to_owned(), name.to_owned());
    let (object, name) = field("Phone");
    kit.org.change_schema(&SchemaChange::RequireField { object, field: name, required: true }).expect("known");
    refused(&kit, "Contact", json!({"LastName": "x"}), "REQUIRED_FIELD_MISSING", &["Phone"]);
    let (object, name) = field("Title");
    kit.org.change_schema(&SchemaChange::LockField { object, field: name, locked: true }).expect("known");
    let locked = json!({"LastName": "x", "Phone": "1", "Title": "t"});
    refused(&kit, "Contact", locked, "INVALID_FIELD_FOR_INSERT_UPDATE", &["Title"]);
}

/// What the effect log tells is what stayed: nothing that was taken back, each write with its request.
#[test]
fn the_effect_log_tells_every_write_that_stayed() {
    let kit = Kit::with(SalesforceConfig { kept_effects: 1_000, ..SalesforceConfig::default() });
    let last = kit.org.effects_since(0).last().map_or(0, |effect| effect.number);
    let before = kit.org.request_count();
    let id = kit.create("Contact", contact("Guest"));
    let bad = json!({"graphs": [{"graphId": "g", "compositeRequest": [
        {"method": "POST", "url": "/services/data/v64.0/sobjects/Contact", "referenceId": "a", "body": contact("No")},
        {"method": "POST", "url": "/services/data/v64.0/sobjects/Contact", "referenceId": "b", "body": {}}]}]});
    kit.ask("POST", "/composite/graph", bad);
    kit.ask("PATCH", &format!("/sobjects/Contact/{id}"), json!({"Title": "Dr", "Phone": null}));
    let rows: Vec<Value> = ["Mr", "Mrs"]
        .iter()
        .map(|title| json!({"attributes": {"type": "Contact"}, "id": id, "Title": title}))
        .collect();
    kit.ask("PATCH", "/composite/sobjects", json!({"records": rows}));
    kit.ask("DELETE", &format!("/sobjects/Contact/{id}"), Value::Null);
    let effects = kit.org.effects_since(last);
    let told: Vec<(u64, EffectKind, Value)> = effects
        .iter()
        .map(|effect| (effect.request - before, effect.kind, effect.fields.get("Title").cloned().unwrap_or_default()))
        .collect();
    assert_eq!(
        told,
        [
            (1, EffectKind::Created, Value::Null),
            (3, EffectKind::Updated, json!("Dr")),
            (4, EffectKind::Updated, json!("Mr")),
            (4, EffectKind::Updated, json!("Mrs")),
            (5, EffectKind::Deleted, Value::Null),
        ]
    );
    assert!(effects.iter().all(|effect| effect.id == id && effect.object == "Contact"));
    assert_eq!(effects[1].fields["Phone"], Value::Null);
    assert!(!kit.org.snapshot().contains_key("Contact"));
    let number = kit.org.calls().recent.back().map(|call| call.number);
    assert_eq!(number, Some(kit.org.request_count()));
}

/// The same requests give the same org, byte for byte.
#[test]
fn two_orgs_with_the_same_entropy_are_the_same() {
    let run = || {
        let kit =
            Kit::with(SalesforceConfig { kept_effects: 100, shared_activities: true, ..SalesforceConfig::default() });
        let who = kit.create("Contact", contact("Guest"));
        let event = json!({"StartDateTime": "2026-05-07T10:00:00Z", "DurationInMinutes": 30, "EventWhoIds": [who]});
        let id = kit.create("Event", event);
        let host = kit.column("SELECT Id FROM User WHERE LastName = 'Broker'", "Id")[0].clone();
        kit.create("EventRelation", json!({"EventId": id, "RelationId": host}));
        let effects = serde_json::to_string(&kit.org.effects_since(0)).expect("effects are plain");
        (serde_json::to_string(&kit.org.snapshot()).expect("records are plain"), effects)
    };
    assert_eq!(run(), run());
}
