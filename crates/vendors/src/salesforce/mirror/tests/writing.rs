//! Rows written by collections: few calls, each row by itself, errors as those of a booking's records.

use serde_json::{Value as Json, json};
use syncline_connect::{
    ErrorKind, Mirror, Retry, Settings,
    mirror::{RowOutcome, RowWrite, Written},
};
use syncline_core::record::{Field, Role, Value};
use syncline_sandbox::{
    SalesforceConfig,
    salesforce::{DuplicateRule, FaultKind, FaultRule, LeadConversion},
};

use super::lab::{Lab, create, delete, refusal, text, update};
use crate::salesforce::{Salesforce, mirror::collections::ROWS_PER_CALL};

fn is_done(outcome: &RowOutcome) -> bool {
    matches!(outcome, RowOutcome::Done { .. })
}

/// proves: P2
#[test]
fn fifty_changes_are_one_call() {
    let lab = Lab::new();
    let ids = lab.contacts(50);
    let rows: Vec<RowWrite> = ids.iter().map(|id| update(id, &[("Title", text("Boss"))])).collect();
    let (outcomes, calls) = lab.calls(|| lab.rows("Contact", &rows));
    assert_eq!(calls, 1);
    assert!(outcomes.iter().all(is_done));
    assert!(lab.org.records("Contact").iter().all(|record| record["Title"] == "Boss"));
}

/// proves: P2
#[test]
fn ten_thousand_changes_are_eleven_calls_without_bulk() {
    let lab = Lab::new();
    let ids = lab.contacts(10_000);
    let rows: Vec<RowWrite> = ids.iter().map(|id| update(id, &[("Title", text("Boss"))])).collect();
    let carries = Salesforce.carries(&Settings::new(), "Contact", 1_999);
    assert_eq!(carries, ROWS_PER_CALL);
    let (outcomes, calls) =
        lab.calls(|| rows.chunks(carries).flat_map(|rows| lab.rows("Contact", rows)).collect::<Vec<_>>());
    assert!(calls <= 11, "{calls} calls");
    assert_eq!(outcomes.len(), 10_000);
    for (outcome, id) in outcomes.iter().zip(&ids) {
        assert_eq!(outcome, &RowOutcome::Done { id: id.as_str().into() });
    }
}

#[test]
fn every_number_of_waiting_rows_is_carried_somehow() {
    for waiting in [0, 1, 50, 999, 1_000, 1_001, 1_999, 2_000, 50_000, 2_000_000] {
        let carries = Salesforce.carries(&Settings::new(), "Contact", waiting);
        assert!(carries >= 1 && (carries <= waiting || waiting == 0), "{carries} of {waiting}");
    }
    assert_eq!(Salesforce.carries(&Settings::new(), "Contact", 2_000), 2_000);
}

#[test]
fn rows_are_made_changed_and_deleted_in_one_call() {
    let lab = Lab::new();
    let account = lab.seed("Account", json!({ "Name": "Acme" }));
    let ids = lab.contacts(2);
    let rows = [
        delete(&ids[1]),
        create("sy_1", &[("LastName", text("New")), ("AccountId", Value::Id(account.as_str().into()))]),
        update(
            &ids[0],
            &[
                ("Birthdate", Value::Date("1990-01-02".parse().unwrap())),
                ("Opted_Out__c", Value::Bool(true)),
                ("Email", Value::Null),
                ("Description", text("two\nlines, \"quoted\" and @{c0.id}")),
            ],
        ),
    ];
    let (outcomes, calls) = lab.calls(|| lab.rows("Contact", &rows));
    assert_eq!(calls, 1);
    assert!(outcomes.iter().all(is_done), "{outcomes:?}");
    let record = lab.record("Contact", &ids[0]);
    assert_eq!(record["Birthdate"], "1990-01-02");
    assert_eq!(record["Opted_Out__c"], true);
    assert_eq!(record["Email"], Json::Null);
    assert_eq!(record["Description"], "two\nlines, \"quoted\" and @ {c0.id}");
    assert_eq!(lab.record("Contact", &ids[1])["IsDeleted"], true);
    let RowOutcome::Done { id } = &outcomes[1] else { panic!("it was made") };
    assert_eq!(lab.record("Contact", id.as_str())["Syncline_Uid__c"], "sy_1");
    // The same once more makes nothing twice and deletes nothing twice.
    let again = lab.rows("Contact", &rows[..2]);
    assert_eq!(again, outcomes[..2]);
}

#[test]
fn a_refused_row_stops_no_other() {
    let lab = Lab::new();
    let ids = lab.contacts(5);
    lab.org.delete(&ids[1]).unwrap();
    let rows = [
        update(&ids[0], &[("Title", text("One"))]),
        update(&ids[1], &[("Title", text("Two"))]),
        update(&ids[2], &[("Email", text("no address"))]),
        update(&ids[3], &[("Account.Name", text("Acme"))]),
        update(&ids[4], &[("Nowhere__c", text("x"))]),
        create("sy_9", &[("FirstName", text("Nameless"))]),
        update("001dM0000000001AAA", &[("Title", text("Three"))]),
        update(&ids[3], &[("AccountId", text("001dM0000009999"))]),
        update(&ids[4], &[("LastName", Value::Null)]),
    ];
    let outcomes = lab.rows("Contact", &rows);
    assert!(is_done(&outcomes[0]));
    let told = |at: usize| {
        let error = refusal(&outcomes[at]);
        assert_eq!(error.slot, None);
        (error.kind, error.fields.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    assert_eq!(told(1), (ErrorKind::Gone, vec![]));
    assert_eq!(told(2), (ErrorKind::Invalid, vec!["@Email".to_owned()]));
    assert_eq!(told(3), (ErrorKind::Configuration, vec!["@Account.Name".to_owned()]));
    assert_eq!(told(4), (ErrorKind::Field, vec!["@Nowhere__c".to_owned()]));
    assert_eq!(told(5), (ErrorKind::Invalid, vec!["@LastName".to_owned()]));
    assert_eq!(told(6).0, ErrorKind::Configuration);
    assert_eq!(told(7), (ErrorKind::Reference, vec!["@AccountId".to_owned()]));
    assert_eq!(told(8), (ErrorKind::Invalid, vec!["@LastName".to_owned()]));
}

#[test]
fn a_lead_that_was_converted_says_so() {
    let lab = Lab::new();
    let lead = lab.seed("Lead", json!({ "LastName": "L", "Company": "Acme", "Status": "Open - Not Contacted" }));
    lab.org
        .convert_lead(&LeadConversion {
            lead_id: lead.clone(),
            converted_status: "Closed - Converted".into(),
            ..LeadConversion::default()
        })
        .unwrap();
    let outcomes = lab.rows("Lead", &[update(&lead, &[("Title", text("x"))])]);
    assert_eq!(refusal(&outcomes[0]).kind, ErrorKind::Converted);
}

#[test]
fn a_key_that_is_taken_names_who_bears_it() {
    let lab = Lab::new();
    let bearer = lab.seed("Contact", json!({ "LastName": "Bearer", "Syncline_Uid__c": "sy_7" }));
    let ids = lab.contacts(1);
    let outcomes = lab.rows("Contact", &[create("sy_7", &[("LastName", text("Same"))])]);
    assert_eq!(outcomes, [RowOutcome::Done { id: bearer.as_str().into() }]);
    // The key itself is never among the fields that are written.
    let outcomes = lab.rows("Contact", &[update(&ids[0], &[("Syncline_Uid__c", text("sy_7"))])]);
    assert!(is_done(&outcomes[0]));
    assert_eq!(lab.record("Contact", &ids[0])["Syncline_Uid__c"], Json::Null);
}

#[test]
fn a_duplicate_rule_names_the_record_that_stands_in_the_way() {
    let rule: DuplicateRule = serde_json::from_value(json!({
        "name": "Same_Address",
        "object": "Contact",
        "on_create": "block",
        "on_edit": "block",
        "matching": [{ "name": "Address", "object": "Contact", "fields": [{ "field": "Email" }] }],
    }))
    .unwrap();
    let lab = Lab::with(SalesforceConfig { duplicate_rules: vec![rule], ..SalesforceConfig::default() });
    let there = lab.contacts(1).remove(0);
    let row = create("sy_1", &[("LastName", text("Other")), ("Email", text("person0@example.org"))]);
    let outcomes = lab.rows("Contact", &[row]);
    let error = refusal(&outcomes[0]);
    assert_eq!(error.kind, ErrorKind::DuplicateRule);
    assert_eq!(error.matches, [(Role::Contact, there.as_str().into())]);
}

#[test]
fn a_locked_row_is_tried_again_and_what_nobody_knows_is_unknown() {
    let lab = Lab::new();
    let ids = lab.contacts(3);
    let rows: Vec<RowWrite> = ids.iter().map(|id| update(id, &[("Title", text("Boss"))])).collect();
    lab.fault(FaultRule { every: Some(3), ..FaultRule::new(FaultKind::RowLock) });
    let outcomes = lab.rows("Contact", &rows);
    assert_eq!(outcomes.iter().filter(|outcome| is_done(outcome)).count(), 2);
    let locked = outcomes.iter().find(|outcome| !is_done(outcome)).unwrap();
    assert_eq!((refusal(locked).kind, refusal(locked).retry), (ErrorKind::Locked, Retry::Backoff));
    lab.org.faults().clear();
    lab.fault(FaultRule { next: Some(1), ..FaultRule::new(FaultKind::AppliedAnswerLost) });
    let outcomes = lab.rows("Contact", &rows);
    assert!(
        outcomes
            .iter()
            .all(|outcome| matches!(outcome, RowOutcome::Unknown(error) if error.kind == ErrorKind::UnknownOutcome))
    );
    assert!(lab.org.records("Contact").iter().all(|record| record["Title"] == "Boss"));
    lab.fault(FaultRule { next: Some(1), ..FaultRule::new(FaultKind::ExpiredToken) });
    assert_eq!(lab.write("Contact", &rows).unwrap_err().retry, Retry::Reauthorise);
    lab.fault(FaultRule { next: Some(1), ..FaultRule::new(FaultKind::DailyLimit) });
    assert_eq!(lab.write("Contact", &rows).unwrap_err().kind, ErrorKind::DailyLimit);
}

#[test]
fn owners_are_ours_to_name_unless_the_settings_say_otherwise() {
    let mut lab = Lab::with(SalesforceConfig { assignment_rule: true, ..SalesforceConfig::default() });
    let made = |lab: &Lab, key: &str| {
        let fields = [("LastName", text("L")), ("Company", text("Acme")), ("Status", text("Open - Not Contacted"))];
        let RowOutcome::Done { id } = lab.rows("Lead", &[create(key, &fields)]).remove(0) else { panic!("made") };
        lab.record("Lead", id.as_str())["OwnerId"].clone()
    };
    let admin = lab.asker.settings["user_id"].rsplit('/').next().unwrap().to_owned();
    assert_eq!(made(&lab, "sy_1"), Json::from(admin.as_str()));
    lab.asker.settings.insert("assignment_rules".to_owned(), "on".to_owned());
    let _ = made(&lab, "sy_2");
    let calls = lab.org.calls();
    assert!(calls.recent.iter().any(|call| call.path.ends_with("/composite")));
}

#[test]
fn nothing_to_write_is_no_call() {
    let lab = Lab::new();
    let (written, calls) = lab.calls(|| lab.write("Contact", &[]).unwrap());
    assert_eq!((written.value, calls), (Written::Rows(Vec::new()), 0));
    let bad = [update("nonsense", &[])];
    let (written, calls) = lab.calls(|| lab.rows("Contact", &bad));
    assert_eq!((refusal(&written[0]).kind, calls), (ErrorKind::Configuration, 0));
    assert_eq!(lab.write("Case", &bad).unwrap_err().kind, ErrorKind::Configuration);
    let named = refusal(&lab.rows("Contact", &[update(&lab.contacts(1)[0], &[("A b", text("x"))])])[0]).fields.clone();
    assert_eq!(named, [Field::Native("A b".into())]);
}
