//! What is told fits Graph's own metadata: names of members, kinds of values, words of choices.

use serde_json::{Map, Value, json};

use super::{EVENTS, MIA, NOAH, guests, kit, meeting, weekly, with};

const TYPES: &str = include_str!("../../../testdata/graph_types.json");
/// Members that live answers have although the metadata lists neither.
const LIVE_ONLY: &[&str] = &["uid", "occurrenceId"];
/// Members that are told only where they are asked for, or of what has them.
const NOT_ALWAYS: &[&str] = &["cancelledOccurrences", "originalStart"];

struct Types(Map<String, Value>);

impl Types {
    fn check(&self, place: &str, kind: &str, value: &Value, out: &mut Vec<String>) {
        if let Some(kind) = kind.strip_suffix('?') {
            if !value.is_null() {
                self.check(place, kind, value, out);
            }
            return;
        }
        if let Some(kind) = kind.strip_prefix('[').and_then(|kind| kind.strip_suffix(']')) {
            match value.as_array() {
                Some(rows) => rows.iter().for_each(|row| self.check(&format!("{place}[]"), kind, row, out)),
                None => out.push(format!("{place} is no list")),
            }
            return;
        }
        let good = match (kind, self.0.get(kind)) {
            ("string", _) => value.is_string(),
            ("bool", _) => value.is_boolean(),
            ("number", _) => value.is_number(),
            (_, Some(Value::Array(words))) => words.contains(value),
            (_, Some(Value::Object(members))) => match value.as_object() {
                Some(given) => {
                    for (name, value) in
                        given.iter().filter(|(name, _)| !name.starts_with('@') && !LIVE_ONLY.contains(&name.as_str()))
                    {
                        match members.get(name).and_then(Value::as_str) {
                            Some(kind) => self.check(&format!("{place}.{name}"), kind, value, out),
                            None => out.push(format!("{place}.{name} is unknown")),
                        }
                    }
                    true
                }
                None => false,
            },
            _ => true,
        };
        if !good {
            out.push(format!("{place}: {value} is no {kind}"));
        }
    }

    /// All members of an entity that are not there.
    fn missing(&self, kind: &str, value: &Value) -> Vec<String> {
        let members = self.0[kind].as_object().unwrap().keys();
        members.filter(|name| value.get(*name).is_none() && !NOT_ALWAYS.contains(&name.as_str())).cloned().collect()
    }
}

#[test]
fn entities_have_the_members_of_the_metadata() {
    let types = Types(serde_json::from_str(TYPES).unwrap());
    let kit = kit();
    let more = json!({"body": {"contentType": "html", "content": "<b>x</b>"}, "location": {"displayName": "Room"}, "showAs": "oof"});
    let id = kit.make(with(with(with(meeting("Weekly", "2026-03-16"), weekly(3)), guests(&[NOAH])), more));
    let window = "startDateTime=2026-03-01T00:00:00Z&endDateTime=2026-06-01T00:00:00Z";
    let part =
        super::words(&kit.good("GET", &format!("{EVENTS}/{id}/instances?{window}"), Value::Null), "id").remove(1);
    kit.good("PATCH", &format!("{EVENTS}/{part}"), json!({"subject": "Special"}));
    let calendar = kit.good("GET", "/v1.0/me/calendar", Value::Null);
    let subscription = kit.good(
        "POST",
        "/v1.0/subscriptions",
        json!({
        "changeType": "updated", "notificationUrl": "https://hooks.example/m", "resource": "/me/events",
        "expirationDateTime": "2026-03-14T07:32:42Z"}),
    );
    let (_, copies) = kit.by(NOAH, "GET", &format!("/v1.0/me/calendarView?{window}"), Value::Null);
    let mut entities = vec![("calendar", calendar), ("subscription", subscription)];
    for id in [&id, &part] {
        entities.push(("event", kit.good("GET", &format!("{EVENTS}/{id}"), Value::Null)));
    }
    entities.extend(copies["value"].as_array().unwrap().iter().map(|copy| ("event", copy.clone())));
    assert_eq!(entities.len(), 7);
    let mut wrong = Vec::new();
    for (kind, entity) in &entities {
        types.check(kind, kind, entity, &mut wrong);
        wrong.extend(types.missing(kind, entity).into_iter().map(|name| format!("{kind}.{name} is missing")));
    }
    wrong.sort();
    wrong.dedup();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The members of a person, as recorded ("users/{id}").
#[test]
fn a_person_is_told_as_it_was_recorded() {
    let person = kit().good("GET", "/v1.0/me", Value::Null);
    let mut names: Vec<&String> = person.as_object().unwrap().keys().collect();
    names.sort();
    let recorded = [
        "@odata.context",
        "businessPhones",
        "displayName",
        "givenName",
        "id",
        "jobTitle",
        "mail",
        "mobilePhone",
        "officeLocation",
        "preferredLanguage",
        "surname",
        "userPrincipalName",
    ];
    assert_eq!(names, recorded);
    assert_eq!(person["userPrincipalName"], MIA);
}
