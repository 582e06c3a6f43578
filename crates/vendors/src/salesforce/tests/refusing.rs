//! Why a record was refused: the record, the reference that leads nowhere, the owner, the lead that was converted, and
//! what a duplicate rule names.

use serde_json::{Value as Json, json};
use syncline_connect::{Error, ErrorKind, Retry};
use syncline_core::{
    ids::{ObjectName, RecordId},
    record::{Field, Role, Slot, Std, Value},
    step::{Plan, Step},
};

use super::{
    super::duplicates,
    graphs::{failed, graph, graphs, outcome_of, patch, refusal, upsert},
};

const CONTACT: &str = "0034H00002JsInQQAV";
const OTHER_CONTACT: &str = "003000000000001AAA";
const LEAD: &str = "00Q000000000001EAA";
const ACCOUNT: &str = "001dM00003kS3tNQAS";
const CASE: &str = "500000000000001AAA";
const EVENT: &str = "00U000000000001EAA";
const USER: &str = "005000000000001AAA";

fn refused(step: Step, status: u16, row: Json) -> Error {
    let reference = step.slot.to_string();
    let answer = json!({"body": [row], "httpHeaders": {}, "httpStatusCode": status, "referenceId": reference});
    refusal(outcome_of(&Plan { steps: vec![step] }, graphs(&[graph(0, false, &[answer])])))
}

fn row(code: &str, message: &str, fields: &[&str]) -> Json {
    json!({"errorCode": code, "message": message, "fields": fields})
}

fn meeting(values: &[(Std, &str)]) -> Step {
    let values: Vec<_> = values.iter().map(|(std, id)| (*std, Value::Id((*id).into()))).collect();
    upsert(Slot::Meeting, Role::Meeting, &values)
}

fn tied() -> Step {
    meeting(&[(Std::Who, LEAD), (Std::What, CASE), (Std::Owner, USER)])
}

/// What is refused, with which status and row, and what it is taken for.
type Told = (&'static str, Step, u16, Json, ErrorKind, &'static [Std]);

/// proves: B25 (the reference that is refused is named)
#[test]
fn a_reference_that_leads_nowhere_is_named() {
    let place = |whom: &str| {
        let values = [(Std::Meeting, Value::Id(EVENT.into())), (Std::Attends, Value::Id(whom.into()))];
        upsert(Slot::Attendee(1), Role::Attendee, &values)
    };
    let patched = |values: &[(Std, Value)]| patch(Slot::Meeting, Role::Meeting, EVENT, values);
    let who = (Std::Who, Value::Id(CONTACT.into()));
    use {ErrorKind as Kind, Std::*};
    let cases: [Told; 16] = [
        ("listed", tied(), 400, row("INVALID_CROSS_REFERENCE_KEY", "m", &["WhoId"]), Kind::Reference, &[Who]),
        (
            "told by the text",
            tied(),
            400,
            row("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id: 500000000000001", &[]),
            Kind::Reference,
            &[What],
        ),
        (
            "any of them",
            tied(),
            400,
            row("INVALID_CROSS_REFERENCE_KEY", "m", &[]),
            Kind::Reference,
            &[Owner, Who, What],
        ),
        ("the owner", tied(), 400, row("INVALID_CROSS_REFERENCE_KEY", "m", &["OwnerId"]), Kind::Owner, &[Owner]),
        (
            "only an owner",
            meeting(&[(Owner, USER)]),
            400,
            row("INVALID_CROSS_REFERENCE_KEY", "m", &[]),
            Kind::Owner,
            &[Owner],
        ),
        ("an inactive owner", tied(), 400, row("INACTIVE_OWNER_OR_USER", "m", &[]), Kind::Owner, &[Owner]),
        ("an inactive co-host", place(USER), 400, row("INACTIVE_OWNER_OR_USER", "m", &[]), Kind::Owner, &[Attends]),
        (
            "an owner out of sight",
            tied(),
            400,
            row("INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY", "on cross-reference id: 005000000000001", &[]),
            Kind::Owner,
            &[Owner],
        ),
        (
            "a case out of sight",
            tied(),
            400,
            row("INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY", "on cross-reference id: 500000000000001", &[]),
            Kind::Forbidden,
            &[],
        ),
        (
            "an owner of another kind",
            tied(),
            400,
            row("OP_WITH_INVALID_USER_TYPE_EXCEPTION", "m", &["OwnerId"]),
            Kind::Owner,
            &[Owner],
        ),
        (
            "who and what clash",
            tied(),
            400,
            row("FIELD_INTEGRITY_EXCEPTION", "m", &["WhatId"]),
            Kind::Reference,
            &[What],
        ),
        (
            "a deleted person",
            place(CONTACT),
            400,
            row("ENTITY_IS_DELETED", "entity is deleted", &[]),
            Kind::Reference,
            &[Meeting, Attends],
        ),
        (
            "a deleted person of a known event",
            patched(std::slice::from_ref(&who)),
            400,
            row("ENTITY_IS_DELETED", "m", &[]),
            Kind::Reference,
            &[Who],
        ),
        ("a deleted event", patched(&[who]), 404, row("ENTITY_IS_DELETED", "entity is deleted", &[]), Kind::Gone, &[]),
        ("an event that is not there", patched(&[]), 404, row("NOT_FOUND", "m", &[]), Kind::Gone, &[]),
        (
            "a purged event",
            patched(&[]),
            400,
            row("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", &[]),
            Kind::Gone,
            &[],
        ),
    ];
    for (what, step, status, row, kind, fields) in cases {
        let slot = step.slot;
        let error = refused(step, status, row);
        let fields: Vec<Field> = fields.iter().map(|std| Field::Std(*std)).collect();
        assert_eq!((error.kind, error.slot, error.fields), (kind, Some(slot), fields), "{what}");
        assert_eq!(error.retry == Retry::Replan, kind != Kind::Forbidden, "{what}");
    }
}

/// What the same graph makes is there: suspicion falls on what was known before.
#[test]
fn a_record_of_the_same_graph_is_no_suspect() {
    let mut step = tied();
    if let syncline_core::step::Write::Upsert { fields, .. } = &mut step.write {
        fields.insert(Std::Who.into(), Value::Slot(Slot::Person));
        fields.remove(&Std::Owner.into());
    }
    let plan = Plan { steps: vec![step, upsert(Slot::Person, Role::Contact, &[])] };
    let answer = graph(0, false, &[failed("meeting", 400, "INVALID_CROSS_REFERENCE_KEY", &[])]);
    assert_eq!(refusal(outcome_of(&plan, graphs(&[answer]))).fields, [Std::What.into()]);
}

/// proves: B25
#[test]
fn a_converted_lead_is_told_whether_it_is_written_or_referred_to() {
    let row = || row("CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead", &[]);
    let error = refused(patch(Slot::Person, Role::Lead, LEAD, &[(Std::Phone, Value::text("1"))]), 400, row());
    assert_eq!((error.kind, error.retry, error.slot), (ErrorKind::Converted, Retry::Replan, Some(Slot::Person)));
    let error = refused(tied(), 400, row());
    assert_eq!(
        (error.kind, error.slot, error.fields),
        (ErrorKind::Converted, Some(Slot::Meeting), vec![Std::Who.into()])
    );
}

/// proves: B12
#[test]
fn a_further_record_is_named_by_its_object() {
    let mut step = upsert(Slot::Record(2), Role::Custom, &[]);
    step.object = Some(ObjectName::new("Visit__c"));
    let error = refused(step.clone(), 400, row("FIELD_CUSTOM_VALIDATION_EXCEPTION", "no", &["Score__c"]));
    assert_eq!((error.kind, error.fields), (ErrorKind::Invalid, vec![Field::Native("Score__c".into())]));
    assert_eq!(error.message, "Visit__c: a validation rule or trigger of the org refused the record");
    let error = refused(step, 404, row("NOT_FOUND", "m", &[]));
    assert!(error.message.starts_with("Visit__c: Visit__c has no field Syncline_Uid__c"), "{}", error.message);
}

fn matched(records: &[(&str, f64)]) -> Json {
    let records: Vec<Json> = records
        .iter()
        .map(|(id, confidence)| json!({"additionalInformation": [], "fieldDiffs": [], "matchConfidence": confidence, "record": {"attributes": {"type": "x", "url": "/x"}, "Id": id}}))
        .collect();
    json!({"entityType": "x", "errors": [], "matchEngine": "ExactMatchEngine", "matchRecords": records, "rule": "r", "size": 1, "success": true})
}

fn stopped(key: &str, rule: &str, allow_save: bool, results: &[Json]) -> Json {
    let mut row = row("DUPLICATES_DETECTED", "Use one of these records?", &[]);
    row[key] = json!({"allowSave": allow_save, "duplicateRule": rule, "duplicateRuleEntityType": "Contact",
        "errorMessage": "You're creating a duplicate record of ada@example.org", "matchResults": results});
    row
}

/// proves: B15
#[test]
fn a_duplicate_rule_names_the_records_best_first_in_either_spelling() {
    let results = [
        matched(&[(LEAD, 100.0), (ACCOUNT, 70.0)]),
        matched(&[(OTHER_CONTACT, 80.0), (CONTACT, 80.0), (OTHER_CONTACT, 20.0), ("short", 100.0)]),
        matched(&[("a0B000000000001EAA", 90.0)]),
    ];
    let expected = [
        (Role::Contact, OTHER_CONTACT),
        (Role::Contact, CONTACT),
        (Role::Lead, LEAD),
        (Role::Custom, "a0B000000000001EAA"),
        (Role::Account, ACCOUNT),
    ];
    let expected = expected.map(|(role, id)| (role, RecordId::new(id)));
    for key in ["duplicateResut", "duplicateResult"] {
        let step = upsert(Slot::Person, Role::Contact, &[(Std::LastName, Value::text("Lovelace"))]);
        let error = refused(step, 400, stopped(key, "Standard_Contact_Duplicate_Rule", true, &results));
        assert_eq!((error.kind, error.retry, error.slot), (ErrorKind::DuplicateRule, Retry::Never, Some(Slot::Person)));
        assert_eq!(error.matches, expected);
        assert!(!error.to_string().contains("ada@"), "no value is repeated");
        insta::allow_duplicates! { insta::assert_snapshot!(error.message, @"the duplicate rule Standard_Contact_Duplicate_Rule of the org stopped the record; it only alerts, and the setting `duplicate_rules` can overrule it"); }
    }
}

/// proves: B15
#[test]
fn a_rule_that_blocks_offers_nothing_and_odd_results_are_no_matches() {
    let step = || upsert(Slot::Guest(3), Role::Lead, &[]);
    let error = refused(step(), 400, stopped("duplicateResut", "Bob's rule", false, &[]));
    assert_eq!((error.matches.len(), error.slot), (0, Some(Slot::Guest(3))));
    assert_eq!(error.message, "a duplicate rule of the org stopped the record");
    for odd in [
        json!(7),
        json!({"matchResults": "x"}),
        json!({"matchResults": [{"matchRecords": [{"record": 1}]}]}),
        Json::Null,
    ] {
        let mut row = row("DUPLICATES_DETECTED", "m", &[]);
        row["duplicateResut"] = odd;
        let error = refused(step(), 400, row);
        assert_eq!((error.kind, error.matches.len()), (ErrorKind::DuplicateRule, 0));
    }
    assert_eq!(duplicates::read(Role::Lead, &json!("text")), None);
}
