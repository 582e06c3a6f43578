//! Every refusal has its class, whichever of its shapes it comes in.

use std::time::Duration;

use serde_json::{Value as Json, json};
use syncline_connect::{ErrorKind, Retry};
use syncline_core::record::Role;

use crate::hubspot::{
    classify::{of_call, of_row},
    wire::Refused,
};

fn read(body: Json) -> Refused {
    serde_json::from_value(body).unwrap()
}

#[test]
fn calls() {
    let after = |seconds| Retry::After(Duration::from_secs(seconds));
    let cases = [
        (401, json!({"category": "EXPIRED_AUTHENTICATION"}), ErrorKind::Unauthorised, Retry::Reauthorise),
        (403, json!({"category": "MISSING_SCOPES"}), ErrorKind::Forbidden, Retry::Never),
        (404, json!({}), ErrorKind::Configuration, Retry::Never),
        (404, json!({"category": "OBJECT_NOT_FOUND"}), ErrorKind::Gone, Retry::Replan),
        (409, json!({"category": "CONFLICT"}), ErrorKind::KeyTaken, Retry::Replan),
        (423, json!({"category": "LOCKED"}), ErrorKind::Locked, after(2)),
        (
            429,
            json!({"errorType": "RATE_LIMIT", "policyName": "TEN_SECONDLY_ROLLING"}),
            ErrorKind::RateLimited,
            after(10),
        ),
        (429, json!({"category": "RATE_LIMITS"}), ErrorKind::RateLimited, after(10)),
        (429, json!({"errorType": "RATE_LIMIT", "policyName": "SECONDLY"}), ErrorKind::RateLimited, after(1)),
        (
            429,
            json!({"category": "RATE_LIMITS", "message": "You have reached your secondly limit."}),
            ErrorKind::RateLimited,
            after(1),
        ),
        (429, json!({"errorType": "RATE_LIMIT", "policyName": "DAILY"}), ErrorKind::DailyLimit, Retry::Backoff),
        (477, json!({}), ErrorKind::Unavailable, Retry::Backoff),
        (502, json!({}), ErrorKind::Unavailable, Retry::Backoff),
        (521, json!({}), ErrorKind::Unavailable, Retry::Backoff),
        (400, json!({"category": "VALIDATION_ERROR"}), ErrorKind::Invalid, Retry::Never),
    ];
    for (status, body, kind, retry) in cases {
        let error = of_call("test", status, &read(body.clone()), None);
        assert_eq!((error.kind, error.retry), (kind, retry), "{status} {body}");
    }
    let told = of_call("test", 477, &Refused::default(), Some(Duration::from_secs(86_400 * 9)));
    assert_eq!(told.retry, after(86_400), "no longer than a day");
}

#[test]
fn rows() {
    let detail = |code: &str, name: &str| json!({"category": "VALIDATION_ERROR", "errors": [{"code": code, "message": "x", "context": {"propertyName": [name]}}]});
    let old = json!({"status": "error", "validationResults": [{"isValid": false, "error": "INVALID_EMAIL", "name": "email"}]});
    let cases = [
        (detail("PROPERTY_DOESNT_EXIST", "lost"), ErrorKind::Field, vec!["@lost"]),
        (detail("READ_ONLY_VALUE", "createdate"), ErrorKind::Field, vec!["@createdate"]),
        (detail("INVALID_OPTION", "lifecyclestage"), ErrorKind::Invalid, vec!["@lifecyclestage"]),
        (detail("CONFLICTING_UNIQUE_VALUE", "code"), ErrorKind::KeyTaken, vec!["@code"]),
        (old, ErrorKind::Invalid, vec!["@email"]),
        (json!({"category": "OBJECT_NOT_FOUND", "context": {"ids": ["1"]}}), ErrorKind::Gone, vec![]),
        (json!({}), ErrorKind::Invalid, vec![]),
    ];
    for (body, kind, fields) in cases {
        let error = of_row("test", &read(body.clone()), &[Role::Contact]);
        let named: Vec<String> = error.fields.iter().map(ToString::to_string).collect();
        assert_eq!((error.kind, named), (kind, fields.into_iter().map(str::to_owned).collect()), "{body}");
    }
    let taken = json!({"category": "CONFLICT", "message": "Contact already exists. Existing ID: 4711"});
    let error = of_row("test", &read(taken), &[Role::Contact]);
    assert_eq!(error.matches, [(Role::Contact, "4711".into())]);
    assert!(!error.message.contains("4711"), "values and ids stay out of the sentence");
}
