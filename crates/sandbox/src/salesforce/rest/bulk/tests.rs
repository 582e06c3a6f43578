//! Bulk jobs from opening to results.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::csv::{parse, write};
use crate::salesforce::{
    SalesforceConfig,
    testkit::{Got, Kit, code},
};

fn upload(kit: &Kit, id: &str, lines: &str) -> Got {
    kit.put_text(&format!("/jobs/ingest/{id}/batches"), "text/csv", lines)
}

fn open(kit: &Kit, body: Value) -> String {
    let got = kit.ask("POST", "/jobs/ingest", body);
    assert_eq!((got.status, &got.body["state"]), (200, &json!("Open")), "{}", got.text);
    got.body["id"].as_str().unwrap_or_default().to_owned()
}

fn turn(kit: &Kit, id: &str, state: &str) -> Got {
    kit.ask("PATCH", &format!("/jobs/ingest/{id}"), json!({"state": state}))
}

/// A job with these lines, brought to its end.
fn run(kit: &Kit, body: Value, lines: &str) -> (Value, [String; 3]) {
    let id = open(kit, body);
    assert_eq!(upload(kit, &id, lines).status, 201);
    assert_eq!(turn(kit, &id, "UploadComplete").body["state"], "UploadComplete");
    kit.advance(10);
    let part = |name: &str| kit.get(&format!("/jobs/ingest/{id}/{name}")).text;
    let parts = ["successfulResults", "failedResults", "unprocessedrecords"].map(part);
    (kit.get(&format!("/jobs/ingest/{id}")).body, parts)
}

#[test]
fn a_job_passes_through_its_states_by_the_clock() {
    let kit = Kit::with(SalesforceConfig { bulk_job_seconds: 60, ..SalesforceConfig::default() });
    let id = open(&kit, json!({"object": "Contact", "operation": "insert", "contentType": "CSV", "lineEnding": "LF"}));
    let state = |kit: &Kit| kit.get(&format!("/jobs/ingest/{id}")).body["state"].clone();
    assert_eq!(code(&turn(&kit, &id, "UploadComplete").body), "INVALIDJOBSTATE");
    assert_eq!(upload(&kit, &id, "LastName,Email\nA,a@x.example\n,b@x.example\n").status, 201);
    assert_eq!(code(&kit.get(&format!("/jobs/ingest/{id}/successfulResults")).body), "INVALIDJOBSTATE");
    turn(&kit, &id, "UploadComplete");
    assert_eq!(state(&kit), "UploadComplete");
    kit.advance(30);
    assert_eq!(state(&kit), "InProgress");
    assert!(kit.records("Contact").is_empty());
    kit.advance(300);
    // The work was done when it was due, not when somebody looked.
    assert_eq!(kit.records("Contact")[0]["CreatedDate"], "2026-05-06T12:01:00.000+0000");
    let job = kit.get(&format!("/jobs/ingest/{id}")).body;
    assert_eq!((&job["state"], &job["jobType"]), (&json!("JobComplete"), &json!("V2Ingest")));
    assert_eq!((&job["numberRecordsProcessed"], &job["numberRecordsFailed"]), (&json!(2), &json!(1)));
    let failed = kit.get(&format!("/jobs/ingest/{id}/failedResults"));
    assert_eq!(failed.headers["content-type"], "text/csv");
    let expected = "\"sf__Id\",\"sf__Error\",LastName,Email\n\
        \"\",\"REQUIRED_FIELD_MISSING:Required fields are missing: [LastName]:LastName --\",\"\",\"b@x.example\"\n";
    assert_eq!(failed.text, expected);
    assert_eq!(kit.get("/jobs/ingest").body["records"][0]["id"], id);
    assert_eq!(kit.ask("DELETE", &format!("/jobs/ingest/{id}"), Value::Null).status, 204);
    assert_eq!(kit.get(&format!("/jobs/ingest/{id}")).status, 404);
}

#[test]
fn all_operations_work() {
    let kit = Kit::new();
    let account = kit.create("Account", json!({"Name": "A", "Syncline_Uid__c": "acc"}));
    let upsert = json!({"object": "Contact", "operation": "upsert", "externalIdFieldName": "Syncline_Uid__c",
        "columnDelimiter": "SEMICOLON", "lineEnding": "CRLF"});
    let lines = "Syncline_Uid__c;LastName;Account.Syncline_Uid__c;Title\r\nk1;\"O\"\"Neil; sons\";acc;Dr\r\nk2;B;;\r\n";
    let (job, [done, ..]) = run(&kit, upsert.clone(), lines);
    assert_eq!(job["numberRecordsFailed"], 0, "{job}");
    assert!(done.contains("\"true\";\"k1\";\"O\"\"Neil; sons\""), "{done}");
    let first = kit.records("Contact")[0].clone();
    assert_eq!((&first["LastName"], &first["AccountId"]), (&json!("O\"Neil; sons"), &json!(account)));
    let (_, [done, ..]) = run(&kit, upsert, "Syncline_Uid__c;Title\r\nk1;#N/A\r\nk2;\r\n");
    assert!(done.contains("\"false\""), "{done}");
    assert_eq!(kit.records("Contact")[0]["Title"], Value::Null);
    let id = first["Id"].as_str().unwrap_or_default();
    let of = |operation: &str| json!({"object": "Contact", "operation": operation});
    let (job, [_, failed, _]) = run(&kit, of("update"), &format!("Id,Title\n{id},Prof\n003000000000999AAA,x\n"));
    assert_eq!(job["numberRecordsFailed"], 1);
    assert!(failed.contains("INVALID_CROSS_REFERENCE_KEY"), "{failed}");
    assert_eq!(kit.records("Contact")[0]["Title"], "Prof");
    run(&kit, of("delete"), &format!("Id\n{id}\n"));
    assert_eq!(kit.records("Contact")[0]["IsDeleted"], true);
    let (job, [.., left]) = run(&kit, of("insert"), "LastName,Nope\nx,y\n");
    assert_eq!(
        (&job["state"], &job["errorMessage"]),
        (&json!("Failed"), &json!("InvalidBatch : Field name not found : Nope"))
    );
    assert_eq!(left, "LastName,Nope\n\"x\",\"y\"\n");
}

#[test]
fn an_aborted_job_leaves_its_lines() {
    let kit = Kit::new();
    let id = open(&kit, json!({"object": "Contact", "operation": "insert"}));
    upload(&kit, &id, "LastName\nx\n");
    turn(&kit, &id, "UploadComplete");
    assert_eq!(turn(&kit, &id, "Aborted").body["state"], "Aborted");
    kit.advance(60);
    assert!(kit.records("Contact").is_empty());
    assert_eq!(kit.get(&format!("/jobs/ingest/{id}/unprocessedrecords")).text, "LastName\n\"x\"\n");
    assert_eq!(code(&turn(&kit, &id, "Aborted").body), "INVALIDJOBSTATE");
    let got = kit.ask("POST", "/jobs/ingest", json!({"object": "Nope", "operation": "insert"}));
    assert_eq!(code(&got.body), "INVALIDENTITY");
    let got = kit.ask("POST", "/jobs/ingest", json!({"object": "Contact", "operation": "explode"}));
    assert_eq!(code(&got.body), "INVALIDJOB");
}

#[test]
fn a_query_job_answers_in_pages() {
    let kit = Kit::new();
    let account = kit.create("Account", json!({"Name": "A"}));
    for n in 0..5 {
        kit.create("Contact", json!({"LastName": format!("C{n}"), "AccountId": account}));
    }
    let ask = |soql: &str| kit.ask("POST", "/jobs/query", json!({"operation": "query", "query": soql}));
    let got = ask("SELECT LastName, Account.Name, CreatedDate, Title FROM Contact ORDER BY LastName");
    assert_eq!(
        (&got.body["state"], &got.body["object"]),
        (&json!("UploadComplete"), &json!("Contact")),
        "{}",
        got.text
    );
    let path = format!("/jobs/query/{}", got.body["id"].as_str().unwrap_or_default());
    assert_eq!(code(&kit.get(&format!("{path}/results")).body), "INVALIDJOBSTATE");
    kit.advance(10);
    assert_eq!(kit.get(&path).body["numberRecordsProcessed"], 5);
    let (mut lines, mut locator) = (Vec::new(), String::new());
    for _ in 0..3 {
        let page = kit.get(&format!("{path}/results?maxRecords=2{locator}"));
        lines.extend(page.text.lines().skip(1).map(str::to_owned));
        locator = format!("&locator={}", page.headers["sforce-locator"].to_str().unwrap_or_default());
        assert!(page.text.starts_with("\"LastName\",\"Account.Name\",\"CreatedDate\",\"Title\"\n"), "{}", page.text);
    }
    assert_eq!((lines.len(), locator.as_str()), (5, "&locator=null"));
    assert_eq!(lines[0], "\"C0\",\"A\",\"2026-05-06T12:00:00.000Z\",\"\"");
    assert_eq!(code(&ask("SELECT COUNT(Id) FROM Contact").body), "API_ERROR");
    assert_eq!(code(&ask("SELECT Nope FROM Contact").body), "INVALID_FIELD");
}

proptest! {
    /// What was written is read again, whatever stands in the fields.
    #[test]
    fn lines_are_read_as_they_were_written(rows in prop::collection::vec(prop::collection::vec("[a\",;\r\n ]{0,5}", 1..4), 0..5)) {
        let mut text = String::new();
        for row in &rows {
            write(&mut text, row.iter().map(String::as_str), ';', "\r\n");
        }
        prop_assert_eq!(parse(&text, ';'), rows);
    }
}
