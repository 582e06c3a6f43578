//! Answers have the shapes of recorded ones: names of members and types of values. A `?` marks members that not every
//! recorded row had.

use serde_json::{Value, json};

use super::{EVENTS, Kit, ROSA, kit, meeting, with};

const EXCHANGES: &str = include_str!("../../../testdata/google_exchanges.json");

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
        (Value::String(known), got) if known != kind(got) => {
            out.push(format!("{place}: {known} was recorded, {} came", kind(got)))
        }
        (Value::Array(shape), Value::Array(rows)) => {
            if let Some(shape) = shape.first() {
                rows.iter().for_each(|row| differences(&format!("{place}[]"), shape, row, out));
            }
        }
        (Value::Object(shape), Value::Object(got)) => {
            for (name, shape) in shape {
                let (name, needed) = name.strip_suffix('?').map_or((name.as_str(), true), |name| (name, false));
                match got.get(name) {
                    Some(got) => differences(&format!("{place}.{name}"), shape, got, out),
                    // Whether there is another page, or a name or a place, depends on what is in the calendar.
                    None if !needed || OPTIONAL.contains(&name) => {}
                    None => out.push(format!("{place}.{name}: recorded, but missing")),
                }
            }
            let known = |name: &String| shape.contains_key(name) || shape.contains_key(&format!("{name}?"));
            for name in got.keys().filter(|name| !known(name) && !OPTIONAL.contains(&name.as_str())) {
                out.push(format!("{place}.{name}: never recorded here"));
            }
        }
        (Value::Object(_) | Value::Array(_), got) => out.push(format!("{place}: {} came", kind(got))),
        _ => {}
    }
}

/// Members that depend on what was written, or on who looks.
const OPTIONAL: &[&str] = &[
    "nextPageToken",
    "nextSyncToken",
    "description",
    "location",
    "summaryOverride",
    "displayName",
    "self",
    "attendees",
    "recurrence",
    "dataOwner",
    "primary",
    "notificationSettings",
    "recurringEventId",
    "originalStartTime",
];

/// Puts what is in this sandbox where recorded ids stood.
fn filled(text: &str, names: &[(&str, String)]) -> String {
    names.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value))
}

fn prepared(kit: &Kit, path: &str) -> Vec<(&'static str, String)> {
    let own = kit.site.add_calendar(ROSA, "Team", "UTC").unwrap();
    let other = kit.site.add_calendar(ROSA, "Other", "UTC").unwrap();
    let daily = json!({"recurrence": ["RRULE:FREQ=DAILY;COUNT=5"], "description": "text"});
    let series = kit.make(with(meeting("text and more", "2026-03-20"), daily));
    let single = kit.make(with(meeting("text", "2026-03-20"), json!({"description": "text"})));
    let on_own = kit.site.create_on(ROSA, &own, &meeting("text", "2026-03-20")).unwrap();
    let watch = json!({"id": "channel-0", "type": "web_hook", "address": "https://hooks.example/in"});
    let channel = kit.good("POST", &format!("{EVENTS}/watch"), watch);
    let event = match path {
        path if path.ends_with("instances") => series,
        path if path.contains("{calendar}") => on_own,
        _ => single,
    };
    let resource = channel["resourceId"].as_str().unwrap().to_owned();
    vec![
        ("{calendar}", own),
        ("{other}", other),
        ("{event}", event),
        ("{channel}", "channel-0".into()),
        ("{resource}", resource),
    ]
}

#[test]
fn answers_have_the_recorded_shapes() {
    let exchanges: Vec<Value> = serde_json::from_str(EXCHANGES).unwrap();
    assert!(exchanges.len() >= 18);
    let mut wrong = Vec::new();
    for exchange in &exchanges {
        let kit = kit();
        let (method, path) = (exchange["method"].as_str().unwrap(), exchange["path"].as_str().unwrap());
        let names = prepared(&kit, path);
        let params = exchange["params"].as_object().cloned().unwrap_or_default();
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(params.iter().map(|(key, value)| (key.as_str(), filled(value.as_str().unwrap(), &names))))
            .finish();
        let body = serde_json::from_str(&filled(&exchange["body"].to_string(), &names)).unwrap();
        let response = kit.send(ROSA, method, &format!("{}?{query}", filled(path, &names)), &[], &body).response;
        let got: Value = serde_json::from_slice(response.body()).unwrap_or_default();
        if exchange["status"] != response.status().as_u16() {
            wrong.push(format!("{method} {path}: {} came: {got}", response.status()));
            continue;
        }
        for header in exchange["headers"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !response.headers().contains_key(header) {
                wrong.push(format!("{method} {path}: the header {header} was recorded, but is missing"));
            }
        }
        let mut found = Vec::new();
        differences("", exchange.get("shape").unwrap_or(&Value::Null), &got, &mut found);
        found.sort();
        found.dedup();
        wrong.extend(found.into_iter().map(|difference| format!("{method} {path}: {difference}")));
    }
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
}
