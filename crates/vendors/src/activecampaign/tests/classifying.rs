//! Refusals mean what they should.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use serde_json::{Value, json};
use syncline_connect::{ErrorKind, Retry};
use syncline_core::record;

use crate::{activecampaign::classify, call::Heard};

fn heard(status: u16, body: &Value) -> Heard {
    let mut headers = HeaderMap::new();
    headers.insert("retry-after", HeaderValue::from_static("3"));
    Heard { status, headers, body: Bytes::from(body.to_string()) }
}

#[test]
fn refusals_have_classes() {
    use ErrorKind::*;
    let complaint = |code: &str| {
        json!({"errors": [{"title": "Email address already exists in the system", "detail": "ada@example.com",
                           "code": code, "source": {"pointer": "/data/attributes/email"}}]})
    };
    let message = |text: &str| json!({"message": text});
    let full = json!({"success": 0, "message": "Rate limit exceeded.", "failureReasons": ["ask ada@example.com"]});
    let cases = [
        (429, message(""), RateLimited, Retry::After(Duration::from_secs(3))),
        (400, full, RateLimited, Retry::After(Duration::from_secs(60))),
        (500, json!("<html>"), Unavailable, Retry::Backoff),
        (502, json!(null), Unavailable, Retry::Backoff),
        (503, json!(null), Unavailable, Retry::Backoff),
        (504, json!(null), Unavailable, Retry::Backoff),
        (403, message(""), Revoked, Retry::Never),
        (401, json!(null), Revoked, Retry::Never),
        (403, message("not on your plan"), Forbidden, Retry::Never),
        (402, message(""), Forbidden, Retry::Never),
        (422, complaint("duplicate"), KeyTaken, Retry::Replan),
        (422, complaint("email_invalid"), Invalid, Retry::Never),
        (400, message("no"), Invalid, Retry::Never),
        (404, message("No Result found for Subscriber with id 7"), Gone, Retry::Replan),
        (200, json!({"succeeded": 0}), Unavailable, Retry::Backoff),
        (302, json!(null), Configuration, Retry::Never),
    ];
    for (status, body, kind, retry) in cases {
        let error = classify::error("write", &heard(status, &body));
        assert_eq!((error.kind, error.retry), (kind, retry), "{status} {body}");
        assert!(!error.message.contains('@'), "values stay out");
        let fields = if status == 422 { vec![record::Field::Native("email".into())] } else { Vec::new() };
        assert_eq!(error.fields, fields);
    }
}

#[test]
fn a_write_that_was_given_up_is_open() {
    for (status, kind) in [
        (500, ErrorKind::UnknownOutcome),
        (502, ErrorKind::UnknownOutcome),
        (504, ErrorKind::UnknownOutcome),
        (503, ErrorKind::Unavailable),
        (429, ErrorKind::RateLimited),
    ] {
        assert_eq!(classify::write_error("write", &heard(status, &json!(null))).kind, kind, "{status}");
    }
}

#[test]
fn success_can_be_hollow() {
    for (body, hollow) in [
        (json!({"succeeded": 0}), true),
        (json!({"succeeded": "0"}), true),
        (json!({"succeeded": 1}), false),
        (json!({}), false),
    ] {
        assert_eq!(classify::is_hollow(&heard(200, &body)), hollow, "{body}");
    }
}

#[test]
fn bad_rows_of_an_import_are_named_by_position() {
    let body = json!({"success": 0, "message": "JSON payload did not pass validation.",
                      "failureReasons": [{"contact": 230, "failureReason": "x"}, {"contact": "7"}, "a sentence"]});
    assert_eq!(classify::bad_rows(&heard(400, &body)), [230, 7]);
}
