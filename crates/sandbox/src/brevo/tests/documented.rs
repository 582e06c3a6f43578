//! Answers have the shapes of Brevo's API description: status, names of members, types of values.

use serde_json::{Map, Value, json};

use super::Kit;

const SHAPES: &str = include_str!("../../../testdata/brevo_shapes.json");

/// An account with enough in it for every call to find something.
fn furnished() -> Kit {
    let kit = Kit::new();
    for name in ["a", "b", "c"] {
        kit.create(json!({"email": format!("{name}@example.org"), "listIds": [2], "attributes": {"SMS":
            format!("+4917000000{}", name.as_bytes()[0])}}));
    }
    kit.ask("POST", "/contacts/lists/2/contacts/remove", json!({"ids": [2]}));
    kit.account.unsubscribe_from(3, 2);
    kit.ask("POST", "/contacts/import", json!({"jsonBody": [{"email": "nobody"}], "listIds": [2]}));
    kit.hands.pass(20);
    let hook = json!({"url": "https://s.example/h", "type": "marketing", "events": ["contactUpdated"], "batched": true,
        "auth": {"type": "bearer", "token": "t"}, "headers": [{"key": "k", "value": "v"}]});
    kit.ask("POST", "/webhooks", hook);
    let company = kit.ask("POST", "/companies", json!({"name": "Acme", "linkedContactsIds": [1]})).body["id"].clone();
    kit.ask("POST", "/crm/deals", json!({"name": "Big", "linkedCompaniesIds": [company]}));
    kit
}

/// What is different, told by its place.
fn differences(place: &str, shape: &Value, got: &Value, out: &mut Vec<String>) {
    match (shape, got) {
        (Value::String(kind), got) => {
            let fits = match kind.as_str() {
                "string" => got.is_string(),
                "integer" => got.is_u64() || got.is_i64(),
                "number" => got.is_number(),
                "boolean" => got.is_boolean(),
                "object" => got.is_object(),
                _ => true,
            };
            // Counts of failures are null in the description's own examples where there were none.
            if !(fits || got.is_null() && place.contains(".info.import.")) {
                out.push(format!("{place}: {kind} is described, {got} came"));
            }
        }
        (Value::Array(shape), Value::Array(rows)) => {
            rows.iter().for_each(|row| differences(&format!("{place}[]"), &shape[0], row, out));
        }
        (Value::Object(shape), Value::Object(got)) => members(place, shape, got, out),
        _ => out.push(format!("{place}: {shape} is described, {got} came")),
    }
}

fn members(place: &str, shape: &Map<String, Value>, got: &Map<String, Value>, out: &mut Vec<String>) {
    for (name, shape) in shape {
        let bare = name.trim_end_matches('*');
        match got.get(bare) {
            Some(got) => differences(&format!("{place}.{bare}"), shape, got, out),
            None if bare != name => out.push(format!("{place}.{bare}: required, but missing")),
            None => {}
        }
    }
    for name in got.keys().filter(|name| !shape.contains_key(*name) && !shape.contains_key(&format!("{name}*"))) {
        out.push(format!("{place}.{name}: not described"));
    }
}

#[test]
fn answers_have_the_described_shapes() {
    let kit = furnished();
    let calls: Vec<Value> = serde_json::from_str(SHAPES).expect("the shapes are JSON");
    assert_eq!(calls.len(), 26);
    let mut wrong = Vec::new();
    for call in &calls {
        let text = |name: &str| call[name].as_str().unwrap_or_default();
        let got = kit.ask(text("method"), text("path"), call["body"].clone());
        let name = format!("{} {}", text("method"), text("path"));
        if call["status"] != got.status {
            wrong.push(format!("{name}: {} is described, {} came: {}", call["status"], got.status, got.body));
            continue;
        }
        let mut found = Vec::new();
        differences("", &call["shape"], &got.body, &mut found);
        found.sort();
        found.dedup();
        wrong.extend(found.into_iter().map(|difference| format!("{name}: {difference}")));
    }
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
}
