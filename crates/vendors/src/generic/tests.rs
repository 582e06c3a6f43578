//! Our own webhook: snapshots, a chain, what a sender is told, and reader and published schema held against each other.

use base64::Engine as _;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use syncline_connect::{Refusal, Secret};
use syncline_core::{booking::chain::Standing, person::normal_email};

use super::*;
use crate::{
    intake::text,
    testing::{self, fixtures, messages, received, request, robust, same_in_every_order, snapshots, spoilt},
};

fixtures! {
    booked rescheduled rescheduled_again cancelled no_show seat_booked form_submitted
}
snapshots!(&Generic);
robust!(&Generic, FIXTURES);

/// proves: B1, sec:S20, sec:S23, sec:S25
#[test]
fn a_webhook_is_verified_with_any_active_secret_within_five_minutes() {
    let source = Generic.bookings().expect("a booking source");
    let body = fixtures::booked.as_bytes();
    let signed = |distance: i64| {
        let time = received().as_second() + distance;
        let mut mac = <hmac::Hmac<sha2::Sha256> as hmac::KeyInit>::new_from_slice(b"the new key").expect("any length");
        hmac::Mac::update(&mut mac, format!("msg_1.{time}.").as_bytes());
        hmac::Mac::update(&mut mac, body);
        let digest = base64::prelude::BASE64_STANDARD.encode(hmac::Mac::finalize(mac).into_bytes());
        let mut raw = request(body);
        for (name, value) in [
            ("webhook-id", "msg_1"),
            ("webhook-timestamp", &time.to_string()),
            ("webhook-signature", &format!("v1,{digest}")),
        ] {
            raw.headers
                .insert(http::HeaderName::from_bytes(name.as_bytes()).expect("name"), value.parse().expect("value"));
        }
        raw
    };
    let new = Secret::new(format!("whsec_{}", base64::prelude::BASE64_STANDARD.encode("the new key")));
    let old = Secret::new("whsec_b2xk");
    assert!(source.signed());
    assert_eq!(source.verify(&signed(-300), &[old.clone(), new.clone()], received()), Ok(()));
    assert_eq!(source.verify(&signed(0), &[old], received()), Err(Refusal::Mismatch));
    assert_eq!(source.verify(&signed(301), &[new], received()), Err(Refusal::Stale));
    assert_eq!(source.verify(&signed(0), &[], received()), Err(Refusal::NoSecret));
}

/// proves: B4
#[test]
fn a_chain_ends_the_same_in_every_order() {
    let story =
        [fixtures::booked, fixtures::rescheduled, fixtures::rescheduled_again, fixtures::cancelled, fixtures::no_show];
    let state = same_in_every_order(&messages(&Generic, &story));
    let view = state.view().expect("content");
    assert_eq!(
        view.standing,
        Standing::Cancelled { reason: Some("No longer needed".into()), by: Some("Ada Lovelace".into()) }
    );
    assert_eq!((view.moves.len(), view.no_shows.len()), (2, 1));
}

/// Takes the first fixture, lets it be changed, and compares what the sender is told.
#[track_caller]
fn check(change: impl Fn(&mut Value), expected: &str) {
    let mut body: Value = serde_json::from_str(fixtures::booked).expect("JSON");
    change(&mut body);
    let told = match testing::read(&Generic, &body.to_string()) {
        Ok(_) => "taken".to_owned(),
        Err(malformed) => malformed.reason,
    };
    assert_eq!(told, expected);
}

#[test]
fn a_sender_is_told_which_field_is_wrong_and_what_is_expected() {
    check(|_| (), "taken");
    check(|body| body["guests"] = Value::Null, "taken");
    check(|body| body["colour"] = json!("red"), "colour: expected no such field");
    check(|body| body["meeting"]["room"] = json!(1), "meeting.room: expected no such field");
    check(|body| body["guests"][0]["mail"] = json!("x"), "guests[0].mail: expected no such field");
    check(|body| body["id"] = json!(7), "id: expected a text of 1 to 512 characters without control characters");
    check(|body| body["id"] = Value::Null, "id: expected a value, in every message");
    check(|body| body["invitee"]["email"] = json!("secret value"), "invitee.email: expected an e-mail address");
    check(
        |body| body["meeting"]["start"] = json!("2026-05-11 11:00"),
        "meeting.start: expected a date and time with offset as in RFC 3339, such as 2026-05-04T09:00:00+02:00",
    );
    check(
        |body| body["meeting"]["end"] = json!("2026-05-11T10:00:00+02:00"),
        "meeting.end: expected a time that is not before the start",
    );
    check(
        |body| body["kind"] = json!("made"),
        "kind: expected one of booked, requested, cancelled, rejected, reschedule_requested, no_show, updated, form_submitted",
    );
    check(|body| body["replaces"] = json!("B-1001"), "replaces: expected the id of another booking");
    check(
        |body| body["rescheduled"] = json!(true),
        "rescheduled: expected to stand only in a message of the kind cancelled",
    );
    check(
        |body| body["invitee"] = Value::Null,
        "invitee: expected a value, because the booking stands or waits; invitee: expected a value, because meeting is there",
    );
    check(
        |body| body["meeting"]["cancel_url"] = json!("javascript:1"),
        "meeting.cancel_url: expected an http or https address of at most 2048 characters",
    );
    check(|body| body["answers"] = json!([1]), "answers[0]: expected an object");
    check(
        |body| body["tracking"] = json!({"utm_source": 1}),
        "tracking.utm_source: expected a text of 1 to 1000 characters",
    );
    check(
        |body| body["guests"] = json!(vec![json!({"email": "a@example.org"}); 1_001]),
        "guests: expected a list of at most 1000 entries",
    );
}

#[test]
fn many_problems_are_told_at_once_but_not_endlessly() {
    let guests = json!(vec![json!({}); 30]);
    let body =
        json!({"id": "1", "kind": "cancelled", "occurred_at": "2026-05-04T09:24:01Z", "guests": guests}).to_string();
    let refused = testing::read(&Generic, &body).expect_err("refused");
    assert!(
        refused.reason.starts_with("guests[0].email: expected a value, for every person; guests[1].email"),
        "{refused}"
    );
    assert!(refused.reason.ends_with("; and 20 more"), "{refused}");
}

/// What the signature vouches for is the body; the time of arrival changes nothing.
#[test]
fn the_time_of_arrival_plays_no_part() {
    let read = |at: &str| Generic.read(&request(fixtures::booked.as_bytes()), at.parse().expect("time"));
    assert_eq!(read("2026-05-04T09:24:01Z"), read("2030-01-01T00:00:00Z"));
}

// --- the published schema --------------------------------------------------------------------------------------------

fn schema() -> Value {
    serde_json::from_str(SCHEMA).expect("the schema is JSON")
}

#[test]
fn the_schema_publishes_exactly_the_fields_that_are_read() {
    let schema = schema();
    let names = |pointer: &str| -> Vec<String> {
        schema.pointer(pointer).and_then(Value::as_object).expect(pointer).keys().cloned().collect()
    };
    let check = |pointer: &str, fields: &[&str]| {
        let (mut published, mut read) = (names(pointer), fields.to_vec());
        published.sort();
        read.sort_unstable();
        assert_eq!(published, read, "{pointer}");
    };
    check("/properties", convert::MESSAGE);
    check("/properties/meeting/properties", convert::MEETING);
    check("/properties/invitee/properties", convert::PERSON);
    check("/properties/guests/items/properties", convert::PERSON);
    check("/properties/hosts/items/properties", convert::HOST);
    check("/properties/answers/items/properties", convert::ANSWER);
    check("/properties/no_show/items/properties", convert::NO_SHOW);
    check("/properties/form/properties", convert::FORM);
    assert_eq!(schema["properties"]["kind"]["enum"], json!(convert::KINDS));
    let limits = [
        ("guests", crate::intake::MAX_PEOPLE),
        ("hosts", crate::intake::MAX_HOSTS),
        ("answers", crate::intake::MAX_ANSWERS),
        ("no_show", crate::intake::MAX_PEOPLE),
    ];
    for (name, max) in limits {
        assert_eq!(schema["properties"][name]["maxItems"], json!(max), "{name}");
    }
    assert_eq!(schema["properties"]["tracking"]["maxProperties"], json!(convert::MAX_TRACKING));
    assert_eq!(
        schema["properties"]["meeting"]["properties"]["calendar_ids"]["maxItems"],
        json!(convert::MAX_CALENDAR_IDS)
    );
    assert_eq!(schema["properties"]["id"]["maxLength"], json!(crate::intake::MAX_KEY_CHARS));
    assert_eq!(schema["properties"]["reason"]["maxLength"], json!(text::MAX_BLOCK_CHARS));
    assert_eq!(schema["properties"]["by"]["maxLength"], json!(text::MAX_LINE_CHARS));
}

/// The few rules between two fields that a schema cannot say.
const BEYOND_SCHEMA: &[&str] =
    &["id of another booking", "not before the start", "because meeting is there", "because invitee is there"];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// What the schema refuses the reader refuses, and what the reader refuses beyond it is one of the named rules.
    #[test]
    fn schema_and_reader_judge_alike(body in spoilt(FIXTURES)) {
        let valid = judge(&schema(), &body);
        match testing::read(&Generic, &body.to_string()) {
            Ok(_) => prop_assert!(valid, "only the schema refuses {body}"),
            Err(malformed) => {
                let beyond = malformed.reason.split("; ").all(|told| BEYOND_SCHEMA.iter().any(|rule| told.contains(rule)));
                prop_assert!(!valid || beyond, "only the reader refuses: {malformed}");
            }
        }
    }
}

/// What senders copy from the documentation is read, and fits the schema.
#[test]
fn the_documented_examples_are_good() {
    let page = include_str!("../../../../docs/generic-webhook.md");
    let examples: Vec<&str> = page.split("```json").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert_eq!(examples.len(), 2);
    for example in examples {
        assert_eq!(testing::reading(&Generic, example).messages.len(), 1);
        assert!(judge(&schema(), &serde_json::from_str(example).expect("JSON")), "{example}");
    }
}

#[test]
fn every_fixture_fits_the_schema() {
    for (name, body) in NAMES.iter().zip(FIXTURES) {
        assert!(judge(&schema(), &serde_json::from_str(body).expect("JSON")), "{name}");
    }
}

/// A JSON Schema judge for the keywords that the schema uses; any other keyword fails the test.
fn judge(schema: &Value, value: &Value) -> bool {
    let rules = schema.as_object().expect("a schema is an object");
    rules.iter().all(|(keyword, rule)| fits(keyword, rule, rules, value))
}

fn fits(keyword: &str, rule: &Value, rules: &Map<String, Value>, value: &Value) -> bool {
    let count = || rule.as_u64().expect("a number") as usize;
    let each = |rule: &Value, test: &dyn Fn(&str, &Value) -> bool| {
        rule.as_object().expect("an object").iter().all(|(name, rule)| test(name, rule))
    };
    match (keyword, value) {
        ("$schema" | "title" | "description" | "then", _) => true,
        ("type", _) => match rule {
            Value::Array(types) => types.iter().any(|rule| is_type(rule, value)),
            rule => is_type(rule, value),
        },
        ("enum", _) => rule.as_array().expect("a list").contains(value),
        ("not", _) => !judge(rule, value),
        ("allOf", _) => rule.as_array().expect("a list").iter().all(|rule| judge(rule, value)),
        ("if", _) => !judge(rule, value) || judge(&rules["then"], value),
        ("required", Value::Object(fields)) => {
            rule.as_array().expect("a list").iter().all(|name| fields.contains_key(name.as_str().expect("a name")))
        }
        ("properties", Value::Object(fields)) => {
            each(rule, &|name, rule| fields.get(name).is_none_or(|value| judge(rule, value)))
        }
        ("additionalProperties", Value::Object(fields)) => {
            let known = |name: &str| rules.get("properties").is_some_and(|known| known.get(name).is_some());
            fields
                .iter()
                .filter(|(name, _)| !known(name))
                .all(|(_, value)| *rule != Value::Bool(false) && judge(rule, value))
        }
        ("propertyNames", Value::Object(fields)) => fields.keys().all(|name| judge(rule, &json!(name))),
        ("maxProperties", Value::Object(fields)) => fields.len() <= count(),
        ("items", Value::Array(values)) => values.iter().all(|value| judge(rule, value)),
        ("maxItems", Value::Array(values)) => values.len() <= count(),
        ("minLength", Value::String(text)) => text.chars().count() >= count(),
        ("maxLength", Value::String(text)) => text.chars().count() <= count(),
        ("pattern", Value::String(text)) => matches_pattern(rule.as_str().expect("a pattern"), text),
        ("format", Value::String(text)) => match rule.as_str() {
            Some("date-time") => text.parse::<Timestamp>().is_ok(),
            Some("email") => normal_email(text).is_some(),
            Some("uri") => text::web_url(text).is_some(),
            other => panic!("no judge for the format {other:?}"),
        },
        (
            "required"
            | "properties"
            | "additionalProperties"
            | "propertyNames"
            | "maxProperties"
            | "items"
            | "maxItems"
            | "minLength"
            | "maxLength"
            | "pattern"
            | "format",
            _,
        ) => true,
        _ => panic!("no judge for the keyword {keyword}"),
    }
}

fn is_type(rule: &Value, value: &Value) -> bool {
    match rule.as_str().expect("a type") {
        "null" => value.is_null(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("no judge for the type {other}"),
    }
}

/// The schema's four patterns, spelled out.
fn matches_pattern(pattern: &str, text: &str) -> bool {
    let written = |c: char| !c.is_whitespace() && !c.is_control();
    match pattern {
        r"[^\s\u0000-\u001f\u007f-\u009f]" => text.chars().any(written),
        r"^(?=.*\S)[^\u0000-\u001f\u007f-\u009f]*$" => text.chars().any(written) && !text.chars().any(char::is_control),
        "^[A-Za-z0-9/_+-]+$" => {
            !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "/_+-".contains(c))
        }
        "^[A-Za-z0-9_-]+$" => !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c)),
        other => panic!("no judge for the pattern {other}"),
    }
}
