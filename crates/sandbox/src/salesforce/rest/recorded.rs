//! Answers have the shapes of recorded ones: status, names of members, types of values.

use serde_json::{Map, Value, json};

use crate::salesforce::testkit::{Got, Kit};

const EXCHANGES: &str = include_str!("../../../testdata/exchanges.json");

/// An org with enough in it for every exchange to find something.
fn furnished() -> (Kit, String) {
    let kit = Kit::new();
    let rows = |from: usize| -> Value {
        let rows = from..from + 200;
        rows.map(
            |n| json!({"attributes": {"type": "Account"}, "Name": format!("Account {n}"), "CleanStatus": "Pending"}),
        )
        .collect()
    };
    for batch in 0..11 {
        let got = kit.ask("POST", "/composite/sobjects", json!({"allOrNone": true, "records": rows(batch * 200)}));
        assert_eq!(got.status, 200);
    }
    let account = kit.create(
        "Account",
        json!({"Name": "Whole", "Type": "Prospect", "BillingCity": "Bonn", "Phone": "1",
        "Website": "https://whole.example", "Industry": "Energy", "AccountNumber": "7"}),
    );
    let person = kit.create(
        "Contact",
        json!({"FirstName": "A", "LastName": "B", "Email": "a@b.example", "Title": "T",
        "AccountId": account, "Phone": "1", "MobilePhone": "2", "Department": "D", "MailingCity": "Bonn"}),
    );
    kit.create("Case", json!({"Subject": "S", "ContactId": person, "Origin": "Web", "Reason": "Performance"}));
    kit.create("Lead", json!({"LastName": "L", "Company": "C"}));
    (kit, account)
}

fn send(kit: &Kit, exchange: &Value, account: &str) -> Got {
    let text = |name: &str| exchange[name].as_str().unwrap_or_default();
    if text("path") == "/services/data" {
        return kit.raw(http::Request::get("/services/data").body(Default::default()).expect("valid"));
    }
    if text("path").starts_with("/query/") && text("path").ends_with("{id}") {
        let columns: Vec<&str> = exchange["shape"]["records"][0]
            .as_object()
            .into_iter()
            .flat_map(Map::keys)
            .map(String::as_str)
            .filter(|name| *name != "attributes")
            .collect();
        let first = kit.query(&format!("SELECT {} FROM Account", columns.join(", ")));
        let next = first.body["nextRecordsUrl"].as_str().expect("more than a page").to_owned();
        return kit.get(next.trim_start_matches("/services/data/v64.0"));
    }
    let path = text("path").replace("{id}", account);
    let params = exchange["params"].as_object().cloned().unwrap_or_default();
    let query = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(params.iter().map(|(key, value)| (key.as_str(), value.as_str().unwrap_or_default())))
        .finish();
    kit.ask(text("method"), &format!("{path}?{query}"), exchange["body"].clone())
}

/// What is different, told by its place; null fits everything, and so does anything where null was recorded.
fn differences(place: &str, shape: &Value, got: &Value, out: &mut Vec<String>) {
    match (shape, got) {
        (_, Value::Null) => {}
        (Value::String(kind), got) => {
            let found = match got {
                Value::Bool(_) => "bool",
                Value::Number(_) => "number",
                Value::String(_) => "string",
                Value::Array(_) => "list",
                _ => "object",
            };
            if kind != found && kind != "null" {
                out.push(format!("{place}: {kind} was recorded, {found} came"));
            }
        }
        (Value::Array(shape), Value::Array(rows)) => {
            if let Some(shape) = shape.first() {
                // One row may lack what another has; every row is held to the whole.
                rows.iter().for_each(|row| differences(&format!("{place}[]"), shape, row, out));
            }
        }
        (Value::Object(shape), Value::Object(got)) => members(place, shape, got, out),
        _ => out.push(format!("{place}: {shape} was recorded, {got} came")),
    }
}

fn members(place: &str, shape: &Map<String, Value>, got: &Map<String, Value>, out: &mut Vec<String>) {
    for (name, shape) in shape {
        match got.get(name) {
            Some(got) => differences(&format!("{place}.{name}"), shape, got, out),
            None => out.push(format!("{place}.{name}: recorded, but missing")),
        }
    }
    for name in got.keys().filter(|name| !shape.contains_key(*name)) {
        out.push(format!("{place}.{name}: never recorded"));
    }
}

/// Members that differ from org to org: features switched on there, or other releases.
fn of_that_org(difference: &str) -> bool {
    let codes = difference.contains("StateCode")
        || difference.contains("CountryCode")
        || difference.contains(".stateCode")
        || difference.contains(".countryCode");
    let own = difference.contains("__c: ") || difference.contains(".RecordTypeId: ");
    // Whether there is a next page depends on how many records an org has; objects differ in their links.
    codes
        || own
        || difference.starts_with(".nextRecordsUrl")
        || difference.starts_with(".sobjects[].urls.")
        || difference.starts_with(".results[].result.")
}

#[test]
fn answers_have_the_recorded_shapes() {
    let (kit, account) = furnished();
    let exchanges: Vec<Value> = serde_json::from_str(EXCHANGES).expect("the exchanges are JSON");
    assert!(exchanges.len() > 25);
    let mut wrong = Vec::new();
    // The deletion comes last: others look at the same account.
    let (last, first): (Vec<_>, Vec<_>) = exchanges.iter().partition(|exchange| exchange["method"] == "DELETE");
    for exchange in first.into_iter().chain(last) {
        let victim = if exchange["method"] == "DELETE" {
            kit.create("Account", json!({"Name": "gone"}))
        } else {
            account.clone()
        };
        let got = send(&kit, exchange, &victim);
        let name = format!("{} {} {}", exchange["source"], exchange["method"], exchange["path"]);
        if exchange["status"] != got.status {
            wrong.push(format!("{name}: {} was recorded, {} came: {}", exchange["status"], got.status, got.text));
            continue;
        }
        for header in exchange["headers"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !got.headers.contains_key(header) {
                wrong.push(format!("{name}: the header {header} was recorded, but is missing"));
            }
        }
        let mut found = Vec::new();
        differences("", &exchange["shape"], &got.body, &mut found);
        found.retain(|difference| !of_that_org(difference));
        found.sort();
        found.dedup();
        wrong.extend(found.into_iter().map(|difference| format!("{name}: {difference}")));
    }
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
}
