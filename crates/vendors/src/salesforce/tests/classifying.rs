//! Every code has a class, and none is guessed.

use proptest::prelude::*;
use syncline_connect::{ErrorKind, Retry};

use super::super::{
    classify::{class_of, class_of_row, class_of_status, error, error_from_rows},
    wire::{ErrorRow, error_rows},
};

const CODES: &str = include_str!("../fixtures/status_codes.txt");

fn row(code: &str, message: &str, fields: &[&str]) -> ErrorRow {
    ErrorRow { code: code.into(), message: message.into(), fields: fields.iter().map(|&field| field.into()).collect() }
}

/// The codes by what becomes of them; all others wait for a person and keep the record.
#[test]
fn every_code_of_the_platform_has_its_class() {
    let mut counts = std::collections::BTreeMap::<String, Vec<&str>>::new();
    for code in CODES.lines() {
        let class = class_of(code);
        counts.entry(format!("{:?} {:?}", class.kind, class.retry)).or_default().push(code);
    }
    let for_a_person = counts.remove("Invalid Never").unwrap();
    assert_eq!(counts.values().map(Vec::len).sum::<usize>() + for_a_person.len(), 540);
    let table: Vec<String> = counts.iter().map(|(class, codes)| format!("{class}: {}", codes.join(" "))).collect();
    insta::assert_snapshot!(table.join("\n"), @r"
    Configuration Never: UNSUPPORTED_API_VERSION
    Converted Replan: CANNOT_UPDATE_CONVERTED_LEAD
    DailyLimit Backoff: REQUEST_LIMIT_EXCEEDED
    DuplicateRule Never: DUPLICATES_DETECTED
    Field Never: FIELD_NOT_UPDATABLE INVALID_FIELD INVALID_FIELD_FOR_INSERT_UPDATE
    Forbidden Never: API_CURRENTLY_DISABLED API_DISABLED_FOR_ORG INSUFFICIENT_ACCESS INSUFFICIENT_ACCESS_APEX_METADATA_DEPLOY INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY INSUFFICIENT_ACCESS_OR_READONLY INSUFFICIENT_ACCESS_TO_INSIGHTSEXTERNALDATA INVALID_TYPE STORAGE_LIMIT_EXCEEDED
    Gone Replan: ENTITY_IS_DELETED
    KeyTaken Replan: DUPLICATE_EXTERNAL_ID DUPLICATE_VALUE
    Locked Backoff: ALREADY_IN_PROCESS UNABLE_TO_LOCK_ROW
    Locked Replan: ENTITY_FAILED_IFLASTMODIFIED_ON_UPDATE
    Owner Replan: INACTIVE_OWNER_OR_USER TRANSFER_REQUIRES_READ
    Protocol Never: JSON_PARSER_ERROR MALFORMED_QUERY
    RateLimited Backoff: TOO_MANY_APEX_REQUESTS
    Reference Replan: INVALID_CROSS_REFERENCE_KEY
    Unauthorised Reauthorise: INVALID_SESSION_ID
    Unavailable Backoff: ALL_OR_NONE_OPERATION_ROLLED_BACK BATCH_PROCESSING_HALTED FUNCTIONALITY_TEMPORARILY_UNAVAILABLE INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE INVALID_LOCATOR INVALID_QUERY_LOCATOR MATCH_SERVICE_TIMED_OUT MATCH_SERVICE_UNAVAILABLE_ERROR ORG_IN_MAINTENANCE PROCESSING_HALTED QUERY_TIMEOUT REQUEST_RUNNING_TOO_LONG SERVER_UNAVAILABLE TXN_SECURITY_METERING_ERROR UNKNOWN_EXCEPTION
    ");
}

#[test]
fn an_unknown_code_is_kept_for_a_person() {
    for code in ["SOMETHING_NEW", "unable_to_lock_row", "\u{0}"] {
        let class = class_of(code);
        assert_eq!((class.kind, class.retry), (ErrorKind::Invalid, Retry::Never));
    }
}

/// proves: fault:H4
#[test]
fn the_days_limit_and_the_concurrent_limit_are_two_things() {
    let day = class_of_row(403, &row("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", &[]));
    assert_eq!(day.kind, ErrorKind::DailyLimit);
    let busy = class_of_row(403, &row("REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn Limit exceeded.", &[]));
    assert_eq!((busy.kind, busy.retry), (ErrorKind::RateLimited, Retry::Backoff));
}

#[test]
fn two_refusals_are_never_answered_with_a_refresh() {
    for text in ["Connected app is not attached to Agent", "This session is not valid for use with the REST API"] {
        assert_eq!(class_of_row(401, &row("INVALID_SESSION_ID", text, &[])).retry, Retry::Never);
    }
    assert_eq!(
        class_of_row(401, &row("INVALID_SESSION_ID", "Session expired or invalid", &[])).retry,
        Retry::Reauthorise
    );
}

#[test]
fn fields_tell_an_owner_from_another_reference() {
    assert_eq!(class_of_row(400, &row("INVALID_CROSS_REFERENCE_KEY", "", &["OwnerId"])).kind, ErrorKind::Owner);
    assert_eq!(class_of_row(400, &row("INVALID_CROSS_REFERENCE_KEY", "", &["AccountId"])).kind, ErrorKind::Reference);
    assert_eq!(class_of_row(400, &row("FIELD_INTEGRITY_EXCEPTION", "", &["WhatId"])).kind, ErrorKind::Reference);
    assert_eq!(class_of_row(400, &row("FIELD_INTEGRITY_EXCEPTION", "", &["Birthdate"])).kind, ErrorKind::Invalid);
}

#[test]
fn the_cause_is_found_among_its_neighbours_and_no_value_is_repeated() {
    let rows =
        [row("PROCESSING_HALTED", "", &[]), row("INVALID_EMAIL_ADDRESS", "invalid email address: badone", &["Email"])];
    let found = error_from_rows("write", 400, &rows);
    assert_eq!(found.code.as_deref(), Some("INVALID_EMAIL_ADDRESS"));
    assert!(!found.to_string().contains("badone"));
}

#[test]
fn both_spellings_of_an_error_are_read() {
    let single = serde_json::json!([{"message": "m", "errorCode": "A", "fields": ["F"]}]);
    let collection = serde_json::json!({"statusCode": "A", "message": "m", "fields": ["F"]});
    assert_eq!(error_rows(&single), [row("A", "m", &["F"])]);
    assert_eq!(error_rows(&collection), [row("A", "m", &["F"])]);
    let sparse = serde_json::json!([{"errorCode": "A", "message": null, "fields": null}, null, {"message": "m"}, 7]);
    assert_eq!(error_rows(&sparse), [row("A", "", &[])]);
    assert_eq!(error_rows(&serde_json::json!("text")), []);
}

proptest! {
    #[test]
    fn nothing_panics_and_only_words_are_kept_as_codes(code in any::<String>(), status in any::<u16>()) {
        let kept = error("write", class_of(&code), Some(&code)).code;
        prop_assert!(kept.is_none_or(|kept| kept.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')));
        let _ = class_of_status(status);
    }
}
