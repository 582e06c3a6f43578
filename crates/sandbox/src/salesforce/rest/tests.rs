//! What the REST resources answer.

use serde_json::{Value, json};

use crate::salesforce::{
    SalesforceConfig,
    testkit::{Kit, code, contact},
};

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

#[test]
fn upserts_by_external_id_answer_as_documented() {
    let kit = Kit::new();
    let up =
        |query: &str, body: Value| kit.ask("PATCH", &format!("/sobjects/Contact/Syncline_Uid__c/a%2Fb{query}"), body);
    let none = up("?updateOnly=true", json!({"LastName": "x"}));
    assert_eq!((none.status, code(&none.body)), (404, "NOT_FOUND"));
    let made = up("", json!({"LastName": "x"}));
    assert_eq!((made.status, &made.body["created"]), (201, &json!(true)));
    assert!(
        made.headers["location"].to_str().is_ok_and(|to| to.starts_with("/services/data/v64.0/sobjects/Contact/003"))
    );
    let again = up("?updateOnly=true", json!({"LastName": "y"}));
    assert_eq!((again.status, &again.body["created"], &again.body["id"]), (200, &json!(false), &made.body["id"]));
    assert_eq!(code(&up("", json!({"LastName": "y", "Syncline_Uid__c": "a/b"})).body), "INVALID_FIELD");
    let unknown = kit.ask("PATCH", "/sobjects/Contact/Namez/x", json!({"LastName": "y"}));
    assert_eq!((unknown.status, code(&unknown.body)), (404, "NOT_FOUND"));
    // An address names a record, but two records may have it.
    let by_mail = |last: &str| kit.ask("PATCH", "/sobjects/Contact/Email/a@b.example", json!({"LastName": last}));
    assert_eq!((by_mail("one").status, by_mail("two").status), (201, 200));
    kit.create("Contact", json!({"LastName": "three", "Email": "A@B.example"}));
    let many = by_mail("four");
    assert_eq!((many.status, many.body.as_array().map(Vec::len)), (300, Some(2)));
}

/// proves: fault:B4
#[test]
fn a_query_that_was_opened_keeps_its_rows() {
    let kit = Kit::new();
    for n in 0..450 {
        kit.create("Lead", json!({"LastName": format!("L{n:03}"), "Company": "C"}));
    }
    let small = [("Sforce-Query-Options", "batchSize=200")];
    let first = kit.ask_with("GET", "/query?q=SELECT+LastName+FROM+Lead+ORDER+BY+LastName", Value::Null, &small);
    assert_eq!((first.body["done"].as_bool(), first.body["totalSize"].as_u64()), (Some(false), Some(450)));
    kit.create("Lead", json!({"LastName": "A00", "Company": "C"}));
    let next =
        first.body["nextRecordsUrl"].as_str().unwrap_or_default().trim_start_matches("/services/data/v64.0").to_owned();
    let second = kit.get(&next);
    assert_eq!(second.body["records"][0]["LastName"], "L200");
    let last =
        kit.get(second.body["nextRecordsUrl"].as_str().unwrap_or_default().trim_start_matches("/services/data/v64.0"));
    assert_eq!((last.body["done"].as_bool(), last.body["records"].as_array().map(Vec::len)), (Some(true), Some(50)));
    assert_eq!(code(&kit.get("/query/0r8dM0000000099AAA-2000").body), "INVALID_QUERY_LOCATOR");
}

#[test]
fn conditions_of_time_are_kept_alone_and_in_a_composite() {
    let kit = Kit::new();
    let id = kit.create("Contact", contact("Guest"));
    kit.advance(60);
    let path = format!("/sobjects/Contact/{id}");
    let before = [("If-Unmodified-Since", "Wed, 06 May 2026 11:59:00 GMT")];
    let got = kit.ask_with("PATCH", &path, json!({"Title": "x"}), &before);
    assert_eq!((got.status, code(&got.body)), (412, "ENTITY_FAILED_IFLASTMODIFIED_ON_UPDATE"));
    let since = [("If-Modified-Since", "Wed, 06 May 2026 12:00:00 GMT")];
    assert_eq!(kit.ask_with("GET", &path, Value::Null, &since).status, 304);
    let part = |since: &str| {
        json!({"compositeRequest": [{"method": "PATCH", "referenceId": "r",
        "url": format!("/services/data/v64.0{path}"), "httpHeaders": {"If-Unmodified-Since": since}, "body": {"Title": "y"}}]})
    };
    let stale = kit.ask("POST", "/composite", part("Wed, 06 May 2026 11:59:00 GMT"));
    assert_eq!(stale.body["compositeResponse"][0]["httpStatusCode"], 412);
    let good = kit.ask("POST", "/composite", part("Wed, 06 May 2026 12:00:00 GMT"));
    assert_eq!(good.body["compositeResponse"][0]["httpStatusCode"], 204);
}

#[test]
fn composites_refer_to_answers_and_halt_without_them() {
    let kit = Kit::new();
    kit.create("Account", json!({"Name": "Acme"}));
    let url = |rest: &str| format!("/services/data/v64.0{rest}");
    let parts = |all: bool, name: &str| {
        json!({"allOrNone": all, "compositeRequest": [
            {"method": "GET", "referenceId": "q", "url": url(&format!("/query?q=SELECT Id FROM Account WHERE Name = '{name}'"))},
            {"method": "POST", "referenceId": "c", "url": url("/sobjects/Contact"),
             "body": {"LastName": "Guest", "AccountId": "@{q.records[0].Id}", "Description": "for @{q.records[0].Id}"}},
            {"method": "GET", "referenceId": "r", "url": url("/sobjects/Contact/@{c.id}?fields=AccountId,Description")},
        ]})
    };
    let status = |body: &Value| -> Vec<u64> {
        body["compositeResponse"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|part| part["httpStatusCode"].as_u64())
            .collect()
    };
    let got = kit.ask("POST", "/composite", parts(true, "Acme"));
    assert_eq!(status(&got.body), [200, 201, 200], "{}", got.text);
    let read = &got.body["compositeResponse"][2]["body"];
    assert_eq!(read["Description"], format!("for {}", read["AccountId"].as_str().unwrap_or_default()));
    let got = kit.ask("POST", "/composite", parts(false, "Nobody"));
    assert_eq!(status(&got.body), [200, 400, 400]);
    assert_eq!(code(&got.body["compositeResponse"][1]["body"]), "PROCESSING_HALTED");
    let many: Vec<Value> =
        (0..26).map(|n| json!({"method": "GET", "referenceId": format!("r{n}"), "url": url("/limits")})).collect();
    assert_eq!(code(&kit.ask("POST", "/composite", json!({"compositeRequest": many})).body), "LIMIT_EXCEEDED");
    let six: Vec<Value> = (0..6)
        .map(|n| {
            json!({"method": "GET", "referenceId": format!("r{n}"),
        "url": url("/query?q=SELECT Id FROM Account")})
        })
        .collect();
    assert_eq!(code(&kit.ask("POST", "/composite", json!({"compositeRequest": six})).body), "LIMIT_EXCEEDED");
}

#[test]
fn an_outer_flag_overrides_that_of_a_collection_within() {
    let kit = Kit::new();
    let rows = json!({"allOrNone": false, "records": [
        {"attributes": {"type": "Contact"}, "LastName": "fine"}, {"attributes": {"type": "Contact"}, "FirstName": "bad"}]});
    let parts = |all: bool| {
        json!({"allOrNone": all, "compositeRequest": [
        {"method": "POST", "referenceId": "a", "url": "/services/data/v64.0/sobjects/Account", "body": {"Name": "A"}},
        {"method": "POST", "referenceId": "c", "url": "/services/data/v64.0/composite/sobjects", "body": rows}]})
    };
    kit.ask("POST", "/composite", parts(true));
    assert!(kit.records("Account").is_empty() && kit.records("Contact").is_empty());
    kit.ask("POST", "/composite", parts(false));
    assert_eq!((kit.records("Account").len(), kit.records("Contact").len()), (1, 1));
}

proptest::proptest! {
    /// Whatever the texts around it, a reference is put in where it stands, and nothing else changes.
    #[test]
    fn references_are_put_in_where_they_stand(before in "[a-z {}@]{0,8}", after in "[a-z {}]{0,8}", id in "[a-zA-Z0-9]{1,18}") {
        proptest::prop_assume!(!before.contains("@{") && !before.ends_with('@'));
        let answer = json!({"id": id});
        let find = |reference: &str| (reference == "c").then_some(&answer);
        let made = super::references::resolve_text(&format!("{before}@{{c.id}}{after}"), &find);
        proptest::prop_assert_eq!(made, Ok(format!("{before}{id}{after}")));
        let unknown = super::references::resolve_text("@{d.id}", &find);
        proptest::prop_assert!(unknown.is_err(), "an unknown reference was resolved");
    }
}

#[test]
fn collections_tell_of_each_row_by_its_place() {
    let kit = Kit::new();
    let row = |last: Value| json!({"attributes": {"type": "Contact"}, "LastName": last});
    let got = kit.ask(
        "POST",
        "/composite/sobjects",
        json!({"records": [row(json!("a")), row(Value::Null), row(json!("c"))]}),
    );
    let ids: Vec<String> = [0, 2].iter().filter_map(|n| got.body[*n]["id"].as_str().map(str::to_owned)).collect();
    assert_eq!((ids.len(), &got.body[1]["success"]), (2, &json!(false)));
    assert!(got.body[1].get("id").is_none());
    let read = kit.get(&format!("/composite/sobjects/Contact?ids={},003000000000000AAA&fields=LastName", ids[0]));
    assert_eq!((&read.body[0]["LastName"], &read.body[1]), (&json!("a"), &Value::Null));
    let gone = kit.ask("DELETE", &format!("/composite/sobjects?ids={}&allOrNone=false", ids.join(",")), Value::Null);
    assert_eq!(gone.body[1]["success"], true);
    let twice = kit.ask("DELETE", &format!("/composite/sobjects?ids={}", ids[0]), Value::Null);
    assert_eq!(twice.body[0]["errors"][0]["statusCode"], "ENTITY_IS_DELETED");
    let many: Vec<Value> = (0..201).map(|_| row(json!("x"))).collect();
    assert_eq!(kit.ask("POST", "/composite/sobjects", json!({"records": many})).status, 400);
}

#[test]
fn changed_and_deleted_ids_are_told_by_the_minute() {
    let kit = Kit::new();
    let (kept, gone) = (kit.create("Contact", contact("Kept")), kit.create("Contact", contact("Gone")));
    kit.advance(120);
    kit.ask("DELETE", &format!("/sobjects/Contact/{gone}"), Value::Null);
    let span = "start=2026-05-06T11:55:00%2B00:00&end=2026-05-06T12:10:00%2B00:00";
    let got = kit.get(&format!("/sobjects/Contact/updated/?{span}"));
    assert_eq!(got.body, json!({"ids": [kept], "latestDateCovered": "2026-05-06T12:03:00.000+0000"}));
    let got = kit.get(&format!("/sobjects/Contact/deleted/?{span}"));
    assert_eq!(got.body["deletedRecords"], json!([{"id": gone, "deletedDate": "2026-05-06T12:02:00.000+0000"}]));
    let short = kit.get("/sobjects/Contact/updated/?start=2026-05-06T12:00:00Z&end=2026-05-06T12:00:30Z");
    assert_eq!(code(&short.body), "INVALID_REPLICATION_DATE");
}

/// proves: fault:H4
#[test]
fn every_call_counts_and_the_last_is_refused() {
    let kit = Kit::with(SalesforceConfig { daily_call_limit: 4, ..SalesforceConfig::default() });
    assert_eq!(kit.get("/limits").headers["sforce-limit-info"], "api-usage=1/4");
    let id = kit.create("Contact", contact("x"));
    let quiet = kit.ask("PATCH", &format!("/sobjects/Contact/{id}"), json!({"Title": "t"}));
    assert!(quiet.status == 204 && !quiet.headers.contains_key("sforce-limit-info") && quiet.text.is_empty());
    assert_eq!(kit.get("/limits").body["DailyApiRequests"]["Remaining"], 0);
    let over = kit.get("/limits");
    assert_eq!((over.status, &over.body[0]["message"]), (403, &json!("TotalRequests Limit exceeded.")));
    kit.advance(24 * 60 * 60);
    kit.log_in();
    assert_eq!(kit.get("/limits").status, 200);
}

#[test]
fn what_is_not_there_is_said_in_salesforces_words() {
    let kit = Kit::new();
    let refused = |method: &str, path: &str| {
        let got = kit.ask(method, path, Value::Null);
        (got.status, code(&got.body).to_owned())
    };
    assert_eq!(refused("GET", "/sobjects/Foo"), (404, "NOT_FOUND".into()));
    assert_eq!(refused("GET", "/nothing/here"), (404, "NOT_FOUND".into()));
    assert_eq!(refused("PUT", "/sobjects/Contact"), (405, "METHOD_NOT_ALLOWED".into()));
    assert_eq!(refused("GET", "/sobjects/Contact/003dM0000000099AAA"), (404, "NOT_FOUND".into()));
    assert_eq!(refused("POST", "/sobjects/Contact"), (400, "JSON_PARSER_ERROR".into()));
    let bare = kit.raw(http::Request::get("/services/data/v64.0/limits").body(Default::default()).expect("valid"));
    assert_eq!((bare.status, code(&bare.body)), (401, "INVALID_SESSION_ID"));
    let old = kit.raw(http::Request::get("/services/data/v12.0/limits").body(Default::default()).expect("valid"));
    assert_eq!(old.status, 404);
}

#[test]
fn the_console_shows_hostile_text_as_text() {
    let kit = Kit::new();
    let id = kit.create("Contact", json!({"LastName": "<script>alert(1)</script>\"'"}));
    let page = |path: &str| kit.raw(http::Request::get(path).body(Default::default()).expect("valid"));
    for path in ["/_sandbox/objects/Contact".to_owned(), format!("/_sandbox/records/{id}"), "/_sandbox/".to_owned()] {
        let got = page(&path);
        assert_eq!(got.status, 200, "{path}");
        assert!(!got.text.contains("<script"), "{path}");
    }
    assert!(page("/_sandbox/objects/Contact").text.contains("&lt;script&gt;"));
    assert_eq!(page("/_sandbox/state.json").body["Contact"][0]["Id"], id);
    assert_eq!(page("/_sandbox/calls.json").body["by_endpoint"]["POST sobjects/Contact"], 1);
    let seeded = kit.raw(
        http::Request::post("/_sandbox/records")
            .body(r#"{"Lead": [{"LastName": "S", "IsConverted": true}]}"#.into())
            .expect("valid"),
    );
    assert_eq!(seeded.status, 201, "{}", seeded.text);
    kit.raw(http::Request::post("/_sandbox/reset").body(Default::default()).expect("valid"));
    assert!(kit.records("Contact").is_empty() && kit.records("Lead").is_empty());
}

#[test]
fn a_batch_counts_each_part_and_a_tree_plants_all_or_none() {
    let kit = Kit::new();
    let got = kit.ask(
        "POST",
        "/composite/batch",
        json!({"haltOnError": true, "batchRequests": [
        {"method": "POST", "url": "v64.0/sobjects/Contact", "richInput": {"LastName": "x"}},
        {"method": "GET", "url": "v64.0/sobjects/Foo"}, {"method": "GET", "url": "v64.0/limits"}]}),
    );
    let status: Vec<u64> = (0..3).filter_map(|n| got.body["results"][n]["statusCode"].as_u64()).collect();
    assert_eq!((status, &got.body["hasErrors"]), (vec![201, 404, 412], &json!(true)));
    assert_eq!(kit.get("/limits").headers["sforce-limit-info"], "api-usage=4/15000");
    let tree = |last: Value| {
        json!({"records": [{"attributes": {"type": "Account", "referenceId": "a"}, "Name": "T",
        "Contacts": {"records": [{"attributes": {"type": "Contact", "referenceId": "c"}, "LastName": last}]}}]})
    };
    let bad = kit.ask("POST", "/composite/tree/Account", tree(Value::Null));
    assert_eq!((bad.status, &bad.body["results"][0]["referenceId"]), (400, &json!("c")));
    assert!(kit.records("Account").is_empty());
    let good = kit.ask("POST", "/composite/tree/Account", tree(json!("L")));
    assert_eq!((good.status, good.body["results"].as_array().map(Vec::len)), (201, Some(2)));
}
