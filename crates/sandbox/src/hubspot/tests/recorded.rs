//! Answers have the shapes of recorded ones: names of members and types of values. What is within `properties` differs
//! from account to account; recorded was that all of it is text or null.

use serde_json::{Map, Value, json};

use super::{Kit, PRIVATE, kit_with};
use crate::hubspot::{HubSpotConfig, HubSpotObject, HubSpotProperty};

const EXCHANGES: &str = include_str!("../../../testdata/hubspot_exchanges.json");

fn account() -> Kit {
    let mut config = HubSpotConfig::default();
    for (name, kind) in [("text_field", "string"), ("number_field", "number")] {
        config.properties.push(("contacts".into(), HubSpotProperty::of(name, kind, "text")));
    }
    let texts = ["key", "first_name", "last_name", "number_field", "text_field"];
    config.custom_objects.push(HubSpotObject {
        type_id: "2-100".into(),
        name: "thing".into(),
        singular: "Thing".into(),
        plural: "Things".into(),
        required: vec!["key".into()],
        properties: texts.map(HubSpotProperty::text).to_vec(),
    });
    kit_with(config)
}

/// What a record of this object cannot be without.
fn least(object: &str) -> Value {
    match object {
        "tickets" => json!({"hs_pipeline_stage": "1"}),
        "tasks" | "notes" | "meetings" => json!({"hs_timestamp": "0"}),
        "2-100" => json!({"key": "k"}),
        _ => json!({}),
    }
}

/// Puts the ids of new records where recorded ids stood.
fn with_ids(kit: &Kit, object: &str, place: &Value, key: &str) -> Value {
    match place {
        Value::Object(members) => {
            let object = if key == "associations" { "contacts" } else { object };
            Value::Object(
                members
                    .iter()
                    .map(|(name, value)| {
                        (name.clone(), with_ids(kit, object, value, if key == "associations" { key } else { name }))
                    })
                    .collect(),
            )
        }
        Value::Array(rows) => rows.iter().map(|row| with_ids(kit, object, row, key)).collect(),
        Value::String(text) if text == "{id}" => kit.make(object, least(object)).into(),
        other => other.clone(),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    }
}

fn differences(place: &str, shape: &Value, got: &Value, out: &mut Vec<String>) {
    match (shape, got) {
        (Value::String(texts), Value::Object(values)) if texts == "texts" => {
            for (name, value) in values.iter().filter(|(_, value)| !value.is_null() && !value.is_string()) {
                out.push(format!("{place}.{name}: {} is neither text nor null", kind(value)));
            }
        }
        (Value::String(known), got) if known != kind(got) => {
            out.push(format!("{place}: {known} was recorded, {} came", kind(got)))
        }
        (Value::Array(shape), Value::Array(rows)) => {
            if let Some(shape) = shape.first() {
                rows.iter().for_each(|row| differences(&format!("{place}[]"), shape, row, out));
            }
        }
        (Value::Object(shape), Value::Object(got)) => members(place, shape, got, out),
        (Value::Object(_) | Value::Array(_), got) => out.push(format!("{place}: {} came", kind(got))),
        _ => {}
    }
}

fn members(place: &str, shape: &Map<String, Value>, got: &Map<String, Value>, out: &mut Vec<String>) {
    for (name, shape) in shape {
        match got.get(name) {
            Some(got) => differences(&format!("{place}.{name}"), shape, got, out),
            // Whether there is another page or an association depends on how many records there are.
            None if name == "paging" || name == "associations" => {}
            None => out.push(format!("{place}.{name}: recorded, but missing")),
        }
    }
    // Records of 2022 had no address of their own yet.
    for name in got.keys().filter(|name| !shape.contains_key(*name) && *name != "url") {
        out.push(format!("{place}.{name}: never recorded"));
    }
}

#[test]
fn answers_have_the_recorded_shapes() {
    let exchanges: Vec<Value> = serde_json::from_str(EXCHANGES).unwrap();
    assert!(exchanges.len() >= 40);
    let mut wrong = Vec::new();
    for exchange in &exchanges {
        let kit = account();
        let (method, path) = (exchange["method"].as_str().unwrap(), exchange["path"].as_str().unwrap());
        let name = format!("{} {method} {path}", exchange["source"]);
        let object = path.split('/').nth(4).unwrap_or_default().to_lowercase();
        // The sandbox has no custom objects where none were recorded.
        let kit = if path == "/crm/v3/schemas" { super::kit() } else { kit };
        let path = match path.strip_suffix("/{id}") {
            Some(start) if start.ends_with("owners") => format!("{start}/88842095"),
            Some(start) => format!("{start}/{}", kit.make(&object, least(&object))),
            None => path.to_owned(),
        };
        let reads = method == "GET" || path.ends_with("/search");
        if reads && path.contains("/objects/") {
            for _ in 0..12 {
                kit.make(&object, least(&object));
            }
        }
        let params = exchange["params"].as_object().cloned().unwrap_or_default();
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(params.iter().map(|(key, value)| (key.as_str(), value.as_str().unwrap_or_default())))
            .finish();
        let body = with_ids(&kit, &object, &exchange["body"], "");
        kit.hands.pass(jiff::SignedDuration::from_secs(10));
        let ask = || kit.send(PRIVATE, method, &format!("{path}?{query}"), &body).response;
        let mut response = ask();
        if exchange["status"] == 429 {
            (0..5).for_each(|_| response = ask());
        }
        let status = response.status().as_u16();
        // The recording proxy of the newer exchanges told 200 for every success with a body.
        let fits = exchange["status"].as_u64().map_or((200..300).contains(&status), |known| known == u64::from(status));
        let got: Value = serde_json::from_slice(response.body()).unwrap_or_default();
        if !fits {
            wrong.push(format!("{name}: {status} came: {got}"));
            continue;
        }
        for header in exchange["headers"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !response.headers().contains_key(header) {
                wrong.push(format!("{name}: the header {header} was recorded, but is missing"));
            }
        }
        let mut found = Vec::new();
        differences("", &exchange["shape"], &got, &mut found);
        found.sort();
        found.dedup();
        wrong.extend(found.into_iter().map(|difference| format!("{name}: {difference}")));
        let given = body.get("properties").and_then(Value::as_object).into_iter().flatten();
        for (property, _) in given.filter(|_| path.contains("/objects/")) {
            assert!(got["properties"][property].is_string(), "{name}: {property} was written and is not told");
        }
    }
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
}
