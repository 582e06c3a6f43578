//! Every refusal that Brevo documents, and answers quoted in public, mean what they should.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use serde_json::{Value, json};
use syncline_connect::{ErrorKind, Retry};

use crate::{brevo::classify, call::Heard};

fn heard(status: u16, body: &Value) -> Heard {
    let mut headers = HeaderMap::new();
    headers.insert("x-sib-ratelimit-reset", HeaderValue::from_static("37"));
    Heard { status, headers, body: Bytes::from(body.to_string()) }
}

#[test]
fn refusals_have_classes() {
    use ErrorKind::*;
    let code = |code: &str| json!({"code": code, "message": "ada@example.com is wrong"});
    let held = |code: &str| {
        json!({"code": code, "message": "Unable to create contact, email is already associated with another Contact",
               "metadata": {"duplicate_identifiers": ["email"]}})
    };
    let cases = [
        (429, code("too_many_requests"), RateLimited, Retry::After(Duration::from_secs(37))),
        (425, code("too_early"), Locked, Retry::Backoff),
        (500, json!("<html>"), Unavailable, Retry::Backoff),
        (502, json!(null), Unavailable, Retry::Backoff),
        (503, json!(null), Unavailable, Retry::Backoff),
        (504, json!(null), Unavailable, Retry::Backoff),
        (400, code("account_in_process"), Unavailable, Retry::Backoff),
        (401, code("unauthorized"), Revoked, Retry::Never),
        (401, json!(null), Revoked, Retry::Never),
        (403, code("permission_denied"), Forbidden, Retry::Never),
        (400, code("account_under_validation"), Forbidden, Retry::Never),
        (402, code("not_enough_credits"), Forbidden, Retry::Never),
        (400, held("duplicate_parameter"), KeyTaken, Retry::Replan),
        (400, held("invalid_parameter"), KeyTaken, Retry::Replan),
        (400, code("duplicate_parameter"), KeyTaken, Retry::Replan),
        (400, code("duplicate_request"), Locked, Retry::Backoff),
        (404, code("document_not_found"), Gone, Retry::Replan),
        (404, code("invalid_parameter"), Gone, Retry::Replan),
        (405, code("method_not_allowed"), Invalid, Retry::Never),
        (400, code("invalid_parameter"), Invalid, Retry::Never),
        (400, code("missing_parameter"), Invalid, Retry::Never),
        (400, code("out_of_range"), Invalid, Retry::Never),
        (422, code("unprocessable_entity"), Invalid, Retry::Never),
        (302, json!(null), Configuration, Retry::Never),
    ];
    for (status, body, kind, retry) in cases {
        let error = classify::error("write", &heard(status, &body));
        assert_eq!((error.kind, error.retry), (kind, retry), "{status} {body}");
        assert!(!error.message.contains('@'), "values stay out");
        assert!(error.code.is_some());
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
