//! What the REST resources answer.

use serde_json::{Value, json};

use crate::salesforce::testkit::{Kit, code, contact};

/// A booking's whole way: token, look-up, one graph, and the same graph again.
#[test]
fn a_graph_of_upserts_makes_and_then_keeps_a_booking() {
    let kit = Kit::new();
    let graph = |status: &str| {
        json!({"graphs": [{"graphId": "b1", "compositeRequest": [
            {"method": "PATCH", "url": "/services/data/v64.0/sobjects/Account/Syncline_Uid__c/a-1",
             "referenceId": "account", "body": {"Name": "Acme"}},
            {"method": "PATCH", "url": "/services/data/v64.0/sobjects/Contact/Syncline_Uid__c/c-1",
             "referenceId": "contact", "body": {"LastName": "Guest", "AccountId": "@{account.id}"}},
            {"method": "PATCH", "url": "/services/data/v64.0/sobjects/Event/Syncline_Uid__c/e-1",
             "referenceId": "event", "body": {"Subject": "Demo", "StartDateTime": "2026-05-07T10:00:00Z",
                "DurationInMinutes": 30, "WhoId": "@{contact.id}", "Meeting_Status__c": status}},
        ]}]})
    };
    let first = kit.ask("POST", "/composite/graph", graph("Scheduled"));
    assert_eq!(first.status, 200, "{}", first.text);
    let answers = |body: &Value| body["graphs"][0]["graphResponse"]["compositeResponse"].clone();
    assert_eq!(first.body["graphs"][0]["isSuccessful"], true, "{}", first.text);
    assert_eq!(answers(&first.body)[0]["httpStatusCode"], 201);
    let again = kit.ask("POST", "/composite/graph", graph("Cancelled"));
    assert_eq!(answers(&again.body)[2]["httpStatusCode"], 200);
    assert_eq!(answers(&again.body)[2]["body"]["id"], answers(&first.body)[2]["body"]["id"]);
    let events = kit.records("Event");
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["Meeting_Status__c"], "Cancelled");
    assert_eq!(events[0]["EndDateTime"], "2026-05-07T10:30:00.000+0000");
    assert_eq!(events[0]["AccountId"], answers(&first.body)[0]["body"]["id"]);
    let got = kit.query("SELECT Id, Who.Name, Account.Name FROM Event WHERE Syncline_Uid__c = 'e-1'");
    assert_eq!(got.body["records"][0]["Who"]["Name"], "Guest");
    assert_eq!(got.body["records"][0]["Account"]["Name"], "Acme");
}

#[test]
fn one_failure_takes_back_the_whole_graph() {
    let kit = Kit::new();
    let got = kit.ask("POST", "/composite/graph", json!({"graphs": [{"graphId": "g", "compositeRequest": [
        {"method": "POST", "url": "/services/data/v64.0/sobjects/Contact", "referenceId": "ok", "body": contact("Kept")},
        {"method": "POST", "url": "/services/data/v64.0/sobjects/Contact", "referenceId": "bad", "body": {"FirstName": "x"}},
    ]}]}));
    let graph = &got.body["graphs"][0];
    assert_eq!(graph["isSuccessful"], false);
    let answers = &graph["graphResponse"]["compositeResponse"];
    assert_eq!(code(&answers[0]["body"]), "PROCESSING_HALTED");
    assert_eq!(code(&answers[1]["body"]), "REQUIRED_FIELD_MISSING");
    assert!(kit.records("Contact").is_empty());
}
