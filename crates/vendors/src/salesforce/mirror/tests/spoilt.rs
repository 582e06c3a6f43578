//! Whatever an answer says, it is read or refused in words, and every row has an outcome.

use proptest::prelude::*;
use serde_json::Value as Json;
use syncline_connect::{
    Mirror,
    mirror::{Ask, From, RowOutcome, RowWrite, Written},
};
use syncline_core::record::Value;

use super::lab::{create, delete, text, update};
use crate::{
    salesforce::{
        Salesforce,
        tests::world::{Turn, World, json, now, raw},
    },
    testing::spoilt,
};

const PAGES: &[&str] = &[
    r#"{"compositeResponse": [{"httpStatusCode": 200, "referenceId": "q0", "httpHeaders": {}, "body": {
        "totalSize": 2, "done": true, "records": [
            {"attributes": {"type": "Contact"}, "Id": "003000000000001AAA", "SystemModstamp": "2026-05-06T12:00:00.000+0000",
             "IsDeleted": true, "MasterRecordId": "003000000000002AAA", "LastName": "L", "Account": {"Name": "Acme"}},
            {"Id": "003000000000002AAA", "SystemModstamp": "2026-05-06T12:00:00.000+0000", "IsDeleted": false, "Account": null}
        ]}}]}"#,
    r#"{"compositeResponse": [{"httpStatusCode": 400, "referenceId": "q0",
        "body": [{"errorCode": "INVALID_FIELD", "message": "ERROR at Row:1:Column:2\nNo such column 'LastName'"}]}]}"#,
];

const WRITTEN: &[&str] = &[r#"{"compositeResponse": [
        {"httpStatusCode": 200, "referenceId": "c0", "body": [{"id": "003000000000001AAA", "success": true, "errors": []}]},
        {"httpStatusCode": 200, "referenceId": "c1", "body": [{"success": false, "errors": [
            {"statusCode": "DUPLICATES_DETECTED", "message": "x", "fields": [],
             "duplicateResult": {"allowSave": true, "duplicateRule": "R", "matchResults": [{"matchRecords": [
                {"matchConfidence": 100.0, "record": {"Id": "003000000000002AAA"}}]}]}}]}]},
        {"httpStatusCode": 404, "referenceId": "c2", "body": [{"errorCode": "ENTITY_IS_DELETED", "message": "gone"}]}]}"#];

fn rows() -> [RowWrite; 3] {
    [
        create("sy_1", &[("LastName", text("L"))]),
        update("003000000000001AAA", &[("AccountId", Value::Id("001000000000001AAA".into()))]),
        delete("003000000000003AAA"),
    ]
}

proptest! {
    /// proves: sec:S30
    #[test]
    fn pages(body in spoilt(PAGES)) {
        let date = ("date", "Wed, 06 May 2026 12:30:00 GMT".to_owned());
        let world = World::with([Turn::Answer { status: 200, headers: vec![date], body: body.to_string().into_bytes() }]);
        let fields = ["LastName", "Account.Name"].map(str::to_owned);
        let asks = [Ask { kind: "Contact", fields: &fields, start: From::Beginning }];
        if let Ok(answered) = now(Salesforce.changes(&world.cx(), &asks)) {
            prop_assert_eq!(answered.value.len(), 1);
        }
    }

    /// proves: sec:S30
    #[test]
    fn outcomes(body in spoilt(WRITTEN)) {
        let world = World::with([json(200, body)]);
        let written = now(Salesforce.write(&world.cx(), "Contact", &rows())).unwrap().value;
        prop_assert!(matches!(written, Written::Rows(outcomes) if outcomes.len() == 3));
    }

    /// proves: sec:S30
    #[test]
    fn results_of_a_job(text in "(\"?(sf__Id|sf__Error|Id|Syncline_Uid__c|003000000000001AAA|sy_1|X:y:z --|[,\n\"])\"?){0,30}", state in spoilt(JOBS)) {
        let turns = [json(200, state), raw(200, text.clone()), raw(200, text.clone()), raw(200, text)];
        let world = World::with(turns);
        let ticket = "update:750000000000001AAA:3";
        let collected = now(Salesforce.collect(&world.cx(), "Contact", ticket, &rows()));
        if let Ok(Written::Rows(outcomes)) = collected.map(|answered| answered.value) {
            prop_assert_eq!(outcomes.len(), 3);
        }
    }
}

const JOBS: &[&str] = &[
    r#"{"id": "750000000000001AAA", "state": "JobComplete", "numberRecordsProcessed": 2, "numberRecordsFailed": 1}"#,
    r#"{"id": "750000000000001AAA", "state": "Failed", "errorMessage": "InvalidBatch : Field name not found : AccountId"}"#,
];

#[test]
fn the_answers_are_good_before_they_are_spoilt() {
    let world = World::with([json(200, serde_json::from_str::<Json>(WRITTEN[0]).unwrap())]);
    let Written::Rows(outcomes) = now(Salesforce.write(&world.cx(), "Contact", &rows())).unwrap().value else {
        panic!("at once")
    };
    let told = |outcome: &RowOutcome| match outcome {
        RowOutcome::Refused(error) => format!("{:?}", error.kind),
        RowOutcome::Done { id } => id.as_str().to_owned(),
        other => panic!("{other:?}"),
    };
    let told: Vec<String> = outcomes.iter().map(told).collect();
    // The update goes first, then what is made, then what goes; the order of the rows stays.
    assert_eq!(told, ["DuplicateRule", "003000000000001AAA", "003000000000003AAA"]);
}
