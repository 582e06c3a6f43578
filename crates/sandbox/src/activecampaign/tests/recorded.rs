//! Answers have the shapes of recorded ones: status, names of members, types of values.

use serde_json::{Map, Value, json};

use super::Kit;

const EXCHANGES: &str = include_str!("../../../testdata/activecampaign_exchanges.json");

/// An account with enough in it for every exchange to find something.
fn furnished() -> Kit {
    let kit = Kit::new();
    kit.create(json!({"email": "sync-test@example.org"}));
    for n in 0..3 {
        kit.create(json!({"email": format!("p{n}@example.org"), "firstName": "P"}));
        kit.ask("POST", "/accounts", json!({"account": {"name": format!("Account {n}")}}));
        kit.ask("POST", "/tags", json!({"tag": {"tag": format!("tag {n}"), "tagType": "contact"}}));
        kit.ask(
            "POST",
            "/lists",
            json!({"list": {"name": format!("List {n}"), "stringid": format!("list-{n}"),
            "sender_url": "https://example.org", "sender_reminder": "You signed up."}}),
        );
        kit.ask("POST", "/dealGroups", json!({"dealGroup": {"title": format!("Group {n}"), "currency": "usd"}}));
        let deal = json!({"title": "Deal", "value": 100, "currency": "usd", "contact": 1, "group": 1, "stage": 1});
        kit.ask("POST", "/deals", json!({"deal": deal}));
    }
    kit
}

/// What is different, told by its place; null fits everything.
fn differences(place: &str, shape: &Value, got: &Value, out: &mut Vec<String>) {
    match (shape, got) {
        (_, Value::Null) => {}
        (Value::String(kinds), got) => {
            let found = match got {
                Value::Bool(_) => "bool",
                Value::Number(_) => "number",
                Value::String(_) => "string",
                Value::Array(_) => "list",
                _ => "object",
            };
            // Where only null was recorded, anything may stand.
            if kinds != "null" && !kinds.split('|').any(|kind| kind == found) {
                out.push(format!("{place}: {kinds} was recorded, {found} came"));
            }
        }
        (Value::Array(shape), Value::Array(rows)) => {
            if let Some(shape) = shape.first() {
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

#[test]
fn answers_have_the_recorded_shapes() {
    let kit = furnished();
    let exchanges: Vec<Value> = serde_json::from_str(EXCHANGES).expect("the exchanges are JSON");
    assert_eq!(exchanges.len(), 26);
    let mut wrong = Vec::new();
    // Deletions come last, and take what nobody else looks at.
    let (last, first): (Vec<_>, Vec<_>) = exchanges.iter().partition(|exchange| exchange["method"] == "DELETE");
    for exchange in first.into_iter().chain(last) {
        let text = |name: &str| exchange[name].as_str().unwrap_or_default();
        let id = if text("method") == "DELETE" { "3" } else { "1" };
        let params = exchange["params"].as_object().cloned().unwrap_or_default();
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(params.iter().map(|(key, value)| (key.as_str(), value.as_str().unwrap_or_default())))
            .finish();
        let path = format!("{}?{query}", text("path").replace("{id}", id));
        let got = kit.ask(text("method"), &path, exchange["body"].clone());
        let name = format!("{} {}", text("method"), text("path"));
        if exchange["status"] != got.status {
            wrong.push(format!("{name}: {} was recorded, {} came: {}", exchange["status"], got.status, got.body));
            continue;
        }
        let mut found = Vec::new();
        differences("", &exchange["shape"], &got.body, &mut found);
        found.sort();
        found.dedup();
        wrong.extend(found.into_iter().map(|difference| format!("{name}: {difference}")));
    }
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
}
